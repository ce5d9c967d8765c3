"""A simulated year of a plan of 100,000 members: does the contract approve what real plans approved?

    python -m bench year [--members 100000] [--json FILE]

People, ages and illnesses are drawn from the published tables as for the demo (node/demo/population.py: benefits a
hundredth, incidence a hundredfold); everything they and the institutions do runs through the contract's own calls in
memory (year_play.py):

    100 days         the opening: members join and wait, nobody falls ill
    365 days         the year that is measured
    60 days at most  until every claim of the year has its end

Printed beside what was published: approved cases for each covered member-year (2020: 0.67 per mille, 2021: about 1.1)
and the mean approved aid (128,969 yuan by the assumed mix of ages, 210,482 solved back from a period of 2019).
"""

import time
from collections import Counter
from math import sqrt

from bench.year_play import OPENING_DAYS, YEAR_DAYS, Year
from chain.contract.calendar import compute_date
from chain.contract.claim_tables import CLAIM_STATUS_NAMES
from chain.contract.settlement_tables import SettlementRecord
from node.demo.figures import load_age_bands, load_plan
from node.demo.population import INCIDENCE_SCALE, draw_population

PUBLISHED_PER_MILLE = (0.67, 1.1)
"""Approved cases for each thousand members and year: totals of 2020 and 2021."""
PUBLISHED_AID_YUAN = (128_969, 210_482)
"""Mean aid: by the assumed mix of ages, and solved back from the charge of a period of 2019."""


def measure(members: int, *, seed: int = 1) -> dict[str, object]:
    """Play a year and return its figures, those that were published first."""
    began = time.process_time()
    terms = load_plan("plan-demo")
    people = draw_population(seed=seed, count=members, days=YEAR_DAYS, benefits=terms.pinned.benefits)
    year = Year(terms, people)
    year.play()
    return {
        "members": members,
        "joined_by_calls": len(year.actors),
        "calls": year.calls,
        **measure_claims(year),
        **measure_charges(year),
        "re-audited": year.reaudits,
        "looked_for_as_persons": year.ghosts_checked,
        "plan": "active" if year.plan.status == 0 else "stopped",
        "cpu_s": round(time.process_time() - began, 1),
    }


def measure_claims(year: Year) -> dict[str, object]:
    """Return what became of the claims of the year, beside the calibrated table and what was published."""
    years = count_covered_days(year) / YEAR_DAYS
    claims = [year.claim(claim_id) for claim_id in year.claims]
    statuses = Counter(CLAIM_STATUS_NAMES[claim.status] for claim in claims)
    aid_yuan = [claim.amount / 100 for claim in claims if claim.amount and not claim.is_shares_refund]
    approved, mean = len(aid_yuan), sum(aid_yuan) / max(1, len(aid_yuan))
    error = sqrt(sum((value - mean) ** 2 for value in aid_yuan) / max(1, approved)) / sqrt(max(1, approved))
    bands = load_age_bands()
    return {
        "covered_member_years": round(years, 1),
        "claims_filed": len(claims) + sum(year.codes.values()),
        "claims_approved": approved,
        "claims_rejected": statuses["rejected"],
        "claims_refused": statuses["refused"] + sum(year.codes.values()),
        "refused_at_filing": year.codes,
        "share_refunds": sum(claim.is_shares_refund for claim in claims),
        "claims_by_status": dict(sorted(statuses.items())),
        "approved_per_mille_and_year": round(1_000 * approved / years / INCIDENCE_SCALE, 4),
        "table_per_mille_and_year": sum(band.share_bp * band.incidence_ppm for band in bands) / 10**7,
        "published_per_mille_and_year": PUBLISHED_PER_MILLE,
        "mean_approved_aid_yuan": round(mean * INCIDENCE_SCALE),
        "mean_approved_aid_error_yuan": round(error * INCIDENCE_SCALE),
        "published_mean_aid_yuan": PUBLISHED_AID_YUAN,
    }


def measure_charges(year: Year) -> dict[str, object]:
    """Return the charges: each period, and what one who was there all the time has paid in the measured year."""
    records = [year.settlement(number) for number in range(year.pool.settlements)]
    last_day = year.first_day + YEAR_DAYS
    of_year = [record for record in records if year.first_day <= record.day < last_day]
    pool = year.pool
    return {
        "periods": [describe_period(record) for record in records],
        "charged_a_head_in_the_year_yuan": sum(record.per for record in of_year) / 100,
        "charged_a_head_in_all_yuan": pool.share_index / 100,
        "collected_yuan": pool.collected / 100,
        "granted_with_fee_yuan": pool.spent / 100,
        "carry_yuan": pool.carry / 100,
    }


def describe_period(record: SettlementRecord) -> dict[str, object]:
    """Return one row of the table of charges."""
    year, month, day = compute_date(record.day)
    return {
        "day": f"{year}-{month:02}-{day:02}",
        "members": record.members,
        "cases": record.cases,
        "cost_yuan": record.cost / 100,
        "per_head_yuan": record.per / 100,
        "carry_yuan": record.carry_after / 100,
    }


def count_covered_days(year: Year) -> int:
    """Return on how many days of the measured year members were covered against illness, added up."""
    first, end = year.first_day, year.first_day + YEAR_DAYS
    days = year.passive * YEAR_DAYS
    for actor in year.actors.values():
        if actor.member is None:
            continue
        member = year.member(actor.member)
        spans = [(cover_from, to_day + 1) for cover_from, to_day, _ in member.past]
        if member.is_leaf:
            spans.append((member.cover_from, end))
        days += sum(max(0, min(until, end) - max(since, first)) for since, until in spans)
    return days


def show(figures: dict[str, object]) -> str:
    """Return the figures as text: the charges as a table, the rest line by line."""
    lines = [f"{name:36} {value}" for name, value in figures.items() if name != "periods"]
    periods = figures["periods"]
    if isinstance(periods, list):
        lines.append(f"charges, the first {OPENING_DAYS} days being the opening:")
        lines += ["  ".join(f"{name} {value}" for name, value in row.items()) for row in periods]
    return "\n".join(lines)
