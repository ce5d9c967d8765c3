"""A year of 100,000 people by the published tables (demo scale), beside what real plans published (bench/year.py)."""

import pytest

from bench.year import PUBLISHED_AID_YUAN, PUBLISHED_PER_MILLE, measure_charges, measure_claims
from bench.year_play import YEAR_DAYS, Year
from chain.contract.claim_tables import CLAIM_STATUS_NAMES
from chain.contract.tables import PLAN_ACTIVE
from node.demo.figures import load_plan
from node.demo.population import INCIDENCE_SCALE, draw_population

MEMBERS = 100_000


@pytest.fixture(scope="module")
def year() -> Year:
    terms = load_plan("plan-demo")
    played = Year(terms, draw_population(seed=1, count=MEMBERS, days=YEAR_DAYS, benefits=terms.pinned.benefits))
    played.play()
    return played


def read_number(figures: dict[str, object], name: str) -> float:
    value = figures[name]
    assert isinstance(value, int | float)
    return value


@pytest.mark.slow
def test_as_many_cases_are_approved_and_they_cost_as_much_as_was_published(year: Year) -> None:
    figures = measure_claims(year)
    lowest, highest = PUBLISHED_PER_MILLE
    assert lowest <= read_number(figures, "approved_per_mille_and_year") <= highest
    lowest, highest = PUBLISHED_AID_YUAN
    assert lowest <= read_number(figures, "mean_approved_aid_yuan") <= highest
    years = read_number(figures, "covered_member_years")
    assert 0.85 * MEMBERS < years < 0.97 * MEMBERS


@pytest.mark.slow
def test_what_was_true_is_approved_and_what_was_not_is_rejected(year: Year) -> None:
    """The assessors find the truth, so the contract has to say it: by cover, waiting period and conditions."""
    seen: dict[str, int] = {}
    for claim_id, actor in year.claims.items():
        claim, case = year.claim(claim_id), actor.person.case
        assert case is not None
        status = CLAIM_STATUS_NAMES[claim.status]
        seen[status] = seen.get(status, 0) + 1
        waits = claim.diagnosed_day - actor.join_day
        if waits < 0:
            assert status == "refused", "nobody is covered before joining"
        elif not case.is_genuine:
            assert status in {"rejected", "refused"}
        elif claim.is_shares_refund:
            assert not case.is_accident
            assert waits < year.terms.pinned.waiting_days
            assert claim.amount < year.pool.share_index + 1
        elif status != "refused":
            assert status in {"paid", "clean"}, "a claim of the year has not ended"
            benefits = year.terms.pinned.benefits
            assert claim.amount == (benefits[case.row // 2].severe_fen, benefits[case.row // 2].mild_fen)[case.row % 2]
    assert {"paid", "clean", "rejected", "refused"} <= set(seen)
    assert year.open_claims.keys() <= {key for key in year.claims if year.claim(key).is_shares_refund}


@pytest.mark.slow
def test_a_head_is_charged_what_the_approved_cases_cost_and_not_a_fen_is_lost(year: Year) -> None:
    figures = measure_charges(year)
    pool = year.pool
    assert year.plan.status == PLAN_ACTIVE
    assert pool.collected == pool.spent + pool.carry
    assert 0 <= pool.carry < MEMBERS, "less than one fen a head is left over (contract 3.4)"
    claims = measure_claims(year)
    expected = (
        read_number(claims, "approved_per_mille_and_year")
        * INCIDENCE_SCALE
        / 1_000
        * read_number(claims, "mean_approved_aid_yuan")
        / INCIDENCE_SCALE
        * 1.08
    )
    # The last cases of the year are charged after it, the fee is 8 %.
    assert 0.85 * expected < read_number(figures, "charged_a_head_in_the_year_yuan") < expected
    assert len(year.claims) == read_number(claims, "claims_filed")
    assert year.ghosts_checked >= 4 * 300
    assert year.reaudits > 0
