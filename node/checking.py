"""One candidate at a time on its way to a verdict: bodies and blobs awaited, a future timestamp held (consensus 4)."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from chain.errors import InvalidBlock
from chain.validation import BlobMissing, HeldUntil
from consensus.effects import CheckBlock
from consensus.events import Checked, Event, Verdict
from node.block_work import BlockWorker
from node.candidates import BodiesMissing, Candidates, RootMismatch
from node.ports import Clock, Fetcher

CHECK_RETRY_MS = 40
"""How soon a check is tried again that waits for bodies or a blob: gossip brings them one frame at a time."""
HELD_RETRY_MS = 250
"""How soon a block from the future is looked at again at the latest: the wall clock may be set meanwhile."""
BODIES_WAIT_MS = 3_000
"""How long a check waits for bodies before it is answered UNAVAILABLE."""


class Owner(Protocol):
    """The runtime."""

    candidates: Candidates
    fetcher: Fetcher | None

    def answer(self, event: Event) -> None:
        """Add the answer to an effect."""

    def run_guarded(self, work: Callable[[], None]) -> None:
        """Do something that a timer asked for."""

    def times(self) -> tuple[int, int]:
        """Return (monotonic ms, wall ms)."""

    def get_height(self) -> int:
        """Return the height of the durable head."""


class Checking:
    """The newest `CheckBlock`; an older one is dropped, the core does not wait for it."""

    def __init__(self, owner: Owner, *, worker: BlockWorker, clock: Clock) -> None:
        self._owner = owner
        self._worker = worker
        self._clock = clock
        self._check: CheckBlock | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._deadline_ms = 0

    @property
    def is_waiting(self) -> bool:
        """Tell whether a check has no verdict yet."""
        return self._check is not None

    def begin(self, check: CheckBlock) -> None:
        """Take a check up in place of an older one."""
        self._owner.candidates.add_content(check.content)
        self._check = check
        self._deadline_ms = self._clock.now_ms() + BODIES_WAIT_MS
        self.try_again()

    def cancel(self) -> None:
        """Forget it: the height is committed, or the node stops."""
        self._check = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def try_again(self) -> None:
        """Validate with what is here now."""
        check = self._check
        if check is None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if check.height != self._owner.get_height() + 1:
            self._check = None
            return
        fetcher = self._owner.fetcher
        try:
            self._worker.validate(check.content, is_fresh=check.is_fresh)
        except HeldUntil as held:
            self._deadline_ms = self._clock.now_ms() + BODIES_WAIT_MS
            self._retry(min(max(1, held.wall_ms - self._clock.wall_ms()), HELD_RETRY_MS))
        except BodiesMissing as missing:
            if fetcher is not None:
                fetcher.want_bodies(missing.tx_ids, check.holders)
            self._wait_for_parts(check, "bodies are missing")
        except BlobMissing:
            if fetcher is not None:
                fetcher.want_blobs(self._worker.find_missing_blobs(check.content), check.holders)
            self._wait_for_parts(check, "a blob is missing")
        except RootMismatch:
            self._answer(check, Verdict.UNAVAILABLE, "the listed transactions do not match the root")
        except InvalidBlock as error:
            self._answer(check, Verdict.INVALID, str(error))
        else:
            self._answer(check, Verdict.VALID, "")

    def _wait_for_parts(self, check: CheckBlock, reason: str) -> None:
        if self._clock.now_ms() >= self._deadline_ms:
            self._answer(check, Verdict.UNAVAILABLE, reason)
        else:
            self._retry(CHECK_RETRY_MS)

    def _retry(self, delay_ms: int) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(delay_ms / 1000, self._owner.run_guarded, self.try_again)

    def _answer(self, check: CheckBlock, verdict: Verdict, reason: str) -> None:
        self._check = None
        now, wall = self._owner.times()
        self._owner.answer(
            Checked(
                height=check.height,
                view=check.view,
                block_hash=check.block_hash,
                is_fresh=check.is_fresh,
                verdict=verdict,
                reason=reason,
                now_ms=now,
                wall_ms=wall,
            )
        )
