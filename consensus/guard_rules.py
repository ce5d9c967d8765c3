"""The signer guard as a pure function: what a validator key may sign next (consensus 7).

The guard is a high-water mark in height *and* view; uniqueness per (height, view, phase) is not enough,
because a restored disk could then sign an old view at a new height or the other way round. The files,
their two slots and their fdatasync live in `node/`.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from chain.certificate import Number
from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import sha256, signing_bytes
from chain.errors import InvariantViolation
from chain.types import ChainId, Hash, Height, PublicKey, Signature
from consensus.messages import (
    TAGS,
    Commit,
    Kind,
    OwnMessage,
    SignatureBytes,
    ViewChange,
    get_kind,
    get_signed_bytes,
    hash_prepared,
)

GUARD_BYTES_MAX = 512


class GuardRefusal(InvariantViolation):
    """The guard will not sign this: the core broke a rule, or another process used the key. Stop the
    node."""


class Mark(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last thing that was signed."""

    height: Number
    view: Number
    step: Annotated[int, Meta(ge=0, le=4)]
    digest: Bytes32
    """SHA-256 of the signed bytes."""
    signature: SignatureBytes


class LastCommit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """(h_c, v_c, x_c) of the last COMMIT."""

    height: Number
    view: Number
    block_hash: Bytes32


class GuardState(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything a guard remembers."""

    key: Bytes32
    """Public key that it guards."""
    chain_id: Bytes32
    floor: Number
    """Nothing is signed below this height: 1, or where a quarantine ended."""
    mark: Mark | None
    """None as long as nothing was signed."""
    last_commit: LastCommit | None


guard_codec = Codec[GuardState](GuardState, GUARD_BYTES_MAX, "guard")


def build_guard(*, key: PublicKey, chain_id: ChainId) -> GuardState:
    """Return the guard of a new key; made in one act with the key (`init`)."""
    return GuardState(key=key, chain_id=chain_id, floor=1, mark=None, last_commit=None)


def build_floor(*, key: PublicKey, chain_id: ChainId, height: Height) -> GuardState:
    """Return the guard of a key whose votes below `height` may be lost, after its quarantine."""
    return GuardState(key=key, chain_id=chain_id, floor=height, mark=None, last_commit=None)


def get_mark(guard: GuardState) -> tuple[int, int, int] | None:
    """Return the position up to which everything may have been signed; None if nothing was.

    After a quarantine that is all below the floor: lost votes that peers still show are no reason for
    another one.
    """
    mark = guard.mark
    if mark is not None:
        return (mark.height, mark.view, mark.step)
    return (guard.floor, 0, -1) if guard.floor > 1 else None


def get_position(message: OwnMessage) -> tuple[int, int, int]:
    """Return (height, view, step) of a signed message (consensus 0)."""
    return (message.body.height, message.body.view, int(get_kind(message)))


def compute_digest(message: OwnMessage, chain_id: ChainId) -> Hash:
    """Return the hash of the bytes that its signature covers."""
    return sha256(get_signed_bytes(message, chain_id))


def check_sign(guard: GuardState, message: OwnMessage) -> Signature | None:
    """Return None if the key may sign this now, or the stored signature if it signed exactly this last.

    Raises `GuardRefusal` with the rule that forbids it.
    """
    chain_id = ChainId(guard.chain_id)
    position = get_position(message)
    if position[0] < guard.floor:
        raise GuardRefusal(f"height {position[0]} is below the floor {guard.floor}")
    mark = guard.mark
    if mark is not None:
        at = (mark.height, mark.view, mark.step)
        if position == at and compute_digest(message, chain_id) == mark.digest:
            return Signature(mark.signature)
        if position[0] < mark.height:
            raise GuardRefusal(f"height {position[0]} is below the mark {at}")
        if position[1] < mark.view:
            raise GuardRefusal(f"view {position[1]} is below the mark {at}")
        if position <= at:
            raise GuardRefusal(f"position {position} is not above the mark {at}, and the message differs")
    if isinstance(message, Commit):
        _require_prepared(mark, message, chain_id)
    if isinstance(message, ViewChange):
        _require_bound(guard.last_commit, message)
    return None


def record_signed(guard: GuardState, message: OwnMessage) -> GuardState:
    """Return the guard after `message`, which `check_sign` allowed, was signed."""
    height, view, step = get_position(message)
    digest = compute_digest(message, ChainId(guard.chain_id))
    mark = Mark(height=height, view=view, step=step, digest=digest, signature=message.signature)
    if not isinstance(message, Commit):
        return replace(guard, mark=mark)
    last_commit = LastCommit(height=height, view=view, block_hash=message.body.block_hash)
    return replace(guard, mark=mark, last_commit=last_commit)


def _require_prepared(mark: Mark | None, message: Commit, chain_id: ChainId) -> None:
    """Refuse a COMMIT unless the last thing signed was PREPARE on the same body: nothing fits between
    them."""
    prepare = signing_bytes(kind=TAGS[Kind.PREPARE], chain_id=chain_id, body=encode(message.body))
    if mark is None or mark.step != Kind.PREPARE or mark.digest != sha256(prepare):
        raise GuardRefusal("COMMIT without PREPARE on the same block in this view")


def _require_bound(last_commit: LastCommit | None, message: ViewChange) -> None:
    """Refuse a VIEW-CHANGE that hides the P behind the last COMMIT of this height."""
    if message.body.prepared_hash != hash_prepared(message.prepared):
        raise GuardRefusal("VIEW-CHANGE whose prepared certificate is not the one it signs")
    if last_commit is None or last_commit.height != message.body.height:
        return
    prepared = message.prepared
    if prepared is None or prepared.height != last_commit.height or prepared.view < last_commit.view:
        raise GuardRefusal(f"VIEW-CHANGE hides what COMMIT at view {last_commit.view} rests on")
    if prepared.view == last_commit.view and prepared.block_hash != last_commit.block_hash:
        raise GuardRefusal("VIEW-CHANGE carries a prepared certificate of another block than its COMMIT")
