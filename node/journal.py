"""The consensus journal: what this validator signed, and what it signed it for (consensus 7).

Every own signed message with its bytes and signature; each block it PREPAREd with the bodies; P before
COMMIT; the NEW-VIEW it sent or installed. One append is one group: written at once, then one fdatasync;
nothing in it may be acted upon before `append` returned. A failed write or sync raises `StoreError` and the
process ends; the journal refuses everything after it (pitfalls S8, S10).

    directory     journal-00000001.log ...   segments by ascending number, the last one is written to
    segment       magic (16) chain_id (32) key (32), then records; made under another name, then renamed
    record        as in `node/journal_format.py`

Groups are numbered; a record says which of how many of its group it is. So a tail that a crash has torn (the
last group only, never synced, so never acted upon) is told from damage (a later group exists, so it had been
synced; pitfalls S11, S12). A torn tail is cut off; damage leaves the files as they are and `damage` says what
it is: the node then stands in quarantine. Records go only with their whole segment, once its heights are
committed.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from msgspec import Struct

from chain.block import Block, hash_header
from chain.errors import ConfigError, DecodeError, InvariantViolation, StoreError
from chain.types import ChainId, PublicKey
from consensus.messages import NewView, OwnMessage, Prepared
from node.files import create_directory, create_file, sync_all, sync_data, sync_directory, write_all
from node.journal_format import (
    GROUP_RECORDS_MAX,
    JournalRecord,
    KeptBlock,
    KeptNewView,
    KeptOwn,
    KeptPrepared,
    RawRecord,
    RecordKind,
    decode_record,
    encode_record,
    is_torn_tail,
    parse_records,
)

SEGMENT_BYTES = 8 * 1024 * 1024
"""A segment of this size is closed at the next commit."""
JOURNAL_BYTES_MAX = 4 * 1024 * 1024 * 1024
"""All segments together; then the node stops: about a thousand views of one height have failed."""

_MAGIC = b"gongji-journal1\n"
_SEGMENT_HEADER_BYTES = len(_MAGIC) + 64
_NAME = re.compile(r"journal-(\d{8})\.log")


class JournalContents(Struct, frozen=True):
    """What was read back at start."""

    own: tuple[OwnMessage, ...]
    """Own signed messages of all heights that are still here, in the order of signing."""
    own_groups: tuple[int, ...]
    """The number of the group of each of them."""
    blocks: tuple[Block, ...]
    """Of heights above the head only, like the rest."""
    prepared: tuple[Prepared, ...]
    new_views: tuple[NewView, ...]


class _Segment(Struct):
    """One file and the highest height in it."""

    number: int
    path: Path
    bytes_count: int
    height_max: int


class Journal:
    """Append groups of records durably; made by `open_journal`."""

    def __init__(self, directory: Path, *, chain_id: ChainId, key: PublicKey, segment_bytes: int) -> None:
        self._directory = directory
        self._identity = chain_id + key
        self._segment_bytes = segment_bytes
        self._segments: list[_Segment] = []
        self._descriptor = -1
        self._group = 0
        self._kept_blocks: dict[bytes, int] = {}
        self.damage: str | None = None
        """What is broken other than a torn tail, None where nothing is."""
        self.torn_bytes = 0
        """Bytes of a torn tail that were cut off at start."""
        self.has_failed = False
        """Whether a write or sync has failed: nothing is accepted after it."""

    @property
    def bytes_count(self) -> int:
        """Return the size of all segments."""
        return sum(segment.bytes_count for segment in self._segments)

    def append(self, records: Sequence[JournalRecord]) -> None:
        """Write a group and make it durable with one fdatasync; on `StoreError` the process must end."""
        if self.has_failed or self._descriptor < 0:
            raise StoreError("the journal is closed or has failed before")
        wanted = [record for record in records if not self._is_kept(record)]
        if not wanted:
            return
        if len(wanted) > GROUP_RECORDS_MAX:
            raise InvariantViolation(f"{len(wanted)} records in one group")
        group = self._group + 1
        parts = [
            encode_record(record, group=group, index=index, count=len(wanted)) for index, record in enumerate(wanted)
        ]
        content = b"".join(data for data, _ in parts)
        if self.bytes_count + len(content) > JOURNAL_BYTES_MAX:
            raise StoreError(f"the journal is full: {self.bytes_count} bytes")
        # Until the sync has succeeded nobody knows what is on the disk.
        self.has_failed = True
        write_all(self._descriptor, content)
        sync_data(self._descriptor)
        self.has_failed = False
        self._group = group
        segment = self._segments[-1]
        segment.bytes_count += len(content)
        segment.height_max = max(segment.height_max, *(height for _, height in parts))
        for record in wanted:
            self._remember_block(record)

    def drop_through(self, height: int) -> None:
        """Drop segments whose heights are all committed; call it after the batch of `height` is durable."""
        if self.has_failed or self._descriptor < 0:
            raise StoreError("the journal is closed or has failed before")
        try:
            self._drop_through(height)
        except OSError as error:
            self.has_failed = True
            raise StoreError(f"the journal cannot change its segment: {error.strerror}") from error

    def _drop_through(self, height: int) -> None:
        self._kept_blocks = {key: value for key, value in self._kept_blocks.items() if value > height}
        if self._segments[-1].bytes_count >= self._segment_bytes:
            self._start_segment()
        for segment in [item for item in self._segments[:-1] if item.height_max <= height]:
            # Not synced: a name that comes back after a crash holds only records of committed heights.
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)

    def close(self) -> None:
        """Close the file; what was appended is durable already."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_kept(self, record: JournalRecord) -> bool:
        # A block carried into another view is prepared again; its bytes need not be here twice.
        return isinstance(record, KeptBlock) and hash_header(record.block.header) in self._kept_blocks

    def _remember_block(self, record: JournalRecord) -> None:
        if isinstance(record, KeptBlock):
            self._kept_blocks[hash_header(record.block.header)] = record.block.header.height

    def _start_segment(self) -> None:
        number = self._segments[-1].number + 1 if self._segments else 1
        path = self._directory / f"journal-{number:08d}.log"
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        try:
            create_file(draft, _MAGIC + self._identity)
        except ConfigError as error:
            raise StoreError(error.detail) from error
        draft.rename(path)
        sync_directory(self._directory)
        self._write_to(_Segment(number, path, _SEGMENT_HEADER_BYTES, 0))

    def _write_to(self, segment: _Segment) -> None:
        self.close()
        self._descriptor = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if segment not in self._segments:
            self._segments.append(segment)

    def load(self, head_height: int) -> JournalContents:
        """Read everything back; called once, by `open_journal`."""
        raws = self._load_segments()
        own: list[OwnMessage] = []
        own_groups: list[int] = []
        blocks: list[Block] = []
        prepared: list[Prepared] = []
        new_views: list[NewView] = []
        for raw in raws:
            if raw.kind != RecordKind.OWN and raw.height <= head_height:
                continue
            try:
                record = decode_record(raw)
            except DecodeError as error:
                self.damage = f"a record cannot be decoded: {error.detail}"
                break
            self._remember_block(record)
            match record:
                case KeptOwn(message):
                    own.append(message)
                    own_groups.append(raw.group)
                case KeptBlock(block):
                    blocks.append(block)
                case KeptPrepared(certificate):
                    prepared.append(certificate)
                case KeptNewView(new_view):
                    new_views.append(new_view)
                case _:
                    assert_never(record)
        if self.damage is None and self._segments:
            self._write_to(self._segments[-1])
        else:
            # Damaged files stay as evidence until their heights are committed.
            self._start_segment()
        return JournalContents(
            own=tuple(own),
            own_groups=tuple(own_groups),
            blocks=tuple(blocks),
            prepared=tuple(prepared),
            new_views=tuple(new_views),
        )

    def _load_segments(self) -> list[RawRecord]:
        found = sorted((int(match[1]), path) for path, match in _match_names(self._directory))
        raws: list[RawRecord] = []
        for place, (number, path) in enumerate(found):
            content = path.read_bytes()
            segment = _Segment(number, path, len(content), 0)
            self._segments.append(segment)
            if self.damage is not None:
                continue
            if content[: len(_MAGIC)] != _MAGIC or len(content) < _SEGMENT_HEADER_BYTES:
                self.damage = f"{path.name} does not begin as a journal"
                continue
            if content[len(_MAGIC) : _SEGMENT_HEADER_BYTES] != self._identity:
                self.damage = f"{path.name} is of another chain or key"
                continue
            records, end = parse_records(content, _SEGMENT_HEADER_BYTES)
            raws.extend(records)
            segment.height_max = max((raw.height for raw in records), default=0)
            self._group = max(self._group, *(raw.group for raw in records), 0)
            if end == len(content):
                continue
            last = raws[-1] if raws else None
            if place < len(found) - 1 or not is_torn_tail(content, end, last):
                self.damage = f"{path.name} is damaged at byte {end}"
                continue
            self.torn_bytes = len(content) - end
            _cut(path, end)
            segment.bytes_count = end
        return raws


def open_journal(
    directory: Path,
    *,
    chain_id: ChainId,
    key: PublicKey,
    head_height: int,
    segment_bytes: int = SEGMENT_BYTES,
) -> tuple[Journal, JournalContents]:
    """Open or create the journal of one key on one chain and read it back.

    Blocks, P and NEW-VIEWs of heights at or below the head are left out. Raises `StoreError` where the disk
    fails. A missing journal is no error here: the guard knows whether anything must be in it.
    """
    journal = Journal(directory, chain_id=chain_id, key=key, segment_bytes=segment_bytes)
    try:
        create_directory(directory)
        contents = journal.load(head_height)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    return journal, contents


def _match_names(directory: Path) -> list[tuple[Path, re.Match[str]]]:
    matches = [(path, _NAME.fullmatch(path.name)) for path in directory.iterdir()]
    return [(path, match) for path, match in matches if match is not None]


def _cut(path: Path, end: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, end)
        sync_all(descriptor)
    finally:
        os.close(descriptor)
