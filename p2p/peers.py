"""What is known of each peer: its table entry, its two lanes, its counters."""

import asyncio

from p2p.config import PeerEntry
from p2p.counters import LinkCounters
from p2p.frames import Lane
from p2p.link import Link


class PeerLane:
    """Hold one lane to one peer across its connections."""

    __slots__ = ("counters", "dial_task", "held_bytes", "lane", "last_error", "link", "up_at")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.link: Link | None = None
        """The established connection."""
        self.up_at = 0.0
        """Loop time in seconds at which `link` was established."""
        self.held_bytes = 0
        """Cost of frames delivered and not yet released. It outlives a connection: else reconnecting
        refills it."""
        self.counters = LinkCounters()
        self.last_error = ""
        self.dial_task: asyncio.Task[None] | None = None


class Peer:
    """Hold one entry of the table, never this node's own."""

    __slots__ = ("entry", "is_up", "lanes")

    def __init__(self, entry: PeerEntry) -> None:
        self.entry = entry
        self.lanes = (PeerLane(Lane.VOTES), PeerLane(Lane.BULK))
        """By `Lane`."""
        self.is_up = False
        """Whether PeerUp was the last thing said of it."""
