"""Transactions that ended outside of the log: what became of them, for as long as anybody may ask."""

from collections import OrderedDict

from msgspec import Struct

from chain.transaction import Transaction
from chain.types import TxId
from explorer.reader import TransactionStatus

ENDED_MAX = 20_000
"""Those that are remembered; the oldest is forgotten and becomes unknown."""


class _Ended(Struct, frozen=True):
    status: str
    """expired; or rejected, which is final only when its validity is over: until then another validator, in another
    state, might be able to execute it, and no node ever contradicts a terminal state (api.md, Status)."""
    valid_until_ms: int
    code: str


class Endings:
    """What ended, by id."""

    def __init__(self) -> None:
        self._ended: OrderedDict[TxId, _Ended] = OrderedDict()

    def add(self, transaction: Transaction, *, status: str, code: str) -> None:
        """Remember how a transaction ended."""
        self._ended[transaction.tx_id] = _Ended(status, transaction.body.valid_until_ms, code)
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def get_status(self, tx_id: TxId, *, head_ms: int) -> TransactionStatus | None:
        """Return how it ended, as far as that is final at this block time; None where nothing is known."""
        ended = self._ended.get(tx_id)
        if ended is None:
            return None
        if ended.valid_until_ms > head_ms:
            return TransactionStatus(status="pending", valid_until_ms=ended.valid_until_ms)
        return TransactionStatus(status=ended.status, valid_until_ms=ended.valid_until_ms, code=ended.code)
