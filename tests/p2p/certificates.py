"""Keys and certificates for the tests of the network layer, made as `p2p.tls` says."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from p2p.tls import ANCHOR_NAME, ANCHOR_SEED

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

EARLY = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
LATE = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Identity:
    key: PrivateKey
    pin: bytes
    certificate_path: Path
    private_key_path: Path


def build_anchor() -> x509.Certificate:
    key = Ed25519PrivateKey.from_private_bytes(ANCHOR_SEED)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(key, issuer=ANCHOR_NAME, subject=ANCHOR_NAME)
        .not_valid_before(EARLY)
        .not_valid_after(LATE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, None)
    )


def build_certificate(
    key: PrivateKey,
    *,
    not_after: datetime.datetime = LATE,
    alternative_name: str | None = None,
    is_self_signed: bool = False,
) -> x509.Certificate:
    issuer = "validator" if is_self_signed else ANCHOR_NAME
    builder = _builder(key, issuer=issuer, subject="validator").not_valid_before(EARLY)
    builder = builder.not_valid_after(not_after)
    if alternative_name is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(alternative_name)])
        builder = builder.add_extension(names, critical=False)
    if is_self_signed:
        return builder.sign(key, None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256())
    return builder.sign(Ed25519PrivateKey.from_private_bytes(ANCHOR_SEED), None)


def write_identity(folder: Path, name: str, certificate: x509.Certificate, key: PrivateKey) -> Identity:
    certificate_path = folder / f"{name}.crt"
    private_key_path = folder / f"{name}.key"
    certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
    private_key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Identity(key, get_pin(key), certificate_path, private_key_path)


def make_identity(folder: Path, name: str, *, not_after: datetime.datetime = LATE) -> Identity:
    key = Ed25519PrivateKey.generate()
    return write_identity(folder, name, build_certificate(key, not_after=not_after), key)


def get_pin(key: PrivateKey) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()


def _builder(key: PrivateKey, *, issuer: str, subject: str) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .public_key(key.public_key())
        .serial_number(1)
    )
