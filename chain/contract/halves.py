"""Calls that need more than one signature: each party sends the same call, the last one completes it (contract 5).

    --first party--> open --the others, in any order--> carried out, and the half is gone
                      +-----7 days---------------------> expired, and nothing has happened

What a half asks for is checked again when it is completed: the state may have moved on meanwhile. A completion that
is refused leaves the half open. What a key signed that was revoked since (key_revocation.py), or a member's key that
was replaced, or an organisation that was let go, is missing again.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.codec import encode
from chain.contract.call_base import Bytes32, CallPart, Name
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_HALF, add_due
from chain.contract.fields import Code, DayField, Record
from chain.contract.half_events import HalfExpired, HalfSigned
from chain.contract.org_keys import is_key_revoked
from chain.contract.organisations import get_today, require_plan
from chain.contract.tables import ORGANISATION, SIGNER
from chain.crypto import sha256
from chain.errors import Refusal
from chain.genesis import ROLE_NAMES
from chain.state import Overlay, Table
from chain.types import Hash

HALF_DAYS: Final = 7
"""A call that is not completed by then is forgotten."""
_TAG: Final = b"gongji/half/v1\n"


class PartyRecord(Record, frozen=True):
    """One of those whose signature a call needs, and whether it is there."""

    role: Code
    """Role of the organisation that may sign (genesis.ROLE_NAMES); NO_ROLE where `key` must."""
    key: Bytes32 | None
    """The key that must sign, where no organisation does."""
    signed_by: Name | None
    """Organisation that signed; "-" for a key; null while it has not."""
    signer: Bytes32 | None
    """Key that signed: the signature counts no more once it is revoked; null while nobody has."""


class HalfRecord(Record, frozen=True):
    """["half", plan, hash of the call]: a call that waits for signatures."""

    name: str
    """Name of the call."""
    opened_day: DayField
    due_day: DayField
    """It expires at 0:00 of this day."""
    parties: tuple[PartyRecord, ...]
    call: bytes
    """Canonical bytes of the call, so that the others can see what they are asked to sign."""


HALF = Table("half", HalfRecord)
NO_ROLE: Final = 255
KEY_NAME: Final = "-"


class Party(Struct, frozen=True):
    """One of those whose signature a call needs: any organisation of a role, or one key."""

    role: int = NO_ROLE
    key: bytes | None = None
    excluded: tuple[str, ...] = ()
    """Organisations of the role that may not sign this."""


def hash_call(call: CallPart) -> Hash:
    """Return the name under which the halves of a call meet: SHA-256(tag || canonical call)."""
    return sha256(_TAG + encode(call))


def cosign(
    state: Overlay, context: Context, *, plan: str, call: CallPart, parties: Sequence[Party]
) -> tuple[str, ...] | None:
    """Add the signature of the context; return who signed for each party once all have, else None.

    A caller that gets None has done its checks and returns success: the half is noted. `parties` must be the same for
    each signer of one call. Raises `Refusal` wrong_role where the signer is none of the parties that are missing, and
    already where it has signed. Two parties of one role are two organisations.
    """
    name = type(call).__struct_config__.tag
    call_hash = hash_call(call)
    known = state.get(HALF, plan, call_hash)
    today = get_today(context, require_plan(state, plan))
    if known is None:
        known = HalfRecord(
            name=str(name),
            opened_day=today,
            due_day=today + HALF_DAYS,
            parties=tuple(
                PartyRecord(role=party.role, key=party.key, signed_by=None, signer=None) for party in parties
            ),
            call=encode(call),
        )
    known = replace(
        known,
        parties=tuple(_forget_void(state, party, wanted) for party, wanted in zip(known.parties, parties, strict=True)),
    )
    signer = state.get(SIGNER, context.signer)
    position, organisation = _find_party(
        known, parties, context.signer, signer.role if signer else NO_ROLE, signer.organisation if signer else KEY_NAME
    )
    signed = list(known.parties)
    signed[position] = replace(signed[position], signed_by=organisation, signer=context.signer)
    missing = tuple(_name_role(party) for party in signed if party.signed_by is None)
    context.emit(HalfSigned(call_hash=call_hash, name=known.name, organisation=organisation, missing=missing))
    if not missing:
        if state.get(HALF, plan, call_hash) is not None:
            state.delete(HALF, plan, call_hash)
        return tuple(party.signed_by or KEY_NAME for party in signed)
    if state.get(HALF, plan, call_hash) is None:
        offset = require_plan(state, plan).utc_offset_minutes
        add_due(state, plan, known.due_day, DUE_HALF, compute_day_start_ms(known.due_day, offset), call_hash)
    record = HalfRecord(
        name=known.name,
        opened_day=known.opened_day,
        due_day=known.due_day,
        parties=tuple(signed),
        call=known.call,
    )
    state.put(HALF, record, plan, call_hash)
    return None


def _forget_void(state: Overlay, party: PartyRecord, wanted: Party) -> PartyRecord:
    """Return a party as missing where its key was revoked or replaced, or its organisation was let go, since it signed.

    A member's key may be replaced because it was stolen: then the thief's signature counts no more either.
    """
    if party.key != wanted.key:
        return replace(party, key=wanted.key, signed_by=None, signer=None)
    if party.signer is None or party.signed_by is None:
        return party
    organisation = state.get(ORGANISATION, party.signed_by)
    has_left = organisation is not None and organisation.left_day > 0
    if not has_left and not is_key_revoked(state, party.signer):
        return party
    return replace(party, signed_by=None, signer=None)


def _find_party(
    half: HalfRecord, parties: Sequence[Party], key: bytes, role: int, organisation: str
) -> tuple[int, str]:
    """Return (place, name) of the missing party for which the signer stands."""
    for position, (party, record) in enumerate(zip(parties, half.parties, strict=True)):
        if record.signed_by is not None:
            continue
        if party.key is not None:
            if party.key == key:
                return position, KEY_NAME
            continue
        if party.role != role or role == NO_ROLE or organisation in party.excluded:
            continue
        if any(other.signed_by == organisation for other in half.parties):
            continue
        return position, organisation
    has_signed = any(
        record.signed_by is not None and (record.key == key or (record.signed_by == organisation != KEY_NAME))
        for record in half.parties
    )
    raise Refusal("already" if has_signed else "wrong_role", call=half.name)


def _name_role(party: PartyRecord) -> str:
    return "key" if party.role == NO_ROLE else ROLE_NAMES[party.role]


def on_half_due(state: Overlay, context: Context, plan: str, call_hash: bytes, day: int) -> None:
    """Forget a call that was not completed in its days; `day` is the day that the deadline was set for."""
    half = state.get(HALF, plan, call_hash)
    if half is None or half.due_day != day:
        return
    state.delete(HALF, plan, call_hash)
    context.emit(HalfExpired(call_hash=call_hash, name=half.name))
