"""One node put together: what `gongji start` runs.

    keys, genesis, store, ledger -> pool, guard, journals -> runtime, mesh, REST -> until a signal or a failure

Everything runs in one event loop and one TaskGroup. A failure of the disk, a refusal of the guard or a broken invariant
ends the process with a non-zero code and says why; it never goes on from a state that it cannot trust.
"""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvloop

from chain.crypto import self_check
from chain.errors import ConfigError, InvariantViolation, StoreError
from chain.genesis import Genesis, compute_chain_id
from node.assembly import Node
from node.config import NodeConfig, load_config, parse_address
from node.genesis_files import load_genesis
from node.logs import configure_logs, get_logger
from node.rest import build_rest_server

METRICS_SECONDS = 1.0
LAG_SECONDS = 0.25
GC_THRESHOLDS = (100_000, 20, 50)
"""Records are acyclic and freed by their reference counts: looking for cycles after every 700 of them, as Python does
by default, costs a busy node several per cent of its time and finds next to nothing."""
PID_NAME = "pid"
"""File in the data folder with the process id, while the node runs."""
LoopContext = dict[str, object]
"""What asyncio tells an exception handler."""
EXIT_FAILURE = 70
"""EX_SOFTWARE: the node stopped itself."""


def run_node(config_path: Path) -> int:
    """Run a node until SIGTERM or SIGINT; return the exit code. Raises `ConfigError` before anything is opened."""
    config = load_config(config_path)
    genesis = load_genesis(Path(config.genesis))
    chain_id = compute_chain_id(genesis)
    if config.chain_id and config.chain_id != chain_id.hex():
        raise ConfigError(field="chain_id", reason=f"the genesis file is of chain {chain_id.hex()}")
    configure_logs(log_format=config.log.format, level=config.log.level, node=config.name, chain=chain_id.hex()[:16])
    wrong = self_check()
    if wrong:
        raise ConfigError(field="libsodium", reason=f"decides otherwise than the rule: {', '.join(wrong)}")
    return uvloop.run(_run(config, genesis))


async def _run(config: NodeConfig, genesis: Genesis) -> int:
    log = get_logger("node")
    stopping = asyncio.Event()
    failure: list[str] = []

    def stop(reason: str) -> None:
        failure.append(reason)
        stopping.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_build_exception_handler(stop))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        listener = _listen(config)
        await _try_p2p(config)
        node = Node(config, genesis, boot_id=secrets.token_bytes(16), nonce=secrets.token_bytes(16), stop=stop)
    except (StoreError, InvariantViolation, OSError) as error:
        log.error("not_started", reason=str(error))  # noqa: TRY400 - one line for the operator, no trace
        return EXIT_FAILURE
    pid_path = Path(config.data_dir) / PID_NAME
    pid_path.write_text(f"{os.getpid()}\n", encoding="ascii")
    try:
        await _serve(node, config, genesis, listener=listener, stopping=stopping)
    except* (StoreError, InvariantViolation, OSError) as group:
        failure.extend(f"{type(error).__name__}: {error}" for error in group.exceptions)
    finally:
        node.close()
        pid_path.unlink(missing_ok=True)
    if failure:
        log.error("stopped", reason="; ".join(failure))
        return EXIT_FAILURE
    log.info("stopped", reason="signal", height=node.ledger.height)
    return 0


async def _serve(
    node: Node, config: NodeConfig, genesis: Genesis, *, listener: socket.socket, stopping: asyncio.Event
) -> None:
    log = get_logger("node")
    async with asyncio.TaskGroup() as tasks:
        journal_task = tasks.create_task(node.pool_journal.run(), name="pool journal")
        server = build_rest_server(node, config, genesis)
        server_task = tasks.create_task(server.serve(sockets=[listener]), name="rest")
        lag_task = tasks.create_task(_measure_lag(node), name="loop lag")
        candidacy_task = tasks.create_task(node.candidacy.run(), name="candidacy")
        try:
            await node.mesh.start(tasks)
        except OSError as error:
            raise OSError(f"listen.p2p {config.listen.p2p}: {error.strerror or error}") from error
        restored = node.begin()
        # A large live heap would make full collections visible in block time (state-tree 9.9).
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        log.info(
            "started",
            height=node.ledger.height,
            organisation=node.organisation,
            p2p=config.listen.p2p,
            api=config.listen.api,
            restored_transactions=restored,
        )
        await stopping.wait()
        node.runtime.close()
        server.should_exit = True
        await node.mesh.close()
        await server_task
        for task in (journal_task, lag_task, candidacy_task):
            task.cancel()


def _build_exception_handler(stop: Callable[[str], None]) -> Callable[[asyncio.AbstractEventLoop, LoopContext], None]:
    """Return a handler for what a callback raised: a failed disk or invariant stops the node, all else is logged."""
    log = get_logger("loop")

    def handle(_: asyncio.AbstractEventLoop, context: LoopContext) -> None:
        error = context.get("exception")
        if isinstance(error, StoreError | InvariantViolation):
            stop(f"{type(error).__name__}: {error}")
        exc_info = error if isinstance(error, BaseException) else None
        log.error("callback_failed", message=str(context.get("message")), exc_info=exc_info)

    return handle


def _listen(config: NodeConfig) -> socket.socket:
    """Listen for REST; raise `ConfigError` where the address cannot be had."""
    host, port = parse_address(config.listen.api, field="listen.api")
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1_024
        )
    except OSError as error:
        raise ConfigError(field="listen.api", reason=f"{config.listen.api}: {error.strerror}") from error


async def _try_p2p(config: NodeConfig) -> None:
    """Raise `ConfigError` where the address for validators cannot be had, before the database is opened.

    It is only tried: the mesh listens there itself, once it can answer.
    """
    host, port = parse_address(config.listen.p2p, field="listen.p2p")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # As the listener does: what is left of connections of the last run is nobody.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigError(field="listen.p2p", reason=f"{config.listen.p2p}: {error.strerror}") from error


async def _measure_lag(node: Node) -> None:
    """Measure how late the loop runs its timers."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        node.metrics.loop_lag_seconds.set(max(0.0, loop.time() - due))
