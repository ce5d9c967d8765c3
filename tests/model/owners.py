"""Who signs for whom (contract 5; ADR 0010)."""

from tests.model.book import Book, Member


def list_keys(book: Book, member: Member) -> list[bytes]:
    """Return the keys that sign for a member: for a child the guardian's, a grown child's own beside it (ADR 0010)."""
    if member.guardian is None:
        return [member.key]
    guardian = book.members[member.guardian]
    return [guardian.key, member.key] if member.has_own_key else [guardian.key]


def find_owner_problems(book: Book, signer: bytes, member_id: bytes) -> set[str]:
    """Return what forbids a key to act for a member."""
    member = book.members.get(member_id)
    if member is None:
        return {"member_unknown"}
    return set() if signer in list_keys(book, member) else {"not_owner"}
