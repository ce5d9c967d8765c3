"""Changing pool by own signature: exit, transfer, entry, with the waiting days kept (contract 3.0; ADR 0015).

    SHARING | WAITING --member_accept_rules--> (window: waits for its end) --> MOVING: leaf out, transfer instructed
    MOVING --the bank credits the new pool's account with the deposit code--> enters (window there: QUEUED)
           --the bank could not transfer------------------------------------> enters the old pool again

Money of one pool never counts in another: between the accounts it is on its way as a real transfer, `outgoing` of the
old pool until the bank confirms. The cover does not break: it holds for the days of the transfer, and if the money
arrives within them, until the entry. An exit that is asked for meanwhile runs where the money arrives.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION_TRANSFER, InstructionRecord
from chain.contract.organisations import get_terms, is_winding_down, require_plan
from chain.contract.payout import Payment, create_instruction, refund_member
from chain.contract.plan_events import PoolEntered, PoolLeft, PoolMoveAsked, PoolMoveDropped
from chain.contract.shares import (
    PAST_DAYS_KEPT,
    PoolBook,
    close_cover,
    compute_shares_paid,
    get_balance,
    is_suspended,
    open_book,
    save_book,
    write_member,
)
from chain.contract.tables import (
    ACT_LEAVE,
    ACT_MOVE,
    MEMBER,
    MEMBER_MOVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN_ACTIVE,
    POOL,
    MemberRecord,
)
from chain.contract.version_tables import (
    MOVE,
    MOVES,
    NO_ACT,
    PIN,
    MoveRecord,
    MovesRecord,
    PinRecord,
    count_pinned,
)
from chain.contract.window import finish_exit, push_queue, start_entry
from chain.errors import InvariantViolation, Refusal
from chain.state import Overlay

MOVE_DAYS: Final = 10
"""Money that arrives within so many days finds the cover unbroken."""
PINS_MAX: Final = 16
"""Versions of one member that are still of use: a claim is judged by the one that held on its day."""


# --- pinning ---


def pin_version(
    state: Overlay, member_id: bytes, member: MemberRecord, *, version: int, pool: int, from_day: int
) -> None:
    """Note that a version holds for a member from a day on, and count it; the member's record is the caller's.

    Raises limit_reached, see `validate_pins`.
    """
    pins = validate_pins(state, member_id, member, from_day=from_day)
    state.put(PIN, PinRecord(pins=(*pins, (from_day, version, pool))), member_id)
    count_pinned(state, member.plan, member.version, -1)
    count_pinned(state, member.plan, version, 1)


def validate_pins(
    state: Overlay, member_id: bytes, member: MemberRecord, *, from_day: int
) -> list[tuple[int, int, int]]:
    """Return the pins that stay beside a new one: those under which a diagnosis can still be claimed for.

    Raises limit_reached for one who changes so often that such a pin would be lost.
    """
    record = state.get(PIN, member_id)
    pins = [(0, member.version, member.pool)] if record is None else list(record.pins)
    pins = [pin for pin in pins if pin[0] < from_day]
    window = get_terms(state, member.plan, member.version).pinned.claim_window_days
    while len(pins) > 1 and pins[1][0] < from_day - window - PAST_DAYS_KEPT:
        pins.pop(0)
    if len(pins) >= PINS_MAX:
        raise Refusal("limit_reached", pins_max=PINS_MAX)
    return pins


# --- leaving the old pool ---


def ask_move(
    state: Overlay, context: Context, member_id: bytes, member: MemberRecord, *, version: int, to_pool: int
) -> None:
    """Begin the change of pool; in the window it waits in the lane of exits.

    Refused: plan_not_active unless the plan is ACTIVE; member_state unless the member shares and is not suspended, or
    waits; claim_open; balance_too_low for the new pool's minimum.
    """
    plan = require_plan(state, member.plan)
    if plan.status != PLAN_ACTIVE:
        raise Refusal("plan_not_active", plan=member.plan)
    book = open_book(state, context, member.plan, member.pool)
    move = MoveRecord(
        version=version,
        from_pool=member.pool,
        to_pool=to_pool,
        asked_day=book.today,
        left_day=0,
        has_cover=False,
        amount=0,
        is_here=False,
        act=NO_ACT,
    )
    bar = _find_bar(state, book, member, move)
    if bar is not None:
        raise Refusal(bar, member=member_id.hex())
    # Now: when the money arrives, nothing may refuse it any more, today or later. A version signed for today holds from
    # tomorrow, and counts from the day after.
    for arrival_day in (book.today, book.today + 1):
        validate_pins(state, member_id, member, from_day=arrival_day + 1)
    context.emit(PoolMoveAsked(member=member_id, from_pool=member.pool, pool=to_pool, version=version))
    if member.is_leaf and book.pool.is_window:
        state.put(MOVE, move, member_id)
        push_queue(state, book, member_id, ACT_MOVE)
    else:
        _leave_pool(state, context, book, member_id, member, move)
    save_book(state, book)


def _find_bar(state: Overlay, book: PoolBook, member: MemberRecord, move: MoveRecord) -> str | None:
    """Return the code of what forbids a change of pool now, or None."""
    shares = member.status == MEMBER_SHARING and member.is_leaf and not is_suspended(member, book.pool.share_index)
    if not shares and member.status != MEMBER_WAITING:
        return "member_state"
    if member.claim is not None:
        return "claim_open"
    minimum = get_terms(state, book.plan, move.version).pool.deposit_min_fen * member.weight
    return "balance_too_low" if get_balance(member, book.pool.share_index) < minimum else None


def run_move(state: Overlay, context: Context, book: PoolBook, member_id: bytes) -> None:
    """Leave the old pool after the window; whoever has lost the ground for it meanwhile stays."""
    move = state.get(MOVE, member_id)
    member = state.require(MEMBER, member_id)
    if move is None:
        return
    if book.plan_record.status != PLAN_ACTIVE or _find_bar(state, book, member, move) is not None:
        state.delete(MOVE, member_id)
        context.emit(PoolMoveDropped(member=member_id, pool=member.pool))
        return
    _leave_pool(state, context, book, member_id, member, move)


def _leave_pool(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, move: MoveRecord
) -> None:
    """Take the leaf out and order the transfer; what the new pool may not hold goes to the member's own account."""
    index = book.pool.share_index
    balance = get_balance(member, index)
    to_terms = get_terms(state, book.plan, move.version).pool
    amount = min(balance, to_terms.deposit_max_fen * member.weight)
    covered_to = book.today + MOVE_DAYS if member.is_leaf else 0
    after = replace(
        member,
        status=MEMBER_MOVING,
        since_day=book.today,
        cash=0,
        is_leaf=False,
        x=0,
        rem=0,
        paid_before=compute_shares_paid(member, index),
        entry_index=0,
        past=close_cover(state, book, member, covered_to),
    )
    write_member(state, book, member_id, member, after)
    payment = Payment(
        kind=INSTRUCTION_TRANSFER,
        amount=amount,
        member=member_id,
        to_account=state.require(POOL, book.plan, move.to_pool).account,
    )
    create_instruction(state, context, book, payment)
    book.pool = replace(book.pool, outgoing=book.pool.outgoing + amount)
    refund_member(state, context, book, member_id, member, balance - amount)
    left = replace(move, left_day=book.today, has_cover=member.is_leaf, amount=amount)
    state.put(MOVE, left, member_id)
    _count_moves(state, book.plan, 1)
    context.emit(PoolLeft(member=member_id, pool=book.number, amount=amount, covered_to=covered_to))


def _count_moves(state: Overlay, plan: str, change: int) -> None:
    under_way = get_moves(state, plan) + change
    if under_way < 0:
        raise InvariantViolation(f"{plan}: fewer than no members on their way")
    state.put(MOVES, MovesRecord(under_way=under_way), plan)


def get_moves(state: Overlay, plan: str) -> int:
    """Return how many members' money is on its way between two accounts of the plan."""
    record = state.get(MOVES, plan)
    return 0 if record is None else record.under_way


# --- arriving ---


def is_expected(state: Overlay, member_id: bytes, member: MemberRecord, *, pool: int, amount: int) -> bool:
    """Tell whether a credit on a pool's account is the transfer of a member who changes to that pool."""
    if member.status != MEMBER_MOVING or member.pool == pool:
        return False
    move = state.require(MOVE, member_id)
    return (move.to_pool, move.amount) == (pool, amount)


def is_under_way(state: Overlay, record: InstructionRecord) -> bool:
    """Tell whether the money of a transfer has not arrived yet: the member still waits for it outside of both pools."""
    if record.member is None:
        raise InvariantViolation("a transfer without a member")
    member = state.require(MEMBER, record.member)
    if member.status != MEMBER_MOVING or member.pool != record.pool:
        return False
    move = state.require(MOVE, record.member)
    return (move.left_day, move.amount) == (record.created_day, record.amount)


def arrive(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    member: MemberRecord,
    *,
    amount: int,
    value_day: int,
) -> MemberRecord:
    """Take the money of a member who changes pool into the new one, and let him enter; return the record as written.

    An exit that was asked for meanwhile runs now; in a wind-down nobody enters any more, so the money goes to his own
    account.
    """
    move = state.require(MOVE, member_id)
    pin_version(state, member_id, member, version=move.version, pool=book.number, from_day=book.today + 1)
    after = replace(
        member,
        pool=book.number,
        version=move.version,
        status=MEMBER_VERIFIED,
        since_day=book.today,
        cash=amount,
        # Shares that the old pool was paid are not the new one's to give back.
        paid_before=0,
    )
    is_unbroken = move.has_cover and min(value_day, book.today) <= move.left_day + MOVE_DAYS
    context.emit(PoolEntered(member=member_id, pool=book.number, version=move.version))
    return _end_transfer(
        state, context, book, member_id, replace(move, has_cover=is_unbroken), before=member, after=after
    )


def on_transfer_failed(state: Overlay, context: Context, book: PoolBook, record: InstructionRecord) -> None:
    """Let a member whose money could not be transferred enter the old pool again; `outgoing` is the caller's.

    Where he has entered the new pool by then, with money of his own, it goes to his own account.
    """
    if record.member is None:
        raise InvariantViolation("a transfer without a member")
    member = state.require(MEMBER, record.member)
    if member.status != MEMBER_MOVING or member.pool != book.number:
        refund_member(state, context, book, record.member, member, record.amount)
        return
    move = state.require(MOVE, record.member)
    move = replace(move, has_cover=move.has_cover and book.today <= move.left_day + MOVE_DAYS)
    after = replace(member, status=MEMBER_VERIFIED, since_day=book.today, cash=record.amount)
    context.emit(PoolMoveDropped(member=record.member, pool=book.number))
    _end_transfer(state, context, book, record.member, move, before=member, after=after)


def _end_transfer(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    move: MoveRecord,
    *,
    before: MemberRecord,
    after: MemberRecord,
) -> MemberRecord:
    """Enter with the entry day of before, or leave where that was asked for."""
    _count_moves(state, book.plan, -1)
    if move.act != NO_ACT or is_winding_down(book.plan_record):
        state.delete(MOVE, member_id)
        write_member(state, book, member_id, before, after)
        act = ACT_LEAVE if move.act == NO_ACT else move.act
        finish_exit(state, context, book, member_id, after, act)
        return state.require(MEMBER, member_id)
    state.put(MOVE, replace(move, is_here=True), member_id)
    entered = start_entry(state, context, book, member_id, before=before, after=after)
    if entered.status == MEMBER_QUEUED:
        return entered
    return finish_entry(state, book, member_id)


def finish_entry(state: Overlay, book: PoolBook, member_id: bytes) -> MemberRecord:
    """Close a change of pool behind the entry: the cover of before reaches up to it. Return the record as it is now."""
    member = state.require(MEMBER, member_id)
    move = state.get(MOVE, member_id)
    if move is None or not move.is_here:
        return member
    state.delete(MOVE, member_id)
    if move.has_cover and member.status in (MEMBER_SHARING, MEMBER_WAITING) and member.past:
        # Behind the entry the new pool covers, and who leaves it is covered by none.
        cover_from, _, accident_from = member.past[-1]
        cover = ((cover_from, book.today, accident_from),) if min(cover_from, accident_from) <= book.today else ()
        member = replace(member, past=(*member.past[:-1], *cover))
        state.put(MEMBER, member, member_id)
    return member
