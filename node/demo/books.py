"""The bank's own books of one custody account: what it booked on which day, and the statements that follow
from it."""

from pathlib import Path

from msgspec import Struct
from msgspec import json as msgspec_json

from chain.contract.money_calls import StatementPost
from node.demo.population import derive_token

STATEMENT_DAYS_MAX = 10
"""A statement covers at most a span of holidays."""


class DayBook(Struct):
    """What was booked on one day, final or not."""

    in_count: int = 0
    in_sum: int = 0
    out_count: int = 0
    out_sum: int = 0
    open_bookings: int = 0
    """Bookings whose transaction is not final yet: the day cannot be closed."""


class Books(Struct):
    """One custody account."""

    account: str
    closed_day: int
    """Last day covered by a posted statement."""
    closing: int = 0
    """Its closing balance, fen."""
    days: dict[int, DayBook] = {}
    in_total: int = 0
    out_total: int = 0

    def open_booking(self, day: int) -> None:
        """Note that a booking of this day is on its way to the chain."""
        self.days.setdefault(day, DayBook()).open_bookings += 1

    def close_booking(self, day: int, *, amount_in: int = 0, amount_out: int = 0) -> None:
        """Note that a booking became final; 0 where the chain refused it and it will be booked again."""
        book = self.days[day]
        book.open_bookings -= 1
        if amount_in:
            book.in_count += 1
            book.in_sum += amount_in
            self.in_total += amount_in
        if amount_out:
            book.out_count += 1
            book.out_sum += amount_out
            self.out_total += amount_out

    @property
    def balance(self) -> int:
        """Return what lies on the account, fen."""
        return self.in_total - self.out_total

    def build_statement(self, today: int) -> StatementPost | None:
        """Return the statement of the days that are over and final, or None if there is none yet."""
        first = self.closed_day + 1
        last = min(today - 1, self.closed_day + STATEMENT_DAYS_MAX)
        while last >= first and any(day <= last and self.days[day].open_bookings for day in self.days):
            last -= 1
        if last < first:
            return None
        books = [self.days[day] for day in range(first, last + 1) if day in self.days]
        in_sum, out_sum = sum(book.in_sum for book in books), sum(book.out_sum for book in books)
        return StatementPost(
            account=self.account,
            from_day=first,
            to_day=last,
            opening=self.closing,
            closing=self.closing + in_sum - out_sum,
            in_count=sum(book.in_count for book in books),
            in_sum=in_sum,
            out_count=sum(book.out_count for book in books),
            out_sum=out_sum,
            file_hash=derive_token("statement", self.account, first, last),
        )

    def close_days(self, statement: StatementPost) -> None:
        """Note that a statement was taken by the chain."""
        self.closed_day, self.closing = statement.to_day, statement.closing
        for day in [day for day in self.days if day <= statement.to_day]:
            del self.days[day]


def save_books(books: Books, path: Path) -> None:
    """Write the books beside the devnet, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec_json.encode(books))
    temporary.replace(path)


def load_books(path: Path) -> Books | None:
    """Read the books back, None where there are none."""
    return msgspec_json.decode(path.read_bytes(), type=Books) if path.exists() else None
