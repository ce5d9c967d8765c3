"""What the consortium decides about a plan: stops, the end, and versions of the rules."""

import pytest
from msgspec.structs import replace

from chain.contract.governance_calls import EndPlan, Payload, PublishRules, ResumePlan, StopPlan
from chain.contract.plan_calls import Pause, RulesPublish, WindDown
from chain.contract.tables import PLAN, PLAN_ACTIVE, PLAN_ENDED, PLAN_PAUSED, PLAN_WIND_DOWN
from chain.contract.version_tables import PAUSE, VERSION_DISCLOSED, VERSION_STATE, VERSION_STOPPED
from tests.chain.contract.governance_world import GovernanceWorld
from tests.chain.contract.test_proposals import refuse
from tests.chain.contract.world import PLAN_NAME, name_hash

STOP, RESUME, END = StopPlan(plan=PLAN_NAME), ResumePlan(plan=PLAN_NAME), EndPlan(plan=PLAN_NAME)


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld(statements=True)


def disclose(world: GovernanceWorld) -> int:
    """Let platform and auditor publish a cheaper version; return its number."""
    rules = replace(world.terms, name="cheaper", pool=replace(world.terms.pool, fee_bp=700))
    call = RulesPublish(plan=PLAN_NAME, version=1, pool=0, rules=rules, text_hash=name_hash("text"), account=None)
    for signer in ("platform", "audit-one"):
        assert world.call(signer, call).number == 0
    return 1


def version_status(world: GovernanceWorld) -> int:
    return world.state.require(VERSION_STATE, PLAN_NAME, 1).status


# --- stops ---


def test_a_plan_is_paused_in_the_block_after_the_deciding_vote(world: GovernanceWorld) -> None:
    proposal = world.accept("platform", STOP)
    assert world.proposal(proposal).effect_day == world.today
    assert world.plan.status == PLAN_ACTIVE
    world.next_block()
    assert world.plan.status == PLAN_PAUSED
    assert world.status(proposal) == "effective"
    pause = world.state.require(PAUSE, PLAN_NAME)
    assert (pause.by, pause.reason_hash, pause.until_day) == ("vote", name_hash("reason"), world.today + 7)
    world.advance(7)
    assert world.plan.status == PLAN_ACTIVE


def test_the_vote_on_a_stop_is_over_after_a_week(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", STOP)
    assert world.proposal(proposal).expire_day == world.today + 7
    world.advance(7)
    assert world.status(proposal) == "expired"


def test_a_pause_is_ended_by_vote_at_the_next_midnight(world: GovernanceWorld) -> None:
    assert world.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("r"))).number == 0
    proposal = world.accept("platform", RESUME)
    world.next_block()
    assert (world.status(proposal), world.plan.status) == ("effective", PLAN_PAUSED)
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE


def test_what_cannot_be_done_to_the_plan_now_is_no_proposal(world: GovernanceWorld) -> None:
    refuse(world, "bank", RESUME, "plan_not_paused")
    strange: tuple[Payload, ...] = (StopPlan(plan="other"), EndPlan(plan="other"), ResumePlan(plan="other"))
    for payload in strange:
        refuse(world, "bank", payload, "plan_unknown")
    assert world.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("r"))).number == 0
    refuse(world, "bank", STOP, "already")
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    orders: tuple[Payload, ...] = (STOP, RESUME, END)
    for payload in orders:
        refuse(world, "bank", payload, "plan_not_active")


def test_a_stop_that_came_true_meanwhile_fails(world: GovernanceWorld) -> None:
    proposal = world.accept("platform", STOP)
    assert world.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("r"))).number == 0
    world.next_block()
    assert (world.status(proposal), world.proposal(proposal).code) == ("failed", 7)
    assert world.state.require(PAUSE, PLAN_NAME).by == "bank"


# --- the end ---


def test_a_plan_is_ended_by_vote_after_a_week(world: GovernanceWorld) -> None:
    proposal = world.accept("bank", END)
    world.advance(6)
    assert world.plan.status == PLAN_ACTIVE
    world.advance(1)
    assert world.plan.status == PLAN_WIND_DOWN
    assert (world.status(proposal), world.plan.wind_day) == ("effective", world.today)
    refuse(world, "bank", END, "already")


def test_a_plan_whose_end_has_begun_otherwise_is_not_ended_twice(world: GovernanceWorld) -> None:
    proposal = world.accept("bank", END)
    for signer in ("platform", "bank", "audit-one"):
        assert world.call(signer, WindDown(plan=PLAN_NAME, reason_hash=name_hash("r"))).number == 0
    world.run_until_effect(proposal)
    assert (world.status(proposal), world.proposal(proposal).code) == ("failed", 7)


def test_the_platform_vanishes_and_the_others_end_the_plan(world: GovernanceWorld) -> None:
    proposal = world.propose("bank", END)
    for voter in ("audit-one", "audit-two"):
        assert world.vote(voter, proposal) == "success"
    world.run_until_effect(proposal)
    assert world.plan.status == PLAN_WIND_DOWN


def test_what_is_decided_about_a_plan_comes_after_its_own_events_of_the_day(world: GovernanceWorld) -> None:
    world.accept("bank", END)
    assert world.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("r"))).number == 0
    world.advance(6)
    world.posts_statements = False
    world.advance(1)
    names = [type(event).__name__ for event in world.block_events]
    # The pause ends at 0:00; the end of the plan begins in the same block, behind it.
    assert names.index("PlanStatusChanged") < names.index("WindDownBegun")


# --- rules ---


def test_a_disclosed_version_is_stopped_by_two_that_watch_and_disclosed_anew_by_all_but_one(
    world: GovernanceWorld,
) -> None:
    number = disclose(world)
    stop = PublishRules(plan=PLAN_NAME, version=number, is_stopped=True)
    proposal = world.propose("bank", stop)
    assert world.vote("audit-two", proposal) == "success"
    world.next_block()
    assert (world.status(proposal), version_status(world)) == ("effective", VERSION_STOPPED)
    world.advance(40)
    assert version_status(world) == VERSION_STOPPED
    world.carry_out("platform", replace(stop, is_stopped=False))
    assert version_status(world) == VERSION_DISCLOSED


def test_the_platforms_vote_does_not_help_to_stop_a_version(world: GovernanceWorld) -> None:
    number = disclose(world)
    proposal = world.propose("platform", PublishRules(plan=PLAN_NAME, version=number, is_stopped=True))
    world.vote("bank", proposal)
    assert world.status(proposal) == "open"


def test_versions_that_cannot_be_stopped_or_let(world: GovernanceWorld) -> None:
    refuse(world, "bank", PublishRules(plan=PLAN_NAME, version=9, is_stopped=True), "rules_version_unknown")
    number = disclose(world)
    refuse(world, "bank", PublishRules(plan=PLAN_NAME, version=number, is_stopped=False), "version_state")
    refuse(world, "bank", PublishRules(plan=PLAN_NAME, version=0, is_stopped=True), "version_state")
