"""The bank's folder: made once, opened strictly, readable by its owner only."""

import sqlite3
from pathlib import Path

import pytest

from chain.crypto import sha256
from chain.errors import ConfigError, StoreError
from node.bank.desk import CONFIG_NAME, KEY_NAME, REGISTER_NAME, Desk, create_desk
from node.bank.end_to_end import PREFIX_BYTES
from node.bank.entries import Party
from node.bank.register import Register, Sent
from tests.node.bank.messages import SAMPLES


def test_a_new_folder_opens_with_the_account_of_its_template(tmp_path: Path) -> None:
    create_desk(tmp_path / "desk")
    desk = Desk(tmp_path / "desk")
    assert desk.require_name("").name == "care-main"
    assert desk.require_number("6217 0000 1234 5678").plan == "care"
    for name in (KEY_NAME, REGISTER_NAME):
        assert (tmp_path / "desk" / name).stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="never overwritten"):
        create_desk(tmp_path / "desk")


def test_the_sample_configuration_is_one(tmp_path: Path) -> None:
    create_desk(tmp_path)
    (tmp_path / CONFIG_NAME).write_bytes((SAMPLES / "bank.toml").read_bytes())
    assert Desk(tmp_path).accounts[0].number == "6217000012345678"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be an array of tables"),
        ("nonsense", "is no TOML"),
        ("[other]\n", "other, reason=there is no such field"),
        ('[[account]]\nname = "a"\n', "plan, reason=is missing"),
        ('[[account]]\nname = "Ü"\nplan = "p"\npool = 0\nnumber = "1"\nholder = "h"\nagent = "a"\n', "name"),
        (
            '[[account]]\nname = "a"\nplan = "p"\npool = 0\nnumber = "1"\nholder = "h"\nagent = "a"\n' * 2,
            "once for each",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_field(tmp_path: Path, text: str, said: str) -> None:
    create_desk(tmp_path)
    (tmp_path / CONFIG_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        Desk(tmp_path)


def test_an_account_that_is_not_the_banks_is_refused(tmp_path: Path) -> None:
    create_desk(tmp_path)
    desk = Desk(tmp_path)
    with pytest.raises(ConfigError, match="no account has the number"):
        desk.require_number("1")
    with pytest.raises(ConfigError, match="name one"):
        desk.require_name("other")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    create_desk(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o644)
    with pytest.raises(ConfigError, match=KEY_NAME):
        Desk(tmp_path)


# --- the register ---


def test_a_register_keeps_what_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    register = Register(path)
    register.put_payees([(bytes(32), Party(name="A", account="1", agent=""))])
    register.put_payees([(bytes(32), Party(name="B", account="1", agent="X"))])
    sent = Sent(instruction=sha256(b"i"), attempt=0, custody="c", amount=5, message="M")
    register.put_sent(PREFIX_BYTES, [sent])
    register.put_sent(PREFIX_BYTES, [Sent(instruction=sha256(b"i"), attempt=1, custody="c", amount=5, message="N")])
    register.close()
    again = Register(path)
    assert again.find_payee(bytes(32)) == Party(name="B", account="1", agent="X")
    found = again.find_sent(sha256(b"i")[:PREFIX_BYTES])
    assert found is not None
    assert (found.attempt, found.message) == (1, "N")
    assert again.find_sent(bytes(PREFIX_BYTES)) is None
    assert again.find_payer("c", 1, bytes(32)) is None


def test_a_file_that_is_no_register_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    path.write_bytes(b"not a database at all, whatever it is called" * 50)
    with pytest.raises(ConfigError, match="is no register"):
        Register(path)


def test_a_register_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    register = Register(path)
    register._database.execute("PRAGMA user_version = 9")
    register.close()
    with pytest.raises(ConfigError, match="has format 9"):
        Register(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.db")
    good = (bytes(32), Party(name="A", account="1", agent=""))
    with pytest.raises(StoreError, match=r"NOT NULL"):
        register.put_payees([good, (bytes(31), Party(name=None, account="1", agent=""))])  # type: ignore[arg-type]
    assert register.find_payee(bytes(32)) is None


def test_a_register_that_another_process_writes_is_told_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    register = Register(path)
    register._database.execute("PRAGMA busy_timeout = 0").fetchall()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"register\.db: database is locked"):
        register.put_sent(PREFIX_BYTES, [])
    with pytest.raises(StoreError, match=r"register\.db: database is locked"):
        register.find_payee(bytes(32))
    other.execute("ROLLBACK")
    other.close()
    assert register.find_payee(bytes(32)) is None
    register.close()
