"""Terms as data: clauses, exclusions, and what their loading refuses."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.clauses import KIND_EXCLUSION, KIND_RIGHT, Clause, Exclusion
from chain.contract.standard_clauses import STANDARD_CLAUSES, STANDARD_EXCLUSIONS
from chain.contract.terms import (
    Benefit,
    get_benefit_fen,
    get_least_fen,
    has_clauses,
    hash_terms,
    is_within,
    load_terms,
    validate_terms,
)
from chain.errors import ConfigError
from tests.chain.contract.world import TERMS, build_terms

CLAUSES = """
[[clause]]
number = "1"
kind = "right"
text_zh = "成员可随时退出。"
text_en = "A member may leave at any time."
[[clause]]
number = "2.1"
kind = "exclusion"
text_zh = "战争除外。"
text_en = "War is excluded."
[[exclusion]]
name = "war"
clause = "2.1"
"""
BANDS = (
    Benefit(age_from_years=0, age_to_years=39, severe_fen=300, mild_fen=50),
    Benefit(age_from_years=40, age_to_years=59, severe_fen=100, mild_fen=40),
)


def field_of(error: pytest.ExceptionInfo[ConfigError]) -> str:
    return str(error.value.values["field"])


def test_plan_without_clauses_of_its_own_has_the_standard_ones() -> None:
    terms = build_terms()
    assert terms.pinned.clauses == STANDARD_CLAUSES
    assert terms.pinned.exclusions == STANDARD_EXCLUSIONS


@pytest.mark.parametrize("plan", ["plan-demo", "plan-critical-illness"])
def test_published_plans_load_and_keep_the_standard_clauses(plan: str, shared_dir: Path) -> None:
    terms = load_terms((shared_dir / "scenario" / f"{plan}.toml").read_text(encoding="utf-8"))
    assert terms.pinned.clauses == STANDARD_CLAUSES
    assert terms.pinned.waiting_days == 90


def test_clauses_of_a_plan_are_read_in_their_order_and_are_part_of_its_hash() -> None:
    terms = load_terms(TERMS + CLAUSES)
    assert [clause.number for clause in terms.pinned.clauses] == ["1", "2.1"]
    assert terms.pinned.clauses[0] == Clause("1", KIND_RIGHT, "成员可随时退出。", "A member may leave at any time.")
    assert terms.pinned.exclusions == (Exclusion("war", "2.1"),)
    other = load_terms(TERMS + CLAUSES.replace("at any time.", "at any time!"))
    assert hash_terms(other) != hash_terms(terms)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('kind = "right"', 'kind = "wish"', "clauses"),
        ('number = "1"', 'number = "one"', "clauses"),
        ('number = "1"', 'number = "2.1"', "clause"),
        ('text_en = "War is excluded."', "", "clauses"),
        ('text_en = "War is excluded."', 'text_en = "x"\nnote = "y"', "clause"),
        ('name = "war"', 'name = "War"', "exclusions"),
        ('clause = "2.1"', 'clause = "1"', "exclusion"),
        ('[[exclusion]]\nname = "war"\nclause = "2.1"', "", "exclusion"),
        ('kind = "exclusion"', 'kind = "duty"', "exclusion"),
        (
            'name = "war"\nclause = "2.1"',
            'name = "war"\nclause = "2.1"\n[[exclusion]]\nname = "war"\nclause = "2.1"',
            "exclusion",
        ),
    ],
)
def test_clauses_that_contradict_themselves_are_refused_by_field(old: str, new: str, field: str) -> None:
    assert old in CLAUSES
    with pytest.raises(ConfigError) as error:
        load_terms(TERMS + CLAUSES.replace(old, new))
    assert field_of(error) == field


def test_exclusion_without_clauses_of_the_plan_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        load_terms(TERMS + '[[exclusion]]\nname = "war"\nclause = "5.4"\n')
    assert field_of(error) == "exclusion"


def test_waiting_of_more_than_a_year_is_refused() -> None:
    assert build_terms(waiting_days="365").pinned.waiting_days == 365
    with pytest.raises(ConfigError) as error:
        build_terms(waiting_days="366")
    assert field_of(error) == "waiting_days"


def test_benefit_above_the_ceiling_at_any_age_is_refused() -> None:
    terms = build_terms()
    raised = (replace(terms.pinned.benefits[0], mild_fen=terms.pinned.benefits[0].mild_fen + 1),)
    with pytest.raises(ConfigError) as error:
        validate_terms(replace(terms, pinned=replace(terms.pinned, benefits=raised)))
    assert field_of(error) == "benefit_ceiling"


def test_least_benefit_looks_at_every_age_of_a_band() -> None:
    def least(low: int, high: int) -> int:
        return get_least_fen(BANDS, age_from_years=low, age_to_years=high, is_mild=False)

    assert (least(0, 39), least(39, 40), least(40, 59), least(59, 60)) == (300, 100, 100, 0)
    assert get_least_fen(BANDS, age_from_years=30, age_to_years=45, is_mild=True) == 40
    assert is_within((replace(BANDS[0], age_to_years=39),), BANDS)
    assert not is_within((replace(BANDS[0], age_to_years=40),), BANDS)
    assert [get_benefit_fen(BANDS, row) for row in range(5)] == [300, 50, 100, 40, None]


def test_cited_clauses_must_all_exist() -> None:
    pinned = build_terms().pinned
    assert has_clauses(pinned, ())
    assert has_clauses(pinned, ("4.1", "5.3"))
    assert not has_clauses(pinned, ("4.1", "9.9"))


def test_standard_clauses_are_complete_in_both_languages() -> None:
    assert all(clause.text_zh and clause.text_en for clause in STANDARD_CLAUSES)
    stated = {clause.number for clause in STANDARD_CLAUSES if clause.kind == KIND_EXCLUSION}
    assert stated == {exclusion.clause for exclusion in STANDARD_EXCLUSIONS}
