"""The tour of the README, run word by word against four real nodes."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY
from tests.e2e.network import Network

pytestmark = pytest.mark.e2e


def test_the_python_of_the_tour_joins_and_another_node_shows_the_member(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    with Network(tmp_path / "net") as network:
        network.start()
        first, second = network.processes.urls[:2]
        code = block[1].replace("http://127.0.0.1:8400", first).replace("http://127.0.0.1:8401", second)
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False
        )
        assert ran.returncode == 0, ran.stderr
        said, address = ran.stdout.split("\n")[:2]
        assert re.fullmatch(r"committed in block [1-9][0-9]*", said)
        answer = httpx.get(address, timeout=10)
        assert (answer.status_code, answer.json()["status"]) == (200, "applied")
