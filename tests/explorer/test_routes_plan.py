"""Plans, members, claims, settlements, payouts: computed by the contract's own functions at one height."""

import httpx

from chain.contract.shares import get_balance
from chain.contract.tables import MEMBER, POOL
from tests.explorer.world import DEPOSIT_FEN, MEMBERS, World


def fen(money: dict[str, object]) -> int:
    amount = money["amount"]
    assert isinstance(amount, str)
    return int(amount)


async def test_plan_shows_rules_and_a_pool_whose_lines_add_up(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/plans/demo")).json()
    pool = body["pools"][0]
    lines = ("carry", "aid_payable", "fee_held", "fee_payable", "outgoing", "unmatched", "plain")
    assert fen(pool["cash"]) == fen(pool["member_money"]) + sum(fen(pool[name]) for name in lines)
    assert fen(pool["cash"]) == DEPOSIT_FEN * (MEMBERS - 1)
    assert fen(pool["count"]["money"]) == fen(pool["member_money"])
    assert pool["count"]["members"] == pool["count"]["units_paying"] == MEMBERS - 2
    assert body["versions"][0]["pool_terms"]["cap_per_period"] is None
    assert [row["grade"] for row in body["versions"][0]["benefits"]] == ["severe", "mild"] * 2
    assert body["day"] == "2026-02-01"


async def test_plans_are_listed_and_an_unknown_one_is_not_found(client: httpx.AsyncClient) -> None:
    assert [item["plan"] for item in (await client.get("/v1/plans")).json()["items"]] == ["demo"]
    assert (await client.get("/v1/plans/other")).status_code == 404


async def test_members_are_listed_once_with_their_balances(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get("/v1/members?plan=demo")).json()
    assert {item["member"] for item in body["items"]} == {member.hex() for member in world.members}
    assert body["page"]["total"] == MEMBERS
    pool = world.chain.require(POOL, "demo", 0)
    for item in body["items"]:
        record = world.chain.require(MEMBER, bytes.fromhex(item["member"]))
        assert fen(item["balance"]) == get_balance(record, pool.share_index)


async def test_members_can_be_asked_for_by_their_present_state(client: httpx.AsyncClient, world: World) -> None:
    async def list_members(status: str) -> list[str]:
        body = (await client.get(f"/v1/members?status={status}")).json()
        return [item["member"] for item in body["items"]]

    assert await list_members("left") == [world.members[1].hex()]
    # An application lapses after 30 days; the story goes on for 33.
    assert await list_members("expired") == [world.members[6].hex()]
    assert len(await list_members("waiting")) == MEMBERS - 2
    assert await list_members("covered") == []


async def test_member_is_shown_with_cover_and_money(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/members/{world.members[2].hex()}")).json()
    assert (body["status"], body["written_status"]) == ("waiting", "sharing")
    assert (body["is_waiting"], body["is_covered"], body["is_suspended"]) == (True, False, False)
    assert (body["cover_from"], body["accident_cover_from"]) == ("2026-03-30", "2025-12-31")
    assert body["balance"] == {"amount": "5000", "currency": "CNY", "scale": 2}
    assert body["leaf_index"] == DEPOSIT_FEN


async def test_member_who_left_has_no_leaf_and_no_cover(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/members/{world.members[1].hex()}")).json()
    assert (body["status"], body["is_sharing"], body["cover_from"]) == ("left", False, None)
    assert "leaf_index" not in body


async def test_unknown_member_and_claim_are_not_found(client: httpx.AsyncClient) -> None:
    for name in ("members", "claims"):
        answer = await client.get(f"/v1/{name}/{'00' * 32}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_claims_are_listed_by_public_number_without_their_members(
    client: httpx.AsyncClient, world: World
) -> None:
    body = (await client.get("/v1/claims?plan=demo")).json()
    assert {item["number"] for item in body["items"]} == {1, 2}
    assert body["page"]["total"] == 2
    assert all("member" not in item for item in body["items"])
    claim = (await client.get(f"/v1/claims/{world.claim.hex()}")).json()
    assert "member" not in claim
    assert "member" in claim["withheld"]
    assert claim["review"] == {
        "card": None,
        "objections_open": 0,
        "rechecks": 0,
        "recheck_end": None,
        "notices_unconfirmed": 0,
        "reaudit": None,
    }


async def test_settlements_are_listed_newest_first(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/settlements?plan=demo&pool=0")).json()
    assert [item["settlement"] for item in body["items"]] == [1, 0]
    assert [item["day"] for item in body["items"]] == ["2026-01-28", "2026-01-14"]
    assert all("proofs" not in item for item in body["items"])
    assert all(item["members"] == MEMBERS - 2 for item in body["items"])


async def test_settlements_bring_their_proofs_when_asked(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/settlements?proofs=true&limit=1")).json()
    assert body["items"][0]["proofs"]
    cursor = body["page"]["next"]
    assert (await client.get(f"/v1/settlements?limit=1&cursor={cursor}")).status_code == 400


async def test_pool_number_needs_its_plan(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/settlements?pool=0")
    assert answer.json()["errors"] == [{"pointer": "#/query/pool", "detail": "a pool's number needs its plan"}]


async def test_refund_of_the_member_who_left_is_a_payout(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get(f"/v1/payouts?member={world.members[1].hex()}&kind=refund")).json()
    assert [fen(item["amount"]) for item in body["items"]] == [DEPOSIT_FEN]
    assert (await client.get("/v1/payouts?kind=aid")).json()["items"] == []
