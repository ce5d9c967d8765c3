"""Aid that nobody could be paid (contract 3.5 *failed item*)."""

from msgspec.structs import replace

from chain.contract.claim_tables import CLAIM, CLAIM_EXPIRED, CLAIM_PAID
from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_UNCLAIMED
from chain.contract.failed_payments import has_open_payment
from chain.contract.member_key_tables import FAILED_PAYMENTS
from chain.contract.money_calls import InstructionUnclaimed
from chain.contract.money_events import AidUnclaimed
from chain.contract.tables import MEMBER_CLAIMED_OUT, MEMBER_SHARING
from chain.contract.unclaimed import UNCLAIMED_DAYS
from tests.chain.contract.money_world import (
    ALREADY,
    BANK_AND_AUDITOR,
    CHARGE,
    NOTICE,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, World, name_hash


def unclaimed(*instructions: bytes) -> InstructionUnclaimed:
    return InstructionUnclaimed(account=ACCOUNT_NAME, items=instructions)


def build_failed(*, row: int = 1, days: int = UNCLAIMED_DAYS) -> tuple[World, bytes, bytes, bytes]:
    """Return a world in which aid of 1,000 fen failed so many days ago: (world, member, claim, instruction)."""
    world = World()
    member = world.join("a", 10_000)
    for number in range(9):
        world.join(f"b{number}", 10_000)
    world.advance_to(NOTICE)
    claim = world.add_claim(member, 1_000, row=row)
    world.advance_to(CHARGE)
    world.sign_batch(0)
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction, is_settled=False)
    record = world.instruction(instruction)
    aged = replace(record, created_day=record.created_day - days, booking_day=record.booking_day - days)
    world.state.put(INSTRUCTION, aged, instruction)
    return world, member, claim, instruction


def test_after_1095_days_bank_and_auditor_give_it_back_to_the_pool() -> None:
    world, member, claim, instruction = build_failed()
    before = world.pool
    assert world.call("bank", unclaimed(instruction)).items == ()
    assert world.pool == before
    assert world.call("audit-one", unclaimed(instruction)).items == (SUCCESS,)
    assert (world.pool.aid_payable, world.pool.fee_held) == (0, 0)
    assert (world.pool.carry, world.pool.unclaimed) == (before.carry + 1_080, 1_080)
    assert (world.pool.cash, world.pool.spent) == (before.cash, before.spent)
    assert world.instruction(instruction).state == INSTRUCTION_UNCLAIMED
    assert AidUnclaimed(instruction=instruction, amount=1_000, fee=80) in world.last_events
    record = world.state.require(CLAIM, claim)
    assert (record.status, record.reason, record.granted) == (CLAIM_EXPIRED, 220, 0)
    assert world.member(member).status == MEMBER_SHARING
    assert not has_open_payment(world.state, member, replace(world.member(member), claim=None))
    assert world.state.get(FAILED_PAYMENTS, member) is None, "no list is kept of what nobody is paid any more"
    world.commit_block_checks()


def test_a_main_benefit_of_which_a_part_was_paid_ends_the_membership() -> None:
    world, member, claim, instruction = build_failed(row=0)
    record = world.state.require(CLAIM, claim)
    world.state.put(CLAIM, replace(record, granted=record.granted + 500, paid=500), claim)
    sign(world, unclaimed(instruction))
    assert world.state.require(CLAIM, claim).status == CLAIM_PAID
    assert world.member(member).status == MEMBER_CLAIMED_OUT


def test_a_day_earlier_it_is_still_the_claimants() -> None:
    world, _, _, instruction = build_failed(days=UNCLAIMED_DAYS - 1)
    assert_changes_nothing(world, unclaimed(instruction), 219)
    world.advance(1)
    assert sign(world, unclaimed(instruction)).items == (SUCCESS,)


def test_a_bank_cannot_shorten_the_time_by_backdating_the_failure() -> None:
    world, _, _, instruction = build_failed(days=0)
    backdated = replace(world.instruction(instruction), booking_day=1)
    world.state.put(INSTRUCTION, backdated, instruction)
    assert_changes_nothing(world, unclaimed(instruction), 219)


def test_only_failed_aid_of_this_account_is_unclaimed() -> None:
    world, _, _, instruction = build_failed()
    assert_changes_nothing(world, unclaimed(name_hash("?")), 206)
    assert_changes_nothing(world, replace(unclaimed(instruction), account="other"), 200)
    for kind, state in ((1, 3), (0, 1), (0, 2)):
        world.state.put(INSTRUCTION, replace(world.instruction(instruction), kind=kind, state=state), instruction)
        assert_changes_nothing(world, unclaimed(instruction), 207)
    world.state.put(INSTRUCTION, replace(world.instruction(instruction), kind=0, state=3, pool=1), instruction)
    assert_changes_nothing(world, unclaimed(instruction), 206)


def test_only_bank_and_auditor_and_only_once() -> None:
    world, _, _, instruction = build_failed()
    for signer in ("platform", "firm-a", "stranger"):
        assert_changes_nothing(world, unclaimed(instruction), WRONG_ROLE, (signer,))
    sign(world, unclaimed(instruction))
    for signer in BANK_AND_AUDITOR:
        assert_changes_nothing(world, unclaimed(instruction), ALREADY, (signer,))
