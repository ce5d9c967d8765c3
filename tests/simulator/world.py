"""The world around the nodes: one queue of events, a network that loses, delays, repeats and cuts, and the
audit.

Everything random comes from one seeded generator; events of one millisecond run in random order, so a
timer and the quorum it races with meet in both orders (pitfalls C7).
"""

import heapq
import random
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from chain.types import Hash
from consensus.guard_rules import compute_digest, get_position
from consensus.messages import Message, OwnMessage, decode_message, encode_message, get_kind
from tests.simulator.ledger import CHAIN_ID, EPOCH_MS


class Faults(Struct, frozen=True, kw_only=True):
    """How bad the world is; chances are in thousandths."""

    loss: int = 0
    repeat: int = 0
    delay_ms_max: int = 20
    apply_ms_max: int = 15
    """Slowest write of a block (C8)."""
    unavailable: int = 0
    """Chance that the bodies of a block cannot be had at first."""
    crash_on_persist: int = 0
    """Chance of dying at one of the points around a journal write."""
    skew_ms_max: int = 0


CALM = Faults()


class Actor(Protocol):
    """A node, honest or not."""

    index: int
    is_honest: bool

    @property
    def is_alive(self) -> bool: ...

    def receive(self, peer: int, message: Message) -> None: ...

    def on_link(self, peer: int, *, is_up: bool) -> None: ...


class World:
    """Clock, network and audit."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.rng = random.Random(seed)
        self.faults = faults
        self.now_ms = 0
        self.nodes: list[Actor] = []
        self.blocked: set[tuple[int, int]] = set()
        """Directed pairs whose messages vanish while the session seems to stand (half-deaf, C36)."""
        self.cut: set[tuple[int, int]] = set()
        """Ordered pairs (low, high) without a session."""
        self.committed: dict[int, Hash] = {}
        self.commit_times: dict[int, int] = {}
        self.signed: dict[int, dict[tuple[int, int, int], Hash]] = {}
        self.marks: dict[int, tuple[int, int, int]] = {}
        self.does_audit_signatures = True
        self.steps = 0
        self.sent = 0
        self._queue: list[tuple[int, int, int, Callable[[], None]]] = []
        self._sequence = 0

    def chance(self, thousandths: int) -> bool:
        return thousandths > 0 and self.rng.randrange(1000) < thousandths

    def wall_ms(self, skew_ms: int) -> int:
        return EPOCH_MS + self.now_ms + skew_ms

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._sequence += 1
        due = self.now_ms + max(delay_ms, 0)
        heapq.heappush(self._queue, (due, self.rng.randrange(1 << 30), self._sequence, action))

    def start_timer(self, duration_ms: int, expire: Callable[[], None]) -> None:
        """Run a timer of a node; a directed schedule lets them run out by hand."""
        self.after(duration_ms, expire)

    def run_until(self, time_ms: int, is_done: Callable[[], bool] | None = None) -> bool:
        """Run to a time, or until something holds; return whether it does."""
        while self._queue and self._queue[0][0] <= time_ms:
            if is_done is not None and is_done():
                return True
            self.now_ms, _, _, action = heapq.heappop(self._queue)
            self.steps += 1
            action()
        self.now_ms = max(self.now_ms, time_ms)
        return is_done is not None and is_done()

    def is_linked(self, a: int, b: int) -> bool:
        """Whether the two have a session."""
        pair = (min(a, b), max(a, b))
        return a != b and pair not in self.cut and self.nodes[a].is_alive and self.nodes[b].is_alive

    def is_reachable(self, a: int, b: int) -> bool:
        """Whether a request of a to b would be answered."""
        return self.is_linked(a, b) and (a, b) not in self.blocked and (b, a) not in self.blocked

    def send(self, source: int, to: int | None, message: Message) -> None:
        targets = range(len(self.nodes)) if to is None else (to,)
        for target in targets:
            if target == source or not self.is_linked(source, target):
                continue
            self.sent += 1
            copies = 2 if self.chance(self.faults.repeat) else 1
            for _ in range(copies):
                if (source, target) not in self.blocked and not self.chance(self.faults.loss):
                    self._deliver(source, target, message)

    def set_link(self, a: int, b: int, *, is_up: bool) -> None:
        """Cut or mend one session; both ends notice."""
        pair = (min(a, b), max(a, b))
        if is_up:
            self.cut.discard(pair)
        else:
            self.cut.add(pair)
        for one, other in (pair, pair[::-1]):
            self._notice(one, other)

    def announce(self, index: int) -> None:
        """Let everybody notice that a node came or went."""
        for other in range(len(self.nodes)):
            if other != index:
                self._notice(other, index)
                self._notice(index, other)

    def audit_signed(self, index: int, message: OwnMessage) -> None:
        """An honest key signs once per position, and only upwards: height and view never fall (P2,
        consensus 7)."""
        if not self.does_audit_signatures:
            return
        position = get_position(message)
        digest = compute_digest(message, CHAIN_ID)
        signed = self.signed.setdefault(index, {})
        if signed.setdefault(position, digest) != digest:
            raise AssertionError(f"node {index} signed two messages at {position}")
        mark = self.marks.get(index, (-1, -1, -1))
        if position < mark or position[1] < mark[1]:
            raise AssertionError(f"node {index} signed {position} below its mark {mark}")
        self.marks[index] = position

    def audit_committed(self, index: int, height: int, block_hash: Hash) -> None:
        """Nobody honest commits another block than anybody honest."""
        if self.committed.setdefault(height, block_hash) != block_hash:
            raise AssertionError(f"fork: node {index} commits another block at height {height}")
        self.commit_times.setdefault(height, self.now_ms)

    def _deliver(self, source: int, target: int, message: Message) -> None:
        if self.rng.randrange(16) == 0:  # the wire format is part of the world
            message = decode_message(get_kind(message), encode_message(message))
        delay = self.rng.randint(1, max(self.faults.delay_ms_max, 1))

        def arrive() -> None:
            if self.is_linked(source, target):
                self.nodes[target].receive(source, message)

        self.after(delay, arrive)

    def _notice(self, one: int, other: int) -> None:
        def tell() -> None:
            if self.nodes[one].is_alive:
                self.nodes[one].on_link(other, is_up=self.is_linked(one, other))

        self.after(self.rng.randint(1, 30), tell)
