"""Voiding a membership for a false declaration: never without a hearing, never by silence (contract 2 *VOIDED*, 5).

    stage            waits for              deadline   on silence
    HEARING          the member's answer    15 days    the first auditor decides on what is there
    FIRST_AUDITOR    the first auditor      10 days    the second is asked
    SECOND_AUDITOR   the second auditor     10 days    DISMISSED: for the member
    DECIDED (void)   the member's appeal    30 days    UPHELD: final
    APPEALED         the jury (appeal.py)   its own    the jury's rules end it
    DISMISSED, UPHELD                                  the end

Until a void is final the member shares, pays and is counted; then the balance is refunded and the person is barred.
An open claim goes on meanwhile, so that nobody is delayed by a finding that does not hold, but it is confirmed, or paid
by a closed pool, only after the hearing (claim_notice.py, set_aside.py): what was paid to somebody who never had cover
comes back from nobody. One that was confirmed before is paid; a final void ends every other claim of the person, of
whichever membership. A dismissal gives the member rest for 180 days, so that hearings cannot hold up a payment for ever
(ADR 0012).
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_status import OPEN_BEFORE_CONFIRMATION, close
from chain.contract.claim_tables import CLAIM, CLAIM_REJECTED
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_VOID_APPEAL, DUE_VOID_DECISION, DUE_VOID_HEARING, add_due
from chain.contract.halves import Party, cosign
from chain.contract.member_calls import VoidAnswer, VoidDecide, VoidOpen
from chain.contract.membership import require_member
from chain.contract.organisations import get_auditors, get_today, require_plan, require_role
from chain.contract.person_events import VoidAnswered, VoidClosed, VoidDecided, VoidMoved, VoidOpened
from chain.contract.person_tables import (
    ERASURE,
    VOID,
    VOID_APPEALED,
    VOID_DECIDED,
    VOID_DISMISSED,
    VOID_FIRST_AUDITOR,
    VOID_HEARING,
    VOID_SECOND_AUDITOR,
    VOID_STAGE_NAMES,
    VOID_UPHELD,
    VoidRecord,
)
from chain.contract.persons import get_person, name_voided, require_known_member
from chain.contract.tables import (
    ACT_VOIDED,
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN_ENDED,
)
from chain.contract.window import exit_member
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_PLATFORM
from chain.state import Overlay

HEARING_DAYS: Final = 15
DECISION_DAYS: Final = 10
"""Days of each auditor."""
APPEAL_DAYS: Final = 30
REST_DAYS: Final = 180
"""After a dismissal no new hearing begins before."""

_PARTIES: Final = (Party(role=ROLE_PLATFORM), Party(role=ROLE_ASSESSOR))
_MAY_BE_VOIDED: Final = (
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
)
"""Who left can still claim for a day of the old cover, so leaving ends no hearing and prevents none. Nor does a bar of
the person: where two entries became one, the other membership goes on sharing (index_epoch.py)."""
_CLOSED: Final = (VOID_DISMISSED, VOID_UPHELD)


# --- opening ---


def apply_void_open(state: Overlay, context: Context, call: VoidOpen) -> tuple[int, ...]:
    """Open a hearing, once platform and an assessor firm have asked for it.

    Refused: member_unknown; plan_not_active once the plan has ended; member_state where there is no membership to
    void; erased where the declarations are gone; void_open; void_repeated for the same finding, or within 180 days
    after a dismissal; wrong_role, already (halves.py).
    """
    member = require_known_member(state, call.member)
    plan = require_plan(state, member.plan)
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=member.plan)
    if member.status not in _MAY_BE_VOIDED:
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    if state.get(ERASURE, call.member) is not None:
        raise Refusal("erased", member=call.member.hex())
    today = get_today(context, plan)
    _validate_new(state, call, today)
    signed = cosign(state, context, plan=member.plan, call=call, parties=_PARTIES)
    if signed is None:
        return ()
    platform, firm = signed
    record = VoidRecord(
        stage=VOID_HEARING,
        finding_root=call.finding_root,
        platform=platform,
        firm=firm,
        opened_day=today,
        answer_hash=None,
        decided_by=None,
        due_day=0,
        closed_day=0,
    )
    record = _set_due(state, context, call.member, record, DUE_VOID_HEARING, HEARING_DAYS)
    context.emit(
        VoidOpened(
            member=call.member, finding_root=call.finding_root, platform=platform, firm=firm, due_day=record.due_day
        )
    )
    return ()


def _validate_new(state: Overlay, call: VoidOpen, today: int) -> None:
    known = state.get(VOID, call.member)
    if known is None:
        return
    if known.stage not in _CLOSED:
        raise Refusal("void_open", stage=VOID_STAGE_NAMES[known.stage])
    if known.finding_root == call.finding_root or today < known.closed_day + REST_DAYS:
        raise Refusal("void_repeated", closed_day=known.closed_day)


# --- hearing and decision ---


def apply_void_answer(state: Overlay, context: Context, call: VoidAnswer) -> tuple[int, ...]:
    """Answer in the hearing, as often as the member likes: the last answer counts.

    Refused: member_unknown, not_owner; void_state where no hearing is open, or it is over; already.
    """
    require_member(state, context, call.member)
    record = _require_stage(state, call.member, VOID_HEARING)
    if record.answer_hash == call.answer_hash:
        raise Refusal("already")
    state.put(VOID, replace(record, answer_hash=call.answer_hash), call.member)
    context.emit(VoidAnswered(member=call.member, answer_hash=call.answer_hash))
    return ()


def apply_void_decide(state: Overlay, context: Context, call: VoidDecide) -> tuple[int, ...]:
    """Decide after the hearing: dismissed at once, or void unless the member appeals.

    Refused: wrong_role for anybody but an auditor; member_unknown; void_state before the hearing is over or after
    the decision; not_your_turn for another auditor than the one that is asked now.
    """
    auditor = require_role(state, context.signer, ROLE_AUDITOR).organisation
    require_known_member(state, call.member)
    record = _require_stage(state, call.member, VOID_FIRST_AUDITOR, VOID_SECOND_AUDITOR)
    asked = get_auditors(state)[record.stage - VOID_FIRST_AUDITOR]
    if auditor != asked:
        raise Refusal("not_your_turn", asked=asked)
    record = replace(record, decided_by=auditor)
    if call.is_void:
        record = replace(record, stage=VOID_DECIDED)
        record = _set_due(state, context, call.member, record, DUE_VOID_APPEAL, APPEAL_DAYS)
    due_day = record.due_day if call.is_void else 0
    context.emit(VoidDecided(member=call.member, organisation=auditor, is_void=call.is_void, due_day=due_day))
    if not call.is_void:
        _close(state, context, call.member, record, VOID_DISMISSED)
    return ()


# --- deadlines ---


def on_void_due(state: Overlay, context: Context, member_id: bytes, day: int) -> None:
    """Move a hearing on whose stage ended on `day`, the day that the deadline was set for."""
    record = state.require(VOID, member_id)
    if record.due_day != day:
        return
    if record.stage in (VOID_HEARING, VOID_FIRST_AUDITOR):
        record = replace(record, stage=record.stage + 1)
        record = _set_due(state, context, member_id, record, DUE_VOID_DECISION, DECISION_DAYS)
        context.emit(VoidMoved(member=member_id, state=record.stage, due_day=record.due_day))
    elif record.stage == VOID_SECOND_AUDITOR:
        _close(state, context, member_id, record, VOID_DISMISSED)
    elif record.stage == VOID_DECIDED:
        _uphold(state, context, member_id, record)
    else:
        raise InvariantViolation(f"a hearing in stage {record.stage} has no deadline")


# --- the seam to appeals ---


def on_void_appeal_filed(state: Overlay, context: Context, member_id: bytes) -> None:
    """Hand a void that was decided to the jury; raise `void_state` where there is none, or its 30 days are over."""
    record = replace(_require_stage(state, member_id, VOID_DECIDED), stage=VOID_APPEALED, due_day=0)
    state.put(VOID, record, member_id)
    context.emit(VoidMoved(member=member_id, state=VOID_APPEALED, due_day=0))


def on_void_upheld(state: Overlay, context: Context, member_id: bytes) -> None:
    """Make a void final that the jury upheld. Writes POOL and MEMBER: the caller reads both again."""
    _uphold(state, context, member_id, _require_appealed(state, member_id))


def on_void_dismissed(state: Overlay, context: Context, member_id: bytes) -> None:
    """Close a void that the jury did not uphold; the membership goes on."""
    _close(state, context, member_id, _require_appealed(state, member_id), VOID_DISMISSED)


def is_void_open(state: Overlay, member_id: bytes) -> bool:
    """Tell whether a hearing about the member has begun and is not final."""
    record = state.get(VOID, member_id)
    return record is not None and record.stage not in _CLOSED


def is_voided(state: Overlay, member_id: bytes) -> bool:
    """Tell whether a void is final about a membership, or about another of its person.

    Also while the exit waits for the end of the window: no claim of the person is confirmed any more.
    """
    person = get_person(state, state.require(MEMBER, member_id))
    members = [member_id] if person is None or not person.is_barred else [member_id, person.member]
    records = [state.get(VOID, member) for member in members]
    return any(record is not None and record.stage == VOID_UPHELD for record in records)


# --- shared ---


def _require_stage(state: Overlay, member_id: bytes, *stages: int) -> VoidRecord:
    record = state.get(VOID, member_id)
    if record is None:
        raise Refusal("void_state", member=member_id.hex())
    if record.stage not in stages:
        raise Refusal("void_state", stage=VOID_STAGE_NAMES[record.stage])
    return record


def _require_appealed(state: Overlay, member_id: bytes) -> VoidRecord:
    record = state.require(VOID, member_id)
    if record.stage != VOID_APPEALED:
        raise InvariantViolation(f"a jury decided on a hearing in stage {record.stage}")
    return record


def _set_due(
    state: Overlay, context: Context, member_id: bytes, record: VoidRecord, kind: int, days: int
) -> VoidRecord:
    """Write the record with a deadline `days` after today, and return it."""
    plan = state.require(MEMBER, member_id).plan
    plan_record = require_plan(state, plan)
    day = get_today(context, plan_record) + days
    add_due(state, plan, day, kind, compute_day_start_ms(day, plan_record.utc_offset_minutes), member_id)
    record = replace(record, due_day=day)
    state.put(VOID, record, member_id)
    return record


def _close(state: Overlay, context: Context, member_id: bytes, record: VoidRecord, stage: int) -> None:
    today = get_today(context, require_plan(state, state.require(MEMBER, member_id).plan))
    state.put(VOID, replace(record, stage=stage, due_day=0, closed_day=today), member_id)
    context.emit(VoidClosed(member=member_id, is_void=stage == VOID_UPHELD))


def _uphold(state: Overlay, context: Context, member_id: bytes, record: VoidRecord) -> None:
    """End the membership with a refund, bar the person, and end the claims that are not confirmed.

    A newer membership of the person ends as well, and its claim. One of any other is never confirmed (`is_voided`).
    """
    person = get_person(state, state.require(MEMBER, member_id))
    _close(state, context, member_id, record, VOID_UPHELD)
    exit_member(state, context, member_id, ACT_VOIDED)
    name_voided(state, member_id, state.require(MEMBER, member_id))
    _end_claim(state, context, member_id)
    if person is not None and person.member != member_id:
        _end_claim(state, context, person.member)


def _end_claim(state: Overlay, context: Context, member_id: bytes) -> None:
    claim_id = state.require(MEMBER, member_id).claim
    claim = None if claim_id is None else state.require(CLAIM, claim_id)
    if claim_id is not None and claim is not None and claim.status in OPEN_BEFORE_CONFIRMATION:
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry("member_voided").number)
