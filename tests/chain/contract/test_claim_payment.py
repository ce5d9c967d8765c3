"""What settlement and custody report reaches the claim, in parts too, and ends it once."""

import pytest

from chain.contract import claim_payment
from chain.contract.claim_events import ClaimPaid, ClaimSettled
from chain.contract.claim_tables import (
    CLAIM_CONFIRMED,
    CLAIM_INSTRUCTED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_SETTLED,
    CLAIM_SHARES_REFUND,
)
from chain.errors import InvariantViolation
from tests.chain.contract.claim_world import ROW_MILD, START_DAY, ClaimWorld


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    return world


def confirm(world: ClaimWorld, **changes: object) -> bytes:
    claim_id = world.approve(**changes)
    world.open_notice(0)
    world.advance(3)
    world.confirm("audit-one", claim_id)
    return claim_id


def settle(world: ClaimWorld, claim_id: bytes, granted: int, rest: int = 0) -> bool:
    return claim_payment.on_settled(world.state, world.build_context(), claim_id, granted, rest)


def instruct(world: ClaimWorld, claim_id: bytes) -> None:
    claim_payment.on_instructed(world.state, world.build_context(), claim_id)


def pay(world: ClaimWorld, claim_id: bytes, amount: int) -> bool:
    return claim_payment.on_paid(world.state, world.build_context(), claim_id, amount)


def get_money(world: ClaimWorld, claim_id: bytes) -> tuple[int, int, int, int]:
    claim = world.get_claim(claim_id)
    return claim.status, claim.granted, claim.rest, claim.paid


def test_a_fully_granted_main_benefit_is_paid_and_ends_the_membership(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    assert not settle(world, claim_id, 300_000)
    assert get_money(world, claim_id) == (CLAIM_SETTLED, 300_000, 0, 0)
    instruct(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_INSTRUCTED
    assert pay(world, claim_id, 300_000)
    assert get_money(world, claim_id) == (CLAIM_PAID, 300_000, 0, 300_000)
    member = world.get_member(world.get_claim(claim_id).member)
    assert (member.aid_received, member.claim) == (300_000, None)
    assert [type(event) for event in world.events if isinstance(event, ClaimSettled | ClaimPaid)] == [
        ClaimSettled,
        ClaimPaid,
    ]


def test_a_mild_benefit_leaves_the_membership_as_it_is(world: ClaimWorld) -> None:
    claim_id = confirm(world, row=ROW_MILD)
    settle(world, claim_id, 50_000)
    instruct(world, claim_id)
    assert not pay(world, claim_id, 50_000)
    assert world.get_claim(claim_id).status == CLAIM_PAID
    assert world.get_member(world.get_claim(claim_id).member).claim is None


def test_a_carried_rest_keeps_the_claim_open_until_it_is_paid_too(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 200_000, 100_000)
    instruct(world, claim_id)
    assert not pay(world, claim_id, 200_000)
    assert get_money(world, claim_id) == (CLAIM_CONFIRMED, 200_000, 100_000, 200_000)
    settle(world, claim_id, 100_000)
    instruct(world, claim_id)
    assert pay(world, claim_id, 100_000)
    assert get_money(world, claim_id) == (CLAIM_PAID, 300_000, 0, 300_000)


def test_a_first_part_may_be_paid_after_the_second_was_settled(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 200_000, 100_000)
    instruct(world, claim_id)
    settle(world, claim_id, 100_000)
    assert not pay(world, claim_id, 200_000)
    instruct(world, claim_id)
    assert pay(world, claim_id, 100_000)


def test_a_rest_that_is_ended_after_the_first_part_was_paid_ends_the_claim(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 200_000, 100_000)
    instruct(world, claim_id)
    pay(world, claim_id, 200_000)
    assert settle(world, claim_id, 0, 0)
    assert get_money(world, claim_id) == (CLAIM_PAID, 200_000, 0, 200_000)


def test_a_settlement_that_grants_nothing_and_carries_all_leaves_the_claim_confirmed(
    world: ClaimWorld,
) -> None:
    claim_id = confirm(world)
    assert not settle(world, claim_id, 0, 300_000)
    assert get_money(world, claim_id) == (CLAIM_CONFIRMED, 0, 300_000, 0)


def test_a_settlement_that_grants_nothing_leaves_an_instructed_part_as_it_is(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 200_000, 100_000)
    instruct(world, claim_id)
    settle(world, claim_id, 0, 100_000)
    assert get_money(world, claim_id) == (CLAIM_INSTRUCTED, 200_000, 100_000, 0)


def test_a_claim_that_is_granted_nothing_at_all_ends_without_ending_the_membership(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    assert not settle(world, claim_id, 0, 0)
    assert get_money(world, claim_id) == (CLAIM_SETTLED, 0, 0, 0)
    assert world.get_member(world.get_claim(claim_id).member).claim is None


def test_a_failed_payment_is_instructed_again(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 300_000)
    instruct(world, claim_id)
    claim_payment.on_pay_failed(world.state, world.build_context(), claim_id)
    assert get_money(world, claim_id) == (CLAIM_PAY_FAILED, 300_000, 0, 0)
    instruct(world, claim_id)
    assert pay(world, claim_id, 300_000)


def test_a_refund_of_shares_is_paid_without_being_aid(world: ClaimWorld) -> None:
    world.change_pool(share_index=700, settlements=1)
    claim_id = world.approve("ann", diagnosed_day=START_DAY + 5)
    assert get_money(world, claim_id) == (CLAIM_SHARES_REFUND, 0, 0, 0)
    settle(world, claim_id, 700)
    instruct(world, claim_id)
    assert not pay(world, claim_id, 700)
    assert world.get_claim(claim_id).status == CLAIM_PAID
    member = world.get_member(world.get_claim(claim_id).member)
    assert (member.aid_received, member.claim) == (0, None)


def test_a_carried_refund_waits_as_a_refund(world: ClaimWorld) -> None:
    world.change_pool(share_index=700, settlements=1)
    claim_id = world.approve("ann", diagnosed_day=START_DAY + 5)
    settle(world, claim_id, 300, 400)
    instruct(world, claim_id)
    pay(world, claim_id, 300)
    assert get_money(world, claim_id) == (CLAIM_SHARES_REFUND, 300, 400, 300)


def test_more_than_was_granted_cannot_be_paid(world: ClaimWorld) -> None:
    claim_id = confirm(world)
    settle(world, claim_id, 300_000)
    with pytest.raises(InvariantViolation):
        pay(world, claim_id, 300_001)
