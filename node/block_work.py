"""Build and validate blocks for the runtime: ledger, pool, candidates and the wall clock brought together.

Synchronous and free of the network: what is missing is reported by an exception, and the runtime asks for it.
"""

from collections.abc import Callable
from time import perf_counter

from chain.block import Block, hash_header
from chain.certificate import Certificate
from chain.clock import to_block_ms, to_wall_ms
from chain.errors import InvalidBlock, StoreError
from chain.execution import Draft, Executed, ExecutionFailed, execute_block
from chain.genesis import Parameters
from chain.ledger import Ledger
from chain.mempool import Mempool
from chain.transaction import Transaction, decode_transaction
from chain.types import TxId
from chain.validation import Freshness, get_blob_hash, validate_block
from consensus.events import BlockContent
from consensus.messages import ITEMS_MAX
from node.candidates import Candidates
from node.logs import get_logger
from node.reveal import RevealExhausted

EXECUTE_MS_TARGET = 200
"""A leader fills a block with what it can execute in this time: the others execute it as well before they vote, and a
block that outlasts the view timer costs a view change."""
TRANSACTIONS_MIN = 100
"""It proposes this many in any case."""
RATE_WEIGHT = 0.3
"""Weight of the newest block in the measured rate."""
BUILDS_MAX = 16
"""Blocks tried one after the other where transactions fail to execute; then the next turn goes on."""
BLOBS_MISSING_MAX = 256
"""Missing blobs of pooled transactions that are remembered at a time."""

OURS = (StoreError, MemoryError, RecursionError)
"""Failures of this machine alone: no candidate and no transaction is at fault, the node stops."""

RevealNext = Callable[[bytes], bytes]
"""Given the last revealed link of this validator, return the one that hashes to it."""


class BlockWorker:
    """Make and check the blocks of one node."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        mempool: Mempool,
        candidates: Candidates,
        get_wall_ms: Callable[[], int],
        validator_key: bytes,
        reveal_next: RevealNext,
        get_last_link: Callable[[], bytes],
        has_blob: Callable[[bytes], bool],
        on_evicted: Callable[[Transaction], None],
    ) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._candidates = candidates
        self._get_wall_ms = get_wall_ms
        self._validator_key = validator_key
        self._reveal_next = reveal_next
        self._get_last_link = get_last_link
        self._has_blob = has_blob
        self._on_evicted = on_evicted
        self._missing_blobs: dict[bytes, None] = {}
        self._log = get_logger("node")
        self._seconds_each = 0.0
        """Measured time to execute one transaction, 0 before the first measure."""
        self.execute_seconds = 0.0
        """Time spent executing since it was last taken, for the metrics."""
        self._clock = ledger.genesis.clock

    @property
    def parameters(self) -> Parameters:
        """Return the parameters that hold at the next height."""
        return self._ledger.parameters

    def get_block_ms(self) -> int:
        """Return block time by this node's wall clock."""
        return to_block_ms(self._clock, self._get_wall_ms())

    def validate(self, content: BlockContent, *, is_fresh: bool) -> Executed:
        """Return the executed block, from what is kept or by executing it.

        Raises BodiesMissing, RootMismatch, and what `validate_block` raises.
        """
        transactions = self._candidates.assemble(content)
        kept = self._candidates.get_executed(content.block_hash)
        return self.validate_transactions(content, transactions, is_fresh=is_fresh, kept=kept)

    def find_missing_blobs(self, content: BlockContent) -> tuple[bytes, ...]:
        """Return the hashes of the blobs that a whole block names and that are not here."""
        named = (get_blob_hash(transaction) for transaction in self._candidates.assemble(content))
        return tuple(blob_hash for blob_hash in named if blob_hash is not None and not self._has_blob(blob_hash))

    def take_missing_blobs(self) -> tuple[bytes, ...]:
        """Return the blobs for whose lack transactions were left out of the last block."""
        missing = tuple(self._missing_blobs)
        self._missing_blobs.clear()
        return missing

    def validate_transactions(
        self,
        content: BlockContent,
        transactions: tuple[Transaction, ...],
        *,
        is_fresh: bool,
        kept: Executed | None = None,
    ) -> Executed:
        """Return the executed block of these transactions.

        Raises what `validate_block` raises; whatever else fails makes the candidate invalid (consensus 4), but for the
        disk, which stops the node.
        """
        if kept is not None and not is_fresh:
            return kept
        started = perf_counter()
        try:
            executed = validate_block(
                self._ledger,
                header=content.header,
                parent_certificate=content.parent_certificate,
                transactions=transactions,
                parameters=self.parameters,
                clock=self._clock,
                has_run=self._ledger.has_run,
                freshness=Freshness(wall_ms=self._get_wall_ms(), has_blob=self._has_blob) if is_fresh else None,
            )
        except ExecutionFailed as error:
            self._evict(error.tx_id)
            raise
        except (InvalidBlock, *OURS):
            raise
        except Exception as error:
            # Also a broken invariant: a candidate must not stop a validator (pitfalls C20, C21).
            self._log.exception("candidate_failed", height=content.header.height, block=content.block_hash.hex())
            raise InvalidBlock(f"the block failed to execute: {error!r}", height=content.header.height) from error
        self._measure(perf_counter() - started, len(transactions))
        self._candidates.add_executed(executed)
        return executed

    def build(self, parent_certificate: Certificate, *, allow_empty: bool) -> Executed | None:
        """Return a fresh executed block on the head, or None where there is nothing to put into one."""
        head = self._ledger.header
        latest = head.timestamp_ms + self.parameters.advance_max_ms
        timestamp_ms = min(max(head.timestamp_ms + 1, self.get_block_ms()), latest)
        count_max = ITEMS_MAX
        for _ in range(BUILDS_MAX):
            transactions = self._select(timestamp_ms)[:count_max]
            if not transactions and not (allow_empty and self._is_empty_due(timestamp_ms, latest)):
                return None
            started = perf_counter()
            try:
                executed = self._execute(timestamp_ms, parent_certificate, transactions)
            except ExecutionFailed as error:
                self._evict(error.tx_id)
                continue
            except RevealExhausted as error:
                # It cannot lead any more, but it can vote: the view timers hand the turn on.
                self._log.error("reveal_exhausted", reason=str(error))
                return None
            except (InvalidBlock, *OURS):
                raise
            except Exception as error:  # noqa: BLE001
                # No transaction is to blame by itself: fewer of them are tried, down to the one that is.
                self._log.error("block_not_built", transactions=len(transactions), error=repr(error))
                if not transactions:
                    return None
                if len(transactions) == 1:
                    self._evict(transactions[0].tx_id)
                count_max = max(1, len(transactions) // 2)
                continue
            self._measure(perf_counter() - started, len(transactions))
            self._candidates.add_executed(executed)
            return executed
        return None

    def _execute(
        self, timestamp_ms: int, parent_certificate: Certificate, transactions: tuple[Transaction, ...]
    ) -> Executed:
        draft = Draft(
            timestamp_ms=timestamp_ms,
            proposer=self._validator_key,
            reveal=self._reveal_next(self._get_last_link()),
            parent_certificate=parent_certificate,
            transactions=transactions,
        )
        return execute_block(self._ledger, draft)

    def _measure(self, seconds: float, transactions: int) -> None:
        self.execute_seconds += seconds
        if transactions >= TRANSACTIONS_MIN:
            each = seconds / transactions
            before = self._seconds_each or each
            self._seconds_each = before + RATE_WEIGHT * (each - before)

    def _evict(self, tx_id: TxId) -> None:
        waiting = self._mempool.evict(tx_id)
        if waiting is not None:
            self._on_evicted(waiting.transaction)

    def _is_empty_due(self, timestamp_ms: int, latest: int) -> bool:
        if timestamp_ms == latest:
            return True
        parent_wall_ms = to_wall_ms(self._clock, self._ledger.header.timestamp_ms)
        return to_wall_ms(self._clock, timestamp_ms) >= parent_wall_ms + self.parameters.idle_interval_ms

    def _select(self, timestamp_ms: int) -> tuple[Transaction, ...]:
        """Take from the pool what may be included: not yet run, and with its blob here."""
        chosen = self._mempool.select(block_ms=timestamp_ms, turn=self._ledger.height + 1)
        if self._seconds_each > 0:
            chosen = chosen[: max(TRANSACTIONS_MIN, int(EXECUTE_MS_TARGET / 1000 / self._seconds_each))]
        stale: list[TxId] = []
        usable: list[Transaction] = []
        for transaction in chosen:
            if self._ledger.has_run(transaction):
                stale.append(transaction.tx_id)
                continue
            blob_hash = get_blob_hash(transaction)
            if blob_hash is None or self._has_blob(blob_hash):
                usable.append(transaction)
            elif len(self._missing_blobs) < BLOBS_MISSING_MAX:
                self._missing_blobs[blob_hash] = None
        if stale:
            self._mempool.remove_committed(stale)
        return tuple(usable)


def build_content_of_block(block: Block) -> tuple[BlockContent, tuple[Transaction, ...]]:
    """Return what a journaled block lists, and its transactions."""
    transactions = tuple(decode_transaction(raw) for raw in block.transactions)
    content = BlockContent(
        block_hash=hash_header(block.header),
        header=block.header,
        parent_certificate=block.parent_certificate,
        items=tuple((transaction.tx_id, transaction.signature) for transaction in transactions),
    )
    return content, transactions
