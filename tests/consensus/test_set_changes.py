"""Changes of the set of validators: whose votes count at which height, who follows, who may vote again (consensus 8).

Nodes 0 to 3 begin; the spare ones, 4 and more, are guests until a block adds them. The toy ledger adds at the end and
removes from the middle, so that indexes move.
"""

import pytest
from msgspec.structs import replace

from chain.certificate import VoteBody
from chain.crypto import sha256
from chain.types import Hash
from consensus import rules
from consensus.core import step
from consensus.effects import CatchUp, LeaveQuarantine, Note
from consensus.events import Committed, PeerDown, PeerUp, Received, RejoinDeclared, TimerExpired, TimerId
from consensus.messages import (
    UNSIGNED,
    Activity,
    Commit,
    Held,
    NewView,
    Prepare,
    Proposal,
    Status,
    ViewChange,
)
from consensus.state import State
from consensus.status import build_status
from consensus.timing import get_timer
from tests.consensus.test_mutants import Unguarded
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import ADD, EPOCH_MS, REMOVE
from tests.simulator.node import Node

NOTHING = Held(has_new_view=False, has_proposal=False, view_changes=b"", prepares=b"", commits=b"")


def change(cluster: Cluster, tag: bytes, name: int, *, leader: int = 0, to: list[int] | None = None) -> None:
    """Let the next block hold a change of the set, and deliver all of its messages."""
    number = cluster[leader].head.changes
    height = cluster[leader].head.height
    cluster[leader].add_transaction(ledger.build_change(tag, name, number))
    cluster.settle()
    cluster.deliver((Proposal, Prepare, Commit), to=to)
    assert cluster[leader].head.height == height + 1
    assert cluster[leader].head.changes == number + 1


def follow(cluster: Cluster, *names: int) -> None:
    """Bring guests to the head of node 0 by STATUS and their sync."""
    for _ in range(4):
        for name in names:
            cluster[name].feed_status()
        cluster.deliver(Status)
        cluster.settle()
    for name in names:
        assert cluster[name].head.height == cluster[0].head.height


def get_names(state: State) -> list[int]:
    names = {bytes(ledger.compute_key(name)): name for name in range(10)}
    return [names[validator.key] for validator in state.validators]


# --- who votes on which height ---


def test_p11_added_validator_votes_from_the_next_height_on_without_a_restart() -> None:
    cluster = Cluster(4, spare=1)
    assert cluster.state(4).activity is Activity.FOLLOWING
    boots = cluster[4].boots
    change(cluster, ADD, 4)
    follow(cluster, 4)
    assert get_names(cluster.state(4)) == [0, 1, 2, 3, 4]
    assert (cluster.state(0).n, cluster.state(0).quorum) == (5, 4)
    assert cluster.state(4).activity is Activity.VOTING
    assert cluster[4].boots == boots
    # Without node 3 the new one is needed for the quorum.
    cluster.submit(b"needs the fifth")
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2, 4], source=[0, 1, 2, 4])
    assert cluster[4].head.height == 2
    assert {index for index, _ in cluster[0].head.certificate.votes} == {0, 1, 2, 4}


def test_c25_quorum_of_the_set_before_decides_nothing_at_the_next_height() -> None:
    cluster = Cluster(4, spare=1)
    change(cluster, ADD, 4)
    cluster.submit(b"three of five")
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2], source=[0, 1, 2])
    assert [cluster[index].head.height for index in (0, 1, 2)] == [1, 1, 1]
    assert all(cluster.state(index).asked.commit == -1 for index in (0, 1, 2)), "three PREPAREs are no P either"


def test_c26_validator_that_is_removed_votes_for_the_block_that_removes_it() -> None:
    """Node 3 is silent, so the quorum of the last height needs node 1, which leaves with it."""
    cluster = Cluster(4)
    change(cluster, REMOVE, 1, to=[0, 1, 2])
    assert cluster.state(1).activity is Activity.FOLLOWING
    assert get_names(cluster.state(0)) == [0, 2, 3]
    assert (cluster.state(0).quorum, cluster.state(2).own_index) == (2, 1)
    cluster.submit(b"without it")
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 2])
    assert cluster[0].head.height == cluster[2].head.height == 2


def test_c12_votes_of_a_removed_validator_count_for_nothing() -> None:
    cluster = Cluster(4, liars=(3,))
    cluster[0].add_transaction(ledger.build_change(REMOVE, 3, 0))
    cluster.settle()
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2])
    assert get_names(cluster.state(0)) == [0, 1, 2]
    assert cluster.state(0).quorum == 2
    cluster.submit(b"z", to=[0])
    cluster.drop((Prepare, Commit))
    state = cluster.state(1)
    slot = cluster.state(0).proposal
    assert slot is not None
    for signer in range(4):
        cluster.inject([1], 3, cluster.vote(Commit, 3, signer, 2, state.view, slot.content.block_hash))
        cluster.inject([1], 3, cluster.view_change(3, signer, state, state.view + 5))
    assert cluster.state(1).commits == (None, None, None)
    assert cluster.state(1).view_changes == (None, None, None)
    assert cluster.state(1).view == state.view
    notes = [fault for fault in cluster[1].faults if isinstance(fault, Note)]
    assert {note.code for note in notes} == {"message_of_guest"}


def test_c12_vote_for_the_next_height_does_not_survive_a_change_of_the_set() -> None:
    """An early vote waits under an index of the old set; in the new one that index is another validator's."""
    cluster = Cluster(4, liars=(3,))
    early = VoteBody(version=1, height=2, view=0, block_hash=sha256(b"early"))
    vote = cluster.sign(3, Commit(body=early, signer=3, signature=UNSIGNED))
    cluster.inject([0], 3, vote)
    assert cluster.state(0).waiting[3].commit is not None
    cluster[0].add_transaction(ledger.build_change(REMOVE, 1, 0))
    cluster.settle()
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2])
    assert get_names(cluster.state(0)) == [0, 2, 3]
    assert cluster.state(0).commits == (None, None, None)
    assert all(waiting.commit is None for waiting in cluster.state(0).waiting)


def test_what_is_known_of_a_peer_moves_with_its_key() -> None:
    cluster = Cluster(4)
    before = cluster.state(2)
    change(cluster, REMOVE, 0, leader=0)
    after = cluster.state(2)
    assert get_names(after) == [1, 2, 3]
    assert after.peers[2].nonce == before.peers[3].nonce
    assert after.peers[2].is_connected
    assert after.own_index == 1


def test_leader_of_the_next_height_comes_from_its_own_set() -> None:
    cluster = Cluster(4)
    change(cluster, REMOVE, 0)
    state = cluster.state(1)
    assert rules.get_leader(state, state.view) == 0
    assert get_names(state)[0] == 1
    cluster.submit(b"led by node 1", to=[1])
    cluster.deliver((Proposal, Prepare, Commit), to=[1, 2, 3])
    assert cluster[1].head.content.header.proposer == ledger.compute_key(1)


def test_view_change_at_the_boundary_is_made_by_the_set_of_its_height() -> None:
    """The block that adds node 4 is carried into view 1 by the four; height 2 then takes four of five."""
    cluster = Cluster(4, spare=1)
    cluster[0].add_transaction(ledger.build_change(ADD, 4, 0))
    cluster.settle()
    cluster.deliver(Proposal, to=[1, 2, 3])
    cluster.deliver(Prepare, to=[0, 1, 2, 3])
    cluster.drop()
    cluster.move_to(1, [0, 1, 2, 3])
    cluster.deliver((ViewChange, NewView, Proposal, Prepare, Commit))
    assert [cluster[index].head.height for index in range(4)] == [1] * 4
    assert cluster[0].head.certificate.view == 1
    follow(cluster, 4)
    assert cluster.state(4).view == 1
    cluster.submit(b"next")
    cluster.deliver((Proposal, Prepare, Commit))
    assert [cluster[index].head.height for index in range(5)] == [2] * 5


def test_replaced_key_is_an_addition_and_then_a_removal() -> None:
    cluster = Cluster(4, spare=1)
    change(cluster, ADD, 4)
    follow(cluster, 4)
    change(cluster, REMOVE, 0)
    assert get_names(cluster.state(4)) == [1, 2, 3, 4]
    cluster.submit(b"goes on")
    cluster.deliver((Proposal, Prepare, Commit), to=[1, 2, 3, 4])
    assert [cluster[index].head.height for index in (1, 2, 3, 4)] == [3] * 4
    follow_height = cluster[0].head.height
    cluster[0].feed_status()
    cluster.deliver(Status)
    cluster.settle()
    assert (follow_height, cluster[0].head.height) == (2, 3), "who was removed can still fetch what it lacks"


def test_node_that_was_away_catches_up_across_sets_of_which_it_knows_nobody() -> None:
    """Node 3 stops at genesis; meanwhile 0, 1 and 2 are replaced by 4, 5 and 6, and are gone."""
    cluster = Cluster(4, spare=3)
    cluster[3].crash()
    for added, removed in ((4, 0), (5, 1), (6, 2)):
        leader = removed
        change(cluster, ADD, added, leader=leader, to=[index for index in range(7) if index != 3])
        for _ in range(3):
            for name in (0, 1, 2, 4, 5, 6):
                cluster[name].feed_status()
            cluster.deliver(Status)
            cluster.settle()
        change(cluster, REMOVE, removed, leader=leader, to=[index for index in range(7) if index != 3])
        for _ in range(3):
            for name in (4, 5, 6):
                cluster[name].feed_status()
            cluster.deliver(Status)
            cluster.settle()
    assert get_names(cluster.state(6)) == [3, 4, 5, 6]
    for gone in (0, 1, 2):
        cluster[gone].crash()
    cluster[3].boot()
    assert get_names(cluster.state(3)) == [0, 1, 2, 3]
    for _ in range(8):
        for name in (3, 4, 5, 6):
            cluster[name].feed_status()
        cluster.settle()
        cluster.deliver(Status)
    assert cluster[3].head.height == cluster[6].head.height == 6
    assert get_names(cluster.state(3)) == [3, 4, 5, 6]
    assert cluster.state(3).activity is Activity.VOTING


def test_certificate_of_an_old_height_holds_under_the_set_of_that_height_only() -> None:
    cluster = Cluster(4, spare=1)
    change(cluster, REMOVE, 0)
    stored = cluster[1].disk.chain[1]
    assert max(index for index, _ in stored.certificate.votes) == 3, "an index that the set of now has no more"
    state = cluster.state(1)
    assert state.head.validators_head != state.validators
    # C(1), signed under indexes of the set before, is what the next block embeds; all take it.
    cluster.submit(b"next", to=[1])
    cluster.deliver((Proposal, Prepare, Commit), to=[1, 2, 3])
    assert cluster[2].head.height == 2
    assert cluster[2].head.content.parent_certificate.votes == stored.certificate.votes


# --- the mutant: a quorum of another set (pitfalls C25) ---


def run_two_quorums(cluster: Cluster) -> None:
    """Five validators, node 3 lies: z and w each get three COMMITs at height 2, which no two honest share."""
    change(cluster, ADD, 4, to=[0, 1, 2])
    cluster.drop(Status)
    newcomer = cluster[4]
    newcomer.disk.chain = list(cluster[0].disk.chain)
    newcomer.crash()
    newcomer.boot()
    cluster.settle()
    for other in (0, 1, 2, 3):
        answer = replace(cluster.build_status(4, other, wants=0), echo=cluster.state(4).nonce)
        cluster.inject([4], other, answer)
    cluster.drop()
    leader = rules.get_leader(cluster.state(0), cluster.state(0).view)
    assert leader == 0
    cluster.submit(b"z", to=[0])
    slot = cluster.state(0).proposal
    assert slot is not None
    z = slot.content.block_hash
    cluster.deliver(Proposal, to=[1])
    cluster.deliver(Prepare, to=[0, 1], source=[0, 1])
    give(cluster, Prepare, [0, 1], z, 0)
    cluster.deliver(Commit, to=[0, 1], source=[0, 1])
    give(cluster, Commit, [0, 1], z, 0)
    cluster.drop()
    cluster.move_to(3, [2, 4])
    cluster.drop()
    w = cluster.block(2, 3, b"w")
    for index in (2, 4):
        cluster[index].contents[w.block_hash] = w
    changes = [cluster.view_change(name, name, cluster.state(2), 3) for name in (2, 3, 4)]
    cluster.inject([2, 4], 3, cluster.new_view(3, 3, changes, 2, 3))
    cluster.inject([2, 4], 3, cluster.proposal(3, 3, w, 3))
    cluster.deliver(Prepare, to=[2, 4], source=[2, 4])
    give(cluster, Prepare, [2, 4], w.block_hash, 3)
    cluster.deliver(Commit, to=[2, 4], source=[2, 4])
    give(cluster, Commit, [2, 4], w.block_hash, 3)


def give(cluster: Cluster, kind: type[Prepare] | type[Commit], to: list[int], block: Hash, view: int) -> None:
    live = [index for index in to if cluster.state(index).height == 2]
    if live:
        cluster.inject(live, 3, cluster.vote(kind, 3, 3, 2, view, block))


def test_quorum_follows_the_set_and_two_of_them_share_an_honest_validator() -> None:
    cluster = Cluster(4, liars=(3,), honest=Unguarded, spare=1)
    run_two_quorums(cluster)
    assert [cluster[index].head.height for index in (0, 1, 2, 4)] == [1] * 4


def test_mutant_that_keeps_the_quorum_of_the_set_before_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "quorum", property(lambda state: 3))
    # The mutant that reads its own quorum everywhere also accepts such certificates.
    monkeypatch.setattr("chain.certificate.compute_quorum", lambda n: 3)
    cluster = Cluster(4, liars=(3,), honest=Unguarded, spare=1)
    cluster.world.does_audit_signatures = False
    with pytest.raises(AssertionError, match="fork"):
        run_two_quorums(cluster)


# --- guests ---


def test_guest_that_is_behind_is_answered_and_one_that_is_level_is_not() -> None:
    cluster = Cluster(4, spare=1)
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit))
    state = cluster.state(0)
    guest = cluster.state(4)
    template = build_status(guest, NOTHING, guest.peers[0], EPOCH_MS)
    # At genesis: behind by a block.
    behind = replace(template, certificate=cluster[0].disk.chain[0].certificate, echo=state.nonce)
    state, effects = step(state, Received(8, behind, 5_000, EPOCH_MS))
    assert [send.to for send in effects.send if isinstance(send.message, Status)] == [8]
    level = replace(behind, certificate=state.head_certificate)
    state, effects = step(state, Received(8, level, 6_000, EPOCH_MS))
    assert effects.send == ()
    # It has not met me since I started: it must hear my nonce once.
    state, effects = step(state, Received(8, replace(level, echo=bytes(16)), 7_000, EPOCH_MS))
    (send,) = effects.send
    assert isinstance(send.message, Status)
    assert send.message.echo == level.nonce


def test_guest_that_is_ahead_is_asked_for_blocks() -> None:
    cluster = Cluster(4, spare=1)
    state = cluster.state(0)
    claim = replace(state.head_certificate, height=9, votes=())
    ahead = replace(build_status(state, NOTHING, state.peers[1], EPOCH_MS), certificate=claim)
    _, effects = step(state, Received(6, ahead, 5_000, EPOCH_MS))
    assert [task for task in effects.sync if isinstance(task, CatchUp)] == [CatchUp(height=state.height, peer=6)]


def test_follower_tells_its_guests_where_it_stands() -> None:
    """Behind by all changes of the set it knows nobody but guests."""
    cluster = Cluster(4, spare=1)
    state = cluster.state(4)
    for name in range(4):
        state, _ = step(state, PeerDown(name, 1_000, EPOCH_MS))
    state, effects = step(state, PeerUp(state.n + 7, 1_000, EPOCH_MS))
    assert [send.to for send in effects.send] == [state.n + 7]
    assert state.guests == (7,)
    state, effects = step(state, PeerUp(state.n + 5, 1_000, EPOCH_MS))
    assert state.guests == (5, 7)
    state, effects = step(state, TimerExpired(TimerId.STATUS, get_timer(state, TimerId.STATUS).token, 3_000, EPOCH_MS))
    assert [send.to for send in effects.send] == [state.n + 5, state.n + 7]
    state, _ = step(state, PeerDown(state.n + 7, 2_000, EPOCH_MS))
    assert state.guests == (5,)


def test_c5_removed_validator_signs_nothing_more() -> None:
    cluster = Cluster(4)
    change(cluster, REMOVE, 3)
    cluster.deliver()
    signed = dict(cluster.world.signed[3])
    for word in (b"a", b"b", b"c"):
        cluster.submit(word)
        cluster.deliver((Proposal, Prepare, Commit))
    follow(cluster, 3)
    assert cluster[3].head.height == 4
    assert cluster.world.signed[3] == signed


# --- quarantine across sets, and rejoin ---


class Quarantinable(Node):
    """A node whose quarantine is no surprise to the test."""

    def on_quarantine(self, reason: str) -> None:
        pass


def lose_guard(cluster: Cluster, name: int) -> None:
    cluster[name].crash()
    cluster[name].disk.guard = None
    cluster[name].boot()
    cluster.settle()


def test_quarantine_does_not_end_at_the_first_height_of_a_set() -> None:
    """What was signed there rests on a quorum of the set before, which those who answer need not have met."""
    cluster = Cluster(4, honest=Quarantinable)
    lose_guard(cluster, 3)
    for _ in range(2):
        for name in range(4):
            cluster[name].feed_status()
        cluster.deliver(Status)
    state = cluster.state(3)
    assert rules.compute_quarantine_end(state) == 3
    moved = replace(state, head=replace(state.head, validators_head=state.validators[:3]))
    assert rules.compute_quarantine_end(moved) is None


def test_rejoin_ends_the_quarantine_where_a_dead_validator_makes_it_endless() -> None:
    cluster = Cluster(4, honest=Quarantinable)
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit))
    cluster[2].crash()
    lose_guard(cluster, 3)
    for _ in range(3):
        for name in (0, 1, 3):
            cluster[name].feed_status()
        cluster.deliver(Status)
    assert cluster.state(3).activity is Activity.QUARANTINED
    cluster.submit(b"b", to=[0, 1])
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 3])
    assert cluster[0].head.height == 1, "two of four decide nothing"
    cluster[3].feed(RejoinDeclared(now_ms=cluster.world.now_ms, wall_ms=EPOCH_MS))
    assert cluster.state(3).activity is Activity.VOTING
    assert cluster[3].disk.guard is not None
    assert cluster[3].disk.guard.floor == 2
    for name in (0, 1, 3):
        cluster[name].feed_status()
    cluster.deliver(Status)
    cluster.deliver()
    assert [cluster[name].head.height for name in (0, 1, 3)] == [2, 2, 2]


def quarantine_after_commit(cluster: Cluster) -> None:
    """Bring node 3 to COMMIT at height 4, and then into quarantine by a signature that it does not know."""
    for word in (b"a", b"b", b"c"):
        cluster.submit(word)
        cluster.deliver((Proposal, Prepare, Commit))
    cluster.submit(b"d")
    cluster.deliver((Proposal, Prepare))
    assert (cluster.state(3).height, cluster.state(3).asked.commit) == (4, 0)
    cluster.inject([3], 0, cluster.vote(Commit, 3, 3, 4, 7, sha256(b"of another process with this key")))
    assert cluster.state(3).activity is Activity.QUARANTINED


def test_quarantine_does_not_end_at_a_height_at_which_the_node_has_signed() -> None:
    """STATUS that was long on its way, and a liar's, show heads far below the height of its own COMMIT."""
    cluster = Cluster(4, honest=Quarantinable)
    for name in (0, 1, 2):
        cluster[name].feed_status()
    late = [mail for mail in cluster.world.mail if mail.target == 3 and isinstance(mail.message, Status)]
    cluster.drop()
    quarantine_after_commit(cluster)
    for mail in late:
        cluster[3].receive(mail.source, mail.message)
    state = cluster.state(3)
    assert [peer.answered_head for peer in state.peers] == [0, 0, 0, -1]
    assert state.activity is Activity.QUARANTINED
    cluster.deliver((Prepare, Commit))
    assert (cluster[3].head.height, cluster.state(3).activity) == (4, Activity.VOTING)


def test_rejoin_forgets_no_commit_that_the_node_still_knows() -> None:
    cluster = Cluster(4, honest=Quarantinable)
    quarantine_after_commit(cluster)
    cluster.drop()
    for name in (0, 1):
        cluster[name].feed_status()
    cluster.deliver(Status, to=[3])
    cluster[3].feed(RejoinDeclared(now_ms=cluster.world.now_ms, wall_ms=EPOCH_MS))
    assert cluster.state(3).activity is Activity.VOTING
    cluster.move_to(1, [3])
    prepared = cluster.sent_view_change(3, 1).prepared
    assert prepared is not None
    assert (prepared.height, prepared.view) == (4, 0)


def test_rejoin_waits_until_enough_others_have_shown_their_head() -> None:
    cluster = Cluster(4, honest=Quarantinable)
    for name in (1, 2):
        cluster[name].crash()
    lose_guard(cluster, 3)
    cluster[3].feed(RejoinDeclared(now_ms=cluster.world.now_ms, wall_ms=EPOCH_MS))
    for _ in range(3):
        for name in (0, 3):
            cluster[name].feed_status()
        cluster.deliver(Status)
    assert cluster.state(3).quarantine is not None, "one of three may know less than I have forgotten"
    cluster[1].boot()
    for _ in range(3):
        for name in (0, 1, 3):
            cluster[name].feed_status()
        cluster.settle()
        cluster.deliver(Status)
    assert cluster.state(3).activity is Activity.VOTING


def test_single_validator_leaves_its_quarantine_by_rejoin_alone() -> None:
    cluster = Cluster(1, honest=Quarantinable)
    cluster.submit(b"a")
    cluster.deliver()
    lose_guard(cluster, 0)
    cluster.submit(b"b")
    assert (cluster[0].head.height, cluster.state(0).activity) == (1, Activity.QUARANTINED)
    state, effects = step(cluster.state(0), RejoinDeclared(now_ms=9_000, wall_ms=EPOCH_MS))
    assert LeaveQuarantine(height=cluster.state(0).height) in effects.persist
    assert state.activity is Activity.VOTING


def test_rejoin_means_nothing_outside_a_quarantine() -> None:
    state = Cluster(4).state(0)
    after, effects = step(state, RejoinDeclared(now_ms=9_000, wall_ms=EPOCH_MS))
    assert not after.is_rejoining
    assert effects.persist == ()


# --- protocol versions ---


def test_p29_node_without_the_scheduled_version_stops_below_the_height_and_serves() -> None:
    cluster = Cluster(4)
    for name in range(4):
        versions = (1,) if name == 3 else (1, 2)
        cluster[name].config = replace(cluster[name].config, versions=versions)
        cluster[name].crash()
        cluster[name].boot()
    for _ in range(3):
        for name in range(4):
            cluster[name].feed_status()
        cluster.settle()
        cluster.deliver(Status)
    cluster[0].add_transaction(ledger.build_upgrade(2, 3))
    cluster.settle()
    cluster.deliver((Proposal, Prepare, Commit))
    for word in (b"a", b"b", b"c"):
        cluster.submit(word)
        cluster.deliver()
    assert [cluster[name].head.height for name in range(4)] == [4, 4, 4, 2]
    assert [stored.content.header.version for stored in cluster[0].disk.chain[1:]] == [1, 1, 2, 2]
    old = cluster.state(3)
    assert (old.activity, old.own_index) == (Activity.FOLLOWING, None)
    assert max(cluster.world.signed[3])[0] == 2
    # It goes on to tell where it stands, and its blocks are there for whoever asks.
    assert cluster[3].get_content(Hash(cluster[0].disk.chain[2].content.block_hash)) is not None
    # New software on the same disk goes on from there.
    cluster[3].config = replace(cluster[3].config, versions=(1, 2))
    cluster[3].crash()
    cluster[3].boot()
    for _ in range(4):
        for name in range(4):
            cluster[name].feed_status()
        cluster.settle()
        cluster.deliver(Status)
    assert cluster[3].head.height == 4
    assert cluster.state(3).activity is Activity.VOTING


def test_votes_of_another_version_than_that_of_the_height_are_refused() -> None:
    cluster = Cluster(4, liars=(3,))
    cluster.submit(b"a", to=[0])
    slot = cluster.state(0).proposal
    assert slot is not None
    body = VoteBody(version=2, height=1, view=0, block_hash=slot.content.block_hash)
    cluster.inject([0], 3, cluster.sign(3, Prepare(body=body, signer=3, signature=UNSIGNED)))
    assert cluster.state(0).prepares[3] is None


def test_committed_head_of_an_unknown_version_arms_no_timer_and_asks_for_nothing() -> None:
    state = Cluster(4).state(0)
    head = replace(state.head, certificate=replace(state.head.certificate, height=1), version=9)
    state, effects = step(state, Committed(head=head, has_transactions=True, now_ms=5_000, wall_ms=EPOCH_MS + 90_000))
    assert state.activity is Activity.FOLLOWING
    assert (effects.build, effects.persist) == (None, ())
    ahead = replace(
        build_status(state, NOTHING, state.peers[1], EPOCH_MS), certificate=replace(head.certificate, height=7)
    )
    state, effects = step(state, Received(1, ahead, 6_000, EPOCH_MS))
    assert effects.sync == ()
    assert all(isinstance(send.message, Status) for send in effects.send)
