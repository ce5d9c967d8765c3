"""What comes back after a crash: votes bind as before, the view does not fall, stored bytes are resent."""

import pytest
from msgspec.structs import replace

from chain.types import Hash
from consensus.effects import KeepPrepared
from consensus.messages import Commit, NewView, Prepare, Proposal, Status, ViewChange
from consensus.state import State
from tests.simulator import ledger
from tests.simulator.cluster import Cluster


def restart(cluster: Cluster, index: int) -> State:
    """Crash a node and bring it back to voting."""
    cluster[index].crash()
    cluster.drop(to=[index])
    cluster[index].boot()
    cluster.settle()
    cluster.deliver(Status)
    cluster.settle()
    return cluster.state(index)


def test_restarted_follower_is_bound_to_its_prepare_and_votes_on() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    state = restart(cluster, 1)
    assert (state.height, state.view, state.is_normal, state.asked.prepare) == (1, 0, True, 0)
    cluster.world.run_until(cluster.world.now_ms + 1_000)
    for _ in range(3):
        for index in range(4):
            cluster[index].feed_status()
        cluster.world.run_until(cluster.world.now_ms + 300)
        cluster.deliver()
    assert [node.head.height for node in cluster.nodes] == [1, 1, 1, 1]


def test_p2_restarted_leader_proposes_the_same_block_again_and_no_other() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    first = cluster.state(0).proposal
    assert first is not None
    cluster.drop()
    cluster[0].pool.clear()
    cluster.submit(b"b", to=[0])
    state = restart(cluster, 0)
    assert state.proposal is not None
    assert state.proposal.message == first.message
    assert state.asked.proposal == 0


def test_c5_restarted_node_shows_the_prepared_certificate_behind_its_commit() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    locked = cluster.state(1).locked
    assert locked is not None
    state = restart(cluster, 1)
    assert state.locked == locked
    assert state.locked_content is not None
    cluster.move_to(1, [1])
    assert cluster.sent_view_change(1, 1).prepared == locked


def test_restarted_node_in_an_installed_view_is_normal_and_remembers_the_selection() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    cluster.drop()
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1], source=[0, 2])
    cluster.deliver(NewView, to=[3])
    state = restart(cluster, 3)
    assert (state.view, state.is_normal) == (1, True)
    assert state.selected is not None
    leader = restart(cluster, 1)
    assert leader.new_view is not None
    assert leader.asked.new_view == 1


def test_restarted_node_in_changing_stays_there_and_signs_nothing_new() -> None:
    cluster = Cluster(4)
    cluster.move_to(2, [1])
    signed = dict(cluster.world.signed[1])
    state = restart(cluster, 1)
    assert (state.view, state.is_normal, state.asked.view_change) == (2, False, 2)
    assert cluster.world.signed[1] == signed


def test_view_does_not_fall_below_a_signature_of_a_decided_height() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    cluster.move_to(1, [1])
    cluster.deliver(Commit, to=[1])
    cluster.settle()
    assert cluster[1].head.height == 1
    state = restart(cluster, 1)
    assert (state.height, state.view, state.is_normal) == (2, 1, False)


def test_journal_without_the_prepared_certificate_of_a_commit_is_quarantine() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    node = cluster[1]
    node.disk.journal = [record for record in node.disk.journal if not isinstance(record, KeepPrepared)]
    state = restart(cluster, 1)
    assert state.quarantine is not None
    assert "prepared certificate" in state.quarantine


def test_p15_restarted_nodes_meet_in_one_view() -> None:
    """Four nodes crash in different views; STATUS alone brings them together."""
    cluster = Cluster(4)
    for index, view in enumerate((0, 2, 1, 3)):
        if view:
            cluster.move_to(view, [index])
    cluster.drop()
    for index in range(4):
        restart(cluster, index)
    cluster.deliver((Status, ViewChange, NewView))
    states = [cluster.state(index) for index in range(4)]
    assert {state.view for state in states} == {3} or {state.view for state in states} == {2, 3}
    cluster.submit(b"a")
    for _ in range(6):
        for index in range(4):
            cluster.expire(index)
            cluster[index].feed_status()
        cluster.world.run_until(cluster.world.now_ms + 300)
        cluster.deliver()
    assert min(node.head.height for node in cluster.nodes) >= 1


def test_better_certificate_of_the_head_in_a_prepared_block_is_found_again() -> None:
    cluster = Cluster(4, liars=(1,))
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal, to=[2, 3])
    cluster.deliver(Prepare, to=[0, 2, 3])
    cluster.deliver(Commit, to=[0, 2, 3])
    cluster.settle()
    head = cluster.state(2).head_certificate
    votes = tuple(
        (signer, cluster.vote(Commit, signer, signer, 1, 1, Hash(head.block_hash)).signature) for signer in (0, 1, 3)
    )
    certificate = replace(head, view=1, votes=votes)
    block = ledger.build_content(
        cluster[2].head,
        certificate,
        proposer=ledger.compute_key(1),
        timestamp_ms=cluster[2].wall_ms,
        items=((bytes(32), bytes(64)),),
    )
    cluster.inject([2], 1, cluster.proposal(1, 1, block, 1))
    assert cluster.state(2).asked.prepare == 1
    state = restart(cluster, 2)
    assert state.head_certificate == certificate
    assert (state.view, state.is_normal) == (1, True)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_networks_restart_too(n: int) -> None:
    cluster = Cluster(n)
    cluster.submit(b"a")
    cluster.deliver()
    cluster.settle()
    for index in range(n):
        restart(cluster, index)
    cluster.submit(b"b")
    cluster.deliver()
    cluster.settle()
    assert min(node.head.height for node in cluster.nodes) == 2
