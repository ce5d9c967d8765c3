"""Dispatch of the calls on a plan as a whole: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.calls import PlanCall
from chain.contract.context import Context
from chain.contract.payout import apply_batch_sign
from chain.contract.plan_calls import BatchSign, Pause, Resume, RulesPublish, WindDown
from chain.contract.plan_stops import apply_pause, apply_resume
from chain.contract.rules_version import apply_rules_publish
from chain.contract.wind_down import apply_wind_down
from chain.state import Overlay


def apply_plan_call(state: Overlay, context: Context, call: PlanCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case BatchSign():
            return apply_batch_sign(state, context, call)
        case RulesPublish():
            return apply_rules_publish(state, context, call)
        case Pause():
            return apply_pause(state, context, call)
        case Resume():
            return apply_resume(state, context, call)
        case WindDown():
            return apply_wind_down(state, context, call)
        case _:
            assert_never(call)
