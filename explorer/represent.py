"""How values of the ledger look in JSON: money, hex, times, days, enums (api.md, Representation).

Calls and events are shown field by field from their structs. What an integer means follows from its name, and
each name is listed here: a test walks all calls and events and fails for a name that nobody has classified.
"""

from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from msgspec import Struct

from chain.catalogue import get_entry_by_number
from chain.contract.appeal_tables import APPEAL_DECIDER_NAMES, APPEAL_SUBJECT_NAMES
from chain.contract.claim_review_tables import OBJECTION_STATUS_NAMES, REAUDIT_OUTCOME_NAMES
from chain.contract.claim_tables import CLAIM_STATUS_NAMES
from chain.contract.clauses import CLAUSE_KIND_NAMES
from chain.contract.custody_tables import INSTRUCTION_KIND_NAMES, INSTRUCTION_STATE_NAMES
from chain.contract.governance_tables import PROPOSAL_STATUS_NAMES
from chain.contract.money_tables import CASH_KIND_NAMES
from chain.contract.person_tables import ERASURE_SCOPE_NAMES, VOID_STAGE_NAMES
from chain.contract.settlement_tables import PERIOD_STATUS_NAMES
from chain.contract.tables import MEMBER_STATUS_NAMES, PLAN_STATUS_NAMES
from chain.contract.wind_tables import END_CAUSE_NAMES
from chain.genesis import ROLE_NAMES

CURRENCY = "CNY"
SCALE = 2
TIME_MS_MAX = 253_402_300_799_999
"""Last millisecond of the year 9999; a later time has no RFC 3339 form and is shown as null."""
DAY_MAX = 2_932_896
"""9999-12-31 as a plan day."""
_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

JsonObject: TypeAlias = dict[str, object]
"""A JSON object whose fields depend on a call or an event."""

CAUSE_NAMES = ("illness", "accident")
HOLDER_NAMES = ("self", "guardian", "estate")
SOURCE_NAMES = ("hospital", "e_bill", "visit")
UNPAID_NAMES = ("carry", "end")
SEX_NAMES = ("not_said", "male", "female")
FINDING_NAMES = ("not_fulfilled", "fulfilled")
ITEM_KIND_NAMES = ("aid", "share_refund")

MONEY_FIELDS = frozenset(
    {
        "amount", "opening", "closing", "in_sum", "out_sum", "taken", "unmatched", "balance", "paid",
        "granted", "fee", "cost", "collected", "carry_before", "carry_after", "part_paid",
        "expected_closing", "arrears", "rest_carried", "rest_ended", "carry", "residue", "share", "cash",
        "returned", "shares_paid", "entry_index", "index_after", "index_before", "per", "per_max",
        "share_index", "rest", "refund", "owed",
        "cap_per_case_fen", "cap_per_period_fen", "cap_per_year_fen", "deposit_min_fen", "deposit_max_fen",
        "severe_fen", "mild_fen",
    }
)  # fmt: skip
"""Integers in fen, the share index and charges per unit included."""
NUMBER_FIELDS = frozenset(
    {
        "pool", "weight", "last_cover_year", "epoch", "reason", "deposit_code", "in_count", "out_count",
        "row", "asked_row", "period", "attempt", "version", "number", "units", "members", "cases",
        "height", "count", "x", "rem", "units_at_notice", "members_at_notice", "settlement", "escalation",
        "carried", "weight_before", "span", "claims", "stage", "due_kind",
        "port", "value", "value_before", "index", "set_size",
        "age_from_years", "age_to_years", "province", "disease_group", "people_min", "rechecks", "reports",
        "left", "draw", "sample_size", "found", "bound_ppm", "round", "jurors", "eligible",
        "utc_offset_minutes", "notice_days_of_month", "charge_days_of_month", "notice_full_days_min", "fee_bp",
        "grace_periods", "carry_periods_max", "members_min", "launch_days", "jury_size", "waiting_days",
        "claim_window_days", "age_min_days", "age_limit_years", "successor", "from_pool",
        "rank_offset", "committed", "votes", "upheld", "missing",
    }
)  # fmt: skip
"""Plain integers: counts, numbers, indexes."""
DAY_FIELDS = frozenset({"day", "cover_from", "accident_from", "covered_to"})
"""Plan days, beside all names that end with `_day`; 0 means that there is none."""
ENUM_FIELDS: dict[str, tuple[str, ...]] = {
    "cause": CAUSE_NAMES,
    "holder_kind": HOLDER_NAMES,
    "payee_kind": HOLDER_NAMES,
    "role": ROLE_NAMES,
    "scope": ERASURE_SCOPE_NAMES,
    "unpaid": UNPAID_NAMES,
    "end_cause": END_CAUSE_NAMES,
    "sex": SEX_NAMES,
    "source": SOURCE_NAMES,
    "finding": FINDING_NAMES,
    "subject": APPEAL_SUBJECT_NAMES,
    "appeal_subject": APPEAL_SUBJECT_NAMES,
    "decider": APPEAL_DECIDER_NAMES,
}
"""Integers that name something, by field."""
STATUS_FIELDS = frozenset({"status", "state", "kind"})
"""Integers that name something that depends on the subject, by the first word of the event's name."""
_SUBJECT_ENUMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("member", "status"): MEMBER_STATUS_NAMES,
    ("claim", "status"): CLAIM_STATUS_NAMES,
    ("objection", "status"): OBJECTION_STATUS_NAMES,
    ("reaudit", "state"): REAUDIT_OUTCOME_NAMES,
    ("void", "state"): VOID_STAGE_NAMES,
    ("plan", "status"): PLAN_STATUS_NAMES,
    ("proposal", "status"): PROPOSAL_STATUS_NAMES,
    ("period", "status"): PERIOD_STATUS_NAMES,
    ("instruction", "kind"): INSTRUCTION_KIND_NAMES,
    ("instruction", "state"): INSTRUCTION_STATE_NAMES,
    ("instruction", "status"): INSTRUCTION_STATE_NAMES,
    ("item", "kind"): ITEM_KIND_NAMES,
    ("rules", "kind"): CLAUSE_KIND_NAMES,
    ("cash", "kind"): CASH_KIND_NAMES,
    ("statement", "kind"): CASH_KIND_NAMES,
    ("payment", "kind"): INSTRUCTION_KIND_NAMES,
}


class Money(Struct, frozen=True):
    """An exact amount of money."""

    amount: str
    """Integer in minor units as a decimal string: exact in every language."""
    currency: str = CURRENCY
    """ISO 4217."""
    scale: int = SCALE
    """Digits of the minor unit: with 2, 100 fen are one yuan."""


def build_money(fen: int) -> Money:
    """Return fen as a money object."""
    return Money(amount=str(fen))


def format_time(timestamp_ms: int) -> str | None:
    """Return a block time as RFC 3339 in UTC with milliseconds and Z; null beyond the year 9999."""
    if timestamp_ms > TIME_MS_MAX:
        return None
    moment = _EPOCH + timedelta(milliseconds=timestamp_ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def format_day(day: int) -> str | None:
    """Return a plan day as an ISO date; null beyond the year 9999."""
    return None if day > DAY_MAX else (_EPOCH_DAY + timedelta(days=day)).isoformat()


def format_set_day(day: int) -> str | None:
    """Return a plan day as an ISO date where 0 means that there is none."""
    return format_day(day) if day else None


def get_name(names: tuple[str, ...], number: int) -> str:
    """Return the word of an enum; a number without a word is shown as `unknown_<n>` rather than refused."""
    return names[number] if number < len(names) else f"unknown_{number}"


def get_code(number: int) -> str:
    """Return the catalogue code of a ledger outcome."""
    return get_entry_by_number(number).code


def represent_fields(value: Struct, *, subject: str) -> JsonObject:
    """Return the fields of a call, of one of its items or of an event as JSON values; `subject` is its
    name."""
    return {name: _represent(name, getattr(value, name), subject=subject) for name in value.__struct_fields__}


def _represent(name: str, value: object, *, subject: str) -> object:
    match value:
        case None | bool() | str():
            return value
        case bytes():
            return value.hex()
        case int():
            return represent_integer(name, value, subject=subject)
        case Struct():
            tag = value.__struct_config__.tag
            kind = {"kind": tag} if isinstance(tag, str) else {}
            return {**kind, **represent_fields(value, subject=subject)}
        case tuple():
            return [_represent(name, item, subject=subject) for item in value]
        case _:
            raise TypeError(f"{subject}.{name} has no JSON form: {type(value).__name__}")


def represent_integer(name: str, value: int, *, subject: str) -> object:
    """Return an integer field as money, day, time, word or plain number, by its name."""
    if name in MONEY_FIELDS:
        return {"amount": str(value), "currency": CURRENCY, "scale": SCALE}
    if name in DAY_FIELDS or name.endswith("_day"):
        return format_set_day(value)
    if name.endswith("_ms"):
        return format_time(value)
    if name in {"outcome", "code"}:
        return get_code(value)
    names = get_names(name, subject=subject)
    return get_name(names, value) if names else value


def get_names(name: str, *, subject: str) -> tuple[str, ...]:
    """Return the words of an integer field, by its name and whose it is; none where it is no enum."""
    if name in STATUS_FIELDS:
        return _SUBJECT_ENUMS.get((subject.partition("_")[0], name), ())
    return ENUM_FIELDS.get(name, ())


def is_classified(name: str, *, subject: str) -> bool:
    """Tell whether an integer field's meaning is known here."""
    return (
        name in MONEY_FIELDS
        or name in NUMBER_FIELDS
        or name in DAY_FIELDS
        or name.endswith(("_day", "_ms"))
        or name in {"outcome", "code"}
        or name in ENUM_FIELDS
        or (subject.partition("_")[0], name) in _SUBJECT_ENUMS
    )
