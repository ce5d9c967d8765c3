"""Money that comes in and is no deposit (contract 3.5).

    interest           R += a
    recovered aid      R += a + x, x = min(fee_payable, f*a // g): the platform gives its fee for it back
    repayment          of what the account is short of (shortage.py); the chain's cash had never been lowered
    returned payment   a payment that was acknowledged and came back: its instruction counts as failed

What exceeds the purpose (more than was paid, more than is owed) is unmatched and goes back to who paid. Every incoming
movement has its record among the deposits, so that a reference counts once whatever it was told to be.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.claim_status import require_claim
from chain.contract.claim_tables import CLAIM_CLAWBACK
from chain.contract.context import Context, apply_items
from chain.contract.custody import return_payment
from chain.contract.custody_tables import DEPOSIT, AccountRecord, DepositRecord
from chain.contract.deposit import find_deposit, note_booking, put_deposit, require_account, validate_booking_day
from chain.contract.half_batch import cosign_items
from chain.contract.halves import Party
from chain.contract.money_calls import CashOther, CashOtherItem
from chain.contract.money_events import CashBooked
from chain.contract.money_tables import (
    CASH_INTEREST,
    CASH_RECOVERY,
    CASH_REPAYMENT,
    CLAIM_MONEY,
    OTHER_CASH,
    OtherCashRecord,
)
from chain.contract.organisations import require_role
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.shortage import repay_shortage
from chain.contract.tables import POOL
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay
from chain.types import ZERO_HASH

ALREADY: Final = get_entry("already").number
_PARTIES: Final = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))


def apply_cash_other(state: Overlay, context: Context, call: CashOther) -> tuple[int, ...]:
    """Book other movements on one account; a batch with a recovery once an auditor signed too."""
    account = require_account(state, call.account)

    def book_one(position: int) -> int:
        return _book_one(state, context, call.account, account, call.items[position])

    if any(item.kind == CASH_RECOVERY for item in call.items):
        return cosign_items(
            state,
            context,
            plan=account.plan,
            call=call,
            parties=_PARTIES,
            count=len(call.items),
            apply_one=book_one,
        )
    require_role(state, context.signer, ROLE_CUSTODIAN)
    return apply_items(state, context, len(call.items), book_one)


def _book_one(state: Overlay, context: Context, name: str, account: AccountRecord, item: CashOtherItem) -> int:
    if is_cash_known(state, name, item):
        return ALREADY
    book = open_book(state, context, account.plan, account.pool)
    validate_booking_day(account, booking_day=item.booking_day, today=book.today)
    note_booking(state, name, item.booking_day, in_fen=item.amount)
    book_cash(state, context, book, name, item)
    save_book(state, book)
    return SUCCESS


def is_cash_known(state: Overlay, name: str, item: CashOtherItem) -> bool:
    """Tell whether this movement was booked already; raise reference_conflict where another one has its reference."""
    key = find_deposit(state, (name, item.booking_day, item.ref_token))
    known = state.get(OTHER_CASH, *key)
    if known is not None and _is_same(known, item):
        return True
    if known is not None or state.get(DEPOSIT, *key) is not None:
        raise Refusal("reference_conflict", booking_day=item.booking_day)
    return False


def _is_same(known: OtherCashRecord, item: CashOtherItem) -> bool:
    return (
        known.kind == item.kind
        and known.claim == item.claim
        and known.instruction == item.instruction
        and known.amount == item.amount
        and known.payer_token == item.payer_token
    )


def book_cash(state: Overlay, context: Context, book: PoolBook, name: str, item: CashOtherItem) -> None:
    """Take a movement into the pool that is open; its booking day is the caller's to note."""
    if item.kind == CASH_INTEREST:
        taken = _take_interest(book, item)
    elif item.kind == CASH_RECOVERY:
        taken = _take_recovery(state, book, item)
    elif item.kind == CASH_REPAYMENT:
        taken = repay_shortage(state, context, name, item.amount)
    else:
        taken = _take_returned(state, context, book, item)
    key = (name, item.booking_day, item.ref_token)
    rest = item.amount - taken
    if rest:
        book.pool = replace(book.pool, cash=book.pool.cash + rest)
    deposit = DepositRecord(
        member=None,
        amount=item.amount,
        taken=taken,
        value_day=item.booking_day,
        payer_token=item.payer_token or ZERO_HASH,
        returned=0,
        deposit_code=0,
    )
    put_deposit(state, context, book, key, deposit)
    record = OtherCashRecord(
        kind=item.kind,
        claim=item.claim,
        instruction=item.instruction,
        amount=item.amount,
        taken=taken,
        payer_token=item.payer_token,
    )
    state.put(OTHER_CASH, record, *key)
    context.emit(
        CashBooked(
            account=name,
            kind=item.kind,
            claim=item.claim,
            instruction=item.instruction,
            booking_day=item.booking_day,
            ref_token=item.ref_token,
            amount=item.amount,
            taken=taken,
        )
    )


def _take_interest(book: PoolBook, item: CashOtherItem) -> int:
    pool = book.pool
    book.pool = replace(
        pool, cash=pool.cash + item.amount, carry=pool.carry + item.amount, interest=pool.interest + item.amount
    )
    return item.amount


def _take_recovery(state: Overlay, book: PoolBook, item: CashOtherItem) -> int:
    """Take back aid of a claim under clawback, and of the platform's fee what was paid for it."""
    if item.payer_token is not None:
        raise Refusal("value_out_of_range", field="payer_token")
    claim = require_claim(state, item.claim or b"")
    if (claim.plan, claim.pool) != (book.plan, book.number):
        raise Refusal("claim_unknown")
    money = None if item.claim is None else state.get(CLAIM_MONEY, item.claim)
    if claim.status != CLAIM_CLAWBACK or money is None or item.claim is None:
        raise Refusal("claim_state", status=claim.status)
    taken = min(item.amount, money.paid - money.recovered)
    pool = book.pool
    fee = min(pool.fee_payable, money.fee * taken // money.paid)
    book.pool = replace(
        pool,
        cash=pool.cash + taken,
        carry=pool.carry + taken + fee,
        fee_payable=pool.fee_payable - fee,
        recovered=pool.recovered + taken + fee,
    )
    state.put(CLAIM_MONEY, replace(money, recovered=money.recovered + taken), item.claim)
    return taken


def _take_returned(state: Overlay, context: Context, book: PoolBook, item: CashOtherItem) -> int:
    """Let a settled instruction count as failed, because its money came back."""
    if item.instruction is None:
        raise Refusal("instruction_unknown")
    return_payment(state, context, book, item.instruction, amount=item.amount)
    # It wrote the pool, and a retry may have written it once more.
    book.pool = state.require(POOL, book.plan, book.number)
    return item.amount
