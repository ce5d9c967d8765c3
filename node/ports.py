"""What the runtime needs of its surroundings: clock, signer, network, fetcher, observer."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from chain.execution import Executed
from chain.mempool import Waiting
from consensus.effects import Fault, PersistRecord
from consensus.messages import OwnMessage
from p2p.config import PeerEntry
from p2p.events import FrameReceived


class Clock(Protocol):
    """Wall and monotonic time."""

    def wall_ms(self) -> int:
        """Return milliseconds since 1970."""

    def now_ms(self) -> int:
        """Return monotonic milliseconds."""


class Signer(Protocol):
    """Guard and journal together: makes own messages durable before they may be sent."""

    def persist(self, records: tuple[PersistRecord, ...]) -> list[OwnMessage]:
        """Sign, journal and sync; return the signed messages in order. Raises on a refusal or a failed disk."""

    def keep_quarantine(self, reason: str) -> None:
        """Make it durable that nothing may be signed."""

    def drop_below(self, height: int) -> None:
        """Drop journal records of heights up to and including this one: their batch is durable."""


class Network(Protocol):
    """What the runtime sends through."""

    def send(self, index: int, kind: int, payload: bytes) -> bool:
        """Queue a frame for a peer."""

    def broadcast(self, kind: int, payload: bytes) -> int:
        """Queue a frame for all peers; return for how many."""


class PeerNetwork(Network, Protocol):
    """The whole network layer, as the composer needs it."""

    def release(self, event: FrameReceived) -> None:
        """Give a received frame back, once it needs no memory here any more."""

    def set_peers(self, peers: Sequence[PeerEntry]) -> None:
        """Replace the peer table; not to be called out of an event."""

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Listen, and begin to dial."""

    async def close(self) -> None:
        """End all connections and tasks."""


class Fetcher(Protocol):
    """Asks peers for what is missing."""

    def want_bodies(self, tx_ids: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        """Ask for bodies."""

    def want_blobs(self, hashes: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        """Ask for blobs."""

    def want_content(self, block_hash: bytes, holders: tuple[int, ...]) -> None:
        """Ask for a block's content by its hash, until the height moves."""

    def catch_up(self, height: int, peer: int) -> None:
        """Fetch committed blocks from a peer."""


class Observer(Protocol):
    """Told of what happened, for metrics, waiting clients and logs."""

    def collect_blobs(self, executed: Executed) -> list[bytes]:
        """Return the held blobs that the block's transactions name: they are written with it."""

    def on_peers_changed(self) -> None:
        """The committed state lets others connect than before."""

    def on_committed(
        self, executed: Executed, *, removed: list[Waiting], expired: list[Waiting], write_seconds: float
    ) -> None:
        """A block is durable; `removed` were in it and in the pool, `expired` left the pool with it."""

    def on_fault(self, fault: Fault) -> None:
        """The core noticed something."""

    def on_failure(self, error: Exception) -> None:
        """A step failed; the node stops."""
