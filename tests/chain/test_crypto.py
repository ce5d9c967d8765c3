"""Ed25519 as this chain decides it: the accept/reject table of public edge cases is pinned (pitfalls L18 to L20)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.crypto import SigningKey, self_check, sha256, signing_bytes, verify
from chain.types import ChainId

TABLE = json.loads((Path(__file__).parent.parent / "vectors" / "ed25519_accepted.json").read_text())
CHAIN = ChainId(bytes(32))


def read_cctv(folder: Path) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    for vector in json.loads((folder / "cctv-ed25519.json").read_text()):
        yield (
            str(vector["number"]),
            bytes.fromhex(vector["key"]),
            vector["msg"].encode(),
            bytes.fromhex(vector["sig"]),
        )


def read_speccheck(folder: Path) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    for number, vector in enumerate(json.loads((folder / "speccheck-ed25519.json").read_text())):
        yield (
            str(number),
            bytes.fromhex(vector["pub_key"]),
            bytes.fromhex(vector["message"]),
            bytes.fromhex(vector["signature"]),
        )


def read_wycheproof(folder: Path) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    for group in json.loads((folder / "wycheproof-ed25519.json").read_text())["testGroups"]:
        for vector in group["tests"]:
            key = bytes.fromhex(group["publicKey"]["pk"])
            yield str(vector["tcId"]), key, bytes.fromhex(vector["msg"]), bytes.fromhex(vector["sig"])


READERS = {"cctv": read_cctv, "speccheck": read_speccheck, "wycheproof": read_wycheproof}


@pytest.mark.parametrize("name", sorted(READERS))
def test_l18_the_accepted_vectors_are_exactly_those_of_the_pinned_table(name: str, shared_dir: Path) -> None:
    vectors = list(READERS[name](shared_dir / "vectors"))
    accepted = [
        number
        for number, key, message, signature in vectors
        if verify(public_key=key, message=message, signature=signature)
    ]
    assert len(vectors) == TABLE[name]["vectors"]
    assert accepted == TABLE[name]["accepted"]


def test_this_machines_libsodium_passes_the_start_check() -> None:
    assert self_check() == []


def test_l20_a_signature_with_s_raised_by_the_group_order_is_refused() -> None:
    key = SigningKey(bytes(range(32)))
    signature = key.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    raised = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert verify(public_key=key.public_key, message=b"message", signature=signature)
    assert not verify(public_key=key.public_key, message=b"message", signature=raised)


@pytest.mark.parametrize("change", ["kind", "chain", "body"])
def test_l17_a_signature_holds_for_one_kind_one_chain_and_one_body(change: str) -> None:
    key = SigningKey(bytes(range(32)))
    signature = key.sign(signing_bytes(kind="prepare", chain_id=CHAIN, body=b"body"))
    kind = "commit" if change == "kind" else "prepare"
    chain = ChainId(sha256(b"another")) if change == "chain" else CHAIN
    body = b"other" if change == "body" else b"body"
    message = signing_bytes(kind=kind, chain_id=chain, body=body)
    assert not verify(public_key=key.public_key, message=message, signature=signature)


def test_a_seed_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="31"):
        SigningKey(bytes(31))


def test_the_representation_of_a_key_never_shows_its_seed() -> None:
    key = SigningKey(bytes(range(32)))
    assert key.seed.hex() not in repr(key)
