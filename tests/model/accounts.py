"""Accounts of members, and what becomes of a payment that failed (contract 3.5 *failed item*; ADR 0010)."""

from chain.contract.member_calls import AccountChange, AccountVerifyItem
from tests.model import claim_money, persons
from tests.model.book import Book, Claim
from tests.model.owners import find_owner_problems
from tests.model.records import Instruction, Timer

CHANGE_DAYS = 30
ESTATE_DAYS = 14


# --- another account ---


def account_change(book: Book, signer: bytes, call: AccountChange) -> set[str]:
    """Ask for another account; the newest wish counts."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    if member.is_gone:
        if not has_open_payment(book, call.member):
            return {"account_unneeded"}
    elif member.bank_index is None:
        return {"not_verified"}
    wish = (call.account_commitment, book.day + CHANGE_DAYS)
    if book.wishes.get(call.member) == wish:
        return {"already"}
    book.wishes[call.member] = wish
    book.add_timer("account_change", CHANGE_DAYS, call.member, note=wish[1])
    return problems


def expire_wish(book: Book, timer: Timer) -> None:
    """Forget a wish that the bank has not verified."""
    if timer.subject in book.wishes and book.wishes[timer.subject][1] == timer.note:
        del book.wishes[timer.subject]


def has_open_payment(book: Book, member_id: bytes) -> bool:
    """Tell whether an ended membership may still be paid something, or be put right after a wrong report of death."""
    member = book.members[member_id]
    if member.claim is not None or member.cash > 0 or member_id in book.deaths:
        return True
    return bool(list_failed(book, member_id))


def is_dead(book: Book, member_id: bytes) -> bool:
    """Tell whether a death was reported."""
    return book.members[member_id].status == "died" or member_id in book.deaths


def verify_again(book: Book, item: AccountVerifyItem) -> set[str]:
    """Take the bank's word on another account of the same person, or on that of his estate."""
    member = book.members[item.member]
    is_person = member.bank_index is not None and persons.resolve(book, member.bank_index) == persons.resolve(
        book, item.person_index
    )
    is_same = is_person and (member.account, member.holder) == (item.account_token, item.holder_kind)
    is_asked = item.member in book.wishes
    has_died = is_dead(book, item.member)
    is_estate = has_died and item.holder_kind == 2
    if is_same and member.last_year == item.last_cover_year and not is_asked:
        return {"already"}
    problems = set()
    if not is_asked and not is_estate:
        problems.add("member_state" if member.bank_index is None else "conflict")
    if member.bank_index is not None and not is_person:
        problems.add("index_mismatch")
    if member.bank_index is not None and member.last_year != item.last_cover_year:
        problems.add("conflict")
    fits = (not has_died, not has_died and member.guardian is not None, has_died)
    if not fits[item.holder_kind]:
        problems.add("holder_invalid")
    if is_estate:
        problems |= find_estate_problems(book, item.member)
    if problems:
        return problems
    member.bank_index = member.bank_index or item.person_index
    member.account, member.holder, member.last_year = item.account_token, item.holder_kind, item.last_cover_year
    book.wishes.pop(item.member, None)
    ask_retry(book, item.member)
    return problems


def find_estate_problems(book: Book, member_id: bytes) -> set[str]:
    """Return what forbids to verify the account of an estate: nobody is dead for the bank in the first days."""
    death = book.deaths.get(member_id)
    return {"estate_too_early"} if death is not None and book.day < death.day + ESTATE_DAYS else set()


# --- what failed ---


def find_payee(book: Book, claim: Claim) -> bytes:
    """Return whose account a claim is paid to: the guardian's, where he is the payee and lives."""
    guardian = book.members[claim.member].guardian
    if claim.payee_kind == 1 and guardian is not None and not is_dead(book, guardian):
        return guardian
    return claim.member


def is_payable(book: Book, member_id: bytes) -> bool:
    """Tell whether there is an account to pay to: of somebody who died, that of the estate alone."""
    member = book.members[member_id]
    return member.account is not None and (member.holder == 2 or not is_dead(book, member_id))


def list_failed(book: Book, member_id: bytes) -> list[Instruction]:
    """Return the failed payments of aid that a new account of somebody may put right: his claims', and to him."""
    found = []
    for record in book.instructions.values():
        if record.state == "failed" and record.kind == "aid" and record.claim is not None:
            claim = book.claims[record.claim]
            if member_id in (claim.member, find_payee(book, claim)):
                found.append(record)
    return found


def ask_retry(book: Book, member_id: bytes) -> None:
    """Try what failed so far again at the next 0:00; where the plan has ended, at once."""
    member = book.members[member_id]
    is_owed = member.is_gone and member.cash > 0
    if not is_owed and not list_failed(book, member_id):
        return
    if book.status == "ended":
        retry(book, Timer(0, "retry", member_id))
    else:
        book.add_timer("retry", 1, member_id)


def retry(book: Book, timer: Timer) -> None:
    """Order failed aid again, to the account that is verified now; what an ended membership owns is refunded."""
    member = book.members[timer.subject]
    if not is_payable(book, timer.subject):
        return
    for record in list_failed(book, timer.subject):
        assert record.claim is not None
        payee = find_payee(book, book.claims[record.claim])
        if is_payable(book, payee):
            record.state = "ready"
            record.account = book.members[payee].account
            record.attempt += 1
            claim_money.instructed(book, record.claim)
    if member.is_gone and member.cash > 0:
        amount, member.cash = member.cash, 0
        book.refund(timer.subject, amount)


def note_failed(book: Book, record: Instruction) -> None:
    """Try a failed payment again by itself where the account has changed while it was under way."""
    if record.member is None:
        return
    payee = record.member
    if record.kind == "aid" and record.claim is not None:
        payee = find_payee(book, book.claims[record.claim])
    if book.members[payee].account != record.account:
        ask_retry(book, payee)


def hold_for_estate(book: Book, record: Instruction) -> bool:
    """Hold signed aid to somebody who died before his estate has an account; tell whether it was held."""
    assert record.claim is not None
    payee = find_payee(book, book.claims[record.claim])
    if is_payable(book, payee) and book.members[payee].account == record.account:
        return False
    record.state = "failed"
    claim_money.pay_failed(book, record.claim)
    if is_payable(book, payee):
        ask_retry(book, payee)
    return True
