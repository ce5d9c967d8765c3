"""Filing a claim (contract 5, claim_file): who may, which record it opens, and its first status.

A call that a rule of form forbids is refused and leaves nothing. A claim that is merely not payable is
recorded as REFUSED with its reason, because a refusal can be appealed.
"""

from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract import claim_lane, membership, organisations
from chain.contract.claim_calls import ClaimFile
from chain.contract.claim_eligibility import compute_eligibility, is_case_decided, start_shares_refund
from chain.contract.claim_events import ClaimFiled, ClaimFlagged
from chain.contract.claim_status import DUE_NONE, SEATS_FIRST, change_status, save
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM,
    CLAIM_CASE,
    CLAIM_ELIGIBLE,
    CLAIM_REFUSED,
    CLAIM_SHARES_REFUND,
    BillTagRecord,
    ClaimCaseRecord,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.persons import is_barred
from chain.contract.tables import (
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    MEMBER_WAITING,
    PLAN,
    PLAN_ENDED,
    MemberRecord,
    PlanRecord,
)
from chain.contract.terms import get_benefit_fen
from chain.errors import Refusal
from chain.state import Overlay

PAYEE_SELF, PAYEE_GUARDIAN, PAYEE_ESTATE = range(3)
_MAY_FILE = (
    MEMBER_QUEUED,
    MEMBER_WAITING,
    MEMBER_SHARING,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
)
"""Cover of the past still gives a right after leaving; the main benefit, a void or a refusal ends it."""


def apply_claim_file(state: Overlay, context: Context, call: ClaimFile) -> tuple[int, ...]:
    """Open a claim; its id is the transaction's id.

    Refused (nothing is recorded): member_unknown, not_owner; plan_not_active once the plan has ended;
    member_state where there never was cover or none is left; claim_open; day_in_future; row_unknown in the
    pinned table; value_out_of_range for a payee that the member does not have or a bill named twice;
    case_decided where this diagnosis was decided before; not_covered or claim_too_late where that was the
    answer before and still is.
    """
    member = membership.require_member(state, context, call.member)
    plan = state.require(PLAN, member.plan)
    today = organisations.get_today(context, plan)
    _validate_call(state, call, member, plan, today)
    filed_day = _require_case_open(state, call, today)
    claim = _build_claim(context, call, member, plan, today)
    status, reason = compute_eligibility(state, claim, diagnosed_day=call.diagnosed_day, filed_day=filed_day)
    if status == CLAIM_REFUSED and state.get(CLAIM_CASE, call.member, call.cause, call.diagnosed_day) is not None:
        raise Refusal(get_entry_by_number(reason).code, diagnosed_day=call.diagnosed_day)

    claim_id = context.tx_id
    state.put(PLAN, replace(plan, claims_filed=claim.number), member.plan)
    case = ClaimCaseRecord(claim=claim_id, filed_day=filed_day)
    state.put(CLAIM_CASE, case, call.member, call.cause, call.diagnosed_day)
    context.emit(
        ClaimFiled(
            claim=claim_id,
            number=claim.number,
            plan=claim.plan,
            pool=claim.pool,
            cause=claim.cause,
            diagnosed_day=claim.diagnosed_day,
            asked_row=claim.asked_row,
        )
    )
    claim = replace(claim, is_flagged=_note_bills(state, context, claim_id, claim))
    if status == CLAIM_REFUSED:
        save(state, claim_id, change_status(context, claim_id, claim, CLAIM_REFUSED, reason))
        return ()
    state.put(MEMBER, replace(member, claim=claim_id), call.member)
    if status == CLAIM_SHARES_REFUND:
        start_shares_refund(state, context, claim_id, claim)
        return ()
    save(state, claim_id, change_status(context, claim_id, claim, CLAIM_ELIGIBLE))
    claim_lane.push(state, claim.plan, claim_lane.LANE_DRAW, claim_id)
    return ()


def _validate_call(state: Overlay, call: ClaimFile, member: MemberRecord, plan: PlanRecord, today: int) -> None:
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=member.plan)
    # Between the payment of a main benefit and the drain of the window the member is only LEAVING.
    if member.status not in _MAY_FILE or is_barred(state, member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    if member.claim is not None:
        raise Refusal("claim_open", claim=member.claim.hex())
    if call.diagnosed_day > today:
        raise Refusal("day_in_future", diagnosed_day=call.diagnosed_day, today=today)
    benefits = organisations.get_terms(state, member.plan, member.version).pinned.benefits
    if get_benefit_fen(benefits, call.asked_row) is None:
        raise Refusal("row_unknown", row=call.asked_row)
    if len(dict.fromkeys(call.bill_tags)) < len(call.bill_tags):
        raise Refusal("value_out_of_range", field="bill_tags")
    has_payee = {
        PAYEE_SELF: member.status != MEMBER_DIED,
        PAYEE_GUARDIAN: member.guardian is not None,
        PAYEE_ESTATE: member.status == MEMBER_DIED,
    }
    if not has_payee[call.payee_kind]:
        raise Refusal("value_out_of_range", field="payee_kind", payee_kind=call.payee_kind)


def _require_case_open(state: Overlay, call: ClaimFile, today: int) -> int:
    """Return the day by which the claim window is measured; a diagnosis that was decided stays decided.

    Without this rule a member could file one diagnosis until the lot gives the firms that he hopes for. Where
    the first filing ended without a decision (EXPIRED, WITHDRAWN, or REFUSED before any firm was drawn), its
    day still counts: the delay was not his.
    """
    case = state.get(CLAIM_CASE, call.member, call.cause, call.diagnosed_day)
    if case is None:
        return today
    if is_case_decided(state, case):
        raise Refusal("case_decided", claim=case.claim.hex())
    return case.filed_day


def _build_claim(context: Context, call: ClaimFile, member: MemberRecord, plan: PlanRecord, today: int) -> ClaimRecord:
    return ClaimRecord(
        number=plan.claims_filed + 1,
        plan=member.plan,
        pool=member.pool,
        member=call.member,
        status=CLAIM_ELIGIBLE,
        filed_day=today,
        filed_ms=context.timestamp_ms,
        filed_height=context.height,
        cause=call.cause,
        diagnosed_day=call.diagnosed_day,
        established_day=0,
        asked_row=call.asked_row,
        row=call.asked_row,
        evidence_root=call.evidence_root,
        payee_kind=call.payee_kind,
        version=member.version,
        firms=(),
        certificate=None,
        visit_attested=(),
        bill_tags=call.bill_tags,
        seats=SEATS_FIRST,
        redraws=0,
        draw_height=context.height,
        decided_by=None,
        clauses=(),
        reason=0,
        due_day=0,
        due_kind=DUE_NONE,
        escalation=0,
        period=0,
        amount=0,
        granted=0,
        rest=0,
        paid=0,
        is_shares_refund=False,
        is_flagged=False,
    )


def _note_bills(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> bool:
    """Note the claim's bills; flag it and the other claim where a bill was used before."""
    is_flagged = False
    for tag in claim.bill_tags:
        used = state.get(BILL_TAG, claim.plan, tag)
        if used is None:
            state.put(BILL_TAG, BillTagRecord(claim=claim_id, is_consumed=False), claim.plan, tag)
            continue
        is_flagged = True
        context.emit(ClaimFlagged(claim=claim_id, tag=tag))
        other = state.require(CLAIM, used.claim)
        if not other.is_flagged:
            context.emit(ClaimFlagged(claim=used.claim, tag=tag))
            save(state, used.claim, replace(other, is_flagged=True))
    return is_flagged
