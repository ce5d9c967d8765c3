"""The register of institutions' keys: each has one use, once, for ever (design 2).

    free --taken--> live --replaced, or its holder left--> retired
                     +-----recovery key spoke------------> revoked

Signing and recovery keys of organisations, voting and checkpoint keys of validators are here, since genesis or since
governance let them in. A member's key is not: with millions of members an index of their keys would cost more than it
shows. Nobody may apply with a key that is here; and a member's key that became an institution's would act for each
only where it is asked as such, because calls of members name the member and those of institutions are looked up by
signer.
"""

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.governance_events import OrganisationKeyChanged
from chain.contract.governance_tables import (
    KEY,
    KEY_LIVE,
    KEY_RETIRED,
    KEY_REVOKED,
    KEY_SIGNING,
    KeyRecord,
)
from chain.contract.tables import ORGANISATION, SIGNER, OrganisationRecord, SignerRecord
from chain.errors import Refusal
from chain.state import Overlay
from chain.types import ZERO_HASH


def validate_key_free(state: Overlay, key: bytes) -> None:
    """Raise `key_in_use` where an institution uses this key or ever did, `value_out_of_range` for the zero key."""
    if key == ZERO_HASH:
        raise Refusal("value_out_of_range", field="key")
    if state.get(KEY, key) is not None:
        raise Refusal("key_in_use", key=key.hex())


def validate_keys_free(state: Overlay, *keys: bytes) -> None:
    """Raise `key_in_use` unless all of these are free and different."""
    if len(dict.fromkeys(keys)) < len(keys):
        raise Refusal("key_in_use")
    for key in keys:
        validate_key_free(state, key)


def take_key(state: Overlay, key: bytes, *, use: int, owner: str) -> None:
    """Give a free key its one use."""
    state.put(KEY, KeyRecord(use=use, owner=owner, state=KEY_LIVE), key)


def end_key(state: Overlay, key: bytes, *, is_revoked: bool = False) -> None:
    """Let a key die; it stays in the register, so that it never gets another use."""
    record = state.require(KEY, key)
    state.put(KEY, replace(record, state=KEY_REVOKED if is_revoked else KEY_RETIRED), key)


def is_key_revoked(state: Overlay, key: bytes) -> bool:
    """Tell whether a recovery key has declared that this key was in the wrong hands."""
    record = state.get(KEY, key)
    return record is not None and record.state == KEY_REVOKED


def require_organisation(state: Overlay, name: str) -> OrganisationRecord:
    """Return an organisation in office; raise `organisation_unknown`."""
    record = state.get(ORGANISATION, name)
    if record is None or record.left_day:
        raise Refusal("organisation_unknown", organisation=name)
    return record


def put_signer(state: Overlay, name: str, record: OrganisationRecord) -> None:
    """Let an organisation's key sign for it."""
    state.put(SIGNER, SignerRecord(organisation=name, role=record.role, order=record.order), record.key)


def replace_signing_key(state: Overlay, context: Context, name: str, new_key: bytes, *, is_revoked: bool) -> None:
    """Give an organisation another signing key; the old one is dead at once and for ever.

    Raises organisation_unknown, key_in_use.
    """
    record = require_organisation(state, name)
    validate_key_free(state, new_key)
    take_key(state, new_key, use=KEY_SIGNING, owner=name)
    end_key(state, record.key, is_revoked=is_revoked)
    state.delete(SIGNER, record.key)
    record = replace(record, key=new_key)
    state.put(ORGANISATION, record, name)
    put_signer(state, name, record)
    context.emit(OrganisationKeyChanged(organisation=name, key=new_key, is_revoked=is_revoked))
