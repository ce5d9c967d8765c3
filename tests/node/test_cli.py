"""The command line: what it offers, what it refuses, and its exit codes."""

import re
import socket
from pathlib import Path

import pytest
import typer
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from chain.errors import ConfigError
from node.cli import app
from node.cli_tx import EXIT_FAILED, EXIT_INPUT, EXIT_PENDING, describe_consensus, finish, open_client
from node.client_wire import JsonObject, TransactionResult
from node.devnet import (
    DAY_WALL_MS,
    JOINING_MS,
    START_MS,
    DevnetOptions,
    build_demo_clock,
    create_network,
    prepare,
)
from node.genesis_files import load_genesis
from node.keys import KeyKind, create_key

runner = CliRunner()
DAY_MS = 86_400_000
COMMANDS = ("keys", "genesis", "init", "start", "devnet", "demo", "tx", "status", "bank")


def get_help(*command: str) -> str:
    result = runner.invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    return re.sub(r"\s+", " ", result.output)


def test_help_lists_every_command_of_the_issue() -> None:
    text = get_help()
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    assert len(get_help(command)) > 200


def test_devnet_takes_the_options_of_the_issue() -> None:
    text = get_help("devnet")
    for option in ("--dir", "--port", "--nodes", "--demo", "--exit", "--days", "--seed", "--fresh"):
        assert option in text


def test_a_wrong_option_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    for arguments in (["--port", "80"], ["--nodes", "0"], ["--days", "0"], ["--no-such-option"]):
        result = runner.invoke(app, ["devnet", "--dir", str(folder), *arguments])
        assert result.exit_code == 2, arguments
    assert not (folder / "devnet.json").exists()


def test_start_names_the_file_that_is_missing(tmp_path: Path) -> None:
    result = runner.invoke(app, ["start", "--config", str(tmp_path / "node.toml")])
    assert result.exit_code == 2
    assert "node.toml" in result.output


def test_status_of_a_node_that_is_not_there_fails_and_says_so() -> None:
    result = runner.invoke(app, ["status", "http://127.0.0.1:9"], env={"COLUMNS": "200"})
    assert result.exit_code == EXIT_FAILED
    assert "unreachable" in result.output


def test_status_names_who_is_not_connected() -> None:
    row = {"is_connected": True, "organisation": "platform"}
    answer: JsonObject = {
        "height": 8, "view": 0, "leader": "platform", "mode": "normal", "pending": 0, "reason": "It waits.",
        "validators": [row, {"is_connected": False, "organisation": "auditor-1"}],
    }  # fmt: skip
    assert describe_consensus(answer) == (
        *("7", "0", "platform", "normal", "0", "0/1"),
        "It waits. Not connected: auditor-1.",
    )
    assert describe_consensus({**answer, "validators": [row]})[-1] == "It waits."


def test_a_failed_transaction_is_told_in_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        finish(TransactionResult(tx_id="00" * 32, status="committed", outcome="failed", code="not_owner"))
    assert "failed: not_owner: The signer does not control this record" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("[", "not JSON"),
        ('{"name": "member_vanish"}', "error: CALL: name: must be the name of a call"),
        ('{"name": "member_leave"}', "error: CALL: member: is missing"),
        ('{"name": "member_leave", "member": "AA==", "pool": 1}', "CALL: pool: there is no such field; member: must"),
        ("@no-such-file.json", "No such file"),
    ],
)
@pytest.mark.parametrize("command", ["sign", "send"])
def test_tx_refuses_a_call_that_is_none_and_says_what_is_wrong(
    tmp_path: Path, command: str, call: str, told: str
) -> None:
    create_key(tmp_path / "key.json", kind=KeyKind.MEMBER, owner="somebody")
    arguments = ["tx", command, call, "--key", str(tmp_path / "key.json"), "--kind", "member"]
    result = runner.invoke(app, arguments, env={"COLUMNS": "300"})
    assert result.exit_code == EXIT_INPUT
    assert told in result.output


def test_tx_refuses_a_call_file_that_is_no_text_in_one_line(tmp_path: Path) -> None:
    create_key(tmp_path / "key.json", kind=KeyKind.MEMBER, owner="somebody")
    (tmp_path / "call.json").write_bytes(b"\xff\xfe\x00")
    arguments = ["tx", "send", f"@{tmp_path / 'call.json'}", "--key", str(tmp_path / "key.json"), "--kind", "member"]
    result = runner.invoke(app, arguments)
    assert (result.exit_code, result.output.count("\n")) == (EXIT_INPUT, 1)
    assert result.output.startswith("error: CALL: ")


def test_what_is_no_configuration_is_not_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), open_client(["http://127.0.0.1:9"]):
        raise ConfigError(field="--key", reason="is needed")
    assert capsys.readouterr().err == "error: --key: is needed\n"


def test_tx_calls_shows_every_call_with_its_fields() -> None:
    shown = runner.invoke(app, ["tx", "calls"]).output
    assert "member_withdraw\n    member: 64 hex digits\n    amount: fen as a number" in shown
    assert "cause: illness|accident" in shown
    one = runner.invoke(app, ["tx", "calls", "member_leave"])
    assert one.output == "member_leave\n    member: 64 hex digits\n"
    assert runner.invoke(app, ["tx", "calls", "member_fly"]).exit_code == EXIT_INPUT


def test_tx_get_refuses_what_is_no_id() -> None:
    for tx_id, told in (("xyz", "TX_ID: is not hex"), ("abcd", "TX_ID: must have 64 hex digits, not 4")):
        result = runner.invoke(app, ["tx", "get", tx_id])
        assert (result.exit_code, told in result.output) == (EXIT_INPUT, True), result.output


@pytest.mark.parametrize(
    ("status", "told"),
    [("unknown", "unknown: this node has not seen it"), ("pending", "pending: not final yet: ask again")],
)
def test_what_is_not_final_is_told_in_words_with_what_to_do(
    capsys: pytest.CaptureFixture[str], status: str, told: str
) -> None:
    with pytest.raises(typer.Exit) as ended:
        finish(TransactionResult(tx_id="00" * 32, status=status))
    assert ended.value.exit_code == EXIT_PENDING
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:8400", "node", "ftp://node", "http://", "http://node:99999999"])
def test_what_is_no_address_of_a_node_is_named_and_not_tried(url: str) -> None:
    asked = runner.invoke(app, ["tx", "get", "00" * 32, "--url", url])
    assert (asked.exit_code, asked.output.count("\n")) == (EXIT_INPUT, 1)
    assert f"{url!r} is no address of a node: http://HOST:PORT is needed" in asked.output
    shown = runner.invoke(app, ["status", url], env={"COLUMNS": "300"})
    assert (shown.exit_code, "http://HOST:PORT is needed" in shown.output) == (EXIT_FAILED, True)


def test_a_node_that_does_not_answer_is_told_with_how_to_name_another() -> None:
    asked = runner.invoke(app, ["tx", "get", "00" * 32, "--url", "http://127.0.0.1:9"])
    assert asked.exit_code == EXIT_FAILED
    assert "127.0.0.1:9" in asked.output
    assert "--url names another node" in asked.output


def test_tx_submit_names_a_file_that_holds_no_transaction(tmp_path: Path) -> None:
    path = tmp_path / "leave.tx"
    path.write_bytes(b"# not signed at all")
    result = runner.invoke(app, ["tx", "submit", str(path)])
    assert (result.exit_code, result.output.count("\n")) == (EXIT_INPUT, 1)
    assert f"error: {path}: holds no signed transaction" in result.output


def test_the_demo_clock_runs_a_day_in_seven_tenths_of_a_second_between_two_real_times() -> None:
    days = 367
    (wall_0, block_0), (wall_1, block_1), (wall_2, block_2) = build_demo_clock(wall_ms=5_000, days=days)
    assert (wall_0, block_0) == (5_000, START_MS)
    assert wall_1 - wall_0 == block_1 - block_0 == JOINING_MS
    assert wall_2 - wall_1 == days * DAY_WALL_MS
    assert block_2 - block_1 == days * DAY_MS


def test_a_demo_network_is_made_once_and_found_again(tmp_path: Path) -> None:
    console = Console(quiet=True)
    options = DevnetOptions(directory=tmp_path / "net", port=18_000, is_demo=True, reveal_length=1_024)
    made, is_new = prepare(options, console)
    assert is_new
    found, is_new = prepare(options, console)
    assert not is_new
    assert found.chain_id == made.chain_id
    assert load_genesis(made.genesis_path).clock
    fresh, is_new = prepare(replace(options, is_fresh=True), console)
    assert is_new
    assert fresh.chain_id != made.chain_id


def test_fresh_removes_nothing_that_this_program_did_not_make(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letters.txt").write_text("mine")
    options = DevnetOptions(directory=folder, port=18_000, is_fresh=True, reveal_length=1_024)
    prepare(options, Console(quiet=True))
    assert (folder / "letters.txt").read_text() == "mine"


def test_a_network_whose_ports_are_taken_is_neither_made_nor_removed(tmp_path: Path) -> None:
    """Its status line would show the network that has the ports."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match="--port") as error:
            prepare(DevnetOptions(directory=tmp_path / "net", port=port, nodes=1), Console(quiet=True))
    assert error.value.values["field"] == f"127.0.0.1:{port}"
    assert not (tmp_path / "net").exists()


def test_a_network_without_the_demo_runs_on_the_wall_clock(tmp_path: Path) -> None:
    devnet = create_network(tmp_path / "net", nodes=4, port=18_000, days=None, reveal_length=1_024)
    assert load_genesis(devnet.genesis_path).clock == ()
