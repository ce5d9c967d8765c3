"""The state as typed tables, and the overlay in which a block runs (design 2 "State root", state-tree 4).

A map key is the canonical encoding of the array [table name, key fields...]; a value is the canonical encoding of a
frozen struct. Everything that a block changes lives in an `Overlay` until its batch is durable: a candidate block
that is not decided is simply dropped. Transactions and batch items roll back by an undo list.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from chain.codec import Codec, encode
from chain.errors import InvariantViolation
from chain.trie import Leaf as TrieLeaf
from chain.trie import Operation, Sums, sum_operation

V = TypeVar("V", bound=msgspec.Struct)
VALUE_BYTES_MAX = 1024 * 1024

KeyPart = bytes | str | int
PoolKey = tuple[str, int]
"""(plan, pool number)."""
Leaf = tuple[int, int]
"""(weight, rem) of a sharing member at (X, pseudonym)."""
LeafKey = tuple[int, bytes]
"""(X, pseudonym)."""


class Table(Generic[V]):
    """One kind of record, addressed by its key fields."""

    __slots__ = ("codec", "name", "value_type")

    def __init__(self, name: str, value_type: type[V]) -> None:
        self.name = name
        self.value_type = value_type
        self.codec: Codec[V] = Codec(value_type, VALUE_BYTES_MAX, name)

    def key(self, *parts: KeyPart) -> bytes:
        """Return the map key of the record with these key fields."""
        return encode((self.name, *parts))

    def prefix(self, *parts: KeyPart, arity: int) -> bytes:
        """Return the common prefix of all keys with `arity` key fields that start with these."""
        return bytes([0x90 + 1 + arity]) + b"".join(encode(part) for part in (self.name, *parts))


class PoolTree(Protocol):
    """The sum tree of one pool inside a running block."""

    @property
    def root_bytes(self) -> bytes:
        """Return the encoded root: kind || hash || sums."""

    def update(self, operations: Iterable[Operation]) -> None:
        """Apply leaf changes."""

    def range_sums(self, x_from: int) -> Sums:
        """Return the sums over X >= x_from."""

    def prove(self, key: bytes) -> bytes:
        """Return the path to a key: presence, absence and range proof in one."""

    def select(self, rank: int) -> bytes:
        """Return the key of the leaf with this rank (from 0)."""


class StateBase(Protocol):
    """The committed state on which an overlay stands."""

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        """Return the committed record under a map key."""

    def open_pool_tree(self, pool: PoolKey) -> PoolTree:
        """Return a fresh pending of the pool's sum tree."""


Change = tuple[bytes, Codec[msgspec.Struct], msgspec.Struct | None]
"""(map key, codec of the table, record as it is now; None: there is none any more)."""
_MISSING = object()
_get_first: Callable[[tuple[bytes, object]], bytes] = itemgetter(0)


class Overlay:
    """Changes of one block over the committed state, with rollback for transactions and items."""

    def __init__(self, base: StateBase) -> None:
        self._base = base
        self._changes: dict[bytes, tuple[Codec[msgspec.Struct], msgspec.Struct | None]] = {}
        self._leaf_ops: dict[PoolKey, dict[LeafKey, Leaf | None]] = {}
        self._trees: dict[PoolKey, PoolTree] = {}
        self._undo: list[tuple[dict[object, object], object, object]] = []
        self._undo_offset = 0
        """How many undo steps were forgotten: marks count from the start of the block."""
        self.is_read_back_at_end = False
        """Whether the records of the whole block are read back once, at its end, instead of after each transaction."""

    # --- records ---

    def get(self, table: Table[V], *parts: KeyPart) -> V | None:
        """Return a record, or None where there is none."""
        key = encode((table.name, *parts))
        changed = self._changes.get(key)
        if changed is None:
            return self._base.read(key, table.codec)
        return changed[1]  # type: ignore[return-value]  # a key belongs to one table, so to one type

    def require(self, table: Table[V], *parts: KeyPart) -> V:
        """Return a record that must exist; its absence is our own fault."""
        value = self.get(table, *parts)
        if value is None:
            raise InvariantViolation(f"{table.name} {parts!r} is missing from the state")
        return value

    def delete(self, table: Table[V], *parts: KeyPart) -> None:
        """Remove a record."""
        self.put(table, None, *parts)

    def put(self, table: Table[V], value: V | None, *parts: KeyPart) -> None:
        """Write a record; None removes it."""
        key = encode((table.name, *parts))
        changes = self._changes
        self._undo.append((changes, key, changes.get(key, _MISSING)))  # type: ignore[arg-type]  # undone untyped
        changes[key] = (table.codec, value)  # type: ignore[assignment]  # read back with the same codec

    # --- leaves of the sum trees ---

    def set_leaf(self, pool: PoolKey, x: int, pseudonym: bytes, leaf: Leaf | None) -> None:
        """Note that the leaf at (x, pseudonym) becomes `leaf`, or goes."""
        ops = self._leaf_ops.setdefault(pool, {})
        key = (x, pseudonym)
        self._undo.append((cast("dict[object, object]", ops), key, ops.get(key, _MISSING)))
        ops[key] = leaf

    def tree(self, pool: PoolKey) -> PoolTree:
        """Return the pool's tree with every noted leaf change in it; what was done before can no longer be undone."""
        tree = self._trees.get(pool)
        if tree is None:
            tree = self._trees[pool] = self._base.open_pool_tree(pool)
        ops = self._leaf_ops.pop(pool, None)
        if ops:
            tree.update([_build_operation(key, leaf) for key, leaf in ops.items()])
            self.release()
        return tree

    # --- rollback ---

    def savepoint(self) -> int:
        """Return a mark for `rollback`."""
        return self._undo_offset + len(self._undo)

    def rollback(self, mark: int) -> None:
        """Undo everything since the mark; raise `InvariantViolation` if that was released or flushed to a tree."""
        if mark < self._undo_offset:
            raise InvariantViolation("changes that were released cannot be rolled back")
        while self._undo_offset + len(self._undo) > mark:
            target, key, before = self._undo.pop()
            if before is _MISSING:
                del target[key]
            else:
                target[key] = before

    def release(self) -> None:
        """Forget the undo list: what was done so far stays in the block."""
        self._undo_offset += len(self._undo)
        self._undo.clear()

    # --- results ---

    def changed(self, mark: int, *, prefix: bytes = b"") -> Iterable[bytes]:
        """Return the map keys with a prefix written since the mark, each once, in the order of first writing."""
        changes = self._changes
        steps = self._undo[max(0, mark - self._undo_offset) :]
        keys = [cast("bytes", key) for target, key, _ in steps if target is changes]
        return dict.fromkeys([key for key in keys if key.startswith(prefix)] if prefix else keys)

    def written(self, mark: int, *, prefix: bytes = b"") -> list[Change]:
        """Return what was written since the mark under keys with a prefix, as it is now, each key once."""
        changes = self._changes
        return [(key, *changes[key]) for key in self.changed(mark, prefix=prefix)]

    def list_changes(self) -> list[Change]:
        """Return all changed records by key order, and how each is read."""
        return [(key, *change) for key, change in sorted(self._changes.items(), key=_get_first)]

    def get_changes(self) -> list[tuple[bytes, msgspec.Struct | None]]:
        """Return all changed records by key order."""
        return [(key, record) for key, _, record in self.list_changes()]

    def get_leaf_changes(self) -> list[tuple[PoolKey, LeafKey, Leaf | None]]:
        """Return all leaf changes that are noted and not yet in a tree, by pool and key order."""
        return [(pool, key, leaf) for pool, ops in sorted(self._leaf_ops.items()) for key, leaf in sorted(ops.items())]

    def get_touched_pools(self) -> list[PoolKey]:
        """Return the pools whose trees changed or were opened, in order."""
        return sorted({**dict.fromkeys(self._trees), **dict.fromkeys(self._leaf_ops)})


def _build_operation(key: LeafKey, leaf: Leaf | None) -> Operation:
    x, pseudonym = key
    return sum_operation(x=x, pseudonym=pseudonym, leaf=None if leaf is None else TrieLeaf(weight=leaf[0], rem=leaf[1]))
