"""Taking a claim back, and what the next claim keeps of it (contract 5, claim_withdraw and claim_payee).

A claim may be withdrawn until it is confirmed. Its assessors stay drawn: the member's next claim, whatever diagnosis
and day it states, gets the same firms without a new lot, so that nobody withdraws until the lot gives the firms that
he hopes for. One that is withdrawn before its draw is drawn all the same, and until then no other is filed: from the
last reveals before 0:00 on, everybody can compute who will be drawn. The same holds for a claim that EXPIRED because
its certificate did not come, or because nobody confirmed it. What the firms had sealed or opened goes with the old
claim; replacements count on.
"""

from msgspec.structs import replace

from chain.contract import claim_roster
from chain.contract.calendar import compute_year
from chain.contract.claim_calls import ClaimPayee, ClaimWithdraw
from chain.contract.claim_claimant import require_claimant, sign_claimant, validate_payee
from chain.contract.claim_objection import drop_objections
from chain.contract.claim_review_events import ClaimPayeeChanged, FirmKept
from chain.contract.claim_review_tables import CLAIMANT, NO_CLAIMANT
from chain.contract.claim_status import (
    ACCEPT_DAYS,
    DUE_ACCEPT,
    OPEN_BEFORE_CONFIRMATION,
    change_status,
    close,
    get_active,
    get_today,
    require_claim,
    require_status,
    save,
    set_due,
)
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_ASSIGNED,
    CLAIM_CONFIRMED,
    CLAIM_ELIGIBLE,
    CLAIM_RECHECK,
    CLAIM_SHARES_REFUND,
    CLAIM_WITHDRAWN,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.errors import Refusal
from chain.state import Overlay

WITHDRAWALS_MAX = 3
"""Claims that a member may withdraw in a calendar year; the next one goes its way to a decision."""


def apply_claim_withdraw(state: Overlay, context: Context, call: ClaimWithdraw) -> tuple[int, ...]:
    """Take a claim back before it is confirmed.

    Refused: member_unknown, not_owner, heir_invalid; claim_unknown; claim_state; withdrawals_used.
    """
    member = require_claimant(state, context, call.member, call.heir)
    claim = _require_own(state, call.claim, call.member)
    require_status(claim, *OPEN_BEFORE_CONFIRMATION)
    record = state.get(CLAIMANT, call.member) or NO_CLAIMANT
    year = compute_year(get_today(state, context, claim))
    count = record.withdrawals if record.year == year else 0
    if count >= WITHDRAWALS_MAX:
        raise Refusal("withdrawals_used", count=count)
    if not sign_claimant(state, context, call, member, call.heir):
        return ()
    drop_objections(state, context, call.claim)
    if claim.status == CLAIM_RECHECK:
        claim = replace(claim, seats=len(get_active(claim)))
    is_undrawn = claim.status in (CLAIM_ELIGIBLE, CLAIM_ASSIGNED) and not claim_roster.is_seated(claim)
    record = replace(record, kept=call.claim, is_draw_pending=is_undrawn, year=year, withdrawals=count + 1)
    state.put(CLAIMANT, record, call.member)
    close(state, context, call.claim, claim, CLAIM_WITHDRAWN)
    return ()


def apply_claim_payee(state: Overlay, context: Context, call: ClaimPayee) -> tuple[int, ...]:
    """Say anew who is to be paid, as long as nothing was granted.

    Refused: member_unknown, not_owner, heir_invalid; claim_unknown; claim_state from the settlement on;
    value_out_of_range for a payee that the member does not have; already.
    """
    member = require_claimant(state, context, call.member, call.heir)
    claim = _require_own(state, call.claim, call.member)
    require_status(claim, *OPEN_BEFORE_CONFIRMATION, CLAIM_CONFIRMED, CLAIM_SHARES_REFUND)
    if claim.granted:
        raise Refusal("claim_state", granted=claim.granted)
    validate_payee(state, call.member, member, call.payee_kind)
    if claim.payee_kind == call.payee_kind:
        raise Refusal("already", claim=call.claim.hex())
    if not sign_claimant(state, context, call, member, call.heir):
        return ()
    context.emit(ClaimPayeeChanged(claim=call.claim))
    save(state, call.claim, replace(claim, payee_kind=call.payee_kind))
    return ()


def require_drawn_before(state: Overlay, member_id: bytes) -> None:
    """Raise `Refusal` draw_pending while the firms of the member's withdrawn claim are not drawn yet."""
    record = state.get(CLAIMANT, member_id)
    if record is not None and record.is_draw_pending:
        raise Refusal("draw_pending")


def seat_kept(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Write a new ELIGIBLE claim: with the firms that it keeps it is ASSIGNED, else it waits for its draw."""
    record = state.get(CLAIMANT, claim.member)
    if record is None or record.kept is None:
        claim_roster.ask_draw(state, context, claim_id, change_status(context, claim_id, claim, CLAIM_ELIGIBLE))
        return
    state.put(CLAIMANT, replace(record, kept=None), claim.member)
    before = state.require(CLAIM, record.kept)
    today = get_today(state, context, claim)
    kept = [firm.organisation for firm in get_active(before) if claim_roster.is_in_roster(state, firm.organisation)]
    firms = tuple(
        replace(claim_roster.build_seat(firm.organisation, today), is_replaced=firm.organisation not in kept)
        for firm in before.firms
    )
    claim = replace(claim, firms=firms, seats=before.seats, redraws=before.redraws)
    for organisation in kept:
        context.emit(FirmKept(claim=claim_id, organisation=organisation, before=record.kept))
        claim_roster.note_seat(state, claim_id, claim.plan, organisation)
    claim = change_status(context, claim_id, claim, CLAIM_ASSIGNED if kept else CLAIM_ELIGIBLE)
    if not claim_roster.is_seated(claim):
        claim_roster.ask_draw(state, context, claim_id, claim)
        return
    save(state, claim_id, set_due(state, claim_id, claim, kind=DUE_ACCEPT, today=today, days=ACCEPT_DAYS))


def _require_own(state: Overlay, claim_id: bytes, member_id: bytes) -> ClaimRecord:
    claim = require_claim(state, claim_id)
    if claim.member != member_id:
        raise Refusal("not_owner", claim=claim_id.hex())
    return claim
