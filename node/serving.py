"""Answers to what peers ask for: bodies, blobs, contents and committed blocks (consensus E8, design 5).

A request is small and its answer large, so each peer has an allowance: what it costs this node to look up and to send
is taken from it, and who has none left is not answered until it has grown again (pitfalls A11, P23). Whoever gets no
answer asks another; nothing relies on one.
"""

from collections.abc import Callable, Iterable

from chain.codec import encode
from chain.layout import BLOCK_HASH, TRANSACTION, TX_INDEX
from chain.ledger import Ledger
from chain.types import Hash, TxId
from consensus.events import BlockContent
from node.block_work import build_content_of_block
from node.candidates import Candidates
from node.ports import Clock, Network
from node.wire import (
    BLOBS,
    BLOBS_COUNT_MAX,
    BLOCKS,
    CONTENT,
    TRANSACTIONS,
    TRANSACTIONS_BYTES_MAX,
    Blobs,
    Blocks,
    CertifiedBlock,
    Content,
    Transactions,
    blocks_wanted_codec,
    content_wanted_codec,
    wanted_codec,
)

SERVE_BYTES = 2 * 1024 * 1024
"""Blocks in one answer are about this many bytes, one block at least."""
BODIES_BYTES_MAX = 4 * 1024 * 1024
"""Bodies in the answers to one request: a whole block."""
ALLOWANCE_BYTES_MAX = 8 * 1024 * 1024
ALLOWANCE_BYTES_PER_MS = 16 * 1024
REQUEST_COST_BYTES = 4_096
"""Counted for each request."""
LOOKUP_COST_BYTES = 256
"""Counted for each id that is looked up, whether it is found or not."""


class Allowance:
    """What each peer may still cause; it grows with time up to a maximum."""

    def __init__(self) -> None:
        self._left: dict[int, tuple[int, int]] = {}
        """(bytes left, when) by peer."""

    def has_any(self, peer: int, *, now_ms: int) -> bool:
        """Tell whether a peer may be answered now."""
        return self._compute(peer, now_ms) > 0

    def spend(self, peer: int, cost_bytes: int, *, now_ms: int) -> None:
        """Take from a peer's allowance; it may fall below zero, but not for ever."""
        left = max(self._compute(peer, now_ms) - cost_bytes, -ALLOWANCE_BYTES_MAX)
        self._left[peer] = (left, now_ms)

    def _compute(self, peer: int, now_ms: int) -> int:
        left, at_ms = self._left.get(peer, (ALLOWANCE_BYTES_MAX, now_ms))
        return min(left + (now_ms - at_ms) * ALLOWANCE_BYTES_PER_MS, ALLOWANCE_BYTES_MAX)


class Serving:
    """Answer one node's peers."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        candidates: Candidates,
        network: Network,
        clock: Clock,
        find_blob: Callable[[bytes], bytes | None],
    ) -> None:
        self._ledger = ledger
        self._candidates = candidates
        self._network = network
        self._clock = clock
        self._find_blob = find_blob
        self._allowance = Allowance()
        self.unanswered = 0
        """Requests beyond an allowance."""

    def _begin(self, peer: int) -> bool:
        now_ms = self._clock.now_ms()
        if not self._allowance.has_any(peer, now_ms=now_ms):
            self.unanswered += 1
            return False
        self._allowance.spend(peer, REQUEST_COST_BYTES, now_ms=now_ms)
        return True

    def _send(self, peer: int, kind: int, payload: bytes) -> None:
        self._allowance.spend(peer, len(payload), now_ms=self._clock.now_ms())
        self._network.send(peer, kind, payload)

    def _count_lookups(self, peer: int, count: int) -> None:
        self._allowance.spend(peer, LOOKUP_COST_BYTES * count, now_ms=self._clock.now_ms())

    # --- bodies and blobs ---

    def serve_bodies(self, peer: int, payload: bytes) -> None:
        """Answer BODIES_WANTED with what is here, from this height, the pool or the chain."""
        if not self._begin(peer):
            return
        ids = dict.fromkeys(wanted_codec.decode(payload).ids)
        self._count_lookups(peer, len(ids))
        for batch in _cut(self._find_bodies(ids)):
            self._send(peer, TRANSACTIONS, encode(Transactions(is_gossip=False, raw=batch)))

    def _find_bodies(self, ids: Iterable[bytes]) -> Iterable[bytes]:
        size = 0
        for tx_id in ids:
            raw = self._find_raw(TxId(tx_id))
            if raw is None:
                continue
            size += len(raw)
            if size > BODIES_BYTES_MAX:
                return
            yield raw

    def _find_raw(self, tx_id: TxId) -> bytes | None:
        transaction = self._candidates.get_body(tx_id)
        if transaction is not None:
            return transaction.raw
        at = self._ledger.store.get(TX_INDEX + tx_id)
        return None if at is None else self._ledger.store.get(TRANSACTION + at)

    def serve_blobs(self, peer: int, payload: bytes) -> None:
        """Answer BLOBS_WANTED with what is here."""
        if not self._begin(peer):
            return
        hashes = tuple(dict.fromkeys(wanted_codec.decode(payload).ids))[:BLOBS_COUNT_MAX]
        self._count_lookups(peer, len(hashes))
        found = [self._find_blob(blob_hash) for blob_hash in hashes]
        blobs = tuple(blob for blob in found if blob is not None)
        if blobs:
            self._send(peer, BLOBS, encode(Blobs(blobs=blobs)))

    # --- blocks ---

    def serve_content(self, peer: int, payload: bytes) -> None:
        """Answer CONTENT_WANTED with a block of this height or a committed one."""
        if not self._begin(peer):
            return
        block_hash = Hash(content_wanted_codec.decode(payload).block_hash)
        # One that is not whole may be a relayer's false copy: it is not handed on.
        content = self._candidates.get_whole(block_hash) or self._load_content(peer, block_hash)
        if content is not None:
            wire = Content(header=content.header, parent_certificate=content.parent_certificate, items=content.items)
            self._send(peer, CONTENT, encode(wire))

    def _load_content(self, peer: int, block_hash: Hash) -> BlockContent | None:
        height = self._ledger.store.get(BLOCK_HASH + block_hash)
        block = None if height is None else self._ledger.read_block(int.from_bytes(height, "big"))
        if block is None:
            return None
        self._allowance.spend(peer, sum(len(raw) for raw in block.transactions), now_ms=self._clock.now_ms())
        return build_content_of_block(block)[0]

    def serve_blocks(self, peer: int, payload: bytes) -> None:
        """Answer BLOCKS_WANTED with consecutive blocks from that height on, none above the head."""
        if not self._begin(peer):
            return
        wanted = blocks_wanted_codec.decode(payload)
        blocks: list[CertifiedBlock] = []
        size = 0
        height = wanted.from_height
        while height <= self._ledger.height and len(blocks) < wanted.count and size < SERVE_BYTES:
            block = self._ledger.read_block(height)
            certificate = self._ledger.read_certificate(height)
            if block is None or certificate is None:
                break
            data = encode(block)
            if blocks and size + len(data) > SERVE_BYTES:
                break
            blocks.append(CertifiedBlock(block=data, certificate=certificate))
            size += len(data)
            height += 1
        self._send(peer, BLOCKS, encode(Blocks(blocks=tuple(blocks))))


def _cut(raws: Iterable[bytes]) -> Iterable[tuple[bytes, ...]]:
    """Yield batches that fit into a frame."""
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if batch and size + len(raw) > TRANSACTIONS_BYTES_MAX:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    if batch:
        yield tuple(batch)
