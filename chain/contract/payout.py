"""Instructions to the bank, and the batch of a period that platform and co-signer release (contract 2 and 5).

    aid:                 COMPUTED --batch signed--> READY --bank--> SETTLED | FAILED
    refund, return, fee:                            READY --bank--> SETTLED | FAILED

The contract computes what is paid to whom; the signatures add nothing but the assent of two interests to
exactly that list (its root). Silence of one signer moves the right to sign to another, never to nobody
(contract 1).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.codec import encode
from chain.contract.claim_payment import on_instructed
from chain.contract.context import Context
from chain.contract.custody_tables import (
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_COMPUTED,
    INSTRUCTION_FAILED,
    INSTRUCTION_READY,
    INSTRUCTION_REFUND,
    InstructionRecord,
)
from chain.contract.events import BatchSigned, InstructionCreated, PeriodClosed
from chain.contract.failed_payments import hold_for_estate
from chain.contract.organisations import get_auditors, get_today, require_plan
from chain.contract.plan_calls import BatchSign
from chain.contract.settlement_tables import (
    PERIOD,
    PERIOD_CLOSED,
    PERIOD_COMPUTED,
    PERIOD_INSTRUCTED,
    PeriodRecord,
)
from chain.contract.shares import PoolBook
from chain.contract.tables import (
    PLAN_FROZEN,
    PLAN_PAUSED,
    SIGNER,
    MemberRecord,
    PlanRecord,
    SignerRecord,
)
from chain.crypto import sha256
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_PLATFORM
from chain.history import merkle_root
from chain.state import Overlay
from chain.types import ZERO_HASH, Hash, InstructionId

SILENCE_DAYS: Final = 3
"""After so many days without a signature the right to sign goes to the next auditor."""
SIGNATURES_NEEDED: Final = 2
_TAG: Final = b"gongji/instruction/v1\n"


class Payment(Struct, frozen=True):
    """What the bank is to pay, and to whom."""

    kind: int
    """See INSTRUCTION_AID and its like."""
    amount: int
    """Fen, at least 1."""
    fee: int = 0
    """Platform fee that becomes payable with it."""
    member: bytes | None = None
    claim: bytes | None = None
    account_token: bytes | None = None
    """Verified account of the payee; None: back to the payer."""
    deposit: tuple[str, int, bytes] | None = None
    """Deposit that is returned: (account, booking day, ref token)."""
    period: int | None = None
    """Period whose batch it belongs to; None: the one in which it is made."""
    to_account: str | None = None
    """Custody account of the plan that gets a transfer."""


def create_instruction(
    state: Overlay, context: Context, book: PoolBook, payment: Payment, *, is_held: bool = False
) -> InstructionId:
    """Make an instruction and return its id, SHA-256(tag || [plan, pool, running number]).

    One that is held is FAILED from the beginning: there is no account that it could go to. Raises InvariantViolation
    for 0 fen: no such instruction is ever made (contract 3.5). The sums of the pool are the caller's to move.
    """
    if payment.amount < 1:
        raise InvariantViolation(f"an instruction of {payment.amount} fen")
    number = book.pool.instructions
    instruction = InstructionId(sha256(_TAG + encode((book.plan, book.number, number))))
    book.pool = replace(book.pool, instructions=number + 1)
    is_aid = payment.kind == INSTRUCTION_AID
    first_state = INSTRUCTION_COMPUTED if is_aid else INSTRUCTION_READY
    record = InstructionRecord(
        kind=payment.kind,
        state=INSTRUCTION_FAILED if is_held else first_state,
        plan=book.plan,
        pool=book.number,
        member=payment.member,
        claim=payment.claim,
        account_token=payment.account_token,
        deposit=payment.deposit,
        amount=payment.amount,
        fee=payment.fee,
        period=book.pool.settlements if payment.period is None else payment.period,
        created_day=book.today,
        attempt=0,
        booking_day=0,
        ref_token=None,
        reason=0,
        to_account=payment.to_account,
    )
    state.put(INSTRUCTION, record, instruction)
    context.emit(
        InstructionCreated(
            instruction=instruction,
            kind=payment.kind,
            member=None if is_aid else payment.member,
            amount=payment.amount,
        )
    )
    return instruction


def refund_member(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, amount: int
) -> None:
    """Move money that has left a member's record to `outgoing` and order the bank to pay it to his account."""
    if amount == 0:
        return
    payment = Payment(kind=INSTRUCTION_REFUND, amount=amount, member=member_id, account_token=member.account_token)
    create_instruction(state, context, book, payment)
    book.pool = replace(book.pool, outgoing=book.pool.outgoing + amount)


def hold_refund(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, amount: int
) -> None:
    """Note a refund that waits for an account of the estate while its money stays the member's.

    So it is public since when it waits, and what no heir ever asks for is unclaimed one day (unclaimed.py): otherwise
    it would keep a plan from its end.
    """
    payment = Payment(kind=INSTRUCTION_REFUND, amount=amount, member=member_id, account_token=member.account_token)
    create_instruction(state, context, book, payment, is_held=True)


def compute_batch_root(state: Overlay, instructions: Sequence[bytes]) -> Hash:
    """Return the RFC 6962 root over [id, kind, account token, amount] of a period's instructions, zero for none."""
    if not instructions:
        return ZERO_HASH
    leaves = []
    for instruction in instructions:
        record = state.require(INSTRUCTION, instruction)
        leaves.append(encode((instruction, record.kind, record.account_token, record.amount)))
    return merkle_root(leaves)


def may_sign_batch(
    period: PeriodRecord, plan: PlanRecord, *, signer: SignerRecord, auditors: Sequence[str], today: int
) -> bool:
    """Tell whether an organisation may sign the batch on this day; `auditors` are those in office.

    Platform and co-signer; after three days in which either was silent, the confirmer in its place. Both
    auditors together thus replace a silent platform, platform and confirmer a silent co-signer. Where one of these two
    auditors was let go since, any other may then stand in, or a batch could lose both of them.
    """
    if signer.role == ROLE_PLATFORM or signer.organisation == period.cosigner:
        return True
    waited = today - period.computed_day - (plan.stopped_days - period.stopped_days)
    has_lost_one = period.cosigner not in auditors or period.confirmer not in auditors
    return waited >= SILENCE_DAYS and (signer.organisation == period.confirmer or has_lost_one)


def apply_batch_sign(state: Overlay, context: Context, call: BatchSign) -> tuple[int, ...]:
    """Sign the batch of a period; the second signature makes its instructions ready for the bank."""
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_PLATFORM, ROLE_AUDITOR):
        raise Refusal("wrong_role")
    plan = require_plan(state, call.plan)
    period = state.get(PERIOD, call.plan, call.pool, call.period)
    if period is None:
        raise Refusal("period_unknown", period=call.period)
    if signer.organisation in period.signed_by:
        raise Refusal("already")
    if plan.status in (PLAN_PAUSED, PLAN_FROZEN):
        raise Refusal("plan_not_active", plan=call.plan)
    if period.status != PERIOD_COMPUTED:
        raise Refusal("period_state", status=period.status)
    if call.batch_root != period.batch_root:
        raise Refusal("batch_root_mismatch")
    auditors, today = get_auditors(state), get_today(context, plan)
    if not may_sign_batch(period, plan, signer=signer, auditors=auditors, today=today):
        raise Refusal("wrong_role", organisation=signer.organisation)
    signed_by = (*period.signed_by, signer.organisation)
    is_complete = len(signed_by) >= SIGNATURES_NEEDED
    state.put(
        PERIOD,
        replace(period, signed_by=signed_by, status=PERIOD_INSTRUCTED if is_complete else PERIOD_COMPUTED),
        call.plan,
        call.pool,
        call.period,
    )
    context.emit(
        BatchSigned(
            plan=call.plan,
            pool=call.pool,
            period=call.period,
            organisation=signer.organisation,
            is_complete=is_complete,
        )
    )
    if is_complete:
        for instruction in period.instructions:
            record = state.require(INSTRUCTION, instruction)
            if hold_for_estate(state, context, instruction, record):
                note_answer(state, context, plan=call.plan, pool=call.pool, number=call.period)
                continue
            state.put(INSTRUCTION, replace(record, state=INSTRUCTION_READY), instruction)
            if record.claim is not None:
                on_instructed(state, context, record.claim)
    return ()


def note_answer(state: Overlay, context: Context, *, plan: str, pool: int, number: int) -> None:
    """Count one answered instruction of a period; the last one closes it, without waiting for failed items."""
    period = state.require(PERIOD, plan, pool, number)
    left = period.unacknowledged - 1
    if left < 0:
        raise InvariantViolation(f"period {number} has more answers than instructions")
    status = PERIOD_CLOSED if left == 0 else period.status
    state.put(PERIOD, replace(period, unacknowledged=left, status=status), plan, pool, number)
    if left == 0:
        context.emit(PeriodClosed(plan=plan, pool=pool, period=number))
