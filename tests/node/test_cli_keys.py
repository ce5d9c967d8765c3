import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chain.crypto import sha256
from chain.genesis import compute_chain_id
from node.cli_keys import EXIT_CONFIG, genesis_app, init, keys_app
from node.config import load_config
from node.devnet_files import compute_organisations
from node.genesis_files import load_genesis
from node.keys import KeyKind, load_key
from node.reveal import STEP, load_reveal
from tests.node.test_genesis_files import PLAN_TOML

app = typer.Typer()
app.add_typer(keys_app, name="keys")
app.add_typer(genesis_app, name="genesis")
app.command("init")(init)
runner = CliRunner()


def run(*arguments: str | int | Path, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def init_validator(directory: Path, organisation: str, port: int) -> None:
    run("init", directory, "--organisation", organisation, "--address", f"127.0.0.1:{port}", "--reveal-length", STEP)


@pytest.fixture
def consortium(tmp_path: Path) -> Path:
    """Everything that a consortium does by hand until its genesis stands."""
    names = compute_organisations(4)
    for name, role in names:
        run("keys", "organisation", name, "--role", role, "--dir", tmp_path / name)
    for index, (name, _) in enumerate(names[:4]):
        init_validator(tmp_path / f"node-{index}", name, 8_500 + index)
    (tmp_path / "plan.toml").write_text(PLAN_TOML)
    organisations = ", ".join(f'"{name}/organisation.card.json"' for name, _ in names)
    validators = ", ".join(f'"node-{index}/validator.card.json"' for index in range(4))
    (tmp_path / "genesis.toml").write_text(
        f'name = "mutual-aid"\ndomain = "example.org"\ntime = 2026-01-29T00:00:00Z\n'
        f"organisations = [{organisations}]\nvalidators = [{validators}]\n"
        f'[[plans]]\nplan = "mutual"\naccount = "custody-1"\nterms = "plan.toml"\n'
    )
    return tmp_path


def test_consortium_comes_from_keys_to_configurations(consortium: Path) -> None:
    output = run("genesis", "build", consortium / "genesis.toml", consortium / "genesis.bin")
    chain_id = compute_chain_id(load_genesis(consortium / "genesis.bin")).hex()
    assert chain_id in output
    assert chain_id in run("genesis", "show", consortium / "genesis.bin", "--chain-id", chain_id)
    run("init", consortium / "node-2", "--genesis", consortium / "genesis.bin", "--api", "127.0.0.1:8402")
    config = load_config(consortium / "node-2" / "node.toml")
    assert (config.name, config.chain_id) == ("auditor-1-2", chain_id)
    assert (config.listen.p2p, config.listen.api) == ("127.0.0.1:8502", "127.0.0.1:8402")
    assert load_genesis(Path(config.genesis), chain_id=config.chain_id).name == "mutual-aid"


def test_validator_that_genesis_does_not_name_gets_a_configuration_and_is_told_what_it_waits_for(
    consortium: Path,
) -> None:
    run("genesis", "build", consortium / "genesis.toml", consortium / "genesis.bin")
    init_validator(consortium / "stranger", "platform", 8_599)
    output = run("init", consortium / "stranger", "--genesis", consortium / "genesis.bin")
    assert "genesis does not name this validator" in output
    config = load_config(consortium / "stranger" / "node.toml")
    assert config.name.startswith("platform-")
    assert config.listen.p2p == "127.0.0.1:8599"


@pytest.mark.parametrize("api", ["nonsense", "127.0.0.1:99999", 'a"b:1', "127.0.0.1:8502"])
def test_a_wrong_address_of_rest_leaves_no_configuration_behind(consortium: Path, api: str) -> None:
    node = consortium / "node-2"
    run("genesis", "build", consortium / "genesis.toml", consortium / "genesis.bin")
    told = run("init", node, "--genesis", consortium / "genesis.bin", "--api", api, code=EXIT_CONFIG)
    assert told.startswith(("error: --api: ", "error: listen.api: must differ from listen.p2p"))
    run("init", node, "--genesis", consortium / "genesis.bin", "--api", "127.0.0.1:8402")
    assert load_config(node / "node.toml").listen.api == "127.0.0.1:8402"


def test_next_reveal_chain_is_made_beside_the_present_one_and_its_anchor_shown(tmp_path: Path) -> None:
    path = tmp_path / "reveal.next.json"
    output = run("keys", "reveal", path, "--organisation", "platform", "--length", 1_024)
    assert load_reveal(path).anchor.hex() in output
    run("keys", "reveal", path, "--organisation", "platform", code=EXIT_CONFIG)


def test_cards_are_shown(tmp_path: Path) -> None:
    run("keys", "organisation", "bank", "--role", "custodian", "--dir", tmp_path / "bank", "--group", "bank-group")
    assert "bank-group" in run("keys", "show", tmp_path / "bank" / "organisation.card.json")
    init_validator(tmp_path / "node", "bank", 8_500)
    shown = run("keys", "show", tmp_path / "node" / "validator.card.json")
    assert "127.0.0.1:8500" in shown
    (tmp_path / "node" / "validator.card.json").rename(tmp_path / "renamed.json")
    assert "127.0.0.1:8500" in run("keys", "show", tmp_path / "renamed.json")


def test_key_of_a_person_is_made_once(tmp_path: Path) -> None:
    output = run("keys", "member", tmp_path / "me.json", "--owner", "me")
    assert load_key(tmp_path / "me.json", kind=KeyKind.MEMBER).public_key.hex() in output
    run("keys", "member", tmp_path / "me.json", code=EXIT_CONFIG)


def test_an_access_key_is_shown_once_beside_the_lines_of_the_configuration_that_know_its_hash() -> None:
    output = run("keys", "access", "bank-one", "--scope", "payments", "--scope", "payments")
    key = output.splitlines()[0].removeprefix("key ")
    (table,) = tomllib.loads(output[output.index("[[") :])["api"]["access_keys"]
    assert table == {"name": "bank-one", "sha256": sha256(key.encode()).hex(), "scopes": ["payments"]}


@pytest.mark.parametrize("name", ['a"\nb = "1', "a\\", "", "a" * 33, "two\nlines"])
def test_an_access_key_whose_name_would_spoil_the_configuration_is_not_made(name: str) -> None:
    output = run("keys", "access", "--scope", "payments", "--", name, code=EXIT_CONFIG)
    assert output == "error: NAME: must be 1 to 32 of a-z, 0-9 and the hyphen\n"


def test_an_access_key_of_an_unknown_scope_is_not_made() -> None:
    output = run("keys", "access", "bank-one", "--scope", "all", code=EXIT_CONFIG)
    assert output == "error: --scope: all is none of payments\n"


def test_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for arguments in (
        ("keys", "organisation", "bank", "--role", "king", "--dir", tmp_path / "bank"),
        ("keys", "show", tmp_path / "missing.json"),
        ("genesis", "show", tmp_path / "missing.bin"),
        ("genesis", "build", tmp_path / "missing.toml", tmp_path / "genesis.bin"),
        ("init", tmp_path / "node"),
        ("init", tmp_path / "node", "--organisation", "bank", "--address", "nowhere"),
    ):
        output = run(*arguments, code=EXIT_CONFIG)
        assert output.startswith("error: ")
        assert len(output.splitlines()) == 1


def test_c37_init_does_not_touch_what_is_there(tmp_path: Path) -> None:
    init_validator(tmp_path / "node", "bank", 8_500)
    before = (tmp_path / "node" / "guard").read_bytes()
    output = run("init", tmp_path / "node", "--organisation", "bank", "--address", "127.0.0.1:8500", code=EXIT_CONFIG)
    assert "never overwritten" in output
    assert (tmp_path / "node" / "guard").read_bytes() == before


def test_c37_restored_key_says_that_it_starts_in_quarantine(tmp_path: Path) -> None:
    init_validator(tmp_path / "old", "bank", 8_500)
    output = run(
        "init", tmp_path / "new", "--organisation", "bank", "--address", "127.0.0.1:8500",
        "--restore-key", tmp_path / "old" / "keys",
    )  # fmt: skip
    assert "quarantine" in output
    assert not (tmp_path / "new" / "guard").exists()
