"""The end of a plan, to the last fen (contract 3.5 *wind-down*; ADR 0016)."""

from chain.contract.plan_calls import WindDown
from tests.model import accounts, claim_money, claims, decisions, entry, hearings
from tests.model.book import Book, Pool
from tests.model.halves import cosign
from tests.model.records import Closed, Costs, Period

RUN_OFF_DAYS = 180
END_DAYS = 540
MAY_WIN = (
    "eligible",
    "assigned",
    "investigated",
    "approved",
    "noticed",
    "recheck",
    "appealed",
    "refused",
    "rejected",
)
"""A claim that no charge has granted anything, and that may still be paid."""


def wind_down(book: Book, signer: bytes, call: WindDown) -> set[str]:
    """Begin the end: platform, auditor and bank."""
    if book.role_of(signer) not in ("platform", "auditor", "custodian"):
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    if book.is_winding:
        return {"already"}
    problems, signed = cosign(book, signer, call, "platform", "auditor", "custodian")
    if signed is not None:
        begin(book)
    return problems


def begin(book: Book) -> None:
    """Begin the end, unless it has begun; while the plan is stopped it shows when the stop is over."""
    if not book.is_winding:
        book.wind_day = book.day
        if book.status == "active":
            book.status = "wind_down"


def run(book: Book) -> None:
    """Go on with the end at 0:00: close, pay out, sweep; over when every fen has gone and the bank has said so."""
    if book.status not in ("wind_down", "ended"):
        return
    for pool in book.pools:
        if pool.closed is None and is_closing(book, pool):
            close(book, pool)
        if pool.closed is not None:
            look_after(book, pool)
            pay_items(book, pool)
            sweep(book, pool)
    end_if_empty(book)


def end_if_empty(book: Book) -> None:
    """End the plan once nothing is left; that is seen in every block."""
    is_empty = all(pool.closed is not None and pool.cash == 0 for pool in book.pools)
    has_aside = any(claim.aside for claim in book.claims.values())
    is_moving = any(member.status == "moving" for member in book.members.values())
    if book.status == "wind_down" and is_empty and not has_aside and not is_moving:
        book.status = "ended"


def is_closing(book: Book, pool: Pool) -> bool:
    """Tell whether a pool is to be closed: the days are over, no window is open, and no claim is, or for too long."""
    if book.run_off < RUN_OFF_DAYS or pool.is_window or pool.queue:
        return False
    return book.run_off >= END_DAYS or (not pool.costs and not claim_money.has_open_claims(book))


def close(book: Book, pool: Pool) -> None:
    """Serve what waits, keep money for open claims, then let everybody go with balance and a share of the rest."""
    pool.closed = Closed(day=book.day)
    pay_items(book, pool)
    for _, claim in claim_money.list_waiting(book, pool):
        if not claim.aside and claim.status in MAY_WIN:
            claim.aside = min(claim.amount or decisions.compute_amount(book, claim), pool.carry)
            pool.carry -= claim.aside
            pool.aid_payable += claim.aside
    paying = [member for member in book.members_of(pool) if member.is_paying]
    units = sum(member.weight for member in paying)
    pool.closed.bonus = pool.carry // units if units else 0
    pool.closed.is_paying = True
    leaves = [(name, one) for name, one in book.members.items() if one.pool == pool.number and one.is_leaf]
    for name, _ in sorted(leaves, key=lambda pair: (pair[1].units - pair[1].arrears // pair[1].weight, pair[0])):
        entry.finish_leave(book, name, "leave")


def pay_items(book: Book, pool: Pool) -> None:
    """Pay what waited for a charge from the carry, as far as that reaches; the rest is ended."""
    costs, pool.costs = pool.costs, []
    for item in costs:
        amount = min(item.amount, pool.carry)
        pool.carry -= amount
        pool.aid_payable += amount
        if amount:
            instruct(book, pool, item, amount)
        claim_money.settled(book, item.claim, amount, 0)


def instruct(book: Book, pool: Pool, item: Costs, amount: int) -> None:
    """Make a batch of one, without a fee, numbered behind the last charge."""
    assert pool.closed is not None
    number = pool.settlements + 1 + pool.closed.batches
    pool.closed.batches += 1
    payee = book.members[accounts.find_payee(book, book.claims[item.claim])]
    name = book.instruct(
        pool, "aid", amount, member=item.member, claim=item.claim, account=payee.account, period=number
    )
    auditors = book.auditors
    pool.batches[number] = Period(
        "computed",
        notice_day=book.day,
        charge_day=book.day,
        scheduled_day=book.day,
        instructions=[name],
        confirmer=auditors[number % len(auditors)],
        cosigner=auditors[(number + 1) % len(auditors)],
    )


def look_after(book: Book, pool: Pool) -> None:
    """Pay claims that have won from what is kept for them; what is kept for one that is over is carry again.

    Nobody is paid while a hearing about him is open: so he, and the end of the plan, wait for that.
    """
    for name, claim in claim_money.list_kept(book, pool):
        has_won = claim.status in ("approved", "noticed")
        bar = decisions.find_pay_bar(book, name) if has_won else ""
        kept = claim.aside
        if has_won and kept and not bar:
            if hearings.is_open(book, claim.member):
                continue
            decisions.take(book, name)
            claim.aside, amount = 0, min(kept, claim.amount)
            instruct(book, pool, Costs(name, claim.member, amount, 0), amount)
            release(pool, kept - amount)
            claim_money.settled(book, name, amount, 0)
        elif has_won or not claim.is_awaited or claim.status == "shares_refund":
            release(pool, kept)
            claim.aside = 0
        if claim.status in ("approved", "noticed"):
            claims.close(book, name, "rejected" if bar else "expired", bar or "pool_closed")


def release(pool: Pool, amount: int) -> None:
    """Make kept money carry again; it counts as unclaimed."""
    pool.aid_payable -= amount
    pool.carry += amount
    pool.unclaimed += amount


def sweep(book: Book, pool: Pool) -> None:
    """Order what is left to whom the pool terms name, and the fees to the platform."""
    for kind, amount in (("residue", pool.carry), ("fee", pool.fee_payable)):
        if amount:
            pool.outgoing += amount
            book.instruct(pool, kind, amount)
    pool.carry = pool.fee_payable = 0
