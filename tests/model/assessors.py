"""Firms: drawn by lot, replaced when silent, blind to each other until all have sealed (contract 2, 5; ADR 0004)."""

from itertools import combinations

from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import AssessorAccept, AssessorDecline, CertificateAttach, ReportCommit, ReportReveal
from chain.contract.claim_report import hash_report
from tests.model import claims, decisions, objections, reaudit, validators
from tests.model.book import Book, Claim
from tests.model.cases import Case, Seat
from tests.model.records import Timer

ACCEPT_DAYS, COMMIT_DAYS, REVEAL_DAYS = 2, 20, 3
FIRMS_ONLY_MAX, REPLACED_MAX = 3, 6
PROPOSERS_MIN = 2
"""f + 1 different ones must have revealed since a lot was asked for."""


# --- who may be drawn ---


def list_firms(book: Book) -> list[str]:
    """Return the assessor firms in office."""
    return [name for name, role in book.organisations.values() if role == "assessor"]


def is_in_office(book: Book, name: str) -> bool:
    """Tell whether an organisation still assesses or audits."""
    return (name, "assessor") in book.organisations.values() or (name, "auditor") in book.organisations.values()


def get_group(book: Book, name: str) -> str:
    """Return who owns an organisation."""
    return book.docket.groups.get(name, f"g-{name}")


def list_choices(book: Book, case: Case, count: int, others: tuple[str, ...] = ()) -> list[set[str]]:
    """Return every set of firms that may be drawn: never on this claim, each of another owner."""
    had_part = {seat.name for seat in case.seats} | set(others)
    owners = {get_group(book, seat.name) for seat in case.active} | {get_group(book, name) for name in others}
    fresh = [name for name in list_firms(book) if name not in had_part and get_group(book, name) not in owners]
    sets = [set(choice) for choice in combinations(fresh, count)]
    return [choice for choice in sets if len({get_group(book, name) for name in choice}) == count]


def is_lot_known(book: Book, asked: int) -> bool:
    """Tell whether enough proposers that still vote have revealed since a lot was asked for."""
    return validators.count_proposers(book.house, asked) >= PROPOSERS_MIN


# --- the draw ---


def run_draws(book: Book) -> None:
    """Draw for whoever has waited long enough, in the order of asking."""
    for claim_id, asked in list(book.docket.draws):
        if not is_lot_known(book, asked):
            return
        book.docket.draws.remove((claim_id, asked))
        claim = book.claims[claim_id]
        if claim.status == "paid":
            reaudit.draw(book, claim_id)
        elif claim.status == "recheck" and not claim.case.is_seated:
            objections.draw_recheck(book, claim_id)
        elif claim.status in ("eligible", "assigned", "withdrawn") and not claim.case.is_seated:
            fill_seats(book, claim_id)


def fill_seats(book: Book, claim_id: bytes) -> None:
    """Fill the vacant seats: by firms, after three replacements or without a firm also by the second auditor."""
    claim = book.claims[claim_id]
    case = claim.case
    vacant = case.wanted - len(case.active)
    auditor = book.auditors[1]
    is_auditor_free = auditor not in [seat.name for seat in case.seats]
    by_firms = list_choices(book, case, vacant)
    with_auditor = [{auditor} | choice for choice in list_choices(book, case, vacant - 1)] if is_auditor_free else []
    allowed = with_auditor
    if by_firms and (case.replaced <= FIRMS_ONLY_MAX or not is_auditor_free):
        allowed = by_firms
    if case.replaced > REPLACED_MAX:
        allowed = []
    if allowed:
        seat(book, claim_id, allowed)
    if claim.status == "withdrawn":
        claimant = book.docket.of(claim.member)
        claimant.kept, claimant.is_draw_pending = (claim_id if allowed else None), False
    elif not allowed:
        claims.close(book, claim_id, "expired", "assessors_silent")
    else:
        claim.status = "assigned"
        set_timer(book, claim_id, "accept", ACCEPT_DAYS)


def seat(book: Book, claim_id: bytes, allowed: list[set[str]]) -> list[str]:
    """Give seats to whom the lot took, which must be one of the choices; return them."""
    case = book.claims[claim_id].case
    drawn = book.docket.get_drawn("seats", claim_id)[len(case.seats) :]
    assert set(drawn) in allowed, (drawn, allowed)
    assert len(drawn) == len(set(drawn)), drawn
    for name in drawn:
        case.seats.append(Seat(name))
        book.docket.note_duty(name, "drawn")
    return drawn


# --- deadlines ---


def set_timer(book: Book, claim_id: bytes, kind: str, days: int) -> None:
    """Let a deadline of a claim run in place of the one before."""
    book.claims[claim_id].case.timer = book.add_timer(kind, days, claim_id)


def ask_again(book: Book, claim_id: bytes) -> None:
    """Let a claim wait for its lot; no deadline runs meanwhile."""
    book.claims[claim_id].case.timer = None
    book.docket.ask_draw(claim_id)


def on_silence(book: Book, timer: Timer) -> None:
    """Take the seat from each firm that was silent, and draw again."""
    case = book.claims[timer.subject].case
    if case.timer is not timer:
        return
    for item in case.active:
        has_acted = {"accept": item.is_accepted, "commit": item.seal is not None, "reveal": item.report is not None}
        if not has_acted[timer.kind]:
            case.vacate(item.name)
            book.docket.note_duty(item.name, "silent")
    case.replaced += 1
    ask_again(book, timer.subject)


# --- what firms do ---


def find_seat_problems(book: Book, signer: bytes, claim_id: bytes, *statuses: str) -> tuple[set[str], Seat | None]:
    """Return (what forbids an organisation to act on a claim, its seat)."""
    claim = book.claims.get(claim_id)
    if claim is None:
        return {"claim_unknown"}, None
    if signer not in book.organisations:
        return {"wrong_role"}, None
    problems = set() if claim.status in statuses else {"claim_state"}
    item = claim.case.find_seat(book.organisations[signer][0])
    return (problems if item is not None else problems | {"not_drawn"}), item


def assessor_accept(book: Book, signer: bytes, call: AssessorAccept) -> set[str]:
    """Take a claim; once all have, the days of the reports begin."""
    problems, item = find_seat_problems(book, signer, call.claim, "assigned")
    if item is not None and item.is_accepted:
        problems.add("already")
    if problems or item is None:
        return problems
    item.is_accepted = True
    case = book.claims[call.claim].case
    if case.is_seated and all(other.is_accepted for other in case.active):
        set_timer(book, call.claim, "commit", COMMIT_DAYS)
    return problems


def assessor_decline(book: Book, signer: bytes, call: AssessorDecline) -> set[str]:
    """Give a seat or a second look back; a conflict of interest is no fault."""
    claim = book.claims.get(call.claim)
    if claim is not None and claim.status == "paid":
        if signer not in book.organisations:
            return {"wrong_role"}
        name = book.organisations[signer][0]
        if name not in reaudit.list_asked(claim):
            return {"not_drawn"}
        book.docket.note_duty(name, "conflicts" if call.is_conflict else "declined")
        reaudit.decline(book, call.claim)
        return set()
    problems, item = find_seat_problems(book, signer, call.claim, "assigned", "recheck")
    if item is not None and item.report is not None:
        problems.add("already")
    if problems or item is None:
        return problems
    book.docket.note_duty(item.name, "conflicts" if call.is_conflict else "declined")
    vacate(book, call.claim, item.name)
    return problems


def vacate(book: Book, claim_id: bytes, name: str) -> None:
    """Empty a seat at once."""
    claim = book.claims[claim_id]
    claim.case.vacate(name)
    if claim.case.recheck is not None:
        claim.case.recheck.report = None
    else:
        claim.case.replaced += 1
    ask_again(book, claim_id)


def report_commit(book: Book, signer: bytes, call: ReportCommit) -> set[str]:
    """Seal a report; once all have, they are opened."""
    problems, item = find_seat_problems(book, signer, call.claim, "assigned")
    if item is not None and not item.is_accepted:
        problems.add("claim_state")
    if item is not None and item.seal is not None:
        problems.add("already" if item.seal == call.hash else "conflict")
    if problems or item is None:
        return problems
    item.seal = call.hash
    if book.claims[call.claim].case.is_sealed:
        set_timer(book, call.claim, "reveal", REVEAL_DAYS)
    return problems


def report_reveal(book: Book, signer: bytes, call: ReportReveal) -> set[str]:
    """Open a report; where two differ a third firm is asked, else the case goes to those who decide."""
    problems, item = find_seat_problems(book, signer, call.claim, "assigned", "recheck")
    if item is None:
        return problems
    claim = book.claims[call.claim]
    if item.report is not None:
        problems.add("already")
    if claim.status == "assigned" and not claim.case.is_sealed:
        problems.add("reveal_too_early")
    if claim.status == "assigned" and item.seal != hash_report(item.name, call):
        problems.add("commit_mismatch")
    problems |= find_report_problems(book, claim, call)
    if problems:
        return problems
    item.report, item.clauses = (call.finding, call.established_day, call.row), call.clauses
    book.docket.note_duty(item.name, "reported")
    if claim.status == "recheck":
        objections.on_report(book, call.claim)
    elif all(other.report is not None for other in claim.case.active):
        end_investigation(book, call.claim)
    return problems


def find_report_problems(book: Book, claim: Claim, call: ReportReveal) -> set[str]:
    """Return what a report may not say."""
    problems = set()
    if call.established_day > book.day:
        problems.add("day_in_future")
    if call.row >= 2 * len(book.versions[claim.case.version].terms.pinned.benefits):
        problems.add("row_unknown")
    if call.finding == 0 and not call.clauses:
        problems.add("clauses_missing")
    return problems | decisions.find_clause_problems(book, claim, call.clauses)


def end_investigation(book: Book, claim_id: bytes) -> None:
    """Ask a third firm, or those who decide."""
    claim = book.claims[claim_id]
    if claim.case.wanted == 2 and claim.case.majority is None:
        claim.case.wanted = 3
        ask_again(book, claim_id)
    else:
        claim.status = "investigated"
        set_timer(book, claim_id, "decision", decisions.DAYS[0])


def certificate_attach(book: Book, signer: bytes, call: CertificateAttach) -> set[str]:
    """Certify a claim and its bills: a hospital alone, or two of its firms behind a visit."""
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    name, role = book.organisations.get(signer, ("", ""))
    if not role or (role == "hospital") == (call.source == 2):
        return {"wrong_role"}
    case, problems = claim.case, set()
    if claim.status not in ("eligible", "assigned", "investigated", "appealed"):
        problems.add("claim_state")
    if call.source == 2 and case.find_seat(name) is None:
        problems.add("not_drawn")
    if call.bill_root != compute_bill_root(case.bills) or (call.source == 1 and not case.bills):
        problems.add("bills_not_certified")
    document = (call.source, call.document_hash)
    if case.certificate is not None:
        problems.add("already" if case.certificate == document else "conflict")
    if call.source == 2 and case.attested.get(name) == call.document_hash:
        problems.add("already")
    if problems:
        return problems
    if call.source == 2:
        case.attested[name] = call.document_hash
        if sum(case.attested.get(item.name) == call.document_hash for item in case.active) < 2:
            return problems
    case.certificate, case.attested = document, {}
    return problems
