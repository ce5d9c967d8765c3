"""The core: `begin` makes the state of a node, `step` takes it from one event to the next.

    event            what it does                                              rules
    Received         verify, keep in its slot                                  2, E4, E7, E8
    Checked          PREPARE the block, or drop it                             E2
    Built            PROPOSAL and PREPARE                                      E1
    Signed           count and send the own message                            7
    Committed        next height: follow its certificate, or VIEW-CHANGE       E5
    BlockFetched     propose the selected block                                E1
    TimerExpired     wants := v + 1, or STATUS                                 6, E6, E8
    RequestOverdue   wants := v + 1, tell the others                           6
    RejoinDeclared   end the quarantine at the head of the others              7
    PeerUp, PeerDown STATUS on connection; a lost leader; a risen quorum       6, E8
    PoolChanged      there is work, or none                                    6

After each event `voting.drive` applies E1 to E7 until nothing is due, `timing` adjusts the timers, and
STATUS tells what changed. Two events never interleave, so no timer and quorum can race (pitfalls P21, C7).
"""

from typing import assert_never

from msgspec.structs import replace

from chain.certificate import Certificate
from chain.types import Hash, View
from chain.validators import ValidatorSet
from consensus import inbox, restore, rules, status, timing, voting
from consensus.config import Config
from consensus.effects import Effects
from consensus.events import (
    BlockFetched,
    Built,
    Checked,
    Committed,
    Event,
    HeadInfo,
    NothingToBuild,
    PeerDown,
    PeerUp,
    PoolChanged,
    Received,
    RejoinDeclared,
    RequestOverdue,
    Signed,
    Start,
    TimerExpired,
    TimerId,
    Verdict,
)
from consensus.messages import (
    COMPLAINT_IDS_MAX,
    Commit,
    Complaint,
    NewView,
    Prepare,
    Proposal,
    Status,
    ViewChange,
)
from consensus.state import GUESTS_MAX, NO_VIEW, Check, Peer, State, build_empty_state
from consensus.turn import Turn
from consensus.voting import compute_parent_certificate

__all__ = ["begin", "compute_parent_certificate", "step"]


def begin(config: Config, start: Start) -> tuple[State, Effects]:
    """Return the state at start and its first effects: STATUS to all, timers, and nothing signed yet
    (consensus 7)."""
    turn = Turn(restore.build_state(config, start), now_ms=start.now_ms, wall_ms=start.wall_ms)
    turn.is_view_timer_reset = True
    return _finish(turn, None)


def step(state: State, event: Event) -> tuple[State, Effects]:
    """Return the state after one event and what the runtime has to do, in order."""
    turn = Turn(state, now_ms=event.now_ms, wall_ms=event.wall_ms)
    match event:
        case Received():
            _on_received(turn, event)
        case Checked():
            _on_checked(turn, event)
        case Built():
            voting.propose_built(turn, event.height, event.view, event.content)
        case NothingToBuild():
            if (event.height, event.view) == (state.height, state.building):
                turn.state = replace(state, building=NO_VIEW, is_build_paused=True, has_transactions=False)
        case Signed():
            voting.on_signed(turn, event.message)
        case Committed():
            _on_committed(turn, event)
        case BlockFetched():
            voting.on_block_fetched(turn, event.content)
        case TimerExpired():
            timing.on_timer(turn, event.timer, event.token)
        case PeerUp():
            _on_peer_up(turn, event.peer)
        case PeerDown():
            _on_peer_down(turn, event.peer)
        case PoolChanged():
            is_paused = state.is_build_paused and not event.has_transactions
            turn.state = replace(state, has_transactions=event.has_transactions, is_build_paused=is_paused)
        case RequestOverdue():
            _on_overdue(turn, event)
        case RejoinDeclared():
            turn.state = replace(state, is_rejoining=state.quarantine is not None)
        case _:
            assert_never(event)
    return _finish(turn, state)


def _finish(turn: Turn, before: State | None) -> tuple[State, Effects]:
    """Apply what is due, adjust the timers, and tell the others what changed."""
    timing.update_idle(turn)
    voting.drive(turn)
    after = turn.state
    if before is None or _is_urgent(before, after):
        status.broadcast_status(turn)
    elif before.mark != after.mark or before.height != after.height:
        if turn.now_ms - after.status_ms >= after.config.status_gap_ms:
            status.broadcast_status(turn)
        elif not after.is_status_due:
            turn.state = replace(after, is_status_due=True)
    timing.update_timers(turn)
    return turn.close()


def _is_urgent(before: State, after: State) -> bool:
    """Tell whether others must hear at once: where I am in views, what I want, whether I vote."""
    return (before.view, before.is_normal, before.wants, before.activity) != (
        after.view,
        after.is_normal,
        after.wants,
        after.activity,
    )


def _on_received(turn: Turn, event: Received) -> None:
    """Take in a message; of a guest only its STATUS means anything, and a vote of a validator that was removed
    counts for nothing."""
    if event.peer >= turn.state.n:
        if isinstance(event.message, Status):
            status.on_guest_status(turn, event.peer, event.message)
        elif not isinstance(event.message, Complaint):
            turn.note("message_of_guest", event.peer, "it is no validator of this height")
        return
    match event.message:
        case Status():
            status.on_status(turn, event.peer, event.message)
        case Complaint():
            pass  # the runtime forwards the transactions and starts its own request timers
        case ViewChange() | NewView() | Proposal() | Prepare() | Commit():
            inbox.on_signed_message(turn, event.peer, event.message)
        case _:
            assert_never(event.message)


def _on_checked(turn: Turn, event: Checked) -> None:
    """Take in the verdict on the proposal of my view; one on anything older means nothing any more."""
    state = turn.state
    slot = state.proposal
    if slot is None or state.certified is not None or slot.check is not Check.ASKED:
        return
    asked = (state.height, slot.view, slot.content.block_hash, slot.is_fresh)
    if asked != (event.height, event.view, event.block_hash, event.is_fresh):
        return
    match event.verdict:
        case Verdict.VALID:
            turn.state = replace(state, proposal=replace(slot, check=Check.VALID))
        case Verdict.INVALID:
            turn.state = replace(state, proposal=None, refused=slot.view)
            turn.note("proposal_invalid", slot.holders[0], event.reason)
        case Verdict.UNAVAILABLE:
            # Nothing is known about the block itself: drop this copy, and take none from this relayer
            # again.
            relayer = slot.holders[:-1]
            turn.state = replace(state, proposal=None, bad_relays=(*state.bad_relays, *relayer))
            turn.note("proposal_unavailable", slot.holders[0], event.reason)
        case _:
            assert_never(event.verdict)


def _on_committed(turn: Turn, event: Committed) -> None:
    """E5: the head is durable; drop the height, follow the view of its certificate or go on changing."""
    state = turn.state
    head = event.head
    height = head.certificate.height
    if height < state.height:
        return
    certified = state.certified
    is_same_height = certified is not None and certified.height == height
    if certified is not None and is_same_height and certified.block_hash != head.certificate.block_hash:
        inbox.stop(turn, f"two blocks are certified at height {height}")
        return
    certificate = _choose_certificate(state, head)
    view, is_normal = rules.compute_view_after_commit(state.view, View(certificate.view))
    is_same_set = head.validators == state.validators
    waiting = state.waiting if height == state.height and is_same_set else ()
    begun = build_empty_state(
        state.config,
        head,
        boot_id=state.boot_id,
        nonce=state.nonce,
        has_transactions=event.has_transactions,
        status_ms=state.status_ms,
    )
    # What outlives a height; all else of it is dropped.
    turn.state = replace(
        begun,
        head_certificate=certificate,
        view=view,
        is_normal=is_normal,
        wants=view,
        is_started=state.is_started,
        quarantine=state.quarantine,
        is_rejoining=state.is_rejoining,
        mark=state.mark,
        peers=_map_peers(state, head.validators),
        guests=state.guests if is_same_set else (),
        timers=state.timers,
        is_view_timer_spent=state.is_view_timer_spent,
        lost_leader=state.lost_leader,
        is_status_due=state.is_status_due,
    )
    timing.cancel_timer(turn, TimerId.IDLE)
    if not is_same_set:
        # The index that it was about may be another validator's now.
        timing.cancel_timer(turn, TimerId.LEADER_LOST)
        turn.state = replace(turn.state, lost_leader=-1)
    turn.is_view_timer_reset = True
    inbox.replay_waiting(turn, waiting)


def _choose_certificate(state: State, head: HeadInfo) -> Certificate:
    """Return the C(h) of the highest view that I hold, with every COMMIT of it."""
    certificate = head.certificate
    certified = state.certified
    if certified is not None and certificate.height == state.height and certified.view > certificate.view:
        certificate = certified
    if certificate.height != state.height:
        return certificate
    held = rules.build_certificate(state, View(certificate.view), Hash(certificate.block_hash)).votes
    named = [index for index, _ in certificate.votes]
    votes = tuple(sorted((*certificate.votes, *(vote for vote in held if vote[0] not in named))))
    return replace(certificate, votes=votes)


def _map_peers(state: State, validators: ValidatorSet) -> tuple[Peer, ...]:
    """Return what is known of each validator of the next set; who is new is not connected yet."""
    known = {validator.key: state.peers[index] for index, validator in enumerate(state.validators)}
    fresh = Peer()
    return tuple(
        replace(known[validator.key], is_distrusted=False, has_evidence=False, checks_spent=0)
        if validator.key in known
        else fresh
        for validator in validators
    )


def _on_peer_up(turn: Turn, index: int) -> None:
    """Note the session; a number of connected validators that rises to Q resets the view timer (consensus
    6)."""
    state = turn.state
    if index == state.own_index:
        return
    if index >= state.n:
        number = index - state.n
        if number not in state.guests and len(state.guests) < GUESTS_MAX:
            turn.state = replace(state, guests=tuple(sorted((*state.guests, number))))
        status.send_guest_status(turn, index, bytes(16))
        return
    before = len(state.connected)
    peer = replace(state.peers[index], is_connected=True, was_connected=True)
    turn.keep_peer(index, peer)
    others_needed = state.quorum - (state.own_index is not None)
    if before < others_needed <= len(turn.state.connected):
        turn.is_view_timer_reset = True
    status.send_status(turn, index)


def _on_peer_down(turn: Turn, index: int) -> None:
    """Note that a session is lost."""
    state = turn.state
    if index < state.n:
        turn.keep_peer(index, replace(state.peers[index], is_connected=False))
    else:
        guests = tuple(number for number in state.guests if number != index - state.n)
        turn.state = replace(state, guests=guests)


def _on_overdue(turn: Turn, event: RequestOverdue) -> None:
    """The leader passes transactions over: want the next view and tell the others which (consensus 6)."""
    state = turn.state
    if state.certified is not None or not state.is_started or not state.is_normal:
        return
    if event.leader == state.own_index or state.own_index is None:
        return
    if rules.get_leader(state, state.view) != event.leader:
        return
    timing.want_next(turn)
    ids = event.tx_ids[:COMPLAINT_IDS_MAX]
    turn.send_all(Complaint(height=state.height, view=state.view, tx_ids=ids))
