import ssl
from pathlib import Path

import pytest

from p2p.errors import LinkLostError
from p2p.session import TlsSession
from p2p.tls import build_client_context, build_server_context
from tests.p2p.certificates import Identity, make_identity


def make_sessions(tmp_path: Path) -> tuple[TlsSession, TlsSession, Identity, Identity]:
    a, b = make_identity(tmp_path, "a"), make_identity(tmp_path, "b")
    client = build_client_context(certificate_path=a.certificate_path, private_key_path=a.private_key_path)
    server = build_server_context(certificate_path=b.certificate_path, private_key_path=b.private_key_path)
    return TlsSession(client, is_server=False), TlsSession(server, is_server=True), a, b


def connect(client: TlsSession, server: TlsSession) -> None:
    client.start()
    server.feed(client.take_output())
    assert not server.handshake()
    client.feed(server.take_output())
    assert client.handshake()
    server.feed(client.take_output())
    assert server.handshake()


def test_both_sides_learn_the_key_of_the_other(tmp_path: Path) -> None:
    client, server, a, b = make_sessions(tmp_path)
    connect(client, server)
    assert (client.compute_pin(), server.compute_pin()) == (b.pin, a.pin)


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 1_000_000])
def test_plain_text_of_any_size_passes_in_any_pieces(tmp_path: Path, size: int) -> None:
    client, server, _, _ = make_sessions(tmp_path)
    connect(client, server)
    text = bytes(range(256)) * (size // 256 + 1)
    client.write(text[:size])
    encrypted, received = client.take_output(), b""
    while encrypted:
        server.feed(encrypted[:7_001])
        encrypted = encrypted[7_001:]
        received += server.read()
    assert received == text[:size]
    assert not server.is_ended


def test_handshake_survives_any_splitting(tmp_path: Path) -> None:
    client, server, a, _ = make_sessions(tmp_path)
    client.start()
    sides = (client, server)
    done = [False, False]
    for turn in range(10):
        sender, receiver = sides[turn % 2], sides[1 - turn % 2]
        for byte in sender.take_output():
            receiver.feed(bytes([byte]))
            if not done[1 - turn % 2]:
                done[1 - turn % 2] = receiver.handshake()
    assert done == [True, True]
    assert server.compute_pin() == a.pin


def test_end_is_seen_by_the_other_side_after_what_was_sent(tmp_path: Path) -> None:
    client, server, _, _ = make_sessions(tmp_path)
    connect(client, server)
    client.write(b"last words")
    client.end()
    server.feed(client.take_output())
    assert server.read() == b"last words"
    assert server.is_ended


def test_one_flipped_bit_is_a_typed_error(tmp_path: Path) -> None:
    client, server, _, _ = make_sessions(tmp_path)
    connect(client, server)
    client.write(b"secret")
    encrypted = bytearray(client.take_output())
    encrypted[-1] ^= 1
    server.feed(bytes(encrypted))
    with pytest.raises(LinkLostError, match="TLS failed"):
        server.read()


def test_plain_bytes_are_a_typed_error_with_an_alert_for_the_sender(tmp_path: Path) -> None:
    _, server, _, _ = make_sessions(tmp_path)
    server.feed(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(LinkLostError, match="TLS handshake failed"):
        server.handshake()


def test_older_tls_is_a_typed_error(tmp_path: Path) -> None:
    _, server, _, _ = make_sessions(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    old = TlsSession(context, is_server=False)
    old.start()
    server.feed(old.take_output())
    with pytest.raises(LinkLostError, match=r"(?i)unsupported.protocol"):
        server.handshake()
    old.feed(server.take_output())
    with pytest.raises(LinkLostError, match=r"(?i)alert"):
        old.handshake()


def test_end_of_an_incomplete_handshake_is_quiet(tmp_path: Path) -> None:
    client, server, _, _ = make_sessions(tmp_path)
    client.start()
    client.end()
    server.end()
