import os
import shutil
from pathlib import Path

import pytest

from chain.errors import ConfigError, InvariantViolation, StoreError
from chain.types import ChainId, Height, PublicKey
from consensus.guard_rules import GuardState, Mark, build_guard
from node.guard import SLOT_BYTES, UNBOUND, GuardFile, create_guard, open_guard

KEY = PublicKey(b"\x02" * 32)
CHAIN = ChainId(b"\x01" * 32)


def make_state(height: int) -> GuardState:
    mark = Mark(height=height, view=1, step=3, digest=bytes([height]) * 32, signature=bytes(64))
    return GuardState(key=KEY, chain_id=CHAIN, floor=1, mark=mark, last_commit=None)


def make_guard(path: Path, heights: range = range(0)) -> GuardFile:
    create_guard(path, key=KEY)
    guard = open_guard(path)
    guard.bind(CHAIN)
    for height in heights:
        guard.write(make_state(height))
    return guard


def load(path: Path) -> GuardFile:
    """Read what another start would find now: a copy, because the file itself may be open and locked."""
    copy = path.with_name("copy")
    copy.unlink(missing_ok=True)
    if path.exists():
        shutil.copyfile(path, copy)
    guard = open_guard(copy)
    guard.close()
    return guard


def test_new_guard_has_signed_nothing_and_belongs_to_no_chain_yet(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    create_guard(path, key=KEY)
    guard = load(path)
    assert guard.problem is None
    assert guard.state == build_guard(key=KEY, chain_id=UNBOUND)
    assert path.stat().st_mode & 0o777 == 0o600


def test_guard_is_bound_to_the_first_chain_only(tmp_path: Path) -> None:
    guard = make_guard(tmp_path / "guard")
    guard.bind(ChainId(b"\x07" * 32))
    state = load(tmp_path / "guard").state
    assert state is not None and state.chain_id == CHAIN
    with pytest.raises(InvariantViolation):
        guard.write(build_guard(key=KEY, chain_id=ChainId(b"\x07" * 32)))
    with pytest.raises(InvariantViolation):
        guard.write(build_guard(key=PublicKey(b"\x09" * 32), chain_id=CHAIN))


def test_c37_existing_guard_is_never_overwritten(tmp_path: Path) -> None:
    guard = make_guard(tmp_path / "guard", range(1, 4))
    with pytest.raises(ConfigError):
        create_guard(tmp_path / "guard", key=KEY)
    assert load(tmp_path / "guard").state == guard.state == make_state(3)


def test_every_write_is_read_back(tmp_path: Path) -> None:
    guard = make_guard(tmp_path / "guard")
    for height in range(1, 6):
        guard.write(make_state(height))
        assert load(tmp_path / "guard").state == make_state(height)
    guard.close()
    assert (tmp_path / "guard").stat().st_size < 2 * SLOT_BYTES + 1


def test_c37_missing_guard_is_a_problem_and_is_not_made_anew(tmp_path: Path) -> None:
    guard = load(tmp_path / "guard")
    assert guard.state is None
    assert guard.problem == "the guard is missing"
    assert not (tmp_path / "guard").exists()
    with pytest.raises(InvariantViolation):
        guard.write(make_state(1))


def test_p3_c38_guard_in_use_cannot_be_opened_a_second_time(tmp_path: Path) -> None:
    guard = make_guard(tmp_path / "guard")
    with pytest.raises(StoreError, match="another process"):
        open_guard(tmp_path / "guard")
    guard.close()
    open_guard(tmp_path / "guard").close()


@pytest.mark.parametrize("last", [4, 5])
def test_write_torn_at_every_byte_leaves_the_state_before_or_after_it(tmp_path: Path, last: int) -> None:
    path = tmp_path / "guard"
    guard = make_guard(path, range(1, last))
    before = path.read_bytes()
    guard.write(make_state(last))
    guard.close()
    after = path.read_bytes()
    changed = [offset for offset in range(len(after)) if before[offset : offset + 1] != after[offset : offset + 1]]
    assert changed[-1] - changed[0] < SLOT_BYTES
    for end in range(changed[0], changed[-1] + 1):
        path.write_bytes(after[:end] + before[end:])
        assert load(path).state == make_state(last - 1), end
    path.write_bytes(after)
    assert load(path).state == make_state(last)


@pytest.mark.parametrize("place", [0, 1])
def test_bit_flip_in_either_slot_gives_the_newest_whole_state(tmp_path: Path, place: int) -> None:
    path = tmp_path / "guard"
    make_guard(path, range(1, 4)).close()
    whole = path.read_bytes()
    newest = max((0, 1), key=lambda slot: int.from_bytes(whole[slot * SLOT_BYTES + 8 :][:8], "big"))
    length = 24 + int.from_bytes(whole[place * SLOT_BYTES + 16 :][:4], "big")
    for offset in range(place * SLOT_BYTES, place * SLOT_BYTES + length):
        content = bytearray(whole)
        content[offset] ^= 1 << (offset % 8)
        path.write_bytes(content)
        guard = load(path)
        assert guard.problem is None, offset
        assert guard.state == make_state(2 if place == newest else 3), offset


def test_bit_flips_in_both_slots_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    make_guard(path, range(1, 4)).close()
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    content[SLOT_BYTES + 30] ^= 1
    path.write_bytes(content)
    guard = load(path)
    assert guard.state is None
    assert guard.problem is not None and "damaged" in guard.problem


def test_slot_of_another_time_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    guard = make_guard(path, range(1, 4))
    old = path.read_bytes()
    for height in range(4, 8):
        guard.write(make_state(height))
    guard.close()
    new = path.read_bytes()
    path.write_bytes(old[:SLOT_BYTES] + new[SLOT_BYTES:])
    guard = load(path)
    assert guard.state is None
    assert guard.problem is not None and "do not follow" in guard.problem


@pytest.mark.parametrize("content", [b"", b"gongjigd", bytes(2 * SLOT_BYTES), b"\xff" * 2 * SLOT_BYTES])
def test_file_that_is_no_guard_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "guard").write_bytes(content)
    guard = load(tmp_path / "guard")
    assert guard.state is None
    assert guard.problem is not None and "damaged" in guard.problem


def test_end_of_a_quarantine_raises_the_floor_in_both_slots(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    guard = make_guard(path, range(1, 4))
    guard.replace(key=KEY, chain_id=CHAIN, height=Height(40))
    guard.close()
    content = path.read_bytes()
    for place in (0, 1):
        path.write_bytes(content[: place * SLOT_BYTES] + bytes(SLOT_BYTES) + content[(place + 1) * SLOT_BYTES :])
        state = load(path).state
        assert state is not None and (state.floor, state.mark) == (40, None)


def test_end_of_a_quarantine_makes_a_guard_where_there_was_none(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    guard = open_guard(path)
    guard.replace(key=KEY, chain_id=CHAIN, height=Height(7))
    guard.write(make_state(8))
    guard.close()
    assert load(path).state == make_state(8)


def test_guard_of_another_chain_is_kept_beside_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    guard = make_guard(path, range(1, 3))
    other = ChainId(b"\x07" * 32)
    guard.replace(key=KEY, chain_id=other, height=Height(7))
    guard.close()
    assert load(path.with_name("guard.replaced-1")).state == make_state(2)
    state = load(path).state
    assert state is not None and (state.chain_id, state.floor) == (other, 7)


def test_s10_guard_that_failed_to_sync_writes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = make_guard(tmp_path / "guard", range(1, 3))

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreError):
            guard.write(make_state(3))
    with pytest.raises(StoreError):
        guard.write(make_state(4))
    assert guard.state == make_state(2)
    guard.close()


def test_quarantine_that_began_while_it_ran_is_told_until_it_is_over(tmp_path: Path) -> None:
    guard = make_guard(tmp_path / "guard", range(1, 3))
    assert guard.quarantine is None
    guard.keep_quarantine("a peer shows a signature")
    guard.keep_quarantine("another reason, later")
    guard.close()
    again = open_guard(tmp_path / "guard")
    assert again.quarantine == "a peer shows a signature"
    again.replace(key=KEY, chain_id=CHAIN, height=Height(9))
    again.close()
    assert open_guard(tmp_path / "guard").quarantine is None
