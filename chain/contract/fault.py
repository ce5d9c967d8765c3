"""What no call asked for and fails is undone, and never stops the chain (contract 3.7): an automatic event pauses its
plan, the effect of a proposal fails with it (governance_schedule.py).

The code is a function of the state alone, so whatever it raises, every node raises: all of them undo the same act and
pause the same plan. Let through, the exception would make each candidate block invalid, for ever. What only this
machine lacks (a readable disk, memory, stack) is let through, because the other nodes do not see it.
"""

from collections.abc import Callable

from chain.catalogue import FAULT, SUCCESS
from chain.contract.context import Context
from chain.contract.events import AutomaticFault, PlanStatusChanged
from chain.contract.invariants import check_transaction
from chain.contract.plan_stops import BY_FAULT, note_pause
from chain.contract.tables import PLAN, PLAN_ACTIVE, PLAN_PAUSED, PLAN_WIND_DOWN
from chain.errors import Refusal, StoreError
from chain.state import Overlay


def attempt(state: Overlay, context: Context, act: Callable[[], None]) -> int:
    """Run what no call asked for; where it fails in any way, undo it. Return SUCCESS, a refusal's code, or FAULT.

    The sum trees must be flushed before: the undo list does not reach behind a flush (`Overlay.tree`). Raises
    StoreError, MemoryError and RecursionError: they are this machine's, and it must stop rather than differ.
    """
    mark = state.savepoint()
    events = len(context.events)
    try:
        act()
        check_transaction(state, mark)
    except (StoreError, MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - a mistake of ours must cost one act, not the chain its life
        state.rollback(mark)
        del context.events[events:]
        return error.entry.number if isinstance(error, Refusal) else FAULT
    return SUCCESS


def run_guarded(state: Overlay, context: Context, *, plan: str, day: int, stage: int, act: Callable[[], None]) -> bool:
    """Run one automatic event as `attempt` does; where it fails, pause the plan and return False.

    A `Refusal` is a failure too: no call asked for this, so nobody else can be at fault.
    """
    if attempt(state, context, act) == SUCCESS:
        return True
    pause_after_fault(state, context, plan=plan, day=day, stage=stage)
    return False


def pause_after_fault(state: Overlay, context: Context, *, plan: str, day: int, stage: int) -> None:
    """Pause a plan from this day on, for as long as any pause lasts."""
    record = state.require(PLAN, plan)
    context.emit(AutomaticFault(plan=plan, day=day, stage=stage))
    if record.status in (PLAN_ACTIVE, PLAN_WIND_DOWN):
        note_pause(state, plan, record, by=BY_FAULT, reason_hash=None, day=day)
        context.emit(PlanStatusChanged(plan=plan, status=PLAN_PAUSED, day=day))
