"""The notice lists what was approved; only the right auditor confirms it, after full days in public."""

from functools import partial

import pytest
from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import claim_notice
from chain.contract.claim_events import ClaimConfirmed, ClaimNoticed
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_NOTICED,
    CLAIM_REJECTED,
)
from chain.contract.settlement_tables import ITEM, ITEM_AID, PERIOD_COMPUTED, PERIOD_NOTICE, PERIOD_OPEN
from chain.contract.tables import POOL
from tests.chain.contract.claim_world import PLAN_NAME, ClaimWorld, name_hash

TAG = name_hash("bill")
ONE, TWO = "audit-one", "audit-two"
"""Auditor 0 confirms even periods, auditor 1 odd ones."""


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def number(code: str) -> int:
    return get_entry(code).number


def notice(world: ClaimWorld, period: int = 0, **changes: object) -> bytes:
    """Bring a claim to NOTICED in a period, with its notice days over."""
    claim_id = world.approve(**changes)
    world.open_notice(period)
    world.advance(3)
    return claim_id


# --- the notice ---


def test_the_notice_lists_approved_claims_in_the_order_of_their_approval(world: ClaimWorld) -> None:
    second, first = world.investigate("ann"), world.investigate("ben")
    world.decide(first)
    world.decide(second)
    assert world.open_notice(0) == (first, second)
    claim = world.get_claim(first)
    assert (claim.status, claim.period, claim.due_day) == (CLAIM_NOTICED, 0, world.today + 3)
    assert [event.claim for event in world.events if isinstance(event, ClaimNoticed)] == [first, second]


def test_an_undecided_claim_is_on_no_notice(world: ClaimWorld) -> None:
    world.investigate()
    assert world.open_notice(0) == ()


def test_an_unconfirmed_claim_rolls_to_the_next_period_before_newer_ones(world: ClaimWorld) -> None:
    left = notice(world)
    confirmed_before = world.get_claim(left)
    world.put_period(0, PERIOD_COMPUTED, (left,))
    newer = world.approve("ben")
    assert world.open_notice(1) == (left, newer)
    claim = world.get_claim(left)
    assert (claim.period, claim.due_day) == (1, world.today + 3)
    assert claim.amount == confirmed_before.amount
    world.advance(3)
    assert world.confirm(ONE, left) == (number("not_your_turn"),)
    assert world.confirm(TWO, left, newer) == (SUCCESS, SUCCESS)


def test_a_confirmed_claim_is_not_listed_again(world: ClaimWorld) -> None:
    claim_id = notice(world)
    world.confirm(ONE, claim_id)
    world.put_period(0, PERIOD_COMPUTED, (claim_id,))
    assert world.open_notice(1) == ()


def test_a_full_notice_leaves_the_rest_to_the_next(world: ClaimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_notice, "NOTICE_CLAIMS_MAX", 1)
    first, second = world.approve("ann"), world.approve("ben")
    assert world.open_notice(0) == (first,)
    assert world.get_claim(second).status == CLAIM_APPROVED
    world.advance(3)
    world.confirm(ONE, first)
    assert world.open_notice(1) == (second,)


# --- confirming ---


def test_a_confirmed_claim_becomes_an_item_and_consumes_its_bills(world: ClaimWorld) -> None:
    claim_id = notice(world, bill_tags=(TAG,))
    assert world.confirm(ONE, claim_id) == (SUCCESS,)
    claim = world.get_claim(claim_id)
    assert claim.status == CLAIM_CONFIRMED
    assert world.state.require(POOL, PLAN_NAME, 0).items == (0, 1)
    item = world.state.require(ITEM, PLAN_NAME, 0, 0)
    assert (item.kind, item.claim, item.amount, item.fee_bp) == (ITEM_AID, claim_id, 300_000, 800)
    bill = world.state.require(BILL_TAG, PLAN_NAME, TAG)
    assert (bill.claim, bill.is_consumed) == (claim_id, True)
    assert any(isinstance(event, ClaimConfirmed) and event.organisation == ONE for event in world.events)


def test_a_claim_stands_the_full_notice_days_before_it_is_confirmed(world: ClaimWorld) -> None:
    claim_id = world.approve()
    world.open_notice(0)
    for _ in range(3):
        assert world.confirm(ONE, claim_id) == (number("notice_not_over"),)
        world.advance(1)
    assert world.confirm(ONE, claim_id) == (SUCCESS,)


def test_only_the_periods_auditor_confirms(world: ClaimWorld) -> None:
    claim_id = notice(world)
    assert world.confirm(TWO, claim_id) == (number("not_your_turn"),)
    for signer in ("platform", "bank", "firm-a", "ann"):
        assert world.refused(partial(world.confirm, signer, claim_id)) == "wrong_role"


def test_who_decided_a_claim_leaves_its_confirmation_to_the_next_period(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.advance(15)
    world.decide(claim_id, ONE)
    world.open_notice(0)
    world.advance(3)
    assert world.confirm(ONE, claim_id) == (number("decider_confirms"),)
    world.put_period(0, PERIOD_COMPUTED, (claim_id,))
    world.open_notice(1)
    world.advance(3)
    assert world.confirm(TWO, claim_id) == (SUCCESS,)


def test_an_auditor_with_a_seat_on_the_claim_does_not_confirm_it(world: ClaimWorld) -> None:
    claim_id = notice(world)
    claim = world.get_claim(claim_id)
    firms = (*claim.firms[:1], world.build_seat(ONE))
    world.change_claim(claim_id, firms=firms)
    assert world.confirm(ONE, claim_id) == (number("decider_confirms"),)


def test_an_auditor_that_lost_its_seat_by_silence_may_confirm(world: ClaimWorld) -> None:
    """It reported nothing; and with the other auditor as decider nobody else would be left."""
    claim_id = notice(world)
    claim = world.get_claim(claim_id)
    world.change_claim(claim_id, firms=(*claim.firms, replace(world.build_seat(ONE), is_replaced=True)))
    assert world.confirm(ONE, claim_id) == (SUCCESS,)


def test_confirming_again_is_already_done_and_makes_no_second_item(world: ClaimWorld) -> None:
    claim_id = notice(world)
    assert world.confirm(ONE, claim_id, claim_id) == (SUCCESS, number("already"))
    assert world.confirm(ONE, claim_id) == (number("already"),)
    assert world.state.require(POOL, PLAN_NAME, 0).items == (0, 1)


def test_items_of_a_batch_are_independent(world: ClaimWorld) -> None:
    claim_id, approved = notice(world), world.approve("ben")
    outcomes = world.confirm(ONE, name_hash("none"), approved, claim_id)
    assert outcomes == (number("claim_unknown"), number("claim_state"), SUCCESS)


@pytest.mark.parametrize("status", [PERIOD_OPEN, PERIOD_COMPUTED])
def test_after_the_charge_a_claim_waits_for_the_next_notice(world: ClaimWorld, status: int) -> None:
    claim_id = notice(world)
    world.put_period(0, status, (claim_id,))
    assert world.confirm(ONE, claim_id) == (number("period_state"),)


# --- one bill, two claims ---


def test_one_bill_is_paid_once_and_the_other_claim_ends_at_the_next_notice(world: ClaimWorld) -> None:
    first = world.approve("ann", bill_tags=(TAG,))
    second = world.approve("ben", bill_tags=(TAG,))
    world.open_notice(0)
    world.advance(3)
    assert world.confirm(ONE, first, second) == (SUCCESS, number("bill_consumed"))
    world.put_period(0, PERIOD_COMPUTED, (first, second))
    assert world.open_notice(1) == ()
    claim = world.get_claim(second)
    assert (claim.status, claim.reason) == (CLAIM_REJECTED, number("bill_consumed"))
    assert world.get_member(claim.member).claim is None
    assert world.state.require(BILL_TAG, PLAN_NAME, TAG).claim == first


def test_the_later_filing_may_be_confirmed_first_and_then_owns_the_bill(world: ClaimWorld) -> None:
    first = world.investigate("ann", bill_tags=(TAG,))
    second = world.approve("ben", bill_tags=(TAG,))
    world.open_notice(0)
    world.advance(3)
    assert world.confirm(ONE, second) == (SUCCESS,)
    assert world.refused(lambda: world.decide(first)) == "bill_consumed"


def test_a_claim_is_confirmed_in_the_period_that_lists_it(world: ClaimWorld) -> None:
    claim_id = notice(world)
    world.put_period(1, PERIOD_NOTICE, ())
    assert world.confirm(TWO, claim_id) == (number("not_your_turn"),)
