"""Commitment of the authenticated trees: what is hashed, and the rule of shape (state-tree 3).

One canonical quad trie with buckets serves the state map and the sum tree of each pool. The root is a
function of the set of leaves alone: a subtree with no leaf is empty, with 1 to 16 leaves a bucket, with
more an inner node that splits by the next two bits of the key. Every number here is a consensus rule.
Storage is in `trie_storage.py`, updates are in `trie_update.py`, reading in `trie_read.py`, verifying in
`trie_proof.py`, the tree object in `trie_tree.py`.
"""

import hashlib
import struct
from typing import Final, TypeAlias

import msgspec

from chain.errors import DecodeError, InvariantViolation
from chain.types import ZERO_HASH, Hash

ARITY: Final = 4
BUCKET_ENTRIES_MAX: Final = 16
EMPTY: Final = 0
"""Kind of a subtree without leaves; kinds 1..16 are buckets with that many entries."""
INNER: Final = 255
"""Kind of a subtree with more than 16 leaves."""

HASH_BYTES: Final = 32
SUMS_BYTES: Final = 40
KINDS_BYTES: Final = ARITY
NODE_HEAD_BYTES: Final = 1 + KINDS_BYTES
"""Prefix and kinds: what precedes the child records in the bytes that a node hash covers."""

MAP_KEY_PREFIX: Final = b"\x14"
MAP_VALUE_PREFIX: Final = b"\x15"
MAP_ROOT_PREFIX: Final = b"\x16"

PSEUDONYM_BYTES: Final = 32
X_BYTES: Final = 4
WEIGHT_MAX: Final = 2**32 - 1
X_MAX: Final = 2**32 - 1

# Places of the four fields in the packed integer: count, weight, weight*X, rem, from the top.
COUNT_SHIFT: Final = 256
WEIGHT_SHIFT: Final = 192
WEIGHT_X_SHIFT: Final = 64
U64_MAX: Final = 2**64 - 1
U128_MAX: Final = 2**128 - 1

SUM_ENTRY: Final = struct.Struct(">I32xIQ")
"""X, weight and rem of one sum entry; the 32 bytes between are the pseudonym."""
SUM_TAIL: Final = struct.Struct(">IQ")
"""Weight and rem: what follows the key in a sum entry."""


class Flavour(msgspec.Struct, frozen=True):
    """What tells the state map and the sum tree apart."""

    name: str
    """For messages: `map` or `sum`."""
    key_bytes: int
    """Length of a key: 32 (map), 36 (sum)."""
    tail_bytes: int
    """Length of what an entry holds behind its key: 32 (map), 12 (sum)."""
    sums_bytes: int
    """Length of the sums in a child record: 0 (map), 40 (sum)."""
    bucket_prefix: bytes
    """First byte of what a bucket hash covers."""
    node_prefix: bytes
    """First byte of what a node hash covers."""

    @property
    def entry_bytes(self) -> int:
        """Return the length of one entry of a bucket."""
        return self.key_bytes + self.tail_bytes

    @property
    def record_bytes(self) -> int:
        """Return the length of one child record."""
        return HASH_BYTES + self.sums_bytes

    @property
    def levels_max(self) -> int:
        """Return how many inner nodes a path can have: two key bits for each."""
        return 4 * self.key_bytes


MAP: Final = Flavour(name="map", key_bytes=32, tail_bytes=32, sums_bytes=0, bucket_prefix=b"\x10", node_prefix=b"\x11")
"""The state map, over SHA-256(0x14 || key); a tail is SHA-256(0x15 || value)."""
SUM: Final = Flavour(
    name="sum", key_bytes=36, tail_bytes=12, sums_bytes=SUMS_BYTES, bucket_prefix=b"\x12", node_prefix=b"\x13"
)
"""The sum tree of a pool, over X u32 || pseudonym; a tail is weight u32 || rem u64."""


class Sums(msgspec.Struct, frozen=True):
    """The four totals of a set of leaves of a sum tree."""

    count: int
    """Number of leaves, u64."""
    weight: int
    """Sum of the weights, u64."""
    weight_x: int
    """Sum of weight * X, u128."""
    rem: int
    """Sum of the remainders in fen, u64."""

    def __add__(self, other: "Sums") -> "Sums":
        """Return the field-by-field total."""
        return Sums(
            count=self.count + other.count,
            weight=self.weight + other.weight,
            weight_x=self.weight_x + other.weight_x,
            rem=self.rem + other.rem,
        )

    def __sub__(self, other: "Sums") -> "Sums":
        """Return the field-by-field difference; meant for a part taken from its whole."""
        return Sums(
            count=self.count - other.count,
            weight=self.weight - other.weight,
            weight_x=self.weight_x - other.weight_x,
            rem=self.rem - other.rem,
        )


NO_SUMS: Final = Sums(count=0, weight=0, weight_x=0, rem=0)


class Leaf(msgspec.Struct, frozen=True):
    """What a sum tree holds for one sharing member besides its place (contract 3.2)."""

    weight: int
    """Units that this member shares by, 1..2^32-1."""
    rem: int
    """Fen below one share, 0 <= rem < weight."""


class Root(msgspec.Struct, frozen=True):
    """Root of a tree: commits every leaf, and for a sum tree shows the totals."""

    kind: int
    """0 empty, 1..16 a bucket of that many leaves, 255 an inner node."""
    hash: Hash
    """Bucket or node hash; 32 zero bytes if empty."""
    sums: Sums
    """Totals over all leaves; all zero in a map."""


EMPTY_ROOT: Final = Root(kind=EMPTY, hash=ZERO_HASH, sums=NO_SUMS)

Operation: TypeAlias = tuple[bytes, bytes | None]
"""One change: full key, and the new tail, or None to delete. Made by the `*_operation` functions."""


def map_operation(key: bytes, value: bytes | None) -> Operation:
    """Build the change that sets `key` to `value` in a state map; None deletes."""
    hashed = hashlib.sha256(MAP_KEY_PREFIX + key).digest()
    return hashed, None if value is None else hashlib.sha256(MAP_VALUE_PREFIX + value).digest()


def map_key(key: bytes) -> bytes:
    """Return the tree key (32 bytes) of a state key."""
    return hashlib.sha256(MAP_KEY_PREFIX + key).digest()


def sum_key(*, x: int, pseudonym: bytes) -> bytes:
    """Return the tree key (36 bytes) of a leaf: `X u32 || pseudonym`, so that leaves are ordered by X.

    Raises InvariantViolation if X is not a u32 or the pseudonym has not 32 bytes.
    """
    if not 0 <= x <= X_MAX or len(pseudonym) != PSEUDONYM_BYTES:
        raise InvariantViolation(f"sum key out of range: x={x}, pseudonym of {len(pseudonym)} bytes")
    return x.to_bytes(X_BYTES, "big") + pseudonym


def parse_sum_key(key: bytes) -> tuple[int, bytes]:
    """Return (X, pseudonym) of a leaf's tree key."""
    return int.from_bytes(key[:X_BYTES], "big"), key[X_BYTES:]


def sum_operation(*, x: int, pseudonym: bytes, leaf: Leaf | None) -> Operation:
    """Build the change that puts `leaf` at (x, pseudonym) of a sum tree; None deletes.

    Raises InvariantViolation if a field is out of range.
    """
    return sum_key(x=x, pseudonym=pseudonym), None if leaf is None else encode_leaf(leaf)


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the tail of a sum entry, `weight u32 || rem u64`.

    Raises InvariantViolation unless 1 <= weight < 2^32 and 0 <= rem < weight: a leaf that no verifier would
    accept.
    """
    if not 1 <= leaf.weight <= WEIGHT_MAX or not 0 <= leaf.rem < leaf.weight:
        raise InvariantViolation(f"leaf out of range: weight={leaf.weight}, rem={leaf.rem}")
    return SUM_TAIL.pack(leaf.weight, leaf.rem)


def decode_leaf(tail: bytes) -> Leaf:
    """Read the tail of a sum entry."""
    weight, rem = SUM_TAIL.unpack(tail)
    return Leaf(weight=weight, rem=rem)


def get_digit(key: bytes, depth: int) -> int:
    """Return which child of the inner node at `depth` (root: 0) the key lies under: its next two bits."""
    return key[depth >> 2] >> (6 - 2 * (depth & 3)) & 3


def compute_bucket_hash(flavour: Flavour, entries: bytes) -> bytes:
    """Return the hash of a bucket; `entries` are concatenated in key order."""
    return hashlib.sha256(flavour.bucket_prefix + entries).digest()


def compute_map_root_hash(root: Root) -> Hash:
    """Return SHA-256(0x16 || kind || hash): the state root of a header."""
    return Hash(hashlib.sha256(MAP_ROOT_PREFIX + bytes((root.kind,)) + root.hash).digest())


def compute_packed_sums(entries: bytes) -> int:
    """Return the totals of a sum bucket as one integer of 320 bits."""
    count = weights = weights_x = rems = 0
    for x, weight, rem in SUM_ENTRY.iter_unpack(entries):
        count += 1
        weights += weight
        weights_x += weight * x
        rems += rem
    return count << COUNT_SHIFT | weights << WEIGHT_SHIFT | weights_x << WEIGHT_X_SHIFT | rems


def pack_sums(sums: Sums) -> int:
    """Return the four fields as one integer of 320 bits.

    Adding two of them adds all four fields, as long as none overflows.
    """
    return sums.count << COUNT_SHIFT | sums.weight << WEIGHT_SHIFT | sums.weight_x << WEIGHT_X_SHIFT | sums.rem


def unpack_sums(packed: int) -> Sums:
    """Split the integer of 320 bits into its four fields."""
    return Sums(
        count=packed >> COUNT_SHIFT,
        weight=packed >> WEIGHT_SHIFT & U64_MAX,
        weight_x=packed >> WEIGHT_X_SHIFT & U128_MAX,
        rem=packed & U64_MAX,
    )


def encode_root(root: Root) -> bytes:
    """Return `kind || hash || sums` (73 bytes): the value under ("members", pool) in the state map."""
    return bytes((root.kind,)) + root.hash + pack_sums(root.sums).to_bytes(SUMS_BYTES, "big")


def decode_root(data: bytes) -> Root:
    """Read `kind || hash || sums`.

    Raises DecodeError unless there are 73 bytes and kind, hash and count fit each other.
    """
    if len(data) != 1 + HASH_BYTES + SUMS_BYTES:
        raise DecodeError(what="sum root", reason=f"{len(data)} bytes")
    kind = data[0]
    digest = Hash(data[1 : 1 + HASH_BYTES])
    sums = unpack_sums(int.from_bytes(data[1 + HASH_BYTES :], "big"))
    if kind == EMPTY:
        is_consistent = digest == ZERO_HASH and sums == NO_SUMS
    elif kind == INNER:
        is_consistent = sums.count > BUCKET_ENTRIES_MAX
    else:
        is_consistent = kind <= BUCKET_ENTRIES_MAX and sums.count == kind
    if not is_consistent:
        raise DecodeError(what="sum root", reason=f"kind {kind} does not fit hash or count {sums.count}")
    return Root(kind=kind, hash=digest, sums=sums)
