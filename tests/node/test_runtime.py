"""The runtime within whole nodes: durability before sending, lost wake-ups, restarts, failures."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from chain.certificate import Certificate
from chain.crypto import sha256
from chain.errors import StoreError
from chain.execution import Executed
from chain.types import Height, View
from consensus.effects import BuildBlock
from consensus.events import PeerUp
from consensus.messages import Commit, Kind, Message, Prepare, Proposal, Status, ViewChange, decode_message
from node.devnet_files import Devnet
from node.wire import CONSENSUS_FIRST, TRANSACTIONS
from tests.node.in_process import Cluster, run_cluster, until


def decode(kind: int, payload: bytes) -> Message | None:
    """Return the consensus message in a frame."""
    number = kind - CONSENSUS_FIRST
    return decode_message(Kind(number), payload) if 0 <= number < len(Kind) else None


def get_leader_index(cluster: Cluster) -> int:
    """Return who leads, as the first node that runs sees it."""
    condition = next(iter(cluster.members.values())).node.condition.get_consensus()
    return next(peer.index for peer in condition.validators if peer.organisation == condition.leader)


async def test_transactions_given_to_any_node_are_on_the_chain_of_all(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        transactions = [cluster.build_leave() for _ in range(40)]
        results = await asyncio.gather(
            *(cluster[number % 4].intake.submit(item.raw, 5_000) for number, item in enumerate(transactions))
        )
        assert {result.status for result in results} == {"committed"}
        await until(lambda: all(cluster.is_committed(item) for item in transactions))
        assert len({cluster[index].ledger.read_header_record(1) for index in range(4)}) == 1
        assert [member.end.unreleased for member in cluster.members.values()] == [0, 0, 0, 0]


async def test_p2_s2_no_vote_leaves_before_it_is_in_the_journal_and_no_head_before_its_batch(
    template: Devnet, tmp_path: Path
) -> None:
    """Look at the files of the sender at the moment of sending."""
    seen: list[str] = []
    wrong: list[str] = []
    async with run_cluster(template, tmp_path / "n") as cluster:

        def look(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            message = decode(kind, payload)
            match message:
                case Prepare() | Commit() | Proposal() | ViewChange():
                    if message.signer == sender:
                        seen.append(type(message).__name__)
                        files = (cluster.devnet.get_data_path(sender) / "journal").glob("journal-*.log")
                        if not any(message.signature in path.read_bytes() for path in files):
                            wrong.append(f"{type(message).__name__} of {sender}")
                case Status():
                    if message.certificate.height > cluster[sender].ledger.height:
                        wrong.append(f"head {message.certificate.height} of {sender}")
                case _:
                    pass
            return payload

        cluster.wires.passing = look
        for _ in range(3):
            await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
    assert {"Prepare", "Commit", "Proposal"} <= set(seen)
    assert wrong == []


async def test_dead_leader_is_replaced_and_its_return_catches_up(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster[1].intake.submit(cluster.build_leave().raw, 5_000)
        leader = get_leader_index(cluster)
        await cluster.stop(leader)
        other = (leader + 1) % 4
        result = await cluster[other].intake.submit(cluster.build_leave().raw, 8_000)
        assert result.status == "committed"
        await cluster.start(leader)
        await until(lambda: len(set(cluster.get_heights())) == 1)
        again = await cluster[leader].intake.submit(cluster.build_leave().raw, 8_000)
        assert again.status == "committed"


async def test_transaction_that_comes_after_nothing_could_be_built_does_not_wait_for_the_idle_interval(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        leader = cluster[get_leader_index(cluster)]
        # In the pool, but no block can hold it: its blob is nowhere. Its return from the journal does this.
        leader.mempool.add(cluster.build_join(b"nowhere"), ingress=leader.peers.home, now_ms=0)
        leader.runtime.on_pool_changed()
        await until(lambda: leader.runtime.state is not None and leader.runtime.state.is_build_paused)
        result = await leader.intake.submit(cluster.build_leave().raw, 5_000)
        assert result.status == "committed"
        assert leader.ledger.certificate.view == 0, "before any view timer: by the leader itself"


async def test_c5_all_nodes_die_between_prepare_and_commit_and_the_same_block_is_committed(
    template: Devnet, tmp_path: Path
) -> None:
    """Its bodies come from the journals: no pool but one has them, and that node stays away."""
    prepared: set[bytes] = set()
    async with run_cluster(template, tmp_path / "n") as cluster:

        def lose_commits(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            message = decode(kind, payload)
            if isinstance(message, Prepare) and message.body.height == 2:
                prepared.add(message.body.block_hash)
            return None if isinstance(message, Commit) else payload

        cluster.wires.passing = lose_commits
        transaction = cluster.build_leave()
        home = (get_leader_index(cluster) + 1) % 4
        submitted = asyncio.create_task(cluster[home].intake.submit(transaction.raw, 0))
        states = [member.node.runtime for member in cluster.members.values()]
        await until(lambda: all(runtime.state is not None and runtime.state.asked.commit >= 0 for runtime in states))
        await submitted
        assert set(cluster.get_heights()) == {1}
        assert {cluster[index].candidates._bound for index in range(4)} == prepared
        for index in range(4):
            await cluster.stop(index)
        cluster.wires.passing = None
        others = [index for index in range(4) if index != home]
        await cluster.start(*others)
        assert all(cluster[index].mempool.get_waiting(transaction.tx_id) is None for index in others)
        assert {cluster[index].candidates._bound for index in others} == prepared
        await until(lambda: cluster.is_committed(transaction))
        assert {cluster[index].ledger.head_hash for index in others} <= prepared


async def test_promised_transaction_survives_the_death_of_all_and_reaches_the_leader(
    template: Devnet, tmp_path: Path
) -> None:
    """After a restart nobody else has it: it is handed over when the connections stand."""
    async with run_cluster(template, tmp_path / "n", 1) as cluster:
        transaction = cluster.build_leave()
        result = await cluster[1].intake.submit(transaction.raw, 0)
        assert result.status == "received"
        await cluster.stop(1)
        await cluster.start(0, 1, 2, 3)
        assert transaction.tx_id in cluster[1].mempool
        await until(lambda: cluster.is_committed(transaction), seconds=3)
        assert cluster[1].pool_journal.bytes_count > 0
        assert transaction.tx_id not in cluster[1].pool_journal


async def test_blob_of_a_promised_transaction_survives_the_death_of_all_and_reaches_the_others(
    template: Devnet, tmp_path: Path
) -> None:
    blob = b"ciphertext"
    async with run_cluster(template, tmp_path / "n", 1, 2) as cluster:
        await cluster[1].intake.put_blob(sha256(blob), blob)
        await until(lambda: sha256(blob) in cluster[2].blobs)
        # Taken in by one node, its blob by another: each has its part in its journal.
        transaction = cluster.build_join(blob)
        await cluster[2].intake.submit(transaction.raw, 0)
        for index in (1, 2):
            await cluster.stop(index)
        await cluster.start(0, 1, 2, 3)
        assert sha256(blob) in cluster[1].blobs
        assert sha256(blob) not in cluster[2].blobs
        await until(lambda: cluster.is_committed(transaction), seconds=5)
        await until(lambda: all(cluster[index].ledger.has_blob(sha256(blob)) for index in (1, 2)))


async def test_node_that_missed_the_bodies_commits_what_the_others_certified(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        deaf = (get_leader_index(cluster) + 1) % 4

        def lose_gossip(sender: int, receiver: int, kind: int, payload: bytes) -> bytes | None:
            return None if kind == TRANSACTIONS and receiver == deaf and payload[1:2] == b"\xc3" else payload

        cluster.wires.passing = lose_gossip
        transactions = [cluster.build_leave() for _ in range(30)]
        for item in transactions:
            await cluster[(deaf + 1) % 4].intake.submit(item.raw, 0)
        await until(lambda: all(cluster.is_committed(item) for item in transactions), seconds=5)


async def test_s8_failed_write_of_a_block_stops_the_node_and_nothing_is_sent_after_it(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        victim = cluster.members[2]

        def fail(executed: Executed, certificate: Certificate, **_: object) -> None:
            victim.end.sent.clear()
            raise StoreError("the disk is gone")

        monkeypatch.setattr(victim.node.ledger, "commit", fail)
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        await until(lambda: bool(victim.halted))
        assert victim.halted == ["StoreError: the disk is gone"]
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        assert victim.end.sent == []
        assert victim.node.ledger.height == 1
        victim.halted.clear()


async def test_exception_nobody_foresaw_in_a_timer_stops_the_node(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        member = cluster.members[0]

        def fail() -> None:
            raise ZeroDivisionError

        member.node.runtime.run_guarded(fail)
        assert member.halted == ["ZeroDivisionError: "]
        member.halted.clear()


async def test_work_that_a_piece_of_work_causes_waits_for_its_end(template: Devnet, tmp_path: Path) -> None:
    """A commit of the sync client ends before the core goes on: nothing of the next height runs inside it."""
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        runtime = cluster[0].runtime
        order: list[str] = []

        def inner() -> None:
            order.append("inner")

        def outer() -> None:
            runtime.on_pool_changed()
            runtime.run_guarded(inner)
            order.append("outer")

        states: list[object] = []

        def check() -> None:
            before = runtime.state
            runtime.feed(build_peer_up(runtime.times))
            states.append(runtime.state is before)

        runtime.run_guarded(outer)
        runtime.run_guarded(check)
        assert order == ["inner", "outer"]
        assert states == [True], "an event waits until the work under way has ended"
        assert runtime.state is not None
        assert runtime.state.peers[1].is_connected


def build_peer_up(times: Callable[[], tuple[int, int]]) -> PeerUp:
    now, wall = times()
    return PeerUp(1, now, wall)


async def test_build_for_a_height_that_is_over_is_dropped(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        node = cluster[get_leader_index(cluster)]
        assert node.runtime.state is not None
        for height, view in ((1, 0), (2, 7), (9, 0)):
            node.runtime._plan_build(
                BuildBlock(
                    height=Height(height),
                    view=View(view),
                    allow_empty=True,
                    parent_certificate=node.ledger.certificate,
                )
            )
            node.runtime._on_build_timer()
        assert set(cluster.get_heights()) == {1}
        result = await node.intake.submit(cluster.build_leave().raw, 5_000)
        assert result.status == "committed"


async def test_after_the_end_nothing_is_fed_tried_or_written(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        runtime = cluster[0].runtime
        before = runtime.state
        runtime.close()
        runtime.feed(build_peer_up(runtime.times))
        runtime.on_parts_arrived()
        runtime.run_guarded(lambda: pytest.fail("it has ended"))
        assert runtime.state is before
        assert runtime.is_stopped
        assert len(runtime._queue) == 0


async def test_journal_of_the_height_is_dropped_only_after_the_batch(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        heights: list[tuple[int, int]] = []
        node = cluster[0]
        dropped = node.storage.journal.drop_through

        def drop(height: int) -> None:
            heights.append((height, node.ledger.height))
            dropped(height)

        node.storage.journal.drop_through = drop  # type: ignore[method-assign]
        await node.intake.submit(cluster.build_leave().raw, 5_000)
        assert heights == [(2, 2)]
