"""What institutions do to an application: bank and auditor verify the person, the platform admits (contract
2, 5).

    APPLIED --account_verify (bank) and index_issue (auditor), in any order, one index--> APPLIED, verified
            --member_admit (platform)--> VERIFIED;  --member_refuse--> REFUSED;  --silence--> EXPIRED

One person is one leaf: the blind index leads to one member of the plan, and a barred person never comes back.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.account import validate_holder, verify_again
from chain.contract.calendar import compute_new_year_day, compute_year
from chain.contract.context import DAY_MS, Context, apply_items, compute_day_start_ms
from chain.contract.deposit import is_enough
from chain.contract.due import DUE_ADMISSION, DUE_AGE_OUT, add_due
from chain.contract.events import AccountVerified, IndexIssued, MemberStatusChanged
from chain.contract.guardian import set_majority
from chain.contract.index_epoch import start_verification, validate_admissions_open, validate_verification
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberRefuse,
    MemberRefuseItem,
)
from chain.contract.organisations import get_today, require_plan, require_role
from chain.contract.persons import hold_person, is_gone, require_known_member, validate_person_free
from chain.contract.shares import open_book, save_book
from chain.contract.tables import (
    ACT_AGE_OUT,
    MEMBER,
    MEMBER_APPLIED,
    MEMBER_EXPIRED,
    MEMBER_LEAVING,
    MEMBER_REFUSED,
    MEMBER_VERIFIED,
    PLAN_ACTIVE,
    MemberRecord,
    PlanRecord,
)
from chain.contract.window import (
    end_membership,
    exit_member,
    is_applicant,
    start_entry,
)
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay

ADMISSION_DAYS: Final = 15
"""A platform that is silent so long after both indexes lets the application expire."""
YEARS_AHEAD_MAX: Final = 150
"""A last cover year further ahead is a mistake."""
ALREADY: Final = get_entry("already").number


# --- bank ---


def apply_account_verify(state: Overlay, context: Context, call: AccountVerify) -> tuple[int, ...]:
    """Record that the bank bound keys to real-name accounts and persons."""
    require_role(state, context.signer, ROLE_CUSTODIAN)
    return apply_items(
        state, context, len(call.items), lambda position: _verify_one(state, context, call.items[position])
    )


def _verify_one(state: Overlay, context: Context, item: AccountVerifyItem) -> int:
    member = require_known_member(state, item.member)
    if member.status == MEMBER_APPLIED:
        member = start_verification(state, item.member, member)
    if member.person_index is not None or is_gone(member):
        return verify_again(state, context, item, member)
    if member.status != MEMBER_APPLIED:
        raise Refusal("member_state", status=member.status)
    validate_holder(member, item.holder_kind, has_died=False)
    if item.last_cover_year > compute_year(get_today(context, require_plan(state, member.plan))) + YEARS_AHEAD_MAX:
        raise Refusal("value_out_of_range", last_cover_year=item.last_cover_year)
    if member.auditor_index is not None:
        _validate_index(state, member, item.person_index, other=member.auditor_index)
    after = replace(
        member,
        person_index=item.person_index,
        account_token=item.account_token,
        holder_kind=item.holder_kind,
        last_cover_year=item.last_cover_year,
    )
    state.put(MEMBER, after, item.member)
    _start_admission(state, context, item.member, after)
    context.emit(
        AccountVerified(
            member=item.member,
            holder_kind=item.holder_kind,
            key_challenge_hash=item.key_challenge_hash,
            last_cover_year=item.last_cover_year,
        )
    )
    return SUCCESS


# --- auditor ---


def apply_index_issue(state: Overlay, context: Context, call: IndexIssue) -> tuple[int, ...]:
    """Record the auditor's half of blind indexes."""
    require_role(state, context.signer, ROLE_AUDITOR)
    return apply_items(
        state, context, len(call.items), lambda position: _issue_one(state, context, call.items[position])
    )


def _issue_one(state: Overlay, context: Context, item: IndexIssueItem) -> int:
    member = require_known_member(state, item.member)
    if item.epoch != validate_admissions_open(state, member.plan):
        raise Refusal("value_out_of_range", epoch=item.epoch)
    if member.status == MEMBER_APPLIED:
        member = start_verification(state, item.member, member)
    if member.auditor_index is not None:
        if member.auditor_index == item.person_index:
            return ALREADY
        raise Refusal("conflict", member=item.member.hex())
    if member.status != MEMBER_APPLIED:
        raise Refusal("member_state", status=member.status)
    if member.person_index is not None:
        _validate_index(state, member, item.person_index, other=member.person_index)
    after = replace(member, auditor_index=item.person_index)
    state.put(MEMBER, after, item.member)
    _start_admission(state, context, item.member, after)
    context.emit(IndexIssued(member=item.member, epoch=item.epoch))
    return SUCCESS


def _validate_index(state: Overlay, member: MemberRecord, index: bytes, *, other: bytes) -> None:
    if index != other:
        raise Refusal("index_mismatch")
    validate_person_free(state, member.plan, index)


def _start_admission(state: Overlay, context: Context, member_id: bytes, member: MemberRecord) -> None:
    """Give the platform its days once both halves are there."""
    if member.person_index is None or member.auditor_index is None:
        return
    today = get_today(context, require_plan(state, member.plan))
    due_ms = context.timestamp_ms + ADMISSION_DAYS * DAY_MS
    add_due(state, member.plan, today + ADMISSION_DAYS, DUE_ADMISSION, due_ms, member_id)


# --- platform ---


def apply_member_admit(state: Overlay, context: Context, call: MemberAdmit) -> tuple[int, ...]:
    """Countersign admissions."""
    require_role(state, context.signer, ROLE_PLATFORM)
    return apply_items(
        state, context, len(call.items), lambda position: _admit_one(state, context, call.items[position])
    )


def _require_active_plan(state: Overlay, member: MemberRecord) -> PlanRecord:
    plan = require_plan(state, member.plan)
    if plan.status != PLAN_ACTIVE:
        raise Refusal("plan_not_active", plan=member.plan)
    return plan


def _admit_one(state: Overlay, context: Context, member_id: bytes) -> int:
    member = require_known_member(state, member_id)
    if member.is_admitted:
        return ALREADY
    if member.status != MEMBER_APPLIED:
        raise Refusal("member_state", status=member.status)
    plan = _require_active_plan(state, member)
    index = member.person_index
    if index is None or member.auditor_index is None:
        raise Refusal("not_verified")
    validate_verification(state, member_id, member)
    validate_person_free(state, member.plan, index)
    today = get_today(context, plan)
    if compute_year(today) > member.last_cover_year:
        raise Refusal("age_limit", last_cover_year=member.last_cover_year)
    hold_person(state, member.plan, index, member_id)
    age_out = compute_new_year_day(member.last_cover_year + 1)
    age_out_ms = compute_day_start_ms(age_out, plan.utc_offset_minutes)
    add_due(state, member.plan, age_out, DUE_AGE_OUT, age_out_ms, member_id)
    set_majority(state, member_id, member, plan)
    _verify_member(state, context, member_id, member, today=today)
    return SUCCESS


def _verify_member(state: Overlay, context: Context, member_id: bytes, member: MemberRecord, *, today: int) -> None:
    """Make the applicant VERIFIED; whoever paid enough before enters, and the waiting counts from today."""
    context.emit(MemberStatusChanged(member=member_id, status=MEMBER_VERIFIED, reason=0))
    after = replace(member, is_admitted=True, status=MEMBER_VERIFIED, since_day=today)
    if member.cash > 0:
        book = open_book(state, context, member.plan, member.pool)
        if is_enough(book, after):
            after = replace(after, entry_day=today)
            start_entry(state, context, book, member_id, before=member, after=after)
            save_book(state, book)
            return
    state.put(MEMBER, after, member_id)


def apply_member_refuse(state: Overlay, context: Context, call: MemberRefuse) -> tuple[int, ...]:
    """Refuse applications; what was paid in goes back."""
    require_role(state, context.signer, ROLE_PLATFORM)
    return apply_items(
        state, context, len(call.items), lambda position: _refuse_one(state, context, call.items[position])
    )


def _refuse_one(state: Overlay, context: Context, item: MemberRefuseItem) -> int:
    member = require_known_member(state, item.member)
    if member.status == MEMBER_REFUSED:
        return ALREADY
    if member.status != MEMBER_APPLIED:
        raise Refusal("member_state", status=member.status)
    _require_active_plan(state, member)
    context.emit(MemberStatusChanged(member=item.member, status=MEMBER_REFUSED, reason=item.reason))
    _drop(state, context, item.member, member, MEMBER_REFUSED)
    return SUCCESS


# --- deadlines ---


def on_application_due(state: Overlay, context: Context, member_id: bytes) -> None:
    """Expire an application that has not become a sharing membership in its days."""
    member = state.require(MEMBER, member_id)
    if is_applicant(member):
        _drop(state, context, member_id, member, MEMBER_EXPIRED)


def on_admission_due(state: Overlay, context: Context, member_id: bytes) -> None:
    """Expire an application about which the platform was silent."""
    member = state.require(MEMBER, member_id)
    if member.status == MEMBER_APPLIED:
        _drop(state, context, member_id, member, MEMBER_EXPIRED)


def on_age_out_due(state: Overlay, context: Context, member_id: bytes) -> None:
    """End the membership of somebody whose last cover year is over; in the window it waits like any exit."""
    member = state.require(MEMBER, member_id)
    if not is_gone(member) and member.status != MEMBER_LEAVING:
        exit_member(state, context, member_id, ACT_AGE_OUT)


def _drop(state: Overlay, context: Context, member_id: bytes, member: MemberRecord, status: int) -> None:
    """End an application with a refund, and free the person for another one."""
    book = open_book(state, context, member.plan, member.pool)
    end_membership(state, context, book, member_id, member, status)
    save_book(state, book)
