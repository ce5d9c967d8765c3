"""Key files: one Ed25519 key each, for its owner only, never overwritten.

A file is JSON with the kind of the key and the name of its owner, so that a key cannot be used for
something else by mistake (no key has two uses, design 2). Seeds are read once, at start, and never
logged.
"""

import enum
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.contract.call_base import Name
from chain.crypto import SEED_BYTES, SigningKey
from chain.errors import ConfigError
from node.files import create_file, read_secret

KEY_FILE_BYTES_MAX = 4_096
KEY_FORMAT = 1

SECRET_BYTES = 32

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""32 bytes as 64 lower-case hex digits."""


class KeyKind(enum.Enum):
    """What a key may sign."""

    SIGNING = "signing"
    """Transactions of an organisation."""
    RECOVERY = "recovery"
    """org_key_revoke of an organisation, nothing else; belongs in a safe."""
    VALIDATOR = "validator"
    """Consensus messages, validator_ready and rejoin."""
    CHECKPOINT = "checkpoint"
    """Checkpoint cosignatures."""
    MEMBER = "member"
    """Transactions of a person."""


class _KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    format: Annotated[int, Meta(ge=KEY_FORMAT, le=KEY_FORMAT)]
    kind: KeyKind
    owner: Name
    public_key: Hex32
    seed: Hex32


_decoder = msgspec.json.Decoder(_KeyFile)


def generate_key() -> SigningKey:
    """Make a new key from the system's randomness."""
    return SigningKey(secrets.token_bytes(SEED_BYTES))


def create_key(path: Path, *, kind: KeyKind, owner: str) -> SigningKey:
    """Make a new key and its file (mode 0600); raise `ConfigError` where the file exists."""
    key = generate_key()
    save_key(path, key, kind=kind, owner=owner)
    return key


def save_key(path: Path, key: SigningKey, *, kind: KeyKind, owner: str) -> None:
    """Write the file of a key (mode 0600); raise `ConfigError` where it exists."""
    content = _KeyFile(
        format=KEY_FORMAT,
        kind=kind,
        owner=owner,
        public_key=key.public_key.hex(),
        seed=key.seed.hex(),
    )
    create_file(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def load_key(path: Path, *, kind: KeyKind) -> SigningKey:
    """Read the key of this kind; raise `ConfigError` naming the file and what is wrong with it.

    It must be readable by its owner only, and its public key must be the one of its seed.
    """
    return _load(path, kind)[0]


def load_owner(path: Path, *, kind: KeyKind) -> str:
    """Return the name of the owner that a key file states."""
    return _load(path, kind)[1]


def _load(path: Path, kind: KeyKind) -> tuple[SigningKey, str]:
    content = read_secret(path, bytes_max=KEY_FILE_BYTES_MAX)
    try:
        stored = _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no key file: {error}") from error
    if stored.kind is not kind:
        raise ConfigError(field=str(path), reason=f"holds a {stored.kind.value} key, not a {kind.value} key")
    key = SigningKey(bytes.fromhex(stored.seed))
    if key.public_key.hex() != stored.public_key:
        raise ConfigError(field=str(path), reason="the public key is not the one of the seed")
    return key, stored.owner


def create_secret(path: Path) -> None:
    """Make a file with 32 random bytes in hex (mode 0600); raise `ConfigError` where it exists."""
    create_file(path, secrets.token_hex(SECRET_BYTES).encode() + b"\n")


def load_secret(path: Path) -> bytes:
    """Read 32 secret bytes; raise `ConfigError` naming the file where it is open to others or not of this
    form."""
    content = read_secret(path, bytes_max=KEY_FILE_BYTES_MAX)
    try:
        secret = bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise ConfigError(field=str(path), reason="is no secret in hex") from error
    if len(secret) != SECRET_BYTES:
        raise ConfigError(field=str(path), reason=f"has {len(secret)} bytes, not {SECRET_BYTES}")
    return secret
