"""Votes and certificates: Q COMMIT signatures of one view on one block (consensus 1)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import sha256, signing_bytes, verify
from chain.errors import GongjiError
from chain.types import INT_MAX, ChainId, Hash, Height, View
from chain.validators import VALIDATORS_MAX, ValidatorSet, compute_quorum

GENESIS_VERSION = 1
"""Protocol version of block 0, and of every block until governance schedules another."""
PROTOCOL_VERSION = 1
"""Newest protocol version that this software implements."""
SUPPORTED_VERSIONS = tuple(range(GENESIS_VERSION, PROTOCOL_VERSION + 1))
"""Every version that it implements: it can replay the whole chain."""
CERTIFICATE_BYTES_MAX = 16_384

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
VoteSignature = tuple[
    Annotated[int, Meta(ge=0, lt=VALIDATORS_MAX)], Annotated[bytes, Meta(min_length=64, max_length=64)]
]
"""(index of the signer in set(h), its signature)."""


class VoteBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What PROPOSAL, PREPARE and COMMIT sign; the kind is in the tag line, never in the body."""

    version: Annotated[int, Meta(ge=1, le=255)]
    """Protocol version of the height."""
    height: Number
    view: Number
    block_hash: Bytes32


class Certificate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """C(h, u, x): the proof that block x is final at height h."""

    height: Number
    view: Number
    block_hash: Bytes32
    votes: Annotated[tuple[VoteSignature, ...], Meta(max_length=VALIDATORS_MAX)]
    """COMMIT signatures by ascending index, each signer once; empty for genesis only."""


certificate_codec = Codec[Certificate](Certificate, CERTIFICATE_BYTES_MAX, "certificate")


class CertificateInvalid(GongjiError):
    """A certificate that does not prove its block."""

    def __init__(self, reason: str, *, height: int, view: int) -> None:
        super().__init__("proof_invalid", reason=reason, height=height, view=view)


def hash_certificate(certificate: Certificate) -> Hash:
    """Return the hash that the next header commits to."""
    return sha256(encode(certificate))


def vote_message(*, kind: str, chain_id: ChainId, height: Height, view: View, block_hash: Hash, version: int) -> bytes:
    """Return the bytes that a vote of `kind` ("proposal", "prepare" or "commit") signs."""
    body = encode(VoteBody(version=version, height=height, view=view, block_hash=block_hash))
    return signing_bytes(kind=kind, chain_id=chain_id, body=body)


def validate_votes(  # noqa: PLR0913 - the message that was signed, and whose votes count
    *,
    kind: str,
    height: Height,
    view: View,
    block_hash: Hash,
    votes: tuple[VoteSignature, ...],
    validators: ValidatorSet,
    chain_id: ChainId,
    version: int,
    known: frozenset[VoteSignature] = frozenset(),
) -> None:
    """Raise `CertificateInvalid` unless a quorum of distinct members of the set signed exactly this.

    `validators` and `version` are those of the height: of no other height's set does any vote count (pitfalls C25).

    `known` are votes on this very (kind, h, v, x) that the caller verified before: each signature is checked once.
    """
    message = vote_message(
        kind=kind, chain_id=chain_id, height=height, view=view, block_hash=block_hash, version=version
    )
    if len(votes) < compute_quorum(len(validators)):
        raise CertificateInvalid(f"{len(votes)} signatures are no quorum", height=height, view=view)
    last = -1
    for vote in votes:
        index, signature = vote
        if index <= last or index >= len(validators):
            raise CertificateInvalid(f"signer {index} is repeated, unsorted or unknown", height=height, view=view)
        last = index
        if vote in known:
            continue
        if not verify(public_key=validators[index].key, message=message, signature=signature):
            raise CertificateInvalid(f"the signature of validator {index} is wrong", height=height, view=view)


def validate_certificate(
    certificate: Certificate,
    *,
    validators: ValidatorSet,
    chain_id: ChainId,
    genesis_hash: Hash,
    version: int,
    known: frozenset[VoteSignature] = frozenset(),
) -> None:
    """Raise `CertificateInvalid` unless the certificate proves its block under set(h) and the version of h."""
    if certificate.height == 0:
        if certificate != genesis_certificate(genesis_hash):
            raise CertificateInvalid("not the genesis certificate", height=0, view=certificate.view)
        return
    validate_votes(
        kind="commit",
        height=Height(certificate.height),
        view=View(certificate.view),
        block_hash=Hash(certificate.block_hash),
        votes=certificate.votes,
        validators=validators,
        chain_id=chain_id,
        version=version,
        known=known,
    )


def genesis_certificate(genesis_hash: Hash) -> Certificate:
    """Return C(0): genesis, view 0, empty."""
    return Certificate(height=0, view=0, block_hash=genesis_hash, votes=())
