"""Changing pool: exit, a real transfer between two accounts, entry with the old waiting (contract 3.0; ADR 0015)."""

from tests.model import entry
from tests.model.book import Book, Member, Move
from tests.model.pins import pin
from tests.model.records import Instruction

MOVE_DAYS = 10
"""Cover holds for so many days of transfer."""


def ask(book: Book, member_id: bytes, version: int, problems: set[str]) -> set[str]:
    """Begin to move; in the window it waits among the exits."""
    member = book.members[member_id]
    if book.status != "active":
        problems.add("plan_not_active")
    problems |= find_bar(book, member, version)
    if problems:
        return problems
    pool = book.pool_of(member)
    member.move = Move(version=version, to_pool=book.versions[version].pool)
    if member.is_leaf and pool.is_window:
        pool.queue.append(("move", member_id))
    else:
        leave_pool(book, member_id, member.move)
    return problems


def find_bar(book: Book, member: Member, version: int) -> set[str]:
    """Return what forbids to move now."""
    problems = set()
    if not (member.status == "sharing" and member.is_paying) and member.status != "waiting":
        problems.add("member_state")
    if member.claim is not None:
        problems.add("claim_open")
    if member.balance < book.versions[version].terms.pool.deposit_min_fen * member.weight:
        problems.add("balance_too_low")
    return problems


def run_move(book: Book, member_id: bytes) -> None:
    """Leave the old pool behind the window; who has lost the ground for it stays."""
    member = book.members[member_id]
    if member.move is None:
        return
    if book.status != "active" or find_bar(book, member, member.move.version):
        member.move = None
    else:
        leave_pool(book, member_id, member.move)


def leave_pool(book: Book, member_id: bytes, move: Move) -> None:
    """Take the leaf out and order the transfer; what the new pool may not hold goes to his own account."""
    member = book.members[member_id]
    pool = book.pool_of(member)
    balance = member.balance
    move.amount = min(balance, book.versions[move.version].terms.pool.deposit_max_fen * member.weight)
    move.left_day, move.has_cover = book.day, member.is_leaf
    move.cover = member.cover_from, member.accident_from
    if member.is_leaf:
        cover(member, move, book.day + MOVE_DAYS)
    member.status = "moving"
    member.is_leaf = False
    member.cash = member.units = member.rem = 0
    to_account = book.pools[move.to_pool].custody.name
    pool.outgoing += move.amount
    book.instruct(pool, "transfer", move.amount, member=member_id, to_account=to_account)
    book.refund(member_id, balance - move.amount)


def cover(member: Member, move: Move, last_day: int) -> None:
    """Cover the days of a transfer as the old pool would have."""
    days = range(move.left_day + 1, last_day + 1)
    member.covered.update(day for day in days if day >= move.cover[0])
    member.covered_accident.update(day for day in days if day >= move.cover[1])


def is_expected(member: Member, pool: int, amount: int) -> bool:
    """Tell whether a credit is the money of somebody who moves to that pool."""
    move = member.move
    if member.status != "moving" or move is None or member.pool == pool:
        return False
    return (move.to_pool, move.amount) == (pool, amount)


def is_under_way(book: Book, record: Instruction) -> bool:
    """Tell whether the money of a transfer has not arrived yet."""
    assert record.member is not None
    member = book.members[record.member]
    if member.status != "moving" or member.move is None or member.pool != record.pool:
        return False
    return (member.move.left_day, member.move.amount) == (record.made_day, record.amount)


def arrive(book: Book, member_id: bytes, amount: int, value_day: int) -> None:
    """Let somebody enter the new pool with his money, and with his old entry day."""
    member = book.members[member_id]
    move = member.move
    assert move is not None
    pin(member, book.day + 1, move.version, move.to_pool)
    member.pool = move.to_pool
    # The new pool gives back no shares that the old one was paid.
    member.paid = 0
    move.has_cover = move.has_cover and value_day <= move.left_day + MOVE_DAYS
    member.cash = amount
    end_transfer(book, member_id)


def fail_transfer(book: Book, record: Instruction) -> None:
    """Let somebody whose money did not get through enter the old pool again."""
    assert record.member is not None
    member = book.members[record.member]
    move = member.move
    if member.status != "moving" or move is None or member.pool != record.pool:
        # He is in the new pool by now: this is money of the old one.
        pool = book.pools[record.pool]
        pool.outgoing += record.amount
        book.instruct(pool, "refund", record.amount, member=record.member, account=member.account)
        return
    move.has_cover = move.has_cover and book.day <= move.left_day + MOVE_DAYS
    member.cash = record.amount
    end_transfer(book, record.member)


def end_transfer(book: Book, member_id: bytes) -> None:
    """Enter, or leave where that was asked for or the plan ends."""
    member = book.members[member_id]
    move = member.move
    assert move is not None
    member.status = "verified"
    if move.act or book.is_winding:
        member.move = None
        entry.finish_leave(book, member_id, move.act or "leave")
        return
    move.is_here = True
    entry.start_entry(book, member_id)
    if member.status != "queued":
        finish_entry(book, member)


def finish_entry(book: Book, member: Member) -> None:
    """End a move behind the entry: where the money was there in time, the old cover reaches up to it."""
    move = member.move
    if move is None or not move.is_here:
        return
    member.move = None
    if move.has_cover and member.status in ("sharing", "waiting"):
        end_cover(book, member)
        cover(member, move, book.day)


def end_cover(book: Book, member: Member) -> None:
    """Take back the cover that a transfer gave ahead: the entry, or the end of the membership, takes its place."""
    for days in (member.covered, member.covered_accident):
        days.difference_update(range(book.day + 1, book.day + MOVE_DAYS + 1))
