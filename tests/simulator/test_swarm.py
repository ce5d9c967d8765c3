"""The swarm: many small worlds from seeds, and named stories of systems that halted or forked.

`make simulate SEEDS=..` plays more of the same.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.crypto import sha256
from consensus.effects import Note
from consensus.events import RequestOverdue
from consensus.state import State
from tests.simulator import ledger
from tests.simulator.liar import Liar, Lie
from tests.simulator.node import Node
from tests.simulator.swarm import HEAL_BOUND_MS, Story, run_seed
from tests.simulator.world import CALM, Faults, World

FAST_SEEDS = range(20)
SLOW_SEEDS = range(100, 260)


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_c2_story_ends_without_fork_and_with_new_blocks_after_healing(seed: int) -> None:
    assert run_seed(seed).failure is None


FAULTS = st.builds(
    Faults,
    loss=st.integers(0, 300),
    repeat=st.integers(0, 300),
    delay_ms_max=st.integers(1, 1_000),
    apply_ms_max=st.integers(1, 2_500),
    unavailable=st.integers(0, 200),
    crash_on_persist=st.integers(0, 20),
    skew_ms_max=st.integers(0, 400),
)


@settings(max_examples=12)
@given(
    st.integers(0, 2**32),
    st.sampled_from([4, 5, 7]),
    FAULTS,
    st.lists(st.sampled_from(list(Lie)), min_size=1, max_size=4, unique=True),
)
def test_any_faults_and_up_to_f_liars_leave_agreement_single_votes_bounded_memory_and_progress(
    seed: int, n: int, faults: Faults, lies: list[Lie]
) -> None:
    story = Story(seed, n, faults=faults, lies=tuple(lies))
    assert story.run().failure is None
    for node in story.honest:
        assert node.state is not None
        assert count_messages(node.state) <= MESSAGES_PER_VALIDATOR_MAX * n
        assert len(node.executed) <= 2


MESSAGES_PER_VALIDATOR_MAX = 9
"""VIEW-CHANGE, PREPARE, COMMIT at h, five kinds for h+1, the newest one to show back."""


def count_messages(state: State) -> int:
    """Count the messages that a state holds on to."""
    waiting = [
        message
        for kept in state.waiting
        for message in (kept.view_change, kept.new_view, kept.proposal, kept.prepare, kept.commit)
    ]
    newest = [peer.newest for peer in state.peers]
    held = (*state.view_changes, *state.prepares, *state.commits, *waiting, *newest)
    return sum(message is not None for message in held)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_c13_longer_swarm_ends_without_fork_and_with_new_blocks_after_healing(seed: int) -> None:
    outcome = run_seed(seed)
    assert outcome.failure is None
    assert outcome.recovery_ms <= HEAL_BOUND_MS


def test_story_is_the_same_every_time() -> None:
    assert run_seed(7) == run_seed(7)


def build_world(
    n: int = 4, *, seed: int = 1, faults: Faults = CALM, liars: dict[int, tuple[Lie, ...]] | None = None
) -> tuple[World, list[Node]]:
    world = World(seed, faults)
    validators = ledger.build_validators(n)
    nodes: list[Node] = []
    for index in range(n):
        lies = (liars or {}).get(index)
        nodes.append(Node(world, index, validators) if lies is None else Liar(world, index, validators, lies))
    world.nodes = list(nodes)
    for node in nodes:
        node.boot()
    return world, nodes


def supply(world: World, nodes: list[Node], every_ms: int = 40, number: int = 0) -> None:
    item = (sha256(b"transaction %d" % number), bytes(64))
    for node in nodes:
        if node.is_alive:
            node.add_transaction(item)
    world.after(every_ms, lambda: supply(world, nodes, every_ms, number + 1))


def get_heights(nodes: list[Node]) -> list[int]:
    return [node.head.height for node in nodes if node.is_honest]


def test_calm_network_never_changes_the_view() -> None:
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(10_000)
    assert min(get_heights(nodes)) > 80
    assert {node.state.view for node in nodes if node.state is not None} == {0}


def test_message_count_of_a_block_is_small() -> None:
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(1_000)
    sent, height = world.sent, nodes[0].head.height
    world.run_until(11_000)
    per_block_and_node = (world.sent - sent) / (nodes[0].head.height - height) / 4
    assert per_block_and_node < 15


def test_idle_network_makes_empty_blocks_by_the_idle_interval() -> None:
    world, nodes = build_world()
    world.run_until(10_500)
    assert 7 <= min(get_heights(nodes)) <= 11


def test_c10_cold_start_with_one_validator_absent() -> None:
    world = World(3, CALM)
    validators = ledger.build_validators(4)
    nodes = [Node(world, index, validators) for index in range(4)]
    world.nodes = list(nodes)
    for node in nodes[1:]:  # the first leader is the one who is absent
        node.boot()
    supply(world, nodes)
    world.run_until(6_000)
    assert min(get_heights(nodes[1:])) > 5
    nodes[0].boot()
    world.run_until(12_000)
    assert nodes[0].head.height >= min(get_heights(nodes[1:])) - 2 > 10


def test_killed_leader_is_replaced_within_three_seconds() -> None:
    for seed in range(5):
        world, nodes = build_world(seed=seed)
        supply(world, nodes)
        world.run_until(2_000)
        state = nodes[1].state
        assert state is not None
        before = max(get_heights(nodes))
        nodes[0].crash()
        world.run_until(5_000, lambda before=before, nodes=nodes: min(get_heights(nodes[1:])) > before + 1)  # type: ignore[misc]
        assert min(get_heights(nodes[1:])) > before + 1


def test_two_of_four_dead_commit_nothing_and_go_on_when_one_is_back() -> None:
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(2_000)
    nodes[2].crash()
    nodes[3].crash()
    world.run_until(3_000)
    stopped = get_heights(nodes[:2])
    world.run_until(60_000)
    assert get_heights(nodes[:2]) == stopped
    nodes[3].boot()
    world.run_until(60_000 + 10_000)
    assert min(get_heights([nodes[0], nodes[1], nodes[3]])) > max(stopped) + 5


def test_all_killed_at_once_and_restarted_go_on() -> None:
    for seed in range(3):
        world, nodes = build_world(seed=seed)
        supply(world, nodes)
        world.run_until(2_000 + seed)
        before = max(get_heights(nodes))
        for node in nodes:
            node.crash()
        world.run_until(3_000)
        for node in nodes:
            node.boot()
        world.run_until(8_000)
        assert min(get_heights(nodes)) > before + 5


@pytest.mark.slow
def test_node_that_was_away_for_hundreds_of_blocks_catches_up_and_votes_under_load() -> None:
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(1_000)
    nodes[3].crash()
    world.run_until(25_000)
    away = nodes[0].head.height - nodes[3].head.height
    assert away > 200
    nodes[3].boot()
    world.run_until(45_000)
    assert nodes[3].head.height >= nodes[0].head.height - 2
    assert max(world.signed[3])[0] >= nodes[0].head.height - 2


def test_c36_half_deaf_validator_does_not_stop_the_others() -> None:
    """Node 2 hears nobody but is heard: it asks for view after view, and moves nobody."""
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(1_000)
    world.blocked = {(other, 2) for other in (0, 1, 3)}
    before = max(get_heights(nodes))
    world.run_until(31_000)
    others = [nodes[index] for index in (0, 1, 3)]
    assert min(get_heights(others)) > before + 100
    world.blocked.clear()
    world.run_until(41_000)
    assert nodes[2].head.height >= min(get_heights(others)) - 2


def test_c36_deaf_leader_is_replaced() -> None:
    world, nodes = build_world()
    supply(world, nodes)
    world.run_until(1_000)
    world.blocked = {(other, 0) for other in (1, 2, 3)}
    before = max(get_heights(nodes))
    world.run_until(31_000)
    assert min(get_heights(nodes[1:])) > before + 20


class Censor(Liar):
    """A leader whose proposals flow, without a certain transaction (P17)."""

    censored = sha256(b"the censored one")

    def build_content(self, items, state_root=None):  # type: ignore[no-untyped-def]
        kept = tuple(item for item in items if item[0] != self.censored)
        return super().build_content(kept, state_root)


def test_p17_silent_leader_is_replaced_by_complaints_of_f_plus_one() -> None:
    """The runtime's request timers are played here: two nodes complain that one transaction is passed
    over."""
    world = World(2, CALM)
    validators = ledger.build_validators(4)
    nodes: list[Node] = [Censor(world, 0, validators, (Lie.DEAF_EAR,))]
    nodes += [Node(world, index, validators) for index in (1, 2, 3)]
    world.nodes = list(nodes)
    for node in nodes:
        node.boot()
    supply(world, nodes)
    world.run_until(1_000)
    item = (Censor.censored, bytes(64))
    for node in nodes[1:]:
        node.add_transaction(item)
    world.run_until(5_000)
    for node in nodes[1:3]:
        node.feed(RequestOverdue(leader=0, tx_ids=(item[0],), now_ms=world.now_ms, wall_ms=node.wall_ms))
    world.run_until(15_000)
    committed = [stored for stored in nodes[1].disk.chain if item in stored.content.items]
    assert len(committed) == 1


def test_c6_leader_that_is_silent_to_one_validator_does_not_leave_it_behind() -> None:
    world, nodes = build_world(seed=2, liars={0: (Lie.DEAF_EAR,)})
    liar = nodes[0]
    assert isinstance(liar, Liar)
    liar.shunned = 2
    supply(world, nodes)
    world.run_until(10_000)
    assert min(get_heights(nodes)) > 20
    assert nodes[2].head.height >= nodes[1].head.height - 2


@pytest.mark.slow
@pytest.mark.parametrize("lie", list(Lie))
def test_c35_each_lie_alone_leaves_the_honest_a_working_chain(lie: Lie) -> None:
    world, nodes = build_world(seed=11, liars={1: (lie,)})
    supply(world, nodes)
    world.run_until(40_000)
    assert min(get_heights(nodes)) > 20, lie


@pytest.mark.slow
def test_p16_validator_that_lies_as_leader_is_skipped_for_some_tenures() -> None:
    world, nodes = build_world(seed=4, liars={1: (Lie.MUTE_LEADER,)})
    supply(world, nodes)
    world.run_until(40_000)
    liar = ledger.compute_key(1)
    led = [stored for stored in nodes[0].disk.chain[1:] if stored.content.header.proposer == liar]
    assert led == []
    assert any(skip.key == liar for stored in nodes[0].disk.chain for skip in stored.skips)
    views = [stored.embedded_view for stored in nodes[0].disk.chain]
    assert views == sorted(views)


@pytest.mark.slow
def test_c9_every_timing_of_work_and_idleness_makes_progress() -> None:
    for every_ms in (5, 300, 999, 1_000, 1_001, 2_500):
        world, nodes = build_world(seed=every_ms)
        supply(world, nodes, every_ms)
        world.run_until(15_000)
        assert min(get_heights(nodes)) >= 9, every_ms


@pytest.mark.slow
def test_slow_writes_of_blocks_do_not_stop_the_chain() -> None:
    """C8: writing takes longer than the view timer."""
    world, nodes = build_world(faults=replace(CALM, apply_ms_max=2_500))
    supply(world, nodes)
    world.run_until(60_000)
    assert min(get_heights(nodes)) >= 6


@pytest.mark.slow
def test_no_honest_node_ever_complains_about_another() -> None:
    """C16: what honest nodes send passes the checks of honest nodes, through crashes and view changes."""
    for seed in range(4):
        world, nodes = build_world(seed=seed, faults=Faults(loss=50, repeat=50, delay_ms_max=200, crash_on_persist=3))
        supply(world, nodes)
        world.run_until(20_000)
        codes = {fault.code for node in nodes for fault in node.faults if isinstance(fault, Note)}
        assert codes == set()
