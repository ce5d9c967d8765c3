"""Checkpoints of the history as C2SP signed notes: body, key ids, signature lines, cosignatures. Pure.

    <origin>                                          body: three lines, no extension lines
    <size, decimal>
    <root hash, base64>
                                                      empty line
    — <key name> <base64(key id || signature)>        one line for each signature

Sources: c2sp.org/tlog-checkpoint, c2sp.org/signed-note, c2sp.org/tlog-cosignature; consensus 8. Existing
clients and witnesses of transparency logs verify these bytes with no code of ours. Who may sign which size
is the signer guard's business, the time and the keys come from the caller.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from chain.crypto import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from chain.errors import DecodeError, ProofError
from chain.history import HASH_BYTES, SIZE_MAX
from chain.types import ChainId, Hash, PublicKey, Signature

TYPE_ED25519: Final = 0x01
"""Plain Ed25519 signature over the body: what the log itself signs."""
TYPE_COSIGNATURE: Final = 0x04
"""Timestamped Ed25519 cosignature, cosignature/v1."""

KEY_ID_BYTES: Final = 4
TIMESTAMP_BYTES: Final = 8
TIME_S_MAX: Final = 2**63 - 1
ORIGIN_BYTES_MAX: Final = 255
NAME_BYTES_MAX: Final = 255
NOTE_BYTES_MAX: Final = 64 * 1024
SIGNATURES_MAX: Final = 64
"""Signature lines that a note may have; the specification asks for at least 16."""
LINE_SIGNATURE_BYTES_MAX: Final = 5_000
"""Longest signature of a line, of whatever type: unknown ones must be passed over, not refused."""
LINE_START: Final = "— "

SignFunction = Callable[[bytes], bytes]
"""Signs a message with the checkpoint key: 64 bytes of Ed25519."""


class VerifyFunction(Protocol):
    """Checks an Ed25519 signature; `chain.crypto.verify` is the one."""

    def __call__(self, *, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature holds."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What a checkpoint says about the log."""

    origin: str
    """Identity of the log or of one validator's view of it, `<domain>/<chain_id hex>`; at most 255 bytes."""
    size: int
    """Number of log entries, 0..2^63-1."""
    root: Hash
    """RFC 6962 root over them, 32 bytes."""


class NoteSignature(msgspec.Struct, frozen=True):
    """One signature line of a note."""

    name: str
    """Key name: no spaces, no plus sign."""
    key_id: bytes
    """First 4 bytes of SHA-256(name || 0x0A || type || public key)."""
    signature: bytes
    """What the type defines: 64 bytes for 0x01, 8 bytes of time and 64 of signature for 0x04."""


class NoteKey(msgspec.Struct, frozen=True):
    """A key that a client trusts: name, type and public key."""

    name: str
    """Key name."""
    type: int
    """0x01 or 0x04."""
    public_key: PublicKey
    """Ed25519 public key, 32 bytes."""

    @property
    def key_id(self) -> bytes:
        """Return SHA-256(name || 0x0A || type || public key)[:4]."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((self.type,)) + self.public_key).digest()[
            :KEY_ID_BYTES
        ]


def build_origin(*, domain: str, chain_id: ChainId) -> str:
    """Return the origin of a validator's checkpoints, `<domain>/<chain_id hex>`; it names its keys too."""
    return f"{domain}/{chain_id.hex()}"


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the body: three lines, each ended by a newline; DecodeError if a field cannot be written."""
    if not _is_line(checkpoint.origin) or len(checkpoint.origin.encode()) > ORIGIN_BYTES_MAX:
        raise DecodeError(what="checkpoint", reason="origin is empty, too long or has control characters")
    if not 0 <= checkpoint.size <= SIZE_MAX or len(checkpoint.root) != HASH_BYTES:
        raise DecodeError(what="checkpoint", reason="size or root out of range")
    return f"{checkpoint.origin}\n{checkpoint.size}\n{_encode_base64(checkpoint.root)}\n".encode()


def decode_checkpoint(body: bytes) -> Checkpoint:
    """Read a body; DecodeError unless it is exactly the three lines that `encode_checkpoint` writes."""
    if len(body) > NOTE_BYTES_MAX:
        raise DecodeError(what="checkpoint", reason=f"{len(body)} bytes")
    lines = _decode_text(body, what="checkpoint").split("\n")
    if len(lines) != 4 or lines[3]:
        raise DecodeError(what="checkpoint", reason="not three lines")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or len(size) > len(str(SIZE_MAX)):
        raise DecodeError(what="checkpoint", reason="size is not a plain decimal")
    checkpoint = Checkpoint(origin=origin, size=int(size), root=Hash(_decode_base64(root, what="checkpoint")))
    if encode_checkpoint(checkpoint) != body:
        raise DecodeError(what="checkpoint", reason="not canonical")
    return checkpoint


def build_cosignature_message(body: bytes, *, time_s: int) -> bytes:
    """Return what a cosignature/v1 signs: two lines, then the whole body."""
    return b"cosignature/v1\ntime %d\n" % time_s + body


def sign_log(body: bytes, *, name: str, public_key: PublicKey, sign: SignFunction) -> NoteSignature:
    """Sign a body as the log (type 0x01); the key name should be the origin."""
    key = NoteKey(name=name, type=TYPE_ED25519, public_key=public_key)
    return NoteSignature(name=name, key_id=key.key_id, signature=sign(body))


def sign_cosignature(
    body: bytes, *, name: str, public_key: PublicKey, sign: SignFunction, time_s: int
) -> NoteSignature:
    """Cosign a body (type 0x04) at `time_s`, seconds since 1970; ProofError if the time is out of range."""
    if not 0 <= time_s <= TIME_S_MAX:
        raise ProofError(f"cosignature time {time_s}")
    key = NoteKey(name=name, type=TYPE_COSIGNATURE, public_key=public_key)
    signature = sign(build_cosignature_message(body, time_s=time_s))
    return NoteSignature(name=name, key_id=key.key_id, signature=time_s.to_bytes(TIMESTAMP_BYTES, "big") + signature)


def verify_signature(body: bytes, line: NoteSignature, *, key: NoteKey, verify: VerifyFunction) -> int | None:
    """Check one line by its key; return the time of a cosignature in seconds, None for a log signature.

    Raises ProofError if the line is of another key, or does not hold.
    """
    if line.name != key.name or line.key_id != key.key_id:
        raise ProofError("a signature line of another key")
    time_s = None
    signature, message = line.signature, body
    if key.type == TYPE_COSIGNATURE:
        if len(signature) != TIMESTAMP_BYTES + SIGNATURE_BYTES:
            raise ProofError(f"a cosignature of {len(signature)} bytes")
        time_s = int.from_bytes(signature[:TIMESTAMP_BYTES], "big")
        if time_s > TIME_S_MAX:
            raise ProofError(f"cosignature time {time_s}")
        message = build_cosignature_message(body, time_s=time_s)
        signature = signature[TIMESTAMP_BYTES:]
    elif key.type != TYPE_ED25519:
        raise ProofError(f"a key of type {key.type}")
    if not verify(public_key=key.public_key, message=message, signature=Signature(signature)):
        raise ProofError(f"the signature of {key.name} does not hold")
    return time_s


def verify_note(note: bytes, *, keys: Sequence[NoteKey], verify: VerifyFunction) -> tuple[Checkpoint, list[NoteKey]]:
    """Check a signed checkpoint; return it with those of `keys` that signed it, in the order of `keys`.

    Lines of unknown keys are passed over, as the specification demands; whether the keys found are enough
    is the caller's policy. Raises DecodeError if the note is malformed, ProofError if a known key's line
    does not hold, if one key has two lines, or if no known key signed.
    """
    body, lines = decode_note(note)
    signed = []
    for key in keys:
        own = [line for line in lines if line.name == key.name and line.key_id == key.key_id]
        if len(own) > 1:
            raise ProofError(f"{len(own)} lines of one key")
        if own:
            verify_signature(body, own[0], key=key, verify=verify)
            signed.append(key)
    if not signed:
        raise ProofError("no known key signed this note")
    return decode_checkpoint(body), signed


def encode_signature_line(line: NoteSignature) -> str:
    """Return `— <name> <base64(key id || signature)>` without a newline.

    DecodeError for a name that no line can hold.
    """
    if not _is_name(line.name) or len(line.key_id) != KEY_ID_BYTES:
        raise DecodeError(what="note signature", reason="key name or key id cannot be written")
    return f"{LINE_START}{line.name} {_encode_base64(line.key_id + line.signature)}"


def decode_signature_line(text: str) -> NoteSignature:
    """Read one signature line without its newline; DecodeError if it is malformed."""
    parts = text.removeprefix(LINE_START).split(" ")
    if not text.startswith(LINE_START) or len(parts) != 2 or not _is_name(parts[0]):
        raise DecodeError(what="note signature", reason="not a signature line")
    data = _decode_base64(parts[1], what="note signature")
    if not KEY_ID_BYTES < len(data) <= KEY_ID_BYTES + LINE_SIGNATURE_BYTES_MAX:
        raise DecodeError(what="note signature", reason=f"{len(data)} bytes")
    return NoteSignature(name=parts[0], key_id=data[:KEY_ID_BYTES], signature=data[KEY_ID_BYTES:])


def encode_note(body: bytes, lines: Sequence[NoteSignature]) -> bytes:
    """Return the signed note: body, empty line, signature lines."""
    return body + b"\n" + "".join(encode_signature_line(line) + "\n" for line in lines).encode()


def decode_note(note: bytes) -> tuple[bytes, list[NoteSignature]]:
    """Split a signed note into body and signature lines.

    Raises DecodeError if it is larger than 64 KiB, has control characters, no or more than 64 signature
    lines, or a malformed one.
    """
    if len(note) > NOTE_BYTES_MAX:
        raise DecodeError(what="note", reason=f"{len(note)} bytes")
    text = _decode_text(note, what="note")
    # The last empty line parts text and signatures: the text may hold empty lines of its own.
    body, separator, signed = text.rpartition("\n\n")
    lines = signed.split("\n")
    if not separator or not body or lines.pop() or not 1 <= len(lines) <= SIGNATURES_MAX:
        raise DecodeError(what="note", reason="not a text, an empty line and 1 to 64 signature lines")
    return (body + "\n").encode(), [decode_signature_line(line) for line in lines]


def encode_verifier_key(key: NoteKey) -> str:
    """Return the text that gives a client a key: `<name>+<hex key id>+<base64(type || public key)>`."""
    return f"{key.name}+{key.key_id.hex()}+{_encode_base64(bytes((key.type,)) + key.public_key)}"


def decode_verifier_key(text: str) -> NoteKey:
    """Read a verifier key; DecodeError unless its parts fit each other and its type is 0x01 or 0x04."""
    parts = text.split("+", 2)
    if len(text) > NAME_BYTES_MAX + 64 or len(parts) != 3 or not _is_name(parts[0]):
        raise DecodeError(what="verifier key", reason="not name, key id and key")
    data = _decode_base64(parts[2], what="verifier key")
    if len(data) != 1 + PUBLIC_KEY_BYTES or data[0] not in {TYPE_ED25519, TYPE_COSIGNATURE}:
        raise DecodeError(what="verifier key", reason="unknown type or wrong length")
    key = NoteKey(name=parts[0], type=data[0], public_key=PublicKey(data[1:]))
    if key.key_id.hex() != parts[1]:
        raise DecodeError(what="verifier key", reason="key id differs")
    return key


def _is_line(text: str) -> bool:
    return bool(text) and not any(character < " " for character in text)


def _is_name(text: str) -> bool:
    is_plain = not any(character < "!" or character == "+" or character.isspace() for character in text)
    return bool(text) and is_plain and len(text.encode()) <= NAME_BYTES_MAX


def _decode_text(data: bytes, *, what: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(what=what, reason="not UTF-8") from error
    if any(character < " " and character != "\n" for character in text):
        raise DecodeError(what=what, reason="a control character")
    return text


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode_base64(text: str, *, what: str) -> bytes:
    """Read standard base64; DecodeError unless it is the one encoding of its bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(what=what, reason="not base64") from error
    if _encode_base64(data) != text:
        raise DecodeError(what=what, reason="not canonical base64")
    return data
