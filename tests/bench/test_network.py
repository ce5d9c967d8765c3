"""The load generator: what the nodes leave undone is told and makes no figure better."""

import asyncio
import contextlib
import dataclasses
from collections import deque
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from bench.__main__ import say_window
from bench.network import Driver, Meter, Watcher, get_percentile_ms, offer
from chain.contract.member_calls import MemberLeave
from chain.crypto import SigningKey
from chain.transaction import Transaction, build_transaction, decode_transaction
from node.processes import NodeProcesses

FINAL_MAX = 2
"""The node of these tests takes everything, makes one block of so many transactions, and stands still."""


def build_load(count: int) -> list[Transaction]:
    return [
        build_transaction(
            chain_id=bytes(32),
            nonce=bytes([number] * 16),
            valid_until_ms=1,
            call=MemberLeave(member=bytes(32)),
            key=SigningKey(bytes(32)),
        )
        for number in range(count)
    ]


class StallingNode:
    """Answers like a node over HTTP."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(200, text="")
        if request.method == "POST":
            ids = [decode_transaction(raw).tx_id.hex() for raw in msgspec.msgpack.decode(request.content)]
            self.taken.extend(ids)
            return httpx.Response(200, json={"items": [{"tx_id": tx_id, "status": "pending"} for tx_id in ids]})
        if request.url.path == "/v1/blocks/1" and len(self.taken) >= FINAL_MAX:
            return httpx.Response(200, json={"transactions": self.taken[:FINAL_MAX]})
        return httpx.Response(404, json={})


@pytest.fixture
async def driver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driver]:
    """A driver of a node that stands still after its first block."""
    monkeypatch.setattr("bench.network.SETTLE_SECONDS", 1.0)
    node = StallingNode()
    async with httpx.AsyncClient(transport=httpx.MockTransport(node.answer)) as http:
        yield Driver(urls=("http://node-0",), http=http, watcher=Watcher(url="http://node-0", http=http))


@contextlib.asynccontextmanager
async def follow(watcher: Watcher) -> AsyncIterator[None]:
    """Let the watcher run meanwhile."""
    following = asyncio.ensure_future(watcher.run())
    try:
        yield
    finally:
        following.cancel()


async def test_what_never_becomes_final_is_told_and_counts_as_slower_than_all_else(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    load = deque(transaction.raw for transaction in build_load(10))
    meter = Meter(NodeProcesses([], []), driver.watcher)
    await meter.reset()
    async with follow(driver.watcher):
        await offer(driver, load, rate=100, seconds=0.1)
    window = dataclasses.replace(await meter.read(), cpu_s=[0.0])
    figures = window.summarise()
    assert (figures["committed"], figures["not_final"]) == (FINAL_MAX, 8)
    assert (figures["finality_ms_p50"], figures["finality_ms_p99"]) == (None, None)
    say_window("offered", figures)
    assert "8 not final" in capsys.readouterr().out


async def test_what_was_given_up_is_not_waited_for_again_and_counts_in_its_own_window_alone(driver: Driver) -> None:
    load = deque(transaction.raw for transaction in build_load(10))
    meter = Meter(NodeProcesses([], []), driver.watcher)
    await offer(driver, load, rate=100, seconds=0.1)
    assert driver.watcher.not_final == 10
    assert await driver.watcher.wait_until(0, 0)
    await meter.reset()
    assert (await meter.read()).not_final == 0


def test_a_percentile_is_known_as_long_as_it_falls_on_what_was_final() -> None:
    assert get_percentile_ms([0.003, 0.001, 0.002], 50, not_final=1) == 3.0
    assert get_percentile_ms([0.003, 0.001, 0.002], 99, not_final=0) == 3.0
    assert get_percentile_ms([0.003, 0.001, 0.002], 99, not_final=1) is None
    assert get_percentile_ms([], 50, not_final=0) is None
