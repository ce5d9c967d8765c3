import shutil
from pathlib import Path

import msgspec
import pytest

from chain.errors import ConfigError
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR
from chain.types import ZERO_HASH
from node.guard import open_guard
from node.identities import (
    create_organisation,
    create_validator,
    get_key_paths,
    load_organisation_card,
    load_validator_card,
    restore_validator,
)
from node.keys import KeyKind, load_key
from node.reveal import STEP, load_reveal

ADDRESS = "127.0.0.1:8500"


def make_validator(directory: Path) -> None:
    create_validator(directory, organisation="platform", address=ADDRESS, reveal_length=STEP)


def change(path: Path, **values: object) -> None:
    stored = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode({**stored, **values}))


def test_auditor_has_a_signing_and_a_recovery_key(tmp_path: Path) -> None:
    create_organisation(tmp_path, name="auditor-1", role="auditor", group="auditor-group")
    card = load_organisation_card(tmp_path / "organisation.card.json")
    assert (card.name, card.role, card.group) == ("auditor-1", ROLE_AUDITOR, "auditor-group")
    assert card.key == load_key(tmp_path / "signing.json", kind=KeyKind.SIGNING).public_key
    assert card.recovery_key == load_key(tmp_path / "recovery.json", kind=KeyKind.RECOVERY).public_key


def test_assessor_has_no_recovery_key(tmp_path: Path) -> None:
    create_organisation(tmp_path, name="firm", role="assessor", group="firm")
    card = load_organisation_card(tmp_path / "organisation.card.json")
    assert (card.role, card.recovery_key) == (ROLE_ASSESSOR, ZERO_HASH)
    assert not (tmp_path / "recovery.json").exists()


@pytest.mark.parametrize(
    ("name", "role", "group", "field"),
    [("A", "auditor", "g", "name"), ("a", "auditor", "", "group"), ("a", "king", "g", "role")],
)
def test_organisation_that_is_not_valid_makes_no_files(
    tmp_path: Path, name: str, role: str, group: str, field: str
) -> None:
    with pytest.raises(ConfigError) as error:
        create_organisation(tmp_path / "x", name=name, role=role, group=group)
    assert error.value.values["field"] == field
    assert not (tmp_path / "x").exists()


def test_existing_organisation_is_left_alone(tmp_path: Path) -> None:
    create_organisation(tmp_path, name="a", role="auditor", group="a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "signing.json").rename(tmp_path / "moved.json")
    with pytest.raises(ConfigError):
        create_organisation(tmp_path, name="a", role="auditor", group="a")
    assert (tmp_path / "recovery.json").read_bytes() == before["recovery.json"]
    assert not (tmp_path / "signing.json").exists()


def test_card_of_a_validator_shows_what_is_in_its_files(tmp_path: Path) -> None:
    make_validator(tmp_path / "v")
    validator = load_validator_card(tmp_path / "v" / "validator.card.json")
    paths = get_key_paths(tmp_path / "v")
    assert validator.key == load_key(Path(paths.validator), kind=KeyKind.VALIDATOR).public_key
    assert validator.checkpoint_key == load_key(Path(paths.checkpoint), kind=KeyKind.CHECKPOINT).public_key
    assert validator.reveal_anchor == load_reveal(Path(paths.reveal)).anchor
    assert (validator.organisation, validator.address) == ("platform", ADDRESS)


def test_c37_key_and_guard_come_into_being_together(tmp_path: Path) -> None:
    make_validator(tmp_path / "v")
    guard = open_guard(tmp_path / "v" / "guard")
    guard.close()
    assert guard.state is not None
    assert guard.state.key == load_validator_card(tmp_path / "v" / "validator.card.json").key
    assert guard.state.mark is None


@pytest.mark.parametrize("left", ["guard", "keys", "validator.card.json"])
def test_c37_nothing_is_made_where_a_part_of_a_validator_is_left(tmp_path: Path, left: str) -> None:
    make_validator(tmp_path / "v")
    for path in (tmp_path / "v").iterdir():
        if path.name != left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ConfigError, match="never overwritten"):
        make_validator(tmp_path / "v")
    assert [path.name for path in (tmp_path / "v").iterdir()] == [left]


def test_c37_restored_key_has_no_guard(tmp_path: Path) -> None:
    make_validator(tmp_path / "old")
    card = restore_validator(
        tmp_path / "new", key_directory=tmp_path / "old" / "keys", organisation="platform", address=ADDRESS
    )
    assert not (tmp_path / "new" / "guard").exists()
    assert card.key == load_validator_card(tmp_path / "old" / "validator.card.json").key.hex()
    assert (tmp_path / "new" / "keys" / "validator.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_begun_that_cannot_be_finished(tmp_path: Path) -> None:
    """A folder with half of the keys would refuse the second, right attempt."""
    with pytest.raises(ConfigError) as error:
        create_validator(tmp_path / "new", organisation="platform", address=ADDRESS, reveal_length=STEP - 1)
    assert error.value.values["field"] == "reveal_length"
    make_validator(tmp_path / "old")
    (tmp_path / "old" / "keys" / "checkpoint.json").unlink()
    with pytest.raises(ConfigError, match=r"checkpoint\.json"):
        restore_validator(
            tmp_path / "new", key_directory=tmp_path / "old" / "keys", organisation="platform", address=ADDRESS
        )
    assert not (tmp_path / "new").exists()


def test_secrets_that_others_may_read_are_not_restored(tmp_path: Path) -> None:
    make_validator(tmp_path / "old")
    (tmp_path / "old" / "keys" / "validator.json").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        restore_validator(
            tmp_path / "new", key_directory=tmp_path / "old" / "keys", organisation="platform", address=ADDRESS
        )


@pytest.mark.parametrize(
    "values",
    [
        {"tls_pin": "00" * 32},
        {"tls_certificate": "30"},
        {"tls_certificate": ""},
        {"key": "00"},
        {"card": "organisation"},
        {"extra": 1},
    ],
)
def test_validator_card_that_contradicts_itself_is_refused(tmp_path: Path, values: dict[str, object]) -> None:
    make_validator(tmp_path / "v")
    path = tmp_path / "v" / "validator.card.json"
    change(path, **values)
    with pytest.raises(ConfigError, match=r"validator\.card"):
        load_validator_card(path)


def test_organisation_card_with_an_unknown_role_is_refused(tmp_path: Path) -> None:
    create_organisation(tmp_path, name="a", role="auditor", group="a")
    change(tmp_path / "organisation.card.json", role="king")
    with pytest.raises(ConfigError):
        load_organisation_card(tmp_path / "organisation.card.json")
