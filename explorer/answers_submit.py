"""The JSON of submitting. Data only; the routes are the node's (`node/submit_api.py`)."""

from msgspec import UNSET, Struct, UnsetType


class BatchItemAnswer(Struct, frozen=True):
    """What became of one transaction of a batch; items are independent."""

    index: int
    """Place in the request, from 0."""
    tx_id: str | None
    """Null only where the bytes could not be read."""
    status: str
    """refused, received, pending, committed, rejected or expired."""
    valid_until: str | UnsetType | None = UNSET
    is_replayed: bool = False
    """These bytes were handed in before: this is their present state."""
    code: str | UnsetType | None = UNSET
    """Why it was refused or rejected, or the outcome."""
    detail: str | UnsetType = UNSET
    """The values of a refusal."""
    retryable: bool | UnsetType = UNSET
    """Whether the same bytes can be accepted later."""
    outcome: str | UnsetType = UNSET
    """success or failed, once committed."""
    height: int | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """One result for each transaction, in the order of the request."""

    items: list[BatchItemAnswer]
    accepted: int
    """How many are not refused."""
    refused: int


class BlobAnswer(Struct, frozen=True):
    """A detached blob that this node holds."""

    hash: str
    """SHA-256."""
    bytes: int
    held_until: str | None
    """Wall time until which it waits for its transaction."""
