"""What a transaction costs on one node as its chain grows, without network and consensus, by stage.

    decode      bytes to a transaction, canonical check included
    verify      its signature
    look-up     whether its id ran before, twice: at the door and in the block that holds it
    execute     the contract, on the overlay
    seal        state tree, sum tree, receipts, history tree, header
    commit      the batch for LevelDB, synced, and the trees in memory
    leveldb     its threads in the background: tables written and merged

The load is the mix of the network benchmark, one cohort for each block. Times are CPU: of this thread for the stages,
of all others for LevelDB's, which work while the next blocks run; a figure of theirs belongs to its window, not to a
block.
"""

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.execution import DAY_MS, Bench, open_bench
from bench.load import CLAIMS, COHORT, PER_COHORT, Builder, Mix, build_setup
from bench.machine import measure_signature_us
from node.main import GC_THRESHOLDS

SETTLED_MIN = 2_000
SETUP_GROUP = 400
LOOK_UPS = 2
MEMORY = {"own_mb": "RssAnon", "mapped_mb": "RssFile", "peak_mb": "VmHWM"}


def read_memory() -> dict[str, int]:
    """Return resident memory in MB: own, and pages of mapped files, which the system takes back when it needs them."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {name: int(status[field].split()[0]) // 1_024 for name, field in MEMORY.items()}


class Growth:
    """A chain under the mix, with the CPU of each stage since the last reading."""

    def __init__(self, bench: Bench, builder: Builder, *, settled: int) -> None:
        self.bench = bench
        self.mix = Mix(builder, settled=settled)
        self.cohort = 0
        self.committed = 0
        self._seconds: dict[str, float] = {}
        self._since = 0
        self._others_s = 0.0
        self.start_window()

    def start_window(self) -> None:
        """Begin a reading."""
        self._seconds = {}
        self._since = self.committed
        self._others_s = time.process_time() - time.thread_time()

    def add_block(self) -> None:
        """Build a cohort, untimed, and run it as one block."""
        raws = self.mix.build_cohort(self.cohort)
        self.cohort += 1
        seconds = self.bench.run_block(raws, clock=time.thread_time, look_ups=LOOK_UPS)
        for stage, spent in seconds.items():
            self._seconds[stage] = self._seconds.get(stage, 0.0) + spent
        self.committed += len(raws)

    def read_window(self) -> dict[str, float | int]:
        """Return microseconds for one transaction by stage since the window began."""
        others_s = time.process_time() - time.thread_time() - self._others_s
        stages = {**self._seconds, "leveldb": others_s}
        count = max(1, self.committed - self._since)
        figures: dict[str, float | int] = {"transactions": self.committed}
        figures |= {stage: round(seconds / count * 1e6, 1) for stage, seconds in stages.items()}
        figures["all"] = round(sum(stages.values()) / count * 1e6, 1)
        figures["signature_check_us"] = round(measure_signature_us(1_000), 1)
        return figures | read_memory()


def measure(*, transactions: int, window: int, say: Callable[[str], None]) -> list[dict[str, float | int]]:
    """Grow a chain to so many transactions; return what one of them cost in each window."""
    cohorts = transactions // PER_COHORT + 1
    settled = max(SETTLED_MIN, 2 * CLAIMS * cohorts // COHORT * COHORT)
    rows: list[dict[str, float | int]] = []
    thresholds = gc.get_threshold()
    with tempfile.TemporaryDirectory() as name:
        bench, builder = open_bench(Path(name))
        for first in range(0, settled, SETUP_GROUP):
            for step in build_setup(builder, range(first, min(first + SETUP_GROUP, settled)), day=builder.parties.day):
                bench.run_block(step)
        bench.now_ms += DAY_MS
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        growth = Growth(bench, builder, settled=settled)
        while growth.committed < transactions:
            growth.start_window()
            until = growth.committed + window
            while growth.committed < until:
                growth.add_block()
            rows.append(growth.read_window())
            say(str(rows[-1]))
        bench.chain.close()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
    return rows
