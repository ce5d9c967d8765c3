"""TLS on bytes in memory: no socket is known here.

asyncio's own TLS transport is not used: it decodes the names in a client's certificate before anybody can
look at the key (a hostile certificate makes it raise), keeps a second write queue that nobody can see, and
tells of an accepted connection only after its handshake, so that unfinished ones cannot be counted or
evicted (pitfalls A9).
"""

import ssl
from contextlib import suppress

from p2p.errors import LinkLostError
from p2p.tls import SERVER_NAME, compute_peer_pin

_READ_BYTES = 64 * 1024


class TlsSession:
    """Run one side of one TLS connection.

    Order of use: `start` (client), `feed`, `handshake` until it returns True, `compute_pin`, and only then
    `read` and `write`; after each of them `take_output` holds what has to be sent. Every method may raise
    LinkLostError with OpenSSL's words (peer's fault); an alert for the peer is then in the output.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "is_ended")

    def __init__(self, context: ssl.SSLContext, *, is_server: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        name = None if is_server else SERVER_NAME
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server, server_hostname=name)
        self.is_ended = False
        """Whether the peer has said that it will send no more."""

    def start(self) -> None:
        """Put the client's first message into the output."""
        self.handshake()

    def feed(self, data: bytes) -> None:
        """Append bytes that arrived."""
        self._incoming.write(data)

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is complete."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise LinkLostError(f"TLS handshake failed: {error}") from error
        return True

    def compute_pin(self) -> bytes:
        """Return the pin of the peer's key. Raises CertificateMalformedError (peer's fault)."""
        return compute_peer_pin(self._object)

    def read(self) -> bytes:
        """Return the plain text of all complete records fed."""
        chunks = []
        try:
            while chunk := self._object.read(_READ_BYTES):
                chunks.append(chunk)
            self.is_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise LinkLostError(f"TLS failed: {error}") from error
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def write(self, data: bytes) -> None:
        """Encrypt data into the output."""
        try:
            written = self._object.write(data)
            if written < len(data):
                # One call makes one record of at most 16 KiB.
                rest = memoryview(data)
                while written < len(data):
                    written += self._object.write(rest[written:])
        except ssl.SSLError as error:
            raise LinkLostError(f"TLS failed: {error}") from error

    def end(self) -> None:
        """Put the notice that no more will be sent into the output; without effect in an incomplete
        handshake."""
        # WantRead: the peer's own notice is not waited for. Any other error: the session was dead already.
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def take_output(self) -> bytes:
        """Return and forget the bytes that have to be sent, possibly none."""
        return self._outgoing.read()
