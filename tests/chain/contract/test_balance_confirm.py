"""Balances that auditors obtain by themselves (contract 5 *balance_confirm*)."""

from msgspec.structs import replace

from chain.contract.balance_confirm import CONFIRM_BACK_DAYS, CONFIRM_DAYS, compute_confirm_due
from chain.contract.custody_tables import STATEMENT_DISPUTED, STATEMENT_RESOLVED
from chain.contract.money_calls import BalanceConfirm
from chain.contract.money_events import BalanceConfirmed, StatementDisputed
from chain.contract.money_tables import CONFIRMATION, RECONCILIATION
from chain.contract.tables import PLAN_ACTIVE, PLAN_FROZEN
from tests.chain.contract.money_world import (
    ALREADY,
    CONFLICT,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    build_resolution,
    get_account,
    get_statement,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, START_DAY, World, name_hash


def confirm(day: int, closing: int = 5_000) -> BalanceConfirm:
    return BalanceConfirm(account=ACCOUNT_NAME, day=day, closing=closing, letter_hash=name_hash("letter", day))


def build_closed() -> World:
    world = World()
    world.join("a", 5_000)
    world.advance(5)
    return world


def test_a_letter_that_says_the_same_is_recorded() -> None:
    world = build_closed()
    assert world.call("audit-one", confirm(START_DAY + 2)).number == SUCCESS
    record = world.state.require(CONFIRMATION, ACCOUNT_NAME, "audit-one")
    assert (record.day, record.closing, record.is_equal) == (START_DAY + 2, 5_000, True)
    (event,) = world.last_events
    assert isinstance(event, BalanceConfirmed)
    assert event.is_equal


def test_one_letter_that_says_otherwise_is_public_and_stops_nothing() -> None:
    world = build_closed()
    assert world.call("audit-one", confirm(START_DAY + 2, 4_999)).number == SUCCESS
    (event,) = world.last_events
    assert isinstance(event, BalanceConfirmed)
    assert (event.is_equal, event.closing, event.expected_closing) == (False, 4_999, 5_000)
    world.advance(2)
    assert (world.plan.status, get_account(world).is_matched) == (PLAN_ACTIVE, True)


def test_the_letters_of_two_auditors_freeze_the_plan_until_the_statement_is_explained() -> None:
    world = build_closed()
    day = START_DAY + 2
    world.call("audit-one", confirm(day, 4_999))
    world.call("audit-two", confirm(day, 4_998))
    assert StatementDisputed(account=ACCOUNT_NAME, span=2) in world.last_events
    assert get_statement(world, 2).state == STATEMENT_DISPUTED
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    posted = get_statement(world, 2)
    call = replace(
        build_resolution(world.build_statement(day, day), 2),
        opening=posted.opening,
        closing=posted.closing,
        file_hash=posted.file_hash,
    )
    assert sign(world, call).number == SUCCESS
    world.advance(3)
    assert (world.plan.status, get_account(world).is_matched) == (PLAN_ACTIVE, True)
    assert get_statement(world, 2).state == STATEMENT_RESOLVED


def test_a_dispute_is_not_forgotten_when_an_older_statement_is_explained() -> None:
    world = build_closed()
    day = START_DAY + 2
    for disputed in (day - 1, day):
        world.call("audit-one", confirm(disputed, 4_999))
        world.call("audit-two", confirm(disputed, 4_999))
    assert world.state.require(RECONCILIATION, ACCOUNT_NAME).statement == 1
    posted = get_statement(world, 1)
    call = build_resolution(world.build_statement(day - 1, day - 1), 1, opening=posted.opening, closing=posted.closing)
    assert sign(world, call).number == SUCCESS
    world.advance(2)
    assert get_statement(world, 1).state == STATEMENT_RESOLVED
    assert (get_statement(world, 2).state, get_account(world).is_matched) == (STATEMENT_DISPUTED, False)
    assert world.state.require(RECONCILIATION, ACCOUNT_NAME).statement == 2


def test_letters_about_different_days_or_of_one_auditor_do_not_add_up() -> None:
    world = build_closed()
    world.call("audit-one", confirm(START_DAY + 1, 4_999))
    world.call("audit-one", confirm(START_DAY + 2, 4_999))
    world.call("audit-two", confirm(START_DAY + 1, 4_999))
    assert get_account(world).is_matched


def test_an_auditor_may_correct_its_letter_and_tells_it_once() -> None:
    world = build_closed()
    world.call("audit-one", confirm(START_DAY + 2, 4_999))
    assert_changes_nothing(world, confirm(START_DAY + 2, 4_999), ALREADY, ("audit-one",))
    assert world.call("audit-one", confirm(START_DAY + 2)).number == SUCCESS
    world.call("audit-two", confirm(START_DAY + 2, 4_999))
    assert get_account(world).is_matched
    assert_changes_nothing(world, confirm(START_DAY + 1), CONFLICT, ("audit-one",))


def test_only_auditors_and_only_the_last_day_of_a_posted_statement() -> None:
    world = build_closed()
    for signer in ("platform", "bank", "firm-a", "stranger"):
        assert_changes_nothing(world, confirm(START_DAY), WRONG_ROLE, (signer,))
    assert_changes_nothing(world, replace(confirm(START_DAY), account="other"), 200, ("audit-one",))
    assert_changes_nothing(world, confirm(world.today), 211, ("audit-one",))
    assert_changes_nothing(world, confirm(START_DAY - 1), 211, ("audit-one",))
    world.posts_statements = False
    world.advance(3)
    world.post_statements()
    assert_changes_nothing(world, confirm(world.today - 2), 211, ("audit-one",))
    assert world.call("audit-one", confirm(world.today - 1)).number == SUCCESS


def test_a_letter_about_a_day_long_ago_changes_nothing() -> None:
    world = build_closed()
    world.advance(CONFIRM_BACK_DAYS)
    last = get_account(world).closed_day
    assert_changes_nothing(world, confirm(last - CONFIRM_BACK_DAYS - 1), 313, ("audit-one",))
    assert world.call("audit-one", confirm(last - CONFIRM_BACK_DAYS)).number == SUCCESS


def test_an_auditor_is_overdue_a_month_and_ten_days_after_the_last_day_that_it_confirmed() -> None:
    world = build_closed()
    world.call("audit-two", confirm(START_DAY + 2))
    records = [world.state.get(CONFIRMATION, ACCOUNT_NAME, name) for name in ("audit-one", "audit-two")]
    due = [compute_confirm_due(record, world.pool.start_day) for record in records]
    assert due == [START_DAY + CONFIRM_DAYS, START_DAY + 2 + CONFIRM_DAYS]
