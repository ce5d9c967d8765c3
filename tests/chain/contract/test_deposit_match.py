"""Unmatched money finds its member (contract 5 *deposit_match*)."""

from msgspec.structs import replace

from chain.contract.custody_tables import DEPOSIT
from chain.contract.halves import HALF, hash_call
from chain.contract.member_calls import MemberLeave
from chain.contract.money_calls import DepositCreditItem, DepositMatch, DepositMatchItem
from chain.contract.money_events import DepositMatched
from chain.contract.tables import MEMBER, MEMBER_QUEUED, MEMBER_SHARING, PLAN, PLAN_FROZEN
from tests.chain.contract.money_world import (
    ALREADY,
    ITEMS_REFUSED,
    NOTICE,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    credit_item,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, name_hash

BOTH = ("platform", "bank")


def match(item: DepositCreditItem, member: bytes, **changes: object) -> DepositMatch:
    named = DepositMatchItem(booking_day=item.booking_day, ref_token=item.ref_token, member=member)
    return DepositMatch(account=ACCOUNT_NAME, items=(replace(named, **changes) if changes else named,))


def build_unmatched(amount: int = 750) -> tuple[World, bytes, DepositCreditItem]:
    world = World()
    member = world.join("a", 5_000)
    return world, member, credit_item(world, world.credit_item(None, amount))


def test_the_first_signature_moves_nothing_and_the_second_credits_as_a_deposit_would() -> None:
    for signers in (BOTH, tuple(reversed(BOTH))):
        world, member, item = build_unmatched()
        call = match(item, member)
        assert world.call(signers[0], call).number == SUCCESS
        assert (world.pool.unmatched, world.balance(member)) == (750, 5_000)
        assert world.state.get(HALF, PLAN_NAME, hash_call(call)) is not None
        assert world.call(signers[1], call).items == (SUCCESS,)
        assert (world.pool.unmatched, world.balance(member), world.pool.cash) == (0, 5_750, 5_750)
        deposit = world.state.require(DEPOSIT, ACCOUNT_NAME, item.booking_day, item.ref_token)
        assert (deposit.member, deposit.taken, deposit.returned) == (member, 750, 0)
        assert DepositMatched(member, ACCOUNT_NAME, item.booking_day, item.ref_token, 750, 5_750) in world.last_events
        world.commit_block_checks()


def test_what_was_matched_is_not_returned_after_five_days() -> None:
    world, member, item = build_unmatched()
    sign(world, match(item, member), BOTH)
    world.advance(6)
    assert world.ready_instructions() == []
    assert (world.pool.unmatched, world.pool.outgoing) == (0, 0)


def test_only_what_the_member_may_not_take_is_returned() -> None:
    world, member, item = build_unmatched(16_000)
    sign(world, match(item, member), BOTH)
    assert (world.balance(member), world.pool.unmatched) == (20_000, 1_000)
    world.advance(5)
    (instruction,) = world.ready_instructions()
    assert world.instruction(instruction).amount == 1_000
    assert (world.pool.unmatched, world.pool.outgoing) == (0, 1_000)


def test_a_failed_return_can_still_be_matched() -> None:
    world, member, item = build_unmatched()
    world.advance(5)
    (instruction,) = world.ready_instructions()
    assert world.call("platform", match(item, member)).number == 210
    world.acknowledge(instruction, is_settled=False)
    assert sign(world, match(item, member), BOTH).items == (SUCCESS,)
    assert world.balance(member) == 5_750
    world.advance(6)
    assert world.ready_instructions() == []


def test_matched_money_lets_a_verified_applicant_enter_from_its_value_day() -> None:
    world = World()
    item = credit_item(world, world.credit_item(None, 2_000, value_day=world.today - 2))
    member = world.admit("a")
    sign(world, match(item, member), BOTH)
    record = world.member(member)
    assert (record.status, record.entry_day, record.x) == (MEMBER_SHARING, world.today - 2, 2_000)


def test_matched_money_waits_with_its_member_in_the_window() -> None:
    world = World()
    world.join("a", 5_000)
    member = world.admit("b")
    world.advance_to(NOTICE)
    item = credit_item(world, world.credit_item(None, 2_000))
    assert sign(world, match(item, member), BOTH).items == (SUCCESS,)
    assert (world.member(member).status, world.member(member).cash) == (MEMBER_QUEUED, 2_000)


def test_a_bank_fact_is_matched_while_the_plan_is_frozen() -> None:
    world, member, item = build_unmatched()
    world.state.put(PLAN, replace(world.plan, status=PLAN_FROZEN), PLAN_NAME)
    assert sign(world, match(item, member), BOTH).items == (SUCCESS,)


def test_items_of_a_batch_are_matched_one_by_one() -> None:
    world, member, item = build_unmatched()
    good, bad = match(item, member).items[0], match(item, member, ref_token=name_hash("?")).items[0]
    outcome = sign(world, DepositMatch(account=ACCOUNT_NAME, items=(bad, good, good)), BOTH)
    assert (outcome.number, outcome.items) == (SUCCESS, (209, SUCCESS, ALREADY))
    assert world.balance(member) == 5_750


# --- guards ---


def test_only_platform_and_bank_match() -> None:
    world, member, item = build_unmatched()
    for signer in ("audit-one", "firm-a", "stranger", world.member(member).key):
        assert world.call(signer, match(item, member)).number == WRONG_ROLE
    assert world.call("platform", match(item, member)).number == SUCCESS
    assert world.call("platform", match(item, member)).number == ALREADY
    assert world.balance(member) == 5_000


def test_an_unknown_account_deposit_or_member_is_refused() -> None:
    world, member, item = build_unmatched()
    assert_changes_nothing(world, replace(match(item, member), account="other"), 200)
    assert_changes_nothing(world, match(item, member, ref_token=name_hash("?")), 209)
    assert_changes_nothing(world, match(item, member, booking_day=item.booking_day - 1), 209)
    assert_changes_nothing(world, match(item, name_hash("?")), 100)
    world.state.put(MEMBER, replace(world.member(member), pool=1), member)
    assert_changes_nothing(world, match(item, member), 100)


def test_a_deposit_that_is_taken_or_gone_is_refused() -> None:
    world, member, item = build_unmatched()
    sign(world, match(item, member), BOTH)
    other = world.join("b", 5_000)
    assert_changes_nothing(world, match(item, member), ALREADY)
    assert_changes_nothing(world, match(item, other), 8)
    world, member, item = build_unmatched()
    world.advance(5)
    assert_changes_nothing(world, match(item, member), 210)


def test_what_a_member_could_not_take_goes_to_nobody_else() -> None:
    world = World()
    member, other = world.join("a", 19_000), world.join("b", 5_000)
    item = credit_item(world, world.credit_item(member, 1_500))
    assert world.pool.unmatched == 500
    assert_changes_nothing(world, match(item, other), 8)


def test_somebody_who_left_or_is_full_takes_nothing() -> None:
    world, member, item = build_unmatched()
    full = world.join("b", 20_000)
    assert_changes_nothing(world, match(item, full), 101)
    world.call(world.member(member).key, MemberLeave(member=member))
    assert_changes_nothing(world, match(item, member), 101)
    both = DepositMatch(
        account=ACCOUNT_NAME, items=(match(item, member).items[0], match(item, name_hash("?")).items[0])
    )
    assert_changes_nothing(world, both, ITEMS_REFUSED)
    assert world.pool.unmatched == 750
