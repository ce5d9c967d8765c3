"""Pages: rendered on the server, in two languages, without a script or anything from outside."""

import re

import httpx
import msgspec
import pytest

from chain.catalogue import get_entries
from explorer.app import build_app
from explorer.settings import ExplorerSettings
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.routes import PAGES
from tests.explorer.world import Condition, World

HTML = [path for path in PAGES if path not in {"/openapi.json", "/static/explorer.css"}]


@pytest.mark.parametrize("path", HTML)
async def test_page_holds_no_script_no_style_attribute_and_nothing_from_outside(
    client: httpx.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script|\son\w+=|\sstyle=|javascript:", page.text)
    for address in re.findall(r'(?:href|src)="([^"]*)"', page.text):
        assert address.startswith(("/", "#", "?")), address
        assert not address.startswith("//")


async def test_style_sheet_loads_nothing(client: httpx.AsyncClient) -> None:
    style = await client.get("/static/explorer.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize("path", HTML)
async def test_page_speaks_both_languages(client: httpx.AsyncClient, path: str) -> None:
    english = await client.get(path, headers={"accept-language": "en"})
    chinese = await client.get(path, headers={"accept-language": "zh-CN"})
    chosen = await client.get(f"{path}?lang=zh", headers={"accept-language": "en"})
    assert '<html lang="en">' in english.text
    assert '<html lang="zh">' in chinese.text
    assert chosen.text == chinese.text
    assert chinese.headers["content-language"] == "zh"


async def test_every_internal_link_of_the_pages_is_served(client: httpx.AsyncClient) -> None:
    found = {
        address.partition("#")[0]
        for path in HTML
        for address in re.findall(r'href="(/[^"]*)"', (await client.get(path)).text)
    }
    assert len(found) > 20
    for address in sorted(found):
        answer = await client.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200, address


async def test_every_code_has_the_page_that_its_problems_name(client: httpx.AsyncClient) -> None:
    for entry in get_entries():
        page = await client.get(f"/problems/{entry.code}")
        assert page.status_code == 200
        assert entry.title_en in page.text.replace("&#39;", "'")
    assert (await client.get("/problems/no_such_code")).status_code == 404


async def test_reference_shows_every_operation_with_its_example(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    page = (await client.get("/docs")).text
    for path, methods in document["paths"].items():
        assert path in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page


async def test_development_chain_is_shown_loudly_on_every_page(world: World, condition: Condition) -> None:
    genesis = msgspec.structs.replace(world.chain.genesis, clock=((0, 0), (1_000, 90_000)))

    class Accelerated:
        """The same chain under a genesis with a clock."""

        def __init__(self) -> None:
            self.genesis = genesis
            self.get_head = world.reader.get_head
            self.open_snapshot = world.reader.open_snapshot

    app = build_app(Accelerated(), condition, settings=SETTINGS)
    async with connect(app) as client:
        for path in HTML:
            assert "Development chain" in (await client.get(path)).text
    async with connect(build_app(world.reader, condition, settings=SETTINGS)) as client:
        for path in HTML:
            assert "Development chain" not in (await client.get(path)).text


async def test_clock_scale_is_the_present_slope(world: World, condition: Condition) -> None:
    genesis = msgspec.structs.replace(world.chain.genesis, clock=((0, 0), (1_000, 90_000)))

    class Accelerated:
        """The same chain under a genesis with a clock."""

        def __init__(self) -> None:
            self.genesis = genesis
            self.get_head = world.reader.get_head
            self.open_snapshot = world.reader.open_snapshot

    settings = ExplorerSettings(software_version="0", cursor_key=bytes(32), hosts=("*",), get_wall_ms=lambda: 500)
    async with connect(build_app(Accelerated(), condition, settings=settings)) as client:
        clock = (await client.get("/v1/meta")).json()["clock"]
    assert clock == {
        "is_accelerated": True,
        "block_ms": 89_000 + 1_000,
        "wall_ms": 1_000,
        "time": "1970-01-01T00:00:45.000Z",
    }
