"""What /v1/consensus shows: where this node stands and whose vote it waits for."""

from collections.abc import Sequence

from msgspec import Struct

from chain.codec import encode
from chain.types import Height, View
from consensus import rules, timing
from consensus.messages import Activity, Commit, OwnMessage, Prepare, ViewChange, get_kind
from consensus.state import NO_VIEW, TIMERS, State


class RunningTimer(Struct, frozen=True):
    """One timer that runs."""

    name: str
    remaining_ms: int


class PeerView(Struct, frozen=True):
    """What one validator says of itself; claims, not facts."""

    index: int
    organisation: str
    is_connected: bool
    is_self: bool
    head: int | None
    """Height of its head; None if it has not said."""
    view: int
    is_normal: bool
    wants: int
    activity: str


class Description(Struct, frozen=True):
    """The present state of agreement, for people and monitors."""

    height: Height
    """The height that is being decided."""
    view: View
    mode: str
    """normal or changing."""
    activity: str
    """starting, voting, quarantined or following."""
    quarantine: str | None
    phase: str
    """idle, waiting_for_proposal, checking, preparing, committing, writing, changing, starting or
    quarantined."""
    leader: int
    leader_organisation: str
    is_leader: bool
    quorum: int
    validators: int
    block_hash: bytes | None
    """The block under way; None if there is none."""
    missing: tuple[int, ...]
    """Validators whose vote or answer the phase waits for and does not hold."""
    missing_organisations: tuple[str, ...]
    wants: View
    skipped: tuple[str, ...]
    """Organisations that may not lead for some turns."""
    timers: tuple[RunningTimer, ...]
    peers: tuple[PeerView, ...]


def describe(state: State, *, now_ms: int) -> Description:
    """Return what there is to show; `now_ms` is the clock of the events."""
    leader = rules.get_leader(state, state.view)
    phase, missing = _compute_phase(state, leader)
    validators = state.validators
    return Description(
        height=state.height,
        view=state.view,
        mode="normal" if state.is_normal else "changing",
        activity=state.activity.name.lower(),
        quarantine=state.quarantine,
        phase=phase,
        leader=leader,
        leader_organisation=validators[leader].organisation,
        is_leader=leader == state.own_index,
        quorum=state.quorum,
        validators=state.n,
        block_hash=_get_block_hash(state),
        missing=missing,
        missing_organisations=tuple(validators[index].organisation for index in missing),
        wants=state.wants,
        skipped=_list_skipped(state),
        timers=_list_timers(state, now_ms),
        peers=_list_peers(state),
    )


def _compute_phase(state: State, leader: int) -> tuple[str, tuple[int, ...]]:
    """Return the phase and who is missing for the next one."""
    others = [index for index in range(state.n) if index != state.own_index]
    if state.certified is not None:
        return "writing", ()
    if state.activity is Activity.QUARANTINED:
        return "quarantined", tuple(index for index in others if state.peers[index].answered_head < 0)
    if state.activity is Activity.STARTING:
        return "starting", tuple(index for index in others if not state.peers[index].has_answered)
    if not state.is_normal:
        return "changing", _list_missing(state, state.view_changes)
    if state.asked.commit >= state.view > NO_VIEW:
        return "committing", _list_missing(state, state.commits)
    if state.asked.prepare >= state.view:
        return "preparing", _list_missing(state, state.prepares)
    if state.proposal is not None:
        return "checking", ()
    if not timing.has_work(state):
        return "idle", ()
    return "waiting_for_proposal", (leader,)


def _list_missing(state: State, slots: Sequence[ViewChange | Prepare | Commit | None]) -> tuple[int, ...]:
    return tuple(index for index, message in enumerate(slots) if message is None or message.body.view != state.view)


def _get_block_hash(state: State) -> bytes | None:
    if state.certified is not None:
        return state.certified.block_hash
    if state.proposal is not None:
        return state.proposal.content.block_hash
    return None if state.selected is None else state.selected.block_hash


def _list_skipped(state: State) -> tuple[str, ...]:
    names = {validator.key: validator.organisation for validator in state.validators}
    return tuple(names[skip.key] for skip in state.head.skips if skip.key in names)


def _list_timers(state: State, now_ms: int) -> tuple[RunningTimer, ...]:
    return tuple(
        RunningTimer(name=name.value, remaining_ms=max(timer.due_ms - now_ms, 0))
        for name, timer in zip(TIMERS, state.timers, strict=True)
        if timer.is_armed
    )


def _list_peers(state: State) -> tuple[PeerView, ...]:
    peers = []
    for index, peer in enumerate(state.peers):
        is_self = index == state.own_index
        peers.append(
            PeerView(
                index=index,
                organisation=state.validators[index].organisation,
                is_connected=is_self or peer.is_connected,
                is_self=is_self,
                head=state.height - 1 if is_self else (peer.head if peer.head >= 0 else None),
                view=state.view if is_self else peer.view,
                is_normal=state.is_normal if is_self else peer.is_normal,
                wants=state.wants if is_self else max(peer.wants, peer.signed_view),
                activity=(state.activity if is_self else peer.activity).name.lower(),
            )
        )
    return tuple(peers)


def describe_signed(message: OwnMessage) -> str:
    """Return what proves a signature, and no more: kind, signed body and signature in hex.

    What a message carries besides may be a megabyte of a liar's choice at every height.
    """
    return f"{get_kind(message).name} {encode(message.body).hex()} {bytes(message.signature).hex()}"
