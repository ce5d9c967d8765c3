"""The platform's earned fee (contract 3.5)."""

from msgspec.structs import replace

from chain.contract.custody_tables import INSTRUCTION_FEE, INSTRUCTION_READY
from chain.contract.money_calls import FeeWithdraw
from chain.contract.tables import PLAN, PLAN_FROZEN, PLAN_PAUSED
from tests.chain.contract.money_world import SUCCESS, WRONG_ROLE, assert_changes_nothing, sign
from tests.chain.contract.test_cash_other import FEE, build_paid
from tests.chain.contract.world import PLAN_NAME, World, name_hash

BOTH = ("platform", "audit-two")


def withdraw(amount: int) -> FeeWithdraw:
    return FeeWithdraw(plan=PLAN_NAME, pool=0, amount=amount, account_token=name_hash("platform account"))


def build_earned() -> World:
    return build_paid(is_clawback=False)[0]


def test_platform_and_auditor_order_the_payment_of_an_earned_fee() -> None:
    world = build_earned()
    assert world.call("platform", withdraw(FEE)).number == SUCCESS
    assert (world.pool.fee_payable, world.pool.outgoing) == (FEE, 0)
    assert world.call("audit-two", withdraw(FEE)).number == SUCCESS
    assert (world.pool.fee_payable, world.pool.outgoing) == (0, FEE)
    (instruction,) = world.ready_instructions()
    record = world.instruction(instruction)
    assert (record.kind, record.state, record.amount) == (INSTRUCTION_FEE, INSTRUCTION_READY, FEE)
    assert (record.account_token, record.member) == (name_hash("platform account"), None)
    before = world.pool.cash
    world.acknowledge(instruction)
    assert (world.pool.cash, world.pool.outgoing) == (before - FEE, 0)
    world.commit_block_checks()


def test_a_failed_fee_is_payable_again() -> None:
    world = build_earned()
    sign(world, withdraw(30), BOTH)
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction, is_settled=False)
    assert (world.pool.fee_payable, world.pool.outgoing) == (FEE, 0)


def test_no_more_than_earned_is_withdrawn_even_where_two_halves_wait() -> None:
    world = build_earned()
    assert_changes_nothing(world, withdraw(FEE + 1), 221, ("platform",))
    assert world.call("platform", withdraw(FEE)).number == SUCCESS
    sign(world, withdraw(1), BOTH)
    assert_changes_nothing(world, withdraw(FEE), 221, ("audit-two",))
    assert world.pool.fee_payable == FEE - 1


def test_a_fee_is_withdrawn_while_paused_and_not_while_frozen() -> None:
    world = build_earned()
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    assert_changes_nothing(world, withdraw(1), 6, ("platform",))
    world.state.put(PLAN, replace(world.plan, status=PLAN_PAUSED), PLAN_NAME)
    assert sign(world, withdraw(1), BOTH).number == SUCCESS


def test_only_platform_and_auditor_and_only_known_plans_and_pools() -> None:
    world = build_earned()
    for signer in ("bank", "firm-a", "stranger"):
        assert_changes_nothing(world, withdraw(1), WRONG_ROLE, (signer,))
    assert_changes_nothing(world, replace(withdraw(1), plan="other"), 4, ("platform",))
    assert_changes_nothing(world, replace(withdraw(1), pool=1), 5, ("platform",))
