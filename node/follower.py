"""What follows a commit: wake who waits, keep blobs, sign checkpoints, watch the leader, count.

The runtime reports here and nowhere else; nothing here decides what is committed.
"""

from typing import assert_never

from chain.crypto import sha256
from chain.execution import Executed
from chain.layout import BLOB
from chain.ledger import Ledger
from chain.mempool import Mempool, Waiting
from chain.validation import get_blob_hash
from consensus.effects import EnterQuarantine, Evidence, Fault, Note, Stop
from consensus.events import RequestOverdue
from consensus.messages import Activity
from consensus.rules import get_leader
from node.blob_pool import BlobPool
from node.block_work import BlockWorker
from node.cosigner import Cosigner
from node.fetching import Fetching
from node.gossip import Gossip
from node.head import build_head
from node.intake import Intake
from node.logs import get_logger
from node.metrics import BlockFigures, NodeMetrics
from node.pool_journal import PoolJournal
from node.ports import Clock
from node.request_watch import RequestWatch
from node.runtime import Runtime
from node.waiting import Waiters

MISSING_BLOBS_MAX = 10_000
"""Blobs of synced blocks still to be fetched; beyond it they are left to a later sync."""


class Follower:
    """The runtime's observer; `connect` gives it the parts that are made after the runtime."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        mempool: Mempool,
        blobs: BlobPool,
        journal: PoolJournal,
        waiters: Waiters,
        metrics: NodeMetrics,
        worker: BlockWorker,
        clock: Clock,
        own_index: int,
    ) -> None:
        self.ledger = ledger
        self.mempool = mempool
        self.blobs = blobs
        self.pool_journal = journal
        self.waiters = waiters
        self.metrics = metrics
        self._worker = worker
        self._clock = clock
        self.own_index = own_index
        self._missing_blobs: dict[bytes, None] = {}
        self._watch = RequestWatch(request_timeout_ms=ledger.genesis.parameters.request_timeout_ms)
        self._log = get_logger("node")
        self._last_view = 0

    def connect(
        self, *, runtime: Runtime, fetching: Fetching, intake: Intake, gossip: Gossip, cosigner: Cosigner
    ) -> None:
        """Take the parts that are made after the runtime."""
        self.runtime = runtime
        self._fetching = fetching
        self.intake = intake
        self.gossip = gossip
        self._cosigner = cosigner

    # --- blobs ---

    def keep_blobs(self, blobs: tuple[bytes, ...], peer: int) -> None:
        """Hold blobs in the share of the peer that sent them; those of blocks committed already go to the database."""
        found = []
        for blob in blobs:
            blob_hash = bytes(sha256(blob))
            if blob_hash in self._missing_blobs:
                del self._missing_blobs[blob_hash]
                found.append(blob)
            else:
                self.blobs.add(blob, ingress=peer, wall_ms=self._clock.wall_ms())
        if found:
            self.ledger.put_blobs(found)

    def find_blob(self, blob_hash: bytes) -> bytes | None:
        """Return a blob that waits for its block, or that lies in the database: validators need it to vote."""
        held = self.blobs.get(blob_hash)
        return self.ledger.store.get(BLOB + blob_hash) if held is None else held

    def collect_blobs(self, executed: Executed) -> list[bytes]:
        """Return the held blobs that the block's transactions name; note what is missing."""
        blobs = []
        for transaction in executed.transactions:
            blob_hash = get_blob_hash(transaction)
            if blob_hash is None:
                continue
            blob = self.blobs.get(blob_hash)
            if blob is not None:
                blobs.append(blob)
            elif not self.ledger.has_blob(blob_hash) and len(self._missing_blobs) < MISSING_BLOBS_MAX:
                self._missing_blobs[blob_hash] = None
        return blobs

    # --- what the runtime reports ---

    def on_committed(self, executed: Executed, *, expired: list[Waiting], write_seconds: float) -> None:
        """Wake who waits, forget what is done, sign a checkpoint, watch the leader."""
        header = executed.header
        ids = [transaction.tx_id for transaction in executed.transactions]
        done: list[bytes] = list(ids)
        for transaction in executed.transactions:
            blob_hash = get_blob_hash(transaction)
            if blob_hash is not None:
                self.blobs.remove(blob_hash)
                done.append(blob_hash)
        self.pool_journal.forget(done)
        self.waiters.on_settled(ids)
        self.waiters.on_height(header.height)
        self.intake.on_expired(expired)
        self._fetching.on_committed()
        peers = tuple(index for index in range(len(self.ledger.validators)) if index != self.own_index)
        for blob_hash in list(self._missing_blobs)[:8]:
            self._fetching.want_blob(blob_hash, peers)
        self._cosigner.on_committed(header)
        self._watch_leader(executed)
        self._count(executed, write_seconds)

    def _watch_leader(self, executed: Executed) -> None:
        state = self.runtime.state
        if state is None:
            return
        if state.view > self._last_view:
            self.metrics.view_changes.inc(state.view - self._last_view)
            self._last_view = state.view
        now, wall = self.runtime.times()
        leader = get_leader(state, state.view)
        self._watch.on_leader(leader, now_ms=now)
        parameters = self.ledger.genesis.parameters
        has_room = len(executed.transactions) * 2 < parameters.block_transactions_max
        if not has_room or len(self.mempool) == 0:
            return
        waiting = self.mempool.get_oldest_includable(block_ms=executed.header.timestamp_ms, count_max=64)
        is_leaders = executed.header.proposer == self.ledger.validators[leader].key
        overdue = self._watch.find_overdue(
            waiting, proposer=leader if is_leaders else -1, has_room=has_room, now_ms=now
        )
        if overdue:
            for entry in waiting:
                self.gossip.offer(entry.transaction)
            self.runtime.feed(RequestOverdue(leader=leader, tx_ids=overdue, now_ms=now, wall_ms=wall))

    def _count(self, executed: Executed, write_seconds: float) -> None:
        execute_seconds, self._worker.execute_seconds = self._worker.execute_seconds, 0.0
        state = self.runtime.state
        self.metrics.count_block(
            BlockFigures(
                height=executed.header.height,
                transactions=len(executed.transactions),
                failed=sum(receipt.outcome != 0 for receipt in executed.outcomes),
                bytes_count=sum(len(transaction.raw) for transaction in executed.transactions),
                view=0 if state is None else state.view,
                execute_seconds=execute_seconds,
                write_seconds=write_seconds,
            )
        )

    def on_fault(self, fault: Fault) -> None:
        """Log and count what the core noticed."""
        match fault:
            case Note(code=code, peer=peer, detail=detail):
                self.metrics.faults.labels(code).inc()
                self._log.debug("note", code=code, peer=peer, detail=detail)
            case Evidence(signer=signer):
                self.metrics.faults.labels("evidence").inc()
                self._log.error("evidence", validator=signer, first=repr(fault.first), second=repr(fault.second))
            case EnterQuarantine(reason=reason):
                self.metrics.faults.labels("quarantine").inc()
                self._log.error("quarantine", reason=reason)
            case Stop(reason=reason):
                self._log.error("stop", reason=reason)
            case _:
                assert_never(fault)

    def on_failure(self, error: Exception) -> None:
        """Log where a step failed."""
        self._log.error("step_failed", error=repr(error), exc_info=error)

    def refresh_metrics(self) -> None:
        """Set the gauges before they are read."""
        statistics = self.mempool.get_statistics()
        self.metrics.pool_transactions.set(statistics.transactions)
        self.metrics.pool_bytes.set(statistics.bytes_count)
        self.metrics.journal_bytes.labels("pool").set(self.pool_journal.bytes_count)
        self.metrics.height.set(self.ledger.height)
        state = self.runtime.state
        if state is not None:
            self.metrics.view.set(state.view)
            self.metrics.peers_connected.set(sum(peer.is_connected for peer in state.peers))
            self.metrics.is_voting.set(1 if state.activity is Activity.VOTING else 0)
        age_ms = self._clock.wall_ms() - build_head(self.ledger).wall_ms
        self.metrics.head_age_seconds.set(age_ms / 1000)
