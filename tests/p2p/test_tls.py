import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import CertificateMalformedError, ConfigurationError
from p2p.tls import (
    ANCHOR_CERTIFICATE,
    build_client_context,
    build_server_context,
    compute_pin,
    load_pin,
)
from tests.p2p.certificates import PrivateKey, build_anchor, build_certificate, get_pin, make_identity

KEYS: dict[str, PrivateKey] = {
    "ed25519": Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(65_537, 2_048),
}
DER = build_certificate(KEYS["ed25519"]).public_bytes(Encoding.DER)


def test_anchor_certificate_is_the_one_of_its_published_key() -> None:
    assert build_anchor().public_bytes(Encoding.PEM).decode() == ANCHOR_CERTIFICATE


@pytest.mark.parametrize("name", KEYS)
def test_pin_is_the_hash_of_the_subject_public_key_info(name: str) -> None:
    key = KEYS[name]
    for certificate in (build_certificate(key), build_certificate(key, alternative_name="a" * 60)):
        assert compute_pin(certificate.public_bytes(Encoding.DER)) == get_pin(key)


def test_pin_is_read_from_a_certificate_file(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "x")
    assert load_pin(identity.certificate_path) == identity.pin


@given(st.integers(0, len(DER) - 1))
def test_truncated_certificate_is_a_typed_error(length: int) -> None:
    with pytest.raises(CertificateMalformedError):
        compute_pin(DER[:length])


@given(st.binary(max_size=300), st.integers(0, len(DER)))
def test_any_bytes_as_certificate_make_a_typed_error_or_a_pin(noise: bytes, position: int) -> None:
    for data in (noise, DER[:position] + noise + DER[position:], DER[:position] + noise):
        with contextlib.suppress(CertificateMalformedError):
            assert len(compute_pin(data)) == 32


def test_only_tls_1_3_is_spoken_and_no_session_is_resumed(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "x")
    paths = (identity.certificate_path, identity.private_key_path)
    server = build_server_context(certificate_path=paths[0], private_key_path=paths[1])
    client = build_client_context(certificate_path=paths[0], private_key_path=paths[1])
    assert server.minimum_version == client.minimum_version == ssl.TLSVersion.TLSv1_3
    assert server.verify_mode is ssl.CERT_REQUIRED
    assert server.num_tickets == 0


def test_files_that_are_no_pair_are_refused_by_name(tmp_path: Path) -> None:
    one, two = make_identity(tmp_path, "one"), make_identity(tmp_path, "two")
    for certificate, key in (
        (one.certificate_path, two.private_key_path),
        (one.private_key_path, one.private_key_path),
        (tmp_path / "missing", one.private_key_path),
    ):
        with pytest.raises(ConfigurationError, match=r"^certificate_path: "):
            build_server_context(certificate_path=certificate, private_key_path=key)
    with pytest.raises(ConfigurationError, match=r"^certificate_path: "):
        load_pin(one.private_key_path)
