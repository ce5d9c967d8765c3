"""TLS 1.3 between validators: mutual authentication by pinned public keys, no public CA.

A peer's identity is the SHA-256 of its certificate's SubjectPublicKeyInfo (the *pin*), which genesis or
governance holds; names and validity dates are ignored, so certificates neither expire together (pitfalls
P31) nor need a change of the chain when they are made anew with the same key. What is used is the meaning
of raw public keys (RFC 7250).

The standard library can ask a client for a certificate only if it also verifies a chain up to a trust
anchor it was given, and genesis holds pins, not certificates. So validators' certificates are issued by an
anchor whose private key is public on purpose (`ANCHOR_SEED`): that chain proves nothing and is not meant
to. What counts is

1. TLS 1.3's CertificateVerify: the other side holds the private key of the certificate it shows; OpenSSL
checks it
   in every mode, on both sides;
2. `compute_peer_pin`, compared with the peer table as soon as the handshake is complete and before any byte
of
   application data is looked at.

Certificates themselves are made elsewhere (this package has no library for it): issuer = `ANCHOR_NAME`,
signed with the Ed25519 key of `ANCHOR_SEED`, any subject, any dates.
"""

import hashlib
import ssl
from pathlib import Path

from p2p.errors import CertificateMalformedError, ConfigurationError

PIN_BYTES = 32
SERVER_NAME = "validator.gongji.invalid"
"""Sent as server name, the same for all: who answers is decided by the pin."""

ANCHOR_NAME = "gongji tls anchor v1"
"""Common name, and the only name attribute, of the issuer of every validator's certificate."""
ANCHOR_SEED = hashlib.sha256(b"gongji/tls-anchor/v1\n").digest()
"""Ed25519 private key of the anchor, known to everybody: it protects nothing, see above."""
ANCHOR_CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBFDCBx6ADAgECAgEBMAUGAytlcDAfMR0wGwYDVQQDDBRnb25namkgdGxzIGFu
Y2hvciB2MTAgFw0wMDAxMDEwMDAwMDBaGA85OTk5MTIzMTIzNTk1OVowHzEdMBsG
A1UEAwwUZ29uZ2ppIHRscyBhbmNob3IgdjEwKjAFBgMrZXADIQA1UNARLlFrqIty
xZodJ1x6MrmhbpwTIGm3UT437NuzA6MmMCQwEgYDVR0TAQH/BAgwBgEB/wIBADAO
BgNVHQ8BAf8EBAMCAgQwBQYDK2VwA0EAcVc97W9z/edb3rczll3t9STzUzSCE1xA
BC/iCL169xLksM3gtHo8G+JZAKmKS0BinltuyGWC4bAcHchCldzvAw==
-----END CERTIFICATE-----
"""

_X509_V_FLAG_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's flag "ignore validity dates"; the ssl module passes it on without having a name for it."""

_TAG_INTEGER = 0x02
_TAG_SEQUENCE = 0x30
_TAG_VERSION = 0xA0
_LENGTH_LONG = 0x80
_LENGTH_BYTES_MAX = 3


def build_server_context(*, certificate_path: Path, private_key_path: Path) -> ssl.SSLContext:
    """Build the context of the accepting side: a client must show a certificate and own its key.

    Raises ConfigurationError where the files are no matching PEM pair, or Python is too old.
    """
    context = _build_context(ssl.PROTOCOL_TLS_SERVER, certificate_path, private_key_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ANCHOR_CERTIFICATE)
    context.verify_flags |= _X509_V_FLAG_NO_CHECK_TIME
    # A resumed session would skip the proof of possession.
    context.num_tickets = 0
    return context


def build_client_context(*, certificate_path: Path, private_key_path: Path) -> ssl.SSLContext:
    """Build the context of the dialling side; the server's certificate is judged by its pin alone.

    Raises ConfigurationError where the files are no matching PEM pair, or Python is too old.
    """
    context = _build_context(ssl.PROTOCOL_TLS_CLIENT, certificate_path, private_key_path)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def load_pin(certificate_path: Path) -> bytes:
    """Read a PEM certificate and return its pin.

    Raises ConfigurationError where the file holds no certificate.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate_path.read_text(encoding="ascii"))
        return compute_pin(der)
    except (ValueError, CertificateMalformedError) as error:
        raise ConfigurationError(field="certificate_path", detail=f"no certificate in PEM form: {error}") from error


def compute_peer_pin(connection: ssl.SSLObject) -> bytes:
    """Return the pin of the other side of a TLS connection whose handshake is complete.

    Raises CertificateMalformedError where it showed no certificate that can be read (peer's fault).
    """
    der = connection.getpeercert(binary_form=True)
    if der is None:
        raise CertificateMalformedError("the peer showed no certificate")
    return compute_pin(der)


def compute_pin(certificate_der: bytes) -> bytes:
    """Return the SHA-256 of the DER SubjectPublicKeyInfo of a certificate (RFC 7469 section 2.4).

    Raises CertificateMalformedError where the bytes have not the form of RFC 5280 section 4.1.
    """
    _, start, end = _read_element(certificate_der, 0, len(certificate_der), _TAG_SEQUENCE)
    _, offset, end = _read_element(certificate_der, start, end, _TAG_SEQUENCE)
    if offset < end and certificate_der[offset] == _TAG_VERSION:
        offset = _read_element(certificate_der, offset, end, _TAG_VERSION)[2]
    # serial number, signature algorithm, issuer, validity, subject
    for tag in (_TAG_INTEGER, _TAG_SEQUENCE, _TAG_SEQUENCE, _TAG_SEQUENCE, _TAG_SEQUENCE):
        offset = _read_element(certificate_der, offset, end, tag)[2]
    first, _, last = _read_element(certificate_der, offset, end, _TAG_SEQUENCE)
    return hashlib.sha256(certificate_der[first:last]).digest()


def _build_context(protocol: int, certificate_path: Path, private_key_path: Path) -> ssl.SSLContext:
    # CVE-2023-40217 (pitfalls A7) concerns SSLSocket; connections here are SSLObjects over memory.
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate_path, private_key_path)
    except OSError as error:
        detail = f"{certificate_path} and {private_key_path} are no matching pair in PEM form: {error}"
        raise ConfigurationError(field="certificate_path", detail=detail) from error
    return context


def _read_element(der: bytes, offset: int, limit: int, tag: int) -> tuple[int, int, int]:
    # Returns where the element, its contents and what follows begin.
    if offset + 2 > limit or der[offset] != tag:
        raise CertificateMalformedError(f"certificate: element {tag:#x} expected at {offset}")
    length, start = der[offset + 1], offset + 2
    if length & _LENGTH_LONG:
        length_bytes = length & ~_LENGTH_LONG
        if not 1 <= length_bytes <= _LENGTH_BYTES_MAX or start + length_bytes > limit:
            raise CertificateMalformedError(f"certificate: bad length at {offset}")
        length = int.from_bytes(der[start : start + length_bytes])
        start += length_bytes
    if start + length > limit:
        raise CertificateMalformedError(f"certificate: element at {offset} is too long")
    return offset, start, start + length
