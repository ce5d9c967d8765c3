"""Auditors obtain balances from the bank by themselves and compare them with what it posted (contract 5).

One letter that says otherwise is public, and its auditor may pause the plan; it stops nothing by itself, because one
dishonest auditor could then end any plan. The letters of two auditors about the same day make the statement a mismatch:
from the next day the plan is FROZEN until it is explained.
"""

from typing import Final

from chain.contract.context import Context
from chain.contract.custody_tables import STATEMENT, AccountRecord
from chain.contract.deposit import require_account
from chain.contract.money_calls import BalanceConfirm
from chain.contract.money_events import BalanceConfirmed, StatementDisputed
from chain.contract.money_tables import CONFIRMATION, ConfirmationRecord
from chain.contract.organisations import get_auditors, require_role
from chain.contract.statement import dispute_statement
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay

CONFIRM_DAYS: Final = 41
"""Days after the last confirmed one by which an auditor has confirmed another: a month, and ten days for the letter."""
CONFIRM_BACK_DAYS: Final = 92
"""A letter about a day that lies further before the last statement changes nothing any more."""


def apply_balance_confirm(state: Overlay, context: Context, call: BalanceConfirm) -> tuple[int, ...]:
    """Note an auditor's own word on the balance at the end of a day, and compare it with the bank's statement."""
    signer = require_role(state, context.signer, ROLE_AUDITOR)
    account = require_account(state, call.account)
    number = _find_statement(state, call.account, account, call.day)
    statement = state.require(STATEMENT, call.account, number)
    before = state.get(CONFIRMATION, call.account, signer.organisation)
    is_equal = statement.explained_closing == call.closing
    record = ConfirmationRecord(day=call.day, closing=call.closing, letter_hash=call.letter_hash, is_equal=is_equal)
    if before == record:
        raise Refusal("already")
    if before is not None and before.day > call.day:
        raise Refusal("conflict", day=call.day, confirmed=before.day)
    state.put(CONFIRMATION, record, call.account, signer.organisation)
    context.emit(
        BalanceConfirmed(
            account=call.account,
            organisation=signer.organisation,
            day=call.day,
            closing=call.closing,
            expected_closing=statement.explained_closing,
            letter_hash=call.letter_hash,
            is_equal=is_equal,
        )
    )
    if _is_contradicted(state, call.account, call.day) and dispute_statement(state, call.account, number):
        context.emit(StatementDisputed(account=call.account, span=number))
    return ()


def _find_statement(state: Overlay, name: str, account: AccountRecord, day: int) -> int:
    """Return the number of the statement that closes with a day; raise `statement_unknown` where there is none."""
    if day + CONFIRM_BACK_DAYS < account.closed_day:
        raise Refusal("deadline_passed", day=day)
    low, high = 0, account.statements
    while low < high:
        middle = (low + high) // 2
        if state.require(STATEMENT, name, middle).to_day < day:
            low = middle + 1
        else:
            high = middle
    if low == account.statements or state.require(STATEMENT, name, low).to_day != day:
        raise Refusal("statement_unknown", day=day)
    return low


def _is_contradicted(state: Overlay, account: str, day: int) -> bool:
    """Tell whether the last letters of two auditors say that the statement of this day is wrong."""
    records = [state.get(CONFIRMATION, account, name) for name in get_auditors(state)]
    return sum(record is not None and record.day == day and not record.is_equal for record in records) >= 2


def compute_confirm_due(last: ConfirmationRecord | None, start_day: int) -> int:
    """Return the day from which an auditor is overdue; `start_day` counts where it has confirmed nothing yet."""
    return (start_day if last is None else last.day) + CONFIRM_DAYS
