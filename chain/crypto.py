"""SHA-256 and Ed25519, in one place.

Signatures are libsodium's (PyNaCl >= 1.6.2) with its strict rules as the written rule of this chain; no second
library may verify (design 2, pitfalls L18-L20). What is signed always starts with a tag line per kind and the
chain id, so that no signature means two things (pitfalls P5, L17).
"""

import hashlib

from nacl.bindings import (
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError, CryptoError

from chain.types import ChainId, Hash, PublicKey, Signature

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
SEED_BYTES = 32
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""Order of the prime-order subgroup of edwards25519."""


def sha256(data: bytes) -> Hash:
    """Return the SHA-256 digest (32 bytes)."""
    return Hash(hashlib.sha256(data).digest())


def signing_bytes(*, kind: str, chain_id: ChainId, body: bytes) -> bytes:
    """Return what a signature of this kind covers: tag line, chain id, canonical body (spec F-2)."""
    return b"gongji/" + kind.encode() + b"/v1\n" + chain_id + body


def verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` (64 bytes) is libsodium-valid for `message` under `public_key` (32 bytes)."""
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except (BadSignatureError, CryptoError):
        return False
    return True


class SigningKey:
    """An Ed25519 key pair made from a 32-byte seed."""

    __slots__ = ("_secret", "public_key", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
        public, self._secret = crypto_sign_seed_keypair(seed)
        self.public_key = PublicKey(public)
        self.seed = seed

    def sign(self, message: bytes) -> Signature:
        """Return the deterministic signature (64 bytes) of `message`."""
        return Signature(crypto_sign(message, self._secret)[:crypto_sign_BYTES])

    def __repr__(self) -> str:
        return f"SigningKey(public_key={self.public_key.hex()})"


# Edge cases of our own (RFC 8032 test 2 and variants): accepted or refused the same on every node, or the node
# does not start. The large public tables run in the test suite (pitfalls L18).
_SELF_CHECK_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
_SELF_CHECK_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def self_check() -> list[str]:
    """Return the names of the edge cases that this machine's libsodium decides otherwise than the rule."""
    s = int.from_bytes(_SELF_CHECK_SIGNATURE[32:], "little")
    malleable = _SELF_CHECK_SIGNATURE[:32] + (s + GROUP_ORDER).to_bytes(32, "little")
    identity_key = b"\x01" + bytes(31)
    small_order_signature = identity_key + bytes(32)
    non_canonical_key = bytes.fromhex("ee" + "ff" * 30 + "7f")
    cases = [
        ("rfc8032-test-2", _SELF_CHECK_KEY, b"\x72", _SELF_CHECK_SIGNATURE, True),
        ("changed-message", _SELF_CHECK_KEY, b"\x73", _SELF_CHECK_SIGNATURE, False),
        ("s-plus-group-order", _SELF_CHECK_KEY, b"\x72", malleable, False),
        ("small-order-key", identity_key, b"\x72", small_order_signature, False),
        ("non-canonical-key", non_canonical_key, b"\x72", small_order_signature, False),
        ("short-signature", _SELF_CHECK_KEY, b"\x72", _SELF_CHECK_SIGNATURE[:63], False),
    ]
    return [
        name
        for name, key, message, signature, accepted in cases
        if verify(public_key=key, message=message, signature=signature) is not accepted
    ]
