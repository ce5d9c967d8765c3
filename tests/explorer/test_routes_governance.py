"""The government over HTTP: proposals with every vote, organisations past and present."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec import Struct

from chain.contract.calls import Call
from chain.contract.context import DAY_MS
from chain.contract.governance_calls import AddOrganisation, ProposalOpen, ProposalVote, SetParameter
from chain.crypto import sha256
from chain.genesis import ROLE_ASSESSOR
from chain.transaction import Transaction
from chain.types import ZERO_HASH
from explorer.app import build_app
from explorer.operations import OPERATIONS
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import Condition, World

ADD = AddOrganisation(
    name="assessor-9", role=ROLE_ASSESSOR, group="group-9", key=sha256(b"key 9"), recovery_key=ZERO_HASH
)


class House:
    """A chain of its own, on which two things were put to the vote and one of them took effect."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        payloads = (SetParameter(name="drain_max", value=300), ADD)
        openings = [self.sign("custodian", ProposalOpen(payload=item, reason_hash=sha256(b"why"))) for item in payloads]
        self.world.add(*openings)
        self.proposals = [opening.tx_id.hex() for opening in openings]
        for name, is_yes in (("auditor-1", True), ("platform", False), ("auditor-2", True)):
            self.world.add(self.sign(name, ProposalVote(proposal=openings[1].tx_id, is_yes=is_yes)))
        for _ in range(8):
            self.world.add(step_ms=DAY_MS)
        self.app = build_app(self.world.reader, Condition(), settings=SETTINGS)

    def sign(self, name: str, call: Call) -> Transaction:
        return self.world.sign(call, self.world.keys[name])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("governance") / "db")
    yield house
    house.world.close()


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(house.app) as client:
        yield client


async def test_a_proposal_shows_its_threshold_every_vote_and_what_became_of_it(
    client: httpx.AsyncClient, house: House
) -> None:
    answer = (await client.get(f"/v1/proposals/{house.proposals[1]}")).json()
    assert (answer["status"], answer["kind"], answer["number"]) == ("effective", "add_organisation", 2)
    assert answer["payload"]["role"] == "assessor"
    assert answer["counted"] == ["custodian", "auditor-1", "auditor-2"]
    assert (answer["yes"], answer["yes_needed"]) == (3, 3)
    votes = [(vote["organisation"], vote["is_yes"]) for vote in answer["votes"]]
    assert votes == [("custodian", True), ("auditor-1", True), ("platform", False), ("auditor-2", True)]
    assert answer["code"] is None


async def test_proposals_are_listed_newest_first_and_by_status(client: httpx.AsyncClient, house: House) -> None:
    answer = (await client.get("/v1/proposals")).json()
    assert [item["proposal"] for item in answer["items"]] == house.proposals[::-1]
    assert answer["page"]["total"] == 2
    answer = (await client.get("/v1/proposals?status=open")).json()
    assert [item["proposal"] for item in answer["items"]] == house.proposals[:1]
    assert answer["items"][0]["payload"]["value"] == 300
    assert (await client.get("/v1/proposals?status=nothing")).status_code == 400


async def test_votes_that_are_missing_are_tasks_of_those_who_may_cast_them(
    client: httpx.AsyncClient, house: House
) -> None:
    items = (await client.get("/v1/tasks?plan=demo")).json()["items"]
    (task,) = [item for item in items if item["kind"] == "proposal_vote"]
    assert task["subject"] == house.proposals[0]
    assert task["organisations"] == ["platform", "auditor-1", "auditor-2"]
    assert task["roles"] == ["platform", "auditor"]
    assert task["is_overdue"] is False


async def test_an_unknown_proposal_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/proposals/" + "ab" * 32)).json()["code"] == "not_found"


async def test_organisations_are_those_of_genesis_and_those_let_in_later(
    client: httpx.AsyncClient, house: House
) -> None:
    items = (await client.get("/v1/organisations")).json()["items"]
    names = [organisation.name for organisation in house.world.chain.genesis.organisations]
    assert sorted(item["name"] for item in items) == sorted([*names, "assessor-9"])
    items = (await client.get("/v1/organisations?role=assessor")).json()["items"]
    assert [item["name"] for item in items if item["order"] == len(items) - 1] == ["assessor-9"]
    assert all(item["is_in_office"] and item["recovery_key"] is None for item in items)
    assert (await client.get("/v1/organisations?role=king")).status_code == 400


@pytest.mark.parametrize(
    ("operation_id", "path"),
    [
        ("listProposals", "/v1/proposals"),
        ("getProposal", "/v1/proposals/{proposal}"),
        ("listOrganisations", "/v1/organisations"),
    ],
)
async def test_real_answers_have_the_documented_form(
    client: httpx.AsyncClient, house: House, operation_id: str, path: str
) -> None:
    answer = await client.get(path.format(proposal=house.proposals[0]))
    documented = OPERATIONS[operation_id].answers[0].example
    assert isinstance(documented, Struct)
    decoded = msgspec.json.decode(answer.content, type=type(documented))
    assert msgspec.json.encode(decoded) == answer.content
