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

WRITE_BUFFER_BYTES = 8 * 1024 * 1024
"""There are two of them, and the newest tables are as large: twice as much saves no CPU and costs 40 MB."""
TABLE_BYTES = 8 * 1024 * 1024
"""Size of a table. LevelDB's own choice, 2 MB, makes 270 of them at 400,000 transactions."""
OPEN_FILES_MAX = 100
"""A look-up goes through up to eight tables. One that is not open costs it a file opened, mapped, its index checked:
with 40 open tables of 2 MB a look-up took 21 us, with 100 of 8 MB it takes 13. What is mapped counts as resident as far
as it was read; the system takes such pages back when it needs the memory (docs/performance.md)."""
BLOCK_CACHE_BYTES = 8 * 1024 * 1024
"""For tables that could not be mapped."""

Writes = Iterable[tuple[bytes, bytes | None]]
"""(key, value), None deletes."""


class StoreReader(Protocol):
    """Reads: of the store as it is now, or of a snapshot."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key."""

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, ascending or descending."""


class _Points:
    """Reads single keys by an iterator that is kept until the next write.

    Not by LevelDB's `get`: that charges a table for every look-up which has to go on to a second one, whether or not
    its bloom filter answered, and merges the table into the next level after some 128 of them. Under a steady stream
    of reads of random keys these merges were two fifths of all CPU of a node at 400,000 transactions, and grew with
    the database. A seek costs a few microseconds more than a `get` and charges nothing.

    An iterator serves one thread at a time: whoever reads takes it out of the list for that long.
    """

    __slots__ = ("_idle", "_source")

    def __init__(self, source: "plyvel.DB | plyvel.Snapshot") -> None:
        self._source = source
        self._idle: list[plyvel.RawIterator] = []

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; raise `StoreError` on damage."""
        idle = self._idle
        try:
            iterator = _take(idle) or self._source.raw_iterator(verify_checksums=True)
            iterator.seek(key)
            value = iterator.value() if iterator.valid() and iterator.key() == key else None
        except plyvel.Error as error:
            raise StoreError(f"reading failed: {error}") from error
        idle.append(iterator)
        return value

    def read_range(self, start: bytes, stop: bytes, count_max: int) -> list[tuple[bytes, bytes]]:
        """Return (key, value) with start <= key < stop, at most so many; raise `StoreError` on damage."""
        idle = self._idle
        found: list[tuple[bytes, bytes]] = []
        try:
            iterator = _take(idle) or self._source.raw_iterator(verify_checksums=True)
            iterator.seek(start)
            while iterator.valid() and len(found) < count_max:
                key, value = iterator.item()
                if key >= stop:
                    break
                found.append((key, value))
                iterator.next()
        except plyvel.Error as error:
            raise StoreError(f"reading failed: {error}") from error
        idle.append(iterator)
        return found

    def renew(self) -> None:
        """Let the next read see what was written since; no iterator that is left keeps old data alive."""
        idle, self._idle = self._idle, []
        while (iterator := _take(idle)) is not None:
            iterator.close()


def _take(idle: list["plyvel.RawIterator"]) -> "plyvel.RawIterator | None":
    try:
        return idle.pop()
    except IndexError:
        return None


class Snapshot:
    """The database as it was at one moment; close it soon, it keeps old data alive."""

    def __init__(self, snapshot: "plyvel.Snapshot") -> None:
        self._snapshot = snapshot
        self._points = _Points(snapshot)

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key; raise `StoreError` on damage."""
        return self._points.get(key)

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        """Return (key, value) with start <= key < stop, at most so many; raise `StoreError` on damage."""
        return self._points.read_range(start, stop, count_max)

    def iterate(self, *, start: bytes, stop: bytes, is_reversed: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, ascending or descending."""
        return _iterate(self._snapshot, start, stop, is_reversed=is_reversed)

    def close(self) -> None:
        """Release the snapshot."""
        self._points.renew()
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
                max_file_size=TABLE_BYTES,
                lru_cache_size=BLOCK_CACHE_BYTES,
                # No bloom filters: only LevelDB's own `get` asks them, which is not used here (`_Points`).
                # Hashes, signatures and tree pages hardly shrink: compressing them cost four times the CPU of
                # compaction (65 against 17 us a transaction) for a fifth of the size.
                compression=None,
            )
        except plyvel.Error as error:
            raise StoreError(f"cannot open the database at {path}: {error}") from error
        self._points = _Points(self._db)
        try:
            self._check_identity(path, chain_id)
        except StoreError:
            self.close()
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
        return self._points.get(key)

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        """Return (key, value) with start <= key < stop, at most so many; raise `StoreError` on damage."""
        return self._points.read_range(start, stop, count_max)

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
        finally:
            self._points.renew()

    def compact(self, *, start: bytes, stop: bytes) -> None:
        """Rewrite the files that hold a range: what was deleted is then no longer in them, as far as no snapshot is."""
        try:
            self._db.compact_range(start=start, stop=stop)
        except plyvel.Error as error:
            raise StoreError(f"compacting failed: {error}") from error

    def snapshot(self) -> Snapshot:
        """Return a consistent view for readers."""
        return Snapshot(self._db.snapshot())

    def close(self) -> None:
        """Close the database."""
        self._points.renew()
        self._db.close()


def _iterate(
    source: "plyvel.DB | plyvel.Snapshot", start: bytes, stop: bytes, *, is_reversed: bool
) -> Iterator[tuple[bytes, bytes]]:
    try:
        with source.iterator(start=start, stop=stop, reverse=is_reversed, verify_checksums=True) as iterator:
            yield from iterator
    except plyvel.Error as error:
        raise StoreError(f"reading failed: {error}") from error
