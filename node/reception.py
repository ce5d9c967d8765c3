"""What comes in from the network goes to the part that it is for; nothing is decided here."""

from collections.abc import Callable
from typing import assert_never

from chain.errors import GongjiError, InvariantViolation, StoreError
from consensus.events import PeerDown as CorePeerDown
from consensus.events import PeerUp as CorePeerUp
from consensus.events import Received
from consensus.messages import Complaint, Kind, Status, decode_message
from node.cosigner import Cosigner
from node.fetching import Fetching
from node.follower import Follower
from node.gossip import Gossip
from node.logs import LogThrottle, get_logger
from node.metrics import NodeMetrics
from node.peers import PeerTable
from node.ports import Clock
from node.runtime import Runtime
from node.wire import CHECKPOINT, CONSENSUS_FIRST, TRANSACTIONS
from p2p import ConnectionRefused, Event, FrameReceived, PeerDown, PeerUp

REFUSED_LOG_MS = 10_000
"""Between two lines about refused connections of one cause: strangers can cause them at will."""


class Reception:
    """The network's event handler."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        follower: Follower,
        gossip: Gossip,
        cosigner: Cosigner,
        fetching: Fetching,
        metrics: NodeMetrics,
        peers: PeerTable,
        clock: Clock,
        release: Callable[[FrameReceived], None],
    ) -> None:
        self._runtime = runtime
        self._follower = follower
        self._gossip = gossip
        self._cosigner = cosigner
        self._fetching = fetching
        self._metrics = metrics
        self._peers = peers
        self._clock = clock
        self._release = release
        self._log = get_logger("node")
        self._throttle = LogThrottle(REFUSED_LOG_MS)

    def on_event(self, event: Event) -> None:
        """Handle one event of the network layer."""
        match event:
            case FrameReceived():
                self._on_frame(event)
            case PeerUp(index=number):
                now, wall = self._runtime.times()
                self._log.info("peer_up", peer=self._peers.get_name(number), software=event.software)
                self._runtime.feed(CorePeerUp(number, now, wall))
                self._follower.on_peer_up(number)
            case PeerDown(index=number):
                now, wall = self._runtime.times()
                self._log.info("peer_down", peer=self._peers.get_name(number), cause=event.cause)
                self._runtime.feed(CorePeerDown(number, now, wall))
                self._follower.on_peer_down(number)
            case ConnectionRefused():
                self._on_refused(event)
            case _:
                assert_never(event)

    def _on_refused(self, event: ConnectionRefused) -> None:
        suppressed = self._throttle.admit(f"refused {event.reason}", self._clock.now_ms())
        if suppressed is not None:
            self._log.warning(
                "connection_refused",
                address=event.address,
                reason=event.text,
                by_peer=event.is_by_peer,
                suppressed=suppressed,
            )

    def _on_frame(self, frame: FrameReceived) -> None:
        if frame.kind == TRANSACTIONS:
            self._gossip.on_batch(frame)
            return
        try:
            if frame.kind < CONSENSUS_FIRST + len(Kind):
                self._on_message(frame)
            elif frame.kind == CHECKPOINT:
                self._cosigner.on_share(frame.index, frame.payload)
            else:
                self._fetching.on_frame(frame.index, frame.kind, frame.payload)
        except GongjiError as error:
            self._metrics.frames_dropped.labels(error.code).inc()
        except (StoreError, InvariantViolation) as error:
            self._follower.on_failure(error)
            self._runtime.halt(f"{type(error).__name__}: {error}")
        finally:
            # The runtime has worked it off by now: events are handled within `feed`, so its queue stays empty.
            self._release(frame)

    def _is_guest(self, number: int) -> bool:
        """Tell whether a peer is no member of the set that votes now."""
        state = self._runtime.state
        return state is not None and self._peers.find_index(number, state.validators) >= state.n

    def _on_message(self, frame: FrameReceived) -> None:
        kind = Kind(frame.kind - CONSENSUS_FIRST)
        if kind is not Kind.STATUS and self._is_guest(frame.index):
            # Nothing else of it would mean anything: it must not cost even the decoding.
            self._metrics.frames_dropped.labels("guest").inc()
            return
        message = decode_message(kind, frame.payload)
        now, wall = self._runtime.times()
        self._runtime.feed(Received(frame.index, message, now, wall))
        if isinstance(message, Complaint):
            self._follower.on_complaint(frame.index, message)
        elif isinstance(message, Status):
            self._follower.on_status(frame.index, message)
