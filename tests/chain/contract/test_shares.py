"""What a member owns, owes and is covered for (contract 3.3, 3.6)."""

import pytest
from msgspec.structs import replace

from chain.contract.settlement_tables import SHARE_STEP, ShareStepRecord
from chain.contract.shares import (
    INDEX_END,
    compute_shares_paid,
    get_arrears,
    get_balance,
    is_covered,
    is_lapsed,
    is_suspended,
    open_book,
    write_member,
)
from chain.contract.tables import POOL, MemberRecord, PoolRecord
from chain.errors import InvariantViolation
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.world import PLAN_NAME, World, name_hash


def build_member(**fields: object) -> MemberRecord:
    return build_record(MemberRecord, **{"plan": PLAN_NAME, "pool": 0, "weight": 3, "is_leaf": True, **fields})


def put_steps(world: World, *steps: tuple[int, int]) -> PoolRecord:
    """Let the pool have these settlements: (index afterwards, day)."""
    for number, (index, day) in enumerate(steps):
        world.state.put(SHARE_STEP, ShareStepRecord(share_index=index, day=day, per=0), PLAN_NAME, 0, number)
    pool = replace(world.pool, settlements=len(steps), share_index=steps[-1][0])
    world.state.put(POOL, pool, PLAN_NAME, 0)
    return pool


@pytest.mark.parametrize(
    ("x", "index", "balance", "arrears"),
    [(100, 0, 302, 0), (100, 99, 5, 0), (100, 100, 2, 0), (100, 101, 2, 3), (100, 150, 2, 150)],
)
def test_the_balance_follows_the_index_and_a_suspended_leaf_keeps_its_remainder(
    x: int, index: int, balance: int, arrears: int
) -> None:
    member = build_member(x=x, rem=2)
    assert get_balance(member, index) == balance
    assert get_arrears(member, index) == arrears
    assert is_suspended(member, index) == (arrears > 0)


def test_cash_belongs_to_the_balance_with_or_without_a_leaf() -> None:
    assert get_balance(build_member(x=100, rem=2, cash=40), 150) == 42
    assert get_balance(build_member(is_leaf=False, cash=40), 150) == 40


def test_shares_paid_stop_where_the_money_ended() -> None:
    member = build_member(x=100, rem=2, entry_index=40, paid_before=7)
    assert compute_shares_paid(member, 70) == 7 + 3 * 30
    assert compute_shares_paid(member, 500) == 7 + 3 * 60
    assert compute_shares_paid(replace(member, is_leaf=False), 500) == 7


def test_a_member_lapses_after_the_grace_counted_in_settlements_even_free_ones() -> None:
    world = World()
    member = build_member(x=10)
    suspended = put_steps(world, (5, 1), (11, 2))
    assert not is_lapsed(world.state, member, suspended, 2)
    assert is_lapsed(world.state, member, suspended, 0)
    assert not is_lapsed(world.state, member, put_steps(world, (5, 1), (11, 2), (11, 3)), 2)
    assert is_lapsed(world.state, member, put_steps(world, (5, 1), (11, 2), (11, 3), (11, 4)), 2)
    assert not is_lapsed(world.state, build_member(x=11), put_steps(world, (5, 1), (11, 2), (11, 3), (11, 4)), 2)


def test_cover_ends_with_the_charge_day_that_suspended_and_not_with_the_present_index() -> None:
    world = World()
    pool = put_steps(world, (5, 100), (11, 114), (11, 128), (30, 142))
    member = build_member(x=10, cover_from=90, accident_from=20)
    days = {day for day in range(200) if is_covered(world.state, member, pool, day, False)}
    assert days == set(range(90, 115))
    days = {day for day in range(200) if is_covered(world.state, member, pool, day, True)}
    assert days == set(range(20, 115))
    topped_up = replace(member, x=40)
    assert is_covered(world.state, topped_up, pool, 199, False)


def test_past_intervals_are_remembered_without_a_leaf_and_accidents_without_a_waiting_period() -> None:
    world = World()
    member = build_member(is_leaf=False, past=((90, 120, 20), (150, 160, 150)))
    illness = {day for day in range(200) if is_covered(world.state, member, world.pool, day, False)}
    accident = {day for day in range(200) if is_covered(world.state, member, world.pool, day, True)}
    assert illness == set(range(90, 121)) | set(range(150, 161))
    assert accident == set(range(20, 121)) | set(range(150, 161))


@pytest.mark.parametrize(("x", "rem"), [(INDEX_END, 0), (-1, 0), (5, 3), (5, -1)])
def test_a_leaf_that_no_proof_could_show_is_never_written(x: int, rem: int) -> None:
    world = World()
    book = open_book(world.state, world.context("bank"), PLAN_NAME, 0)
    with pytest.raises(InvariantViolation):
        write_member(world.state, book, name_hash("m"), None, build_member(x=x, rem=rem))


def test_a_leaf_and_the_sums_of_the_pool_follow_its_record() -> None:
    world = World()
    state, member_id = world.state, name_hash("m")
    book = open_book(state, world.context("bank"), PLAN_NAME, 0)
    first = build_member(x=50, rem=2, cash=9)
    write_member(state, book, member_id, None, first)
    assert (book.pool.tree_money, book.pool.plain, book.pool.entered) == (152, 9, 1)
    moved = replace(first, x=40, rem=1, cash=0)
    write_member(state, book, member_id, first, moved)
    assert (book.pool.tree_money, book.pool.plain) == (121, 0)
    sums = state.tree((PLAN_NAME, 0)).range_sums(0)
    assert (sums.count, sums.weight, sums.weight_x, sums.rem) == (1, 3, 120, 1)
    write_member(state, book, member_id, moved, replace(moved, is_leaf=False))
    assert (book.pool.tree_money, book.pool.exited) == (0, 1)
    assert state.tree((PLAN_NAME, 0)).range_sums(0).count == 0
