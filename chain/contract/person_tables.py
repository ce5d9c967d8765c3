"""Tables of what concerns a person beyond the membership: hearings, erasure, index epochs, checks for ghosts.

They are apart from tables.py, because hardly any member ever has a record here, while every byte of MemberRecord is
paid for by all (contract 2 *VOIDED*, *ERASED*; 5; 6).
"""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, Name, OptionalBytes32
from chain.contract.fields import Code, DayField, Number, Record
from chain.state import Table

# Stages of a hearing (void.py)
(
    VOID_HEARING,
    VOID_FIRST_AUDITOR,
    VOID_SECOND_AUDITOR,
    VOID_DECIDED,
    VOID_APPEALED,
    VOID_DISMISSED,
    VOID_UPHELD,
) = range(7)
VOID_STAGE_NAMES = ("hearing", "first_auditor", "second_auditor", "decided", "appealed", "dismissed", "upheld")

ERASE_PROFILE, ERASE_ALL = range(2)
ERASURE_SCOPE_NAMES = ("profile", "all")
SAMPLE_MAX = 1_000
"""Members of one draw, so that its record stays small."""
Epoch = Annotated[int, Meta(ge=0, le=65_535)]
Parts = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Parts per million."""


class VoidRecord(Record, frozen=True):
    """["void", member]: the newest hearing on a false declaration of this member; one at a time."""

    stage: Code
    """See VOID_STAGE_NAMES."""
    finding_root: Bytes32
    platform: Name
    """Platform that opened it."""
    firm: Name
    """Assessor firm that opened it with the platform."""
    opened_day: DayField
    answer_hash: OptionalBytes32
    """What the member answered last; null: nothing yet."""
    decided_by: Name | None
    """Auditor that decided; null while open, and where silence dismissed it."""
    due_day: DayField
    """Deadline of the stage (0:00), 0 where there is none."""
    closed_day: DayField
    """Day on which it was dismissed or became final; 0: it is open."""


class ErasureRecord(Record, frozen=True):
    """["erasure", member]: what is to be deleted everywhere, and who has done it."""

    scope: Code
    """See ERASURE_SCOPE_NAMES."""
    requested_by: Name | None
    """Auditor that asked; null: the member."""
    requested_day: DayField
    due_day: DayField
    """Day on which missing receipts are (again) called overdue; 0 once all are here."""
    receipts: tuple[Name, ...]
    """Organisations that have deleted, in the order of their receipts."""
    erased_day: DayField
    """Day of the last receipt; 0: some are missing. From then on the member is ERASED."""


class PendingEpoch(Record, frozen=True):
    """A new epoch of the blind index while its indexes are issued."""

    epoch: Epoch
    bank_point: Bytes32
    auditor_point: Bytes32
    opened_day: DayField
    due_day: DayField
    """Day from which on it is dropped if any person is left."""
    left: Number
    """Persons whose index has not moved yet."""


class IndexEpochRecord(Record, frozen=True):
    """["index_epoch", plan]: keys of the blind index in force, and how many persons it leads to."""

    epoch: Epoch
    bank_point: OptionalBytes32
    """Public point of the bank's key; null in epoch 0, whose points stand in no transaction."""
    auditor_point: OptionalBytes32
    since_day: DayField
    newest: Epoch
    """Highest epoch that was ever opened; a dropped one is not opened again."""
    persons: Number
    """Entries of the person map: held and barred ones."""
    pending: PendingEpoch | None


class ReissueRecord(Record, frozen=True):
    """["reissue", plan, index]: what bank and auditors say that an index becomes in a newer epoch.

    Complete once both say the same; from then on it leads on for ever, so that an old index still finds its person.
    """

    epoch: Epoch
    bank_index: OptionalBytes32
    auditor_index: OptionalBytes32
    is_moved: bool
    """Both are there and equal, and the person's entry lies under that index."""


class VerifiedEpochRecord(Record, frozen=True):
    """["verified_epoch", member]: epoch in which bank or auditor issued the applicant's index; no record: epoch 0."""

    epoch: Epoch


class GhostAuditRecord(Record, frozen=True):
    """["ghost_audit", plan, pool]: how often a sample of the counted members was drawn."""

    draws: Number
    quarter: Number
    """Calendar quarter of the last draw, counted from year 0: 4 * year + 0..3."""


class GhostDrawRecord(Record, frozen=True):
    """["ghost_draw", plan, pool, draw]: one sample, and what an auditor found."""

    day: DayField
    period: Number
    """Period whose settlement counted the members."""
    height: Number
    """Block of that settlement; its tree is the one that the ranks belong to."""
    value: Bytes32
    """Beacon value that decided."""
    rank_offset: Number
    """Leaves below the share index: rank 0 of the draw is the leaf with this rank in the tree."""
    members: Number
    """Members counted: those with X >= I."""
    sample: Annotated[tuple[Bytes32, ...], Meta(max_length=SAMPLE_MAX)]
    """Pseudonyms drawn, in the order of drawing."""
    auditor: Name
    """Who is asked; after the deadline any auditor may answer."""
    due_day: DayField
    is_overdue: bool
    reported_by: Name | None
    found: Number
    """How many of the sample exist as persons; meaningless before the report."""
    bound_ppm: Parts
    """Share of ghosts among the members that is excluded with 95 % confidence, in parts per million."""
    report_root: OptionalBytes32


class MainBenefitRecord(Record, frozen=True):
    """["main_benefit", plan, person index]: the confirmed claim that has a person's main benefit."""

    claim: Bytes32


VOID = Table("void", VoidRecord)
ERASURE = Table("erasure", ErasureRecord)
INDEX_EPOCH = Table("index_epoch", IndexEpochRecord)
REISSUE = Table("reissue", ReissueRecord)
VERIFIED_EPOCH = Table("verified_epoch", VerifiedEpochRecord)
GHOST_AUDIT = Table("ghost_audit", GhostAuditRecord)
GHOST_DRAW = Table("ghost_draw", GhostDrawRecord)
MAIN_BENEFIT = Table("main_benefit", MainBenefitRecord)
