"""What the consortium decides about a plan: its stops, its end, its rules and its custody account (contract 5)."""

from chain.contract.context import Context
from chain.contract.custody_move import apply_move_custody, validate_move_custody
from chain.contract.governance_calls import EndPlan, MoveCustody, PublishRules, ResumePlan, StopPlan
from chain.contract.organisations import is_winding_down, require_plan
from chain.contract.plan_stops import BY_VOTE, begin_pause, end_pause
from chain.contract.rules_version import require_version, resume_version, stop_version
from chain.contract.tables import PLAN_ENDED, PLAN_PAUSED
from chain.contract.version_tables import VERSION_DISCLOSED, VERSION_STOPPED
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.errors import Refusal
from chain.state import Overlay

PlanOrder = MoveCustody | EndPlan | StopPlan | ResumePlan | PublishRules
"""Payloads that act on a plan: they take effect after the plan's own events of the block."""


def validate_plan_order(state: Overlay, context: Context, order: PlanOrder) -> None:
    """Raise `Refusal` where this cannot be done to the plan as it is now.

    plan_unknown, plan_not_active (ended), already (it winds down, or is paused), plan_not_paused,
    rules_version_unknown, version_state, and what forbids the move of an account.
    """
    plan = require_plan(state, order.plan)
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=order.plan)
    match order:
        case MoveCustody():
            validate_move_custody(state, context, order)
        case EndPlan():
            if is_winding_down(plan):
                raise Refusal("already")
        case StopPlan():
            if plan.status == PLAN_PAUSED:
                raise Refusal("already")
        case ResumePlan():
            if plan.status != PLAN_PAUSED:
                raise Refusal("plan_not_paused", plan=order.plan)
        case PublishRules():
            wanted = VERSION_DISCLOSED if order.is_stopped else VERSION_STOPPED
            if require_version(state, order.plan, order.version).status != wanted:
                raise Refusal("version_state", version=order.version)


def apply_plan_order(state: Overlay, context: Context, order: PlanOrder, reason_hash: bytes) -> None:
    """Carry out what was decided about a plan; raise `Refusal` where it has become impossible."""
    match order:
        case MoveCustody():
            apply_move_custody(state, context, order)
        case EndPlan():
            if is_winding_down(require_plan(state, order.plan)):
                raise Refusal("already")
            begin_wind_down(state, context, order.plan, cause=CAUSE_VOTE, by=BY_VOTE, reason_hash=reason_hash)
        case StopPlan():
            begin_pause(state, context, order.plan, by=BY_VOTE, reason_hash=reason_hash)
        case ResumePlan():
            end_pause(state, context, order.plan)
        case PublishRules():
            if order.is_stopped:
                stop_version(state, context, order.plan, order.version)
            else:
                resume_version(state, context, order.plan, order.version)
