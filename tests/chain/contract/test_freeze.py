"""How broken custody stops a plan, and that it never does for ever (contract 2 *Custody*)."""

from msgspec.structs import replace

from chain.contract.custody_tables import ACCOUNT
from chain.contract.freeze import END_DAYS, VOTE_DAYS
from chain.contract.money_events import CustodyVoteDue
from chain.contract.money_tables import CUSTODY_STOP
from chain.contract.tables import PLAN_ACTIVE, PLAN_FROZEN, PLAN_WIND_DOWN
from chain.contract.wind_down import RUN_OFF_DAYS, get_end_days
from chain.contract.wind_tables import WIND_DOWN
from tests.chain.contract.money_world import get_account, post_missing
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World


def build_broken() -> World:
    """Return a world on the first day on which it is frozen by a wrong statement."""
    world = World(statements=False)
    world.join("a", 5_000)
    world.advance(1)
    post_missing(world, closing=1)
    world.posts_statements = True
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    return world


def test_a_plan_goes_on_at_the_next_midnight_after_custody_is_mended() -> None:
    world = build_broken()
    world.advance(3)
    world.state.put(ACCOUNT, replace(get_account(world), is_matched=True), ACCOUNT_NAME)
    assert world.plan.status == PLAN_FROZEN
    world.advance(1)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_ACTIVE, 4)
    assert world.state.get(CUSTODY_STOP, PLAN_NAME) is None


def test_after_thirty_days_a_vote_is_due_and_says_when_the_plan_ends_without_it() -> None:
    world = build_broken()
    start = world.today
    world.advance(VOTE_DAYS - 1)
    assert not any(isinstance(event, CustodyVoteDue) for event in world.events)
    world.advance(2)
    votes = [event for event in world.events if isinstance(event, CustodyVoteDue)]
    assert votes == [CustodyVoteDue(plan=PLAN_NAME, day=start + VOTE_DAYS, end_day=start + END_DAYS)]
    assert world.plan.status == PLAN_FROZEN


def test_without_a_vote_the_plan_winds_down_and_is_not_frozen_for_this_again() -> None:
    world = build_broken()
    start = world.today
    world.advance(END_DAYS - 1)
    assert world.plan.status == PLAN_FROZEN
    world.advance(1)
    assert (world.plan.status, world.plan.wind_day) == (PLAN_WIND_DOWN, start + END_DAYS)
    world.advance(5)
    assert world.plan.status == PLAN_WIND_DOWN
    assert world.plan.stopped_days == END_DAYS


def test_the_day_that_was_frozen_before_the_end_began_does_not_lengthen_the_run_off() -> None:
    world = build_broken()
    world.advance(END_DAYS)
    begun = world.state.require(WIND_DOWN, PLAN_NAME)
    assert begun.day == world.today
    assert begun.stopped_days == world.plan.stopped_days
    assert get_end_days(world.state, PLAN_NAME)[0] == world.today + RUN_OFF_DAYS


def test_a_new_break_after_a_mended_one_is_counted_from_its_own_day() -> None:
    world = build_broken()
    world.advance(VOTE_DAYS - 2)
    account = get_account(world)
    world.state.put(ACCOUNT, replace(account, is_matched=True), ACCOUNT_NAME)
    world.advance(1)
    world.state.put(ACCOUNT, replace(get_account(world), is_matched=False), ACCOUNT_NAME)
    world.advance(5)
    assert world.plan.status == PLAN_FROZEN
    assert not any(isinstance(event, CustodyVoteDue) for event in world.events)


def test_a_bank_that_is_silent_for_ever_does_not_lock_the_plan_up() -> None:
    world = World(statements=False)
    world.join("a", 5_000)
    world.advance(12 + END_DAYS)
    assert world.plan.status == PLAN_WIND_DOWN
