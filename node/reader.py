"""The explorer's view of the store: one LevelDB snapshot for each answer (design 1, "One writer").

A snapshot is consistent by itself, because a block is one batch; readers therefore need no lock and never
wait for the runtime. Whatever cannot be read means that the store is damaged: `StoreError`.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from chain import layout
from chain.certificate import Certificate, certificate_codec
from chain.codec import Codec
from chain.errors import DecodeError, StoreError
from chain.genesis import Genesis
from chain.history import inclusion_proof
from chain.ledger import header_record_codec
from chain.listing import build_pool_prefix, parse_ready_key
from chain.receipt import Receipt, receipt_codec
from chain.state import KeyPart, Overlay, PoolKey, Table
from chain.store import Snapshot, Store
from chain.trie import NO_SUMS, SUM, Sums, parse_sum_key
from chain.trie_storage import encode_root_key
from chain.trie_tree import Pending, Tree
from chain.types import ZERO_HASH, TxId
from explorer.reader import BlockRecord, Entry, Head, Place, Record

V = TypeVar("V", bound=msgspec.Struct)
_key_decoder = msgspec.msgpack.Decoder(tuple[object, ...])


class StoreReader:
    """Hands out snapshots of a store (a `ChainReader`)."""

    def __init__(self, store: Store, genesis: Genesis) -> None:
        self._store = store
        self._genesis = genesis
        self._head: Head | None = None

    @property
    def genesis(self) -> Genesis:
        """Return the shared start of the chain."""
        return self._genesis

    def get_head(self) -> Head:
        """Return the present head: one read, and the header only when it is new."""
        data = self._store.get(layout.META_HEAD)
        if data is None:
            raise StoreError("the database has no head")
        height = int.from_bytes(data, "big")
        head = self._head
        if head is None or head.height != height:
            head = self._head = _load_head(self._store, height)
        return head

    def open_snapshot(self) -> "StoreSnapshot":
        """Return the chain as it is now; the caller closes it."""
        return StoreSnapshot(self._store.snapshot())


class StoreSnapshot:
    """The chain at one height (a `ChainSnapshot`, and the base of a throw-away overlay)."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        data = snapshot.get(layout.META_HEAD)
        if data is None:
            raise StoreError("the database has no head")
        self._head = _load_head(snapshot, int.from_bytes(data, "big"))

    @property
    def head(self) -> Head:
        """Return which state this is."""
        return self._head

    def close(self) -> None:
        """Release the snapshot."""
        self._snapshot.close()

    # --- state ---

    @property
    def state(self) -> Overlay:
        """Return the state as the contract's pure functions read it; what is written to it leads nowhere."""
        return Overlay(_SnapshotBase(self._snapshot))

    def read(self, table: Table[V], *parts: KeyPart) -> V | None:
        """Return one record of the state."""
        return _read_record(self._snapshot, table.key(*parts), table.codec)

    def scan(
        self,
        table: Table[V],
        *parts: KeyPart,
        arity: int,
        start: bytes | None = None,
        is_reversed: bool = False,
    ) -> Iterator[tuple[Record, V]]:
        """Yield the records whose key fields begin with `parts`, beginning behind (reversed: before)
        `start`."""
        prefix = layout.STATE + table.prefix(*parts, arity=arity)
        first, last = prefix, layout.prefix_end(prefix)
        if start is not None:
            at = layout.STATE + start
            if is_reversed:
                last = min(last, at)
            else:
                # The next possible key: `at` itself with a zero byte behind it.
                first = max(first, at + b"\x00")
        if first >= last:
            return
        for key, value in self._snapshot.iterate(start=first, stop=last, is_reversed=is_reversed):
            map_key = key[len(layout.STATE) :]
            yield Record(key=map_key, parts=_decode_key(map_key)[1:]), _decode(table.codec, value)

    def read_pool_sums(self, pool: PoolKey, x_from: int) -> Sums:
        """Return the sums of the pool's sharing members with X >= x_from."""
        tag = layout.pool_tag(pool)
        if self._snapshot.get(encode_root_key(tag)) is None:
            return NO_SUMS
        return Tree(SUM, tag, self._snapshot).range_sums(x_from)

    def read_leaf_at(self, pool: PoolKey, rank: int) -> tuple[int, bytes]:
        """Return (X, pseudonym) of the leaf with this rank from 0."""
        return parse_sum_key(Tree(SUM, layout.pool_tag(pool), self._snapshot).select(rank))

    def scan_ready(
        self, pool: PoolKey, *, start: bytes | None = None, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield (position, day it was made, instruction id) of what the bank has not answered, oldest first."""
        prefix = layout.LISTING + build_pool_prefix(pool)
        first, last = prefix, layout.prefix_end(prefix)
        if start is not None:
            at = layout.LISTING + start
            if is_reversed:
                last = min(last, at)
            else:
                first = max(first, at + b"\x00")
        if first >= last:
            return
        for key, _ in self._snapshot.iterate(start=first, stop=last, is_reversed=is_reversed):
            position = key[len(layout.LISTING) :]
            yield position, *parse_ready_key(position)

    # --- blocks ---

    def read_block(self, height: int) -> BlockRecord | None:
        """Return a block, None above the head."""
        if height > self._head.height:
            return None
        data = self._snapshot.get(layout.header_key(height))
        if data is None:
            raise StoreError(f"header {height} is missing")
        record = _decode(header_record_codec, data)
        return BlockRecord(
            header=record.header,
            parent_certificate=record.parent_certificate,
            transactions=record.transactions,
        )

    def read_head_certificate(self) -> Certificate:
        """Return this node's own C(head)."""
        data = self._snapshot.get(layout.META_CERTIFICATE)
        if data is None:
            raise StoreError("the database has no certificate of its head")
        return _decode(certificate_codec, data)

    # --- entries ---

    def read_entry(self, tx_id: TxId) -> Entry | None:
        """Return the committed transaction with this id."""
        at = self._snapshot.get(layout.TX_INDEX + tx_id)
        if at is None:
            return None
        entry = self._read_entry(at)
        if entry is None:
            raise StoreError(f"the receipt of transaction {tx_id.hex()} is missing")
        return entry

    def read_entry_at(self, place: Place) -> Entry | None:
        """Return the entry at a place."""
        return self._read_entry(layout.place(*place))

    def list_ids(self, height: int) -> list[tuple[int, bytes]]:
        """Return (index, tx_id) of a block's transactions in order."""
        entries = self._iterate_receipts((height, 1), (height + 1, 0), is_reversed=False)
        return [(index, receipt.tx_id) for (_, index), receipt in entries]

    def iterate_entries(self, *, start: Place, stop: Place, is_reversed: bool) -> Iterator[Entry]:
        """Yield the entries with start <= place < stop."""
        for place, receipt in self._iterate_receipts(start, stop, is_reversed=is_reversed):
            yield self._build_entry(layout.place(*place), receipt)

    def iterate_subject(self, subject: bytes, *, start: Place, stop: Place, is_reversed: bool) -> Iterator[Entry]:
        """Yield the entries whose events name the subject, likewise."""
        prefix = layout.SUBJECT + subject
        keys = self._snapshot.iterate(
            start=prefix + layout.place(*start), stop=prefix + layout.place(*stop), is_reversed=is_reversed
        )
        for key, _ in keys:
            entry = self._read_entry(key[len(prefix) :])
            if entry is None:
                raise StoreError(f"a receipt of subject {subject.hex()} is missing")
            yield entry

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the path of leaf `index` of the log in the tree of `size` leaves."""
        return list(inclusion_proof(_Tiles(self._snapshot), index=index, size=size))

    def _iterate_receipts(self, start: Place, stop: Place, *, is_reversed: bool) -> Iterator[tuple[Place, Receipt]]:
        rows = self._snapshot.iterate(
            start=layout.RECEIPT + layout.place(*start),
            stop=layout.RECEIPT + layout.place(*stop),
            is_reversed=is_reversed,
        )
        for key, value in rows:
            yield layout.parse_place(key[len(layout.RECEIPT) :]), _decode(receipt_codec, value)

    def _read_entry(self, at: bytes) -> Entry | None:
        data = self._snapshot.get(layout.RECEIPT + at)
        return None if data is None else self._build_entry(at, _decode(receipt_codec, data))

    def _build_entry(self, at: bytes, receipt: Receipt) -> Entry:
        height, index = layout.parse_place(at)
        raw = b"" if receipt.tx_id == ZERO_HASH else self._snapshot.get(layout.TRANSACTION + at)
        if raw is None:
            raise StoreError(f"transaction {index} of block {height} is missing")
        return Entry(height=height, index=index, raw=raw, receipt=receipt)


class _SnapshotBase:
    """The committed state under a throw-away overlay (a `StateBase`)."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        """Return the committed record under a map key."""
        return _read_record(self._snapshot, key, codec)

    def open_pool_tree(self, pool: PoolKey) -> Pending:
        """Return fresh changes on the pool's sum tree."""
        return Tree(SUM, layout.pool_tag(pool), self._snapshot).begin()


class _Tiles:
    """The tiles of the history tree (a `TileReader`)."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def get(self, key: bytes, /) -> bytes | None:
        """Return the tile under `level u8 || index u64`."""
        return self._snapshot.get(layout.HISTORY_TILE + key)


def _load_head(source: Store | Snapshot, height: int) -> Head:
    data = source.get(layout.header_key(height))
    if data is None:
        raise StoreError(f"the database has no header {height}")
    header = _decode(header_record_codec, data).header
    return Head(height=height, state_root=header.state_root, timestamp_ms=header.timestamp_ms)


def _read_record(source: Snapshot, key: bytes, codec: Codec[V]) -> V | None:
    data = source.get(layout.STATE + key)
    return None if data is None else _decode(codec, data)


def _decode(codec: Codec[V], data: bytes) -> V:
    try:
        return codec.decode(data)
    except DecodeError as error:
        raise StoreError(f"a stored record cannot be read: {error}") from error


def _decode_key(key: bytes) -> tuple[KeyPart, ...]:
    try:
        found = _key_decoder.decode(key)
    except msgspec.DecodeError as error:
        raise StoreError(f"a state key cannot be read: {error}") from error
    parts = tuple(part for part in found if isinstance(part, bytes | str | int))
    if len(parts) != len(found):
        raise StoreError(f"a state key has other than texts, numbers and bytes: {key.hex()}")
    return parts
