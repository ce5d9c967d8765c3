"""Deposits: bank facts, credited by the state of the member that the remittance names (contract 3.5).

A bank fact is never refused for a business reason. What a member may not take, and what names nobody, is
`unmatched` and goes back by an automatic instruction within five days.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.codec import Codec, encode
from chain.contract.context import Context, apply_items
from chain.contract.custody_move import has_other_names, list_names
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    DEPOSIT,
    DEPOSIT_CODE,
    INSTRUCTION_RETURN,
    AccountRecord,
    BookingDayRecord,
    DepositRecord,
)
from chain.contract.due import DUE_RETURN, add_due
from chain.contract.events import DepositCredited, MemberReinstated
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.contract.organisations import is_winding_down, require_role
from chain.contract.payout import Payment, create_instruction
from chain.contract.pool_move import arrive, is_expected
from chain.contract.shares import (
    PoolBook,
    close_cover,
    get_arrears,
    get_balance,
    get_suspension_day,
    is_lapsed,
    open_book,
    save_book,
    write_member,
)
from chain.contract.tables import (
    MEMBER,
    MEMBER_APPLIED,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    MemberRecord,
)
from chain.contract.wind_tables import is_pool_closed
from chain.contract.window import start_entry
from chain.errors import Refusal
from chain.genesis import ROLE_CUSTODIAN
from chain.state import Overlay

RETURN_DAYS: Final = 5
"""Days until unmatched money goes back."""
VALUE_LAG_DAYS_MAX: Final = 3
"""The waiting period counts from the value day, but from no earlier than so many days before the block."""
ALREADY: Final = get_entry("already").number

_WITHOUT_LEAF: Final = (MEMBER_APPLIED, MEMBER_VERIFIED, MEMBER_WAITING, MEMBER_QUEUED)

DepositKey = tuple[str, int, bytes]
"""(account, booking day, ref token)."""
_key_codec: Codec[DepositKey] = Codec(DepositKey, 128, "deposit key")


def apply_deposit_credit(state: Overlay, context: Context, call: DepositCredit) -> tuple[int, ...]:
    """Record booked transfers on one account, each with an outcome of its own."""
    require_role(state, context.signer, ROLE_CUSTODIAN)
    account = require_account(state, call.account)

    def credit_one(position: int) -> int:
        return _credit_item(state, context, call.account, account, call.items[position])

    return apply_items(state, context, len(call.items), credit_one)


def require_account(state: Overlay, name: str) -> AccountRecord:
    """Return a custody account; raise `account_unknown`."""
    account = state.get(ACCOUNT, name)
    if account is None:
        raise Refusal("account_unknown", account=name)
    return account


def validate_booking_day(account: AccountRecord, *, booking_day: int, today: int) -> None:
    """Raise where a booking would lie in the future or in a day that a statement has closed."""
    if booking_day > today:
        raise Refusal("day_in_future", booking_day=booking_day, today=today)
    if booking_day <= account.closed_day:
        raise Refusal("booking_day_closed", booking_day=booking_day, closed_day=account.closed_day)


_NOTHING_BOOKED: Final = BookingDayRecord(in_count=0, in_sum=0, out_count=0, out_sum=0)


def find_deposit(state: Overlay, key: DepositKey) -> DepositKey:
    """Return the key under which a transfer is known, be it of before its account moved; the given one if it is not."""
    keys = ((name, *key[1:]) for name in list_names(state, key[0]))
    return next((known for known in keys if state.get(DEPOSIT, *known) is not None), key)


def note_booking(state: Overlay, account: str, day: int, *, in_fen: int = 0, out_fen: int = 0) -> None:
    """Add one booked movement to the day that a statement will be compared with."""
    before = state.get(BOOKING_DAY, account, day) or _NOTHING_BOOKED
    after = BookingDayRecord(
        in_count=before.in_count + (in_fen > 0),
        in_sum=before.in_sum + in_fen,
        out_count=before.out_count + (out_fen > 0),
        out_sum=before.out_sum + out_fen,
    )
    state.put(BOOKING_DAY, after, account, day)


def _credit_item(state: Overlay, context: Context, name: str, account: AccountRecord, item: DepositCreditItem) -> int:
    key = (name, item.booking_day, item.ref_token)
    known = state.get(DEPOSIT, *(find_deposit(state, key) if has_other_names(account) else key))
    if known is not None:
        if _is_same(known, item):
            return ALREADY
        raise Refusal("reference_conflict", booking_day=item.booking_day)
    book = open_book(state, context, account.plan, account.pool)
    validate_booking_day(account, booking_day=item.booking_day, today=book.today)
    if item.value_day > book.today:
        raise Refusal("day_in_future", value_day=item.value_day, today=book.today)
    note_booking(state, name, item.booking_day, in_fen=item.amount)
    book_deposit(state, context, book, name, item)
    save_book(state, book)
    return SUCCESS


def book_deposit(state: Overlay, context: Context, book: PoolBook, name: str, item: DepositCreditItem) -> None:
    """Take a transfer into the pool that is open: credit whom it names, the rest is unmatched."""
    book.pool = replace(book.pool, cash=book.pool.cash + item.amount)
    member_id = _find_member(state, book, item)
    taken = x = 0
    if member_id is not None:
        member = state.require(MEMBER, member_id)
        taken, after = credit_member(
            state, context, book, member_id, member, amount=item.amount, value_day=item.value_day
        )
        x = after.x
    record = DepositRecord(
        member=member_id if taken else None,
        amount=item.amount,
        taken=taken,
        value_day=item.value_day,
        payer_token=item.payer_token,
        returned=0,
        deposit_code=item.deposit_code or 0,
    )
    put_deposit(state, context, book, (name, item.booking_day, item.ref_token), record)
    context.emit(
        DepositCredited(
            member=member_id,
            account=name,
            booking_day=item.booking_day,
            ref_token=item.ref_token,
            amount=item.amount,
            taken=taken,
            x=x,
        )
    )


def put_deposit(state: Overlay, context: Context, book: PoolBook, key: DepositKey, record: DepositRecord) -> None:
    """Write a new deposit; what nobody took of it is unmatched and will be returned."""
    state.put(DEPOSIT, record, *key)
    rest = record.amount - record.taken
    if rest:
        book.pool = replace(book.pool, unmatched=book.pool.unmatched + rest)
        set_return(state, context, book, key)


def set_return(state: Overlay, context: Context, book: PoolBook, key: DepositKey) -> None:
    """Let what is unmatched of a deposit go back in five days."""
    add_due(state, book.plan, book.today + RETURN_DAYS, DUE_RETURN, context.timestamp_ms, encode(key))


def get_unmatched(deposit: DepositRecord) -> int:
    """Return what is still unmatched of a deposit in fen."""
    return deposit.amount - deposit.taken - deposit.returned


def _is_same(known: DepositRecord, item: DepositCreditItem) -> bool:
    return (
        known.amount == item.amount
        and known.value_day == item.value_day
        and known.payer_token == item.payer_token
        and known.deposit_code == (item.deposit_code or 0)
    )


def _find_member(state: Overlay, book: PoolBook, item: DepositCreditItem) -> bytes | None:
    """Return whom the remittance text names, if he is in the pool of this account."""
    if item.deposit_code is None:
        return None
    code = state.get(DEPOSIT_CODE, book.plan, item.deposit_code)
    if code is None:
        return None
    member = state.require(MEMBER, code.member)
    is_here = member.pool == book.number
    if is_here or is_expected(state, code.member, member, pool=book.number, amount=item.amount):
        return code.member
    return None


# --- credit by the state of the member (contract 3.5) ---


def credit_member(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    member: MemberRecord,
    *,
    amount: int,
    value_day: int,
) -> tuple[int, MemberRecord]:
    """Credit what the member may take; return (taken, the record as it is now).

    Who leaves or left takes nothing, nor does anybody in a pool that pays everybody out.
    """
    if member.pool != book.number:
        after = arrive(state, context, book, member_id, member, amount=amount, value_day=value_day)
        return amount, after
    terms = book.terms.pool
    index = book.pool.share_index
    if is_winding_down(book.plan_record) and is_pool_closed(state, book.plan, book.number):
        return 0, member
    room = terms.deposit_max_fen * member.weight - get_balance(member, index)
    if member.status in _WITHOUT_LEAF:
        taken = max(0, min(amount, room))
        return taken, _credit_cash(state, context, book, member_id, member, taken=taken, value_day=value_day)
    if member.status != MEMBER_SHARING:
        return 0, member
    if member.x >= index:
        taken = max(0, min(amount, room))
        return taken, credit_leaf(state, book, member_id, member, taken)
    if is_lapsed(state, member, book.pool, terms.grace_periods):
        taken = max(0, min(amount, room))
        return taken, _credit_cash(state, context, book, member_id, member, taken=taken, value_day=value_day)
    taken = max(0, min(amount, room + get_arrears(member, index)))
    return taken, _credit_suspended(state, context, book, member_id, member, taken=taken, value_day=value_day)


def credit_leaf(state: Overlay, book: PoolBook, member_id: bytes, member: MemberRecord, amount: int) -> MemberRecord:
    """Put money into an active leaf; return the record as written."""
    if amount == 0:
        return member
    units, rem = divmod(member.rem + amount, member.weight)
    after = replace(member, x=member.x + units, rem=rem)
    write_member(state, book, member_id, member, after)
    return after


def compute_entry_day(book: PoolBook, value_day: int) -> int:
    """Return the day from which the waiting period counts."""
    return max(value_day, book.today - VALUE_LAG_DAYS_MAX)


def is_enough(book: PoolBook, member: MemberRecord) -> bool:
    """Tell whether a member without a paying leaf owns what entering takes."""
    return get_balance(member, book.pool.share_index) >= book.terms.pool.deposit_min_fen * member.weight


def _credit_cash(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    member: MemberRecord,
    *,
    taken: int,
    value_day: int,
) -> MemberRecord:
    """Credit somebody who pays no shares: with enough a verified member enters.

    So does a lapsed one, who still has a leaf: a new entry with a new waiting period and without arrears.
    """
    after = replace(member, cash=member.cash + taken)
    if member.status in (MEMBER_VERIFIED, MEMBER_SHARING) and is_enough(book, after):
        after = replace(after, entry_day=compute_entry_day(book, value_day))
        return start_entry(state, context, book, member_id, before=member, after=after)
    if taken:
        write_member(state, book, member_id, member, after)
    return after


def _credit_suspended(
    state: Overlay,
    context: Context,
    book: PoolBook,
    member_id: bytes,
    member: MemberRecord,
    *,
    taken: int,
    value_day: int,
) -> MemberRecord:
    """Credit a member in grace: less than the arrears waits in `cash`, enough reinstates (contract 3.5 and 3.6)."""
    cash = member.cash + taken
    arrears = get_arrears(member, book.pool.share_index)
    units, rem = divmod(member.rem + cash, member.weight)
    if member.x + units < book.pool.share_index:
        after = replace(member, cash=cash)
        if taken:
            write_member(state, book, member_id, member, after)
        return after
    after = replace(member, x=member.x + units, rem=rem, cash=0)
    suspended_on = get_suspension_day(state, member, book.pool)
    # The bank booked in time and told late: then there is no gap.
    if value_day > suspended_on:
        after = replace(
            after,
            past=close_cover(state, book, member, suspended_on),
            cover_from=max(book.today + 1, member.cover_from),
            accident_from=max(book.today + 1, member.accident_from),
        )
    write_member(state, book, member_id, member, after)
    pool = book.pool
    book.pool = replace(pool, carry=pool.carry + arrears, arrears_paid=pool.arrears_paid + arrears)
    context.emit(MemberReinstated(member=member_id, arrears=arrears, cover_from=after.cover_from))
    return after


# --- automatic return ---


def on_return_due(state: Overlay, context: Context, plan: str, due_id: bytes) -> None:
    """Order the bank to return what is still unmatched of a deposit."""
    key = _key_codec.decode(due_id)
    account = state.require(ACCOUNT, key[0])
    deposit = state.require(DEPOSIT, *key)
    amount = get_unmatched(deposit)
    if amount == 0:
        return
    book = open_book(state, context, plan, account.pool)
    create_instruction(state, context, book, Payment(kind=INSTRUCTION_RETURN, amount=amount, deposit=key))
    pool = book.pool
    book.pool = replace(pool, unmatched=pool.unmatched - amount, outgoing=pool.outgoing + amount)
    save_book(state, book)
    state.put(DEPOSIT, replace(deposit, returned=deposit.returned + amount), *key)
