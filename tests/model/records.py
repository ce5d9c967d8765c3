"""What is kept beside members and pools: deposits, instructions, periods, statements, cases, deadlines (contract 2)."""

from dataclasses import dataclass, field


@dataclass
class Deposit:
    """A booked incoming movement: a reference counts once, whatever it was told to be (ADR 0017)."""

    amount: int
    value_day: int
    taken: int
    member: bytes | None
    returned: int = 0
    """Ordered back, or recalled, out of what was unmatched."""
    recalled: int = 0
    recalled_from_member: int = 0
    told: object = None
    """The call's item."""

    @property
    def unmatched(self) -> int:
        """What is still nobody's."""
        return self.amount - self.taken - self.returned


@dataclass
class Instruction:
    """An order to the bank."""

    kind: str
    state: str
    pool: int
    amount: int
    fee: int
    member: bytes | None
    claim: bytes | None
    account: bytes | None
    """Whom to pay; None: whoever paid in."""
    deposit: tuple[str, int, bytes] | None
    to_account: str | None
    period: int
    made_day: int
    attempt: int = 0
    answer: tuple[bool, int, bytes, int] | None = None
    """(settled, booking day, reference, reason) of the last attempt."""
    has_come_back: bool = False


@dataclass
class Period:
    """From notice to closing."""

    status: str
    notice_day: int
    charge_day: int
    scheduled_day: int
    members_at_notice: int = 0
    claims: list[bytes] = field(default_factory=list)
    instructions: list[bytes] = field(default_factory=list)
    answered: set[bytes] = field(default_factory=set)
    confirmer: str = ""
    cosigner: str = ""
    signed: list[str] = field(default_factory=list)
    root: bytes = bytes(32)
    waited: int = 0
    """Days since it was computed on which the plan was not stopped."""


@dataclass
class Costs:
    """Something that the next charge pays."""

    claim: bytes
    member: bytes
    amount: int
    fee_bp: int
    carried: int = 0


@dataclass
class Closed:
    """A pool that pays everybody out (contract 3.5 *wind-down*)."""

    day: int
    is_paying: bool = False
    bonus: int = 0
    """q: what an active member gets for each unit beyond the balance."""
    batches: int = 0


@dataclass
class Statement:
    """What the bank posted, and what the chain's books had for the same days."""

    from_day: int
    to_day: int
    opening: int
    closing: int
    moved: tuple[int, int, int, int]
    booked: tuple[int, int, int, int]
    posted: object
    """All that the bank said, as it said it first."""
    is_disputed: bool = False
    """By the letters of two auditors; until it is explained."""

    def is_explained(self, opening: int) -> bool:
        """Tell whether it agrees with the books where the one before closes with `opening`."""
        is_sound = self.opening + self.moved[1] - self.moved[3] == self.closing
        return not self.is_disputed and is_sound and (self.opening, self.moved) == (opening, self.booked)


@dataclass
class Stage:
    """A case that goes through stages: a hearing, an erasure, a sample, an explanation."""

    name: str
    day: int
    """On which it was opened; of a hearing that is over: on which it ended."""
    timer: "Timer | None" = None
    by: str = ""
    what: object = None
    """What was signed or drawn."""
    found: int = -1
    bound_ppm: int = 0
    receipts: list[str] = field(default_factory=list)
    answer: bytes | None = None
    firm: str = ""
    """That asked for a hearing."""


@dataclass(eq=False)
class Timer:
    """Something that ends after days on which the plan is not stopped; two are never the same one."""

    days_left: int
    kind: str
    subject: bytes
    note: int = 0
    order: tuple[int, bytes] = (0, b"")
    """(time, id): within a kind the earlier comes first (contract 3.1)."""


@dataclass
class Half:
    """A call that waits for signatures."""

    timer: Timer
    signed: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """(who, key) by the place of the party."""
