"""The end of a plan, to the last fen (contract 3.5 *wind-down*)."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_calls import ClaimFile
from chain.contract.custody_tables import (
    INSTRUCTION,
    INSTRUCTION_FAILED,
    INSTRUCTION_FEE,
    INSTRUCTION_REFUND,
    INSTRUCTION_RESIDUE,
    INSTRUCTION_RETURN,
    INSTRUCTION_TRANSFER,
    InstructionRecord,
)
from chain.contract.deposit import note_booking
from chain.contract.events import MemberApplied, MemberExited
from chain.contract.member_calls import MemberAmend, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.money_calls import InstructionUnclaimed
from chain.contract.plan_calls import Pause, WindDown
from chain.contract.plan_events import PayingOutBegun, PoolClosed, PoolPaidOut, WindDownBegun
from chain.contract.shares import get_balance, is_suspended
from chain.contract.tables import (
    MEMBER_EXPIRED,
    MEMBER_LEFT,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
    POOL,
)
from chain.contract.unclaimed import UNCLAIMED_DAYS
from chain.contract.wind_down import (
    BY_CONTRACT,
    END_DAYS,
    RUN_OFF_DAYS,
    begin_wind_down,
    get_end_days,
)
from chain.contract.wind_tables import (
    CAUSE_SIGNATURES,
    CAUSE_TOO_SMALL,
    CAUSE_UNFUNDABLE,
    CAUSE_VOTE,
    CLOSED_POOL,
    PHASE_PAYING,
    PHASE_SWEEPING,
    WIND_DOWN,
    is_pool_closed,
)
from chain.types import ZERO_HASH
from tests.chain.contract.rules_world import (
    SECOND_ACCOUNT,
    RulesWorld,
    build_rules_world,
    run_signers,
)
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, name_hash

INSTRUCTION_STATE = get_entry("instruction_state").number
NOT_UNCLAIMED_YET = get_entry("not_unclaimed_yet").number
CALL = WindDown(plan=PLAN_NAME, reason_hash=ZERO_HASH)
KEY = name_hash("member", "a")


@pytest.fixture
def world() -> RulesWorld:
    return build_rules_world()


def begin(world: RulesWorld) -> int:
    """Begin the end by a vote; return its day."""
    begin_wind_down(world.state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
    return world.today


def run_off(world: RulesWorld) -> None:
    """Let the days of the run-off pass, until pool 0 is closed."""
    world.advance_to(world.plan.wind_day + RUN_OFF_DAYS)
    while not is_pool_closed(world.state, PLAN_NAME, 0):
        world.advance(1)


def add_interest(world: RulesWorld, amount: int) -> None:
    """Let the bank pay interest, as its booking and the pool's books show it."""
    pool = world.pool
    note_booking(world.state, pool.account, world.today, in_fen=amount)
    changed = replace(pool, cash=pool.cash + amount, carry=pool.carry + amount, interest=pool.interest + amount)
    world.state.put(POOL, changed, PLAN_NAME, 0)


def finish(world: RulesWorld, *, days_max: int = 60) -> list[InstructionRecord]:
    """Let the bank carry out everything each day until the plan has ended; return what it paid."""
    paid: list[InstructionRecord] = []
    for _ in range(days_max):
        paid += world.answer_all()
        if world.plan.status == PLAN_ENDED:
            return paid
        world.advance(1)
    raise AssertionError(f"the plan has not ended: {world.pool}")


# --- how it begins ---


def test_platform_auditor_and_bank_begin_the_end_of_a_plan(world: RulesWorld) -> None:
    run_signers(world, CALL, ("platform", "audit-two"))
    assert world.plan.status == PLAN_ACTIVE
    world.succeed("bank", CALL)
    assert (world.plan.status, world.plan.wind_day) == (PLAN_WIND_DOWN, world.today)
    begun = world.state.require(WIND_DOWN, PLAN_NAME)
    assert (begun.cause, begun.by, begun.reason_hash) == (CAUSE_SIGNATURES, "platform", ZERO_HASH)
    assert get_end_days(world.state, PLAN_NAME) == (world.today + RUN_OFF_DAYS, world.today + END_DAYS)
    assert world.refuse("bank", CALL) == "already"


@pytest.mark.parametrize("signer", ["firm-a", "clinic", "stranger"])
def test_nobody_else_ends_a_plan(world: RulesWorld, signer: str) -> None:
    assert world.refuse(signer, CALL) == "wrong_role"
    assert world.refuse("bank", replace(CALL, plan="other")) == "plan_unknown"


def test_paused_plan_begins_to_end_and_goes_on_with_it_after_the_pause(world: RulesWorld) -> None:
    world.succeed("bank", Pause(plan=PLAN_NAME, reason_hash=ZERO_HASH))
    day = begin(world)
    assert (world.plan.status, world.plan.wind_day) == (PLAN_PAUSED, day)
    world.advance(7)
    assert world.plan.status == PLAN_WIND_DOWN
    assert get_end_days(world.state, PLAN_NAME)[0] == day + RUN_OFF_DAYS + 7


def test_beginning_twice_changes_nothing(world: RulesWorld) -> None:
    day = begin(world)
    world.advance(1)
    begin(world)
    assert world.state.require(WIND_DOWN, PLAN_NAME).day == day


def test_plan_that_is_too_small_at_two_notices_after_its_launch_ends_by_itself() -> None:
    world = build_rules_world(members_min="2", launch_days="0")
    world.join("a", 5_000)
    world.advance_to(20_505)
    begun = WindDownBegun(plan=PLAN_NAME, by=BY_CONTRACT, end_cause=CAUSE_TOO_SMALL, day=world.today)
    assert begun in world.events
    assert world.plan.status == PLAN_WIND_DOWN


def test_need_that_nobody_can_fund_ends_the_plan(world: RulesWorld) -> None:
    member = world.join("a", 1_000)
    for _ in range(3):
        world.add_claim(member, 700)
    world.advance_to(20_498)
    assert world.settlement(0).is_unfundable
    assert world.state.require(WIND_DOWN, PLAN_NAME).cause == CAUSE_UNFUNDABLE


# --- run-off ---


def test_entries_are_off_and_applications_are_refunded(world: RulesWorld) -> None:
    paid, late = world.admit("paid"), world.apply("late")
    world.credit(paid, 400)
    begin(world)
    key = name_hash("member", "new")
    assert world.refuse(key, world.apply_under("new", world.terms)) == "plan_not_active"
    world.credit(paid, 5_000)
    assert world.member(paid).status == MEMBER_VERIFIED
    world.advance(30)
    assert [world.member(member).status for member in (paid, late)] == [MEMBER_EXPIRED, MEMBER_EXPIRED]
    assert [record.amount for _, record in world.list_instructions(INSTRUCTION_REFUND)] == [5_400]


def test_whoever_was_queued_or_waits_outside_the_tree_is_refunded() -> None:
    world = build_rules_world(waiting_members_share="false")
    waiting = world.join("waiting", 5_000)
    assert world.member(waiting).status == MEMBER_WAITING
    world.advance_to(20_491)
    queued = world.join("queued", 4_000)
    begin(world)
    while world.pool.is_window:
        world.advance(1)
    assert (world.member(queued).status, world.member(queued).cash) == (MEMBER_LEFT, 0)
    world.advance(90)
    assert (world.member(waiting).status, world.pool.plain) == (MEMBER_LEFT, 0)
    assert sum(record.amount for _, record in world.list_instructions(INSTRUCTION_REFUND)) == 9_000


def test_whoever_begins_the_waiting_again_is_refunded_at_the_first_date_that_was_set() -> None:
    """Else a member who restarts it each month alone would keep the plan from ending."""
    world = build_rules_world(waiting_members_share="false")
    waiting = world.join("waiting", 5_000)
    first_day = world.today + world.terms.pinned.waiting_days
    begin(world)
    for number in range(2):
        world.advance(30)
        blob = name_hash("healthier", number)
        call = MemberAmend(member=waiting, field_commitments_root=blob, blob_hash=blob, is_health_changed=True)
        assert world.call(name_hash("member", "waiting"), call).number == 0
    assert world.member(waiting).entry_day == first_day - 30
    world.advance_to(first_day - 1)
    assert world.member(waiting).status == MEMBER_WAITING
    world.advance(1)
    assert (world.member(waiting).status, world.pool.plain) == (MEMBER_LEFT, 0)
    assert [record.amount for _, record in world.list_instructions(INSTRUCTION_REFUND)] == [5_000]


def test_sharing_members_neither_leave_nor_change_their_units_but_withdraw_what_no_year_can_cost() -> None:
    world = build_rules_world(cap_per_year_fen="3_000")
    member = world.join("a", 5_000, weight=1)
    begin(world)
    assert world.refuse(KEY, MemberLeave(member=member)) == "plan_not_active"
    assert world.refuse(KEY, MemberWeight(member=member, weight=2)) == "plan_not_active"
    assert world.refuse(KEY, MemberWithdraw(member=member, amount=2_001)) == "balance_too_low"
    world.succeed(KEY, MemberWithdraw(member=member, amount=2_000))
    assert world.balance(member) == 3_000


def test_settlements_go_on_and_later_diagnoses_are_refused(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.join("b", 5_000)
    world.advance(100)
    day = begin(world)
    world.add_claim(member, 700)
    settlements = world.pool.settlements
    world.advance(3)
    call = ClaimFile(
        member=member,
        cause=1,
        diagnosed_day=day + 1,
        evidence_root=ZERO_HASH,
        bill_tags=(),
        asked_row=1,
        payee_kind=0,
    )
    world.succeed(KEY, call)
    assert world.member(member).claim is None
    world.succeed(KEY, replace(call, diagnosed_day=day))
    assert world.member(member).claim == world.last_tx
    world.advance(30)
    assert world.pool.settlements > settlements
    assert world.pool.collected == 756


# --- the close ---


def test_members_get_their_balance_and_the_same_share_of_the_carry_for_each_unit() -> None:
    world = build_rules_world(drain_max=2)
    amounts = {"a": (5_000, 1), "b": (9_000, 3), "c": (2_000, 2), "d": (1_000, 1), "e": (7_777, 4)}
    members = {name: world.join(name, amount, weight=weight) for name, (amount, weight) in amounts.items()}
    add_interest(world, 29)
    day = begin(world)
    world.advance_to(day + RUN_OFF_DAYS - 1)
    assert not is_pool_closed(world.state, PLAN_NAME, 0)
    run_off(world)
    while world.state.require(CLOSED_POOL, PLAN_NAME, 0).phase == PHASE_PAYING:
        exited = world.pool.exited
        world.next_block()
        assert world.pool.exited - exited <= 2
    closed = world.state.require(CLOSED_POOL, PLAN_NAME, 0)
    assert (closed.units, closed.carry, closed.bonus) == (11, 29, 2)
    refunds = {record.member: record.amount for _, record in world.list_instructions(INSTRUCTION_REFUND)}
    assert refunds == {members[name]: amount + 2 * weight for name, (amount, weight) in amounts.items()}
    assert world.pool.carry == 29 - 22
    paid = finish(world)
    assert sorted(record.amount for record in paid if record.kind == INSTRUCTION_RESIDUE) == [7]
    assert (world.plan.status, world.pool.cash) == (PLAN_ENDED, 0)
    kinds = [type(event) for event in world.events if isinstance(event, PoolClosed | PayingOutBegun | PoolPaidOut)]
    assert kinds == [PoolClosed, PayingOutBegun, PoolPaidOut]
    world.commit_block_checks()


def test_suspended_member_gets_what_is_left_and_no_share_of_the_carry(world: RulesWorld) -> None:
    poor, rich = world.join("a", 1_000), world.join("b", 9_000)
    for _ in range(6):
        world.add_claim(rich, 500)
    world.advance_to(20_500)
    assert is_suspended(world.member(poor), world.pool.share_index)
    world.credit(poor, 10)
    add_interest(world, 50)
    balances = {member: world.balance(member) for member in (poor, rich)}
    carry = world.pool.carry
    begin(world)
    world.sign_batch(0)
    world.answer_all()
    run_off(world)
    refunds = {record.member: record.amount for _, record in world.list_instructions(INSTRUCTION_REFUND)}
    assert refunds == {poor: balances[poor], rich: balances[rich] + carry}
    finish(world)
    assert world.pool.cash == 0


def test_fees_that_the_platform_never_asked_for_are_paid_at_the_end(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.join("b", 5_000)
    world.add_claim(member, 700)
    world.advance_to(20_499)
    world.sign_batch(0)
    world.answer_all()
    assert world.pool.fee_payable == 56
    begin(world)
    run_off(world)
    paid = finish(world)
    assert [record.amount for record in paid if record.kind == INSTRUCTION_FEE] == [56]
    assert world.pool.cash == 0


def test_residue_and_fee_that_the_bank_cannot_pay_are_ordered_again(world: RulesWorld) -> None:
    add_interest(world, 10)
    world.state.put(POOL, replace(world.pool, carry=7, interest=7, fee_payable=3), PLAN_NAME, 0)
    begin(world)
    run_off(world)
    orders = world.list_instructions()
    assert [(record.kind, record.amount) for _, record in orders] == [(INSTRUCTION_RESIDUE, 7), (INSTRUCTION_FEE, 3)]
    for instruction, _ in orders:
        world.answer(instruction, is_settled=False)
    assert (world.pool.carry, world.pool.fee_payable, world.pool.outgoing, world.pool.spent) == (7, 3, 0, 0)
    assert world.state.require(CLOSED_POOL, PLAN_NAME, 0).residue == 0
    world.advance(1)
    assert world.state.require(CLOSED_POOL, PLAN_NAME, 0).residue == 7
    finish(world)
    assert (world.pool.cash, world.pool.spent) == (0, 7)


def test_refund_that_the_bank_cannot_pay_keeps_the_plan_from_ending(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    begin(world)
    run_off(world)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(instruction, is_settled=False)
    world.advance(10)
    assert (world.plan.status, world.pool.plain, world.member(member).cash) == (PLAN_WIND_DOWN, 5_000, 5_000)


def test_refund_that_nobody_could_be_paid_for_three_years_ends_with_the_residue(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(5)
    world.succeed(KEY, MemberWithdraw(member=member, amount=100))
    ((early, _),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(early, is_settled=False)
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=(early,))
    assert run_until_complete(world, call) == INSTRUCTION_STATE
    begin(world)
    run_off(world)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(instruction, is_settled=False)
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=(instruction,))
    assert run_until_complete(world, call) == NOT_UNCLAIMED_YET
    world.advance(UNCLAIMED_DAYS)
    assert run_until_complete(world, call) == 0
    assert (world.member(member).cash, world.pool.plain, world.pool.carry) == (0, 0, 5_000)
    assert world.pool.unclaimed == 5_000
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=(early,))
    assert run_until_complete(world, call) == INSTRUCTION_STATE
    world.advance(1)
    paid = finish(world)
    assert [(record.kind, record.amount) for record in paid] == [(INSTRUCTION_RESIDUE, 5_000)]
    world.commit_block_checks()


def test_an_older_refund_that_failed_does_not_shorten_the_time_of_the_balance(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.advance(5)
    world.succeed(KEY, MemberWithdraw(member=member, amount=100))
    ((early, record),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(early, is_settled=False)
    aged = replace(record, state=INSTRUCTION_FAILED, created_day=0, booking_day=0)
    world.state.put(INSTRUCTION, aged, early)
    begin(world)
    run_off(world)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_REFUND)
    world.answer(instruction, is_settled=False)
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=(early,))
    assert run_until_complete(world, call) == NOT_UNCLAIMED_YET
    world.advance(UNCLAIMED_DAYS)
    assert run_until_complete(world, call) == 0
    assert world.member(member).cash == 4_900


def run_until_complete(world: RulesWorld, call: InstructionUnclaimed) -> int:
    """Let bank and auditor sign a batch of one; return the outcome."""
    first = world.call("bank", call)
    return first.number or world.call("audit-one", call).number


def test_closed_pool_takes_no_money_and_no_claim(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.join("b", 5_000)
    day = begin(world)
    run_off(world)
    world.credit(member, 1_000)
    assert (world.pool.unmatched, world.pool.plain) == (1_000, 0)
    call = ClaimFile(
        member=member,
        cause=1,
        diagnosed_day=day,
        evidence_root=ZERO_HASH,
        bill_tags=(),
        asked_row=1,
        payee_kind=0,
    )
    assert world.refuse(KEY, call) == "pool_closed"
    paid = finish(world)
    assert [record.amount for record in paid if record.kind == INSTRUCTION_RETURN] == [1_000]


def test_no_notice_opens_in_a_closed_pool(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    begin(world)
    run_off(world)
    ((instruction, _),) = world.list_instructions(INSTRUCTION_REFUND)
    settlements = world.pool.settlements
    world.advance(40)
    assert (world.pool.settlements, world.pool.is_window) == (settlements, False)
    world.answer(instruction)
    assert world.member(member).status == MEMBER_LEFT


def test_window_that_is_open_on_the_day_is_settled_and_drained_first() -> None:
    world = build_rules_world()
    world.join("a", 5_000)
    world.advance_to(20_491 - RUN_OFF_DAYS + 181)
    day = begin(world)
    while True:
        world.advance(1)
        if world.today >= day + RUN_OFF_DAYS and not world.pool.is_window:
            break
        assert not is_pool_closed(world.state, PLAN_NAME, 0)
    world.advance(1)
    assert is_pool_closed(world.state, PLAN_NAME, 0)


def test_paying_out_stands_still_while_the_plan_is_stopped() -> None:
    world = build_rules_world(drain_max=2)
    for name in "abcdef":
        world.join(name, 5_000)
    begin(world)
    run_off(world)
    exited = world.pool.exited
    assert exited < 6
    world.succeed("bank", Pause(plan=PLAN_NAME, reason_hash=ZERO_HASH))
    world.next_block()
    world.advance(3)
    assert world.pool.exited == exited
    world.advance(4)
    world.next_block()
    finish(world)
    assert world.pool.exited == 6


def test_days_in_which_the_plan_was_stopped_are_no_run_off(world: RulesWorld) -> None:
    world.join("a", 5_000)
    day = begin(world)
    world.succeed("bank", Pause(plan=PLAN_NAME, reason_hash=ZERO_HASH))
    world.advance_to(day + RUN_OFF_DAYS + 6)
    assert not is_pool_closed(world.state, PLAN_NAME, 0)
    world.advance(1)
    assert is_pool_closed(world.state, PLAN_NAME, 0)


def test_every_pool_of_the_plan_ends_and_the_plan_with_the_last(world: RulesWorld) -> None:
    world.join("a", 5_000)
    _, rules = world.open_second_pool(fee_bp=0)
    world.join_under("b", 4_000, rules, pool=1)
    begin(world)
    run_off(world)
    for instruction, record in world.list_instructions():
        if record.pool == 0:
            world.answer(instruction)
    world.advance(1)
    assert (world.plan.status, world.pool.cash, world.get_pool(1).cash) == (PLAN_WIND_DOWN, 0, 4_000)
    finish(world)
    assert world.get_pool(1).cash == 0


def test_plan_does_not_end_while_money_is_on_its_way_between_its_pools(world: RulesWorld) -> None:
    number, rules = world.open_second_pool(fee_bp=1_000)
    while world.pool.is_window:
        world.advance(1)
    member = world.join("a", 5_000)
    world.accept("a", member, number, rules)
    begin(world)
    world.answer_all()
    world.advance(RUN_OFF_DAYS + 20)
    assert (world.pool.cash, world.get_pool(1).cash, world.plan.status) == (0, 0, PLAN_WIND_DOWN)
    world.credit_to(SECOND_ACCOUNT, member, 5_000)
    paid = finish(world)
    assert [(record.kind, record.pool, record.amount) for record in paid] == [(INSTRUCTION_REFUND, 1, 5_000)]


def test_ended_plan_returns_what_arrives_by_mistake_and_passes_interest_on(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    begin(world)
    run_off(world)
    finish(world)
    world.credit(member, 300)
    add_interest(world, 9)
    world.advance(6)
    paid = world.answer_all()
    assert sorted((record.kind, record.amount) for record in paid) == [
        (INSTRUCTION_RETURN, 300),
        (INSTRUCTION_RESIDUE, 9),
    ]
    world.posts_statements = False
    world.advance(20)
    assert (world.plan.status, world.pool.cash) == (PLAN_ENDED, 0)


def test_plan_without_anybody_ends_on_the_first_day(world: RulesWorld) -> None:
    world.advance(3)
    day = begin(world)
    world.advance(RUN_OFF_DAYS + 1)
    assert (world.plan.status, world.plan.since_day) == (PLAN_ENDED, day + RUN_OFF_DAYS)


# --- any world ---


def build_random_world(random: Random) -> RulesWorld:
    """Return a plan with members of all kinds, some charged, suspended or lapsed, some with money on its way."""
    world = build_rules_world(
        drain_max=random.choice((3, 200)),
        waiting_members_share=random.choice(("true", "false")),
        waiting_days=random.choice(("0", "30", "90")),
        fee_bp=random.choice(("0", "800")),
        unpaid=random.choice(('"carry"', '"end"')),
    )
    members = [
        world.join(f"m{number}", random.choice((1_000, random.randint(1_000, 20_000))) * weight, weight=weight)
        for number in range(random.randint(1, 7))
        for weight in (random.choice((1, 1, 2, 7, 100)),)
    ]
    pending = world.admit("pending")
    world.credit(pending, random.randint(1, 999))
    for _ in range(random.randint(0, 3)):
        for _ in range(random.randint(0, 6)):
            world.add_claim(
                random.choice(members), random.randint(1, 1_500) * len(members), row=1, fee_bp=world.terms.pool.fee_bp
            )
        world.advance(14)
        for number in range(world.pool.settlements):
            period = world.period(number)
            if period.instructions and not period.signed_by and period.cosigner is not None:
                world.sign_batch(number, ("platform", period.cosigner))
        for instruction, _ in world.list_instructions():
            if random.random() < 0.7:
                world.answer(instruction)
        member = random.choice(members)
        world.credit(member, random.randint(1, 3_000))
    if random.random() < 0.5 and world.plan.status == PLAN_ACTIVE:
        add_second_pool(world, random)
    add_interest(world, random.randint(1, 500))
    return world


def add_second_pool(world: RulesWorld, random: Random) -> None:
    """Open another pool with members of its own, and let some of the first one be on their way to it."""
    number, rules = world.open_second_pool(fee_bp=1_000)
    if world.plan.status != PLAN_ACTIVE:
        return
    for place in range(random.randint(0, 2)):
        world.join_under(f"n{place}", random.randint(1_000, 20_000), rules, pool=1)
    for place in range(3):
        key = name_hash("member", f"m{place}")
        member = next((item for item in list_members(world) if world.member(item).key == key), None)
        if member is not None:
            # Refused where he is suspended or has too little: that is a random world too.
            world.call(key, world.build_acceptance(member, number, rules))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(min_value=0, max_value=2**32))
def test_any_plan_ends_with_no_cash_and_every_member_paid_exactly(seed: int) -> None:
    run_to_the_end(seed)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(min_value=0, max_value=2**32))
def test_any_of_many_plans_ends_with_no_cash_and_every_member_paid_exactly(seed: int) -> None:
    run_to_the_end(seed)


def run_to_the_end(seed: int) -> None:
    random = Random(seed)
    world = build_random_world(random)
    begin_wind_down(world.state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
    balances: dict[bytes, int] = {}
    paid: list[InstructionRecord] = []
    transfers: list[InstructionRecord] = []
    for _ in range(800):
        balances.update(read_balances(world))
        for number in range(world.pool.settlements):
            period = world.period(number)
            if period.instructions and not period.signed_by and period.cosigner is not None:
                world.sign_batch(number, ("platform", period.cosigner))
        if random.random() < 0.3 or is_pool_closed(world.state, PLAN_NAME, 0):
            done = world.answer_all()
            paid += done
            transfers += [record for record in done if record.kind == INSTRUCTION_TRANSFER]
        while transfers and random.random() < 0.3:
            order = transfers.pop()
            assert order.to_account is not None and order.member is not None
            world.credit_to(order.to_account, order.member, order.amount)
        world.commit_block_checks()
        if world.plan.status == PLAN_ENDED:
            break
        world.advance(1)
    check_the_end(world, balances)
    assert all(record.amount > 0 for record in paid)


def check_the_end(world: RulesWorld, balances: dict[bytes, int]) -> None:
    assert world.plan.status == PLAN_ENDED
    exits = {event.member: event.refund for event in world.events if isinstance(event, MemberExited)}
    for number in range(world.plan.pools):
        closed = world.state.require(CLOSED_POOL, PLAN_NAME, number)
        assert (closed.phase, world.get_pool(number).cash) == (PHASE_SWEEPING, 0)
        assert closed.residue == closed.carry - closed.bonus * closed.units
        assert 0 <= closed.residue < max(1, closed.units) or closed.units == 0
    for member, balance in balances.items():
        record = world.member(member)
        closed = world.state.require(CLOSED_POOL, PLAN_NAME, record.pool)
        assert exits[member] == (balance + closed.bonus * record.weight if balance >= 0 else -balance - 1)
    assert all(not world.member(member).is_leaf and world.member(member).cash == 0 for member in list_members(world))


def list_members(world: RulesWorld) -> list[bytes]:
    return [event.member for event in world.events if isinstance(event, MemberApplied)]


def read_balances(world: RulesWorld) -> dict[bytes, int]:
    """Return what each leaf of a pool that is about to be closed holds; for a suspended one, minus that and one."""
    found: dict[bytes, int] = {}
    if world.today < world.plan.wind_day + RUN_OFF_DAYS - 1:
        return found
    for member in list_members(world):
        record = world.member(member)
        if record.is_leaf and not is_pool_closed(world.state, PLAN_NAME, record.pool):
            index = world.get_pool(record.pool).share_index
            balance = get_balance(record, index)
            found[member] = -balance - 1 if is_suspended(record, index) else balance
    return found
