"""One validator of four sends whatever it likes; the other three neither stop nor stand still.

Everything that the fourth sends passes through a liar: bytes are changed, frames are cut, repeated, sent as another
kind, kept back and sent later, and made of nothing. The seeds are fixed; a failure can be run again.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from chain.codec import encode
from consensus.messages import Kind
from node.blob_pool import BLOB_COST_BYTES
from node.devnet_files import Devnet
from node.wire import (
    BLOBS,
    BLOCKS,
    CHECKPOINT,
    CONSENSUS_FIRST,
    IDS_MAX,
    TRANSACTIONS,
    Blobs,
    Blocks,
    BlocksWanted,
    CertifiedBlock,
    ContentWanted,
    Transactions,
    Wanted,
    build_frame_kinds,
)
from tests.node.in_process import Cluster, run_cluster, until

LEADER, LIAR = 0, 3
KINDS = {kind.number: kind.bytes_max for kind in build_frame_kinds()}
TRANSACTIONS_SENT = 12
SHARE_BYTES = 64 * 1024
"""What a validator's blobs may take in the tests of floods."""


class Mouth:
    """Change what the liar says."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.memory: deque[tuple[int, bytes]] = deque(maxlen=200)
        self.said = 0

    def change(self, kind: int, payload: bytes) -> tuple[int, bytes]:
        self.said += 1
        draw = self.random
        self.memory.append((kind, payload))
        choice = draw.randrange(8)
        if choice <= 2 and payload:
            changed = bytearray(payload)
            for _ in range(draw.randrange(1, 4)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            return kind, bytes(changed)
        if choice == 3:
            return kind, payload[: draw.randrange(len(payload) + 1)]
        if choice == 4:
            return draw.choice(self.memory)
        if choice == 5:
            other = draw.choice(sorted(KINDS))
            return other, payload[: KINDS[other]]
        if choice == 6:
            return kind, draw.randbytes(draw.randrange(64))
        return kind, payload


async def make_progress(cluster: Cluster, honest: list[int]) -> None:
    """Let the three honest ones commit transactions, while the liar hands in some of its own."""
    for number in range(TRANSACTIONS_SENT):
        if number % 3 == 0:
            liar = next(index for index in range(4) if index not in honest)
            await cluster[liar].intake.submit(cluster.build_leave().raw, 0)
        result = await cluster[honest[number % 3]].intake.submit(cluster.build_leave().raw, 15_000)
        assert result.status == "committed"


async def run_liar(seed: int, liar: int, template: Devnet, directory: Path) -> None:
    async with run_cluster(template, directory) as cluster:
        mouth = Mouth(seed)
        carry = cluster.wires.carry

        def lie(sender: int, receiver: int, kind: int, payload: bytes) -> bool:
            if sender == liar:
                kind, payload = mouth.change(kind, payload)
            return carry(sender, receiver, kind, payload)

        cluster.wires.carry = lie  # type: ignore[method-assign]
        honest = [index for index in range(4) if index != liar]
        await make_progress(cluster, honest)
        assert mouth.said > 40
        members = [cluster.members[index] for index in honest]
        assert [member.halted for member in members] == [[], [], []]
        await until(lambda: all(member.end.unreleased == 0 for member in members))
        # What its own mistakes did to the liar is its own affair.
        cluster.members[liar].halted.clear()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("liar", [LEADER, LIAR])
async def test_changed_frames_of_every_kind_stop_nobody(liar: int, seed: int, template: Devnet, tmp_path: Path) -> None:
    await run_liar(seed, liar, template, tmp_path / "n")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
@pytest.mark.parametrize("liar", [LEADER, LIAR])
async def test_c35_changed_frames_of_many_seeds_stop_nobody(
    liar: int, seed: int, template: Devnet, tmp_path: Path
) -> None:
    await run_liar(seed, liar, template, tmp_path / "n")


def build_flood() -> dict[str, Callable[[Cluster, int], tuple[int, bytes]]]:
    """Return what a liar could send in thousands."""
    ids = tuple(number.to_bytes(32, "big") for number in range(IDS_MAX))

    def get_block(cluster: Cluster) -> CertifiedBlock:
        block, certificate = cluster[0].ledger.read_block(1), cluster[0].ledger.certificate
        assert block is not None
        return CertifiedBlock(block=encode(block), certificate=certificate)

    return {
        "bodies wanted": lambda _, __: (34, encode(Wanted(ids=ids))),
        "blobs wanted": lambda _, __: (35, encode(Wanted(ids=ids))),
        "blocks wanted": lambda _, number: (36, encode(BlocksWanted(from_height=number % 3, count=64))),
        "blocks": lambda cluster, _: (BLOCKS, encode(Blocks(blocks=(get_block(cluster),) * 64))),
        "content wanted": lambda cluster, _: (38, encode(ContentWanted(block_hash=cluster[0].ledger.head_hash))),
        "blobs": lambda _, number: (BLOBS, encode(Blobs(blobs=tuple(b"%d %d" % (number, i) for i in range(32))))),
        "tiny blobs": lambda _, number: (BLOBS, encode(Blobs(blobs=(number.to_bytes(2, "big"),) * 300_000))),
        "small transactions": lambda _, __: (
            TRANSACTIONS,
            encode(Transactions(is_gossip=True, raw=(b"\x92",) * 100_000)),
        ),
        "bodies": lambda cluster, _: (
            TRANSACTIONS,
            encode(Transactions(is_gossip=False, raw=tuple(cluster.build_leave().raw for _ in range(20)))),
        ),
        "checkpoints": lambda _, number: (CHECKPOINT, b"\x91\xc4\x05hello" + bytes([number % 256])),
        "empty": lambda _, number: (CONSENSUS_FIRST + number % len(Kind), b""),
    }


def check_memory(cluster: Cluster) -> None:
    """Check that the three honest ones keep no more of the liar than its share, and nothing they did not ask for."""
    for index in range(3):
        node = cluster[index]
        assert len(node.candidates._loose) == 0
        assert len(node.blobs) * BLOB_COST_BYTES <= SHARE_BYTES
        assert len(node._fetching._asked) < 100
        assert node.gossip.waiting == 0


@pytest.mark.parametrize("name", sorted(build_flood()))
async def test_c35_flood_of_one_kind_stops_nobody_and_leaves_memory_bounded(
    name: str, template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A share that the flood of blobs is larger than: otherwise the bound could not be seen.
    monkeypatch.setattr("node.blob_pool.BYTES_MAX", 4 * SHARE_BYTES)
    async with run_cluster(template, tmp_path / "n") as cluster:
        build = build_flood()[name]
        for number in range(60):
            kind, payload = build(cluster, number)
            for receiver in range(3):
                cluster.wires.carry(LIAR, receiver, kind, payload)
        await asyncio.sleep(0)
        await until(lambda: all(cluster[index].gossip.waiting == 0 for index in range(3)), seconds=8)
        # Before a block is committed, which empties much, and after.
        check_memory(cluster)
        for _ in range(3):
            result = await cluster[0].intake.submit(cluster.build_leave().raw, 8_000)
            assert result.status == "committed"
        check_memory(cluster)
