"""One settlement, computed again from its public record alone, by nobody's code but this page's (contract
3.4).

It shares no line with the contract: so a mistake there is found here. What it cannot see are the members
behind the sums; that the sums are those of the tree is what the record's range proofs show."""

from collections.abc import Callable

from msgspec import Struct

from chain.errors import ProofError
from chain.trie import decode_root
from chain.trie_proof import verify_range_proof

Compare = Callable[[str, int, int], None]

BP = 10_000


class ItemFigures(Struct, frozen=True):
    """One item as the record shows it; money in fen."""

    kind: str
    """aid or share_refund."""
    asked: int
    fee_bp: int
    granted: int
    fee: int
    rest_carried: int
    rest_ended: int
    is_carried: bool


class SettlementFigures(Struct, frozen=True):
    """One settlement as the record shows it; money in fen."""

    number: int
    day: str
    """ISO date."""
    members: int
    units: int
    """N: the weight of those who can pay at all."""
    units_full: int
    """Weight of those who paid the whole charge."""
    units_part: int
    part_paid: int
    per: int
    per_max: int
    index_before: int
    year_index: int
    cost: int
    collected: int
    carry_before: int
    carry_after: int
    cases: int
    items: tuple[ItemFigures, ...]
    tree_root: bytes = b""
    """Encoded root of the sum tree of all sharing members before the charge."""
    proofs: tuple[bytes, ...] = ()
    """Range proofs at I, I + per and, for a charge, I + per - 1."""


class CapFigures(Struct, frozen=True):
    """What bounds a charge, fen for a unit; None: nothing does."""

    per_case: int | None
    per_period: int | None
    per_year: int | None


def find_mistakes(record: SettlementFigures, caps: CapFigures) -> list[str]:
    """Return what the record claims and this computation does not find, in words; nothing where all agree."""
    mistakes: list[str] = []

    def compare(what: str, claimed: int, found: int) -> None:
        if claimed != found:
            mistakes.append(f"settlement {record.number}: {what} is {claimed} in the record, {found} recomputed")

    compare("cost", record.cost, sum(item.asked + item.asked * item.fee_bp // BP for item in record.items))
    compare("cases", record.cases, sum(not item.is_carried for item in record.items))
    compare("units", record.units, record.units_full + record.units_part)
    compare("per_max", record.per_max, compute_bound(record, caps))
    collected = record.per * record.units_full + record.part_paid
    compare("collected", record.collected, collected)
    need = record.cost - record.carry_before
    if need <= 0:
        compare("per", record.per, 0)
    else:
        mistakes += _find_wrong_charge(record, collected=collected, need=need)
    _compare_grants(record, available=collected + record.carry_before, compare=compare)
    return mistakes


def find_unproven(record: SettlementFigures) -> list[str]:
    """Return the sums of the record that its range proofs do not show; nothing where all are proven.

    A proof at index x commits to count, weight, and weight times X of all members whose money reaches x or further.
    """
    name = f"settlement {record.number}"
    places = [record.index_before, record.index_before + record.per]
    if record.per > 0:
        places.append(record.index_before + record.per - 1)
    if len(record.proofs) != len(places):
        return [f"{name}: {len(record.proofs)} proofs for {len(places)} places"]
    try:
        root = decode_root(record.tree_root)
        sums = [verify_range_proof(root, x, proof) for x, proof in zip(places, record.proofs, strict=True)]
    except ProofError as error:
        return [f"{name}: {error}"]
    all_payers, full_payers = sums[0], sums[1]
    part_money = (
        all_payers.weight_x - full_payers.weight_x - record.index_before * (all_payers.weight - full_payers.weight)
    )
    claimed = (record.members, record.units, record.units_full, record.part_paid)
    proven = (all_payers.count, all_payers.weight, full_payers.weight, part_money)
    words = ("members", "units", "units in full", "paid in part")
    return [
        f"{name}: {word} {said} in the record, {shown} proven"
        for word, said, shown in zip(words, claimed, proven, strict=True)
        if said != shown
    ]


def compute_bound(record: SettlementFigures, caps: CapFigures) -> int:
    """Return the most that a unit may be charged."""
    bounds = [2**31 - 1 - record.index_before]
    if caps.per_case is not None:
        bounds.append(caps.per_case * record.cases)
    if caps.per_period is not None:
        bounds.append(caps.per_period)
    if caps.per_year is not None:
        bounds.append(caps.per_year - (record.index_before - record.year_index))
    return max(0, min(bounds))


def _find_wrong_charge(record: SettlementFigures, *, collected: int, need: int) -> list[str]:
    """The charge is the least that collects the goal: one fen less a unit would collect `units_full` less."""
    name = f"settlement {record.number}"
    mistakes = []
    if record.per > record.per_max:
        mistakes.append(f"{name}: the charge of {record.per} exceeds its bound of {record.per_max}")
    if collected < need and record.per < record.per_max and record.units_full > 0:
        mistakes.append(f"{name}: {collected} collected of {need}, though a higher charge would collect more")
    goal = min(need, collected)
    if record.per > 0 and collected - record.units_full >= goal:
        mistakes.append(f"{name}: a charge of {record.per - 1} would have collected enough")
    if record.units_part == 0 and collected >= need and record.per != -(-need // record.units):
        mistakes.append(f"{name}: nobody fell short, but {record.per} is not the cost shared by {record.units} units")
    return mistakes


def _compare_grants(record: SettlementFigures, *, available: int, compare: Compare) -> None:
    weights = sum(item.asked * (BP + item.fee_bp) for item in record.items)
    spent = 0
    for place, item in enumerate(record.items):
        granted = item.asked if available >= record.cost else item.asked * available * BP // weights
        fee = granted * item.fee_bp // BP
        compare(f"grant {place}", item.granted, granted)
        compare(f"fee {place}", item.fee, fee)
        compare(f"rest {place}", item.rest_carried + item.rest_ended, item.asked - granted)
        spent += granted + fee
    compare("carry", record.carry_after, available - spent)
