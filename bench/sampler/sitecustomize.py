"""A sampling profiler for node processes: `python -m bench --profile` puts this folder on their path.

Every 4 ms of CPU the stack is looked at once, and the sample goes to the stage of the nearest frame that
has one. What runs inside of C (libsodium, LevelDB, TLS) counts for the Python function that called it.
Python imports a module of this name by itself at start; without GONGJI_SAMPLES in the environment it does
nothing."""

import atexit
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.004
# (end of the file's path before the function, function or "" for all): stage. The nearest frame that fits
# decides.
STAGES = (
    ("chain/crypto.py", "verify", "signatures"),
    ("chain/transaction.py", "decode_transaction", "decode"),
    ("chain/contract/rules.py", "execute_call", "contract"),
    ("chain/contract/schedule.py", "", "contract"),
    ("chain/execution.py", "_seal", "trees, receipts, roots"),
    ("chain/execution.py", "", "execution around calls"),
    ("chain/validation.py", "", "validation of blocks"),
    ("chain/ledger.py", "commit", "commit to LevelDB"),
    ("chain/mempool.py", "", "pool"),
    ("node/intake.py", "", "pool"),
    ("node/gossip.py", "", "gossip"),
    ("node/pool_journal.py", "", "journals"),
    ("node/journal.py", "", "journals"),
    ("node/signer.py", "", "journals"),
    ("node/candidates.py", "", "assembling of blocks"),
    ("node/block_work.py", "", "assembling of blocks"),
    ("consensus/", "", "consensus"),
    ("node/runtime.py", "", "consensus"),
    ("p2p/", "", "frames and TLS"),
    ("explorer/", "", "REST"),
    ("fastapi/", "", "REST"),
    ("starlette/", "", "REST"),
    ("uvicorn/", "", "REST"),
    ("node/submit_api.py", "", "REST"),
    ("importlib", "", "start"),
)


def find_stage(frame: FrameType | None) -> str:
    """Return the stage of the nearest frame that has one."""
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        for part, function, stage in STAGES:
            if part in path and (not function or function == name):
                return stage
        frame = frame.f_back
    return "event loop and rest"


def begin(folder: Path) -> None:
    """Sample this process until it ends, then write the counts."""
    counts: dict[str, int] = {}

    def on_signal(_: int, frame: FrameType | None) -> None:
        stage = find_stage(frame)
        counts[stage] = counts.get(stage, 0) + 1

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        (folder / f"{os.getpid()}.json").write_text(json.dumps(counts))

    signal.signal(signal.SIGPROF, on_signal)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)
    atexit.register(write)


if "GONGJI_SAMPLES" in os.environ and any("cli_start" in argument for argument in sys.orig_argv):
    begin(Path(os.environ["GONGJI_SAMPLES"]))
