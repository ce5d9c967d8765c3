"""What one call of the contract costs in Python over a warm state, without tree updates, signatures and disk.

    .venv/bin/python -m bench.bench_contract [--members N] [--json]

A join is five calls (apply, verify, index, admit, credit); each line is the mean of single calls in blocks of 1,000.
A settlement is timed over the same number of members with the tree in memory: it must not grow with them.
"""

import argparse
import gc
import json
import platform
import time
from typing import TypeVar

import msgspec

from chain.codec import Codec, encode
from chain.contract.calls import Call
from chain.contract.context import Context
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
    MemberLeave,
    MemberWithdraw,
)
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.contract.rules import execute_call
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.state import Overlay, PoolKey, PoolTree
from chain.trie import SUM
from chain.trie_tree import Pending, Tree
from chain.types import ZERO_HASH, Height, Millis, PublicKey, TxId
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, build_genesis, build_terms, name_hash
from tests.chain.trie_twin import DictStore

V = TypeVar("V", bound=msgspec.Struct)
BLOCK_CALLS = 1_000


class WarmBase:
    """Decoded records in memory, as a ledger with a warm cache gives them."""

    def __init__(self) -> None:
        self.records: dict[bytes, msgspec.Struct | None] = {}
        self.trees: dict[PoolKey, tuple[Tree, DictStore]] = {}

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        return self.records.get(key)  # type: ignore[return-value]

    def open_pool_tree(self, pool: PoolKey) -> PoolTree:
        if pool not in self.trees:
            store = DictStore()
            self.trees[pool] = (Tree(SUM, b"p" + encode(pool), store, 1_000_000), store)
        return self.trees[pool][0].begin()

    def commit(self, overlay: Overlay) -> None:
        for key, record in overlay.get_changes():
            self.records[key] = record
        for pool in overlay.get_touched_pools():
            pending = overlay.tree(pool)
            assert isinstance(pending, Pending)
            tree, store = self.trees[pool]
            store.commit(tree, pending)


class Runner:
    """Runs calls in blocks and times only `execute_call`."""

    def __init__(self) -> None:
        from chain.contract.genesis_state import build_genesis_state  # noqa: PLC0415

        self.genesis = build_genesis(build_terms(), drain_max=200)
        self.base = WarmBase()
        overlay = Overlay(self.base)
        build_genesis_state(overlay, self.genesis)
        self.base.commit(overlay)
        self.height = 0
        self.results: dict[str, float] = {}

    def context(self, signer: bytes, tx_id: bytes) -> Context:
        return Context(
            height=Height(self.height),
            timestamp_ms=Millis(self.genesis.time_ms + self.height),
            parameters=self.genesis.parameters,
            tx_id=TxId(tx_id),
            signer=PublicKey(signer),
            faults_max=1,
            parent_hash=ZERO_HASH,
            events=[],
        )

    def run(self, name: str, calls: list[tuple[bytes, bytes, Call]]) -> None:
        """Execute (tx id, signer, call) in blocks of 1,000; note microseconds per call."""
        spent = 0
        for start in range(0, len(calls), BLOCK_CALLS):
            self.height += 1
            overlay = Overlay(self.base)
            contexts = [
                (self.context(signer, tx_id), call) for tx_id, signer, call in calls[start : start + BLOCK_CALLS]
            ]
            before = time.thread_time_ns()
            for context, call in contexts:
                outcome = execute_call(overlay, context, call)
                overlay.release()
                if outcome.number:
                    raise SystemExit(f"{name} failed: {outcome}")
            spent += time.thread_time_ns() - before
            self.base.commit(overlay)
        self.results[name] = spent / len(calls) / 1_000


def build_joins(runner: Runner, count: int) -> dict[str, list[tuple[bytes, bytes, Call]]]:
    """Return the calls of `count` joins by step; every call is a transaction of its own."""
    rules_hash = hash_terms(runner.genesis.plans[0].terms)
    bank, auditor, platform_key = (name_hash("key", name) for name in ("bank", "audit-one", "platform"))
    today = runner.genesis.time_ms // 86_400_000
    steps: dict[str, list[tuple[bytes, bytes, Call]]] = {}

    def add(step: str, signer: bytes, tx_id: bytes, call: Call) -> None:
        steps.setdefault(step, []).append((tx_id, signer, call))

    for number in range(count):
        key, member, person = name_hash("key", number), name_hash("m", number), name_hash("p", number)
        add("member_apply", key, member, MemberApply(PLAN_NAME, 0, 1, rules_hash, key, key, key, key, None))
        verified = AccountVerifyItem(member, person, key, 0, key, 2060)
        add("account_verify", bank, key, AccountVerify((verified,)))
        add("index_issue", auditor, key, IndexIssue((IndexIssueItem(member, person, 0),)))
        add("member_admit", platform_key, key, MemberAdmit((member,)))
        credit = DepositCreditItem(sha256(key), 5_000 + number % 97, today, today, key, number + 1)
        add("deposit_credit (enters)", bank, key, DepositCredit(ACCOUNT_NAME, (credit,)))
        again = DepositCreditItem(sha256(member), 1_000 + number % 89, today, today, key, number + 1)
        add("deposit_credit (tops up)", bank, key, DepositCredit(ACCOUNT_NAME, (again,)))
        add("member_withdraw", key, key, MemberWithdraw(member, 100))
        add("member_leave", key, key, MemberLeave(member))
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runner = Runner()
    steps = build_joins(runner, options.members)
    gc.collect()
    gc.freeze()
    for name, calls in steps.items():
        runner.run(name, calls)
    batches: list[tuple[bytes, bytes, Call]] = []
    today = runner.genesis.time_ms // 86_400_000
    for number in range(0, options.members // 500):
        items = tuple(
            DepositCreditItem(name_hash("b", number, item), 10, today, today, ZERO_HASH, None) for item in range(500)
        )
        batches.append((name_hash("b", number), name_hash("key", "bank"), DepositCredit(ACCOUNT_NAME, items)))
    if batches:
        runner.run("deposit_credit[500], per item", batches)
        runner.results["deposit_credit[500], per item"] /= 500
    report = {
        "what": "Python CPU per call of the contract, warm state, us",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "members": options.members,
        "us": {name: round(value, 1) for name, value in runner.results.items()},
    }
    if options.json:
        print(json.dumps(report, indent=1))
        return
    print(f"{report['what']}: {options.members} members, {report['machine']}, {report['date']}")
    for name, value in runner.results.items():
        print(f"  {name:32s} {value:8.1f}")


if __name__ == "__main__":
    main()
