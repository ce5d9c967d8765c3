"""One connection: TLS, the pin, HELLO, then frames both ways.

    state      leaves by
    OPENING    TLS complete -> GREETING; the key is shown to the owner before any plain text is read
    GREETING   HELLO accepted by the owner -> UP (`establish`)
    UP         frames; `finish` or the network ends it
    CLOSED     nothing is read or sent any more

The owner (`LinkOwner`) decides who may connect; this file knows no peer table. Every wait is bounded by a
timer and every queue by a number, so an owner needs no task for a connection.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from enum import Enum
from typing import Protocol, cast

from p2p.counters import LinkCounters
from p2p.errors import (
    FrameError,
    HandshakeRefusedError,
    HandshakeTimeoutError,
    LinkLostError,
    LinkSilentError,
    PeerError,
)
from p2p.frames import (
    GREETING_LIMITS,
    KIND_FIRST,
    KIND_HELLO,
    KIND_PING,
    KIND_PONG,
    KIND_REFUSE,
    FrameDecoder,
    Lane,
    encode_frame,
)
from p2p.handshake import Hello, Refusal, decode_hello, decode_refusal, encode_hello, encode_refusal
from p2p.outbox import Outbox
from p2p.session import TlsSession

WRITE_CHUNK_BYTES = 64 * 1024
"""Frames are joined up to this size for one write."""
WRITE_BUFFER_BYTES_MAX = 128 * 1024
"""Encrypted bytes given to the transport beyond which the outbox waits."""


class LinkState(Enum):
    """Name where a connection stands; see the table above."""

    OPENING = 0
    GREETING = 1
    UP = 2
    CLOSED = 3


class LinkOwner(Protocol):
    """Decide about connections and receive what they bring. Called in the event loop, never re-entered by a
    link."""

    def on_connected(self, link: "Link") -> None:
        """Learn that there is a TCP connection; nothing is known of the other side but `link.host`."""

    def on_open(self, link: "Link") -> None:
        """Judge `link.pin`. Raises HandshakeRefusedError."""

    def on_hello(self, link: "Link", hello: Hello) -> None:
        """Judge the other side's HELLO and `establish` the link. Raises HandshakeRefusedError."""

    def on_frame(self, link: "Link", kind: int, payload: bytes) -> None:
        """Take one frame of an established link."""

    def on_flush_due(self, link: "Link") -> None:
        """Arrange that `link.flush()` is called soon, once."""

    def on_finished(self, link: "Link") -> None:
        """Learn that the link is CLOSED, for `link.error`; said once."""

    def on_gone(self, link: "Link") -> None:
        """Learn that the transport of a CLOSED link is released; said once."""


class Link(asyncio.Protocol):
    """Carry frames between this node and one other over one TLS connection."""

    def __init__(
        self,
        owner: LinkOwner,
        context: ssl.SSLContext,
        *,
        handshake_ms: int,
        shutdown_ms: int,
        dialled: tuple[int, Lane] | None,
    ) -> None:
        """Prepare a connection; `dialled` is the number of the peer and the lane to reach, None on the accepting
        side."""
        self.dialled = dialled
        self.host = ""
        """Numeric address of the other side."""
        self.address = ""
        """host:port of the other side."""
        self.pin = b""
        """Pin of the other side's key, from GREETING on."""
        self.peer_hello: Hello | None = None
        self.wire_version: int | None = None
        self.lane: Lane | None = None
        self.error: PeerError | None = None
        """Why the link is CLOSED."""
        self.state = LinkState.OPENING
        self.rtt_us: int | None = None
        self.counters = LinkCounters()
        self.outbox = Outbox(frames_max=1, bytes_max=1)
        self.closed = asyncio.Event()
        """Set when the transport is released."""
        self._owner = owner
        self._context = context
        self._handshake_ms = handshake_ms
        self._shutdown_ms = shutdown_ms
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._session: TlsSession | None = None
        self._decoder = FrameDecoder(GREETING_LIMITS)
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading = True
        self._is_write_paused = False
        self._is_flush_due = False
        self._silent_pings = 0
        self._ping_number = 0
        self._ping_sent_at: float | None = None

    # --- what the owner calls -------------------------------------------------------------------------------

    def send_hello(self, hello: Hello) -> None:
        """Send HELLO, at once."""
        self._write(encode_frame(KIND_HELLO, encode_hello(hello)))

    def establish(
        self, *, hello: Hello, wire_version: int, lane: Lane, limits: tuple[int, ...], outbox: Outbox
    ) -> None:
        """Make the link UP after a HELLO that fits."""
        self.peer_hello = hello
        self.wire_version = wire_version
        self.lane = lane
        self.outbox = outbox
        self._decoder.limits = limits
        self.state = LinkState.UP
        self._cancel_timer()

    def send(self, frame: bytes) -> bool:
        """Queue an encoded frame; return False, counting it, where the outbox is full or the link is not
        UP."""
        if self.state is not LinkState.UP:
            return False
        if not self.outbox.push(frame):
            self.counters.frames_dropped += 1
            return False
        if not self._is_flush_due and not self._is_write_paused:
            self._is_flush_due = True
            self._owner.on_flush_due(self)
        return True

    def flush(self) -> None:
        """Write what is queued until the transport has enough."""
        self._is_flush_due = False
        while self.outbox and not self._is_write_paused and self.state is LinkState.UP:
            chunk, count = self.outbox.pop_chunk(WRITE_CHUNK_BYTES)
            self.counters.frames_out += count
            self.counters.bytes_out += len(chunk)
            self._write(chunk)

    def pause(self) -> None:
        """Stop taking frames and reading from the network, until `resume`."""
        if self._is_reading and self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take frames again, those first that arrived before `pause`."""
        if not self._is_reading and self._transport is not None and self.state is LinkState.UP:
            self._is_reading = True
            self._transport.resume_reading()
            self._loop.call_soon(self._drain)

    def on_ping_due(self, silent_pings_max: int) -> None:
        """Send a PING, and give the link up where the peer was silent for too many of them."""
        if self._is_reading:
            # Counted in pings, not seconds: after this process itself stood still, one interval has passed,
            # not many.
            self._silent_pings += 1
            if self._silent_pings > silent_pings_max:
                self.finish(LinkSilentError())
                return
        if not self.outbox:
            self._ping_number += 1
            self._ping_sent_at = self._loop.time()
            self.send(encode_frame(KIND_PING, self._ping_number.to_bytes(8)))

    def finish(self, error: PeerError, *, is_orderly: bool = False) -> None:
        """End the connection for the reason given: cut it, or say goodbye and wait a moment for the other
        side."""
        if self.state is LinkState.CLOSED:
            return
        self._close(error)
        transport = self._transport
        if transport is None:
            self.release()
        elif is_orderly and self._session is not None:
            self._session.end()
            self._end_orderly(transport, self._session.take_output())
        else:
            transport.abort()

    def refuse(self, refusal: HandshakeRefusedError) -> None:
        """Send REFUSE with its reason and end the connection."""
        if self.state is LinkState.CLOSED:
            return
        payload = encode_refusal(Refusal(reason=refusal.reason, text=refusal.text))
        self._write(encode_frame(KIND_REFUSE, payload))
        self.finish(refusal, is_orderly=True)

    def cut(self) -> None:
        """Release the transport now, also in the middle of an orderly end."""
        if self._transport is not None:
            self._transport.abort()

    def release(self) -> None:
        """Count a CLOSED link as gone; the event loop has released its transport, or will."""
        if self.closed.is_set():
            return
        self._cancel_timer()
        self._transport = None
        self.closed.set()
        self._owner.on_gone(self)

    # --- what the event loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin TLS (asyncio)."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)
        if self.state is LinkState.CLOSED:
            transport.abort()
            return
        # None where the other side was gone before anybody could ask.
        peername = transport.get_extra_info("peername") or ("unknown", 0)
        self.host = str(peername[0])
        self.address = f"[{self.host}]:{peername[1]}" if ":" in self.host else f"{self.host}:{peername[1]}"
        # asyncio sets it on connections that it opened, not on those that it accepted.
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._timer = self._loop.call_later(self._handshake_ms / 1000, self._on_handshake_timeout)
        self._owner.on_connected(self)
        if self.dialled is not None and not self.closed.is_set():
            self._session = TlsSession(self._context, is_server=False)
            self._session.start()
            transport.write(self._session.take_output())

    def data_received(self, data: bytes) -> None:
        """Decrypt, cut into frames, hand over (asyncio)."""
        if self.state is LinkState.CLOSED:
            return
        self._silent_pings = 0
        session = self._session
        if session is None:
            # Built late, so that a connection that says nothing costs next to nothing.
            session = self._session = TlsSession(self._context, is_server=True)
        try:
            session.feed(data)
            if self.state is LinkState.OPENING and not self._handshake(session):
                return
            text = session.read()
        except PeerError as error:
            self._send_output(session)
            self.finish(error, is_orderly=True)
            return
        self.counters.bytes_in += len(text)
        if text:
            self._decoder.feed(text)
            self._drain()
        if session.is_ended:
            self.finish(LinkLostError("closed by the other side"), is_orderly=True)

    def eof_received(self) -> bool:
        """Treat the end of the stream as the end of the connection (asyncio)."""
        if self.state is not LinkState.CLOSED:
            # Not left to the transport: it would wait for ever for a peer that does not read what is unsent.
            self.finish(LinkLostError("closed by the other side"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what is left (asyncio)."""
        self._close(LinkLostError(f"connection lost: {exc}" if exc else "closed by the other side"))
        self.release()

    def pause_writing(self) -> None:
        """Let the outbox wait (asyncio)."""
        self._is_write_paused = True

    def resume_writing(self) -> None:
        """Write on (asyncio)."""
        self._is_write_paused = False
        self.flush()

    # --- the rest -------------------------------------------------------------------------------------------

    def _handshake(self, session: TlsSession) -> bool:
        # Returns whether plain text may be read: TLS is complete and the owner knows the key.
        is_complete = session.handshake()
        self._send_output(session)
        if not is_complete:
            return False
        self.pin = session.compute_pin()
        self.state = LinkState.GREETING
        try:
            self._owner.on_open(self)
        except HandshakeRefusedError as refusal:
            self.refuse(refusal)
        return self.state is LinkState.GREETING

    def _drain(self) -> None:
        while self._is_reading and self.state is not LinkState.CLOSED:
            try:
                frame = self._decoder.take()
            except FrameError as error:
                self.counters.violations += 1
                self.finish(error)
                return
            if frame is None:
                return
            kind, payload = frame
            self.counters.frames_in += 1
            if kind >= KIND_FIRST:
                self._owner.on_frame(self, kind, payload)
            else:
                self._on_own_frame(kind, payload)

    def _on_own_frame(self, kind: int, payload: bytes) -> None:
        try:
            if kind == KIND_HELLO:
                self._on_hello(payload)
            elif kind == KIND_REFUSE:
                refusal = decode_refusal(payload)
                error = HandshakeRefusedError(reason=refusal.reason, text=refusal.text, is_by_peer=True)
                self.finish(error, is_orderly=True)
            elif kind == KIND_PING:
                # Where other frames wait they show just as well that this side lives.
                if not self.outbox:
                    self.send(encode_frame(KIND_PONG, payload))
            elif self._ping_sent_at is not None and payload == self._ping_number.to_bytes(8):
                self.rtt_us = int((self._loop.time() - self._ping_sent_at) * 1_000_000)
                self._ping_sent_at = None
        except PeerError as error:
            self.finish(error)

    def _on_hello(self, payload: bytes) -> None:
        try:
            self._owner.on_hello(self, decode_hello(payload))
        except HandshakeRefusedError as refusal:
            self.refuse(refusal)

    def _write(self, data: bytes) -> None:
        if self._session is None or self._transport is None:
            return
        try:
            self._session.write(data)
        except LinkLostError as error:
            self.finish(error)
            return
        self._transport.write(self._session.take_output())

    def _send_output(self, session: TlsSession) -> None:
        output = session.take_output()
        if output and self._transport is not None:
            self._transport.write(output)

    def _close(self, error: PeerError) -> None:
        if self.state is LinkState.CLOSED:
            return
        self.state = LinkState.CLOSED
        self.error = error
        self._cancel_timer()
        self.counters.frames_dropped += self.outbox.clear()
        self._owner.on_finished(self)

    def _end_orderly(self, transport: asyncio.Transport, farewell: bytes) -> None:
        # Closing with unread input would reset the connection and may take a REFUSE with it: half-close,
        # then wait.
        self._timer = self._loop.call_later(self._shutdown_ms / 1000, transport.abort)
        if transport.is_closing():
            return
        try:
            if farewell:
                transport.write(farewell)
            transport.write_eof()
        except OSError:
            # The other side has reset the connection, and nobody was told yet.
            transport.abort()
            return
        if not self._is_reading:
            transport.resume_reading()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_handshake_timeout(self) -> None:
        self.finish(HandshakeTimeoutError())
