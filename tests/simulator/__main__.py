"""`python -m tests.simulator --seeds N [--first S] [--nodes n]`: play N stories; exit 1 if one fails.

A failing seed is printed with what broke; run it again by --first SEED --seeds 1.
"""

import argparse
import sys
import time

from tests.simulator.swarm import run_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=None)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    failed = 0
    slowest_ms = 0
    steps = 0
    blocks = 0
    started = time.monotonic()
    for seed in range(options.first, options.first + options.seeds):
        outcome = run_seed(seed, options.nodes)
        slowest_ms = max(slowest_ms, outcome.recovery_ms)
        steps += outcome.steps
        blocks += outcome.height
        if outcome.failure is not None:
            failed += 1
        if options.verbose or outcome.failure is not None:
            print(outcome, flush=True)
    seconds = time.monotonic() - started
    print(
        f"{options.seeds} seeds, {failed} failed, {blocks} blocks, {steps} events, "
        f"slowest first commit after healing {slowest_ms} ms, {seconds:.1f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
