"""Accounts of members: another one by the member's wish and the bank's word, and that of an estate (contract 5).

    account_change (member) --bank verifies it--> effective; what failed before is retried (account_retry.py)
                            --30 days-----------> expired, the old account stays

Money only ever goes to an account that the bank bound to the person, or to the estate of the person, so neither a
stolen key nor a false platform can send it to another name (contract 7). What is instructed already keeps its payee.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.account_retry import schedule_retry
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_ACCOUNT_CHANGE, add_due
from chain.contract.events import AccountVerified
from chain.contract.failed_payments import has_open_payment, is_dead
from chain.contract.member_calls import AccountChange, AccountVerifyItem
from chain.contract.member_events import AccountChangeAsked, AccountChangeExpired
from chain.contract.member_key_tables import (
    ACCOUNT_CHANGE,
    DEATH,
    HOLDER_ESTATE,
    HOLDER_GUARDIAN,
    HOLDER_SELF,
    AccountChangeRecord,
)
from chain.contract.membership import require_member
from chain.contract.organisations import get_today, require_plan
from chain.contract.persons import is_gone, resolve_index
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES, MemberRecord
from chain.errors import Refusal
from chain.state import Overlay

CHANGE_DAYS: Final = 30
"""A wish for another account expires unless the bank has verified it by then."""


ESTATE_DAYS: Final = 14
"""An account of an estate is verified no earlier after the report of the death."""


def apply_account_change(state: Overlay, context: Context, call: AccountChange) -> tuple[int, ...]:
    """Ask for another account; a newer wish replaces an older one, and the same again gives it its days anew.

    Refused: member_unknown, not_owner; not_verified for an applicant whose first account the bank has not verified;
    account_unneeded for an ended membership that nothing can be paid to any more.
    """
    member = require_member(state, context, call.member)
    if is_gone(member):
        if not has_open_payment(state, call.member, member):
            raise Refusal("account_unneeded", status=MEMBER_STATUS_NAMES[member.status])
    elif member.person_index is None:
        raise Refusal("not_verified", member=call.member.hex())
    plan = require_plan(state, member.plan)
    due_day = get_today(context, plan) + CHANGE_DAYS
    record = AccountChangeRecord(account_commitment=call.account_commitment, due_day=due_day)
    if state.get(ACCOUNT_CHANGE, call.member) == record:
        raise Refusal("already")
    due_ms = compute_day_start_ms(due_day, plan.utc_offset_minutes)
    add_due(state, member.plan, due_day, DUE_ACCOUNT_CHANGE, due_ms, call.member)
    state.put(ACCOUNT_CHANGE, record, call.member)
    context.emit(AccountChangeAsked(member=call.member, account_commitment=call.account_commitment, due_day=due_day))
    return ()


def on_account_change_due(state: Overlay, context: Context, member_id: bytes, day: int) -> None:
    """Forget a wish that the bank has not verified; `day` is the day that the deadline was set for."""
    record = state.get(ACCOUNT_CHANGE, member_id)
    if record is None or record.due_day != day:
        return
    state.delete(ACCOUNT_CHANGE, member_id)
    context.emit(AccountChangeExpired(member=member_id))


def validate_holder(member: MemberRecord, holder_kind: int, *, has_died: bool) -> None:
    """Raise `holder_invalid` unless the account is of the person, of a child's guardian, or of the estate."""
    fits = {
        HOLDER_SELF: not has_died,
        HOLDER_GUARDIAN: not has_died and member.guardian is not None,
        HOLDER_ESTATE: has_died,
    }
    if not fits[holder_kind]:
        raise Refusal("holder_invalid", holder_kind=holder_kind)


def verify_again(state: Overlay, context: Context, item: AccountVerifyItem, member: MemberRecord) -> int:
    """Record the bank's word on somebody who was verified before, or whose membership has ended; return the outcome.

    Effective where the member asked for it, and where the account is that of an estate. Raises `Refusal`:
    index_mismatch for another person; conflict for anything else that differs without having been asked for, and for
    another last cover year; member_state for an ended application that nothing was asked for; holder_invalid;
    estate_too_early within 14 days after the death was reported.
    """
    is_person = _is_person(state, member, item.person_index)
    is_same = (
        is_person
        and member.account_token == item.account_token
        and member.holder_kind == item.holder_kind
        and member.last_cover_year == item.last_cover_year
    )
    is_asked = state.get(ACCOUNT_CHANGE, item.member) is not None
    has_died = is_dead(state, item.member, member)
    is_estate = item.holder_kind == HOLDER_ESTATE and has_died
    if is_same and not is_asked:
        return get_entry("already").number
    if not is_asked and not is_estate:
        if member.person_index is None:
            raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
        raise Refusal("conflict", member=item.member.hex())
    if member.person_index is not None:
        if not is_person:
            raise Refusal("index_mismatch")
        if member.last_cover_year != item.last_cover_year:
            raise Refusal("conflict", last_cover_year=item.last_cover_year)
    validate_holder(member, item.holder_kind, has_died=has_died)
    if is_estate:
        _validate_estate(state, context, item.member, member)
    after = replace(
        member,
        person_index=member.person_index or item.person_index,
        account_token=item.account_token,
        holder_kind=item.holder_kind,
        last_cover_year=item.last_cover_year,
    )
    state.put(MEMBER, after, item.member)
    if is_asked:
        state.delete(ACCOUNT_CHANGE, item.member)
    context.emit(
        AccountVerified(
            member=item.member,
            holder_kind=item.holder_kind,
            key_challenge_hash=item.key_challenge_hash,
            last_cover_year=item.last_cover_year,
        )
    )
    schedule_retry(state, context, item.member, after)
    return SUCCESS


def _validate_estate(state: Overlay, context: Context, member_id: bytes, member: MemberRecord) -> None:
    """Give a member who lives his days to contradict, before any money can go to an estate (death.py)."""
    first_day = state.require(DEATH, member_id).day + ESTATE_DAYS
    if get_today(context, require_plan(state, member.plan)) < first_day:
        raise Refusal("estate_too_early", first_day=first_day)


def _is_person(state: Overlay, member: MemberRecord, person_index: bytes) -> bool:
    """Tell whether an index leads to the person of a membership, also one of another epoch."""
    if member.person_index is None:
        return False
    known, _ = resolve_index(state, member.plan, member.person_index)
    return known == resolve_index(state, member.plan, person_index)[0]
