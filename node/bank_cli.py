"""The command `bank`: the custodian's files in ISO 20022 form, and the chain (issue 3, contract 5).

    once       gongji bank init DESK                       token key, register, bank.toml to fill in
               gongji bank payees accounts.csv --dir DESK  verified accounts -> tokens for account_verify
    each day   gongji bank import camt053.xml --dir DESK   deposits, other movements, acknowledgements, statement
               gongji bank export pain001.xml --dir DESK   what is ready to be paid, once
               gongji bank answers pain002.xml --dir DESK  rejections; camt.054: bookings of the day

`import` and `answers` print what they would send; with --submit they sign it, send it and wait. The same file again is
safe: the chain answers `already`. A statement is posted only after everything of its days is booked.
"""

import csv
import io
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from chain.contract.calls import Call
from chain.contract.money_calls import StatementPost
from chain.errors import ConfigError
from chain.transaction import get_call_name
from node.bank.amounts import format_fen
from node.bank.answers import get_account_number, read_answers
from node.bank.booking import Booker, Booking, CallPlan, build_statement_post
from node.bank.camt053 import BankStatement, read_statement
from node.bank.desk import CustodyAccount, Desk, create_desk
from node.bank.document import FILE_BYTES_MAX, parse_message
from node.bank.end_to_end import PREFIX_BYTES
from node.bank.entries import Party
from node.bank.orders import PayOrder, Resolved, Unresolved, read_order, resolve
from node.bank.pain001 import build_payment_file
from node.bank.register import Sent
from node.bank.tokens import TokenKind, build_token
from node.cli_keys import report_errors
from node.cli_tx import DEFAULT_URLS, EXIT_FAILED, Urls, open_client, render_call
from node.client import Client
from node.client_wire import TransactionResult
from node.files import create_file, read_file, sync_directory
from node.keys import KeyKind, load_key

bank_app = typer.Typer(no_args_is_help=True, help="Bank statements and payment files in ISO 20022 form.")

WAIT_S: Final = 60.0
_DONE: Final = frozenset({"success", "already"})
_EPOCH: Final = date(1970, 1, 1).toordinal()
_COLUMNS: Final = ["account", "name", "agent"]

DeskOption = Annotated[Path, typer.Option("--dir", help="The bank's folder, made by `gongji bank init`.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of the bank's system.")]
Submit = Annotated[bool, typer.Option("--submit", help="Sign and send; without it, only print what would be sent.")]
Key = Annotated[Path | None, typer.Option(help="Key file of the custodian; needed with --submit.")]


@bank_app.command("init")
def init(directory: Annotated[Path, typer.Argument(help="New folder.")]) -> None:
    """Make the bank's folder: token key, register, and bank.toml to fill in."""
    with report_errors():
        create_desk(directory)
    typer.echo(f"fill in {directory / 'bank.toml'}; keep token.key in the backup: without it every file counts as new")


@bank_app.command("payees")
def payees(file: File, directory: DeskOption) -> None:
    """Load verified accounts (CSV: account,name,agent) and print the token of each, for account_verify."""
    with report_errors():
        desk = Desk(directory)
        parties = _read_payees(file)
        tokens = [(build_token(desk.key, TokenKind.ACCOUNT, party.account), party) for party in parties]
        desk.register.put_payees(tokens)
    output = io.StringIO()
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(["account", "token"])
    rows.writerows([party.account, token.hex()] for token, party in tokens)
    typer.echo(output.getvalue(), nl=False)


def _read_payees(file: Path) -> list[Party]:
    try:
        text = read_file(file, bytes_max=FILE_BYTES_MAX).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(field=str(file), reason=f"is no CSV in UTF-8: {error}") from error
    if not rows or rows[0] != _COLUMNS:
        raise ConfigError(field=f"{file}:1", reason=f"the first line must be {','.join(_COLUMNS)}")
    parties = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(_COLUMNS) or not row[0].strip() or not row[1].strip():
            raise ConfigError(field=f"{file}:{number}", reason="needs account and name, and the agent or nothing")
        if not all(cell.isprintable() for cell in row):
            raise ConfigError(field=f"{file}:{number}", reason="holds a sign that cannot be printed")
        parties.append(Party(account=row[0].strip(), name=row[1].strip(), agent=row[2].strip()))
    return parties


# --- import ---


@bank_app.command("import")
def import_statement(
    file: File,
    directory: DeskOption,
    submit: Submit = False,
    key: Key = None,
    is_mismatch: Annotated[
        bool, typer.Option("--post-mismatch", help="Post the statement although not all of it could be booked.")
    ] = False,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Turn a camt.053 statement into the day's deposits, acknowledgements, other movements, and its statement."""
    with report_errors():
        desk = Desk(directory)
        content = read_file(file, bytes_max=FILE_BYTES_MAX)
        statement = read_statement(parse_message(content, ("camt.053",), file=file.name)[1])
        account = desk.require_number(statement.account)
        booking = Booker(account=account.name, key=desk.key, find_sent=desk.register.find_sent).book(
            statement.movements
        )
        post = build_statement_post(statement, account=account.name, content=content)
        _describe(statement, booking)
        if not submit:
            _print_calls([*(plan.call for plan in booking.calls), post])
            _print_open(booking)
            return
        desk.register.put_incoming(booking.incoming)
    is_booked = _submit_booking(booking, key, urls)
    _print_open(booking)
    if (booking.open or not is_booked) and not is_mismatch:
        typer.echo("the statement was not posted: book what is missing, or give --post-mismatch", err=True)
        raise typer.Exit(EXIT_FAILED)
    if not _submit_statement(post, key, urls):
        raise typer.Exit(EXIT_FAILED)


def _describe(statement: BankStatement, booking: Booking) -> None:
    came, went = statement.count(is_credit=True), statement.count(is_credit=False)
    typer.echo(
        f"statement {statement.number}: opening {format_fen(statement.opening)}, in {came[0]} ({format_fen(came[1])}),"
        f" out {went[0]} ({format_fen(went[1])}), closing {format_fen(statement.closing)};"
        f" {len(booking.open)} to be decided by people",
        err=True,
    )


def _print_open(booking: Booking) -> None:
    for item in booking.open:
        movement = item.movement
        typer.echo(
            f"line {movement.line}: {movement.kind.value} {format_fen(movement.amount)} {movement.reference}:"
            f" {item.advice}",
            err=True,
        )


def _print_calls(calls: Sequence[Call]) -> None:
    """Print calls as JSON, one in a line, as `gongji tx send` takes them."""
    for call in calls:
        typer.echo(render_call(call).decode())


# --- answers ---


@bank_app.command("answers")
def answers(
    file: File,
    directory: DeskOption,
    account_name: Annotated[
        str, typer.Option("--account", help="Custody account; needed where there are several.")
    ] = "",
    submit: Submit = False,
    key: Key = None,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Turn pain.002 rejections and camt.054 bookings into acknowledgements (and deposits of the day)."""
    with report_errors():
        desk = Desk(directory)
        content = read_file(file, bytes_max=FILE_BYTES_MAX)
        kind, message = parse_message(content, ("pain.002", "camt.054"), file=file.name)
        found = read_answers(kind, message)
        number = get_account_number(message) if kind == "camt.054" else None
        account = desk.require_name(account_name) if number is None else desk.require_number(number)
        if account_name and account.name != account_name:
            raise ConfigError(field="--account", reason=f"is {account_name}, and {file.name} is of {account.name}")
        booker = Booker(account=account.name, key=desk.key, find_sent=desk.register.find_sent)
        booking = booker.reject(found.rejections) if kind == "pain.002" else booker.book(found.bookings)
        typer.echo(
            f"{len(found.rejections)} rejected, {len(found.bookings)} booked, {found.waiting} accepted, not booked yet",
            err=True,
        )
        if not submit:
            _print_calls([plan.call for plan in booking.calls])
            _print_open(booking)
            return
        desk.register.put_incoming(booking.incoming)
    is_booked = _submit_booking(booking, key, urls)
    _print_open(booking)
    if not is_booked or booking.open:
        raise typer.Exit(EXIT_FAILED)


# --- sending ---


def _submit_booking(booking: Booking, key: Path | None, urls: list[str]) -> bool:
    """Send the calls and tell whether every item is booked now."""
    if not booking.calls:
        return True
    results = _submit([plan.call for plan in booking.calls], key, urls)
    reports = [_report(plan, result) for plan, result in zip(booking.calls, results, strict=True)]
    return all(reports)


def _submit(calls: Sequence[Call], key: Path | None, urls: list[str]) -> list[TransactionResult]:
    with open_client(urls) as client:
        if key is None:
            raise ConfigError(field="--key", reason="is needed with --submit")
        signer = load_key(key, kind=KeyKind.SIGNING)
        transactions = [client.build(call, signer) for call in calls]
        sent = client.submit_many(transactions)
        # The answer to a batch says which transactions were taken; what became of each item stands in the receipt.
        return [
            result if result.status == "refused" else _read_result(client, transaction.tx_id)
            for transaction, result in zip(transactions, sent, strict=True)
        ]


def _read_result(client: Client, tx_id: bytes) -> TransactionResult:
    result = client.get_status(tx_id)
    return result if result.is_final else client.wait(tx_id, timeout_s=WAIT_S)


def _report(plan: CallPlan, result: TransactionResult) -> bool:
    """Print what became of a call; tell whether all of its items are booked."""
    name = get_call_name(plan.call)
    codes = [item.code or item.outcome for item in result.items]
    if len(codes) != len(plan.lines):
        typer.echo(f"{name}: {result.code or result.status}", err=True)
        return False
    counts = {code: codes.count(code) for code in dict.fromkeys(codes)}
    typer.echo(f"{name}: " + ", ".join(f"{count} {code}" for code, count in counts.items()))
    for line, code in zip(plan.lines, codes, strict=True):
        if code not in _DONE:
            typer.echo(f"line {line}: {code}", err=True)
    return _DONE.issuperset(codes)


def _submit_statement(post: StatementPost, key: Path | None, urls: list[str]) -> bool:
    (result,) = _submit([post], key, urls)
    verdicts = [event.get("is_matched") for event in result.events if "is_matched" in event]
    verdict = (
        {True: "success, matched", False: "success, MISMATCH: the plan is frozen tomorrow"}.get(verdicts[0] is True, "")
        if verdicts
        else (result.code or result.status)
    )
    typer.echo(f"statement_post: {verdict}")
    return result.is_success or result.code in _DONE


# --- export ---


@bank_app.command("export")
def export(
    output: Annotated[Path, typer.Argument(help="New pain.001 file.")],
    directory: DeskOption,
    account_name: Annotated[
        str, typer.Option("--account", help="Custody account; needed where there are several.")
    ] = "",
    access_key: Annotated[Path | None, typer.Option(help="File with an access key of scope payments.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was exported before and not answered.")] = False,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Write what is ready to be paid as a pain.001 file; each instruction is exported once."""
    with report_errors():
        desk = Desk(directory)
        account = desk.require_name(account_name)
        secret = "" if access_key is None else read_file(access_key, bytes_max=1_024).decode("ascii", "replace").strip()
        if output.exists():
            raise ConfigError(field=str(output), reason="exists already and is never overwritten")
    found: list[Resolved | Unresolved] = []
    with open_client(urls, access_key=secret) as client:
        params: dict[str, str | int] = {"plan": account.plan, "pool": account.pool, "state": "ready"}
        for row in client.list("/v1/instructions", params):
            order = read_order(row)
            sent = desk.register.find_sent(order.instruction[:PREFIX_BYTES])
            if again or sent is None or sent.attempt < order.attempt:
                code = _find_code(client, order)
                found.append(resolve(order, desk.register, custody=account.name, deposit_code=code))
        today = str(client.get("/v1/calendar", {"plan": account.plan})["today"])
    left = [item for item in found if isinstance(item, Unresolved)]
    with report_errors():
        payments = [item for item in found if isinstance(item, Resolved)]
        write_payments(desk, account, payments, output=output, today=today, is_again=again)
    for item in left:
        typer.echo(f"{item.order.kind} {item.order.instruction.hex()}: {item.reason}", err=True)
    if left:
        raise typer.Exit(EXIT_FAILED)


def _find_code(client: Client, order: PayOrder) -> int | None:
    """Return the deposit code of a refund's member, where no account token says where it goes."""
    if order.account_token is not None or order.return_of is not None or order.member is None:
        return None
    code = client.get(f"/v1/members/{order.member}").get("deposit_code")
    return code if isinstance(code, int) else None


def write_payments(
    desk: Desk, account: CustodyAccount, payments: list[Resolved], *, output: Path, today: str, is_again: bool
) -> None:
    """Write the file and note what is in it; a crash in between leaves `.part` and nothing that is paid twice."""
    if not payments:
        typer.echo("nothing to pay")
        return
    now = datetime.now(UTC)
    message = f"GJ{now.strftime('%Y%m%d%H%M%S')}{secrets.token_hex(4).upper()}"
    content = build_payment_file(
        account,
        [item.transfer for item in payments],
        message_id=message,
        created_ms=int(now.timestamp()) * 1_000,
        execution_day=date.fromisoformat(today).toordinal() - _EPOCH,
    )
    part = output.with_name(output.name + ".part")
    create_file(part, content)
    sent = [
        Sent(
            instruction=item.order.instruction,
            attempt=item.order.attempt,
            custody=account.name,
            amount=item.order.amount,
            message=message,
        )
        for item in payments
    ]
    try:
        desk.register.put_sent(PREFIX_BYTES, sent, is_again=is_again)
    except ConfigError:
        part.unlink()
        raise
    part.rename(output)
    sync_directory(output.parent)
    total = sum(item.order.amount for item in payments)
    typer.echo(f"{output}: {message}, {len(payments)} payments, {format_fen(total)} CNY")
