"""The bank's rarer acts: money without a name, a recall, interest, other accounts, a death (contract 3.5, 5).

each quarter   interest is booked
2nd stranger   platform and bank find out whose money it is: matched to a member
3rd stranger   his bank recalls it: bank and auditor take it back
day 200        a member is reported dead; 15 days later the heirs' account is verified and the balance goes there
"""

from collections.abc import Callable

from chain.contract.calls import Call
from chain.contract.member_calls import AccountVerify, AccountVerifyItem, DeathReport
from chain.contract.money_calls import CashOther, CashOtherItem, DepositMatch, DepositMatchItem, DepositReverse
from node.demo.bank import Bank
from node.demo.members import Members, Membership
from node.demo.orders import ErrandName, Order, Outcome
from node.demo.person_data import build_person_index
from node.demo.population import derive_token
from node.demo.registry import Registry, Transfer
from node.demo.world import World

INTEREST_DAYS = 90
INTEREST_PPM = 750
"""Of the balance for each quarter: 0.3 % a year."""
MATCHED_STRANGER, RECALLED_STRANGER = 1, 2
FRESH_DAYS = 2
"""After five days it goes back by itself: who comes shortly before may come too late."""
DEATH_DAY, ESTATE_DAYS = 200, 15
ESTATE = 2
MATCH_BELOW_FEN = 10_000
"""Per unit of weight: who is credited holds less, so that all of the money finds room."""


class Cashier:
    """The desk for what does not happen every day."""

    def __init__(
        self, bank: Bank, members: Members, registry: Registry, *, name: str, seed: int, platform: str, auditor: str
    ) -> None:
        self.name = name
        self._bank = bank
        self._members = members
        self._registry = registry
        self._seed = seed
        self._platform, self._auditor = platform, auditor
        self._plan_name = ""
        self._interest: dict[int, tuple[int, int]] = {}
        """By quarter: booking day and amount."""
        self._dead: Membership | None = None
        self._died_on: int | None = None
        self._taken_strangers: set[int] = set()
        self._done: set[str] = set()
        """Acts on strangers' deposits that are done or on their way."""
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Return what the desk does now."""
        self._today, self._plan_name = world.today, world.plan_name
        self._find_owner(world)
        self._recall(world)
        return [
            *self._registry.agreements.sign(self.name, self._bank.key, self._bank.errands, world.today),
            *self._book_interest(world),
            *self._report_death(world),
            *self._verify_accounts(),
        ]

    def _order(self, name: ErrandName, call: Call, on_done: Callable[[], None]) -> list[Order]:
        if not self._bank.errands.begin(name, self._today):
            return []

        def on_outcome(outcome: Outcome) -> None:
            if self._bank.errands.finish(name, outcome.code, self._today):
                on_done()

        return [Order(call=call, key=self._bank.key, on_outcome=on_outcome)]

    # --- money ---

    def _book_interest(self, world: World) -> list[Order]:
        books, quarter = self._bank.books, world.demo_day // INTEREST_DAYS
        amount = books.balance * INTEREST_PPM // 1_000_000
        if quarter and quarter not in self._interest and amount:
            self._interest[quarter] = world.today, amount
            books.open_booking(world.today)
        return [order for number in self._interest for order in self._build_interest(number)]

    def _build_interest(self, number: int) -> list[Order]:
        day, amount = self._interest[number]
        item = CashOtherItem(
            kind=0,
            claim=None,
            instruction=None,
            amount=amount,
            booking_day=day,
            ref_token=derive_token("interest", self._seed, number),
            payer_token=derive_token("interest payer", self._seed),
        )

        def on_done() -> None:
            self._bank.books.close_booking(day, amount_in=amount)
            self._registry.interest += amount

        call = CashOther(account=self._bank.books.account, items=(item,))
        return self._order(("interest", number), call, on_done)

    def _take_stranger(self, act: str, first: int) -> tuple[int, Transfer] | None:
        """Return (booking day, transfer) of a deposit that names nobody, from stranger number `first` on.

        Each is taken once, and for an act only one, unless its five days were over too soon: then the next.
        """
        if act in self._done or len(self._registry.strangers) <= first:
            return None
        for place in range(first, len(self._registry.strangers)):
            day, transfer = self._registry.strangers[place]
            if place not in self._taken_strangers and self._today <= day + FRESH_DAYS:
                self._taken_strangers.add(place)
                self._done.add(act)
                return day, transfer
        return None

    def _find_owner(self, world: World) -> None:
        if len(self._registry.strangers) <= MATCHED_STRANGER:
            return
        owner = self._members.choose("match", world, below_fen=MATCH_BELOW_FEN)
        if owner is None or owner.member is None:
            return
        found = self._take_stranger("match", MATCHED_STRANGER)
        if found is None:
            return
        day, transfer = found
        item = DepositMatchItem(booking_day=day, ref_token=transfer.reference, member=owner.member)
        call = DepositMatch(account=self._bank.books.account, items=(item,))
        self._registry.agreements.draft(
            call, (self._platform, self.name), lambda: None, on_missed=lambda: self._done.discard("match")
        )

    def _recall(self, world: World) -> None:
        found = self._take_stranger("recall", RECALLED_STRANGER)
        if found is None:
            return
        (day, transfer), today = found, world.today
        call = DepositReverse(
            account=self._bank.books.account,
            deposit_day=day,
            deposit_ref=transfer.reference,
            amount=transfer.amount,
            booking_day=today,
            ref_token=derive_token("recall", transfer.reference.hex()),
        )
        self._bank.books.open_booking(today)

        def on_done() -> None:
            self._bank.books.close_booking(today, amount_out=transfer.amount)

        self._registry.agreements.draft(call, (self.name, self._auditor), on_done)

    # --- accounts and a death ---

    def _verify_accounts(self) -> list[Order]:
        """Verify the accounts that members named anew, and that of an estate in its time."""
        orders = []
        for member, token in self._registry.wished_accounts.items():
            orders += self._verify(member, token, holder_kind=None)
        if self._dead is not None and self._died_on is not None and self._today >= self._died_on + ESTATE_DAYS:
            token = derive_token("estate account", self._seed, self._dead.person.number)
            orders += self._verify(self._dead.member or b"", token, holder_kind=ESTATE)
        return orders

    def _verify(self, member: bytes, token: bytes, *, holder_kind: int | None) -> list[Order]:
        customer = self._registry.customers[member]
        person = customer.person
        item = AccountVerifyItem(
            member=member,
            person_index=build_person_index(self._seed, self._plan_name, person),
            account_token=token,
            holder_kind=customer.holder_kind if holder_kind is None else holder_kind,
            key_challenge_hash=derive_token("challenge", self._seed, person.number),
            last_cover_year=customer.last_cover_year,
        )
        return self._order(("verify", token), AccountVerify(items=(item,)), lambda: None)

    def _report_death(self, world: World) -> list[Order]:
        if self._dead is None and world.demo_day >= DEATH_DAY:
            self._dead = self._members.choose("death", world)
        if self._dead is None or self._dead.member is None:
            return []
        call = DeathReport(
            member=self._dead.member, document_hash=derive_token("death", self._seed, self._dead.person.number)
        )

        def on_done() -> None:
            self._died_on = self._today

        return self._order(("death", self._dead.member), call, on_done)
