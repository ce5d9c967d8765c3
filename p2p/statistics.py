"""Statistics: snapshots of a mesh for metrics and status pages."""

from dataclasses import dataclass

from p2p.frames import Lane
from p2p.peers import Peer, PeerLane


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
    """Number of the peer in this node's table (`PeerEntry.index`)."""
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


@dataclass(frozen=True, slots=True)
class MeshStatistics:
    """Show a mesh at one moment; counts since its start."""

    peers: tuple[PeerStatistics, ...]
    """By number."""
    accepted: int
    """Connections accepted."""
    evicted: int
    """Accepted connections cut because too many were without a handshake."""
    pending: int
    """Accepted connections without a complete handshake now."""
    ended: dict[str, int]
    """Connections ended, by the code of the cause (`p2p.errors`)."""
    refused: dict[str, int]
    """Connections refused by either side, by reason in lower case."""


def get_peer_statistics(peer: Peer, now_s: float) -> PeerStatistics:
    """Return a snapshot; `now_s` is the loop's time."""
    link = peer.lanes[Lane.VOTES].link
    hello = None if link is None else link.peer_hello
    return PeerStatistics(
        index=peer.entry.index,
        is_up=peer.is_up,
        boot_id=None if hello is None else hello.boot_id,
        software=None if hello is None else hello.software,
        wire_version=None if link is None else link.wire_version,
        votes=_get_lane_statistics(peer.lanes[Lane.VOTES], now_s),
        bulk=_get_lane_statistics(peer.lanes[Lane.BULK], now_s),
    )


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
