"""Checking candidates: each verdict, what is waited for, what is asked, and what a newer check does to an older."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.block import hash_header
from chain.crypto import sha256
from chain.errors import InvariantViolation
from chain.execution import Draft, Executed, execute_block
from chain.transaction import Transaction
from chain.types import Height, View
from consensus.effects import CheckBlock
from consensus.events import BlockContent, Checked, Event, Verdict
from node.assembly import Node
from node.candidates import build_content
from node.checking import Checking
from node.devnet_files import Devnet
from node.wire import BLOBS_WANTED, BODIES_WANTED, wanted_codec
from tests.node.in_process import Cluster, run_cluster, until
from tests.node.test_candidates import alter


class Bench:
    """A `Checking` of a node that runs alone, and its answers."""

    def __init__(self, cluster: Cluster) -> None:
        self.node: Node = cluster[0]
        self.end = cluster.members[0].end
        self.answers: list[Checked] = []
        self.node.runtime.answer = self._take  # type: ignore[method-assign]
        self.checking: Checking = self.node.runtime._checking

    def _take(self, event: Event) -> None:
        assert isinstance(event, Checked)
        self.answers.append(event)

    def build(self, *transactions: Transaction, ahead_ms: int = 0) -> Executed:
        """Return a valid block of this node's own on its head, without keeping it."""
        worker = self.node._worker
        draft = Draft(
            timestamp_ms=worker.get_block_ms() + ahead_ms,
            proposer=self.node.storage.key.public_key,
            reveal=self.node.storage.find_reveal(self.node.storage.get_last_link()),
            parent_certificate=self.node.ledger.certificate,
            transactions=transactions,
        )
        return execute_block(self.node.ledger, draft)

    def begin(self, content: BlockContent, *, is_fresh: bool = True, view: int = 0) -> None:
        self.checking.begin(
            CheckBlock(
                height=Height(self.node.ledger.height + 1),
                view=View(view),
                block_hash=content.block_hash,
                is_fresh=is_fresh,
                content=content,
                holders=(1,),
            )
        )

    def get_verdicts(self) -> list[Verdict]:
        return [answer.verdict for answer in self.answers]

    def list_asked(self, kind: int) -> list[tuple[bytes, ...]]:
        return [wanted_codec.decode(payload).ids for _, number, payload in self.end.sent if number == kind]


async def test_valid_block_is_valid_and_its_result_is_kept(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        transaction = cluster.build_leave()
        bench.node.mempool.add(transaction, ingress=1, now_ms=0)
        executed = bench.build(transaction)
        bench.begin(build_content(executed))
        assert bench.get_verdicts() == [Verdict.VALID]
        assert bench.node.candidates.get_executed(executed.block_hash) is not None
        answer = bench.answers[0]
        assert (answer.height, answer.view, answer.block_hash, answer.is_fresh) == (1, 0, executed.block_hash, True)


async def test_c20_wrong_root_is_invalid_before_any_vote(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        content = build_content(bench.build())
        header = replace(content.header, state_root=bytes(32))
        bench.begin(replace(content, header=header, block_hash=hash_header(header)))
        assert bench.get_verdicts() == [Verdict.INVALID]
        assert "state_root" in bench.answers[0].reason


async def test_changed_list_is_unavailable_and_not_invalid(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        first, second = cluster.build_leave(), cluster.build_leave()
        for item in (first, second):
            bench.node.mempool.add(item, ingress=1, now_ms=0)
        content = build_content(bench.build(first, second))
        bench.begin(replace(content, items=tuple(reversed(content.items))))
        assert bench.get_verdicts() == [Verdict.UNAVAILABLE]
        bench.begin(content)
        assert bench.get_verdicts()[-1] is Verdict.VALID
        # Executed already: a changed list is still no copy to hand on.
        bench.begin(alter(content))
        assert bench.get_verdicts()[-1] is Verdict.UNAVAILABLE


async def test_missing_bodies_are_asked_for_and_the_check_goes_on_when_they_come(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        bench = Bench(cluster)
        transaction = cluster.build_leave()
        bench.begin(build_content(bench.build(transaction)))
        assert bench.answers == []
        assert bench.checking.is_waiting
        await until(lambda: bench.list_asked(BODIES_WANTED) == [(transaction.tx_id,)], seconds=2)
        bench.node._fetching.add_body(transaction)
        await until(lambda: bench.get_verdicts() == [Verdict.VALID], seconds=2)


async def test_bodies_that_nobody_has_are_unavailable_in_the_end(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.checking.BODIES_WAIT_MS", 100)
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        bench.begin(build_content(bench.build(cluster.build_leave())))
        await until(lambda: bench.get_verdicts() == [Verdict.UNAVAILABLE], seconds=2)
        assert not bench.checking.is_waiting


async def test_all_missing_blobs_of_a_block_are_asked_for_at_once(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0, 1) as cluster:
        bench = Bench(cluster)
        blobs = [b"blob %d" % number for number in range(20)]
        transactions = [cluster.build_join(blob) for blob in blobs]
        for item in transactions:
            bench.node.mempool.add(item, ingress=1, now_ms=0)
        bench.begin(build_content(bench.build(*transactions)))
        assert bench.list_asked(BLOBS_WANTED) == [tuple(sha256(blob) for blob in blobs)]
        bench.node.follower.keep_blobs(blobs, 1, lambda _: True)
        bench.node.runtime.on_parts_arrived()
        await until(lambda: bench.get_verdicts() == [Verdict.VALID], seconds=2)


async def test_carried_block_needs_no_blobs_and_no_fresh_time(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        transaction = cluster.build_join(b"nowhere")
        bench.node.mempool.add(transaction, ingress=1, now_ms=0)
        bench.begin(build_content(bench.build(transaction, ahead_ms=60_000)), is_fresh=False)
        assert bench.get_verdicts() == [Verdict.VALID]


async def test_block_from_the_future_is_held_and_looked_at_again_when_the_clock_is_set(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        bench.begin(build_content(bench.build(ahead_ms=3_600_000)))
        await asyncio.sleep(0.05)
        assert bench.answers == []
        wall_ms = bench.node.runtime.times()[1]
        monkeypatch.setattr(bench.node._worker, "_get_wall_ms", lambda: wall_ms + 3_600_000)
        await until(lambda: bench.get_verdicts() == [Verdict.VALID], seconds=2)


async def test_newer_check_takes_the_place_of_an_older_one(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        missing = cluster.build_leave()
        bench.begin(build_content(bench.build(missing)))
        newer = build_content(bench.build())
        bench.begin(newer, view=1)
        assert [(answer.view, answer.block_hash) for answer in bench.answers] == [(1, newer.block_hash)]
        bench.node._fetching.add_body(missing)
        await asyncio.sleep(0.1)
        assert len(bench.answers) == 1


async def test_check_of_a_height_that_is_over_is_dropped(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        bench = Bench(cluster)
        old = build_content(bench.build())
        bench.checking.begin(
            CheckBlock(
                height=Height(1), view=View(0), block_hash=old.block_hash, is_fresh=True, content=old, holders=(1,)
            )
        )
        assert bench.answers == []
        assert not bench.checking.is_waiting


async def test_c21_what_fails_outside_of_a_transaction_makes_the_candidate_invalid_and_stops_nobody(
    template: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        bench = Bench(cluster)
        content = build_content(bench.build())

        def fail(*_: object) -> None:
            raise InvariantViolation("sums differ")

        monkeypatch.setattr("chain.execution.check_block", fail)
        bench.begin(content)
        assert bench.get_verdicts() == [Verdict.INVALID]
        assert cluster.members[0].halted == []
