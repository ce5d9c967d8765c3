"""Callers that wait for a transaction or a height: bounded, and never longer than they asked for."""

import asyncio
from collections.abc import Iterable

from chain.types import TxId

WAITERS_MAX = 10_000
"""Beyond it a caller is answered at once with the present state, as after a time-out."""


class Waiters:
    """Futures by what they wait for."""

    def __init__(self) -> None:
        self._by_tx: dict[TxId, list[asyncio.Future[None]]] = {}
        self._by_height: list[tuple[int, asyncio.Future[None]]] = []
        self._count = 0

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        """Return when the transaction is settled, or after the time."""
        if self._count >= WAITERS_MAX:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._by_tx.setdefault(tx_id, []).append(future)
        await self._wait(future, timeout_ms)
        waiting = self._by_tx.get(tx_id)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._by_tx[tx_id]

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        """Return when the head has this height, or after the time."""
        if self._count >= WAITERS_MAX:
            return
        entry = (height, asyncio.get_running_loop().create_future())
        self._by_height.append(entry)
        await self._wait(entry[1], timeout_ms)
        if entry in self._by_height:
            self._by_height.remove(entry)

    async def _wait(self, future: "asyncio.Future[None]", timeout_ms: int) -> None:
        self._count += 1
        try:
            await asyncio.wait((future,), timeout=timeout_ms / 1000)
        finally:
            self._count -= 1
            future.cancel()

    def on_settled(self, tx_ids: Iterable[TxId]) -> None:
        """Wake those who wait for transactions that were committed, expired or rejected."""
        for tx_id in tx_ids:
            for future in self._by_tx.pop(tx_id, ()):
                if not future.done():
                    future.set_result(None)

    def on_height(self, height: int) -> None:
        """Wake those who wait for a height up to this one."""
        reached = [entry for entry in self._by_height if entry[0] <= height]
        if reached:
            self._by_height = [entry for entry in self._by_height if entry[0] > height]
            for _, future in reached:
                if not future.done():
                    future.set_result(None)
