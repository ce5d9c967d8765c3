"""Mesh: connections to all peers of the table, two for each (`Lane`), and nothing else.

Between two nodes the one with the smaller pin dials; pins do not depend on anybody's present peer
table, so both sides agree even while one of them has not yet heard of a change. What is in a frame is not
known here.

All methods must be called in the event loop that `start` ran in. Events come synchronously, also out of
`set_peers`, which must not be called out of an event itself; after `close` has begun there are none. The
tasks (one for each lane that is dialled, one for PING) belong to the TaskGroup given to `start`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from p2p.config import MeshConfig, PeerEntry, validate_config, validate_peers
from p2p.errors import (
    HandshakeRefusedError,
    LinkDroppedError,
    LinkLostError,
    LinkReplacedError,
    RefusalReason,
)
from p2p.events import ConnectionRefused, Event, EventHandler, FrameReceived, PeerDown, PeerUp
from p2p.frames import FrameKind, FrameTable, Lane, encode_frame
from p2p.handshake import Hello, validate_hello
from p2p.link import Link
from p2p.listener import Listener
from p2p.outbox import Outbox
from p2p.peers import Peer, PeerLane
from p2p.statistics import MeshStatistics, get_peer_statistics
from p2p.tls import build_client_context, build_server_context, load_pin

FRAME_COST_BYTES = 128
"""Added to each payload held by the composer: a small frame must not become a large heap (pitfalls A11)."""


class Mesh:
    """Keep connections to all of the peer table, carry frames, and tell what happens."""

    def __init__(
        self,
        config: MeshConfig,
        kinds: Sequence[FrameKind],
        peers: Sequence[PeerEntry],
        on_event: EventHandler,
    ) -> None:
        """Check everything and open nothing.

        `peers` may hold this node's own entry, known by its pin. Raises ConfigurationError, naming the field,
        and OSError where a certificate file cannot be read.
        """
        self._config = config
        self._limits = config.limits
        self._table = FrameTable(kinds)
        validate_config(config, self._table)
        self._own_pin = load_pin(config.certificate_path)
        paths = (config.certificate_path, config.private_key_path)
        self._server_context = build_server_context(certificate_path=paths[0], private_key_path=paths[1])
        self._client_context = build_client_context(certificate_path=paths[0], private_key_path=paths[1])
        self._on_event = on_event
        self._listener = Listener(
            self._build_accepted_link,
            pending_max=self._limits.pending_max,
            pending_per_address_max=self._limits.pending_per_address_max,
        )
        self._peers: dict[int, Peer] = {}
        self._peers_by_pin: dict[bytes, Peer] = {}
        self._links: dict[Link, None] = {}
        """Every connection whose transport is not released."""
        self._flush_due: tuple[list[Link], list[Link]] = ([], [])
        """By lane."""
        self._ended: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._tasks: asyncio.TaskGroup | None = None
        self._ping_task: asyncio.Task[None] | None = None
        self._is_closing = False
        self.port = config.listen_port
        """TCP port listened on; from `start` on the real one."""
        self.set_peers(peers)

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Listen, and begin to dial; the tasks are put into the group. Raises OSError where listening
        fails."""
        self._loop = asyncio.get_running_loop()
        self.port = await self._listener.open(self._config.listen_host, self._config.listen_port)
        self._tasks = tasks
        self._ping_task = tasks.create_task(self._ping_all(), name="p2p ping")
        for peer in self._peers.values():
            self._start_dialling(peer)

    async def close(self) -> None:
        """End all connections and tasks; returns when none is left, after `shutdown_ms` at most or little
        more."""
        self._is_closing = True
        self._listener.close()
        tasks = [task for peer in self._peers.values() for lane in peer.lanes if (task := lane.dial_task)]
        if self._ping_task is not None:
            tasks.append(self._ping_task)
        for task in tasks:
            task.cancel()
        links = list(self._links)
        for link in links:
            link.finish(LinkDroppedError("this node closes"), is_orderly=True)
        for link in links:
            await link.closed.wait()
        if tasks:
            await asyncio.wait(tasks)

    def set_peers(self, peers: Sequence[PeerEntry]) -> None:
        """Replace the peer table; connections to peers with unchanged index and pin stay.

        An entry with this node's own pin is passed over. A changed address alone is used for the next dialling.
        Raises ConfigurationError, changing nothing, where the table contradicts itself.
        """
        entries = {entry.index: entry for entry in peers}
        validate_peers(entries, count=len(peers))
        entries = {index: entry for index, entry in entries.items() if entry.pin != self._own_pin}
        before, self._peers = self._peers, {}
        added = []
        for index, entry in sorted(entries.items()):
            peer = before.get(index)
            if peer is not None and peer.entry.pin == entry.pin:
                del before[index]
                peer.entry = entry
            else:
                peer = Peer(entry)
                added.append(peer)
            self._peers[index] = peer
        for removed in before.values():
            self._drop_peer(removed)
        self._peers_by_pin = {peer.entry.pin: peer for peer in self._peers.values()}
        for peer in added:
            self._start_dialling(peer)

    # --- frames ---------------------------------------------------------------------------------------------

    def send(self, index: int, kind: int, payload: bytes) -> bool:
        """Queue a frame for one peer, never waiting; return whether it was queued.

        False: unknown number, lane not connected, or its outbox full (counted; the newest frame is the one
        dropped). True does not mean that it will arrive: nothing may rely on that (consensus E8). Raises
        KeyError for an unknown kind and ValueError for a payload beyond its limit (caller's fault).
        """
        frame, lane = self._encode(kind, payload)
        peer = self._peers.get(index)
        link = None if peer is None else peer.lanes[lane].link
        return link is not None and link.send(frame)

    def broadcast(self, kind: int, payload: bytes) -> int:
        """Queue a frame for every peer, encoded once; return for how many. Raises as `send`
        does."""
        frame, lane = self._encode(kind, payload)
        count = 0
        for peer in self._peers.values():
            link = peer.lanes[lane].link
            if link is not None and link.send(frame):
                count += 1
        return count

    def release(self, event: FrameReceived) -> None:
        """Give a received frame back, once it needs no memory here any more.

        Must be called once for every FrameReceived; a lane whose unreleased frames cost more than
        `inbound_bytes_max` is not read until half of that is released.
        """
        peer = self._peers.get(event.index)
        if peer is None:
            return
        lane = peer.lanes[self._table.get_kind(event.kind).lane]
        # Not below zero: the frame may be from before the peer left the table and came back.
        lane.held_bytes = max(0, lane.held_bytes - len(event.payload) - FRAME_COST_BYTES)
        if lane.link is not None and 2 * lane.held_bytes <= self._limits.inbound_bytes_max:
            lane.link.resume()

    def flush(self) -> None:
        """Write everything queued, votes first; it happens by itself before the loop next waits."""
        for due in self._flush_due:
            if due:
                links = due.copy()
                due.clear()
                for link in links:
                    link.flush()

    def get_statistics(self) -> MeshStatistics:
        """Return a snapshot of all counters."""
        now_s = asyncio.get_running_loop().time()
        return MeshStatistics(
            peers=tuple(get_peer_statistics(peer, now_s) for peer in self._peers.values()),
            accepted=self._listener.accepted,
            evicted=self._listener.evicted,
            pending=self._listener.pending,
            ended=dict(self._ended),
            refused=dict(self._refused),
        )

    # --- what links tell (LinkOwner) ------------------------------------------------------------------------

    def on_connected(self, link: Link) -> None:
        """Bound the accepted connections that have no handshake yet."""
        if self._is_closing:
            link.finish(LinkDroppedError("this node closes"))
        elif link.dialled is None:
            self._listener.on_accepted(link)

    def on_open(self, link: Link) -> None:
        """Compare the key with the peer table; the dialling side then introduces itself."""
        if link.dialled is None:
            peer = self._peers_by_pin.get(link.pin)
            if peer is None:
                raise _refuse(
                    RefusalReason.UNKNOWN_KEY, f"unknown key: the pin of your certificate is {link.pin.hex()}"
                )
            if self._own_pin < link.pin:
                raise _refuse(RefusalReason.WRONG_DIRECTION, "wrong direction: of us two, I dial")
            return
        index, lane = link.dialled
        peer = self._peers.get(index)
        if peer is None or peer.entry.pin != link.pin:
            text = f"unknown key: {link.address} answered with a certificate of pin {link.pin.hex()}"
            raise _refuse(RefusalReason.UNKNOWN_KEY, text)
        link.send_hello(self._config.build_hello(lane))

    def on_hello(self, link: Link, hello: Hello) -> None:
        """Compare chain, versions and lane; the accepting side then introduces itself."""
        peer = self._peers_by_pin.get(link.pin)
        if peer is None:
            raise _refuse(RefusalReason.UNKNOWN_KEY, "unknown key: you left the peer table")
        if link.dialled is not None:
            lane = link.dialled[1]
        else:
            lane = Lane(hello.lane) if hello.lane in tuple(Lane) else Lane.VOTES
        mine = self._config.build_hello(lane)
        version = validate_hello(mine=mine, theirs=hello)
        if link.dialled is None:
            link.send_hello(mine)
            self._listener.on_settled(link)
        self._attach(peer, link, hello=hello, wire_version=version)

    def on_frame(self, link: Link, kind: int, payload: bytes) -> None:
        """Hand a frame to the composer and count what it holds."""
        peer = self._peers_by_pin[link.pin]
        lane = peer.lanes[self._table.get_kind(kind).lane]
        lane.held_bytes += len(payload) + FRAME_COST_BYTES
        if lane.held_bytes > self._limits.inbound_bytes_max:
            link.pause()
        self._emit(FrameReceived(peer.entry.index, kind, payload))

    def on_flush_due(self, link: Link) -> None:
        """Write once for all frames queued in one turn of the loop."""
        if not self._flush_due[0] and not self._flush_due[1]:
            self._loop.call_soon(self.flush)
        if link.lane is not None:
            self._flush_due[link.lane].append(link)

    def on_finished(self, link: Link) -> None:
        """Count the cause; say PeerDown or ConnectionRefused."""
        error = link.error
        if error is None:
            return
        self._ended[error.code] += 1
        peer = self._peers_by_pin.get(link.pin)
        index = link.dialled[0] if link.dialled is not None else None if peer is None else peer.entry.index
        if link.dialled is not None and (dialled := self._peers.get(link.dialled[0])) is not None:
            dialled.lanes[link.dialled[1]].last_error = str(error)
        if isinstance(error, HandshakeRefusedError):
            self._refused[error.reason.name.lower()] += 1
            self._emit(ConnectionRefused(link.address, index, error.reason, error.text, error.is_by_peer))
        if peer is not None and link.lane is not None and peer.lanes[link.lane].link is link:
            peer.lanes[link.lane].link = None
            peer.lanes[link.lane].last_error = str(error)
            self._refresh(peer, str(error))

    def on_gone(self, link: Link) -> None:
        """Forget a connection whose transport is released."""
        self._links.pop(link, None)
        self._listener.on_settled(link)

    # --- the rest -------------------------------------------------------------------------------------------

    def _encode(self, number: int, payload: bytes) -> tuple[bytes, Lane]:
        kind = self._table.get_kind(number)
        if len(payload) > kind.bytes_max:
            raise ValueError(f"frame {kind.name}: {len(payload)} bytes, permitted are {kind.bytes_max}")
        return encode_frame(number, payload), kind.lane

    def _build_link(self, dialled: tuple[int, Lane] | None) -> Link:
        link = Link(
            self,
            self._server_context if dialled is None else self._client_context,
            handshake_ms=self._limits.handshake_ms,
            shutdown_ms=self._limits.shutdown_ms,
            dialled=dialled,
        )
        self._links[link] = None
        return link

    def _build_accepted_link(self) -> Link:
        return self._build_link(None)

    def _build_outbox(self, lane: Lane) -> Outbox:
        limits = self._limits
        if lane is Lane.VOTES:
            return Outbox(frames_max=limits.votes_outbox_frames_max, bytes_max=limits.votes_outbox_bytes_max)
        return Outbox(frames_max=limits.bulk_outbox_frames_max, bytes_max=limits.bulk_outbox_bytes_max)

    def _attach(self, peer: Peer, link: Link, *, hello: Hello, wire_version: int) -> None:
        own, other = (peer.lanes[hello.lane], peer.lanes[1 - hello.lane])
        # The newest connection is the true one: an older one is a leftover of a lost network or a dead
        # process, and so is the other lane where it leads to a process that introduced itself differently.
        if own.link is not None:
            own.link.finish(LinkReplacedError())
        if other.link is not None and other.link.peer_hello != replace(hello, lane=other.lane):
            other.link.finish(LinkReplacedError())
        own.link = link
        own.up_at = self._loop.time()
        own.counters.connects += 1
        own.counters.frames_in += link.counters.frames_in
        own.counters.bytes_in += link.counters.bytes_in
        link.counters = own.counters
        link.establish(
            hello=hello,
            wire_version=wire_version,
            lane=own.lane,
            limits=self._table.get_limits(own.lane),
            outbox=self._build_outbox(own.lane),
        )
        if own.held_bytes > self._limits.inbound_bytes_max:
            link.pause()
        self._refresh(peer, "")

    def _refresh(self, peer: Peer, cause: str) -> None:
        votes, bulk = peer.lanes[Lane.VOTES].link, peer.lanes[Lane.BULK].link
        is_up = votes is not None and bulk is not None
        if is_up == peer.is_up:
            return
        peer.is_up = is_up
        if not is_up:
            self._emit(PeerDown(peer.entry.index, cause))
        elif votes is not None and votes.peer_hello is not None and votes.wire_version is not None:
            hello = votes.peer_hello
            self._emit(PeerUp(peer.entry.index, hello.boot_id, votes.wire_version, hello.software))

    def _emit(self, event: Event) -> None:
        if not self._is_closing:
            self._on_event(event)

    def _drop_peer(self, peer: Peer) -> None:
        for lane in peer.lanes:
            if lane.dial_task is not None:
                lane.dial_task.cancel()
        for link in list(self._links):
            if link.pin == peer.entry.pin or (link.dialled is not None and link.dialled[0] == peer.entry.index):
                link.finish(LinkDroppedError("it left the peer table"), is_orderly=True)

    def _start_dialling(self, peer: Peer) -> None:
        if self._tasks is None or self._is_closing or self._own_pin > peer.entry.pin:
            return
        for lane in peer.lanes:
            name = f"p2p dial {peer.entry.index} {lane.lane.name}"
            lane.dial_task = self._tasks.create_task(self._dial(peer, lane), name=name)

    async def _dial(self, peer: Peer, lane: PeerLane) -> None:
        # Keeps one lane connected, until cancelled.
        limits = self._limits
        pause_ms = limits.reconnect_ms_min
        while True:
            connects = lane.counters.connects
            link = self._build_link((peer.entry.index, lane.lane))
            began_at = self._loop.time()
            is_opened = False
            try:
                async with asyncio.timeout(limits.handshake_ms / 1000):
                    await self._loop.create_connection(partial(_get_same, link), peer.entry.host, peer.entry.port)
                is_opened = True
                began_at = self._loop.time()
                await link.closed.wait()
            except (OSError, ValueError) as error:
                # ValueError: a host that cannot even be asked for. The chain may hold one; it must stop
                # nothing.
                where = f"{peer.entry.host}:{peer.entry.port}"
                link.finish(LinkLostError(f"cannot connect to {where}: {str(error) or 'no answer'}"))
            finally:
                link.finish(LinkDroppedError("dialling ended"))
                if not is_opened:
                    # uvloop does not tell a protocol that the opening of its connection was cancelled.
                    link.release()
            lasted_ms = (self._loop.time() - began_at) * 1000
            if lane.counters.connects > connects and lasted_ms >= limits.stable_ms:
                pause_ms = limits.reconnect_ms_min
            await asyncio.sleep(random.uniform(pause_ms / 2, pause_ms) / 1000)
            pause_ms = min(2 * pause_ms, limits.reconnect_ms_max)

    async def _ping_all(self) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_ms / 1000)
            for peer in self._peers.values():
                for lane in peer.lanes:
                    if lane.link is not None:
                        lane.link.on_ping_due(self._limits.silent_pings_max)


def _get_same(link: Link) -> Link:
    return link


def _refuse(reason: RefusalReason, text: str) -> HandshakeRefusedError:
    return HandshakeRefusedError(reason=reason, text=text, is_by_peer=False)
