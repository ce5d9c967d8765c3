"""Bodies travel once: from the node that took a transaction in to every validator (design 3).

Arriving batches are worked off in slices of a few milliseconds, and peers take turns within a slice, so that a flood
of one delays neither votes nor the others' transactions. Each signature is checked once by each node. Whoever hands
over what no honest validator does is not listened to for a while; a batch of which too much is refused is let go of.
What does not arrive is asked for by hash when a proposal names it, and handed over again when a connection comes back.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter

from chain.codec import encode
from chain.errors import GongjiError
from chain.transaction import Transaction, decode_transaction
from node.ports import Clock
from node.wire import TRANSACTIONS, TRANSACTIONS_BYTES_MAX, Transactions, transactions_codec
from p2p.events import FrameReceived

SLICE_SECONDS = 0.004
"""Longest stretch of the event loop that incoming transactions may take at a time."""
TURN = 8
"""Transactions of one peer before the next has its turn."""
FLUSH_SECONDS = 0.008
"""How long own transactions wait for company before they are sent."""
FLUSH_BYTES = 128 * 1024
OUTBOX_BYTES_MAX = 32 * 1024 * 1024
"""Own transactions not yet sent; beyond it they are left to be asked for by hash."""
SHUNNED_MS = 1_000
"""How long nothing is taken in that a peer gossips who handed over something false."""
REFUSALS_MAX = 64
"""Refused transactions of one batch after which the rest of it is let go of: each costs a check of its signature."""
GOSSIP_START = encode(Transactions(is_gossip=True, raw=()))[:2]
"""How the bytes of a batch begin that nobody asked for."""
FALSE_CODES = frozenset({"malformed", "bad_signature", "wrong_chain", "version_unknown"})
"""What no honest validator hands over: it checks before it gossips."""

Broadcast = Callable[[int, bytes], int]
SendTo = Callable[[int, int, bytes], bool]
Admit = Callable[[Transaction, int], None]
"""(transaction, ingress validator): check, verify, add to the pool; raises `GongjiError` to refuse."""


class _Inbox:
    """What one peer handed over; its frames are bounded by the network layer, which stops reading."""

    __slots__ = ("current", "frames", "is_gossip", "refusals", "shunned_until_ms")

    def __init__(self) -> None:
        self.frames: deque[FrameReceived] = deque()
        self.current: deque[bytes] = deque()
        self.is_gossip = True
        self.refusals = 0
        """In the current batch."""
        self.shunned_until_ms = 0


class Gossip:
    """Send own transactions in batches; take others' in, in slices."""

    def __init__(
        self,
        *,
        broadcast: Broadcast,
        send: SendTo,
        admit: Admit,
        add_body: Callable[[Transaction], None],
        is_known: Callable[[Transaction], bool],
        release: Callable[[FrameReceived], None],
        clock: Clock,
    ) -> None:
        self._broadcast = broadcast
        self._send = send
        self._admit = admit
        self._add_body = add_body
        self._is_known = is_known
        self._release = release
        self._clock = clock
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._flush_handle: asyncio.TimerHandle | None = None
        self._inboxes: dict[int, _Inbox] = {}
        self._turns: deque[int] = deque()
        """Peers of whom something waits, the next first."""
        self._is_scheduled = False

    @property
    def waiting(self) -> int:
        """Return how many batches of peers wait."""
        return sum(len(inbox.frames) for inbox in self._inboxes.values())

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
        for payload in _build_batches(self._outbox):
            self._broadcast(TRANSACTIONS, payload)
        self._outbox.clear()
        self._outbox_bytes = 0

    def hand_over(self, peer: int, transactions: Iterable[Transaction]) -> None:
        """Send transactions to one validator; what finds no room in its outbox is left to be asked for by hash."""
        for payload in _build_batches(transaction.raw for transaction in transactions):
            if not self._send(peer, TRANSACTIONS, payload):
                return

    # --- in ---

    def on_batch(self, frame: FrameReceived) -> None:
        """Queue a batch of a peer; the network layer stops reading it when too much waits unreleased."""
        inbox = self._inboxes.get(frame.index)
        if inbox is None:
            inbox = self._inboxes[frame.index] = _Inbox()
        inbox.frames.append(frame)
        if frame.index not in self._turns:
            self._turns.append(frame.index)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled and self._turns:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._is_scheduled = False
        end = perf_counter() + SLICE_SECONDS
        try:
            while self._turns and perf_counter() < end:
                peer = self._turns[0]
                self._turns.rotate(-1)
                if not self._take_turn(peer, self._inboxes[peer]):
                    self._turns.remove(peer)
        finally:
            # Whatever one transaction brought about, the others are still worked off.
            self._schedule()

    def _take_turn(self, peer: int, inbox: _Inbox) -> bool:
        """Work off a little of one peer's; return whether more of it waits."""
        for _ in range(TURN):
            if not inbox.current and not self._open_next(inbox):
                return False
            self._take(peer, inbox, inbox.current.popleft())
        return bool(inbox.current or inbox.frames)

    def _open_next(self, inbox: _Inbox) -> bool:
        while inbox.frames:
            frame = inbox.frames.popleft()
            self._release(frame)
            is_shunned = self._clock.now_ms() < inbox.shunned_until_ms
            if is_shunned and frame.payload.startswith(GOSSIP_START):
                continue
            try:
                batch = transactions_codec.decode(frame.payload)
            except GongjiError:
                self._shun(inbox)
                continue
            if batch.raw:
                inbox.current.extend(batch.raw)
                inbox.is_gossip = batch.is_gossip
                inbox.refusals = 0
                return True
        return False

    def _take(self, peer: int, inbox: _Inbox, raw: bytes) -> None:
        try:
            transaction = decode_transaction(raw)
            if not inbox.is_gossip:
                self._add_body(transaction)
            elif not self._is_known(transaction):
                self._admit(transaction, peer)
        except GongjiError as error:
            inbox.refusals += 1
            if error.code in FALSE_CODES:
                self._shun(inbox)
            elif error.code == "pool_full" or inbox.refusals >= REFUSALS_MAX:
                inbox.current.clear()

    def _shun(self, inbox: _Inbox) -> None:
        inbox.current.clear()
        inbox.shunned_until_ms = self._clock.now_ms() + SHUNNED_MS


def _build_batches(raws: Iterable[bytes]) -> Iterator[bytes]:
    """Yield frames of gossip."""
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if size + len(raw) > TRANSACTIONS_BYTES_MAX and batch:
            yield encode(Transactions(is_gossip=True, raw=tuple(batch)))
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    if batch:
        yield encode(Transactions(is_gossip=True, raw=tuple(batch)))
