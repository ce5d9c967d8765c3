"""Signing keys change by vote, or at once by the recovery key; what a stolen key left unfinished falls."""

import pytest

from chain.catalogue import get_entry_by_number
from chain.contract.call_base import CallPart
from chain.contract.calls import Call
from chain.contract.governance_calls import (
    ChangeKey,
    OrgKeyRevoke,
    ProposalOpen,
    ProposalVote,
    RemoveOrganisation,
    SetParameter,
)
from chain.contract.governance_tables import KEY, KEY_LIVE, KEY_RETIRED, KEY_REVOKED
from chain.contract.halves import HALF, Party, cosign, hash_call
from chain.contract.plan_calls import Pause
from chain.contract.tables import ORGANISATION, SIGNER
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_CUSTODIAN
from tests.chain.contract import acts
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.governance_world import GovernanceWorld, add_organisation
from tests.chain.contract.test_proposals import DRAIN, refuse
from tests.chain.contract.world import PLAN_NAME, name_hash

NEW = name_hash("new key")


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld()


def revoke(world: GovernanceWorld, name: str, new_key: bytes = NEW, *, signer: bytes | None = None) -> str:
    call = OrgKeyRevoke(organisation=name, new_key=new_key)
    outcome = world.call(signer or name_hash("recovery", name), call)
    return get_entry_by_number(outcome.number).code


# --- change by vote ---


def test_a_key_that_was_changed_by_vote_is_dead_and_the_new_one_signs(world: GovernanceWorld) -> None:
    old = world.key_of("audit-one")
    world.carry_out("audit-one", ChangeKey(organisation="audit-one", new_key=NEW))
    assert world.key_of("audit-one") == NEW
    assert world.state.get(SIGNER, old) is None
    assert world.state.require(SIGNER, NEW).organisation == "audit-one"
    assert (world.state.require(KEY, old).state, world.state.require(KEY, NEW).state) == (KEY_RETIRED, KEY_LIVE)


@pytest.mark.parametrize(
    ("organisation", "key", "code"),
    [
        ("nobody", NEW, "organisation_unknown"),
        ("bank", name_hash("key", "bank"), "key_in_use"),
        ("bank", name_hash("key", "firm-a"), "key_in_use"),
        ("bank", name_hash("checkpoint", "bank"), "key_in_use"),
        ("bank", bytes(32), "value_out_of_range"),
    ],
)
def test_a_key_change_that_cannot_be(world: GovernanceWorld, organisation: str, key: bytes, code: str) -> None:
    refuse(world, "platform", ChangeKey(organisation=organisation, new_key=key), code)


def test_the_same_new_key_for_two_organisations_is_given_to_one(world: GovernanceWorld) -> None:
    proposals = [world.accept(name, ChangeKey(organisation=name, new_key=NEW)) for name in ("bank", "platform")]
    world.run_until_effect(proposals[0])
    failed = [world.proposal(proposal).code for proposal in proposals if world.status(proposal) == "failed"]
    assert failed == [11]


def test_a_vote_stands_after_an_orderly_change_and_is_not_cast_twice(world: GovernanceWorld) -> None:
    changing = world.accept("audit-one", ChangeKey(organisation="audit-one", new_key=NEW))
    proposal = world.propose("audit-one", DRAIN)
    world.run_until_effect(changing)
    assert [vote.organisation for vote in world.proposal(proposal).votes] == ["audit-one"]
    assert world.vote("audit-one", proposal) == "already"
    assert world.vote("audit-one", proposal, is_yes=False) == "conflict"


# --- the recovery key ---


def test_the_recovery_key_replaces_the_signing_key_at_once(world: GovernanceWorld) -> None:
    old = world.key_of("bank")
    assert revoke(world, "bank") == "success"
    assert world.key_of("bank") == NEW
    assert world.state.get(SIGNER, old) is None
    assert world.state.require(KEY, old).state == KEY_REVOKED
    assert world.state.require(ORGANISATION, "bank").recovery_key == name_hash("recovery", "bank")
    assert [type(event).__name__ for event in world.last_events] == ["OrganisationKeyChanged"]


@pytest.mark.parametrize("name", ["platform", "bank", "audit-one"])
def test_no_other_key_can_revoke(world: GovernanceWorld, name: str) -> None:
    before = list_pending(world.state)
    for signer in (world.key_of(name), name_hash("recovery", "audit-two"), bytes(32)):
        assert revoke(world, name, signer=signer) == "not_owner"
    assert revoke(world, "nobody") == "organisation_unknown"
    assert list_pending(world.state) == before


def test_a_firm_has_no_recovery_key_not_even_the_zero_key(world: GovernanceWorld) -> None:
    assert revoke(world, "firm-a", signer=bytes(32)) == "not_owner"


def test_a_recovery_key_signs_nothing_else(world: GovernanceWorld) -> None:
    recovery = name_hash("recovery", "bank")
    proposal = world.propose("platform", DRAIN)
    calls: tuple[Call, ...] = (
        ProposalOpen(payload=SetParameter(name="future_max_ms", value=900), reason_hash=name_hash("reason")),
        ProposalVote(proposal=proposal, is_yes=True),
        Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")),
    )
    # Before it was used, and after.
    assert [acts.refuse(world, recovery, call) for call in calls] == ["wrong_role"] * 3
    assert revoke(world, "bank") == "success"
    assert [acts.refuse(world, recovery, call) for call in calls] == ["wrong_role"] * 3
    assert [get_entry_by_number(world.call(NEW, call).number).code for call in calls] == ["success"] * 3


@pytest.mark.parametrize("key", [name_hash("key", "bank"), name_hash("key", "platform"), name_hash("recovery", "bank")])
def test_the_new_key_must_be_free(world: GovernanceWorld, key: bytes) -> None:
    assert revoke(world, "bank", key) == "key_in_use"
    assert world.key_of("bank") == name_hash("key", "bank")


def test_a_revoked_key_never_comes_back(world: GovernanceWorld) -> None:
    old = world.key_of("bank")
    revoke(world, "bank")
    assert revoke(world, "bank", old) == "key_in_use"
    assert revoke(world, "bank", name_hash("newer")) == "success"
    assert world.state.require(KEY, NEW).state == KEY_REVOKED


def test_whoever_left_cannot_be_brought_back_by_its_recovery_key() -> None:
    world = GovernanceWorld(auditors=3)
    world.carry_out("bank", RemoveOrganisation(name="audit-2"))
    assert revoke(world, "audit-2") == "organisation_unknown"


# --- what falls with a revoked key ---


def test_votes_of_a_revoked_key_are_struck_out_and_cast_anew(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    world.vote("bank", proposal)
    revoke(world, "bank")
    assert [vote.organisation for vote in world.proposal(proposal).votes] == ["platform"]
    assert "ProposalVoteStruck" in [type(event).__name__ for event in world.last_events]
    assert world.vote("bank", proposal, is_yes=False) == "success"


def test_an_accepted_proposal_is_open_again_where_a_struck_vote_is_missed(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", DRAIN)
    for voter in ("bank", "audit-one"):
        world.vote(voter, proposal)
    assert world.status(proposal) == "accepted"
    revoke(world, "audit-one")
    record = world.proposal(proposal)
    assert (world.status(proposal), record.effect_day) == ("open", 0)
    world.advance(10)
    assert world.parameters.drain_max == 200
    assert world.vote("audit-two", proposal) == "success"
    assert world.status(proposal) == "accepted"
    world.run_until_effect(proposal)
    assert world.parameters.drain_max == 300


def test_an_accepted_proposal_stays_accepted_where_the_others_suffice() -> None:
    world = GovernanceWorld(auditors=3)
    proposal = world.propose("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    for voter in ("bank", "audit-one", "audit-two", "audit-2"):
        world.vote(voter, proposal)
    assert revoke(world, "platform") == "success"
    assert world.status(proposal) == "accepted"


def test_an_accepted_proposal_whose_voting_is_over_expires_when_a_vote_is_struck(world: GovernanceWorld) -> None:
    proposal = world.propose("platform", add_organisation("audit-new", ROLE_AUDITOR))
    world.vote("bank", proposal)
    world.advance(29)
    world.vote("audit-one", proposal)
    world.advance(3)
    assert world.status(proposal) == "accepted"
    revoke(world, "bank")
    world.next_block()
    assert world.status(proposal) == "expired"
    assert world.live() == 0


def test_what_a_thief_asked_for_in_the_name_of_the_organisation_is_rejected(world: GovernanceWorld) -> None:
    thief = world.accept("audit-one", ChangeKey(organisation="audit-one", new_key=name_hash("thief")))
    assert world.status(thief) == "accepted"
    revoke(world, "audit-one")
    assert world.status(thief) == "rejected"
    world.advance(2)
    assert world.key_of("audit-one") == NEW


def test_a_resignation_that_a_thief_asked_for_is_rejected() -> None:
    world = GovernanceWorld(auditors=3)
    thief = world.accept("audit-2", RemoveOrganisation(name="audit-2"))
    revoke(world, "audit-2")
    assert world.status(thief) == "rejected"


def test_a_key_that_others_would_give_is_not_needed_any_more(world: GovernanceWorld) -> None:
    proposal = world.accept("platform", ChangeKey(organisation="audit-one", new_key=name_hash("given")))
    revoke(world, "audit-one")
    assert world.status(proposal) == "rejected"


def test_the_removal_of_the_organisation_by_others_goes_on() -> None:
    world = GovernanceWorld(auditors=3)
    proposal = world.propose("platform", RemoveOrganisation(name="audit-2"))
    assert revoke(world, "audit-2") == "success"
    assert world.status(proposal) == "open"


# --- halves ---


class Nothing(CallPart, frozen=True, tag="nothing"):
    """A call of this test that two must sign."""

    number: int


PARTIES = (Party(role=ROLE_CUSTODIAN), Party(role=ROLE_AUDITOR))


def sign(world: GovernanceWorld, name: str) -> tuple[str, ...] | None:
    context = world.context(world.key_of(name))
    return cosign(world.state, context, plan=PLAN_NAME, call=Nothing(number=1), parties=PARTIES)


def test_a_half_of_a_revoked_key_counts_no_more(world: GovernanceWorld) -> None:
    assert sign(world, "bank") is None
    revoke(world, "bank")
    assert sign(world, "audit-one") is None
    half = world.state.require(HALF, PLAN_NAME, hash_call(Nothing(number=1)))
    assert [party.signed_by for party in half.parties] == [None, "audit-one"]
    with pytest.raises(Refusal):
        sign(world, "audit-one")
    assert sign(world, "bank") == ("bank", "audit-one")


def test_a_half_stands_after_an_orderly_change_of_the_key(world: GovernanceWorld) -> None:
    assert sign(world, "bank") is None
    world.carry_out("bank", ChangeKey(organisation="bank", new_key=NEW))
    assert sign(world, "audit-one") == ("bank", "audit-one")


def test_a_half_of_an_organisation_that_left_counts_no_more() -> None:
    world = GovernanceWorld(auditors=3)
    leaving = world.accept("bank", RemoveOrganisation(name="audit-2"))
    world.advance(6)
    assert sign(world, "audit-2") is None
    world.run_until_effect(leaving)
    assert sign(world, "bank") is None
    assert sign(world, "audit-one") == ("bank", "audit-one")


def test_parameters_of_the_plan_are_untouched_by_all_this(world: GovernanceWorld) -> None:
    before = world.plan
    revoke(world, "bank")
    world.propose("bank", SetParameter(name="drain_max", value=300))
    assert world.plan == before
