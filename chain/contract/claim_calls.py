"""Calls on claims: filing, investigation, decision, review, appeal, recheck, re-audit (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import ITEMS_MAX, Bytes32, CallPart, Clauses, DayNumber, OptionalBytes32
from chain.types import ZERO_HASH


class ClaimFile(CallPart, frozen=True, tag="claim_file"):
    """Member, guardian, or for a dead member an heir together with an auditor: ask for aid."""

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
    heir: OptionalBytes32 = None
    """Key of the heir who files for a dead member; null while the member lives."""


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
    bill_root: Bytes32 = ZERO_HASH
    """Root over the claim's bill tags, which the signer compared with the bills; zero for a claim without bills."""


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
    """Member: take a claim back; the next one keeps the drawn firms."""

    member: Bytes32
    claim: Bytes32
    heir: OptionalBytes32 = None
    """As in claim_file."""


class ClaimPayee(CallPart, frozen=True, tag="claim_payee"):
    """Member: who is to be paid."""

    member: Bytes32
    claim: Bytes32
    payee_kind: Annotated[int, Meta(ge=0, le=2)]
    """0 self, 1 guardian, 2 estate."""
    heir: OptionalBytes32 = None
    """As in claim_file."""


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


# --- notice and objections -------------------------------------------------------------------------------------------


class ClaimCard(CallPart, frozen=True, tag="claim_card"):
    """Platform: what the public is told about the patient during the notice."""

    claim: Bytes32
    age_from_years: Annotated[int, Meta(ge=0, le=145)]
    """First year of the age band, a multiple of 5."""
    age_to_years: Annotated[int, Meta(ge=4, le=149)]
    """Last year of the age band: five years, or more where generalised."""
    sex: Annotated[int, Meta(ge=0, le=2)]
    """1 male, 2 female, 0 not said (generalised)."""
    province: Annotated[int, Meta(ge=0, le=99)]
    """First two digits of the GB/T 2260 code, 0 where generalised."""
    disease_group: Annotated[int, Meta(ge=0, le=255)]
    """Number of the group in the rules, 0 where generalised."""
    people_min: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    """At least so many members share this card."""


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
    heir: OptionalBytes32 = None
    """As in claim_file."""


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


class AppealRule(CallPart, frozen=True, tag="appeal_rule"):
    """Auditor and firm of the panel, each with a vote of its own: decide an appeal for which no jury voted."""

    case: Bytes32
    is_upheld: bool
    """True: the appeal is right."""
