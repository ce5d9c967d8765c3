"""What a node signs and asks for: rules E1 to E7 as actions, driven until nothing more is due (consensus
5).

Each action looks whether its rule applies now, and if so asks the guard by `SignRequest` or the runtime by
an effect. Asking the guard is as binding as the signature: the state says `asked` from that moment, while
the vote counts and leaves only when the event `Signed` brings it back durable.
"""

from msgspec.structs import replace

from chain.certificate import Certificate, VoteBody, hash_certificate
from chain.errors import InvariantViolation
from chain.types import Hash, Height, View
from consensus import inbox, rules
from consensus.effects import (
    BuildBlock,
    CheckBlock,
    FetchBlock,
    KeepBlock,
    KeepPrepared,
    LeaveQuarantine,
    SignRequest,
)
from consensus.events import BlockContent
from consensus.guard_rules import get_position
from consensus.messages import (
    UNSIGNED,
    Activity,
    Commit,
    NewView,
    NewViewBody,
    OwnMessage,
    Prepare,
    Proposal,
    ViewChange,
    ViewChangeBody,
    hash_prepared,
    hash_view_change,
)
from consensus.state import NO_VIEW, Check, Justification, State, build_proposal_slot, put
from consensus.turn import Turn

ROUNDS_MAX = 8
"""One event triggers a short chain of rules; a longer one is a loop of ours."""


def drive(turn: Turn) -> None:
    """Apply every rule that is due; the order is that of the positions they sign."""
    for _ in range(ROUNDS_MAX):
        before = turn.state
        _begin_voting(turn)
        if turn.state.certified is not None:
            return
        _join(turn)
        if turn.state.activity is Activity.VOTING:
            _sign_view_change(turn)
            _sign_new_view(turn)
            _propose(turn)
        _check_proposal(turn)
        if turn.state.activity is Activity.VOTING:
            _prepare(turn)
            _commit(turn)
        if turn.state is before:
            return
    raise InvariantViolation("the rules of consensus do not come to rest")


def compute_parent_certificate(state: State) -> Certificate:
    """Return the C(head) that a block built now embeds: every COMMIT held for the head in its highest view
    (E1)."""
    return state.head_certificate


def propose_built(turn: Turn, height: Height, view: View, content: BlockContent) -> None:
    """Ask to sign PROPOSAL and PREPARE for the fresh block that the runtime built and executed (E1, E2)."""
    state = turn.state
    if height != state.height or view != state.building:
        return
    turn.state = state = replace(state, building=NO_VIEW)
    if not is_free_to_propose(state) or rules.get_justification(state, view, content) in _NOT_FRESH:
        return
    _require_fits(state, view, content)
    _sign_proposal(turn, content)
    _sign_prepare(turn, content)


def is_free_to_propose(state: State) -> bool:
    """Tell whether I lead (h, v), have proposed nothing in it, and nothing was selected (E1)."""
    return (
        state.certified is None
        and state.activity is Activity.VOTING
        and state.is_normal
        and state.own_index is not None
        and state.asked.proposal < state.view
        and state.selected is None
        and rules.get_leader(state, state.view) == state.own_index
    )


def on_signed(turn: Turn, message: OwnMessage) -> None:
    """Count and send an own message, now that it is durable (design 1)."""
    state = turn.state
    if message.signer != state.own_index or message.body.height != state.height:
        return
    inbox.notice_signed(turn, message)
    turn.send_all(message)
    if turn.state.certified is not None:
        return
    match message:
        case ViewChange():
            slots = put(turn.state.view_changes, message.signer, message)
            turn.state = replace(turn.state, view_changes=slots)
        case NewView():
            if message.body.view == turn.state.view and not turn.state.is_normal:
                inbox.install(turn, message, is_own=True)
        case Proposal():
            if message.body.view == turn.state.view:
                is_checked = turn.state.asked.prepare == turn.state.view
                slot = build_proposal_slot(message, holders=(message.signer,), is_checked=is_checked)
                turn.state = replace(turn.state, proposal=slot)
        case Prepare() | Commit():
            inbox.keep_vote(turn, message)


def _begin_voting(turn: Turn) -> None:
    """Leave the start, or the quarantine, when enough others have answered my nonce (consensus 7)."""
    state = turn.state
    if state.own_index is None:
        return
    if not state.is_started:
        others = (peer for index, peer in enumerate(state.peers) if index != state.own_index)
        if sum(peer.has_answered for peer in others) < state.quorum - 1:
            return
        turn.state = state = replace(state, is_started=True)
        turn.is_view_timer_reset = True
    if state.quarantine is None:
        return
    end = rules.compute_rejoin_height(state) if state.is_rejoining else rules.compute_quarantine_end(state)
    if end is None or state.height < end or state.certified is not None:
        return
    turn.state = replace(
        state,
        quarantine=None,
        is_rejoining=False,
        # The guard begins anew and wants a PREPARE before a COMMIT; nothing else that I know of is forgotten.
        asked=replace(state.asked, prepare=state.asked.commit),
        mark=max(state.mark, (state.height, 0, -1)),
    )
    turn.persist.append(LeaveQuarantine(height=state.height))


def _join(turn: Turn) -> None:
    """E6: when f+1 want a higher view than mine, go there."""
    wanted = rules.compute_wanted_view(turn.state)
    if wanted > turn.state.view:
        inbox.enter_view(turn, wanted, is_normal=False)


def _sign_view_change(turn: Turn) -> None:
    """E5, E6: while changing, sign VIEW-CHANGE(h, v) once, with the P that I am bound to."""
    state = turn.state
    own = state.own_index
    if state.is_normal or own is None or state.asked.view_change >= state.view:
        return
    prepared = rules.get_prepared_to_show(state)
    body = ViewChangeBody(
        version=state.head.version,
        height=state.height,
        view=state.view,
        certificate_hash=hash_certificate(state.head_certificate),
        prepared_hash=hash_prepared(prepared),
    )
    turn.state = replace(state, asked=replace(state.asked, view_change=state.view))
    _ask(
        turn,
        ViewChange(
            body=body,
            signer=own,
            signature=UNSIGNED,
            certificate=state.head_certificate,
            prepared=prepared,
        ),
    )


def _sign_new_view(turn: Turn) -> None:
    """E7: the leader in changing(v) with Q VIEW-CHANGEs for exactly (h, v) signs NEW-VIEW once."""
    state = turn.state
    own = state.own_index
    if state.is_normal or own is None or state.asked.new_view >= state.view:
        return
    chosen = tuple(rules.get_countable(state)[: state.quorum])
    if len(chosen) < state.quorum or rules.get_leader(state, state.view) != own:
        return
    body = NewViewBody(
        version=state.head.version,
        height=state.height,
        view=state.view,
        view_change_hashes=tuple(hash_view_change(item) for item in chosen),
    )
    turn.state = replace(state, asked=replace(state.asked, new_view=state.view))
    _ask(turn, NewView(body=body, signer=own, signature=UNSIGNED, view_changes=chosen))


def _propose(turn: Turn) -> None:
    """E1: propose what the NEW-VIEW selected, or have a fresh block built when there is a reason for
    one."""
    state = turn.state
    if state.selected is not None:
        _propose_selected(turn)
        return
    if state.building == state.view or state.is_build_paused or not is_free_to_propose(state):
        return
    if not (state.has_transactions or state.is_idle_over):
        return
    if state.new_view is None and (state.head_certificate.view != state.view or rules.has_signed_commit(state)):
        return  # neither J1 nor J2 could justify it; the view timer goes on
    turn.state = replace(state, building=state.view)
    turn.build = BuildBlock(
        height=state.height,
        view=state.view,
        allow_empty=state.is_idle_over,
        parent_certificate=compute_parent_certificate(state),
    )


def _propose_selected(turn: Turn) -> None:
    """E1: propose exactly the selected block, fetched by its hash from a signer of P if I lack it."""
    state = turn.state
    selected, own = state.selected, state.own_index
    if selected is None or not state.is_normal or own is None or state.asked.proposal >= state.view:
        return
    if rules.get_leader(state, state.view) != own:
        return
    block_hash = Hash(selected.block_hash)
    content = state.locked_content
    if content is not None and content.block_hash == block_hash:
        _sign_proposal(turn, content)
        return
    if state.fetching != block_hash:
        turn.state = replace(state, fetching=block_hash)
        holders = tuple(index for index, _ in selected.votes if index != own)
        turn.sync.append(FetchBlock(height=state.height, block_hash=block_hash, holders=holders))


def on_block_fetched(turn: Turn, content: BlockContent) -> None:
    """E1: go on with the selected block, now that it is here."""
    state = turn.state
    if state.certified is not None or state.fetching != content.block_hash:
        return
    turn.state = replace(state, fetching=None)
    selected, own = state.selected, state.own_index
    if selected is None or selected.block_hash != content.block_hash or not state.is_normal:
        return
    if state.activity is not Activity.VOTING or state.asked.proposal >= state.view:
        return
    if rules.get_leader(state, state.view) == own:
        _sign_proposal(turn, content)


def _check_proposal(turn: Turn) -> None:
    """E2: have a justified block validated and executed, with the fresh line unless it was selected."""
    state = turn.state
    slot = state.proposal
    if slot is None or slot.check is not Check.NOT_ASKED or state.own_index is None:
        return
    if state.asked.prepare >= slot.view:
        return
    justification = rules.get_justification(state, slot.view, slot.content)
    if justification is None:
        return
    is_fresh = justification is not Justification.SELECTED
    leader = rules.get_leader(state, slot.view)
    if is_fresh and slot.content.header.proposer != state.validators[leader].key:
        turn.state = replace(state, proposal=None, refused=slot.view)
        turn.note("proposal_invalid", leader, "a fresh block of another proposer")
        return
    turn.state = replace(state, proposal=replace(slot, check=Check.ASKED, is_fresh=is_fresh))
    turn.check.append(
        CheckBlock(
            height=state.height,
            view=slot.view,
            block_hash=slot.content.block_hash,
            is_fresh=is_fresh,
            content=slot.content,
            holders=slot.holders,
        )
    )


def _prepare(turn: Turn) -> None:
    """E2: PREPARE a valid and justified block, once in a view."""
    state = turn.state
    slot = state.proposal
    if slot is None or slot.check is not Check.VALID or state.asked.prepare >= slot.view:
        return
    justification = rules.get_justification(state, slot.view, slot.content)
    if justification is None or slot.is_fresh is (justification is Justification.SELECTED):
        return
    _sign_prepare(turn, slot.content)


def _commit(turn: Turn) -> None:
    """E3: COMMIT x at (h, v) when I signed PREPARE x there and hold P(h, v, x)."""
    state = turn.state
    own = state.own_index
    if not state.is_normal or own is None or state.asked.commit >= state.view:
        return
    mine = state.prepares[own]
    if mine is None or mine.body.view != state.view:
        return
    prepared = rules.find_prepared(state, Hash(mine.body.block_hash))
    if prepared is None:
        return
    content = _find_content(state, Hash(mine.body.block_hash))
    turn.persist.append(KeepPrepared(prepared=prepared))
    turn.state = replace(
        state,
        locked=prepared,
        locked_content=content,
        asked=replace(state.asked, commit=state.view),
    )
    _ask(turn, Commit(body=mine.body, signer=own, signature=UNSIGNED))


def _find_content(state: State, block_hash: Hash) -> BlockContent | None:
    """Return what a block lists if I know it to be true: after a restart a copy may be one that I never
    checked."""
    slot, kept = state.proposal, state.locked_content
    if slot is not None and slot.check is Check.VALID and slot.content.block_hash == block_hash:
        return slot.content
    return kept if kept is not None and kept.block_hash == block_hash else None


def _sign_proposal(turn: Turn, content: BlockContent) -> None:
    state = turn.state
    own = state.own_index
    if own is None:
        return
    turn.state = replace(state, asked=replace(state.asked, proposal=state.view))
    _ask(
        turn,
        Proposal(
            body=_vote_body(state, content),
            signer=own,
            signature=UNSIGNED,
            header=content.header,
            parent_certificate=content.parent_certificate,
            items=content.items,
        ),
    )


def _sign_prepare(turn: Turn, content: BlockContent) -> None:
    state = turn.state
    own = state.own_index
    if own is None:
        return
    turn.persist.append(KeepBlock(content=content))
    turn.state = replace(state, is_normal=True, asked=replace(state.asked, prepare=state.view))
    _ask(turn, Prepare(body=_vote_body(state, content), signer=own, signature=UNSIGNED))


def _vote_body(state: State, content: BlockContent) -> VoteBody:
    return VoteBody(version=state.head.version, height=state.height, view=state.view, block_hash=content.block_hash)


def _require_fits(state: State, view: View, content: BlockContent) -> None:
    """Check my own block as others will, before I sign it (pitfalls C16)."""
    header, certificate = content.header, content.parent_certificate
    fits = (
        header.height == state.height
        and header.version == state.head.version
        and header.parent_hash == rules.get_head_hash(state)
        and header.proposer == state.config.key
        and header.parent_certificate_hash == hash_certificate(certificate)
        and rules.is_head_certificate(state, certificate)
        and rules.is_view_related(state, certificate, view)
    )
    if not fits:
        raise InvariantViolation("the runtime built a block that does not fit the head")


def _ask(turn: Turn, message: OwnMessage) -> None:
    """Ask the guard; from here on the mark stands, whatever happens to the signature."""
    turn.state = replace(turn.state, mark=get_position(message))
    turn.persist.append(SignRequest(message=message))


_NOT_FRESH = (None, Justification.SELECTED)
