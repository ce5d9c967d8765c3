"""Settings of the web server: limits with their names, and what the node tells about itself."""

import time
from collections.abc import Callable

from msgspec import Struct

from explorer.access import NO_ACCESS_KEYS, AccessKeys

API_VERSION = "1"
PAGE_LIMIT_DEFAULT = 50
PAGE_LIMIT_MAX = 500
SCAN_ROWS_MAX = 2_000
"""Rows that one page looks at; a filter that matches few of them answers a short page with a `next`."""


def _read_wall_ms() -> int:
    return time.time_ns() // 1_000_000


class HttpLimits(Struct, frozen=True):
    """Bounds of one server; what happens beyond each is said in its note."""

    body_bytes_max: int = 96 * 1024
    """Request body; more is 413."""
    batch_bytes_max: int = 4 * 1024 * 1024
    """Body of `:batch`; more is 413."""
    batch_items_max: int = 1_000
    """Transactions of one batch; more is 413."""
    blob_bytes_max: int = 16 * 1024
    """Detached blob; more is 413."""
    bodies_bytes_max: int = 64 * 1024 * 1024
    """Bodies being received at one time, all callers together; more is 503 with Retry-After."""
    body_timeout_ms: int = 10_000
    """Time in which a whole body must arrive, however steadily it trickles; later is 408."""
    requests_per_s: int = 1_000
    """Refill of the token bucket of one address; an empty bucket is 429 with Retry-After."""
    requests_burst: int = 2_000
    """Size of that bucket."""
    addresses_max: int = 10_000
    """Buckets kept; beyond, the one that was unused for longest is forgotten."""
    wait_ms_max: int = 30_000
    """Longest wait that a caller may ask for; more is 400 (`?wait=`) or shortened (`Prefer`, a wish)."""
    min_height_wait_ms: int = 2_000
    """How long `min_height` waits before 503 height_not_reached."""
    readers_max: int = 2
    """Lists read at one time, in worker threads; others wait their turn."""
    readers_waiting_max: int = 200
    """Requests waiting for their turn to read; more is 503 with Retry-After."""


class ContractSource(Struct, frozen=True):
    """The contract's source as the node was started from it."""

    source_hash: str
    """SHA-256 of the lines "<sha256>  <path>", each with a line feed."""
    files: tuple[tuple[str, str], ...]
    """(path below the top of the repository, SHA-256 in hex), by path."""


class ExplorerSettings(Struct, frozen=True):
    """What a node tells its web server."""

    software_version: str
    """Of this distribution, for /v1/meta."""
    cursor_key: bytes
    """32 secret bytes of this node that authenticate cursors; a new key makes old cursors invalid (400)."""
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Host names (without port) that this server answers to; "*" is any. Others get 421 (pitfalls A6)."""
    limits: HttpLimits = HttpLimits()
    get_wall_ms: Callable[[], int] = _read_wall_ms
    """The wall clock, for the clock scale and the age of the head."""
    get_monotonic_ns: Callable[[], int] = time.monotonic_ns
    """The clock of the token buckets and of the time that requests take."""
    contract: ContractSource | None = None
    """What /v1/contract shows; None: this server does not know (404)."""
    access: AccessKeys = NO_ACCESS_KEYS
    """Keys that open what is not public."""
    observe: Callable[[str, str, int, int], None] | None = None
    """Called after each request with method, path of the route, status and microseconds: for the metrics."""
