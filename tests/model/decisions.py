"""Deciding claims, their notice and their confirmation (contract 2, 5; ADR 0005)."""

from chain.contract.claim_calls import ClaimDecide
from tests.model import claims, entry, hearings, persons
from tests.model.book import Book, Claim, Pool
from tests.model.pins import get_pin
from tests.model.records import Costs, Period, Timer

DAYS = (15, 10, 10)
"""Of the platform, the first auditor, the second."""
NOTICES_MAX = 8
CONFIRMED = ("confirmed", "settled", "instructed", "paid", "pay_failed", "clean", "clawback")


def find_clause_problems(book: Book, claim: Claim, clauses: tuple[str, ...]) -> set[str]:
    """Return what forbids to cite clauses: they must stand in what the member signed."""
    signed = {clause.number for clause in book.versions[claim.case.version].terms.pinned.clauses}
    return set() if set(clauses) <= signed else {"clause_unknown"}


# --- deciding ---


def claim_decide(book: Book, signer: bytes, call: ClaimDecide) -> set[str]:
    """Approve or reject, bound by what the majority of the reports says."""
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    name, role = book.organisations.get(signer, ("", ""))
    if role != "platform" and name not in book.auditors[:2]:
        return {"wrong_role"}
    turn = 0 if role == "platform" else 1 + book.auditors.index(name)
    if claim.status != "investigated":
        return {"claim_state"}
    case, problems = claim.case, find_clause_problems(book, claim, call.clauses)
    if turn != case.asked:
        problems.add("deadline_passed" if turn < case.asked else "not_your_turn")
    bar = find_bar(book, call.claim) if case.is_fulfilled else ""
    majority = case.majority
    if call.is_approved:
        if not case.is_fulfilled or majority is None or majority.report is None or majority.report[2] != call.row:
            problems.add("no_majority")
        if bar:
            problems.add(bar)
        if case.certificate is None:
            problems.add("certificate_missing")
    else:
        if not call.clauses:
            problems.add("clauses_missing")
        if case.is_fulfilled and not bar:
            problems.add("no_majority")
    if problems:
        return problems
    case.decided_by = name
    if call.is_approved:
        approve(book, call.claim)
    else:
        reject(book, call.claim)
    return problems


def find_bar(book: Book, claim_id: bytes, day: int | None = None) -> str:
    """Return what no firm can see: a bill that another claim has used, or that this diagnosis was decided before."""
    claim = book.claims[claim_id]
    if claims.is_bill_used(book, claim_id):
        return "bill_consumed"
    majority = claim.case.majority
    if day is None and majority is not None and majority.report is not None:
        day = majority.report[1]
    return "" if day is None or not claims.is_day_decided(book, claim.member, day, claim_id) else "case_decided"


def on_silence(book: Book, timer: Timer) -> None:
    """Ask the next one; where an auditor holds a seat, or nobody is left, the reports decide."""
    case = book.claims[timer.subject].case
    if case.timer is not timer:
        return
    case.asked += 1
    if case.asked < 3 and not any(seat.name in book.auditors for seat in case.active):
        case.timer = book.add_timer("decision", DAYS[case.asked], timer.subject)
    else:
        case.asked = 3
        decide_by_reports(book, timer.subject)


def decide_by_reports(book: Book, claim_id: bytes) -> None:
    """Let the reports decide, because nobody else did."""
    case = book.claims[claim_id].case
    if case.majority is None:
        reject(book, claim_id, "no_majority")
    elif not case.is_fulfilled:
        reject(book, claim_id)
    elif find_bar(book, claim_id):
        reject(book, claim_id, find_bar(book, claim_id))
    elif case.certificate is None:
        keep_lot(book, claim_id)
        claims.close(book, claim_id, "expired", "certificate_missing")
    else:
        approve(book, claim_id)


def keep_lot(book: Book, claim_id: bytes) -> None:
    """Let the member's next claim keep the firms."""
    claimant = book.docket.of(book.claims[claim_id].member)
    claimant.kept, claimant.is_draw_pending = claim_id, False


def reject(book: Book, claim_id: bytes, reason: str = "success") -> None:
    """Reject; the diagnosis is decided, also under the day that the firms established."""
    claim = book.claims[claim_id]
    majority = claim.case.majority
    if majority is not None and majority.report is not None:
        key = (claim.member, claim.case.cause, majority.report[1])
        known = book.docket.diagnoses.get(key)
        if known is None or not claims.is_decided(book.claims[known[0]]):
            book.docket.diagnoses[key] = (claim_id, get_first_filed(book, claim))
    claims.close(book, claim_id, "rejected", reason)


def get_first_filed(book: Book, claim: Claim) -> int:
    """Return the day by which the claim window is measured."""
    return book.docket.diagnoses[claim.member, claim.case.cause, claim.case.diagnosed_day][1]


def approve(book: Book, claim_id: bytes) -> None:
    """Approve with day and row of the majority, if that day gives a right."""
    claim = book.claims[claim_id]
    majority = claim.case.majority
    assert majority is not None
    assert majority.report is not None
    _, day, row = majority.report
    claim.case.established_day, claim.row = day, row
    first_filed = get_first_filed(book, claim)
    book.docket.diagnoses[claim.member, claim.case.cause, day] = (claim_id, first_filed)
    answer = claims.judge(book, claim, day, first_filed)
    if answer == "shares":
        refund_shares(book, claim_id)
    elif answer and (answer, day) not in claim.case.overruled:
        claims.close(book, claim_id, "refused", answer)
    else:
        claim.amount = compute_amount(book, claim)
        list_for_notice(book, claim_id)


def refund_shares(book: Book, claim_id: bytes) -> None:
    """End a membership whose diagnosis lies in its waiting days: what he paid for others comes back."""
    claim = book.claims[claim_id]
    book.docket.of(claim.member).is_refunded = True
    claim.status, claim.case.reason, claim.case.timer, claim.case.card = "shares_refund", "success", None, None
    claim.is_shares_refund = True
    entry.leave(book, claim.member, "shares_refund")


def compute_amount(book: Book, claim: Claim, row: int | None = None) -> int:
    """Return what a row gives: what he signed, never more than the ceiling or what held on the day, at any age."""
    row = claim.row if row is None else row
    case = claim.case
    pinned = book.versions[case.version].terms.pinned
    band, is_mild = pinned.benefits[row // 2], row % 2 == 1
    ages = range(band.age_from_years, band.age_to_years + 1)
    amounts = [band.mild_fen if is_mild else band.severe_fen]
    day = case.established_day or case.diagnosed_day
    held = get_pin(book, book.members[claim.member], day)[0]
    ceiling = book.pool_terms(book.pools[claim.pool]).benefit_ceiling
    for benefits in (ceiling, book.versions[held].terms.pinned.benefits):
        by_age = {age: item for item in benefits for age in range(item.age_from_years, item.age_to_years + 1)}
        # A table that leaves out an age of the row says nothing about it.
        if all(age in by_age for age in ages):
            amounts += [by_age[age].mild_fen if is_mild else by_age[age].severe_fen for age in ages]
    return min(amounts)


def list_for_notice(book: Book, claim_id: bytes) -> None:
    """Put an approved claim on the list of the next notice."""
    claim = book.claims[claim_id]
    claim.status, claim.case.reason, claim.case.timer = "approved", "success", None
    book.docket.approved.setdefault(claim.pool, []).append(claim_id)


# --- what stands against paying ---


def find_pay_bar(book: Book, claim_id: bytes) -> str:
    """Return what another claim has taken, a bill or the main benefit, which a person gets once; or a void."""
    if claims.is_bill_used(book, claim_id):
        return "bill_consumed"
    claim = book.claims[claim_id]
    if hearings.is_final(book, claim.member):
        return "member_voided"
    if claim.row % 2:
        return ""
    index = book.members[claim.member].bank_index
    newest = None if index is None else persons.resolve(book, index)
    taken = [user for known, user in book.docket.benefits.items() if persons.resolve(book, known) == newest]
    return "main_benefit_taken" if taken and claim_id not in taken else ""


def take(book: Book, claim_id: bytes) -> None:
    """Let a confirmed claim use up its bills, and the main benefit."""
    claim = book.claims[claim_id]
    for tag in claim.case.bills:
        book.docket.bills[tag] = (claim_id, True)
    index = book.members[claim.member].bank_index
    if claim.row % 2 == 0 and index is not None:
        book.docket.benefits[persons.resolve(book, index)] = claim_id


# --- notice and confirmation ---


def open_notice(book: Book, pool: Pool) -> list[bytes]:
    """Return the list of the period: what the last one left unconfirmed, then what was approved since."""
    number = pool.settlements
    left = pool.periods[number - 1].claims if number else []
    fresh = book.docket.approved.pop(pool.number, [])
    listed = []
    for claim_id in left:
        case = book.claims[claim_id].case
        if book.claims[claim_id].status == "noticed":
            if case.notices + 1 == NOTICES_MAX:
                keep_lot(book, claim_id)
                claims.close(book, claim_id, "expired", "unconfirmed")
                continue
            case.notices += 1
            if notice(book, claim_id, pool):
                listed.append(claim_id)
    for claim_id in fresh:
        if book.claims[claim_id].status == "approved" and notice(book, claim_id, pool):
            listed.append(claim_id)
    return listed


def notice(book: Book, claim_id: bytes, pool: Pool) -> bool:
    """List a claim, unless it can never be confirmed."""
    claim = book.claims[claim_id]
    bar = find_pay_bar(book, claim_id)
    if bar:
        claims.close(book, claim_id, "rejected", bar)
        return False
    claim.status, claim.case.period = "noticed", pool.settlements
    claim.case.first_day = book.day + book.pool_terms(pool).notice_full_days_min
    return True


def claim_confirm(book: Book, auditor: str, claim_id: bytes) -> set[str]:
    """Confirm a claim: the period's auditor, unless he had a part in it; then it is paid by the next charge."""
    claim = book.claims.get(claim_id)
    if claim is None:
        return {"claim_unknown"}
    if claim.status in CONFIRMED and not claim.is_shares_refund:
        return {"already"}
    if claim.status != "noticed":
        return {"claim_state"}
    case, pool, problems = claim.case, book.pools[claim.pool], set()
    period = pool.periods[case.period]
    if period.status != "notice":
        problems.add("period_state")
    if get_confirmer(book, period, case.period) != auditor:
        problems.add("not_your_turn")
    if case.has_part(auditor):
        problems.add("decider_confirms")
    if book.day < case.first_day:
        problems.add("notice_not_over")
    if case.pending:
        problems.add("objection_open")
    if find_pay_bar(book, claim_id):
        problems.add(find_pay_bar(book, claim_id))
    if hearings.is_open(book, claim.member):
        problems.add("void_open")
    if problems:
        return problems
    take(book, claim_id)
    claim.status, case.reason, case.timer, case.card = "confirmed", "success", None, None
    pool.costs.append(Costs(claim_id, claim.member, claim.amount, book.pool_terms(pool).fee_bp))
    return problems


def get_confirmer(book: Book, period: Period, number: int) -> str:
    """Return the auditor that the notice named, or where he has left, whose turn it is now."""
    return period.confirmer if period.confirmer in book.auditors else book.auditors[number % len(book.auditors)]
