"""How a client talks to nodes, without I/O: generators that ask for requests and pauses and are told the
answers.

`node/client.py` drives them with httpx, once synchronously and once asynchronously, so that both clients
decide alike: which node is asked next, what is retried, when to give up. Only what is safe to repeat is
repeated: reads, blobs, and the *same signed bytes*, which a node answers with their present state (api.md,
Submitting)."""

import secrets
from base64 import b64encode
from collections.abc import Generator, Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from msgspec import Meta, Struct, ValidationError, convert, json

from chain.contract.calls import Call
from chain.crypto import SigningKey, sha256
from chain.errors import ConfigError
from chain.transaction import Transaction, build_transaction
from chain.types import ChainId, Hash
from node.client_errors import AnswerOverdue, ClientError, NodeBusy, NodeUnreachable
from node.client_wire import (
    RETRY_STATUSES,
    JsonObject,
    Response,
    TransactionResult,
    build_error,
    decode_batch,
    decode_json,
    decode_result,
    encode_batch,
    get_retry_after_s,
    parse_time_ms,
)
from node.keys import Hex32

ATTEMPTS_MAX = 6
"""How often one request is sent before the last failure is raised."""
PAUSE_S_MAX = 10
WAIT_S_MAX = 30
"""Longest wait of one request on the server; longer waits ask again."""
ANSWER_S = 15.0
"""How long an answer may take beyond what the request asks the server to wait."""
BATCH_MAX = 1_000
BATCH_BYTES_MAX = 3 * 1024 * 1024
PAGES_MAX = 100_000
HEIGHT_DIGITS_MAX = 16
VALIDITY_WINDOW_MS_MAX = 2**53 - 1
VALIDITY_SHARE = (1, 2)
"""Share of the chain's validity window that a built transaction may take to be included."""


class Request(Struct, frozen=True):
    """One HTTP request to be made."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    content: bytes | None = None
    timeout_s: float = ANSWER_S


class Pause(Struct, frozen=True):
    """Wait before going on."""

    seconds: float


class Unanswered(Struct, frozen=True):
    """A request that got no answer: nothing is known about what it did."""

    reason: str


Answer = Response | Unanswered | None
"""None after a pause."""


class Session:
    """What a client knows: the nodes, the chain, and the last block time that any node showed."""

    def __init__(self, urls: Sequence[str], *, access_key: str = "") -> None:
        """Take the base URLs of one or more nodes; the first is asked as long as it answers.

        Raises `ConfigError` naming what is no URL of a node.
        `access_key` opens what is not public (explorer/access.py); it goes to each of these nodes, in a header.
        """
        if not urls:
            raise ValueError("a client needs the URL of at least one node")
        for url in urls:
            _validate_url(url)
        self.urls = tuple(url.rstrip("/") for url in urls)
        self.headers: Mapping[str, str] = {"Authorization": f"Bearer {access_key}"} if access_key else {}
        self.chain_id: ChainId | None = None
        self.validity_window_ms = 0
        self.ledger_time_ms = 0
        self.ledger_height = 0
        self._current = 0

    @property
    def url(self) -> str:
        """Return the node that is asked now."""
        return self.urls[self._current]

    def turn(self) -> None:
        """Ask the next node from now on."""
        self._current = (self._current + 1) % len(self.urls)

    def note(self, response: Response) -> None:
        """Remember which state answered."""
        time_text, height_text = response.headers.get("ledger-time"), response.headers.get("ledger-height")
        if time_text:
            self.ledger_time_ms = max(self.ledger_time_ms, parse_time_ms(time_text))
        if height_text and height_text.isdecimal() and len(height_text) <= HEIGHT_DIGITS_MAX:
            self.ledger_height = max(self.ledger_height, int(height_text))


def _validate_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigError(field="url", reason=f"{url!r} is no address of a node: http://HOST:PORT is needed")


def exchange(
    session: Session,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    wait_s: float = 0,
    tx_id: bytes | None = None,
) -> Generator[Request | Pause, Answer, Response]:
    """Make one request that is safe to repeat, at the next node where one fails; raise a `ClientError` at
    last."""
    error: ClientError = NodeUnreachable(detail="not tried", tx_id=tx_id)
    for attempt in range(ATTEMPTS_MAX):
        request = Request(
            method=method,
            url=session.url + path,
            headers={**session.headers, **(headers or {})},
            content=content,
            timeout_s=ANSWER_S + wait_s,
        )
        answer = yield request
        if isinstance(answer, Response):
            session.note(answer)
            if answer.status < 400:
                return answer
            error = build_error(answer, tx_id)
            if not isinstance(error, NodeBusy) and answer.status < 500:
                raise error
            pause_s = float(get_retry_after_s(answer)) if answer.status in RETRY_STATUSES else 0.2
        else:
            reason = answer.reason if isinstance(answer, Unanswered) else "no answer"
            error = NodeUnreachable(detail=f"{session.url}: {reason}", tx_id=tx_id)
            pause_s = 0.2
        session.turn()
        # Another node may be free at once; only after a full round does waiting help.
        is_round_over = (attempt + 1) % len(session.urls) == 0
        if attempt + 1 < ATTEMPTS_MAX:
            yield Pause(seconds=min(pause_s, PAUSE_S_MAX) if is_round_over else 0.05)
    raise error


def get_json(
    session: Session, path: str, params: Mapping[str, str | int] | None = None, *, wait_s: float = 0
) -> Generator[Request | Pause, Answer, JsonObject]:
    """Read one JSON object."""
    query = f"?{urlencode(params)}" if params else ""
    response = yield from exchange(session, "GET", path + query, wait_s=wait_s)
    return decode_json(response.body)


def simulate(session: Session, call: Call, key: SigningKey) -> Generator[Request | Pause, Answer, JsonObject]:
    """Ask what a call by this key would do on the newest block; nothing is sent or kept.

    What is signed for it has expired before any block: nobody can send it afterwards.
    """
    transaction = yield from build(session, call, key, valid_for_ms=0)
    body = {"signed_tx": b64encode(transaction.raw).decode("ascii")}
    headers = {"content-type": "application/json"}
    content = json.encode(body)
    response = yield from exchange(session, "POST", "/v1/transactions:simulate", headers=headers, content=content)
    return decode_json(response.body)


def list_items(
    session: Session, path: str, params: Mapping[str, str | int] | None = None
) -> Generator[Request | Pause, Answer, list[JsonObject]]:
    """Read a whole list, page by page, all of one height (the cursor holds it)."""
    items: list[JsonObject] = []
    query: dict[str, str | int] = {"limit": 500, **(params or {})}
    for _ in range(PAGES_MAX):
        answer = yield from get_json(session, path, query)
        rows, page = answer.get("items"), answer.get("page")
        if not isinstance(rows, list) or not isinstance(page, dict):
            raise ClientError("internal", detail=f"{path} is no list")
        items.extend(row for row in rows if isinstance(row, dict))
        cursor = page.get("next")
        if not isinstance(cursor, str):
            return items
        query = {"limit": 500, **(params or {}), "cursor": cursor}
    raise ClientError("internal", detail=f"{path} does not end")


class _Limits(Struct, frozen=True):
    validity_window_ms: Annotated[int, Meta(ge=1, le=VALIDITY_WINDOW_MS_MAX)]


class _ChainMeta(Struct, frozen=True):
    """What a client needs of /v1/meta."""

    chain_id: Hex32
    limits: _Limits


def load_meta(session: Session) -> Generator[Request | Pause, Answer, JsonObject]:
    """Read /v1/meta and remember chain id and validity window."""
    meta = yield from get_json(session, "/v1/meta")
    try:
        chain = convert(meta, _ChainMeta)
    except ValidationError as error:
        raise ClientError("internal", detail=f"/v1/meta names no chain: {error}") from error
    session.chain_id = ChainId(bytes.fromhex(chain.chain_id))
    session.validity_window_ms = chain.limits.validity_window_ms
    return meta


def build(
    session: Session, call: Call, key: SigningKey, *, valid_for_ms: int | None = None
) -> Generator[Request | Pause, Answer, Transaction]:
    """Build and sign a transaction for the chain that the nodes run.

    It is valid for `valid_for_ms` of block time from the last block on (default: half of the chain's window).
    """
    if session.chain_id is None or not session.ledger_time_ms:
        yield from load_meta(session)
    if session.chain_id is None:
        raise ClientError("internal", detail="the chain is not known")
    share, of = VALIDITY_SHARE
    valid_for = session.validity_window_ms * share // of if valid_for_ms is None else valid_for_ms
    return build_transaction(
        chain_id=session.chain_id,
        nonce=secrets.token_bytes(16),
        valid_until_ms=session.ledger_time_ms + valid_for,
        call=call,
        key=key,
    )


def put_blob(session: Session, blob: bytes) -> Generator[Request | Pause, Answer, Hash]:
    """Hand over a detached blob before the transaction that names it; return its hash."""
    blob_hash = sha256(blob)
    headers = {"content-type": "application/octet-stream"}
    yield from exchange(session, "PUT", f"/v1/blobs/{blob_hash.hex()}", headers=headers, content=blob)
    return blob_hash


def submit(
    session: Session, transaction: Transaction, *, wait_s: float = 10
) -> Generator[Request | Pause, Answer, TransactionResult]:
    """Send a transaction and wait up to `wait_s` for its receipt; the result may still be pending.

    A `ClientError` of this call carries the tx_id: the same transaction may be submitted again at any time.
    """
    headers = {"content-type": "application/octet-stream"}
    first_wait = min(wait_s, WAIT_S_MAX)
    if first_wait > 0:
        headers["prefer"] = f"wait={int(first_wait) or 1}"
    response = yield from exchange(
        session,
        "POST",
        "/v1/transactions",
        headers=headers,
        content=transaction.raw,
        wait_s=first_wait,
        tx_id=transaction.tx_id,
    )
    result = decode_result(response.body)
    if result.is_final or wait_s <= WAIT_S_MAX:
        return result
    return (yield from wait(session, transaction.tx_id, timeout_s=wait_s - first_wait))


def submit_many(
    session: Session, transactions: Sequence[Transaction], *, wait_s: float = 0
) -> Generator[Request | Pause, Answer, tuple[TransactionResult, ...]]:
    """Send many transactions in batches; one result for each, in order. Refused ones are results, not
    exceptions."""
    results: list[TransactionResult] = []
    for chunk in split_batches(transactions):
        headers = {"content-type": "application/octet-stream"}
        if wait_s > 0:
            headers["prefer"] = f"wait={int(min(wait_s, WAIT_S_MAX)) or 1}"
        response = yield from exchange(
            session,
            "POST",
            "/v1/transactions:batch",
            headers=headers,
            content=encode_batch(chunk),
            wait_s=wait_s,
        )
        found = decode_batch(response.body)
        if len(found) != len(chunk):
            raise ClientError("internal", detail=f"{len(found)} results for {len(chunk)} transactions")
        results.extend(found)
    return tuple(results)


def split_batches(transactions: Sequence[Transaction]) -> list[list[Transaction]]:
    """Return the transactions in chunks that one batch request may carry."""
    chunks: list[list[Transaction]] = [[]]
    size = 0
    for transaction in transactions:
        if len(chunks[-1]) >= BATCH_MAX or size + len(transaction.raw) > BATCH_BYTES_MAX:
            chunks.append([])
            size = 0
        chunks[-1].append(transaction)
        size += len(transaction.raw)
    return [chunk for chunk in chunks if chunk]


def get_status(
    session: Session, tx_id: bytes, *, wait_s: float = 0
) -> Generator[Request | Pause, Answer, TransactionResult]:
    """Ask what became of a transaction; `unknown` where the node has not seen it."""
    query = f"?wait={int(min(wait_s, WAIT_S_MAX)) or 1}" if wait_s > 0 else ""
    try:
        response = yield from exchange(
            session, "GET", f"/v1/transactions/{tx_id.hex()}{query}", wait_s=wait_s, tx_id=tx_id
        )
    except ClientError as error:
        if error.code == "not_found":
            return TransactionResult(tx_id=tx_id.hex(), status="unknown")
        raise
    return decode_result(response.body)


def wait(
    session: Session, tx_id: bytes, *, timeout_s: float = 60
) -> Generator[Request | Pause, Answer, TransactionResult]:
    """Wait until a transaction is final; raise `AnswerOverdue` if it is not in time."""
    left_s = timeout_s
    result = TransactionResult(tx_id=tx_id.hex(), status="unknown")
    while left_s > 0:
        ask_s = min(left_s, WAIT_S_MAX)
        result = yield from get_status(session, tx_id, wait_s=ask_s)
        if result.is_final:
            return result
        left_s -= ask_s
        if result.status == "unknown":
            # The server does not wait for what it has not seen: without this pause the loop would spin.
            yield Pause(seconds=min(1.0, ask_s))
    raise AnswerOverdue(tx_id=tx_id, status=result.status)
