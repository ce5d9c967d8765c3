"""Interest, recovered aid, repayments, payments that came back (contract 3.5)."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_tables import CLAIM, CLAIM_CLAWBACK, CLAIM_PAID, CLAIM_PAY_FAILED
from chain.contract.custody_tables import (
    BOOKING_DAY,
    DEPOSIT,
    INSTRUCTION,
    INSTRUCTION_FAILED,
    INSTRUCTION_READY,
    INSTRUCTION_SETTLED,
    INSTRUCTION_TRANSFER,
)
from chain.contract.halves import HALF, hash_call
from chain.contract.member_calls import MemberLeave, MemberWithdraw
from chain.contract.money_calls import CashOther, DepositCredit, FeeWithdraw
from chain.contract.money_events import CashBooked, PaymentReturned
from chain.contract.money_tables import (
    CASH_INTEREST,
    CASH_RECOVERY,
    CASH_REPAYMENT,
    CASH_RETURNED,
    CLAIM_MONEY,
)
from chain.contract.tables import MEMBER_LEFT
from chain.types import ZERO_HASH
from tests.chain.contract.money_world import (
    ALREADY,
    BANK_AND_AUDITOR,
    CHARGE,
    ITEMS_REFUSED,
    NOTICE,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    book_cash,
    build_cash,
    get_account,
    get_owed,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, name_hash

GRANTED, FEE = 1_000, 80


def cash_call(*items: object) -> CashOther:
    return CashOther(account=ACCOUNT_NAME, items=items)  # type: ignore[arg-type]


def build_paid(*, is_clawback: bool = True, row: int = 1) -> tuple[World, bytes, bytes, bytes]:
    """Return a world in which aid of 1,000 fen and its fee of 80 were paid: (world, member, claim, instruction)."""
    world = World()
    member = world.join("a", 10_000)
    for number in range(9):
        world.join(f"b{number}", 10_000)
    world.advance_to(NOTICE)
    claim = world.add_claim(member, GRANTED, row=row)
    world.advance_to(CHARGE)
    world.sign_batch(0)
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction)
    if is_clawback:
        world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=CLAIM_CLAWBACK), claim)
    return world, member, claim, instruction


# --- interest ---


def test_interest_belongs_to_the_pool() -> None:
    world = World()
    world.join("a", 5_000)
    assert book_cash(world, build_cash(world, CASH_INTEREST, 37)).items == (SUCCESS,)
    assert (world.pool.carry, world.pool.interest, world.pool.cash) == (37, 37, 5_037)
    booked = world.state.require(BOOKING_DAY, ACCOUNT_NAME, world.today)
    assert (booked.in_count, booked.in_sum) == (2, 5_037)
    (event,) = [event for event in world.last_events if isinstance(event, CashBooked)]
    assert (event.kind, event.amount, event.taken) == (CASH_INTEREST, 37, 37)
    world.commit_block_checks()
    world.advance(1)
    assert get_account(world).is_matched


# --- recovered aid ---


def test_recovered_aid_and_the_fee_for_it_go_back_to_the_pool() -> None:
    world, _, claim, _ = build_paid()
    before = world.pool
    assert before.fee_payable == FEE
    item = build_cash(world, CASH_RECOVERY, 505, claim=claim)
    assert world.call("bank", cash_call(item)).items == ()
    assert world.pool == before
    assert world.call("audit-two", cash_call(item)).items == (SUCCESS,)
    fee = FEE * 505 // GRANTED
    assert (world.pool.carry, world.pool.fee_payable) == (before.carry + 505 + fee, FEE - fee)
    assert (world.pool.recovered, world.pool.spent) == (505 + fee, before.spent)
    assert world.pool.cash == before.cash + 505
    world.commit_block_checks()


def test_a_fee_that_was_withdrawn_stays_withdrawn() -> None:
    world, _, claim, _ = build_paid()
    call = FeeWithdraw(plan=PLAN_NAME, pool=0, amount=70, account_token=name_hash("platform"))
    sign(world, call, ("platform", "audit-one"))
    book_cash(world, build_cash(world, CASH_RECOVERY, GRANTED, claim=claim), signers=BANK_AND_AUDITOR)
    assert (world.pool.fee_payable, world.pool.recovered) == (0, GRANTED + 10)
    world.commit_block_checks()


def test_no_more_is_recovered_than_was_paid_and_the_rest_goes_back() -> None:
    world, _, claim, _ = build_paid()
    book_cash(world, build_cash(world, CASH_RECOVERY, 600, claim=claim), signers=BANK_AND_AUDITOR)
    second = build_cash(world, CASH_RECOVERY, 700, claim=claim)
    assert book_cash(world, second, signers=BANK_AND_AUDITOR).items == (SUCCESS,)
    money = world.state.require(CLAIM_MONEY, claim)
    assert (money.paid, money.fee, money.recovered) == (GRANTED, FEE, GRANTED)
    assert (world.pool.unmatched, world.pool.recovered) == (300, GRANTED + 48 + 32)
    deposit = world.state.require(DEPOSIT, ACCOUNT_NAME, second.booking_day, second.ref_token)
    assert (deposit.taken, deposit.payer_token) == (400, ZERO_HASH)
    world.commit_block_checks()
    world.advance(5)
    (instruction,) = world.ready_instructions()
    assert world.instruction(instruction).amount == 300


def test_a_recovery_needs_a_finding() -> None:
    world, _, claim, _ = build_paid(is_clawback=False)
    assert_changes_nothing(world, cash_call(build_cash(world, CASH_RECOVERY, 1, claim=claim)), 301)
    assert_changes_nothing(world, cash_call(build_cash(world, CASH_RECOVERY, 1)), 300)
    assert_changes_nothing(world, cash_call(build_cash(world, CASH_RECOVERY, 1, claim=name_hash("?"))), 300)
    record = world.state.require(CLAIM, claim)
    world.state.put(CLAIM, replace(record, status=CLAIM_CLAWBACK, pool=1), claim)
    assert_changes_nothing(world, cash_call(build_cash(world, CASH_RECOVERY, 1, claim=claim)), 300)


def test_a_recovery_does_not_say_who_paid_because_that_would_tell_whose_claim_it_is() -> None:
    world, _, claim, _ = build_paid()
    item = build_cash(world, CASH_RECOVERY, 1, claim=claim, payer_token=name_hash("payer"))
    assert_changes_nothing(world, cash_call(item), 9)


def test_a_batch_with_a_recovery_needs_an_auditor_for_all_of_it() -> None:
    world, _, claim, _ = build_paid()
    items = (build_cash(world, CASH_INTEREST, 5), build_cash(world, CASH_RECOVERY, 10, claim=claim))
    assert world.call("bank", cash_call(*items)).number == SUCCESS
    assert world.pool.interest == 0
    assert world.state.get(HALF, PLAN_NAME, hash_call(cash_call(*items))) is not None
    assert world.call("audit-one", cash_call(*items)).items == (SUCCESS, SUCCESS)
    assert world.pool.interest == 5


# --- repayments ---


def test_a_repayment_of_nothing_is_unmatched_and_goes_back() -> None:
    world = World()
    world.join("a", 5_000)
    assert book_cash(world, build_cash(world, CASH_REPAYMENT, 250)).items == (SUCCESS,)
    assert (world.pool.unmatched, world.pool.cash, get_owed(world)) == (250, 5_250, 0)
    world.commit_block_checks()
    world.advance(5)
    assert world.pool.outgoing == 250


# --- payments that came back ---


def test_a_refund_that_came_back_is_again_the_members() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=400))
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction)
    item = build_cash(world, CASH_RETURNED, 400, instruction=instruction)
    assert book_cash(world, item).items == (SUCCESS,)
    assert (world.balance(member), world.pool.cash, world.pool.outgoing) == (5_000, 5_000, 0)
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    assert any(isinstance(event, PaymentReturned) for event in world.last_events)
    world.commit_block_checks()
    world.advance(1)
    assert get_account(world).is_matched


def test_a_refund_of_somebody_who_left_that_came_back_stays_his_cash() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction)
    book_cash(world, build_cash(world, CASH_RETURNED, 5_000, instruction=instruction))
    assert (world.member(member).status, world.member(member).cash, world.pool.plain) == (MEMBER_LEFT, 5_000, 5_000)


def test_a_return_that_came_back_is_unmatched_again() -> None:
    world = World()
    world.credit(None, 750)
    world.advance(5)
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction)
    book_cash(world, build_cash(world, CASH_RETURNED, 750, instruction=instruction))
    assert (world.pool.unmatched, world.pool.cash) == (750, 750)
    world.advance(5)
    assert len(world.ready_instructions()) == 1


def test_aid_that_came_back_is_payable_again_with_its_fee() -> None:
    world, member, claim, instruction = build_paid(is_clawback=False)
    item = build_cash(world, CASH_RETURNED, GRANTED, instruction=instruction)
    assert book_cash(world, item).items == (SUCCESS,)
    assert (world.pool.aid_payable, world.pool.fee_held, world.pool.fee_payable) == (GRANTED, FEE, 0)
    record = world.state.require(CLAIM, claim)
    assert (record.status, record.paid, world.member(member).aid_received) == (CLAIM_PAY_FAILED, 0, 0)
    assert world.state.require(CLAIM_MONEY, claim).paid == 0
    world.commit_block_checks()
    ready = replace(world.instruction(instruction), state=INSTRUCTION_READY)
    assert ready.fee == FEE


def test_of_a_withdrawn_fee_no_more_is_earned_twice() -> None:
    world, _, claim, instruction = build_paid(is_clawback=False)
    call = FeeWithdraw(plan=PLAN_NAME, pool=0, amount=70, account_token=name_hash("platform"))
    sign(world, call, ("platform", "audit-one"))
    book_cash(world, build_cash(world, CASH_RETURNED, GRANTED, instruction=instruction))
    assert (world.pool.fee_held, world.pool.fee_payable, world.instruction(instruction).fee) == (10, 0, 10)
    assert world.state.require(CLAIM_MONEY, claim).fee == 0
    world.commit_block_checks()


def test_the_answer_to_a_payment_that_came_back_is_still_known() -> None:
    world, _, _, instruction = build_paid(is_clawback=False)
    book_cash(world, build_cash(world, CASH_RETURNED, GRANTED, instruction=instruction))
    assert world.acknowledge(instruction).items == (ALREADY,)
    assert world.acknowledge(instruction, is_settled=False).items == (8,)
    record = world.instruction(instruction)
    world.state.put(INSTRUCTION, replace(record, state=INSTRUCTION_READY, attempt=1), instruction)
    assert world.acknowledge(instruction).items == (ALREADY,)
    assert world.pool.aid_payable == GRANTED


def test_only_a_settled_payment_of_that_amount_can_come_back() -> None:
    world, _, claim, instruction = build_paid(is_clawback=False)
    returned = build_cash(world, CASH_RETURNED, GRANTED, instruction=instruction)
    assert_changes_nothing(world, cash_call(replace(returned, amount=GRANTED - 1)), ITEMS_REFUSED)
    for changes, number in (
        ({"amount": GRANTED - 1}, 208),
        ({"instruction": name_hash("?")}, 206),
        ({"instruction": None}, 206),
    ):
        assert book_cash(world, replace(returned, **changes)).items == (number,)
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=CLAIM_CLAWBACK), claim)
    assert book_cash(world, returned).items == (301,)
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=CLAIM_PAID), claim)
    assert book_cash(world, returned).items == (SUCCESS,)
    assert book_cash(world, replace(returned, ref_token=name_hash("again"))).items == (207,)
    moved = replace(world.instruction(instruction), state=INSTRUCTION_SETTLED, kind=INSTRUCTION_TRANSFER)
    world.state.put(INSTRUCTION, moved, instruction)
    assert book_cash(world, replace(returned, ref_token=name_hash("again"))).items == (207,)


# --- guards ---


def test_only_the_bank_books_other_movements() -> None:
    world = World()
    item = build_cash(world, CASH_INTEREST, 5)
    for signer in ("platform", "audit-one", "firm-a", "stranger"):
        assert_changes_nothing(world, cash_call(item), WRONG_ROLE, (signer,))
    assert_changes_nothing(world, CashOther(account="other", items=(item,)), 200)


@pytest.mark.parametrize(("days", "number"), [(1, 203), (-1, 202)])
def test_a_movement_is_neither_in_the_future_nor_in_a_closed_day(days: int, number: int) -> None:
    world = World()
    item = build_cash(world, CASH_INTEREST, 5, booking_day=world.today + days)
    assert book_cash(world, item).number == ITEMS_REFUSED
    assert world.call("bank", cash_call(item)).items == (number,)


def test_a_reference_counts_once_whatever_it_was_told_to_be() -> None:
    world = World()
    item = build_cash(world, CASH_INTEREST, 5)
    assert book_cash(world, item).items == (SUCCESS,)
    assert world.call("bank", cash_call(item)).items == (ALREADY,)
    assert world.call("bank", cash_call(replace(item, amount=6))).items == (201,)
    assert world.call("bank", cash_call(replace(item, kind=CASH_REPAYMENT))).items == (201,)
    deposit = replace(world.credit_item(None, 5, ref=item.ref_token), payer_token=name_hash("somebody"))
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(deposit,))).items == (201,)
    known = world.credit_item(None, 9)
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(known,))).items == (SUCCESS,)
    assert world.call("bank", cash_call(build_cash(world, 0, 9, ref_token=known.ref_token))).items == (201,)
    assert world.pool.cash == 14
