"""What follows a commit: blobs, the watch on the leader, what peers are handed over."""

import asyncio
import time
from pathlib import Path

import pytest

from chain import layout
from chain.crypto import sha256
from consensus.messages import Complaint, Kind
from node.blob_pool import BYTES_MAX, HOLD_MS
from node.block_work import TRANSACTIONS_MIN
from node.devnet_files import Devnet
from node.follower import EXPIRY_GAP_MS
from node.wire import BLOBS_WANTED, CONSENSUS_FIRST, TRANSACTIONS, transactions_codec, wanted_codec
from tests.node.in_process import Cluster, run_cluster, until

BLOB = b"ciphertext"


def refuse_all(_: bytes) -> bool:
    return False


def get_leader(cluster: Cluster) -> int:
    leader = cluster[min(cluster.members)].condition.get_consensus().leader
    return next(index for index, item in enumerate(cluster.genesis.validators) if item.organisation == leader)


# --- blobs ---


async def test_blob_that_a_synced_block_names_is_fetched_afterwards_from_whoever_has_it(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster.stop(3)
        await cluster[1].intake.put_blob(sha256(BLOB), BLOB)
        await cluster[1].intake.submit(cluster.build_join(BLOB).raw, 5_000)
        # The first that is asked has erased it.
        cluster[0].storage.store.write([(layout.BLOB + sha256(BLOB), None)])
        await cluster.start(3)
        await until(lambda: cluster[3].ledger.height == cluster[1].ledger.height)

        async def go_on() -> None:
            for _ in range(8):
                if cluster[3].ledger.has_blob(sha256(BLOB)):
                    return
                await cluster[1].intake.submit(cluster.build_leave().raw, 5_000)
                await asyncio.sleep(0.16)

        await go_on()
        assert cluster[3].ledger.has_blob(sha256(BLOB))


async def test_blob_without_room_does_not_take_the_other_blobs_of_its_frame_along(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        follower = cluster[0].follower
        follower._missing_blobs[sha256(BLOB)] = None
        cluster[0].storage.store.write([(layout.BLOB_USE + sha256(BLOB) + sha256(b"member"), b"")])
        cluster[0].blobs._costs[1] = BYTES_MAX
        follower.keep_blobs([b"no room", BLOB, b"nor here"], 1, refuse_all)
        assert cluster[0].ledger.has_blob(sha256(BLOB)), "a committed block names it: it goes to the database"
        assert len(cluster[0].blobs) == 0
        follower.keep_blobs([b"asked for"], 1, lambda _: True)
        assert sha256(b"asked for") in cluster[0].blobs


async def test_missing_blobs_are_asked_for_in_turn(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        follower = cluster[0].follower
        hashes = [number.to_bytes(32, "big") for number in range(80)]
        follower._missing_blobs.update(dict.fromkeys([*hashes, sha256(b"erased since")]))
        cluster[0].storage.store.write([(layout.BLOB_USE + blob_hash + bytes(32), b"") for blob_hash in hashes])
        for _ in range(3):
            follower._ask_for_blobs()
        sent = [payload for _, kind, payload in cluster.members[0].end.sent if kind == BLOBS_WANTED]
        assert {blob_hash for payload in sent for blob_hash in wanted_codec.decode(payload).ids} == set(hashes)
        assert sha256(b"erased since") not in follower._missing_blobs, "nobody names it any more: nobody is asked"


async def test_blob_that_nobody_names_goes_after_its_time_from_pool_and_journal(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise blobs without transactions would fill the journal, and nothing would be taken in any more."""
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]
        await node.intake.put_blob(sha256(BLOB), BLOB)
        needed = b"named by a transaction"
        await node.intake.put_blob(sha256(needed), needed)
        await node.intake.submit(cluster.build_join(needed).raw, 0)
        now_ms = node.runtime.times()[0]
        monkeypatch.setattr(node._clock, "now_ms", lambda: now_ms + HOLD_MS + EXPIRY_GAP_MS)
        node.follower._expire_blobs()
        assert sha256(BLOB) not in node.blobs
        assert sha256(BLOB) not in node.pool_journal
        assert sha256(needed) in node.blobs
        assert sha256(needed) in node.pool_journal


# --- the leader ---


async def test_p17_leader_that_leaves_a_transaction_out_is_replaced(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        leader = get_leader(cluster)
        censored = cluster.build_leave()
        whole = cluster[leader].mempool.select

        def select(**arguments: int) -> object:
            return tuple(item for item in whole(**arguments) if item.tx_id != censored.tx_id)

        monkeypatch.setattr(cluster[leader].mempool, "select", select)
        other = (leader + 1) % 4
        task = asyncio.create_task(cluster[other].intake.submit(censored.raw, 8_000))
        end = time.monotonic() + 6
        while not task.done() and time.monotonic() < end:
            await cluster[other].intake.submit(cluster.build_leave().raw, 2_000)
            await asyncio.sleep(0.02)
        assert (await task).status == "committed"


async def test_overload_is_not_taken_for_censorship(template: Devnet, tmp_path: Path) -> None:
    """A slow leader proposes fewer than fit by count; the rest waits, and nobody complains."""
    complaints = 0
    async with run_cluster(template, tmp_path / "n") as cluster:

        def look(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            nonlocal complaints
            complaints += kind == CONSENSUS_FIRST + Kind.COMPLAINT
            return payload

        cluster.wires.passing = look
        for index in range(4):
            cluster[index]._worker._seconds_each = 10.0
        transactions = [cluster.build_leave() for _ in range(700)]
        await cluster[0].intake.submit_batch([item.raw for item in transactions], 0)
        # As if all had waited for a minute already.
        for index in range(4):
            cluster[index].follower._watch._since_ms -= 60_000
        await until(lambda: all(cluster.is_committed(item) for item in transactions), seconds=10)
        assert complaints == 0
        state = cluster[0].runtime.state
        assert state is not None
        assert state.view == 0


async def test_block_that_may_have_been_full_for_its_leader_gives_no_reason_to_complain(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        node = cluster[get_leader(cluster)]
        for item in (cluster.build_leave() for _ in range(TRANSACTIONS_MIN)):
            node.mempool.add(item, ingress=1, now_ms=0)
        full = node._worker.build(node.ledger.certificate, allow_empty=False)
        assert full is not None
        assert len(full.transactions) == TRANSACTIONS_MIN
        assert not node.follower._has_room(full)
        node.mempool.remove_committed([full.transactions[0].tx_id])
        less = node._worker.build(node.ledger.certificate, allow_empty=False)
        assert less is not None
        assert node.follower._has_room(less)


async def test_complaint_of_another_is_forwarded_to_the_leader_once_in_a_while(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        leader = get_leader(cluster)
        node, other = (leader + 1) % 4, (leader + 2) % 4
        transaction = cluster.build_leave()
        cluster[node].mempool.add(transaction, ingress=node, now_ms=0)
        complaint = Complaint(height=2, view=0, tx_ids=(transaction.tx_id, bytes(32)))
        for _ in range(10):
            cluster[node].follower.on_complaint(other, complaint)
        sent = [frame for frame in cluster.members[node].end.sent if frame[1] == TRANSACTIONS]
        assert [index for index, _, _ in sent] == [leader]
        assert transactions_codec.decode(sent[0][2]).raw == (transaction.raw,)
        await until(lambda: transaction.tx_id in cluster[leader].mempool or cluster.is_committed(transaction))


# --- peers ---


async def test_peer_that_comes_back_gets_what_it_missed_of_the_pool(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.follower.HAND_OVER_GAP_MS", 100)
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        cluster.wires.separate(0, 1)
        own = [cluster.build_leave() for _ in range(30)]
        for item in own:
            await cluster[0].intake.submit(item.raw, 0)
        foreign = cluster.build_leave()
        cluster[0].mempool.add(foreign, ingress=2, now_ms=0)
        cluster.wires.join(0, 1)
        await until(lambda: all(item.tx_id in cluster[1].mempool for item in own), seconds=5)
        assert foreign.tx_id not in cluster[1].mempool, "each hands over its own clients' alone"


async def test_connection_that_flaps_is_not_answered_with_the_pool_each_time(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        await cluster[0].intake.submit(cluster.build_leave().raw, 0)
        await asyncio.sleep(0.05)
        before = len([frame for frame in cluster.members[0].end.sent if frame[1] == TRANSACTIONS])
        for _ in range(20):
            cluster.wires.separate(0, 1)
            cluster.wires.join(0, 1)
        await asyncio.sleep(0.1)
        after = len([frame for frame in cluster.members[0].end.sent if frame[1] == TRANSACTIONS])
        assert after - before <= 1
