"""The pool journal: what this node promised with a 202 survives its death, and that of all nodes (design 3).

Transactions of own clients and detached blobs, in segments. Whoever appends waits until the record is
durable; many wait for one fdatasync, which runs in a worker thread so that the loop goes on. A record
goes when its transaction was committed or has expired (`forget`); a segment goes when none of its records
is needed, and the last few of an old segment are copied forward, so the space is bounded by what is
alive.

    segment     magic (16) chain_id (32), then records
    record      mark (4) crc32 (4) length (4) kind (1) id (32) payload

A damaged record loses itself and not those behind it: they are found by their mark (pitfalls S5). A
failed write or sync ends the node: `run` raises `StoreError`, and so does every waiting `append`.
"""

import asyncio
import enum
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from msgspec import Struct

from chain.errors import ConfigError, Refusal, StoreError
from chain.types import ChainId
from node.files import create_directory, create_file, sync_data, sync_directory, write_all

SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENTS_MAX = 12
"""Segments beside the one that is written; then the oldest is copied forward and deleted."""
BYTES_MAX_DEFAULT = 256 * 1024 * 1024
GROUP_GAP_MS = 4
"""Pause after a sync, so that the next one serves many."""

_MAGIC = b"gongji-pool----1"
_HEADER_BYTES = len(_MAGIC) + 32
_MARK = b"\xa7PJ\x01"
_RECORD = struct.Struct(">4sIIB32s")
_CRC_FROM = 8
_PAYLOAD_BYTES_MAX = 128 * 1024
_NAME = re.compile(r"pool-(\d{8})\.log")


class PoolRecordKind(enum.IntEnum):
    """What a record holds; the numbers are on the disk."""

    TRANSACTION = 1
    """Full transaction bytes; its id is the tx_id."""
    BLOB = 2
    """A detached blob; its id is its SHA-256."""


_KINDS = frozenset(PoolRecordKind)
T = TypeVar("T")


class PoolRecord(Struct, frozen=True):
    """One thing that must survive."""

    kind: PoolRecordKind
    key: bytes
    """32 bytes: tx_id or hash of the blob."""
    payload: bytes


class _Segment:
    __slots__ = ("bytes_count", "keys", "number", "path")

    def __init__(self, number: int, path: Path, bytes_count: int) -> None:
        self.number = number
        self.path = path
        self.bytes_count = bytes_count
        self.keys: dict[bytes, int] = {}
        """Key of each record that is still needed, with its size."""


class _Group:
    """Records that become durable together, and those who wait for it."""

    __slots__ = ("done", "records")

    def __init__(self) -> None:
        self.records: list[PoolRecord] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class PoolJournal:
    """Append durably in groups, forget, read back; `run` must be a task of the node's group."""

    def __init__(
        self,
        directory: Path,
        chain_id: ChainId,
        *,
        bytes_max: int = BYTES_MAX_DEFAULT,
        segment_bytes: int = SEGMENT_BYTES,
        group_gap_ms: int = GROUP_GAP_MS,
    ) -> None:
        """Open or create the journal and read it; raise `StoreError` where the disk fails."""
        self._directory = directory
        self._chain_id = chain_id
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes
        self._group_gap_s = group_gap_ms / 1_000
        self._segments: list[_Segment] = []
        self._by_key: dict[bytes, _Segment | None] = {}
        """Where each living record is; None while it waits to be written."""
        self._live_bytes = 0
        self._descriptor = -1
        self._group: _Group | None = None
        self._writing: _Group | None = None
        self._wake = asyncio.Event()
        self._failure: StoreError | None = None
        self.damaged = 0
        """Places at which something could not be read back."""
        self.syncs = 0
        """Syncs since the start."""
        self.observe_sync: Callable[[float], None] = lambda _seconds: None
        """Told how many seconds each durable write took."""
        try:
            create_directory(directory)
            self._restored = self._load()
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}") from error

    # --- what the node does with it ---

    def replay(self) -> tuple[PoolRecord, ...]:
        """Return what was read back at the opening, in order, and let go of it; blobs and transactions mixed.

        Some may be committed or expired by now: the caller looks, and forgets those.
        """
        restored, self._restored = self._restored, ()
        return restored

    def __contains__(self, key: bytes) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def bytes_count(self) -> int:
        """Return the size of all segments."""
        return sum(segment.bytes_count for segment in self._segments)

    async def append(self, records: Sequence[PoolRecord]) -> None:
        """Return when all these are durable; what is here already is not written again.

        Raises `Refusal` (pool_full) where what is alive would exceed the journal's size, and `StoreError`
        where the disk failed: then nothing was promised. Cancelling a waiter takes nothing back.
        """
        if self._failure is not None:
            raise self._failure
        fresh = [record for record in records if record.key not in self._by_key]
        size = sum(_RECORD.size + len(record.payload) for record in fresh)
        if self._live_bytes + size > self._bytes_max:
            raise Refusal("pool_full", journal_bytes=self._live_bytes, bytes_max=self._bytes_max)
        if all(self._by_key.get(record.key) is not None for record in records):
            return
        if self._group is None:
            self._group = _Group()
        group = self._group
        for record in fresh:
            if record.key not in self._by_key:
                self._by_key[record.key] = None
                self._live_bytes += _RECORD.size + len(record.payload)
                group.records.append(record)
        self._wake.set()
        await asyncio.shield(group.done)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Let go of records whose transaction was committed or has expired; unknown keys are ignored."""
        for key in keys:
            segment = self._by_key.pop(key, None)
            if segment is not None:
                self._live_bytes -= segment.keys.pop(key)

    async def run(self) -> None:
        """Write and sync groups until cancelled; raise `StoreError` when the disk fails: the node must
        end."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._writing, self._group = self._group, None
                if self._writing is not None:
                    await self._write_group(self._writing)
                    self._writing = None
                    await self._tidy()
                    await asyncio.sleep(self._group_gap_s)
        except StoreError as error:
            self._fail(error)
            raise
        finally:
            self._fail(StoreError("the pool journal was closed"))

    def close(self) -> None:
        """Close the file, after `run` has ended; nothing more is promised."""
        self._fail(StoreError("the pool journal was closed"))
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # --- groups; the loop's thread alone changes what is known of records and segments ---

    async def _write_group(self, group: _Group) -> None:
        # What was forgotten while it waited is written all the same: somebody waits for the promise.
        if group.records:
            await self._write_records(group.records)
        if not group.done.done():
            group.done.set_result(None)

    async def _write_records(self, records: Sequence[PoolRecord]) -> None:
        started = perf_counter()
        await _run_in_thread(lambda: self._write(b"".join(_encode(record) for record in records)))
        self.observe_sync(perf_counter() - started)
        self.syncs += 1
        segment = self._segments[-1]
        for record in records:
            size = _RECORD.size + len(record.payload)
            segment.bytes_count += size
            if self._by_key.get(record.key, segment) is None:
                self._by_key[record.key] = segment
                segment.keys[record.key] = size
            else:
                # Forgotten meanwhile, or forgotten and given again: its room was counted for nothing.
                self._live_bytes -= size

    async def _tidy(self) -> None:
        if self._segments[-1].bytes_count >= self._segment_bytes:
            number = self._segments[-1].number + 1
            self._open_segment(number, await _run_in_thread(lambda: self._create_segment(number)))
        closed = self._segments[:-1]
        dead = [segment for segment in closed if not segment.keys]
        if not dead and len(closed) > SEGMENTS_MAX:
            emptiest = min(closed, key=lambda segment: sum(segment.keys.values()) / segment.bytes_count)
            if 2 * sum(emptiest.keys.values()) <= emptiest.bytes_count:
                await self._copy_forward(emptiest)
                dead = [emptiest]
        if dead:
            self._segments = [segment for segment in self._segments if segment not in dead]
            await _run_in_thread(lambda: _unlink(dead))

    async def _copy_forward(self, segment: _Segment) -> None:
        wanted = frozenset(segment.keys)
        found = await _run_in_thread(lambda: _read_records(segment.path, wanted))
        self.damaged += len(wanted) - len(found)
        living = [record for record in found if record.key in segment.keys]
        for record in living:
            # As if it were given anew: its place is None until it is durable at the new one.
            del segment.keys[record.key]
            self._by_key[record.key] = None
        self.forget(tuple(segment.keys))
        if living:
            await self._write_records(living)

    def _fail(self, error: StoreError) -> None:
        if self._failure is None:
            self._failure = error
        for group in (self._writing, self._group):
            if group is not None and not group.done.done():
                group.done.set_exception(self._failure)
                # Nobody may be waiting any more; that is no error of its own.
                group.done.exception()
        self._writing = self._group = None

    # --- files; what runs in a thread touches nothing but files ---

    def _write(self, content: bytes) -> None:
        write_all(self._descriptor, content)
        sync_data(self._descriptor)

    def _create_segment(self, number: int) -> Path:
        path = self._directory / f"pool-{number:08d}.log"
        draft = path.with_suffix(".new")
        try:
            draft.unlink(missing_ok=True)
            create_file(draft, _MAGIC + self._chain_id)
            draft.rename(path)
        except ConfigError as error:
            raise StoreError(error.detail) from error
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        sync_directory(self._directory)
        return path

    def _open_segment(self, number: int, path: Path) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._segments.append(_Segment(number, path, _HEADER_BYTES))

    def _load(self) -> tuple[PoolRecord, ...]:
        found = [(path, _NAME.fullmatch(path.name)) for path in self._directory.iterdir()]
        numbered = sorted((int(match[1]), path) for path, match in found if match is not None)
        records: dict[bytes, PoolRecord] = {}
        for number, path in numbered:
            content = path.read_bytes()
            if content[: len(_MAGIC)] != _MAGIC:
                self.damaged += 1
                continue
            if content[len(_MAGIC) : _HEADER_BYTES] != self._chain_id:
                raise StoreError(f"{path} is of another chain")
            segment = _Segment(number, path, len(content))
            self._segments.append(segment)
            parsed, damaged = _parse(content)
            self.damaged += damaged
            for record in parsed:
                before = self._by_key.get(record.key)
                size = _RECORD.size + len(record.payload)
                self._live_bytes += size - (0 if before is None else before.keys.pop(record.key))
                self._by_key[record.key] = segment
                segment.keys[record.key] = size
                records[record.key] = record
        number = numbered[-1][0] + 1 if numbered else 1
        self._open_segment(number, self._create_segment(number))
        return tuple(records.values())


async def _run_in_thread(work: Callable[[], T]) -> T:
    """Run work in a worker thread and wait for its end even when cancelled: it uses a file that is closed
    next."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


def _encode(record: PoolRecord) -> bytes:
    fields = _RECORD.pack(_MARK, 0, len(record.payload), record.kind, record.key)[_CRC_FROM:]
    crc = zlib.crc32(record.payload, zlib.crc32(fields))
    return _MARK + crc.to_bytes(4, "big") + fields + record.payload


def _parse(content: bytes) -> tuple[list[PoolRecord], int]:
    """Return the records that are whole, and at how many places something was not."""
    records: list[PoolRecord] = []
    damaged = 0
    position = _HEADER_BYTES
    while position < len(content):
        parsed = _parse_record(content, position)
        if parsed is None:
            damaged += 1
            # The next mark behind it; a torn tail has none.
            position = content.find(_MARK, position + 1)
            if position < 0:
                break
            while position >= 0 and (parsed := _parse_record(content, position)) is None:
                position = content.find(_MARK, position + 1)
            if parsed is None:
                break
        record, position = parsed
        records.append(record)
    return records, damaged


def _parse_record(content: bytes, start: int) -> tuple[PoolRecord, int] | None:
    if start + _RECORD.size > len(content):
        return None
    mark, crc, length, kind, key = _RECORD.unpack_from(content, start)
    end = start + _RECORD.size + length
    if mark != _MARK or length > _PAYLOAD_BYTES_MAX or end > len(content):
        return None
    if zlib.crc32(memoryview(content)[start + _CRC_FROM : end]) != crc or kind not in _KINDS:
        return None
    record = PoolRecord(kind=PoolRecordKind(kind), key=key, payload=content[start + _RECORD.size : end])
    return record, end


def _read_records(path: Path, keys: frozenset[bytes]) -> list[PoolRecord]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return [record for record in _parse(content)[0] if record.key in keys]


def _unlink(segments: Sequence[_Segment]) -> None:
    try:
        for segment in segments:
            segment.path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{segments[0].path}: {error.strerror}") from error
