"""Organisations and their duties: who signs with which key, and which auditor is asked in which period (contract 1)."""

from chain.contract.context import Context, compute_day
from chain.contract.tables import (
    PLAN,
    PLAN_ENDED,
    PLAN_WIND_DOWN,
    ROSTER,
    SIGNER,
    VERSION,
    PlanRecord,
    SignerRecord,
)
from chain.contract.terms import PlanTerms
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_NAMES
from chain.state import Overlay


def require_role(state: Overlay, signer: bytes, role: int) -> SignerRecord:
    """Return the organisation behind a key; raise `wrong_role` unless it has this role."""
    record = state.get(SIGNER, signer)
    if record is None or record.role != role:
        raise Refusal("wrong_role", required=ROLE_NAMES[role])
    return record


def require_plan(state: Overlay, plan: str) -> PlanRecord:
    """Return a plan; raise `plan_unknown`."""
    record = state.get(PLAN, plan)
    if record is None:
        raise Refusal("plan_unknown", plan=plan)
    return record


def is_winding_down(plan: PlanRecord) -> bool:
    """Tell whether a plan's end has begun, also while it is paused or frozen for some days on the way."""
    return plan.wind_day > 0 or plan.status in (PLAN_WIND_DOWN, PLAN_ENDED)


def get_terms(state: Overlay, plan: str, version: int) -> PlanTerms:
    """Return the terms of a rule version that is known to exist."""
    return state.require(VERSION, plan, version).terms


def get_today(context: Context, plan: PlanRecord) -> int:
    """Return the plan day of the context: of the block, or the due day of an automatic event (contract 3.1)."""
    return compute_day(context.timestamp_ms, plan.utc_offset_minutes)


def get_auditors(state: Overlay) -> tuple[str, ...]:
    """Return the names of the auditors in genesis order."""
    names = state.require(ROSTER, ROLE_AUDITOR).names
    if len(names) < 2:
        raise InvariantViolation("fewer than two auditors")
    return names


def get_confirmer(state: Overlay, period: int) -> str:
    """Return the auditor that confirms the notices of a period: k mod m."""
    names = get_auditors(state)
    return names[period % len(names)]


def get_cosigner(state: Overlay, period: int) -> str:
    """Return the auditor that co-signs the batch of a period: (k + 1) mod m."""
    names = get_auditors(state)
    return names[(period + 1) % len(names)]
