"""What is read back from the chain when the demo is over: public answers only."""

from msgspec import Struct

from node.demo.recompute import CapFigures, SettlementFigures


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
    roots: tuple[RootFigures, ...]
    """Of one height on all nodes."""
