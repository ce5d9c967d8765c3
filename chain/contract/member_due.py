"""Deadlines of members' accounts, keys and guardians (due kinds 4 to 9): what follows when nobody acted."""

from typing import Final

from chain.contract.account import on_account_change_due
from chain.contract.account_retry import on_retry_due
from chain.contract.context import Context
from chain.contract.due import DUE_ACCOUNT_CHANGE, DUE_HAND_OVER, DUE_MAJORITY, DUE_REKEY, DUE_RETRY
from chain.contract.guardian import on_hand_over_due, on_majority_due
from chain.contract.rekey import on_rekey_due
from chain.errors import InvariantViolation
from chain.state import Overlay

MEMBER_KINDS: Final = (DUE_REKEY, DUE_HAND_OVER, DUE_MAJORITY, DUE_RETRY, DUE_ACCOUNT_CHANGE)


def on_member_due(state: Overlay, context: Context, kind: int, member_id: bytes, day: int) -> None:
    """Act on a deadline that ended; `day` is the day that it was set for, by which a stale one is told."""
    if kind == DUE_REKEY:
        on_rekey_due(state, context, member_id, day)
    elif kind == DUE_HAND_OVER:
        on_hand_over_due(state, context, member_id, day)
    elif kind == DUE_MAJORITY:
        on_majority_due(state, context, member_id)
    elif kind == DUE_RETRY:
        on_retry_due(state, context, member_id)
    elif kind == DUE_ACCOUNT_CHANGE:
        on_account_change_due(state, context, member_id, day)
    else:
        raise InvariantViolation(f"no deadline of members has the kind {kind}")
