"""Recalls: what is taken, from whom, and who bears what is missing (contract 3.5 *reversal*)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.contract.custody_move import apply_move_custody
from chain.contract.custody_tables import BOOKING_DAY, DEPOSIT
from chain.contract.governance_calls import MoveCustody
from chain.contract.member_calls import MemberLeave, MemberWithdraw
from chain.contract.money_calls import DepositCreditItem
from chain.contract.money_events import DepositReversed
from chain.contract.money_tables import RECONCILIATION
from chain.contract.tables import (
    MEMBER,
    MEMBER_EXPIRED,
    MEMBER_LEAVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN_ACTIVE,
    PLAN_FROZEN,
)
from tests.chain.contract.money_world import (
    ALREADY,
    BANK_AND_AUDITOR,
    CHARGE,
    NOTICE,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    book_cash,
    build_cash,
    build_recall,
    credit_item,
    get_account,
    get_owed,
    get_statement,
    post_missing,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, build_terms, name_hash


def recall(world: World, item: DepositCreditItem, amount: int, *, ref: str = "recall") -> DepositReversed:
    outcome = sign(world, build_recall(world, item, amount, ref=ref))
    assert outcome.number == SUCCESS, outcome
    world.commit_block_checks()
    (event,) = [event for event in world.last_events if isinstance(event, DepositReversed)]
    return event


def join(world: World, amount: int, *, weight: int = 1) -> tuple[bytes, DepositCreditItem]:
    """Return a member who shares, and the deposit that he entered with."""
    member = world.admit("a", weight=weight)
    item = credit_item(world, world.credit_item(member, amount))
    return member, item


# --- who pays it back ---


def test_both_signatures_are_needed_and_the_first_moves_nothing() -> None:
    world = World()
    member, item = join(world, 5_000)
    assert world.call("audit-two", build_recall(world, item, 700)).number == SUCCESS
    assert (world.balance(member), world.pool.cash) == (5_000, 5_000)
    assert world.call("bank", build_recall(world, item, 700)).number == SUCCESS
    assert (world.balance(member), world.pool.cash) == (4_300, 4_300)


def test_an_active_member_gives_it_back_as_a_withdrawal_would() -> None:
    world = World()
    member, item = join(world, 5_003, weight=2)
    event = recall(world, item, 2_000)
    record = world.member(member)
    assert (record.x, record.rem, record.cash) == (1_501, 1, 0)
    assert (event.taken, event.owed, event.member) == (2_000, 0, member)


def test_a_leaf_below_the_minimum_stays_even_at_the_index_itself() -> None:
    world = World()
    member, item = join(world, 5_000)
    recall(world, item, 5_000)
    record = world.member(member)
    assert (record.x, record.rem, record.is_leaf, record.status) == (0, 0, True, MEMBER_SHARING)
    assert (world.pool.cash, world.pool.entered, world.pool.exited) == (0, 1, 0)


def test_what_is_no_longer_there_is_owed_by_the_bank_and_by_no_member() -> None:
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen=""))
    member, item = join(world, 5_000)
    other = world.join("b", 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=3_000))
    event = recall(world, item, 5_000)
    assert (event.taken, event.owed, get_owed(world)) == (2_000, 3_000, 3_000)
    assert (world.balance(member), world.balance(other)) == (0, 5_000)
    assert world.pool.cash == 5_000 + 3_000


def test_an_applicant_gives_it_back_from_his_cash() -> None:
    world = World()
    member = world.apply("a")
    item = credit_item(world, world.credit_item(member, 2_000))
    recall(world, item, 1_200)
    assert (world.member(member).cash, world.pool.plain) == (800, 800)


def test_somebody_in_the_queue_without_enough_money_does_not_enter() -> None:
    world = World()
    world.join("b", 5_000)
    member = world.admit("a")
    world.advance_to(NOTICE)
    item = credit_item(world, world.credit_item(member, 2_000))
    assert world.member(member).status == MEMBER_QUEUED
    recall(world, item, 1_500)
    assert (world.member(member).status, world.member(member).cash) == (MEMBER_VERIFIED, 500)
    world.advance_to(CHARGE + 1)
    assert world.member(member).status == MEMBER_VERIFIED
    world.advance(30)
    assert world.member(member).status == MEMBER_EXPIRED
    assert world.pool.plain == 0


def test_somebody_in_the_queue_with_enough_money_left_enters() -> None:
    world = World()
    world.join("b", 5_000)
    member = world.admit("a")
    world.advance_to(NOTICE)
    item = credit_item(world, world.credit_item(member, 2_000))
    recall(world, item, 1_000)
    world.advance_to(CHARGE + 1)
    assert (world.member(member).status, world.balance(member)) == (MEMBER_SHARING, 1_000)


def test_somebody_who_waits_without_enough_money_waits_no_longer() -> None:
    world = World(build_terms(waiting_members_share="false", waiting_days="5"))
    member = world.admit("a")
    item = credit_item(world, world.credit_item(member, 2_000))
    assert world.member(member).status == MEMBER_WAITING
    recall(world, item, 1_001)
    assert world.member(member).status == MEMBER_VERIFIED
    world.advance(6)
    assert world.member(member).status == MEMBER_VERIFIED
    world.credit(member, 1)
    assert world.member(member).status == MEMBER_WAITING


def test_a_suspended_member_gives_back_cash_and_then_what_is_below_one_unit() -> None:
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen="", waiting_days="3"))
    poor = world.admit("poor", weight=2)
    first = credit_item(world, world.credit_item(poor, 2_001))
    rich = world.join("rich", 15_000)
    world.advance_to(NOTICE)
    world.add_claim(rich, 3_601, fee_bp=0)
    world.advance_to(CHARGE)
    assert world.member(poor).x < world.pool.share_index
    second = credit_item(world, world.credit_item(poor, 100))
    assert (world.member(poor).cash, world.member(poor).rem) == (100, 1)
    x = world.member(poor).x
    event = recall(world, second, 60)
    assert (event.taken, world.member(poor).cash, world.member(poor).rem) == (60, 40, 1)
    event = recall(world, first, 2_001, ref="other")
    assert (event.taken, event.owed) == (41, 1_960)
    assert (world.member(poor).cash, world.member(poor).rem, world.member(poor).x) == (0, 0, x)


def test_a_recall_works_at_once_in_the_window_also_for_somebody_who_is_leaving() -> None:
    world = World()
    member, item = join(world, 5_000)
    world.advance_to(NOTICE)
    recall(world, item, 1_000)
    assert world.balance(member) == 4_000
    world.call(world.member(member).key, MemberLeave(member=member))
    assert world.member(member).status == MEMBER_LEAVING
    recall(world, item, 1_000, ref="second")
    assert world.balance(member) == 3_000
    world.advance_to(CHARGE)
    assert world.pool.outgoing == 3_000


def test_of_somebody_who_left_nothing_is_there() -> None:
    world = World()
    member, item = join(world, 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    event = recall(world, item, 5_000)
    assert (event.taken, event.owed, world.pool.outgoing) == (0, 5_000, 5_000)


def test_a_failed_refund_of_somebody_who_left_can_be_recalled() -> None:
    world = World()
    member, item = join(world, 5_000)
    world.call(world.member(member).key, MemberLeave(member=member))
    (instruction,) = world.ready_instructions()
    world.acknowledge(instruction, is_settled=False)
    event = recall(world, item, 5_000)
    assert (event.taken, event.owed, world.pool.cash) == (5_000, 0, 0)


def test_unmatched_money_goes_first() -> None:
    world = World()
    member = world.join("a", 19_000)
    item = credit_item(world, world.credit_item(member, 1_500))
    assert world.pool.unmatched == 500
    event = recall(world, item, 700)
    assert (event.taken, world.pool.unmatched, world.balance(member)) == (700, 0, 19_800)
    world.advance(6)
    assert world.ready_instructions() == []


def test_a_deposit_that_went_back_already_is_the_banks_own_risk() -> None:
    world = World()
    world.join("a", 5_000)
    item = credit_item(world, world.credit_item(None, 750))
    world.advance(5)
    event = recall(world, item, 750)
    assert (event.taken, event.owed, world.pool.outgoing) == (0, 750, 750)


def test_a_recall_takes_no_more_from_a_member_than_that_deposit_gave_him() -> None:
    world = World()
    member = world.join("a", 5_000)
    item = credit_item(world, world.credit_item(None, 750))
    assert recall(world, item, 750).member is None
    assert world.balance(member) == 5_000
    item = credit_item(world, world.credit_item(member, 100))
    recall(world, item, 60, ref="one")
    event = recall(world, item, 40, ref="two")
    assert (event.taken, world.balance(member)) == (40, 5_000)


def test_of_somebody_who_changed_pool_nothing_is_here() -> None:
    world = World()
    member, item = join(world, 5_000)
    world.state.put(MEMBER, replace(world.member(member), pool=1), member)
    event = recall(world, item, 700)
    assert (event.taken, event.owed, world.pool.cash) == (0, 700, 5_000)


def test_a_deposit_on_an_account_that_was_moved_is_recalled_from_the_new_one() -> None:
    world = World()
    member, item = join(world, 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=4_000))
    move = MoveCustody(plan=PLAN_NAME, pool=0, account="care-new")
    apply_move_custody(world.state, world.context("automatic"), move)
    event = recall(world, item, 1_700)
    assert (event.taken, event.account, world.balance(member)) == (1_000, ACCOUNT_NAME, 0)
    assert world.state.require(BOOKING_DAY, "care-new", world.today).out_sum == 1_700
    assert world.state.require(RECONCILIATION, "care-new").owed == 700


# --- the statement ---


def test_a_statement_shows_the_whole_recall_and_matches_while_the_bank_makes_good() -> None:
    world = World(statements=False)
    member, item = join(world, 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=3_000))
    recall(world, item, 5_000)
    world.advance(1)
    assert book_cash(world, build_cash(world, 2, 3_000)).items == (SUCCESS,)
    assert get_owed(world) == 0
    world.advance(1)
    statement = post_missing(world)
    assert (statement.in_sum, statement.out_sum, statement.closing) == (8_000, 5_000, 3_000)
    assert get_statement(world, 0).is_matched
    assert world.pool.cash == statement.closing == get_account(world).expected
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE


def test_a_plan_is_frozen_once_a_closed_day_shows_what_the_bank_still_owes() -> None:
    world = World(statements=False)
    member, item = join(world, 5_000)
    world.call(world.member(member).key, MemberWithdraw(member=member, amount=3_000))
    recall(world, item, 5_000)
    world.advance(2)
    assert world.plan.status == PLAN_ACTIVE
    assert post_missing(world).closing == 0
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    book_cash(world, build_cash(world, 2, 2_999))
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    book_cash(world, build_cash(world, 2, 1))
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE
    post_missing(world)
    assert get_account(world).is_matched


# --- guards ---


def test_only_bank_and_auditor_recall() -> None:
    world = World()
    member, item = join(world, 5_000)
    for signer in ("platform", "firm-a", "stranger", world.member(member).key):
        assert world.call(signer, build_recall(world, item, 1)).number == WRONG_ROLE
    world.call("audit-one", build_recall(world, item, 1))
    assert world.call("audit-two", build_recall(world, item, 1)).number == WRONG_ROLE
    assert world.balance(member) == 5_000


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"account": "other"}, 200),
        ({"deposit_ref": name_hash("?")}, 209),
        ({"deposit_day": 20_481}, 209),
        ({"amount": 5_001}, 208),
        ({"booking_day": 20_483}, 203),
        ({"booking_day": 20_481}, 202),
    ],
)
def test_a_recall_that_fits_nothing_is_refused(changes: dict[str, object], number: int) -> None:
    world = World()
    _, item = join(world, 5_000)
    call = replace(build_recall(world, item, 100), **changes)
    assert_changes_nothing(world, call, number)


def test_a_recall_is_booked_once() -> None:
    world = World()
    member, item = join(world, 5_000)
    recall(world, item, 3_000)
    for signer in BANK_AND_AUDITOR:
        assert_changes_nothing(world, build_recall(world, item, 3_000), ALREADY, (signer,))
    assert_changes_nothing(world, build_recall(world, item, 2_000), 201)
    assert_changes_nothing(world, build_recall(world, item, 2_001, ref="more"), 208)
    recall(world, item, 2_000, ref="rest")
    assert_changes_nothing(world, build_recall(world, item, 1, ref="more"), 210)
    assert world.balance(member) == 0


def test_a_half_signed_recall_whose_day_was_closed_meanwhile_cannot_be_completed() -> None:
    world = World()
    _, item = join(world, 5_000)
    call = build_recall(world, item, 100)
    assert world.call("bank", call).number == SUCCESS
    world.advance(1)
    assert_changes_nothing(world, call, 202, ("audit-one",))


# --- whatever happens ---


@settings(max_examples=60, deadline=None)
@given(
    weight=st.integers(1, 7),
    deposits=st.lists(st.integers(1, 4_000), min_size=1, max_size=4),
    charge=st.integers(0, 1_500),
    acts=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4_000)), max_size=6),
)
def test_recalls_in_any_state_never_leave_less_than_nothing(
    weight: int, deposits: list[int], charge: int, acts: list[tuple[int, int]]
) -> None:
    world = World(build_terms(cap_per_case_fen="10000", cap_per_year_fen="", deposit_min_fen="100"))
    rich = world.join("rich", 20_000)
    member = world.admit("a", weight=weight)
    items = [credit_item(world, world.credit_item(member, amount)) for amount in deposits]
    if charge:
        world.advance_to(NOTICE)
        world.add_claim(rich, charge * (weight + 1), fee_bp=0)
        world.advance_to(CHARGE)
    recalled = taken = 0
    for number, (which, amount) in enumerate(acts):
        item = items[which % len(items)]
        call = build_recall(world, item, amount, ref=f"r{number}")
        if world.call("bank", call).number == SUCCESS:
            before, untouched = world.balance(member), world.balance(rich)
            cash = world.pool.cash
            assert world.call("audit-one", call).number == SUCCESS
            recalled += amount
            taken += cash - world.pool.cash
            assert world.balance(rich) == untouched
            assert before - world.balance(member) <= cash - world.pool.cash
            world.commit_block_checks()
    assert get_owed(world) == recalled - taken
    assert world.balance(member) >= 0
    for item in items:
        deposit = world.state.require(DEPOSIT, ACCOUNT_NAME, item.booking_day, item.ref_token)
        assert deposit.taken + deposit.returned <= deposit.amount
