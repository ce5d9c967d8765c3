"""Statements of custody accounts, compared with the chain's own books by booking day (contract 2 *Custody*, 3.7).

    posted --equal to the books--> MATCHED
           --different-----------> MISMATCH --explained by bank and auditor (resolution.py)--> RESOLVED
    MATCHED | RESOLVED --two auditors' letters say otherwise (balance_confirm.py)--> DISPUTED --explained--> RESOLVED

Each statement is compared by what moved on its own days, so that one mismatch does not make all later ones wrong. The
oldest that is not explained is open (`ReconciliationRecord.statement`); the account matches when none is. From the day
after a mismatch the plan is FROZEN (freeze.py).
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    STATEMENT,
    STATEMENT_DISPUTED,
    STATEMENT_MATCHED,
    STATEMENT_MISMATCH,
    STATEMENT_RESOLVED,
    StatementRecord,
)
from chain.contract.deposit import require_account
from chain.contract.events import StatementPosted
from chain.contract.money_calls import StatementPost, StatementResolve
from chain.contract.organisations import get_today, require_role
from chain.contract.shortage import read_reconciliation, write_reconciliation
from chain.contract.tables import PLAN
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_CUSTODIAN
from chain.state import Overlay

SPAN_DAYS_MAX: Final = 10
"""Longest span of one statement: holidays."""
STATEMENT_OVERDUE_DAYS: Final = 12
"""A plan is frozen when its last closed day lies further back."""


class Figures(Struct, frozen=True):
    """What a statement says, apart from its days."""

    opening: int
    closing: int
    moved: tuple[int, int, int, int]
    """Incoming count and sum, outgoing count and sum."""

    @property
    def is_sound(self) -> bool:
        """Tell whether opening, what moved and closing add up."""
        return self.opening + self.moved[1] - self.moved[3] == self.closing


def get_figures(source: StatementPost | StatementResolve | StatementRecord) -> Figures:
    """Return the figures of a call or of a posted statement."""
    return Figures(
        opening=source.opening,
        closing=source.closing,
        moved=(source.in_count, source.in_sum, source.out_count, source.out_sum),
    )


def apply_statement_post(state: Overlay, context: Context, call: StatementPost) -> tuple[int, ...]:
    """Compare a statement with the chain's books; a difference is recorded, never refused."""
    require_role(state, context.signer, ROLE_CUSTODIAN)
    account = require_account(state, call.account)
    today = get_today(context, state.require(PLAN, account.plan))
    if call.from_day != account.closed_day + 1:
        last = state.get(STATEMENT, call.account, account.statements - 1) if account.statements else None
        if last is not None and _is_same(last, call):
            raise Refusal("already")
        raise Refusal("statement_gap", from_day=call.from_day, expected=account.closed_day + 1)
    if not 0 <= call.to_day - call.from_day < SPAN_DAYS_MAX:
        raise Refusal("statement_span", from_day=call.from_day, to_day=call.to_day)
    if call.to_day >= today:
        raise Refusal("day_in_future", to_day=call.to_day, today=today)
    figures = get_figures(call)
    booked = _sum_bookings(state, call)
    is_matched = figures.opening == account.closing and figures.moved == booked and figures.is_sound
    number = account.statements
    expected = account.expected + booked[1] - booked[3]
    record = StatementRecord(
        from_day=call.from_day,
        to_day=call.to_day,
        opening=call.opening,
        closing=call.closing,
        in_count=call.in_count,
        in_sum=call.in_sum,
        out_count=call.out_count,
        out_sum=call.out_sum,
        file_hash=call.file_hash,
        is_matched=is_matched,
        expected_closing=expected,
        state=STATEMENT_MATCHED if is_matched else STATEMENT_MISMATCH,
        booked=booked,
        explained_closing=call.closing,
    )
    state.put(STATEMENT, record, call.account, number)
    after = replace(
        account,
        closed_day=call.to_day,
        closing=call.closing,
        expected=expected,
        is_matched=account.is_matched and is_matched,
        statements=number + 1,
    )
    if account.is_matched and not is_matched:
        open_mismatch(state, call.account, number, explained=account.closing)
    state.put(ACCOUNT, after, call.account)
    context.emit(
        StatementPosted(
            account=call.account,
            number=number,
            from_day=call.from_day,
            to_day=call.to_day,
            closing=call.closing,
            expected_closing=expected,
            is_matched=is_matched,
        )
    )
    return ()


def _sum_bookings(state: Overlay, call: StatementPost) -> tuple[int, int, int, int]:
    """Return (incoming count, sum, outgoing count, sum) of the chain's books over the statement's days."""
    totals = (0, 0, 0, 0)
    for day in range(call.from_day, call.to_day + 1):
        booked = state.get(BOOKING_DAY, call.account, day)
        if booked is not None:
            totals = (
                totals[0] + booked.in_count,
                totals[1] + booked.in_sum,
                totals[2] + booked.out_count,
                totals[3] + booked.out_sum,
            )
    return totals


def _is_same(last: StatementRecord, call: StatementPost) -> bool:
    return (
        (last.from_day, last.to_day, last.file_hash) == (call.from_day, call.to_day, call.file_hash)
    ) and get_figures(last) == get_figures(call)


# --- the oldest statement that is not explained ---


def open_mismatch(state: Overlay, account: str, number: int, *, explained: int) -> None:
    """Note the oldest unexplained statement, and the closing of the one before it."""
    before = read_reconciliation(state, account)
    write_reconciliation(state, account, replace(before, statement=number, explained=explained))


def dispute_statement(state: Overlay, account: str, number: int) -> bool:
    """Let a statement need an explanation, whatever its figures say; return False where it needs one anyway.

    Behind an older one that is open it waits: no explanation of that one puts this one right.
    """
    record = state.require(STATEMENT, account, number)
    reconciliation = read_reconciliation(state, account)
    if record.state == STATEMENT_DISPUTED or reconciliation.statement == number:
        return False
    state.put(STATEMENT, replace(record, state=STATEMENT_DISPUTED), account, number)
    if reconciliation.statement is None or reconciliation.statement > number:
        open_mismatch(state, account, number, explained=record.explained_closing - _get_net(record))
        state.put(ACCOUNT, replace(state.require(ACCOUNT, account), is_matched=False), account)
    return True


def close_mismatch(state: Overlay, account: str, number: int, figures: Figures) -> bool:
    """Put explained figures in place of the open statement's, and go on to the next one that needs an explanation.

    What the chain's books now have for its days is the caller's to book. Returns whether the account matches again.
    """
    record = state.require(STATEMENT, account, number)
    before = state.require(ACCOUNT, account)
    resolved = replace(record, state=STATEMENT_RESOLVED, booked=figures.moved, explained_closing=figures.closing)
    state.put(STATEMENT, resolved, account, number)
    expected = before.expected + _get_net(resolved) - _get_net(record)
    closing = figures.closing if number == before.statements - 1 else before.closing
    explained, following = figures.closing, number + 1
    # Those after it were compared when it was wrong, so each is looked at once more, up to the next that differs.
    while following < before.statements:
        record = state.require(STATEMENT, account, following)
        if not _is_explained(record, opening=explained):
            if record.state != STATEMENT_DISPUTED:
                state.put(STATEMENT, replace(record, state=STATEMENT_MISMATCH), account, following)
            break
        if record.state == STATEMENT_MISMATCH:
            state.put(STATEMENT, replace(record, state=STATEMENT_MATCHED), account, following)
        explained = record.explained_closing
        following += 1
    is_all = following == before.statements
    if is_all and expected != closing:
        raise InvariantViolation(f"{account}: all explained, but the books say {expected} and the bank {closing}")
    reconciliation = read_reconciliation(state, account)
    state.put(ACCOUNT, replace(before, closing=closing, expected=expected, is_matched=is_all), account)
    write_reconciliation(
        state, account, replace(reconciliation, statement=None if is_all else following, explained=explained)
    )
    return is_all


def _get_net(record: StatementRecord) -> int:
    """Return by how much the chain's books say that the balance rose in a statement's days."""
    return record.booked[1] - record.booked[3]


def _is_explained(record: StatementRecord, *, opening: int) -> bool:
    """Tell whether a statement needs no explanation of its own where the one before it closes with `opening`."""
    if record.state == STATEMENT_DISPUTED:
        return False
    if record.state == STATEMENT_RESOLVED:
        return opening + _get_net(record) == record.explained_closing
    posted = get_figures(record)
    return posted.opening == opening and posted.moved == record.booked and posted.is_sound
