"""The vault of an organisation: keys of members that can be deleted for good (contract 6).

One SQLite file. One file for each member was the other choice; this one has a transaction for a whole list of
erasures, one thing to back up (and one backup to destroy), and `secure_delete`, which overwrites what is deleted
inside the file. SQLite's rollback journal would keep the old page, so it is kept as a file (PERSIST) and overwritten
with zeros after each change. What a disk, a file system or a backup copied before is beyond any program: encrypt the
disk, keep no backup of a vault for longer than the receipts allow.

An erased member leaves a mark, so that a key cannot come back from an old list unseen.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final

from chain.errors import ConfigError, StoreError
from node.files import SECRET_MODE, create_file, sync_all, sync_directory, write_all

APPLICATION_ID: Final = 0x676A7661
FORMAT: Final = 1
MEMBER_BYTES: Final = 32
NAME_LENGTH_MAX: Final = 64
VALUE_BYTES_MAX: Final = 4_096
BUSY_SECONDS: Final = 5.0
PROFILE_PREFIX: Final = "profile"
"""Secrets whose name begins so are those of a profile; the others belong to claims."""
_SCHEMA: Final = (
    "CREATE TABLE owner (organisation TEXT NOT NULL)",
    "CREATE TABLE secret (member BLOB NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (member, name)) WITHOUT ROWID",
    "CREATE TABLE erased (member BLOB NOT NULL PRIMARY KEY, scope INTEGER NOT NULL) WITHOUT ROWID",
)


class Vault:
    """An open vault; one process at a time writes, others wait for some seconds."""

    def __init__(self, path: Path) -> None:
        """Open a vault that exists; raise `ConfigError` where it is none or others could read it."""
        self._path = path
        self._journal = path.with_name(f"{path.name}-journal")
        if not path.exists():
            raise ConfigError(field=str(path), reason="does not exist (gongji vault init)")
        if path.stat().st_mode & 0o077:
            raise ConfigError(field=str(path), reason=f"can be read by others (chmod 600 {path.name})")
        self._database = _connect(path)
        try:
            if self._read_number("PRAGMA application_id") != APPLICATION_ID:
                raise ConfigError(field=str(path), reason="is no vault")
            if self._read_number("PRAGMA user_version") != FORMAT:
                raise ConfigError(field=str(path), reason="has another format")
            row = self._database.execute("SELECT organisation FROM owner").fetchone()
            self.organisation = str(row[0])
            """Name of the organisation whose vault it is."""
            # What a crash left behind after its change was complete.
            self._wipe_journal()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise ConfigError(field=str(path), reason=f"cannot be read as a vault: {error}") from error
        except (ConfigError, StoreError):
            self._database.close()
            raise

    def __enter__(self) -> "Vault":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # --- reading ---

    def get(self, member: bytes, name: str) -> bytes | None:
        """Return a secret, or None where there is none (any more)."""
        row = self._read("SELECT value FROM secret WHERE member = ? AND name = ?", (member, name)).fetchone()
        return None if row is None else bytes(row[0])

    def list_names(self) -> list[tuple[bytes, str]]:
        """Return (member, name) of everything in the vault, in order."""
        return [(bytes(row[0]), str(row[1])) for row in self._read("SELECT member, name FROM secret ORDER BY 1, 2")]

    def knows(self, member: bytes) -> bool:
        """Tell whether anything of a member is or was in the vault."""
        found = self._read(
            "SELECT EXISTS (SELECT 1 FROM secret WHERE member = ?1) OR EXISTS (SELECT 1 FROM erased WHERE member = ?1)",
            (member,),
        )
        return bool(found.fetchone()[0])

    def list_erased(self) -> list[tuple[bytes, int]]:
        """Return (member, scope) of everybody who was erased here, in order."""
        return [(bytes(row[0]), int(row[1])) for row in self._read("SELECT member, scope FROM erased ORDER BY 1")]

    # --- writing ---

    def put(self, member: bytes, name: str, value: bytes) -> None:
        """Keep a secret durably, in place of an older one of this name; raise `ConfigError` for an erased member."""
        _validate(member, name, value)
        with self._change():
            row = self._read("SELECT scope FROM erased WHERE member = ?", (member,)).fetchone()
            if row is not None and (row[0] or name.startswith(PROFILE_PREFIX)):
                raise ConfigError(field=member.hex(), reason="was erased here; nothing of this is kept again")
            self._read("INSERT OR REPLACE INTO secret VALUES (?, ?, ?)", (member, name, value))

    def delete(self, member: bytes, name: str) -> bool:
        """Delete one secret for good; return whether it was there."""
        with self._change():
            return self._read("DELETE FROM secret WHERE member = ? AND name = ?", (member, name)).rowcount > 0

    def erase(self, members: Sequence[bytes], *, scope: int) -> int:
        """Delete secrets of members for good, those of all of them or none; return how many there were.

        Scope 0 is the profile: secrets whose name begins with PROFILE_PREFIX. Scope 1 is everything. A second time is
        no mistake.
        """
        count = 0
        with self._change():
            for member in members:
                _validate(member, "-", b"")
                count += self._read(
                    "DELETE FROM secret WHERE member = ? AND (? OR substr(name, 1, 7) = 'profile')", (member, scope)
                ).rowcount
                self._read(
                    "INSERT INTO erased VALUES (?, ?)"
                    " ON CONFLICT (member) DO UPDATE SET scope = max(scope, excluded.scope)",
                    (member, scope),
                )
        return count

    # --- the file ---

    def _read(self, statement: str, values: tuple[bytes | str | int, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(f"the vault {self._path}: {error}") from error

    def _read_number(self, statement: str) -> int:
        return int(self._database.execute(statement).fetchone()[0])

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Run one transaction: durable when it is left, undone by any error; no old page stays beside the file."""
        with self._lock():
            yield
        self._wipe_journal()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Be the only process that writes; what was written is kept when this is left, and undone by any error."""
        self._read("BEGIN IMMEDIATE")
        try:
            yield
            self._read("COMMIT")
        finally:
            if self._database.in_transaction:
                self._read("ROLLBACK")

    def _wipe_journal(self) -> None:
        """Overwrite the journal of the last change, whose header SQLite has cleared: it would bring back old pages.

        Under the lock: without it this could be the journal of another process, which needs it to undo its change.
        """
        with self._lock():
            try:
                descriptor = os.open(self._journal, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            except OSError as error:
                raise StoreError(f"the vault {self._path}: its journal cannot be wiped: {error.strerror}") from error
            try:
                size = os.fstat(descriptor).st_size
                write_all(descriptor, bytes(size))
                sync_all(descriptor)
            finally:
                os.close(descriptor)


def create_vault(path: Path, *, organisation: str) -> None:
    """Create an empty vault (mode 0600), whole or not at all; raise `ConfigError` where the file exists."""
    try:
        with TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent, ignore_cleanup_errors=True) as folder:
            draft = Path(folder) / "vault"
            _write_draft(draft, organisation)
            # A rename would write over a vault that is there.
            os.link(draft, path)
    except FileExistsError as error:
        raise ConfigError(field=str(path), reason="exists already and is never overwritten") from error
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be created: {error.strerror}") from error
    sync_directory(path.parent)


def _write_draft(path: Path, organisation: str) -> None:
    create_file(path, b"", mode=SECRET_MODE)
    database = _connect(path)
    try:
        database.execute("BEGIN")
        for statement in _SCHEMA:
            database.execute(statement)
        database.execute("INSERT INTO owner VALUES (?)", (organisation,))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {FORMAT}")
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"a vault cannot be made: {error}") from error
    finally:
        database.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        for setting in ("secure_delete = ON", "journal_mode = PERSIST", "synchronous = EXTRA", "temp_store = MEMORY"):
            database.execute(f"PRAGMA {setting}").fetchall()
    except sqlite3.Error as error:
        raise ConfigError(field=str(path), reason=f"cannot be opened as a vault: {error}") from error
    return database


def _validate(member: bytes, name: str, value: bytes) -> None:
    if len(member) != MEMBER_BYTES:
        raise ConfigError(field="member", reason=f"has {len(member)} bytes, not {MEMBER_BYTES}")
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isascii() or not name.isprintable():
        raise ConfigError(field="name", reason=f"must be 1 to {NAME_LENGTH_MAX} printable ASCII characters")
    if len(value) > VALUE_BYTES_MAX:
        raise ConfigError(field=name, reason=f"has {len(value)} bytes, at most {VALUE_BYTES_MAX} are kept")
