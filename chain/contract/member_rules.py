"""Dispatch of the calls on memberships: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.accept_rules import apply_member_accept_rules
from chain.contract.admission import apply_account_verify, apply_index_issue, apply_member_admit, apply_member_refuse
from chain.contract.calls import MemberCall
from chain.contract.context import Context
from chain.contract.member_calls import (
    AccountVerify,
    IndexIssue,
    MemberAcceptRules,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberWeight,
    MemberWithdraw,
)
from chain.contract.membership import (
    apply_member_amend,
    apply_member_apply,
    apply_member_leave,
    apply_member_weight,
    apply_member_withdraw,
)
from chain.state import Overlay


def apply_member_call(state: Overlay, context: Context, call: MemberCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case AccountVerify():
            return apply_account_verify(state, context, call)
        case IndexIssue():
            return apply_index_issue(state, context, call)
        case MemberAdmit():
            return apply_member_admit(state, context, call)
        case MemberRefuse():
            return apply_member_refuse(state, context, call)
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
        case MemberAcceptRules():
            return apply_member_accept_rules(state, context, call)
        case _:
            assert_never(call)
