"""What every answer has, and what the outermost layer refuses."""

import httpx
import pytest
from fastapi import FastAPI

from explorer.app import build_app
from explorer.edge import CONTENT_SECURITY_POLICY
from explorer.settings import ExplorerSettings
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.routes import list_routes
from tests.explorer.world import Condition, World


async def test_every_answer_says_which_state_answered(client: httpx.AsyncClient, world: World) -> None:
    ledger = world.chain.ledger
    for method, path in [*await list_routes(client), ("GET", "/nothing"), ("DELETE", "/v1/meta")]:
        answer = await client.request(method, path)
        assert answer.headers["ledger-height"] == str(ledger.height), path
        assert answer.headers["ledger-root"] == ledger.header.state_root.hex(), path
        assert answer.headers["ledger-time"] == "2026-01-31T16:00:05.000Z", path


async def test_a13_every_answer_forbids_scripts_frames_and_foreign_origins(client: httpx.AsyncClient) -> None:
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "script-src" not in CONTENT_SECURITY_POLICY
    for method, path in [*await list_routes(client), ("GET", "/nothing")]:
        answer = await client.request(method, path, headers={"origin": "https://other.test"})
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_preflight_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"origin": "https://other.test", "access-control-request-method": "POST"}
    answer = await client.options("/v1/transactions", headers=headers)
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.test", "node.test.evil.test", "evil.test/node.test", "", "node.test@evil.test", "[::2]:80"]
)
async def test_a6_foreign_host_is_refused_on_every_route(client: httpx.AsyncClient, host: str) -> None:
    for method, path in await list_routes(client):
        answer = await client.request(method, path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "host_unknown")


async def test_a6_path_is_taken_from_the_request_line_and_never_from_the_host(
    world: World, condition: Condition
) -> None:
    settings = ExplorerSettings(software_version="0", cursor_key=bytes(32), hosts=("*",))
    async with connect(build_app(world.reader, condition, settings=settings)) as client:
        for host in ("x/v1/meta?", "x#", "x\\", "evil.test"):
            answer = await client.get("/v1/blocks?limit=1", headers={"host": host})
            assert answer.status_code == 200
            assert "evil.test" not in answer.text + str(answer.headers)
            assert answer.headers["link"].startswith("</v1/blocks?")


@pytest.mark.parametrize("host", ["node.test", "node.test:8080", "NODE.TEST", "127.0.0.1:9"])
async def test_own_host_is_served_with_any_port(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/livez", headers={"host": host})).status_code == 200


async def test_a13_host_and_path_never_reach_a_page_unescaped(client: httpx.AsyncClient) -> None:
    for path in ("/problems/%3Cscript%3E", "/docs?lang=%3Cscript%3E", "/v1/members?plan=%3Cscript%3E"):
        answer = await client.get(path)
        assert answer.status_code == 400
        assert "<script>" not in answer.text or answer.headers["content-type"].endswith("json")
    page = await client.get("/", headers={"x-request-id": "<script>"})
    assert "<script" not in page.text


async def test_head_answers_like_get_without_a_body(client: httpx.AsyncClient) -> None:
    for path in ("/v1/blocks/1", "/docs", "/livez", "/nothing"):
        head, get = await client.head(path), await client.get(path)
        assert head.content == b""
        assert head.status_code == get.status_code
        assert head.headers["content-length"] == get.headers["content-length"]


async def test_known_etag_is_answered_304_with_the_ledger_headers(client: httpx.AsyncClient) -> None:
    for path in ("/v1/blocks/1", "/v1/plans/demo", "/openapi.json"):
        first = await client.get(path)
        etag = first.headers["etag"]
        again = await client.get(path, headers={"if-none-match": f'"other", {etag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["ledger-height"] == first.headers["ledger-height"]
        assert (await client.get(path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_min_height_that_is_reached_is_answered_at_once(
    client: httpx.AsyncClient, condition: Condition, world: World
) -> None:
    answer = await client.get(f"/v1/meta?min_height={world.chain.ledger.height}")
    assert answer.status_code == 200
    assert condition.waits == []


async def test_requests_are_observed_by_the_pattern_of_their_route(world: World, condition: Condition) -> None:
    seen: list[tuple[str, str, int]] = []
    settings = ExplorerSettings(
        software_version="0",
        cursor_key=bytes(32),
        hosts=("*",),
        observe=lambda method, path, status, microseconds: seen.append((method, path, status)),
    )
    app: FastAPI = build_app(world.reader, condition, settings=settings)
    async with connect(app) as client:
        await client.get("/v1/blocks/1")
        await client.get("/v1/blocks/999999")
        await client.get("/random/12345")
        await client.get("/v1/members/" + "00" * 32)
    assert seen == [
        ("GET", "/v1/blocks/{height}", 200),
        ("GET", "/v1/blocks/{height}", 404),
        ("GET", "none", 404),
        ("GET", "/v1/members/{member}", 404),
    ]


async def test_ids_of_requests_differ(world: World, condition: Condition) -> None:
    async with connect(build_app(world.reader, condition, settings=SETTINGS)) as client:
        ids = [(await client.get("/livez")).headers["x-request-id"] for _ in range(5)]
    assert len(set(ids)) == 5
