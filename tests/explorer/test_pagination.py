"""Cursors: both directions, nothing repeated or skipped, nothing forged or moved to another query."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.pagination import Cursor, CursorBox, ListQuery, Window, read_window
from explorer.problems import ProblemError
from explorer.settings import SCAN_ROWS_MAX

BOX = CursorBox(bytes(range(32)))


def read(
    numbers: list[int],
    cursor: str | None,
    *,
    limit: int = 3,
    filters: tuple[tuple[str, str], ...] = (),
    odd_only: bool = False,
) -> Window[int]:
    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[tuple[bytes, int]]:
        del began
        at = None if start is None else int.from_bytes(start, "big")
        rows = reversed(numbers) if is_backward else iter(numbers)
        for number in rows:
            if at is None or (number < at if is_backward else number > at):
                yield number.to_bytes(4, "big"), number

    return read_window(
        BOX,
        ListQuery(name="listNumbers", filters=filters, limit=limit, cursor=cursor),
        height=9,
        read_rows=read_rows,
        is_accepted=(lambda number: number % 2 == 1) if odd_only else None,
    )


def walk(numbers: list[int], *, limit: int, odd_only: bool) -> list[Window[int]]:
    windows = [read(numbers, None, limit=limit, odd_only=odd_only)]
    while windows[-1].page.next is not None:
        windows.append(read(numbers, windows[-1].page.next, limit=limit, odd_only=odd_only))
    return windows


@given(
    numbers=st.lists(st.integers(0, 200), unique=True, max_size=40).map(sorted),
    limit=st.integers(1, 7),
    odd_only=st.booleans(),
)
def test_walking_on_shows_every_row_once_and_walking_back_shows_the_same_pages(
    numbers: list[int], limit: int, odd_only: bool
) -> None:
    expected = [number for number in numbers if number % 2 or not odd_only]
    windows = walk(numbers, limit=limit, odd_only=odd_only)
    assert [row for window in windows for row in window.rows] == expected
    back: list[int] = []
    cursor = windows[-1].page.prev
    while cursor is not None:
        window = read(numbers, cursor, limit=limit, odd_only=odd_only)
        back = window.rows + back
        cursor = window.page.prev
    assert back == [row for window in windows[:-1] for row in window.rows]


def test_first_page_has_no_previous_and_last_page_no_next() -> None:
    first = read([1, 2, 3, 4], None)
    assert (first.page.prev, first.rows) == (None, [1, 2, 3])
    last = read([1, 2, 3, 4], first.page.next)
    assert (last.page.next, last.rows) == (None, [4])


def test_rows_that_appear_between_two_pages_shift_nothing() -> None:
    first = read([10, 20, 30, 40], None, limit=2)
    second = read([5, 10, 15, 20, 25, 30, 40], first.page.next, limit=2)
    assert second.rows == [25, 30]


def test_filter_that_matches_nothing_ends_its_page_after_a_bounded_scan() -> None:
    numbers = list(range(0, 2 * (SCAN_ROWS_MAX + 10), 2))
    first = read(numbers, None, odd_only=True)
    assert first.rows == []
    assert first.page.next is not None
    second = read(numbers, first.page.next, odd_only=True)
    assert (second.rows, second.page.next) == ([], None)


def test_cursor_of_another_filter_is_refused() -> None:
    cursor = read([1, 2, 3, 4], None, filters=(("plan", "a"),)).page.next
    with pytest.raises(ProblemError) as caught:
        read([1, 2, 3, 4], cursor, filters=(("plan", "b"),))
    assert caught.value.code == "cursor_invalid"
    with pytest.raises(ProblemError):
        read([1, 2, 3, 4], cursor)


def test_cursor_may_be_used_with_another_limit() -> None:
    cursor = read([1, 2, 3, 4, 5, 6], None, limit=2).page.next
    assert read([1, 2, 3, 4, 5, 6], cursor, limit=4).rows == [3, 4, 5, 6]


@given(st.data())
def test_changed_cursor_is_refused(data: st.DataObject) -> None:
    cursor = read([1, 2, 3, 4], None).page.next
    assert cursor is not None
    position = data.draw(st.integers(0, len(cursor) - 2))
    letter = data.draw(st.sampled_from("ABCDEFGHabcdefgh0123456789-_"))
    if cursor[position] == letter:
        return
    with pytest.raises(ProblemError) as caught:
        read([1, 2, 3, 4], cursor[:position] + letter + cursor[position + 1 :])
    assert caught.value.code == "cursor_invalid"


@pytest.mark.parametrize("text", ["", "!", "AAAA", "ä", "=" * 40, "A" * 512])
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        BOX.open(text)


def test_cursor_of_another_node_is_refused() -> None:
    cursor = CursorBox(bytes(32)).seal(Cursor(filters=bytes(16), height=1, is_backward=False, position=b""))
    with pytest.raises(ProblemError):
        BOX.open(cursor)


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CursorBox(b"short")
