"""Lazy pages: inner pages of a map tree that are newer in memory than on disk (state-tree 5, policy L).

A block changes two or three leaves for each transaction at random places, and with each of them every page above. To
write all of these pages with each block was two fifths of what a node wrote. So a block's batch holds at once

    every changed leaf
    every page in which the shape changed: what is empty, a bucket, an inner node
    the pages that have waited longest, where too many wait or have waited for too long
    the list of the places that it touched: the first bytes of each changed key

and the other changed pages wait in memory. What is on disk then has always the shape of the head, and only hashes and
counts in pages can be old. After a start the places touched since the low-water height are hashed again from their
leaves (`rehash`), up to the root, which must be the stored one. The root itself is stored with each block.

Pure. Local to a node: no hash depends on what waits.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from chain.errors import StoreError
from chain.trie import (
    ARITY,
    EMPTY,
    HASH_BYTES,
    INNER,
    NODE_HEAD_BYTES,
    Flavour,
    compute_bucket_hash,
    get_digit,
)
from chain.trie_storage import Page
from chain.trie_update import ROOT_NODE, Changes, PackedRoot, RecordSource

BLOCKS_MAX: Final = 64
"""A page waits for at most so many blocks, as long as no more than AGED_MAX are due at once."""
AGED_MAX: Final = 1_000
"""Pages that a block writes because of their age: after a start all have the same."""
TOUCHED_BYTES: Final = 8
"""What a list holds of each changed key. Where keys agree in it, everything below is hashed again."""
_DIGITS_TOUCHED: Final = TOUCHED_BYTES * 4


class LazyPages:
    """The pages that wait, oldest first."""

    __slots__ = ("_since", "low_water", "pages", "pages_max")

    def __init__(self, pages_max: int, *, low_water: int = 0) -> None:
        """Begin with none; at most `pages_max` wait after a block."""
        self.pages: dict[int, Page] = {}
        """As they are in the committed tree, by node id."""
        self.pages_max = pages_max
        self.low_water = low_water
        """Height up to which every page is on disk."""
        self._since: dict[int, int] = {}
        """Height of the first change that is not on disk, never falling in the order of the dict."""

    def choose(self, changes: Changes, *, height: int) -> tuple[dict[int, Page], int]:
        """Return the pages that the batch of a block writes (an empty list if gone), and its low-water height."""
        if not self.pages_max and not self.pages:
            return changes.pages, height
        waiting, reshaped = self.pages, changes.reshaped
        chosen = {node: page for node, page in changes.pages.items() if not page or node in reshaped}
        fresh = dict.fromkeys([node for node in changes.pages if node not in chosen and node not in waiting], height)
        excess = len(waiting) + len(fresh) - sum([node in waiting for node in chosen]) - self.pages_max
        taken = 0
        for node, since in itertools.chain(self._since.items(), fresh.items()):
            if node in chosen:
                continue
            if taken >= excess and (since > height - BLOCKS_MAX or taken >= AGED_MAX):
                return chosen, since - 1
            chosen[node] = changes.pages.get(node) or waiting[node]
            taken += 1
        return chosen, height

    def commit(self, changes: Changes, chosen: dict[int, Page], *, height: int, low_water: int) -> None:
        """Note what a durable batch has written and what waits from now on."""
        waiting, since = self.pages, self._since
        if waiting:
            for node in chosen:
                if waiting.pop(node, None) is not None:
                    del since[node]
        for node, page in changes.pages.items():
            if node not in chosen:
                waiting[node] = page
                since.setdefault(node, height)
        self.low_water = low_water

    def restore(self, pages: dict[int, Page]) -> None:
        """Let pages wait that were hashed again after a start."""
        self.pages = pages
        self._since = dict.fromkeys(pages, self.low_water + 1)


def list_touched(keys: Iterable[bytes]) -> bytes:
    """Return the record of the places that a block touched: the first bytes of its changed keys, in order."""
    return b"".join(sorted(dict.fromkeys(key[:TOUCHED_BYTES] for key in keys)))


def parse_touched(record: bytes) -> list[bytes]:
    """Read a list of places; StoreError if its length is wrong."""
    if len(record) % TOUCHED_BYTES:
        raise StoreError("map tree: a list of touched places is damaged")
    return [record[start : start + TOUCHED_BYTES] for start in range(0, len(record), TOUCHED_BYTES)]


def rehash(
    source: RecordSource, *, flavour: Flavour, kind: int, places: Iterable[bytes]
) -> tuple[PackedRoot, dict[int, Page]]:
    """Hash what lies on the way to these places again; return the root and the pages that were old.

    `kind` is that of the stored root. Raises StoreError if a record is missing or damaged.
    """
    touched = sorted(dict.fromkeys(places))
    if kind == EMPTY:
        return PackedRoot(kind=EMPTY, hash=b"", sums=0), {}
    if kind != INNER:
        entries = source.get_bucket(ROOT_NODE)
        return PackedRoot(kind=kind, hash=compute_bucket_hash(flavour, entries), sums=0), {}
    walk = _Rehash(source, flavour, touched)
    digest = walk.visit(walk.open_page(ROOT_NODE), 0, ROOT_NODE, 0, 0, len(touched))
    old = {node: page for node, page in walk.pages.items() if page != source.get_page(node)}
    return PackedRoot(kind=INNER, hash=digest, sums=0), old


class _Rehash:
    """One walk over the touched places."""

    def __init__(self, source: RecordSource, flavour: Flavour, places: Sequence[bytes]) -> None:
        self.pages: dict[int, Page] = {}
        self._source = source
        self._flavour = flavour
        self._places = places

    def open_page(self, node: int) -> Page:
        """Return a copy of a page."""
        page = self.pages[node] = self._source.get_page(node)[:]
        return page

    def visit(self, page: Page, slot: int, node: int, depth: int, lo: int, hi: int) -> bytes:
        """Return the hash of the inner node in `page[slot]`, the places lo..hi-1 below it hashed again."""
        flavour = self._flavour
        inner = bytearray(page[slot])
        start = NODE_HEAD_BYTES
        for digit in range(ARITY):
            end = lo
            while end < hi and (depth >= _DIGITS_TOUCHED or get_digit(self._places[end], depth) == digit):
                end += 1
            kind = inner[1 + digit]
            if kind != EMPTY and lo < end:
                child = ARITY * node + digit
                if kind != INNER:
                    entries = self._source.get_bucket(child)
                    inner[1 + digit] = len(entries) // flavour.entry_bytes
                    digest = compute_bucket_hash(flavour, entries)
                elif depth & 1:
                    digest = self.visit(self.open_page(child), 0, child, depth + 1, lo, end)
                else:
                    digest = self.visit(page, 1 + digit, child, depth + 1, lo, end)
                inner[start : start + HASH_BYTES] = digest
            if depth < _DIGITS_TOUCHED:
                lo = end
            if kind != EMPTY:
                start += flavour.record_bytes
        page[slot] = bytes(inner)
        return hashlib.sha256(inner).digest()
