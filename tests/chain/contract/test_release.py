"""Single payments while a plan is frozen (contract 5 *single_release*)."""

from msgspec.structs import replace

from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_FEE, INSTRUCTION_SETTLED
from chain.contract.member_calls import MemberLeave
from chain.contract.money_calls import SingleRelease
from chain.contract.money_tables import RELEASE
from chain.contract.release import is_held
from chain.contract.tables import PLAN, PLAN_ACTIVE, PLAN_FROZEN
from tests.chain.contract.money_world import (
    ALREADY,
    BANK_AND_AUDITOR,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    post_missing,
    sign,
)
from tests.chain.contract.world import PLAN_NAME, World, name_hash


def build_frozen() -> tuple[World, bytes]:
    """Return a world frozen by a statement that differs, and the refund of somebody who left."""
    world = World(statements=False)
    member = world.join("a", 5_000)
    world.join("b", 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    world.advance(1)
    post_missing(world, closing=1)
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    (instruction,) = world.ready_instructions()
    return world, instruction


def test_bank_and_auditor_release_one_payment_and_the_others_stay_held() -> None:
    world, instruction = build_frozen()
    call = SingleRelease(instruction=instruction)
    assert is_held(world.plan, world.state.get(RELEASE, instruction))
    assert world.call("audit-one", call).number == SUCCESS
    assert is_held(world.plan, world.state.get(RELEASE, instruction))
    assert world.call("bank", call).number == SUCCESS
    release = world.state.require(RELEASE, instruction)
    assert (release.day, release.auditor) == (world.today, "audit-one")
    assert not is_held(world.plan, release)
    assert is_held(world.plan, None)
    assert not is_held(replace(world.plan, status=PLAN_ACTIVE), None)


def test_the_bank_may_acknowledge_what_was_never_released_because_it_is_a_fact() -> None:
    world, instruction = build_frozen()
    assert world.acknowledge(instruction).items == (SUCCESS,)
    assert world.instruction(instruction).state == INSTRUCTION_SETTLED
    assert_changes_nothing(world, SingleRelease(instruction=instruction), 207)


def test_only_while_frozen_and_only_once() -> None:
    world, instruction = build_frozen()
    call = SingleRelease(instruction=instruction)
    world.state.put(PLAN, replace(world.plan, status=PLAN_ACTIVE), PLAN_NAME)
    assert_changes_nothing(world, call, 217)
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    sign(world, call)
    for signer in BANK_AND_AUDITOR:
        assert_changes_nothing(world, call, ALREADY, (signer,))


def test_only_aid_and_refunds_to_a_verified_account_are_released() -> None:
    world, instruction = build_frozen()
    record = world.instruction(instruction)
    world.state.put(INSTRUCTION, replace(record, account_token=None), instruction)
    assert_changes_nothing(world, SingleRelease(instruction=instruction), 218)
    world.state.put(INSTRUCTION, replace(record, kind=INSTRUCTION_FEE), instruction)
    assert_changes_nothing(world, SingleRelease(instruction=instruction), 218)
    world.state.put(INSTRUCTION, replace(record, state=0), instruction)
    assert_changes_nothing(world, SingleRelease(instruction=instruction), 207)


def test_only_bank_and_auditor_and_only_known_instructions() -> None:
    world, instruction = build_frozen()
    for signer in ("platform", "firm-a", "stranger"):
        assert_changes_nothing(world, SingleRelease(instruction=instruction), WRONG_ROLE, (signer,))
    assert_changes_nothing(world, SingleRelease(instruction=name_hash("?")), 206)
