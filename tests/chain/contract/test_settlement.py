"""Notice and settlement on real trees: what is written, what is proven, what is carried (contract 3.4, 4)."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_tables import CLAIM, CLAIM_SETTLED
from chain.contract.events import PlanStatusChanged
from chain.contract.settlement_check import verify_settlement
from chain.contract.settlement_items import add_item
from chain.contract.settlement_math import CostItem, share_out
from chain.contract.settlement_tables import PERIOD_NOTICE, PERIOD_OPEN, SHARE_STEP, ItemRecord, SettlementRecord
from chain.contract.tables import MEMBER, PLAN_ACTIVE, PLAN_WIND_DOWN
from chain.errors import InvariantViolation, ProofError
from chain.trie import decode_root, sum_key
from chain.trie_proof import verify_range_proof
from chain.types import ZERO_HASH
from tests.chain.contract.world import PLAN_NAME, World, build_terms, name_hash

NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512
CHARGES = [CHARGE, NEXT_CHARGE, 20_526, 20_540]
NO_CAPS = {"cap_per_case_fen": "", "cap_per_year_fen": ""}


def test_the_notice_fixes_the_count_and_names_the_auditors() -> None:
    world = World()
    world.join("a", 5_000, weight=2)
    world.join("b", 5_000)
    world.apply("c")
    world.advance_to(NOTICE - 1)
    assert world.period(0).status == PERIOD_OPEN
    world.advance_to(NOTICE)
    period = world.period(0)
    assert (period.status, period.units_at_notice, period.members_at_notice) == (PERIOD_NOTICE, 3, 2)
    assert (period.confirmer, period.cosigner) == ("audit-one", "audit-two")
    assert world.pool.is_window
    world.advance_to(NEXT_NOTICE)
    assert (world.period(1).confirmer, world.period(1).cosigner) == ("audit-two", "audit-one")


def test_a_settlement_charges_without_touching_a_member() -> None:
    world = World()
    members = [world.join(f"m{number}", 2_000 + number) for number in range(40)]
    world.advance_to(NOTICE)
    claim = world.add_claim(members[0], 10_000)
    world.advance_to(CHARGE - 1)
    world.posts_statements = False
    world.advance_to(CHARGE)
    changed = [key for key, _ in world.state.get_changes()]
    assert not any(key.startswith(MEMBER.prefix(arity=1)) for key in changed)
    assert [world.member(member).x for member in members] == [2_000 + number for number in range(40)]
    assert world.pool.share_index == 270
    assert world.pool.carry == 0
    assert world.pool.aid_payable == 10_000
    assert world.pool.fee_held == 800
    assert world.pool.tree_money == sum(2_000 + number - 270 for number in range(40))
    step = world.state.require(SHARE_STEP, PLAN_NAME, 0, 0)
    assert (step.share_index, step.day, step.per) == (270, CHARGE, 270)
    assert world.state.require(CLAIM, claim).status == CLAIM_SETTLED
    assert world.state.require(CLAIM, claim).granted == 10_000


def build_charged(count: int = 60) -> World:
    """Return a world after a charge that some could not pay in full."""
    world = World(build_terms(**NO_CAPS))
    members = [world.join(f"m{number}", 1_000 + 7 * number, weight=1) for number in range(count)]
    world.advance_to(NOTICE)
    world.add_claim(members[0], 30_000)
    world.add_claim(members[1], 35_001)
    world.advance_to(CHARGE)
    return world


def test_a_settlement_can_be_recomputed_from_its_record_alone() -> None:
    world = build_charged()
    record = world.settlement(0)
    assert record.units_part > 0
    assert record.per > 1_000
    verify_settlement(record, world.terms.pool)
    sums = verify_range_proof(decode_root(record.tree_root), record.index_before, record.proofs[0])
    assert (sums.weight, sums.count) == (record.units, record.members) == (60, 60)


@pytest.mark.parametrize(
    "change",
    [
        {"per": 1},
        {"units": 57},
        {"members": 61},
        {"cost": 1},
        {"collected": 1},
        {"carry_after": 1},
        {"carry_before": 100},
        {"units_full": 60},
        {"units_part": 1},
        {"part_paid": 1},
        {"cases": 1},
        {"per_max": 10},
        {"index_before": 1},
        {"is_unfundable": True},
    ],
)
def test_a_record_that_says_anything_else_is_refused(change: dict[str, int]) -> None:
    world = build_charged()
    record = world.settlement(0)
    with pytest.raises(ProofError):
        verify_settlement(replace(record, **change), world.terms.pool)


def tamper(record: SettlementRecord) -> list[SettlementRecord]:
    """Return records with other grants, another item, another order of proofs, and a flipped bit in each proof."""
    first, second = record.items
    changed = [
        replace(record, items=(replace(first, granted=first.granted + 1), second)),
        replace(record, items=(first,)),
        replace(record, items=(replace(first, is_carried=True), second)),
        replace(record, proofs=(record.proofs[1], record.proofs[0], record.proofs[2])),
        replace(record, proofs=record.proofs[:2]),
    ]
    for number, proof in enumerate(record.proofs):
        flipped = bytes([*proof[:-1], proof[-1] ^ 1])
        changed.append(replace(record, proofs=(*record.proofs[:number], flipped, *record.proofs[number + 1 :])))
    return changed


def test_a_record_with_other_items_or_proofs_is_refused() -> None:
    world = build_charged()
    for record in tamper(world.settlement(0)):
        with pytest.raises(ProofError):
            verify_settlement(record, world.terms.pool)


def forge(world: World, record: SettlementRecord, per: int) -> SettlementRecord:
    """Return a record that charges another sum, with true proofs and everything else computed to fit it."""
    # Nothing changed the tree since the charge.
    tree = world.state.tree((PLAN_NAME, 0))
    at_index, above = tree.range_sums(0), tree.range_sums(per)
    collected = per * above.weight + at_index.weight_x - above.weight_x
    items = [CostItem(amount=item.amount, fee_bp=item.fee_bp, is_carried=False) for item in record.items]
    grants = share_out(items, cost=record.cost, available=collected)
    return replace(
        record,
        per=per,
        collected=collected,
        part_paid=collected - per * above.weight,
        units_full=above.weight,
        units_part=at_index.weight - above.weight,
        carry_after=collected - sum(grant.amount + grant.fee for grant in grants),
        items=tuple(
            replace(item, granted=grant.amount, fee=grant.fee) for item, grant in zip(record.items, grants, strict=True)
        ),
        proofs=tuple(tree.prove(sum_key(x=x, pseudonym=ZERO_HASH)) for x in (0, per, per - 1)),
    )


def test_a_charge_that_is_not_the_least_one_that_funds_the_need_is_refused() -> None:
    world = build_charged()
    record = world.settlement(0)
    verify_settlement(forge(world, record, record.per), world.terms.pool)
    for per in (record.per + 1, record.per + 40, record.per - 1, 500):
        with pytest.raises(ProofError):
            verify_settlement(forge(world, record, per), world.terms.pool)


def test_a_platform_that_reports_fewer_members_is_refused() -> None:
    world = build_charged()
    record = world.settlement(0)
    fewer = replace(record, units=record.units * 95 // 100, members=record.members * 95 // 100, per=record.per + 60)
    with pytest.raises(ProofError):
        verify_settlement(fewer, world.terms.pool)


def test_what_the_caps_leave_unpaid_is_carried_and_then_ended() -> None:
    world = World(build_terms(cap_per_case_fen="100", cap_per_year_fen="", carry_periods_max="2"))
    members = [world.join(f"m{number}", 10_000) for number in range(10)]
    world.advance_to(NOTICE)
    claim = world.add_claim(members[0], 3_000, fee_bp=0)
    world.advance_to(CHARGE)
    (item,) = world.settlement(0).items
    assert (item.granted, item.rest_carried, item.rest_ended) == (1_000, 2_000, 0)
    world.advance_to(NEXT_CHARGE)
    (item,) = world.settlement(1).items
    # A carried rest is not a case again: without a new one the cap per case allows nothing.
    assert (item.granted, item.rest_carried, item.is_carried) == (0, 2_000, True)
    assert world.settlement(1).per == 0
    world.advance_to(NEXT_CHARGE + 1)
    other = world.add_claim(members[1], 500, fee_bp=0)
    world.advance_to(CHARGES[2])
    items = {item.claim: item for item in world.settlement(2).items}
    assert items[claim].granted == 2_000 * 1_000 // 2_500
    assert (items[claim].rest_carried, items[claim].rest_ended) == (0, 1_200)
    assert (items[other].granted, items[other].rest_carried) == (200, 300)
    assert world.pool.items[1] - world.pool.items[0] == 1
    for number in range(3):
        verify_settlement(world.settlement(number), world.terms.pool)


def test_where_the_terms_end_it_nothing_is_carried() -> None:
    world = World(build_terms(cap_per_case_fen="100", unpaid='"end"'))
    member = world.join("a", 10_000)
    world.advance_to(NOTICE)
    world.add_claim(member, 3_000, fee_bp=0)
    world.advance_to(CHARGE)
    (item,) = world.settlement(0).items
    assert (item.granted, item.rest_carried, item.rest_ended) == (100, 0, 2_900)
    assert world.pool.items == (1, 1)


def test_an_item_that_gets_nothing_has_no_instruction() -> None:
    world = World(build_terms(cap_per_case_fen="1", unpaid='"end"'))
    member = world.join("a", 10_000)
    world.advance_to(NOTICE)
    world.add_claim(member, 1_000_000, fee_bp=0)
    world.add_claim(member, 1, fee_bp=0)
    world.advance_to(CHARGE)
    granted = [item.granted for item in world.settlement(0).items]
    assert granted == [1, 0]
    assert len(world.period(0).instructions) == 1


def test_the_cap_of_the_year_starts_anew_in_january() -> None:
    world = World(build_terms(cap_per_case_fen="", cap_per_year_fen="500"), start_day=20_420)
    member = world.join("a", 10_000)
    charged = []
    # 28 December 2025 takes 300; in January the year's 500 are free again.
    for day in (20_450, 20_467, 20_481):
        world.advance_to(day - 1)
        world.add_claim(member, 300, fee_bp=0)
        world.advance_to(day)
        charged.append(world.settlement(world.pool.settlements - 1).per)
    assert charged == [300, 300, 200]


def test_a_plan_whose_members_cannot_fund_the_need_winds_down() -> None:
    world = World(build_terms(**NO_CAPS))
    member = world.join("a", 1_000)
    world.advance_to(NOTICE)
    world.add_claim(member, 5_000)
    world.advance_to(CHARGE)
    record = world.settlement(0)
    assert record.is_unfundable
    assert (record.per, record.collected) == (1_000, 1_000)
    verify_settlement(record, world.terms.pool)
    assert (world.plan.status, world.plan.wind_day) == (PLAN_WIND_DOWN, CHARGE)
    assert any(isinstance(event, PlanStatusChanged) for event in world.block_events)
    world.advance_to(NEXT_CHARGE)
    assert world.pool.settlements == 2


def test_two_small_notices_running_after_the_launch_wind_the_plan_down() -> None:
    world = World(build_terms(members_min="2", launch_days="12"))
    world.join("a", 5_000)
    world.advance_to(NOTICE)
    assert world.plan.status == PLAN_ACTIVE
    world.advance_to(NEXT_NOTICE)
    assert world.plan.status == PLAN_ACTIVE
    world.advance_to(NEXT_NOTICE + 14)
    assert world.plan.status == PLAN_WIND_DOWN


def test_enough_members_at_one_of_two_notices_keep_the_plan() -> None:
    world = World(build_terms(members_min="2", launch_days="0"))
    world.join("a", 5_000)
    world.advance_to(NOTICE)
    world.advance_to(CHARGE)
    world.join("b", 5_000)
    world.advance_to(NEXT_NOTICE + 28)
    assert world.plan.status == PLAN_ACTIVE


def test_an_item_of_nothing_is_never_listed() -> None:
    world = World()
    item = ItemRecord(kind=0, member=name_hash("m"), claim=name_hash("c"), amount=0, fee_bp=0, carried=0)
    with pytest.raises(InvariantViolation):
        add_item(world.state, item, PLAN_NAME, 0)
