"""What a decided appeal does to the claim or membership that it was about (contract 2, appeal to a drawn jury).

    appealed             dismissed             upheld
    REJECTED             REJECTED              APPROVED with the row of the reports or, without one, the row asked for
    REFUSED at filing    REFUSED               ELIGIBLE, drawn as any other; not refused again for the same
    REFUSED by its day   REFUSED               APPROVED with the row of the reports
    lower row            APPROVED, as before   APPROVED with the row asked for
    void                 final                 dismissed; the membership goes on

A jury judges what the case is, never what the books say: an approval still needs a certificate, a bill that nobody
else has used, and cover on the established day unless that was the question. The amount is that of the pinned table,
never above the ceiling (claim_decision.compute_amount).
"""

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract import claim_roster
from chain.contract.appeal_tables import (
    CLAIM_APPEALS,
    DECIDER_PANEL,
    NO_CLAIM_APPEALS,
    SUBJECT_REFUSED,
    SUBJECT_ROW,
    AppealRecord,
    is_overruled,
)
from chain.contract.claim_appeal import admit_refused, approve_on_appeal, drop_appeal, get_day
from chain.contract.claim_decision import find_bar
from chain.contract.claim_eligibility import compute_eligibility, start_shares_refund
from chain.contract.claim_status import FINDING_FULFILLED, close, get_majority, open_appeal_window
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPEALED,
    CLAIM_CASE,
    CLAIM_EXPIRED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.organisations import get_auditors
from chain.contract.persons import is_barred
from chain.contract.tables import MEMBER
from chain.contract.void import on_void_dismissed, on_void_upheld
from chain.state import Overlay


def end_void(state: Overlay, context: Context, member_id: bytes, *, is_upheld: bool) -> None:
    """Close the hearing that was appealed: an appeal that is right dismisses the void."""
    if is_upheld:
        on_void_dismissed(state, context, member_id)
    else:
        on_void_upheld(state, context, member_id)


def end_claim(state: Overlay, context: Context, claim_id: bytes, record: AppealRecord, *, is_upheld: bool) -> None:
    """Bring an appealed claim back on its path.

    One that is not APPEALED any more, or whose member was voided or claimed out meanwhile, is past what an appeal
    could change.
    """
    claim = state.require(CLAIM, claim_id)
    if claim.status != CLAIM_APPEALED:
        return
    if not is_upheld or is_barred(state, state.require(MEMBER, claim.member)):
        drop_appeal(state, context, claim_id, claim, record.claim_status)
        return
    claim = replace(claim, decided_by=_get_decider(state, record))
    if record.subject == SUBJECT_ROW:
        approve_on_appeal(state, context, claim_id, claim, claim.asked_row)
    elif record.subject == SUBJECT_REFUSED:
        _admit(state, context, claim_id, claim)
    else:
        _approve_rejected(state, context, claim_id, claim)


def _get_decider(state: Overlay, record: AppealRecord) -> str | None:
    """Return the auditor that decided and therefore may not confirm the claim; a jury confirms nothing."""
    if record.decider != DECIDER_PANEL:
        return None
    auditors = get_auditors(state)
    return next((seat.organisation for seat in record.panel if seat.organisation in auditors), None)


def _admit(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Overrule a refusal: for good, where the day of the diagnosis is the one that was refused."""
    known = state.get(CLAIM_APPEALS, claim_id) or NO_CLAIM_APPEALS
    overruled = (*known.overruled, (claim.reason, claim.established_day or claim.diagnosed_day))
    state.put(CLAIM_APPEALS, replace(known, overruled=overruled), claim_id)
    if claim.firms:
        approve_on_appeal(state, context, claim_id, claim, claim.row)
    else:
        admit_refused(state, context, claim_id, claim)


def _approve_rejected(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Approve a rejected claim, unless what no jury can overlook stands against it."""
    majority = get_majority(claim)
    is_fulfilled = majority is not None and majority.finding == FINDING_FULFILLED
    row = majority.row if majority is not None and is_fulfilled else claim.asked_row
    day = get_day(claim)
    bar = find_bar(state, claim_id, claim, replace(claim_roster.build_seat("-", 0), established_day=day))
    if bar is not None:
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry(bar).number)
        return
    if claim.certificate is None:
        close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("certificate_missing").number)
        return
    case = state.require(CLAIM_CASE, claim.member, claim.cause, claim.diagnosed_day)
    status, reason = compute_eligibility(state, claim, diagnosed_day=day, filed_day=case.filed_day)
    if status == CLAIM_REFUSED and not is_overruled(state, claim_id, reason, day):
        claim = replace(claim, established_day=day, row=row)
        close(state, context, claim_id, claim, CLAIM_REFUSED, reason)
        open_appeal_window(state, context, claim_id)
    elif status == CLAIM_SHARES_REFUND:
        start_shares_refund(state, context, claim_id, replace(claim, established_day=day, row=row))
    else:
        approve_on_appeal(state, context, claim_id, claim, row)
