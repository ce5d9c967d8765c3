"""What befalls members now and then: a lost key, a closed account, coming of age (contract 2, 5).

day 60    a key is lost; the recovery key, kept apart, replaces it at once
day 75    another loses both; platform, an auditor and the new key ask, and after 14 days of veto it holds
day 30    a child in the year of its 18th birthday takes its membership over
any day   the bank finds the account of a payee closed: he names another one, and the contract pays again
"""

from chain.contract.member_calls import AccountChange, GuardianHandOver, MemberRekeyRecover, MemberRekeyRequest
from chain.crypto import SigningKey
from node.demo.members import Members, Membership
from node.demo.orders import Errands, Order, Outcome
from node.demo.population import derive_key, derive_token
from node.demo.registry import Registry
from node.demo.world import World

HAND_OVER_DAY, RECOVERY_DAY, REKEY_DAY = 30, 60, 75
VETO_DAYS = 16
"""The contract's 14 days, and the day on which they begin and end."""
GROWN_AGE = 17
NEW_KEY, GUARDIAN, CHILD = "new key", "guardian", "child"


class Mishaps:
    """The members to whom it happens."""

    def __init__(self, members: Members, registry: Registry, *, seed: int, platform: str, auditor: str) -> None:
        self.errands = Errands()
        self._members = members
        self._registry = registry
        self._seed = seed
        self._institutions = (platform, auditor)
        self._lost: Membership | None = None
        self._replaced_on: int | None = None
        self._grown: Membership | None = None
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Return what they do now."""
        self._today = world.today
        return [
            *self._hand_over(world),
            *self._recover(world),
            *self._replace(world),
            *self._change_accounts(),
        ]

    def _derive_key(self, membership: Membership) -> SigningKey:
        return derive_key(self._seed, "second key", membership.person.number)

    def _recover(self, world: World) -> list[Order]:
        membership = self._members.choose("recovery", world) if world.demo_day >= RECOVERY_DAY else None
        if membership is None or membership.member is None:
            return []
        name, new = ("recover", membership.person.number), self._derive_key(membership)
        if not self.errands.begin(name, world.today):
            return []

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(name, outcome.code, self._today):
                membership.key = new

        call = MemberRekeyRecover(member=membership.member, new_key=new.public_key)
        key = derive_key(self._seed, "recovery", membership.person.number)
        return [Order(call=call, key=key, on_outcome=on_outcome)]

    def _replace(self, world: World) -> list[Order]:
        if self._lost is None and world.demo_day >= REKEY_DAY:
            self._lost = self._members.choose("rekey", world)
            if self._lost is not None and self._lost.member is not None:
                new = self._derive_key(self._lost)
                call = MemberRekeyRequest(member=self._lost.member, new_key=new.public_key)
                self._registry.agreements.draft(call, (*self._institutions, NEW_KEY), self._note_replaced)
        if self._lost is None:
            return []
        new = self._derive_key(self._lost)
        if self._replaced_on is not None and world.today > self._replaced_on + VETO_DAYS:
            self._lost.key = new
        return self._registry.agreements.sign(NEW_KEY, new, self.errands, world.today)

    def _note_replaced(self) -> None:
        self._replaced_on = self._today

    def _hand_over(self, world: World) -> list[Order]:
        if self._grown is None and world.demo_day >= HAND_OVER_DAY:
            self._grown = self._members.choose("hand-over", world, age=GROWN_AGE)
            if self._grown is not None and self._grown.member is not None:
                new = self._derive_key(self._grown)
                call = GuardianHandOver(member=self._grown.member, new_key=new.public_key)
                self._registry.agreements.draft(call, (GUARDIAN, CHILD), self._note_grown)
        if self._grown is None:
            return []
        table, new = self._registry.agreements, self._derive_key(self._grown)
        guardian = derive_key(self._seed, "member", self._grown.person.guardian or 0)
        return [
            *table.sign(GUARDIAN, guardian, self.errands, world.today),
            *table.sign(CHILD, new, self.errands, world.today),
        ]

    def _note_grown(self) -> None:
        if self._grown is not None:
            self._grown.key = self._derive_key(self._grown)

    def _change_accounts(self) -> list[Order]:
        """Let who was told by the bank that his account is closed name another one."""
        orders = []
        for claim in self._registry.closed_accounts:
            membership = self._members.find_by_claim(claim)
            if membership is None or membership.member is None:
                continue
            name = ("account", claim)
            if self.errands.begin(name, self._today):
                orders.append(self._build_change(membership, membership.member, claim))
        return orders

    def _build_change(self, membership: Membership, member: bytes, claim: bytes) -> Order:
        token = derive_token("second account", self._seed, membership.person.number)

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(("account", claim), outcome.code, self._today):
                self._registry.wished_accounts[member] = token

        commitment = derive_token("account commitment", token.hex())
        call = AccountChange(member=member, account_commitment=commitment)
        return Order(call=call, key=membership.key, on_outcome=on_outcome)
