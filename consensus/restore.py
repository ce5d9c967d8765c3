"""The state at start: made from the head, and from what the journal kept of the height that was under
way."""

from msgspec.structs import replace

from chain.certificate import Certificate
from chain.types import View
from consensus import rules
from consensus.config import Config
from consensus.events import BlockContent, HeadInfo, Restored, Start
from consensus.guard_rules import get_position
from consensus.messages import Commit, NewView, OwnMessage, Prepare, Prepared, Proposal, ViewChange
from consensus.state import NO_MARK, Peer, State, build_empty_state, build_proposal_slot, put


def build_state(config: Config, start: Start) -> State:
    """Return the state at start: nothing may be signed until Q-1 others have answered the nonce (consensus
    7)."""
    state = build_empty_state(
        config,
        start.head,
        boot_id=start.boot_id,
        nonce=start.nonce,
        has_transactions=start.has_transactions,
        status_ms=start.now_ms,
    )
    restored = start.restored
    state = replace(
        state,
        head_certificate=_find_head_certificate(state, restored),
        quarantine=start.quarantine,
        mark=_compute_mark(restored),
        peers=_seed_peers(start.head),
    )
    if start.quarantine is not None:
        return _resume_view(state, restored, ())
    return _resume_view(_resume_votes(state, restored), restored, restored.new_views)


def _seed_peers(head: HeadInfo) -> tuple[Peer, ...]:
    """Return the peers with what C(head) shows: their COMMITs, which a restarted signer must be told of."""
    certificate = head.certificate
    body = rules.build_vote_body(head.version_head, certificate)
    commits = {
        head.validators_head[index].key: Commit(body=body, signer=index, signature=signature)
        for index, signature in certificate.votes
    }
    return tuple(
        Peer(newest=commits[validator.key], signed_view=certificate.view) if validator.key in commits else Peer()
        for validator in head.validators
    )


def _compute_mark(restored: Restored) -> tuple[int, int, int]:
    positions = [get_position(message) for message in restored.own]
    return max([restored.mark or NO_MARK, *positions])


def _find_head_certificate(state: State, restored: Restored) -> Certificate:
    """Return the C(head) of the highest view: a block that I PREPAREd may embed a better one than was
    stored."""
    best = state.head_certificate
    for content in restored.blocks:
        certificate = content.parent_certificate
        fits = content.header.height == state.height and rules.is_head_certificate(state, certificate)
        if fits and certificate.view > best.view:
            best = certificate
    return best


def _resume_votes(state: State, restored: Restored) -> State:
    """Put the own messages of height h back into their slots."""
    own = state.own_index
    for message in restored.own:
        if message.body.height != state.height or message.signer != own:
            continue
        state = _resume_vote(state, message, restored)
    return state


def _resume_vote(state: State, message: OwnMessage, restored: Restored) -> State:
    index = message.signer
    view = View(message.body.view)
    match message:
        case ViewChange():
            slots = put(state.view_changes, index, message)
            return replace(state, view_changes=slots, asked=replace(state.asked, view_change=view))
        case NewView():
            return replace(state, asked=replace(state.asked, new_view=view))
        case Proposal():
            slot = build_proposal_slot(message, holders=(index,))
            return replace(state, proposal=slot, asked=replace(state.asked, proposal=view))
        case Prepare():
            prepares = put(state.prepares, index, message)
            content = _find_content(message, restored) or state.locked_content
            return replace(state, prepares=prepares, asked=replace(state.asked, prepare=view), locked_content=content)
        case Commit():
            return _resume_commit(state, message, restored)


def _resume_commit(state: State, message: Commit, restored: Restored) -> State:
    """Bind myself again to the P behind my COMMIT; without it every later VIEW-CHANGE would hide it."""
    locked = _find_prepared(message, restored)
    if locked is None:
        return replace(state, quarantine="the journal lacks the prepared certificate behind a COMMIT")
    index = message.signer
    return replace(
        state,
        commits=put(state.commits, index, message),
        asked=replace(state.asked, commit=View(message.body.view)),
        locked=locked,
        locked_content=_find_content(message, restored),
    )


def _find_content(message: Prepare | Commit, restored: Restored) -> BlockContent | None:
    """Return what the journal says that the block of a vote lists."""
    return next((block for block in restored.blocks if block.block_hash == message.body.block_hash), None)


def _find_prepared(message: Commit, restored: Restored) -> Prepared | None:
    body = message.body
    for prepared in restored.prepared:
        at = (prepared.height, prepared.view, prepared.block_hash)
        if at == (body.height, body.view, body.block_hash):
            return prepared
    return None


def _resume_view(state: State, restored: Restored, new_views: tuple[NewView, ...]) -> State:
    """Find view and mode again: the highest view that I signed or installed, never below C(head)."""
    own_new_views = tuple(message for message in restored.own if isinstance(message, NewView))
    here = [item for item in (*new_views, *own_new_views) if item.body.height == state.height]
    views = [message.body.view for message in restored.own]
    certified_view = state.head_certificate.view
    view = View(max([certified_view, state.mark[1], *views, *(item.body.view for item in here)]))
    installed = next((item for item in here if item.body.view == view), None)
    asked = state.asked
    has_voted = max(asked.proposal, asked.prepare, asked.commit) == view
    proposal = state.proposal if state.proposal is not None and state.proposal.view == view else None
    state = replace(state, view=view, wants=view, proposal=proposal)
    if installed is not None and state.quarantine is None:
        selected = rules.select_prepared(installed.view_changes)
        return replace(state, is_normal=True, new_view=installed, selected=selected)
    return replace(state, is_normal=certified_view == view or has_voted)
