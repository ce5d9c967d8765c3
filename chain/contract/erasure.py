"""Erasure: detached data and keys go everywhere, the numbers stay (contract 2 *ERASED*, 5, 6).

    (nothing) --erasure_request--> REQUESTED --receipts of platform, bank and every auditor--> ERASED
                                       +--30 days--> overdue, public, and again every 30 days

With the block of the request each node deletes the member's ciphertexts, which no root covers (ADR 0013); the
receipts say that an organisation has deleted its keys and copies as well. Pseudonym, amounts, statuses, salted roots
and the barred index stay: count, sums and replay are the same as before.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.context import Context, apply_items, compute_day_start_ms
from chain.contract.due import DUE_ERASURE, add_due
from chain.contract.failed_payments import has_failed_payment
from chain.contract.member_calls import ErasureReceipt, ErasureReceiptItem, ErasureRequest
from chain.contract.membership import require_member
from chain.contract.organisations import get_terms, get_today, require_plan
from chain.contract.person_events import ErasureOverdue, ErasureReceived, ErasureRequested
from chain.contract.person_tables import ERASURE, ErasureRecord
from chain.contract.persons import is_gone, require_known_member
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES, PLAN_ENDED, ROSTER, SIGNER, MemberRecord
from chain.contract.version_tables import list_versions
from chain.contract.void import is_void_open
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay

RETENTION_DAYS: Final = 30
"""After the end, and after the last day on which somebody who had cover may still claim."""
RECEIPT_DAYS: Final = 30
_MUST_ERASE: Final = (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR)
_ALREADY: Final = get_entry("already").number


def apply_erasure_request(state: Overlay, context: Context, call: ErasureRequest) -> tuple[int, ...]:
    """Ask for the deletion of a member's detached data; signed by the member or by any auditor.

    Refused: member_unknown, not_owner; already for a scope that was asked for; member_state before the membership or
    application has ended; claim_open, void_open, money_open while something of it is unsettled; retention_running
    with the first day on which it may be asked for.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is not None and signer.role == ROLE_AUDITOR:
        member = require_known_member(state, call.member)
        requested_by = signer.organisation
    else:
        member = require_member(state, context, call.member)
        requested_by = None
    known = state.get(ERASURE, call.member)
    if known is not None and known.scope >= call.scope:
        raise Refusal("already", scope=known.scope)
    plan = require_plan(state, member.plan)
    today = get_today(context, plan)
    _validate_over(state, call.member, member, today, is_ended=plan.status == PLAN_ENDED)
    due_day = today + RECEIPT_DAYS
    record = ErasureRecord(
        scope=call.scope,
        requested_by=requested_by,
        requested_day=today,
        due_day=due_day,
        receipts=(),
        erased_day=0,
    )
    state.put(ERASURE, record, call.member)
    _add_due(state, call.member, member, due_day)
    context.emit(ErasureRequested(member=call.member, scope=call.scope, organisation=requested_by, due_day=due_day))
    return ()


def _validate_over(state: Overlay, member_id: bytes, member: MemberRecord, today: int, *, is_ended: bool) -> None:
    """Raise `Refusal` unless nothing of the membership is left to be settled or examined."""
    if not is_gone(member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    if member.claim is not None:
        raise Refusal("claim_open", claim=member.claim.hex())
    # With the plan every hearing ends: there is no membership that it could void.
    if is_void_open(state, member_id) and not is_ended:
        raise Refusal("void_open", member=member_id.hex())
    # What the bank could not pay is back in `cash` or on the list of failed payments (contract 3.5): the payee must be
    # found.
    if member.cash > 0 or has_failed_payment(state, member_id):
        raise Refusal("money_open", cash=member.cash)
    first_day = compute_erasable_day(state, member_id, member)
    if today < first_day:
        raise Refusal("retention_running", first_day=first_day)


def compute_erasable_day(state: Overlay, member_id: bytes, member: MemberRecord) -> int:
    """Return the first day on which the data of an ended membership may be erased.

    30 days after the end for somebody who never entered; for others those days begin when the claim window, counted
    from the end, has passed: until then a day of the old cover may still be claimed for and examined.
    """
    window = 0
    if member.entry_day > 0:
        versions = list_versions(state, member_id, member, member.since_day)
        window = max(get_terms(state, member.plan, version).pinned.claim_window_days for version in versions)
    return member.since_day + window + RETENTION_DAYS


# --- receipts ---


def apply_erasure_receipt(state: Overlay, context: Context, call: ErasureReceipt) -> tuple[int, ...]:
    """Confirm, each organisation for itself, that data and keys of members are gone there.

    Refused as a whole: wrong_role. Refused item by item: member_unknown; erasure_unknown where nobody asked for it,
    or for another scope; already where this organisation has confirmed before.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in _MUST_ERASE:
        raise Refusal("wrong_role")

    def receive(position: int) -> int:
        return _receive(state, context, call.items[position], signer.organisation)

    return apply_items(state, context, len(call.items), receive)


def _receive(state: Overlay, context: Context, item: ErasureReceiptItem, organisation: str) -> int:
    member = require_known_member(state, item.member)
    record = state.get(ERASURE, item.member)
    if record is None or record.scope != item.scope:
        raise Refusal("erasure_unknown", member=item.member.hex())
    if organisation in record.receipts:
        return _ALREADY
    record = replace(record, receipts=(*record.receipts, organisation))
    missing = len(list_missing(state, record))
    if missing == 0:
        record = _finish(state, context, record, member)
    state.put(ERASURE, record, item.member)
    context.emit(ErasureReceived(member=item.member, scope=item.scope, organisation=organisation, missing=missing))
    return SUCCESS


def list_missing(state: Overlay, record: ErasureRecord) -> tuple[str, ...]:
    """Return the organisations of today that have not confirmed, by role and in genesis order."""
    names = (name for role in _MUST_ERASE for name in state.require(ROSTER, role).names)
    return tuple(name for name in names if name not in record.receipts)


def _finish(state: Overlay, context: Context, record: ErasureRecord, member: MemberRecord) -> ErasureRecord:
    """Return the record of somebody whose data are gone everywhere from today on."""
    return replace(record, erased_day=get_today(context, require_plan(state, member.plan)), due_day=0)


def is_erased(state: Overlay, member_id: bytes) -> bool:
    """Tell whether a member is ERASED: every organisation has confirmed."""
    record = state.get(ERASURE, member_id)
    return record is not None and record.erased_day > 0


# --- deadline ---


def on_erasure_due(state: Overlay, context: Context, member_id: bytes, day: int) -> None:
    """Call the missing receipts overdue, and ask again; organisations that are gone by now are not waited for."""
    record = state.require(ERASURE, member_id)
    if record.due_day != day:
        return
    member = state.require(MEMBER, member_id)
    missing = list_missing(state, record)
    if not missing:
        state.put(ERASURE, _finish(state, context, record, member), member_id)
        return
    context.emit(ErasureOverdue(member=member_id, missing=missing))
    due_day = get_today(context, require_plan(state, member.plan)) + RECEIPT_DAYS
    state.put(ERASURE, replace(record, due_day=due_day), member_id)
    _add_due(state, member_id, member, due_day)


def _add_due(state: Overlay, member_id: bytes, member: MemberRecord, day: int) -> None:
    offset = require_plan(state, member.plan).utc_offset_minutes
    add_due(state, member.plan, day, DUE_ERASURE, compute_day_start_ms(day, offset), member_id)
