"""What clients hand in: transactions and blobs, admitted, journaled and gossiped (api.md, Submitting).

Nothing is promised before it is durable: a 202 follows the sync of the pool journal. The same bytes again are answered
with their present state. Whatever was accepted ends in a status that says what became of it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from chain.contract.governance_calls import Rejoin
from chain.errors import GongjiError, Refusal
from chain.ledger import Ledger
from chain.mempool import Mempool, Waiting
from chain.receipt import Receipt
from chain.transaction import Transaction, decode_transaction
from chain.types import TxId
from chain.validation import get_blob_hash
from consensus.events import RejoinDeclared
from explorer.reader import Entry, TransactionStatus
from node.admission import validate_admission
from node.blob_pool import HOLD_MS, BlobPool
from node.endings import Endings
from node.gossip import Gossip
from node.logs import get_logger
from node.metrics import NodeMetrics
from node.parked import Parked
from node.peers import PeerTable
from node.pool_journal import PoolJournal, PoolRecord, PoolRecordKind
from node.ports import Clock
from node.runtime import Runtime
from node.submit_api import HeldBlob, SubmitResult
from node.waiting import Waiters

RETRY_AFTER_S = 1
PARKED_BLOBS_ASKED = 32
"""Blobs of parked transactions that are asked for at a time."""
ASK_SECONDS = 0.5
"""While some are missing they are asked for so often."""
REJOIN_AGE_BLOCKS = 3
"""A declaration that was not on the chain before a restart still counts while the head is so near to it."""
SLICE = 32
"""Transactions of a batch between two turns of the loop: 32 signatures are about two milliseconds."""


class Intake:
    """Admission of own clients' transactions and of peers' gossip."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        mempool: Mempool,
        blobs: BlobPool,
        journal: PoolJournal,
        waiters: Waiters,
        metrics: NodeMetrics,
        runtime: Runtime,
        clock: Clock,
        get_block_ms: Callable[[], int],
        peers: PeerTable,
        own_key: bytes,
        broadcast_blob: Callable[[bytes], int],
        want_blobs: Callable[[tuple[bytes, ...], tuple[int, ...]], None],
    ) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._blobs = blobs
        self._journal = journal
        self._waiters = waiters
        self._metrics = metrics
        self._runtime = runtime
        self._clock = clock
        self._get_block_ms = get_block_ms
        self._peers = peers
        self._own_key = own_key
        self._broadcast_blob = broadcast_blob
        self._want_blobs = want_blobs
        self._parked = Parked(ingress_count=0)
        self._parked.set_ingress(peers.ingresses)
        self._promised_blobs: dict[bytes, None] = {}
        """Named by own transactions that came back from the journal without them: in that of another validator."""
        self._ask_handle: asyncio.TimerHandle | None = None
        self._log = get_logger("node")
        self._endings = Endings()
        self.gossip: Gossip | None = None

    # --- admission ---

    def on_peers_changed(self) -> None:
        """Let the shares follow the set of validators."""
        ingresses = self._peers.ingresses
        self._mempool.set_ingress(ingresses=ingresses, home=self._peers.home)
        self._blobs.set_ingress(ingresses)
        self._parked.set_ingress(ingresses)

    def has_blob(self, blob_hash: bytes) -> bool:
        """Tell whether a blob is held here, waiting or in the database."""
        return blob_hash in self._blobs or self._ledger.has_blob(blob_hash)

    def is_known(self, transaction: Transaction) -> bool:
        """Tell whether a transaction is in the pool, parked or on the chain."""
        tx_id = transaction.tx_id
        return tx_id in self._mempool or tx_id in self._parked or self._ledger.has_run(transaction)

    def admit_from_peer(self, transaction: Transaction, peer: int) -> None:
        """Check and pool a transaction that a validator took in, or park it where its blob is missing.

        Raises `GongjiError`.
        """
        try:
            self._mempool.check_room(transaction, ingress=peer)
            self._validate(transaction, is_client=False)
            blob_hash = get_blob_hash(transaction)
            if blob_hash is not None and not self.has_blob(blob_hash):
                if self._parked.add(transaction, ingress=peer, blob_hash=blob_hash):
                    self._want_blobs((blob_hash,), (peer,))
                    self._ask_later()
                return
            self._pool(transaction, ingress=peer)
        except GongjiError as error:
            self._metrics.count_refusal(error.code, is_client=False)
            raise
        self._runtime.on_pool_changed()

    def on_blobs(self, hashes: Iterable[bytes]) -> None:
        """Pool what was parked until one of these blobs came; what waited in the pool for it may go into a block."""
        for blob_hash in hashes:
            self._promised_blobs.pop(blob_hash, None)
            for item in self._parked.take(blob_hash):
                try:
                    self._pool(item.transaction, ingress=item.ingress)
                except GongjiError as error:
                    self._metrics.count_refusal(error.code, is_client=False)
        self._runtime.on_pool_changed()

    def on_committed(self, block_ms: int) -> None:
        """Let go of what was parked too long."""
        if len(self._parked):
            self._parked.expire(block_ms)

    def _ask_later(self) -> None:
        if self._ask_handle is None:
            self._ask_handle = asyncio.get_running_loop().call_later(ASK_SECONDS, self._ask_for_blobs)

    def _ask_for_blobs(self) -> None:
        """Ask for what transactions wait for, as long as any does; nothing relies on a frame arriving."""
        self._ask_handle = None
        if self._runtime.is_stopped or not (len(self._parked) or self._promised_blobs):
            return
        self._want_blobs(self._parked.find_blobs(PARKED_BLOBS_ASKED), ())
        promised = tuple(self._promised_blobs)[:PARKED_BLOBS_ASKED]
        for blob_hash in promised:
            self._promised_blobs.pop(blob_hash)
            if not self.has_blob(blob_hash):
                self._promised_blobs[blob_hash] = None
        self._want_blobs(promised, ())
        self._ask_later()

    def _validate(self, transaction: Transaction, *, is_client: bool) -> None:
        validate_admission(
            transaction,
            chain_id=self._ledger.chain_id,
            parameters=self._ledger.genesis.parameters,
            block_ms=self._get_block_ms(),
            head_ms=self._ledger.header.timestamp_ms,
            has_blob=self.has_blob if is_client else None,
        )

    def _pool(self, transaction: Transaction, *, ingress: int) -> None:
        self._mempool.add(transaction, ingress=ingress, now_ms=self._clock.now_ms())
        blob_hash = get_blob_hash(transaction)
        if blob_hash is not None:
            # Held at least as long as on the day it came: what was accepted with it must not lose it.
            self._blobs.renew(blob_hash, now_ms=self._clock.now_ms())

    # --- Submitter ---

    async def submit(self, raw: bytes, wait_ms: int) -> SubmitResult:
        """Admit one transaction; durable and on its way before this returns, final if that happens in time."""
        result, transaction = self._receive(raw)
        final = result if transaction is None else (await self._promise([transaction], [result], [0]))[0]
        return await self._wait(final, wait_ms)

    async def _wait(self, result: SubmitResult, wait_ms: int) -> SubmitResult:
        """Return the final result, or the one given where there is none in time."""
        tx_id = result.tx_id
        if wait_ms <= 0 or tx_id is None or result.status not in {"received", "pending"}:
            return result
        found = self._find(tx_id)
        if found is not None and found.status == "pending":
            await self._waiters.wait_transaction(tx_id, wait_ms)
            found = self._find(tx_id)
        return result if found is None or found.status == "pending" else _with(found, is_replayed=result.is_replayed)

    async def submit_batch(self, raws: Sequence[bytes], wait_ms: int) -> list[SubmitResult]:
        """Admit many independent transactions with one journal sync; one result for each, in order."""
        results: list[SubmitResult] = []
        fresh: list[Transaction] = []
        places: list[int] = []
        for place, raw in enumerate(raws):
            if place % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            result, transaction = self._receive(raw)
            results.append(result)
            if transaction is not None:
                fresh.append(transaction)
                places.append(place)
        if fresh:
            results = await self._promise(fresh, results, places)
        return await self._wait_all(results, wait_ms) if wait_ms > 0 else results

    async def _wait_all(self, results: list[SubmitResult], wait_ms: int) -> list[SubmitResult]:
        """Wait until all are final, at the latest for `wait_ms`."""
        deadline_ms = self._clock.now_ms() + wait_ms
        return [await self._wait(result, deadline_ms - self._clock.now_ms()) for result in results]

    def _receive(self, raw: bytes) -> tuple[SubmitResult, Transaction | None]:
        """Decode and pool; return the transaction where it must still be journaled."""
        tx_id: TxId | None = None
        try:
            if not self._peers.may_hand_in:
                raise Refusal("no_ingress")
            transaction = decode_transaction(raw)
            tx_id = transaction.tx_id
            known = self._find(tx_id, self._ledger.has_run(transaction))
            if known is not None:
                # Still waiting: this caller's 202 waits for the sync of the journal as well.
                pooled = self._mempool.get(tx_id) if known.status == "pending" else None
                return _with(known, is_replayed=True), pooled
            # First what is cheap: under overload most are refused here, and a signature costs ten times as much.
            self._mempool.check_room(transaction, ingress=self._peers.home)
            self._validate(transaction, is_client=True)
            self._pool(transaction, ingress=self._peers.home)
        except GongjiError as error:
            self._metrics.count_refusal(error.code, is_client=True)
            retry = RETRY_AFTER_S if error.entry.retryable else None
            refused = SubmitResult(tx_id=tx_id, status="refused", refusal=error, retry_after_s=retry)
            return refused, None
        received = SubmitResult(tx_id=tx_id, status="received", valid_until_ms=transaction.body.valid_until_ms)
        return received, transaction

    async def _promise(
        self, fresh: list[Transaction], answers: list[SubmitResult], places: list[int]
    ) -> list[SubmitResult]:
        """Make what was pooled durable, then gossip it; a full journal takes it back."""
        records = [
            PoolRecord(kind=PoolRecordKind.TRANSACTION, key=transaction.tx_id, payload=transaction.raw)
            for transaction in fresh
        ]
        self._runtime.on_pool_changed()
        try:
            await self._journal.append(records)
        except asyncio.CancelledError:
            # Nobody waits for the answer any more, but it is journaled all the same, so it goes on its way.
            self._offer(fresh, answers, places)
            raise
        except Refusal as error:
            for place, transaction in zip(places, fresh, strict=True):
                if not answers[place].is_replayed:
                    self._mempool.remove_committed([transaction.tx_id])
                    self._waiters.on_settled([transaction.tx_id])
                self._metrics.count_refusal(error.code, is_client=True)
                answers[place] = SubmitResult(
                    tx_id=transaction.tx_id, status="refused", refusal=error, retry_after_s=RETRY_AFTER_S
                )
            self._runtime.on_pool_changed()
            return answers
        self._offer(fresh, answers, places)
        return answers

    def _offer(self, fresh: list[Transaction], answers: list[SubmitResult], places: list[int]) -> None:
        for transaction in fresh:
            self._notice_rejoin(transaction)
        if self.gossip is not None:
            for place, transaction in zip(places, fresh, strict=True):
                if not answers[place].is_replayed:
                    self.gossip.offer(transaction)

    def _notice_rejoin(self, transaction: Transaction) -> None:
        """End this node's quarantine where its operator has just declared it, or had before a restart.

        Only what came in here counts: the declaration is made on the machine that stands in quarantine, with its key.
        """
        if isinstance(transaction.body.call, Rejoin) and transaction.body.signer == self._own_key:
            now, wall = self._runtime.times()
            self._runtime.feed(RejoinDeclared(now_ms=now, wall_ms=wall))

    def _find(self, tx_id: TxId, may_have_run: bool = True) -> SubmitResult | None:
        """Return what is known of a transaction."""
        waiting = self._mempool.get_waiting(tx_id)
        if waiting is not None:
            return SubmitResult(tx_id=tx_id, status="pending", valid_until_ms=waiting.transaction.body.valid_until_ms)
        found = self._ledger.read_receipt(tx_id) if may_have_run else None
        if found is not None:
            return self._build_committed(tx_id, *found)
        ended = self.get_status(tx_id)
        if ended is None:
            return None
        return SubmitResult(tx_id=tx_id, status=ended.status, valid_until_ms=ended.valid_until_ms, code=ended.code)

    def _build_committed(self, tx_id: TxId, height: int, index: int, receipt: Receipt) -> SubmitResult:
        raw = self._ledger.read_transaction(height, index)
        record = self._ledger.read_header_record(height)
        return SubmitResult(
            tx_id=tx_id,
            status="committed",
            valid_until_ms=decode_transaction(raw).body.valid_until_ms,
            entry=Entry(height=height, index=index, raw=raw, receipt=receipt),
            block_ms=0 if record is None else record.header.timestamp_ms,
        )

    async def put_blob(self, blob_hash: bytes, data: bytes) -> HeldBlob:
        """Hold a blob whose hash was checked, durably; gossip it."""
        if not self._peers.may_hand_in:
            raise Refusal("no_ingress")
        if self._ledger.has_blob(blob_hash):
            return HeldBlob(held_until_ms=self._clock.wall_ms() + HOLD_MS, is_replayed=True)
        held_ms, is_known = self._blobs.add(data, ingress=self._peers.home, now_ms=self._clock.now_ms())
        record = PoolRecord(kind=PoolRecordKind.BLOB, key=blob_hash, payload=data)
        try:
            await self._journal.append([record])
        except Refusal:
            if not is_known:
                self._blobs.remove(blob_hash)
            raise
        if not is_known:
            self._broadcast_blob(data)
        self.on_blobs([blob_hash])
        return HeldBlob(held_until_ms=self._clock.wall_ms() + held_ms, is_replayed=is_known)

    # --- what became of it ---

    def get_status(self, tx_id: TxId) -> TransactionStatus | None:
        """Return what is known of a transaction outside the log, None if it was never seen."""
        waiting = self._mempool.get_waiting(tx_id)
        if waiting is not None:
            return TransactionStatus(status="pending", valid_until_ms=waiting.transaction.body.valid_until_ms)
        return self._endings.get_status(tx_id, head_ms=self._ledger.header.timestamp_ms)

    def on_expired(self, expired: Iterable[Waiting]) -> None:
        """Note that transactions left the pool because block time passed their validity."""
        ids = []
        for waiting in expired:
            transaction = waiting.transaction
            self._endings.add(transaction, status="expired", code="expired")
            ids.append(transaction.tx_id)
            blob_hash = get_blob_hash(transaction)
            if blob_hash is not None:
                self._promised_blobs.pop(blob_hash, None)
        self._journal.forget(ids)
        self._waiters.on_settled(ids)

    def on_evicted(self, transaction: Transaction) -> None:
        """Note that a transaction was evicted because it cannot be executed here."""
        self._endings.add(transaction, status="rejected", code="fault")
        self._journal.forget([transaction.tx_id])

    def restore(self) -> int:
        """Take back what the pool journal kept over a restart; return how many transactions.

        Everything in it was promised: it is let go of only where it is on the chain, has expired or cannot be read.
        What finds no room stays in the journal for the next start.
        """
        count = 0
        done: list[bytes] = []
        for record in self._journal.replay():
            try:
                if record.kind is PoolRecordKind.BLOB:
                    if self._ledger.has_blob(record.key):
                        done.append(record.key)
                    else:
                        self._blobs.add(record.payload, ingress=self._peers.home, now_ms=self._clock.now_ms())
                elif self._restore_transaction(record):
                    count += 1
                else:
                    done.append(record.key)
            except Refusal as error:
                self._log.warning("not_restored", id=record.key.hex(), kind=record.kind.name.lower(), reason=str(error))
        self._journal.forget(done)
        return count

    def _restore_transaction(self, record: PoolRecord) -> bool:
        """Pool a promised transaction again; return whether it still waits. Raises `Refusal` where there is no room."""
        try:
            transaction = decode_transaction(record.payload)
        except GongjiError as error:
            self._log.warning("not_restored", id=record.key.hex(), kind="transaction", reason=str(error))
            return False
        if self._ledger.has_run(transaction):
            return False
        if transaction.body.valid_until_ms <= self._ledger.header.timestamp_ms:
            self._endings.add(transaction, status="expired", code="expired")
            return False
        if transaction.body.chain_id != self._ledger.chain_id or not transaction.is_signature_valid():
            return False
        # Not against the wall clock, which may have been set back: it was admitted once, and that was the promise.
        self._pool(transaction, ingress=self._peers.home)
        call = transaction.body.call
        if isinstance(call, Rejoin) and call.height >= self._ledger.height - REJOIN_AGE_BLOCKS:
            # An older one was about another quarantine.
            self._notice_rejoin(transaction)
        blob_hash = get_blob_hash(transaction)
        if blob_hash is not None and not self.has_blob(blob_hash):
            self._promised_blobs[blob_hash] = None
            self._ask_later()
        return True


def _with(result: SubmitResult, *, is_replayed: bool) -> SubmitResult:
    return SubmitResult(
        tx_id=result.tx_id,
        status=result.status,
        valid_until_ms=result.valid_until_ms,
        is_replayed=is_replayed,
        code=result.code,
        entry=result.entry,
        block_ms=result.block_ms,
    )
