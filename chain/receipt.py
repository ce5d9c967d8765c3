"""Receipts: what a transaction did; hashed into its log entry and kept beside it."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.block import LogEntry
from chain.codec import Codec, encode
from chain.contract.events import Event
from chain.crypto import sha256
from chain.types import Hash

RECEIPT_BYTES_MAX = 4 * 1024 * 1024
Outcome = Annotated[int, Meta(ge=0, le=65_535)]


class Receipt(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The stored result of one transaction, or (index 0) of a block's automatic events."""

    tx_id: bytes
    """32 zero bytes for automatic events."""
    outcome: Outcome
    """Catalogue number, 0 success."""
    items: tuple[Outcome, ...]
    """One for each item of a batch, else empty."""
    events: tuple[Event, ...]


receipt_codec = Codec[Receipt](Receipt, RECEIPT_BYTES_MAX, "receipt")


def hash_events(receipt: Receipt) -> Hash:
    """Return the hash over item outcomes and events that the log entry commits to."""
    return sha256(encode((receipt.items, receipt.events)))


def build_log_entry(receipt: Receipt, *, height: int, index: int) -> LogEntry:
    """Return the leaf of the history tree for a receipt."""
    return LogEntry(
        tx_id=receipt.tx_id,
        height=height,
        index=index,
        outcome=receipt.outcome,
        events_hash=hash_events(receipt),
    )
