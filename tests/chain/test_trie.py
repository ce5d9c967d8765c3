"""The commitment of the authenticated trees: shape, hashes, golden vectors (state-tree 3)."""

import hashlib
import json
from pathlib import Path

import pytest

from chain.errors import DecodeError, InvariantViolation
from chain.trie import (
    EMPTY_ROOT,
    MAP,
    NO_SUMS,
    SUM,
    Leaf,
    Operation,
    Root,
    Sums,
    compute_map_root_hash,
    decode_leaf,
    decode_root,
    encode_leaf,
    encode_root,
    map_key,
    map_operation,
    pack_sums,
    sum_key,
    sum_operation,
    unpack_sums,
)
from chain.trie_tree import Tree
from chain.types import Hash
from tests.chain.trie_twin import DictStore, build_map_root, build_sum_root

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "trie.json").read_text())


def build_root_bytes(flavour_name: str, batches: list[list[Operation]]) -> bytes:
    """Apply the batches one commit after the other and return the committed root bytes."""
    store = DictStore()
    tree = Tree(MAP if flavour_name == "map" else SUM, b"t", store)
    for batch in batches:
        pending = tree.begin()
        pending.update(batch)
        store.commit(tree, pending)
    return tree.root_bytes


@pytest.mark.parametrize("case", VECTORS["trees"], ids=lambda case: f"{case['flavour']}-{case['name']}")
def test_root_of_each_golden_tree_is_the_published_one(
    case: dict[str, str | list[list[list[str | None]]]],
) -> None:
    batches = case["batches"]
    assert isinstance(batches, list)
    operations = [
        [(bytes.fromhex(key or ""), None if tail is None else bytes.fromhex(tail)) for key, tail in batch]
        for batch in batches
    ]
    assert isinstance(case["flavour"], str)
    root = build_root_bytes(case["flavour"], operations)
    assert root.hex() == case["root"]
    leaves: dict[bytes, bytes] = {}
    for batch in operations:
        for key, tail in batch:
            if tail is None:
                leaves.pop(key)
            else:
                leaves[key] = tail
    twin = build_map_root if case["flavour"] == "map" else build_sum_root
    assert twin(leaves) == root


def test_map_operation_hashes_key_and_value_with_their_own_prefixes() -> None:
    key, tail = map_operation(b"key", b"value")
    assert key == hashlib.sha256(b"\x14key").digest() == map_key(b"key")
    assert tail == hashlib.sha256(b"\x15value").digest()
    assert map_operation(b"key", None) == (key, None)


def test_empty_roots_are_fixed() -> None:
    assert compute_map_root_hash(EMPTY_ROOT) == hashlib.sha256(b"\x16" + bytes(33)).digest()
    assert encode_root(EMPTY_ROOT) == bytes(73)
    assert decode_root(bytes(73)) == EMPTY_ROOT


def test_sum_key_orders_by_x_before_pseudonym() -> None:
    low, high = sum_key(x=1, pseudonym=b"\xff" * 32), sum_key(x=256, pseudonym=bytes(32))
    assert low < high
    assert low == b"\x00\x00\x00\x01" + b"\xff" * 32


@pytest.mark.parametrize("x", [-1, 2**32])
def test_sum_key_refuses_an_x_that_does_not_fit(x: int) -> None:
    with pytest.raises(InvariantViolation):
        sum_key(x=x, pseudonym=bytes(32))


def test_sum_key_refuses_a_short_pseudonym() -> None:
    with pytest.raises(InvariantViolation):
        sum_key(x=1, pseudonym=bytes(31))


@pytest.mark.parametrize(("weight", "rem"), [(0, 0), (1, 1), (5, 5), (2**32, 0), (3, -1)])
def test_leaf_with_a_weight_or_rem_out_of_range_is_refused(weight: int, rem: int) -> None:
    with pytest.raises(InvariantViolation):
        encode_leaf(Leaf(weight=weight, rem=rem))


def test_leaf_survives_encoding() -> None:
    for leaf in (Leaf(weight=1, rem=0), Leaf(weight=2**32 - 1, rem=2**32 - 2)):
        assert decode_leaf(encode_leaf(leaf)) == leaf
    assert sum_operation(x=7, pseudonym=bytes(32), leaf=Leaf(weight=2, rem=1)) == (
        bytes.fromhex("00000007") + bytes(32),
        bytes.fromhex("000000020000000000000001"),
    )


def test_packed_sums_keep_the_four_fields_apart_at_their_limits() -> None:
    sums = Sums(count=2**64 - 1, weight=1, weight_x=2**128 - 1, rem=2**64 - 1)
    assert unpack_sums(pack_sums(sums)) == sums
    one = Sums(count=1, weight=2, weight_x=3, rem=4)
    assert unpack_sums(pack_sums(one) + pack_sums(one)) == one + one
    assert one + one - one == one


def test_sum_root_survives_encoding() -> None:
    root = Root(kind=255, hash=Hash(b"h" * 32), sums=Sums(count=17, weight=40, weight_x=2**70, rem=9))
    assert decode_root(encode_root(root)) == root


@pytest.mark.parametrize(
    "root",
    [
        Root(kind=17, hash=Hash(b"h" * 32), sums=Sums(count=17, weight=17, weight_x=0, rem=0)),
        Root(kind=3, hash=Hash(b"h" * 32), sums=Sums(count=4, weight=17, weight_x=0, rem=0)),
        Root(kind=255, hash=Hash(b"h" * 32), sums=Sums(count=16, weight=17, weight_x=0, rem=0)),
        Root(kind=0, hash=Hash(b"h" * 32), sums=NO_SUMS),
        Root(kind=0, hash=Hash(bytes(32)), sums=Sums(count=0, weight=0, weight_x=0, rem=1)),
    ],
)
def test_sum_root_whose_parts_contradict_each_other_is_refused(root: Root) -> None:
    with pytest.raises(DecodeError):
        decode_root(encode_root(root))


@pytest.mark.parametrize("size", [0, 72, 74])
def test_sum_root_of_wrong_length_is_refused(size: int) -> None:
    with pytest.raises(DecodeError):
        decode_root(bytes(size))


def test_l13_a_bucket_a_node_and_the_other_flavour_never_share_a_hash() -> None:
    # One preimage would need one first byte; all seven prefixes of the trees and the history differ.
    prefixes = [
        MAP.bucket_prefix,
        MAP.node_prefix,
        SUM.bucket_prefix,
        SUM.node_prefix,
        b"\x14",
        b"\x15",
        b"\x16",
    ]
    assert len(set(prefixes) | {b"\x00", b"\x01"}) == len(prefixes) + 2
    # A value made of what an inner node hashes does not become that node: value hashes have their prefix.
    inner = MAP.node_prefix + bytes((1, 0, 0, 0)) + b"h" * 32
    _, tail = map_operation(b"key", inner)
    assert tail != hashlib.sha256(inner).digest()
