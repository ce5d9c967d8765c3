"""Tables of organisations, plans, pools, members, queues and deadlines (contract 2 and 3.2).

Those of custody, settlements and claims are in custody_tables.py, settlement_tables.py and claim_tables.py. Small
fields are grouped in one record, because each changed key costs a tree update (state-tree 9.1). A member's balance is
not here: it follows from the share index (shares.py).
"""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Index, Number, Record, StoppedDays
from chain.contract.terms import PlanTerms
from chain.state import Table

# Plan status
PLAN_ACTIVE, PLAN_PAUSED, PLAN_FROZEN, PLAN_WIND_DOWN, PLAN_ENDED = range(5)
PLAN_STATUS_NAMES = ("active", "paused", "frozen", "wind_down", "ended")

# Member status as written; waiting, covered, suspended and lapsed are computed (contract 3.3, 3.6)
(
    MEMBER_APPLIED,
    MEMBER_VERIFIED,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_REFUSED,
    MEMBER_EXPIRED,
    MEMBER_CLAIMED_OUT,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_VOIDED,
    MEMBER_WAITING,
    MEMBER_MOVING,
) = range(14)
MEMBER_STATUS_NAMES = (
    "applied",
    "verified",
    "queued",
    "sharing",
    "leaving",
    "left",
    "refused",
    "expired",
    "claimed_out",
    "aged_out",
    "died",
    "voided",
    "waiting",
    "moving",
)

# Acts that wait for the end of the window
ACT_ENTER, ACT_LEAVE, ACT_CLAIMED_OUT, ACT_AGE_OUT, ACT_SHARES_REFUND, ACT_DIED, ACT_VOIDED, ACT_MOVE = range(8)


class OrganisationRecord(Record, frozen=True):
    """["organisation", name]: an institution."""

    role: Code
    """0 platform, 1 custodian, 2 auditor, 3 assessor, 4 hospital."""
    order: Number
    """Place among those of its role: auditor k mod m confirms period k."""
    group: Name
    key: Bytes32
    recovery_key: Bytes32
    left_day: DayField
    """Day on which it was let go; 0: it is in office. Its record stays, its name is never used again."""


class SignerRecord(Record, frozen=True):
    """["signer", public key]: which organisation signs with this key (no entry: a member's key or a stranger's)."""

    organisation: Name
    role: Code
    order: Number


class PlansRecord(Record, frozen=True):
    """["plans"]: the plans of this chain in genesis order."""

    names: tuple[Name, ...]


class RosterRecord(Record, frozen=True):
    """["roster", role]: names of the organisations of one role in office: genesis order, later ones behind."""

    names: tuple[Name, ...]


class PlanRecord(Record, frozen=True):
    """["plan", plan]: where a plan stands and how far its automatic events have run."""

    status: Code
    since_day: DayField
    """Day on which the status began."""
    stopped_days: Number
    """Whole days so far in which the plan was PAUSED or FROZEN: deadlines do not count them."""
    pools: Number
    """How many pools the plan has."""
    versions: Number
    """How many rule versions."""
    members_applied: Number
    """Applications ever: also the counter of deposit codes."""
    claims_filed: Number
    day: DayField
    """Last plan day whose automatic events have begun."""
    stage: Code
    """Next stage of that day (schedule.py); a day may take several blocks."""
    stage_position: Number
    """How far within the stage."""
    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)]
    """Fixes the plan's days (contract 3.1)."""
    wind_day: DayField
    """Day on which the wind-down began; 0: it has not."""


class VersionRecord(Record, frozen=True):
    """["version", plan, number]: one version of the rules, complete."""

    terms: PlanTerms
    terms_hash: Bytes32
    active_day: DayField
    """First day on which it took members; 0: it has not yet (version_tables.py)."""


class PoolRecord(Record, frozen=True):
    """["pool", plan, pool]: the money and the share index of one pool (contract 3.2)."""

    account: Name
    """Its custody account."""
    version: Number
    """Rule version whose pool terms hold."""
    share_index: Index
    """I: what a unit of weight that was there from the start has been charged, in fen."""
    settlements: Number
    """S = len(H)."""
    carry: FenField
    """R: collected and not yet spent."""
    year: Annotated[int, Meta(ge=0, le=9999)]
    """Calendar year of the last settlement."""
    year_index: Index
    """I at the start of that year, for the yearly cap."""
    is_window: bool
    """From notice until the settlement is drained: entries, exits and weights wait."""
    period: Number
    """Number of the current period; it moves on when the queue is drained after the settlement."""
    cash: FenField
    """What the custody account holds by the chain's own books."""
    tree_money: FenField
    """Money of all leaves: a running sum, compared with the range sums once per block."""
    plain: FenField
    """Sum of all members' `cash`."""
    aid_payable: FenField
    fee_held: FenField
    fee_payable: FenField
    outgoing: FenField
    """Instructed refunds, returns and fees that the bank has not yet confirmed."""
    unmatched: FenField
    collected: FenField
    """Ever charged by settlements."""
    arrears_paid: FenField
    """Ever paid as arrears."""
    interest: FenField
    recovered: FenField
    unclaimed: FenField
    spent: FenField
    """Ever granted: sum of aid and fees."""
    entered: Number
    """Leaves ever created by entering."""
    exited: Number
    """Leaves ever removed by leaving."""
    queue_exits: tuple[Number, Number]
    """(head, tail) of the queue of exits."""
    queue_entries: tuple[Number, Number]
    """(head, tail) of the queue of entries and other waiting acts."""
    items: tuple[Number, Number]
    """(first, next) number of the items of the next settlement."""
    instructions: Number
    """Instructions ever made: the counter from which their ids follow."""
    start_day: DayField
    """Day on which the pool opened: `launch_days` run from it."""


class MemberRecord(Record, frozen=True):
    """["member", pseudonym]: one person (contract 3.2)."""

    plan: Name
    pool: Number
    status: Code
    key: Bytes32
    """Signing key now."""
    weight: Annotated[int, Meta(ge=1, le=100)]
    """w."""
    version: Number
    """Pinned rule version."""
    deposit_code: Number
    since_day: DayField
    """Day of the application, then of the last change of status."""
    cash: FenField
    """Plain money, not linked to the index."""
    is_leaf: bool
    """Whether the member is in the sum tree."""
    x: Index
    """X: the share index up to which the leaf's money reaches."""
    rem: Number
    """Fen below one unit of weight: 0 <= rem < w."""
    entry_index: Index
    """E: share index at entry (or at the last change of weight)."""
    paid_before: FenField
    """Shares paid under earlier weights."""
    entry_day: DayField
    cover_from: DayField
    """First covered day after the waiting period."""
    accident_from: DayField
    """First covered day for accidents."""
    past: tuple[tuple[DayField, DayField, DayField], ...]
    """Closed cover intervals (cover_from, to, accident_from), oldest first: illness is covered on
    cover_from..to, an accident on accident_from..to, for it has no waiting period (contract 2)."""
    guardian: Bytes32 | None
    """Pseudonym of the guardian of a child."""
    children: Number
    """Children in the plan that this member is the guardian of."""
    account_token: Bytes32 | None
    """Verified account for refunds and aid."""
    holder_kind: Code
    person_index: Bytes32 | None
    """From the bank; the plan's index map points back here once admitted."""
    auditor_index: Bytes32 | None
    """From the auditor; must equal the bank's."""
    last_cover_year: Annotated[int, Meta(ge=0, le=9999)]
    is_admitted: bool
    field_commitments_root: Bytes32
    blob_hash: Bytes32
    consent_hash: Bytes32
    recovery_hash: Bytes32
    claim: Bytes32 | None
    """Open claim, if any."""
    aid_received: FenField


class PersonRecord(Record, frozen=True):
    """["person", plan, person index]: one person is one leaf."""

    member: Bytes32
    is_barred: bool
    """Claimed out or voided: may not come back."""


class QueueRecord(Record, frozen=True):
    """["queue", plan, pool, lane, number]: an act that waits for the end of the window."""

    member: Bytes32
    act: Code
    """See ACT_ENTER and its like."""


class DueRecord(Record, frozen=True):
    """["due", plan, day, kind, chunk]: deadlines of one kind that end on one day, up to 64 in a chunk."""

    entries: tuple[tuple[Number, Annotated[bytes, Meta(max_length=128)], DayField, StoppedDays], ...]
    """(due time in ms, id of what is due, plan day that it was set for, stopped days of the plan when it was set)."""


class DueIndexRecord(Record, frozen=True):
    """["due_index", plan, day]: how many deadlines of which kind end on one day."""

    counts: tuple[tuple[Code, Number], ...]
    """(kind, entries), ascending by kind."""


ORGANISATION = Table("organisation", OrganisationRecord)
SIGNER = Table("signer", SignerRecord)
PLANS = Table("plans", PlansRecord)
ROSTER = Table("roster", RosterRecord)
PLAN = Table("plan", PlanRecord)
VERSION = Table("version", VersionRecord)
POOL = Table("pool", PoolRecord)
MEMBER = Table("member", MemberRecord)
PERSON = Table("person", PersonRecord)
QUEUE = Table("queue", QueueRecord)
DUE = Table("due", DueRecord)
DUE_INDEX = Table("due_index", DueIndexRecord)
