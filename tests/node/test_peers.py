"""Numbers of peers: they stay while the set moves, and the core's indexes are found from them at any height."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from chain.contract.governance_tables import CANDIDATE, CONSORTIUM, CandidateRecord
from chain.ledger import Ledger
from chain.round_record import VALIDATORS, ValidatorsRecord
from chain.store import Store
from chain.types import ChainId
from chain.validators import Validator
from consensus.effects import CatchUp, Effects, Note, Send
from consensus.events import PeerDown, PeerUp, Received, RequestOverdue
from consensus.messages import Complaint, Status
from consensus.state import State
from consensus.status import build_held, build_status
from node.devnet_files import Devnet
from node.genesis_files import load_genesis
from node.naming import GUEST_GAP_MS, Naming
from node.peers import FORMER_BLOCKS, FORMER_MAX, LEAVING_BLOCKS, PeerTable
from tests.simulator.cluster import Cluster
from tests.simulator.ledger import EPOCH_MS, build_validator


@pytest.fixture
def ledger(template: Devnet, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger at block 0, whose state a test moves by hand: what governance writes is tested elsewhere."""
    genesis = load_genesis(template.genesis_path)
    store = Store(tmp_path / "ledger", ChainId(bytes(32)))
    yield Ledger(store, genesis)
    store.close()


def put(ledger: Ledger, key: bytes, value: msgspec.Struct) -> None:
    ledger._records[key] = value


def move(ledger: Ledger, *members: Validator, height: int) -> None:
    """Let a block announce a set."""
    record = ledger.validators_record
    put(ledger, VALIDATORS.key(), ValidatorsRecord(next_set=members, this_set=record.next_set))
    ledger.header = replace(ledger.header, height=height)


def accept(ledger: Ledger, validator: Validator) -> None:
    """Let governance have accepted a candidate."""
    consortium = ledger.read(CONSORTIUM.key(), CONSORTIUM.codec)
    assert consortium is not None
    put(ledger, CONSORTIUM.key(), replace(consortium, candidates=(validator.key,)))
    candidate = CandidateRecord(validator=validator, since_day=1, expire_day=9, is_ready=False)
    put(ledger, CANDIDATE.key(validator.key), candidate)


NEW, OTHER = build_validator(7), build_validator(8)


def test_numbers_of_the_first_set_are_its_indexes_and_a_stranger_comes_after_them(ledger: Ledger) -> None:
    members = ledger.validators
    table = PeerTable(ledger, own=members[2])
    assert (table.home, table.numbers, table.ingresses) == (2, (0, 1, 3), (0, 1, 2, 3))
    stranger = PeerTable(ledger, own=NEW)
    assert (stranger.home, stranger.numbers) == (4, (0, 1, 2, 3))
    assert not stranger.may_hand_in
    assert {entry.index for entry in stranger.get_entries()} == {0, 1, 2, 3}


def test_number_stays_when_a_candidate_becomes_a_member_and_indexes_move(ledger: Ledger) -> None:
    a, b, c, d = ledger.validators
    table = PeerTable(ledger, own=a)
    accept(ledger, NEW)
    assert table.refresh()
    assert table.candidates == (NEW,)
    assert 4 in table.ingresses, "what its clients hand in is taken"
    assert [entry.index for entry in table.get_entries() if entry.pin == NEW.tls_pin] == [4]
    assert table.find_index(4, table.members) == 4 + 4, "a guest"
    move(ledger, a, b, c, d, NEW, height=10)
    assert table.refresh()
    move(ledger, a, c, d, NEW, height=11)
    assert table.refresh()
    assert [table.find_index(number, table.members) for number in (0, 1, 2, 3, 4)] == [0, 4 + 1, 1, 2, 3]
    assert table.find_numbers(range(4), table.members) == (0, 2, 3, 4)
    assert table.find_number(4 + 1, table.members) == 1, "a guest by its number"
    assert not table.refresh()


def test_removed_validator_may_connect_for_long_and_hand_in_for_a_while(ledger: Ledger) -> None:
    a, b, c, d = ledger.validators
    table = PeerTable(ledger, own=a)
    move(ledger, a, b, c, height=50)
    table.refresh()
    assert (table.former, table.ingresses) == ((d,), (0, 1, 2, 3))
    ledger.header = replace(ledger.header, height=50 + LEAVING_BLOCKS)
    assert table.refresh()
    assert (table.former, table.ingresses) == ((d,), (0, 1, 2))
    ledger.header = replace(ledger.header, height=50 + FORMER_BLOCKS)
    assert table.refresh()
    assert table.former == ()
    assert table.get_validator(3) == d, "until the network was told"
    table.release()
    assert table.get_validator(3) is None
    assert table.find_index(3, table.members) == 3 + 3


def test_number_that_was_let_go_of_is_given_again(ledger: Ledger) -> None:
    a, b, c, d = ledger.validators
    table = PeerTable(ledger, own=a)
    move(ledger, a, b, c, height=50)
    table.refresh()
    ledger.header = replace(ledger.header, height=50 + FORMER_BLOCKS)
    table.refresh()
    table.release()
    accept(ledger, NEW)
    table.refresh()
    assert table.get_validator(3) == NEW
    del d


def test_former_validators_are_bounded_and_one_that_came_back_is_a_member(ledger: Ledger) -> None:
    a, b, c, d = ledger.validators
    table = PeerTable(ledger, own=a)
    for number in range(2 * FORMER_MAX):
        move(ledger, a, b, c, build_validator(20 + number), height=10 + number)
        table.refresh()
    assert len(table.former) == FORMER_MAX
    assert d not in table.former
    move(ledger, a, b, c, d, height=90)
    table.refresh()
    assert d in table.members
    assert len(table.get_entries()) == 3 + FORMER_MAX


def test_two_entries_never_share_a_pin_nor_does_a_bad_address_stop_the_others(ledger: Ledger) -> None:
    table = PeerTable(
        ledger,
        own=ledger.validators[0],
        extra=(replace(NEW, tls_pin=ledger.validators[1].tls_pin), replace(OTHER, address="nowhere")),
    )
    pins = [entry.pin for entry in table.get_entries()]
    assert len(pins) == len(set(pins)) == 3


def test_network_of_a_table_of_extra_peers_asks_them_and_takes_nothing_in_from_them(ledger: Ledger) -> None:
    table = PeerTable(ledger, own=ledger.validators[0], extra=(NEW,))
    assert 4 in table.numbers
    assert 4 not in table.ingresses
    assert table.get_name(4).startswith(NEW.organisation)
    assert table.get_name(9) == "peer 9"


# --- between the node and its core ---


def build_naming(ledger: Ledger) -> tuple[Naming, State, PeerTable]:
    """A table whose members are those of the simulator, and a core that decides with them."""
    state = Cluster(4).state(0)
    move(ledger, *state.validators, height=0)
    table = PeerTable(ledger, own=state.validators[0])
    return Naming(table), state, table


def test_events_and_effects_are_translated_both_ways(ledger: Ledger) -> None:
    naming, state, table = build_naming(ledger)
    moved = replace(state, head=replace(state.head, validators=state.validators[1:]), own_index=None)
    for number, index in ((1, 0), (3, 2), (0, 3 + 0)):
        event = naming.to_core(PeerUp(number, 1, 1), moved)
        assert isinstance(event, PeerUp)
        assert event.peer == index
    overdue = naming.to_core(RequestOverdue(leader=2, tx_ids=(), now_ms=1, wall_ms=1), moved)
    assert isinstance(overdue, RequestOverdue)
    assert overdue.leader == 1
    status = build_status(state, build_held(state), state.peers[1], EPOCH_MS)
    effects = Effects(
        send=(Send(to=2, message=status), Send(to=None, message=status), Send(to=3 + 0, message=status)),
        sync=(CatchUp(height=state.height, peer=0),),
        faults=(Note(code="word", peer=1, detail=""), Note(code="word", peer=None, detail="")),
    )
    named = naming.to_numbers(effects, moved)
    assert [send.to for send in named.send] == [3, None, 0]
    assert named.sync == (CatchUp(height=state.height, peer=1),)
    assert [fault.peer for fault in named.faults if isinstance(fault, Note)] == [2, None]
    assert naming.to_numbers(Effects(), moved) == Effects()
    del table


def test_core_is_told_again_who_is_connected_after_a_change(ledger: Ledger) -> None:
    naming, state, _ = build_naming(ledger)
    for number in (1, 2, 3):
        naming.to_core(PeerUp(number, 1, 1), state)
    naming.to_core(PeerDown(2, 1, 1), state)
    moved = replace(state, head=replace(state.head, validators=state.validators[:2]), peers=state.peers[:2])
    assert naming.find_unknown(moved) == [3], "a guest now; the member is known"


def test_status_of_a_guest_is_passed_on_only_now_and_then(ledger: Ledger) -> None:
    naming, state, _ = build_naming(ledger)
    status = build_status(state, build_held(state), state.peers[1], EPOCH_MS)
    assert isinstance(status, Status)
    passed = [naming.to_core(Received(9, status, now_ms, 1), state) for now_ms in range(0, 3 * GUEST_GAP_MS, 10)]
    assert sum(event is not None for event in passed) == 3
    members = [naming.to_core(Received(1, status, now_ms, 1), state) for now_ms in range(0, 50, 10)]
    assert None not in members
    complaint = Complaint(height=1, view=0, tx_ids=())
    assert naming.to_core(Received(9, complaint, 5, 1), state) is not None
