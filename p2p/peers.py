"""What is known of each peer: its table entry, its two lanes, its counters."""

import asyncio
from dataclasses import dataclass

from p2p.config import PeerEntry
from p2p.frames import Lane
from p2p.link import Link, LinkCounters


class PeerLane:
    """Hold one lane to one peer across its connections."""

    __slots__ = ("counters", "dial_task", "held_bytes", "last_error", "lane", "link", "up_at")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.link: Link | None = None
        """The established connection."""
        self.up_at = 0.0
        """Loop time in seconds at which `link` was established."""
        self.held_bytes = 0
        """Cost of frames delivered and not yet released. It outlives a connection: else reconnecting refills it."""
        self.counters = LinkCounters()
        self.last_error = ""
        self.dial_task: asyncio.Task[None] | None = None


class Peer:
    """Hold one validator other than this node."""

    __slots__ = ("entry", "is_up", "lanes")

    def __init__(self, entry: PeerEntry) -> None:
        self.entry = entry
        self.lanes = (PeerLane(Lane.VOTES), PeerLane(Lane.BULK))
        """By `Lane`."""
        self.is_up = False
        """Whether PeerUp was the last thing said of it."""

    def get_statistics(self, now_s: float) -> "PeerStatistics":
        """Return a snapshot; `now_s` is the loop's time."""
        link = self.lanes[Lane.VOTES].link
        hello = None if link is None else link.peer_hello
        return PeerStatistics(
            index=self.entry.index,
            is_up=self.is_up,
            boot_id=None if hello is None else hello.boot_id,
            software=None if hello is None else hello.software,
            wire_version=None if link is None else link.wire_version,
            votes=_get_lane_statistics(self.lanes[Lane.VOTES], now_s),
            bulk=_get_lane_statistics(self.lanes[Lane.BULK], now_s),
        )


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """Count what passed on one lane to one peer since the peer entered the table."""

    is_up: bool
    """Whether a connection is established."""
    up_ms: int
    """For how long, 0 where it is not."""
    rtt_us: int | None
    """Round trip of the last PING in microseconds, None before the first."""
    frames_in: int
    """Frames received, PING and PONG included."""
    frames_out: int
    """Frames handed to the operating system or to TLS."""
    bytes_in: int
    """Bytes received inside TLS."""
    bytes_out: int
    """Bytes sent inside TLS."""
    frames_dropped: int
    """Frames refused because the outbox was full, or lost in it when the connection ended."""
    queued_frames: int
    """Frames in the outbox now."""
    queued_bytes: int
    """Bytes in the outbox now."""
    held_bytes: int
    """Cost of frames delivered and not yet released."""
    connects: int
    """Connections established."""
    violations: int
    """Connections closed because the peer broke the frame format."""
    last_error: str
    """Why the last connection ended or could not be made, for people; empty where nothing happened."""


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """Show one peer at one moment."""

    index: int
    """Validator index."""
    is_up: bool
    """Whether both lanes are established to one process."""
    boot_id: bytes | None
    """Of the peer's process, where VOTES is established."""
    software: str | None
    """What it calls itself, likewise."""
    wire_version: int | None
    """Version agreed upon, likewise."""
    votes: LaneStatistics
    """Lane VOTES."""
    bulk: LaneStatistics
    """Lane BULK."""


def _get_lane_statistics(lane: PeerLane, now_s: float) -> LaneStatistics:
    link, counters = lane.link, lane.counters
    return LaneStatistics(
        is_up=link is not None,
        up_ms=0 if link is None else int((now_s - lane.up_at) * 1000),
        rtt_us=None if link is None else link.rtt_us,
        frames_in=counters.frames_in,
        frames_out=counters.frames_out,
        bytes_in=counters.bytes_in,
        bytes_out=counters.bytes_out,
        frames_dropped=counters.frames_dropped,
        queued_frames=0 if link is None else len(link.outbox),
        queued_bytes=0 if link is None else link.outbox.queued_bytes,
        held_bytes=lane.held_bytes,
        connects=counters.connects,
        violations=counters.violations,
        last_error=lane.last_error,
    )
