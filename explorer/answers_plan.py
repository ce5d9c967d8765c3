"""The JSON of plans: terms, pools, members, claims, settlements, payouts. Data only.

What is public follows contract 6: a member's state and money by pseudonym, a claim's path by its number,
never the link between the two.
"""

from msgspec import UNSET, Struct, UnsetType

from explorer.answers_review import ClaimReviewAnswer
from explorer.pagination import Page
from explorer.represent import Money


class BenefitAnswer(Struct, frozen=True):
    """One row of the benefit table."""

    row: int
    """Number that claims name."""
    age_from_years: int
    age_to_years: int
    grade: str
    """severe or mild."""
    amount: Money


class PoolTermsAnswer(Struct, frozen=True):
    """Terms that all members of a pool share."""

    utc_offset_minutes: int
    notice_days_of_month: list[int]
    charge_days_of_month: list[int]
    notice_full_days_min: int
    fee_bp: int
    """Platform fee on aid in basis points."""
    cap_per_case: Money | None
    """Most that one case costs a unit of weight; null: no cap."""
    cap_per_period: Money | None
    cap_per_year: Money | None
    deposit_min: Money
    """Per unit of weight."""
    deposit_max: Money
    """Per unit of weight."""
    grace_periods: int
    """Settlements that a suspension may last before cover lapses."""
    members_min: int
    launch_days: int
    residue_to: str


class VersionAnswer(Struct, frozen=True):
    """One version of a plan's rules."""

    version: int
    active_from: str | None
    rules_hash: str
    """What a member signs when joining."""
    pool_terms: PoolTermsAnswer
    waiting_days: int
    claim_window_days: int
    age_min_days: int
    age_limit_years: int
    benefits: list[BenefitAnswer]


class CountAnswer(Struct, frozen=True):
    """Sharing members, read from the sum tree that the state root commits to."""

    members: int
    """All sharing members, suspended and lapsed ones included."""
    members_paying: int
    """Those that the next settlement can charge."""
    units_paying: int
    """Their weights added up: N."""
    money: Money
    """What all members' leaves hold at the present share index."""


class PoolAnswer(Struct, frozen=True):
    """The money and the share index of one pool."""

    pool: int
    account: str
    """Custody account."""
    version: int
    """Rule version whose pool terms hold."""
    share_index: Money
    """What a unit that was there from the start has been charged."""
    settlements: int
    is_window: bool
    """From notice until the settlement is drained: entries, exits and weights wait."""
    period: int
    """Number of the current period."""
    count: CountAnswer
    cash: Money
    """What the custody account holds by the chain's books: the sum of the eight lines below."""
    member_money: Money
    """Balances of sharing members."""
    plain: Money
    """Balances of everybody else."""
    carry: Money
    aid_payable: Money
    fee_held: Money
    fee_payable: Money
    outgoing: Money
    """Instructed, not yet confirmed by the bank."""
    unmatched: Money
    collected: Money
    """Ever charged."""
    spent: Money
    """Ever granted, fees included."""
    statement_closed_to: str | None
    """Last day that a bank statement has closed."""
    is_statement_matched: bool


class PlanSummary(Struct, frozen=True):
    """One plan in a list."""

    plan: str
    name: str
    status: str
    """active, paused, frozen, wind_down or ended."""
    since: str | None
    pools: int
    versions: int
    members_applied: int
    """Applications ever."""
    claims_filed: int
    """Claims ever."""


class PlanPage(Struct, frozen=True):
    """Plans by name."""

    items: list[PlanSummary]
    page: Page


class PlanAnswer(Struct, frozen=True):
    """One plan with its rules and pools."""

    plan: str
    name: str
    currency: str
    status: str
    since: str | None
    stopped_days: int
    """Whole days so far in which deadlines stood still."""
    day: str | None
    """The plan's day in the calendar of its UTC offset."""
    members_applied: int
    claims_filed: int
    versions: list[VersionAnswer]
    pools: list[PoolAnswer]


class MemberSummary(Struct, frozen=True):
    """One member in a list."""

    member: str
    """Pseudonym: the id of the application."""
    plan: str
    pool: int
    status: str
    """applied, verified, queued, waiting, covered, suspended, lapsed, leaving, left, refused, expired,
    claimed_out, aged_out, died or voided: at the height that answers."""
    weight: int
    balance: Money
    since: str | None
    """Day of the last written change of status."""


class MemberPage(Struct, frozen=True):
    """Members by pseudonym."""

    items: list[MemberSummary]
    page: Page


class IntervalAnswer(Struct, frozen=True):
    """Days of cover, both included."""

    from_day: str | None
    to_day: str | None
    """Null: still open."""


class MemberAnswer(Struct, frozen=True):
    """One member: what contract 6 makes public by pseudonym."""

    member: str
    plan: str
    pool: int
    status: str
    """As in the list: computed at the height that answers."""
    written_status: str
    """What the record says; waiting, covered, suspended and lapsed follow from the share index and the
    day."""
    weight: int
    version: int
    """Rule version that the member signed last."""
    version_in_force: int
    """The one that holds for a diagnosis of today: that, or one at least as good that superseded it; the one signed
    before, on the day of signing and while a change of pool is under way."""
    deposit_code: int
    remittance_text: str
    """The deposit code as it is written into a transfer, with its check digit."""
    key: str
    """Signing key now."""
    since: str | None
    balance: Money
    shares_paid: Money
    """Charged since entry."""
    arrears: Money
    """Owed while suspended."""
    aid_received: Money
    is_sharing: bool
    """Whether the member is a leaf of the sum tree and counted."""
    is_suspended: bool
    is_lapsed: bool
    is_waiting: bool
    """Cover has not begun yet."""
    is_covered: bool
    """Illness cover on the day of the state that answers."""
    suspended_since: str | None
    """Day of the charge that exhausted the balance."""
    cover_from: str | None
    """First covered day after the waiting period; null for those who do not share."""
    accident_cover_from: str | None
    past_cover: list[IntervalAnswer]
    leaf_index: int | UnsetType = UNSET
    """X: the share index up to which the leaf's money reaches; the place in the sum tree."""


class FirmAnswer(Struct, frozen=True):
    """One assessor firm on a claim."""

    organisation: str
    drawn: str | None
    is_accepted: bool
    is_committed: bool
    is_revealed: bool
    finding: str | UnsetType = UNSET
    """fulfilled or not_fulfilled, once revealed."""
    row: int | UnsetType = UNSET
    established_day: str | UnsetType | None = UNSET
    clauses: list[str] | UnsetType = UNSET
    report_root: str | UnsetType | None = UNSET


class ClaimSummary(Struct, frozen=True):
    """One claim in a list, by its public number."""

    claim: str
    number: int
    plan: str
    pool: int
    status: str
    filed: str | None
    amount: Money
    """Approved aid; 0 before the decision."""
    granted: Money
    paid: Money
    period: int


class ClaimPage(Struct, frozen=True):
    """Claims by id."""

    items: list[ClaimSummary]
    page: Page


class ClaimAnswer(Struct, frozen=True):
    """One claim: its path, who signed, its amount; never whose it is."""

    claim: str
    number: int
    plan: str
    pool: int
    status: str
    filed: str | None
    filed_height: int
    version: int
    """Rule version that decides."""
    firms: list[FirmAnswer]
    certificate_source: str | None
    """hospital, e_bill or visit."""
    certificate_hash: str | None
    decided_by: str | None
    """Organisation; null before the decision and where the concurring reports decided."""
    clauses: list[str]
    row: int
    due: str | None
    """Deadline of the present state."""
    asked: str
    """Who has to act on silence: platform, first_auditor, second_auditor or reports."""
    period: int
    """Period whose notice lists it."""
    amount: Money
    granted: Money
    paid: Money
    is_flagged: bool
    """Shares a bill with another claim."""
    review: ClaimReviewAnswer
    withheld: list[str]
    """What the record holds and this answer does not: it would name the member (contract 6)."""


class SettledItemAnswer(Struct, frozen=True):
    """One item of a settlement."""

    claim: str
    kind: str
    """aid or share_refund."""
    asked: Money
    granted: Money
    fee_bp: int
    fee: Money
    rest_carried: Money
    rest_ended: Money
    is_carried: bool


class SettlementAnswer(Struct, frozen=True):
    """One charge with everything that is needed to compute it again."""

    plan: str
    pool: int
    settlement: int
    """k: 0 is the pool's first."""
    day: str | None
    height: int
    """Block in which it ran."""
    units_at_notice: int
    members_at_notice: int
    members: int
    """Members counted and charged."""
    units: int
    """N: their weights."""
    units_full: int
    """Paid in full."""
    units_part: int
    """Paid what they had."""
    part_paid: Money
    per: Money
    """Charge per unit of weight."""
    per_max: Money
    """Bound by the caps."""
    index_before: Money
    cost: Money
    collected: Money
    carry_before: Money
    carry_after: Money
    year_index: Money
    cases: int
    is_unfundable: bool
    version: int
    """Rule version whose caps held for the pool."""
    items: list[SettledItemAnswer]
    tree_root: str
    """Root of the sum tree on which the proofs hang, hex."""
    proofs: list[str] | UnsetType = UNSET
    """Range proofs at I, I + per and I + per - 1, hex; with ?proofs=true."""


class SettlementPage(Struct, frozen=True):
    """Settlements, newest first within a pool."""

    items: list[SettlementAnswer]
    page: Page


class PayoutAnswer(Struct, frozen=True):
    """One order to the bank to move money."""

    instruction: str
    kind: str
    """aid, refund, return or fee."""
    state: str
    """computed, ready, settled or failed."""
    plan: str
    pool: int
    period: int
    amount: Money
    created: str | None
    attempt: int
    booked: str | None
    """Day on which the bank booked it."""
    reason: int
    """Bank's reason number of a failure, else 0."""
    claim: str | UnsetType | None = UNSET
    """Of an aid instruction; whose it is, is withheld."""
    member: str | UnsetType | None = UNSET
    """Of a refund."""


class PayoutPage(Struct, frozen=True):
    """Instructions by id."""

    items: list[PayoutAnswer]
    page: Page
