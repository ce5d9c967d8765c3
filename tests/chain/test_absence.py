"""What memory says about absence is never wrong; how often it has nothing to say is bounded."""

import pytest

from chain.absence import ALWAYS_MS, Filter, KeyGroups, RecentIds
from chain.crypto import sha256
from chain.types import TxId


def make_id(number: int) -> TxId:
    return TxId(sha256(number.to_bytes(8, "big")))


def test_what_was_added_is_never_called_absent_and_what_was_not_nearly_always() -> None:
    found = Filter(20)
    for number in range(40_000):
        found.add(make_id(number))
    assert found.count == 40_000
    assert not any(found.is_absent(make_id(number)) for number in range(40_000))
    undecided = sum(not found.is_absent(make_id(number)) for number in range(40_000, 60_000))
    assert undecided < 1_000, "one in twenty at 26 bits for each key"


def test_an_id_is_new_only_where_every_block_in_which_it_may_have_run_is_known() -> None:
    recent = RecentIds(since_ms=5_000)
    recent.add_block([make_id(1)], timestamp_ms=5_000)
    assert recent.is_new(make_id(2), earliest_ms=5_000)
    assert not recent.is_new(make_id(2), earliest_ms=4_999), "it may have run before: the database must be asked"
    assert not recent.is_new(make_id(1), earliest_ms=5_000)
    assert RecentIds(ALWAYS_MS).is_new(make_id(2), earliest_ms=-1_000)


def test_a_generation_that_is_forgotten_moves_the_time_from_which_ids_are_known() -> None:
    recent = RecentIds(ALWAYS_MS, ids_max=2)
    for block in range(6):
        recent.add_block([make_id(2 * block), make_id(2 * block + 1)], timestamp_ms=1_000 * block)
        known_from = recent.since_ms
        for number in range(2 * block + 2):
            ran_ms = 1_000 * (number // 2)
            assert not recent.is_new(make_id(number), earliest_ms=ran_ms), (block, number)
        assert known_from == (ALWAYS_MS if block < 2 else 1_000 * (block - 1))


def test_a_group_is_told_of_only_as_long_as_it_is_kept_whole() -> None:
    groups = KeyGroups()
    assert not groups.has_group(b"a")
    assert not groups.is_absent(b"a", b"a1"), "nothing is known of a group that was not read"
    groups.put_group(b"a", [b"a1"])
    groups.add(b"a", b"a2")
    assert groups.has_group(b"a")
    assert [groups.is_absent(b"a", key) for key in (b"a1", b"a2", b"a3")] == [False, False, True]
    groups.put_group(b"b", None)
    groups.add(b"b", b"b1")
    assert groups.has_group(b"b")
    assert not groups.is_absent(b"b", b"b2"), "too many to be read: the database is asked"


@pytest.mark.parametrize("count", [24, 60])
def test_the_group_kept_longest_makes_room_and_is_not_read_again(count: int) -> None:
    groups = KeyGroups()
    for number in range(count):
        groups.put_group(b"%d" % number, [])
    assert all(groups.has_group(b"%d" % number) for number in range(count)), "each would be read again and again"
    kept = [number for number in range(count) if groups.is_absent(b"%d" % number, b"%d-key" % number)]
    assert kept == list(range(count - 24, count))
