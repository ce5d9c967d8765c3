"""Deciding a claim on medical grounds, and what happens when nobody does (contract 2, APPROVED / REJECTED).

The reports bind: a claim is approved only with what more than half of the seats concur in, and is not
rejected against a majority that found it fulfilled. The platform is asked first (15 days), then the first
auditor (10), then the second (10); after that the concurring reports decide by themselves:

    majority of reports       certificate    bar                status
    fulfilled                 yes            none               APPROVED (or by eligibility, below)
    fulfilled                 any            bill_consumed      REJECTED, with that reason
    fulfilled                 any            case_decided       REJECTED, with that reason
    fulfilled                 none           none               EXPIRED, reason certificate_missing
    not fulfilled             any            any                REJECTED, with the reports' clauses
    none (three differ)       any            any                REJECTED, reason no_majority

A bar is what the assessors cannot see: another confirmed claim used one of the bills, or another claim of the
member on the same established day was decided (one diagnosis is paid once, whatever day was stated).

An approval runs the eligibility again on the established day and then gives APPROVED, SHARES_REFUND or
REFUSED. Nothing here confirms: an approved claim still stands in public and needs the period's auditor. Where
an auditor holds a seat, the case goes from the platform straight to the reports, so that always one auditor
is left to confirm.
"""

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract import claim_lane, organisations
from chain.contract.appeal_tables import is_overruled
from chain.contract.claim_bills import is_bill_consumed
from chain.contract.claim_calls import ClaimDecide
from chain.contract.claim_eligibility import (
    compute_eligibility,
    find_decided_case,
    is_case_decided,
    start_shares_refund,
)
from chain.contract.claim_events import ClaimDecided, ClaimEscalated
from chain.contract.claim_status import (
    DECISION_DAYS,
    DUE_DECISION,
    FINDING_FULFILLED,
    change_status,
    close,
    get_active,
    get_majority,
    keep_firms,
    require_claim,
    require_signer,
    require_status,
    save,
    set_due,
    validate_clauses,
)
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_CASE,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
    ClaimRecord,
    DrawnFirm,
)
from chain.contract.context import Context
from chain.contract.tables import MEMBER, POOL, ROSTER, SignerRecord
from chain.contract.terms import get_benefit_fen, get_least_fen
from chain.contract.version_tables import get_pin
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_PLATFORM
from chain.state import Overlay
from chain.types import Fen

ASKED_PLATFORM, ASKED_FIRST_AUDITOR, ASKED_SECOND_AUDITOR, ASKED_REPORTS = range(4)


def apply_claim_decide(state: Overlay, context: Context, call: ClaimDecide) -> tuple[int, ...]:
    """Approve or reject an investigated claim; only the organisation whose turn it is may.

    Refused: claim_unknown; wrong_role; claim_state; not_your_turn, or deadline_passed for one whose turn is over;
    clause_unknown in the rules that the member pinned. Approving: no_majority (also for another row than the
    majority's), certificate_missing, or the bar: bill_consumed, case_decided. Rejecting: clauses_missing; no_majority
    where the majority found it fulfilled and there is no bar.
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    turn = _get_turn(state, signer)
    require_status(claim, CLAIM_INVESTIGATED)
    if turn != claim.escalation:
        raise Refusal("deadline_passed" if turn < claim.escalation else "not_your_turn", asked=claim.escalation)
    validate_clauses(state, claim, call.clauses)
    majority = get_majority(claim)
    is_fulfilled = majority is not None and majority.finding == FINDING_FULFILLED
    if not call.is_approved:
        if not call.clauses:
            raise Refusal("clauses_missing", claim=call.claim.hex())
        if majority is not None and is_fulfilled and find_bar(state, call.claim, claim, majority) is None:
            raise Refusal("no_majority", claim=call.claim.hex())
        claim = replace(claim, decided_by=signer.organisation, clauses=call.clauses)
        reject(state, context, call.claim, claim)
        return ()
    if majority is None or not is_fulfilled or majority.row != call.row:
        raise Refusal("no_majority", row=call.row)
    bar = find_bar(state, call.claim, claim, majority)
    if bar is not None:
        raise Refusal(bar, claim=call.claim.hex())
    if claim.certificate is None:
        raise Refusal("certificate_missing", claim=call.claim.hex())
    claim = replace(claim, decided_by=signer.organisation, clauses=call.clauses)
    approve(state, context, call.claim, claim, majority)
    return ()


def escalate(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, today: int) -> None:
    """Pass an undecided claim on, because whoever was asked stayed silent; last, the reports decide."""
    escalation = claim.escalation + 1
    auditors = state.require(ROSTER, ROLE_AUDITOR).names
    if any(firm.organisation in auditors for firm in get_active(claim)):
        escalation = ASKED_REPORTS
    context.emit(ClaimEscalated(claim=claim_id, escalation=escalation))
    claim = replace(claim, escalation=escalation)
    if escalation == ASKED_REPORTS:
        _decide_by_reports(state, context, claim_id, claim)
        return
    days = DECISION_DAYS[escalation]
    save(state, claim_id, set_due(state, claim_id, claim, kind=DUE_DECISION, today=today, days=days))


def compute_amount(state: Overlay, claim: ClaimRecord, row: int) -> Fen:
    """Return the aid of a row: the member's pinned table, never above the pool's ceiling (contract 3.0)."""
    benefits = organisations.get_terms(state, claim.plan, claim.version).pinned.benefits
    pinned = get_benefit_fen(benefits, row)
    if pinned is None:
        raise InvariantViolation(f"claim {claim.number} of {claim.plan}: row {row} has no amount")
    band, is_mild = benefits[row // 2], row % 2 == 1
    pool = state.require(POOL, claim.plan, claim.pool)
    tables = [organisations.get_terms(state, claim.plan, pool.version).pool.benefit_ceiling]
    # Established on a day on which another version held for the member: what that one gives at these ages.
    day = claim.established_day or claim.diagnosed_day
    held = get_pin(state, claim.member, state.require(MEMBER, claim.member), day).version
    if held != claim.version:
        tables.append(organisations.get_terms(state, claim.plan, held).pinned.benefits)
    low, high = band.age_from_years, band.age_to_years
    others = [get_least_fen(table, age_from_years=low, age_to_years=high, is_mild=is_mild) for table in tables]
    return Fen(min([pinned, *(amount for amount in others if amount)]))


def _get_turn(state: Overlay, signer: SignerRecord) -> int:
    if signer.role == ROLE_PLATFORM:
        return ASKED_PLATFORM
    # By the roster of today: an auditor may have left since this one was given its number.
    asked = organisations.get_auditors(state)[:2]
    if signer.organisation in asked:
        return ASKED_FIRST_AUDITOR + asked.index(signer.organisation)
    raise Refusal("wrong_role", organisation=signer.organisation)


def _decide_by_reports(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    majority = get_majority(claim)
    if majority is None:
        reject(state, context, claim_id, claim, "no_majority")
        return
    if majority.finding != FINDING_FULFILLED:
        reject(state, context, claim_id, replace(claim, clauses=majority.clauses))
        return
    bar = find_bar(state, claim_id, claim, majority)
    if bar is not None:
        reject(state, context, claim_id, claim, bar)
    elif claim.certificate is None:
        keep_firms(state, claim_id, claim)
        close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("certificate_missing").number)
    else:
        approve(state, context, claim_id, claim, majority)


def find_bar(state: Overlay, claim_id: bytes, claim: ClaimRecord, majority: DrawnFirm) -> str | None:
    """Return the code of what forbids an approval that the reports support, or None."""
    if is_bill_consumed(state, claim_id, claim):
        return "bill_consumed"
    decided = find_decided_case(state, claim.member, majority.established_day, claim_id)
    return None if decided is None else "case_decided"


def reject(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, reason: str = "success") -> None:
    """Reject a claim, for its clauses or for a reason of the catalogue."""
    majority = get_majority(claim)
    day = 0
    if majority is not None:
        day = majority.established_day
        _note_decided(state, claim_id, claim, day)
    context.emit(
        ClaimDecided(claim=claim_id, decided_by=claim.decided_by, is_approved=False, row=claim.row, established_day=day)
    )
    close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry(reason).number)


def _note_decided(state: Overlay, claim_id: bytes, claim: ClaimRecord, day: int) -> None:
    """Note that a diagnosis was decided under the day that the assessors established (ADR 0005).

    Otherwise a rejected member could state other days until the lot is kind.
    """
    known = state.get(CLAIM_CASE, claim.member, claim.cause, day)
    if known is None or not is_case_decided(state, known):
        case = state.require(CLAIM_CASE, claim.member, claim.cause, claim.diagnosed_day)
        state.put(CLAIM_CASE, replace(case, claim=claim_id), claim.member, claim.cause, day)


def approve(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, report: DrawnFirm) -> None:
    """Approve a claim with the day and row of a report, if they give a right to aid; to be noticed next."""
    day = report.established_day
    context.emit(
        ClaimDecided(claim=claim_id, decided_by=claim.decided_by, is_approved=True, row=report.row, established_day=day)
    )
    claim = replace(claim, established_day=day, row=report.row)
    case = state.require(CLAIM_CASE, claim.member, claim.cause, claim.diagnosed_day)
    state.put(CLAIM_CASE, replace(case, claim=claim_id), claim.member, claim.cause, day)
    status, reason = compute_eligibility(state, claim, diagnosed_day=day, filed_day=case.filed_day)
    if status == CLAIM_REFUSED and not is_overruled(state, claim_id, reason, day):
        close(state, context, claim_id, claim, CLAIM_REFUSED, reason)
        return
    if status == CLAIM_SHARES_REFUND:
        start_shares_refund(state, context, claim_id, claim)
        return
    claim = replace(claim, amount=compute_amount(state, claim, report.row))
    approve_again(state, context, claim_id, claim)


def approve_again(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Put a claim whose day, row and amount stand on the list of the next notice."""
    save(state, claim_id, change_status(context, claim_id, claim, CLAIM_APPROVED))
    claim_lane.push(state, claim.plan, claim_lane.LANE_NOTICE + claim.pool, claim_id)
