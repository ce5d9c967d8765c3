"""Proposals and votes: who may open, who may vote, what decides, and what time does to them."""

import pytest
from msgspec.structs import replace

from chain.contract.governance_calls import (
    ChangeKey,
    Payload,
    ProposalOpen,
    ProposalVote,
    RemoveOrganisation,
    SetParameter,
)
from chain.contract.governance_events import ProposalStatusChanged
from chain.contract.governance_tables import CONSORTIUM, PROPOSALS_MAX, LiveProposal
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_HOSPITAL
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.governance_world import GOVERNORS, GovernanceWorld, add_organisation
from tests.chain.contract.world import name_hash

DRAIN = SetParameter(name="drain_max", value=300)


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld()


def refuse(world: GovernanceWorld, opener: str, payload: Payload, code: str) -> None:
    """Check that a proposal is refused with this code and changes nothing."""
    before = list_pending(world.state)
    assert world.open(opener, payload) == code
    assert list_pending(world.state) == before
    assert world.last_events == []


# --- opening ---


@pytest.mark.parametrize("opener", GOVERNORS)
def test_each_organisation_that_governs_may_open_a_proposal_and_this_is_its_yes(
    world: GovernanceWorld, opener: str
) -> None:
    proposal = world.propose(opener, DRAIN)
    record = world.proposal(proposal)
    assert [(vote.organisation, vote.is_yes) for vote in record.votes] == [(opener, True)]
    assert record.voters == GOVERNORS
    assert (record.number, record.opened_day, record.expire_day) == (1, world.today, world.today + 30)
    assert [type(event).__name__ for event in world.last_events] == ["ProposalOpened", "ProposalVoted"]


@pytest.mark.parametrize("opener", ["firm-a", "clinic", "nobody"])
def test_nobody_else_may_open_one(world: GovernanceWorld, opener: str) -> None:
    before = list_pending(world.state)
    call = ProposalOpen(payload=DRAIN, reason_hash=name_hash("reason"))
    assert world.call(opener, call).number == 2
    assert list_pending(world.state) == before


def test_a_firm_may_ask_for_itself_and_has_no_vote_on_it(world: GovernanceWorld) -> None:
    proposal = world.propose("firm-a", ChangeKey(organisation="firm-a", new_key=name_hash("new")))
    record = world.proposal(proposal)
    assert record.votes == ()
    assert record.concerned == "firm-a"
    refuse(world, "firm-a", ChangeKey(organisation="firm-b", new_key=name_hash("other")), "wrong_role")


def test_the_same_is_voted_on_once_at_a_time(world: GovernanceWorld) -> None:
    first = world.propose("platform", DRAIN)
    refuse(world, "bank", DRAIN, "proposal_exists")
    for voter in ("bank", "audit-one"):
        world.vote(voter, first)
    refuse(world, "bank", DRAIN, "proposal_exists")
    world.run_until_effect(first)
    assert world.open("bank", replace(DRAIN, value=200)) == "success"


def test_an_organisation_has_eight_live_proposals_and_a_firm_one(world: GovernanceWorld) -> None:
    for value in range(8):
        world.propose("bank", SetParameter(name="drain_max", value=300 + value))
    refuse(world, "bank", SetParameter(name="drain_max", value=400), "proposals_full")
    world.propose("firm-a", ChangeKey(organisation="firm-a", new_key=name_hash("new")))
    refuse(world, "firm-a", ChangeKey(organisation="firm-a", new_key=name_hash("newer")), "proposals_full")
    assert world.open("platform", SetParameter(name="drain_max", value=400)) == "success"


def test_firms_and_hospitals_leave_room_for_those_who_govern() -> None:
    world = GovernanceWorld()
    consortium = world.state.require(CONSORTIUM)
    live = tuple(
        LiveProposal(proposal=name_hash("p", n), payload_hash=name_hash("h", n), proposer="clinic", due_day=99_999)
        for n in range(16)
    )
    world.state.put(CONSORTIUM, replace(consortium, live=live))
    refuse(world, "firm-a", ChangeKey(organisation="firm-a", new_key=name_hash("new")), "proposals_full")
    assert world.open("bank", DRAIN) == "success"


def test_there_is_a_greatest_number_of_live_proposals(world: GovernanceWorld) -> None:
    consortium = world.state.require(CONSORTIUM)
    live = tuple(
        LiveProposal(proposal=name_hash("p", n), payload_hash=name_hash("h", n), proposer="platform", due_day=99_999)
        for n in range(PROPOSALS_MAX)
    )
    world.state.put(CONSORTIUM, replace(consortium, live=live))
    refuse(world, "bank", DRAIN, "proposals_full")


# --- voting ---


def test_a_vote_is_cast_once_and_not_changed(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    before = world.proposal(proposal)
    assert world.vote("platform", proposal) == "already"
    assert world.vote("platform", proposal, is_yes=False) == "conflict"
    assert world.proposal(proposal) == before
    assert world.vote("bank", proposal, is_yes=False) == "success"
    assert world.vote("bank", proposal) == "conflict"


def test_who_may_not_vote(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    assert world.vote("bank", name_hash("unknown")) == "proposal_unknown"
    assert world.vote("firm-b", proposal) == "no_vote"
    assert world.vote("clinic", proposal) == "no_vote"
    call = ProposalVote(proposal=proposal, is_yes=True)
    assert world.call("nobody", call).number == 2
    assert len(world.proposal(proposal).votes) == 1


def test_the_organisation_concerned_has_no_vote_on_itself() -> None:
    world = GovernanceWorld(auditors=3)
    proposal = world.propose("audit-2", ChangeKey(organisation="audit-2", new_key=name_hash("new")))
    assert world.proposal(proposal).voters == ("platform", "bank", "audit-one", "audit-two")
    assert world.vote("audit-2", proposal) == "no_vote"


def test_nor_has_another_of_its_ownership_group() -> None:
    world = GovernanceWorld(auditors=3)
    world.join_group("audit-two", "g-audit-one")
    proposal = world.propose("audit-one", ChangeKey(organisation="audit-one", new_key=name_hash("new")))
    assert world.proposal(proposal).voters == ("platform", "bank", "audit-2")


def test_enough_yes_accept_and_nothing_can_be_added(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    assert world.vote("bank", proposal) == "success"
    assert world.status(proposal) == "open"
    assert world.vote("audit-one", proposal) == "success"
    assert world.status(proposal) == "accepted"
    assert world.proposal(proposal).effect_day == world.today + 7
    told = ProposalStatusChanged(
        proposal=proposal, status=world.proposal(proposal).status, effect_day=world.today + 7, code=0
    )
    assert told in world.last_events
    assert world.vote("audit-two", proposal, is_yes=False) == "proposal_state"


def test_so_many_no_that_it_cannot_pass_reject_it_at_once(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    assert world.vote("bank", proposal, is_yes=False) == "success"
    assert world.status(proposal) == "open"
    assert world.vote("audit-one", proposal, is_yes=False) == "success"
    assert world.status(proposal) == "rejected"
    assert world.live() == 0
    assert world.proposal(proposal).closed_day == world.today
    assert world.parameters.drain_max == 200


# --- time ---


def test_voting_ends_at_midnight_of_its_last_day(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    world.vote("bank", proposal)
    world.advance_to(world.proposal(proposal).expire_day - 1)
    assert world.status(proposal) == "open"
    world.advance(1)
    assert world.status(proposal) == "expired"
    assert world.live() == 0
    assert world.vote("audit-one", proposal) == "proposal_state"
    assert world.open("platform", DRAIN) == "success"


def test_an_effect_waits_for_its_day_and_needs_no_transaction(world: GovernanceWorld) -> None:
    proposal = world.accept("platform", DRAIN)
    effect_day = world.proposal(proposal).effect_day
    world.advance_to(effect_day - 1)
    assert world.parameters.drain_max == 200
    world.advance(1)
    assert world.parameters.drain_max == 300
    assert world.status(proposal) == "effective"
    assert world.proposal(proposal).closed_day == effect_day
    assert world.live() == 0


def test_the_clock_goes_on_while_the_plan_is_frozen(world: GovernanceWorld) -> None:
    # The bank posts no statement in these worlds: the plan is frozen after twelve days.
    world.advance(20)
    assert world.plan.status == 2
    proposal = world.accept("platform", DRAIN)
    world.advance(7)
    assert world.plan.status == 2
    assert world.status(proposal) == "effective"


def test_many_days_at_once_run_in_one_block(world: GovernanceWorld) -> None:
    expiring = world.propose("bank", SetParameter(name="drain_max", value=301))
    proposal = world.accept("platform", DRAIN)
    world.next_block(ms=40 * 86_400_000)
    assert world.status(expiring) == "expired"
    assert world.status(proposal) == "effective"


def test_what_has_become_impossible_fails_with_its_reason_and_changes_nothing(world: GovernanceWorld) -> None:
    first = world.accept("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    second = world.accept("bank", replace(add_organisation("firm-f", ROLE_ASSESSOR), group="g-firm-e"))
    world.run_until_effect(first)
    statuses = sorted(world.status(proposal) for proposal in (first, second))
    assert statuses == ["effective", "failed"]
    failed = first if world.status(first) == "failed" else second
    assert world.proposal(failed).code == 507
    assert len(world.roster(ROLE_ASSESSOR)) == 5


def test_a_mistake_of_ours_costs_one_proposal_and_not_the_chain(
    world: GovernanceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise KeyError("a bug")

    broken = world.accept("platform", DRAIN)
    sound = world.accept("platform", add_organisation("clinic-2", ROLE_HOSPITAL))
    monkeypatch.setattr("chain.contract.governance.apply_set_parameter", explode)
    world.advance(7)
    assert (world.status(broken), world.proposal(broken).code) == ("failed", 1)
    assert world.status(sound) == "effective"
    assert world.parameters.drain_max == 200


# --- who joins or leaves meanwhile ---


def test_whoever_joins_later_has_no_vote_on_what_was_opened_before() -> None:
    world = GovernanceWorld()
    joining = world.accept("platform", add_organisation("audit-new", ROLE_AUDITOR))
    world.advance(1)
    proposal = world.propose("bank", DRAIN)
    world.run_until_effect(joining)
    assert world.vote("audit-new", proposal) == "no_vote"
    later = world.propose("bank", replace(DRAIN, value=301))
    assert "audit-new" in world.proposal(later).voters


def test_whoever_leaves_counts_no_more_and_what_then_suffices_is_accepted() -> None:
    world = GovernanceWorld(auditors=3)
    leaving = world.accept("platform", RemoveOrganisation(name="audit-2"))
    # Five vote, so four are needed; three have said yes, and only the one that leaves is missing.
    proposal = world.propose("platform", DRAIN)
    for voter in ("bank", "audit-one"):
        world.vote(voter, proposal)
    assert world.status(proposal) == "open"
    world.run_until_effect(leaving)
    assert world.status(proposal) == "accepted"


def test_the_vote_of_one_that_left_does_not_count() -> None:
    world = GovernanceWorld(auditors=3)
    leaving = world.accept("platform", RemoveOrganisation(name="audit-2"))
    proposal = world.propose("audit-2", add_organisation("firm-e", ROLE_ASSESSOR))
    world.vote("audit-one", proposal)
    world.run_until_effect(leaving)
    assert world.vote("bank", proposal) == "success"
    assert world.status(proposal) == "open"
    assert world.vote("audit-two", proposal) == "success"
    assert world.status(proposal) == "accepted"
