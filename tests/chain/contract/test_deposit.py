"""Deposits by the state of the member, and what becomes of money that fits nobody (contract 3.5)."""

import pytest
from msgspec.structs import replace

from chain.contract.custody_tables import DEPOSIT, INSTRUCTION_RETURN
from chain.contract.events import MemberReinstated
from chain.contract.member_calls import MemberLeave
from chain.contract.money_calls import DepositCredit
from chain.contract.shares import is_covered
from chain.contract.tables import (
    MEMBER,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
)
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.types import FEN_MAX
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, build_terms, name_hash

SUCCESS, FAULT, ALREADY = 0, 1, 7
NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512


def credit(world: World, *items: object) -> tuple[int, ...]:
    return world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=items)).items  # type: ignore[arg-type]


def build_suspended(*, amount: int = 1_000, other: int = 15_000) -> tuple[World, bytes]:
    """Return a world after a charge of 1,250 fen, and a member who had only `amount` of weight 1."""
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen="", waiting_days="3"))
    member = world.join("poor", amount)
    rich = world.join("rich", other)
    world.advance_to(NOTICE)
    world.add_claim(rich, 1_000 + 1_250, fee_bp=0)
    world.advance_to(CHARGE)
    assert world.pool.share_index == 1_250
    return world, member


# --- the bank fact ---


def test_a_booking_is_recorded_once_and_the_same_reference_with_other_content_is_a_conflict() -> None:
    world = World()
    member = world.join("a", 5_000)
    item = world.credit_item(member, 300)
    assert credit(world, item) == (SUCCESS,)
    assert credit(world, item) == (ALREADY,)
    for other in (
        replace(item, amount=301),
        replace(item, payer_token=name_hash("?")),
        replace(item, deposit_code=None),
        replace(item, value_day=item.value_day - 1),
    ):
        assert credit(world, other) == (201,)
    assert credit(world, replace(item, booking_day=item.booking_day - 1)) == (202,)
    assert world.balance(member) == 5_300
    assert world.pool.cash == 5_300


def test_l1_a_duplicate_within_one_batch_is_credited_once() -> None:
    world = World()
    item = world.credit_item(world.join("a", 5_000), 300)
    assert credit(world, item, item, replace(item, amount=1)) == (SUCCESS, ALREADY, 201)
    assert world.pool.cash == 5_300


def test_only_the_bank_credits_and_only_known_accounts() -> None:
    world = World()
    item = world.credit_item(None, 10)
    for signer in ("platform", "audit-one", "stranger"):
        assert world.call(signer, DepositCredit(account=ACCOUNT_NAME, items=(item,))).number == 2
    assert world.call("bank", DepositCredit(account="other", items=(item,))).number == 200


def test_a_booking_is_neither_in_the_future_nor_in_a_closed_day() -> None:
    world = World()
    item = world.credit_item(None, 10)
    assert credit(world, replace(item, booking_day=world.today + 1)) == (203,)
    assert credit(world, replace(item, value_day=world.today + 1)) == (203,)
    world.advance(1)
    assert credit(world, item) == (202,)


def test_a_bank_fact_is_accepted_while_the_plan_is_stopped() -> None:
    world = World()
    member = world.join("a", 5_000)
    for status in (PLAN_PAUSED, PLAN_FROZEN, PLAN_WIND_DOWN):
        world.state.put(PLAN, replace(world.plan, status=status), PLAN_NAME)
        assert credit(world, world.credit_item(member, 10)) == (SUCCESS,)
    assert world.balance(member) == 5_030


def test_l2_a_sum_beyond_its_field_is_a_fault_that_changes_nothing() -> None:
    world = World()
    assert credit(world, world.credit_item(None, FEN_MAX)) == (SUCCESS,)
    before = world.pool
    outcome = world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(world.credit_item(None, 1),)))
    assert (outcome.number, outcome.items) == (FAULT, ())
    assert world.pool == before
    assert world.last_events == []


# --- unmatched money ---


@pytest.mark.parametrize("code", [None, 999])
def test_money_that_names_nobody_goes_back_within_five_days(code: int | None) -> None:
    world = World()
    item = replace(world.credit_item(None, 750), deposit_code=code)
    assert credit(world, item) == (SUCCESS,)
    assert (world.pool.unmatched, world.pool.outgoing) == (750, 0)
    world.advance(4)
    assert world.pool.unmatched == 750
    world.advance(1)
    assert (world.pool.unmatched, world.pool.outgoing) == (0, 750)
    (instruction,) = world.ready_instructions()
    record = world.instruction(instruction)
    assert (record.kind, record.amount, record.account_token) == (INSTRUCTION_RETURN, 750, None)
    assert record.deposit == (ACCOUNT_NAME, item.booking_day, item.ref_token)
    assert world.acknowledge(instruction).items == (SUCCESS,)
    assert (world.pool.outgoing, world.pool.cash) == (0, 0)


def test_l5_money_on_one_pools_account_is_never_credited_in_another_pool() -> None:
    world = World()
    member = world.apply("a")
    world.state.put(MEMBER, replace(world.member(member), pool=1), member)
    world.credit(member, 500)
    assert (world.pool.unmatched, world.member(member).cash) == (500, 0)


def test_a_failed_return_is_unmatched_again_and_tried_again() -> None:
    world = World()
    item = world.credit_item(None, 750)
    credit(world, item)
    world.advance(5)
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction, is_settled=False)
    assert (world.pool.unmatched, world.pool.outgoing, world.pool.cash) == (750, 0, 750)
    assert world.state.require(DEPOSIT, ACCOUNT_NAME, item.booking_day, item.ref_token).returned == 0
    world.advance(5)
    (second,) = world.ready_instructions()
    assert second != instruction
    assert world.instruction(second).amount == 750


def test_what_exceeds_the_maximum_is_returned() -> None:
    world = World()
    member = world.join("a", 25_000)
    assert (world.balance(member), world.pool.unmatched) == (20_000, 5_000)
    world.credit(member, 1)
    assert world.pool.unmatched == 5_001
    applicant = world.apply("b", weight=2)
    world.credit(applicant, 40_001)
    assert (world.balance(applicant), world.pool.unmatched) == (40_000, 5_002)


def test_whoever_has_left_takes_nothing() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    world.credit(member, 400)
    assert (world.balance(member), world.pool.unmatched) == (0, 400)
    queued = world.join("b", 5_000)
    world.advance_to(NOTICE)
    world.call(world.member(queued).key, MemberLeave(member=queued))
    world.credit(queued, 400)
    assert world.balance(queued) == 5_000


# --- entering ---


@pytest.mark.parametrize(("lag", "counted"), [(0, 0), (2, 2), (3, 3), (30, 3)])
def test_the_waiting_period_counts_from_the_value_day_but_from_no_more_than_three_days_before(
    lag: int, counted: int
) -> None:
    world = World()
    member = world.admit("a")
    world.credit(member, 1_000, value_day=world.today - lag)
    record = world.member(member)
    assert record.entry_day == world.today - counted
    assert record.cover_from == record.entry_day + 90
    assert record.accident_from == world.today + 1


def test_entering_starts_at_the_present_index() -> None:
    world, _ = build_suspended()
    member = world.join("late", 2_001, weight=2)
    record = world.member(member)
    assert (record.entry_index, record.x, record.rem) == (1_250, 2_250, 1)
    assert world.balance(member) == 2_001


@pytest.mark.parametrize("status", [PLAN_PAUSED, PLAN_FROZEN])
def test_nobody_enters_while_the_plan_is_stopped_but_is_queued(status: int) -> None:
    world = World()
    member = world.admit("a")
    world.state.put(PLAN, replace(world.plan, status=status, since_day=world.today), PLAN_NAME)
    world.credit(member, 1_000)
    assert world.member(member).status == MEMBER_QUEUED
    world.advance(8)
    assert world.member(member).status == MEMBER_SHARING


def test_in_a_wind_down_money_waits_and_nobody_enters() -> None:
    world = World()
    member = world.admit("a")
    begin_wind_down(world.state, world.context("automatic"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
    world.credit(member, 1_000)
    assert world.member(member).status == MEMBER_VERIFIED
    assert world.pool.plain == 1_000
    world.advance(30)
    assert world.pool.outgoing == 1_000


def test_where_waiting_members_do_not_share_they_enter_at_the_end_of_the_waiting_period() -> None:
    world = World(build_terms(waiting_members_share="false", waiting_days="20"))
    member = world.join("a", 1_000)
    assert world.member(member).status == MEMBER_WAITING
    assert (world.pool.plain, world.pool.entered) == (1_000, 0)
    world.credit(member, 500)
    world.advance(19)
    assert world.member(member).status == MEMBER_WAITING
    world.advance(1)
    record = world.member(member)
    assert (record.status, record.x, record.cover_from) == (MEMBER_SHARING, 1_500, world.today + 1)


def test_a_waiting_period_that_ends_in_the_window_is_queued() -> None:
    world = World(build_terms(waiting_members_share="false", waiting_days="11"))
    member = world.join("a", 1_000)
    world.advance_to(NOTICE + 2)
    assert world.member(member).status == MEMBER_QUEUED
    world.advance_to(CHARGE)
    assert world.member(member).status == MEMBER_SHARING


# --- suspended and lapsed ---


def test_one_fen_less_than_the_arrears_waits_in_cash_and_the_last_fen_reinstates() -> None:
    world, member = build_suspended()
    world.credit(member, 249)
    record = world.member(member)
    assert (record.x, record.cash) == (1_000, 249)
    assert world.pool.carry == world.settlement(0).carry_after
    carry = world.pool.carry
    world.credit(member, 1)
    record = world.member(member)
    assert (record.x, record.cash, world.balance(member)) == (1_250, 0, 0)
    assert world.pool.carry == carry + 250
    assert world.pool.arrears_paid == 250
    assert isinstance(world.last_events[0], MemberReinstated)


def test_a_suspended_member_may_pay_in_the_arrears_above_the_maximum() -> None:
    world, member = build_suspended()
    world.credit(member, 20_251)
    assert world.balance(member) == 20_000
    assert world.pool.unmatched == 1


def test_reinstatement_leaves_a_gap_from_the_charge_day_to_the_day_of_the_credit() -> None:
    world, member = build_suspended()
    world.advance(3)
    world.credit(member, 500)
    world.advance(2)
    record, pool = world.member(member), world.pool
    covered = [day for day in range(CHARGE - 5, world.today + 1) if is_covered(world.state, record, pool, day, False)]
    assert covered == [*range(CHARGE - 5, CHARGE + 1), CHARGE + 4, CHARGE + 5]


@pytest.mark.parametrize(("value_day", "has_gap"), [(CHARGE, False), (CHARGE + 1, True)])
def test_there_is_no_gap_where_only_the_bank_was_late(value_day: int, has_gap: bool) -> None:
    world, member = build_suspended()
    world.advance(3)
    world.credit(member, 500, value_day=value_day)
    record, pool = world.member(member), world.pool
    assert is_covered(world.state, record, pool, CHARGE + 2, False) is not has_gap
    assert len(record.past) == has_gap


def test_after_the_grace_the_member_enters_anew_without_arrears() -> None:
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen="", waiting_days="3", grace_periods="1"))
    member = world.join("poor", 1_001, weight=1)
    rich = world.join("rich", 15_000)
    world.advance_to(NOTICE)
    world.add_claim(rich, 2_251, fee_bp=0)
    world.advance_to(CHARGE)
    assert world.pool.share_index == 1_250
    world.advance_to(NEXT_CHARGE)
    assert world.member(member).status == MEMBER_SHARING
    world.credit(member, 999)
    assert world.member(member).cash == 999
    assert world.pool.arrears_paid == 0
    world.credit(member, 1)
    record = world.member(member)
    assert (record.entry_index, record.x, record.cash) == (1_250, 2_250, 0)
    assert record.cover_from == world.today + 3
    assert record.past == ((record.past[0][0], CHARGE, record.past[0][2]),)
    assert (world.pool.entered, world.pool.exited) == (3, 1)
    assert world.pool.arrears_paid == 0
