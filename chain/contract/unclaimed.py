"""Aid that nobody could be paid goes back to those who gave it (contract 3.5 *failed item*).

In a pool that pays everybody out, so does a refund that its owner could not be paid, or that waits for heirs who never
came, and the return of a deposit that its payer's bank does not take: otherwise one closed bank account would keep a
plan from ever ending (ADR 0016).
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.claim_payment import on_unclaimed
from chain.contract.context import Context
from chain.contract.custody import require_instruction
from chain.contract.custody_tables import (
    DEPOSIT,
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_FAILED,
    INSTRUCTION_REFUND,
    INSTRUCTION_RETURN,
    INSTRUCTION_UNCLAIMED,
    AccountRecord,
    InstructionRecord,
)
from chain.contract.deposit import get_unmatched, require_account
from chain.contract.failed_payments import unlist_failed
from chain.contract.half_batch import cosign_items
from chain.contract.halves import Party
from chain.contract.money_calls import InstructionUnclaimed
from chain.contract.money_events import AidUnclaimed
from chain.contract.persons import is_gone
from chain.contract.shares import PoolBook, open_book, save_book, write_member
from chain.contract.tables import ACT_CLAIMED_OUT, MEMBER
from chain.contract.wind_tables import is_pool_closed
from chain.contract.window import exit_member
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

UNCLAIMED_DAYS: Final = 1_095
"""Three years after it failed, aid goes back to the pool."""
ALREADY: Final = get_entry("already").number
_PARTIES: Final = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))


def apply_instruction_unclaimed(state: Overlay, context: Context, call: InstructionUnclaimed) -> tuple[int, ...]:
    """Take failed aid of one account back into the pool, each item with an outcome, once bank and auditor signed."""
    account = require_account(state, call.account)
    return cosign_items(
        state,
        context,
        plan=account.plan,
        call=call,
        parties=_PARTIES,
        count=len(call.items),
        apply_one=lambda position: _take_back(state, context, account, call.items[position]),
    )


def _take_back(state: Overlay, context: Context, account: AccountRecord, instruction: bytes) -> int:
    record = require_instruction(state, account, instruction)
    if record.state == INSTRUCTION_UNCLAIMED:
        return ALREADY
    is_aid = record.kind == INSTRUCTION_AID
    is_other = record.kind in (INSTRUCTION_REFUND, INSTRUCTION_RETURN) and is_pool_closed(
        state, account.plan, account.pool
    )
    if not (is_other or is_aid) or record.state != INSTRUCTION_FAILED:
        raise Refusal("instruction_state", state=record.state)
    if not is_aid:
        return _take_back_other(state, context, account, instruction, record)
    if record.claim is None or record.member is None:
        raise InvariantViolation("an aid instruction without claim or member")
    book = open_book(state, context, account.plan, account.pool)
    _validate_days(record, since_day=0, today=book.today)
    pool = book.pool
    total = record.amount + record.fee
    book.pool = replace(
        pool,
        aid_payable=pool.aid_payable - record.amount,
        fee_held=pool.fee_held - record.fee,
        carry=pool.carry + total,
        unclaimed=pool.unclaimed + total,
    )
    save_book(state, book)
    state.put(INSTRUCTION, replace(record, state=INSTRUCTION_UNCLAIMED), instruction)
    unlist_failed(state, instruction, record.claim)
    context.emit(AidUnclaimed(instruction=instruction, amount=record.amount, fee=record.fee))
    if on_unclaimed(state, context, record.claim, record.amount):
        exit_member(state, context, record.member, ACT_CLAIMED_OUT)
    return SUCCESS


def _validate_days(record: InstructionRecord, *, since_day: int, today: int) -> None:
    # A bank could backdate a failure; it cannot have failed before it was made.
    waited = today - max(record.created_day, record.booking_day, since_day)
    if waited < UNCLAIMED_DAYS:
        raise Refusal("not_unclaimed_yet", days=waited)


def _take_back_other(
    state: Overlay, context: Context, account: AccountRecord, instruction: bytes, record: InstructionRecord
) -> int:
    """Take what a failed refund or return left, with its owner or unmatched, into the carry of a closed pool."""
    book = open_book(state, context, account.plan, account.pool)
    _validate_days(record, since_day=_get_end_day(state, record), today=book.today)
    if record.kind == INSTRUCTION_REFUND:
        amount = _take_from_member(state, book, record)
    else:
        amount = _take_from_deposit(state, book, record)
    if amount == 0:
        raise Refusal("instruction_state", state=record.state)
    pool = book.pool
    book.pool = replace(pool, carry=pool.carry + amount, unclaimed=pool.unclaimed + amount)
    save_book(state, book)
    state.put(INSTRUCTION, replace(record, state=INSTRUCTION_UNCLAIMED), instruction)
    context.emit(AidUnclaimed(instruction=instruction, amount=amount, fee=0))
    return SUCCESS


def _get_end_day(state: Overlay, record: InstructionRecord) -> int:
    """Return the day on which the membership ended that a refund is owed to, 0 where there is none.

    What failed before was part of a member's balance again, and the refund of that has days of its own.
    """
    member = None if record.member is None else state.require(MEMBER, record.member)
    return member.since_day if member is not None and is_gone(member) else 0


def _take_from_member(state: Overlay, book: PoolBook, record: InstructionRecord) -> int:
    """Return what is left of a failed refund in its owner's balance, and take it out of there."""
    if record.member is None:
        raise InvariantViolation("a refund without a member")
    member = state.require(MEMBER, record.member)
    amount = min(record.amount, member.cash) if member.pool == book.number and is_gone(member) else 0
    if amount:
        write_member(state, book, record.member, member, replace(member, cash=member.cash - amount))
    return amount


def _take_from_deposit(state: Overlay, book: PoolBook, record: InstructionRecord) -> int:
    """Return what is unmatched of a deposit whose return failed, and take it out; another try may be under way."""
    if record.deposit is None:
        raise InvariantViolation("a return without a deposit")
    deposit = state.require(DEPOSIT, *record.deposit)
    amount = min(record.amount, get_unmatched(deposit))
    if amount:
        state.put(DEPOSIT, replace(deposit, returned=deposit.returned + amount), *record.deposit)
        book.pool = replace(book.pool, unmatched=book.pool.unmatched - amount)
    return amount
