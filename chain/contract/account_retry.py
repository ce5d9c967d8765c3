"""Payments that failed reach the member all the same (contract 3.5 *failed item*, 5 *instruction_retry*).

    aid FAILED                 the money stays payable; listed (failed_payments.py)
    refund FAILED              the money is back in the member's balance (custody.py)
    account verified since  -> at the next 0:00 aid is READY again, as the next attempt of the same instruction, and
                               what an ended membership still owns is instructed as a new refund

It runs at 0:00 and not in the bank's own call, whose body names the member: side by side they would say whose claim
it is (contract 6). Only the contract retries; nobody's signature is needed, and none can send the money elsewhere.
"""

from msgspec.structs import replace

from chain.contract.claim_payment import on_instructed
from chain.contract.claim_tables import CLAIM
from chain.contract.context import Context
from chain.contract.custody_tables import (
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_FAILED,
    INSTRUCTION_READY,
    InstructionRecord,
)
from chain.contract.failed_payments import find_payee, is_payable, list_failed, set_retry
from chain.contract.member_events import InstructionRetried
from chain.contract.member_key_tables import FAILED_PAYMENTS, FailedPaymentsRecord
from chain.contract.organisations import require_plan
from chain.contract.payout import refund_member
from chain.contract.persons import is_gone
from chain.contract.shares import open_book, save_book, write_member
from chain.contract.tables import MEMBER, PLAN_ENDED, MemberRecord
from chain.state import Overlay


def note_failed(state: Overlay, context: Context, instruction_id: bytes, record: InstructionRecord) -> None:
    """Remember a failed payment to a member, after its money was put back.

    Where another account was verified while it was under way, it is retried there: nobody would ask again.
    """
    if record.member is None:
        return
    payee_id, payee = record.member, state.require(MEMBER, record.member)
    if record.kind == INSTRUCTION_AID and record.claim is not None:
        list_failed(state, instruction_id, record.claim)
        payee_id, payee = find_payee(state, state.require(CLAIM, record.claim))
    if payee.account_token != record.account_token:
        schedule_retry(state, context, payee_id, payee)


def schedule_retry(state: Overlay, context: Context, member_id: bytes, member: MemberRecord) -> None:
    """Retry at the next 0:00 what failed, if anything; at once where the plan has ended and no day begins any more."""
    if state.get(FAILED_PAYMENTS, member_id) is None and not _is_owed(member):
        return
    if require_plan(state, member.plan).status == PLAN_ENDED:
        on_retry_due(state, context, member_id)
    else:
        set_retry(state, context, member_id, member)


def _is_owed(member: MemberRecord) -> bool:
    """Tell whether an ended membership still owns money."""
    return is_gone(member) and member.cash > 0


def on_retry_due(state: Overlay, context: Context, member_id: bytes) -> None:
    """Make failed aid ready again, and instruct what an ended membership still owns, to the account verified now."""
    member = state.require(MEMBER, member_id)
    if not is_payable(state, member_id, member):
        return
    failed = state.get(FAILED_PAYMENTS, member_id)
    if failed is not None:
        left = tuple(item for item in failed.instructions if not _retry(state, context, item))
        if left:
            state.put(FAILED_PAYMENTS, FailedPaymentsRecord(instructions=left), member_id)
        else:
            state.delete(FAILED_PAYMENTS, member_id)
    if _is_owed(member):
        book = open_book(state, context, member.plan, member.pool)
        write_member(state, book, member_id, member, replace(member, cash=0))
        refund_member(state, context, book, member_id, member, member.cash)
        save_book(state, book)


def _retry(state: Overlay, context: Context, instruction_id: bytes) -> bool:
    """Make one failed payment of aid ready for the account of its payee now; tell whether it is off the list."""
    record = state.require(INSTRUCTION, instruction_id)
    if record.state != INSTRUCTION_FAILED or record.claim is None:
        return True
    payee_id, payee = find_payee(state, state.require(CLAIM, record.claim))
    if not is_payable(state, payee_id, payee):
        return False
    attempt = record.attempt + 1
    retried = replace(record, state=INSTRUCTION_READY, account_token=payee.account_token, attempt=attempt)
    state.put(INSTRUCTION, retried, instruction_id)
    context.emit(InstructionRetried(instruction=instruction_id, attempt=attempt, amount=record.amount))
    on_instructed(state, context, record.claim)
    return True
