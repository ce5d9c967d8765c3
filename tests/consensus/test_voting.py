"""Rules E1 to E7, J1 and J2, sentence by sentence; node 3 is the liar where there is one, leader(1, v) is
v mod 4."""

import pytest
from msgspec.structs import replace

from chain.errors import InvariantViolation
from chain.types import Hash, View
from consensus.core import step
from consensus.effects import BuildBlock, FetchBlock, KeepBlock, KeepPrepared, SignRequest
from consensus.events import (
    BlockContent,
    Built,
    Checked,
    NothingToBuild,
    PoolChanged,
    Received,
    Signed,
    TimerId,
    Verdict,
)
from consensus.messages import (
    Commit,
    NewView,
    OwnMessage,
    Prepare,
    Proposal,
    Status,
    ViewChange,
    attach_signature,
)
from consensus.state import State
from consensus.status import build_held
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS

LIAR = 3


def get_hash(cluster: Cluster, index: int) -> Hash:
    state = cluster.state(index)
    assert state.proposal is not None
    return state.proposal.content.block_hash


def heights(cluster: Cluster) -> list[int]:
    return [node.head.height for node in cluster.honest]


def list_sent(cluster: Cluster, source: int) -> list[OwnMessage]:
    """Return what a node has signed and sent to its neighbour and what still waits in the mail."""
    target = (source + 1) % cluster.n
    return [
        mail.message
        for mail in cluster.world.mail
        if mail.source == source
        and mail.target == target
        and isinstance(mail.message, ViewChange | NewView | Proposal | Prepare | Commit)
    ]


def change_view(cluster: Cluster, view: int, nodes: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    cluster.move_to(view, nodes)
    cluster.deliver((ViewChange, NewView))


# --- the normal case ---


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 10, 13])
def test_c1_block_is_committed_by_any_number_of_validators(n: int) -> None:
    cluster = Cluster(n)
    for word in (b"a", b"b", b"c"):
        cluster.submit(word)
        cluster.deliver()
        cluster.settle()
    assert heights(cluster) == [3] * n
    assert len({node.head.content.block_hash for node in cluster.nodes}) == 1


def test_leader_sends_proposal_and_prepare_too() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    assert [type(message) for message in list_sent(cluster, 0)] == [Proposal, Prepare]
    assert list_sent(cluster, 1) == []


def test_embedded_certificate_holds_every_commit_held_for_the_head() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver()
    cluster.submit(b"b")
    cluster.deliver(Proposal, to=[1])
    state = cluster.state(1)
    assert state.proposal is not None
    assert [index for index, _ in state.proposal.content.parent_certificate.votes] == [0, 1, 2, 3]


def test_leader_builds_nothing_without_transactions_before_the_idle_interval() -> None:
    cluster = Cluster(4)
    assert cluster.state(0).proposal is None
    cluster.submit(b"a", to=[0])
    assert cluster.state(0).proposal is not None


def build_at(state: State, *, wall_ms: int, has_transactions: bool = False) -> BuildBlock | None:
    """Return what the leader asks for when the pool is reported at some wall time."""
    _, effects = step(state, PoolChanged(has_transactions=has_transactions, now_ms=10_000, wall_ms=wall_ms))
    return effects.build


def test_empty_block_is_due_after_the_idle_interval_and_not_one_millisecond_before() -> None:
    state = Cluster(4).state(0)
    state = replace(state, config=replace(state.config, idle_interval_ms=5_000))
    assert build_at(state, wall_ms=EPOCH_MS + 4_999) is None
    due = build_at(state, wall_ms=EPOCH_MS + 5_000)
    assert due is not None
    assert due.allow_empty
    early = build_at(state, wall_ms=EPOCH_MS + 1, has_transactions=True)
    assert early is not None
    assert not early.allow_empty


def test_nothing_to_build_is_asked_again_when_the_pool_fills() -> None:
    state = Cluster(4).state(0)
    state, effects = step(state, PoolChanged(has_transactions=True, now_ms=900, wall_ms=EPOCH_MS + 900))
    assert effects.build is not None
    nothing = NothingToBuild(height=state.height, view=state.view, now_ms=901, wall_ms=EPOCH_MS + 901)
    state, effects = step(state, nothing)
    assert effects.build is None
    _, effects = step(state, PoolChanged(has_transactions=True, now_ms=902, wall_ms=EPOCH_MS + 902))
    assert effects.build is not None


def test_c16_block_of_ours_that_others_would_refuse_is_a_violation_and_not_sent() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    state, _ = step(state, PoolChanged(has_transactions=True, now_ms=900, wall_ms=EPOCH_MS + 900))
    wrong = cluster.block(0, 1, b"of another proposer")
    with pytest.raises(InvariantViolation):
        step(state, Built(height=state.height, view=state.view, content=wrong, now_ms=901, wall_ms=EPOCH_MS))


def test_nothing_is_sent_before_it_is_signed_and_durable() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    state, _ = step(state, PoolChanged(has_transactions=True, now_ms=900, wall_ms=EPOCH_MS + 900))
    block = cluster.block(0, 0, b"a")
    built = Built(height=state.height, view=state.view, content=block, now_ms=901, wall_ms=EPOCH_MS + 901)
    state, effects = step(state, built)
    requests = [record.message for record in effects.persist if isinstance(record, SignRequest)]
    assert [type(message) for message in requests] == [Proposal, Prepare]
    assert any(isinstance(record, KeepBlock) for record in effects.persist)
    assert not any(isinstance(send.message, Proposal | Prepare) for send in effects.send)
    assert state.prepares == (None,) * 4
    signed = attach_signature(requests[1], ledger.sign(state.config.key, b"any"))
    state, effects = step(state, Signed(signed, 902, EPOCH_MS + 902))
    assert [send.message for send in effects.send if isinstance(send.message, Prepare)] == [signed]
    assert state.prepares[0] == signed


# --- E2: J1, J2 ---


def test_c21_leader_of_an_invalid_block_gets_no_second_try_in_its_view() -> None:
    cluster = Cluster(4, liars=(0,))
    bad = replace_root(cluster)
    cluster.inject([1], 0, cluster.proposal(0, 0, bad, 0))
    assert cluster.state(1).refused == 0
    good = cluster.proposal(0, 0, cluster.block(1, 0, b"second"), 0)
    _, effects = step(cluster.state(1), Received(0, good, cluster.world.now_ms, cluster[1].wall_ms))
    assert effects.check == ()


def test_refused_proposal_is_not_asked_for_again() -> None:
    cluster = Cluster(4, liars=(0,))
    cluster.inject([1], 0, cluster.proposal(0, 0, replace_root(cluster), 0))
    assert build_held(cluster.state(1)).has_proposal


def replace_root(cluster: Cluster) -> BlockContent:
    """A block of node 0 whose execution gives another state root."""
    return ledger.build_content(
        cluster[1].head,
        cluster.state(1).head_certificate,
        proposer=ledger.compute_key(0),
        timestamp_ms=EPOCH_MS + 500,
        items=((bytes(32), bytes(64)),),
        state_root=Hash(bytes(32)),
    )


def test_c20_invalid_block_is_not_prepared_and_not_asked_about_again_in_this_view() -> None:
    cluster = Cluster(4, liars=(0,))
    bad = replace_root(cluster)
    proposal = cluster.proposal(0, 0, bad, 0)
    cluster.inject([1], 0, proposal)
    assert cluster.state(1).asked.prepare == -1
    _, effects = step(cluster.state(1), Received(0, proposal, cluster.world.now_ms, cluster[1].wall_ms))
    assert effects.check == ()


def test_second_proposal_of_a_view_is_not_prepared_but_kept_as_evidence() -> None:
    cluster = Cluster(4, liars=(0,))
    first, second = cluster.block(1, 0, b"a"), cluster.block(1, 0, b"b")
    cluster.inject([1], 0, cluster.proposal(0, 0, first, 0))
    cluster.inject([1], 0, cluster.proposal(0, 0, second, 0))
    prepared = [message.body.block_hash for message in list_sent(cluster, 1) if isinstance(message, Prepare)]
    assert prepared == [first.block_hash]
    assert [type(fault).__name__ for fault in cluster[1].faults] == ["Evidence"]


def test_fresh_block_of_another_proposer_is_refused() -> None:
    cluster = Cluster(4, liars=(0,))
    foreign = cluster.block(1, 2, b"a")
    cluster.inject([1], 0, cluster.proposal(0, 0, foreign, 0))
    assert cluster.state(1).asked.prepare == -1


def test_selected_block_is_prepared_without_the_fresh_line() -> None:
    """P19: a block that was prepared before a long stop is as old as it is."""
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    x = get_hash(cluster, 0)
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    assert cluster.state(1).locked is not None
    cluster.drop()
    cluster.world.run_until(cluster.world.now_ms + 10 * ledger.D_PAST_MS)
    change_view(cluster, 1)
    cluster.deliver((Proposal, Prepare, Commit))
    assert heights(cluster) == [1, 1, 1, 1]
    assert cluster[2].head.content.block_hash == x
    assert cluster[2].head.certificate.view == 1


def test_old_fresh_block_is_not_prepared() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.world.run_until(cluster.world.now_ms + 10 * ledger.D_PAST_MS)
    cluster.deliver(Proposal)
    assert cluster.state(1).asked.prepare == -1


def test_block_from_the_future_is_held_and_not_rejected() -> None:
    cluster = Cluster(4, liars=(0,))
    ahead = ledger.build_content(
        cluster[1].head,
        cluster.state(1).head_certificate,
        proposer=ledger.compute_key(0),
        timestamp_ms=cluster[1].wall_ms + ledger.D_FUTURE_MS + 2_000,
        items=((bytes(32), bytes(64)),),
    )
    cluster.inject([1], 0, cluster.proposal(0, 0, ahead, 0))
    assert cluster.state(1).asked.prepare == -1
    cluster.world.run_until(cluster.world.now_ms + 3_000)
    assert cluster.state(1).asked.prepare == 0


def test_block_whose_bodies_are_missing_is_taken_again_from_another_copy() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    proposal = list_sent(cluster, 0)[0]
    assert isinstance(proposal, Proposal)
    cluster.drop()
    tampered = replace(proposal, items=((bytes(32), bytes(64)),))
    cluster[1].receive(2, tampered)  # a relayer changed the items, which are under no signature
    cluster.settle()
    assert cluster.state(1).proposal is None
    assert cluster.state(1).bad_relays == (2,)
    cluster[1].receive(2, tampered)
    assert cluster.state(1).proposal is None
    cluster[1].receive(0, proposal)
    cluster.settle()
    assert cluster.state(1).asked.prepare == 0


def test_copy_of_the_leader_takes_the_place_of_a_changed_one() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    proposal = list_sent(cluster, 0)[0]
    assert isinstance(proposal, Proposal)
    cluster.drop()
    cluster[1].receive(2, replace(proposal, items=((bytes(32), bytes(64)),)))
    cluster[1].receive(0, proposal)
    cluster.settle()
    assert cluster.state(1).asked.prepare == 0


def test_late_verdict_on_an_older_view_prepares_nothing() -> None:
    cluster = Cluster(4, liars=(0,))
    block = cluster.block(1, 0, b"a")
    cluster.inject([1], 0, cluster.proposal(0, 0, block, 0))
    cluster.move_to(1, [1])
    assert cluster.state(1).asked.prepare == 0
    late = Checked(
        height=cluster.state(1).height,
        view=View(0),
        block_hash=block.block_hash,
        is_fresh=True,
        verdict=Verdict.VALID,
        reason="",
        now_ms=cluster.world.now_ms,
        wall_ms=cluster[1].wall_ms,
    )
    _, effects = step(cluster.state(1), late)
    assert effects.persist == ()


# --- E3 ---


def test_commit_needs_a_quorum_of_prepares_of_this_view_and_block() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a", to=[0])
    x = get_hash(cluster, 0)
    cluster.deliver(Proposal, to=[1])
    cluster.deliver(Prepare, to=[1])
    assert cluster.state(1).asked.commit == -1
    cluster.inject([1], LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 1, x))  # of another view
    assert cluster.state(1).asked.commit == -1
    cluster.drop()
    cluster.inject([1], LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 2, x))
    assert cluster.state(1).asked.commit == -1


def test_commit_needs_my_own_prepare() -> None:
    cluster = Cluster(4, liars=(0, 2, 3))
    block = cluster.block(1, 0, b"a")
    for name in (0, 2, 3):
        cluster.inject([1], name, cluster.vote(Prepare, name, name, 1, 0, block.block_hash))
    assert cluster.state(1).asked.commit == -1
    cluster.inject([1], 0, cluster.proposal(0, 0, block, 0))
    assert cluster.state(1).asked.commit == 0


def test_prepared_certificate_is_journaled_before_the_commit_that_rests_on_it() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    names = [type(record).__name__ for record in cluster[1].disk.journal]
    assert names.index("KeepBlock") < names.index("Prepare") < names.index("KeepPrepared") < names.index("Commit")
    kept = [record for record in cluster[1].disk.journal if isinstance(record, KeepPrepared)]
    assert len(kept[0].prepared.votes) == 3


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
