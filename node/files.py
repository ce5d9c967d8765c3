"""Files of a node that must be whole or absent: created once, synced, readable by their owner only.

What lives here knows nothing of what it stores. A failed sync is never tried again: the kernel may have
dropped the pages and call the next sync a success, so the process stops (pitfalls S8, S10).
"""

import os
from pathlib import Path

from chain.errors import ConfigError, StoreError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644
DIRECTORY_MODE = 0o700


def create_directory(path: Path) -> None:
    """Create a directory durably, its parents included, for its owner only; an existing one is left as it is.

    Raises `ConfigError` where it cannot be made.
    """
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be made a folder: {error.strerror}") from error
    for folder in missing:
        sync_directory(folder.parent)


def create_file(path: Path, content: bytes, *, mode: int = SECRET_MODE) -> None:
    """Create a file durably; raise `ConfigError` where it exists already: nothing is overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise ConfigError(field=str(path), reason="exists already and is never overwritten") from error
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be created: {error.strerror}") from error
    try:
        # The umask may have taken bits away, and never adds any: set what is meant.
        os.fchmod(descriptor, mode)
        write_all(descriptor, content)
        sync_all(descriptor)
    except (OSError, StoreError):
        # Half a file would be in the way of the next try, and is good for nothing else.
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def read_file(path: Path, *, bytes_max: int) -> bytes:
    """Read a whole file of bounded size; raise `ConfigError` naming it where that cannot be done."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise ConfigError(field=str(path), reason=f"cannot be read: {error.strerror}") from error
    if len(content) > bytes_max:
        raise ConfigError(field=str(path), reason=f"is larger than {bytes_max} bytes")
    return content


def read_secret(path: Path, *, bytes_max: int) -> bytes:
    """Read a file that nobody else may read; raise `ConfigError` where its mode lets others in."""
    content = read_file(path, bytes_max=bytes_max)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(
            field=str(path), reason=f"has mode {mode:04o}; a secret must have 0600 (chmod 600 {path.name})"
        )
    return content


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write everything at the descriptor's position; raise `StoreError` where the disk refuses."""
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise StoreError(f"write failed: {error.strerror}") from error


def sync_data(descriptor: int) -> None:
    """Make the file's data durable; raise `StoreError`, after which the process must end."""
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        raise StoreError(f"fdatasync failed: {error.strerror}") from error


def sync_all(descriptor: int) -> None:
    """Make data and metadata durable; raise `StoreError`, after which the process must end."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise StoreError(f"fsync failed: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable (pitfalls S7, S9)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        sync_all(descriptor)
    finally:
        os.close(descriptor)
