"""Where the money is, and where it came from (contract 3.7)."""

import pytest
from msgspec.structs import replace

from chain.contract.invariants import check_block, check_pool
from chain.contract.member_calls import MemberWithdraw
from chain.contract.money_calls import DepositCredit
from chain.contract.tables import POOL
from chain.errors import InvariantViolation
from chain.types import FEN_MAX
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World

SUCCESS, FAULT = 0, 1
KEY = (PLAN_NAME, 0)


def build_world() -> tuple[World, bytes]:
    world = World()
    return world, world.join("a", 5_000)


@pytest.mark.parametrize(
    "name", ["cash", "tree_money", "plain", "carry", "aid_payable", "fee_held", "fee_payable", "outgoing", "unmatched"]
)
@pytest.mark.parametrize("change", [1, -1])
def test_a_fen_that_appears_or_vanishes_anywhere_is_noticed(name: str, change: int) -> None:
    world, _ = build_world()
    with pytest.raises(InvariantViolation):
        check_pool(replace(world.pool, **{name: getattr(world.pool, name) + change}))


@pytest.mark.parametrize("name", ["collected", "arrears_paid", "interest", "recovered", "unclaimed", "spent"])
def test_money_that_was_spent_came_from_somewhere(name: str) -> None:
    world, _ = build_world()
    with pytest.raises(InvariantViolation):
        check_pool(replace(world.pool, **{name: 1}))


def test_a_negative_sum_is_no_sum_even_where_the_total_fits() -> None:
    world, _ = build_world()
    with pytest.raises(InvariantViolation):
        check_pool(replace(world.pool, plain=-1, unmatched=1))


def test_l3_a_total_beyond_its_field_is_noticed() -> None:
    world, _ = build_world()
    check_pool(replace(world.pool, cash=FEN_MAX, unmatched=FEN_MAX - 5_000))
    with pytest.raises(InvariantViolation):
        check_pool(replace(world.pool, cash=FEN_MAX + 1, unmatched=FEN_MAX - 4_999))


@pytest.mark.parametrize("change", [{"tree_money": 5_001, "cash": 5_001}, {"entered": 2}, {"exited": 1}])
def test_running_sums_that_differ_from_the_tree_are_noticed_once_per_block(change: dict[str, int]) -> None:
    world, _ = build_world()
    check_block(world.state, [KEY])
    world.state.put(POOL, replace(world.pool, **change), PLAN_NAME, 0)
    with pytest.raises(InvariantViolation):
        check_block(world.state, [KEY])


def test_a_leaf_without_a_record_is_noticed() -> None:
    world, member = build_world()
    world.state.set_leaf(KEY, world.member(member).x + 1, member, (1, 0))
    with pytest.raises(InvariantViolation):
        check_block(world.state, [KEY])


def test_a_transaction_that_breaks_an_invariant_is_rolled_back_with_a_fault() -> None:
    world, member = build_world()
    broken = replace(world.pool, cash=world.pool.cash + 1)
    world.state.put(POOL, broken, PLAN_NAME, 0)
    before = world.member(member)
    outcome = world.call(before.key, MemberWithdraw(member=member, amount=1))
    assert (outcome.number, outcome.items) == (FAULT, ())
    assert world.last_events == []
    assert world.member(member) == before
    assert world.pool == broken
    assert world.ready_instructions() == []
    # The leaf is where it was: nothing of the call reached the tree either.
    assert world.state.tree(KEY).range_sums(0).weight_x == before.x


def test_a_fault_in_a_batch_undoes_every_item_and_the_next_transaction_runs() -> None:
    world, member = build_world()
    good = world.pool
    world.state.put(POOL, replace(good, cash=good.cash + 1), PLAN_NAME, 0)
    items = tuple(world.credit_item(member, amount) for amount in (10, 20))
    call = DepositCredit(account=ACCOUNT_NAME, items=items)
    assert world.call("bank", call).number == FAULT
    world.state.put(POOL, good, PLAN_NAME, 0)
    assert world.call("bank", call).items == (SUCCESS, SUCCESS)
    assert world.balance(member) == 5_030
    world.next_block()
