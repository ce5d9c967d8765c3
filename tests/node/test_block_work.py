"""Building blocks: what goes in, what is left out, and what a failing transaction does."""

import time
from pathlib import Path

import pytest

from chain.contract.calls import Call
from chain.contract.context import Context
from chain.contract.member_calls import MemberLeave
from chain.contract.rules import execute_call
from chain.errors import InvariantViolation, StoreError
from chain.execution import Executed, _run
from chain.state import Overlay
from chain.transaction import Transaction
from node.assembly import Node
from node.block_work import BUILDS_MAX, EXECUTE_MS_TARGET, TRANSACTIONS_MIN
from node.devnet_files import Devnet
from node.reveal import RevealExhausted
from tests.node.in_process import Cluster, run_cluster


def build(node: Node, *, allow_empty: bool = False) -> Executed | None:
    return node._worker.build(node.ledger.certificate, allow_empty=allow_empty)


def pool(cluster: Cluster, *transactions: Transaction) -> None:
    for transaction in transactions:
        cluster[0].mempool.add(transaction, ingress=1, now_ms=0)


def list_ids(executed: Executed | None) -> list[bytes]:
    assert executed is not None
    return [transaction.tx_id for transaction in executed.transactions]


async def test_what_the_pool_holds_goes_into_the_block(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        transactions = [cluster.build_leave() for _ in range(5)]
        pool(cluster, *transactions)
        assert list_ids(build(cluster[0])) == [item.tx_id for item in transactions]


async def test_nothing_is_built_of_nothing_before_the_idle_interval(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        assert build(cluster[0], allow_empty=True) is None
    async with run_cluster(template, tmp_path / "m", 0) as cluster:
        assert list_ids(build(cluster[0], allow_empty=True)) == []
        assert build(cluster[0], allow_empty=False) is None


async def test_transaction_whose_blob_is_missing_is_left_out_and_the_blob_is_named(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        lame, good = cluster.build_join(b"nowhere"), cluster.build_leave()
        pool(cluster, lame, good)
        assert list_ids(build(cluster[0])) == [good.tx_id]
        assert cluster[0]._worker.take_missing_blobs() == (lame.body.call.blob_hash,)  # type: ignore[union-attr]
        assert cluster[0]._worker.take_missing_blobs() == ()
        assert lame.tx_id in cluster[0].mempool


async def test_committed_transaction_in_the_pool_is_not_built_in_again(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        done, fresh = cluster.build_leave(), cluster.build_leave()
        await cluster[0].intake.submit(done.raw, 5_000)
        pool(cluster, done, fresh)
        assert list_ids(build(cluster[0])) == [fresh.tx_id]
        assert done.tx_id not in cluster[0].mempool


async def test_c21_transaction_that_raises_is_evicted_and_the_others_are_built(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        transactions = [cluster.build_leave() for _ in range(4)]
        bad = cluster.build(MemberLeave(member=b"x" * 32))
        pool(cluster, *transactions[:2], bad, *transactions[2:])
        patch_call(monkeypatch, ZeroDivisionError())
        assert list_ids(build(cluster[0])) == [item.tx_id for item in transactions]
        assert bad.tx_id not in cluster[0].mempool
        status = cluster[0].intake.get_status(bad.tx_id)
        assert status is not None


def patch_call(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the call for member "xxx..." raise."""

    def execute(overlay: Overlay, context: Context, call: Call) -> object:
        if isinstance(call, MemberLeave) and call.member == b"x" * 32:
            raise error
        return execute_call(overlay, context, call)

    monkeypatch.setattr("chain.execution.execute_call", execute)


async def test_s5_damaged_disk_is_no_fault_of_a_transaction_and_stops_the_node(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        transaction = cluster.build(MemberLeave(member=b"x" * 32))
        pool(cluster, transaction)
        patch_call(monkeypatch, StoreError("damage"))
        with pytest.raises(StoreError):
            build(cluster[0])
        assert transaction.tx_id in cluster[0].mempool


async def test_c21_block_that_breaks_an_invariant_is_tried_with_fewer_until_the_culprit_is_evicted(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums are compared at the end of a block: no single transaction is to blame at once."""
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        transactions = [cluster.build_leave() for _ in range(20)]
        bad = transactions[7]
        pool(cluster, *transactions)

        def run(overlay: Overlay, context: Context, listed: tuple[Transaction, ...]) -> object:
            if bad in listed:
                raise InvariantViolation("sums differ")
            return _run(overlay, context, listed)

        monkeypatch.setattr("chain.execution._run", run)
        built: set[bytes] = set()
        for _ in range(20):
            ids = list_ids(build(cluster[0]))
            built.update(ids)
            cluster[0].mempool.remove_committed(ids)  # type: ignore[arg-type]
            if bad.tx_id not in cluster[0].mempool:
                break
        assert bad.tx_id not in cluster[0].mempool
        assert bad.tx_id not in built
        assert cluster.members[0].halted == []


async def test_broken_automatic_events_build_nothing_and_do_not_stop_the_leader(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        calls: list[int] = []

        def fail(*_: object) -> None:
            calls.append(1)
            raise InvariantViolation("an event cannot run")

        monkeypatch.setattr("chain.execution.run_automatic_events", fail)
        assert build(cluster[0], allow_empty=True) is None
        pool(cluster, *(cluster.build_leave() for _ in range(40)))
        assert build(cluster[0]) is None
        assert len(calls) <= BUILDS_MAX + 1


async def test_leader_whose_reveals_are_used_up_builds_nothing_but_goes_on_voting(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:

        def fail(link: bytes) -> bytes:
            raise RevealExhausted("used up")

        leader = next(index for index in range(4) if cluster[index].condition.get_consensus().leader is not None)
        for index in range(4):
            name = cluster[index].condition.get_consensus().leader
            leader = next(i for i in range(4) if cluster[i].organisation == name)
        monkeypatch.setattr(cluster[leader]._worker, "_reveal_next", fail)
        result = await cluster[(leader + 1) % 4].intake.submit(cluster.build_leave().raw, 8_000)
        assert result.status == "committed", "the next leader took over"
        assert cluster.members[leader].halted == []


async def test_block_is_bounded_by_the_measured_time_to_execute(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        node = cluster[0]
        pool(cluster, *(cluster.build_leave() for _ in range(TRANSACTIONS_MIN + 60)))
        node._worker._seconds_each = 1.0
        assert len(list_ids(build(node))) == TRANSACTIONS_MIN, "so many in any case"
        node._worker._seconds_each = EXECUTE_MS_TARGET / 1000 / (TRANSACTIONS_MIN + 20)
        assert len(list_ids(build(node))) == TRANSACTIONS_MIN + 20


async def test_clock_set_back_still_builds_above_the_head(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        node = cluster[0]
        pool(cluster, cluster.build_leave())
        monkeypatch.setattr(node._worker, "_get_wall_ms", lambda: time.time_ns() // 1_000_000 - 86_400_000)
        executed = build(node)
        assert executed is not None
        assert executed.header.timestamp_ms == node.ledger.header.timestamp_ms + 1
