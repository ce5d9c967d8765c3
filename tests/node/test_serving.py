"""Answers to peers: what a request costs is bounded, whoever asks and however often."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain import layout
from chain.block import hash_header
from chain.codec import encode
from chain.crypto import sha256
from chain.transaction import TRANSACTION_BYTES_MAX, Transaction
from consensus.events import BlockContent
from node.assembly import Node
from node.devnet_files import Devnet
from node.serving import ALLOWANCE_BYTES_MAX, ALLOWANCE_BYTES_PER_MS, BODIES_BYTES_MAX, Allowance
from node.wire import (
    BLOBS_WANTED,
    BLOCKS,
    BLOCKS_WANTED,
    BODIES_WANTED,
    CONTENT,
    CONTENT_WANTED,
    IDS_MAX,
    TRANSACTIONS,
    BlocksWanted,
    ContentWanted,
    Wanted,
    blobs_codec,
    blocks_codec,
    content_codec,
    transactions_codec,
)
from tests.node.in_process import Cluster, run_cluster

ASKER = 3


def ask(cluster: Cluster, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
    """Return what node 0 answers to a request of another."""
    end = cluster.members[0].end
    end.sent.clear()
    cluster[0]._fetching.on_frame(ASKER, kind, payload)
    return [(number, answer) for index, number, answer in end.sent if index == ASKER]


def test_allowance_grows_with_time_up_to_its_maximum() -> None:
    allowance = Allowance()
    assert allowance.has_any(1, now_ms=0)
    allowance.spend(1, ALLOWANCE_BYTES_MAX, now_ms=0)
    assert not allowance.has_any(1, now_ms=0)
    assert allowance.has_any(1, now_ms=1)
    assert allowance.has_any(2, now_ms=0), "each peer has its own"
    allowance.spend(1, ALLOWANCE_BYTES_PER_MS * 11, now_ms=10)
    assert not allowance.has_any(1, now_ms=10)
    assert allowance.has_any(1, now_ms=12)


def test_one_large_answer_does_not_bar_a_peer_for_ever() -> None:
    allowance = Allowance()
    allowance.spend(1, 10**12, now_ms=0)
    assert allowance.has_any(1, now_ms=2 * ALLOWANCE_BYTES_MAX // ALLOWANCE_BYTES_PER_MS)


async def test_bodies_come_from_pool_and_chain_and_what_is_unknown_is_left_out(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        committed = cluster.build_leave()
        await cluster[0].intake.submit(committed.raw, 5_000)
        for index in (1, 2, 3):
            await cluster.stop(index)
        pooled = cluster.build_leave()
        await cluster[0].intake.submit(pooled.raw, 0)
        ids = (committed.tx_id, bytes(32), pooled.tx_id)
        [(kind, answer)] = ask(cluster, BODIES_WANTED, encode(Wanted(ids=ids)))
        assert kind == TRANSACTIONS
        batch = transactions_codec.decode(answer)
        assert not batch.is_gossip
        assert batch.raw == (committed.raw, pooled.raw)


async def test_a11_thousands_of_ids_are_answered_with_one_block_at_most(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = bytes(TRANSACTION_BYTES_MAX)

    def find(tx_id: bytes) -> bytes:
        return large

    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        monkeypatch.setattr(cluster[0]._fetching._serving, "_find_raw", find)
        once = encode(Wanted(ids=(bytes(32),) * IDS_MAX))
        answers = ask(cluster, BODIES_WANTED, once)
        assert sum(len(answer) for _, answer in answers) < 2 * TRANSACTION_BYTES_MAX, "the same id is one id"
        many = encode(Wanted(ids=tuple(number.to_bytes(32, "big") for number in range(IDS_MAX))))
        answers = ask(cluster, BODIES_WANTED, many)
        assert sum(len(answer) for _, answer in answers) <= BODIES_BYTES_MAX + 65_536
        sent = 0
        for _ in range(100):
            sent += sum(len(answer) for _, answer in ask(cluster, BODIES_WANTED, many))
        assert sent < 2 * ALLOWANCE_BYTES_MAX + BODIES_BYTES_MAX
        assert cluster[0]._fetching._serving.unanswered > 90


async def test_flood_of_requests_for_ids_that_are_nowhere_is_not_looked_up(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        monkeypatch.setattr(cluster[0]._fetching._serving, "_find_raw", looked.append)
        many = encode(Wanted(ids=tuple(number.to_bytes(32, "big") for number in range(IDS_MAX))))
        for _ in range(50):
            assert ask(cluster, BODIES_WANTED, many) == []
        assert len(looked) < 8 * IDS_MAX


async def test_blocks_are_consecutive_certified_and_none_above_the_head(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for _ in range(3):
            await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        [(kind, answer)] = ask(cluster, BLOCKS_WANTED, encode(BlocksWanted(from_height=2, count=64)))
        assert kind == BLOCKS
        heights = [item.certificate.height for item in blocks_codec.decode(answer).blocks]
        assert heights == [2, 3, 4]
        [(_, answer)] = ask(cluster, BLOCKS_WANTED, encode(BlocksWanted(from_height=2, count=2)))
        assert len(blocks_codec.decode(answer).blocks) == 2
        [(_, answer)] = ask(cluster, BLOCKS_WANTED, encode(BlocksWanted(from_height=2**53 - 1, count=64)))
        assert blocks_codec.decode(answer).blocks == ()


async def test_content_of_a_committed_block_is_served_by_its_hash(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()
        await cluster[0].intake.submit(transaction.raw, 5_000)
        [(kind, answer)] = ask(cluster, CONTENT_WANTED, encode(ContentWanted(block_hash=cluster[0].ledger.head_hash)))
        assert kind == CONTENT
        assert content_codec.decode(answer).items == ((transaction.tx_id, transaction.signature),)
        assert ask(cluster, CONTENT_WANTED, encode(ContentWanted(block_hash=bytes(32)))) == []


async def test_list_that_is_not_whole_here_is_not_served(template: Devnet, tmp_path: Path) -> None:
    """A false copy of a relayer must not travel on from honest nodes."""
    async with run_cluster(template, tmp_path / "n") as cluster:
        missing = cluster.build_leave()
        content = build_missing(cluster[0], missing)
        cluster[0].candidates.add_content(content)
        wanted = encode(ContentWanted(block_hash=content.block_hash))
        assert ask(cluster, CONTENT_WANTED, wanted) == []
        cluster[0].candidates.keep_block(content, (missing,))
        assert [kind for kind, _ in ask(cluster, CONTENT_WANTED, wanted)] == [CONTENT]


def build_missing(node: Node, transaction: Transaction) -> BlockContent:
    header = replace(node.ledger.header, height=node.ledger.height + 1)
    return BlockContent(
        block_hash=hash_header(header),
        header=header,
        parent_certificate=node.ledger.certificate,
        items=((transaction.tx_id, transaction.signature),),
    )


async def test_blobs_are_served_from_pool_and_database(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        await cluster[0].intake.put_blob(sha256(b"held"), b"held")
        # As a block that names it would have kept it.
        cluster[0].ledger.store.write([(layout.BLOB + sha256(b"kept"), b"kept")])
        wanted = encode(Wanted(ids=(sha256(b"held"), sha256(b"kept"), sha256(b"nowhere"))))
        [(_, answer)] = ask(cluster, BLOBS_WANTED, wanted)
        assert blobs_codec.decode(answer).blobs == (b"held", b"kept")
