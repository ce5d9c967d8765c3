from pathlib import Path

import msgspec
import pytest

from chain.crypto import SigningKey, verify
from chain.errors import ConfigError
from node.keys import KeyKind, create_key, create_secret, load_key, load_owner, load_secret, save_key


def change(path: Path, **values: object) -> None:
    stored = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode({**stored, **values}))


def test_created_key_signs_after_it_was_read_back(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    created = create_key(path, kind=KeyKind.SIGNING, owner="platform")
    loaded = load_key(path, kind=KeyKind.SIGNING)
    assert loaded.public_key == created.public_key
    assert load_owner(path, kind=KeyKind.SIGNING) == "platform"
    assert verify(public_key=created.public_key, message=b"m", signature=loaded.sign(b"m"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_created_keys_differ(tmp_path: Path) -> None:
    keys = {create_key(tmp_path / str(i), kind=KeyKind.MEMBER, owner="m").public_key for i in range(5)}
    assert len(keys) == 5


def test_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    created = create_key(path, kind=KeyKind.SIGNING, owner="platform")
    with pytest.raises(ConfigError, match="never overwritten"):
        create_key(path, kind=KeyKind.SIGNING, owner="platform")
    assert load_key(path, kind=KeyKind.SIGNING).public_key == created.public_key


def test_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    create_key(path, kind=KeyKind.CHECKPOINT, owner="platform")
    with pytest.raises(ConfigError, match="holds a checkpoint key, not a validator key"):
        load_key(path, kind=KeyKind.VALIDATOR)


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    create_key(path, kind=KeyKind.SIGNING, owner="platform")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="0644"):
        load_key(path, kind=KeyKind.SIGNING)


@pytest.mark.parametrize(
    "values",
    [
        {"public_key": "00" * 32},
        {"seed": "00" * 32},
        {"seed": "00" * 31},
        {"seed": "XX" * 32},
        {"seed": 5},
        {"format": 2},
        {"kind": "master"},
        {"owner": "Not A Name"},
        {"comment": "unknown field"},
    ],
)
def test_key_file_that_was_changed_is_refused(tmp_path: Path, values: dict[str, object]) -> None:
    path = tmp_path / "key.json"
    create_key(path, kind=KeyKind.SIGNING, owner="platform")
    change(path, **values)
    with pytest.raises(ConfigError) as error:
        load_key(path, kind=KeyKind.SIGNING)
    assert error.value.values["field"] == str(path)


def test_known_seed_gives_its_known_key(tmp_path: Path) -> None:
    key = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    save_key(tmp_path / "key", key, kind=KeyKind.MEMBER, owner="m")
    public_key = load_key(tmp_path / "key", kind=KeyKind.MEMBER).public_key
    assert public_key.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"


def test_secret_is_read_back_and_refused_where_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_secret(path)
    assert len(load_secret(path)) == 32
    with pytest.raises(ConfigError):
        create_secret(path)
    for content in (b"ab" * 31, b"zz" * 32, "é".encode()):
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            load_secret(path)
