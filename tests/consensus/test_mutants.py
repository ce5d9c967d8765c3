"""Natural but wrong readings of PBFT with one view number across heights: each forks here, the core does
not.

Consensus 9 lists them. Every test plays one schedule twice: against the core, which must come through it
without a fork, and against the core with one rule replaced, which must fork; so the schedule proves that
the rule is needed. Node 3 is the liar, leader(h, v) is v mod 4 throughout.
"""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from chain.certificate import Certificate
from chain.types import Hash, View
from consensus import checks, rules
from consensus.events import BlockContent
from consensus.guard_rules import GuardRefusal, GuardState, compute_digest, get_position
from consensus.messages import Commit, NewView, OwnMessage, Prepare, Proposal, Status, ViewChange
from consensus.start import Resume
from consensus.state import Justification, State
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import CHAIN_ID
from tests.simulator.node import Node

LIAR = 3
Schedule = Callable[[Cluster], None]


class Unguarded(Node):
    """An honest core without a guard, so that a mutant gets as far as its fork."""

    def check_sign(self, guard: GuardState, message: OwnMessage) -> None:
        return None

    def decide(self, own: tuple[OwnMessage, ...]) -> Resume:
        if self.disk.guard is None:
            raise TypeError("a test never removes the guard")
        return Resume(self.disk.guard)


class GuardedByUniqueness(Unguarded):
    """A guard that only refuses a second signature for one (height, view, phase)."""

    digests: dict[tuple[int, int, int, int], bytes] = {}  # noqa: RUF012 - reset by the test that uses it

    def check_sign(self, guard: GuardState, message: OwnMessage) -> None:
        digest = compute_digest(message, CHAIN_ID)
        if self.digests.setdefault((self.index, *get_position(message)), digest) != digest:
            raise GuardRefusal("signed before")


class GuardedButUnchecked(Unguarded):
    """The real guard, but without the comparison with the journal at start."""

    def check_sign(self, guard: GuardState, message: OwnMessage) -> None:
        Node.check_sign(self, guard, message)


def build_cluster(honest: type[Node] = Node, spare: int = 0) -> Cluster:
    cluster = Cluster(4, liars=(LIAR,), honest=honest, spare=spare)
    cluster.world.does_audit_signatures = honest is Node
    return cluster


def vote(cluster: Cluster, kind: type[Prepare] | type[Commit], to: Sequence[int], view: int, block: Hash) -> None:
    """Let the liar vote at the height of the first receiver."""
    state = cluster.state(to[0])
    message = cluster.vote(kind, LIAR, cluster.index_at(to[0], LIAR), state.height, view, block)
    cluster.inject(to, LIAR, message)


def get_proposed(cluster: Cluster, source: int) -> BlockContent:
    state = cluster.state(source)
    if state.proposal is None:
        raise AssertionError(f"node {source} has proposed nothing")
    return state.proposal.content


def decide_alone(cluster: Cluster, decider: int) -> Hash:
    """Commit x at one of 0 and 1 by COMMITs of both and the liar; the other is bound to it, node 2 knows
    nothing."""
    cluster.submit(b"x", to=[0])
    x = get_proposed(cluster, 0).block_hash
    cluster.deliver(Proposal, to=[1])
    cluster.deliver(Prepare, to=[0, 1])
    vote(cluster, Prepare, [0, 1], 0, x)
    cluster.deliver(Commit, to=[decider])
    vote(cluster, Commit, [decider], 0, x)
    cluster.drop()
    assert cluster[decider].head.height == 1
    assert cluster.state(1 - decider).locked is not None
    return x


def push(cluster: Cluster, voters: Sequence[int], block: Hash, view: int) -> None:
    """Let a block that was proposed in a view be voted through by some honest nodes and the liar."""
    cluster.deliver(Prepare, to=voters, view=view)
    vote(cluster, Prepare, voters, view, block)
    cluster.deliver(Commit, to=voters, view=view)
    live = [index for index in voters if cluster.state(index).certified is None]
    if live and cluster[live[0]].head.height + 1 == cluster.state(live[0]).height:
        vote(cluster, Commit, live, view, block)
    cluster.settle()


def propose_by_liar(cluster: Cluster, to: Sequence[int], view: int) -> Hash:
    y = cluster.block(to[0], LIAR, b"y")
    for index in to:
        cluster[index].contents[y.block_hash] = y
    cluster.inject(to, LIAR, cluster.proposal(LIAR, LIAR, y, view))
    return y.block_hash


def assert_forks(schedule: Schedule, honest: type[Node] = Unguarded, spare: int = 0) -> None:
    with pytest.raises(AssertionError, match="fork"):
        schedule(build_cluster(honest, spare))


# --- J without proof: being in a view is no justification ---


def run_without_proof(cluster: Cluster) -> None:
    decide_alone(cluster, 0)
    cluster.move_to(3, [1, 2])
    y = propose_by_liar(cluster, [1, 2], 3)
    push(cluster, [1, 2], y, 3)


def test_proposal_without_new_view_or_parent_view_is_not_prepared() -> None:
    cluster = build_cluster()
    run_without_proof(cluster)
    assert cluster[1].head.height == cluster[2].head.height == 0


def test_mutant_that_prepares_whatever_is_in_its_view_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    def justify(state: State, view: View, content: BlockContent) -> Justification | None:
        return Justification.NEW_VIEW_FREE if view == state.view else None

    monkeypatch.setattr(rules, "get_justification", justify)
    assert_forks(run_without_proof)


# --- VIEW-CHANGEs of another height ---


def run_other_height(cluster: Cluster) -> None:
    """Node 0 has decided height 1; its VIEW-CHANGE for height 2 carries nothing, rightly."""
    decide_alone(cluster, 0)
    cluster.move_to(3, [0, 1, 2])
    view_changes = [
        cluster.sent_view_change(0, 3),
        cluster.sent_view_change(2, 3),
        cluster.view_change(LIAR, LIAR, cluster.state(1), 3),
    ]
    assert view_changes[0].body.height == 2
    cluster.inject([1, 2], LIAR, cluster.new_view(LIAR, LIAR, view_changes, 1, 3))
    y = propose_by_liar(cluster, [1, 2], 3)
    push(cluster, [1, 2], y, 3)


def test_view_change_of_another_height_never_counts() -> None:
    cluster = build_cluster()
    run_other_height(cluster)
    assert not cluster.state(1).is_normal
    assert cluster[1].head.height == 0


def test_mutant_that_counts_view_changes_of_another_height_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    def does_count(message: ViewChange, height: int, view: int) -> bool:
        return message.body.view == view

    def require_view_change(state: State, message: ViewChange, verified: Sequence[object] = ()) -> None:
        checks.require_signature(state, message)

    monkeypatch.setattr(rules, "does_count", does_count)
    monkeypatch.setattr(checks, "require_view_change", require_view_change)
    assert_forks(run_other_height)


# --- COMMITs added across views (four views) ---


def run_four_views(cluster: Cluster) -> None:
    # View 0: 0, 1 and the liar PREPARE x; only node 0 sees it and signs COMMIT x.
    cluster.submit(b"x", to=[0])
    x = get_proposed(cluster, 0).block_hash
    cluster.deliver(Proposal, to=[1])
    cluster.deliver(Prepare, to=[0])
    vote(cluster, Prepare, [0], 0, x)
    commit_of_zero = next(mail.message for mail in cluster.world.mail if isinstance(mail.message, Commit))
    cluster.drop()
    # View 1: V = {1, 2, liar} knows nothing of x; y is prepared, and node 1 signs COMMIT y.
    cluster.move_to(1, [1, 2])
    cluster.inject([1], LIAR, cluster.view_change(LIAR, LIAR, cluster.state(1), 1))
    cluster.submit(b"y", to=[1])
    cluster.deliver(ViewChange, to=[1])
    cluster.settle()
    y = get_proposed(cluster, 1).block_hash
    cluster.deliver((NewView, Proposal), to=[2])
    cluster.deliver(Prepare, to=[1])
    vote(cluster, Prepare, [1], 1, y)
    assert cluster.state(1).asked.commit == 1
    cluster.drop()
    # View 2: V = {0, 2, liar} selects x; it is prepared, and node 2 signs COMMIT x.
    cluster.move_to(2, [0, 2])
    cluster.inject([2], LIAR, cluster.view_change(LIAR, LIAR, cluster.state(2), 2))
    cluster.deliver(ViewChange, to=[2])
    cluster.deliver((NewView, Proposal), to=[0])
    cluster.deliver(Prepare, to=[2])
    vote(cluster, Prepare, [2], 2, x)
    assert cluster.state(2).asked.commit == 2
    # Three validators have signed COMMIT x: 0 in view 0, 2 and the liar in view 2.
    cluster.inject([2], 0, commit_of_zero)
    vote(cluster, Commit, [2], 2, x)
    cluster.drop()
    # View 3: V = {0, 1, liar} selects y, prepared in view 1.
    cluster.move_to(3, [0, 1])
    view_changes = [
        cluster.sent_view_change(0, 3),
        cluster.sent_view_change(1, 3),
        cluster.view_change(LIAR, LIAR, cluster.state(0), 3),
    ]
    cluster.inject([0, 1], LIAR, cluster.new_view(LIAR, LIAR, view_changes, 1, 3))
    content = cluster[1].contents[y]
    cluster.inject([0, 1], LIAR, cluster.proposal(LIAR, LIAR, content, 3))
    push(cluster, [0, 1], y, 3)
    assert cluster[0].head.height == cluster[1].head.height == 1


def test_commits_of_different_views_are_never_added_up() -> None:
    cluster = build_cluster()
    run_four_views(cluster)
    assert cluster[2].head.height == 0


def test_mutant_that_adds_commits_across_views_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_certificate(state: State) -> Certificate | None:
        held = [commit for commit in state.commits if commit is not None]
        for commit in held:
            same = [item for item in held if item.body.block_hash == commit.body.block_hash]
            if len(same) >= state.quorum:
                votes = tuple((item.signer, item.signature) for item in same)
                return Certificate(
                    height=state.height, view=commit.body.view, block_hash=commit.body.block_hash, votes=votes
                )
        return None

    monkeypatch.setattr(rules, "find_certificate", find_certificate)
    assert_forks(run_four_views)


# --- the view lowered on commit, without the J2 lock (two heights) ---


def certify_twice(cluster: Cluster) -> BlockContent:
    """Height 1: x gets COMMITs of 0, 1 and 2 in view 0 and, carried, in view 1; nobody has committed
    yet."""
    cluster.submit(b"x", to=[0])
    content = get_proposed(cluster, 0)
    cluster.deliver(Proposal, to=[1, 2])
    cluster.deliver(Prepare, to=[0, 1, 2])
    assert [cluster.state(index).asked.commit for index in (0, 1, 2)] == [0, 0, 0]
    cluster.drop(Status)
    early = [mail for mail in cluster.world.mail if isinstance(mail.message, Commit)]
    cluster.drop()
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver((ViewChange, NewView, Proposal))
    cluster.deliver(Prepare)
    assert [cluster.state(index).asked.commit for index in (0, 1, 2)] == [1, 1, 1]
    late = [mail for mail in cluster.world.mail if isinstance(mail.message, Commit)]
    cluster.drop()
    cluster.world.mail = [*early, *late]
    return content


def run_lowered_view(cluster: Cluster) -> None:
    x = certify_twice(cluster).block_hash
    # Nobody wants anything any more; nodes 0 and 1 commit by the certificate of view 0, node 2 by that of
    # view 1.
    for index in (0, 1):
        for other in (0, 1, 2, LIAR):
            if other != index:
                cluster[index].receive(other, cluster.build_status(index, other, wants=0))
    cluster.settle()
    cluster.world.mail = [mail for mail in cluster.world.mail if isinstance(mail.message, Commit)]
    cluster.deliver(Commit, to=[0, 1], view=0)
    vote(cluster, Commit, [0, 1], 0, x)
    cluster.deliver(Commit, to=[2], view=1)
    cluster.drop()
    assert [cluster[index].head.height for index in (0, 1, 2)] == [1, 1, 1]
    # Height 2, view 0: node 0 leads, if it went back there.
    cluster.submit(b"z", to=[0])
    slot = cluster.state(0).proposal
    if slot is not None:
        z = slot.content.block_hash
        cluster.deliver(Proposal, to=[1])
        cluster.deliver(Prepare, to=[0, 1])
        vote(cluster, Prepare, [0, 1], 0, z)
        cluster.deliver(Commit, to=[0])
        vote(cluster, Commit, [0], 0, z)
        cluster.drop()
    # View 1: node 1 leads, and meets the certificate of view 1.
    cluster.submit(b"w", to=[1])
    certificate = cluster.state(2).head_certificate
    status = replace(cluster.build_status(1, 2, wants=1), certificate=certificate, view=1)
    cluster[1].receive(2, status)
    cluster.settle()
    w = get_proposed(cluster, 1).block_hash
    cluster.drop(Status)
    cluster.deliver(Proposal, to=[2])
    push(cluster, [1, 2], w, 1)


def test_view_never_falls_on_commit() -> None:
    cluster = build_cluster()
    run_lowered_view(cluster)
    assert cluster[0].head.height == 1
    assert cluster.state(0).view == 1


def test_mutant_that_lowers_the_view_on_commit_and_drops_the_lock_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute_wanted_view(state: State) -> View:
        # Whoever lowers views cannot count the views of old signatures as wishes either.
        wishes = [state.wants if index == state.own_index else peer.wants for index, peer in enumerate(state.peers)]
        return View(sorted(wishes, reverse=True)[state.faults_max])

    monkeypatch.setattr(rules, "compute_wanted_view", compute_wanted_view)
    monkeypatch.setattr(rules, "compute_view_after_commit", lambda view, certified: (certified, True))
    monkeypatch.setattr(rules, "has_signed_commit", lambda state: False)
    assert_forks(run_lowered_view)


# --- a swap of a validator, without the J2 lock (two heights) ---


def run_swap(cluster: Cluster) -> None:
    """Block 1 puts node 4 in the place of node 0, so the quorums of the heights share nobody honest."""
    x_items = ((ledger.SWAP, bytes(64)),)
    cluster[0].add_transaction(x_items[0])
    cluster.settle()
    content = get_proposed(cluster, 0)
    x = content.block_hash
    cluster.deliver(Proposal, to=[1, 2])
    cluster.deliver(Prepare, to=[0, 2])
    assert [cluster.state(index).asked.commit for index in (0, 2)] == [0, 0]
    # Node 2 commits by view 0.
    cluster.deliver(Commit, to=[2], source=[0])
    vote(cluster, Commit, [2], 0, x)
    assert cluster[2].head.height == 1
    cluster.drop()
    # Nodes 0 and 1 and the liar carry x over and certify it again in view 1.
    cluster.move_to(1, [0, 1])
    cluster.inject([1], LIAR, cluster.view_change(LIAR, LIAR, cluster.state(1), 1))
    cluster.deliver((ViewChange, NewView, Proposal), to=[0, 1])
    push(cluster, [0, 1], x, 1)
    assert cluster.state(1).head_certificate.view == 1
    cluster.drop()
    # The new validator has block 1 from node 2.
    newcomer = cluster[4]
    newcomer.disk.chain = list(cluster[2].disk.chain)
    newcomer.crash()
    newcomer.boot()
    cluster.settle()
    for other in (2, LIAR):
        answer = replace(cluster.build_status(4, other, wants=0), echo=cluster.state(4).nonce)
        cluster.inject([4], other, answer)
    cluster.drop()
    # Height 2, view 0: node 4 leads; 4, 2 and the liar decide z, and only node 4 learns of it.
    cluster.submit(b"z", to=[4])
    z = get_proposed(cluster, 4).block_hash
    cluster.deliver(Proposal, to=[2])
    cluster.deliver(Prepare, to=[2, 4])
    vote(cluster, Prepare, [2, 4], 0, z)
    cluster.deliver(Commit, to=[4])
    vote(cluster, Commit, [4], 0, z)
    assert cluster[4].head.height == 2
    cluster.drop()
    # View 1: node 1 leads with its own certificate of view 1 for the parent; node 2 is bound to z.
    cluster.submit(b"w", to=[1])
    w = get_proposed(cluster, 1).block_hash
    cluster.deliver(Proposal, to=[2])
    push(cluster, [1, 2], w, 1)


def test_swap_of_a_validator_is_safe_by_the_lock() -> None:
    cluster = build_cluster(spare=1)
    run_swap(cluster)
    assert cluster[1].head.height == cluster[2].head.height == 1


def test_mutant_without_the_lock_forks_when_a_validator_is_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "has_signed_commit", lambda state: False)
    assert_forks(run_swap, spare=1)


# --- votes at heights <= head, and a guard by uniqueness only: a disk restored from a backup ---


def run_restored_disk(cluster: Cluster) -> None:
    """Node 1 decides x, then comes back with yesterday's disk; its guard alone is of today."""
    decide_alone(cluster, 1)
    restored = cluster[1]
    restored.crash()
    restored.disk.chain = restored.disk.chain[:1]
    restored.disk.journal = []
    restored.boot()
    cluster.settle()
    cluster.deliver(Status)
    cluster.drop()
    cluster.move_to(3, [0, 1, 2])
    view_changes = [
        cluster.sent_view_change(1, 3),
        cluster.sent_view_change(2, 3),
        cluster.view_change(LIAR, LIAR, cluster.state(0), 3),
    ]
    cluster.inject([0, 2], LIAR, cluster.new_view(LIAR, LIAR, view_changes, 1, 3))
    y = propose_by_liar(cluster, [0, 2], 3)
    push(cluster, [0, 2], y, 3)


def test_restored_disk_stands_in_quarantine_and_signs_nothing() -> None:
    cluster = build_cluster()
    with pytest.raises(AssertionError, match="node 1 sent no VIEW-CHANGE"):
        run_restored_disk(cluster)
    assert cluster.state(1).quarantine is not None


def test_guard_alone_refuses_the_vote_of_a_restored_disk() -> None:
    with pytest.raises(GuardRefusal):
        run_restored_disk(build_cluster(GuardedButUnchecked))


def test_mutant_guarded_by_uniqueness_only_forks() -> None:
    GuardedByUniqueness.digests.clear()
    assert_forks(run_restored_disk, GuardedByUniqueness)


def test_mutant_that_votes_at_heights_it_has_decided_forks() -> None:
    assert_forks(run_restored_disk, Unguarded)


# --- VIEW-CHANGE hiding P ---


def run_hidden(cluster: Cluster) -> None:
    decide_alone(cluster, 0)
    cluster.move_to(3, [1, 2])
    view_changes = [
        cluster.sent_view_change(1, 3),
        cluster.sent_view_change(2, 3),
        cluster.view_change(LIAR, LIAR, cluster.state(1), 3),
    ]
    cluster.inject([1, 2], LIAR, cluster.new_view(LIAR, LIAR, view_changes, 1, 3))
    y = propose_by_liar(cluster, [1, 2], 3)
    push(cluster, [1, 2], y, 3)


def test_prepared_certificate_of_one_honest_view_change_binds_the_new_view() -> None:
    cluster = build_cluster()
    run_hidden(cluster)
    selected = cluster.state(2).selected
    assert selected is not None
    assert selected.block_hash == cluster[0].head.content.block_hash
    assert cluster[1].head.height == 0


def test_mutant_that_hides_its_prepared_certificate_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "get_prepared_to_show", lambda state: None)
    assert_forks(run_hidden)


def test_guard_refuses_a_view_change_that_hides_its_prepared_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "get_prepared_to_show", lambda state: None)
    with pytest.raises(GuardRefusal):
        run_hidden(build_cluster())
