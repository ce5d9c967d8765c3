"""Contract 3.4: nobody falls off a cliff.

100,000 members of whom 60 % hold exactly 10.00 yuan, and a need of 10.01 yuan a head.
"""

import pytest
from msgspec.structs import replace

from chain.contract.settlement_check import verify_settlement
from chain.contract.shares import get_arrears, get_balance, is_covered, is_suspended
from chain.contract.tables import MEMBER_SHARING, PLAN_ACTIVE, POOL
from chain.crypto import sha256
from chain.trie import Leaf, sum_operation
from chain.types import Hash
from tests.chain.contract.world import PLAN_NAME, START_DAY, World, build_terms

MEMBERS = 100_000
POOR, RICH = 60_000, 40_000
HELD_FEN, RICH_FEN = 1_000, 20_000
NEED_FEN = 1_001 * MEMBERS
CHARGE_FEN = 1_003
"""60,000 pay their 10.00, so 40,000 pay the rest: 60,000 * 1,000 + 40,000 * p >= 100,100,000 gives p = 1,002.5."""


def fill(world: World, *, poor: int, rich: int) -> None:
    """Put leaves into the pool's tree, and their sums into its record; the real members are there already."""
    key = (PLAN_NAME, 0)
    pending = world.base.open_pool_tree(key)
    held = [HELD_FEN] * poor + [RICH_FEN] * rich
    pending.update(
        [
            sum_operation(x=x, pseudonym=Hash(sha256(number.to_bytes(8, "big"))), leaf=Leaf(weight=1, rem=0))
            for number, x in enumerate(held)
        ]
    )
    world.base.commit_tree(key, pending)
    pool = world.pool
    money = sum(held)
    filled = replace(pool, entered=pool.entered + len(held), tree_money=pool.tree_money + money, cash=pool.cash + money)
    world.state.put(POOL, filled, PLAN_NAME, 0)


@pytest.mark.slow
def test_who_holds_ten_yuan_pays_ten_yuan_and_is_three_fen_in_arrears() -> None:
    world = World(build_terms(fee_bp="0", cap_per_case_fen="", cap_per_year_fen=""))
    poor = world.join("poor", HELD_FEN)
    rich = world.join("rich", RICH_FEN)
    world.commit_block()
    world.reopen()
    fill(world, poor=POOR - 1, rich=RICH - 1)
    world.next_block()
    world.advance_to(START_DAY + 9)
    for claimant in (poor, rich):
        world.add_claim(claimant, NEED_FEN // 2, fee_bp=0)
    world.advance_to(START_DAY + 16)
    pool, record = world.pool, world.settlement(0)
    assert (record.per, record.units, record.units_full, record.units_part) == (CHARGE_FEN, MEMBERS, RICH, POOR)
    assert record.part_paid == POOR * HELD_FEN
    assert record.collected == POOR * HELD_FEN + RICH * CHARGE_FEN
    assert (record.cost, record.carry_after) == (NEED_FEN, record.collected - NEED_FEN)
    assert sum(item.granted for item in record.items) == NEED_FEN
    verify_settlement(record, world.terms.pool)
    # Who had 10.00 paid it all and owes 0.03: suspended from tomorrow, not thrown out, covered today.
    member = world.member(poor)
    assert (get_balance(member, pool.share_index), get_arrears(member, pool.share_index)) == (0, 3)
    assert member.status == MEMBER_SHARING
    assert is_suspended(member, pool.share_index)
    assert is_covered(world.state, member, pool, world.today, True)
    assert not is_covered(world.state, member, pool, world.today + 1, True)
    assert get_balance(world.member(rich), pool.share_index) == RICH_FEN - CHARGE_FEN
    assert world.plan.status == PLAN_ACTIVE
    # Three fen are enough to come back.
    world.next_block()
    assert world.credit(poor, 3).items == (0,)
    member = world.member(poor)
    assert (get_balance(member, pool.share_index), get_arrears(member, pool.share_index)) == (0, 0)
    world.commit_block()
