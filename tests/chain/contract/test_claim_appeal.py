"""What an appeal does to a claim: it waits for the jury as the member's open one, and goes back or on."""

from functools import partial

import pytest
from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import claim_appeal
from chain.contract.claim_review_tables import OBJECTION, OBJECTION_MOOT
from chain.contract.claim_tables import (
    CLAIM_APPEALED,
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_ELIGIBLE,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
)
from chain.contract.tables import MEMBER_LEFT, PERSON
from tests.chain.contract.claim_world import PLAN_NAME, ClaimWorld, name_hash
from tests.chain.contract.test_claim_objection import object_to

REASON = get_entry("not_covered").number


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def reject(world: ClaimWorld, **changes: object) -> bytes:
    claim_id = world.investigate("ann", **{"finding": 0, **changes})
    world.decide(claim_id, is_approved=False)
    return claim_id


def hold(world: ClaimWorld, claim_id: bytes) -> None:
    claim_appeal.hold_for_appeal(world.state, world.build_context(), claim_id, world.get_claim(claim_id))


def drop(world: ClaimWorld, claim_id: bytes, status: int) -> None:
    claim_appeal.drop_appeal(world.state, world.build_context(), claim_id, world.get_claim(claim_id), status)


def approve(world: ClaimWorld, claim_id: bytes, row: int = 0) -> None:
    claim_appeal.approve_on_appeal(world.state, world.build_context(), claim_id, world.get_claim(claim_id), row)


def admit(world: ClaimWorld, claim_id: bytes) -> None:
    claim_appeal.admit_refused(world.state, world.build_context(), claim_id, world.get_claim(claim_id))


def test_an_appealed_claim_is_the_open_one_again_so_no_other_is_filed_meanwhile(world: ClaimWorld) -> None:
    claim_id = reject(world)
    member_id = world.get_claim(claim_id).member
    assert world.get_member(member_id).claim is None
    hold(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_APPEALED
    assert world.get_member(member_id).claim == claim_id
    assert world.refused(lambda: world.file("ann", diagnosed_day=world.today - 9)) == "claim_open"


def test_a_claim_is_not_appealed_while_the_member_has_another(world: ClaimWorld) -> None:
    claim_id = reject(world)
    world.file("ann", diagnosed_day=world.today - 9)
    assert world.refused(partial(hold, world, claim_id)) == "claim_open"


@pytest.mark.parametrize("status", [CLAIM_ELIGIBLE, CLAIM_INVESTIGATED, CLAIM_CONFIRMED, CLAIM_PAID, CLAIM_APPEALED])
def test_only_a_decided_claim_before_its_confirmation_is_appealed(world: ClaimWorld, status: int) -> None:
    claim_id = reject(world)
    world.change_claim(claim_id, status=status)
    assert world.refused(partial(hold, world, claim_id)) == "claim_state"


def test_the_person_of_an_ended_membership_is_held_until_the_jury_has_spoken(world: ClaimWorld) -> None:
    """The benefit that the jury may give would bar him: he must not join anew meanwhile."""
    claim_id = reject(world)
    world.change_member(world.get_claim(claim_id).member, status=MEMBER_LEFT)
    hold(world, claim_id)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).member == name_hash("member", "ann")
    drop(world, claim_id, CLAIM_REJECTED)
    assert world.state.get(PERSON, PLAN_NAME, name_hash("person", "ann")) is None


@pytest.mark.parametrize("status", [CLAIM_REJECTED, CLAIM_REFUSED])
def test_a_lost_appeal_leaves_the_claim_as_it_was(world: ClaimWorld, status: int) -> None:
    claim_id = reject(world)
    world.change_claim(claim_id, status=status, reason=REASON)
    before = world.get_claim(claim_id)
    hold(world, claim_id)
    drop(world, claim_id, status)
    assert replace(world.get_claim(claim_id), due_day=0, due_kind=0) == replace(before, due_day=0, due_kind=0)
    assert world.get_member(before.member).claim is None
    assert world.refused(partial(drop, world, claim_id, status)) == "claim_state"


def test_a_lost_appeal_about_the_row_puts_the_claim_on_the_next_notice(world: ClaimWorld) -> None:
    claim_id = world.approve("ann", row=1)
    hold(world, claim_id)
    assert world.open_notice(0) == ()
    drop(world, claim_id, CLAIM_APPROVED)
    assert world.open_notice(1) == (claim_id,)


def test_two_places_in_the_lane_list_a_claim_once(world: ClaimWorld) -> None:
    claim_id = world.approve("ann", row=1)
    hold(world, claim_id)
    drop(world, claim_id, CLAIM_APPROVED)
    assert world.open_notice(0) == (claim_id,)


def test_a_won_appeal_about_the_row_changes_the_amount_before_the_next_notice(world: ClaimWorld) -> None:
    claim_id = world.approve("ann", row=1)
    world.open_notice(0)
    objection = object_to(world, claim_id)
    hold(world, claim_id)
    assert world.state.require(OBJECTION, objection).status == OBJECTION_MOOT
    approve(world, claim_id, row=0)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.row, claim.amount) == (CLAIM_APPROVED, 0, 300_000)
    assert world.open_notice(1) == (claim_id,)


def test_a_won_appeal_against_a_rejection_approves_with_the_day_of_the_reports(world: ClaimWorld) -> None:
    day = world.today - 3
    claim_id = reject(world, established_day=day)
    hold(world, claim_id)
    approve(world, claim_id, row=1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.established_day, claim.amount, claim.reason) == (CLAIM_APPROVED, day, 50_000, 0)
    world.open_notice(0)
    world.advance(3)
    assert world.confirm("audit-one", claim_id) == (SUCCESS,)


def test_a_claim_that_a_jury_decided_takes_no_objection(world: ClaimWorld) -> None:
    claim_id = reject(world)
    hold(world, claim_id)
    approve(world, claim_id)
    world.open_notice(0)
    assert world.get_claim(claim_id).status == CLAIM_NOTICED
    assert world.refused(partial(object_to, world, claim_id)) == "objections_closed"


def test_a_won_appeal_against_a_refusal_without_reports_is_drawn_and_investigated(world: ClaimWorld) -> None:
    claim_id = world.file("ann", diagnosed_day=19_000)
    assert world.get_claim(claim_id).status == CLAIM_REFUSED
    hold(world, claim_id)
    admit(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE
    world.advance(2)
    assert len(world.list_firms(claim_id)) == 2


def test_a_claim_with_reports_is_not_investigated_once_more(world: ClaimWorld) -> None:
    claim_id = reject(world)
    hold(world, claim_id)
    assert world.refused(partial(admit, world, claim_id)) == "claim_state"


def test_what_is_not_appealed_is_not_decided_here(world: ClaimWorld) -> None:
    claim_id = reject(world)
    for act in (approve, admit):
        assert world.refused(partial(act, world, claim_id)) == "claim_state"
