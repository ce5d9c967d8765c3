"""Whether a diagnosis gives a right to aid: claim window, cover, waiting period (contract 3.6).

The same rule runs twice: at filing on the day that the member states, at the decision on the day that the
assessors established. Its answer is a status of the claim, never a refusal of the call.
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import organisations, shares, window
from chain.contract.claim_status import change_status, save
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_ELIGIBLE,
    CLAIM_EXPIRED,
    CLAIM_REFUSED,
    CLAIM_SHARES_REFUND,
    CLAIM_WITHDRAWN,
    ClaimCaseRecord,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.tables import (
    ACT_SHARES_REFUND,
    MEMBER,
    MEMBER_LEAVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_WAITING,
    PLAN,
    POOL,
    MemberRecord,
)
from chain.state import Overlay

CAUSE_ILLNESS, CAUSE_ACCIDENT = range(2)


def compute_eligibility(state: Overlay, claim: ClaimRecord, *, diagnosed_day: int, filed_day: int) -> tuple[int, int]:
    """Return (status, reason) of a diagnosis on a day: ELIGIBLE, SHARES_REFUND, or REFUSED with the cause.

    The window reaches `claim_window_days` of the member's pinned terms back from `filed_day`. Once the plan
    winds down, later diagnoses are no longer paid (contract 3.5, wind-down).
    """
    member = state.require(MEMBER, claim.member)
    plan = state.require(PLAN, claim.plan)
    pinned = organisations.get_terms(state, claim.plan, claim.version).pinned
    if plan.wind_day and diagnosed_day > plan.wind_day:
        return CLAIM_REFUSED, get_entry("plan_not_active").number
    if filed_day - diagnosed_day > pinned.claim_window_days:
        return CLAIM_REFUSED, get_entry("claim_too_late").number
    is_accident = claim.cause == CAUSE_ACCIDENT
    pool = state.require(POOL, claim.plan, claim.pool)
    if shares.is_covered(state, member, pool, diagnosed_day, is_accident):
        return CLAIM_ELIGIBLE, SUCCESS
    if not is_accident and is_waiting(member, day=diagnosed_day, waiting_days=pinned.waiting_days):
        return CLAIM_SHARES_REFUND, SUCCESS
    return CLAIM_REFUSED, get_entry("not_covered").number


def is_waiting(member: MemberRecord, *, day: int, waiting_days: int) -> bool:
    """Tell whether a day without cover lies in the waiting period of a membership that still stands.

    Counted from the entry, not up to `cover_from`: reinstating moves that day, and a gap in the cover is no
    waiting.
    """
    stands = member.status in (MEMBER_WAITING, MEMBER_QUEUED, MEMBER_SHARING, MEMBER_LEAVING)
    return stands and 0 < member.entry_day <= day < member.entry_day + waiting_days


def is_case_decided(state: Overlay, case: ClaimCaseRecord) -> bool:
    """Tell whether a diagnosis was decided: not where its claim expired, was withdrawn, or refused unassessed."""
    claim = state.require(CLAIM, case.claim)
    if claim.status in (CLAIM_EXPIRED, CLAIM_WITHDRAWN):
        return False
    return claim.status != CLAIM_REFUSED or bool(claim.firms)


def start_shares_refund(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """End the membership and give back the shares paid: the diagnosis lies inside the waiting period.

    The exit runs now, or after the settlement where the window is open; the refund is an item of the
    settlement after it, of the shares paid until then (contract 3.5, share refund).
    """
    claim = change_status(context, claim_id, claim, CLAIM_SHARES_REFUND)
    save(state, claim_id, replace(claim, is_shares_refund=True))
    window.exit_member(state, context, claim.member, ACT_SHARES_REFUND)
