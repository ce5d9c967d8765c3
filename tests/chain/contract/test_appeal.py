"""Which decisions may be appealed, by whom, until when; what an open case holds, and that it always ends."""

import pytest
from msgspec.structs import replace

from chain.contract.appeal import DISMISSED_PER_YEAR_MAX, WAITING_MAX
from chain.contract.appeal_events import AppealFiled
from chain.contract.appeal_tables import (
    APPELLANT,
    CLAIM_APPEALS,
    DECIDER_NOBODY,
    SUBJECT_REFUSED,
    SUBJECT_REJECTED,
    SUBJECT_ROW,
    SUBJECT_VOID,
)
from chain.contract.claim_calls import AppealFile, ClaimConfirm, ClaimDecide, ClaimFile
from chain.contract.claim_claimant import PAYEE_ESTATE
from chain.contract.claim_status import APPEAL_DAYS
from chain.contract.claim_tables import BILL_TAG, CLAIM, BillTagRecord
from chain.contract.member_calls import DeathReport, MemberLeave, VoidDecide, VoidOpen
from chain.contract.person_tables import VOID, VOID_APPEALED, VOID_DISMISSED, VOID_UPHELD
from chain.contract.persons import bar_person
from chain.contract.plan_calls import Pause
from chain.contract.tables import MEMBER, MEMBER_LEFT, MEMBER_SHARING, MEMBER_VOIDED, PERSON, PLAN, PLAN_ENDED
from tests.chain.contract.acts import do, member_key, refuse
from tests.chain.contract.appeal_world import ANN, JURORS, MILD, SEVERE, AppealWorld
from tests.chain.contract.world import PLAN_NAME, name_hash

KEY = member_key(ANN)


@pytest.fixture
def world() -> AppealWorld:
    return AppealWorld()


# --- filing ---


def test_an_appeal_makes_the_claim_the_members_open_one_again(world: AppealWorld) -> None:
    claim_id = world.reject()
    assert world.member(world.ann).claim is None
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    assert AppealFiled(case=case_id, claim=claim_id, appeal_subject=0, is_waiting=False) in world.last_events
    assert (world.get_status(claim_id), world.stage(case_id)) == ("appealed", "draw")
    assert world.member(world.ann).claim == claim_id
    again = ClaimFile(
        member=world.ann,
        cause=1,
        diagnosed_day=world.today - 1,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=MILD,
        payee_kind=0,
    )
    assert refuse(world, KEY, again) == "claim_open"


def test_a_decision_may_be_appealed_for_thirty_days(world: AppealWorld) -> None:
    claim_id = world.reject()
    assert world.claim(claim_id).due_day == world.today + APPEAL_DAYS
    world.advance(APPEAL_DAYS - 1)
    world.appeal(claim_id, SUBJECT_REJECTED)


@pytest.mark.parametrize("subject", [SUBJECT_REJECTED, SUBJECT_REFUSED])
def test_and_not_a_day_longer(world: AppealWorld, subject: int) -> None:
    claim_id = world.reject() if subject == SUBJECT_REJECTED else world.refuse_at_filing()
    world.advance(APPEAL_DAYS)
    assert world.claim(claim_id).due_day == 0
    assert refuse(world, KEY, world.build_appeal(claim_id, subject)) == "deadline_passed"


def test_stopped_days_do_not_count_for_the_thirty(world: AppealWorld) -> None:
    claim_id = world.reject()
    do(world, "bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance(APPEAL_DAYS + 5)
    world.appeal(claim_id, SUBJECT_REJECTED)


def test_only_the_claims_member_appeals_and_only_a_claim_that_there_is(world: AppealWorld) -> None:
    claim_id = world.reject()
    call = world.build_appeal(claim_id, SUBJECT_REJECTED)
    other = world.members[8]
    assert refuse(world, member_key("m8"), call) == "not_owner"
    assert refuse(world, member_key("m8"), replace(call, member=other)) == "not_owner"
    assert refuse(world, KEY, replace(call, member=name_hash("nobody"))) == "member_unknown"
    assert refuse(world, KEY, replace(call, claim=name_hash("nothing"))) == "claim_unknown"
    assert refuse(world, KEY, replace(call, heir=name_hash("heir"))) == "heir_invalid"


def test_a_claim_is_named_except_for_a_void(world: AppealWorld) -> None:
    claim_id = world.reject()
    assert refuse(world, KEY, world.build_appeal(None, SUBJECT_REJECTED)) == "value_out_of_range"
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_VOID)) == "value_out_of_range"
    assert refuse(world, KEY, world.build_appeal(None, SUBJECT_VOID)) == "void_state"


@pytest.mark.parametrize("subject", [SUBJECT_REJECTED, SUBJECT_REFUSED, SUBJECT_ROW])
def test_only_what_was_decided_may_be_appealed(world: AppealWorld, subject: int) -> None:
    claim_id = world.investigate()
    assert refuse(world, KEY, world.build_appeal(claim_id, subject)) == "claim_state"


def test_a_rejected_claim_is_no_refused_one(world: AppealWorld) -> None:
    assert refuse(world, KEY, world.build_appeal(world.reject(), SUBJECT_REFUSED)) == "claim_state"


def test_what_no_jury_could_change_is_not_brought_before_one(world: AppealWorld) -> None:
    claim_id = world.investigate()
    (tag,) = world.claim(claim_id).bill_tags
    other = world.file("m9", world.members[9], day=world.today - 1, row=MILD)
    world.state.put(BILL_TAG, BillTagRecord(claim=other, is_consumed=True), PLAN_NAME, tag)
    do(world, "platform", ClaimDecide(claim=claim_id, is_approved=False, row=0, clauses=("4.1",)))
    world.state.put(CLAIM, replace(world.claim(claim_id), reason=314), claim_id)
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "claim_state"


def test_one_decision_is_appealed_once(world: AppealWorld) -> None:
    claim_id = world.reject()
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=0)
    assert world.get_status(claim_id) == "rejected"
    assert world.state.require(CLAIM_APPEALS, claim_id).decisions == (0,)
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "appealed_before"


def test_after_three_dismissed_appeals_in_a_year_there_is_no_fourth(world: AppealWorld) -> None:
    for number in range(DISMISSED_PER_YEAR_MAX):
        claim_id = world.file(ANN, world.ann, day=world.today - 30 - 9 * number)
        world.try_case(claim_id, SUBJECT_REFUSED, upheld=0)
    claim_id = world.file(ANN, world.ann, day=world.today - 90)
    call = world.build_appeal(claim_id, SUBJECT_REFUSED)
    assert refuse(world, KEY, call) == "limit_reached"
    record = world.state.require(APPELLANT, world.ann)
    world.state.put(APPELLANT, replace(record, year=record.year - 1), world.ann)
    do(world, KEY, call)


def test_appeals_that_were_right_do_not_count(world: AppealWorld) -> None:
    claim_id = world.refuse_at_filing()
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=JURORS)
    assert world.state.get(APPELLANT, world.ann) is None


def test_who_may_not_come_back_appeals_no_claim(world: AppealWorld) -> None:
    claim_id = world.reject()
    bar_person(world.state, world.ann, world.member(world.ann))
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "member_state"


def test_in_a_plan_that_has_ended_nothing_is_appealed(world: AppealWorld) -> None:
    claim_id = world.reject()
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "plan_not_active"


def test_an_heir_appeals_together_with_an_auditor(world: AppealWorld) -> None:
    claim_id = world.reject()
    do(world, "bank", DeathReport(member=world.ann, document_hash=name_hash("papers")))
    heir = name_hash("heir")
    call = replace(world.build_appeal(claim_id, SUBJECT_REJECTED), heir=heir)
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "heir_invalid"
    do(world, heir, call)
    assert world.get_status(claim_id) == "rejected"
    do(world, "audit-two", call)
    case_id = world.last_tx
    assert (world.get_status(claim_id), world.stage(case_id)) == ("appealed", "draw")
    world.draw()
    world.vote(case_id, *([True] * JURORS))
    assert (world.get_status(claim_id), world.claim(claim_id).payee_kind) == ("approved", PAYEE_ESTATE)


# --- a row that is lower than asked ---


def test_a_lower_row_is_appealed_before_the_confirmation_and_the_claim_waits(world: AppealWorld) -> None:
    claim_id = world.approve_lower()
    world.advance_to_day_of_month(7)
    assert world.get_status(claim_id) == "noticed"
    period = world.claim(claim_id).period
    case_id = world.appeal(claim_id, SUBJECT_ROW)
    world.advance(4)
    call = ClaimConfirm(items=(claim_id,))
    signer = world.period(period).confirmer or ""
    assert refuse(world, signer, call) == "claim_state"
    world.draw()
    world.vote(case_id, *([False] * JURORS))
    assert world.get_status(claim_id) == "approved"


def test_a_confirmed_row_is_not_appealed(world: AppealWorld) -> None:
    claim_id = world.approve_lower()
    world.advance_to_day_of_month(7)
    world.advance(4)
    do(world, world.period(world.claim(claim_id).period).confirmer or "", ClaimConfirm(items=(claim_id,)))
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_ROW)) == "claim_state"


def test_the_row_that_was_asked_for_is_not_too_low(world: AppealWorld) -> None:
    claim_id = world.investigate(row=SEVERE)
    do(world, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=SEVERE, clauses=()))
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_ROW)) == "row_not_lower"


# --- a void ---


def build_void(world: AppealWorld) -> None:
    call = VoidOpen(member=world.ann, finding_root=name_hash("finding"))
    do(world, "platform", call)
    do(world, "firm-a", call)
    world.advance(15)
    do(world, "audit-one", VoidDecide(member=world.ann, is_void=True))


@pytest.mark.parametrize(("upheld", "status"), [(JURORS, MEMBER_SHARING), (0, MEMBER_VOIDED)])
def test_a_void_is_final_or_dismissed_as_the_jury_says(world: AppealWorld, upheld: int, status: int) -> None:
    build_void(world)
    case_id = world.appeal(None, SUBJECT_VOID)
    assert world.state.require(VOID, world.ann).stage == VOID_APPEALED
    assert refuse(world, KEY, world.build_appeal(None, SUBJECT_VOID)) == "void_state"
    world.draw()
    world.vote(case_id, *(number < upheld for number in range(JURORS)))
    assert world.state.require(VOID, world.ann).stage == (VOID_DISMISSED if upheld else VOID_UPHELD)
    world.advance_to_day_of_month(15)
    assert world.member(world.ann).status == status
    world.commit_block_checks()


def test_a_void_that_nobody_judges_becomes_final(world: AppealWorld) -> None:
    build_void(world)
    case_id = world.appeal(None, SUBJECT_VOID)
    world.fail_juries(case_id)
    assert [seat.organisation for seat in world.case(case_id).panel][:1] == ["audit-two"]
    assert world.case(case_id).panel[1].organisation in ("firm-b", "firm-c", "firm-d")
    world.advance(10)
    assert world.case(case_id).decider == DECIDER_NOBODY
    assert world.state.require(VOID, world.ann).stage == VOID_UPHELD


# --- the person, and leaving meanwhile ---


def test_the_person_of_somebody_who_left_is_held_while_a_case_is_open(world: AppealWorld) -> None:
    claim_id = world.reject()
    do(world, KEY, MemberLeave(member=world.ann))
    person = name_hash("person", ANN)
    assert world.state.get(PERSON, PLAN_NAME, person) is None
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    assert world.state.require(PERSON, PLAN_NAME, person).member == world.ann
    world.draw()
    world.vote(case_id, *([False] * JURORS))
    assert world.member(world.ann).status == MEMBER_LEFT
    assert world.state.get(PERSON, PLAN_NAME, person) is None


# --- waiting for another claim ---


def build_waiting(world: AppealWorld) -> tuple[bytes, bytes, bytes]:
    """Return (the rejected claim, the open one, the case that waits for its end)."""
    rejected = world.reject()
    opened = world.file(ANN, world.ann, day=world.today, cause=1, row=MILD)
    case_id = world.appeal(rejected, SUBJECT_REJECTED)
    return rejected, opened, case_id


def test_an_appeal_waits_for_the_end_of_another_claim_and_its_days_are_not_lost(world: AppealWorld) -> None:
    rejected, opened, case_id = build_waiting(world)
    assert (world.stage(case_id), world.get_status(rejected)) == ("waiting", "rejected")
    assert world.member(world.ann).claim == opened
    filed = world.today
    while world.member(world.ann).claim == opened:
        assert world.stage(case_id) == "waiting"
        world.advance(1)
    assert (world.get_status(opened), world.stage(case_id)) == ("expired", "waiting")
    assert world.today > filed + 10
    call = ClaimFile(
        member=world.ann,
        cause=1,
        diagnosed_day=world.today - 2,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=MILD,
        payee_kind=0,
    )
    assert refuse(world, KEY, call) == "claim_open"
    world.advance(1)
    assert (world.stage(case_id), world.get_status(rejected)) == ("draw", "appealed")
    assert world.member(world.ann).claim == rejected
    assert world.state.require(APPELLANT, world.ann).waiting == 0
    world.draw()
    world.vote(case_id, *([True] * JURORS))
    assert world.get_status(rejected) == "approved"


def test_a_waiting_appeal_of_somebody_who_was_barred_meanwhile_ends(world: AppealWorld) -> None:
    rejected, _, case_id = build_waiting(world)
    bar_person(world.state, world.ann, world.member(world.ann))
    world.state.put(MEMBER, replace(world.member(world.ann), claim=None), world.ann)
    world.advance(1)
    assert (world.stage(case_id), world.case(case_id).decider) == ("dismissed", DECIDER_NOBODY)
    assert world.get_status(rejected) == "rejected"
    assert world.state.require(APPELLANT, world.ann).dismissed == 0


def test_appeals_that_a_silent_panel_let_fall_count_as_dismissed(world: AppealWorld) -> None:
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    world.fail_juries(case_id)
    world.advance(10)
    assert world.stage(case_id) == "dismissed"
    assert world.state.require(APPELLANT, world.ann).dismissed == 1


def test_four_appeals_may_wait(world: AppealWorld) -> None:
    refused = [world.file(ANN, world.ann, day=world.today - 30 - number) for number in range(WAITING_MAX + 1)]
    world.file(ANN, world.ann, day=world.today, cause=1, row=MILD)
    for claim_id in refused[:WAITING_MAX]:
        world.appeal(claim_id, SUBJECT_REFUSED)
    assert refuse(world, KEY, world.build_appeal(refused[-1], SUBJECT_REFUSED)) == "limit_reached"


def test_two_waiting_appeals_are_heard_one_after_the_other(world: AppealWorld) -> None:
    refused = [world.file(ANN, world.ann, day=world.today - 30 - number) for number in range(2)]
    first = world.appeal(refused[0], SUBJECT_REFUSED)
    second = world.appeal(refused[1], SUBJECT_REFUSED)
    assert (world.stage(first), world.stage(second)) == ("draw", "waiting")
    world.draw()
    world.vote(first, *([False] * JURORS))
    world.advance(1)
    assert (world.stage(second), world.get_status(refused[1])) == ("draw", "appealed")


def test_an_appeal_file_is_one_transaction_of_the_member() -> None:
    fields = AppealFile.__struct_fields__
    assert fields == ("member", "subject", "claim", "grounds_hash", "heir")
