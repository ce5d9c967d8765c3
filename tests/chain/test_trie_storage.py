"""Records of the trees, byte by byte: the format on disk is final (state-tree 4)."""

import pytest

from chain.errors import StoreError
from chain.trie import MAP, SUM, Root, Sums
from chain.trie_storage import (
    RootRecord,
    are_kinds_valid,
    decode_bucket,
    decode_page,
    decode_root_record,
    encode_bucket,
    encode_page,
    encode_record_key,
    encode_root_key,
    encode_root_record,
)
from chain.trie_tree import Tree
from chain.types import Hash
from tests.chain.trie_twin import DictStore


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


def test_bucket_record_is_tag_pin_and_entries() -> None:
    assert encode_bucket(b"e" * 64, pin=3) == b"B\x00\x00\x00\x03" + b"e" * 64
    assert decode_bucket(b"B\x00\x00\x00\x03" + b"e" * 64, MAP) == b"e" * 64


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


@pytest.mark.parametrize("entries", [b"", b"e" * 63, b"e" * 64 * 17])
def test_damaged_bucket_record_is_a_store_error(entries: bytes) -> None:
    with pytest.raises(StoreError):
        decode_bucket(b"B\x00\x00\x00\x00" + entries, MAP)


def test_root_records_keep_root_heights_and_pin() -> None:
    sums = Sums(count=20, weight=2**33, weight_x=2**65, rem=7)
    record = RootRecord(
        root=Root(kind=255, hash=Hash(b"h" * 32), sums=sums), height=9, low_water_height=8, pin=7
    )
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
    assert store.records[b"tagn\x00"] == b"B\x00\x00\x00\x00" + b"k" * 32 + b"v" * 32


def test_kinds_are_0_to_16_or_255() -> None:
    assert are_kinds_valid(bytes((0, 16, 255, 1)))
    assert not are_kinds_valid(bytes((0, 17, 0, 0)))
    assert not are_kinds_valid(bytes((0, 254, 0, 0)))
    assert not are_kinds_valid(bytes(3))
