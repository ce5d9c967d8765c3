"""Tables of claims, and the beacon from which their assessors are drawn (contract 2 *Claim*, 6)."""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record
from chain.state import Table

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
    CLAIM_CLEAN,
    CLAIM_CLAWBACK,
    CLAIM_APPEALED,
) = range(19)
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
    "clean",
    "clawback",
    "appealed",
)

# What a certificate rests on
SOURCE_HOSPITAL, SOURCE_E_BILL, SOURCE_VISIT = range(3)


class DrawnFirm(Record, frozen=True):
    """One assessor firm on a claim, or the second auditor where no firm is left."""

    organisation: Name
    drawn_day: DayField
    is_replaced: bool
    """Lost its seat by silence, declined it, or left the roster: the seat was drawn again, and it counts no more."""
    is_accepted: bool
    commit_hash: Bytes32 | None
    is_revealed: bool
    finding: Code
    established_day: DayField
    row: Code
    clauses: tuple[str, ...]
    report_root: Bytes32 | None


class ClaimRecord(Record, frozen=True):
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
    """Reports asked for: 2, or 3 once two differ; one or two more with each recheck."""
    redraws: Number
    """How often firms were replaced."""
    draw_height: Number
    """Block in which the newest draw was asked for: reveals after it decide (contract 6). For a paid claim that is the
    lot of the re-audit."""
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


class BillTagRecord(Record, frozen=True):
    """["bill_tag", plan, tag]: a bill that a claim rests on."""

    claim: Bytes32
    """First claim that used it; once consumed, the confirmed claim."""
    is_consumed: bool


class ClaimCaseRecord(Record, frozen=True):
    """["claim_case", member, cause, day]: one diagnosis is decided once, by its stated and its established day."""

    claim: Bytes32
    """Its newest claim."""
    filed_day: DayField
    """Day of the first filing: the claim window is measured by it."""


class ClaimLaneRecord(Record, frozen=True):
    """["claim_lane", plan, lane]: a queue of claims (claim_lane.py): those that wait for a draw or for a notice, and
    those on which an organisation was given a seat."""

    head: Number
    """Number of the first claim in it."""
    tail: Number
    """Number that the next one gets; the lane is empty where head = tail."""


class ClaimTicketRecord(Record, frozen=True):
    """["claim_ticket", plan, lane, number]: one place in a lane."""

    claim: Bytes32
    asked: Number
    """Block in which it asked for a draw; a claim that has asked again since has a newer place."""


class BeaconRecord(Record, frozen=True):
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


CLAIM = Table("claim", ClaimRecord)
BILL_TAG = Table("bill_tag", BillTagRecord)
CLAIM_CASE = Table("claim_case", ClaimCaseRecord)
CLAIM_LANE = Table("claim_lane", ClaimLaneRecord)
CLAIM_TICKET = Table("claim_ticket", ClaimTicketRecord)
BEACON = Table("beacon", BeaconRecord)
