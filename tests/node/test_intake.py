"""Intake: what is promised is durable, ends in one status, and survives restarts and clocks."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.member_calls import MemberLeave
from chain.crypto import SigningKey, sha256
from chain.errors import Refusal, StoreError
from chain.transaction import Transaction
from chain.types import ChainId
from node.blob_pool import HOLD_MS
from node.devnet_files import Devnet
from node.pool_journal import PoolJournal, PoolRecord, PoolRecordKind
from node.wire import BLOBS, TRANSACTIONS
from tests.node.in_process import Cluster, run_cluster, until

BLOB = b"ciphertext"


def list_journaled(cluster: Cluster, index: int) -> bytes:
    """Return everything that the pool journal of a node has on the disk."""
    files = (cluster.devnet.get_data_path(index) / "pool").glob("pool-*.log")
    return b"".join(path.read_bytes() for path in sorted(files))


async def test_s2_received_is_answered_only_when_the_bytes_are_on_the_disk(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        transaction = cluster.build_leave()
        result = await cluster[0].intake.submit(transaction.raw, 0)
        assert result.status == "received"
        assert transaction.raw in list_journaled(cluster, 0)


async def test_nothing_is_gossiped_before_it_is_durable(template: Devnet, tmp_path: Path) -> None:
    early: list[bool] = []
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()

        def look(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            if kind == TRANSACTIONS and transaction.raw in payload and payload[1:2] == b"\xc3":
                early.append(transaction.raw not in list_journaled(cluster, sender))
            return payload

        cluster.wires.passing = look
        await cluster[1].intake.submit(transaction.raw, 5_000)
    assert early
    assert not any(early)


async def test_same_bytes_again_are_answered_with_the_present_state(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()
        first, second = await asyncio.gather(
            cluster[0].intake.submit(transaction.raw, 0), cluster[0].intake.submit(transaction.raw, 0)
        )
        assert (first.status, first.is_replayed) == ("received", False)
        assert (second.status, second.is_replayed) == ("pending", True)
        await until(lambda: cluster.is_committed(transaction))
        third = await cluster[0].intake.submit(transaction.raw, 0)
        assert (third.status, third.is_replayed) == ("committed", True)
        assert third.entry is not None
        assert cluster[0].ledger.height == 2, "it ran once"


async def test_replay_of_a_transaction_that_a_peer_took_in_is_made_durable_here_too(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        transaction = cluster.build_leave()
        await cluster[1].intake.submit(transaction.raw, 0)
        await until(lambda: transaction.tx_id in cluster[0].mempool)
        assert transaction.raw not in list_journaled(cluster, 0)
        result = await cluster[0].intake.submit(transaction.raw, 0)
        assert result.status == "pending"
        assert transaction.raw in list_journaled(cluster, 0)


async def test_batch_answers_each_in_order_and_the_bad_ones_singly(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        good = [cluster.build_leave() for _ in range(50)]
        bad = good[0].raw[:-1] + bytes([good[0].raw[-1] ^ 1])
        raws = [*(item.raw for item in good), b"\xc1", bad, good[3].raw]
        results = await cluster[0].intake.submit_batch(raws, 5_000)
        assert [result.status for result in results[:50]] == ["committed"] * 50
        assert results[50].refusal is not None
        assert results[50].refusal.code == "malformed"
        # Another signature of the same body: it is the same transaction.
        assert results[51].status == "committed"
        assert (results[52].status, results[52].is_replayed) == ("committed", True)


async def test_full_journal_refuses_and_takes_nothing_in(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]
        monkeypatch.setattr(node.pool_journal, "_bytes_max", 10)
        transaction = cluster.build_leave()
        result = await node.intake.submit(transaction.raw, 0)
        assert result.status == "refused"
        assert result.retry_after_s is not None
        assert transaction.tx_id not in node.mempool
        assert node.intake.get_status(transaction.tx_id) is None
        with pytest.raises(Refusal):
            await node.intake.put_blob(sha256(BLOB), BLOB)
        assert sha256(BLOB) not in node.blobs


async def test_full_journal_does_not_take_away_a_blob_that_a_peer_sent(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]
        node.follower.keep_blobs([BLOB], 2, lambda _: False)
        monkeypatch.setattr(node.pool_journal, "_bytes_max", 10)
        with pytest.raises(Refusal):
            await node.intake.put_blob(sha256(BLOB), BLOB)
        assert sha256(BLOB) in node.blobs


async def test_failed_journal_promises_nothing(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]

        def fail(content: bytes) -> None:
            raise StoreError("no sync")

        monkeypatch.setattr(node.pool_journal, "_write", fail)
        with pytest.raises(StoreError):
            await node.intake.submit(cluster.build_leave().raw, 0)
        with pytest.raises(StoreError):
            await cluster.members[0].journal_task
        cluster.members[0].journal_task = asyncio.create_task(asyncio.sleep(0))


async def test_caller_who_goes_away_after_it_was_pooled_does_not_keep_it_from_the_others(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        await asyncio.sleep(0.05)
        transaction = cluster.build_leave()
        task = asyncio.create_task(cluster[0].intake.submit(transaction.raw, 0))
        await asyncio.sleep(0)
        assert transaction.tx_id in cluster[0].mempool
        task.cancel()
        await until(lambda: transaction.tx_id in cluster[1].mempool, seconds=2)


# --- what became of it ---


async def test_expired_transaction_says_so_and_wakes_who_waits(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for index in (1, 2, 3):
            await cluster.stop(index)
        transaction = cluster.build_leave(seconds=1)
        await cluster[0].intake.submit(transaction.raw, 0)
        waiting = asyncio.create_task(cluster[0].condition.wait_transaction(transaction.tx_id, 60_000))
        await asyncio.sleep(0)
        later = replace(cluster[0].ledger.header, timestamp_ms=transaction.body.valid_until_ms)
        cluster[0].ledger.header = later
        cluster[0].intake.on_expired(cluster[0].mempool.expire(later.timestamp_ms))
        await asyncio.wait_for(waiting, 1)
        status = cluster[0].intake.get_status(transaction.tx_id)
        assert status is not None
        assert (status.status, status.code) == ("expired", "expired")
        assert transaction.tx_id not in cluster[0].pool_journal
        # It is over: nobody waits for it any more.
        await asyncio.wait_for(cluster[0].condition.wait_transaction(transaction.tx_id, 60_000), 1)
        again = await cluster[0].intake.submit(transaction.raw, 60_000)
        assert again.status == "expired"


async def test_evicted_transaction_is_rejected_only_when_nobody_can_commit_it_any_more(
    template: Devnet, tmp_path: Path
) -> None:
    """No node ever contradicts a terminal state: here it cannot run, elsewhere it was committed."""
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()
        cluster[0].mempool.add(transaction, ingress=0, now_ms=0)
        cluster[0].mempool.evict(transaction.tx_id)
        cluster[0].intake.on_evicted(transaction)
        status = cluster[0].intake.get_status(transaction.tx_id)
        assert status is not None
        assert status.status == "pending"
        await cluster[1].intake.submit(transaction.raw, 5_000)
        result = await cluster[0].intake.submit(transaction.raw, 5_000)
        assert result.status == "committed"

        late = cluster.build_leave(seconds=-4_000)
        cluster[0].intake.on_evicted(late)
        status = cluster[0].intake.get_status(late.tx_id)
        assert status is not None
        assert (status.status, status.code) == ("rejected", "fault")


# --- over a restart ---


def add_records(cluster: Cluster, index: int, records: list[PoolRecord]) -> "asyncio.Task[None]":
    """Put records into the journal of a node that does not run."""

    async def write() -> None:
        config = cluster.get_config(index)
        journal = PoolJournal(
            Path(config.data_dir) / "pool", ChainId(cluster.devnet.chain_id), bytes_max=config.pool.journal_bytes_max
        )
        running = asyncio.create_task(journal.run())
        await journal.append(records)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        journal.close()

    return asyncio.create_task(write())


def build_record(transaction: Transaction) -> PoolRecord:
    return PoolRecord(kind=PoolRecordKind.TRANSACTION, key=transaction.tx_id, payload=transaction.raw)


async def test_promised_transaction_comes_back_though_the_wall_clock_was_set_back(
    template: Devnet, tmp_path: Path
) -> None:
    """By this clock its validity lies too far ahead; it was admitted once, and that was the promise."""
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        await cluster.stop(0)
        distant = cluster.build_leave(seconds=3 * 3_600)
        await add_records(cluster, 0, [build_record(distant)])
        await cluster.start(0)
        assert distant.tx_id in cluster[0].mempool
        assert distant.tx_id in cluster[0].pool_journal


async def test_transaction_that_expired_while_the_node_was_down_ends_as_expired(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        await cluster.stop(0)
        late = cluster.build_leave(seconds=-4_000)
        await add_records(cluster, 0, [build_record(late)])
        await cluster.start(0)
        status = cluster[0].intake.get_status(late.tx_id)
        assert status is not None
        assert status.status == "expired"
        assert late.tx_id not in cluster[0].pool_journal


async def test_journal_with_more_blobs_than_the_pool_holds_does_not_stop_the_start(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        await cluster.stop(0)
        blobs = [number.to_bytes(4, "big") * 4_096 for number in range(1_100)]
        records = [PoolRecord(kind=PoolRecordKind.BLOB, key=sha256(blob), payload=blob) for blob in blobs]
        transaction = cluster.build_leave()
        await add_records(cluster, 0, [*records, build_record(transaction)])
        await cluster.start(0)
        assert transaction.tx_id in cluster[0].mempool
        assert 900 < len(cluster[0].blobs) < 1_100
        kept = sum(sha256(blob) in cluster[0].pool_journal for blob in blobs)
        assert kept == len(blobs), "what found no room is not forgotten"


async def test_transaction_that_does_not_fit_the_pool_at_the_start_stays_in_the_journal(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        await cluster.stop(0)
        key = SigningKey(sha256(b"one signer"))
        transactions = [cluster.build(MemberLeave(member=bytes(32)), key) for _ in range(80)]
        await add_records(cluster, 0, [build_record(item) for item in transactions])
        await cluster.start(0)
        pooled = sum(item.tx_id in cluster[0].mempool for item in transactions)
        assert pooled == 64, "the quota of a signer"
        assert all(item.tx_id in cluster[0].pool_journal for item in transactions)


async def test_committed_ones_are_let_go_of_at_the_start(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()
        await cluster[0].intake.submit(transaction.raw, 5_000)
        await cluster.stop(0)
        await add_records(cluster, 0, [build_record(transaction)])
        await cluster.start(0)
        assert transaction.tx_id not in cluster[0].mempool
        assert transaction.tx_id not in cluster[0].pool_journal


# --- blobs ---


async def test_transaction_that_names_a_blob_is_committed_with_it_everywhere(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        held = await cluster[1].intake.put_blob(sha256(BLOB), BLOB)
        assert not held.is_replayed
        transaction = cluster.build_join(BLOB)
        await cluster[1].intake.submit(transaction.raw, 5_000)
        await until(lambda: all(cluster[index].ledger.has_blob(sha256(BLOB)) for index in range(4)))
        assert all(len(cluster[index].blobs) == 0 for index in range(4))
        assert sha256(BLOB) not in cluster[1].pool_journal
        again = await cluster[1].intake.put_blob(sha256(BLOB), BLOB)
        assert again.is_replayed
        assert len(cluster[1].blobs) == 0


async def test_client_must_put_the_blob_first(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        result = await cluster[0].intake.submit(cluster.build_join(BLOB).raw, 0)
        assert result.refusal is not None
        assert result.refusal.code == "blob_missing"


async def test_transaction_of_a_peer_whose_blob_was_lost_waits_outside_of_the_pool_until_it_is_fetched(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.ASK_SECONDS", 0.08)
    lost = 0
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:

        def lose_gossip(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            nonlocal lost
            lost += kind == BLOBS
            return None if kind == BLOBS and lost < 4 else payload

        cluster.wires.passing = lose_gossip
        await cluster[1].intake.put_blob(sha256(BLOB), BLOB)
        transaction = cluster.build_join(BLOB)
        await cluster[1].intake.submit(transaction.raw, 0)
        await until(lambda: cluster[0].intake.is_known(transaction))
        assert transaction.tx_id not in cluster[0].mempool, "no block could hold it: no leader is expected to"
        await until(lambda: transaction.tx_id in cluster[0].mempool, seconds=2)
        assert len(cluster[0].intake._parked) == 0
        assert sha256(BLOB) in cluster[0].blobs


async def test_byzantine_validator_that_gossips_without_blobs_causes_no_view_change(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for number in range(20):
            for index in range(4):
                transaction = cluster.build_join(b"nowhere %d" % number)
                cluster[index].intake.admit_from_peer(transaction, (index + 1) % 4)
        await asyncio.sleep(1.2)
        states = [cluster[index].runtime.state for index in range(4)]
        assert [state.view for state in states if state is not None] == [0, 0, 0, 0]
        result = await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        assert result.status == "committed"


async def test_blob_is_held_anew_when_its_transaction_is_accepted(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]
        await node.intake.put_blob(sha256(BLOB), BLOB)
        before = node.runtime.times()[0]
        monkeypatch.setattr(node._clock, "now_ms", lambda: before + HOLD_MS - 10)
        await node.intake.submit(cluster.build_join(BLOB).raw, 0)
        assert node.blobs.find_due(before + HOLD_MS + 10_000) == []
