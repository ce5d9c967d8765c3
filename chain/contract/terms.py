"""Terms of a plan as data: pool terms, pinned terms, and their loading from TOML (contract 3.0).

Pool terms never change for the worse for a payer while the pool lives; pinned terms are each member's own version.
"""

import tomllib
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.codec import encode
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
Days = Annotated[int, Meta(ge=0, le=3_650)]
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
    waiting_days: Days
    claim_window_days: Days
    age_min_days: Days
    age_limit_years: Annotated[int, Meta(ge=1, le=150)]


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


_POOL_KEYS = {name for name in PoolTerms.__struct_fields__ if name != "benefit_ceiling"}
_PINNED_KEYS = {name for name in PinnedTerms.__struct_fields__ if name != "benefits"}
_UNPAID = {"carry": 0, "end": 1}


def load_terms(toml_text: str) -> PlanTerms:
    """Load a plan from TOML; raise `ConfigError` naming the field that is missing, unknown or out of range."""
    try:
        table = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(field="plan", reason=f"not TOML: {error}") from error
    unknown = sorted(set(table) - _POOL_KEYS - _PINNED_KEYS - {"name", "currency", "benefit"})
    if unknown:
        raise ConfigError(field=unknown[0], reason="there is no such field")
    benefits = [
        [row.get(name) for name in Benefit.__struct_fields__]
        for row in table.get("benefit", ())
        if isinstance(row, dict)
    ]
    unpaid = table.get("unpaid")
    if unpaid not in _UNPAID:
        raise ConfigError(field="unpaid", reason="must be carry or end")
    pool = [
        benefits if name == "benefit_ceiling" else _UNPAID[unpaid] if name == "unpaid" else table.get(name)
        for name in PoolTerms.__struct_fields__
    ]
    pinned = [benefits if name == "benefits" else table.get(name) for name in PinnedTerms.__struct_fields__]
    fields = (("pool", PoolTerms, pool), ("pinned", PinnedTerms, pinned))
    for _, struct, values in fields:
        for name, value in zip(struct.__struct_fields__, values, strict=True):
            _check_field(struct, name, value)
    terms = msgspec.convert([table.get("name"), table.get("currency"), pool, pinned], PlanTerms)
    validate_terms(terms)
    return terms


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
    if len(pool.benefit_ceiling) < len(terms.pinned.benefits):
        raise ConfigError(field="benefit_ceiling", reason="a benefit has no ceiling")
