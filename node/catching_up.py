"""Catch up with the chain from peers that say they are ahead (consensus E8; pitfalls P22, C30).

A claim is never a target: only what a peer serves counts, and only what its certificate proves. Every request goes to
the claimant that was asked longest ago, so a peer that is silent, slow or lying costs its turn and no more; who serves
what does not hold, or not what was asked for, is left out for a while.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from chain.block import block_codec
from chain.certificate import CertificateInvalid, hash_certificate, validate_certificate
from chain.codec import encode
from chain.crypto import sha256
from chain.errors import GongjiError, InvalidBlock, InvariantViolation, StoreError
from chain.history import merkle_root
from chain.ledger import Ledger
from chain.round_record import get_protocol_version
from chain.transaction import Transaction, decode_transaction
from chain.types import Hash
from consensus.events import BlockContent
from node.block_work import BlockWorker
from node.candidates import Candidates
from node.ports import Clock, Network
from node.runtime import Runtime
from node.wire import BLOCKS_COUNT_MAX, BLOCKS_WANTED, BlocksWanted, CertifiedBlock, blocks_codec

CLAIM_MS = 3_000
"""How long a claim counts; it comes with every STATUS."""
ANSWER_MS = 700
"""Without an answer for so long, the next claimant is asked as well."""
LATE_MS = 10_000
"""An answer is taken until then."""
FAILED_MS = 3_000
"""How long a peer is left out that served something wrong or cannot be reached."""
EMPTY_MS = 200
"""The same for one that had nothing."""


class CatchingUp:
    """The sync client of one node."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        ledger: Ledger,
        candidates: Candidates,
        worker: BlockWorker,
        network: Network,
        clock: Clock,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._candidates = candidates
        self._worker = worker
        self._network = network
        self._clock = clock
        self._on_failure = on_failure
        self._claims: dict[int, int] = {}
        """When each peer said that it is ahead."""
        self._asked: dict[int, int] = {}
        """The order in which peers were asked: number of the request by peer."""
        self._requests = 0
        self._open: dict[int, tuple[int, int]] = {}
        """Unanswered requests: (when, first height) by peer."""
        self._left_out: dict[int, int] = {}
        """Until when a peer is not asked."""
        self._blocks: deque[CertifiedBlock] = deque()
        self._peer = -1
        self.synced_blocks = 0
        """Blocks taken from peers since the start."""

    def claim(self, height: int, peer: int) -> None:
        """Take note that a peer says it has the block of this height."""
        if height <= self._ledger.height:
            return
        self._claims[peer] = self._clock.now_ms()
        self._ask()

    def _ask(self) -> None:
        now = self._clock.now_ms()
        if self._blocks or self._runtime.is_stopped:
            return
        if any(now - asked_ms < ANSWER_MS for asked_ms, _ in self._open.values()):
            return
        claimants = [
            peer
            for peer, claimed_ms in self._claims.items()
            if now - claimed_ms <= CLAIM_MS and self._left_out.get(peer, now) <= now
        ]
        for peer in sorted(claimants, key=lambda peer: (self._asked.get(peer, 0), peer)):
            self._requests += 1
            self._asked[peer] = self._requests
            first = self._ledger.height + 1
            wanted = BlocksWanted(from_height=first, count=BLOCKS_COUNT_MAX)
            if self._network.send(peer, BLOCKS_WANTED, encode(wanted)):
                self._open[peer] = (now, first)
                return
            self._left_out[peer] = now + FAILED_MS

    def take(self, peer: int, payload: bytes) -> None:
        """Take an answer, if it was asked for; raises `GongjiError` on bad bytes."""
        now = self._clock.now_ms()
        asked_ms, first = self._open.pop(peer, (now - LATE_MS, 0))
        if now - asked_ms >= LATE_MS or self._blocks:
            return
        try:
            blocks = blocks_codec.decode(payload).blocks
        except GongjiError:
            self._leave(peer, FAILED_MS)
            raise
        if not blocks:
            self._claims.pop(peer, None)
            self._leave(peer, EMPTY_MS)
            return
        if blocks[0].certificate.height != first:
            self._leave(peer, FAILED_MS)
            return
        self._peer = peer
        self._blocks.extend(blocks)
        asyncio.get_running_loop().call_soon(self._apply_next)

    def _leave(self, peer: int, duration_ms: int) -> None:
        self._blocks.clear()
        self._left_out[peer] = self._clock.now_ms() + duration_ms
        self._ask()

    def _apply_next(self) -> None:
        """Apply one block for each turn of the loop, so that a long catch-up never blocks votes."""
        if self._runtime.is_stopped or not self._blocks:
            self._blocks.clear()
            return
        certified = self._blocks.popleft()
        try:
            self._apply(certified)
        except GongjiError:
            # Nothing was changed: what is committed was verified before.
            self._leave(self._peer, FAILED_MS)
            return
        except (StoreError, InvariantViolation) as error:
            self._blocks.clear()
            self._on_failure(error)
            self._runtime.halt(f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # noqa: BLE001
            # Bytes of a peer that meet a mistake of ours must cost that peer's turn and not the catch-up.
            self._on_failure(error)
            self._leave(self._peer, FAILED_MS)
            return
        if self._blocks:
            asyncio.get_running_loop().call_soon(self._apply_next)
        else:
            self._ask()

    def _apply(self, certified: CertifiedBlock) -> None:
        block = block_codec.decode(certified.block)
        certificate = certified.certificate
        height = block.header.height
        if height <= self._ledger.height:
            return
        if height != self._ledger.height + 1:
            raise InvalidBlock("the served blocks are not consecutive", height=height)
        version = get_protocol_version(self._ledger.protocol, height)
        if version not in self._runtime.config.versions:
            # Not the peer's fault: this software cannot execute it, and serves what it has.
            self._blocks.clear()
            return
        block_hash = Hash(sha256(encode(block.header)))
        if certificate.block_hash != block_hash or certificate.height != height:
            raise CertificateInvalid("not for this block", height=certificate.height, view=certificate.view)
        sets = self._ledger.validators_record
        validate_certificate(
            certificate,
            validators=sets.next_set,
            chain_id=self._ledger.chain_id,
            genesis_hash=self._ledger.genesis_hash,
            version=version,
        )
        if block.parent_certificate != self._ledger.certificate:
            validate_certificate(
                block.parent_certificate,
                validators=sets.this_set,
                chain_id=self._ledger.chain_id,
                genesis_hash=self._ledger.genesis_hash,
                version=self._ledger.header.version,
            )
        if merkle_root(list(block.transactions)) != block.header.transactions_root:
            raise InvalidBlock("the served transactions are not the block's", height=height)
        if hash_certificate(block.parent_certificate) != block.header.parent_certificate_hash:
            raise InvalidBlock("the served certificate is not the block's", height=height)
        transactions = tuple(self._recall(decode_transaction(raw)) for raw in block.transactions)
        content = BlockContent(
            block_hash=block_hash, header=block.header, parent_certificate=block.parent_certificate, items=()
        )
        # From here on it is proven to be the chain's: what fails now is a fault of this node's and stops it.
        try:
            executed = self._candidates.get_executed(block_hash) or self._worker.validate_transactions(
                content, transactions, is_fresh=False
            )
        except InvalidBlock as error:
            raise InvariantViolation(f"the certified block {height} cannot be reproduced: {error}") from error
        self.synced_blocks += 1
        self._runtime.commit_synced(executed, certificate)

    def _recall(self, transaction: Transaction) -> Transaction:
        """Return the same transaction from the pool where it is there: its signature was checked already."""
        known = self._candidates.get_body(transaction.tx_id)
        return known if known is not None and known.raw == transaction.raw else transaction
