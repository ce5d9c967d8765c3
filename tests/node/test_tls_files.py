import ssl
from pathlib import Path

import pytest
from cryptography import x509

from chain.errors import ConfigError
from node.tls_files import TlsIdentity, create_tls, load_certificate
from p2p.tls import build_client_context, build_server_context, compute_peer_pin


def make(directory: Path, owner: str) -> TlsIdentity:
    directory.mkdir()
    return create_tls(private_key_path=directory / "key.pem", certificate_path=directory / "cert.pem", owner=owner)


def handshake(client: ssl.SSLObject, server: ssl.SSLObject, wires: tuple[ssl.MemoryBIO, ...]) -> None:
    to_server, from_server, to_client, from_client = wires
    is_done = [False, False]
    for _ in range(10):
        for place, side in enumerate((client, server)):
            try:
                side.do_handshake()
                is_done[place] = True
            except ssl.SSLWantReadError:
                pass
            to_server.write(from_client.read())
            to_client.write(from_server.read())
        if all(is_done):
            return
    raise AssertionError("no handshake")


def test_two_validators_shake_hands_and_see_each_others_pins(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", "platform"), make(tmp_path / "b", "custodian")
    server_context = build_server_context(
        certificate_path=tmp_path / "a" / "cert.pem", private_key_path=tmp_path / "a" / "key.pem"
    )
    client_context = build_client_context(
        certificate_path=tmp_path / "b" / "cert.pem", private_key_path=tmp_path / "b" / "key.pem"
    )
    to_server, from_server, to_client, from_client = (ssl.MemoryBIO() for _ in range(4))
    server = server_context.wrap_bio(to_server, from_server, server_side=True)
    client = client_context.wrap_bio(to_client, from_client)
    handshake(client, server, (to_server, from_server, to_client, from_client))
    assert client.version() == "TLSv1.3"
    assert compute_peer_pin(client) == first.pin
    assert compute_peer_pin(server) == second.pin


def test_p31_certificate_is_valid_until_9999_and_fits_into_genesis(tmp_path: Path) -> None:
    identity = make(tmp_path / "a", "platform")
    certificate = x509.load_der_x509_certificate(identity.certificate)
    assert certificate.not_valid_after_utc.year == 9999
    assert certificate.not_valid_before_utc.year == 2000
    assert len(identity.certificate) <= 2_048
    assert load_certificate(tmp_path / "a" / "cert.pem") == identity


def test_key_is_secret_and_neither_file_is_overwritten(tmp_path: Path) -> None:
    make(tmp_path / "a", "platform")
    key = tmp_path / "a" / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    with pytest.raises(ConfigError):
        create_tls(private_key_path=key, certificate_path=tmp_path / "new.pem", owner="platform")
    assert key.read_bytes() == before
    assert not (tmp_path / "new.pem").exists()


def test_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        (tmp_path / "cert.pem").write_bytes(content)
        with pytest.raises(ConfigError):
            load_certificate(tmp_path / "cert.pem")
