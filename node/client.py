"""The Python client of a Gongji network, synchronous (`Client`) and asynchronous (`AsyncClient`).

    with Client(["http://127.0.0.1:8400", "http://127.0.0.1:8401"]) as client:
        transaction = client.build(MemberLeave(member=pseudonym), key)
        receipt = client.submit(transaction, wait_s=10).require_success()

What is sent and when it is repeated is decided in `node/client_protocol.py`, once for both.
"""

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from chain.contract.calls import Call
from chain.crypto import SigningKey
from chain.transaction import Transaction
from chain.types import Hash
from node import client_protocol
from node.client_protocol import Answer, Pause, Request, Session, Unanswered
from node.client_wire import JsonObject, Response, TransactionResult

T = TypeVar("T")

CONNECTIONS_MAX = 32
CONNECT_S = 3.0


def _build_limits() -> httpx.Limits:
    return httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)


def _build_response(response: httpx.Response) -> Response:
    return Response(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content,
    )


class Client:
    """Build, sign, submit and wait, blocking the caller; one client for one thread.

    Every method raises a `ClientError` (node/client_errors.py) where no node does what was asked.
    """

    def __init__(
        self, urls: str | Sequence[str], *, access_key: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        """Take the base URL of one node or of several; the next one is asked where one fails."""
        self.session = Session([urls] if isinstance(urls, str) else urls, access_key=access_key)
        self._http = httpx.Client(limits=_build_limits(), transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _run(self, script: Generator[Request | Pause, Answer, T]) -> T:
        answer: Answer = None
        while True:
            try:
                step = script.send(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                answer = None
            else:
                answer = self._ask(step)

    def _ask(self, request: Request) -> Answer:
        try:
            return _build_response(
                self._http.request(
                    request.method,
                    request.url,
                    headers=dict(request.headers),
                    content=request.content,
                    timeout=httpx.Timeout(request.timeout_s, connect=CONNECT_S),
                )
            )
        except httpx.HTTPError as error:
            return Unanswered(reason=f"{type(error).__name__} {error}")

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> JsonObject:
        """Read one JSON object, e.g. `get("/v1/consensus")`."""
        return self._run(client_protocol.get_json(self.session, path, params))

    def list(self, path: str, params: Mapping[str, str | int] | None = None) -> list[JsonObject]:
        """Read a whole list over all its pages, as of one height, e.g. `list("/v1/members")`."""
        return self._run(client_protocol.list_items(self.session, path, params))

    def load_meta(self) -> JsonObject:
        """Read /v1/meta; also tells the client which chain it builds transactions for."""
        return self._run(client_protocol.load_meta(self.session))

    def build(self, call: Call, key: SigningKey, *, valid_for_ms: int | None = None) -> Transaction:
        """Build and sign a transaction, valid for `valid_for_ms` of block time (default: half of the
        chain's window)."""
        return self._run(client_protocol.build(self.session, call, key, valid_for_ms=valid_for_ms))

    def simulate(self, call: Call, key: SigningKey) -> JsonObject:
        """Ask what a call by this key would do on the newest block: outcome, code, items, events."""
        return self._run(client_protocol.simulate(self.session, call, key))

    def put_blob(self, blob: bytes) -> Hash:
        """Hand over a detached blob (at most 16 KiB) before the transaction that names it; return its
        hash."""
        return self._run(client_protocol.put_blob(self.session, blob))

    def submit(self, transaction: Transaction, *, wait_s: float = 10) -> TransactionResult:
        """Send a transaction and wait up to `wait_s` seconds for its receipt; sending it again is always
        safe."""
        return self._run(client_protocol.submit(self.session, transaction, wait_s=wait_s))

    def submit_many(self, transactions: Sequence[Transaction], *, wait_s: float = 0) -> tuple[TransactionResult, ...]:
        """Send many transactions in batches; one result for each, in order, refused ones included."""
        return self._run(client_protocol.submit_many(self.session, transactions, wait_s=wait_s))

    def get_status(self, tx_id: bytes, *, wait_s: float = 0) -> TransactionResult:
        """Ask what became of a transaction; status `unknown` where the node has not seen it."""
        return self._run(client_protocol.get_status(self.session, tx_id, wait_s=wait_s))

    def wait(self, tx_id: bytes, *, timeout_s: float = 60) -> TransactionResult:
        """Wait until a transaction is final; raise `AnswerOverdue` if it is not in time."""
        return self._run(client_protocol.wait(self.session, tx_id, timeout_s=timeout_s))


class AsyncClient:
    """The same as `Client`, for an event loop; any number of calls may run at once."""

    def __init__(
        self, urls: str | Sequence[str], *, access_key: str = "", transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Take the base URL of one node or of several; the next one is asked where one fails."""
        self.session = Session([urls] if isinstance(urls, str) else urls, access_key=access_key)
        self._http = httpx.AsyncClient(limits=_build_limits(), transport=transport, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _run(self, script: Generator[Request | Pause, Answer, T]) -> T:
        answer: Answer = None
        while True:
            try:
                step = script.send(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                answer = None
            else:
                answer = await self._ask(step)

    async def _ask(self, request: Request) -> Answer:
        try:
            return _build_response(
                await self._http.request(
                    request.method,
                    request.url,
                    headers=dict(request.headers),
                    content=request.content,
                    timeout=httpx.Timeout(request.timeout_s, connect=CONNECT_S),
                )
            )
        except httpx.HTTPError as error:
            return Unanswered(reason=f"{type(error).__name__} {error}")

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> JsonObject:
        """Read one JSON object."""
        return await self._run(client_protocol.get_json(self.session, path, params))

    async def list(self, path: str, params: Mapping[str, str | int] | None = None) -> list[JsonObject]:
        """Read a whole list over all its pages, as of one height."""
        return await self._run(client_protocol.list_items(self.session, path, params))

    async def load_meta(self) -> JsonObject:
        """Read /v1/meta; also tells the client which chain it builds transactions for."""
        return await self._run(client_protocol.load_meta(self.session))

    async def build(self, call: Call, key: SigningKey, *, valid_for_ms: int | None = None) -> Transaction:
        """Build and sign a transaction, valid for `valid_for_ms` of block time (default: half of the
        chain's window)."""
        return await self._run(client_protocol.build(self.session, call, key, valid_for_ms=valid_for_ms))

    async def simulate(self, call: Call, key: SigningKey) -> JsonObject:
        """Ask what a call by this key would do on the newest block."""
        return await self._run(client_protocol.simulate(self.session, call, key))

    async def put_blob(self, blob: bytes) -> Hash:
        """Hand over a detached blob (at most 16 KiB) before the transaction that names it; return its
        hash."""
        return await self._run(client_protocol.put_blob(self.session, blob))

    async def submit(self, transaction: Transaction, *, wait_s: float = 10) -> TransactionResult:
        """Send a transaction and wait up to `wait_s` seconds for its receipt; sending it again is always
        safe."""
        return await self._run(client_protocol.submit(self.session, transaction, wait_s=wait_s))

    async def submit_many(
        self, transactions: Sequence[Transaction], *, wait_s: float = 0
    ) -> tuple[TransactionResult, ...]:
        """Send many transactions in batches; one result for each, in order, refused ones included."""
        return await self._run(client_protocol.submit_many(self.session, transactions, wait_s=wait_s))

    async def get_status(self, tx_id: bytes, *, wait_s: float = 0) -> TransactionResult:
        """Ask what became of a transaction; status `unknown` where the node has not seen it."""
        return await self._run(client_protocol.get_status(self.session, tx_id, wait_s=wait_s))

    async def wait(self, tx_id: bytes, *, timeout_s: float = 60) -> TransactionResult:
        """Wait until a transaction is final; raise `AnswerOverdue` if it is not in time."""
        return await self._run(client_protocol.wait(self.session, tx_id, timeout_s=timeout_s))
