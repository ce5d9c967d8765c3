"""The figures that the population is drawn from, read from `node/data` (sources: the first lines of each
file)."""

import csv
from bisect import bisect_right
from functools import cache
from importlib import resources
from math import exp, log

from msgspec import Struct

from chain.contract.terms import PlanTerms, load_terms
from chain.errors import ConfigError

CALIBRATION = 0.40
"""Factor on the industry table that brings it to the totals that the largest plan published."""


class AgeBand(Struct, frozen=True):
    """One row of `age_mix.csv`."""

    age_from: int
    age_to: int
    share_bp: int
    """Share of the members in basis points."""
    incidence_ppm: int
    """Cases for each million members and year, calibrated."""
    mean_aid_yuan: int


class PublishedPeriod(Struct, frozen=True):
    """One row of `published_periods.csv`."""

    period: str
    sharers: int
    """N: each with weight 1."""
    cases: int
    per_head_fen: int
    """Charge as published."""
    cost_fen: int
    """Solved back from it."""
    carry_fen: int
    """What the charge leaves over."""


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table in `node/data`; lines that start with # are its sources."""
    text = resources.files("node.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def load_age_bands() -> tuple[AgeBand, ...]:
    """Return the assumed age mix of the members."""
    bands = tuple(
        AgeBand(
            age_from=int(row["age_from"]),
            age_to=int(row["age_to"]),
            share_bp=int(row["share_bp"]),
            incidence_ppm=int(row["incidence_ppm"]),
            mean_aid_yuan=int(row["mean_aid_yuan"]),
        )
        for row in read_rows("age_mix.csv")
    )
    if sum(band.share_bp for band in bands) != 10_000:
        raise ConfigError(field="age_mix.share_bp", reason="the shares must sum to 10,000")
    return bands


@cache
def load_incidence() -> tuple[tuple[int, int, int], ...]:
    """Return the industry table as (age, male ppm, female ppm), ascending by age."""
    return tuple((int(row["age"]), int(row["male_ppm"]), int(row["female_ppm"])) for row in read_rows("incidence.csv"))


@cache
def load_published_periods() -> tuple[PublishedPeriod, ...]:
    """Return the two periods whose charge was published."""
    return tuple(
        PublishedPeriod(
            period=row["period"],
            sharers=int(row["sharers"]),
            cases=int(row["cases"]),
            per_head_fen=int(row["per_head_fen"]),
            cost_fen=int(row["cost_fen"]),
            carry_fen=int(row["carry_fen"]),
        )
        for row in read_rows("published_periods.csv")
    )


@cache
def load_plan(name: str) -> PlanTerms:
    """Return the terms of a plan in `node/data` by the name of its file, e.g. plan-demo."""
    return load_terms(resources.files("node.data").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def get_incidence(age: int, *, is_female: bool) -> float:
    """Return the calibrated yearly incidence of one life: the table, log-linear between its ages, times
    0.40."""
    table = load_incidence()
    place = min(max(bisect_right(table, (age, 10**9, 10**9)) - 1, 0), len(table) - 1)
    low, high = table[place], table[min(place + 1, len(table) - 1)]
    column = 2 if is_female else 1
    if high[0] == low[0] or age <= low[0]:
        ppm = float(low[column])
    else:
        share = (age - low[0]) / (high[0] - low[0])
        ppm = exp(log(low[column]) * (1 - share) + log(high[column]) * share)
    return CALIBRATION * ppm / 1_000_000


def compute_severe_share(band: AgeBand, *, severe_yuan: int, mild_yuan: int) -> float:
    """Return the share of severe cases that gives the band's mean aid at these benefits."""
    return (band.mean_aid_yuan - mild_yuan) / (severe_yuan - mild_yuan)
