"""The house as a whole: whatever is proposed, voted and revoked in whatever order, its rules hold after every block."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.calls import Call
from chain.contract.claim_tables import BEACON
from chain.contract.governance_calls import (
    AddValidator,
    ChangeKey,
    EndPlan,
    OrgKeyRevoke,
    Payload,
    ProposalOpen,
    ProposalVote,
    RemoveOrganisation,
    RemoveValidator,
    RenewReveals,
    SetParameter,
    UpgradeProtocol,
    ValidatorReady,
)
from chain.contract.governance_tables import (
    CANDIDATE,
    CONSORTIUM,
    KEY,
    KEY_LIVE,
    PROPOSAL_ACCEPTED,
    PROPOSAL_OPEN,
)
from chain.contract.organisations import get_auditors
from chain.contract.parameter_changes import find_contradiction
from chain.contract.tables import ORGANISATION, PLAN_ENDED, SIGNER
from chain.genesis import Organisation, validate_genesis
from chain.round_record import ROUND
from chain.validators import VALIDATORS_MAX
from tests.chain.contract.governance_world import (
    GovernanceWorld,
    add_organisation,
    add_validator,
    block_hash,
)
from tests.chain.contract.world import PLAN_NAME, name_hash

DAY_MS = 86_400_000
NAMES = ("platform", "bank", "audit-one", "audit-two", "audit-2", "firm-a", "new-3", "new-7")


def check_house(world: GovernanceWorld) -> None:
    """Check that genesis could have been like this, and that the records of the government agree with each other."""
    organisations = []
    for role in range(5):
        for order, name in enumerate(world.roster(role)):
            record = world.state.require(ORGANISATION, name)
            assert (record.role, record.order, record.left_day) == (role, order, 0)
            signer = world.state.require(SIGNER, record.key)
            assert (signer.organisation, signer.role, signer.order) == (name, role, order)
            assert world.state.require(KEY, record.key).state == KEY_LIVE
            organisations.append(
                Organisation(name=name, role=role, group=record.group, key=record.key, recovery_key=record.recovery_key)
            )
    genesis = replace(
        world.genesis,
        organisations=tuple(organisations),
        validators=world.validators,
        parameters=world.parameters,
    )
    validate_genesis(genesis)
    assert len(get_auditors(world.state)) >= 2
    consortium = world.state.require(CONSORTIUM)
    assert consortium.validators_min <= len(world.validators) <= VALIDATORS_MAX
    for key in consortium.candidates:
        assert world.state.require(CANDIDATE, key).validator.key == key
    beacon = world.state.require(BEACON)
    assert len(beacon.links) == len(beacon.reveal_heights) == len(world.validators)
    assert find_contradiction(world.parameters) is None
    present = [validator.key for validator in world.validators]
    assert all(skip.key in present for skip in world.state.require(ROUND).skips)
    for live in consortium.live:
        assert world.proposal(live.proposal).status in (PROPOSAL_OPEN, PROPOSAL_ACCEPTED)
    assert len({live.payload_hash for live in consortium.live}) == len(consortium.live)


def draw_payload(world: GovernanceWorld, random: Random, number: int) -> tuple[str, Payload]:
    """Return (who opens, what is asked for): mostly possible, sometimes not."""
    governors = [name for role in (0, 1, 2) for name in world.roster(role)]
    everybody = governors + [name for role in (3, 4) for name in world.roster(role)]
    opener, name = random.choice(governors), random.choice(everybody)
    validators = [validator.key for validator in world.validators]
    candidates = world.state.require(CONSORTIUM).candidates
    match random.randrange(10):
        case 0 | 1:
            group = random.choice([None, None, None, "g-firm-a", "g-bank"])
            return opener, add_organisation(f"new-{number}", random.choice([0, 1, 2, 2, 3, 3, 4]), group=group)
        case 2:
            return random.choice([opener, name]), RemoveOrganisation(name=name)
        case 3:
            key = random.choice([name_hash("fresh", number), name_hash("key", name)])
            return random.choice([opener, name]), ChangeKey(organisation=name, new_key=key)
        case 4 | 5 | 6:
            payload: AddValidator = add_validator(f"v-{number}", operator=opener)
            return opener, payload
        case 7 | 8:
            return opener, RemoveValidator(key=random.choice([*validators, *candidates, name_hash("nobody")]))
        case _:
            renewal: Payload = RenewReveals(key=random.choice(validators), reveal_anchor=name_hash("again", number))
            upgrade: Payload = UpgradeProtocol(version=random.randint(1, 3), height=random.randint(1, 400))
            field = random.choice(["drain_max", "block_gap_ms", "view_timeout_base_ms", "tenure"])
            change: Payload = SetParameter(name=field, value=random.randint(0, 5_000))
            return opener, random.choice([renewal, upgrade, change])


def act(world: GovernanceWorld, random: Random, number: int) -> None:
    """Carry out one drawn act; it may be refused, but never with a fault."""
    kind = random.choice(["open", "all", "all", "all", "vote", "revoke", "ready", "ready", "ready", "days", "days"])
    live = world.state.require(CONSORTIUM).live
    if kind in ("open", "all"):
        opener, payload = draw_payload(world, random, number)
        code = call(world, signing_key(world, opener), ProposalOpen(payload=payload, reason_hash=bytes(32)))
        if kind == "all" and code == "success":
            vote_by_all(world, world.last_tx)
    elif kind == "vote" and live:
        vote = ProposalVote(proposal=random.choice(live).proposal, is_yes=random.random() < 0.5)
        call(world, signing_key(world, random.choice(NAMES)), vote)
    elif kind == "revoke" and random.random() < 0.3:
        name = random.choice(NAMES)
        key = name_hash("fresh", random.choice([number, number - 1]))
        call(world, name_hash("recovery", name), OrgKeyRevoke(organisation=name, new_key=key))
    elif kind == "ready":
        for candidate in world.state.require(CONSORTIUM).candidates[:1]:
            call(world, candidate, ValidatorReady(height=world.height - 1, block_hash=block_hash(world.height - 1)))
            world.next_block()
    elif kind == "days":
        world.next_block(ms=random.choice([0, 1, 7, 7, 8, 30]) * DAY_MS + 1_000)


def call(world: GovernanceWorld, signer: bytes, what: Call) -> str:
    code = get_entry_by_number(world.call(signer, what).number).code
    assert code != "fault", what
    return code


def vote_by_all(world: GovernanceWorld, proposal: bytes) -> None:
    for voter in world.proposal(proposal).voters:
        if world.status(proposal) == "open":
            world.call(signing_key(world, voter), ProposalVote(proposal=proposal, is_yes=True))


def signing_key(world: GovernanceWorld, name: str) -> bytes:
    record = world.state.get(ORGANISATION, name)
    return name_hash("nobody") if record is None else record.key


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_the_rules_of_the_house_hold_after_any_sequence_of_proposals(random: Random) -> None:
    world = GovernanceWorld(auditors=3, validators=random.randint(1, 5))
    for number in range(80):
        act(world, random, number)
        check_house(world)
    # Nothing stays in the index for ever.
    for days in (31, 31, 1, 0, 0):
        world.next_block(ms=days * DAY_MS + 1_000)
        check_house(world)
    assert world.live() == 0


def test_the_government_goes_on_after_its_only_plan_has_ended() -> None:
    world = GovernanceWorld(statements=True)
    world.carry_out("bank", EndPlan(plan=PLAN_NAME))
    world.advance(182)
    assert world.plan.status == PLAN_ENDED
    world.carry_out("bank", SetParameter(name="drain_max", value=300))
    assert world.parameters.drain_max == 300
