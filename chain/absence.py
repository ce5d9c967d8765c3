"""What is certainly not in the database, told from memory: nearly every look-up that guards against a second time asks
for something that was never there, and in a large database each such answer costs several reads.

A filter never decides that something *is* there: what it cannot rule out is looked for in the database, so its size
cannot make two nodes differ.

Pure; the ledger fills the filters, after a start from the database.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from chain.types import TxId

ALWAYS_MS: Final = -(2**63)
"""Before any block."""
IDS_MAX: Final = 2_500_000
"""Ids of one generation: 13 bits for each of them, so that about one in 50 new ids is looked for in the database."""
_IDS_BITS_LOG2: Final = 25
_GROUP_BITS_LOG2: Final = 22
_GROUPS_MAX: Final = 24
_HASHED_BYTES: Final = 8
_SHIFT: Final = 32


class Filter:
    """A Bloom filter with two probes; the system gives its memory out as it is written to.

    More probes would rule out more, and cost each key that is added more than the reads that they spare.

    The last eight bytes of a key are its hash: keys end in ids and tokens, which are hashes. Whoever makes some that
    collide gains a read of the database.
    """

    __slots__ = ("_bits", "_mask", "count")

    def __init__(self, bits_log2: int) -> None:
        self._bits = bytearray(2 ** (bits_log2 - 3))
        self._mask = 2**bits_log2 - 1
        self.count = 0
        """Keys that were added."""

    def add(self, key: bytes) -> None:
        """Add a key."""
        bits, mask, hashed = self._bits, self._mask, int.from_bytes(key[-_HASHED_BYTES:], "big")
        place = hashed & mask
        bits[place >> 3] |= 1 << (place & 7)
        place = hashed >> _SHIFT & mask
        bits[place >> 3] |= 1 << (place & 7)
        self.count += 1

    def is_absent(self, key: bytes) -> bool:
        """Tell whether a key was certainly not added."""
        bits, mask, hashed = self._bits, self._mask, int.from_bytes(key[-_HASHED_BYTES:], "big")
        place = hashed & mask
        if not bits[place >> 3] >> (place & 7) & 1:
            return True
        place = hashed >> _SHIFT & mask
        return not bits[place >> 3] >> (place & 7) & 1


class _Generation(Struct, frozen=True):
    """Ids of consecutive blocks."""

    ids: Filter
    since_ms: int
    """It holds every id that ran at this block time or later, up to where the next generation begins."""


class RecentIds:
    """The ids of the newest transactions, complete from some block time on.

    A transaction runs at a block time t with `t <= valid_until_ms <= t + validity window`. So where `valid_until_ms`
    tells that it cannot have run before that time, an id that is not here never ran. Two generations: when one is
    full it becomes the older one, and what that was is forgotten.
    """

    def __init__(self, since_ms: int, *, ids_max: int = IDS_MAX) -> None:
        """Begin with no ids: the caller adds all that ran at `since_ms` or later."""
        self._ids_max = ids_max
        self._young = _Generation(Filter(_IDS_BITS_LOG2), since_ms)
        self._old: _Generation | None = None

    @property
    def since_ms(self) -> int:
        """Return the block time from which on every id is here."""
        return (self._old or self._young).since_ms

    def add_block(self, tx_ids: Iterable[TxId], *, timestamp_ms: int) -> None:
        """Add what ran in the next block."""
        if self._young.ids.count >= self._ids_max:
            self._old, self._young = self._young, _Generation(Filter(_IDS_BITS_LOG2), timestamp_ms)
        add = self._young.ids.add
        for tx_id in tx_ids:
            add(tx_id)

    def is_new(self, tx_id: TxId, *, earliest_ms: int) -> bool:
        """Tell whether this id certainly never ran, given that it cannot have run before `earliest_ms`."""
        if earliest_ms < self.since_ms or not self._young.ids.is_absent(tx_id):
            return False
        return self._old is None or self._old.ids.is_absent(tx_id)


class KeyGroups:
    """The keys of the state that begin alike, for the few groups that are asked for: complete or not kept."""

    def __init__(self) -> None:
        self._groups: dict[bytes, Filter | None] = {}
        """By common beginning; None where a group is not kept: too large to be read, or kept too long."""
        self._kept: deque[bytes] = deque()
        """Groups that are kept, oldest first."""

    def has_group(self, group: bytes) -> bool:
        """Tell whether a group was looked through."""
        return group in self._groups

    def put_group(self, group: bytes, keys: Iterable[bytes] | None) -> None:
        """Keep all keys that a group has now, or note that they are too many.

        The group kept longest goes for it, and is not read a second time: where more are in use than can be kept, each
        would be read whole again and again.
        """
        filled = None if keys is None else Filter(_GROUP_BITS_LOG2)
        for key in keys or ():
            if filled is not None:
                filled.add(key)
        self._groups[group] = filled
        if filled is not None:
            self._kept.append(group)
            if len(self._kept) > _GROUPS_MAX:
                self._groups[self._kept.popleft()] = None

    def add(self, group: bytes, key: bytes) -> None:
        """Add a key that was written, if its group is kept."""
        kept = self._groups.get(group)
        if kept is not None:
            kept.add(key)

    def is_absent(self, group: bytes, key: bytes) -> bool:
        """Tell whether a key of this group is certainly not there."""
        kept = self._groups.get(group)
        return kept is not None and kept.is_absent(key)
