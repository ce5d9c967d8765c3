"""The client against scripted nodes: what it sends, repeats, refuses to repeat, and how it fails."""

from base64 import b64decode
from collections.abc import Callable

import httpx
import msgspec
import pytest

from chain.contract.member_calls import MemberLeave
from chain.crypto import SigningKey
from chain.transaction import Transaction, decode_transaction
from node.client import AsyncClient, Client
from node.client_errors import (
    AnswerOverdue,
    ClientError,
    NodeBusy,
    NodeUnreachable,
    RequestRefused,
    TransactionExpired,
    TransactionFailed,
)
from node.client_protocol import ATTEMPTS_MAX, BATCH_MAX, split_batches
from node.client_wire import TransactionResult, parse_time_ms

CHAIN_ID = bytes(range(32))
KEY = SigningKey(b"\x07" * 32)
TIME = "2024-12-29T01:00:00.250Z"
TIME_MS = 1_735_434_000_250
WINDOW_MS = 3_600_000
Handler = Callable[[httpx.Request], httpx.Response]

META = {
    "chain_id": CHAIN_ID.hex(),
    "limits": {"validity_window_ms": WINDOW_MS},
}


def answer(status: int, body: object, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers={"Ledger-Time": TIME, "Ledger-Height": "12", **names})


def problem(status: int, code: str, *, retryable: bool = False, **headers: str) -> httpx.Response:
    return answer(status, {"code": code, "detail": f"it is {code}", "retryable": retryable}, **headers)


def committed(tx_id: str) -> dict[str, object]:
    return {
        "tx_id": tx_id,
        "status": "committed",
        "outcome": "success",
        "code": "success",
        "height": 13,
        "index": 1,
    }


def open_client(handler: Handler, urls: str | list[str] = "http://node-0") -> Client:
    return Client(urls, transport=httpx.MockTransport(handler))


def build(client: Client) -> Transaction:
    client.session.chain_id = None
    return client.build(MemberLeave(member=b"\x01" * 32), KEY)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Take note of the pauses instead of sleeping through them."""
    taken: list[float] = []
    monkeypatch.setattr("node.client.time.sleep", taken.append)
    return taken


def serve_meta(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/v1/meta"
    return answer(200, META)


def test_a_built_transaction_is_signed_for_the_chain_and_valid_for_half_of_its_window() -> None:
    with open_client(serve_meta) as client:
        transaction = build(client)
    assert transaction.body.chain_id == CHAIN_ID
    assert transaction.body.valid_until_ms == TIME_MS + WINDOW_MS // 2
    assert transaction.is_signature_valid()


def test_two_transactions_with_one_call_have_different_ids() -> None:
    with open_client(serve_meta) as client:
        assert build(client).tx_id != build(client).tx_id


def test_submit_sends_the_exact_bytes_and_waits_on_the_server() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return answer(200, META)
        seen.append(request)
        return answer(201, committed(decode_transaction(request.content).tx_id.hex()))

    with open_client(handler) as client:
        transaction = build(client)
        result = client.submit(transaction, wait_s=7)
    assert [request.content for request in seen] == [transaction.raw]
    assert seen[0].headers["prefer"] == "wait=7"
    assert result.require_success().id == transaction.tx_id


def test_a_call_is_tried_with_a_signature_that_nobody_can_send_afterwards() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return answer(200, META)
        seen.append(request)
        return answer(200, {"outcome": "failed", "code": "not_owner", "items": [], "events": [], "on_height": 7})

    with open_client(handler) as client:
        key = SigningKey(bytes(range(32)))
        told = client.simulate(MemberLeave(member=bytes(32)), key)
        of_the_last_block = client.build(MemberLeave(member=bytes(32)), key, valid_for_ms=0).body.valid_until_ms
    assert told["code"] == "not_owner"
    (request,) = seen
    assert (request.method, request.url.path) == ("POST", "/v1/transactions:simulate")
    signed = decode_transaction(b64decode(msgspec.json.decode(request.content)["signed_tx"]))
    assert signed.is_signature_valid()
    assert (signed.body.call, signed.body.signer) == (MemberLeave(member=bytes(32)), key.public_key)
    assert signed.body.valid_until_ms == of_the_last_block


def test_a_busy_node_is_asked_again_with_the_same_bytes_after_its_retry_after(pauses: list[float]) -> None:
    bodies: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return answer(200, META)
        bodies.append(request.content)
        if len(bodies) < 3:
            return problem(503, "pool_full", retryable=True, Retry_After="2")
        return answer(202, {"tx_id": decode_transaction(request.content).tx_id.hex(), "status": "pending"})

    with open_client(handler) as client:
        result = client.submit(build(client), wait_s=0)
    assert result.status == "pending"
    assert len(set(bodies)) == 1
    assert len(bodies) == 3
    assert pauses == [2.0, 2.0]


def test_a_refused_request_is_not_sent_again() -> None:
    count = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal count
        if request.method == "GET":
            return answer(200, META)
        count += 1
        return problem(422, "bad_signature")

    with open_client(handler) as client, pytest.raises(RequestRefused) as caught:
        client.submit(build(client))
    assert count == 1
    assert caught.value.code == "bad_signature"
    assert caught.value.entry.status == 422


def test_the_next_node_is_asked_where_one_is_dead(pauses: list[float]) -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        if request.url.host == "node-0":
            raise httpx.ConnectError("refused")
        return answer(200, META)

    with open_client(handler, ["http://node-0", "http://node-1"]) as client:
        client.load_meta()
        client.load_meta()
    assert hosts == ["node-0", "node-1", "node-1"]


def test_when_no_node_answers_the_error_carries_the_transaction(pauses: list[float]) -> None:
    posts = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal posts
        if request.method == "GET":
            return answer(200, META)
        posts += 1
        raise httpx.ReadTimeout("slow")

    with open_client(handler, ["http://node-0", "http://node-1"]) as client:
        transaction = build(client)
        with pytest.raises(NodeUnreachable) as caught:
            client.submit(transaction)
    assert posts == ATTEMPTS_MAX
    assert caught.value.tx_id == transaction.tx_id


def test_a_code_of_a_newer_node_is_kept_beside_the_known_one() -> None:
    with open_client(lambda request: problem(418, "teapot")) as client, pytest.raises(ClientError) as caught:
        client.get("/v1/meta")
    assert caught.value.code == "internal"
    assert caught.value.values["reported_code"] == "teapot"


def test_an_answer_that_is_no_json_is_an_error_and_not_a_crash(pauses: list[float]) -> None:
    page = "<html>"
    with open_client(lambda request: httpx.Response(200, text=page)) as client, pytest.raises(ClientError):
        client.get("/v1/meta")
    with open_client(lambda request: httpx.Response(503, text=page)) as client, pytest.raises(NodeBusy):
        client.get("/v1/meta")


@pytest.mark.parametrize(
    "response",
    [
        problem(409, "wrong_chain", Ledger_Time="yesterday"),
        problem(409, "wrong_chain", Ledger_Time="2024-12-29"),
        problem(409, "wrong_chain", Ledger_Time="0001-01-01T00:00:00+14:00"),
        problem(409, "wrong_chain", Ledger_Height="9" * 5_000),
        answer(409, {"code": "wrong_chain", "tx_id": "no hex"}),
        answer(409, {"code": "wrong_chain", "tx_id": "abcd"}),
        httpx.Response(409, text='{"x":' * 100_000),
        answer(200, {**META, "chain_id": "no hex"}),
        answer(200, {**META, "chain_id": "abcd"}),
        answer(200, {**META, "limits": {"validity_window_ms": True}}),
        answer(200, {**META, "limits": {"validity_window_ms": -1}}),
        answer(200, {**META, "limits": {"validity_window_ms": 2**63}}),
        httpx.Response(200, text='{"x":' * 100_000),
    ],
)
def test_an_answer_of_something_that_is_no_node_is_an_error_of_the_client(response: httpx.Response) -> None:
    with open_client(lambda request: response) as client, pytest.raises(ClientError):
        client.load_meta()


@pytest.mark.parametrize("tx_id", ["no hex", "abcd", 7])
def test_a_result_that_names_no_transaction_is_an_error_of_the_client(tx_id: str | int) -> None:
    with (
        open_client(lambda request: answer(200, {"tx_id": tx_id, "status": "committed"})) as client,
        pytest.raises(ClientError, match="cannot be read"),
    ):
        client.get_status(bytes(32))


def test_a_list_follows_its_cursor_to_the_end() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor")
        assert request.url.params["status"] == "left"
        following = {None: "a", "a": "b", "b": None}[cursor]
        return answer(200, {"items": [{"place": str(cursor)}], "page": {"next": following, "limit": 500}})

    with open_client(handler) as client:
        rows = client.list("/v1/members", {"status": "left"})
    assert [row["place"] for row in rows] == ["None", "a", "b"]


def test_a_batch_gives_one_result_for_each_transaction_in_order() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return answer(200, META)
        assert request.url.path == "/v1/transactions:batch"
        raws = msgspec.msgpack.decode(request.content, type=list[bytes])
        ids = [decode_transaction(raw).tx_id.hex() for raw in raws]
        items = [committed(ids[0]), {"tx_id": ids[1], "status": "rejected", "code": "expired"}]
        return answer(200, {"items": items})

    with open_client(handler) as client:
        first, second = build(client), build(client)
        results = client.submit_many([first, second])
    assert [result.id for result in results] == [first.tx_id, second.tx_id]
    assert results[0].is_success
    assert not results[1].is_success


def test_batches_stay_below_the_limits_of_a_request() -> None:
    with open_client(serve_meta) as client:
        transaction = build(client)
    sizes = [len(chunk) for chunk in split_batches([transaction] * (2 * BATCH_MAX + 1))]
    assert sizes == [BATCH_MAX, BATCH_MAX, 1]
    assert split_batches([]) == []


def test_a16_waiting_ends_in_time_and_says_so(pauses: list[float]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answer(200, {"tx_id": "ab" * 32, "status": "pending"})

    with open_client(handler) as client, pytest.raises(AnswerOverdue) as caught:
        client.wait(b"\xab" * 32, timeout_s=3)
    assert caught.value.tx_id == b"\xab" * 32


def test_an_unknown_transaction_is_a_status_and_not_an_error() -> None:
    with open_client(lambda request: problem(404, "not_found")) as client:
        assert client.get_status(b"\xab" * 32).status == "unknown"


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (
            TransactionResult(tx_id="00" * 32, status="committed", outcome="failed", code="not_owner"),
            TransactionFailed,
        ),
        (TransactionResult(tx_id="00" * 32, status="expired"), TransactionExpired),
        (TransactionResult(tx_id="00" * 32, status="rejected", code="wrong_chain"), RequestRefused),
        (TransactionResult(tx_id="00" * 32, status="refused", code="bad_signature"), RequestRefused),
        (TransactionResult(tx_id="00" * 32, status="refused", code="pool_full", retryable=True), NodeBusy),
        (TransactionResult(tx_id="00" * 32, status="pending"), AnswerOverdue),
    ],
)
def test_what_did_not_succeed_raises_its_own_class(result: TransactionResult, error: type[ClientError]) -> None:
    with pytest.raises(error) as caught:
        result.require_success()
    assert caught.value.tx_id == bytes(32)


async def test_the_asynchronous_client_decides_alike() -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        if request.url.host == "node-0":
            raise httpx.ConnectError("refused")
        if request.method == "GET":
            return answer(200, META)
        return answer(201, committed(decode_transaction(request.content).tx_id.hex()))

    async with AsyncClient(["http://node-0", "http://node-1"], transport=httpx.MockTransport(handler)) as client:
        transaction = await client.build(MemberLeave(member=b"\x01" * 32), KEY)
        result = await client.submit(transaction)
    assert result.is_success
    assert hosts == ["node-0", "node-1", "node-1"]


def test_times_are_read_to_the_millisecond() -> None:
    assert parse_time_ms(TIME) == TIME_MS
    assert parse_time_ms("1970-01-01T00:00:00Z") == 0
    assert parse_time_ms("1970-01-01T08:00:00+08:00") == 0


@pytest.mark.parametrize("text", ["", "yesterday", "2024-12-29", "2024-12-29T01:00:00", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_an_error_of_the_client(text: str) -> None:
    with pytest.raises(ClientError, match="no time"):
        parse_time_ms(text)
