"""Trees under random blocks against a naive twin: discarded and stacked proposals, reopenings."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import InvariantViolation, StoreError
from chain.store import Store
from chain.trie import MAP, SUM, Flavour, Leaf, Operation, Sums, sum_key, sum_operation, unpack_sums
from chain.trie_storage import encode_record_key, encode_root_key
from chain.trie_tree import Pending, Tree
from chain.types import ChainId
from tests.chain.trie_twin import DictStore, add_up, build_map_root, build_sum_root

Leaves = dict[bytes, bytes]
MakeKey = Callable[[random.Random], bytes]

KEY_SHAPES: dict[str, tuple[Flavour, MakeKey]] = {
    "map-uniform": (MAP, lambda source: source.randbytes(32)),
    "map-few-keys": (MAP, lambda source: bytes([source.randrange(48)]) * 32),
    "map-common-prefix": (MAP, lambda source: b"\xaa" * 29 + source.randbytes(3)),
    "map-last-bits": (MAP, lambda source: b"\xaa" * 31 + bytes([source.randrange(64)])),
    "sum-uniform": (SUM, lambda source: source.randbytes(4) + source.randbytes(32)),
    "sum-few-x": (SUM, lambda source: bytes([0, 0, 0, source.randrange(3)]) + source.randbytes(32)),
    "sum-sequential-pseudonyms": (SUM, lambda source: source.randrange(300).to_bytes(36, "big")),
    "sum-dense-x": (SUM, lambda source: source.randrange(200).to_bytes(4, "big") + b"\x07" * 32),
}


def make_tail(source: random.Random, flavour: Flavour) -> bytes:
    if flavour is MAP:
        return source.randbytes(32)
    weight = source.choice([1, 2, 100, 2**32 - 1, source.randrange(1, 2**32)])
    return weight.to_bytes(4, "big") + source.randrange(weight).to_bytes(8, "big")


def make_batch(
    source: random.Random, flavour: Flavour, make_key: MakeKey, leaves: Leaves, *, size: int, shrink: bool
) -> list[Operation]:
    """Draw inserts, replacements and deletes (some of absent keys) and carry them out on `leaves`."""
    batch: list[Operation] = []
    present = sorted(leaves)
    for _ in range(size):
        roll = source.random()
        if present and roll < (0.75 if shrink else 0.25):
            batch.append((source.choice(present), None))
        elif present and roll < 0.8:
            batch.append((source.choice(present), make_tail(source, flavour)))
        elif roll < 0.84:
            batch.append((make_key(source), None))
        else:
            batch.append((make_key(source), make_tail(source, flavour)))
    for key, tail in batch:
        if tail is None:
            leaves.pop(key, None)
        else:
            leaves[key] = tail
    return batch


def build_root(flavour: Flavour, leaves: Leaves) -> bytes:
    return build_map_root(leaves) if flavour is MAP else build_sum_root(leaves)


@pytest.mark.parametrize("shape", KEY_SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_every_block_has_the_root_of_a_fresh_rebuild(shape: str, seed: int) -> None:
    flavour, make_key = KEY_SHAPES[shape]
    source = random.Random(f"{shape} {seed}")
    store = DictStore()
    leaves: Leaves = {}
    cache_entries_max = source.choice([1, 8, 64, 10_000])
    tree = Tree(flavour, b"x", store, cache_entries_max)
    for block in range(60):
        shrink = block % 20 >= 12
        size = source.choice([0, 1, 2, 9, 30, 90])
        if source.random() < 0.3:
            discarded = tree.begin()
            discarded.update(make_batch(source, flavour, make_key, dict(leaves), size=size, shrink=not shrink))
            discarded.writes()
        pending = tree.begin()
        for _ in range(source.choice([1, 1, 2, 3])):
            pending.update(make_batch(source, flavour, make_key, leaves, size=size, shrink=shrink))
            assert pending.root_bytes == build_root(flavour, leaves)
        store.commit(tree, pending)
        assert tree.root_bytes == build_root(flavour, leaves)
        assert tree.cache_entries <= cache_entries_max
        if source.random() < 0.2:
            tree = Tree(flavour, b"x", store, cache_entries_max)
            assert tree.root_bytes == build_root(flavour, leaves)
        if block % 5 == 0:
            assert list(tree.entries()) == [key + leaves[key] for key in sorted(leaves)]
            assert store.records == build_records(flavour, leaves, flavour is MAP or bool(store.records))


def build_records(flavour: Flavour, leaves: Leaves, is_written: bool) -> dict[bytes, bytes]:
    """Return what a store holds that never held any other leaves: nothing is left over from other shapes."""
    store = DictStore()
    tree = Tree(flavour, b"x", store)
    pending = tree.begin()
    pending.update(leaves.items())
    if is_written:
        store.commit(tree, pending)
    return store.records


def test_the_cache_forgets_what_the_tree_no_longer_has() -> None:
    tree = Tree(MAP, b"x", DictStore())
    keys = [bytes([number]) * 32 for number in range(100)]
    for tails in ([bytes(32)] * 100, [None] * 100):
        pending = tree.begin()
        pending.update(zip(keys, tails, strict=True))
        pending.writes()
        tree.commit(pending)
    assert tree.cache_entries == 0


@pytest.mark.parametrize("shape", ["map-uniform", "map-last-bits", "sum-few-x", "sum-sequential-pseudonyms"])
def test_stacked_proposals_see_each_other_and_commit_in_order(shape: str) -> None:
    flavour, make_key = KEY_SHAPES[shape]
    source = random.Random(shape)
    store = DictStore()
    tree = Tree(flavour, b"x", store, 32)
    leaves: Leaves = {}
    stack: list[tuple[Pending, Leaves]] = []
    for _ in range(150):
        below, known = stack[-1] if stack else (None, leaves)
        if len(stack) < 3 and source.random() < 0.6:
            pending = below.begin() if below else tree.begin()
            own = dict(known)
            pending.update(make_batch(source, flavour, make_key, own, size=25, shrink=source.random() < 0.4))
            assert pending.root_bytes == build_root(flavour, own)
            stack.append((pending, own))
        elif stack and source.random() < 0.3:
            stack.pop()
        elif stack:
            pending, leaves = stack.pop(0)
            store.commit(tree, pending)
        assert tree.root_bytes == build_root(flavour, leaves)
        for pending, own in stack:
            assert pending.root_bytes == build_root(flavour, own)
            key = source.choice(sorted(own) or [bytes(flavour.key_bytes)])
            assert pending.entry(key) == own.get(key)
    assert Tree(flavour, b"x", store).root_bytes == build_root(flavour, leaves)


def test_side_by_side_proposals_over_one_parent_do_not_touch_each_other() -> None:
    store = DictStore()
    tree = Tree(MAP, b"x", store)
    source = random.Random(5)
    leaves: Leaves = {}
    base = tree.begin()
    base.update(make_batch(source, MAP, KEY_SHAPES["map-uniform"][1], leaves, size=200, shrink=False))
    store.commit(tree, base)
    before = dict(store.records)
    candidates = []
    for _ in range(4):
        own = dict(leaves)
        pending = tree.begin()
        pending.update(make_batch(source, MAP, KEY_SHAPES["map-uniform"][1], own, size=100, shrink=True))
        candidates.append((pending, own))
    assert store.records == before
    for pending, own in candidates:
        assert pending.root_bytes == build_map_root(own)
    assert tree.root_bytes == build_map_root(leaves)
    for key in sorted(leaves):
        assert tree.entry(key) == leaves[key]


@given(st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 3)), max_size=120), st.integers(1, 50))
def test_root_depends_on_the_set_alone_and_not_on_the_way_there(
    changes: list[tuple[int, int | None]], chunk: int
) -> None:
    operations: list[Operation] = [
        (bytes([number * 6]) * 32, None if value is None else bytes([value]) * 32) for number, value in changes
    ]
    tree = Tree(MAP, b"x", DictStore())
    pending = tree.begin()
    for start in range(0, len(operations), chunk):
        pending.update(operations[start : start + chunk])
    at_once = tree.begin()
    at_once.update(operations)
    assert pending.root == at_once.root
    last = dict(operations)
    assert at_once.root_bytes == build_map_root({key: tail for key, tail in last.items() if tail is not None})


def fill_sum_tree(source: random.Random, count: int) -> tuple[Tree, Leaves]:
    leaves: Leaves = {}
    operations = []
    for _ in range(count):
        weight = source.randrange(1, 101)
        key, tail = sum_operation(
            x=source.choice([0, 1, 2**31, 2**32 - 1, source.randrange(2**32), 345]),
            pseudonym=source.randbytes(32),
            leaf=Leaf(weight=weight, rem=source.randrange(weight)),
        )
        assert tail is not None
        leaves[key] = tail
        operations.append((key, tail))
    tree = Tree(SUM, b"x", DictStore())
    pending = tree.begin()
    pending.update(operations)
    pending.writes()
    tree.commit(pending)
    return tree, leaves


@pytest.mark.parametrize("count", [0, 1, 16, 17, 400])
def test_range_sums_equal_a_walk_over_all_leaves(count: int) -> None:
    source = random.Random(count)
    tree, leaves = fill_sum_tree(source, count)
    bounds = [
        -5,
        0,
        1,
        2,
        344,
        345,
        346,
        2**31,
        2**32 - 1,
        2**32,
        2**40,
        *(source.randrange(2**32) for _ in range(20)),
    ]
    for x_from in bounds:
        assert tree.range_sums(x_from) == Sums(*add_up(leaves, x_from=x_from))
        for x_end in bounds[::3]:
            assert tree.range_sums_between(x_from, x_end) == Sums(*add_up(leaves, x_from=x_from, x_end=x_end))


def test_select_walks_the_leaves_in_key_order() -> None:
    tree, leaves = fill_sum_tree(random.Random(3), 300)
    pending = tree.begin()
    assert [pending.select(rank) for rank in range(300)] == sorted(leaves)
    for rank in (-1, 300):
        with pytest.raises(IndexError):
            tree.select(rank)


def test_leaf_is_found_by_its_x_and_pseudonym_only() -> None:
    tree = Tree(SUM, b"x", DictStore())
    pending = tree.begin()
    pending.update([sum_operation(x=7, pseudonym=b"p" * 32, leaf=Leaf(weight=3, rem=2))])
    assert pending.leaf(sum_key(x=7, pseudonym=b"p" * 32)) == Leaf(weight=3, rem=2)
    assert pending.leaf(sum_key(x=8, pseudonym=b"p" * 32)) is None
    assert pending.leaf(sum_key(x=7, pseudonym=b"q" * 32)) is None


def test_a_key_is_found_in_a_bucket_only_at_an_entry_boundary() -> None:
    # The tail of one entry and the head of the next contain the bytes of a key that is not there.
    key = bytes([1]) * 32
    tail = bytes([1]) * 16 + bytes([2]) * 16
    tree = Tree(MAP, b"x", DictStore())
    pending = tree.begin()
    pending.update([(bytes([0]) * 32, key), (bytes([1]) * 31 + b"\x05", tail)])
    assert pending.entry(key) is None
    pending.update([(key, None)])
    assert pending.root_bytes == build_map_root({bytes([0]) * 32: key, bytes([1]) * 31 + b"\x05": tail})
    pending.update([(key, tail)])
    assert pending.root_bytes == build_map_root({bytes([0]) * 32: key, bytes([1]) * 31 + b"\x05": tail, key: tail})


def test_a_tree_in_leveldb_survives_closing_and_opening(tmp_path: Path) -> None:
    source = random.Random(8)
    leaves: Leaves = {}
    for _ in range(6):
        database = Store(tmp_path / "db", ChainId(bytes(32)))
        tree = Tree(SUM, b"x", database, 16)
        assert tree.root_bytes == build_sum_root(leaves)
        pending = tree.begin()
        pending.update(
            make_batch(source, SUM, KEY_SHAPES["sum-uniform"][1], leaves, size=120, shrink=len(leaves) > 250)
        )
        database.write(pending.writes())
        tree.commit(pending)
        reader = database.snapshot()
        snapshot = Tree(SUM, b"x", reader)
        assert snapshot.root_bytes == tree.root_bytes == build_sum_root(leaves)
        for key in sorted(leaves):
            assert snapshot.entry(key) == leaves[key]
        reader.close()
        database.close()


def test_many_trees_share_a_store_under_their_tags() -> None:
    store = DictStore()
    trees = [Tree(SUM, b"pool" + bytes([number]), store) for number in range(3)]
    for number, tree in enumerate(trees):
        pending = tree.begin()
        pending.update(sum_operation(x=x, pseudonym=b"p" * 32, leaf=Leaf(weight=1 + number, rem=0)) for x in range(50))
        store.commit(tree, pending)
    for number in range(3):
        reopened = Tree(SUM, b"pool" + bytes([number]), store)
        assert reopened.root == trees[number].root
        assert reopened.range_sums(0).weight == 50 * (1 + number)


def test_root_record_remembers_the_height_of_its_block() -> None:
    store = DictStore()
    tree = Tree(MAP, b"x", store)
    pending = tree.begin()
    pending.update([(b"k" * 32, b"v" * 32)])
    store.write(pending.writes(height=41))
    tree.commit(pending)
    assert tree.height == Tree(MAP, b"x", store).height == 41


def test_a_proposal_cannot_be_used_when_another_was_committed() -> None:
    store = DictStore()
    tree = Tree(MAP, b"x", store)
    loser, winner = tree.begin(), tree.begin()
    on_loser = loser.begin()
    winner.update([(b"k" * 32, b"v" * 32)])
    store.commit(tree, winner)
    for stale in (loser, on_loser):
        with pytest.raises(InvariantViolation):
            stale.update([(b"k" * 32, b"w" * 32)])
        with pytest.raises(InvariantViolation):
            stale.entry(b"k" * 32)
        with pytest.raises(InvariantViolation):
            tree.commit(stale)
    with pytest.raises(InvariantViolation):
        winner.update([(b"k" * 32, b"w" * 32)])


def test_a_proposal_cannot_be_used_when_its_parent_went_on() -> None:
    tree = Tree(MAP, b"x", DictStore())
    parent = tree.begin()
    child = parent.begin()
    parent.update([(b"k" * 32, b"v" * 32)])
    with pytest.raises(InvariantViolation):
        child.prove(b"k" * 32)


def test_a_proposal_cannot_be_committed_before_its_parent() -> None:
    tree = Tree(MAP, b"x", DictStore())
    child = tree.begin().begin()
    with pytest.raises(InvariantViolation):
        tree.commit(child)


def test_a_proposal_of_another_tree_cannot_be_committed() -> None:
    one, other = Tree(MAP, b"x", DictStore()), Tree(MAP, b"x", DictStore())
    with pytest.raises(InvariantViolation):
        one.commit(other.begin())


@pytest.mark.parametrize(
    ("flavour", "key", "tail"),
    [
        (MAP, bytes(31), bytes(32)),
        (MAP, bytes(32), bytes(31)),
        (SUM, bytes(32), bytes(12)),
        (SUM, bytes(36), bytes(12)),
        (SUM, bytes(36), bytes(3) + b"\x05" + bytes(7) + b"\x05"),
        (SUM, bytes(35), None),
    ],
)
def test_a_malformed_operation_changes_nothing(flavour: Flavour, key: bytes, tail: bytes | None) -> None:
    tree = Tree(flavour, b"x", DictStore())
    pending = tree.begin()
    good = (b"\x01" * flavour.key_bytes, bytes(3) + b"\x05" + bytes(flavour.tail_bytes - 4))
    with pytest.raises(InvariantViolation):
        pending.update([good, (key, tail)])
    assert pending.root == tree.root


def test_sums_of_a_map_are_refused() -> None:
    tree = Tree(MAP, b"x", DictStore())
    with pytest.raises(InvariantViolation):
        tree.range_sums(0)
    with pytest.raises(InvariantViolation):
        tree.select(0)
    with pytest.raises(InvariantViolation):
        tree.entry(bytes(36))


def test_a_missing_or_damaged_record_is_a_store_error() -> None:
    store = DictStore()
    tree = Tree(MAP, b"x", store)
    pending = tree.begin()
    pending.update([(bytes([number]) * 32, bytes(32)) for number in range(40)])
    store.commit(tree, pending)
    root_page = encode_record_key(b"x", 1)
    good = store.records[root_page]
    for damaged in (None, b"", good[:-1], good + b"\x00", b"B" + good[1:], good[:5] + b"\x01" + good[6:]):
        store.write([(root_page, damaged)])
        with pytest.raises(StoreError):
            Tree(MAP, b"x", store).entry(bytes(32))
    store.write([(root_page, good)])
    leaf = next(key for key in sorted(store.records) if key.startswith(b"xe"))
    good = store.records[leaf]
    for damaged in (None, b"", good[:-1], good + bytes(1)):
        store.write([(leaf, damaged)])
        with pytest.raises(StoreError):
            for number in range(40):
                Tree(MAP, b"x", store).entry(bytes([number]) * 32)
    store.write([(encode_root_key(b"x"), b"short")])
    with pytest.raises(StoreError):
        Tree(MAP, b"x", store)


def test_committed_records_are_served_from_the_cache() -> None:
    store = DictStore()
    tree = Tree(SUM, b"x", store)
    pending = tree.begin()
    pending.update(sum_operation(x=x, pseudonym=bytes(32), leaf=Leaf(weight=1, rem=0)) for x in range(500))
    store.commit(tree, pending)
    gets = store.gets
    for x in range(500):
        assert tree.leaf(sum_key(x=x, pseudonym=bytes(32))) == Leaf(weight=1, rem=0)
    assert store.gets == gets
    assert unpack_sums(tree.packed_root.sums).count == 500
