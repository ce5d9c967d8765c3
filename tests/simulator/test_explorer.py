"""The random adversary against the core, and against mutants of it to show that it can see a fork."""

import pytest

from chain.types import View
from consensus import rules
from consensus.events import BlockContent
from consensus.state import Justification, State
from tests.consensus.test_mutants import Unguarded
from tests.simulator.explorer import HEAL_ROUNDS, Explorer
from tests.simulator.node import Node

ACTIONS = 250
MUTANT_SEEDS = range(280, 480)
"""Within these the adversary finds the forks below; the core passes the same ones."""


def explore(seeds: range, honest: type[Node] = Node) -> int:
    """Play schedules; return how many heights were decided in all. The core must also come to life afterwards."""
    decided = 0
    for seed in seeds:
        explorer = Explorer(seed, honest)
        explorer.cluster.world.does_audit_signatures = honest is Node
        decided += explorer.run(ACTIONS)
        if honest is Node:
            assert explorer.heal(HEAL_ROUNDS), f"seed {seed} does not come to life again"
    return decided


def test_random_adversary_does_not_fork_the_core() -> None:
    assert explore(range(40)) > 40


@pytest.mark.slow
def test_random_adversary_does_not_fork_the_core_in_many_schedules() -> None:
    assert explore(MUTANT_SEEDS) + explore(range(10_000, 10_200)) > 400


@pytest.mark.slow
def test_random_adversary_forks_the_mutant_that_hides_its_prepared_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "get_prepared_to_show", lambda state: None)
    with pytest.raises(AssertionError, match="fork"):
        explore(MUTANT_SEEDS, Unguarded)


@pytest.mark.slow
def test_random_adversary_forks_the_mutant_that_needs_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def justify(state: State, view: View, content: BlockContent) -> Justification | None:
        return Justification.NEW_VIEW_FREE if view == state.view else None

    monkeypatch.setattr(rules, "get_justification", justify)
    with pytest.raises(AssertionError, match="fork"):
        explore(MUTANT_SEEDS, Unguarded)
