"""Another account: the member asks, the bank verifies the person again, and nothing else moves money elsewhere."""

import pytest
from msgspec.structs import replace

from chain.contract.account import CHANGE_DAYS
from chain.contract.member_calls import AccountChange, AccountVerify, AccountVerifyItem, MemberLeave
from chain.contract.member_events import AccountChangeAsked, AccountChangeExpired
from chain.contract.member_key_tables import ACCOUNT_CHANGE
from chain.contract.tables import PLAN
from tests.chain.contract.acts import build_verify, do, member_key, refuse
from tests.chain.contract.world import PLAN_NAME, World, name_hash

COMMITMENT = name_hash("commitment")


def ask(world: World, member: bytes, name: str = "ann", commitment: bytes = COMMITMENT) -> None:
    do(world, member_key(name), AccountChange(member=member, account_commitment=commitment))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ann(world: World) -> bytes:
    return world.join("ann", 5_000)


def test_a_change_takes_effect_once_the_bank_has_verified_the_same_person_again(world: World, ann: bytes) -> None:
    before = world.member(ann)
    ask(world, ann)
    assert world.member(ann) == before
    assert world.last_events == [
        AccountChangeAsked(member=ann, account_commitment=COMMITMENT, due_day=world.today + CHANGE_DAYS)
    ]
    do(world, "bank", build_verify(world, ann, "ann"))
    after = world.member(ann)
    assert after.account_token == name_hash("token", "ann", "new")
    assert (after.person_index, after.last_cover_year) == (before.person_index, before.last_cover_year)
    assert world.state.get(ACCOUNT_CHANGE, ann) is None
    assert world.balance(ann) == 5_000


def test_the_bank_alone_changes_no_account(world: World, ann: bytes) -> None:
    assert refuse(world, "bank", build_verify(world, ann, "ann")) == "conflict"


def test_the_same_word_of_the_bank_again_is_already(world: World, ann: bytes) -> None:
    ask(world, ann)
    do(world, "bank", build_verify(world, ann, "ann"))
    assert refuse(world, "bank", build_verify(world, ann, "ann")) == "already"


def test_the_account_of_another_person_is_refused(world: World, ann: bytes) -> None:
    ask(world, ann)
    stranger = build_verify(world, ann, "ann", person_index=name_hash("person", "thief"))
    assert refuse(world, "bank", stranger) == "index_mismatch"


def test_a_change_of_account_changes_no_last_cover_year(world: World, ann: bytes) -> None:
    ask(world, ann)
    assert refuse(world, "bank", build_verify(world, ann, "ann", last_cover_year=2070)) == "conflict"


@pytest.mark.parametrize("holder_kind", [1, 2])
def test_an_adult_who_lives_has_neither_a_guardians_nor_an_estates_account(
    world: World, ann: bytes, holder_kind: int
) -> None:
    ask(world, ann)
    assert refuse(world, "bank", build_verify(world, ann, "ann", holder_kind=holder_kind)) == "holder_invalid"


def test_the_first_account_of_an_applicant_is_his_own(world: World) -> None:
    member = world.apply("ann")
    item = AccountVerifyItem(
        member=member,
        person_index=name_hash("person", "ann"),
        account_token=name_hash("token", "ann"),
        holder_kind=1,
        key_challenge_hash=name_hash("challenge"),
        last_cover_year=2060,
    )
    assert refuse(world, "bank", AccountVerify(items=(item,))) == "holder_invalid"


def test_a_child_may_have_the_account_of_its_guardian(world: World, ann: bytes) -> None:
    child = world.apply("kid", guardian=ann, key="ann")
    world.verify("kid", child)
    do(world, member_key("ann"), AccountChange(member=child, account_commitment=COMMITMENT))
    do(world, "bank", build_verify(world, child, "kid", holder_kind=1))
    assert world.member(child).holder_kind == 1


def test_the_same_account_again_is_verified_for_somebody_who_asked(world: World, ann: bytes) -> None:
    """A blocked account that works again: without it a failed payment could not be retried."""
    ask(world, ann)
    again = build_verify(world, ann, "ann", account_token=name_hash("token", "ann"))
    do(world, "bank", again)
    assert world.state.get(ACCOUNT_CHANGE, ann) is None
    assert refuse(world, "bank", again) == "already"


def test_only_the_member_asks_for_another_account(world: World, ann: bytes) -> None:
    call = AccountChange(member=ann, account_commitment=COMMITMENT)
    assert refuse(world, member_key("ben"), call) == "not_owner"
    assert refuse(world, "platform", call) == "not_owner"
    unknown = AccountChange(member=name_hash("nobody"), account_commitment=COMMITMENT)
    assert refuse(world, member_key("ann"), unknown) == "member_unknown"


def test_an_applicant_waits_for_his_first_account(world: World) -> None:
    member = world.apply("ann")
    call = AccountChange(member=member, account_commitment=COMMITMENT)
    assert refuse(world, member_key("ann"), call) == "not_verified"


def test_a_wish_is_repeated_for_nothing_and_replaced_by_a_newer_one(world: World, ann: bytes) -> None:
    ask(world, ann)
    assert refuse(world, member_key("ann"), AccountChange(member=ann, account_commitment=COMMITMENT)) == "already"
    world.advance(3)
    ask(world, ann, commitment=name_hash("other"))
    world.advance(CHANGE_DAYS - 3)
    assert world.state.require(ACCOUNT_CHANGE, ann).account_commitment == name_hash("other")
    world.advance(3)
    assert world.state.get(ACCOUNT_CHANGE, ann) is None


def test_a_wish_that_the_bank_does_not_verify_expires_after_thirty_days(world: World, ann: bytes) -> None:
    ask(world, ann)
    world.advance(CHANGE_DAYS - 1)
    assert world.state.get(ACCOUNT_CHANGE, ann) is not None
    world.advance(1)
    assert AccountChangeExpired(member=ann) in world.events
    assert refuse(world, "bank", build_verify(world, ann, "ann")) == "conflict"


def test_stopped_days_do_not_count_for_the_wish(world: World, ann: bytes) -> None:
    ask(world, ann)
    plan = world.plan
    world.state.put(PLAN, replace(plan, stopped_days=plan.stopped_days + 5), PLAN_NAME)
    world.advance(CHANGE_DAYS + 4)
    assert world.state.get(ACCOUNT_CHANGE, ann) is not None
    world.advance(1)
    assert world.state.get(ACCOUNT_CHANGE, ann) is None


def test_an_ended_membership_that_is_owed_nothing_needs_no_account(world: World, ann: bytes) -> None:
    do(world, member_key("ann"), MemberLeave(member=ann))
    call = AccountChange(member=ann, account_commitment=COMMITMENT)
    assert refuse(world, member_key("ann"), call) == "account_unneeded"
