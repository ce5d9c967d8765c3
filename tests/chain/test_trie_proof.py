"""Proofs of presence, absence and range sums: what they show, and that no changed byte passes."""

import hashlib
import json
import random
from pathlib import Path

import pytest

from chain.errors import ProofError
from chain.trie import (
    MAP,
    SUM,
    Flavour,
    Leaf,
    Operation,
    Root,
    Sums,
    decode_leaf,
    decode_root,
    map_key,
    map_operation,
    sum_key,
    sum_operation,
)
from chain.trie_proof import (
    SumProof,
    compute_proof_bytes_max,
    verify_map_entry,
    verify_map_proof,
    verify_range_proof,
    verify_sum_proof,
)
from chain.trie_tree import Pending, Tree
from chain.types import Hash
from tests.chain.trie_twin import DictStore, add_up

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "trie.json").read_text())
SIZES = (0, 1, 2, 16, 17, 60, 700)


def fill_map(count: int) -> Pending:
    pending = Tree(MAP, b"m", DictStore()).begin()
    pending.update(map_operation(b"key %d" % number, b"value %d" % number) for number in range(count))
    return pending


def make_leaves(count: int) -> dict[bytes, bytes]:
    source = random.Random(count)
    leaves = {}
    for number in range(count):
        weight = 1 + number % 100
        key, tail = sum_operation(
            x=source.choice([0, 345, source.randrange(2**32)]),
            pseudonym=hashlib.sha256(b"%d" % number).digest(),
            leaf=Leaf(weight=weight, rem=source.randrange(weight)),
        )
        assert tail is not None
        leaves[key] = tail
    return leaves


def fill_sum(leaves: dict[bytes, bytes]) -> Pending:
    pending = Tree(SUM, b"s", DictStore()).begin()
    pending.update(leaves.items())
    return pending


@pytest.mark.parametrize("count", SIZES)
def test_presence_and_absence_of_each_key_are_proven_by_the_same_root(count: int) -> None:
    tree = fill_map(count)
    for number in range(count):
        proof = tree.prove(map_key(b"key %d" % number))
        verify_map_proof(tree.root_bytes, b"key %d" % number, b"value %d" % number, proof)
        assert len(proof) <= compute_proof_bytes_max(MAP)
        with pytest.raises(ProofError, match="is present"):
            verify_map_proof(tree.root_bytes, b"key %d" % number, None, proof)
        with pytest.raises(ProofError, match="value differs"):
            verify_map_proof(tree.root_bytes, b"key %d" % number, b"other", proof)
    for number in range(count, count + 30):
        proof = tree.prove(map_key(b"key %d" % number))
        verify_map_proof(tree.root_bytes, b"key %d" % number, None, proof)
        with pytest.raises(ProofError, match="is absent"):
            verify_map_proof(tree.root_bytes, b"key %d" % number, b"value %d" % number, proof)


def test_proof_of_an_absent_key_is_no_proof_for_another_key_elsewhere() -> None:
    tree = fill_map(700)
    absent = b"key 9000"
    proof = tree.prove(map_key(absent))
    for number in range(60):
        with pytest.raises(ProofError):
            verify_map_proof(tree.root_bytes, b"key %d" % number, None, proof)


def test_proof_under_another_root_is_refused() -> None:
    tree, other = fill_map(60), fill_map(61)
    proof = tree.prove(map_key(b"key 7"))
    with pytest.raises(ProofError):
        verify_map_proof(other.root_bytes, b"key 7", b"value 7", proof)


@pytest.mark.parametrize("count", SIZES)
def test_sum_proof_shows_leaf_rank_and_what_lies_at_the_key_and_above(count: int) -> None:
    leaves = make_leaves(count)
    tree = fill_sum(leaves)
    for rank, key in enumerate(sorted(leaves)):
        proof = tree.prove(key)
        assert len(proof) <= compute_proof_bytes_max(SUM)
        shown = verify_sum_proof(tree.root, key, proof)
        above = {other: tail for other, tail in leaves.items() if other >= key}
        assert shown == SumProof(leaf=decode_leaf(leaves[key]), sums_from=Sums(*add_up(above)), rank=rank)
    absent = sum_key(x=345, pseudonym=b"\x80" * 32)
    shown = verify_sum_proof(tree.root, absent, tree.prove(absent))
    assert shown.leaf is None
    assert shown.rank == sum(1 for key in leaves if key < absent)


@pytest.mark.parametrize("count", SIZES)
def test_range_proof_shows_the_totals_from_an_index_on(count: int) -> None:
    leaves = make_leaves(count)
    tree = fill_sum(leaves)
    source = random.Random(1)
    for x_from in [0, 1, 344, 345, 346, 2**31, 2**32 - 1, *(source.randrange(2**32) for _ in range(40))]:
        shown = verify_range_proof(tree.root, x_from, tree.prove(sum_key(x=x_from, pseudonym=bytes(32))))
        assert shown == tree.range_sums(x_from) == Sums(*add_up(leaves, x_from=x_from))


def test_proofs_of_a_proposal_hold_after_its_commit_and_a_reopening() -> None:
    store = DictStore()
    tree = Tree(MAP, b"m", store)
    pending = tree.begin()
    pending.update(map_operation(b"key %d" % number, b"value") for number in range(100))
    proof = pending.prove(map_key(b"key 5"))
    store.commit(tree, pending)
    reopened = Tree(MAP, b"m", store)
    assert reopened.prove(map_key(b"key 5")) == tree.prove(map_key(b"key 5")) == proof
    verify_map_proof(reopened.root_bytes, b"key 5", b"value", proof)


@pytest.mark.parametrize("count", [0, 1, 16, 17, 60])
@pytest.mark.parametrize("wanted", ["present", "absent"])
def test_l14_every_changed_byte_of_a_map_proof_is_refused(count: int, wanted: str) -> None:
    tree = fill_map(count)
    if wanted == "present" and not count:
        return
    key, value = (b"key 0", b"value 0") if wanted == "present" else (b"key 777", None)
    proof = tree.prove(map_key(key))
    verify_map_proof(tree.root_bytes, key, value, proof)
    for at in range(len(proof)):
        for change in (0x01, 0x80, 0xFF):
            mutated = proof[:at] + bytes((proof[at] ^ change,)) + proof[at + 1 :]
            with pytest.raises(ProofError):
                verify_map_proof(tree.root_bytes, key, value, mutated)


@pytest.mark.parametrize("count", [0, 1, 16, 17, 200])
@pytest.mark.parametrize("wanted", ["present", "absent", "range"])
def test_l14_every_changed_byte_of_a_sum_proof_is_refused(count: int, wanted: str) -> None:
    leaves = make_leaves(count)
    tree = fill_sum(leaves)
    if wanted == "present" and not count:
        return
    keys = {
        "present": min(leaves, default=b""),
        "absent": sum_key(x=345, pseudonym=b"\x80" * 32),
        "range": sum_key(x=2**31, pseudonym=bytes(32)),
    }
    proof = tree.prove(keys[wanted])
    verify_sum_proof(tree.root, keys[wanted], proof)
    for at in range(len(proof)):
        for change in (0x01, 0x80, 0xFF):
            mutated = proof[:at] + bytes((proof[at] ^ change,)) + proof[at + 1 :]
            with pytest.raises(ProofError):
                verify_sum_proof(tree.root, keys[wanted], mutated)


@pytest.mark.slow
@pytest.mark.parametrize("flavour", [MAP, SUM], ids=["map", "sum"])
def test_l14_every_changed_bit_and_many_wild_changes_of_deep_proofs_are_refused(flavour: Flavour) -> None:
    source = random.Random(14)
    leaves = make_leaves(3_000)
    tree = fill_map(3_000) if flavour is MAP else fill_sum(leaves)
    root, root_bytes = tree.root, tree.root_bytes
    keys = [map_key(b"key 5"), map_key(b"absent")] if flavour is MAP else [min(leaves), max(leaves), bytes(36)]
    for key in keys:
        proof = tree.prove(key)
        tail = tree.entry(key)
        mutants = [
            proof[: bit // 8] + bytes((proof[bit // 8] ^ 1 << bit % 8,)) + proof[bit // 8 + 1 :]
            for bit in range(8 * len(proof))
        ]
        for _ in range(4_000):
            start, end = sorted((source.randrange(len(proof) + 1), source.randrange(len(proof) + 1)))
            mutants.append(proof[:start] + source.randbytes(source.choice([0, 1, 4, 32, end - start])) + proof[end:])
        for mutated in mutants:
            if mutated == proof:
                continue
            with pytest.raises(ProofError):
                if flavour is MAP:
                    verify_map_entry(root_bytes, key, tail, mutated)
                else:
                    verify_sum_proof(root, key, mutated)


@pytest.mark.parametrize("count", [0, 1, 17, 60])
def test_cut_or_lengthened_proofs_are_refused(count: int) -> None:
    leaves = make_leaves(count)
    tree, sums = fill_map(count), fill_sum(leaves)
    key, sum_at = map_key(b"absent"), bytes(36)
    proof, sum_proof = tree.prove(key), sums.prove(sum_at)
    for at in range(len(proof)):
        with pytest.raises(ProofError):
            verify_map_entry(tree.root_bytes, key, None, proof[:at])
    for at in range(len(sum_proof)):
        with pytest.raises(ProofError):
            verify_sum_proof(sums.root, sum_at, sum_proof[:at])
    for more in (b"\x00", bytes(32), bytes(48), bytes(64), bytes(72), bytes(2**20)):
        with pytest.raises(ProofError):
            verify_map_entry(tree.root_bytes, key, None, proof + more)
        with pytest.raises(ProofError):
            verify_sum_proof(sums.root, sum_at, sum_proof + more)


def test_a_changed_root_is_refused_in_every_field() -> None:
    tree = fill_sum(make_leaves(60))
    root, key = tree.root, sum_key(x=2**31, pseudonym=bytes(32))
    proof = tree.prove(key)
    sums = root.sums
    for wrong in (
        Root(kind=16, hash=root.hash, sums=sums),
        Root(kind=255, hash=Hash(bytes(32)), sums=sums),
        Root(kind=255, hash=root.hash, sums=Sums(sums.count + 1, sums.weight, sums.weight_x, sums.rem)),
        Root(kind=255, hash=root.hash, sums=Sums(sums.count, sums.weight - 1, sums.weight_x, sums.rem)),
        Root(kind=255, hash=root.hash, sums=Sums(sums.count, sums.weight, sums.weight_x + 1, sums.rem)),
        Root(kind=255, hash=root.hash, sums=Sums(sums.count, sums.weight, sums.weight_x, sums.rem - 1)),
    ):
        with pytest.raises(ProofError):
            verify_sum_proof(wrong, key, proof)


PLAIN = bytes.fromhex("00000005" + "0" * 16)
X_1 = bytes.fromhex("00000001")
REM_5 = bytes.fromhex("00000005" + "0" * 15 + "5")


def forge(levels: list[tuple[bytes, dict[int, bytes]]], entries: bytes, digits: list[int]) -> bytes:
    """Encode a proof from kinds and sibling records given by digit."""
    proof = bytes((len(levels),))
    for (kinds, records), digit in zip(levels, digits, strict=True):
        proof += kinds + b"".join(records[at] for at in sorted(records) if at != digit)
    return proof + entries


def record(count: int, weight: int = 0, weight_x: int = 0, rem: int = 0) -> bytes:
    return b"h" * 32 + (count << 256 | weight << 192 | weight_x << 64 | rem).to_bytes(40, "big")


def verify_forged(levels: list[tuple[bytes, dict[int, bytes]]], entries: bytes) -> SumProof:
    """Verify a proof for the key 36 * 0 under the root that its own hashes lead to: a lying prover."""
    key = bytes(36)
    digest = hashlib.sha256(b"\x12" + entries).digest() if entries else bytes(32)
    kind = len(entries) // 48
    cut = [entries[at : at + 48] for at in range(0, len(entries), 48)]
    sums = Sums(*add_up({entry[:36]: entry[36:] for entry in cut}))
    for kinds, records in reversed(levels):
        packed = sums.count << 256 | sums.weight << 192 | sums.weight_x << 64 | sums.rem
        own = digest + packed.to_bytes(40, "big") if kind else b""
        siblings = b"".join(records[at] for at in sorted(records))
        digest = hashlib.sha256(b"\x13" + kinds + own + siblings).digest()
        for other in records.values():
            fields = int.from_bytes(other[32:], "big")
            sums = Sums(
                sums.count + (fields >> 256),
                sums.weight + (fields >> 192 & 2**64 - 1),
                sums.weight_x + (fields >> 64 & 2**128 - 1),
                sums.rem + (fields & 2**64 - 1),
            )
        kind = 255
    return verify_sum_proof(
        Root(kind=kind, hash=Hash(digest), sums=sums), key, forge(levels, entries, [0] * len(levels))
    )


def test_a_well_formed_forgery_under_its_own_root_is_accepted_so_that_the_next_tests_mean_something() -> None:
    entries = bytes(36) + bytes.fromhex("000000050000000000000004")
    shown = verify_forged([(bytes((1, 16, 0, 255)), {1: record(16, 20, 7, 3), 3: record(90, 100, 2**70, 2)})], entries)
    assert shown == SumProof(leaf=Leaf(weight=5, rem=4), sums_from=Sums(107, 125, 2**70 + 7, 9), rank=0)


@pytest.mark.parametrize(
    ("reason", "kinds", "sibling", "entries"),
    [
        ("count is not its kind", bytes((1, 16, 0, 0)), record(15), bytes(36) + PLAIN),
        ("fit its width", bytes((1, 255, 0, 0)), record(2**64 - 1), bytes(36) + PLAIN),
        ("fit its width", bytes((1, 255, 0, 0)), record(20, 2**64 - 1), bytes(36) + PLAIN),
        ("fit its width", bytes((1, 255, 0, 0)), record(20, 0, 2**128 - 1), X_1 + bytes(32) + PLAIN),
        ("rem is not below", bytes((1, 255, 0, 0)), record(20), bytes(36) + REM_5),
        ("rem is not below", bytes((1, 255, 0, 0)), record(20), bytes(48)),
        ("outside the path", bytes((1, 255, 0, 0)), record(20), b"\x40" + bytes(35) + PLAIN),
        ("kinds", bytes((1, 17, 0, 0)), record(17), bytes(36) + PLAIN),
        ("as many entries", bytes((2, 255, 0, 0)), record(20), bytes(36) + PLAIN),
        ("too early", bytes((255, 255, 0, 0)), record(20), bytes(36) + PLAIN),
        ("do not ascend", bytes((2, 255, 0, 0)), record(20), (bytes(36) + PLAIN) * 2),
    ],
)  # fmt: skip
def test_a_forgery_with_right_hashes_but_a_broken_rule_is_refused(
    reason: str, kinds: bytes, sibling: bytes, entries: bytes
) -> None:
    with pytest.raises(ProofError, match=reason):
        verify_forged([(kinds, {1: sibling})], entries)


def test_a_root_that_is_a_bucket_of_seventeen_is_refused() -> None:
    entries = b"".join(bytes(35) + bytes((number,)) + PLAIN for number in range(17))
    with pytest.raises(ProofError, match="as many entries"):
        verify_forged([], entries)


def test_a_proof_cut_inside_the_records_beside_an_empty_place_is_refused() -> None:
    leaves = {key: tail for key, tail in make_leaves(300).items() if key[0] >= 0x40}
    tree = fill_sum(leaves)
    proof = tree.prove(bytes(36))
    assert proof[:2] == b"\x01\x00"
    assert verify_sum_proof(tree.root, bytes(36), proof).sums_from == tree.root.sums
    for at in range(len(proof)):
        with pytest.raises(ProofError):
            verify_sum_proof(tree.root, bytes(36), proof[:at])


def test_a_carry_from_one_sum_into_its_neighbour_is_refused() -> None:
    # As packed integers two rems of 2^63 would add 1 to weight*X; field by field they do not fit.
    entries = bytes(36) + PLAIN
    levels = [(bytes((1, 255, 255, 0)), {1: record(20, rem=2**63), 2: record(20, rem=2**63)})]
    with pytest.raises(ProofError, match="fit its width"):
        verify_forged(levels, entries)


def test_more_levels_than_a_key_has_are_refused_before_anything_is_read() -> None:
    with pytest.raises(ProofError, match="145 levels"):
        verify_sum_proof(decode_root(bytes(73)), bytes(36), bytes((145,)) + bytes((255, 0, 0, 0)) * 145)
    with pytest.raises(ProofError, match="129 levels"):
        verify_map_entry(bytes(32), bytes(32), None, bytes((129,)) + bytes((255, 0, 0, 0)) * 129)
    with pytest.raises(ProofError, match="bytes"):
        verify_map_entry(bytes(32), bytes(32), None, bytes(compute_proof_bytes_max(MAP) + 1))
    with pytest.raises(ProofError, match="a key of"):
        verify_map_entry(bytes(32), bytes(36), None, b"\x00")


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: f"{case['flavour']}-{case['name']}")
def test_golden_proofs_are_built_and_verified_as_published(case: dict[str, str]) -> None:
    published = next(
        tree for tree in VECTORS["trees"] if tree["flavour"] == case["flavour"] and tree["name"] == case["tree"]
    )
    operations: list[Operation] = [
        (bytes.fromhex(key), None if tail is None else bytes.fromhex(tail))
        for batch in published["batches"]
        for key, tail in batch
    ]
    tree = Tree(MAP if case["flavour"] == "map" else SUM, b"t", DictStore()).begin()
    tree.update(operations)
    key, proof = bytes.fromhex(case["key"]), bytes.fromhex(case["proof"])
    assert tree.prove(key).hex() == case["proof"]
    if case["flavour"] == "map":
        tail = bytes.fromhex(case["tail"]) if case["tail"] else None
        verify_map_entry(bytes.fromhex(published["root"]), key, tail, proof)
        return
    shown = verify_sum_proof(decode_root(bytes.fromhex(published["root"])), key, proof)
    assert (shown.leaf is None) == (case["tail"] == "")
    packed = int(case["sums_from"], 16)
    assert packed == (
        shown.sums_from.count << 256
        | shown.sums_from.weight << 192
        | shown.sums_from.weight_x << 64
        | shown.sums_from.rem
    )
