"""One person, one membership: who holds a person, who is barred, under which index (contract 4; ADR 0014)."""

from tests.model.book import Book, Person


def walk(book: Book, index: bytes) -> tuple[bytes, int]:
    """Return the newest index of the person that an index leads to, and the epoch of the last step; 0: none."""
    epoch = 0
    while index in book.reissued:
        index, epoch = book.reissued[index]
    return index, epoch


def resolve(book: Book, index: bytes) -> bytes:
    """Return the newest index of the person that an index, also an old one, leads to."""
    return walk(book, index)[0]


def get_index(book: Book, member_id: bytes) -> bytes | None:
    """Return the index of an admitted member's person."""
    member = book.members[member_id]
    if member.bank_index is None or not member.is_admitted:
        return None
    return resolve(book, member.bank_index)


def hold(book: Book, member_id: bytes) -> None:
    """Let a person belong to an admitted member, if he is nobody's."""
    index = book.members[member_id].bank_index
    if index is not None:
        newest, epoch = walk(book, index)
        book.persons.setdefault(newest, Person(member_id, epoch=epoch))


def is_free(book: Book, member_id: bytes) -> bool:
    """Tell whether a person is nobody's, or this member's own, and not barred."""
    index = get_index(book, member_id)
    person = None if index is None else book.persons.get(index)
    return person is None or (person.member == member_id and not person.is_barred)


def bar(book: Book, member_id: bytes) -> bytes | None:
    """Let the person behind a membership never come back; return another membership that he holds by now."""
    index = get_index(book, member_id)
    if index is None:
        return None
    hold(book, member_id)
    person = book.persons[index]
    if person.is_barred:
        return None
    holder, person.member, person.is_barred = person.member, member_id, True
    return holder if holder != member_id else None


def name_voided(book: Book, member_id: bytes) -> None:
    """Let the entry of a barred person say which membership was voided, whatever barred him first."""
    person = get(book, member_id)
    if person is not None and person.is_barred:
        person.member = member_id


def release(book: Book, member_id: bytes) -> None:
    """Let the person of an ended membership apply again, unless barred."""
    index = get_index(book, member_id)
    person = None if index is None else book.persons.get(index)
    if index is not None and person is not None and person.member == member_id and not person.is_barred:
        del book.persons[index]


def is_barred(book: Book, member_id: bytes) -> bool:
    """Tell whether the person may neither come back nor claim again."""
    person = get(book, member_id)
    return person is not None and person.is_barred


def get(book: Book, member_id: bytes) -> Person | None:
    """Return the person behind a membership."""
    index = book.members[member_id].bank_index
    return None if index is None else book.persons.get(resolve(book, index))
