"""The TLS key and certificate of a validator.

Ed25519, PEM; issued by the public anchor of `p2p/tls.py`, valid until 9999, because a peer's identity is
the pin of its public key and nothing else (design 5; pitfalls P31). The only place that uses
`cryptography`.
"""

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from msgspec import Struct

from chain.errors import ConfigError
from node.files import PUBLIC_MODE, create_file, read_file
from p2p.errors import CertificateMalformedError
from p2p.tls import ANCHOR_NAME, ANCHOR_SEED, compute_pin

PEM_BYTES_MAX = 16_384

_NOT_BEFORE = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


class TlsIdentity(Struct, frozen=True):
    """What others learn of a TLS key."""

    pin: bytes
    """SHA-256 of its SubjectPublicKeyInfo, 32 bytes."""
    certificate: bytes
    """DER."""


def create_tls(*, private_key_path: Path, certificate_path: Path, owner: str) -> TlsIdentity:
    """Make a key (mode 0600) and its certificate; raise `ConfigError` where either file exists."""
    key = Ed25519PrivateKey.generate()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_build_name(f"gongji validator {owner}"))
        .issuer_name(_build_name(ANCHOR_NAME))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(Ed25519PrivateKey.from_private_bytes(ANCHOR_SEED), algorithm=None)
    )
    create_file(private_key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    create_file(certificate_path, certificate.public_bytes(Encoding.PEM), mode=PUBLIC_MODE)
    return load_certificate(certificate_path)


def load_certificate(path: Path) -> TlsIdentity:
    """Read a certificate in PEM; raise `ConfigError` naming the file where it is none."""
    try:
        der = ssl.PEM_cert_to_DER_cert(read_file(path, bytes_max=PEM_BYTES_MAX).decode("ascii"))
        return TlsIdentity(pin=compute_pin(der), certificate=der)
    except (ValueError, CertificateMalformedError) as error:
        raise ConfigError(field=str(path), reason=f"is no certificate in PEM: {error}") from error


def _build_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
