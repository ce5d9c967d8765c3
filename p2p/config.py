"""Configuration of a mesh: local values, validated before anything is opened."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from p2p.errors import ConfigurationError
from p2p.frames import FrameTable, Lane
from p2p.handshake import BOOT_ID_BYTES, CHAIN_ID_BYTES, INDEX_MAX, SOFTWARE_BYTES_MAX, VERSION_MAX, Hello
from p2p.tls import PIN_BYTES

PORT_MAX = 0xFFFF
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PeerEntry:
    """Name a peer and how to reach it; the peer table is a sequence of these."""

    index: int
    """Number that this node gives to it, 0..65535; each once in a table. It is nobody else's business, and stays
    the same while others come and go: identity is the pin alone."""
    pin: bytes
    """SHA-256 of the SubjectPublicKeyInfo of its TLS certificate, 32 bytes; each once in a table."""
    host: str
    """Address or DNS name that it listens on."""
    port: int
    """TCP port that it listens on."""


@dataclass(frozen=True, slots=True)
class MeshLimits:
    """Bound everything that others can make grow or wait. All values are positive."""

    votes_outbox_frames_max: int = 8_192
    """Frames that wait for one peer on the lane VOTES; beyond it the newest is dropped and counted."""
    votes_outbox_bytes_max: int = 4 * _MIB
    """The same in bytes."""
    bulk_outbox_frames_max: int = 16_384
    """Frames that wait for one peer on the lane BULK; beyond it the newest is dropped and counted."""
    bulk_outbox_bytes_max: int = 8 * _MIB
    """The same in bytes."""
    inbound_bytes_max: int = 4 * _MIB
    """Cost of frames of one peer and lane delivered and not yet released; beyond it that lane is not read."""
    pending_max: int = 64
    """Accepted connections without a complete handshake; one more evicts the oldest of the busiest
    address."""
    pending_per_address_max: int = 32
    """The same from one source address; one more evicts the oldest of that address."""
    handshake_ms: int = 5_000
    """Time for TLS and HELLO together (pitfalls A9: at most 5 s), and before them for the TCP connect."""
    reconnect_ms_min: int = 50
    """First pause before dialling again."""
    reconnect_ms_max: int = 2_000
    """Longest pause before dialling again; the pause doubles and is then shortened by up to half at
    random."""
    stable_ms: int = 2_000
    """A connection that lasted this long makes the next pause the first again."""
    ping_ms: int = 1_000
    """Interval of PING on each connection."""
    silent_pings_max: int = 10
    """Intervals without a single byte from the peer after which a connection is given up."""
    shutdown_ms: int = 1_000
    """Time for an orderly end of a connection before it is cut."""


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Describe this node to its peers and say where it listens."""

    chain_id: bytes
    """SHA-256 of the canonical genesis, 32 bytes."""
    index: int
    """Own validator index when the process started, 0..65535; told to others for their logs, and not believed."""
    boot_id: bytes
    """16 random bytes, new at each start of the process."""
    software: str
    """Name and version for people, at most 64 bytes of UTF-8."""
    listen_host: str
    """Address to listen on."""
    listen_port: int
    """TCP port to listen on; 0 takes a free one (`Mesh.port` tells which)."""
    certificate_path: Path
    """Own certificate, PEM, issued as `p2p.tls` says."""
    private_key_path: Path
    """Its private key, PEM, unencrypted."""
    wire_version_min: int = 1
    """Lowest wire version spoken."""
    wire_version_max: int = 1
    """Highest wire version spoken."""
    limits: MeshLimits = field(default_factory=MeshLimits)
    """Bounds, the defaults fit up to some dozens of validators."""

    def build_hello(self, lane: Lane) -> Hello:
        """Return how this node introduces itself on a connection of the lane."""
        return Hello(
            chain_id=self.chain_id,
            version_min=self.wire_version_min,
            version_max=self.wire_version_max,
            lane=lane,
            index=self.index,
            boot_id=self.boot_id,
            software=self.software,
        )


def validate_config(config: MeshConfig, table: FrameTable) -> None:
    """Raise ConfigurationError, naming the field, where a value cannot work."""
    _require(len(config.chain_id) == CHAIN_ID_BYTES, "chain_id", f"must have {CHAIN_ID_BYTES} bytes")
    _require(len(config.boot_id) == BOOT_ID_BYTES, "boot_id", f"must have {BOOT_ID_BYTES} bytes")
    _require(0 <= config.index <= INDEX_MAX, "index", f"must be in 0..{INDEX_MAX}")
    _require(
        len(config.software.encode()) <= SOFTWARE_BYTES_MAX,
        "software",
        f"has more than {SOFTWARE_BYTES_MAX} bytes",
    )
    _require(
        0 <= config.wire_version_min <= config.wire_version_max <= VERSION_MAX,
        "wire_version_max",
        f"must be in wire_version_min..{VERSION_MAX}",
    )
    limits = config.limits
    for limit in fields(limits):
        _require(getattr(limits, limit.name) > 0, f"limits.{limit.name}", "must be positive")
    _require(limits.handshake_ms <= 5_000, "limits.handshake_ms", "must be at most 5000 (pitfalls A9)")
    for lane, bytes_max in (
        (Lane.VOTES, limits.votes_outbox_bytes_max),
        (Lane.BULK, limits.bulk_outbox_bytes_max),
    ):
        frame_bytes_max = table.compute_frame_bytes_max(lane)
        name = f"limits.{lane.name.lower()}_outbox_bytes_max"
        _require(bytes_max >= frame_bytes_max, name, f"must hold the largest frame, {frame_bytes_max} bytes")


def validate_peers(peers: dict[int, PeerEntry], *, count: int) -> None:
    """Raise ConfigurationError where a peer table contradicts itself.

    `count` is the number of entries before they were indexed.
    """
    _require(len(peers) == count, "peers.index", "is used twice")
    _require(len({entry.pin for entry in peers.values()}) == count, "peers.pin", "is used twice")
    for entry in peers.values():
        _require(0 <= entry.index <= INDEX_MAX, "peers.index", f"{entry.index} is not in 0..{INDEX_MAX}")
        _require(len(entry.pin) == PIN_BYTES, "peers.pin", f"of {entry.index} must have {PIN_BYTES} bytes")
        _require(1 <= entry.port <= PORT_MAX, "peers.port", f"of {entry.index} must be in 1..{PORT_MAX}")


def _require(is_met: bool, name: str, detail: str) -> None:
    if not is_met:
        raise ConfigurationError(field=name, detail=detail)
