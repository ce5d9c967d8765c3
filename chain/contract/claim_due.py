"""Deadlines of claims (kinds 50 to 99): what follows when somebody stays silent (see claim_status.py)."""

from chain.contract import claim_draw
from chain.contract.claim_decision import escalate
from chain.contract.claim_status import DUE_ACCEPT, DUE_COMMIT, DUE_DECISION, DUE_REVEAL, get_today
from chain.contract.claim_tables import CLAIM
from chain.contract.context import Context
from chain.errors import InvariantViolation
from chain.state import Overlay


def on_due(state: Overlay, context: Context, plan: str, kind: int, due_id: bytes, day: int) -> None:
    """Act on a deadline that ended; `day` is the nominal day under which it was noted.

    An entry whose claim has moved on since, or has a later deadline by now, is stale and does nothing.
    """
    claim = state.require(CLAIM, due_id)
    if claim.plan != plan:
        raise InvariantViolation(f"a deadline of {plan} names a claim of {claim.plan}")
    if claim.due_kind != kind or claim.due_day != day:
        return
    if kind in (DUE_ACCEPT, DUE_COMMIT, DUE_REVEAL):
        claim_draw.replace_silent(state, context, due_id, claim)
    elif kind == DUE_DECISION:
        escalate(state, context, due_id, claim, get_today(state, context, claim))
    else:
        raise InvariantViolation(f"no deadline of claims has the kind {kind}")
