"""Voiding after a hearing: every stage, every deadline, every guard (contract 2 *VOIDED*, 5; ADR 0012)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry, get_entry_by_number
from chain.contract.claim_appeal import drop_appeal
from chain.contract.claim_calls import ClaimConfirm
from chain.contract.claim_notice import open_notice
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPEALED,
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_NOTICED,
    CLAIM_REJECTED,
)
from chain.contract.member_calls import MemberLeave, VoidAnswer, VoidDecide, VoidOpen
from chain.contract.person_events import VoidClosed, VoidMoved
from chain.contract.person_tables import (
    ERASURE,
    VOID,
    VOID_APPEALED,
    VOID_DECIDED,
    VOID_DISMISSED,
    VOID_FIRST_AUDITOR,
    VOID_HEARING,
    VOID_SECOND_AUDITOR,
    VOID_UPHELD,
    ErasureRecord,
    VoidRecord,
)
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import (
    ACT_CLAIMED_OUT,
    MEMBER,
    MEMBER_CLAIMED_OUT,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_SHARING,
    MEMBER_VOIDED,
    PERSON,
    PLAN,
    PLAN_ENDED,
    PLAN_PAUSED,
)
from chain.contract.void import (
    APPEAL_DAYS,
    DECISION_DAYS,
    HEARING_DAYS,
    REST_DAYS,
    is_void_open,
    is_voided,
    on_void_appeal_filed,
    on_void_dismissed,
    on_void_upheld,
)
from chain.contract.window import exit_member
from chain.errors import InvariantViolation, Refusal
from tests.chain.contract.acts import refuse
from tests.chain.contract.world import PLAN_NAME, World, name_hash

FINDING = name_hash("finding")
ANN = name_hash("member", "ann")
"""Key of the member."""


def open_void(world: World, member: bytes, finding: bytes = FINDING) -> None:
    for signer in ("platform", "firm-a"):
        assert world.call(signer, VoidOpen(member=member, finding_root=finding)).number == 0


def start(*, amount: int = 5_000) -> tuple[World, bytes]:
    world = World()
    member = world.join("ann", amount)
    open_void(world, member)
    return world, member


def get_void(world: World, member: bytes) -> VoidRecord:
    return world.state.require(VOID, member)


# --- the path ---


def test_a_void_that_nobody_appeals_is_final_after_thirty_days_and_refunds_the_balance() -> None:
    world, member = start()
    opened = world.today
    assert get_void(world, member).stage == VOID_HEARING
    assert get_void(world, member).due_day == opened + HEARING_DAYS
    assert (get_void(world, member).platform, get_void(world, member).firm) == ("platform", "firm-a")
    assert world.call(ANN, VoidAnswer(member=member, answer_hash=name_hash("answer"))).number == 0
    world.advance(HEARING_DAYS)
    assert get_void(world, member).stage == VOID_FIRST_AUDITOR
    told = VoidMoved(member=member, state=VOID_FIRST_AUDITOR, due_day=world.today + DECISION_DAYS)
    assert told in world.block_events
    assert world.call("audit-one", VoidDecide(member=member, is_void=True)).number == 0
    record = get_void(world, member)
    assert (record.stage, record.decided_by, record.due_day) == (VOID_DECIDED, "audit-one", world.today + APPEAL_DAYS)
    world.advance(APPEAL_DAYS - 1)
    assert world.member(member).status == MEMBER_SHARING
    balance = world.balance(member)
    world.advance(1)
    assert world.member(member).status == MEMBER_VOIDED
    assert (get_void(world, member).stage, get_void(world, member).closed_day) == (VOID_UPHELD, world.today)
    (refund,) = world.ready_instructions()
    assert world.instruction(refund).amount == balance
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).is_barred
    assert is_voided(world.state, member)
    assert not is_void_open(world.state, member)


def test_the_member_shares_and_counts_until_the_void_is_final() -> None:
    world, member = start()
    other = world.join("ben", 5_000)
    world.add_claim(other, 1_000)
    while world.pool.settlements < 1:
        world.advance(1)
    assert world.settlement(0).members == 2
    assert world.balance(member) < 5_000


def test_silence_of_both_auditors_is_never_against_the_member() -> None:
    world, member = start()
    world.advance(HEARING_DAYS + DECISION_DAYS)
    assert get_void(world, member).stage == VOID_SECOND_AUDITOR
    world.advance(DECISION_DAYS - 1)
    assert is_void_open(world.state, member)
    world.advance(1)
    record = get_void(world, member)
    assert (record.stage, record.decided_by, record.closed_day) == (VOID_DISMISSED, None, world.today)
    assert VoidClosed(member=member, is_void=False) in world.events
    assert world.member(member).status == MEMBER_SHARING


def test_the_second_auditor_decides_where_the_first_was_silent() -> None:
    world, member = start()
    world.advance(HEARING_DAYS)
    assert refuse(world, "audit-two", VoidDecide(member=member, is_void=True)) == "not_your_turn"
    world.advance(DECISION_DAYS)
    assert refuse(world, "audit-one", VoidDecide(member=member, is_void=True)) == "not_your_turn"
    assert world.call("audit-two", VoidDecide(member=member, is_void=False)).number == 0
    assert get_void(world, member).stage == VOID_DISMISSED
    world.advance(DECISION_DAYS + APPEAL_DAYS)
    assert world.member(member).status == MEMBER_SHARING


def test_in_the_window_the_exit_waits_but_the_person_is_barred_at_once() -> None:
    world, member = start()
    other = world.join("ben", 5_000)
    world.advance(HEARING_DAYS)
    assert world.call("audit-one", VoidDecide(member=member, is_void=True)).number == 0
    world.advance(APPEAL_DAYS - 1)
    while not world.pool.is_window:
        record = get_void(world, member)
        world.state.put(VOID, replace(record, due_day=0), member)  # held until a window is open
        world.advance(1)
    world.state.put(VOID, replace(get_void(world, member), stage=VOID_APPEALED), member)
    on_void_upheld(world.state, world.context("automatic"), member)
    assert world.member(member).status == MEMBER_LEAVING
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).is_barred
    settlements = world.pool.settlements
    while world.pool.settlements == settlements:
        world.advance(1)
    assert world.member(member).status == MEMBER_VOIDED
    assert world.member(other).status == MEMBER_SHARING


def test_days_in_which_the_plan_is_stopped_do_not_count() -> None:
    world, member = start()
    world.state.put(PLAN, replace(world.plan, status=PLAN_PAUSED, since_day=world.today), PLAN_NAME)
    world.advance(HEARING_DAYS)
    stopped = world.plan.stopped_days
    assert stopped > 0
    assert get_void(world, member).stage == VOID_HEARING
    world.advance(stopped)
    assert get_void(world, member).stage == VOID_FIRST_AUDITOR


def test_leaving_ends_no_hearing_and_a_new_membership_falls_with_the_old() -> None:
    world, member = start()
    assert world.call(ANN, MemberLeave(member=member)).number == 0
    assert world.member(member).status == MEMBER_LEFT
    again = world.join("ann", 5_000)
    world.advance(HEARING_DAYS)
    assert world.call("audit-one", VoidDecide(member=member, is_void=True)).number == 0
    world.advance(APPEAL_DAYS)
    assert world.member(member).status == MEMBER_VOIDED
    assert world.member(again).status in (MEMBER_VOIDED, MEMBER_LEAVING)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).is_barred


# --- claims ---


def confirm(world: World, claim: bytes) -> str:
    return get_entry_by_number(world.call("audit-one", ClaimConfirm(items=(claim,))).items[0]).code


def notice_claim(world: World, member: bytes, name: str) -> bytes:
    """Let an open claim of the member stand in the notice of the current period, ready for audit-one."""
    claim = world.add_claim(member, 1_000)
    taken = world.pool.items
    world.state.put(MEMBER, replace(world.member(member), claim=claim), member)
    number = world.pool.settlements
    period = replace(world.period(number), claims=(claim,), confirmer="audit-one")
    world.state.put(PERIOD, period, PLAN_NAME, 0, number)
    record = replace(
        world.state.require(CLAIM, claim), status=CLAIM_NOTICED, period=number, due_day=world.today, decided_by=name
    )
    world.state.put(CLAIM, record, claim)
    assert taken[1] - taken[0] == 1
    return claim


def advance_to_window(world: World) -> None:
    while not world.pool.is_window:
        world.advance(1)


def test_a_claim_is_not_confirmed_while_a_hearing_is_open_and_is_after_a_dismissal() -> None:
    world = World()
    member = world.join("ann", 5_000)
    while world.pool.settlements % 2:
        world.advance(1)
    advance_to_window(world)
    claim = notice_claim(world, member, "platform")
    open_void(world, member)
    assert confirm(world, claim) == "void_open"
    assert world.state.require(CLAIM, claim).status == CLAIM_NOTICED
    on_void_appeal = replace(get_void(world, member), stage=VOID_APPEALED)
    world.state.put(VOID, on_void_appeal, member)
    assert confirm(world, claim) == "void_open"
    on_void_dismissed(world.state, world.context("automatic"), member)
    assert confirm(world, claim) == "success"


@pytest.mark.parametrize("status", [CLAIM_NOTICED, CLAIM_APPROVED])
def test_a_final_void_ends_a_claim_that_is_not_confirmed(status: int) -> None:
    world = World()
    member = world.join("ann", 5_000)
    advance_to_window(world)
    claim = notice_claim(world, member, "platform")
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=status), claim)
    open_void(world, member)
    world.state.put(VOID, replace(get_void(world, member), stage=VOID_APPEALED), member)
    on_void_upheld(world.state, world.context("automatic"), member)
    record = world.state.require(CLAIM, claim)
    assert (record.status, record.reason) == (CLAIM_REJECTED, get_entry("member_voided").number)
    assert world.member(member).claim is None


def test_a_claim_that_was_confirmed_before_is_not_touched() -> None:
    world = World()
    member = world.join("ann", 5_000)
    claim = world.add_claim(member, 1_000)
    world.state.put(MEMBER, replace(world.member(member), claim=claim), member)
    open_void(world, member)
    world.state.put(VOID, replace(get_void(world, member), stage=VOID_APPEALED), member)
    on_void_upheld(world.state, world.context("automatic"), member)
    assert world.state.require(CLAIM, claim).status == CLAIM_CONFIRMED
    assert world.member(member).claim == claim


def make_void_final(world: World, member: bytes) -> None:
    """Let a void be final about a membership."""
    record = VoidRecord(
        stage=VOID_APPEALED, finding_root=FINDING, platform="platform", firm="firm-a", opened_day=world.today,
        answer_hash=None, decided_by="audit-one", due_day=0, closed_day=0,
    )  # fmt: skip
    world.state.put(VOID, record, member)
    on_void_upheld(world.state, world.context("automatic"), member)


def rejoin() -> tuple[World, bytes, bytes]:
    """Let somebody leave and join anew, with a window open; return both memberships."""
    world = World()
    old = world.join("ann", 5_000)
    assert world.call(ANN, MemberLeave(member=old)).number == 0
    new = world.join("ann", 5_000)
    while world.pool.settlements % 2:
        world.advance(1)
    advance_to_window(world)
    return world, old, new


def get_claim_end(world: World, claim: bytes) -> tuple[int, str]:
    record = world.state.require(CLAIM, claim)
    return record.status, get_entry_by_number(record.reason).code


@pytest.mark.parametrize("status", [CLAIM_NOTICED, CLAIM_APPROVED])
def test_a_final_void_ends_the_open_claim_of_the_newer_membership_too(status: int) -> None:
    world, old, new = rejoin()
    claim = notice_claim(world, new, "platform")
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=status), claim)
    make_void_final(world, old)
    assert get_claim_end(world, claim) == (CLAIM_REJECTED, "member_voided")
    assert world.member(new).claim is None
    assert confirm(world, claim) == "claim_state"


def test_a_claim_of_the_newer_membership_that_was_confirmed_before_is_not_touched() -> None:
    world, old, new = rejoin()
    claim = world.add_claim(new, 1_000)
    world.state.put(MEMBER, replace(world.member(new), claim=claim), new)
    make_void_final(world, old)
    assert get_claim_end(world, claim) == (CLAIM_CONFIRMED, "success")
    assert world.member(new).claim == claim


def test_a_claim_of_the_newer_membership_whose_appeal_is_lost_after_the_void_is_not_listed_again() -> None:
    world, old, new = rejoin()
    claim = notice_claim(world, new, "platform")
    world.state.put(CLAIM, replace(world.state.require(CLAIM, claim), status=CLAIM_APPEALED), claim)
    make_void_final(world, old)
    context = world.context("automatic")
    drop_appeal(world.state, context, claim, world.state.require(CLAIM, claim), CLAIM_NOTICED)
    assert world.state.require(CLAIM, claim).status == CLAIM_APPROVED
    assert open_notice(world.state, context, PLAN_NAME, 0, world.pool.settlements + 1, world.today) == ()
    assert get_claim_end(world, claim) == (CLAIM_REJECTED, "member_voided")


def test_no_claim_of_an_older_membership_is_confirmed_after_the_void() -> None:
    """The person's entry names only the newest membership; an older one may have a claim for a day of its cover."""
    world, old, new = rejoin()
    claim = notice_claim(world, old, "platform")
    make_void_final(world, new)
    assert confirm(world, claim) == "member_voided"
    assert world.state.require(CLAIM, claim).status == CLAIM_NOTICED
    assert open_notice(world.state, world.context("automatic"), PLAN_NAME, 0, world.pool.settlements + 1, 0) == ()
    assert get_claim_end(world, claim) == (CLAIM_REJECTED, "member_voided")


def test_a_person_who_was_barred_by_a_benefit_is_confirmed_a_mild_claim_of_another_membership() -> None:
    world, old, new = rejoin()
    claim = notice_claim(world, new, "platform")
    exit_member(world.state, world.context("automatic"), old, ACT_CLAIMED_OUT)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).is_barred
    assert confirm(world, claim) == "success"


def test_a_void_counts_for_every_claim_of_a_person_whom_a_benefit_has_barred_before() -> None:
    world = World()
    oldest = world.join("ann", 5_000)
    assert world.call(ANN, MemberLeave(member=oldest)).number == 0
    paid = world.join("ann", 5_000)
    assert world.call(ANN, MemberLeave(member=paid)).number == 0
    heard = world.join("ann", 5_000)
    while world.pool.settlements % 2:
        world.advance(1)
    advance_to_window(world)
    claim = notice_claim(world, oldest, "platform")
    open_void(world, heard)
    exit_member(world.state, world.context("automatic"), paid, ACT_CLAIMED_OUT)
    world.state.put(VOID, replace(get_void(world, heard), stage=VOID_APPEALED), heard)
    on_void_upheld(world.state, world.context("automatic"), heard)
    assert world.state.require(PERSON, PLAN_NAME, name_hash("person", "ann")).member == heard
    assert confirm(world, claim) == "member_voided"


def test_a_hearing_begins_about_somebody_who_left_and_is_barred_since_and_still_has_a_claim() -> None:
    world, old, new = rejoin()
    claim = notice_claim(world, old, "platform")
    exit_member(world.state, world.context("automatic"), new, ACT_CLAIMED_OUT)
    open_void(world, old)
    assert confirm(world, claim) == "void_open"


def test_a_claim_that_a_jury_approves_after_the_void_is_rejected_at_the_notice() -> None:
    world = World()
    member = world.join("ann", 5_000)
    advance_to_window(world)
    claim = notice_claim(world, member, "platform")
    record = VoidRecord(
        stage=VOID_UPHELD, finding_root=FINDING, platform="platform", firm="firm-a", opened_day=world.today,
        answer_hash=None, decided_by="audit-one", due_day=0, closed_day=world.today,
    )  # fmt: skip
    world.state.put(VOID, record, member)
    number = world.pool.settlements + 1
    listed = open_notice(world.state, world.context("automatic"), PLAN_NAME, 0, number, world.today)
    assert listed == ()
    rejected = world.state.require(CLAIM, claim)
    assert (rejected.status, rejected.reason) == (CLAIM_REJECTED, get_entry("member_voided").number)


# --- the seam to appeals ---


def test_an_appeal_takes_the_deadline_away_and_the_jury_ends_it() -> None:
    for is_upheld in (True, False):
        world, member = start()
        with pytest.raises(Refusal, match="void_state"):
            on_void_appeal_filed(world.state, world.context(ANN), member)
        world.advance(HEARING_DAYS)
        assert world.call("audit-one", VoidDecide(member=member, is_void=True)).number == 0
        with pytest.raises(InvariantViolation):
            on_void_upheld(world.state, world.context("automatic"), member)
        context = world.context(ANN)
        on_void_appeal_filed(world.state, context, member)
        assert context.events == [VoidMoved(member=member, state=VOID_APPEALED, due_day=0)]
        world.advance(APPEAL_DAYS + 10)
        assert get_void(world, member).stage == VOID_APPEALED
        assert world.member(member).status == MEMBER_SHARING
        end = on_void_upheld if is_upheld else on_void_dismissed
        end(world.state, world.context("automatic"), member)
        expected = (VOID_UPHELD, True) if is_upheld else (VOID_DISMISSED, False)
        assert (get_void(world, member).stage, is_voided(world.state, member)) == expected
        with pytest.raises(InvariantViolation):
            end(world.state, world.context("automatic"), member)


def test_an_appeal_after_its_thirty_days_is_refused() -> None:
    world, member = start()
    world.advance(HEARING_DAYS)
    assert world.call("audit-one", VoidDecide(member=member, is_void=True)).number == 0
    world.advance(APPEAL_DAYS)
    with pytest.raises(Refusal, match="void_state"):
        on_void_appeal_filed(world.state, world.context(ANN), member)


# --- guards ---


def test_a_hearing_needs_platform_and_an_assessor_firm() -> None:
    world = World()
    member = world.join("ann", 5_000)
    call = VoidOpen(member=member, finding_root=FINDING)
    for signer in ("bank", "audit-one", "clinic", "stranger", ANN):
        assert refuse(world, signer, call) == "wrong_role"
    assert world.call("firm-b", call).number == 0
    assert world.state.get(VOID, member) is None
    assert refuse(world, "firm-b", call) == "already"
    assert refuse(world, "firm-a", call) == "wrong_role"
    assert world.call("platform", call).number == 0
    assert get_void(world, member).firm == "firm-b"


def test_one_hearing_at_a_time_and_rest_after_a_dismissal() -> None:
    world, member = start()
    assert refuse(world, "platform", VoidOpen(member=member, finding_root=name_hash("2"))) == "void_open"
    world.advance(HEARING_DAYS)
    assert world.call("audit-one", VoidDecide(member=member, is_void=False)).number == 0
    closed = world.today
    assert refuse(world, "platform", VoidOpen(member=member, finding_root=name_hash("2"))) == "void_repeated"
    world.advance_to(closed + REST_DAYS - 1)
    assert refuse(world, "platform", VoidOpen(member=member, finding_root=name_hash("2"))) == "void_repeated"
    world.advance(1)
    assert refuse(world, "platform", VoidOpen(member=member, finding_root=FINDING)) == "void_repeated"
    open_void(world, member, name_hash("2"))
    assert get_void(world, member).stage == VOID_HEARING


def test_who_has_no_membership_to_void_is_refused() -> None:
    world = World()
    assert refuse(world, "platform", VoidOpen(member=name_hash("?"), finding_root=FINDING)) == "member_unknown"
    applicant = world.apply("ben")
    assert refuse(world, "platform", VoidOpen(member=applicant, finding_root=FINDING)) == "member_state"
    member = world.join("ann", 5_000)
    call = VoidOpen(member=member, finding_root=FINDING)
    record = world.member(member)
    world.state.put(MEMBER, replace(record, status=MEMBER_CLAIMED_OUT, is_leaf=False), member)
    assert refuse(world, "platform", call) == "member_state"
    world.state.put(MEMBER, record, member)
    erased = ErasureRecord(scope=0, requested_by=None, requested_day=1, due_day=0, receipts=(), erased_day=0)
    world.state.put(ERASURE, erased, member)
    assert refuse(world, "platform", call) == "erased"
    world.state.delete(ERASURE, member)
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    assert refuse(world, "platform", call) == "plan_not_active"


def test_only_the_member_answers_and_only_in_the_hearing() -> None:
    world, member = start()
    call = VoidAnswer(member=member, answer_hash=name_hash("answer"))
    for signer in ("platform", "audit-one", "stranger"):
        assert refuse(world, signer, call) == "not_owner"
    assert refuse(world, ANN, VoidAnswer(member=name_hash("?"), answer_hash=name_hash("x"))) == "member_unknown"
    assert world.call(ANN, call).number == 0
    assert refuse(world, ANN, call) == "already"
    assert world.call(ANN, VoidAnswer(member=member, answer_hash=name_hash("better"))).number == 0
    assert get_void(world, member).answer_hash == name_hash("better")
    world.advance(HEARING_DAYS)
    assert refuse(world, ANN, call) == "void_state"
    other = world.join("ben", 5_000)
    answer = VoidAnswer(member=other, answer_hash=name_hash("x"))
    assert refuse(world, name_hash("member", "ben"), answer) == "void_state"


def test_only_an_auditor_decides_once_after_the_hearing() -> None:
    world, member = start()
    call = VoidDecide(member=member, is_void=True)
    assert refuse(world, "audit-one", call) == "void_state"
    world.advance(HEARING_DAYS)
    for signer in ("platform", "bank", "firm-a", "clinic", "stranger", ANN):
        assert refuse(world, signer, call) == "wrong_role"
    assert refuse(world, "audit-one", VoidDecide(member=name_hash("?"), is_void=True)) == "member_unknown"
    other = world.join("ben", 5_000)
    assert refuse(world, "audit-one", VoidDecide(member=other, is_void=True)) == "void_state"
    assert world.call("audit-one", call).number == 0
    assert refuse(world, "audit-one", call) == "void_state"
    assert refuse(world, "audit-one", VoidDecide(member=member, is_void=False)) == "void_state"
