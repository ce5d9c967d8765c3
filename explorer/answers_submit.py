"""The JSON of submitting. Data only; the routes are the node's (`node/submit_api.py`)."""

from msgspec import UNSET, Struct, UnsetType

from explorer.represent import JsonObject


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


class PreparedAnswer(Struct, frozen=True):
    """What to sign, and how to put the signature to it."""

    tx_id: str
    """Id that the transaction will have."""
    signing_bytes: str
    """Base64 of the exact bytes that the Ed25519 signature covers."""
    signed_tx_prefix: str
    """Base64 of what stands before the 64 bytes of the signature: prefix || signature is `signed_tx`."""
    valid_until: str | None
    """Last block time at which it may be included."""
    signer: str
    call: JsonObject
    """The call as read back from the bytes."""


class SimulatedAnswer(Struct, frozen=True):
    """What a call would do now; nothing was kept, and a later block may decide otherwise."""

    outcome: str
    """success or failed."""
    code: str
    items: list[str]
    """Codes of a batch's items, in order."""
    events: list[JsonObject]
    """Those that the receipt would show."""
    on_height: int
    """Block on whose state it was tried."""
