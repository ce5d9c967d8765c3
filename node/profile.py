"""Encrypted profiles: fields that each group can read for itself, and prove one by one (contract 6).

    member secret --BLAKE2b, one name each--> key of a group (platform, auditors, bank), salts of the fields
    blob    [version, [[group, nonce, XChaCha20-Poly1305(fields that the group is entitled to)], ...]]   <= 16 KiB
    root    RFC 6962 over SHA-256 leaves of [tag, name, salt, value], by name: field_commitments_root of member_apply

The blob lies beside the chain and can be deleted everywhere; root and hash of the blob stay on the chain and say
nothing without the salts. The member keeps the secret; a group gets its own key, never the secret, and keeps it in its
vault (vault.py). Without key and blob a profile is gone, also for whoever copied the other one. No key is wrapped to a
long-lived key anywhere, because such a wrapping on a chain could never be erased.
"""

import hashlib
import secrets
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Final

from msgspec import Meta, Struct
from nacl import bindings
from nacl.exceptions import CryptoError

from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import sha256
from chain.errors import ConfigError, DecodeError, ProofError
from chain.history import compute_leaf_hash, inclusion_path, merkle_root, verify_inclusion
from chain.types import Hash
from node.wire import BLOB_BYTES_MAX

FIELDS_MAX: Final = 64
SECRET_BYTES: Final = 32
PROFILE_FORMAT: Final = 1
_LEAF_TAG: Final = "gongji/profile-field/v1"
_KEY_TAG: Final = b"gongji/profile-key/v1\n"
_SALT_TAG: Final = b"gongji/profile-salt/v1\n"
_SEAL_TAG: Final = b"gongji/profile-seal/v1\n"

FieldName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+\Z")]
FieldValue = Annotated[str, Meta(max_length=4_096)]


class Group(Enum):
    """Who is entitled to fields."""

    PLATFORM = "platform"
    AUDITORS = "auditors"
    BANK = "bank"


EVERYBODY: Final = (Group.PLATFORM, Group.AUDITORS, Group.BANK)


class Field(Struct, frozen=True):
    """One field of a profile."""

    name: str
    value: str
    groups: tuple[Group, ...] = (Group.PLATFORM, Group.AUDITORS)
    """Who can read it without the member."""


class OpenedField(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A field in clear, with what shows that it is the one that the member signed."""

    name: FieldName
    value: FieldValue
    salt: Bytes32


class Disclosure(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One field shown to somebody who may not see the others."""

    field: OpenedField
    position: Annotated[int, Meta(ge=0, lt=FIELDS_MAX)]
    count: Annotated[int, Meta(ge=1, le=FIELDS_MAX)]
    """Fields of the profile."""
    path: Annotated[tuple[Bytes32, ...], Meta(max_length=8)]


class _Placed(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    position: Annotated[int, Meta(ge=0, lt=FIELDS_MAX)]
    field: OpenedField
    path: Annotated[tuple[Bytes32, ...], Meta(max_length=8)]


class _Section(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=FIELDS_MAX)]
    fields: Annotated[tuple[_Placed, ...], Meta(max_length=FIELDS_MAX)]


class _Sealed(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    group: Group
    nonce: Annotated[bytes, Meta(min_length=24, max_length=24)]
    ciphertext: Annotated[bytes, Meta(max_length=BLOB_BYTES_MAX)]


class _Blob(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    format: Annotated[int, Meta(ge=PROFILE_FORMAT, le=PROFILE_FORMAT)]
    sections: Annotated[tuple[_Sealed, ...], Meta(max_length=len(EVERYBODY))]


_blob_codec: Codec[_Blob] = Codec(_Blob, BLOB_BYTES_MAX, "profile")
_section_codec: Codec[_Section] = Codec(_Section, BLOB_BYTES_MAX, "profile section")


class SealedProfile(Struct, frozen=True):
    """What an application needs of a profile."""

    blob: bytes
    """Detached ciphertext, put before the application."""
    blob_hash: Hash
    field_commitments_root: Hash


def generate_secret() -> bytes:
    """Make a member's secret from the system's randomness; a new one for each version of a profile."""
    return secrets.token_bytes(SECRET_BYTES)


def derive_group_key(secret: bytes, group: Group) -> bytes:
    """Return the key with which one group opens its section; it gives away neither the secret nor another's key."""
    return hashlib.blake2b(_KEY_TAG + group.value.encode(), key=secret, digest_size=32).digest()


def _derive_salt(secret: bytes, name: str) -> bytes:
    return hashlib.blake2b(_SALT_TAG + name.encode(), key=secret, digest_size=32).digest()


# --- sealing ---


def seal_profile(secret: bytes, fields: Sequence[Field]) -> SealedProfile:
    """Encrypt a profile and commit to each field; raise `ConfigError` naming what does not fit.

    Refused: no field, too many, one twice, one that no group may read, a name or value out of its bounds, and a blob
    of more than 16 KiB.
    """
    if len(secret) != SECRET_BYTES:
        raise ConfigError(field="secret", reason=f"has {len(secret)} bytes, not {SECRET_BYTES}")
    ordered = sorted(fields, key=lambda field: field.name)
    opened = [OpenedField(field.name, field.value, _derive_salt(secret, field.name)) for field in ordered]
    _validate_fields(ordered)
    leaves = [_encode_leaf(field) for field in opened]
    root = merkle_root(leaves)
    sections = []
    for group in EVERYBODY:
        placed = tuple(
            _Placed(position=position, field=opened[position], path=tuple(inclusion_path(leaves, position)))
            for position, field in enumerate(ordered)
            if group in field.groups
        )
        if placed:
            plain = encode(_Section(count=len(leaves), fields=placed))
            sections.append(_seal(derive_group_key(secret, group), group, root, plain))
    blob = encode(_Blob(format=PROFILE_FORMAT, sections=tuple(sections)))
    if len(blob) > BLOB_BYTES_MAX:
        raise ConfigError(field="profile", reason=f"takes {len(blob)} bytes, at most {BLOB_BYTES_MAX}")
    return SealedProfile(blob=blob, blob_hash=sha256(blob), field_commitments_root=root)


_field_codec: Codec[OpenedField] = Codec(OpenedField, BLOB_BYTES_MAX, "field")


def _validate_fields(fields: Sequence[Field]) -> None:
    if not 1 <= len(fields) <= FIELDS_MAX:
        raise ConfigError(field="profile", reason=f"has {len(fields)} fields, 1 to {FIELDS_MAX} are allowed")
    before = ""
    for field in fields:
        if field.name == before:
            raise ConfigError(field=field.name, reason="stands in the profile twice")
        if not field.groups:
            raise ConfigError(field=field.name, reason="could be read by nobody")
        try:
            _field_codec.decode(encode(OpenedField(field.name, field.value, bytes(32))))
        except DecodeError as error:
            raise ConfigError(field=field.name, reason=str(error.values["reason"])) from None
        except UnicodeEncodeError:
            raise ConfigError(field=field.name, reason="has a character that is no Unicode") from None
        before = field.name


def _seal(key: bytes, group: Group, root: Hash, plain: bytes) -> _Sealed:
    nonce = secrets.token_bytes(bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
    ciphertext = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _get_context(group, root), nonce, key)
    return _Sealed(group=group, nonce=nonce, ciphertext=ciphertext)


def _get_context(group: Group, root: Hash) -> bytes:
    """Return what a section is bound to: it opens for this group and under this root only."""
    return _SEAL_TAG + group.value.encode() + b"\n" + root


def _encode_leaf(field: OpenedField) -> bytes:
    return encode((_LEAF_TAG, field.name, field.salt, field.value))


# --- opening ---


def open_profile(blob: bytes, *, group: Group, key: bytes, root: Hash) -> tuple[Disclosure, ...]:
    """Return the fields that a group may read, each checked against the root that the member signed.

    Raises `DecodeError` for bytes that are no profile, `ProofError` for a key, a group or a root that does not fit.
    """
    for section in _blob_codec.decode(blob).sections:
        if section.group is group:
            return _open(section, key, root)
    raise ProofError(f"the profile has no section for the group {group.value}")


def _open(sealed: _Sealed, key: bytes, root: Hash) -> tuple[Disclosure, ...]:
    try:
        plain = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed.ciphertext, _get_context(sealed.group, root), sealed.nonce, key
        )
    except (CryptoError, TypeError, ValueError) as error:
        raise ProofError("the section does not open with this key") from error
    section = _section_codec.decode(plain)
    found = tuple(
        Disclosure(field=placed.field, position=placed.position, count=section.count, path=placed.path)
        for placed in section.fields
    )
    for disclosure in found:
        verify_disclosure(disclosure, root=root)
    return found


def verify_disclosure(disclosure: Disclosure, *, root: Hash) -> None:
    """Raise `ProofError` unless the field is one of those that the member committed to under this root."""
    leaf_hash = compute_leaf_hash(_encode_leaf(disclosure.field))
    verify_inclusion(
        root=root, size=disclosure.count, index=disclosure.position, leaf_hash=leaf_hash, path=disclosure.path
    )
