"""The queue of appeals that wait for a draw, in the order of asking (appeal_tables.AppealLaneRecord)."""

from msgspec.structs import replace

from chain.contract.appeal_tables import (
    APPEAL,
    APPEAL_DRAW,
    APPEAL_LANE,
    APPEAL_TICKET,
    AppealLaneRecord,
    AppealRecord,
    AppealTicketRecord,
)
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.organisations import get_today, require_plan
from chain.state import Overlay

_EMPTY = AppealLaneRecord(head=0, tail=0)


def ask_draw(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Write an appeal that waits for a jury or a panel, and put it at the end of the lane.

    The draw uses what nobody knew in this block (beacon.py).
    """
    record = replace(record, status=APPEAL_DRAW, asked_height=context.height, due_day=0, due_kind=0)
    state.put(APPEAL, record, case_id)
    lane = state.get(APPEAL_LANE, record.plan) or _EMPTY
    state.put(APPEAL_TICKET, AppealTicketRecord(case=case_id), record.plan, lane.tail)
    state.put(APPEAL_LANE, replace(lane, tail=lane.tail + 1), record.plan)


def get_first(state: Overlay, plan: str) -> bytes | None:
    """Return the appeal at the head of the lane, or None where it is empty."""
    lane = state.get(APPEAL_LANE, plan) or _EMPTY
    return None if lane.head == lane.tail else state.require(APPEAL_TICKET, plan, lane.head).case


def pop(state: Overlay, plan: str) -> None:
    """Take away the head of a lane that is not empty."""
    lane = state.require(APPEAL_LANE, plan)
    state.delete(APPEAL_TICKET, plan, lane.head)
    state.put(APPEAL_LANE, replace(lane, head=lane.head + 1), plan)


def set_due(
    state: Overlay, context: Context, case_id: bytes, record: AppealRecord, *, kind: int, days: int
) -> AppealRecord:
    """Write an appeal with a deadline `days` after today, and return it."""
    plan = require_plan(state, record.plan)
    day = get_today(context, plan) + days
    add_due(state, record.plan, day, kind, compute_day_start_ms(day, plan.utc_offset_minutes), case_id)
    record = replace(record, due_day=day, due_kind=kind)
    state.put(APPEAL, record, case_id)
    return record
