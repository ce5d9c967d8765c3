"""Draining the queue of a window after its settlement: exits first, at the new index (contract 3.5 *window*)."""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.events import WindowClosed
from chain.contract.fault import run_guarded
from chain.contract.pool_move import finish_entry, run_move
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.tables import ACT_ENTER, ACT_MOVE, PLAN_FROZEN, PLAN_PAUSED, POOL, QUEUE, PoolRecord, QueueRecord
from chain.contract.window import LANE_ENTRIES, LANE_EXITS, run_queued
from chain.state import Overlay

_STOPPED: Final = (PLAN_PAUSED, PLAN_FROZEN)


def is_drained(pool: PoolRecord) -> bool:
    """Tell whether nothing waits and no window is open: only then may the next notice open."""
    return not pool.is_window and _count_waiting(pool) == 0


def _count_waiting(pool: PoolRecord) -> int:
    exits, entries = pool.queue_exits, pool.queue_entries
    return exits[1] - exits[0] + entries[1] - entries[0]


def drain_queue(state: Overlay, context: Context, *, plan: str, number: int, budget: int, stage: int) -> int:
    """Run up to `budget` waiting acts of a pool, and close the window behind the last; return how many ran.

    Before the settlement of an open window, and while the plan is stopped, nothing runs.
    """
    used = 0
    while True:
        pool = state.require(POOL, plan, number)
        waiting = _count_waiting(pool)
        if (waiting == 0 and not pool.is_window) or (pool.is_window and pool.settlements == pool.period):
            return used
        book = open_book(state, context, plan, number)
        if book.plan_record.status in _STOPPED:
            return used
        if waiting == 0:
            _close_window(state, context, book)
            return used
        if used >= budget or not _run_next(state, context, book, stage=stage):
            return used
        used += 1


def _run_next(state: Overlay, context: Context, book: PoolBook, *, stage: int) -> bool:
    """Take the next act off the queue and run it; return False where it broke an invariant and stays."""

    def act() -> None:
        pool = book.pool
        head, tail = pool.queue_exits
        lane = LANE_EXITS
        if head == tail:
            lane = LANE_ENTRIES
            head, tail = pool.queue_entries
            book.pool = replace(pool, queue_entries=(head + 1, tail))
        else:
            book.pool = replace(pool, queue_exits=(head + 1, tail))
        entry = state.require(QUEUE, book.plan, book.number, lane, head)
        state.delete(QUEUE, book.plan, book.number, lane, head)
        _run_entry(state, context, book, entry)
        save_book(state, book)

    return run_guarded(state, context, plan=book.plan, day=book.today, stage=stage, act=act)


def _run_entry(state: Overlay, context: Context, book: PoolBook, entry: QueueRecord) -> None:
    if entry.act == ACT_MOVE:
        run_move(state, context, book, entry.member)
        return
    run_queued(state, context, book, entry)
    if entry.act == ACT_ENTER:
        finish_entry(state, book, entry.member)


def _close_window(state: Overlay, context: Context, book: PoolBook) -> None:
    period = book.pool.period
    book.pool = replace(book.pool, is_window=False, period=book.pool.settlements)
    save_book(state, book)
    context.emit(WindowClosed(plan=book.plan, pool=book.number, period=period))
