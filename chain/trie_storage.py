"""Records of the authenticated trees in the key-value store: pages, leaves, the root record (state-tree 4).

Pure. An inner node in memory *is* the bytes that its hash covers: `prefix || kinds[4] || records of the
non-empty children`. A page is an inner node at an even level with its up to four inner children: a list of
five such byte strings, empty where there is none. Node ids are path bits under a leading 1: the root is 1,
child i of n is 4n + i.

Key of a page: `tag || 'n' || depth u8 || path bits, left-aligned`, so that a sorted batch touches
neighbours. Key of a leaf: `tag || 'e' || tree key`. A bucket has no record of its own: its entries are the leaves
under its path, which lie side by side. The tag is given by the store and must not be a prefix of another tree's tag.
"""

from typing import Final, Protocol, TypeAlias

import msgspec

from chain.errors import StoreError
from chain.trie import (
    ARITY,
    BUCKET_ENTRIES_MAX,
    HASH_BYTES,
    INNER,
    KINDS_BYTES,
    NODE_HEAD_BYTES,
    Flavour,
    Root,
    pack_sums,
    unpack_sums,
)
from chain.types import Hash

PAGE_SLOTS: Final = 1 + ARITY
"""Slot 0 is the page's own node, 1..4 are its inner children."""
PIN_BYTES: Final = 4
RECORD_HEAD_BYTES: Final = 1 + PIN_BYTES
PAGE_TAG: Final = b"P"
_LEAF: Final = b"e"
_BEHIND_LEAVES: Final = b"f"

Page: TypeAlias = list[bytes]


class RecordReader(Protocol):
    """Where the records of a tree are read from: a database or one of its snapshots."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the record under `key`, None if there is none."""

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        """Return (key, record) with start <= key < stop in key order, at most so many."""


class RootRecord(msgspec.Struct, frozen=True):
    """What is stored about a tree as a whole."""

    root: Root
    """Root of the stored tree."""
    height: int
    """Block after which this is the tree, u64."""
    low_water_height: int
    """Height up to which every page is on disk, u64.

    Equal to `height` where no page waits (trie_lazy.py).
    """
    pin: int
    """Number of pins set so far, u32."""


def encode_root_key(tag: bytes) -> bytes:
    """Return the key of the root record."""
    return tag + b"R"


def encode_record_key(tag: bytes, node: int) -> bytes:
    """Return the key of the page of a node id."""
    depth = node.bit_length() >> 1
    path_bytes = depth + 3 >> 2
    aligned = (node ^ 1 << 2 * depth) << 8 * path_bytes - 2 * depth
    return b"%bn%c%b" % (tag, depth, aligned.to_bytes(path_bytes, "big"))


def encode_touched_key(tag: bytes, height: int) -> bytes:
    """Return the key of the list of places that a block touched."""
    return tag + b"L" + height.to_bytes(8, "big")


def encode_leaf_key(tag: bytes, key: bytes) -> bytes:
    """Return the key of the leaf under a tree key."""
    return tag + _LEAF + key


def encode_leaf(tail: bytes, *, pin: int) -> bytes:
    """Return the record of a leaf."""
    return pin.to_bytes(PIN_BYTES, "big") + tail


def read_bucket(reader: RecordReader, tag: bytes, node: int, flavour: Flavour) -> bytes:
    """Return the entries of the bucket at a node id; StoreError if the leaves there are none."""
    depth = node.bit_length() >> 1
    step = 1 << 8 * flavour.key_bytes - 2 * depth
    first = (node ^ 1 << 2 * depth) * step
    start = tag + _LEAF + first.to_bytes(flavour.key_bytes, "big")
    is_last = (first + step) >> 8 * flavour.key_bytes
    stop = tag + (_BEHIND_LEAVES if is_last else _LEAF + (first + step).to_bytes(flavour.key_bytes, "big"))
    rows = reader.read_range(start, stop, BUCKET_ENTRIES_MAX + 1)
    head = len(tag) + len(_LEAF)
    entries = b"".join([key[head:] + record[PIN_BYTES:] for key, record in rows])
    if not 1 <= len(rows) <= BUCKET_ENTRIES_MAX or any(
        len(key) != head + flavour.key_bytes or len(record) != PIN_BYTES + flavour.tail_bytes for key, record in rows
    ):
        raise StoreError(f"{flavour.name} tree: the leaves of bucket {node:#x} are damaged")
    return entries


def encode_page(page: Page, *, pin: int) -> bytes:
    """Return the record of a page: for each node its slot, kinds and child records."""
    parts = [PAGE_TAG, pin.to_bytes(PIN_BYTES, "big")]
    for slot, node in enumerate(page):
        if node:
            parts.append(_SLOTS[slot])
            parts.append(node[1:])
    return b"".join(parts)


def decode_page(record: bytes, flavour: Flavour) -> Page:
    """Return the nodes of a page record; StoreError if it is not one."""
    if record[:1] != PAGE_TAG:
        raise StoreError(f"{flavour.name} tree: a page record is damaged")
    page = [b""] * PAGE_SLOTS
    record_bytes = flavour.record_bytes
    position = RECORD_HEAD_BYTES
    slot_next = 0
    while position < len(record):
        slot = record[position]
        kinds = record[position + 1 : position + 1 + KINDS_BYTES]
        end = position + NODE_HEAD_BYTES + record_bytes * (len(kinds) - kinds.count(0))
        if not slot_next <= slot < PAGE_SLOTS or end > len(record) or not are_kinds_valid(kinds):
            raise StoreError(f"{flavour.name} tree: a page record is damaged")
        page[slot] = flavour.node_prefix + record[position + 1 : end]
        slot_next = slot + 1
        position = end
    root_kinds = page[0][1:NODE_HEAD_BYTES]
    if not root_kinds or any((kind == INNER) != bool(node) for kind, node in zip(root_kinds, page[1:], strict=True)):
        raise StoreError(f"{flavour.name} tree: a page record lacks a node or has one too many")
    return page


def are_kinds_valid(kinds: bytes) -> bool:
    """Tell whether these are four kinds, each one of 0..16 and 255."""
    return len(kinds) == KINDS_BYTES and all(kind <= BUCKET_ENTRIES_MAX or kind == INNER for kind in kinds)


def encode_root_record(record: RootRecord, flavour: Flavour) -> bytes:
    """Return `kind || hash || sums (sum tree only) || height u64 || low-water height u64 || pin u32`."""
    return b"".join(
        (
            bytes((record.root.kind,)),
            record.root.hash,
            pack_sums(record.root.sums).to_bytes(flavour.sums_bytes, "big"),
            record.height.to_bytes(8, "big"),
            record.low_water_height.to_bytes(8, "big"),
            record.pin.to_bytes(PIN_BYTES, "big"),
        )
    )


def decode_root_record(data: bytes, flavour: Flavour) -> RootRecord:
    """Read the root record; StoreError if its length is wrong."""
    sums_end = 1 + HASH_BYTES + flavour.sums_bytes
    if len(data) != sums_end + 16 + PIN_BYTES:
        raise StoreError(f"{flavour.name} tree: the root record is damaged")
    return RootRecord(
        root=Root(
            kind=data[0],
            hash=Hash(data[1 : 1 + HASH_BYTES]),
            sums=unpack_sums(int.from_bytes(data[1 + HASH_BYTES : sums_end], "big")),
        ),
        height=int.from_bytes(data[sums_end : sums_end + 8], "big"),
        low_water_height=int.from_bytes(data[sums_end + 8 : sums_end + 16], "big"),
        pin=int.from_bytes(data[sums_end + 16 :], "big"),
    )


_SLOTS: Final = tuple(bytes((slot,)) for slot in range(PAGE_SLOTS))
