"""The history tree: RFC 6962 examples, a naive twin, tiles, proofs and their forgeries."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import InvariantViolation, ProofError, StoreError
from chain.history import (
    EMPTY_HISTORY_ROOT,
    LogFrontier,
    compute_leaf_hash,
    compute_node_hash,
    consistency_proof,
    encode_tile_key,
    encode_tile_path,
    inclusion_path,
    inclusion_proof,
    load_frontier,
    load_leaf_hash,
    load_root,
    load_tile,
    merkle_root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "history.json").read_text())


def twin_root(entries: list[bytes]) -> bytes:
    """The definition of RFC 6962 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + twin_root(entries[:k]) + twin_root(entries[k:])).digest()


def twin_path(entries: list[bytes], index: int) -> list[bytes]:
    """RFC 6962 2.1.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*twin_path(entries[:k], index), twin_root(entries[k:])]
    return [*twin_path(entries[k:], index - k), twin_root(entries[:k])]


def twin_consistency(old_size: int, entries: list[bytes], *, is_known: bool = True) -> list[bytes]:
    """RFC 6962 2.1.2."""
    if old_size == len(entries):
        return [] if is_known else [twin_root(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if old_size <= k:
        return [*twin_consistency(old_size, entries[:k], is_known=is_known), twin_root(entries[k:])]
    return [*twin_consistency(old_size - k, entries[k:], is_known=False), twin_root(entries[:k])]


def make_entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def build_log(count: int, blocks: list[int] | None = None) -> tuple[LogFrontier, dict[bytes, bytes]]:
    """Append `count` entries in blocks of these sizes and return frontier and stored tiles."""
    tiles: dict[bytes, bytes] = {}
    frontier = LogFrontier()
    hashes = [compute_leaf_hash(entry) for entry in make_entries(count)]
    at = 0
    for size in [*(blocks or []), count]:
        frontier, writes = frontier.append(hashes[at : at + size])
        tiles.update(writes)
        at += size
    return frontier, tiles


def test_roots_of_the_certificate_transparency_examples() -> None:
    entries = [bytes.fromhex(entry) for entry in VECTORS["entries"]]
    for size, root in enumerate(VECTORS["roots"]):
        assert merkle_root(entries[:size]).hex() == root
        assert LogFrontier().append([compute_leaf_hash(entry) for entry in entries[:size]])[0].root.hex() == root
        assert twin_root(entries[:size]).hex() == root


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: f"{case['index']}-of-{case['size']}")
def test_golden_inclusion_paths(case: dict[str, int | list[str]]) -> None:
    size, index, published = case["size"], case["index"], case["path"]
    assert isinstance(size, int)
    assert isinstance(index, int)
    assert isinstance(published, list)
    entries = [bytes.fromhex(entry) for entry in VECTORS["entries"]][:size]
    path = inclusion_path(entries, index)
    assert [digest.hex() for digest in path] == published
    verify_inclusion(
        root=merkle_root(entries),
        size=size,
        index=index,
        leaf_hash=compute_leaf_hash(entries[index]),
        path=path,
    )


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: f"{case['old_size']}-to-{case['new_size']}")
def test_golden_consistency_proofs(case: dict[str, int | list[str]]) -> None:
    old_size, new_size, published = case["old_size"], case["new_size"], case["path"]
    assert isinstance(old_size, int)
    assert isinstance(new_size, int)
    assert isinstance(published, list)
    entries = [bytes.fromhex(entry) for entry in VECTORS["entries"]][:new_size]
    _, writes = LogFrontier().append([compute_leaf_hash(entry) for entry in entries])
    path = consistency_proof(dict(writes), old_size=old_size, new_size=new_size)
    assert [digest.hex() for digest in path] == published
    verify_consistency(
        old_size=old_size,
        old_root=merkle_root(entries[:old_size]),
        new_size=new_size,
        new_root=merkle_root(entries),
        path=path,
    )


def test_paths_of_the_seven_leaves_of_rfc_6962_section_2_1_3() -> None:
    entries = [b"d%d" % number for number in range(7)]
    a, b, c, d, e, f, j = map(compute_leaf_hash, entries)
    g, h, i = compute_node_hash(a, b), compute_node_hash(c, d), compute_node_hash(e, f)
    k, l_ = compute_node_hash(g, h), compute_node_hash(i, j)
    assert merkle_root(entries) == compute_node_hash(k, l_)
    assert inclusion_path(entries, 0) == [b, h, l_]
    assert inclusion_path(entries, 3) == [c, g, l_]
    assert inclusion_path(entries, 4) == [f, j, k]
    assert inclusion_path(entries, 6) == [i, k]
    _, writes = LogFrontier().append([a, b, c, d, e, f, j])
    tiles = dict(writes)
    assert consistency_proof(tiles, old_size=3, new_size=7) == [c, d, g, l_]
    assert consistency_proof(tiles, old_size=4, new_size=7) == [l_]
    assert consistency_proof(tiles, old_size=6, new_size=7) == [i, j, k]


def test_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle_root([]) == LogFrontier().root == EMPTY_HISTORY_ROOT == hashlib.sha256(b"").digest()
    assert LogFrontier().append([]) == (LogFrontier(), [])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 20, 33])
def test_every_path_and_consistency_proof_is_that_of_the_definition(count: int) -> None:
    entries = make_entries(count)
    frontier, tiles = build_log(count)
    root = twin_root(entries)
    assert frontier.root == merkle_root(entries) == root
    for index, entry in enumerate(entries):
        path = inclusion_proof(tiles, index=index, size=count)
        assert path == inclusion_path(entries, index) == twin_path(entries, index)
        verify_inclusion(root=root, size=count, index=index, leaf_hash=compute_leaf_hash(entry), path=path)
    for old_size in range(1, count + 1):
        proof = consistency_proof(tiles, old_size=old_size, new_size=count)
        assert proof == twin_consistency(old_size, entries)
        verify_consistency(
            old_size=old_size,
            old_root=twin_root(entries[:old_size]),
            new_size=count,
            new_root=root,
            path=proof,
        )


@given(st.lists(st.integers(0, 400), max_size=12))
def test_blocks_of_any_size_make_the_same_tree(blocks: list[int]) -> None:
    count = sum(blocks)
    entries = make_entries(count)
    frontier, tiles = build_log(count, blocks)
    at_once, tiles_at_once = build_log(count)
    assert frontier == at_once
    assert tiles == tiles_at_once
    assert frontier.root == merkle_root(entries)
    assert load_frontier(tiles, count) == frontier
    assert load_root(tiles, size=count) == frontier.root


def test_tree_of_seventy_thousand_leaves_has_the_tiles_of_the_specification() -> None:
    entries = make_entries(70_000)
    frontier, tiles = build_log(70_000, [1, 254, 1, 256, 40_000, 12_345])
    assert len([key for key in tiles if key[0] == 0]) == 274
    assert len(tiles[encode_tile_key(0, 273)]) == 112 * 32
    assert len(tiles[encode_tile_key(1, 0)]) == 256 * 32
    assert len(tiles[encode_tile_key(1, 1)]) == 17 * 32
    assert len(tiles[encode_tile_key(2, 0)]) == 32
    assert frontier.root == merkle_root(entries)
    assert load_frontier(tiles, size=70_000) == frontier
    source = random.Random(1)
    for _ in range(25):
        size = source.randrange(1, 70_001)
        index = source.randrange(size)
        root = load_root(tiles, size=size)
        leaf_hash = load_leaf_hash(tiles, index=index)
        assert leaf_hash == compute_leaf_hash(entries[index])
        verify_inclusion(
            root=root,
            size=size,
            index=index,
            leaf_hash=leaf_hash,
            path=inclusion_proof(tiles, index=index, size=size),
        )
        verify_consistency(
            old_size=size,
            old_root=root,
            new_size=70_000,
            new_root=frontier.root,
            path=consistency_proof(tiles, old_size=size, new_size=70_000),
        )
        verify_consistency(
            old_size=index, old_root=load_root(tiles, size=index), new_size=size, new_root=root,
            path=consistency_proof(tiles, old_size=index, new_size=size),
        )  # fmt: skip


def test_proposals_over_one_frontier_do_not_touch_each_other() -> None:
    frontier, _ = build_log(300)
    before = frontier.root
    one, _ = frontier.append([compute_leaf_hash(b"one")])
    other, _ = frontier.append([compute_leaf_hash(b"other")])
    assert frontier.root == before
    assert one.root == merkle_root([*make_entries(300), b"one"])
    assert other.root == merkle_root([*make_entries(300), b"other"])


def test_a_block_rewrites_only_the_tiles_that_it_changed() -> None:
    frontier, _ = build_log(256 * 3 + 5)
    _, writes = frontier.append([compute_leaf_hash(b"next")])
    assert [key for key, _ in writes] == [encode_tile_key(0, 3)]
    assert frontier.append([])[1] == []
    _, writes = frontier.append([bytes(32)] * 251)
    assert [key for key, _ in writes] == [encode_tile_key(0, 3), encode_tile_key(1, 0)]


def test_a_leaf_hash_of_wrong_length_is_refused() -> None:
    with pytest.raises(InvariantViolation):
        LogFrontier().append([bytes(31)])


def test_l12_distinct_lists_have_distinct_roots() -> None:
    roots: dict[bytes, list[bytes]] = {}
    for size in range(9):
        for number in range(2**size):
            entries = [b"a" if number >> at & 1 else b"b" for at in range(size)]
            root = merkle_root(entries)
            assert roots.setdefault(root, entries) == entries
    # The shapes that shared a root in Bitcoin: the last entry, or the last pair, doubled.
    three, six = make_entries(3), make_entries(6)
    assert merkle_root(three) != merkle_root([*three, three[-1]])
    assert merkle_root(six) != merkle_root([*six, *six[-2:]])


@given(st.lists(st.binary(max_size=3), max_size=9), st.lists(st.binary(max_size=3), max_size=9))
def test_l12_distinct_drawn_lists_have_distinct_roots(one: list[bytes], other: list[bytes]) -> None:
    assert (merkle_root(one) == merkle_root(other)) == (one == other)


def test_l13_an_inner_node_is_no_leaf() -> None:
    entries = make_entries(4)
    left, right = compute_leaf_hash(entries[0]), compute_leaf_hash(entries[1])
    root = merkle_root(entries)
    upper = compute_node_hash(compute_leaf_hash(entries[2]), compute_leaf_hash(entries[3]))
    # As a tree of two leaves the path would fit, if an entry `left || right` hashed like the node over both.
    with pytest.raises(ProofError):
        verify_inclusion(root=root, size=2, index=0, leaf_hash=compute_leaf_hash(left + right), path=[upper])
    assert merkle_root([left + right]) != compute_node_hash(left, right)
    assert merkle_root([left + right, compute_leaf_hash(entries[2]) + compute_leaf_hash(entries[3])]) != root


@pytest.mark.parametrize("count", [1, 2, 3, 6, 8, 13, 21])
def test_c29_a_path_binds_the_position(count: int) -> None:
    entries = make_entries(count)
    root = merkle_root(entries)
    for index in range(count):
        path = inclusion_path(entries, index)
        leaf_hash = compute_leaf_hash(entries[index])
        for claimed in range(-1, count + 2):
            if claimed == index:
                continue
            with pytest.raises(ProofError):
                verify_inclusion(root=root, size=count, index=claimed, leaf_hash=leaf_hash, path=path)


def test_c29_a_path_longer_or_shorter_than_the_claimed_size_is_refused() -> None:
    # The hashes fit, but no tree of the claimed size has such a path.
    entries = make_entries(8)
    left, right = compute_leaf_hash(entries[0]), compute_leaf_hash(entries[1])
    pair = merkle_root(entries[:2])
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(root=pair, size=1, index=0, leaf_hash=right, path=[left])
    with pytest.raises(ProofError, match="too short"):
        verify_inclusion(root=left, size=2, index=0, leaf_hash=left, path=[])
    four, eight = merkle_root(entries[:4]), merkle_root(entries)
    path = [merkle_root(entries[4:])]
    verify_consistency(old_size=4, old_root=four, new_size=8, new_root=eight, path=path)
    with pytest.raises(ProofError, match="too short"):
        verify_consistency(old_size=4, old_root=four, new_size=16, new_root=eight, path=path)
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(old_size=8, old_root=four, new_size=9, new_root=eight, path=[*path, *path])


def test_c29_equal_entries_at_two_positions_have_proofs_of_their_own() -> None:
    entries = [b"same"] * 5
    root, leaf_hash = merkle_root(entries), compute_leaf_hash(b"same")
    for index in range(5):
        verify_inclusion(root=root, size=5, index=index, leaf_hash=leaf_hash, path=inclusion_path(entries, index))
    with pytest.raises(ProofError):
        verify_inclusion(root=root, size=5, index=4, leaf_hash=leaf_hash, path=inclusion_path(entries, 0))


@pytest.mark.parametrize(("index", "count"), [(0, 1), (0, 2), (5, 7), (6, 7), (12, 13)])
def test_every_changed_byte_of_an_inclusion_path_is_refused(index: int, count: int) -> None:
    entries = make_entries(count)
    root, leaf_hash = merkle_root(entries), compute_leaf_hash(entries[index])
    path: list[bytes] = [*inclusion_path(entries, index)]
    for at in range(len(path)):
        for byte in range(32):
            changed = bytearray(path[at])
            changed[byte] ^= 1
            mutated = [*path[:at], bytes(changed), *path[at + 1 :]]
            with pytest.raises(ProofError):
                verify_inclusion(root=root, size=count, index=index, leaf_hash=leaf_hash, path=mutated)
    wrong: tuple[list[bytes], ...] = (
        [*path, bytes(32)],
        [b"", *path],
        path[1:] if path else [root],
        [bytes(33)] * len(path) or [b""],
    )
    for mutated in wrong:
        with pytest.raises(ProofError):
            verify_inclusion(root=root, size=count, index=index, leaf_hash=leaf_hash, path=mutated)
    with pytest.raises(ProofError):
        verify_inclusion(root=root, size=count, index=index, leaf_hash=bytes(32), path=path)
    with pytest.raises(ProofError):
        verify_inclusion(root=root, size=2**64, index=index, leaf_hash=leaf_hash, path=path)
    with pytest.raises(ProofError):
        verify_inclusion(root=root, size=count, index=index, leaf_hash=leaf_hash, path=[bytes(32)] * 64)


@pytest.mark.parametrize(("old_size", "new_size"), [(1, 2), (3, 7), (4, 7), (6, 7), (8, 13), (5, 16)])
def test_every_changed_byte_of_a_consistency_proof_is_refused(old_size: int, new_size: int) -> None:
    entries = make_entries(new_size)
    _, tiles = build_log(new_size)
    path: list[bytes] = [*consistency_proof(tiles, old_size=old_size, new_size=new_size)]
    old_root, new_root = merkle_root(entries[:old_size]), merkle_root(entries)

    def refuse(**changes: int | bytes | list[bytes]) -> None:
        fields = {
            "old_size": old_size,
            "new_size": new_size,
            "old_root": old_root,
            "new_root": new_root,
            "path": path,
        }
        with pytest.raises(ProofError):
            verify_consistency(**{**fields, **changes})  # type: ignore[arg-type]

    for at in range(len(path)):
        for byte in range(32):
            changed = bytearray(path[at])
            changed[byte] ^= 1
            refuse(path=[*path[:at], bytes(changed), *path[at + 1 :]])
    refuse(path=[*path, bytes(32)])
    refuse(path=path[:-1])
    refuse(path=[])
    refuse(path=[bytes(31)] * len(path))
    refuse(path=[bytes(32)] * 65)
    refuse(old_root=bytes(32))
    refuse(new_root=bytes(32))
    refuse(old_size=old_size + 1)
    refuse(old_size=new_size + 1)
    refuse(new_size=2**64)
    refuse(old_size=0)
    refuse(new_size=old_size)


def test_history_that_was_rewritten_has_no_consistency_proof() -> None:
    entries = make_entries(12)
    forked = [*entries[:3], b"rewritten", *entries[4:]]
    _, writes = LogFrontier().append([compute_leaf_hash(entry) for entry in forked])
    with pytest.raises(ProofError):
        verify_consistency(
            old_size=8,
            old_root=merkle_root(entries[:8]),
            new_size=12,
            new_root=merkle_root(forked),
            path=consistency_proof(dict(writes), old_size=8, new_size=12),
        )


def test_consistency_with_the_empty_and_with_the_same_tree_needs_no_hash() -> None:
    root = merkle_root(make_entries(5))
    verify_consistency(old_size=0, old_root=EMPTY_HISTORY_ROOT, new_size=5, new_root=root, path=[])
    verify_consistency(old_size=5, old_root=root, new_size=5, new_root=root, path=[])
    verify_consistency(old_size=0, old_root=EMPTY_HISTORY_ROOT, new_size=0, new_root=EMPTY_HISTORY_ROOT, path=[])
    for old_size, old_root, new_size, new_root, path in (
        (0, bytes(32), 5, root, []),
        (5, bytes(32), 5, root, []),
        (5, root, 5, root, [root]),
        (0, EMPTY_HISTORY_ROOT, 5, root, [root]),
        (0, EMPTY_HISTORY_ROOT, 0, root, []),
        (6, root, 5, root, []),
        (-1, root, 5, root, []),
    ):
        with pytest.raises(ProofError):
            verify_consistency(
                old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, path=list(path)
            )


def test_proofs_outside_the_tree_are_an_index_error() -> None:
    _, tiles = build_log(5)
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(IndexError):
            inclusion_proof(tiles, index=index, size=size)
        with pytest.raises(IndexError):
            inclusion_path(make_entries(size), index)
    for old_size, new_size in ((6, 5), (-1, 5)):
        with pytest.raises(IndexError):
            consistency_proof(tiles, old_size=old_size, new_size=new_size)


def test_missing_or_damaged_tiles_are_a_store_error() -> None:
    _, tiles = build_log(600)
    for damaged in (
        b"",
        tiles[encode_tile_key(0, 2)][:-32],
        tiles[encode_tile_key(0, 2)][:-1],
        bytes(257 * 32),
    ):
        wrong = {**tiles, encode_tile_key(0, 2): damaged}
        with pytest.raises(StoreError):
            load_frontier(wrong, size=600)
        with pytest.raises(StoreError):
            inclusion_proof(wrong, index=0, size=600)
    with pytest.raises(StoreError):
        load_root({}, size=1)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 17, 3, "tile/1/017.p/3"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (2, 1000, 255, "tile/2/x001/000.p/255"),
    ],
)
def test_tile_path_is_that_of_the_specification(level: int, index: int, width: int, path: str) -> None:
    assert encode_tile_path(level, index, width) == path


def test_tiles_are_served_up_to_the_size_of_the_tree_and_no_further() -> None:
    frontier, tiles = build_log(600)
    assert load_tile(tiles, level=0, index=0, width=256, size=600) == tiles[encode_tile_key(0, 0)]
    assert load_tile(tiles, level=0, index=2, width=88, size=600) == frontier.tails[0]
    assert load_tile(tiles, level=0, index=2, width=1, size=600) == compute_leaf_hash(b"entry 512")
    assert load_tile(tiles, level=1, index=0, width=2, size=600) == frontier.tails[1]
    for level, index, width in (
        (0, 2, 89),
        (0, 2, 256),
        (1, 0, 3),
        (2, 0, 1),
        (0, 3, 1),
        (0, 0, 0),
        (0, -1, 1),
        (8, 0, 1),
    ):
        assert load_tile(tiles, level=level, index=index, width=width, size=600) is None
