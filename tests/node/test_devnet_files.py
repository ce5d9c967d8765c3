from pathlib import Path

import pytest

from chain.errors import ConfigError
from chain.genesis import ROLE_NAMES, compute_chain_id
from node.config import load_config
from node.devnet_files import compute_organisations, create_devnet, load_devnet
from node.genesis_files import load_genesis
from node.identities import load_validator_card
from node.keys import KeyKind, load_key
from node.reveal import STEP, load_reveal
from tests.node.test_genesis_files import TERMS, make_devnet


def test_four_nodes_are_platform_custodian_and_two_auditors(tmp_path: Path) -> None:
    devnet = make_devnet(tmp_path / "net", base_port=9_000)
    genesis = load_genesis(devnet.genesis_path, chain_id=devnet.chain_id.hex())
    owners = [validator.organisation for validator in genesis.validators]
    assert owners == ["platform", "custodian", "auditor-1", "auditor-2"]
    assert [validator.address for validator in genesis.validators] == [f"127.0.0.1:{9_100 + i}" for i in range(4)]
    roles = [ROLE_NAMES[organisation.role] for organisation in genesis.organisations]
    assert [roles.count(role) for role in ROLE_NAMES] == [1, 1, 2, 4, 2]
    assert len({organisation.group for organisation in genesis.organisations}) == len(genesis.organisations)
    assert devnet.get_names("auditor") == ("auditor-1", "auditor-2")


def test_every_node_finds_its_keys_and_its_genesis_by_its_configuration(tmp_path: Path) -> None:
    devnet = make_devnet(tmp_path / "net")
    for node in devnet.nodes:
        config = load_config(devnet.get_config_path(node.index))
        genesis = load_genesis(Path(config.genesis), chain_id=config.chain_id)
        validator = genesis.validators[node.index]
        assert load_key(Path(config.keys.validator), kind=KeyKind.VALIDATOR).public_key == validator.key
        assert load_reveal(Path(config.keys.reveal)).anchor == validator.reveal_anchor
        assert config.listen.p2p == validator.address == node.p2p
        assert f"http://{config.listen.api}" == devnet.get_api_url(node.index)
        assert Path(config.guard).is_file()
        assert devnet.get_data_path(node.index) == Path(config.data_dir)
        card = load_validator_card(devnet.directory / node.directory / "validator.card.json")
        assert card == validator


def test_network_is_found_again_with_the_keys_of_its_institutions(tmp_path: Path) -> None:
    created = make_devnet(tmp_path / "net")
    found = load_devnet(tmp_path / "net")
    assert (found.nodes, found.organisations, found.chain_id) == (
        created.nodes,
        created.organisations,
        created.chain_id,
    )
    genesis = load_genesis(found.genesis_path)
    for organisation in genesis.organisations:
        assert found.load_signing_key(organisation.name).public_key == organisation.key
    assert compute_chain_id(genesis) == found.chain_id


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 7])
def test_any_number_of_nodes_gives_a_valid_genesis_with_one_vote_each(tmp_path: Path, nodes: int) -> None:
    devnet = make_devnet(tmp_path / "net", nodes=nodes)
    owners = [validator.organisation for validator in load_genesis(devnet.genesis_path).validators]
    assert len(owners) == len(set(owners)) == nodes
    assert len(devnet.get_names("auditor")) >= 2


def test_names_of_the_largest_network_are_different() -> None:
    names = [name for name, _ in compute_organisations(64)]
    assert len(names) == len(set(names)) == 2 + 62 + 4 + 2


@pytest.mark.parametrize(
    ("nodes", "base_port", "field"),
    [(0, 8_400, "nodes"), (65, 8_400, "nodes"), (4, 1_023, "port"), (4, 65_432, "port"), (4, 0, "port")],
)
def test_size_that_does_not_fit_makes_no_files(tmp_path: Path, nodes: int, base_port: int, field: str) -> None:
    with pytest.raises(ConfigError) as error:
        create_devnet(
            tmp_path / "net",
            nodes=nodes,
            base_port=base_port,
            plans=(("mutual", "custody-1", TERMS),),
            time_ms=1_769_616_000_000,
            reveal_length=STEP,
        )
    assert error.value.values["field"] == field
    assert not (tmp_path / "net").exists()


def test_existing_network_is_not_overwritten(tmp_path: Path) -> None:
    devnet = make_devnet(tmp_path / "net")
    before = devnet.genesis_path.read_bytes()
    with pytest.raises(ConfigError, match="holds a network already"):
        make_devnet(tmp_path / "net")
    assert devnet.genesis_path.read_bytes() == before


def test_folder_without_a_whole_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_devnet(tmp_path)
    (tmp_path / "devnet.json").write_text("{}")
    with pytest.raises(ConfigError, match="no development network"):
        load_devnet(tmp_path)
