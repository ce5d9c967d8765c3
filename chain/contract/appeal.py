"""Appeals: which decisions may be brought before a jury, and how a case ends (contract 2, 5 *appeal_file*).

    --appeal_file--> DRAW --lot--> COMMIT --7 days--> REVEAL --3 days--> UPHELD | DISMISSED
                      ^ |             +----too few votes----+
                      | |                                   |
                      +-----------once more-----------------+
                        +--no jury, twice too few--> PANEL --10 days--> UPHELD | DISMISSED
    WAITING: another claim of the member is open; looked at each day until it has ended

The member has 30 days; a row that is lower than asked is appealed before the claim is confirmed. Each decision is
appealed once. A case always ends: jury.py and appeal_panel.py have a deadline for every state, and where nobody votes
at all the decision stands, because it was taken by those whose duty it was (ADR 0011). While a case is open its claim
is the member's open one and the person is held.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract import appeal_lane
from chain.contract.appeal_events import AppealEnded, AppealFiled
from chain.contract.appeal_outcome import end_claim, end_void
from chain.contract.appeal_tables import (
    APPEAL,
    APPEAL_DISMISSED,
    APPEAL_DRAW,
    APPEAL_UPHELD,
    APPEAL_WAITING,
    APPELLANT,
    CLAIM_APPEALS,
    DECIDER_NOBODY,
    DECISION_REFUSED_AFTER_REPORTS,
    DECISION_REFUSED_AT_FILING,
    DECISION_REJECTED,
    DECISION_ROW,
    NO_APPELLANT,
    NO_CLAIM_APPEALS,
    SUBJECT_REFUSED,
    SUBJECT_REJECTED,
    SUBJECT_ROW,
    SUBJECT_VOID,
    AppealRecord,
)
from chain.contract.calendar import compute_year
from chain.contract.claim_appeal import hold_for_appeal
from chain.contract.claim_calls import AppealFile
from chain.contract.claim_claimant import PAYEE_ESTATE, require_claimant, sign_claimant
from chain.contract.claim_decision import compute_amount
from chain.contract.claim_status import is_appealable, require_claim, require_status
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_NOTICED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.due import DUE_APPEAL, DUE_APPEAL_WAIT
from chain.contract.failed_payments import is_dead
from chain.contract.organisations import get_today, require_plan
from chain.contract.persons import is_barred
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES, PLAN_ENDED, MemberRecord
from chain.contract.void import on_void_appeal_filed
from chain.errors import Refusal
from chain.state import Overlay

DISMISSED_PER_YEAR_MAX: Final = 3
"""Appeals of one member that were dismissed in a calendar year; then no further one, so that nobody keeps juries busy
for sport. Those that were upheld do not count."""
WAITING_MAX: Final = 4
"""Appeals of one member that wait for the end of another claim."""


def apply_appeal_file(state: Overlay, context: Context, call: AppealFile) -> tuple[int, ...]:
    """Bring a decision before a jury; the case is the id of this transaction.

    Refused: member_unknown, not_owner, heir_invalid; plan_not_active once the plan has ended; limit_reached after three
    dismissed appeals in this year, or with four that wait; value_out_of_range where a claim is named for a void or
    missing for a claim. A claim: claim_unknown; not_owner for another member's; member_state for somebody who may not
    come back; claim_state unless it is what the subject says, also where a jury could change nothing (a consumed bill,
    a diagnosis decided before, a void); appealed_before; deadline_passed after 30 days; row_not_lower. A void:
    void_state. wrong_role, already for an heir (halves.py).
    """
    member = require_claimant(state, context, call.member, call.heir)
    plan = require_plan(state, member.plan)
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=member.plan)
    if (call.claim is None) != (call.subject == SUBJECT_VOID):
        raise Refusal("value_out_of_range", field="claim")
    today = get_today(context, plan)
    _validate_appellant(state, call.member, year=compute_year(today))
    claim = None if call.claim is None else _require_appealable(state, call, call.claim, member)
    if not sign_claimant(state, context, call, member, call.heir):
        return ()
    record = AppealRecord(
        plan=member.plan,
        pool=member.pool if claim is None else claim.pool,
        member=call.member,
        subject=call.subject,
        claim=call.claim,
        grounds_hash=call.grounds_hash,
        filed_day=today,
        status=APPEAL_DRAW,
        claim_status=0 if claim is None else claim.status,
        round=0,
        asked_height=0,
        jurors=0,
        committed=0,
        revealed=0,
        upheld=0,
        panel=(),
        due_day=0,
        due_kind=0,
        decider=DECIDER_NOBODY,
        ended_day=0,
    )
    is_waiting = claim is not None and member.claim not in (None, call.claim)
    context.emit(AppealFiled(case=context.tx_id, claim=call.claim, appeal_subject=call.subject, is_waiting=is_waiting))
    if claim is None or call.claim is None:
        on_void_appeal_filed(state, context, call.member)
        appeal_lane.ask_draw(state, context, context.tx_id, record)
        return ()
    known = state.get(CLAIM_APPEALS, call.claim) or NO_CLAIM_APPEALS
    decisions = (*known.decisions, _get_decision(call.subject, claim))
    state.put(CLAIM_APPEALS, replace(known, decisions=decisions), call.claim)
    if is_waiting:
        _wait(state, context, context.tx_id, record)
    else:
        _hold(state, context, call.claim, claim, member)
        appeal_lane.ask_draw(state, context, context.tx_id, record)
    return ()


def _validate_appellant(state: Overlay, member_id: bytes, *, year: int) -> None:
    appellant = state.get(APPELLANT, member_id) or NO_APPELLANT
    if appellant.year == year and appellant.dismissed >= DISMISSED_PER_YEAR_MAX:
        raise Refusal("limit_reached", dismissed=appellant.dismissed)
    if appellant.waiting >= WAITING_MAX:
        raise Refusal("limit_reached", waiting=appellant.waiting)


def _require_appealable(state: Overlay, call: AppealFile, claim_id: bytes, member: MemberRecord) -> ClaimRecord:
    """Return the claim if its decision may be appealed now."""
    claim = require_claim(state, claim_id)
    if claim.member != call.member:
        raise Refusal("not_owner", claim=claim_id.hex())
    if is_barred(state, member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    if call.subject == SUBJECT_ROW:
        require_status(claim, CLAIM_APPROVED, CLAIM_NOTICED)
    else:
        require_status(claim, CLAIM_REJECTED if call.subject == SUBJECT_REJECTED else CLAIM_REFUSED)
        if not is_appealable(claim.status, claim.reason):
            raise Refusal("claim_state", reason=claim.reason)
    decided = (state.get(CLAIM_APPEALS, claim_id) or NO_CLAIM_APPEALS).decisions
    if _get_decision(call.subject, claim) in decided:
        raise Refusal("appealed_before", claim=claim_id.hex())
    if call.subject == SUBJECT_ROW:
        if compute_amount(state, claim, claim.asked_row) <= claim.amount:
            raise Refusal("row_not_lower", row=claim.row, asked_row=claim.asked_row)
    elif claim.due_kind != DUE_APPEAL:
        raise Refusal("deadline_passed", claim=claim_id.hex())
    return claim


def _get_decision(subject: int, claim: ClaimRecord) -> int:
    if subject == SUBJECT_REJECTED:
        return DECISION_REJECTED
    if subject == SUBJECT_REFUSED:
        return DECISION_REFUSED_AFTER_REPORTS if claim.firms else DECISION_REFUSED_AT_FILING
    return DECISION_ROW


def _hold(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, member: MemberRecord) -> None:
    """Let a claim wait for the verdict; one whose member died since it was decided is the estate's."""
    if is_dead(state, claim.member, member):
        claim = replace(claim, payee_kind=PAYEE_ESTATE)
    hold_for_appeal(state, context, claim_id, claim)


# --- waiting for another claim ---


def _wait(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    _count_waiting(state, record.member, 1)
    record = replace(record, status=APPEAL_WAITING)
    appeal_lane.set_due(state, context, case_id, record, kind=DUE_APPEAL_WAIT, days=1)


def _count_waiting(state: Overlay, member_id: bytes, change: int) -> None:
    appellant = state.get(APPELLANT, member_id) or NO_APPELLANT
    state.put(APPELLANT, replace(appellant, waiting=appellant.waiting + change), member_id)


def on_wait_due(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Begin an appeal whose member has no other open claim any more; else look again tomorrow."""
    member = state.require(MEMBER, record.member)
    if record.claim is None or (member.claim is not None and member.claim != record.claim):
        appeal_lane.set_due(state, context, case_id, record, kind=DUE_APPEAL_WAIT, days=1)
        return
    _count_waiting(state, record.member, -1)
    claim = state.require(CLAIM, record.claim)
    if claim.status != record.claim_status or is_barred(state, member):
        end_appeal(state, context, case_id, record, is_upheld=False, decider=DECIDER_NOBODY)
        return
    _hold(state, context, record.claim, claim, member)
    appeal_lane.ask_draw(state, context, case_id, record)


# --- the end ---


def end_appeal(
    state: Overlay, context: Context, case_id: bytes, record: AppealRecord, *, is_upheld: bool, decider: int
) -> None:
    """End a case and carry out what was decided. Writes claim, member and pool: the caller reads them again."""
    today = get_today(context, require_plan(state, record.plan))
    record = replace(
        record,
        status=APPEAL_UPHELD if is_upheld else APPEAL_DISMISSED,
        due_day=0,
        due_kind=0,
        decider=decider,
        ended_day=today,
    )
    state.put(APPEAL, record, case_id)
    votes, upheld = record.revealed, record.upheld
    if record.panel:
        given = [seat.vote for seat in record.panel if seat.vote in (0, 1)]
        votes, upheld = len(given), sum(given)
    context.emit(
        AppealEnded(
            case=case_id,
            claim=record.claim,
            member=record.member if record.claim is None else None,
            is_upheld=is_upheld,
            decider=decider,
            votes=votes,
            upheld=upheld,
        )
    )
    if not is_upheld and (record.round or record.panel):
        _count_dismissed(state, record.member, year=compute_year(today))
    if record.claim is None:
        end_void(state, context, record.member, is_upheld=is_upheld)
    else:
        end_claim(state, context, record.claim, record, is_upheld=is_upheld)


def _count_dismissed(state: Overlay, member_id: bytes, *, year: int) -> None:
    appellant = state.get(APPELLANT, member_id) or NO_APPELLANT
    before = appellant.dismissed if appellant.year == year else 0
    state.put(APPELLANT, replace(appellant, year=year, dismissed=before + 1), member_id)
