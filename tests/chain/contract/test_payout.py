"""The batch of a period: root, signatures and silence (contract 1, 5)."""

import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_COMPUTED, INSTRUCTION_READY
from chain.contract.events import PeriodClosed
from chain.contract.payout import Payment, create_instruction
from chain.contract.plan_calls import BatchSign
from chain.contract.plan_stops import BY_VOTE, begin_pause
from chain.contract.settlement_tables import PERIOD_CLOSED, PERIOD_COMPUTED, PERIOD_INSTRUCTED
from chain.contract.shares import open_book
from chain.contract.tables import PLAN, PLAN_FROZEN
from chain.errors import InvariantViolation
from chain.history import merkle_root
from chain.types import ZERO_HASH
from tests.chain.contract.world import PLAN_NAME, World, name_hash

NOTICE, CHARGE = 20_491, 20_498
SUCCESS, ALREADY, WRONG_ROLE = 0, 7, 2
# Period 0: audit-one confirms, audit-two co-signs.


def build_computed() -> World:
    """Return a world on the day of its first settlement, with a batch of two instructions."""
    world = World()
    first, second = world.join("a", 10_000), world.join("b", 10_000)
    world.advance_to(NOTICE)
    world.add_claim(first, 100)
    world.add_claim(second, 200)
    world.advance_to(CHARGE)
    assert world.period(0).status == PERIOD_COMPUTED
    return world


def sign(world: World, signer: str, *, root: bytes | None = None, period: int = 0) -> int:
    call = BatchSign(plan=PLAN_NAME, pool=0, period=period, batch_root=root or world.period(0).batch_root)
    return world.call(signer, call).number


def test_the_batch_root_is_the_rfc_6962_root_of_what_is_paid_to_which_account() -> None:
    world = build_computed()
    period = world.period(0)
    leaves = [
        encode((instruction, INSTRUCTION_AID, world.instruction(instruction).account_token, amount))
        for instruction, amount in zip(period.instructions, (100, 200), strict=True)
    ]
    assert period.batch_root == merkle_root(leaves)
    assert [world.instruction(item).state for item in period.instructions] == [INSTRUCTION_COMPUTED] * 2


def test_platform_and_cosigner_release_the_batch_in_any_order() -> None:
    for signers in (("platform", "audit-two"), ("audit-two", "platform")):
        world = build_computed()
        assert sign(world, signers[0]) == SUCCESS
        assert sign(world, signers[0]) == ALREADY
        assert world.period(0).status == PERIOD_COMPUTED
        assert world.ready_instructions() == []
        assert sign(world, signers[1]) == SUCCESS
        assert world.period(0).status == PERIOD_INSTRUCTED
        assert [world.instruction(item).state for item in world.period(0).instructions] == [INSTRUCTION_READY] * 2
        assert sign(world, signers[1]) == ALREADY


@pytest.mark.parametrize("signer", ["bank", "firm-a", "clinic", "stranger", "audit-one"])
def test_nobody_else_signs_while_they_are_not_silent(signer: str) -> None:
    assert sign(build_computed(), signer) == WRONG_ROLE


def test_both_auditors_replace_a_silent_platform_after_three_days() -> None:
    world = build_computed()
    assert sign(world, "audit-two") == SUCCESS
    world.advance(2)
    assert sign(world, "audit-one") == WRONG_ROLE
    world.advance(1)
    assert sign(world, "audit-one") == SUCCESS
    assert world.period(0).status == PERIOD_INSTRUCTED


def test_platform_and_confirmer_replace_a_silent_cosigner_after_three_days() -> None:
    world = build_computed()
    assert sign(world, "platform") == SUCCESS
    world.advance(3)
    assert sign(world, "audit-one") == SUCCESS
    assert world.period(0).status == PERIOD_INSTRUCTED


def test_stopped_days_are_no_silence() -> None:
    world = build_computed()
    begin_pause(world.state, world.context("vote"), PLAN_NAME, by=BY_VOTE, reason_hash=ZERO_HASH)
    assert sign(world, "platform") == 6
    world.advance(7)
    assert sign(world, "platform") == SUCCESS
    assert sign(world, "audit-one") == WRONG_ROLE
    world.advance(3)
    assert sign(world, "audit-one") == SUCCESS


def test_a_frozen_plan_pays_nothing() -> None:
    world = build_computed()
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    assert sign(world, "platform") == 6


def test_a_wrong_root_and_a_wrong_period_are_refused() -> None:
    world = build_computed()
    assert sign(world, "platform", root=ZERO_HASH) == 402
    assert sign(world, "platform", period=9) == 400
    assert sign(world, "platform", period=1) == 401


def test_a_period_closes_with_the_last_answer_even_a_failure() -> None:
    world = build_computed()
    world.sign_batch(0)
    first, second = world.period(0).instructions
    world.acknowledge(first, is_settled=False)
    assert world.period(0).status == PERIOD_INSTRUCTED
    closed = PeriodClosed(plan=PLAN_NAME, pool=0, period=0)
    assert closed not in world.events
    world.acknowledge(second)
    assert world.period(0).status == PERIOD_CLOSED
    assert world.events.count(closed) == 1


def test_a_period_without_costs_closes_at_once() -> None:
    world = World()
    world.join("a", 10_000)
    world.advance_to(CHARGE)
    assert world.period(0).status == PERIOD_CLOSED
    assert world.period(0).batch_root == ZERO_HASH
    assert world.events.count(PeriodClosed(plan=PLAN_NAME, pool=0, period=0)) == 1


def test_an_instruction_of_nothing_is_never_made_and_every_id_is_its_own() -> None:
    world = World()
    context = world.context("bank")
    book = open_book(world.state, context, PLAN_NAME, 0)
    with pytest.raises(InvariantViolation):
        create_instruction(world.state, context, book, Payment(kind=INSTRUCTION_AID, amount=0))
    payment = Payment(kind=INSTRUCTION_AID, amount=1, member=name_hash("m"))
    ids = [create_instruction(world.state, context, book, payment) for _ in range(3)]
    assert len(dict.fromkeys(ids)) == 3
