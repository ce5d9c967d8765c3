"""Which version of the rules holds for whom on which day (contract 3.0; ADR 0015)."""

from chain.contract.terms import PinnedTerms
from tests.model.book import Book, Member


def follow(book: Book, version: int, day: int) -> int:
    """Return what a version has become by a day for those who signed it."""
    record = book.versions[version]
    if record.superseded_by is None or record.superseded_day > day:
        return version
    return follow(book, record.superseded_by, day)


def get_pinned(book: Book, member: Member) -> PinnedTerms:
    """Return what holds for a member who signed last what he signed last."""
    return book.versions[follow(book, member.version, book.day)].terms.pinned


def get_pin(book: Book, member: Member, day: int) -> tuple[int, int]:
    """Return (version, pool) that held for him on a day; before joining, as at joining."""
    _, version, pool = [item for item in member.pins if item[0] <= day][-1]
    return follow(book, version, day), pool


def pin(member: Member, day: int, version: int, pool: int) -> None:
    """Let a version hold from a day on, in place of another one of that day or later."""
    member.pins = [item for item in member.pins if item[0] < day]
    member.pins.append((day, version, pool))
    member.version = version
