"""Deadlines of claims (kinds 50 to 79): what follows when somebody stays silent (see claim_status.py)."""

from chain.contract import claim_draw, claim_objection, claim_reaudit, claim_recheck, organisations
from chain.contract.claim_decision import escalate
from chain.contract.claim_status import (
    DUE_ACCEPT,
    DUE_COMMIT,
    DUE_DECISION,
    DUE_OBJECTION,
    DUE_REAUDIT,
    DUE_RECHECK_END,
    DUE_RECHECK_REPORT,
    DUE_REVEAL,
    DUE_SEATS,
    get_today,
)
from chain.contract.claim_tables import CLAIM
from chain.contract.context import Context
from chain.contract.tables import PLAN
from chain.errors import InvariantViolation
from chain.state import Overlay


def on_due(state: Overlay, context: Context, plan: str, kind: int, due_id: bytes, day: int) -> None:
    """Act on a deadline that ended; `day` is the nominal day under which it was noted.

    An entry whose claim has moved on since, or has a later deadline by now, is stale and does nothing. The id is that
    of a claim, of an objection, or the name of an organisation that left.
    """
    if kind == DUE_SEATS:
        today = organisations.get_today(context, state.require(PLAN, plan))
        claim_draw.on_seats_due(state, context, plan, due_id.decode("ascii"), today)
    elif kind == DUE_OBJECTION:
        claim_objection.on_ruling_due(state, context, due_id, day)
    else:
        _on_claim_due(state, context, plan, kind, due_id, day)


def _on_claim_due(state: Overlay, context: Context, plan: str, kind: int, due_id: bytes, day: int) -> None:
    claim = state.require(CLAIM, due_id)
    if claim.plan != plan:
        raise InvariantViolation(f"a deadline of {plan} names a claim of {claim.plan}")
    if kind == DUE_RECHECK_REPORT:
        claim_recheck.on_report_due(state, context, due_id, claim, day)
    elif kind == DUE_RECHECK_END:
        claim_recheck.on_end_due(state, context, due_id, claim, day)
    elif kind == DUE_REAUDIT:
        claim_reaudit.on_due(state, context, due_id, claim, day)
    elif claim.due_kind != kind or claim.due_day != day:
        return
    elif kind in (DUE_ACCEPT, DUE_COMMIT, DUE_REVEAL):
        claim_draw.replace_silent(state, context, due_id, claim)
    elif kind == DUE_DECISION:
        escalate(state, context, due_id, claim, get_today(state, context, claim))
    else:
        raise InvariantViolation(f"no deadline of claims has the kind {kind}")
