"""Stories in which the set of validators changes: added, removed, replaced one at a time, while nodes crash, links
break and liars lie (consensus 8; pitfalls P11, P28, C12, C25, C26).

A plan of changes is drawn from the seed so that at most f of every set on the way lie. Whoever is outside the set
follows as a guest; who is added has followed the chain before, as `validator_ready` shows.
"""

from msgspec import Struct

from chain.validators import compute_faults_max, find_index
from tests.simulator import ledger
from tests.simulator.block_desk import BlockDesk
from tests.simulator.ledger import ADD, REMOVE
from tests.simulator.liar import Lie
from tests.simulator.node import Node
from tests.simulator.swarm import Outcome, Story

START_SIZES = (4, 4, 4, 5, 4, 3, 2, 1, 7)
SPARES = 3
READY_BLOCKS = 100
SIZE_MAX = 9
PLAN_MAX = 8


class Change(Struct, frozen=True):
    """One step of the plan."""

    tag: bytes
    name: int


class ChangingStory(Story):
    """A story of a seed with a changing set."""

    def __init__(self, seed: int, lies: tuple[Lie, ...] | None = None) -> None:
        super().__init__(seed, START_SIZES[seed % len(START_SIZES)], lies=lies)
        validators = ledger.build_validators(self.n)
        spares = [Node(self.world, name, validators) for name in range(self.n, self.n + SPARES)]
        self.nodes.extend(spares)
        self.honest.extend(spares)
        self.world.nodes = list(self.nodes)
        self.plan = self._draw_plan()
        self.world.after(self.rng.randint(100, 1_000), self._govern)

    def _draw_plan(self) -> list[Change]:
        """Draw changes after each of which at most f of the set lie."""
        members = list(range(self.n))
        plan: list[Change] = []
        for _ in range(self.rng.randint(3, PLAN_MAX)):
            changes = [Change(ADD, node.index) for node in self.nodes if node.index not in members]
            changes += [Change(REMOVE, name) for name in members]
            self.rng.shuffle(changes)
            for change in changes:
                after = [name for name in members if name != change.name]
                after += [change.name] if change.tag == ADD else []
                if after and len(after) <= SIZE_MAX and self._is_borne(after):
                    plan.append(change)
                    members = after
                    break
        return plan

    def _is_borne(self, members: list[int]) -> bool:
        return sum(name in self.liars for name in members) <= compute_faults_max(len(members))

    def _govern(self) -> None:
        """Submit the next change of the plan until it is on the chain."""
        self.world.after(self.rng.randint(50, 1_200), self._govern)
        best = max(self.honest, key=lambda node: node.head.height)
        done = best.head.changes
        if done == len(self.plan):
            return
        change = self.plan[done]
        if change.tag == ADD and not self._is_ready(self.nodes[change.name], best):
            return
        item = ledger.build_change(change.tag, change.name, done)
        for node in self.nodes:
            if node.is_alive:
                node.add_transaction(item)

    @staticmethod
    def _is_ready(candidate: BlockDesk, best: BlockDesk) -> bool:
        return candidate.is_alive and candidate.head.height >= best.head.height - READY_BLOCKS

    def count_changes(self) -> int:
        """Return how many changes every honest node has."""
        return min(node.head.changes for node in self.honest)

    def is_settled(self) -> bool:
        """Tell whether whoever is in the newest set votes, and nobody else."""
        for node in self.honest:
            state = node.state
            if state is None:
                return False
            is_member = find_index(node.head.validators, node.key) is not None
            if is_member != (state.own_index is not None):
                return False
        return True


def run_changing(seed: int) -> Outcome:
    """Play the changing story of a seed."""
    return ChangingStory(seed).run()
