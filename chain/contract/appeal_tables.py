"""Tables of appeals: the case, its jurors and its panel, and what was appealed before (contract 5 *appeal_file*)."""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, Number, Record
from chain.state import Overlay, Table

# What is appealed (claim_calls.AppealFile.subject)
SUBJECT_REJECTED, SUBJECT_REFUSED, SUBJECT_ROW, SUBJECT_VOID = range(4)
APPEAL_SUBJECT_NAMES = ("rejected", "refused", "row", "void")

# Where an appeal stands
(
    APPEAL_WAITING,
    APPEAL_DRAW,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    APPEAL_PANEL,
    APPEAL_UPHELD,
    APPEAL_DISMISSED,
) = range(7)
APPEAL_STATUS_NAMES = ("waiting", "draw", "commit", "reveal", "panel", "upheld", "dismissed")

# Who ended it
DECIDER_NOBODY, DECIDER_JURY, DECIDER_PANEL = range(3)
APPEAL_DECIDER_NAMES = ("nobody", "jury", "panel")

# Decisions on one claim, each of which is appealed once
DECISION_REJECTED, DECISION_REFUSED_AT_FILING, DECISION_REFUSED_AFTER_REPORTS, DECISION_ROW = range(4)

VOTE_DISMISS, VOTE_UPHOLD = range(2)
VOTE_NONE = 255


class PanelSeat(Record, frozen=True):
    """One of those who decide where no jury does."""

    organisation: Name
    vote: Code
    """VOTE_DISMISS, VOTE_UPHOLD, or VOTE_NONE."""


class AppealRecord(Record, frozen=True):
    """["appeal", case]: one appeal; the case is the tx_id of its appeal_file."""

    plan: Name
    pool: Number
    """Pool whose members are the jury."""
    member: Bytes32
    """Whose claim or membership it is about."""
    subject: Code
    """See APPEAL_SUBJECT_NAMES."""
    claim: Bytes32 | None
    grounds_hash: Bytes32
    filed_day: DayField
    status: Code
    """See APPEAL_STATUS_NAMES."""
    claim_status: Code
    """Status of the claim before, to which it returns when the appeal is dismissed."""
    round: Code
    """Juries drawn so far: 0, 1 or 2."""
    asked_height: Number
    """Block in which the newest draw was asked for: reveals after it decide (contract 6)."""
    jurors: Number
    """Members of the present jury; 0 without one."""
    committed: Number
    revealed: Number
    upheld: Number
    """How many of the revealed votes say that the appeal is right."""
    panel: tuple[PanelSeat, ...]
    due_day: DayField
    """Deadline of the present status (0:00), 0 where there is none."""
    due_kind: Code
    decider: Code
    """See APPEAL_DECIDER_NAMES; meaningless before the end."""
    ended_day: DayField


class JurorRecord(Record, frozen=True):
    """["juror", member, case]: a member drawn for a jury; all of a member's are found by the key's first part."""

    round: Code
    commit_hash: Bytes32 | None
    vote: Code
    """VOTE_NONE until it is revealed."""


class AppellantRecord(Record, frozen=True):
    """["appellant", member]: how much a member has appealed."""

    waiting: Number
    """Appeals that wait for the end of another open claim of the member; meanwhile no further claim is filed."""
    year: Number
    """Calendar year of `dismissed`."""
    dismissed: Number
    """Appeals that were dismissed in that year."""


class ClaimAppealsRecord(Record, frozen=True):
    """["claim_appeals", claim]: which decisions on a claim were appealed, and which refusals were overruled."""

    decisions: tuple[Code, ...]
    overruled: tuple[tuple[Number, DayField], ...]
    """(catalogue number of the refusal, day that it was about): not refused again for the same."""


class AppealLaneRecord(Record, frozen=True):
    """["appeal_lane", plan]: appeals that wait for a draw, in the order of asking."""

    head: Number
    tail: Number


class AppealTicketRecord(Record, frozen=True):
    """["appeal_ticket", plan, number]: one place in the lane."""

    case: Bytes32


APPEAL = Table("appeal", AppealRecord)
JUROR = Table("juror", JurorRecord)
APPELLANT = Table("appellant", AppellantRecord)
CLAIM_APPEALS = Table("claim_appeals", ClaimAppealsRecord)
APPEAL_LANE = Table("appeal_lane", AppealLaneRecord)
APPEAL_TICKET = Table("appeal_ticket", AppealTicketRecord)

NO_APPELLANT = AppellantRecord(waiting=0, year=0, dismissed=0)
NO_CLAIM_APPEALS = ClaimAppealsRecord(decisions=(), overruled=())


def is_overruled(state: Overlay, claim_id: bytes, reason: int, day: int) -> bool:
    """Tell whether a jury has overruled this refusal of a claim: the same reason for the same day of diagnosis."""
    known = state.get(CLAIM_APPEALS, claim_id)
    return known is not None and (reason, day) in known.overruled
