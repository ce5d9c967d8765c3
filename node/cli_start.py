"""The command `start`, by itself: a node does not load the client, the demo or the terminal's tables.

`python -m node.cli_start --config node.toml` is what a development network starts; `gongji start` is the same.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from chain.errors import ConfigError
from node.cli_keys import report_errors
from node.main import run_node

PARENT_OPTION = "--exit-with-parent"
_PR_SET_PDEATHSIG = 1


def start(
    config: Annotated[Path, typer.Option(help="The node's node.toml, as `gongji init` writes it.")],
    parent: Annotated[int, typer.Option(PARENT_OPTION, hidden=True, help="End when this process dies.")] = 0,
) -> None:
    """Run one node until SIGTERM or Ctrl-C."""
    with report_errors():
        if parent:
            exit_with_parent(parent)
        code = run_node(config)
    raise typer.Exit(code)


def exit_with_parent(parent_pid: int) -> None:
    """Let this process get SIGTERM when its parent dies, however it dies (Linux; elsewhere without effect)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:
        raise ConfigError(field=PARENT_OPTION, reason=f"process {parent_pid} is not the parent")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(start)
    app()
