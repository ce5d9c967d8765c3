"""The append-only history tree (RFC 6962, SHA-256), kept as tiles of 256 hashes (C2SP tlog-tiles). Pure.

Leaf hash = SHA-256(0x00 || entry), node hash = SHA-256(0x01 || left || right), empty root = SHA-256("").
A lone node on the right edge is carried up unhashed, never doubled (pitfalls L12).

A tile of level l holds 256 consecutive roots of full subtrees of 256^l leaves. Key of a stored tile:
`level u8 || index u64`; the last tile of a level is partial and rewritten by each block that adds to it. The
same functions over a list make the transactions root of a block.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from chain.errors import InvariantViolation, ProofError, StoreError
from chain.types import Hash

HASH_BYTES: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_HISTORY_ROOT: Final = Hash(hashlib.sha256(b"").digest())
TILE_HEIGHT: Final = 8
TILE_HASHES: Final = 256
TILE_BYTES: Final = TILE_HASHES * HASH_BYTES
SIZE_MAX: Final = 2**63 - 1
PATH_HASHES_MAX: Final = 63
"""Longest inclusion path; a consistency proof has at most one hash more."""


class TileReader(Protocol):
    """Where tiles are read from."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the tile under `level u8 || index u64`, None if there is none."""


def compute_leaf_hash(entry: bytes) -> Hash:
    """Return SHA-256(0x00 || entry)."""
    return Hash(hashlib.sha256(LEAF_PREFIX + entry).digest())


def compute_node_hash(left: bytes, right: bytes) -> Hash:
    """Return SHA-256(0x01 || left || right)."""
    return Hash(hashlib.sha256(NODE_PREFIX + left + right).digest())


def merkle_root(entries: Sequence[bytes]) -> Hash:
    """Return the root over `entries` in this order: the transactions root of a block."""
    return _fold([hashlib.sha256(LEAF_PREFIX + entry).digest() for entry in entries])


def inclusion_path(entries: Sequence[bytes], index: int) -> list[Hash]:
    """Return the path of entry `index`, the leaf's sibling first.

    Raises IndexError unless 0 <= index < len(entries).
    """
    if not 0 <= index < len(entries):
        raise IndexError(f"entry {index} of {len(entries)}")
    hashes = [hashlib.sha256(LEAF_PREFIX + entry).digest() for entry in entries]
    path = []
    while len(hashes) > 1:
        sibling = index ^ 1
        if sibling < len(hashes):
            path.append(Hash(hashes[sibling]))
        hashes = _pair_up(hashes)
        index >>= 1
    return path


class LogFrontier(msgspec.Struct, frozen=True):
    """The right edge of the tree: all that appending needs."""

    size: int = 0
    """Number of leaves, 0..2^63-1."""
    peaks: tuple[bytes, ...] = ()
    """Roots of the full subtrees that the leaves fall into, the largest first: one for each bit of `size`."""
    tails: tuple[bytes, ...] = ()
    """For each tile level the hashes of its partial last tile; no bytes if the last tile is full."""

    @property
    def root(self) -> Hash:
        """Return the root over all leaves."""
        if not self.peaks:
            return EMPTY_HISTORY_ROOT
        digest = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            digest = compute_node_hash(peak, digest)
        return Hash(digest)

    def append(self, leaf_hashes: Iterable[bytes]) -> tuple["LogFrontier", list[tuple[bytes, bytes]]]:
        """Return the frontier after these leaves, and the tiles to write in key order.

        Nothing here changes, so several proposals can append to one frontier. Raises InvariantViolation
        if a hash has not 32 bytes.
        """
        size = self.size
        peaks = list(self.peaks)
        tails = [bytearray(tail) for tail in self.tails]
        writes: dict[bytes, bytes] = {}
        for leaf_hash in leaf_hashes:
            if len(leaf_hash) != HASH_BYTES:
                raise InvariantViolation(f"a leaf hash of {len(leaf_hash)} bytes")
            digest = leaf_hash
            _extend(tails, writes, level=0, index=size, digest=digest)
            height = 0
            while size >> height & 1:
                digest = hashlib.sha256(NODE_PREFIX + peaks.pop() + digest).digest()
                height += 1
                if not height % TILE_HEIGHT:
                    _extend(tails, writes, level=height // TILE_HEIGHT, index=size >> height, digest=digest)
            peaks.append(digest)
            size += 1
        for level, tail in enumerate(tails):
            if tail and (level >= len(self.tails) or tail != self.tails[level]):
                writes[encode_tile_key(level, size >> TILE_HEIGHT * (level + 1))] = bytes(tail)
        after = LogFrontier(size=size, peaks=tuple(peaks), tails=tuple(bytes(tail) for tail in tails))
        return after, sorted(writes.items())


def load_frontier(reader: TileReader, size: int) -> LogFrontier:
    """Read the frontier of the tree with `size` leaves from its last tiles.

    Raises StoreError if one is damaged or missing.
    """
    tiles = _Tiles(reader)
    peaks: list[bytes] = []
    tails: list[bytes] = []
    level = 0
    while size >> TILE_HEIGHT * level:
        width = (size >> TILE_HEIGHT * level) % TILE_HASHES
        index = size >> TILE_HEIGHT * (level + 1)
        tail = tiles.read(level, index, width) if width else b""
        tails.append(tail)
        start = width
        found = []
        for height in range(TILE_HEIGHT):
            if width >> height & 1:
                start -= 1 << height
                found.append(_fold(_cut(tail[HASH_BYTES * start : HASH_BYTES * (start + (1 << height))])))
        peaks = [*reversed(found), *peaks]
        level += 1
    return LogFrontier(size=size, peaks=tuple(peaks), tails=tuple(tails))


def load_root(reader: TileReader, size: int) -> Hash:
    """Compute the root that the tree had when it held `size` leaves."""
    return EMPTY_HISTORY_ROOT if not size else _Tiles(reader).compute_range(0, size)


def load_leaf_hash(reader: TileReader, index: int) -> Hash:
    """Read the hash of one leaf; StoreError if its tile is damaged or missing."""
    return _Tiles(reader).compute_range(index, index + 1)


def inclusion_proof(reader: TileReader, *, index: int, size: int) -> list[Hash]:
    """Return the path of leaf `index` in the tree of `size` leaves (RFC 6962 2.1.1), its sibling first.

    Raises IndexError unless 0 <= index < size, StoreError if a tile is damaged or missing.
    """
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of {size}")
    tiles = _Tiles(reader)
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(tiles.compute_range(middle, end))
            end = middle
        else:
            path.append(tiles.compute_range(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_proof(reader: TileReader, *, old_size: int, new_size: int) -> list[Hash]:
    """Return the proof that the tree of `new_size` leaves continues that of `old_size` (RFC 6962 2.1.2).

    Raises IndexError unless 0 <= old_size <= new_size, StoreError if a tile is damaged or missing.
    """
    if not 0 <= old_size <= new_size:
        raise IndexError(f"from size {old_size} to {new_size}")
    if old_size in {0, new_size}:
        return []
    tiles = _Tiles(reader)
    path = []
    start, end = 0, new_size
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(tiles.compute_range(middle, end))
            end = middle
        else:
            path.append(tiles.compute_range(start, middle))
            start = middle
    if start:
        path.append(tiles.compute_range(start, end))
    path.reverse()
    return path


def verify_inclusion(*, root: bytes, size: int, index: int, leaf_hash: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree with this root and size holds `leaf_hash` at `index` (RFC 9162 2.1.3.2).

    Compute `leaf_hash` from the entry yourself: a hash that the prover supplies proves nothing.
    Raises ProofError.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofError(f"leaf {index} of {size}")
    _check_hashes(path, PATH_HASHES_MAX)
    position, last = index, size - 1
    digest = leaf_hash
    for sibling in path:
        if not last:
            raise ProofError("the path is too long")
        if position & 1 or position == last:
            digest = compute_node_hash(sibling, digest)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            digest = compute_node_hash(digest, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the path is too short")
    if digest != root:
        raise ProofError("the path does not lead to the root")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of `new_size` leaves starts with those of the old one (RFC 9162 2.1.4.2).

    Raises ProofError.
    """
    if not 0 <= old_size <= new_size <= SIZE_MAX:
        raise ProofError(f"from size {old_size} to {new_size}")
    _check_hashes(path, PATH_HASHES_MAX + 1)
    if old_size in {0, new_size}:
        known = new_root if old_size else EMPTY_HISTORY_ROOT
        if path or old_root != known or (not new_size and new_root != EMPTY_HISTORY_ROOT):
            raise ProofError("a proof between trees that need none")
        return
    hashes = list(path)
    if not old_size & (old_size - 1):
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofError("the path is too short")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            raise ProofError("the path is too long")
        if position & 1 or position == last:
            old, new = compute_node_hash(sibling, old), compute_node_hash(sibling, new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new = compute_node_hash(new, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the path is too short")
    if old != old_root or new != new_root:
        raise ProofError("the path does not lead to both roots")


def encode_tile_key(level: int, index: int) -> bytes:
    """Return the key of a tile, `level u8 || index u64`."""
    return bytes((level,)) + index.to_bytes(8, "big")


def encode_tile_path(level: int, index: int, width: int = TILE_HASHES) -> str:
    """Return the C2SP path of a tile, `tile/<L>/<N>[.p/<W>]`, with N in groups of three digits."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{number}" + ("" if width == TILE_HASHES else f".p/{width}")


def load_tile(reader: TileReader, *, level: int, index: int, width: int, size: int) -> bytes | None:
    """Return the first `width` hashes of a tile, None if the tree of `size` leaves has not so many there.

    Raises StoreError if the tile is damaged or missing.
    """
    if not 0 <= level < 64 // TILE_HEIGHT or not 1 <= width <= TILE_HASHES or index < 0:
        return None
    if index * TILE_HASHES + width > size >> TILE_HEIGHT * level:
        return None
    return _Tiles(reader).read(level, index, width)


class _Tiles:
    """Reads each tile once for one proof."""

    def __init__(self, reader: TileReader) -> None:
        self._reader = reader
        self._read: dict[bytes, bytes] = {}

    def read(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile."""
        key = encode_tile_key(level, index)
        tile = self._read.get(key)
        if tile is None:
            tile = self._reader.get(key)
            if tile is None or len(tile) > TILE_BYTES or len(tile) % HASH_BYTES:
                raise StoreError(f"history: tile {index} of level {level} is missing or damaged")
            self._read[key] = tile
        if len(tile) < width * HASH_BYTES:
            raise StoreError(f"history: tile {index} of level {level} is too short")
        return tile[: width * HASH_BYTES]

    def compute_range(self, start: int, end: int) -> Hash:
        """Return the root over the leaves start..end-1, a subtree: its split falls on a power of two."""
        digest = b""
        # Full subtrees from the right, each the largest that ends where the last one began.
        while end > start:
            height = min((end & -end).bit_length() - 1, (end - start).bit_length() - 1)
            end -= 1 << height
            subtree = self._compute_full(height, end >> height)
            digest = compute_node_hash(subtree, digest) if digest else subtree
        return Hash(digest)

    def _compute_full(self, height: int, index: int) -> bytes:
        """Return the root of the `index`-th full subtree of 2^height leaves."""
        level, rest = divmod(height, TILE_HEIGHT)
        tile, start = divmod(index << rest, TILE_HASHES)
        hashes = self.read(level, tile, start + (1 << rest))
        return _fold(_cut(hashes[start * HASH_BYTES :]))


def _extend(tails: list[bytearray], writes: dict[bytes, bytes], *, level: int, index: int, digest: bytes) -> None:
    """Add the `index`-th hash of a tile level; a tile that is full goes to `writes`."""
    if level == len(tails):
        tails.append(bytearray())
    tail = tails[level]
    tail += digest
    if len(tail) == TILE_BYTES:
        writes[encode_tile_key(level, index // TILE_HASHES)] = bytes(tail)
        tail.clear()


def _fold(hashes: list[bytes]) -> Hash:
    """Return the root over leaf or subtree hashes."""
    if not hashes:
        return EMPTY_HISTORY_ROOT
    while len(hashes) > 1:
        hashes = _pair_up(hashes)
    return Hash(hashes[0])


def _pair_up(hashes: list[bytes]) -> list[bytes]:
    """Return the next row of the tree; a lone last hash goes up as it is."""
    row = [hashlib.sha256(NODE_PREFIX + hashes[at] + hashes[at + 1]).digest() for at in range(0, len(hashes) - 1, 2)]
    if len(hashes) % 2:
        row.append(hashes[-1])
    return row


def _cut(data: bytes) -> list[bytes]:
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def _split(count: int) -> int:
    """Return the largest power of two below `count` (>= 2)."""
    return 1 << (count - 1).bit_length() - 1


def _check_hashes(path: Sequence[bytes], count_max: int) -> None:
    if len(path) > count_max:
        raise ProofError(f"{len(path)} hashes")
    if any(len(sibling) != HASH_BYTES for sibling in path):
        raise ProofError("a hash of wrong length")
