"""Records of the trees, byte by byte: the format on disk is final (state-tree 4)."""

import hashlib

import pytest

from chain.errors import StoreError
from chain.trie import MAP, SUM, Flavour, Root, Sums
from chain.trie_storage import (
    RootRecord,
    are_kinds_valid,
    decode_page,
    decode_root_record,
    encode_leaf,
    encode_leaf_key,
    encode_page,
    encode_record_key,
    encode_root_key,
    encode_root_record,
    read_bucket,
)
from chain.trie_tree import Tree
from chain.types import Hash
from tests.chain.trie_twin import DictStore


def fill(flavour: Flavour, count: int) -> tuple[DictStore, Tree, dict[bytes, bytes]]:
    """Return a store with one committed tree of `count` leaves."""
    leaves = {}
    for number in range(count):
        digest = hashlib.sha256(b"%d" % number).digest()
        if flavour is MAP:
            leaves[digest] = digest[::-1]
        else:
            leaves[digest[:4] + digest] = bytes((0, 0, 1, number % 256)) + bytes((0, 0, 0, 0, 0, 0, 0, number % 256))
    store = DictStore()
    tree = Tree(flavour, b"t", store)
    pending = tree.begin()
    pending.update(leaves.items())
    store.commit(tree, pending)
    return store, tree, leaves


@pytest.mark.parametrize(
    ("node", "key"),
    [
        (0b1, "746e00"),
        (0b1_01, "746e0140"),
        (0b1_11_10, "746e02e0"),
        (0b1_00_01_10_11, "746e041b"),
        (0b1_00_01_10_11_10, "746e051b80"),
    ],
)
def test_record_key_is_tag_depth_and_left_aligned_path(node: int, key: str) -> None:
    assert encode_record_key(b"t", node).hex() == key


def test_deepest_record_key_holds_the_whole_path() -> None:
    assert encode_record_key(b"t", 1 << 288 | 5) == b"tn\x90" + bytes(35) + b"\x05"


def test_leaf_lies_under_its_tree_key_with_pin_and_tail() -> None:
    assert encode_leaf_key(b"t", b"k" * 32) == b"te" + b"k" * 32
    assert encode_leaf(b"v" * 32, pin=3) == b"\x00\x00\x00\x03" + b"v" * 32


def make_leaves(*keys: bytes) -> DictStore:
    """Return a store of leaves, and of neighbours that belong to no bucket."""
    store = DictStore()
    store.write([(b"td" + b"\xff" * 40, b"before"), (b"tf", b"behind")])
    store.write([(encode_leaf_key(b"t", key), encode_leaf(key[::-1], pin=0)) for key in keys])
    return store


FIRST, LAST = bytes(32), b"\xff" * 32
MIDDLE = b"\x40" + bytes(31), b"\x7f" + b"\xff" * 31


@pytest.mark.parametrize(
    ("node", "keys"),
    [
        (0b1, (FIRST, *MIDDLE, LAST)),
        (0b1_00, (FIRST,)),
        (0b1_01, MIDDLE),
        (0b1_01_00, MIDDLE[:1]),
        (0b1_01_11_11, MIDDLE[1:]),
        (0b1_11, (LAST,)),
        (1 << 256, (FIRST,)),
        ((1 << 257) - 1, (LAST,)),
    ],
)
def test_bucket_is_the_leaves_under_its_path(node: int, keys: tuple[bytes, ...]) -> None:
    store = make_leaves(FIRST, *MIDDLE, LAST)
    assert read_bucket(store, b"t", node, MAP) == b"".join(key + key[::-1] for key in keys)


def test_page_record_is_tag_pin_and_for_each_node_slot_kinds_records() -> None:
    top = b"\x11" + bytes((3, 0, 255, 0)) + b"a" * 32 + b"b" * 32
    child = b"\x11" + bytes((16, 1, 0, 0)) + b"c" * 32 + b"d" * 32
    record = (
        b"P\x00\x00\x00\x00"
        + b"\x00" + bytes((3, 0, 255, 0)) + b"a" * 32 + b"b" * 32
        + b"\x03" + bytes((16, 1, 0, 0)) + b"c" * 32 + b"d" * 32
    )  # fmt: skip
    page = [top, b"", b"", child, b""]
    assert encode_page(page, pin=0) == record
    assert decode_page(record, MAP) == page


def test_page_record_of_a_sum_tree_has_sums_in_its_child_records() -> None:
    top = b"\x13" + bytes((16, 1, 0, 0)) + b"c" * 72 + b"d" * 72
    record = encode_page([top, b"", b"", b"", b""], pin=0)
    assert len(record) == 5 + 5 + 144
    assert decode_page(record, SUM)[0] == top


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"P\x00\x00\x00\x00",
        b"P\x00\x00\x00\x00" + b"\x01" + bytes((3, 0, 0, 0)) + b"a" * 32,
        b"P\x00\x00\x00\x00" + b"\x00" + bytes((17, 0, 0, 0)) + b"a" * 32,
        b"P\x00\x00\x00\x00" + b"\x00" + bytes((3, 0, 0, 0)) + b"a" * 31,
        b"P\x00\x00\x00\x00" + b"\x00" + bytes((3, 0, 0)),
        b"P\x00\x00\x00\x00" + b"\x00" + bytes((255, 0, 0, 0)) + b"a" * 32,
        b"P\x00\x00\x00\x00" + (b"\x00" + bytes((3, 0, 0, 0)) + b"a" * 32) * 2,
        b"P\x00\x00\x00\x00" + b"\x05" + bytes((3, 0, 0, 0)) + b"a" * 32,
    ],
)
def test_damaged_page_record_is_a_store_error(record: bytes) -> None:
    with pytest.raises(StoreError):
        decode_page(record, MAP)


def test_bucket_without_leaves_or_with_too_many_is_a_store_error() -> None:
    with pytest.raises(StoreError):
        read_bucket(make_leaves(FIRST, LAST), b"t", 0b1_10, MAP)
    sixteen = [bytes([number]) * 32 for number in range(16)]
    assert len(read_bucket(make_leaves(*sixteen), b"t", 1, MAP)) == 16 * 64
    with pytest.raises(StoreError):
        read_bucket(make_leaves(*sixteen, LAST), b"t", 1, MAP)


@pytest.mark.parametrize(("key", "record"), [(b"te" + FIRST[1:], bytes(36)), (b"te" + FIRST, bytes(35)), (b"te", b"")])
def test_damaged_leaf_is_a_store_error(key: bytes, record: bytes) -> None:
    store = DictStore()
    store.write([(key, record)])
    with pytest.raises(StoreError):
        read_bucket(store, b"t", 1, MAP)


def test_root_records_keep_root_heights_and_pin() -> None:
    sums = Sums(count=20, weight=2**33, weight_x=2**65, rem=7)
    record = RootRecord(root=Root(kind=255, hash=Hash(b"h" * 32), sums=sums), height=9, low_water_height=8, pin=7)
    data = encode_root_record(record, SUM)
    assert len(data) == 33 + 40 + 20
    assert data[73:].hex() == "0000000000000009000000000000000800000007"
    assert decode_root_record(data, SUM) == record
    assert len(encode_root_record(record, SUM)) == len(data)
    with pytest.raises(StoreError):
        decode_root_record(data, MAP)
    with pytest.raises(StoreError):
        decode_root_record(data[:-1], SUM)


def test_root_record_of_a_map_has_no_sums() -> None:
    store = DictStore()
    tree = Tree(MAP, b"tag", store)
    pending = tree.begin()
    pending.update([(b"k" * 32, b"v" * 32)])
    store.commit(tree, pending)
    assert encode_root_key(b"tag") == b"tagR"
    assert len(store.records[b"tagR"]) == 33 + 20
    assert store.records[b"tage" + b"k" * 32] == bytes(4) + b"v" * 32


@pytest.mark.parametrize("flavour", [MAP, SUM], ids=["map", "sum"])
@pytest.mark.parametrize("count", [0, 1, 16, 17, 300])
def test_entries_are_all_leaves_in_key_order(flavour: Flavour, count: int) -> None:
    _, tree, leaves = fill(flavour, count)
    assert list(tree.entries()) == [key + leaves[key] for key in sorted(leaves)]
    pending = tree.begin()
    pending.update([(min(leaves), None)] if leaves else [])
    assert list(pending.entries()) == [key + leaves[key] for key in sorted(leaves)[1:]]


@pytest.mark.parametrize("flavour", [MAP, SUM], ids=["map", "sum"])
def test_every_changed_byte_of_every_record_is_found_by_reading_all_entries(flavour: Flavour) -> None:
    store, _, _ = fill(flavour, 40)
    keys = [key for key in sorted(store.records) if key[1:2] in (b"n", b"e")]
    assert {key[1:2] for key in keys} == {b"n", b"e"}
    for key in keys:
        good = store.records[key]
        pin = range(1, 5) if key[1:2] == b"n" else range(4)
        for at in range(len(good)):
            if at in pin:
                continue  # the pin tells which settlement wrote the record; no hash covers it
            store.records[key] = good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]
            with pytest.raises(StoreError):
                list(Tree(flavour, b"t", store).entries())
        store.records[key] = good


@pytest.mark.parametrize("flavour", [MAP, SUM], ids=["map", "sum"])
def test_a_lost_leaf_is_found_by_whoever_comes_to_its_bucket(flavour: Flavour) -> None:
    store, _, leaves = fill(flavour, 40)
    for key in sorted(leaves):
        lost = DictStore()
        lost.write((name, record) for name, record in store.records.items() if name != encode_leaf_key(b"t", key))
        with pytest.raises(StoreError):
            list(Tree(flavour, b"t", lost).entries())
        with pytest.raises(StoreError):
            Tree(flavour, b"t", lost).prove(key)
        with pytest.raises(StoreError):
            Tree(flavour, b"t", lost).begin().update([(key, leaves[key])])


def test_a_root_record_with_other_sums_than_the_leaves_is_found_by_reading_all_entries() -> None:
    store, tree, _ = fill(SUM, 40)
    root = tree.root
    wrong = Root(kind=root.kind, hash=root.hash, sums=root.sums + Sums(count=0, weight=1, weight_x=0, rem=0))
    record = RootRecord(root=wrong, height=0, low_water_height=0, pin=0)
    store.records[encode_root_key(b"t")] = encode_root_record(record, SUM)
    with pytest.raises(StoreError):
        list(Tree(SUM, b"t", store).entries())


def test_a_node_whose_sums_are_not_those_of_its_leaves_is_found_although_all_hashes_fit() -> None:
    # As if the node had been written wrong from the start: its parent's hash covers the wrong sums.
    store, tree, _ = fill(SUM, 40)
    page = decode_page(store.records[encode_record_key(b"t", 1)], SUM)
    page[0] = page[0][:-1] + bytes((page[0][-1] ^ 1,))
    store.records[encode_record_key(b"t", 1)] = encode_page(page, pin=0)
    digest = Hash(hashlib.sha256(page[0]).digest())
    record = RootRecord(root=Root(kind=255, hash=digest, sums=tree.root.sums), height=0, low_water_height=0, pin=0)
    store.records[encode_root_key(b"t")] = encode_root_record(record, SUM)
    with pytest.raises(StoreError, match="add up"):
        list(Tree(SUM, b"t", store).entries())


def test_kinds_are_0_to_16_or_255() -> None:
    assert are_kinds_valid(bytes((0, 16, 255, 1)))
    assert not are_kinds_valid(bytes((0, 17, 0, 0)))
    assert not are_kinds_valid(bytes((0, 254, 0, 0)))
    assert not are_kinds_valid(bytes(3))
