"""Deadlines of appeals (due kinds 80 to 89): what follows when nobody acted."""

from typing import Final

from msgspec.structs import replace

from chain.contract import appeal_panel, jury
from chain.contract.appeal import on_wait_due
from chain.contract.appeal_tables import APPEAL
from chain.contract.claim_status import DUE_NONE, save
from chain.contract.claim_tables import CLAIM
from chain.contract.context import Context
from chain.contract.due import (
    DUE_APPEAL,
    DUE_APPEAL_PANEL,
    DUE_APPEAL_WAIT,
    DUE_BALLOT_COMMIT,
    DUE_BALLOT_REVEAL,
)
from chain.errors import InvariantViolation
from chain.state import Overlay

APPEAL_KINDS: Final = (DUE_APPEAL, DUE_APPEAL_WAIT, DUE_BALLOT_COMMIT, DUE_BALLOT_REVEAL, DUE_APPEAL_PANEL)


def on_appeal_due(state: Overlay, context: Context, kind: int, due_id: bytes, day: int) -> None:
    """Act on a deadline that ended; `day` is the day that it was set for, by which a stale one is told.

    The id is that of an appeal or, for the 30 days in which one may be filed, of the claim.
    """
    if kind == DUE_APPEAL:
        _end_window(state, due_id, day)
        return
    record = state.require(APPEAL, due_id)
    if (record.due_kind, record.due_day) != (kind, day):
        return
    if kind == DUE_APPEAL_WAIT:
        on_wait_due(state, context, due_id, record)
    elif kind == DUE_BALLOT_COMMIT:
        jury.open_ballots(state, context, due_id, record)
    elif kind == DUE_BALLOT_REVEAL:
        jury.tally(state, context, due_id, record)
    elif kind == DUE_APPEAL_PANEL:
        appeal_panel.conclude(state, context, due_id, record)
    else:
        raise InvariantViolation(f"no deadline of appeals has the kind {kind}")


def _end_window(state: Overlay, claim_id: bytes, day: int) -> None:
    """Let a decision be final that nobody appealed."""
    claim = state.require(CLAIM, claim_id)
    if (claim.due_kind, claim.due_day) == (DUE_APPEAL, day):
        save(state, claim_id, replace(claim, due_day=0, due_kind=DUE_NONE))
