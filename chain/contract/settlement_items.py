"""The list of what the next settlement pays: confirmed claims, refunds of shares, carried rests (contract 3.4)."""

from typing import Final

from msgspec.structs import replace

from chain.contract.settlement_tables import ITEM, ItemRecord
from chain.contract.shares import PoolBook
from chain.contract.tables import POOL
from chain.errors import InvariantViolation
from chain.state import Overlay

ITEMS_SETTLED_MAX: Final = 5_000
"""Items of one settlement, so that its record stays below 1 MiB; further ones wait for the next."""


def add_item(state: Overlay, item: ItemRecord, plan: str, pool: int) -> None:
    """Put an item on the list of a pool's next settlement; an item of 0 fen is our own fault."""
    record = state.require(POOL, plan, pool)
    number = _put_item(state, item, plan=plan, pool=pool, next_number=record.items[1])
    state.put(POOL, replace(record, items=(record.items[0], number)), plan, pool)


def add_book_item(state: Overlay, book: PoolBook, item: ItemRecord) -> None:
    """Put an item on the list of a pool that is open in a book."""
    items = book.pool.items
    number = _put_item(state, item, plan=book.plan, pool=book.number, next_number=items[1])
    book.pool = replace(book.pool, items=(items[0], number))


def _put_item(state: Overlay, item: ItemRecord, *, plan: str, pool: int, next_number: int) -> int:
    if item.amount < 1:
        raise InvariantViolation(f"a settlement item of {item.amount} fen")
    state.put(ITEM, item, plan, pool, next_number)
    return next_number + 1


def take_items(state: Overlay, book: PoolBook) -> list[ItemRecord]:
    """Take the items of a settlement off the list, oldest first."""
    first, end = book.pool.items
    last = min(end, first + ITEMS_SETTLED_MAX)
    taken = []
    for number in range(first, last):
        taken.append(state.require(ITEM, book.plan, book.number, number))
        state.delete(ITEM, book.plan, book.number, number)
    book.pool = replace(book.pool, items=(last, end))
    return taken
