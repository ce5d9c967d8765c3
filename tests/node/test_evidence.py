"""Evidence: kept durably, bounded, and good for whoever verifies it without this node."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.certificate import VoteBody
from chain.crypto import SigningKey, sha256, verify
from chain.types import ChainId, Signature
from chain.validators import Validator
from consensus.effects import Evidence
from consensus.messages import UNSIGNED, Prepare, attach_signature, get_signed_bytes
from node.devnet_files import Devnet
from node.evidence import EACH_MAX, EvidenceStore
from node.keys import KeyKind, load_key
from tests.node.in_process import run_cluster
from tests.simulator.ledger import build_validator

CHAIN = ChainId(bytes(range(32)))
KEY = SigningKey(bytes(32))
LIAR: Validator = replace(build_validator(1), key=KEY.public_key)


def sign(height: int, word: bytes, *, key: SigningKey = KEY, chain: ChainId = CHAIN) -> Prepare:
    body = VoteBody(version=1, height=height, view=2, block_hash=sha256(word))
    message = Prepare(body=body, signer=1, signature=UNSIGNED)
    signed = attach_signature(message, Signature(key.sign(get_signed_bytes(message, chain))))
    assert isinstance(signed, Prepare)
    return signed


def keep(store: EvidenceStore, height: int, *, key: SigningKey = KEY) -> bool:
    first, second = (sign(height, word, key=key) for word in (b"one", b"other"))
    return store.keep(replace(LIAR, key=key.public_key), first, second, wall_ms=1_000)


def test_evidence_outlives_a_restart_and_verifies_for_a_stranger(tmp_path: Path) -> None:
    assert keep(EvidenceStore(tmp_path / "evidence", CHAIN), 7)
    store = EvidenceStore(tmp_path / "evidence", CHAIN)
    (found,) = store.list_all()
    assert (found.key, found.height, found.view, found.step) == (KEY.public_key, 7, 2, 3)
    assert found.first_body != found.second_body
    for body, signature in (
        (found.first_body, found.first_signature),
        (found.second_body, found.second_signature),
    ):
        assert verify(public_key=found.key, message=store.get_signed(found, body), signature=signature)


def test_one_position_is_kept_once_and_a_validator_fills_no_disk(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, CHAIN)
    assert keep(store, 1)
    assert not keep(store, 1)
    kept = sum(keep(store, height) for height in range(2, 3 * EACH_MAX))
    assert kept == EACH_MAX - 1
    assert [item.height for item in store.list_all()] == list(range(1, EACH_MAX + 1))
    assert len(list(tmp_path.glob("*.bin"))) == EACH_MAX


def test_many_validators_together_fill_no_disk_and_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.evidence.FILES_MAX", 3)
    store = EvidenceStore(tmp_path, CHAIN)
    keys = [SigningKey(bytes([number] * 32)) for number in range(5)]
    assert [keep(store, height, key=key) for height, key in enumerate(keys)] == [True, True, True, False, False]
    assert len(list(tmp_path.glob("*.bin"))) == 3
    assert [item.height for item in EvidenceStore(tmp_path, CHAIN).list_all()] == [0, 1, 2]
    monkeypatch.setattr("node.evidence.FILES_MAX", 2)
    assert [item.height for item in EvidenceStore(tmp_path, CHAIN).list_all()] == [0, 1]


def test_file_that_was_changed_is_left_alone_and_shown_to_nobody(tmp_path: Path) -> None:
    keep(EvidenceStore(tmp_path, CHAIN), 3)
    (path,) = tmp_path.glob("*.bin")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert EvidenceStore(tmp_path, CHAIN).list_all() == ()
    assert path.exists()
    path.write_bytes(b"no record")
    assert EvidenceStore(tmp_path, CHAIN).list_all() == ()


async def test_two_votes_of_one_validator_are_found_kept_and_shown(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        node = cluster[0]
        key = load_key(Path(cluster.get_config(2).keys.validator), kind=KeyKind.VALIDATOR)
        chain_id = node.ledger.chain_id
        first, second = (sign(2, word, key=key, chain=chain_id) for word in (b"one", b"other"))
        node.runtime._on_fault(Evidence(signer=2, first=replace(first, signer=2), second=replace(second, signer=2)))
        (shown,) = node.condition.list_evidence()
        assert (shown.key, shown.kind, shown.height) == (key.public_key, "prepare", 2)
        assert shown.organisation == node.ledger.validators[2].organisation
        assert verify(public_key=shown.key, message=shown.second.signed, signature=shown.second.signature)
        await cluster.stop(0)
        await cluster.start(0)
        assert len(cluster[0].condition.list_evidence()) == 1


@pytest.mark.parametrize("height", [0, 2**53 - 1])
def test_heights_of_all_sizes_make_names_in_order(height: int, tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, CHAIN)
    assert keep(store, height)
    assert [path.name[:16] for path in tmp_path.glob("*.bin")] == [f"{height:016d}"]
