"""A settlement over N members touches no member: the same time for a thousand as for a million (contract
3.4).

The pool's sum tree stands in LevelDB; the charge is found by range sums and its three proofs are made, as
in a block."""

import gc
import random
import tempfile
import time
from pathlib import Path

from chain.contract.settlement_math import Caps, CostItem, compute_charge
from chain.store import Store
from chain.trie import SUM, Leaf, Operation, Sums, sum_operation
from chain.trie_tree import Tree
from chain.types import ChainId

SIZES = (1_000, 1_000_000)
BATCH = 20_000
REPEATS = 50
SEED = 7
AMOUNT_FEN_PER_MEMBER = 4
"""Cost for each member: several cases a period, about what the published plan charged in a period."""


def build_tree(store: Store, members: int) -> Tree:
    """Fill a sum tree in batches, as joining members would."""
    draw = random.Random(SEED)
    tree = Tree(SUM, b"p", store)
    for start in range(0, members, BATCH):
        operations: list[Operation] = [
            sum_operation(x=1_000 + draw.randrange(19_000), pseudonym=draw.randbytes(32), leaf=Leaf(weight=1, rem=0))
            for _ in range(min(BATCH, members - start))
        ]
        pending = tree.begin()
        pending.update(operations)
        store.write(pending.writes())
        tree.commit(pending)
    return tree


def settle_once(tree: Tree, *, members: int, index: int) -> int:
    """Compute one charge and its proofs on fresh changes, as a block does; return the charge."""
    pending = tree.begin()

    def sums_from(x: int) -> Sums:
        return pending.range_sums(x)

    charge = compute_charge(
        sums_from=sums_from,
        items=[CostItem(amount=members * AMOUNT_FEN_PER_MEMBER, fee_bp=800, is_carried=False)],
        carry=0,
        index=index,
        year_index=index,
        caps=Caps(per_case=None, per_period=None, per_year=18_800),
    )
    for x in (index, index + charge.per, index + charge.per - 1):
        pending.prove(x.to_bytes(4, "big") + bytes(32))
    return charge.per


def measure(sizes: tuple[int, ...] = SIZES) -> list[dict[str, float | int]]:
    """Return the CPU microseconds of a settlement for each size, and the ratio to the smallest."""
    results: list[dict[str, float | int]] = []
    for members in sizes:
        with tempfile.TemporaryDirectory() as name:
            store = Store(Path(name) / "db", ChainId(bytes(32)))
            tree = build_tree(store, members)
            gc.collect()
            settle_once(tree, members=members, index=500)
            times = []
            per = 0
            for repeat in range(REPEATS):
                began = time.process_time()
                per = settle_once(tree, members=members, index=500 + repeat)
                times.append(time.process_time() - began)
            store.close()
        median = sorted(times)[len(times) // 2]
        results.append({"members": members, "settlement_us": round(median * 1e6), "per_fen": per})
    for result in results:
        result["ratio"] = round(result["settlement_us"] / results[0]["settlement_us"], 2)
    return results
