"""Contract 6: no answer of the API links a claim to a member."""

import re
from base64 import b64encode

import httpx
import msgspec
import pytest

from chain.contract.calls import Call
from chain.contract.claim_events import ClaimPaid
from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_REFUND, InstructionRecord
from chain.contract.events import MemberStatusChanged
from chain.contract.member_calls import MemberLeave
from chain.receipt import Receipt
from explorer.privacy import PUBLIC_CALLS, WITHHELD_CALLS, publish_events
from explorer.reader import Entry
from explorer.views_chain import build_transaction
from explorer.views_claim import build_payout
from explorer.views_work import build_ready
from tests.explorer.test_represent import list_union
from tests.explorer.world import World

ID = bytes(range(32))
INSTRUCTION = InstructionRecord(
    kind=INSTRUCTION_AID,
    state=1,
    plan="demo",
    pool=0,
    member=b"\x01" * 32,
    claim=b"\x02" * 32,
    account_token=b"\x03" * 32,
    deposit=None,
    amount=100,
    fee=8,
    period=0,
    created_day=20_000,
    attempt=0,
    booking_day=0,
    ref_token=b"\x04" * 32,
    reason=0,
)


def test_every_call_is_either_public_or_withheld() -> None:
    names = {str(kind.__struct_config__.tag) for kind in list_union(Call)}
    assert names == PUBLIC_CALLS | WITHHELD_CALLS
    assert not PUBLIC_CALLS & WITHHELD_CALLS
    # Lists read a name from the bytes of a short text (views_chain.read_call_name).
    assert max(map(len, names)) <= 31


def test_no_public_call_names_a_member_and_a_claim() -> None:
    for kind in list_union(Call):
        if str(kind.__struct_config__.tag) not in PUBLIC_CALLS:
            continue
        assert not {"member", "claim"} <= set(kind.__struct_fields__), kind


async def test_claim_file_is_answered_with_its_log_entry_alone(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/transactions/{world.claim.hex()}")).json()
    assert body["status"] == "committed"
    assert body["log"]["height"] == 5
    assert {"body", "signer", "signed_tx", "events"} <= set(body["withheld"])
    assert not {"body", "signer", "signed_tx", "events", "items", "valid_until"} & set(body)


async def test_receipt_of_a_claim_proves_without_telling(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/transactions/{world.claim.hex()}/receipt")).json()
    assert body["withheld"] == ["receipt", "signed_tx"]
    assert "receipt" not in body
    assert "signed_tx" not in body
    assert body["log_path"]


async def test_transactions_of_a_member_hold_nothing_about_claims(client: httpx.AsyncClient, world: World) -> None:
    listed = (await client.get(f"/v1/transactions?member={world.members[0].hex()}&limit=500")).json()["items"]
    calls = {item["call"] for item in listed}
    assert "member_apply" in calls
    assert not calls & WITHHELD_CALLS
    assert world.claim.hex() not in {item["tx_id"] for item in listed}


@pytest.mark.parametrize("path", ["/v1/transactions", "/v1/payouts"])
async def test_member_and_claim_cannot_be_asked_for_together(
    client: httpx.AsyncClient, world: World, path: str
) -> None:
    answer = await client.get(f"{path}?member={world.members[0].hex()}&claim={world.claim.hex()}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "parameter_invalid"


async def test_no_answer_of_the_whole_api_holds_a_claim_and_its_member(client: httpx.AsyncClient, world: World) -> None:
    member, claim = world.members[0].hex(), world.claim.hex()
    key = world.member_key(0).public_key.hex()
    seen_member = seen_claim = 0
    for path in await list_addresses(client):
        text = (await client.get(path)).text
        has_member, has_claim = member in text or key in text, claim in text
        # A list of transactions names them by id only; the id of a claim is that of its claim_file.
        is_id_list = path.startswith("/v1/transactions?") or path.startswith("/v1/blocks/")
        assert not (has_member and has_claim) or is_id_list, path
        seen_member += has_member
        seen_claim += has_claim
    assert seen_member > 3
    assert seen_claim > 3


async def list_addresses(client: httpx.AsyncClient) -> list[str]:
    """Return the address of everything that the lists lead to."""
    found = ["/v1/meta", "/v1/validators", "/v1/consensus", "/v1/settlements?proofs=true", "/v1/payouts"]
    found += ["/v1/claims", "/v1/plans/demo", "/v1/transactions?limit=500"]
    for path, name, field in (
        ("/v1/members", "members", "member"),
        ("/v1/claims", "claims", "claim"),
        ("/v1/transactions", "transactions", "tx_id"),
        ("/v1/blocks", "blocks", "height"),
    ):
        items = (await client.get(f"{path}?limit=500")).json()["items"]
        found += [f"/v1/{name}/{item[field]}" for item in items]
        if name == "transactions":
            found += [f"/v1/transactions/{item[field]}/receipt" for item in items]
    return found


def test_events_of_members_stand_in_no_answer_beside_events_of_claims() -> None:
    paid = ClaimPaid(claim=ID, amount=5)
    moved = MemberStatusChanged(member=ID, status=1, reason=0)
    assert publish_events((paid, moved)) == ([paid], 1)
    assert publish_events((moved,)) == ([moved], 0)
    assert publish_events(()) == ([], 0)


def test_bytes_that_everybody_can_read_open_nothing_more_when_they_are_handed_in_again(world: World) -> None:
    """The answer to a replay must not say what the transaction's own page withholds: its bytes are on that page."""
    events = (ClaimPaid(claim=ID, amount=5), MemberStatusChanged(member=ID, status=1, reason=0))
    transaction = world.sign(MemberLeave(member=ID), world.member_key(0))
    receipt = Receipt(tx_id=transaction.tx_id, outcome=0, items=(), events=events)
    entry = Entry(height=1, index=1, raw=transaction.raw, receipt=receipt)
    answer = build_transaction(entry, 0)
    assert answer.signed_tx == b64encode(transaction.raw).decode()
    assert answer.withheld == ["events"]
    assert build_transaction(entry, 0, is_public=False) == answer


@pytest.mark.parametrize("kind", [INSTRUCTION_AID, INSTRUCTION_REFUND])
def test_payment_on_a_claim_names_the_claim_and_not_the_payee(kind: int) -> None:
    record = msgspec.structs.replace(INSTRUCTION, kind=kind)
    encoded = msgspec.json.encode(build_payout(ID, record)).decode()
    assert "02" * 32 in encoded
    for hidden in ("01" * 32, "03" * 32, "04" * 32):
        assert hidden not in encoded


@pytest.mark.parametrize("kind", [INSTRUCTION_AID, INSTRUCTION_REFUND])
def test_order_to_the_bank_names_the_claim_and_to_the_bank_alone_the_payee(kind: int) -> None:
    record = msgspec.structs.replace(INSTRUCTION, kind=kind)
    for is_scoped in (False, True):
        encoded = msgspec.json.encode(build_ready(ID, record, today=0, is_held=False, is_scoped=is_scoped)).decode()
        assert "02" * 32 in encoded
        assert [("01" * 32 in encoded), ("03" * 32 in encoded)] == [is_scoped, is_scoped]


def test_refund_names_the_member_and_no_account() -> None:
    record = msgspec.structs.replace(INSTRUCTION, kind=INSTRUCTION_REFUND, claim=None)
    encoded = msgspec.json.encode(build_payout(ID, record)).decode()
    assert "01" * 32 in encoded
    assert "03" * 32 not in encoded


async def test_member_answer_holds_no_index_account_or_open_claim(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/members/{world.members[0].hex()}")).json()
    hidden = re.compile("claim|person|account|index_|guardian|commitment|blob|consent|recovery")
    assert [name for name in body if hidden.search(name)] == []
