"""Erasure: who may ask when, and who must confirm (contract 2 *ERASED*, 5; ADR 0013)."""

from chain.contract.member_calls import ErasureReceiptItem, ErasureRequest
from tests.model import accounts, hearings
from tests.model.book import Book, Member
from tests.model.owners import find_owner_problems
from tests.model.pins import follow
from tests.model.records import Stage, Timer

RETENTION_DAYS = 30
RECEIPT_DAYS = 30


def erasure_request(book: Book, signer: bytes, call: ErasureRequest) -> set[str]:
    """Ask for deletion: the member or any auditor, once nothing is open and the retention is over."""
    if call.member not in book.members:
        return {"member_unknown"}
    problems = set()
    if book.role_of(signer) != "auditor":
        problems |= find_owner_problems(book, signer, call.member)
    member = book.members[call.member]
    known = book.erasures.get(call.member)
    if known is not None and int(known.by) >= call.scope:
        problems.add("already")
    if not member.is_gone:
        return problems | {"member_state"}
    if member.claim is not None:
        problems.add("claim_open")
    if hearings.is_open(book, call.member) and book.status != "ended":
        problems.add("void_open")
    if member.cash > 0 or accounts.list_failed(book, call.member):
        problems.add("money_open")
    if book.day < member.since + get_claim_days(book, member) + RETENTION_DAYS:
        problems.add("retention_running")
    if not problems:
        stage = book.erasures[call.member] = Stage("requested", book.day, by=str(call.scope))
        stage.timer = book.add_timer("erasure", RECEIPT_DAYS, call.member)
    return problems


def get_claim_days(book: Book, member: Member) -> int:
    """Return how long somebody who left may still claim for a day of his cover: by any version that held for him."""
    if member.entry_day == 0:
        return 0
    signed = [version for _, version, _ in member.pins]
    held = signed + [follow(book, version, member.since) for version in signed]
    return max(book.versions[version].terms.pinned.claim_window_days for version in held)


def receive(book: Book, name: str, item: ErasureReceiptItem) -> set[str]:
    """Take an organisation's word that data and keys are gone there."""
    if item.member not in book.members:
        return {"member_unknown"}
    stage = book.erasures.get(item.member)
    if stage is None or stage.by != str(item.scope):
        return {"erasure_unknown"}
    if name in stage.receipts:
        return {"already"}
    stage.receipts.append(name)
    finish(book, stage)
    return set()


def finish(book: Book, stage: Stage) -> None:
    """Call a member erased once platform, custodian and every auditor in office have confirmed."""
    needed = [name for name, role in book.organisations.values() if role in ("platform", "custodian", "auditor")]
    if all(name in stage.receipts for name in needed):
        stage.name, stage.timer = "erased", None


def ask_again(book: Book, timer: Timer) -> None:
    """Call missing receipts overdue, and ask again."""
    stage = book.erasures[timer.subject]
    if stage.timer is not timer:
        return
    finish(book, stage)
    if stage.name == "requested":
        stage.timer = book.add_timer("erasure", RECEIPT_DAYS, timer.subject)
