"""Deaths: nothing is paid on a report alone, everything reaches the estate, and a wrong report is put right."""

import pytest
from msgspec.structs import replace

from chain.contract.account import ESTATE_DAYS
from chain.contract.claim_claimant import PAYEE_ESTATE, PAYEE_SELF
from chain.contract.claim_eligibility import start_shares_refund
from chain.contract.claim_tables import CLAIM, CLAIM_PAID, CLAIM_PAY_FAILED
from chain.contract.custody_tables import INSTRUCTION_FAILED, INSTRUCTION_READY
from chain.contract.halves import HALF, HALF_DAYS, hash_call
from chain.contract.member_calls import AccountChange, DeathReport, DeathRevoke, MemberAdmit, MemberLeave
from chain.contract.member_events import DeathReported, DeathRevoked, EstateHeld
from chain.contract.member_key_tables import DEATH
from chain.contract.settlement_tables import PERIOD_CLOSED
from chain.contract.shares import is_covered, is_suspended
from chain.contract.tables import (
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_DIED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PERSON,
    POOL,
)
from chain.contract.wind_tables import CLOSED_POOL, PHASE_SWEEPING, ClosedPoolRecord
from tests.chain.contract.acts import build_verify, do, member_key, refuse
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.world import PLAN_NAME, World, build_terms, name_hash

PAPERS = name_hash("certificate of death")
HEIR = name_hash("heir")
ESTATE = name_hash("token", "ann", "new")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ann(world: World) -> bytes:
    member = world.join("ann", 5_000)
    for name in ("ben", "cat", "dan", "eve", "fay"):
        world.join(name, 5_000)
    return member


def report(world: World, member: bytes, signer: str | bytes = "bank") -> None:
    do(world, signer, DeathReport(member=member, document_hash=PAPERS))


def verify_estate(world: World, member: bytes, name: str = "ann") -> None:
    """Let the bank verify an estate as soon as it may."""
    world.advance_to(world.state.require(DEATH, member).day + ESTATE_DAYS)
    do(world, "bank", build_verify(world, member, name, holder_kind=2))


def revoke(world: World, member: bytes, key: bytes | None = None, *, witness: str = "audit-one") -> None:
    call = DeathRevoke(member=member)
    do(world, key or member_key("ann"), call)
    do(world, witness, call)


# --- the report ---


@pytest.mark.parametrize("signer", ["bank", "audit-one", "audit-two"])
def test_bank_and_auditors_report_a_death_and_the_balance_waits_for_the_estate(
    world: World, ann: bytes, signer: str
) -> None:
    report(world, ann, signer)
    member = world.member(ann)
    assert (member.status, member.cash, member.is_leaf) == (MEMBER_DIED, 5_000, False)
    assert DeathReported(member=ann, organisation=signer, document_hash=PAPERS) in world.last_events
    assert EstateHeld(member=ann, amount=5_000) in world.last_events
    assert (world.ready_instructions(), world.pool.outgoing, world.pool.plain) == ([], 0, 5_000)
    world.commit_block_checks()


def test_the_balance_goes_to_the_estate_once_the_bank_has_verified_its_account(world: World, ann: bytes) -> None:
    report(world, ann)
    world.advance(100)
    assert world.ready_instructions() == []
    verify_estate(world, ann)
    world.advance(1)
    (refund,) = world.ready_instructions()
    assert (world.instruction(refund).amount, world.instruction(refund).account_token) == (5_000, ESTATE)
    assert world.acknowledge(refund).number == 0
    assert world.member(ann).cash == 0
    assert world.pool.cash == 25_000


def test_an_heir_reports_together_with_an_auditor_who_vouches(world: World, ann: bytes) -> None:
    call = DeathReport(member=ann, document_hash=PAPERS)
    do(world, HEIR, call)
    assert world.member(ann).status == MEMBER_SHARING
    assert refuse(world, HEIR, call) == "already"
    assert refuse(world, name_hash("other heir"), call) == "wrong_role"
    do(world, "audit-two", call)
    assert world.member(ann).status == MEMBER_DIED
    record = world.state.require(DEATH, ann)
    assert (record.heir_key, record.organisation) == (HEIR, "audit-two")


def test_a_strangers_report_is_forgotten_after_seven_days(world: World, ann: bytes) -> None:
    call = DeathReport(member=ann, document_hash=PAPERS)
    do(world, HEIR, call)
    world.advance(HALF_DAYS)
    assert world.state.get(HALF, PLAN_NAME, hash_call(call)) is None
    assert world.member(ann).status == MEMBER_SHARING


@pytest.mark.parametrize("signer", ["platform", "firm-a", "clinic"])
def test_no_other_organisation_reports_a_death(world: World, ann: bytes, signer: str) -> None:
    assert refuse(world, signer, DeathReport(member=ann, document_hash=PAPERS)) == "wrong_role"


def test_one_dies_once_and_as_a_member(world: World, ann: bytes) -> None:
    report(world, ann)
    assert refuse(world, "audit-one", DeathReport(member=ann, document_hash=name_hash("x"))) == "already"
    assert refuse(world, "bank", DeathReport(member=name_hash("no"), document_hash=PAPERS)) == "member_unknown"
    applicant = world.apply("gus")
    world.advance(30)
    assert refuse(world, "bank", DeathReport(member=applicant, document_hash=PAPERS)) == "member_state"


def test_money_that_comes_for_the_dead_goes_back_to_who_sent_it(world: World, ann: bytes) -> None:
    report(world, ann)
    world.credit(ann, 300)
    assert (world.pool.unmatched, world.member(ann).cash) == (300, 5_000)


def test_no_key_brings_the_money_to_another_account_than_the_estates(world: World, ann: bytes) -> None:
    report(world, ann)
    do(world, member_key("ann"), AccountChange(member=ann, account_commitment=name_hash("c")))
    assert refuse(world, "bank", build_verify(world, ann, "ann")) == "holder_invalid"
    thief = build_verify(world, ann, "ann", holder_kind=2, person_index=name_hash("person", "thief"))
    assert refuse(world, "bank", thief) == "index_mismatch"


def test_no_estate_is_verified_within_fourteen_days_of_the_report(world: World, ann: bytes) -> None:
    report(world, ann)
    call = build_verify(world, ann, "ann", holder_kind=2)
    assert refuse(world, "bank", call) == "estate_too_early"
    world.advance(ESTATE_DAYS - 1)
    assert refuse(world, "bank", call) == "estate_too_early"
    world.advance(1)
    do(world, "bank", call)


def test_the_estate_may_change_its_account(world: World, ann: bytes) -> None:
    report(world, ann)
    verify_estate(world, ann)
    world.advance(1)
    (refund,) = world.ready_instructions()
    world.acknowledge(refund, is_settled=False)
    do(world, "bank", build_verify(world, ann, "ann", holder_kind=2, account_token=name_hash("second")))
    world.advance(1)
    (again,) = world.ready_instructions()
    assert world.instruction(again).account_token == name_hash("second")


def test_in_the_window_the_exit_waits_and_the_money_then_waits_for_the_estate(world: World, ann: bytes) -> None:
    world.advance_to(world.period(0).notice_day)
    report(world, ann)
    assert (world.member(ann).status, world.member(ann).is_leaf) == (MEMBER_LEAVING, True)
    world.advance_to(world.period(0).charge_day)
    assert (world.member(ann).status, world.member(ann).cash) == (MEMBER_DIED, 5_000)
    verify_estate(world, ann)
    world.advance(1)
    assert len(world.ready_instructions()) == 1


def test_somebody_who_died_while_leaving_is_refunded_to_the_estate(world: World, ann: bytes) -> None:
    world.advance_to(world.period(0).notice_day)
    do(world, member_key("ann"), MemberLeave(member=ann))
    report(world, ann)
    world.advance_to(world.period(0).charge_day)
    assert (world.member(ann).status, world.member(ann).cash) == (MEMBER_LEFT, 5_000)
    assert world.ready_instructions() == []
    verify_estate(world, ann)
    world.advance(1)
    assert len(world.ready_instructions()) == 1


def test_the_failed_refund_of_somebody_who_left_and_died_goes_to_the_estate(world: World, ann: bytes) -> None:
    do(world, member_key("ann"), MemberLeave(member=ann))
    (refund,) = world.ready_instructions()
    report(world, ann)
    world.acknowledge(refund, is_settled=False)
    assert world.member(ann).cash == 5_000
    verify_estate(world, ann)
    world.advance(1)
    (again,) = world.ready_instructions()
    assert world.instruction(again).account_token == ESTATE


def test_the_money_of_an_applicant_whom_the_bank_never_knew_goes_back_to_who_paid(world: World) -> None:
    member = world.apply("ann")
    world.credit(member, 700)
    report(world, member)
    (refund,) = world.ready_instructions()
    assert (world.instruction(refund).account_token, world.member(member).cash) == (None, 0)


# --- open claims ---


def build_claimant(world: World, ann: bytes) -> bytes:
    claim = world.add_claim(ann, 1_500, row=1)
    world.state.put(MEMBER, replace(world.member(ann), claim=claim), ann)
    return claim


def test_an_open_claim_goes_on_for_the_estate_and_its_aid_waits_for_the_account(world: World, ann: bytes) -> None:
    claim = build_claimant(world, ann)
    report(world, ann)
    assert world.state.require(CLAIM, claim).payee_kind == PAYEE_ESTATE
    world.advance_to(world.period(0).charge_day)
    world.sign_batch(0)
    (instruction,) = world.period(0).instructions
    assert world.instruction(instruction).state == INSTRUCTION_FAILED
    assert world.state.require(CLAIM, claim).status == CLAIM_PAY_FAILED
    assert world.period(0).status == PERIOD_CLOSED
    assert world.pool.aid_payable == world.instruction(instruction).amount
    verify_estate(world, ann)
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.account_token) == (INSTRUCTION_READY, ESTATE)
    assert world.acknowledge(instruction).number == 0
    assert world.state.require(CLAIM, claim).status == CLAIM_PAID
    world.commit_block_checks()


def test_aid_whose_estate_has_an_account_is_paid_with_its_batch(world: World, ann: bytes) -> None:
    build_claimant(world, ann)
    report(world, ann)
    verify_estate(world, ann)
    world.advance_to(world.period(0).charge_day)
    world.sign_batch(0)
    (instruction,) = world.period(0).instructions
    record = world.instruction(instruction)
    assert (record.state, record.account_token) == (INSTRUCTION_READY, ESTATE)


def test_an_estate_that_gets_its_account_between_charge_and_batch_is_paid(world: World, ann: bytes) -> None:
    """The batch names the account of its charge; what cannot go there goes to the one that is verified since."""
    build_claimant(world, ann)
    report(world, ann)
    world.advance_to(world.period(0).charge_day)
    verify_estate(world, ann)
    world.sign_batch(0)
    (instruction,) = world.period(0).instructions
    world.advance(1)
    record = world.instruction(instruction)
    assert (record.state, record.account_token) == (INSTRUCTION_READY, ESTATE)


# --- a wrong report ---


def test_a_wrong_report_is_put_right_with_money_cover_and_person_as_they_were(world: World, ann: bytes) -> None:
    world.advance(1)
    before, pool = world.member(ann), world.pool
    report(world, ann)
    world.advance(20)
    revoke(world, ann)
    after = world.member(ann)
    assert DeathRevoked(member=ann, amount=5_000) in world.last_events
    assert (after.status, after.is_leaf, after.cash, after.past) == (MEMBER_SHARING, True, 0, before.past)
    assert (after.cover_from, after.accident_from, after.entry_day) == (
        before.cover_from,
        before.accident_from,
        before.entry_day,
    )
    assert world.balance(ann) == 5_000
    assert is_covered(world.state, after, world.pool, world.today - 10, is_accident=True)
    assert (world.pool.cash, world.pool.plain) == (pool.cash, 0)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).member == ann
    assert world.state.get(DEATH, ann) is None
    world.commit_block_checks()
    do(world, member_key("ann"), MemberLeave(member=ann))
    assert len(world.ready_instructions()) == 1


def test_a_membership_that_got_its_shares_back_meanwhile_ends_for_the_living_too(world: World, ann: bytes) -> None:
    """Else the same shares could be given back again, for the next illness of the waiting period."""
    world.add_claim(world_member(world, "ben"), 1_500)
    world.advance_to(world.period(0).charge_day + 1)
    paid = 5_000 - world.balance(ann)
    claim = build_claimant(world, ann)
    world.state.put(POOL, replace(world.pool, items=(1, 1)), PLAN_NAME, 0)
    report(world, ann)
    start_shares_refund(world.state, world.context("automatic"), claim, world.state.require(CLAIM, claim))
    assert 0 < paid == world.state.require(CLAIM, claim).amount
    revoke(world, ann)
    assert (world.member(ann).status, world.member(ann).is_leaf) == (MEMBER_LEFT, False)
    world.advance(1)
    (refund,) = world.ready_instructions()
    assert world.instruction(refund).amount == 5_000 - paid
    world.commit_block_checks()


def test_a_wrong_report_leaves_no_charge_of_the_days_between(world: World, ann: bytes) -> None:
    report(world, ann)
    world.add_claim(world_member(world, "ben"), 1_500)
    world.advance_to(world.period(0).charge_day + 1)
    assert world.pool.share_index > 0
    revoke(world, ann)
    assert world.balance(ann) == 5_000
    assert world.member(ann).x == world.pool.share_index + 5_000
    world.commit_block_checks()


def world_member(world: World, name: str) -> bytes:
    person = world.state.require(PERSON, PLAN_NAME, name_hash("person", name))
    return person.member


def test_who_was_suspended_is_suspended_again(world: World) -> None:
    poor = world.join("ann", 1_000)
    rich = world.join("ben", 9_000)
    for period in range(4):
        world.add_claim(rich, 1_400)
        world.advance_to(world.period(period).charge_day + 1)
        if is_suspended(world.member(poor), world.pool.share_index):
            break
    before = world.member(poor)
    assert is_suspended(before, world.pool.share_index)
    report(world, poor)
    world.advance(1)
    revoke(world, poor)
    after = world.member(poor)
    assert (after.x, after.rem, after.status) == (before.x, before.rem, MEMBER_SHARING)
    assert is_suspended(after, world.pool.share_index)
    world.commit_block_checks()


@pytest.mark.parametrize(
    ("reporter", "witness", "others"),
    [("bank", "audit-two", ("platform", "bank", HEIR)), ("audit-one", "bank", ("platform", "audit-two", HEIR))],
)
def test_only_the_members_key_with_another_institution_than_the_reporter_puts_it_right(
    world: World, ann: bytes, reporter: str, witness: str, others: tuple[str | bytes, ...]
) -> None:
    call = DeathRevoke(member=ann)
    assert refuse(world, member_key("ann"), call) == "death_unknown"
    assert refuse(world, "bank", DeathRevoke(member=name_hash("no"))) == "member_unknown"
    report(world, ann, reporter)
    for signer in others:
        assert refuse(world, signer, call) == "wrong_role"
    do(world, witness, call)
    assert world.member(ann).status == MEMBER_DIED
    do(world, member_key("ann"), call)
    assert world.member(ann).status == MEMBER_SHARING


def test_after_the_bank_has_verified_an_estate_nothing_is_put_right(world: World, ann: bytes) -> None:
    report(world, ann)
    verify_estate(world, ann)
    assert refuse(world, "audit-one", DeathRevoke(member=ann)) == "estate_verified"


def test_between_notice_and_settlement_a_report_is_not_put_right(world: World, ann: bytes) -> None:
    report(world, ann)
    world.advance_to(world.period(0).notice_day)
    assert refuse(world, "bank", DeathRevoke(member=ann)) == "window_open"
    world.advance_to(world.period(0).charge_day)
    revoke(world, ann)
    assert world.balance(ann) == 5_000


def test_in_a_pool_that_pays_everybody_out_the_living_are_refunded(world: World, ann: bytes) -> None:
    report(world, ann)
    closed = build_record(ClosedPoolRecord, day=world.today, phase=PHASE_SWEEPING)
    world.state.put(CLOSED_POOL, closed, PLAN_NAME, 0)
    revoke(world, ann)
    assert (world.member(ann).status, world.member(ann).is_leaf) == (MEMBER_LEFT, False)
    world.advance(1)
    (refund,) = world.ready_instructions()
    assert world.instruction(refund).account_token == name_hash("token", "ann")


def test_who_has_joined_anew_is_not_two_members(world: World, ann: bytes) -> None:
    report(world, ann)
    again = world.apply("ann again", key="ann")
    world.verify("ann", again)
    do(world, "platform", MemberAdmit(items=(again,)))
    assert refuse(world, "bank", DeathRevoke(member=ann)) == "person_duplicate"


def test_the_payee_of_an_open_claim_is_the_living_member_again(world: World, ann: bytes) -> None:
    claim = build_claimant(world, ann)
    report(world, ann)
    revoke(world, ann)
    assert world.state.require(CLAIM, claim).payee_kind == PAYEE_SELF
    assert world.member(ann).claim == claim


def test_who_left_before_the_wrong_report_is_refunded_as_one_who_left(world: World, ann: bytes) -> None:
    world.advance_to(world.period(0).notice_day)
    do(world, member_key("ann"), MemberLeave(member=ann))
    report(world, ann)
    world.advance_to(world.period(0).charge_day)
    revoke(world, ann)
    assert world.member(ann).status == MEMBER_LEFT
    world.advance(1)
    (refund,) = world.ready_instructions()
    assert world.instruction(refund).account_token == name_hash("token", "ann")


def test_an_applicant_is_one_again_and_still_expires(world: World) -> None:
    member = world.admit("ann")
    world.credit(member, 300)
    report(world, member)
    assert world.member(member).cash == 300
    world.advance(34)
    revoke(world, member)
    assert (world.member(member).status, world.member(member).cash) == (MEMBER_VERIFIED, 300)
    world.advance(29)
    assert world.member(member).status == MEMBER_VERIFIED, "the days of an applicant begin again"
    world.advance(1)
    (refund,) = world.ready_instructions()
    assert world.instruction(refund).amount == 300


def test_who_waited_in_the_queue_enters_with_his_waiting_days(world: World, ann: bytes) -> None:
    world.advance_to(world.period(0).notice_day)
    gus = world.join("gus", 5_000)
    entry_day = world.member(gus).entry_day
    assert world.member(gus).status == MEMBER_QUEUED
    report(world, gus)
    world.advance_to(world.period(0).charge_day + 1)
    assert world.member(gus).status == MEMBER_DIED
    revoke(world, gus, member_key("gus"))
    assert (world.member(gus).status, world.member(gus).entry_day) == (MEMBER_SHARING, entry_day)
    assert world.balance(gus) == 5_000
    world.commit_block_checks()


def test_who_waited_without_sharing_enters_when_the_waiting_is_over() -> None:
    world = World(build_terms(waiting_members_share="false"))
    ann = world.join("ann", 5_000)
    assert world.member(ann).status == MEMBER_WAITING
    report(world, ann)
    world.advance(95)
    revoke(world, ann)
    assert world.member(ann).status == MEMBER_WAITING
    world.advance(1)
    assert world.member(ann).status in (MEMBER_SHARING, MEMBER_QUEUED)


def test_who_passed_the_age_limit_meanwhile_ages_out(world: World) -> None:
    ann = world.join("ann", 5_000, last_cover_year=2026)
    world.join("ben", 5_000)
    report(world, ann)
    world.advance(339)
    assert world.member(ann).status == MEMBER_DIED
    revoke(world, ann)
    assert world.member(ann).status == MEMBER_AGED_OUT
    assert len(world.ready_instructions()) == 1


def test_the_guardian_of_a_child_that_was_reported_dead_gets_it_back(world: World, ann: bytes) -> None:
    child = world.apply("kid", guardian=ann, key="ann")
    world.verify("kid", child, last_cover_year=2074)
    do(world, "platform", MemberAdmit(items=(child,)))
    world.credit(child, 5_000)
    report(world, child)
    assert world.member(ann).children == 0
    revoke(world, child)
    assert (world.member(ann).children, world.balance(child)) == (1, 5_000)
    assert refuse(world, member_key("ann"), MemberLeave(member=ann)) == "children_first"
