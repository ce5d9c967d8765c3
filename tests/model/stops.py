"""Stopping a plan: a pause for some days, a freeze while bank and chain disagree (contract 2, 3.1; ADR 0016, 0017)."""

from chain.contract.plan_calls import Pause, Resume
from tests.model import wind
from tests.model.book import Book
from tests.model.halves import cosign
from tests.model.statements import find_oldest_open

PAUSE_DAYS = 7
AGAIN_DAYS = 30
STATEMENT_DAYS = 12
END_DAYS = 60


def pause(book: Book, signer: bytes, call: Pause) -> set[str]:
    """Stop a plan at once, by the bank or an auditor alone."""
    name, role = book.organisations.get(signer, ("", ""))
    if role not in ("custodian", "auditor"):
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    problems = set()
    if book.status == "paused":
        problems.add("already")
    elif book.status not in ("active", "wind_down"):
        problems.add("plan_not_active")
    if name in book.pausers and book.day < book.pausers[name] + AGAIN_DAYS:
        problems.add("pause_too_soon")
    if not problems:
        book.pausers[name] = book.day
        begin_pause(book)
    return problems


def begin_pause(book: Book) -> None:
    """Pause from now on."""
    book.pause = (book.day, book.day + PAUSE_DAYS)
    book.status = "paused"


def resume(book: Book, signer: bytes, call: Resume) -> set[str]:
    """End a pause at the next 0:00: platform, auditor and bank."""
    if book.role_of(signer) not in ("platform", "auditor", "custodian"):
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    if book.status != "paused" or book.pause is None or book.pause[0] != call.paused_day:
        return {"plan_not_paused"}
    if book.pause[1] <= book.day + 1:
        return {"already"}
    problems, signed = cosign(book, signer, call, "platform", "auditor", "custodian")
    if signed is not None:
        book.pause = (book.pause[0], book.day + 1)
    return problems


def run_stops(book: Book) -> None:
    """End and begin stops at 0:00; custody that stays broken ends the plan instead."""
    if book.status == "ended":
        return
    if not is_broken(book):
        book.broken_since, book.is_waived = 0, False
    else:
        book.broken_since = book.broken_since or book.day
        if not book.is_waived and book.day >= book.broken_since + END_DAYS:
            book.is_waived = True
    if book.is_waived:
        wind.begin(book)
    if book.pause is not None and book.day >= book.pause[1]:
        book.pause = None
    if book.broken_since and not book.is_waived:
        book.status = "frozen"
    elif book.pause is not None:
        book.status = "paused"
    else:
        book.status = "wind_down" if book.is_winding else "active"


def is_broken(book: Book) -> bool:
    """Tell whether bank and chain disagree on any account, or the bank has been silent for too long."""
    for pool in book.pools:
        custody = pool.custody
        is_silent = book.day > custody.closed_day + STATEMENT_DAYS
        is_short = custody.owed > 0 and custody.owed_day <= custody.closed_day
        if is_silent or is_short or find_oldest_open(custody) is not None:
            return True
    return False
