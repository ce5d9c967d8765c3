"""Erasure: who may ask and when, who must confirm, and what stays (contract 2 *ERASED*, 5, 6; ADR 0013)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_FAILED, INSTRUCTION_SETTLED
from chain.contract.erasure import RECEIPT_DAYS, RETENTION_DAYS, compute_erasable_day, is_erased, list_missing
from chain.contract.member_calls import (
    ErasureReceipt,
    ErasureReceiptItem,
    ErasureRequest,
    MemberLeave,
    MemberRefuse,
    MemberRefuseItem,
)
from chain.contract.member_key_tables import FAILED_PAYMENTS, FailedPaymentsRecord
from chain.contract.person_events import ErasureOverdue, ErasureReceived, ErasureRequested
from chain.contract.person_tables import ERASURE, VOID, VOID_HEARING, ErasureRecord, VoidRecord
from chain.contract.tables import ACT_CLAIMED_OUT, MEMBER, PERSON, PLAN, PLAN_ENDED, POOL, ROSTER, RosterRecord
from chain.contract.window import exit_member
from chain.genesis import ROLE_PLATFORM
from tests.chain.contract.acts import refuse
from tests.chain.contract.world import PLAN_NAME, World, name_hash

ANN = name_hash("member", "ann")
ORGANISATIONS = ("platform", "bank", "audit-one", "audit-two")
CLAIM_WINDOW_DAYS = 180


def start(*, is_over: bool = True) -> tuple[World, bytes]:
    """Return a world in which Ann's application was refused, and the days of retention are over."""
    world = World()
    member = world.apply("ann")
    assert world.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=1),))).number == 0
    if is_over:
        world.advance(RETENTION_DAYS)
    return world, member


def get_erasure(world: World, member: bytes) -> ErasureRecord:
    return world.state.require(ERASURE, member)


def receipt(member: bytes, scope: int = 0) -> ErasureReceipt:
    return ErasureReceipt(items=(ErasureReceiptItem(member=member, scope=scope),))


def receive(world: World, signer: str, member: bytes, scope: int = 0) -> str:
    return get_entry_by_number(world.call(signer, receipt(member, scope)).items[0]).code


def test_a_member_is_erased_once_platform_bank_and_every_auditor_have_confirmed() -> None:
    world, member = start()
    before = world.member(member)
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    due_day = world.today + RECEIPT_DAYS
    assert world.last_events == [ErasureRequested(member=member, scope=0, organisation=None, due_day=due_day)]
    for missing, name in zip((3, 2, 1, 0), reversed(ORGANISATIONS), strict=True):
        assert not is_erased(world.state, member)
        assert receive(world, name, member) == "success"
        assert world.last_events == [ErasureReceived(member=member, scope=0, organisation=name, missing=missing)]
        assert receive(world, name, member) == "already"
    record = get_erasure(world, member)
    assert is_erased(world.state, member)
    assert (record.erased_day, record.due_day, record.requested_by) == (world.today, 0, None)
    assert world.member(member) == before, "numbers and roots stay"
    world.advance(RECEIPT_DAYS + 1)
    assert not any(isinstance(event, ErasureOverdue) for event in world.events)


def test_an_auditor_may_ask_too() -> None:
    world, member = start()
    assert world.call("audit-two", ErasureRequest(member=member, scope=1)).number == 0
    assert (get_erasure(world, member).requested_by, get_erasure(world, member).scope) == ("audit-two", 1)
    assert refuse(world, "audit-one", ErasureRequest(member=name_hash("?"), scope=0)) == "member_unknown"


def test_missing_receipts_are_called_overdue_again_and_again_and_hold_up_nothing() -> None:
    world, member = start()
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    for name in ("bank", "audit-one"):
        receive(world, name, member)
    world.advance(RECEIPT_DAYS - 1)
    overdue = ErasureOverdue(member=member, missing=("platform", "audit-two"))
    assert overdue not in world.events
    world.advance(1)
    assert world.events.count(overdue) == 1
    receive(world, "platform", member)
    again = ErasureOverdue(member=member, missing=("audit-two",))
    world.advance(RECEIPT_DAYS - 1)
    assert again not in world.events, "after as many days once more, not each day"
    world.advance(1)
    assert world.events.count(again) == 1
    assert receive(world, "audit-two", member) == "success"
    assert is_erased(world.state, member)


def test_an_organisation_that_left_the_consortium_is_not_waited_for() -> None:
    world, member = start()
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    for name in ("bank", "audit-two", "audit-one"):
        receive(world, name, member)
    assert list_missing(world.state, get_erasure(world, member)) == ("platform",)
    world.state.put(ROSTER, RosterRecord(names=()), ROLE_PLATFORM)
    world.advance(RECEIPT_DAYS)
    assert is_erased(world.state, member)


def test_more_can_be_erased_later_and_less_is_already() -> None:
    world, member = start()
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    for name in ORGANISATIONS:
        receive(world, name, member)
    assert refuse(world, ANN, ErasureRequest(member=member, scope=0)) == "already"
    assert world.call(ANN, ErasureRequest(member=member, scope=1)).number == 0
    assert not is_erased(world.state, member)
    assert receive(world, "bank", member) == "erasure_unknown"
    assert receive(world, "bank", member, 1) == "success"
    assert refuse(world, "audit-one", ErasureRequest(member=member, scope=0)) == "already"


def test_the_old_deadline_of_a_smaller_erasure_is_not_that_of_the_larger() -> None:
    world, member = start()
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    world.advance(5)
    assert world.call(ANN, ErasureRequest(member=member, scope=1)).number == 0
    world.advance(RECEIPT_DAYS - 5)
    assert not any(isinstance(event, ErasureOverdue) for event in world.events)
    world.advance(5)
    assert sum(isinstance(event, ErasureOverdue) for event in world.events) == 1


# --- guards ---


@pytest.mark.parametrize("signer", ["platform", "bank", "firm-a", "clinic", "stranger"])
def test_nobody_but_member_and_auditors_asks_for_an_erasure(signer: str) -> None:
    world, member = start()
    assert refuse(world, signer, ErasureRequest(member=member, scope=0)) == "not_owner"
    assert refuse(world, signer, ErasureRequest(member=name_hash("?"), scope=0)) == "member_unknown"


def test_a_membership_that_goes_on_is_not_erased() -> None:
    world = World()
    member = world.join("ann", 5_000)
    assert refuse(world, ANN, ErasureRequest(member=member, scope=0)) == "member_state"
    applicant = world.apply("ben")
    assert refuse(world, "audit-one", ErasureRequest(member=applicant, scope=0)) == "member_state"


def test_retention_is_thirty_days_without_cover_and_begins_after_the_claim_window_with_it() -> None:
    world, member = start(is_over=False)
    world.advance(RETENTION_DAYS - 1)
    assert refuse(world, ANN, ErasureRequest(member=member, scope=0)) == "retention_running"
    world.advance(1)
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0

    world = World()
    member = world.join("ann", 5_000)
    world.advance(3)
    assert world.call(ANN, MemberLeave(member=member)).number == 0
    left = world.today
    assert compute_erasable_day(world.state, member, world.member(member)) == left + CLAIM_WINDOW_DAYS + RETENTION_DAYS
    world.advance_to(left + CLAIM_WINDOW_DAYS + RETENTION_DAYS - 1)
    assert refuse(world, ANN, ErasureRequest(member=member, scope=0)) == "retention_running"
    world.advance(1)
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0


def test_an_open_claim_a_hearing_and_unpaid_money_come_first() -> None:
    world, member = start()
    call = ErasureRequest(member=member, scope=0)
    record = world.member(member)
    world.state.put(MEMBER, replace(record, claim=name_hash("claim")), member)
    assert refuse(world, ANN, call) == "claim_open"
    world.state.put(MEMBER, record, member)
    hearing = VoidRecord(
        stage=VOID_HEARING, finding_root=name_hash("f"), platform="platform", firm="firm-a", opened_day=1,
        answer_hash=None, decided_by=None, due_day=1, closed_day=0,
    )  # fmt: skip
    world.state.put(VOID, hearing, member)
    assert refuse(world, ANN, call) == "void_open"
    plan = world.plan
    world.state.put(PLAN, replace(plan, status=PLAN_ENDED), PLAN_NAME)
    assert world.call(ANN, call).number == 0, "a plan that has ended hears nobody any more"
    world.state.delete(ERASURE, member)
    world.state.put(PLAN, plan, PLAN_NAME)
    world.state.delete(VOID, member)
    world.state.put(MEMBER, replace(record, cash=7), member)
    world.state.put(POOL, replace(world.pool, cash=world.pool.cash + 7, plain=world.pool.plain + 7), PLAN_NAME, 0)
    assert refuse(world, ANN, call) == "money_open"


def test_aid_that_failed_comes_first_until_it_is_paid() -> None:
    world, member = start()
    other = world.join("ben", 5_000)
    assert world.call(name_hash("member", "ben"), MemberLeave(member=other)).number == 0
    (instruction,) = world.ready_instructions()
    world.state.put(FAILED_PAYMENTS, FailedPaymentsRecord(instructions=(instruction,)), member)
    record = world.instruction(instruction)
    world.state.put(INSTRUCTION, replace(record, state=INSTRUCTION_FAILED), instruction)
    assert refuse(world, ANN, ErasureRequest(member=member, scope=0)) == "money_open"
    world.state.put(INSTRUCTION, replace(record, state=INSTRUCTION_SETTLED), instruction)
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0


@pytest.mark.parametrize("signer", ["firm-a", "clinic", "stranger", ANN])
def test_only_platform_bank_and_auditors_confirm(signer: str | bytes) -> None:
    world, member = start()
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    assert refuse(world, signer, receipt(member)) == "wrong_role"


def test_a_receipt_without_a_request_is_refused_and_items_are_independent() -> None:
    world, member = start()
    other = world.apply("ben")
    items = (
        ErasureReceiptItem(member=name_hash("?"), scope=0),
        ErasureReceiptItem(member=other, scope=0),
        ErasureReceiptItem(member=member, scope=0),
        ErasureReceiptItem(member=member, scope=1),
    )
    assert refuse(world, "bank", ErasureReceipt(items=items)) == "items_refused"
    assert world.call(ANN, ErasureRequest(member=member, scope=0)).number == 0
    codes = [get_entry_by_number(item).code for item in world.call("bank", ErasureReceipt(items=items)).items]
    assert codes == ["member_unknown", "erasure_unknown", "success", "erasure_unknown"]


def test_a_barred_person_stays_barred_after_the_erasure() -> None:
    world = World()
    member = world.join("ann", 5_000)
    exit_member(world.state, world.context("automatic"), member, ACT_CLAIMED_OUT)
    world.advance(CLAIM_WINDOW_DAYS + RETENTION_DAYS)
    assert world.call(ANN, ErasureRequest(member=member, scope=1)).number == 0
    for name in ORGANISATIONS:
        receive(world, name, member, 1)
    assert is_erased(world.state, member)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).is_barred
