"""What a custody account is short of: debits that are none of the plan's, and recalls of money that is no longer there
(contract 3.5). It is never the pool's loss: platform or bank repay it, and until then a closed day that shows it is a
mismatch (freeze.py).

    bank's balance = the chain's cash - shortage
"""

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import ACCOUNT
from chain.contract.money_events import ShortageChanged
from chain.contract.money_tables import RECONCILIATION, ReconciliationRecord
from chain.errors import InvariantViolation
from chain.state import Overlay


def read_reconciliation(state: Overlay, account: str) -> ReconciliationRecord:
    """Return what is open on an account; an empty record where nothing is."""
    record = state.get(RECONCILIATION, account)
    if record is not None:
        return record
    closing = state.require(ACCOUNT, account).closing
    return ReconciliationRecord(statement=None, explained=closing, owed=0, owed_day=0)


def write_reconciliation(state: Overlay, account: str, record: ReconciliationRecord) -> None:
    """Write what is open on an account; the record goes when nothing is."""
    if record.statement is not None or record.owed:
        state.put(RECONCILIATION, record, account)
    elif state.get(RECONCILIATION, account) is not None:
        state.delete(RECONCILIATION, account)


def add_shortage(state: Overlay, context: Context, account: str, *, amount: int, booking_day: int) -> None:
    """Note that an account is short of `amount` fen more since a booking day."""
    if amount == 0:
        return
    record = read_reconciliation(state, account)
    first_day = min(record.owed_day, booking_day) if record.owed else booking_day
    write_reconciliation(state, account, replace(record, owed=record.owed + amount, owed_day=first_day))
    context.emit(ShortageChanged(account=account, owed=record.owed + amount))


def repay_shortage(state: Overlay, context: Context, account: str, amount: int) -> int:
    """Take a repayment; return how much of it was owed. What is left keeps its first day."""
    record = read_reconciliation(state, account)
    repaid = min(record.owed, amount)
    if repaid < 0:
        raise InvariantViolation(f"a repayment of {amount} fen")
    if repaid:
        owed = record.owed - repaid
        write_reconciliation(state, account, replace(record, owed=owed, owed_day=record.owed_day if owed else 0))
        context.emit(ShortageChanged(account=account, owed=owed))
    return repaid
