"""The check for ghosts: a sample that nobody chose, a deadline in public, an exact bound (contract 5, 7)."""

from fractions import Fraction
from itertools import pairwise
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.contract.calendar import compute_day_of_date
from chain.contract.ghost_audit import (
    REPORT_DAYS,
    SAMPLE_SIZE,
    compute_ghost_bound,
    compute_quarter,
    draw_ranks,
)
from chain.contract.member_calls import GhostAuditReport, MemberLeave
from chain.contract.person_events import GhostAuditOverdue, GhostsDrawn, GhostsReported
from chain.contract.person_tables import GHOST_AUDIT, GHOST_DRAW, SAMPLE_MAX, GhostDrawRecord
from chain.errors import InvariantViolation
from chain.trie import sum_key
from chain.types import Hash
from tests.chain.contract.acts import refuse
from tests.chain.contract.world import PLAN_NAME, START_DAY, World, name_hash


def settle(world: World) -> None:
    """Go on until the next settlement has run."""
    settlements = world.pool.settlements
    while world.pool.settlements == settlements:
        world.advance(1)


def start(*names: str) -> tuple[World, list[bytes]]:
    world = World()
    members = [world.join(name, 5_000) for name in names]
    settle(world)
    return world, members


def get_draw(world: World, number: int = 0) -> GhostDrawRecord:
    return world.state.require(GHOST_DRAW, PLAN_NAME, 0, number)


def report(world: World, found: int, *, draw: int = 0, size: int | None = None, pool: int = 0) -> GhostAuditReport:
    sample = len(get_draw(world).sample) if size is None else size
    return GhostAuditReport(
        plan=PLAN_NAME, pool=pool, draw=draw, sample_size=sample, found=found, report_root=name_hash("report")
    )


# --- drawing ---


def test_the_first_settlement_of_a_quarter_draws_from_the_members_that_it_counts() -> None:
    world, members = start("ann", "ben", "cid")
    record = get_draw(world)
    assert (record.day, record.members, record.rank_offset, record.period) == (world.today, 3, 0, 0)
    assert sorted(record.sample) == sorted(members)
    assert (record.auditor, record.due_day) == ("audit-one", world.today + REPORT_DAYS)
    drawn = [event for event in world.events if isinstance(event, GhostsDrawn)]
    assert [(event.members, event.sample_size, event.organisation) for event in drawn] == [(3, 3, "audit-one")]
    assert drawn[0].value == record.value
    settle(world)
    assert world.state.require(GHOST_AUDIT, PLAN_NAME, 0).draws == 1, "once a quarter"
    while compute_quarter(world.today) == compute_quarter(START_DAY):
        world.advance(1)
    settle(world)
    assert (get_draw(world, 1).auditor, get_draw(world, 1).period) == ("audit-two", world.pool.settlements - 1)


def test_a_pool_that_counts_nobody_is_drawn_from_as_soon_as_it_does() -> None:
    world, _ = start()
    assert world.state.get(GHOST_DRAW, PLAN_NAME, 0, 0) is None
    ann = world.join("ann", 5_000)
    settle(world)
    assert get_draw(world).sample == (ann,)


def test_suspended_members_are_no_part_of_the_count_nor_of_the_sample() -> None:
    world = World()
    poor, rich = world.join("poor", 1_000), world.join("rich", 20_000)
    while world.pool.share_index <= 1_000:
        world.add_claim(rich, 700)
        settle(world)
    assert world.member(poor).x < world.pool.share_index
    while compute_quarter(world.today) == compute_quarter(START_DAY):
        world.advance(1)
    settle(world)
    number = world.state.require(GHOST_AUDIT, PLAN_NAME, 0).draws - 1
    record = get_draw(world, number)
    assert (record.members, record.rank_offset, record.sample) == (1, 1, (rich,))


def test_the_ranks_lead_to_the_sample_in_the_tree_of_the_settlement() -> None:
    world = World()
    members = [world.join(f"m{number}", 1_000 + 10 * number) for number in range(40)]
    settle(world)
    record = get_draw(world)
    keys = sorted((sum_key(x=world.member(member).x, pseudonym=member), member) for member in members)
    ranks = draw_ranks(Hash(record.value), subject=(PLAN_NAME, 0, 0), members=40, size=40)
    assert record.sample == tuple(keys[rank][1] for rank in ranks)


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 400), st.integers(1, 400))
def test_ranks_are_different_below_the_count_and_a_shorter_draw_is_the_beginning_of_a_longer(
    value: bytes, members: int, size: int
) -> None:
    size = min(size, members)
    ranks = draw_ranks(Hash(value), subject=("p", 0, 1), members=members, size=size)
    assert len({*ranks}) == size
    assert all(0 <= rank < members for rank in ranks)
    assert draw_ranks(Hash(value), subject=("p", 0, 1), members=members, size=size // 2) == ranks[: size // 2]
    other = draw_ranks(Hash(value), subject=("p", 0, 2), members=members, size=size)
    assert other != ranks or members < 10


def test_each_rank_is_drawn_about_equally_often() -> None:
    counts = [0] * 10
    for number in range(400):
        for rank in draw_ranks(Hash(bytes(32)), subject=("p", 0, number), members=10, size=3):
            counts[rank] += 1
    assert min(counts) > 80
    assert max(counts) < 165


def test_quarters_begin_in_january_april_july_and_october() -> None:
    days = [compute_day_of_date(year=2026, month=month, day_of_month=1) for month in (1, 4, 7, 10)]
    quarters = [compute_quarter(day) for day in days]
    assert [later - earlier for earlier, later in pairwise(quarters)] == [1, 1, 1]
    assert [compute_quarter(day - 1) for day in days] == [quarter - 1 for quarter in quarters]


# --- reporting ---


def test_a_report_gives_the_bound_that_is_published() -> None:
    world, _ = start("ann", "ben", "cid")
    assert world.call("audit-one", report(world, 2)).number == 0
    record = get_draw(world)
    assert (record.reported_by, record.found, record.bound_ppm) == ("audit-one", 2, 333_334)
    event = GhostsReported(
        plan=PLAN_NAME, pool=0, draw=0, organisation="audit-one", sample_size=3, found=2, bound_ppm=333_334,
        report_root=name_hash("report"),
    )  # fmt: skip
    assert world.last_events == [event]
    world.advance(REPORT_DAYS)
    assert not any(isinstance(event, GhostAuditOverdue) for event in world.events)


def test_a_missing_report_is_overdue_in_public_and_any_auditor_may_give_it() -> None:
    world, members = start("ann", "ben")
    assert refuse(world, "audit-two", report(world, 2)) == "not_your_turn"
    world.advance(REPORT_DAYS - 1)
    assert not get_draw(world).is_overdue
    world.advance(1)
    assert get_draw(world).is_overdue
    assert GhostAuditOverdue(plan=PLAN_NAME, pool=0, draw=0, organisation="audit-one") in world.events
    assert world.call(name_hash("member", "ann"), MemberLeave(member=members[0])).number == 0, "the plan goes on"
    assert world.call("audit-two", report(world, 2)).number == 0
    assert not get_draw(world).is_overdue


def test_each_guard_of_a_report_has_its_code() -> None:
    world, _ = start("ann", "ben")
    for signer in ("platform", "bank", "firm-a", "clinic", "stranger"):
        assert refuse(world, signer, report(world, 2)) == "wrong_role"
    unknown = GhostAuditReport(plan="x", pool=0, draw=0, sample_size=1, found=1, report_root=name_hash("report"))
    assert refuse(world, "audit-one", unknown) == "plan_unknown"
    assert refuse(world, "audit-one", report(world, 2, pool=9)) == "pool_unknown"
    assert refuse(world, "audit-one", report(world, 2, draw=1)) == "draw_unknown"
    assert refuse(world, "audit-one", report(world, 1, size=1)) == "sample_mismatch"
    assert refuse(world, "audit-one", report(world, 3)) == "value_out_of_range"
    assert world.call("audit-one", report(world, 2)).number == 0
    assert refuse(world, "audit-one", report(world, 2)) == "already"
    assert refuse(world, "audit-two", report(world, 1)) == "conflict"


# --- the bound ---


def compute_chance(members: int, ghosts: int, size: int, found: int) -> Fraction:
    """Return the chance of at most `size - found` ghosts in a sample, by the textbook."""
    few = sum(comb(ghosts, i) * comb(members - ghosts, size - i) for i in range(size - found + 1))
    return Fraction(few, comb(members, size))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_bound_is_the_largest_number_of_ghosts_with_a_chance_of_five_percent(data: st.DataObject) -> None:
    members = data.draw(st.integers(1, 300))
    size = data.draw(st.integers(1, members))
    found = data.draw(st.integers(0, size))
    bound = compute_ghost_bound(members=members, sample_size=size, found=found)
    counts = [
        ghosts
        for ghosts in range(size - found, members - found + 1)
        if compute_chance(members, ghosts, size, found) >= Fraction(1, 20)
    ]
    assert bound == -(-max(counts) * 1_000_000 // members)


@pytest.mark.parametrize("size", [30, 100, 300, 1_000])
def test_nobody_missing_excludes_about_three_in_the_sample_size(size: int) -> None:
    bound = compute_ghost_bound(members=100_000_000, sample_size=size, found=size)
    assert 2_850_000 // size < bound < 3_000_000 // size


def test_known_bounds_stay_what_they_are() -> None:
    cases = {
        (100_000_000, 300, 300): 9_937,
        (100_000_000, 300, 299): 15_715,
        (100_000_000, 300, 100): 711_723,
        (1_000, 300, 300): 8_000,
        (300, 300, 300): 0,
        (300, 300, 299): 3_334,
        (1, 1, 0): 1_000_000,
        (100_000_000, 300, 0): 1_000_000,
    }
    for (members, size, found), bound in cases.items():
        assert compute_ghost_bound(members=members, sample_size=size, found=found) == bound


@pytest.mark.parametrize(("members", "size", "found"), [(5, 6, 6), (5, 5, 6), (5, 0, 0), (5, 5, -1)])
def test_a_sample_that_cannot_be_is_our_own_fault(members: int, size: int, found: int) -> None:
    with pytest.raises(InvariantViolation):
        compute_ghost_bound(members=members, sample_size=size, found=found)


def test_the_sample_fits_its_record() -> None:
    assert SAMPLE_SIZE <= SAMPLE_MAX
