"""Pausing and resuming a plan (contract 3.1, 5 *pause / resume*)."""

import pytest
from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.fault import pause_after_fault
from chain.contract.halves import HALF, hash_call
from chain.contract.member_calls import MemberAdmit, MemberLeave
from chain.contract.plan_calls import BatchSign, Pause, Resume, WindDown
from chain.contract.plan_events import PlanPaused, PlanResumed
from chain.contract.plan_stops import (
    BY_VOTE,
    PAUSE_AGAIN_DAYS,
    PAUSE_DAYS_MAX,
    begin_pause,
    count_stopped_day,
    end_pause,
    run_stops,
)
from chain.contract.settlement_tables import PERIOD_NOTICE
from chain.contract.tables import (
    MEMBER_LEFT,
    PLAN,
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
)
from chain.contract.version_tables import PAUSE
from chain.errors import Refusal
from tests.chain.contract.rules_world import RulesWorld, build_rules_world, run_signers
from tests.chain.contract.world import PLAN_NAME, name_hash

NOTICE, CHARGE = 20_491, 20_498
REASON = name_hash("reason")
PAUSE_CALL = Pause(plan=PLAN_NAME, reason_hash=REASON)


@pytest.fixture
def world() -> RulesWorld:
    return build_rules_world()


def build_resume(world: RulesWorld) -> Resume:
    return Resume(plan=PLAN_NAME, paused_day=world.state.require(PAUSE, PLAN_NAME).since_day, reason_hash=REASON)


def vote(world: RulesWorld) -> Context:
    return world.context("vote")


# --- pausing ---


@pytest.mark.parametrize("signer", ["bank", "audit-one", "audit-two"])
def test_bank_or_an_auditor_alone_stops_a_plan_at_once(world: RulesWorld, signer: str) -> None:
    world.succeed(signer, PAUSE_CALL)
    assert (world.plan.status, world.plan.since_day) == (PLAN_PAUSED, world.today)
    until_day = world.today + PAUSE_DAYS_MAX
    paused = PlanPaused(plan=PLAN_NAME, organisation=signer, reason_hash=REASON, until_day=until_day)
    assert paused in world.last_events


@pytest.mark.parametrize("signer", ["platform", "firm-a", "clinic", "stranger"])
def test_nobody_else_pauses(world: RulesWorld, signer: str) -> None:
    assert world.refuse(signer, PAUSE_CALL) == "wrong_role"


def test_pause_of_an_unknown_paused_frozen_or_ended_plan_is_refused(world: RulesWorld) -> None:
    assert world.refuse("bank", replace(PAUSE_CALL, plan="other")) == "plan_unknown"
    world.succeed("bank", PAUSE_CALL)
    assert world.refuse("audit-one", PAUSE_CALL) == "already"
    for status in (PLAN_FROZEN, PLAN_ENDED):
        world.state.put(PLAN, replace(world.plan, status=status), PLAN_NAME)
        assert world.refuse("audit-one", PAUSE_CALL) == "plan_not_active"


def test_pause_ends_by_itself_after_seven_days_that_do_not_count(world: RulesWorld) -> None:
    world.advance(3)
    day = world.today
    world.succeed("bank", PAUSE_CALL)
    world.advance(PAUSE_DAYS_MAX - 1)
    assert world.plan.status == PLAN_PAUSED
    world.advance(1)
    assert (world.plan.status, world.plan.since_day, world.plan.stopped_days) == (PLAN_ACTIVE, day + 7, 7)
    assert world.state.get(PAUSE, PLAN_NAME) is None


def test_same_organisation_pauses_again_only_thirty_days_later_but_another_may(world: RulesWorld) -> None:
    day = world.today
    world.succeed("bank", PAUSE_CALL)
    world.advance(PAUSE_DAYS_MAX)
    assert world.refuse("bank", PAUSE_CALL) == "pause_too_soon"
    world.succeed("audit-one", PAUSE_CALL)
    world.advance_to(day + PAUSE_AGAIN_DAYS - 1)
    assert world.refuse("bank", PAUSE_CALL) == "pause_too_soon"
    world.advance(1)
    world.succeed("bank", PAUSE_CALL)


def test_pause_stops_entries_notice_settlement_and_batches(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance_to(CHARGE - 1)
    world.add_claim(member, 100)
    waiting = world.apply("b")
    world.verify("b", waiting)
    world.succeed("bank", PAUSE_CALL)
    assert world.call("platform", MemberAdmit(items=(waiting,))).items == (6,)
    key = name_hash("member", "c")
    assert world.refuse(key, world.apply_under("c", world.terms)) == "plan_not_active"
    world.advance(3)
    assert (world.period(0).status, world.pool.settlements) == (PERIOD_NOTICE, 0)
    world.advance_to(CHARGE + 6)
    assert (world.plan.status, world.pool.settlements) == (PLAN_ACTIVE, 1)
    assert world.settlement(0).day == CHARGE + 6
    world.succeed("audit-two", PAUSE_CALL)
    sign = BatchSign(plan=PLAN_NAME, pool=0, period=0, batch_root=world.period(0).batch_root)
    assert world.refuse("platform", sign) == "plan_not_active"


def test_pause_stops_no_credit_no_answer_no_statement_and_nobody_from_leaving(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.succeed("bank", PAUSE_CALL)
    assert world.credit(member, 1_000).items == (0,)
    assert world.balance(member) == 6_000
    world.advance(1)
    world.succeed(name_hash("member", "a"), MemberLeave(member=member))
    assert world.member(member).status == MEMBER_LEFT
    world.answer_all()
    assert world.pool.cash == 0


def test_notice_that_fell_due_in_a_pause_opens_on_the_day_of_resuming_with_its_full_days(world: RulesWorld) -> None:
    world.advance_to(NOTICE - 2)
    world.succeed("bank", PAUSE_CALL)
    world.advance_to(NOTICE + 5)
    assert (world.period(0).status, world.period(0).notice_day) == (PERIOD_NOTICE, NOTICE + 5)
    assert world.period(0).charge_day == NOTICE + 9


# --- resuming ---


def test_platform_auditor_and_bank_end_a_pause_at_the_next_midnight(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    day = world.today
    world.advance(2)
    call = build_resume(world)
    run_signers(world, call, ("audit-one", "bank"))
    assert world.state.require(PAUSE, PLAN_NAME).until_day == day + PAUSE_DAYS_MAX
    world.succeed("platform", call)
    assert PlanResumed(plan=PLAN_NAME, until_day=world.today + 1) in world.last_events
    assert world.plan.status == PLAN_PAUSED
    world.advance(1)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_ACTIVE, 3)


@pytest.mark.parametrize("signer", ["firm-a", "clinic", "stranger"])
def test_nobody_else_resumes(world: RulesWorld, signer: str) -> None:
    world.succeed("bank", PAUSE_CALL)
    assert world.refuse(signer, build_resume(world)) == "wrong_role"


def test_resuming_needs_a_pause_and_no_freeze(world: RulesWorld) -> None:
    call = Resume(plan=PLAN_NAME, paused_day=world.today, reason_hash=REASON)
    assert world.refuse("bank", replace(call, plan="other")) == "plan_unknown"
    assert world.refuse("bank", call) == "plan_not_paused"
    world.succeed("bank", PAUSE_CALL)
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    assert world.refuse("bank", call) == "plan_not_paused"


def test_signatures_for_one_pause_never_end_another(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    call = build_resume(world)
    run_signers(world, call, ("platform", "bank"))
    world.advance(PAUSE_DAYS_MAX)
    world.succeed("audit-two", PAUSE_CALL)
    assert world.state.get(HALF, PLAN_NAME, hash_call(call)) is not None
    assert world.refuse("audit-one", call) == "plan_not_paused"


def test_pause_that_ends_at_the_next_midnight_anyway_is_not_ended_again(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    world.advance(PAUSE_DAYS_MAX - 1)
    assert world.refuse("platform", build_resume(world)) == "already"


# --- votes, faults, freezes ---


def test_vote_begins_and_ends_a_pause(world: RulesWorld) -> None:
    begin_pause(world.state, vote(world), PLAN_NAME, by=BY_VOTE, reason_hash=REASON)
    assert world.state.require(PAUSE, PLAN_NAME).by == BY_VOTE
    with pytest.raises(Refusal, match="already"):
        begin_pause(world.state, vote(world), PLAN_NAME, by=BY_VOTE, reason_hash=REASON)
    end_pause(world.state, vote(world), PLAN_NAME)
    with pytest.raises(Refusal, match="already"):
        end_pause(world.state, vote(world), PLAN_NAME)
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE
    with pytest.raises(Refusal, match="plan_not_paused"):
        end_pause(world.state, vote(world), PLAN_NAME)
    world.succeed("bank", PAUSE_CALL)


def test_pause_after_a_fault_lasts_seven_days_like_any_other(world: RulesWorld) -> None:
    pause_after_fault(world.state, vote(world), plan=PLAN_NAME, day=world.today, stage=0)
    assert world.state.require(PAUSE, PLAN_NAME).until_day == world.today + PAUSE_DAYS_MAX
    world.advance(PAUSE_DAYS_MAX)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_ACTIVE, 7)


def run_midnight(world: RulesWorld, day: int, *, is_broken: bool) -> None:
    """Run what the 0:00 of a day does to stops."""
    count_stopped_day(world.state, PLAN_NAME, day)
    run_stops(world.state, vote(world), PLAN_NAME, day, is_broken=is_broken)


def test_what_is_left_of_a_pause_holds_when_a_freeze_above_it_ends(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    day = world.today
    run_midnight(world, day + 1, is_broken=True)
    assert world.plan.status == PLAN_FROZEN
    run_midnight(world, day + 3, is_broken=False)
    assert (world.plan.status, world.plan.since_day) == (PLAN_PAUSED, day + 3)
    run_midnight(world, day + PAUSE_DAYS_MAX, is_broken=False)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_ACTIVE, 3)


def test_freeze_that_outlasts_the_pause_ends_in_no_pause(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    day = world.today
    run_midnight(world, day + 1, is_broken=True)
    run_midnight(world, day + 7, is_broken=True)
    assert (world.plan.status, world.state.get(PAUSE, PLAN_NAME)) == (PLAN_FROZEN, None)
    run_midnight(world, day + 8, is_broken=False)
    assert world.plan.status == PLAN_ACTIVE


def test_pause_signed_before_the_events_of_its_day_have_run_counts_no_day_before_it(world: RulesWorld) -> None:
    world.succeed("bank", PAUSE_CALL)
    run_midnight(world, world.today, is_broken=False)
    assert (world.plan.status, world.plan.stopped_days) == (PLAN_PAUSED, 0)
    run_midnight(world, world.today + 1, is_broken=False)
    assert world.plan.stopped_days == 1


def test_ended_plan_is_stopped_by_nothing_any_more(world: RulesWorld) -> None:
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    run_midnight(world, world.today, is_broken=True)
    assert world.plan.status == PLAN_ENDED


def test_wind_down_can_be_paused_and_goes_on_afterwards(world: RulesWorld) -> None:
    call = WindDown(plan=PLAN_NAME, reason_hash=REASON)
    run_signers(world, call, ("platform", "audit-one", "bank"))
    world.succeed("audit-two", PAUSE_CALL)
    assert world.plan.status == PLAN_PAUSED
    world.advance(PAUSE_DAYS_MAX)
    assert world.plan.status == PLAN_WIND_DOWN
