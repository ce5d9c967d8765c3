"""JSON in, exact bytes to sign out: what a caller without MessagePack needs; and a trial run that keeps nothing."""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from chain.contract.calls import Call
from chain.contract.claim_calls import ReportReveal
from chain.contract.member_calls import MemberLeave, MemberWithdraw
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.contract.tables import MEMBER
from chain.crypto import SigningKey, sha256
from chain.transaction import build_transaction, decode_transaction, get_call_name
from explorer.app import build_app
from explorer.parse_call import parse_call
from explorer.problems import ProblemError
from explorer.represent import represent_fields
from explorer.settings import ExplorerSettings
from node.prepare_api import build_prepare_router
from tests.explorer.conftest import connect
from tests.explorer.world import Condition, World

KEY = SigningKey(sha256(b"a signer"))
ID = bytes(range(32))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("prepare") / "db")
    world.play()
    yield world
    world.close()


@pytest.fixture(scope="module")
def app(world: World) -> FastAPI:
    settings = ExplorerSettings(software_version="0", cursor_key=bytes(32), hosts=("node.test",))
    return build_app(world.reader, Condition(), settings=settings, submit_routers=(build_prepare_router(world.reader),))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as client:
        yield client


async def prepare(client: httpx.AsyncClient, call: object, **more: object) -> httpx.Response:
    body = {"signer": KEY.public_key.hex(), "call": call, **more}
    return await client.post("/v1/transactions:prepare", json=body)


async def test_prepared_bytes_with_a_signature_are_a_valid_transaction(client: httpx.AsyncClient) -> None:
    answer = await prepare(client, {"name": "member_leave", "member": ID.hex()})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    signature = KEY.sign(b64decode(body["signing_bytes"]))
    transaction = decode_transaction(b64decode(body["signed_tx_prefix"]) + signature)
    assert transaction.is_signature_valid()
    assert transaction.tx_id.hex() == body["tx_id"]
    assert transaction.body.call == MemberLeave(member=ID)
    assert body["call"] == {"name": "member_leave", "member": ID.hex()}


async def test_the_same_request_with_a_nonce_gives_the_same_bytes_and_without_one_never(
    client: httpx.AsyncClient,
) -> None:
    call = {"name": "member_leave", "member": ID.hex()}
    first = (await prepare(client, call, nonce="07" * 16)).json()
    again = (await prepare(client, call, nonce="07" * 16)).json()
    other = (await prepare(client, call)).json()
    assert first == again
    assert other["tx_id"] != first["tx_id"]


@pytest.mark.parametrize(
    "call",
    [
        MemberWithdraw(member=ID, amount=1_234),
        DepositCredit(
            account="custody-1",
            items=(
                DepositCreditItem(
                    ref_token=ID, amount=5, booking_day=20_000, value_day=19_999, payer_token=ID, deposit_code=None
                ),
            ),
        ),
        ReportReveal(
            claim=ID, finding=1, established_day=20_000, row=2, clauses=("3.1",), report_root=ID, salt=bytes(32)
        ),
    ],
)
def test_what_the_api_shows_of_a_call_it_takes_as_a_call(call: Call) -> None:
    name = get_call_name(call)
    assert parse_call({"name": name, **represent_fields(call, subject=name)}) == call


def test_every_mistake_of_a_call_is_told_with_its_place() -> None:
    item = {"ref_token": "xy", "amount": 1.5, "booking_day": "2025-02-30", "payer_token": ID.hex(), "colour": 1}
    with pytest.raises(ProblemError) as refusal:
        parse_call({"name": "deposit_credit", "account": "Custody 1", "items": [item]})
    assert refusal.value.entry.code == "malformed"
    assert {error.pointer: error.detail for error in refusal.value.errors} == {
        "#/body/call/account": "must match ^[a-z0-9-]+\\Z",
        "#/body/call/items/0/colour": "there is no such field",
        "#/body/call/items/0/ref_token": "must be 64 lower-case hex digits",
        "#/body/call/items/0/amount": "must be fen as a number, as a decimal string, or as a money object",
        "#/body/call/items/0/booking_day": "must be a date YYYY-MM-DD or a plan day",
        "#/body/call/items/0/value_day": "is missing",
    }


@pytest.mark.parametrize(
    ("call", "pointer"),
    [
        ({"name": "member_fly"}, "#/body/call/name"),
        ("member_leave", "#/body/call/name"),
        ({"name": "member_leave"}, "#/body/call/member"),
        ({"name": "member_leave", "member": "AB" * 32}, "#/body/call/member"),
        ({"name": "member_leave", "member": "ab" * 31}, "#/body/call/member"),
        ({"name": "member_withdraw", "member": ID.hex(), "amount": 0}, "#/body/call/amount"),
        ({"name": "member_withdraw", "member": ID.hex(), "amount": True}, "#/body/call/amount"),
        (
            {
                "name": "member_withdraw",
                "member": ID.hex(),
                "amount": {"amount": "5", "currency": "USD", "scale": 2},
            },
            "#/body/call/amount",
        ),
        ({"name": "member_admit", "items": []}, "#/body/call/items"),
        ({"name": "member_admit", "items": [3]}, "#/body/call/items/0"),
    ],
)
async def test_bad_call_is_refused_with_the_place(client: httpx.AsyncClient, call: object, pointer: str) -> None:
    answer = await prepare(client, call)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert f"{pointer}: " in answer.json()["detail"]


async def test_bad_signer_nonce_and_validity_are_refused(client: httpx.AsyncClient) -> None:
    call = {"name": "member_leave", "member": ID.hex()}
    for more, pointer in (
        ({"signer": "zz" * 32}, "#/body/signer"),
        ({"nonce": "07"}, "#/body/nonce"),
        ({"valid_for_ms": 0}, "#/body/valid_for_ms"),
        ({"valid_for_ms": 10**12}, "#/body/valid_for_ms"),
        ({"colour": 1}, "#/body"),
    ):
        answer = await prepare(client, call, **more)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def try_signed(client: httpx.AsyncClient, key: SigningKey, call: object, *, signer: SigningKey) -> httpx.Response:
    """Prepare a call of `signer`, sign it with `key`, and try it out."""
    body = {"signer": signer.public_key.hex(), "call": call}
    prepared = (await client.post("/v1/transactions:prepare", json=body)).json()
    raw = b64decode(prepared["signed_tx_prefix"]) + key.sign(b64decode(prepared["signing_bytes"]))
    return await client.post("/v1/transactions:simulate", json={"signed_tx": b64encode(raw).decode()})


async def simulate(client: httpx.AsyncClient, key: SigningKey, call: object) -> dict[str, object]:
    answer = await try_signed(client, key, call, signer=key)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    return body


async def test_simulation_tells_what_would_happen_and_keeps_nothing(client: httpx.AsyncClient, world: World) -> None:
    member = world.members[2]
    call = {"name": "member_leave", "member": member.hex()}
    before = world.chain.require(MEMBER, member)
    mine = await simulate(client, world.member_key(2), call)
    assert (mine["outcome"], mine["code"]) == ("success", "success")
    events = mine["events"]
    assert isinstance(events, list)
    assert "member_exited" in [event["event"] for event in events]
    assert world.chain.require(MEMBER, member) == before
    strange = await simulate(client, KEY, call)
    assert (strange["outcome"], strange["code"], strange["events"]) == ("failed", "not_owner", [])


async def test_nobody_tries_in_the_name_of_another_whose_claim_it_is_or_who_judges_it(
    client: httpx.AsyncClient, world: World
) -> None:
    """Without the signer's signature the outcomes of 1,200 trials would name the member of every claim."""
    withdraw = {"name": "claim_withdraw", "member": world.members[2].hex(), "claim": ID.hex(), "heir": None}
    answer = await try_signed(client, KEY, withdraw, signer=world.member_key(2))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_signature")
    assert answer.json()["errors"][0]["pointer"] == "#/body/signed_tx"
    answer = await client.post(
        "/v1/transactions:simulate", json={"signer": world.member_key(2).public_key.hex(), "call": withdraw}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    told = await simulate(client, world.member_key(2), withdraw)
    assert told["outcome"] == "failed"


async def test_only_a_transaction_of_this_chain_is_tried(client: httpx.AsyncClient) -> None:
    other = build_transaction(
        chain_id=bytes(32), nonce=bytes(16), valid_until_ms=0, call=MemberLeave(member=ID), key=KEY
    )
    for raw, status, code in ((other.raw, 422, "wrong_chain"), (b"nonsense", 400, "malformed")):
        answer = await client.post("/v1/transactions:simulate", json={"signed_tx": b64encode(raw).decode()})
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("route", ["prepare", "simulate"])
async def test_a_body_that_no_decoder_likes_is_malformed_and_forms_are_not_parsed(
    client: httpx.AsyncClient, route: str
) -> None:
    """Deep nesting and broken UTF-8 raise other errors than a decoding error."""
    headers = {"content-type": "application/json"}
    deep = b'{"signer": "", "call": ' + b"[" * 40_000
    for content in (deep, b'{"signer": "\xff", "call": {}}', b'{"signed_tx": "\xff"}', b"", b"null"):
        answer = await client.post(f"/v1/transactions:{route}", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), content[:40]
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await client.post(f"/v1/transactions:{route}", content=b"{}", headers={"content-type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (415, "media_type")
