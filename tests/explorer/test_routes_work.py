"""Daily work: deposits, statements, what the bank is to pay, tasks, calendar, reminders."""

import httpx
import pytest

from chain.contract import claim_status, due
from chain.contract.custody_tables import INSTRUCTION
from chain.contract.tables import MEMBER, POOL
from chain.crypto import sha256
from explorer import tasks
from explorer.access import AccessKey, AccessKeys
from explorer.app import build_app
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.test_routes_plan import fen
from tests.explorer.world import DEPOSIT_FEN, MEMBERS, Condition, World


async def read_all(client: httpx.AsyncClient, path: str) -> list[dict[str, object]]:
    """Return the rows of all pages, two at a time, and walk back to the first page."""
    rows: list[dict[str, object]] = []
    pages: list[list[dict[str, object]]] = []
    address = f"{path}&limit=2"
    while True:
        answer = await client.get(address)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        pages.append(body["items"])
        rows.extend(body["items"])
        if body["page"]["next"] is None:
            break
        address = f"{path}&limit=2&cursor={body['page']['next']}"
    back = body["page"]["prev"]
    for page in reversed(pages[:-1]):
        body = (await client.get(f"{path}&limit=2&cursor={back}")).json()
        assert body["items"] == page
        back = body["page"]["prev"]
    return rows


async def test_deposits_are_listed_with_what_became_of_them(client: httpx.AsyncClient, world: World) -> None:
    rows = await read_all(client, "/v1/deposits?account=demo-account")
    assert len(rows) == MEMBERS - 1
    assert {row["state"] for row in rows} == {"credited"}
    assert {row["member"] for row in rows} == {member.hex() for member in world.members[:-1]}
    row = rows[0]
    assert isinstance(row["amount"], dict)
    assert fen(row["amount"]) == DEPOSIT_FEN


async def test_deposits_can_be_asked_for_by_day_state_and_member(client: httpx.AsyncClient, world: World) -> None:
    async def count(query: str) -> int:
        answer = await client.get(f"/v1/deposits?account=demo-account&{query}")
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"])

    assert await count("booking_day=2025-12-30") == MEMBERS - 1
    assert await count("booking_day=2025-12-31") == 0
    assert await count("state=unmatched") == 0
    assert await count(f"member={world.members[3].hex()}") == 1


@pytest.mark.parametrize("query", ["booking_day=2025-13-01", "booking_day=20251230", "state=lost", "pool=0"])
async def test_deposits_refuse_what_they_do_not_know(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/deposits?account=demo-account&{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


async def test_unknown_account_plan_and_pool_are_not_found(client: httpx.AsyncClient) -> None:
    for path in (
        "/v1/deposits?account=other",
        "/v1/statements?account=other",
        "/v1/instructions?plan=other",
        "/v1/instructions?plan=demo&pool=7",
        "/v1/tasks?plan=other",
        "/v1/calendar?plan=other",
        "/v1/reminders?plan=other&below=100",
    ):
        assert (await client.get(path)).status_code == 404, path


async def test_statements_are_listed_newest_first(client: httpx.AsyncClient) -> None:
    rows = await read_all(client, "/v1/statements?account=demo-account")
    numbers = [row["statement"] for row in rows]
    assert numbers == list(reversed(range(len(numbers))))
    assert all(row["is_matched"] for row in rows)
    assert rows[-1]["in_count"] == MEMBERS - 1


async def test_bank_sees_what_it_has_not_answered(client: httpx.AsyncClient, world: World) -> None:
    rows = await read_all(client, "/v1/instructions?plan=demo&state=ready")
    known = {record.parts[0]: value for record, value in world.reader.open_snapshot().scan(INSTRUCTION, arity=1)}
    assert {row["instruction"] for row in rows} == {
        key.hex() for key, value in known.items() if isinstance(key, bytes) and value.state == 1
    }
    assert rows[0]["kind"] == "refund"
    assert rows[0]["is_overdue"] is True
    assert "account_token" not in rows[0]


async def test_payees_are_shown_with_an_access_key_alone_and_its_use_is_recorded(
    world: World, condition: Condition
) -> None:
    used: list[tuple[str, str]] = []
    keys = AccessKeys(
        {
            sha256(b"bank-key"): AccessKey(name="bank", scopes=frozenset({"payments"})),
            sha256(b"other-key"): AccessKey(name="other", scopes=frozenset()),
        },
        lambda name, path: used.append((name, path)),
    )
    settings = type(SETTINGS)(
        software_version="0.0.0-test",
        cursor_key=bytes(range(32)),
        hosts=("node.test",),
        limits=SETTINGS.limits,
        access=keys,
    )
    async with connect(build_app(world.reader, condition, settings=settings)) as client:

        async def read(key: str) -> httpx.Response:
            return await client.get("/v1/instructions?plan=demo", headers={"Authorization": f"Bearer {key}"})

        record = world.chain.require(MEMBER, world.members[1])
        shown = (await read("bank-key")).json()["items"][0]
        assert record.account_token is not None
        assert shown["account_token"] == record.account_token.hex()
        assert "account_token" not in (await read("other-key")).json()["items"][0]
        refused = await read("wrong")
        assert (refused.status_code, refused.json()["code"]) == (401, "access_key_invalid")
    assert used == [("bank", "/v1/instructions"), ("other", "/v1/instructions")]


async def test_tasks_name_who_is_asked_until_when_and_what_silence_does(client: httpx.AsyncClient) -> None:
    rows = await read_all(client, "/v1/tasks?plan=demo")
    kinds = [str(row["kind"]) for row in rows]
    assert {"statement_post", "instruction_ack"} <= set(kinds)
    assert all(row["on_silence"] and row["due"] for row in rows)
    overdue = next(row for row in rows if row["kind"] == "instruction_ack")
    assert overdue["is_overdue"] is True
    mine = await read_all(client, "/v1/tasks?plan=demo&role=custodian")
    assert [row["kind"] for row in mine] == ["statement_post", "instruction_ack"]


async def test_every_open_deadline_is_a_task(client: httpx.AsyncClient, world: World) -> None:
    claim = (await client.get(f"/v1/claims/{world.claim.hex()}")).json()
    rows = await read_all(client, "/v1/tasks?plan=demo")
    about = [row for row in rows if row.get("claim") == world.claim.hex()]
    assert (claim["due"] is not None) == bool(about)


async def test_what_the_contract_does_by_itself_is_nobodys_task(client: httpx.AsyncClient) -> None:
    rows = await read_all(client, "/v1/tasks?plan=demo")
    assert rows
    assert not [row["kind"] for row in rows if str(row["kind"]).startswith("deadline")]


def test_each_kind_of_deadline_is_known_to_the_list_of_tasks() -> None:
    named = {**vars(due), **vars(claim_status)}.items()
    kinds = {value for name, value in named if name.startswith("DUE_") and isinstance(value, int)}
    assert kinds - {claim_status.DUE_NONE} == set(tasks._KINDS)


async def test_calendar_shows_periods_in_order_with_what_is_fixed(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get("/v1/calendar?plan=demo&periods=3")).json()
    days = [entry["day"] for entry in body["entries"]]
    assert days == sorted(days)
    pool = world.chain.require(POOL, "demo", 0)
    charges = [entry["period"] for entry in body["entries"] if entry["kind"] == "charge"]
    assert charges == [pool.settlements, pool.settlements + 1, pool.settlements + 2]
    assert any(entry["kind"] == "statement_overdue" for entry in body["entries"])
    assert (await client.get("/v1/calendar?plan=demo&periods=25")).status_code == 400


async def test_members_below_an_amount_are_listed_from_the_tree(client: httpx.AsyncClient, world: World) -> None:
    everybody = await read_all(client, f"/v1/reminders?plan=demo&below={DEPOSIT_FEN + 1}")
    assert len(everybody) == MEMBERS - 2
    left = [row["left"] for row in everybody]
    assert all(isinstance(item, dict) for item in left)
    assert [str(row["member"]) for row in everybody] == sorted(str(row["member"]) for row in everybody)
    assert await read_all(client, f"/v1/reminders?plan=demo&below={DEPOSIT_FEN}") == []
    member = world.chain.require(MEMBER, bytes.fromhex(str(everybody[0]["member"])))
    assert everybody[0]["deposit_code"] == member.deposit_code
