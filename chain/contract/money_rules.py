"""Dispatch of the calls on money: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.balance_confirm import apply_balance_confirm
from chain.contract.calls import MoneyCall
from chain.contract.cash_other import apply_cash_other
from chain.contract.context import Context
from chain.contract.custody import apply_instruction_ack
from chain.contract.deposit import apply_deposit_credit
from chain.contract.deposit_match import apply_deposit_match
from chain.contract.fee import apply_fee_withdraw
from chain.contract.money_calls import (
    BalanceConfirm,
    CashOther,
    DepositCredit,
    DepositMatch,
    DepositReverse,
    FeeWithdraw,
    InstructionAck,
    InstructionUnclaimed,
    SingleRelease,
    StatementObject,
    StatementPost,
    StatementResolve,
)
from chain.contract.release import apply_single_release
from chain.contract.resolution import apply_statement_object, apply_statement_resolve
from chain.contract.reversal import apply_deposit_reverse
from chain.contract.statement import apply_statement_post
from chain.contract.unclaimed import apply_instruction_unclaimed
from chain.state import Overlay


def apply_money_call(state: Overlay, context: Context, call: MoneyCall) -> tuple[int, ...]:
    """Apply a call; return the outcomes of its items (none for single calls). Raises `Refusal` for the whole."""
    match call:
        case DepositCredit():
            return apply_deposit_credit(state, context, call)
        case InstructionAck():
            return apply_instruction_ack(state, context, call)
        case StatementPost():
            return apply_statement_post(state, context, call)
        case DepositMatch():
            return apply_deposit_match(state, context, call)
        case DepositReverse():
            return apply_deposit_reverse(state, context, call)
        case CashOther():
            return apply_cash_other(state, context, call)
        case InstructionUnclaimed():
            return apply_instruction_unclaimed(state, context, call)
        case SingleRelease():
            return apply_single_release(state, context, call)
        case FeeWithdraw():
            return apply_fee_withdraw(state, context, call)
        case _:
            return _apply_statement_call(state, context, call)


def _apply_statement_call(
    state: Overlay, context: Context, call: StatementResolve | StatementObject | BalanceConfirm
) -> tuple[int, ...]:
    match call:
        case StatementResolve():
            return apply_statement_resolve(state, context, call)
        case StatementObject():
            return apply_statement_object(state, context, call)
        case BalanceConfirm():
            return apply_balance_confirm(state, context, call)
        case _:
            assert_never(call)
