"""The core as a whole: pure, total, and the same under real signatures."""

import msgspec
import pytest
from msgspec.structs import replace

from chain import crypto
from chain.crypto import SigningKey, sha256
from chain.types import PublicKey, Signature, View
from consensus.core import step
from consensus.effects import Stop
from consensus.events import Committed, Event, NothingToBuild, PeerDown, PeerUp, PoolChanged, Received
from consensus.messages import Complaint
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS
from tests.simulator.test_swarm import build_world, get_heights, supply
from tests.simulator.world import Faults


def test_step_is_pure() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    event = PoolChanged(has_transactions=True, now_ms=900, wall_ms=EPOCH_MS + 900)
    assert step(state, event) == step(state, event)
    assert cluster.state(0) == state
    with pytest.raises(AttributeError):
        state.view = View(3)  # type: ignore[misc]


@pytest.mark.parametrize(
    "event",
    [
        PeerUp(63, 1, 1),
        PeerDown(63, 1, 1),
        PeerUp(0, 1, 1),
        NothingToBuild(height=Cluster(1).state(0).height, view=View(5), now_ms=1, wall_ms=1),
        Received(2, Complaint(height=9, view=9, tx_ids=()), 1, 1),
    ],
)
def test_event_that_means_nothing_here_signs_and_sends_no_vote(event: Event) -> None:
    before = Cluster(4).state(0)
    after, effects = step(before, event)
    assert effects.persist == ()
    assert (after.height, after.view, after.asked) == (before.height, before.view, before.asked)


def test_committed_block_other_than_the_certified_one_stops_the_node() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    certified = replace(state.head_certificate, height=1, block_hash=sha256(b"certified"))
    other = replace(certified, block_hash=sha256(b"other"))
    event = Committed(head=replace(state.head, certificate=other), has_transactions=False, now_ms=900, wall_ms=EPOCH_MS)
    after, effects = step(replace(state, certified=certified), event)
    assert any(isinstance(fault, Stop) for fault in effects.faults)
    assert after.quarantine is not None


def test_committed_of_a_height_that_is_behind_is_ignored() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    event = Committed(head=state.head, has_transactions=False, now_ms=900, wall_ms=EPOCH_MS)
    assert step(state, event)[0].height == state.height


def test_committed_blocks_of_a_sync_may_come_one_after_the_other() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", b"b", b"c", b"d", b"e", b"f", b"g")
    cluster.deliver(to=[0, 1, 2])
    stored = cluster[0].disk.chain[-1]
    assert stored.height >= 2
    event = Committed(head=ledger.build_head_info(stored), has_transactions=False, now_ms=90_000, wall_ms=EPOCH_MS)
    after, _ = step(cluster.state(3), event)
    assert after.height == stored.height + 1
    assert after.is_normal


def test_state_holds_no_float_and_no_set() -> None:
    """L9: everything in it is ordered."""
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver()

    def look(value: object) -> None:
        assert not isinstance(value, float | set | frozenset | dict)
        if isinstance(value, msgspec.Struct):
            for field in value.__struct_fields__:
                look(getattr(value, field))
        elif isinstance(value, tuple):
            for item in value:
                look(item)

    look(cluster.state(0))


def test_network_runs_with_real_ed25519(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {index: SigningKey(sha256(b"real %d" % index)) for index in range(4)}
    by_public = {key.public_key: key for key in keys.values()}

    def sign(key: PublicKey, message: bytes) -> Signature:
        return by_public[key].sign(message)

    monkeypatch.setattr(ledger, "compute_key", lambda name: keys[name].public_key)
    monkeypatch.setattr(ledger, "sign", sign)
    monkeypatch.setattr(ledger, "verify", crypto.verify)
    world, nodes = build_world(4, faults=Faults(loss=20, delay_ms_max=30))
    supply(world, nodes)
    world.run_until(1_500)
    before = max(get_heights(nodes))
    assert before > 3
    nodes[0].crash()
    world.run_until(6_000)
    assert min(get_heights(nodes[1:])) > before
    assert all(fault is None for node in nodes for fault in node.faults)
