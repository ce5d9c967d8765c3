"""Deadlines of claims and appeals, in the order in which their kinds run (contract 3.1)."""

from collections.abc import Callable
from typing import Final

from tests.model import appeals, assessors, decisions, governance, objections, reaudit
from tests.model.book import Book
from tests.model.records import Timer


def end_appeal_window(book: Book, timer: Timer) -> None:
    """Let a decision be final that nobody appealed."""
    case = book.claims[timer.subject].case
    if case.timer is timer:
        case.timer = None


KINDS: Final[dict[str, Callable[[Book, Timer], None]]] = {
    "accept": assessors.on_silence,
    "commit": assessors.on_silence,
    "reveal": assessors.on_silence,
    "decision": decisions.on_silence,
    "objection": objections.on_silence,
    "recheck_report": objections.on_report_due,
    "recheck_end": objections.on_end_due,
    "reaudit": reaudit.on_silence,
    "seats": governance.vacate_seats,
    "appeal_window": end_appeal_window,
    "appeal_wait": appeals.on_wait,
    "ballot_commit": appeals.on_sealed,
    "ballot_reveal": appeals.on_opened,
    "appeal_panel": appeals.on_panel_silence,
}
