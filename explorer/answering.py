"""From a snapshot to an HTTP answer: one height for all of it, caching rules, worker threads (api.md,
Caching).

Final things (a block whose certificate is agreed, a committed transaction, its receipt) have a strong ETag
and never change; everything else has a weak one and has to be asked for again.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from explorer.edge import build_ledger_headers
from explorer.pagination import CursorBox, Page
from explorer.parameters import PageQuery, ReadQuery
from explorer.problems import ProblemError, get_header
from explorer.reader import ChainReader, ChainSnapshot, Head, NodeStatus
from explorer.settings import ExplorerSettings

JSON_MEDIA_TYPE = "application/json"
CACHE_FINAL = "public, max-age=31536000, immutable"
CACHE_MOVING = "no-cache"


class Answer(Struct, frozen=True):
    """What a route found."""

    body: Struct
    """One of the records of answers_*.py."""
    is_final: bool = False
    """Whether it can never change again."""
    page: Page | None = None
    """Of a list: for the Link header."""


class Answering:
    """What every route stands on."""

    def __init__(self, reader: ChainReader, status: NodeStatus, settings: ExplorerSettings) -> None:
        self.reader = reader
        self.status = status
        self.settings = settings
        self.cursors = CursorBox(settings.cursor_key)
        self._turns = asyncio.Semaphore(settings.limits.readers_max)
        self._waiting = 0

    async def read(
        self,
        request: Request,
        query: ReadQuery,
        produce: Callable[[ChainSnapshot], Answer],
    ) -> Response:
        """Answer from the newest snapshot, at once on the event loop: for a handful of records."""
        await self._await_height(query)
        with closing(self.reader.open_snapshot()) as snapshot:
            answer = produce(snapshot)
            return build_response(request, answer, snapshot.head)

    async def read_list(
        self,
        request: Request,
        query: ReadQuery,
        produce: Callable[[ChainSnapshot], Answer],
    ) -> Response:
        """Answer likewise, in a worker thread: for many records, which would hold up the event loop."""
        await self._await_height(query)
        limits = self.settings.limits
        if self._waiting >= limits.readers_waiting_max:
            raise ProblemError("overloaded", retry_after_s=1, values={"queue": "lists"})

        def run() -> Response:
            with closing(self.reader.open_snapshot()) as snapshot:
                return build_response(request, produce(snapshot), snapshot.head, query=query)

        self._waiting += 1
        try:
            async with self._turns:
                return await run_in_threadpool(run)
        finally:
            self._waiting -= 1

    async def _await_height(self, query: ReadQuery) -> None:
        wanted = query.min_height
        if wanted is None or self.reader.get_head().height >= wanted:
            return
        await self.status.wait_height(wanted, self.settings.limits.min_height_wait_ms)
        reached = self.reader.get_head().height
        if reached < wanted:
            raise ProblemError("height_not_reached", retry_after_s=1, values={"min_height": wanted, "height": reached})


def build_response(request: Request, answer: Answer, head: Head, *, query: ReadQuery | None = None) -> Response:
    """Return the HTTP answer, or 304 where the caller has it already."""
    body = msgspec.json.encode(answer.body)
    digest = hashlib.sha256(body).hexdigest()[:32]
    etag = f'"{digest}"' if answer.is_final else f'W/"{digest}"'
    headers = {"etag": etag, "cache-control": CACHE_FINAL if answer.is_final else CACHE_MOVING}
    headers.update((name.decode("ascii"), value.decode("ascii")) for name, value in build_ledger_headers(head))
    if answer.page is not None and isinstance(query, PageQuery):
        links = _build_links(request.scope["path"], query, answer.page)
        if links:
            headers["link"] = links
    if _is_known(get_header(request.scope, b"if-none-match"), digest):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON_MEDIA_TYPE)


def _is_known(if_none_match: str, digest: str) -> bool:
    """Compare weakly, as RFC 9110 wants it for GET."""
    tags = (tag.strip() for tag in if_none_match[:2_000].split(","))
    return any(tag == "*" or tag.removeprefix("W/") == f'"{digest}"' for tag in tags if tag)


def _build_links(path: str, query: PageQuery, page: Page) -> str:
    # Relative on purpose: an absolute link would have to believe the Host header (pitfalls A6).
    links = []
    for relation, cursor in (("next", page.next), ("prev", page.prev)):
        if cursor is not None:
            given = urlencode([*query.get_filters(), ("limit", str(page.limit)), ("cursor", cursor)])
            links.append(f'<{path}?{given}>; rel="{relation}"')
    return ", ".join(links)
