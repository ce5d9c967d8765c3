"""The commands themselves: `gongji devnet --demo --exit` to its verdict, and a devnet that is told to end."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.network import find_base_port, wait_for

pytestmark = pytest.mark.e2e

GONGJI = [sys.executable, "-m", "node.cli"]
DEMO_SECONDS_MAX = 260


def test_the_demo_of_140_days_ends_with_every_check_met(tmp_path: Path) -> None:
    command = [
        *GONGJI, "devnet", "--dir", str(tmp_path / "net"), "--port", str(find_base_port()),
        "--demo", "--days", "140", "--exit",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False)
    assert result.returncode == 0, result.stdout[-6_000:] + result.stderr[-2_000:]
    assert "all checks hold" in result.stdout
    found = re.search(r"first final transaction ([0-9.]+) s", result.stdout)
    assert found is not None
    assert float(found[1]) < 30
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 2, "a demo needs a new network, or --fresh"
    assert "--fresh" in again.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_devnet_ends_all_its_nodes_when_it_is_told_to(tmp_path: Path, signal_number: int) -> None:
    process, port = start_devnet(tmp_path)
    try:
        children = list_children(process.pid)
        assert len(children) == 4
        process.send_signal(signal_number)
        assert process.wait(40) == 0
        assert not [pid for pid in children if is_running(pid)]
    finally:
        process.kill()
        process.wait()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2, trust_env=False)


def test_nodes_do_not_outlive_a_devnet_that_is_killed(tmp_path: Path) -> None:
    process, _ = start_devnet(tmp_path)
    children = list_children(process.pid)
    assert len(children) == 4
    process.kill()
    process.wait()
    wait_for("the nodes end", lambda: not [pid for pid in children if is_running(pid)], timeout_s=30)


def start_devnet(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = find_base_port()
    log = (folder / "devnet.log").open("wb")
    process = subprocess.Popen(
        [*GONGJI, "devnet", "--dir", str(folder / "net"), "--port", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    log.close()

    def has_blocks() -> bool:
        assert process.poll() is None, (folder / "devnet.log").read_text()
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/v1/blocks/2", timeout=2, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    wait_for("two blocks", has_blocks, timeout_s=40)
    # The signal handlers stand once the status line runs.
    time.sleep(1)
    return process, port


def list_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
