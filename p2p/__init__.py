"""The network layer: frames between known peers over pinned TLS 1.3 (design 5).

It carries opaque payloads and knows neither consensus nor contract. A composer gives it a table of frame
kinds and a table of peers, and gets events; `p2p.mesh` is the place to begin. Only asyncio, ssl and what
they stand on are used.
"""

from p2p.config import MeshConfig, MeshLimits, PeerEntry
from p2p.errors import ConfigurationError, RefusalReason
from p2p.events import ConnectionRefused, Event, EventHandler, FrameReceived, PeerDown, PeerUp
from p2p.frames import FrameKind, Lane
from p2p.mesh import Mesh
from p2p.statistics import LaneStatistics, MeshStatistics, PeerStatistics
from p2p.tls import ANCHOR_NAME, ANCHOR_SEED, build_server_context, compute_pin, load_pin

__all__ = [
    "ANCHOR_NAME",
    "ANCHOR_SEED",
    "ConfigurationError",
    "ConnectionRefused",
    "Event",
    "EventHandler",
    "FrameKind",
    "FrameReceived",
    "Lane",
    "LaneStatistics",
    "Mesh",
    "MeshConfig",
    "MeshLimits",
    "MeshStatistics",
    "PeerDown",
    "PeerEntry",
    "PeerStatistics",
    "PeerUp",
    "RefusalReason",
    "build_server_context",
    "compute_pin",
    "load_pin",
]
