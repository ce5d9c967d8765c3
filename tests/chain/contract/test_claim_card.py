"""The card of the notice: written by the platform, generalised, public no longer than the notice."""

from functools import partial

import pytest

from chain.contract.claim_calls import ClaimCard
from chain.contract.claim_review_events import ClaimCardWritten
from chain.contract.claim_review_tables import CLAIM_CARD
from chain.contract.claim_tables import CLAIM_ASSIGNED, CLAIM_CONFIRMED, CLAIM_ELIGIBLE
from tests.chain.contract.claim_world import START_DAY, ClaimWorld, name_hash
from tests.chain.contract.test_claim_withdrawal import withdraw


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    return world


def write(world: ClaimWorld, claim_id: bytes, signer: str = "platform", **changes: int) -> None:
    fields = {"age_from_years": 30, "age_to_years": 34, "sex": 2, "province": 33, "disease_group": 3, "people_min": 10}
    world.act(signer, ClaimCard(claim=claim_id, **{**fields, **changes}))


def has_card(world: ClaimWorld, claim_id: bytes) -> bool:
    return world.state.get(CLAIM_CARD, claim_id) is not None


def test_the_platform_writes_the_card_and_the_event_says_only_that_it_did(world: ClaimWorld) -> None:
    claim_id = world.approve()
    write(world, claim_id)
    card = world.state.require(CLAIM_CARD, claim_id)
    assert (card.age_from_years, card.age_to_years, card.sex, card.province, card.disease_group) == (30, 34, 2, 33, 3)
    assert (card.people_min, card.written_by) == (10, "platform")
    assert world.events[-1] == ClaimCardWritten(claim=claim_id)


def test_nobody_else_writes_it(world: ClaimWorld) -> None:
    claim_id = world.approve()
    for signer in ("bank", "audit-one", "firm-a", "ann"):
        assert world.refused(partial(write, world, claim_id, signer)) == "wrong_role"
    assert world.refused(partial(write, world, name_hash("none"))) == "claim_unknown"


@pytest.mark.parametrize("status", [CLAIM_ELIGIBLE, CLAIM_ASSIGNED, CLAIM_CONFIRMED])
def test_there_is_no_card_before_the_reports_and_none_after_the_confirmation(world: ClaimWorld, status: int) -> None:
    claim_id = world.approve()
    world.change_claim(claim_id, status=status)
    assert world.refused(partial(write, world, claim_id)) == "claim_state"


@pytest.mark.parametrize(("low", "high"), [(30, 33), (31, 35), (30, 36), (35, 34)])
def test_an_age_band_has_whole_fives_of_years(world: ClaimWorld, low: int, high: int) -> None:
    claim_id = world.approve()
    refused = world.refused(partial(write, world, claim_id, age_from_years=low, age_to_years=high))
    assert refused == "value_out_of_range"
    write(world, claim_id, age_from_years=0, age_to_years=149, sex=0, province=0, disease_group=0)


def test_fewer_than_ten_people_are_no_cell(world: ClaimWorld) -> None:
    claim_id = world.approve()
    assert world.refused(partial(write, world, claim_id, people_min=9)) == "card_too_narrow"


def test_a_card_is_corrected_until_the_notice_opens_and_stands_from_then_on(world: ClaimWorld) -> None:
    claim_id = world.approve()
    write(world, claim_id)
    assert world.refused(partial(write, world, claim_id)) == "already"
    write(world, claim_id, province=0)
    world.open_notice(0)
    assert world.refused(partial(write, world, claim_id, province=11)) == "conflict"
    assert world.refused(partial(write, world, claim_id, province=0)) == "already"


def test_a_claim_without_a_card_may_still_get_one_in_its_notice(world: ClaimWorld) -> None:
    claim_id = world.approve()
    world.open_notice(0)
    write(world, claim_id)
    assert has_card(world, claim_id)


def test_the_confirmation_takes_the_card_down(world: ClaimWorld) -> None:
    claim_id = world.approve()
    write(world, claim_id)
    world.open_notice(0)
    world.advance(3)
    assert has_card(world, claim_id)
    world.confirm("audit-one", claim_id)
    assert not has_card(world, claim_id)


def test_every_other_end_takes_it_down_too(world: ClaimWorld) -> None:
    withdrawn = world.approve()
    write(world, withdrawn)
    withdraw(world, withdrawn)
    assert not has_card(world, withdrawn)
    world.add_member("ben")
    rejected = world.investigate("ben", finding=0)
    write(world, rejected)
    world.decide(rejected, is_approved=False)
    assert not has_card(world, rejected)
    world.add_member("cid")
    refunded = world.investigate("cid", diagnosed_day=START_DAY + 5)
    write(world, refunded)
    world.decide(refunded)
    assert not has_card(world, refunded)
