"""One performance of the demo against real nodes, from the first applicant to the verdict, and the encore
after it.

    fast part      block time runs a day in 0.7 s until the last day of the demo
    curtain        block time is real again: what is under way becomes final, nobody starts anything that needs days
    verdict        everything is read back and checked
    encore         the institutions go on, so that the bank's statements keep the plan from freezing
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from chain.crypto import SigningKey
from chain.genesis import Genesis, compute_chain_id
from node.client_errors import ClientError
from node.demo.books import load_books, save_books
from node.demo.checks import Check, run_checks
from node.demo.report import Report
from node.demo.rest_backend import RestBackend
from node.demo.rest_report import load_report
from node.demo.stage import Stage, build_cast

TICK_SECONDS = 0.3
ENCORE_TICK_SECONDS = 2.0
QUIET_TICKS = 6
"""Ticks without an order and without anything in flight after which the curtain falls."""
CURTAIN_SECONDS = 60.0
FAILED_TICKS_MAX = 400
"""Ticks in a row without an answer from any node after which the demo gives up."""
VALIDITY_SHARE = (3, 4)


class Script(Struct, frozen=True):
    """What is played."""

    seed: int = 1
    members: int = 1_200
    days: int = 367


class Progress(Struct, frozen=True):
    """Where the performance stands, for the status line."""

    act: str
    """joining, playing, curtain, verdict, encore."""
    day: int
    days: int
    sent: int
    in_flight: int
    joined: int
    period: int
    trouble: str
    """What keeps the actors from reading or sending, empty where nothing does."""


class Verdict(Struct, frozen=True):
    """The end of a performance."""

    report: Report
    checks: tuple[Check, ...]
    abandoned: dict[str, int]
    """Acts that were given up, by code: of interest where a check fails."""

    @property
    def is_met(self) -> bool:
        """Tell whether every check holds."""
        return all(check.is_met for check in self.checks)


class Performance:
    """The demo on its way."""

    def __init__(
        self,
        urls: Sequence[str],
        genesis: Genesis,
        keys: Mapping[str, SigningKey],
        script: Script,
        *,
        books_path: Path,
        show: Callable[[Progress], None],
    ) -> None:
        """Prepare the actors; `keys` by organisation, `books_path` keeps the bank's books for a later
        encore."""
        cast, world = build_cast(genesis, keys, seed=script.seed, members=script.members, days=script.days)
        share, of = VALIDITY_SHARE
        self.backend = RestBackend(urls, plan=world.plan_name)
        self.stage = Stage(
            self.backend,
            cast,
            world,
            chain_id=compute_chain_id(genesis),
            validity_ms=genesis.parameters.validity_window_ms * share // of,
        )
        self._script = script
        self._books_path = books_path
        self._show = show
        self._failed_ticks = 0
        self._trouble = ""

    async def close(self) -> None:
        """Close the connections."""
        await self.backend.close()

    async def play(self) -> Verdict:
        """Play until the verdict; raise `ClientError` where the nodes stay silent for too long."""
        world = self.stage.world
        while world.demo_day < self._script.days:
            await self._tick("joining" if world.demo_day == 0 else "playing", TICK_SECONDS)
        await self._draw_curtain()
        self._report("verdict")
        script, cast = self._script, self.stage.cast
        report = await load_report(self.backend.reader, self.backend.urls, plan=world.plan_name)
        checks = run_checks(
            report, cast.bank.books, sent_in=cast.registry.paid_in, codes=self.stage.codes, days=script.days
        )
        save_books(cast.bank.books, self._books_path)
        return Verdict(report=report, checks=tuple(checks), abandoned=cast.count_abandoned())

    async def go_on(self) -> None:
        """Let the actors live on in real time until this is cancelled."""
        books = self.stage.cast.bank.books
        while True:
            closed = books.closed_day
            await self._tick("encore", ENCORE_TICK_SECONDS)
            if books.closed_day != closed:
                save_books(books, self._books_path)

    def resume(self) -> bool:
        """Take over the bank's books of an earlier performance; False where there are none."""
        books = load_books(self._books_path)
        if books is None:
            return False
        self.stage.cast.bank.books = books
        self.stage.cast.members.retire()
        return True

    async def _draw_curtain(self) -> None:
        deadline = time.monotonic() + CURTAIN_SECONDS
        quiet = 0
        while quiet < QUIET_TICKS and time.monotonic() < deadline:
            sent = self.stage.sent
            await self._tick("curtain", TICK_SECONDS)
            is_quiet = self.stage.sent == sent and self.stage.in_flight == 0 and self.stage.cast.bank.is_idle
            quiet = quiet + 1 if is_quiet else 0

    async def _tick(self, act: str, seconds: float) -> None:
        began = time.monotonic()
        try:
            await self.stage.tick()
            self._failed_ticks, self._trouble = 0, ""
        except ClientError as error:
            self._failed_ticks, self._trouble = self._failed_ticks + 1, str(error)
            if self._failed_ticks > FAILED_TICKS_MAX:
                raise
        self._report(act)
        await asyncio.sleep(max(0.02, seconds - (time.monotonic() - began)))

    def _report(self, act: str) -> None:
        stage, world = self.stage, self.stage.world
        self._show(
            Progress(
                act=act,
                day=min(world.demo_day, self._script.days) if world.time_ms else 0,
                days=self._script.days,
                sent=stage.sent,
                in_flight=stage.in_flight,
                joined=stage.cast.members.joined,
                period=world.plan.period,
                trouble=self._trouble or self.backend.trouble,
            )
        )
