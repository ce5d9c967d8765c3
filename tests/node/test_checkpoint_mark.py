"""The mark of the last checkpoint: durable, never falling, and silent where it is damaged."""

from pathlib import Path

import pytest

from chain.errors import InvariantViolation
from node.checkpoint_mark import SLOT_BYTES, open_mark

ROOT, OTHER = b"\x01" * 32, b"\x02" * 32


def test_what_was_signed_last_is_found_again(tmp_path: Path) -> None:
    mark = open_mark(tmp_path / "mark")
    assert mark.last is None
    for size in (5, 5, 9, 12):
        mark.write(size, ROOT)
        assert open_mark(tmp_path / "mark").last == (size, ROOT)


@pytest.mark.parametrize(("size", "root"), [(8, ROOT), (9, OTHER)])
def test_smaller_size_and_second_root_are_refused(size: int, root: bytes, tmp_path: Path) -> None:
    mark = open_mark(tmp_path / "mark")
    mark.write(9, ROOT)
    with pytest.raises(InvariantViolation):
        mark.write(size, root)
    assert open_mark(tmp_path / "mark").last == (9, ROOT)


def test_torn_write_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    mark = open_mark(path)
    mark.write(1, ROOT)
    mark.write(2, OTHER)
    whole = path.read_bytes()
    at = next(place for place in range(2) if whole[place * SLOT_BYTES + 23] == 2)
    path.write_bytes(whole[: at * SLOT_BYTES + 30] + bytes(10) + whole[at * SLOT_BYTES + 40 :])
    assert open_mark(path).last == (1, ROOT)


@pytest.mark.parametrize("content", [b"x" * 128, b"", b"gongjicp"])
def test_file_of_which_nothing_is_whole_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mark"
    path.write_bytes(content)
    mark = open_mark(path)
    assert mark.last is None
    assert mark.problem is not None
