"""Deaths: reported, and put right where the report was wrong (contract 5 *death_report*; ADR 0010)."""

import copy

from chain.contract.member_calls import DeathReport, DeathRevoke
from tests.model import accounts, entry, members, persons
from tests.model.book import Book, Death, Member, to_date
from tests.model.halves import cosign
from tests.model.owners import list_keys


def death_report(book: Book, signer: bytes, call: DeathReport) -> set[str]:
    """End a membership for the estate: by the bank or an auditor alone, by anybody else with an auditor."""
    member = book.members.get(call.member)
    if member is None:
        return {"member_unknown"}
    name, role = book.organisations.get(signer, ("", ""))
    problems = set()
    if call.member in book.deaths:
        problems.add("already")
    if member.status in ("refused", "expired") and not accounts.has_open_payment(book, call.member):
        problems.add("member_state")
    if role and role not in ("custodian", "auditor"):
        problems.add("wrong_role")
    if problems:
        return problems
    half = book.halves.get(call)
    if role != "custodian" and (role != "auditor" or half is not None):
        heir = signer if half is None else half.signed[0][1]
        problems, signed = cosign(book, signer, call, heir, "auditor")
        if signed is None:
            return problems
        name = signed[1]
    claim = None if member.claim is None else book.claims[member.claim]
    book.deaths[call.member] = Death(
        day=book.day,
        reporter=name,
        before=None if member.is_gone else copy.copy(member),
        payee_before=0 if claim is None else claim.payee_kind,
    )
    if claim is not None:
        claim.payee_kind = 2
    if not member.is_gone:
        entry.leave(book, call.member, "died")
    return problems


def death_revoke(book: Book, signer: bytes, call: DeathRevoke) -> set[str]:
    """Put a wrong report right: the member's key, and the bank or (where that reported) an auditor."""
    member = book.members.get(call.member)
    if member is None:
        return {"member_unknown"}
    death = book.deaths.get(call.member)
    if death is None:
        return {"death_unknown"}
    problems = set()
    if member.holder == 2:
        problems.add("estate_verified")
    if book.pool_of(member).is_window:
        problems.add("window_open")
    if member.status in ("leaving", "moving"):
        problems.add("member_state")
    is_restored = member.status == "died" and death.before is not None
    # An illness inside the waiting period ends the membership, whoever died.
    has_shares_back = book.docket.of(call.member).is_refunded
    if is_restored and not has_shares_back and not persons.is_free(book, call.member):
        problems.add("person_duplicate")
    if problems:
        return problems
    reporter_role = next((role for name, role in book.organisations.values() if name == death.reporter), "")
    witness = "auditor" if reporter_role == "custodian" else "custodian"
    problems, signed = cosign(book, signer, call, list_keys(book, member)[-1], witness)
    if signed is None:
        return problems
    del book.deaths[call.member]
    if member.claim is not None:
        book.claims[member.claim].payee_kind = death.payee_before
    if is_restored and death.before is not None:
        if has_shares_back or book.pool_of(member).closed is not None:
            member.status = "left"
        else:
            restore(book, call.member, death)
    accounts.ask_retry(book, call.member)
    return problems


def restore(book: Book, member_id: bytes, death: Death) -> None:
    """Let a membership stand as it was: the same money at the present index, no gap in its cover."""
    member, before, last = book.members[member_id], death.before, death.last
    assert before is not None and last is not None
    if member.is_admitted:
        persons.hold(book, member_id)
    ended_on = member.since
    member.status, member.since = before.status, before.since
    member.covered |= last.covered
    member.covered_accident |= last.covered_accident
    if before.status in ("queued", "moving"):
        # The queue or the transfer that he was in is over: he enters now, if he still may.
        member.status, member.paid = "verified", 0
        if entry.is_enough(book, member) and not book.is_winding:
            entry.start_entry(book, member_id)
        else:
            members.start_application(book, member_id)
    elif last.is_leaf:
        restore_leaf(book, member, last, ended_on)
    elif member.status == "waiting":
        member.wait_until(max(book.day + 1, before.waiting_end))
    else:
        members.start_application(book, member_id)
    if member.is_admitted and to_date(book.day).year > member.last_year:
        entry.leave(book, member_id, "age_out")


def restore_leaf(book: Book, member: Member, last: Member, ended_on: int) -> None:
    """Put the leaf back with its money; one that was suspended is so still, as if it had been there."""
    money, member.cash = member.cash, 0
    member.is_leaf = True
    if last.arrears:
        member.rem = min(last.rem, money)
        member.cash = money - member.rem
        member.arrears, member.missed, member.suspended_on = last.arrears, last.missed, last.suspended_on
        return
    member.fill(money)
    days = range(ended_on + 1, book.day + 1)
    member.covered.update(day for day in days if day >= member.cover_from)
    member.covered_accident.update(day for day in days if day >= member.accident_from)
