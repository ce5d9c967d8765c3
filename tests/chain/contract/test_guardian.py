"""A grown child's membership: handed over in the year of the majority, or by itself 90 days after it."""

import pytest
from msgspec.structs import replace

from chain.contract.calendar import compute_new_year_day
from chain.contract.guardian import HAND_OVER_DAYS, NO_KEY, compute_majority_year
from chain.contract.member_calls import GuardianHandOver, MemberAdmit, MemberLeave, MemberRekeyRequest, MemberWithdraw
from chain.contract.member_events import GuardianCeased, HandOverAsked, MemberHandedOver
from chain.contract.member_key_tables import HAND_OVER
from chain.contract.rekey import VETO_DAYS
from chain.contract.tables import MEMBER, MEMBER_LEFT
from chain.crypto import sha256
from tests.chain.contract.acts import do, member_key, refuse
from tests.chain.contract.world import World, name_hash

OWN = name_hash("own key")
PARENT = member_key("ann")
LIMIT = 60
THIS_YEAR = 2026
TURNS_18_NOW = THIS_YEAR + LIMIT - 19
"""Last cover year of somebody who turns 18 in the first year of a world."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ann(world: World) -> bytes:
    return world.join("ann", 15_000)


def add_child(world: World, ann: bytes, *, last_cover_year: int = TURNS_18_NOW) -> bytes:
    child = world.apply("kid", guardian=ann, key="ann")
    world.verify("kid", child, last_cover_year=last_cover_year)
    do(world, "platform", MemberAdmit(items=(child,)))
    world.credit(child, 15_000)
    return child


def hand_over(world: World, child: bytes) -> None:
    call = GuardianHandOver(member=child, new_key=OWN)
    do(world, PARENT, call)
    do(world, OWN, call)


def may_sign(world: World, key: bytes, member: bytes) -> bool:
    return world.call(key, MemberWithdraw(member=member, amount=4_999_999)).number != 3


def test_the_year_of_the_majority_follows_from_the_last_cover_year() -> None:
    # Born in 2008, limit 60: 59 during 2067, the last year wholly below it; 18 in 2026.
    assert compute_majority_year(last_cover_year=2067, age_limit_years=60) == 2026


def test_guardian_and_child_hand_over_and_both_sign_until_the_guardian_ceases(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    hand_over(world, child)
    due_day = world.today + HAND_OVER_DAYS
    assert MemberHandedOver(member=child, new_key=OWN, due_day=due_day) in world.last_events
    assert may_sign(world, OWN, child) and may_sign(world, PARENT, child)
    world.advance(HAND_OVER_DAYS - 1)
    assert may_sign(world, PARENT, child)
    world.advance(1)
    assert GuardianCeased(member=child, has_key=True) in world.events
    assert may_sign(world, OWN, child) and not may_sign(world, PARENT, child)
    assert (world.member(child).guardian, world.member(ann).children) == (None, 0)
    assert world.state.get(HAND_OVER, child) is None


def test_either_key_alone_hands_nothing_over(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    call = GuardianHandOver(member=child, new_key=OWN)
    do(world, PARENT, call)
    assert refuse(world, PARENT, call) == "already"
    assert refuse(world, member_key("stranger"), call) == "wrong_role"
    assert not may_sign(world, OWN, child)


def test_not_before_the_year_in_which_the_child_turns_18(world: World, ann: bytes) -> None:
    child = add_child(world, ann, last_cover_year=TURNS_18_NOW + 1)
    call = GuardianHandOver(member=child, new_key=OWN)
    assert refuse(world, PARENT, call) == "not_of_age"
    world.advance_to(compute_new_year_day(THIS_YEAR + 1))
    hand_over(world, child)


def test_who_is_nobodys_child_is_not_handed_over(world: World, ann: bytes) -> None:
    call = GuardianHandOver(member=ann, new_key=OWN)
    assert refuse(world, PARENT, call) == "guardian_missing"
    assert refuse(world, PARENT, GuardianHandOver(member=name_hash("no"), new_key=OWN)) == "member_unknown"


def test_a_child_is_handed_over_once_and_as_a_member(world: World, ann: bytes) -> None:
    child = world.apply("kid", guardian=ann, key="ann")
    assert refuse(world, PARENT, GuardianHandOver(member=child, new_key=OWN)) == "not_verified"
    world.verify("kid", child, last_cover_year=TURNS_18_NOW)
    assert refuse(world, PARENT, GuardianHandOver(member=child, new_key=OWN)) == "not_verified"
    do(world, "platform", MemberAdmit(items=(child,)))
    hand_over(world, child)
    assert refuse(world, PARENT, GuardianHandOver(member=child, new_key=name_hash("x"))) == "already"
    do(world, OWN, MemberLeave(member=child))
    assert refuse(world, PARENT, GuardianHandOver(member=child, new_key=name_hash("x"))) == "member_state"


def test_the_childs_key_is_its_own(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    world.state.put(MEMBER, replace(world.member(child), recovery_hash=sha256(OWN)), child)
    for key in (PARENT, OWN, name_hash("key", "bank")):
        assert refuse(world, PARENT, GuardianHandOver(member=child, new_key=key)) == "key_in_use"


def test_a_guardian_who_does_nothing_ceases_by_himself_90_days_after_the_year(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    asked = compute_new_year_day(THIS_YEAR + 1)
    world.advance_to(asked - 1)
    assert world.state.require(HAND_OVER, child).due_day == 0
    world.advance_to(asked)
    assert HandOverAsked(member=child, due_day=asked + HAND_OVER_DAYS) in world.events
    world.credit(ann, 3_000)
    world.credit(child, 3_000)
    world.advance_to(world.state.require(HAND_OVER, child).due_day - 1)
    assert may_sign(world, PARENT, child)
    world.advance(20)
    assert GuardianCeased(member=child, has_key=False) in world.events
    assert world.member(child).key == NO_KEY
    assert not may_sign(world, PARENT, child)
    before = world.balance(child)
    world.credit(child, 500)
    assert world.balance(child) == before + 500
    call = MemberRekeyRequest(member=child, new_key=OWN)
    for signer in ("platform", "audit-one", OWN):
        do(world, signer, call)
    world.advance(VETO_DAYS + 10)
    assert may_sign(world, OWN, child)


def test_a_hand_over_in_the_guardians_last_days_keeps_their_end(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    world.advance_to(compute_new_year_day(THIS_YEAR + 1) + 60)
    due_day = world.state.require(HAND_OVER, child).due_day
    hand_over(world, child)
    assert world.state.require(HAND_OVER, child).due_day == due_day


def test_somebody_of_age_who_is_admitted_as_a_child_is_asked_the_next_day(world: World, ann: bytes) -> None:
    child = add_child(world, ann, last_cover_year=THIS_YEAR + 20)
    world.advance(1)
    assert HandOverAsked(member=child, due_day=world.today + HAND_OVER_DAYS) in world.events


def test_a_child_that_left_is_asked_for_nothing(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    do(world, PARENT, MemberLeave(member=child))
    assert world.member(child).status == MEMBER_LEFT
    assert world.member(ann).children == 0
    world.advance_to(compute_new_year_day(THIS_YEAR + 1) + 1)
    assert world.state.get(HAND_OVER, child) is None
    assert not any(isinstance(event, HandOverAsked) for event in world.events)
    assert world.member(ann).children == 0


def test_a_child_that_left_after_its_hand_over_is_not_counted_twice(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    hand_over(world, child)
    do(world, OWN, MemberLeave(member=child))
    world.apply("baby", guardian=ann, key="ann")
    world.advance(20)
    assert world.member(ann).children == 1
    world.advance(HAND_OVER_DAYS - 20)
    # The baby's application has expired meanwhile, which is the only other child that went.
    assert (world.member(ann).children, world.member(child).guardian) == (0, None)
