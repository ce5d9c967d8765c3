import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from p2p.config import MeshLimits, PeerEntry
from p2p.errors import ConfigurationError, RefusalReason
from p2p.events import FrameReceived, PeerDown, PeerUp
from p2p.frames import KIND_PING, KIND_REFUSE, FrameKind, Lane
from p2p.handshake import decode_refusal
from p2p.link import WRITE_BUFFER_BYTES_MAX, WRITE_CHUNK_BYTES
from p2p.mesh import Mesh
from tests.p2p.certificates import make_identity
from tests.p2p.network import (
    BLOCK,
    KINDS,
    LIMITS,
    VOTE,
    all_up,
    connect,
    copy_node,
    dial_by_hand,
    eventually,
    make_identity_where,
    make_node,
    make_pair,
    running,
)

# --- coming up ----------------------------------------------------------------------------------------------


async def test_mesh_of_four_comes_up_and_surfaces_each_boot_id(tmp_path: Path) -> None:
    nodes = [make_node(tmp_path, index) for index in range(4)]
    async with running(*nodes):
        await all_up(*nodes)
        for node in nodes:
            told = {up.index: (up.boot_id, up.wire_version, up.software) for up in node.get_ups()}
            assert told == {
                other.config.index: (other.boot_id, 1, other.config.software) for other in nodes if other is not node
            }
            # Two connections for each peer, not one more: the two sides never both dial.
            statistics = node.mesh.get_statistics()
            assert [peer.votes.connects for peer in statistics.peers] == [1, 1, 1]
            assert [peer.bulk.connects for peer in statistics.peers] == [1, 1, 1]
            assert not node.get_refusals()


async def test_broadcast_reaches_every_other_validator_in_order(tmp_path: Path) -> None:
    nodes = [make_node(tmp_path, index) for index in range(4)]
    async with running(*nodes):
        await all_up(*nodes)
        for number in range(100):
            assert nodes[0].mesh.broadcast(VOTE, number.to_bytes(2)) == 3
        for node in nodes[1:]:
            await eventually(lambda node=node: len(node.get_frames()) == 100)  # type: ignore[misc]
            assert node.get_frames() == [FrameReceived(0, VOTE, number.to_bytes(2)) for number in range(100)]
        assert not nodes[0].get_frames()


async def test_large_frames_and_empty_ones_arrive_whole(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        payloads = [bytes([number]) * (number * 399_999) for number in range(6)]
        for payload in payloads:
            assert a.mesh.send(1, BLOCK, payload)
            assert b.mesh.send(0, BLOCK, payload)
        for node in (a, b):
            await eventually(lambda node=node: len(node.get_frames()) == len(payloads))  # type: ignore[misc]
            assert [event.payload for event in node.get_frames()] == payloads


async def test_frames_queued_in_one_turn_are_written_together(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        before = a.mesh.get_statistics().peers[0].votes
        for number in range(500):
            assert a.mesh.send(1, VOTE, bytes([number % 256]))
        queued = a.mesh.get_statistics().peers[0].votes
        assert queued.frames_out == before.frames_out
        assert queued.queued_frames == 500
        a.mesh.flush()
        written = a.mesh.get_statistics().peers[0].votes
        assert (written.queued_frames, written.frames_out) == (0, before.frames_out + 500)
        await eventually(lambda: len(b.get_frames()) == 500)


async def test_small_frames_are_not_held_back_by_the_operating_system(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        for node in (a, b):
            transports = [link._transport for link in node.mesh._links]
            assert len(transports) == 2
            for transport in transports:
                assert transport is not None
                sock = transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- who may not connect ------------------------------------------------------------------------------------


async def test_wrong_chain_id_is_refused_with_a_readable_reason_on_both_sides(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    b = copy_node(b, tmp_path, chain_id=bytes(32), listen_port=0)
    async with running(a, b):
        await eventually(lambda: bool(a.get_refusals() and b.get_refusals()))
        theirs, mine = a.get_refusals()[0], b.get_refusals()[0]
        assert (theirs.reason, theirs.is_by_peer, theirs.index) == (RefusalReason.WRONG_CHAIN, True, 1)
        assert (mine.reason, mine.is_by_peer, mine.index) == (RefusalReason.WRONG_CHAIN, False, 0)
        assert theirs.text == mine.text
        assert a.config.chain_id.hex() in theirs.text
        assert bytes(32).hex() in theirs.text
        assert not a.get_ups()
        assert not b.get_ups()
        assert "wrong chain" in a.mesh.get_statistics().peers[0].votes.last_error


async def test_p29_nodes_without_a_common_wire_version_tell_each_other(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    b = copy_node(b, tmp_path, wire_version_min=2, wire_version_max=3, listen_port=0)
    async with running(a, b):
        await eventually(lambda: bool(a.get_refusals() and b.get_refusals()))
        refusal = a.get_refusals()[0]
        assert refusal.reason is RefusalReason.NO_COMMON_VERSION
        assert "1 to 1" in refusal.text
        assert "2 to 3" in refusal.text


async def test_p29_mixed_versions_speak_the_highest_that_both_know(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    a = copy_node(a, tmp_path, wire_version_min=1, wire_version_max=2, listen_port=0)
    b = copy_node(b, tmp_path, wire_version_min=2, wire_version_max=5, listen_port=0)
    async with running(a, b):
        await all_up(a, b)
        assert [up.wire_version for up in a.get_ups() + b.get_ups()] == [2, 2]


async def test_dialler_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    stranger = make_identity_where(tmp_path, lambda pin: pin < b.identity.pin)
    impostor = make_node(tmp_path, 0, identity=stranger)
    async with running(impostor, b, is_connected=False):
        b.mesh.set_peers([a.entry, b.entry])
        impostor.mesh.set_peers([b.entry])
        await eventually(lambda: bool(impostor.get_refusals() and b.get_refusals()))
        assert impostor.get_refusals()[0].reason is RefusalReason.UNKNOWN_KEY
        assert impostor.get_refusals()[0].is_by_peer
        assert stranger.pin.hex() in b.get_refusals()[0].text
        assert b.get_refusals()[0].index is None
        assert not b.get_ups()


async def test_listener_with_another_key_than_pinned_is_refused(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    impostor = make_node(tmp_path, 1, identity=make_identity_where(tmp_path, lambda pin: pin > a.identity.pin))
    async with running(a, impostor, is_connected=False):
        impostor.mesh.set_peers([a.entry])
        a.mesh.set_peers([replace(b.entry, port=impostor.mesh.port)])
        await eventually(lambda: bool(a.get_refusals()))
        refusal = a.get_refusals()[0]
        assert (refusal.reason, refusal.index, refusal.is_by_peer) == (RefusalReason.UNKNOWN_KEY, 1, False)
        assert impostor.identity.pin.hex() in refusal.text
        assert not a.get_ups()
        assert not impostor.get_frames()


async def test_peer_is_known_by_its_key_whatever_index_it_claims(tmp_path: Path) -> None:
    """The set moves: two nodes at different heights may number the same validator differently."""
    a, b = make_pair(tmp_path)
    a = copy_node(a, tmp_path, index=7, listen_port=0)
    async with running(a, b, is_connected=False):
        a.mesh.set_peers([replace(b.entry, index=3)])
        b.mesh.set_peers([replace(a.entry, index=5)])
        await eventually(lambda: a.is_up(3) and b.is_up(5))
        assert a.mesh.send(3, VOTE, b"by your number")
        await eventually(lambda: bool(b.get_frames()))
        assert b.get_frames()[0].index == 5


async def test_only_the_smaller_pin_dials(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, is_connected=False):
        a.mesh.set_peers([b.entry])
        async with await dial_by_hand(a.mesh.port, b.identity) as peer:
            kind, payload = await peer.receive()
        assert kind == KIND_REFUSE
        assert decode_refusal(payload).reason is RefusalReason.WRONG_DIRECTION


@pytest.mark.parametrize("kind", [VOTE, KIND_PING, 99])
async def test_nothing_but_hello_is_accepted_first(tmp_path: Path, kind: int) -> None:
    a, b = make_pair(tmp_path)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with await dial_by_hand(b.mesh.port, a.identity) as peer:
            await peer.send(kind, b"")
            assert await peer.wait_closed() == b""
        assert b.mesh.get_statistics().ended == {"frame_unknown_kind": 1}
        assert not b.events


# --- frames that break the rules ----------------------------------------------------------------------------


async def test_p27_oversize_frame_closes_only_its_connection_which_is_opened_again(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    generous = tuple(replace(kind, bytes_max=3_000_000) for kind in KINDS)
    a = make_node(tmp_path, 0, identity=a.identity, kinds=generous)
    async with running(a, b):
        await all_up(a, b)
        assert a.mesh.send(1, BLOCK, bytes(2_000_001))
        await eventually(lambda: b.mesh.get_statistics().peers[0].bulk.connects == 2)
        await all_up(a, b)
        statistics = b.mesh.get_statistics()
        assert statistics.ended == {"frame_oversize": 1}
        assert statistics.peers[0].bulk.violations == 1
        assert statistics.peers[0].votes.connects == 1
        assert [type(event) for event in b.events] == [PeerUp, PeerDown, PeerUp]
        assert "announces 2000001 bytes, permitted are 2000000" in b.get_downs()[0].cause


async def test_frame_on_the_wrong_lane_closes_the_connection(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    confused = (FrameKind(VOTE, "vote", 1_000, Lane.BULK), FrameKind(BLOCK, "block", 1_000, Lane.VOTES))
    a = make_node(tmp_path, 0, identity=a.identity, kinds=confused)
    async with running(a, b):
        await all_up(a, b)
        assert a.mesh.send(1, VOTE, b"x")
        await eventually(lambda: b.mesh.get_statistics().ended == {"frame_wrong_lane": 1})
        assert not b.get_frames()


# --- slow and dead peers ------------------------------------------------------------------------------------


SMALL = replace(LIMITS, bulk_outbox_bytes_max=4_000_000, inbound_bytes_max=2_000_000)


async def test_p23_slow_reader_bounds_every_queue_and_votes_still_pass(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, SMALL)
    b.is_holding = True
    payload = bytes(100_000)
    async with running(a, b):
        await all_up(a, b)
        sent = 0
        for _ in range(100):
            sent += sum(a.mesh.send(1, BLOCK, payload) for _ in range(10))
            await asyncio.sleep(0.001)
        bulk = a.mesh.get_statistics().peers[0].bulk
        held = b.mesh.get_statistics().peers[0].bulk.held_bytes
        assert sent < 1_000
        assert bulk.frames_dropped == 1_000 - sent
        assert 3_900_000 < bulk.queued_bytes <= SMALL.bulk_outbox_bytes_max
        assert SMALL.inbound_bytes_max < held <= SMALL.inbound_bytes_max + 100_128
        # The other lane does not notice.
        assert a.mesh.send(1, VOTE, b"vote")
        await eventually(lambda: len(b.get_frames(VOTE)) == 1)
        assert len(b.get_frames(BLOCK)) == 20
        assert b.mesh.send(0, VOTE, b"vote")
        assert b.mesh.send(0, BLOCK, b"block")
        await eventually(lambda: len(a.get_frames()) == 2)
        # Once it gives frames back, all that was queued arrives.
        b.is_holding = False
        for event in b.get_frames():
            b.mesh.release(event)
        await eventually(lambda: len(b.get_frames(BLOCK)) == sent)
        assert b.mesh.get_statistics().peers[0].bulk.held_bytes == 0
        assert not a.get_downs() + b.get_downs()


async def test_paused_lane_goes_on_with_what_arrived_before_once_half_is_released(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, inbound_bytes_max=1_000, ping_ms=60_000))
    b.is_holding = True
    async with running(a, b):
        await all_up(a, b)
        # Each costs 200, and all travel together.
        for number in range(50):
            assert a.mesh.send(1, VOTE, bytes([number]) * 72)
        await eventually(lambda: len(b.get_frames()) == 6)
        for event in b.get_frames()[:3]:
            b.mesh.release(event)
        assert b.mesh.get_statistics().peers[0].votes.held_bytes == 600
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(b.get_frames()) == 6
        b.mesh.release(b.get_frames()[3])
        await eventually(lambda: len(b.get_frames()) == 10)
        b.is_holding = False
        for event in b.get_frames()[4:]:
            b.mesh.release(event)
        await eventually(lambda: len(b.get_frames()) == 50)
        assert [event.payload[0] for event in b.get_frames()] == list(range(50))


async def test_p23_transport_is_given_no_more_than_its_share(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        for _ in range(4):
            assert a.mesh.send(1, BLOCK, bytes(1_900_000))
        a.mesh.flush()
        for link in a.mesh._links:
            assert link._transport is not None
            # One frame may be larger than a chunk; the next has to wait.
            waiting_bytes = link._transport.get_write_buffer_size()
            assert waiting_bytes < WRITE_BUFFER_BYTES_MAX + 1_900_000 + WRITE_CHUNK_BYTES
        await eventually(lambda: len(b.get_frames()) == 4)


async def test_reconnecting_does_not_refill_the_inbound_budget(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, SMALL)
    b.is_holding = True
    async with running(b, is_connected=False):
        async with running(a, is_connected=False):
            connect(a, b)
            await all_up(a, b)
            for _ in range(30):
                assert a.mesh.send(1, BLOCK, bytes(100_000))
            await eventually(lambda: len(b.get_frames()) == 20)
        await eventually(lambda: not b.is_up(0))
        again = copy_node(a, tmp_path)
        async with running(again, is_connected=False):
            connect(again, b)
            await all_up(again, b)
            assert again.mesh.send(1, BLOCK, b"more")
            assert again.mesh.send(1, VOTE, b"vote")
            await eventually(lambda: len(b.get_frames(VOTE)) == 1)
            assert len(b.get_frames(BLOCK)) == 20
            for event in b.get_frames(BLOCK):
                b.mesh.release(event)
            await eventually(lambda: b.get_frames(BLOCK)[-1].payload == b"more")


async def test_peer_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, ping_ms=20, silent_pings_max=3))
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with await dial_by_hand(b.mesh.port, a.identity) as peer:
            await peer.greet(a.config.build_hello(Lane.VOTES))
            await peer.wait_closed()
        assert b.mesh.get_statistics().ended == {"link_silent": 1}


async def test_pings_keep_an_idle_mesh_up_and_measure_the_round_trip(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, ping_ms=20, silent_pings_max=3))
    async with running(a, b):
        await all_up(a, b)

        def is_measured() -> bool:
            lanes = (a.mesh.get_statistics().peers[0].votes, b.mesh.get_statistics().peers[0].bulk)
            return all(lane.rtt_us is not None and lane.frames_in > 20 for lane in lanes)

        await eventually(is_measured)
        assert not a.get_downs() + b.get_downs()


async def test_peer_that_restarts_is_met_again_with_its_new_boot_id(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    for stays, restarts in ((a, b), (b, a)):
        stays = copy_node(stays, tmp_path, listen_port=0)  # noqa: PLW2901
        async with running(stays, is_connected=False):
            async with running(restarts, is_connected=False):
                connect(stays, restarts)
                await all_up(stays, restarts)
            await eventually(lambda: len(stays.get_downs()) == 1)  # noqa: B023
            assert not stays.mesh.send(restarts.config.index, VOTE, b"into the void")
            again = copy_node(restarts, tmp_path)
            async with running(again, is_connected=False):
                again.mesh.set_peers([stays.entry])
                await all_up(stays, again)
                assert [up.boot_id for up in stays.get_ups()] == [restarts.boot_id, again.boot_id]
                assert stays.mesh.send(again.config.index, VOTE, b"welcome")
                await eventually(lambda: len(again.get_frames()) == 1)  # noqa: B023


async def test_newest_connection_of_a_peer_replaces_the_older(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        hellos = [a.config.build_hello(lane) for lane in Lane]
        async with (
            await dial_by_hand(b.mesh.port, a.identity) as votes,
            await dial_by_hand(b.mesh.port, a.identity) as bulk,
            await dial_by_hand(b.mesh.port, a.identity) as newer,
        ):
            await votes.greet(hellos[0])
            await bulk.greet(hellos[1])
            await eventually(lambda: b.is_up(0))
            # Another process: both old connections lead to one that is dead.
            await newer.greet(replace(hellos[0], boot_id=bytes(16)))
            await votes.wait_closed()
            await bulk.wait_closed()
            assert not b.is_up(0)
            await newer.send(VOTE, b"new")
            await eventually(lambda: len(b.get_frames()) == 1)
        assert b.mesh.get_statistics().ended["link_replaced"] == 2


# --- the peer table -----------------------------------------------------------------------------------------


async def test_peers_come_and_go_at_run_time(tmp_path: Path) -> None:
    nodes = [make_node(tmp_path, index) for index in range(3)]
    a, b, c = nodes
    async with running(*nodes, is_connected=False):
        connect(a, b)
        await all_up(a, b)
        connect(a, b, c)
        await all_up(a, b, c)
        # Those that stayed kept their connections.
        assert a.mesh.get_statistics().peers[0].votes.connects == 1
        a.mesh.set_peers([a.entry, c.entry])
        await eventually(lambda: not b.is_up(0))
        assert [down.index for down in a.get_downs()] == [1]
        assert "left the peer table" in a.get_downs()[0].cause
        assert not a.mesh.send(1, VOTE, b"x")
        assert a.mesh.send(2, VOTE, b"x")
        assert b.is_up(2)


async def test_replaced_key_of_a_validator_ends_its_connections(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        a.mesh.set_peers([replace(b.entry, pin=make_identity(tmp_path, "new").pin)])
        assert not a.is_up(1)
        await eventually(lambda: bool(b.get_downs()))


async def test_address_that_nobody_can_ask_for_stops_nothing(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, b):
        await all_up(a, b)
        pins = sorted(bytes([255]) * 31 + bytes([n]) for n in range(3))
        hosts = ("\x00", "a" * 64 + ".invalid", "127.0.0.1")
        bad = [PeerEntry(9 + n, pins[n], hosts[n], 1) for n in range(3)]
        a.mesh.set_peers([b.entry, *bad])
        await eventually(
            lambda: all("cannot connect" in peer.votes.last_error for peer in a.mesh.get_statistics().peers[1:])
        )
        assert a.is_up(1)


async def test_peer_table_that_contradicts_itself_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    entry = b.entry
    a.mesh.set_peers([entry])
    for bad in (
        [entry, entry],
        [entry, replace(entry, index=2)],
        [replace(entry, pin=b"short")],
        [replace(entry, index=65_536)],
        [replace(entry, port=0)],
    ):
        with pytest.raises(ConfigurationError, match=r"^peers\."):
            a.mesh.set_peers(bad)
    async with running(a, is_connected=False):
        assert [peer.index for peer in a.mesh.get_statistics().peers] == [1]


async def test_own_entry_is_known_by_its_pin_and_passed_over(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    a.mesh.set_peers([b.entry, replace(a.entry, index=40)])
    async with running(a, is_connected=False):
        assert [peer.index for peer in a.mesh.get_statistics().peers] == [1]


# --- the end ------------------------------------------------------------------------------------------------


async def test_close_leaves_no_task_and_no_event(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    tasks_before = asyncio.all_tasks()
    async with running(a, b):
        await all_up(a, b)
        for _ in range(40):
            a.mesh.send(1, BLOCK, bytes(100_000))
        count = len(a.events)
        await a.mesh.close()
        assert not any(peer.is_up for peer in a.mesh.get_statistics().peers)
        await eventually(lambda: bool(b.get_downs()))
        assert not a.mesh.send(1, VOTE, b"x")
    assert len(a.events) == count
    assert asyncio.all_tasks() == tasks_before


async def test_close_copes_with_connections_reset_a_moment_ago(tmp_path: Path) -> None:
    # Found by chance once: half-closing them raises.
    a, b = make_pair(tmp_path)
    async with running(a, is_connected=False):
        mute = socket.create_server(("127.0.0.1", 0))
        a.mesh.set_peers([replace(b.entry, port=mute.getsockname()[1])])
        await eventually(lambda: [link.address != "" for link in a.mesh._links] == [True, True])
        mute.close()
        await a.mesh.close()
        assert not a.mesh._links


async def test_port_in_use_is_an_error_of_start(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(a, is_connected=False) as tasks:
        taken = copy_node(b, tmp_path, listen_port=a.mesh.port)
        with pytest.raises(OSError, match="in use"):
            await taken.mesh.start(tasks)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda node: replace(node.config, chain_id=b"x"), "chain_id"),
        (lambda node: replace(node.config, boot_id=b"x"), "boot_id"),
        (lambda node: replace(node.config, index=-1), "index"),
        (lambda node: replace(node.config, software="x" * 65), "software"),
        (lambda node: replace(node.config, wire_version_min=2), "wire_version_max"),
        (lambda node: replace(node.config, limits=MeshLimits(pending_max=0)), "limits.pending_max"),
        (lambda node: replace(node.config, limits=MeshLimits(handshake_ms=5_001)), "limits.handshake_ms"),
        (
            lambda node: replace(node.config, limits=MeshLimits(bulk_outbox_bytes_max=2_000_000)),
            "limits.bulk_outbox_bytes_max",
        ),
        (
            lambda node: replace(node.config, certificate_path=node.identity.private_key_path),
            "certificate_path",
        ),
    ],
)
async def test_unusable_configuration_is_refused_by_name(
    tmp_path: Path, change: Callable[[object], object], name: str
) -> None:
    node = make_node(tmp_path, 0)
    with pytest.raises(ConfigurationError) as caught:
        Mesh(change(node), KINDS, [], node.on_event)  # type: ignore[arg-type]
    assert caught.value.field == name


async def test_own_mistakes_in_sending_raise(tmp_path: Path) -> None:
    a, _ = make_pair(tmp_path)
    with pytest.raises(KeyError):
        a.mesh.send(1, 99, b"")
    with pytest.raises(ValueError, match="1001 bytes, permitted are 1000"):
        a.mesh.broadcast(VOTE, bytes(1_001))
