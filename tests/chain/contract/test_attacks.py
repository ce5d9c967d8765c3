"""Calls, and orders of calls and days, that somebody would try against the contract; each once worked or nearly did."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.codec import Codec, encode
from chain.contract import claim_draw, schedule
from chain.contract.calendar import compute_new_year_day
from chain.contract.claim_calls import ClaimFile
from chain.contract.claim_events import FirmDrawn
from chain.contract.claim_tables import CLAIM_REJECTED
from chain.contract.context import DAY_MS
from chain.contract.custody_tables import ACCOUNT, STATEMENT
from chain.contract.events import AutomaticFault
from chain.contract.fault import run_guarded
from chain.contract.member_calls import MemberAdmit, MemberAmend, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.money_calls import DepositCredit, InstructionAck, InstructionAckItem, StatementPost
from chain.contract.schedule import STAGE_DONE, STAGE_SETTLEMENT
from chain.contract.tables import (
    MEMBER,
    MEMBER_CLAIMED_OUT,
    MEMBER_LEAVING,
    MEMBER_SHARING,
    PERSON,
    PLAN,
    PLAN_ACTIVE,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
    POOL,
)
from chain.contract.terms import BENEFIT_FEN_MAX, UNITS_FEN_MAX, WEIGHT_MAX, Benefit, validate_terms
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.errors import ConfigError, StoreError
from chain.types import FEN_MAX
from tests.chain.contract.claim_world import ClaimWorld
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, MemoryBase, World, build_terms, name_hash

V = TypeVar("V", bound=msgspec.Struct)

NOTICE, CHARGE, NOTICE_2, CHARGE_2 = 20_491, 20_498, 20_505, 20_512
SUCCESS, FAULT = 0, 1


def number_of(code: str) -> int:
    return get_entry(code).number


# --- what would stop every block ---

FAILURES = (KeyError("x"), IndexError(), ZeroDivisionError(), TypeError(), AssertionError(), OverflowError())


def raising(error: Exception) -> Callable[..., None]:
    def act(*_: object, **__: object) -> None:
        raise error

    return act


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_whatever_an_automatic_event_raises_pauses_its_plan_and_no_block_is_invalid(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.join("a", 5_000)
    world.advance_to(CHARGE - 1)
    with monkeypatch.context() as patch:
        patch.setattr(schedule, "run_settlement", raising(error))
        world.advance_to(CHARGE)
    faults = [(event.day, event.stage) for event in world.block_events if isinstance(event, AutomaticFault)]
    assert faults == [(CHARGE, STAGE_SETTLEMENT)]
    assert (world.plan.status, world.plan.stage) == (PLAN_PAUSED, STAGE_DONE)
    world.advance_to(CHARGE + 7)
    assert world.plan.status == PLAN_ACTIVE
    assert world.settlement(0).day == CHARGE + 7


def test_what_a_failed_automatic_event_had_written_is_undone() -> None:
    world = World()
    before = world.pool

    def act() -> None:
        world.state.put(POOL, replace(before, carry=7), PLAN_NAME, 0)
        raise KeyError("half way")

    assert not run_guarded(world.state, world.context("automatic"), plan=PLAN_NAME, day=1, stage=0, act=act)
    assert world.pool == before


@pytest.mark.parametrize("error", [StoreError("the disk is gone"), MemoryError(), RecursionError()])
def test_what_only_this_machine_lacks_stops_the_node_instead_of_pausing_the_plan(error: Exception) -> None:
    world = World()
    with pytest.raises(type(error)):
        run_guarded(world.state, world.context("automatic"), plan=PLAN_NAME, day=1, stage=0, act=raising(error))
    assert world.plan.status == PLAN_ACTIVE


# --- records that only some nodes could read: those that still hold them in memory ---


def require_readable(world: World) -> None:
    """Read back every record of the block from its bytes, as a node does that was started again."""
    for _, codec, record in world.state.written(0):
        if record is not None:
            codec.decode(encode(record))
    world.next_block()


def test_a_refund_that_the_bank_books_before_the_deposit_is_a_mismatch_and_not_an_unreadable_record() -> None:
    world = World(statements=False)
    world.advance(3)
    member = world.join("a", 5_000)
    assert world.call(world.member(member).key, MemberLeave(member=member)).number == SUCCESS
    refund = world.ready_instructions()[0]
    item = InstructionAckItem(
        instruction=refund,
        is_settled=True,
        amount=5_000,
        booking_day=world.today - 2,
        ref_token=name_hash("ack"),
        reason=0,
    )
    assert world.call("bank", InstructionAck(account=ACCOUNT_NAME, items=(item,))).items == (SUCCESS,)
    closed = world.state.require(ACCOUNT, ACCOUNT_NAME).closed_day
    call = StatementPost(
        account=ACCOUNT_NAME,
        from_day=closed + 1,
        to_day=world.today - 1,
        opening=0,
        closing=0,
        in_count=0,
        in_sum=0,
        out_count=1,
        out_sum=5_000,
        file_hash=name_hash("statement"),
    )
    assert world.call("bank", call).number == SUCCESS
    statement = world.state.require(STATEMENT, ACCOUNT_NAME, 0)
    assert (statement.expected_closing, statement.is_matched) == (-5_000, False)
    require_readable(world)
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    assert world.plan.day == world.today


def test_a_booking_day_that_sums_up_beyond_its_field_is_a_fault_and_stays_readable() -> None:
    world = World(statements=False)
    first_day = world.today
    world.credit(None, FEN_MAX)
    world.advance(5)
    back = world.ready_instructions()[0]
    assert world.acknowledge(back).items == (SUCCESS,)
    item = replace(world.credit_item(None, 1), booking_day=first_day)
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).number == FAULT
    require_readable(world)
    assert world.credit(None, FEN_MAX).items == (SUCCESS,)


# --- bounds of the terms ---


def test_a_maximum_deposit_that_could_carry_x_to_2_31_is_refused_by_name() -> None:
    bound = UNITS_FEN_MAX // WEIGHT_MAX
    build_terms(deposit_max_fen=str(bound))
    with pytest.raises(ConfigError, match="deposit_max_fen"):
        build_terms(deposit_max_fen=str(bound + 1))


def test_the_greatest_deposit_of_the_greatest_weight_fits_behind_one_unit() -> None:
    bound = UNITS_FEN_MAX // WEIGHT_MAX
    world = World(build_terms(deposit_max_fen=str(bound)))
    member = world.join("a", bound * WEIGHT_MAX + 1, weight=WEIGHT_MAX)
    assert world.balance(member) == bound * WEIGHT_MAX
    assert world.call(world.member(member).key, MemberWeight(member=member, weight=1)).number == SUCCESS
    assert world.member(member).x == bound * WEIGHT_MAX <= UNITS_FEN_MAX
    world.next_block()


def test_a_benefit_whose_settlement_could_exceed_its_sums_is_refused() -> None:
    terms = build_terms()
    band = Benefit(age_from_years=0, age_to_years=59, severe_fen=BENEFIT_FEN_MAX, mild_fen=1)
    pool, pinned = replace(terms.pool, benefit_ceiling=(band,)), replace(terms.pinned, benefits=(band,))
    validate_terms(replace(terms, pool=pool, pinned=pinned))
    richer = replace(band, severe_fen=BENEFIT_FEN_MAX + 1)
    with pytest.raises(ConfigError, match="benefit"):
        validate_terms(replace(terms, pinned=replace(pinned, benefits=(richer,))))


def test_a_benefit_without_a_ceiling_is_refused() -> None:
    terms = build_terms()
    second = Benefit(age_from_years=60, age_to_years=69, severe_fen=1, mild_fen=1)
    pinned = replace(terms.pinned, benefits=(*terms.pinned.benefits, second))
    with pytest.raises(ConfigError, match="benefit_ceiling"):
        validate_terms(replace(terms, pinned=pinned))


# --- slipping out of a wind-down ---


@pytest.mark.parametrize("status", [PLAN_WIND_DOWN, PLAN_FROZEN, PLAN_PAUSED])
def test_nobody_slips_out_of_a_wind_down_while_it_is_frozen_for_some_days(status: int) -> None:
    world = World()
    member = world.join("a", 19_000)
    key = world.member(member).key
    winding = replace(world.plan, status=status, wind_day=world.today)
    world.state.put(PLAN, winding, PLAN_NAME)
    assert world.call(key, MemberLeave(member=member)).number == number_of("plan_not_active")
    assert world.call(key, MemberWithdraw(member=member, amount=201)).number == number_of("balance_too_low")
    assert world.call(key, MemberWithdraw(member=member, amount=200)).number == SUCCESS


def test_a_new_year_in_a_wind_down_can_cost_its_whole_cap_before_its_first_settlement() -> None:
    new_year = compute_new_year_day(2027)
    world = World(start_day=new_year - 4, statements=False)
    member = world.join("a", 19_000)
    state = world.state
    state.put(POOL, replace(world.pool, share_index=100, tree_money=18_900, carry=100, collected=100), PLAN_NAME, 0)
    begin_wind_down(state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
    key = world.member(member).key
    assert world.call(key, MemberWithdraw(member=member, amount=201)).number == number_of("balance_too_low")
    world.advance_to(new_year)
    assert world.call(key, MemberWithdraw(member=member, amount=101)).number == number_of("balance_too_low")
    assert world.call(key, MemberWithdraw(member=member, amount=100)).number == SUCCESS


# --- aid twice ---


def pay_main_benefit(world: World, member: bytes) -> None:
    """Let the first settlement pay a main benefit in the window of the second."""
    world.advance_to(NOTICE)
    world.add_claim(member, 1_000, row=0)
    world.advance_to(CHARGE)
    world.sign_batch(0)
    world.advance_to(NOTICE_2)
    assert world.acknowledge(world.ready_instructions()[-1]).items == (SUCCESS,)


def build_filing(member: bytes, *, day: int, cause: int = 1) -> ClaimFile:
    return ClaimFile(
        member=member,
        cause=cause,
        diagnosed_day=day,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=0,
        payee_kind=0,
    )


def test_between_the_payment_of_a_main_benefit_and_the_drain_nobody_files_for_a_second_one() -> None:
    world = World()
    member = world.join("a", 20_000)
    for number in range(5):
        world.join(f"m{number}", 20_000)
    pay_main_benefit(world, member)
    assert world.member(member).status == MEMBER_LEAVING
    outcome = world.call(world.member(member).key, build_filing(member, day=world.today - 1))
    assert outcome.number == number_of("member_state")
    world.advance_to(CHARGE_2)
    assert world.member(member).status == MEMBER_CLAIMED_OUT


def test_whoever_left_and_joined_anew_loses_the_second_membership_with_the_main_benefit_of_the_first() -> None:
    world = World()
    first = world.join("a", 20_000)
    for number in range(5):
        world.join(f"m{number}", 20_000)
    key = world.member(first).key
    assert world.call(key, MemberLeave(member=first)).number == SUCCESS
    second = world.apply("a-again")
    world.verify("a", second)
    assert world.call("platform", MemberAdmit(items=(second,))).items == (SUCCESS,)
    assert world.credit(second, 20_000).items == (SUCCESS,)
    pay_main_benefit(world, first)
    person = world.state.require(PERSON, PLAN_NAME, name_hash("person", "a"))
    assert (person.member, person.is_barred) == (first, True)
    assert world.member(first).status == MEMBER_CLAIMED_OUT
    assert world.member(second).status == MEMBER_LEAVING
    filed = world.call(world.member(second).key, build_filing(second, day=world.today))
    assert filed.number == number_of("member_state")
    world.advance_to(CHARGE_2)
    assert world.member(second).status == MEMBER_CLAIMED_OUT
    assert not world.member(second).is_leaf
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "a")) == person


def test_a_rejected_diagnosis_cannot_be_stated_for_other_days_until_the_lot_is_kind() -> None:
    world = ClaimWorld()
    world.add_member("ann")
    established = world.today - 3
    claim, *firms = world.assign("ann", diagnosed_day=world.today - 1)
    world.seal(claim, *firms, finding=0, established_day=established)
    for firm in firms:
        world.open_report(claim, firm, finding=0, established_day=established)
    world.decide(claim, is_approved=False)
    assert world.get_claim(claim).status == CLAIM_REJECTED
    assert world.refused(lambda: world.file("ann", diagnosed_day=established)) == "case_decided"
    # Another stated day is another claim; where the reports establish the same day, it was decided.
    again = world.investigate("ann", diagnosed_day=world.today - 1, established_day=established)
    assert world.refused(lambda: world.decide(again)) == "case_decided"
    world.advance(36)
    assert world.get_claim(again).status == CLAIM_REJECTED
    assert world.get_claim(again).reason == number_of("case_decided")


# --- another declaration under cover ---


def test_a_profile_is_not_exchanged_in_the_gap_of_a_reinstatement() -> None:
    world = World(build_terms(waiting_days="0"))
    member = world.join("a", 1_000)
    world.join("b", 20_000)
    world.advance_to(NOTICE)
    # 400 fen for a unit at most, the cap of one case: three cases take more than the thousand fen.
    for _ in range(3):
        world.add_claim(member, 900)
    world.advance_to(CHARGE + 1)
    index = world.pool.share_index
    assert index > 1_000
    assert world.credit(member, index - 1_000).items == (SUCCESS,)
    record = world.member(member)
    assert (record.status, record.cover_from) == (MEMBER_SHARING, world.today + 1)
    call = MemberAmend(
        member=member,
        field_commitments_root=name_hash("healthier"),
        blob_hash=name_hash("healthier"),
        is_health_changed=False,
    )
    assert world.call(record.key, call).number == number_of("member_state")


# --- blocks that take too long ---


class CountingBase(MemoryBase):
    """A committed state that counts what is read of which table."""

    def __init__(self, base: MemoryBase) -> None:
        super().__init__()
        self.__dict__.update(base.__dict__)
        self.reads: Counter[str] = Counter()

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        name = msgspec.msgpack.decode(key)[0]
        self.reads[name] += 1
        return super().read(key, codec)


def count_block(world: World, *, days: int) -> Counter[str]:
    """Run the automatic events of one block over so many days; return what they read of the committed state."""
    world.commit_block()
    base = CountingBase(world.base)
    world.base = base
    world.timestamp_ms += days * DAY_MS
    world._open_block()
    return base.reads


def test_a_settlement_reads_no_member_but_the_payee_however_many_there_are() -> None:
    counts = []
    for members in (20, 200):
        world = World()
        joined = [world.join(f"m{number}", 2_000 + number) for number in range(members)]
        world.advance_to(NOTICE)
        claims = [world.add_claim(joined[0], 10_000) for _ in range(3)]
        world.advance_to(CHARGE - 1)
        counts.append(count_block(world, days=1))
        assert world.pool.settlements == 1
        assert len(world.settlement(0).items) == len(claims)
        assert world.settlement(0).members == members
    assert counts[0]["member"] <= 3
    assert counts[0] == counts[1]


def test_a_settlement_without_items_reads_no_member_at_all() -> None:
    world = World()
    for number in range(20):
        world.join(f"m{number}", 2_000)
    world.advance_to(CHARGE - 1)
    reads = count_block(world, days=1)
    assert world.pool.settlements == 1
    assert reads["member"] == 0


def test_applications_that_were_withdrawn_cost_one_budget_however_many_days_a_block_spans() -> None:
    world = World(drain_max=2)
    for _ in range(6):
        for number in range(15):
            member = world.apply(f"{world.today}-{number}")
            assert world.call(world.member(member).key, MemberLeave(member=member)).number == SUCCESS
        world.advance(1)
    world.advance(23)
    reads = count_block(world, days=7)
    # 90 deadlines have lost their ground; an act of the budget pays for ten of them.
    assert reads["member"] <= 30
    blocks = 0
    while world.plan.day < world.today:
        world.next_block()
        blocks += 1
    assert 2 <= blocks <= 9


def test_a_block_of_many_days_draws_for_no_more_claims_than_that_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_draw, "DRAWS_PER_DAY_MAX", 2)
    path = ClaimPath()
    members = [path.join(f"m{number}", 20_000) for number in range(5)]
    path.advance(3)
    for number, member in enumerate(members):
        path.file(f"m{number}", member, day=path.today, cause=1)
    path.next_block()
    path.next_block()
    path.next_block(ms=4 * DAY_MS)
    drawn = [event.claim for event in path.block_events if isinstance(event, FirmDrawn)]
    assert len(dict.fromkeys(drawn)) == 2
    path.advance(1)
    drawn = [event.claim for event in path.block_events if isinstance(event, FirmDrawn)]
    assert len(dict.fromkeys(drawn)) == 2


# --- the order in which things are written decides nothing ---


def run_credits(amounts: list[int], *, is_batch: bool) -> World:
    world = World()
    members = [world.join(f"m{number}", 5_000, weight=1 + number) for number in range(3)]
    items = [
        world.credit_item(members[position % 3] if position % 4 else None, amount)
        for position, amount in enumerate(amounts)
    ]
    items.append(items[0])
    if is_batch:
        world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=tuple(items)))
    else:
        for item in items:
            world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,)))
    world.next_block()
    return world


@settings(max_examples=15)
@given(amounts=st.lists(st.sampled_from([1, 2, 999, 15_000, 55_001, FEN_MAX // 4]), min_size=1, max_size=4))
def test_a_batch_does_what_its_items_do_one_by_one(amounts: list[int]) -> None:
    whole, parts = run_credits(amounts, is_batch=True), run_credits(amounts, is_batch=False)
    assert whole.base.values == parts.base.values
    trees = [world.state.tree((PLAN_NAME, 0)).root_bytes for world in (whole, parts)]
    assert trees[0] == trees[1]


def test_the_order_of_writing_leaves_and_records_changes_no_root() -> None:
    roots = []
    for order in ("abcd", "dbac"):
        world = World()
        record = world.member(world.join("sample", 5_000))
        world.next_block()
        for name in order:
            world.state.set_leaf((PLAN_NAME, 0), 100 + ord(name), name_hash(name), (1, 0))
            world.state.put(MEMBER, replace(record, cash=ord(name)), name_hash(name))
        tree = world.state.tree((PLAN_NAME, 0))
        roots.append((tree.root_bytes, world.state.get_changes()))
    assert roots[0] == roots[1]
