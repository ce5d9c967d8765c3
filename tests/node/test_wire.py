"""Frames: whatever genesis allows fits them, and nothing larger is decoded."""

import msgspec
import pytest

from chain.block import BLOCK_BYTES_MAX, Block, Header, block_codec
from chain.certificate import CERTIFICATE_BYTES_MAX, Certificate, VoteBody
from chain.codec import encode
from chain.errors import DecodeError
from chain.genesis import Parameters
from chain.transaction import TRANSACTION_BYTES_MAX
from chain.types import INT_MAX, Signature
from chain.validators import VALIDATORS_MAX, compute_quorum
from consensus.messages import BYTES_MAX, Kind, Proposal, encode_message
from node.wire import (
    BLOBS_COUNT_MAX,
    BLOCKS,
    CONTENT,
    IDS_MAX,
    Blobs,
    Blocks,
    CertifiedBlock,
    Content,
    Transactions,
    Wanted,
    blobs_codec,
    blocks_codec,
    build_frame_kinds,
    content_codec,
    transactions_codec,
    wanted_codec,
)
from p2p.config import MeshLimits
from p2p.frames import FRAME_BYTES_MAX, FrameTable, Lane

H = b"\xff" * 32


def get_bound(name: str) -> int:
    """Return the largest value that genesis may give a parameter."""
    info = msgspec.inspect.type_info(Parameters)
    assert isinstance(info, msgspec.inspect.StructType)
    kind = next(field.type for field in info.fields if field.name == name)
    assert isinstance(kind, msgspec.inspect.IntType)
    assert kind.le is not None
    return kind.le


def make_largest_block() -> tuple[Block, Certificate]:
    """Return as large a block as genesis and the largest set allow."""
    votes = tuple((index, bytes(64)) for index in range(compute_quorum(VALIDATORS_MAX)))
    certificate = Certificate(height=INT_MAX, view=INT_MAX, block_hash=H, votes=votes)
    header = Header(
        version=255,
        height=INT_MAX,
        parent_hash=H,
        timestamp_ms=INT_MAX,
        proposer=H,
        parent_certificate_hash=H,
        transactions_root=H,
        log_size=INT_MAX,
        log_root=H,
        state_root=H,
        next_validators_hash=H,
        reveal=H,
    )
    count, size = get_bound("block_transactions_max"), get_bound("block_bytes_max")
    transactions = tuple(bytes(size // count) for _ in range(count))
    return Block(header=header, parent_certificate=certificate, transactions=transactions), certificate


def test_c33_largest_block_of_genesis_can_be_stored_and_served() -> None:
    block, certificate = make_largest_block()
    data = encode(block)
    assert len(data) <= BLOCK_BYTES_MAX
    assert len(encode(certificate)) <= CERTIFICATE_BYTES_MAX
    assert block_codec.decode(data) == block
    blocks = encode(Blocks(blocks=(CertifiedBlock(block=data, certificate=certificate),)))
    assert blocks_codec.decode(blocks).blocks[0].block == data


def test_c33_largest_block_of_genesis_can_be_proposed() -> None:
    block, certificate = make_largest_block()
    items = tuple((H, bytes(64)) for _ in block.transactions)
    proposal = Proposal(
        body=VoteBody(version=255, height=INT_MAX, view=INT_MAX, block_hash=H),
        signer=VALIDATORS_MAX - 1,
        signature=Signature(bytes(64)),
        header=block.header,
        parent_certificate=certificate,
        items=items,
    )
    assert len(encode_message(proposal)) <= BYTES_MAX[Kind.PROPOSAL]
    content = encode(Content(header=block.header, parent_certificate=certificate, items=items))
    assert content_codec.decode(content).items == items
    assert len(items) <= IDS_MAX, "its bodies can be asked for at once"
    assert wanted_codec.decode(encode(Wanted(ids=(H,) * IDS_MAX))).ids == (H,) * IDS_MAX


def test_every_frame_fits_the_network_and_every_outbox() -> None:
    kinds = build_frame_kinds()
    assert len({kind.number for kind in kinds}) == len(kinds)
    assert all(kind.bytes_max <= FRAME_BYTES_MAX for kind in kinds)
    table, limits = FrameTable(kinds), MeshLimits()
    assert table.compute_frame_bytes_max(Lane.VOTES) <= limits.votes_outbox_bytes_max
    assert table.compute_frame_bytes_max(Lane.BULK) <= limits.bulk_outbox_bytes_max
    lanes = {kind.number: kind.lane for kind in kinds}
    assert lanes[BLOCKS] is lanes[CONTENT] is Lane.BULK, "what is large never delays votes"


def test_p27_counts_are_bounded_by_the_decoder() -> None:
    with pytest.raises(DecodeError):
        transactions_codec.decode(encode(Transactions(is_gossip=True, raw=(b"",) * (IDS_MAX + 1))))
    with pytest.raises(DecodeError):
        transactions_codec.decode(encode(Transactions(is_gossip=True, raw=(bytes(TRANSACTION_BYTES_MAX + 1),))))
    with pytest.raises(DecodeError):
        blobs_codec.decode(encode(Blobs(blobs=(b"",) * (BLOBS_COUNT_MAX + 1))))
    with pytest.raises(DecodeError):
        wanted_codec.decode(encode(Wanted(ids=(H,) * (IDS_MAX + 1))))
