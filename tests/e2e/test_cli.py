"""The commands that talk to a node: `status`, `tx sign`, `tx submit`, `tx get`; and the benchmark's command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli_tx import render_call
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
    call = render_call(build_application_call(1)).decode()
    shown = json.loads(call)
    assert shown["name"] == "member_apply"
    assert shown["blob_hash"] == build_application_call(1).blob_hash.hex()
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


def test_a_call_is_looked_up_and_sent_from_the_terminal_and_what_it_did_is_told(
    network: Network, tmp_path: Path
) -> None:
    """One command for each: what member_leave asks for, a member's own leave, and a stranger's, which is refused."""
    url = network.processes.urls[2]
    fields = run("tx", "calls", "member_leave").stdout
    assert fields == "member_leave\n    member: 64 hex digits\n"
    for owner in ("member", "stranger"):
        create_key(tmp_path / f"{owner}.json", kind=KeyKind.MEMBER, owner=owner)
    application = tmp_path / "application.json"
    application.write_bytes(render_call(build_application_call(2)))
    key = ("--kind", "member", "--wait", "20", "--url", url)
    applied = run("tx", "send", f"@{application}", "--key", str(tmp_path / "member.json"), *key)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    member = json.loads(applied.stdout)["tx_id"]
    leave = json.dumps({"name": "member_leave", "member": member})
    refused = run("tx", "send", leave, "--key", str(tmp_path / "stranger.json"), *key)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert json.loads(refused.stdout)["code"] == "not_owner"
    left = run("tx", "send", leave, "--key", str(tmp_path / "member.json"), *key)
    assert left.returncode == 0, left.stdout + left.stderr
    with network.open_client(2) as client:
        assert client.get(f"/v1/members/{member}")["status"] == "left"


def test_an_unknown_transaction_is_not_final(network: Network) -> None:
    result = run("tx", "get", "ab" * 32, "--url", network.processes.urls[0])
    assert result.returncode == 75
    assert json.loads(result.stdout)["status"] == "unknown"


def test_a_vault_is_erased_and_its_receipt_is_signed_and_sent(network: Network, tmp_path: Path) -> None:
    member, vault, secret = "ab" * 32, str(tmp_path / "bank.vault"), tmp_path / "secret.hex"
    secret.write_text("11" * 32)
    secret.chmod(0o600)
    assert run("vault", "init", vault, "--organisation", "custodian").returncode == 0
    assert run("vault", "put", vault, member, "profile-key", "--from", str(secret)).returncode == 0
    create_key(tmp_path / "key.json", kind=KeyKind.SIGNING, owner="custodian")
    url = network.processes.urls[2]
    erased = run("vault", "erase", vault, member, "--key", str(tmp_path / "key.json"), "--wait", "20", "--url", url)
    # The key is nobody's on this chain: the receipt is on it, and refused.
    assert erased.returncode == 1, erased.stdout + erased.stderr
    assert json.loads(erased.stdout)["code"] == "wrong_role"
    assert "profile-key" not in run("vault", "list", vault).stdout


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
