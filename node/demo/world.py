"""What the actors see: the state of the chain as any reader of the REST sees it, at one height."""

from msgspec import Struct

DAY_MS = 86_400_000


class FirmView(Struct, frozen=True):
    """One assessor firm on a claim."""

    organisation: str
    is_accepted: bool
    is_committed: bool
    is_revealed: bool


class ClaimView(Struct, frozen=True):
    """One claim that is not finished."""

    claim: bytes
    status: str
    """A name of tables.CLAIM_STATUS_NAMES."""
    filed_day: int
    firms: tuple[FirmView, ...]
    has_certificate: bool


class InstructionView(Struct, frozen=True):
    """One order to the bank that it has not answered yet."""

    instruction: bytes
    kind: str
    amount: int
    """Fen."""
    created_day: int
    claim: bytes | None
    """Claim that it pays."""
    attempt: int
    """How often it was tried before."""


class MemberView(Struct, frozen=True):
    """One member as listed."""

    member: bytes
    status: str
    """As lists show it: applied, verified, queued, waiting, covered, suspended, lapsed, leaving, left, ..."""
    weight: int
    balance: int
    """Fen."""

    @property
    def is_sharing(self) -> bool:
        """Tell whether the member is in the sum tree."""
        return self.status in SHARING


SHARING = frozenset({"waiting", "covered", "suspended", "lapsed"})


class TaskView(Struct, frozen=True):
    """Something that waits for somebody, as the list of tasks shows it."""

    kind: str
    """Call that is waited for."""
    subject: bytes
    organisations: tuple[str, ...]
    """Who is asked by name."""


class BatchView(Struct, frozen=True):
    """The payout batch of one settled period."""

    period: int
    root: bytes
    """Computed by the contract; what platform and co-signer sign."""


class PlanView(Struct, frozen=True):
    """The plan and its pool."""

    status: str
    """A name of tables.PLAN_STATUS_NAMES."""
    period: int
    """Settlements so far."""
    share_index: int
    is_window: bool
    """From notice until the settlement is drained."""
    version: int = 0
    """Rule version that takes new members."""
    rules_hash: bytes = b""
    """Its hash: what an applicant pins."""
    fee_payable: int = 0
    """What the platform has earned and was not paid yet, fen."""


class World(Struct):
    """All of it; the backend writes it, the actors only read it."""

    plan_name: str
    utc_offset_minutes: int
    start_day: int
    """Plan day on which the demo began."""
    height: int = 0
    time_ms: int = 0
    """Block time of the last block."""
    plan: PlanView = PlanView(status="active", period=0, share_index=0, is_window=False)
    claims: tuple[ClaimView, ...] = ()
    """Unfinished ones, and rejected ones, which may be appealed."""
    instructions: tuple[InstructionView, ...] = ()
    """Ready for the bank."""
    batches: tuple[BatchView, ...] = ()
    """Of all settlements so far."""
    tasks: tuple[TaskView, ...] = ()
    """Of the roles in `asked_roles`, as listed last."""
    asked_roles: tuple[str, ...] = ()
    """Whose tasks the backend lists with the next look; written by the stage."""
    juries: dict[bytes, tuple[bytes, ...]] = {}
    """Members drawn for the jury of an appeal, by case, as far as they have found out: each does so for himself."""
    members: dict[bytes, MemberView] = {}
    members_height: int = -1
    """Height at which the members were listed last: less often than the rest."""

    @property
    def today(self) -> int:
        """Return the plan day of the last block."""
        return (self.time_ms + self.utc_offset_minutes * 60_000) // DAY_MS

    @property
    def demo_day(self) -> int:
        """Return how many days the demo has run."""
        return self.today - self.start_day
