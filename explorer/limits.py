"""Bounds on what callers may send: body size, body deadline, token buckets (api.md, Limits).

Pure ASGI and outside of all routes, so that no route can be forgotten (pitfalls A3). A body is received
whole, under one deadline that no trickle prolongs (A2), before the application sees the request. The deadline
of the *headers* is the HTTP server's: an ASGI application starts only after them (`node/http_server.py`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.problems import ProblemError, ProblemWriter
from explorer.settings import HttpLimits

NS_PER_S = 1_000_000_000
DISCARD_BYTES_MAX = 16 * 1024 * 1024
"""Of a refused body; beyond it the connection is closed at once."""
DISCARD_MS_MAX = 1_000
BATCH_PATH = "/v1/transactions:batch"
BLOB_PATH = "/v1/blobs/"


class Allowance(Struct, frozen=True):
    """What a token bucket says about one request."""

    is_granted: bool
    remaining: int
    """Whole tokens left."""
    reset_s: int
    """Seconds until the bucket is full again, rounded up."""
    retry_s: int
    """Seconds until the next token, at least 1."""


class TokenBuckets:
    """One token bucket for each address.

    When `addresses_max` are known, the one that was unused for longest is forgotten: whoever holds that many
    addresses gains nothing by it, and memory stays bounded.
    """

    def __init__(self, limits: HttpLimits, get_monotonic_ns: Callable[[], int]) -> None:
        self._rate = limits.requests_per_s
        self._capacity_ns = limits.requests_burst * NS_PER_S
        self._addresses_max = limits.addresses_max
        self._get_ns = get_monotonic_ns
        # Tokens are counted in billionths, so that refilling is exact integer arithmetic: rate * elapsed_ns.
        self._buckets: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str) -> Allowance:
        """Take one token from an address's bucket."""
        now = self._get_ns()
        tokens, since = self._buckets.pop(address, (self._capacity_ns, now))
        tokens = min(self._capacity_ns, tokens + (now - since) * self._rate)
        is_granted = tokens >= NS_PER_S
        if is_granted:
            tokens -= NS_PER_S
        self._buckets[address] = (tokens, now)
        if len(self._buckets) > self._addresses_max:
            self._buckets.popitem(last=False)
        missing = self._capacity_ns - tokens
        return Allowance(
            is_granted=is_granted,
            remaining=tokens // NS_PER_S,
            reset_s=-(-missing // (self._rate * NS_PER_S)),
            retry_s=max(1, -(-(NS_PER_S - tokens) // (self._rate * NS_PER_S))),
        )


def get_caller(scope: Scope) -> str:
    """Return the name of the caller's bucket: the IPv4 address, or the /64 network of an IPv6 address."""
    client = scope.get("client")
    if client is None:
        return "local"
    host = str(client[0])
    if ":" not in host:
        return host
    if host.lower().startswith("::ffff:") and "." in host:
        return host[7:]
    head, _, tail = host.partition("%")[0].partition("::")
    groups = head.split(":") if head else []
    if tail or "::" in host:
        end = tail.split(":") if tail else []
        groups += ["0"] * (8 - len(groups) - len(end)) + end
    return ":".join(groups[:4]).lower() + "::/64"


class LimitsMiddleware:
    """Applies the limits to every request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: HttpLimits,
        problems: ProblemWriter,
        get_monotonic_ns: Callable[[], int],
    ) -> None:
        self._app = app
        self._limits = limits
        self._problems = problems
        self._buckets = TokenBuckets(limits, get_monotonic_ns)
        self._policy = (
            f'"requests";q={limits.requests_burst};w={-(-limits.requests_burst // limits.requests_per_s)}'
        ).encode("ascii")
        self._bodies_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance = self._buckets.take(get_caller(scope))
        rate = f'"requests";r={allowance.remaining};t={allowance.reset_s}'.encode("ascii")

        async def send_with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"ratelimit-policy", self._policy),
                    (b"ratelimit", rate),
                ]
            await send(message)

        if not allowance.is_granted:
            refusal = ProblemError("quota_exceeded", retry_after_s=allowance.retry_s)
            await self._problems.build(scope, refusal)(scope, receive, send_with_rate)
            return
        if scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send_with_rate)
            return
        await self._run_with_body(scope, receive, send_with_rate)

    async def _run_with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        reserved = 0
        try:
            body_bytes_max = self._get_body_bytes_max(scope["path"])
            reserved = self._reserve(_get_content_length(scope), body_bytes_max)
            body = await self._read_body(receive, body_bytes_max)
            if body is None:
                return
        except ProblemError as error:
            # A connection that is closed with unread bytes is reset, and the caller would lose the answer: so a
            # part of what is left is read and thrown away. Then the connection ends with this answer.
            if error.code in {"too_large", "overloaded"}:
                await self._discard(receive)
            response = self._problems.build(scope, error)
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        finally:
            self._bodies_bytes -= reserved
        await self._app(scope, _replay(body, receive), send)

    def _get_body_bytes_max(self, path: str) -> int:
        if path == BATCH_PATH:
            return self._limits.batch_bytes_max
        if path.startswith(BLOB_PATH):
            return self._limits.blob_bytes_max
        return self._limits.body_bytes_max

    def _reserve(self, announced: int | None, body_bytes_max: int) -> int:
        if announced is not None and announced > body_bytes_max:
            raise ProblemError("too_large", values={"bytes": announced, "bytes_max": body_bytes_max})
        reserved = body_bytes_max if announced is None else announced
        if self._bodies_bytes + reserved > self._limits.bodies_bytes_max:
            raise ProblemError("overloaded", retry_after_s=1, values={"queue": "request bodies"})
        self._bodies_bytes += reserved
        return reserved

    async def _discard(self, receive: Receive) -> None:
        """Throw away what is left of a refused body, for a short while and up to a bound."""
        size = 0
        try:
            async with asyncio.timeout(DISCARD_MS_MAX / 1000):
                while size < DISCARD_BYTES_MAX:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    async def _read_body(self, receive: Receive, body_bytes_max: int) -> bytes | None:
        """Return the whole body, None if the caller went away."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_timeout_ms / 1000):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size > body_bytes_max:
                        raise ProblemError("too_large", values={"bytes_min": size, "bytes_max": body_bytes_max})
                    parts.append(part)
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError:
            timeout_ms = self._limits.body_timeout_ms
            raise ProblemError("request_timeout", values={"received_bytes": size, "timeout_ms": timeout_ms}) from None


def _get_content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Twenty digits are beyond any size; longer texts are not parsed at all (pitfalls A8).
            if not value.isdigit() or len(value) > 20:
                raise ProblemError("malformed", values={"what": "content-length"})
            return int(value)
    return None


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    is_sent = False

    async def receive_body() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body
