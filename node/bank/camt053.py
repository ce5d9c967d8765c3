"""camt.053, the bank's statement of one account: read, and checked against itself before anybody believes it."""

from typing import Final

from msgspec import Struct

from chain.contract.statement import SPAN_DAYS_MAX
from node.bank.amounts import read_amount, read_count, read_is_credit, read_sum
from node.bank.document import Node
from node.bank.entries import Movement, read_entries

OPENING_CODES: Final = ("OPBD", "PRCD")
"""Opening booked, or previously closed booked."""
CLOSING_CODE: Final = "CLBD"


class BankStatement(Struct, frozen=True):
    """One statement as the bank's file says it."""

    number: str
    """The bank's own number of it."""
    account: str
    """IBAN or other number of the account."""
    from_day: int
    to_day: int
    opening: int
    closing: int
    movements: tuple[Movement, ...]

    def count(self, *, is_credit: bool) -> tuple[int, int]:
        """Return (count, sum) of what came in, or of what went out."""
        amounts = [movement.amount for movement in self.movements if movement.is_credit == is_credit]
        return len(amounts), sum(amounts)


def read_statement(message: Node) -> BankStatement:
    """Read the one statement of a camt.053 message; raise `ConfigError` naming line and element.

    Checked: balances of both ends in CNY and in credit, dates, sums and counts of the summary where there is one,
    opening + credits - debits = closing, each entry booked within the days.
    """
    statements = message.list("Stmt")
    if len(statements) != 1:
        place = statements[1] if len(statements) > 1 else message
        raise place.refuse(f"{len(statements)} statements in one file; expected one account and one span of days")
    node = statements[0]
    account = node.require("Acct")
    number = account.get_text("Id/IBAN") or account.get_text("Id/Othr/Id")
    if number is None:
        raise account.refuse("Id/IBAN or Id/Othr/Id is missing")
    opening, closing = _find_balance(node, OPENING_CODES), _find_balance(node, (CLOSING_CODE,))
    from_day, to_day = _read_days(node, closing)
    statement = BankStatement(
        number=node.require("Id").text,
        account=number,
        from_day=from_day,
        to_day=to_day,
        opening=_read_balance(opening),
        closing=_read_balance(closing),
        movements=tuple(read_entries(node)),
    )
    _validate(node, statement, closing)
    return statement


def _find_balance(node: Node, codes: tuple[str, ...]) -> Node:
    found = [balance for balance in node.list("Bal") if balance.require("Tp/CdOrPrtry/Cd").text in codes]
    if not found:
        raise node.refuse(f"no balance {' or '.join(codes)}")
    if len(found) > 1:
        raise found[1].refuse(f"a second balance {' or '.join(codes)}")
    return found[0]


def _read_balance(balance: Node) -> int:
    amount = read_amount(balance.require("Amt"))
    if amount and not read_is_credit(balance):
        raise balance.require("Amt").refuse("a custody account is never overdrawn")
    return amount


def _read_days(node: Node, closing: Node) -> tuple[int, int]:
    """Return the first and last booking day: of FrToDt, else both of the closing balance."""
    last = closing.require("Dt").read_day()
    span = node.find("FrToDt")
    if span is None:
        return last, last
    start, end = span.require("FrDtTm"), span.require("ToDtTm")
    from_day, to_day = start.read_date(), end.read_date()
    if to_day > from_day and end.is_midnight:
        to_day -= 1
    if not 0 <= to_day - from_day < SPAN_DAYS_MAX:
        raise span.refuse(f"is no span of 1 to {SPAN_DAYS_MAX} days")
    if to_day != last:
        raise closing.require("Dt").refuse("is not the last day of FrToDt")
    return from_day, to_day


def _validate(node: Node, statement: BankStatement, closing: Node) -> None:
    in_sum, out_sum = statement.count(is_credit=True)[1], statement.count(is_credit=False)[1]
    if statement.opening + in_sum - out_sum != statement.closing:
        raise closing.require("Amt").refuse("is not opening + credits - debits")
    for movement in statement.movements:
        if not statement.from_day <= movement.booking_day <= statement.to_day:
            raise node.refuse(f"the entry on line {movement.line} is not booked on a day of this statement")
    entries = node.list("Ntry")
    credited = sum(read_is_credit(entry) for entry in entries)
    summary = node.find("TxsSummry")
    if summary is None:
        return
    expected = (
        ("TtlNtries", len(entries), in_sum + out_sum),
        ("TtlCdtNtries", credited, in_sum),
        ("TtlDbtNtries", len(entries) - credited, out_sum),
    )
    for name, count, total in expected:
        _check_total(summary, name, count=count, total=total)


def _check_total(summary: Node, name: str, *, count: int, total: int) -> None:
    part = summary.find(name)
    if part is None:
        return
    told_count, told_sum = part.find("NbOfNtries"), part.find("Sum")
    if told_count is not None and read_count(told_count) != count:
        raise told_count.refuse(f"there are {count}")
    if told_sum is not None and read_sum(told_sum) != total:
        raise told_sum.refuse("is not the sum of the entries")
