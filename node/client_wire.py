"""What travels between a client and a node, as data: results of transactions, problems, times. No I/O.

Answers are read leniently: inside v1 nodes only add fields (api.md, Version).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from chain.transaction import Transaction
from chain.types import TxId
from node.client_errors import (
    AnswerOverdue,
    ClientError,
    NodeBusy,
    RequestRefused,
    TransactionExpired,
    TransactionFailed,
)
from node.keys import Hex32

JsonObject = dict[str, object]
"""Any JSON object; what a caller takes out of it, it checks."""

T = TypeVar("T")

RETRY_AFTER_DEFAULT_S = 1
RETRY_STATUSES = frozenset({429, 502, 503, 504})
OUTCOME_SUCCESS = "success"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for an answer of whatever listens there."""


class ItemResult(Struct, frozen=True):
    """Outcome of one item of a batch."""

    outcome: str = ""
    code: str = ""


class TransactionResult(Struct, frozen=True):
    """What a node says about one transaction; the receipt, once it is committed."""

    tx_id: Hex32 | None
    """Hex; null only where a node could not read the bytes at all."""
    status: str
    """received, pending, committed, rejected, expired, refused (never entered the pool) or unknown."""
    outcome: str | None = None
    """success or failed, once committed."""
    code: str | None = None
    """Catalogue code of the outcome or of a rejection."""
    height: int | None = None
    index: int | None = None
    time: str | None = None
    """Block time, RFC 3339."""
    valid_until: str | None = None
    items: tuple[ItemResult, ...] = ()
    events: tuple[JsonObject, ...] = ()
    detail: str | None = None
    """Sentence of a problem, where the node refused it."""
    retryable: bool | None = None

    @property
    def is_final(self) -> bool:
        """Tell whether no node will ever say otherwise."""
        return self.status in {"committed", "rejected", "expired", "refused"}

    @property
    def is_success(self) -> bool:
        """Tell whether it is on the chain and did what it asked for (or had been done before)."""
        return self.status == "committed" and self.outcome == OUTCOME_SUCCESS

    @property
    def id(self) -> TxId:
        """Return the id as bytes."""
        return TxId(bytes.fromhex(self.tx_id or ""))

    def require_success(self) -> "TransactionResult":
        """Return self; raise `TransactionFailed`, `TransactionExpired`, `RequestRefused` or `AnswerOverdue`
        else."""
        if self.is_success:
            return self
        if self.status == "committed":
            raise TransactionFailed(self.code or "internal", tx_id=self.id, height=self.height or 0)
        if self.status == "expired":
            raise TransactionExpired(tx_id=self.id)
        if self.status == "refused" and self.retryable:
            raise NodeBusy(
                self.code or "internal",
                retry_after_s=RETRY_AFTER_DEFAULT_S,
                detail=self.detail or "",
                tx_id=self.id,
            )
        if self.status in {"rejected", "refused"}:
            raise RequestRefused(self.code or "internal", detail=self.detail or "", tx_id=self.id)
        raise AnswerOverdue(tx_id=self.id, status=self.status)


class BatchResult(Struct, frozen=True):
    """Answer to a batch: one result for each transaction, in order."""

    items: tuple[TransactionResult, ...]


class Problem(Struct, frozen=True):
    """RFC 9457 problem details."""

    code: str = "internal"
    title: str = ""
    detail: str = ""
    retryable: bool = False
    tx_id: Hex32 | None = None
    request_id: str | None = None


class Response(Struct, frozen=True):
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


_result_decoder = msgspec.json.Decoder(TransactionResult)
_batch_decoder = msgspec.json.Decoder(BatchResult)
_problem_decoder = msgspec.json.Decoder(Problem)


def encode_batch(transactions: Sequence[Transaction]) -> bytes:
    """Return the body of a batch: a msgpack array of the exact signed bytes."""
    return msgspec.msgpack.encode([transaction.raw for transaction in transactions])


def decode_result(body: bytes) -> TransactionResult:
    """Read one result; raise `ClientError` internal where the node answers something else."""
    return _decode(_result_decoder, body)


def decode_batch(body: bytes) -> tuple[TransactionResult, ...]:
    """Read the results of a batch."""
    return _decode(_batch_decoder, body).items


def decode_json(body: bytes) -> JsonObject:
    """Read any JSON object."""
    return _decode(msgspec.json.Decoder(JsonObject), body)


def _decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise ClientError("internal", detail=f"the answer cannot be read: {error}") from error


def build_error(response: Response, tx_id: bytes | None = None) -> ClientError:
    """Build the typed error of an answer that is a problem."""
    try:
        problem = _problem_decoder.decode(response.body)
    except _UNREADABLE:
        problem = Problem(detail=f"HTTP {response.status}", retryable=response.status in RETRY_STATUSES)
    if tx_id is None and problem.tx_id is not None:
        tx_id = bytes.fromhex(problem.tx_id)
    if problem.retryable or response.status in RETRY_STATUSES:
        return NodeBusy(problem.code, retry_after_s=get_retry_after_s(response), detail=problem.detail, tx_id=tx_id)
    return RequestRefused(problem.code, detail=problem.detail, tx_id=tx_id)


def get_retry_after_s(response: Response) -> int:
    """Return the seconds of Retry-After, one where there are none."""
    text = response.headers.get("retry-after", "")
    return int(text) if text.isdecimal() and len(text) <= 6 else RETRY_AFTER_DEFAULT_S


def parse_time_ms(text: str) -> int:
    """Return the milliseconds of an RFC 3339 time, exactly; raise `ClientError` internal where it is none."""
    try:
        told = datetime.fromisoformat(text)
        if told.tzinfo is None:
            raise ValueError("names no zone")
        moment = told.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ClientError("internal", detail=f"{text!r:.60} is no time: {error}") from error
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000 + moment.microsecond // 1_000
