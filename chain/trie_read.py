"""Reading an authenticated tree: an entry, range sums, the k-th leaf, and the proof for a key (state-tree 6).

Pure. All of them are one walk from the root towards a key. The functions need the root's kind and a
`RecordSource`; the tree and its pending changes offer them as methods.
"""

import hashlib
from collections.abc import Generator, Iterator

from chain.errors import StoreError
from chain.trie import (
    ARITY,
    COUNT_SHIFT,
    EMPTY,
    HASH_BYTES,
    INNER,
    NODE_HEAD_BYTES,
    PSEUDONYM_BYTES,
    X_BYTES,
    X_MAX,
    Flavour,
    compute_bucket_hash,
    compute_packed_sums,
    get_digit,
)
from chain.trie_storage import Page
from chain.trie_update import ROOT_NODE, PackedRoot, RecordSource


def walk(source: RecordSource, *, flavour: Flavour, kind: int, key: bytes) -> tuple[list[bytes], bytes]:
    """Return the inner nodes on the way to `key`, root first, and the entries of the bucket reached."""
    nodes: list[bytes] = []
    node = ROOT_NODE
    slot = 0
    page: list[bytes] = []
    while kind == INNER:
        depth = len(nodes)
        if depth == flavour.levels_max:
            raise StoreError("tree: an inner node below the last key bit")
        if not depth & 1:
            page, slot = source.get_page(node), 0
        inner = page[slot]
        nodes.append(inner)
        digit = get_digit(key, depth)
        kind = inner[1 + digit]
        node = ARITY * node + digit
        slot = 1 + digit
    entries = source.get_bucket(node) if kind != EMPTY else b""
    if len(entries) != kind * flavour.entry_bytes:
        raise StoreError(f"{flavour.name} tree: bucket {node:#x} does not hold as many entries as its kind says")
    return nodes, entries


def find_tail(entries: bytes, key: bytes, *, flavour: Flavour) -> bytes | None:
    """Return what the bucket holds behind `key`, None if it does not hold it."""
    step = flavour.entry_bytes
    for start in range(0, len(entries), step):
        if entries.startswith(key, start):
            return entries[start + len(key) : start + step]
    return None


def build_proof(source: RecordSource, *, flavour: Flavour, kind: int, key: bytes) -> bytes:
    """Return the proof of presence, absence and range for `key`.

    Encoding: `levels u8`, for each level from the root `kinds[4] || records of the non-empty siblings`,
    then the entries of the bucket reached.
    """
    nodes, entries = walk(source, flavour=flavour, kind=kind, key=key)
    parts = [bytes((len(nodes),))]
    for depth, inner in enumerate(nodes):
        start, end = find_record(inner, get_digit(key, depth), flavour=flavour)
        parts.append(inner[1:start])
        parts.append(inner[end:])
    parts.append(entries)
    return b"".join(parts)


def find_record(inner: bytes, digit: int, *, flavour: Flavour) -> tuple[int, int]:
    """Return where in an inner node the record of child `digit` begins and ends (the same if empty)."""
    kinds = inner[1 : 1 + digit]
    start = NODE_HEAD_BYTES + flavour.record_bytes * (len(kinds) - kinds.count(EMPTY))
    return start, start + flavour.record_bytes if inner[1 + digit] != EMPTY else start


def compute_sums_from(source: RecordSource, *, flavour: Flavour, kind: int, total: int, x_from: int) -> int:
    """Return the packed sums of the leaves with X >= x_from; `total` are those of all leaves."""
    if x_from <= 0:
        return total
    if x_from > X_MAX:
        return 0
    first = x_from.to_bytes(X_BYTES, "big")
    key = first + bytes(PSEUDONYM_BYTES)
    nodes, entries = walk(source, flavour=flavour, kind=kind, key=key)
    step = flavour.entry_bytes
    sums = 0
    for depth, inner in enumerate(nodes):
        _, end = find_record(inner, get_digit(key, depth), flavour=flavour)
        for start in range(end + HASH_BYTES, len(inner), flavour.record_bytes):
            sums += int.from_bytes(inner[start : start + flavour.sums_bytes], "big")
    for start in range(0, len(entries), step):
        if entries[start : start + X_BYTES] >= first:
            return sums + compute_packed_sums(entries[start:])
    return sums


def select_key(source: RecordSource, *, flavour: Flavour, kind: int, rank: int) -> bytes:
    """Return the key of the leaf with `rank` smaller leaves in a sum tree.

    The caller has checked the range.
    """
    node = ROOT_NODE
    depth = slot = 0
    page: list[bytes] = []
    while kind == INNER:
        if not depth & 1:
            page, slot = source.get_page(node), 0
        inner = page[slot]
        position = NODE_HEAD_BYTES + HASH_BYTES
        for digit in range(ARITY):
            kind = inner[1 + digit]
            if kind == EMPTY:
                continue
            count = int.from_bytes(inner[position : position + flavour.sums_bytes], "big") >> COUNT_SHIFT
            if rank < count:
                break
            rank -= count
            position += flavour.record_bytes
        else:
            raise StoreError("sum tree: a node's counts do not add up")
        node = ARITY * node + digit
        slot = 1 + digit
        depth += 1
    start = rank * flavour.entry_bytes
    return source.get_bucket(node)[start : start + flavour.key_bytes]


def iterate_entries(source: RecordSource, *, flavour: Flavour, root: PackedRoot) -> Iterator[bytes]:
    """Yield every entry in key order, and check each record against the root on the way.

    Raises StoreError at the first record that contradicts its parent: a hash, a kind or a sum.
    """
    sums = yield from _iterate_below(source, flavour, root, ROOT_NODE, 0, [], 0)
    if flavour.sums_bytes and sums != root.sums:
        raise StoreError("sum tree: the leaves do not add up to the sums of the root")


def _iterate_below(
    source: RecordSource, flavour: Flavour, expected: PackedRoot, node: int, depth: int, page: Page, slot: int
) -> Generator[bytes, None, int]:
    """Yield the entries below `node`, return their packed sums; `page[slot]` is its place at odd levels."""
    if expected.kind == EMPTY:
        return 0
    if expected.kind != INNER:
        entries = source.get_bucket(node)
        step = flavour.entry_bytes
        is_right = len(entries) == step * expected.kind
        if not is_right or compute_bucket_hash(flavour, entries) != expected.hash:
            raise StoreError(f"{flavour.name} tree: bucket {node:#x} contradicts its parent")
        yield from (entries[start : start + step] for start in range(0, len(entries), step))
        return compute_packed_sums(entries) if flavour.sums_bytes else 0
    if not depth & 1:
        page, slot = source.get_page(node), 0
    inner = page[slot]
    if hashlib.sha256(inner).digest() != expected.hash:
        raise StoreError(f"{flavour.name} tree: node {node:#x} contradicts its parent")
    total = 0
    for digit in range(ARITY):
        start, end = find_record(inner, digit, flavour=flavour)
        shown = int.from_bytes(inner[start + HASH_BYTES : end], "big")
        child = PackedRoot(kind=inner[1 + digit], hash=inner[start : start + HASH_BYTES], sums=shown)
        below = _iterate_below(source, flavour, child, ARITY * node + digit, depth + 1, page, 1 + digit)
        sums = yield from below
        if sums != shown:
            raise StoreError(f"sum tree: the leaves below child {digit} of {node:#x} do not add up")
        total += sums
    return total
