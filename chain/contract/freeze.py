"""When broken custody stops a plan, and how that ends (contract 2 *Plan*, *Custody*).

    custody broken at 0:00 --> FROZEN --mended--------> as before, at the next 0:00
                                      --30 days-------> governance must vote custody_move or wind-down
                                      --30 days more--> WIND_DOWN without a vote; not frozen for this any more

Custody is broken while a statement is not explained, while a closed day leaves the account short of money, or while no
statement was posted for too long. The end without a vote is what keeps silence from locking everybody's money up.
"""

import enum
from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import ACCOUNT
from chain.contract.money_events import CustodyVoteDue
from chain.contract.money_tables import CUSTODY_STOP, RECONCILIATION, CustodyStopRecord
from chain.contract.statement import STATEMENT_OVERDUE_DAYS
from chain.contract.tables import POOL, PlanRecord
from chain.state import Overlay

VOTE_DAYS: Final = 30
"""Frozen for so many days, a plan needs a vote."""
END_DAYS: Final = 60
"""Frozen for so many days, it winds down by itself."""


class CustodyState(enum.Enum):
    """What custody means for a plan on one day."""

    SOUND = "sound"
    BROKEN = "broken"
    """The plan is frozen."""
    GIVEN_UP = "given_up"
    """Broken for so long that the plan winds down instead."""


def run_custody_stop(state: Overlay, context: Context, plan: str, record: PlanRecord, day: int) -> CustodyState:
    """Note since when custody is broken, and tell what follows from it on this day."""
    stop = state.get(CUSTODY_STOP, plan)
    if not is_custody_broken(state, plan, record, day):
        if stop is not None:
            state.delete(CUSTODY_STOP, plan)
        return CustodyState.SOUND
    if stop is None:
        stop = CustodyStopRecord(since_day=day, is_vote_due=False, is_waived=False)
        state.put(CUSTODY_STOP, stop, plan)
    if not stop.is_vote_due and day >= stop.since_day + VOTE_DAYS:
        stop = replace(stop, is_vote_due=True)
        state.put(CUSTODY_STOP, stop, plan)
        context.emit(CustodyVoteDue(plan=plan, day=day, end_day=stop.since_day + END_DAYS))
    if not stop.is_waived and day >= stop.since_day + END_DAYS:
        stop = replace(stop, is_waived=True)
        state.put(CUSTODY_STOP, stop, plan)
    return CustodyState.GIVEN_UP if stop.is_waived else CustodyState.BROKEN


def is_custody_broken(state: Overlay, plan: str, record: PlanRecord, day: int) -> bool:
    """Tell whether bank and chain disagree on any pool's account, or the bank has been silent for too long."""
    for number in range(record.pools):
        name = state.require(POOL, plan, number).account
        account = state.require(ACCOUNT, name)
        if not account.is_matched or day > account.closed_day + STATEMENT_OVERDUE_DAYS:
            return True
        reconciliation = state.get(RECONCILIATION, name)
        if reconciliation is not None and reconciliation.owed and reconciliation.owed_day <= account.closed_day:
            return True
    return False
