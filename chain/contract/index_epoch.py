"""Epochs of the blind index: new keys, and each person's entry moved to its new index (contract 5, 6).

    in force e --index_epoch_open (auditor and bank)--> PENDING e' --no person left------> in force e'
                                                            +--30 days and persons left--> dropped, in force e

A lost key makes no index any more, so a new epoch begins from the bank's own files. While it is pending nobody is
verified or admitted, because an applicant could be somebody whose entry has not moved. Bank and auditor send the new
index of every person who is held or barred, in batches; where both say the same, the entry moves and the old index
leads to the new one from then on (persons.resolve_index). So nothing has to be moved at once at the end, and nothing
back when the epoch is dropped: an old index finds its person through the reissue that was done, and bank and auditors
go on with the keys in force. Two memberships whose new index is the same are one person who had come in twice: their
entries become one, for everybody to see, and a bar of either bars both. What still shares then goes on until a hearing
has ended it (void.py; ADR 0014).
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.context import Context, apply_items, compute_day_start_ms
from chain.contract.due import DUE_INDEX_EPOCH, add_due
from chain.contract.halves import Party, cosign
from chain.contract.member_calls import IndexEpochOpen, IndexReissue, IndexReissueItem
from chain.contract.organisations import get_today, require_plan
from chain.contract.person_events import IndexEpochClosed, IndexEpochOpened, PersonReissued, PersonsMerged
from chain.contract.person_tables import (
    INDEX_EPOCH,
    REISSUE,
    VERIFIED_EPOCH,
    IndexEpochRecord,
    PendingEpoch,
    ReissueRecord,
    VerifiedEpochRecord,
)
from chain.contract.persons import get_index_epoch, move_benefit, require_known_member, resolve_index
from chain.contract.tables import MEMBER, PERSON, PLAN_ENDED, SIGNER, MemberRecord, PersonRecord
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

REISSUE_DAYS: Final = 30
"""A hundred million persons in batches of 500 from two sides take less than a day."""
_PARTIES: Final = (Party(role=ROLE_AUDITOR), Party(role=ROLE_CUSTODIAN))
_ALREADY: Final = get_entry("already").number


# --- opening ---


def apply_index_epoch_open(state: Overlay, context: Context, call: IndexEpochOpen) -> tuple[int, ...]:
    """Begin a new epoch, once an auditor and the bank have asked for it with the same public points.

    Without any person it is in force at once: so the points of the first keys come onto the chain. Refused:
    plan_unknown; plan_not_active once the plan has ended; index_epoch_open while another is pending;
    value_out_of_range for a number that is not above every one before; wrong_role, already (halves.py).
    """
    plan = require_plan(state, call.plan)
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=call.plan)
    record = get_index_epoch(state, call.plan)
    if record.pending is not None:
        raise Refusal("index_epoch_open", epoch=record.pending.epoch)
    if call.epoch <= record.newest:
        raise Refusal("value_out_of_range", epoch=call.epoch, newest=record.newest)
    if cosign(state, context, plan=call.plan, call=call, parties=_PARTIES) is None:
        return ()
    today = get_today(context, plan)
    pending = PendingEpoch(
        epoch=call.epoch,
        bank_point=call.bank_point,
        auditor_point=call.auditor_point,
        opened_day=today,
        due_day=today + REISSUE_DAYS,
        left=record.persons,
    )
    context.emit(
        IndexEpochOpened(
            plan=call.plan,
            epoch=call.epoch,
            bank_point=call.bank_point,
            auditor_point=call.auditor_point,
            left=record.persons,
            due_day=pending.due_day,
        )
    )
    record = replace(record, newest=call.epoch, pending=pending)
    state.put(INDEX_EPOCH, record, call.plan)
    if not _finish(state, context, call.plan, record, pending):
        _watch(state, call.plan, today=today)
    return ()


# --- reissuing ---


def apply_index_reissue(state: Overlay, context: Context, call: IndexReissue) -> tuple[int, ...]:
    """Give persons their index in the pending epoch; later, in the epoch in force, that of somebody who had left.

    Refused as a whole: wrong_role for anybody but bank and auditors. Refused item by item: member_unknown;
    not_verified for somebody who was never admitted; index_epoch_unknown for another epoch than the pending one or
    the one in force; index_mismatch where the other half differs (each side may replace its own until both agree);
    conflict for an index that is in use otherwise, or after the entry has moved; already.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_CUSTODIAN, ROLE_AUDITOR):
        raise Refusal("wrong_role")
    is_bank = signer.role == ROLE_CUSTODIAN

    def reissue(position: int) -> int:
        return _reissue(state, context, call.items[position], call.epoch, is_bank=is_bank)

    return apply_items(state, context, len(call.items), reissue)


def _reissue(state: Overlay, context: Context, item: IndexReissueItem, epoch: int, *, is_bank: bool) -> int:
    member = require_known_member(state, item.member)
    if member.person_index is None or not member.is_admitted:
        raise Refusal("not_verified", member=item.member.hex())
    _require_epoch(state, item.member, member, epoch)
    index, moved = resolve_index(state, member.plan, member.person_index)
    if moved == epoch:
        if index == item.person_index:
            return _ALREADY
        raise Refusal("conflict", member=item.member.hex())
    # An index that has led on already, or the entry's own, would make a circle.
    if item.person_index == index or state.get(REISSUE, member.plan, item.person_index) is not None:
        raise Refusal("conflict", member=item.member.hex())
    known = state.get(REISSUE, member.plan, index)
    if known is None or known.epoch != epoch:
        known = ReissueRecord(epoch=epoch, bank_index=None, auditor_index=None, is_moved=False)
    own, other = (known.bank_index, known.auditor_index) if is_bank else (known.auditor_index, known.bank_index)
    if own == item.person_index:
        return _ALREADY
    if other is not None and other != item.person_index:
        raise Refusal("index_mismatch", member=item.member.hex())
    known = replace(known, is_moved=other is not None)
    known = replace(known, bank_index=item.person_index) if is_bank else replace(known, auditor_index=item.person_index)
    is_counted = known.is_moved and _came_in_epoch(state, member.plan, index, epoch)
    state.put(REISSUE, known, member.plan, index)
    if known.is_moved:
        _move(state, context, item, member, index=index, epoch=epoch, is_counted=is_counted)
    return SUCCESS


def _came_in_epoch(state: Overlay, plan: str, index: bytes, epoch: int) -> bool:
    """Tell whether the entry under an index came there in this epoch.

    So it is where bank and auditor gave somebody the old index of another, who had left: no honest index is another's.
    """
    person = state.get(PERSON, plan, index)
    if person is None:
        return False
    holder = state.require(MEMBER, person.member).person_index
    return holder is not None and resolve_index(state, plan, holder)[1] == epoch


def _require_epoch(state: Overlay, member_id: bytes, member: MemberRecord, epoch: int) -> None:
    """Raise unless the epoch is pending, or in force and later than the one in which the member was verified."""
    record = get_index_epoch(state, member.plan)
    if record.pending is not None and record.pending.epoch == epoch:
        return
    if epoch != record.epoch:
        raise Refusal("index_epoch_unknown", epoch=epoch)
    verified = state.get(VERIFIED_EPOCH, member_id)
    if verified is not None and verified.epoch == epoch:
        raise Refusal("conflict", member=member_id.hex())


def _move(
    state: Overlay,
    context: Context,
    item: IndexReissueItem,
    member: MemberRecord,
    *,
    index: bytes,
    epoch: int,
    is_counted: bool,
) -> None:
    """Move a person's entry to its new index, into the entry that is there already where it is the same person.

    `is_counted`: it moved in this epoch before.
    """
    plan = member.plan
    context.emit(PersonReissued(member=item.member, epoch=epoch))
    move_benefit(state, plan, index, item.person_index)
    person = state.get(PERSON, plan, index)
    if person is None:
        # Somebody who left: only the way to the new index is kept, for a claim of the old cover may still bar him.
        return
    state.delete(PERSON, plan, index)
    other = state.get(PERSON, plan, item.person_index)
    record = get_index_epoch(state, plan)
    if other is not None:
        is_barred = person.is_barred or other.is_barred
        named = person if person.is_barred and not other.is_barred else other
        person = PersonRecord(member=named.member, is_barred=is_barred)
        record = replace(record, persons=record.persons - 1)
        context.emit(PersonsMerged(member=item.member, other=other.member, epoch=epoch, is_barred=is_barred))
    state.put(PERSON, person, plan, item.person_index)
    pending = record.pending
    if pending is not None and pending.epoch == epoch and not is_counted:
        pending = replace(pending, left=pending.left - 1)
        record = replace(record, pending=pending)
    state.put(INDEX_EPOCH, record, plan)
    if pending is not None:
        _finish(state, context, plan, record, pending)


# --- the end ---


def _finish(state: Overlay, context: Context, plan: str, record: IndexEpochRecord, pending: PendingEpoch) -> bool:
    """Let the pending epoch come into force if nobody is left; return whether it did."""
    if pending.left > 0:
        return False
    state.put(
        INDEX_EPOCH,
        replace(
            record,
            epoch=pending.epoch,
            bank_point=pending.bank_point,
            auditor_point=pending.auditor_point,
            since_day=get_today(context, require_plan(state, plan)),
            pending=None,
        ),
        plan,
    )
    context.emit(IndexEpochClosed(plan=plan, epoch=pending.epoch, is_in_force=True, left=0))
    return True


def on_index_epoch_due(state: Overlay, context: Context, plan: str, due_id: bytes) -> None:
    """Look each day whether the pending epoch is complete (the last person may have left), or its days are over."""
    record = get_index_epoch(state, plan)
    pending = record.pending
    if pending is None or due_id != _encode_epoch(pending.epoch) or _finish(state, context, plan, record, pending):
        return
    today = get_today(context, require_plan(state, plan))
    if today < pending.due_day:
        _watch(state, plan, today=today)
        return
    state.put(INDEX_EPOCH, replace(record, pending=None), plan)
    context.emit(IndexEpochClosed(plan=plan, epoch=pending.epoch, is_in_force=False, left=pending.left))


def _watch(state: Overlay, plan: str, *, today: int) -> None:
    pending = get_index_epoch(state, plan).pending
    if pending is None:
        return
    due_ms = compute_day_start_ms(today + 1, require_plan(state, plan).utc_offset_minutes)
    add_due(state, plan, today + 1, DUE_INDEX_EPOCH, due_ms, _encode_epoch(pending.epoch))


def _encode_epoch(epoch: int) -> bytes:
    return epoch.to_bytes(2, "big")


# --- what admissions ask ---


def validate_admissions_open(state: Overlay, plan: str) -> int:
    """Return the epoch in force; raise `index_epoch_open` while a new one is pending."""
    record = get_index_epoch(state, plan)
    if record.pending is not None:
        raise Refusal("index_epoch_open", epoch=record.pending.epoch)
    return record.epoch


def start_verification(state: Overlay, member_id: bytes, member: MemberRecord) -> MemberRecord:
    """Return the applicant without halves of an older epoch, and note the epoch in which its index is issued.

    Raises `index_epoch_open` while a new epoch is pending.
    """
    epoch = validate_admissions_open(state, member.plan)
    known = state.get(VERIFIED_EPOCH, member_id)
    if (0 if known is None else known.epoch) == epoch:
        return member
    state.put(VERIFIED_EPOCH, VerifiedEpochRecord(epoch=epoch), member_id)
    return replace(member, person_index=None, auditor_index=None)


def validate_verification(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Raise `index_epoch_open` while an epoch is pending, `index_outdated` where the index is of an older one."""
    epoch = validate_admissions_open(state, member.plan)
    known = state.get(VERIFIED_EPOCH, member_id)
    if (0 if known is None else known.epoch) != epoch:
        raise Refusal("index_outdated", epoch=epoch)
