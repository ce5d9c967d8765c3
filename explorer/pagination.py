"""Pages of a list: opaque authenticated cursors, both directions (api.md, Lists).

A cursor holds list, filter, direction, position and the height at which the listing began, under an HMAC of
this node's key. It is no secret and grants nothing; it only cannot be made up or moved to another query. A
list whose rows never change (blocks, transactions) ends at the height at which it began, so that its pages
never shift; a list of state records follows a fixed order of keys, so that no page repeats or skips a record
that exists throughout.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chain.types import INT_MAX
from explorer.problems import FieldError, ProblemError
from explorer.settings import SCAN_ROWS_MAX

T = TypeVar("T")
CURSOR_CHARACTERS_MAX = 512
_MAC_BYTES = 16
_FILTER_BYTES = 16
_TAG = b"gongji/cursor/v1\n"


class Page(Struct, frozen=True):
    """Where one page lies in its list."""

    next: str | None
    """Cursor of the following page; null at the end."""
    prev: str | None
    """Cursor of the page before; null at the beginning."""
    limit: int
    """Most rows of a page, 1..500."""
    as_of_height: int
    """Height whose state the rows show."""
    total: int | UnsetType = UNSET
    """Rows of the whole list, where that is known without a scan."""


class Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor says."""

    filters: Annotated[bytes, Meta(min_length=_FILTER_BYTES, max_length=_FILTER_BYTES)]
    """Hash of list, sort order and filter."""
    height: Annotated[int, Meta(ge=0, le=INT_MAX)]
    """Height at which the listing began."""
    is_backward: bool
    """Whether it leads towards the beginning."""
    position: Annotated[bytes, Meta(max_length=256)]
    """Row at which the last page ended."""


_decoder = msgspec.msgpack.Decoder(Cursor)


class CursorBox:
    """Seals and opens the cursors of one node."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("a cursor key has at least 32 bytes")
        self._key = key

    def seal(self, cursor: Cursor) -> str:
        """Return the text of a cursor."""
        data = msgspec.msgpack.encode(cursor)
        return urlsafe_b64encode(data + self._mac(data)).rstrip(b"=").decode("ascii")

    def open(self, text: str) -> Cursor:
        """Return a cursor from its text; raise `ProblemError` unless this node made it."""
        try:
            data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Base64Error, UnicodeEncodeError, ValueError):
            raise _refuse("it is not a cursor") from None
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise _refuse("this node did not make it")
        try:
            return _decoder.decode(body)
        except msgspec.DecodeError:
            raise _refuse("its form is not known") from None

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, _TAG + data, "sha256")[:_MAC_BYTES]


class ListQuery(Struct, frozen=True):
    """One request for a page."""

    name: str
    """Name of the list: its operation id."""
    filters: tuple[tuple[str, str], ...]
    """(parameter, value) of each filter and of the sort order, by name."""
    limit: int
    cursor: str | None


class Window(Struct, Generic[T], frozen=True):
    """The rows of one page."""

    rows: list[T]
    page: Page


Rows = Callable[[bytes | None, bool, int], Iterable[tuple[bytes, T]]]
"""(start position or None, whether towards the beginning, height at which the listing began) -> (position,
row)."""


def read_window(
    box: CursorBox,
    query: ListQuery,
    *,
    height: int,
    read_rows: Rows[T],
    is_accepted: Callable[[T], bool] | None = None,
    is_historic: bool = False,
    total: int | None = None,
) -> Window[T]:
    """Return one page of a list.

    At most `SCAN_ROWS_MAX` rows are looked at, whatever the filter: the page may then be short, or empty, and
    still have a next one. `is_historic`: rows never change, so that the page shows the height at which the
    listing began.
    """
    filters = _hash_query(query)
    cursor = None if query.cursor is None else box.open(query.cursor)
    if cursor is not None and cursor.filters != filters:
        raise _refuse("it belongs to a query with other filters")
    began = height if cursor is None else min(cursor.height, height)
    is_backward = cursor is not None and cursor.is_backward
    start = None if cursor is None else cursor.position
    rows: list[T] = []
    positions: list[bytes] = []
    last: bytes | None = None
    is_more = False
    for scanned, (position, row) in enumerate(read_rows(start, is_backward, began)):
        if len(rows) == query.limit or scanned == SCAN_ROWS_MAX:
            is_more = True
            break
        last = position
        if is_accepted is None or is_accepted(row):
            rows.append(row)
            positions.append(position)
    if is_backward:
        rows.reverse()
        positions.reverse()

    def seal(position: bytes, *, is_towards_start: bool) -> str:
        cursor = Cursor(filters=filters, height=began, is_backward=is_towards_start, position=position)
        return box.seal(cursor)

    # The edge at which the scan stopped leads on; the opposite edge leads back to where it came from.
    ahead = seal(last, is_towards_start=is_backward) if is_more and last is not None else None
    near = positions[-1 if is_backward else 0] if positions else last or start
    back = seal(near, is_towards_start=not is_backward) if cursor is not None and near is not None else None
    return Window(
        rows=rows,
        page=Page(
            next=back if is_backward else ahead,
            prev=ahead if is_backward else back,
            limit=query.limit,
            as_of_height=began if is_historic else height,
            total=UNSET if total is None else total,
        ),
    )


def _hash_query(query: ListQuery) -> bytes:
    data = msgspec.msgpack.encode((query.name, sorted(query.filters)))
    return hashlib.sha256(data).digest()[:_FILTER_BYTES]


def _refuse(reason: str) -> ProblemError:
    error = FieldError(pointer="#/query/cursor", detail=reason)
    return ProblemError("cursor_invalid", errors=(error,), values={"reason": reason})
