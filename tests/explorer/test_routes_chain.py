"""Blocks, transactions, receipts, validators: what they say agrees with the ledger."""

from base64 import b64decode

import httpx
import msgspec
import pytest

from chain.block import hash_header, header_codec
from chain.certificate import certificate_codec
from chain.codec import encode
from chain.errors import StoreError
from chain.history import compute_leaf_hash, verify_inclusion
from chain.receipt import build_log_entry, receipt_codec
from chain.transaction import decode_transaction, get_call_name
from chain.types import TxId
from chain.validators import hash_validators
from explorer.reader import TransactionStatus
from explorer.views_chain import read_call_name
from tests.explorer.world import Condition, World


async def get(client: httpx.AsyncClient, path: str) -> dict[str, object]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=dict[str, object])


async def test_meta_names_chain_versions_limits_and_clock(client: httpx.AsyncClient, world: World) -> None:
    body = await get(client, "/v1/meta")
    assert body["chain_id"] == world.chain.chain_id.hex()
    assert body["genesis_hash"] == world.chain.ledger.genesis_hash.hex()
    assert body["log_origin"] == f"example.org/{world.chain.chain_id.hex()}"
    assert body["plans"] == ["demo"]
    limits, clock = body["limits"], body["clock"]
    assert isinstance(limits, dict)
    assert isinstance(clock, dict)
    assert limits["validity_window_ms"] == 3_600_000
    assert (clock["is_accelerated"], clock["block_ms"], clock["wall_ms"]) == (False, 1, 1)


async def test_block_agrees_with_the_ledger(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get("/v1/blocks/5")).json()
    record = world.chain.ledger.read_header_record(5)
    assert record is not None
    assert body["hash"] == hash_header(record.header).hex()
    assert body["header"]["state_root"] == record.header.state_root.hex()
    assert body["header"]["time"].endswith("Z")
    assert body["proposer_organisation"] == "platform"
    ids = [decode_transaction(raw).tx_id.hex() for raw in world.chain.ledger.read_transactions(5)]
    assert body["transactions"] == ids
    assert body["certificate"]["block_hash"] == body["hash"]


async def test_certificate_of_a_block_is_the_one_that_the_next_block_embeds(
    client: httpx.AsyncClient, world: World
) -> None:
    height = world.chain.ledger.height
    before, head = await client.get(f"/v1/blocks/{height - 1}"), await client.get(f"/v1/blocks/{height}")
    assert before.json()["certificate"]["is_agreed"] is True
    assert head.json()["certificate"]["is_agreed"] is False
    assert "immutable" in before.headers["cache-control"]
    assert not before.headers["etag"].startswith("W/")
    assert head.headers["cache-control"] == "no-cache"
    assert head.headers["etag"].startswith("W/")


async def test_genesis_block_has_no_proposer_and_no_transactions(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/blocks/0")).json()
    assert body["proposer_organisation"] is None
    assert body["transactions"] == []
    assert body["certificate"]["votes"] == []


async def test_block_above_the_head_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"/v1/blocks/{world.chain.ledger.height + 1}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_blocks_are_listed_newest_first_in_both_directions(client: httpx.AsyncClient, world: World) -> None:
    height = world.chain.ledger.height
    first = (await client.get("/v1/blocks?limit=10")).json()
    assert [item["height"] for item in first["items"]] == list(range(height, height - 10, -1))
    assert first["page"]["total"] == height + 1
    second = (await client.get(f"/v1/blocks?limit=10&cursor={first['page']['next']}")).json()
    assert [item["height"] for item in second["items"]] == list(range(height - 10, height - 20, -1))
    back = (await client.get(f"/v1/blocks?limit=10&cursor={second['page']['prev']}")).json()
    assert back["items"] == first["items"]
    assert back["page"]["prev"] is None


async def test_link_header_leads_to_the_next_page_with_the_filters(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/transactions?call=statement_post&limit=5")
    address = answer.headers["link"].partition(">")[0].removeprefix("<")
    assert address.startswith("/v1/transactions?call=statement_post&limit=5&cursor=")
    following = await client.get(address)
    assert following.status_code == 200
    assert {item["call"] for item in following.json()["items"]} == {"statement_post"}
    assert 'rel="prev"' in following.headers["link"]


async def test_all_transactions_are_listed_once_newest_first(client: httpx.AsyncClient, world: World) -> None:
    found: list[str] = []
    address = "/v1/transactions?limit=7"
    while address:
        body = (await client.get(address)).json()
        found += [item["tx_id"] for item in body["items"]]
        cursor = body["page"]["next"]
        address = f"/v1/transactions?limit=7&cursor={cursor}" if cursor else ""
    by_block: dict[int, list[str]] = {}
    for transaction in world.transactions:
        receipt = world.chain.ledger.read_receipt(transaction.tx_id)
        assert receipt is not None
        by_block.setdefault(receipt[0], []).append(transaction.tx_id.hex())
    expected = [tx_id for height in sorted(by_block, reverse=True) for tx_id in reversed(by_block[height])]
    assert found == expected


async def test_transactions_of_one_block_and_outcome(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/transactions?height=5&outcome=success")).json()
    assert [item["call"] for item in body["items"]] == ["member_leave", "claim_file"]
    assert (await client.get("/v1/transactions?height=5&outcome=failed")).json()["items"] == []
    assert (await client.get("/v1/transactions?height=99999")).json()["items"] == []


def test_call_name_is_read_from_the_bytes_of_every_transaction(world: World) -> None:
    names = {read_call_name(transaction.raw) for transaction in world.transactions}
    assert len(names) >= 7
    for transaction in world.transactions:
        assert read_call_name(transaction.raw) == get_call_name(transaction.body.call)


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x92\x90\xc4\x00", bytes(200)])
def test_stored_bytes_that_are_no_transaction_are_a_damaged_store(raw: bytes) -> None:
    with pytest.raises(StoreError):
        read_call_name(raw)


async def test_transactions_of_a_claim(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/transactions?claim={world.claim.hex()}")).json()
    assert world.claim.hex() in [item["tx_id"] for item in body["items"]]


async def test_committed_transaction_shows_call_bytes_and_events(client: httpx.AsyncClient, world: World) -> None:
    leave = world.transactions[12]
    answer = await client.get(f"/v1/transactions/{leave.tx_id.hex()}")
    body = answer.json()
    assert body["call"] == "member_leave"
    assert body["body"] == {"member": world.members[1].hex()}
    assert b64decode(body["signed_tx"]) == leave.raw
    assert body["signer"] == leave.body.signer.hex()
    assert body["outcome"] == "success"
    assert {event["event"] for event in body["events"]} >= {"member_exited"}
    assert "immutable" in answer.headers["cache-control"]
    refund = next(event["refund"] for event in body["events"] if event["event"] == "member_exited")
    assert refund == {"amount": "5000", "currency": "CNY", "scale": 2}


async def test_unseen_transaction_is_not_found_with_its_id(client: httpx.AsyncClient) -> None:
    tx_id = "ab" * 32
    answer = await client.get(f"/v1/transactions/{tx_id}")
    assert answer.status_code == 404
    assert answer.json()["tx_id"] == tx_id


async def test_pending_transaction_shows_its_status_and_is_not_cached(
    client: httpx.AsyncClient, condition: Condition
) -> None:
    tx_id = TxId(b"\x11" * 32)
    condition.transactions[tx_id] = TransactionStatus(status="pending", valid_until_ms=1_767_024_000_000)
    answer = await client.get(f"/v1/transactions/{tx_id.hex()}")
    assert answer.json() == {
        "tx_id": tx_id.hex(),
        "status": "pending",
        "valid_until": "2025-12-29T16:00:00.000Z",
        "code": None,
    }
    assert answer.headers["cache-control"] == "no-cache"


async def test_long_poll_waits_on_the_server_for_as_long_as_asked(
    client: httpx.AsyncClient, condition: Condition, world: World
) -> None:
    condition.changed.set()
    await client.get(f"/v1/transactions/{world.claim.hex()}?wait=30")
    assert condition.waits == [30_000]
    assert (await client.get(f"/v1/transactions/{world.claim.hex()}?wait=31")).status_code == 400


async def test_receipt_proves_every_transaction_under_its_header(client: httpx.AsyncClient, world: World) -> None:
    for transaction in world.transactions:
        body = (await client.get(f"/v1/transactions/{transaction.tx_id.hex()}/receipt")).json()
        header = header_codec.decode(bytes.fromhex(body["header"]))
        leaf = bytes.fromhex(body["log_entry"])
        verify_inclusion(
            root=header.log_root,
            size=header.log_size,
            index=body["log_index"],
            leaf_hash=compute_leaf_hash(leaf),
            path=[bytes.fromhex(item) for item in body["log_path"]],
        )
        certificate = certificate_codec.decode(bytes.fromhex(body["certificate"]))
        assert certificate.block_hash == hash_header(header)
        before = world.chain.ledger.read_header_record(header.height - 1)
        assert before is not None
        assert bytes.fromhex(body["validators"]) == encode(world.chain.genesis.validators)
        assert hash_validators(world.chain.genesis.validators) == before.header.next_validators_hash
        if "receipt" in body:
            receipt = receipt_codec.decode(bytes.fromhex(body["receipt"]))
            assert (
                encode(build_log_entry(receipt, height=header.height, index=_get_index(world, transaction.tx_id)))
                == leaf
            )


def _get_index(world: World, tx_id: TxId) -> int:
    found = world.chain.ledger.read_receipt(tx_id)
    assert found is not None
    return found[1]


async def test_validators_come_with_quorum_and_roles(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get("/v1/validators")).json()
    assert (body["quorum"], body["faults_max"]) == (3, 1)
    assert [item["role"] for item in body["items"]] == ["platform", "custodian", "auditor", "auditor"]
    assert body["height"] == world.chain.ledger.height + 1
    assert body["set_hash"] == world.chain.ledger.header.next_validators_hash.hex()
