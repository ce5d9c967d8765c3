"""Bank and chain agree: statements, explanations, letters, other movements (contract 2 *Custody*, 3.5; ADR 0017)."""

import copy
from collections.abc import Sequence

from chain.contract.money_calls import (
    BalanceConfirm,
    CashOtherItem,
    ForeignDebit,
    LateCash,
    LateDeposit,
    LatePayment,
    LateRecall,
    StatementLine,
    StatementObject,
    StatementPost,
    StatementResolve,
    StruckDeposit,
    StruckPayment,
)
from tests.model import deposits, payments
from tests.model.book import Book, Custody
from tests.model.halves import cosign
from tests.model.records import Deposit, Stage, Statement, Timer

Moved = tuple[int, int, int, int]
OBJECTION_DAYS = 2
LETTER_DAYS = 92
INTEREST, RECOVERY, REPAYMENT, RETURNED = range(4)


# --- money that is no deposit ---


def cash_other(book: Book, custody: Custody, item: CashOtherItem) -> set[str]:
    """Book another incoming movement."""
    problems = find_cash_problems(custody, item) or deposits.find_day_problems(book, custody, item.booking_day)
    if problems:
        return problems
    problems = book_cash(book, custody, item)
    if not problems:
        deposits.note_booking(custody, item.booking_day, in_fen=item.amount)
    return problems


def find_cash_problems(custody: Custody, item: CashOtherItem) -> set[str]:
    """Return whether a reference has counted already."""
    known = custody.deposits.get((item.booking_day, item.ref_token))
    if known is None:
        return set()
    return {"already"} if known.told == item else {"reference_conflict"}


def book_cash(book: Book, custody: Custody, item: CashOtherItem) -> set[str]:
    """Take a movement for its purpose; what exceeds it goes back."""
    pool = book.pools[custody.pool]
    if item.kind == INTEREST:
        taken = item.amount
        pool.interest += taken
        pool.carry += taken
        pool.cash += taken
    elif item.kind == RECOVERY:
        problems, taken = recover(book, custody, item)
        if problems:
            return problems
    elif item.kind == REPAYMENT:
        taken = min(item.amount, custody.owed)
        custody.owed -= taken
    else:
        problems = payments.come_back(book, custody, item.instruction, item.amount)
        if problems:
            return problems
        taken = item.amount
    pool.cash += item.amount - taken
    deposit = Deposit(amount=item.amount, value_day=item.booking_day, taken=taken, member=None, told=item)
    deposits.put_deposit(book, custody, (item.booking_day, item.ref_token), deposit)
    return set()


def recover(book: Book, custody: Custody, item: CashOtherItem) -> tuple[set[str], int]:
    """Take aid back; the platform gives its fee for it back, as far as it has not withdrawn it."""
    if item.payer_token is not None:
        return {"value_out_of_range"}, 0
    claim = None if item.claim is None else book.claims.get(item.claim)
    if claim is None or claim.pool != custody.pool:
        return {"claim_unknown"}, 0
    if claim.status != "clawback":
        return {"claim_state"}, 0
    pool = book.pools[custody.pool]
    taken = min(item.amount, claim.paid - claim.recovered)
    fee = min(pool.fee_payable, claim.fee * taken // claim.paid)
    pool.cash += taken
    pool.carry += taken + fee
    pool.recovered += taken + fee
    pool.fee_payable -= fee
    claim.recovered += taken
    return set(), taken


# --- statements ---


def find_oldest_open(custody: Custody) -> int | None:
    """Return the first statement that does not agree with the books, and with the one before it."""
    opening = custody.opening
    for number, statement in enumerate(custody.statements):
        if not statement.is_explained(opening):
            return number
        opening = statement.closing
    return None


def statement_post(book: Book, custody: Custody, call: StatementPost) -> set[str]:
    """Take a statement; a difference is noted, never refused."""
    moved = (call.in_count, call.in_sum, call.out_count, call.out_sum)
    if call.from_day != custody.closed_day + 1:
        last = custody.statements[-1] if custody.statements else None
        told = (call.from_day, call.to_day, call.opening, call.closing, moved, call.file_hash)
        return {"already"} if last is not None and last.posted == told else {"statement_gap"}
    problems = set()
    if not 0 <= call.to_day - call.from_day < 10:
        problems.add("statement_span")
    if call.to_day >= book.day:
        problems.add("day_in_future")
    if problems:
        return problems
    booked = sum_up([custody.booked.get(day, (0, 0, 0, 0)) for day in range(call.from_day, call.to_day + 1)])
    custody.statements.append(
        Statement(
            from_day=call.from_day,
            to_day=call.to_day,
            opening=call.opening,
            closing=call.closing,
            moved=moved,
            booked=booked,
            posted=(call.from_day, call.to_day, call.opening, call.closing, moved, call.file_hash),
        )
    )
    custody.closed_day = call.to_day
    return problems


def sum_up(days: Sequence[Moved]) -> Moved:
    """Add up what moved on some days."""
    return (
        sum(day[0] for day in days),
        sum(day[1] for day in days),
        sum(day[2] for day in days),
        sum(day[3] for day in days),
    )


# --- explanations ---


def statement_resolve(book: Book, signer: bytes, call: StatementResolve) -> set[str]:
    """Explain the oldest mismatch: bank and auditor; it takes effect in two days."""
    custody = book.find_custody(call.account)
    if custody is None:
        return {"account_unknown"}
    if call.span >= len(custody.statements):
        return {"statement_unknown"}
    known = book.explanations.get((call.account, call.span))
    if known is not None and known.name == "pending":
        assert isinstance(known.what, StatementResolve)
        mine, theirs = ((one.lines, one.reason_hash, one.file_hash) for one in (call, known.what))
        return {"already"} if mine == theirs else {"statement_state"}
    if find_oldest_open(custody) != call.span:
        return {"statement_state"}
    problems = explain(copy.deepcopy(book), call)
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "custodian", "auditor")
    if signed is not None:
        stage = book.explanations[call.account, call.span] = Stage("pending", book.day, by=signed[1], what=call)
        stage.timer = book.add_timer("resolution", OBJECTION_DAYS, f"{call.account}/{call.span}".encode())
    return problems


def statement_object(book: Book, signer: bytes, call: StatementObject) -> set[str]:
    """Put an end to an explanation: an auditor that did not sign it."""
    name, role = book.organisations.get(signer, ("", ""))
    if role != "auditor":
        return {"wrong_role"}
    if book.find_custody(call.account) is None:
        return {"account_unknown"}
    known = book.explanations.get((call.account, call.span))
    if known is None:
        return {"statement_unknown"}
    if known.name == "objected" and known.receipts == [name]:
        return {"already"}
    if known.name != "pending":
        return {"statement_state"}
    if known.by == name:
        return {"resolution_signer"}
    known.name, known.receipts = "objected", [name]
    return set()


def take_effect(book: Book, timer: Timer) -> None:
    """Book an explanation to which nobody objected; what cannot be booked any more lapses."""
    for known in book.explanations.values():
        if known.timer is timer and known.name == "pending":
            assert isinstance(known.what, StatementResolve)
            known.name = "lapsed" if explain(copy.deepcopy(book), known.what) else "effective"
            if known.name == "effective":
                explain(book, known.what)


def explain(book: Book, call: StatementResolve) -> set[str]:
    """Book all lines and put the statement in order; on a copy of the book it tells whether that can be done."""
    custody = book.find_custody(call.account)
    assert custody is not None
    if find_oldest_open(custody) != call.span:
        return {"statement_state"}
    statement = custody.statements[call.span]
    opening = custody.statements[call.span - 1].closing if call.span else custody.opening
    figures = (call.in_count, call.in_sum, call.out_count, call.out_sum)
    problems = set()
    if call.opening != opening or call.opening + call.in_sum - call.out_sum != call.closing:
        problems.add("statement_sums")
    moved = statement.booked
    for line in call.lines:
        day, change = read_line(line)
        if not statement.from_day <= day <= statement.to_day:
            problems.add("line_invalid")
        moved = sum_up((moved, change))
    if moved != figures:
        problems.add("lines_mismatch")
    if problems:
        return problems
    for line in call.lines:
        problems = book_line(book, custody, line)
        if problems:
            return problems
    statement.opening, statement.closing = call.opening, call.closing
    statement.moved = statement.booked = figures
    statement.is_disputed = False
    return set()


def read_line(line: StatementLine) -> tuple[int, Moved]:
    """Return (booking day, what a line adds to what moved by the chain's books)."""
    match line:
        case LateDeposit(deposit=item):
            return item.booking_day, (1, item.amount, 0, 0)
        case LateCash(cash=cash):
            return cash.booking_day, (1, cash.amount, 0, 0)
        case LatePayment(answer=answer):
            return answer.booking_day, (0, 0, 1, answer.amount)
        case LateRecall() | ForeignDebit():
            return line.booking_day, (0, 0, 1, line.amount)
        case StruckDeposit():
            return line.booking_day, (-1, -line.amount, 0, 0)
        case StruckPayment():
            return line.booking_day, (0, 0, -1, -line.amount)


def book_line(book: Book, custody: Custody, line: StatementLine) -> set[str]:
    """Book one line of an explanation; return what forbids it."""
    match line:
        case LateDeposit(deposit=item):
            if (item.booking_day, item.ref_token) in custody.deposits or item.value_day > book.day:
                return {"line_invalid"}
            deposits.book_deposit(book, custody, item)
        case LateCash(cash=cash):
            problems = find_cash_problems(custody, cash)
            if problems:
                return {"line_invalid"} if problems == {"already"} else problems
            return book_cash(book, custody, cash)
        case LatePayment(answer=answer):
            record = payments.find_instruction(book, custody, answer.instruction)
            if not answer.is_settled:
                return {"line_invalid"}
            if record is None:
                return {"instruction_unknown"}
            problems = payments.find_answer_problems(record, answer)
            if problems:
                return problems
            payments.book_answer(book, record, answer)
        case LateRecall():
            key, recall_key = (line.deposit_day, line.deposit_ref), (line.booking_day, line.ref_token)
            return book_recall(book, custody, key, recall_key, line.amount)
        case ForeignDebit():
            deposits.owe(custody, line.amount, line.booking_day)
        case StruckDeposit():
            key = (line.booking_day, line.ref_token)
            if key in custody.deposits and custody.deposits[key].amount != line.amount:
                return {"amount_mismatch"}
            return book_recall(book, custody, key, key, line.amount)
        case StruckPayment():
            record = payments.find_instruction(book, custody, line.instruction)
            if record is not None and (record.answer is None or record.answer[1] != line.booking_day):
                return {"line_invalid"}
            return payments.come_back(book, custody, line.instruction, line.amount)
    return set()


def book_recall(
    book: Book, custody: Custody, key: tuple[int, bytes], recall_key: tuple[int, bytes], amount: int
) -> set[str]:
    """Book a recall, or a deposit that never was."""
    problems = deposits.find_recall_problems(custody, key, recall_key, amount)
    if not problems:
        deposits.recall(book, custody, custody, key, recall_key, amount)
    return problems


# --- letters ---


def balance_confirm(book: Book, signer: bytes, call: BalanceConfirm) -> set[str]:
    """Note an auditor's own word on a balance; two that contradict a statement make it a mismatch."""
    name, role = book.organisations.get(signer, ("", ""))
    if role != "auditor":
        return {"wrong_role"}
    custody = book.find_custody(call.account)
    if custody is None:
        return {"account_unknown"}
    if call.day + LETTER_DAYS < custody.closed_day:
        return {"deadline_passed"}
    statement = next((item for item in custody.statements if item.to_day == call.day), None)
    if statement is None:
        return {"statement_unknown"}
    letter = (call.day, call.closing, call.letter_hash, statement.closing == call.closing)
    known = custody.letters.get(name)
    if known == letter:
        return {"already"}
    if known is not None and known[0] > call.day:
        return {"conflict"}
    custody.letters[name] = letter
    letters = [custody.letters[auditor] for auditor in book.auditors if auditor in custody.letters]
    if sum(day == call.day and not is_equal for day, _, _, is_equal in letters) >= 2:
        statement.is_disputed = True
    return set()
