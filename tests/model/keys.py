"""Keys of members: lost ones replaced, grown children's handed over (contract 5; ADR 0010)."""

import hashlib
from datetime import date

from chain.contract.member_calls import (
    GuardianHandOver,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
)
from tests.model.accounts import has_open_payment
from tests.model.book import Book, to_date, to_day
from tests.model.halves import cosign
from tests.model.owners import find_owner_problems, list_keys
from tests.model.records import Timer

VETO_DAYS = 14
HAND_OVER_DAYS = 90
NO_KEY = bytes(32)


# --- lost keys ---


def rekey_request(book: Book, signer: bytes, call: MemberRekeyRequest) -> set[str]:
    """Ask for another key: platform, an auditor and the new key; then 14 days for the old one."""
    problems = find_key_problems(book, call.member, call.new_key)
    if problems:
        return problems
    if call.member in book.rekeys:
        return {"already"} if book.rekeys[call.member][0] == call.new_key else {"rekey_pending"}
    problems, signed = cosign(book, signer, call, "platform", "auditor", call.new_key)
    if signed is not None:
        book.rekeys[call.member] = (call.new_key, book.add_timer("rekey", VETO_DAYS, call.member))
    return problems


def find_key_problems(book: Book, member_id: bytes, new_key: bytes) -> set[str]:
    """Return what forbids a key to become somebody's."""
    member = book.members.get(member_id)
    if member is None:
        return {"member_unknown"}
    problems = set()
    if member.is_gone and not has_open_payment(book, member_id):
        problems.add("member_state")
    if (
        new_key in list_keys(book, member)
        or is_recovery(member.recovery_hash, new_key)
        or new_key in book.organisations
    ):
        problems.add("key_in_use")
    return problems


def is_recovery(recovery_hash: bytes, key: bytes) -> bool:
    """Tell whether a key is the one that the member left the hash of."""
    return hashlib.sha256(key).digest() == recovery_hash


def rekey_veto(book: Book, signer: bytes, call: MemberRekeyVeto) -> set[str]:
    """Stop a request with the old key."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    if call.member not in book.rekeys:
        return {"rekey_unknown"}
    del book.rekeys[call.member]
    return problems


def rekey_recover(book: Book, signer: bytes, call: MemberRekeyRecover) -> set[str]:
    """Replace the key at once, by the recovery key."""
    problems = find_key_problems(book, call.member, call.new_key)
    member = book.members.get(call.member)
    if member is None or not is_recovery(member.recovery_hash, signer):
        return problems | ({"not_owner"} if member is not None else set())
    if not problems:
        book.rekeys.pop(call.member, None)
        replace_key(book, call.member, call.new_key)
    return problems


def end_veto(book: Book, timer: Timer) -> None:
    """Replace a key that nobody defended, unless an organisation has the new one by now."""
    pending = book.rekeys.get(timer.subject)
    if pending is not None and pending[1] is timer:
        del book.rekeys[timer.subject]
        if pending[0] not in book.organisations:
            replace_key(book, timer.subject, pending[0])


def replace_key(book: Book, member_id: bytes, key: bytes) -> None:
    """Give somebody another key; a child that has one of its own stands on its own."""
    book.members[member_id].key = key
    end_guardianship(book, member_id)


def end_guardianship(book: Book, member_id: bytes) -> None:
    """Let a membership stand on its own: its own key alone signs."""
    member = book.members[member_id]
    member.guardian = member.majority_year = None
    member.hand_over_asked = member.has_own_key = False


# --- grown children ---


def hand_over(book: Book, signer: bytes, call: GuardianHandOver) -> set[str]:
    """Give a grown child's membership its own key: the guardian's and the new key sign."""
    member = book.members.get(call.member)
    if member is None:
        return {"member_unknown"}
    if member.guardian is None:
        return {"guardian_missing"} | ({"member_state"} if member.is_gone else set())
    problems = set()
    if member.is_gone:
        problems.add("member_state")
    if member.majority_year is None:
        return problems | {"not_verified"}
    if member.has_own_key:
        problems.add("already")
    if to_date(book.day).year < member.majority_year:
        problems.add("not_of_age")
    guardian_key = book.members[member.guardian].key
    is_used = call.new_key == guardian_key or is_recovery(member.recovery_hash, call.new_key)
    if is_used or call.new_key in book.organisations:
        problems.add("key_in_use")
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, guardian_key, call.new_key)
    if signed is not None:
        member.key = call.new_key
        member.has_own_key = True
        if not member.hand_over_asked:
            start_hand_over(book, call.member)
    return problems


def start_hand_over(book: Book, member_id: bytes) -> None:
    """Let the guardian's last days begin."""
    book.members[member_id].hand_over_asked = True
    book.add_timer("hand_over", HAND_OVER_DAYS, member_id)


def set_majority(book: Book, member_id: bytes) -> None:
    """Note the year in which a child turns 18: by the last year of cover, which ends with the age limit."""
    member = book.members[member_id]
    if member.guardian is None:
        return
    limit = book.versions[member.version].terms.pinned.age_limit_years
    member.majority_year = max(0, member.last_year - limit + 19)
    asked_on = to_day(date(member.majority_year + 1, 1, 1)) if member.majority_year else 0
    book.add_timer("majority", max(1, asked_on - book.day), member_id)


def come_of_age(book: Book, timer: Timer) -> None:
    """Ask for the hand-over on the 1 January after the child turned 18; who left needs no key."""
    member = book.members[timer.subject]
    if member.majority_year is None or member.hand_over_asked:
        return
    if member.is_gone:
        member.majority_year = None
    else:
        start_hand_over(book, timer.subject)


def end_hand_over(book: Book, timer: Timer) -> None:
    """Let the guardian's signatures cease; a membership without a key of its own waits for a rekey."""
    member = book.members[timer.subject]
    if member.hand_over_asked:
        if not member.has_own_key:
            member.key = NO_KEY
        end_guardianship(book, timer.subject)
