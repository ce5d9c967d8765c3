"""Storage: keys that do not fit genesis are refused by name, and everything is found again after a restart."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.crypto import sha256
from chain.errors import ConfigError, InvariantViolation, StoreError
from chain.genesis import Genesis
from chain.types import Hash
from node.config import NodeConfig, load_config
from node.devnet_files import Devnet, load_devnet
from node.genesis_files import load_genesis
from node.identities import VALIDATOR_CARD, create_validator, get_key_paths, load_validator_card
from node.storage import Storage
from tests.node.in_process import run_cluster


@pytest.fixture
def devnet(template: Devnet, tmp_path: Path) -> Devnet:
    shutil.copytree(template.directory, tmp_path / "n")
    return load_devnet(tmp_path / "n")


def get_config(devnet: Devnet, index: int = 0) -> NodeConfig:
    return load_config(devnet.get_config_path(index))


def test_first_start_makes_block_zero_and_resumes_without_quarantine(devnet: Devnet) -> None:
    storage = Storage(get_config(devnet, 2), load_genesis(devnet.genesis_path))
    assert storage.own == storage.ledger.genesis.validators[2]
    assert storage.ledger.height == 0
    assert storage.restart.quarantine is None
    assert storage.get_last_link() == storage.ledger.genesis.validators[2].reveal_anchor
    assert storage.find_reveal(storage.get_last_link()) != storage.get_last_link()
    storage.close()


def test_node_that_no_set_names_knows_itself_by_its_files(devnet: Devnet) -> None:
    """It follows, and waits for the consortium to take it in."""
    create_validator(devnet.directory / "node-4", organisation="auditor-1", address="127.0.0.1:9", reveal_length=1_024)
    keys = get_key_paths(devnet.directory / "node-4")
    folder = str(devnet.directory / "node-4")
    config = replace(get_config(devnet), keys=keys, data_dir=f"{folder}/data", guard=f"{folder}/guard", name="new")
    storage = Storage(config, load_genesis(devnet.genesis_path))
    card = load_validator_card(devnet.directory / "node-4" / VALIDATOR_CARD)
    assert (storage.own.key, storage.own.tls_pin, storage.own.organisation) == (card.key, card.tls_pin, "new")
    assert storage.restart.quarantine is None
    with pytest.raises(InvariantViolation):
        storage.get_last_link()
    storage.close()


@pytest.mark.parametrize("field", ["checkpoint", "tls_certificate"])
def test_file_of_another_validator_is_refused_by_its_name(devnet: Devnet, field: str) -> None:
    config, other = get_config(devnet, 0), get_config(devnet, 1)
    mixed = replace(config, keys=replace(config.keys, **{field: getattr(other.keys, field)}))
    with pytest.raises(ConfigError) as caught:
        Storage(mixed, load_genesis(devnet.genesis_path))
    assert caught.value.values["field"] == f"keys.{field}"


@pytest.mark.parametrize(
    ("name", "content", "mode", "said"),
    [
        ("cursor.secret", None, 0o600, "cursor.secret, reason=cannot be read"),
        ("cursor.secret", b"short", 0o600, "cursor.secret, reason=is no secret in hex"),
        ("tls-key.pem", b"", 0o644, "tls-key.pem, reason=has mode 0644; a secret must have 0600"),
        ("tls-key.pem", b"no key", 0o600, "keys.tls_private_key, reason=.*no matching pair"),
        ("tls-key.pem", None, 0o600, "tls-key.pem, reason=cannot be read"),
    ],
)
def test_secret_that_cannot_be_used_is_named_before_anything_is_opened(
    devnet: Devnet, name: str, content: bytes | None, mode: int, said: str
) -> None:
    path = devnet.get_config_path(0).parent / "keys" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content or path.read_bytes())
        path.chmod(mode)
    data = Path(get_config(devnet).data_dir)
    with pytest.raises(ConfigError, match=said):
        Storage(get_config(devnet), load_genesis(devnet.genesis_path))
    assert not (data / "ledger").exists()


def test_database_of_another_chain_is_refused(devnet: Devnet) -> None:
    genesis = load_genesis(devnet.genesis_path)
    Storage(get_config(devnet), genesis).close()
    with pytest.raises(StoreError):
        Storage(get_config(devnet), replace(genesis, name="another"))


async def test_c37_lost_guard_is_quarantine_and_not_a_fresh_start(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        await cluster.stop(0)
        config = cluster.get_config(0)
        Path(config.guard).unlink()
        storage = Storage(config, cluster.genesis)
        assert storage.restart.quarantine is not None
        storage.close()


async def test_reveal_goes_on_from_the_last_link_of_the_state(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        proposer = next(
            index for index in range(4) if cluster[index].storage.get_last_link() != get_anchor(cluster.genesis, index)
        )
        last = cluster[proposer].storage.get_last_link()
        assert last == cluster[proposer].ledger.header.reveal
        await cluster.stop(proposer)
        storage = Storage(cluster.get_config(proposer), cluster.genesis)
        assert storage.get_last_link() == last
        assert sha256(storage.find_reveal(last)) == Hash(last)
        storage.close()


def get_anchor(genesis: Genesis, index: int) -> bytes:
    return genesis.validators[index].reveal_anchor


async def test_c34_folder_of_a_node_that_runs_is_not_opened_twice(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 0) as cluster:
        with pytest.raises(StoreError):
            Storage(cluster.get_config(0), cluster.genesis)
