"""What two versions of the rules have to do with each other: pure functions of the terms (contract 3.0).

    fits_pool          a version may enter a pool: nobody in it pays more, or for more, than he signed
    is_at_least_as_good   a member may be moved to a version without asking: no clause of his becomes worse
    list_differences   what a reader is shown, field by field and clause by clause

Both judgements are by machine, so they compare what a machine can: numbers by their direction, clauses by equality of
number, kind and text. A reworded clause is another clause: it is not at least as good, whatever it says.
"""

from typing import Final

from msgspec import Struct

from chain.contract.clauses import (
    CLAUSE_KIND_NAMES,
    KIND_CONDITION,
    KIND_DEFINITION,
    KIND_DUTY,
    KIND_EXCLUSION,
    KIND_RIGHT,
    Clause,
)
from chain.contract.terms import PinnedTerms, PlanTerms, PoolTerms, get_least_fen, is_within

_BINDING: Final = (KIND_CONDITION, KIND_EXCLUSION, KIND_DUTY)
"""Clauses that bind the member: fewer are better."""

_EQUAL_FIELDS: Final = (
    ("utc_offset_minutes", "rules_unfit_calendar"),
    ("notice_days_of_month", "rules_unfit_calendar"),
    ("charge_days_of_month", "rules_unfit_calendar"),
    ("notice_full_days_min", "rules_unfit_calendar"),
    ("deposit_min_fen", "rules_unfit_deposits"),
    ("deposit_max_fen", "rules_unfit_deposits"),
    ("unpaid", "rules_unfit_unpaid"),
    ("carry_periods_max", "rules_unfit_unpaid"),
    ("benefit_ceiling", "rules_unfit_ceiling"),
    ("waiting_members_share", "rules_unfit_terms"),
    ("members_min", "rules_unfit_terms"),
    ("launch_days", "rules_unfit_terms"),
    ("residue_to", "rules_unfit_terms"),
    ("jury_size", "rules_unfit_terms"),
)
"""Pool terms that no version of a pool may change, with the code that says so."""
_CAPS: Final = ("cap_per_case_fen", "cap_per_period_fen", "cap_per_year_fen")


class Misfit(Struct, frozen=True):
    """Why a version may not enter a pool."""

    code: str
    """Catalogue code, one for each group of fields."""
    field: str
    """The field itself."""


def find_misfit(new: PlanTerms, *, pool: PlanTerms, first: PlanTerms) -> Misfit | None:
    """Return the first reason why `fits_pool` does not hold, or None where it does.

    `pool` are the terms whose pool terms hold by then, `first` those of the version that opened the pool.
    """
    if new.currency != pool.currency:
        return Misfit(code="rules_unfit_terms", field="currency")
    for field, code in _EQUAL_FIELDS:
        if getattr(new.pool, field) != getattr(pool.pool, field):
            return Misfit(code=code, field=field)
    if new.pool.fee_bp > pool.pool.fee_bp:
        return Misfit(code="rules_unfit_fee", field="fee_bp")
    for field in _CAPS:
        if not _is_cap_kept(getattr(new.pool, field), getattr(pool.pool, field)):
            return Misfit(code="rules_unfit_caps", field=field)
    if new.pool.grace_periods < pool.pool.grace_periods:
        return Misfit(code="rules_unfit_grace", field="grace_periods")
    if not is_within(new.pinned.benefits, pool.pool.benefit_ceiling):
        return Misfit(code="rules_unfit_benefit", field="benefits")
    return _find_laxer(new.pinned, first.pinned)


def _is_cap_kept(new: int | None, old: int | None) -> bool:
    """Tell whether a cap is no higher; no cap is the highest."""
    return old is None or (new is not None and new <= old)


def _find_laxer(new: PinnedTerms, first: PinnedTerms) -> Misfit | None:
    """Return where a version would let in, or cover, what the pool's first members did not sign up to pay for."""
    if new.age_min_days < first.age_min_days:
        return Misfit(code="rules_unfit_ages", field="age_min_days")
    if new.age_limit_years > first.age_limit_years:
        return Misfit(code="rules_unfit_ages", field="age_limit_years")
    if not _list_exclusions(first) <= _list_exclusions(new):
        return Misfit(code="rules_unfit_exclusions", field="exclusions")
    if new.waiting_days < first.waiting_days:
        return Misfit(code="rules_unfit_waiting", field="waiting_days")
    return None


def _list_exclusions(pinned: PinnedTerms) -> frozenset[str]:
    return frozenset(exclusion.name for exclusion in pinned.exclusions)


def is_at_least_as_good(new: PinnedTerms, old: PinnedTerms) -> bool:
    """Tell whether no pinned term of `old` is worse in `new`, for anybody of any age.

    Benefits no lower at any age; no longer waiting; no shorter claim window; no narrower ages; no further exclusion;
    conditions, exclusions and duties only from among the old ones, word for word; every old right kept, word for word;
    definitions unchanged.
    """
    is_paid = all(
        band.severe_fen <= get_least_fen(new.benefits, age_from_years=low, age_to_years=high, is_mild=False)
        and band.mild_fen <= get_least_fen(new.benefits, age_from_years=low, age_to_years=high, is_mild=True)
        for band in old.benefits
        for low, high in [(band.age_from_years, band.age_to_years)]
    )
    return (
        is_paid
        and new.waiting_days <= old.waiting_days
        and new.claim_window_days >= old.claim_window_days
        and new.age_min_days <= old.age_min_days
        and new.age_limit_years >= old.age_limit_years
        and _list_exclusions(new) <= _list_exclusions(old)
        and _select(new, *_BINDING) <= _select(old, *_BINDING)
        and _select(old, KIND_RIGHT) <= _select(new, KIND_RIGHT)
        and _select(old, KIND_DEFINITION) == _select(new, KIND_DEFINITION)
    )


def _select(pinned: PinnedTerms, *kinds: int) -> frozenset[Clause]:
    return frozenset(clause for clause in pinned.clauses if clause.kind in kinds)


# --- for readers ---


class FieldDifference(Struct, frozen=True):
    """A term that differs."""

    field: str
    """Dotted, e.g. pool.fee_bp."""
    before: object
    after: object
    """As in the terms: integers in their unit, tuples, null for no cap."""


class ClauseDifference(Struct, frozen=True):
    """A clause that differs."""

    number: str
    change: str
    """added, removed or changed."""
    before: Clause | None
    after: Clause | None


def list_field_differences(new: PlanTerms, old: PlanTerms) -> list[FieldDifference]:
    """Return the terms that differ, clauses apart, in the order of the structs."""
    found = [
        FieldDifference(field=field, before=getattr(old, field), after=getattr(new, field))
        for field in ("name", "currency")
    ]
    found += [
        FieldDifference(field=f"pool.{field}", before=getattr(old.pool, field), after=getattr(new.pool, field))
        for field in PoolTerms.__struct_fields__
    ]
    found += [
        FieldDifference(field=f"pinned.{field}", before=getattr(old.pinned, field), after=getattr(new.pinned, field))
        for field in PinnedTerms.__struct_fields__
        if field != "clauses"
    ]
    return [difference for difference in found if difference.before != difference.after]


def list_clause_differences(new: PinnedTerms, old: PinnedTerms) -> list[ClauseDifference]:
    """Return the clauses that differ: added or changed ones in the order of the new version, then removed ones."""
    before = {clause.number: clause for clause in old.clauses}
    found = []
    for clause in new.clauses:
        known = before.pop(clause.number, None)
        if known != clause:
            change = "added" if known is None else "changed"
            found.append(ClauseDifference(number=clause.number, change=change, before=known, after=clause))
    found += [
        ClauseDifference(number=clause.number, change="removed", before=clause, after=None)
        for clause in before.values()
    ]
    return found


def get_kind_name(clause: Clause) -> str:
    """Return the word for a clause's kind."""
    return CLAUSE_KIND_NAMES[clause.kind]
