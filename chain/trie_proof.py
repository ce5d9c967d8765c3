"""Verifying proofs of the authenticated trees (state-tree 6): no storage, nothing trusted but the root. Pure.

One encoding shows presence, absence and a range sum: the path to a key.

    proof = levels u8 || { kinds[4] || records of the non-empty siblings }* || entries of the bucket reached

A verifier walks down by the key's own digits, so a leaf can be proven only at its own place; it hashes
upwards and, in a sum tree, adds the sums field by field. Everything is bounded before it is read, and no
byte is left uncovered (pitfalls L14).
"""

import hashlib
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec

from chain.errors import ProofError
from chain.trie import (
    ARITY,
    BUCKET_ENTRIES_MAX,
    EMPTY,
    INNER,
    KINDS_BYTES,
    MAP,
    NO_SUMS,
    PSEUDONYM_BYTES,
    SUM,
    SUM_ENTRY,
    SUMS_BYTES,
    U64_MAX,
    U128_MAX,
    X_BYTES,
    Flavour,
    Leaf,
    Root,
    Sums,
    compute_bucket_hash,
    compute_map_root_hash,
    decode_leaf,
    get_digit,
    map_operation,
    pack_sums,
)
from chain.trie_read import find_tail
from chain.trie_storage import are_kinds_valid
from chain.types import ZERO_HASH, Hash

SIBLING_SUMS: Final = struct.Struct(">32xQQQQQ")
"""Count, weight, upper and lower half of weight*X, and rem of a child record."""


class SumProof(msgspec.Struct, frozen=True):
    """What a proof in a sum tree shows about its key."""

    leaf: Leaf | None
    """The leaf at the key, None if it is proven absent."""
    sums_from: Sums
    """Totals of the leaves at the key and above it."""
    rank: int
    """Number of leaves below the key: shows who is the k-th member."""


class _Level(msgspec.Struct, frozen=True):
    """One inner node of the path."""

    kinds: bytes
    """Kinds of its four children."""
    digit: int
    """Child that the path takes, 0..3."""
    left: bytes
    """Records of the non-empty siblings before that child."""
    right: bytes
    """Records of the non-empty siblings behind that child."""


class _Path(msgspec.Struct, frozen=True):
    """A decoded proof whose structure is right; nothing is hashed yet."""

    levels: tuple[_Level, ...]
    """Inner nodes, root first."""
    entries: bytes
    """Entries of the bucket reached; no bytes if the place is empty."""


def compute_proof_bytes_max(flavour: Flavour) -> int:
    """Return the length that no proof of this flavour exceeds."""
    level_bytes = KINDS_BYTES + (ARITY - 1) * flavour.record_bytes
    return 1 + flavour.levels_max * level_bytes + BUCKET_ENTRIES_MAX * flavour.entry_bytes


def verify_map_proof(root_hash: bytes, key: bytes, value: bytes | None, proof: bytes) -> None:
    """Check that the state under `root_hash` holds `value` at `key`; for None, that it holds nothing there.

    Raises ProofError.
    """
    verify_map_entry(root_hash, *map_operation(key, value), proof)


def verify_map_entry(root_hash: bytes, key: bytes, tail: bytes | None, proof: bytes) -> None:
    """Check a map proof for an already hashed key and value (32 bytes each); raises ProofError."""
    path = _decode_path(MAP, key, proof)
    found = find_tail(path.entries, key, flavour=MAP)
    if found != tail:
        if tail is None:
            raise ProofError("the key is present")
        raise ProofError("the key is absent" if found is None else "the value differs")
    kind, digest = _compute_bucket(MAP, path)
    for level in reversed(path.levels):
        record = digest if kind != EMPTY else b""
        digest = hashlib.sha256(b"".join((MAP.node_prefix, level.kinds, level.left, record, level.right))).digest()
        kind = INNER
    if compute_map_root_hash(Root(kind=kind, hash=Hash(digest), sums=NO_SUMS)) != root_hash:
        raise ProofError("the path does not lead to the state root")


def verify_sum_proof(root: Root, key: bytes, proof: bytes) -> SumProof:
    """Check a proof for `key` (36 bytes) in the sum tree under `root` and return what it shows.

    Raises ProofError.
    """
    path = _decode_path(SUM, key, proof)
    sums, sums_from = _sum_entries(path.entries, key)
    kind, digest = _compute_bucket(SUM, path)
    for level in reversed(path.levels):
        record = digest + pack_sums(sums).to_bytes(SUMS_BYTES, "big") if kind != EMPTY else b""
        right = NO_SUMS
        for sibling in _read_siblings(level.kinds[level.digit + 1 :], level.right):
            right = _add(right, sibling)
        for sibling in _read_siblings(level.kinds[: level.digit], level.left):
            sums = _add(sums, sibling)
        sums, sums_from = _add(sums, right), _add(sums_from, right)
        digest = hashlib.sha256(b"".join((SUM.node_prefix, level.kinds, level.left, record, level.right))).digest()
        kind = INNER
    if kind != root.kind or digest != root.hash:
        raise ProofError("the path does not lead to the root")
    if sums != root.sums:
        raise ProofError("the sums do not add up to those of the root")
    tail = find_tail(path.entries, key, flavour=SUM)
    return SumProof(
        leaf=None if tail is None else decode_leaf(tail),
        sums_from=sums_from,
        rank=sums.count - sums_from.count,
    )


def verify_range_proof(root: Root, x_from: int, proof: bytes) -> Sums:
    """Check a proof for the range X >= x_from (a u32) and return its totals; raises ProofError."""
    return verify_sum_proof(root, x_from.to_bytes(X_BYTES, "big") + bytes(PSEUDONYM_BYTES), proof).sums_from


def _decode_path(flavour: Flavour, key: bytes, proof: bytes) -> _Path:
    """Read a proof and check its structure against the key."""
    if len(key) != flavour.key_bytes:
        raise ProofError(f"a key of {len(key)} bytes")
    if not 1 <= len(proof) <= compute_proof_bytes_max(flavour):
        raise ProofError(f"a proof of {len(proof)} bytes")
    level_count = proof[0]
    if level_count > flavour.levels_max:
        raise ProofError(f"{level_count} levels")
    position = 1
    levels = []
    for depth in range(level_count):
        kinds = proof[position : position + KINDS_BYTES]
        if not are_kinds_valid(kinds):
            raise ProofError(f"level {depth}: kinds are cut off or not 0..16 or 255")
        digit = get_digit(key, depth)
        if (kinds[digit] == INNER) != (depth < level_count - 1):
            raise ProofError(f"level {depth}: the path ends too early or too late")
        middle = position + KINDS_BYTES + flavour.record_bytes * (digit - kinds[:digit].count(EMPTY))
        behind = kinds[digit + 1 :]
        end = middle + flavour.record_bytes * (len(behind) - behind.count(EMPTY))
        if end > len(proof):
            raise ProofError(f"level {depth}: cut off")
        left, right = proof[position + KINDS_BYTES : middle], proof[middle:end]
        levels.append(_Level(kinds=kinds, digit=digit, left=left, right=right))
        position = end
    entries = proof[position:]
    count, rest = divmod(len(entries), flavour.entry_bytes)
    if rest or count > BUCKET_ENTRIES_MAX or (levels and count != levels[-1].kinds[levels[-1].digit]):
        raise ProofError("the bucket does not hold as many entries as its kind says")
    _check_entries(flavour, key, entries, level_count)
    return _Path(levels=tuple(levels), entries=entries)


def _check_entries(flavour: Flavour, key: bytes, entries: bytes, level_count: int) -> None:
    """Raise ProofError unless the entries ascend strictly and all lie under the path's prefix."""
    step = flavour.entry_bytes
    keys = [entries[start : start + flavour.key_bytes] for start in range(0, len(entries), step)]
    if any(low >= high for low, high in pairwise(keys)):
        raise ProofError("the entries of the bucket do not ascend")
    shift = 8 * flavour.key_bytes - 2 * level_count
    prefix = int.from_bytes(key, "big") >> shift
    if any(int.from_bytes(other, "big") >> shift != prefix for other in keys):
        raise ProofError("an entry of the bucket lies outside the path")


def _compute_bucket(flavour: Flavour, path: _Path) -> tuple[int, bytes]:
    """Return kind and hash of what the path leads to."""
    if not path.entries:
        return EMPTY, ZERO_HASH
    return len(path.entries) // flavour.entry_bytes, compute_bucket_hash(flavour, path.entries)


def _sum_entries(entries: bytes, key: bytes) -> tuple[Sums, Sums]:
    """Return the totals of all entries and of those at `key` or above it."""
    total = NO_SUMS
    total_from = NO_SUMS
    step = SUM.entry_bytes
    for start in range(0, len(entries), step):
        entry = entries[start : start + step]
        x, weight, rem = SUM_ENTRY.unpack(entry)
        if not rem < weight:
            raise ProofError("an entry's rem is not below its weight")
        sums = Sums(count=1, weight=weight, weight_x=weight * x, rem=rem)
        total = _add(total, sums)
        if entry[: SUM.key_bytes] >= key:
            total_from = _add(total_from, sums)
    return total, total_from


def _read_siblings(kinds: bytes, records: bytes) -> Iterator[Sums]:
    """Yield the sums of the non-empty siblings with these kinds."""
    filled = [kind for kind in kinds if kind != EMPTY]
    for kind, fields in zip(filled, SIBLING_SUMS.iter_unpack(records), strict=True):
        count, weight, weight_x_high, weight_x_low, rem = fields
        if kind not in (INNER, count):
            raise ProofError("a sibling's count is not its kind")
        yield Sums(count=count, weight=weight, weight_x=weight_x_high << 64 | weight_x_low, rem=rem)


def _add(one: Sums, other: Sums) -> Sums:
    """Add field by field.

    A field that does not fit its width is an error, never a carry into its neighbour.
    """
    total = one + other
    if total.count > U64_MAX or total.weight > U64_MAX or total.weight_x > U128_MAX or total.rem > U64_MAX:
        raise ProofError("a sum does not fit its width")
    return total
