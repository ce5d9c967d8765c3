"""Bank and auditor explain a mismatch (contract 2 *Custody*, 5 *statement_resolve*)."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.contract.custody_tables import (
    BOOKING_DAY,
    DEPOSIT,
    INSTRUCTION_FAILED,
    INSTRUCTION_SETTLED,
    STATEMENT_MATCHED,
    STATEMENT_MISMATCH,
    STATEMENT_RESOLVED,
)
from chain.contract.member_calls import MemberWithdraw
from chain.contract.money_calls import (
    CashOther,
    DepositCredit,
    ForeignDebit,
    InstructionAckItem,
    LateCash,
    LateDeposit,
    LatePayment,
    LateRecall,
    StatementLine,
    StatementPost,
    StruckDeposit,
    StruckPayment,
)
from chain.contract.money_events import ResolutionLapsed, ResolutionObjected, ResolutionSigned, StatementResolved
from chain.contract.money_tables import (
    RECONCILIATION,
    RESOLUTION,
    RESOLUTION_EFFECTIVE,
    RESOLUTION_LAPSED,
    RESOLUTION_OBJECTED,
    RESOLUTION_PENDING,
)
from chain.contract.statement import dispute_statement
from chain.contract.tables import PLAN_ACTIVE, PLAN_FROZEN
from tests.chain.contract.money_world import (
    ALREADY,
    SUCCESS,
    WRONG_ROLE,
    assert_changes_nothing,
    book_cash,
    build_cash,
    build_objection,
    build_resolution,
    credit_item,
    get_account,
    get_owed,
    get_statement,
    post_missing,
    sign,
)
from tests.chain.contract.world import ACCOUNT_NAME, World, name_hash

DAY = 20_483
"""Day on which the statement of the first two days is posted."""


class Bank:
    """A world whose bank books what the chain was not told, or was told wrongly."""

    def __init__(self) -> None:
        self.world = World(statements=False)
        self.member = self.world.join("a", 5_000)
        self.item = credit_item(self.world, self.world.credit_item(self.member, 1_000))
        self.in_count = self.in_sum = self.out_count = self.out_sum = 0

    def post(self) -> StatementPost:
        """Close the first day with what the bank's own books say."""
        self.world.advance(1)
        books = self.world.build_statement(self.world.today - 1, self.world.today - 1)
        in_sum, out_sum = books.in_sum + self.in_sum, books.out_sum + self.out_sum
        statement = replace(
            books,
            in_count=books.in_count + self.in_count,
            in_sum=in_sum,
            out_count=books.out_count + self.out_count,
            out_sum=out_sum,
            closing=books.opening + in_sum - out_sum,
        )
        assert self.world.call("bank", statement).number == SUCCESS
        assert get_statement(self.world, 0).state == STATEMENT_MISMATCH
        return statement

    def resolve(self, statement: StatementPost, *lines: StatementLine) -> None:
        """Explain it, wait until it is effective, and check that everything agrees."""
        outcome = sign(self.world, build_resolution(statement, 0, *lines))
        assert outcome.number == SUCCESS, outcome
        before = self.world.pool
        self.world.advance(1)
        assert self.world.pool == before
        assert self.world.plan.status == PLAN_FROZEN
        self.world.advance(1)
        self.check(statement)

    def check(self, statement: StatementPost) -> None:
        assert get_statement(self.world, 0).state == STATEMENT_RESOLVED
        account = get_account(self.world)
        assert account.is_matched
        assert account.closing == account.expected == statement.closing
        assert self.world.pool.cash - get_owed(self.world) == statement.closing
        self.world.commit_block_checks()
        assert self.world.plan.status == PLAN_FROZEN
        self.world.advance(1)
        assert self.world.plan.status == (PLAN_FROZEN if get_owed(self.world) else PLAN_ACTIVE)
        post_missing(self.world)
        assert get_account(self.world).is_matched


def refund(bank: Bank, amount: int = 400) -> bytes:
    """Return the instruction of a withdrawal."""
    bank.world.call(bank.world.member(bank.member).key, MemberWithdraw(member=bank.member, amount=amount))
    return bank.world.ready_instructions()[-1]


# --- each kind of line ---


def test_a_late_deposit_is_credited_by_the_line_and_only_by_it() -> None:
    bank = Bank()
    late = bank.world.credit_item(bank.member, 700)
    bank.in_count, bank.in_sum = 1, 700
    statement = bank.post()
    assert bank.world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(late,))).items == (202,)
    bank.resolve(statement, LateDeposit(deposit=late))
    assert bank.world.balance(bank.member) == 6_700
    assert bank.world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(late,))).items == (ALREADY,)


def test_a_late_deposit_of_nobody_is_unmatched_and_returned() -> None:
    bank = Bank()
    late = bank.world.credit_item(None, 700)
    bank.in_count, bank.in_sum = 1, 700
    bank.resolve(bank.post(), LateDeposit(deposit=late))
    assert bank.world.pool.unmatched == 700
    bank.world.posts_statements = True
    bank.world.advance(6)
    assert bank.world.pool.outgoing == 700


def test_late_interest_belongs_to_the_pool() -> None:
    bank = Bank()
    late = build_cash(bank.world, 0, 12)
    bank.in_count, bank.in_sum = 1, 12
    bank.resolve(bank.post(), LateCash(cash=late))
    assert (bank.world.pool.interest, bank.world.pool.carry) == (12, 12)


def test_a_late_payment_settles_its_instruction() -> None:
    bank = Bank()
    instruction = refund(bank)
    answer = InstructionAckItem(
        instruction=instruction,
        is_settled=True,
        amount=400,
        booking_day=bank.world.today,
        ref_token=name_hash("paid"),
        reason=0,
    )
    bank.out_count, bank.out_sum = 1, 400
    bank.resolve(bank.post(), LatePayment(answer=answer))
    assert bank.world.instruction(instruction).state == INSTRUCTION_SETTLED
    assert bank.world.pool.outgoing == 0


def test_a_late_recall_takes_from_the_member() -> None:
    bank = Bank()
    line = LateRecall(
        deposit_day=bank.item.booking_day,
        deposit_ref=bank.item.ref_token,
        amount=1_000,
        booking_day=bank.world.today,
        ref_token=name_hash("recall"),
    )
    bank.out_count, bank.out_sum = 1, 1_000
    bank.resolve(bank.post(), line)
    assert (bank.world.balance(bank.member), get_owed(bank.world)) == (5_000, 0)


def test_a_bank_charge_is_nobodys_loss_and_the_plan_stays_frozen_until_it_is_repaid() -> None:
    bank = Bank()
    bank.out_count, bank.out_sum = 1, 9
    before = bank.world.pool
    line = ForeignDebit(amount=9, booking_day=bank.world.today, ref_token=name_hash("charge"))
    bank.resolve(bank.post(), line)
    assert (bank.world.pool.cash, bank.world.pool.carry) == (before.cash, before.carry)
    assert (get_owed(bank.world), bank.world.plan.status) == (9, PLAN_FROZEN)
    book_cash(bank.world, build_cash(bank.world, 2, 9))
    bank.world.advance(1)
    assert bank.world.plan.status == PLAN_ACTIVE
    assert bank.world.state.get(RECONCILIATION, ACCOUNT_NAME) is None
    post_missing(bank.world)
    assert get_account(bank.world).closing == bank.world.pool.cash


def test_a_charge_that_was_repaid_the_same_day_needs_both_lines() -> None:
    bank = Bank()
    bank.out_count, bank.out_sum, bank.in_count, bank.in_sum = 1, 9, 1, 9
    day = bank.world.today
    charge = ForeignDebit(amount=9, booking_day=day, ref_token=name_hash("charge"))
    repaid = LateCash(cash=build_cash(bank.world, 2, 9))
    bank.resolve(bank.post(), charge, repaid)
    assert (get_owed(bank.world), bank.world.plan.status) == (0, PLAN_ACTIVE)


def test_a_deposit_that_never_was_is_taken_back_and_the_bank_owes_what_is_gone() -> None:
    bank = Bank()
    bank.world.call(bank.world.member(bank.member).key, MemberWithdraw(member=bank.member, amount=4_800))
    bank.in_count, bank.in_sum = -1, -5_000
    first = next(event for event in bank.world.events if getattr(event, "amount", 0) == 5_000)
    line = StruckDeposit(amount=5_000, booking_day=bank.world.today, ref_token=getattr(first, "ref_token", b""))
    bank.resolve(bank.post(), line)
    assert bank.world.balance(bank.member) == 0
    assert get_owed(bank.world) == 3_800


def test_interest_that_never_was_is_the_banks_own_risk() -> None:
    bank = Bank()
    told = build_cash(bank.world, 0, 12)
    book_cash(bank.world, told)
    bank.in_count, bank.in_sum = -1, -12
    bank.resolve(bank.post(), StruckDeposit(amount=12, booking_day=told.booking_day, ref_token=told.ref_token))
    assert (bank.world.pool.carry, get_owed(bank.world)) == (12, 12)


def test_a_payment_that_never_was_counts_as_failed() -> None:
    bank = Bank()
    instruction = refund(bank)
    bank.world.acknowledge(instruction)
    bank.out_count, bank.out_sum = -1, -400
    line = StruckPayment(instruction=instruction, amount=400, booking_day=bank.world.today)
    bank.resolve(bank.post(), line)
    assert bank.world.instruction(instruction).state == INSTRUCTION_FAILED
    assert bank.world.balance(bank.member) == 6_000


def test_a_payment_that_came_back_late_counts_as_failed() -> None:
    bank = Bank()
    instruction = refund(bank)
    bank.world.acknowledge(instruction)
    bank.in_count, bank.in_sum = 1, 400
    late = build_cash(bank.world, 3, 400, instruction=instruction)
    bank.resolve(bank.post(), LateCash(cash=late))
    assert (bank.world.balance(bank.member), bank.world.pool.outgoing) == (6_000, 0)


def test_a_statement_that_was_wrong_itself_is_corrected_without_a_line() -> None:
    bank = Bank()
    bank.world.advance(1)
    right = bank.world.build_statement(bank.world.today - 1, bank.world.today - 1)
    assert bank.world.call("bank", replace(right, closing=1, in_sum=1)).number == SUCCESS
    assert sign(bank.world, build_resolution(right, 0)).number == SUCCESS
    bank.world.advance(2)
    bank.check(right)


# --- later statements ---


def test_statements_after_a_mismatch_are_looked_at_again_when_it_is_explained() -> None:
    bank = Bank()
    world = bank.world
    world.advance(1)
    right = world.build_statement(world.today - 1, world.today - 1)
    assert world.call("bank", replace(right, closing=right.closing + 5)).number == SUCCESS
    world.advance(1)
    second = replace(world.build_statement(world.today - 1, world.today - 1), opening=6_000, closing=6_000)
    assert world.call("bank", second).number == SUCCESS
    third = post_missing_after(world)
    assert [get_statement(world, number).state for number in range(3)] == [
        STATEMENT_MISMATCH,
        STATEMENT_MISMATCH,
        STATEMENT_MATCHED,
    ]
    assert sign(world, build_resolution(right, 0)).number == SUCCESS
    world.advance(2)
    assert [get_statement(world, number).state for number in range(3)] == [
        STATEMENT_RESOLVED,
        STATEMENT_MATCHED,
        STATEMENT_MATCHED,
    ]
    assert get_account(world).is_matched
    assert get_account(world).closing == third.closing == 6_000


def post_missing_after(world: World) -> StatementPost:
    world.advance(1)
    return post_missing(world)


def test_a_later_statement_that_opened_with_the_wrong_closing_needs_its_own_correction() -> None:
    bank = Bank()
    world = bank.world
    world.advance(1)
    right = world.build_statement(world.today - 1, world.today - 1)
    world.call("bank", replace(right, closing=right.closing + 5))
    second = post_missing_after(world)
    assert second.opening == 6_005
    sign(world, build_resolution(right, 0))
    world.advance(2)
    assert [get_statement(world, number).state for number in (0, 1)] == [STATEMENT_RESOLVED, STATEMENT_MISMATCH]
    assert world.state.require(RECONCILIATION, ACCOUNT_NAME).statement == 1
    assert sign(world, build_resolution(replace(second, opening=6_000, closing=6_000), 1)).number == SUCCESS
    world.advance(2)
    assert get_account(world).is_matched
    assert get_account(world).closing == get_account(world).expected == 6_000
    world.advance(1)
    assert world.plan.status == PLAN_ACTIVE
    assert post_missing(world).opening == 6_000


def test_a_resolved_statement_can_be_disputed_and_explained_once_more() -> None:
    bank = Bank()
    world = bank.world
    late = world.credit_item(bank.member, 700)
    bank.in_count, bank.in_sum = 1, 700
    statement = bank.post()
    bank.resolve(statement, LateDeposit(deposit=late))
    assert dispute_statement(world.state, ACCOUNT_NAME, 0)
    assert not dispute_statement(world.state, ACCOUNT_NAME, 0)
    assert world.state.require(RECONCILIATION, ACCOUNT_NAME).explained == 0
    sign(world, build_resolution(statement, 0))
    world.advance(2)
    assert get_account(world).is_matched
    assert get_account(world).expected == world.pool.cash == 6_700


# --- objections ---


def build_pending() -> tuple[Bank, StatementPost, LateDeposit]:
    bank = Bank()
    late = LateDeposit(deposit=bank.world.credit_item(bank.member, 700))
    bank.in_count, bank.in_sum = 1, 700
    statement = bank.post()
    assert sign(bank.world, build_resolution(statement, 0, late)).number == SUCCESS
    assert any(isinstance(event, ResolutionSigned) for event in bank.world.last_events)
    return bank, statement, late


def test_another_auditor_puts_an_end_to_an_explanation_and_the_next_one_is_free() -> None:
    bank, statement, late = build_pending()
    world = bank.world
    assert world.call("audit-two", build_objection(0)).number == SUCCESS
    assert any(isinstance(event, ResolutionObjected) for event in world.last_events)
    assert world.state.require(RESOLUTION, ACCOUNT_NAME, 0).status == RESOLUTION_OBJECTED
    world.advance(3)
    assert get_statement(world, 0).state == STATEMENT_MISMATCH
    assert world.plan.status == PLAN_FROZEN
    again = build_resolution(statement, 0, late, reason_hash=name_hash("second"))
    assert sign(world, again, ("bank", "audit-two")).number == SUCCESS
    world.advance(2)
    assert world.state.require(RESOLUTION, ACCOUNT_NAME, 0).status == RESOLUTION_EFFECTIVE
    assert get_statement(world, 0).state == STATEMENT_RESOLVED


def test_an_old_deadline_does_not_end_a_newer_explanation() -> None:
    bank, statement, late = build_pending()
    world = bank.world
    world.call("audit-two", build_objection(0))
    world.advance(1)
    again = build_resolution(statement, 0, late, reason_hash=name_hash("second"))
    sign(world, again, ("bank", "audit-two"))
    world.advance(1)
    assert world.state.require(RESOLUTION, ACCOUNT_NAME, 0).status == RESOLUTION_PENDING
    world.advance(1)
    assert world.state.require(RESOLUTION, ACCOUNT_NAME, 0).status == RESOLUTION_EFFECTIVE
    assert any(isinstance(event, StatementResolved) for event in world.events)


def test_only_another_auditor_objects_and_only_while_it_is_pending() -> None:
    bank, _, _ = build_pending()
    world = bank.world
    for signer in ("platform", "bank", "firm-a", "stranger"):
        assert_changes_nothing(world, build_objection(0), WRONG_ROLE, (signer,))
    assert_changes_nothing(world, build_objection(0), 216, ("audit-one",))
    assert_changes_nothing(world, build_objection(1), 211, ("audit-two",))
    assert_changes_nothing(world, replace(build_objection(0), account="other"), 200, ("audit-two",))
    world.call("audit-two", build_objection(0))
    assert_changes_nothing(world, build_objection(0), ALREADY, ("audit-two",))
    bank, _, _ = build_pending()
    bank.world.advance(2)
    assert_changes_nothing(bank.world, build_objection(0), 212, ("audit-two",))


def test_an_explanation_that_can_no_longer_be_booked_lapses() -> None:
    bank = Bank()
    world = bank.world
    instruction = refund(bank)
    answer = InstructionAckItem(
        instruction=instruction,
        is_settled=True,
        amount=400,
        booking_day=world.today,
        ref_token=name_hash("paid"),
        reason=0,
    )
    bank.out_count, bank.out_sum = 1, 400
    statement = bank.post()
    assert sign(world, build_resolution(statement, 0, LatePayment(answer=answer))).number == SUCCESS
    world.acknowledge(instruction, is_settled=False)
    before = world.pool
    world.advance(2)
    assert ResolutionLapsed(account=ACCOUNT_NAME, span=0, code=207) in world.events
    assert world.state.require(RESOLUTION, ACCOUNT_NAME, 0).status == RESOLUTION_LAPSED
    assert (world.pool, get_statement(world, 0).state) == (before, STATEMENT_MISMATCH)


# --- guards ---


def test_only_bank_and_auditor_explain() -> None:
    bank = Bank()
    late = LateDeposit(deposit=bank.world.credit_item(bank.member, 700))
    bank.in_count, bank.in_sum = 1, 700
    call = build_resolution(bank.post(), 0, late)
    for signer in ("platform", "firm-a", "stranger"):
        assert_changes_nothing(bank.world, call, WRONG_ROLE, (signer,))
    assert_changes_nothing(bank.world, replace(call, account="other"), 200)


def test_only_the_oldest_mismatch_and_one_explanation_at_a_time() -> None:
    bank, statement, late = build_pending()
    world = bank.world
    call = build_resolution(statement, 0, late)
    assert_changes_nothing(world, call, ALREADY)
    assert_changes_nothing(world, replace(call, reason_hash=name_hash("?")), 212)
    assert_changes_nothing(world, replace(call, span=1), 211)
    world.advance(2)
    assert_changes_nothing(world, call, 212)


def test_figures_must_follow_the_statement_before_and_add_up() -> None:
    bank = Bank()
    late = LateDeposit(deposit=bank.world.credit_item(bank.member, 700))
    bank.in_count, bank.in_sum = 1, 700
    call = build_resolution(bank.post(), 0, late)
    assert_changes_nothing(bank.world, replace(call, closing=call.closing + 1), 215)
    assert_changes_nothing(bank.world, replace(call, opening=1, closing=call.closing + 1), 215)


BAD: list[tuple[int, Callable[[Bank], tuple[StatementLine, ...]]]] = [
    (213, lambda bank: ()),
    (213, lambda bank: (LateDeposit(deposit=bank.world.credit_item(None, 699)),)),
    (213, lambda bank: (LateDeposit(deposit=bank.world.credit_item(None, 350)),) * 2),
    (213, lambda bank: (ForeignDebit(amount=700, booking_day=bank.world.today, ref_token=name_hash("x")),)),
    (214, lambda bank: (LateDeposit(deposit=replace(bank.world.credit_item(None, 700), booking_day=20_481)),)),
    (214, lambda bank: (LateDeposit(deposit=replace(bank.world.credit_item(None, 700), value_day=20_490)),)),
    (206, lambda bank: (LateCash(cash=build_cash(bank.world, 3, 700)),)),
    (300, lambda bank: (LateCash(cash=build_cash(bank.world, 1, 700)),)),
    (201, lambda bank: (LateCash(cash=build_cash(bank.world, 0, 700, ref_token=bank.item.ref_token)),)),
]


@pytest.mark.parametrize(("number", "build"), BAD, ids=range(len(BAD)))
def test_lines_that_do_not_explain_it_are_refused(
    number: int, build: Callable[[Bank], tuple[StatementLine, ...]]
) -> None:
    bank = Bank()
    lines = build(bank)
    bank.in_count, bank.in_sum = 1, 700
    assert_changes_nothing(bank.world, build_resolution(bank.post(), 0, *lines), number)


def test_lines_about_what_is_booked_already_are_refused() -> None:
    bank = Bank()
    told = build_cash(bank.world, 0, 700)
    assert bank.world.call("bank", CashOther(account=ACCOUNT_NAME, items=(told,))).items == (SUCCESS,)
    twice = replace(bank.item, amount=700)
    bank.in_count, bank.in_sum = 1, 700
    statement = bank.post()
    assert_changes_nothing(bank.world, build_resolution(statement, 0, LateCash(cash=told)), 214)
    assert_changes_nothing(bank.world, build_resolution(statement, 0, LateDeposit(deposit=twice)), 214)


def test_payments_and_recalls_of_lines_pass_the_guards_of_their_calls() -> None:
    bank = Bank()
    instruction = refund(bank)
    day = bank.world.today
    answer = InstructionAckItem(
        instruction=instruction, is_settled=True, amount=400, booking_day=day, ref_token=name_hash("p"), reason=0
    )
    recall = LateRecall(
        deposit_day=day, deposit_ref=bank.item.ref_token, amount=400, booking_day=day, ref_token=name_hash("r")
    )
    bank.out_count, bank.out_sum = 1, 400
    statement = bank.post()
    cases: list[tuple[int, StatementLine]] = [
        (214, LatePayment(answer=replace(answer, is_settled=False))),
        (206, LatePayment(answer=replace(answer, instruction=name_hash("?")))),
        (209, replace(recall, deposit_ref=name_hash("?"))),
        (209, replace(recall, deposit_day=day + 1)),
    ]
    for number, line in cases:
        assert_changes_nothing(bank.world, build_resolution(statement, 0, line), number)


def test_struck_entries_must_be_those_that_were_told() -> None:
    bank = Bank()
    instruction = refund(bank)
    day = bank.world.today
    bank.in_count, bank.in_sum = -1, -400
    statement = bank.post()
    struck = StruckDeposit(amount=400, booking_day=day, ref_token=bank.item.ref_token)
    assert_changes_nothing(bank.world, build_resolution(statement, 0, struck), 208)
    unknown = replace(struck, ref_token=name_hash("?"))
    assert_changes_nothing(bank.world, build_resolution(statement, 0, unknown), 209)
    bank = Bank()
    instruction = refund(bank)
    ready = StruckPayment(instruction=instruction, amount=400, booking_day=day)
    bank.world.state.put(
        BOOKING_DAY, replace(bank.world.state.require(BOOKING_DAY, ACCOUNT_NAME, day), out_count=1, out_sum=400),
        ACCOUNT_NAME, day,
    )  # fmt: skip
    bank.out_count, bank.out_sum = -1, -400
    statement = bank.post()
    assert_changes_nothing(bank.world, build_resolution(statement, 0, ready), 214)
    named = replace(ready, instruction=name_hash("?"))
    assert_changes_nothing(bank.world, build_resolution(statement, 0, named), 206)


def test_a_half_signed_explanation_is_completed_within_its_days_or_forgotten() -> None:
    bank = Bank()
    late = LateDeposit(deposit=bank.world.credit_item(bank.member, 700))
    bank.in_count, bank.in_sum = 1, 700
    call = build_resolution(bank.post(), 0, late)
    assert bank.world.call("audit-two", call).number == SUCCESS
    assert bank.world.state.get(RESOLUTION, ACCOUNT_NAME, 0) is None
    assert bank.world.call("audit-two", call).number == ALREADY
    assert bank.world.call("bank", call).number == SUCCESS
    assert bank.world.state.require(RESOLUTION, ACCOUNT_NAME, 0).auditor == "audit-two"
    deposit = bank.world.state.get(DEPOSIT, ACCOUNT_NAME, late.deposit.booking_day, late.deposit.ref_token)
    assert deposit is None
    assert bank.world.plan.status == PLAN_ACTIVE


# --- several things at once ---


def tell_late_deposit(bank: Bank) -> StatementLine:
    item = bank.world.credit_item(bank.member, 300)
    bank.in_count, bank.in_sum = bank.in_count + 1, bank.in_sum + 300
    return LateDeposit(deposit=item)


def tell_late_interest(bank: Bank) -> StatementLine:
    bank.in_count, bank.in_sum = bank.in_count + 1, bank.in_sum + 7
    return LateCash(cash=build_cash(bank.world, 0, 7))


def tell_late_payment(bank: Bank) -> StatementLine:
    instruction = refund(bank, 150)
    bank.out_count, bank.out_sum = bank.out_count + 1, bank.out_sum + 150
    answer = InstructionAckItem(
        instruction=instruction,
        is_settled=True,
        amount=150,
        booking_day=bank.world.today,
        ref_token=name_hash("late"),
        reason=0,
    )
    return LatePayment(answer=answer)


def tell_charge(bank: Bank) -> StatementLine:
    bank.out_count, bank.out_sum = bank.out_count + 1, bank.out_sum + 9
    return ForeignDebit(amount=9, booking_day=bank.world.today, ref_token=name_hash("charge"))


def tell_struck_deposit(bank: Bank) -> StatementLine:
    bank.in_count, bank.in_sum = bank.in_count - 1, bank.in_sum - 1_000
    return StruckDeposit(amount=1_000, booking_day=bank.world.today, ref_token=bank.item.ref_token)


def tell_struck_payment(bank: Bank) -> StatementLine:
    instruction = refund(bank, 250)
    bank.world.acknowledge(instruction)
    bank.out_count, bank.out_sum = bank.out_count - 1, bank.out_sum - 250
    return StruckPayment(instruction=instruction, amount=250, booking_day=bank.world.today)


TELLERS = (
    tell_late_deposit,
    tell_late_interest,
    tell_late_payment,
    tell_charge,
    tell_struck_deposit,
    tell_struck_payment,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(TELLERS), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_any_mixture_of_mistakes_is_explained_to_the_fen(
    tellers: list[Callable[[Bank], StatementLine]], order: random.Random
) -> None:
    bank = Bank()
    lines = [tell(bank) for tell in tellers]
    order.shuffle(lines)
    bank.resolve(bank.post(), *lines)


def test_no_line_of_a_mixture_may_be_left_out() -> None:
    bank = Bank()
    lines = [tell(bank) for tell in TELLERS]
    statement = bank.post()
    for left_out in range(len(lines)):
        told = [line for place, line in enumerate(lines) if place != left_out]
        assert_changes_nothing(bank.world, build_resolution(statement, 0, *told), 213)
    assert sign(bank.world, build_resolution(statement, 0, *lines)).number == SUCCESS
