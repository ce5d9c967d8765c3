"""The timers of consensus 6: what arms them, how long they run, what resets them."""

import pytest
from msgspec.structs import replace

from chain.types import View
from consensus.config import Pace
from consensus.core import step
from consensus.effects import CancelTimer, SetTimer
from consensus.events import PeerDown, PeerUp, PoolChanged, RequestOverdue, TimerExpired, TimerId
from consensus.messages import Complaint, NewView, Status, ViewChange
from consensus.state import State
from consensus.timing import compute_view_timeout, get_timer
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS


def is_armed(state: State, timer: TimerId = TimerId.VIEW) -> bool:
    return get_timer(state, timer).is_armed


def pool(state: State, *, has_transactions: bool, now_ms: int = 1_000) -> State:
    state, _ = step(state, PoolChanged(has_transactions, now_ms, EPOCH_MS + now_ms))
    return state


def expire(state: State, timer: TimerId, now_ms: int = 3_000) -> State:
    token = get_timer(state, timer).token
    state, _ = step(state, TimerExpired(timer, token, now_ms, EPOCH_MS + now_ms))
    return state


# --- the view timer ---


def test_view_timer_runs_in_normal_mode_only_when_there_is_work() -> None:
    state = Cluster(4).state(1)
    assert not is_armed(state)
    state = pool(state, has_transactions=True)
    assert is_armed(state)
    assert not is_armed(pool(state, has_transactions=False))


def test_p18_idle_interval_arms_the_view_timer_of_every_node() -> None:
    state = Cluster(4).state(1)
    state = replace(state, head=replace(state.head, pace=Pace(idle_interval_ms=2_000)))
    state, effects = step(state, PoolChanged(has_transactions=False, now_ms=2_000, wall_ms=EPOCH_MS + 2_000))
    assert is_armed(state)
    assert any(isinstance(timer, SetTimer) and timer.timer is TimerId.VIEW for timer in effects.timers)


def test_prepare_at_this_height_arms_the_view_timer_of_an_empty_pool() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[0])
    cluster.deliver()
    assert cluster[1].head.height == 1
    cluster.submit(b"b", to=[0])
    assert not is_armed(cluster.state(1))
    cluster.drop(Status)
    state = cluster.state(1)
    assert not state.has_transactions
    cluster.deliver(to=[1])
    assert cluster.state(1).asked.prepare == 0
    assert is_armed(cluster.state(1))


def test_changing_arms_the_view_timer_only_when_a_quorum_wants_the_view() -> None:
    """P14: two who change alone must not run ahead of the others."""
    cluster = Cluster(4)
    node = cluster[0]
    node.receive(1, cluster.build_status(0, 1, wants=1))
    node.receive(2, cluster.build_status(0, 2, wants=1))
    state = cluster.state(0)
    assert not state.is_normal
    assert is_armed(state)  # 0, 1 and 2: a quorum, me included
    small = Cluster(7)
    for other in (1, 2, 3):
        small[0].receive(other, small.build_status(0, other, wants=1))
    assert not small.state(0).is_normal
    assert not is_armed(small.state(0))
    small[0].receive(4, small.build_status(0, 4, wants=1))
    assert is_armed(small.state(0))


@pytest.mark.parametrize(
    ("view", "certified", "duration"),
    [(0, 0, 1_500), (1, 0, 3_000), (2, 0, 6_000), (3, 0, 8_000), (90, 0, 8_000), (5, 5, 1_500), (6, 5, 3_000)],
)
def test_c13_view_timer_doubles_with_the_distance_from_the_last_certificate_up_to_the_cap(
    view: int, certified: int, duration: int
) -> None:
    state = Cluster(4).state(0)
    certificate = replace(state.head_certificate, view=certified)
    assert compute_view_timeout(replace(state, view=View(view), head_certificate=certificate)) == duration


def test_expiry_sets_wants_and_is_told() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[1])
    cluster.drop()
    cluster.expire(1)
    state = cluster.state(1)
    assert (state.view, state.wants, state.is_normal) == (0, 1, True)
    assert not is_armed(state)


def test_stale_expiry_is_ignored() -> None:
    state = pool(Cluster(4).state(1), has_transactions=True)
    token = get_timer(state, TimerId.VIEW).token
    state = pool(pool(state, has_transactions=False), has_transactions=True)
    after, _ = step(state, TimerExpired(TimerId.VIEW, token, 2_600, EPOCH_MS + 2_600))
    assert after.wants == 0
    after = expire(state, TimerId.VIEW, 2_600)
    assert after.wants == 1


def test_commit_resets_the_view_timer() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", b"b", b"c", b"d")
    token = get_timer(cluster.state(1), TimerId.VIEW).token
    cluster.expire(1)
    assert cluster.state(1).wants == 1
    cluster.deliver()
    state = cluster.state(1)
    assert state.height >= 2
    assert state.wants == 0
    assert get_timer(state, TimerId.VIEW).token > token


def test_p20_installed_view_resets_the_view_timer() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[3])
    cluster.move_to(1, [0, 1, 2])
    cluster.deliver(ViewChange, to=[1])
    token = get_timer(cluster.state(3), TimerId.VIEW).token
    cluster.deliver(NewView, to=[3])
    state = cluster.state(3)
    assert is_armed(state)
    assert get_timer(state, TimerId.VIEW).token > token
    assert get_timer(state, TimerId.VIEW).due_ms - cluster.world.now_ms > 2_000


def test_connected_validators_that_rise_to_a_quorum_reset_the_view_timer() -> None:
    state = pool(Cluster(4).state(1), has_transactions=True)
    for peer in (0, 2, 3):
        state, _ = step(state, PeerDown(peer, 2_000, EPOCH_MS + 2_000))
    state, _ = step(state, PeerUp(2, 2_100, EPOCH_MS + 2_100))
    before = get_timer(state, TimerId.VIEW)
    state, _ = step(state, PeerUp(3, 2_200, EPOCH_MS + 2_200))
    after = get_timer(state, TimerId.VIEW)
    assert after.token > before.token
    assert after.due_ms == 2_200 + 1_500
    state, _ = step(state, PeerUp(0, 2_300, EPOCH_MS + 2_300))
    assert get_timer(state, TimerId.VIEW) == after


def test_certified_height_stops_the_view_timer() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a")
    cluster.deliver((ViewChange,))
    assert is_armed(cluster.state(1))
    state = replace(cluster.state(1), certified=cluster.state(1).head_certificate)
    state, effects = step(state, PoolChanged(has_transactions=True, now_ms=9_000, wall_ms=EPOCH_MS + 9_000))
    assert not is_armed(state)
    assert CancelTimer(TimerId.VIEW) in effects.timers


# --- a lost leader ---


def test_leader_lost_for_three_hundred_milliseconds_makes_me_want_the_next_view() -> None:
    state = Cluster(4).state(1)
    state, effects = step(state, PeerDown(0, 2_000, EPOCH_MS + 2_000))
    assert SetTimer(TimerId.LEADER_LOST, get_timer(state, TimerId.LEADER_LOST).token, 300) in effects.timers
    assert state.wants == 0
    assert expire(state, TimerId.LEADER_LOST, 2_300).wants == 1


def test_leader_that_comes_back_in_time_is_put_up_with() -> None:
    state = Cluster(4).state(1)
    state, _ = step(state, PeerDown(0, 2_000, EPOCH_MS + 2_000))
    state, effects = step(state, PeerUp(0, 2_200, EPOCH_MS + 2_200))
    assert CancelTimer(TimerId.LEADER_LOST) in effects.timers
    assert expire(state, TimerId.LEADER_LOST, 2_300).wants == 0


def test_lost_follower_is_no_reason() -> None:
    state = Cluster(4).state(1)
    state, _ = step(state, PeerDown(2, 2_000, EPOCH_MS + 2_000))
    assert not is_armed(state, TimerId.LEADER_LOST)


def test_leader_never_seen_is_not_lost() -> None:
    """C10: at a cold start the others may take seconds to come up; the view timer is for them."""
    state = Cluster(4).state(1)
    unseen = replace(state.peers[0], is_connected=False, was_connected=False)
    state = replace(state, peers=(unseen, *state.peers[1:]))
    state = pool(state, has_transactions=True)
    assert not is_armed(state, TimerId.LEADER_LOST)
    assert is_armed(state)


# --- the request timer ---


def overdue(leader: int) -> RequestOverdue:
    return RequestOverdue(leader=leader, tx_ids=(bytes(32),), now_ms=5_000, wall_ms=EPOCH_MS + 5_000)


def test_p17_passed_over_transaction_makes_me_want_the_next_view_and_tell_the_others() -> None:
    state = Cluster(4).state(1)
    state, effects = step(state, overdue(0))
    assert state.wants == 1
    told = [send for send in effects.send if isinstance(send.message, Complaint)]
    assert [(send.to, send.message) for send in told] == [(None, Complaint(height=1, view=0, tx_ids=(bytes(32),)))]


def test_complaint_about_a_former_leader_or_myself_is_none() -> None:
    state = Cluster(4).state(1)
    assert step(state, overdue(2))[0].wants == 0
    assert step(Cluster(4).state(0), overdue(0))[0].wants == 0


def test_p17_complaint_of_one_changes_nothing_and_of_two_changes_the_leader() -> None:
    cluster = Cluster(4)
    cluster.drop()
    cluster[1].feed(overdue(0))
    cluster.deliver()
    assert [cluster.state(index).view for index in range(4)] == [0, 0, 0, 0]
    cluster[2].feed(overdue(0))
    cluster.deliver()
    assert [cluster.state(index).view for index in range(4)] == [1, 1, 1, 1]
    assert all(cluster.state(index).is_normal for index in range(4))
