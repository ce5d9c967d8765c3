"""Taking organisations in and letting them go: the rosters keep the rules of the house (contract 1, 5).

- exactly one platform and one custodian: a new one takes the place of the present one, which leaves;
- at least two auditors, and four assessor firms of different groups, at any moment;
- no two roles in one ownership group; a new auditor or firm is of a group that its roster does not have;
- names and keys are never used again.

A roster keeps its order: who joins comes last, who leaves falls out, and auditor k mod m confirms period k as before.
Whoever runs a validator, or waits to, first lets it go: a vote that nobody answers for would be one liar for nothing.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.claim_roster import on_organisation_removed
from chain.contract.context import Context, compute_day
from chain.contract.governance_calls import AddOrganisation, RemoveOrganisation
from chain.contract.governance_events import OrganisationJoined, OrganisationLeft
from chain.contract.governance_tables import CANDIDATE, CONSORTIUM, KEY_RECOVERY, KEY_SIGNING
from chain.contract.org_keys import end_key, put_signer, require_organisation, take_key, validate_keys_free
from chain.contract.tables import ORGANISATION, ROSTER, SIGNER, OrganisationRecord, RosterRecord
from chain.errors import Refusal
from chain.genesis import (
    ASSESSORS_MIN,
    ROLE_ASSESSOR,
    ROLE_AUDITOR,
    ROLE_CUSTODIAN,
    ROLE_HOSPITAL,
    ROLE_NAMES,
    ROLE_PLATFORM,
)
from chain.round_record import VALIDATORS
from chain.state import Overlay
from chain.types import ZERO_HASH

AUDITORS_MIN: Final = 2
MEMBERS_MAX: Final = {ROLE_AUDITOR: 16, ROLE_ASSESSOR: 64, ROLE_HOSPITAL: 256}
"""Most organisations of a role that governance lets in; draws list pairs of firms, votes list auditors."""
_SINGLE: Final = (ROLE_PLATFORM, ROLE_CUSTODIAN)
_WITH_RECOVERY: Final = (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR)


def get_roster(state: Overlay, role: int) -> tuple[str, ...]:
    """Return the names of the organisations of a role in office, in their order."""
    return state.require(ROSTER, role).names


def get_group(state: Overlay, name: str) -> str:
    """Return the declared ownership group of an organisation, in office or not."""
    return state.require(ORGANISATION, name).group


def find_office(state: Overlay, role: int) -> str | None:
    """Return the one organisation of a single role; None for the other roles."""
    return get_roster(state, role)[0] if role in _SINGLE else None


# --- taking in ---


def validate_add_organisation(state: Overlay, call: AddOrganisation) -> None:
    """Raise `Refusal` where an organisation cannot come in.

    organisation_name_used, group_conflict, roster_full, value_out_of_range (a recovery key is missing or has no
    business here), key_in_use, validators_first (the one whose place it takes still runs one).
    """
    if state.get(ORGANISATION, call.name) is not None:
        raise Refusal("organisation_name_used", organisation=call.name)
    if (call.role in _WITH_RECOVERY) == (call.recovery_key == ZERO_HASH):
        raise Refusal("value_out_of_range", field="recovery_key")
    keys = [call.key] if call.recovery_key == ZERO_HASH else [call.key, call.recovery_key]
    validate_keys_free(state, *keys)
    replaced = find_office(state, call.role)
    _validate_group(state, call, replaced)
    if replaced is not None:
        _validate_no_validators(state, replaced)
    elif len(get_roster(state, call.role)) >= MEMBERS_MAX[call.role]:
        raise Refusal("roster_full", role=ROLE_NAMES[call.role])


def _validate_group(state: Overlay, call: AddOrganisation, replaced: str | None) -> None:
    for role in range(len(ROLE_NAMES)):
        if role == call.role == ROLE_HOSPITAL:
            # A hospital only certifies; many of one owner decide no more than one does.
            continue
        for name in get_roster(state, role):
            if name != replaced and get_group(state, name) == call.group:
                raise Refusal("group_conflict", group=call.group, organisation=name)


def apply_add_organisation(state: Overlay, context: Context, call: AddOrganisation) -> None:
    """Take an organisation in, checked again on the day of its effect."""
    validate_add_organisation(state, call)
    replaced = find_office(state, call.role)
    if replaced is not None:
        _leave(state, context, replaced)
    names = get_roster(state, call.role)
    record = OrganisationRecord(
        role=call.role,
        order=len(names),
        group=call.group,
        key=call.key,
        recovery_key=call.recovery_key,
        left_day=0,
    )
    state.put(ORGANISATION, record, call.name)
    state.put(ROSTER, RosterRecord(names=(*names, call.name)), call.role)
    take_key(state, call.key, use=KEY_SIGNING, owner=call.name)
    if call.recovery_key != ZERO_HASH:
        take_key(state, call.recovery_key, use=KEY_RECOVERY, owner=call.name)
    put_signer(state, call.name, record)
    context.emit(OrganisationJoined(organisation=call.name, role=call.role, group=call.group, key=call.key))


# --- letting go ---


def validate_remove_organisation(state: Overlay, call: RemoveOrganisation) -> None:
    """Raise `Refusal` where an organisation cannot go: organisation_unknown, roster_minimum, validators_first."""
    record = require_organisation(state, call.name)
    left = [name for name in get_roster(state, record.role) if name != call.name]
    too_few = (
        record.role in _SINGLE
        or (record.role == ROLE_AUDITOR and len(left) < AUDITORS_MIN)
        or (record.role == ROLE_ASSESSOR and _count_groups(state, left) < ASSESSORS_MIN)
    )
    if too_few:
        raise Refusal("roster_minimum", role=ROLE_NAMES[record.role], left=len(left))
    _validate_no_validators(state, call.name)


def _count_groups(state: Overlay, names: list[str]) -> int:
    return len(dict.fromkeys(get_group(state, name) for name in names))


def _validate_no_validators(state: Overlay, name: str) -> None:
    validators = list(state.require(VALIDATORS).next_set)
    validators += [state.require(CANDIDATE, key).validator for key in state.require(CONSORTIUM).candidates]
    if any(validator.organisation == name for validator in validators):
        raise Refusal("validators_first", organisation=name)


def apply_remove_organisation(state: Overlay, context: Context, call: RemoveOrganisation) -> None:
    """Let an organisation go, checked again on the day of its effect."""
    validate_remove_organisation(state, call)
    _leave(state, context, call.name)


def _leave(state: Overlay, context: Context, name: str) -> None:
    record = state.require(ORGANISATION, name)
    state.delete(SIGNER, record.key)
    end_key(state, record.key)
    if record.recovery_key != ZERO_HASH:
        end_key(state, record.recovery_key)
    today = compute_day(context.timestamp_ms, state.require(CONSORTIUM).utc_offset_minutes)
    state.put(ORGANISATION, replace(record, left_day=today), name)
    names = tuple(other for other in get_roster(state, record.role) if other != name)
    state.put(ROSTER, RosterRecord(names=names), record.role)
    for order, other in enumerate(names):
        moved = state.require(ORGANISATION, other)
        if moved.order != order:
            moved = replace(moved, order=order)
            state.put(ORGANISATION, moved, other)
            put_signer(state, other, moved)
    on_organisation_removed(state, context, name)
    context.emit(OrganisationLeft(organisation=name, role=record.role))
