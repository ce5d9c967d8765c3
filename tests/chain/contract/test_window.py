"""Entering and leaving around the window between notice and the end of the drain (contract 3.5)."""

from msgspec.structs import replace

from chain.contract.claim_status import release_member
from chain.contract.claim_tables import CLAIM
from chain.contract.events import MemberEntered, MemberExited, WindowClosed
from chain.contract.member_calls import MemberAdmit, MemberLeave
from chain.contract.schedule import STAGE_DONE
from chain.contract.settlement_tables import ITEM, ITEM_SHARE_REFUND
from chain.contract.shares import compute_shares_paid, is_lapsed
from chain.contract.tables import (
    ACT_CLAIMED_OUT,
    ACT_SHARES_REFUND,
    MEMBER,
    MEMBER_CLAIMED_OUT,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    PERSON,
    POOL,
)
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.contract.window import exit_member
from tests.chain.contract.world import PLAN_NAME, World, build_terms, name_hash

NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512
BIG_CAPS = {"cap_per_case_fen": "10000", "cap_per_year_fen": ""}


def leave(world: World, member: bytes) -> int:
    return world.call(world.member(member).key, MemberLeave(member=member)).number


def test_who_leaves_after_the_notice_still_shares_that_period_and_goes_at_the_new_index() -> None:
    world = World(build_terms(**BIG_CAPS))
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    world.advance_to(NOTICE)
    assert leave(world, member) == 0
    assert world.member(member).status == MEMBER_LEAVING
    assert leave(world, member) == 7
    world.add_claim(other, 2_000, fee_bp=0)
    world.advance_to(CHARGE)
    assert world.settlement(0).units == 2
    assert world.member(member).status == MEMBER_LEFT
    assert world.pool.outgoing == 4_000
    assert world.balance(other) == 4_000


def test_who_enters_after_the_notice_does_not_share_that_period() -> None:
    world = World(build_terms(**BIG_CAPS))
    other = world.join("b", 5_000)
    world.advance_to(NOTICE)
    member = world.join("a", 5_000)
    assert world.member(member).status == MEMBER_QUEUED
    world.credit(member, 100)
    world.add_claim(other, 2_000, fee_bp=0)
    world.advance_to(CHARGE)
    record = world.member(member)
    assert (record.status, record.entry_index, world.balance(member)) == (MEMBER_SHARING, 2_000, 5_100)
    assert record.entry_day == NOTICE
    assert record.accident_from == CHARGE + 1


def test_exits_are_drained_first_and_each_lane_in_order() -> None:
    world = World()
    leaving = [world.join(f"l{number}", 1_000) for number in range(3)]
    world.advance_to(NOTICE)
    entering = [world.join(f"e{number}", 1_000) for number in range(3)]
    for member in leaving:
        leave(world, member)
    mark = len(world.events)
    world.advance_to(CHARGE)
    acts = [event for event in world.events[mark:] if isinstance(event, MemberEntered | MemberExited)]
    assert [event.member for event in acts] == leaving + entering
    assert not world.pool.is_window
    assert world.pool.period == 1


def test_a_queued_application_that_is_withdrawn_never_enters() -> None:
    world = World()
    world.advance_to(NOTICE)
    member = world.join("a", 1_000)
    assert leave(world, member) == 0
    assert world.member(member).status == MEMBER_LEFT
    world.advance_to(CHARGE)
    assert world.member(member).status == MEMBER_LEFT
    assert world.pool.entered == 0


def test_at_most_drain_max_acts_run_in_a_block_and_the_window_stays_open_until_the_last() -> None:
    world = World(drain_max=4)
    members = [world.join(f"m{number}", 1_000) for number in range(10)]
    world.advance_to(NOTICE)
    for member in members:
        leave(world, member)
    world.posts_statements = False
    world.advance_to(CHARGE)
    # One unit of the block's budget went to the settlement itself.
    assert world.pool.queue_exits == (3, 10)
    assert world.pool.is_window
    assert (world.plan.day, world.plan.stage) == (world.today, STAGE_DONE)
    late = world.admit("late")
    world.credit(late, 1_000)
    assert world.member(late).status == MEMBER_QUEUED
    world.next_block()
    assert world.pool.queue_exits == (7, 10)
    world.next_block()
    assert world.pool.queue_exits == (10, 10)
    assert world.pool.queue_entries == (1, 1)
    assert isinstance(world.block_events[-1], WindowClosed)
    assert world.pool.period == world.pool.settlements
    assert world.member(late).status == MEMBER_SHARING
    world.next_block()
    assert world.block_events == []


def test_the_next_notice_waits_for_an_empty_queue_and_keeps_its_full_days() -> None:
    terms = build_terms(notice_days_of_month="[7, 13]", charge_days_of_month="[12, 20]")
    world = World(terms, drain_max=1, statements=False)
    members = [world.join(f"m{number}", 1_000) for number in range(8)]
    world.advance_to(NOTICE)
    world.posts_statements = True
    for member in members:
        leave(world, member)
    # One act a block and one block a day: on the 13th the queue is far from empty.
    world.advance_to(NOTICE + 6)
    assert world.pool.queue_exits == (1, 8)
    assert world.period(1).status == 0
    world.advance_to(NOTICE + 12)
    assert world.pool.queue_exits == (7, 8)
    assert world.period(1).status == 0
    world.advance_to(NOTICE + 13)
    opened = world.period(1)
    assert (opened.status, opened.notice_day) == (1, NOTICE + 13)
    assert (opened.scheduled_day, opened.charge_day) == (NOTICE + 13, NOTICE + 17)
    world.advance_to(NOTICE + 17)
    assert world.pool.settlements == 2


def test_a_member_who_is_claimed_out_in_the_window_waits_and_is_barred() -> None:
    world = World()
    member = world.join("a", 5_000)
    world.advance_to(NOTICE)
    exit_member(world.state, world.context("bank"), member, ACT_CLAIMED_OUT)
    assert world.member(member).status == MEMBER_LEAVING
    world.advance_to(CHARGE)
    assert world.member(member).status == MEMBER_CLAIMED_OUT
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "a")).is_barred


def test_a_member_who_left_before_is_still_barred_when_claimed_out() -> None:
    world = World()
    member = world.join("a", 5_000)
    leave(world, member)
    exit_member(world.state, world.context("bank"), member, ACT_CLAIMED_OUT)
    assert world.member(member).status == MEMBER_CLAIMED_OUT
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "a")).is_barred
    again = world.apply("a")

    assert world.call("platform", MemberAdmit(items=(again,))).items == (109,)


def with_shares_claim(world: World, member: bytes) -> bytes:
    """Give the member an open claim whose shares are to be refunded."""
    claim = world.add_claim(member, 1, fee_bp=0)
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), is_shares_refund=True, status=2), claim)
    world.state.delete(ITEM, PLAN_NAME, 0, world.pool.items[1] - 1)
    first, end = world.pool.items
    world.state.put(POOL, replace(world.pool, items=(first, end - 1)), PLAN_NAME, 0)
    world.state.put(MEMBER, replace(world.member(member), claim=claim), member)
    return claim


def charge_once(world: World, member: bytes, fen: int) -> None:
    world.advance_to(NOTICE)
    world.add_claim(member, fen, fee_bp=0)
    world.advance_to(CHARGE)


def test_a_refund_of_shares_lists_what_the_member_paid_without_a_fee() -> None:
    world = World(build_terms(**BIG_CAPS))
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    charge_once(world, other, 600)
    claim = with_shares_claim(world, member)
    exit_member(world.state, world.context("bank"), member, ACT_SHARES_REFUND)
    item = world.state.require(ITEM, PLAN_NAME, 0, world.pool.items[0])
    assert (item.kind, item.amount, item.fee_bp, item.claim) == (ITEM_SHARE_REFUND, 300, 0, claim)
    assert world.member(member).status == MEMBER_LEFT
    assert world.pool.outgoing == 4_700
    assert world.state.require(CLAIM, claim).amount == 300


def test_a_refund_of_shares_in_the_window_counts_that_period_too_even_behind_a_leave() -> None:
    world = World(build_terms(**BIG_CAPS))
    member, other = world.join("a", 5_000), world.join("b", 5_000)
    charge_once(world, other, 600)
    world.advance_to(NEXT_NOTICE)
    leave(world, member)
    claim = with_shares_claim(world, member)
    exit_member(world.state, world.context("bank"), member, ACT_SHARES_REFUND)
    world.add_claim(other, 200, fee_bp=0)
    world.advance_to(NEXT_CHARGE)
    item = world.state.require(ITEM, PLAN_NAME, 0, world.pool.items[0])
    assert (item.amount, item.claim) == (400, claim)
    assert world.pool.items[1] - world.pool.items[0] == 1


def test_a_person_who_left_with_an_open_claim_may_come_back_only_after_its_end() -> None:
    world = World()
    member = world.join("a", 5_000)
    claim = with_shares_claim(world, member)
    assert leave(world, member) == 0
    person = name_hash("person", "a")
    assert world.state.require(PERSON, PLAN_NAME, person).member == member
    release_member(world.state, claim, world.state.require(CLAIM, claim))
    assert world.state.get(PERSON, PLAN_NAME, person) is None
    assert world.member(member).claim is None


def test_shares_of_nothing_are_no_item() -> None:
    world = World()
    member = world.join("a", 5_000)
    with_shares_claim(world, member)
    exit_member(world.state, world.context("bank"), member, ACT_SHARES_REFUND)
    assert world.pool.items[0] == world.pool.items[1]
    assert world.member(member).claim is None


def test_a_leaf_of_nothing_leaves_without_an_instruction() -> None:
    world = World(build_terms(**BIG_CAPS))
    member, other = world.join("a", 1_000), world.join("b", 5_000)
    charge_once(world, other, 2_000)
    assert world.balance(member) == 0
    assert leave(world, member) == 0
    assert world.member(member).status == MEMBER_LEFT
    assert all(world.instruction(item).member != member for item in world.ready_instructions())


# --- a lapsed member who pays again ---


def build_lapsed() -> tuple[World, bytes]:
    """Return a world in which a member has paid 1,000 fen for others and lapsed."""
    world = World(build_terms(**BIG_CAPS | {"grace_periods": "0"}))
    member, other = world.join("a", 1_000), world.join("b", 19_000)
    world.add_claim(other, 3_000)
    world.advance_to(CHARGE + 1)
    assert is_lapsed(world.state, world.member(member), world.pool, 0)
    assert compute_shares_paid(world.member(member), world.pool.share_index) == 1_000
    return world, member


def test_shares_of_a_lapsed_membership_do_not_come_back_while_its_new_entry_waits() -> None:
    """They had bought the cover of that time: only what is paid in the new waiting period comes back."""
    world, member = build_lapsed()
    world.advance_to(NEXT_NOTICE)
    world.credit(member, 2_000)
    record = world.member(member)
    assert (record.status, record.is_leaf, record.entry_day) == (MEMBER_QUEUED, True, NEXT_NOTICE)
    claim = with_shares_claim(world, member)
    exit_member(world.state, world.context("bank"), member, ACT_SHARES_REFUND)
    world.advance_to(NEXT_CHARGE)
    assert world.member(member).status == MEMBER_LEFT
    assert (world.state.require(CLAIM, claim).amount, world.pool.items[1] - world.pool.items[0]) == (0, 0)


def test_deposit_of_a_lapsed_member_begins_no_waiting_period_in_a_wind_down() -> None:
    world, member = build_lapsed()
    before = world.member(member)
    begin_wind_down(world.state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
    world.credit(member, 2_000)
    assert (world.member(member).entry_day, world.member(member).cash) == (before.entry_day, 2_000)
