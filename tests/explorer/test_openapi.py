"""The OpenAPI document: complete, versioned by its operation ids, and true."""

import re

import httpx
import msgspec
import pytest
from msgspec import Struct

from chain.catalogue import get_entries
from explorer.openapi import build_schemas
from explorer.operations import OPERATIONS
from explorer.problems import Problem
from tests.explorer.world import World

OPERATION_IDS = {
    "getMeta", "listBlocks", "getBlock", "listTransactions", "getTransaction", "getReceipt", "getValidators",
    "listPlans", "getPlan", "listRules", "getContract", "listMembers", "getMember", "listClaims", "getClaim",
    "listSettlements",
    "listPayouts", "getConsensus", "getLiveness", "getReadiness", "getMetrics", "submitTransaction",
    "submitBatch", "putBlob", "listDeposits", "listStatements", "listInstructions", "listTasks", "getCalendar",
    "listReminders", "prepareTransaction", "simulateTransaction", "listEvidence", "getCheckpoint",
    "listProposals", "getProposal", "listOrganisations",
}  # fmt: skip
"""Part of the API: inside v1 only additions."""
SUBMIT_IDS = {"submitTransaction", "submitBatch", "putBlob", "prepareTransaction", "simulateTransaction"}


async def test_document_is_openapi_3_1_with_fixed_operation_ids(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    ids = [item["operationId"] for methods in document["paths"].values() for item in methods.values()]
    assert len(ids) == len(set(ids))
    assert set(ids) == OPERATION_IDS - SUBMIT_IDS
    assert set(OPERATIONS) == OPERATION_IDS


async def test_every_answer_has_an_example_a_schema_and_the_ledger_headers(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert any(status.startswith("2") for status in operation["responses"])
            for status, answer in operation["responses"].items():
                assert "Ledger-Height" in answer["headers"]
                for media_type, content in answer["content"].items():
                    assert "example" in content or content["examples"], (path, status)
                    if media_type.endswith("json"):
                        assert content["schema"]["$ref"].rpartition("/")[2] in schemas
                    if not status.startswith("2"):
                        assert media_type == "application/problem+json"


async def test_every_reference_of_the_document_leads_somewhere(client: httpx.AsyncClient) -> None:
    text = (await client.get("/openapi.json")).text
    names = set(re.findall(r'"#/components/schemas/([A-Za-z]+)"', text))
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert names <= set(schemas)
    assert "HTTPValidationError" not in text


async def test_examples_of_problems_come_from_the_catalogue(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    by_code = {entry.code: entry for entry in get_entries()}
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for content in answer["content"].values():
                    for code, example in content.get("examples", {}).items():
                        assert by_code[code].status == int(status) == example["value"]["status"]


def test_notes_under_fields_become_descriptions() -> None:
    schemas = build_schemas((Problem,))
    problem = schemas["Problem"]
    assert isinstance(problem, dict)
    assert "stable" in problem["properties"]["code"]["description"].lower()
    assert problem["additionalProperties"] is False


@pytest.mark.parametrize(
    ("operation_id", "path"),
    [
        ("getMeta", "/v1/meta"),
        ("listBlocks", "/v1/blocks"),
        ("getBlock", "/v1/blocks/5"),
        ("listTransactions", "/v1/transactions"),
        ("getTransaction", "/v1/transactions/{claim}"),
        ("getTransaction", "/v1/transactions/{member}"),
        ("getReceipt", "/v1/transactions/{member}/receipt"),
        ("getValidators", "/v1/validators"),
        ("listPlans", "/v1/plans"),
        ("getPlan", "/v1/plans/demo"),
        ("listMembers", "/v1/members"),
        ("getMember", "/v1/members/{member}"),
        ("listClaims", "/v1/claims"),
        ("getClaim", "/v1/claims/{claim}"),
        ("listSettlements", "/v1/settlements?proofs=true"),
        ("listPayouts", "/v1/payouts"),
        ("getConsensus", "/v1/consensus"),
        ("listEvidence", "/v1/evidence"),
        ("getLiveness", "/livez"),
        ("getReadiness", "/readyz"),
    ],
)
async def test_real_answers_have_the_documented_form(
    client: httpx.AsyncClient, world: World, operation_id: str, path: str
) -> None:
    answer = await client.get(path.format(claim=world.claim.hex(), member=world.members[0].hex()))
    documented = OPERATIONS[operation_id].answers[0].example
    assert isinstance(documented, Struct)
    decoded = msgspec.json.decode(answer.content, type=type(documented))
    # Nothing is lost on the way through the documented record: there is no field beside it.
    assert msgspec.json.encode(decoded) == answer.content
