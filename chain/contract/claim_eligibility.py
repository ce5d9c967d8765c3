"""Whether a diagnosis gives a right to aid: claim window, cover, waiting period (contract 3.6).

The same rule runs twice: at filing on the day that the member states, at the decision on the day that the
assessors established. Its answer is a status of the claim, never a refusal of the call. A stated day inside the
waiting period is investigated as any other: only the day that the assessors established gives the shares back
(ADR 0019).
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import organisations, shares, window
from chain.contract.claim_review_tables import CLAIMANT, NO_CLAIMANT
from chain.contract.claim_status import change_status, drop_card, save
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_CASE,
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
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_MOVING,
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
    # Of the pool in which the leaf is, if any: cover under another one is among the closed intervals.
    pool = state.require(POOL, claim.plan, member.pool)
    if shares.is_covered(state, member, pool, diagnosed_day, is_accident):
        return CLAIM_ELIGIBLE, SUCCESS
    if not is_accident and is_waiting(state, claim.member, member, day=diagnosed_day, waiting_days=pinned.waiting_days):
        return CLAIM_SHARES_REFUND, SUCCESS
    return CLAIM_REFUSED, get_entry("not_covered").number


def is_waiting(state: Overlay, member_id: bytes, member: MemberRecord, *, day: int, waiting_days: int) -> bool:
    """Tell whether a day without cover lies in the waiting period of a membership whose shares may be given back.

    Counted from the entry, not up to `cover_from`: reinstating moves that day, and a gap in the cover is no
    waiting. The membership stands, or it ended while its claim was open: whoever dies of the illness, or leaves for
    it, does not lose the shares by that. They are given back once.
    """
    is_within = 0 < member.entry_day <= day < member.entry_day + waiting_days
    stands = member.status in (MEMBER_WAITING, MEMBER_QUEUED, MEMBER_SHARING, MEMBER_MOVING, MEMBER_LEAVING)
    if not is_within or stands:
        return is_within
    has_ended = member.status in (MEMBER_LEFT, MEMBER_AGED_OUT, MEMBER_DIED) and member.claim is not None
    return has_ended and not (state.get(CLAIMANT, member_id) or NO_CLAIMANT).is_refunded


def find_decided_case(state: Overlay, member: bytes, day: int, claim_id: bytes | None = None) -> ClaimCaseRecord | None:
    """Return the decided case of a diagnosis on a day, under whichever cause; None where there is none but the claim's.

    One diagnosis is decided once: it is not another one for being called an accident.
    """
    for cause in (CAUSE_ILLNESS, CAUSE_ACCIDENT):
        case = state.get(CLAIM_CASE, member, cause, day)
        if case is not None and case.claim != claim_id and is_case_decided(state, case):
            return case
    return None


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
    record = state.get(CLAIMANT, claim.member) or NO_CLAIMANT
    state.put(CLAIMANT, replace(record, is_refunded=True), claim.member)
    drop_card(state, claim_id)
    claim = change_status(context, claim_id, claim, CLAIM_SHARES_REFUND)
    save(state, claim_id, replace(claim, is_shares_refund=True))
    window.exit_member(state, context, claim.member, ACT_SHARES_REFUND)
