"""The charge of one period as a pure function of range sums, costs and caps (contract 3.4).

No state, no members: the money of a pool at any index follows from two range sums, so the least charge per
unit that funds the cost is found by a search that asks for O(log n) sums. Nobody pays more than he has; what
is missing is his arrears. If nobody falls short this is the published rule: per = ceil(need / N), 0 <= carry
< N.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from chain.trie import Sums

BP: Final = 10_000
INDEX_END: Final = 2**31
"""X and I lie below (contract 3.2)."""

SumsFrom = Callable[[int], Sums]
"""Sums over the leaves with X >= the argument."""


class CostItem(Struct, frozen=True):
    """What a settlement is asked to pay."""

    amount: int
    """u_i in fen, at least 1."""
    fee_bp: int
    """bp_i: the platform's fee in basis points; 0 for a refund of shares."""
    is_carried: bool
    """Whether it is the rest of an earlier settlement: such a case is not counted again."""


class Caps(Struct, frozen=True):
    """The most that a unit of weight pays in fen, fee included; None: no such cap."""

    per_case: int | None
    per_period: int | None
    per_year: int | None


class Grant(Struct, frozen=True):
    """What one item gets."""

    amount: int
    """g_i in fen."""
    fee: int
    """f_i in fen."""


class Charge(Struct, frozen=True):
    """The result of one settlement."""

    per: int
    """Fen charged for each unit of weight."""
    per_max: int
    """What the caps allow; where there is no cap, what empties the last leaf at most."""
    cost: int
    cases: int
    collected: int
    """C(per)."""
    carry: int
    """R afterwards."""
    grants: tuple[Grant, ...]
    at_index: Sums
    """Sums at I: N and the count."""
    at_charge: Sums
    """Sums at I + per: those who paid in full."""
    is_unfundable: bool
    """Even the greatest charge that the members' money allows falls short, and not because of a cap."""

    @property
    def part_paid(self) -> int:
        """Return what those paid who had less than the charge."""
        return self.collected - self.per * self.at_charge.weight


def compute_cost(items: Sequence[CostItem]) -> int:
    """Return the sum of the amounts and their fees; each fee is rounded down for itself."""
    return sum(item.amount + item.amount * item.fee_bp // BP for item in items)


def compute_per_max(*, caps: Caps, cases: int, index: int, year_index: int) -> int:
    """Return the most that the caps allow for a unit; without a cap, what no leaf can exceed."""
    limits = [INDEX_END - 1 - index]
    if caps.per_case is not None:
        limits.append(caps.per_case * cases)
    if caps.per_period is not None:
        limits.append(caps.per_period)
    if caps.per_year is not None:
        limits.append(caps.per_year - (index - year_index))
    return max(0, min(limits))


def compute_collected(*, sums_from: SumsFrom, at_index: Sums, index: int, per: int) -> int:
    """Return C(per): each pays `per` for a unit, or what he has, whichever is less."""
    if per <= 0:
        return 0
    above = sums_from(index + per)
    part_weight = at_index.weight - above.weight
    part_weight_x = at_index.weight_x - above.weight_x
    return per * above.weight + part_weight_x - index * part_weight


def find_per(*, goal: int, per_max: int, units: int, collected_at: Callable[[int], int]) -> int:
    """Return the least p in 0..per_max with C(p) >= goal; the caller knows that C(per_max) >= goal.

    C(p) <= p * units, so the search starts at ceil(goal / units), which is the answer where nobody falls
    short. From there it doubles its step, then halves: O(log p) sums.
    """
    if goal <= 0:
        return 0
    low = -(-goal // units)
    if collected_at(low) >= goal:
        return low
    step = 1
    high = min(per_max, low + step)
    while collected_at(high) < goal:
        low = high
        step *= 2
        high = min(per_max, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        if collected_at(middle) >= goal:
            high = middle
        else:
            low = middle
    return high


def compute_charge(
    *, sums_from: SumsFrom, items: Sequence[CostItem], carry: int, index: int, year_index: int, caps: Caps
) -> Charge:
    """Return the charge, the grants and the carry of one settlement.

    `index` is I, `carry` R before, `year_index` I at the start of the calendar year of the charge day.
    """
    at_index = sums_from(index)
    money = at_index.weight_x - index * at_index.weight
    cost = compute_cost(items)
    cases = sum(not item.is_carried for item in items)
    per_max = compute_per_max(caps=caps, cases=cases, index=index, year_index=year_index)
    need = cost - carry

    def collected_at(per: int) -> int:
        return compute_collected(sums_from=sums_from, at_index=at_index, index=index, per=per)

    per = collected = 0
    is_unfundable = False
    if need > 0:
        most = collected_at(per_max)
        per = find_per(goal=min(need, most), per_max=per_max, units=at_index.weight, collected_at=collected_at)
        collected = collected_at(per)
        is_unfundable = most < need and most == money
    available = collected + carry
    grants = share_out(items, cost=cost, available=available)
    return Charge(
        per=per,
        per_max=per_max,
        cost=cost,
        cases=cases,
        collected=collected,
        carry=available - sum(grant.amount + grant.fee for grant in grants),
        grants=grants,
        at_index=at_index,
        at_charge=sums_from(index + per),
        is_unfundable=is_unfundable,
    )


def share_out(items: Sequence[CostItem], *, cost: int, available: int) -> tuple[Grant, ...]:
    """Grant everything where the money suffices, else the same share of each item, rounded down."""
    if available >= cost:
        amounts = [item.amount for item in items]
    else:
        asked = sum(item.amount * (BP + item.fee_bp) for item in items)
        amounts = [item.amount * available * BP // asked for item in items]
    return tuple(
        Grant(amount=amount, fee=amount * item.fee_bp // BP) for item, amount in zip(items, amounts, strict=True)
    )
