"""Events of hearings, erasures, index epochs and checks for ghosts. None names a claim (contract 6)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _PersonEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event about persons."""


# --- hearings ---


class VoidOpened(_PersonEvent, frozen=True, tag="void_opened"):
    """A hearing on a false declaration began; the member stays counted until it is final."""

    member: bytes
    finding_root: bytes
    platform: str
    firm: str
    due_day: Number
    """The member may answer before this day."""


class VoidAnswered(_PersonEvent, frozen=True, tag="void_answered"):
    """The member answered in the hearing."""

    member: bytes
    answer_hash: bytes


class VoidMoved(_PersonEvent, frozen=True, tag="void_moved"):
    """Another party is asked now: the hearing is over, somebody was silent, or the member appealed."""

    member: bytes
    state: Number
    """See person_tables.VOID_STAGE_NAMES."""
    due_day: Number
    """0: no deadline of its own."""


class VoidDecided(_PersonEvent, frozen=True, tag="void_decided"):
    """An auditor decided; a void becomes final when nobody appeals."""

    member: bytes
    organisation: str
    is_void: bool
    due_day: Number
    """Last day of appeal is the day before; 0 for a dismissal."""


class VoidClosed(_PersonEvent, frozen=True, tag="void_closed"):
    """A hearing ended for good; on silence of both auditors for the member."""

    member: bytes
    is_void: bool


# --- erasure ---


class ErasureRequested(_PersonEvent, frozen=True, tag="erasure_requested"):
    """Every node deletes the member's detached data with this block, every organisation confirms its own deletion."""

    member: bytes
    scope: Number
    """See person_tables.ERASURE_SCOPE_NAMES."""
    organisation: str | None
    """Auditor that asked; null: the member."""
    due_day: Number


class ErasureReceived(_PersonEvent, frozen=True, tag="erasure_received"):
    """An organisation confirmed that data and keys are gone there."""

    member: bytes
    scope: Number
    organisation: str
    missing: Number
    """Organisations that have not; 0: the member is ERASED."""


class ErasureOverdue(_PersonEvent, frozen=True, tag="erasure_overdue"):
    """Organisations have not confirmed in their days."""

    member: bytes
    missing: tuple[str, ...]


# --- index epochs ---


class IndexEpochOpened(_PersonEvent, frozen=True, tag="index_epoch_opened"):
    """A new epoch of the blind index is issued; admissions wait."""

    plan: str
    epoch: Number
    bank_point: bytes
    auditor_point: bytes
    left: Number
    """Persons whose index is to be issued anew."""
    due_day: Number


class IndexEpochClosed(_PersonEvent, frozen=True, tag="index_epoch_closed"):
    """An epoch came into force, or was dropped because persons were left; admissions go on."""

    plan: str
    epoch: Number
    is_in_force: bool
    left: Number


class PersonReissued(_PersonEvent, frozen=True, tag="person_reissued"):
    """Bank and auditor gave the same new index: the person's entry has moved."""

    member: bytes
    epoch: Number


class PersonsMerged(_PersonEvent, frozen=True, tag="persons_merged"):
    """Two memberships have one index in the new epoch: one person had come in twice."""

    member: bytes
    other: bytes
    """The membership that had the index first."""
    epoch: Number
    is_barred: bool


# --- ghosts ---


class GhostsDrawn(_PersonEvent, frozen=True, tag="ghosts_drawn"):
    """A sample of the counted members was drawn; its pseudonyms are in the record of the draw."""

    plan: str
    pool: Number
    draw: Number
    members: Number
    sample_size: Number
    value: bytes
    organisation: str
    """Auditor that is asked."""
    due_day: Number


class GhostsReported(_PersonEvent, frozen=True, tag="ghosts_reported"):
    """An auditor said how many of the sample exist as persons."""

    plan: str
    pool: Number
    draw: Number
    organisation: str
    sample_size: Number
    found: Number
    bound_ppm: Number
    """Share of ghosts that is excluded with 95 % confidence, in parts per million."""
    report_root: bytes


class GhostAuditOverdue(_PersonEvent, frozen=True, tag="ghost_audit_overdue"):
    """The auditor that was asked has not reported in its days; now any may."""

    plan: str
    pool: Number
    draw: Number
    organisation: str


PersonEvent = (
    VoidOpened
    | VoidAnswered
    | VoidMoved
    | VoidDecided
    | VoidClosed
    | ErasureRequested
    | ErasureReceived
    | ErasureOverdue
    | IndexEpochOpened
    | IndexEpochClosed
    | PersonReissued
    | PersonsMerged
    | GhostsDrawn
    | GhostsReported
    | GhostAuditOverdue
)
"""Every event of these files."""
