"""What one peer may cost: floods of messages that are each worth a signature, and forgeries (pitfalls P23, C35)."""

from itertools import combinations

from msgspec.structs import replace

from chain.certificate import Certificate
from chain.types import Hash, View
from consensus.core import step
from consensus.effects import Note
from consensus.events import Received
from consensus.messages import Commit, Prepare, Prepared, Proposal
from consensus.patience import CHECK_MS, CHECKS_EACH_MAX, CHECKS_MAX, NEW_VIEW_COST, VOTE_COST
from consensus.state import State
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS

LIAR = 3
FLOOD = 1_000
BOUND = CHECKS_MAX + 4 * CHECKS_EACH_MAX


def count_verified(state: State) -> tuple[State, list[bytes]]:
    """Return the state with a verifier that notes each check."""
    checked: list[bytes] = []

    def verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
        checked.append(signature)
        return ledger.verify(public_key=public_key, message=message, signature=signature)

    return replace(state, config=replace(state.config, verify=verify)), checked


def flood(cluster: Cluster, state: State, *, now_ms: int) -> tuple[State, list[Note]]:
    """Hand over a thousand VIEW-CHANGEs of the liar, each of a higher view and with a true signature."""
    notes: list[Note] = []
    for view in range(FLOOD):
        message = cluster.view_change(LIAR, LIAR, state, view + 1)
        state, effects = step(state, Received(LIAR, message, now_ms, EPOCH_MS + now_ms))
        notes.extend(fault for fault in effects.faults if isinstance(fault, Note))
    return state, notes


def test_flood_of_view_changes_costs_no_more_than_a_bounded_number_of_checks() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    state, checked = count_verified(cluster.state(0))
    state, notes = flood(cluster, state, now_ms=1_000)
    assert 0 < len(checked) <= BOUND
    assert {note.code for note in notes} == {"message_flood"}
    assert state.view == 0, "one liar moves nobody"


def test_flood_of_prepares_with_rising_views_is_bounded_likewise() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    state, checked = count_verified(cluster.state(0))
    block = cluster.block(0, LIAR, b"any").block_hash
    for view in range(FLOOD):
        message = cluster.vote(Prepare, LIAR, LIAR, 1, view, block)
        state, _ = step(state, Received(LIAR, message, 1_000, EPOCH_MS))
    assert len(checked) <= BOUND


def test_patience_grows_again_with_time() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    state, checked = count_verified(cluster.state(0))
    state, _ = flood(cluster, state, now_ms=1_000)
    checked.clear()
    late = cluster.view_change(LIAR, LIAR, state, 5_000)
    state, _ = step(state, Received(LIAR, late, 1_000 + CHECK_MS - 1, EPOCH_MS))
    assert checked == []
    later = cluster.view_change(LIAR, LIAR, state, 6_000)
    state, _ = step(state, Received(LIAR, later, 1_000 + CHECK_MS, EPOCH_MS))
    assert len(checked) == 1
    assert state.view_changes[LIAR] == later


def test_flooding_peer_costs_others_nothing_and_its_next_height_begins_anew() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster[0].state, _ = flood(cluster, cluster.state(0), now_ms=cluster.world.now_ms)
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit))
    assert [cluster[index].head.height for index in (0, 1, 2)] == [1, 1, 1]
    assert cluster.state(0).peers[LIAR].checks_spent == 0
    message = cluster.view_change(LIAR, LIAR, cluster.state(0), View(2_000))
    cluster.inject([0], LIAR, message)
    assert cluster.state(0).view_changes[LIAR] == message


def test_flood_of_view_changes_with_certificates_is_counted_by_the_signatures_in_them() -> None:
    """All seven PREPAREs are true, so every choice of five of them is another true certificate."""
    cluster = Cluster(7, liars=range(1, 7))
    state, checked = count_verified(cluster.state(0))
    block = cluster.block(0, LIAR, b"any").block_hash
    votes = [(name, cluster.vote(Prepare, name, name, 1, 0, block).signature) for name in range(7)]
    chosen = list(combinations(votes, state.quorum))
    for view in range(FLOOD):
        prepared = Prepared(height=1, view=0, block_hash=block, votes=chosen[view % len(chosen)])
        message = cluster.view_change(LIAR, LIAR, state, view + 1, prepared)
        state, _ = step(state, Received(LIAR, message, 1_000, EPOCH_MS))
    assert state.view_changes[LIAR] is not None
    assert len(checked) <= CHECKS_MAX + 7 * CHECKS_EACH_MAX


def test_whole_round_of_view_changes_from_one_honest_peer_is_verified() -> None:
    """It relays what all others signed; a certificate that several of them carry costs once."""
    cluster = Cluster(64, liars=range(1, 64))
    state, checked = count_verified(cluster.state(0))
    block = cluster.block(0, LIAR, b"any").block_hash
    votes = tuple((name, cluster.vote(Prepare, name, name, 1, 0, block).signature) for name in range(state.quorum))
    prepared = Prepared(height=1, view=0, block_hash=block, votes=votes)
    messages = [cluster.view_change(name, name, state, 1, prepared) for name in range(1, 64)]
    for message in messages:
        state, _ = step(state, Received(LIAR, message, 1_000, EPOCH_MS))
    assert list(state.view_changes[1:]) == messages
    assert len(checked) == len(messages) + len(votes)


def test_older_certificate_of_the_head_costs_once_however_many_carry_it() -> None:
    """This node met C(head) of a higher view than the others, whose VIEW-CHANGEs carry theirs."""
    cluster = Cluster(13, liars=range(1, 13))
    state, checked = count_verified(cluster.state(0))
    block = cluster.block(0, 1, b"any").block_hash
    certificates = [
        Certificate(
            height=1,
            view=view,
            block_hash=block,
            votes=tuple((name, cluster.vote(Commit, name, name, 1, view, block).signature) for name in range(9)),
        )
        for view in (0, 1)
    ]
    head = replace(state.head, certificate=certificates[1])
    state = replace(state, head=head, head_certificate=certificates[1], view=View(1), wants=View(1))
    older = replace(state, head_certificate=certificates[0])
    messages = [cluster.view_change(name, name, older, 2) for name in range(1, 13)]
    for message in messages:
        state, _ = step(state, Received(LIAR, message, 1_000, EPOCH_MS))
    assert list(state.view_changes[1:]) == messages
    assert len(checked) == len(messages) + 9


def test_late_commit_and_an_invalid_new_view_are_counted_like_the_rest() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a")
    cluster.deliver((Proposal, Prepare, Commit))
    state = cluster.state(0)
    late = cluster.vote(Commit, LIAR, LIAR, 1, 0, Hash(state.head.certificate.block_hash))
    state, _ = step(state, Received(LIAR, late, 1_000, EPOCH_MS))
    assert [index for index, _ in state.head_certificate.votes] == [0, 1, 2, 3]
    assert state.peers[LIAR].checks_spent == VOTE_COST
    hollow = cluster.new_view(LIAR, LIAR, [], 2, 3)
    state, effects = step(state, Received(LIAR, hollow, 1_000, EPOCH_MS))
    assert [fault.code for fault in effects.faults if isinstance(fault, Note)] == ["new_view_invalid"]
    assert state.peers[LIAR].checks_spent == VOTE_COST + NEW_VIEW_COST
