"""The platform takes out what it has earned (contract 3.5, 5 *fee_withdraw*).

A fee is earned with the payment that it belongs to, never before. The account stands in the call, so that the auditor
who signs it and everybody else sees where the money goes.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION_FEE
from chain.contract.halves import Party, cosign
from chain.contract.money_calls import FeeWithdraw
from chain.contract.organisations import require_plan
from chain.contract.payout import Payment, create_instruction
from chain.contract.shares import open_book, save_book
from chain.contract.tables import PLAN_FROZEN, POOL
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_PLATFORM
from chain.state import Overlay

_PARTIES: Final = (Party(role=ROLE_PLATFORM), Party(role=ROLE_AUDITOR))


def apply_fee_withdraw(state: Overlay, context: Context, call: FeeWithdraw) -> tuple[int, ...]:
    """Order the bank to pay the platform a part of its earned fee, once platform and an auditor signed."""
    plan = require_plan(state, call.plan)
    pool = state.get(POOL, call.plan, call.pool)
    if pool is None:
        raise Refusal("pool_unknown", pool=call.pool)
    if plan.status == PLAN_FROZEN:
        raise Refusal("plan_not_active", plan=call.plan)
    if call.amount > pool.fee_payable:
        raise Refusal("fee_too_high", amount=call.amount, earned=pool.fee_payable)
    if cosign(state, context, plan=call.plan, call=call, parties=_PARTIES) is None:
        return ()
    book = open_book(state, context, call.plan, call.pool)
    payment = Payment(kind=INSTRUCTION_FEE, amount=call.amount, account_token=call.account_token)
    create_instruction(state, context, book, payment)
    book.pool = replace(
        book.pool,
        fee_payable=book.pool.fee_payable - call.amount,
        outgoing=book.pool.outgoing + call.amount,
    )
    save_book(state, book)
    return ()
