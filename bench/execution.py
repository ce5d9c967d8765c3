"""What a contract transaction costs on one node without network and consensus, by stage and by kind of call.

    decode     bytes to a transaction, canonical check included
    verify     its signature
    execute    the contract, on the overlay
    seal       state tree, sum tree, receipts, history tree, header
    commit     the batch for LevelDB, synced, and the trees in memory

Times are CPU of the whole process, LevelDB's own threads included, over blocks of 1,000.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.load import BLOB, DEPOSIT_FEN, Builder, Parties, build_setup
from chain import execution
from chain.catalogue import get_entry_by_number
from chain.contract.terms import hash_terms
from chain.genesis import Parameters
from chain.transaction import Transaction, decode_transaction
from node.demo.figures import load_plan
from tests.node.local_chain import LocalChain, build_genesis, build_keys

START_MS = 1_766_970_000_000
DAY_MS = 86_400_000
START_DAY = (START_MS + 480 * 60_000) // DAY_MS
BLOCK = 1_000
STAGES = ("decode", "verify", "execute", "seal", "commit")


class Bench:
    """A local chain that grows by measured blocks."""

    def __init__(self, chain: LocalChain) -> None:
        self.chain = chain
        self.now_ms = START_MS

    def run_block(
        self, raws: Sequence[bytes], *, clock: Callable[[], float] = time.process_time, look_ups: int = 0
    ) -> dict[str, float]:
        """Run one block; return CPU seconds by stage. Every transaction must succeed.

        Each id is looked for in the ledger `look_ups` times, as a node does before it takes a transaction in.
        """
        self.now_ms += 100
        seconds = dict.fromkeys(STAGES, 0.0)
        began = clock()
        transactions = [decode_transaction(raw) for raw in raws]
        decoded = clock()
        if not all(transaction.is_signature_valid() for transaction in transactions):
            raise RuntimeError("a signature is wrong")
        verified = clock()
        for _ in range(look_ups):
            if any(self.chain.ledger.has_run(transaction) for transaction in transactions):
                raise RuntimeError("a transaction ran before")
        if look_ups:
            seconds["look-up"] = clock() - verified
        executed = self.execute(transactions, seconds, clock)
        before = clock()
        self.chain.commit(executed)
        seconds["commit"] = clock() - before
        seconds["decode"], seconds["verify"] = decoded - began, verified - decoded
        codes = {get_entry_by_number(receipt.outcome).code for receipt in executed.outcomes}
        if codes - {"success"}:
            raise RuntimeError(f"transactions of the load failed: {sorted(codes)}")
        return seconds

    def execute(
        self, transactions: Sequence[Transaction], seconds: dict[str, float], clock: Callable[[], float]
    ) -> execution.Executed:
        """Execute a block, the contract and the sealing timed apart."""
        sealed = execution._seal
        seal_s = 0.0

        def timed_seal(*args: object, **kwargs: object) -> execution.Executed:
            nonlocal seal_s
            before = clock()
            result = sealed(*args, **kwargs)  # type: ignore[arg-type]
            seal_s = clock() - before
            return result

        execution._seal = timed_seal
        try:
            before = clock()
            executed = self.chain.execute(transactions, self.now_ms)
            total = clock() - before
        finally:
            execution._seal = sealed
        seconds["seal"], seconds["execute"] = seal_s, total - seal_s
        return executed


def open_bench(folder: Path) -> tuple[Bench, Builder]:
    """Return a new chain on the 29th of a month and the builder of its load."""
    terms = load_plan("plan-demo")
    genesis = build_genesis(terms, time_ms=START_MS, parameters=Parameters(validity_window_ms=14 * DAY_MS))
    chain = LocalChain(genesis, folder / "db")
    chain.ledger.put_blobs([BLOB])
    keys = build_keys()
    parties = Parties(
        chain_id=chain.chain_id,
        plan="demo",
        account="demo-account",
        rules_hash=hash_terms(terms),
        valid_until_ms=START_MS + 10 * DAY_MS,
        day=START_DAY,
        bank=keys["custodian"].seed,
        auditor=keys["auditor-1"].seed,
        platform=keys["platform"].seed,
    )
    return Bench(chain), Builder(parties)


def measure(*, settled: int, blocks: int) -> dict[str, object]:
    """Measure each kind of call over `blocks` blocks on a plan of `settled` members."""
    with tempfile.TemporaryDirectory() as name:
        bench, builder = open_bench(Path(name))
        for first in range(0, settled, 200):
            for step in build_setup(builder, range(first, first + 200), day=START_DAY):
                bench.run_block(step)
        members = [builder.get_member(number) for number in range(settled)]
        new = range(settled, settled + blocks * BLOCK)
        half = settled // 2
        kinds: dict[str, list[bytes]] = {
            "member_apply": [builder.apply(number).raw for number in new],
            "deposit_credit (top-up)": [
                builder.credit(place % half + 1, amount=100, name=f"up-{place}").raw for place in range(blocks * BLOCK)
            ],
            "deposit_credit (applicant)": [
                builder.credit(number + 1, amount=DEPOSIT_FEN, name="join").raw for number in new
            ],
            "member_leave": [
                builder.leave(number, members[number]).raw
                for number in range(half, min(half + blocks * BLOCK, settled * 3 // 4))
            ],
            "claim_file": [
                builder.claim(number, members[number]).raw
                for number in range(settled * 3 // 4, min(settled * 3 // 4 + blocks * BLOCK, settled))
            ],
        }
        results = {kind: measure_kind(bench, raws) for kind, raws in kinds.items()}
        bench.chain.close()
    return {"settled_members": settled, "block": BLOCK, "us_per_transaction": results}


def measure_kind(bench: Bench, raws: list[bytes]) -> dict[str, float]:
    """Return CPU microseconds for one transaction by stage."""
    total = dict.fromkeys(STAGES, 0.0)
    gc.collect()
    for start in range(0, len(raws), BLOCK):
        for stage, seconds in bench.run_block(raws[start : start + BLOCK]).items():
            total[stage] += seconds
    figures = {stage: round(seconds / len(raws) * 1e6, 1) for stage, seconds in total.items()}
    figures["all"] = round(sum(total.values()) / len(raws) * 1e6, 1)
    return figures
