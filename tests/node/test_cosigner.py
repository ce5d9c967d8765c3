"""Checkpoints: all validators sign the same ones, each size once, and nobody's false line gets in."""

import asyncio
import itertools
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.block import Header
from chain.checkpoint import (
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    NoteKey,
    decode_note,
    encode_note,
    verify_note,
)
from chain.codec import encode
from chain.crypto import verify
from chain.errors import GongjiError, InvariantViolation
from chain.types import Hash, PublicKey
from node.checkpoint_mark import open_mark
from node.cosigner import INTERVAL_MS, SHARES_GAP_MS, Cosigner, build_cosigner_name
from node.devnet_files import Devnet
from node.wire import CHECKPOINT, CheckpointShare, checkpoint_codec
from tests.node.in_process import Cluster, run_cluster, until

_numbers = itertools.count()


class Clocks:
    def __init__(self, wall_ms: int) -> None:
        self.now = 0
        self.wall = wall_ms


class Bench:
    """A cosigner of node 0 with clocks of its own, and what it broadcast."""

    def __init__(self, cluster: Cluster, index: int = 0, mark: Path | None = None) -> None:
        self.ledger = cluster[index].ledger
        self.clocks = Clocks(self.ledger.header.timestamp_ms)
        self.sent: list[bytes] = []
        folder = Path(cluster.get_config(index).data_dir)
        self.mark = open_mark(mark or folder / f"bench-{next(_numbers)}")
        self.is_voting = True
        self.cosigner = Cosigner(
            ledger=self.ledger,
            key=cluster[index].storage.checkpoint_key,
            mark=self.mark,
            peers=cluster[index].peers,
            may_sign=lambda: self.is_voting,
            broadcast=self._broadcast,
            now_ms=lambda: self.clocks.now,
            wall_ms=lambda: self.clocks.wall,
        )

    def _broadcast(self, kind: int, payload: bytes) -> int:
        assert kind == CHECKPOINT
        self.sent.append(payload)
        return 3

    def commit(self, *, size: int, after_ms: int, root: bytes = b"") -> Header:
        """Tell of a block so much later than the head, by wall time as well."""
        header = replace(
            self.ledger.header,
            log_size=size,
            log_root=Hash(root or size.to_bytes(32, "big")),
            timestamp_ms=self.ledger.header.timestamp_ms + after_ms,
        )
        self.clocks.wall = header.timestamp_ms
        self.cosigner.on_committed(header)
        return header

    def list_sizes(self) -> list[int]:
        return [int(decode_note(checkpoint_codec.decode(share).note)[0].split(b"\n")[1]) for share in self.sent]


async def test_validators_with_clocks_of_their_own_sign_the_same_blocks(template: Devnet, tmp_path: Path) -> None:
    """Otherwise hardly any size would have more than one signature on a busy chain."""
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        first, second = Bench(cluster, 0), Bench(cluster, 1)
        start = -first.ledger.header.timestamp_ms % INTERVAL_MS
        for number in range(1, 61):
            first.clocks.now, second.clocks.now = number * 40, number * 40 + 333
            for bench in (first, second):
                bench.commit(size=number, after_ms=start + number * 40 + 1)
        assert first.list_sizes() == second.list_sizes()
        assert 4 <= len(first.list_sizes()) <= 6, "one for each interval"


async def test_checkpoint_of_more_than_f_is_gathered_and_verifies(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        assert cluster[0].condition.get_checkpoint() is None
        await asyncio.sleep(INTERVAL_MS / 1000)
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        await until(lambda: all(cluster[index].condition.get_checkpoint() is not None for index in range(4)), seconds=3)
        note = cluster[0].condition.get_checkpoint()
        assert note is not None
        origin = f"{cluster.genesis.domain}/{cluster.devnet.chain_id.hex()}"
        keys = []
        for validator in cluster.genesis.validators:
            name = build_cosigner_name(cluster.genesis.domain, validator.organisation)
            public_key = PublicKey(validator.checkpoint_key)
            keys.append(NoteKey(name=origin, type=TYPE_ED25519, public_key=public_key))
            keys.append(NoteKey(name=name, type=TYPE_COSIGNATURE, public_key=public_key))
        checkpoint, signed = verify_note(note, keys=keys, verify=verify)
        assert checkpoint.size == cluster[0].ledger.header.log_size
        assert checkpoint.root == cluster[0].ledger.header.log_root
        assert len(signed) >= 4


async def test_size_and_root_are_durable_before_the_checkpoint_is_sent(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        stored: list[tuple[int, bytes] | None] = []
        whole = bench._broadcast

        def broadcast(kind: int, payload: bytes) -> int:
            stored.append(open_mark(bench.mark.path).last)
            return whole(kind, payload)

        bench.cosigner._broadcast = broadcast
        header = bench.commit(size=7, after_ms=INTERVAL_MS)
        assert stored == [(7, header.log_root)]


@pytest.mark.parametrize(("size", "root"), [(6, b""), (7, b"r" * 32)])
async def test_falling_size_or_second_root_stops_the_node(
    size: int, root: bytes, template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        before = Bench(cluster)
        before.commit(size=7, after_ms=INTERVAL_MS)
        # A restart does not forget, nor does a database that is fetched anew from the others.
        with pytest.raises(InvariantViolation):
            Bench(cluster, mark=before.mark.path).commit(size=size, after_ms=3 * INTERVAL_MS, root=root)


async def test_node_that_catches_up_signs_one_in_an_interval_of_its_own_clock(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        for number in range(1, 30):
            header = replace(
                bench.ledger.header,
                log_size=number,
                timestamp_ms=bench.ledger.header.timestamp_ms + number * INTERVAL_MS,
            )
            bench.clocks.wall = bench.ledger.header.timestamp_ms + 86_400_000
            bench.clocks.now = number
            bench.cosigner.on_committed(header)
        assert len(bench.sent) == 1


def count_verified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def count(**arguments: bytes) -> bool:
        calls.append(1)
        return verify(**arguments)

    monkeypatch.setattr("node.cosigner.verify", count)
    return calls


async def test_c35_flood_of_checkpoints_costs_two_signatures_for_each_gap(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        calls = count_verified(monkeypatch)
        receiver, sender = Bench(cluster, 0), Bench(cluster, 1)
        for number in range(1, 50):
            sender.commit(size=number, after_ms=number * INTERVAL_MS)
        for share in sender.sent:
            receiver.cosigner.on_share(1, share)
        assert len(calls) == 2
        receiver.clocks.now += SHARES_GAP_MS
        receiver.cosigner.on_share(1, sender.sent[0])
        assert len(calls) == 2, "an older or equal one is not verified at all"
        receiver.cosigner.on_share(1, sender.sent[-1])
        assert len(calls) == 4


async def test_line_of_another_key_does_not_get_into_the_gathered_note(template: Devnet, tmp_path: Path) -> None:
    """One true line and a false one under the name of another validator: clients would refuse the whole note."""
    async with run_cluster(template, tmp_path / "n", 0, 1, 2) as cluster:
        receiver, sender, other = Bench(cluster, 0), Bench(cluster, 1), Bench(cluster, 2)
        for bench in (sender, other):
            bench.commit(size=3, after_ms=INTERVAL_MS)
        body, true = decode_note(checkpoint_codec.decode(sender.sent[0]).note)
        _, foreign = decode_note(checkpoint_codec.decode(other.sent[0]).note)
        false = replace(foreign[0], signature=bytes(64))
        for lines in ([true[0], false], [*true, false], [true[0]], [true[0], true[0]]):
            receiver.clocks.now += SHARES_GAP_MS
            with pytest.raises(GongjiError):
                receiver.cosigner.on_share(1, encode(CheckpointShare(note=encode_note(body, lines))))
        receiver.clocks.now += SHARES_GAP_MS
        with pytest.raises(GongjiError):
            receiver.cosigner.on_share(2, sender.sent[0])
        assert receiver.cosigner.get_note() is None


async def test_one_liar_about_the_size_keeps_nobody_from_the_note_of_the_others(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1, 2) as cluster:
        receiver, liar, honest = Bench(cluster, 0), Bench(cluster, 1), Bench(cluster, 2)
        liar.commit(size=2**40, after_ms=INTERVAL_MS)
        receiver.cosigner.on_share(1, liar.sent[0])
        for bench in (receiver, honest):
            bench.commit(size=5, after_ms=INTERVAL_MS)
        receiver.clocks.now += SHARES_GAP_MS
        receiver.cosigner.on_share(2, honest.sent[0])
        note = receiver.cosigner.get_note()
        assert note is not None
        assert note.split(b"\n")[1] == b"5"
