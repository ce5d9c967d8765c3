"""A settlement touches no member: its time over a thousand, a hundred thousand and a million leaves.

    .venv/bin/python -m bench.bench_settlement [--members 1000 100000 1000000] [--json]

The sum tree holds that many random leaves (as in a cold start: its records decoded from a dict when first read);
timed is the whole settlement of four claims with its proofs, then the check of its record, in CPU of this process.
"""

import argparse
import gc
import json
import platform
import random
import time

from msgspec.structs import replace

from chain.contract.invariants import check_block
from chain.contract.schedule import run_automatic_events
from chain.contract.settlement_check import verify_settlement
from chain.contract.tables import POOL
from chain.crypto import sha256
from chain.trie import Leaf, sum_operation
from chain.types import Hash
from tests.chain.contract.world import PLAN_NAME, World, build_terms

NOTICE, CHARGE = 20_491, 20_498
INDEX = 100_000
"""I before the charge: some leaves lie below (suspended), some less than the charge above it."""
X_FROM, X_TO = INDEX - 500, INDEX + 20_000
BATCH = 50_000


def fill(world: World, members: int) -> None:
    """Put random leaves into the pool's tree, and their sums into its record."""
    source = random.Random(members)
    key = (PLAN_NAME, 0)
    money = 0
    for start in range(0, members, BATCH):
        pending = world.base.open_pool_tree(key)
        operations = []
        for number in range(start, min(members, start + BATCH)):
            x = source.randint(X_FROM, X_TO)
            money += max(0, x - INDEX)
            pseudonym = Hash(sha256(number.to_bytes(8, "big")))
            operations.append(sum_operation(x=x, pseudonym=pseudonym, leaf=Leaf(weight=1, rem=0)))
        pending.update(operations)
        world.base.commit_tree(key, pending)
    pool = world.pool
    filled = replace(
        pool,
        entered=members,
        tree_money=money,
        cash=pool.cash + money,
        share_index=INDEX,
        year_index=INDEX,
    )
    world.state.put(POOL, filled, PLAN_NAME, 0)


def measure(members: int) -> dict[str, float | int]:
    """Return milliseconds and sizes of one settlement over so many members."""
    world = World(build_terms(cap_per_case_fen=""), statements=False)
    claimants = [world.apply(f"claimant-{number}") for number in range(4)]
    fill(world, members)
    world.next_block()
    world.advance_to(NOTICE)
    for claimant in claimants:
        world.add_claim(claimant, 100 * members)
    world.post_statements()
    world.advance_to(CHARGE - 1)
    world.commit_block()
    world.timestamp_ms += 86_400_000
    world.reopen()
    # The store in memory sorts its keys at the first read behind a write: not within what is timed.
    world.state.tree((PLAN_NAME, 0)).range_sums(X_FROM + 1)
    gc.collect()
    context = world.context("automatic")
    before = time.process_time_ns()
    run_automatic_events(world.state, context)
    settled = time.process_time_ns()
    check_block(world.state, [(PLAN_NAME, 0)])
    checked = time.process_time_ns()
    record = world.settlement(0)
    start = time.process_time_ns()
    verify_settlement(record, world.terms.pool)
    return {
        "members": members,
        "per_fen": record.per,
        "settle_ms": round((settled - before) / 1e6, 2),
        "check_block_ms": round((checked - settled) / 1e6, 2),
        "verify_ms": round((time.process_time_ns() - start) / 1e6, 2),
        "records_written": len(world.state.get_changes()),
        "proof_bytes": sum(len(proof) for proof in record.proofs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(members) for members in options.members]
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    if options.json:
        print(json.dumps({"machine": machine, "date": time.strftime("%Y-%m-%d"), "settlements": rows}, indent=1))
        return
    print(f"One settlement with its proofs, CPU: {machine}, {time.strftime('%Y-%m-%d')}")
    print("  " + "  ".join(f"{name:>15s}" for name in rows[0]))
    for row in rows:
        print("  " + "  ".join(f"{value:>15}" for value in row.values()))


if __name__ == "__main__":
    main()
