"""Listener: accepts connections and bounds how many of them may be without a complete handshake.

Only peers of the table get beyond the handshake here. Clients have a server of their own, with own bounds, so that
neither can take the other's places (pitfalls A10).
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable

from p2p.errors import LinkDroppedError
from p2p.link import Link

BACKLOG = 128
"""Connections that the kernel may hold for us."""


class Listener:
    """Accept connections on one address.

    A connection is *pending* until it is UP, or gone. When there are too many, the oldest one is cut, not
    the newest refused: an honest handshake takes milliseconds, while connections held open in bad faith
    grow old, so a flood has to be very fast to hinder anybody (pitfalls A9).
    """

    def __init__(self, open_link: Callable[[], Link], *, pending_max: int, pending_per_address_max: int) -> None:
        self._open_link = open_link
        self._pending_max = pending_max
        self._pending_per_address_max = pending_per_address_max
        self._pending: dict[Link, str] = {}
        """Source host by connection, oldest first."""
        self._server: asyncio.Server | None = None
        self.accepted = 0
        """Connections accepted since the start."""
        self.evicted = 0
        """Pending connections cut to make room, since the start."""

    @property
    def pending(self) -> int:
        """Number of connections accepted and neither UP nor gone."""
        return len(self._pending)

    async def open(self, host: str, port: int) -> int:
        """Begin to accept; return the port. Raises OSError where the address cannot be had."""
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = addresses[0]
        listening = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG)
        self._server = await loop.create_server(self._open_link, sock=listening, backlog=BACKLOG)
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """Accept no more; pending connections are the owner's to end."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def on_accepted(self, link: Link) -> None:
        """Count a connection as pending and make room for it where there is none."""
        self.accepted += 1
        host = link.host
        by_host = Counter(self._pending.values())
        if by_host[host] >= self._pending_per_address_max:
            self._evict_oldest(host)
        elif len(self._pending) >= self._pending_max:
            self._evict_oldest(by_host.most_common(1)[0][0])
        self._pending[link] = host

    def on_settled(self, link: Link) -> None:
        """Forget a connection that is UP or gone."""
        self._pending.pop(link, None)

    def _evict_oldest(self, host: str) -> None:
        oldest = next(link for link, pending_host in self._pending.items() if pending_host == host)
        del self._pending[oldest]
        self.evicted += 1
        oldest.finish(LinkDroppedError("no handshake while others waited"))
        oldest.cut()
