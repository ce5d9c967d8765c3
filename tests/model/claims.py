"""What claimants do, and what a day gives a right to (contract 2 *Claim*, 3.6, 5; ADR 0005, 0019)."""

from chain.contract.calls import Call
from chain.contract.claim_calls import ClaimCard, ClaimFile, ClaimPayee, ClaimWithdraw
from tests.model import accounts, assessors, claim_money, objections, persons
from tests.model.book import Book, Claim, Member, to_date
from tests.model.cases import Case, Seat
from tests.model.halves import cosign
from tests.model.owners import find_owner_problems
from tests.model.pins import get_pin

APPEAL_DAYS = 30
WITHDRAWALS_MAX = 3
MAY_FILE = ("queued", "waiting", "sharing", "moving", "leaving", "left", "aged_out", "died")
IN_WORK = ("eligible", "assigned", "investigated", "approved", "noticed", "recheck")
"""A claim that may still be taken back."""
UNPAID = ("withdrawn", "expired", "refused")


# --- who speaks for a member ---


def find_claimant_problems(book: Book, signer: bytes, member_id: bytes, heir: bytes | None) -> set[str]:
    """Return what forbids a call on a claim: the member's key, a child's guardian, or for the dead an heir."""
    member = book.members.get(member_id)
    if member is None:
        return {"member_unknown"}
    if accounts.is_dead(book, member_id) and not is_living_guardian(book, member, signer):
        is_foreign = heir is None or heir == member.key or heir in book.organisations
        return {"heir_invalid"} if is_foreign else set()
    problems = find_owner_problems(book, signer, member_id)
    return problems | {"heir_invalid"} if heir is not None else problems


def is_living_guardian(book: Book, member: Member, signer: bytes) -> bool:
    """Tell whether somebody signs as the guardian of a child that died."""
    if member.guardian is None:
        return False
    return book.members[member.guardian].key == signer and not accounts.is_dead(book, member.guardian)


def sign(book: Book, signer: bytes, call: Call, heir: bytes | None) -> tuple[set[str], bool]:
    """Sign; an heir's call takes an auditor too. Return (what forbids it, whether it is complete)."""
    if heir is None:
        return set(), True
    problems, signed = cosign(book, signer, call, heir, "auditor")
    return problems, signed is not None


def has_payee(book: Book, member_id: bytes, kind: int) -> bool:
    """Tell whether there is such a payee: the member, a guardian, an estate."""
    has_died = accounts.is_dead(book, member_id)
    return (not has_died, book.members[member_id].guardian is not None, has_died)[kind]


# --- what a day gives a right to ---


def judge(book: Book, claim: Claim, day: int, filed_day: int) -> str:
    """Return "" for aid, "shares" where what was paid for others comes back, or the code of a refusal."""
    member = book.members[claim.member]
    pinned = book.versions[claim.case.version].terms.pinned
    if book.is_winding and day > book.wind_day:
        return "plan_not_active"
    if filed_day - day > pinned.claim_window_days:
        return "claim_too_late"
    if day in (member.covered_accident if claim.case.cause else member.covered):
        return ""
    if claim.case.cause or not 0 < member.entry_day <= day < member.entry_day + pinned.waiting_days:
        return "not_covered"
    if member.status in ("waiting", "queued", "sharing", "moving", "leaving"):
        return "shares"
    has_ended = member.status in ("left", "aged_out", "died") and member.claim is not None
    return "shares" if has_ended and not book.docket.of(claim.member).is_refunded else "not_covered"


def is_decided(claim: Claim) -> bool:
    """Tell whether somebody has judged it: not where it expired, was taken back, or never seen by a firm."""
    if claim.status in ("expired", "withdrawn"):
        return False
    return claim.status != "refused" or bool(claim.case.seats)


def is_day_decided(book: Book, member_id: bytes, day: int, claim_id: bytes | None = None) -> bool:
    """Tell whether another claim has decided the diagnosis of a day, whatever it was called."""
    known = [book.docket.diagnoses.get((member_id, cause, day)) for cause in (0, 1)]
    others = [one[0] for one in known if one is not None and one[0] != claim_id]
    return any(is_decided(book.claims[other]) for other in others)


# --- filing ---


def claim_file(book: Book, signer: bytes, tx_id: bytes, call: ClaimFile) -> set[str]:
    """Open a claim; one that gives no right is recorded as refused, and can be appealed."""
    problems = find_claimant_problems(book, signer, call.member, call.heir)
    if problems:
        return problems
    member, docket = book.members[call.member], book.docket
    version, pool = get_pin(book, member, call.diagnosed_day)
    if book.status == "ended":
        problems.add("plan_not_active")
    if book.is_winding and book.pools[pool].closed is not None:
        problems.add("pool_closed")
    if member.status not in MAY_FILE or persons.is_barred(book, call.member):
        problems.add("member_state")
    if member.claim is not None or docket.has_waiting_appeal(call.member):
        problems.add("claim_open")
    if call.diagnosed_day > book.day:
        problems.add("day_in_future")
    if call.asked_row >= 2 * len(book.versions[version].terms.pinned.benefits):
        problems.add("row_unknown")
    if len(set(call.bill_tags)) < len(call.bill_tags) or not has_payee(book, call.member, call.payee_kind):
        problems.add("value_out_of_range")
    before = docket.diagnoses.get((call.member, call.cause, call.diagnosed_day))
    if is_day_decided(book, call.member, call.diagnosed_day):
        problems.add("case_decided")
    first_filed = book.day if before is None else before[1]
    case = Case(
        cause=call.cause,
        diagnosed_day=call.diagnosed_day,
        asked_row=call.asked_row,
        version=version,
        filed_day=book.day,
        bills=call.bill_tags,
    )
    claim = Claim(
        member=call.member,
        number=len(book.claims) + 1,
        pool=pool,
        status="eligible",
        row=call.asked_row,
        amount=0,
        payee_kind=call.payee_kind,
        case=case,
    )
    answer = judge(book, claim, call.diagnosed_day, first_filed)
    is_refused = answer not in ("", "shares")
    if is_refused and before is not None:
        problems.add(answer)
    if not is_refused and docket.of(call.member).is_draw_pending:
        problems.add("draw_pending")
    if problems:
        return problems
    problems, is_complete = sign(book, signer, call, call.heir)
    if not is_complete:
        return problems
    book.claims[tx_id] = claim
    docket.diagnoses[call.member, call.cause, call.diagnosed_day] = (tx_id, first_filed)
    note_bills(book, tx_id)
    if is_refused:
        claim.status, case.reason = "refused", answer
        open_appeal(book, tx_id)
        book.add_timer("claim_over", claim_money.WAIT_DAYS, tx_id)
    else:
        member.claim = tx_id
        keep_firms(book, tx_id)
    return problems


def note_bills(book: Book, claim_id: bytes) -> None:
    """Note the bills; one that another claim rests on marks both, unless it is his own that ended unpaid."""
    claim = book.claims[claim_id]
    for tag in claim.case.bills:
        used = book.docket.bills.get(tag)
        other = None if used is None else book.claims[used[0]]
        if other is None or (other.member == claim.member and other.status in UNPAID):
            book.docket.bills[tag] = (claim_id, False)
        else:
            claim.case.is_flagged = other.case.is_flagged = True


def is_bill_used(book: Book, claim_id: bytes) -> bool:
    """Tell whether another confirmed claim rests on one of the bills."""
    bills = [book.docket.bills[tag] for tag in book.claims[claim_id].case.bills]
    return any(is_used and user != claim_id for user, is_used in bills)


def keep_firms(book: Book, claim_id: bytes) -> None:
    """Give a claim the firms of one that was taken back; else let it wait for its lot."""
    claim = book.claims[claim_id]
    claimant = book.docket.of(claim.member)
    if claimant.kept is None:
        book.docket.ask_draw(claim_id)
        return
    before, case = book.claims[claimant.kept].case, claim.case
    claimant.kept = None
    for seat in before.seats:
        is_kept = not seat.is_replaced and assessors.is_in_office(book, seat.name)
        case.seats.append(Seat(seat.name, is_replaced=not is_kept))
        if is_kept:
            book.docket.note_duty(seat.name, "drawn")
    case.wanted, case.replaced = before.wanted, before.replaced
    claim.status = "assigned" if case.active else "eligible"
    if case.is_seated:
        assessors.set_timer(book, claim_id, "accept", assessors.ACCEPT_DAYS)
    else:
        book.docket.ask_draw(claim_id)


# --- ending ---


def close(book: Book, claim_id: bytes, status: str, reason: str = "success") -> None:
    """End a claim; what a jury could see otherwise may be appealed."""
    claim = book.claims[claim_id]
    claim.case.card = None
    claim.status, claim.case.reason, claim.case.timer = status, reason, None
    if is_appealable(claim):
        open_appeal(book, claim_id)
    claim_money.release_member(book, claim_id)


def is_appealable(claim: Claim) -> bool:
    """Tell whether a jury could see a decision otherwise: no bill, no earlier decision, no void."""
    return claim.status == "refused" or (claim.status == "rejected" and claim.case.reason in ("success", "no_majority"))


def open_appeal(book: Book, claim_id: bytes) -> None:
    """Let the days of an appeal begin."""
    book.claims[claim_id].case.timer = book.add_timer("appeal_window", APPEAL_DAYS, claim_id)


def end_voided(book: Book, member_id: bytes) -> None:
    """Reject what is not confirmed of somebody who was voided."""
    claim_id = book.members[member_id].claim
    if claim_id is not None and book.claims[claim_id].status in IN_WORK:
        close(book, claim_id, "rejected", "member_voided")


# --- taking back, payee, card ---


def find_own_problems(book: Book, signer: bytes, call: ClaimWithdraw | ClaimPayee) -> set[str]:
    """Return what forbids to act on a claim as its claimant."""
    problems = find_claimant_problems(book, signer, call.member, call.heir)
    if problems:
        return problems
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    return set() if claim.member == call.member else {"not_owner"}


def claim_withdraw(book: Book, signer: bytes, call: ClaimWithdraw) -> set[str]:
    """Take a claim back before it is confirmed; three times a year."""
    problems = find_own_problems(book, signer, call)
    if problems:
        return problems
    claim, claimant, year = book.claims[call.claim], book.docket.of(call.member), to_date(book.day).year
    if claim.status not in IN_WORK:
        problems.add("claim_state")
    if claimant.withdrawals.get(year, 0) >= WITHDRAWALS_MAX:
        problems.add("withdrawals_used")
    if problems:
        return problems
    problems, is_complete = sign(book, signer, call, call.heir)
    if not is_complete:
        return problems
    objections.drop(book, call.claim)
    if claim.status == "recheck":
        claim.case.wanted = len(claim.case.active)
    claimant.kept = call.claim
    claimant.is_draw_pending = claim.status in ("eligible", "assigned") and not claim.case.is_seated
    claimant.withdrawals[year] = claimant.withdrawals.get(year, 0) + 1
    close(book, call.claim, "withdrawn")
    return problems


def claim_payee(book: Book, signer: bytes, call: ClaimPayee) -> set[str]:
    """Say anew who is to be paid, before anything was granted."""
    problems = find_own_problems(book, signer, call)
    if problems:
        return problems
    claim = book.claims[call.claim]
    if claim.status not in (*IN_WORK, "confirmed", "shares_refund") or claim.granted:
        problems.add("claim_state")
    if not has_payee(book, call.member, call.payee_kind):
        problems.add("value_out_of_range")
    if claim.payee_kind == call.payee_kind:
        problems.add("already")
    if problems:
        return problems
    problems, is_complete = sign(book, signer, call, call.heir)
    if is_complete:
        claim.payee_kind = call.payee_kind
    return problems


def claim_card(book: Book, signer: bytes, call: ClaimCard) -> set[str]:
    """Tell the public about the patient, in words that fit ten people at least."""
    if book.role_of(signer) != "platform":
        return {"wrong_role"}
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    problems = set()
    if claim.status not in ("investigated", "approved", "noticed", "recheck"):
        problems.add("claim_state")
    years = range(call.age_from_years, call.age_to_years + 1)
    if not years or len(years) % 5 or call.age_from_years % 5:
        problems.add("value_out_of_range")
    if call.people_min < 10:
        problems.add("card_too_narrow")
    words = (call.age_from_years, call.age_to_years, call.sex, call.province, call.disease_group, call.people_min)
    if claim.case.card == words:
        problems.add("already")
    elif claim.case.card is not None and claim.status in ("noticed", "recheck"):
        problems.add("conflict")
    if not problems:
        claim.case.card = words
    return problems
