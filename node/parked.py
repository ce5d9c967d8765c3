"""Transactions of peers whose blob is not here yet: verified, but not in the pool until it comes.

No block could hold them here, so in the pool they would only make this node expect a block that no leader can build,
and complain about leaders that are not at fault. Bounded for each ingress validator; what finds no room is let go of:
a proposal that names it brings it back by hash.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from chain.transaction import Transaction
from chain.types import TxId

TRANSACTIONS_MAX = 512
"""Of one ingress validator."""
BYTES_MAX = 1024 * 1024
"""Their bytes."""


class ParkedTransaction(Struct, frozen=True):
    """One transaction that waits for its blob."""

    transaction: Transaction
    ingress: int
    blob_hash: bytes


class _Share:
    __slots__ = ("bytes_count", "transactions")

    def __init__(self) -> None:
        self.transactions = 0
        self.bytes_count = 0


class Parked:
    """What waits, by tx_id and by blob."""

    def __init__(self, *, ingress_count: int) -> None:
        self._parked: OrderedDict[TxId, ParkedTransaction] = OrderedDict()
        self._by_blob: dict[bytes, dict[TxId, None]] = {}
        self._shares = {ingress: _Share() for ingress in range(ingress_count)}

    def __len__(self) -> int:
        return len(self._parked)

    def __contains__(self, tx_id: TxId) -> bool:
        return tx_id in self._parked

    def set_ingress(self, ingresses: Sequence[int]) -> None:
        """Follow a change of the validator set: these may hand in from now on; what is here stays."""
        kept = {ingress: share for ingress, share in self._shares.items() if share.transactions}
        self._shares = {**{ingress: _Share() for ingress in ingresses}, **kept}

    def add(self, transaction: Transaction, *, ingress: int, blob_hash: bytes) -> bool:
        """Park a verified transaction; return False, keeping nothing, where its ingress validator has its share."""
        share = self._shares.get(ingress)
        size = len(transaction.raw)
        if share is None or share.transactions >= TRANSACTIONS_MAX or share.bytes_count + size > BYTES_MAX:
            return False
        if transaction.tx_id not in self._parked:
            share.transactions += 1
            share.bytes_count += size
            self._parked[transaction.tx_id] = ParkedTransaction(transaction, ingress, blob_hash)
            self._by_blob.setdefault(blob_hash, {})[transaction.tx_id] = None
        return True

    def take(self, blob_hash: bytes) -> list[ParkedTransaction]:
        """Return and let go of what waited for this blob, in the order of its coming."""
        return [self._remove(tx_id) for tx_id in list(self._by_blob.get(blob_hash, ()))]

    def expire(self, block_ms: int) -> None:
        """Let go of what no block after this time may hold."""
        late = [tx_id for tx_id, item in self._parked.items() if item.transaction.body.valid_until_ms <= block_ms]
        for tx_id in late:
            self._remove(tx_id)

    def _remove(self, tx_id: TxId) -> ParkedTransaction:
        item = self._parked.pop(tx_id)
        share = self._shares[item.ingress]
        share.transactions -= 1
        share.bytes_count -= len(item.transaction.raw)
        others = self._by_blob[item.blob_hash]
        del others[tx_id]
        if not others:
            del self._by_blob[item.blob_hash]
        return item

    def find_blobs(self, count_max: int) -> tuple[bytes, ...]:
        """Return hashes that are waited for; who was returned goes to the end, so that none is passed over."""
        hashes = tuple(self._by_blob)[:count_max]
        for blob_hash in hashes:
            self._by_blob[blob_hash] = self._by_blob.pop(blob_hash)
        return hashes
