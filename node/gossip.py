"""Bodies travel once: from the node that took a transaction in to every validator (design 3).

Arriving batches are worked off in slices of a few milliseconds, so that a flood of transactions never delays votes.
Each signature is checked once by each node. What does not arrive is asked for by hash when a proposal names it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

from chain.codec import encode
from chain.errors import GongjiError
from chain.transaction import Transaction, decode_transaction
from node.wire import TRANSACTIONS, TRANSACTIONS_BYTES_MAX, Transactions, transactions_codec
from p2p.events import FrameReceived

SLICE_SECONDS = 0.004
"""Longest stretch of the event loop that incoming transactions may take at a time."""
FLUSH_SECONDS = 0.008
"""How long own transactions wait for company before they are sent."""
FLUSH_BYTES = 128 * 1024
OUTBOX_BYTES_MAX = 32 * 1024 * 1024
"""Own transactions not yet sent; beyond it they are left to be asked for by hash."""

Broadcast = Callable[[int, bytes], int]
Admit = Callable[[Transaction, int], None]
"""(transaction, ingress validator): check, verify, add to the pool; raises `GongjiError` to refuse."""


class Gossip:
    """Send own transactions in batches; take others' in, in slices."""

    def __init__(
        self,
        *,
        broadcast: Broadcast,
        admit: Admit,
        add_body: Callable[[Transaction], None],
        is_known: Callable[[bytes], bool],
        release: Callable[[FrameReceived], None],
    ) -> None:
        self._broadcast = broadcast
        self._admit = admit
        self._add_body = add_body
        self._is_known = is_known
        self._release = release
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._flush_handle: asyncio.TimerHandle | None = None
        self._inbox: deque[FrameReceived] = deque()
        self._current: deque[bytes] = deque()
        self._current_peer = 0
        self._is_current_gossip = True
        self._is_scheduled = False
        self.refused = 0
        """Transactions of peers that were refused, for the metrics."""

    @property
    def waiting(self) -> int:
        """Return how many batches of peers wait."""
        return len(self._inbox)

    # --- out ---

    def offer(self, transaction: Transaction) -> None:
        """Send an own transaction to all validators soon."""
        if self._outbox_bytes + len(transaction.raw) > OUTBOX_BYTES_MAX:
            return
        self._outbox.append(transaction.raw)
        self._outbox_bytes += len(transaction.raw)
        if self._outbox_bytes >= FLUSH_BYTES:
            self.flush()
        elif self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Send what waits."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        batch: list[bytes] = []
        size = 0
        for raw in self._outbox:
            if size + len(raw) > TRANSACTIONS_BYTES_MAX and batch:
                self._broadcast(TRANSACTIONS, encode(Transactions(is_gossip=True, raw=tuple(batch))))
                batch, size = [], 0
            batch.append(raw)
            size += len(raw)
        if batch:
            self._broadcast(TRANSACTIONS, encode(Transactions(is_gossip=True, raw=tuple(batch))))
        self._outbox.clear()
        self._outbox_bytes = 0

    # --- in ---

    def on_batch(self, frame: FrameReceived) -> None:
        """Queue a batch of a peer; the network layer stops reading it when too much waits unreleased."""
        self._inbox.append(frame)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._is_scheduled = False
        end = perf_counter() + SLICE_SECONDS
        while perf_counter() < end:
            if not self._current and not self._open_next():
                return
            self._take(self._current.popleft())
        self._schedule()

    def _open_next(self) -> bool:
        while self._inbox:
            frame = self._inbox.popleft()
            self._release(frame)
            try:
                batch = transactions_codec.decode(frame.payload)
            except GongjiError:
                self.refused += 1
                continue
            if batch.raw:
                self._current = deque(batch.raw)
                self._current_peer = frame.index
                self._is_current_gossip = batch.is_gossip
                return True
        return False

    def _take(self, raw: bytes) -> None:
        try:
            transaction = decode_transaction(raw)
            if not self._is_current_gossip:
                self._add_body(transaction)
            elif not self._is_known(transaction.tx_id):
                self._admit(transaction, self._current_peer)
        except GongjiError:
            self.refused += 1
