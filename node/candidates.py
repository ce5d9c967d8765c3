"""Blocks of the height that is being decided: their contents, bodies and executed results.

Bounded by construction: the newest few blocks, the newest two results, and bodies only of what was asked for;
everything goes when the height is committed. Nothing here decides anything.

A content is not signed but for its header: a relayer may change its list. So a copy stays replaceable until its bodies
were here and made the header's root; from then on no other copy takes its place.
"""

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from chain.execution import Executed
from chain.history import merkle_root
from chain.mempool import PINNED_BLOCKS_MAX
from chain.transaction import Transaction
from chain.types import Hash, TxId
from consensus.events import BlockContent

EXECUTED_MAX = 2
BLOCKS_MAX = PINNED_BLOCKS_MAX
"""Contents, with the bodies of those that are whole; the oldest goes, but never the one that this node is bound to."""
AWAITED_MAX = 2
"""Blocks whose missing bodies are taken in at a time: one to check and one to commit."""
LOOSE_BYTES_MAX = 8 * 1024 * 1024
"""Bodies of blocks that are not whole yet, twice the largest block; beyond it the oldest goes."""


class BodiesMissing(Exception):
    """Some bodies are not here; `tx_ids` says which."""

    def __init__(self, tx_ids: tuple[TxId, ...]) -> None:
        super().__init__(f"{len(tx_ids)} bodies are missing")
        self.tx_ids = tx_ids


class RootMismatch(Exception):
    """The listed transactions are not those of the header: a relayer may have changed the list."""


class _Kept(Struct, frozen=True):
    content: BlockContent
    transactions: tuple[Transaction, ...] | None
    """None while the block is not whole."""


class Candidates:
    """Contents, bodies and results by block hash."""

    def __init__(self, get_pooled: Callable[[TxId], Transaction | None]) -> None:
        self._get_pooled = get_pooled
        self._executed: OrderedDict[Hash, Executed] = OrderedDict()
        self._blocks: OrderedDict[Hash, _Kept] = OrderedDict()
        self._bodies: dict[TxId, Transaction] = {}
        """Of the whole blocks."""
        self._awaited: OrderedDict[Hash, tuple[TxId, ...]] = OrderedDict()
        """What was missing when a block was looked through last."""
        self._awaited_ids: frozenset[TxId] = frozenset()
        self._loose: OrderedDict[TxId, Transaction] = OrderedDict()
        self._loose_bytes = 0
        self._bound: Hash | None = None

    # --- contents ---

    def add_content(self, content: BlockContent) -> None:
        """Keep what a proposal lists, unless the true list is known."""
        kept = self._blocks.get(content.block_hash)
        if kept is None or kept.transactions is None:
            self._put(_Kept(content=content, transactions=None))
        else:
            self._blocks.move_to_end(content.block_hash)

    def get_content(self, block_hash: Hash) -> BlockContent | None:
        """Return what a block lists, if known."""
        kept = self._blocks.get(block_hash)
        return None if kept is None else kept.content

    def get_whole(self, block_hash: Hash) -> BlockContent | None:
        """Return what a block lists if its bodies are here and make its root."""
        kept = self._blocks.get(block_hash)
        return None if kept is None or kept.transactions is None else kept.content

    def drop_content(self, block_hash: Hash) -> None:
        """Forget a list that cannot be the true one, or whose bodies nobody has."""
        kept = self._blocks.get(block_hash)
        if kept is not None and kept.transactions is None:
            del self._blocks[block_hash]
            self._awaited.pop(block_hash, None)

    def bind(self, block_hash: Hash) -> None:
        """Never let go of this block before the height is committed: this node signs COMMIT for it (consensus 7)."""
        self._bound = block_hash

    def keep_block(self, content: BlockContent, transactions: tuple[Transaction, ...]) -> None:
        """Keep a whole block, to serve it to anybody who asks by hash."""
        kept = self._blocks.get(content.block_hash)
        if kept is None or kept.transactions is None:
            self._put(_Kept(content=content, transactions=transactions))
            self._awaited.pop(content.block_hash, None)
            self._bodies.update((transaction.tx_id, transaction) for transaction in transactions)

    def _put(self, kept: _Kept) -> None:
        self._blocks[kept.content.block_hash] = kept
        self._blocks.move_to_end(kept.content.block_hash)
        if len(self._blocks) <= BLOCKS_MAX:
            return
        oldest = next(block_hash for block_hash in self._blocks if block_hash != self._bound)
        removed = self._blocks.pop(oldest)
        if removed.transactions is not None:
            wholes = (entry.transactions for entry in self._blocks.values() if entry.transactions is not None)
            self._bodies = {transaction.tx_id: transaction for whole in wholes for transaction in whole}

    # --- bodies ---

    def add_body(self, transaction: Transaction) -> bool:
        """Keep a body if it is missing; return whether it was (nobody fills this node with what it never asked)."""
        tx_id = transaction.tx_id
        if tx_id not in self._awaited_ids or tx_id in self._loose:
            return False
        self._loose[tx_id] = transaction
        self._loose_bytes += len(transaction.raw)
        while self._loose_bytes > LOOSE_BYTES_MAX:
            _, oldest = self._loose.popitem(last=False)
            self._loose_bytes -= len(oldest.raw)
        return True

    def get_body(self, tx_id: TxId) -> Transaction | None:
        """Return a body from here or the pool."""
        return self._bodies.get(tx_id) or self._loose.get(tx_id) or self._get_pooled(tx_id)

    def assemble(self, content: BlockContent) -> tuple[Transaction, ...]:
        """Return the block's transactions; raise `BodiesMissing` or `RootMismatch`."""
        kept = self._blocks.get(content.block_hash)
        if kept is not None and kept.transactions is not None:
            if kept.content.items != content.items:
                raise RootMismatch
            return kept.transactions
        awaited = self._awaited.get(content.block_hash)
        if awaited is not None and self.get_body(awaited[0]) is None:
            # Bodies arrive in many frames: looking through the whole list after each would be quadratic.
            raise BodiesMissing(awaited)
        missing: list[TxId] = []
        transactions: list[Transaction] = []
        for raw_id, signature in content.items:
            tx_id = TxId(raw_id)
            transaction = self.get_body(tx_id)
            if transaction is None:
                missing.append(tx_id)
            elif transaction.signature == signature:
                transactions.append(transaction)
            else:
                transactions.append(
                    Transaction(body=transaction.body, body_bytes=transaction.body_bytes, signature=signature)
                )
        if missing:
            self._await(content.block_hash, tuple(missing))
            raise BodiesMissing(tuple(missing))
        if merkle_root([transaction.raw for transaction in transactions]) != content.header.transactions_root:
            raise RootMismatch
        whole = tuple(transactions)
        self.keep_block(content, whole)
        return whole

    def _await(self, block_hash: Hash, missing: tuple[TxId, ...]) -> None:
        self._awaited[block_hash] = missing
        self._awaited.move_to_end(block_hash)
        while len(self._awaited) > AWAITED_MAX:
            self._awaited.popitem(last=False)
        self._awaited_ids = frozenset(tx_id for tx_ids in self._awaited.values() for tx_id in tx_ids)

    # --- results ---

    def add_executed(self, executed: Executed) -> None:
        """Keep a result until its height is committed; and the block, to serve it."""
        self._executed[executed.block_hash] = executed
        self._executed.move_to_end(executed.block_hash)
        while len(self._executed) > EXECUTED_MAX:
            self._executed.popitem(last=False)
        self.keep_block(build_content(executed), executed.transactions)

    def get_executed(self, block_hash: Hash) -> Executed | None:
        """Return a kept result."""
        return self._executed.get(block_hash)

    def clear(self) -> None:
        """Forget everything: the height is committed."""
        self._executed.clear()
        self._blocks.clear()
        self._bodies.clear()
        self._awaited.clear()
        self._awaited_ids = frozenset()
        self._loose.clear()
        self._loose_bytes = 0
        self._bound = None


def build_content(executed: Executed) -> BlockContent:
    """Return what a proposal of an executed block lists."""
    return BlockContent(
        block_hash=Hash(executed.block_hash),
        header=executed.header,
        parent_certificate=executed.parent_certificate,
        items=tuple((transaction.tx_id, transaction.signature) for transaction in executed.transactions),
    )
