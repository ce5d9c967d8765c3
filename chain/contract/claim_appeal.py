"""What an appeal does to a claim (contract 2, appeal to a drawn jury); the jury itself is not here.

    REJECTED, REFUSED, APPROVED, NOTICED --filed--> APPEALED --lost--> as before
                                                             --upheld-> ELIGIBLE | APPROVED

While it is appealed a claim is the member's open one, and no notice lists it. A claim that a jury decided takes no
objection any more: the objectors' evidence was for the jury.
"""

from msgspec.structs import replace

from chain.contract import claim_roster
from chain.contract.claim_decision import approve_again, compute_amount
from chain.contract.claim_events import ClaimDecided
from chain.contract.claim_objection import drop_objections
from chain.contract.claim_recheck import RECHECKS_MAX
from chain.contract.claim_review_tables import CLAIM_REVIEW, NO_REVIEW
from chain.contract.claim_status import (
    change_status,
    close,
    get_active,
    get_majority,
    require_status,
    save,
)
from chain.contract.claim_tables import (
    CLAIM_APPEALED,
    CLAIM_APPROVED,
    CLAIM_CASE,
    CLAIM_ELIGIBLE,
    CLAIM_NOTICED,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    ClaimCaseRecord,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.persons import hold_person, is_gone, resolve_index
from chain.contract.tables import MEMBER, PERSON, MemberRecord
from chain.errors import Refusal
from chain.state import Overlay


def hold_for_appeal(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Let a claim wait for the jury: it is the member's open claim (again), and his person is held.

    Raises `Refusal` claim_state unless it is REJECTED, REFUSED, APPROVED or NOTICED, and claim_open where the member
    has another one.
    """
    require_status(claim, CLAIM_REJECTED, CLAIM_REFUSED, CLAIM_APPROVED, CLAIM_NOTICED)
    member = state.require(MEMBER, claim.member)
    if member.claim not in (None, claim_id):
        raise Refusal("claim_open", claim=claim_id.hex())
    drop_objections(state, context, claim_id)
    save(state, claim_id, change_status(context, claim_id, claim, CLAIM_APPEALED, claim.reason))
    state.put(MEMBER, replace(member, claim=claim_id), claim.member)
    _hold_person(state, claim.member, member)


def drop_appeal(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, status: int) -> None:
    """Let a claim whose appeal was lost go back to the status that it had: REJECTED, REFUSED, APPROVED or NOTICED."""
    require_status(claim, CLAIM_APPEALED)
    if status in (CLAIM_APPROVED, CLAIM_NOTICED):
        approve_again(state, context, claim_id, claim)
    else:
        close(state, context, claim_id, claim, status, claim.reason)


def admit_refused(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Let a claim that was refused without any report be drawn and investigated, because the jury said so."""
    require_status(claim, CLAIM_APPEALED)
    if claim.firms:
        raise Refusal("claim_state", reason="firms have reported: the jury approves or not")
    claim = change_status(context, claim_id, claim, CLAIM_ELIGIBLE)
    claim_roster.ask_draw(state, context, claim_id, claim)


def approve_on_appeal(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, row: int) -> None:
    """Approve a claim with a row of the pinned table, because the jury said so.

    The established day is that of the reports' majority, else of the first report that found it fulfilled, else the
    stated day. Eligibility is not asked again, for that was before the jury; a bill that another claim has consumed
    still ends it at the notice.
    """
    require_status(claim, CLAIM_APPEALED)
    claim = replace(claim, established_day=get_day(claim), row=row, reason=0)
    claim = replace(claim, amount=compute_amount(state, claim, row))
    filed = state.require(CLAIM_CASE, claim.member, claim.cause, claim.diagnosed_day)
    case = ClaimCaseRecord(claim=claim_id, filed_day=filed.filed_day)
    state.put(CLAIM_CASE, case, claim.member, claim.cause, claim.established_day)
    review = state.get(CLAIM_REVIEW, claim_id) or NO_REVIEW
    state.put(CLAIM_REVIEW, replace(review, rechecks=RECHECKS_MAX), claim_id)
    context.emit(
        ClaimDecided(
            claim=claim_id,
            decided_by=claim.decided_by,
            is_approved=True,
            row=row,
            established_day=claim.established_day,
        )
    )
    approve_again(state, context, claim_id, claim)


def _hold_person(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Hold the person of a membership that has ended, unless he has joined anew: the jury may give him a benefit."""
    if not is_gone(member) or member.person_index is None or not member.is_admitted:
        return
    index, _ = resolve_index(state, member.plan, member.person_index)
    if state.get(PERSON, member.plan, index) is None:
        hold_person(state, member.plan, member.person_index, member_id)


def get_day(claim: ClaimRecord) -> int:
    """Return the day of the diagnosis on which a jury's approval rests."""
    majority = get_majority(claim)
    if majority is not None:
        return majority.established_day
    days = [firm.established_day for firm in get_active(claim) if firm.is_revealed and firm.finding]
    return days[0] if days else claim.diagnosed_day
