"""The rules of consensus 5 as single predicates and selections, without any bookkeeping.

Each is one sentence of the protocol; the safety argument (consensus 9) rests on these few functions, and
the mutants of the simulator replace them one at a time.
"""

from collections.abc import Sequence

from chain.certificate import Certificate, VoteBody, VoteSignature
from chain.types import Hash, Height, View
from chain.validators import compute_leader
from consensus.events import BlockContent
from consensus.messages import Commit, Prepare, Prepared, ViewChange
from consensus.state import NO_VIEW, Asked, Justification, State


class SafetyBroken(Exception):
    """Signatures that only more than f liars can have made: the node stops (E7)."""


def get_leader(state: State, view: View) -> int:
    """Return the index of leader(h, view) (consensus 3)."""
    head = state.head
    return compute_leader(
        height=state.height,
        view=view,
        validators=head.validators,
        skips=head.skips,
        tenure=state.config.tenure,
    )


def get_justification(state: State, view: View, content: BlockContent) -> Justification | None:
    """Return why a block proposed in `view` may be PREPAREd (E2: J1, J2), or None. There is no third way.

    Being in the view is a condition, never a reason.
    """
    if not state.is_normal or view != state.view:
        return None
    if state.new_view is not None:
        if state.selected is None:
            return Justification.NEW_VIEW_FREE
        if state.selected.block_hash == content.block_hash:
            return Justification.SELECTED
    if content.parent_certificate.view == view and not has_signed_commit(state):
        return Justification.PARENT_VIEW
    return None


def has_signed_commit(state: State) -> bool:
    """Tell whether I signed COMMIT at height h: the lock of J2."""
    return state.asked.commit != NO_VIEW


def is_view_related(state: State, certificate: Certificate, view: View) -> bool:
    """Tell whether view(C(h-2) in head) <= view(C(h-1)) <= w (consensus 4)."""
    return state.head.embedded_view <= certificate.view <= view


def get_wish(state: State, index: int) -> int:
    """Return wants_i: the wish of its last STATUS or the highest view that it signed, whichever is more
    (E6).

    A wish told at a head below mine was about a height that I know to be decided, and its owner drops it
    with that commit (E5); following it would take me out of a view in which the others go on.
    """
    if index == state.own_index:
        return state.wants
    peer = state.peers[index]
    if peer.head < state.head.certificate.height:
        return peer.signed_view
    return max(peer.wants, peer.signed_view)


def compute_wanted_view(state: State) -> View:
    """Return t, the (f+1)-th largest wish: at least one honest validator wants to be there or further
    (E6)."""
    wishes = sorted((get_wish(state, index) for index in range(state.n)), reverse=True)
    return View(wishes[state.faults_max])


def count_wanting(state: State, view: View) -> int:
    """Return how many validators want `view` or a higher one, me included (consensus 6)."""
    return sum(get_wish(state, index) >= view for index in range(state.n))


def compute_view_after_commit(view: View, certified_view: View) -> tuple[View, bool]:
    """Return (view, whether the mode is normal) after a commit with C(h, u, x): the view never falls
    (E5)."""
    if certified_view >= view:
        return certified_view, True
    return view, False


def get_prepared_to_show(state: State) -> Prepared | None:
    """Return what my VIEW-CHANGE must carry: the highest-view P for which I signed COMMIT at h."""
    return state.locked


def does_count(message: ViewChange, height: int, view: int) -> bool:
    """Tell whether a VIEW-CHANGE is for exactly (h, v): one of another height or view never counts (E7)."""
    return message.body.height == height and message.body.view == view


def get_countable(state: State) -> list[ViewChange]:
    """Return the VIEW-CHANGEs that I hold for exactly (h, v), by signer index."""
    return [
        message
        for message in state.view_changes
        if message is not None and does_count(message, state.height, state.view)
    ]


def select_prepared(view_changes: Sequence[ViewChange]) -> Prepared | None:
    """Return the P with the highest view among the VIEW-CHANGEs of a NEW-VIEW, or None.

    Raises `SafetyBroken` if two P of one view are for different blocks.
    """
    selected: Prepared | None = None
    seen: dict[int, bytes] = {}
    for message in view_changes:
        prepared = message.prepared
        if prepared is None:
            continue
        if seen.setdefault(prepared.view, prepared.block_hash) != prepared.block_hash:
            raise SafetyBroken(f"two blocks are prepared in view {prepared.view}: more than f are faulty")
        if selected is None or prepared.view > selected.view:
            selected = prepared
    return selected


def find_prepared(state: State, block_hash: Hash) -> Prepared | None:
    """Return P(h, v, x) if a quorum of PREPAREs of this very view is held."""
    votes = _collect(state.prepares, state.view, block_hash)
    if len(votes) < state.quorum:
        return None
    return Prepared(
        height=state.height,
        view=state.view,
        block_hash=block_hash,
        votes=tuple(votes[: state.quorum]),
    )


def find_certificate(state: State) -> Certificate | None:
    """Return C(h, u, x) if Q COMMITs of one view u, any u, are held; views are never added up (consensus
    1)."""
    counts: dict[tuple[int, bytes], int] = {}
    for commit in state.commits:
        if commit is None:
            continue
        key = (commit.body.view, commit.body.block_hash)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] == state.quorum:
            return build_certificate(state, View(key[0]), Hash(key[1]))
    return None


def build_certificate(state: State, view: View, block_hash: Hash) -> Certificate:
    """Return the certificate of every COMMIT held for (h, view, x)."""
    votes = tuple(_collect(state.commits, view, block_hash))
    return Certificate(height=state.height, view=view, block_hash=block_hash, votes=votes)


def build_vote_body(version: int, certificate: Certificate) -> VoteBody:
    """Return the body that the votes of a certificate signed."""
    return VoteBody(
        version=version, height=certificate.height, view=certificate.view, block_hash=certificate.block_hash
    )


def is_head_certificate(state: State, certificate: Certificate) -> bool:
    """Tell whether a certificate names my head, whether or not its votes hold."""
    head = state.head.certificate
    return certificate.height == head.height and certificate.block_hash == head.block_hash


def get_head_hash(state: State) -> Hash:
    """Return the hash of the head block."""
    return Hash(state.head.certificate.block_hash)


def compute_quarantine_end(state: State) -> Height | None:
    """Return H* + 3 once n-Q+f+1 others have shown a certified head after I started, else None (consensus
    7).

    None at the first height of a set too: what I may have signed there rests on a quorum of another set, which
    those who answered need not have met (ADR 0023). And at a height at which I know that I have signed: an answer
    may have been long on its way, and show a head far below it.
    """
    heads = _list_answered(state)
    if state.head.validators != state.head.validators_head or state.asked != Asked():
        return None
    if len(heads) < state.n - state.quorum + state.faults_max + 1:
        return None
    return Height(max(heads) + 3)


def compute_rejoin_height(state: State) -> Height | None:
    """Return the height behind the highest head that n-Q+1 others have shown, else None: where the operator
    declared that only I am faulty, one of them knows the last block that I may have helped to decide, and my
    second vote above it is the one fault that the protocol bears (consensus 7). Alone, there is nobody to ask."""
    heads = _list_answered(state)
    if len(heads) < min(state.n - state.quorum + 1, state.n - 1):
        return None
    return Height(max(heads, default=state.height - 1) + 1)


def _list_answered(state: State) -> list[int]:
    """Return the certified heads that others have shown since I started."""
    return [
        peer.answered_head
        for index, peer in enumerate(state.peers)
        if index != state.own_index and peer.answered_head >= 0
    ]


def _collect(slots: Sequence[Prepare | Commit | None], view: View, block_hash: Hash) -> list[VoteSignature]:
    return [
        (message.signer, message.signature)
        for message in slots
        if message is not None and message.body.view == view and message.body.block_hash == block_hash
    ]
