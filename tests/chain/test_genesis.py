"""Genesis: its identity and what it may not hold."""

import json
from pathlib import Path

import msgspec
import pytest

from chain.codec import encode
from chain.errors import ConfigError
from chain.genesis import Genesis, compute_chain_id, genesis_codec, validate_genesis
from tests.chain.fixtures import make_genesis

GENESIS = make_genesis()
VECTORS = Path(__file__).parent.parent / "vectors" / "genesis.json"


def test_the_golden_genesis_keeps_its_chain_id() -> None:
    validate_genesis(GENESIS)
    assert compute_chain_id(GENESIS).hex() == json.loads(VECTORS.read_text())["chain_id"]
    assert genesis_codec.decode(encode(GENESIS)) == GENESIS


def replace_organisation(index: int, **fields: object) -> Genesis:
    organisations = list(GENESIS.organisations)
    organisations[index] = msgspec.structs.replace(organisations[index], **fields)
    return msgspec.structs.replace(GENESIS, organisations=tuple(organisations))


@pytest.mark.parametrize(
    ("genesis", "reason"),
    [
        (replace_organisation(1, key=GENESIS.organisations[0].key), "two uses"),
        (replace_organisation(1, key=GENESIS.validators[0].key), "two uses"),
        (replace_organisation(1, name="platform"), "differ"),
        (replace_organisation(2, group=GENESIS.organisations[1].group), "two roles"),
        (replace_organisation(1, role=0), "exactly one"),
        (replace_organisation(3, role=3), "two auditors"),
        (replace_organisation(4, role=4), "4 assessor"),
        (msgspec.structs.replace(GENESIS, plans=GENESIS.plans * 2), "different names"),
        (msgspec.structs.replace(GENESIS, time_ms=5), "validity window"),
    ],
)
def test_a_genesis_against_the_rules_of_the_house_is_refused_with_its_field(genesis: Genesis, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        validate_genesis(genesis)


def test_every_change_gives_another_chain() -> None:
    assert compute_chain_id(GENESIS) != compute_chain_id(replace_organisation(0, group="x"))
