"""Who decides an appeal where no jury can: an auditor and a firm that had no part in it (contract 5 *ballot_commit*).

The auditor is the second one, or the next that neither took the decision nor holds a seat on the claim; but none where
no other auditor would be left to confirm the claim. The firm is drawn by lot from those that were never on the claim.
Both have 10 days, each with a vote of its own (`appeal_rule`). A vote that is not given does not count, so that nobody
blocks a case by silence; given votes that differ leave the decision as it is, and so does the silence of both: an
approval that nobody signs would be one, and the first decision was signed (ADR 0011).
"""

from typing import Final

from msgspec.structs import replace

from chain.contract import appeal_lane, beacon, claim_roster
from chain.contract.appeal import end_appeal
from chain.contract.appeal_events import AppealRuled, PanelSeated
from chain.contract.appeal_tables import (
    APPEAL,
    APPEAL_PANEL,
    DECIDER_NOBODY,
    DECIDER_PANEL,
    VOTE_DISMISS,
    VOTE_NONE,
    VOTE_UPHOLD,
    AppealRecord,
    PanelSeat,
)
from chain.contract.claim_calls import AppealRule
from chain.contract.claim_status import get_active, require_signer
from chain.contract.claim_tables import CLAIM, ClaimRecord
from chain.contract.context import Context
from chain.contract.due import DUE_APPEAL_PANEL
from chain.contract.organisations import get_auditors
from chain.contract.person_tables import VOID
from chain.contract.tables import ORGANISATION, ROSTER
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR
from chain.state import Overlay
from chain.types import Hash

PANEL_DAYS: Final = 10
_PURPOSE: Final = "appeal-panel"


def seat_panel(state: Overlay, context: Context, case_id: bytes, record: AppealRecord, value: Hash) -> None:
    """Ask auditor and firm; where neither can be found the decision stands."""
    if record.claim is None:
        names = _choose_for_void(state, case_id, record.member, value)
    else:
        names = _choose_for_claim(state, record.claim, state.require(CLAIM, record.claim), value)
    record = replace(record, panel=tuple(PanelSeat(organisation=name, vote=VOTE_NONE) for name in names))
    if not names:
        end_appeal(state, context, case_id, record, is_upheld=False, decider=DECIDER_NOBODY)
        return
    record = replace(record, status=APPEAL_PANEL, jurors=0)
    record = appeal_lane.set_due(state, context, case_id, record, kind=DUE_APPEAL_PANEL, days=PANEL_DAYS)
    context.emit(
        PanelSeated(case=case_id, claim=record.claim, organisations=names, value=value, due_day=record.due_day)
    )


def _order_auditors(state: Overlay) -> tuple[str, ...]:
    """Return the auditors in the order of asking: the second, the first, then any others."""
    first, second, *others = get_auditors(state)
    return (second, first, *others)


def _choose_for_claim(state: Overlay, claim_id: bytes, claim: ClaimRecord, value: Hash) -> tuple[str, ...]:
    seated = [firm.organisation for firm in get_active(claim)]
    free = [name for name in _order_auditors(state) if name not in seated]
    fresh = [name for name in free if name != claim.decided_by] if len(free) > 1 else []
    firm = claim_roster.draw_firm(state, claim_id, claim, value, _PURPOSE)
    return (*fresh[:1], *([firm] if firm is not None else []))


def _choose_for_void(state: Overlay, case_id: bytes, member_id: bytes, value: Hash) -> tuple[str, ...]:
    hearing = state.require(VOID, member_id)
    fresh = [name for name in _order_auditors(state) if name != hearing.decided_by]
    accuser = state.get(ORGANISATION, hearing.firm)
    groups = (hearing.firm, accuser.group if accuser is not None else "")
    firms = [
        name
        for name in state.require(ROSTER, ROLE_ASSESSOR).names
        if name != hearing.firm and state.require(ORGANISATION, name).group not in groups
    ]
    if not firms:
        return tuple(fresh[:1])
    return (*fresh[:1], firms[beacon.draw(value, purpose=_PURPOSE, subject=case_id, bound=len(firms))])


def apply_appeal_rule(state: Overlay, context: Context, call: AppealRule) -> tuple[int, ...]:
    """Vote on an appeal that came to the panel; the last vote decides.

    Refused: appeal_unknown; wrong_role for no organisation; not_drawn for one that was not asked; already for the same
    vote, conflict for another one; appeal_state once it is decided.
    """
    record = state.get(APPEAL, call.case)
    if record is None:
        raise Refusal("appeal_unknown", case=call.case.hex())
    name = require_signer(state, context).organisation
    seat = next((item for item in record.panel if item.organisation == name), None)
    if seat is None:
        raise Refusal("not_drawn", organisation=name)
    vote = VOTE_UPHOLD if call.is_upheld else VOTE_DISMISS
    if seat.vote != VOTE_NONE:
        raise Refusal("already" if seat.vote == vote else "conflict", case=call.case.hex())
    if record.status != APPEAL_PANEL:
        raise Refusal("appeal_state", status=record.status)
    panel = tuple(replace(item, vote=vote) if item.organisation == name else item for item in record.panel)
    record = replace(record, panel=panel)
    state.put(APPEAL, record, call.case)
    context.emit(AppealRuled(case=call.case, claim=record.claim, organisation=name, is_upheld=call.is_upheld))
    if all(item.vote != VOTE_NONE for item in panel):
        conclude(state, context, call.case, record)
    return ()


def conclude(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Decide by the votes that were given: upheld where all of them say so, and there is one."""
    votes = [seat.vote for seat in record.panel if seat.vote != VOTE_NONE]
    is_upheld = bool(votes) and all(vote == VOTE_UPHOLD for vote in votes)
    decider = DECIDER_PANEL if votes else DECIDER_NOBODY
    end_appeal(state, context, case_id, record, is_upheld=is_upheld, decider=decider)
