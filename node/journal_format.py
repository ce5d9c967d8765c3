"""The records of the consensus journal, byte by byte; the files and their syncs are in `node/journal.py`.

    record   mark (4) crc32 (4) length (4) height (8) group (8) kind (1) index (2) count (2) payload

The crc covers all that follows it. `index` and `count` say which of how many records of its group it is.
"""

import enum
import struct
import zlib
from typing import assert_never

from msgspec import Struct

from chain.block import Block, block_codec
from chain.codec import Codec, encode
from chain.errors import DecodeError
from consensus.messages import (
    BYTES_MAX,
    Kind,
    NewView,
    OwnMessage,
    Prepared,
    decode_message,
    encode_message,
    get_kind,
)

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
GROUP_RECORDS_MAX = 65_535

_RECORD_MARK = b"\xa7JR\x01"
_RECORD = struct.Struct(">4sIIQQBHH")
_CRC_FROM = 8

_prepared_codec = Codec[Prepared](Prepared, BYTES_MAX[Kind.VIEW_CHANGE], "prepared certificate")


class RecordKind(enum.IntEnum):
    """What a record holds; the numbers are on the disk."""

    OWN = 1
    BLOCK = 2
    PREPARED = 3
    NEW_VIEW = 4


class KeptOwn(Struct, frozen=True):
    """An own signed message."""

    message: OwnMessage


class KeptBlock(Struct, frozen=True):
    """A block that this validator is about to PREPARE, with the bodies of its transactions."""

    block: Block


class KeptPrepared(Struct, frozen=True):
    """P, before the COMMIT that rests on it."""

    prepared: Prepared


class KeptNewView(Struct, frozen=True):
    """A NEW-VIEW that was installed."""

    new_view: NewView


JournalRecord = KeptOwn | KeptBlock | KeptPrepared | KeptNewView


class RawRecord(Struct, frozen=True):
    """One record as it lies in a segment."""

    height: int
    group: int
    kind: int
    index: int
    count: int
    payload: bytes
    end: int
    """Offset at which the next record begins."""


def encode_record(record: JournalRecord, *, group: int, index: int, count: int) -> tuple[bytes, int]:
    """Return the bytes of a record and its height."""
    match record:
        case KeptOwn(message):
            own_kind = get_kind(message)
            kind, height = RecordKind.OWN, message.body.height
            payload = bytes([own_kind]) + encode_message(message)
        case KeptBlock(block):
            kind, height, payload = RecordKind.BLOCK, block.header.height, encode(block)
        case KeptPrepared(prepared):
            kind, height, payload = RecordKind.PREPARED, prepared.height, encode(prepared)
        case KeptNewView(new_view):
            kind, height, payload = RecordKind.NEW_VIEW, new_view.body.height, encode_message(new_view)
        case _:
            assert_never(record)
    fields = _RECORD.pack(_RECORD_MARK, 0, len(payload), height, group, kind, index, count)[_CRC_FROM:]
    crc = zlib.crc32(payload, zlib.crc32(fields))
    return _RECORD_MARK + crc.to_bytes(4, "big") + fields + payload, height


def decode_record(raw: RawRecord) -> JournalRecord:
    """Return what a record holds; raise `DecodeError` where this version does not know it."""
    match raw.kind:
        case RecordKind.OWN if raw.payload and raw.payload[0] <= Kind.COMMIT:
            message = decode_message(Kind(raw.payload[0]), raw.payload[1:])
            if isinstance(message, OwnMessage):
                return KeptOwn(message)
        case RecordKind.BLOCK:
            return KeptBlock(block_codec.decode(raw.payload))
        case RecordKind.PREPARED:
            return KeptPrepared(_prepared_codec.decode(raw.payload))
        case RecordKind.NEW_VIEW:
            message = decode_message(Kind.NEW_VIEW, raw.payload)
            if isinstance(message, NewView):
                return KeptNewView(message)
        case _:
            pass
    raise DecodeError(what="journal record", reason=f"kind {raw.kind} is unknown")


def parse_records(content: bytes, start: int) -> tuple[list[RawRecord], int]:
    """Return the valid records from `start` on, and the offset at which the first invalid one begins."""
    raws: list[RawRecord] = []
    end = start
    while (raw := parse_record(content, end)) is not None:
        raws.append(raw)
        end = raw.end
    return raws, end


def parse_record(content: bytes, start: int) -> RawRecord | None:
    """Return the record that begins at an offset, None where there is no whole and undamaged one."""
    if start + _RECORD.size > len(content):
        return None
    mark, crc, length, height, group, kind, index, count = _RECORD.unpack_from(content, start)
    end = start + _RECORD.size + length
    if mark != _RECORD_MARK or length > PAYLOAD_BYTES_MAX or end > len(content):
        return None
    if zlib.crc32(memoryview(content)[start + _CRC_FROM : end]) != crc:
        return None
    payload = content[start + _RECORD.size : end]
    return RawRecord(height=height, group=group, kind=kind, index=index, count=count, payload=payload, end=end)


def is_torn_tail(content: bytes, start: int, last: RawRecord | None) -> bool:
    """Tell whether what begins at `start` can be the one group that was being written when the process died.

    A group is written only after the one before it was synced. So a whole record of a later group behind the
    broken one, or one that begins a group, proves that the broken one had been durable.
    """
    # Also where `last` is not the last of its group: what is left of a torn group stays, the next follows.
    broken_group = None if last is None else last.group + 1
    position = content.find(_RECORD_MARK, start)
    while position >= 0:
        raw = parse_record(content, position)
        if raw is not None:
            broken_group = raw.group if broken_group is None else broken_group
            if raw.index == 0 or raw.group > broken_group:
                return False
        position = content.find(_RECORD_MARK, position + 1)
    return True
