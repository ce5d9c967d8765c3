"""Payments while a plan is FROZEN (contract 5 *single_release*).

The chain cannot hold the bank's hand: an acknowledged payment is a fact and is never refused. What FROZEN asks of the
bank is to make no payment of the plan but those that bank and auditor release one by one. Who reads what the bank is to
pay is told which are held.
"""

from typing import Final

from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_AID, INSTRUCTION_READY, INSTRUCTION_REFUND
from chain.contract.halves import Party, cosign
from chain.contract.money_calls import SingleRelease
from chain.contract.money_events import InstructionReleased
from chain.contract.money_tables import RELEASE, ReleaseRecord
from chain.contract.organisations import get_today
from chain.contract.tables import PLAN, PLAN_FROZEN, PlanRecord
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

_PARTIES: Final = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))
_RELEASABLE: Final = (INSTRUCTION_AID, INSTRUCTION_REFUND)


def apply_single_release(state: Overlay, context: Context, call: SingleRelease) -> tuple[int, ...]:
    """Release one payment of aid or refund to its verified account, once bank and auditor signed."""
    record = state.get(INSTRUCTION, call.instruction)
    if record is None:
        raise Refusal("instruction_unknown", instruction=call.instruction.hex())
    if state.get(RELEASE, call.instruction) is not None:
        raise Refusal("already")
    plan = state.require(PLAN, record.plan)
    if plan.status != PLAN_FROZEN:
        raise Refusal("plan_not_frozen", plan=record.plan)
    if record.state != INSTRUCTION_READY:
        raise Refusal("instruction_state", state=record.state)
    if record.kind not in _RELEASABLE or record.account_token is None:
        raise Refusal("payee_unverified", instruction=call.instruction.hex())
    signed = cosign(state, context, plan=record.plan, call=call, parties=_PARTIES)
    if signed is not None:
        release = ReleaseRecord(day=get_today(context, plan), auditor=signed[1])
        state.put(RELEASE, release, call.instruction)
        context.emit(InstructionReleased(instruction=call.instruction, organisation=signed[1]))
    return ()


def is_held(plan: PlanRecord, release: ReleaseRecord | None) -> bool:
    """Tell whether the bank is asked not to make a payment that is ready."""
    return plan.status == PLAN_FROZEN and release is None
