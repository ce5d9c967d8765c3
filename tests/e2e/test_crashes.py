"""Killed nodes: the chain goes on, nothing acknowledged is lost, nothing runs twice."""

import time
from pathlib import Path

import pytest

from chain.genesis import Parameters
from tests.e2e.network import NODES, Network, run_load, wait_for

pytestmark = pytest.mark.e2e

NEXT_COMMIT_S = 3.0
"""The next commit after a leader is killed."""


def test_leader_killed_during_load_is_replaced_and_comes_back(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        with run_load(network, rate=100) as load:
            wait_for("load on the chain", lambda: len(load.acknowledged) > 200, timeout_s=30)
            leader = network.get_leader(0)
            survivor = (leader + 1) % NODES
            network.nodes[leader].kill()
            height = network.get_height(survivor)
            # What was on its way to a commit may still arrive: two more heights need a new leader.
            took = wait_for(
                "two commits without the leader",
                lambda: network.get_height(survivor) >= height + 2,
                timeout_s=NEXT_COMMIT_S,
                every_s=0.05,
            )
            assert took <= NEXT_COMMIT_S
            time.sleep(2)
            network.start_node(leader)
            wait_for_vote(network, leader, seen_by=survivor)
        network.check_equal()
        network.check_ledger(load.acknowledged)


def test_all_nodes_killed_at_once_go_on_from_the_same_chain(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        with run_load(network, rate=100) as load:
            wait_for("load on the chain", lambda: len(load.acknowledged) > 300, timeout_s=30)
            for node in network.nodes:
                node.kill()
        before = set(load.acknowledged)
        for node in network.nodes:
            node.start()
        network.processes.wait_alive()
        height = max(network.get_height(index) for index in range(NODES))
        wait_for("blocks after the restart", lambda: network.get_height(0) >= height + 2, timeout_s=30)
        # A 202 survives the death of all nodes: what was acknowledged and not yet in a block is still run.
        network.check_ledger(before)
        network.check_equal()
        for index in range(NODES):
            wait_for_vote(network, index, seen_by=0)


def test_a_node_that_missed_hundreds_of_blocks_catches_up_while_load_continues(tmp_path: Path) -> None:
    fast_blocks = Parameters(idle_interval_ms=60, block_gap_ms=20, tenure=10)
    with Network(tmp_path / "net", parameters=fast_blocks) as network:
        network.start()
        network.put_blob()
        with run_load(network, rate=60) as load:
            network.stop_node(3)
            missed_from = network.get_height(0)
            wait_for("hundreds of blocks", lambda: network.get_height(0) >= missed_from + 200, timeout_s=90)
            network.start_node(3)
            wait_for(
                "the node is at the head",
                lambda: network.get_height(3) >= network.get_height(0) - 2,
                timeout_s=60,
            )
            wait_for_vote(network, 3, seen_by=0)
        network.check_equal()
        network.check_ledger(load.acknowledged)


def test_two_of_four_dead_stop_the_chain_and_one_more_lets_it_go_on(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        dead = (2, 3)
        names = {network.devnet.nodes[index].organisation for index in dead}
        for index in dead:
            network.nodes[index].kill()
        time.sleep(1)
        height = network.check_equal(0, 1)
        transaction = network.build_application()
        with network.open_client(0) as client:
            assert client.submit(transaction, wait_s=4).status in {"received", "pending"}
        assert network.check_equal(0, 1) == height, "a block was committed without a quorum"
        wait_for(
            "consensus names the missing",
            lambda: names <= set(_get_missing(network)),
            timeout_s=20,
        )
        assert names <= set(_get_unconnected(network))
        network.start_node(2)
        with network.open_client(0) as client:
            assert client.wait(transaction.tx_id, timeout_s=40).is_success
        network.check_equal(0, 1, 2)


def _get_missing(network: Network) -> list[str]:
    missing = network.get_consensus(0).get("missing")
    assert isinstance(missing, list)
    return [str(name) for name in missing]


def _get_unconnected(network: Network) -> list[str]:
    validators = network.get_consensus(0).get("validators")
    assert isinstance(validators, list)
    return [str(row["organisation"]) for row in validators if not row["is_connected"]]


def wait_for_vote(network: Network, voter: int, *, seen_by: int) -> None:
    """Wait until an agreed certificate holds the signature of a node."""

    def has_voted() -> bool:
        height = network.get_height(seen_by)
        return height > 1 and voter in network.get_voters(seen_by, height - 1)

    wait_for(f"node {voter} votes", has_voted, timeout_s=40, every_s=0.2)
