"""Blocks of the height that is being decided: their contents, bodies and executed results.

Bounded by construction: the newest few contents and the newest two executed results; everything goes when the height
is committed. Nothing here decides anything.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from chain.execution import Executed
from chain.history import merkle_root
from chain.transaction import Transaction
from chain.types import Hash, TxId
from consensus.events import BlockContent

EXECUTED_MAX = 2
CONTENTS_MAX = 8


class BodiesMissing(Exception):
    """Some bodies are not here; `tx_ids` says which."""

    def __init__(self, tx_ids: tuple[TxId, ...]) -> None:
        super().__init__(f"{len(tx_ids)} bodies are missing")
        self.tx_ids = tx_ids


class RootMismatch(Exception):
    """The listed transactions are not those of the header: a relayer may have changed the list."""


class Candidates:
    """Contents, bodies and results by block hash."""

    def __init__(self, get_pooled: Callable[[TxId], Transaction | None]) -> None:
        self._get_pooled = get_pooled
        self._executed: OrderedDict[Hash, Executed] = OrderedDict()
        self._contents: OrderedDict[Hash, BlockContent] = OrderedDict()
        self._bodies: dict[TxId, Transaction] = {}
        self._awaited: dict[Hash, tuple[TxId, ...]] = {}
        """What was missing when a block was looked through last."""

    def add_content(self, content: BlockContent) -> None:
        """Keep what a proposal lists; the oldest goes when there are too many."""
        self._contents[content.block_hash] = content
        self._contents.move_to_end(content.block_hash)
        while len(self._contents) > CONTENTS_MAX:
            self._contents.popitem(last=False)

    def get_content(self, block_hash: Hash) -> BlockContent | None:
        """Return what a block lists, if known."""
        return self._contents.get(block_hash)

    def add_body(self, transaction: Transaction) -> None:
        """Keep a body that was asked for."""
        self._bodies[transaction.tx_id] = transaction

    def get_body(self, tx_id: TxId) -> Transaction | None:
        """Return a body from here or the pool."""
        return self._bodies.get(tx_id) or self._get_pooled(tx_id)

    def add_executed(self, executed: Executed) -> None:
        """Keep a result until its height is committed; and its bodies, to serve them."""
        self._executed[executed.block_hash] = executed
        self._executed.move_to_end(executed.block_hash)
        while len(self._executed) > EXECUTED_MAX:
            self._executed.popitem(last=False)
        self.keep_bodies(executed.transactions)

    def keep_bodies(self, transactions: Iterable[Transaction]) -> None:
        """Keep bodies whatever becomes of the pool."""
        for transaction in transactions:
            self._bodies[transaction.tx_id] = transaction

    def get_executed(self, block_hash: Hash) -> Executed | None:
        """Return a kept result."""
        return self._executed.get(block_hash)

    def assemble(self, content: BlockContent) -> tuple[Transaction, ...]:
        """Return the block's transactions; raise `BodiesMissing` or `RootMismatch`."""
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
            self._awaited[content.block_hash] = tuple(missing)
            raise BodiesMissing(tuple(missing))
        if merkle_root([transaction.raw for transaction in transactions]) != content.header.transactions_root:
            raise RootMismatch
        return tuple(transactions)

    def clear(self) -> None:
        """Forget everything: the height is committed."""
        self._executed.clear()
        self._contents.clear()
        self._awaited.clear()
        self._bodies.clear()
