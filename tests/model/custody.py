"""Moving a pool's money to another account, by vote (contract 5 *custody_move*; ADR 0022)."""

from chain.contract.governance_calls import MoveCustody
from tests.model.book import Book, Custody
from tests.model.statements import find_oldest_open

OPEN_DAYS_MAX = 1_000
NEVER = 1_000_000


def find_problems(book: Book, call: MoveCustody) -> set[str]:
    """Return what forbids to move an account."""
    if call.pool >= len(book.pools):
        return {"pool_unknown"}
    custody = book.pools[call.pool].custody
    problems = set() if book.find_custody(call.account) is None else {"account_in_use"}
    if find_oldest_open(custody) is not None or custody.owed:
        problems.add("account_not_reconciled")
    if any(member.status == "moving" for member in book.members.values()):
        problems.add("move_under_way")
    if book.day - custody.closed_day > OPEN_DAYS_MAX:
        problems.add("limit_reached")
    return problems


def move(book: Book, call: MoveCustody) -> None:
    """Let another account go on with what the old one closed with, and with the days that no statement closed."""
    pool = book.pools[call.pool]
    old = pool.custody
    pool.custody = Custody(
        call.account,
        call.pool,
        old.closed_day,
        # What the bank told under the old name it has told: the same transfer under the new one is no other.
        deposits=old.deposits,
        recalls=old.recalls,
        booked={day: moved for day, moved in old.booked.items() if day > old.closed_day},
        opening=old.statements[-1].closing if old.statements else old.opening,
    )
    old.closed_day = NEVER
    pool.former.append(old)
