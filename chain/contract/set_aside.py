"""Claims that a closed pool still owes, or may owe: money set aside, paid or released (contract 3.5 *wind-down*).

Nobody is charged any more, so everything is paid from the carry: what waited for a settlement gets min(u, R) at once;
an open claim gets min(u, R) set aside in `aid_payable`, oldest first. If it wins it is paid, without a platform fee;
if it ends, or gets less, the rest is carry again; one that wins where nothing was left is EXPIRED (pool_closed). Each
payment is a batch of its own that two institutions sign.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_bills import consume_bills, is_bill_consumed
from chain.contract.claim_decision import compute_amount
from chain.contract.claim_open import drop, get_open_claims
from chain.contract.claim_payment import is_main_benefit, on_settled
from chain.contract.claim_status import OPEN_BEFORE_CONFIRMATION, close
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPEALED,
    CLAIM_APPROVED,
    CLAIM_EXPIRED,
    CLAIM_NOTICED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION_AID
from chain.contract.failed_payments import find_payee
from chain.contract.organisations import get_confirmer, get_cosigner
from chain.contract.payout import Payment, compute_batch_root, create_instruction
from chain.contract.persons import has_other_benefit, take_benefit
from chain.contract.plan_events import ClaimAsideReleased, ClaimSetAside
from chain.contract.settlement_tables import ITEM, PERIOD, PERIOD_COMPUTED, ItemRecord, PeriodRecord
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.tables import ACT_CLAIMED_OUT, MEMBER, PLAN
from chain.contract.void import is_void_open, is_voided
from chain.contract.wind_tables import CLOSED_POOL, OPEN_CLAIM, ClosedPoolRecord, OpenClaimRecord
from chain.contract.window import exit_member
from chain.state import Overlay

_MAY_WIN: Final = (*OPEN_BEFORE_CONFIRMATION, CLAIM_APPEALED, CLAIM_REFUSED, CLAIM_REJECTED)
"""Status of a claim that no settlement has granted anything, and that may still be paid."""
_WON: Final = (CLAIM_APPROVED, CLAIM_NOTICED)
"""No notice and no confirmation follow any more: the two signatures of the batch take their place."""


# --- what waited for a settlement ---


def has_items(book: PoolBook) -> bool:
    """Tell whether something waits for a settlement that will not come."""
    return book.pool.items[0] < book.pool.items[1]


def pay_item(state: Overlay, context: Context, plan: str, number: int) -> None:
    """Pay the oldest item of a closed pool from its carry, as far as that reaches; the rest is ended."""
    book = open_book(state, context, plan, number)
    first, end = book.pool.items
    item = state.require(ITEM, plan, number, first)
    state.delete(ITEM, plan, number, first)
    granted = min(item.amount, book.pool.carry)
    book.pool = replace(
        book.pool,
        items=(first + 1, end),
        carry=book.pool.carry - granted,
        aid_payable=book.pool.aid_payable + granted,
        spent=book.pool.spent + granted,
    )
    if granted:
        _instruct(state, context, book, item, granted)
    save_book(state, book)
    _settle(state, context, item, granted)


def _settle(state: Overlay, context: Context, item: ItemRecord, granted: int) -> None:
    if on_settled(state, context, item.claim, granted, 0):
        exit_member(state, context, item.member, ACT_CLAIMED_OUT)


def _instruct(state: Overlay, context: Context, book: PoolBook, item: ItemRecord, amount: int) -> None:
    """Make a batch of one instruction, numbered behind the last settlement; `aid_payable` is the caller's."""
    closed = state.require(CLOSED_POOL, book.plan, book.number)
    number = book.pool.settlements + 1 + closed.batches
    state.put(CLOSED_POOL, replace(closed, batches=closed.batches + 1), book.plan, book.number)
    _, payee = find_payee(state, state.require(CLAIM, item.claim))
    payment = Payment(
        kind=INSTRUCTION_AID,
        amount=amount,
        member=item.member,
        claim=item.claim,
        account_token=payee.account_token,
        period=number,
    )
    instructions = (create_instruction(state, context, book, payment),)
    period = PeriodRecord(
        status=PERIOD_COMPUTED,
        notice_day=book.today,
        charge_day=book.today,
        scheduled_day=book.today,
        units_at_notice=0,
        members_at_notice=0,
        claims=(item.claim,),
        confirmer=get_confirmer(state, number),
        cosigner=get_cosigner(state, number),
        batch_root=compute_batch_root(state, instructions),
        instructions=instructions,
        signed_by=(),
        computed_day=book.today,
        stopped_days=book.plan_record.stopped_days,
        unacknowledged=1,
    )
    state.put(PERIOD, period, book.plan, book.number, number)


# --- setting aside ---


def set_aside(state: Overlay, context: Context, plan: str, number: int, claim_number: int) -> None:
    """Set money of a closed pool aside for an open claim, as far as the carry reaches."""
    record = state.require(OPEN_CLAIM, plan, claim_number)
    claim = state.require(CLAIM, record.claim)
    if record.aside or claim.pool != number or claim.status not in _MAY_WIN:
        return
    book = open_book(state, context, plan, number)
    amount = min(claim.amount or compute_amount(state, claim, claim.row), book.pool.carry)
    if amount == 0:
        return
    book.pool = replace(
        book.pool,
        carry=book.pool.carry - amount,
        aid_payable=book.pool.aid_payable + amount,
        spent=book.pool.spent + amount,
    )
    save_book(state, book)
    state.put(OPEN_CLAIM, replace(record, aside=amount), plan, claim_number)
    _change_aside(state, plan, number, amount)
    context.emit(ClaimSetAside(claim=record.claim, amount=amount))


def _change_aside(state: Overlay, plan: str, number: int, change: int) -> None:
    closed = state.require(CLOSED_POOL, plan, number)
    state.put(CLOSED_POOL, replace(closed, aside=closed.aside + change), plan, number)


# --- what became of it ---


def look_after(state: Overlay, context: Context, plan: str, number: int, claim_number: int) -> None:
    """Pay a claim that has won from what was set aside for it; release that of one that is over.

    One that has won and for which nothing is there, or that may not be paid, ends: no settlement will come for it.
    While a hearing about its member is open it waits, as it would for its confirmation, and with it the plan's end;
    every hearing ends, and the claim is looked at each day (ADR 0012).
    """
    record = state.require(OPEN_CLAIM, plan, claim_number)
    claim = state.require(CLAIM, record.claim)
    if claim.pool != number:
        return
    has_won = claim.status in _WON
    bar = _find_bar(state, record.claim, claim) if has_won else None
    if has_won and record.aside and bar is None:
        if is_void_open(state, claim.member):
            return
        _pay_aside(state, context, plan, number, record, claim)
    elif has_won or (record.aside and (record.is_over or claim.status == CLAIM_SHARES_REFUND)):
        # Shares that come back in place of aid are an item.
        book = open_book(state, context, plan, number)
        _release(context, book, record.claim, record.aside)
        save_book(state, book)
    else:
        return
    _change_aside(state, plan, number, -record.aside)
    state.put(OPEN_CLAIM, replace(record, aside=0), plan, claim_number)
    if record.is_over:
        drop(state, plan, claim_number)
    claim = state.require(CLAIM, record.claim)
    if claim.status in _WON:
        status, reason = (CLAIM_EXPIRED, "pool_closed") if bar is None else (CLAIM_REJECTED, bar)
        close(state, context, record.claim, claim, status, get_entry(reason).number)


def _find_bar(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> str | None:
    """Return the code of what forbids the payment of a claim that has won, as at a confirmation; None: nothing."""
    if is_bill_consumed(state, claim_id, claim):
        return "bill_consumed"
    if is_voided(state, claim.member):
        return "member_voided"
    if is_main_benefit(claim) and has_other_benefit(state, state.require(MEMBER, claim.member), claim_id):
        return "main_benefit_taken"
    return None


def _pay_aside(
    state: Overlay, context: Context, plan: str, number: int, record: OpenClaimRecord, claim: ClaimRecord
) -> None:
    consume_bills(state, record.claim, claim)
    if is_main_benefit(claim):
        take_benefit(state, state.require(MEMBER, claim.member), record.claim)
    book = open_book(state, context, plan, number)
    amount = min(record.aside, claim.amount)
    item = ItemRecord(kind=0, member=claim.member, claim=record.claim, amount=amount, fee_bp=0, carried=0)
    _instruct(state, context, book, item, amount)
    _release(context, book, record.claim, record.aside - amount)
    save_book(state, book)
    _settle(state, context, item, amount)


def _release(context: Context, book: PoolBook, claim_id: bytes, amount: int) -> None:
    """Make set-aside money carry again; it counts as unclaimed, so that what was received stays what was spent and is
    left."""
    if amount == 0:
        return
    pool = book.pool
    book.pool = replace(
        pool,
        aid_payable=pool.aid_payable - amount,
        carry=pool.carry + amount,
        unclaimed=pool.unclaimed + amount,
    )
    context.emit(ClaimAsideReleased(claim=claim_id, amount=amount))


# --- looking through the open claims ---


def find_next(state: Overlay, plan: str, closed: ClosedPoolRecord, *, steps_max: int) -> tuple[int, int | None]:
    """Return (position to go on from, number of the next open claim) from the pool's position on.

    None: there was none within `steps_max` numbers, or the last claim was passed: then the position is 0.
    """
    position = max(closed.position, get_open_claims(state, plan).first)
    filed = state.require(PLAN, plan).claims_filed
    for number in range(position, min(position + steps_max, filed + 1)):
        if state.get(OPEN_CLAIM, plan, number) is not None:
            return number + 1, number
    return (0 if position + steps_max > filed else position + steps_max), None
