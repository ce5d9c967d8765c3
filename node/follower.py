"""What follows a commit: wake who waits, keep blobs, sign checkpoints, watch the leader, count.

The runtime reports here and nowhere else; nothing here decides what is committed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never

from chain.blob_table import list_uses
from chain.contract.tables import ORGANISATION, ROSTER
from chain.crypto import sha256
from chain.errors import Refusal
from chain.execution import Executed
from chain.genesis import ROLE_NAMES
from chain.layout import BLOB
from chain.ledger import Ledger
from chain.mempool import Mempool, Waiting
from chain.transaction import count_items
from chain.types import TxId
from chain.validation import get_blob_hash
from consensus.describe import describe_signed
from consensus.effects import EnterQuarantine, Evidence, Fault, Note, Stop
from consensus.events import RequestOverdue
from consensus.messages import Activity, Complaint, Status
from consensus.rules import get_leader
from node.blob_pool import BlobPool
from node.block_work import TRANSACTIONS_MIN, BlockWorker
from node.cosigner import Cosigner
from node.evidence import EvidenceStore
from node.fetching import Fetching
from node.gossip import Gossip
from node.head import build_head
from node.intake import Intake
from node.logs import get_logger
from node.metrics import BlockFigures, NodeMetrics
from node.peers import PeerTable
from node.pool_journal import PoolJournal
from node.ports import Clock
from node.request_watch import RequestWatch
from node.runtime import Runtime
from node.waiting import Waiters

MISSING_BLOBS_MAX = 10_000
"""Blobs of committed blocks still to be fetched; beyond it they are not fetched any more."""
BLOBS_ASKED = 32
"""Of these, how many are asked for after each commit."""
SCRUB_GAP_MS = 10_000
"""Least time between two scrubbings of the database's files."""
SCRUBBED_MAX = 4
"""Erased blobs of one scrubbing."""
EXPIRY_GAP_MS = 10_000
"""Least time between two looks for blobs that nobody waits for."""
OVERDUE_MAX = 64
"""Transactions that are watched, offered again and complained about at a time."""
OFFER_GAP_MS = 1_000
"""Least time between two offers of what is overdue, and between two answers to one peer's complaints."""
HAND_OVER_GAP_MS = 2_000
"""Least time between two handings over of the pool to one peer."""


ORGANISATIONS_BLOCKS = 50
"""How often the keys of the organisations are looked up, whose quotas are higher."""
UPGRADE_WORDS = "install software that knows it before that height: this node takes no part in consensus from there on"


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
        peers: PeerTable,
        evidence: EvidenceStore,
        on_peers_changed: Callable[[], None],
    ) -> None:
        self.ledger = ledger
        self.mempool = mempool
        self.blobs = blobs
        self.pool_journal = journal
        self.waiters = waiters
        self.metrics = metrics
        self._worker = worker
        self._clock = clock
        self._peers = peers
        self._evidence = evidence
        self._on_peers_changed = on_peers_changed
        self._missing_blobs: dict[bytes, None] = {}
        self._watch = RequestWatch(request_timeout_ms=ledger.parameters.request_timeout_ms)
        self._log = get_logger("node")
        self._last_view = 0
        self._expiry_ms = self._offered_ms = clock.now_ms()
        self._scrubbed_ms = self._expiry_ms - SCRUB_GAP_MS
        self._complained_ms: dict[int, int] = {}
        self._handed_over_ms: dict[int, int] = {}
        self._handing_over: dict[int, asyncio.TimerHandle] = {}
        self._drift_ms: dict[int, int] = {}
        """How far each peer's wall clock is ahead of this one, as its last STATUS said."""
        self._parameters = ledger.parameters
        self._warned_version = 0

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

    def keep_blobs(self, blobs: Sequence[bytes], peer: int, was_wanted: Callable[[bytes], bool]) -> None:
        """Hold blobs in the share of the peer that sent them; those of committed blocks go to the database."""
        committed: list[bytes] = []
        held: list[bytes] = []
        for blob in blobs:
            blob_hash = bytes(sha256(blob))
            is_wanted = was_wanted(blob_hash)
            if blob_hash in self._missing_blobs:
                del self._missing_blobs[blob_hash]
                committed.append(blob)
            elif not self.ledger.has_blob(blob_hash):
                try:
                    self.blobs.add(blob, ingress=peer, now_ms=self._clock.now_ms(), is_wanted=is_wanted)
                except Refusal as error:
                    self.metrics.frames_dropped.labels(error.code).inc()
                else:
                    held.append(blob_hash)
        if committed:
            self.ledger.put_blobs(committed)
        if held:
            self.intake.on_blobs(held)

    def find_blob(self, blob_hash: bytes) -> bytes | None:
        """Return a blob that waits for its block, or that lies in the database: validators need it to vote."""
        held = self.blobs.get(blob_hash)
        return self.ledger.store.get(BLOB + blob_hash) if held is None else held

    def collect_blobs(self, executed: Executed) -> list[bytes]:
        """Return the held blobs that the block's transactions name; note what is missing."""
        blobs = []
        for blob_hash, _ in list_uses(executed):
            blob = self.blobs.get(blob_hash)
            if blob is not None:
                blobs.append(blob)
            elif not self.ledger.has_blob(blob_hash) and len(self._missing_blobs) < MISSING_BLOBS_MAX:
                self._missing_blobs[blob_hash] = None
        return blobs

    def _ask_for_blobs(self) -> None:
        """Ask for some blobs of committed blocks, the next time for others; one that was erased since is let go."""
        asked = tuple(self._missing_blobs)[:BLOBS_ASKED]
        for blob_hash in asked:
            del self._missing_blobs[blob_hash]
        named = tuple(blob_hash for blob_hash in asked if self.ledger.blobs.is_named(blob_hash))
        self._missing_blobs.update(dict.fromkeys(named))
        self._fetching.want_blobs(named, ())

    def _expire_blobs(self) -> None:
        """Let go of blobs whose time is over, in the journal as well, but for those that a pooled one names."""
        now = self._clock.now_ms()
        if now - self._expiry_ms < EXPIRY_GAP_MS:
            return
        self._expiry_ms = now
        due = self.blobs.find_due(now)
        if not due:
            return
        named = {get_blob_hash(waiting.transaction) for waiting in self._list_pool(len(self.mempool))}
        gone = [blob_hash for blob_hash in due if blob_hash not in named]
        for blob_hash in due:
            if blob_hash in named:
                self.blobs.renew(blob_hash, now_ms=now)
        for blob_hash in gone:
            self.blobs.remove(blob_hash)
        self.pool_journal.forget(gone)

    def _scrub_blobs(self) -> None:
        """Take erased blobs out of the database's files, a few at a time: each costs some tens of milliseconds."""
        now = self._clock.now_ms()
        if now - self._scrubbed_ms >= SCRUB_GAP_MS and self.ledger.blobs.scrub(SCRUBBED_MAX):
            self._scrubbed_ms = now

    # --- peers ---

    def on_peer_up(self, peer: int) -> None:
        """Hand over what own clients gave: gossip of the time without a connection is lost."""
        if peer not in self._handing_over:
            now = self._clock.now_ms()
            due_ms = self._handed_over_ms.get(peer, now - HAND_OVER_GAP_MS) + HAND_OVER_GAP_MS
            delay_ms = max(0, due_ms - now)
            loop = asyncio.get_running_loop()
            self._handing_over[peer] = loop.call_later(delay_ms / 1000, self._hand_over, peer)

    def _hand_over(self, peer: int) -> None:
        del self._handing_over[peer]
        self._handed_over_ms[peer] = self._clock.now_ms()
        own = (waiting for waiting in self._list_pool(len(self.mempool)) if waiting.ingress == self._peers.home)
        self.gossip.hand_over(peer, (waiting.transaction for waiting in own))

    def _list_pool(self, count_max: int) -> list[Waiting]:
        """Return what a block made now could hold, oldest first; the head may be old."""
        block_ms = max(self.ledger.header.timestamp_ms, self._worker.get_block_ms())
        return self.mempool.get_oldest_includable(block_ms=block_ms, count_max=count_max)

    def on_complaint(self, peer: int, complaint: Complaint) -> None:
        """Forward to the leader what another says it passes over; the own request timer runs anyway (consensus 6)."""
        state = self.runtime.state
        now = self._clock.now_ms()
        if state is None or now - self._complained_ms.get(peer, now - OFFER_GAP_MS) < OFFER_GAP_MS:
            return
        self._complained_ms[peer] = now
        leader = self._peers.find_number(get_leader(state, state.view), state.validators)
        if leader in {peer, self._peers.home}:
            return
        known = [self.mempool.get_waiting(TxId(tx_id)) for tx_id in complaint.tx_ids]
        self.gossip.hand_over(leader, (waiting.transaction for waiting in known if waiting is not None))

    def on_status(self, peer: int, status: Status) -> None:
        """Note how far a peer's clock is off; it decides nothing."""
        self._drift_ms[peer] = status.wall_ms - self._clock.wall_ms()

    def on_peer_down(self, peer: int) -> None:
        """Forget what a peer said of itself."""
        self._drift_ms.pop(peer, None)

    # --- what the runtime reports ---

    def on_peers_changed(self) -> None:
        """Let the network and the shares of the pools follow the set of validators."""
        self._on_peers_changed()

    def on_committed(
        self, executed: Executed, *, removed: list[Waiting], expired: list[Waiting], write_seconds: float
    ) -> None:
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
        self.intake.on_committed(header.timestamp_ms)
        self._fetching.on_committed()
        self._ask_for_blobs()
        self._expire_blobs()
        self._scrub_blobs()
        self._cosigner.on_committed(header)
        self._follow_parameters(header.height)
        self._watch_leader(executed)
        self._count(executed, write_seconds)
        self._count_finality(removed)

    def _follow_parameters(self, height: int) -> None:
        """Take over what governance has changed, and say so in time where it wants a version that is not here."""
        parameters = self.ledger.parameters
        if parameters is not self._parameters:
            self._parameters = parameters
            self.mempool.set_parameters(parameters)
            self._watch.timeout_ms = parameters.request_timeout_ms
        if height % ORGANISATIONS_BLOCKS == 0:
            self.mempool.set_organisation_keys(list_organisation_keys(self.ledger))
        version, from_height = self.ledger.protocol.versions[-1]
        if version not in self.runtime.config.versions and version != self._warned_version:
            self._warned_version = version
            self._log.error("protocol_version_unknown", version=version, from_height=from_height, action=UPGRADE_WORDS)

    def _count_finality(self, removed: list[Waiting]) -> None:
        """Count how long what this node took in has waited for its block to be durable."""
        now = self._clock.now_ms()
        for waiting in removed:
            if waiting.ingress == self._peers.home:
                self.metrics.finality_seconds.observe((now - waiting.added_ms) / 1000)

    def _watch_leader(self, executed: Executed) -> None:
        state = self.runtime.state
        if state is None:
            return
        if state.view > self._last_view:
            self.metrics.view_changes.inc(state.view - self._last_view)
            self._last_view = state.view
        now, wall = self.runtime.times()
        index = get_leader(state, state.view)
        leader = self._peers.find_number(index, state.validators)
        self._watch.on_leader(leader, now_ms=now)
        has_room = self._has_room(executed)
        if not has_room or len(self.mempool) == 0:
            return
        waiting = [entry for entry in self._list_pool(OVERDUE_MAX) if self._has_its_blob(entry)]
        is_leaders = executed.header.proposer == state.validators[index].key
        overdue = self._watch.find_overdue(
            waiting, proposer=leader if is_leaders else -1, has_room=has_room, now_ms=now
        )
        if overdue:
            if now - self._offered_ms >= OFFER_GAP_MS:
                self._offered_ms = now
                for entry in waiting:
                    self.gossip.offer(entry.transaction)
            self.runtime.feed(RequestOverdue(leader=leader, tx_ids=overdue, now_ms=now, wall_ms=wall))

    def _has_its_blob(self, waiting: Waiting) -> bool:
        blob_hash = get_blob_hash(waiting.transaction)
        return blob_hash is None or self.intake.has_blob(blob_hash)

    def _has_room(self, executed: Executed) -> bool:
        """Tell whether more would have fitted into a block.

        Leaders bound a block by their own speed as well (`EXECUTE_MS_TARGET`), which the others cannot know: one of
        TRANSACTIONS_MIN may have been full for them, and overload must not be taken for censorship.
        """
        parameters = self.ledger.parameters
        transactions = executed.transactions
        if len(transactions) >= min(TRANSACTIONS_MIN, parameters.block_transactions_max // 2 + 1):
            return False
        items = sum(count_items(transaction.body.call) for transaction in transactions)
        size = sum(len(transaction.raw) for transaction in transactions)
        return items * 2 < parameters.block_items_max and size * 2 < parameters.block_bytes_max

    def _count(self, executed: Executed, write_seconds: float) -> None:
        self.metrics.observe_sync("ledger", write_seconds)
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
            case Evidence():
                self._keep_evidence(fault)
            case EnterQuarantine(reason=reason):
                self.metrics.faults.labels("quarantine").inc()
                self._log.error("quarantine", reason=reason)
            case Stop(reason=reason):
                self._log.error("stop", reason=reason)
            case _:
                assert_never(fault)

    def _keep_evidence(self, evidence: Evidence) -> None:
        """Keep the proof of a fault, and tell the operator."""
        self.metrics.faults.labels("evidence").inc()
        state = self.runtime.state
        if state is None:
            return
        validator = state.validators[evidence.signer]
        first, second = describe_signed(evidence.first), describe_signed(evidence.second)
        name = f"{validator.organisation} {validator.key.hex()}"
        self._log.error("evidence", validator=name, first=first, second=second)
        self._evidence.keep(validator, evidence.first, evidence.second, wall_ms=self._clock.wall_ms())

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
        drift_ms = max((abs(drift) for drift in self._drift_ms.values()), default=0)
        self.metrics.clock_drift_seconds.set(drift_ms / 1000)
        age_ms = self._clock.wall_ms() - build_head(self.ledger).wall_ms
        self.metrics.head_age_seconds.set(age_ms / 1000)


def list_organisation_keys(ledger: Ledger) -> list[bytes]:
    """Return the signing keys of the organisations in office."""
    keys: list[bytes] = []
    for role in range(len(ROLE_NAMES)):
        roster = ledger.read(ROSTER.key(role), ROSTER.codec)
        for name in () if roster is None else roster.names:
            organisation = ledger.read(ORGANISATION.key(name), ORGANISATION.codec)
            if organisation is not None:
                keys.append(organisation.key)
    return keys
