"""Instructions and the bank's word on them: paid, failed, come back, unclaimed, released (contract 2, 3.5, 5)."""

from chain.contract.money_calls import FeeWithdraw, InstructionAckItem, SingleRelease
from tests.model import accounts, claim_money, deposits, moves
from tests.model.book import Book, Custody
from tests.model.halves import cosign
from tests.model.records import Instruction

UNCLAIMED_DAYS = 1_095


def find_instruction(book: Book, custody: Custody, name: bytes) -> Instruction | None:
    """Return an instruction to one account."""
    record = book.instructions.get(name)
    return record if record is not None and record.pool == custody.pool else None


def instruction_ack(book: Book, custody: Custody, item: InstructionAckItem) -> set[str]:
    """Take the bank's word on an instruction."""
    record = find_instruction(book, custody, item.instruction)
    if record is None:
        return {"instruction_unknown"}
    answer = (item.is_settled, item.booking_day, item.ref_token, item.reason)
    if record.state in ("settled", "failed"):
        is_same = record.answer is not None and record.amount == item.amount and is_told_again(record, answer)
        return {"already"} if is_same else {"conflict"}
    if record.attempt > 0 and record.answer is not None and record.answer[2] == item.ref_token:
        # What was said of an earlier attempt.
        return {"already"}
    problems = find_answer_problems(record, item)
    if item.booking_day > book.day:
        problems.add("day_in_future")
    if item.is_settled:
        problems |= deposits.find_day_problems(book, custody, item.booking_day)
    if problems:
        return problems
    if item.is_settled:
        deposits.note_booking(custody, item.booking_day, out_fen=item.amount)
    book_answer(book, record, item)
    return problems


def is_told_again(record: Instruction, answer: tuple[bool, int, bytes, int]) -> bool:
    """Tell whether an answer was given before; that a payment was made stays true when its money came back."""
    return record.answer == answer or (
        record.has_come_back and record.answer is not None and record.answer[:3] == answer[:3]
    )


def find_answer_problems(record: Instruction, item: InstructionAckItem) -> set[str]:
    """Return what forbids an answer to be the one that is waited for."""
    problems = set()
    if record.state != "ready":
        problems.add("instruction_state")
    if item.amount != record.amount:
        problems.add("amount_mismatch")
    return problems


def book_answer(book: Book, record: Instruction, item: InstructionAckItem) -> None:
    """Carry out what the bank says; the last first answer of a batch closes its period."""
    is_first = record.attempt == 0
    record.answer = (item.is_settled, item.booking_day, item.ref_token, item.reason)
    record.has_come_back = False
    record.state = "settled" if item.is_settled else "failed"
    if item.is_settled:
        settle(book, record)
    else:
        fail(book, record)
        accounts.note_failed(book, record)
    if record.kind == "aid" and is_first:
        note_answered(book, item.instruction, record)


def note_answered(book: Book, name: bytes, record: Instruction) -> None:
    """Close a period whose instructions have all been answered once."""
    pool = book.pools[record.pool]
    period = pool.batches[record.period] if record.period in pool.batches else pool.periods[record.period]
    period.answered.add(name)
    if period.answered == set(period.instructions):
        period.status = "closed"


def settle(book: Book, record: Instruction) -> None:
    """Take paid money out of the books; a fee is earned with its payment."""
    pool = book.pools[record.pool]
    pool.cash -= record.amount
    if record.kind != "aid":
        pool.outgoing -= record.amount
        return
    pool.aid_payable -= record.amount
    pool.fee_held -= record.fee
    pool.fee_payable += record.fee
    assert record.claim is not None
    claim_money.paid(book, record.claim, record.amount, record.fee)


def fail(book: Book, record: Instruction) -> None:
    """Put unpaid money back where it came from; aid stays payable."""
    pool = book.pools[record.pool]
    if record.kind == "aid":
        assert record.claim is not None
        claim_money.pay_failed(book, record.claim)
        return
    pool.outgoing -= record.amount
    if record.kind == "return" and record.deposit is not None:
        account, day, ref_token = record.deposit
        deposits.find_deposit(book, *record.deposit).returned -= record.amount
        pool.unmatched += record.amount
        deposits.ask_return(book, account, day, ref_token)
    elif record.kind == "fee":
        pool.fee_payable += record.amount
    elif record.kind == "residue":
        pool.carry += record.amount
    elif record.kind == "transfer":
        moves.fail_transfer(book, record)
    else:
        fail_refund(book, record)


def fail_refund(book: Book, record: Instruction) -> None:
    """Put a refund back into the balance; to who has changed pool since, or is about to, it is ordered anew."""
    assert record.member is not None
    member = book.members[record.member]
    pool = book.pools[record.pool]
    if member.pool != record.pool or member.status == "moving":
        pool.outgoing += record.amount
        book.instruct(pool, "refund", record.amount, member=record.member, account=member.account)
    elif member.status == "sharing" and member.is_paying:
        deposits.credit_leaf(member, record.amount)
    else:
        member.cash += record.amount


def come_back(book: Book, custody: Custody, name: bytes | None, amount: int) -> set[str]:
    """Let a payment that was made count as failed; of its fee comes back what was not withdrawn yet (ADR 0017)."""
    record = None if name is None else find_instruction(book, custody, name)
    if record is None:
        return {"instruction_unknown"}
    if record.state != "settled" or (record.kind == "transfer" and not moves.is_under_way(book, record)):
        return {"instruction_state"}
    if amount != record.amount:
        return {"amount_mismatch"}
    if record.claim is not None and book.claims[record.claim].status == "clawback":
        return {"claim_state"}
    pool = book.pools[record.pool]
    record.state = "failed"
    record.has_come_back = True
    pool.cash += amount
    if record.kind != "aid":
        pool.outgoing += amount
        fail(book, record)
    else:
        assert record.claim is not None
        earned, record.fee = record.fee, min(record.fee, pool.fee_payable)
        pool.aid_payable += amount
        pool.fee_held += record.fee
        pool.fee_payable -= record.fee
        claim_money.returned(book, record.claim, amount, earned)
    accounts.note_failed(book, record)
    return set()


def unclaim(book: Book, custody: Custody, name: bytes) -> set[str]:
    """Give aid back to the pool that nobody could be paid for 1,095 days; to a closed one other money as well."""
    record = find_instruction(book, custody, name)
    if record is None:
        return {"instruction_unknown"}
    if record.state == "unclaimed":
        return {"already"}
    pool = book.pools[record.pool]
    is_due_back = record.kind == "aid" or (record.kind in ("refund", "return") and pool.closed is not None)
    if record.state != "failed" or not is_due_back:
        return {"instruction_state"}
    failed_on = 0 if record.answer is None else record.answer[1]
    owner = book.members[record.member] if record.kind == "refund" and record.member is not None else None
    # What failed while he was a member was balance again.
    ended_on = owner.since if owner is not None and owner.is_gone else 0
    if book.day - max(record.made_day, failed_on, ended_on) < UNCLAIMED_DAYS:
        return {"not_unclaimed_yet"}
    if record.kind == "refund":
        amount = take_from_member(book, record)
    elif record.kind == "return":
        amount = take_from_deposit(book, record)
    else:
        amount = record.amount + record.fee
        pool.aid_payable -= record.amount
        pool.fee_held -= record.fee
    if amount == 0:
        return {"instruction_state"}
    pool.carry += amount
    pool.unclaimed += amount
    record.state = "unclaimed"
    if record.claim is not None:
        claim_money.unclaimed(book, record.claim, record.amount)
    return set()


def take_from_member(book: Book, record: Instruction) -> int:
    """Take what a refund that failed left with somebody who is gone."""
    assert record.member is not None
    member = book.members[record.member]
    amount = min(record.amount, member.cash) if member.is_gone and member.pool == record.pool else 0
    member.cash -= amount
    return amount


def take_from_deposit(book: Book, record: Instruction) -> int:
    """Take what is unmatched of a deposit that could not be returned."""
    assert record.deposit is not None
    pool = book.pools[record.pool]
    deposit = deposits.find_deposit(book, *record.deposit)
    amount = min(record.amount, deposit.unmatched)
    deposit.returned += amount
    pool.unmatched -= amount
    return amount


def single_release(book: Book, signer: bytes, call: SingleRelease) -> set[str]:
    """Let one payment go out although the plan is frozen: bank and auditor."""
    record = book.instructions.get(call.instruction)
    if record is None:
        return {"instruction_unknown"}
    problems = set()
    if call.instruction in book.released:
        problems.add("already")
    if book.status != "frozen":
        problems.add("plan_not_frozen")
    if record.state != "ready":
        problems.add("instruction_state")
    if record.kind not in ("aid", "refund") or record.account is None:
        problems.add("payee_unverified")
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "custodian", "auditor")
    if signed is not None:
        book.released.add(call.instruction)
    return problems


def fee_withdraw(book: Book, signer: bytes, call: FeeWithdraw) -> set[str]:
    """Pay the platform what it has earned: platform and auditor."""
    if call.plan != "care":
        return {"plan_unknown"}
    if call.pool >= len(book.pools):
        return {"pool_unknown"}
    pool = book.pools[call.pool]
    problems = set()
    if book.status == "frozen":
        problems.add("plan_not_active")
    if call.amount > pool.fee_payable:
        problems.add("fee_too_high")
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "platform", "auditor")
    if signed is not None:
        pool.fee_payable -= call.amount
        pool.outgoing += call.amount
        book.instruct(pool, "fee", call.amount, account=call.account_token)
    return problems
