"""Bank, auditor and platform on an application (contract 2, 5)."""

import pytest
from msgspec.structs import replace

from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberLeave,
    MemberRefuse,
    MemberRefuseItem,
)
from chain.contract.tables import (
    MEMBER_APPLIED,
    MEMBER_EXPIRED,
    MEMBER_QUEUED,
    MEMBER_REFUSED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    PERSON,
    PLAN,
    PLAN_PAUSED,
    PersonRecord,
)
from tests.chain.contract.world import PLAN_NAME, World, name_hash

SUCCESS, ALREADY, CONFLICT = 0, 7, 8


def verify_item(member: bytes, person: str = "p", *, last_cover_year: int = 2060) -> AccountVerifyItem:
    return AccountVerifyItem(
        member=member,
        person_index=name_hash("person", person),
        account_token=name_hash("token"),
        holder_kind=0,
        key_challenge_hash=name_hash("challenge"),
        last_cover_year=last_cover_year,
    )


def index_item(member: bytes, person: str = "p", *, epoch: int = 0) -> IndexIssueItem:
    return IndexIssueItem(member=member, person_index=name_hash("person", person), epoch=epoch)


def verify(world: World, *items: AccountVerifyItem) -> tuple[int, ...]:
    return world.call("bank", AccountVerify(items=items)).items


def issue(world: World, *items: IndexIssueItem) -> tuple[int, ...]:
    return world.call("audit-two", IndexIssue(items=items)).items


def admit(world: World, *members: bytes) -> tuple[int, ...]:
    return world.call("platform", MemberAdmit(items=members)).items


@pytest.mark.parametrize("is_bank_first", [True, False])
def test_bank_and_auditor_verify_in_any_order_and_the_platform_admits(is_bank_first: bool) -> None:
    world = World()
    member = world.apply("a")
    for is_bank in (is_bank_first, not is_bank_first):
        assert world.member(member).status == MEMBER_APPLIED
        assert admit(world, member) == (109,)
        items = verify(world, verify_item(member)) if is_bank else issue(world, index_item(member))
        assert items == (SUCCESS,)
    assert admit(world, member) == (SUCCESS,)
    assert world.member(member).status == MEMBER_VERIFIED
    assert admit(world, member) == (ALREADY,)


@pytest.mark.parametrize("signer", ["platform", "audit-one", "firm-a", "clinic", "stranger"])
def test_only_the_bank_verifies_accounts(signer: str) -> None:
    world = World()
    assert world.call(signer, AccountVerify(items=(verify_item(world.apply("a")),))).number == 2


@pytest.mark.parametrize("signer", ["platform", "bank", "firm-a", "clinic", "stranger"])
def test_only_an_auditor_issues_indexes(signer: str) -> None:
    world = World()
    assert world.call(signer, IndexIssue(items=(index_item(world.apply("a")),))).number == 2


@pytest.mark.parametrize("signer", ["audit-one", "bank", "firm-a", "clinic", "stranger"])
def test_only_the_platform_admits_and_refuses(signer: str) -> None:
    world = World()
    member = world.apply("a")
    assert world.call(signer, MemberAdmit(items=(member,))).number == 2
    assert world.call(signer, MemberRefuse(items=(MemberRefuseItem(member=member, reason=1),))).number == 2


def test_an_index_that_differs_from_the_other_half_is_refused() -> None:
    world = World()
    first, second = world.apply("a"), world.apply("b")
    verify(world, verify_item(first))
    assert issue(world, index_item(first, "other")) == (103,)
    issue(world, index_item(second))
    assert verify(world, verify_item(second, "other")) == (103,)
    assert world.member(second).person_index is None


def test_the_same_fact_twice_is_already_and_another_one_a_conflict() -> None:
    world = World()
    member = world.apply("a")
    assert verify(world, verify_item(member)) == (SUCCESS,)
    assert verify(world, verify_item(member)) == (ALREADY,)
    assert verify(world, replace(verify_item(member), account_token=name_hash("other"))) == (CONFLICT,)
    assert verify(world, verify_item(member, last_cover_year=2061)) == (CONFLICT,)
    assert issue(world, index_item(member)) == (SUCCESS,)
    assert issue(world, index_item(member)) == (ALREADY,)
    assert issue(world, index_item(member, "other")) == (CONFLICT,)


def test_items_of_a_batch_are_independent() -> None:
    world = World()
    first, second = world.apply("a"), world.apply("b")
    outcome = world.call(
        "bank", AccountVerify(items=(verify_item(first, "a"), verify_item(name_hash("?")), verify_item(second, "b")))
    )
    assert outcome.number == SUCCESS
    assert outcome.items == (SUCCESS, 100, SUCCESS)
    outcome = world.call("bank", AccountVerify(items=(verify_item(name_hash("?")),)))
    assert (outcome.number, outcome.items) == (10, (100,))
    outcome = world.call("bank", AccountVerify(items=(verify_item(first, "a"), verify_item(name_hash("?")))))
    assert (outcome.number, outcome.items) == (ALREADY, (ALREADY, 100))


def test_one_person_is_one_leaf() -> None:
    world = World()
    first = world.admit("a")
    second = world.apply("b")
    assert verify(world, verify_item(second, "a")) == (SUCCESS,)
    assert issue(world, index_item(second, "a")) == (102,)
    third, fourth = world.apply("c"), world.apply("d")
    for member in (third, fourth):
        verify(world, verify_item(member, "x"))
        assert issue(world, index_item(member, "x")) == (SUCCESS,)
    assert admit(world, third, fourth) == (SUCCESS, 102)
    world.call(world.member(first).key, MemberLeave(member=first))
    assert issue(world, index_item(second, "a")) == (SUCCESS,)
    assert admit(world, second) == (SUCCESS,)


def test_a_barred_person_never_comes_back() -> None:
    world = World()
    world.state.put(PERSON, PersonRecord(member=name_hash("old"), is_barred=True), PLAN_NAME, name_hash("person", "p"))
    member = world.apply("a")
    verify(world, verify_item(member))
    assert issue(world, index_item(member)) == (102,)


def test_an_unknown_epoch_and_an_absurd_year_are_refused() -> None:
    world = World()
    member = world.apply("a")
    assert issue(world, index_item(member, epoch=1)) == (9,)
    assert verify(world, verify_item(member, last_cover_year=9999)) == (9,)


def test_nobody_beyond_the_age_limit_is_admitted() -> None:
    world = World()
    member = world.apply("a")
    verify(world, verify_item(member, last_cover_year=2025))
    issue(world, index_item(member))
    assert admit(world, member) == (110,)


def test_admission_waits_while_the_plan_is_stopped() -> None:
    world = World()
    member = world.apply("a")
    world.verify("a", member)
    world.state.put(PLAN, replace(world.plan, status=PLAN_PAUSED, since_day=world.today), PLAN_NAME)
    assert admit(world, member) == (6,)
    assert world.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=3),))).items == (6,)


def test_who_paid_before_enters_with_the_admission_and_waits_from_then() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 1_500)
    world.verify("a", member)
    world.advance(2)
    assert admit(world, member) == (SUCCESS,)
    record = world.member(member)
    assert (record.status, record.entry_day, record.x) == (MEMBER_SHARING, world.today, 1_500)
    assert record.cover_from == world.today + 90
    assert record.accident_from == world.today + 1


def test_who_paid_too_little_stays_verified_until_the_rest_comes() -> None:
    world = World()
    member = world.apply("a", weight=2)
    world.credit(member, 1_999)
    world.verify("a", member)
    admit(world, member)
    assert world.member(member).status == MEMBER_VERIFIED
    assert world.pool.plain == 1_999
    world.credit(member, 1)
    record = world.member(member)
    assert (record.status, record.x, record.rem, record.cash) == (MEMBER_SHARING, 1_000, 0, 0)


def test_admission_in_the_window_queues_who_has_paid() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 1_000)
    world.verify("a", member)
    world.advance_to(20_491)
    assert world.pool.is_window
    admit(world, member)
    assert world.member(member).status == MEMBER_QUEUED
    world.advance_to(20_498)
    assert world.member(member).status == MEMBER_SHARING


def test_a_refused_applicant_gets_everything_back() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 700)
    outcome = world.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=12),)))
    assert outcome.items == (SUCCESS,)
    assert world.member(member).status == MEMBER_REFUSED
    assert (world.pool.plain, world.pool.outgoing) == (0, 700)
    (instruction,) = world.ready_instructions()
    assert world.instruction(instruction).amount == 700
    again = world.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=12),)))
    assert again.number == ALREADY
    assert admit(world, member) == (101,)


def test_a_refusal_after_the_admission_is_too_late() -> None:
    world = World()
    member = world.admit("a")
    assert world.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=1),))).items == (101,)


def test_an_application_expires_after_thirty_days_with_a_refund() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 5_000)
    verified = world.admit("b")
    world.credit(verified, 10)
    sharing = world.join("c", 1_000)
    world.advance(29)
    assert world.member(member).status == MEMBER_APPLIED
    world.advance(1)
    assert world.member(member).status == MEMBER_EXPIRED
    assert world.member(verified).status == MEMBER_EXPIRED
    assert world.member(sharing).status == MEMBER_SHARING
    assert sorted(world.instruction(item).amount for item in world.ready_instructions()) == [10, 5_000]
    assert world.state.get(PERSON, PLAN_NAME, name_hash("person", "b")) is None


def test_a_silent_platform_lets_the_application_expire_fifteen_days_after_both_indexes() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 800)
    world.advance(2)
    world.verify("a", member)
    world.advance(14)
    assert world.member(member).status == MEMBER_APPLIED
    world.advance(1)
    assert world.member(member).status == MEMBER_EXPIRED
    assert world.pool.outgoing == 800
