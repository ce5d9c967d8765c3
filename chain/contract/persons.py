"""One person is one leaf: the map from the blind index to the member that holds it (contract 4, 5 *index_issue*).

free --admitted--> held --membership and last claim over--> free
                     +---main benefit paid, or voided-----> barred, for ever
"""

from typing import Final

from chain.contract.tables import (
    MEMBER_AGED_OUT,
    MEMBER_CLAIMED_OUT,
    MEMBER_DIED,
    MEMBER_EXPIRED,
    MEMBER_LEFT,
    MEMBER_REFUSED,
    MEMBER_VOIDED,
    PERSON,
    MemberRecord,
    PersonRecord,
)
from chain.errors import Refusal
from chain.state import Overlay

_GONE: Final = (
    MEMBER_LEFT,
    MEMBER_REFUSED,
    MEMBER_EXPIRED,
    MEMBER_CLAIMED_OUT,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_VOIDED,
)


def is_gone(member: MemberRecord) -> bool:
    """Tell whether a membership or application has ended."""
    return member.status in _GONE


def validate_person_free(state: Overlay, plan: str, person_index: bytes) -> None:
    """Raise `person_duplicate` where the person is a member of the plan already, or barred."""
    if state.get(PERSON, plan, person_index) is not None:
        raise Refusal("person_duplicate")


def hold_person(state: Overlay, plan: str, person_index: bytes, member_id: bytes) -> None:
    """Let a person belong to an admitted member."""
    state.put(PERSON, PersonRecord(member=member_id, is_barred=False), plan, person_index)


def bar_person(state: Overlay, member_id: bytes, member: MemberRecord) -> bytes | None:
    """Let a person never come back: the main benefit was paid, or the membership was voided.

    Returns another membership that holds the person by now, where he had left, joined anew, and then claimed for a
    day of the old cover: the caller ends it.
    """
    if member.person_index is None or not member.is_admitted:
        return None
    person = state.get(PERSON, member.plan, member.person_index)
    if person is not None and person.is_barred:
        return None
    state.put(PERSON, PersonRecord(member=member_id, is_barred=True), member.plan, member.person_index)
    return person.member if person is not None and person.member != member_id else None


def is_barred(state: Overlay, member: MemberRecord) -> bool:
    """Tell whether the person behind a membership may not come back, nor claim again."""
    if member.person_index is None:
        return False
    person = state.get(PERSON, member.plan, member.person_index)
    return person is not None and person.is_barred


def free_person(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Let a person apply again, unless barred.

    For an ended membership without an open claim only: while a claim is open its outcome may still bar the person.
    """
    if member.person_index is None or not member.is_admitted:
        return
    person = state.get(PERSON, member.plan, member.person_index)
    if person is not None and person.member == member_id and not person.is_barred:
        state.delete(PERSON, member.plan, member.person_index)
