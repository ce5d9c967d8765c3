"""One seed, one story: some nodes, some liars, chaos for a while, then calm; and what must hold at its end.

Safety is audited all the time (no fork, no second signature). After the healing every honest node must
commit new blocks within a bound (pitfalls C2, C13): a simulation for safety alone sees no halt.
"""

import random

from msgspec import Struct

from chain.crypto import sha256
from tests.simulator import ledger
from tests.simulator.liar import Liar, Lie
from tests.simulator.node import Node
from tests.simulator.world import CALM, Faults, World

SIZES = (4, 4, 4, 4, 4, 7, 5, 6, 3, 2, 10, 1, 13)
HEAL_BOUND_MS = 30_000
NEW_BLOCKS = 3


class Outcome(Struct, frozen=True):
    """What a story came to."""

    seed: int
    n: int
    liars: tuple[int, ...]
    lies: tuple[str, ...]
    height: int
    view: int
    recovery_ms: int
    """From healing to the first new block."""
    steps: int
    failure: str | None


class Story:
    """A world made from a seed."""

    def __init__(
        self,
        seed: int,
        n: int | None = None,
        *,
        faults: Faults | None = None,
        lies: tuple[Lie, ...] | None = None,
    ) -> None:
        self.rng = random.Random(seed ^ 0x5EED)
        self.seed = seed
        self.n = self.rng.choice(SIZES) if n is None else n
        self.faults = self._draw_faults() if faults is None else faults
        self.world = World(seed, self.faults)
        validators = ledger.build_validators(self.n)
        faults_max = (self.n - 1) // 3
        count = self.rng.randint(0, faults_max) if lies is None else faults_max
        self.liars = tuple(sorted(self.rng.sample(range(self.n), count)))
        self.lies = tuple(self.rng.sample(list(Lie), self.rng.randint(1, 5))) if lies is None else lies
        self.nodes: list[Node] = []
        for index in range(self.n):
            if index in self.liars:
                self.nodes.append(Liar(self.world, index, validators, self.lies))
            else:
                self.nodes.append(Node(self.world, index, validators))
        self.world.nodes = list(self.nodes)
        self.honest = [node for node in self.nodes if node.is_honest]
        self.transactions = 0
        self.is_chaotic = True

    def _draw_faults(self) -> Faults:
        rng = self.rng
        return Faults(
            loss=rng.choice((0, 0, 20, 100, 250)),
            repeat=rng.choice((0, 0, 50)),
            delay_ms_max=rng.choice((5, 30, 200, 800)),
            apply_ms_max=rng.choice((5, 20, 300, 2_000)),
            unavailable=rng.choice((0, 0, 100)),
            crash_on_persist=rng.choice((0, 0, 2, 10)),
            skew_ms_max=rng.choice((0, 200)),
        )

    def run(self) -> Outcome:
        """Play it."""
        failure: str | None = None
        recovery_ms = -1
        try:
            recovery_ms = self._play()
        except AssertionError as error:
            failure = str(error)
        views = [node.state.view for node in self.honest if node.state is not None]
        return Outcome(
            seed=self.seed,
            n=self.n,
            liars=self.liars,
            lies=tuple(lie.name for lie in self.lies) if self.liars else (),
            height=max(node.head.height for node in self.honest),
            view=max(views, default=-1),
            recovery_ms=recovery_ms,
            steps=self.world.steps,
            failure=failure,
        )

    def _play(self) -> int:
        for node in self.nodes:
            self.world.after(self.rng.choice((0, 0, 100, 1_500)), node.boot)
        self._supply()
        chaos_ms = self.rng.randint(3_000, 20_000)
        self._disturb(chaos_ms)
        self.world.run_until(chaos_ms)
        self._heal()
        healed_ms = self.world.now_ms
        base = max(node.head.height for node in self.honest)
        self.world.run_until(
            healed_ms + HEAL_BOUND_MS,
            lambda: all(node.head.height >= base + NEW_BLOCKS for node in self.honest),
        )
        heights = [node.head.height for node in self.honest]
        if min(heights) < base + NEW_BLOCKS:
            stuck = [
                (node.index, node.head.height, node.state.view, node.state.is_normal, node.state.wants)
                for node in self.honest
                if node.state is not None
            ]
            raise AssertionError(f"no progress within {HEAL_BOUND_MS} ms of healing, base {base}: {stuck}")
        return self.world.commit_times[base + 1] - healed_ms

    def _supply(self) -> None:
        """Bring transactions to every node, at different times."""
        self.transactions += 1
        item = (sha256(b"transaction %d" % self.transactions), bytes(64))
        for node in self.nodes:
            delay = self.rng.randint(0, 100)
            self.world.after(delay, lambda node=node: node.add_transaction(item) if node.is_alive else None)  # type: ignore[misc]
        self.world.after(self.rng.choice((10, 50, 50, 3_000)), self._supply)

    def _disturb(self, chaos_ms: int) -> None:
        """Cut links, deafen ears and kill nodes, until it is over."""
        everybody = len(self.nodes)

        def act() -> None:
            if not self.is_chaotic:
                return
            rng, world = self.rng, self.world
            match rng.randrange(8):
                case 0 | 1:
                    node = rng.choice(self.nodes)
                    if node.is_alive:
                        node.crash()
                        world.after(rng.randint(10, 4_000), lambda: None if node.is_alive else node.boot())
                case 2 | 3:
                    a, b = rng.randrange(everybody), rng.randrange(everybody)
                    if a != b:
                        world.set_link(a, b, is_up=False)
                        world.after(rng.randint(50, 5_000), lambda: world.set_link(a, b, is_up=True))
                case 4:
                    a, b = rng.randrange(everybody), rng.randrange(everybody)
                    world.blocked.add((a, b))
                    world.after(rng.randint(50, 5_000), lambda: world.blocked.discard((a, b)))
                case 5:
                    side = [index for index in range(everybody) if rng.random() < 0.5]
                    pairs = [(a, b) for a in side for b in range(everybody) if b not in side]
                    for a, b in pairs:
                        world.set_link(a, b, is_up=False)

                    def mend() -> None:
                        for a, b in pairs:
                            world.set_link(a, b, is_up=True)

                    world.after(rng.randint(100, 4_000), mend)
                case _:
                    pass
            world.after(rng.randint(50, 1_500), act)

        if self.rng.random() < 0.85:
            self.world.after(self.rng.randint(0, chaos_ms), act)

    def _heal(self) -> None:
        self.is_chaotic = False
        self.world.faults = CALM
        self.world.blocked.clear()
        for a in range(len(self.nodes)):
            for b in range(a + 1, len(self.nodes)):
                self.world.set_link(a, b, is_up=True)
        for node in self.nodes:
            if not node.is_alive:
                node.boot()


def run_seed(seed: int, n: int | None = None) -> Outcome:
    """Play the story of a seed."""
    return Story(seed, n).run()
