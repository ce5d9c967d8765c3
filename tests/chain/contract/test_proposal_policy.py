"""Thresholds and delays: the table as it is written, and every coalition against it."""

from itertools import combinations

import pytest

from chain.contract.governance_calls import (
    AddOrganisation,
    AddValidator,
    ChangeKey,
    EndPlan,
    MoveCustody,
    Payload,
    PublishRules,
    RemoveOrganisation,
    RemoveValidator,
    RenewReveals,
    ResumePlan,
    SetParameter,
    StopPlan,
    UpgradeProtocol,
)
from chain.contract.governance_tables import PROPOSAL_OPEN, ProposalRecord
from chain.contract.proposal_policy import (
    ALL_BUT_ONE,
    ALL_OTHERS,
    INDEPENDENTS,
    OPERATOR,
    TWO_OTHERS,
    TWO_WATCHERS,
    Rule,
    get_policy,
)
from chain.contract.proposals import count_votes, find_policy
from chain.contract.tables import ORGANISATION
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_HOSPITAL, ROLE_PLATFORM
from tests.chain.contract.governance_world import GOVERNORS, GovernanceWorld, add_organisation, add_validator
from tests.chain.contract.test_proposals import DRAIN
from tests.chain.contract.world import PLAN_NAME, name_hash

KEY = name_hash("key")
H = name_hash("h")


def add(role: int) -> AddOrganisation:
    return add_organisation("newcomer", role)


REMOVE = RemoveOrganisation(name="x")
CHANGE = ChangeKey(organisation="x", new_key=KEY)
ADD_VALIDATOR = add_validator("x")
REMOVE_VALIDATOR = RemoveValidator(key=KEY)
UPGRADE = UpgradeProtocol(version=2, height=9)
STOP, RESUME, END = StopPlan(plan=PLAN_NAME), ResumePlan(plan=PLAN_NAME), EndPlan(plan=PLAN_NAME)
TABLE: list[tuple[Payload, int | None, bool, bool, Rule, int, int]] = [
    (add(ROLE_ASSESSOR), None, False, False, INDEPENDENTS, 7, 30),
    (add(ROLE_HOSPITAL), None, False, False, INDEPENDENTS, 7, 30),
    (add(ROLE_AUDITOR), None, False, False, ALL_BUT_ONE, 7, 30),
    (add(ROLE_PLATFORM), ROLE_PLATFORM, False, False, ALL_OTHERS, 30, 30),
    (add(ROLE_CUSTODIAN), ROLE_CUSTODIAN, False, False, ALL_OTHERS, 30, 30),
    (REMOVE, ROLE_ASSESSOR, False, False, INDEPENDENTS, 7, 30),
    (REMOVE, ROLE_HOSPITAL, False, False, INDEPENDENTS, 7, 30),
    (REMOVE, ROLE_AUDITOR, False, False, ALL_OTHERS, 7, 30),
    (REMOVE, ROLE_AUDITOR, True, False, TWO_OTHERS, 7, 30),
    (CHANGE, ROLE_AUDITOR, False, False, ALL_OTHERS, 1, 30),
    (CHANGE, ROLE_ASSESSOR, False, False, ALL_OTHERS, 1, 30),
    (CHANGE, ROLE_AUDITOR, True, False, TWO_OTHERS, 1, 30),
    (ADD_VALIDATOR, ROLE_AUDITOR, True, False, OPERATOR, 7, 30),
    (REMOVE_VALIDATOR, ROLE_AUDITOR, False, False, ALL_OTHERS, 1, 30),
    (REMOVE_VALIDATOR, ROLE_AUDITOR, True, False, TWO_OTHERS, 1, 30),
    (RenewReveals(key=KEY, reveal_anchor=H), ROLE_AUDITOR, True, False, TWO_OTHERS, 7, 30),
    (DRAIN, None, False, False, ALL_BUT_ONE, 7, 30),
    (UPGRADE, None, False, False, ALL_BUT_ONE, 30, 30),
    (UPGRADE, None, False, True, ALL_BUT_ONE, 1, 30),
    (MoveCustody(plan=PLAN_NAME, pool=0, account="new"), None, False, False, INDEPENDENTS, 3, 30),
    (END, None, False, False, ALL_BUT_ONE, 7, 30),
    (STOP, None, False, False, ALL_BUT_ONE, 0, 7),
    (RESUME, None, False, False, ALL_BUT_ONE, 0, 7),
    (PublishRules(plan=PLAN_NAME, version=1, is_stopped=True), None, False, False, TWO_WATCHERS, 0, 30),
    (PublishRules(plan=PLAN_NAME, version=1, is_stopped=False), None, False, False, ALL_BUT_ONE, 0, 30),
]


@pytest.mark.parametrize(("payload", "role", "is_own", "is_relief", "rule", "delay", "days"), TABLE)
def test_each_kind_is_decided_as_the_table_says(
    payload: Payload, role: int | None, is_own: bool, is_relief: bool, rule: Rule, delay: int, days: int
) -> None:
    policy = get_policy(payload, concerned_role=role, is_own=is_own, is_relief=is_relief)
    assert (policy.rule, policy.delay_days, policy.vote_days) == (rule, delay, days)


@pytest.mark.parametrize(
    ("rule", "counted", "needed"),
    [
        (ALL_OTHERS, 3, 3),
        (ALL_OTHERS, 5, 5),
        (ALL_OTHERS, 2, 3),
        (ALL_BUT_ONE, 4, 3),
        (ALL_BUT_ONE, 6, 5),
        (ALL_BUT_ONE, 3, 3),
        (OPERATOR, 3, 2),
        (OPERATOR, 4, 3),
        (INDEPENDENTS, 3, 3),
        (INDEPENDENTS, 2, 3),
        (INDEPENDENTS, 5, 5),
        (TWO_OTHERS, 3, 2),
        (TWO_OTHERS, 9, 2),
        (TWO_WATCHERS, 3, 2),
    ],
)
def test_how_many_yes_each_rule_needs(rule: Rule, counted: int, needed: int) -> None:
    assert rule.compute_needed(counted) == needed


# --- coalitions ---

CONCERNED: list[tuple[Payload, str | None]] = [
    (add(ROLE_ASSESSOR), None),
    (add(ROLE_HOSPITAL), None),
    (add(ROLE_AUDITOR), None),
    (add(ROLE_PLATFORM), "platform"),
    (add(ROLE_CUSTODIAN), "bank"),
    (RemoveOrganisation(name="firm-a"), "firm-a"),
    (RemoveOrganisation(name="audit-one"), "audit-one"),
    (ChangeKey(organisation="audit-one", new_key=KEY), "audit-one"),
    (ChangeKey(organisation="platform", new_key=KEY), "platform"),
    (ChangeKey(organisation="firm-a", new_key=KEY), "firm-a"),
    (add_validator("audit-one"), "audit-one"),
    (add_validator("platform"), "platform"),
    (REMOVE_VALIDATOR, "audit-one"),
    (DRAIN, None),
    (UPGRADE, None),
    (MoveCustody(plan=PLAN_NAME, pool=0, account="new"), None),
    (END, None),
    (STOP, None),
    (RESUME, None),
    (PublishRules(plan=PLAN_NAME, version=1, is_stopped=False), None),
]


def passes(world: GovernanceWorld, payload: Payload, concerned: str | None, coalition: tuple[str, ...]) -> bool:
    """Tell whether a coalition alone gets something accepted, one of it opening."""
    voters = tuple(name for name in GOVERNORS if name != concerned)
    for opener in coalition:
        if isinstance(payload, AddValidator) and opener != concerned:
            continue
        record = ProposalRecord(
            number=1, status=PROPOSAL_OPEN, proposer=opener, payload=payload, reason_hash=H, concerned=concerned,
            voters=voters, votes=(), opened_day=0, expire_day=30, effect_day=0, closed_day=0, code=0,
        )  # fmt: skip
        policy = find_policy(world.state, record, height=1)
        counted = [
            name for name in voters if name in coalition and (name != "platform" or ROLE_PLATFORM in policy.rule.roles)
        ]
        if len(counted) >= count_votes(world.state, record, policy)[2]:
            return True
    return False


@pytest.mark.parametrize(("payload", "concerned"), CONCERNED)
def test_no_two_organisations_together_decide_anything_about_others(payload: Payload, concerned: str | None) -> None:
    world = GovernanceWorld()
    for pair in combinations(GOVERNORS, 2):
        assert not passes(world, payload, concerned, pair), (payload, pair)


def test_two_that_watch_can_stop_rules_and_the_platform_with_one_of_them_cannot() -> None:
    world = GovernanceWorld()
    payload = PublishRules(plan=PLAN_NAME, version=1, is_stopped=True)
    for pair in combinations(GOVERNORS, 2):
        assert passes(world, payload, None, pair) == ("platform" not in pair)


@pytest.mark.parametrize(("payload", "concerned"), CONCERNED)
def test_the_platform_alone_decides_nothing_and_its_no_stops_only_what_all_others_must_want(
    payload: Payload, concerned: str | None
) -> None:
    world = GovernanceWorld()
    assert not passes(world, payload, concerned, ("platform",))
    if isinstance(payload, AddValidator):
        return
    others = tuple(name for name in GOVERNORS if name not in ("platform", concerned))
    role = None if concerned is None else world.state.require(ORGANISATION, concerned).role
    policy = get_policy(payload, concerned_role=role, is_own=False, is_relief=False)
    needs_platform = policy.rule == ALL_OTHERS and concerned != "platform"
    assert passes(world, payload, concerned, others) == (not needs_platform)


@pytest.mark.parametrize("silent", GOVERNORS)
def test_with_any_one_silent_the_rest_can_end_a_plan_and_take_in_an_auditor(silent: str) -> None:
    world = GovernanceWorld()
    rest = tuple(name for name in GOVERNORS if name != silent)
    for payload in (END, STOP, RESUME, add(ROLE_AUDITOR), DRAIN):
        assert passes(world, payload, None, rest), (payload, silent)


@pytest.mark.parametrize("role", [ROLE_ASSESSOR, ROLE_AUDITOR])
def test_the_platform_with_one_other_cannot_pack_a_roster(role: int) -> None:
    for friend in ("bank", "audit-one", "audit-two"):
        world = GovernanceWorld()
        for number in range(3):
            proposal = world.propose("platform", add_organisation(f"puppet-{number}", role))
            world.vote(friend, proposal)
        world.advance(31)
        assert len(world.roster(role)) == (4 if role == ROLE_ASSESSOR else 2)


def test_the_platform_cannot_take_over_an_auditor_whose_signing_key_it_stole() -> None:
    world = GovernanceWorld()
    proposal = world.propose("audit-one", ChangeKey(organisation="audit-one", new_key=name_hash("stolen")))
    world.vote("platform", proposal)
    world.advance(31)
    assert world.status(proposal) == "expired"
    assert world.key_of("audit-one") == name_hash("key", "audit-one")


def test_a_silent_auditor_is_replaced_step_by_step_without_its_vote() -> None:
    world = GovernanceWorld()
    rest = ("platform", "bank", "audit-two")

    def decide(opener: str, payload: Payload, voters: tuple[str, ...]) -> None:
        proposal = world.propose(opener, payload)
        for voter in voters:
            if world.status(proposal) == "open" and voter != opener:
                world.vote(voter, proposal)
        assert world.status(proposal) == "accepted"
        world.run_until_effect(proposal)
        assert world.status(proposal) == "effective"

    decide("platform", add_organisation("audit-new", ROLE_AUDITOR), rest)
    payload: AddValidator = add_validator("audit-new")
    decide("audit-new", payload, rest)
    world.make_ready(payload.key)
    everybody = (*rest, "audit-new")
    decide("platform", RemoveValidator(key=name_hash("validator", "audit-one")), everybody)
    decide("platform", RemoveOrganisation(name="audit-one"), everybody)
    assert world.roster(ROLE_AUDITOR) == ("audit-two", "audit-new")
    assert [validator.organisation for validator in world.validators] == [
        "platform", "bank", "audit-two", "audit-new",
    ]  # fmt: skip


def test_a_parameter_cannot_be_changed_by_two_with_the_rest_silent() -> None:
    world = GovernanceWorld()
    proposal = world.propose("bank", SetParameter(name="drain_max", value=300))
    world.vote("audit-one", proposal)
    world.advance(31)
    assert world.status(proposal) == "expired"
