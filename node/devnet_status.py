"""The live status line of a development network: what an operator wants to see without asking."""

import asyncio
import time
from collections.abc import Callable, Sequence

import httpx
from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text

from node.client import AsyncClient
from node.client_errors import ClientError
from node.client_wire import JsonObject
from node.demo.answers import read_int, read_list, read_object, read_text
from node.demo.performance import Progress
from node.processes import NodeProcesses

POLL_SECONDS = 0.5
BLOCKS_LOOKED_AT = 50
RATE_SECONDS = 2.0


class Reading(Struct):
    """What the status line shows; the newest values that could be read."""

    height: int = 0
    view: int = 0
    leader: str = "-"
    pending: int = 0
    peers: str = "-"
    block_time: str = "-"
    tx_per_s: float = 0.0
    reason: str = "starting"
    transactions: int = 0
    """Counted since the start."""
    seen_height: int = 0


class StatusLine:
    """Polls one node after another and renders one line, a second one for the demo, and who is down."""

    def __init__(self, processes: NodeProcesses, *, clock_note: str) -> None:
        self._processes = processes
        self._clock_note = clock_note
        self._reading = Reading()
        self._marks: list[tuple[float, int]] = []
        self.progress: Progress | None = None
        self.first_final_s: float | None = None
        """Seconds from the start until a first transaction was final."""
        self._began = time.monotonic()
        self._restarted: set[int] = set()
        """Nodes that ended here and answer again."""

    async def run(self, refresh: Callable[[RenderableType], None]) -> None:
        """Poll and show until this is cancelled."""
        async with AsyncClient(self._processes.urls) as client, httpx.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    await self._poll(client)
                except ClientError as error:
                    self._reading.reason = f"no node answers: {error}"
                await self._look_for_restarted(http)
                refresh(self.render())
                await asyncio.sleep(POLL_SECONDS)

    async def _look_for_restarted(self, http: httpx.AsyncClient) -> None:
        """Somebody may start a node again by hand that ended here."""
        for index, node in enumerate(self._processes.nodes):
            if node.exit_code is None:
                continue
            try:
                answer = await http.get(f"{node.url}/livez", timeout=1.0)
            except httpx.HTTPError:
                self._restarted.discard(index)
            else:
                if answer.status_code == 200:
                    self._restarted.add(index)

    async def _poll(self, client: AsyncClient) -> None:
        reading = self._reading
        consensus = await client.get("/v1/consensus")
        reading.view = read_int(consensus, "view")
        reading.leader = str(consensus.get("leader") or "-")
        reading.pending = read_int(consensus, "pending")
        reading.reason = read_text(consensus, "reason")
        validators = [read_object(row) for row in read_list(consensus, "validators")]
        connected = sum(row.get("is_connected") is True for row in validators)
        reading.peers = f"{max(connected - 1, 0)}/{len(validators) - 1}"
        page = await client.get("/v1/blocks", {"limit": BLOCKS_LOOKED_AT})
        self._count([read_object(row) for row in read_list(page, "items")])

    def _count(self, blocks: Sequence[JsonObject]) -> None:
        reading = self._reading
        if not blocks:
            return
        reading.height = read_int(blocks[0], "height")
        reading.block_time = str(blocks[0].get("time") or "-")[:16].replace("T", " ")
        new = [row for row in blocks if read_int(row, "height") > reading.seen_height]
        reading.transactions += sum(read_int(row, "transactions") for row in new)
        reading.seen_height = reading.height
        now = time.monotonic()
        if reading.transactions and self.first_final_s is None:
            self.first_final_s = now - self._began
        self._marks = [mark for mark in self._marks if now - mark[0] <= RATE_SECONDS] + [(now, reading.transactions)]
        first = self._marks[0]
        if now > first[0]:
            reading.tx_per_s = (reading.transactions - first[1]) / (now - first[0])

    def render(self) -> RenderableType:
        """Return the lines."""
        reading = self._reading
        line = Text.assemble(
            ("height ", "dim"),
            (f"{reading.height}", "bold"),
            ("  view ", "dim"),
            f"{reading.view}",
            ("  leader ", "dim"),
            reading.leader,
            ("  tx/s ", "dim"),
            f"{reading.tx_per_s:.0f}",
            ("  pending ", "dim"),
            f"{reading.pending}",
            ("  peers ", "dim"),
            reading.peers,
            ("  ", "dim"),
            (self._processes.urls[0], "underline"),
        )
        lines = [line, Text(f"block time {reading.block_time} UTC  {self._clock_note}", style="yellow")]
        if self.progress is not None:
            lines.append(render_progress(self.progress))
        for index, node in enumerate(self._processes.nodes):
            if node.exit_code is not None and index not in self._restarted:
                lines.append(Text(f"node {index} is down (exit {node.exit_code}): {node.log_path}", style="red"))
        return Group(*lines)


def render_progress(progress: Progress) -> Text:
    """Return the demo's line."""
    return Text(
        f"demo: {progress.act}, day {progress.day} of {progress.days}, {progress.joined} joined, "
        f"{progress.period} settlements, {progress.sent} transactions sent, {progress.in_flight} under way"
        + (f"; {progress.trouble}" if progress.trouble else "")
    )
