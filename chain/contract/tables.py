"""The tables of the contract: every record of the state and what its fields mean (contract 2 and 3.2).

Small fields are grouped in one record, because each changed key costs a tree update (state-tree 9.1). A
member's balance is not here: it follows from the share index (chain/contract/shares.py).
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.contract.calls import Bytes32, Name
from chain.contract.terms import PlanTerms
from chain.state import Table
from chain.types import FEN_MAX, INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
FenField = Annotated[int, Meta(ge=0, le=FEN_MAX)]
DayField = Annotated[int, Meta(ge=0, le=1_000_000)]
Code = Annotated[int, Meta(ge=0, le=255)]
Index = Annotated[int, Meta(ge=0, lt=2**31)]
StoppedDays = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]

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
) = range(13)
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
)

# Acts that wait for the end of the window
ACT_ENTER, ACT_LEAVE, ACT_CLAIMED_OUT, ACT_AGE_OUT, ACT_SHARES_REFUND, ACT_DIED, ACT_VOIDED = range(7)

# Claim status
(
    CLAIM_ELIGIBLE,
    CLAIM_REFUSED,
    CLAIM_SHARES_REFUND,
    CLAIM_ASSIGNED,
    CLAIM_INVESTIGATED,
    CLAIM_APPROVED,
    CLAIM_REJECTED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
    CLAIM_CONFIRMED,
    CLAIM_SETTLED,
    CLAIM_INSTRUCTED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_WITHDRAWN,
    CLAIM_EXPIRED,
) = range(16)
CLAIM_STATUS_NAMES = (
    "eligible",
    "refused",
    "shares_refund",
    "assigned",
    "investigated",
    "approved",
    "rejected",
    "noticed",
    "recheck",
    "confirmed",
    "settled",
    "instructed",
    "paid",
    "pay_failed",
    "withdrawn",
    "expired",
)

# Items of a settlement and kinds of instructions
ITEM_AID, ITEM_SHARE_REFUND = range(2)
INSTRUCTION_AID, INSTRUCTION_REFUND, INSTRUCTION_RETURN, INSTRUCTION_FEE = range(4)
INSTRUCTION_KIND_NAMES = ("aid", "refund", "return", "fee")
INSTRUCTION_COMPUTED, INSTRUCTION_READY, INSTRUCTION_SETTLED, INSTRUCTION_FAILED = range(4)
INSTRUCTION_STATE_NAMES = ("computed", "ready", "settled", "failed")
PERIOD_OPEN, PERIOD_NOTICE, PERIOD_COMPUTED, PERIOD_INSTRUCTED, PERIOD_CLOSED = range(5)
PERIOD_STATUS_NAMES = ("open", "notice", "computed", "instructed", "closed")


class _Record(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every record of the state."""


class OrganisationRecord(_Record, frozen=True):
    """["organisation", name]: an institution."""

    role: Code
    """0 platform, 1 custodian, 2 auditor, 3 assessor, 4 hospital."""
    order: Number
    """Place among those of its role: auditor k mod m confirms period k."""
    group: Name
    key: Bytes32
    recovery_key: Bytes32


class SignerRecord(_Record, frozen=True):
    """["signer", public key]: which organisation signs with this key (no entry: a member's key or a stranger's)."""

    organisation: Name
    role: Code
    order: Number


class PlansRecord(_Record, frozen=True):
    """["plans"]: the plans of this chain in genesis order."""

    names: tuple[Name, ...]


class RosterRecord(_Record, frozen=True):
    """["roster", role]: names of the organisations of one role in genesis order."""

    names: tuple[Name, ...]


class PlanRecord(_Record, frozen=True):
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


class VersionRecord(_Record, frozen=True):
    """["version", plan, number]: one version of the rules, complete."""

    terms: PlanTerms
    terms_hash: Bytes32
    active_day: DayField


class PoolRecord(_Record, frozen=True):
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


class MemberRecord(_Record, frozen=True):
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


class PersonRecord(_Record, frozen=True):
    """["person", plan, person index]: one person is one leaf."""

    member: Bytes32
    is_barred: bool
    """Claimed out or voided: may not come back."""


class DepositCodeRecord(_Record, frozen=True):
    """["deposit_code", plan, code]: the member that a remittance text names."""

    member: Bytes32


class ShareStepRecord(_Record, frozen=True):
    """["share_step", plan, pool, k]: H[k] = (I_k, day_k, per_k)."""

    share_index: Index
    day: DayField
    per: Number


class DepositRecord(_Record, frozen=True):
    """["deposit", account, booking day, ref token]: a bank fact, once."""

    member: Bytes32 | None
    amount: FenField
    taken: FenField
    """What was credited; the rest went to unmatched."""
    value_day: DayField
    payer_token: Bytes32
    returned: FenField
    """What a return instruction has taken out of unmatched."""
    deposit_code: Number
    """Code of the remittance text; 0: none."""


class AccountRecord(_Record, frozen=True):
    """["account", name]: one custody account."""

    plan: Name
    pool: Number
    closed_day: DayField
    """Last day of the last posted statement."""
    closing: FenField
    """Its closing balance."""
    expected: FenField
    """What the chain's own books say for the end of that day."""
    is_matched: bool
    """False from a mismatch until it is resolved."""
    statements: Number


class BookingDayRecord(_Record, frozen=True):
    """["booking_day", account, day]: what the chain knows to be booked on one day."""

    in_count: Number
    in_sum: FenField
    out_count: Number
    out_sum: FenField


class StatementRecord(_Record, frozen=True):
    """["statement", account, number]: a posted statement and its verdict."""

    from_day: DayField
    to_day: DayField
    opening: FenField
    closing: FenField
    in_count: Number
    in_sum: FenField
    out_count: Number
    out_sum: FenField
    file_hash: Bytes32
    is_matched: bool
    expected_closing: FenField


class InstructionRecord(_Record, frozen=True):
    """["instruction", id]: an order to the bank to move money."""

    kind: Code
    state: Code
    plan: Name
    pool: Number
    member: Bytes32 | None
    claim: Bytes32 | None
    account_token: Bytes32 | None
    """Payee account; null: back to the payer of `deposit`."""
    deposit: tuple[Name, DayField, Bytes32] | None
    """The deposit that is returned."""
    amount: FenField
    fee: FenField
    """Platform fee that becomes payable with it."""
    period: Number
    """Period of an aid instruction, else the period in which it was made."""
    created_day: DayField
    attempt: Number
    booking_day: DayField
    ref_token: Bytes32 | None
    reason: Number


class ItemRecord(_Record, frozen=True):
    """["item", plan, pool, number]: something that the next settlement pays."""

    kind: Code
    """0 aid, 1 share refund."""
    member: Bytes32
    claim: Bytes32
    amount: FenField
    """u_i."""
    fee_bp: Annotated[int, Meta(ge=0, le=10_000)]
    carried: Number
    """How many settlements it was carried through."""


class SettledItem(_Record, frozen=True):
    """One item as settled."""

    claim: Bytes32
    kind: Code
    amount: FenField
    """u_i asked."""
    fee_bp: Annotated[int, Meta(ge=0, le=10_000)]
    granted: FenField
    """g_i."""
    fee: FenField
    """f_i."""
    rest_carried: FenField
    rest_ended: FenField
    is_carried: bool
    """Whether it came over from an earlier settlement (such a case is not counted again)."""


class SettlementRecord(_Record, frozen=True):
    """["settlement", plan, pool, k]: everything needed to recompute one charge, for ever (contract 3.4)."""

    day: DayField
    height: Number
    """Block in which it ran."""
    tree_root: bytes
    """Encoded root of the sum tree that the proofs hang on: the leaves before the charge."""
    units_at_notice: Number
    """N when notice opened."""
    members_at_notice: Number
    index_before: Index
    per: Number
    per_max: Number
    units: Number
    """W[I, oo)."""
    units_full: Number
    """W[I+per, oo): paid in full."""
    units_part: Number
    """W[I, I+per): paid what they had."""
    part_paid: FenField
    members: Number
    """CNT[I, oo): members counted."""
    cost: FenField
    collected: FenField
    carry_before: FenField
    carry_after: FenField
    year_index: Index
    """I at the start of the calendar year, for the yearly cap."""
    cases: Number
    items: tuple[SettledItem, ...]
    is_unfundable: bool
    proofs: tuple[bytes, ...]
    """Range proofs at I, I + per and (per > 0) I + per - 1."""


class PeriodRecord(_Record, frozen=True):
    """["period", plan, pool, k]: one period's path from notice to closing."""

    status: Code
    notice_day: DayField
    charge_day: DayField
    scheduled_day: DayField
    """Charge day by the calendar; a notice that opened late moves `charge_day` only."""
    units_at_notice: Number
    members_at_notice: Number
    claims: tuple[Bytes32, ...]
    """Claims noticed in this period."""
    confirmer: Name | None
    cosigner: Name | None
    batch_root: Bytes32
    """Over the instructions; zero until computed."""
    instructions: tuple[Bytes32, ...]
    signed_by: tuple[Name, ...]
    """Organisations that signed the batch so far."""
    computed_day: DayField
    stopped_days: Number
    """Stopped days of the plan at `computed_day`: silence is counted without them."""
    unacknowledged: Number
    """Instructions that the bank has not answered; at 0 the period closes."""


class QueueRecord(_Record, frozen=True):
    """["queue", plan, pool, lane, number]: an act that waits for the end of the window."""

    member: Bytes32
    act: Code
    """See ACT_ENTER and its like."""


class DueRecord(_Record, frozen=True):
    """["due", plan, day, kind, chunk]: deadlines of one kind that end on one day, up to 64 in a chunk."""

    entries: tuple[tuple[Number, Annotated[bytes, Meta(max_length=128)], DayField, StoppedDays], ...]
    """(due time in ms, id of what is due, plan day that it was set for, stopped days of the plan when it was set)."""


class DueIndexRecord(_Record, frozen=True):
    """["due_index", plan, day]: how many deadlines of which kind end on one day."""

    counts: tuple[tuple[Code, Number], ...]
    """(kind, entries), ascending by kind."""


class DrawnFirm(_Record, frozen=True):
    """One assessor firm on a claim, or the second auditor where no firm is left."""

    organisation: Name
    drawn_day: DayField
    is_replaced: bool
    """Was silent past a deadline: its seat was drawn again, and it counts no more."""
    is_accepted: bool
    commit_hash: Bytes32 | None
    is_revealed: bool
    finding: Code
    established_day: DayField
    row: Code
    clauses: tuple[str, ...]
    report_root: Bytes32 | None


class ClaimRecord(_Record, frozen=True):
    """["claim", id]: one case (contract 2)."""

    number: Number
    """Public running number within the plan."""
    plan: Name
    pool: Number
    member: Bytes32
    status: Code
    filed_day: DayField
    filed_ms: Number
    filed_height: Number
    cause: Code
    diagnosed_day: DayField
    established_day: DayField
    asked_row: Code
    row: Code
    evidence_root: Bytes32
    payee_kind: Code
    version: Number
    """Pinned rule version of the member."""
    firms: tuple[DrawnFirm, ...]
    certificate: tuple[Code, Bytes32] | None
    """(source, document hash)."""
    visit_attested: tuple[tuple[Name, Bytes32], ...]
    """Firms that attested a visit, until both have."""
    bill_tags: tuple[Bytes32, ...]
    """Keyed tags of its bills, consumed when it is confirmed."""
    seats: Code
    """Reports asked for: 2, or 3 once two differ."""
    redraws: Number
    """How often a silent firm was replaced."""
    draw_height: Number
    """Block in which the newest draw was asked for: reveals after it decide (contract 6)."""
    decided_by: Name | None
    """Who decided; null while open and where the concurring reports did."""
    clauses: tuple[str, ...]
    reason: Number
    """Catalogue number of why it was refused, rejected or expired; 0 where the clauses say it."""
    due_day: DayField
    """Deadline of the present state (0:00), 0 where there is none; days in which the plan is stopped move it.
    NOTICED: first day on which it may be confirmed."""
    due_kind: Code
    """Which deadline that is (claim_status.DUE_*), 0 where there is none."""
    escalation: Code
    """Who is asked now: 0 platform, 1 first auditor, 2 second auditor, 3 the concurring reports."""
    period: Number
    """Period whose notice lists it."""
    amount: FenField
    """Approved aid, or the shares to be refunded."""
    granted: FenField
    """What settlements have granted so far."""
    rest: FenField
    """What the next settlement still owes it (carried)."""
    paid: FenField
    is_shares_refund: bool
    """Diagnosed inside the waiting period: shares come back, no aid (contract 3.5)."""
    is_flagged: bool
    """Shares a bill tag with another claim."""


class BillTagRecord(_Record, frozen=True):
    """["bill_tag", plan, tag]: a bill that a claim rests on."""

    claim: Bytes32
    """First claim that used it; once consumed, the confirmed claim."""
    is_consumed: bool


class ClaimCaseRecord(_Record, frozen=True):
    """["claim_case", member, cause, day]: one diagnosis is decided once, by its stated and its established day."""

    claim: Bytes32
    """Its newest claim."""
    filed_day: DayField
    """Day of the first filing: the claim window is measured by it."""


class ClaimLaneRecord(_Record, frozen=True):
    """["claim_lane", plan, lane]: a queue of claims; lane 0 waits for a draw, lane 1 + pool for a notice."""

    head: Number
    """Number of the first claim in it."""
    tail: Number
    """Number that the next one gets; the lane is empty where head = tail."""


class ClaimTicketRecord(_Record, frozen=True):
    """["claim_ticket", plan, lane, number]: one place in a lane."""

    claim: Bytes32


class BeaconRecord(_Record, frozen=True):
    """["beacon"]: validator randomness (contract 6): beacon = H(beacon || reveal) for each block."""

    value: Bytes32
    links: tuple[Bytes32, ...]
    """Last revealed link of each validator by index: the next reveal hashes to it."""
    reveal_heights: tuple[Number, ...]
    """Height of each validator's last reveal, 0 before the first."""
    turn_validator: Number
    """Index of the last proposer; the number of validators before the first reveal."""
    turn_height: Number
    """First block of that proposer's unbroken run."""
    turn_value: Bytes32
    """Beacon after that first block: what draws use, so that the length of a run decides nothing."""


ORGANISATION = Table("organisation", OrganisationRecord)
SIGNER = Table("signer", SignerRecord)
PLANS = Table("plans", PlansRecord)
ROSTER = Table("roster", RosterRecord)
PLAN = Table("plan", PlanRecord)
VERSION = Table("version", VersionRecord)
POOL = Table("pool", PoolRecord)
MEMBER = Table("member", MemberRecord)
PERSON = Table("person", PersonRecord)
DEPOSIT_CODE = Table("deposit_code", DepositCodeRecord)
SHARE_STEP = Table("share_step", ShareStepRecord)
DEPOSIT = Table("deposit", DepositRecord)
ACCOUNT = Table("account", AccountRecord)
BOOKING_DAY = Table("booking_day", BookingDayRecord)
STATEMENT = Table("statement", StatementRecord)
INSTRUCTION = Table("instruction", InstructionRecord)
ITEM = Table("item", ItemRecord)
SETTLEMENT = Table("settlement", SettlementRecord)
PERIOD = Table("period", PeriodRecord)
QUEUE = Table("queue", QueueRecord)
DUE = Table("due", DueRecord)
DUE_INDEX = Table("due_index", DueIndexRecord)
CLAIM = Table("claim", ClaimRecord)
BILL_TAG = Table("bill_tag", BillTagRecord)
CLAIM_CASE = Table("claim_case", ClaimCaseRecord)
CLAIM_LANE = Table("claim_lane", ClaimLaneRecord)
CLAIM_TICKET = Table("claim_ticket", ClaimTicketRecord)
BEACON = Table("beacon", BeaconRecord)
