"""claim_file: who may, what is recorded, and which status the stated day gives."""

import pytest

from chain.catalogue import get_entry
from chain.contract import claim_payment, window
from chain.contract.claim_events import ClaimFiled, ClaimFlagged
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM_APPROVED,
    CLAIM_CASE,
    CLAIM_ELIGIBLE,
    CLAIM_EXPIRED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
)
from chain.contract.settlement_tables import ITEM, ITEM_SHARE_REFUND
from chain.contract.tables import (
    ACT_LEAVE,
    MEMBER_AGED_OUT,
    MEMBER_APPLIED,
    MEMBER_CLAIMED_OUT,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_SHARING,
    MEMBER_VOIDED,
    PLAN,
    PLAN_ENDED,
    PLAN_FROZEN,
    PLAN_PAUSED,
    POOL,
)
from tests.chain.contract.claim_world import FIRST_DAY, PLAN_NAME, START_DAY, ClaimWorld, name_hash

TAG, OTHER_TAG = name_hash("bill-1"), name_hash("bill-2")
COVER_FROM = START_DAY + 90


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def get_reason(code: str) -> int:
    return get_entry(code).number


def test_a_covered_diagnosis_opens_an_eligible_claim_with_a_public_number(world: ClaimWorld) -> None:
    first = world.file("ann")
    second = world.file("ben")
    claim = world.get_claim(first)
    assert (claim.status, claim.number, claim.filed_day, claim.filed_height) == (
        CLAIM_ELIGIBLE,
        1,
        FIRST_DAY,
        100,
    )
    assert world.get_claim(second).number == 2
    assert world.state.require(PLAN, PLAN_NAME).claims_filed == 2
    assert world.get_member(claim.member).claim == first
    assert any(isinstance(event, ClaimFiled) and event.claim == first for event in world.events)


def test_no_event_of_a_filing_names_the_member(world: ClaimWorld) -> None:
    claim_id = world.file("ann", bill_tags=(TAG,))
    member = world.get_claim(claim_id).member
    for event in world.events:
        assert member not in [getattr(event, name) for name in event.__struct_fields__]


def test_a_stranger_cannot_file_for_a_member(world: ClaimWorld) -> None:
    assert world.refused(lambda: world.file("ann", signer="ben")) == "not_owner"
    assert world.refused(lambda: world.file("ann", signer="platform")) == "not_owner"
    assert world.refused(lambda: world.file("nobody")) == "member_unknown"


def test_a_guardian_files_for_a_child(world: ClaimWorld) -> None:
    world.add_member("kid", guardian=name_hash("member", "ann"), key=name_hash("key", "ann"))
    claim_id = world.file("kid", signer="ann", payee_kind=1)
    assert world.get_claim(claim_id).member == name_hash("member", "kid")


@pytest.mark.parametrize(("payee_kind", "code"), [(1, "value_out_of_range"), (2, "value_out_of_range")])
def test_a_payee_that_the_member_does_not_have_is_refused(world: ClaimWorld, payee_kind: int, code: str) -> None:
    assert world.refused(lambda: world.file("ann", payee_kind=payee_kind)) == code


@pytest.mark.parametrize("status", [MEMBER_APPLIED, MEMBER_CLAIMED_OUT, MEMBER_VOIDED])
def test_a_member_without_any_right_left_is_refused(world: ClaimWorld, status: int) -> None:
    world.change_member(name_hash("member", "ann"), status=status)
    assert world.refused(lambda: world.file("ann")) == "member_state"


@pytest.mark.parametrize("status", [MEMBER_LEFT, MEMBER_AGED_OUT])
def test_past_cover_gives_a_right_after_the_membership(world: ClaimWorld, status: int) -> None:
    past = ((COVER_FROM, FIRST_DAY - 10, START_DAY + 1),)
    world.change_member(name_hash("member", "ann"), status=status, is_leaf=False, x=0, past=past)
    claim_id = world.file("ann", diagnosed_day=FIRST_DAY - 10)
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE
    world.change_member(name_hash("member", "ann"), claim=None)
    late = world.file("ann", diagnosed_day=FIRST_DAY - 9)
    assert world.get_claim(late).status == CLAIM_REFUSED


def test_a_second_claim_waits_for_the_first(world: ClaimWorld) -> None:
    world.file("ann")
    assert world.refused(lambda: world.file("ann", diagnosed_day=FIRST_DAY - 5)) == "claim_open"


def test_a_diagnosis_of_tomorrow_is_refused_and_one_of_today_is_not(world: ClaimWorld) -> None:
    assert world.refused(lambda: world.file("ann", diagnosed_day=FIRST_DAY + 1)) == "day_in_future"
    world.file("ann", diagnosed_day=FIRST_DAY)


def test_a_row_outside_the_pinned_table_is_refused(world: ClaimWorld) -> None:
    assert world.refused(lambda: world.file("ann", asked_row=4)) == "row_unknown"
    world.file("ann", asked_row=3)


def test_a_bill_named_twice_in_one_claim_is_refused(world: ClaimWorld) -> None:
    assert world.refused(lambda: world.file("ann", bill_tags=(TAG, TAG))) == "value_out_of_range"


def test_claims_are_filed_while_the_plan_is_paused_or_frozen_but_not_once_it_ended(world: ClaimWorld) -> None:
    world.change_plan(status=PLAN_PAUSED)
    world.file("ann")
    world.change_plan(status=PLAN_FROZEN)
    world.file("ben")
    world.add_member("cid")
    world.change_plan(status=PLAN_ENDED)
    assert world.refused(lambda: world.file("cid")) == "plan_not_active"


def test_a_diagnosis_after_the_wind_down_began_is_recorded_as_refused(world: ClaimWorld) -> None:
    world.change_plan(wind_day=FIRST_DAY - 2)
    late = world.get_claim(world.file("ann"))
    assert (late.status, late.reason) == (CLAIM_REFUSED, get_reason("plan_not_active"))
    assert world.get_claim(world.file("ben", diagnosed_day=FIRST_DAY - 2)).status == CLAIM_ELIGIBLE


def test_the_claim_window_includes_its_last_day_and_refuses_the_next(world: ClaimWorld) -> None:
    world.advance_to(COVER_FROM + 180)
    assert world.get_claim(world.file("ann", diagnosed_day=COVER_FROM)).status == CLAIM_ELIGIBLE
    world.advance(1)
    late = world.get_claim(world.file("ben", diagnosed_day=COVER_FROM))
    assert (late.status, late.reason) == (CLAIM_REFUSED, get_reason("claim_too_late"))
    assert world.get_member(late.member).claim is None


def test_a_refused_claim_is_a_success_with_its_reason_and_is_recorded_once(world: ClaimWorld) -> None:
    world.change_member(name_hash("member", "ann"), cover_from=FIRST_DAY, entry_day=START_DAY - 100)
    claim = world.get_claim(world.file("ann"))
    assert (claim.status, claim.reason) == (CLAIM_REFUSED, get_reason("not_covered"))
    assert world.refused(lambda: world.file("ann")) == "not_covered"


def test_a_refused_claim_is_filed_again_once_cover_turns_out_to_stand(world: ClaimWorld) -> None:
    """A late booking by the bank may close a gap (contract 3.6)."""
    world.change_member(name_hash("member", "ann"), cover_from=FIRST_DAY, entry_day=START_DAY - 100)
    world.file("ann")
    world.change_member(name_hash("member", "ann"), cover_from=COVER_FROM)
    assert world.get_claim(world.file("ann")).status == CLAIM_ELIGIBLE


def test_a_stated_day_in_the_waiting_period_is_investigated_and_gives_nothing_back_by_itself(world: ClaimWorld) -> None:
    """Else anybody could leave with all that he has paid for others, without a doctor (ADR 0019)."""
    world.change_pool(share_index=700, settlements=1)
    claim = world.get_claim(world.file("ann", diagnosed_day=COVER_FROM - 1))
    assert (claim.status, claim.is_shares_refund) == (CLAIM_ELIGIBLE, False)
    assert world.get_member(claim.member).status == MEMBER_SHARING
    assert world.state.require(POOL, PLAN_NAME, 0).items == (0, 0)


def test_a_well_member_who_states_a_day_in_the_waiting_period_gets_no_shares(world: ClaimWorld) -> None:
    world.change_pool(share_index=700, settlements=1)
    claim_id = world.investigate("ann", diagnosed_day=COVER_FROM - 1, finding=0)
    assert world.refused(lambda: world.decide(claim_id)) == "no_majority"
    world.decide(claim_id, is_approved=False)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.amount) == (CLAIM_REJECTED, 0)
    assert world.get_member(claim.member).status == MEMBER_SHARING
    assert world.refused(lambda: world.file("ann", diagnosed_day=COVER_FROM - 1)) == "case_decided"


def test_an_illness_established_in_the_waiting_period_gives_the_shares_back_and_ends_the_membership(
    world: ClaimWorld,
) -> None:
    world.change_pool(share_index=700, settlements=1)
    claim_id = world.approve("ann", diagnosed_day=COVER_FROM - 1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.is_shares_refund, claim.amount) == (CLAIM_SHARES_REFUND, True, 700)
    member = world.get_member(claim.member)
    assert (member.status, member.is_leaf) == (MEMBER_LEFT, False)
    first, end = world.state.require(POOL, PLAN_NAME, 0).items
    item = world.state.require(ITEM, PLAN_NAME, 0, first)
    assert end - first == 1
    assert (item.kind, item.claim, item.amount, item.fee_bp) == (ITEM_SHARE_REFUND, claim_id, 700, 0)


def test_the_established_day_decides_between_aid_and_shares_whatever_was_stated(world: ClaimWorld) -> None:
    world.change_pool(share_index=700, settlements=1)
    late = world.approve("ann", diagnosed_day=COVER_FROM, established_day=COVER_FROM - 1)
    assert world.get_claim(late).status == CLAIM_SHARES_REFUND
    early = world.approve("ben", diagnosed_day=COVER_FROM - 1, established_day=COVER_FROM)
    assert world.get_claim(early).status == CLAIM_APPROVED


def test_whoever_leaves_while_the_firms_look_at_his_illness_still_gets_the_shares(world: ClaimWorld) -> None:
    world.change_pool(share_index=700, settlements=1)
    claim_id = world.investigate("ann", diagnosed_day=COVER_FROM - 1)
    member_id = world.get_claim(claim_id).member
    window.exit_member(world.state, world.build_context("ann"), member_id, ACT_LEAVE)
    assert world.get_member(member_id).paid_before == 700
    world.decide(claim_id)
    assert (world.get_claim(claim_id).status, world.get_claim(claim_id).amount) == (CLAIM_SHARES_REFUND, 700)


def test_the_shares_are_given_back_once(world: ClaimWorld) -> None:
    """A second diagnosis, stated under old cover and established in the waiting period, gives nothing more."""
    world.change_pool(share_index=700, settlements=1)
    past = ((START_DAY - 300, START_DAY - 20, START_DAY - 300),)
    world.change_member(name_hash("member", "ann"), past=past)
    first = world.approve("ann", diagnosed_day=COVER_FROM - 1)
    claim_payment.on_settled(world.state, world.build_context(), first, 700, 0)
    claim_payment.on_paid(world.state, world.build_context(), first, 700)
    again = world.approve("ann", diagnosed_day=START_DAY - 20, established_day=COVER_FROM - 2)
    assert (world.get_claim(again).status, world.get_claim(again).reason) == (CLAIM_REFUSED, get_reason("not_covered"))
    assert world.get_claim(world.file("ann", diagnosed_day=COVER_FROM - 3)).status == CLAIM_REFUSED


def test_without_shares_paid_the_refund_makes_no_item_and_the_claim_is_closed(world: ClaimWorld) -> None:
    claim = world.get_claim(world.approve("ann", diagnosed_day=START_DAY))
    assert (claim.status, claim.amount) == (CLAIM_SHARES_REFUND, 0)
    assert world.state.require(POOL, PLAN_NAME, 0).items == (0, 0)
    assert world.get_member(claim.member).claim is None


def test_in_the_window_the_exit_and_its_refund_wait(world: ClaimWorld) -> None:
    world.change_pool(is_window=True, share_index=700, settlements=1)
    claim = world.get_claim(world.approve("ann", diagnosed_day=COVER_FROM - 1))
    assert claim.status == CLAIM_SHARES_REFUND
    assert world.get_member(claim.member).status == MEMBER_LEAVING
    assert world.state.require(POOL, PLAN_NAME, 0).items == (0, 0)


def test_an_accident_is_exempt_from_waiting_from_the_day_after_entry(world: ClaimWorld) -> None:
    claim = world.get_claim(world.file("ann", cause=1, diagnosed_day=START_DAY + 1))
    assert claim.status == CLAIM_ELIGIBLE
    early = world.get_claim(world.file("ben", cause=1, diagnosed_day=START_DAY))
    assert (early.status, early.reason) == (CLAIM_REFUSED, get_reason("not_covered"))


def test_a_day_before_the_entry_is_not_waiting(world: ClaimWorld) -> None:
    claim = world.get_claim(world.file("ann", diagnosed_day=START_DAY - 1))
    assert (claim.status, claim.reason) == (CLAIM_REFUSED, get_reason("not_covered"))


def test_a_gap_after_reinstatement_is_no_waiting_period(world: ClaimWorld) -> None:
    """Reinstating moves cover_from; a diagnosis in the gap is refused and ends no membership."""
    member_id = name_hash("member", "ann")
    past = ((COVER_FROM, FIRST_DAY - 20, START_DAY + 1),)
    world.change_member(member_id, cover_from=FIRST_DAY, accident_from=FIRST_DAY, past=past)
    assert world.get_claim(world.file("ann", diagnosed_day=FIRST_DAY - 10)).status == CLAIM_REFUSED
    assert world.get_claim(world.file("ann", diagnosed_day=FIRST_DAY - 20)).status == CLAIM_ELIGIBLE


def test_waiting_ends_by_the_days_since_entry_even_where_cover_began_later(world: ClaimWorld) -> None:
    world.change_member(name_hash("member", "ann"), cover_from=FIRST_DAY)
    world.change_member(name_hash("member", "ben"), cover_from=FIRST_DAY)
    assert world.get_claim(world.file("ann", diagnosed_day=COVER_FROM)).status == CLAIM_REFUSED
    assert world.get_claim(world.approve("ben", diagnosed_day=COVER_FROM - 1)).status == CLAIM_SHARES_REFUND


def test_a_bill_of_an_own_claim_that_ended_unpaid_flags_nothing(world: ClaimWorld) -> None:
    first = world.file("ann", bill_tags=(TAG,))
    world.change_claim(first, status=CLAIM_EXPIRED)
    world.change_member(name_hash("member", "ann"), claim=None)
    second = world.file("ann", bill_tags=(TAG,))
    assert not world.get_claim(second).is_flagged
    assert world.state.require(BILL_TAG, PLAN_NAME, TAG).claim == second


def test_a_used_bill_flags_both_claims(world: ClaimWorld) -> None:
    first = world.file("ann", bill_tags=(TAG,))
    second = world.file("ben", bill_tags=(OTHER_TAG, TAG))
    assert world.get_claim(first).is_flagged
    assert world.get_claim(second).is_flagged
    assert [event.claim for event in world.events if isinstance(event, ClaimFlagged)] == [second, first]
    assert world.state.require(BILL_TAG, PLAN_NAME, TAG).claim == first


@pytest.mark.parametrize("status", [CLAIM_REJECTED, CLAIM_SHARES_REFUND])
def test_a_bill_of_an_own_claim_that_was_decided_flags_the_next(world: ClaimWorld, status: int) -> None:
    first = world.file("ann", bill_tags=(TAG,))
    world.change_claim(first, status=status)
    world.change_member(name_hash("member", "ann"), claim=None)
    assert world.get_claim(world.file("ann", diagnosed_day=FIRST_DAY - 7, bill_tags=(TAG,))).is_flagged
    assert world.state.require(BILL_TAG, PLAN_NAME, TAG).claim == first


def test_bills_of_one_claim_alone_flag_nothing(world: ClaimWorld) -> None:
    first = world.file("ann", bill_tags=(TAG,))
    second = world.file("ben", bill_tags=(OTHER_TAG,))
    assert not world.get_claim(first).is_flagged
    assert not world.get_claim(second).is_flagged


@pytest.mark.parametrize("status", [CLAIM_REJECTED, CLAIM_SHARES_REFUND])
def test_a_diagnosis_is_decided_once(world: ClaimWorld, status: int) -> None:
    """Otherwise a member could file until the lot gives the firms that he hopes for."""
    claim_id = world.file("ann")
    world.change_claim(claim_id, status=status)
    world.change_member(name_hash("member", "ann"), claim=None)
    assert world.refused(lambda: world.file("ann")) == "case_decided"
    world.file("ann", diagnosed_day=FIRST_DAY - 2)


def test_an_expired_claim_is_filed_again_with_the_window_of_its_first_filing(world: ClaimWorld) -> None:
    claim_id = world.file("ann", diagnosed_day=COVER_FROM)
    world.change_claim(claim_id, status=CLAIM_EXPIRED)
    member_id = name_hash("member", "ann")
    world.change_member(member_id, claim=None)
    world.advance_to(COVER_FROM + 200)
    again = world.get_claim(world.file("ann", diagnosed_day=COVER_FROM))
    assert again.status == CLAIM_ELIGIBLE
    assert world.state.require(CLAIM_CASE, member_id, 0, COVER_FROM).filed_day == FIRST_DAY
