"""The blind index: bank and auditors turn an ID number into a person index that neither can compute alone (contract 6).

    bank, who knows the number     P  = hash_to_point(number)      T1 = k_B * P
    auditors, who see T1 only      T2 = k_A * T1                   k_A shared 2 of 3: two auditors and an escrow
    both                           person_index = SHA-256(tag || [plan, epoch, T2])

The group is the subgroup of prime order L of edwards25519, as libsodium has it (no ristretto there). Every point that
comes from others must lie in it: one of small order would give away a key's residue, and one with a part of small
order would give several indexes to one person. libsodium's own test was incomplete before PyNaCl 1.6.2 (pitfalls L19),
so the test is done here as well, by (L - 1) * P = -P. These low-level calls serve the commands of bank and auditors;
no rule of the ledger depends on them.

A proof shows that images have one and the same factor to their bases (Chaum and Pedersen 1992; made non-interactive
by SHA-512 over the whole statement, as Bernhard, Pereira and Warinschi 2012 ask for): (c, s) with
c = H(tag, bases, images, commitments) and commitment_i = s * base_i - c * image_i. The nonce is a hash of secret and
statement, so nothing here needs randomness. Key shares are dealt as by Pedersen 1991, each dealer with Feldman's
commitments and a proof that he knows his part, so that no single place ever holds k_A.

What a proof over T1 must not become: it names P, so whoever holds it can try out all ID numbers. It stays with the
bank.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Final, NewType

from msgspec import Meta, Struct
from nacl import bindings
from nacl.exceptions import CryptoError

from chain.codec import encode
from chain.contract.call_base import Bytes32
from chain.crypto import GROUP_ORDER, sha256
from chain.errors import InvariantViolation, ProofError
from chain.types import Hash

Point = NewType("Point", bytes)
"""32 bytes: a point of the prime-order subgroup, checked by `read_point` where it came from others."""
Scalar = NewType("Scalar", bytes)
"""32 bytes, little-endian, 0 < n < L: a key or a share of one."""

THRESHOLD: Final = 2
"""Shares that are needed: the polynomials have the degree THRESHOLD - 1."""
HOLDERS: Final = (1, 2, 3)
"""Places at which shares are evaluated: first auditor, second auditor, escrow."""

_IDENTITY: Final = b"\x01" + bytes(31)
_BASE: Final = Point(b"\x58" + b"\x66" * 31)
_ORDER_LESS_ONE: Final = (GROUP_ORDER - 1).to_bytes(32, "little")
_CHALLENGE_TAG: Final = b"gongji/blind-proof/v1\n"
_NONCE_TAG: Final = b"gongji/blind-nonce/v1\n"


class Purpose(Enum):
    """What a text is turned into; each has tags of its own, so that no value of one is a value of another."""

    PERSON = "person"
    """ID number -> person index."""
    BILL = "bill"
    """Number of a bill -> bill tag."""
    PAYER = "payer"
    """Account number -> payer token."""


class Proof(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Shows that images have one factor to their bases, without showing the factor."""

    challenge: Bytes32
    response: Bytes32


class Dealing(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The public part of what one dealer contributes to a shared key."""

    commitments: Annotated[tuple[Bytes32, ...], Meta(min_length=THRESHOLD, max_length=THRESHOLD)]
    """Each coefficient of the dealer's polynomial times the base point, the constant first."""
    proof: Proof
    """The dealer knows the constant: nobody can choose his part so that it cancels another's."""


# --- points and scalars ---


def read_point(data: bytes, *, what: str) -> Point:
    """Return a point that came from others; raise `ProofError` unless it is one of the prime-order subgroup.

    Refused: other lengths, encodings that are not canonical or not on the curve, the identity, points of small order,
    and points with a part of small order.
    """
    if len(data) != bindings.crypto_core_ed25519_BYTES or not bindings.crypto_core_ed25519_is_valid_point(data):
        raise ProofError(f"{what} is no point of the group")
    try:
        last = bindings.crypto_scalarmult_ed25519_noclamp(_ORDER_LESS_ONE, data)
        total = bindings.crypto_core_ed25519_add(last, data)
    except CryptoError as error:
        raise ProofError(f"{what} is no point of the group") from error
    if total != _IDENTITY:
        raise ProofError(f"{what} is not in the subgroup of prime order")
    return Point(data)


def read_scalar(data: bytes, *, what: str) -> Scalar:
    """Return a key or share that came from a file; raise `ProofError` unless 0 < n < L."""
    if len(data) != bindings.crypto_core_ed25519_SCALARBYTES or not 0 < int.from_bytes(data, "little") < GROUP_ORDER:
        raise ProofError(f"{what} is no scalar of the group")
    return Scalar(data)


def reduce_scalar(data: bytes) -> Scalar:
    """Return 64 uniform bytes modulo L; zero, which nobody ever meets, is our own fault."""
    scalar = bindings.crypto_core_ed25519_scalar_reduce(data)
    if not any(scalar):
        raise InvariantViolation("a scalar of zero")
    return Scalar(scalar)


def multiply(scalar: Scalar, point: Point) -> Point:
    """Return scalar * point; the point must have been checked."""
    try:
        return Point(bindings.crypto_scalarmult_ed25519_noclamp(scalar, point))
    except CryptoError as error:
        raise ProofError("a product is not in the group") from error


def compute_public_point(key: Scalar) -> Point:
    """Return the public point of a key: key * base point."""
    return multiply(key, _BASE)


def hash_to_point(purpose: Purpose, text: bytes) -> Point:
    """Return a point whose factor to any other is known to nobody: the sum of two Elligator maps of SHA-512."""
    tag = f"gongji/blind-{purpose.value}/v1\n".encode()
    digest = hashlib.sha512(tag + text).digest()
    halves = [bindings.crypto_core_ed25519_from_uniform(half) for half in (digest[:32], digest[32:])]
    return Point(bindings.crypto_core_ed25519_add(halves[0], halves[1]))


# --- proofs ---


def prove(factor: Scalar, pairs: Sequence[tuple[Point, Point]]) -> Proof:
    """Prove that image = factor * base for each (base, image)."""
    statement = b"".join(base + image for base, image in pairs)
    nonce = reduce_scalar(hashlib.sha512(_NONCE_TAG + factor + statement).digest())
    commitments = b"".join(multiply(nonce, base) for base, _ in pairs)
    challenge = reduce_scalar(hashlib.sha512(_CHALLENGE_TAG + statement + commitments).digest())
    product = bindings.crypto_core_ed25519_scalar_mul(challenge, factor)
    return Proof(challenge=challenge, response=bindings.crypto_core_ed25519_scalar_add(nonce, product))


def verify(proof: Proof, pairs: Sequence[tuple[Point, Point]]) -> None:
    """Raise `ProofError` unless one factor leads from each base to its image; the points must have been checked."""
    challenge = read_scalar(proof.challenge, what="the challenge")
    response = read_scalar(proof.response, what="the response")
    statement = b"".join(base + image for base, image in pairs)
    commitments = b"".join(
        bindings.crypto_core_ed25519_sub(multiply(response, base), multiply(challenge, image)) for base, image in pairs
    )
    if reduce_scalar(hashlib.sha512(_CHALLENGE_TAG + statement + commitments).digest()) != challenge:
        raise ProofError("the images do not have one factor to their bases")


def evaluate(key: Scalar, point: Point) -> tuple[Point, Proof]:
    """Return key * point, and the proof that it is the key of `compute_public_point(key)`."""
    image = multiply(key, point)
    return image, prove(key, ((_BASE, compute_public_point(key)), (point, image)))


def verify_evaluation(proof: Proof, *, public_point: Point, point: Point, image: Point) -> None:
    """Raise `ProofError` unless `image` is `point` times the key of the public point."""
    verify(proof, ((_BASE, public_point), (point, image)))


# --- a key shared two of three ---


def deal(coefficients: Sequence[Scalar]) -> tuple[Dealing, dict[int, Scalar]]:
    """Return what a dealer publishes, and the secret sub-share for each holder.

    `coefficients` are THRESHOLD uniform scalars; the key is the sum of all dealers' constants.
    """
    if len(coefficients) != THRESHOLD:
        raise InvariantViolation(f"{len(coefficients)} coefficients for a threshold of {THRESHOLD}")
    commitments = tuple(compute_public_point(coefficient) for coefficient in coefficients)
    proof = prove(coefficients[0], ((_BASE, commitments[0]),))
    return Dealing(commitments=commitments, proof=proof), {
        holder: _evaluate_polynomial(coefficients, holder) for holder in HOLDERS
    }


def _evaluate_polynomial(coefficients: Sequence[Scalar], place: int) -> Scalar:
    at = place.to_bytes(32, "little")
    value = bytes(32)
    for coefficient in reversed(coefficients):
        product = bindings.crypto_core_ed25519_scalar_mul(value, at)
        value = bindings.crypto_core_ed25519_scalar_add(product, coefficient)
    return read_scalar(value, what="a share")


def validate_dealing(dealing: Dealing) -> None:
    """Raise `ProofError` unless the dealer knows the constant that the dealing commits to."""
    points = [read_point(point, what="a commitment") for point in dealing.commitments]
    verify(dealing.proof, ((_BASE, points[0]),))


def compute_share_point(dealings: Sequence[Dealing], holder: int) -> Point:
    """Return the public point of a holder's share; raise `ProofError` for a holder that there is not."""
    if holder not in HOLDERS:
        raise ProofError(f"there is no holder {holder}")
    at = Scalar(holder.to_bytes(32, "little"))
    total = _IDENTITY
    for dealing in dealings:
        points = [Point(point) for point in dealing.commitments]
        value: bytes = points[-1]
        for point in reversed(points[:-1]):
            value = bindings.crypto_core_ed25519_add(multiply(at, Point(value)), point)
        total = bindings.crypto_core_ed25519_add(total, value)
    return read_point(total, what="the public point of a share")


def compute_joint_point(dealings: Sequence[Dealing]) -> Point:
    """Return the public point of the shared key."""
    total = _IDENTITY
    for dealing in dealings:
        total = bindings.crypto_core_ed25519_add(total, dealing.commitments[0])
    return read_point(total, what="the public point of the shared key")


def join_shares(dealings: Sequence[Dealing], subshares: Sequence[Scalar], *, holder: int) -> Scalar:
    """Return a holder's share: the sum of what the dealers gave him.

    Raises `ProofError` for a sub-share that does not lie on its dealer's polynomial, with the dealer's number (from 1).
    """
    total = bytes(32)
    for number, (dealing, subshare) in enumerate(zip(dealings, subshares, strict=True), start=1):
        if compute_public_point(subshare) != compute_share_point((dealing,), holder):
            raise ProofError(f"the sub-share of dealer {number} is not on its polynomial")
        total = bindings.crypto_core_ed25519_scalar_add(total, subshare)
    return read_scalar(total, what="the share")


def combine(partials: Mapping[int, Point]) -> Point:
    """Return key * point from THRESHOLD partial evaluations by holder: Lagrange in the exponent.

    Each must have been verified against its holder's public point; the order and the choice of holders change nothing.
    """
    if len(partials) != THRESHOLD or any(holder not in HOLDERS for holder in partials):
        raise ProofError(f"{THRESHOLD} different holders are needed")
    total: bytes = _IDENTITY
    for holder in sorted(partials):
        weight = _compute_weight(holder, [other for other in partials if other != holder])
        total = bindings.crypto_core_ed25519_add(total, multiply(weight, partials[holder]))
    return read_point(total, what="the combined evaluation")


def _compute_weight(holder: int, others: Sequence[int]) -> Scalar:
    """Return the Lagrange coefficient of a holder at 0: the product of j / (j - i), public numbers."""
    weight = 1
    for other in others:
        weight = weight * other * pow(other - holder, -1, GROUP_ORDER) % GROUP_ORDER
    return Scalar(weight.to_bytes(32, "little"))


# --- rotation ---


def rotate(old_key: Scalar, new_key: Scalar, image: Point) -> tuple[Point, Proof]:
    """Return (new key / old key) * image, and the proof that the same quotient leads from public point to public point.

    So a rotated key needs neither the numbers nor anybody's T1 again.
    """
    quotient = Scalar(
        bindings.crypto_core_ed25519_scalar_mul(new_key, bindings.crypto_core_ed25519_scalar_invert(old_key))
    )
    rotated = multiply(quotient, image)
    return rotated, prove(quotient, ((compute_public_point(old_key), compute_public_point(new_key)), (image, rotated)))


def verify_rotation(proof: Proof, *, old_point: Point, new_point: Point, image: Point, rotated: Point) -> None:
    """Raise `ProofError` unless `rotated` is `image` under the key of the new public point instead of the old one."""
    verify(proof, ((old_point, new_point), (image, rotated)))


# --- what goes on the chain ---


def compute_person_index(image: Point, *, plan: str, epoch: int) -> Hash:
    """Return the person index of a plan: SHA-256(tag || [plan, epoch, T2]); two plans cannot be compared by it."""
    return sha256(b"gongji/person-index/v1\n" + encode((plan, epoch, image)))


def compute_bill_tag(image: Point, *, plan: str) -> Hash:
    """Return the tag of a bill: SHA-256(tag || [plan, T2])."""
    return sha256(b"gongji/bill-tag/v1\n" + encode((plan, image)))


def compute_payer_token(image: Point, *, plan: str) -> Hash:
    """Return the token of a payer: SHA-256(tag || [plan, T2])."""
    return sha256(b"gongji/payer-token/v1\n" + encode((plan, image)))
