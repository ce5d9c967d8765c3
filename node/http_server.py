"""The HTTP server under the web application: uvicorn with the deadlines that it lacks (pitfalls A2).

An ASGI application starts only when a request's headers are complete, so whoever trickles headers, or empty
lines between two requests, is stopped here: one deadline for headers and one for the whole request, which no
byte prolongs; a bound on header bytes; bounds on connections; a deadline for callers that do not take their
answer.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator

import uvicorn
from fastapi import FastAPI
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from explorer.edge import complete_headers, generate_request_ids
from explorer.problems import ProblemError, ProblemWriter
from explorer.reader import Head

LINGER_MS = 500
"""How long a refused connection is read from before it is closed."""
_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class ConnectionLimits(Struct, frozen=True):
    """Bounds of the connections of one server; what happens beyond each is said in its note."""

    connections_max: int = 2_000
    """Beyond: closed at once."""
    connections_per_address_max: int = 1_000
    """Beyond: closed at once."""
    header_bytes_max: int = 16 * 1024
    """Request line and headers; more is answered 431 and closed."""
    header_timeout_ms: int = 5_000
    """From connecting or from the first byte of a request to the end of its headers; then 408 and closed."""
    request_timeout_ms: int = 15_000
    """From there to the end of the body; then closed. The application's own deadline is shorter and
    answers."""
    idle_timeout_ms: int = 30_000
    """Between two requests of a connection; then closed."""
    write_timeout_ms: int = 20_000
    """For a caller that does not take its answer; then closed."""


class Refusals:
    """Whole answers to what never reaches the application, in the form of its own."""

    def __init__(self, get_head: Callable[[], Head]) -> None:
        self._get_head = get_head
        self._problems = ProblemWriter(lambda: get_head().height)
        self._ids = generate_request_ids()

    def render(self, code: str) -> bytes:
        """Return the bytes of an answer after which the connection is closed."""
        request_id = next(self._ids)
        # The request's headers were not read: in English, and with an id of ours.
        response = self._problems.build({"headers": [], "request_id": request_id}, ProblemError(code))
        headers = complete_headers(
            [*response.raw_headers, (b"connection", b"close")], request_id=request_id, get_head=self._get_head
        )
        status = f"HTTP/1.1 {response.status_code} {_PHRASES[response.status_code]}\r\n".encode("ascii")
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        return status + lines + b"\r\n" + bytes(response.body)


class DeadlineProtocol(HttpToolsProtocol):
    """One connection with deadlines; each server has a class of its own (`build_protocol`)."""

    limits: ConnectionLimits
    refusals: Refusals
    open_by_address: dict[str, int]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it where there are too many."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._is_between = True
        """No headers of the present request are complete."""
        self._received_bytes = 0
        """Bytes since the last request ended: empty lines count."""
        self._header_bytes = 0
        self._refusal = "malformed"
        self._is_refused = False
        self._address = self.client[0] if self.client else "local"
        count = self.open_by_address.get(self._address, 0) + 1
        self.open_by_address[self._address] = count
        is_full = len(self.connections) > self.limits.connections_max
        if is_full or count > self.limits.connections_per_address_max:
            transport.abort()
        else:
            self._arm(self.limits.header_timeout_ms)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        self._end_write_deadline()
        count = self.open_by_address.get(self._address, 1) - 1
        if count:
            self.open_by_address[self._address] = count
        else:
            self.open_by_address.pop(self._address, None)
        super().connection_lost(exc)

    # --- requests ---

    def data_received(self, data: bytes) -> None:
        """Take bytes in; none of them prolongs a deadline that runs."""
        if self._is_refused:
            return
        if self._is_between:
            if not self._received_bytes:
                # The parser passes over empty lines in silence, so the deadline starts with any byte.
                self._arm(self.limits.header_timeout_ms)
            self._received_bytes += len(data)
        super().data_received(data)

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go over to the deadline of the whole request."""
        self._is_between = False
        self._arm(self.limits.request_timeout_ms)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the deadline: from here on the application works."""
        super().on_message_complete()
        self._is_between = True
        self._received_bytes = self._header_bytes = 0
        self._disarm()
        if self.cycle.response_complete:
            self._arm(self.limits.idle_timeout_ms)

    def on_response_complete(self) -> None:
        """Wait for the next request of this connection, but not for ever."""
        super().on_response_complete()
        if self._deadline is None and not self.transport.is_closing():
            self._arm(self.limits.idle_timeout_ms)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.limits.header_bytes_max:
            # The parser turns an exception of a callback into its own error and stops, then asks for a 400.
            self._refusal = "headers_too_large"
            raise ValueError("headers too large")

    # --- answers ---

    def pause_writing(self) -> None:
        """Note that the caller does not take its answer."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(self.limits.write_timeout_ms / 1000, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that it does again."""
        super().resume_writing()
        self._end_write_deadline()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP request, or have too many headers; what the parser says stays
        here."""
        del msg
        self._refuse(self._refusal)

    def _refuse(self, code: str) -> None:
        """Answer without the application, and close."""
        self.transport.write(self.refusals.render(code))
        # To close with unread bytes would reset the connection, and the caller would lose the answer: we only end
        # our side, pass over what still comes, and leave for good after a moment.
        self._is_refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._arm(LINGER_MS)

    # --- deadlines ---

    def _arm(self, timeout_ms: int) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(timeout_ms / 1000, self._on_deadline)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._is_between and self._received_bytes and not self._is_refused:
            self._refuse("request_timeout")
        else:
            self.transport.abort()

    def _end_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None


def build_protocol(limits: ConnectionLimits, refusals: Refusals) -> type[DeadlineProtocol]:
    """Return the connection class of one server, with its limits and its own count of connections."""

    class LimitedProtocol(DeadlineProtocol):
        """One connection of this server."""

    LimitedProtocol.limits = limits
    LimitedProtocol.refusals = refusals
    LimitedProtocol.open_by_address = {}
    return LimitedProtocol


class RestServer(uvicorn.Server):
    """A server that leaves signals to the node; stop it by setting `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none: the node decides when to stop, and in which order."""
        yield


def build_server(app: FastAPI, limits: ConnectionLimits, *, get_head: Callable[[], Head]) -> RestServer:
    """Return a server for the application; run `serve(sockets=[...])` in a task of the node.

    `get_head` tells which state answers where the application is not asked. The server trusts no forwarding header and
    does not name its software.
    """
    config = uvicorn.Config(
        app,
        http=build_protocol(limits, Refusals(get_head)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # Ours is the shorter one: uvicorn's own is reset by every byte.
        timeout_keep_alive=limits.idle_timeout_ms // 1_000 + 5,
        timeout_graceful_shutdown=3,
    )
    return RestServer(config)
