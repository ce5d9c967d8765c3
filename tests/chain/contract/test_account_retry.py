"""Money that could not be paid: it is never lost, never paid twice, and goes out when another account is verified."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.contract.claim_claimant import PAYEE_GUARDIAN
from chain.contract.claim_tables import CLAIM, CLAIM_INSTRUCTED, CLAIM_PAID, CLAIM_PAY_FAILED
from chain.contract.custody_tables import (
    INSTRUCTION_FAILED,
    INSTRUCTION_READY,
    INSTRUCTION_REFUND,
    INSTRUCTION_SETTLED,
)
from chain.contract.member_calls import (
    AccountChange,
    DeathReport,
    MemberAdmit,
    MemberLeave,
    MemberRefuse,
    MemberRefuseItem,
    MemberWithdraw,
)
from chain.contract.member_events import InstructionRetried
from chain.contract.member_key_tables import DEATH, FAILED_PAYMENTS
from chain.contract.money_calls import InstructionAck, InstructionAckItem
from chain.contract.plan_calls import Pause
from chain.contract.settlement_tables import PERIOD_CLOSED, PERIOD_INSTRUCTED
from chain.contract.tables import MEMBER, PLAN, PLAN_ENDED
from tests.chain.contract.acts import (
    build_verify,
    do,
    list_failed_aid,
    list_instructions,
    list_ready_aid,
    member_key,
    refuse,
)
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, World, name_hash

COMMITMENT = name_hash("commitment")


def change_account(world: World, member: bytes, name: str = "ann", **changes: object) -> None:
    do(world, member_key(name), AccountChange(member=member, account_commitment=COMMITMENT))
    do(world, "bank", build_verify(world, member, name, **changes))


def build_paying(*, amount: int = 2_000) -> tuple[World, bytes, bytes, bytes]:
    """Return a world with ann's aid at the bank: (world, ann, claim, instruction)."""
    world = World()
    ann = world.join("ann", 5_000)
    for name in ("ben", "cat", "dan", "eve", "fay"):
        world.join(name, 5_000)
    claim = world.add_claim(ann, amount, row=1)
    world.state.put(MEMBER, replace(world.member(ann), claim=claim), ann)
    world.advance_to(world.period(0).charge_day)
    world.sign_batch(0)
    (instruction,) = list_ready_aid(world)
    return world, ann, claim, instruction


def fail(world: World, instruction: bytes, *, ref: str = "failed") -> InstructionAck:
    item = InstructionAckItem(
        instruction=instruction,
        is_settled=False,
        amount=world.instruction(instruction).amount,
        booking_day=world.today,
        ref_token=name_hash(ref),
        reason=7,
    )
    call = InstructionAck(account=ACCOUNT_NAME, items=(item,))
    do(world, "bank", call)
    return call


def test_failed_aid_is_ready_again_at_the_next_midnight_for_the_new_account_and_then_paid_once() -> None:
    world, ann, claim, instruction = build_paying()
    amount = world.instruction(instruction).amount
    payable = world.pool.aid_payable
    fail(world, instruction)
    assert world.state.require(CLAIM, claim).status == CLAIM_PAY_FAILED
    assert world.pool.aid_payable == payable
    change_account(world, ann)
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.attempt, record.account_token) == (
        INSTRUCTION_READY,
        1,
        name_hash("token", "ann", "new"),
    )
    assert InstructionRetried(instruction=instruction, attempt=1, amount=amount) in world.events
    assert world.state.require(CLAIM, claim).status == CLAIM_INSTRUCTED
    assert world.state.get(FAILED_PAYMENTS, ann) is None
    assert world.acknowledge(instruction).number == 0
    assert world.state.require(CLAIM, claim).status == CLAIM_PAID
    assert (world.pool.aid_payable, world.member(ann).aid_received) == (payable - amount, amount)
    world.commit_block_checks()


def test_a_retried_payment_counts_once_for_its_period() -> None:
    world, ann, _, instruction = build_paying()
    assert (world.period(0).status, world.period(0).unacknowledged) == (PERIOD_INSTRUCTED, 1)
    fail(world, instruction)
    assert (world.period(0).status, world.period(0).unacknowledged) == (PERIOD_CLOSED, 0)
    change_account(world, ann)
    world.advance(1)
    fail(world, instruction, ref="failed again")
    assert (world.period(0).status, world.period(0).unacknowledged) == (PERIOD_CLOSED, 0)
    change_account(world, ann, account_token=name_hash("third"))
    world.advance(1)
    assert world.instruction(instruction).attempt == 2
    assert world.acknowledge(instruction).number == 0
    assert world.period(0).unacknowledged == 0


def test_the_answer_to_an_earlier_attempt_told_again_says_nothing_of_the_new_one() -> None:
    world, ann, _, instruction = build_paying()
    answer = fail(world, instruction)
    change_account(world, ann)
    world.advance(1)
    assert refuse(world, "bank", answer) == "already"
    assert world.instruction(instruction).state == INSTRUCTION_READY


def test_an_account_that_was_verified_while_the_payment_was_under_way_is_tried_without_another_request() -> None:
    world, ann, _, instruction = build_paying()
    change_account(world, ann)
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.attempt, record.account_token) == (INSTRUCTION_READY, 0, name_hash("token", "ann"))
    fail(world, instruction)
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.attempt) == (INSTRUCTION_READY, 1)
    assert record.account_token == name_hash("token", "ann", "new")


def test_a_failure_to_the_account_that_is_verified_now_waits_for_another_one() -> None:
    world, ann, _, instruction = build_paying()
    fail(world, instruction)
    world.advance(40)
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    assert world.state.require(FAILED_PAYMENTS, ann).instructions == (instruction,)
    change_account(world, ann)
    world.advance(1)
    assert world.instruction(instruction).state == INSTRUCTION_READY


def test_the_claimant_may_change_the_account_after_leaving_while_his_aid_has_failed() -> None:
    world, ann, _, instruction = build_paying()
    fail(world, instruction)
    world.advance_to(world.today + 1)
    do(world, member_key("ann"), MemberLeave(member=ann))
    change_account(world, ann)
    world.advance(1)
    assert world.instruction(instruction).state == INSTRUCTION_READY


def answer(world: World, instruction: bytes, *, is_settled: bool, ref: str) -> None:
    """Let the bank answer a payment under a reference of its own."""
    item = InstructionAckItem(
        instruction=instruction,
        is_settled=is_settled,
        amount=world.instruction(instruction).amount,
        booking_day=world.today,
        ref_token=name_hash("answer", ref),
        reason=0 if is_settled else 7,
    )
    do(world, "bank", InstructionAck(account=ACCOUNT_NAME, items=(item,)))


def build_left(world: World) -> tuple[bytes, bytes]:
    """Return (ann, who has left; her refund, which failed)."""
    ann = world.join("ann", 5_000)
    do(world, member_key("ann"), MemberLeave(member=ann))
    (refund,) = world.ready_instructions()
    fail(world, refund)
    return ann, refund


def test_the_failed_refund_of_somebody_who_left_waits_in_his_balance_and_is_instructed_again() -> None:
    world = World()
    ann, refund = build_left(world)
    assert (world.member(ann).cash, world.pool.outgoing, world.pool.plain) == (5_000, 0, 5_000)
    change_account(world, ann)
    world.advance(1)
    (again,) = world.ready_instructions()
    record = world.instruction(again)
    assert again != refund
    assert (record.kind, record.amount, record.account_token) == (
        INSTRUCTION_REFUND,
        5_000,
        name_hash("token", "ann", "new"),
    )
    assert (world.member(ann).cash, world.pool.outgoing) == (0, 5_000)
    assert world.acknowledge(again).number == 0
    assert (world.pool.cash, world.pool.outgoing) == (0, 0)
    world.commit_block_checks()
    call = AccountChange(member=ann, account_commitment=COMMITMENT)
    assert refuse(world, member_key("ann"), call) == "account_unneeded"


def test_a_refund_that_fails_after_the_account_was_changed_is_instructed_again_by_itself() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    do(world, member_key("ann"), AccountChange(member=ann, account_commitment=COMMITMENT))
    do(world, member_key("ann"), MemberLeave(member=ann))
    (refund,) = world.ready_instructions()
    do(world, "bank", build_verify(world, ann, "ann"))
    fail(world, refund)
    world.advance(1)
    (again,) = world.ready_instructions()
    assert world.instruction(again).account_token == name_hash("token", "ann", "new")


def test_the_money_of_a_refused_applicant_whom_the_bank_never_knew_is_not_lost() -> None:
    world = World()
    member = world.apply("ann")
    world.credit(member, 700)
    do(world, "platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=3),)))
    (refund,) = world.ready_instructions()
    fail(world, refund)
    assert world.member(member).cash == 700
    assert refuse(world, "bank", build_verify(world, member, "ann")) == "member_state"
    change_account(world, member, last_cover_year=2060)
    world.advance(1)
    (again,) = world.ready_instructions()
    assert (world.instruction(again).amount, world.member(member).cash) == (700, 0)


def test_an_active_members_failed_refund_is_his_deposit_again_and_is_not_paid_out() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    do(world, member_key("ann"), MemberWithdraw(member=ann, amount=1_000))
    (refund,) = world.ready_instructions()
    fail(world, refund)
    assert world.balance(ann) == 5_000
    change_account(world, ann)
    world.advance(1)
    assert world.ready_instructions() == []
    assert world.balance(ann) == 5_000


def test_nothing_is_retried_while_the_plan_is_stopped_and_all_of_it_afterwards() -> None:
    world, ann, _, instruction = build_paying()
    fail(world, instruction)
    change_account(world, ann)
    do(world, "bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance(1)
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    world.advance(8)
    assert world.instruction(instruction).state == INSTRUCTION_READY


def test_after_the_end_of_the_plan_a_new_account_is_paid_at_once() -> None:
    world = World()
    ann, _ = build_left(world)
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    change_account(world, ann)
    (again,) = world.ready_instructions()
    assert world.instruction(again).amount == 5_000


def test_what_is_instructed_keeps_its_payee() -> None:
    world, ann, _, instruction = build_paying()
    change_account(world, ann)
    world.advance(5)
    assert world.instruction(instruction).account_token == name_hash("token", "ann")
    assert world.acknowledge(instruction).number == 0
    assert world.instruction(instruction).state == INSTRUCTION_SETTLED


def build_child_unpaid() -> tuple[World, bytes, bytes, bytes]:
    """Return (world, parent, child, instruction): aid for a child that could not be paid to its guardian."""
    world = World()
    parent = world.join("parent", 5_000)
    for name in ("ben", "cat", "dan"):
        world.join(name, 5_000)
    child = world.apply("kid", guardian=parent, key="parent")
    world.verify("kid", child)
    do(world, "platform", MemberAdmit(items=(child,)))
    world.credit(child, 5_000)
    claim = world.add_claim(child, 2_000, row=1)
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), payee_kind=PAYEE_GUARDIAN), claim)
    world.advance_to(world.period(0).charge_day)
    world.sign_batch(0)
    (instruction,) = list_ready_aid(world)
    assert world.instruction(instruction).account_token == name_hash("token", "parent")
    fail(world, instruction)
    assert list_failed_aid(world) == [instruction]
    return world, parent, child, instruction


def test_a_new_account_of_the_guardian_retries_what_his_child_is_paid() -> None:
    world, parent, _, instruction = build_child_unpaid()
    change_account(world, parent, "parent")
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.account_token) == (INSTRUCTION_READY, name_hash("token", "parent", "new"))
    assert world.acknowledge(instruction).number == 0


def test_who_has_left_needs_no_account_for_what_somebody_elses_new_one_was_paid() -> None:
    world, parent, child, instruction = build_child_unpaid()
    do(world, member_key("parent"), MemberLeave(member=child))
    wish = AccountChange(member=child, account_commitment=COMMITMENT)
    do(world, member_key("parent"), wish)
    change_account(world, parent, "parent")
    world.advance(1)
    for ready in world.ready_instructions():
        assert world.acknowledge(ready).number == 0
    assert world.instruction(instruction).state == INSTRUCTION_SETTLED
    assert refuse(world, member_key("parent"), wish) == "account_unneeded"


# --- whatever happens in whatever order ---

_ACTS = st.lists(
    st.sampled_from(["fail", "settle", "change", "verify", "leave", "die", "estate", "day", "week"]), max_size=14
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=_ACTS)
def test_no_order_of_events_loses_money_or_pays_it_twice(acts: list[str]) -> None:
    """At the end the bank pays all that is instructed, to accounts that work: then the member has had everything."""
    world, ann, claim, _ = build_paying()
    accounts = iter(range(1_000))
    before = world.balance(ann)

    def verify(holder_kind: int) -> None:
        token = name_hash("token", "ann", next(accounts))
        world.call("bank", build_verify(world, ann, "ann", account_token=token, holder_kind=holder_kind))

    def wish() -> None:
        commitment = name_hash("commitment", next(accounts))
        world.call(member_key("ann"), AccountChange(member=ann, account_commitment=commitment))

    for act in acts:
        ready = [item for item in world.ready_instructions() if world.instruction(item).member == ann]
        match act:
            case "fail" | "settle":
                for item in ready[:1]:
                    answer(world, item, is_settled=act == "settle", ref=str(next(accounts)))
            case "change":
                wish()
            case "verify":
                verify(0)
            case "leave":
                world.call(member_key("ann"), MemberLeave(member=ann))
            case "die":
                world.call("audit-one", DeathReport(member=ann, document_hash=name_hash("papers")))
            case "estate":
                verify(2)
            case _:
                world.advance(7 if act == "week" else 1)
        world.commit_block_checks()
    world.advance_to(world.today + 15)
    is_dead = world.state.get(DEATH, ann) is not None
    for _ in range(4):
        wish()
        verify(2 if is_dead else 0)
        world.advance(1)
        for item in world.ready_instructions():
            answer(world, item, is_settled=True, ref=str(next(accounts)))
        world.call(member_key("ann"), MemberLeave(member=ann))
        world.advance(14)
    record = world.state.require(CLAIM, claim)
    assert (world.pool.aid_payable, world.pool.outgoing, world.pool.plain) == (0, 0, 0)
    assert record.paid == record.granted == world.member(ann).aid_received
    settled = [world.instruction(item) for item in list_instructions(world)]
    refunds = sum(
        item.amount
        for item in settled
        if (item.member, item.state, item.kind) == (ann, INSTRUCTION_SETTLED, INSTRUCTION_REFUND)
    )
    assert refunds == before
