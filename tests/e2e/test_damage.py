"""A store that contradicts its roots stops the node; the others go on, and it comes back from its peers."""

import shutil
from pathlib import Path

import pytest

from chain import layout
from chain.store import Store
from chain.types import ChainId
from tests.e2e.network import Network, wait_for

pytestmark = pytest.mark.e2e

EXIT_STOPPED = 70


def test_s5_a_node_whose_store_contradicts_its_roots_stops_and_the_others_go_on(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        with network.open_client(0) as client:
            client.submit(network.build_application(), wait_s=20).require_success()
        wait_for("the block on node 3", lambda: len(network.list_ids(3)) == 1, timeout_s=20)
        network.stop_node(3)
        damage_tree(network, 3)
        network.nodes[3].start()
        assert network.nodes[3].wait(30) == EXIT_STOPPED, network.nodes[3].read_log_tail()
        assert "root" in network.nodes[3].read_log_tail()
        height = network.get_height(0)
        wait_for("the others go on", lambda: network.get_height(0) >= height + 2, timeout_s=20)


def damage_tree(network: Network, index: int) -> None:
    """Swap the records of two nodes of the state tree: each is whole in itself and in the wrong place."""
    for path in network.devnet.get_data_path(index).rglob("CURRENT"):
        store = Store(path.parent, ChainId(network.devnet.chain_id))
        lists = layout.STATE_TREE + b"L"
        rows = list(store.iterate(start=layout.prefix_end(lists), stop=layout.prefix_end(layout.STATE_TREE)))
        assert len(rows) > 2
        (first, left), (last, right) = rows[0], rows[-1]
        store.write([(first, right), (last, left)])
        store.close()


def test_a_node_that_lost_its_database_gets_the_chain_from_its_peers(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        with network.open_client(0) as client:
            client.submit(network.build_application(), wait_s=20).require_success()
        network.stop_node(3)
        for path in list(network.devnet.get_data_path(3).rglob("CURRENT")):
            shutil.rmtree(path.parent)
        network.start_node(3)
        wait_for("the chain is back", lambda: len(network.list_ids(3)) == 1, timeout_s=60)
        network.check_equal()
