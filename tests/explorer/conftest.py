"""One chain for all tests of the explorer, and clients of applications over it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from explorer.app import build_app
from explorer.settings import ExplorerSettings, HttpLimits
from node.contract_source import read_contract_source
from tests.explorer.world import Condition, World

SETTINGS = ExplorerSettings(
    software_version="0.0.0-test",
    cursor_key=bytes(range(32)),
    hosts=("node.test", "127.0.0.1"),
    limits=HttpLimits(requests_burst=1_000_000),
    contract=read_contract_source(),
)


def connect(app: FastAPI) -> httpx.AsyncClient:
    """Return a client that talks to an application in this process; exceptions stay where they are."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.1", 4_000))
    return httpx.AsyncClient(transport=transport, base_url="http://node.test")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The chain: read only, but for tests that add a block and say so."""
    path: Path = tmp_path_factory.mktemp("explorer") / "db"
    world = World(path)
    world.play()
    yield world
    world.close()


@pytest.fixture(scope="session")
def shared_condition() -> Condition:
    return Condition()


@pytest.fixture
def condition(shared_condition: Condition) -> Condition:
    shared_condition.reset()
    return shared_condition


@pytest.fixture(scope="session")
def app(world: World, shared_condition: Condition) -> FastAPI:
    """One application for all tests: to build it takes longer than any of them."""
    return build_app(world.reader, shared_condition, settings=SETTINGS)


@pytest.fixture
async def client(app: FastAPI, condition: Condition) -> AsyncIterator[httpx.AsyncClient]:
    del condition  # fresh for each test
    async with connect(app) as client:
        yield client


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[World, httpx.AsyncClient]]:
    """A chain for one test to go on with, and a client of it."""
    world = World(tmp_path / "db")
    world.play()
    async with connect(build_app(world.reader, Condition(), settings=SETTINGS)) as client:
        yield world, client
    world.close()
