"""`gongji rejoin --only-faulty-node`: a quarantine that cannot end by itself ends by the word of the operator."""

import subprocess
import sys
from pathlib import Path

import pytest

from node.demo.answers import read_int, read_list, read_object, read_text
from tests.e2e.network import NODES, Network, wait_for

pytestmark = pytest.mark.e2e

GONE, FAULTY = 1, 3


def rejoin(network: Network, index: int, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node.cli", "rejoin", "--config", str(network.devnet.get_config_path(index))]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=90, check=False)


def get_mode(network: Network, index: int) -> str:
    return read_text(network.get_consensus(index), "mode")


def test_lost_guard_with_another_validator_gone_for_good_is_ended_by_rejoin(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        network.start()
        refused = rejoin(network, FAULTY, "--only-faulty-node")
        assert refused.returncode == 1
        assert "not in quarantine" in refused.stderr
        network.stop_node(FAULTY)
        network.nodes[GONE].kill()
        (network.devnet.directory / f"node-{FAULTY}" / "guard").unlink()
        network.start_node(FAULTY)
        wait_for("it stands in quarantine", lambda: get_mode(network, FAULTY) == "quarantine", timeout_s=20)
        standing = network.get_height(0)
        wait_for("it has the head", lambda: network.get_height(FAULTY) == network.get_height(0), timeout_s=20)
        assert network.get_height(0) == standing, "two of four make no block"
        asked = rejoin(network, FAULTY)
        assert asked.returncode == 2
        assert "--only-faulty-node" in asked.stderr
        done = rejoin(network, FAULTY, "--only-faulty-node")
        assert done.returncode == 0, done.stderr + done.stdout
        assert "no other validator lies" in done.stdout
        wait_for("blocks again", lambda: network.get_height(0) >= standing + 5, timeout_s=30)
        assert get_mode(network, FAULTY) in {"normal", "changing"}
        with network.open_client(0) as client:
            items = [read_object(item) for item in read_list(client.get("/v1/validators"), "items")]
        shown = [item["rejoined_height"] for item in items]
        assert [height is not None for height in shown] == [index == FAULTY for index in range(NODES)]
        assert standing < read_int(items[FAULTY], "rejoined_height") <= network.get_height(0)
        # It is over for good: a restart brings no quarantine back.
        network.stop_node(FAULTY)
        network.start_node(FAULTY)
        wait_for("it votes after a restart", lambda: get_mode(network, FAULTY) in {"normal", "changing"}, timeout_s=30)
        height = network.get_height(0)
        wait_for("and its votes count", lambda: network.get_height(0) >= height + 3, timeout_s=30)
