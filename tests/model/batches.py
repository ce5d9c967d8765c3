"""The batch of a period: who may sign, and what two signatures do (contract 1, 5 *batch_sign*)."""

from chain.contract.plan_calls import BatchSign
from tests.model import accounts, claim_money, payments
from tests.model.book import Book
from tests.model.records import Period

SILENCE_DAYS = 3


def batch_sign(book: Book, signer: bytes, call: BatchSign) -> set[str]:
    """Sign a batch; the second signature makes its instructions ready."""
    name, role = book.organisations.get(signer, ("", ""))
    if role not in ("platform", "auditor"):
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    period = find_period(book, call)
    if period is None:
        return {"period_unknown"}
    if name in period.signed:
        return {"already"}
    problems = set()
    if book.is_stopped:
        problems.add("plan_not_active")
    if period.status != "computed":
        problems.add("period_state")
    if call.batch_root != period.root:
        problems.add("batch_root_mismatch")
    if not may_sign(book, period, name, role):
        problems.add("wrong_role")
    if problems:
        return problems
    period.signed.append(name)
    if len(period.signed) == 2:
        period.status = "instructed"
        for instruction in period.instructions:
            release(book, instruction)
    return problems


def find_period(book: Book, call: BatchSign) -> Period | None:
    """Return a period, or the batch of one that a closed pool made."""
    if call.pool >= len(book.pools):
        return None
    pool = book.pools[call.pool]
    if call.period in pool.batches:
        return pool.batches[call.period]
    return pool.periods[call.period] if call.period < len(pool.periods) else None


def may_sign(book: Book, period: Period, name: str, role: str) -> bool:
    """Tell who may sign: platform and co-signer, after three days the confirmer, or whoever replaces a lost auditor."""
    if role == "platform" or name == period.cosigner:
        return True
    has_lost_one = period.cosigner not in book.auditors or period.confirmer not in book.auditors
    return period.waited >= SILENCE_DAYS and (name == period.confirmer or has_lost_one)


def release(book: Book, name: bytes) -> None:
    """Make aid ready for the bank; to somebody who died it waits for the account of his estate."""
    record = book.instructions[name]
    if accounts.hold_for_estate(book, record):
        payments.note_answered(book, name, record)
        return
    record.state = "ready"
    assert record.claim is not None
    claim_money.instructed(book, record.claim)
