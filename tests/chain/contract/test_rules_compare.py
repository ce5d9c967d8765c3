"""Whether a version fits a pool, and whether it is at least as good as another: pure functions of the terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.contract.clauses import KIND_DUTY, KIND_RIGHT, Clause, Exclusion
from chain.contract.rules_compare import (
    find_misfit,
    is_at_least_as_good,
    list_clause_differences,
    list_field_differences,
)
from chain.contract.terms import Benefit, PinnedTerms
from tests.chain.contract.rules_world import change_terms
from tests.chain.contract.world import build_terms

BASE = build_terms(cap_per_period_fen="1_000")
BANDS = (
    Benefit(age_from_years=0, age_to_years=39, severe_fen=300_000, mild_fen=50_000),
    Benefit(age_from_years=40, age_to_years=59, severe_fen=300_000, mild_fen=50_000),
)


def find(**changes: object) -> tuple[str, str] | None:
    misfit = find_misfit(change_terms(BASE, **changes), pool=BASE, first=BASE)
    return None if misfit is None else (misfit.code, misfit.field)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "another name"},
        {"fee_bp": 799},
        {"fee_bp": 0},
        {"cap_per_case_fen": 399},
        {"cap_per_period_fen": 999},
        {"cap_per_year_fen": 1},
        {"grace_periods": 3},
        {"benefits": BANDS},
        {"benefits": (replace(BANDS[0], severe_fen=1),)},
        {"age_min_days": 31},
        {"age_limit_years": 59},
        {"waiting_days": 91},
        {"claim_window_days": 10},
        {"clauses": (Clause("1", KIND_RIGHT, "可", "may"),)},
    ],
)
def test_version_fits_with_equal_or_lower_cost_and_no_laxer_entry(changes: dict[str, object]) -> None:
    assert find(**changes) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "USD"}, "rules_unfit_terms"),
        ({"utc_offset_minutes": 540}, "rules_unfit_calendar"),
        ({"notice_days_of_month": (8, 21)}, "rules_unfit_calendar"),
        ({"charge_days_of_month": (14, 27)}, "rules_unfit_calendar"),
        ({"notice_full_days_min": 2}, "rules_unfit_calendar"),
        ({"fee_bp": 801}, "rules_unfit_fee"),
        ({"cap_per_case_fen": 401}, "rules_unfit_caps"),
        ({"cap_per_period_fen": 1_001}, "rules_unfit_caps"),
        ({"cap_per_year_fen": 18_801}, "rules_unfit_caps"),
        ({"cap_per_case_fen": None}, "rules_unfit_caps"),
        ({"cap_per_period_fen": None}, "rules_unfit_caps"),
        ({"cap_per_year_fen": None}, "rules_unfit_caps"),
        ({"deposit_min_fen": 999}, "rules_unfit_deposits"),
        ({"deposit_max_fen": 19_999}, "rules_unfit_deposits"),
        ({"grace_periods": 1}, "rules_unfit_grace"),
        ({"unpaid": 1}, "rules_unfit_unpaid"),
        ({"carry_periods_max": 1}, "rules_unfit_unpaid"),
        ({"waiting_members_share": False}, "rules_unfit_terms"),
        ({"members_min": 2}, "rules_unfit_terms"),
        ({"launch_days": 364}, "rules_unfit_terms"),
        ({"residue_to": "others"}, "rules_unfit_terms"),
        ({"jury_size": 13}, "rules_unfit_terms"),
        ({"benefit_ceiling": BANDS}, "rules_unfit_ceiling"),
        ({"benefits": (replace(BANDS[0], severe_fen=300_001),)}, "rules_unfit_benefit"),
        ({"benefits": (*BANDS[:1], replace(BANDS[1], mild_fen=50_001))}, "rules_unfit_benefit"),
        ({"benefits": (*BANDS[:1], replace(BANDS[1], age_to_years=60))}, "rules_unfit_benefit"),
        ({"age_min_days": 29}, "rules_unfit_ages"),
        ({"age_limit_years": 61}, "rules_unfit_ages"),
        ({"exclusions": BASE.pinned.exclusions[1:]}, "rules_unfit_exclusions"),
        ({"waiting_days": 89}, "rules_unfit_waiting"),
    ],
)
def test_version_that_does_not_fit_is_refused_with_the_field(changes: dict[str, object], code: str) -> None:
    found = find(**changes)
    assert found == (code, next(iter(changes)))


def test_cap_may_be_brought_in_where_there_was_none() -> None:
    free = change_terms(BASE, cap_per_year_fen=None)
    assert find_misfit(BASE, pool=free, first=free) is None


def test_laxness_is_measured_by_the_first_version_and_cost_by_the_present_one() -> None:
    stricter = change_terms(BASE, waiting_days=120, fee_bp=500)
    assert find_misfit(change_terms(BASE, fee_bp=500), pool=stricter, first=BASE) is None
    misfit = find_misfit(BASE, pool=stricter, first=BASE)
    assert misfit is not None and misfit.code == "rules_unfit_fee"


# --- at least as good ---


def change_pinned(**changes: object) -> PinnedTerms:
    return change_terms(BASE, **changes).pinned


def swap_clause(number: str, **changes: object) -> tuple[Clause, ...]:
    return tuple(replace(clause, **changes) if clause.number == number else clause for clause in BASE.pinned.clauses)


RIGHT = Clause("2.9", KIND_RIGHT, "可免费查询。", "May ask for free.")
DUTY = Clause("6.9", KIND_DUTY, "须更新地址。", "Keeps the address up to date.")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"benefits": BANDS},
        {"benefits": (replace(BANDS[0], severe_fen=400_000), BANDS[1])},
        {"benefits": (*BANDS[:1], replace(BANDS[1], age_to_years=70))},
        {"waiting_days": 0},
        {"claim_window_days": 365},
        {"age_min_days": 0},
        {"age_limit_years": 65},
        {"exclusions": BASE.pinned.exclusions[:2]},
        {"clauses": (*BASE.pinned.clauses, RIGHT)},
        {"clauses": tuple(clause for clause in BASE.pinned.clauses if clause.number not in ("6.3", "5.4", "3.3"))},
    ],
)
def test_version_that_only_gives_more_is_at_least_as_good(changes: dict[str, object]) -> None:
    assert is_at_least_as_good(change_pinned(**changes), BASE.pinned)


@pytest.mark.parametrize(
    "changes",
    [
        {"benefits": (replace(BANDS[0], severe_fen=299_999), BANDS[1])},
        {"benefits": (BANDS[0], replace(BANDS[1], mild_fen=49_999))},
        {"benefits": BANDS[:1]},
        {"waiting_days": 91},
        {"claim_window_days": 179},
        {"age_min_days": 31},
        {"age_limit_years": 59},
        {"exclusions": (*BASE.pinned.exclusions, Exclusion("sport", "5.4"))},
        {"clauses": (*BASE.pinned.clauses, DUTY)},
        {"clauses": swap_clause("6.1", text_zh="成员应配合调查。")},
        {"clauses": swap_clause("5.1", text_en="Any illness.")},
        {"clauses": swap_clause("4.1", text_en="The illness is grave.")},
        {"clauses": swap_clause("1.1", text_en="Severe illness: what the plan says.")},
        {"clauses": swap_clause("2.1", text_en="A member may leave once a year.")},
        {"clauses": tuple(clause for clause in BASE.pinned.clauses if clause.number != "2.1")},
        {"clauses": tuple(clause for clause in BASE.pinned.clauses if clause.number != "1.3")},
        {"clauses": swap_clause("2.1", kind=KIND_DUTY)},
    ],
)
def test_version_in_which_anything_is_worse_is_not_at_least_as_good(changes: dict[str, object]) -> None:
    assert not is_at_least_as_good(change_pinned(**changes), BASE.pinned)


@st.composite
def pinned_terms(draw: st.DrawFn) -> PinnedTerms:
    """Draw terms near each other, so that being better, worse and neither all occur."""
    few = st.integers(min_value=1, max_value=3)
    cut = draw(st.integers(min_value=20, max_value=40))
    benefits = tuple(
        Benefit(age_from_years=low, age_to_years=high, severe_fen=draw(few), mild_fen=draw(few))
        for low, high in ((0, cut), (cut + 1, 59))
    )
    clauses = BASE.pinned.clauses
    kept = tuple(clause for clause in (*clauses[-3:], RIGHT, DUTY) if draw(st.booleans()))
    return replace(
        BASE.pinned,
        benefits=benefits,
        waiting_days=draw(few),
        age_limit_years=draw(few),
        exclusions=BASE.pinned.exclusions[: draw(few)],
        clauses=(*clauses[:-3], *kept),
    )


@given(pinned_terms(), pinned_terms(), pinned_terms())
def test_at_least_as_good_is_an_order_so_that_upgrades_may_follow_each_other(
    one: PinnedTerms, two: PinnedTerms, three: PinnedTerms
) -> None:
    assert is_at_least_as_good(one, one)
    if is_at_least_as_good(one, two) and is_at_least_as_good(two, three):
        assert is_at_least_as_good(one, three)


@given(pinned_terms(), pinned_terms())
def test_at_least_as_good_means_no_lower_benefit_at_any_age(new: PinnedTerms, old: PinnedTerms) -> None:
    if not is_at_least_as_good(new, old):
        return

    def amounts(pinned: PinnedTerms, age: int) -> tuple[int, int]:
        band = next(item for item in pinned.benefits if item.age_from_years <= age <= item.age_to_years)
        return band.severe_fen, band.mild_fen

    for age in range(60):
        assert all(after >= before for after, before in zip(amounts(new, age), amounts(old, age), strict=True))


# --- for readers ---


def test_differences_name_each_field_with_both_values() -> None:
    new = change_terms(BASE, name="next", fee_bp=700, waiting_days=60, cap_per_year_fen=None)
    found = [(item.field, item.before, item.after) for item in list_field_differences(new, BASE)]
    assert found == [
        ("name", "care", "next"),
        ("pool.fee_bp", 800, 700),
        ("pool.cap_per_year_fen", 18_800, None),
        ("pinned.waiting_days", 90, 60),
    ]
    assert list_field_differences(BASE, BASE) == []


def test_differences_name_each_clause_added_changed_or_removed() -> None:
    clauses = (
        RIGHT,
        *(clause for clause in swap_clause("6.2", text_zh="余额不足则暂停。") if clause.number != "6.3"),
    )
    found = list_clause_differences(change_pinned(clauses=clauses), BASE.pinned)
    assert [(item.number, item.change) for item in found] == [("2.9", "added"), ("6.2", "changed"), ("6.3", "removed")]
    assert found[0].before is None and found[0].after == RIGHT
    assert found[1].before is not None and found[1].after is not None
    assert found[1].after.text_zh == "余额不足则暂停。"
    assert found[2].after is None and found[2].before == BASE.pinned.clauses[-1]
