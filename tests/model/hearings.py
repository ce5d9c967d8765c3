"""Voiding after a hearing (contract 2 *VOIDED*, 5; ADR 0012)."""

from chain.contract.member_calls import VoidAnswer, VoidDecide, VoidOpen
from tests.model import claims, entry, persons
from tests.model.book import Book
from tests.model.halves import cosign
from tests.model.owners import find_owner_problems
from tests.model.records import Stage, Timer

HEARING_DAYS, DECISION_DAYS, APPEAL_DAYS, REST_DAYS = 15, 10, 30, 180
OVER = ("dismissed", "upheld")
MAY_BE_VOIDED = ("verified", "waiting", "queued", "sharing", "leaving", "left", "aged_out", "died")


def is_open(book: Book, member_id: bytes) -> bool:
    """Tell whether a hearing about somebody is not final."""
    return member_id in book.hearings and book.hearings[member_id].name not in OVER


def void_open(book: Book, signer: bytes, call: VoidOpen) -> set[str]:
    """Open a hearing: platform and an assessor firm."""
    member = book.members.get(call.member)
    if member is None:
        return {"member_unknown"}
    problems = set()
    if book.status == "ended":
        problems.add("plan_not_active")
    if member.status not in MAY_BE_VOIDED:
        problems.add("member_state")
    if call.member in book.erasures:
        problems.add("erased")
    known = book.hearings.get(call.member)
    if known is not None and known.name not in OVER:
        problems.add("void_open")
    elif known is not None and (known.what == call.finding_root or book.day < known.day + REST_DAYS):
        problems.add("void_repeated")
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "platform", "assessor")
    if signed is not None:
        book.hearings[call.member] = Stage("hearing", book.day, what=call.finding_root, firm=signed[1])
        set_stage(book, call.member, "hearing", HEARING_DAYS)
    return problems


def set_stage(book: Book, member_id: bytes, name: str, days: int) -> None:
    """Move a hearing on; nobody's silence lasts for ever."""
    hearing = book.hearings[member_id]
    hearing.name = name
    hearing.timer = book.add_timer("void", days, member_id)


def void_answer(book: Book, signer: bytes, call: VoidAnswer) -> set[str]:
    """Answer, as often as the member likes."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    hearing = book.hearings.get(call.member)
    if hearing is None or hearing.name != "hearing":
        return {"void_state"}
    if hearing.answer == call.answer_hash:
        return {"already"}
    hearing.answer = call.answer_hash
    return problems


def void_decide(book: Book, signer: bytes, call: VoidDecide) -> set[str]:
    """Decide, behind the hearing: the first auditor, or after his silence the second."""
    name, role = book.organisations.get(signer, ("", ""))
    if role != "auditor":
        return {"wrong_role"}
    if call.member not in book.members:
        return {"member_unknown"}
    hearing = book.hearings.get(call.member)
    if hearing is None or hearing.name not in ("first_auditor", "second_auditor"):
        return {"void_state"}
    if name != book.auditors[hearing.name == "second_auditor"]:
        return {"not_your_turn"}
    hearing.by = name
    if call.is_void:
        set_stage(book, call.member, "decided", APPEAL_DAYS)
    else:
        close(book, call.member, "dismissed")
    return set()


def close(book: Book, member_id: bytes, name: str) -> None:
    """End a hearing."""
    hearing = book.hearings[member_id]
    hearing.name, hearing.day, hearing.timer = name, book.day, None


def on_silence(book: Book, timer: Timer) -> None:
    """Move a hearing on about which somebody was silent: in the end for the member, but a decision stands."""
    hearing = book.hearings[timer.subject]
    if hearing.timer is not timer:
        return
    if hearing.name == "hearing":
        set_stage(book, timer.subject, "first_auditor", DECISION_DAYS)
    elif hearing.name == "first_auditor":
        set_stage(book, timer.subject, "second_auditor", DECISION_DAYS)
    elif hearing.name == "second_auditor":
        close(book, timer.subject, "dismissed")
    else:
        uphold(book, timer.subject)


def uphold(book: Book, member_id: bytes) -> None:
    """Make a void final: balance refunded, person barred, what is not confirmed rejected."""
    person = persons.get(book, member_id)
    holder = member_id if person is None else person.member
    close(book, member_id, "upheld")
    entry.leave(book, member_id, "voided")
    persons.name_voided(book, member_id)
    claims.end_voided(book, member_id)
    if holder != member_id:
        claims.end_voided(book, holder)


def is_final(book: Book, member_id: bytes) -> bool:
    """Tell whether somebody was voided, or his person for another membership: then he is paid nothing more."""
    person = persons.get(book, member_id)
    names = [member_id] if person is None or not person.is_barred else [member_id, person.member]
    return any(name in book.hearings and book.hearings[name].name == "upheld" for name in names)
