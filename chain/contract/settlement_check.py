"""Recomputing a charge from its record alone: what anybody can do, for ever, with no member's data (contract 4).

The range proofs hang on the root of the sum tree before the charge, which a header committed to; given that root, the
record either follows from it by contract 3.4 or is refused here.
"""

from chain.contract.settlement_math import Caps, CostItem, compute_collected, compute_cost, compute_per_max, share_out
from chain.contract.settlement_tables import SettlementRecord
from chain.contract.terms import PoolTerms
from chain.errors import ProofError
from chain.trie import Sums, decode_root
from chain.trie_proof import verify_range_proof


def verify_settlement(record: SettlementRecord, terms: PoolTerms) -> None:
    """Raise `ProofError` unless per, collected sum, grants and carry follow from the proven sums and the items.

    That `record.tree_root` is the one of the chain is for the caller to compare with a state proof.
    """
    at_index, at_charge, below = _read_sums(record)
    items = [CostItem(amount=item.amount, fee_bp=item.fee_bp, is_carried=item.is_carried) for item in record.items]
    cost = compute_cost(items)
    caps = Caps(per_case=terms.cap_per_case_fen, per_period=terms.cap_per_period_fen, per_year=terms.cap_per_year_fen)
    cases = sum(not item.is_carried for item in items)
    per_max = compute_per_max(caps=caps, cases=cases, index=record.index_before, year_index=record.year_index)
    _require(record.cost == cost and record.cases == cases, "cost")
    _require(record.per_max == per_max and 0 <= record.per <= per_max, "caps")
    _require(record.units == at_index.weight and record.members == at_index.count, "count")
    _require(record.units_full == at_charge.weight, "full payers")
    _require(record.units_part == at_index.weight - at_charge.weight, "part payers")
    collected = _collect(record, record.per, at_index, at_charge)
    _require(record.collected == collected, "collected")
    _require(record.part_paid == collected - record.per * at_charge.weight, "part paid")
    _verify_least(record, need=cost - record.carry_before, collected=collected, at_index=at_index, below=below)
    grants = share_out(items, cost=cost, available=collected + record.carry_before)
    granted = [(item.granted, item.fee) for item in record.items]
    _require(granted == [(grant.amount, grant.fee) for grant in grants], "grants")
    spent = sum(grant.amount + grant.fee for grant in grants)
    _require(record.carry_after == collected + record.carry_before - spent, "carry")


def _read_sums(record: SettlementRecord) -> tuple[Sums, Sums, Sums | None]:
    """Return the proven sums at I, I + per and, for a charge, I + per - 1."""
    root = decode_root(record.tree_root)
    _require(len(record.proofs) == (3 if record.per > 0 else 2), "number of proofs")
    places = (record.index_before, record.index_before + record.per, record.index_before + record.per - 1)
    sums = [verify_range_proof(root, x, proof) for x, proof in zip(places, record.proofs, strict=False)]
    return sums[0], sums[1], sums[2] if record.per > 0 else None


def _collect(record: SettlementRecord, per: int, at_index: Sums, above: Sums) -> int:
    return compute_collected(sums_from=lambda _: above, at_index=at_index, index=record.index_before, per=per)


def _verify_least(record: SettlementRecord, *, need: int, collected: int, at_index: Sums, below: Sums | None) -> None:
    """Require that `per` is the least charge that funds the need, or that no greater one would yield more."""
    money = at_index.weight_x - record.index_before * at_index.weight
    if below is None:
        _require(need <= 0 or record.per_max == 0 or money == 0, "no charge")
    else:
        before = _collect(record, record.per - 1, at_index, below)
        _require(before < min(need, collected), "not the least charge")
        is_most = record.per == record.per_max or collected == money
        _require(collected >= need or is_most, "less than the need")
    is_unfundable = need > 0 and collected < need and collected == money
    _require(record.is_unfundable == is_unfundable, "unfundable")


def _require(is_true: bool, what: str) -> None:
    if not is_true:
        raise ProofError(f"the settlement record contradicts its proofs: {what}")
