"""Vaults: what is deleted is gone from the files, and erasure is all or nothing (contract 6)."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chain.contract.member_calls import ErasureReceipt
from chain.errors import ConfigError, StoreError
from node.cli_keys import EXIT_CONFIG
from node.cli_tx import read_call
from node.profile import Field, Group, derive_group_key, generate_secret, seal_profile
from node.vault import Vault, create_vault
from node.vault_cli import vault_app

ANN, BEN = b"\x0a" * 32, b"\x0b" * 32
app = typer.Typer()
app.add_typer(vault_app, name="vault")
runner = CliRunner()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bank.vault"
    create_vault(path, organisation="bank")
    return path


def run(*arguments: str | Path, code: int = 0) -> str:
    result = runner.invoke(app, ["vault", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result.output


def read_files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()) if file.name.startswith(path.name))


def test_a_vault_that_could_not_be_made_leaves_nothing_behind_and_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bank.vault"
    with monkeypatch.context() as half_way:
        half_way.setattr("node.vault._SCHEMA", ("CREATE TABLE owner (organisation TEXT NOT NULL)", "nonsense"))
        with pytest.raises(StoreError, match="cannot be made"):
            create_vault(path, organisation="bank")
    assert list(tmp_path.iterdir()) == []
    create_vault(path, organisation="bank")
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    with Vault(path) as vault:
        assert vault.organisation == "bank"


def test_a_vault_that_is_there_is_never_made_anew(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p")
    with pytest.raises(ConfigError, match="exists already and is never overwritten"):
        create_vault(path, organisation="other")
    with Vault(path) as vault:
        assert (vault.organisation, vault.get(ANN, "profile-key")) == ("bank", b"p")


def test_a_vault_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be created"):
        create_vault(tmp_path / "nowhere" / "bank.vault", organisation="bank")


def test_a_secret_is_kept_replaced_and_listed(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"one")
        vault.put(ANN, "profile-key", b"two")
        vault.put(BEN, "claim-7", b"three")
    with Vault(path) as vault:
        assert vault.organisation == "bank"
        assert vault.get(ANN, "profile-key") == b"two"
        assert vault.get(BEN, "profile-key") is None
        assert vault.list_names() == [(ANN, "profile-key"), (BEN, "claim-7")]


def test_what_is_erased_stands_in_no_file_of_the_vault_any_more(path: Path) -> None:
    secrets = [os.urandom(32) for _ in range(40)]
    with Vault(path) as vault:
        for number, secret in enumerate(secrets):
            vault.put(ANN, f"profile-{number}", secret)
        vault.put(BEN, "profile-key", b"still here, this one")
        assert all(secret in read_files(path) for secret in secrets)
        assert vault.erase((ANN,), scope=0) == len(secrets)
        content = read_files(path)
    assert not any(secret in content for secret in secrets)
    assert b"still here, this one" in content


def test_a_replaced_and_a_deleted_secret_are_gone_from_the_files_too(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"the old secret of a member......")
        vault.put(ANN, "profile-key", b"the new secret of a member......")
        assert b"the old secret" not in read_files(path)
        assert vault.delete(ANN, "profile-key")
        assert not vault.delete(ANN, "profile-key")
    assert b"secret of a member" not in read_files(path)


def test_erasing_the_profile_leaves_what_belongs_to_claims(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p")
        vault.put(ANN, "claim-1", b"c")
        assert vault.erase((ANN,), scope=0) == 1
        assert vault.list_names() == [(ANN, "claim-1")]
        vault.put(ANN, "claim-2", b"d")
        assert vault.erase((ANN,), scope=1) == 2
        assert vault.erase((ANN,), scope=0) == 0
        assert vault.list_erased() == [(ANN, 1)]


def test_an_erased_member_is_not_kept_again(path: Path) -> None:
    with Vault(path) as vault:
        vault.erase((ANN,), scope=0)
        with pytest.raises(ConfigError, match="was erased here"):
            vault.put(ANN, "profile-key", b"from an old list")
        vault.erase((ANN,), scope=1)
        with pytest.raises(ConfigError, match="was erased here"):
            vault.put(ANN, "claim-1", b"from an old list")
        assert vault.list_names() == []


def test_a_list_of_erasures_is_carried_out_whole_or_not_at_all(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p")
        with pytest.raises(ConfigError, match="member"):
            vault.erase((ANN, b"short"), scope=0)
        assert vault.get(ANN, "profile-key") == b"p"
        assert vault.list_erased() == []


def test_a_change_that_a_crash_cut_off_is_undone_and_its_journal_is_wiped(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p" * 32)
    crashed = sqlite3.connect(path, isolation_level=None)
    crashed.execute("PRAGMA journal_mode = PERSIST").fetchall()
    crashed.execute("PRAGMA cache_size = 1")
    crashed.execute("BEGIN IMMEDIATE")
    crashed.execute("DELETE FROM secret")
    crashed.execute("COMMIT")
    crashed.close()  # as if the process had ended before it wiped the journal
    assert b"p" * 32 in path.with_name("bank.vault-journal").read_bytes()
    with Vault(path) as vault:
        assert vault.get(ANN, "profile-key") is None
    assert b"p" * 32 not in path.with_name("bank.vault-journal").read_bytes()


def test_who_opens_the_vault_meanwhile_leaves_the_journal_of_a_change_that_may_be_undone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vault(path) as vault:
        for number in range(20):
            vault.put(ANN, f"profile-{number}", bytes(2_000))
    changing = sqlite3.connect(path, isolation_level=None)
    changing.execute("BEGIN IMMEDIATE")
    changing.execute("DELETE FROM secret")
    monkeypatch.setattr("node.vault.BUSY_SECONDS", 0.05)
    with pytest.raises(StoreError, match="locked"):
        Vault(path)
    changing.execute("ROLLBACK")
    assert changing.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    changing.close()
    with Vault(path) as vault:
        assert len(vault.list_names()) == 20


@pytest.mark.parametrize(
    ("member", "name", "value"),
    [
        (b"short", "n", b""),
        (ANN, "", b""),
        (ANN, "n" * 65, b""),
        (ANN, "naïve", b""),
        (ANN, "two\nlines", b""),
        (ANN, "n\x7f", b""),
        (ANN, "n", bytes(4_097)),
    ],
)
def test_what_a_vault_does_not_keep_is_refused(path: Path, member: bytes, name: str, value: bytes) -> None:
    with Vault(path) as vault, pytest.raises(ConfigError):
        vault.put(member, name, value)


def test_the_longest_name_and_the_largest_value_are_kept(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "n" * 64, bytes(4_096))
        assert vault.get(ANN, "n" * 64) == bytes(4_096)


def test_an_erasure_whose_old_pages_may_still_be_on_the_disk_is_no_success(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No receipt is signed for it; the next opening of the vault wipes the journal again."""
    journal = path.with_name("bank.vault-journal")
    failing = []

    def fail(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), journal.stat()):
            failing.append(journal.read_bytes().strip(b"\0"))
            raise OSError(errno.EIO, "the disk is gone")

    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p" * 32)
        with monkeypatch.context() as disk:
            disk.setattr("node.files.os.fsync", fail)
            with pytest.raises(StoreError, match="the disk is gone"):
                vault.erase((ANN,), scope=1)
    assert failing == [b""]  # wiped before it was synced, not after


def test_a_file_that_is_no_vault_or_open_to_others_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        Vault(tmp_path / "none")
    other = tmp_path / "other"
    other.write_bytes(b"this is no database, but it is long enough to look like a file of one" * 20)
    other.chmod(0o600)
    with pytest.raises(ConfigError, match="vault"):
        Vault(other)
    sqlite3.connect(tmp_path / "foreign").execute("CREATE TABLE t (x)")
    (tmp_path / "foreign").chmod(0o600)
    with pytest.raises(ConfigError, match="is no vault"):
        Vault(tmp_path / "foreign")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        Vault(path)
    with pytest.raises(ConfigError, match="exists already"):
        create_vault(path, organisation="bank")


def test_the_command_keeps_opens_and_erases_with_a_receipt(path: Path, tmp_path: Path) -> None:
    secret = generate_secret()
    profile = seal_profile(secret, [Field("name", "Ann", (Group.BANK,)), Field("smokes", "no")])
    key_file, blob_file = tmp_path / "key.hex", tmp_path / "blob.bin"
    key_file.write_text(derive_group_key(secret, Group.BANK).hex())
    key_file.chmod(0o600)
    blob_file.write_bytes(profile.blob)
    run("put", path, ANN.hex(), "profile-key", "--from", key_file)
    opened = ("open", path, ANN.hex(), "--group", "bank", "--blob", blob_file, "--root")
    assert run(*opened, profile.field_commitments_root.hex()) == "name: Ann\n"
    assert "does not open" in run(*opened, "00" * 32, code=EXIT_CONFIG)
    run("get", path, ANN.hex(), "profile-key", "--output", tmp_path / "again.hex")
    assert (tmp_path / "again.hex").read_text().strip() == key_file.read_text()
    assert (tmp_path / "again.hex").stat().st_mode & 0o777 == 0o600
    assert f"{ANN.hex()}  profile-key" in run("list", path)
    receipt = run("erase", path, ANN.hex()).splitlines()[-1]
    call = read_call(receipt)
    assert isinstance(call, ErasureReceipt)
    assert [(item.member, item.scope) for item in call.items] == [(ANN, 0)]
    assert "erased (profile)" in run("list", path)
    assert "not in the vault" in run(*opened, "00" * 32, code=EXIT_CONFIG)
    assert "was erased here" in run("put", path, ANN.hex(), "profile-key", "--from", key_file, code=EXIT_CONFIG)


def test_erasing_somebody_of_whom_nothing_was_kept_says_so(path: Path) -> None:
    with Vault(path) as vault:
        vault.put(ANN, "profile-key", b"p")
    said = run("erase", path, ANN.hex(), BEN.hex())
    assert "deleted 1 secrets of 2 members" in said
    assert f"nothing of {BEN.hex()} was ever in this vault" in said
    assert f"nothing of {ANN.hex()}" not in said
    assert "was ever" not in run("erase", path, BEN.hex())


def test_the_command_names_what_was_given_wrong(tmp_path: Path) -> None:
    path = tmp_path / "v"
    run("init", path, "--organisation", "bank")
    assert "not hex" in run("list", path) + run("delete", path, "xyz", "n", code=EXIT_CONFIG)
    assert "64 hex digits" in run("delete", path, "00", "n", code=EXIT_CONFIG)
    assert "not in the vault" in run("delete", path, ANN.hex(), "n", code=EXIT_CONFIG)
    assert "exists already" in run("init", path, "--organisation", "bank", code=EXIT_CONFIG)
