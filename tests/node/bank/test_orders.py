"""Whom the bank pays: by its own register alone, and nobody on a guess."""

from pathlib import Path

import pytest

from chain.crypto import sha256
from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import Party
from node.bank.orders import PayOrder, Resolved, Unresolved, read_order, resolve
from node.bank.register import Incoming, Register
from node.client_errors import ClientError
from node.client_wire import JsonObject

TOKEN, REF, ID = sha256(b"token"), sha256(b"ref"), sha256(b"instruction")
PAYEE = Party(name="A", account="622", agent="")
ROW: JsonObject = {
    "instruction": ID.hex(),
    "kind": "refund",
    "amount": {"amount": "400", "currency": "CNY", "scale": 2},
    "attempt": 0,
    "is_held": False,
    "account_token": TOKEN.hex(),
    "return_of": None,
    "member": "ab" * 32,
}


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "register.db")


def find(register: Register, row: JsonObject, code: int | None = None) -> Resolved | Unresolved:
    return resolve(read_order({**ROW, **row}), register, custody="care-main", deposit_code=code)


def put_payers(register: Register, *accounts: str, code: int | None = 7) -> None:
    register.put_incoming(
        [
            Incoming(
                custody="care-main",
                booking_day=20_482,
                ref_token=sha256(account.encode()) if code else REF,
                deposit_code=code,
                party=Party(name="P", account=account, agent=""),
            )
            for account in accounts
        ]
    )


def test_a_payment_goes_to_the_verified_account_of_its_token(register: Register) -> None:
    register.put_payees([(TOKEN, PAYEE)])
    found = find(register, {})
    assert isinstance(found, Resolved)
    assert (found.transfer.payee, found.transfer.amount) == (PAYEE, 400)
    assert found.transfer.end_to_end_id == build_end_to_end_id(ID)
    assert found.transfer.remittance == "refund of deposit"


def test_an_unknown_token_is_paid_nowhere(register: Register) -> None:
    found = find(register, {})
    assert isinstance(found, Unresolved)
    assert TOKEN.hex() in found.reason


def test_a_return_goes_back_to_where_it_came_from(register: Register) -> None:
    put_payers(register, "333", code=None)
    of = f"care-main/2026-01-29/{REF.hex()}"
    found = find(register, {"kind": "return", "account_token": None, "return_of": of})
    assert isinstance(found, Resolved)
    assert found.transfer.payee.account == "333"
    other = find(register, {"account_token": None, "return_of": of.replace("-29", "-28")})
    assert isinstance(other, Unresolved)


def test_a_return_of_a_transfer_without_a_known_account_is_made_by_hand(register: Register) -> None:
    put_payers(register, "", code=None)
    of = f"care-main/2026-01-29/{REF.hex()}"
    assert isinstance(find(register, {"account_token": None, "return_of": of}), Unresolved)


def test_an_applicant_who_was_never_verified_is_refunded_where_all_of_it_came_from_one_account(
    register: Register,
) -> None:
    put_payers(register, "111")
    found = find(register, {"account_token": None}, 7)
    assert isinstance(found, Resolved)
    assert found.transfer.payee.account == "111"
    put_payers(register, "222")
    several = find(register, {"account_token": None}, 7)
    assert isinstance(several, Unresolved)
    assert "2 accounts" in several.reason
    assert isinstance(find(register, {"account_token": None}, 8), Unresolved)
    assert isinstance(find(register, {"account_token": None}), Unresolved)


def test_a_held_payment_is_not_made(register: Register) -> None:
    register.put_payees([(TOKEN, PAYEE)])
    found = find(register, {"is_held": True})
    assert isinstance(found, Unresolved)
    assert "frozen" in found.reason


def test_a_caller_without_the_scope_is_told_so() -> None:
    row = {name: value for name, value in ROW.items() if name != "account_token"}
    with pytest.raises(ClientError, match="scope payments"):
        read_order(row)


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "xyz"},
        {"attempt": "many"},
        {"account_token": "0g"},
        {"return_of": "care-main/today"},
        {"return_of": "care-main/2026-13-01/00"},
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error(row: JsonObject) -> None:
    with pytest.raises(ClientError, match="cannot be read"):
        read_order({**ROW, **row})


def test_an_order_without_an_amount_is_not_made(register: Register) -> None:
    register.put_payees([(TOKEN, PAYEE)])
    assert isinstance(find(register, {"amount": None}), Unresolved)


@pytest.mark.parametrize(("amount", "is_paid"), [("1", True), ("0", False), ("-1", False)])
def test_the_smallest_payment_is_one_fen(register: Register, amount: str, is_paid: bool) -> None:
    register.put_payees([(TOKEN, PAYEE)])
    found = find(register, {"amount": {"amount": amount, "currency": "CNY", "scale": 2}})
    assert isinstance(found, Resolved) is is_paid
    assert not isinstance(found, Resolved) or found.transfer.amount == 1


def test_the_order_is_read_whole() -> None:
    order = read_order({**ROW, "return_of": f"care-main/1970-01-03/{REF.hex()}"})
    assert order == PayOrder(
        instruction=ID,
        kind="refund",
        amount=400,
        attempt=0,
        is_held=False,
        account_token=TOKEN,
        return_of=("care-main", 2, REF),
        member="ab" * 32,
    )
