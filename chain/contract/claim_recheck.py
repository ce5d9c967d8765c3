"""The recheck of a claim after an admitted objection (contract 2, RECHECK; contract 5, objection_rule).

One more independent firm, drawn by lot, reports within 10 days of its draw. Where it says the same as the majority
before, that is the end. Where it differs, a second firm is drawn: two reports by colluding firms are not upheld
against two others. Then the majority of all reports of the claim decides again, in day, row and amount; without a
majority the claim is REJECTED, and its owner may appeal. The report is no secret while it is written, for there is
nobody to copy from, so it is opened without a commitment.

    RECHECK --report concurs with the majority before------------> APPROVED again, next notice
            --report differs--> one more firm --report-----------> majority of all: APPROVED | REJECTED
            --firm silent for 10 days, declines, leaves----------> another firm by lot
            --30 days are over-----------------------------------> majority of the reports that there are

Where no firm is left, an auditor takes the seat, but only if another one is left who may confirm the claim. Where
everybody stays silent the claim is as approved as it was: an objection that nobody upholds delays a claim by 30 days
and the way to the next notice, and no claim is rechecked more than twice.
"""

from msgspec.structs import replace

from chain.contract import beacon, claim_roster
from chain.contract.claim_decision import approve, approve_again, find_bar, reject
from chain.contract.claim_events import FirmReplaced
from chain.contract.claim_review_events import RecheckEnded, RecheckOpened
from chain.contract.claim_review_tables import CLAIM_REVIEW, ClaimReviewRecord
from chain.contract.claim_status import (
    DUE_RECHECK_END,
    DUE_RECHECK_REPORT,
    FINDING_FULFILLED,
    change_status,
    get_active,
    get_majority,
    get_today,
    is_concurring,
    is_involved,
    save,
)
from chain.contract.claim_tables import CLAIM_RECHECK, ClaimRecord
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.organisations import get_auditors
from chain.contract.tables import PLAN
from chain.state import Overlay
from chain.types import Hash

RECHECK_DAYS = 30
"""Days of a whole recheck."""
RECHECK_REPORT_DAYS = 10
"""Days of one firm, from its draw."""
RECHECKS_MAX = 2
"""Rechecks of one claim."""
RECHECK_REPORTS_MAX = 2
"""Reports of one recheck."""


def start(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, review: ClaimReviewRecord) -> None:
    """Send a noticed claim to its recheck; `review` names the admitted objection."""
    end_day = get_today(state, context, claim) + RECHECK_DAYS
    review = replace(
        review,
        rechecks=review.rechecks + 1,
        reports_before=len(get_active(claim)),
        report_day=0,
        end_day=end_day,
    )
    state.put(CLAIM_REVIEW, review, claim_id)
    context.emit(RecheckOpened(claim=claim_id, rechecks=review.rechecks, end_day=end_day))
    _add_due(state, claim_id, claim, kind=DUE_RECHECK_END, day=end_day)
    claim = change_status(context, claim_id, claim, CLAIM_RECHECK)
    claim = replace(claim, seats=review.reports_before + 1)
    claim_roster.ask_draw(state, context, claim_id, claim)


def on_draw(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, value: Hash, day: int) -> None:
    """Draw the firm of the recheck; where nobody can take the seat, the reports that there are decide."""
    review = state.require(CLAIM_REVIEW, claim_id)
    purpose = f"recheck-{len(claim.firms)}"
    drawn = claim_roster.draw_firm(state, claim_id, claim, value, purpose) or _draw_auditor(
        state, claim_id, claim, value, purpose
    )
    if drawn is None:
        _conclude(state, context, claim_id, claim, review)
        return
    claim = claim_roster.seat(state, context, claim_id, claim, (drawn,), value, day)
    report_day = day + RECHECK_REPORT_DAYS
    state.put(CLAIM_REVIEW, replace(review, report_day=report_day), claim_id)
    _add_due(state, claim_id, claim, kind=DUE_RECHECK_REPORT, day=report_day)
    save(state, claim_id, claim)


def on_vacated(state: Overlay, claim_id: bytes) -> None:
    """Note that the seat of the recheck is empty: its deadline has lost its ground."""
    state.put(CLAIM_REVIEW, replace(state.require(CLAIM_REVIEW, claim_id), report_day=0), claim_id)


def on_report(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Go on after the firm of the recheck opened its report, which is in the claim's record already."""
    review = replace(state.require(CLAIM_REVIEW, claim_id), report_day=0)
    state.put(CLAIM_REVIEW, review, claim_id)
    reports = get_active(claim)
    before = reports[: review.reports_before]
    standing = get_majority(replace(claim, firms=before, seats=len(before)))
    is_upheld = standing is not None and is_concurring(reports[-1], standing)
    if is_upheld or len(reports) - len(before) >= RECHECK_REPORTS_MAX:
        _conclude(state, context, claim_id, claim, review)
        return
    claim_roster.ask_draw(state, context, claim_id, replace(claim, seats=len(reports) + 1))


def on_report_due(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, day: int) -> None:
    """Replace a firm that did not report in its days."""
    review = state.require(CLAIM_REVIEW, claim_id)
    if claim.status != CLAIM_RECHECK or review.report_day != day:
        return
    silent = get_active(claim)[-1].organisation
    context.emit(FirmReplaced(claim=claim_id, organisation=silent, due_kind=DUE_RECHECK_REPORT))
    claim_roster.note_duty(state, silent, silent=1)
    on_vacated(state, claim_id)
    claim_roster.ask_draw(state, context, claim_id, claim_roster.vacate(claim, silent))


def on_end_due(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, day: int) -> None:
    """End a recheck whose days are over."""
    review = state.require(CLAIM_REVIEW, claim_id)
    if claim.status == CLAIM_RECHECK and review.end_day == day:
        _conclude(state, context, claim_id, claim, review)


def _conclude(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, review: ClaimReviewRecord) -> None:
    """Let the majority of all opened reports decide the claim again; who decided it first stays its decider."""
    silent = [firm.organisation for firm in get_active(claim) if not firm.is_revealed]
    claim = claim_roster.vacate(claim, *silent)
    reports = get_active(claim)
    claim = replace(claim, seats=len(reports))
    majority = get_majority(claim)
    bar = None if majority is None else find_bar(state, claim_id, claim, majority)
    is_approved = majority is not None and majority.finding == FINDING_FULFILLED and bar is None
    state.put(CLAIM_REVIEW, replace(review, admitted=None, report_day=0, end_day=0), claim_id)
    added = len(reports) - review.reports_before
    if added == 0:
        context.emit(RecheckEnded(claim=claim_id, reports=0, is_approved=True))
        approve_again(state, context, claim_id, claim)
        return
    context.emit(RecheckEnded(claim=claim_id, reports=added, is_approved=is_approved))
    if majority is None:
        reject(state, context, claim_id, claim, "no_majority")
    elif majority.finding != FINDING_FULFILLED:
        reject(state, context, claim_id, replace(claim, clauses=majority.clauses))
    elif bar is not None:
        reject(state, context, claim_id, claim, bar)
    else:
        approve(state, context, claim_id, claim, majority)


def _draw_auditor(state: Overlay, claim_id: bytes, claim: ClaimRecord, value: Hash, purpose: str) -> str | None:
    """Draw an auditor for the seat where no firm is left; None unless another one remains that may confirm."""
    free = [name for name in get_auditors(state) if not is_involved(claim, name)]
    fresh = [name for name in free if all(firm.organisation != name for firm in claim.firms)]
    if len(free) < 2 or not fresh:
        return None
    return fresh[beacon.draw(value, purpose=purpose, subject=claim_id, bound=len(fresh))]


def _add_due(state: Overlay, claim_id: bytes, claim: ClaimRecord, *, kind: int, day: int) -> None:
    offset = state.require(PLAN, claim.plan).utc_offset_minutes
    add_due(state, claim.plan, day, kind, compute_day_start_ms(day, offset), claim_id)
