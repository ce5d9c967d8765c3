"""Callers that wait for a transaction or a height: bounded, and never longer than they asked for."""

import asyncio
from collections.abc import Iterable

from chain.types import TxId

WAITERS_MAX = 10_000
"""Beyond it a caller is answered at once with the present state, as after a time-out."""

Wake = asyncio.Future[None]


class Waiters:
    """Futures by what they wait for; who is cancelled leaves nothing behind."""

    def __init__(self) -> None:
        self._by_tx: dict[TxId, dict[Wake, None]] = {}
        self._by_height: dict[Wake, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        """Return when the transaction is settled, or after the time."""
        if self._count >= WAITERS_MAX:
            return
        wake: Wake = asyncio.get_running_loop().create_future()
        self._by_tx.setdefault(tx_id, {})[wake] = None
        try:
            await self._wait(wake, timeout_ms)
        finally:
            waiting = self._by_tx.get(tx_id)
            if waiting is not None:
                waiting.pop(wake, None)
                if not waiting:
                    del self._by_tx[tx_id]

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        """Return when the head has this height, or after the time."""
        if self._count >= WAITERS_MAX:
            return
        wake: Wake = asyncio.get_running_loop().create_future()
        self._by_height[wake] = height
        try:
            await self._wait(wake, timeout_ms)
        finally:
            self._by_height.pop(wake, None)

    async def _wait(self, wake: Wake, timeout_ms: int) -> None:
        self._count += 1
        try:
            await asyncio.wait((wake,), timeout=timeout_ms / 1000)
        finally:
            self._count -= 1
            wake.cancel()

    def on_settled(self, tx_ids: Iterable[TxId]) -> None:
        """Wake those who wait for transactions that were committed, expired or rejected."""
        for tx_id in tx_ids:
            for wake in self._by_tx.pop(tx_id, ()):
                if not wake.done():
                    wake.set_result(None)

    def on_height(self, height: int) -> None:
        """Wake those who wait for a height up to this one."""
        for wake in [wake for wake, wanted in self._by_height.items() if wanted <= height]:
            del self._by_height[wake]
            if not wake.done():
                wake.set_result(None)
