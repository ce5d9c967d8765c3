"""Asking peers: one at a time, all in turn, and only what was asked for is taken."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.crypto import sha256
from chain.errors import DecodeError, InvalidBlock
from chain.types import Hash
from consensus.messages import Kind, Proposal, decode_message, encode_message
from node.devnet_files import Devnet
from node.wire import (
    BLOBS,
    BLOBS_COUNT_MAX,
    BLOBS_WANTED,
    BLOCKS,
    BLOCKS_WANTED,
    BODIES_WANTED,
    CONSENSUS_FIRST,
    CONTENT,
    CONTENT_WANTED,
    TRANSACTIONS,
    Blobs,
    Content,
    content_codec,
    wanted_codec,
)
from tests.node.in_process import Cluster, run_cluster, until

OWN = 0


def list_asked(cluster: Cluster, kind: int) -> list[int]:
    """Return whom node 0 asked, in order."""
    return [index for index, number, _ in cluster.members[OWN].end.sent if number == kind]


async def test_holders_are_asked_first_then_all_others_and_never_itself(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        monkeypatch.setattr("node.fetching.REPEAT_MS", 0)
        for _ in range(5):
            cluster[OWN]._fetching.want_content(bytes(32), (OWN, 2))
        assert list_asked(cluster, CONTENT_WANTED) == [2, 1, 3, 2, 1]


async def test_same_thing_is_not_asked_for_again_while_an_answer_may_come(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for _ in range(50):
            cluster[OWN]._fetching.want_content(bytes(32), (1,))
        assert list_asked(cluster, CONTENT_WANTED) == [1]
        await asyncio.sleep(0.16)
        cluster[OWN]._fetching.want_content(bytes(32), (1,))
        assert list_asked(cluster, CONTENT_WANTED) == [1, 2]


async def test_bodies_are_asked_for_after_gossip_had_its_time(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        cluster[OWN]._fetching.want_bodies((bytes(32),), (1,))
        assert list_asked(cluster, BODIES_WANTED) == []
        await asyncio.sleep(0.07)
        cluster[OWN]._fetching.want_bodies((bytes(32),), (1,))
        assert list_asked(cluster, BODIES_WANTED) == [1]


async def test_many_blobs_are_asked_for_at_once(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        hashes = tuple(number.to_bytes(32, "big") for number in range(100))
        cluster[OWN]._fetching.want_blobs(hashes, (2,))
        [(index, _, payload)] = [frame for frame in cluster.members[OWN].end.sent if frame[1] == BLOBS_WANTED]
        assert index == 2
        assert wanted_codec.decode(payload).ids == hashes[:BLOBS_COUNT_MAX]


async def test_p23_memory_of_requests_is_bounded(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.fetching.SUBJECTS_MAX", 10)
    monkeypatch.setattr("node.fetching.BLOBS_WANTED_MAX", 10)
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        fetching = cluster[OWN]._fetching
        for number in range(100):
            fetching.want_blobs((number.to_bytes(32, "big"),), (1,))
            fetching.want_content(number.to_bytes(32, "big"), (1,))
        assert len(fetching._asked) == 10
        assert len(fetching._wanted_blobs) == 10
        assert len(fetching._wanted_contents) == 16


async def test_content_that_was_not_asked_for_is_not_kept(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        node = cluster[OWN]
        block = node.ledger.read_block(1)
        assert block is not None
        wire = Content(header=block.header, parent_certificate=block.parent_certificate, items=())
        node._fetching.on_frame(1, CONTENT, encode(wire))
        assert node.candidates.get_content(Hash(node.ledger.head_hash)) is None
        node._fetching.want_content(node.ledger.head_hash, (1,))
        false = replace(wire, parent_certificate=node.ledger.certificate)
        with pytest.raises(InvalidBlock):
            node._fetching.on_frame(1, CONTENT, encode(false))
        node._fetching.on_frame(1, CONTENT, encode(wire))
        assert node.candidates.get_content(Hash(node.ledger.head_hash)) is not None


async def test_c35_flood_of_blobs_is_taken_at_a_bounded_rate(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        fetching = cluster[OWN]._fetching
        for number in range(400):
            blobs = tuple(b"%d %d" % (number, i) for i in range(BLOBS_COUNT_MAX))
            fetching.on_frame(1, BLOBS, encode(Blobs(blobs=blobs)))
        assert fetching.dropped > 100
        assert len(cluster[OWN].blobs) < 400 * BLOBS_COUNT_MAX
        fetching.on_frame(2, BLOBS, encode(Blobs(blobs=(b"of another peer",))))
        assert sha256(b"of another peer") in cluster[OWN].blobs
        with pytest.raises(DecodeError):
            fetching.on_frame(2, BLOBS, encode(Blobs(blobs=(b"x",) * (BLOBS_COUNT_MAX + 1))))


async def test_bad_bytes_of_any_kind_are_the_senders_fault(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        cluster[OWN]._fetching.want_content(bytes(32), (1,))
        for kind in (BODIES_WANTED, BLOBS, BLOBS_WANTED, BLOCKS_WANTED, CONTENT, CONTENT_WANTED):
            with pytest.raises(DecodeError):
                cluster[OWN]._fetching.on_frame(1, kind, b"\xc1\x00")


async def test_leader_that_lists_false_transactions_to_one_node_does_not_stop_it(
    template: Devnet, tmp_path: Path
) -> None:
    """The header is the signed one, the list names bodies that nobody has: it commits by the others' copy."""
    async with run_cluster(template, tmp_path / "n") as cluster:
        victim = 3
        lies = 0

        def alter(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            nonlocal lies
            if receiver != victim or kind != CONSENSUS_FIRST + Kind.PROPOSAL:
                return payload
            message = decode_message(Kind.PROPOSAL, payload)
            assert isinstance(message, Proposal)
            lies += 1
            return encode_message(replace(message, items=((bytes(32), bytes(64)),)))

        cluster.wires.passing = alter
        transaction = cluster.build_leave()
        await cluster[1].intake.submit(transaction.raw, 5_000)
        await until(lambda: cluster.is_committed(transaction), seconds=4)
        assert lies > 0


async def test_holder_that_serves_a_false_list_is_passed_over(template: Devnet, tmp_path: Path) -> None:
    """A node has the certificate and nothing else; the first holder lies about the list each time."""
    async with run_cluster(template, tmp_path / "n") as cluster:
        victim, liar = 3, 0
        lies = 0

        def alter(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            nonlocal lies
            if receiver == victim and kind in {CONSENSUS_FIRST + Kind.PROPOSAL, TRANSACTIONS, BLOCKS}:
                return payload if kind == TRANSACTIONS and payload[1:2] == b"\xc2" else None
            if receiver == victim and sender == liar and kind == CONTENT:
                lies += 1
                content = content_codec.decode(payload)
                return encode(replace(content, items=((bytes(32), bytes(64)), *content.items)))
            return payload

        cluster.wires.passing = alter
        transaction = cluster.build_leave()
        await cluster[1].intake.submit(transaction.raw, 5_000)
        await until(lambda: cluster.is_committed(transaction), seconds=5)
        assert lies > 0
