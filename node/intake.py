"""What clients hand in: transactions and blobs, admitted, journaled and gossiped (api.md, Submitting).

Nothing is promised before it is durable: a 202 follows the sync of the pool journal. The same bytes again are answered
with their present state. Whatever was accepted ends in a status that says what became of it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from chain.errors import GongjiError, Refusal
from chain.ledger import Ledger
from chain.mempool import Admission, Mempool, Waiting
from chain.receipt import Receipt
from chain.transaction import Transaction, decode_transaction
from chain.types import TxId
from explorer.reader import Entry, TransactionStatus
from node.admission import validate_admission
from node.blob_pool import BlobPool
from node.gossip import Gossip
from node.metrics import NodeMetrics
from node.pool_journal import PoolJournal, PoolRecord, PoolRecordKind
from node.ports import Clock
from node.runtime import Runtime
from node.submit_api import HeldBlob, SubmitResult
from node.waiting import Waiters

ENDED_MAX = 20_000
"""Transactions that ended outside of the log and are remembered; the oldest is forgotten and becomes unknown."""
RETRY_AFTER_S = 1
SLICE = 32
"""Transactions of a batch between two turns of the loop: 32 signatures are about two milliseconds."""


class Ended(Struct, frozen=True):
    """A transaction that ended outside of the log."""

    status: str
    valid_until_ms: int
    code: str | None


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
        home: int,
        broadcast_blob: Callable[[bytes], int],
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
        self._home = home
        self._broadcast_blob = broadcast_blob
        self._ended: OrderedDict[TxId, Ended] = OrderedDict()
        self.gossip: Gossip | None = None

    # --- admission ---

    def has_blob(self, blob_hash: bytes) -> bool:
        """Tell whether a blob is held here, waiting or in the database."""
        return blob_hash in self._blobs or self._ledger.has_blob(blob_hash)

    def is_known(self, tx_id: bytes) -> bool:
        """Tell whether a transaction is in the pool or on the chain."""
        return TxId(tx_id) in self._mempool or self._ledger.has_transaction(TxId(tx_id))

    def admit_from_peer(self, transaction: Transaction, peer: int) -> None:
        """Check and pool a transaction that a validator took in; raises `GongjiError`."""
        try:
            self._admit(transaction, ingress=peer, is_client=False)
        except GongjiError as error:
            self._metrics.count_refusal(error.code, is_client=False)
            raise
        self._runtime.on_pool_changed()

    def _admit(self, transaction: Transaction, *, ingress: int, is_client: bool) -> Admission:
        validate_admission(
            transaction,
            chain_id=self._ledger.chain_id,
            parameters=self._ledger.genesis.parameters,
            block_ms=self._get_block_ms(),
            head_ms=self._ledger.header.timestamp_ms,
            has_blob=self.has_blob if is_client else None,
        )
        return self._mempool.add(transaction, ingress=ingress, now_ms=self._clock.now_ms())

    # --- Submitter ---

    async def submit(self, raw: bytes, wait_ms: int) -> SubmitResult:
        """Admit one transaction; durable and on its way before this returns, final if that happens in time."""
        result, transaction = self._receive(raw)
        final = result if transaction is None else (await self._promise([transaction], [result], [0]))[0]
        if wait_ms > 0 and final.tx_id is not None and final.status in {"received", "pending"}:
            if final.tx_id in self._mempool:
                await self._waiters.wait_transaction(final.tx_id, wait_ms)
            found = self._find(final.tx_id)
            if found is not None and found.status != "pending":
                return _with(found, is_replayed=final.is_replayed)
        return final

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
        final: list[SubmitResult] = []
        for result in results:
            tx_id = result.tx_id
            if tx_id is None or result.status not in {"received", "pending"}:
                final.append(result)
                continue
            left_ms = deadline_ms - self._clock.now_ms()
            if left_ms > 0 and tx_id in self._mempool:
                await self._waiters.wait_transaction(tx_id, left_ms)
            found = self._find(tx_id)
            final.append(result if found is None else _with(found, is_replayed=result.is_replayed))
        return final

    def _receive(self, raw: bytes) -> tuple[SubmitResult, Transaction | None]:
        """Decode and pool; return the transaction where it must still be journaled."""
        tx_id: TxId | None = None
        try:
            transaction = decode_transaction(raw)
            tx_id = transaction.tx_id
            known = self._find(tx_id)
            if known is not None:
                # Still waiting: this caller's 202 waits for the sync of the journal as well.
                pooled = self._mempool.get(tx_id) if known.status == "pending" else None
                return _with(known, is_replayed=True), pooled
            self._admit(transaction, ingress=self._home, is_client=True)
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
        except Refusal as error:
            for place, transaction in zip(places, fresh, strict=True):
                if not answers[place].is_replayed:
                    self._mempool.remove_committed([transaction.tx_id])
                self._metrics.count_refusal(error.code, is_client=True)
                answers[place] = SubmitResult(
                    tx_id=transaction.tx_id, status="refused", refusal=error, retry_after_s=RETRY_AFTER_S
                )
            return answers
        if self.gossip is not None:
            for place, transaction in zip(places, fresh, strict=True):
                if not answers[place].is_replayed:
                    self.gossip.offer(transaction)
        return answers

    def _find(self, tx_id: TxId) -> SubmitResult | None:
        """Return what is known of a transaction."""
        waiting = self._mempool.get_waiting(tx_id)
        if waiting is not None:
            return SubmitResult(tx_id=tx_id, status="pending", valid_until_ms=waiting.transaction.body.valid_until_ms)
        found = self._ledger.read_receipt(tx_id)
        if found is not None:
            return self._build_committed(tx_id, *found)
        ended = self._ended.get(tx_id)
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
        until_ms, is_known = self._blobs.add(data, ingress=self._home, wall_ms=self._clock.wall_ms())
        record = PoolRecord(kind=PoolRecordKind.BLOB, key=blob_hash, payload=data)
        try:
            await self._journal.append([record])
        except Refusal:
            self._blobs.remove(blob_hash)
            raise
        if not is_known:
            self._broadcast_blob(data)
        return HeldBlob(held_until_ms=until_ms, is_replayed=is_known)

    # --- what became of it ---

    def get_status(self, tx_id: TxId) -> TransactionStatus | None:
        """Return what is known of a transaction outside the log, None if it was never seen."""
        waiting = self._mempool.get_waiting(tx_id)
        if waiting is not None:
            return TransactionStatus(status="pending", valid_until_ms=waiting.transaction.body.valid_until_ms)
        ended = self._ended.get(tx_id)
        if ended is None:
            return None
        return TransactionStatus(status=ended.status, valid_until_ms=ended.valid_until_ms, code=ended.code)

    def on_expired(self, expired: Iterable[Waiting]) -> None:
        """Note that transactions left the pool because block time passed their validity."""
        ids = []
        for waiting in expired:
            transaction = waiting.transaction
            self._end(transaction, status="expired", code="expired")
            ids.append(transaction.tx_id)
        self._journal.forget(ids)
        self._waiters.on_settled(ids)

    def on_evicted(self, transaction: Transaction) -> None:
        """Note that a transaction was evicted because it cannot be executed."""
        self._end(transaction, status="rejected", code="fault")
        self._journal.forget([transaction.tx_id])
        self._waiters.on_settled([transaction.tx_id])

    def _end(self, transaction: Transaction, *, status: str, code: str) -> None:
        self._ended[transaction.tx_id] = Ended(status=status, valid_until_ms=transaction.body.valid_until_ms, code=code)
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def restore(self) -> int:
        """Take back what the pool journal kept over a restart; return how many transactions."""
        count = 0
        stale: list[bytes] = []
        for record in self._journal.replay():
            if record.kind is PoolRecordKind.BLOB:
                if self._ledger.has_blob(record.key):
                    stale.append(record.key)
                else:
                    self._blobs.add(record.payload, ingress=self._home, wall_ms=self._clock.wall_ms())
                continue
            try:
                transaction = decode_transaction(record.payload)
                if self._ledger.has_transaction(transaction.tx_id):
                    stale.append(record.key)
                    continue
                self._admit(transaction, ingress=self._home, is_client=False)
            except GongjiError:
                stale.append(record.key)
                continue
            count += 1
            if self.gossip is not None:
                self.gossip.offer(transaction)
        self._journal.forget(stale)
        return count


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
