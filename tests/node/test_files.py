import errno
import os
from pathlib import Path

import pytest

from chain.errors import ConfigError, StoreError
from node import files
from node.files import create_directory, create_file, read_file, read_secret, write_all


def test_created_file_has_its_mode_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        create_file(tmp_path / "secret", b"x")
        create_file(tmp_path / "public", b"y", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    create_file(tmp_path / "key", b"old")
    with pytest.raises(ConfigError) as error:
        create_file(tmp_path / "key", b"new")
    assert error.value.values["field"] == str(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"old"


def test_file_in_a_missing_folder_names_itself_in_the_error(tmp_path: Path) -> None:
    for attempt in (lambda path: create_file(path, b""), lambda path: read_file(path, bytes_max=10)):
        with pytest.raises(ConfigError, match="no/key"):
            attempt(tmp_path / "no" / "key")


def test_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    create_file(tmp_path / "file", b"12345")
    assert read_file(tmp_path / "file", bytes_max=5) == b"12345"
    with pytest.raises(ConfigError, match="larger than 4"):
        read_file(tmp_path / "file", bytes_max=4)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o610, 0o601, 0o644])
def test_secret_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    create_file(tmp_path / "key", b"secret")
    assert read_secret(tmp_path / "key", bytes_max=10) == b"secret"
    (tmp_path / "key").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(tmp_path / "key", bytes_max=10)


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write_some(descriptor: int, data: memoryview) -> int:
        written.append(bytes(data[:3]))
        return len(written[-1])

    monkeypatch.setattr(os, "write", write_some)
    write_all(0, b"12345678")
    assert b"".join(written) == b"12345678"


def test_s8_disk_that_is_full_is_a_store_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_all(0, b"1")


def test_s9_names_of_new_folders_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_directory", synced.append)
    create_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert set(synced) == {tmp_path, tmp_path / "a"}
    synced.clear()
    create_directory(tmp_path / "a" / "b")
    assert synced == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="file/folder, reason=cannot be made a folder: Not a directory"):
        create_directory(tmp_path / "file" / "folder")


def test_a_file_that_cannot_be_written_whole_is_not_left_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="No space left"):
            create_file(tmp_path / "key", b"secret")
    create_file(tmp_path / "key", b"secret")
    assert read_file(tmp_path / "key", bytes_max=10) == b"secret"
