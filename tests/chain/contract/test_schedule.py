"""Automatic events: order, own days, stops, budget, faults (contract 3.1, 3.7)."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chain.contract.context import compute_day
from chain.contract.due import DUE_APPLICATION, add_due
from chain.contract.events import AutomaticFault, MemberExited, NoticeOpened, PeriodSettled, PlanStatusChanged
from chain.contract.plan_stops import BY_VOTE, begin_pause
from chain.contract.schedule import STAGE_DONE, STAGE_SETTLEMENT
from chain.contract.tables import (
    DUE,
    DUE_INDEX,
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_APPLIED,
    MEMBER_EXPIRED,
    MEMBER_LEAVING,
    MEMBER_SHARING,
    PLAN,
    PLAN_ACTIVE,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
    POOL,
)
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.genesis import GenesisPlan
from tests.chain.contract.world import PLAN_NAME, World, build_terms, name_hash

NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512
DAY_MS = 86_400_000


def stop(world: World) -> None:
    begin_pause(world.state, world.context("vote"), PLAN_NAME, by=BY_VOTE, reason_hash=name_hash("reason"))


def test_days_that_fell_due_together_run_one_by_one_each_at_its_own_day() -> None:
    world = World(build_terms(waiting_days="0"), statements=False)
    member = world.join("a", 5_000)
    world.advance_to(NOTICE - 1)
    world.post_statements()
    world.add_claim(member, 100)
    world.next_block(ms=11 * DAY_MS)
    assert world.today == NOTICE + 10
    days = [(type(event).__name__, getattr(event, "day", None)) for event in world.block_events]
    assert ("NoticeOpened", NOTICE) in days
    assert ("PeriodSettled", CHARGE) in days
    assert world.settlement(0).day == CHARGE
    assert (world.plan.day, world.plan.stage) == (world.today, STAGE_DONE)


def test_two_plans_at_different_offsets_live_their_own_days() -> None:
    world = World(statements=False)
    terms = build_terms(utc_offset_minutes="-300", notice_days_of_month="[6]", charge_days_of_month="[15]")
    second = GenesisPlan(plan="other", account="other-main", opening_fen=0, terms=terms)
    world.restart(replace(world.genesis, plans=(*world.genesis.plans, second)))
    # Genesis is at 10:00 of 29 January in China, when it is 21:00 of the 28th at UTC-5.
    world.next_block(ms=8 * DAY_MS + 2 * 3_600_000)
    notices = [(event.plan, event.day) for event in world.block_events if isinstance(event, NoticeOpened)]
    assert notices == []
    world.next_block(ms=2 * 3_600_000)
    notices = [(event.plan, event.day) for event in world.block_events if isinstance(event, NoticeOpened)]
    assert notices == [("other", NOTICE - 1)]
    world.next_block(ms=11 * 3_600_000)
    notices = [(event.plan, event.day) for event in world.block_events if isinstance(event, NoticeOpened)]
    assert notices == [(PLAN_NAME, NOTICE)]
    assert world.state.require(PLAN, "other").day == compute_day(world.timestamp_ms, -300)
    assert world.state.require(POOL, "other", 0).is_window


def test_a_block_of_the_same_day_runs_nothing_twice() -> None:
    world = World()
    world.join("a", 5_000)
    world.advance_to(NOTICE)
    assert [event for event in world.events if isinstance(event, NoticeOpened)] != []
    world.next_block()
    assert world.block_events == []


def test_l7_the_same_blocks_give_the_same_state() -> None:
    def run() -> dict[bytes, bytes]:
        world = World(drain_max=2)
        members = [world.join(f"m{number}", 3_000 + number) for number in range(9)]
        world.advance_to(NOTICE)
        for number, member in enumerate(members[:5]):
            world.add_claim(member, 100 + number)
        world.advance_to(NEXT_CHARGE)
        world.commit_block()
        return world.base.values

    assert run() == run()


# --- deadlines ---


def test_deadlines_go_on_in_the_next_block_when_the_budget_is_spent() -> None:
    world = World(drain_max=3, statements=False)
    members = [world.apply(f"m{number}") for number in range(70)]
    world.post_statements()
    world.posts_statements = True
    world.advance(29)
    world.next_block(ms=DAY_MS)
    expired = [world.member(member).status for member in members].count(MEMBER_EXPIRED)
    assert expired == 3
    assert world.plan.stage_position == 3
    blocks = 1
    while world.plan.stage != STAGE_DONE:
        before = expired
        world.next_block()
        blocks += 1
        expired = [world.member(member).status for member in members].count(MEMBER_EXPIRED)
        assert expired - before <= 3
    assert expired == 70
    assert blocks == 24
    assert world.state.get(DUE_INDEX, PLAN_NAME, world.today) is None
    assert world.state.get(DUE, PLAN_NAME, world.today, DUE_APPLICATION, 0) is None
    order = [event.member for event in world.events if isinstance(event, MemberExited)]
    assert order[:64] == sorted(members[:64])
    assert order[64:] == sorted(members[64:])


def test_deadlines_of_one_kind_run_by_due_time_and_then_by_id() -> None:
    world = World()
    first = [world.apply(f"a{number}") for number in range(3)]
    world.next_block()
    second = [world.apply(f"b{number}") for number in range(3)]
    world.advance(30)
    order = [event.member for event in world.events if isinstance(event, MemberExited)]
    assert order == sorted(first) + sorted(second)


@pytest.mark.parametrize("status", [PLAN_PAUSED, PLAN_FROZEN])
def test_stopped_days_do_not_count_for_deadlines(status: int) -> None:
    world = World(statements=False)
    member = world.apply("a")
    world.post_statements()
    world.posts_statements = True
    world.advance(8)
    if status == PLAN_FROZEN:
        world.posts_statements = False
        world.advance(20)
        world.posts_statements = True
    else:
        stop(world)
    while world.plan.status != PLAN_ACTIVE:
        world.advance(1)
    stopped = world.plan.stopped_days
    assert stopped >= 7
    world.advance_to(world.genesis.time_ms // DAY_MS + 29 + stopped)
    assert world.member(member).status == MEMBER_APPLIED
    world.advance(1)
    assert world.member(member).status == MEMBER_EXPIRED


def test_a_deadline_set_for_a_day_that_has_begun_comes_up_on_the_next() -> None:
    world = World()
    member = world.apply("a")
    add_due(world.state, PLAN_NAME, world.today - 5, DUE_APPLICATION, 0, member)
    world.advance(1)
    assert world.member(member).status == MEMBER_EXPIRED


def test_members_age_out_on_new_years_day() -> None:
    world = World(start_day=20_790)
    young = world.join("young", 5_000, last_cover_year=2027)
    old = world.join("old", 5_000, last_cover_year=2026)
    applicant = world.apply("applicant")
    world.verify("applicant", applicant, last_cover_year=2026)
    world.advance_to(20_818)
    assert world.member(old).status == MEMBER_SHARING
    world.advance(1)
    assert world.today == 20_819
    assert world.member(old).status == MEMBER_AGED_OUT
    assert world.member(young).status == MEMBER_SHARING
    assert world.pool.outgoing == 5_000


def test_ageing_out_in_the_window_waits_for_the_drain() -> None:
    world = World()
    old = world.join("old", 5_000, last_cover_year=2026)
    world.advance_to(NOTICE)
    add_due(world.state, PLAN_NAME, world.today + 1, 20, 0, old)
    world.advance(1)
    assert world.member(old).status == MEMBER_LEAVING
    world.advance_to(CHARGE)
    assert world.member(old).status == MEMBER_AGED_OUT


def test_a_date_is_no_deadline_and_does_not_move_while_the_plan_is_stopped() -> None:
    world = World(start_day=20_790)
    member = world.join("old", 5_000, last_cover_year=2026)
    world.advance_to(20_816)
    stop(world)
    world.advance_to(20_819)
    assert world.plan.status == PLAN_PAUSED
    assert world.member(member).status == MEMBER_AGED_OUT


# --- stops ---


def test_a_pause_ends_by_itself_after_seven_days() -> None:
    world = World()
    stop(world)
    world.advance(6)
    assert world.plan.status == PLAN_PAUSED
    world.advance(1)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_ACTIVE, 7)


def test_a_stopped_wind_down_goes_on_winding_down() -> None:
    world = World()
    stop(world)
    begin_wind_down(world.state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by=BY_VOTE)
    world.advance(6)
    assert (world.plan.status, world.plan.wind_day) == (PLAN_PAUSED, world.today - 6)
    world.advance(1)
    assert world.plan.status == PLAN_WIND_DOWN


def test_a_notice_and_a_settlement_that_fall_due_while_stopped_run_on_the_day_of_resuming() -> None:
    world = World()
    world.join("a", 5_000)
    world.advance_to(NOTICE - 1)
    stop(world)
    world.advance_to(NOTICE + 5)
    assert not world.pool.is_window
    world.advance(1)
    period = world.period(0)
    assert (period.notice_day, period.charge_day, period.scheduled_day) == (NOTICE + 6, NOTICE + 10, CHARGE)
    world.advance_to(NOTICE + 9)
    stop(world)
    world.advance_to(NOTICE + 15)
    assert world.pool.settlements == 0
    world.advance(1)
    assert world.pool.settlements == 1
    assert world.settlement(0).day == NOTICE + 16
    # The next period is neither merged nor skipped: its own notice had fallen due meanwhile.
    world.advance(1)
    assert world.period(1).notice_day == NOTICE + 17
    assert world.period(1).scheduled_day == NEXT_CHARGE


# --- faults ---


def break_pool(world: World) -> Callable[[], None]:
    """Let a fen disappear from the books; return what repairs it."""
    good = world.pool
    world.state.put(POOL, replace(good, cash=good.cash - 1), PLAN_NAME, 0)

    def repair() -> None:
        world.state.put(POOL, replace(world.pool, cash=world.pool.cash + 1), PLAN_NAME, 0)

    return repair


def test_an_automatic_event_that_breaks_an_invariant_is_undone_and_pauses_the_plan() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.advance_to(NOTICE)
    world.add_claim(member, 100)
    world.advance_to(CHARGE - 1)
    repair = break_pool(world)
    world.base.commit(world.state)
    world.timestamp_ms += DAY_MS
    world._open_block()
    faults = [event for event in world.block_events if isinstance(event, AutomaticFault)]
    assert [(event.day, event.stage) for event in faults] == [(CHARGE, STAGE_SETTLEMENT)]
    assert any(isinstance(event, PlanStatusChanged) for event in world.block_events)
    assert not any(isinstance(event, PeriodSettled) for event in world.block_events)
    assert world.plan.status == PLAN_PAUSED
    assert (world.pool.settlements, world.pool.share_index, world.pool.items) == (0, 0, (0, 1))
    assert (world.plan.day, world.plan.stage) == (CHARGE, STAGE_DONE)
    repair()
    world.advance_to(CHARGE + 7)
    assert world.plan.status == PLAN_ACTIVE
    assert world.settlement(0).day == CHARGE + 7


def test_a_deadline_that_breaks_an_invariant_is_tried_again_after_the_pause() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 500)
    world.advance(29)
    record = world.member(member)
    world.state.put(MEMBER, replace(record, cash=600), member)
    world.advance(1)
    assert world.plan.status == PLAN_PAUSED
    assert world.member(member).status == MEMBER_APPLIED
    world.state.put(MEMBER, record, member)
    world.advance(9)
    assert world.member(member).status == MEMBER_EXPIRED
    assert world.pool.outgoing == 500
