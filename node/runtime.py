"""The loop that drives the consensus core: the one writer (design 1).

It feeds events to the pure core and carries out each `Effects` record from top to bottom: persist, send, commit,
check, build, timers, sync, faults. Nothing is sent before what it rests on is durable. One event at a time; every
failure of disk or of an own invariant stops the node.

Peers have numbers here, and indexes in the core, which follow the set of the height: `naming` translates both ways at
the moment when an event is handled, because a commit before it may have moved the set.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import assert_never

from chain.certificate import Certificate
from chain.errors import InvalidBlock, InvariantViolation
from chain.execution import Executed
from chain.ledger import Ledger
from chain.mempool import Mempool
from chain.types import Hash
from consensus import core
from consensus.config import Config
from consensus.effects import (
    BuildBlock,
    CatchUp,
    CommitBlock,
    Effects,
    EnterQuarantine,
    Evidence,
    Fault,
    FetchBlock,
    KeepPrepared,
    Note,
    Send,
    Stop,
)
from consensus.events import (
    BlockFetched,
    Built,
    Committed,
    Event,
    NothingToBuild,
    PeerUp,
    PoolChanged,
    Signed,
    Start,
    TimerExpired,
    TimerId,
)
from consensus.messages import Message, OwnMessage, encode_message, get_kind
from consensus.state import State
from node.block_work import BlockWorker
from node.candidates import Candidates, build_content
from node.checking import Checking
from node.core_timers import CoreTimers
from node.gathering import Gathering
from node.head import build_head
from node.naming import Naming
from node.peers import PeerTable
from node.ports import Clock, Fetcher, Network, Observer, Signer
from node.wire import CONSENSUS_FIRST

RETRY_MS = 200
"""What is missing for a certified or carried block is asked for again after this time."""
PARTS_PAUSE_MS = 4
"""Arrivals within so short a time are looked at together."""


class Runtime:
    """Owns the core's state; only it commits."""

    def __init__(
        self,
        *,
        config: Config,
        ledger: Ledger,
        mempool: Mempool,
        candidates: Candidates,
        worker: BlockWorker,
        signer: Signer,
        network: Network,
        observer: Observer,
        clock: Clock,
        stop: Callable[[str], None],
        peers: PeerTable,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self._peers = peers
        self._naming = Naming(peers)
        self.mempool = mempool
        self.candidates = candidates
        self._worker = worker
        self._signer = signer
        self._network = network
        self._observer = observer
        self._clock = clock
        self._stop = stop
        self.fetcher: Fetcher | None = None
        self.state: State | None = None
        self._queue: deque[Event] = deque()
        self._is_running = False
        self._is_stopped = False
        self._timers = CoreTimers(self._on_timer)
        self._checking = Checking(self, worker=worker, clock=clock)
        self._gathering = Gathering(candidates=candidates, clock=clock)
        self._pending_commit: CommitBlock | None = None
        self._build: BuildBlock | None = None
        self._build_handle: asyncio.TimerHandle | None = None
        self._last_fresh_ms = 0
        self._had_transactions = False
        self._fetching: FetchBlock | None = None
        self._retry_handle: asyncio.TimerHandle | None = None
        self._is_try_scheduled = False

    # --- driving the core ---

    def begin(self, start: Start) -> None:
        """Make the core's state and carry out its first effects."""
        self._had_transactions = start.has_transactions
        self.state, effects = core.begin(self.config, start)
        named = self._naming.to_numbers(effects, self.state)
        self.run_guarded(lambda: self._carry_out(named))

    def feed(self, event: Event) -> None:
        """Hand an event to the core; runs it and what follows from it at once, or after what is under way."""
        if self._is_stopped:
            return
        self._queue.append(event)
        if not self._is_running and self.state is not None:
            self.run_guarded(self._drain)

    def _drain(self) -> None:
        while self._queue and not self._is_stopped and self.state is not None:
            before = self.state
            event = self._naming.to_core(self._queue.popleft(), before)
            if event is None:
                continue
            self.state, effects = core.step(before, event)
            self._carry_out(self._naming.to_numbers(effects, self.state))
            if isinstance(event, Committed) and self.state.validators != before.validators:
                now, wall = self.times()
                self._queue.extend(PeerUp(peer, now, wall) for peer in self._naming.find_unknown(self.state))

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run; whatever fails of ours stops the node rather than let it go on from a wrong state."""
        try:
            work()
        except Exception as error:  # noqa: BLE001
            # Also what nobody foresaw: a validator that goes on after a failed step could contradict itself.
            self._queue.clear()
            self._observer.on_failure(error)
            self.halt(f"{type(error).__name__}: {error}")

    def halt(self, reason: str) -> None:
        """Stop signing and sending; tell the composer to end the process."""
        if not self._is_stopped:
            self._is_stopped = True
            self._cancel_all()
            self._stop(reason)

    def _cancel_all(self) -> None:
        self._checking.cancel()
        self._timers.cancel_all()
        for handle in (self._build_handle, self._retry_handle):
            if handle is not None:
                handle.cancel()

    def close(self) -> None:
        """End without a failure."""
        self._is_stopped = True
        self._cancel_all()

    def get_height(self) -> int:
        """Return the height of the durable head."""
        return self.ledger.height

    @property
    def is_stopped(self) -> bool:
        """Tell whether the node has ended: nothing is written, signed or sent any more."""
        return self._is_stopped

    def answer(self, event: Event) -> None:
        """Add the answer to an effect; it is handled after what is under way."""
        self._queue.append(event)

    def run_guarded(self, work: Callable[[], None]) -> None:
        """Do one piece of work, then what follows from it; work that it causes in turn waits for its end."""
        if self._is_stopped:
            return
        is_outermost, self._is_running = not self._is_running, True
        try:
            self._guarded(work)
            if is_outermost and self.state is not None:
                self._guarded(self._drain)
        finally:
            self._is_running = not is_outermost

    def times(self) -> tuple[int, int]:
        """Return (monotonic ms, wall ms)."""
        return self._clock.now_ms(), self._clock.wall_ms()

    # --- effects, in the order of the record ---

    def _carry_out(self, effects: Effects) -> None:
        signed: list[OwnMessage] = []
        if effects.persist:
            signed = self._signer.persist(effects.persist)
            for record in effects.persist:
                if isinstance(record, KeepPrepared):
                    self.candidates.bind(Hash(record.prepared.block_hash))
        for send in effects.send:
            self._send(send)
        if effects.commit is not None:
            self._pending_commit = effects.commit
            self._try_commit()
        for check in effects.check:
            self._checking.begin(check)
        if effects.build is not None:
            self._plan_build(effects.build)
        for timer in effects.timers:
            self._timers.apply(timer)
        for task in effects.sync:
            self._sync(task)
        for fault in effects.faults:
            self._on_fault(fault)
        if signed:
            now, wall = self.times()
            self._queue.extendleft(Signed(message, now, wall) for message in reversed(signed))

    def _on_fault(self, fault: Fault) -> None:
        self._observer.on_fault(fault)
        match fault:
            case Stop(reason=reason):
                self.halt(reason)
            case EnterQuarantine(reason=reason):
                # Nothing was signed since; a restart must not forget it, nor need a peer to show it again.
                self._signer.keep_quarantine(reason)
            case Evidence() | Note():
                pass
            case _:
                assert_never(fault)

    def _send(self, send: Send) -> None:
        message: Message = send.message
        kind = CONSENSUS_FIRST + get_kind(message)
        payload = encode_message(message)
        if send.to is None:
            self._network.broadcast(kind, payload)
        else:
            self._network.send(send.to, kind, payload)

    def _on_timer(self, timer: TimerId, token: int) -> None:
        now, wall = self.times()
        self.feed(TimerExpired(timer, token, now, wall))

    def _sync(self, task: FetchBlock | CatchUp) -> None:
        if self.fetcher is None:
            return
        match task:
            case FetchBlock():
                self._fetching = task
                self._try_fetch()
            case CatchUp():
                self.fetcher.catch_up(task.height, task.peer)
            case _:
                assert_never(task)

    # --- what waits for parts ---

    def on_parts_arrived(self) -> None:
        """Try again what waited for bodies, blobs or contents."""
        if self._is_stopped:
            return
        if not self._checking.is_waiting and self._pending_commit is None and self._fetching is None:
            return
        if not self._is_try_scheduled:
            # Bodies come in by the thousand: one look for all that arrived in this turn of the loop.
            self._is_try_scheduled = True
            asyncio.get_running_loop().call_later(PARTS_PAUSE_MS / 1000, self._on_parts)

    def _on_parts(self) -> None:
        self._is_try_scheduled = False
        self.run_guarded(self._try_all)

    def _try_all(self) -> None:
        self._checking.try_again()
        self._try_commit()
        self._try_fetch()

    def _try_fetch(self) -> None:
        """Answer `FetchBlock` once all of the block is here: its leader must execute it as well."""
        task = self._fetching
        if task is None or self.fetcher is None:
            return
        if self.state is None or self.state.fetching != task.block_hash:
            # The view in which it was selected is over.
            self._fetching = None
            return
        content = self._gathering.find(self.fetcher, task.block_hash, task.holders)
        if content is None:
            self._retry_soon()
            return
        self._fetching = None
        now, wall = self.times()
        self._queue.append(BlockFetched(content, now, wall))

    def _retry_soon(self) -> None:
        """Ask again until it is here: nothing relies on a frame arriving the first time (consensus E8)."""
        if self._retry_handle is None:
            self._retry_handle = asyncio.get_running_loop().call_later(RETRY_MS / 1000, self._on_retry)

    def _on_retry(self) -> None:
        self._retry_handle = None
        self.on_parts_arrived()

    # --- commit ---

    def _try_commit(self) -> None:
        pending = self._pending_commit
        if pending is None or self.fetcher is None:
            return
        if pending.certificate.height <= self.ledger.height:
            self._pending_commit = None
            return
        executed = self.candidates.get_executed(pending.block_hash)
        if executed is None:
            content = self._gathering.find(self.fetcher, pending.block_hash, pending.holders)
            if content is None:
                # As a committed one too: its holders may have moved on, and their copy is whole.
                for holder in pending.holders:
                    self.fetcher.catch_up(pending.certificate.height, holder)
                self._retry_soon()
                return
            try:
                executed = self._worker.validate(content, is_fresh=False)
            except InvalidBlock as error:
                raise InvariantViolation(f"a certified block cannot be reproduced: {error}") from error
        self.commit(executed, pending.certificate)

    def commit(self, executed: Executed, certificate: Certificate) -> None:
        """Write a certified block, then tell the core; nothing that asserts the commit leaves before."""
        started = perf_counter()
        self.ledger.commit(executed, certificate, blobs=self._observer.collect_blobs(executed))
        write_seconds = perf_counter() - started
        self._pending_commit = None
        self._checking.cancel()
        self._fetching = None
        self._signer.drop_below(executed.header.height)
        if self._peers.refresh():
            # Before the core follows the set: whoever it may name has a number then.
            self._observer.on_peers_changed()
        removed = self.mempool.remove_committed([transaction.tx_id for transaction in executed.transactions])
        expired = self.mempool.expire(executed.header.timestamp_ms)
        self.mempool.release_pins()
        self.candidates.clear()
        self._gathering.clear()
        self._had_transactions = len(self.mempool) > 0
        now, wall = self.times()
        self._queue.append(
            Committed(head=build_head(self.ledger), has_transactions=self._had_transactions, now_ms=now, wall_ms=wall)
        )
        # After it: a complaint about the leader must reach the core at the new height (pitfalls P17).
        self._observer.on_committed(executed, removed=removed, expired=expired, write_seconds=write_seconds)

    def commit_synced(self, executed: Executed, certificate: Certificate) -> None:
        """Commit a block that the sync client verified."""
        self.run_guarded(lambda: self.commit(executed, certificate))

    # --- build ---

    def _plan_build(self, build: BuildBlock) -> None:
        """Build after the gap of genesis: batching gives the throughput (design 3 and 7)."""
        self._build = build
        if self._build_handle is not None:
            self._build_handle.cancel()
        due_ms = self._last_fresh_ms + self._worker.parameters.block_gap_ms
        delay_ms = max(0, due_ms - self._clock.now_ms())
        loop = asyncio.get_running_loop()
        self._build_handle = loop.call_later(delay_ms / 1000, self._on_build_timer)

    def _on_build_timer(self) -> None:
        self._build_handle = None
        self.run_guarded(self._do_build)

    def _do_build(self) -> None:
        build, state = self._build, self.state
        if build is None or state is None:
            return
        self._build = None
        if self._pending_commit is not None:
            return
        if build.height != state.height or build.view != state.view or build.height != self.ledger.height + 1:
            return
        self._last_fresh_ms = self._clock.now_ms()
        executed = self._worker.build(core.compute_parent_certificate(state), allow_empty=build.allow_empty)
        if self.fetcher is not None:
            self.fetcher.want_blobs(self._worker.take_missing_blobs(), ())
        now, wall = self.times()
        if executed is None:
            # The core takes the pool for empty now: the next transaction must be told to it.
            self._had_transactions = False
            self._queue.append(NothingToBuild(height=build.height, view=build.view, now_ms=now, wall_ms=wall))
            return
        content = build_content(executed)
        self._queue.append(Built(height=build.height, view=build.view, content=content, now_ms=now, wall_ms=wall))

    # --- pool ---

    def on_pool_changed(self) -> None:
        """Tell the core when the pool became empty or non-empty."""
        has_transactions = len(self.mempool) > 0
        if has_transactions != self._had_transactions:
            self._had_transactions = has_transactions
            now, wall = self.times()
            self.feed(PoolChanged(has_transactions, now, wall))
