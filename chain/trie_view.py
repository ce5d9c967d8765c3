"""What can be read from an authenticated tree, committed or with changes on top: entries, sums, proofs, all leaves."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from chain.errors import InvariantViolation
from chain.trie import (
    COUNT_SHIFT,
    Flavour,
    Leaf,
    Root,
    Sums,
    compute_map_root_hash,
    decode_leaf,
    encode_root,
    unpack_sums,
)
from chain.trie_read import build_proof, compute_sums_from, find_tail, iterate_entries, select_key, walk
from chain.trie_storage import Page
from chain.trie_update import PackedRoot
from chain.types import ZERO_HASH, Hash


class TreeView(ABC):
    """What can be read from a tree as committed (`Tree`) and as changed (`Pending`) alike.

    Keys are tree keys: `map_key(...)` (32 bytes) or `sum_key(...)` (36 bytes). Any read raises StoreError
    if a record is damaged or missing.
    """

    def __init__(self, flavour: Flavour, root: PackedRoot) -> None:
        self.flavour = flavour
        self._root = root

    @property
    def root(self) -> Root:
        """Return the root with its sums."""
        packed = self._root
        return Root(kind=packed.kind, hash=Hash(packed.hash or ZERO_HASH), sums=unpack_sums(packed.sums))

    @property
    def packed_root(self) -> PackedRoot:
        """Return the root with its sums as one integer."""
        return self._root

    @property
    def root_bytes(self) -> bytes:
        """Return what is committed elsewhere: map root hash (32 bytes) or encoded sum root (73 bytes)."""
        return encode_root(self.root) if self.flavour.sums_bytes else compute_map_root_hash(self.root)

    @abstractmethod
    def get_page(self, node: int) -> Page:
        """Return the page of a node id that is known to exist; not to be changed."""

    @abstractmethod
    def get_bucket(self, node: int) -> bytes:
        """Return the entries of the bucket of a node id that is known to exist."""

    def entry(self, key: bytes) -> bytes | None:
        """Return what the tree holds for `key`: value hash (map) or packed leaf (sum); None if absent."""
        _, entries = walk(self, flavour=self.flavour, kind=self._checked_kind(), key=self._checked(key))
        return find_tail(entries, key, flavour=self.flavour)

    def leaf(self, key: bytes) -> Leaf | None:
        """Return the leaf at `key` of a sum tree, None if absent."""
        self._require_sums()
        tail = self.entry(key)
        return None if tail is None else decode_leaf(tail)

    def prove(self, key: bytes) -> bytes:
        """Return the proof of presence or absence of `key`.

        With `sum_key(I, 0^32)` that of the range X >= I.
        """
        return build_proof(self, flavour=self.flavour, kind=self._checked_kind(), key=self._checked(key))

    def range_sums(self, x_from: int) -> Sums:
        """Return the totals of the leaves with X >= x_from (any integer)."""
        self._require_sums()
        packed = compute_sums_from(
            self, flavour=self.flavour, kind=self._checked_kind(), total=self._root.sums, x_from=x_from
        )
        return unpack_sums(packed)

    def range_sums_between(self, x_from: int, x_end: int) -> Sums:
        """Return the totals of the leaves with x_from <= X < x_end; nothing if the range is empty."""
        return self.range_sums(x_from) - self.range_sums(max(x_from, x_end))

    def select(self, rank: int) -> bytes:
        """Return the key of the leaf that has `rank` smaller leaves; IndexError unless 0 <= rank < count."""
        self._require_sums()
        if not 0 <= rank < self._root.sums >> COUNT_SHIFT:
            raise IndexError(f"rank {rank} in a tree of {self._root.sums >> COUNT_SHIFT} leaves")
        return select_key(self, flavour=self.flavour, kind=self._checked_kind(), rank=rank)

    def entries(self) -> Iterator[bytes]:
        """Yield `key || tail` of every leaf in key order, checking each record against the root.

        Raises StoreError at the first record that contradicts it. For audits and exports: it reads all.
        """
        self._checked_kind()
        return iterate_entries(self, flavour=self.flavour, root=self._root)

    def _checked_kind(self) -> int:
        return self._root.kind

    def _checked(self, key: bytes) -> bytes:
        if len(key) != self.flavour.key_bytes:
            raise InvariantViolation(f"{self.flavour.name} tree: a key of {len(key)} bytes")
        return key

    def _require_sums(self) -> None:
        if not self.flavour.sums_bytes:
            raise InvariantViolation("a map has no sums")
