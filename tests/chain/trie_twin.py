"""A naive twin of the authenticated trees: the whole tree from its leaves, written from state-tree 3 alone.

It shares no code with the product, keeps nothing between calls and knows nothing of pages or deltas.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from chain.trie_tree import Pending, Tree

MAP_PREFIXES = (b"\x10", b"\x11")
SUM_PREFIXES = (b"\x12", b"\x13")
Totals = tuple[int, int, int, int]
Subtree = tuple[int, bytes, Totals]


def build_twin(leaves: Mapping[bytes, bytes], *, has_sums: bool) -> Subtree:
    """Return kind, hash and (count, weight, weight*X, rem) of the tree over these leaves."""
    bits = {"".join(f"{byte:08b}" for byte in key): key + tail for key, tail in leaves.items()}
    return _subtree([bits[path] for path in sorted(bits)], sorted(bits), 0, has_sums=has_sums)


def build_map_root(leaves: Mapping[bytes, bytes]) -> bytes:
    """Return the state root over these leaves."""
    kind, digest, _ = build_twin(leaves, has_sums=False)
    return hashlib.sha256(b"\x16" + bytes([kind]) + digest).digest()


def build_sum_root(leaves: Mapping[bytes, bytes]) -> bytes:
    """Return `kind || hash || sums` over these leaves."""
    kind, digest, totals = build_twin(leaves, has_sums=True)
    return bytes([kind]) + digest + _encode(totals)


def add_up(leaves: Mapping[bytes, bytes], *, x_from: int = 0, x_end: int = 2**32) -> Totals:
    """Walk all leaves and total those with x_from <= X < x_end."""
    count = weights = weights_x = rems = 0
    for key, tail in leaves.items():
        x = int.from_bytes(key[:4], "big")
        if x_from <= x < x_end:
            weight = int.from_bytes(tail[:4], "big")
            count += 1
            weights += weight
            weights_x += weight * x
            rems += int.from_bytes(tail[4:], "big")
    return count, weights, weights_x, rems


def _subtree(entries: list[bytes], paths: list[str], depth: int, *, has_sums: bool) -> Subtree:
    prefixes = SUM_PREFIXES if has_sums else MAP_PREFIXES
    if not entries:
        return 0, bytes(32), (0, 0, 0, 0)
    if len(entries) <= 16:
        totals = add_up({entry[:36]: entry[36:] for entry in entries}) if has_sums else (0, 0, 0, 0)
        return len(entries), hashlib.sha256(prefixes[0] + b"".join(entries)).digest(), totals
    kinds, records = b"", b""
    count = weights = weights_x = rems = 0
    for digit in ("00", "01", "10", "11"):
        chosen = [at for at, path in enumerate(paths) if path[depth : depth + 2] == digit]
        kind, digest, totals = _subtree(
            [entries[at] for at in chosen], [paths[at] for at in chosen], depth + 2, has_sums=has_sums
        )
        kinds += bytes([kind])
        if kind:
            records += digest + (_encode(totals) if has_sums else b"")
        count, weights = count + totals[0], weights + totals[1]
        weights_x, rems = weights_x + totals[2], rems + totals[3]
    digest = hashlib.sha256(prefixes[1] + kinds + records).digest()
    return 255, digest, (count, weights, weights_x, rems)


def _encode(totals: Totals) -> bytes:
    count, weights, weights_x, rems = totals
    return (
        count.to_bytes(8, "big") + weights.to_bytes(8, "big") + weights_x.to_bytes(16, "big") + rems.to_bytes(8, "big")
    )


class DictStore:
    """A key-value store in memory: the outside world of a tree."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.gets = 0
        self._order: list[bytes] | None = None
        """Keys in order, as long as nothing is written."""

    def get(self, key: bytes, /) -> bytes | None:
        self.gets += 1
        return self.records.get(key)

    def read_range(self, start: bytes, stop: bytes, count_max: int, /) -> list[tuple[bytes, bytes]]:
        self.gets += 1
        if self._order is None or len(self._order) != len(self.records):
            self._order = sorted(self.records)
        first = bisect_left(self._order, start)
        keys = self._order[first : min(first + count_max, bisect_left(self._order, stop))]
        return [(key, self.records[key]) for key in keys]

    def write(self, batch: Iterable[tuple[bytes, bytes | None]]) -> None:
        self._order = None
        for key, value in batch:
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value

    def commit(self, tree: Tree, pending: Pending, *, height: int = 0) -> None:
        """Write and take over, in the order in which a node does."""
        self.write(pending.writes(height=height))
        tree.commit(pending)
