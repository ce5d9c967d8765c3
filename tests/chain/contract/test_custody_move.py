"""A pool's books go on under another custody account, without a gap (contract 5 *custody_move*)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.custody_move import OPEN_DAYS_MAX, get_current_account, validate_move_custody
from chain.contract.custody_tables import ACCOUNT, BOOKING_DAY
from chain.contract.governance_calls import MoveCustody
from chain.contract.governance_events import CustodyMoved
from chain.contract.money_calls import CashOther, CashOtherItem, DepositCredit, DepositCreditItem, DepositReverse
from chain.contract.money_tables import CASH_INTEREST
from chain.contract.tables import PLAN, PLAN_ENDED, PLAN_FROZEN
from chain.contract.version_tables import MOVES, MovesRecord
from chain.errors import Refusal
from tests.chain.contract.governance_world import GovernanceWorld
from tests.chain.contract.test_proposals import refuse
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, name_hash

MOVE = MoveCustody(plan=PLAN_NAME, pool=0, account="care-next")


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld(statements=True)


def credit(world: GovernanceWorld, account: str, member: bytes | None, amount: int) -> tuple[int, ...]:
    item = world.credit_item(member, amount)
    return world.call("bank", DepositCredit(account=account, items=(item,))).items


def recall(world: GovernanceWorld, account: str, item: DepositCreditItem, *name: str) -> DepositReverse:
    """Let bank and auditor take 10 yuan of a deposit back, booked today; return what both signed."""
    call = DepositReverse(
        account=account,
        deposit_day=item.booking_day,
        deposit_ref=item.ref_token,
        amount=1_000,
        booking_day=world.today,
        ref_token=name_hash(*name),
    )
    for signer in ("bank", "audit-one"):
        assert world.call(signer, call).number == 0
    return call


def test_the_new_account_takes_over_balance_and_open_days(world: GovernanceWorld) -> None:
    world.join("a", 5_000)
    world.advance(3)
    proposal = world.accept("bank", MOVE)
    world.advance(2)
    # A deposit of the last day: no statement has closed it when the account moves.
    credit(world, ACCOUNT_NAME, None, 700)
    booked = world.state.require(BOOKING_DAY, ACCOUNT_NAME, world.today)
    before = world.pool
    day = world.today
    world.next_block(ms=86_400_000)
    assert world.status(proposal) == "effective"
    told = CustodyMoved(
        plan=PLAN_NAME, pool=0, account_before=ACCOUNT_NAME, account="care-next", opening=5_000, closed_day=day - 1
    )
    assert told in world.block_events
    assert world.pool == replace(before, account="care-next")
    account = world.state.require(ACCOUNT, "care-next")
    assert (account.closed_day, account.closing, account.statements) == (day - 1, 5_000, 0)
    assert world.state.require(BOOKING_DAY, "care-next", day) == booked
    assert world.state.get(BOOKING_DAY, ACCOUNT_NAME, day) is None
    assert get_current_account(world.state, ACCOUNT_NAME) == "care-next"
    world.post_statements()
    account = world.state.require(ACCOUNT, "care-next")
    assert (account.closing, account.is_matched) == (5_700, True)
    world.advance(20)
    assert world.plan.status != PLAN_FROZEN


def test_money_that_did_not_arrive_shows_in_the_first_statement(world: GovernanceWorld) -> None:
    world.join("a", 5_000)
    world.posts_statements = False
    world.carry_out("bank", MOVE)
    statement = world.state_account("care-next", world.state.require(ACCOUNT, "care-next").closed_day + 1)
    assert world.call("bank", replace(statement, opening=0, closing=0)).number == 0
    assert not world.state.require(ACCOUNT, "care-next").is_matched
    world.next_block(ms=86_400_000)
    assert world.plan.status == PLAN_FROZEN


def test_the_old_account_takes_no_booking_and_no_statement_any_more(world: GovernanceWorld) -> None:
    member = world.join("a", 5_000)
    world.carry_out("bank", MOVE)
    world.advance(1)
    assert credit(world, ACCOUNT_NAME, member, 100) == (202,)
    assert credit(world, "care-next", member, 100) == (0,)
    statement = replace(world.state_account("care-next", world.today - 1), account=ACCOUNT_NAME)
    assert world.call("bank", statement).number == 204


def test_a_deposit_of_before_the_move_is_recalled_from_the_new_account(world: GovernanceWorld) -> None:
    member = world.admit("a")
    item = world.credit_item(member, 5_000)
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).items == (0,)
    world.carry_out("bank", MOVE)
    recall(world, ACCOUNT_NAME, item, "recall")
    assert world.state.require(BOOKING_DAY, "care-next", world.today).out_sum == 1_000
    assert world.state.get(BOOKING_DAY, ACCOUNT_NAME, world.today) is None
    world.advance(2)
    assert world.state.require(ACCOUNT, "care-next").closing == 4_000


def test_a_recall_that_was_told_before_the_move_does_not_count_again_after_it(world: GovernanceWorld) -> None:
    member = world.join("a", 5_000)
    item = world.credit_item(member, 3_000)
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).items == (0,)
    world.accept("bank", MOVE)
    world.advance(2)
    call = recall(world, ACCOUNT_NAME, item, "recall")
    world.next_block(ms=86_400_000)
    assert get_current_account(world.state, ACCOUNT_NAME) == "care-next"
    already = get_entry("already").number
    assert [world.call(signer, call).number for signer in ("bank", "audit-one")] == [already, already]
    assert world.balance(member) == 7_000
    assert world.state.require(BOOKING_DAY, "care-next", call.booking_day).out_sum == 1_000


def test_an_account_is_moved_twice_and_the_first_name_leads_to_the_last(world: GovernanceWorld) -> None:
    world.carry_out("bank", MOVE)
    world.carry_out("bank", replace(MOVE, account="care-last"))
    assert get_current_account(world.state, ACCOUNT_NAME) == "care-last"
    assert world.pool.account == "care-last"
    refuse(world, "bank", MOVE, "account_in_use")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"plan": "other"}, "plan_unknown"), ({"pool": 1}, "pool_unknown"), ({"account": ACCOUNT_NAME}, "account_in_use")],
)
def test_a_move_that_names_what_is_not_there_is_refused(
    world: GovernanceWorld, change: dict[str, object], code: str
) -> None:
    refuse(world, "bank", replace(MOVE, **change), code)


def test_an_account_with_an_open_difference_is_not_moved(world: GovernanceWorld) -> None:
    account = world.state.require(ACCOUNT, ACCOUNT_NAME)
    world.state.put(ACCOUNT, replace(account, is_matched=False), ACCOUNT_NAME)
    refuse(world, "bank", MOVE, "account_not_reconciled")


def test_no_account_is_moved_while_members_money_is_between_two(world: GovernanceWorld) -> None:
    world.state.put(MOVES, MovesRecord(under_way=1), PLAN_NAME)
    refuse(world, "bank", MOVE, "move_under_way")


def test_the_account_of_an_ended_plan_stays(world: GovernanceWorld) -> None:
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    refuse(world, "bank", MOVE, "plan_not_active")


def test_a_plan_that_ended_between_the_vote_and_the_day_of_the_move_keeps_its_account(world: GovernanceWorld) -> None:
    world.accept("bank", MOVE)
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    with pytest.raises(Refusal) as refusal:
        validate_move_custody(world.state, world.context("automatic"), MOVE)
    assert refusal.value.entry.code == "plan_not_active"


def test_years_without_a_statement_are_not_taken_over(world: GovernanceWorld) -> None:
    account = world.state.require(ACCOUNT, ACCOUNT_NAME)
    closed_day = world.today - OPEN_DAYS_MAX - 1
    world.state.put(ACCOUNT, replace(account, closed_day=closed_day), ACCOUNT_NAME)
    refuse(world, "bank", MOVE, "limit_reached")


def test_the_account_of_a_silent_bank_is_moved_and_the_missing_days_are_stated(world: GovernanceWorld) -> None:
    world.join("a", 5_000)
    world.posts_statements = False
    world.advance(20)
    assert world.plan.status == PLAN_FROZEN
    world.carry_out("audit-one", MOVE)
    world.posts_statements = True
    world.advance(2)
    assert world.state.require(ACCOUNT, "care-next").closing == 5_000
    assert world.plan.status != PLAN_FROZEN


def test_money_that_was_told_under_the_old_name_does_not_count_again_under_the_new_one(world: GovernanceWorld) -> None:
    member = world.join("a", 5_000)
    world.accept("bank", MOVE)
    world.advance(2)
    item = world.credit_item(member, 3_000)
    interest = CashOtherItem(
        kind=CASH_INTEREST,
        amount=40,
        booking_day=world.today,
        ref_token=name_hash("interest"),
        payer_token=None,
        claim=None,
        instruction=None,
    )
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).items == (0,)
    assert world.call("bank", CashOther(account=ACCOUNT_NAME, items=(interest,))).items == (0,)
    world.next_block(ms=86_400_000)
    already, conflict = (get_entry(code).number for code in ("already", "reference_conflict"))
    assert world.call("bank", DepositCredit(account="care-next", items=(item,))).items == (already,)
    other = replace(item, amount=3_001)
    assert world.call("bank", DepositCredit(account="care-next", items=(other,))).items == (conflict,)
    assert world.call("bank", CashOther(account="care-next", items=(interest,))).items == (already,)
    assert (world.balance(member), world.pool.interest, world.pool.cash) == (8_000, 40, 8_040)


def test_a_deposit_of_before_the_move_is_recalled_under_either_name(world: GovernanceWorld) -> None:
    member = world.join("a", 5_000)
    item = world.credit_item(member, 3_000)
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).items == (0,)
    world.carry_out("bank", MOVE)
    for account in (ACCOUNT_NAME, "care-next"):
        recall(world, account, item, "recall", account)
    assert world.balance(member) == 6_000
