"""The ledger: the committed head with its state, trees and history, over a store.

It hands out overlays' reads, and takes over an executed block once it is certified: one batch, one sync. Nothing of a
block is visible before that.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from chain import layout
from chain.absence import ALWAYS_MS, RecentIds
from chain.absent_records import AbsentRecords
from chain.blob_table import BlobTable
from chain.block import Block, Header, hash_header
from chain.certificate import Certificate, certificate_codec, genesis_certificate
from chain.codec import Codec, encode
from chain.errors import StoreError
from chain.execution import Executed, build_genesis_block
from chain.genesis import Genesis, Parameters, compute_chain_id
from chain.history import LogFrontier, load_frontier
from chain.listing import list_changes
from chain.receipt import Receipt, receipt_codec
from chain.round_record import PARAMETERS, PROTOCOL, ROUND, VALIDATORS, ProtocolRecord, RoundRecord, ValidatorsRecord
from chain.state import PoolKey, Table
from chain.transaction import Transaction
from chain.trie import MAP, SUM
from chain.trie_tree import Pending, Tree
from chain.types import Hash, Height, TxId
from chain.validators import ValidatorSet

V = TypeVar("V", bound=msgspec.Struct)

RECORDS_CACHED_MAX = 16_000
"""Decoded records kept in memory; the oldest sixteenth goes when it is full."""
STATE_TREE_CACHED_MAX = 64_000
"""Pages and buckets of the state tree kept in memory, about 50 MB: each transaction changes two or three leaves at
random places, and reading a bucket from the database costs as much as changing it and all nodes above."""
STATE_TREE_LAZY_MAX = 16_000
"""Changed pages of the state tree that may wait in memory to be written: at most this many are hashed again at a
start (trie_lazy.py)."""
RESTORED_IDS_MAX = 200_000
"""Ids that are read back after a start, about a second's work; for what may have run earlier the database is asked."""
RESTORED_BLOCKS_MAX = 20_000
"""Blocks that are looked through for them."""

_UNKNOWN = object()


class PointReader(Protocol):
    """Reads single keys: a store or a snapshot of one."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key."""


class LedgerStore(Protocol):
    """What the ledger needs of a store."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key."""

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        """Return (key, value) with start <= key < stop, at most so many."""

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop."""

    def write(self, writes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Write all or nothing, durably."""

    def compact(self, *, start: bytes, stop: bytes) -> None:
        """Rewrite the files that hold a range, without what was deleted."""


class TileStore:
    """The tiles of the history tree within a store."""

    def __init__(self, store: "PointReader") -> None:
        self._store = store

    def get(self, key: bytes, /) -> bytes | None:
        """Return a tile."""
        return self._store.get(layout.HISTORY_TILE + key)


class HeaderRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is stored for each block beside its transactions."""

    header: Header
    parent_certificate: Certificate
    transactions: int
    """How many transactions it has."""


class _ReceiptHead(msgspec.Struct, frozen=True, array_like=True):
    """How a receipt begins."""

    tx_id: bytes


_receipt_head = msgspec.msgpack.Decoder(_ReceiptHead)
header_record_codec = Codec[HeaderRecord](HeaderRecord, 64 * 1024, "header record")


class Ledger:
    """The committed chain of one node."""

    def __init__(self, store: LedgerStore, genesis: Genesis) -> None:
        """Open at the stored head, or write block 0; raise `StoreError` if the store contradicts its roots."""
        self.store = store
        self.genesis = genesis
        self.chain_id = compute_chain_id(genesis)
        self._records: dict[bytes, msgspec.Struct | None] = {}
        self._pool_trees: dict[PoolKey, Tree] = {}
        self._recent: RecentIds | None = None
        """Read back when it is first asked."""
        self._absent = AbsentRecords(store)
        self.blobs = BlobTable(store)
        self.state_tree = Tree(MAP, layout.STATE_TREE, store, STATE_TREE_CACHED_MAX, STATE_TREE_LAZY_MAX)
        self.genesis_hash = Hash(b"")
        if store.get(layout.META_HEAD) is None:
            self._write_genesis()
        self._load_head()

    # --- head ---

    def _write_genesis(self) -> None:
        self.frontier = LogFrontier()
        executed = build_genesis_block(self, self.genesis, self.chain_id)
        genesis_hash = hash_header(executed.header)
        self.commit(executed, genesis_certificate(genesis_hash))

    def _load_head(self) -> None:
        data = self.store.get(layout.META_HEAD)
        if data is None:
            raise StoreError("the database has no head")
        height = int.from_bytes(data, "big")
        record = self.read_header_record(height)
        first = self.read_header_record(0)
        if record is None or first is None:
            raise StoreError(f"the database has no header {height}")
        self.header = record.header
        self.head_hash = hash_header(record.header)
        self.genesis_hash = hash_header(first.header)
        certificate = self.store.get(layout.META_CERTIFICATE)
        if certificate is None:
            raise StoreError("the database has no certificate of its head")
        self.certificate = certificate_codec.decode(certificate)
        self.frontier = load_frontier(TileStore(self.store), record.header.log_size)
        if self.state_tree.root_bytes != record.header.state_root:
            raise StoreError(f"the state tree contradicts the state root of block {height}")
        if self.frontier.root != record.header.log_root:
            raise StoreError(f"the history tiles contradict the log root of block {height}")

    @property
    def height(self) -> Height:
        """Return the height of the head."""
        return Height(self.header.height)

    @property
    def validators(self) -> ValidatorSet:
        """Return set(head + 1)."""
        return self._required(VALIDATORS).next_set

    @property
    def validators_record(self) -> ValidatorsRecord:
        """Return the sets of the next height and of the head."""
        return self._required(VALIDATORS)

    @property
    def round(self) -> RoundRecord:
        """Return the skip tables and the view embedded in the head."""
        return self._required(ROUND)

    def _required(self, table: Table[V]) -> V:
        value = self.read(table.key(), table.codec)
        if value is None:
            raise StoreError(f"the state has no {table.name}")
        return value

    @property
    def parameters(self) -> Parameters:
        """Return the parameters that hold at the next height: genesis's, as governance has changed them."""
        return self._required(PARAMETERS)

    @property
    def protocol(self) -> ProtocolRecord:
        """Return which protocol version runs from which height on, as scheduled so far."""
        return self._required(PROTOCOL)

    # --- what overlays read ---

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        """Return the committed record under a map key; decoded records are cached."""
        known = self._records.get(key, _UNKNOWN)
        if known is not _UNKNOWN:
            return known  # type: ignore[return-value]  # a key belongs to one table, so to one type
        if self._absent.is_absent(key):
            return None
        data = self.store.get(layout.STATE + key)
        value = self._records[key] = None if data is None else codec.decode(data)
        self._trim_records()
        return value

    def _trim_records(self) -> None:
        """Drop the oldest records, some at once: taking them one by one from a dict's front is quadratic."""
        records = self._records
        excess = len(records) - RECORDS_CACHED_MAX
        if excess > 0:
            for old in list(islice(records, excess + RECORDS_CACHED_MAX // 16)):
                del records[old]

    def open_pool_tree(self, pool: PoolKey) -> Pending:
        """Return fresh changes on top of the pool's committed sum tree."""
        return self.get_pool_tree(pool).begin()

    def get_pool_tree(self, pool: PoolKey) -> Tree:
        """Return the committed sum tree of a pool."""
        tree = self._pool_trees.get(pool)
        if tree is None:
            tree = self._pool_trees[pool] = Tree(SUM, layout.pool_tag(pool), self.store)
        return tree

    def has_transaction(self, tx_id: TxId) -> bool:
        """Tell whether this id ran on this chain, ever."""
        return self.store.get(layout.TX_INDEX + tx_id) is not None

    def has_run(self, transaction: Transaction) -> bool:
        """Tell whether a transaction ran on this chain, ever; for one that is new mostly without the database."""
        recent = self._recent
        if recent is None:
            recent = self._recent = self._load_recent()
        earliest_ms = transaction.body.valid_until_ms - self.genesis.parameters.validity_window_ms
        if recent.is_new(transaction.tx_id, earliest_ms=earliest_ms):
            return False
        return self.has_transaction(transaction.tx_id)

    def _load_recent(self) -> RecentIds:
        """Read back the ids of the newest blocks, as far as a transaction that is still valid may have run."""
        wanted_ms = self.header.timestamp_ms - self.genesis.parameters.validity_window_ms
        since_ms = self.header.timestamp_ms + 1
        ids: list[TxId] = []
        height: int = self.height
        lowest = max(0, height - RESTORED_BLOCKS_MAX)
        while height >= lowest and len(ids) < RESTORED_IDS_MAX and since_ms > wanted_ms:
            record = self.read_header_record(height)
            if record is None:
                raise StoreError(f"the database has no header {height}")
            if record.transactions:
                start, stop = layout.RECEIPT + layout.place(height, 1), layout.RECEIPT + layout.place(height + 1, 0)
                found = self.store.iterate(start=start, stop=stop)
                ids.extend(TxId(_receipt_head.decode(data).tx_id) for _, data in found)
            since_ms = record.header.timestamp_ms
            height -= 1
        recent = RecentIds(ALWAYS_MS if height < 0 else since_ms)
        recent.add_block(ids, timestamp_ms=since_ms)
        return recent

    def has_blob(self, blob_hash: bytes) -> bool:
        """Tell whether a detached blob is held here."""
        return self.blobs.has(blob_hash)

    def put_blobs(self, blobs: Iterable[bytes]) -> None:
        """Keep detached blobs, durably; they lie outside of all roots, so that erasing them changes no proof."""
        self.blobs.put(blobs)

    # --- blocks ---

    def read_header_record(self, height: int) -> HeaderRecord | None:
        """Return header, embedded certificate and transaction count of a block."""
        data = self.store.get(layout.header_key(height))
        return None if data is None else header_record_codec.decode(data)

    def read_transactions(self, height: int) -> tuple[bytes, ...]:
        """Return the full bytes of a block's transactions."""
        start = layout.TRANSACTION + layout.place(height, 0)
        stop = layout.TRANSACTION + layout.place(height + 1, 0)
        return tuple(value for _, value in self.store.iterate(start=start, stop=stop))

    def read_transaction(self, height: int, index: int) -> bytes:
        """Return the full bytes of one committed transaction."""
        raw = self.store.get(layout.TRANSACTION + layout.place(height, index))
        if raw is None:
            raise StoreError(f"transaction {index} of block {height} is missing")
        return raw

    def read_block(self, height: int) -> Block | None:
        """Return a whole block, or None above the head."""
        record = self.read_header_record(height)
        if record is None:
            return None
        return Block(
            header=record.header,
            parent_certificate=record.parent_certificate,
            transactions=self.read_transactions(height),
        )

    def read_certificate(self, height: int) -> Certificate | None:
        """Return C(height): the agreed one from the next block, our own for the head."""
        if height == self.height:
            return self.certificate
        record = self.read_header_record(height + 1)
        return None if record is None else record.parent_certificate

    def read_receipt(self, tx_id: TxId) -> tuple[int, int, Receipt] | None:
        """Return (height, index, receipt) of a committed transaction."""
        at = self.store.get(layout.TX_INDEX + tx_id)
        if at is None:
            return None
        data = self.store.get(layout.RECEIPT + at)
        if data is None:
            raise StoreError(f"the receipt of transaction {tx_id.hex()} is missing")
        height, index = layout.parse_place(at)
        return height, index, receipt_codec.decode(data)

    # --- commit ---

    def commit(self, executed: Executed, certificate: Certificate, *, blobs: Iterable[bytes] = ()) -> None:
        """Make an executed block the head: one synced batch, then memory (design 4, pitfalls S1).

        `blobs` are detached blobs that its transactions name, as far as they are held here.
        """
        writes = _build_writes(executed, certificate)
        blob_writes = self.blobs.build_writes(executed, blobs)
        self.store.write([*writes, *blob_writes])
        self.blobs.on_written(blob_writes)
        known, on_written = self._records, self._absent.on_written
        for key, value in executed.records:
            known.pop(key, None)
            if on_written(key):
                known[key] = value
        self._trim_records()
        self.state_tree.commit(executed.state_pending)
        for pool, pending in executed.pool_pendings:
            self.get_pool_tree(pool).commit(pending)
        self.frontier = executed.frontier
        self.header = executed.header
        self.head_hash = executed.block_hash
        self.certificate = certificate
        if self._recent is not None:
            ids = (transaction.tx_id for transaction in executed.transactions)
            self._recent.add_block(ids, timestamp_ms=executed.header.timestamp_ms)

    def replace_certificate(self, certificate: Certificate) -> None:
        """Keep a certificate of the head that has a higher view (consensus 1)."""
        self.store.write([(layout.META_CERTIFICATE, encode(certificate))])
        self.certificate = certificate


def _build_writes(executed: Executed, certificate: Certificate) -> list[tuple[bytes, bytes | None]]:
    height = executed.header.height
    record = HeaderRecord(
        header=executed.header,
        parent_certificate=executed.parent_certificate,
        transactions=len(executed.transactions),
    )
    writes: list[tuple[bytes, bytes | None]] = [
        (layout.header_key(height), encode(record)),
        (layout.BLOCK_HASH + executed.block_hash, height.to_bytes(8, "big")),
        (layout.META_HEAD, height.to_bytes(8, "big")),
        (layout.META_CERTIFICATE, encode(certificate)),
    ]
    for index, transaction in enumerate(executed.transactions, start=1):
        at = layout.place(height, index)
        writes.append((layout.TRANSACTION + at, transaction.raw))
        writes.append((layout.TX_INDEX + transaction.tx_id, at))
    for index, receipt_bytes, subjects in executed.receipts:
        at = layout.place(height, index)
        writes.append((layout.RECEIPT + at, receipt_bytes))
        writes.extend((layout.SUBJECT + subject + at, b"") for subject in subjects)
    writes.extend((layout.STATE + key, value) for key, value in executed.values)
    for key, changed in executed.records:
        listed = list_changes(key, changed)
        if listed is not None:
            writes.append((layout.LISTING + listed[0], listed[1]))
    writes.extend(executed.state_pending.writes(height=height))
    for _, pending in executed.pool_pendings:
        writes.extend(pending.writes(height=height))
    writes.extend((layout.HISTORY_TILE + key, tile) for key, tile in executed.tiles)
    return writes
