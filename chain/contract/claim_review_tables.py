"""Tables of what happens around a claim: withdrawals, objections and rechecks, cards, re-audits, the firms' duties.

The claim's own record is read and written on its whole path, so what only a few claims have is kept here.
"""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, Number, Record
from chain.state import Table

# What became of an objection
OBJECTION_OPEN, OBJECTION_DISMISSED, OBJECTION_ADMITTED, OBJECTION_JOINED, OBJECTION_MOOT = range(5)
OBJECTION_STATUS_NAMES = ("open", "dismissed", "admitted", "joined", "moot")

# What became of a re-audit
REAUDIT_OPEN, REAUDIT_CLEAN, REAUDIT_CLAWBACK, REAUDIT_UNAUDITED = range(4)
REAUDIT_OUTCOME_NAMES = ("open", "clean", "clawback", "unaudited")


class ClaimantRecord(Record, frozen=True):
    """["claimant", member]: what a member's earlier claims mean for the next one."""

    kept: Bytes32 | None
    """Claim that ended undecided and whose firms the next claim keeps: nobody gets a second lot by withdrawing."""
    is_draw_pending: bool
    """The kept claim was withdrawn before its draw, which runs all the same; until then no claim is filed."""
    year: Number
    """Calendar year of `withdrawals`."""
    withdrawals: Number
    """Claims withdrawn in that year."""
    is_refunded: bool
    """The shares were given back once (contract 3.5, share refund): never twice."""


class ClaimReviewRecord(Record, frozen=True):
    """["claim_review", claim]: what stands between its notice and its confirmation."""

    notices: Number
    """Notices that listed it before the present one."""
    objected_notices: Code
    """Notices in which somebody objected."""
    objected_period: Number
    """Newest period of those, plus one; 0 before the first."""
    pending: tuple[Bytes32, ...]
    """Objections that wait for a ruling."""
    admitted: Bytes32 | None
    """Objection whose recheck is running."""
    rechecks: Code
    """Rechecks so far, the running one included."""
    reports_before: Code
    """Reports that the claim rested on when the running recheck began."""
    report_day: DayField
    """By then (0:00) the firm in the seat of the recheck must have reported; 0 while none holds it."""
    end_day: DayField
    """End of the running recheck, 0 without one."""


class ObjectionRecord(Record, frozen=True):
    """["objection", id]: a covered member's objection to a noticed claim."""

    claim: Bytes32
    member: Bytes32
    """Who objects."""
    evidence_hash: Bytes32
    filed_day: DayField
    due_day: DayField
    """At 0:00 of this day it is dismissed unless it was ruled on."""
    status: Code
    """See OBJECTION_STATUS_NAMES."""
    ruled_by: Name | None
    """Auditor that ruled; null where silence or another ruling did."""


class ObjectorRecord(Record, frozen=True):
    """["objector", member]: how often a member objected in a calendar year."""

    year: Number
    count: Number


class ClaimCardRecord(Record, frozen=True):
    """["claim_card", claim]: what the public is told about the patient, for as long as the claim is in notice."""

    age_from_years: Code
    """First year of the age band, a multiple of 5."""
    age_to_years: Code
    """Last year of the age band: five years, or more where generalised."""
    sex: Code
    """1 male, 2 female, 0 not said (generalised)."""
    province: Code
    """First two digits of the GB/T 2260 code, 0 where generalised."""
    disease_group: Code
    """Number of the group in the rules, 0 where generalised."""
    people_min: Number
    """At least so many members share this card."""
    written_by: Name


class ReauditRecord(Record, frozen=True):
    """["reaudit", claim]: the second look at a paid claim that the lot chose."""

    outcome: Code
    """See REAUDIT_OUTCOME_NAMES."""
    firms: tuple[Name, ...]
    """Firms drawn for it so far; the last one is asked."""
    auditor: Name | None
    """Auditor that is asked; null while a firm is drawn for the first time."""
    is_firm_asked: bool
    """False once no firm is left or all stayed silent: then the auditor reports alone."""
    attempt: Code
    """How often the deadline passed."""
    due_day: DayField
    """Deadline of the present attempt, 0 while a firm is drawn or once it ended."""
    signed_by: tuple[Name, ...]
    """Who signed the finding."""
    report_root: Bytes32 | None
    found_day: DayField


class FirmDutyRecord(Record, frozen=True):
    """["firm_duty", organisation]: how an organisation served the claims that it was drawn for."""

    drawn: Number
    reported: Number
    silent: Number
    """Seats lost by silence."""
    declined: Number
    """Seats given back without a conflict."""
    conflicts: Number
    """Seats given back for a conflict of interest: no fault."""


CLAIMANT = Table("claimant", ClaimantRecord)
CLAIM_REVIEW = Table("claim_review", ClaimReviewRecord)
OBJECTION = Table("objection", ObjectionRecord)
OBJECTOR = Table("objector", ObjectorRecord)
CLAIM_CARD = Table("claim_card", ClaimCardRecord)
REAUDIT = Table("reaudit", ReauditRecord)
FIRM_DUTY = Table("firm_duty", FirmDutyRecord)

NO_CLAIMANT = ClaimantRecord(kept=None, is_draw_pending=False, year=0, withdrawals=0, is_refunded=False)
NO_REVIEW = ClaimReviewRecord(
    notices=0,
    objected_notices=0,
    objected_period=0,
    pending=(),
    admitted=None,
    rechecks=0,
    reports_before=0,
    report_day=0,
    end_day=0,
)
NO_DUTY = FirmDutyRecord(drawn=0, reported=0, silent=0, declined=0, conflicts=0)
