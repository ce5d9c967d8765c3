"""The public notice of approved claims and their confirmation (contract 2, NOTICED and CONFIRMED).

At 0:00 of the notice day the list of the period is fixed: first the claims that an earlier period left
unconfirmed, then the approved ones in the order of their approval. After the notice days the period's auditor
confirms each, or not: what is unconfirmed at the charge stands on the next period's list, whose auditor is
another one. So an auditor who decided a claim, or assessed it, leaves it to the next. Nothing confirms itself: a
claim that nobody confirmed in eight notices EXPIRES in public, and may be filed again with its firms.
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import claim_lane, organisations, settlement_items
from chain.contract.claim_bills import consume_bills, is_bill_consumed
from chain.contract.claim_calls import ClaimConfirm
from chain.contract.claim_events import ClaimConfirmed, ClaimNoticed
from chain.contract.claim_objection import has_open_objection
from chain.contract.claim_payment import is_main_benefit
from chain.contract.claim_review_tables import CLAIM_REVIEW, NO_REVIEW
from chain.contract.claim_status import (
    change_status,
    close,
    drop_card,
    get_today,
    is_involved,
    keep_firms,
    require_claim,
    require_status,
    save,
)
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_CLAWBACK,
    CLAIM_CLEAN,
    CLAIM_CONFIRMED,
    CLAIM_EXPIRED,
    CLAIM_INSTRUCTED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_REJECTED,
    CLAIM_SETTLED,
    ClaimRecord,
)
from chain.contract.context import Context, apply_items
from chain.contract.persons import has_other_benefit, take_benefit
from chain.contract.settlement_tables import (
    ITEM_AID,
    PERIOD,
    PERIOD_NOTICE,
    PERIOD_STATUS_NAMES,
    ItemRecord,
    PeriodRecord,
)
from chain.contract.tables import MEMBER, POOL
from chain.contract.void import is_void_open, is_voided
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay

NOTICE_CLAIMS_MAX = 5_000
"""Claims of one notice, so that the settlement's record stays in its bound; the rest waits for the next."""
NOTICES_UNCONFIRMED_MAX = 8
"""Notices that may list a claim without a confirmation: each auditor of two had four turns."""
_CONFIRMED_BEFORE = (
    CLAIM_CONFIRMED,
    CLAIM_SETTLED,
    CLAIM_INSTRUCTED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_CLEAN,
    CLAIM_CLAWBACK,
)


def open_notice(state: Overlay, context: Context, plan: str, pool: int, period: int, day: int) -> tuple[bytes, ...]:
    """Fix the list of a period and return it: the ids of its claims, all NOTICED.

    A claim one of whose bills another confirmed claim has consumed in the meantime is REJECTED instead (reason
    bill_consumed), and so is one of a person who was voided (member_voided), or one for the main benefit where another
    claim of the person has it: none could be confirmed. One that eight notices listed in vain is EXPIRED (reason
    unconfirmed). `due_day` becomes the first day on which a claim may be confirmed, after `notice_full_days_min` full
    days in public.
    """
    pool_version = state.require(POOL, plan, pool).version
    days_min = organisations.get_terms(state, plan, pool_version).pool.notice_full_days_min
    noticed: list[bytes] = []
    for claim_id in _list_unconfirmed(state, plan, pool, period):
        if _count_notice(state, context, claim_id):
            _notice(state, context, claim_id, noticed, period=period, first_day=day + days_min)
    lane = claim_lane.LANE_NOTICE + pool
    while len(noticed) < NOTICE_CLAIMS_MAX:
        ticket = claim_lane.get_first(state, plan, lane)
        if ticket is None:
            break
        claim_lane.pop(state, plan, lane)
        # Another status: it was withdrawn or appealed, or an older place in the lane has listed it just now.
        if state.require(CLAIM, ticket.claim).status == CLAIM_APPROVED:
            _notice(state, context, ticket.claim, noticed, period=period, first_day=day + days_min)
    return tuple(noticed)


def apply_claim_confirm(state: Overlay, context: Context, call: ClaimConfirm) -> tuple[int, ...]:
    """Confirm noticed claims; each becomes an item of its period's settlement and consumes its bills.

    Refused as a whole: wrong_role for anybody but an auditor. Refused item by item: claim_unknown,
    claim_state, period_state (its period is charged already: it waits for the next notice), not_your_turn
    (the period has another auditor), decider_confirms (the auditor decided it or holds a seat on it),
    notice_not_over, objection_open, bill_consumed; void_open while a hearing about the member is open, member_voided
    once a void is final about another membership of the person (ADR 0012); main_benefit_taken where another claim of
    the person has it; already where it was confirmed before.
    """
    signer = organisations.require_role(state, context.signer, ROLE_AUDITOR)

    def confirm(position: int) -> int:
        return _confirm(state, context, call.items[position], signer.organisation)

    return apply_items(state, context, len(call.items), confirm)


def _list_unconfirmed(state: Overlay, plan: str, pool: int, period: int) -> list[bytes]:
    if period == 0:
        return []
    listed = state.require(PERIOD, plan, pool, period - 1).claims
    return [claim_id for claim_id in listed if state.require(CLAIM, claim_id).status == CLAIM_NOTICED]


def _count_notice(state: Overlay, context: Context, claim_id: bytes) -> bool:
    """Count a notice that nobody confirmed the claim in; return whether it may be listed once more."""
    review = state.get(CLAIM_REVIEW, claim_id) or NO_REVIEW
    notices = review.notices + 1
    if notices < NOTICES_UNCONFIRMED_MAX:
        state.put(CLAIM_REVIEW, replace(review, notices=notices), claim_id)
        return True
    claim = state.require(CLAIM, claim_id)
    keep_firms(state, claim_id, claim)
    close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("unconfirmed").number)
    return False


def _notice(
    state: Overlay, context: Context, claim_id: bytes, noticed: list[bytes], *, period: int, first_day: int
) -> None:
    claim = state.require(CLAIM, claim_id)
    if is_bill_consumed(state, claim_id, claim):
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry("bill_consumed").number)
        return
    if is_voided(state, claim.member):
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry("member_voided").number)
        return
    if is_main_benefit(claim) and has_other_benefit(state, state.require(MEMBER, claim.member), claim_id):
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry("main_benefit_taken").number)
        return
    if claim.status == CLAIM_APPROVED:
        claim = change_status(context, claim_id, claim, CLAIM_NOTICED)
    context.emit(ClaimNoticed(claim=claim_id, period=period, amount=claim.amount))
    save(state, claim_id, replace(claim, period=period, due_day=first_day))
    noticed.append(claim_id)


def _confirm(state: Overlay, context: Context, claim_id: bytes, auditor: str) -> int:
    claim = require_claim(state, claim_id)
    if claim.status in _CONFIRMED_BEFORE and not claim.is_shares_refund:
        return get_entry("already").number
    require_status(claim, CLAIM_NOTICED)
    period = state.require(PERIOD, claim.plan, claim.pool, claim.period)
    if period.status != PERIOD_NOTICE:
        raise Refusal("period_state", period=claim.period, status=PERIOD_STATUS_NAMES[period.status])
    if _get_confirmer(state, claim, period) != auditor:
        raise Refusal("not_your_turn", period=claim.period)
    if is_involved(claim, auditor):
        raise Refusal("decider_confirms", organisation=auditor)
    if get_today(state, context, claim) < claim.due_day:
        raise Refusal("notice_not_over", first_day=claim.due_day)
    if has_open_objection(state, claim_id):
        raise Refusal("objection_open", claim=claim_id.hex())
    if is_bill_consumed(state, claim_id, claim):
        raise Refusal("bill_consumed", claim=claim_id.hex())
    if is_void_open(state, claim.member):
        raise Refusal("void_open", claim=claim_id.hex())
    if is_voided(state, claim.member):
        raise Refusal("member_voided", claim=claim_id.hex())
    if is_main_benefit(claim):
        member = state.require(MEMBER, claim.member)
        if has_other_benefit(state, member, claim_id):
            raise Refusal("main_benefit_taken", claim=claim_id.hex())
        take_benefit(state, member, claim_id)
    consume_bills(state, claim_id, claim)
    drop_card(state, claim_id)
    context.emit(ClaimConfirmed(claim=claim_id, organisation=auditor, period=claim.period))
    save(state, claim_id, change_status(context, claim_id, claim, CLAIM_CONFIRMED))
    settlement_items.add_item(state, _build_item(state, claim_id, claim), claim.plan, claim.pool)
    return SUCCESS


def _get_confirmer(state: Overlay, claim: ClaimRecord, period: PeriodRecord) -> str:
    """Return the auditor that the notice named, as long as it serves; else the one of the present roster."""
    named = period.confirmer
    if named is not None and named in organisations.get_auditors(state):
        return named
    return organisations.get_confirmer(state, claim.period)


def _build_item(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> ItemRecord:
    pool_version = state.require(POOL, claim.plan, claim.pool).version
    return ItemRecord(
        kind=ITEM_AID,
        member=claim.member,
        claim=claim_id,
        amount=claim.amount,
        fee_bp=organisations.get_terms(state, claim.plan, pool_version).pool.fee_bp,
        carried=0,
    )
