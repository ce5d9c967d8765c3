"""Unmatched money finds its member (contract 5 *deposit_match*).

    UNMATCHED --platform and bank name the member--> MATCHED: credited as a deposit would be
              --5 days------------------------------> RETURNED

A deposit belongs to one member: what its remittance text named and he could not take goes back, to nobody else.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.context import Context
from chain.contract.custody_tables import DEPOSIT, AccountRecord
from chain.contract.deposit import credit_member, find_deposit, get_unmatched, require_account
from chain.contract.half_batch import cosign_items
from chain.contract.halves import Party
from chain.contract.money_calls import DepositMatch, DepositMatchItem
from chain.contract.money_events import DepositMatched
from chain.contract.shares import open_book, save_book
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES
from chain.errors import Refusal
from chain.genesis import ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay

ALREADY: Final = get_entry("already").number
_PARTIES: Final = (Party(role=ROLE_PLATFORM), Party(role=ROLE_CUSTODIAN))


def apply_deposit_match(state: Overlay, context: Context, call: DepositMatch) -> tuple[int, ...]:
    """Credit unmatched deposits of one account, each with an outcome of its own, once platform and bank signed."""
    account = require_account(state, call.account)
    return cosign_items(
        state,
        context,
        plan=account.plan,
        call=call,
        parties=_PARTIES,
        count=len(call.items),
        apply_one=lambda position: _match_one(state, context, call.account, account, call.items[position]),
    )


def _match_one(state: Overlay, context: Context, name: str, account: AccountRecord, item: DepositMatchItem) -> int:
    key = find_deposit(state, (name, item.booking_day, item.ref_token))
    deposit = state.get(DEPOSIT, *key)
    if deposit is None:
        raise Refusal("deposit_unknown", booking_day=item.booking_day)
    member = state.get(MEMBER, item.member)
    if member is None or (member.plan, member.pool) != (account.plan, account.pool):
        raise Refusal("member_unknown", member=item.member.hex())
    if deposit.member is not None and deposit.member != item.member:
        raise Refusal("conflict", booking_day=item.booking_day)
    unmatched = get_unmatched(deposit)
    if unmatched == 0:
        if deposit.member == item.member:
            return ALREADY
        raise Refusal("deposit_state", booking_day=item.booking_day)
    book = open_book(state, context, account.plan, account.pool)
    taken, after = credit_member(
        state, context, book, item.member, member, amount=unmatched, value_day=deposit.value_day
    )
    if taken == 0:
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    book.pool = replace(book.pool, unmatched=book.pool.unmatched - taken)
    save_book(state, book)
    state.put(DEPOSIT, replace(deposit, member=item.member, taken=deposit.taken + taken), *key)
    context.emit(
        DepositMatched(
            member=item.member,
            account=name,
            booking_day=item.booking_day,
            ref_token=item.ref_token,
            taken=taken,
            x=after.x,
        )
    )
    return SUCCESS
