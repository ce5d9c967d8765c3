"""Events of claims (contract 2, Claim): what the receipts of claim calls and of automatic events say.

None of them names the member: the link between a claim and a pseudonym is not public (contract 6), and the
caller knows it anyway. `claim` is the subject under which explorers find them.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _ClaimEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of a claim."""

    claim: bytes
    """The claim: tx_id of its claim_file."""


class ClaimFiled(_ClaimEvent, frozen=True, tag="claim_filed"):
    """A claim was opened, whatever its first status."""

    number: Number
    """Public running number within the plan."""
    plan: str
    pool: Number
    cause: Number
    diagnosed_day: Number
    asked_row: Number


class ClaimStatusChanged(_ClaimEvent, frozen=True, tag="claim_status_changed"):
    """A claim reached a status."""

    status: Number
    """See tables.CLAIM_STATUS_NAMES."""
    reason: Number
    """Catalogue number of why it was refused, rejected or expired, else 0."""


class ClaimFlagged(_ClaimEvent, frozen=True, tag="claim_flagged"):
    """A bill of this claim is also a bill of another one."""

    tag: bytes
    """The bill's keyed tag."""


class FirmDrawn(_ClaimEvent, frozen=True, tag="firm_drawn"):
    """A seat of a claim was filled by lot, or by the second auditor where no firm is left."""

    organisation: str
    value: bytes
    """Beacon value that decided: with the roster anybody can draw again (claim_draw)."""


class FirmReplaced(_ClaimEvent, frozen=True, tag="firm_replaced"):
    """A drawn firm was silent past a deadline and lost its seat."""

    organisation: str
    due_kind: Number
    """Deadline that it missed (claim_status.DUE_*)."""


class FirmAccepted(_ClaimEvent, frozen=True, tag="firm_accepted"):
    """A drawn firm took the claim."""

    organisation: str


class ReportCommitted(_ClaimEvent, frozen=True, tag="report_committed"):
    """A drawn firm sealed its report."""

    organisation: str
    hash: bytes


class ReportRevealed(_ClaimEvent, frozen=True, tag="report_revealed"):
    """A drawn firm opened its report."""

    organisation: str
    finding: Number
    established_day: Number
    row: Number


class ThirdFirmAsked(_ClaimEvent, frozen=True, tag="third_firm_asked"):
    """The two reports differ in finding, day or row."""


class VisitAttested(_ClaimEvent, frozen=True, tag="visit_attested"):
    """A drawn firm attested what it saw on its visit."""

    organisation: str
    document_hash: bytes


class CertificateAttached(_ClaimEvent, frozen=True, tag="certificate_attached"):
    """The claim has its certificate."""

    source: Number
    """0 hospital, 1 e-bill, 2 visit."""
    document_hash: bytes


class ClaimEscalated(_ClaimEvent, frozen=True, tag="claim_escalated"):
    """Whoever was asked to decide stayed silent: the case went up."""

    escalation: Number
    """Who is asked now: 1 first auditor, 2 second auditor, 3 the concurring reports."""


class ClaimDecided(_ClaimEvent, frozen=True, tag="claim_decided"):
    """A claim was decided on medical grounds."""

    decided_by: str | None
    """The organisation, or null where the concurring reports decided."""
    is_approved: bool
    row: Number
    established_day: Number


class ClaimNoticed(_ClaimEvent, frozen=True, tag="claim_noticed"):
    """A claim is on the public list of a period."""

    period: Number
    amount: Number
    """Fen."""


class ClaimConfirmed(_ClaimEvent, frozen=True, tag="claim_confirmed"):
    """The period's auditor confirmed a noticed claim."""

    organisation: str
    period: Number


class ClaimSettled(_ClaimEvent, frozen=True, tag="claim_settled"):
    """A settlement granted money to a claim."""

    granted: Number
    """Fen granted by this settlement."""
    rest: Number
    """Fen carried to the next one."""


class ClaimPaid(_ClaimEvent, frozen=True, tag="claim_paid"):
    """The bank acknowledged a payment on a claim."""

    amount: Number
    """Fen."""


ClaimEvent = (
    ClaimFiled
    | ClaimStatusChanged
    | ClaimFlagged
    | FirmDrawn
    | FirmReplaced
    | FirmAccepted
    | ReportCommitted
    | ReportRevealed
    | ThirdFirmAsked
    | VisitAttested
    | CertificateAttached
    | ClaimEscalated
    | ClaimDecided
    | ClaimNoticed
    | ClaimConfirmed
    | ClaimSettled
    | ClaimPaid
)
"""Every event of a claim that protocol version 1 knows."""
