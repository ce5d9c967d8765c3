"""The acts of members themselves: apply, amend, leave, withdraw, change the weight (contract 2 *Membership*,
5).

What bank, auditor and platform do to an application is in admission.py, entering and leaving the sharing
members in window.py. Leaving is the member's act alone, at any time, without a fee.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.calendar import compute_year
from chain.contract.context import DAY_MS, Context
from chain.contract.custody_tables import DEPOSIT_CODE, DepositCodeRecord
from chain.contract.due import DUE_APPLICATION, add_due
from chain.contract.events import MemberAmended, MemberApplied, MemberWeightChanged, MemberWithdrew
from chain.contract.member_calls import MemberAmend, MemberApply, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.member_key_tables import HAND_OVER
from chain.contract.org_keys import validate_key_free
from chain.contract.organisations import get_today, is_winding_down, require_plan
from chain.contract.payout import refund_member
from chain.contract.persons import is_gone, require_known_member
from chain.contract.shares import (
    PoolBook,
    compute_shares_paid,
    get_balance,
    get_pinned,
    is_suspended,
    open_book,
    save_book,
    write_member,
)
from chain.contract.tables import (
    ACT_LEAVE,
    MEMBER,
    MEMBER_APPLIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN,
    PLAN_ACTIVE,
    POOL,
    VERSION,
    MemberRecord,
)
from chain.contract.version_tables import count_pinned
from chain.contract.window import exit_member, set_waiting_end
from chain.errors import Refusal
from chain.state import Overlay
from chain.types import FEN_MAX

APPLICATION_DAYS: Final = 30
"""An application that has not become a sharing membership by then expires."""


def require_member(state: Overlay, context: Context, member: bytes) -> MemberRecord:
    """Return a member whom the signer controls; raise `member_unknown` or `not_owner`.

    In control are the keys of `get_signing_keys`.
    """
    record = require_known_member(state, member)
    if context.signer not in get_signing_keys(state, member, record):
        raise Refusal("not_owner", member=member.hex())
    return record


def get_signing_keys(state: Overlay, member_id: bytes, member: MemberRecord) -> tuple[bytes, ...]:
    """Return the keys that sign for a membership: its own or, for a child, the guardian's present one.

    A child's own key counts from the hand-over on, beside the guardian's until that ceases (guardian.py). Before,
    `key` is the one that the guardian applied with, which may be lost or stolen by now.
    """
    if member.guardian is None:
        return (member.key,)
    guardian_key = state.require(MEMBER, member.guardian).key
    hand_over = state.get(HAND_OVER, member_id)
    return (guardian_key, member.key) if hand_over is not None and hand_over.has_key else (guardian_key,)


# --- applying ---


def apply_member_apply(state: Overlay, context: Context, call: MemberApply) -> tuple[int, ...]:
    """Record an application and assign its deposit code; the member id is the id of this transaction."""
    plan = require_plan(state, call.plan)
    if state.get(POOL, call.plan, call.pool) is None:
        raise Refusal("pool_unknown", plan=call.plan, pool=call.pool)
    if plan.status != PLAN_ACTIVE:
        raise Refusal("plan_not_active", plan=call.plan)
    validate_key_free(state, context.signer)
    today = get_today(context, plan)
    version = _require_version(state, call)
    member_id = context.tx_id
    if call.guardian is not None:
        _add_child(state, context, call, guardian_id=call.guardian)
    code = plan.members_applied + 1
    state.put(PLAN, replace(plan, members_applied=code), call.plan)
    state.put(DEPOSIT_CODE, DepositCodeRecord(member=member_id), call.plan, code)
    state.put(MEMBER, _build_applicant(context, call, version=version, code=code, today=today), member_id)
    due_ms = context.timestamp_ms + APPLICATION_DAYS * DAY_MS
    add_due(state, call.plan, today + APPLICATION_DAYS, DUE_APPLICATION, due_ms, member_id)
    count_pinned(state, call.plan, version, 1)
    context.emit(
        MemberApplied(
            member=member_id,
            plan=call.plan,
            pool=call.pool,
            weight=call.weight,
            deposit_code=code,
            guardian=call.guardian,
        )
    )
    return ()


def _require_version(state: Overlay, call: MemberApply) -> int:
    """Return the newest active version of the pool, which must be the one that the applicant read."""
    number = state.require(POOL, call.plan, call.pool).version
    if state.require(VERSION, call.plan, number).terms_hash != call.rules_hash:
        raise Refusal("rules_unknown", rules_hash=call.rules_hash.hex())
    return number


def _add_child(state: Overlay, context: Context, call: MemberApply, *, guardian_id: bytes) -> None:
    """Let a guardian, himself an adult member of the plan, sign for a child."""
    guardian = state.get(MEMBER, guardian_id)
    if (
        guardian is None
        or guardian.plan != call.plan
        or guardian.key != context.signer
        or guardian.guardian is not None
        or is_gone(guardian)
        or guardian.status == MEMBER_LEAVING
    ):
        raise Refusal("guardian_invalid", guardian=guardian_id.hex())
    state.put(MEMBER, replace(guardian, children=guardian.children + 1), guardian_id)


def _build_applicant(context: Context, call: MemberApply, *, version: int, code: int, today: int) -> MemberRecord:
    return MemberRecord(
        plan=call.plan,
        pool=call.pool,
        status=MEMBER_APPLIED,
        key=context.signer,
        weight=call.weight,
        version=version,
        deposit_code=code,
        since_day=today,
        cash=0,
        is_leaf=False,
        x=0,
        rem=0,
        entry_index=0,
        paid_before=0,
        entry_day=0,
        cover_from=0,
        accident_from=0,
        past=(),
        guardian=call.guardian,
        children=0,
        account_token=None,
        holder_kind=0,
        person_index=None,
        auditor_index=None,
        last_cover_year=0,
        is_admitted=False,
        field_commitments_root=call.field_commitments_root,
        blob_hash=call.blob_hash,
        consent_hash=call.consent_hash,
        recovery_hash=call.recovery_hash,
        claim=None,
        aid_received=0,
    )


# --- amending ---


def apply_member_amend(state: Overlay, context: Context, call: MemberAmend) -> tuple[int, ...]:
    """Replace the encrypted profile before cover begins; changed health answers restart the waiting period."""
    member = require_member(state, context, call.member)
    book = open_book(state, context, member.plan, member.pool)
    if not _is_before_cover(book, member):
        raise Refusal("member_state", status=member.status)
    is_same = member.field_commitments_root == call.field_commitments_root and member.blob_hash == call.blob_hash
    if is_same and not call.is_health_changed:
        raise Refusal("already")
    after = replace(member, field_commitments_root=call.field_commitments_root, blob_hash=call.blob_hash)
    is_restarted = call.is_health_changed and member.entry_day > 0
    if is_restarted:
        after = replace(after, entry_day=book.today)
        if member.is_leaf and member.status == MEMBER_SHARING:
            waiting_end = book.today + get_pinned(state, book, member).waiting_days
            after = replace(after, cover_from=max(book.today + 1, waiting_end))
        elif member.status == MEMBER_WAITING:
            set_waiting_end(state, book, call.member, after)
    write_member(state, book, call.member, member, after)
    context.emit(MemberAmended(member=call.member, is_waiting_restarted=is_restarted))
    return ()


def _is_before_cover(book: PoolBook, member: MemberRecord) -> bool:
    """Tell whether the member has applied or waits: profiles are not replaced under cover.

    Who was reinstated today is covered again from tomorrow, and who changes pool in the window of the new one is
    covered up to the entry: neither waits.
    """
    was_covered = any(start <= end and end >= member.entry_day for start, end, _ in member.past)
    if member.status == MEMBER_SHARING:
        return book.today < member.cover_from and not was_covered
    if member.status == MEMBER_QUEUED and not member.is_leaf:
        return not was_covered
    return member.status in (MEMBER_APPLIED, MEMBER_VERIFIED, MEMBER_WAITING, MEMBER_QUEUED)


# --- leaving ---


def apply_member_leave(state: Overlay, context: Context, call: MemberLeave) -> tuple[int, ...]:
    """Leave, or withdraw an application: the balance is refunded; in the window a leaf waits in the queue.

    On the way to another pool it is noted for the arrival of the money (pool_move.py), and no event tells of it before.
    Refused: member_unknown, not_owner; already; member_state; children_first; plan_not_active for who shares in a
    wind-down.
    """
    member = require_member(state, context, call.member)
    if member.status in (MEMBER_LEAVING, MEMBER_LEFT):
        raise Refusal("already")
    if is_gone(member):
        raise Refusal("member_state", status=member.status)
    if member.children > 0:
        raise Refusal("children_first", children=member.children)
    if is_winding_down(require_plan(state, member.plan)) and member.is_leaf:
        raise Refusal("plan_not_active", plan=member.plan)
    exit_member(state, context, call.member, ACT_LEAVE)
    return ()


# --- withdrawing and changing the weight ---


def _require_active(state: Overlay, context: Context, member_id: bytes) -> tuple[MemberRecord, PoolBook]:
    """Return an active sharing member outside the window, with the pool's book."""
    member = require_member(state, context, member_id)
    book = open_book(state, context, member.plan, member.pool)
    if member.status != MEMBER_SHARING or not member.is_leaf or is_suspended(member, book.pool.share_index):
        raise Refusal("member_state", status=member.status)
    if book.pool.is_window:
        raise Refusal("window_open")
    return member, book


def apply_member_withdraw(state: Overlay, context: Context, call: MemberWithdraw) -> tuple[int, ...]:
    """Take out what is above the minimum deposit."""
    member, book = _require_active(state, context, call.member)
    index = book.pool.share_index
    left = get_balance(member, index) - call.amount
    if left < _get_kept_fen(book) * member.weight:
        raise Refusal("balance_too_low", balance=left + call.amount, amount=call.amount)
    units, rem = divmod(left, member.weight)
    after = replace(member, x=index + units, rem=rem)
    write_member(state, book, call.member, member, after)
    refund_member(state, context, book, call.member, member, call.amount)
    save_book(state, book)
    context.emit(MemberWithdrew(member=call.member, amount=call.amount, x=after.x))
    return ()


def _get_kept_fen(book: PoolBook) -> int:
    """Return what a withdrawal must leave for each unit: the minimum, in a wind-down what the year can still cost."""
    terms, pool = book.terms.pool, book.pool
    if not is_winding_down(book.plan_record):
        return terms.deposit_min_fen
    if terms.cap_per_year_fen is None:
        return FEN_MAX
    # The pool notes a new year at its first settlement; a year that has begun can cost its whole cap.
    charged = pool.share_index - pool.year_index if compute_year(book.today) == pool.year else 0
    return max(0, terms.cap_per_year_fen - charged)


def apply_member_weight(state: Overlay, context: Context, call: MemberWeight) -> tuple[int, ...]:
    """Change the units of sharing; the balance stays, the index that it reaches moves."""
    member, book = _require_active(state, context, call.member)
    if member.weight == call.weight:
        raise Refusal("already")
    if is_winding_down(book.plan_record):
        # More units would take a greater part of the carry, fewer would leave costs to the others.
        raise Refusal("plan_not_active", plan=book.plan)
    index = book.pool.share_index
    units, rem = divmod(get_balance(member, index), call.weight)
    after = replace(
        member,
        weight=call.weight,
        paid_before=compute_shares_paid(member, index),
        entry_index=index,
        x=index + units,
        rem=rem,
    )
    write_member(state, book, call.member, member, after)
    save_book(state, book)
    context.emit(MemberWeightChanged(member=call.member, weight=call.weight, x=after.x))
    return ()
