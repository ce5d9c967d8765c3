"""No deadlock: whoever falls silent for ever, from any day on, everything else ends by the written rule.

Cities in which everybody acts on most days (town.py, city.py), each with one party silent from some day on: claims,
appeals, hearings, objections, re-audits, batches, periods, deposits, halves, new keys, index epochs, samples, versions,
proposals. No state lasts longer than its deadlines (deadlock_watch.py), money adds up on every day of checking, no
automatic event fails, and a plan that is ended ends with its accounts empty.

A silent bank is the one that is not gone around: no statement freezes the plan after 12 days, 60 days of that end it,
and then everything is settled and instructed, but only the bank, or the one that a vote puts in its place, can pay it.
"""

import pytest

from chain.contract.freeze import END_DAYS as CUSTODY_END_DAYS
from chain.contract.statement import STATEMENT_OVERDUE_DAYS
from chain.contract.tables import PLAN_ACTIVE, PLAN_ENDED, PLAN_FROZEN, PLAN_PAUSED, PLAN_WIND_DOWN
from chain.contract.wind_down import END_DAYS, RUN_OFF_DAYS
from chain.contract.wind_tables import CLOSED_POOL, PHASE_SWEEPING
from tests.chain.contract.city import City
from tests.chain.contract.deadlock_watch import WAITS_FOR, Watch
from tests.chain.contract.town import PARTIES
from tests.chain.contract.world import PLAN_NAME

LOOK_DAYS = 4
"""The watch looks every few days."""
SILENT = [party for party in PARTIES if party != "nobody"]


def live(city: City, watch: Watch, days: int) -> None:
    """Let days pass with everybody acting who still does."""
    for day in range(days):
        city.pass_day()
        city.go_on()
        if day % LOOK_DAYS == 0:
            city.commit_block()
            city.reopen()
            city.check()
            watch.look(city.base.values, today=city.today, running_day=city.today - city.plan.stopped_days)


def test_what_no_deadline_ends_is_named_with_the_reason_why_it_stops_nothing() -> None:
    assert all(WAITS_FOR.values())


def test_a_month_in_which_the_platform_falls_silent_leaves_nothing_behind() -> None:
    city, watch = City(11, silent="platform", silent_from=20), Watch()
    live(city, watch, 60)
    assert city.outcomes["ClaimFile"] >= 5
    assert city.plan.status in (PLAN_ACTIVE, PLAN_PAUSED, PLAN_FROZEN)


@pytest.mark.slow
@pytest.mark.parametrize("silent", [party for party in SILENT if party != "bank"])
def test_whoever_falls_silent_for_ever_every_state_ends_within_its_written_days(silent: str) -> None:
    seed = SILENT.index(silent)
    city, watch = City(seed, silent=silent, silent_from=30 + 40 * (seed % 4)), Watch()
    live(city, watch, 260)
    # Whoever changes the driver sees here that it still reaches what it is for.
    reached = ("claim", "appeal", "void", "half", "rekey", "account_change", "period", "deposit", "member", "proposal")
    assert not [name for name in reached if not watch.longest.get(name)]
    for name in ("ClaimFile", "ClaimConfirm", "BatchSign", "VoidOpen", "MemberRekeyRequest", "ProposalVote"):
        assert city.outcomes[name] >= 1, name


@pytest.mark.slow
def test_a_silent_bank_freezes_the_plan_and_ends_it_and_everything_is_instructed() -> None:
    """12 days without a statement: FROZEN; 60 days of that: WIND_DOWN, for which it is not frozen any more."""
    city, watch = City(5, silent="bank", silent_from=40), Watch()
    live(city, watch, 40 + STATEMENT_OVERDUE_DAYS + 3)
    assert city.plan.status == PLAN_FROZEN
    live(city, watch, CUSTODY_END_DAYS)
    assert city.plan.status == PLAN_WIND_DOWN
    while city.today <= city.plan.wind_day + END_DAYS + city.plan.stopped_days + 60:
        live(city, watch, 10)
    closed = city.state.require(CLOSED_POOL, PLAN_NAME, 0)
    assert (closed.phase, closed.aside) == (PHASE_SWEEPING, 0)
    pool = city.pool
    assert (pool.tree_money, pool.carry, pool.fee_payable, pool.unmatched) == (0, 0, 0, 0)
    assert city.plan.status == PLAN_WIND_DOWN
    assert city.list_ready()


@pytest.mark.slow
@pytest.mark.parametrize("silent", ["platform", "second auditor", "members"])
def test_a_plan_that_is_ended_pays_out_its_last_fen_whoever_is_silent(silent: str) -> None:
    city, watch = City(21 + len(silent), silent=silent, silent_from=30, ends=True), Watch()
    live(city, watch, 120)
    assert city.plan.wind_day > 0
    limit = city.plan.wind_day + END_DAYS + 200
    while city.plan.status != PLAN_ENDED and city.today < limit + city.plan.stopped_days:
        live(city, watch, LOOK_DAYS)
    assert city.plan.status == PLAN_ENDED
    assert city.today >= city.plan.wind_day + RUN_OFF_DAYS
    assert city.pool.cash == city.bank_fen == 0
