"""Files of the blind index: keys and shares, and batches of one JSON object a line (contract 6).

    numbers.jsonl       bank only     {"id", "document", "number"}     never leaves the bank
    records.jsonl       bank only     {"id", "t1", "proof"}            who has the proof can try out all numbers
    requests.jsonl      to auditors   {"id", "t1"}
    evaluations.jsonl   from each     {"id", "holder", "partial", "proof"}
    images.jsonl        bank only     {"id", "image"}                  T2: for a rotated key
    rotations.jsonl     to auditors   {"id", "image", "rotated", "proof"}
    indexes.jsonl       to the chain  {"id", "index"}

`id` is the member's pseudonym (for bills and payers: any 32 bytes that say which row it is), so that a number put into
the wrong column is refused and not passed on. Files are read and written line by line, and an output is there whole or
not at all. No message repeats what a line holds.
"""

import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from chain.blind_index import (
    HOLDERS,
    Dealing,
    Proof,
    Scalar,
    compute_public_point,
    read_scalar,
    reduce_scalar,
    validate_dealing,
)
from chain.errors import ConfigError, ProofError
from node.files import SECRET_MODE, create_file, read_file, read_secret, sync_all, sync_directory, write_all
from node.keys import Hex32

KEY_FILE_BYTES_MAX: Final = 4_096
LINE_BYTES_MAX: Final = 4_096
ROWS_MAX: Final = 1_000_000
"""Lines of one batch: their ids are held in memory, to find one that comes twice."""
WRITE_BYTES: Final = 256 * 1024

Holder = Annotated[int, Meta(ge=min(HOLDERS), le=max(HOLDERS))]


class ProofRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A proof in hex."""

    challenge: Hex32
    response: Hex32


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every line."""

    id: Hex32


T = TypeVar("T", bound=Row)


class NumberRow(Row, frozen=True, forbid_unknown_fields=True):
    """A number as the bank knows it."""

    number: Annotated[str, Meta(min_length=1, max_length=64)]
    document: Annotated[str, Meta(pattern=r"^(resident|passport:[A-Z]{3}|bill|account)\Z")] = "resident"
    """Kind of the number: one person has one number of a kind that the bank uses for him, always the same."""


class RecordRow(Row, frozen=True, forbid_unknown_fields=True):
    """What the bank keeps of a blinded number."""

    t1: Hex32
    proof: ProofRow


class RequestRow(Row, frozen=True, forbid_unknown_fields=True):
    """What an auditor or the escrow evaluates."""

    t1: Hex32


class EvaluationRow(Row, frozen=True, forbid_unknown_fields=True):
    """One holder's part of the auditors' half."""

    holder: Holder
    partial: Hex32
    proof: ProofRow


class ImageRow(Row, frozen=True, forbid_unknown_fields=True):
    """T2 of somebody: both keys are in it."""

    image: Hex32


class RotationRow(Row, frozen=True, forbid_unknown_fields=True):
    """T2 before and after the bank rotated its key."""

    image: Hex32
    rotated: Hex32
    proof: ProofRow


class IndexRow(Row, frozen=True, forbid_unknown_fields=True):
    """What goes on the chain."""

    index: Hex32


class _KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Annotated[str, Meta(pattern=r"^blind-(key|subshare|share)\Z")]
    holder: Annotated[int, Meta(ge=0, le=max(HOLDERS))]
    """0 where the key is nobody's share."""
    point: Hex32
    scalar: Hex32


class _DealingFile(Struct, frozen=True, forbid_unknown_fields=True):
    commitments: tuple[Hex32, ...]
    proof: ProofRow


# --- proofs in hex ---


def write_proof(proof: Proof) -> ProofRow:
    """Return a proof as it stands in a line."""
    return ProofRow(challenge=proof.challenge.hex(), response=proof.response.hex())


def read_proof(row: ProofRow) -> Proof:
    """Return a proof from its line."""
    return Proof(challenge=bytes.fromhex(row.challenge), response=bytes.fromhex(row.response))


# --- keys and dealings ---


def draw_scalar() -> Scalar:
    """Make a new key from the system's randomness."""
    return reduce_scalar(secrets.token_bytes(64))


def save_scalar(path: Path, scalar: Scalar, *, kind: str, holder: int = 0) -> None:
    """Write the file of a key or share (mode 0600); raise `ConfigError` where it exists."""
    content = _KeyFile(kind=kind, holder=holder, point=compute_public_point(scalar).hex(), scalar=scalar.hex())
    create_file(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def load_scalar(path: Path, *, kind: str) -> tuple[Scalar, int]:
    """Return (key or share, its holder); raise `ConfigError` naming the file and what is wrong with it."""
    try:
        stored = msgspec.json.decode(read_secret(path, bytes_max=KEY_FILE_BYTES_MAX), type=_KeyFile)
        scalar = read_scalar(bytes.fromhex(stored.scalar), what="the key")
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no key file of the blind index: {error}") from error
    except ProofError as error:
        raise ConfigError(field=str(path), reason="holds no scalar of the group") from error
    if stored.kind != kind:
        raise ConfigError(field=str(path), reason=f"holds a {stored.kind}, not a {kind}")
    if compute_public_point(scalar).hex() != stored.point:
        raise ConfigError(field=str(path), reason="the public point is not the one of the key")
    return scalar, stored.holder


def save_dealing(path: Path, dealing: Dealing) -> None:
    """Write what a dealer publishes."""
    content = _DealingFile(
        commitments=tuple(point.hex() for point in dealing.commitments), proof=write_proof(dealing.proof)
    )
    create_file(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n", mode=0o644)


def load_dealing(path: Path) -> Dealing:
    """Return a dealing whose proof holds; raise `ConfigError` naming the file."""
    try:
        stored = msgspec.json.decode(read_file(path, bytes_max=KEY_FILE_BYTES_MAX), type=_DealingFile)
        points = [bytes.fromhex(point) for point in stored.commitments]
        dealing = msgspec.convert([points, [*_split(stored.proof)]], Dealing)
        validate_dealing(dealing)
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no dealing: {error}") from error
    except ProofError as error:
        raise ConfigError(field=str(path), reason=str(error.values["reason"])) from error
    return dealing


def _split(row: ProofRow) -> tuple[bytes, bytes]:
    return bytes.fromhex(row.challenge), bytes.fromhex(row.response)


# --- numbers ---

_RESIDENT_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS: Final = "10X98765432"
_RESIDENT: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_OTHER: Final = re.compile(r"[0-9A-Z]{1,64}")


def encode_number(row: NumberRow) -> bytes:
    """Return the one spelling of a number that is blinded; raise `ValueError` with the reason, without the number.

    Full-width characters, blanks, hyphens and small letters are the same number; a resident's number must have its
    check digit (GB 11643), because a misspelt one would make a second person of him.
    """
    number = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", row.number)).upper()
    if row.document == "resident":
        if _RESIDENT.fullmatch(number) is None:
            raise ValueError("the number is no resident's number of 18 places")
        if compute_check_digit(number[:17]) != number[17]:
            raise ValueError("the number's check digit is wrong")
    elif _OTHER.fullmatch(number) is None:
        raise ValueError("the number has characters other than letters and digits")
    return f"{row.document}:{number}".encode()


def compute_check_digit(digits: str) -> str:
    """Return the check digit of the first 17 digits of a resident's number (GB 11643)."""
    total = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, digits, strict=True))
    return _RESIDENT_CHECKS[total % 11]


# --- lines ---


def read_rows(path: Path, row_type: type[T], *, is_secret: bool = False) -> Iterator[tuple[int, T]]:
    """Yield (line number from 1, row); raise `ConfigError` naming file and line, never with what the line holds."""
    decoder = msgspec.json.Decoder(row_type)
    seen: dict[str, int] = {}
    if is_secret and path.exists() and path.stat().st_mode & 0o077:
        raise ConfigError(field=str(path), reason="can be read by others; it must have mode 0600")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be read: {error.strerror}") from error
    with file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if number > ROWS_MAX:
                raise ConfigError(field=str(path), reason=f"has more than {ROWS_MAX} lines; split it")
            if len(line) > LINE_BYTES_MAX:
                raise ConfigError(field=f"{path}:{number}", reason=f"is longer than {LINE_BYTES_MAX} bytes")
            try:
                row = decoder.decode(line)
            except msgspec.ValidationError as error:
                # Its text names types and fields, never values.
                raise ConfigError(field=f"{path}:{number}", reason=str(error)) from None
            except msgspec.DecodeError:
                raise ConfigError(field=f"{path}:{number}", reason="is no JSON object") from None
            known = seen.setdefault(row.id, number)
            if known != number:
                raise ConfigError(field=f"{path}:{number}", reason=f"has the id of line {known}")
            yield number, row


class RowWriter:
    """Writes rows to a file that appears under its name when all are there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self.count = 0

    def write(self, row: Struct) -> None:
        """Add a row."""
        self.write_line(msgspec.json.encode(row))

    def write_line(self, line: bytes) -> None:
        """Add a line that is JSON already."""
        self._buffer += line + b"\n"
        self.count += 1
        if len(self._buffer) >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand over to the system what is buffered."""
        write_all(self._descriptor, bytes(self._buffer))
        self._buffer.clear()


@contextmanager
def open_rows(path: Path, *, mode: int = SECRET_MODE) -> Iterator[RowWriter]:
    """Open an output; it is there whole, or after any error not at all. Raises `ConfigError` where it exists."""
    if path.exists():
        raise ConfigError(field=str(path), reason="exists already and is never overwritten")
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be created: {error.strerror}") from error
    try:
        os.fchmod(descriptor, mode)
        writer = RowWriter(descriptor)
        yield writer
        writer.flush()
        sync_all(descriptor)
        part.rename(path)
        sync_directory(path.parent)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            part.unlink()
