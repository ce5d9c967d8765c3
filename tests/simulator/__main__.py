"""`python -m tests.simulator --seeds N [--first S] [--nodes n]`: play N stories of the swarm, as many with a
changing set of validators, and ten times as many schedules of the random adversary; exit 1 if one fails.

A failing seed is printed with what broke; run it again by --first SEED --seeds 1.
"""

import argparse
import sys
import time

from tests.simulator.changing import ChangingStory
from tests.simulator.explorer import HEAL_ROUNDS, Explorer
from tests.simulator.swarm import run_seed

SCHEDULES_PER_SEED = 10
ACTIONS = 250


def play_swarm(first: int, seeds: int, nodes: int | None, *, is_verbose: bool) -> int:
    """Play stories; return how many failed."""
    failed = slowest_ms = steps = blocks = 0
    started = time.monotonic()
    for seed in range(first, first + seeds):
        outcome = run_seed(seed, nodes)
        slowest_ms = max(slowest_ms, outcome.recovery_ms)
        steps += outcome.steps
        blocks += outcome.height
        failed += outcome.failure is not None
        if is_verbose or outcome.failure is not None:
            print(outcome, flush=True)
    seconds = time.monotonic() - started
    print(
        f"swarm: {seeds} seeds, {failed} failed, {blocks} blocks, {steps} events, "
        f"slowest first commit after healing {slowest_ms} ms, {seconds:.1f} s",
        flush=True,
    )
    return failed


def play_changing(first: int, seeds: int) -> int:
    """Play stories with a changing set of validators; return how many failed."""
    failed = changes = blocks = 0
    started = time.monotonic()
    for seed in range(first, first + seeds):
        story = ChangingStory(seed)
        outcome = story.run()
        changes += story.count_changes()
        blocks += outcome.height
        is_settled = outcome.failure is None and story.is_settled()
        failed += not is_settled
        if not is_settled:
            print(f"changing set: {outcome}", flush=True)
    seconds = time.monotonic() - started
    print(
        f"changing set: {seeds} seeds, {failed} failed, {changes} changes, {blocks} blocks, {seconds:.1f} s", flush=True
    )
    return failed


def play_adversary(first: int, schedules: int) -> int:
    """Play schedules of the random adversary; return how many failed."""
    failed = blocks = 0
    started = time.monotonic()
    for seed in range(first, first + schedules):
        try:
            explorer = Explorer(seed)
            blocks += explorer.run(ACTIONS)
            if not explorer.heal(HEAL_ROUNDS):
                raise AssertionError("the honest do not decide anything after healing")
        except AssertionError as error:
            failed += 1
            print(f"adversary seed {seed}: {error}", flush=True)
    seconds = time.monotonic() - started
    print(f"adversary: {schedules} schedules, {failed} failed, {blocks} blocks, {seconds:.1f} s", flush=True)
    return failed


def main() -> int:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=None)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    failed = play_swarm(options.first, options.seeds, options.nodes, is_verbose=options.verbose)
    failed += play_changing(options.first, options.seeds)
    failed += play_adversary(options.first, options.seeds * SCHEDULES_PER_SEED)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
