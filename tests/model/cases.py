"""What is kept about claims as cases: seats, reports, notices, objections, second looks, appeals (contract 2 *Claim*).

The money of a claim is in book.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.model.records import Timer

Report = tuple[int, int, int]
"""(1 fulfilled or 0, established day, row of the table)."""


@dataclass
class Seat:
    """An organisation that was drawn for a claim."""

    name: str
    is_replaced: bool = False
    is_accepted: bool = False
    seal: bytes | None = None
    report: Report | None = None
    """What it has opened."""
    clauses: tuple[str, ...] = ()


@dataclass
class Recheck:
    """The second look after an admitted objection."""

    before: int
    """Reports that the claim rested on."""
    end: Timer
    report: Timer | None = None
    """Of the firm that holds the seat; None while none does."""


@dataclass
class Reaudit:
    """The second look at a paid claim that the lot chose."""

    firms: list[str] = field(default_factory=list)
    auditor: str | None = None
    is_firm_asked: bool = True
    attempt: int = 0
    timer: Timer | None = None
    """Of those who are asked now; None while a firm is drawn, and at the end."""
    outcome: str = "open"


@dataclass
class Case:
    """A claim as a case."""

    cause: int = 0
    diagnosed_day: int = 0
    established_day: int = 0
    asked_row: int = 0
    version: int = 0
    filed_day: int = 0
    reason: str = "success"
    seats: list[Seat] = field(default_factory=list)
    wanted: int = 2
    """Reports that it takes."""
    replaced: int = 0
    """How often a seat was drawn again."""
    certificate: tuple[int, bytes] | None = None
    attested: dict[str, bytes] = field(default_factory=dict)
    bills: tuple[bytes, ...] = ()
    is_flagged: bool = False
    decided_by: str | None = None
    asked: int = 0
    """Who decides: 0 platform, 1 first auditor, 2 second auditor, 3 the reports."""
    timer: Timer | None = None
    """The deadline that runs."""
    first_day: int = 0
    """On which it may be confirmed."""
    period: int = 0
    card: tuple[int, ...] | None = None
    notices: int = 0
    """That listed it in vain."""
    objected: set[int] = field(default_factory=set)
    """Periods in whose notice somebody objected."""
    pending: list[bytes] = field(default_factory=list)
    """Objections that wait for a ruling."""
    rechecks: int = 0
    recheck: Recheck | None = None
    reaudit: Reaudit | None = None
    appealed: set[str] = field(default_factory=set)
    """Decisions that were brought before a jury."""
    overruled: set[tuple[str, int]] = field(default_factory=set)
    """(reason, day) of refusals that a jury did not share."""

    @property
    def active(self) -> list[Seat]:
        """Who holds a seat."""
        return [seat for seat in self.seats if not seat.is_replaced]

    @property
    def is_seated(self) -> bool:
        """Whether every seat is filled."""
        return len(self.active) == self.wanted

    @property
    def is_sealed(self) -> bool:
        """Whether every seat has sealed its report."""
        return self.is_seated and all(seat.seal is not None for seat in self.active)

    @property
    def majority(self) -> Seat | None:
        """The first of those that say the same and are more than half of what was asked for."""
        said = [seat for seat in self.active if seat.report is not None]
        for seat in said:
            if 2 * [other.report for other in said].count(seat.report) > self.wanted:
                return seat
        return None

    @property
    def is_fulfilled(self) -> bool:
        """Whether the majority found that the clauses are met."""
        majority = self.majority
        return majority is not None and majority.report is not None and majority.report[0] == 1

    def find_seat(self, name: str) -> Seat | None:
        """Return the seat of an organisation that holds one."""
        return next((seat for seat in self.active if seat.name == name), None)

    def has_part(self, name: str) -> bool:
        """Tell whether an organisation decided or assessed."""
        return name == self.decided_by or self.find_seat(name) is not None

    def vacate(self, *names: str) -> None:
        """Take seats away; nobody gets a seat on the same claim twice."""
        for seat in self.seats:
            seat.is_replaced = seat.is_replaced or seat.name in names


@dataclass
class Objection:
    """What somebody has against a claim in notice."""

    claim: bytes
    evidence: bytes
    status: str
    timer: Timer


@dataclass
class Claimant:
    """What earlier claims of a member mean for the next one."""

    kept: bytes | None = None
    """Claim whose firms the next one keeps."""
    is_draw_pending: bool = False
    withdrawals: dict[int, int] = field(default_factory=dict)
    """By year."""
    is_refunded: bool = False
    objections: dict[int, int] = field(default_factory=dict)
    dismissed: dict[int, int] = field(default_factory=dict)
    """Appeals that were lost, by year."""


@dataclass
class Appeal:
    """A decision before a jury."""

    member: bytes
    subject: int
    claim: bytes | None
    pool: int
    status: str
    status_before: str
    juries: list[list[bytes]] = field(default_factory=list)
    seals: dict[bytes, bytes] = field(default_factory=dict)
    """By juror, of all juries."""
    votes: dict[bytes, bool] = field(default_factory=dict)
    """Of all juries."""
    panel: dict[str, bool | None] = field(default_factory=dict)
    decider: str = "nobody"
    timer: Timer | None = None

    @property
    def jury(self) -> list[bytes]:
        """The present one."""
        return self.juries[-1] if self.juries else []


@dataclass
class Docket:
    """What all claims share."""

    height: int = 0
    """Block in which something is done."""
    draws: list[tuple[bytes, int]] = field(default_factory=list)
    """(claim, block in which it asked), in the order of asking; only the newest of a claim counts."""
    approved: dict[int, list[bytes]] = field(default_factory=dict)
    """Claims that wait for the next notice, by pool, in the order of approval."""
    bills: dict[bytes, tuple[bytes, bool]] = field(default_factory=dict)
    """(claim, whether it was confirmed) by tag."""
    benefits: dict[bytes, bytes] = field(default_factory=dict)
    """Confirmed claim that has the main benefit, by an index of the person."""
    diagnoses: dict[tuple[bytes, int, int], tuple[bytes, int]] = field(default_factory=dict)
    """(newest claim, first filing) by (member, cause, day)."""
    claimants: dict[bytes, Claimant] = field(default_factory=dict)
    objections: dict[bytes, Objection] = field(default_factory=dict)
    appeals: dict[bytes, Appeal] = field(default_factory=dict)
    appeal_draws: list[tuple[bytes, int]] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    """Owner by organisation, where it does not stand alone."""
    duties: dict[str, dict[str, int]] = field(default_factory=dict)
    """How organisations served, by what they did."""
    get_drawn: Callable[[str, bytes], list[str]] = lambda kind, case: []
    """Whom the lot took: seats of a claim, firms of a re-audit, ... by the contract's records."""
    get_jury: Callable[[bytes, int], list[bytes]] = lambda case, number: []
    """Which members a jury of a case has, by its number, by the contract's records."""

    def ask_draw(self, claim: bytes) -> None:
        """Let a claim wait for a lot that nobody knows yet."""
        self.draws = [entry for entry in self.draws if entry[0] != claim]
        self.draws.append((claim, self.height))

    def note_duty(self, name: str, what: str) -> None:
        """Note how somebody served."""
        duty = self.duties.setdefault(name, {})
        duty[what] = duty.get(what, 0) + 1

    def of(self, member: bytes) -> Claimant:
        """Return what is known of a member's claims."""
        return self.claimants.setdefault(member, Claimant())

    def has_waiting_appeal(self, member: bytes) -> bool:
        """Tell whether an appeal of a member waits for the end of another claim."""
        return any((appeal.member, appeal.status) == (member, "waiting") for appeal in self.appeals.values())
