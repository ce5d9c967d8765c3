"""Dispatch of the calls on appeals: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.appeal import apply_appeal_file
from chain.contract.appeal_panel import apply_appeal_rule
from chain.contract.calls import AppealCall
from chain.contract.claim_calls import AppealFile, AppealRule, BallotCommit, BallotReveal
from chain.contract.context import Context
from chain.contract.jury import apply_ballot_commit, apply_ballot_reveal
from chain.state import Overlay


def apply_appeal_call(state: Overlay, context: Context, call: AppealCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case AppealFile():
            return apply_appeal_file(state, context, call)
        case BallotCommit():
            return apply_ballot_commit(state, context, call)
        case BallotReveal():
            return apply_ballot_reveal(state, context, call)
        case AppealRule():
            return apply_appeal_rule(state, context, call)
        case _:
            assert_never(call)
