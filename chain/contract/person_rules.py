"""Dispatch of the calls on persons: hearings, erasure, index epochs, checks for ghosts (contract 5)."""

from typing import assert_never

from chain.contract.calls import PersonCall
from chain.contract.context import Context
from chain.contract.erasure import apply_erasure_receipt, apply_erasure_request
from chain.contract.ghost_audit import apply_ghost_audit_report
from chain.contract.index_epoch import apply_index_epoch_open, apply_index_reissue
from chain.contract.member_calls import (
    ErasureReceipt,
    ErasureRequest,
    GhostAuditReport,
    IndexEpochOpen,
    IndexReissue,
    VoidAnswer,
    VoidDecide,
    VoidOpen,
)
from chain.contract.void import apply_void_answer, apply_void_decide, apply_void_open
from chain.state import Overlay


def apply_person_call(state: Overlay, context: Context, call: PersonCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case VoidOpen():
            return apply_void_open(state, context, call)
        case VoidAnswer():
            return apply_void_answer(state, context, call)
        case VoidDecide():
            return apply_void_decide(state, context, call)
        case ErasureRequest():
            return apply_erasure_request(state, context, call)
        case ErasureReceipt():
            return apply_erasure_receipt(state, context, call)
        case IndexEpochOpen():
            return apply_index_epoch_open(state, context, call)
        case IndexReissue():
            return apply_index_reissue(state, context, call)
        case GhostAuditReport():
            return apply_ghost_audit_report(state, context, call)
        case _:
            assert_never(call)
