"""Batch update of an authenticated tree (state-tree 5): sorted changes in, changed records out. Pure.

The recursion visits each touched node once and hashes it once, on the way up. It never changes a record of
the committed tree: a page is copied into `Changes` at its first visit. Sums travel as one integer of 320
bits, and as the *difference* that a subtree made, so that an untouched sibling is never decoded.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from chain.errors import InvariantViolation, StoreError
from chain.trie import (
    ARITY,
    BUCKET_ENTRIES_MAX,
    COUNT_SHIFT,
    EMPTY,
    HASH_BYTES,
    INNER,
    NODE_HEAD_BYTES,
    SUM_ENTRY,
    SUM_TAIL,
    SUMS_BYTES,
    WEIGHT_SHIFT,
    WEIGHT_X_SHIFT,
    Flavour,
    Operation,
    compute_packed_sums,
)
from chain.trie_storage import PAGE_SLOTS, Page

ROOT_NODE: Final = 1
LINEAR_GROUP_MAX: Final = 8
"""Up to this many changes the end of a group is found step by step, above by bisection."""
SPLICE_MAX: Final = 8
"""Up to this many changes are spliced into a bucket one by one; more are merged by sorting."""
PAGE_GONE: Final[Page] = []
BUCKET_GONE: Final = b""
_SHAPES: Final = (EMPTY, INNER)
"""Kinds that are no count of entries."""


class Changes:
    """Records that differ from the tree below, by node id."""

    __slots__ = ("buckets", "leaves", "pages", "reshaped")

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        """Changed pages; an empty list if the page is gone."""
        self.buckets: dict[int, bytes] = {}
        """Entries of changed buckets; no bytes if the bucket is gone."""
        self.reshaped: dict[int, None] = {}
        """Pages that are new, or in which something became or ceased to be empty, a bucket or an inner node."""
        self.leaves: dict[bytes, bytes | None] = {}
        """New tails by tree key; None where a leaf is deleted, or was not there."""


class RecordSource(Protocol):
    """Finds a record that is known to exist, in pending changes, cache or store."""

    def get_page(self, node: int) -> Page:
        """Return the page of an inner node at an even level; not to be changed."""

    def get_bucket(self, node: int) -> bytes:
        """Return the entries of a bucket."""


class PackedRoot(msgspec.Struct, frozen=True):
    """A root with its sums still packed."""

    kind: int
    """As in `Root`."""
    hash: bytes
    """Bucket or node hash; no bytes if empty."""
    sums: int
    """The four sums as one integer of 320 bits; 0 in a map."""


def sort_operations(flavour: Flavour, operations: Iterable[Operation]) -> tuple[list[bytes], list[bytes | None]]:
    """Return keys and tails in key order, one for each key: the last change of a key counts.

    Raises InvariantViolation for a key or tail of wrong length, or a sum leaf that no verifier would accept.
    """
    merged = dict(operations)
    keys = sorted(merged)
    tails = [merged[key] for key in keys]
    for key, tail in zip(keys, tails, strict=True):
        if len(key) != flavour.key_bytes:
            raise InvariantViolation(f"{flavour.name} tree: a key of {len(key)} bytes")
        if tail is None:
            continue
        if len(tail) != flavour.tail_bytes:
            raise InvariantViolation(f"{flavour.name} tree: a tail of {len(tail)} bytes")
        if flavour.sums_bytes:
            weight, rem = SUM_TAIL.unpack(tail)
            if not rem < weight:
                raise InvariantViolation(f"sum tree: weight {weight} with rem {rem}")
    return keys, tails


def apply_operations(
    *,
    flavour: Flavour,
    root: PackedRoot,
    below: RecordSource,
    changes: Changes,
    operations: Iterable[Operation],
) -> PackedRoot:
    """Apply a batch to the tree under `root`, put changed records in `changes`, return the new root.

    Deleting a key that is not there changes nothing. `below` finds the records that are not in `changes`.
    Raises InvariantViolation before anything is changed if an operation is malformed, StoreError if a
    record is damaged.
    """
    keys, tails = sort_operations(flavour, operations)
    if not keys:
        return root
    changes.leaves.update(zip(keys, tails, strict=True))
    batch = _Batch(flavour, below, changes, keys, tails)
    if root.kind == INNER:
        page = batch.own_page(ROOT_NODE)
        kind, digest, delta = batch.visit_node(page, 0, ROOT_NODE, 0, 0, len(keys))
    else:
        kind, digest, delta = batch.visit_bucket([], 0, ROOT_NODE, 0, root.kind, 0, len(keys))
    return PackedRoot(kind=kind, hash=digest, sums=root.sums + delta)


class _Batch:
    """One batch on its way through the tree.

    Each visit returns (kind, hash, difference of the packed sums) of the subtree after the changes lo..hi-1.
    """

    __slots__ = (
        "below",
        "bucket_prefix",
        "buckets",
        "entry_bytes",
        "has_sums",
        "key_bytes",
        "keys",
        "levels_max",
        "node_bytes_max",
        "node_prefix",
        "pages",
        "record_bytes",
        "reshaped",
        "tails",
    )

    def __init__(
        self,
        flavour: Flavour,
        below: RecordSource,
        changes: Changes,
        keys: list[bytes],
        tails: list[bytes | None],
    ) -> None:
        self.below = below
        self.pages = changes.pages
        self.buckets = changes.buckets
        self.reshaped = changes.reshaped
        self.keys = keys
        self.tails = tails
        self.bucket_prefix = flavour.bucket_prefix
        self.node_prefix = flavour.node_prefix
        self.key_bytes = flavour.key_bytes
        self.entry_bytes = flavour.entry_bytes
        self.record_bytes = flavour.record_bytes
        self.node_bytes_max = NODE_HEAD_BYTES + ARITY * flavour.record_bytes
        self.levels_max = flavour.levels_max
        self.has_sums = flavour.sums_bytes > 0

    def own_page(self, node: int) -> Page:
        """Return the page of `node` for changing, copied on its first visit."""
        page = self.pages.get(node)
        if page is None:
            page = self.pages[node] = self.below.get_page(node)[:]
        return page

    def own_bucket(self, node: int) -> bytes:
        """Return the entries of the bucket at `node`."""
        entries = self.buckets.get(node)
        return self.below.get_bucket(node) if entries is None else entries

    def visit_node(self, page: Page, slot: int, node: int, depth: int, lo: int, hi: int) -> tuple[int, bytes, int]:
        """Apply the changes lo..hi-1 below the inner node in `page[slot]`."""
        if depth == self.levels_max:
            raise StoreError("tree: an inner node below the last key bit")
        keys, record_bytes, node_bytes_max = self.keys, self.record_bytes, self.node_bytes_max
        at, shift = depth >> 2, 6 - 2 * (depth & 3)
        changed = bytearray(page[slot])
        delta_total = 0
        may_merge = False
        child_first = ARITY * node
        while lo < hi:
            digit = keys[lo][at] >> shift & 3
            end = lo + 1
            if end < hi:
                if keys[hi - 1][at] >> shift & 3 == digit:
                    end = hi
                elif hi - lo <= LINEAR_GROUP_MAX:
                    while keys[end][at] >> shift & 3 == digit:
                        end += 1
                else:
                    end = bisect_right(keys, digit, lo, hi, key=lambda key: key[at] >> shift & 3)
            kind_old = changed[1 + digit]
            child = child_first + digit
            if kind_old != INNER:
                kind, digest, delta = self.visit_bucket(page, 1 + digit, child, depth + 1, kind_old, lo, end)
            elif depth & 1:
                kind, digest, delta = self.visit_node(self.own_page(child), 0, child, depth + 1, lo, end)
            else:
                kind, digest, delta = self.visit_node(page, 1 + digit, child, depth + 1, lo, end)
            if kind == kind_old == INNER and len(changed) == node_bytes_max:
                # The common case of `_put_child`, in place: upper nodes have four inner children.
                start = NODE_HEAD_BYTES + digit * record_bytes
                changed[start : start + HASH_BYTES] = digest
                if delta:
                    middle, stop = start + HASH_BYTES, start + record_bytes
                    sums = int.from_bytes(changed[middle:stop], "big") + delta
                    changed[middle:stop] = sums.to_bytes(SUMS_BYTES, "big")
            else:
                self._put_child(changed, digit, kind, digest, delta)
                if kind != kind_old:
                    may_merge = True
                    self._note_shape(node >> 2 if slot else node, kind_old, kind)
            delta_total += delta
            lo = end
        # An inner child alone has more than 16 leaves; its kind, 255, makes this sum too large as well.
        if may_merge and sum(changed[1:NODE_HEAD_BYTES]) <= BUCKET_ENTRIES_MAX:
            kind, digest = self._merge(page, slot, node, depth, changed)
            return kind, digest, delta_total
        page[slot] = bytes(changed)
        return INNER, hashlib.sha256(changed).digest(), delta_total

    def visit_bucket(
        self, page: Page, slot: int, node: int, depth: int, kind_old: int, lo: int, hi: int
    ) -> tuple[int, bytes, int]:
        """Apply the changes lo..hi-1 to the bucket or empty place at `node`.

        `page[slot]` is its place if it grows.
        """
        entries = b""
        if kind_old:
            entries = self.own_bucket(node)
            if len(entries) != kind_old * self.entry_bytes:
                raise StoreError("tree: a bucket does not hold as many entries as its kind says")
        delta = 0
        if hi - lo <= SPLICE_MAX:
            for index in range(lo, hi):
                entries, difference = self._splice(entries, self.keys[index], self.tails[index])
                delta += difference
        else:
            entries, delta = self._merge_many(entries, lo, hi)
        count = len(entries) // self.entry_bytes
        if count <= BUCKET_ENTRIES_MAX:
            if count:
                self.buckets[node] = entries
                return count, hashlib.sha256(self.bucket_prefix + entries).digest(), delta
            if kind_old:
                self.buckets[node] = BUCKET_GONE
            return EMPTY, b"", delta
        if kind_old:
            self.buckets[node] = BUCKET_GONE
        step = self.entry_bytes
        cut = [entries[start : start + step] for start in range(0, len(entries), step)]
        kind, digest, _ = self._build(cut, 0, count, page, slot, node, depth)
        return kind, digest, delta

    def _note_shape(self, page_node: int, kind_old: int, kind: int) -> None:
        """Note a page in which a child became something else, not only fuller or emptier."""
        if kind in _SHAPES or kind_old in _SHAPES:
            self.reshaped[page_node] = None

    def _put_child(self, changed: bytearray, digit: int, kind: int, digest: bytes, delta: int) -> None:
        """Write the new kind and record of a child into the bytes of its node."""
        record_bytes = self.record_bytes
        if len(changed) == self.node_bytes_max:
            start = NODE_HEAD_BYTES + digit * record_bytes
        else:
            start = NODE_HEAD_BYTES
            for other in changed[1 : 1 + digit]:
                if other:
                    start += record_bytes
        kind_old = changed[1 + digit]
        changed[1 + digit] = kind
        if kind_old and kind:
            changed[start : start + HASH_BYTES] = digest
            if delta:
                middle, end = start + HASH_BYTES, start + record_bytes
                sums = int.from_bytes(changed[middle:end], "big") + delta
                changed[middle:end] = sums.to_bytes(SUMS_BYTES, "big")
        elif kind:
            record = digest + delta.to_bytes(SUMS_BYTES, "big") if self.has_sums else digest
            changed[start:start] = record
        elif kind_old:
            del changed[start : start + record_bytes]

    def _merge(self, page: Page, slot: int, node: int, depth: int, changed: bytearray) -> tuple[int, bytes]:
        """Turn a node with at most 16 leaves, all in buckets, into one bucket (state-tree 5, step 4)."""
        parts = []
        for digit in range(ARITY):
            if changed[1 + digit]:
                child = ARITY * node + digit
                parts.append(self.own_bucket(child))
                self.buckets[child] = BUCKET_GONE
        entries = b"".join(parts)
        if depth & 1:
            page[slot] = b""
        else:
            self.pages[node] = PAGE_GONE
        count = len(entries) // self.entry_bytes
        if count != sum(changed[1:NODE_HEAD_BYTES]):
            raise StoreError("tree: a bucket does not hold as many entries as its kind says")
        if not count:
            return EMPTY, b""
        self.buckets[node] = entries
        return count, hashlib.sha256(self.bucket_prefix + entries).digest()

    def _build(
        self, entries: list[bytes], lo: int, hi: int, page: Page, slot: int, node: int, depth: int
    ) -> tuple[int, bytes, int]:
        """Make the subtree of the sorted entries lo..hi-1; return kind, hash and packed sums."""
        if hi - lo <= BUCKET_ENTRIES_MAX:
            bucket = b"".join(entries[lo:hi])
            self.buckets[node] = bucket
            sums = compute_packed_sums(bucket) if self.has_sums else 0
            return hi - lo, hashlib.sha256(self.bucket_prefix + bucket).digest(), sums
        if not depth & 1:
            page, slot = [b""] * PAGE_SLOTS, 0
            self.pages[node] = page
            self.reshaped[node] = None
        at, shift = depth >> 2, 6 - 2 * (depth & 3)
        kinds = bytearray(ARITY)
        records = []
        sums_total = 0
        while lo < hi:
            digit = entries[lo][at] >> shift & 3
            end = bisect_right(entries, digit, lo, hi, key=lambda entry: entry[at] >> shift & 3)
            kind, digest, sums = self._build(entries, lo, end, page, 1 + digit, ARITY * node + digit, depth + 1)
            kinds[digit] = kind
            records.append(digest + sums.to_bytes(SUMS_BYTES, "big") if self.has_sums else digest)
            sums_total += sums
            lo = end
        built = b"".join((self.node_prefix, kinds, *records))
        page[slot] = built
        return INNER, hashlib.sha256(built).digest(), sums_total

    def _splice(self, entries: bytes, key: bytes, tail: bytes | None) -> tuple[bytes, int]:
        """Set or delete one entry of a bucket.

        Return the new entries and the difference of the packed sums.
        """
        step = self.entry_bytes
        position = entries.find(key)
        while position > 0 and position % step:
            position = entries.find(key, position + 1)
        delta = 0
        if position >= 0:
            end = position + step
            if self.has_sums:
                delta = -_compute_entry_sums(entries[position:end])
            if tail is None:
                return entries[:position] + entries[end:], delta
        else:
            if tail is None:
                return entries, 0
            position = end = self._find_place(entries, key)
        entry = key + tail
        if self.has_sums:
            delta += _compute_entry_sums(entry)
        return entries[:position] + entry + entries[end:], delta

    def _find_place(self, entries: bytes, key: bytes) -> int:
        """Return the offset at which an entry with a key that is not there belongs."""
        key_bytes = self.key_bytes
        for start in range(0, len(entries), self.entry_bytes):
            if entries[start : start + key_bytes] > key:
                return start
        return len(entries)

    def _merge_many(self, entries: bytes, lo: int, hi: int) -> tuple[bytes, int]:
        """Apply many changes to a bucket at once; the result may be far over 16 entries."""
        step, key_bytes = self.entry_bytes, self.key_bytes
        merged: dict[bytes, bytes] = {}
        for start in range(0, len(entries), step):
            merged[entries[start : start + key_bytes]] = entries[start + key_bytes : start + step]
        for index in range(lo, hi):
            tail = self.tails[index]
            if tail is None:
                merged.pop(self.keys[index], None)
            else:
                merged[self.keys[index]] = tail
        result = b"".join([key + merged[key] for key in sorted(merged)])
        delta = compute_packed_sums(result) - compute_packed_sums(entries) if self.has_sums else 0
        return result, delta


def _compute_entry_sums(entry: bytes) -> int:
    """Return the contribution of one sum entry as a packed integer."""
    x, weight, rem = SUM_ENTRY.unpack(entry)
    packed: int = 1 << COUNT_SHIFT | weight << WEIGHT_SHIFT | weight * x << WEIGHT_X_SHIFT | rem
    return packed
