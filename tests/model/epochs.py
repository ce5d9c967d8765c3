"""Epochs of the blind index: each person gets a new one, from bank and auditor alike (contract 5, 6; ADR 0014)."""

from chain.contract.member_calls import IndexEpochOpen, IndexReissueItem
from tests.model.book import Book, Person
from tests.model.halves import cosign
from tests.model.persons import walk
from tests.model.records import Timer

REISSUE_DAYS = 30


def index_epoch_open(book: Book, signer: bytes, call: IndexEpochOpen) -> set[str]:
    """Begin an epoch with new keys; admissions wait until every person has a new index."""
    if call.plan != "care":
        return {"plan_unknown"}
    problems = set()
    if book.status == "ended":
        problems.add("plan_not_active")
    if book.epoch_pending is not None:
        problems.add("index_epoch_open")
    if call.epoch <= book.epoch_newest:
        problems.add("value_out_of_range")
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "auditor", "custodian")
    if signed is not None:
        book.epoch_newest = call.epoch
        book.epoch_pending = (call.epoch, book.day + REISSUE_DAYS)
        finish(book)
        watch(book)
    return problems


def finish(book: Book) -> None:
    """Let the pending epoch come into force once nobody is left."""
    if book.epoch_pending is not None and count_left(book) == 0:
        book.epoch, book.epoch_pending = book.epoch_pending[0], None


def count_left(book: Book) -> int:
    """Return how many persons have no index of the pending epoch."""
    if book.epoch_pending is None:
        return 0
    return sum(1 for person in book.persons.values() if person.epoch != book.epoch_pending[0])


def watch(book: Book) -> None:
    """Look again at the next 0:00."""
    if book.epoch_pending is not None:
        book.add_timer("epoch", 1, book.epoch_pending[0].to_bytes(2, "big"))


def look(book: Book, timer: Timer) -> None:
    """Bring the epoch into force, or drop it after its days."""
    if book.epoch_pending is None or book.epoch_pending[0].to_bytes(2, "big") != timer.subject:
        return
    finish(book)
    if is_too_late(book):
        book.epoch_pending = None
    watch(book)


def is_too_late(book: Book) -> bool:
    """Tell whether the days for a pending epoch are over."""
    return book.epoch_pending is not None and book.day >= book.epoch_pending[1]


def reissue(book: Book, role: str, epoch: int, item: IndexReissueItem) -> set[str]:
    """Take one side's word on the new index of a person; where both say the same, the entry moves."""
    member = book.members.get(item.member)
    if member is None:
        return {"member_unknown"}
    if member.bank_index is None or not member.is_admitted:
        return {"not_verified"}
    index, moved = walk(book, member.bank_index)
    is_pending = book.epoch_pending is not None and book.epoch_pending[0] == epoch
    if not is_pending and epoch != book.epoch:
        return {"index_epoch_unknown"}
    problems = set()
    if not is_pending and member.epoch == epoch:
        problems.add("conflict")
    if moved == epoch:
        return {"already"} if index == item.person_index else {"conflict"}
    if item.person_index == index or any(known == item.person_index for known, _ in book.reissues):
        # An index that is told to lead on, or the person's own.
        problems.add("conflict")
    told = book.reissues.get((index, epoch), {})
    if told.get(role) == item.person_index:
        problems.add("already")
    other = told.get("auditor" if role == "custodian" else "custodian")
    if other is not None and other != item.person_index:
        problems.add("index_mismatch")
    if problems:
        return problems
    book.reissues[index, epoch] = told | {role: item.person_index}
    if other is not None:
        move(book, index, item.person_index, epoch)
    return problems


def move(book: Book, index: bytes, new: bytes, epoch: int) -> None:
    """Let the old index lead to the new one; two entries that meet are one person, barred if either was."""
    book.reissued[index] = (new, epoch)
    person = book.persons.pop(index, None)
    if person is None:
        return
    there = book.persons.setdefault(new, Person(person.member, epoch=epoch))
    if person.is_barred and not there.is_barred:
        there.member, there.is_barred = person.member, True
    finish(book)
