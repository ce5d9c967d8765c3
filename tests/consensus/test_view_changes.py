"""Rules E4 to E7, sentence by sentence; node 3 is the liar where there is one, leader(1, v) is v mod 4."""

from msgspec.structs import replace

from chain.types import Hash
from consensus.core import step
from consensus.effects import FetchBlock
from consensus.events import (
    Received,
    TimerId,
)
from consensus.messages import (
    Commit,
    NewView,
    Prepare,
    Proposal,
    Status,
    ViewChange,
)
from tests.consensus.test_voting import LIAR, change_view, get_hash, heights, list_sent
from tests.simulator import ledger
from tests.simulator.cluster import Cluster

# --- E4 ---


def test_commit_quorum_without_the_block_fetches_it() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0, 1, 2])
    cluster.deliver(Proposal, to=[1, 2])
    cluster.deliver(Prepare, to=[0, 1, 2])
    cluster.deliver(Commit, to=[3])
    cluster.settle()
    assert cluster[3].head.height == 1


def test_commits_of_two_blocks_or_views_are_no_quorum() -> None:
    cluster = Cluster(4, liars=(0, 1, 2))
    x, y = cluster.block(3, 0, b"x").block_hash, cluster.block(3, 0, b"y").block_hash
    cluster.inject([3], 0, cluster.vote(Commit, 0, 0, 1, 0, x))
    cluster.inject([3], 1, cluster.vote(Commit, 1, 1, 1, 0, y))
    cluster.inject([3], 2, cluster.vote(Commit, 2, 2, 1, 1, x))
    assert cluster.state(3).certified is None


def certify(cluster: Cluster, to: int) -> Hash:
    """Bring a node to the quorum of COMMITs, its batch not yet written."""
    cluster.submit(b"a", to=[0])
    x = get_hash(cluster, 0)
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    commits = [mail for mail in cluster.world.mail if mail.target == to and isinstance(mail.message, Commit)]
    for mail in commits:
        cluster[to].receive(mail.source, mail.message)
    state = cluster.state(to)
    assert state.certified is not None
    assert state.height == 1
    return x


def test_c7_after_the_commit_quorum_a_timer_of_the_same_tick_changes_nothing() -> None:
    cluster = Cluster(4)
    certify(cluster, 1)
    before = cluster.state(1)
    cluster.expire(1, TimerId.VIEW)
    assert cluster.state(1) == before
    cluster.settle()
    assert cluster[1].head.height == 1
    assert cluster.state(1).wants == 0


def test_c7_timer_just_before_the_commit_quorum_does_not_stop_it() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    cluster.expire(1, TimerId.VIEW)
    assert cluster.state(1).wants == 1
    assert cluster.state(1).is_normal
    cluster.deliver(Commit)
    assert heights(cluster) == [1, 1, 1, 1]
    assert cluster.state(1).wants == 0


def test_c8_view_change_while_the_block_is_being_written_is_not_joined() -> None:
    cluster = Cluster(4)
    certify(cluster, 1)
    for other in (0, 2, 3):
        cluster[1].receive(other, cluster.build_status(1, other, wants=1))
    assert cluster.state(1).view == 0
    cluster.settle()
    assert cluster[1].head.height == 1
    # Those wishes were about height 1; following them now would take node 1 out of a view that goes on.
    assert cluster.state(1).is_normal
    assert cluster.state(1).view == 0


def test_height_is_reported_only_when_the_batch_is_durable() -> None:
    cluster = Cluster(4)
    certify(cluster, 1)
    cluster.drop(Status)
    cluster.expire(1, TimerId.STATUS)
    heads = [mail.message.certificate.height for mail in cluster.world.mail if isinstance(mail.message, Status)]
    assert set(heads) == {0}


# --- E5 ---


def test_commit_by_a_lower_view_keeps_the_view_and_signs_view_change_for_the_next_height() -> None:
    cluster = Cluster(4)
    certify_later(cluster)
    state = cluster.state(1)
    assert (state.height, state.view, state.is_normal, state.wants) == (2, 1, False, 1)
    sent = [message for message in list_sent(cluster, 1) if isinstance(message, ViewChange)]
    assert [(message.body.height, message.body.view, message.prepared) for message in sent][-1] == (2, 1, None)


def certify_later(cluster: Cluster) -> None:
    """Node 1 is in changing(1) when the COMMITs of view 0 reach it."""
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    cluster.move_to(1, [1])
    cluster.deliver(Commit, to=[1])
    cluster.settle()


def test_p20_certificate_of_the_head_of_my_view_met_later_makes_the_mode_normal() -> None:
    cluster = Cluster(4)
    certify_later(cluster)
    better = replace(cluster.state(1).head_certificate, view=1)
    votes = tuple(
        (signer, cluster.vote(Commit, signer, signer, 1, 1, Hash(better.block_hash)).signature) for signer in (0, 2, 3)
    )
    status = replace(cluster.build_status(1, 0, wants=1), certificate=replace(better, votes=votes), view=1)
    cluster[1].receive(0, status)
    assert cluster.state(1).is_normal
    assert cluster.state(1).head_certificate.view == 1


def test_forged_better_certificate_of_the_head_changes_nothing() -> None:
    cluster = Cluster(4)
    certify_later(cluster)
    forged = replace(cluster.state(1).head_certificate, view=1)
    cluster[1].receive(0, replace(cluster.build_status(1, 0, wants=1), certificate=forged, view=1))
    assert not cluster.state(1).is_normal
    assert cluster.state(1).head_certificate.view == 0


def test_nothing_is_signed_at_a_decided_height() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a")
    cluster.deliver()
    signed = dict(cluster.world.signed[1])
    late = replace(cluster.block(1, LIAR, b"late"))
    old = replace(late, header=replace(late.header, height=1))
    cluster.inject([1], LIAR, cluster.proposal(LIAR, LIAR, old, 3))
    cluster.inject([1], LIAR, replace(cluster.view_change(LIAR, LIAR, cluster.state(1), 3)))
    assert cluster.world.signed[1] == signed


# --- E6 ---


def test_p12_one_wish_moves_nobody_and_f_plus_one_move_everybody() -> None:
    cluster = Cluster(4)
    cluster[0].receive(1, cluster.build_status(0, 1, wants=4))
    assert cluster.state(0).view == 0
    cluster[0].receive(2, cluster.build_status(0, 2, wants=3))
    cluster.settle()
    assert (cluster.state(0).view, cluster.state(0).is_normal) == (3, False)


def test_wish_is_no_promise_and_the_view_goes_on() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.expire(1, TimerId.VIEW)
    assert cluster.state(1).wants == 0  # no work here: no timer
    cluster.submit(b"a", to=[1])
    cluster.expire(1, TimerId.VIEW)
    assert cluster.state(1).wants == 1
    cluster.deliver((Proposal, Prepare, Commit))
    assert heights(cluster) == [1, 1, 1, 1]


def test_c18_c19_p13_huge_views_of_one_liar_move_nobody() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    huge = 2**53 - 1
    cluster.inject([0, 1, 2], LIAR, cluster.view_change(LIAR, LIAR, cluster.state(0), huge))
    for index in (0, 1, 2):
        cluster[index].receive(LIAR, cluster.build_status(index, LIAR, wants=huge))
    assert [cluster.state(index).view for index in (0, 1, 2)] == [0, 0, 0]
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit))
    assert heights(cluster) == [1, 1, 1]


# --- E7 ---


def test_new_view_that_selects_nothing_lets_its_leader_propose_a_fresh_block() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[1])
    change_view(cluster, 1)
    assert [cluster.state(index).is_normal for index in range(4)] == [True] * 4
    cluster.deliver((Proposal, Prepare, Commit))
    assert heights(cluster) == [1, 1, 1, 1]
    assert cluster[0].head.certificate.view == 1


def test_c23_new_view_is_signed_once_however_many_view_changes_come() -> None:
    cluster = Cluster(4)
    change_view(cluster, 1)
    signed = [position for position in cluster.world.signed[1] if position[2] == 1]
    assert signed == [(1, 1, 1)]


def test_c5_new_view_carries_over_what_one_honest_node_committed_to() -> None:
    cluster = Cluster(4)
    cluster.submit(b"x", to=[0])
    x = get_hash(cluster, 0)
    cluster.deliver(Proposal, to=[1, 2])
    cluster.deliver(Prepare, to=[0])
    assert cluster.state(0).locked is not None
    assert cluster.state(1).locked is None
    cluster.drop()
    cluster.submit(b"y")
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1], source=[0, 2])
    cluster.deliver(NewView)
    assert get_hash(cluster, 1) == x
    cluster.deliver((Proposal, Prepare, Commit))
    assert cluster[3].disk.chain[1].content.block_hash == x


def test_leader_that_lacks_the_selected_block_fetches_it_from_a_signer_of_the_certificate() -> None:
    cluster = Cluster(4)
    cluster.submit(b"x", to=[0])
    x = get_hash(cluster, 0)
    cluster.deliver(Proposal, to=[2, 3])
    cluster.deliver(Prepare, to=[0])
    cluster.drop()
    cluster.move_to(1, [0, 1, 2])
    asked: list[FetchBlock] = []
    original = cluster[1]._fetch

    def fetch(order: FetchBlock) -> None:
        asked.append(order)
        original(order)

    cluster[1]._fetch = fetch  # type: ignore[method-assign]
    cluster.deliver((ViewChange, NewView))
    assert [(order.block_hash, order.holders) for order in asked] == [(x, (0, 2, 3))]
    cluster.deliver((Proposal, Prepare, Commit))
    assert cluster[1].head.content.block_hash == x


def test_c11_other_block_than_the_selected_one_is_not_prepared() -> None:
    cluster = Cluster(4, liars=(1,))
    cluster.submit(b"x", to=[0])
    cluster.deliver(Proposal, to=[2, 3])
    cluster.deliver(Prepare, to=[0])
    cluster.drop()
    cluster.move_to(1, [0, 2, 3])
    listed = [cluster.sent_view_change(index, 1) for index in (0, 2, 3)]
    cluster.inject([0, 2, 3], 1, cluster.new_view(1, 1, listed, 1, 1))
    assert cluster.state(2).selected is not None
    cluster.inject([0, 2, 3], 1, cluster.proposal(1, 1, cluster.block(2, 1, b"y"), 1))
    assert [cluster.state(index).asked.prepare for index in (0, 2, 3)] == [0, 0, 0]


def test_prepared_without_commit_is_not_shown() -> None:
    cluster = Cluster(4)
    cluster.submit(b"x", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare, to=[0])
    cluster.move_to(1, [0, 1])
    assert cluster.sent_view_change(0, 1).prepared is not None
    assert cluster.sent_view_change(1, 1).prepared is None


def test_c3_node_that_committed_does_not_prepare_another_block_by_parent_view() -> None:
    """The lock of J2: after COMMIT at h only a NEW-VIEW can justify anything at h."""
    cluster = Cluster(4, liars=(1,))
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal, to=[2, 3])
    cluster.deliver(Prepare, to=[0, 2, 3])
    cluster.deliver(Commit, to=[0, 2, 3])
    cluster.settle()
    # Height 2: everybody signs COMMIT in view 0; then C(1) of view 1 turns up.
    cluster.submit(b"b", to=[0])
    cluster.deliver(Proposal, to=[2, 3])
    cluster.deliver(Prepare, to=[0, 2, 3])
    assert cluster.state(2).asked.commit == 0
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
    assert cluster.state(2).view == 1
    assert cluster.state(2).asked.prepare == 0


def test_j2_proposal_of_a_higher_view_with_the_parent_certificate_of_that_view_is_prepared() -> None:
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
    block = ledger.build_content(
        cluster[2].head,
        replace(head, view=1, votes=votes),
        proposer=ledger.compute_key(1),
        timestamp_ms=cluster[2].wall_ms,
        items=((bytes(32), bytes(64)),),
    )
    cluster.inject([2], 1, cluster.proposal(1, 1, block, 1))
    assert (cluster.state(2).view, cluster.state(2).asked.prepare) == (1, 1)


def test_proposal_of_a_higher_view_without_proof_is_not_even_kept() -> None:
    cluster = Cluster(4, liars=(1,))
    cluster.inject([2], 1, cluster.proposal(1, 1, cluster.block(2, 1, b"y"), 1))
    assert cluster.state(2).proposal is None
    assert cluster.state(2).view == 0


def test_commit_effect_comes_once_for_a_height() -> None:
    cluster = Cluster(4)
    x = certify(cluster, 1)
    state = cluster.state(1)
    again = cluster.vote(Commit, 3, 3, 1, 0, x)
    _, effects = step(state, Received(3, again, cluster.world.now_ms, cluster[1].wall_ms))
    assert effects.commit is None


def test_own_messages_pass_the_checks_of_others() -> None:
    """C16: whatever a node signs, a peer accepts."""
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver()
    change_view(cluster, 1)
    cluster.submit(b"b")
    cluster.deliver()
    notes = [fault for node in cluster.nodes for fault in node.faults]
    assert notes == []
    assert heights(cluster) == [2, 2, 2, 2]
