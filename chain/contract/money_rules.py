"""Dispatch of the calls on money: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.calls import MoneyCall
from chain.contract.context import Context
from chain.contract.custody import apply_instruction_ack, apply_statement_post
from chain.contract.deposit import apply_deposit_credit
from chain.contract.money_calls import DepositCredit, InstructionAck, StatementPost
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
        case _:
            assert_never(call)
