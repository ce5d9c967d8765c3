"""Dispatch of the calls on claims: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.calls import ClaimCall, ReviewCall
from chain.contract.claim_calls import (
    AssessorAccept,
    AssessorDecline,
    CertificateAttach,
    ClaimCard,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ClaimPayee,
    ClaimWithdraw,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_card import apply_claim_card
from chain.contract.claim_decision import apply_claim_decide
from chain.contract.claim_draw import apply_assessor_accept, apply_assessor_decline
from chain.contract.claim_filing import apply_claim_file
from chain.contract.claim_notice import apply_claim_confirm
from chain.contract.claim_objection import apply_objection_file, apply_objection_rule
from chain.contract.claim_reaudit import apply_reaudit_report
from chain.contract.claim_report import apply_certificate_attach, apply_report_commit, apply_report_reveal
from chain.contract.claim_withdrawal import apply_claim_payee, apply_claim_withdraw
from chain.contract.context import Context
from chain.state import Overlay


def apply_claim_call(state: Overlay, context: Context, call: ClaimCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
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


def apply_review_call(state: Overlay, context: Context, call: ReviewCall) -> tuple[int, ...]:
    """Apply a call around a claim. Raises `Refusal` for the whole."""
    match call:
        case ClaimWithdraw():
            return apply_claim_withdraw(state, context, call)
        case ClaimPayee():
            return apply_claim_payee(state, context, call)
        case AssessorDecline():
            return apply_assessor_decline(state, context, call)
        case ClaimCard():
            return apply_claim_card(state, context, call)
        case ObjectionFile():
            return apply_objection_file(state, context, call)
        case ObjectionRule():
            return apply_objection_rule(state, context, call)
        case ReauditReport():
            return apply_reaudit_report(state, context, call)
        case _:
            assert_never(call)
