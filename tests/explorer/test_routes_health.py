"""Alive, ready, why there is no block, metrics."""

import httpx
import pytest
from fastapi import FastAPI

from chain.errors import StoreError
from explorer.app import build_app
from explorer.reader import ReadyCondition
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import BrokenReader, Condition, World


async def test_liveness_depends_on_nothing(world: World, condition: Condition) -> None:
    condition.ready = (ReadyCondition(name="disk_space", is_met=False, detail="0 GB"),)
    async with connect(build_app(world.reader, condition, settings=SETTINGS)) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_readiness_says_which_condition_fails(client: httpx.AsyncClient, condition: Condition) -> None:
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    condition.ready = (
        *condition.ready[:2],
        ReadyCondition(name="disk_space", is_met=False, detail="0.4 GB, at least 1 GB"),
    )
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    body = answer.json()
    assert body["code"] == "not_ready"
    assert "disk_space" in body["detail"]
    assert [item["name"] for item in body["conditions"] if not item["is_met"]] == ["disk_space"]
    assert int(answer.headers["retry-after"]) > 0


async def test_consensus_names_the_missing_vote(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/consensus")).json()
    assert body["missing"] == ["auditor-2"]
    assert body["timers"] == [{"name": "view", "remaining_ms": 900}]
    assert "COMMIT" in body["reason"]


async def test_evidence_holds_all_that_a_stranger_needs_to_verify_it(client: httpx.AsyncClient) -> None:
    (found,) = (await client.get("/v1/evidence")).json()["items"]
    assert (found["validator"], found["kind"], found["height"], found["view"]) == ("00" * 32, "commit", 7, 1)
    assert bytes.fromhex(found["first"]["signed"]) == b"tag\nbody"
    assert found["first"]["body"] != found["second"]["body"]
    assert len(bytes.fromhex(found["second"]["signature"])) == 64


async def test_checkpoint_is_served_as_a_signed_note_and_missing_before_the_first(
    client: httpx.AsyncClient, condition: Condition
) -> None:
    answer = await client.get("/log/checkpoint")
    assert (answer.status_code, answer.content) == (200, condition.checkpoint)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    condition.checkpoint = None
    missing = await client.get("/log/checkpoint")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_metrics_are_passed_through_with_their_media_type(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.text == "gongji_height 39\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("path", ["/v1/meta", "/v1/blocks", "/v1/members"])
async def test_damaged_store_is_reported_to_the_node_and_not_described_to_callers(
    world: World, condition: Condition, path: str
) -> None:
    app: FastAPI = build_app(BrokenReader(world.reader), condition, settings=SETTINGS)
    async with connect(app) as client:
        answer = await client.get(path)
    assert answer.status_code == 500
    body = answer.json()
    assert (body["code"], body["detail"]) == ("internal", "The node failed to answer")
    assert "ldb" not in answer.text
    assert isinstance(condition.damage[0], StoreError)
    assert answer.headers["ledger-height"] == str(world.chain.ledger.height)
