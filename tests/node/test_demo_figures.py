"""The figures that the demo is drawn from, against what was published, and the people drawn from them."""

import csv
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from node.demo.checks import check_published_period
from node.demo.figures import (
    get_incidence,
    load_age_bands,
    load_incidence,
    load_plan,
    load_published_periods,
    read_rows,
)
from node.demo.population import (
    GUARDIAN_AGES,
    INCIDENCE_SCALE,
    Person,
    derive_key,
    derive_token,
    draw_population,
)

BENEFITS = load_plan("plan-demo").pinned.benefits


def draw(*, seed: int = 1, count: int = 4_000) -> tuple[Person, ...]:
    return draw_population(seed=seed, count=count, days=367, benefits=BENEFITS)


def test_shipped_plans_say_what_was_published(shared_dir: Path) -> None:
    for name in ("plan-demo", "plan-critical-illness"):
        shipped = resources.files("node.data").joinpath(f"{name}.toml").read_text(encoding="utf-8")
        published = (shared_dir / "scenario" / f"{name}.toml").read_text(encoding="utf-8")
        table = tomllib.loads(shipped)
        # The clauses are ours: what was published are figures.
        own = [table.pop(rows, []) for rows in ("clause", "exclusion")]
        assert table == tomllib.loads(published)
        assert [len(rows) for rows in own] == ([21, 4] if name == "plan-demo" else [0, 0])


def test_shipped_figures_say_what_was_published(shared_dir: Path) -> None:
    with (shared_dir / "scenario" / "age_bands.csv").open(encoding="utf-8") as file:
        bands = [
            (
                int(row["age_from"]),
                int(row["age_to"]),
                round(float(row["share_of_members"]) * 10_000),
                round(float(row["incidence_per_mille_used"]) * 1_000),
                int(row["mean_aid_yuan"]),
            )
            for row in csv.DictReader(file)
        ]
    shipped = [
        (band.age_from, band.age_to, band.share_bp, band.incidence_ppm, band.mean_aid_yuan) for band in load_age_bands()
    ]
    assert shipped == bands
    with (shared_dir / "scenario" / "incidence.csv").open(encoding="utf-8") as file:
        table = [
            (
                int(row["age"]),
                round(float(row["male_per_mille"]) * 1_000),
                round(float(row["female_per_mille"]) * 1_000),
            )
            for row in csv.DictReader(file)
        ]
    assert list(load_incidence()) == table


def test_published_periods_come_out_of_the_settlement_function() -> None:
    periods = load_published_periods()
    assert [period.per_head_fen for period in periods] == [147, 345]
    assert [check_published_period(period).is_met for period in periods] == [True, True]


def test_interpolated_incidence_meets_the_calibrated_bands() -> None:
    for band in load_age_bands():
        ages = range(band.age_from, band.age_to + 1)
        total = sum(get_incidence(age, is_female=is_female) for age in ages for is_female in (False, True))
        mean_ppm = total / (2 * len(ages)) * 1_000_000
        assert mean_ppm == pytest.approx(band.incidence_ppm, rel=0.15)


def test_incidence_between_the_ages_of_the_table_is_log_linear() -> None:
    middle = get_incidence(15, is_female=False)
    assert middle == pytest.approx((get_incidence(10, is_female=False) * get_incidence(20, is_female=False)) ** 0.5)
    assert get_incidence(59, is_female=True) == get_incidence(80, is_female=True)


def test_the_same_seed_draws_the_same_people_and_another_seed_others() -> None:
    assert draw(seed=5, count=200) == draw(seed=5, count=200)
    assert draw(seed=5, count=200) != draw(seed=6, count=200)


def test_people_follow_the_age_mix_and_the_scaled_incidence() -> None:
    people = draw()
    for band in load_age_bands():
        members = [person for person in people if band.age_from <= person.age <= band.age_to]
        assert len(members) / len(people) == pytest.approx(band.share_bp / 10_000, abs=0.03)
        if len(members) > 300:
            share = sum(person.case is not None for person in members) / len(members)
            assert share == pytest.approx(band.incidence_ppm * INCIDENCE_SCALE / 1_000_000, rel=0.5)
    cases = [person.case for person in people if person.case is not None]
    assert sum(case.is_accident for case in cases) / len(cases) == pytest.approx(0.1, abs=0.05)


def test_every_child_has_an_adult_guardian_who_stays() -> None:
    people = draw()
    children = [person for person in people if person.age < 18]
    assert children
    for child in children:
        assert child.guardian is not None
        guardian = people[child.guardian]
        assert GUARDIAN_AGES[0] <= guardian.age <= GUARDIAN_AGES[1]
        assert guardian.leave_day is None
        assert not guardian.is_refused
        assert guardian.join_day == 0


def test_a_case_asks_for_the_row_of_its_age() -> None:
    for person in draw():
        if person.case is not None:
            band, is_mild = divmod(person.case.row, 2)
            assert BENEFITS[band].age_from_years <= person.age <= BENEFITS[band].age_to_years
            assert is_mild in {0, 1}


def test_keys_and_tokens_are_different_for_different_names() -> None:
    assert derive_key(1, "member", 1).public_key != derive_key(1, "member", 2).public_key
    assert derive_key(1, "member", 1).public_key != derive_key(2, "member", 1).public_key
    assert len({derive_token("a", 1), derive_token("a", 2), derive_token("b", 1)}) == 3


def test_source_notes_stand_above_the_figures() -> None:
    text = resources.files("node.data").joinpath("age_mix.csv").read_text(encoding="utf-8")
    assert text.startswith("#")
    assert all(not value.startswith("#") for row in read_rows("age_mix.csv") for value in row.values())
