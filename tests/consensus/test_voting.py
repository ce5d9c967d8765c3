"""Rules E1 to E7, J1 and J2, sentence by sentence; node 3 is the liar where there is one, leader(1, v) is
v mod 4."""

import pytest
from msgspec.structs import replace

from chain.errors import InvariantViolation
from chain.types import Hash, View
from consensus.config import Pace
from consensus.core import step
from consensus.effects import BuildBlock, KeepBlock, KeepPrepared, SignRequest
from consensus.events import (
    BlockContent,
    Built,
    Checked,
    NothingToBuild,
    PoolChanged,
    Received,
    Signed,
    Verdict,
)
from consensus.messages import (
    Commit,
    NewView,
    OwnMessage,
    Prepare,
    Proposal,
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
    state = replace(state, head=replace(state.head, pace=Pace(idle_interval_ms=5_000)))
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
