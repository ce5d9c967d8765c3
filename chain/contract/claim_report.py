"""Sealed reports and the certificate of a claim (contract 2, INVESTIGATED; contract 5, report_*).

Commit, then reveal: no report is opened before every seat has committed, so no firm can copy another's. Each
commitment names its firm and claim, so copying the hash gives nothing either. A seat that misses its deadline
is drawn again (claim_draw) while the commitments already made wait sealed. Two reports that differ in
finding, day or row make a third seat; then the case goes to the platform with what the reports say.
"""

from msgspec.structs import replace

from chain.codec import encode
from chain.contract import claim_recheck, claim_roster, organisations
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import CertificateAttach, ReportCommit, ReportReveal
from chain.contract.claim_events import (
    CertificateAttached,
    ReportCommitted,
    ReportRevealed,
    ThirdFirmAsked,
    VisitAttested,
)
from chain.contract.claim_status import (
    DECISION_DAYS,
    DUE_DECISION,
    DUE_REVEAL,
    FINDING_FULFILLED,
    REVEAL_DAYS,
    SEATS_FIRST,
    SEATS_THIRD,
    change_status,
    get_active,
    get_majority,
    get_today,
    require_claim,
    require_signer,
    require_status,
    save,
    set_due,
    validate_clauses,
)
from chain.contract.claim_tables import (
    CLAIM_APPEALED,
    CLAIM_ASSIGNED,
    CLAIM_ELIGIBLE,
    CLAIM_INVESTIGATED,
    CLAIM_RECHECK,
    SOURCE_E_BILL,
    SOURCE_VISIT,
    ClaimRecord,
    DrawnFirm,
)
from chain.contract.context import Context
from chain.contract.terms import get_benefit_fen
from chain.crypto import sha256
from chain.errors import Refusal
from chain.genesis import ROLE_HOSPITAL
from chain.state import Overlay
from chain.types import Hash

REPORT_TAG = b"gongji/report/v1\n"


def hash_report(organisation: str, reveal: ReportReveal) -> Hash:
    """Return what a firm commits to: SHA-256("gongji/report/v1\\n" || canonical [organisation, reveal]).

    `reveal` is the whole later call as an array, its name "report_reveal" first, then claim, finding,
    established day, row, clauses, report root and salt (32 bytes, random and secret until then). The claim is
    bound to one chain by its own id, which is a transaction id.
    """
    return sha256(REPORT_TAG + encode((organisation, reveal)))


def apply_report_commit(state: Overlay, context: Context, call: ReportCommit) -> tuple[int, ...]:
    """Seal a report; when every seat has, the 3 days of revealing begin.

    Refused: claim_unknown, wrong_role, claim_state (not ASSIGNED, or the firm has not accepted), not_drawn,
    already for the same hash, conflict for another one: a commitment is never exchanged.
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    require_status(claim, CLAIM_ASSIGNED)
    firm = claim_roster.require_drawn(claim, signer.organisation)
    if not firm.is_accepted:
        raise Refusal("claim_state", reason="not accepted")
    if firm.commit_hash is not None:
        raise Refusal("already" if firm.commit_hash == call.hash else "conflict", claim=call.claim.hex())
    claim = claim_roster.put_firm(claim, replace(firm, commit_hash=call.hash))
    context.emit(ReportCommitted(claim=call.claim, organisation=firm.organisation, hash=call.hash))
    if _is_sealed(claim):
        today = get_today(state, context, claim)
        claim = set_due(state, call.claim, claim, kind=DUE_REVEAL, today=today, days=REVEAL_DAYS)
    save(state, call.claim, claim)
    return ()


def apply_report_reveal(state: Overlay, context: Context, call: ReportReveal) -> tuple[int, ...]:
    """Open a sealed report; the last one makes the claim INVESTIGATED, or asks for a third firm.

    Refused: claim_unknown, wrong_role, claim_state, not_drawn, already; reveal_too_early until every seat has
    committed (a seat that misses its deadline is filled again first); commit_mismatch; day_in_future;
    row_unknown in the member's pinned table; clauses_missing where the finding is "not fulfilled"; clause_unknown in
    the pinned rules. The firm of a recheck opens its report without a commitment (claim_recheck.py).
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    require_status(claim, CLAIM_ASSIGNED, CLAIM_RECHECK)
    firm = claim_roster.require_drawn(claim, signer.organisation)
    if firm.is_revealed:
        raise Refusal("already", claim=call.claim.hex())
    if claim.status == CLAIM_ASSIGNED:
        _require_sealed(claim, firm, call)
    today = get_today(state, context, claim)
    _validate_report(state, claim, call, today)
    report = replace(
        firm,
        is_revealed=True,
        finding=call.finding,
        established_day=call.established_day,
        row=call.row,
        clauses=call.clauses,
        report_root=call.report_root,
    )
    claim = claim_roster.put_firm(claim, report)
    claim_roster.note_duty(state, report.organisation, reported=1)
    context.emit(
        ReportRevealed(
            claim=call.claim,
            organisation=report.organisation,
            finding=report.finding,
            established_day=report.established_day,
            row=report.row,
        )
    )
    if claim.status == CLAIM_RECHECK:
        claim_recheck.on_report(state, context, call.claim, claim)
    elif all(item.is_revealed for item in get_active(claim)):
        _end_investigation(state, context, call.claim, claim, today)
    else:
        save(state, call.claim, claim)
    return ()


def apply_certificate_attach(state: Overlay, context: Context, call: CertificateAttach) -> tuple[int, ...]:
    """Attach the certificate that approval needs: a hospital's at once, a visit's once two firms attest it.

    The signer has compared the claim's bill tags with the bills, and says so by their root (claim_bills.py). Refused:
    claim_unknown; wrong_role (a hospital certifies records and e-bills, a drawn firm its visit); claim_state once it
    is decided; not_drawn; bills_not_certified for another root, or an e-bill of a claim without bills; already for the
    same document, conflict for another one. Until two firms agree, each may replace its own attestation.
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    if (signer.role == ROLE_HOSPITAL) == (call.source == SOURCE_VISIT):
        raise Refusal("wrong_role", source=call.source)
    require_status(claim, CLAIM_ELIGIBLE, CLAIM_ASSIGNED, CLAIM_INVESTIGATED, CLAIM_APPEALED)
    if call.source == SOURCE_VISIT:
        claim_roster.require_drawn(claim, signer.organisation)
    bill_root = compute_bill_root(claim.bill_tags)
    if call.bill_root != bill_root or (call.source == SOURCE_E_BILL and not claim.bill_tags):
        raise Refusal("bills_not_certified", bill_root=bill_root.hex())
    certificate = (call.source, call.document_hash)
    if claim.certificate is not None:
        raise Refusal("already" if claim.certificate == certificate else "conflict", claim=call.claim.hex())
    if call.source == SOURCE_VISIT:
        claim = _attest_visit(context, call, claim, signer.organisation)
    else:
        claim = _certify(context, call, claim)
    save(state, call.claim, claim)
    return ()


def _is_sealed(claim: ClaimRecord) -> bool:
    return claim_roster.is_seated(claim) and all(firm.commit_hash is not None for firm in get_active(claim))


def _require_sealed(claim: ClaimRecord, firm: DrawnFirm, call: ReportReveal) -> None:
    if not _is_sealed(claim):
        raise Refusal("reveal_too_early", claim=call.claim.hex())
    if hash_report(firm.organisation, call) != firm.commit_hash:
        raise Refusal("commit_mismatch", claim=call.claim.hex())


def _validate_report(state: Overlay, claim: ClaimRecord, call: ReportReveal, today: int) -> None:
    if call.established_day > today:
        raise Refusal("day_in_future", established_day=call.established_day, today=today)
    benefits = organisations.get_terms(state, claim.plan, claim.version).pinned.benefits
    if get_benefit_fen(benefits, call.row) is None:
        raise Refusal("row_unknown", row=call.row)
    if call.finding != FINDING_FULFILLED and not call.clauses:
        raise Refusal("clauses_missing", claim=call.claim.hex())
    validate_clauses(state, claim, call.clauses)


def _end_investigation(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, today: int) -> None:
    if claim.seats == SEATS_FIRST and get_majority(claim) is None:
        context.emit(ThirdFirmAsked(claim=claim_id))
        claim_roster.ask_draw(state, context, claim_id, replace(claim, seats=SEATS_THIRD))
        return
    claim = change_status(context, claim_id, claim, CLAIM_INVESTIGATED)
    claim = set_due(state, claim_id, claim, kind=DUE_DECISION, today=today, days=DECISION_DAYS[0])
    save(state, claim_id, claim)


def _certify(context: Context, call: CertificateAttach, claim: ClaimRecord) -> ClaimRecord:
    context.emit(CertificateAttached(claim=call.claim, source=call.source, document_hash=call.document_hash))
    return replace(claim, certificate=(call.source, call.document_hash), visit_attested=())


def _attest_visit(context: Context, call: CertificateAttach, claim: ClaimRecord, organisation: str) -> ClaimRecord:
    attested = dict(claim.visit_attested)
    if attested.get(organisation) == call.document_hash:
        raise Refusal("already", claim=call.claim.hex())
    attested[organisation] = call.document_hash
    context.emit(VisitAttested(claim=call.claim, organisation=organisation, document_hash=call.document_hash))
    agreeing = [firm for firm in get_active(claim) if attested.get(firm.organisation) == call.document_hash]
    if len(agreeing) >= SEATS_FIRST:
        return _certify(context, call, claim)
    return replace(claim, visit_attested=tuple(attested.items()))
