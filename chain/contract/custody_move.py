"""Moving a pool's money to another custody account, by vote (contract 5 *custody_move*; ADR 0022).

The books go on without a gap: the new account takes over what the old one closed with, and every day that no statement
has closed yet, with what is booked on it. From then on the bank speaks of the new account alone: it books there what
still reaches the old one, answers instructions there, and its next statement opens with the old one's last closing
balance. So the same comparison that shows a wrong balance shows money that did not arrive.

An account with an open difference is not moved: the difference would have to be somebody's loss, and that is for bank
and auditors to resolve, or for the end of the plan. One whose bank has fallen silent may be moved: its last statement
matched, and whoever keeps the new account states all days since.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import ACCOUNT, BOOKING_DAY, AccountRecord
from chain.contract.governance_calls import MoveCustody
from chain.contract.governance_events import CustodyMoved
from chain.contract.governance_tables import ACCOUNT_MOVED, AccountMovedRecord
from chain.contract.money_tables import RECONCILIATION
from chain.contract.organisations import get_today, require_plan
from chain.contract.tables import PLAN_ENDED, POOL, PoolRecord
from chain.contract.version_tables import MOVES
from chain.errors import Refusal
from chain.state import Overlay

NEVER_DAY: Final = 1_000_000
"""Last day that a record can hold: an account that is closed up to it takes no booking and no statement."""
OPEN_DAYS_MAX: Final = 1_000
"""Days without a statement that can be taken over in one act."""


def get_current_account(state: Overlay, name: str) -> str:
    """Return the account under which the books of an account go on: itself, unless it was moved."""
    moved = state.get(ACCOUNT_MOVED, name)
    return name if moved is None else get_current_account(state, moved.account)


def has_other_names(account: AccountRecord) -> bool:
    """Tell whether the books of an account were or are kept under another name too."""
    return account.former is not None or account.closed_day == NEVER_DAY


def list_names(state: Overlay, name: str) -> list[str]:
    """Return every account under which the same books were kept, the present one first.

    A movement of a day that was open at a move may be told under either name; it is the same movement.
    """
    names = [get_current_account(state, name)]
    while (former := state.require(ACCOUNT, names[-1]).former) is not None:
        names.append(former)
    return names


def validate_move_custody(state: Overlay, context: Context, call: MoveCustody) -> PoolRecord:
    """Return the pool; raise `Refusal` where its account cannot be moved.

    plan_unknown, plan_not_active (ended), pool_unknown, account_in_use, account_not_reconciled, move_under_way
    (members' money is between two accounts), limit_reached (no statement for years).
    """
    plan = require_plan(state, call.plan)
    if plan.status == PLAN_ENDED:
        raise Refusal("plan_not_active", plan=call.plan)
    pool = state.get(POOL, call.plan, call.pool)
    if pool is None:
        raise Refusal("pool_unknown", plan=call.plan, pool=call.pool)
    if state.get(ACCOUNT, call.account) is not None:
        raise Refusal("account_in_use", account=call.account)
    account = state.require(ACCOUNT, pool.account)
    if not account.is_matched or state.get(RECONCILIATION, pool.account) is not None:
        raise Refusal("account_not_reconciled", account=pool.account)
    moves = state.get(MOVES, call.plan)
    if moves is not None and moves.under_way:
        raise Refusal("move_under_way", plan=call.plan)
    if get_today(context, plan) - account.closed_day > OPEN_DAYS_MAX:
        raise Refusal("limit_reached", closed_day=account.closed_day)
    return pool


def apply_move_custody(state: Overlay, context: Context, call: MoveCustody) -> None:
    """Let the pool's books go on under another account, checked again on the day of the effect."""
    pool = validate_move_custody(state, context, call)
    old = pool.account
    account = state.require(ACCOUNT, old)
    state.put(ACCOUNT, replace(account, statements=0, former=old), call.account)
    state.put(ACCOUNT, replace(account, closed_day=NEVER_DAY), old)
    state.put(ACCOUNT_MOVED, AccountMovedRecord(account=call.account), old)
    for day in range(account.closed_day + 1, get_today(context, require_plan(state, call.plan)) + 1):
        booked = state.get(BOOKING_DAY, old, day)
        if booked is not None:
            state.put(BOOKING_DAY, booked, call.account, day)
            state.delete(BOOKING_DAY, old, day)
    state.put(POOL, replace(pool, account=call.account), call.plan, call.pool)
    context.emit(
        CustodyMoved(
            plan=call.plan,
            pool=call.pool,
            account_before=old,
            account=call.account,
            opening=account.closing,
            closed_day=account.closed_day,
        )
    )
