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
from chain.errors import ConfigError, DecodeError, GongjiError, StoreError
from chain.transaction import TRANSACTION_BYTES_MAX, Transaction, decode_transaction
from explorer.parse_call import describe_calls, parse_call
from explorer.problems import ProblemError
from explorer.represent import represent_fields
from node.client import Client
from node.client_errors import ClientError, NodeUnreachable
from node.client_wire import JsonObject, TransactionResult
from node.demo.answers import read_int, read_list, read_object, read_text
from node.files import PUBLIC_MODE, create_file, read_file
from node.keys import KeyKind, load_key

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_PENDING = 75
"""EX_TEMPFAIL: not final yet; asking or sending again is safe."""

_ADVICE = {
    "unknown": "this node has not seen it, or has forgotten that it expired: ask another (--url), "
    "or send the same signed bytes again, which is always safe",
    "received": "not final yet: ask again with gongji tx get, --wait 30 waits for it",
    "pending": "not final yet: ask again with gongji tx get, --wait 30 waits for it",
}
"""What to do about a transaction that is not on the chain and was not refused, by its status."""

tx_app = typer.Typer(no_args_is_help=True, help="Build, submit and look at transactions.")

Urls = Annotated[list[str], typer.Option("--url", help="Base URL of a node; give it again for others to turn to.")]
Wait = Annotated[float, typer.Option(min=0, max=300, help="Seconds to wait for the result.")]
DEFAULT_URLS = ["http://127.0.0.1:8400"]
URL_HINT = "does it run? --url names another node"


@contextmanager
def open_client(urls: list[str], *, access_key: str = "", hint: str = URL_HINT) -> Iterator[Client]:
    """Open a client; turn its errors into one line and an exit code. `hint` says what to do where no node answers."""
    try:
        with Client(urls, access_key=access_key) as client:
            yield client
    except NodeUnreachable as error:
        typer.echo(f"error: {error} ({hint})", err=True)
        raise typer.Exit(EXIT_FAILED) from error
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
        reason = "; ".join(f"{item.pointer.removeprefix('CALL/')}: {item.detail}" for item in error.errors)
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
        result = client.submit(_read_transaction(path), wait_s=wait)
    finish(result)


def _read_transaction(path: Path) -> Transaction:
    raw = read_file(path, bytes_max=TRANSACTION_BYTES_MAX)
    try:
        return decode_transaction(raw)
    except DecodeError as error:
        reason = f"holds no signed transaction as `gongji tx sign --output` writes it: {error.values['reason']}"
        raise ConfigError(field=str(path), reason=reason) from error


@tx_app.command("get")
def get(
    tx_id: Annotated[str, typer.Argument(help="Id of the transaction, 64 hex digits.")],
    wait: Wait = 0,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Show what became of a transaction."""
    with open_client(urls) as client:
        result = client.get_status(parse_id(tx_id, field="TX_ID"), wait_s=wait)
    finish(result)


def parse_id(text: str, *, field: str) -> bytes:
    """Return the 32 bytes of an id or a hash given in hex; raise `ConfigError` naming `field`."""
    try:
        value = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(field=field, reason="is not hex: 64 hex digits are needed") from error
    if len(value) != 32:
        raise ConfigError(field=field, reason=f"must have 64 hex digits, not {2 * len(value)}")
    return value


def finish(result: TransactionResult) -> None:
    """Print a result, in words too where it is no success, and end with its exit code."""
    typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    if result.is_success:
        return
    titles = {entry.code: entry.title_en for entry in get_entries()}
    if result.code in titles:
        typer.echo(f"{result.outcome or result.status}: {result.code}: {titles[result.code]}", err=True)
    elif result.status in _ADVICE:
        typer.echo(f"{result.status}: {_ADVICE[result.status]}", err=True)
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
        except (ClientError, ConfigError) as error:
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
