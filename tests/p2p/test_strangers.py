"""What somebody without a pinned key, or with bad intent before the handshake, can do: nothing that others
notice."""

import asyncio
import datetime
import os
import socket
import ssl
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2p.errors import RefusalReason
from p2p.frames import KIND_HELLO, KIND_REFUSE, Lane, encode_frame
from p2p.handshake import decode_refusal, encode_hello
from p2p.tls import ANCHOR_SEED
from tests.p2p.certificates import EARLY, build_certificate, make_identity, write_identity
from tests.p2p.network import (
    LIMITS,
    VOTE,
    HandPeer,
    Node,
    all_up,
    connect,
    copy_node,
    dial_by_hand,
    eventually,
    make_node,
    make_pair,
    running,
)

YESTERDAY = EARLY + datetime.timedelta(days=1)


async def dial_plain(port: int, source: str = "127.0.0.1") -> HandPeer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    return HandPeer(reader, writer)


# --- certificates -------------------------------------------------------------------------------------------


async def test_p31_certificates_that_expired_long_ago_still_work(tmp_path: Path) -> None:
    nodes = [
        make_node(tmp_path, index, identity=make_identity(tmp_path, f"old{index}", not_after=YESTERDAY))
        for index in range(2)
    ]
    async with running(*nodes):
        await all_up(*nodes)


async def test_p31_certificate_made_anew_with_the_same_key_is_the_same_peer(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    key = a.identity.key
    certificate = build_certificate(key, alternative_name="another.invalid")
    renewed = write_identity(tmp_path, "renewed", certificate, key)
    assert renewed.certificate_path.read_bytes() != a.identity.certificate_path.read_bytes()
    again = make_node(tmp_path, 0, identity=renewed)
    async with running(again, b):
        await all_up(again, b)


async def test_client_without_a_certificate_is_not_heard(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with await dial_by_hand(b.mesh.port, None) as peer:
            # In TLS 1.3 a client may send before the server has judged its certificate.
            peer.writer.write(encode_frame(KIND_HELLO, encode_hello(a.config.build_hello(Lane.VOTES))))
            assert await peer.wait_closed() == b""
        await eventually(lambda: b.mesh.get_statistics().pending == 0)
        assert b.mesh.get_statistics().ended == {"link_lost": 1}
        assert not b.events


async def test_self_signed_certificate_is_not_heard_even_with_a_pinned_key(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    key = a.identity.key
    odd = write_identity(tmp_path, "odd", build_certificate(key, is_self_signed=True), key)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with await dial_by_hand(b.mesh.port, odd) as peer:
            assert await peer.wait_closed() == b""
        await eventually(lambda: b.mesh.get_statistics().ended == {"link_lost": 1})


async def test_hostile_names_in_a_certificate_disturb_nobody(tmp_path: Path) -> None:
    # A name that is no UTF-8 makes Python's decoding of a peer certificate raise; here it is never decoded.
    a, b = make_pair(tmp_path)
    key = Ed25519PrivateKey.generate()
    certificate = build_certificate(key, alternative_name="MARK")
    hostile = write_identity(tmp_path, "hostile", certificate, key)
    _sign_with_hostile_name(hostile.certificate_path)
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with running(a, b):
        await all_up(a, b)
        async with await dial_by_hand(b.mesh.port, hostile) as peer:
            kind, payload = await peer.receive()
            assert (kind, decode_refusal(payload).reason) == (KIND_REFUSE, RefusalReason.UNKNOWN_KEY)
        assert a.is_up(1)
    assert not complaints


def _sign_with_hostile_name(path: Path) -> None:
    # The library refuses to make such a name, so it is put into the bytes, and these are signed again.
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    body = certificate.tbs_certificate_bytes.replace(b"MARK", b"\xff\xfe\xfd\xfc")
    signature = Ed25519PrivateKey.from_private_bytes(ANCHOR_SEED).sign(body)
    rest = bytes.fromhex("300506032b6570") + b"\x03\x41\x00" + signature
    whole = b"\x30\x82" + (len(body) + len(rest)).to_bytes(2) + body + rest
    path.write_text(ssl.DER_cert_to_PEM_cert(whole), encoding="ascii")


# --- before the handshake -----------------------------------------------------------------------------------


async def test_a7_data_then_close_before_the_handshake_is_not_heard(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    hello = encode_frame(KIND_HELLO, encode_hello(a.config.build_hello(Lane.VOTES)))
    frames = hello + encode_frame(VOTE, b"forged")
    async with running(a, b):
        await all_up(a, b)
        told = len(b.events)
        for data in (frames, frames[:3], b"GET / HTTP/1.1\r\n\r\n", bytes(1_000), os.urandom(10_000), b""):
            peer = await dial_plain(b.mesh.port)
            peer.writer.write(data)
            peer.writer.close()
            await peer.wait_closed()
        await eventually(lambda: b.mesh.get_statistics().pending == 0)
        statistics = b.mesh.get_statistics()
        assert statistics.accepted == 2 + 6
        assert sum(statistics.ended.values()) == 6
        assert len(b.events) == told
        assert a.is_up(1)


async def test_a7_data_after_the_client_hello_and_close_is_not_heard(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        session = context.wrap_bio(incoming, outgoing)
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            peer = await dial_plain(b.mesh.port)
            peer.writer.write(outgoing.read() + encode_frame(VOTE, b"forged"))
            peer.writer.write_eof()
            await peer.wait_closed()
            peer.writer.transport.abort()
        await eventually(lambda: sum(b.mesh.get_statistics().ended.values()) == 1)
        assert not b.events


async def test_a9_half_open_flood_neither_grows_nor_keeps_validators_out(tmp_path: Path) -> None:
    limits = replace(LIMITS, pending_max=16, pending_per_address_max=8)
    a, b = make_pair(tmp_path, limits)
    async with running(a, b, is_connected=False):
        with ExitStack() as stack:
            for number in range(150):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.bind((f"127.0.0.{2 + number % 5}", 0))
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", b.mesh.port))
            await eventually(lambda: b.mesh.get_statistics().accepted == 150)
            assert b.mesh.get_statistics().pending == 16
            assert b.mesh.get_statistics().evicted == 134
            assert b.mesh.get_statistics().ended == {"link_dropped": 134}
            # The flood stays open, and validators connect all the same.
            connect(a, b)
            await all_up(a, b)
            assert b.mesh.get_statistics().pending <= 16


async def test_a9_flood_from_the_address_of_a_validator_evicts_only_its_own(tmp_path: Path) -> None:
    limits = replace(LIMITS, pending_max=16, pending_per_address_max=4)
    a, b = make_pair(tmp_path, limits)
    async with running(a, b, is_connected=False):
        other = await dial_plain(b.mesh.port, "127.0.0.2")
        flood = [await dial_plain(b.mesh.port) for _ in range(20)]
        await eventually(lambda: b.mesh.get_statistics().accepted == 21)
        assert b.mesh.get_statistics().pending == 1 + 4
        connect(a, b)
        await all_up(a, b)
        other.writer.write(b"\x16\x03\x01")
        await other.writer.drain()
        assert not other.reader.at_eof()
        for peer in (other, *flood):
            peer.writer.transport.abort()


async def test_a9_handshakes_held_open_end_by_their_time_limit(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, handshake_ms=100))
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with (
            await dial_plain(b.mesh.port) as silent,
            await dial_plain(b.mesh.port) as trickling,
            await dial_by_hand(b.mesh.port, a.identity) as speechless,
        ):
            trickling.writer.write(b"\x16\x03\x01\x02\x00")
            for peer in (silent, trickling, speechless):
                await peer.wait_closed()
        assert b.mesh.get_statistics().ended == {"handshake_timeout": 3}
        await eventually(lambda: b.mesh.get_statistics().pending == 0)


async def test_a9_stranger_that_does_not_hang_up_after_a_refusal_is_cut(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, shutdown_ms=50))
    async with running(a, b):
        await all_up(a, b)
        peer = await dial_plain(b.mesh.port)
        peer.writer.write(b"no TLS at all")
        await peer.wait_closed()
        assert not peer.writer.is_closing()
        await eventually(lambda: b.mesh.get_statistics().pending == 0)
        peer.writer.transport.abort()


async def test_a9_refused_strangers_who_stay_are_evicted_like_others(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, shutdown_ms=60_000, pending_per_address_max=2))
    async with running(a, b, is_connected=False):
        peers = []
        for _ in range(6):
            peers.append(await dial_plain(b.mesh.port))
            peers[-1].writer.write(b"no TLS at all")
            await peers[-1].wait_closed()
        await eventually(lambda: len(b.mesh._links) == 2)
        assert b.mesh.get_statistics().evicted == 4
        for peer in peers:
            peer.writer.transport.abort()


async def test_refused_stranger_who_goes_on_sending_is_not_reset_at_once(tmp_path: Path) -> None:
    # A reset may reach it before it has read why it was refused.
    a, b = make_pair(tmp_path, replace(LIMITS, shutdown_ms=5_000))
    async with running(a, b):
        peer = await dial_plain(b.mesh.port)
        peer.writer.write(b"no TLS at all")
        await peer.wait_closed()
        for _ in range(20):
            peer.writer.write(bytes(10_000))
            await asyncio.sleep(0.002)
        assert not peer.writer.is_closing()
        peer.writer.transport.abort()
        await eventually(lambda: b.mesh.get_statistics().pending == 0)


async def test_a9_listener_that_never_answers_is_given_up_and_dialled_again(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path, replace(LIMITS, handshake_ms=50))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with running(a, is_connected=False):
            a.mesh.set_peers([replace(b.entry, port=mute.getsockname()[1])])
            await eventually(lambda: a.mesh.get_statistics().ended.get("handshake_timeout", 0) >= 4)
            assert "no complete handshake" in a.mesh.get_statistics().peers[0].votes.last_error


async def test_a10_strangers_with_certificates_take_no_place_of_a_validator(tmp_path: Path) -> None:
    limits = replace(LIMITS, pending_max=8, pending_per_address_max=8)
    a, b = make_pair(tmp_path, limits)
    strangers = [make_identity(tmp_path, f"stranger{number}") for number in range(3)]
    async with running(a, b, is_connected=False):
        connect(a, b)
        for number in range(30):
            async with await dial_by_hand(b.mesh.port, strangers[number % 3]) as peer:
                await peer.receive()
        await all_up(a, b)
        await eventually(lambda: b.mesh.get_statistics().pending == 0)
        assert b.mesh.get_statistics().refused == {"unknown_key": 30}
        assert [event.index for event in b.get_refusals()] == [None] * 30


async def test_refusal_text_of_a_peer_moves_no_cursor(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    async with running(b, is_connected=False):
        b.mesh.set_peers([a.entry])
        async with await dial_by_hand(b.mesh.port, a.identity) as peer:
            await peer.send(KIND_REFUSE, b"\xc8\x1b[2Jgone\n\xff")
            await eventually(lambda: bool(b.get_refusals()))
        refusal = b.get_refusals()[0]
        assert (refusal.reason, refusal.text, refusal.is_by_peer) == (
            RefusalReason.OTHER,
            "?[2Jgone?\N{REPLACEMENT CHARACTER}",
            True,
        )


async def test_two_processes_with_one_key_show_two_boot_ids(tmp_path: Path) -> None:
    # Which one is right is not decided here; that there are two is surfaced (pitfalls P3).
    a, b = make_pair(tmp_path)
    twin: Node = copy_node(a, tmp_path, listen_port=0)
    async with running(a, b, twin, is_connected=False):
        b.mesh.set_peers([a.entry])
        for node in (a, twin):
            node.mesh.set_peers([b.entry])
        await eventually(lambda: {up.boot_id for up in b.get_ups()} == {a.boot_id, twin.boot_id})
