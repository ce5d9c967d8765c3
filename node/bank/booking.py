"""From a bank's statement to the calls of its day, without I/O (contract 5).

credit with nothing else known   deposit_credit   deposit code from the remittance text
interest, repayment, returned    cash_other
our own payment                  instruction_ack
anything else                    open: people decide, and the statement would be a mismatch until they have
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from chain.contract.deposit_code import find_deposit_code
from chain.contract.money_calls import (
    CashOther,
    CashOtherItem,
    DepositCredit,
    DepositCreditItem,
    InstructionAck,
    InstructionAckItem,
    StatementPost,
)
from chain.contract.money_tables import CASH_INTEREST, CASH_REPAYMENT, CASH_RETURNED
from chain.crypto import sha256
from chain.errors import ConfigError
from node.bank.answers import Rejection
from node.bank.camt053 import BankStatement
from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import Movement, MovementKind
from node.bank.register import Incoming, Sent
from node.bank.tokens import TokenKind, build_token

ITEMS_PER_CALL: Final = 300
"""Items in one call, so that a transaction stays well below 64 KiB."""

T = TypeVar("T")
FindSent = Callable[[bytes], Sent | None]
BankCall = DepositCredit | CashOther | InstructionAck


class OpenMovement(Struct, frozen=True):
    """A movement that no call of the bank alone can book."""

    movement: Movement
    advice: str


class CallPlan(Struct, frozen=True):
    """One call, and where in the file its items stand."""

    call: BankCall
    lines: tuple[int, ...]


class Booking(Struct, frozen=True):
    """What a file asks for."""

    calls: tuple[CallPlan, ...]
    """In the order in which they are to be sent; all of them before the statement."""
    incoming: tuple[Incoming, ...]
    """For the register: who paid."""
    open: tuple[OpenMovement, ...]


class Booker:
    """Turns the movements of one custody account into items of calls."""

    def __init__(self, *, account: str, key: bytes, find_sent: FindSent) -> None:
        """`find_sent` returns the payment that the first bytes of an instruction id name, from the register."""
        self._account = account
        self._key = key
        self._find_sent = find_sent
        self._deposits: list[tuple[int, DepositCreditItem]] = []
        self._cash: list[tuple[int, CashOtherItem]] = []
        self._answers: list[tuple[int, InstructionAckItem]] = []
        self._incoming: list[Incoming] = []
        self._open: list[OpenMovement] = []

    def book(self, movements: Sequence[Movement]) -> Booking:
        """Return what the movements ask for, in their order."""
        for movement in movements:
            self._book_one(movement)
        return self._finish()

    def reject(self, rejections: Sequence[Rejection]) -> Booking:
        """Return the acknowledgements of payments that will not be made."""
        for rejection in rejections:
            self._reject_one(rejection)
        return self._finish()

    def _finish(self) -> Booking:
        name = self._account
        calls = [
            *(_plan(part, lambda items: DepositCredit(account=name, items=items)) for part in split(self._deposits)),
            *(_plan(part, lambda items: InstructionAck(account=name, items=items)) for part in split(self._answers)),
            *(_plan(part, lambda items: CashOther(account=name, items=items)) for part in split(self._cash)),
        ]
        return Booking(calls=tuple(calls), incoming=tuple(self._incoming), open=tuple(self._open))

    def _book_one(self, movement: Movement) -> None:
        match movement.kind:
            case MovementKind.DEPOSIT:
                self._book_deposit(movement)
            case MovementKind.INTEREST:
                self._book_cash(movement, CASH_INTEREST, None)
            case MovementKind.REPAYMENT:
                self._book_cash(movement, CASH_REPAYMENT, None)
            case MovementKind.PAYMENT | MovementKind.RETURNED_PAYMENT:
                self._book_payment(movement)
            case MovementKind.RECALL:
                self._open.append(OpenMovement(movement, "deposit_reverse by bank and auditor, or statement_resolve"))
            case MovementKind.FOREIGN_DEBIT:
                self._open.append(OpenMovement(movement, "none of the plan's: statement_resolve, then a repayment"))

    def _build_reference(self, movement: Movement) -> bytes:
        return build_token(self._key, TokenKind.REFERENCE, self._account, movement.reference)

    def _build_payer(self, movement: Movement) -> bytes:
        # Where the bank tells no account, the transfer itself stands for its payer.
        account = movement.party.account or f"?{movement.booking_day}/{movement.reference}"
        return build_token(self._key, TokenKind.PAYER, account)

    def _book_deposit(self, movement: Movement) -> None:
        code = find_deposit_code(movement.remittance)
        item = DepositCreditItem(
            ref_token=self._build_reference(movement),
            amount=movement.amount,
            booking_day=movement.booking_day,
            value_day=movement.value_day,
            payer_token=self._build_payer(movement),
            deposit_code=code,
        )
        self._deposits.append((movement.line, item))
        self._note_payer(movement, item.ref_token, code)

    def _note_payer(self, movement: Movement, ref_token: bytes, code: int | None) -> None:
        self._incoming.append(
            Incoming(
                custody=self._account,
                booking_day=movement.booking_day,
                ref_token=ref_token,
                deposit_code=code,
                party=movement.party,
            )
        )

    def _book_cash(self, movement: Movement, kind: int, instruction: bytes | None) -> None:
        item = CashOtherItem(
            kind=kind,
            claim=None,
            instruction=instruction,
            amount=movement.amount,
            booking_day=movement.booking_day,
            ref_token=self._build_reference(movement),
            payer_token=self._build_payer(movement),
        )
        self._cash.append((movement.line, item))
        self._note_payer(movement, item.ref_token, None)

    def _book_payment(self, movement: Movement) -> None:
        sent = None if movement.instruction is None else self._find_sent(movement.instruction)
        if sent is None:
            self._open.append(OpenMovement(movement, "names no payment that was exported from this folder"))
        elif sent.custody != self._account or sent.amount != movement.amount:
            name = build_end_to_end_id(sent.instruction)
            self._open.append(OpenMovement(movement, f"{name} was ordered with another amount or account"))
        elif movement.is_credit:
            self._book_cash(movement, CASH_RETURNED, sent.instruction)
        else:
            item = InstructionAckItem(
                instruction=sent.instruction,
                is_settled=True,
                amount=movement.amount,
                booking_day=movement.booking_day,
                ref_token=self._build_reference(movement),
                reason=0,
            )
            self._answers.append((movement.line, item))

    def _reject_one(self, rejection: Rejection) -> None:
        sent = self._find_sent(rejection.instruction)
        if sent is None or sent.custody != self._account or rejection.amount not in (None, sent.amount):
            raise ConfigError(
                field=f"line {rejection.line}", reason="answers no payment that was exported from this folder like this"
            )
        item = InstructionAckItem(
            instruction=sent.instruction,
            is_settled=False,
            amount=sent.amount,
            booking_day=rejection.day,
            ref_token=build_token(self._key, TokenKind.REFERENCE, self._account, "answer", rejection.reference),
            reason=rejection.reason,
        )
        self._answers.append((rejection.line, item))


def _plan(part: tuple[tuple[int, T], ...], build: Callable[[tuple[T, ...]], BankCall]) -> CallPlan:
    return CallPlan(call=build(tuple(item for _, item in part)), lines=tuple(line for line, _ in part))


def split(items: Sequence[T]) -> list[tuple[T, ...]]:
    """Return the items in parts that fit into one transaction each."""
    return [tuple(items[start : start + ITEMS_PER_CALL]) for start in range(0, len(items), ITEMS_PER_CALL)]


def build_statement_post(statement: BankStatement, *, account: str, content: bytes) -> StatementPost:
    """Return the call that closes the days of a statement; `content` is the file as it was read."""
    in_count, in_sum = statement.count(is_credit=True)
    out_count, out_sum = statement.count(is_credit=False)
    return StatementPost(
        account=account,
        from_day=statement.from_day,
        to_day=statement.to_day,
        opening=statement.opening,
        closing=statement.closing,
        in_count=in_count,
        in_sum=in_sum,
        out_count=out_count,
        out_sum=out_sum,
        file_hash=sha256(content),
    )
