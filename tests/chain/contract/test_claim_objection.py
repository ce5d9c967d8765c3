"""objection_file and objection_rule: who is heard, when, and that nobody can hold a claim up for ever by objecting."""

from functools import partial

import pytest

from chain.catalogue import SUCCESS, get_entry
from chain.contract.calendar import compute_day_of_date
from chain.contract.claim_calls import ObjectionFile, ObjectionRule
from chain.contract.claim_review_events import ObjectionEnded, ObjectionFiled
from chain.contract.claim_review_tables import (
    CLAIM_REVIEW,
    OBJECTION,
    OBJECTION_ADMITTED,
    OBJECTION_DISMISSED,
    OBJECTION_JOINED,
    OBJECTION_MOOT,
    OBJECTION_OPEN,
    ObjectionRecord,
)
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
    CLAIM_REJECTED,
    CLAIM_WITHDRAWN,
)
from chain.contract.settlement_tables import PERIOD_COMPUTED
from chain.contract.tables import MEMBER_LEFT
from chain.errors import Refusal
from chain.types import TxId
from tests.chain.contract.claim_world import FIRST_DAY, START_DAY, ClaimWorld, name_hash
from tests.chain.contract.test_claim_withdrawal import withdraw

ONE, TWO = "audit-one", "audit-two"


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    for name in ("ann", "ben", "cid"):
        world.add_member(name)
    return world


def notice(world: ClaimWorld, period: int = 0, **changes: object) -> bytes:
    """Bring a claim of ann's to NOTICED, on the first of its three full days."""
    claim_id = world.approve(**changes)
    world.open_notice(period)
    return claim_id


def roll(world: ClaimWorld, claim_id: bytes, period: int) -> None:
    """Let the notice of a period pass unconfirmed, and the next one open."""
    world.put_period(period, PERIOD_COMPUTED, (claim_id,))
    world.open_notice(period + 1)


def object_to(world: ClaimWorld, claim_id: bytes, name: str = "ben", evidence: str = "seen") -> TxId:
    call = ObjectionFile(member=name_hash("member", name), claim=claim_id, evidence_hash=name_hash(evidence))
    return world.act(name, call)


def rule(world: ClaimWorld, objection: bytes, signer: str = ONE, *, is_admitted: bool = False) -> None:
    world.act(signer, ObjectionRule(objection=objection, is_admitted=is_admitted))


def get_objection(world: ClaimWorld, objection: bytes) -> ObjectionRecord:
    return world.state.require(OBJECTION, objection)


# --- who is heard ---


def test_a_covered_member_objects_and_no_event_says_who(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    record = get_objection(world, objection)
    assert (record.claim, record.status, record.due_day) == (claim_id, OBJECTION_OPEN, world.today + 2)
    assert world.events[-1] == ObjectionFiled(claim=claim_id, objection=objection, evidence_hash=name_hash("seen"))
    assert world.get_claim(claim_id).status == CLAIM_NOTICED


def test_nobody_objects_to_the_own_claim_nor_to_that_of_child_or_guardian(world: ClaimWorld) -> None:
    claim_id = notice(world)
    assert world.refused(partial(object_to, world, claim_id, "ann")) == "own_claim"
    world.change_member(name_hash("member", "cid"), guardian=name_hash("member", "ann"))
    call = ObjectionFile(member=name_hash("member", "cid"), claim=claim_id, evidence_hash=name_hash("seen"))
    assert world.refused(partial(world.act, "ann", call)) == "own_claim"
    world.change_member(name_hash("member", "ann"), guardian=name_hash("member", "ben"))
    assert world.refused(partial(object_to, world, claim_id)) == "own_claim"


def test_only_who_is_covered_today_objects(world: ClaimWorld) -> None:
    claim_id = notice(world)
    ben = name_hash("member", "ben")
    assert world.refused(partial(object_to, world, claim_id, "nobody")) == "member_unknown"
    foreign = ObjectionFile(member=ben, claim=claim_id, evidence_hash=name_hash("seen"))
    assert world.refused(partial(world.act, "cid", foreign)) == "not_owner"
    world.change_member(ben, cover_from=FIRST_DAY + 1_000)
    assert world.refused(partial(object_to, world, claim_id)) == "objector_not_covered"
    past = ((START_DAY, world.today - 1, START_DAY),)
    world.change_member(ben, status=MEMBER_LEFT, is_leaf=False, x=0, cover_from=START_DAY, past=past)
    assert world.refused(partial(object_to, world, claim_id)) == "objector_not_covered"


@pytest.mark.parametrize("status", [CLAIM_APPROVED, CLAIM_RECHECK, CLAIM_CONFIRMED, CLAIM_REJECTED])
def test_only_a_claim_in_notice_takes_objections(world: ClaimWorld, status: int) -> None:
    claim_id = notice(world)
    world.change_claim(claim_id, status=status)
    assert world.refused(partial(object_to, world, claim_id)) == "claim_state"
    assert world.refused(partial(object_to, world, name_hash("none"))) == "claim_unknown"


def test_objections_are_heard_in_the_full_days_of_the_notice_and_not_after(world: ClaimWorld) -> None:
    claim_id = notice(world)
    world.advance(2)
    object_to(world, claim_id)
    world.advance(1)
    assert world.refused(partial(object_to, world, claim_id, evidence="late")) == "deadline_passed"


def test_a_member_objects_three_times_a_calendar_year(world: ClaimWorld) -> None:
    world.advance_to(compute_day_of_date(year=2025, month=1, day_of_month=5))
    claim_id = notice(world)
    for number in range(3):
        object_to(world, claim_id, evidence=f"seen-{number}")
    assert world.refused(partial(object_to, world, claim_id, evidence="seen-3")) == "objections_used"
    object_to(world, claim_id, "cid", evidence="seen-3")
    next_year = compute_day_of_date(year=2026, month=1, day_of_month=1)
    world.change_claim(claim_id, due_day=next_year + 1)
    world.today = next_year
    object_to(world, claim_id, evidence="seen-4")


def test_the_same_evidence_is_looked_at_once(world: ClaimWorld) -> None:
    claim_id = notice(world)
    object_to(world, claim_id)
    assert world.refused(partial(object_to, world, claim_id, "cid")) == "already"


def test_a_flood_of_objections_does_not_reach_the_auditor(world: ClaimWorld) -> None:
    claim_id = notice(world)
    for number in range(64):
        world.add_member(f"m{number}")
        object_to(world, claim_id, f"m{number}", evidence=f"seen-{number}")
    assert world.refused(partial(object_to, world, claim_id)) == "limit_reached"
    world.advance(2)
    object_to(world, claim_id)


# --- ruling ---


def test_an_auditor_dismisses_and_the_claim_goes_on(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    rule(world, objection, TWO)
    record = get_objection(world, objection)
    assert (record.status, record.ruled_by) == (OBJECTION_DISMISSED, TWO)
    assert world.refused(partial(rule, world, objection)) == "objection_state"
    world.advance(3)
    assert world.confirm(ONE, claim_id) == (SUCCESS,)


def test_silence_dismisses_after_two_days(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    world.advance(1)
    assert get_objection(world, objection).status == OBJECTION_OPEN
    world.advance(1)
    assert get_objection(world, objection).status == OBJECTION_DISMISSED
    assert world.events[-1] == ObjectionEnded(
        claim=claim_id, objection=objection, status=OBJECTION_DISMISSED, organisation=None
    )


def test_nobody_confirms_before_every_objection_is_ruled_on(world: ClaimWorld) -> None:
    claim_id = notice(world)
    world.advance(2)
    object_to(world, claim_id)
    world.advance(1)
    assert world.confirm(ONE, claim_id) == (get_entry("objection_open").number,)
    world.advance(1)
    assert world.confirm(ONE, claim_id) == (SUCCESS,)


def test_only_an_auditor_without_a_part_in_the_claim_rules(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.advance(15)
    world.decide(claim_id, ONE)
    world.open_notice(0)
    objection = object_to(world, claim_id)
    for signer in ("platform", "bank", "firm-a", "ann"):
        assert world.refused(partial(rule, world, objection, signer)) == "wrong_role"
    assert world.refused(partial(rule, world, objection, ONE)) == "had_part"
    assert world.refused(partial(rule, world, name_hash("none"))) == "objection_unknown"
    rule(world, objection, TWO, is_admitted=True)
    assert get_objection(world, objection).status == OBJECTION_ADMITTED


def test_an_auditor_with_a_seat_does_not_rule(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    world.change_claim(claim_id, firms=(*world.get_claim(claim_id).firms, world.build_seat(ONE)))
    assert world.refused(partial(rule, world, objection, ONE)) == "had_part"


def test_at_most_one_is_admitted_and_the_others_join_it(world: ClaimWorld) -> None:
    claim_id = notice(world)
    first, second = object_to(world, claim_id), object_to(world, claim_id, "cid", "heard")
    rule(world, second, is_admitted=True)
    assert get_objection(world, second).status == OBJECTION_ADMITTED
    assert get_objection(world, first).status == OBJECTION_JOINED
    review = world.state.require(CLAIM_REVIEW, claim_id)
    assert (review.admitted, review.pending, review.rechecks) == (second, (), 1)
    assert world.get_claim(claim_id).status == CLAIM_RECHECK
    assert world.refused(partial(rule, world, first, is_admitted=True)) == "objection_state"


def test_an_objection_to_a_claim_that_the_notice_ended_is_admitted_no_more(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    world.change_claim(claim_id, status=CLAIM_REJECTED)
    assert world.refused(partial(rule, world, objection, is_admitted=True)) == "claim_state"


def test_with_the_claim_its_objections_are_withdrawn(world: ClaimWorld) -> None:
    claim_id = notice(world)
    objection = object_to(world, claim_id)
    withdraw(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_WITHDRAWN
    assert get_objection(world, objection).status == OBJECTION_MOOT
    assert world.refused(partial(rule, world, objection, is_admitted=True)) == "objection_state"
    world.advance(3)
    assert get_objection(world, objection).status == OBJECTION_MOOT


# --- nobody holds a claim up for ever ---


def test_after_two_rechecks_a_claim_takes_no_objection(world: ClaimWorld) -> None:
    claim_id = notice(world)
    for period in range(2):
        objection = object_to(world, claim_id, evidence=f"seen-{period}")
        rule(world, objection, is_admitted=True)
        world.advance(31)
        assert world.get_claim(claim_id).status == CLAIM_APPROVED
        roll(world, claim_id, period)
    assert world.refused(partial(object_to, world, claim_id, evidence="seen-2")) == "objections_closed"


def test_objections_are_heard_in_three_notices_of_a_claim(world: ClaimWorld) -> None:
    claim_id = notice(world)
    for period in range(3):
        object_to(world, claim_id, evidence=f"seen-{period}")
        object_to(world, claim_id, "cid", evidence=f"heard-{period}")
        world.advance(3)
        roll(world, claim_id, period)
    world.add_member("dan")
    assert world.refused(partial(object_to, world, claim_id, "dan")) == "objections_closed"


def test_a_member_who_objects_to_every_claim_delays_three_of_them_by_days(world: ClaimWorld) -> None:
    """Attack of contract 7: with all his friends and a silent auditor he still stops nobody's aid."""
    friends = ["ben", "cid", *(f"friend-{number}" for number in range(20))]
    for name in friends[2:]:
        world.add_member(name)
    claims = []
    for name in ("ann", *(f"sick-{number}" for number in range(5))):
        if name != "ann":
            world.add_member(name)
        claims.append(world.approve(name))
    world.open_notice(0)
    filed = 0
    for _ in range(3):
        for name in friends:
            for number, claim_id in enumerate(claims):
                try:
                    object_to(world, claim_id, name, f"{name}-{number}-{world.today}")
                    filed += 1
                except Refusal:
                    continue
        world.advance(1)
    assert filed == 3 * len(friends)
    world.advance(2)
    assert world.confirm(ONE, *claims) == (SUCCESS,) * len(claims)
