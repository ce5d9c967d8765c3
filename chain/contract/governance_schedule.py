"""The government's own clock (contract 3.1 *governance*): proposals expire and take effect, the set changes.

It belongs to the consortium, not to a plan: its days follow from the UTC offset of the first plan of genesis, and go
on while any plan is paused, frozen or ended. What fell due runs in each block, before its transactions: by due day,
then by the id of the proposal. Proposals that act on a plan come after the plan's own events of the block, as if they
were its first transactions; all others before any plan's. At most `PROPOSALS_MAX` are there at all, so a block's work
is bounded without a budget.

An effect that has become impossible fails, with the code of its reason, and changes nothing else. One that breaks
(a mistake of ours) fails with `fault`: the chain goes on.
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS
from chain.contract.context import Context, compute_day
from chain.contract.fault import attempt
from chain.contract.governance import apply_payload, find_concerned
from chain.contract.governance_calls import AddOrganisation, RemoveOrganisation, RemoveValidator
from chain.contract.governance_tables import (
    CONSORTIUM,
    PROPOSAL,
    PROPOSAL_ACCEPTED,
    PROPOSAL_EFFECTIVE,
    PROPOSAL_EXPIRED,
    PROPOSAL_FAILED,
    PROPOSAL_OPEN,
    ProposalRecord,
)
from chain.contract.plan_orders import PlanOrder
from chain.contract.proposals import close, decide_all
from chain.contract.validator_changes import (
    add_ready_candidate,
    drop_expired_candidates,
    may_change_set,
    note_parent_block,
)
from chain.errors import Refusal
from chain.state import Overlay


def run_house_events(state: Overlay, context: Context) -> None:
    """Run what fell due for the house: everything but what acts on a plan. Comes before the plans' events."""
    consortium = state.require(CONSORTIUM)
    today = compute_day(context.timestamp_ms, consortium.utc_offset_minutes)
    if today > consortium.day:
        state.put(CONSORTIUM, replace(consortium, day=today))
        drop_expired_candidates(state, context, day=today)
    _run_due(state, context, today=today, is_for_plans=False)
    if state.require(CONSORTIUM).candidates:
        add_ready_candidate(state, context)
    note_parent_block(state, context)


def run_plan_orders(state: Overlay, context: Context) -> None:
    """Run what was decided about plans and fell due. Comes after the plans' events."""
    today = compute_day(context.timestamp_ms, state.require(CONSORTIUM).utc_offset_minutes)
    _run_due(state, context, today=today, is_for_plans=True)


def _run_due(state: Overlay, context: Context, *, today: int, is_for_plans: bool) -> None:
    due = [(live.due_day, live.proposal) for live in state.require(CONSORTIUM).live if live.due_day <= today]
    for _, proposal in sorted(due):
        record = state.require(PROPOSAL, proposal)
        if isinstance(record.payload, PlanOrder) != is_for_plans:
            continue
        if record.status == PROPOSAL_OPEN and today >= record.expire_day:
            close(state, context, proposal, PROPOSAL_EXPIRED, today=today)
        elif record.status == PROPOSAL_ACCEPTED and today >= record.effect_day and _has_turn(state, context, record):
            _take_effect(state, context, proposal, record, today=today)


def _has_turn(state: Overlay, context: Context, record: ProposalRecord) -> bool:
    """Tell whether an effect may be had in this block: a second change of the set waits for the next one."""
    return not isinstance(record.payload, RemoveValidator) or may_change_set(state, context)


def _take_effect(state: Overlay, context: Context, proposal: bytes, record: ProposalRecord, *, today: int) -> None:
    def act() -> None:
        if find_concerned(state, record.payload) != record.concerned:
            # Another one holds the office by now, who was not kept from voting on this, nor asked.
            raise Refusal("conflict")
        apply_payload(state, context, record.payload, record.reason_hash)

    code = attempt(state, context, act)
    if code != SUCCESS:
        close(state, context, proposal, PROPOSAL_FAILED, today=today, code=code)
        return
    close(state, context, proposal, PROPOSAL_EFFECTIVE, today=today)
    if isinstance(record.payload, AddOrganisation | RemoveOrganisation):
        decide_all(state, context, today=today)
