"""Auditor and firm in place of a jury: who is asked, how they decide, and what their silence means."""

import pytest
from msgspec.structs import replace

from chain.contract.appeal_events import AppealRuled, PanelSeated
from chain.contract.appeal_panel import PANEL_DAYS
from chain.contract.appeal_tables import DECIDER_NOBODY, DECIDER_PANEL, SUBJECT_REJECTED, VOTE_NONE
from chain.contract.claim_calls import AppealRule, ClaimConfirm, ClaimDecide
from chain.contract.claim_tables import CLAIM
from chain.contract.tables import ROSTER, RosterRecord
from chain.genesis import ROLE_ASSESSOR
from tests.chain.contract.acts import do, refuse
from tests.chain.contract.appeal_world import AppealWorld
from tests.chain.contract.world import name_hash


@pytest.fixture
def world() -> AppealWorld:
    """A plan that is too small for a jury."""
    return AppealWorld(members=30)


def ask(world: AppealWorld, claim_id: bytes) -> tuple[bytes, str, str]:
    """Appeal and let the panel be seated; return (case, auditor, firm)."""
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    world.draw()
    auditor, firm = (seat.organisation for seat in world.case(case_id).panel)
    return case_id, auditor, firm


def test_the_second_auditor_and_a_firm_that_was_never_on_the_claim_are_asked(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id, auditor, firm = ask(world, claim_id)
    assert auditor == "audit-two"
    assert firm.startswith("firm-") and firm not in [item.organisation for item in world.claim(claim_id).firms]
    (event,) = [event for event in world.events if isinstance(event, PanelSeated)]
    assert (event.organisations, event.due_day) == ((auditor, firm), world.today + PANEL_DAYS)
    assert world.case(case_id).panel[0].vote == VOTE_NONE


@pytest.mark.parametrize(
    ("votes", "stage"),
    [
        ((True, True), "upheld"),
        ((True, False), "dismissed"),
        ((False, True), "dismissed"),
        ((False, False), "dismissed"),
    ],
)
def test_both_votes_decide_at_once_and_different_ones_leave_the_decision(
    world: AppealWorld, votes: tuple[bool, bool], stage: str
) -> None:
    claim_id = world.reject()
    case_id, auditor, firm = ask(world, claim_id)
    assert world.rule(auditor, case_id, is_upheld=votes[0]).number == 0
    assert world.stage(case_id) == "panel"
    assert world.rule(firm, case_id, is_upheld=votes[1]).number == 0
    ruled = AppealRuled(case=case_id, claim=claim_id, organisation=firm, is_upheld=votes[1])
    assert ruled in world.events
    assert (world.stage(case_id), world.case(case_id).decider) == (stage, DECIDER_PANEL)
    assert world.get_status(claim_id) == ("approved" if stage == "upheld" else "rejected")


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("is_upheld", [True, False])
def test_silence_of_one_does_not_count_and_the_other_decides(world: AppealWorld, seat: int, is_upheld: bool) -> None:
    case_id, *names = ask(world, world.reject())
    world.rule(names[seat], case_id, is_upheld=is_upheld)
    world.advance(PANEL_DAYS - 1)
    assert world.stage(case_id) == "panel"
    world.advance(1)
    assert world.stage(case_id) == ("upheld" if is_upheld else "dismissed")


def test_silence_of_both_leaves_the_decision(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id, _, _ = ask(world, claim_id)
    world.advance(PANEL_DAYS)
    assert (world.stage(case_id), world.case(case_id).decider) == ("dismissed", DECIDER_NOBODY)
    assert world.get_status(claim_id) == "rejected"


def test_the_auditor_of_the_panel_does_not_confirm_the_claim(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id, auditor, firm = ask(world, claim_id)
    for name in (auditor, firm):
        world.rule(name, case_id, is_upheld=True)
    assert world.claim(claim_id).decided_by == auditor
    world.advance_to_day_of_month(7)
    for _ in range(2):
        world.advance(4)
        period = world.claim(claim_id).period
        confirmer = world.period(period).confirmer or ""
        if confirmer == auditor:
            assert refuse(world, auditor, ClaimConfirm(items=(claim_id,))) == "decider_confirms"
            world.advance_to(world.period(period + 1).notice_day)
        else:
            do(world, confirmer, ClaimConfirm(items=(claim_id,)))
            return
    raise AssertionError("nobody could confirm the claim")


def test_who_took_the_decision_does_not_judge_it(world: AppealWorld) -> None:
    claim_id = world.reject()
    world.state.put(CLAIM, replace(world.claim(claim_id), decided_by="audit-two"), claim_id)
    _, auditor, _ = ask(world, claim_id)
    assert auditor == "audit-one"


def test_where_no_other_auditor_could_confirm_the_firm_judges_alone(world: AppealWorld) -> None:
    claim_id = world.reject()
    claim = world.claim(claim_id)
    seat = replace(claim.firms[0], organisation="audit-one")
    world.state.put(CLAIM, replace(claim, firms=(*claim.firms, seat)), claim_id)
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    world.draw()
    (only,) = world.case(case_id).panel
    assert only.organisation.startswith("firm-")
    world.rule(only.organisation, case_id, is_upheld=True)
    assert world.get_status(claim_id) == "approved"
    assert world.claim(claim_id).decided_by is None


def test_where_nobody_is_left_the_decision_stands(world: AppealWorld) -> None:
    claim_id = world.reject()
    claim = world.claim(claim_id)
    seat = replace(claim.firms[0], organisation="audit-one")
    world.state.put(CLAIM, replace(claim, firms=(*claim.firms, seat)), claim_id)
    roster = tuple(item.organisation for item in claim.firms)
    world.state.put(ROSTER, RosterRecord(names=roster), ROLE_ASSESSOR)
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    world.draw()
    assert (world.stage(case_id), world.case(case_id).decider) == ("dismissed", DECIDER_NOBODY)
    assert world.get_status(claim_id) == "rejected"


def test_only_the_panel_rules_and_each_of_it_once(world: AppealWorld) -> None:
    case_id, auditor, firm = ask(world, world.reject())

    def rule(is_upheld: bool = True) -> AppealRule:
        return AppealRule(case=case_id, is_upheld=is_upheld)

    assert refuse(world, auditor, AppealRule(case=name_hash("nothing"), is_upheld=True)) == "appeal_unknown"
    assert refuse(world, world.ann, rule()) == "wrong_role"
    for other in ("platform", "bank", "audit-one", "clinic"):
        assert refuse(world, other, rule()) == "not_drawn"
    do(world, auditor, rule())
    assert refuse(world, auditor, rule()) == "already"
    assert refuse(world, auditor, rule(is_upheld=False)) == "conflict"
    world.advance(PANEL_DAYS)
    assert refuse(world, firm, rule()) == "appeal_state"


def test_a_case_before_a_jury_is_not_for_a_panel() -> None:
    world = AppealWorld()
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    assert refuse(world, "audit-two", AppealRule(case=case_id, is_upheld=True)) == "not_drawn"


def test_the_claims_of_a_silent_platform_reach_a_panel_without_the_auditor_that_rejected(world: AppealWorld) -> None:
    claim_id = world.investigate(finding=0)
    world.advance(15)
    do(world, "audit-one", ClaimDecide(claim=claim_id, is_approved=False, row=0, clauses=("4.1",)))
    _, auditor, _ = ask(world, claim_id)
    assert auditor == "audit-two"
