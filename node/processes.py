"""Node processes of a development network: started, watched and ended by this process, reliably.

Children run in a session of their own, so that Ctrl-C in the terminal reaches only the parent, which then
ends them in order; and they end themselves when the parent dies without a word (node/cli_start.py)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from node.client_errors import NodeUnreachable

TERMINATE_SECONDS = 10.0
"""How long a node may take to end on SIGTERM before it is killed."""
READY_SECONDS = 60.0
POLL_SECONDS = 0.1
LOG_NAME = "node.log"
PARENT_OPTION = "--exit-with-parent"
"""As in node/cli_start.py, which is not imported here: this process is no node."""


class NodeProcess:
    """One `gongji start` as a child."""

    def __init__(self, config_path: Path, *, url: str) -> None:
        self.config_path = config_path
        self.url = url
        self.log_path = config_path.parent / LOG_NAME
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the id of the running process."""
        return None if self._process is None or self.exit_code is not None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended: None while it runs or before it was started, negative for a signal."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; its log goes to `node.log` beside its configuration."""
        self._close_log()
        self._log = self.log_path.open("ab")
        command = [
            sys.executable,
            "-m",
            "node.cli_start",
            "--config",
            str(self.config_path),
            PARENT_OPTION,
            str(os.getpid()),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def send(self, signal_number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal_number)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; return the exit code, None if it still runs."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it with SIGKILL and wait."""
        self.send(signal.SIGKILL)
        self.wait(TERMINATE_SECONDS)
        self._close_log()

    def read_log_tail(self, lines: int = 20) -> str:
        """Return the end of its log."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


class NodeProcesses:
    """All nodes of one network on this machine; leaving the context ends every one of them."""

    def __init__(self, config_paths: Sequence[Path], urls: Sequence[str]) -> None:
        self.nodes = tuple(NodeProcess(path, url=url) for path, url in zip(config_paths, urls, strict=True))

    @property
    def urls(self) -> tuple[str, ...]:
        """Return the base URLs of REST by index."""
        return tuple(node.url for node in self.nodes)

    def add(self, config_path: Path, url: str) -> NodeProcess:
        """Watch one more node, not yet started."""
        node = NodeProcess(config_path, url=url)
        self.nodes = (*self.nodes, node)
        return node

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all of them."""
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        """End all: SIGTERM to each, and SIGKILL to those that do not end in time."""
        for node in self.nodes:
            node.send(signal.SIGTERM)
        deadline = time.monotonic() + TERMINATE_SECONDS
        for node in self.nodes:
            node.wait(max(0.0, deadline - time.monotonic()))
        for node in self.nodes:
            node.kill()

    def check_alive(self) -> None:
        """Raise `NodeUnreachable` with the end of its log where a node has ended."""
        for node in self.nodes:
            if node.exit_code is not None:
                raise NodeUnreachable(
                    detail=f"{node.url} ended with {node.exit_code}; {node.log_path} ends:\n{node.read_log_tail()}"
                )

    def wait_alive(self, timeout_s: float = READY_SECONDS, *, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Wait until every node answers or `should_stop`; raise `NodeUnreachable` where one ends or stays silent."""
        deadline = time.monotonic() + timeout_s
        for node in self.nodes:
            while not should_stop() and not is_alive(node.url):
                self.check_alive()
                if time.monotonic() > deadline:
                    raise NodeUnreachable(detail=f"{node.url} does not answer after {timeout_s} s")
                time.sleep(POLL_SECONDS)


def is_alive(url: str) -> bool:
    """Tell whether a node answers /livez."""
    try:
        return httpx.get(f"{url}/livez", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
