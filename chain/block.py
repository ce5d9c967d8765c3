"""Blocks and headers: format F-4 of docs/spec.md (consensus 1)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.certificate import Certificate, Number
from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import sha256
from chain.types import Hash

HEADER_BYTES_MAX = 1_024
BLOCK_BYTES_MAX = 4 * 1024 * 1024


class Header(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What validators vote on; the roots are those *after* the block. The view is not in it."""

    version: Annotated[int, Meta(ge=1, le=255)]
    """Protocol version of this height."""
    height: Number
    parent_hash: Bytes32
    """Hash of the parent's header; the chain id for block 0."""
    timestamp_ms: Number
    """Block time, strictly above the parent's."""
    proposer: Bytes32
    """Validator public key; zero for block 0."""
    parent_certificate_hash: Bytes32
    """Hash of the embedded C(h-1); zero for block 0."""
    transactions_root: Bytes32
    """RFC 6962 root over the full transaction bytes, signatures included."""
    log_size: Number
    """Entries in the log of the whole history."""
    log_root: Bytes32
    """RFC 6962 root of that log."""
    state_root: Bytes32
    """Root of the authenticated map of the whole state."""
    next_validators_hash: Bytes32
    """Hash of set(h+1)."""
    reveal: Bytes32
    """Next link of the proposer's randomness hash chain."""


class Block(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Header, embedded certificate of the parent, and the full bytes of the transactions."""

    header: Header
    parent_certificate: Certificate
    transactions: tuple[bytes, ...]


class LogEntry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One leaf of the history tree: transaction and receipt at once (design 2)."""

    tx_id: Bytes32
    """32 zero bytes for the automatic events of a block (index 0)."""
    height: Number
    index: Number
    """Transactions start at 1."""
    outcome: Annotated[int, Meta(ge=0, le=65_535)]
    """Catalogue number; 0 success."""
    events_hash: Bytes32
    """SHA-256 of the canonical (item outcomes, events)."""


header_codec = Codec[Header](Header, HEADER_BYTES_MAX, "header")
block_codec = Codec[Block](Block, BLOCK_BYTES_MAX, "block")


def hash_header(header: Header) -> Hash:
    """Return the block hash x."""
    return sha256(encode(header))
