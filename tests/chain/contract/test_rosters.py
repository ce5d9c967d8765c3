"""Organisations come in and are let go, and the rules of the house hold at every moment."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_status import DUE_SEATS
from chain.contract.governance_calls import AddOrganisation, Payload, RemoveOrganisation, RemoveValidator
from chain.contract.governance_events import OrganisationLeft
from chain.contract.governance_tables import KEY, KEY_RETIRED
from chain.contract.member_calls import MemberApply
from chain.contract.organisations import get_confirmer, get_cosigner
from chain.contract.payout import may_sign_batch
from chain.contract.settlement_tables import PeriodRecord
from chain.contract.tables import DUE_INDEX, ORGANISATION, SIGNER, PlanRecord, SignerRecord
from chain.contract.terms import hash_terms
from chain.genesis import (
    ROLE_ASSESSOR,
    ROLE_AUDITOR,
    ROLE_CUSTODIAN,
    ROLE_HOSPITAL,
    ROLE_PLATFORM,
)
from chain.types import ZERO_HASH
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.governance_world import GovernanceWorld, add_organisation, add_validator
from tests.chain.contract.test_proposals import refuse
from tests.chain.contract.world import PLAN_NAME, name_hash


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld()


# --- taking in ---


@pytest.mark.parametrize("role", [ROLE_AUDITOR, ROLE_ASSESSOR, ROLE_HOSPITAL])
def test_who_joins_comes_last_and_signs_from_then_on(world: GovernanceWorld, role: int) -> None:
    before = world.roster(role)
    proposal = world.accept("platform", add_organisation("newcomer", role))
    assert world.roster(role) == before
    world.run_until_effect(proposal)
    assert world.roster(role) == (*before, "newcomer")
    signer = world.state.require(SIGNER, name_hash("key", "newcomer"))
    assert (signer.organisation, signer.role, signer.order) == ("newcomer", role, len(before))
    record = world.state.require(ORGANISATION, "newcomer")
    assert (record.group, record.left_day) == ("g-newcomer", 0)
    assert "OrganisationJoined" in [type(event).__name__ for event in world.events]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "firm-a"}, "organisation_name_used"),
        ({"group": "g-platform"}, "group_conflict"),
        ({"group": "g-firm-b"}, "group_conflict"),
        ({"key": name_hash("key", "bank")}, "key_in_use"),
        ({"key": name_hash("recovery", "bank")}, "key_in_use"),
        ({"key": name_hash("validator", "bank")}, "key_in_use"),
        ({"key": name_hash("checkpoint", "bank")}, "key_in_use"),
        ({"key": ZERO_HASH}, "value_out_of_range"),
        ({"recovery_key": name_hash("recovery", "x")}, "value_out_of_range"),
        ({"role": ROLE_AUDITOR}, "value_out_of_range"),
        ({"role": ROLE_AUDITOR, "recovery_key": name_hash("key", "firm-e")}, "key_in_use"),
        ({"role": ROLE_AUDITOR, "recovery_key": name_hash("r"), "group": "g-audit-one"}, "group_conflict"),
        ({"role": ROLE_HOSPITAL, "group": "g-firm-a"}, "group_conflict"),
        ({"role": ROLE_PLATFORM, "recovery_key": name_hash("r")}, "validators_first"),
    ],
)
def test_an_organisation_that_breaks_a_rule_of_the_house_cannot_come_in(
    world: GovernanceWorld, change: dict[str, object], code: str
) -> None:
    refuse(world, "bank", replace(add_organisation("firm-e", ROLE_ASSESSOR), **change), code)


def test_hospitals_of_one_owner_may_be_many(world: GovernanceWorld) -> None:
    world.carry_out("bank", add_organisation("clinic-2", ROLE_HOSPITAL, group="g-clinic"))
    assert world.roster(ROLE_HOSPITAL) == ("clinic", "clinic-2")


def test_a_roster_has_a_greatest_size(world: GovernanceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.contract.rosters.MEMBERS_MAX", {2: 2, 3: 4, 4: 1})
    for role in (ROLE_AUDITOR, ROLE_ASSESSOR, ROLE_HOSPITAL):
        refuse(world, "bank", add_organisation("newcomer", role), "roster_full")


def test_a_new_platform_takes_the_place_of_the_old_one_once_it_runs_no_validator() -> None:
    world = GovernanceWorld(validators=5, auditors=3)
    world.carry_out("bank", RemoveValidator(key=name_hash("validator", "platform")))
    payload = add_organisation("platform-2", ROLE_PLATFORM)
    proposal = world.propose("bank", payload)
    assert "platform" not in world.proposal(proposal).voters
    for voter in ("audit-one", "audit-two"):
        world.vote(voter, proposal)
        assert world.status(proposal) == "open"
    world.vote("audit-2", proposal)
    assert world.proposal(proposal).effect_day == world.today + 30
    world.run_until_effect(proposal)
    assert world.roster(ROLE_PLATFORM) == ("platform-2",)
    assert world.state.require(ORGANISATION, "platform").left_day == world.today
    assert world.state.get(SIGNER, name_hash("key", "platform")) is None
    assert world.open("platform-2", add_organisation("clinic-2", ROLE_HOSPITAL)) == "success"


def test_two_successors_of_one_office_are_not_both_taken() -> None:
    world = GovernanceWorld(validators=5, auditors=3)
    world.carry_out("bank", RemoveValidator(key=name_hash("validator", "platform")))
    proposals = [world.accept("bank", add_organisation(name, ROLE_PLATFORM)) for name in ("platform-2", "platform-3")]
    world.run_until_effect(proposals[0])
    assert sorted(world.status(proposal) for proposal in proposals) == ["effective", "failed"]
    assert len(world.roster(ROLE_PLATFORM)) == 1


def test_an_institutions_key_cannot_become_a_members() -> None:
    world = GovernanceWorld(statements=True)
    call = MemberApply(
        plan=PLAN_NAME,
        pool=0,
        weight=1,
        rules_hash=hash_terms(world.terms),
        field_commitments_root=name_hash("f"),
        blob_hash=name_hash("b"),
        consent_hash=name_hash("c"),
        recovery_hash=name_hash("r"),
        guardian=None,
    )
    for key in (world.key_of("bank"), name_hash("recovery", "bank"), name_hash("validator", "bank")):
        assert world.call(key, call).number == 11
    world.carry_out("bank", add_organisation("firm-e", ROLE_ASSESSOR))
    world.carry_out("bank", RemoveOrganisation(name="firm-e"))
    assert world.call(name_hash("key", "firm-e"), call).number == 11


# --- letting go ---


def let_go(world: GovernanceWorld, name: str) -> bytes:
    return world.carry_out("platform", RemoveOrganisation(name=name))


def test_who_leaves_falls_out_of_the_roster_and_its_key_is_dead(world: GovernanceWorld) -> None:
    world.carry_out("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    let_go(world, "firm-b")
    assert world.roster(ROLE_ASSESSOR) == ("firm-a", "firm-c", "firm-d", "firm-e")
    assert world.state.require(ORGANISATION, "firm-b").left_day == world.today
    assert OrganisationLeft(organisation="firm-b", role=ROLE_ASSESSOR) in world.block_events
    key = name_hash("key", "firm-b")
    assert world.state.get(SIGNER, key) is None
    assert world.state.require(KEY, key).state == KEY_RETIRED
    for name, order in (("firm-a", 0), ("firm-c", 1), ("firm-e", 3)):
        assert world.state.require(ORGANISATION, name).order == order
        assert world.state.require(SIGNER, name_hash("key", name)).order == order
    refuse(world, "platform", RemoveOrganisation(name="firm-b"), "organisation_unknown")
    refuse(world, "platform", add_organisation("firm-b", ROLE_ASSESSOR), "organisation_name_used")
    again: AddOrganisation = replace(add_organisation("firm-f", ROLE_ASSESSOR), key=key)
    refuse(world, "platform", again, "key_in_use")


@pytest.mark.parametrize("name", ["platform", "bank", "audit-one", "firm-a"])
def test_the_last_ones_of_a_role_cannot_be_let_go(world: GovernanceWorld, name: str) -> None:
    refuse(world, "audit-two", RemoveOrganisation(name=name), "roster_minimum")


def test_firms_of_one_owner_count_as_one(world: GovernanceWorld) -> None:
    world.carry_out("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    world.join_group("firm-e", "g-firm-a")
    refuse(world, "bank", RemoveOrganisation(name="firm-b"), "roster_minimum")
    assert world.open("bank", RemoveOrganisation(name="firm-a")) == "success"


def test_the_recovery_key_of_one_that_left_is_dead_too() -> None:
    world = GovernanceWorld(auditors=3)
    let_go(world, "audit-2")
    assert world.state.require(KEY, name_hash("recovery", "audit-2")).state == KEY_RETIRED


def test_an_unknown_organisation_cannot_be_let_go(world: GovernanceWorld) -> None:
    refuse(world, "bank", RemoveOrganisation(name="nobody"), "organisation_unknown")


def test_two_removals_decided_while_there_were_enough_do_not_go_below_the_minimum(world: GovernanceWorld) -> None:
    world.carry_out("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    proposals = [world.accept("platform", RemoveOrganisation(name=name)) for name in ("firm-a", "firm-b")]
    world.run_until_effect(proposals[0])
    assert sorted(world.status(proposal) for proposal in proposals) == ["effective", "failed"]
    assert len(world.roster(ROLE_ASSESSOR)) == 4


def test_who_runs_a_validator_lets_it_go_first() -> None:
    world = GovernanceWorld(validators=5, auditors=3)
    refuse(world, "platform", RemoveOrganisation(name="audit-one"), "validators_first")
    world.carry_out("platform", RemoveValidator(key=name_hash("validator", "audit-one")))
    let_go(world, "audit-one")
    assert world.roster(ROLE_AUDITOR) == ("audit-two", "audit-2")


def test_who_waits_to_run_a_validator_counts_as_running_one() -> None:
    world = GovernanceWorld(auditors=3)
    world.carry_out("audit-2", add_validator("audit-2"))
    refuse(world, "platform", RemoveOrganisation(name="audit-2"), "validators_first")


def test_auditors_take_turns_in_the_new_order() -> None:
    world = GovernanceWorld(auditors=4)
    let_go(world, "audit-2")
    names = ("audit-one", "audit-two", "audit-3")
    assert world.roster(ROLE_AUDITOR) == names
    assert [get_confirmer(world.state, period) for period in range(4)] == [*names, "audit-one"]
    assert get_cosigner(world.state, 0) == "audit-two"


def test_the_seats_of_one_that_left_are_vacated_at_the_next_midnight(world: GovernanceWorld) -> None:
    world.carry_out("platform", add_organisation("firm-e", ROLE_ASSESSOR))
    let_go(world, "firm-b")
    counts = dict(world.state.require(DUE_INDEX, PLAN_NAME, world.today + 1).counts)
    assert counts[DUE_SEATS] == 1


def test_a_custodian_is_replaced_like_a_platform() -> None:
    world = GovernanceWorld(validators=5, auditors=3)
    world.carry_out("platform", RemoveValidator(key=name_hash("validator", "bank")))
    payload: Payload = add_organisation("bank-2", ROLE_CUSTODIAN)
    world.carry_out("platform", payload)
    assert world.roster(ROLE_CUSTODIAN) == ("bank-2",)


def test_any_auditor_stands_in_for_a_batch_that_lost_one_of_its_two() -> None:
    period = build_record(PeriodRecord, cosigner="gone", confirmer="audit-one", computed_day=100)
    plan = build_record(PlanRecord)
    signer = SignerRecord(organisation="audit-two", role=ROLE_AUDITOR, order=1)

    def may_sign(auditors: tuple[str, ...], day: int) -> bool:
        return may_sign_batch(period, plan, signer=signer, auditors=auditors, today=day)

    assert may_sign(("audit-one", "audit-two"), 103)
    assert not may_sign(("audit-one", "audit-two"), 102)
    assert not may_sign(("audit-one", "audit-two", "gone"), 103)
