"""What a validator does with each message that it receives: verify, keep in its slot, notice (consensus 2
and 5).

Nothing is decided here; the rules are driven in `core.py` after each event. Messages for h are verified
and kept, those for h+1 wait unverified (only from their signer itself), a COMMIT on the head may still
join its certificate, and all others only show, by STATUS, who must sync.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from chain.certificate import Certificate
from chain.types import Hash, View
from consensus import checks, rules
from consensus.checks import MessageInvalid
from consensus.effects import CommitBlock, EnterQuarantine, Evidence, KeepNewView, Stop
from consensus.guard_rules import get_position
from consensus.messages import (
    Commit,
    NewView,
    OwnMessage,
    Prepare,
    Proposal,
    ViewChange,
    get_kind,
)
from consensus.patience import NEW_VIEW_COST, VOTE_COST, is_shunned, may_verify, shun
from consensus.state import NO_VIEW, Check, ProposalSlot, Waiting, build_proposal_slot, put
from consensus.turn import Turn


def on_signed_message(turn: Turn, peer: int, message: OwnMessage) -> None:
    """Take in a PROPOSAL, PREPARE, COMMIT, VIEW-CHANGE or NEW-VIEW that `peer` handed over."""
    state = turn.state
    height = message.body.height
    if message.signer >= state.n:
        turn.note("message_invalid", peer, f"{get_kind(message).name}: unknown signer")
        return
    if is_shunned(turn, peer) or not state.is_version_known:
        return
    if message.signer == state.own_index and height == state.height:
        # At another height this index may be somebody else's; what I may have forgotten there STATUS shows.
        on_own_signature(turn, peer, message)
        return
    if height == state.height + 1:
        _keep_waiting(turn, peer, message)
        return
    if height == state.height - 1 and isinstance(message, Commit):
        _on_late_commit(turn, peer, message)
        return
    if height != state.height or state.certified is not None:
        return
    try:
        match message:
            case Prepare() | Commit():
                _on_vote(turn, peer, message)
            case ViewChange():
                _on_view_change(turn, peer, message)
            case NewView():
                _on_new_view(turn, peer, message)
            case Proposal():
                _on_proposal(turn, peer, message)
    except MessageInvalid as error:
        shun(turn, peer, "message_invalid", f"{get_kind(message).name} of {message.signer}: {error}")


def on_own_signature(turn: Turn, peer: int, message: OwnMessage) -> None:
    """Compare a signature of mine that a peer shows with my mark: above it, my votes are lost (consensus
    7)."""
    state = turn.state
    if get_position(message) <= state.mark or state.quarantine is not None:
        return
    if not may_verify(turn, peer, VOTE_COST):
        return
    try:
        checks.require_signature(state, message)
    except MessageInvalid as error:
        shun(turn, peer, "message_invalid", f"shown as mine: {error}")
        return
    at = get_position(message)
    enter_quarantine(turn, f"a peer shows my signature at {at}, above my mark {state.mark}")


def enter_quarantine(turn: Turn, reason: str) -> None:
    """Sign nothing from here on; only STATUS that comes from here on counts for the way out."""
    state = turn.state
    if state.quarantine is not None:
        return
    peers = tuple(replace(peer, answered_head=-1) for peer in state.peers)
    turn.state = replace(state, quarantine=reason, peers=peers)
    turn.faults.append(EnterQuarantine(reason=reason))


def stop(turn: Turn, reason: str) -> None:
    """Stop the node for good, and sign nothing in the meantime: more than f validators are faulty."""
    turn.faults.append(Stop(reason=reason))
    enter_quarantine(turn, reason)


def certify(turn: Turn, certificate: Certificate, holders: Sequence[int]) -> None:
    """Note that h is decided (E4): nothing for h changes anything any more, the runtime writes the
    batch."""
    state = turn.state
    turn.state = replace(state, certified=certificate, building=NO_VIEW, fetching=None)
    turn.commit = CommitBlock(
        block_hash=Hash(certificate.block_hash),
        certificate=certificate,
        holders=tuple(holder for holder in holders if holder != state.own_index),
    )


def adopt_head_certificate(turn: Turn, certificate: Certificate) -> None:
    """Replace my C(head) by a verified one of a higher view; of view >= v it makes the mode normal (E5)."""
    state = turn.state
    if certificate.height == 0 or certificate.view <= state.head_certificate.view:
        return
    turn.state = state = replace(state, head_certificate=certificate)
    if certificate.view > state.view or (certificate.view == state.view and not state.is_normal):
        enter_view(turn, View(certificate.view), is_normal=True)


def enter_view(turn: Turn, view: View, *, is_normal: bool) -> None:
    """Move to (h, view, mode) and forget what belonged to the view before; the view never falls."""
    state = turn.state
    proposal = state.proposal
    if proposal is not None and proposal.view != view:
        proposal = None
    turn.state = replace(
        state,
        view=view,
        is_normal=is_normal,
        wants=max(state.wants, view),
        proposal=proposal,
        refused=NO_VIEW,
        bad_relays=(),
        new_view=None,
        selected=None,
        building=NO_VIEW,
        fetching=None,
    )
    turn.is_view_timer_reset = True


def install(turn: Turn, message: NewView, *, is_own: bool) -> None:
    """Install a valid NEW-VIEW (E7): v := w, mode normal, and remember what everybody recomputes from
    it."""
    try:
        selected = rules.select_prepared(message.view_changes)
    except rules.SafetyBroken as error:
        stop(turn, str(error))
        return
    enter_view(turn, View(message.body.view), is_normal=True)
    turn.state = replace(turn.state, new_view=message, selected=selected)
    if not is_own:
        turn.persist.append(KeepNewView(new_view=message))


def notice_signed(turn: Turn, message: OwnMessage) -> None:
    """Remember the newest verified message of its signer, and how far its views go (E6)."""
    state = turn.state
    peer = state.peers[message.signer]
    newest = peer.newest
    if newest is None or get_position(message) > get_position(newest):
        newest = message
    elif message.body.view <= peer.signed_view:
        return
    signed_view = View(max(peer.signed_view, message.body.view))
    turn.keep_peer(message.signer, replace(peer, newest=newest, signed_view=signed_view))


def keep_vote(turn: Turn, message: Prepare | Commit) -> None:
    """Put a verified vote into its slot; a quorum of COMMITs decides the height (E4)."""
    state = turn.state
    if isinstance(message, Prepare):
        turn.state = replace(state, prepares=put(state.prepares, message.signer, message))
        return
    turn.state = state = replace(state, commits=put(state.commits, message.signer, message))
    certificate = rules.find_certificate(state)
    if certificate is not None and state.certified is None:
        certify(turn, certificate, [index for index, _ in certificate.votes])


def replay_waiting(turn: Turn, waiting: tuple[Waiting, ...]) -> None:
    """Take in what waited for this height, as if its signers sent it now (NEW-VIEW before what rests on
    it)."""
    for peer, kept in enumerate(waiting):
        for message in (kept.view_change, kept.new_view):
            if message is not None:
                on_signed_message(turn, peer, message)
    for peer, kept in enumerate(waiting):
        for vote in (kept.proposal, kept.prepare, kept.commit):
            if vote is not None:
                on_signed_message(turn, peer, vote)


def _keep_waiting(turn: Turn, peer: int, message: OwnMessage) -> None:
    """Keep a message for h+1 unverified: one slot per validator and kind, filled by that validator
    alone."""
    if peer != message.signer:
        return
    state = turn.state
    kept = state.waiting[peer]
    match message:
        case ViewChange():
            if kept.view_change is None or kept.view_change.body.view < message.body.view:
                kept = replace(kept, view_change=message)
        case NewView():
            if kept.new_view is None or kept.new_view.body.view < message.body.view:
                kept = replace(kept, new_view=message)
        case Proposal():
            if kept.proposal is None or kept.proposal.body.view < message.body.view:
                kept = replace(kept, proposal=message)
        case Prepare():
            if kept.prepare is None or kept.prepare.body.view < message.body.view:
                kept = replace(kept, prepare=message)
        case Commit():
            if kept.commit is None or kept.commit.body.view < message.body.view:
                kept = replace(kept, commit=message)
    turn.state = replace(state, waiting=put(state.waiting, peer, kept))


def _on_late_commit(turn: Turn, peer: int, message: Commit) -> None:
    """Add a COMMIT on the head to my C(head), if I am the leader who will embed it (E1)."""
    state = turn.state
    held = state.head_certificate
    body = message.body
    if body.view != held.view or body.block_hash != held.block_hash or body.height == 0:
        return
    if rules.get_leader(state, state.view) != state.own_index:
        return
    if any(index == message.signer for index, _ in held.votes):
        return
    if not may_verify(turn, peer, VOTE_COST):
        return
    votes = tuple(sorted((*held.votes, (message.signer, message.signature))))
    grown = replace(held, votes=votes)
    try:
        checks.require_head_certificate(state, grown)
    except MessageInvalid as error:
        shun(turn, peer, "message_invalid", f"late COMMIT of {message.signer}: {error}")
        return
    turn.state = replace(turn.state, head_certificate=grown)


def _on_vote(turn: Turn, peer: int, message: Prepare | Commit) -> None:
    """Verify a vote and keep it, unless its slot holds one of this or a higher view."""
    state = turn.state
    slots: tuple[Prepare | Commit | None, ...]
    slots = state.prepares if isinstance(message, Prepare) else state.commits
    held = slots[message.signer]
    if held is not None and held.body.view >= message.body.view:
        _compare(turn, held, message)
        return
    if not may_verify(turn, peer, VOTE_COST):
        return
    checks.require_signature(state, message)
    notice_signed(turn, message)
    keep_vote(turn, message)


def _on_view_change(turn: Turn, peer: int, message: ViewChange) -> None:
    """Verify a VIEW-CHANGE with all it carries and keep it; an invalid one is dropped singly (pitfalls
    C4)."""
    state = turn.state
    held = state.view_changes[message.signer]
    if held is not None and held.body.view >= message.body.view:
        _compare(turn, held, message)
        return
    if not may_verify(turn, peer, checks.count_view_change(state, message)):
        return
    checks.require_view_change(state, message)
    notice_signed(turn, message)
    turn.state = replace(turn.state, view_changes=put(state.view_changes, message.signer, message))
    adopt_head_certificate(turn, message.certificate)


def _on_new_view(turn: Turn, peer: int, message: NewView) -> None:
    """Install a NEW-VIEW of a higher view, or of mine while changing, after recomputing all of it (E7)."""
    state = turn.state
    view = message.body.view
    if view < state.view or (view == state.view and state.is_normal):
        _compare(turn, state.new_view, message)
        return
    if state.peers[message.signer].is_distrusted or not may_verify(turn, peer, NEW_VIEW_COST):
        return
    checks.require_new_view_shape(state, message)
    try:
        checks.require_new_view(state, message)
    except MessageInvalid as error:
        # The list is the leader's own: it signed what no honest leader signs, so verify no more of it here.
        index = message.signer
        turn.keep_peer(index, replace(turn.state.peers[index], is_distrusted=True))
        shun(turn, peer, "new_view_invalid", f"signed by {index}: {error}")
        return
    notice_signed(turn, message)
    for item in message.view_changes:
        notice_signed(turn, item)
    install(turn, message, is_own=False)
    for item in message.view_changes:
        adopt_head_certificate(turn, item.certificate)


def _on_proposal(turn: Turn, peer: int, message: Proposal) -> None:
    """Keep the proposal of my view; one of a higher view only if C(h-1) of that very view comes with it
    (J2)."""
    state = turn.state
    view = View(message.body.view)
    certificate = message.parent_certificate
    if view < state.view or (view > state.view and certificate.view != view):
        return
    if state.refused == view or peer in state.bad_relays:
        return
    held = state.proposal
    if held is not None and held.view == view and not _is_better_copy(held, peer, message):
        _compare(turn, held.message, message)
        return
    if not may_verify(turn, peer, VOTE_COST):
        return
    checks.require_proposal_content(state, message)
    checks.require_signature(state, message)
    checks.require_head_certificate(state, certificate)
    notice_signed(turn, message)
    adopt_head_certificate(turn, certificate)
    if turn.state.view != view:
        return
    holders = (peer,) if peer == message.signer else (peer, message.signer)
    turn.state = replace(turn.state, proposal=build_proposal_slot(message, holders=holders))


def _is_better_copy(held: ProposalSlot, peer: int, message: Proposal) -> bool:
    """Tell whether the leader itself sends other items than a relayer did: only the header is under its
    signature. Once a copy was found valid no other can be."""
    return (
        held.check is not Check.VALID
        and held.message.body == message.body
        and peer == message.signer
        and held.holders[0] != message.signer
        and held.content.items != message.items
    )


def _compare(turn: Turn, held: OwnMessage | None, message: OwnMessage) -> None:
    """Record two different bodies that one key signed at one position: evidence of a fault."""
    if held is None or held.signer != message.signer or held.body == message.body:
        return
    if get_position(held) != get_position(message):
        return
    state, index = turn.state, message.signer
    if state.peers[index].has_evidence:
        return
    checks.require_signature(state, message)
    turn.keep_peer(index, replace(state.peers[index], has_evidence=True))
    turn.faults.append(Evidence(signer=message.signer, first=held, second=message))
