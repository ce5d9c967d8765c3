"""The members: they apply, pay in, top up, fall ill, file claims and leave."""

from msgspec import Struct

from chain.contract.claim_calls import ClaimFile
from chain.contract.member_calls import MemberApply, MemberLeave
from chain.crypto import SigningKey, sha256
from node.demo.orders import Errands, Order, Outcome
from node.demo.person_data import build_profile
from node.demo.population import Case, Habit, Person, derive_key, derive_token
from node.demo.registry import Application, Diagnosis, Registry, Transfer
from node.demo.world import MemberView, World

APPLICATIONS_PER_TICK = 60
"""A crowd at the counter: how many apply between two looks at the chain."""
LOW_BALANCE_FEN = 1_500
"""Per unit of weight: a steady member tops up below it."""
ARREARS_FEN = 3_000
"""What a suspended member adds for its arrears, per unit of weight; what is too much comes back."""
LATE_DAYS, RETURN_DAYS = (2, 20), 75
"""How long a late member waits after its suspension, and a returner after its lapse."""


class Membership(Struct):
    """One person and what it did so far."""

    person: Person
    key: SigningKey
    member: bytes | None = None
    """Pseudonym, once the application is on the chain."""
    deposit_code: int = 0
    """Goes into the remittance text; 0 until known."""
    transfers: int = 0
    """How often it paid in."""
    paid_period: int = -1
    """Period in which it last did."""
    paid_in: int = 0
    suspended_day: int | None = None
    """Day on which it noticed that it is suspended."""
    claim: bytes | None = None


class Members:
    """All people of the demo."""

    def __init__(self, people: tuple[Person, ...], *, seed: int, rules_hash: bytes, registry: Registry) -> None:
        self.memberships = [self._build_membership(person, seed) for person in people]
        self.errands = Errands()
        self.strays = 0
        self._seed = seed
        self._rules_hash = rules_hash
        self._registry = registry
        self._today = 0
        self._is_retired = False
        self._guardians = frozenset(person.guardian for person in people)
        self._chosen: dict[str, Membership] = {}
        self._by_member: dict[bytes, Membership] = {}

    @staticmethod
    def _build_membership(person: Person, seed: int) -> Membership:
        owner = person.number if person.guardian is None else person.guardian
        return Membership(person=person, key=derive_key(seed, "member", owner))

    def act(self, world: World) -> list[Order]:
        """Return what people do now."""
        self._today = world.today
        orders: list[Order] = []
        if self._is_retired:
            return orders
        applying = 0
        for membership in self.memberships:
            if membership.member is None:
                if applying < APPLICATIONS_PER_TICK:
                    order = self._apply(membership, world)
                    if order is not None:
                        applying += 1
                        orders.append(order)
                continue
            view = world.members.get(membership.member)
            if view is not None:
                orders.extend(self._live(membership, view, world))
        self._send_stray_money(world)
        return orders

    def retire(self) -> None:
        """Do nothing any more: these people belong to an earlier performance."""
        self._is_retired = True

    @property
    def is_retired(self) -> bool:
        """Tell whether these people act no more."""
        return self._is_retired

    @property
    def joined(self) -> int:
        """Return how many applications are on the chain."""
        return sum(membership.member is not None for membership in self.memberships)

    # --- who is who ---

    def find(self, member: bytes) -> Membership | None:
        """Return whose pseudonym this is."""
        return self._by_member.get(member)

    def find_by_claim(self, claim: bytes) -> Membership | None:
        """Return whose claim this is."""
        return next((membership for membership in self.memberships if membership.claim == claim), None)

    def list_voters(self, world: World) -> dict[bytes, SigningKey]:
        """Return the keys, by pseudonym, of those who may be drawn for a jury: grown and paying."""
        return {
            member: membership.key
            for member, membership in self._by_member.items()
            if membership.person.guardian is None and (view := world.members.get(member)) is not None
            if view.status in {"covered", "waiting", "left", "leaving", "claimed_out"}
        }

    def choose(
        self, part: str, world: World, *, age: int | None = None, below_fen: int | None = None
    ) -> Membership | None:
        """Return the one to whom something happens: always the same, and for each part another.

        A covered adult of the first day (a child of `age` years where that is given) to whom nothing else happens, with
        less than `below_fen` for each unit of weight; None while there is nobody.
        """
        if part not in self._chosen:
            taken = {membership.person.number for membership in self._chosen.values()}
            for membership in self.memberships:
                person, view = membership.person, world.members.get(membership.member or b"")
                is_quiet = person.case is None and person.leave_day is None and person.join_day == 0
                is_fit = person.guardian is None if age is None else person.guardian is not None and person.age == age
                if not is_quiet or not is_fit or person.number in taken or person.number in self._guardians:
                    continue
                if view is None or view.status != "covered" or person.habit is not Habit.STEADY:
                    continue
                if below_fen is None or view.balance < below_fen * view.weight:
                    self._chosen[part] = membership
                    break
        return self._chosen.get(part)

    # --- joining ---

    def _apply(self, membership: Membership, world: World) -> Order | None:
        person = membership.person
        if world.demo_day < person.join_day or self._is_rules_change_near(world):
            return None
        guardian: bytes | None = None
        if person.guardian is not None:
            guardian = self.memberships[person.guardian].member
            view = None if guardian is None else world.members.get(guardian)
            if view is None or not view.is_sharing:
                return None
        name = ("apply", person.number)
        if not self.errands.begin(name, world.today):
            return None
        profile = build_profile(self._seed, person)
        call = MemberApply(
            plan=world.plan_name,
            pool=0,
            weight=person.weight,
            rules_hash=world.plan.rules_hash or self._rules_hash,
            field_commitments_root=profile.field_commitments_root,
            blob_hash=profile.blob_hash,
            consent_hash=derive_token("consent", self._seed, person.number),
            recovery_hash=sha256(derive_key(self._seed, "recovery", person.number).public_key),
            guardian=guardian,
        )

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(name, outcome.code, self._today):
                membership.member = outcome.tx_id
                self._by_member[outcome.tx_id] = membership
                membership.deposit_code = outcome.deposit_code
                self._registry.applications[outcome.tx_id] = Application(member=outcome.tx_id, person=person)
                self._pay_in(membership, person.deposit_fen, world)

        return Order(call=call, key=membership.key, on_outcome=on_outcome, blob=profile.blob)

    def _is_rules_change_near(self, world: World) -> bool:
        """Tell whether another version takes over about now: who reads one today would sign it too late."""
        change_day = self._registry.rules_change_day
        return change_day > 0 and change_day - 2 <= world.today <= change_day + 1

    # --- living ---

    def _live(self, membership: Membership, view: MemberView, world: World) -> list[Order]:
        person = membership.person
        if view.is_sharing:
            self._mind_balance(membership, view, world)
        orders: list[Order] = []
        if person.case is not None and membership.claim is None and view.is_sharing:
            orders.extend(self._file_claim(membership, person.case, world))
        if person.leave_day is not None and world.demo_day >= person.leave_day and view.is_sharing:
            orders.extend(self._leave(membership, world))
        return orders

    def _mind_balance(self, membership: Membership, view: MemberView, world: World) -> None:
        person = membership.person
        if membership.paid_period == world.plan.period:
            return  # the last transfer may not have arrived yet: nobody pays in twice between two charges
        if view.status not in {"suspended", "lapsed"}:
            membership.suspended_day = None
            if person.habit is Habit.STEADY and view.balance < LOW_BALANCE_FEN * view.weight:
                self._pay_in(membership, person.deposit_fen, world)
            return
        since = membership.suspended_day
        if since is None:
            since = membership.suspended_day = world.today
        waited = world.today - since
        patience = LATE_DAYS[0] + person.number % (LATE_DAYS[1] - LATE_DAYS[0])
        is_late = person.habit is Habit.LATE and view.status == "suspended" and waited >= patience
        is_returning = person.habit is Habit.RETURNER and view.status == "lapsed" and waited >= RETURN_DAYS
        if is_late or is_returning:
            membership.suspended_day = None
            self._pay_in(membership, person.deposit_fen + ARREARS_FEN * person.weight, world)

    def _pay_in(self, membership: Membership, amount: int, world: World) -> None:
        number = membership.person.number
        membership.transfers += 1
        membership.paid_period = world.plan.period
        membership.paid_in += amount
        self._registry.paid_in += amount
        self._registry.transfers.append(
            Transfer(
                reference=derive_token("transfer", self._seed, number, membership.transfers),
                payer=derive_token("payer", self._seed, number),
                amount=amount,
                deposit_code=membership.deposit_code,
            )
        )

    def _send_stray_money(self, world: World) -> None:
        """Let a stranger pay in without a code now and then: it must go back, and freeze nothing."""
        if world.demo_day < 10 + 60 * self.strays:
            return
        self.strays += 1
        amount = 1_000 + 17 * self.strays
        self._registry.paid_in += amount
        self._registry.transfers.append(
            Transfer(
                reference=derive_token("stray", self._seed, self.strays),
                payer=derive_token("stranger", self._seed, self.strays),
                amount=amount,
                deposit_code=None,
            )
        )

    # --- falling ill, leaving ---

    def _file_claim(self, membership: Membership, case: Case, world: World) -> list[Order]:
        if world.demo_day < case.day + case.filed_after:
            return []
        number = membership.person.number
        name = ("claim", number)
        if membership.member is None or not self.errands.begin(name, world.today):
            return []
        diagnosed_day = world.start_day + case.day
        call = ClaimFile(
            member=membership.member,
            cause=int(case.is_accident),
            diagnosed_day=diagnosed_day,
            evidence_root=derive_token("evidence", self._seed, number),
            bill_tags=(derive_token("bill", self._seed, number),),
            asked_row=case.row,
            payee_kind=0 if membership.person.guardian is None else 1,
        )

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(name, outcome.code, self._today):
                membership.claim = outcome.tx_id
                self._registry.diagnoses[outcome.tx_id] = Diagnosis(
                    case=case, diagnosed_day=diagnosed_day, bill_tags=call.bill_tags
                )
            elif outcome.code in FINAL_REFUSALS:
                self.errands.abandon(name, outcome.code)

        return [Order(call=call, key=membership.key, on_outcome=on_outcome)]

    def _leave(self, membership: Membership, world: World) -> list[Order]:
        name = ("leave", membership.person.number)
        if membership.member is None or not self.errands.begin(name, world.today):
            return []

        def on_outcome(outcome: Outcome) -> None:
            self.errands.finish(name, outcome.code, self._today)

        return [Order(call=MemberLeave(member=membership.member), key=membership.key, on_outcome=on_outcome)]


FINAL_REFUSALS = frozenset({"not_covered", "claim_too_late", "member_state", "claim_open"})
"""Answers to a claim that tomorrow will not change."""
