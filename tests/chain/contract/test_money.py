"""Every event of money that exists, in random order, against the model that walks all members (contract 3)."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chain.contract.terms import PlanTerms
from tests.chain.contract.pair import Pair
from tests.chain.contract.world import build_terms

TERMS = (
    build_terms(),
    build_terms(cap_per_case_fen="", cap_per_year_fen="", unpaid='"end"', grace_periods="0"),
    build_terms(cap_per_period_fen="150", cap_per_year_fen="300", waiting_days="3", grace_periods="1"),
    build_terms(deposit_min_fen="10", deposit_max_fen="60", cap_per_case_fen="7", waiting_days="0", carry_periods_max="1"),
)
AMOUNTS = st.one_of(
    st.integers(1, 40), st.integers(900, 2_100), st.integers(1, 25_000), st.sampled_from([1_000, 20_000, 20_001])
)


class MoneyMachine(RuleBasedStateMachine):
    """Random days of a small plan."""

    @initialize(terms=st.sampled_from(TERMS))
    def start(self, terms: PlanTerms) -> None:
        self.pair = Pair(terms)
        self.count = 0

    def _pick(self, data: st.DataObject) -> str | None:
        names = sorted(self.pair.names)
        return data.draw(st.sampled_from(names)) if names else None

    @rule(weight=st.sampled_from([1, 1, 2, 3, 7, 100]), amount=AMOUNTS, is_paid_first=st.booleans())
    def join(self, weight: int, amount: int, is_paid_first: bool) -> None:
        if self.pair.model.is_winding or self.count >= 8:
            return
        name = f"member-{self.count}"
        self.count += 1
        self.pair.apply(name, weight)
        if is_paid_first:
            self.pair.credit(name, amount)
            self.pair.admit(name)
        else:
            self.pair.admit(name)
            self.pair.credit(name, amount * weight)

    @rule(data=st.data(), amount=AMOUNTS, lag=st.sampled_from([0, 0, 1, 2, 5, 30]))
    def credit(self, data: st.DataObject, amount: int, lag: int) -> None:
        self.pair.credit(self._pick(data), amount, lag_days=lag)

    @rule(data=st.data())
    def credit_the_exact_arrears_or_one_fen_less(self, data: st.DataObject) -> None:
        owing = [
            name for name, person in sorted(self.pair.model.people.items()) if person.arrears > 0 and person.is_leaf
        ]
        if owing:
            name = data.draw(st.sampled_from(owing))
            person = self.pair.model.people[name]
            short = person.arrears - person.cash - person.rem
            amount = short - data.draw(st.sampled_from([0, 1, -1]))
            if amount > 0:
                self.pair.credit(name, amount, lag_days=data.draw(st.sampled_from([0, 3, 20])))

    @rule(amount=AMOUNTS)
    def credit_nobody(self, amount: int) -> None:
        self.pair.credit(None, amount)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = self._pick(data)
        if name is not None and data.draw(st.integers(0, 2)) == 0:
            self.pair.leave(name)

    @rule(data=st.data(), amount=AMOUNTS)
    def withdraw(self, data: st.DataObject, amount: int) -> None:
        name = self._pick(data)
        if name is not None:
            self.pair.withdraw(name, amount)

    @rule(data=st.data(), weight=st.sampled_from([1, 2, 3, 5, 100]))
    def reweigh(self, data: st.DataObject, weight: int) -> None:
        name = self._pick(data)
        if name is not None:
            self.pair.reweigh(name, weight)

    @rule(data=st.data(), share=st.integers(1, 1_500), fee_bp=st.sampled_from([800, 800, 0, 10_000]))
    def add_cost(self, data: st.DataObject, share: int, fee_bp: int) -> None:
        name = self._pick(data)
        if name is not None:
            self.pair.add_cost(name, share * max(1, self.pair.model.count()), fee_bp=fee_bp)

    @rule()
    def sign_batches(self) -> None:
        self.pair.sign_batches()

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        for instruction in self.pair.ready()[:3]:
            self.pair.answer(instruction, is_settled=data.draw(st.integers(0, 3)) > 0)

    @rule(days=st.sampled_from([1, 2, 3, 7, 7, 14]))
    def advance(self, days: int) -> None:
        self.pair.advance(days)

    @precondition(lambda self: hasattr(self, "pair"))
    @invariant()
    def agree(self) -> None:
        if hasattr(self, "pair"):
            self.pair.compare()

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            for name in self.pair.names:
                self.pair.compare_cover(name)


TestMoney = MoneyMachine.TestCase
TestMoney.settings = settings(max_examples=25, stateful_step_count=40)
