"""Print microseconds per update of the authenticated trees, in a dict and in LevelDB as a node opens it (state-tree 8).

    python bench/bench_trie.py [--leaves 10000 100000] [--batch 2000] [--batches 10]

Keys are uniformly random, the worst case. A sum-tree update is a delete and an insert of one leaf. Times are
thread CPU; `all_in` is process CPU with LevelDB's own threads, one synced batch for each block.
"""

import argparse
import gc
import json
import platform
import random
import tempfile
import time
from pathlib import Path

from chain.store import Store
from chain.trie import MAP, SUM, Flavour, Leaf, Operation, sum_operation
from chain.trie_proof import verify_map_entry, verify_sum_proof
from chain.trie_tree import Tree
from chain.types import ChainId
from tests.chain.trie_twin import DictStore

SEED = 20_261_122


class Load:
    """Leaves of a tree and random changes to them."""

    def __init__(self, flavour: Flavour, leaves: int) -> None:
        self.flavour = flavour
        self.random = random.Random(SEED)
        self.keys = [self.random.randbytes(32) for _ in range(leaves)]
        self.places = [self.random.randrange(2**31) for _ in range(leaves)]

    def first(self) -> list[Operation]:
        """Return the operations that make the tree."""
        if self.flavour is MAP:
            return [(key, self.random.randbytes(32)) for key in self.keys]
        return [self._put(index) for index in range(len(self.keys))]

    def batch(self, count: int) -> list[Operation]:
        """Return the operations of `count` updates."""
        chosen = self.random.sample(range(len(self.keys)), count)
        if self.flavour is MAP:
            return [(self.keys[index], self.random.randbytes(32)) for index in chosen]
        operations: list[Operation] = []
        for index in chosen:
            operations.append(sum_operation(x=self.places[index], pseudonym=self.keys[index], leaf=None))
            self.places[index] = self.random.randrange(2**31)
            operations.append(self._put(index))
        return operations

    def _put(self, index: int) -> Operation:
        leaf = Leaf(weight=1 + index % 100, rem=index % (1 + index % 100))
        return sum_operation(x=self.places[index], pseudonym=self.keys[index], leaf=leaf)


def measure(flavour: Flavour, leaves: int, store: DictStore | Store, batch: int, batches: int) -> dict[str, object]:
    """Fill a tree, then time `batches` blocks of `batch` updates and some proofs."""
    load = Load(flavour, leaves)
    tree = Tree(flavour, b"t", store)
    pending = tree.begin()
    started = time.process_time()
    pending.update(load.first())
    built = time.process_time() - started
    store.write(pending.writes())
    tree.commit(pending)
    update_s = encode_s = written = 0.0
    all_in_s = 0.0
    gc.collect()
    for _ in range(batches):
        operations = load.batch(batch)
        process_started, thread_0 = time.process_time(), time.thread_time()
        pending = tree.begin()
        pending.update(operations)
        thread_1 = time.thread_time()
        writes = pending.writes()
        store.write(writes)
        tree.commit(pending)
        thread_2 = time.thread_time()
        all_in_s += time.process_time() - process_started
        update_s += thread_1 - thread_0
        encode_s += thread_2 - thread_1
        written += sum(len(key) + len(value or b"") for key, value in writes)
    updates = batch * batches
    prove_us, verify_us, proof_bytes = measure_proofs(flavour, tree, load)
    return {
        "tree": flavour.name,
        "leaves": leaves,
        "store": type(store).__name__,
        "batch": batch,
        "build_us_per_leaf": round(built / leaves * 1e6, 2),
        "update_us": round(update_s / updates * 1e6, 2),
        "writes_and_commit_us": round(encode_s / updates * 1e6, 2),
        "all_in_us": round(all_in_s / updates * 1e6, 2),
        "bytes_per_update": round(written / updates),
        "prove_us": prove_us,
        "verify_us": verify_us,
        "proof_bytes": proof_bytes,
        "cache_entries": tree.cache_entries,
    }


def measure_proofs(flavour: Flavour, tree: Tree, load: Load, count: int = 300) -> tuple[float, float, int]:
    """Return microseconds to prove and to verify one key, and the mean length of a proof."""
    keys = load.keys[:count]
    if flavour is SUM:
        keys = [load.places[index].to_bytes(4, "big") + key for index, key in enumerate(keys)]
    started = time.thread_time()
    proofs = [tree.prove(key) for key in keys]
    proved = time.thread_time()
    root, root_hash = tree.root, tree.root_bytes
    for key, proof in zip(keys, proofs, strict=True):
        if flavour is SUM:
            verify_sum_proof(root, key, proof)
        else:
            verify_map_entry(root_hash, key, tree.entry(key), proof)
    verified = time.thread_time()
    mean = sum(map(len, proofs)) // count
    return round((proved - started) / count * 1e6, 1), round((verified - proved) / count * 1e6, 1), mean


def main() -> None:
    """Run all combinations and print them as a table and as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--batches", type=int, default=10)
    arguments = parser.parse_args()
    today = time.strftime("%Y-%m-%d")
    print(f"{platform.node()} {platform.machine()} Python {platform.python_version()} {today}")
    results = []
    for flavour in (MAP, SUM):
        for leaves in arguments.leaves:
            for make in (lambda _: DictStore(), lambda path: Store(path, ChainId(bytes(32)))):
                with tempfile.TemporaryDirectory() as folder:
                    store = make(Path(folder) / "db")
                    result = measure(flavour, leaves, store, arguments.batch, arguments.batches)
                results.append(result)
                print("  ".join(f"{name}={value}" for name, value in result.items()), flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
