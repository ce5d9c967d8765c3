"""Detached blobs that wait for their transaction: bounded, for an hour (api.md, Submitting).

A blob is outside of all roots, so that erasing it changes no proof; validators need it to vote for the transaction
that names it, and keep it in the database from that block on. Time here is monotonic: a wall clock that jumps neither
drops what was promised to be held nor blocks the room for ever.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from chain.crypto import sha256
from chain.errors import Refusal

HOLD_MS = 3_600_000
BYTES_MAX = 64 * 1024 * 1024
"""All ingress validators together; each has an equal share, and a full share is refused."""
WANTED_BYTES_MAX = 8 * 1024 * 1024
"""What this node asked for itself is taken beyond the share of who sends it, so much in all."""
BLOB_COST_BYTES = 256
"""Counted for each blob beside its bytes: a small one must not become a large heap (pitfalls A11)."""


class _Held(Struct, frozen=True):
    data: bytes
    ingress: int
    is_wanted: bool
    until_ms: int


class BlobPool:
    """Blobs by their hash."""

    def __init__(self, *, ingress_count: int) -> None:
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        """The next to go first."""
        self._costs = dict.fromkeys(range(ingress_count), 0)
        """By number: of those who may give, and of others as long as anything of theirs is here."""
        self._open = tuple(self._costs)
        self._wanted_cost = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, blob_hash: bytes) -> bool:
        return blob_hash in self._held

    def set_ingress(self, ingresses: Sequence[int]) -> None:
        """Follow a change of the validator set: these may give from now on, in equal shares."""
        self._open = tuple(ingresses)
        kept = {ingress: cost for ingress, cost in self._costs.items() if cost}
        self._costs = {**dict.fromkeys(self._open, 0), **kept}

    def add(self, data: bytes, *, ingress: int, now_ms: int, is_wanted: bool = False) -> tuple[int, bool]:
        """Hold a blob; return (ms that it is held from now, whether it was here). Raises `Refusal` (pool_full).

        A blob that was here is held for the whole time again, in the share of who gave it last: nobody can keep
        another's share full.
        """
        blob_hash = sha256(data)
        known = self._held.get(blob_hash)
        if known is not None and known.ingress == ingress:
            self.renew(blob_hash, now_ms=now_ms)
            return HOLD_MS, True
        cost = len(data) + BLOB_COST_BYTES
        share = BYTES_MAX // len(self._open) if ingress in self._open else 0
        has_room = self._costs.get(ingress, 0) + cost <= share
        if known is not None:
            if not has_room:
                return known.until_ms - now_ms, True
            self.remove(blob_hash)
        elif not has_room and not (is_wanted and self._wanted_cost + cost <= WANTED_BYTES_MAX):
            raise Refusal("pool_full", blob_bytes=self._costs.get(ingress, 0), ingress=ingress)
        held = _Held(data=data, ingress=ingress, is_wanted=not has_room, until_ms=now_ms + HOLD_MS)
        self._held[blob_hash] = held
        self._count(held, cost)
        return HOLD_MS, known is not None

    def _count(self, held: _Held, cost: int) -> None:
        if held.is_wanted:
            self._wanted_cost += cost
        else:
            self._costs[held.ingress] += cost

    def get(self, blob_hash: bytes) -> bytes | None:
        """Return a held blob."""
        held = self._held.get(blob_hash)
        return None if held is None else held.data

    def renew(self, blob_hash: bytes, *, now_ms: int) -> bool:
        """Hold a blob for the whole time again, because something needs it; return whether it is here."""
        held = self._held.pop(blob_hash, None)
        if held is None:
            return False
        until_ms = now_ms + HOLD_MS
        self._held[blob_hash] = _Held(data=held.data, ingress=held.ingress, is_wanted=held.is_wanted, until_ms=until_ms)
        return True

    def remove(self, blob_hash: bytes) -> None:
        """Let go of a blob that is in the database now, or that nobody waits for."""
        held = self._held.pop(blob_hash, None)
        if held is not None:
            self._count(held, -len(held.data) - BLOB_COST_BYTES)

    def find_due(self, now_ms: int) -> list[bytes]:
        """Return the hashes of what has waited for the whole time; the caller renews or removes each."""
        due = []
        for blob_hash, held in self._held.items():
            if held.until_ms > now_ms:
                break
            due.append(blob_hash)
        return due
