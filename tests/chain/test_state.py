"""The overlay: reads through, rolls back, derives nothing by itself."""

from typing import TypeVar

import msgspec
import pytest

from chain.codec import Codec
from chain.errors import InvariantViolation
from chain.state import Overlay, PoolKey, Table
from chain.trie import SUM
from chain.trie_tree import Pending, Tree

V = TypeVar("V", bound=msgspec.Struct)
POOL: PoolKey = ("demo", 0)


class Thing(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    value: int


THING = Table("thing", Thing)
P = bytes(range(32))


class Ground:
    """Committed state in a dict, and an empty tree."""

    def __init__(self, **things: int) -> None:
        self.things = {THING.key(name): Thing(value=value) for name, value in things.items()}
        self.tree = Tree(SUM, b"p", NoRecords())

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        thing = self.things.get(key)
        return None if thing is None else codec.decode(msgspec.msgpack.encode(thing))

    def open_pool_tree(self, pool: PoolKey) -> Pending:
        assert pool == POOL
        return self.tree.begin()


class NoRecords:
    def get(self, key: bytes, /) -> bytes | None:
        return None

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        return []


def test_a_change_hides_the_committed_record_and_a_deletion_too() -> None:
    overlay = Overlay(Ground(a=1, b=2))
    overlay.put(THING, Thing(value=9), "a")
    overlay.delete(THING, "b")
    assert overlay.get(THING, "a") == Thing(value=9)
    assert overlay.get(THING, "b") is None
    assert overlay.get_changes() == [(THING.key("a"), Thing(value=9)), (THING.key("b"), None)]


def test_a_rollback_restores_records_and_leaves_to_the_mark() -> None:
    overlay = Overlay(Ground(a=1))
    overlay.put(THING, Thing(value=2), "a")
    overlay.set_leaf(POOL, 5, P, (1, 0))
    mark = overlay.savepoint()
    overlay.put(THING, Thing(value=3), "a")
    overlay.put(THING, Thing(value=3), "new")
    overlay.set_leaf(POOL, 5, P, None)
    overlay.set_leaf(POOL, 6, P, (1, 0))
    overlay.rollback(mark)
    assert overlay.get(THING, "a") == Thing(value=2)
    assert overlay.get(THING, "new") is None
    assert overlay.get_changes() == [(THING.key("a"), Thing(value=2))]
    assert overlay.get_leaf_changes() == [(POOL, (5, P), (1, 0))]
    sums = overlay.tree(POOL).range_sums(0)
    assert (sums.count, sums.weight_x) == (1, 5)


def test_leaf_changes_are_told_in_order_until_they_are_in_the_tree() -> None:
    overlay = Overlay(Ground())
    later = (POOL[0], POOL[1] + 1)
    for pool, x, leaf in ((later, 1, None), (POOL, 7, (1, 0)), (POOL, 6, None), (POOL, 7, (2, 1))):
        overlay.set_leaf(pool, x, P, leaf)
    assert overlay.get_leaf_changes() == [(POOL, (6, P), None), (POOL, (7, P), (2, 1)), (later, (1, P), None)]
    overlay.tree(POOL)
    assert overlay.get_leaf_changes() == [(later, (1, P), None)]


def test_what_was_flushed_to_a_tree_or_released_cannot_be_rolled_back() -> None:
    overlay = Overlay(Ground())
    mark = overlay.savepoint()
    overlay.set_leaf(POOL, 5, P, (1, 0))
    overlay.tree(POOL)
    with pytest.raises(InvariantViolation):
        overlay.rollback(mark)
    later = overlay.savepoint()
    overlay.put(THING, Thing(value=1), "a")
    overlay.release()
    with pytest.raises(InvariantViolation):
        overlay.rollback(later)


def test_a_record_that_must_exist_and_does_not_is_our_own_fault() -> None:
    with pytest.raises(InvariantViolation, match="thing"):
        Overlay(Ground()).require(THING, "a")


def test_the_keys_written_since_a_mark_are_listed_once_each() -> None:
    overlay = Overlay(Ground())
    overlay.put(THING, Thing(value=1), "a")
    mark = overlay.savepoint()
    for name in ("b", "c", "b"):
        overlay.put(THING, Thing(value=1), name)
    assert list(overlay.changed(mark)) == [THING.key("b"), THING.key("c")]


def test_keys_of_different_fields_never_collide() -> None:
    keys = {THING.key("a", "b"), THING.key("ab"), THING.key(b"ab"), THING.key("a", 1), THING.key("a", "1")}
    assert len(keys) == 5
    assert THING.key("a", 7).startswith(THING.prefix("a", arity=2))
