"""What bank, auditor and platform do to an application, and what silence does (contract 2 *Membership*, 5)."""

from chain.contract.member_calls import AccountVerifyItem, IndexIssueItem, MemberRefuseItem
from tests.model import accounts, entry, keys, persons
from tests.model.book import DAY_MS, Book, Member, to_date
from tests.model.records import Timer

ADMISSION_DAYS = 15


def account_verify(book: Book, item: AccountVerifyItem) -> set[str]:
    """Take the bank's word on an applicant; on anybody else it is about another account."""
    member = book.members.get(item.member)
    if member is None:
        return {"member_unknown"}
    if member.status == "applied" and book.epoch_pending is not None:
        return {"index_epoch_open"}
    bank_index, audit_index = get_halves(book, member)
    if bank_index is not None or member.is_gone:
        return accounts.verify_again(book, item)
    problems = set()
    if member.status != "applied":
        problems.add("member_state")
    if item.holder_kind == 2 or (item.holder_kind == 1 and member.guardian is None):
        problems.add("holder_invalid")
    if item.last_cover_year > to_date(book.day).year + 150:
        problems.add("value_out_of_range")
    problems |= find_index_problems(book, item.person_index, audit_index)
    if problems:
        return problems
    member.epoch = book.epoch
    member.bank_index, member.audit_index = item.person_index, audit_index
    member.account = item.account_token
    member.holder, member.last_year = item.holder_kind, item.last_cover_year
    start_admission(book, item.member)
    return problems


def index_issue(book: Book, item: IndexIssueItem) -> set[str]:
    """Take the auditor's half of the blind index."""
    member = book.members.get(item.member)
    if member is None:
        return {"member_unknown"}
    if book.epoch_pending is not None:
        return {"index_epoch_open"}
    if item.epoch != book.epoch:
        return {"value_out_of_range"}
    bank_index, audit_index = get_halves(book, member)
    if audit_index is not None:
        return {"already"} if audit_index == item.person_index else {"conflict"}
    problems = set()
    if member.status != "applied":
        problems.add("member_state")
    problems |= find_index_problems(book, item.person_index, bank_index)
    if problems:
        return problems
    member.epoch = book.epoch
    member.bank_index, member.audit_index = bank_index, item.person_index
    start_admission(book, item.member)
    return problems


def get_halves(book: Book, member: Member) -> tuple[bytes | None, bytes | None]:
    """Return the index by bank and auditor; what an applicant got in an older epoch counts no more (ADR 0014)."""
    if member.status == "applied" and member.epoch != book.epoch:
        return None, None
    return member.bank_index, member.audit_index


def find_index_problems(book: Book, index: bytes, other: bytes | None) -> set[str]:
    """Return what the two halves together forbid."""
    if other is None:
        return set()
    problems = set()
    if index != other:
        problems.add("index_mismatch")
    if persons.resolve(book, index) in book.persons:
        problems.add("person_duplicate")
    return problems


def start_admission(book: Book, member_id: bytes) -> None:
    """Give the platform its days once both halves are there."""
    member = book.members[member_id]
    if member.bank_index is not None and member.audit_index is not None:
        due_ms = book.now_ms + ADMISSION_DAYS * DAY_MS
        book.add_timer("admission", ADMISSION_DAYS, member_id, due_ms=due_ms)


def member_admit(book: Book, member_id: bytes) -> set[str]:
    """Countersign an admission; who has paid enough enters."""
    member = book.members.get(member_id)
    if member is None:
        return {"member_unknown"}
    if member.is_admitted:
        return {"already"}
    problems = set()
    if member.status != "applied":
        problems.add("member_state")
    if book.status != "active":
        problems.add("plan_not_active")
    if member.bank_index is None or member.audit_index is None:
        return problems | {"not_verified"}
    if book.epoch_pending is not None:
        problems.add("index_epoch_open")
    if member.epoch != book.epoch:
        problems.add("index_outdated")
    index = persons.resolve(book, member.bank_index)
    if index in book.persons:
        problems.add("person_duplicate")
    if to_date(book.day).year > member.last_year:
        problems.add("age_limit")
    if problems:
        return problems
    persons.hold(book, member_id)
    member.is_admitted = True
    member.status = "verified"
    keys.set_majority(book, member_id)
    if member.cash > 0:
        entry.enter_if_enough(book, member_id, book.day)
    return problems


def member_refuse(book: Book, item: MemberRefuseItem) -> set[str]:
    """Refuse an application; what was paid in goes back."""
    member = book.members.get(item.member)
    if member is None:
        return {"member_unknown"}
    if member.status == "refused":
        return {"already"}
    problems = set()
    if member.status != "applied":
        problems.add("member_state")
    if book.status != "active":
        problems.add("plan_not_active")
    if not problems:
        entry.end(book, item.member, "refused")
    return problems


# --- silence and dates ---


def expire_application(book: Book, timer: Timer) -> None:
    """Let an application lapse that came to nothing."""
    if book.members[timer.subject].status in ("applied", "verified"):
        entry.end(book, timer.subject, "expired")


def expire_admission(book: Book, timer: Timer) -> None:
    """Let an application lapse about which the platform was silent."""
    if book.members[timer.subject].status == "applied":
        entry.end(book, timer.subject, "expired")


def run_age_out(book: Book) -> None:
    """End, on 1 January, the memberships of those whose last year of cover is over; by id."""
    today = to_date(book.day)
    if (today.month, today.day) != (1, 1):
        return
    for member_id in sorted(book.members):
        member = book.members[member_id]
        is_due = member.is_admitted and member.last_year == today.year - 1
        if is_due and not member.is_gone and member.status != "leaving":
            entry.leave(book, member_id, "age_out")
