"""Bank and auditor explain a mismatch, line by line (contract 2 *Custody*, 5 *statement_resolve*).

    MISMATCH --bank and an auditor sign--> pending --2 days--> effective: booked, the statement is RESOLVED
                                              +--another auditor objects--> objected: explained anew
                                              +--no longer bookable-------> lapsed: explained anew

The explanation gives the statement's figures as they are right, and a line for each thing that the chain's books lack
or have too much. Counts and sums of both sides must come out exactly. A line is the only way to book into a closed day.
Each has its bookings: none takes money of the pool for what bank or platform did (shortage.py). It is tried when it is
signed, and booked when it takes effect, so that an objection has nothing to undo. The two days pass while the plan is
FROZEN as well: it is frozen for this.
"""

from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from chain.codec import Codec, encode
from chain.contract.cash_other import book_cash, is_cash_known
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.custody import book_answer, require_instruction, return_payment
from chain.contract.custody_tables import (
    DEPOSIT,
    INSTRUCTION,
    STATEMENT,
    STATEMENT_DISPUTED,
    STATEMENT_MISMATCH,
    AccountRecord,
)
from chain.contract.deposit import DepositKey, book_deposit, find_deposit, require_account
from chain.contract.due import DUE_RESOLUTION, add_due
from chain.contract.halves import Party, cosign
from chain.contract.money_calls import (
    ForeignDebit,
    LateCash,
    LateDeposit,
    LatePayment,
    LateRecall,
    StatementLine,
    StatementObject,
    StatementResolve,
    StruckDeposit,
    StruckPayment,
)
from chain.contract.money_events import ResolutionLapsed, ResolutionObjected, ResolutionSigned, StatementResolved
from chain.contract.money_tables import (
    RESOLUTION,
    RESOLUTION_EFFECTIVE,
    RESOLUTION_LAPSED,
    RESOLUTION_OBJECTED,
    RESOLUTION_PENDING,
    ResolutionRecord,
)
from chain.contract.organisations import get_today, require_role
from chain.contract.reversal import reverse_deposit, validate_recall
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.shortage import add_shortage, read_reconciliation
from chain.contract.statement import Figures, close_mismatch, get_figures
from chain.contract.tables import PLAN
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

OBJECTION_DAYS: Final = 2
"""Another auditor may object for so many days."""
_OPEN: Final = (STATEMENT_MISMATCH, STATEMENT_DISPUTED)
_PARTIES: Final = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))

_DueId = tuple[str, int, int]
"""(account, number of the statement, attempt)."""
_due_codec: Codec[_DueId] = Codec(_DueId, 128, "resolution")


def apply_statement_resolve(state: Overlay, context: Context, call: StatementResolve) -> tuple[int, ...]:
    """Note the explanation of the oldest mismatch once bank and an auditor signed it."""
    account = require_account(state, call.account)
    before = state.get(RESOLUTION, call.account, call.span)
    _validate(state, context, call, account, before)
    signed = cosign(state, context, plan=account.plan, call=call, parties=_PARTIES)
    if signed is None:
        return ()
    plan = state.require(PLAN, account.plan)
    today = get_today(context, plan)
    due_day = today + OBJECTION_DAYS
    attempt = 0 if before is None else before.attempt + 1
    record = ResolutionRecord(
        status=RESOLUTION_PENDING,
        attempt=attempt,
        custodian=signed[0],
        auditor=signed[1],
        due_day=due_day,
        figures=(call.opening, call.closing, *get_figures(call).moved),
        file_hash=call.file_hash,
        lines=call.lines,
        reason_hash=call.reason_hash,
        objected_by=None,
        objection_hash=None,
    )
    state.put(RESOLUTION, record, call.account, call.span)
    due_ms = compute_day_start_ms(due_day, plan.utc_offset_minutes)
    add_due(state, account.plan, due_day, DUE_RESOLUTION, due_ms, encode((call.account, call.span, attempt)))
    context.emit(ResolutionSigned(account=call.account, span=call.span, organisation=signed[1], due_day=due_day))
    return ()


def _validate(
    state: Overlay,
    context: Context,
    call: StatementResolve,
    account: AccountRecord,
    before: ResolutionRecord | None,
) -> None:
    """Raise unless the call explains the oldest mismatch exactly, by lines that can be booked."""
    if call.span >= account.statements:
        raise Refusal("statement_unknown", span=call.span)
    if before is not None and before.status == RESOLUTION_PENDING:
        is_same = (before.lines, before.reason_hash, before.file_hash) == (call.lines, call.reason_hash, call.file_hash)
        raise Refusal("already" if is_same else "statement_state", span=call.span)
    open_statement = read_reconciliation(state, call.account).statement
    if open_statement != call.span:
        raise Refusal("statement_state", span=call.span, oldest=-1 if open_statement is None else open_statement)
    mark, events = state.savepoint(), len(context.events)
    _book_explanation(state, context, call.account, call.span, get_figures(call), call.lines)
    state.rollback(mark)
    del context.events[events:]


def apply_statement_object(state: Overlay, context: Context, call: StatementObject) -> tuple[int, ...]:
    """Let an auditor that did not sign an explanation put an end to it before it takes effect."""
    signer = require_role(state, context.signer, ROLE_AUDITOR)
    require_account(state, call.account)
    record = state.get(RESOLUTION, call.account, call.span)
    if record is None:
        raise Refusal("statement_unknown", span=call.span)
    if record.status == RESOLUTION_OBJECTED and record.objected_by == signer.organisation:
        raise Refusal("already")
    if record.status != RESOLUTION_PENDING:
        raise Refusal("statement_state", span=call.span)
    if record.auditor == signer.organisation:
        raise Refusal("resolution_signer", organisation=signer.organisation)
    objected = replace(
        record,
        status=RESOLUTION_OBJECTED,
        objected_by=signer.organisation,
        objection_hash=call.reason_hash,
    )
    state.put(RESOLUTION, objected, call.account, call.span)
    context.emit(
        ResolutionObjected(
            account=call.account, span=call.span, organisation=signer.organisation, reason_hash=call.reason_hash
        )
    )
    return ()


def parse_resolution(due_id: bytes) -> tuple[str, int, int]:
    """Return (account, number of the statement, attempt) of a deadline."""
    return _due_codec.decode(due_id)


def on_resolution_due(state: Overlay, context: Context, due_id: bytes) -> None:
    """Book an explanation to which nobody objected; one that cannot be booked any more lapses."""
    account, span, attempt = parse_resolution(due_id)
    record = state.require(RESOLUTION, account, span)
    if record.status != RESOLUTION_PENDING or record.attempt != attempt:
        return
    figures = Figures(opening=record.figures[0], closing=record.figures[1], moved=record.figures[2:])
    mark, events = state.savepoint(), len(context.events)
    try:
        is_matched = _book_explanation(state, context, account, span, figures, record.lines)
    except Refusal as refusal:
        state.rollback(mark)
        del context.events[events:]
        state.put(RESOLUTION, replace(record, status=RESOLUTION_LAPSED), account, span)
        context.emit(ResolutionLapsed(account=account, span=span, code=refusal.entry.number))
        return
    state.put(RESOLUTION, replace(record, status=RESOLUTION_EFFECTIVE), account, span)
    context.emit(StatementResolved(account=account, span=span, closing=figures.closing, is_matched=is_matched))


# --- booking the lines ---


def _book_explanation(
    state: Overlay, context: Context, name: str, span: int, figures: Figures, lines: tuple[StatementLine, ...]
) -> bool:
    """Book all lines and put the statement in order; return whether the account matches again.

    Raises `Refusal` statement_sums, lines_mismatch, line_invalid, and whatever stands against a line.
    """
    reconciliation = read_reconciliation(state, name)
    statement = state.require(STATEMENT, name, span)
    if reconciliation.statement != span or statement.state not in _OPEN:
        raise Refusal("statement_state", span=span)
    if not figures.is_sound or figures.opening != reconciliation.explained:
        raise Refusal("statement_sums", opening=figures.opening, expected=reconciliation.explained)
    moved = list(statement.booked)
    account = require_account(state, name)
    for position, line in enumerate(lines):
        effect = _read_line(line)
        if not statement.from_day <= effect.booking_day <= statement.to_day:
            raise Refusal("line_invalid", line=position, booking_day=effect.booking_day)
        moved[effect.side] += effect.count
        moved[effect.side + 1] += effect.count * effect.amount
    if tuple(moved) != figures.moved:
        raise Refusal("lines_mismatch", in_sum=moved[1], out_sum=moved[3])
    for line in lines:
        book = open_book(state, context, account.plan, account.pool)
        _book_line(state, context, book, name, account, line)
    return close_mismatch(state, name, span, figures)


class _Effect(Struct, frozen=True):
    """What a line changes in the figures of its side."""

    side: int
    """Place of the side's count among the figures that moved: 0 incoming, 2 outgoing."""
    count: int
    """1, or -1 where the chain has it and the bank has not."""
    amount: int
    booking_day: int


_IN, _OUT = 0, 2


def _read_line(line: StatementLine) -> _Effect:
    match line:
        case LateDeposit(deposit=item):
            return _Effect(_IN, 1, item.amount, item.booking_day)
        case LateCash(cash=cash):
            return _Effect(_IN, 1, cash.amount, cash.booking_day)
        case LatePayment(answer=answer):
            return _Effect(_OUT, 1, answer.amount, answer.booking_day)
        case LateRecall() | ForeignDebit():
            return _Effect(_OUT, 1, line.amount, line.booking_day)
        case StruckDeposit():
            return _Effect(_IN, -1, line.amount, line.booking_day)
        case StruckPayment():
            return _Effect(_OUT, -1, line.amount, line.booking_day)
        case _:
            assert_never(line)


def _book_line(
    state: Overlay, context: Context, book: PoolBook, name: str, account: AccountRecord, line: StatementLine
) -> None:
    """Book one line; where a booking writes the pool itself, the book that was opened for it is not saved."""
    match line:
        case LateDeposit(deposit=item):
            key = find_deposit(state, (name, item.booking_day, item.ref_token))
            if state.get(DEPOSIT, *key) is not None or item.value_day > book.today:
                raise Refusal("line_invalid", booking_day=item.booking_day)
            book_deposit(state, context, book, name, item)
            save_book(state, book)
        case LateCash(cash=cash):
            if is_cash_known(state, name, cash):
                raise Refusal("line_invalid", booking_day=cash.booking_day)
            book_cash(state, context, book, name, cash)
            save_book(state, book)
        case LatePayment(answer=answer):
            if not answer.is_settled:
                raise Refusal("line_invalid", booking_day=answer.booking_day)
            book_answer(state, context, book, require_instruction(state, account, answer.instruction), answer)
        case LateRecall():
            key = find_deposit(state, (name, line.deposit_day, line.deposit_ref))
            _take_back(state, context, book, key, (name, line.booking_day, line.ref_token), line.amount)
        case ForeignDebit():
            add_shortage(state, context, name, amount=line.amount, booking_day=line.booking_day)
        case StruckDeposit():
            recall_key = (name, line.booking_day, line.ref_token)
            key = find_deposit(state, recall_key)
            deposit = state.get(DEPOSIT, *key)
            if deposit is not None and deposit.amount != line.amount:
                raise Refusal("amount_mismatch", amount=line.amount, recorded=deposit.amount)
            _take_back(state, context, book, key, recall_key, line.amount)
        case StruckPayment():
            record = state.get(INSTRUCTION, line.instruction)
            if record is not None and record.booking_day != line.booking_day:
                raise Refusal("line_invalid", booking_day=line.booking_day)
            return_payment(state, context, book, line.instruction, amount=line.amount)
        case _:
            assert_never(line)


def _take_back(
    state: Overlay, context: Context, book: PoolBook, deposit_key: DepositKey, recall_key: DepositKey, amount: int
) -> None:
    validate_recall(state, deposit_key, recall_key, amount)
    reverse_deposit(state, context, book, deposit_key, recall_key, amount)
    save_book(state, book)
