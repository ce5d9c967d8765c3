"""Calls on claims: filing, investigation, decision, review, appeal, recheck, re-audit (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import ITEMS_MAX, Bytes32, CallPart, Clauses, DayNumber, OptionalBytes32


class ClaimFile(CallPart, frozen=True, tag="claim_file"):
    """Member or guardian: ask for aid."""

    member: Bytes32
    cause: Annotated[int, Meta(ge=0, le=1)]
    """0 illness, 1 accident."""
    diagnosed_day: DayNumber
    evidence_root: Bytes32
    """Root over salted leaves of the evidence."""
    bill_tags: Annotated[tuple[Bytes32, ...], Meta(max_length=16)]
    """Keyed tags of the bills, so that no bill is used twice."""
    asked_row: Annotated[int, Meta(ge=0, le=255)]
    """Row of the pinned benefit table that the member asks for."""
    payee_kind: Annotated[int, Meta(ge=0, le=2)]
    """0 self, 1 guardian, 2 estate."""


class AssessorAccept(CallPart, frozen=True, tag="assessor_accept"):
    """Assessor firm: take a claim that it was drawn for."""

    claim: Bytes32


class ReportCommit(CallPart, frozen=True, tag="report_commit"):
    """Assessor firm: seal a report (hash of the reveal's content)."""

    claim: Bytes32
    hash: Bytes32


class ReportReveal(CallPart, frozen=True, tag="report_reveal"):
    """Assessor firm: open the sealed report."""

    claim: Bytes32
    finding: Annotated[int, Meta(ge=0, le=1)]
    """0 not fulfilled, 1 fulfilled."""
    established_day: DayNumber
    row: Annotated[int, Meta(ge=0, le=255)]
    clauses: Clauses
    report_root: Bytes32
    salt: Bytes32


class CertificateAttach(CallPart, frozen=True, tag="certificate_attach"):
    """Hospital, or both drawn firms after a visit: certify record or e-bill."""

    claim: Bytes32
    source: Annotated[int, Meta(ge=0, le=2)]
    """0 hospital, 1 e_bill, 2 visit."""
    document_hash: Bytes32


class ClaimDecide(CallPart, frozen=True, tag="claim_decide"):
    """Platform, on silence an auditor: decide on medical grounds."""

    claim: Bytes32
    is_approved: bool
    row: Annotated[int, Meta(ge=0, le=255)]
    clauses: Clauses


class ClaimConfirm(CallPart, frozen=True, tag="claim_confirm"):
    """Auditor of the period: confirm noticed claims."""

    items: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


# --- the claimant --------------------------------------------------------------------------------------------------


class ClaimWithdraw(CallPart, frozen=True, tag="claim_withdraw"):
    """Member: take a claim back; refiling the same diagnosis keeps the drawn firms."""

    member: Bytes32
    claim: Bytes32


class ClaimPayee(CallPart, frozen=True, tag="claim_payee"):
    """Member: who is to be paid."""

    member: Bytes32
    claim: Bytes32
    payee_kind: Annotated[int, Meta(ge=0, le=2)]
    """0 self, 1 guardian, 2 estate."""


# --- assessors -----------------------------------------------------------------------------------------------------


class AssessorDecline(CallPart, frozen=True, tag="assessor_decline"):
    """Assessor firm: give a claim back that it was drawn for."""

    claim: Bytes32
    is_conflict: bool
    """A conflict of interest, which is no fault of the firm."""


class ReauditReport(CallPart, frozen=True, tag="reaudit_report"):
    """A firm and an auditor, both others than before: the finding on a paid claim that the lot chose."""

    claim: Bytes32
    is_clean: bool
    """False: clawback."""
    report_root: Bytes32


# --- objections ----------------------------------------------------------------------------------------------------


class ObjectionFile(CallPart, frozen=True, tag="objection_file"):
    """Covered member: object to a noticed claim."""

    member: Bytes32
    claim: Bytes32
    evidence_hash: Bytes32


class ObjectionRule(CallPart, frozen=True, tag="objection_rule"):
    """Auditor: admit or dismiss an objection within 2 days."""

    objection: Bytes32
    """tx_id of the objection_file."""
    is_admitted: bool


# --- appeals -------------------------------------------------------------------------------------------------------


class AppealFile(CallPart, frozen=True, tag="appeal_file"):
    """Member: appeal to a drawn jury within 30 days."""

    member: Bytes32
    subject: Annotated[int, Meta(ge=0, le=3)]
    """0 rejected claim, 1 refused claim, 2 row lower than asked, 3 voided membership."""
    claim: OptionalBytes32
    """The claim; null for a voided membership."""
    grounds_hash: Bytes32


class BallotCommitItem(CallPart, frozen=True):
    """One sealed vote."""

    case: Bytes32
    """tx_id of the appeal_file."""
    hash: Bytes32


class BallotCommit(CallPart, frozen=True, tag="ballot_commit"):
    """Juror: seal votes."""

    member: Bytes32
    items: Annotated[tuple[BallotCommitItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class BallotRevealItem(CallPart, frozen=True):
    """One opened vote."""

    case: Bytes32
    is_upheld: bool
    """True: the appeal is right."""
    salt: Bytes32


class BallotReveal(CallPart, frozen=True, tag="ballot_reveal"):
    """Juror: open votes."""

    member: Bytes32
    items: Annotated[tuple[BallotRevealItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]
