from consensus.describe import describe
from consensus.events import TimerId
from consensus.messages import Commit, Prepare, Proposal, Status
from tests.simulator.cluster import Cluster


def test_phase_and_missing_votes_follow_a_block() -> None:
    cluster = Cluster(4)
    shown = describe(cluster.state(1), now_ms=cluster.world.now_ms)
    assert (shown.phase, shown.missing, shown.height, shown.view, shown.leader) == ("idle", (), 1, 0, 0)
    cluster.submit(b"a", to=[1])
    assert describe(cluster.state(1), now_ms=0).phase == "waiting_for_proposal"
    cluster.submit(b"a", to=[0])
    cluster.deliver(Proposal, to=[1])
    shown = describe(cluster.state(1), now_ms=0)
    assert (shown.phase, shown.missing) == ("preparing", (0, 2, 3))
    cluster.deliver(Proposal)
    cluster.deliver(Prepare)
    shown = describe(cluster.state(1), now_ms=0)
    assert (shown.phase, shown.missing) == ("committing", (0, 2, 3))
    assert shown.missing_organisations == ("org-0", "org-2", "org-3")
    cluster.deliver(Commit)
    assert describe(cluster.state(1), now_ms=0).height == 2


def test_two_of_four_dead_are_named_as_missing() -> None:
    cluster = Cluster(4)
    for index in (2, 3):
        cluster[index].crash()
    cluster.submit(b"a", to=[0, 1])
    cluster.settle()
    cluster.deliver((Proposal, Prepare))
    shown = describe(cluster.state(0), now_ms=0)
    assert (shown.phase, shown.missing) == ("preparing", (2, 3))
    assert [peer.is_connected for peer in shown.peers] == [True, True, False, False]


def test_changing_names_who_has_sent_no_view_change() -> None:
    cluster = Cluster(4)
    cluster.move_to(1, [0])
    shown = describe(cluster.state(0), now_ms=0)
    assert (shown.mode, shown.phase, shown.missing, shown.leader) == ("changing", "changing", (1, 2, 3), 1)


def test_start_and_quarantine_are_shown_with_their_reason() -> None:
    cluster = Cluster(4)
    cluster[1].crash()
    cluster[1].disk.guard = None
    cluster[1].boot()
    shown = describe(cluster.state(1), now_ms=0)
    assert (shown.activity, shown.phase) == ("quarantined", "quarantined")
    assert shown.quarantine == "the guard is missing"
    cluster[2].crash()
    cluster[2].boot()
    shown = describe(cluster.state(2), now_ms=0)
    assert (shown.activity, shown.phase, shown.missing) == ("starting", "starting", (0, 1, 3))


def test_running_timers_and_wishes_are_shown() -> None:
    cluster = Cluster(4)
    cluster.submit(b"a", to=[1])
    shown = describe(cluster.state(1), now_ms=cluster.world.now_ms)
    names = {timer.name for timer in shown.timers}
    assert {"view", "status"} <= names
    cluster.expire(1, TimerId.VIEW)
    cluster.deliver(Status)
    shown = describe(cluster.state(0), now_ms=0)
    assert [peer.wants for peer in shown.peers] == [0, 1, 0, 0]
