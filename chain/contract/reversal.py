"""Deposits that are taken back: recalled by the payer's bank, or struck out of the bank's own books (contract 3.5).

What is unmatched of the deposit goes first, then the money of the member who was credited: `take = min(a, balance)`,
from `cash` first, then from the leaf as a withdrawal would, from a suspended leaf only `rem`. It works at once, in the
window too. Nobody's balance falls below 0 and no other member pays: what is missing is the bank's own risk, and the
account is short of it until the bank repays it (shortage.py).
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context, compute_day_start_ms
from chain.contract.custody_move import get_current_account, list_names
from chain.contract.custody_tables import DEPOSIT
from chain.contract.deposit import (
    DepositKey,
    find_deposit,
    get_unmatched,
    is_enough,
    note_booking,
    require_account,
    validate_booking_day,
)
from chain.contract.due import DUE_APPLICATION, add_due
from chain.contract.events import MemberStatusChanged
from chain.contract.halves import Party, cosign
from chain.contract.membership import APPLICATION_DAYS
from chain.contract.money_calls import DepositReverse
from chain.contract.money_events import DepositReversed
from chain.contract.money_tables import RECALL, REVERSED, RecallRecord, ReversedRecord
from chain.contract.organisations import get_today
from chain.contract.shares import (
    PoolBook,
    get_balance,
    get_leaf_money,
    is_suspended,
    open_book,
    save_book,
    write_member,
)
from chain.contract.shortage import add_shortage
from chain.contract.tables import (
    MEMBER,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PLAN,
    MemberRecord,
)
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

_PARTIES: Final = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))
_NOTHING_REVERSED: Final = ReversedRecord(amount=0, taken_from_member=0)


def apply_deposit_reverse(state: Overlay, context: Context, call: DepositReverse) -> tuple[int, ...]:
    """Take a recalled deposit back once bank and auditor signed."""
    # A deposit of before a move of the account is recalled from the one that the books are under now.
    booked_on = get_current_account(state, call.account)
    account = require_account(state, booked_on)
    deposit_key = find_deposit(state, (call.account, call.deposit_day, call.deposit_ref))
    recall_key = (booked_on, call.booking_day, call.ref_token)
    validate_recall(state, deposit_key, recall_key, call.amount)
    today = get_today(context, state.require(PLAN, account.plan))
    validate_booking_day(account, booking_day=call.booking_day, today=today)
    if cosign(state, context, plan=account.plan, call=call, parties=_PARTIES) is None:
        return ()
    note_booking(state, booked_on, call.booking_day, out_fen=call.amount)
    book = open_book(state, context, account.plan, account.pool)
    reverse_deposit(state, context, book, deposit_key, recall_key, call.amount)
    save_book(state, book)
    return ()


def validate_recall(state: Overlay, deposit_key: DepositKey, recall_key: DepositKey, amount: int) -> None:
    """Raise unless a known deposit can still be recalled by this amount, and was not recalled by this reference."""
    for account in list_names(state, recall_key[0]):
        recall = state.get(RECALL, account, *recall_key[1:])
        if recall is not None:
            is_same = (recall.deposit_day, recall.deposit_ref, recall.amount) == (*deposit_key[1:], amount)
            raise Refusal("already" if is_same else "reference_conflict", booking_day=recall_key[1])
    deposit = state.get(DEPOSIT, *deposit_key)
    if deposit is None:
        raise Refusal("deposit_unknown", booking_day=deposit_key[1])
    before = state.get(REVERSED, *deposit_key) or _NOTHING_REVERSED
    left = deposit.amount - before.amount
    if left == 0:
        raise Refusal("deposit_state", booking_day=deposit_key[1])
    if amount > left:
        raise Refusal("amount_mismatch", amount=amount, recorded=left)


def reverse_deposit(
    state: Overlay, context: Context, book: PoolBook, deposit_key: DepositKey, recall_key: DepositKey, amount: int
) -> None:
    """Take back what is still there of a deposit that passed `validate_recall`; the rest is owed by the bank."""
    deposit = state.require(DEPOSIT, *deposit_key)
    before = state.get(REVERSED, *deposit_key) or _NOTHING_REVERSED
    from_unmatched = min(amount, get_unmatched(deposit))
    from_member = 0
    if deposit.member is not None:
        credited = deposit.taken - before.taken_from_member
        wanted = min(amount - from_unmatched, credited)
        from_member = _take_from_member(state, context, book, deposit.member, wanted)
    taken = from_unmatched + from_member
    pool = book.pool
    book.pool = replace(pool, cash=pool.cash - taken, unmatched=pool.unmatched - from_unmatched)
    if from_unmatched:
        state.put(DEPOSIT, replace(deposit, returned=deposit.returned + from_unmatched), *deposit_key)
    after = ReversedRecord(amount=before.amount + amount, taken_from_member=before.taken_from_member + from_member)
    state.put(REVERSED, after, *deposit_key)
    recall = RecallRecord(deposit_day=deposit_key[1], deposit_ref=deposit_key[2], amount=amount, taken=taken)
    state.put(RECALL, recall, *recall_key)
    context.emit(
        DepositReversed(
            member=deposit.member,
            account=deposit_key[0],
            deposit_day=deposit_key[1],
            deposit_ref=deposit_key[2],
            booking_day=recall_key[1],
            ref_token=recall_key[2],
            amount=amount,
            taken=taken,
            owed=amount - taken,
        )
    )
    add_shortage(state, context, recall_key[0], amount=amount - taken, booking_day=recall_key[1])


def _take_from_member(state: Overlay, context: Context, book: PoolBook, member_id: bytes, wanted: int) -> int:
    """Take up to `wanted` fen out of a member's balance; return how much was there.

    Who has changed pool since has nothing in this one: the bank holds the other pool's money on another account.
    """
    member = state.require(MEMBER, member_id)
    if member.pool != book.number:
        return 0
    index = book.pool.share_index
    taken = min(wanted, get_balance(member, index))
    if taken == 0:
        return 0
    from_leaf = max(0, taken - member.cash)
    after = replace(member, cash=member.cash - (taken - from_leaf))
    if from_leaf and is_suspended(member, index):
        after = replace(after, rem=member.rem - from_leaf)
    elif from_leaf:
        units, rem = divmod(get_leaf_money(member, index) - from_leaf, member.weight)
        after = replace(after, x=index + units, rem=rem)
    if member.status in (MEMBER_QUEUED, MEMBER_WAITING) and not is_enough(book, after):
        after = _stop_entering(state, context, book, member_id, after)
    write_member(state, book, member_id, member, after)
    return taken


def _stop_entering(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord
) -> MemberRecord:
    """Return the record of somebody whose money no longer suffices to enter: the next deposit may.

    Without it he would enter with nothing and be covered by what others pay. An applicant gets the days of one again.
    """
    status = MEMBER_SHARING if member.is_leaf else MEMBER_VERIFIED
    if status == MEMBER_VERIFIED:
        due_day = book.today + APPLICATION_DAYS
        due_ms = compute_day_start_ms(due_day, book.plan_record.utc_offset_minutes)
        add_due(state, book.plan, due_day, DUE_APPLICATION, due_ms, member_id)
    context.emit(MemberStatusChanged(member=member_id, status=status, reason=0))
    return replace(member, status=status, since_day=book.today)
