"""The brute-force model of a pool: it walks every member at every charge and knows no share index (contract 3).

Written from the page alone, in other terms than the product: money per unit instead of X, arrears in fen instead of a
difference of indexes, the covered days of everybody as plain sets that are filled at each 0:00, and fractions where
the product floors. Slow on purpose.
"""

import datetime
from dataclasses import dataclass, field
from fractions import Fraction

EPOCH = datetime.date(1970, 1, 1)


def to_date(day: int) -> datetime.date:
    return EPOCH + datetime.timedelta(days=day)


@dataclass
class ModelTerms:
    """The few terms that money depends on."""

    notice_days: tuple[int, ...] = (7, 21)
    charge_days: tuple[int, ...] = (14, 28)
    waiting_days: int = 90
    deposit_min: int = 1_000
    deposit_max: int = 20_000
    grace: int = 2
    cap_case: int | None = 400
    cap_period: int | None = None
    cap_year: int | None = 18_800
    is_carried: bool = True
    carry_max: int = 2
    members_min: int = 1
    launch_days: int = 365
    waiting_share: bool = True


@dataclass
class Person:
    """One member as the model sees him."""

    weight: int
    status: str = "applied"
    applied_day: int = 0
    is_verified: bool = False
    cash: int = 0
    is_leaf: bool = False
    units: int = 0
    """Fen left for each unit of weight."""
    rem: int = 0
    arrears: int = 0
    suspended_on: int = 0
    missed: int = 0
    """Settlements after the one that suspended him."""
    paid: int = 0
    entry_day: int = 0
    cover_from: int = 0
    accident_from: int = 0
    covered: set[int] = field(default_factory=set)
    covered_accident: set[int] = field(default_factory=set)

    @property
    def balance(self) -> int:
        return self.cash + (self.units * self.weight + self.rem if self.is_leaf else 0)


@dataclass
class Cost:
    """Something that the next charge pays."""

    name: str
    amount: int
    fee_bp: int
    carried: int = 0


@dataclass
class Settled:
    """What a charge came to."""

    per: int
    n: int
    cost: int
    collected: int
    carry: int
    grants: list[tuple[str, int, int]]
    """(name, amount, fee)."""


class Model:
    """One pool and everybody in it."""

    def __init__(self, terms: ModelTerms, *, day: int) -> None:
        self.terms = terms
        self.day = day
        self.people: dict[str, Person] = {}
        self.costs: list[Cost] = []
        self.is_window = False
        self.is_winding = False
        self.queue: list[tuple[str, str]] = []
        self.carry = self.aid = self.fees_held = self.fees = self.outgoing = self.unmatched = self.cash = 0
        self.charged_in_year = 0
        self.year = to_date(day).year
        self.returns: list[tuple[int, int]] = []
        """(day, amount) of unmatched money."""
        self.settled: list[Settled] = []
        self.launched_on = day + terms.launch_days
        self.was_small = False

    # --- deposits ---

    def book(self, amount: int) -> None:
        self.cash += amount

    def credit(self, name: str | None, amount: int, *, value_day: int) -> int:
        """Credit a booked deposit; return what was taken."""
        self.book(amount)
        taken = 0 if name is None else self._take(self.people[name], name, amount, value_day)
        if taken < amount:
            self.unmatched += amount - taken
            self.returns.append((self.day + 5, amount - taken))
        return taken

    def _take(self, person: Person, name: str, amount: int, value_day: int) -> int:
        top = self.terms.deposit_max * person.weight
        if person.status in ("applied", "verified", "queued", "waiting"):
            taken = max(0, min(amount, top - person.balance))
            person.cash += taken
            if person.status == "verified":
                self._enter_if_enough(person, name, max(value_day, self.day - 3))
            return taken
        if person.status != "sharing":
            return 0
        if person.arrears == 0:
            taken = max(0, min(amount, top - person.balance))
            self._fill(person, person.units * person.weight + person.rem + taken)
            return taken
        if person.missed >= self.terms.grace:
            taken = max(0, min(amount, top - person.balance))
            person.cash += taken
            self._enter_if_enough(person, name, max(value_day, self.day - 3))
            return taken
        taken = max(0, min(amount, top + person.arrears - person.balance))
        person.cash += taken
        if person.cash + person.rem >= person.arrears:
            self._reinstate(person, value_day)
        return taken

    def _reinstate(self, person: Person, value_day: int) -> None:
        self.carry += person.arrears
        person.paid += person.arrears
        money = person.cash + person.rem - person.arrears
        person.cash = 0
        person.arrears = 0
        self._fill(person, money)
        if value_day <= person.suspended_on:
            for day in range(person.suspended_on + 1, self.day + 1):
                if day >= person.cover_from:
                    person.covered.add(day)
                if day >= person.accident_from:
                    person.covered_accident.add(day)

    @staticmethod
    def _fill(person: Person, money: int) -> None:
        person.units, person.rem = money // person.weight, money % person.weight

    # --- entering and leaving ---

    def admit(self, name: str) -> None:
        person = self.people[name]
        person.status = "verified"
        if person.cash > 0:
            self._enter_if_enough(person, name, self.day)

    def _enter_if_enough(self, person: Person, name: str, entry_day: int) -> None:
        if person.balance < self.terms.deposit_min * person.weight:
            return
        if self.is_winding:
            return
        person.entry_day = entry_day
        if self.is_window:
            person.status = "queued"
            if person.is_leaf:
                # A lapsed one has had the cover that he paid for.
                person.paid = 0
            self.queue.append(("enter", name))
            return
        self._enter(person)

    def _enter(self, person: Person) -> None:
        if not self.terms.waiting_share and self.day < person.entry_day + self.terms.waiting_days:
            person.cash += person.rem if person.is_leaf else 0
            person.units = person.rem = person.arrears = person.missed = person.paid = 0
            person.is_leaf = False
            person.status = "waiting"
            return
        money = person.cash + (person.rem if person.is_leaf else 0)
        person.cash = person.arrears = person.missed = person.paid = 0
        person.status = "sharing"
        person.is_leaf = True
        self._fill(person, money)
        person.cover_from = max(self.day + 1, person.entry_day + self.terms.waiting_days)
        person.accident_from = self.day + 1

    def leave(self, name: str) -> None:
        person = self.people[name]
        if person.is_leaf and self.is_window:
            person.status = "leaving"
            self.queue.append(("exit", name))
        else:
            self._exit(person, "left")

    def _exit(self, person: Person, status: str) -> None:
        self.outgoing += person.balance
        person.cash = person.units = person.rem = person.arrears = 0
        person.is_leaf = False
        person.status = status

    def withdraw(self, name: str, amount: int) -> None:
        person = self.people[name]
        self._fill(person, person.balance - amount)
        self.outgoing += amount

    def can_withdraw(self, name: str, amount: int) -> bool:
        person = self.people[name]
        least = self.terms.deposit_min
        if self.is_winding:
            if self.terms.cap_year is None:
                return False
            charged = self.charged_in_year if to_date(self.day).year == self.year else 0
            least = max(0, self.terms.cap_year - charged)
        return amount <= person.balance - least * person.weight

    def reweigh(self, name: str, weight: int) -> None:
        person = self.people[name]
        money = person.balance
        person.weight = weight
        self._fill(person, money)

    # --- the bank's answers ---

    def settle_refund(self, amount: int) -> None:
        self.outgoing -= amount
        self.cash -= amount

    def fail_refund(self, name: str, amount: int) -> None:
        self.outgoing -= amount
        person = self.people[name]
        if person.status == "sharing" and person.is_leaf and person.arrears == 0:
            self._fill(person, person.balance + amount)
        else:
            person.cash += amount

    def fail_return(self, amount: int) -> None:
        self.outgoing -= amount
        self.unmatched += amount
        self.returns.append((self.day + 5, amount))

    def pay(self, amount: int, fee: int) -> None:
        self.cash -= amount
        self.aid -= amount
        self.fees_held -= fee
        self.fees += fee

    # --- days ---

    def start_day(self) -> None:
        """Go to the next day and run what happens by itself."""
        self.day += 1
        date = to_date(self.day)
        for person in self.people.values():
            if person.is_leaf and person.arrears == 0:
                if self.day >= person.cover_from:
                    person.covered.add(self.day)
                if self.day >= person.accident_from:
                    person.covered_accident.add(self.day)
        for person in self.people.values():
            age = self.day - person.applied_day
            is_late = person.status in ("applied", "verified") and age == 30
            is_unanswered = person.status == "applied" and person.is_verified and age == 15
            if is_late or is_unanswered:
                self._exit(person, "expired")
        for name, person in self.people.items():
            if person.status == "waiting" and self.day >= person.entry_day + self.terms.waiting_days:
                self._end_waiting(person, name)
        if date.day in self.terms.notice_days:
            self._open_notice()
        if date.day in self.terms.charge_days and self.is_window:
            self.charge()
            self._drain()
        for due_day, amount in [item for item in self.returns if item[0] == self.day]:
            self.unmatched -= amount
            self.outgoing += amount
            self.returns.remove((due_day, amount))

    def _end_waiting(self, person: Person, name: str) -> None:
        if self.is_winding:
            self._exit(person, "left")
        elif self.is_window:
            person.status = "queued"
            self.queue.append(("enter", name))
        else:
            self._enter(person)

    def _open_notice(self) -> None:
        self.is_window = True
        members = sum(1 for person in self.people.values() if self._pays(person))
        is_small = members < self.terms.members_min and self.day >= self.launched_on
        if is_small and self.was_small:
            self.is_winding = True
        self.was_small = is_small

    def _drain(self) -> None:
        self.is_window = False
        for act, name in sorted(self.queue, key=lambda entry: entry[0] != "exit"):
            person = self.people[name]
            if act == "exit" and person.status == "leaving":
                self._exit(person, "left")
            elif act == "enter" and person.status == "queued":
                if not self.is_winding:
                    self._enter(person)
                elif person.is_leaf:
                    person.status = "sharing"
                else:
                    self._exit(person, "left")
        self.queue.clear()

    # --- the charge ---

    def count(self) -> int:
        """Return N."""
        return sum(person.weight for person in self.people.values() if self._pays(person))

    @staticmethod
    def _pays(person: Person) -> bool:
        return person.is_leaf and person.arrears == 0

    def collect_at(self, per: int) -> int:
        return sum(min(per, person.units) * person.weight for person in self.people.values() if self._pays(person))

    def charge(self) -> None:
        """Charge everybody, one by one."""
        year = to_date(self.day).year
        if year != self.year:
            self.year, self.charged_in_year = year, 0
        n = self.count()
        cost = sum(item.amount + item.amount * item.fee_bp // 10_000 for item in self.costs)
        new = sum(1 for item in self.costs if item.carried == 0)
        most = max((person.units for person in self.people.values() if self._pays(person)), default=0)
        limit = most
        if self.terms.cap_case is not None:
            limit = min(limit, self.terms.cap_case * new)
        if self.terms.cap_period is not None:
            limit = min(limit, self.terms.cap_period)
        if self.terms.cap_year is not None:
            limit = min(limit, max(0, self.terms.cap_year - self.charged_in_year))
        need = cost - self.carry
        per = self._least(need, limit)
        everything = self.collect_at(most)
        if need > 0 and self.collect_at(limit) < need and self.collect_at(limit) == everything:
            self.is_winding = True
        collected = self._collect(per)
        self.charged_in_year += per
        self._grant(n=n, per=per, cost=cost, collected=collected)

    def _least(self, need: int, limit: int) -> int:
        """Return the least charge that funds the need, or all that the limit yields; found by walking down."""
        if need <= 0:
            return 0
        goal = min(need, self.collect_at(limit))
        low, high = 0, limit
        while low < high:
            middle = (low + high) // 2
            if self.collect_at(middle) >= goal:
                high = middle
            else:
                low = middle + 1
        return low

    def _collect(self, per: int) -> int:
        collected = 0
        for person in self.people.values():
            if not person.is_leaf:
                continue
            if person.arrears > 0:
                person.arrears += per * person.weight
                person.missed += 1
                continue
            pays = min(per, person.units)
            person.units -= pays
            person.paid += pays * person.weight
            collected += pays * person.weight
            if pays < per:
                person.arrears = (per - pays) * person.weight
                person.suspended_on = self.day
                person.missed = 0
        return collected

    def _grant(self, *, n: int, per: int, cost: int, collected: int) -> None:
        available = collected + self.carry
        asked = sum(Fraction(item.amount) * (10_000 + item.fee_bp) / 10_000 for item in self.costs)
        grants, rests = [], []
        for item in self.costs:
            amount = item.amount if available >= cost else int(item.amount * available / asked)
            fee = amount * item.fee_bp // 10_000
            grants.append((item.name, amount, fee))
            rest = item.amount - amount
            if rest and self.terms.is_carried and item.carried < self.terms.carry_max:
                rests.append(Cost(item.name, rest, item.fee_bp, item.carried + 1))
        spent = sum(amount + fee for _, amount, fee in grants)
        self.aid += sum(amount for _, amount, _ in grants)
        self.fees_held += sum(fee for _, _, fee in grants)
        self.carry = available - spent
        self.costs = rests
        self.settled.append(Settled(per, n, cost, collected, self.carry, grants))

    # --- conservation ---

    def total(self) -> int:
        """Return the money that is somewhere."""
        mine = sum(person.balance for person in self.people.values())
        return mine + self.carry + self.aid + self.fees_held + self.fees + self.outgoing + self.unmatched
