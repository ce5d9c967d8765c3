"""What the chain asks the bank to pay, and to which account it goes by the bank's own register (contract 5).

    aid, refund, fee    the verified account behind `account_token`
    return              the account from which that transfer came
    refund of somebody who was never verified: the one account from which his deposits came

Anything that cannot be resolved without a doubt is left out and told; nobody is paid on a guess.
"""

from datetime import date
from typing import Final

from msgspec import Struct

from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import Party
from node.bank.pain001 import Transfer
from node.bank.register import Register
from node.client_errors import ClientError
from node.client_wire import JsonObject

_EPOCH: Final = date(1970, 1, 1).toordinal()
REMITTANCES: Final = {
    "aid": "mutual aid",
    "refund": "refund of deposit",
    "return": "return of transfer",
    "fee": "platform fee",
    "residue": "residue of plan",
}


class PayOrder(Struct, frozen=True):
    """One instruction that is ready, as the node tells it."""

    instruction: bytes
    kind: str
    amount: int
    attempt: int
    is_held: bool
    account_token: bytes | None
    return_of: tuple[str, int, bytes] | None
    """(account, booking day, ref token) of the transfer that goes back."""
    member: str | None


class Resolved(Struct, frozen=True):
    """A payment that can be made."""

    order: PayOrder
    transfer: Transfer


class Unresolved(Struct, frozen=True):
    """A payment that cannot be made now, and why."""

    order: PayOrder
    reason: str


def read_order(row: JsonObject) -> PayOrder:
    """Read one row of /v1/instructions; raise `ClientError` where the caller may not see payees."""
    if "account_token" not in row:
        raise ClientError("access_key_invalid", detail="payees are shown with an access key of scope payments only")
    token, of = row["account_token"], row.get("return_of")
    amount = row.get("amount")
    member = row.get("member")
    try:
        return PayOrder(
            instruction=bytes.fromhex(str(row["instruction"])),
            kind=str(row["kind"]),
            amount=int(str(amount["amount"])) if isinstance(amount, dict) else -1,
            attempt=int(str(row["attempt"])),
            is_held=row["is_held"] is True,
            account_token=None if token is None else bytes.fromhex(str(token)),
            return_of=None if of is None else _read_return(str(of)),
            member=member if isinstance(member, str) else None,
        )
    except (KeyError, ValueError) as error:
        raise ClientError("internal", detail=f"an instruction cannot be read: {error!r}") from error


def _read_return(text: str) -> tuple[str, int, bytes]:
    account, day, reference = text.split("/")
    return account, date.fromisoformat(day).toordinal() - _EPOCH, bytes.fromhex(reference)


def resolve(order: PayOrder, register: Register, *, custody: str, deposit_code: int | None) -> Resolved | Unresolved:
    """Find the account of a payment. `deposit_code` is that of a refund's member, where it has no account token."""
    if order.is_held:
        return Unresolved(order, "held: the plan is frozen and this payment was not released")
    if order.amount < 1:
        return Unresolved(order, "no amount")
    if order.account_token is not None:
        payee = register.find_payee(order.account_token)
        if payee is None:
            return Unresolved(order, f"no account for token {order.account_token.hex()}: load it with `bank payees`")
    elif order.return_of is not None:
        payee = register.find_payer(*order.return_of)
    else:
        payers = [] if deposit_code is None else register.list_payers(custody, deposit_code)
        if len(payers) > 1:
            return Unresolved(order, f"came from {len(payers)} accounts: pay it by hand")
        payee = payers[0] if payers else None
    if payee is None or not payee.account:
        return Unresolved(order, "the account from which it came is not known: pay it by hand")
    return Resolved(order, _build_transfer(order, payee))


def _build_transfer(order: PayOrder, payee: Party) -> Transfer:
    return Transfer(
        end_to_end_id=build_end_to_end_id(order.instruction),
        amount=order.amount,
        payee=payee,
        remittance=REMITTANCES.get(order.kind, order.kind),
    )
