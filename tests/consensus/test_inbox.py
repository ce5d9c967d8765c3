"""What is taken in and what is not: signatures, slots, heights, forged and strange messages."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.block import hash_header
from chain.crypto import sha256
from chain.types import Hash
from consensus.core import step
from consensus.effects import EnterQuarantine, Evidence, Note
from consensus.events import Received
from consensus.messages import (
    Commit,
    NewView,
    OwnMessage,
    Prepare,
    Prepared,
    Proposal,
    ViewChange,
    hash_view_change,
)
from consensus.state import State
from tests.simulator.cluster import Cluster

LIAR = 3
X = Hash(sha256(b"x"))


def receive(cluster: Cluster, to: int, peer: int, message: OwnMessage) -> State:
    cluster[to].receive(peer, message)
    cluster.settle()
    return cluster.state(to)


def get_notes(cluster: Cluster, index: int) -> list[str]:
    return [fault.code for fault in cluster[index].faults if isinstance(fault, Note)]


def test_p10_vote_with_a_wrong_signature_is_ignored() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    vote = replace(cluster.vote(Prepare, LIAR, LIAR, 1, 0, X), signature=bytes(64))
    assert receive(cluster, 0, LIAR, vote).prepares == (None,) * 4
    assert get_notes(cluster, 0) == ["message_invalid"]


def test_vote_under_the_name_of_another_validator_is_ignored() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    assert receive(cluster, 0, LIAR, cluster.vote(Prepare, LIAR, 1, 1, 0, X)).prepares == (None,) * 4


def test_c27_vote_of_an_unknown_validator_is_ignored() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    for signer in (4, 63):
        vote = cluster.vote(Prepare, LIAR, signer, 1, 0, X)
        assert receive(cluster, 0, LIAR, vote).prepares == (None,) * 4


def test_message_of_a_peer_outside_the_set_is_ignored() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    vote = cluster.vote(Prepare, LIAR, LIAR, 1, 0, X)
    assert receive(cluster, 0, 4, vote).prepares == (None,) * 4


def test_vote_relayed_by_another_peer_counts() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    vote = cluster.vote(Prepare, LIAR, LIAR, 1, 0, X)
    assert receive(cluster, 0, 1, vote).prepares[LIAR] == vote


def test_vote_of_another_protocol_version_is_ignored() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    vote = cluster.vote(Prepare, LIAR, LIAR, 1, 0, X)
    other = cluster.sign(LIAR, replace(vote, body=replace(vote.body, version=2)))
    assert receive(cluster, 0, LIAR, other).prepares == (None,) * 4


def test_newer_view_takes_the_slot_and_an_older_one_does_not_come_back() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    old, new = (cluster.vote(Prepare, LIAR, LIAR, 1, view, X) for view in (0, 5))
    assert receive(cluster, 0, LIAR, new).prepares[LIAR] == new
    assert receive(cluster, 0, LIAR, old).prepares[LIAR] == new


@pytest.mark.parametrize("kind", [Prepare, Commit])
def test_c14_second_vote_at_one_position_is_evidence_and_the_first_stays(
    kind: type[Prepare] | type[Commit],
) -> None:
    cluster = Cluster(4, liars=(LIAR,))
    first = cluster.vote(kind, LIAR, LIAR, 1, 0, X)
    second = cluster.vote(kind, LIAR, LIAR, 1, 0, Hash(sha256(b"y")))
    receive(cluster, 0, LIAR, first)
    state = receive(cluster, 0, LIAR, second)
    assert first in (state.prepares[LIAR], state.commits[LIAR])
    assert cluster[0].faults == [Evidence(signer=LIAR, first=first, second=second)]


def test_forged_second_vote_is_no_evidence() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    receive(cluster, 0, LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 0, X))
    forged = replace(cluster.vote(Prepare, LIAR, LIAR, 1, 0, Hash(sha256(b"y"))), signature=bytes(64))
    receive(cluster, 0, 1, forged)
    assert not any(isinstance(fault, Evidence) for fault in cluster[0].faults)


# --- heights ---


def test_messages_for_the_next_height_wait_unverified_and_count_after_the_commit() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", b"b", b"c", b"d")
    late = [1]
    cluster.deliver(to=[0, 2, 3])
    ahead = cluster.state(0).height
    assert ahead >= 2
    cluster.deliver((Proposal, Prepare), to=late)
    assert cluster.state(1).height == 1
    assert cluster.state(1).waiting[0].proposal is not None
    cluster.deliver(Commit, to=late)
    cluster.settle()
    cluster.deliver()
    cluster.settle()
    assert cluster[1].head.height == cluster[0].head.height == ahead - 1 + (cluster.state(0).height - ahead)


def test_message_for_the_next_height_is_kept_only_from_its_signer() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    vote = cluster.vote(Prepare, LIAR, LIAR, 2, 0, X)
    assert receive(cluster, 0, 1, vote).waiting[LIAR].prepare is None
    assert receive(cluster, 0, LIAR, vote).waiting[LIAR].prepare == vote
    assert cluster.state(0).waiting[1].prepare is None


def test_p23_messages_for_higher_heights_are_not_kept_at_all() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    before = cluster.state(0)
    assert receive(cluster, 0, LIAR, cluster.vote(Prepare, LIAR, LIAR, 3, 0, X)) == before


def test_late_commit_joins_the_certificate_that_the_next_leader_embeds() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    cluster.deliver(Commit, to=[0], source=[1, 2])
    cluster.settle()
    assert [index for index, _ in cluster.state(0).head_certificate.votes] == [0, 1, 2]
    cluster.deliver(Commit, to=[0], source=[3])
    assert [index for index, _ in cluster.state(0).head_certificate.votes] == [0, 1, 2, 3]


def test_forged_late_commit_does_not_join() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a")
    cluster.deliver()
    cluster.settle()
    head = cluster.state(0).head_certificate
    forged = replace(cluster.vote(Commit, LIAR, LIAR, 1, 0, Hash(head.block_hash)), signature=bytes(64))
    assert receive(cluster, 0, LIAR, forged).head_certificate == head


# --- VIEW-CHANGE and NEW-VIEW ---


def bad_view_changes(cluster: Cluster) -> list[ViewChange]:
    """VIEW-CHANGEs of the liar for view 1, each wrong in one way."""
    state = cluster.state(1)
    good = cluster.view_change(LIAR, LIAR, state, 1)
    body = good.body
    fake = Prepared(height=1, view=0, block_hash=X, votes=((0, bytes(64)), (1, bytes(64)), (2, bytes(64))))
    certificate = replace(good.certificate, view=1)

    def sign(message: ViewChange) -> ViewChange:
        signed = cluster.sign(LIAR, message)
        assert isinstance(signed, ViewChange)
        return signed

    return [
        replace(good, signature=bytes(64)),
        sign(replace(good, body=replace(body, certificate_hash=bytes(32)))),
        sign(replace(good, body=replace(body, prepared_hash=bytes(32)), prepared=fake)),
        cluster.view_change(LIAR, LIAR, state, 1, fake),
        cluster.view_change(LIAR, LIAR, state, 1, replace(fake, view=1)),
        cluster.view_change(LIAR, LIAR, state, 1, replace(fake, votes=fake.votes[:2])),
        cluster.view_change(LIAR, LIAR, state, 1, replace(fake, height=2)),
        cluster.view_change(LIAR, LIAR, replace(state, head_certificate=certificate), 1),
        replace(good, certificate=certificate),
        sign(replace(good, body=replace(body, version=9))),
        sign(replace(good, signer=2)),
    ]


@pytest.mark.parametrize("case", range(11))
def test_c4_invalid_view_change_is_dropped_singly(case: int) -> None:
    cluster = Cluster(4, liars=(LIAR,))
    bad = bad_view_changes(cluster)[case]
    cluster.move_to(1, [0, 1, 2])
    state = receive(cluster, 1, LIAR, bad)
    assert state.view_changes[LIAR] is None
    cluster.deliver((ViewChange, NewView), to=[0, 1, 2])
    assert [cluster.state(index).is_normal for index in (0, 1, 2)] == [True] * 3


NewViewLie = Callable[[Cluster, list[ViewChange]], NewView]
NEW_VIEW_LIES: dict[str, NewViewLie] = {
    "too few": lambda cluster, listed: cluster.new_view(1, 1, listed[:2], 1, 1),
    "too many": lambda cluster, listed: cluster.new_view(
        1, 1, [*listed, cluster.view_change(3, 3, cluster.state(2), 1)], 1, 1
    ),
    "one twice": lambda cluster, listed: cluster.new_view(1, 1, [listed[0], listed[1], listed[1]], 1, 1),
    "of another view": lambda cluster, listed: cluster.new_view(
        1, 1, [*listed[:2], cluster.view_change(3, 3, cluster.state(2), 2)], 1, 1
    ),
    "a forged signature": lambda cluster, listed: cluster.new_view(
        1, 1, [*listed[:2], replace(listed[2], signature=bytes(64))], 1, 1
    ),
    "not the signed list": lambda cluster, listed: replace(
        cluster.new_view(1, 1, listed, 1, 1), view_changes=tuple(listed[:2])
    ),
    "wrong hashes": lambda cluster, listed: replace(
        cluster.new_view(1, 1, listed, 1, 1),
        body=replace(
            cluster.new_view(1, 1, listed, 1, 1).body,
            view_change_hashes=tuple(hash_view_change(item) for item in reversed(listed)),
        ),
    ),
    "not from the leader": lambda cluster, listed: cluster.new_view(3, 3, listed, 1, 1),
    "not signed": lambda cluster, listed: replace(cluster.new_view(1, 1, listed, 1, 1), signature=bytes(64)),
}


@pytest.mark.parametrize("lie", list(NEW_VIEW_LIES))
def test_p6_new_view_is_recomputed_and_a_wrong_one_is_refused(lie: str) -> None:
    cluster = Cluster(4, liars=(1, 3))
    cluster.move_to(1, [0, 2])
    listed = [
        cluster.sent_view_change(0, 1),
        cluster.view_change(1, 1, cluster.state(0), 1),
        cluster.sent_view_change(2, 1),
    ]
    state = receive(cluster, 2, 1, NEW_VIEW_LIES[lie](cluster, listed))
    assert (state.view, state.is_normal, state.new_view) == (1, False, None)
    good = Cluster(4, liars=(1, 3))
    good.move_to(1, [0, 2])
    assert receive(good, 2, 1, good.new_view(1, 1, listed, 1, 1)).is_normal


def test_leader_that_signed_an_invalid_new_view_is_not_verified_again_at_this_height() -> None:
    cluster = Cluster(4, liars=(1,))
    cluster.move_to(1, [0, 2])
    listed = [cluster.sent_view_change(0, 1), cluster.sent_view_change(2, 1)]
    receive(cluster, 2, 1, cluster.new_view(1, 1, listed, 1, 1))
    assert cluster.state(2).peers[1].is_distrusted
    calls: list[bytes] = []
    state = cluster.state(2)

    def verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
        calls.append(message)
        return True

    watched = replace(state, config=replace(state.config, verify=verify))
    step(watched, Received(1, cluster.new_view(1, 1, listed, 1, 5), 10_000, cluster[2].wall_ms))
    assert calls == []


def test_changed_copy_of_a_new_view_does_not_discredit_its_leader() -> None:
    cluster = Cluster(4, liars=(1, 3))
    cluster.move_to(1, [0, 2])
    listed = [
        cluster.sent_view_change(0, 1),
        cluster.view_change(1, 1, cluster.state(0), 1),
        cluster.sent_view_change(2, 1),
    ]
    good = cluster.new_view(1, 1, listed, 1, 1)
    receive(cluster, 2, 3, replace(good, view_changes=good.view_changes[:2]))
    assert receive(cluster, 2, 1, good).is_normal


def test_node_in_a_lower_view_installs_a_valid_new_view() -> None:
    cluster = Cluster(4)
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1])
    cluster.deliver(NewView, to=[3])
    assert (cluster.state(3).view, cluster.state(3).is_normal) == (1, True)


def test_new_view_of_a_view_that_is_installed_changes_nothing() -> None:
    cluster = Cluster(4)
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1])
    mails = [mail for mail in cluster.world.mail if isinstance(mail.message, NewView) and mail.target == 2]
    cluster.deliver(NewView, to=[2])
    before = cluster.state(2)
    assert receive(cluster, 2, 1, mails[0].message).new_view == before.new_view  # type: ignore[arg-type]


# --- PROPOSAL ---


@pytest.mark.parametrize("field", ["parent_hash", "state_root", "proposer", "timestamp_ms", "log_size", "reveal"])
def test_p8_header_that_is_not_the_signed_one_is_refused(field: str) -> None:
    cluster = Cluster(4, liars=(0,))
    proposal = cluster.proposal(0, 0, cluster.block(1, 0, b"a"), 0)
    assert isinstance(proposal, Proposal)
    value: int | bytes = 7 if field in {"timestamp_ms", "log_size"} else sha256(b"changed")
    changed = replace(proposal, header=replace(proposal.header, **{field: value}))
    assert receive(cluster, 1, 0, changed).proposal is None
    assert get_notes(cluster, 1) == ["message_invalid"]
    assert receive(cluster, 1, 0, proposal).proposal is not None


def test_proposal_of_another_than_the_leader_is_refused() -> None:
    cluster = Cluster(4, liars=(2,))
    proposal = cluster.proposal(2, 2, cluster.block(1, 2, b"a"), 0)
    assert receive(cluster, 1, 2, proposal).proposal is None


def test_proposal_with_another_certificate_than_in_the_header_is_refused() -> None:
    cluster = Cluster(4, liars=(0,))
    proposal = cluster.proposal(0, 0, cluster.block(1, 0, b"a"), 0)
    assert isinstance(proposal, Proposal)
    other = replace(proposal.parent_certificate, view=1)
    assert receive(cluster, 1, 0, replace(proposal, parent_certificate=other)).proposal is None


def test_proposal_on_another_parent_is_refused() -> None:
    cluster = Cluster(4, liars=(0,))
    block = cluster.block(1, 0, b"a")
    header = replace(block.header, parent_hash=bytes(32))
    moved = replace(block, header=header, block_hash=hash_header(header))
    assert receive(cluster, 1, 0, cluster.proposal(0, 0, moved, 0)).proposal is None


# --- my own signature, shown back ---


def test_p3_own_signature_above_my_mark_means_quarantine() -> None:
    cluster = Cluster(4)
    stranger = cluster.vote(Prepare, 1, 1, 1, 0, X)  # another process with the key of node 1
    state, effects = step(cluster.state(1), Received(2, stranger, 10_000, cluster[1].wall_ms))
    assert state.quarantine is not None
    assert any(isinstance(fault, EnterQuarantine) for fault in effects.faults)


def test_c38_forged_own_signature_means_nothing() -> None:
    cluster = Cluster(4)
    forged = replace(cluster.vote(Prepare, 1, 1, 1, 0, X), signature=bytes(64))
    assert receive(cluster, 1, 2, forged).quarantine is None


def test_own_signature_at_or_below_my_mark_is_an_echo() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    mine = next(mail.message for mail in cluster.world.mail if isinstance(mail.message, Prepare))
    assert receive(cluster, 0, 2, mine).quarantine is None


# --- bounds ---


def test_peer_that_hands_over_something_invalid_costs_no_more_checks_for_a_while() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    calls: list[bytes] = []

    def verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
        calls.append(message)
        return False

    state = cluster.state(0)
    state = replace(state, config=replace(state.config, verify=verify))
    wall = cluster[0].wall_ms
    for view in range(50):
        vote = cluster.vote(Prepare, LIAR, LIAR, 1, view, X)
        state, _ = step(state, Received(LIAR, vote, 10_000 + view, wall))
    assert len(calls) == 1
    state, _ = step(state, Received(1, cluster.vote(Prepare, LIAR, LIAR, 1, 0, X), 10_050, wall))
    assert len(calls) == 2  # another peer is not to blame
    step(state, Received(LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 60, X), 10_200, wall))
    assert len(calls) == 3


def test_evidence_against_a_validator_is_recorded_once_per_height() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    receive(cluster, 0, LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 0, X))
    for word in (b"y", b"z", b"y"):
        receive(cluster, 0, LIAR, cluster.vote(Prepare, LIAR, LIAR, 1, 0, Hash(sha256(word))))
    assert len(cluster[0].faults) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 9), st.booleans()), max_size=60))
def test_c_memory_is_bounded_whatever_a_liar_sends(votes: list[tuple[int, int, int, bool]]) -> None:
    state = START
    for signer, height, view, is_prepare in votes:
        kind = Prepare if is_prepare else Commit
        message = CLUSTER.vote(kind, signer, signer, height, view, Hash(sha256(b"%d" % view)))
        state, effects = step(state, Received(signer, message, 10_000, CLUSTER[1].wall_ms))
        assert len(effects.faults) <= 2
    assert len(state.prepares) == len(state.commits) == len(state.waiting) == len(state.peers) == 4
    assert all(vote is None or vote.body.height == 1 for vote in (*state.prepares, *state.commits))


CLUSTER = Cluster(4, liars=(0, 2, 3))
START = CLUSTER.state(1)
