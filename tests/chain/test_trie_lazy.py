"""Lazy pages: whatever waits in memory, what is on disk leads back to the same tree after every block."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import trie_lazy
from chain.errors import StoreError
from chain.trie import MAP, SUM, Leaf, sum_operation
from chain.trie_lazy import TOUCHED_BYTES
from chain.trie_storage import (
    decode_root_record,
    encode_leaf_key,
    encode_root_key,
    encode_root_record,
    encode_touched_key,
)
from chain.trie_tree import Tree
from tests.chain.test_trie_tree import KEY_SHAPES, Leaves, make_batch
from tests.chain.trie_twin import DictStore, build_map_root

TAG = b"x"
MAP_SHAPES = [shape for shape in KEY_SHAPES if shape.startswith("map")]


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pages grow old within a few blocks."""
    monkeypatch.setattr(trie_lazy, "BLOCKS_MAX", 5)
    monkeypatch.setattr(trie_lazy, "AGED_MAX", 7)
    yield


def copy_store(store: DictStore) -> DictStore:
    copied = DictStore()
    copied.records = dict(store.records)
    return copied


def grow(
    source: random.Random, shape: str, *, pages_max: int, cache_max: int = 10_000, blocks: int = 40
) -> Iterator[tuple[DictStore, Tree, Leaves]]:
    """Yield the store, the tree and its leaves after each of some random blocks."""
    make_key = KEY_SHAPES[shape][1]
    store, leaves = DictStore(), Leaves()
    tree = Tree(MAP, TAG, store, cache_max, pages_max)
    for height in range(blocks):
        size = source.choice([0, 1, 2, 9, 30, 90])
        pending = tree.begin()
        for _ in range(source.choice([1, 1, 2])):
            pending.update(make_batch(source, MAP, make_key, leaves, size=size, shrink=height % 20 >= 12))
        store.commit(tree, pending, height=height)
        yield store, tree, leaves


def get_low_water(store: DictStore) -> int:
    return decode_root_record(store.records[encode_root_key(TAG)], MAP).low_water_height


@pytest.mark.parametrize("shape", MAP_SHAPES)
@pytest.mark.parametrize("pages_max", [0, 1, 6, 40, 1_000])
def test_a_tree_opened_after_any_block_is_the_tree_that_was_left(shape: str, pages_max: int) -> None:
    source = random.Random(f"{shape} {pages_max}")
    for store, tree, leaves in grow(source, shape, pages_max=pages_max):
        root = build_map_root(leaves)
        opened = Tree(MAP, TAG, copy_store(store), 10_000, pages_max)
        assert tree.root_bytes == opened.root_bytes == root
        # Each page and bucket is checked against its parent on the way.
        assert {entry[:32]: entry[32:] for entry in opened.entries()} == leaves
        for key in [*sorted(leaves)[:3], source.randbytes(32)]:
            assert opened.prove(key) == tree.prove(key)
        assert len(tree.lazy.pages) <= pages_max
        assert len(opened.lazy.pages) <= pages_max


@given(seed=st.integers(min_value=0, max_value=2**32), pages_max=st.sampled_from([1, 5, 30, 500]))
def test_a_chain_that_stops_anywhere_goes_on_like_one_that_never_did(seed: int, pages_max: int) -> None:
    source = random.Random(seed)
    make_key = KEY_SHAPES["map-uniform"][1]
    store, leaves = DictStore(), Leaves()
    tree = Tree(MAP, TAG, store, source.choice([1, 20, 10_000]), pages_max)
    for height in range(25):
        if source.random() < 0.3:
            tree = Tree(MAP, TAG, store, source.choice([1, 20, 10_000]), pages_max)
        dropped = tree.begin()
        dropped.update(make_batch(source, MAP, make_key, dict(leaves), size=20, shrink=source.random() < 0.5))
        dropped.writes(height=height)
        pending = tree.begin()
        pending.update(make_batch(source, MAP, make_key, leaves, size=source.choice([1, 40]), shrink=False))
        following = pending.begin()
        after = dict(leaves)
        following.update(make_batch(source, MAP, make_key, after, size=5, shrink=True))
        store.commit(tree, pending, height=2 * height)
        assert tree.root_bytes == build_map_root(leaves)
        leaves = after
        store.commit(tree, following, height=2 * height + 1)
        assert tree.root_bytes == build_map_root(leaves)
    assert {entry[:32]: entry[32:] for entry in Tree(MAP, TAG, store).entries()} == leaves


def test_pages_that_wait_are_written_in_the_order_of_their_age_and_lists_go_with_them() -> None:
    source = random.Random(8)
    low_before = -1
    waits = set()
    for height, (store, tree, _) in enumerate(grow(source, "map-uniform", pages_max=25, blocks=80)):
        low = get_low_water(store)
        assert low_before <= low <= height
        lists = sorted(key for key in store.records if key.startswith(TAG + b"L"))
        assert lists == [encode_touched_key(TAG, other) for other in range(low + 1, height + 1)]
        assert (low == height) == (not tree.lazy.pages)
        low_before = low
        waits.add(height - low)
    assert max(waits) >= 5, "nothing ever waited for long"
    assert len(waits) > 3


def test_a_block_writes_few_pages_where_many_may_wait() -> None:
    def count_pages(pages_max: int) -> int:
        source = random.Random(3)
        store, leaves = DictStore(), Leaves()
        tree = Tree(MAP, TAG, store, 10_000, pages_max)
        first = tree.begin()
        first.update(make_batch(source, MAP, KEY_SHAPES["map-uniform"][1], leaves, size=4_000, shrink=False))
        store.commit(tree, first, height=0)
        written = 0
        for height in range(1, 5):
            pending = tree.begin()
            pending.update([(key, source.randbytes(32)) for key in source.sample(sorted(leaves), 200)])
            written += sum(1 for _, value in pending.writes(height=height) if value and value[:1] == b"P")
            store.commit(tree, pending, height=height)
        return written

    assert count_pages(0) > 50
    assert count_pages(1_000) == 0


def test_a_place_where_many_keys_agree_in_their_first_bytes_is_hashed_again_below() -> None:
    store, leaves = DictStore(), Leaves()
    tree = Tree(MAP, TAG, store, 10_000, 1_000)
    prefix = b"\x5a" * TOUCHED_BYTES
    keys = [prefix + number.to_bytes(2, "big") * 12 for number in range(0, 60_000, 700)]
    for height, chosen in enumerate((keys, keys[3:9], keys[50:60], keys[:1])):
        pending = tree.begin()
        batch = [(key, bytes([height]) * 32) for key in chosen]
        leaves.update(batch)
        pending.update(batch)
        store.commit(tree, pending, height=height)
    assert tree.lazy.pages, "nothing waits: the test would prove nothing"
    opened = Tree(MAP, TAG, store)
    assert opened.root_bytes == build_map_root(leaves)
    assert {entry[:32]: entry[32:] for entry in opened.entries()} == leaves


def build_waiting() -> tuple[DictStore, Tree]:
    """Return a tree of which pages wait."""
    for store, tree, _ in grow(random.Random(5), "map-uniform", pages_max=1_000, blocks=20):
        if get_low_water(store) < tree.height - 2 and store.records[encode_touched_key(TAG, tree.height)]:
            return store, tree
    raise AssertionError("nothing waits")


def test_a_list_that_is_missing_or_damaged_is_refused() -> None:
    store, tree = build_waiting()
    for change in (None, b"short"):
        damaged = copy_store(store)
        if change is None:
            del damaged.records[encode_touched_key(TAG, tree.height)]
        else:
            damaged.records[encode_touched_key(TAG, tree.height)] = change
        with pytest.raises(StoreError, match="list of"):
            Tree(MAP, TAG, damaged)


def test_a_list_that_lacks_places_or_a_leaf_that_changed_contradicts_the_root() -> None:
    store, tree = build_waiting()
    damaged = copy_store(store)
    for height in range(get_low_water(store) + 1, tree.height + 1):
        damaged.records[encode_touched_key(TAG, height)] = b""
    with pytest.raises(StoreError, match="contradicts the root"):
        Tree(MAP, TAG, damaged)
    place = store.records[encode_touched_key(TAG, tree.height)][:TOUCHED_BYTES]
    leaf = next(key for key in sorted(store.records) if key.startswith(encode_leaf_key(TAG, place)))
    record = bytearray(store.records[leaf])
    record[-1] ^= 1
    store.records[leaf] = bytes(record)
    with pytest.raises(StoreError, match="contradicts the root"):
        Tree(MAP, TAG, store)


def test_a_low_water_height_above_the_head_or_of_a_sum_tree_is_refused() -> None:
    store, _ = build_waiting()
    record = decode_root_record(store.records[encode_root_key(TAG)], MAP)
    changed = type(record)(root=record.root, height=record.height, low_water_height=record.height + 1, pin=0)
    store.records[encode_root_key(TAG)] = encode_root_record(changed, MAP)
    with pytest.raises(StoreError, match="low-water"):
        Tree(MAP, TAG, store)
    sums = DictStore()
    sum_tree = Tree(SUM, TAG, sums)
    pending = sum_tree.begin()
    pending.update([sum_operation(x=1, pseudonym=bytes(32), leaf=Leaf(weight=1, rem=0))])
    sums.commit(sum_tree, pending, height=4)
    record = decode_root_record(sums.records[encode_root_key(TAG)], SUM)
    changed = type(record)(root=record.root, height=record.height, low_water_height=3, pin=0)
    sums.records[encode_root_key(TAG)] = encode_root_record(changed, SUM)
    with pytest.raises(StoreError, match="low-water"):
        Tree(SUM, TAG, sums)
