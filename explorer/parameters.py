"""Parameters of the read API: strict at the edge, nothing clamped, nothing ignored (api.md, Version and
strictness).

An unknown parameter, a number in another notation, a value out of range or an unknown word is a 400.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from chain.contract.claim_tables import CLAIM_STATUS_NAMES
from chain.contract.custody_tables import INSTRUCTION_KIND_NAMES, INSTRUCTION_STATE_NAMES
from chain.contract.governance_tables import PROPOSAL_STATUS_NAMES
from chain.contract.tables import MEMBER_STATUS_NAMES
from chain.genesis import ROLE_NAMES
from chain.types import INT_MAX
from explorer.pagination import CURSOR_CHARACTERS_MAX, ListQuery
from explorer.privacy import PUBLIC_CALLS, WITHHELD_CALLS
from explorer.settings import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z", re.ASCII)
# 2^53 - 1 has sixteen digits, so nothing longer is ever parsed (pitfalls A8, A12).

CALL_NAMES = tuple(sorted(PUBLIC_CALLS | WITHHELD_CALLS))
MEMBER_STATES = tuple(
    dict.fromkeys(
        (
            *(name for name in MEMBER_STATUS_NAMES if name != "sharing"),
            "waiting",
            "covered",
            "suspended",
            "lapsed",
        )
    )
)
OUTCOME_NAMES = ("success", "failed")
DEPOSIT_STATES = ("credited", "partly_unmatched", "unmatched", "returned")
TASK_ROLES = (*ROLE_NAMES, "member", "juror")


def _parse_decimal(value: object) -> object:
    if isinstance(value, str):
        if not _DECIMAL.match(value):
            raise ValueError("must be a decimal integer without sign, at most 2^53 - 1")
        return int(value)
    return value


def _parse_flag(value: object) -> object:
    if isinstance(value, str):
        if value not in {"true", "false"}:
            raise ValueError("must be true or false")
        return value == "true"
    return value


def _check_date(value: str) -> str:
    if not _DATE.match(value):
        raise ValueError("must be a date YYYY-MM-DD")
    date.fromisoformat(value)
    return value


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError("must be one of " + ", ".join(names))
        return value

    return check


Decimal = Annotated[int, BeforeValidator(_parse_decimal), Field(ge=0, le=INT_MAX)]
Flag = Annotated[bool, BeforeValidator(_parse_flag)]
HexId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""32 bytes as 64 lower-case hex digits."""
PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
CallName = Annotated[
    str, AfterValidator(_one_of(CALL_NAMES)), WithJsonSchema({"type": "string", "enum": list(CALL_NAMES)})
]
OutcomeName = Annotated[
    str,
    AfterValidator(_one_of(OUTCOME_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(OUTCOME_NAMES)}),
]
MemberState = Annotated[
    str,
    AfterValidator(_one_of(MEMBER_STATES)),
    WithJsonSchema({"type": "string", "enum": list(MEMBER_STATES)}),
]
ClaimState = Annotated[
    str,
    AfterValidator(_one_of(CLAIM_STATUS_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(CLAIM_STATUS_NAMES)}),
]
PayoutKind = Annotated[
    str,
    AfterValidator(_one_of(INSTRUCTION_KIND_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(INSTRUCTION_KIND_NAMES)}),
]
PayoutState = Annotated[
    str,
    AfterValidator(_one_of(INSTRUCTION_STATE_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(INSTRUCTION_STATE_NAMES)}),
]


ProposalState = Annotated[
    str,
    AfterValidator(_one_of(PROPOSAL_STATUS_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(PROPOSAL_STATUS_NAMES)}),
]
RoleName = Annotated[
    str,
    AfterValidator(_one_of(ROLE_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(ROLE_NAMES)}),
]
DepositState = Annotated[
    str,
    AfterValidator(_one_of(DEPOSIT_STATES)),
    WithJsonSchema({"type": "string", "enum": list(DEPOSIT_STATES)}),
]
ReadyState = Annotated[str, AfterValidator(_one_of(("ready",))), WithJsonSchema({"type": "string", "enum": ["ready"]})]
TaskRole = Annotated[
    str,
    AfterValidator(_one_of(TASK_ROLES)),
    WithJsonSchema({"type": "string", "enum": list(TASK_ROLES)}),
]
DayDate = Annotated[str, AfterValidator(_check_date), WithJsonSchema({"type": "string", "format": "date"})]
"""A civil date of the plan's calendar, YYYY-MM-DD."""


class NoQuery(BaseModel):
    """A request without parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadQuery(NoQuery):
    """A request for one thing."""

    min_height: Annotated[
        Decimal | None,
        Field(description="Wait briefly until this node has reached the height, else 503 height_not_reached."),
    ] = None


class WaitQuery(ReadQuery):
    """A request for a transaction."""

    wait: Annotated[Decimal | None, Field(le=30, description="Seconds to wait for a terminal status, at most 30.")] = (
        None
    )


class PageQuery(ReadQuery):
    """A request for one page of a list."""

    limit: Annotated[Decimal, Field(ge=1, le=PAGE_LIMIT_MAX, description="Rows of a page.")] = PAGE_LIMIT_DEFAULT
    cursor: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=CURSOR_CHARACTERS_MAX),
        Field(description="`page.next` or `page.prev` of an answer to the same query."),
    ] = None

    def get_filters(self) -> tuple[tuple[str, str], ...]:
        """Return (parameter, value) of every filter that is set, by name."""
        given = self.model_dump(exclude={"limit", "cursor", "min_height"}, exclude_none=True)
        return tuple(sorted((name, _write(value)) for name, value in given.items()))

    def build_list_query(self, name: str) -> ListQuery:
        """Return what the pagination needs to know of the list `name`."""
        return ListQuery(name=name, filters=self.get_filters(), limit=self.limit, cursor=self.cursor)


def _write(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class TransactionsQuery(PageQuery):
    """A request for committed transactions; one subject at most, because two would show what links them."""

    call: Annotated[CallName | None, Field(description="Name of the call.")] = None
    outcome: Annotated[OutcomeName | None, Field(description="Outcome.")] = None
    height: Annotated[Decimal | None, Field(description="Only those of one block.")] = None
    member: Annotated[
        HexId | None,
        Field(description="Only those whose events name this member; none that also name a claim."),
    ] = None
    claim: Annotated[HexId | None, Field(description="Only those whose events name this claim.")] = None
    instruction: Annotated[HexId | None, Field(description="Only those whose events name this instruction.")] = None


class MembersQuery(PageQuery):
    """A request for members."""

    plan: Annotated[PlanName | None, Field(description="Only those of one plan.")] = None
    status: Annotated[MemberState | None, Field(description="Status at the height that answers.")] = None


class ClaimsQuery(PageQuery):
    """A request for claims."""

    plan: Annotated[PlanName | None, Field(description="Only those of one plan.")] = None
    status: Annotated[ClaimState | None, Field(description="Status at the height that answers.")] = None


class SettlementsQuery(PageQuery):
    """A request for settlements."""

    plan: Annotated[PlanName | None, Field(description="Only those of one plan.")] = None
    pool: Annotated[Decimal | None, Field(le=65_535, description="Number of the pool; needs `plan`.")] = None
    proofs: Annotated[Flag, Field(description="Whether to add the range proofs (6 to 9 kB each).")] = False


class DepositsQuery(PageQuery):
    """A request for deposits: bank facts, by account and booking day."""

    account: Annotated[PlanName, Field(description="Custody account.")]
    booking_day: Annotated[DayDate | None, Field(description="Only those booked on this day.")] = None
    state: Annotated[DepositState | None, Field(description="What became of the money.")] = None
    member: Annotated[HexId | None, Field(description="Only those credited to this member.")] = None


class StatementsQuery(PageQuery):
    """A request for the statements of an account, newest first."""

    account: Annotated[PlanName, Field(description="Custody account.")]


class ReadyQuery(PageQuery):
    """A request for what the bank is to pay now, oldest first."""

    plan: Annotated[PlanName, Field(description="Plan.")]
    pool: Annotated[Decimal, Field(le=65_535, description="Number of the pool.")] = 0
    state: Annotated[ReadyState, Field(description="`ready`; for the others see /v1/payouts.")] = "ready"


class TasksQuery(PageQuery):
    """A request for what somebody has to do, by due day."""

    plan: Annotated[PlanName, Field(description="Plan.")]
    role: Annotated[TaskRole | None, Field(description="Only what this role has to do.")] = None


class CalendarQuery(ReadQuery):
    """A request for the days ahead of a plan."""

    plan: Annotated[PlanName, Field(description="Plan.")]
    periods: Annotated[Decimal, Field(ge=1, le=24, description="How many periods ahead of each pool.")] = 4


class RemindersQuery(PageQuery):
    """A request for the members whose money runs out, poorest first."""

    plan: Annotated[PlanName, Field(description="Plan.")]
    pool: Annotated[Decimal, Field(le=65_535, description="Number of the pool.")] = 0
    below: Annotated[
        Decimal, Field(ge=1, le=2**31 - 1, description="Fen for each unit of weight; those who hold less are listed.")
    ]


class ProposalsQuery(PageQuery):
    """A request for proposals, newest first."""

    status: Annotated[ProposalState | None, Field(description="Status at the height that answers.")] = None


class OrganisationsQuery(PageQuery):
    """A request for the institutions of the consortium."""

    role: Annotated[RoleName | None, Field(description="Only those of one role.")] = None


class PayoutsQuery(PageQuery):
    """A request for instructions to the bank; a member's own do not include those of claims."""

    plan: Annotated[PlanName | None, Field(description="Only those of one plan.")] = None
    kind: Annotated[PayoutKind | None, Field(description="What the money is.")] = None
    state: Annotated[PayoutState | None, Field(description="State at the height that answers.")] = None
    member: Annotated[HexId | None, Field(description="Refunds of this member.")] = None
    claim: Annotated[HexId | None, Field(description="Payments on this claim.")] = None
