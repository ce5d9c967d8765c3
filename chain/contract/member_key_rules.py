"""Dispatch of the calls on members' accounts, keys, guardians and deaths: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.account import apply_account_change
from chain.contract.calls import MemberKeyCall
from chain.contract.context import Context
from chain.contract.death import apply_death_report, apply_death_revoke
from chain.contract.guardian import apply_guardian_hand_over
from chain.contract.member_calls import (
    AccountChange,
    DeathReport,
    DeathRevoke,
    GuardianHandOver,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
)
from chain.contract.rekey import (
    apply_member_rekey_recover,
    apply_member_rekey_request,
    apply_member_rekey_veto,
)
from chain.state import Overlay


def apply_member_key_call(state: Overlay, context: Context, call: MemberKeyCall) -> tuple[int, ...]:
    """Apply a call; none of them is a batch. Raises `Refusal`."""
    match call:
        case AccountChange():
            return apply_account_change(state, context, call)
        case MemberRekeyRequest():
            return apply_member_rekey_request(state, context, call)
        case MemberRekeyVeto():
            return apply_member_rekey_veto(state, context, call)
        case MemberRekeyRecover():
            return apply_member_rekey_recover(state, context, call)
        case GuardianHandOver():
            return apply_guardian_hand_over(state, context, call)
        case DeathReport():
            return apply_death_report(state, context, call)
        case DeathRevoke():
            return apply_death_revoke(state, context, call)
        case _:
            assert_never(call)
