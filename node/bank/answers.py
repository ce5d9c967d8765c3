"""What the bank's payment system answers: pain.002 (accepted or rejected) and camt.054 (booked).

A booking is the only proof that money moved, so a settled payment is told by camt.054 or by the statement. Of pain.002
a rejection is final and becomes a failed acknowledgement; an acceptance is told and waits for the booking.
"""

from typing import Final

from msgspec import Struct

from node.bank.amounts import read_amount
from node.bank.document import Node
from node.bank.end_to_end import parse_end_to_end_id
from node.bank.entries import Movement, read_entries

REASONS: Final = {
    "AC01": 1, "AC03": 1, "BE05": 1,
    "AC04": 2, "AC07": 2,
    "AC06": 3, "AC13": 3, "AC14": 3,
    "AG01": 4, "AG03": 4,
    "AM04": 5,
    "BE01": 6, "BE06": 6, "RC01": 6,
    "MD07": 7,
    "RR01": 8, "RR02": 8, "RR03": 8, "RR04": 8,
    "AM02": 9, "AM14": 9,
    "NARR": 10, "MS02": 10, "MS03": 10,
}  # fmt: skip
"""ISO 20022 reason codes by the reason number of the chain: 1 account number wrong, 2 account closed, 3 account blocked
or of the wrong kind, 4 transfers not allowed there, 5 not enough money, 6 payee does not fit the account, 7 payee died,
8 refused by law or rule, 9 amount beyond a limit, 10 no reason given; REASON_OTHER: any other."""
REASON_OTHER: Final = 999
_REJECTED: Final = frozenset({"RJCT", "CANC"})
_WAITING: Final = frozenset({"RCVD", "ACTC", "ACCP", "ACFC", "ACSP", "ACWC", "ACWP", "PDNG", "PATC", "ACSC", "ACCC"})


class Rejection(Struct, frozen=True):
    """A payment that will not be made."""

    line: int
    instruction: bytes
    """First 20 bytes of the instruction's id."""
    amount: int | None
    """Where the answer repeats it."""
    day: int
    """Day of the answer."""
    reference: str
    """The answer's own name of it."""
    reason: int


class Answers(Struct, frozen=True):
    """What one file answers."""

    rejections: tuple[Rejection, ...]
    bookings: tuple[Movement, ...]
    waiting: int
    """Accepted, and not booked yet."""


def read_answers(kind: str, message: Node) -> Answers:
    """Read a pain.002 or camt.054 message; raise `ConfigError` naming line and element."""
    if kind == "pain.002":
        return _read_status_report(message)
    bookings = [movement for part in message.list("Ntfctn") for movement in read_entries(part)]
    return Answers(rejections=(), bookings=tuple(bookings), waiting=0)


def get_account_number(message: Node) -> str | None:
    """Return the account of the notifications of a camt.054; raise where they are of several."""
    numbers: dict[str, None] = {}
    for part in message.list("Ntfctn"):
        account = part.require("Acct")
        number = account.get_text("Id/IBAN") or account.get_text("Id/Othr/Id")
        if number is None:
            raise account.refuse("Id/IBAN or Id/Othr/Id is missing")
        numbers[number] = None
        if len(numbers) > 1:
            raise account.refuse("another account than that of the first notification")
    return next(iter(numbers), None)


def _read_status_report(message: Node) -> Answers:
    report_day = message.require("GrpHdr/CreDtTm").read_date()
    rejections: list[Rejection] = []
    waiting = 0
    for block in message.list("OrgnlPmtInfAndSts"):
        block_status = block.get_text("PmtInfSts")
        answers = block.list("TxInfAndSts")
        if not answers and block_status in _REJECTED:
            raise block.refuse("rejected as a whole without its payments: ask the bank which ones it means")
        for answer in answers:
            status = answer.find("TxSts")
            code = block_status if status is None else status.text
            if code in _REJECTED:
                rejections.append(_read_rejection(answer, report_day))
            elif code in _WAITING:
                waiting += 1
            else:
                raise (status or answer).refuse(f"{code!r:.20} is no status that we know")
    group = message.find("OrgnlGrpInfAndSts")
    if group is not None and group.get_text("GrpSts") in _REJECTED and not rejections:
        raise group.refuse("the file was rejected as a whole: nothing was paid; mend it and export again")
    return Answers(rejections=tuple(rejections), bookings=(), waiting=waiting)


def _read_rejection(answer: Node, report_day: int) -> Rejection:
    name = answer.require("OrgnlEndToEndId")
    instruction = parse_end_to_end_id(name.text)
    if instruction is None:
        raise name.refuse(f"{name.text!r:.40} names no payment of ours")
    reasons = answer.list("StsRsnInf")
    code = (reasons[0].get_text("Rsn/Cd") or "NARR") if reasons else "NARR"
    amount = answer.find("OrgnlTxRef/Amt/InstdAmt")
    return Rejection(
        line=answer.line,
        instruction=instruction,
        amount=None if amount is None else read_amount(amount),
        day=report_day,
        reference=answer.get_text("StsId") or name.text,
        reason=REASONS.get(code, REASON_OTHER),
    )
