"""Four real nodes under load: committed transactions a second, time to finality, CPU, memory, block sizes.

The generator sends prepared requests to all four nodes in turn and follows the chain at one of them; it
signs nothing while it measures. Time to finality runs from the moment at which a request was *due*, so a
slow node cannot hide behind a generator that waits for it."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from chain.transaction import decode_transaction
from node.processes import NodeProcesses

OUTSTANDING_MAX = 5_000
"""Transactions under way at full speed: enough for two full blocks, below what one institution may have in
a pool."""
REQUEST_TRANSACTIONS = 200
PACE_SECONDS = 0.05
"""At an offered rate, one request is due in each so many seconds."""
TICK = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS = 60.0
"""How long the nodes have for what is under way at the end of a phase; what is not final then counts as such."""


class BlockRow(msgspec.Struct):
    """What the watcher needs of a block."""

    transactions: list[str]


@dataclass
class Usage:
    """CPU seconds and memory of one process."""

    cpu_s: float
    own_mb: float
    """Memory of its own."""
    rss_mb: float
    """With the pages of mapped files, which the system takes back when it needs them."""
    peak_mb: float


def read_usage(pid: int) -> Usage:
    """Read the usage of a process from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return Usage(
        cpu_s=(int(fields[11]) + int(fields[12])) / TICK,
        own_mb=int(status["RssAnon"].split()[0]) / 1024,
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        peak_mb=int(status["VmHWM"].split()[0]) / 1024,
    )


@dataclass
class Watcher:
    """Follows the chain at one node and notes when each transaction was final."""

    url: str
    http: httpx.AsyncClient
    height: int = 0
    committed: int = 0
    not_final: int = 0
    """Transactions that were given up: not final long after the last one was sent."""
    due_at: dict[str, float] = field(default_factory=dict)
    """When each transaction that is under way was due to be sent."""
    latencies: list[float] = field(default_factory=list)
    block_sizes: list[int] = field(default_factory=list)
    block_times: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            wanted = self.height + 1
            try:
                answer = await self.http.get(f"{self.url}/v1/blocks/{wanted}?min_height={wanted}", timeout=20)
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code != 200:
                await asyncio.sleep(0.01)
                continue
            now = time.monotonic()
            block = msgspec.json.decode(answer.content, type=BlockRow)
            self.height = wanted
            self.committed += len(block.transactions)
            if block.transactions:
                self.block_sizes.append(len(block.transactions))
                self.block_times.append(now)
            for tx_id in block.transactions:
                due = self.due_at.pop(tx_id, None)
                if due is not None:
                    self.latencies.append(now - due)
            self.changed.set()

    async def wait_until(self, outstanding: int, timeout_s: float) -> bool:
        """Wait until at most so many transactions are under way; False if that does not happen in time."""
        deadline = time.monotonic() + timeout_s
        while len(self.due_at) > outstanding:
            self.changed.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(left):
                    await self.changed.wait()
            except TimeoutError:
                return False
        return True

    async def settle(self) -> None:
        """Wait until nothing is under way; what is not final in SETTLE_SECONDS is counted and given up."""
        if not await self.wait_until(0, SETTLE_SECONDS):
            self.not_final += len(self.due_at)
            self.due_at.clear()


@dataclass
class Driver:
    """Sends requests to all nodes in turn."""

    urls: Sequence[str]
    http: httpx.AsyncClient
    watcher: Watcher
    turn: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    async def send(self, raws: list[bytes], due: float) -> None:
        """Send one batch; what a node refuses for lack of room is counted and not sent again."""
        self.turn += 1
        url = self.urls[self.turn % len(self.urls)]
        ids = [decode_transaction(raw).tx_id.hex() for raw in raws]
        for tx_id in ids:
            self.watcher.due_at[tx_id] = due
        answer = await self.http.post(
            f"{url}/v1/transactions:batch",
            content=msgspec.msgpack.encode(raws),
            headers={"content-type": "application/octet-stream"},
            timeout=60,
        )
        if answer.status_code != 200:
            self._refuse(ids, f"http {answer.status_code}")
            return
        items = msgspec.json.decode(answer.content)["items"]
        for tx_id, item in zip(ids, items, strict=True):
            if item["status"] == "refused":
                self._refuse([tx_id], str(item["code"]))

    def _refuse(self, ids: list[str], code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + len(ids)
        for tx_id in ids:
            self.watcher.due_at.pop(tx_id, None)
        self.watcher.changed.set()


COUNTERS = ("gongji_stage_seconds_total", "gongji_view_changes_total", "gongji_frames_dropped_total")


async def read_counters(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    """Return a node's counters of interest by name and label."""
    text = (await http.get(f"{url}/metrics", timeout=20)).text
    rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith(COUNTERS))
    return {name: float(value) for name, _, value in rows}


@dataclass
class Window:
    """Measurements between two moments."""

    seconds: float
    committed: int
    cpu_s: list[float]
    generator_cpu_s: float
    usage: list[Usage]
    latencies: list[float]
    block_sizes: list[int]
    not_final: int
    """Transactions that were given up; finality counts them as slower than all others."""
    counters: dict[str, float]
    """Growth of the first node's counters."""

    def summarise(self) -> dict[str, object]:
        """Return the figures of this window."""
        committed = max(self.committed, 1)
        sizes = sorted(self.block_sizes) or [0]
        return {
            "seconds": round(self.seconds, 1),
            "committed": self.committed,
            "tx_per_s": round(self.committed / self.seconds, 1),
            "cpu_us_per_transaction_and_node": [round(cpu / committed * 1e6, 1) for cpu in self.cpu_s],
            "cpu_us_mean": round(sum(self.cpu_s) / len(self.cpu_s) / committed * 1e6, 1),
            "generator_cpu_us_per_transaction": round(self.generator_cpu_s / committed * 1e6, 1),
            "own_mb": [round(usage.own_mb) for usage in self.usage],
            "rss_mb": [round(usage.rss_mb) for usage in self.usage],
            "rss_peak_mb": [round(usage.peak_mb) for usage in self.usage],
            "blocks": len(self.block_sizes),
            "block_transactions_p50": sizes[len(sizes) // 2],
            "block_transactions_max": sizes[-1],
            "not_final": self.not_final,
            "finality_ms_p50": get_percentile_ms(self.latencies, 50, not_final=self.not_final),
            "finality_ms_p99": get_percentile_ms(self.latencies, 99, not_final=self.not_final),
            "stage_us_per_transaction": {
                name.partition('"')[2].rstrip('"}'): round(seconds / committed * 1e6, 1)
                for name, seconds in self.counters.items()
                if name.startswith(COUNTERS[0]) and seconds
            },
            "view_changes": round(self.counters.get(COUNTERS[1], 0)),
            "frames_dropped": sum(
                round(count) for name, count in self.counters.items() if name.startswith(COUNTERS[2])
            ),
        }


def get_percentile_ms(latencies: list[float], percent: int, *, not_final: int) -> float | None:
    """Return a percentile in milliseconds; None where it falls on what was not final, or nothing was measured."""
    count = len(latencies) + not_final
    index = min(count - 1, count * percent // 100)
    if not 0 <= index < len(latencies):
        return None
    return round(sorted(latencies)[index] * 1_000, 1)


class Meter:
    """Takes readings of the nodes and of the watcher."""

    def __init__(self, processes: NodeProcesses, watcher: Watcher) -> None:
        self._processes = processes
        self._watcher = watcher
        self._usage: list[Usage] = []
        self._counters: dict[str, float] = {}

    def _read(self) -> list[Usage]:
        return [read_usage(node.pid) for node in self._processes.nodes if node.pid is not None]

    async def reset(self) -> None:
        """Begin a window."""
        self._counters = await read_counters(self._watcher.http, self._watcher.url)
        self._usage = self._read()
        self._own = time.process_time()
        self._began = time.monotonic()
        self._committed = self._watcher.committed
        self._not_final = self._watcher.not_final
        self._latencies = len(self._watcher.latencies)
        self._blocks = len(self._watcher.block_sizes)

    async def read(self) -> Window:
        """Return what happened since the window began."""
        usage = self._read()
        seconds = time.monotonic() - self._began
        counters = await read_counters(self._watcher.http, self._watcher.url)
        return Window(
            seconds=seconds,
            committed=self._watcher.committed - self._committed,
            cpu_s=[after.cpu_s - before.cpu_s for before, after in zip(self._usage, usage, strict=True)],
            generator_cpu_s=time.process_time() - self._own,
            usage=usage,
            latencies=self._watcher.latencies[self._latencies :],
            block_sizes=self._watcher.block_sizes[self._blocks :],
            not_final=self._watcher.not_final - self._not_final,
            counters={name: value - self._counters.get(name, 0.0) for name, value in counters.items()},
        )


async def read_hash(http: httpx.AsyncClient, url: str, height: int) -> str:
    """Return a node's hash of a block, once it has it."""
    for _ in range(30):
        answer = await http.get(f"{url}/v1/blocks/{height}?min_height={height}", timeout=20)
        if answer.status_code == 200:
            return str(answer.json()["hash"])
        await asyncio.sleep(0.5)
    return "absent"


async def offer(driver: Driver, load: deque[bytes], *, rate: int, seconds: float) -> None:
    """Offer `rate` transactions a second for `seconds`, whatever the nodes do."""
    began = time.monotonic()
    count = max(1, round(rate * PACE_SECONDS))
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds / PACE_SECONDS)):
            due = began + number * PACE_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            raws = [load.popleft() for _ in range(min(count, len(load)))]
            if not raws:
                break
            tasks.create_task(driver.send(raws, due))
    await driver.watcher.settle()


async def saturate(driver: Driver, load: deque[bytes], *, seconds: float, leave: int) -> None:
    """Send as fast as the nodes commit for `seconds`, or until only `leave` transactions are left."""
    deadline = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        while time.monotonic() < deadline and len(load) > leave:
            if not await driver.watcher.wait_until(OUTSTANDING_MAX, SETTLE_SECONDS):
                raise RuntimeError("the nodes have stopped committing")
            raws = [load.popleft() for _ in range(min(REQUEST_TRANSACTIONS, len(load)))]
            tasks.create_task(driver.send(raws, time.monotonic()))
            await asyncio.sleep(0)


async def submit_all(driver: Driver, raws: list[bytes]) -> None:
    """Send transactions at full speed and wait until all are final."""
    load = deque(raws)
    await saturate(driver, load, seconds=3_600, leave=0)
    if not await driver.watcher.wait_until(0, SETTLE_SECONDS):
        raise RuntimeError(f"{len(driver.watcher.due_at)} transactions are not final: {driver.refused}")
