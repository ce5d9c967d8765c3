"""A development network on this machine: its files, its processes, its status line, and the demo on it."""

import asyncio
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from chain.clock import ClockPoint
from chain.crypto import SigningKey
from chain.errors import ConfigError
from chain.genesis import Genesis, Parameters
from node.client_errors import ClientError
from node.demo.figures import load_plan
from node.demo.performance import Performance, Progress, Script, Verdict
from node.demo.table import build_table, build_verdict
from node.devnet_files import HOST, MANIFEST, P2P_PORT_OFFSET, Devnet, create_devnet, load_devnet
from node.devnet_status import StatusLine
from node.genesis_files import load_genesis
from node.processes import NodeProcesses

DAY_MS = 86_400_000
START_MS = 1_766_970_000_000
"""Block time 2025-12-29T01:00:00Z, 9:00 on the 29th in China: no notice window before the 7th."""
JOINING_MS = 25_000
"""Real time for joining, start of the processes included."""
DAY_WALL_MS = 700
"""Wall time of a day in the fast part."""
VALIDITY_WINDOW_MS = 14 * DAY_MS
"""Some ten seconds of wall time in the fast part."""
IDLE_INTERVAL_MS = 250
REVEALS = 2**18
"""Links of each validator's randomness chain, one for each block that it will ever propose: three idle days."""
TENURE = 10
"""A draw needs reveals of f + 1 proposers: short turns bring them within a few days of the fast part."""
BOOKS_NAME = "demo-books.json"
SCRIPT_NAME = "demo-script.json"
PLAN_NAME = "critical-illness-demo"
ACCOUNT_NAME = "custody-demo"
EXIT_CHECKS_FAILED = 1
LINE_SECONDS = 10.0
"""Between two status lines where the output is no terminal."""


class DevnetOptions(Struct, frozen=True):
    """What `gongji devnet` was asked for."""

    directory: Path
    port: int = 8400
    nodes: int = 4
    is_demo: bool = False
    is_exit: bool = False
    """End after the demo."""
    is_fresh: bool = False
    """Remove an earlier network in the folder."""
    script: Script = Script()
    reveal_length: int = REVEALS


def build_demo_clock(*, wall_ms: int, days: int) -> tuple[ClockPoint, ...]:
    """Return the clock of a demo: real time for joining, a day in 0.7 s for `days` days, then real time
    again."""
    fast_wall, fast_block = wall_ms + JOINING_MS, START_MS + JOINING_MS
    return (
        (wall_ms, START_MS),
        (fast_wall, fast_block),
        (fast_wall + days * DAY_WALL_MS, fast_block + days * DAY_MS),
    )


def create_network(directory: Path, *, nodes: int, port: int, days: int | None, reveal_length: int = REVEALS) -> Devnet:
    """Create a network with the demo plan; with `days`, on the demo's clock, else on the wall clock.

    Raises `ConfigError` where the folder holds a network already or a value does not fit.
    """
    wall_ms = time.time_ns() // 1_000_000
    is_demo = days is not None
    return create_devnet(
        directory,
        nodes=nodes,
        base_port=port,
        plans=((PLAN_NAME, ACCOUNT_NAME, load_plan("plan-demo")),),
        time_ms=START_MS if is_demo else wall_ms,
        clock=build_demo_clock(wall_ms=wall_ms, days=days) if days is not None else (),
        parameters=Parameters(
            idle_interval_ms=IDLE_INTERVAL_MS,
            tenure=TENURE,
            validity_window_ms=VALIDITY_WINDOW_MS if is_demo else 3_600_000,
        ),
        reveal_length=reveal_length,
    )


def open_processes(devnet: Devnet) -> NodeProcesses:
    """Return the processes of a network, not yet started."""
    indexes = [node.index for node in devnet.nodes]
    return NodeProcesses(
        [devnet.get_config_path(index) for index in indexes], [devnet.get_api_url(index) for index in indexes]
    )


def load_keys(devnet: Devnet) -> dict[str, SigningKey]:
    """Return the signing keys of all institutions of a development network by name."""
    return {item.name: devnet.load_signing_key(item.name) for item in devnet.organisations}


def prepare(options: DevnetOptions, console: Console) -> tuple[Devnet, bool]:
    """Create the network, or find the one in the folder; return it and whether it is new."""
    directory = options.directory
    if (directory / MANIFEST).exists() and not options.is_fresh:
        addresses = [address for node in load_devnet(directory).nodes for address in (node.api, node.p2p)]
    else:
        ports = [options.port + offset + index for index in range(options.nodes) for offset in (0, P2P_PORT_OFFSET)]
        addresses = [f"{HOST}:{port}" for port in ports]
    # First of all: else the status line would show the network that has the ports, and --fresh would remove its files.
    require_free(addresses)
    if options.is_fresh and (directory / MANIFEST).exists():
        # Only a folder that this program filled is ever removed.
        shutil.rmtree(directory)
    if not (directory / MANIFEST).exists():
        days = options.script.days if options.is_demo else None
        devnet = create_network(
            directory,
            nodes=options.nodes,
            port=options.port,
            days=days,
            reveal_length=options.reveal_length,
        )
        console.print(f"made a network of {options.nodes} nodes in {directory}")
        return devnet, True
    if options.is_exit and options.is_demo:
        raise ConfigError(field=str(directory), reason="holds a network already: the demo needs a new one (--fresh)")
    devnet = load_devnet(directory)
    console.print(f"found a network of {len(devnet.nodes)} nodes in {directory}; --fresh makes a new one")
    return devnet, False


def require_free(addresses: Iterable[str]) -> None:
    """Raise `ConfigError` where somebody listens on one of these addresses already."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except OverflowError:
                return  # no port at all: named by who makes the network
            except OSError as error:
                reason = f"{error.strerror}: end what runs there, or make a network with another --dir and --port"
                raise ConfigError(field=address, reason=reason) from error


def run_devnet(options: DevnetOptions, console: Console) -> int:
    """Run a development network until Ctrl-C or SIGTERM, or with `is_exit` until the demo is over.

    Returns the exit code: 0, or 1 where the demo's checks do not hold. Raises `ConfigError` where the
    network cannot be made, `NodeUnreachable` where a node does not start."""
    devnet, is_new = prepare(options, console)
    genesis = load_genesis(devnet.genesis_path)
    with open_processes(devnet) as processes:
        processes.start()
        return asyncio.run(_run(options, devnet, genesis, processes, console, is_new=is_new))


async def _run(
    options: DevnetOptions,
    devnet: Devnet,
    genesis: Genesis,
    processes: NodeProcesses,
    console: Console,
    *,
    is_new: bool,
) -> int:
    loop = asyncio.get_running_loop()
    main_task = asyncio.current_task()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        if main_task is not None:
            main_task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    status = StatusLine(processes, clock_note=describe_clock(genesis))
    try:
        await asyncio.to_thread(processes.wait_alive, should_stop=lambda: stopped)
        with open_display(console) as refresh:
            async with asyncio.TaskGroup() as tasks:
                line = tasks.create_task(status.run(refresh))
                code = await _perform(options, devnet, genesis, console, status, is_new=is_new)
                line.cancel()
        return code
    except asyncio.CancelledError:
        if not stopped:
            raise
        console.print("stopping the nodes")
        return 0


async def _perform(
    options: DevnetOptions,
    devnet: Devnet,
    genesis: Genesis,
    console: Console,
    status: StatusLine,
    *,
    is_new: bool,
) -> int:
    if not options.is_demo:
        await asyncio.Event().wait()

    def show(progress: Progress) -> None:
        status.progress = progress

    performance = Performance(
        [devnet.get_api_url(node.index) for node in devnet.nodes],
        genesis,
        load_keys(devnet),
        options.script,
        books_path=devnet.directory / BOOKS_NAME,
        show=show,
    )
    code = 0
    try:
        if is_new:
            verdict = await performance.play()
            show_verdict(console, verdict, days=options.script.days, first_final_s=status.first_final_s)
            code = 0 if verdict.is_met else EXIT_CHECKS_FAILED
        elif not performance.resume():
            console.print("an earlier demo here was not finished: it cannot go on; start a new one with --fresh")
            await asyncio.Event().wait()
        if not options.is_exit:
            await performance.go_on()
    except ClientError as error:
        console.print(f"the demo cannot go on: {error}", style="bold red")
        code = EXIT_CHECKS_FAILED
    finally:
        await performance.close()
    return code


def show_verdict(console: Console, verdict: Verdict, *, days: int, first_final_s: float | None) -> None:
    """Print the table and the checks of a finished demo."""
    console.print(build_table(verdict.report, days=days))
    console.print(build_verdict(list(verdict.checks)))
    if first_final_s is not None:
        console.print(f"first final transaction {first_final_s:.1f} s after the start")
    if verdict.abandoned:
        console.print(f"acts given up, by reason: {verdict.abandoned}")
    if verdict.is_met:
        console.print("all checks hold", style="green")
    else:
        console.print("CHECKS FAIL", style="bold red")


def describe_clock(genesis: Genesis) -> str:
    """Return the warning that a development clock needs, nothing on the wall clock."""
    return "DEVELOPMENT CLOCK: block time is not wall time" if genesis.clock else ""


@contextmanager
def open_display(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Show renderables live on a terminal; in a file or a pipe, one now and then."""
    if console.is_terminal:
        with Live(Text("starting"), console=console, refresh_per_second=4) as live:
            yield live.update
        return
    next_line = time.monotonic()

    def show(renderable: RenderableType) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line += LINE_SECONDS
            console.print(renderable)

    yield show
