"""Stopping a plan for some days: who may, for how long, and what follows (contract 3.1, 5 *pause / resume*).

    ACTIVE | WIND_DOWN --bank or an auditor, alone--> PAUSED --7 days, or signatures and the next 0:00--> as before
                       --custody broken-------------> FROZEN --reconciled, and the next 0:00------------> as before

A pause protects from the block in which it is signed; it always ends at a 0:00, so that what fell due meanwhile runs in
its order on the day of resuming. A day counts as stopped if its end found the plan stopped: only such days move
deadlines (ADR 0016). While it is frozen, a pause runs on below: when the freeze ends, what is left of it holds.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.events import PlanStatusChanged
from chain.contract.halves import Party, cosign
from chain.contract.organisations import get_today, require_plan
from chain.contract.plan_calls import Pause, Resume
from chain.contract.plan_events import PlanPaused, PlanResumed
from chain.contract.tables import (
    PLAN,
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLAN_WIND_DOWN,
    SIGNER,
    PlanRecord,
)
from chain.contract.version_tables import PAUSE, PAUSER, PauseRecord, PauserRecord
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay

PAUSE_DAYS_MAX: Final = 7
"""A pause ends by itself."""
PAUSE_AGAIN_DAYS: Final = 30
"""The same organisation may not pause again before so many days after its last pause began."""
BY_VOTE: Final = "vote"
BY_FAULT: Final = "fault"
_RUNNING: Final = (PLAN_ACTIVE, PLAN_WIND_DOWN)


# --- calls ---


def apply_pause(state: Overlay, context: Context, call: Pause) -> tuple[int, ...]:
    """Stop a plan at once, for seven days at most.

    Refused: wrong_role for anybody but bank and auditors; plan_unknown; already while it is paused; plan_not_active
    while it is frozen, or after its end; pause_too_soon.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_CUSTODIAN, ROLE_AUDITOR):
        raise Refusal("wrong_role")
    plan = require_plan(state, call.plan)
    today = get_today(context, plan)
    last = state.get(PAUSER, call.plan, signer.organisation)
    _require_running(call.plan, plan)
    if last is not None and today < last.day + PAUSE_AGAIN_DAYS:
        raise Refusal("pause_too_soon", last_day=last.day, today=today)
    state.put(PAUSER, PauserRecord(day=today), call.plan, signer.organisation)
    begin_pause(state, context, call.plan, by=signer.organisation, reason_hash=call.reason_hash)
    return ()


def apply_resume(state: Overlay, context: Context, call: Resume) -> tuple[int, ...]:
    """End a pause at the next 0:00, once platform, auditor and bank have signed.

    Refused: wrong_role; plan_unknown; plan_not_paused (also below a freeze, and after another pause has begun); already
    once it ends at the next 0:00 anyway.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR):
        raise Refusal("wrong_role")
    plan = require_plan(state, call.plan)
    _require_pause(state, call.plan, plan, today=get_today(context, plan), paused_day=call.paused_day)
    parties = (Party(role=ROLE_PLATFORM), Party(role=ROLE_AUDITOR), Party(role=ROLE_CUSTODIAN))
    if cosign(state, context, plan=call.plan, call=call, parties=parties) is not None:
        end_pause(state, context, call.plan)
    return ()


# --- for votes and faults ---


def begin_pause(state: Overlay, context: Context, plan: str, *, by: str, reason_hash: bytes) -> None:
    """Pause a plan from now on; `by` is the organisation or BY_VOTE.

    Raises plan_unknown, already while it is paused, plan_not_active while it is frozen or after its end.
    """
    record = require_plan(state, plan)
    _require_running(plan, record)
    today = get_today(context, record)
    until_day = today + PAUSE_DAYS_MAX
    note_pause(state, plan, record, by=by, reason_hash=reason_hash, day=today)
    context.emit(PlanPaused(plan=plan, organisation=by, reason_hash=reason_hash, until_day=until_day))
    context.emit(PlanStatusChanged(plan=plan, status=PLAN_PAUSED, day=today))


def note_pause(state: Overlay, plan: str, record: PlanRecord, *, by: str, reason_hash: bytes | None, day: int) -> None:
    """Write that a running plan is paused from a day on, by whomever."""
    pause = PauseRecord(by=by, reason_hash=reason_hash, since_day=day, until_day=day + PAUSE_DAYS_MAX)
    state.put(PAUSE, pause, plan)
    state.put(PLAN, replace(record, status=PLAN_PAUSED, since_day=day), plan)


def end_pause(state: Overlay, context: Context, plan: str) -> None:
    """Let a pause end at the next 0:00; raise plan_unknown, plan_not_paused, or already where it ends then anyway."""
    record = require_plan(state, plan)
    today = get_today(context, record)
    pause = _require_pause(state, plan, record, today=today, paused_day=None)
    state.put(PAUSE, replace(pause, until_day=today + 1), plan)
    context.emit(PlanResumed(plan=plan, until_day=today + 1))


def _require_running(name: str, plan: PlanRecord) -> None:
    if plan.status == PLAN_PAUSED:
        raise Refusal("already")
    if plan.status not in _RUNNING:
        raise Refusal("plan_not_active", plan=name)


def _require_pause(state: Overlay, name: str, plan: PlanRecord, *, today: int, paused_day: int | None) -> PauseRecord:
    """Return the pause that runs; with `paused_day` it must be the one that began then."""
    pause = state.get(PAUSE, name)
    if plan.status != PLAN_PAUSED or pause is None or (paused_day is not None and pause.since_day != paused_day):
        raise Refusal("plan_not_paused", plan=name)
    if pause.until_day <= today + 1:
        raise Refusal("already")
    return pause


# --- at 0:00 ---


def count_stopped_day(state: Overlay, plan: str, day: int) -> None:
    """Count the day before if its end found the plan stopped; what begins at 0:00 of `day` does not count it."""
    record = state.require(PLAN, plan)
    was_stopped = record.status in (PLAN_PAUSED, PLAN_FROZEN)
    # A pause of today, signed before the events of 0:00 had all run, has not seen a day end yet.
    if was_stopped and record.since_day < day:
        state.put(PLAN, replace(record, stopped_days=record.stopped_days + 1), plan)


def run_stops(state: Overlay, context: Context, plan: str, day: int, *, is_broken: bool) -> None:
    """End and begin stops at 0:00 of a day.

    `is_broken`: custody does not stand, so the plan is frozen for this day. An ended plan is never stopped.
    """
    record = state.require(PLAN, plan)
    if record.status == PLAN_ENDED:
        return
    status = _get_status(state, plan, record, day, is_broken=is_broken)
    if status != record.status:
        state.put(PLAN, replace(record, status=status, since_day=day), plan)
        context.emit(PlanStatusChanged(plan=plan, status=status, day=day))


def _get_status(state: Overlay, plan: str, record: PlanRecord, day: int, *, is_broken: bool) -> int:
    pause = state.get(PAUSE, plan)
    if pause is not None and day >= pause.until_day:
        state.delete(PAUSE, plan)
        pause = None
    if is_broken:
        return PLAN_FROZEN
    if pause is not None:
        return PLAN_PAUSED
    return PLAN_WIND_DOWN if record.wind_day else PLAN_ACTIVE
