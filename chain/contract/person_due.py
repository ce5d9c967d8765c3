"""Deadlines about persons (kinds 10 to 15): what follows when somebody stays silent."""

from typing import Final

from chain.contract.context import Context
from chain.contract.due import (
    DUE_ERASURE,
    DUE_GHOST_AUDIT,
    DUE_INDEX_EPOCH,
    DUE_VOID_APPEAL,
    DUE_VOID_DECISION,
    DUE_VOID_HEARING,
)
from chain.contract.erasure import on_erasure_due
from chain.contract.ghost_audit import on_ghost_audit_due
from chain.contract.index_epoch import on_index_epoch_due
from chain.contract.void import on_void_due
from chain.errors import InvariantViolation
from chain.state import Overlay

PERSON_KINDS: Final = (
    DUE_VOID_HEARING,
    DUE_VOID_DECISION,
    DUE_VOID_APPEAL,
    DUE_ERASURE,
    DUE_INDEX_EPOCH,
    DUE_GHOST_AUDIT,
)


def on_person_due(state: Overlay, context: Context, plan: str, kind: int, due_id: bytes, set_for: int) -> None:
    """Act on a deadline that ended; `set_for` is the day that it was set for."""
    if kind in (DUE_VOID_HEARING, DUE_VOID_DECISION, DUE_VOID_APPEAL):
        on_void_due(state, context, due_id, set_for)
    elif kind == DUE_ERASURE:
        on_erasure_due(state, context, due_id, set_for)
    elif kind == DUE_INDEX_EPOCH:
        on_index_epoch_due(state, context, plan, due_id)
    elif kind == DUE_GHOST_AUDIT:
        on_ghost_audit_due(state, context, plan, due_id)
    else:
        raise InvariantViolation(f"no deadline about persons has the kind {kind}")
