"""The contract and the brute-force model side by side: each act is done to both, and both must agree to the fen."""

from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_REFUND, INSTRUCTION_RETURN
from chain.contract.member_calls import MemberAdmit, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.settlement_check import verify_settlement
from chain.contract.settlement_tables import PERIOD_COMPUTED, SETTLEMENT
from chain.contract.shares import compute_shares_paid, get_balance, is_covered, is_lapsed, is_suspended
from chain.contract.tables import MEMBER_STATUS_NAMES, PLAN_WIND_DOWN
from chain.contract.terms import PlanTerms
from chain.contract.wind_tables import is_pool_closed
from tests.chain.contract.model import Cost, Model, ModelTerms, Person
from tests.chain.contract.world import PLAN_NAME, START_DAY, World

SUCCESS = 0
REFUSED_PLAN, REFUSED_STATE, REFUSED_WINDOW, REFUSED_BALANCE, ALREADY = 6, 101, 105, 106, 7
COVER_DAYS_COMPARED = 45


def to_model_terms(terms: PlanTerms) -> ModelTerms:
    """Return what the model needs of a plan's terms."""
    pool = terms.pool
    return ModelTerms(
        notice_days=pool.notice_days_of_month,
        charge_days=pool.charge_days_of_month,
        waiting_days=terms.pinned.waiting_days,
        deposit_min=pool.deposit_min_fen,
        deposit_max=pool.deposit_max_fen,
        grace=pool.grace_periods,
        cap_case=pool.cap_per_case_fen,
        cap_period=pool.cap_per_period_fen,
        cap_year=pool.cap_per_year_fen,
        is_carried=pool.unpaid == 0,
        carry_max=pool.carry_periods_max,
        members_min=pool.members_min,
        launch_days=pool.launch_days,
        waiting_share=pool.waiting_members_share,
    )


class Pair:
    """One world and one model that live the same days."""

    def __init__(self, terms: PlanTerms, *, start_day: int = START_DAY, checks_proofs: bool = True) -> None:
        self.world = World(terms, start_day=start_day)
        self.model = Model(to_model_terms(terms), day=start_day)
        self.names: dict[str, bytes] = {}
        self.claims: dict[bytes, str] = {}
        self.checks_proofs = checks_proofs
        self._settlements_seen = 0
        self._instructions: dict[bytes, None] = {}
        self._events_seen = 0

    # --- acts ---

    def apply(self, name: str, weight: int) -> None:
        if self.model.is_winding:
            return
        member = self.world.apply(name, weight=weight)
        self.world.verify(name, member)
        self.names[name] = member
        self.model.people[name] = Person(weight=weight, applied_day=self.model.day, is_verified=True)

    def admit(self, name: str) -> None:
        outcome = self.world.call("platform", MemberAdmit(items=(self.names[name],)))
        if self.model.people[name].status == "applied" and not self.model.is_winding:
            assert outcome.items == (SUCCESS,), outcome
            self.model.admit(name)
        else:
            assert outcome.items[0] in (REFUSED_PLAN, REFUSED_STATE, ALREADY), outcome

    def credit(self, name: str | None, amount: int, *, lag_days: int = 0) -> None:
        world = self.world
        member = None if name is None else self.names[name]
        value_day = world.today - lag_days
        outcome = world.credit(member, amount, value_day=value_day)
        assert outcome.items == (SUCCESS,), outcome
        taken = self.model.credit(name, amount, value_day=value_day)
        credited = world.last_events[-1]
        assert getattr(credited, "taken", None) == taken

    def leave(self, name: str) -> None:
        member = self.names[name]
        outcome = self.world.call(self.world.member(member).key, MemberLeave(member=member))
        person = self.model.people[name]
        if person.status in ("leaving", "left"):
            assert outcome.number == ALREADY, outcome
        elif person.status == "expired":
            assert outcome.number == REFUSED_STATE, outcome
        elif self.model.is_winding and person.is_leaf:
            assert outcome.number == REFUSED_PLAN, outcome
        else:
            assert outcome.number == SUCCESS, outcome
            self.model.leave(name)

    def withdraw(self, name: str, amount: int) -> None:
        member = self.names[name]
        outcome = self.world.call(self.world.member(member).key, MemberWithdraw(member=member, amount=amount))
        expected = self._expect_active(name)
        if expected == SUCCESS and not self.model.can_withdraw(name, amount):
            expected = REFUSED_BALANCE
        assert outcome.number == expected, outcome
        if expected == SUCCESS:
            self.model.withdraw(name, amount)

    def reweigh(self, name: str, weight: int) -> None:
        member = self.names[name]
        outcome = self.world.call(self.world.member(member).key, MemberWeight(member=member, weight=weight))
        expected = self._expect_active(name)
        if expected == SUCCESS and self.model.people[name].weight == weight:
            expected = ALREADY
        elif expected == SUCCESS and self.model.is_winding:
            expected = REFUSED_PLAN
        assert outcome.number == expected, outcome
        if expected == SUCCESS:
            self.model.reweigh(name, weight)

    def _expect_active(self, name: str) -> int:
        person = self.model.people[name]
        if person.status != "sharing" or person.arrears > 0:
            return REFUSED_STATE
        return REFUSED_WINDOW if self.model.is_window else SUCCESS

    def add_cost(self, name: str, amount: int, *, fee_bp: int) -> None:
        """Put a confirmed claim of a mild benefit on the list of the next charge."""
        claim = self.world.add_claim(self.names[name], amount, fee_bp=fee_bp)
        self.claims[claim] = f"claim-{len(self.claims)}"
        self.model.costs.append(Cost(self.claims[claim], amount, fee_bp))

    def sign_batches(self) -> None:
        pool = self.world.pool
        for number in range(pool.settlements):
            period = self.world.period(number)
            if period.status == PERIOD_COMPUTED:
                assert period.cosigner is not None
                self.world.sign_batch(number, ("platform", period.cosigner))

    def ready(self) -> list[bytes]:
        """Return the instructions that wait for the bank."""
        for event in self.world.events[self._events_seen :]:
            instruction = getattr(event, "instruction", None)
            if isinstance(instruction, bytes):
                self._instructions[instruction] = None
        self._events_seen = len(self.world.events)
        done = [item for item in self._instructions if self.world.instruction(item).state in (2, 3)]
        for item in done:
            del self._instructions[item]
        return [item for item in self._instructions if self.world.instruction(item).state == 1]

    def answer(self, instruction: bytes, *, is_settled: bool) -> None:
        record = self.world.instruction(instruction)
        outcome = self.world.acknowledge(instruction, is_settled=is_settled)
        assert outcome.items == (SUCCESS,), outcome
        if record.kind == INSTRUCTION_AID:
            if is_settled:
                self.model.pay(record.amount, record.fee)
        elif is_settled:
            self.model.settle_refund(record.amount)
        elif record.kind == INSTRUCTION_RETURN:
            self.model.fail_return(record.amount)
        else:
            assert record.kind == INSTRUCTION_REFUND
            name = next(key for key, value in self.names.items() if value == record.member)
            self.model.fail_refund(name, record.amount)

    def list_owing(self) -> list[str]:
        """Return who is suspended."""
        people = sorted(self.model.people.items())
        return [name for name, person in people if person.is_leaf and person.arrears > 0]

    def get_missing(self, name: str) -> int:
        """Return what a suspended member must still pay in to be reinstated."""
        person = self.model.people[name]
        return person.arrears - person.cash - person.rem

    def advance(self, days: int) -> None:
        for _ in range(days):
            self.world.advance(1)
            self.model.start_day()

    @property
    def is_closed(self) -> bool:
        """Tell whether the pool pays everybody out: that the model does not know (test_wind_down.py does)."""
        return is_pool_closed(self.world.state, PLAN_NAME, 0)

    # --- comparing ---

    def compare(self) -> None:
        """Require that everything that both know is equal, and that no fen was lost."""
        self._compare_pool()
        self._compare_settlements()
        pool = self.world.pool
        for name, member_id in self.names.items():
            member, person = self.world.member(member_id), self.model.people[name]
            assert MEMBER_STATUS_NAMES[member.status] == person.status, name
            assert get_balance(member, pool.share_index) == person.balance, name
            assert member.weight == person.weight
            assert is_suspended(member, pool.share_index) == (person.is_leaf and person.arrears > 0), name
            if person.is_leaf:
                assert (pool.share_index - member.x) * member.weight == person.arrears or person.arrears == 0
                assert compute_shares_paid(member, pool.share_index) == person.paid, name
                is_late = person.arrears > 0 and person.missed >= self.model.terms.grace
                assert is_lapsed(self.world.state, member, pool, self.model.terms.grace) == is_late, name

    def _compare_pool(self) -> None:
        pool, model = self.world.pool, self.model
        assert pool.cash == model.cash == model.total()
        assert pool.carry == model.carry
        assert (pool.aid_payable, pool.fee_held, pool.fee_payable) == (model.aid, model.fees_held, model.fees)
        assert (pool.outgoing, pool.unmatched) == (model.outgoing, model.unmatched)
        assert pool.plain == sum(person.cash for person in model.people.values())
        assert pool.is_window == model.is_window
        assert (self.world.plan.status == PLAN_WIND_DOWN) == model.is_winding
        self.world.commit_block_checks()
        sums = self.world.state.tree((PLAN_NAME, 0)).range_sums(pool.share_index)
        assert sums.weight == model.count()

    def _compare_settlements(self) -> None:
        pool, model = self.world.pool, self.model
        assert pool.settlements == len(model.settled)
        for number in range(self._settlements_seen, pool.settlements):
            record = self.world.state.require(SETTLEMENT, PLAN_NAME, 0, number)
            settled = model.settled[number]
            assert (record.per, record.units, record.cost) == (settled.per, settled.n, settled.cost)
            assert (record.collected, record.carry_after) == (settled.collected, settled.carry)
            grants = [(self.claims[item.claim], item.granted, item.fee) for item in record.items]
            assert grants == settled.grants
            if self.checks_proofs:
                verify_settlement(record, self.world.terms.pool)
        self._settlements_seen = pool.settlements

    def compare_cover(self, name: str, *, days: int = COVER_DAYS_COMPARED) -> None:
        """Require that the contract remembers exactly the covered days of the last weeks."""
        member, person = self.world.member(self.names[name]), self.model.people[name]
        state, pool = self.world.state, self.world.pool
        for day in range(self.world.today - days, self.world.today + 1):
            assert is_covered(state, member, pool, day, is_accident=False) == (day in person.covered), (name, day)
            covered = is_covered(state, member, pool, day, is_accident=True)
            assert covered == (day in person.covered_accident), (name, day)
