"""Ask peers for what is missing, answer what they miss, and catch up with the chain (consensus E8, design 5).

Requests go to one peer at a time, move on to the next when nothing comes, and are bounded; a claimed height is never
a target to wait for (pitfalls P22, C30): whoever serves no next valid block is left for another.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from chain.block import block_codec
from chain.certificate import Certificate, CertificateInvalid, hash_certificate, validate_certificate
from chain.codec import encode
from chain.crypto import sha256
from chain.errors import GongjiError, InvalidBlock, InvariantViolation
from chain.history import merkle_root
from chain.layout import BLOCK_HASH, TRANSACTION, TX_INDEX
from chain.ledger import Ledger
from chain.transaction import Transaction, decode_transaction
from chain.types import Hash, TxId
from consensus.events import BlockContent
from node.block_work import BlockWorker, build_content_of_block
from node.candidates import Candidates
from node.ports import Network
from node.runtime import Runtime
from node.wire import (
    BLOBS,
    BLOBS_WANTED,
    BLOCKS,
    BLOCKS_COUNT_MAX,
    BLOCKS_WANTED,
    BODIES_WANTED,
    CONTENT,
    CONTENT_WANTED,
    IDS_MAX,
    TRANSACTIONS,
    TRANSACTIONS_BYTES_MAX,
    Blobs,
    Blocks,
    BlocksWanted,
    CertifiedBlock,
    Content,
    ContentWanted,
    Transactions,
    Wanted,
    blobs_codec,
    blocks_codec,
    blocks_wanted_codec,
    content_codec,
    content_wanted_codec,
    wanted_codec,
)

GOSSIP_GRACE_SECONDS = 0.06
"""How long bodies are waited for before they are asked for."""
BODIES_GAP_SECONDS = 1.0
"""A longer time without missing bodies begins a new wait."""
REPEAT_SECONDS = 0.15
"""The same thing is not asked for again sooner; the holder asked changes each time."""
SYNC_SECONDS = 2.0
"""A peer that has sent no block for this long is left for the next that claims more."""
SERVE_BYTES = 2 * 1024 * 1024
"""Blocks in one answer are about this many bytes, one block at least."""


class Fetching:
    """Requests and answers of one node."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        ledger: Ledger,
        candidates: Candidates,
        worker: BlockWorker,
        network: Network,
        keep_blobs: Callable[[tuple[bytes, ...], int], None],
        find_blob: Callable[[bytes], bytes | None],
    ) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._candidates = candidates
        self._worker = worker
        self._network = network
        self._keep_blobs = keep_blobs
        self._find_blob = find_blob
        self._asked: dict[tuple[int, bytes], tuple[float, int]] = {}
        self._bodies_since = self._bodies_missed_at = 0.0
        self._wanted_blobs: dict[bytes, None] = {}
        self._wanted_contents: dict[bytes, None] = {}
        self._sync_peer: int | None = None
        self._sync_at = 0.0
        self._sync_blocks: list[CertifiedBlock] = []
        self._is_applying = False
        self.synced_blocks = 0
        """Blocks taken from peers since the start, for the metrics."""

    # --- asking ---

    def _choose(self, kind: int, subject: bytes, holders: tuple[int, ...]) -> int | None:
        """Return the next holder to ask, or None while an answer may still come."""
        if not holders:
            return None
        now = monotonic()
        last, turn = self._asked.get((kind, subject), (0.0, -1))
        if now - last < REPEAT_SECONDS:
            return None
        if len(self._asked) > IDS_MAX:
            self._asked.clear()
        turn += 1
        self._asked[(kind, subject)] = (now, turn)
        return holders[turn % len(holders)]

    def want_bodies(self, tx_ids: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        """Ask for bodies that gossip has not brought; consensus frames overtake it, so most are on their way."""
        now = monotonic()
        if now - self._bodies_missed_at > BODIES_GAP_SECONDS:
            self._bodies_since = now
        self._bodies_missed_at = now
        if now - self._bodies_since < GOSSIP_GRACE_SECONDS:
            return
        # One request at a time, whatever is missing: what has arrived meanwhile changes the list but not the need.
        peer = self._choose(BODIES_WANTED, b"", holders)
        if peer is not None:
            self._network.send(peer, BODIES_WANTED, encode(Wanted(ids=tx_ids[:IDS_MAX])))

    def want_blob(self, blob_hash: bytes, holders: tuple[int, ...]) -> None:
        """Ask for a blob."""
        self._wanted_blobs[blob_hash] = None
        peer = self._choose(BLOBS_WANTED, blob_hash, holders)
        if peer is not None:
            self._network.send(peer, BLOBS_WANTED, encode(Wanted(ids=(blob_hash,))))

    def want_content(self, block_hash: bytes, holders: tuple[int, ...]) -> None:
        """Ask for a block's content by its hash."""
        self._wanted_contents[block_hash] = None
        peer = self._choose(CONTENT_WANTED, block_hash, holders)
        if peer is not None:
            self._network.send(peer, CONTENT_WANTED, encode(ContentWanted(block_hash=block_hash)))

    def catch_up(self, height: int, peer: int) -> None:
        """Fetch committed blocks from a peer that claims more."""
        if height <= self._ledger.height or self._is_applying:
            return
        now = monotonic()
        if self._sync_peer is not None and now - self._sync_at < SYNC_SECONDS:
            return
        self._sync_peer, self._sync_at = peer, now
        self._ask_blocks(peer)

    def _ask_blocks(self, peer: int) -> None:
        wanted = BlocksWanted(from_height=self._ledger.height + 1, count=BLOCKS_COUNT_MAX)
        self._network.send(peer, BLOCKS_WANTED, encode(wanted))

    # --- frames ---

    def on_frame(self, peer: int, kind: int, payload: bytes) -> None:
        """Handle one frame of a kind of this module; raises `GongjiError` on bad bytes."""
        match kind:
            case _ if kind == BODIES_WANTED:
                self._serve_bodies(peer, payload)
            case _ if kind == BLOBS_WANTED:
                self._serve_blobs(peer, payload)
            case _ if kind == BLOBS:
                self._take_blobs(peer, payload)
            case _ if kind == BLOCKS_WANTED:
                self._serve_blocks(peer, payload)
            case _ if kind == BLOCKS:
                self._take_blocks(peer, payload)
            case _ if kind == CONTENT_WANTED:
                self._serve_content(peer, payload)
            case _ if kind == CONTENT:
                self._take_content(payload)
            case _:
                raise InvariantViolation(f"frame kind {kind} is not handled here")

    def _serve_bodies(self, peer: int, payload: bytes) -> None:
        batch: list[bytes] = []
        size = 0
        for tx_id in wanted_codec.decode(payload).ids:
            raw = self._find_raw(TxId(tx_id))
            if raw is None:
                continue
            if size + len(raw) > TRANSACTIONS_BYTES_MAX:
                self._network.send(peer, TRANSACTIONS, encode(Transactions(is_gossip=False, raw=tuple(batch))))
                batch, size = [], 0
            batch.append(raw)
            size += len(raw)
        if batch:
            self._network.send(peer, TRANSACTIONS, encode(Transactions(is_gossip=False, raw=tuple(batch))))

    def _find_raw(self, tx_id: TxId) -> bytes | None:
        transaction = self._candidates.get_body(tx_id)
        if transaction is not None:
            return transaction.raw
        at = self._ledger.store.get(TX_INDEX + tx_id)
        return None if at is None else self._ledger.store.get(TRANSACTION + at)

    def _serve_blobs(self, peer: int, payload: bytes) -> None:
        found = [self._find_blob(blob_hash) for blob_hash in wanted_codec.decode(payload).ids[:32]]
        blobs = tuple(blob for blob in found if blob is not None)
        if blobs:
            self._network.send(peer, BLOBS, encode(Blobs(blobs=blobs)))

    def _take_blobs(self, peer: int, payload: bytes) -> None:
        blobs = blobs_codec.decode(payload).blobs
        for blob in blobs:
            self._wanted_blobs.pop(sha256(blob), None)
        self._keep_blobs(blobs, peer)
        self._runtime.on_parts_arrived()

    def _recall(self, transaction: Transaction) -> Transaction:
        """Return the same transaction from the pool where it is there: its signature was checked already."""
        known = self._candidates.get_body(transaction.tx_id)
        return known if known is not None and known.raw == transaction.raw else transaction

    def _serve_content(self, peer: int, payload: bytes) -> None:
        block_hash = Hash(content_wanted_codec.decode(payload).block_hash)
        content = self._candidates.get_content(block_hash) or self._load_content(block_hash)
        if content is not None:
            wire = Content(header=content.header, parent_certificate=content.parent_certificate, items=content.items)
            self._network.send(peer, CONTENT, encode(wire))

    def _load_content(self, block_hash: Hash) -> BlockContent | None:
        """Return the content of a block that is committed here already."""
        height = self._ledger.store.get(BLOCK_HASH + block_hash)
        block = None if height is None else self._ledger.read_block(int.from_bytes(height, "big"))
        return None if block is None else build_content_of_block(block)[0]

    def _take_content(self, payload: bytes) -> None:
        wire = content_codec.decode(payload)
        block_hash = Hash(sha256(encode(wire.header)))
        if block_hash not in self._wanted_contents:
            return
        if hash_certificate(wire.parent_certificate) != wire.header.parent_certificate_hash:
            raise InvalidBlock("the served certificate is not the block's", height=wire.header.height)
        del self._wanted_contents[block_hash]
        self._candidates.add_content(
            BlockContent(
                block_hash=block_hash,
                header=wire.header,
                parent_certificate=wire.parent_certificate,
                items=wire.items,
            )
        )
        self._runtime.on_parts_arrived()

    def add_body(self, transaction: Transaction) -> None:
        """Take a body that was asked for."""
        self._candidates.add_body(transaction)
        self._runtime.on_parts_arrived()

    def on_committed(self) -> None:
        """Forget requests of the height that was committed."""
        self._asked.clear()
        self._bodies_missed_at = 0.0
        self._wanted_blobs.clear()
        self._wanted_contents.clear()

    # --- blocks ---

    def _serve_blocks(self, peer: int, payload: bytes) -> None:
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
        self._network.send(peer, BLOCKS, encode(Blocks(blocks=tuple(blocks))))

    def _take_blocks(self, peer: int, payload: bytes) -> None:
        if peer != self._sync_peer or self._is_applying:
            return
        blocks = list(blocks_codec.decode(payload).blocks)
        if not blocks:
            self._sync_peer = None
            return
        self._sync_at = monotonic()
        self._sync_blocks = blocks
        self._is_applying = True
        asyncio.get_running_loop().call_soon(self._apply_next)

    def _apply_next(self) -> None:
        """Apply one block for each turn of the loop, so that a long catch-up never blocks votes."""
        peer = self._sync_peer
        if not self._sync_blocks or peer is None:
            self._is_applying = False
            if peer is not None:
                self._sync_at = monotonic()
                self._ask_blocks(peer)
            return
        certified = self._sync_blocks.pop(0)
        try:
            self._apply(certified)
        except GongjiError:
            # A peer that serves what does not hold is left for another; nothing was changed.
            self._sync_blocks.clear()
            self._sync_peer = None
            self._is_applying = False
            return
        asyncio.get_running_loop().call_soon(self._apply_next)

    def _apply(self, certified: CertifiedBlock) -> None:
        block = block_codec.decode(certified.block)
        certificate: Certificate = certified.certificate
        if block.header.height != self._ledger.height + 1:
            return
        block_hash = Hash(sha256(encode(block.header)))
        if certificate.block_hash != block_hash or certificate.height != block.header.height:
            raise CertificateInvalid("not for this block", height=certificate.height, view=certificate.view)
        sets = self._ledger.validators_record
        validate_certificate(
            certificate,
            validators=sets.next_set,
            chain_id=self._ledger.chain_id,
            genesis_hash=self._ledger.genesis_hash,
        )
        if block.parent_certificate != self._ledger.certificate:
            validate_certificate(
                block.parent_certificate,
                validators=sets.this_set,
                chain_id=self._ledger.chain_id,
                genesis_hash=self._ledger.genesis_hash,
            )
        content = BlockContent(
            block_hash=block_hash, header=block.header, parent_certificate=block.parent_certificate, items=()
        )
        if merkle_root(list(block.transactions)) != block.header.transactions_root:
            raise InvalidBlock("the served transactions are not the block's", height=block.header.height)
        if hash_certificate(block.parent_certificate) != block.header.parent_certificate_hash:
            raise InvalidBlock("the served certificate is not the block's", height=block.header.height)
        transactions = tuple(self._recall(decode_transaction(raw)) for raw in block.transactions)
        try:
            executed = self._candidates.get_executed(block_hash) or self._worker.validate_transactions(
                content, transactions, is_fresh=False
            )
        except InvalidBlock as error:
            self._runtime.halt(f"the certified block {block.header.height} cannot be reproduced: {error}")
            raise
        self.synced_blocks += 1
        self._runtime.commit_synced(executed, certificate)
