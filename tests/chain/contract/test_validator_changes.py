"""The set of validators changes by one in a block, and everything that is kept by index follows (consensus 8)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.claim_tables import BEACON
from chain.contract.governance_calls import (
    AddValidator,
    Rejoin,
    RemoveValidator,
    RenewReveals,
    ValidatorReady,
)
from chain.contract.governance_events import RevealsRenewed, ValidatorAccepted, ValidatorRemoved
from chain.contract.governance_tables import (
    CANDIDATE,
    CONSORTIUM,
    KEY,
    KEY_RETIRED,
    RECENT_BLOCKS,
    REJOIN,
    VALIDATOR_SET,
)
from chain.contract.validator_changes import CANDIDATE_DAYS
from chain.genesis import ROLE_AUDITOR
from chain.round_record import ROUND
from chain.state import Overlay
from chain.validators import Skip, hash_validators
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.governance_world import (
    GovernanceWorld,
    add_organisation,
    add_validator,
    block_hash,
)
from tests.chain.contract.test_proposals import refuse
from tests.chain.contract.world import name_hash


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld()


def key_of(name: str) -> bytes:
    return name_hash("validator", name)


def take_in(world: GovernanceWorld, name: str) -> None:
    """Take in an auditor and its validator."""
    world.carry_out("bank", add_organisation(name, ROLE_AUDITOR))
    world.carry_out(name, add_validator(name))
    world.make_ready(key_of(name))


def ready(world: GovernanceWorld, key: bytes, height: int, hash_: bytes | None = None) -> str:
    call = ValidatorReady(height=height, block_hash=hash_ or block_hash(height))
    return get_entry_by_number(world.call(key, call).number).code


def names(world: GovernanceWorld) -> list[str]:
    return [validator.organisation for validator in world.validators]


# --- candidates ---


def test_an_accepted_validator_does_not_vote_before_it_is_ready(world: GovernanceWorld) -> None:
    world.carry_out("bank", add_organisation("audit-new", ROLE_AUDITOR))
    world.carry_out("audit-new", add_validator("audit-new"))
    assert len(world.validators) == 4
    candidate = world.state.require(CANDIDATE, key_of("audit-new"))
    assert candidate.validator.address == "audit-new.example:7000"
    assert (candidate.is_ready, candidate.expire_day) == (False, world.today + CANDIDATE_DAYS)
    told = ValidatorAccepted(key=key_of("audit-new"), organisation="audit-new", expire_day=candidate.expire_day)
    assert told in world.block_events
    world.make_ready(key_of("audit-new"))
    assert names(world) == ["platform", "bank", "audit-one", "audit-two", "audit-new"]
    assert world.state.get(CANDIDATE, key_of("audit-new")) is None
    assert "ValidatorAdded" in [type(event).__name__ for event in world.block_events]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"organisation": "nobody"}, "organisation_unknown"),
        ({"organisation": "firm-a"}, "wrong_role"),
        ({"key": name_hash("key", "bank")}, "key_in_use"),
        ({"key": name_hash("validator", "bank")}, "key_in_use"),
        ({"checkpoint_key": name_hash("checkpoint", "bank")}, "key_in_use"),
        ({"checkpoint_key": name_hash("validator", "spare")}, "key_in_use"),
        ({"tls_pin": bytes(32)}, "value_out_of_range"),
        ({"reveal_anchor": bytes(32)}, "value_out_of_range"),
        ({"tls_pin": name_hash("pin", "bank")}, "validator_exists"),
        ({"host": "127.0.0.1", "port": 7_001}, "validator_exists"),
    ],
)
def test_a_validator_that_cannot_be_added(world: GovernanceWorld, change: dict[str, object], code: str) -> None:
    payload = add_validator("spare", operator="audit-one")
    opener = str(change.get("organisation", "audit-one")) if change.get("organisation") == "firm-a" else "audit-one"
    refuse(world, opener, replace(payload, **change), code)


def test_nobody_names_a_validator_for_another(world: GovernanceWorld) -> None:
    refuse(world, "platform", add_validator("spare", operator="audit-one"), "not_owner")


def test_there_are_four_candidates_at_most() -> None:
    world = GovernanceWorld(auditors=7, validators=9)
    for number in range(4):
        world.carry_out(f"audit-{number + 2}", add_validator(f"spare-{number}", operator=f"audit-{number + 2}"))
    refuse(world, "audit-one", add_validator("spare", operator="audit-one"), "validators_full")


def test_a_set_has_a_greatest_size(world: GovernanceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.contract.validator_changes.VALIDATORS_MAX", 4)
    refuse(world, "audit-one", add_validator("spare", operator="audit-one"), "validators_full")


def test_a_candidate_that_is_never_ready_is_dropped_and_its_keys_are_dead(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    world.advance(CANDIDATE_DAYS - 1)
    assert world.state.get(CANDIDATE, key_of("spare")) is not None
    world.advance(1)
    assert world.state.get(CANDIDATE, key_of("spare")) is None
    assert world.state.require(CONSORTIUM).candidates == ()
    for key in (key_of("spare"), name_hash("checkpoint", "spare")):
        assert world.state.require(KEY, key).state == KEY_RETIRED
    refuse(world, "audit-one", add_validator("spare", operator="audit-one"), "key_in_use")
    assert ready(world, key_of("spare"), world.height - 1) == "candidate_unknown"


def test_a_candidate_can_be_let_go(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    world.carry_out("audit-one", RemoveValidator(key=key_of("spare")))
    assert world.state.require(CONSORTIUM).candidates == ()
    assert len(world.validators) == 4


# --- readiness ---


def test_only_a_candidate_is_ready_and_once(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    for key in (key_of("bank"), world.key_of("audit-one"), name_hash("nobody")):
        assert ready(world, key, world.height - 1) == "candidate_unknown"
    assert ready(world, key_of("spare"), world.height - 1) == "success"
    assert ready(world, key_of("spare"), world.height - 1) == "already"


def test_readiness_names_a_block_of_the_last_hundred(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    first = world.height - 1
    for _ in range(120):
        world.next_block()
    newest = world.height - 1
    before = list_pending(world.state)
    for height in (newest - 100, first, newest + 1, 2**53 - 1):
        assert ready(world, key_of("spare"), height) == "block_not_recent"
    assert ready(world, key_of("spare"), newest - 99, name_hash("other chain")) == "block_not_recent"
    assert list_pending(world.state) == before
    assert ready(world, key_of("spare"), newest - 99) == "success"


def test_a_block_of_before_the_acceptance_shows_nothing(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    assert ready(world, key_of("spare"), world.height - 2) == "block_not_recent"
    assert ready(world, key_of("spare"), world.height - 1) == "success"


def test_hashes_are_kept_only_while_a_candidate_waits(world: GovernanceWorld) -> None:
    assert world.state.get(RECENT_BLOCKS) is None
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    assert world.state.get(RECENT_BLOCKS) is not None
    world.make_ready(key_of("spare"))
    assert world.state.get(RECENT_BLOCKS) is None


# --- one change in a block ---


def test_two_ready_candidates_are_added_one_block_after_the_other() -> None:
    world = GovernanceWorld(auditors=4)
    for name in ("audit-2", "audit-3"):
        world.carry_out(name, add_validator(name))
    for name in ("audit-3", "audit-2"):
        assert ready(world, key_of(name), world.height - 1) == "success"
    world.next_block()
    # The one that was accepted first comes first.
    assert names(world)[4:] == ["audit-2"]
    assert world.state.require(CONSORTIUM).set_height == world.height
    world.next_block()
    assert names(world)[4:] == ["audit-2", "audit-3"]


def test_two_removals_on_one_day_take_two_blocks() -> None:
    world = GovernanceWorld(auditors=4, validators=6)
    removals = [world.accept("bank", RemoveValidator(key=key_of(name))) for name in ("audit-2", "audit-3")]
    world.run_until_effect(removals[0])
    sizes = [len(world.validators)]
    assert sorted(world.status(removal) for removal in removals) == ["accepted", "effective"]
    world.next_block()
    assert [*sizes, len(world.validators)] == [5, 4]
    assert [world.status(removal) for removal in removals] == ["effective", "effective"]


def test_p11_a_removal_and_an_addition_do_not_share_a_block() -> None:
    world = GovernanceWorld(auditors=4, validators=5)
    world.carry_out("audit-3", add_validator("audit-3"))
    removal = world.accept("bank", RemoveValidator(key=key_of("audit-2")))
    assert ready(world, key_of("audit-3"), world.height - 1) == "success"
    world.run_until_effect(removal)
    assert names(world)[4:] == []
    world.next_block()
    assert names(world)[4:] == ["audit-3"]


# --- sizes and concentration ---


def test_a_set_never_becomes_smaller_than_four() -> None:
    world = GovernanceWorld(auditors=3, validators=5)
    world.carry_out("bank", RemoveValidator(key=key_of("audit-2")))
    for name in ("platform", "audit-one"):
        refuse(world, "bank", RemoveValidator(key=key_of(name)), "validators_minimum")


def test_two_removals_decided_together_do_not_go_below_four() -> None:
    world = GovernanceWorld(auditors=3, validators=5)
    removals = [world.accept("bank", RemoveValidator(key=key_of(name))) for name in ("audit-2", "audit-one")]
    world.run_until_effect(removals[0])
    world.next_block()
    assert len(world.validators) == 4
    assert sorted(world.status(removal) for removal in removals) == ["effective", "failed"]


def test_a_chain_that_began_with_fewer_keeps_what_it_began_with() -> None:
    world = GovernanceWorld(validators=2)
    refuse(world, "platform", RemoveValidator(key=key_of("bank")), "validators_minimum")
    world.carry_out("audit-one", add_validator("third", operator="audit-one"))
    world.make_ready(key_of("third"))
    world.carry_out("platform", RemoveValidator(key=key_of("bank")))
    assert names(world) == ["platform", "audit-one"]


def test_an_unknown_validator_cannot_be_removed(world: GovernanceWorld) -> None:
    refuse(world, "bank", RemoveValidator(key=name_hash("nobody")), "validator_unknown")


def test_a_key_is_replaced_by_an_addition_and_a_removal(world: GovernanceWorld) -> None:
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    world.make_ready(key_of("spare"))
    assert names(world).count("audit-one") == 2
    world.carry_out("audit-one", RemoveValidator(key=key_of("audit-one")))
    assert [validator.key for validator in world.validators] == [
        key_of(name) for name in ("platform", "bank", "audit-two", "spare")
    ]


def test_no_group_gets_the_votes_with_which_it_alone_could_sign_two_histories(world: GovernanceWorld) -> None:
    # Of five, three could: two are one too few. Of six, two would be enough.
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    world.make_ready(key_of("spare"))
    refuse(world, "audit-one", add_validator("third", operator="audit-one"), "validators_concentrated")
    refuse(world, "platform", add_validator("p-2", operator="platform"), "validators_concentrated")
    refuse(world, "bank", RemoveValidator(key=key_of("platform")), "validators_concentrated")


def test_a_set_that_began_concentrated_may_still_change() -> None:
    world = GovernanceWorld(auditors=4, validators=6)
    for name in ("audit-two", "audit-2"):
        world.join_group(name, "g-audit-one")
    # Three of six, and three of seven: the one that is added makes nothing worse.
    assert world.open("platform", add_validator("p-2", operator="platform")) == "success"


def test_a_candidate_that_a_change_in_between_forbids_is_dropped() -> None:
    world = GovernanceWorld(auditors=3)
    # Both fit into a set of four; with both, audit-one would have two of six.
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    world.carry_out("audit-2", add_validator("audit-2"))
    for name in ("audit-2", "spare"):
        assert ready(world, key_of(name), world.height - 1) == "success"
    world.next_block()
    world.next_block()
    assert len(world.validators) == 5
    dropped = [event for event in world.events if type(event).__name__ == "ValidatorDropped"]
    assert [getattr(event, "code", None) for event in dropped] == [515]


# --- what is kept by index ---


def test_the_beacon_follows_an_addition(world: GovernanceWorld) -> None:
    beacon = world.state.require(BEACON)
    assert beacon.turn_validator == 4
    take_in(world, "audit-new")
    beacon = world.state.require(BEACON)
    assert beacon.links[4] == name_hash("anchor", "audit-new")
    assert beacon.reveal_heights == (0, 0, 0, 0, 0)
    # Nobody has revealed: the new index 4 must not be taken for the last proposer.
    assert beacon.turn_validator == 5


@pytest.mark.parametrize(("turn", "after"), [(0, 0), (1, 4), (2, 1), (4, 3)])
def test_the_beacon_follows_a_removal(turn: int, after: int) -> None:
    world = GovernanceWorld(auditors=3, validators=5)
    links = tuple(name_hash("link", index) for index in range(5))
    beacon = replace(world.state.require(BEACON), links=links, reveal_heights=(10, 11, 12, 13, 14), turn_validator=turn)
    world.state.put(BEACON, beacon)
    world.carry_out("platform", RemoveValidator(key=key_of("bank")))
    beacon = world.state.require(BEACON)
    assert beacon.links == (links[0], links[2], links[3], links[4])
    assert beacon.reveal_heights == (10, 12, 13, 14)
    assert beacon.turn_validator == after


def test_the_skip_of_a_removed_validator_is_forgotten_and_others_stay() -> None:
    world = GovernanceWorld(auditors=3, validators=5)
    skips = (Skip(key=key_of("bank"), since=3), Skip(key=key_of("audit-one"), since=4))
    world.state.put(ROUND, replace(world.state.require(ROUND), skips=skips, skips_before=skips))
    world.carry_out("platform", RemoveValidator(key=key_of("bank")))
    record = world.state.require(ROUND)
    assert record.skips == skips[1:]
    # By this table the leaders of the block before are recomputed.
    assert record.skips_before == skips


def test_every_set_can_be_found_by_the_hash_in_the_headers(world: GovernanceWorld) -> None:
    take_in(world, "audit-new")
    record = world.state.require(VALIDATOR_SET, hash_validators(world.validators))
    assert record.validators == world.validators
    assert record.from_height == world.height + 1


def test_the_keys_of_a_removed_validator_are_dead() -> None:
    world = GovernanceWorld(auditors=3, validators=5)
    world.carry_out("platform", RemoveValidator(key=key_of("bank")))
    assert ValidatorRemoved(key=key_of("bank"), organisation="bank", set_size=4) in world.block_events
    for key in (key_of("bank"), name_hash("checkpoint", "bank")):
        assert world.state.require(KEY, key).state == KEY_RETIRED
    payload: AddValidator = replace(add_validator("bank-2", operator="bank"), key=key_of("bank"))
    refuse(world, "bank", payload, "key_in_use")


# --- reveals ---


def test_an_operator_renews_its_reveals_and_the_anchor_is_public_for_a_week(world: GovernanceWorld) -> None:
    anchor = name_hash("new anchor")
    proposal = world.accept("bank", RenewReveals(key=key_of("bank"), reveal_anchor=anchor))
    assert world.proposal(proposal).effect_day == world.today + 7
    before = world.state.require(BEACON)
    world.run_until_effect(proposal)
    after = world.state.require(BEACON)
    assert after.links == (before.links[0], anchor, *before.links[2:])
    assert replace(after, links=before.links) == before
    assert RevealsRenewed(key=key_of("bank"), reveal_anchor=anchor) in world.block_events


def test_reveals_that_cannot_be_renewed(world: GovernanceWorld) -> None:
    anchor = name_hash("new anchor")
    refuse(world, "platform", RenewReveals(key=key_of("bank"), reveal_anchor=anchor), "not_owner")
    refuse(world, "bank", RenewReveals(key=name_hash("x"), reveal_anchor=anchor), "validator_unknown")
    refuse(world, "bank", RenewReveals(key=key_of("bank"), reveal_anchor=bytes(32)), "value_out_of_range")
    world.carry_out("audit-one", add_validator("spare", operator="audit-one"))
    refuse(world, "audit-one", RenewReveals(key=key_of("spare"), reveal_anchor=anchor), "validator_unknown")


# --- rejoin ---


def rejoin(world: GovernanceWorld, key: bytes, height: int) -> str:
    return get_entry_by_number(world.call(key, Rejoin(height=height)).number).code


def test_a_rejoin_is_recorded_for_everybody_to_see(world: GovernanceWorld) -> None:
    for _ in range(10):
        world.next_block()
    assert rejoin(world, key_of("bank"), 5) == "success"
    record = world.state.require(REJOIN, key_of("bank"))
    assert (record.height, record.recorded_height, record.times) == (5, world.height, 1)
    assert [type(event).__name__ for event in world.last_events] == ["ValidatorRejoined"]
    assert rejoin(world, key_of("bank"), 5) == "already"
    assert rejoin(world, key_of("bank"), 4) == "conflict"
    assert rejoin(world, key_of("bank"), 8) == "success"
    assert world.state.require(REJOIN, key_of("bank")).times == 2


def test_a_rejoin_by_no_validator_or_of_a_height_to_come_is_refused(world: GovernanceWorld) -> None:
    before = list_pending(world.state)
    assert rejoin(world, world.key_of("bank"), 0) == "validator_unknown"
    assert rejoin(world, key_of("bank"), world.height) == "value_out_of_range"
    assert list_pending(world.state) == before


def test_blocks_without_governance_write_nothing_for_it(world: GovernanceWorld) -> None:
    world.next_block()
    world.next_block()
    fresh = Overlay(world.base)
    world.state = fresh
    assert world.state.get_changes() == []
