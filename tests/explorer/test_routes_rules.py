"""Rule versions and the contract's source over HTTP."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from chain.contract.clauses import KIND_RIGHT, Clause
from chain.contract.context import DAY_MS
from chain.contract.plan_calls import RulesPublish
from chain.contract.terms import PlanTerms, hash_terms
from chain.crypto import sha256
from explorer.app import build_app
from explorer.operations import OPERATIONS
from node.contract_source import read_contract_source
from tests.chain.fixtures import make_terms
from tests.conftest import REPOSITORY
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import Condition, World

RIGHT = Clause("2.9", KIND_RIGHT, "可免费查询。", "May ask for free.")


def build_versions() -> list[PlanTerms]:
    """Return genesis's terms, then two versions: one that is at least as good, one that is worse."""
    base = make_terms()
    better = replace(
        base,
        name="second",
        pool=replace(base.pool, fee_bp=700, cap_per_year_fen=18_000, grace_periods=3),
        pinned=replace(base.pinned, clauses=(*base.pinned.clauses, RIGHT)),
    )
    benefits = (replace(base.pinned.benefits[0], mild_fen=40_000), base.pinned.benefits[1])
    clauses = (*base.pinned.clauses[1:], RIGHT)
    worse = replace(better, pinned=replace(better.pinned, benefits=benefits, waiting_days=120, clauses=clauses))
    return [base, better, worse]


class House:
    """A chain of its own on which the rules went on."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        world = self.world
        self.versions = build_versions()
        application = world.apply(0)
        self.member = application.tx_id.hex()
        world.add(application)
        world.add(*world.verify([application.tx_id]))
        world.add(world.deposit([1]))
        for number, rules in enumerate(self.versions[1:], start=1):
            call = RulesPublish(
                plan="demo", version=number, pool=0, rules=rules, text_hash=sha256(b"text"), account=None
            )
            world.add(*(world.sign(call, world.keys[name]) for name in ("platform", "auditor-1")))
            for _ in range(30 if number == 1 else 3):
                world.add(world.post_statement(), step_ms=DAY_MS)
        self.app = build_app(world.reader, Condition(), settings=SETTINGS)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("rules") / "db")
    yield house
    house.world.close()


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(house.app) as client:
        yield client


async def test_every_version_shows_its_state_its_hash_and_who_pinned_it(
    client: httpx.AsyncClient, house: House
) -> None:
    body = (await client.get("/v1/plans/demo/rules")).json()
    items = body["items"]
    assert (body["page"]["total"], [item["version"] for item in items]) == (3, [0, 1, 2])
    assert [item["status"] for item in items] == ["closed", "active", "disclosed"]
    assert [item["rules_hash"] for item in items] == [hash_terms(terms).hex() for terms in house.versions]
    assert [item["members_pinned"] for item in items] == [1, 0, 0]
    assert [item["members_upgraded"] for item in items] == [0, 1, 0]
    assert (items[0]["superseded_by"], items[0]["superseded_from"]) == (1, items[1]["active_from"])
    assert items[1]["published_by"] == ["platform", "auditor-1"]
    assert items[1]["text_hash"] == sha256(b"text").hex()
    assert (items[0]["text_hash"], items[0]["disclosed"], items[2]["active_from"]) == (None, None, None)
    assert items[1]["disclosed"] < items[1]["active_from"]


async def test_member_is_shown_the_version_signed_and_the_one_in_force(client: httpx.AsyncClient, house: House) -> None:
    member = (await client.get(f"/v1/members/{house.member}")).json()
    assert (member["version"], member["version_in_force"]) == (0, 1)


async def test_clauses_are_readable_in_both_languages(client: httpx.AsyncClient) -> None:
    item = (await client.get("/v1/plans/demo/rules")).json()["items"][1]
    assert item["clauses"][-1] == {"number": "2.9", "kind": "right", "zh": "可免费查询。", "en": "May ask for free."}
    assert {exclusion["name"] for exclusion in item["exclusions"]} >= {"pre-existing"}
    assert item["unpaid"] == "carry"
    assert item["benefits"][0]["amount"]["amount"] == "300000"


async def test_difference_is_shown_field_by_field_and_clause_by_clause(client: httpx.AsyncClient) -> None:
    items = (await client.get("/v1/plans/demo/rules")).json()["items"]
    assert items[0]["difference"] is None
    better, worse = items[1]["difference"], items[2]["difference"]
    assert (better["compared_with"], better["is_at_least_as_good"]) == (0, True)
    fields = {field["field"]: (field["before"], field["after"]) for field in better["fields"]}
    assert fields == {
        "name": ("test", "second"),
        "pool.fee_bp": (800, 700),
        "pool.cap_per_year_fen": (
            {"amount": "18800", "currency": "CNY", "scale": 2},
            {"amount": "18000", "currency": "CNY", "scale": 2},
        ),
        "pool.grace_periods": (2, 3),
    }
    assert [(clause["number"], clause["change"]) for clause in better["clauses"]] == [("2.9", "added")]
    assert (worse["compared_with"], worse["is_at_least_as_good"]) == (1, False)
    changed = {field["field"]: field for field in worse["fields"]}
    assert set(changed) == {"pinned.benefits", "pinned.waiting_days"}
    assert [row["amount"]["amount"] for row in changed["pinned.benefits"]["after"][:2]] == ["300000", "40000"]
    assert [(clause["number"], clause["change"]) for clause in worse["clauses"]] == [("1.1", "removed")]
    assert worse["clauses"][0]["after"] is None


async def test_plan_shows_the_rules_in_force_and_not_what_is_only_disclosed(client: httpx.AsyncClient) -> None:
    plan = (await client.get("/v1/plans/demo")).json()
    assert (plan["name"], plan["versions"][2]["active_from"]) == ("second", None)
    assert (await client.get("/v1/plans")).json()["items"][0]["name"] == "second"
    assert plan["pools"][0]["version"] == 1


async def test_versions_come_in_pages_that_belong_to_their_plan(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/plans/demo/rules?limit=2")).json()
    assert [item["version"] for item in first["items"]] == [0, 1]
    cursor = first["page"]["next"]
    rest = (await client.get(f"/v1/plans/demo/rules?limit=2&cursor={cursor}")).json()
    assert [item["version"] for item in rest["items"]] == [2]
    foreign = await client.get(f"/v1/plans?limit=2&cursor={cursor}")
    assert (foreign.status_code, foreign.json()["code"]) == (400, "cursor_invalid")
    unknown = await client.get("/v1/plans/other/rules")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_contract_shows_the_files_that_the_node_was_started_from(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/contract")).json()
    assert body["protocol_version"] == 1
    paths = [item["path"] for item in body["files"]]
    assert paths == sorted(paths)
    assert "chain/contract/settlement_math.py" in paths
    assert body["source_hash"] == read_contract_source().source_hash


def test_anybody_computes_the_hash_of_the_source_by_one_line_of_shell() -> None:
    command = "find chain/contract -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    shell = subprocess.run(["sh", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert read_contract_source().source_hash == shell.stdout.split()[0]


async def test_server_that_does_not_know_its_source_says_so(house: House) -> None:
    app = build_app(house.world.reader, Condition(), settings=replace(SETTINGS, contract=None))
    async with connect(app) as client:
        response = await client.get("/v1/contract")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("operation", "path"), [("listRules", "/v1/plans/demo/rules"), ("getContract", "/v1/contract")]
)
async def test_answers_are_the_records_that_the_document_describes(
    client: httpx.AsyncClient, operation: str, path: str
) -> None:
    (kind,) = OPERATIONS[operation].get_types()
    assert issubclass(kind, Struct)
    content = (await client.get(path)).content
    msgspec.json.decode(content, type=kind)
    assert set(msgspec.json.decode(content)) == set(kind.__struct_fields__)
