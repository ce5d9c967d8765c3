"""Objections of the public to a claim in notice (contract 5, objection_file and objection_rule).

    OPEN --auditor, within 2 days--> ADMITTED (the claim goes to RECHECK) | DISMISSED
         --silence-----------------> DISMISSED
         --another one is admitted-> JOINED: its evidence goes to the same recheck
         --the claim is withdrawn--> MOOT

An open objection holds the confirmation up, so the time that objectors can take is bounded. They are heard in the full
days of the notice only, which end before the claim may be confirmed; in at most three notices of a claim; with at most
two rechecks. Whoever objects is covered today, and does so three times a year at most.
"""

from msgspec.structs import replace

from chain.contract import claim_recheck, organisations
from chain.contract.calendar import compute_year
from chain.contract.claim_calls import ObjectionFile, ObjectionRule
from chain.contract.claim_recheck import RECHECKS_MAX
from chain.contract.claim_review_events import ObjectionEnded, ObjectionFiled
from chain.contract.claim_review_tables import (
    CLAIM_REVIEW,
    NO_REVIEW,
    OBJECTION,
    OBJECTION_ADMITTED,
    OBJECTION_DISMISSED,
    OBJECTION_JOINED,
    OBJECTION_MOOT,
    OBJECTION_OPEN,
    OBJECTION_STATUS_NAMES,
    OBJECTOR,
    ClaimReviewRecord,
    ObjectionRecord,
    ObjectorRecord,
)
from chain.contract.claim_status import DUE_OBJECTION, get_today, is_involved, require_claim, require_status
from chain.contract.claim_tables import CLAIM, CLAIM_NOTICED, ClaimRecord
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.membership import require_member
from chain.contract.shares import is_covered
from chain.contract.tables import MEMBER, PLAN, POOL, MemberRecord
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay

RULING_DAYS = 2
"""Days in which an auditor rules; silence dismisses."""
OBJECTIONS_PER_YEAR_MAX = 3
"""Objections of one member in a calendar year."""
OBJECTED_NOTICES_MAX = 3
"""Notices of one claim in which objections are heard: its first, and one after each recheck."""
PENDING_MAX = 64
"""Objections to one claim that wait for a ruling at a time; further ones are refused until some are ruled on."""


def apply_objection_file(state: Overlay, context: Context, call: ObjectionFile) -> tuple[int, ...]:
    """Object to a claim in notice; the objection's id is the transaction's id.

    Refused: member_unknown, not_owner; claim_unknown, claim_state unless NOTICED; own_claim (also a guardian's and a
    child's); objector_not_covered, also for a member of another plan; deadline_passed once the full days of the notice
    are over; objections_closed after two rechecks or three notices with objections; objections_used (three this year);
    limit_reached while 64 wait for a ruling; already for the same evidence.
    """
    member = require_member(state, context, call.member)
    claim = require_claim(state, call.claim)
    require_status(claim, CLAIM_NOTICED)
    today = get_today(state, context, claim)
    _require_stranger(state, call, member, claim, today)
    if today >= claim.due_day:
        raise Refusal("deadline_passed", first_day=claim.due_day)
    review = _open_notice(state.get(CLAIM_REVIEW, call.claim) or NO_REVIEW, claim)
    if len(review.pending) >= PENDING_MAX:
        raise Refusal("limit_reached", pending=len(review.pending))
    for objection_id in review.pending:
        if state.require(OBJECTION, objection_id).evidence_hash == call.evidence_hash:
            raise Refusal("already", objection=objection_id.hex())
    _count_objection(state, call.member, compute_year(today))
    objection_id = context.tx_id
    due_day = today + RULING_DAYS
    record = ObjectionRecord(
        claim=call.claim,
        member=call.member,
        evidence_hash=call.evidence_hash,
        filed_day=today,
        due_day=due_day,
        status=OBJECTION_OPEN,
        ruled_by=None,
    )
    state.put(OBJECTION, record, objection_id)
    state.put(CLAIM_REVIEW, replace(review, pending=(*review.pending, objection_id)), call.claim)
    offset = state.require(PLAN, claim.plan).utc_offset_minutes
    add_due(state, claim.plan, due_day, DUE_OBJECTION, compute_day_start_ms(due_day, offset), objection_id)
    context.emit(ObjectionFiled(claim=call.claim, objection=objection_id, evidence_hash=call.evidence_hash))
    return ()


def apply_objection_rule(state: Overlay, context: Context, call: ObjectionRule) -> tuple[int, ...]:
    """Admit an objection, which sends the claim to its recheck, or dismiss it.

    Any auditor may that had no part in the claim; the first ruling counts. Refused: wrong_role; objection_unknown,
    objection_state once it was ruled on, dismissed or joined; claim_state where the notice ended the claim; had_part
    for the decider or the holder of a seat.
    """
    signer = organisations.require_role(state, context.signer, ROLE_AUDITOR)
    record = state.get(OBJECTION, call.objection)
    if record is None:
        raise Refusal("objection_unknown", objection=call.objection.hex())
    if record.status != OBJECTION_OPEN:
        raise Refusal("objection_state", status=OBJECTION_STATUS_NAMES[record.status])
    claim = state.require(CLAIM, record.claim)
    require_status(claim, CLAIM_NOTICED)
    if is_involved(claim, signer.organisation):
        raise Refusal("had_part", organisation=signer.organisation)
    if not call.is_admitted:
        _end(state, context, call.objection, OBJECTION_DISMISSED, signer.organisation)
        return ()
    review = _end(state, context, call.objection, OBJECTION_ADMITTED, signer.organisation)
    for other in review.pending:
        review = _end(state, context, other, OBJECTION_JOINED)
    review = replace(review, admitted=call.objection)
    claim_recheck.start(state, context, record.claim, claim, review)
    return ()


def on_ruling_due(state: Overlay, context: Context, objection_id: bytes, day: int) -> None:
    """Dismiss an objection on which nobody ruled in time."""
    record = state.require(OBJECTION, objection_id)
    if record.status == OBJECTION_OPEN and record.due_day == day:
        _end(state, context, objection_id, OBJECTION_DISMISSED)


def drop_objections(state: Overlay, context: Context, claim_id: bytes) -> None:
    """End the open objections to a claim that is withdrawn or goes back to before its notice."""
    review = state.get(CLAIM_REVIEW, claim_id)
    for objection_id in review.pending if review is not None else ():
        _end(state, context, objection_id, OBJECTION_MOOT)


def has_open_objection(state: Overlay, claim_id: bytes) -> bool:
    """Tell whether an objection to a claim waits for its ruling."""
    review = state.get(CLAIM_REVIEW, claim_id)
    return review is not None and bool(review.pending)


def _require_stranger(
    state: Overlay, call: ObjectionFile, member: MemberRecord, claim: ClaimRecord, today: int
) -> None:
    owner = state.require(MEMBER, claim.member)
    if call.member in (claim.member, owner.guardian) or member.guardian == claim.member:
        raise Refusal("own_claim", claim=call.claim.hex())
    pool = state.require(POOL, member.plan, member.pool)
    if member.plan != claim.plan or not is_covered(state, member, pool, today, is_accident=False):
        raise Refusal("objector_not_covered", day=today)


def _open_notice(review: ClaimReviewRecord, claim: ClaimRecord) -> ClaimReviewRecord:
    """Return the review with the present notice counted among those with objections."""
    is_first = review.objected_period != claim.period + 1
    notices = review.objected_notices + is_first
    if review.rechecks >= RECHECKS_MAX or notices > OBJECTED_NOTICES_MAX:
        raise Refusal("objections_closed", rechecks=review.rechecks)
    return replace(review, objected_notices=notices, objected_period=claim.period + 1)


def _count_objection(state: Overlay, member_id: bytes, year: int) -> None:
    record = state.get(OBJECTOR, member_id)
    count = record.count if record is not None and record.year == year else 0
    if count >= OBJECTIONS_PER_YEAR_MAX:
        raise Refusal("objections_used", count=count)
    state.put(OBJECTOR, ObjectorRecord(year=year, count=count + 1), member_id)


def _end(
    state: Overlay, context: Context, objection_id: bytes, status: int, organisation: str | None = None
) -> ClaimReviewRecord:
    """Write what became of an objection; return the review of its claim without it."""
    record = state.require(OBJECTION, objection_id)
    state.put(OBJECTION, replace(record, status=status, ruled_by=organisation), objection_id)
    review = state.require(CLAIM_REVIEW, record.claim)
    review = replace(review, pending=tuple(item for item in review.pending if item != objection_id))
    state.put(CLAIM_REVIEW, review, record.claim)
    event = ObjectionEnded(claim=record.claim, objection=objection_id, status=status, organisation=organisation)
    context.emit(event)
    return review
