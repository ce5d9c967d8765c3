"""Detached blobs in the database, beside the chain: kept while somebody names them, gone when he is erased (ADR 0013).

    BLOB      hash           -> ciphertext
    BLOB_USE  hash || member -> nothing

A transaction that was carried out names its blob for its member; one that was refused names nothing. With the block of
an `erasure_request` the member's names go, and each blob that nobody else names goes with them, in the same batch: a
crash leaves both or neither. So nobody can have another's blob deleted by naming it too, and a blob that comes from a
peer after the erasure is not kept. Both tables lie outside of all roots, and follow from the blocks alone, so every
node keeps and deletes the same.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from chain import layout
from chain.contract.member_calls import MemberAmend, MemberApply
from chain.contract.person_events import ErasureRequested
from chain.crypto import sha256
from chain.errors import StoreError
from chain.execution import Executed
from chain.transaction import Transaction, decode_transaction

REMEMBERED_MAX: Final = 4_096
"""Hashes of blobs that were found to be here; all are forgotten when it is full."""

Write = tuple[bytes, bytes | None]


class BlobStore(Protocol):
    """What the table needs of a store."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key."""

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop."""

    def write(self, writes: Iterable[Write]) -> None:
        """Write all or nothing, durably."""

    def compact(self, *, start: bytes, stop: bytes) -> None:
        """Rewrite the files that hold a range, so that what was deleted is no longer in them."""


def get_blob_use(transaction: Transaction) -> tuple[bytes, bytes] | None:
    """Return (hash of the blob, member) that a transaction names, if any."""
    call = transaction.body.call
    if isinstance(call, MemberApply):
        return call.blob_hash, transaction.tx_id
    if isinstance(call, MemberAmend):
        return call.blob_hash, call.member
    return None


def list_uses(executed: Executed) -> list[tuple[bytes, bytes]]:
    """Return (hash, member) of the blobs that the block's transactions name, as far as they were carried out."""
    refused = {receipt.tx_id for receipt in executed.outcomes if receipt.outcome != 0}
    uses = (get_blob_use(item) for item in executed.transactions if item.tx_id not in refused)
    return [use for use in uses if use is not None]


def list_erased(executed: Executed) -> list[bytes]:
    """Return the members whose erasure was asked for in the block."""
    events = (event for receipt in executed.outcomes for event in receipt.events)
    return [event.member for event in events if isinstance(event, ErasureRequested)]


class BlobTable:
    """The blobs of one node's database."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._here: dict[bytes, None] = {}
        self._unscrubbed: list[bytes] = []
        """Deleted, but maybe still in a file of the database."""

    def has(self, blob_hash: bytes) -> bool:
        """Tell whether a blob is held here."""
        if blob_hash in self._here:
            return True
        if self._store.get(layout.BLOB + blob_hash) is None:
            return False
        if len(self._here) >= REMEMBERED_MAX:
            self._here.clear()
        self._here[blob_hash] = None
        return True

    def is_named(self, blob_hash: bytes) -> bool:
        """Tell whether somebody who was not erased names a blob."""
        return next(self._list_users(blob_hash), None) is not None

    def _list_users(self, blob_hash: bytes) -> Iterator[bytes]:
        prefix = layout.BLOB_USE + blob_hash
        for key, _ in self._store.iterate(start=prefix, stop=layout.prefix_end(prefix)):
            yield key[len(prefix) :]

    def put(self, blobs: Iterable[bytes]) -> None:
        """Keep blobs of committed blocks that came later, durably; what nobody names any more is let go."""
        hashed = ((bytes(sha256(blob)), blob) for blob in blobs)
        writes = [(layout.BLOB + blob_hash, blob) for blob_hash, blob in hashed if self.is_named(blob_hash)]
        if writes:
            self._store.write(writes)

    # --- with a block ---

    def build_writes(self, executed: Executed, blobs: Iterable[bytes]) -> list[Write]:
        """Return what a block's commit writes here: its blobs and their names, and what it erases.

        An erasure is behind everything else of its block. `on_written` must follow once it is durable.
        """
        writes: list[Write] = [(layout.BLOB + sha256(blob), blob) for blob in blobs]
        named = list_uses(executed)
        writes.extend((layout.BLOB_USE + blob_hash + member, b"") for blob_hash, member in named)
        erased = list_erased(executed)
        ended = [(blob_hash, member) for member in erased for blob_hash in self._list_blobs(member)]
        writes.extend((layout.BLOB_USE + blob_hash + member, None) for blob_hash, member in ended)
        for blob_hash in dict.fromkeys(blob_hash for blob_hash, _ in ended):
            users = [*self._list_users(blob_hash), *(member for used, member in named if used == blob_hash)]
            if all(user in erased for user in users):
                writes.append((layout.BLOB + blob_hash, None))
        return writes

    def _list_blobs(self, member: bytes) -> list[bytes]:
        """Return the hashes of all blobs that a member ever named, by the places of the receipts about it."""
        prefix = layout.SUBJECT + member
        found: dict[bytes, None] = {}
        for key, _ in self._store.iterate(start=prefix, stop=layout.prefix_end(prefix)):
            place = key[len(prefix) :]
            if layout.parse_place(place)[1] == 0:
                continue
            raw = self._store.get(layout.TRANSACTION + place)
            if raw is None:
                raise StoreError(f"the transaction at {place.hex()} is missing")
            use = get_blob_use(decode_transaction(raw))
            if use is not None and use[1] == member:
                found[use[0]] = None
        return list(found)

    def on_written(self, writes: Iterable[Write]) -> None:
        """Forget what a durable batch has deleted."""
        for key, value in writes:
            if value is None and key.startswith(layout.BLOB):
                blob_hash = key[len(layout.BLOB) :]
                self._here.pop(blob_hash, None)
                self._unscrubbed.append(blob_hash)

    def scrub(self, count_max: int) -> int:
        """Take some deleted blobs out of the files of the database; return how many.

        Deleting alone leaves the bytes there until the next compaction. What a stop leaves over is taken by that.
        LevelDB merges files of two levels: one that holds a blob and its deletion, both, would be left as it is. So
        the files are made first, and another deletion above them, which is then merged with what lies below.
        """
        hashes, self._unscrubbed = self._unscrubbed[:count_max], self._unscrubbed[count_max:]
        if not hashes:
            return 0
        keys = [layout.BLOB + blob_hash for blob_hash in hashes]
        self._store.compact(start=keys[0], stop=layout.prefix_end(keys[0]))
        self._store.write([(key, None) for key in keys])
        for key in keys:
            self._store.compact(start=key, stop=layout.prefix_end(key))
        return len(hashes)
