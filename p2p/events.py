"""What a mesh tells its composer: one event at a time, through one synchronous callback."""

from collections.abc import Callable
from dataclasses import dataclass

from p2p.errors import RefusalReason


@dataclass(frozen=True, slots=True)
class PeerUp:
    """Say that both lanes to a peer are open, to one process of it."""

    index: int
    """Number of the peer in this node's table (`PeerEntry.index`), by its pinned key."""
    boot_id: bytes
    """16 bytes, new at each start of the peer's process."""
    wire_version: int
    """Version agreed upon."""
    software: str
    """What the peer calls itself; printable."""


@dataclass(frozen=True, slots=True)
class PeerDown:
    """Say that a lane to a peer is gone after PeerUp; the other lane may still carry frames."""

    index: int
    """Number of the peer in this node's table (`PeerEntry.index`)."""
    cause: str
    """Why, for people."""


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """Hand over one frame; the receiver gives it back by `Mesh.release` when it is done with it.

    The lanes are independent: a frame may arrive before PeerUp and after PeerDown.
    """

    index: int
    """Number of the sender in this node's table, by its pinned key."""
    kind: int
    """Number of its FrameKind."""
    payload: bytes
    """At most FrameKind.bytes_max; otherwise unchecked."""


@dataclass(frozen=True, slots=True)
class ConnectionRefused:
    """Say that this node or the other side refused a connection in the handshake.

    Strangers can cause these at will: whoever logs them should limit their rate.
    """

    address: str
    """host:port of the other side."""
    index: int | None
    """Its number in this node's table where its key is known or it was dialled, else None."""
    reason: RefusalReason
    """Why."""
    text: str
    """The same for people, printable."""
    is_by_peer: bool
    """Whether the other side refused; otherwise this node did."""


Event = PeerUp | PeerDown | FrameReceived | ConnectionRefused
EventHandler = Callable[[Event], None]
"""Called in the event loop, must return quickly and must not raise (an exception goes to the loop's
handler)."""
