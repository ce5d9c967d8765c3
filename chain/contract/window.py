"""Entering and leaving the sharing members, now or after the window (contract 3.5 *enter*, *exit*, *window*).

Between notice and the end of the drain the count that a period was announced with must not move by acts of
will: who enters or leaves waits in a queue of two lanes, exits first. Money that comes in, and
reinstatement, do not wait. (Where waiting members do not share, WAITING comes before SHARING.)

    enough money --(no window, plan ACTIVE)--> SHARING | WAITING
                 --(window or plan stopped)--> QUEUED --drained--> SHARING | WAITING
    exit         --(no window, or no leaf)---> LEFT and its like
                 --(window)------------------> LEAVING --drained--> LEFT and its like
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.claim_payment import on_shares_refund
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_WAITING_END, add_due
from chain.contract.events import MemberEntered, MemberExited, MemberStatusChanged
from chain.contract.member_events import EstateHeld
from chain.contract.member_key_tables import DEATH, HOLDER_ESTATE
from chain.contract.organisations import is_winding_down
from chain.contract.payout import hold_refund, refund_member
from chain.contract.persons import bar_person, free_person, is_gone
from chain.contract.settlement_items import add_book_item
from chain.contract.settlement_tables import ITEM_SHARE_REFUND, ItemRecord
from chain.contract.shares import (
    PoolBook,
    close_cover,
    compute_shares_paid,
    get_balance,
    get_pinned,
    get_suspension_day,
    is_suspended,
    open_book,
    save_book,
    write_member,
)
from chain.contract.tables import (
    ACT_AGE_OUT,
    ACT_CLAIMED_OUT,
    ACT_DIED,
    ACT_ENTER,
    ACT_LEAVE,
    ACT_SHARES_REFUND,
    ACT_VOIDED,
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_APPLIED,
    MEMBER_CLAIMED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_MOVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_VOIDED,
    MEMBER_WAITING,
    PLAN_ACTIVE,
    QUEUE,
    MemberRecord,
    QueueRecord,
)
from chain.contract.version_tables import MOVE, NO_ACT, count_pinned
from chain.contract.wind_tables import compute_bonus
from chain.errors import InvariantViolation
from chain.state import Overlay

LANE_EXITS: Final = 0
LANE_ENTRIES: Final = 1

_STATUS_AFTER: Final = {
    ACT_LEAVE: MEMBER_LEFT,
    ACT_CLAIMED_OUT: MEMBER_CLAIMED_OUT,
    ACT_AGE_OUT: MEMBER_AGED_OUT,
    ACT_SHARES_REFUND: MEMBER_LEFT,
    ACT_DIED: MEMBER_DIED,
    ACT_VOIDED: MEMBER_VOIDED,
}


def push_queue(state: Overlay, book: PoolBook, member_id: bytes, act: int) -> None:
    """Put an act at the end of its lane."""
    record = QueueRecord(member=member_id, act=act)
    if act == ACT_ENTER:
        head, tail = book.pool.queue_entries
        state.put(QUEUE, record, book.plan, book.number, LANE_ENTRIES, tail)
        book.pool = replace(book.pool, queue_entries=(head, tail + 1))
    else:
        head, tail = book.pool.queue_exits
        state.put(QUEUE, record, book.plan, book.number, LANE_EXITS, tail)
        book.pool = replace(book.pool, queue_exits=(head, tail + 1))


# --- entering ---


def start_entry(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    *,
    before: MemberRecord,
    after: MemberRecord,
) -> MemberRecord:
    """Let a member enter whose money has become enough; return the record as written.

    `after` holds the new cash and `entry_day`, the first day that counts for the waiting period. In the
    window, or while the plan is stopped, it is queued; in a wind-down nobody enters any more, so that no waiting
    begins either.
    """
    if is_winding_down(book.plan_record):
        after = replace(after, entry_day=before.entry_day)
        write_member(state, book, member_id, before, after)
        return after
    if book.pool.is_window or book.plan_record.status != PLAN_ACTIVE:
        after = replace(after, status=MEMBER_QUEUED, since_day=book.today)
        if after.is_leaf:
            # What a lapsed member paid for others bought the cover of then; only shares of the new waiting come back.
            after = replace(after, paid_before=0, entry_index=after.x)
        write_member(state, book, member_id, before, after)
        push_queue(state, book, member_id, ACT_ENTER)
        context.emit(MemberStatusChanged(member=member_id, status=MEMBER_QUEUED, reason=0))
        return after
    return take_in(state, context, book, member_id, before=before, after=after)


def take_in(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    *,
    before: MemberRecord,
    after: MemberRecord,
) -> MemberRecord:
    """Execute *enter* now, at the present index; a lapsed member's old leaf goes out first."""
    if after.is_leaf:
        past = close_cover(state, book, after, get_suspension_day(state, after, book.pool))
        after = replace(
            after,
            is_leaf=False,
            cash=after.cash + after.rem,
            x=0,
            rem=0,
            entry_index=0,
            paid_before=0,
            past=past,
        )
        write_member(state, book, member_id, before, after)
        before = after
    waiting_end = after.entry_day + get_pinned(state, book, after).waiting_days
    if not book.terms.pool.waiting_members_share and book.today < waiting_end:
        after = replace(after, status=MEMBER_WAITING, since_day=book.today)
        write_member(state, book, member_id, before, after)
        set_waiting_end(state, book, member_id, after)
        context.emit(MemberStatusChanged(member=member_id, status=MEMBER_WAITING, reason=0))
        return after
    index = book.pool.share_index
    units, rem = divmod(after.cash, after.weight)
    entered = replace(
        after,
        status=MEMBER_SHARING,
        since_day=book.today,
        cash=0,
        is_leaf=True,
        x=index + units,
        rem=rem,
        entry_index=index,
        paid_before=0,
        cover_from=max(book.today + 1, waiting_end),
        accident_from=book.today + 1,
    )
    write_member(state, book, member_id, before, entered)
    context.emit(
        MemberEntered(
            member=member_id,
            share_index=index,
            x=entered.x,
            cover_from=entered.cover_from,
            accident_from=entered.accident_from,
        )
    )
    return entered


def set_waiting_end(state: Overlay, book: PoolBook, member_id: bytes, member: MemberRecord) -> None:
    """Set the date on which somebody who waits outside the tree may enter, by the version that he has pinned."""
    day = member.entry_day + get_pinned(state, book, member).waiting_days
    due_ms = compute_day_start_ms(day, book.plan_record.utc_offset_minutes)
    add_due(state, book.plan, day, DUE_WAITING_END, due_ms, member_id)


def on_waiting_end(state: Overlay, context: Context, member_id: bytes) -> None:
    """Let a member enter whose waiting period ended; one that was restarted, or is longer under another version, has a
    later date of its own.

    In a wind-down nobody enters any more: the money goes back at the first date that comes up, for who restarts the
    waiting time and again must not keep the plan from ending (ADR 0016).
    """
    member = state.require(MEMBER, member_id)
    if member.status != MEMBER_WAITING:
        return
    book = open_book(state, context, member.plan, member.pool)
    if is_winding_down(book.plan_record):
        finish_exit(state, context, book, member_id, member, ACT_LEAVE)
        save_book(state, book)
        return
    if book.today < member.entry_day + get_pinned(state, book, member).waiting_days:
        return
    start_entry(state, context, book, member_id, before=member, after=member)
    save_book(state, book)


# --- leaving ---


def exit_member(state: Overlay, context: Context, member_id: bytes, act: int) -> None:
    """End a membership now, or queue it where the window is open and the member has a leaf.

    A member who is gone already only becomes claimed out or voided. The person of either is barred at once, and any
    other membership that he holds by now ends too. `act` is one of the ACT_ numbers but ACT_ENTER. Writes POOL and
    MEMBER: the caller reads both again.
    """
    member = state.require(MEMBER, member_id)
    is_barring = act in (ACT_CLAIMED_OUT, ACT_VOIDED)
    other = bar_person(state, member_id, member) if is_barring else None
    book = open_book(state, context, member.plan, member.pool)
    if is_gone(member):
        _amend_gone(state, context, book, member_id, member, act)
    elif member.status == MEMBER_MOVING:
        # His money is on its way to another pool: the exit runs where it arrives (pool_move.py). Without the act that
        # lists his shares, the claim that asks for them would never end.
        move = state.require(MOVE, member_id)
        if move.act == NO_ACT or (act != ACT_LEAVE and move.act != ACT_SHARES_REFUND):
            state.put(MOVE, replace(move, act=act), member_id)
    elif member.is_leaf and book.pool.is_window:
        if member.status != MEMBER_LEAVING:
            _change_status(state, context, member_id, member, MEMBER_LEAVING, since_day=book.today)
        push_queue(state, book, member_id, act)
    else:
        finish_exit(state, context, book, member_id, member, act)
    save_book(state, book)
    if other is not None:
        exit_member(state, context, other, act)


def _amend_gone(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, act: int
) -> None:
    """Let an ended membership become claimed out or voided, or refund the shares that it had paid."""
    if act in (ACT_CLAIMED_OUT, ACT_VOIDED):
        _change_status(state, context, member_id, member, _STATUS_AFTER[act])
    elif act == ACT_SHARES_REFUND:
        _refund_shares(state, book, member_id, member, member.paid_before)


def finish_exit(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, act: int
) -> None:
    """Execute *exit*: the leaf goes, the balance is refunded, cover ends today or with the suspension."""
    shares_paid = compute_shares_paid(member, book.pool.share_index)
    end_membership(state, context, book, member_id, member, _STATUS_AFTER[act])
    if act == ACT_SHARES_REFUND:
        _refund_shares(state, book, member_id, member, shares_paid)


def end_membership(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, status: int
) -> None:
    """Take the leaf out, order the refund of the balance, close the cover, and write the final status.

    In a pool that pays everybody out an active member also gets a share of the carry (contract 3.5 *wind-down*).
    The balance of somebody who died waits in `cash` for an account of the estate. The person may apply again, unless
    a claim is open: then its end decides (persons.py).
    """
    index = book.pool.share_index
    bonus = compute_bonus(state, book, member)
    balance = get_balance(member, index) + bonus
    held = balance if _is_held(state, member_id, member, status) else 0
    covered_to = 0
    past = member.past
    if member.is_leaf:
        covered_to = get_suspension_day(state, member, book.pool) if is_suspended(member, index) else book.today
        past = close_cover(state, book, member, covered_to)
        if covered_to < min(member.cover_from, member.accident_from):
            covered_to = 0
    elif past and past[-1][1] > book.today:
        # Held up by a change of pool: it ends with the membership.
        past = (*past[:-1], (past[-1][0], book.today, past[-1][2]))
    after = replace(
        member,
        status=status,
        since_day=book.today,
        cash=held,
        is_leaf=False,
        x=0,
        rem=0,
        paid_before=compute_shares_paid(member, index),
        entry_index=0,
        past=past,
    )
    write_member(state, book, member_id, member, after)
    if bonus:
        book.pool = replace(book.pool, carry=book.pool.carry - bonus, spent=book.pool.spent + bonus)
    count_pinned(state, book.plan, member.version, -1)
    refund_member(state, context, book, member_id, member, balance - held)
    if held:
        hold_refund(state, context, book, member_id, member, held)
        context.emit(EstateHeld(member=member_id, amount=held))
    if member.guardian is not None:
        guardian = state.require(MEMBER, member.guardian)
        state.put(MEMBER, replace(guardian, children=guardian.children - 1), member.guardian)
    if member.claim is None:
        free_person(state, member_id, member)
    context.emit(MemberExited(member=member_id, status=status, refund=balance - held, covered_to=covered_to))


def _is_held(state: Overlay, member_id: bytes, member: MemberRecord, status: int) -> bool:
    """Tell whether a balance waits for the estate: its owner died, and the bank knows only his own account."""
    if member.account_token is None or member.holder_kind == HOLDER_ESTATE:
        return False
    return status == MEMBER_DIED or state.get(DEATH, member_id) is not None


def _refund_shares(state: Overlay, book: PoolBook, member_id: bytes, member: MemberRecord, amount: int) -> None:
    """List what the member has paid for others as an item of the next settlement, and tell the claim."""
    if member.claim is None:
        raise InvariantViolation("a refund of shares without a claim")
    if amount > 0:
        item = ItemRecord(
            kind=ITEM_SHARE_REFUND, member=member_id, claim=member.claim, amount=amount, fee_bp=0, carried=0
        )
        add_book_item(state, book, item)
    on_shares_refund(state, member.claim, amount)


def _change_status(
    state: Overlay,
    context: Context,
    member_id: bytes,
    member: MemberRecord,
    status: int,
    *,
    since_day: int | None = None,
) -> None:
    after = replace(member, status=status, since_day=member.since_day if since_day is None else since_day)
    state.put(MEMBER, after, member_id)
    context.emit(MemberStatusChanged(member=member_id, status=status, reason=0))


# --- the queue after the settlement ---


def run_queued(state: Overlay, context: Context, book: PoolBook, entry: QueueRecord) -> None:
    """Run one act that waited; one that has lost its ground meanwhile is skipped."""
    member = state.require(MEMBER, entry.member)
    if entry.act != ACT_ENTER:
        if not is_gone(member):
            finish_exit(state, context, book, entry.member, member, entry.act)
        else:
            _amend_gone(state, context, book, entry.member, member, entry.act)
        return
    if member.status != MEMBER_QUEUED:
        return
    if book.plan_record.status == PLAN_ACTIVE:
        take_in(state, context, book, entry.member, before=member, after=member)
        return
    if member.is_leaf:
        _change_status(state, context, entry.member, member, MEMBER_SHARING)
    else:
        finish_exit(state, context, book, entry.member, member, ACT_LEAVE)


def is_applicant(member: MemberRecord) -> bool:
    """Tell whether somebody has applied and does not share, wait or queue yet."""
    return member.status in (MEMBER_APPLIED, MEMBER_VERIFIED)
