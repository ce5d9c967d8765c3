"""Deposits: credited by the state of whom they name, matched, returned, recalled (contract 2 *Deposit*, 3.5, 5)."""

import msgspec

from chain.codec import encode
from chain.contract.money_calls import DepositCreditItem, DepositMatchItem, DepositReverse
from tests.model import entry, members, moves
from tests.model.book import Book, Custody, Member
from tests.model.halves import cosign
from tests.model.records import Deposit, Timer

RETURN_DAYS = 5
VALUE_LAG_DAYS = 3


def note_booking(custody: Custody, day: int, *, in_fen: int = 0, out_fen: int = 0) -> None:
    """Add a movement to the day that a statement will be compared with."""
    known = custody.booked.get(day, (0, 0, 0, 0))
    change = (int(in_fen > 0), in_fen, int(out_fen > 0), out_fen)
    custody.booked[day] = (known[0] + change[0], known[1] + change[1], known[2] + change[2], known[3] + change[3])


def find_day_problems(book: Book, custody: Custody, booking_day: int) -> set[str]:
    """Return what forbids to book on a day: it lies ahead, or a statement has closed it."""
    problems = set()
    if booking_day > book.day:
        problems.add("day_in_future")
    if booking_day <= custody.closed_day:
        problems.add("booking_day_closed")
    return problems


def deposit_credit(book: Book, custody: Custody, item: DepositCreditItem) -> set[str]:
    """Take a bank fact: what a member may not take goes back."""
    known = custody.deposits.get((item.booking_day, item.ref_token))
    if known is not None:
        return {"already"} if known.told == item else {"reference_conflict"}
    problems = find_day_problems(book, custody, item.booking_day)
    if item.value_day > book.day:
        problems.add("day_in_future")
    if not problems:
        note_booking(custody, item.booking_day, in_fen=item.amount)
        book_deposit(book, custody, item)
    return problems


def book_deposit(book: Book, custody: Custody, item: DepositCreditItem) -> None:
    """Credit whom a transfer names; the rest is nobody's."""
    book.pools[custody.pool].cash += item.amount
    member_id = None if item.deposit_code is None else book.codes.get(item.deposit_code)
    taken = 0
    if member_id is not None:
        member = book.members[member_id]
        if moves.is_expected(member, custody.pool, item.amount):
            moves.arrive(book, member_id, item.amount, item.value_day)
            taken = item.amount
        elif member.pool == custody.pool:
            taken = take(book, member_id, item.amount, item.value_day)
    put_deposit(
        book,
        custody,
        (item.booking_day, item.ref_token),
        Deposit(
            amount=item.amount,
            value_day=item.value_day,
            taken=taken,
            member=member_id if taken else None,
            told=item,
        ),
    )


def put_deposit(book: Book, custody: Custody, key: tuple[int, bytes], deposit: Deposit) -> None:
    """Note an incoming movement; what nobody took goes back in five days."""
    custody.deposits[key] = deposit
    if deposit.unmatched:
        book.pools[custody.pool].unmatched += deposit.unmatched
        ask_return(book, custody.name, *key)


def take(book: Book, member_id: bytes, amount: int, value_day: int) -> int:
    """Credit what a member may take by his state; return how much that was."""
    member = book.members[member_id]
    pool = book.pool_of(member)
    if pool.closed is not None:
        return 0
    room = max(0, book.pool_terms(pool).deposit_max_fen * member.weight - member.balance)
    entry_day = max(value_day, book.day - VALUE_LAG_DAYS)
    if member.status in ("applied", "verified", "waiting", "queued"):
        taken = min(amount, room)
        member.cash += taken
        if member.status == "verified":
            entry.enter_if_enough(book, member_id, entry_day)
        return taken
    if member.status != "sharing":
        return 0
    if member.is_paying:
        taken = min(amount, room)
        credit_leaf(member, taken)
        return taken
    if is_lapsed(book, member):
        taken = min(amount, room)
        member.cash += taken
        entry.enter_if_enough(book, member_id, entry_day)
        return taken
    most = book.pool_terms(pool).deposit_max_fen * member.weight + member.arrears - member.balance
    taken = max(0, min(amount, most))
    member.cash += taken
    if member.cash + member.rem >= member.arrears:
        reinstate(book, member, value_day)
    return taken


def credit_leaf(member: Member, amount: int) -> None:
    """Put money into a leaf that pays."""
    member.fill(member.units * member.weight + member.rem + amount)


def is_lapsed(book: Book, member: Member) -> bool:
    """Tell whether the grace of a suspended member is over."""
    return member.missed >= book.pool_terms(book.pool_of(member)).grace_periods


def reinstate(book: Book, member: Member, value_day: int) -> None:
    """Pay the arrears; cover goes on tomorrow, or never stopped where the bank was late."""
    book.pool_of(member).carry += member.arrears
    member.paid += member.arrears
    money = member.cash + member.rem - member.arrears
    member.cash = member.arrears = member.missed = 0
    member.fill(money)
    if value_day <= member.suspended_on:
        days = range(member.suspended_on + 1, book.day + 1)
        member.covered.update(day for day in days if day >= member.cover_from)
        member.covered_accident.update(day for day in days if day >= member.accident_from)
    else:
        member.cover_from = max(book.day + 1, member.cover_from)
        member.accident_from = max(book.day + 1, member.accident_from)


# --- unmatched money ---


def ask_return(book: Book, account: str, booking_day: int, ref_token: bytes) -> None:
    """Let what is unmatched of a deposit go back in five days."""
    book.add_timer("return", RETURN_DAYS, encode((account, booking_day, ref_token)), due_ms=book.now_ms)


def find_deposit(book: Book, account: str, booking_day: int, ref_token: bytes) -> Deposit:
    """Return a deposit, also one on an account of before."""
    custody = book.find_custody(account)
    assert custody is not None
    return custody.deposits[booking_day, ref_token]


def return_due(book: Book, timer: Timer) -> None:
    """Order the return of what is still unmatched of a deposit."""
    account, day, ref_token = msgspec.msgpack.decode(timer.subject)
    custody = book.find_custody(account)
    assert custody is not None
    deposit, pool = custody.deposits[day, ref_token], book.pools[custody.pool]
    amount = deposit.unmatched
    if amount:
        deposit.returned += amount
        pool.unmatched -= amount
        pool.outgoing += amount
        book.instruct(pool, "return", amount, deposit=(account, day, ref_token))


def deposit_match(book: Book, custody: Custody, item: DepositMatchItem) -> set[str]:
    """Credit unmatched money to the member whose it is, as a deposit would be."""
    deposit = custody.deposits.get((item.booking_day, item.ref_token))
    if deposit is None:
        return {"deposit_unknown"}
    member = book.members.get(item.member)
    if member is None or member.pool != custody.pool:
        return {"member_unknown"}
    if deposit.member is not None and deposit.member != item.member:
        return {"conflict"}
    amount = deposit.unmatched
    if amount == 0:
        return {"already"} if deposit.member == item.member else {"deposit_state"}
    taken = take(book, item.member, amount, deposit.value_day)
    if taken == 0:
        return {"member_state"}
    deposit.member = item.member
    deposit.taken += taken
    book.pools[custody.pool].unmatched -= taken
    return set()


# --- recalls ---


def deposit_reverse(book: Book, signer: bytes, call: DepositReverse) -> set[str]:
    """Take a recalled deposit back: bank and auditor."""
    custody = book.find_custody(call.account)
    if custody is None:
        return {"account_unknown"}
    deposit_key, recall_key = (call.deposit_day, call.deposit_ref), (call.booking_day, call.ref_token)
    # What is left of a deposit on an account of before is taken from the one that goes on for it.
    present = book.pools[custody.pool].custody
    problems = find_recall_problems(custody, deposit_key, recall_key, call.amount)
    problems |= find_day_problems(book, present, call.booking_day)
    if problems:
        return problems
    problems, signed = cosign(book, signer, call, "custodian", "auditor")
    if signed is not None:
        note_booking(present, call.booking_day, out_fen=call.amount)
        recall(book, custody, present, deposit_key, recall_key, call.amount)
    return problems


def find_recall_problems(
    custody: Custody, deposit_key: tuple[int, bytes], recall_key: tuple[int, bytes], amount: int
) -> set[str]:
    """Return what forbids to recall so much of a deposit."""
    known = custody.recalls.get(recall_key)
    if known is not None:
        return {"already"} if known == (*deposit_key, amount) else {"reference_conflict"}
    deposit = custody.deposits.get(deposit_key)
    if deposit is None:
        return {"deposit_unknown"}
    left = deposit.amount - deposit.recalled
    if left == 0:
        return {"deposit_state"}
    return {"amount_mismatch"} if amount > left else set()


def recall(
    book: Book,
    custody: Custody,
    present: Custody,
    deposit_key: tuple[int, bytes],
    recall_key: tuple[int, bytes],
    amount: int,
) -> None:
    """Take what is still there: what is unmatched, then what the deposit gave its member; the bank owes the rest."""
    deposit, pool = custody.deposits[deposit_key], book.pools[custody.pool]
    unmatched = min(amount, deposit.unmatched)
    from_member = 0
    if deposit.member is not None and book.members[deposit.member].pool == custody.pool:
        given = deposit.taken - deposit.recalled_from_member
        from_member = min(amount - unmatched, given, book.members[deposit.member].balance)
        take_back(book, deposit.member, from_member)
    deposit.returned += unmatched
    pool.unmatched -= unmatched
    pool.cash -= unmatched + from_member
    deposit.recalled += amount
    deposit.recalled_from_member += from_member
    present.recalls[recall_key] = (*deposit_key, amount)
    owe(present, amount - unmatched - from_member, recall_key[0])


def owe(custody: Custody, amount: int, booking_day: int) -> None:
    """Note that an account is short of money since a day."""
    if amount:
        custody.owed_day = min(custody.owed_day, booking_day) if custody.owed else booking_day
        custody.owed += amount


def take_back(book: Book, member_id: bytes, amount: int) -> None:
    """Take money from a member, plain money first; who has too little left to enter is verified again."""
    member = book.members[member_id]
    if amount == 0:
        return
    from_cash = min(amount, member.cash)
    member.cash -= from_cash
    if member.is_paying:
        credit_leaf(member, from_cash - amount)
    else:
        member.rem -= amount - from_cash
    if member.status in ("queued", "waiting") and not entry.is_enough(book, member):
        member.status = "sharing" if member.is_leaf else "verified"
        if not member.is_leaf:
            book.add_timer("application", members.APPLICATION_DAYS, member_id)
