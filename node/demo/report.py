"""What is read back from the chain when the demo is over: public answers only."""

from msgspec import Struct

from node.demo.recompute import CapFigures, SettlementFigures

STORY_CALLS = (
    "guardian_hand_over",
    "member_rekey_recover",
    "member_rekey_request",
    "account_change",
    "death_report",
    "member_accept_rules",
    "rules_publish",
    "deposit_match",
    "deposit_reverse",
    "cash_other",
    "fee_withdraw",
    "balance_confirm",
    "objection_file",
    "objection_rule",
    "appeal_file",
    "ballot_commit",
    "ballot_reveal",
    "appeal_rule",
    "reaudit_report",
)
"""Calls that are rare: the report counts them."""


class PoolFigures(Struct, frozen=True):
    """The pool's books as shown; fen."""

    cash: int
    member_money: int
    plain: int
    carry: int
    aid_payable: int
    fee_held: int
    fee_payable: int
    outgoing: int
    unmatched: int
    collected: int
    spent: int
    settlements: int


class MemberFigures(Struct, frozen=True):
    """One member as listed."""

    status: str
    weight: int
    balance: int


class PayoutFigures(Struct, frozen=True):
    """One instruction as listed."""

    kind: str
    state: str
    amount: int
    is_claim: bool
    """Whether it pays a claim or a refund of shares after one."""


class CreditFigures(Struct, frozen=True):
    """What the receipts of all credits say, added up; fen."""

    credited: int = 0
    """Amounts that the bank reported."""
    taken: int = 0
    """Of it, what members were credited."""
    arrears: int = 0
    """Of it, what paid for old charges."""
    reinstated: int = 0
    """How many members came back within the grace."""
    matched: int = 0
    """What members were credited of money that had named nobody."""
    recalled: int = 0
    """What payers' banks took back, from members or from what named nobody."""
    recalled_from_members: int = 0
    interest: int = 0
    """What the bank paid."""


class RootFigures(Struct, frozen=True):
    """One node's word about one block."""

    node: str
    block_hash: str
    state_root: str
    log_root: str


class Report(Struct, frozen=True):
    """Everything that the table and the checks are made of."""

    height: int
    plan_status: str
    caps: CapFigures
    pool: PoolFigures
    members: tuple[MemberFigures, ...]
    payouts: tuple[PayoutFigures, ...]
    claims: dict[str, int]
    """How many claims have each status."""
    settlements: tuple[SettlementFigures, ...]
    """Oldest first."""
    credits: CreditFigures
    calls: dict[str, int]
    """How many transactions of the calls in STORY_CALLS succeeded; a call that several sign counts for each."""
    roots: tuple[RootFigures, ...]
    """Of one height on all nodes."""
