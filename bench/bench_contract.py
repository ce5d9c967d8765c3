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
from collections.abc import Callable
from typing import TypeVar

import msgspec

from chain.codec import Codec, encode
from chain.contract.calls import (
    AccountVerify,
    AccountVerifyItem,
    Call,
    DepositCredit,
    DepositCreditItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
    MemberLeave,
    MemberWithdraw,
)
from chain.contract.context import Context
from chain.contract.rules import execute_call
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.state import Overlay, PoolKey, PoolTree
from chain.trie import SUM
from chain.trie_tree import Pending, Tree
from chain.types import ZERO_HASH, Height, Millis, PublicKey, TxId
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, DictReader, build_genesis, build_terms, name_hash

V = TypeVar("V", bound=msgspec.Struct)
BLOCK_CALLS = 1_000


class WarmBase:
    """Decoded records in memory, as a ledger with a warm cache gives them."""

    def __init__(self) -> None:
        self.records: dict[bytes, msgspec.Struct | None] = {}
        self.trees: dict[PoolKey, tuple[Tree, DictReader]] = {}

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        return self.records.get(key)  # type: ignore[return-value]

    def open_pool_tree(self, pool: PoolKey) -> PoolTree:
        if pool not in self.trees:
            reader = DictReader()
            self.trees[pool] = (Tree(SUM, b"p" + encode(pool), reader, 1_000_000), reader)
        return self.trees[pool][0].begin()

    def commit(self, overlay: Overlay) -> None:
        for key, record in overlay.get_changes():
            self.records[key] = record
        for pool in overlay.get_touched_pools():
            pending = overlay.tree(pool)
            assert isinstance(pending, Pending)
            tree, reader = self.trees[pool]
            for key, value in pending.writes():
                if value is not None:
                    reader.records[key] = value
            tree.commit(pending)
