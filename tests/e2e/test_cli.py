"""The commands that talk to a node: `status`, `tx sign`, `tx submit`, `tx get`; and the benchmark's command."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.keys import KeyKind, create_key
from tests.e2e.network import Network, build_application_call, find_base_port

pytestmark = pytest.mark.e2e

GONGJI = [sys.executable, "-m", "node.cli"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("cli") / "net") as started:
        started.start()
        started.put_blob()
        yield started


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GONGJI, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_status_shows_where_every_node_stands(network: Network) -> None:
    result = run("status", *network.processes.urls)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("3/3") == 4


def test_a_transaction_is_signed_submitted_and_looked_at_from_the_terminal(network: Network, tmp_path: Path) -> None:
    url = network.processes.urls[1]
    create_key(tmp_path / "key.json", kind=KeyKind.MEMBER, owner="somebody")
    call = msgspec.json.encode(build_application_call(1)).decode()
    assert base64.b64encode(build_application_call(1).blob_hash).decode() in call
    path = tmp_path / "application.tx"
    signed = run(
        "tx", "sign", call, "--key", str(tmp_path / "key.json"), "--kind", "member", "--output", str(path), "--url", url
    )
    assert signed.returncode == 0, signed.stderr
    tx_id = signed.stdout.strip()
    submitted = run("tx", "submit", str(path), "--wait", "20", "--url", url)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert json.loads(submitted.stdout)["tx_id"] == tx_id
    again = run("tx", "submit", str(path), "--url", url)
    assert json.loads(again.stdout)["height"] == json.loads(submitted.stdout)["height"]
    looked = run("tx", "get", tx_id, "--url", network.processes.urls[3], "--wait", "10")
    assert json.loads(looked.stdout)["code"] == "success"


def test_an_unknown_transaction_is_not_final(network: Network) -> None:
    result = run("tx", "get", "ab" * 32, "--url", network.processes.urls[0])
    assert result.returncode == 75
    assert json.loads(result.stdout)["status"] == "unknown"


def test_the_benchmark_measures_and_writes_its_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [
        sys.executable, "-m", "bench", "--transactions", "1500", "--rate", "200", "--rate-seconds", "2",
        "--seconds", "5", "--overload-seconds", "0", "--skip-settlement",
        "--port", str(find_base_port()), "--json", str(figures),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(figures.read_text())
    assert found["transactions_on_chain"] >= 1_500
    assert found["equal_blocks_on_all_nodes"] is True
    assert found["refused"] == {}
    assert {"machine", "date", "signature_check_us", "cpu_per_signature_check", "full_speed"} <= set(found)
