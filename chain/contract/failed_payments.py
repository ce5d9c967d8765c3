"""Which payments to members failed or may not be made yet, below those who make them (contract 3.5 *failed item*).

Nothing here moves money: custody.py and payout.py list what failed, account_retry.py takes it off the list.
"""

from msgspec.structs import replace

from chain.contract.claim_payment import on_pay_failed
from chain.contract.claim_tables import CLAIM, ClaimRecord
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_FAILED, InstructionRecord
from chain.contract.due import DUE_RETRY, add_due
from chain.contract.member_key_tables import (
    DEATH,
    FAILED_MAX,
    FAILED_PAYMENTS,
    HOLDER_ESTATE,
    HOLDER_GUARDIAN,
    FailedPaymentsRecord,
)
from chain.contract.organisations import get_today, require_plan
from chain.contract.tables import MEMBER, MEMBER_DIED, MemberRecord
from chain.errors import InvariantViolation
from chain.state import Overlay


def is_dead(state: Overlay, member_id: bytes, member: MemberRecord) -> bool:
    """Tell whether a death was reported, whatever became of the membership before."""
    return member.status == MEMBER_DIED or state.get(DEATH, member_id) is not None


def is_payable(state: Overlay, member_id: bytes, member: MemberRecord) -> bool:
    """Tell whether there is an account to which money may go: of the estate alone, where the member died."""
    if member.account_token is None:
        return False
    return member.holder_kind == HOLDER_ESTATE or not is_dead(state, member_id, member)


def find_payee(state: Overlay, claim: ClaimRecord) -> tuple[bytes, MemberRecord]:
    """Return (pseudonym, record) of whose account a claim is paid to: a living guardian's where he is the payee."""
    member = state.require(MEMBER, claim.member)
    if claim.payee_kind == HOLDER_GUARDIAN and member.guardian is not None:
        guardian = state.require(MEMBER, member.guardian)
        if not is_dead(state, member.guardian, guardian):
            return member.guardian, guardian
    return claim.member, member


def has_open_payment(state: Overlay, member_id: bytes, member: MemberRecord) -> bool:
    """Tell whether an ended membership may still be paid something, or be put right after a wrong report of death."""
    if member.claim is not None or member.cash > 0:
        return True
    return has_failed_payment(state, member_id) or state.get(DEATH, member_id) is not None


def has_failed_payment(state: Overlay, member_id: bytes) -> bool:
    """Tell whether aid waits for a new account; a list may hold payments that have been made since."""
    known = state.get(FAILED_PAYMENTS, member_id)
    listed = () if known is None else known.instructions
    return any(state.require(INSTRUCTION, instruction).state == INSTRUCTION_FAILED for instruction in listed)


def list_failed(state: Overlay, instruction_id: bytes, claim_id: bytes) -> None:
    """Note a failed payment of aid with the claim's member and with whose account it went to.

    A new account of either retries it; what is no longer FAILED leaves a list when the next one joins it.
    """
    claim = state.require(CLAIM, claim_id)
    payee_id, _ = find_payee(state, claim)
    for member_id in dict.fromkeys((claim.member, payee_id)):
        known = state.get(FAILED_PAYMENTS, member_id)
        listed = () if known is None else known.instructions
        still = tuple(item for item in listed if state.require(INSTRUCTION, item).state == INSTRUCTION_FAILED)
        failed = (*(item for item in still if item != instruction_id), instruction_id)
        if len(failed) > FAILED_MAX:
            raise InvariantViolation(f"{len(failed)} failed payments of one member")
        state.put(FAILED_PAYMENTS, FailedPaymentsRecord(instructions=failed), member_id)


def unlist_failed(state: Overlay, instruction_id: bytes, claim_id: bytes) -> None:
    """Take an aid instruction that nobody will be paid any more off the lists of `list_failed`."""
    claim = state.require(CLAIM, claim_id)
    payee_id, _ = find_payee(state, claim)
    for member_id in dict.fromkeys((claim.member, payee_id)):
        known = state.get(FAILED_PAYMENTS, member_id)
        if known is None or instruction_id not in known.instructions:
            continue
        left = tuple(item for item in known.instructions if item != instruction_id)
        if left:
            state.put(FAILED_PAYMENTS, FailedPaymentsRecord(instructions=left), member_id)
        else:
            state.delete(FAILED_PAYMENTS, member_id)


def hold_for_estate(state: Overlay, context: Context, instruction_id: bytes, record: InstructionRecord) -> bool:
    """Hold aid to somebody who died before his estate has an account; tell whether it was held.

    Its batch is signed, so it counts as answered; it waits like a failed payment and goes out when the bank has
    verified the account. The batch names the account of the charge: where it is another one by now, it goes there at
    the next 0:00.
    """
    if record.claim is None:
        return False
    payee_id, payee = find_payee(state, state.require(CLAIM, record.claim))
    can_pay = is_payable(state, payee_id, payee)
    if can_pay and payee.account_token == record.account_token:
        return False
    state.put(INSTRUCTION, replace(record, state=INSTRUCTION_FAILED), instruction_id)
    list_failed(state, instruction_id, record.claim)
    on_pay_failed(state, context, record.claim)
    if can_pay:
        set_retry(state, context, payee_id, payee)
    return True


def set_retry(state: Overlay, context: Context, member_id: bytes, member: MemberRecord) -> None:
    """Let failed payments to an account be retried at the next 0:00 (account_retry.py)."""
    plan = require_plan(state, member.plan)
    day = get_today(context, plan) + 1
    add_due(state, member.plan, day, DUE_RETRY, compute_day_start_ms(day, plan.utc_offset_minutes), member_id)
