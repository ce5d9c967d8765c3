"""Entering and leaving the sharing members, now or after the window (contract 3.5 *enter*, *exit*, *window*)."""

import copy

from tests.model import claim_money, moves, persons
from tests.model.book import Book, Member, Pool
from tests.model.pins import get_pinned

ENDS = {
    "leave": "left",
    "claimed_out": "claimed_out",
    "age_out": "aged_out",
    "shares_refund": "left",
    "died": "died",
    "voided": "voided",
}
"""What a membership has become behind each act that ends it."""


# --- entering ---


def enter_if_enough(book: Book, member_id: bytes, entry_day: int) -> None:
    """Let somebody enter whose money has become enough."""
    member = book.members[member_id]
    if is_enough(book, member) and not book.is_winding:
        member.entry_day = entry_day
        start_entry(book, member_id)


def is_enough(book: Book, member: Member) -> bool:
    """Tell whether somebody owns what entering takes."""
    return member.balance >= book.pool_terms(book.pool_of(member)).deposit_min_fen * member.weight


def start_entry(book: Book, member_id: bytes) -> None:
    """Enter now, or queue where the window is open or the plan stopped; in a wind-down nobody enters."""
    member = book.members[member_id]
    pool = book.pool_of(member)
    if book.is_winding:
        return
    if pool.is_window or book.status != "active":
        member.status = "queued"
        if member.is_leaf:
            # A lapsed one has had the cover that he paid for.
            member.paid = 0
        pool.queue.append(("enter", member_id))
    else:
        enter(book, member)


def enter(book: Book, member: Member) -> None:
    """Become a sharing member, or wait first where waiting members do not share."""
    if member.is_leaf:
        # A lapsed one begins anew.
        member.cash += member.rem
        member.is_leaf = False
        member.units = member.rem = member.arrears = member.missed = member.paid = 0
    waiting_end = member.entry_day + get_pinned(book, member).waiting_days
    if not book.pool_terms(book.pool_of(member)).waiting_members_share and book.day < waiting_end:
        member.status = "waiting"
        member.wait_until(waiting_end)
        return
    member.status = "sharing"
    member.is_leaf = True
    member.paid = 0
    member.fill(member.cash)
    member.cash = 0
    member.cover_from = max(book.day + 1, waiting_end)
    member.accident_from = book.day + 1


def end_waiting(book: Book) -> None:
    """Let those enter whose waiting is over, by id; in a wind-down their money goes back, however often it began."""
    for member_id in sorted(book.members):
        member = book.members[member_id]
        if member.status != "waiting" or book.day not in member.waiting_dates:
            continue
        if book.is_winding:
            finish_leave(book, member_id, "leave")
        elif book.day >= member.waiting_end:
            start_entry(book, member_id)


# --- leaving ---


def leave(book: Book, member_id: bytes, act: str) -> None:
    """End a membership now, or queue it where the window is open and he shares."""
    member = book.members[member_id]
    other = persons.bar(book, member_id) if act in ("claimed_out", "voided") else None
    if member.is_gone:
        amend_gone(book, member_id, act)
    elif member.status == "moving":
        # It runs where his money arrives; shares that come back are listed then, whatever else happens.
        if member.move is not None and (not member.move.act or (act != "leave" and member.move.act != "shares_refund")):
            member.move.act = act
    elif member.is_leaf and book.pool_of(member).is_window:
        member.status = "leaving"
        book.pool_of(member).queue.append((act, member_id))
    else:
        finish_leave(book, member_id, act)
    if other is not None:
        leave(book, other, act)


def amend_gone(book: Book, member_id: bytes, act: str) -> None:
    """Change how an ended membership ended, or list what it had paid for others."""
    member = book.members[member_id]
    if act in ("claimed_out", "voided"):
        member.status = act
    elif act == "shares_refund":
        claim_money.refund_shares(book, member_id, member.paid)


def finish_leave(book: Book, member_id: bytes, act: str) -> None:
    """Take him out of the count and give back what he owns."""
    end(book, member_id, ENDS[act])
    if act == "shares_refund":
        claim_money.refund_shares(book, member_id, book.members[member_id].paid)


def end(book: Book, member_id: bytes, status: str) -> None:
    """End a membership or an application: everything that he owns goes back, or waits for his estate."""
    member = book.members[member_id]
    pool = book.pool_of(member)
    amount = member.balance
    if pool.closed is not None and pool.closed.is_paying and member.is_paying:
        bonus = pool.closed.bonus * member.weight
        pool.carry -= bonus
        amount += bonus
    is_dead = status == "died" or member_id in book.deaths
    is_held = is_dead and member.account is not None and member.holder != 2
    if status == "died" and member_id in book.deaths:
        book.deaths[member_id].last = copy.deepcopy(member)
    member.status = status
    member.since = book.day
    member.is_leaf = False
    member.cash = member.units = member.rem = member.arrears = 0
    moves.end_cover(book, member)
    if is_held and amount:
        # A refund that waits for an account of the estate, while the money stays his.
        member.cash = amount
        waiting = book.instruct(pool, "refund", amount, member=member_id, account=member.account)
        book.instructions[waiting].state = "failed"
    else:
        book.refund(member_id, amount)
    if member.claim is None:
        persons.release(book, member_id)


# --- the queue after the settlement ---


def run_drain(book: Book, pool: Pool) -> None:
    """Run what waited for the settlement: who leaves first, then the others, at the new balances."""
    is_charged = not pool.is_window or pool.periods[pool.settlements].status == "open"
    if book.is_stopped or not is_charged:
        return
    waiting = sorted(pool.queue, key=lambda entry: entry[0] == "enter")
    pool.queue = []
    for act, member_id in waiting:
        run_queued(book, member_id, act)
    pool.is_window = False


def run_queued(book: Book, member_id: bytes, act: str) -> None:
    """Run one act that waited."""
    member = book.members[member_id]
    if act == "move":
        moves.run_move(book, member_id)
    elif act != "enter":
        if member.is_gone:
            amend_gone(book, member_id, act)
        else:
            finish_leave(book, member_id, act)
    else:
        if member.status == "queued":
            enter_late(book, member_id)
        moves.finish_entry(book, member)


def enter_late(book: Book, member_id: bytes) -> None:
    """Let somebody enter behind the window; where the plan ends by now his money goes back."""
    member = book.members[member_id]
    if book.status == "active":
        enter(book, member)
    elif member.is_leaf:
        member.status = "sharing"
    else:
        finish_leave(book, member_id, "leave")
