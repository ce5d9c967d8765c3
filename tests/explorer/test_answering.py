"""One answer, one height: whatever the chain does meanwhile (pitfalls A14)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from explorer.app import build_app
from explorer.reader import Head
from node.reader import StoreSnapshot
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import DEPOSIT_FEN, Condition, World


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "db")
    world.play()
    yield world
    world.close()


class Racing:
    """A reader under which a block is committed between the snapshot and the answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.genesis = world.chain.genesis

    def get_head(self) -> Head:
        return self.world.reader.get_head()

    def open_snapshot(self) -> StoreSnapshot:
        snapshot = self.world.reader.open_snapshot()
        self.world.add(self.world.deposit([3], amount=1))
        return snapshot


PATHS = ("/v1/meta", "/v1/blocks?limit=1", "/v1/plans/demo", "/v1/validators", "/v1/transactions?limit=1")


@pytest.mark.parametrize("path", PATHS)
async def test_a14_headers_tell_the_height_of_the_snapshot_and_not_of_the_moment(growing: World, path: str) -> None:
    height = growing.chain.ledger.height
    root = growing.chain.ledger.header.state_root.hex()
    async with connect(build_app(Racing(growing), Condition(), settings=SETTINGS)) as client:
        answer = await client.get(path)
    assert growing.chain.ledger.height == height + 1
    assert (answer.headers["ledger-height"], answer.headers["ledger-root"]) == (str(height), root)
    body = answer.json()
    assert body.get("height", height) in {height, height + 1}
    if "page" in body:
        assert body["page"]["as_of_height"] == height
        assert body["items"][0]["height"] == height


async def test_a14_money_of_a_pool_adds_up_in_every_answer_while_deposits_come_in(growing: World) -> None:
    seen: list[tuple[int, int]] = []
    app: FastAPI = build_app(Racing(growing), Condition(), settings=SETTINGS)
    async with connect(app) as client:
        for _ in range(10):
            answer = await client.get("/v1/plans/demo")
            pool = answer.json()["pools"][0]
            member_money = int(pool["member_money"]["amount"])
            assert int(pool["count"]["money"]["amount"]) == member_money
            assert int(pool["cash"]["amount"]) == member_money + DEPOSIT_FEN
            seen.append((int(answer.headers["ledger-height"]), member_money))
    assert seen == [(seen[0][0] + number, seen[0][1] + number) for number in range(10)]


async def test_a14_heights_of_one_caller_never_go_back(growing: World) -> None:
    app = build_app(growing.reader, Condition(), settings=SETTINGS)

    async def grow() -> None:
        for _ in range(15):
            growing.add(growing.deposit([3], amount=1))
            await asyncio.sleep(0)

    heights: list[int] = []
    async with connect(app) as client, asyncio.TaskGroup() as group:
        group.create_task(grow())
        for path in (*PATHS, "/livez", "/nothing", "/v1/members?limit=500") * 3:
            heights.append(int((await client.get(path)).headers["ledger-height"]))
    assert heights == sorted(heights)
    assert heights[-1] > heights[0]


async def test_pages_of_a_growing_list_show_the_height_at_which_it_began(growing: World) -> None:
    app = build_app(growing.reader, Condition(), settings=SETTINGS)
    began = growing.chain.ledger.height
    async with connect(app) as client:
        first = (await client.get("/v1/blocks?limit=20")).json()
        growing.add()
        growing.add()
        second = (await client.get(f"/v1/blocks?limit=20&cursor={first['page']['next']}")).json()
        back = (await client.get(f"/v1/blocks?limit=20&cursor={second['page']['prev']}")).json()
    assert [item["height"] for item in first["items"] + second["items"]] == list(range(began, -1, -1))
    assert back["items"] == first["items"]
    assert second["page"]["as_of_height"] == began


async def test_waiting_for_a_height_ends_when_it_is_reached(growing: World) -> None:
    condition = Condition()
    app = build_app(growing.reader, condition, settings=SETTINGS)
    wanted = growing.chain.ledger.height + 1
    async with connect(app) as client, asyncio.TaskGroup() as group:
        task: asyncio.Task[httpx.Response] = group.create_task(client.get(f"/v1/meta?min_height={wanted}"))
        while not condition.waits:  # noqa: ASYNC110 - the request has to come as far as its wait
            await asyncio.sleep(0)
        growing.add()
        condition.changed.set()
    assert task.result().status_code == 200
    assert task.result().headers["ledger-height"] == str(wanted)
