"""A plan that grows through transactions to a million members: does anything get slower than the logarithm?

    python -m bench scale [--members 10000 100000 1000000] [--json FILE]

Every member joins as in life: his own signed application, the bank's and the auditor's verification, the platform's
admission, a deposit; on one node without network, over LevelDB. At each size are timed, in CPU of this process:

    settlement     one charge over everybody, with its proofs, on a throw-away copy of the newest state
    count proof    how many members pay: a range proof and the proof that its root is in the header's state root
    member proof   one member's own place in the sum tree
    join           one application: execution, trees and commit of its block
    top-up         one deposit of a random member, likewise

and measured are the bytes that the store holds for each member, by table.
"""

import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from bench.execution import START_DAY, Bench, open_bench
from bench.load import DEPOSIT_FEN, Builder, Parties
from chain import layout
from chain.codec import encode
from chain.contract.claim_tables import CLAIM, ClaimRecord
from chain.contract.context import Context
from chain.contract.settlement import run_notice, run_settlement
from chain.contract.settlement_items import add_item
from chain.contract.settlement_tables import ITEM_AID, ItemRecord
from chain.contract.tables import MEMBER, POOL
from chain.round_record import PARAMETERS
from chain.state import Overlay
from chain.trie import map_key, sum_key
from chain.types import ZERO_HASH, Height, Millis, PublicKey, TxId
from tests.chain.contract.claim_world import build_record

POOL_KEY = ("demo", 0)
COHORT = 2_000
"""Members who join together: four blocks."""
BATCH = 400
"""As many verifications as fit into a transaction of 64 KiB, and a round number."""
AHEAD = 4
"""Cohorts that are signed before they are needed."""
SAMPLES = 200
CLAIMS = 20
TABLES = {
    layout.STATE: "state records",
    layout.STATE_TREE: "state tree",
    layout.POOL_TREE: "sum tree",
    layout.TRANSACTION: "transactions",
    layout.RECEIPT: "receipts",
    layout.TX_INDEX: "ids",
    layout.SUBJECT: "subjects",
    layout.HISTORY_TILE: "history tree",
    layout.HEADER: "headers",
    layout.LISTING: "lists",
}


def build_cohort(parties: Parties, first: int, strangers: int) -> list[list[bytes]]:
    """Return the raw transactions of one cohort's joining in four steps; `strangers` took deposit codes before."""
    builder = Builder(parties)
    applications = [builder.apply(number) for number in range(first, first + COHORT)]
    members = [bytes(transaction.tx_id) for transaction in applications]
    steps: list[list[bytes]] = [[transaction.raw for transaction in applications], [], [], []]
    for start in range(0, COHORT, BATCH):
        numbers = range(first + start, first + start + BATCH)
        batch = members[start : start + BATCH]
        steps[1] += [builder.verify(numbers, batch).raw, builder.issue(numbers, batch).raw]
        steps[2].append(builder.admit(numbers, batch).raw)
        codes = [number + 1 + strangers for number in numbers]
        steps[3].append(builder.credit_many(codes, amount=DEPOSIT_FEN, name="scale", day=START_DAY).raw)
    return steps


def presign(parties: Parties, firsts: range, strangers: int) -> Iterator[list[list[bytes]]]:
    """Sign the cohorts in one worker process, at most a few ahead."""
    # Not forked: the child would inherit an open database.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(build_cohort, parties, first, strangers) for first in firsts[:AHEAD]]
        for place in range(len(firsts)):
            yield pending.pop(0).result()
            if place + AHEAD < len(firsts):
                pending.append(pool.submit(build_cohort, parties, firsts[place + AHEAD], strangers))


def measure(sizes: list[int]) -> list[dict[str, object]]:
    """Grow one plan through the sizes (multiples of 2,000, ascending) and measure at each."""
    if any(size % COHORT for size in sizes) or any(low >= high for low, high in pairwise(sizes)):
        raise SystemExit(f"sizes must ascend and be multiples of {COHORT}")
    results = []
    with tempfile.TemporaryDirectory(prefix="gongji-scale-") as name:
        bench, builder = open_bench(Path(name))
        grown = 0
        for place, size in enumerate(sizes):
            began, cpu = time.monotonic(), time.process_time()
            for steps in presign(builder.parties, range(grown, size, COHORT), place * SAMPLES):
                for step in steps:
                    bench.run_block(step)
            loaded = {"wall_s": round(time.monotonic() - began), "cpu_s": round(time.process_time() - cpu)}
            results.append({"members": size, "load": loaded, **measure_size(bench, builder, size, Path(name))})
            print(results[-1], flush=True)
            grown = size
        bench.chain.close()
    return results


def measure_size(bench: Bench, builder: Builder, size: int, folder: Path) -> dict[str, object]:
    """Return the figures of one size."""
    source = random.Random(size)
    numbers = [source.randrange(size) for _ in range(SAMPLES)]
    members = [builder.get_member(number) for number in numbers]
    ledger = bench.chain.ledger
    tree, state_tree = ledger.get_pool_tree(POOL_KEY), ledger.state_tree
    leaves = []
    for member in members:
        record = bench.chain.require(MEMBER, member)
        leaves.append(sum_key(x=record.x, pseudonym=member))
    index = bench.chain.require(POOL, *POOL_KEY).share_index
    root_key = map_key(encode(("members", *POOL_KEY)))

    def prove_count() -> int:
        return len(tree.prove(sum_key(x=index, pseudonym=ZERO_HASH))) + len(state_tree.prove(root_key))

    def prove_member(leaf: bytes) -> int:
        return len(tree.prove(leaf))

    figures: dict[str, object] = {}
    count_bytes, figures["count_proof_us"] = time_each([prove_count] * SAMPLES)
    member_bytes, figures["member_proof_us"] = time_each([partial(prove_member, leaf) for leaf in leaves])
    figures["count_proof_bytes"], figures["member_proof_bytes"] = count_bytes, member_bytes
    codes = [bench.chain.require(MEMBER, member).deposit_code for member in members]
    tops = [builder.credit(code, amount=100, name=f"top-{size}-{place}") for place, code in enumerate(codes)]
    figures["top_up_us"] = time_blocks(bench, [transaction.raw for transaction in tops])
    strangers = range(10**9 + size, 10**9 + size + SAMPLES)
    figures["join_us"] = time_blocks(bench, [builder.apply(number).raw for number in strangers])
    figures["settlement_us"] = time_settlement(bench)
    figures["rss_mb_max"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures["bytes_per_member"] = measure_bytes(bench, size)
    figures["disk_mb"] = round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)
    return figures


def time_each(acts: Sequence[Callable[[], int]]) -> tuple[int, float]:
    """Return (mean result, mean CPU microseconds)."""
    began = time.process_time()
    total = sum(act() for act in acts)
    return total // len(acts), round((time.process_time() - began) / len(acts) * 1e6, 1)


def time_blocks(bench: Bench, raws: list[bytes]) -> float:
    """Return the mean CPU microseconds of blocks of one transaction, signature check left out."""
    seconds = 0.0
    for raw in raws:
        # Of this thread alone: LevelDB may still be compacting what was loaded before.
        stages = bench.run_block([raw], clock=time.thread_time)
        seconds += stages["execute"] + stages["seal"] + stages["commit"]
    return round(seconds / len(raws) * 1e6, 1)


def time_settlement(bench: Bench) -> float:
    """Return the CPU microseconds of one settlement of twenty claims; nothing of it is kept."""
    state = Overlay(bench.chain.ledger)
    context = Context(
        height=Height(bench.chain.ledger.height + 1),
        timestamp_ms=Millis(bench.now_ms),
        parameters=state.require(PARAMETERS),
        tx_id=TxId(ZERO_HASH),
        signer=PublicKey(ZERO_HASH),
        faults_max=1,
        parent_hash=ZERO_HASH,
        events=[],
    )
    plan, pool = POOL_KEY
    run_notice(state, context, plan=plan, number=pool)
    everybody = state.tree(POOL_KEY).range_sums(0)
    member = state.tree(POOL_KEY).select(everybody.count // 2)[4:]
    for number in range(CLAIMS):
        claim = number.to_bytes(32, "big")
        state.put(CLAIM, build_record(ClaimRecord, plan=plan, pool=pool, member=member, amount=everybody.count), claim)
        item = ItemRecord(kind=ITEM_AID, member=member, claim=claim, amount=everybody.count, fee_bp=800, carried=0)
        add_item(state, item, plan, pool)
    began = time.process_time()
    run_settlement(state, context, plan=plan, number=pool)
    return round((time.process_time() - began) * 1e6, 1)


def measure_bytes(bench: Bench, size: int) -> dict[str, float]:
    """Return bytes of keys and values for each member, by table."""
    sums: dict[str, int] = dict.fromkeys(TABLES.values(), 0)
    for first, name in TABLES.items():
        for key, value in bench.chain.ledger.store.iterate(start=first, stop=layout.prefix_end(first)):
            sums[name] += len(key) + len(value)
    figures = {name: round(total / size, 1) for name, total in sums.items()}
    figures["all"] = round(sum(sums.values()) / size, 1)
    return figures
