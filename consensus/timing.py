"""The timers of consensus 6: which must run now, and what their end means.

`update_timers` compares what should be armed with what is, after every event; a timer that is set anew
gets a new token, so an expiry under way is stale (pitfalls C7, C8).
"""

from msgspec.structs import replace

from chain.types import View
from consensus import rules
from consensus.effects import CancelTimer, SetTimer
from consensus.events import TimerId
from consensus.state import NO_VIEW, TIMERS, State, Timer
from consensus.status import broadcast_status
from consensus.turn import Turn

_PLACES = {timer: place for place, timer in enumerate(TIMERS)}
_DOUBLINGS_MAX = 20
"""Beyond it every duration is the cap."""


def get_timer(state: State, timer: TimerId) -> Timer:
    """Return one timer."""
    return state.timers[_PLACES[timer]]


def compute_view_timeout(state: State) -> int:
    """Return min(base * 2^(v - u), cap) in ms, u the view of my C(h-1)."""
    doublings = min(max(state.view - state.head_certificate.view, 0), _DOUBLINGS_MAX)
    return min(state.head.pace.view_base_ms << doublings, state.head.pace.view_cap_ms)


def has_work(state: State) -> bool:
    """Tell whether the present view owes a block."""
    return state.has_transactions or state.asked.prepare != NO_VIEW or state.is_idle_over


def is_view_timer_due(state: State) -> bool:
    """Tell whether the view timer must run (consensus 6)."""
    if state.certified is not None or not state.is_started or state.own_index is None:
        return False
    if state.is_normal:
        return has_work(state)
    return state.wants >= state.view and rules.count_wanting(state, state.view) >= state.quorum


def compute_lost_leader(state: State) -> int:
    """Return the leader of the present view if its connection was lost and I still put up with it, else
    -1."""
    if state.certified is not None or not state.is_started or state.own_index is None:
        return -1
    if state.wants > state.view:
        return -1
    leader = rules.get_leader(state, state.view)
    peer = state.peers[leader]
    is_lost = leader != state.own_index and peer.was_connected and not peer.is_connected
    return leader if is_lost else -1


def update_timers(turn: Turn) -> None:
    """Arm, rearm and cancel so that exactly the timers run that should."""
    state = turn.state
    if turn.is_view_timer_reset and state.is_view_timer_spent:
        turn.state = state = replace(state, is_view_timer_spent=False)
    is_due = is_view_timer_due(state) and not state.is_view_timer_spent
    is_armed = get_timer(state, TimerId.VIEW).is_armed
    if is_due and (turn.is_view_timer_reset or not is_armed):
        set_timer(turn, TimerId.VIEW, compute_view_timeout(state))
    elif is_armed and not is_due:
        cancel_timer(turn, TimerId.VIEW)
    _update_lost_leader(turn)
    _update_status(turn)


def on_timer(turn: Turn, timer: TimerId, token: int) -> None:
    """Act on the end of a timer; a stale one does nothing."""
    state = turn.state
    current = get_timer(state, timer)
    if not current.is_armed or current.token != token:
        return
    _keep(turn, timer, replace(current, is_armed=False))
    match timer:
        case TimerId.VIEW:
            turn.state = replace(turn.state, is_view_timer_spent=True)
            want_next(turn)
        case TimerId.LEADER_LOST:
            want_next(turn)
        case TimerId.IDLE:
            pass  # update_idle looks at the wall clock, which may have been set back
        case TimerId.STATUS:
            turn.state = replace(turn.state, is_build_paused=False)
            broadcast_status(turn)


def want_next(turn: Turn) -> None:
    """Set wants := v + 1; a wish, and I keep voting in v (E6)."""
    state = turn.state
    if state.certified is None and state.own_index is not None:
        turn.state = replace(state, wants=max(state.wants, View(state.view + 1)))


def set_timer(turn: Turn, timer: TimerId, duration_ms: int) -> None:
    """Start a timer with a new token."""
    token = get_timer(turn.state, timer).token + 1
    _keep(turn, timer, Timer(token=token, is_armed=True, due_ms=turn.now_ms + duration_ms))
    turn.timers.append(SetTimer(timer=timer, token=token, duration_ms=duration_ms))


def cancel_timer(turn: Turn, timer: TimerId) -> None:
    """Stop a timer."""
    current = get_timer(turn.state, timer)
    if current.is_armed:
        _keep(turn, timer, replace(current, is_armed=False))
        turn.timers.append(CancelTimer(timer=timer))


def update_idle(turn: Turn) -> None:
    """Find out when the head is as old as the idle interval, by wall time (consensus 4)."""
    state = turn.state
    if state.is_idle_over or state.certified is not None:
        cancel_timer(turn, TimerId.IDLE)
        return
    remaining_ms = state.head.wall_ms + state.head.pace.idle_interval_ms - turn.wall_ms
    if remaining_ms <= 0:
        cancel_timer(turn, TimerId.IDLE)
        turn.state = replace(turn.state, is_idle_over=True, is_build_paused=False)
    elif not get_timer(state, TimerId.IDLE).is_armed:
        set_timer(turn, TimerId.IDLE, remaining_ms)


def _update_lost_leader(turn: Turn) -> None:
    """Time the loss of the connection to leader(h, v)."""
    lost = compute_lost_leader(turn.state)
    if lost == turn.state.lost_leader and (lost < 0 or get_timer(turn.state, TimerId.LEADER_LOST).is_armed):
        return
    turn.state = replace(turn.state, lost_leader=lost)
    if lost < 0:
        cancel_timer(turn, TimerId.LEADER_LOST)
    else:
        set_timer(turn, TimerId.LEADER_LOST, turn.state.config.leader_lost_ms)


def _update_status(turn: Turn) -> None:
    """Keep the STATUS timer running: at the interval, or sooner when my position changed."""
    state = turn.state
    config = state.config
    due_ms = state.status_ms + (config.status_gap_ms if state.is_status_due else config.status_interval_ms)
    current = get_timer(state, TimerId.STATUS)
    if not current.is_armed or due_ms < current.due_ms:
        set_timer(turn, TimerId.STATUS, max(due_ms - turn.now_ms, 0))


def _keep(turn: Turn, timer: TimerId, value: Timer) -> None:
    place = _PLACES[timer]
    timers = turn.state.timers
    turn.state = replace(turn.state, timers=(*timers[:place], value, *timers[place + 1 :]))
