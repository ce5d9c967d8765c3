"""Deciding: the reports bind, the case goes up when somebody is silent, and nothing confirms itself."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_decision import compute_amount
from chain.contract.claim_events import ClaimEscalated
from chain.contract.claim_status import DUE_DECISION
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM_APPROVED,
    CLAIM_CASE,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_PAID,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
    BillTagRecord,
)
from chain.contract.tables import MEMBER_LEFT, PLAN_PAUSED, VERSION
from chain.contract.version_tables import PIN, PinRecord
from tests.chain.contract.claim_world import (
    FIRST_DAY,
    PLAN_NAME,
    ROW_MILD,
    ROW_SEVERE,
    START_DAY,
    TERMS,
    ClaimWorld,
    name_hash,
)
from tests.chain.contract.test_claim_withdrawal import withdraw

NOT_FULFILLED: dict[str, object] = {"finding": 0}
TAG = name_hash("bill")


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def investigate_split(world: ClaimWorld, *reports: dict[str, object]) -> bytes:
    """Bring a claim to INVESTIGATED with three reports of which the first two differ."""
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, **reports[0])
    world.seal(claim_id, second, **reports[1])
    world.open_report(claim_id, first, **reports[0])
    world.open_report(claim_id, second, **reports[1])
    world.advance(2)
    third = world.list_firms(claim_id)[2]
    world.seal(claim_id, third, **reports[2])
    world.open_report(claim_id, third, **reports[2])
    world.certify(claim_id)
    return claim_id


def get_end(world: ClaimWorld, claim_id: bytes) -> tuple[int, int]:
    claim = world.get_claim(claim_id)
    return claim.status, claim.reason


# --- approving ---


def test_the_platform_approves_what_the_reports_concur_in(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.decide(claim_id)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.decided_by, claim.due_day) == (CLAIM_APPROVED, "platform", 0)
    assert (claim.row, claim.established_day, claim.amount) == (ROW_SEVERE, FIRST_DAY - 1, 300_000)
    assert world.get_member(claim.member).claim == claim_id


def test_the_row_of_the_reports_decides_the_amount(world: ClaimWorld) -> None:
    claim_id = world.investigate(row=ROW_MILD)
    assert world.refused(lambda: world.decide(claim_id, row=ROW_SEVERE)) == "no_majority"
    world.decide(claim_id, row=ROW_MILD)
    assert world.get_claim(claim_id).amount == 50_000


def test_the_amount_never_exceeds_the_pools_ceiling() -> None:
    world = ClaimWorld()
    world.add_member("ann", version=1)
    richer = world.state.require(VERSION, PLAN_NAME, 0)
    other = ClaimWorld(terms_text=TERMS.replace("300_000", "900_000"))
    world.state.put(VERSION, other.state.require(VERSION, PLAN_NAME, 0), PLAN_NAME, 1)
    claim = world.get_claim(world.file("ann"))
    assert claim.version == 1
    assert compute_amount(world.state, claim, ROW_SEVERE) == 300_000
    assert richer.terms.pinned.benefits[0].severe_fen == 300_000


def test_an_illness_of_a_day_under_another_version_gets_no_more_than_that_one_gave(world: ClaimWorld) -> None:
    poorer = ClaimWorld(terms_text=TERMS.replace("300_000", "200_000")).state.require(VERSION, PLAN_NAME, 0)
    world.state.put(VERSION, poorer, PLAN_NAME, 1)
    claim = world.get_claim(world.file("ann"))
    assert claim.version == 0
    world.state.put(PIN, PinRecord(pins=((0, 1, 0), (claim.diagnosed_day, 0, 0))), claim.member)
    assert compute_amount(world.state, claim, ROW_SEVERE) == 300_000
    for established_day, amount in ((claim.diagnosed_day, 300_000), (claim.diagnosed_day - 1, 200_000)):
        found = replace(claim, established_day=established_day)
        assert compute_amount(world.state, found, ROW_SEVERE) == amount


def test_an_approval_needs_a_certificate(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    world.open_report(claim_id, second)
    assert world.refused(lambda: world.decide(claim_id)) == "certificate_missing"
    world.certify(claim_id)
    world.decide(claim_id)


def test_an_approval_against_the_reports_is_refused(world: ClaimWorld) -> None:
    claim_id = world.investigate(**NOT_FULFILLED)
    assert world.refused(lambda: world.decide(claim_id)) == "no_majority"


def test_a_bill_consumed_by_another_claim_bars_approval_and_may_be_rejected(world: ClaimWorld) -> None:
    claim_id = world.investigate(bill_tags=(TAG,))
    world.state.put(BILL_TAG, BillTagRecord(claim=name_hash("other"), is_consumed=True), PLAN_NAME, TAG)
    assert world.refused(lambda: world.decide(claim_id)) == "bill_consumed"
    world.decide(claim_id, is_approved=False)
    assert world.get_claim(claim_id).status == CLAIM_REJECTED


def file_again_on_another_day(world: ClaimWorld) -> bytes:
    """Get a mild benefit paid, then bring the same diagnosis again under another stated day."""
    first = world.approve(row=ROW_MILD)
    day = world.get_claim(first).established_day
    world.change_claim(first, status=CLAIM_PAID)
    world.change_member(name_hash("member", "ann"), claim=None)
    return world.investigate(row=ROW_MILD, diagnosed_day=day - 1, established_day=day)


def test_one_diagnosis_is_paid_once_whatever_day_is_stated(world: ClaimWorld) -> None:
    claim_id = file_again_on_another_day(world)
    assert world.refused(lambda: world.decide(claim_id, row=ROW_MILD)) == "case_decided"
    world.decide(claim_id, is_approved=False)
    assert world.get_claim(claim_id).status == CLAIM_REJECTED


def test_an_approved_day_cannot_be_stated_again(world: ClaimWorld) -> None:
    first = world.approve(row=ROW_MILD, established_day=FIRST_DAY - 7)
    world.change_claim(first, status=CLAIM_PAID)
    world.change_member(name_hash("member", "ann"), claim=None)
    assert world.refused(lambda: world.file("ann", diagnosed_day=FIRST_DAY - 7)) == "case_decided"


def test_a_rejection_takes_nothing_from_the_claim_that_had_decided_the_day(world: ClaimWorld) -> None:
    """Else its appeal would find nobody before it, and the same diagnosis would be paid twice."""
    claim_id = file_again_on_another_day(world)
    claim = world.get_claim(claim_id)
    day = claim.diagnosed_day + 1
    first = world.state.require(CLAIM_CASE, claim.member, claim.cause, day)
    assert first.claim != claim_id
    world.decide(claim_id, is_approved=False)
    assert world.state.require(CLAIM_CASE, claim.member, claim.cause, day) == first


def test_a_rejected_day_on_which_another_claim_had_ended_undecided_cannot_be_stated_again(world: ClaimWorld) -> None:
    """Else the member would have a new lot for it."""
    day = FIRST_DAY - 3
    withdraw(world, world.file("ann", diagnosed_day=day))
    world.reveal(0, 1)
    world.advance(1)
    claim_id = world.investigate(diagnosed_day=day - 1, established_day=day, finding=0)
    world.decide(claim_id, is_approved=False)
    assert world.get_claim(claim_id).status == CLAIM_REJECTED
    assert world.refused(lambda: world.file("ann", diagnosed_day=day)) == "case_decided"


def test_silence_over_a_diagnosis_decided_before_rejects(world: ClaimWorld) -> None:
    claim_id = file_again_on_another_day(world)
    world.advance(35)
    assert get_end(world, claim_id) == (CLAIM_REJECTED, get_entry("case_decided").number)


def test_an_established_day_in_the_waiting_period_gives_the_shares_back_instead(world: ClaimWorld) -> None:
    world.change_pool(share_index=900, settlements=1)
    claim_id = world.investigate(established_day=START_DAY + 89)
    world.decide(claim_id)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.amount, claim.is_shares_refund) == (CLAIM_SHARES_REFUND, 900, True)
    assert world.get_member(claim.member).status == MEMBER_LEFT


@pytest.mark.parametrize(("day", "reason"), [(START_DAY - 1, "not_covered"), (FIRST_DAY - 181, "claim_too_late")])
def test_an_established_day_without_a_right_refuses_the_claim(world: ClaimWorld, day: int, reason: str) -> None:
    claim_id = world.investigate(established_day=day)
    world.decide(claim_id)
    assert get_end(world, claim_id) == (CLAIM_REFUSED, get_entry(reason).number)
    assert world.get_member(name_hash("member", "ann")).claim is None
    assert world.refused(lambda: world.file("ann", diagnosed_day=FIRST_DAY - 1)) == "case_decided"


# --- rejecting ---


def test_a_rejection_cites_clauses_and_has_the_reports_behind_it(world: ClaimWorld) -> None:
    claim_id = world.investigate(**NOT_FULFILLED)
    assert world.refused(lambda: world.decide(claim_id, is_approved=False, clauses=())) == "clauses_missing"
    world.decide(claim_id, is_approved=False, clauses=("5.3",))
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.reason, claim.clauses) == (CLAIM_REJECTED, 0, ("5.3",))
    assert world.get_member(claim.member).claim is None


def test_the_platform_cannot_reject_what_the_reports_found_fulfilled(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    assert world.refused(lambda: world.decide(claim_id, is_approved=False)) == "no_majority"


def test_three_different_reports_support_no_approval_and_may_be_rejected(world: ClaimWorld) -> None:
    claim_id = investigate_split(world, {}, {"row": ROW_MILD}, NOT_FULFILLED)
    assert world.refused(lambda: world.decide(claim_id)) == "no_majority"
    assert world.refused(lambda: world.decide(claim_id, row=ROW_MILD)) == "no_majority"
    world.decide(claim_id, is_approved=False)
    assert world.get_claim(claim_id).status == CLAIM_REJECTED


# --- who ---


def test_each_organisation_decides_only_in_its_turn(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    assert world.refused(lambda: world.decide(claim_id, "audit-one")) == "not_your_turn"
    assert world.refused(lambda: world.decide(claim_id, "bank")) == "wrong_role"
    assert world.refused(lambda: world.decide(claim_id, "firm-a")) == "wrong_role"
    assert world.refused(lambda: world.decide(claim_id, "ann")) == "wrong_role"
    assert world.refused(lambda: world.decide(name_hash("none"))) == "claim_unknown"
    world.advance(15)
    assert world.refused(lambda: world.decide(claim_id, "platform")) == "deadline_passed"
    assert world.refused(lambda: world.decide(claim_id, "audit-two")) == "not_your_turn"
    world.decide(claim_id, "audit-one")
    assert world.get_claim(claim_id).decided_by == "audit-one"
    assert world.refused(lambda: world.decide(claim_id, "audit-one")) == "claim_state"


def test_a_third_auditor_is_never_asked_to_decide() -> None:
    organisations = (
        ("platform", 0, "p"),
        ("bank", 1, "b"),
        ("audit-one", 2, "a1"),
        ("audit-two", 2, "a2"),
        ("audit-three", 2, "a3"),
        ("firm-a", 3, "fa"),
        ("firm-b", 3, "fb"),
        ("firm-c", 3, "fc"),
        ("firm-d", 3, "fd"),
        ("clinic", 4, "c"),
    )
    world = ClaimWorld(organisations)
    world.add_member("ann")
    claim_id = world.investigate()
    assert world.refused(lambda: world.decide(claim_id, "audit-three")) == "wrong_role"


# --- silence ---


def test_a_silent_platform_and_two_silent_auditors_leave_it_to_the_concurring_reports(
    world: ClaimWorld,
) -> None:
    claim_id = world.investigate()
    world.advance(14)
    assert world.get_claim(claim_id).escalation == 0
    world.advance(1)
    claim = world.get_claim(claim_id)
    assert (claim.escalation, claim.due_kind, claim.due_day) == (1, DUE_DECISION, world.today + 10)
    world.advance(10)
    assert world.get_claim(claim_id).escalation == 2
    world.advance(9)
    assert world.get_claim(claim_id).status == CLAIM_INVESTIGATED
    world.advance(1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.decided_by, claim.amount) == (CLAIM_APPROVED, None, 300_000)
    raised = [event.escalation for event in world.events if isinstance(event, ClaimEscalated)]
    assert raised == [1, 2, 3]


def test_a_decision_cites_clauses_of_the_rules_that_the_member_pinned(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    assert world.refused(lambda: world.decide(claim_id, clauses=("99.9",))) == "clause_unknown"
    assert world.refused(lambda: world.decide(claim_id, is_approved=False, clauses=("99.9",))) == "clause_unknown"
    world.decide(claim_id, clauses=())


def test_silence_over_reports_that_found_nothing_rejects_with_their_clauses(world: ClaimWorld) -> None:
    claim_id = world.investigate(finding=0, clauses=("5.1",))
    world.advance(35)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.clauses, claim.decided_by) == (CLAIM_REJECTED, ("5.1",), None)


def test_silence_over_three_different_reports_rejects_for_want_of_a_majority(world: ClaimWorld) -> None:
    claim_id = investigate_split(world, {}, {"row": ROW_MILD}, NOT_FULFILLED)
    world.advance(35)
    assert get_end(world, claim_id) == (CLAIM_REJECTED, get_entry("no_majority").number)


def test_silence_without_a_certificate_expires_the_claim_and_never_approves_it(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    world.open_report(claim_id, second)
    world.advance(35)
    assert get_end(world, claim_id) == (CLAIM_EXPIRED, get_entry("certificate_missing").number)
    assert world.get_member(name_hash("member", "ann")).claim is None


def test_silence_over_a_consumed_bill_rejects(world: ClaimWorld) -> None:
    claim_id = world.investigate(bill_tags=(TAG,))
    world.state.put(BILL_TAG, BillTagRecord(claim=name_hash("other"), is_consumed=True), PLAN_NAME, TAG)
    world.advance(35)
    assert get_end(world, claim_id) == (CLAIM_REJECTED, get_entry("bill_consumed").number)


def test_where_an_auditor_assessed_the_other_is_kept_free_to_confirm(world: ClaimWorld) -> None:
    """With two auditors, one assessing and one deciding, nobody would be left who may confirm."""
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    world.advance(9)
    world.accept(claim_id, "audit-two")
    for firm in (first, "audit-two"):
        world.commit(claim_id, firm)
    for firm in (first, "audit-two"):
        world.open_report(claim_id, firm)
    world.certify(claim_id)
    world.advance(15)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.escalation, claim.decided_by) == (CLAIM_APPROVED, 3, None)


def test_days_in_which_the_plan_is_stopped_do_not_count(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.change_plan(status=PLAN_PAUSED, stopped_days=4)
    world.advance(18)
    assert world.get_claim(claim_id).escalation == 0
    world.advance(1)
    assert world.get_claim(claim_id).escalation == 1


# --- bribery (contract 7) ---


@pytest.mark.parametrize("is_bribed_first", [False, True])
def test_one_bribed_assessor_and_a_bribed_hospital_get_no_invented_patient_paid(is_bribed_first: bool) -> None:
    """Whichever seat the bribed firm holds, the honest one differs, a third firm joins, and two of three decide."""
    world = ClaimWorld()
    world.add_member("ann")
    claim_id, first, second = world.assign()
    bribed = first if is_bribed_first else second
    reports = {firm: {} if firm == bribed else NOT_FULFILLED for firm in (first, second)}
    for firm, report in reports.items():
        world.seal(claim_id, firm, **report)
    for firm, report in reports.items():
        world.open_report(claim_id, firm, **report)
    world.certify(claim_id, "clinic", document="forged")
    world.advance(2)
    third = world.list_firms(claim_id)[2]
    world.seal(claim_id, third, **NOT_FULFILLED)
    world.open_report(claim_id, third, **NOT_FULFILLED)
    assert world.refused(lambda: world.decide(claim_id)) == "no_majority"
    world.advance(35)
    assert world.get_claim(claim_id).status == CLAIM_REJECTED
