"""Frames: how messages are cut out of a byte stream, and which ones are permitted.

    frame   = length (u32, big endian) || kind (u8) || payload
    length  = 1 + number of payload bytes, so zero is never valid

The length is held against the limit of its kind as soon as the five header bytes are there, before anything
is reserved for the payload (pitfalls P27). What is in a payload is not known here. Kinds 0 to 15 belong to
this package; the composer's table uses 16 to 255.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from p2p.errors import (
    ConfigurationError,
    FrameError,
    FrameOversizeError,
    FrameUnknownKindError,
    FrameWrongLaneError,
    FrameZeroLengthError,
)

HEADER = struct.Struct(">IB")
HEADER_BYTES = HEADER.size
FRAME_BYTES_MAX = 16 * 1024 * 1024
"""No kind may permit a larger payload."""

KIND_HELLO = 0
KIND_REFUSE = 1
KIND_PING = 2
KIND_PONG = 3
KIND_FIRST = 16
"""Lowest number that the composer may use."""
KIND_COUNT = 256

HELLO_BYTES_MAX = 512
REFUSE_BYTES_MAX = 512
PING_BYTES_MAX = 8

_UNKNOWN = -1
_WRONG_LANE = -2


class Lane(IntEnum):
    """Name one of the two connections to a peer: bulk must never delay votes (design 3)."""

    VOTES = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class FrameKind:
    """Describe one kind of frame of the composer."""

    number: int
    """On the wire; 16 to 255."""
    name: str
    """For people and metrics."""
    bytes_max: int
    """Largest payload accepted and sent, in bytes."""
    lane: Lane
    """The only connection on which the kind may travel."""


class FrameTable:
    """Hold the kinds of frames that exist, with their limits by lane."""

    def __init__(self, kinds: Sequence[FrameKind]) -> None:
        """Check and index the kinds.

        Raises ConfigurationError (composer's fault) for a number outside 16..255, one used twice, or a limit
        outside 0..FRAME_BYTES_MAX.
        """
        self._kinds: dict[int, FrameKind] = {}
        for kind in kinds:
            if not KIND_FIRST <= kind.number < KIND_COUNT:
                raise ConfigurationError(field="kinds.number", detail=f"{kind.name}: {kind.number} is not in 16..255")
            if kind.number in self._kinds:
                raise ConfigurationError(field="kinds.number", detail=f"{kind.name}: {kind.number} is used twice")
            if not 0 <= kind.bytes_max <= FRAME_BYTES_MAX:
                raise ConfigurationError(field="kinds.bytes_max", detail=f"{kind.name}: not in 0..{FRAME_BYTES_MAX}")
            self._kinds[kind.number] = kind
        self._limits = {lane: self._build_limits(lane) for lane in Lane}

    def get_kind(self, number: int) -> FrameKind:
        """Return the kind with this number. Raises KeyError where there is none (caller's fault)."""
        return self._kinds[number]

    def get_limits(self, lane: Lane) -> tuple[int, ...]:
        """Return the largest payload by kind number on an established connection of this lane."""
        return self._limits[lane]

    def compute_frame_bytes_max(self, lane: Lane) -> int:
        """Return the size of the largest whole frame on a lane, header included."""
        return HEADER_BYTES + max(self._limits[lane])

    def _build_limits(self, lane: Lane) -> tuple[int, ...]:
        limits = [_UNKNOWN] * KIND_COUNT
        limits[KIND_REFUSE] = REFUSE_BYTES_MAX
        limits[KIND_PING] = PING_BYTES_MAX
        limits[KIND_PONG] = PING_BYTES_MAX
        for kind in self._kinds.values():
            limits[kind.number] = kind.bytes_max if kind.lane is lane else _WRONG_LANE
        return tuple(limits)


GREETING_LIMITS: tuple[int, ...] = (HELLO_BYTES_MAX, REFUSE_BYTES_MAX) + (_UNKNOWN,) * (KIND_COUNT - 2)
"""What a connection may send before its handshake is complete."""


def encode_frame(number: int, payload: bytes) -> bytes:
    """Return the bytes of one frame; the caller has checked the size against the kind."""
    return HEADER.pack(1 + len(payload), number) + payload


class FrameDecoder:
    """Cut frames out of a byte stream that arrives in arbitrary pieces.

    It holds at most one incomplete frame within its limit plus the last piece fed. A frame error is final:
    the stream has no position from which it could be read again, so the connection must be closed.
    """

    __slots__ = ("_buffer", "_offset", "limits")

    def __init__(self, limits: tuple[int, ...]) -> None:
        self.limits = limits
        """Largest payload by kind number (`FrameTable.get_limits`); may be exchanged between two frames."""
        self._buffer: bytes | bytearray = b""
        self._offset = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes fed and not yet taken as frames."""
        return len(self._buffer) - self._offset

    def feed(self, data: bytes) -> None:
        """Append a piece of the stream."""
        buffer = self._buffer
        if self._offset == len(buffer):
            # The usual case: all was consumed, so the piece is parsed where it lies, without a copy.
            self._buffer = data
        elif isinstance(buffer, bytearray):
            del buffer[: self._offset]
            buffer += data
        else:
            rest = bytearray(buffer[self._offset :])
            rest += data
            self._buffer = rest
        self._offset = 0

    def take(self) -> tuple[int, bytes] | None:
        """Return kind number and payload of the next complete frame, or None until more is fed.

        Raises FrameZeroLengthError, FrameUnknownKindError, FrameWrongLaneError or FrameOversizeError (peer's
        fault), each as soon as the header shows it.
        """
        buffer, offset = self._buffer, self._offset
        available = len(buffer) - offset
        if available < HEADER_BYTES:
            if available == HEADER_BYTES - 1 and not any(buffer[offset:]):
                raise FrameZeroLengthError
            return None
        length, kind = HEADER.unpack_from(buffer, offset)
        if length == 0:
            raise FrameZeroLengthError
        if length - 1 > self.limits[kind]:
            raise self._build_error(kind=kind, payload_bytes=length - 1)
        end = offset + HEADER_BYTES - 1 + length
        if end > len(buffer):
            return None
        payload = bytes(memoryview(buffer)[offset + HEADER_BYTES : end])
        if end == len(buffer):
            self._buffer = b""
            end = 0
        self._offset = end
        return kind, payload

    def _build_error(self, *, kind: int, payload_bytes: int) -> FrameError:
        limit = self.limits[kind]
        if limit == _UNKNOWN:
            return FrameUnknownKindError(kind=kind)
        if limit == _WRONG_LANE:
            return FrameWrongLaneError(kind=kind)
        return FrameOversizeError(kind=kind, payload_bytes=payload_bytes, bytes_max=limit)
