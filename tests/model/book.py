"""What there is: a plan with its pools, members, claims, instructions and deadlines (contract 2, 3.2)."""

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta

from chain.codec import encode
from chain.contract.calls import Call
from chain.contract.terms import PlanTerms, PoolTerms
from tests.model.cases import Case, Docket
from tests.model.house import House
from tests.model.records import Closed, Costs, Deposit, Half, Instruction, Period, Stage, Statement, Timer

EPOCH = date(1970, 1, 1)
DAY_MS = 86_400_000
OFFSET_MS = 480 * 60_000


def to_date(day: int) -> date:
    """Return the civil date of a plan day."""
    return EPOCH + timedelta(days=day)


def to_day(moment: date) -> int:
    """Return the plan day of a civil date."""
    return (moment - EPOCH).days


@dataclass
class Move:
    """A way from one pool to another (contract 3.0; ADR 0015)."""

    version: int
    to_pool: int
    left_day: int = 0
    has_cover: bool = False
    cover: tuple[int, int] = (0, 0)
    """First covered days, for illness and for accidents, of the membership in the old pool."""
    amount: int = 0
    """What is on its way; 0 while the leaf waits for the end of the window."""
    is_here: bool = False
    """The money has arrived; the entry waits for the end of the window."""
    act: str = ""
    """An exit asked for meanwhile."""


@dataclass
class Member:
    """One membership as it is told to a person: fen, days, words."""

    key: bytes
    weight: int
    code: int
    guardian: bytes | None
    recovery_hash: bytes
    pool: int = 0
    version: int = 0
    """The version that he signed last."""
    pins: list[tuple[int, int, int]] = field(default_factory=list)
    """(first day, version, pool) of each that he signed."""
    status: str = "applied"
    since: int = 0
    """Day of the last change of status that matters: the end."""
    cash: int = 0
    is_leaf: bool = False
    units: int = 0
    """Fen left for each unit of weight."""
    rem: int = 0
    arrears: int = 0
    suspended_on: int = 0
    missed: int = 0
    """Settlements after the one that suspended him."""
    paid: int = 0
    """For others, since entering."""
    entry_day: int = 0
    waiting_end: int = 0
    """Day on which he enters, where waiting members do not share."""
    waiting_dates: set[int] = field(default_factory=set)
    """Every day that was set for that: a wind-down pays him back on the first of them."""
    cover_from: int = 0
    accident_from: int = 0
    covered: set[int] = field(default_factory=set)
    covered_accident: set[int] = field(default_factory=set)
    bank_index: bytes | None = None
    audit_index: bytes | None = None
    epoch: int = 0
    """Of the blind index that bank or auditor gave him."""
    account: bytes | None = None
    holder: int = 0
    """0 himself, 1 guardian, 2 estate."""
    last_year: int = 0
    is_admitted: bool = False
    profile: tuple[bytes, bytes] = (b"", b"")
    claim: bytes | None = None
    aid: int = 0
    move: Move | None = None
    majority_year: int | None = None
    """Of an admitted child that is still in its guardian's hands."""
    hand_over_asked: bool = False
    """The guardian's last days have begun."""
    has_own_key: bool = False
    """A grown child signs beside the guardian."""

    @property
    def balance(self) -> int:
        """What he owns."""
        return self.cash + (self.units * self.weight + self.rem if self.is_leaf else 0)

    @property
    def is_gone(self) -> bool:
        """Whether the membership or application has ended."""
        return self.status in ("left", "refused", "expired", "claimed_out", "aged_out", "died", "voided")

    @property
    def is_paying(self) -> bool:
        """Whether the next charge finds money with him, or would have."""
        return self.is_leaf and self.arrears == 0

    def fill(self, money: int) -> None:
        """Put money into the leaf."""
        self.units, self.rem = divmod(money, self.weight)

    def wait_until(self, day: int) -> None:
        """Set the day on which he enters, who does not share while he waits."""
        self.waiting_end = day
        self.waiting_dates.add(day)


@dataclass
class Claim:
    """A claim, as far as money goes (contract 2 *Claim*)."""

    member: bytes
    number: int
    pool: int
    status: str
    row: int
    amount: int
    payee_kind: int = 0
    """0 the member, 1 the guardian, 2 the estate."""
    granted: int = 0
    paid: int = 0
    fee: int = 0
    """Platform fees that were earned with what was paid."""
    recovered: int = 0
    rest: int = 0
    """Carried to the next charge."""
    is_shares_refund: bool = False
    is_awaited: bool = True
    """The end of the plan waits for it."""
    aside: int = 0
    """Money that a closed pool keeps for it."""
    case: Case = field(default_factory=Case)


@dataclass
class Person:
    """Who is in the plan, or barred from it."""

    member: bytes
    is_barred: bool = False
    epoch: int = 0
    """In which the entry moved to its index; 0: it never did."""


@dataclass
class Death:
    """A reported death, and what it takes to put it right (ADR 0010)."""

    day: int
    reporter: str
    before: Member | None
    """The membership when it was reported; None where it had ended."""
    payee_before: int
    last: Member | None = None
    """The membership when it ended: later than reported, where that was in a window."""


@dataclass
class Custody:
    """One account at the bank: what moved, by the chain's books, and what the bank said (ADR 0017)."""

    name: str
    pool: int
    closed_day: int
    deposits: dict[tuple[int, bytes], Deposit] = field(default_factory=dict)
    """By (booking day, reference)."""
    recalls: dict[tuple[int, bytes], tuple[int, bytes, int]] = field(default_factory=dict)
    """(deposit's day, deposit's reference, amount) by (booking day, reference)."""
    booked: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    """(in count, in sum, out count, out sum) by booking day."""
    statements: list[Statement] = field(default_factory=list)
    owed: int = 0
    """What the account is short of: foreign debits and recalls of money that was gone."""
    owed_day: int = 0
    letters: dict[str, tuple[int, int, bytes, bool]] = field(default_factory=dict)
    """(day, closing, letter, whether the statement says the same) by auditor: the last one."""
    opening: int = 0
    """What the account before it closed with, whose books it goes on with (ADR 0022)."""


@dataclass
class Pool:
    """One pool's money and periods."""

    number: int
    version: int
    start_day: int
    year: int
    custody: Custody
    periods: list[Period] = field(default_factory=list)
    batches: dict[int, Period] = field(default_factory=dict)
    """Batches of one that were made after the last settlement, by number."""
    costs: list[Costs] = field(default_factory=list)
    queue: list[tuple[str, bytes]] = field(default_factory=list)
    """(act, member) in the order of asking."""
    is_window: bool = False
    settlements: int = 0
    carry: int = 0
    aid_payable: int = 0
    fee_held: int = 0
    fee_payable: int = 0
    outgoing: int = 0
    unmatched: int = 0
    cash: int = 0
    interest: int = 0
    recovered: int = 0
    unclaimed: int = 0
    charged_in_year: int = 0
    instructions: int = 0
    """Made so far."""
    quarter: tuple[int, int] = (0, 0)
    """(year, quarter) of the last sample."""
    closed: Closed | None = None
    former: list[Custody] = field(default_factory=list)
    """Accounts that its money was in before."""


@dataclass
class Version:
    """One version of the rules (contract 3.0)."""

    terms: PlanTerms
    pool: int
    first: int
    """The first version of its pool."""
    account: str | None = None
    """Of the pool that it opens."""
    status: str = "disclosed"
    disclosed_day: int = 0
    superseded_by: int | None = None
    superseded_day: int = 0


@dataclass
class Book:
    """Everything about one plan."""

    day: int
    organisations: dict[bytes, tuple[str, str]]
    """(name, role) by key."""
    versions: list[Version] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    members: dict[bytes, Member] = field(default_factory=dict)
    codes: dict[int, bytes] = field(default_factory=dict)
    claims: dict[bytes, Claim] = field(default_factory=dict)
    docket: Docket = field(default_factory=Docket)
    house: House = field(default_factory=House)
    persons: dict[bytes, Person] = field(default_factory=dict)
    """By the newest index."""
    reissued: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    """(newer index, epoch) by index."""
    reissues: dict[tuple[bytes, int], dict[str, bytes]] = field(default_factory=dict)
    """What bank and auditors say an index becomes, by (index, epoch)."""
    epoch: int = 0
    epoch_newest: int = 0
    epoch_pending: tuple[int, int] | None = None
    """(epoch, last day)."""
    instructions: dict[bytes, Instruction] = field(default_factory=dict)
    halves: dict[Call, Half] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)
    wishes: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    """(commitment, last day) of the account that a member asked for."""
    rekeys: dict[bytes, tuple[bytes, Timer]] = field(default_factory=dict)
    deaths: dict[bytes, Death] = field(default_factory=dict)
    hearings: dict[bytes, Stage] = field(default_factory=dict)
    erasures: dict[bytes, Stage] = field(default_factory=dict)
    samples: dict[tuple[int, int], Stage] = field(default_factory=dict)
    """Ghost audits by (pool, number)."""
    released: set[bytes] = field(default_factory=set)
    """Instructions that the bank may carry out although the plan is frozen."""
    explanations: dict[tuple[str, int], Stage] = field(default_factory=dict)
    """Resolutions by (account, statement)."""
    now_ms: int = 0
    """Block time."""
    status: str = "active"
    pause: tuple[int, int] | None = None
    """(first day, day on which it ends)."""
    pausers: dict[str, int] = field(default_factory=dict)
    broken_since: int = 0
    """Day since which bank and chain disagree; 0: they agree."""
    is_waived: bool = False
    """Broken for so long that the plan winds down instead of being frozen."""
    wind_day: int = 0
    run_off: int = 0
    """Days since the end began on which the plan was not stopped."""

    @property
    def is_stopped(self) -> bool:
        """Whether days do not count."""
        return self.status in ("paused", "frozen")

    @property
    def is_winding(self) -> bool:
        """Whether the end has begun."""
        return self.wind_day > 0

    @property
    def auditors(self) -> list[str]:
        """Names of the auditors in order."""
        return [name for name, role in self.organisations.values() if role == "auditor"]

    def role_of(self, signer: bytes) -> str:
        """Return the role behind a key, or an empty text."""
        return self.organisations.get(signer, ("", ""))[1]

    def pool_of(self, member: Member) -> Pool:
        """Return the pool of a member."""
        return self.pools[member.pool]

    def pool_terms(self, pool: Pool) -> PoolTerms:
        """Return the terms that all in a pool share."""
        return self.versions[pool.version].terms.pool

    def find_custody(self, account: str) -> Custody | None:
        """Return an account of the plan."""
        known = [custody for pool in self.pools for custody in (pool.custody, *pool.former)]
        return next((custody for custody in known if custody.name == account), None)

    def members_of(self, pool: Pool) -> list[Member]:
        """Return who is in a pool."""
        return [member for member in self.members.values() if member.pool == pool.number]

    def total(self, pool: Pool) -> int:
        """Return the money of a pool that is somewhere."""
        mine = sum(member.balance for member in self.members_of(pool))
        aid = pool.aid_payable + pool.fee_held + pool.fee_payable
        return mine + pool.carry + aid + pool.outgoing + pool.unmatched

    def add_timer(self, kind: str, days: int, subject: bytes, *, note: int = 0, due_ms: int | None = None) -> Timer:
        """Set a deadline; it comes up at 0:00 of the last day, others of its kind before it by time, then by id."""
        if due_ms is None:
            due_ms = (self.day + days) * DAY_MS - OFFSET_MS
        timer = Timer(days, kind, subject, note=note, order=(due_ms, subject))
        self.timers.append(timer)
        return timer

    def instruct(
        self,
        pool: Pool,
        kind: str,
        amount: int,
        *,
        fee: int = 0,
        member: bytes | None = None,
        claim: bytes | None = None,
        account: bytes | None = None,
        deposit: tuple[str, int, bytes] | None = None,
        to_account: str | None = None,
        period: int | None = None,
    ) -> bytes:
        """Order the bank to pay; return the id: SHA-256 of a tag and [plan, pool, running number]."""
        assert amount > 0
        name = hashlib.sha256(b"gongji/instruction/v1\n" + encode(("care", pool.number, pool.instructions))).digest()
        pool.instructions += 1
        self.instructions[name] = Instruction(
            kind=kind,
            state="computed" if kind == "aid" else "ready",
            pool=pool.number,
            amount=amount,
            fee=fee,
            member=member,
            claim=claim,
            account=account,
            deposit=deposit,
            to_account=to_account,
            period=pool.settlements if period is None else period,
            made_day=self.day,
        )
        return name

    def refund(self, member_id: bytes, amount: int) -> None:
        """Order the bank to pay a member money that has left his record."""
        if amount:
            member = self.members[member_id]
            pool = self.pool_of(member)
            pool.outgoing += amount
            self.instruct(pool, "refund", amount, member=member_id, account=member.account)
