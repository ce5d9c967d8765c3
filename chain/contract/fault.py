"""Automatic events that fail are undone and pause the plan; they never stop the chain (contract 3.7).

The code is a function of the state alone, so whatever it raises, every node raises: all of them undo the same act and
pause the same plan. Let through, the exception would make each candidate block invalid, for ever. What only this
machine lacks (a readable disk, memory, stack) is let through, because the other nodes do not see it.
"""

from collections.abc import Callable

from chain.contract.context import Context
from chain.contract.events import AutomaticFault, PlanStatusChanged
from chain.contract.invariants import check_transaction
from chain.contract.plan_stops import BY_FAULT, note_pause
from chain.contract.tables import PLAN, PLAN_ACTIVE, PLAN_PAUSED, PLAN_WIND_DOWN
from chain.errors import StoreError
from chain.state import Overlay


def run_guarded(state: Overlay, context: Context, *, plan: str, day: int, stage: int, act: Callable[[], None]) -> bool:
    """Run one automatic event; where it fails in any way, undo it, pause the plan, and return False.

    A `Refusal` is a failure too: no call asked for this, so nobody else can be at fault. The sum trees must be
    flushed before: the undo list does not reach behind a flush (`Overlay.tree`). Raises StoreError, MemoryError and
    RecursionError: they are this machine's, and it must stop rather than differ.
    """
    mark = state.savepoint()
    events = len(context.events)
    try:
        act()
        check_transaction(state, mark)
    except (StoreError, MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - a mistake of ours must cost one plan some days, not the chain its life
        state.rollback(mark)
        del context.events[events:]
        pause_after_fault(state, context, plan=plan, day=day, stage=stage)
        return False
    return True


def pause_after_fault(state: Overlay, context: Context, *, plan: str, day: int, stage: int) -> None:
    """Pause a plan from this day on, for as long as any pause lasts."""
    record = state.require(PLAN, plan)
    context.emit(AutomaticFault(plan=plan, day=day, stage=stage))
    if record.status in (PLAN_ACTIVE, PLAN_WIND_DOWN):
        note_pause(state, plan, record, by=BY_FAULT, reason_hash=None, day=day)
        context.emit(PlanStatusChanged(plan=plan, status=PLAN_PAUSED, day=day))
