"""The tree object: the committed tree of one tag, and the pending changes that proposals make on top of it.

    Tree --begin()--> Pending --begin()--> Pending      any number side by side; dropping one costs nothing
    Tree.commit(pending)                                after pending.writes() are durable

Leaves are written with their block, pages too unless the tree was opened with `lazy_pages_max` (trie_lazy.py). A
database snapshot can prove either way: opening a tree on it brings the pages up to date. Whoever uses a Pending whose
base has changed under it (another Pending was committed, or its parent was updated after `begin`) gets an
InvariantViolation: its answers would mix two trees.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

from chain.errors import InvariantViolation, StoreError
from chain.trie import Flavour, Operation, pack_sums
from chain.trie_lazy import LazyPages, list_touched, parse_touched, rehash
from chain.trie_storage import (
    Page,
    RecordReader,
    RootRecord,
    decode_page,
    decode_root_record,
    encode_leaf,
    encode_leaf_key,
    encode_page,
    encode_record_key,
    encode_root_key,
    encode_root_record,
    encode_touched_key,
    read_bucket,
)
from chain.trie_update import Changes, PackedRoot, apply_operations
from chain.trie_view import TreeView

CACHE_ENTRIES_DEFAULT: Final = 12_000
"""Enough for ten million leaves at the measured rates (state-tree 4)."""
BUCKETS_SHARE: Final = 4
"""A quarter of the cache is kept for buckets; beyond it they leave before any page does."""
_EMPTY_PACKED_ROOT: Final = PackedRoot(kind=0, hash=b"", sums=0)

Record = TypeVar("Record")


class Tree(TreeView):
    """The committed tree under one tag of a store, with a cache of decoded records.

    The cache holds at most `cache_entries_max` pages and buckets; when it is full, those written or loaded
    longest ago leave it and are read again when needed. Pages stay longer: one is on the way to many buckets.
    """

    def __init__(
        self,
        flavour: Flavour,
        tag: bytes,
        reader: RecordReader,
        cache_entries_max: int = CACHE_ENTRIES_DEFAULT,
        lazy_pages_max: int = 0,
    ) -> None:
        """Open the tree as last written; StoreError if its root record or what must be hashed again is damaged."""
        self.tag = tag
        self.reader = reader
        self.cache_entries_max = cache_entries_max
        self.generation = 0
        """Number of commits since opening."""
        self.pin = 0
        """Pin written into records (state-tree 7); none is set yet in this version."""
        self.height = 0
        """Height given with the last root record."""
        self._pages: dict[int, Page] = {}
        self._buckets: dict[int, bytes] = {}
        self.lazy = LazyPages(lazy_pages_max)
        packed = _EMPTY_PACKED_ROOT
        record = None
        data = reader.get(encode_root_key(tag))
        if data is not None:
            record = decode_root_record(data, flavour)
            packed = PackedRoot(
                kind=record.root.kind,
                hash=record.root.hash if record.root.kind else b"",
                sums=pack_sums(record.root.sums),
            )
            self.height = record.height
            self.pin = record.pin
        super().__init__(flavour, packed)
        if record is not None:
            self.lazy.low_water = record.low_water_height
            if record.low_water_height != record.height:
                self._restore()

    def _restore(self) -> None:
        """Hash again what blocks touched since the low-water height: their pages may be older on disk."""
        if self.flavour.sums_bytes or self.lazy.low_water > self.height:
            raise StoreError(f"{self.flavour.name} tree: the low-water height is damaged")
        places: list[bytes] = []
        for height in range(self.lazy.low_water + 1, self.height + 1):
            record = self.reader.get(encode_touched_key(self.tag, height))
            if record is None:
                raise StoreError(f"{self.flavour.name} tree: the list of places of block {height} is missing")
            places += parse_touched(record)
        root, old = rehash(self, flavour=self.flavour, kind=self._root.kind, places=places)
        if root != self._root:
            raise StoreError(f"{self.flavour.name} tree: what is stored contradicts the root of block {self.height}")
        for node in old:
            self._pages.pop(node, None)
        self.lazy.restore(old)

    @property
    def cache_entries(self) -> int:
        """Return how many decoded records are in memory."""
        return len(self.lazy.pages) + len(self._pages) + len(self._buckets)

    def begin(self) -> "Pending":
        """Open changes on top of the committed tree."""
        return Pending(self, None)

    def get_page(self, node: int) -> Page:
        """Return the page of a node id, from those that wait, the cache or the store."""
        page = self.lazy.pages.get(node) or self._pages.get(node)
        if page is None:
            record = self.reader.get(encode_record_key(self.tag, node))
            if record is None:
                raise StoreError(f"{self.flavour.name} tree: the page of node {node:#x} is missing")
            page = self._pages[node] = decode_page(record, self.flavour)
            self._trim()
        return page

    def get_bucket(self, node: int) -> bytes:
        """Return the bucket of a node id, from the cache or the store."""
        entries = self._buckets.get(node)
        if entries is None:
            entries = self._buckets[node] = read_bucket(self.reader, self.tag, node, self.flavour)
            self._trim()
        return entries

    def commit(self, pending: "Pending") -> None:
        """Make `pending` the committed tree; to be called when its writes are durable.

        Raises InvariantViolation if it does not rest on the committed tree, its own base included.
        """
        pending.check_base()
        if pending.tree is not self or not pending.rests_on_tree:
            raise InvariantViolation("commit of a Pending whose base is not committed")
        chosen, low_water = pending.plan
        self.lazy.commit(pending.changes, chosen, height=pending.height, low_water=low_water)
        _move(chosen, self._pages)
        for node in pending.changes.pages:
            if node not in chosen:
                self._pages.pop(node, None)
        _move(pending.changes.buckets, self._buckets)
        self._trim()
        self._root = pending.packed_root
        self.height = pending.height
        self.generation += 1
        pending.mark_committed(self.generation)

    def _trim(self) -> None:
        """Drop the oldest records, some at once: taking them one by one from a dict's front is quadratic."""
        excess = self.cache_entries - self.cache_entries_max
        if excess <= 0:
            return
        excess += self.cache_entries_max // 16
        from_buckets = min(excess, max(0, len(self._buckets) - self.cache_entries_max // BUCKETS_SHARE))
        from_pages = min(excess - from_buckets, len(self._pages))
        _drop_oldest(self._pages, from_pages)
        _drop_oldest(self._buckets, min(excess - from_pages, len(self._buckets)))


class Pending(TreeView):
    """Changes on top of a tree or of another Pending, in memory only until committed."""

    def __init__(self, tree: Tree, parent: "Pending | None") -> None:
        """Open on `tree`, or on `parent`; use `begin` of either."""
        self.tree = tree
        self.changes = Changes()
        self.height = 0
        """Height given to `writes`."""
        self.version = 0
        """Number of updates so far."""
        self._parent = parent
        self._base_version = tree.generation if parent is None else parent.version
        self._committed_as = 0
        self._plan: tuple[dict[int, Page], int] | None = None
        layers: list[Changes] = []
        ancestor = parent
        while ancestor is not None and not ancestor.is_committed:
            layers.append(ancestor.changes)
            ancestor = ancestor.parent
        self._layers = tuple(layers)
        super().__init__(tree.flavour, tree.packed_root if parent is None else parent.packed_root)

    @property
    def parent(self) -> "Pending | None":
        """Return the Pending below; None on the tree itself, and once this one is committed."""
        return self._parent

    @property
    def is_committed(self) -> bool:
        """Tell whether the tree took these changes over."""
        return self._committed_as > 0

    @property
    def rests_on_tree(self) -> bool:
        """Tell whether there is nothing uncommitted below."""
        return not self.is_committed and (self._parent is None or self._parent.is_committed)

    def begin(self) -> "Pending":
        """Open further changes on top of these; `update` here makes them unusable from then on."""
        self.check_base()
        return Pending(self.tree, self)

    def update(self, operations: Iterable[Operation]) -> None:
        """Apply a batch; the last operation on a key counts, deleting an absent key changes nothing.

        Raises InvariantViolation, with nothing changed, if an operation is malformed, this Pending is
        committed or its base has changed; StoreError if a record is damaged.
        """
        self.check_base()
        if self.is_committed:
            raise InvariantViolation("update of a committed Pending")
        self.version += 1
        self._root = apply_operations(
            flavour=self.flavour,
            root=self._root,
            # The batch looks into these changes by itself; without others between, the tree is next.
            below=self if self._layers else self.tree,
            changes=self.changes,
            operations=operations,
        )

    @property
    def plan(self) -> tuple[dict[int, Page], int]:
        """Return the pages that the batch writes, and up to which height every page is on disk then."""
        if self._plan is None:
            self._plan = self.tree.lazy.choose(self.changes, height=self.height)
        return self._plan

    def writes(self, *, height: int = 0) -> list[tuple[bytes, bytes | None]]:
        """Return the records to write (None: to delete) in key order, then lists of places, the root record last.

        `height` is the block that the batch belongs to; it is stored with the root for the store's own
        checks.
        """
        self.check_base()
        self.height = height
        self._plan = None
        pages, low_water = self.plan
        tag, pin, leaves = self.tree.tag, self.tree.pin, self.changes.leaves
        batch: list[tuple[bytes, bytes | None]] = []
        for leaf in sorted(leaves):
            tail = leaves[leaf]
            batch.append((encode_leaf_key(tag, leaf), None if tail is None else encode_leaf(tail, pin=pin)))
        # Node ids sort as record keys do: by depth, then by path.
        for node in sorted(pages):
            page = pages[node]
            batch.append((encode_record_key(tag, node), encode_page(page, pin=pin) if page else None))
        if low_water < height:
            batch.append((encode_touched_key(tag, height), list_touched(leaves)))
        for settled in range(self.tree.lazy.low_water + 1, min(low_water + 1, height)):
            batch.append((encode_touched_key(tag, settled), None))
        record = RootRecord(root=self.root, height=height, low_water_height=low_water, pin=pin)
        batch.append((encode_root_key(tag), encode_root_record(record, self.flavour)))
        return batch

    def get_page(self, node: int) -> Page:
        """Return the page of a node id as changed here or below."""
        page = self.changes.pages.get(node)
        if page is not None:
            return page
        for layer in self._layers:
            page = layer.pages.get(node)
            if page is not None:
                return page
        return self.tree.get_page(node)

    def get_bucket(self, node: int) -> bytes:
        """Return the bucket of a node id as changed here or below."""
        entries = self.changes.buckets.get(node)
        if entries is not None:
            return entries
        for layer in self._layers:
            entries = layer.buckets.get(node)
            if entries is not None:
                return entries
        return self.tree.get_bucket(node)

    def check_base(self) -> None:
        """Raise InvariantViolation if what these changes rest on has changed since `begin`."""
        parent = self._parent
        if self.is_committed:
            is_current = self.tree.generation == self._committed_as
        elif parent is None:
            is_current = self.tree.generation == self._base_version
        else:
            parent.check_base()
            is_current = parent.version == self._base_version
        if not is_current:
            raise InvariantViolation("use of a Pending whose base has changed")

    def mark_committed(self, generation: int) -> None:
        """Note the commit that took these changes over; called by `Tree.commit` alone."""
        self._committed_as = generation
        self._parent = None
        self._layers = ()

    def _checked_kind(self) -> int:
        self.check_base()
        return self._root.kind


def _move(changed: dict[int, Record], cache: dict[int, Record]) -> None:
    """Put changed records at the young end of the cache; take those that are gone out of it."""
    for node, record in changed.items():
        cache.pop(node, None)
        if record:
            cache[node] = record


def _drop_oldest(cache: dict[int, Record], count: int) -> None:
    for node in list(islice(cache, count)):
        del cache[node]
