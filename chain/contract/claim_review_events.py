"""Events around a claim: withdrawal, objections and recheck, card, re-audit (contract 2, Claim).

As in claim_events.py none of them names a member: who objected, and whose claim it is, is not public (contract 6).
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _ReviewEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of this file."""

    claim: bytes
    """The claim: tx_id of its claim_file."""


class FirmKept(_ReviewEvent, frozen=True, tag="firm_kept"):
    """A claim that was filed again keeps a firm that was drawn for the one before."""

    organisation: str
    before: bytes
    """The claim before."""


class FirmDeclined(_ReviewEvent, frozen=True, tag="firm_declined"):
    """A drawn firm gave its seat back."""

    organisation: str
    is_conflict: bool


class FirmRemoved(_ReviewEvent, frozen=True, tag="firm_removed"):
    """A firm lost its seat because it left the consortium."""

    organisation: str


class ClaimPayeeChanged(_ReviewEvent, frozen=True, tag="claim_payee_changed"):
    """The claimant said anew who is to be paid; who, is not public."""


class ClaimCardWritten(_ReviewEvent, frozen=True, tag="claim_card_written"):
    """The platform wrote or replaced the card of the notice."""


class ObjectionFiled(_ReviewEvent, frozen=True, tag="objection_filed"):
    """A covered member objected to a noticed claim."""

    objection: bytes
    """tx_id of the objection_file."""
    evidence_hash: bytes


class ObjectionEnded(_ReviewEvent, frozen=True, tag="objection_ended"):
    """An objection was ruled on, joined to another one, dismissed by silence, or lost its ground."""

    objection: bytes
    status: Number
    """See claim_review_tables.OBJECTION_STATUS_NAMES."""
    organisation: str | None
    """Auditor that ruled."""


class RecheckOpened(_ReviewEvent, frozen=True, tag="recheck_opened"):
    """An admitted objection sent the claim to one more firm."""

    rechecks: Number
    """How many there were, with this one."""
    end_day: Number


class RecheckEnded(_ReviewEvent, frozen=True, tag="recheck_ended"):
    """A recheck is over: the majority of all reports decided again."""

    reports: Number
    """Reports that it added."""
    is_approved: bool


class ReauditLot(_ReviewEvent, frozen=True, tag="reaudit_lot"):
    """The lot of a paid claim: with the beacon value anybody can draw again."""

    is_chosen: bool
    value: bytes


class ReauditAsked(_ReviewEvent, frozen=True, tag="reaudit_asked"):
    """Somebody is asked to audit a paid claim again."""

    firm: str | None
    """Null: the auditor alone."""
    auditor: str
    due_day: Number


class ReauditEnded(_ReviewEvent, frozen=True, tag="reaudit_ended"):
    """A re-audit has its finding, or everybody who was asked stayed silent."""

    state: Number
    """See claim_review_tables.REAUDIT_OUTCOME_NAMES."""
    signed_by: tuple[str, ...]


ReviewEvent = (
    FirmKept
    | FirmDeclined
    | FirmRemoved
    | ClaimPayeeChanged
    | ClaimCardWritten
    | ObjectionFiled
    | ObjectionEnded
    | RecheckOpened
    | RecheckEnded
    | ReauditLot
    | ReauditAsked
    | ReauditEnded
)
"""Every event of this file."""
