"""What every answer has, whoever made it: ledger headers, security headers, a request id (api.md).

The outermost layer. It refuses foreign host names (pitfalls A6) and repeated parameters, answers HEAD as GET
without a body, and turns an exception into a problem that tells nothing but its id; the server then logs the
exception itself. No cross-origin header is ever sent, which denies CORS.
"""

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from itertools import count
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chain.errors import GongjiError, StoreError
from explorer.problems import POINTER_PART_MAX, FieldError, ProblemError, ProblemWriter, build_pointer, get_header
from explorer.reader import Head
from explorer.represent import format_time

QUERY_BYTES_MAX = 4_096
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_log = logging.getLogger("gongji.explorer")


def build_ledger_headers(head: Head) -> list[tuple[bytes, bytes]]:
    """Return the headers that say which state answered."""
    return [
        (b"ledger-height", b"%d" % head.height),
        (b"ledger-root", head.state_root.hex().encode("ascii")),
        (b"ledger-time", (format_time(head.timestamp_ms) or "").encode("ascii")),
    ]


def complete_headers(
    headers: list[tuple[bytes, bytes]], *, request_id: str, get_head: Callable[[], Head]
) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those that every answer has."""
    complete = [*headers, *_SECURITY_HEADERS, (b"x-request-id", request_id.encode("ascii"))]
    if all(name != b"ledger-height" for name, _ in headers):
        complete.extend(build_ledger_headers(get_head()))
    return complete


def generate_request_ids() -> Iterator[str]:
    """Yield ids that no other run of this or another node repeats."""
    run = secrets.token_hex(6)
    for number in count(1):
        yield f"{run}-{number}"


class EdgeMiddleware:
    """The outermost layer of the server."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        get_head: Callable[[], Head],
        problems: ProblemWriter,
        hosts: tuple[str, ...],
        report_damage: Callable[[StoreError], None],
        get_monotonic_ns: Callable[[], int],
        observe: Callable[[str, str, int, int], None] | None,
    ) -> None:
        self._app = app
        self._get_head = get_head
        self._problems = problems
        self._hosts = None if "*" in hosts else frozenset(host.lower() for host in hosts)
        self._report_damage = report_damage
        self._get_ns = get_monotonic_ns
        self._observe = observe
        self._ids = generate_request_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = dict(scope)
        wished = get_header(scope, b"x-request-id")
        request_id = wished if REQUEST_ID.match(wished) else next(self._ids)
        scope["request_id"] = request_id
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"] = "GET"
        began_ns = self._get_ns()
        status = 0

        async def send_complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = complete_headers(
                    message["headers"], request_id=request_id, get_head=self._get_head
                )
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, send_complete)
        except GongjiError as error:
            if status:
                raise
            await self._problems.build(scope, error)(scope, receive, send_complete)
        except Exception as error:
            if isinstance(error, StoreError):
                self._report_damage(error)
            _log.error("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if not status:
                await self._problems.build(scope, ProblemError("internal"))(scope, receive, send_complete)
            raise
        finally:
            if self._observe is not None:
                # The route's pattern, never the path: a label for each id would fill the metrics (conventions
                # 9).
                route = getattr(scope.get("route"), "path", "none")
                self._observe(scope["method"], route, status, (self._get_ns() - began_ns) // 1_000)

    def _check(self, scope: Scope) -> None:
        if self._hosts is not None:
            host = get_header(scope, b"host").lower()
            name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
            if name not in self._hosts:
                shown = "".join(letter for letter in name[:64] if letter.isalnum() or letter in ".-_[]:")
                raise ProblemError("host_unknown", values={"host": shown, "setting": "api.hosts"})
        query = scope["query_string"]
        if not query:
            return
        if len(query) > QUERY_BYTES_MAX:
            raise ProblemError("too_large", values={"query_bytes": len(query), "bytes_max": QUERY_BYTES_MAX})
        seen: dict[str, None] = {}
        for part in query.decode("latin-1").split("&"):
            name = unquote_plus(part.partition("=")[0])
            if name in seen:
                raise _refuse_repeated(name)
            seen[name] = None


def _refuse_repeated(name: str) -> ProblemError:
    shown = "".join(letter if letter.isalnum() or letter == "_" else "?" for letter in name[:POINTER_PART_MAX])
    error = FieldError(pointer=build_pointer("query", shown), detail="the parameter is given more than once")
    return ProblemError("parameter_invalid", errors=(error,))
