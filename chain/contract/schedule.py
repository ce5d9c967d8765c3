"""What happens by itself: the automatic events of each plan day, in a fixed order of stages (contract 3.1).

Days run one by one, each at its own day, up to the day of the block, before the block's transactions. Deadlines stop
after `drain_max` acts of a plan and go on in the next block: `PlanRecord` holds the day, the stage, and the position
in it. Nothing is run twice and nothing is skipped. The drain of a queue holds up no day: what is left goes on in every
block, and only the next notice waits for it.

    stops, rules, deadlines, age-out, waiting ends, wind-down, notice, settlement, drain, draws, returns, (day done)

Every act is guarded: one that breaks an invariant is undone and pauses the plan (fault.py).
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.contract.admission import on_admission_due, on_age_out_due, on_application_due
from chain.contract.appeal_due import APPEAL_KINDS, on_appeal_due
from chain.contract.claim_draw import run_draws
from chain.contract.claim_due import on_due
from chain.contract.context import Context, compute_day, compute_day_start_ms
from chain.contract.deposit import on_return_due
from chain.contract.drain import drain_queue, is_drained
from chain.contract.due import (
    CLAIM_KIND_MIN,
    DUE_ADMISSION,
    DUE_AGE_OUT,
    DUE_APPLICATION,
    DUE_HALF,
    DUE_RESOLUTION,
    DUE_RETURN,
    DUE_VERSION,
    DUE_WAITING_END,
    KIND_MAX,
    move_due,
    run_due,
)
from chain.contract.fault import run_guarded
from chain.contract.freeze import CustodyState, run_custody_stop
from chain.contract.governance_schedule import run_house_events, run_plan_orders
from chain.contract.halves import on_half_due
from chain.contract.jury import run_jury_draws
from chain.contract.member_due import MEMBER_KINDS, on_member_due
from chain.contract.person_due import PERSON_KINDS, on_person_due
from chain.contract.plan_due import PLAN_KINDS, on_plan_due
from chain.contract.plan_stops import count_stopped_day, run_stops
from chain.contract.resolution import on_resolution_due
from chain.contract.settlement import is_notice_due, is_settlement_due, run_notice, run_settlement
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import (
    PLAN,
    PLAN_ENDED,
    PLAN_FROZEN,
    PLAN_PAUSED,
    PLANS,
    POOL,
    PlanRecord,
)
from chain.contract.wind_down import BY_CONTRACT, begin_wind_down, run_wind_down
from chain.contract.wind_tables import CAUSE_CUSTODY, is_pool_closed
from chain.contract.window import on_waiting_end
from chain.errors import InvariantViolation
from chain.state import Overlay
from chain.types import Millis

STAGE_NAMES: Final = (
    "stops",
    "rules",
    "deadlines",
    "age_out",
    "waiting_ends",
    "wind_down",
    "notice",
    "settlement",
    "drain",
    "draws",
    "returns",
)
(
    STAGE_STOPS,
    STAGE_RULES,
    STAGE_DEADLINES,
    STAGE_AGE_OUT,
    STAGE_WAITING_ENDS,
    STAGE_WIND_DOWN,
    STAGE_NOTICE,
    STAGE_SETTLEMENT,
    STAGE_DRAIN,
    STAGE_DRAWS,
    STAGE_RETURNS,
    STAGE_DONE,
) = range(12)
DAYS_PER_BLOCK_MAX: Final = 31
"""Plan days begun in one block; what lies further ahead runs in the next blocks."""
_STOPPED: Final = (PLAN_PAUSED, PLAN_FROZEN)


class _Run(Struct):
    """One stage of one day of one plan within a block."""

    plan: str
    day: int
    stage: int
    position: int
    budget: int
    """Acts that may still run in this block."""
    drawn: int = 0
    """Claims that left the lane of draws in this block."""
    seats: int = 0
    """Jurors drawn in this block."""


_Done = tuple[int, bool]
"""(position to go on from, whether the stage is over)."""


def run_automatic_events(state: Overlay, context: Context) -> None:
    """Run everything that fell due up to the block's time, for each plan in genesis order."""
    run_house_events(state, context)
    for plan in state.require(PLANS).names:
        _run_plan(state, context, plan)
    run_plan_orders(state, context)


def _run_plan(state: Overlay, context: Context, plan: str) -> None:
    record = state.require(PLAN, plan)
    today = compute_day(context.timestamp_ms, record.utc_offset_minutes)
    budget = context.parameters.drain_max
    if record.day >= today and record.stage == STAGE_DONE:
        run = _Run(plan, today, STAGE_DRAIN, 0, budget)
        _drain_pools(state, context, run)
        if record.wind_day:
            _go_on_winding_down(state, context, run, is_new_day=False)
        return
    days = drawn = seats = 0
    while True:
        record = state.require(PLAN, plan)
        if record.stage == STAGE_DONE:
            if record.day >= today or days == DAYS_PER_BLOCK_MAX:
                return
            days += 1
            record = replace(record, day=record.day + 1, stage=STAGE_STOPS, stage_position=0)
            state.put(PLAN, record, plan)
        run = _Run(plan, record.day, record.stage, record.stage_position, budget, drawn, seats)
        position, is_over = _run_stage(state, _open_day(context, record), run)
        budget, drawn, seats = run.budget, run.drawn, run.seats
        record = state.require(PLAN, plan)
        if not is_over:
            state.put(PLAN, replace(record, stage_position=position), plan)
            return
        state.put(PLAN, replace(record, stage=run.stage + 1, stage_position=0), plan)


def _open_day(context: Context, record: PlanRecord) -> Context:
    """Return the context of the due day: its time is 0:00, its events are those of the block."""
    return Context(
        height=context.height,
        timestamp_ms=Millis(compute_day_start_ms(record.day, record.utc_offset_minutes)),
        parameters=context.parameters,
        tx_id=context.tx_id,
        signer=context.signer,
        faults_max=context.faults_max,
        parent_hash=context.parent_hash,
        events=context.events,
    )


def _run_stage(state: Overlay, context: Context, run: _Run) -> _Done:
    stage = _STAGES.get(run.stage)
    if stage is None:
        raise InvariantViolation(f"plan {run.plan} is at an unknown stage {run.stage}")
    return stage(state, context, run)


# --- stops ---


def _run_stops(state: Overlay, context: Context, run: _Run) -> _Done:
    """End and begin stops at 0:00, and count the day that was stopped; the end of a plan is never stopped again."""
    record = state.require(PLAN, run.plan)
    if record.status == PLAN_ENDED:
        return 0, True
    count_stopped_day(state, run.plan, run.day)
    custody = run_custody_stop(state, context, run.plan, record, run.day)
    if custody is CustodyState.GIVEN_UP:
        begin_wind_down(state, context, run.plan, cause=CAUSE_CUSTODY, by=BY_CONTRACT)
    run_stops(state, context, run.plan, run.day, is_broken=custody is CustodyState.BROKEN)
    return 0, True


# --- deadlines and dates ---

_DEADLINES: Final = ((DUE_APPLICATION, DUE_AGE_OUT - 1), (DUE_RETURN + 1, DUE_VERSION - 1), (DUE_VERSION + 1, KIND_MAX))
"""All but those with a stage of their own: 20 to 29 are dates, 30 are the returns, 40 the versions of the rules."""


def _run_rules(state: Overlay, context: Context, run: _Run) -> _Done:
    return _run_bucket(state, context, run, ((DUE_VERSION, DUE_VERSION),))


def _run_deadlines(state: Overlay, context: Context, run: _Run) -> _Done:
    return _run_bucket(state, context, run, _DEADLINES)


def _run_age_out(state: Overlay, context: Context, run: _Run) -> _Done:
    return _run_bucket(state, context, run, ((DUE_AGE_OUT, DUE_AGE_OUT),))


def _run_waiting_ends(state: Overlay, context: Context, run: _Run) -> _Done:
    return _run_bucket(state, context, run, ((DUE_WAITING_END, DUE_WAITING_END),))


def _run_returns(state: Overlay, context: Context, run: _Run) -> _Done:
    return _run_bucket(state, context, run, ((DUE_RETURN, DUE_RETURN),))


def _run_bucket(state: Overlay, context: Context, run: _Run, kinds: tuple[tuple[int, int], ...]) -> _Done:
    def run_one(kind: int, due_id: bytes, set_for: int) -> None:
        def act() -> None:
            _run_due_entry(state, context, run.plan, kind=kind, due_id=due_id, set_for=set_for)

        if not run_guarded(state, context, plan=run.plan, day=run.day, stage=run.stage, act=act):
            move_due(state, run.plan, day=run.day, kind=kind, due_id=due_id, set_for=set_for)

    position, used, is_over = run_due(
        state,
        run.plan,
        day=run.day,
        kinds=kinds,
        position=run.position,
        budget=run.budget,
        run_one=run_one,
    )
    run.budget -= used
    return position, is_over


def _run_due_entry(state: Overlay, context: Context, plan: str, *, kind: int, due_id: bytes, set_for: int) -> None:
    if kind == DUE_APPLICATION:
        on_application_due(state, context, due_id)
    elif kind == DUE_ADMISSION:
        on_admission_due(state, context, due_id)
    elif kind == DUE_HALF:
        on_half_due(state, context, plan, due_id, set_for)
    elif kind in MEMBER_KINDS:
        on_member_due(state, context, kind, due_id, set_for)
    elif kind in PERSON_KINDS:
        on_person_due(state, context, plan, kind, due_id, set_for)
    elif kind == DUE_AGE_OUT:
        on_age_out_due(state, context, due_id)
    elif kind == DUE_WAITING_END:
        on_waiting_end(state, context, due_id)
    elif kind == DUE_RETURN:
        on_return_due(state, context, plan, due_id)
    elif kind == DUE_RESOLUTION:
        on_resolution_due(state, context, due_id)
    elif kind in PLAN_KINDS:
        on_plan_due(state, context, plan, kind, due_id, set_for)
    elif kind in APPEAL_KINDS:
        on_appeal_due(state, context, kind, due_id, set_for)
    elif kind >= CLAIM_KIND_MIN:
        on_due(state, context, plan, kind, due_id, set_for)
    else:
        raise InvariantViolation(f"a deadline of unknown kind {kind}")


# --- wind-down, notice, settlement, drain ---


def _run_wind_down(state: Overlay, context: Context, run: _Run) -> _Done:
    _go_on_winding_down(state, context, run, is_new_day=True)
    return 0, True


def _go_on_winding_down(state: Overlay, context: Context, run: _Run, *, is_new_day: bool) -> None:
    run.budget -= run_wind_down(
        state, context, run.plan, day=run.day, stage=STAGE_WIND_DOWN, budget=run.budget, is_new_day=is_new_day
    )


def _run_notice(state: Overlay, context: Context, run: _Run) -> _Done:
    """Open the notices that are due; one waits for an empty queue, which is drained first."""
    number = run.position
    while number < state.require(PLAN, run.plan).pools:
        if not _run_notice_of_pool(state, context, run, number):
            return number, False
        number += 1
    return 0, True


def _run_notice_of_pool(state: Overlay, context: Context, run: _Run, number: int) -> bool:
    """Open one pool's notice if it is due; return False where the block's budget is spent."""
    if state.require(PLAN, run.plan).status in _STOPPED or is_pool_closed(state, run.plan, number):
        return True
    pool = state.require(POOL, run.plan, number)
    if not is_notice_due(state.require(PERIOD, run.plan, number, pool.settlements), run.day):
        return True
    if run.budget < 1:
        return False
    _drain_pool(state, context, run, number)
    if not is_drained(state.require(POOL, run.plan, number)):
        # It opens at the first 0:00 with an empty queue.
        return True
    run.budget -= 1
    # Before the guard: the undo list does not reach behind a flush.
    state.tree((run.plan, number))
    run_guarded(
        state,
        context,
        plan=run.plan,
        day=run.day,
        stage=run.stage,
        act=lambda: run_notice(state, context, plan=run.plan, number=number),
    )
    return True


def _run_settlements(state: Overlay, context: Context, run: _Run) -> _Done:
    """Charge the periods that are due, each with every leaf change of before in its tree."""
    number = run.position
    while number < state.require(PLAN, run.plan).pools:
        pool = state.require(POOL, run.plan, number)
        period = state.require(PERIOD, run.plan, number, pool.settlements)
        is_stopped = state.require(PLAN, run.plan).status in _STOPPED
        if is_settlement_due(period, run.day) and not is_stopped:
            if run.budget < 1:
                return number, False
            run.budget -= 1
            _run_settlement_of_pool(state, context, run, number)
        number += 1
    return 0, True


def _run_settlement_of_pool(state: Overlay, context: Context, run: _Run, number: int) -> None:
    # Before the guard: the undo list does not reach behind a flush.
    state.tree((run.plan, number))
    run_guarded(
        state,
        context,
        plan=run.plan,
        day=run.day,
        stage=run.stage,
        act=lambda: run_settlement(state, context, plan=run.plan, number=number),
    )


def _drain_pool(state: Overlay, context: Context, run: _Run, number: int) -> None:
    run.budget -= drain_queue(state, context, plan=run.plan, number=number, budget=run.budget, stage=run.stage)


def _drain_pools(state: Overlay, context: Context, run: _Run) -> None:
    for number in range(state.require(PLAN, run.plan).pools):
        _drain_pool(state, context, run, number)


def _run_drain(state: Overlay, context: Context, run: _Run) -> _Done:
    _drain_pools(state, context, run)
    return 0, True


def _run_draws(state: Overlay, context: Context, run: _Run) -> _Done:
    def act() -> None:
        run.drawn += run_draws(state, context, run.plan, run.day, run.drawn)

    if run.position == 0:
        run_guarded(state, context, plan=run.plan, day=run.day, stage=run.stage, act=act)
    run.seats, is_over = run_jury_draws(state, context, run.plan, day=run.day, stage=run.stage, seats_used=run.seats)
    return 1, is_over


_STAGES: Final[dict[int, Callable[[Overlay, Context, _Run], _Done]]] = {
    STAGE_STOPS: _run_stops,
    STAGE_RULES: _run_rules,
    STAGE_DEADLINES: _run_deadlines,
    STAGE_AGE_OUT: _run_age_out,
    STAGE_WAITING_ENDS: _run_waiting_ends,
    STAGE_WIND_DOWN: _run_wind_down,
    STAGE_NOTICE: _run_notice,
    STAGE_SETTLEMENT: _run_settlements,
    STAGE_DRAIN: _run_drain,
    STAGE_DRAWS: _run_draws,
    STAGE_RETURNS: _run_returns,
}
