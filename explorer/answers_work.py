"""The JSON of daily work: deposits, statements, what the bank is to pay, tasks, calendar, reminders. Data only."""

from msgspec import UNSET, Struct, UnsetType

from explorer.pagination import Page
from explorer.represent import JsonObject, Money


class DepositAnswer(Struct, frozen=True):
    """One booked transfer to a custody account: a bank fact."""

    account: str
    booking_day: str | None
    ref_token: str
    """Keyed token of the bank's reference."""
    value_day: str | None
    amount: Money
    credited: Money
    """What a member's balance took."""
    unmatched: Money
    """What names nobody, or more than the member may take, and has not been returned."""
    returned: Money
    state: str
    """credited, partly_unmatched, unmatched or returned."""
    deposit_code: int | None
    """Code of the remittance text."""
    member: str | None
    """Who was credited."""


class DepositPage(Struct, frozen=True):
    """Deposits by booking day."""

    items: list[DepositAnswer]
    page: Page


class StatementAnswer(Struct, frozen=True):
    """One posted statement and its verdict."""

    account: str
    statement: int
    """Running number within the account."""
    from_day: str | None
    to_day: str | None
    opening: Money
    closing: Money
    in_count: int
    in_sum: Money
    out_count: int
    out_sum: Money
    file_hash: str
    is_matched: bool
    """Whether it equalled the chain's own books when it was posted."""
    state: str
    """matched, mismatch or resolved, as it is now."""
    expected_closing: Money


class StatementPage(Struct, frozen=True):
    """Statements, newest first."""

    items: list[StatementAnswer]
    page: Page


class ReadyAnswer(Struct, frozen=True):
    """One order that the bank has not answered."""

    instruction: str
    kind: str
    """aid, refund, return or fee."""
    amount: Money
    fee: Money
    """Platform fee that becomes payable with it."""
    created: str | None
    due: str | None
    """Seven days later, silence is public as overdue."""
    is_overdue: bool
    is_held: bool
    """The plan is FROZEN and this payment was not released: the bank is asked not to make it."""
    attempt: int
    period: int
    return_of: str | None
    """`account/booking day/reference token` of the deposit that goes back to its payer."""
    account_token: str | UnsetType | None = UNSET
    """Payee's account; only with an access key of scope payments, because it links claims to members."""
    member: str | UnsetType | None = UNSET
    """Of a refund; of an aid instruction only with an access key of scope payments."""
    claim: str | UnsetType | None = UNSET
    """Of an aid instruction."""


class ReadyPage(Struct, frozen=True):
    """What the bank is to pay, oldest first."""

    items: list[ReadyAnswer]
    page: Page


class TaskAnswer(Struct, frozen=True):
    """Something that waits for somebody."""

    kind: str
    """What the deadline is; see the table in docs/api.md."""
    roles: list[str]
    """Who is asked."""
    organisations: list[str]
    """Which organisations, where they are known by name."""
    due: str | None
    """It ends at 0:00 of this day."""
    is_overdue: bool
    on_silence: str
    """What the contract does then."""
    subject: str
    """Hex id of what it is about."""
    claim: str | UnsetType = UNSET
    member: str | UnsetType = UNSET
    call: JsonObject | UnsetType = UNSET
    """The call that others have signed and that waits for more signatures."""


class TaskPage(Struct, frozen=True):
    """Tasks by due day."""

    items: list[TaskAnswer]
    page: Page


class CalendarEntry(Struct, frozen=True):
    """One day ahead."""

    day: str | None
    kind: str
    """notice, confirm_from, charge, batch_silence, statement_overdue."""
    pool: int
    period: int | None
    is_fixed: bool
    """False where it follows from the terms alone and a stop of the plan would move it."""


class CalendarAnswer(Struct, frozen=True):
    """The days ahead of a plan."""

    plan: str
    today: str | None
    entries: list[CalendarEntry]


class ReminderAnswer(Struct, frozen=True):
    """A member whose money runs out."""

    member: str
    weight: int
    left: Money
    """For each unit of weight."""
    balance: Money
    deposit_code: int


class ReminderPage(Struct, frozen=True):
    """Members by what they have left, poorest first."""

    items: list[ReminderAnswer]
    page: Page
    last_charge: Money
    """Per unit, of the newest settlement: what to compare with."""
