"""Objections to a claim in notice, and the recheck behind one that was admitted (contract 5; ADR 0020)."""

from chain.contract.claim_calls import ObjectionFile, ObjectionRule
from tests.model import assessors, decisions
from tests.model.book import Book, to_date
from tests.model.cases import Objection, Recheck
from tests.model.owners import find_owner_problems
from tests.model.records import Timer

RULING_DAYS = 2
PER_YEAR_MAX, NOTICES_MAX, PENDING_MAX, RECHECKS_MAX = 3, 3, 64, 2
RECHECK_DAYS, REPORT_DAYS, REPORTS_MAX = 30, 10, 2


# --- objecting and ruling ---


def objection_file(book: Book, signer: bytes, tx_id: bytes, call: ObjectionFile) -> set[str]:
    """Object to a claim in the full days of its notice, as a covered member that it does not concern."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    if claim.status != "noticed":
        return {"claim_state"}
    case, member, year = claim.case, book.members[call.member], to_date(book.day).year
    if call.member in (claim.member, book.members[claim.member].guardian) or member.guardian == claim.member:
        problems.add("own_claim")
    if book.day not in member.covered:
        problems.add("objector_not_covered")
    if book.day >= case.first_day:
        problems.add("deadline_passed")
    if case.rechecks >= RECHECKS_MAX or len(case.objected | {case.period}) > NOTICES_MAX:
        problems.add("objections_closed")
    if len(case.pending) >= PENDING_MAX:
        problems.add("limit_reached")
    if call.evidence_hash in [book.docket.objections[name].evidence for name in case.pending]:
        problems.add("already")
    objected = book.docket.of(call.member).objections
    if objected.get(year, 0) >= PER_YEAR_MAX:
        problems.add("objections_used")
    if problems:
        return problems
    objected[year] = objected.get(year, 0) + 1
    case.objected.add(case.period)
    case.pending.append(tx_id)
    timer = book.add_timer("objection", RULING_DAYS, tx_id)
    book.docket.objections[tx_id] = Objection(call.claim, call.evidence_hash, "open", timer)
    return problems


def objection_rule(book: Book, signer: bytes, call: ObjectionRule) -> set[str]:
    """Admit or dismiss, as an auditor without a part in the claim."""
    name, role = book.organisations.get(signer, ("", ""))
    if role != "auditor":
        return {"wrong_role"}
    objection = book.docket.objections.get(call.objection)
    if objection is None:
        return {"objection_unknown"}
    if objection.status != "open":
        return {"objection_state"}
    claim, problems = book.claims[objection.claim], set()
    if claim.status != "noticed":
        problems.add("claim_state")
    if claim.case.has_part(name):
        problems.add("had_part")
    if problems:
        return problems
    end(book, call.objection, "admitted" if call.is_admitted else "dismissed")
    if call.is_admitted:
        for other in list(claim.case.pending):
            end(book, other, "joined")
        start_recheck(book, objection.claim)
    return problems


def on_silence(book: Book, timer: Timer) -> None:
    """Dismiss what nobody ruled on."""
    if book.docket.objections[timer.subject].status == "open":
        end(book, timer.subject, "dismissed")


def drop(book: Book, claim_id: bytes) -> None:
    """End the objections to a claim that is in notice no more."""
    for name in list(book.claims[claim_id].case.pending):
        end(book, name, "moot")


def end(book: Book, name: bytes, status: str) -> None:
    """Say what became of an objection."""
    objection = book.docket.objections[name]
    objection.status = status
    book.claims[objection.claim].case.pending.remove(name)


# --- the recheck ---


def start_recheck(book: Book, claim_id: bytes) -> None:
    """Ask one more firm."""
    claim = book.claims[claim_id]
    case = claim.case
    case.rechecks += 1
    case.recheck = Recheck(before=len(case.active), end=book.add_timer("recheck_end", RECHECK_DAYS, claim_id))
    claim.status, case.reason = "recheck", "success"
    case.wanted = len(case.active) + 1
    assessors.ask_again(book, claim_id)


def draw_recheck(book: Book, claim_id: bytes) -> None:
    """Seat a firm, or where none is left an auditor, if another one can still confirm."""
    case = book.claims[claim_id].case
    assert case.recheck is not None
    allowed = assessors.list_choices(book, case, 1)
    if not allowed:
        free = [name for name in book.auditors if not case.has_part(name)]
        fresh = [name for name in free if name not in [seat.name for seat in case.seats]]
        allowed = [{name} for name in fresh] if len(free) > 1 else []
    if not allowed:
        conclude(book, claim_id)
        return
    assessors.seat(book, claim_id, allowed)
    case.recheck.report = book.add_timer("recheck_report", REPORT_DAYS, claim_id)


def on_report(book: Book, claim_id: bytes) -> None:
    """Ask a second firm where the first one contradicts what stood before."""
    case = book.claims[claim_id].case
    recheck, reports = case.recheck, [seat.report for seat in case.active]
    assert recheck is not None
    recheck.report = None
    before = reports[: recheck.before]
    is_upheld = 2 * before.count(reports[-1]) > len(before)
    if is_upheld or len(reports) - recheck.before >= REPORTS_MAX:
        conclude(book, claim_id)
    else:
        case.wanted = len(reports) + 1
        assessors.ask_again(book, claim_id)


def on_report_due(book: Book, timer: Timer) -> None:
    """Replace a firm that did not report."""
    claim = book.claims[timer.subject]
    recheck = claim.case.recheck
    if claim.status != "recheck" or recheck is None or recheck.report is not timer:
        return
    silent = claim.case.active[-1].name
    book.docket.note_duty(silent, "silent")
    recheck.report = None
    claim.case.vacate(silent)
    assessors.ask_again(book, timer.subject)


def on_end_due(book: Book, timer: Timer) -> None:
    """End a recheck whose days are over."""
    claim = book.claims[timer.subject]
    if claim.status == "recheck" and claim.case.recheck is not None and claim.case.recheck.end is timer:
        conclude(book, timer.subject)


def conclude(book: Book, claim_id: bytes) -> None:
    """Let all reports decide again; without a new one the claim is as approved as it was."""
    case = book.claims[claim_id].case
    assert case.recheck is not None
    case.vacate(*[seat.name for seat in case.active if seat.report is None])
    before, case.recheck = case.recheck.before, None
    case.wanted = len(case.active)
    if case.wanted == before:
        decisions.list_for_notice(book, claim_id)
    elif case.is_fulfilled and not decisions.find_bar(book, claim_id):
        decisions.approve(book, claim_id)
    elif case.is_fulfilled:
        decisions.reject(book, claim_id, decisions.find_bar(book, claim_id))
    else:
        decisions.reject(book, claim_id, "no_majority" if case.majority is None else "success")
