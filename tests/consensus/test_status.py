"""STATUS: start, resend, what a lying STATUS cannot do, quarantine."""

import pytest
from msgspec.structs import replace

from chain.certificate import Certificate
from chain.codec import encode
from chain.crypto import sha256
from chain.types import Hash, Height
from consensus.core import begin, step
from consensus.effects import CatchUp, EnterQuarantine, LeaveQuarantine, Note, Send, Stop
from consensus.events import Committed, Event, PeerUp, Received, Restored, Start, TimerId
from consensus.guard_rules import build_floor, get_mark
from consensus.messages import (
    Activity,
    Commit,
    Held,
    Kind,
    NewView,
    Prepare,
    Proposal,
    Shown,
    Status,
    ViewChange,
    encode_bitmap,
)
from consensus.state import State
from consensus.status import build_held, build_status, compute_lacking
from consensus.timing import get_timer
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS
from tests.simulator.node import Node
from tests.simulator.world import CALM, World

NOTHING = Held(has_new_view=False, has_proposal=False, view_changes=b"", prepares=b"", commits=b"")


def begin_alone(n: int = 4, index: int = 0, quarantine: str | None = None) -> State:
    genesis = ledger.build_genesis(ledger.build_validators(n))
    config = ledger.build_config(ledger.compute_key(index), genesis.content.block_hash)
    start = Start(
        head=ledger.build_head_info(genesis),
        restored=Restored(),
        boot_id=bytes(16),
        nonce=sha256(b"nonce")[:16],
        quarantine=quarantine,
        has_transactions=True,
        now_ms=0,
        wall_ms=EPOCH_MS,
    )
    state, _ = begin(config, start)
    return state


def status_of(state: State, peer: int, *, echo: bytes | None = None) -> Status:
    base = build_status(state, NOTHING, state.peers[peer], EPOCH_MS)
    return replace(
        base,
        echo=state.nonce if echo is None else echo,
        nonce=sha256(b"nonce of %d" % peer)[:16],
        shown=None,
    )


def feed(state: State, peer: int, status: Status, now_ms: int = 1_000) -> tuple[State, list[Send]]:
    state, effects = step(state, Received(peer, status, now_ms, EPOCH_MS + now_ms))
    return state, list(effects.send)


# --- start ---


def test_nothing_is_signed_until_a_quorum_less_one_of_others_has_answered_the_nonce() -> None:
    state = begin_alone()
    assert state.activity is Activity.STARTING
    state, _ = feed(state, 1, status_of(state, 1))
    assert state.activity is Activity.STARTING
    state, effects = step(state, Received(2, status_of(state, 2), 1_000, EPOCH_MS + 1_000))
    assert state.activity is Activity.VOTING
    assert effects.build is not None


def test_answer_to_an_old_nonce_does_not_count() -> None:
    state = begin_alone()
    for peer in (1, 2, 3):
        state, _ = feed(state, peer, status_of(state, peer, echo=bytes(16)))
    assert state.activity is Activity.STARTING


def test_one_peer_that_answers_twice_counts_once() -> None:
    state = begin_alone()
    for _ in range(5):
        state, _ = feed(state, 1, status_of(state, 1))
    assert state.activity is Activity.STARTING


def test_single_validator_starts_at_once() -> None:
    assert begin_alone(n=1).activity is Activity.VOTING


def test_node_outside_the_set_follows() -> None:
    assert begin_alone(n=4, index=9).activity is Activity.FOLLOWING


def test_p29_node_without_the_version_of_the_height_signs_nothing() -> None:
    """More of it is in test_set_changes.py."""
    state = begin_alone(n=1)
    assert state.activity is Activity.VOTING
    newer = replace(state, head=replace(state.head, version=2))
    assert newer.activity is Activity.FOLLOWING


def test_starting_nodes_answer_each_other() -> None:
    """C10: nobody has voted yet, and nobody waits for another to be first."""
    cluster = Cluster(4)
    assert [cluster.state(index).activity for index in range(4)] == [Activity.VOTING] * 4


def test_restarted_peer_is_answered_at_once() -> None:
    state = begin_alone()
    state, sent = feed(state, 1, status_of(state, 1))
    assert [type(send.message) for send in sent if send.to == 1] == [Status]
    state, sent = feed(state, 1, status_of(state, 1), 1_500)
    assert sent == []


# --- resend ---


def test_what_the_bitmaps_lack_is_resent_and_what_they_have_is_not() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    state = cluster.state(0)
    status = replace(status_of(state, 1), held=NOTHING)
    kinds = [type(message) for message in compute_lacking(state, status)]
    assert kinds == [Proposal, Prepare, Prepare, Prepare, Prepare, Commit]
    held = Held(
        has_new_view=False,
        has_proposal=True,
        view_changes=b"",
        prepares=encode_bitmap((0, 1, 2)),
        commits=encode_bitmap((0,)),
    )
    lacking = compute_lacking(state, replace(status, held=held))
    assert [(type(message), message.signer) for message in lacking if isinstance(message, Prepare)] == [(Prepare, 3)]
    assert len(lacking) == 1
    assert compute_lacking(state, replace(status, held=build_held(state))) == []


def test_resend_is_limited_to_one_answer_per_peer_and_gap() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    state = cluster.state(0)
    now = cluster.world.now_ms + 1_000
    status = replace(status_of(state, 1), held=NOTHING, nonce=state.peers[1].nonce)
    state, sent = feed(state, 1, status, now)
    assert len(sent) == 2
    state, sent = feed(state, 1, status, now + 199)
    assert sent == []
    state, sent = feed(state, 1, status, now + 200)
    assert len(sent) == 2


def test_installed_new_view_is_given_to_whoever_shows_a_lower_view_or_changing() -> None:
    cluster = Cluster(4)
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1])
    cluster.deliver(NewView, to=[0])
    state = cluster.state(0)
    lower = replace(status_of(state, 3), view=0, held=NOTHING)
    assert [type(message) for message in compute_lacking(state, lower)].index(NewView) == 0
    changing = replace(status_of(state, 3), view=1, is_normal=False, held=NOTHING)
    assert [type(message) for message in compute_lacking(state, changing)].index(NewView) == 0
    normal = replace(status_of(state, 3), view=1, is_normal=True, held=NOTHING)
    assert NewView not in [type(message) for message in compute_lacking(state, normal)]
    assert compute_lacking(state, replace(lower, view=7)) == []


def test_lost_messages_of_a_whole_round_are_repaired_by_status_alone() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    for _ in range(12):
        cluster.drop((Proposal, Prepare, Commit), to=[1, 2, 3])
        if cluster[3].head.height:
            break
        cluster.world.run_until(cluster.world.now_ms + 500)
        for index in range(4):
            cluster.expire(index, TimerId.STATUS)
        cluster.deliver(Status)
        cluster.deliver((Proposal, Prepare, Commit))
    assert [node.head.height for node in cluster.nodes] == [1, 1, 1, 1]


def test_lower_peer_is_told_where_the_head_is() -> None:
    cluster = Cluster(4)
    status = replace(cluster.build_status(0, 3, wants=0), nonce=cluster.state(0).peers[3].nonce)
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2])
    cluster.settle()
    state = cluster.state(0)
    assert state.height == 2
    state, sent = feed(state, 3, status, cluster.world.now_ms + 1_000)
    answers = [send.message for send in sent if send.to == 3]
    assert [answer.certificate.height for answer in answers if isinstance(answer, Status)] == [1]


def test_certificate_in_a_status_commits_the_height() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit), to=[0, 1, 2])
    cluster.settle()
    certificate = cluster.state(0).head_certificate
    cluster[3].receive(0, replace(cluster.build_status(3, 0, wants=0), certificate=certificate))
    cluster.settle()
    assert cluster[3].head.height == 1


def test_status_goes_out_on_the_interval_and_on_connection() -> None:
    state = begin_alone()
    state, effects = step(state, PeerUp(1, 10, EPOCH_MS + 10))
    assert [send.to for send in effects.send] == [1]
    timer = get_timer(state, TimerId.STATUS)
    assert timer.is_armed
    assert timer.due_ms == 500


def test_every_change_of_view_mode_or_wants_is_told_at_once() -> None:
    cluster = Cluster(4)
    cluster.drop()
    cluster.submit(b"a", to=[1])
    cluster.drop()
    cluster.expire(1, TimerId.VIEW)
    told = [mail.message for mail in cluster.world.mail if mail.source == 1]
    assert [message.wants for message in told if isinstance(message, Status)] == [1, 1, 1]


# --- a lying STATUS ---


def test_c30_claim_of_a_huge_height_starts_a_look_and_nothing_else() -> None:
    state = begin_alone()
    liar = replace(status_of(state, 3), certificate=replace(state.head_certificate, height=2**40))
    after, effects = step(state, Received(3, liar, 1_000, EPOCH_MS))
    assert effects.sync == (CatchUp(height=state.height, peer=3),)
    assert effects.commit is None
    assert (after.height, after.view, after.certified) == (state.height, state.view, None)


def test_p22_forged_certificate_of_the_next_height_commits_nothing() -> None:
    state = begin_alone()
    forged = replace(state.head_certificate, height=1, votes=((0, bytes(64)), (1, bytes(64)), (2, bytes(64))))
    after, effects = step(state, Received(3, replace(status_of(state, 3), certificate=forged), 1_000, EPOCH_MS))
    assert after.certified is None
    assert any(isinstance(fault, Note) and fault.code == "status_invalid" for fault in effects.faults)


def test_wish_in_a_status_may_fall_again() -> None:
    state = begin_alone()
    state, _ = feed(state, 1, replace(status_of(state, 1), wants=9))
    state, _ = feed(state, 1, replace(status_of(state, 1), wants=0))
    state, _ = feed(state, 2, replace(status_of(state, 2), wants=9))
    assert state.view == 0


def shown_by(state: State, view: int, *, is_forged: bool = False) -> Shown:
    cluster = Cluster(4)
    message = cluster.vote(Prepare, 0, 0, 1, view, Hash(sha256(b"forgotten")))
    signature = bytes(64) if is_forged else message.signature
    return Shown(kind=int(Kind.PREPARE), body=encode(message.body), signature=signature)


def test_peer_that_shows_a_signature_of_mine_above_my_mark_puts_me_in_quarantine() -> None:
    state = begin_alone()
    status = replace(status_of(state, 1), shown=shown_by(state, 0))
    after, effects = step(state, Received(1, status, 1_000, EPOCH_MS))
    assert after.quarantine is not None
    assert any(isinstance(fault, EnterQuarantine) for fault in effects.faults)


def test_forged_or_malformed_showing_does_not_put_me_in_quarantine() -> None:
    state = begin_alone()
    for shown in (
        shown_by(state, 0, is_forged=True),
        Shown(kind=3, body=b"\xc1", signature=bytes(64)),
        Shown(kind=0, body=shown_by(state, 0).body, signature=shown_by(state, 0).signature),
    ):
        after, _ = feed(state, 1, replace(status_of(state, 1), shown=shown))
        assert after.quarantine is None


def test_showing_at_my_mark_is_no_reason() -> None:
    state = replace(begin_alone(), mark=(1, 0, 3))
    after, _ = feed(state, 1, replace(status_of(state, 1), shown=shown_by(state, 0)))
    assert after.quarantine is None


def test_restarted_node_is_shown_its_newest_vote_by_peers_that_restarted_too() -> None:
    """The seed is C(head): a COMMIT of the receiver in it is the newest signature that can be shown."""
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver()
    cluster.settle()
    cluster[1].crash()
    cluster[1].boot()
    state = cluster.state(1)
    other = next(index for index, _ in state.head_certificate.votes if index != 1)
    status = build_status(state, build_held(state), state.peers[other], EPOCH_MS)
    assert status.shown is not None
    assert status.shown.kind == Kind.COMMIT


def test_second_certified_block_at_my_head_stops_the_node() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver()
    cluster.settle()
    votes = tuple((index, cluster.vote(Commit, index, index, 1, 7, Hash(bytes(32))).signature) for index in range(3))
    other = Certificate(height=1, view=7, block_hash=bytes(32), votes=votes)
    status = replace(cluster.build_status(1, 0, wants=0), certificate=other)
    state, effects = step(cluster.state(1), Received(0, status, 90_000, cluster[1].wall_ms))
    assert any(isinstance(fault, Stop) for fault in effects.faults)
    assert state.quarantine is not None
    forged = replace(status, certificate=replace(other, votes=((0, bytes(64)), *votes[1:])))
    state, effects = step(cluster.state(1), Received(0, forged, 90_000, cluster[1].wall_ms))
    assert not any(isinstance(fault, Stop) for fault in effects.faults)


# --- quarantine ---


def quarantined(head_heights: tuple[int, ...]) -> State:
    state = begin_alone(quarantine="the guard is missing")
    for peer, height in enumerate(head_heights, start=1):
        known = replace(state.peers[peer], answered_head=height, has_answered=True)
        state = replace(state, peers=(*state.peers[:peer], known, *state.peers[peer + 1 :]))
    return state


def test_quarantined_node_signs_nothing() -> None:
    state = begin_alone(quarantine="the guard is missing")
    for peer in (1, 2, 3):
        state, effects = step(state, Received(peer, status_of(state, peer), 1_000, EPOCH_MS))
        assert effects.persist == ()
    assert state.activity is Activity.QUARANTINED


@pytest.mark.parametrize(("height", "votes"), [(2, False), (3, True)])
def test_quarantine_ends_at_the_third_height_above_the_highest_certified_head(
    height: int,
    votes: bool,
) -> None:
    state = quarantined((0, 0, 0))
    head = state.head
    ahead = replace(head, certificate=replace(head.certificate, height=height - 1))
    event: Event = Committed(head=ahead, has_transactions=False, now_ms=2_000, wall_ms=EPOCH_MS)
    after, effects = step(state, event)
    assert after.height == height
    assert (after.activity is Activity.VOTING) is votes
    assert (LeaveQuarantine(height=after.height) in effects.persist) is votes


def test_quarantine_needs_all_three_others_of_four() -> None:
    state = quarantined((0, 0))
    ahead = replace(state.head, certificate=replace(state.head.certificate, height=50))
    after, _ = step(state, Committed(head=ahead, has_transactions=False, now_ms=2_000, wall_ms=EPOCH_MS))
    assert after.activity is Activity.QUARANTINED


def test_claimed_head_that_cannot_be_checked_does_not_end_a_quarantine() -> None:
    state = begin_alone(quarantine="the guard is missing")
    far = replace(state.head_certificate, height=900)
    state, _ = feed(state, 1, replace(status_of(state, 1), certificate=far))
    assert state.peers[1].answered_head == -1
    state, _ = feed(state, 1, status_of(state, 1))
    assert state.peers[1].answered_head == 0


def test_c37_node_with_a_lost_disk_stands_aside_and_votes_again_three_heights_later() -> None:
    world = World(5, CALM)
    validators = ledger.build_validators(4)
    nodes = [Node(world, index, validators) for index in range(4)]
    world.nodes = list(nodes)
    for node in nodes:
        node.boot()
    world.run_until(5_000)
    lost = nodes[2]
    height = lost.head.height
    assert height >= 3
    lost.crash()
    lost.disk.chain = lost.disk.chain[:1]
    lost.disk.journal, lost.disk.guard = [], None
    signed_before = max(world.signed[2])
    lost.boot()
    reached = max(node.head.height for node in nodes)
    world.run_until(30_000)
    assert lost.state is not None
    assert lost.state.activity is Activity.VOTING
    assert lost.head.height > reached + 3
    first_new = min(position for position in world.signed[2] if position > signed_before)
    assert first_new[0] >= reached + 3
    assert get_floor(lost) >= reached + 3


def get_floor(node: Node) -> int:
    return 0 if node.disk.guard is None else node.disk.guard.floor


def test_node_that_left_its_quarantine_and_restarts_before_it_votes_is_not_sent_back() -> None:
    guard = build_floor(key=ledger.compute_key(0), chain_id=ledger.CHAIN_ID, height=Height(7))
    mark = get_mark(guard)
    assert mark == (7, 0, -1)
    state = replace(begin_alone(), mark=mark)
    after, _ = feed(state, 1, replace(status_of(state, 1), shown=shown_by(state, 5)))
    assert after.quarantine is None
