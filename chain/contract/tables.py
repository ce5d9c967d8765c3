"""The tables of the contract: every record of the state and what its fields mean (contract 2 and 3.2).

Small fields are grouped in one record, because each changed key costs a tree update (state-tree 9.1). A member's
balance is not here: it follows from the share index (chain/contract/shares.py).
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
) = range(12)
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
)

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
    """Number of the current period: settlements so far."""
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
    past: tuple[tuple[DayField, DayField], ...]
    """Closed cover intervals [from, to]."""
    guardian: Bytes32 | None
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


class AccountRecord(_Record, frozen=True):
    """["account", name]: one custody account."""

    plan: Name
    pool: Number
    closed_day: DayField
    """Last day of the last posted statement."""
    closing: FenField
    """Its closing balance."""
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
    computed_day: DayField


class QueueRecord(_Record, frozen=True):
    """["queue", plan, pool, lane, number]: an act that waits for the end of the window."""

    member: Bytes32
    act: Code
    """0 enter, 1 leave, 2 claimed out, 3 age out, 4 refund of shares."""


class DueRecord(_Record, frozen=True):
    """["due", plan, day, chunk]: deadlines that end on one day, up to 64 in a chunk."""

    entries: tuple[tuple[Code, Number, Bytes32], ...]
    """(kind, due time in ms, id of what is due)."""


class DueCountRecord(_Record, frozen=True):
    """["due_count", plan, day]: how many deadlines end on one day."""

    count: Number


class DrawnFirm(_Record, frozen=True):
    """One assessor firm on a claim."""

    organisation: Name
    drawn_day: DayField
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
    decided_by: Name | None
    clauses: tuple[str, ...]
    due_day: DayField
    """Deadline of the present state, 0 where there is none."""
    escalation: Code
    """Who is asked now: 0 platform, 1 first auditor, 2 second auditor, 3 the concurring reports."""
    period: Number
    """Period whose notice lists it."""
    amount: FenField
    """Approved aid."""
    granted: FenField
    paid: FenField
    is_flagged: bool
    """Shares a bill tag with another claim."""


class BillTagRecord(_Record, frozen=True):
    """["bill_tag", plan, tag]: first claim that used a bill."""

    claim: Bytes32
    is_consumed: bool


class BeaconRecord(_Record, frozen=True):
    """["beacon"]: validator randomness (contract 6): beacon = H(beacon || reveal) for each block."""

    value: Bytes32
    links: tuple[Bytes32, ...]
    """Last revealed link of each validator by index: the next reveal hashes to it."""
    reveal_heights: tuple[Number, ...]
    """Height of each validator's last reveal."""


ORGANISATION = Table("organisation", OrganisationRecord)
SIGNER = Table("signer", SignerRecord)
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
DUE_COUNT = Table("due_count", DueCountRecord)
CLAIM = Table("claim", ClaimRecord)
BILL_TAG = Table("bill_tag", BillTagRecord)
BEACON = Table("beacon", BeaconRecord)
