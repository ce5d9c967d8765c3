"""The public notice of approved claims and their confirmation (contract 2, NOTICED and CONFIRMED).

At 0:00 of the notice day the list of the period is fixed: first the claims that an earlier period left
unconfirmed, then the approved ones in the order of their approval. After the notice days the period's auditor
confirms each, or not: what is unconfirmed at the charge stands on the next period's list, whose auditor is
another one. So an auditor who decided a claim, or assessed it, leaves it to the next.
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import claim_lane, organisations, settlement_items
from chain.contract.claim_calls import ClaimConfirm
from chain.contract.claim_decision import is_bill_consumed
from chain.contract.claim_events import ClaimConfirmed, ClaimNoticed
from chain.contract.claim_status import change_status, close, get_active, get_today, require_claim, require_status, save
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_INSTRUCTED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_REJECTED,
    CLAIM_SETTLED,
    BillTagRecord,
    ClaimRecord,
)
from chain.contract.context import Context, apply_items
from chain.contract.settlement_tables import ITEM_AID, PERIOD, PERIOD_NOTICE, PERIOD_STATUS_NAMES, ItemRecord
from chain.contract.tables import POOL
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay

NOTICE_CLAIMS_MAX = 5_000
"""Claims of one notice, so that the settlement's record stays in its bound; the rest waits for the next."""
_CONFIRMED_BEFORE = (CLAIM_CONFIRMED, CLAIM_SETTLED, CLAIM_INSTRUCTED, CLAIM_PAID, CLAIM_PAY_FAILED)


def open_notice(state: Overlay, context: Context, plan: str, pool: int, period: int, day: int) -> tuple[bytes, ...]:
    """Fix the list of a period and return it: the ids of its claims, all NOTICED.

    A claim one of whose bills another confirmed claim has consumed in the meantime is REJECTED instead
    (reason bill_consumed): it could never be confirmed. `due_day` becomes the first day on which a claim may
    be confirmed, after `notice_full_days_min` full days in public.
    """
    pool_version = state.require(POOL, plan, pool).version
    days_min = organisations.get_terms(state, plan, pool_version).pool.notice_full_days_min
    noticed: list[bytes] = []
    for claim_id in _list_unconfirmed(state, plan, pool, period):
        _notice(state, context, claim_id, noticed, period=period, first_day=day + days_min)
    lane = claim_lane.LANE_NOTICE + pool
    while len(noticed) < NOTICE_CLAIMS_MAX:
        approved_id = claim_lane.get_first(state, plan, lane)
        if approved_id is None:
            break
        claim_lane.pop(state, plan, lane)
        _notice(state, context, approved_id, noticed, period=period, first_day=day + days_min)
    return tuple(noticed)


def apply_claim_confirm(state: Overlay, context: Context, call: ClaimConfirm) -> tuple[int, ...]:
    """Confirm noticed claims; each becomes an item of its period's settlement and consumes its bills.

    Refused as a whole: wrong_role for anybody but an auditor. Refused item by item: claim_unknown,
    claim_state, period_state (its period is charged already: it waits for the next notice), not_your_turn
    (the period has another auditor), decider_confirms (the auditor decided it or holds a seat on it),
    notice_not_over, bill_consumed; already where it was confirmed before.
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


def _notice(
    state: Overlay, context: Context, claim_id: bytes, noticed: list[bytes], *, period: int, first_day: int
) -> None:
    claim = state.require(CLAIM, claim_id)
    if claim.status not in (CLAIM_APPROVED, CLAIM_NOTICED):
        return
    if is_bill_consumed(state, claim_id, claim):
        close(state, context, claim_id, claim, CLAIM_REJECTED, get_entry("bill_consumed").number)
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
    if organisations.get_confirmer(state, claim.period) != auditor:
        raise Refusal("not_your_turn", period=claim.period)
    if auditor == claim.decided_by or any(firm.organisation == auditor for firm in get_active(claim)):
        raise Refusal("decider_confirms", organisation=auditor)
    if get_today(state, context, claim) < claim.due_day:
        raise Refusal("notice_not_over", first_day=claim.due_day)
    if is_bill_consumed(state, claim_id, claim):
        raise Refusal("bill_consumed", claim=claim_id.hex())
    for tag in claim.bill_tags:
        state.put(BILL_TAG, BillTagRecord(claim=claim_id, is_consumed=True), claim.plan, tag)
    context.emit(ClaimConfirmed(claim=claim_id, organisation=auditor, period=claim.period))
    save(state, claim_id, change_status(context, claim_id, claim, CLAIM_CONFIRMED))
    settlement_items.add_item(state, context, _build_item(state, claim_id, claim), claim.plan, claim.pool)
    return SUCCESS


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
