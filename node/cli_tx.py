"""The commands `tx` and `status`: talk to a node from a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chain.contract.calls import Call
from chain.errors import ConfigError, GongjiError
from chain.transaction import decode_transaction
from node.client import Client
from node.client_errors import ClientError
from node.client_wire import JsonObject, TransactionResult
from node.demo.answers import read_int, read_list, read_object, read_text
from node.keys import KeyKind, load_key

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_PENDING = 75
"""EX_TEMPFAIL: not final yet; asking or sending again is safe."""

tx_app = typer.Typer(no_args_is_help=True, help="Build, submit and look at transactions.")

Urls = Annotated[list[str], typer.Option("--url", help="Base URL of a node; give it again for others to turn to.")]
Wait = Annotated[float, typer.Option(min=0, max=300, help="Seconds to wait for the result.")]
DEFAULT_URLS = ["http://127.0.0.1:8400"]


@contextmanager
def open_client(urls: list[str]) -> Iterator[Client]:
    """Open a client; turn its errors into one line and an exit code."""
    try:
        with Client(urls) as client:
            yield client
    except ClientError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    except GongjiError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_INPUT) from error


@tx_app.command("sign")
def sign(
    call: Annotated[str, typer.Argument(help='The call as a JSON array, e.g. \'["member_leave", "<base64>"]\'.')],
    key: Annotated[Path, typer.Option(help="Key file of the signer.")],
    kind: Annotated[KeyKind, typer.Option(help="What the key is.")] = KeyKind.SIGNING,
    output: Annotated[Path | None, typer.Option(help="Write the exact bytes here; else hex to the terminal.")] = None,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Build and sign a transaction for the chain that the node runs; bytes in the call are Base64."""
    with open_client(urls) as client:
        try:
            parsed = msgspec.json.decode(call, type=Call)
        except msgspec.DecodeError as error:
            raise ConfigError(field="CALL", reason=str(error)) from error
        transaction = client.build(parsed, load_key(key, kind=kind))
    if output is None:
        typer.echo(transaction.raw.hex())
    else:
        output.write_bytes(transaction.raw)
        typer.echo(transaction.tx_id.hex())


@tx_app.command("submit")
def submit(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File with the exact signed bytes.")],
    wait: Wait = 10,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Send a signed transaction and wait for its result; sending the same file again is always safe."""
    with open_client(urls) as client:
        transaction = decode_transaction(path.read_bytes())
        result = client.submit(transaction, wait_s=wait)
    _finish(result)


@tx_app.command("get")
def get(
    tx_id: Annotated[str, typer.Argument(help="Id of the transaction, 64 hex digits.")],
    wait: Wait = 0,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Show what became of a transaction."""
    try:
        key = bytes.fromhex(tx_id)
    except ValueError as error:
        raise typer.BadParameter("not hex") from error
    if len(key) != 32:
        raise typer.BadParameter("an id has 64 hex digits")
    with open_client(urls) as client:
        result = client.get_status(key, wait_s=wait)
    _finish(result)


def _finish(result: TransactionResult) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    if result.is_success:
        return
    raise typer.Exit(EXIT_FAILED if result.is_final else EXIT_PENDING)


def show_status(urls: Annotated[list[str] | None, typer.Argument(help="Base URLs of the nodes.")] = None) -> None:
    """Show where each node stands: height, view, leader, why there is no block, and who is connected."""
    table = Table()
    for name in ("node", "height", "view", "leader", "mode", "pending", "peers"):
        table.add_column(name, no_wrap=True)
    reasons: list[str] = []
    is_any_down = False
    for url in urls or DEFAULT_URLS:
        try:
            with Client(url) as client:
                *cells, reason = describe_consensus(client.get("/v1/consensus"))
        except ClientError as error:
            is_any_down = True
            cells, reason = ["-"] * 6, str(error)
        # The scheme says nothing, and the line has to fit into eighty columns.
        node = url.removeprefix("http://")
        table.add_row(node, *cells)
        reasons.append(f"{node}: {reason}")
    console = Console()
    console.print(table)
    for line in reasons:
        console.print(line, soft_wrap=True, highlight=False)
    if is_any_down:
        raise typer.Exit(EXIT_FAILED)


def describe_consensus(answer: JsonObject) -> tuple[str, ...]:
    """Return the cells of one node."""
    validators = [read_object(row) for row in read_list(answer, "validators")]
    connected = sum(row.get("is_connected") is True for row in validators)
    return (
        str(read_int(answer, "height") - 1),
        str(read_int(answer, "view")),
        str(answer.get("leader") or "-"),
        read_text(answer, "mode"),
        str(read_int(answer, "pending")),
        f"{max(connected - 1, 0)}/{len(validators) - 1}",
        read_text(answer, "reason"),
    )
