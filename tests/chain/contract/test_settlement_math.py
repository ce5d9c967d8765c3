"""The charge as a pure function: published figures, edges, and a walk over all members (contract 3.4)."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chain.contract.settlement_math import INDEX_END, Caps, Charge, CostItem, compute_charge
from chain.trie import Sums

NO_CAPS = Caps(per_case=None, per_period=None, per_year=None)
Leaves = list[tuple[int, int]]
"""(X, weight)."""


def sums_of(leaves: Leaves) -> Callable[[int], Sums]:
    def sums_from(x_from: int) -> Sums:
        above = [(x, weight) for x, weight in leaves if x >= x_from]
        return Sums(
            count=len(above),
            weight=sum(weight for _, weight in above),
            weight_x=sum(weight * x for x, weight in above),
            rem=0,
        )

    return sums_from


def charge(
    leaves: Leaves, *amounts: int, fee_bp: int = 0, carry: int = 0, index: int = 0, caps: Caps = NO_CAPS
) -> Charge:
    items = [CostItem(amount=amount, fee_bp=fee_bp, is_carried=False) for amount in amounts]
    return compute_charge(sums_from=sums_of(leaves), items=items, carry=carry, index=index, year_index=0, caps=caps)


def test_the_period_of_february_2020_gives_the_published_charge() -> None:
    # 99,461,300 sharers at 3.45 yuan: the cost is back-solved, with the fee in it.
    result = charge([(100_000, 99_461_300)], 34_313_976_000)
    assert result.per == 345
    assert result.collected == 34_314_148_500
    assert result.carry == 172_500
    assert result.grants[0].amount == 34_313_976_000


@pytest.mark.parametrize("mean_aid_fen", [13_305_600, 13_320_000, 13_344_100])
def test_any_mean_aid_of_the_published_range_gives_the_charge_of_february_2020(mean_aid_fen: int) -> None:
    result = charge([(100_000, 99_461_300)], *[mean_aid_fen] * 2_381, fee_bp=800, caps=Caps(10, None, 18_800))
    assert result.per == 345
    assert result.cases == 2_381


def test_the_first_period_of_august_2019_gives_the_published_charge() -> None:
    # 500 cases over 77.32 million sharers at 1.47 yuan; 8 % fee, so a mean aid of 210,482 yuan.
    result = charge([(100_000, 77_320_000)], *[21_048_200] * 500, fee_bp=800, caps=Caps(10, None, 18_800))
    assert result.per == 147
    assert result.cost == 500 * (21_048_200 + 21_048_200 * 800 // 10_000)
    assert result.collected == 147 * 77_320_000
    assert 0 <= result.carry < 77_320_000


def test_who_is_one_fen_short_pays_what_he_has_and_nobody_falls_off_a_cliff() -> None:
    # A thousand members own 100 fen each; the cost needs 101 of each. All-or-nothing would collect nothing.
    result = charge([(100, 1_000)], 100_500)
    assert result.collected == 100_000
    assert result.per == 100
    assert result.is_unfundable
    mixed = charge([(100, 999), (10_000, 1)], 100_000)
    assert mixed.per == 100
    richer = charge([(100, 999), (10_000, 1)], 100_001)
    assert richer.per == 101
    assert richer.collected == 999 * 100 + 101
    assert richer.part_paid == 999 * 100
    assert richer.at_charge.weight == 1
    assert not richer.is_unfundable


def test_nothing_is_charged_while_the_carry_covers_the_cost() -> None:
    result = charge([(100, 5)], 40, carry=40)
    assert (result.per, result.collected, result.carry) == (0, 0, 0)
    assert result.grants[0].amount == 40


def test_a_period_without_cost_charges_nothing_and_keeps_the_carry() -> None:
    result = charge([(100, 5)], carry=7)
    assert (result.per, result.carry, result.grants) == (0, 7, ())
    assert not result.is_unfundable


def test_an_empty_pool_is_unfundable_and_divides_by_nothing() -> None:
    result = charge([], 40)
    assert (result.per, result.collected, result.grants[0].amount) == (0, 0, 0)
    assert result.is_unfundable


def test_each_fee_is_rounded_down_for_itself() -> None:
    result = charge([(1_000, 1)], 13, 13, fee_bp=800)
    assert result.cost == 2 * (13 + 1)
    assert [grant.fee for grant in result.grants] == [1, 1]


@pytest.mark.parametrize(
    ("caps", "limit"),
    [
        (Caps(10, None, None), 20),
        (Caps(None, 15, None), 15),
        (Caps(None, None, 25), 25),
        (Caps(10, 15, 25), 15),
        (Caps(10, 15, 5), 5),
    ],
)
def test_the_tightest_cap_limits_the_charge_and_a_cap_is_no_lack_of_money(caps: Caps, limit: int) -> None:
    result = charge([(1_000, 3)], 500, 500, caps=caps)
    assert result.per == limit == result.per_max
    assert not result.is_unfundable
    assert sum(grant.amount for grant in result.grants) == limit * 3 - result.carry


def test_the_year_cap_counts_from_the_index_of_new_year() -> None:
    items = [CostItem(amount=1_000, fee_bp=0, is_carried=False)]
    result = compute_charge(
        sums_from=sums_of([(5_000, 10)]),
        items=items,
        carry=0,
        index=1_200,
        year_index=1_150,
        caps=Caps(None, None, 60),
    )
    assert result.per == 10


def test_carried_rests_are_not_counted_as_cases_again() -> None:
    items = [CostItem(amount=90, fee_bp=0, is_carried=True), CostItem(amount=90, fee_bp=0, is_carried=False)]
    result = compute_charge(
        sums_from=sums_of([(5_000, 1)]), items=items, carry=0, index=0, year_index=0, caps=Caps(100, None, None)
    )
    assert result.cases == 1
    assert result.per == 100


def test_l2_the_largest_index_and_weights_do_not_overflow() -> None:
    leaves = [(INDEX_END - 1, 2**32 - 1)]
    result = charge(leaves, 2**53 - 1, index=INDEX_END - 2)
    assert result.per == 1
    assert result.collected == 2**32 - 1
    assert result.is_unfundable


LEAVES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12)
CAP = st.one_of(st.none(), st.integers(1, 70))


@given(
    leaves=LEAVES,
    amounts=st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0, 800, 10_000]), st.booleans()), max_size=4),
    carry=st.integers(0, 60),
    index=st.integers(0, 40),
    caps=st.builds(Caps, CAP, CAP, CAP),
)
@example(leaves=[(10, 1)], amounts=[(11, 0, False)], carry=0, index=0, caps=NO_CAPS)
def test_the_charge_is_that_of_a_walk_over_all_members(
    leaves: Leaves, amounts: list[tuple[int, int, bool]], carry: int, index: int, caps: Caps
) -> None:
    items = [CostItem(amount=amount, fee_bp=fee, is_carried=old) for amount, fee, old in amounts]
    year_index = index // 2
    result = compute_charge(
        sums_from=sums_of(leaves), items=items, carry=carry, index=index, year_index=year_index, caps=caps
    )
    # The walk: what everybody has, and the first charge from 0 upwards that is enough.
    money = [(x - index, weight) for x, weight in leaves if x >= index]
    cost = sum(amount + amount * fee // 10_000 for amount, fee, _ in amounts)
    limit = 200
    if caps.per_case is not None:
        limit = min(limit, caps.per_case * sum(1 for _, _, old in amounts if not old))
    if caps.per_period is not None:
        limit = min(limit, caps.per_period)
    if caps.per_year is not None:
        limit = min(limit, max(0, caps.per_year - (index - year_index)))

    def collect(per: int) -> int:
        return sum(min(per, has) * weight for has, weight in money)

    goal = min(max(0, cost - carry), collect(limit))
    per = next(candidate for candidate in range(limit + 1) if collect(candidate) >= goal)
    assert result.per == per
    assert result.collected == collect(per)
    available = collect(per) + carry
    share = Fraction(1)
    if available < cost:
        share = Fraction(available) / sum(Fraction(amount * (10_000 + fee), 10_000) for amount, fee, _ in amounts)
    assert [grant.amount for grant in result.grants] == [int(amount * share) for amount, _, _ in amounts]
    assert result.carry == available - sum(grant.amount + grant.fee for grant in result.grants) >= 0
    everything = sum(has * weight for has, weight in money)
    assert result.is_unfundable == (cost - carry > max(0, collect(limit)) and collect(limit) == everything)
    assert result.part_paid == sum(has * weight for has, weight in money if has < per)
