"""Deadlines of rule versions and of the claims that the end of a plan waits for (due.py, kinds 40 to 49)."""

from typing import Final

from chain.contract.claim_open import on_claim_over_due
from chain.contract.context import Context
from chain.contract.due import DUE_CLAIM_OVER, DUE_VERSION
from chain.contract.rules_version import on_version_due
from chain.state import Overlay

PLAN_KINDS: Final = (DUE_VERSION, DUE_CLAIM_OVER)


def on_plan_due(state: Overlay, context: Context, plan: str, kind: int, due_id: bytes, set_for: int) -> None:
    """Run one deadline; `set_for` is the day that it was set for."""
    if kind == DUE_VERSION:
        on_version_due(state, context, plan, due_id, set_for)
    else:
        on_claim_over_due(state, due_id)
