"""Dispatch: each call to its life cycle, and what becomes of a transaction as a whole (contract 3.7, 5).

refused as a whole  -> rolled back, the refusal's number
broken invariant    -> rolled back, `fault`
batch               -> success if any item succeeded, else `already` if any was, else `items_refused`
"""

from typing import assert_never

from msgspec import Struct

from chain.catalogue import FAULT, SUCCESS, get_entry
from chain.contract.admission import (
    apply_account_verify,
    apply_index_issue,
    apply_member_admit,
    apply_member_refuse,
)
from chain.contract.calls import (
    AccountVerify,
    AssessorAccept,
    BatchSign,
    Call,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    DepositCredit,
    IndexIssue,
    InstructionAck,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberWeight,
    MemberWithdraw,
    ReportCommit,
    ReportReveal,
    StatementPost,
)
from chain.contract.claim_decision import apply_claim_decide
from chain.contract.claim_draw import apply_assessor_accept
from chain.contract.claim_filing import apply_claim_file
from chain.contract.claim_notice import apply_claim_confirm
from chain.contract.claim_report import apply_certificate_attach, apply_report_commit, apply_report_reveal
from chain.contract.context import Context
from chain.contract.custody import apply_instruction_ack, apply_statement_post
from chain.contract.deposit import apply_deposit_credit
from chain.contract.invariants import check_transaction
from chain.contract.membership import (
    apply_member_amend,
    apply_member_apply,
    apply_member_leave,
    apply_member_weight,
    apply_member_withdraw,
)
from chain.contract.payout import apply_batch_sign
from chain.errors import InvariantViolation, Refusal
from chain.state import Overlay

_ALREADY = get_entry("already").number
_ITEMS_REFUSED = get_entry("items_refused").number


class Outcome(Struct, frozen=True):
    """What became of one transaction."""

    number: int
    """Catalogue number; 0 success."""
    items: tuple[int, ...]
    """Catalogue numbers of the items of a batch, in order."""


def execute_call(state: Overlay, context: Context, call: Call) -> Outcome:
    """Run one call whole or not at all; any other exception than a refusal or a broken invariant propagates."""
    mark = state.savepoint()
    events = len(context.events)
    try:
        items = apply_call(state, context, call)
        check_transaction(state, mark)
    except Refusal as refusal:
        number = refusal.entry.number
    except InvariantViolation:
        number = FAULT
    else:
        return Outcome(number=compute_batch_outcome(items), items=items)
    state.rollback(mark)
    del context.events[events:]
    return Outcome(number=number, items=())


def compute_batch_outcome(items: tuple[int, ...]) -> int:
    """Return the outcome of a batch as a whole from those of its items; success for a call without items."""
    if not items or SUCCESS in items:
        return SUCCESS
    return _ALREADY if _ALREADY in items else _ITEMS_REFUSED


def apply_call(state: Overlay, context: Context, call: Call) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case DepositCredit():
            return apply_deposit_credit(state, context, call)
        case InstructionAck():
            return apply_instruction_ack(state, context, call)
        case StatementPost():
            return apply_statement_post(state, context, call)
        case BatchSign():
            return apply_batch_sign(state, context, call)
        case AccountVerify() | IndexIssue() | MemberAdmit() | MemberRefuse():
            return _apply_admission_call(state, context, call)
        case MemberApply() | MemberAmend() | MemberLeave() | MemberWithdraw() | MemberWeight():
            return _apply_member_call(state, context, call)
        case _:
            return _apply_claim_call(state, context, call)


def _apply_admission_call(
    state: Overlay, context: Context, call: AccountVerify | IndexIssue | MemberAdmit | MemberRefuse
) -> tuple[int, ...]:
    match call:
        case AccountVerify():
            return apply_account_verify(state, context, call)
        case IndexIssue():
            return apply_index_issue(state, context, call)
        case MemberAdmit():
            return apply_member_admit(state, context, call)
        case MemberRefuse():
            return apply_member_refuse(state, context, call)
        case _:
            assert_never(call)


def _apply_member_call(
    state: Overlay,
    context: Context,
    call: MemberApply | MemberAmend | MemberLeave | MemberWithdraw | MemberWeight,
) -> tuple[int, ...]:
    match call:
        case MemberApply():
            return apply_member_apply(state, context, call)
        case MemberAmend():
            return apply_member_amend(state, context, call)
        case MemberLeave():
            return apply_member_leave(state, context, call)
        case MemberWithdraw():
            return apply_member_withdraw(state, context, call)
        case MemberWeight():
            return apply_member_weight(state, context, call)
        case _:
            assert_never(call)


def _apply_claim_call(
    state: Overlay,
    context: Context,
    call: ClaimFile | AssessorAccept | ReportCommit | ReportReveal | CertificateAttach | ClaimDecide | ClaimConfirm,
) -> tuple[int, ...]:
    match call:
        case ClaimFile():
            return apply_claim_file(state, context, call)
        case AssessorAccept():
            return apply_assessor_accept(state, context, call)
        case ReportCommit():
            return apply_report_commit(state, context, call)
        case ReportReveal():
            return apply_report_reveal(state, context, call)
        case CertificateAttach():
            return apply_certificate_attach(state, context, call)
        case ClaimDecide():
            return apply_claim_decide(state, context, call)
        case ClaimConfirm():
            return apply_claim_confirm(state, context, call)
        case _:
            assert_never(call)
