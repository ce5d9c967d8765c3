"""Detached blobs that wait for their transaction: bounded, for an hour (api.md, Submitting).

A blob is outside of all roots, so that erasing it changes no proof; validators need it to vote for the transaction
that names it, and keep it in the database from that block on.
"""

from collections import OrderedDict

from msgspec import Struct

from chain.crypto import sha256
from chain.errors import Refusal

HOLD_MS = 3_600_000
BYTES_MAX = 64 * 1024 * 1024
"""All ingress validators together; each has an equal share, and a full share is refused."""


class _Held(Struct, frozen=True):
    data: bytes
    ingress: int
    until_ms: int


class BlobPool:
    """Blobs by their hash."""

    def __init__(self, *, ingress_count: int) -> None:
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._bytes = [0] * ingress_count

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, blob_hash: bytes) -> bool:
        return blob_hash in self._held

    def add(self, data: bytes, *, ingress: int, wall_ms: int) -> tuple[int, bool]:
        """Hold a blob; return (held until, whether it was here). Raises `Refusal` (pool_full)."""
        self.expire(wall_ms)
        blob_hash = sha256(data)
        known = self._held.get(blob_hash)
        if known is not None:
            return known.until_ms, True
        if self._bytes[ingress] + len(data) > BYTES_MAX // len(self._bytes):
            raise Refusal("pool_full", blob_bytes=self._bytes[ingress], ingress=ingress)
        self._held[blob_hash] = _Held(data=data, ingress=ingress, until_ms=wall_ms + HOLD_MS)
        self._bytes[ingress] += len(data)
        return wall_ms + HOLD_MS, False

    def get(self, blob_hash: bytes) -> bytes | None:
        """Return a held blob."""
        held = self._held.get(blob_hash)
        return None if held is None else held.data

    def remove(self, blob_hash: bytes) -> None:
        """Let go of a blob that is in the database now."""
        held = self._held.pop(blob_hash, None)
        if held is not None:
            self._bytes[held.ingress] -= len(held.data)

    def expire(self, wall_ms: int) -> list[bytes]:
        """Let go of what has waited too long; return the hashes."""
        expired = []
        while self._held:
            blob_hash, held = next(iter(self._held.items()))
            if held.until_ms > wall_ms:
                break
            self.remove(blob_hash)
            expired.append(blob_hash)
        return expired
