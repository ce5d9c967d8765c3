"""The pool of transactions that wait for a block (consensus 4 to 7, design 3).

Only transactions whose signature was verified come in here: the pool keeps the first verified signature of
a body and knows a body by its tx_id. Room is divided beforehand, because members are strangers and a quota
per key alone would be evaded with more keys (pitfalls P24):

    whole pool                    transactions_max, bytes_max
    '- one ingress validator      an equal share of both; the home validator grants its own clients 3/4 of
       |                          it, so that what it answered with 202 still fits where a validator lags
       '- one signer at it        signer_transactions_max, organisation_transactions_max

So one ingress validator never takes room from another, and a full share is answered with a refusal, never
with the eviction of something accepted. Order is first come, first served within an ingress validator.

Pure: no clock, no I/O; verification, the journal and the check against the chain lie in `node/`.
"""

import enum
import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from chain.errors import Refusal
from chain.genesis import Parameters
from chain.transaction import Transaction, count_items
from chain.types import Hash, TxId

HOME_SHARE_QUARTERS = 3
"""Quarters of a share that a validator grants its own clients."""
EVICTED_MAX = 4_096
"""Ids remembered as evicted; the oldest is forgotten: it could come in and fail once more."""
PINNED_BLOCKS_MAX = 32
"""Blocks of one height whose bodies are pinned; the oldest is released, its bodies stay in the journal."""
_BUCKET_BITS = 10
"""Expiry is indexed in buckets of 1,024 ms."""
_BUCKET_KEYS_SPARE = 64


class PoolLimits(Struct, frozen=True):
    """Bounds of the pool; a node sets them in its configuration."""

    transactions_max: int = 24_000
    """Transactions of all ingress validators together."""
    bytes_max: int = 24 * 1024 * 1024
    """Their full bytes together."""
    signer_transactions_max: int = 64
    """Transactions of one signing key at one ingress validator."""
    organisation_transactions_max: int = 4_096
    """The same for the key of an organisation, which submits for its customers."""


class Admission(enum.Enum):
    """What became of a transaction that was not refused."""

    ADDED = "added"
    KNOWN = "known"
    """The body was here already; the signature that came first is kept."""


class Waiting(Struct, frozen=True):
    """One transaction in the pool."""

    transaction: Transaction
    ingress: int
    """Number of the node at which a client handed it in."""
    added_ms: int
    """Monotonic time of its coming, as told by the caller."""
    items: int
    """What it counts for in the limit of items of a block."""


class PoolStatistics(Struct, frozen=True):
    """Count what is in the pool and what passed through since the start."""

    transactions: int
    bytes_count: int
    """Full bytes of the transactions in the pool."""
    by_ingress: tuple[int, ...]
    """Transactions in the pool by ingress validator, in the order of their numbers."""
    bytes_by_ingress: tuple[int, ...]
    pinned: int
    """Bodies held because a journaled block names them."""
    added: int
    known: int
    """Arrivals of a body that was here already."""
    refused_full: int
    refused_quota: int
    committed: int
    """Left by a block."""
    expired: int
    evicted: int


class _Share:
    """What one ingress validator has in the pool."""

    __slots__ = ("by_signer", "bytes_count", "queue")

    def __init__(self) -> None:
        # Ordered, because the first key of a plain dict is slow to find after deletions at its front.
        self.queue: OrderedDict[TxId, Waiting] = OrderedDict()
        self.bytes_count = 0
        self.by_signer: dict[bytes, int] = {}


class Mempool:
    """Hold verified transactions until a block takes them, they expire or they are evicted."""

    def __init__(
        self,
        limits: PoolLimits,
        parameters: Parameters,
        *,
        ingress_count: int,
        home: int | None,
        organisation_keys: Iterable[bytes] = (),
    ) -> None:
        """Make an empty pool for validators 0 to `ingress_count` - 1; `home` is this node's own number, if any."""
        self._limits = limits
        self._parameters = parameters
        self._home = home
        self._organisation_keys = frozenset(organisation_keys)
        self._shares = {ingress: _Share() for ingress in range(ingress_count)}
        """By number, ascending: of those who may hand in, and of others as long as anything of theirs is here."""
        self._open = tuple(self._shares)
        """Who may hand in."""
        self._waiting: OrderedDict[TxId, Waiting] = OrderedDict()
        self._bytes_count = 0
        self._buckets: dict[int, dict[TxId, None]] = {}
        self._bucket_keys: list[int] = []
        self._evicted: OrderedDict[TxId, None] = OrderedDict()
        self._pins: OrderedDict[Hash, dict[TxId, Transaction]] = OrderedDict()
        self._added = self._known = self._full = self._quota = 0
        self._committed = self._expired = self._evictions = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, tx_id: TxId) -> bool:
        return tx_id in self._waiting

    # --- coming in ---

    def add(self, transaction: Transaction, *, ingress: int, now_ms: int) -> Admission:
        """Take a transaction whose signature is valid and whose id has not run on this chain.

        Raises `Refusal`: `too_large` where no block could hold it, `fault` where it was evicted before,
        `quota_exceeded` where its signer has its share, `pool_full` where its ingress validator has.
        """
        tx_id = transaction.tx_id
        if tx_id in self._waiting:
            self._known += 1
            return Admission.KNOWN
        items = count_items(transaction.body.call)
        self._refuse_unless_room(transaction, items=items, ingress=ingress)
        share = self._shares[ingress]
        waiting = Waiting(transaction, ingress, now_ms, items)
        self._waiting[tx_id] = waiting
        share.queue[tx_id] = waiting
        size = len(transaction.raw)
        share.bytes_count += size
        self._bytes_count += size
        signer = transaction.body.signer
        share.by_signer[signer] = share.by_signer.get(signer, 0) + 1
        self._index_expiry(tx_id, transaction.body.valid_until_ms)
        self._added += 1
        return Admission.ADDED

    def check_room(self, transaction: Transaction, *, ingress: int) -> None:
        """Raise what `add` would for want of room: asked before the signature is verified, which costs much more."""
        self._refuse_unless_room(transaction, items=count_items(transaction.body.call), ingress=ingress)

    def _refuse_unless_room(self, transaction: Transaction, *, items: int, ingress: int) -> None:
        size = len(transaction.raw)
        if items > self._parameters.block_items_max or size > self._parameters.block_bytes_max:
            raise Refusal("too_large", items=items, bytes=size)
        if transaction.tx_id in self._evicted:
            raise Refusal("fault", tx_id=transaction.tx_id.hex())
        if ingress not in self._open:
            self._full += 1
            raise Refusal("pool_full", ingress=ingress, transactions=0, bytes=0)
        share = self._shares[ingress]
        signer = transaction.body.signer
        is_organisation = signer in self._organisation_keys
        limits = self._limits
        quota = limits.organisation_transactions_max if is_organisation else limits.signer_transactions_max
        if share.by_signer.get(signer, 0) >= quota:
            self._quota += 1
            raise Refusal("quota_exceeded", signer=signer.hex(), transactions_max=quota)
        transactions_max, bytes_max = self.get_share(ingress)
        if len(share.queue) >= transactions_max or share.bytes_count + size > bytes_max:
            self._full += 1
            raise Refusal("pool_full", ingress=ingress, transactions=len(share.queue), bytes=share.bytes_count)

    def get_share(self, ingress: int) -> tuple[int, int]:
        """Return how many transactions and bytes one ingress validator may have here."""
        count = len(self._open)
        transactions_max, bytes_max = self._limits.transactions_max // count, self._limits.bytes_max // count
        if ingress != self._home:
            return transactions_max, bytes_max
        return transactions_max * HOME_SHARE_QUARTERS // 4, bytes_max * HOME_SHARE_QUARTERS // 4

    def set_organisation_keys(self, keys: Iterable[bytes]) -> None:
        """Replace the keys that have the quota of an organisation (after governance changed one)."""
        self._organisation_keys = frozenset(keys)

    def set_parameters(self, parameters: Parameters) -> None:
        """Follow a change of the limits of a block."""
        self._parameters = parameters

    def set_ingress(self, *, ingresses: Sequence[int], home: int | None) -> None:
        """Follow a change of the validator set: these may hand in from now on, in equal shares.

        What came through one that is gone stays until a block takes it or it expires: its clients were promised that.
        """
        self._home = home
        self._open = tuple(sorted(ingresses))
        kept = {*self._open, *(ingress for ingress, share in self._shares.items() if share.queue)}
        self._shares = {ingress: self._shares.get(ingress) or _Share() for ingress in sorted(kept)}

    # --- going out ---

    def select(self, *, block_ms: int, turn: int) -> tuple[Transaction, ...]:
        """Return what a block with this timestamp should hold, within the limits of genesis, in its order.

        Ingress validators share the block evenly by cost (items and bytes), not by transactions, so that one
        that sends only batches of 500 does not crowd the others out. `turn` (the height) moves the advantage
        of being asked first. A transaction that does not fit any more ends the turn of its ingress
        validator: its order is kept.
        """
        parameters = self._parameters
        horizon_ms = block_ms + parameters.validity_window_ms
        count_left, items_left = parameters.block_transactions_max, parameters.block_items_max
        bytes_left = parameters.block_bytes_max
        bytes_weight, items_weight = parameters.block_items_max, parameters.block_bytes_max
        shares = tuple(self._shares.values())
        count = len(shares)
        queues = [iter(shares[(index + turn) % count].queue.values()) for index in range(count)]
        costs = [(0, place) for place in range(count)]
        selected: list[Transaction] = []
        while costs and count_left:
            cost, place = costs[0]
            for waiting in queues[place]:
                transaction = waiting.transaction
                if block_ms <= transaction.body.valid_until_ms <= horizon_ms:
                    break
            else:
                heapq.heappop(costs)
                continue
            size = len(transaction.raw)
            if waiting.items > items_left or size > bytes_left:
                heapq.heappop(costs)
                continue
            selected.append(transaction)
            count_left -= 1
            items_left -= waiting.items
            bytes_left -= size
            heapq.heapreplace(costs, (cost + waiting.items * items_weight + size * bytes_weight, place))
        return tuple(selected)

    def remove_committed(self, tx_ids: Iterable[TxId]) -> list[Waiting]:
        """Drop what a committed block holds; return those that were here."""
        removed = self._remove(tx_ids)
        self._committed += len(removed)
        return removed

    def evict(self, tx_id: TxId) -> Waiting | None:
        """Drop a transaction whose execution raised, and do not take it again (consensus 4; pitfalls C21).

        A pinned body stays available by `get` until the pins are released.
        """
        self._evicted[tx_id] = None
        if len(self._evicted) > EVICTED_MAX:
            self._evicted.popitem(last=False)
        removed = self._remove((tx_id,))
        self._evictions += len(removed)
        return removed[0] if removed else None

    def expire(self, block_ms: int) -> list[Waiting]:
        """Drop what no block after this head's time may hold (valid_until <= its timestamp); return it."""
        due: list[TxId] = []
        last = block_ms >> _BUCKET_BITS
        while self._bucket_keys and self._bucket_keys[0] <= last:
            bucket = self._buckets.get(self._bucket_keys[0], {})
            if self._bucket_keys[0] < last:
                due.extend(bucket)
                heapq.heappop(self._bucket_keys)
                continue
            due.extend(tx_id for tx_id in bucket if self._waiting[tx_id].transaction.body.valid_until_ms <= block_ms)
            break
        removed = self._remove(due)
        self._expired += len(removed)
        return removed

    def _remove(self, tx_ids: Iterable[TxId]) -> list[Waiting]:
        removed = []
        for tx_id in tx_ids:
            waiting = self._waiting.pop(tx_id, None)
            if waiting is None:
                continue
            removed.append(waiting)
            transaction = waiting.transaction
            body = transaction.body
            share = self._shares[waiting.ingress]
            del share.queue[tx_id]
            size = len(transaction.raw)
            share.bytes_count -= size
            self._bytes_count -= size
            left = share.by_signer[body.signer] - 1
            if left:
                share.by_signer[body.signer] = left
            else:
                del share.by_signer[body.signer]
            key = body.valid_until_ms >> _BUCKET_BITS
            bucket = self._buckets[key]
            del bucket[tx_id]
            if not bucket:
                del self._buckets[key]
        if len(self._bucket_keys) > 2 * len(self._buckets) + _BUCKET_KEYS_SPARE:
            self._bucket_keys = sorted(self._buckets)
        return removed

    def _index_expiry(self, tx_id: TxId, valid_until_ms: int) -> None:
        key = valid_until_ms >> _BUCKET_BITS
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = {}
            # A key whose bucket was emptied meanwhile may be here twice: harmless, and swept in _remove.
            heapq.heappush(self._bucket_keys, key)
        bucket[tx_id] = None

    # --- pins ---

    def pin(self, block_hash: Hash, transactions: Sequence[Transaction]) -> None:
        """Keep these bodies until `release_pins`: a journaled block names them (consensus 7)."""
        self._pins[block_hash] = {transaction.tx_id: transaction for transaction in transactions}
        if len(self._pins) > PINNED_BLOCKS_MAX:
            self._pins.popitem(last=False)

    def release_pins(self) -> None:
        """Release all pins: their height is committed."""
        self._pins.clear()

    # --- reading ---

    def get(self, tx_id: TxId) -> Transaction | None:
        """Return a transaction that waits here or is pinned."""
        waiting = self._waiting.get(tx_id)
        if waiting is not None:
            return waiting.transaction
        for pinned in reversed(self._pins.values()):
            transaction = pinned.get(tx_id)
            if transaction is not None:
                return transaction
        return None

    def get_waiting(self, tx_id: TxId) -> Waiting | None:
        """Return the entry of a transaction that waits here."""
        return self._waiting.get(tx_id)

    def get_oldest(self) -> Waiting | None:
        """Return the transaction that waits longest, for the request timer (consensus 6)."""
        return next(iter(self._waiting.values()), None)

    def get_oldest_includable(self, *, block_ms: int, count_max: int) -> list[Waiting]:
        """Return the longest waiting ones that a block of this time could hold, oldest first."""
        horizon_ms = block_ms + self._parameters.validity_window_ms
        found: list[Waiting] = []
        for waiting in self._waiting.values():
            if len(found) >= count_max:
                break
            if block_ms <= waiting.transaction.body.valid_until_ms <= horizon_ms:
                found.append(waiting)
        return found

    def get_statistics(self) -> PoolStatistics:
        """Return the counts now."""
        return PoolStatistics(
            transactions=len(self._waiting),
            bytes_count=self._bytes_count,
            by_ingress=tuple(len(share.queue) for share in self._shares.values()),
            bytes_by_ingress=tuple(share.bytes_count for share in self._shares.values()),
            pinned=sum(len(pinned) for pinned in self._pins.values()),
            added=self._added,
            known=self._known,
            refused_full=self._full,
            refused_quota=self._quota,
            committed=self._committed,
            expired=self._expired,
            evicted=self._evictions,
        )
