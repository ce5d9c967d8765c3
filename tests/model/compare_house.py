"""What the contract and the model must agree on about the consortium."""

import msgspec

from chain.contract.governance_tables import CONSORTIUM, PROPOSAL, PROPOSAL_STATUS_NAMES
from chain.contract.tables import ORGANISATION, ROSTER
from chain.genesis import ROLE_NAMES
from chain.round_record import PARAMETERS
from tests.chain.contract.world import World
from tests.model.book import Book
from tests.model.governance import list_office


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
