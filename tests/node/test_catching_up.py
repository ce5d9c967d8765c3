"""Catching up: whatever one peer claims, withholds or serves, the chain comes from another."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.codec import encode
from node.devnet_files import Devnet
from node.wire import BLOCKS, BLOCKS_WANTED, Blocks, CertifiedBlock, blocks_codec, blocks_wanted_codec
from tests.node.in_process import Cluster, Passing, run_cluster, until

LIAR = 0
"""Asked first, as it has the lowest index."""
LATE = 3
Lie = Callable[[Blocks, Blocks], Blocks | None]
"""(what it has from the height asked for on, the first blocks of the chain): what it serves."""


def forge_certificate(blocks: Blocks, _: Blocks) -> Blocks:
    certified = blocks.blocks[0]
    votes = tuple((index, bytes(64)) for index, _ in certified.certificate.votes)
    return Blocks(blocks=(replace(certified, certificate=replace(certified.certificate, votes=votes)),))


def forge_block(blocks: Blocks, _: Blocks) -> Blocks:
    return Blocks(blocks=(replace(blocks.blocks[0], block=b"\x00" * 40),))


def forge_last_byte(blocks: Blocks, _: Blocks) -> Blocks:
    changed = blocks.blocks[0].block[:-1] + bytes([blocks.blocks[0].block[-1] ^ 1])
    return Blocks(blocks=(replace(blocks.blocks[0], block=changed),))


def take_votes_away(blocks: Blocks, _: Blocks) -> Blocks:
    certified = blocks.blocks[0]
    votes = certified.certificate.votes[:2]
    return Blocks(blocks=(replace(certified, certificate=replace(certified.certificate, votes=votes)),))


def repeat_old_ones(_: Blocks, first: Blocks) -> Blocks:
    return first


def swap_blocks(blocks: Blocks, _: Blocks) -> Blocks:
    return Blocks(blocks=(blocks.blocks[0], *reversed(blocks.blocks[1:])))


def put_another_block_under_the_certificate(blocks: Blocks, _: Blocks) -> Blocks:
    if len(blocks.blocks) < 2:
        return Blocks(blocks=())
    first, second = blocks.blocks[:2]
    return Blocks(blocks=(CertifiedBlock(block=second.block, certificate=first.certificate),))


def serve_nothing(_: Blocks, __: Blocks) -> Blocks:
    return Blocks(blocks=())


def stay_silent(_: Blocks, __: Blocks) -> None:
    return None


def serve_one_at_a_time(blocks: Blocks, _: Blocks) -> Blocks:
    return Blocks(blocks=blocks.blocks[:1])


LIES: tuple[Lie, ...] = (
    forge_certificate,
    forge_block,
    forge_last_byte,
    take_votes_away,
    repeat_old_ones,
    swap_blocks,
    put_another_block_under_the_certificate,
    serve_nothing,
    stay_silent,
    serve_one_at_a_time,
)


def build_passing(lie: Lie, first: list[Blocks]) -> Passing:
    def change(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
        if kind != BLOCKS:
            return payload
        blocks = blocks_codec.decode(payload)
        if not first and blocks.blocks:
            first.append(blocks)
        if sender != LIAR or not blocks.blocks:
            return payload
        answer = lie(blocks, first[0])
        return None if answer is None else encode(answer)

    return change


async def grow(cluster: Cluster, blocks: int) -> None:
    """Make blocks one after the other."""
    for _ in range(blocks):
        result = await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        assert result.status == "committed"


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_c30_peer_that_lies_or_stalls_costs_its_turn_and_no_more(
    lie: Lie, template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster.stop(LATE)
        await grow(cluster, 5)
        cluster.wires.passing = build_passing(lie, [])
        await cluster.start(LATE)
        began = time.monotonic()
        await until(lambda: cluster[LATE].ledger.height == cluster[1].ledger.height, seconds=6)
        assert time.monotonic() - began < 5
        assert cluster[LATE].ledger.head_hash == cluster[1].ledger.head_hash
        assert cluster[LATE].catching_up.synced_blocks >= 5


async def test_p22_claim_of_a_height_that_does_not_exist_changes_nothing(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for _ in range(50):
            cluster[1].catching_up.claim(2**50, LIAR)
        asked = [frame for frame in cluster.members[1].end.sent if frame[:2] == (LIAR, BLOCKS_WANTED)]
        assert len(asked) == 1, "one look, however often it is said"
        await grow(cluster, 1)
        assert set(cluster.get_heights()) <= {1, 2}


async def test_blocks_that_were_not_asked_for_are_not_even_decoded(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for _ in range(20):
            cluster[1].catching_up.take(LIAR, b"\xff" * 100)
        cluster[1].catching_up.claim(2, LIAR)
        first = blocks_wanted_codec.decode(cluster.members[1].end.sent[-1][2])
        assert first.from_height == 2


async def test_liar_that_alone_says_it_is_ahead_is_not_asked_all_the_time(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:

        def change(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            return encode(Blocks(blocks=(get_first(cluster),))) if kind == BLOCKS else payload

        cluster.wires.passing = change
        for _ in range(300):
            cluster[1].catching_up.claim(2, LIAR)
            await asyncio.sleep(0.001)
        asked = [frame for frame in cluster.members[1].end.sent if frame[:2] == (LIAR, BLOCKS_WANTED)]
        assert len(asked) == 1


def get_first(cluster: Cluster) -> CertifiedBlock:
    block, certificate = cluster[0].ledger.read_block(1), cluster[0].ledger.certificate
    assert block is not None
    return CertifiedBlock(block=encode(block), certificate=certificate)


async def test_late_answer_still_helps_and_only_one_is_taken_for_each_request(template: Devnet, tmp_path: Path) -> None:
    held: list[bytes] = []
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster.stop(LATE)
        await grow(cluster, 3)

        def hold(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            if kind == BLOCKS and receiver == LATE and blocks_codec.decode(payload).blocks:
                held.append(payload)
                return None
            return payload

        cluster.wires.passing = hold
        await cluster.start(LATE)
        await until(lambda: len(held) >= 2, seconds=4)
        assert cluster[LATE].ledger.height == 1
        cluster[LATE].catching_up.take(LIAR, held[0])
        await until(lambda: cluster[LATE].ledger.height == 4, seconds=2)


async def test_catch_up_that_meets_the_end_of_the_node_writes_nothing_more(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster.stop(LATE)
        await grow(cluster, 4)
        await cluster.start(LATE)
        await until(lambda: cluster[LATE].ledger.height >= 2, seconds=4)
        cluster[LATE].runtime.close()
        height = cluster[LATE].ledger.height
        await grow(cluster, 1)
        assert cluster[LATE].ledger.height == height
