"""The core's timers in the event loop: each exists at most once, and a stale one is known by its token."""

import asyncio
from collections.abc import Callable

from consensus.effects import CancelTimer, SetTimer
from consensus.events import TimerId


class CoreTimers:
    """Start and stop what the core asks for."""

    def __init__(self, on_expiry: Callable[[TimerId, int], None]) -> None:
        self._on_expiry = on_expiry
        self._handles: dict[TimerId, asyncio.TimerHandle] = {}

    def apply(self, timer: SetTimer | CancelTimer) -> None:
        """Start a timer in place of an older one of its id, or stop it."""
        handle = self._handles.pop(timer.timer, None)
        if handle is not None:
            handle.cancel()
        if isinstance(timer, SetTimer):
            loop = asyncio.get_running_loop()
            seconds = timer.duration_ms / 1000
            self._handles[timer.timer] = loop.call_later(seconds, self._on_expiry, timer.timer, timer.token)

    def cancel_all(self) -> None:
        """Stop all: the node ends."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
