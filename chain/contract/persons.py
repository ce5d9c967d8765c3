"""One person is one leaf: the map from the blind index to the member that holds it (contract 4, 5 *index_issue*).

free --admitted--> held --membership and last claim over--> free
                     +---main benefit paid, or voided-----> barred, for ever

An entry lies under the newest index of its person. An index of an older epoch leads there by the reissues that bank and
auditors agreed on (index_epoch.py); those stay, so that also what names a person by an old index, such as a membership
that ended long ago, finds the one entry.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.person_tables import (
    INDEX_EPOCH,
    MAIN_BENEFIT,
    REISSUE,
    IndexEpochRecord,
    MainBenefitRecord,
)
from chain.contract.tables import (
    MEMBER,
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
from chain.errors import InvariantViolation, Refusal
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


def require_known_member(state: Overlay, member_id: bytes) -> MemberRecord:
    """Return a member, whoever signs; raise `member_unknown`. Who signs for one is asked by `require_member`."""
    member = state.get(MEMBER, member_id)
    if member is None:
        raise Refusal("member_unknown", member=member_id.hex())
    return member


def is_gone(member: MemberRecord) -> bool:
    """Tell whether a membership or application has ended."""
    return member.status in _GONE


_FIRST_EPOCH: Final = IndexEpochRecord(
    epoch=0, bank_point=None, auditor_point=None, since_day=0, newest=0, persons=0, pending=None
)


def get_index_epoch(state: Overlay, plan: str) -> IndexEpochRecord:
    """Return the epoch of a plan's blind index; before the first admission and opening there is no record."""
    return state.get(INDEX_EPOCH, plan) or _FIRST_EPOCH


def resolve_index(state: Overlay, plan: str, person_index: bytes) -> tuple[bytes, int]:
    """Return (index under which a person's entry lies, epoch in which it moved there; 0: it never moved)."""
    epoch = 0
    if get_index_epoch(state, plan).newest == 0:
        return person_index, epoch
    while True:
        reissue = state.get(REISSUE, plan, person_index)
        if reissue is None or not reissue.is_moved:
            return person_index, epoch
        # Equal: into the entry of somebody else, who moved on in the same epoch. No circle: nothing moves to an index
        # that has led on (index_epoch.py).
        if reissue.bank_index is None or reissue.epoch < epoch:
            raise InvariantViolation(f"{plan}: an index moved to nowhere, or back, in epoch {reissue.epoch}")
        person_index, epoch = reissue.bank_index, reissue.epoch


def _count_person(state: Overlay, plan: str, change: int, *, moved: int) -> None:
    """Count an entry that came or went; `moved` is the epoch in which its index moved."""
    record = get_index_epoch(state, plan)
    pending = record.pending
    if pending is not None and moved != pending.epoch:
        pending = replace(pending, left=pending.left + change)
    state.put(INDEX_EPOCH, replace(record, persons=record.persons + change, pending=pending), plan)


def validate_person_free(state: Overlay, plan: str, person_index: bytes) -> None:
    """Raise `person_duplicate` where the person is a member of the plan already, or barred."""
    index, _ = resolve_index(state, plan, person_index)
    if state.get(PERSON, plan, index) is not None:
        raise Refusal("person_duplicate")


def hold_person(state: Overlay, plan: str, person_index: bytes, member_id: bytes) -> None:
    """Let a person belong to an admitted member."""
    index, moved = resolve_index(state, plan, person_index)
    state.put(PERSON, PersonRecord(member=member_id, is_barred=False), plan, index)
    _count_person(state, plan, 1, moved=moved)


def bar_person(state: Overlay, member_id: bytes, member: MemberRecord) -> bytes | None:
    """Let a person never come back: the main benefit was paid, or the membership was voided.

    Returns another membership that holds the person by now, where he had left, joined anew, and then claimed for a
    day of the old cover: the caller ends it.
    """
    if member.person_index is None or not member.is_admitted:
        return None
    index, moved = resolve_index(state, member.plan, member.person_index)
    person = state.get(PERSON, member.plan, index)
    if person is not None and person.is_barred:
        return None
    state.put(PERSON, PersonRecord(member=member_id, is_barred=True), member.plan, index)
    if person is None:
        _count_person(state, member.plan, 1, moved=moved)
    return person.member if person is not None and person.member != member_id else None


def name_voided(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Let the entry of a barred person name the membership that was voided, whatever barred him first.

    It is by this name that the claims of every other membership of the person are found to be void (void.py).
    """
    person = get_person(state, member)
    if person is None or not person.is_barred or member.person_index is None:
        return
    index, _ = resolve_index(state, member.plan, member.person_index)
    state.put(PERSON, replace(person, member=member_id), member.plan, index)


def is_barred(state: Overlay, member: MemberRecord) -> bool:
    """Tell whether the person behind a membership may not come back, nor claim again."""
    person = get_person(state, member)
    return person is not None and person.is_barred


def get_person(state: Overlay, member: MemberRecord) -> PersonRecord | None:
    """Return the entry of the person behind a membership.

    It names the membership that holds him; once he is barred, the one that was voided last or, where none was, the one
    whose benefit was paid.
    """
    if member.person_index is None:
        return None
    index, _ = resolve_index(state, member.plan, member.person_index)
    return state.get(PERSON, member.plan, index)


def free_person(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Let a person apply again, unless barred.

    For an ended membership without an open claim only: while a claim is open its outcome may still bar the person.
    """
    if member.person_index is None or not member.is_admitted:
        return
    index, moved = resolve_index(state, member.plan, member.person_index)
    person = state.get(PERSON, member.plan, index)
    if person is not None and person.member == member_id and not person.is_barred:
        state.delete(PERSON, member.plan, index)
        _count_person(state, member.plan, -1, moved=moved)


# --- the main benefit, once for each person ---


def has_other_benefit(state: Overlay, member: MemberRecord, claim_id: bytes) -> bool:
    """Tell whether another claim of the person behind a membership has the main benefit, of whichever membership.

    Who leaves and joins anew may claim for days of both memberships at a time; the bar of `bar_person` comes with the
    payment, and would be too late for a claim that is confirmed by then.
    """
    key = _benefit_key(state, member)
    known = None if key is None else state.get(MAIN_BENEFIT, *key)
    return known is not None and known.claim != claim_id


def take_benefit(state: Overlay, member: MemberRecord, claim_id: bytes) -> None:
    """Give a person's main benefit to a claim that is confirmed."""
    key = _benefit_key(state, member)
    if key is not None:
        state.put(MAIN_BENEFIT, MainBenefitRecord(claim=claim_id), *key)


def drop_benefit(state: Overlay, member: MemberRecord, claim_id: bytes) -> None:
    """Let a person have a main benefit again: the claim that had it ended without a payment."""
    key = _benefit_key(state, member)
    known = None if key is None else state.get(MAIN_BENEFIT, *key)
    if key is not None and known is not None and known.claim == claim_id:
        state.delete(MAIN_BENEFIT, *key)


def move_benefit(state: Overlay, plan: str, old_index: bytes, new_index: bytes) -> None:
    """Let what a person's old index says of the main benefit stand under the new one."""
    known = state.get(MAIN_BENEFIT, plan, old_index)
    if known is None:
        return
    state.delete(MAIN_BENEFIT, plan, old_index)
    if state.get(MAIN_BENEFIT, plan, new_index) is None:
        state.put(MAIN_BENEFIT, known, plan, new_index)


def _benefit_key(state: Overlay, member: MemberRecord) -> tuple[str, bytes] | None:
    if member.person_index is None:
        return None
    return member.plan, resolve_index(state, member.plan, member.person_index)[0]
