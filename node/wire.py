"""What nodes say to each other beside consensus messages: format F-9 of docs/spec.md.

Consensus messages travel as they are, one frame kind each, on the lane of votes; everything bulky has the other lane.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.block import BLOCK_BYTES_MAX, Header
from chain.certificate import Certificate, Number
from chain.codec import Codec
from chain.contract.call_base import Bytes32
from chain.transaction import TRANSACTION_BYTES_MAX
from consensus.messages import BYTES_MAX, ITEMS_MAX, Item, Kind
from p2p.frames import FrameKind, Lane

CONSENSUS_FIRST = 16
"""Frame kind of consensus kind 0."""
(
    TRANSACTIONS,
    BLOBS,
    BODIES_WANTED,
    BLOBS_WANTED,
    BLOCKS_WANTED,
    BLOCKS,
    CONTENT_WANTED,
    CONTENT,
    CHECKPOINT,
) = range(32, 41)

IDS_MAX = 8_192
BLOB_BYTES_MAX = 16_384
BLOBS_COUNT_MAX = 32
"""Blobs in one frame."""
TRANSACTIONS_BYTES_MAX = 1024 * 1024
BLOCKS_COUNT_MAX = 64


class Transactions(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Full transactions: gossip, or the answer to BODIES_WANTED."""

    is_gossip: bool
    """True: the sender took them in from its clients; false: bodies that were asked for."""
    raw: Annotated[tuple[Annotated[bytes, Meta(max_length=TRANSACTION_BYTES_MAX)], ...], Meta(max_length=IDS_MAX)]


class Blobs(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Detached blobs: gossip or answer."""

    blobs: Annotated[tuple[Annotated[bytes, Meta(max_length=BLOB_BYTES_MAX)], ...], Meta(max_length=BLOBS_COUNT_MAX)]


class Wanted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ids of bodies or hashes of blobs that are missing here."""

    ids: Annotated[tuple[Bytes32, ...], Meta(max_length=IDS_MAX)]


class BlocksWanted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ask for committed blocks from a height on."""

    from_height: Number
    count: Annotated[int, Meta(ge=1, le=BLOCKS_COUNT_MAX)]


class CertifiedBlock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One committed block with a certificate of it."""

    block: bytes
    """Canonical block bytes."""
    certificate: Certificate


class Blocks(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Consecutive committed blocks, as many as fit."""

    blocks: Annotated[tuple[CertifiedBlock, ...], Meta(max_length=BLOCKS_COUNT_MAX)]


class ContentWanted(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ask for a block of the current height by its hash."""

    block_hash: Bytes32


class Content(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block of the current height without the bodies of its transactions; its hash is that of the header."""

    header: Header
    parent_certificate: Certificate
    items: Annotated[tuple[Item, ...], Meta(max_length=ITEMS_MAX)]


class CheckpointShare(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One validator's signed checkpoint (C2SP note text with its two signature lines)."""

    note: Annotated[bytes, Meta(max_length=2_048)]


transactions_codec = Codec[Transactions](Transactions, TRANSACTIONS_BYTES_MAX + 65_536, "transactions")
blobs_codec = Codec[Blobs](Blobs, TRANSACTIONS_BYTES_MAX, "blobs")
wanted_codec = Codec[Wanted](Wanted, 40 * IDS_MAX, "wanted")
blocks_wanted_codec = Codec[BlocksWanted](BlocksWanted, 64, "blocks wanted")
blocks_codec = Codec[Blocks](Blocks, BLOCK_BYTES_MAX + 1024 * 1024, "blocks")
content_wanted_codec = Codec[ContentWanted](ContentWanted, 64, "content wanted")
content_codec = Codec[Content](Content, BYTES_MAX[Kind.PROPOSAL] + 65_536, "content")
checkpoint_codec = Codec[CheckpointShare](CheckpointShare, 4_096, "checkpoint")


def build_frame_kinds() -> list[FrameKind]:
    """Return every frame kind with its limit and lane."""
    kinds = [
        FrameKind(number=CONSENSUS_FIRST + kind, name=kind.name.lower(), bytes_max=BYTES_MAX[kind], lane=Lane.VOTES)
        for kind in Kind
    ]
    kinds += [
        FrameKind(TRANSACTIONS, "transactions", transactions_codec.bytes_max, Lane.BULK),
        FrameKind(BLOBS, "blobs", blobs_codec.bytes_max, Lane.BULK),
        FrameKind(BODIES_WANTED, "bodies_wanted", wanted_codec.bytes_max, Lane.VOTES),
        FrameKind(BLOBS_WANTED, "blobs_wanted", wanted_codec.bytes_max, Lane.VOTES),
        FrameKind(BLOCKS_WANTED, "blocks_wanted", blocks_wanted_codec.bytes_max, Lane.VOTES),
        FrameKind(BLOCKS, "blocks", blocks_codec.bytes_max, Lane.BULK),
        FrameKind(CONTENT_WANTED, "content_wanted", content_wanted_codec.bytes_max, Lane.VOTES),
        FrameKind(CONTENT, "content", content_codec.bytes_max, Lane.BULK),
        FrameKind(CHECKPOINT, "checkpoint", checkpoint_codec.bytes_max, Lane.BULK),
    ]
    return kinds
