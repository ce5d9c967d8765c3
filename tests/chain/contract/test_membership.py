"""The acts of members (contract 3.5, 5)."""

import pytest
from msgspec.structs import replace

from chain.contract.custody_tables import DEPOSIT_CODE
from chain.contract.member_calls import MemberAmend, MemberApply, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.tables import (
    MEMBER_APPLIED,
    MEMBER_LEFT,
    MEMBER_SHARING,
    PLAN,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
)
from chain.contract.terms import hash_terms
from chain.types import ZERO_HASH
from tests.chain.contract.world import PLAN_NAME, World, name_hash

SUCCESS, ALREADY = 0, 7


def build_apply(world: World, **changes: object) -> MemberApply:
    fields: dict[str, object] = {
        "plan": PLAN_NAME,
        "pool": 0,
        "weight": 1,
        "rules_hash": hash_terms(world.terms),
        "field_commitments_root": ZERO_HASH,
        "blob_hash": ZERO_HASH,
        "consent_hash": ZERO_HASH,
        "recovery_hash": ZERO_HASH,
        "guardian": None,
    }
    return MemberApply(**{**fields, **changes})  # type: ignore[arg-type]


def leave(world: World, member: bytes) -> int:
    return world.call(world.member(member).key, MemberLeave(member=member)).number


def withdraw(world: World, member: bytes, amount: int) -> int:
    return world.call(world.member(member).key, MemberWithdraw(member=member, amount=amount)).number


def reweigh(world: World, member: bytes, weight: int) -> int:
    return world.call(world.member(member).key, MemberWeight(member=member, weight=weight)).number


# --- applying ---


def test_an_application_gets_the_next_deposit_code_and_the_transaction_as_its_id() -> None:
    world = World()
    first, second = world.apply("a"), world.apply("b", weight=7)
    assert [world.member(member).deposit_code for member in (first, second)] == [1, 2]
    assert world.state.require(DEPOSIT_CODE, PLAN_NAME, 2).member == second == world.last_tx
    assert world.member(second).status == MEMBER_APPLIED
    assert world.member(second).weight == 7


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"plan": "other"}, 4),
        ({"pool": 1}, 5),
        ({"rules_hash": ZERO_HASH}, 104),
        ({"guardian": name_hash("nobody")}, 108),
    ],
)
def test_an_application_that_fits_nothing_is_refused(changes: dict[str, object], number: int) -> None:
    world = World()
    assert world.call(name_hash("key"), build_apply(world, **changes)).number == number
    assert world.plan.members_applied == 0


@pytest.mark.parametrize("status", [PLAN_PAUSED, PLAN_FROZEN, PLAN_WIND_DOWN])
def test_nobody_applies_to_a_plan_that_is_not_active(status: int) -> None:
    world = World()
    world.state.put(PLAN, replace(world.plan, status=status), PLAN_NAME)
    assert world.call(name_hash("key"), build_apply(world)).number == 6


def test_the_key_of_an_organisation_cannot_be_a_members() -> None:
    world = World()
    assert world.call("bank", build_apply(world)).number == 11


def test_a_guardian_signs_for_a_child_and_leaves_after_it() -> None:
    world = World()
    parent = world.join("parent", 2_000)
    child = world.apply("child", guardian=parent, key="parent")
    assert world.member(parent).children == 1
    assert leave(world, parent) == 111
    assert world.call(name_hash("member", "stranger"), build_apply(world, guardian=parent)).number == 108
    assert world.call(name_hash("member", "parent"), build_apply(world, guardian=child)).number == 108
    assert leave(world, child) == SUCCESS
    assert world.member(parent).children == 0
    assert leave(world, parent) == SUCCESS


# --- who may act ---


def test_only_the_members_key_acts_for_it() -> None:
    world = World()
    member = world.join("a", 5_000)
    for call in (
        MemberLeave(member=member),
        MemberWithdraw(member=member, amount=1),
        MemberWeight(member=member, weight=2),
    ):
        assert world.call(name_hash("member", "b"), call).number == 3
        assert world.call("platform", call).number == 3
        assert world.call("bank", replace(call, member=name_hash("?"))).number == 100


# --- amending ---


def amend(world: World, member: bytes, name: str, *, is_health_changed: bool = False) -> int:
    call = MemberAmend(
        member=member,
        field_commitments_root=name_hash("fields", name),
        blob_hash=name_hash("blob", name),
        is_health_changed=is_health_changed,
    )
    return world.call(world.member(member).key, call).number


def test_a_changed_health_answer_restarts_the_waiting_period() -> None:
    world = World()
    member = world.join("a", 5_000)
    first = world.member(member).cover_from
    world.advance(10)
    assert amend(world, member, "new") == SUCCESS
    assert world.member(member).cover_from == first
    assert amend(world, member, "newer", is_health_changed=True) == SUCCESS
    assert world.member(member).cover_from == world.today + 90
    assert world.member(member).accident_from == first - 89
    assert world.member(member).blob_hash == name_hash("blob", "newer")


def test_the_same_profile_again_is_already() -> None:
    world = World()
    member = world.apply("a")
    assert amend(world, member, "a") == ALREADY
    assert amend(world, member, "b") == SUCCESS


def test_a_profile_is_not_replaced_under_cover_or_after_the_end() -> None:
    world = World()
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    leave(world, other)
    world.advance(89)
    assert amend(world, member, "x") == SUCCESS
    world.advance(1)
    assert amend(world, member, "y") == 101
    assert amend(world, other, "y") == 101


# --- leaving ---


def test_leaving_refunds_the_whole_balance_at_once_and_without_a_fee() -> None:
    world = World()
    member = world.join("a", 5_003, weight=2)
    assert leave(world, member) == SUCCESS
    record = world.member(member)
    assert (record.status, record.is_leaf, record.cash) == (MEMBER_LEFT, False, 0)
    assert (world.pool.outgoing, world.pool.tree_money, world.pool.exited) == (5_003, 0, 1)
    (instruction,) = world.ready_instructions()
    assert world.instruction(instruction).account_token == name_hash("token", "a")
    assert leave(world, member) == ALREADY


def test_an_application_is_withdrawn_by_leaving() -> None:
    world = World()
    member = world.apply("a")
    world.credit(member, 300)
    assert leave(world, member) == SUCCESS
    assert world.pool.outgoing == 300
    empty = world.apply("b")
    assert leave(world, empty) == SUCCESS
    assert len(world.ready_instructions()) == 1


def test_leaving_is_possible_while_the_plan_is_stopped_and_waits_for_the_end_of_a_wind_down() -> None:
    world = World()
    first, second = world.join("a", 5_000), world.join("b", 5_000)
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    assert leave(world, first) == SUCCESS
    world.state.put(PLAN, replace(world.plan, status=PLAN_WIND_DOWN), PLAN_NAME)
    assert leave(world, second) == 6


def test_an_expired_application_cannot_leave() -> None:
    world = World()
    member = world.apply("a")
    world.advance(30)
    assert leave(world, member) == 101


# --- withdrawing ---


def test_a_withdrawal_leaves_the_minimum_for_each_unit() -> None:
    world = World()
    member = world.join("a", 5_001, weight=2)
    assert withdraw(world, member, 3_002) == 106
    assert withdraw(world, member, 3_001) == SUCCESS
    assert world.balance(member) == 2_000
    assert world.pool.outgoing == 3_001
    assert withdraw(world, member, 1) == 106


def test_a_withdrawal_in_a_wind_down_leaves_what_the_year_can_still_cost() -> None:
    world = World()
    member = world.join("a", 20_000)
    world.state.put(PLAN, replace(world.plan, status=PLAN_WIND_DOWN), PLAN_NAME)
    assert withdraw(world, member, 1_201) == 106
    assert withdraw(world, member, 1_200) == SUCCESS


def test_withdrawing_and_weighing_are_refused_in_the_window_and_without_an_active_leaf() -> None:
    world = World()
    member, applicant = world.join("a", 5_000), world.apply("b")
    assert withdraw(world, applicant, 1) == 101
    assert reweigh(world, applicant, 2) == 101
    world.advance_to(20_491)
    assert world.pool.is_window
    assert withdraw(world, member, 1) == 105
    assert reweigh(world, member, 2) == 105
    world.advance_to(20_498)
    assert withdraw(world, member, 1) == SUCCESS


# --- weight ---


def test_a_new_weight_keeps_the_balance() -> None:
    world = World()
    member = world.join("a", 5_000)
    assert reweigh(world, member, 3) == SUCCESS
    record = world.member(member)
    assert (record.x, record.rem, record.weight) == (1_666, 2, 3)
    assert world.balance(member) == 5_000
    assert reweigh(world, member, 3) == ALREADY
    assert record.status == MEMBER_SHARING


def test_l4_entering_and_leaving_in_any_weights_returns_what_was_paid_in() -> None:
    world = World()
    for number, (amount, weight) in enumerate([(1_000, 1), (20_000, 1), (7_777, 7), (123_457, 100)]):
        member = world.join(f"m{number}", amount, weight=weight)
        for other in (100, 3, 1, 99):
            if other != world.member(member).weight:
                assert reweigh(world, member, other) == SUCCESS
        before = world.pool.outgoing
        assert leave(world, member) == SUCCESS
        assert world.pool.outgoing - before == amount
