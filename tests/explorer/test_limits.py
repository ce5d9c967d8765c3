"""Limits: token buckets, body sizes and the body deadline, on every route."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from explorer.app import build_app
from explorer.limits import TokenBuckets, get_caller
from explorer.settings import ExplorerSettings, HttpLimits
from tests.explorer.conftest import connect
from tests.explorer.routes import list_routes
from tests.explorer.world import Condition, World

NS = 1_000_000_000


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def build(world: World, condition: Condition, limits: HttpLimits, clock: Clock | None = None) -> FastAPI:
    settings = ExplorerSettings(
        software_version="0",
        cursor_key=bytes(32),
        hosts=("*",),
        limits=limits,
        get_monotonic_ns=clock or Clock(),
    )
    return build_app(world.reader, condition, settings=settings)


# --- token buckets --------------------------------------------------------------------------------------------------


def test_bucket_grants_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(HttpLimits(requests_per_s=2, requests_burst=3), clock)
    assert [buckets.take("a").is_granted for _ in range(4)] == [True, True, True, False]
    refused = buckets.take("a")
    assert (refused.remaining, refused.retry_s) == (0, 1)
    clock.ns = NS // 2
    assert [buckets.take("a").is_granted for _ in range(2)] == [True, False]
    clock.ns = 1_000 * NS
    assert [buckets.take("a").is_granted for _ in range(4)] == [True, True, True, False]


def test_one_address_takes_nothing_from_another() -> None:
    buckets = TokenBuckets(HttpLimits(requests_per_s=1, requests_burst=1), Clock())
    assert buckets.take("a").is_granted
    assert not buckets.take("a").is_granted
    assert buckets.take("b").is_granted


def test_table_of_addresses_is_bounded_and_forgets_the_longest_unused() -> None:
    buckets = TokenBuckets(HttpLimits(requests_per_s=1, requests_burst=1, addresses_max=2), Clock())
    for address in ("a", "b", "a", "c"):
        buckets.take(address)
    assert len(buckets) == 2
    assert not buckets.take("a").is_granted
    assert buckets.take("b").is_granted


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8:0:0::/64"),
        ("::1", "0:0:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"),
    ],
)
def test_callers_of_one_ipv6_network_share_a_bucket(host: str, caller: str) -> None:
    assert get_caller({"type": "http", "client": (host, 1)}) == caller


async def test_empty_bucket_is_429_with_retry_after_and_every_answer_shows_the_bucket(
    world: World, condition: Condition
) -> None:
    clock = Clock()
    limits = HttpLimits(requests_per_s=1, requests_burst=2)
    async with connect(build(world, condition, limits, clock)) as client:
        first = await client.get("/livez")
        assert first.headers["ratelimit-policy"] == '"requests";q=2;w=2'
        assert first.headers["ratelimit"] == '"requests";r=1;t=1'
        await client.get("/livez")
        refused = await client.get("/livez")
        assert refused.status_code == 429
        assert refused.json()["code"] == "quota_exceeded"
        assert int(refused.headers["retry-after"]) == 1
        clock.ns = NS
        assert (await client.get("/livez")).status_code == 200


# --- bodies ---------------------------------------------------------------------------------------------------------


async def test_a3_announced_body_that_is_too_large_is_refused_on_every_route(
    world: World, condition: Condition
) -> None:
    async with connect(build(world, condition, HttpLimits())) as client:
        for _, path in [*await list_routes(client), ("GET", "/nothing")]:
            answer = await client.post(path, content=b"x" * (96 * 1024 + 1))
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), path
            assert answer.headers["connection"] == "close"


async def test_a3_unannounced_body_that_is_too_large_is_refused_on_every_route(
    world: World, condition: Condition
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 4_096

    async with connect(build(world, condition, HttpLimits())) as client:
        for _, path in [*await list_routes(client), ("GET", "/nothing")]:
            answer = await client.put(path, content=pieces())
            assert answer.status_code == 413, path


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"9" * 5_000, b"\xb2"])
async def test_a8_content_length_that_is_no_number_is_refused(
    world: World, condition: Condition, length: bytes
) -> None:
    sent = await run(build(world, condition, HttpLimits()), headers=[(b"content-length", length)], messages=[])
    assert sent[0]["status"] == 400


async def run(
    app: FastAPI, *, headers: list[tuple[bytes, bytes]], messages: list[Message], path: str = "/v1/meta"
) -> list[Message]:
    """Run one POST by hand; when the messages are used up the caller stays silent."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.9", 1),
        "server": ("127.0.0.1", 80),
    }
    waiting = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in waiting:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a2_body_that_does_not_end_is_408_after_the_deadline(world: World, condition: Condition) -> None:
    app = build(world, condition, HttpLimits(body_timeout_ms=50))
    sent = await run(app, headers=[], messages=[{"type": "http.request", "body": b"x", "more_body": True}])
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_a2_no_trickle_prolongs_the_deadline(world: World, condition: Condition) -> None:
    app = build(world, condition, HttpLimits(body_timeout_ms=100))
    count = 0

    async def trickle() -> Message:
        nonlocal count
        count += 1
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    async with asyncio.timeout(5):
        await app(scope, trickle, send)
    assert sent[0]["status"] == 408
    assert 1 < count < 60


async def test_caller_who_goes_away_in_his_body_is_forgotten(world: World, condition: Condition) -> None:
    app = build(world, condition, HttpLimits())
    messages: list[Message] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert await run(app, headers=[], messages=messages) == []


async def test_bodies_of_all_callers_together_are_bounded(world: World, condition: Condition) -> None:
    limits = HttpLimits(bodies_bytes_max=100_000, body_timeout_ms=200)
    app = build(world, condition, limits)
    half: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]
    announced = [(b"content-length", b"60000")]
    async with asyncio.TaskGroup() as group:
        first = group.create_task(run(app, headers=announced, messages=half))
        await asyncio.sleep(0)
        second = group.create_task(run(app, headers=announced, messages=half))
    assert first.result()[0]["status"] == 408
    assert second.result()[0]["status"] == 503
    # What was reserved is given back.
    async with connect(app) as client:
        assert (await client.post("/v1/meta", content=b"x" * 60_000)).status_code == 405


async def test_lists_that_wait_for_a_reader_are_bounded(world: World, condition: Condition) -> None:
    limits = HttpLimits(readers_max=1, readers_waiting_max=2)
    async with connect(build(world, condition, limits)) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.get("/v1/blocks?limit=500")) for _ in range(6)]
    statuses = sorted(task.result().status_code for task in tasks)
    assert statuses[:2] == [200, 200]
    assert statuses[-1] == 503
    refused: list[httpx.Response] = [task.result() for task in tasks if task.result().status_code == 503]
    assert refused[0].json()["code"] == "overloaded"
    assert "retry-after" in refused[0].headers
