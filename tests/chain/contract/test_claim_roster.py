"""Declining a seat, seats of firms that leave the consortium, firms that join it, and the public record of service."""

from functools import partial

import pytest

from chain.contract import claim_draw, claim_lane
from chain.contract.claim_calls import AssessorDecline
from chain.contract.claim_review_events import FirmDeclined, FirmRemoved
from chain.contract.claim_review_tables import FIRM_DUTY, FirmDutyRecord
from chain.contract.claim_roster import list_choices, on_organisation_removed
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_LANE,
)
from chain.contract.settlement_tables import PERIOD_NOTICE
from chain.contract.tables import ORGANISATION, PLANS, ROSTER, SIGNER, OrganisationRecord, PlansRecord, RosterRecord
from tests.chain.contract.claim_world import PLAN_NAME, ClaimWorld, build_record, name_hash

FIRMS = ("firm-a", "firm-b", "firm-c", "firm-d")
ONE, TWO = "audit-one", "audit-two"


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    world.state.put(PLANS, PlansRecord(names=(PLAN_NAME,)))
    return world


def decline(world: ClaimWorld, claim_id: bytes, firm: str, *, is_conflict: bool = False) -> None:
    world.act(firm, AssessorDecline(claim=claim_id, is_conflict=is_conflict))


def remove(world: ClaimWorld, name: str, role: int = 3) -> None:
    """Let an organisation leave, as the government does it."""
    names = tuple(item for item in world.state.require(ROSTER, role).names if item != name)
    world.state.put(ROSTER, RosterRecord(names=names), role)
    world.state.delete(SIGNER, name_hash("key", name))
    on_organisation_removed(world.state, world.build_context(), name)


def join(world: ClaimWorld, name: str) -> None:
    names = world.state.require(ROSTER, 3).names
    world.state.put(ROSTER, RosterRecord(names=(*names, name)), 3)
    record = build_record(OrganisationRecord, role=3, order=len(names), group=f"g-{name}", key=name_hash("key", name))
    world.state.put(ORGANISATION, record, name)


def get_duty(world: ClaimWorld, name: str) -> FirmDutyRecord:
    return world.state.require(FIRM_DUTY, name)


# --- declining ---


@pytest.mark.parametrize("is_conflict", [True, False])
def test_a_declined_seat_is_vacant_at_once_and_drawn_again(world: ClaimWorld, is_conflict: bool) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    decline(world, claim_id, second, is_conflict=is_conflict)
    claim = world.get_claim(claim_id)
    assert world.list_firms(claim_id) == [first]
    assert (claim.status, claim.redraws, claim.due_day) == (CLAIM_ASSIGNED, 1, 0)
    assert world.events[-1] == FirmDeclined(claim=claim_id, organisation=second, is_conflict=is_conflict)
    world.advance(2)
    seats = world.list_firms(claim_id)
    assert seats[0] == first
    assert seats[1] not in (first, second)


def test_a_conflict_is_no_fault_and_declining_without_one_is_counted(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    decline(world, claim_id, first, is_conflict=True)
    decline(world, claim_id, second)
    assert get_duty(world, first) == FirmDutyRecord(drawn=1, reported=0, silent=0, declined=0, conflicts=1)
    assert get_duty(world, second) == FirmDutyRecord(drawn=1, reported=0, silent=0, declined=1, conflicts=0)


def test_a_firm_without_a_seat_or_with_an_opened_report_declines_nothing(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    assert world.refused(partial(decline, world, claim_id, "firm-a")) == "claim_state"
    world.reveal(0, 1)
    world.advance(1)
    first, second = world.list_firms(claim_id)
    other = next(name for name in FIRMS if name not in (first, second))
    assert world.refused(partial(decline, world, claim_id, other)) == "not_drawn"
    assert world.refused(partial(decline, world, claim_id, "ann")) == "wrong_role"
    assert world.refused(partial(decline, world, name_hash("none"), first)) == "claim_unknown"
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    assert world.refused(partial(decline, world, claim_id, first)) == "already"
    decline(world, claim_id, second)
    assert world.refused(partial(decline, world, claim_id, second)) == "not_drawn"


def test_when_both_decline_both_seats_are_drawn_by_what_nobody_knew_at_the_second_act(world: ClaimWorld) -> None:
    """The first vacancy's draw can be foreseen from its reveals on: the second decliner must not choose by it."""
    claim_id, first, second = world.assign()
    decline(world, claim_id, first)
    world.reveal(2, 3)
    decline(world, claim_id, second)
    claim_draw.run_draws(world.state, world.build_context(), PLAN_NAME, world.today)
    assert world.list_firms(claim_id) == []
    world.reveal(0, 1)
    world.advance(1)
    assert set(world.list_firms(claim_id)) == set(FIRMS) - {first, second}
    lane = world.state.require(CLAIM_LANE, PLAN_NAME, claim_lane.LANE_DRAW)
    assert lane.head == lane.tail


def test_a_claim_that_asks_again_does_not_hold_up_those_behind_it(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    decline(world, claim_id, first)
    behind = world.file("ben")
    world.reveal(2, 3)
    decline(world, claim_id, second)
    claim_draw.run_draws(world.state, world.build_context(), PLAN_NAME, world.today)
    assert len(world.list_firms(behind)) == 2
    assert world.list_firms(claim_id) == []


def test_declining_counts_as_replacement_so_the_second_auditor_comes_in_and_the_claim_ends(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    for _ in range(3):
        other = world.list_firms(claim_id)[1]
        decline(world, claim_id, other, is_conflict=True)
        world.advance(2)
    assert world.list_firms(claim_id) == [first, TWO]
    decline(world, claim_id, TWO, is_conflict=True)
    world.advance(2)
    assert world.get_claim(claim_id).status == CLAIM_EXPIRED


# --- leaving and joining the consortium ---


def test_the_seat_of_a_firm_that_leaves_is_vacated_the_next_day_and_drawn_again(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first)
    world.accept(claim_id, second)
    remove(world, second)
    world.advance(1)
    assert FirmRemoved(claim=claim_id, organisation=second) in world.events
    assert world.list_firms(claim_id) == [first]
    world.advance(2)
    seats = world.list_firms(claim_id)
    assert len(seats) == 2
    assert second not in seats


def test_a_report_that_was_opened_before_its_firm_left_stays(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    remove(world, first)
    world.advance(1)
    world.open_report(claim_id, second)
    assert world.get_claim(claim_id).status == CLAIM_INVESTIGATED


def test_a_firm_that_came_back_before_midnight_keeps_its_seat(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    remove(world, second)
    join(world, second)
    world.advance(1)
    assert world.list_firms(claim_id) == [first, second]


def test_many_seats_are_vacated_over_several_days(world: ClaimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_draw, "SEATS_VACATED_MAX", 1)
    for name in ("cid", "dan"):
        world.add_member(name)
    claims = [world.file(name) for name in ("ann", "ben", "cid", "dan")]
    world.reveal(0, 1)
    world.advance(1)
    held = [claim_id for claim_id in claims if "firm-a" in world.list_firms(claim_id)]
    for claim_id in claims:
        for firm in world.list_firms(claim_id):
            world.accept(claim_id, firm)
    assert len(held) > 1
    remove(world, "firm-a")
    for day in range(len(held)):
        world.advance(1)
        removed = [event for event in world.events if isinstance(event, FirmRemoved)]
        assert len(removed) == day + 1
    world.advance(1)
    assert not any("firm-a" in world.list_firms(claim_id) for claim_id in claims)


def test_the_lane_of_a_firm_stays_as_short_as_its_open_seats(world: ClaimWorld) -> None:
    names = [f"m{number}" for number in range(30)]
    for name in names:
        world.add_member(name)
        claim_id = world.investigate(name)
        world.decide(claim_id)
    lengths = [lane.tail - lane.head for lane in (world.state.require(CLAIM_LANE, PLAN_NAME, firm) for firm in FIRMS)]
    assert max(lengths) <= 2


def test_a_draw_survives_an_organisation_whose_record_is_gone(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    remove(world, second)
    world.state.delete(ORGANISATION, second)
    world.advance(3)
    assert len(world.list_firms(claim_id)) == 2


def test_a_firm_that_joins_is_drawn_from_at_once(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    join(world, "firm-e")
    assert len(list_choices(world.state, world.get_claim(claim_id), 2)) == 10


def test_a_second_auditor_that_leaves_its_seat_gives_it_to_its_successor(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    world.advance(9)
    assert world.list_firms(claim_id) == [first, TWO]
    world.state.put(ROSTER, RosterRecord(names=(ONE, TWO, "audit-three")), 2)
    remove(world, TWO, role=2)
    world.advance(2)
    assert world.list_firms(claim_id) == [first, "audit-three"]


def test_the_turn_of_an_auditor_follows_the_roster_of_today(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.advance(15)
    world.state.put(ROSTER, RosterRecord(names=(TWO, "audit-three")), 2)
    assert world.refused(partial(world.decide, claim_id, ONE)) == "wrong_role"
    world.decide(claim_id, TWO)
    assert world.get_claim(claim_id).status == CLAIM_APPROVED


def test_the_auditor_that_the_notice_named_confirms_while_it_serves(world: ClaimWorld) -> None:
    claim_id = world.approve()
    world.open_notice(0)
    world.put_period(0, PERIOD_NOTICE, (claim_id,), ONE)
    world.advance(3)
    world.state.put(ROSTER, RosterRecord(names=("audit-zero", ONE, TWO)), 2)
    assert world.confirm(ONE, claim_id) == (0,)


def test_where_the_named_auditor_has_left_the_roster_names_another(world: ClaimWorld) -> None:
    claim_id = world.approve()
    world.open_notice(0)
    world.put_period(0, PERIOD_NOTICE, (claim_id,), ONE)
    world.advance(3)
    world.state.put(ROSTER, RosterRecord(names=(TWO, "audit-three")), 2)
    assert world.confirm(TWO, claim_id) == (0,)
