"""The `gongji` command.

    keys, genesis, init    make a consortium and its nodes          (node/cli_keys.py)
    start                  run one node                             (node/cli_start.py)
    rejoin                 end a validator's quarantine at once     (node/cli_rejoin.py)
    devnet, demo           a whole network on this machine          (node/devnet.py)
    tx, status             talk to a node                           (node/cli_tx.py)
    index                  the blind index of bank and auditors     (node/index_cli.py)
    vault                  members' keys that can be deleted        (node/vault_cli.py)
    bank                   the custodian's files in ISO 20022 form  (node/bank_cli.py)

Exit codes: 0 done; 1 a check or a transaction failed; 2 something wrong was given; 70 the node stopped
itself."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chain.errors import ConfigError, GongjiError
from node.bank_cli import bank_app
from node.cli_keys import EXIT_CONFIG, genesis_app, init, keys_app
from node.cli_rejoin import rejoin
from node.cli_start import start
from node.cli_tx import show_status, tx_app
from node.demo.performance import Script
from node.devnet import DevnetOptions, run_devnet
from node.index_cli import index_app
from node.vault_cli import vault_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Gongji (共济): a permissioned blockchain node for mutual-aid plans.",
)
app.add_typer(keys_app, name="keys")
app.add_typer(genesis_app, name="genesis")
app.add_typer(tx_app, name="tx")
app.add_typer(index_app, name="index")
app.add_typer(vault_app, name="vault")
app.add_typer(bank_app, name="bank")
app.command("init")(init)
app.command("start")(start)
app.command("rejoin")(rejoin)
app.command("status")(show_status)

DAYS_MAX = 3_000
MEMBERS_MAX = 20_000
OUTPUT_WIDTH = 140
"""Where the output is no terminal, so that the tables stay readable in a log."""


Directory = Annotated[Path, typer.Option("--dir", help="Folder of the network; made where it is missing.")]
Port = Annotated[int, typer.Option(help="Node i serves REST on PORT + i and its peers on PORT + 100 + i.")]
Nodes = Annotated[int, typer.Option(min=1, max=64, help="How many validators.")]
Days = Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Days of the demo; each takes 0.7 s.")]
Members = Annotated[int, typer.Option(min=1, max=MEMBERS_MAX, help="People who apply in the demo.")]
Seed = Annotated[int, typer.Option(help="Draws the people of the demo: the same seed, the same people.")]
Exit = Annotated[bool, typer.Option("--exit", help="End after the demo: 0 if its checks hold, else 1.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove the network that is in the folder first.")]


@app.command()
def devnet(  # noqa: PLR0917 - each is an option of the command line
    directory: Directory = Path(".devnet"),
    port: Port = 8400,
    nodes: Nodes = 4,
    demo: Annotated[bool, typer.Option("--demo", help="Play a year of a mutual-aid plan on it.")] = False,
    days: Days = 367,
    members: Members = 1_200,
    seed: Seed = 1,
    is_exit: Exit = False,
    fresh: Fresh = False,
) -> None:
    """Make and run a whole network on this machine, with a status line; Ctrl-C stops it.

    Four validators as four processes with TLS and LevelDB on loopback. All keys lie in one folder: for
    development only. With --demo block time runs a day in 0.7 s; the network stays up afterwards, in real
    time."""
    options = DevnetOptions(
        directory=directory,
        port=port,
        nodes=nodes,
        is_demo=demo,
        is_exit=is_exit,
        is_fresh=fresh,
        script=Script(seed=seed, members=members, days=days),
    )
    raise typer.Exit(_run(options))


@app.command()
def demo(
    directory: Directory = Path(".devnet"),
    port: Port = 8400,
    days: Days = 367,
    members: Members = 1_200,
    seed: Seed = 1,
    fresh: Fresh = False,
) -> None:
    """Play the demo on a new network and end with its verdict: short for `devnet --demo --exit`."""
    script = Script(seed=seed, members=members, days=days)
    options = DevnetOptions(directory=directory, port=port, is_demo=True, is_exit=True, is_fresh=fresh, script=script)
    raise typer.Exit(_run(options))


def _run(options: DevnetOptions) -> int:
    console = Console()
    if not console.is_terminal:
        console = Console(width=OUTPUT_WIDTH)
    try:
        return run_devnet(options, console)
    except ConfigError as error:
        typer.echo(f"error: {error.values['field']}: {error.values['reason']}", err=True)
        return EXIT_CONFIG
    except GongjiError as error:
        typer.echo(f"error: {error}", err=True)
        return 1


if __name__ == "__main__":
    app()
