"""Certificates: a quorum of one view, each signer once, in order."""

import json
from pathlib import Path

import msgspec
import pytest

from chain.certificate import (
    Certificate,
    CertificateInvalid,
    certificate_codec,
    genesis_certificate,
    hash_certificate,
    validate_certificate,
    vote_message,
)
from chain.codec import encode
from chain.errors import DecodeError
from chain.types import ChainId, Hash, Height, View
from tests.chain.fixtures import VALIDATORS, make_genesis, make_key

SET = make_genesis().validators
CHAIN = ChainId(bytes(range(32)))
GENESIS = Hash(bytes(32))
X = Hash(bytes(range(32, 64)))
VECTORS = Path(__file__).parent.parent / "vectors" / "certificate.json"


def sign(
    index: int, *, kind: str = "commit", view: int = 2, block_hash: Hash = X, version: int = 1
) -> tuple[int, bytes]:
    message = vote_message(
        kind=kind, chain_id=CHAIN, height=Height(7), view=View(view), block_hash=block_hash, version=version
    )
    return index, make_key(f"validator {VALIDATORS[index]}").sign(message)


def build(*votes: tuple[int, bytes]) -> Certificate:
    return Certificate(height=7, view=2, block_hash=X, votes=votes)


def check(certificate: Certificate) -> None:
    validate_certificate(certificate, validators=SET, chain_id=CHAIN, genesis_hash=GENESIS, version=1)


def test_a_quorum_of_commits_of_one_view_is_a_certificate() -> None:
    check(build(sign(0), sign(1), sign(3)))
    check(build(sign(0), sign(1), sign(2), sign(3)))


def test_the_golden_certificate_keeps_its_bytes_and_hash() -> None:
    vector = json.loads(VECTORS.read_text())
    certificate = build(sign(0), sign(1), sign(3))
    assert encode(certificate).hex() == vector["bytes"]
    assert hash_certificate(certificate).hex() == vector["hash"]


@pytest.mark.parametrize(
    "votes",
    [
        (sign(0), sign(1)),
        (sign(0), sign(0), sign(1)),
        (sign(1), sign(0), sign(2)),
        (sign(0), sign(1), (9, sign(2)[1])),
        (sign(0), sign(1), (3, sign(2)[1])),
        (sign(0), sign(1), sign(2, view=1)),
        (sign(0), sign(1), sign(2, kind="prepare")),
        (sign(0), sign(1), sign(2, block_hash=Hash(bytes(32)))),
        (sign(0), sign(1), sign(2, version=2)),
    ],
    ids=[
        "too-few",
        "twice",
        "unsorted",
        "unknown",
        "not-his",
        "other-view",
        "p5-a-prepare",
        "other-block",
        "other-version",
    ],
)
def test_what_is_no_quorum_of_this_view_and_block_is_refused(votes: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(CertificateInvalid):
        check(build(*votes))


def test_c27_an_index_out_of_range_never_decodes() -> None:
    data = msgspec.msgpack.decode(encode(build(sign(0), sign(1), sign(2))))
    data[3][2][0] = 64
    with pytest.raises(DecodeError, match="63"):
        certificate_codec.decode(msgspec.msgpack.encode(data))


def test_genesis_has_one_certificate_only() -> None:
    check(genesis_certificate(GENESIS))
    with pytest.raises(CertificateInvalid):
        check(Certificate(height=0, view=1, block_hash=GENESIS, votes=()))


def test_votes_verified_before_are_not_verified_again_and_others_are() -> None:
    forged = (0, bytes(64))
    known = frozenset({forged})
    validate_certificate(
        build(forged, sign(1), sign(2)),
        validators=SET,
        chain_id=CHAIN,
        genesis_hash=GENESIS,
        version=1,
        known=known,
    )
    with pytest.raises(CertificateInvalid):
        check(build(forged, sign(1), sign(2)))
