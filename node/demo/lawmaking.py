"""A new version of the rules, and what the platform earns (contract 2 *Rules*, 5).

On day 100 platform and an auditor publish a version: a longer claim window, and one condition said more clearly. It is
disclosed for 30 days and then takes new members; since its wording is another one, nobody is moved to it: some members
sign it, the others keep what they signed. Each quarter the platform is paid the fee that it has earned by then.
"""

from msgspec.structs import replace

from chain.contract.member_calls import MemberAcceptRules
from chain.contract.money_calls import FeeWithdraw
from chain.contract.plan_calls import RulesPublish
from chain.contract.terms import PlanTerms, hash_terms
from node.demo.members import Members
from node.demo.orders import Errands, Order, Outcome
from node.demo.population import derive_token
from node.demo.registry import Registry
from node.demo.world import World

PUBLISH_DAY, DISCLOSURE_DAYS = 100, 30
VERSION = 1
CLAIM_WINDOW_DAYS = 200
CHANGED_CLAUSE = "3.3"
FEE_DAYS = 90
ACCEPTING_EVERY = 16
"""Every so many-th member signs the new version, over three weeks."""
ACCEPTING_SPREAD_DAYS = 21


def build_new_terms(terms: PlanTerms) -> PlanTerms:
    """Return the version that the demo publishes."""
    clauses = tuple(
        replace(
            clause,
            text_en="The claim is filed within the claim window, counted from the day of diagnosis.",
            text_zh="申请须在自确诊日起算的申请期限内提出。",
        )
        if clause.number == CHANGED_CLAUSE
        else clause
        for clause in terms.pinned.clauses
    )
    return replace(terms, pinned=replace(terms.pinned, claim_window_days=CLAIM_WINDOW_DAYS, clauses=clauses))


class Lawmaking:
    """Platform and auditor as publishers, members as readers."""

    def __init__(self, members: Members, registry: Registry, terms: PlanTerms, *, platform: str, auditor: str) -> None:
        self.errands = Errands()
        self._members = members
        self._registry = registry
        self._terms = build_new_terms(terms)
        self._hash = hash_terms(self._terms)
        self._parties = (platform, auditor)
        self._is_drafted = False
        self._fees_drafted = 0
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Put on the table what is due; return the signatures of members."""
        self._today = world.today
        self._publish(world)
        self._claim_fee(world)
        if world.plan.version < VERSION:
            return []
        return self._accept(world)

    def _publish(self, world: World) -> None:
        if self._is_drafted or world.demo_day < PUBLISH_DAY:
            return
        self._is_drafted = True
        call = RulesPublish(
            plan=world.plan_name,
            version=VERSION,
            pool=0,
            rules=self._terms,
            text_hash=derive_token("rules", self._hash.hex()),
            account=None,
        )

        def on_done() -> None:
            self._registry.rules_change_day = self._today + DISCLOSURE_DAYS

        self._registry.agreements.draft(call, self._parties, on_done)

    def _claim_fee(self, world: World) -> None:
        quarter = world.demo_day // FEE_DAYS
        if quarter <= self._fees_drafted or not world.plan.fee_payable:
            return
        self._fees_drafted = quarter
        call = FeeWithdraw(
            plan=world.plan_name,
            pool=0,
            amount=world.plan.fee_payable,
            account_token=derive_token("platform account"),
        )
        self._registry.agreements.draft(call, self._parties, lambda: None)

    def _accept(self, world: World) -> list[Order]:
        change_day = self._registry.rules_change_day
        orders = []
        for membership in self._members.memberships:
            person, member = membership.person, membership.member
            is_reader = person.number % ACCEPTING_EVERY == 0 and person.join_day == 0 and person.guardian is None
            if not is_reader or member is None or person.leave_day is not None or person.case is not None:
                continue
            view = world.members.get(member)
            is_time = world.today > change_day + person.number // ACCEPTING_EVERY % ACCEPTING_SPREAD_DAYS
            name = ("accept", person.number)
            if view is None or not view.is_sharing or not is_time or not self.errands.begin(name, world.today):
                continue

            def on_outcome(outcome: Outcome, name: tuple[str, int] = name) -> None:
                self.errands.finish(name, outcome.code, self._today)

            call = MemberAcceptRules(member=member, version=VERSION, rules_hash=self._hash)
            orders.append(Order(call=call, key=membership.key, on_outcome=on_outcome))
        return orders
