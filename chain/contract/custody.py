"""The bank's word: what became of instructions, and statements compared with the chain's own books (contract
2 *Custody*).

    statement: contiguous --equal to the books--> MATCHED
                          --different-----------> MISMATCH, and the plan is FROZEN from the next day

Bank custody proves that money moved, not that a patient is real.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.codec import encode
from chain.contract.claim_payment import on_paid, on_pay_failed
from chain.contract.context import Context, apply_items
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    DEPOSIT,
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_FAILED,
    INSTRUCTION_FEE,
    INSTRUCTION_READY,
    INSTRUCTION_REFUND,
    INSTRUCTION_RETURN,
    INSTRUCTION_SETTLED,
    STATEMENT,
    AccountRecord,
    InstructionRecord,
    StatementRecord,
)
from chain.contract.deposit import (
    RETURN_DAYS,
    credit_leaf,
    note_booking,
    require_account,
    validate_booking_day,
)
from chain.contract.due import DUE_RETURN, add_due
from chain.contract.events import InstructionAcknowledged, StatementPosted
from chain.contract.money_calls import InstructionAck, InstructionAckItem, StatementPost
from chain.contract.organisations import get_today, require_role
from chain.contract.payout import note_answer
from chain.contract.shares import PoolBook, is_suspended, open_book, save_book, write_member
from chain.contract.tables import ACT_CLAIMED_OUT, MEMBER, MEMBER_SHARING, PLAN
from chain.contract.window import exit_member
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_CUSTODIAN
from chain.state import Overlay

SPAN_DAYS_MAX: Final = 10
"""Longest span of one statement: holidays."""
STATEMENT_OVERDUE_DAYS: Final = 12
"""A plan is frozen when its last closed day lies further back."""
ALREADY: Final = get_entry("already").number


# --- instructions ---


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
    record = state.get(INSTRUCTION, item.instruction)
    if record is None or (record.plan, record.pool) != (account.plan, account.pool):
        raise Refusal("instruction_unknown", instruction=item.instruction.hex())
    if record.state in (INSTRUCTION_SETTLED, INSTRUCTION_FAILED):
        if _is_same(record, item):
            return ALREADY
        raise Refusal("conflict", instruction=item.instruction.hex())
    if record.state != INSTRUCTION_READY:
        raise Refusal("instruction_state", state=record.state)
    if item.amount != record.amount:
        raise Refusal("amount_mismatch", amount=item.amount, recorded=record.amount)
    book = open_book(state, context, account.plan, account.pool)
    if item.is_settled:
        validate_booking_day(account, booking_day=item.booking_day, today=book.today)
        note_booking(state, name, item.booking_day, out_fen=item.amount)
    elif item.booking_day > book.today:
        raise Refusal("day_in_future", booking_day=item.booking_day, today=book.today)
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
    if record.kind == INSTRUCTION_AID:
        note_answer(state, context, plan=record.plan, pool=record.pool, number=record.period)
    return SUCCESS


def _is_same(record: InstructionRecord, item: InstructionAckItem) -> bool:
    return (
        (record.state == INSTRUCTION_SETTLED) == item.is_settled
        and record.amount == item.amount
        and record.booking_day == item.booking_day
        and record.ref_token == item.ref_token
        and record.reason == item.reason
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
        _refund_failed(state, book, record)
    elif record.kind == INSTRUCTION_RETURN:
        _return_failed(state, context, book, record)
    elif record.kind == INSTRUCTION_FEE:
        book.pool = replace(book.pool, fee_payable=pool.fee_payable + amount)
    save_book(state, book)


def _refund_failed(state: Overlay, book: PoolBook, record: InstructionRecord) -> None:
    if record.member is None:
        raise InvariantViolation("a refund without a member")
    member = state.require(MEMBER, record.member)
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
    due_day = book.today + RETURN_DAYS
    add_due(state, book.plan, due_day, DUE_RETURN, context.timestamp_ms, encode(record.deposit))


# --- statements ---


def apply_statement_post(state: Overlay, context: Context, call: StatementPost) -> tuple[int, ...]:
    """Compare a statement with the chain's books; a difference is recorded, never refused."""
    require_role(state, context.signer, ROLE_CUSTODIAN)
    account = require_account(state, call.account)
    today = get_today(context, state.require(PLAN, account.plan))
    if call.from_day != account.closed_day + 1:
        last = state.get(STATEMENT, call.account, account.statements - 1) if account.statements else None
        if last is not None and _is_same_statement(last, call):
            raise Refusal("already")
        raise Refusal("statement_gap", from_day=call.from_day, expected=account.closed_day + 1)
    if not 0 <= call.to_day - call.from_day < SPAN_DAYS_MAX:
        raise Refusal("statement_span", from_day=call.from_day, to_day=call.to_day)
    if call.to_day >= today:
        raise Refusal("day_in_future", to_day=call.to_day, today=today)
    booked = _sum_bookings(state, call)
    expected = account.expected + booked[1] - booked[3]
    is_matched = (
        call.opening == account.closing
        and booked == (call.in_count, call.in_sum, call.out_count, call.out_sum)
        and call.closing == expected
    )
    record = StatementRecord(
        from_day=call.from_day,
        to_day=call.to_day,
        opening=call.opening,
        closing=call.closing,
        in_count=call.in_count,
        in_sum=call.in_sum,
        out_count=call.out_count,
        out_sum=call.out_sum,
        file_hash=call.file_hash,
        is_matched=is_matched,
        expected_closing=expected,
    )
    state.put(STATEMENT, record, call.account, account.statements)
    state.put(
        ACCOUNT,
        replace(
            account,
            closed_day=call.to_day,
            closing=call.closing,
            expected=expected,
            is_matched=account.is_matched and is_matched,
            statements=account.statements + 1,
        ),
        call.account,
    )
    context.emit(
        StatementPosted(
            account=call.account,
            number=account.statements,
            from_day=call.from_day,
            to_day=call.to_day,
            closing=call.closing,
            expected_closing=expected,
            is_matched=is_matched,
        )
    )
    return ()


def _sum_bookings(state: Overlay, call: StatementPost) -> tuple[int, int, int, int]:
    """Return (incoming count, sum, outgoing count, sum) of the chain's books over the statement's days."""
    totals = (0, 0, 0, 0)
    for day in range(call.from_day, call.to_day + 1):
        booked = state.get(BOOKING_DAY, call.account, day)
        if booked is not None:
            totals = (
                totals[0] + booked.in_count,
                totals[1] + booked.in_sum,
                totals[2] + booked.out_count,
                totals[3] + booked.out_sum,
            )
    return totals


def _is_same_statement(last: StatementRecord, call: StatementPost) -> bool:
    return (
        last.from_day == call.from_day
        and last.to_day == call.to_day
        and last.opening == call.opening
        and last.closing == call.closing
        and (last.in_count, last.in_sum) == (call.in_count, call.in_sum)
        and (last.out_count, last.out_sum) == (call.out_count, call.out_sum)
        and last.file_hash == call.file_hash
    )
