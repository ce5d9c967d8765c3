"""Handshake: the first frame in each direction, and the answer when it does not fit.

    HELLO   = tag (11 bytes) || chain_id (32) || version_min (u16) || version_max (u16) || lane (u8) ||
    index (u16)
              || boot_id (16) || software length (u8) || software (UTF-8, at most 64 bytes) || anything
    REFUSE  = reason (u8) || text (UTF-8, at most 256 bytes)

All integers are big endian. A newer node may append fields to HELLO; they are ignored here, so that mixed
versions can at least tell each other what is wrong (pitfalls P29). Who the other side is was settled
before, by its TLS key (`p2p.tls`); nothing in HELLO is believed beyond that. This module holds no
connection.
"""

import struct
from dataclasses import dataclass

from p2p.errors import HandshakeRefusedError, HelloMalformedError, RefusalReason
from p2p.frames import Lane

TAG = b"gongji-p2p\n"
CHAIN_ID_BYTES = 32
BOOT_ID_BYTES = 16
SOFTWARE_BYTES_MAX = 64
REFUSAL_TEXT_BYTES_MAX = 256
INDEX_MAX = 0xFFFF
"""Also the index that a node outside the set tells."""
VERSION_MAX = 0xFFFF

_HELLO = struct.Struct(f">{len(TAG)}s{CHAIN_ID_BYTES}sHHBH{BOOT_ID_BYTES}sB")


@dataclass(frozen=True, slots=True)
class Hello:
    """Introduce one side of a connection."""

    chain_id: bytes
    """SHA-256 of the canonical genesis, 32 bytes."""
    version_min: int
    """Lowest wire version spoken, 0..65535."""
    version_max: int
    """Highest wire version spoken, at least version_min."""
    lane: int
    """`Lane` that this connection carries; the accepting side echoes it."""
    index: int
    """Validator index that the sender had when it started, 65535 for none; for people, and checked by nobody: the
    set of validators moves, and two nodes need not stand at the same height."""
    boot_id: bytes
    """16 random bytes, new at each start of the sender's process."""
    software: str
    """Name and version for people, at most 64 bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say why a connection is closed."""

    reason: RefusalReason
    """Why; a number that this version does not know reads as OTHER."""
    text: str
    """The same for people, with the values that differ."""


def encode_hello(hello: Hello) -> bytes:
    """Return the payload of a HELLO frame; the software name is cut to its limit."""
    software = hello.software.encode()[:SOFTWARE_BYTES_MAX]
    head = _HELLO.pack(
        TAG,
        hello.chain_id,
        hello.version_min,
        hello.version_max,
        hello.lane,
        hello.index,
        hello.boot_id,
        len(software),
    )
    return head + software


def decode_hello(payload: bytes) -> Hello:
    """Return the HELLO in a payload.

    Raises HandshakeRefusedError (wrong protocol) where the tag differs, HelloMalformedError where the
    payload is too short or a length is beyond its limit; both are the peer's fault.
    """
    if not payload.startswith(TAG):
        raise HandshakeRefusedError(
            reason=RefusalReason.WRONG_PROTOCOL,
            text="the first frame does not carry the tag of this protocol",
            is_by_peer=False,
        )
    if len(payload) < _HELLO.size:
        raise HelloMalformedError("HELLO is too short")
    _, chain_id, version_min, version_max, lane, index, boot_id, software_bytes = _HELLO.unpack_from(payload)
    software = payload[_HELLO.size : _HELLO.size + software_bytes]
    if software_bytes > SOFTWARE_BYTES_MAX or len(software) < software_bytes:
        raise HelloMalformedError("HELLO has a wrong software length")
    return Hello(
        chain_id=chain_id,
        version_min=version_min,
        version_max=version_max,
        lane=lane,
        index=index,
        boot_id=boot_id,
        software=_clean(software),
    )


def encode_refusal(refusal: Refusal) -> bytes:
    """Return the payload of a REFUSE frame; the text is cut to its limit."""
    return bytes([refusal.reason]) + refusal.text.encode()[:REFUSAL_TEXT_BYTES_MAX]


def decode_refusal(payload: bytes) -> Refusal:
    """Return the refusal in a payload; its text holds printable characters only.

    Raises HelloMalformedError where the payload is empty or too long (peer's fault).
    """
    if not 1 <= len(payload) <= 1 + REFUSAL_TEXT_BYTES_MAX:
        raise HelloMalformedError("REFUSE has a wrong length")
    is_known = any(payload[0] == reason for reason in RefusalReason)
    reason = RefusalReason(payload[0]) if is_known else RefusalReason.OTHER
    return Refusal(reason=reason, text=_clean(payload[1:]))


def validate_hello(*, mine: Hello, theirs: Hello) -> int:
    """Return the wire version to speak, the highest that both know.

    `mine` is what this side sends on the connection. Raises HandshakeRefusedError with a text naming both values.
    """
    if theirs.chain_id != mine.chain_id:
        raise _refuse(
            RefusalReason.WRONG_CHAIN,
            f"wrong chain: you are on {theirs.chain_id.hex()}, I am on {mine.chain_id.hex()}",
        )
    version = min(mine.version_max, theirs.version_max)
    if version < max(mine.version_min, theirs.version_min) or theirs.version_min > theirs.version_max:
        raise _refuse(
            RefusalReason.NO_COMMON_VERSION,
            f"no common wire version: you speak {theirs.version_min} to {theirs.version_max} "
            f"({theirs.software}), I speak {mine.version_min} to {mine.version_max} ({mine.software})",
        )
    if theirs.lane != mine.lane or theirs.lane not in tuple(Lane):
        raise _refuse(RefusalReason.WRONG_LANE, f"wrong lane: {theirs.lane} is not the one that was opened")
    return version


def _refuse(reason: RefusalReason, text: str) -> HandshakeRefusedError:
    return HandshakeRefusedError(reason=reason, text=text, is_by_peer=False)


def _clean(text: bytes) -> str:
    # A peer's words end up in logs and terminals: nothing that moves a cursor may pass.
    return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace"))
