"""`make model RUNS=...`: compare the contract with its reference model in new random stories.

python -m tests.model [--runs 2000] [--steps 50] [--seed N]

A story that fails is printed in its shortest form; its seed prints the same story again.
"""

import argparse
import random
import sys
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.internal.constants_ast import Constants
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import MACHINES, ContractMachine, build_machine
from tests.model.small import small_numbers


def main(argv: list[str]) -> int:
    """Run the stories, shared out over the machines; return 0 if both sides always agreed."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=2_000, help="stories in all")
    parser.add_argument("--steps", type=int, default=50, help="most steps of a story")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args(argv)
    print(f"seed {arguments.seed}", flush=True)
    began = time.monotonic()
    for number in range(MACHINES):
        share = arguments.runs // MACHINES + (number < arguments.runs % MACHINES)
        if share:
            run(number, runs=share, steps=arguments.steps, seed_number=arguments.seed)
    print(f"{arguments.runs} stories of up to {arguments.steps} steps in {time.monotonic() - began:.0f} s: all agree")
    for name, count in sorted(ContractMachine.done.items()):
        print(f"  {name:24} {count} successful")
    return 0


def run(number: int, *, runs: int, steps: int, seed_number: int, is_shrinking: bool = True) -> Counter[str]:
    """Run stories of one machine; raise where the two sides differ, else return how often each call succeeded.

    A story that fails is shortened, unless it is enough to know that there is one.
    """
    # A seed of its own for each: otherwise all terms would tell the same stories.
    machine = seed(seed_number + number)(build_machine(number))
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if is_shrinking else (Phase.generate,),
    )
    before = Counter(ContractMachine.done)
    with small_numbers(), pytest.MonkeyPatch.context() as patch:
        # By itself hypothesis follows each new story by five that repeat parts of it: most stories would begin alike.
        patch.setattr(ConjectureRunner, "generate_mutations_from", lambda runner, data: None)
        # And it mixes in constants of whatever modules are loaded: a seed would tell other stories after other tests.
        patch.setattr(providers, "_get_local_constants", Constants)
        patch.setattr(providers, "CONSTANTS_CACHE", LRUCache(1024))
        run_state_machine_as_test(machine, settings=chosen)
    return ContractMachine.done - before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
