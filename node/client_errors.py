"""What a client can fail with: one class for each way of going on, the cause by its code of the one
catalogue.

GongjiError                     chain/errors.py
+-- ClientError                 `code`, and what the node said
    +-- RequestRefused          the same request can never succeed: change it
    +-- NodeBusy                later, or at another node, it can; `retry_after_s`
    +-- NodeUnreachable         no node answered at all; nothing is known about what was sent
    +-- AnswerOverdue           not final in time; `tx_id` tells what to ask for
    +-- TransactionFailed       on the chain, final, without effect: a rule of the contract said no
    +-- TransactionExpired      never on the chain, and never will be: sign a new one
"""

from chain.catalogue import get_entries
from chain.errors import GongjiError
from chain.types import TxId

_CODES = frozenset(entry.code for entry in get_entries())


class ClientError(GongjiError):
    """A request that did not do what was asked."""

    def __init__(self, code: str, *, detail: str = "", tx_id: bytes | None = None, **values: str | int) -> None:
        """Name the cause; a code that this version does not know counts as `internal` and is kept in the
        values."""
        if code not in _CODES:
            values["reported_code"] = code
            code = "internal"
        if detail:
            values["reason"] = detail
        if tx_id is not None:
            values["tx_id"] = tx_id.hex()
        super().__init__(code, **values)
        title = self.entry.title_en
        if detail.startswith(title):
            # The node's sentence begins with the title of the code, as this one does.
            rest = detail.removeprefix(title).removeprefix(":").strip()
            self.values = {name: value for name, value in values.items() if name != "reason"}
            self.values |= {"reason": rest} if rest else {}
        self.tx_id: TxId | None = None if tx_id is None else TxId(tx_id)


class RequestRefused(ClientError):
    """The node refuses this very request; nothing was changed."""


class NodeBusy(ClientError):
    """Every node that was tried asked to come back later."""

    def __init__(self, code: str, *, retry_after_s: int, detail: str = "", tx_id: bytes | None = None) -> None:
        super().__init__(code, detail=detail, tx_id=tx_id, retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s


class NodeUnreachable(ClientError):
    """No node could be reached within the attempts."""

    def __init__(self, *, detail: str, tx_id: bytes | None = None) -> None:
        super().__init__("unreachable", detail=detail, tx_id=tx_id)


class AnswerOverdue(ClientError):
    """The transaction was not final in time; it may still become so until its validity ends."""

    def __init__(self, *, tx_id: bytes, status: str) -> None:
        super().__init__("timeout", tx_id=tx_id, status=status)


class TransactionFailed(ClientError):
    """The transaction ran and the contract refused it: final, with the contract's code."""


class TransactionExpired(ClientError):
    """The validity ended before the transaction was included."""

    def __init__(self, *, tx_id: bytes) -> None:
        super().__init__("expired", tx_id=tx_id)
