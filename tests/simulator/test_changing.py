"""Stories with a changing set: no fork, no second signature, none stuck, and whoever is in the set votes.

`make simulate SEEDS=..` plays more of the same.
"""

import pytest

from tests.simulator.changing import ChangingStory, run_changing
from tests.simulator.liar import Lie
from tests.simulator.swarm import HEAL_BOUND_MS

FAST_SEEDS = range(16)
SLOW_SEEDS = range(200, 320)


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_p11_changing_set_ends_without_fork_and_with_new_blocks_after_healing(seed: int) -> None:
    story = ChangingStory(seed)
    outcome = story.run()
    assert outcome.failure is None
    assert story.is_settled(), "members vote and nobody else does"


def test_stories_do_change_their_sets() -> None:
    """Otherwise they would show nothing: across the fast seeds each plan gets far."""
    done = wanted = 0
    for seed in FAST_SEEDS:
        story = ChangingStory(seed)
        story.run()
        done += story.count_changes()
        wanted += len(story.plan)
    assert done > wanted / 2 > 30


def test_changing_story_is_the_same_every_time() -> None:
    assert run_changing(3) == run_changing(3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_p11_longer_swarm_of_changing_sets(seed: int) -> None:
    story = ChangingStory(seed)
    outcome = story.run()
    assert outcome.failure is None
    assert outcome.recovery_ms <= HEAL_BOUND_MS
    assert story.is_settled()


@pytest.mark.slow
@pytest.mark.parametrize("lie", list(Lie))
def test_each_lie_alone_survives_no_change_of_the_set(lie: Lie) -> None:
    for seed in (4, 8, 13):
        story = ChangingStory(seed, lies=(lie,))
        assert story.run().failure is None, seed
        assert story.is_settled()
