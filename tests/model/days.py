"""What happens by itself at 0:00, in the order of contract 3.1."""

from collections.abc import Callable

from tests.model import (
    accounts,
    admission,
    appeals,
    assessors,
    claim_money,
    claims_due,
    deposits,
    entry,
    epochs,
    erasures,
    ghosts,
    halves,
    hearings,
    keys,
    settle,
    statements,
    stops,
    versions,
    wind,
)
from tests.model.book import Book
from tests.model.records import Timer

RULES: dict[str, Callable[[Book, Timer], None]] = {"version": versions.activate}
KINDS: dict[str, Callable[[Book, Timer], None]] = {
    "application": admission.expire_application,
    "admission": admission.expire_admission,
    "half": halves.expire,
    "rekey": keys.end_veto,
    "hand_over": keys.end_hand_over,
    "majority": keys.come_of_age,
    "retry": accounts.retry,
    "account_change": accounts.expire_wish,
    "void": hearings.on_silence,
    "erasure": erasures.ask_again,
    "epoch": epochs.look,
    "ghost": ghosts.miss,
    "resolution": statements.take_effect,
    "claim_over": claim_money.wait_over,
    **claims_due.KINDS,
}
"""Deadlines in the order in which their kinds run."""
RETURNS: dict[str, Callable[[Book, Timer], None]] = {"return": deposits.return_due}
DATES = ("majority", "resolution")
"""Days on which the plan is stopped do not move these."""


def begin_day(book: Book) -> None:
    """Go to the next day and run what falls due."""
    book.day += 1
    was_stopped = book.is_stopped
    stops.run_stops(book)
    note_cover(book)
    due = count_down(book, was_stopped)
    run_timers(book, due, RULES)
    run_timers(book, due, KINDS)
    admission.run_age_out(book)
    entry.end_waiting(book)
    wind.run(book)
    for pool in book.pools:
        settle.run_notice(book, pool)
    for pool in book.pools:
        settle.run_settlement(book, pool)
    for pool in book.pools:
        entry.run_drain(book, pool)
    assessors.run_draws(book)
    appeals.run_draws(book)
    run_timers(book, due, RETURNS)


def count_down(book: Book, was_stopped: bool) -> list[Timer]:
    """Count a day of everything that waits, unless its end found the plan stopped; return what is over."""
    for timer in book.timers:
        timer.days_left -= 0 if was_stopped and timer.kind not in DATES else 1
    if not was_stopped:
        book.run_off += 1 if book.is_winding and book.wind_day < book.day else 0
        for pool in book.pools:
            for period in [*pool.periods, *pool.batches.values()]:
                period.waited += 1 if period.status == "computed" else 0
    due = [timer for timer in book.timers if timer.days_left <= 0]
    book.timers = [timer for timer in book.timers if timer.days_left > 0]
    return sorted(due, key=lambda timer: timer.order)


def run_timers(book: Book, due: list[Timer], kinds: dict[str, Callable[[Book, Timer], None]]) -> None:
    """Run what is over, kind by kind."""
    for kind, run in kinds.items():
        for timer in due:
            if timer.kind == kind:
                run(book, timer)


def note_cover(book: Book) -> None:
    """Note who is covered today: it is decided at 0:00."""
    for member in book.members.values():
        if member.is_paying:
            if book.day >= member.cover_from:
                member.covered.add(book.day)
            if book.day >= member.accident_from:
                member.covered_accident.add(book.day)
