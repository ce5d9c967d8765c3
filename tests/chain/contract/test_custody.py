"""The bank's answers to instructions (contract 2 *Custody*, 3.5)."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_tables import CLAIM, CLAIM_PAID, CLAIM_PAY_FAILED
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    INSTRUCTION_FAILED,
    INSTRUCTION_SETTLED,
)
from chain.contract.member_calls import MemberLeave, MemberWithdraw
from chain.contract.money_calls import InstructionAck, InstructionAckItem
from chain.contract.tables import MEMBER_CLAIMED_OUT, MEMBER_LEFT, PERSON, PLAN_FROZEN
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, build_terms, name_hash

NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512
SUCCESS, ALREADY, CONFLICT = 0, 7, 8


def build_refund() -> tuple[World, bytes, bytes]:
    """Return a world with a withdrawal of 400 fen that waits for the bank."""
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen=""))
    member = world.join("a", 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=400))
    (instruction,) = world.ready_instructions()
    return world, member, instruction


def build_aid(*, row: int = 1) -> tuple[World, bytes, bytes, bytes]:
    """Return a world with aid of 1,000 fen and its fee of 80 that waits for the bank."""
    world = World()
    member = world.join("a", 10_000)
    for number in range(9):
        world.join(f"b{number}", 10_000)
    world.advance_to(NOTICE)
    claim = world.add_claim(member, 1_000, row=row)
    world.advance_to(CHARGE)
    world.sign_batch(0)
    (instruction,) = world.ready_instructions()
    return world, member, claim, instruction


def ack(world: World, instruction: bytes, **changes: object) -> tuple[int, ...]:
    fields: dict[str, object] = {
        "instruction": instruction,
        "is_settled": True,
        "amount": world.instruction(instruction).amount,
        "booking_day": world.today,
        "ref_token": name_hash("ref"),
        "reason": 0,
    }
    item = InstructionAckItem(**{**fields, **changes})  # type: ignore[arg-type]
    return world.call("bank", InstructionAck(account=ACCOUNT_NAME, items=(item,))).items


# --- refunds ---


def test_a_settled_refund_takes_the_money_out_of_the_account() -> None:
    world, member, instruction = build_refund()
    assert ack(world, instruction) == (SUCCESS,)
    assert (world.pool.cash, world.pool.outgoing, world.balance(member)) == (4_600, 0, 4_600)
    assert world.instruction(instruction).state == INSTRUCTION_SETTLED
    assert world.state.require(BOOKING_DAY, ACCOUNT_NAME, world.today).out_sum == 400


def test_a_failed_refund_of_an_active_member_is_credited_without_a_maximum() -> None:
    world, member, instruction = build_refund()
    world.credit(member, 15_400)
    assert world.balance(member) == 20_000
    assert ack(world, instruction, is_settled=False, reason=5) == (SUCCESS,)
    assert (world.balance(member), world.member(member).cash) == (20_400, 0)
    assert (world.pool.cash, world.pool.outgoing) == (20_400, 0)
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    assert world.state.require(BOOKING_DAY, ACCOUNT_NAME, world.today).out_count == 0


def test_a_failed_refund_of_somebody_who_left_stays_his_cash() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    (instruction,) = world.ready_instructions()
    ack(world, instruction, is_settled=False, reason=5)
    assert (world.member(member).cash, world.pool.plain, world.pool.outgoing) == (5_000, 5_000, 0)


def test_a_failed_refund_of_a_suspended_member_stays_his_cash() -> None:
    world, member, instruction = build_refund()
    other = world.join("b", 20_000)
    world.advance_to(NOTICE)
    world.add_claim(other, 9_600, fee_bp=0)
    world.advance_to(CHARGE)
    assert world.balance(member) == 0
    ack(world, instruction, is_settled=False, reason=5)
    assert (world.member(member).cash, world.member(member).x) == (400, 4_600)


def test_an_answer_counts_once() -> None:
    world, _, instruction = build_refund()
    assert ack(world, instruction) == (SUCCESS,)
    assert ack(world, instruction) == (ALREADY,)
    assert ack(world, instruction, ref_token=name_hash("other")) == (CONFLICT,)
    assert ack(world, instruction, is_settled=False, reason=5) == (CONFLICT,)
    assert world.pool.cash == 4_600


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"amount": 399}, 208),
        ({"booking_day": 20_483}, 203),
        ({"booking_day": 20_481}, 202),
        ({"is_settled": False, "booking_day": 20_483}, 203),
        ({"instruction": name_hash("?")}, 206),
    ],
)
def test_an_answer_that_fits_nothing_is_refused(changes: dict[str, object], number: int) -> None:
    world, _, instruction = build_refund()
    item = InstructionAckItem(
        **{  # type: ignore[arg-type]
            "instruction": instruction,
            "is_settled": True,
            "amount": 400,
            "booking_day": world.today,
            "ref_token": name_hash("ref"),
            "reason": 0,
            **changes,
        }
    )
    assert world.call("bank", InstructionAck(account=ACCOUNT_NAME, items=(item,))).items == (number,)
    assert world.pool.outgoing == 400


def test_l5_only_the_bank_answers_and_only_for_the_account_of_the_instruction() -> None:
    world, _, instruction = build_refund()
    item = InstructionAckItem(
        instruction=instruction,
        is_settled=True,
        amount=400,
        booking_day=world.today,
        ref_token=name_hash("ref"),
        reason=0,
    )
    for signer in ("platform", "audit-one", "stranger"):
        assert world.call(signer, InstructionAck(account=ACCOUNT_NAME, items=(item,))).number == 2
    assert world.call("bank", InstructionAck(account="other", items=(item,))).number == 200
    account = world.state.require(ACCOUNT, ACCOUNT_NAME)
    world.state.put(ACCOUNT, replace(account, pool=1), "second")
    assert world.call("bank", InstructionAck(account="second", items=(item,))).items == (206,)


# --- aid ---


def test_paid_aid_moves_the_fee_to_payable_and_the_aid_out() -> None:
    world, member, claim, instruction = build_aid()
    before = world.pool
    assert (before.aid_payable, before.fee_held) == (1_000, 80)
    assert ack(world, instruction) == (SUCCESS,)
    after = world.pool
    assert (after.aid_payable, after.fee_held, after.fee_payable) == (0, 0, 80)
    assert after.cash == before.cash - 1_000
    assert world.state.require(CLAIM, claim).status == CLAIM_PAID
    assert world.member(member).aid_received == 1_000
    assert world.member(member).is_leaf


def test_failed_aid_stays_payable() -> None:
    world, member, claim, instruction = build_aid()
    before = world.pool
    assert ack(world, instruction, is_settled=False, reason=5) == (SUCCESS,)
    assert world.pool == before
    assert world.state.require(CLAIM, claim).status == CLAIM_PAY_FAILED
    assert world.member(member).aid_received == 0


def test_a_paid_main_benefit_ends_the_membership_and_bars_the_person() -> None:
    world, member, _, instruction = build_aid(row=0)
    balance = world.balance(member)
    assert ack(world, instruction) == (SUCCESS,)
    assert world.member(member).status == MEMBER_CLAIMED_OUT
    assert world.pool.outgoing == balance
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "a")).is_barred


def test_an_unsigned_instruction_cannot_be_answered() -> None:
    world = World()
    member = world.join("a", 10_000)
    world.advance_to(NOTICE)
    world.add_claim(member, 100)
    world.advance_to(CHARGE)
    (instruction,) = world.period(0).instructions
    assert ack(world, instruction) == (207,)


def test_someone_who_left_in_a_frozen_plan_is_paid_when_the_bank_says_so() -> None:
    world = World(statements=False, start_day=20_487)
    member = world.join("a", 5_000)
    world.advance(12)
    assert world.plan.status == PLAN_FROZEN
    assert not world.pool.is_window
    world.call(world.member(member).key, MemberLeave(member=member))
    assert world.member(member).status == MEMBER_LEFT
    (instruction,) = world.ready_instructions()
    assert ack(world, instruction) == (SUCCESS,)
    assert world.pool.cash == 0
