"""What the contract and the model must agree on about the consortium."""

import msgspec

from chain.contract.claim_tables import BEACON
from chain.contract.governance_tables import (
    CANDIDATE,
    CONSORTIUM,
    KEY,
    KEY_LIVE,
    KEY_RETIRED,
    PROPOSAL,
    PROPOSAL_STATUS_NAMES,
    RECENT_BLOCKS,
    REJOIN,
    VALIDATOR_SET,
)
from chain.contract.tables import ORGANISATION, ROSTER
from chain.genesis import ROLE_NAMES
from chain.round_record import PARAMETERS, PROTOCOL, VALIDATORS
from chain.validators import Validator, hash_validators
from tests.chain.contract.world import World
from tests.model.book import Book
from tests.model.governance import list_office
from tests.model.house import House
from tests.model.house import Validator as ModelValidator


def compare_house(world: World, book: Book) -> None:
    """Raise AssertionError at the first difference."""
    house = book.house
    for number, role in enumerate(ROLE_NAMES):
        assert list(world.state.require(ROSTER, number).names) == list_office(house, role), role
    for name, office in house.offices.items():
        shown = world.state.require(ORGANISATION, name)
        found = (ROLE_NAMES[shown.role], shown.group, shown.key, shown.recovery_key, shown.left_day > 0)
        assert found == (office.role, office.group, office.key, office.recovery, office.has_left), name
    parameters = msgspec.structs.asdict(world.state.require(PARAMETERS))
    assert {name: parameters[name] for name in house.parameters} == house.parameters
    due = {live.proposal: live.due_day for live in world.state.require(CONSORTIUM).live}
    assert due == {name: one.due for name, one in house.live.items()}
    for proposal, one in house.proposals.items():
        record = world.state.require(PROPOSAL, proposal)
        assert PROPOSAL_STATUS_NAMES[record.status] == one.status, one
        assert (list(record.voters), record.concerned) == (one.voters, one.concerned)
        assert {vote.organisation: (vote.is_yes, vote.key) for vote in record.votes} == one.votes
    compare_validators(world, house)


def compare_validators(world: World, house: House) -> None:
    """Compare who votes on the next block, who waits to, and what the beacon keeps by index."""
    voters, consortium = world.state.require(VALIDATORS).next_set, world.state.require(CONSORTIUM)
    assert {one.key: describe(one) for one in voters} == describe_all(house.validators)
    assert [one.key for one in voters] == list(house.validators)
    assert list(consortium.candidates) == list(house.candidates)
    waiting = {key: world.state.require(CANDIDATE, key) for key in consortium.candidates}
    assert {key: describe(one.validator) for key, one in waiting.items()} == describe_all(house.candidates)
    found = {key: (one.is_ready, one.expire_day) for key, one in waiting.items()}
    assert found == {key: (one.is_ready, one.expires) for key, one in house.candidates.items()}
    assert consortium.set_height == house.set_height
    beacon, known = world.state.require(BEACON), house.validators.values()
    assert list(beacon.links) == [one.link for one in known]
    assert list(beacon.reveal_heights) == [one.revealed for one in known]
    places = {key: place for place, key in enumerate(house.validators)}
    assert beacon.turn_validator == places.get(house.last_proposer, len(places))
    recent = world.state.get(RECENT_BLOCKS)
    assert list(() if recent is None else recent.hashes) == list(house.recent.values())
    assert recent is None or recent.last_height == max(house.recent)
    if house.set_height:
        archived = world.state.require(VALIDATOR_SET, hash_validators(voters))
        assert [one.key for one in archived.validators] == list(house.validators)
    for key, declared in house.rejoins.items():
        shown = world.state.require(REJOIN, key)
        assert (shown.height, shown.recorded_height, shown.times) == declared
    assert list(world.state.require(PROTOCOL).versions) == house.protocol
    live = {*house.validators, *house.candidates}
    for key, checkpoint in house.node_keys.items():
        states = [world.state.require(KEY, one).state for one in (key, checkpoint)]
        assert states == [KEY_LIVE if key in live else KEY_RETIRED] * 2


def describe(one: Validator) -> tuple[str, bytes, bytes, str]:
    return one.organisation, one.checkpoint_key, one.tls_pin, one.address


def describe_all(known: dict[bytes, ModelValidator]) -> dict[bytes, tuple[str, bytes, bytes, str]]:
    return {key: (one.operator, one.checkpoint, one.pin, one.address) for key, one in known.items()}
