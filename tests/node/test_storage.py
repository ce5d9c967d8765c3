"""Storage: keys that do not fit genesis are refused by name, and everything is found again after a restart."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.crypto import sha256
from chain.errors import ConfigError, StoreError
from chain.genesis import Genesis
from chain.types import Hash
from node.config import NodeConfig, load_config
from node.devnet_files import Devnet, load_devnet
from node.genesis_files import load_genesis
from node.storage import Storage, find_own_index
from tests.node.in_process import run_cluster


@pytest.fixture
def devnet(template: Devnet, tmp_path: Path) -> Devnet:
    shutil.copytree(template.directory, tmp_path / "n")
    return load_devnet(tmp_path / "n")


def get_config(devnet: Devnet, index: int = 0) -> NodeConfig:
    return load_config(devnet.get_config_path(index))


def test_first_start_makes_block_zero_and_resumes_without_quarantine(devnet: Devnet) -> None:
    storage = Storage(get_config(devnet, 2), load_genesis(devnet.genesis_path))
    assert storage.own_index == 2
    assert storage.ledger.height == 0
    assert storage.restart.quarantine is None
    assert storage.get_last_link() == storage.ledger.genesis.validators[2].reveal_anchor
    assert storage.find_reveal(storage.get_last_link()) != storage.get_last_link()
    storage.close()


def test_key_that_genesis_does_not_name_is_refused(devnet: Devnet) -> None:
    genesis = load_genesis(devnet.genesis_path)
    with pytest.raises(ConfigError) as caught:
        find_own_index(genesis, bytes(32))
    assert caught.value.values["field"] == "keys.validator"


def test_checkpoint_key_of_another_validator_is_refused(devnet: Devnet) -> None:
    config, other = get_config(devnet, 0), get_config(devnet, 1)
    mixed = replace(config, keys=replace(config.keys, checkpoint=other.keys.checkpoint))
    with pytest.raises(ConfigError) as caught:
        Storage(mixed, load_genesis(devnet.genesis_path))
    assert caught.value.values["field"] == "keys.checkpoint"


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
