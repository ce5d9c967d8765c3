"""On which machine, when, and how fast its signature checks are: what every figure is to be read with."""

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

from chain.crypto import SigningKey, verify

SIGNATURES = 4_000


def describe_machine() -> dict[str, str | int]:
    """Return processor, cores, memory, Python and date."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if lines:
            model = lines[0].partition(":")[2].strip()
    return {
        "machine": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def measure_signature_us(count: int = SIGNATURES) -> float:
    """Return the CPU microseconds of one bare signature check of a 500-byte message, in the calling thread.

    Cores that share their units, clocks and caches with busy neighbours take longer: the figure belongs to its moment.
    """
    key = SigningKey(b"\x01" * 32)
    message = bytes(500)
    signature = key.sign(message)
    started = time.thread_time()
    for _ in range(count):
        if not verify(public_key=key.public_key, message=message, signature=signature):
            raise RuntimeError("a good signature was refused")
    return (time.thread_time() - started) / count * 1e6
