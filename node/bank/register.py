"""The bank's register: what the tokens stand for, and which payments were handed over (SQLite, local).

Nothing of it is on the chain. It holds account numbers, so its file is readable by its owner only. What a file said
once is kept; the same file again changes nothing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from chain.errors import ConfigError, StoreError
from node.bank.entries import Party
from node.files import create_file

_FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE payee (token BLOB PRIMARY KEY, name TEXT NOT NULL, account TEXT NOT NULL, agent TEXT NOT NULL) STRICT;
CREATE TABLE incoming (
    custody TEXT NOT NULL, booking_day INTEGER NOT NULL, ref_token BLOB NOT NULL, deposit_code INTEGER,
    name TEXT NOT NULL, account TEXT NOT NULL, agent TEXT NOT NULL,
    PRIMARY KEY (custody, booking_day, ref_token)
) STRICT;
CREATE INDEX incoming_by_code ON incoming (custody, deposit_code);
CREATE TABLE sent (
    prefix BLOB NOT NULL, attempt INTEGER NOT NULL, instruction BLOB NOT NULL, custody TEXT NOT NULL,
    amount INTEGER NOT NULL, message TEXT NOT NULL, PRIMARY KEY (prefix, attempt)
) STRICT;
"""


class Incoming(Struct, frozen=True):
    """One transfer that came in, and from whom."""

    custody: str
    """Name of the custody account."""
    booking_day: int
    ref_token: bytes
    deposit_code: int | None
    party: Party


class Sent(Struct, frozen=True):
    """One instruction that was handed over for payment."""

    instruction: bytes
    attempt: int
    custody: str
    amount: int
    message: str
    """MsgId of the pain.001 file."""


class Register:
    """The opened register."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; raise `ConfigError` where it is something else.

        Every other method raises `StoreError` where the file cannot be read or written.
        """
        self._path = path
        if not path.exists():
            create_file(path, b"")
        self._database = sqlite3.connect(path, isolation_level=None)
        try:
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;")
            elif version != _FORMAT:
                raise ConfigError(field=str(path), reason=f"has format {version}, not {_FORMAT}")
        except sqlite3.Error as error:
            self._database.close()
            raise ConfigError(field=str(path), reason=f"is no register: {error}") from error
        except ConfigError:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._database
        except sqlite3.Error as error:
            raise StoreError(f"the register {self._path}: {error}") from error

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: durable when it is left, undone by any error."""
        with self._use() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")

    # --- payees ---

    def put_payees(self, payees: Sequence[tuple[bytes, Party]]) -> None:
        """Note whose account a token is; a newer name or agent replaces the older one."""
        with self._write() as database:
            database.executemany(
                "INSERT OR REPLACE INTO payee VALUES (?, ?, ?, ?)",
                [(token, party.name, party.account, party.agent) for token, party in payees],
            )

    def find_payee(self, token: bytes) -> Party | None:
        """Return whose account a token is."""
        with self._use() as database:
            row = database.execute("SELECT name, account, agent FROM payee WHERE token = ?", (token,)).fetchone()
        return None if row is None else Party(*row)

    # --- payers ---

    def put_incoming(self, transfers: Sequence[Incoming]) -> None:
        """Note who paid; the first word on a transfer stays."""
        with self._write() as database:
            database.executemany(
                "INSERT OR IGNORE INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        item.custody,
                        item.booking_day,
                        item.ref_token,
                        item.deposit_code,
                        item.party.name,
                        item.party.account,
                        item.party.agent,
                    )
                    for item in transfers
                ],
            )

    def find_payer(self, custody: str, booking_day: int, ref_token: bytes) -> Party | None:
        """Return who paid a transfer."""
        with self._use() as database:
            row = database.execute(
                "SELECT name, account, agent FROM incoming WHERE custody = ? AND booking_day = ? AND ref_token = ?",
                (custody, booking_day, ref_token),
            ).fetchone()
        return None if row is None else Party(*row)

    def list_payers(self, custody: str, deposit_code: int) -> list[Party]:
        """Return the different accounts from which somebody paid under a deposit code."""
        with self._use() as database:
            rows = database.execute(
                "SELECT DISTINCT name, account, agent FROM incoming WHERE custody = ? AND deposit_code = ?"
                " ORDER BY account, name, agent",
                (custody, deposit_code),
            ).fetchall()
        return [Party(*row) for row in rows]

    # --- payments ---

    def put_sent(self, prefix_bytes: int, payments: Sequence[Sent], *, is_again: bool = False) -> None:
        """Note what is handed over, before it is: a payment is never in two files by mistake.

        Raises `ConfigError`, noting nothing, where another export has noted one of these attempts meanwhile, unless
        it `is_again` on purpose.
        """
        with self._write() as database:
            for item in () if is_again else payments:
                if (
                    sent := self.find_sent(item.instruction[:prefix_bytes])
                ) is not None and sent.attempt >= item.attempt:
                    reason = f"{item.instruction.hex()} was exported meanwhile, in {sent.message}: export again"
                    raise ConfigError(field=str(self._path), reason=reason)
            database.executemany(
                "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        item.instruction[:prefix_bytes],
                        item.attempt,
                        item.instruction,
                        item.custody,
                        item.amount,
                        item.message,
                    )
                    for item in payments
                ],
            )

    def find_sent(self, prefix: bytes) -> Sent | None:
        """Return the newest attempt at an instruction, by the first bytes of its id."""
        with self._use() as database:
            row = database.execute(
                "SELECT instruction, attempt, custody, amount, message FROM sent WHERE prefix = ?"
                " ORDER BY attempt DESC LIMIT 1",
                (prefix,),
            ).fetchone()
        return None if row is None else Sent(*row)
