"""Dispatch: each call to its life cycle, and what becomes of a transaction as a whole (contract 3.7, 5).

refused as a whole  -> rolled back, the refusal's number
broken invariant    -> rolled back, `fault`
batch               -> success if any item succeeded, else `already` if any was, else `items_refused`
"""

from typing import assert_never

from msgspec import Struct

from chain.catalogue import FAULT, SUCCESS, get_entry
from chain.contract.appeal_rules import apply_appeal_call
from chain.contract.calls import (
    AppealCall,
    Call,
    ClaimCall,
    GovernanceCall,
    MemberCall,
    MemberKeyCall,
    MoneyCall,
    PersonCall,
    PlanCall,
    ReviewCall,
)
from chain.contract.claim_rules import apply_claim_call, apply_review_call
from chain.contract.context import Context
from chain.contract.governance_rules import apply_governance_call
from chain.contract.invariants import check_transaction
from chain.contract.member_key_rules import apply_member_key_call
from chain.contract.member_rules import apply_member_call
from chain.contract.money_rules import apply_money_call
from chain.contract.person_rules import apply_person_call
from chain.contract.plan_rules import apply_plan_call
from chain.errors import InvariantViolation, Refusal
from chain.state import Overlay

_ALREADY = get_entry("already").number
_ITEMS_REFUSED = get_entry("items_refused").number


class Outcome(Struct, frozen=True):
    """What became of one transaction."""

    number: int
    """Catalogue number; 0 success."""
    items: tuple[int, ...]
    """Catalogue numbers of the items of a batch, in order."""


def execute_call(state: Overlay, context: Context, call: Call) -> Outcome:
    """Run one call whole or not at all; any other exception than a refusal or a broken invariant propagates."""
    mark = state.savepoint()
    events = len(context.events)
    try:
        items = apply_call(state, context, call)
        check_transaction(state, mark)
    except Refusal as refusal:
        number = refusal.entry.number
    except InvariantViolation:
        number = FAULT
    else:
        return Outcome(number=compute_batch_outcome(items), items=items)
    state.rollback(mark)
    del context.events[events:]
    return Outcome(number=number, items=())


def compute_batch_outcome(items: tuple[int, ...]) -> int:
    """Return the outcome of a batch as a whole from those of its items; success for a call without items."""
    if not items or SUCCESS in items:
        return SUCCESS
    return _ALREADY if _ALREADY in items else _ITEMS_REFUSED


def apply_call(state: Overlay, context: Context, call: Call) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    if isinstance(call, MoneyCall):
        return apply_money_call(state, context, call)
    if isinstance(call, MemberCall):
        return apply_member_call(state, context, call)
    if isinstance(call, MemberKeyCall):
        return apply_member_key_call(state, context, call)
    if isinstance(call, AppealCall):
        return apply_appeal_call(state, context, call)
    if isinstance(call, PersonCall):
        return apply_person_call(state, context, call)
    if isinstance(call, ClaimCall):
        return apply_claim_call(state, context, call)
    if isinstance(call, ReviewCall):
        return apply_review_call(state, context, call)
    if isinstance(call, PlanCall):
        return apply_plan_call(state, context, call)
    if isinstance(call, GovernanceCall):
        return apply_governance_call(state, context, call)
    assert_never(call)
