"""Waiters: woken in time, bounded, and nothing stays behind of who went away."""

import asyncio
import time

import pytest

from chain.types import TxId
from node import waiting
from node.waiting import Waiters

TX = TxId(bytes(32))
OTHER = TxId(bytes([1]) * 32)


async def test_waiter_is_woken_when_its_transaction_is_settled() -> None:
    waiters = Waiters()
    tasks = [asyncio.create_task(waiters.wait_transaction(TX, 5_000)) for _ in range(3)]
    other = asyncio.create_task(waiters.wait_transaction(OTHER, 5_000))
    await asyncio.sleep(0)
    assert len(waiters) == 4
    waiters.on_settled([TX])
    await asyncio.wait_for(asyncio.gather(*tasks), 1)
    assert not other.done()
    waiters.on_settled([OTHER, TX])
    await asyncio.wait_for(other, 1)
    assert len(waiters) == 0


async def test_waiter_for_a_height_is_woken_by_that_or_a_higher_one() -> None:
    waiters = Waiters()
    low = asyncio.create_task(waiters.wait_height(5, 5_000))
    high = asyncio.create_task(waiters.wait_height(9, 5_000))
    await asyncio.sleep(0)
    waiters.on_height(4)
    await asyncio.sleep(0)
    assert not low.done()
    waiters.on_height(7)
    await asyncio.wait_for(low, 1)
    assert not high.done()
    waiters.on_height(9)
    await asyncio.wait_for(high, 1)


async def test_waiter_returns_after_its_time() -> None:
    waiters = Waiters()
    began = time.monotonic()
    await waiters.wait_transaction(TX, 30)
    await waiters.wait_height(1, 30)
    assert 0.05 <= time.monotonic() - began < 2
    assert len(waiters) == 0
    assert waiters._by_tx == {}
    assert waiters._by_height == {}


async def test_p23_waiter_that_is_cancelled_leaves_nothing_behind() -> None:
    waiters = Waiters()
    tasks = [asyncio.create_task(waiters.wait_transaction(TX, 60_000)) for _ in range(50)]
    tasks += [asyncio.create_task(waiters.wait_height(10, 60_000)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(waiters) == 0
    assert waiters._by_tx == {}
    assert waiters._by_height == {}


async def test_beyond_the_bound_a_caller_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 2)
    waiters = Waiters()
    tasks = [asyncio.create_task(waiters.wait_transaction(TX, 60_000)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(waiters.wait_transaction(OTHER, 60_000), 1)
    await asyncio.wait_for(waiters.wait_height(3, 60_000), 1)
    waiters.on_settled([TX])
    await asyncio.wait_for(asyncio.gather(*tasks), 1)


async def test_ten_thousand_time_outs_at_once_cost_little() -> None:
    waiters = Waiters()
    tasks = [asyncio.create_task(waiters.wait_transaction(TX, 50)) for _ in range(5_000)]
    tasks += [asyncio.create_task(waiters.wait_height(1, 50)) for _ in range(5_000)]
    began = time.process_time()
    await asyncio.gather(*tasks)
    assert time.process_time() - began < 3, "the cost must not grow with the square"
