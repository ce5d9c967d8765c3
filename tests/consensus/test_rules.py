from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.crypto import sha256
from chain.types import Hash, Height, View
from chain.validators import Skip, compute_faults_max, compute_quorum
from consensus import rules
from consensus.messages import Prepared, ViewChange
from consensus.state import Justification, Peer, State
from tests.consensus import samples
from tests.simulator.cluster import Cluster

X = Hash(sha256(b"x"))
Y = Hash(sha256(b"y"))

# n: (f, Q), written out: a table that a change of the formula must contradict (C1, C23).
QUORUMS = {
    1: (0, 1),
    2: (0, 2),
    3: (0, 2),
    4: (1, 3),
    5: (1, 4),
    6: (1, 4),
    7: (2, 5),
    8: (2, 6),
    9: (2, 6),
    10: (3, 7),
    11: (3, 8),
    12: (3, 8),
    13: (4, 9),
}


def build_state(n: int = 4) -> State:
    return Cluster(n).state(0)


@pytest.mark.parametrize("n", list(QUORUMS))
def test_c1_quorum_table(n: int) -> None:
    assert (compute_faults_max(n), compute_quorum(n)) == QUORUMS[n]


@pytest.mark.parametrize("n", list(QUORUMS))
def test_c1_two_quorums_share_an_honest_validator_and_the_honest_alone_form_one(n: int) -> None:
    f, quorum = QUORUMS[n]
    assert 2 * quorum - n > f
    assert quorum <= n - f


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_c1_every_pair_of_quorums_shares_more_than_f(n: int) -> None:
    f, quorum = QUORUMS[n]
    first = set(range(quorum))
    assert all(len(first & set(other)) > f for other in combinations(range(n), quorum))


@pytest.mark.parametrize("n", list(QUORUMS))
def test_quarantine_asks_enough_others_to_meet_every_quorum_in_an_honest_one(n: int) -> None:
    f, quorum = QUORUMS[n]
    asked = n - quorum + f + 1
    assert asked + (quorum - 1) - (n - 1) >= f + 1


def with_wishes(state: State, own: int, others: tuple[int, ...]) -> State:
    peers = (state.peers[0], *(Peer(head=0, wants=wish) for wish in others))
    return replace(state, wants=View(own), peers=peers)


@pytest.mark.parametrize(
    ("own", "others", "wanted"),
    [
        (0, (0, 0, 0), 0),
        (0, (1, 0, 0), 0),  # one alone moves nobody
        (0, (1, 1, 0), 1),
        (1, (1, 0, 0), 1),  # my own wish counts
        (0, (2**53 - 1, 0, 0), 0),  # C18, C19: a huge view of one liar
        (0, (2**53 - 1, 3, 0), 3),
        (5, (1, 2, 3), 3),
    ],
)
def test_wanted_view_is_the_wish_of_at_least_one_honest(own: int, others: tuple[int, ...], wanted: int) -> None:
    assert rules.compute_wanted_view(with_wishes(build_state(), own, others)) == wanted


@given(st.lists(st.integers(0, 50), min_size=3, max_size=3), st.integers(0, 50))
def test_wanted_view_is_never_above_what_f_plus_one_want(wishes: list[int], own: int) -> None:
    state = with_wishes(STATE, own, tuple(wishes))
    wanted = rules.compute_wanted_view(state)
    assert rules.count_wanting(state, wanted) >= 2
    assert rules.count_wanting(state, View(wanted + 1)) < 2


STATE = build_state()


def test_signed_view_counts_as_a_wish() -> None:
    peers = (STATE.peers[0], Peer(signed_view=3), Peer(head=0, wants=3), Peer())
    assert rules.compute_wanted_view(replace(STATE, peers=peers)) == 3


def test_wish_told_at_a_lower_head_is_about_a_decided_height_and_does_not_count() -> None:
    state = replace(STATE, head=replace(STATE.head, certificate=replace(STATE.head.certificate, height=5)))
    peers = (state.peers[0], Peer(head=4, wants=3), Peer(head=4, wants=3), Peer(head=5, wants=3))
    assert rules.compute_wanted_view(replace(state, peers=peers)) == 0
    assert rules.count_wanting(replace(state, peers=peers), View(3)) == 1
    signed = (*peers[:2], Peer(head=4, signed_view=3), peers[3])
    assert rules.compute_wanted_view(replace(state, peers=signed)) == 3


def test_view_never_falls_on_commit() -> None:
    assert rules.compute_view_after_commit(View(3), View(2)) == (3, False)
    assert rules.compute_view_after_commit(View(3), View(3)) == (3, True)
    assert rules.compute_view_after_commit(View(3), View(5)) == (5, True)


def view_change(index: int, prepared: Prepared | None) -> ViewChange:
    return replace(samples.build_view_change(index), signer=index, prepared=prepared)


def prepared_at(view: int, block: Hash) -> Prepared:
    return Prepared(height=2, view=view, block_hash=block, votes=())


def test_selection_is_the_prepared_certificate_of_the_highest_view() -> None:
    items = [view_change(0, prepared_at(1, X)), view_change(1, prepared_at(3, Y)), view_change(2, None)]
    assert rules.select_prepared(items) == prepared_at(3, Y)


def test_selection_of_nothing_prepared_is_none() -> None:
    assert rules.select_prepared([view_change(index, None) for index in range(3)]) is None


def test_two_blocks_prepared_in_one_view_stop_the_node() -> None:
    items = [view_change(0, prepared_at(1, X)), view_change(1, prepared_at(1, Y)), view_change(2, None)]
    with pytest.raises(rules.SafetyBroken):
        rules.select_prepared(items)


@given(st.permutations([(0, 1, X), (1, 2, Y), (2, 0, X), (3, None, X)]))
def test_c24_selection_does_not_depend_on_the_order_of_view_changes(
    order: list[tuple[int, int | None, Hash]],
) -> None:
    items = [view_change(signer, None if view is None else prepared_at(view, block)) for signer, view, block in order]
    assert rules.select_prepared(items) == prepared_at(2, Y)


def test_leader_rotates_by_view_and_tenure_without_the_skipped() -> None:
    state = build_state()
    state = replace(state, config=replace(state.config, tenure=5))
    assert [rules.get_leader(state, View(view)) for view in range(5)] == [0, 1, 2, 3, 0]
    later = replace(state, head=replace(state.head, certificate=replace(state.head.certificate, height=4)))
    assert later.height == Height(5)
    assert rules.get_leader(later, View(0)) == 1
    skipped = replace(state, head=replace(state.head, skips=(Skip(key=state.validators[1].key, since=1),)))
    assert [rules.get_leader(skipped, View(view)) for view in range(4)] == [0, 2, 3, 0]


def test_block_is_justified_by_new_view_or_by_parent_of_exactly_this_view_and_by_nothing_else() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    fresh = cluster.block(0, 0, b"a")
    assert rules.get_justification(state, View(0), fresh) is Justification.PARENT_VIEW
    # Being in the view is a condition, never a reason.
    in_view_one = replace(state, view=View(1))
    assert rules.get_justification(in_view_one, View(1), fresh) is None
    assert rules.get_justification(state, View(1), fresh) is None
    assert rules.get_justification(replace(state, is_normal=False), View(0), fresh) is None


def test_parent_view_justifies_nothing_after_my_commit_at_this_height() -> None:
    cluster = Cluster(4)
    state = cluster.state(0)
    fresh = cluster.block(0, 0, b"a")
    locked = replace(state, asked=replace(state.asked, commit=View(0)))
    assert rules.get_justification(locked, View(0), fresh) is None


def test_certificate_of_a_lower_view_than_the_last_embedded_one_does_not_fit() -> None:
    state = build_state()
    certificate = state.head_certificate
    inside = replace(state, head=replace(state.head, embedded_view=View(1)))
    assert not rules.is_view_related(inside, certificate, View(5))
    assert rules.is_view_related(state, certificate, View(0))
    assert not rules.is_view_related(state, replace(certificate, view=6), View(5))


def test_quarantine_ends_three_above_the_highest_certified_head() -> None:
    state = build_state()
    peers = (state.peers[0], *(Peer(answered_head=head) for head in (7, 9, 8)))
    assert rules.compute_quarantine_end(replace(state, peers=peers)) == 12
    silent = (*peers[:3], Peer())
    assert rules.compute_quarantine_end(replace(state, peers=silent)) is None
