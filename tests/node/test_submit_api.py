"""The submit API over a real chain: bytes in, state out, and the same bytes again."""

import asyncio
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from chain.contract.member_calls import MemberLeave
from chain.errors import DecodeError, Refusal
from chain.transaction import Transaction, decode_transaction
from chain.types import TxId
from explorer.app import build_app
from explorer.reader import Entry
from explorer.settings import ExplorerSettings, HttpLimits
from node.admission import validate_admission
from node.prepare_api import build_prepare_router
from node.submit_api import HeldBlob, SubmitResult, build_submit_router, parse_wait_ms
from tests.explorer.conftest import connect
from tests.explorer.routes import list_routes
from tests.explorer.world import Condition, World

POOL_MAX = 3
OCTETS = {"content-type": "application/octet-stream"}


class Desk:
    """Takes transactions into a chain of one process (a `Submitter`): a block is made when somebody waits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pool: dict[TxId, Transaction] = {}
        self.blobs: dict[bytes, bytes] = {}

    async def submit(self, raw: bytes, wait_ms: int) -> SubmitResult:
        result = self.admit(raw)
        if wait_ms and result.refusal is None and result.entry is None:
            self.make_block()
            return msgspec.structs.replace(self.find(result.tx_id), is_replayed=result.is_replayed)
        return result

    async def submit_batch(self, raws: Sequence[bytes], wait_ms: int) -> list[SubmitResult]:
        results = [self.admit(raw) for raw in raws]
        if wait_ms:
            self.make_block()
            results = [result if result.refusal else self.find(result.tx_id) for result in results]
        return results

    async def put_blob(self, blob_hash: bytes, data: bytes) -> HeldBlob:
        if len(self.blobs) >= POOL_MAX and blob_hash not in self.blobs:
            raise Refusal("pool_full", blobs=len(self.blobs))
        is_replayed = blob_hash in self.blobs
        self.blobs[blob_hash] = data
        return HeldBlob(held_until_ms=1_800_000_000_000, is_replayed=is_replayed)

    def admit(self, raw: bytes) -> SubmitResult:
        try:
            transaction = decode_transaction(raw)
        except DecodeError as error:
            return SubmitResult(tx_id=None, status="refused", refusal=error)
        tx_id = transaction.tx_id
        if tx_id in self.pool or self.world.chain.ledger.has_transaction(tx_id):
            return msgspec.structs.replace(self.find(tx_id), is_replayed=True)
        chain = self.world.chain
        try:
            validate_admission(
                transaction,
                chain_id=chain.chain_id,
                parameters=chain.genesis.parameters,
                block_ms=self.world.time_ms,
                head_ms=self.world.time_ms,
                has_blob=self.blobs.__contains__,
            )
        except Refusal as refusal:
            return SubmitResult(tx_id=tx_id, status="refused", refusal=refusal)
        if len(self.pool) >= POOL_MAX:
            full = Refusal("pool_full", transactions=len(self.pool))
            return SubmitResult(tx_id=tx_id, status="refused", refusal=full, retry_after_s=2)
        self.pool[tx_id] = transaction
        return self.find(tx_id)

    def find(self, tx_id: TxId | None) -> SubmitResult:
        assert tx_id is not None
        waiting = self.pool.get(tx_id)
        if waiting is not None:
            return SubmitResult(tx_id=tx_id, status="pending", valid_until_ms=waiting.body.valid_until_ms)
        snapshot = self.world.reader.open_snapshot()
        entry = snapshot.read_entry(tx_id)
        assert isinstance(entry, Entry)
        block = snapshot.read_block(entry.height)
        snapshot.close()
        assert block is not None
        return SubmitResult(
            tx_id=tx_id,
            status="committed",
            valid_until_ms=decode_transaction(entry.raw).body.valid_until_ms,
            entry=entry,
            block_ms=block.header.timestamp_ms,
        )

    def make_block(self) -> None:
        waiting = tuple(self.pool.values())
        self.pool.clear()
        self.world.add(*waiting)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("submit") / "db"
    world = World(path)
    world.play()
    yield world
    world.close()


@pytest.fixture(scope="module")
def shared_desk(world: World) -> Desk:
    return Desk(world)


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    shared_desk.pool.clear()
    shared_desk.blobs.clear()
    return shared_desk


@pytest.fixture(scope="module")
def app(world: World, shared_desk: Desk) -> FastAPI:
    settings = ExplorerSettings(software_version="0", cursor_key=bytes(32), hosts=("node.test",))
    router = build_submit_router(shared_desk, settings.limits)
    routers = (router, build_prepare_router(world.reader))
    return build_app(world.reader, Condition(), settings=settings, submit_routers=routers)


@pytest.fixture
async def client(app: FastAPI, desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    del desk  # empty for each test
    async with connect(app) as client:
        yield client


async def post(client: httpx.AsyncClient, raw: bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/transactions", content=raw, headers={**OCTETS, **headers})


def join(world: World, number: int, desk: Desk) -> Transaction:
    transaction = world.apply(number)
    desk.blobs[transaction.body.call.blob_hash] = b""  # type: ignore[union-attr]
    return transaction


async def test_signed_bytes_are_taken_with_202_and_a_location(
    client: httpx.AsyncClient, world: World, desk: Desk
) -> None:
    transaction = join(world, 20, desk)
    answer = await post(client, transaction.raw)
    assert answer.status_code == 202
    tx_id = transaction.tx_id.hex()
    assert answer.headers["location"] == f"/v1/transactions/{tx_id}"
    body = answer.json()
    assert (body["tx_id"], body["status"], body["code"]) == (tx_id, "pending", None)
    assert body["valid_until"].endswith("Z")
    assert "preference-applied" not in answer.headers


async def test_json_with_base64_is_the_same_as_the_bytes(client: httpx.AsyncClient, world: World, desk: Desk) -> None:
    transaction = join(world, 21, desk)
    answer = await client.post("/v1/transactions", json={"signed_tx": b64encode(transaction.raw).decode()})
    assert answer.status_code == 202
    again = await post(client, transaction.raw)
    assert again.json() == answer.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_prefer_wait_answers_201_with_the_whole_receipt(
    client: httpx.AsyncClient, world: World, desk: Desk
) -> None:
    transaction = join(world, 22, desk)
    answer = await post(client, transaction.raw, prefer="respond-async, wait=10")
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait"
    body = answer.json()
    assert (body["status"], body["outcome"], body["code"]) == ("committed", "success", "success")
    assert body["events"][0]["event"] == "member_applied"
    assert int(answer.headers["ledger-height"]) >= body["height"]
    stored = await client.get(f"/v1/transactions/{body['tx_id']}")
    assert stored.json() == body


async def test_same_bytes_again_answer_with_the_present_state_and_never_with_an_error(
    client: httpx.AsyncClient, world: World, desk: Desk
) -> None:
    transaction = join(world, 23, desk)
    first = await post(client, transaction.raw)
    assert "idempotent-replayed" not in first.headers
    desk.make_block()
    for _ in range(2):
        again = await post(client, transaction.raw)
        assert again.status_code == 200
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["status"] == "committed"


async def test_ledger_refusal_is_a_final_result_and_no_http_error(client: httpx.AsyncClient, world: World) -> None:
    call = MemberLeave(member=bytes(32))
    answer = await post(client, world.sign(call, world.member_key(0)).raw, prefer="wait=5")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["outcome"], body["code"]) == ("failed", "member_unknown")


async def test_whoever_hands_in_a_claim_sees_its_events(client: httpx.AsyncClient, world: World) -> None:
    claim = world.file_claim(2)
    answer = await post(client, claim.raw, prefer="wait=5")
    body = answer.json()
    assert body["body"]["member"] == world.members[2].hex()
    assert "withheld" not in body
    public = (await client.get(f"/v1/transactions/{claim.tx_id.hex()}")).json()
    assert "body" not in public


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        (lambda raw: raw[:-1], "malformed", 400),
        (lambda raw: raw + b"\x00", "malformed", 400),
        (lambda raw: b"", "malformed", 400),
        (lambda raw: b"\xc1", "malformed", 400),
        (lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), "bad_signature", 422),
        (lambda raw: raw + b"x" * 70_000, "malformed", 400),
        (lambda raw: raw + b"x" * 100_000, "too_large", 413),
    ],
)
async def test_bad_bytes_are_refused_with_a_typed_problem(
    client: httpx.AsyncClient, world: World, desk: Desk, change: object, code: str, status: int
) -> None:
    assert callable(change)
    answer = await post(client, change(join(world, 24, desk).raw))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert desk.pool == {}


async def test_refusal_names_the_transaction_wherever_it_is_known(client: httpx.AsyncClient, world: World) -> None:
    transaction = world.apply(25)
    answer = await post(client, transaction.raw)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "blob_missing")
    assert body["tx_id"] == transaction.tx_id.hex()
    assert "PUT /v1/blobs/" in body["detail"]


async def test_expired_and_too_distant_transactions_are_refused(client: httpx.AsyncClient, world: World) -> None:
    call = MemberLeave(member=bytes(32))
    for valid_for_ms, code in ((-1, "expired"), (10**9, "validity_too_distant")):
        transaction = world.sign(call, world.member_key(0), valid_for_ms=valid_for_ms)
        assert (await post(client, transaction.raw)).json()["code"] == code


async def test_full_pool_is_503_with_retry_after_and_the_id(
    client: httpx.AsyncClient, world: World, desk: Desk
) -> None:
    call = MemberLeave(member=bytes(32))
    raws = [world.sign(call, world.member_key(0)) for _ in range(POOL_MAX + 1)]
    answers = [await post(client, transaction.raw) for transaction in raws]
    assert [answer.status_code for answer in answers] == [202] * POOL_MAX + [503]
    refused = answers[-1]
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["tx_id"] == raws[-1].tx_id.hex()
    assert refused.json()["retryable"] is True


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_a4_forms_are_never_parsed(client: httpx.AsyncClient, media_type: str) -> None:
    form = b"--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n" * 500
    for method, path in (
        ("POST", "/v1/transactions"),
        ("POST", "/v1/transactions:batch"),
        ("PUT", "/v1/blobs/" + "00" * 32),
    ):
        answer = await client.request(method, path, content=form[:16_000], headers={"content-type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (415, "media_type"), path


def test_a5_no_form_parser_is_installed() -> None:
    with pytest.raises(ModuleNotFoundError):
        __import__("python_multipart")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"signed_tx":1}',
        b'{"signed_tx":"***"}',
        b'{"signed_tx":"AA==","more":1}',
        b'{"signed_tx":"AA=="',
        b"[" * 90_000,
        b'{"signed_tx":' + b"9" * 90_000 + b"}",
        b"\xff\xfe",
    ],
)
async def test_a8_bad_json_is_refused_without_effort(client: httpx.AsyncClient, body: bytes) -> None:
    for path in ("/v1/transactions", "/v1/transactions:batch"):
        answer = await client.post(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
        assert answer.json()["errors"][0]["pointer"] == "#/body"


async def test_submit_routes_take_no_parameters(client: httpx.AsyncClient) -> None:
    for method, path in await list_routes(client):
        if method != "GET":
            answer = await client.request(method, f"{path}?surprise=1", content=b"", headers=OCTETS)
            assert answer.json()["code"] == "parameter_unknown"


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_json", [True, False])
async def test_batch_answers_each_transaction_in_order(
    client: httpx.AsyncClient, world: World, desk: Desk, is_json: bool
) -> None:
    good, replayed = join(world, 30, desk), join(world, 31, desk)
    expired = world.sign(MemberLeave(member=bytes(32)), world.member_key(0), valid_for_ms=-1)
    await post(client, replayed.raw)
    raws = [good.raw, b"\xc1", expired.raw, replayed.raw]
    if is_json:
        answer = await client.post(
            "/v1/transactions:batch", json={"signed_txs": [b64encode(raw).decode() for raw in raws]}
        )
    else:
        answer = await client.post("/v1/transactions:batch", content=msgspec.msgpack.encode(raws), headers=OCTETS)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (2, 2)
    assert [item["index"] for item in body["items"]] == [0, 1, 2, 3]
    assert [item["status"] for item in body["items"]] == ["pending", "refused", "refused", "pending"]
    assert [item.get("code") for item in body["items"]] == [None, "malformed", "expired", None]
    assert [item["tx_id"] is None for item in body["items"]] == [False, True, False, False]
    assert [item["is_replayed"] for item in body["items"]] == [False, False, False, True]


async def test_batch_that_waits_answers_with_outcomes(client: httpx.AsyncClient, world: World, desk: Desk) -> None:
    raws = [join(world, number, desk).raw for number in (32, 33)]
    answer = await client.post(
        "/v1/transactions:batch", content=msgspec.msgpack.encode(raws), headers={**OCTETS, "prefer": "wait=5"}
    )
    items = answer.json()["items"]
    assert [(item["status"], item["outcome"], item["code"]) for item in items] == [
        ("committed", "success", "success")
    ] * 2


async def test_batch_of_more_than_a_thousand_is_refused_with_its_number(client: httpx.AsyncClient) -> None:
    content = msgspec.msgpack.encode([b"\xc1"] * 1_001)
    answer = await client.post("/v1/transactions:batch", content=content, headers=OCTETS)
    assert answer.status_code == 413
    assert "items=1001, items_max=1000" in answer.json()["detail"]
    content = msgspec.msgpack.encode([b"\xc1"] * 1_000)
    answer = await client.post("/v1/transactions:batch", content=content, headers=OCTETS)
    assert answer.json()["refused"] == 1_000


async def test_batch_may_be_larger_than_a_single_body_and_is_bounded(client: httpx.AsyncClient) -> None:
    for size, status in ((1024 * 1024, 200), (4 * 1024 * 1024, 413)):
        content = msgspec.msgpack.encode([b"x" * size])
        answer = await client.post("/v1/transactions:batch", content=content, headers=OCTETS)
        assert answer.status_code == status


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x01", b"\xdd\xff\xff\xff\xff", b"\x81\xa1a\x01", b"\x91\xa1a"])
async def test_batch_that_is_no_array_of_bytes_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/v1/transactions:batch", content=body, headers=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a11_announced_sizes_allocate_nothing(client: httpx.AsyncClient) -> None:
    bombs = (b"\xdd\xff\xff\xff\xff", b"\xdd\x7f\xff\xff\xff" + b"\xc4\x00" * 1_000, b"\x91\xc6\xff\xff\xff\xff")
    tracemalloc.start()
    try:
        for bomb in bombs:
            await client.post("/v1/transactions:batch", content=bomb, headers=OCTETS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


# --- blobs ----------------------------------------------------------------------------------------------------------


async def test_blob_is_held_under_its_hash_and_a_second_time_replayed(client: httpx.AsyncClient, desk: Desk) -> None:
    name = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    first = await client.put(f"/v1/blobs/{name}", content=b"hello", headers=OCTETS)
    assert first.status_code == 201
    assert first.json() == {"hash": name, "bytes": 5, "held_until": "2027-01-15T08:00:00.000Z"}
    again = await client.put(f"/v1/blobs/{name}", content=b"hello", headers=OCTETS)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert desk.blobs[bytes.fromhex(name)] == b"hello"


async def test_blob_of_another_hash_or_too_large_is_refused(client: httpx.AsyncClient, desk: Desk) -> None:
    other = await client.put("/v1/blobs/" + "00" * 32, content=b"hello", headers=OCTETS)
    assert (other.status_code, other.json()["code"]) == (422, "blob_mismatch")
    large = await client.put("/v1/blobs/" + "00" * 32, content=b"x" * 16_385, headers=OCTETS)
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    wrong = await client.put("/v1/blobs/xyz", content=b"hello", headers=OCTETS)
    assert wrong.json()["errors"][0]["pointer"] == "#/path/sha256"
    assert desk.blobs == {}


async def test_blobs_without_room_are_refused_with_retry_after(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.blobs.update({bytes([number]) * 32: b"" for number in range(POOL_MAX)})
    name = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    answer = await client.put(f"/v1/blobs/{name}", content=b"hello", headers=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (503, "pool_full")
    assert "retry-after" in answer.headers


# --- the rest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "wait_ms"),
    [
        ("", None),
        ("wait=10", 10_000),
        ("respond-async, wait=5", 5_000),
        ("wait = 7; foo", 7_000),
        ('wait="3"', 3_000),
        ("WAIT=2", 2_000),
        ("wait=99999", 30_000),
        ("wait=0", 0),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=" + "9" * 100, None),
        ("await=5", None),
        ("return=minimal", None),
    ],
)
def test_prefer_is_read_as_a_wish(prefer: str, wait_ms: int | None) -> None:
    assert parse_wait_ms(prefer, HttpLimits().wait_ms_max) == wait_ms


@given(st.text(max_size=300))
def test_any_prefer_header_is_a_bounded_wait_or_none(prefer: str) -> None:
    assert parse_wait_ms(prefer, 30_000) in range(30_001) or parse_wait_ms(prefer, 30_000) is None


async def test_submit_operations_are_documented_with_their_bodies(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    submit = paths["/v1/transactions"]["post"]
    assert set(submit["requestBody"]["content"]) == {"application/octet-stream", "application/json"}
    assert {"200", "201", "202", "413", "422", "429", "503"} <= set(submit["responses"])
    assert paths["/v1/transactions:batch"]["post"]["operationId"] == "submitBatch"
    assert "put" in paths["/v1/blobs/{sha256}"]
    page = (await client.get("/docs")).text
    assert "/v1/transactions:batch" in page


async def test_a1_a_flood_of_refused_signatures_leaves_the_loop_free(
    client: httpx.AsyncClient, world: World, desk: Desk
) -> None:
    raw = join(world, 40, desk).raw
    bad = raw[:-1] + bytes([raw[-1] ^ 1])
    longest = 0.0
    is_done = False

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while not is_done:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        for _ in range(100):
            assert (await post(client, bad)).status_code == 422
        is_done = True
    assert longest < 0.25
