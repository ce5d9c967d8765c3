"""Signed bodies and wire messages of consensus 2, with their codecs.

A signed message has one body; nothing of it is repeated in its envelope (pitfalls P7). What it carries is
bound by hashes in the body. Transactions never travel in these: a PROPOSAL lists (tx_id, signature) and
the runtime gossips the bodies.

    kind          signed body       carried with it
    PROPOSAL      h, v, x           header, parent certificate, list of (tx_id, signature)
    PREPARE       h, v, x           -
    COMMIT        h, v, x           -
    VIEW-CHANGE   h, v, 2 hashes    C(h-1), the prepared certificate or none
    NEW-VIEW      h, v, hashes      exactly Q VIEW-CHANGEs
    STATUS        (unsigned)        session-authenticated
    COMPLAINT     (unsigned)        ids of transactions that the leader passes over
"""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.block import Header
from chain.certificate import Certificate, Number, VoteBody, VoteSignature
from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import sha256, signing_bytes
from chain.errors import DecodeError
from chain.types import ZERO_HASH, ChainId, Hash, Signature
from chain.validators import VALIDATORS_MAX

ITEMS_MAX = 8_192
"""Hard bound of the decoder; genesis limits a block further."""
COMPLAINT_IDS_MAX = 64
BITMAP_BYTES_MAX = VALIDATORS_MAX // 8
SHOWN_BODY_BYTES_MAX = 4_096

SignerIndex = Annotated[int, Meta(ge=0, lt=VALIDATORS_MAX)]
SignatureBytes = Annotated[bytes, Meta(min_length=64, max_length=64)]
ProtocolVersion = Annotated[int, Meta(ge=1, le=255)]
Bitmap = Annotated[bytes, Meta(max_length=BITMAP_BYTES_MAX)]
"""Bit i of the little-endian integer stands for validator i; missing bytes are zero."""
Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Item = tuple[Bytes32, SignatureBytes]
"""(tx_id, signature of the transaction)."""

UNSIGNED = Signature(bytes(64))
"""Stands in the signature field of a message that the guard has not signed yet."""


class Kind(enum.IntEnum):
    """Kind of a wire message; 0 to 4 are also the step of a position (consensus 0)."""

    VIEW_CHANGE = 0
    NEW_VIEW = 1
    PROPOSAL = 2
    PREPARE = 3
    COMMIT = 4
    STATUS = 5
    COMPLAINT = 6


BYTES_MAX: dict[Kind, int] = {
    Kind.VIEW_CHANGE: 16_384,
    Kind.NEW_VIEW: 1_048_576,
    Kind.PROPOSAL: 1_048_576,
    Kind.PREPARE: 256,
    Kind.COMMIT: 256,
    Kind.STATUS: 16_384,
    Kind.COMPLAINT: 4_096,
}
"""Hard limit of each kind on the wire, checked before decoding (pitfalls P27)."""

TAGS: dict[Kind, str] = {
    Kind.VIEW_CHANGE: "view-change",
    Kind.NEW_VIEW: "new-view",
    Kind.PROPOSAL: "proposal",
    Kind.PREPARE: "prepare",
    Kind.COMMIT: "commit",
}
"""The word in the tag line of each signed kind (pitfalls P5)."""


class Prepared(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """P(h, u, x): a quorum of PREPARE signatures of one view on one block."""

    height: Number
    view: Number
    block_hash: Bytes32
    votes: Annotated[tuple[VoteSignature, ...], Meta(max_length=VALIDATORS_MAX)]
    """By ascending index, each signer once."""


class ViewChangeBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a VIEW-CHANGE signs."""

    version: ProtocolVersion
    height: Number
    view: Number
    """The view that the signer moves to."""
    certificate_hash: Bytes32
    """Hash of the carried C(h-1)."""
    prepared_hash: Bytes32
    """Hash of the carried P; zero for none."""


class NewViewBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a NEW-VIEW signs; the selection is not in it, everybody recomputes it (pitfalls P6)."""

    version: ProtocolVersion
    height: Number
    view: Number
    view_change_hashes: Annotated[tuple[Bytes32, ...], Meta(max_length=VALIDATORS_MAX)]
    """SHA-256 of each carried VIEW-CHANGE message (its wire bytes), by signer index."""


class ViewChange(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.VIEW_CHANGE)):
    """I leave my view for this one, and this is what I am bound to."""

    body: ViewChangeBody
    signer: SignerIndex
    signature: SignatureBytes
    certificate: Certificate
    """C(h-1)."""
    prepared: Prepared | None
    """The highest-view P(h, u, x), u < v, for which I signed COMMIT at h."""


class NewView(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.NEW_VIEW)):
    """The leader of a view shows that it may begin."""

    body: NewViewBody
    signer: SignerIndex
    signature: SignatureBytes
    view_changes: Annotated[tuple[ViewChange, ...], Meta(max_length=VALIDATORS_MAX)]
    """Exactly Q for this very (h, v), by signer index."""


class Proposal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.PROPOSAL)):
    """The leader's block for (h, v)."""

    body: VoteBody
    signer: SignerIndex
    signature: SignatureBytes
    header: Header
    """Its hash is the signed block hash."""
    parent_certificate: Certificate
    """C(h-1); its hash is in the header."""
    items: Annotated[tuple[Item, ...], Meta(max_length=ITEMS_MAX)]
    """The transactions by id and signature, in order; bound by the header's transactions root."""


class Prepare(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.PREPARE)):
    """I executed this block, it is valid and justified in this view."""

    body: VoteBody
    signer: SignerIndex
    signature: SignatureBytes


class Commit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.COMMIT)):
    """I hold P(h, v, x)."""

    body: VoteBody
    signer: SignerIndex
    signature: SignatureBytes


class Shown(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A signature of the receiver, shown back to it: what it may have forgotten (consensus 7, Start)."""

    kind: Annotated[int, Meta(ge=0, le=4)]
    body: Annotated[bytes, Meta(max_length=SHOWN_BODY_BYTES_MAX)]
    """Canonical bytes of the signed body."""
    signature: SignatureBytes


class Held(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the sender of a STATUS holds for its own (h, v)."""

    has_new_view: bool
    has_proposal: bool
    view_changes: Bitmap
    prepares: Bitmap
    commits: Bitmap


class Activity(enum.IntEnum):
    """Whether a node votes."""

    STARTING = 0
    """Waits until Q-1 others have answered its nonce."""
    VOTING = 1
    QUARANTINED = 2
    """Its votes may be lost: it follows and signs nothing."""
    FOLLOWING = 3
    """Not in the set of this height, or a version that it does not know."""


class Status(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.STATUS)):
    """Where I stand. Session-authenticated, not a vote; made for one receiver."""

    version: ProtocolVersion
    certificate: Certificate
    """C(head); head is its height."""
    view: Number
    is_normal: bool
    """Mode: normal, or changing."""
    wants: Number
    """The view that I would like to be in; no promise."""
    activity: Activity
    held: Held
    wall_ms: Number
    """My wall clock, to show drift; decides nothing."""
    boot_id: Bytes16
    """Of this process; another one means that it was restarted."""
    nonce: Bytes16
    """Fresh at each start: who echoes it answered after I started."""
    echo: Bytes16
    """The nonce that the receiver showed last; zero if none."""
    shown: Shown | None
    """The newest message that I hold signed by the receiver."""


class Complaint(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=int(Kind.COMPLAINT)):
    """These transactions were handed to the leader and passed over (request timer, consensus 6)."""

    height: Number
    view: Number
    tx_ids: Annotated[tuple[Bytes32, ...], Meta(max_length=COMPLAINT_IDS_MAX)]


OwnMessage = ViewChange | NewView | Proposal | Prepare | Commit
"""What a validator key signs and the journal keeps."""
Message = OwnMessage | Status | Complaint
SignedBody = VoteBody | ViewChangeBody | NewViewBody

_CODECS: dict[Kind, Codec[Message]] = {
    Kind.VIEW_CHANGE: Codec(ViewChange, BYTES_MAX[Kind.VIEW_CHANGE], "view_change"),
    Kind.NEW_VIEW: Codec(NewView, BYTES_MAX[Kind.NEW_VIEW], "new_view"),
    Kind.PROPOSAL: Codec(Proposal, BYTES_MAX[Kind.PROPOSAL], "proposal"),
    Kind.PREPARE: Codec(Prepare, BYTES_MAX[Kind.PREPARE], "prepare"),
    Kind.COMMIT: Codec(Commit, BYTES_MAX[Kind.COMMIT], "commit"),
    Kind.STATUS: Codec(Status, BYTES_MAX[Kind.STATUS], "status"),
    Kind.COMPLAINT: Codec(Complaint, BYTES_MAX[Kind.COMPLAINT], "complaint"),
}
_BODY_CODECS: dict[Kind, Codec[SignedBody]] = {
    Kind.VIEW_CHANGE: Codec(ViewChangeBody, SHOWN_BODY_BYTES_MAX, "view_change_body"),
    Kind.NEW_VIEW: Codec(NewViewBody, SHOWN_BODY_BYTES_MAX, "new_view_body"),
    Kind.PROPOSAL: Codec(VoteBody, SHOWN_BODY_BYTES_MAX, "proposal_body"),
    Kind.PREPARE: Codec(VoteBody, SHOWN_BODY_BYTES_MAX, "prepare_body"),
    Kind.COMMIT: Codec(VoteBody, SHOWN_BODY_BYTES_MAX, "commit_body"),
}

_KINDS: dict[type, Kind] = {
    ViewChange: Kind.VIEW_CHANGE,
    NewView: Kind.NEW_VIEW,
    Proposal: Kind.PROPOSAL,
    Prepare: Kind.PREPARE,
    Commit: Kind.COMMIT,
    Status: Kind.STATUS,
    Complaint: Kind.COMPLAINT,
}


def get_kind(message: Message) -> Kind:
    """Return the kind of a message."""
    return _KINDS[type(message)]


def encode_message(message: Message) -> bytes:
    """Return the wire bytes; raise `DecodeError` if they exceed the limit of the kind (pitfalls C16)."""
    data = encode(message)
    kind = get_kind(message)
    if len(data) > BYTES_MAX[kind]:
        raise DecodeError(what=TAGS.get(kind, kind.name), reason=f"{len(data)} bytes exceed the limit of its kind")
    return data


def decode_message(kind: Kind, data: bytes) -> Message:
    """Return the message of this kind whose canonical bytes these are; raise `DecodeError` otherwise."""
    return _CODECS[kind].decode(data)


def decode_body(kind: Kind, data: bytes) -> SignedBody:
    """Return the signed body of this kind whose canonical bytes these are; raise `DecodeError`
    otherwise."""
    codec = _BODY_CODECS.get(kind)
    if codec is None:
        raise DecodeError(what="body", reason=f"{kind.name} has no signed body")
    return codec.decode(data)


def get_signed_bytes(message: OwnMessage, chain_id: ChainId) -> bytes:
    """Return the bytes that the signature of a message covers."""
    return signing_bytes(kind=TAGS[get_kind(message)], chain_id=chain_id, body=encode(message.body))


def attach_signature(message: OwnMessage, signature: Signature) -> OwnMessage:
    """Return the message with its signature."""
    return msgspec.structs.replace(message, signature=signature)


def hash_view_change(message: ViewChange) -> Hash:
    """Return what a NEW-VIEW lists for this VIEW-CHANGE."""
    return sha256(encode(message))


def hash_prepared(prepared: Prepared | None) -> Hash:
    """Return the hash of a prepared certificate; zero for none."""
    return ZERO_HASH if prepared is None else sha256(encode(prepared))


def encode_bitmap(indexes: tuple[int, ...]) -> bytes:
    """Return the bitmap of some validator indexes, without trailing zero bytes."""
    bits = 0
    for index in indexes:
        bits |= 1 << index
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def has_bit(bitmap: bytes, index: int) -> bool:
    """Tell whether the bitmap names a validator; an index beyond its length is not in it (pitfalls C28)."""
    return bool(int.from_bytes(bitmap, "little") >> index & 1)
