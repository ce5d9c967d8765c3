"""The bank's word on instructions: paid, failed, or paid and come back (contract 2, 3.5).

    READY --settled--> SETTLED --money came back--> FAILED
          --failed------------------------------------^

Money never disappears in between: what a failed or returned payment was to move is again where it came from. Bank
custody proves that money moved, not that a patient is real. Statements are in statement.py.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.account_retry import note_failed
from chain.contract.claim_payment import on_paid, on_pay_failed, on_payment_returned
from chain.contract.context import Context, apply_items
from chain.contract.custody_tables import (
    DEPOSIT,
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_FAILED,
    INSTRUCTION_FEE,
    INSTRUCTION_READY,
    INSTRUCTION_REFUND,
    INSTRUCTION_RESIDUE,
    INSTRUCTION_RETURN,
    INSTRUCTION_SETTLED,
    INSTRUCTION_TRANSFER,
    REASON_RETURNED,
    AccountRecord,
    InstructionRecord,
)
from chain.contract.deposit import (
    credit_leaf,
    note_booking,
    require_account,
    set_return,
    validate_booking_day,
)
from chain.contract.events import InstructionAcknowledged
from chain.contract.money_calls import InstructionAck, InstructionAckItem
from chain.contract.money_events import PaymentReturned
from chain.contract.money_tables import CLAIM_MONEY, ClaimMoneyRecord
from chain.contract.organisations import require_role
from chain.contract.payout import note_answer, refund_member
from chain.contract.pool_move import is_under_way, on_transfer_failed
from chain.contract.shares import PoolBook, is_suspended, open_book, save_book, write_member
from chain.contract.tables import ACT_CLAIMED_OUT, MEMBER, MEMBER_MOVING, MEMBER_SHARING
from chain.contract.wind_down import on_residue_failed
from chain.contract.window import exit_member
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_CUSTODIAN
from chain.state import Overlay

ACK_DAYS: Final = 7
"""Silence of the bank on an instruction is public after so many days."""
ALREADY: Final = get_entry("already").number


def apply_instruction_ack(state: Overlay, context: Context, call: InstructionAck) -> tuple[int, ...]:
    """Record what became of instructions to one account, each with an outcome of its own."""
    require_role(state, context.signer, ROLE_CUSTODIAN)
    account = require_account(state, call.account)
    return apply_items(
        state,
        context,
        len(call.items),
        lambda position: _ack_one(state, context, call.account, account, call.items[position]),
    )


def _ack_one(state: Overlay, context: Context, name: str, account: AccountRecord, item: InstructionAckItem) -> int:
    record = require_instruction(state, account, item.instruction)
    if record.state in (INSTRUCTION_SETTLED, INSTRUCTION_FAILED):
        if _is_same(record, item):
            return ALREADY
        raise Refusal("conflict", instruction=item.instruction.hex())
    if record.attempt > 0 and item.ref_token == record.ref_token:
        # The answer to an earlier attempt, told again: it says nothing of the one under way.
        return ALREADY
    book = open_book(state, context, account.plan, account.pool)
    if item.is_settled:
        validate_booking_day(account, booking_day=item.booking_day, today=book.today)
    elif item.booking_day > book.today:
        raise Refusal("day_in_future", booking_day=item.booking_day, today=book.today)
    book_answer(state, context, book, record, item)
    if item.is_settled:
        note_booking(state, name, item.booking_day, out_fen=item.amount)
    return SUCCESS


def require_instruction(state: Overlay, account: AccountRecord, instruction: bytes) -> InstructionRecord:
    """Return an instruction to this account; raise `instruction_unknown`."""
    record = state.get(INSTRUCTION, instruction)
    if record is None or (record.plan, record.pool) != (account.plan, account.pool):
        raise Refusal("instruction_unknown", instruction=instruction.hex())
    return record


def book_answer(
    state: Overlay, context: Context, book: PoolBook, record: InstructionRecord, item: InstructionAckItem
) -> None:
    """Carry out what the bank says became of an instruction; the booking day is the caller's to note.

    Writes the pool, member and claim. Raises instruction_state and amount_mismatch.
    """
    if record.state != INSTRUCTION_READY:
        raise Refusal("instruction_state", state=record.state)
    if item.amount != record.amount:
        raise Refusal("amount_mismatch", amount=item.amount, recorded=record.amount)
    answered = replace(
        record,
        state=INSTRUCTION_SETTLED if item.is_settled else INSTRUCTION_FAILED,
        booking_day=item.booking_day,
        ref_token=item.ref_token,
        reason=item.reason,
    )
    state.put(INSTRUCTION, answered, item.instruction)
    context.emit(
        InstructionAcknowledged(
            instruction=item.instruction,
            kind=record.kind,
            is_settled=item.is_settled,
            amount=item.amount,
            reason=item.reason,
        )
    )
    if item.is_settled:
        _settle(state, context, book, record)
    else:
        _fail(state, context, book, record)
        note_failed(state, context, item.instruction, record)
    # A retry was answered before, so it counts no more for its period.
    if record.kind == INSTRUCTION_AID and record.attempt == 0:
        note_answer(state, context, plan=record.plan, pool=record.pool, number=record.period)


def _is_same(record: InstructionRecord, item: InstructionAckItem) -> bool:
    """Tell whether an answer was given before; that a payment was made stays true when its money came back."""
    has_come_back = record.reason == REASON_RETURNED
    was_settled = record.state == INSTRUCTION_SETTLED or has_come_back
    return (
        was_settled == item.is_settled
        and record.amount == item.amount
        and record.booking_day == item.booking_day
        and record.ref_token == item.ref_token
        and (has_come_back or record.reason == item.reason)
    )


def _settle(state: Overlay, context: Context, book: PoolBook, record: InstructionRecord) -> None:
    """Take the money that the bank moved out of the books."""
    pool = book.pool
    if record.kind != INSTRUCTION_AID:
        book.pool = replace(pool, cash=pool.cash - record.amount, outgoing=pool.outgoing - record.amount)
        save_book(state, book)
        return
    book.pool = replace(
        pool,
        cash=pool.cash - record.amount,
        aid_payable=pool.aid_payable - record.amount,
        fee_held=pool.fee_held - record.fee,
        fee_payable=pool.fee_payable + record.fee,
    )
    save_book(state, book)
    if record.claim is None or record.member is None:
        raise InvariantViolation("an aid instruction without claim or member")
    _note_claim_money(state, record.claim, paid=record.amount, fee=record.fee)
    if on_paid(state, context, record.claim, record.amount):
        exit_member(state, context, record.member, ACT_CLAIMED_OUT)


def _fail(state: Overlay, context: Context, book: PoolBook, record: InstructionRecord) -> None:
    """Put the money of a failed transfer back where it came from; aid stays payable (contract 3.5)."""
    pool = book.pool
    amount = record.amount
    if record.kind == INSTRUCTION_AID:
        if record.claim is None:
            raise InvariantViolation("an aid instruction without claim")
        on_pay_failed(state, context, record.claim)
        return
    book.pool = replace(pool, outgoing=pool.outgoing - amount)
    if record.kind == INSTRUCTION_REFUND:
        _refund_failed(state, context, book, record)
    elif record.kind == INSTRUCTION_TRANSFER:
        on_transfer_failed(state, context, book, record)
    elif record.kind == INSTRUCTION_RESIDUE:
        on_residue_failed(state, book, amount)
    elif record.kind == INSTRUCTION_RETURN:
        _return_failed(state, context, book, record)
    elif record.kind == INSTRUCTION_FEE:
        book.pool = replace(book.pool, fee_payable=pool.fee_payable + amount)
    save_book(state, book)


def _refund_failed(state: Overlay, context: Context, book: PoolBook, record: InstructionRecord) -> None:
    if record.member is None:
        raise InvariantViolation("a refund without a member")
    member = state.require(MEMBER, record.member)
    if member.pool != book.number or member.status == MEMBER_MOVING:
        # He has changed pool since, or is on his way: his record will hold the other one's money alone. The bank is
        # asked again.
        refund_member(state, context, book, record.member, member, record.amount)
        return
    is_paying = member.is_leaf and not is_suspended(member, book.pool.share_index)
    if member.status == MEMBER_SHARING and is_paying:
        credit_leaf(state, book, record.member, member, record.amount)
    else:
        after = replace(member, cash=member.cash + record.amount)
        write_member(state, book, record.member, member, after)


def _return_failed(state: Overlay, context: Context, book: PoolBook, record: InstructionRecord) -> None:
    if record.deposit is None:
        raise InvariantViolation("a return without a deposit")
    deposit = state.require(DEPOSIT, *record.deposit)
    state.put(DEPOSIT, replace(deposit, returned=deposit.returned - record.amount), *record.deposit)
    book.pool = replace(book.pool, unmatched=book.pool.unmatched + record.amount)
    set_return(state, context, book, record.deposit)


def _note_claim_money(state: Overlay, claim: bytes, *, paid: int, fee: int) -> None:
    before = state.get(CLAIM_MONEY, claim) or ClaimMoneyRecord(paid=0, fee=0, recovered=0)
    state.put(CLAIM_MONEY, replace(before, paid=before.paid + paid, fee=before.fee + fee), claim)


def return_payment(state: Overlay, context: Context, book: PoolBook, instruction: bytes, *, amount: int) -> None:
    """Let a settled payment count as failed, because its money came back or had never gone.

    The money is where a failed payment leaves it. Of the platform's fee comes back what it has not withdrawn yet; the
    rest stays earned, and a later payment earns no more than came back. Raises instruction_unknown, instruction_state
    (also for a transfer between pools that has arrived), amount_mismatch, and claim_state where the aid is to be
    recovered anyway.
    """
    record = state.get(INSTRUCTION, instruction)
    if record is None or (record.plan, record.pool) != (book.plan, book.number):
        raise Refusal("instruction_unknown", instruction=instruction.hex())
    # Once a transfer has arrived on the other pool's account, what comes from there is a movement of its own.
    has_arrived = record.kind == INSTRUCTION_TRANSFER and not is_under_way(state, record)
    if record.state != INSTRUCTION_SETTLED or has_arrived:
        raise Refusal("instruction_state", state=record.state)
    if amount != record.amount:
        raise Refusal("amount_mismatch", amount=amount, recorded=record.amount)
    pool = book.pool
    fee = min(record.fee, pool.fee_payable)
    failed = replace(record, state=INSTRUCTION_FAILED, fee=fee, reason=REASON_RETURNED)
    state.put(INSTRUCTION, failed, instruction)
    context.emit(PaymentReturned(instruction=instruction, kind=record.kind, amount=amount))
    if record.kind != INSTRUCTION_AID:
        book.pool = replace(pool, cash=pool.cash + amount, outgoing=pool.outgoing + amount)
        _fail(state, context, book, failed)
        note_failed(state, context, instruction, failed)
        return
    if record.claim is None:
        raise InvariantViolation("an aid instruction without claim")
    book.pool = replace(
        pool,
        cash=pool.cash + amount,
        aid_payable=pool.aid_payable + amount,
        fee_held=pool.fee_held + fee,
        fee_payable=pool.fee_payable - fee,
    )
    save_book(state, book)
    _note_claim_money(state, record.claim, paid=-amount, fee=-record.fee)
    on_payment_returned(state, context, record.claim, amount)
    note_failed(state, context, instruction, failed)
