"""What a member owns, owes and is covered for, as pure functions of the share index; and the one writer of
members.

A member's money in the tree follows from X, rem and the pool's index I, so a settlement changes every
balance without touching a record (contract 3.3). `write_member` alone changes a record together with its
leaf and the sums of the pool, so that a leaf always equals what its record says.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.organisations import get_terms, get_today
from chain.contract.settlement_tables import SHARE_STEP
from chain.contract.tables import MEMBER, PLAN, POOL, MemberRecord, PlanRecord, PoolRecord
from chain.contract.terms import PinnedTerms, PlanTerms
from chain.contract.version_tables import get_effective_version
from chain.errors import InvariantViolation
from chain.state import Overlay

INDEX_END: Final = 2**31
"""X and I lie below, so that the sum of weight * X stays below 2^63 (contract 3.2)."""
PAST_DAYS_KEPT: Final = 400
"""Closed cover intervals are kept this long beyond the claim window."""


class PoolBook(Struct):
    """One pool opened for an act: its records as they are now, and the day. `save_book` writes the pool back."""

    plan: str
    number: int
    """Number of the pool within the plan."""
    plan_record: PlanRecord
    pool: PoolRecord
    """Replaced step by step; not in the state before `save_book`."""
    terms: PlanTerms
    """Terms of the pool's version."""
    today: int


def open_book(state: Overlay, context: Context, plan: str, number: int) -> PoolBook:
    """Open a pool that is known to exist."""
    plan_record = state.require(PLAN, plan)
    pool = state.require(POOL, plan, number)
    return PoolBook(
        plan=plan,
        number=number,
        plan_record=plan_record,
        pool=pool,
        terms=get_terms(state, plan, pool.version),
        today=get_today(context, plan_record),
    )


def save_book(state: Overlay, book: PoolBook) -> None:
    """Write the pool back."""
    state.put(POOL, book.pool, book.plan, book.number)


def get_pinned(state: Overlay, book: PoolBook, member: MemberRecord) -> PinnedTerms:
    """Return the terms that a member pinned, or that superseded them: at least as good, clause by clause."""
    if member.version == book.pool.version:
        return book.terms.pinned
    version = get_effective_version(state, book.plan, member.version, book.today)
    return get_terms(state, book.plan, version).pinned


# --- pure functions (contract 3.3) ---


def get_leaf_money(member: MemberRecord, index: int) -> int:
    """Return what the member's leaf is worth at index I in fen."""
    if not member.is_leaf:
        return 0
    return (member.x - index) * member.weight + member.rem if member.x > index else member.rem


def get_balance(member: MemberRecord, index: int) -> int:
    """Return what the member owns in fen."""
    return member.cash + get_leaf_money(member, index)


def is_suspended(member: MemberRecord, index: int) -> bool:
    """Tell whether the index passed what the leaf can pay."""
    return member.is_leaf and member.x < index


def get_arrears(member: MemberRecord, index: int) -> int:
    """Return what a suspended member owes in fen, 0 for others."""
    return (index - member.x) * member.weight if is_suspended(member, index) else 0


def compute_shares_paid(member: MemberRecord, index: int) -> int:
    """Return what the member has paid for others since entering, in fen; arrears count when they are paid."""
    if not member.is_leaf:
        return member.paid_before
    return member.paid_before + member.weight * (min(member.x, index) - member.entry_index)


def find_suspension(state: Overlay, member: MemberRecord, pool: PoolRecord) -> int:
    """Return k_susp, the first settlement after which I_k > X; for a suspended member only.

    The index never falls, so the least k is found by halving; an upper bound does no harm where per was 0.
    """
    low, high = 0, pool.settlements - 1
    while low < high:
        middle = (low + high) // 2
        if state.require(SHARE_STEP, member.plan, member.pool, middle).share_index > member.x:
            high = middle
        else:
            low = middle + 1
    return low


def get_suspension_day(state: Overlay, member: MemberRecord, pool: PoolRecord) -> int:
    """Return the charge day that suspended the member: its last covered day."""
    return state.require(SHARE_STEP, member.plan, member.pool, find_suspension(state, member, pool)).day


def is_lapsed(state: Overlay, member: MemberRecord, pool: PoolRecord, grace_periods: int) -> bool:
    """Tell whether the grace is over: S - 1 - k_susp >= grace_periods, which is I[S-1-grace] > X."""
    if not is_suspended(member, pool.share_index):
        return False
    last = pool.settlements - 1 - grace_periods
    return last >= 0 and state.require(SHARE_STEP, member.plan, member.pool, last).share_index > member.x


def is_covered(state: Overlay, member: MemberRecord, pool: PoolRecord, day: int, is_accident: bool) -> bool:
    """Tell whether the member was covered on a day (contract 3.6).

    The present X is never compared with an old index, as X moves with every top-up: past cover is in `past`,
    and the running interval ends with the charge day that suspended the member.
    """
    for cover_from, to_day, accident_from in member.past:
        if (accident_from if is_accident else cover_from) <= day <= to_day:
            return True
    if not member.is_leaf or day < (member.accident_from if is_accident else member.cover_from):
        return False
    return not is_suspended(member, pool.share_index) or day <= get_suspension_day(state, member, pool)


# --- cover intervals ---


def close_cover(state: Overlay, book: PoolBook, member: MemberRecord, to_day: int) -> tuple[tuple[int, int, int], ...]:
    """Return the past intervals with the running one closed on `to_day`, and the outdated ones dropped."""
    kept_from = book.today - get_pinned(state, book, member).claim_window_days - PAST_DAYS_KEPT
    past = tuple(interval for interval in member.past if interval[1] >= kept_from)
    if member.is_leaf and min(member.cover_from, member.accident_from) <= to_day:
        past += ((member.cover_from, to_day, member.accident_from),)
    return past


# --- the one writer ---


def write_member(
    state: Overlay, book: PoolBook, member_id: bytes, before: MemberRecord | None, after: MemberRecord
) -> None:
    """Write a member's record, its leaf, and the difference into the sums of the book's pool.

    Raises InvariantViolation where X or rem would leave its range: such a leaf could be proven by nobody.
    """
    pool = book.pool
    index = pool.share_index
    leaf_before = before is not None and before.is_leaf
    leaf_after = after.is_leaf
    if leaf_after and not (0 <= after.x < INDEX_END and 0 <= after.rem < after.weight):
        raise InvariantViolation(f"leaf out of range: x={after.x}, rem={after.rem}, weight={after.weight}")
    if after.cash < 0:
        raise InvariantViolation(f"negative cash of a member: {after.cash}")
    money = get_leaf_money(after, index)
    plain = after.cash
    if before is not None:
        money -= get_leaf_money(before, index)
        plain -= before.cash
    if before is None or not leaf_before or not leaf_after:
        is_leaf_changed = leaf_before or leaf_after
    else:
        is_leaf_changed = before.x != after.x or before.rem != after.rem or before.weight != after.weight
    if is_leaf_changed:
        key = (book.plan, book.number)
        if before is not None and leaf_before and not (leaf_after and after.x == before.x):
            state.set_leaf(key, before.x, member_id, None)
        if leaf_after:
            state.set_leaf(key, after.x, member_id, (after.weight, after.rem))
    if money or plain or leaf_before != leaf_after:
        book.pool = replace(
            pool,
            tree_money=pool.tree_money + money,
            plain=pool.plain + plain,
            entered=pool.entered + (leaf_after and not leaf_before),
            exited=pool.exited + (leaf_before and not leaf_after),
        )
    state.put(MEMBER, after, member_id)
