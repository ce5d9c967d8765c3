"""Filing a claim (contract 5, claim_file): who may, which record it opens, and its first status.

A call that a rule of form forbids is refused and leaves nothing. A claim that is merely not payable is
recorded as REFUSED with its reason, because a refusal can be appealed. Any other is ELIGIBLE and waits for its draw, or
ASSIGNED at once where it keeps the firms of one that was withdrawn (claim_withdrawal.py).
"""

from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract import organisations
from chain.contract.appeal_tables import APPELLANT, NO_APPELLANT
from chain.contract.claim_bills import note_bills
from chain.contract.claim_calls import ClaimFile
from chain.contract.claim_claimant import require_claimant, sign_claimant, validate_payee
from chain.contract.claim_eligibility import compute_eligibility, find_decided_case
from chain.contract.claim_events import ClaimFiled
from chain.contract.claim_open import note_ended, note_filed
from chain.contract.claim_status import DUE_NONE, SEATS_FIRST, change_status, open_appeal_window, save
from chain.contract.claim_tables import CLAIM_CASE, CLAIM_ELIGIBLE, CLAIM_REFUSED, ClaimCaseRecord, ClaimRecord
from chain.contract.claim_withdrawal import require_drawn_before, seat_kept
from chain.contract.context import Context
from chain.contract.persons import is_barred
from chain.contract.tables import (
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_MOVING,
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
from chain.contract.version_tables import Pin, get_pin
from chain.contract.wind_tables import is_pool_closed
from chain.errors import Refusal
from chain.state import Overlay

_MAY_FILE = (
    MEMBER_QUEUED,
    MEMBER_WAITING,
    MEMBER_SHARING,
    MEMBER_MOVING,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
)
"""Cover of the past still gives a right after leaving; the main benefit, a void or a refusal ends it."""


def apply_claim_file(state: Overlay, context: Context, call: ClaimFile) -> tuple[int, ...]:
    """Open a claim; its id is that of the transaction, for an heir's claim that of the signature that completes it.

    Refused (nothing is recorded): member_unknown, not_owner, heir_invalid; plan_not_active once the plan has ended;
    member_state where there never was cover or none is left; claim_open; day_in_future; row_unknown in the
    pinned table; value_out_of_range for a payee that the member does not have or a bill named twice;
    case_decided where this diagnosis was decided before; not_covered or claim_too_late where that was the
    answer before and still is; draw_pending until the firms of a withdrawn claim are drawn.
    """
    member = require_claimant(state, context, call.member, call.heir)
    plan = state.require(PLAN, member.plan)
    today = organisations.get_today(context, plan)
    pin = get_pin(state, call.member, member, call.diagnosed_day)
    _validate_call(state, call, member, plan, pin, today)
    filed_day = _require_case_open(state, call, today)
    claim = _build_claim(context, call, member, plan, pin, today)
    status, reason = compute_eligibility(state, claim, diagnosed_day=call.diagnosed_day, filed_day=filed_day)
    if status != CLAIM_REFUSED:
        require_drawn_before(state, call.member)
    elif state.get(CLAIM_CASE, call.member, call.cause, call.diagnosed_day) is not None:
        raise Refusal(get_entry_by_number(reason).code, diagnosed_day=call.diagnosed_day)
    if not sign_claimant(state, context, call, member, call.heir):
        return ()

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
    claim = replace(claim, is_flagged=note_bills(state, context, claim_id, claim))
    if status == CLAIM_REFUSED:
        save(state, claim_id, change_status(context, claim_id, claim, CLAIM_REFUSED, reason))
        open_appeal_window(state, context, claim_id)
        note_filed(state, claim_id, claim)
        note_ended(state, claim_id, claim)
        return ()
    note_filed(state, claim_id, claim)
    state.put(MEMBER, replace(member, claim=claim_id), call.member)
    seat_kept(state, context, claim_id, claim)
    return ()


def _validate_call(
    state: Overlay, call: ClaimFile, member: MemberRecord, plan: PlanRecord, pin: Pin, today: int
) -> None:
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=member.plan)
    if plan.wind_day and is_pool_closed(state, member.plan, pin.pool):
        raise Refusal("pool_closed", plan=member.plan, pool=pin.pool)
    # Between the payment of a main benefit and the drain of the window the member is only LEAVING.
    if member.status not in _MAY_FILE or is_barred(state, member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    if member.claim is not None:
        raise Refusal("claim_open", claim=member.claim.hex())
    if (state.get(APPELLANT, call.member) or NO_APPELLANT).waiting:
        raise Refusal("claim_open", reason="an appeal waits for its turn")
    if call.diagnosed_day > today:
        raise Refusal("day_in_future", diagnosed_day=call.diagnosed_day, today=today)
    benefits = organisations.get_terms(state, member.plan, pin.version).pinned.benefits
    if get_benefit_fen(benefits, call.asked_row) is None:
        raise Refusal("row_unknown", row=call.asked_row)
    if len(dict.fromkeys(call.bill_tags)) < len(call.bill_tags):
        raise Refusal("value_out_of_range", field="bill_tags")
    validate_payee(state, call.member, member, call.payee_kind)


def _require_case_open(state: Overlay, call: ClaimFile, today: int) -> int:
    """Return the day by which the claim window is measured; a diagnosis that was decided stays decided.

    Without this rule a member could file one diagnosis until the lot gives the firms that he hopes for. Where
    the first filing ended without a decision (EXPIRED, WITHDRAWN, or REFUSED before any firm was drawn), its
    day still counts: the delay was not his.
    """
    decided = find_decided_case(state, call.member, call.diagnosed_day)
    if decided is not None:
        raise Refusal("case_decided", claim=decided.claim.hex())
    case = state.get(CLAIM_CASE, call.member, call.cause, call.diagnosed_day)
    return today if case is None else case.filed_day


def _build_claim(
    context: Context, call: ClaimFile, member: MemberRecord, plan: PlanRecord, pin: Pin, today: int
) -> ClaimRecord:
    return ClaimRecord(
        number=plan.claims_filed + 1,
        plan=member.plan,
        pool=pin.pool,
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
        version=pin.version,
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
