"""Terms of a plan as data: pool terms, pinned terms, and their loading from TOML (contract 3.0).

Pool terms never change for the worse for a payer while the pool lives; pinned terms are each member's own version. What
two versions have to do with each other is in rules_compare.py, what clauses a plan has that states none of its own in
standard_clauses.py.
"""

import tomllib
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.codec import encode
from chain.contract.clauses import CLAUSE_KIND_NAMES, KIND_EXCLUSION, Clause, Exclusion
from chain.contract.standard_clauses import STANDARD_CLAUSES, STANDARD_EXCLUSIONS
from chain.crypto import sha256
from chain.errors import ConfigError
from chain.types import FEN_MAX, Fen, Hash

WEIGHT_MAX = 100
"""Units of one member."""
UNITS_FEN_MAX = 2**30
"""What one unit may own in fen, also if somebody puts the money of the greatest weight behind the least: with it, X
stays below 2^31 until the index itself has passed 2^30, ten million yuan for each unit (contract 3.2)."""
BENEFIT_FEN_MAX = FEN_MAX // 10_000
"""The 5,000 items of one settlement, each with a fee of up to its amount, must fit into one sum."""
CLAUSES_TOTAL_MAX = 128
EXCLUSIONS_MAX = 64
Days = Annotated[int, Meta(ge=0, le=3_650)]
WaitingDays = Annotated[int, Meta(ge=0, le=365)]
"""A year at most: whoever waits when a plan begins to end is refunded when the waiting is over, before the plan is."""
DayOfMonth = Annotated[int, Meta(ge=1, le=28)]
Cap = Annotated[int, Meta(ge=1, le=FEN_MAX)] | None
"""A cap in fen; absent means none; a cap of 0 is refused."""


class Benefit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Amounts by age at diagnosis; gives two rows of the benefit table: severe, then mild."""

    age_from_years: Annotated[int, Meta(ge=0, le=150)]
    age_to_years: Annotated[int, Meta(ge=0, le=150)]
    severe_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)]
    mild_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)]


class PoolTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What all members of a pool share, so that all share one charge per unit."""

    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)]
    notice_days_of_month: Annotated[tuple[DayOfMonth, ...], Meta(min_length=1, max_length=8)]
    """Days on which the count and the claim list are fixed, at 0:00; ascending."""
    charge_days_of_month: Annotated[tuple[DayOfMonth, ...], Meta(min_length=1, max_length=8)]
    """Days of settlement; one for each notice day, after it and before the next."""
    notice_full_days_min: Annotated[int, Meta(ge=0, le=28)]
    """Full days in public before a claim may be confirmed."""
    fee_bp: Annotated[int, Meta(ge=0, le=10_000)]
    """Platform fee on aid in basis points."""
    cap_per_case_fen: Cap
    """Most that one case costs a unit of weight, fee included."""
    cap_per_period_fen: Cap
    cap_per_year_fen: Cap
    deposit_min_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)]
    """Per unit of weight: enough to enter, and what a withdrawal must leave."""
    deposit_max_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)]
    """Per unit of weight: more is returned."""
    grace_periods: Annotated[int, Meta(ge=0, le=100)]
    """Settlements after suspension in which a member may still reinstate."""
    waiting_members_share: bool
    """Whether members in the waiting period pay and count."""
    unpaid: Annotated[int, Meta(ge=0, le=1)]
    """What becomes of aid that the charge does not cover: 0 carry, 1 end."""
    carry_periods_max: Annotated[int, Meta(ge=0, le=100)]
    benefit_ceiling: Annotated[tuple[Benefit, ...], Meta(min_length=1, max_length=32)]
    members_min: Annotated[int, Meta(ge=1, le=2**31)]
    launch_days: Days
    residue_to: Annotated[str, Meta(min_length=1, max_length=32)]
    jury_size: Annotated[int, Meta(ge=7, le=100_001)]


class PinnedTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What each member keeps from the version that it signed."""

    benefits: Annotated[tuple[Benefit, ...], Meta(min_length=1, max_length=32)]
    waiting_days: WaitingDays
    claim_window_days: Days
    age_min_days: Days
    age_limit_years: Annotated[int, Meta(ge=1, le=150)]
    clauses: Annotated[tuple[Clause, ...], Meta(min_length=1, max_length=CLAUSES_TOTAL_MAX)]
    """What decisions and reports cite, in the order of reading."""
    exclusions: Annotated[tuple[Exclusion, ...], Meta(max_length=EXCLUSIONS_MAX)]
    """What is not covered, by machine name: two versions are compared by these."""


class PlanTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One version of a plan's rules, complete."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    pool: PoolTerms
    pinned: PinnedTerms


def hash_terms(terms: PlanTerms) -> Hash:
    """Return the hash that a member signs when joining (rules_hash)."""
    return sha256(encode(terms))


def get_benefit_fen(benefits: tuple[Benefit, ...], row: int) -> Fen | None:
    """Return the amount of a benefit row (2 * band + 0 severe | 1 mild), or None where there is none."""
    band, is_mild = divmod(row, 2)
    if band >= len(benefits):
        return None
    return Fen(benefits[band].mild_fen if is_mild else benefits[band].severe_fen)


def get_least_fen(benefits: tuple[Benefit, ...], *, age_from_years: int, age_to_years: int, is_mild: bool) -> Fen:
    """Return the least amount that a table gives at any of these ages; 0 where it leaves one out."""
    amounts = []
    for age in range(age_from_years, age_to_years + 1):
        band = next((item for item in benefits if item.age_from_years <= age <= item.age_to_years), None)
        if band is None:
            return Fen(0)
        amounts.append(band.mild_fen if is_mild else band.severe_fen)
    return Fen(min(amounts))


def is_within(benefits: tuple[Benefit, ...], ceiling: tuple[Benefit, ...]) -> bool:
    """Tell whether no benefit is above a ceiling, at any age."""
    return all(
        band.severe_fen <= get_least_fen(ceiling, age_from_years=low, age_to_years=high, is_mild=False)
        and band.mild_fen <= get_least_fen(ceiling, age_from_years=low, age_to_years=high, is_mild=True)
        for band in benefits
        for low, high in [(band.age_from_years, band.age_to_years)]
    )


def has_clauses(pinned: PinnedTerms, numbers: tuple[str, ...]) -> bool:
    """Tell whether every one of the clauses that are cited stands in the terms."""
    known = [clause.number for clause in pinned.clauses]
    return all(number in known for number in numbers)


_POOL_KEYS = {name for name in PoolTerms.__struct_fields__ if name != "benefit_ceiling"}
_PINNED_KEYS = {name for name in PinnedTerms.__struct_fields__ if name not in ("benefits", "clauses", "exclusions")}
_TABLES = {"benefit": Benefit, "clause": Clause, "exclusion": Exclusion}
"""Lists of tables, by the name of one of their rows."""
_UNPAID = {"carry": 0, "end": 1}


def load_terms(toml_text: str) -> PlanTerms:
    """Load a plan from TOML; raise `ConfigError` naming the field that is missing, unknown or out of range.

    A plan without `clause` tables has the standard clauses; one with clauses and without `exclusion` tables excludes
    nothing.
    """
    try:
        table = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(field="plan", reason=f"not TOML: {error}") from error
    unknown = sorted(set(table) - _POOL_KEYS - _PINNED_KEYS - {"name", "currency", *_TABLES})
    if unknown:
        raise ConfigError(field=unknown[0], reason="there is no such field")
    if table.get("unpaid") not in _UNPAID:
        raise ConfigError(field="unpaid", reason="must be carry or end")
    benefits = _load_rows(table, "benefit")
    pool = [
        benefits if name == "benefit_ceiling" else _UNPAID[table["unpaid"]] if name == "unpaid" else table.get(name)
        for name in PoolTerms.__struct_fields__
    ]
    has_own = "clause" in table
    if "exclusion" in table and not has_own:
        raise ConfigError(field="exclusion", reason="an exclusion names a clause of the plan's own")
    lists: dict[str, object] = {
        "benefits": benefits,
        "clauses": _load_rows(table, "clause") if has_own else msgspec.to_builtins(STANDARD_CLAUSES),
        "exclusions": _load_rows(table, "exclusion") if has_own else msgspec.to_builtins(STANDARD_EXCLUSIONS),
    }
    pinned = [lists.get(name, table.get(name)) for name in PinnedTerms.__struct_fields__]
    fields = (("pool", PoolTerms, pool), ("pinned", PinnedTerms, pinned))
    for _, struct, values in fields:
        for name, value in zip(struct.__struct_fields__, values, strict=True):
            _check_field(struct, name, value)
    terms = msgspec.convert([table.get("name"), table.get("currency"), pool, pinned], PlanTerms)
    validate_terms(terms)
    return terms


def _load_rows(table: dict[str, object], name: str) -> list[list[object]]:
    """Return the rows of a list of tables as arrays; the kind of a clause is a word in TOML."""
    rows = table.get(name, [])
    struct = _TABLES[name]
    found: list[list[object]] = []
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, dict) or set(row) - set(struct.__struct_fields__):
            raise ConfigError(field=name, reason=f"each has the fields {', '.join(struct.__struct_fields__)}")
        values = [row.get(field) for field in struct.__struct_fields__]
        if struct is Clause:
            values = [CLAUSE_KIND_NAMES.index(value) if value in CLAUSE_KIND_NAMES else value for value in values]
        found.append(values)
    return found


def _check_field(struct: type[Struct], name: str, value: object) -> None:
    field = next(item for item in msgspec.structs.fields(struct) if item.name == name)
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        reason = "is missing" if value is None else str(error)
        raise ConfigError(field=name, reason=reason) from error


def validate_terms(terms: PlanTerms) -> None:
    """Raise `ConfigError` where fields contradict each other."""
    pool = terms.pool
    notices, charges = pool.notice_days_of_month, pool.charge_days_of_month
    if len(notices) != len(charges):
        raise ConfigError(field="charge_days_of_month", reason="one charge day for each notice day")
    flat = [day for pair in zip(notices, charges, strict=True) for day in pair]
    if flat != sorted(set(flat)):
        raise ConfigError(field="notice_days_of_month", reason="each charge follows its notice, before the next notice")
    if any(charge - notice <= pool.notice_full_days_min for notice, charge in zip(notices, charges, strict=True)):
        raise ConfigError(field="notice_full_days_min", reason="more than the days between notice and charge")
    if pool.deposit_max_fen < pool.deposit_min_fen:
        raise ConfigError(field="deposit_max_fen", reason="less than deposit_min_fen")
    if pool.deposit_max_fen * WEIGHT_MAX > UNITS_FEN_MAX:
        raise ConfigError(field="deposit_max_fen", reason=f"must be at most {UNITS_FEN_MAX // WEIGHT_MAX}")
    if pool.jury_size % 2 == 0:
        raise ConfigError(field="jury_size", reason="must be odd")
    for benefits in (terms.pinned.benefits, pool.benefit_ceiling):
        for before, after in pairwise(benefits):
            if after.age_from_years != before.age_to_years + 1:
                raise ConfigError(field="benefit", reason="age bands must follow each other without a gap")
        if any(band.age_to_years < band.age_from_years for band in benefits):
            raise ConfigError(field="benefit", reason="an age band ends before it starts")
        if any(max(band.severe_fen, band.mild_fen) > BENEFIT_FEN_MAX for band in benefits):
            raise ConfigError(field="benefit", reason=f"an amount must be at most {BENEFIT_FEN_MAX}")
    if not is_within(terms.pinned.benefits, pool.benefit_ceiling):
        raise ConfigError(field="benefit_ceiling", reason="a benefit is above it, or has none")
    _validate_clauses(terms.pinned)


def _validate_clauses(pinned: PinnedTerms) -> None:
    numbers = [clause.number for clause in pinned.clauses]
    if len(set(numbers)) < len(numbers):
        raise ConfigError(field="clause", reason="no two clauses may have one number")
    names = [exclusion.name for exclusion in pinned.exclusions]
    if len(set(names)) < len(names):
        raise ConfigError(field="exclusion", reason="no two exclusions may have one name")
    stated = {clause.number for clause in pinned.clauses if clause.kind == KIND_EXCLUSION}
    if {exclusion.clause for exclusion in pinned.exclusions} != stated:
        raise ConfigError(field="exclusion", reason="one for each clause of the kind exclusion")
