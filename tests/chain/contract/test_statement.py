"""Statements compared with the chain's own books (contract 2 *Custody*, 3.7)."""

import pytest
from msgspec.structs import replace

from chain.contract.custody_tables import ACCOUNT, STATEMENT, STATEMENT_MATCHED, STATEMENT_MISMATCH
from chain.contract.money_tables import RECONCILIATION
from chain.contract.tables import PLAN_ACTIVE, PLAN_FROZEN
from tests.chain.contract.money_world import get_account, get_statement
from tests.chain.contract.world import ACCOUNT_NAME, World

SUCCESS, ALREADY = 0, 7


def post(world: World, from_day: int, to_day: int, **changes: object) -> int:
    return world.call("bank", replace(world.build_statement(from_day, to_day), **changes)).number


def build_quiet() -> World:
    world = World(statements=False)
    world.join("a", 5_000)
    world.advance(3)
    return world


def test_a_statement_that_equals_the_books_is_matched() -> None:
    world = build_quiet()
    assert post(world, world.today - 3, world.today - 1) == SUCCESS
    account = world.state.require(ACCOUNT, ACCOUNT_NAME)
    assert (account.closed_day, account.closing, account.is_matched) == (world.today - 1, 5_000, True)
    assert world.state.require(STATEMENT, ACCOUNT_NAME, 0).is_matched


@pytest.mark.parametrize(
    "changes",
    [
        {"closing": 4_999},
        {"opening": 1},
        {"in_count": 2},
        {"in_sum": 5_001},
        {"out_count": 1},
        {"out_sum": 1},
        {"in_sum": 5_001, "closing": 5_001},
        {"opening": 1, "closing": 5_001},
    ],
)
def test_any_difference_is_a_mismatch_and_freezes_the_plan_from_the_next_day(changes: dict[str, int]) -> None:
    world = build_quiet()
    assert post(world, world.today - 3, world.today - 1, **changes) == SUCCESS
    assert not world.state.require(ACCOUNT, ACCOUNT_NAME).is_matched
    assert world.plan.status == PLAN_ACTIVE
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    world.posts_statements = True
    world.advance(20)
    assert world.plan.status == PLAN_FROZEN


def test_statements_follow_each_other_without_a_gap_and_cover_at_most_ten_days() -> None:
    world = build_quiet()
    start = world.today - 3
    assert post(world, start + 1, start + 1) == 204
    assert post(world, start, start - 1) == 205
    assert post(world, start, world.today) == 203
    assert post(world, start, start) == SUCCESS
    assert post(world, start, start) == 204
    world.advance(9)
    assert post(world, start + 1, start + 11) == 205
    assert post(world, start + 1, start + 10) == SUCCESS


def test_the_same_statement_twice_is_already() -> None:
    world = build_quiet()
    call = world.build_statement(world.today - 3, world.today - 1)
    assert world.call("bank", call).number == SUCCESS
    assert world.call("bank", call).number == ALREADY
    assert world.call("bank", replace(call, closing=1)).number == 204


def test_only_the_bank_posts_statements() -> None:
    world = build_quiet()
    call = world.build_statement(world.today - 3, world.today - 1)
    for signer in ("platform", "audit-one", "stranger"):
        assert world.call(signer, call).number == 2
    assert world.call("bank", replace(call, account="other")).number == 200


def test_a_plan_without_statements_is_frozen_after_twelve_days_until_they_catch_up() -> None:
    world = World(statements=False)
    world.join("a", 5_000)
    closed = world.state.require(ACCOUNT, ACCOUNT_NAME).closed_day
    world.advance_to(closed + 12)
    assert world.plan.status == PLAN_ACTIVE
    world.advance(1)
    assert (world.plan.status, world.plan.since_day) == (PLAN_FROZEN, closed + 13)
    world.posts_statements = True
    world.advance(1)
    assert world.plan.status == PLAN_FROZEN
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE
    assert world.plan.stopped_days == 2


def test_after_a_mismatch_later_statements_are_compared_by_what_moved_on_their_own_days() -> None:
    world = build_quiet()
    start = world.today - 3
    assert post(world, start, start, closing=4_999) == SUCCESS
    assert post(world, start + 1, start + 1) == SUCCESS
    assert [get_statement(world, number).state for number in (0, 1)] == [STATEMENT_MISMATCH, STATEMENT_MATCHED]
    reconciliation = world.state.require(RECONCILIATION, ACCOUNT_NAME)
    assert (reconciliation.statement, reconciliation.explained) == (0, 0)
    assert not get_account(world).is_matched
