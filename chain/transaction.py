"""Signed transactions: format F-3 of docs/spec.md (design 2).

There are no account sequence numbers. A transaction is identified by the hash of its body without the signature,
runs at most once on one chain, and only until `valid_until_ms`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.contract.calls import Call
from chain.crypto import SigningKey, sha256, signing_bytes, verify
from chain.errors import DecodeError
from chain.types import INT_MAX, ChainId, TxId

TRANSACTION_BYTES_MAX = 65_536
TRANSACTION_VERSION = 1


class Body(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the signer asks for, once."""

    version: Annotated[int, Meta(ge=1, le=255)]
    """Format version; 1."""
    chain_id: Bytes32
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]
    """16 random bytes, so that equal calls are different transactions."""
    valid_until_ms: Annotated[int, Meta(ge=0, le=INT_MAX)]
    """Last block time at which it may be included."""
    signer: Bytes32
    """Ed25519 public key."""
    call: Call


class _Envelope(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    body: Raw
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


_envelope_codec = Codec[_Envelope](_Envelope, TRANSACTION_BYTES_MAX, "transaction")
_body_codec = Codec[Body](Body, TRANSACTION_BYTES_MAX, "transaction body")


class Transaction:
    """A decoded transaction with its exact bytes; equal bytes are equal transactions."""

    __slots__ = ("_is_valid", "body", "body_bytes", "raw", "signature", "tx_id")

    def __init__(self, *, body: Body, body_bytes: bytes, signature: bytes) -> None:
        self.body = body
        self.body_bytes = body_bytes
        self.signature = signature
        self.tx_id = TxId(sha256(body_bytes))
        self.raw = join_transaction(body_bytes=body_bytes, signature=signature)
        self._is_valid: bool | None = None

    def is_signature_valid(self) -> bool:
        """Tell whether the signer signed exactly this body for this chain; checked once and remembered."""
        if self._is_valid is None:
            self._is_valid = self._verify()
        return self._is_valid

    def _verify(self) -> bool:
        message = signing_bytes(kind="transaction", chain_id=ChainId(self.body.chain_id), body=self.body_bytes)
        return verify(public_key=self.body.signer, message=message, signature=self.signature)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transaction) and self.raw == other.raw

    def __hash__(self) -> int:
        return int.from_bytes(self.tx_id[:8], "big")


def join_transaction(*, body_bytes: bytes, signature: bytes) -> bytes:
    """Return the full transaction bytes: the array [body, signature]."""
    return b"\x92" + body_bytes + b"\xc4\x40" + signature


def decode_transaction(raw: bytes) -> Transaction:
    """Decode full transaction bytes; raise `DecodeError` unless they are canonical. Does not verify the signature."""
    envelope = _envelope_codec.decode(raw)
    body_bytes = bytes(envelope.body)
    return Transaction(body=_body_codec.decode(body_bytes), body_bytes=body_bytes, signature=envelope.signature)


def decode_body(body_bytes: bytes) -> Body:
    """Decode canonical body bytes."""
    return _body_codec.decode(body_bytes)


def build_transaction(
    *, chain_id: bytes, nonce: bytes, valid_until_ms: int, call: Call, key: SigningKey
) -> Transaction:
    """Build and sign a transaction; raise `DecodeError` where a field is out of its range."""
    body = Body(
        version=TRANSACTION_VERSION,
        chain_id=chain_id,
        nonce=nonce,
        valid_until_ms=valid_until_ms,
        signer=key.public_key,
        call=call,
    )
    body_bytes = encode(body)
    _body_codec.decode(body_bytes)
    message = signing_bytes(kind="transaction", chain_id=ChainId(chain_id), body=body_bytes)
    transaction = Transaction(body=body, body_bytes=body_bytes, signature=key.sign(message))
    if len(transaction.raw) > TRANSACTION_BYTES_MAX:
        raise DecodeError(
            what="transaction", reason=f"{len(transaction.raw)} bytes, at most {TRANSACTION_BYTES_MAX} are allowed"
        )
    return transaction


def count_items(call: Call) -> int:
    """Return how many items a call counts for in the limits of a block: its batch's, else 1."""
    items = getattr(call, "items", None)
    return 1 if items is None else len(items)


def get_call_name(call: Call) -> str:
    """Return the wire name of a call."""
    tag = call.__struct_config__.tag
    if not isinstance(tag, str):
        raise msgspec.ValidationError("a call has a string tag")
    return tag
