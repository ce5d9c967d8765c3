"""The commands `tx` and `status`: talk to a node from a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chain.catalogue import get_entries
from chain.contract.calls import Call
from chain.errors import ConfigError, GongjiError, StoreError
from chain.transaction import decode_transaction
from explorer.parse_call import describe_calls, parse_call
from explorer.problems import ProblemError
from explorer.represent import represent_fields
from node.client import Client
from node.client_errors import ClientError
from node.client_wire import JsonObject, TransactionResult
from node.demo.answers import read_int, read_list, read_object, read_text
from node.files import PUBLIC_MODE, create_file
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
def open_client(urls: list[str], *, access_key: str = "") -> Iterator[Client]:
    """Open a client; turn its errors into one line and an exit code."""
    try:
        with Client(urls, access_key=access_key) as client:
            yield client
    except ClientError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    except ConfigError as error:
        # What was given is no configuration: the field and the reason say it all.
        typer.echo(f"error: {error.values['field']}: {error.values['reason']}", err=True)
        raise typer.Exit(EXIT_INPUT) from error
    except (GongjiError, StoreError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_INPUT) from error


CallText = Annotated[
    str,
    typer.Argument(
        metavar="CALL",
        help='The call as JSON, e.g. \'{"name": "member_leave", "member": "<64 hex digits>"}\', or @FILE.',
    ),
]


def read_call(text: str) -> Call:
    """Return the call of a JSON object, in the form in which the API shows calls; @FILE reads it from there.

    Raises `ConfigError` naming every field that is wrong.
    """
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(field="CALL", reason=f"{text[1:]} cannot be read: {error}") from error
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigError(field="CALL", reason=f"not JSON: {error}") from error
    try:
        return parse_call(value, pointer="CALL")
    except ProblemError as error:
        reason = "; ".join(f"{item.pointer}: {item.detail}" for item in error.errors)
        raise ConfigError(field="CALL", reason=reason) from error


def render_call(call: Call) -> bytes:
    """Return the JSON of a call as `read_call` reads it."""
    name = str(type(call).__struct_config__.tag)
    return msgspec.json.encode({"name": name, **represent_fields(call, subject=name)})


@tx_app.command("calls")
def list_calls(name: Annotated[str, typer.Argument(help="Only this call.")] = "") -> None:
    """Show the calls that a transaction may make, with their fields."""
    shown = [line for call, lines in describe_calls() if name in ("", call) for line in (call, *lines)]
    if not shown:
        typer.echo(f"error: there is no call {name}; see gongji tx calls", err=True)
        raise typer.Exit(EXIT_INPUT)
    typer.echo("\n".join(shown))


@tx_app.command("send")
def send(
    call: CallText,
    key: Annotated[Path, typer.Option(help="Key file of the signer.")],
    kind: Annotated[KeyKind, typer.Option(help="What the key is.")] = KeyKind.SIGNING,
    wait: Wait = 10,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Build, sign and submit a call, and wait for its result."""
    with open_client(urls) as client:
        result = client.submit(client.build(read_call(call), load_key(key, kind=kind)), wait_s=wait)
    finish(result)


@tx_app.command("sign")
def sign(
    call: CallText,
    key: Annotated[Path, typer.Option(help="Key file of the signer.")],
    kind: Annotated[KeyKind, typer.Option(help="What the key is.")] = KeyKind.SIGNING,
    output: Annotated[Path | None, typer.Option(help="Write the exact bytes here; else hex to the terminal.")] = None,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Build and sign a transaction for the chain that the node runs; send it with `gongji tx submit`."""
    with open_client(urls) as client:
        transaction = client.build(read_call(call), load_key(key, kind=kind))
        if output is None:
            typer.echo(transaction.raw.hex())
        else:
            create_file(output, transaction.raw, mode=PUBLIC_MODE)
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
    finish(result)


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
    finish(result)


def finish(result: TransactionResult) -> None:
    """Print a result, in words too where it is no success, and end with its exit code."""
    typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    if result.is_success:
        return
    titles = {entry.code: entry.title_en for entry in get_entries()}
    if result.code in titles:
        typer.echo(f"{result.outcome or result.status}: {result.code}: {titles[result.code]}", err=True)
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
    away = [read_text(row, "organisation") for row in validators if row.get("is_connected") is False]
    reason = read_text(answer, "reason") + (f" Not connected: {', '.join(away)}." if away else "")
    return (
        str(read_int(answer, "height") - 1),
        str(read_int(answer, "view")),
        str(answer.get("leader") or "-"),
        read_text(answer, "mode"),
        str(read_int(answer, "pending")),
        f"{max(connected - 1, 0)}/{len(validators) - 1}",
        reason,
    )
