"""Notice and charge: everybody is charged one by one (contract 2 *Period*, 3.4)."""

from fractions import Fraction

from chain.contract.terms import PoolTerms
from tests.model import accounts, claim_money, decisions, entry, ghosts, wind
from tests.model.book import Book, Member, Pool, to_date, to_day
from tests.model.records import Costs, Period


def find_next_notice(terms: PoolTerms, after: int) -> tuple[int, int]:
    """Return (notice day, charge day) of the first period whose notice lies after a day; found day by day."""
    day = after
    while True:
        day += 1
        date = to_date(day)
        for notice, charge in zip(terms.notice_days_of_month, terms.charge_days_of_month, strict=True):
            if date.day == notice:
                return day, to_day(date.replace(day=charge))


def open_period(pool: Pool, terms: PoolTerms, after: int) -> None:
    """Begin the next period of a pool."""
    notice_day, charge_day = find_next_notice(terms, after)
    pool.periods.append(Period("open", notice_day=notice_day, charge_day=charge_day, scheduled_day=charge_day))


def list_paying(book: Book, pool: Pool) -> list[Member]:
    """Return who is counted."""
    return [member for member in book.members_of(pool) if member.is_paying]


# --- notice ---


def run_notice(book: Book, pool: Pool) -> None:
    """Fix the count and open the window, once nothing waits from before."""
    period = pool.periods[pool.settlements]
    if book.is_stopped or pool.closed is not None or period.status != "open" or book.day < period.notice_day:
        return
    entry.run_drain(book, pool)
    if pool.is_window or pool.queue:
        return
    terms = book.pool_terms(pool)
    pool.is_window = True
    period.status = "notice"
    period.notice_day = book.day
    period.charge_day = max(period.charge_day, book.day + terms.notice_full_days_min + 1)
    period.members_at_notice = len(list_paying(book, pool))
    auditors = book.auditors
    period.confirmer = auditors[pool.settlements % len(auditors)]
    period.cosigner = auditors[(pool.settlements + 1) % len(auditors)]
    period.claims = decisions.open_notice(book, pool)
    notices = pool.periods[max(0, pool.settlements - 1) : pool.settlements + 1]
    launched = pool.start_day + terms.launch_days
    too_small = [one for one in notices if one.members_at_notice < terms.members_min and one.notice_day >= launched]
    if len(too_small) == 2:
        wind.begin(book)


# --- charge ---


def run_settlement(book: Book, pool: Pool) -> None:
    """Charge the period that is due, one member after the other."""
    period = pool.periods[pool.settlements]
    if book.is_stopped or period.status != "notice" or book.day < period.charge_day:
        return
    year = to_date(book.day).year
    if year != pool.year:
        pool.year, pool.charged_in_year = year, 0
    ghosts.draw(book, pool)
    costs, pool.costs = pool.costs, []
    cost = sum(item.amount + compute_fee(item.amount, item) for item in costs)
    paying = list_paying(book, pool)
    per, is_unfundable = find_charge(book, pool, paying, costs, need=cost - pool.carry)
    collected = collect(book, pool, per)
    pool.charged_in_year += per
    settled = grant(book, pool, period, costs, cost=cost, available=collected + pool.carry)
    pool.settlements += 1
    period.status = "computed" if period.instructions else "closed"
    open_period(pool, book.pool_terms(pool), period.scheduled_day)
    for item, granted, rest in settled:
        claim_money.settled(book, item.claim, granted, rest)
    if is_unfundable:
        wind.begin(book)


def compute_fee(amount: int, item: Costs) -> int:
    """Return the platform's fee on an amount: of each item by itself, rounded down."""
    return amount * item.fee_bp // 10_000


def find_charge(book: Book, pool: Pool, paying: list[Member], costs: list[Costs], *, need: int) -> tuple[int, bool]:
    """Return (the least charge that funds the need, or all that the caps allow; whether money, not a cap, ended it)."""
    if need <= 0:
        return 0, False
    terms = book.pool_terms(pool)
    most = max((member.units for member in paying), default=0)
    limits = [most]
    if terms.cap_per_case_fen is not None:
        limits.append(terms.cap_per_case_fen * sum(1 for item in costs if item.carried == 0))
    if terms.cap_per_period_fen is not None:
        limits.append(terms.cap_per_period_fen)
    if terms.cap_per_year_fen is not None:
        limits.append(max(0, terms.cap_per_year_fen - pool.charged_in_year))
    cap = min(limits)

    def collect_at(per: int) -> int:
        return sum(min(per, member.units) * member.weight for member in paying)

    goal = min(need, collect_at(cap))
    low, high = 0, cap
    while low < high:
        middle = (low + high) // 2
        if collect_at(middle) >= goal:
            high = middle
        else:
            low = middle + 1
    return low, collect_at(cap) < need and collect_at(cap) == collect_at(most)


def collect(book: Book, pool: Pool, per: int) -> int:
    """Take the charge from each; who has less pays what he has and owes the rest."""
    collected = 0
    for member in book.members_of(pool):
        if member.is_leaf:
            collected += charge(member, per, book.day)
    for name, death in book.deaths.items():
        # Who was suspended when a death was reported is so still, should the report be wrong.
        is_owing = death.last is not None and death.last.is_leaf and death.last.arrears > 0
        if death.last is not None and is_owing and book.members[name].pool == pool.number:
            charge(death.last, per, book.day)
    return collected


def charge(member: Member, per: int, day: int) -> int:
    """Charge one leaf; return what it paid."""
    if member.arrears > 0:
        member.arrears += per * member.weight
        member.missed += 1
        return 0
    pays = min(per, member.units)
    member.units -= pays
    member.paid += pays * member.weight
    if pays < per:
        member.arrears = (per - pays) * member.weight
        member.suspended_on = day
        member.missed = 0
    return pays * member.weight


def grant(
    book: Book, pool: Pool, period: Period, costs: list[Costs], *, cost: int, available: int
) -> list[tuple[Costs, int, int]]:
    """Grant everything, or the same share of each; return (item, granted, carried) of each."""
    asked = sum(Fraction(item.amount * (10_000 + item.fee_bp), 10_000) for item in costs)
    terms = book.pool_terms(pool)
    settled = []
    spent = 0
    for item in costs:
        amount = item.amount if available >= cost else int(item.amount * Fraction(available) / asked)
        fee = compute_fee(amount, item)
        spent += amount + fee
        pool.aid_payable += amount
        pool.fee_held += fee
        rest = item.amount - amount
        is_carried = rest > 0 and terms.unpaid == 0 and item.carried < terms.carry_periods_max
        if is_carried:
            pool.costs.append(Costs(item.claim, item.member, rest, item.fee_bp, item.carried + 1))
        if amount:
            payee = book.members[accounts.find_payee(book, book.claims[item.claim])]
            period.instructions.append(
                book.instruct(pool, "aid", amount, fee=fee, member=item.member, claim=item.claim, account=payee.account)
            )
        settled.append((item, amount, rest if is_carried else 0))
    pool.carry = available - spent
    return settled
