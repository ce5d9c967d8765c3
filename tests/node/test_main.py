"""What a node refuses before it opens anything."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli_keys import EXIT_CONFIG
from node.devnet_files import Devnet


@pytest.mark.parametrize("taken", ["p2p", "api"])
def test_a_node_whose_address_is_taken_says_so_before_it_opens_its_database(
    template: Devnet, tmp_path: Path, taken: str
) -> None:
    directory = tmp_path / "net"
    shutil.copytree(template.directory, directory)
    config = directory / template.get_config_path(0).relative_to(template.directory)
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as released:
        addresses = {name: f"127.0.0.1:{released.getsockname()[1]}" for name in ("p2p", "api")}
        addresses[taken] = f"127.0.0.1:{other.getsockname()[1]}"
        lines = config.read_text(encoding="utf-8").splitlines()
        listen = [f'{name} = "{address}"' for name, address in addresses.items()]
        kept = [line for line in lines if not line.startswith(("p2p = ", "api = "))]
        kept[kept.index("[listen]") + 1 : kept.index("[listen]") + 1] = listen
        config.write_text("\n".join(kept) + "\n", encoding="utf-8")
        released.close()
        result = subprocess.run(
            [sys.executable, "-m", "node.cli_start", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == EXIT_CONFIG, result.stderr
    assert result.stderr.startswith(f"error: listen.{taken}: {addresses[taken]}: Address already in use")
    assert result.stderr.count("\n") == 1
    assert not (config.parent / "data").exists()
