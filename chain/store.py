"""LevelDB: one synced batch for each block, both safety switches on, never a repair (design 4).

The only module that knows plyvel. Damage or a failed sync raises `StoreError`, on which the node stops: it never votes
from data that it cannot trust, and re-syncs from its peers (pitfalls S5-S10).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import plyvel

from chain.errors import StoreError
from chain.layout import FORMAT_VERSION, META_CHAIN_ID, META_FORMAT
from chain.types import ChainId

WRITE_BUFFER_BYTES = 16 * 1024 * 1024
OPEN_FILES_MAX = 100
BLOCK_CACHE_BYTES = 16 * 1024 * 1024
BLOOM_BITS = 10
"""Bits for each key: a look-up of an id that is not there rarely touches a table."""

Writes = Iterable[tuple[bytes, bytes | None]]
"""(key, value), None deletes."""


class StoreReader(Protocol):
    """Reads: of the store as it is now, or of a snapshot."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key."""

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, ascending or descending."""


class Snapshot:
    """The database as it was at one moment; close it soon, it keeps old data alive."""

    def __init__(self, snapshot: "plyvel.Snapshot") -> None:
        self._snapshot = snapshot

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key; raise `StoreError` on damage."""
        try:
            return self._snapshot.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise StoreError(f"reading failed: {error}") from error

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, ascending or descending."""
        return _iterate(self._snapshot, start, stop, is_reversed=is_reversed)

    def close(self) -> None:
        """Release the snapshot."""
        self._snapshot.close()


class Store:
    """The node's database."""

    def __init__(self, path: Path, chain_id: ChainId) -> None:
        """Open or create; raise `StoreError` if it is another chain's, of another format, locked or damaged."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = plyvel.DB(
                str(path),
                create_if_missing=True,
                paranoid_checks=True,
                write_buffer_size=WRITE_BUFFER_BYTES,
                max_open_files=OPEN_FILES_MAX,
                lru_cache_size=BLOCK_CACHE_BYTES,
                bloom_filter_bits=BLOOM_BITS,
                # Hashes, signatures and tree pages hardly shrink: compressing them cost four times the CPU of
                # compaction (65 against 17 us a transaction) for a fifth of the size.
                compression=None,
            )
        except plyvel.Error as error:
            raise StoreError(f"cannot open the database at {path}: {error}") from error
        try:
            self._check_identity(path, chain_id)
        except StoreError:
            self._db.close()
            raise

    def _check_identity(self, path: Path, chain_id: ChainId) -> None:
        found_format = self.get(META_FORMAT)
        if found_format is None:
            if next(self._db.iterator(include_value=False), None) is not None:
                raise StoreError(f"the database at {path} was not made by this program")
            self.write([(META_FORMAT, FORMAT_VERSION), (META_CHAIN_ID, chain_id)])
            return
        if found_format != FORMAT_VERSION:
            raise StoreError(
                f"the database at {path} has format {found_format.hex()}, this program reads {FORMAT_VERSION.hex()}"
            )
        found_chain = self.get(META_CHAIN_ID)
        if found_chain != chain_id:
            found = "none" if found_chain is None else found_chain.hex()
            raise StoreError(f"the database at {path} belongs to chain {found}, not to {chain_id.hex()}")

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key; raise `StoreError` on damage."""
        try:
            return self._db.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise StoreError(f"reading failed: {error}") from error

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, ascending or descending."""
        return _iterate(self._db, start, stop, is_reversed=is_reversed)

    def write(self, writes: Writes) -> None:
        """Write all or nothing, durably; a failure means that nothing may be trusted any more (`StoreError`)."""
        batch = self._db.write_batch(sync=True)
        for key, value in writes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        try:
            batch.write()
        except plyvel.Error as error:
            raise StoreError(f"writing failed: {error}") from error

    def snapshot(self) -> Snapshot:
        """Return a consistent view for readers."""
        return Snapshot(self._db.snapshot())

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _iterate(
    source: "plyvel.DB | plyvel.Snapshot", start: bytes, stop: bytes, *, is_reversed: bool
) -> Iterator[tuple[bytes, bytes]]:
    try:
        with source.iterator(start=start, stop=stop, reverse=is_reversed, verify_checksums=True) as iterator:
            yield from iterator
    except plyvel.Error as error:
        raise StoreError(f"reading failed: {error}") from error
