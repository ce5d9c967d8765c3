"""Identities: what an institution or a validator makes for itself, and the card that it shows to the others.

Secrets stay in the folder in which they were made; the card is public and becomes a part of genesis. A
validator's key and its guard are made in one act, because a guard that comes later could not vouch for
what the key signed before (consensus 7; pitfalls C37).

    organisation/    signing.json recovery.json (not for assessors and hospitals) organisation.card.json
    validator/       keys/ (validator, checkpoint, reveal, tls, cursor) guard validator.card.json
"""

from pathlib import Path
from typing import Annotated, assert_never

import msgspec
from msgspec import Meta, Struct

from chain.contract.call_base import Name
from chain.errors import ConfigError
from chain.genesis import ROLE_AUDITOR, ROLE_NAMES, Organisation
from chain.types import ZERO_HASH
from chain.validators import Validator
from node.config import KeyPaths, parse_address
from node.files import PUBLIC_MODE, create_directory, create_file, read_file, read_secret
from node.guard import create_guard
from node.keys import Hex32, KeyKind, create_key, create_secret, generate_key, load_key, save_key
from node.reveal import FILE_BYTES_MAX as REVEAL_FILE_BYTES_MAX
from node.reveal import LENGTH_DEFAULT, create_reveal, load_reveal, validate_length
from node.tls_files import create_tls, load_certificate
from p2p.errors import CertificateMalformedError
from p2p.tls import compute_pin

CARD_BYTES_MAX = 16_384
ORGANISATION_CARD = "organisation.card.json"
VALIDATOR_CARD = "validator.card.json"
SIGNING_KEY = "signing.json"
RECOVERY_KEY = "recovery.json"
GUARD = "guard"


RoleName = Annotated[str, Meta(pattern=rf"^({'|'.join(ROLE_NAMES)})\Z")]


class OrganisationCard(Struct, frozen=True, forbid_unknown_fields=True, tag="organisation", tag_field="card"):
    """What an institution shows."""

    name: Name
    role: RoleName
    group: Name
    key: Hex32
    recovery_key: Hex32
    """Zero for assessors and hospitals."""


class ValidatorCard(Struct, frozen=True, forbid_unknown_fields=True, tag="validator", tag_field="card"):
    """What a validator shows."""

    organisation: Name
    address: Annotated[str, Meta(min_length=3, max_length=255)]
    key: Hex32
    checkpoint_key: Hex32
    tls_pin: Hex32
    tls_certificate: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){1,2048}\Z")]
    """DER, hex."""
    reveal_anchor: Hex32


_card_decoder: msgspec.json.Decoder[OrganisationCard | ValidatorCard] = msgspec.json.Decoder(
    OrganisationCard | ValidatorCard
)


def create_organisation(directory: Path, *, name: str, role: str, group: str) -> OrganisationCard:
    """Make the keys and the card of an institution; raise `ConfigError` where anything exists or is not
    valid."""
    validate_name(name, field="name")
    validate_name(group, field="group")
    if role not in ROLE_NAMES:
        raise ConfigError(field="role", reason=f"must be one of {', '.join(ROLE_NAMES)}")
    create_directory(directory)
    _require_absent(directory / SIGNING_KEY, directory / RECOVERY_KEY, directory / ORGANISATION_CARD)
    key = create_key(directory / SIGNING_KEY, kind=KeyKind.SIGNING, owner=name)
    recovery = bytes(ZERO_HASH)
    if ROLE_NAMES.index(role) <= ROLE_AUDITOR:
        path = directory / RECOVERY_KEY
        recovery = create_key(path, kind=KeyKind.RECOVERY, owner=name).public_key
    card = OrganisationCard(name=name, role=role, group=group, key=key.public_key.hex(), recovery_key=recovery.hex())
    _save_card(directory / ORGANISATION_CARD, card)
    return card


def create_validator(
    directory: Path, *, organisation: str, address: str, reveal_length: int = LENGTH_DEFAULT
) -> ValidatorCard:
    """Make the keys of a validator together with its guard, and its card, in a folder of its own.

    `address` is host:port at which the others reach it. Raises `ConfigError` where anything exists already.
    """
    validate_length(reveal_length)
    paths = _prepare(directory, organisation=organisation, address=address)
    create_reveal(Path(paths.reveal), owner=organisation, length=reveal_length)
    create_key(Path(paths.checkpoint), kind=KeyKind.CHECKPOINT, owner=organisation)
    create_tls(
        private_key_path=Path(paths.tls_private_key),
        certificate_path=Path(paths.tls_certificate),
        owner=organisation,
    )
    create_secret(Path(paths.cursor_secret))
    # The guard first: a key without its guard must never be on a disk; a guard without its key does no harm.
    key = generate_key()
    create_guard(directory / GUARD, key=key.public_key)
    save_key(Path(paths.validator), key, kind=KeyKind.VALIDATOR, owner=organisation)
    return _make_card(directory, organisation=organisation, address=address)


def restore_validator(directory: Path, *, key_directory: Path, organisation: str, address: str) -> ValidatorCard:
    """Set up a validator with the keys of a backup and **without** a guard: it starts in quarantine.

    Nobody knows any more what the key signed, so it waits until the chain is three heights further than all
    that the others know (consensus 7, Quarantine). Raises `ConfigError` where a file is missing, wrong or in
    the way.
    """
    # Everything is read before anything is written: with half a backup nothing is begun.
    paths = get_key_paths(directory)
    secrets = {
        path: read_secret(key_directory / Path(path).name, bytes_max=REVEAL_FILE_BYTES_MAX)
        for path in (paths.reveal, paths.checkpoint, paths.tls_private_key, paths.validator)
    }
    certificate = read_file(key_directory / Path(paths.tls_certificate).name, bytes_max=CARD_BYTES_MAX)
    _prepare(directory, organisation=organisation, address=address)
    for path, content in secrets.items():
        create_file(Path(path), content)
    create_file(Path(paths.tls_certificate), certificate, mode=PUBLIC_MODE)
    create_secret(Path(paths.cursor_secret))
    return _make_card(directory, organisation=organisation, address=address)


def get_key_paths(directory: Path) -> KeyPaths:
    """Return where a validator's secrets lie below its folder."""
    defaults = KeyPaths()
    names = {name: str(directory / getattr(defaults, name)) for name in KeyPaths.__struct_fields__}
    return KeyPaths(**names)


def validate_name(name: str, *, field: str) -> None:
    """Raise `ConfigError` naming the field unless this is a name: 1 to 32 of a-z, 0-9 and the hyphen."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise ConfigError(field=field, reason="must be 1 to 32 of a-z, 0-9 and the hyphen") from error


def load_card(path: Path) -> Organisation | Validator:
    """Read a card of either kind; raise `ConfigError` naming the file where it is none or contradicts
    itself."""
    try:
        card = _card_decoder.decode(read_file(path, bytes_max=CARD_BYTES_MAX))
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no card: {error}") from error
    match card:
        case OrganisationCard():
            return Organisation(
                name=card.name,
                role=ROLE_NAMES.index(card.role),
                group=card.group,
                key=bytes.fromhex(card.key),
                recovery_key=bytes.fromhex(card.recovery_key),
            )
        case ValidatorCard():
            validator = Validator(
                organisation=card.organisation,
                key=bytes.fromhex(card.key),
                checkpoint_key=bytes.fromhex(card.checkpoint_key),
                tls_pin=bytes.fromhex(card.tls_pin),
                tls_certificate=bytes.fromhex(card.tls_certificate),
                address=card.address,
                reveal_anchor=bytes.fromhex(card.reveal_anchor),
            )
            parse_address(validator.address, field=f"{path}.address")
            validate_tls(validator, field=str(path))
            return validator
        case _:
            assert_never(card)


def load_organisation_card(path: Path) -> Organisation:
    """Read the card of an institution; raise `ConfigError` naming the file where it is none."""
    card = load_card(path)
    if not isinstance(card, Organisation):
        raise ConfigError(field=str(path), reason="is a validator's card, not an organisation's")
    return card


def load_validator_card(path: Path) -> Validator:
    """Read the card of a validator; raise `ConfigError` naming the file where it is none."""
    card = load_card(path)
    if not isinstance(card, Validator):
        raise ConfigError(field=str(path), reason="is an organisation's card, not a validator's")
    return card


def validate_tls(validator: Validator, *, field: str) -> None:
    """Raise `ConfigError` naming the field unless the pin is that of the certificate."""
    try:
        pin = compute_pin(validator.tls_certificate)
    except CertificateMalformedError as error:
        raise ConfigError(field=f"{field}.tls_certificate", reason=str(error)) from error
    if pin != validator.tls_pin:
        raise ConfigError(field=f"{field}.tls_pin", reason="is not that of the certificate")


def _prepare(directory: Path, *, organisation: str, address: str) -> KeyPaths:
    validate_name(organisation, field="organisation")
    parse_address(address, field="address")
    paths = get_key_paths(directory)
    folder = Path(paths.validator).parent
    create_directory(directory)
    _require_absent(folder, directory / GUARD, directory / VALIDATOR_CARD)
    create_directory(folder)
    return paths


def _make_card(directory: Path, *, organisation: str, address: str) -> ValidatorCard:
    """Make the card from what is on the disk, so that it shows what the node will use."""
    paths = get_key_paths(directory)
    certificate = load_certificate(Path(paths.tls_certificate))
    card = ValidatorCard(
        organisation=organisation,
        address=address,
        key=load_key(Path(paths.validator), kind=KeyKind.VALIDATOR).public_key.hex(),
        checkpoint_key=load_key(Path(paths.checkpoint), kind=KeyKind.CHECKPOINT).public_key.hex(),
        tls_pin=certificate.pin.hex(),
        tls_certificate=certificate.certificate.hex(),
        reveal_anchor=load_reveal(Path(paths.reveal)).anchor.hex(),
    )
    _save_card(directory / VALIDATOR_CARD, card)
    return card


def _save_card(path: Path, card: OrganisationCard | ValidatorCard) -> None:
    content = msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"
    create_file(path, content, mode=PUBLIC_MODE)


def _require_absent(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise ConfigError(field=str(path), reason="exists already and is never overwritten")
