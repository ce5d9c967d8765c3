"""JSON in, exact bytes to sign out: what a caller without MessagePack needs; and a trial run that keeps nothing."""

from base64 import b64decode
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
from chain.transaction import decode_transaction, get_call_name
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
        "#/call/account": "must match ^[a-z0-9-]+$",
        "#/call/items/0/colour": "there is no such field",
        "#/call/items/0/ref_token": "must be lower-case hex",
        "#/call/items/0/amount": "must be fen as a number, as a decimal string, or as a money object",
        "#/call/items/0/booking_day": "must be a date YYYY-MM-DD or a plan day",
        "#/call/items/0/value_day": "is missing",
    }


@pytest.mark.parametrize(
    ("call", "pointer"),
    [
        ({"name": "member_fly"}, "#/call/name"),
        ("member_leave", "#/call/name"),
        ({"name": "member_leave"}, "#/call/member"),
        ({"name": "member_leave", "member": "AB" * 32}, "#/call/member"),
        ({"name": "member_leave", "member": "ab" * 31}, "#/call/member"),
        ({"name": "member_withdraw", "member": ID.hex(), "amount": 0}, "#/call/amount"),
        ({"name": "member_withdraw", "member": ID.hex(), "amount": True}, "#/call/amount"),
        (
            {
                "name": "member_withdraw",
                "member": ID.hex(),
                "amount": {"amount": "5", "currency": "USD", "scale": 2},
            },
            "#/call/amount",
        ),
        ({"name": "member_admit", "items": []}, "#/call/items"),
        ({"name": "member_admit", "items": [3]}, "#/call/items/0"),
    ],
)
async def test_bad_call_is_refused_with_the_place(client: httpx.AsyncClient, call: object, pointer: str) -> None:
    answer = await prepare(client, call)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_bad_signer_nonce_and_validity_are_refused(client: httpx.AsyncClient) -> None:
    call = {"name": "member_leave", "member": ID.hex()}
    for more, pointer in (
        ({"signer": "zz" * 32}, "#/signer"),
        ({"nonce": "07"}, "#/nonce"),
        ({"valid_for_ms": 0}, "#/valid_for_ms"),
        ({"valid_for_ms": 10**12}, "#/valid_for_ms"),
        ({"colour": 1}, "#"),
    ):
        answer = await prepare(client, call, **more)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def simulate(client: httpx.AsyncClient, key: SigningKey, call: object) -> dict[str, object]:
    answer = await client.post("/v1/transactions:simulate", json={"signer": key.public_key.hex(), "call": call})
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
    assert "member_exited" in [event["name"] for event in events]
    assert world.chain.require(MEMBER, member) == before
    strange = await simulate(client, KEY, call)
    assert (strange["outcome"], strange["code"], strange["events"]) == ("failed", "not_owner", [])
