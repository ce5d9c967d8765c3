"""A member's own signature under another version, in his pool or for another one (contract 3.0, 5)."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_calls import ClaimFile
from chain.contract.claim_eligibility import start_shares_refund
from chain.contract.claim_tables import CLAIM, CLAIM_ELIGIBLE, CLAIM_INVESTIGATED
from chain.contract.custody_tables import INSTRUCTION_REFUND, INSTRUCTION_TRANSFER
from chain.contract.deposit import RETURN_DAYS
from chain.contract.member_calls import DeathReport, DeathRevoke, MemberAmend, MemberLeave, MemberWithdraw
from chain.contract.money_calls import CashOther, CashOtherItem
from chain.contract.money_tables import CASH_RETURNED
from chain.contract.plan_calls import Pause, WindDown
from chain.contract.plan_events import PoolEntered, PoolLeft, PoolMoveDropped, RulesAccepted
from chain.contract.pool_move import MOVE_DAYS, PINS_MAX, get_moves
from chain.contract.shares import compute_shares_paid, get_pinned, is_covered, open_book
from chain.contract.tables import (
    ACT_AGE_OUT,
    ACT_CLAIMED_OUT,
    ACT_DIED,
    ACT_LEAVE,
    ACT_VOIDED,
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_CLAIMED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_MOVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VOIDED,
    MEMBER_WAITING,
    PLAN,
)
from chain.contract.terms import PlanTerms
from chain.contract.version_tables import MOVE, PIN, PinRecord, get_pin, list_versions
from chain.contract.window import exit_member
from chain.types import ZERO_HASH
from tests.chain.contract.rules_world import SECOND_ACCOUNT, RulesWorld, build_rules_world, change_terms, run_signers
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, name_hash

NOTICE = 20_491
KEY = name_hash("member", "a")


def worsen(terms: PlanTerms) -> PlanTerms:
    """Return a version that fits the pool and is worse for old members, so that they must sign for it."""
    return change_terms(terms, claim_window_days=100, fee_bp=500)


@pytest.fixture
def world() -> RulesWorld:
    return build_rules_world()


def open_second(world: RulesWorld, **changes: object) -> tuple[int, PlanTerms]:
    """Open pool 1 and wait until no window is open."""
    opened = world.open_second_pool(**changes)
    world.await_no_window()
    return opened


def covered(world: RulesWorld, member: bytes, day: int, *, is_accident: bool = False) -> bool:
    record = world.member(member)
    return is_covered(world.state, record, world.get_pool(record.pool), day, is_accident)


# --- in the same pool ---


def test_version_of_the_same_pool_holds_from_tomorrow(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = worsen(world.terms)
    number = world.activate(rules)
    world.accept("a", member, number, rules)
    assert RulesAccepted(member=member, version=number, day=world.today + 1) in world.last_events
    record = world.member(member)
    pins = [get_pin(world.state, member, record, day).version for day in (world.today, world.today + 1)]
    assert pins == [0, number]
    assert list_versions(world.state, member, record, world.today) == (0, number)
    assert (record.is_leaf, record.x, record.pool) == (True, 5_000, 0)
    book = open_book(world.state, world.context("automatic"), PLAN_NAME, 0)
    assert get_pinned(world.state, book, record).claim_window_days == 100


def test_diagnosis_of_before_is_judged_by_the_version_of_its_day(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    benefit = world.terms.pinned.benefits[0]
    rules = change_terms(world.terms, benefits=(replace(benefit, mild_fen=10_000),))
    number = world.activate(rules)
    world.accept("a", member, number, rules)
    day = world.today
    world.advance(2)
    claims = []
    for diagnosed_day in (day, day + 1):
        call = ClaimFile(
            member=member,
            cause=1,
            diagnosed_day=diagnosed_day,
            evidence_root=ZERO_HASH,
            bill_tags=(),
            asked_row=1,
            payee_kind=0,
        )
        world.succeed(KEY, call)
        claim = world.state.require(CLAIM, world.last_tx)
        assert claim.status == CLAIM_ELIGIBLE
        claims.append((claim.version, claim.pool))
        world.state.put(MEMBER, replace(world.member(member), claim=None), member)
    assert claims == [(0, 0), (number, 0)]


def test_applicant_may_accept_too(world: RulesWorld) -> None:
    member = world.apply("a")
    rules = worsen(world.terms)
    number = world.activate(rules)
    fresh = world.join_under("b", 5_000, rules)
    assert world.member(fresh).version == number
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "member_state"
    other = world.apply_under("c", rules)
    world.succeed(name_hash("member", "c"), other)
    assert world.refuse(name_hash("member", "c"), world.build_acceptance(world.last_tx, number, rules)) == "already"


def test_acceptance_needs_the_member_a_known_active_version_and_its_hash(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = worsen(world.terms)
    number = world.publish(rules)
    call = world.build_acceptance(member, number, rules)
    assert world.refuse(name_hash("member", "b"), call) == "not_owner"
    assert world.refuse(KEY, replace(call, member=name_hash("nobody"))) == "member_unknown"
    assert world.refuse(KEY, replace(call, version=7)) == "rules_version_unknown"
    assert world.refuse(KEY, replace(call, rules_hash=ZERO_HASH)) == "rules_unknown"
    assert world.refuse(KEY, call) == "version_state"
    world.advance(30)
    world.succeed(KEY, call)
    assert world.refuse(KEY, call) == "already"
    assert world.refuse(KEY, world.build_acceptance(member, 0, world.terms)) == "version_state"


def test_version_that_came_by_itself_needs_no_signature(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = change_terms(world.terms, claim_window_days=200)
    number = world.activate(rules)
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "already"


def test_who_leaves_or_has_left_accepts_nothing(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = worsen(world.terms)
    number = world.activate(rules)
    world.advance_to(20_519)
    while not world.pool.is_window:
        world.advance(1)
    world.succeed(KEY, MemberLeave(member=member))
    assert world.member(member).status == MEMBER_LEAVING
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "member_state"
    while world.member(member).status != MEMBER_LEFT:
        world.advance(1)
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "member_state"


def test_nothing_is_accepted_in_a_wind_down(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = worsen(world.terms)
    number = world.activate(rules)
    run_signers(world, WindDown(plan=PLAN_NAME, reason_hash=ZERO_HASH), ("platform", "audit-one", "bank"))
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "plan_not_active"


def test_so_many_changes_that_an_older_version_would_be_forgotten_are_refused(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    rules = worsen(world.terms)
    number = world.activate(rules)
    pins = tuple((world.today - PINS_MAX + place, 0, 0) for place in range(PINS_MAX))
    world.state.put(PIN, PinRecord(pins=pins), member)
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "limit_reached"
    old = tuple((place, 0, 0) for place in range(PINS_MAX))
    world.state.put(PIN, PinRecord(pins=old), member)
    world.accept("a", member, number, rules)
    assert world.state.require(PIN, member).pins == ((PINS_MAX - 1, 0, 0), (world.today + 1, number, 0))


@pytest.mark.parametrize(("days", "entered_on"), [(60, 60), (10, 11)])
def test_waiting_outside_the_tree_ends_by_the_version_that_was_signed(days: int, entered_on: int) -> None:
    """A longer waiting would else never end, a shorter one would end as the one before it."""
    world = build_rules_world(waiting_members_share="false", waiting_days="10")
    signed_first = change_terms(world.terms, waiting_days=30, claim_window_days=100)
    world.activate(signed_first)
    rules = change_terms(signed_first, waiting_days=days, claim_window_days=90)
    number = world.publish(rules)
    world.advance(20)
    member = world.join_under("a", 5_000, signed_first)
    joined = world.today
    world.advance(10)
    world.accept("a", member, number, rules)
    assert world.member(member).status == MEMBER_WAITING
    world.advance(entered_on - 10 - 1)
    assert world.member(member).status == MEMBER_WAITING
    world.advance(1)
    assert world.today == joined + entered_on
    assert world.member(member).status in (MEMBER_SHARING, MEMBER_QUEUED)


# --- to another pool ---


def test_change_of_pool_moves_the_money_by_a_transfer_and_keeps_waiting_and_cover(world: RulesWorld) -> None:
    member = world.join("a", 5_000, weight=2)
    joined = world.today
    world.advance(100)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    left = world.today
    record = world.member(member)
    assert (record.status, record.pool, record.is_leaf, record.cash) == (MEMBER_MOVING, 0, False, 0)
    assert (world.pool.outgoing, world.pool.tree_money, world.get_pool(1).cash) == (5_000, 0, 0)
    ((instruction, order),) = world.list_instructions(INSTRUCTION_TRANSFER)
    assert (order.amount, order.to_account, order.member) == (5_000, SECOND_ACCOUNT, member)
    moved = PoolLeft(member=member, pool=0, amount=5_000, covered_to=left + MOVE_DAYS)
    assert moved in world.last_events
    assert get_moves(world.state, PLAN_NAME) == 1

    world.advance(2)
    world.answer(instruction)
    assert world.pool.cash == 0
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    record = world.member(member)
    assert (record.status, record.pool, record.version, record.weight) == (MEMBER_SHARING, 1, number, 2)
    assert (record.x, world.get_pool(1).cash, world.get_pool(1).entered) == (2_500, 5_000, 1)
    assert PoolEntered(member=member, pool=1, version=number) in world.last_events
    assert (record.entry_day, record.cover_from) == (joined, world.today + 1)
    assert all(covered(world, member, day) for day in range(joined + 90, world.today + 20))
    assert (world.state.get(MOVE, member), get_moves(world.state, PLAN_NAME)) == (None, 0)
    days = (left, world.today, world.today + 1)
    pins = [get_pin(world.state, member, record, day) for day in days]
    assert [(pin.version, pin.pool) for pin in pins] == [(0, 0), (0, 0), (number, 1)]
    assert (world.pinned(0), world.pinned(number)) == (0, 1)
    world.commit_block_checks()


def test_days_waited_in_the_old_pool_count_in_the_new_one(world: RulesWorld) -> None:
    number, rules = open_second(world, waiting_days=60, fee_bp=1_000)
    member = world.join("a", 5_000)
    joined = world.today
    world.advance(3)
    world.accept("a", member, number, rules)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert world.member(member).cover_from == joined + 60
    assert covered(world, member, world.today, is_accident=True)
    assert not covered(world, member, world.today)


def test_money_above_what_the_new_pool_holds_goes_to_the_members_own_account(world: RulesWorld) -> None:
    number, rules = open_second(world, deposit_max_fen=3_000)
    member = world.join("a", 5_000)
    world.accept("a", member, number, rules)
    orders = {record.kind: record for _, record in world.list_instructions()}
    assert (orders[INSTRUCTION_TRANSFER].amount, orders[INSTRUCTION_REFUND].amount) == (3_000, 2_000)
    assert orders[INSTRUCTION_REFUND].account_token == world.member(member).account_token
    assert world.pool.outgoing == 5_000


def test_change_of_pool_is_refused_without_ground_and_changes_nothing(world: RulesWorld) -> None:
    number, rules = open_second(world, deposit_min_fen=2_000)
    poor = world.join("a", 1_999)
    call = world.build_acceptance(poor, number, rules)
    assert world.refuse(KEY, call) == "balance_too_low"
    world.credit(poor, 1)
    world.state.put(MEMBER, replace(world.member(poor), claim=name_hash("claim")), poor)
    assert world.refuse(KEY, call) == "claim_open"
    world.state.put(MEMBER, replace(world.member(poor), claim=None), poor)
    world.succeed("bank", Pause(plan=PLAN_NAME, reason_hash=ZERO_HASH))
    assert world.refuse(KEY, call) == "plan_not_active"
    world.advance(7)
    applicant = world.apply("b")
    key = name_hash("member", "b")
    assert world.refuse(key, world.build_acceptance(applicant, number, rules)) == "member_state"
    pins = tuple((world.today - PINS_MAX + place, 0, 0) for place in range(PINS_MAX))
    world.state.put(PIN, PinRecord(pins=pins), poor)
    assert world.refuse(KEY, call) == "limit_reached"
    world.state.delete(PIN, poor)
    world.succeed(KEY, call)
    assert world.refuse(KEY, call) == "move_under_way"


def test_suspended_member_changes_no_pool(world: RulesWorld) -> None:
    number, rules = open_second(world, fee_bp=1_000)
    member = world.join("a", 1_000)
    world.join("b", 10_000)
    for _ in range(6):
        world.add_claim(member, 600)
    settlements = world.pool.settlements
    while world.pool.settlements == settlements or world.pool.is_window:
        world.advance(1)
    assert world.member(member).x < world.pool.share_index
    assert world.refuse(KEY, world.build_acceptance(member, number, rules)) == "member_state"


def test_in_the_window_the_exit_waits_and_is_dropped_where_its_ground_is_lost(world: RulesWorld) -> None:
    number, rules = open_second(world, deposit_min_fen=2_000)
    rich, poor = world.join("a", 5_000), world.join("b", 2_000)
    leaver = world.join("c", 5_000)
    world.await_window()
    for name, member in (("a", rich), ("b", poor), ("c", leaver)):
        world.accept(name, member, number, rules)
    assert world.refuse(KEY, world.build_acceptance(rich, number, rules)) == "move_under_way"
    world.succeed(name_hash("member", "c"), MemberLeave(member=leaver))
    assert world.member(rich).status == MEMBER_SHARING
    world.add_claim(rich, 300)
    world.await_no_window()
    assert world.member(rich).status == MEMBER_MOVING
    assert (world.member(poor).status, world.member(poor).pool) == (MEMBER_SHARING, 0)
    assert PoolMoveDropped(member=poor, pool=0) in world.events
    assert (world.member(leaver).status, world.state.get(MOVE, leaver)) == (MEMBER_LEFT, None)
    assert world.state.require(MOVE, rich).amount == world.list_instructions(INSTRUCTION_TRANSFER)[0][1].amount


def test_in_the_window_of_the_new_pool_the_entry_waits_and_the_cover_reaches_up_to_it(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    calendar = {"notice_days_of_month": (1, 15), "charge_days_of_month": (5, 19)}
    number, rules = world.open_second_pool(**calendar)
    while not world.get_pool(1).is_window:
        world.advance(1)
    assert not world.pool.is_window
    world.accept("a", member, number, rules)
    left = world.today
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert (world.member(member).status, world.member(member).pool) == (MEMBER_QUEUED, 1)
    assert world.get_pool(1).plain == 5_000
    while world.member(member).status == MEMBER_QUEUED:
        world.advance(1)
    assert world.member(member).status == MEMBER_SHARING
    assert world.today > left
    assert all(covered(world, member, day) for day in range(left, world.today + 2))
    assert world.state.get(MOVE, member) is None


def test_entry_that_waits_longer_than_the_transfer_may_breaks_no_cover(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    calendar = {"notice_days_of_month": (1,), "charge_days_of_month": (20,)}
    number, rules = world.open_second_pool(**calendar)
    while not world.get_pool(1).is_window or world.pool.is_window:
        world.advance(1)
    world.accept("a", member, number, rules)
    left = world.today
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    while world.member(member).status == MEMBER_QUEUED:
        world.advance(1)
    assert world.today > left + MOVE_DAYS
    assert all(covered(world, member, day) for day in range(left, world.today + 2))


def test_who_leaves_while_the_entry_waits_is_covered_no_longer_than_that(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    number, rules = world.open_second_pool(notice_days_of_month=(1,), charge_days_of_month=(20,))
    while not world.get_pool(1).is_window or world.pool.is_window:
        world.advance(1)
    world.accept("a", member, number, rules)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    world.advance(1)
    world.succeed(KEY, MemberLeave(member=member))
    left = world.today
    assert world.member(member).status == MEMBER_LEFT
    while world.get_pool(1).is_window:
        world.advance(1)
    assert covered(world, member, left) and not covered(world, member, left + 1)
    assert world.state.get(MOVE, member) is None


def test_cover_ends_where_the_money_does_not_arrive_and_begins_again_with_it(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    left = world.today
    world.advance(MOVE_DAYS + 5)
    assert covered(world, member, left + MOVE_DAYS) and not covered(world, member, left + MOVE_DAYS + 1)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert not covered(world, member, world.today)
    assert covered(world, member, world.today + 1)


def test_bank_that_books_in_time_and_tells_late_breaks_no_cover(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    left = world.today
    world.advance(MOVE_DAYS + 3)
    world.credit_to(SECOND_ACCOUNT, member, 5_000, value_day=left + MOVE_DAYS)
    while world.member(member).status == MEMBER_QUEUED:
        world.advance(1)
    assert all(covered(world, member, day) for day in range(left, world.today + 2))


def test_only_the_transfer_itself_is_taken_for_it(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    world.credit_to(SECOND_ACCOUNT, member, 4_999)
    world.credit_to(ACCOUNT_NAME, member, 5_000)
    assert world.member(member).status == MEMBER_MOVING
    assert (world.get_pool(1).unmatched, world.pool.unmatched) == (4_999, 5_000)
    world.advance(RETURN_DAYS)
    assert (world.get_pool(1).unmatched, world.pool.unmatched) == (0, 0)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert world.member(member).pool == 1


def test_transfer_that_fails_brings_the_member_back_with_cover_and_waiting(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    joined = world.today
    world.advance(100)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.advance(2)
    world.answer(instruction, is_settled=False)
    record = world.member(member)
    assert (record.status, record.pool, record.version, record.x) == (MEMBER_SHARING, 0, 0, 5_000)
    assert (world.pool.outgoing, world.pool.tree_money) == (0, 5_000)
    assert PoolMoveDropped(member=member, pool=0) in world.last_events
    assert all(covered(world, member, day) for day in range(joined + 90, world.today + 2))
    assert (world.state.get(MOVE, member), get_moves(world.state, PLAN_NAME)) == (None, 0)
    assert (world.pinned(0), world.pinned(number)) == (1, 0)


def test_transfer_that_fails_behind_an_equal_deposit_goes_to_the_members_own_account(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    world.answer(instruction, is_settled=False)
    ((refund, order),) = world.list_instructions(INSTRUCTION_REFUND)
    assert (order.pool, order.amount, order.account_token) == (0, 5_000, world.member(member).account_token)
    world.answer(refund, is_settled=False)
    ((again, order),) = world.list_instructions(INSTRUCTION_REFUND)
    assert (order.pool, order.amount, world.pool.outgoing) == (0, 5_000, 5_000)
    world.answer(again)
    assert (world.pool.cash, world.get_pool(1).cash) == (0, 5_000)


@pytest.mark.parametrize("is_settled", [True, False])
def test_refund_that_fails_on_the_way_is_ordered_again_and_joins_no_other_money(
    world: RulesWorld, is_settled: bool
) -> None:
    number, rules = open_second(world, deposit_max_fen=3_000)
    member = world.join("a", 5_000)
    world.accept("a", member, number, rules)
    ((transfer, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    ((refund, _),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(refund, is_settled=False)
    assert (world.member(member).cash, world.pool.outgoing) == (0, 5_000)
    world.answer(transfer, is_settled=is_settled)
    if is_settled:
        world.credit_to(SECOND_ACCOUNT, member, 3_000)
    assert (world.member(member).status, world.balance_in(member)) == (MEMBER_SHARING, 3_000)
    ((again, order),) = world.list_instructions(INSTRUCTION_REFUND)
    assert (order.pool, order.amount, order.account_token) == (0, 2_000, world.member(member).account_token)
    world.answer(again)
    assert (world.pool.outgoing, world.pool.cash) == (0, 0 if is_settled else 3_000)
    world.commit_block_checks()


def test_money_of_who_is_not_moving_is_nobodys_on_another_pools_account(world: RulesWorld) -> None:
    open_second(world)
    member = world.join("a", 5_000)
    world.credit_to(SECOND_ACCOUNT, member, 700)
    assert (world.member(member).pool, world.balance_in(member)) == (0, 5_000)
    assert world.get_pool(1).unmatched == 700
    world.commit_block_checks()


def test_exit_that_is_asked_for_on_the_way_runs_where_the_money_arrives(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    world.succeed(KEY, MemberLeave(member=member))
    assert world.member(member).status == MEMBER_MOVING
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    record = world.member(member)
    assert (record.status, record.pool, record.cash) == (MEMBER_LEFT, 1, 0)
    ((_, order),) = world.list_instructions(INSTRUCTION_REFUND)
    assert (order.pool, order.amount) == (1, 5_000)
    assert not covered(world, member, world.today + 1)
    assert (world.pinned(0), world.pinned(number)) == (0, 0)


def test_exit_that_is_asked_for_on_the_way_runs_where_a_failed_transfer_leaves_the_money(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    exit_member(world.state, world.context("automatic"), member, ACT_DIED)
    world.succeed(KEY, MemberLeave(member=member))
    world.answer(instruction, is_settled=False)
    assert (world.member(member).status, world.member(member).pool) == (MEMBER_DIED, 0)
    assert world.pool.tree_money == 0
    world.commit_block_checks()


@pytest.mark.parametrize(
    ("acts", "status"),
    [
        ((ACT_AGE_OUT, ACT_LEAVE), MEMBER_AGED_OUT),
        ((ACT_CLAIMED_OUT, ACT_LEAVE), MEMBER_CLAIMED_OUT),
        ((ACT_LEAVE, ACT_DIED), MEMBER_DIED),
        ((ACT_DIED, ACT_VOIDED), MEMBER_VOIDED),
    ],
)
def test_of_several_exits_on_the_way_the_last_runs_but_a_leave_takes_no_others_place(
    world: RulesWorld, acts: tuple[int, int], status: int
) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    for act in acts:
        exit_member(world.state, world.context("automatic"), member, act)
        assert world.member(member).status == MEMBER_MOVING
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert (world.member(member).status, world.member(member).pool) == (status, 1)


def test_who_waits_outside_the_tree_changes_pool_too() -> None:
    world = build_rules_world(waiting_members_share="false")
    number, rules = open_second(world, waiting_days=100, fee_bp=1_000)
    member = world.join("a", 5_000)
    joined = world.today
    assert world.member(member).status == MEMBER_WAITING
    while world.get_pool(1).is_window or world.today < joined + 10:
        world.advance(1)
    world.accept("a", member, number, rules)
    assert (world.member(member).status, world.pool.plain) == (MEMBER_MOVING, 0)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    record = world.member(member)
    assert (record.status, record.pool, record.entry_day) == (MEMBER_WAITING, 1, joined)
    assert world.state.get(MOVE, member) is None
    world.advance_to(joined + 99)
    assert world.member(member).status == MEMBER_WAITING
    world.advance(15)
    assert world.member(member).status == MEMBER_SHARING
    assert world.get_pool(1).cash == 5_000


@pytest.mark.parametrize("arrives", [True, False])
def test_cover_of_long_ago_is_not_stretched_over_the_transfer_of_who_waits(*, arrives: bool) -> None:
    """As for one who had lapsed and waits anew outside the tree: on his way he has no cover that could go on."""
    world = build_rules_world(waiting_members_share="false")
    number, rules = open_second(world, fee_bp=1_000)
    member = world.join("a", 5_000)
    past = ((world.today - 60, world.today - 40, world.today - 60),)
    world.state.put(MEMBER, replace(world.member(member), past=past), member)
    world.await_no_window()
    world.accept("a", member, number, rules)
    if arrives:
        world.credit_to(SECOND_ACCOUNT, member, 5_000)
    else:
        ((transfer, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
        world.answer(transfer, is_settled=False)
    record = world.member(member)
    assert (record.status, record.pool, record.past) == (MEMBER_WAITING, int(arrives), past)
    assert covered(world, member, past[0][1])
    assert not covered(world, member, past[0][1] + 1)
    assert not covered(world, member, world.today)


def test_money_that_arrives_in_a_wind_down_goes_to_the_members_own_account(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    world.state.put(PLAN, replace(world.plan, wind_day=world.today), PLAN_NAME)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert (world.member(member).status, world.member(member).pool) == (MEMBER_LEFT, 1)
    assert world.get_pool(1).outgoing == 5_000


def test_illness_on_the_way_is_paid_by_the_pool_that_was_left(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(100)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    world.advance(2)
    call = ClaimFile(
        member=member,
        cause=0,
        diagnosed_day=world.today,
        evidence_root=ZERO_HASH,
        bill_tags=(),
        asked_row=0,
        payee_kind=0,
    )
    world.succeed(KEY, call)
    claim_id = world.last_tx
    claim = world.state.require(CLAIM, claim_id)
    assert (claim.status, claim.pool, claim.version) == (CLAIM_ELIGIBLE, 0, 0)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert (world.member(member).pool, world.member(member).claim) == (1, claim_id)
    exit_member(world.state, world.context("automatic"), member, ACT_CLAIMED_OUT)
    assert world.member(member).status in (MEMBER_CLAIMED_OUT, MEMBER_LEAVING)


def test_moving_member_withdraws_nothing(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    assert world.refuse(KEY, MemberWithdraw(member=member, amount=1)) == "member_state"


def test_wrong_report_about_somebody_on_the_way_is_put_right_when_the_money_has_arrived(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    world.succeed("bank", DeathReport(member=member, document_hash=name_hash("papers")))
    assert world.refuse(KEY, DeathRevoke(member=member)) == "member_state"
    ((transfer, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.answer(transfer)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    for signer in (KEY, "audit-one"):
        world.succeed(signer, DeathRevoke(member=member))
    assert (world.member(member).pool, world.balance_in(member)) == (1, 5_000)


def pay_shares(world: RulesWorld, member: bytes, other: bytes) -> int:
    """Charge the first pool once; return what the member has paid for others."""
    settlements = world.pool.settlements
    world.add_claim(other, 700)
    while world.pool.settlements == settlements or world.pool.is_window:
        world.advance(1)
    return compute_shares_paid(world.member(member), world.pool.share_index)


def claim_shares(world: RulesWorld, member: bytes) -> bytes:
    """Let the member's open claim turn out to be about an illness inside the waiting period."""
    claim_id = name_hash("illness")
    template = world.state.require(CLAIM, name_hash("claim", 1))
    number = world.plan.claims_filed + 1
    world.state.put(PLAN, replace(world.plan, claims_filed=number), PLAN_NAME)
    claim = replace(template, number=number, member=member, status=CLAIM_INVESTIGATED, amount=0, granted=0, paid=0)
    world.state.put(MEMBER, replace(world.member(member), claim=claim_id), member)
    start_shares_refund(world.state, world.context("automatic"), claim_id, claim)
    return claim_id


def test_new_pool_gives_back_no_shares_that_the_old_one_was_paid(world: RulesWorld) -> None:
    """Where its waiting members do not share, nothing but the entry would have forgotten them (ADR 0015)."""
    number, rules = open_second(world, waiting_members_share=False)
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    paid = pay_shares(world, member, other)
    assert paid > 0
    world.accept("a", member, number, rules)
    world.credit_to(SECOND_ACCOUNT, member, 5_000 - paid)
    while world.member(member).status == MEMBER_QUEUED:
        world.advance(1)
    assert (world.member(member).status, world.member(member).pool) == (MEMBER_WAITING, 1)
    claim = claim_shares(world, member)
    assert (world.state.require(CLAIM, claim).amount, world.get_pool(1).items) == (0, (0, 0))


@pytest.mark.parametrize("act", [ACT_DIED, ACT_AGE_OUT])
def test_claim_for_shares_on_the_way_ends_whatever_else_happens_before_the_money_arrives(
    world: RulesWorld, act: int
) -> None:
    number, rules = open_second(world, fee_bp=1_000)
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    paid = pay_shares(world, member, other)
    world.accept("a", member, number, rules)
    claim = claim_shares(world, member)
    exit_member(world.state, world.context("automatic"), member, act)
    ((transfer, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.answer(transfer, is_settled=False)
    assert world.member(member).status == MEMBER_LEFT
    assert world.state.require(CLAIM, claim).amount == paid


def test_version_signed_for_on_the_day_of_a_change_of_pool_counts_among_those_that_are_kept(world: RulesWorld) -> None:
    """Else the money would arrive with one version too many, and the bank's credit be refused for it."""
    second, second_rules = world.open_second_pool(fee_bp=1_000)
    rules = worsen(world.terms)
    member = world.join("a", 5_000)
    number = world.activate(rules)
    world.await_no_window()
    pins = tuple((world.today - PINS_MAX + place, 0, 0) for place in range(PINS_MAX - 1))
    world.state.put(PIN, PinRecord(pins=pins), member)
    world.accept("a", member, number, rules)
    assert world.refuse(KEY, world.build_acceptance(member, second, second_rules)) == "limit_reached"
    world.state.put(PIN, PinRecord(pins=(*pins[1:], (world.today + 1, number, 0))), member)
    world.accept("a", member, second, second_rules)
    world.advance(3)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert (world.member(member).pool, len(world.state.require(PIN, member).pins)) == (1, PINS_MAX)


def test_transfer_that_comes_back_before_it_has_arrived_brings_the_member_back(world: RulesWorld) -> None:
    """Else he would be on the way for ever, and a bank that told of it too early could never say so."""
    member = world.join("a", 5_000)
    number, rules = open_second(world, fee_bp=1_000)
    world.accept("a", member, number, rules)
    ((transfer, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.answer(transfer)
    world.advance(2)
    item = CashOtherItem(
        kind=CASH_RETURNED,
        claim=None,
        instruction=transfer,
        amount=5_000,
        booking_day=world.today,
        ref_token=name_hash("came back"),
        payer_token=name_hash("bank"),
    )
    assert world.call("bank", CashOther(account=ACCOUNT_NAME, items=(item,))).items == (0,)
    assert (world.member(member).status, world.member(member).pool) == (MEMBER_SHARING, 0)
    assert (world.balance(member), world.pool.cash, world.pool.outgoing) == (5_000, 5_000, 0)
    assert get_moves(world.state, PLAN_NAME) == 0
    world.accept("a", member, number, rules)
    ((second, _),) = world.list_instructions(INSTRUCTION_TRANSFER)
    world.answer(second)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    for instruction in (transfer, second):
        late = replace(item, instruction=instruction, ref_token=name_hash("late"))
        assert world.call("bank", CashOther(account=ACCOUNT_NAME, items=(late,))).items == (207,)
    world.commit_block_checks()


def test_covered_member_replaces_no_profile_while_his_entry_into_the_new_pool_waits(world: RulesWorld) -> None:
    """Else whoever declared falsely could put it right behind the cover, without a new waiting period."""
    member = world.join("a", 5_000)
    world.advance(100)
    number, rules = world.open_second_pool(notice_days_of_month=(1,), charge_days_of_month=(20,))
    while not world.get_pool(1).is_window or world.pool.is_window:
        world.advance(1)
    amend = MemberAmend(
        member=member,
        field_commitments_root=name_hash("other fields"),
        blob_hash=name_hash("other blob"),
        is_health_changed=False,
    )
    assert world.refuse(KEY, amend) == "member_state"
    world.accept("a", member, number, rules)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    assert world.member(member).status == MEMBER_QUEUED
    assert covered(world, member, world.today)
    assert world.refuse(KEY, amend) == "member_state"
    newcomer = world.join_under("b", 5_000, rules, pool=1)
    assert world.member(newcomer).status == MEMBER_QUEUED
    world.succeed(name_hash("member", "b"), replace(amend, member=newcomer))
