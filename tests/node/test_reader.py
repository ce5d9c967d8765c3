"""The reader over LevelDB: what it hands out is the ledger's, at one height, and damage is never an answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chain import layout
from chain.contract.settlement_tables import SHARE_STEP
from chain.contract.tables import MEMBER, POOL
from chain.errors import InvariantViolation, StoreError
from chain.trie import NO_SUMS
from chain.types import TxId
from tests.explorer.world import DEPOSIT_FEN, MEMBERS, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A chain that no test changes."""
    world = World(tmp_path_factory.mktemp("reader") / "db")
    world.play()
    yield world
    world.close()


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """A chain for one test to change or to damage."""
    world = World(tmp_path / "db")
    world.play()
    yield world
    world.close()


def test_head_is_the_ledgers_and_moves_with_it(own_world: World) -> None:
    before = own_world.reader.get_head()
    assert (before.height, before.state_root) == (
        own_world.chain.ledger.height,
        own_world.chain.ledger.header.state_root,
    )
    own_world.add()
    after = own_world.reader.get_head()
    assert after.height == before.height + 1
    assert after.timestamp_ms == own_world.time_ms


def test_snapshot_stays_at_its_height_while_the_chain_goes_on(own_world: World) -> None:
    snapshot = own_world.reader.open_snapshot()
    height = snapshot.head.height
    late = own_world.apply(50)
    own_world.add(late)
    assert snapshot.head.height == height
    assert snapshot.read_block(height + 1) is None
    assert snapshot.read_entry(late.tx_id) is None
    assert snapshot.read(MEMBER, late.tx_id) is None
    assert [
        entry.height
        for entry in snapshot.iterate_entries(start=(height + 1, 0), stop=(height + 2, 0), is_reversed=False)
    ] == []
    snapshot.close()
    fresh = own_world.reader.open_snapshot()
    assert fresh.read_entry(late.tx_id) is not None
    fresh.close()


def test_every_transaction_is_found_by_its_id_with_its_bytes_and_receipt(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    for transaction in world.transactions:
        entry = snapshot.read_entry(transaction.tx_id)
        assert entry is not None
        assert entry.raw == transaction.raw
        assert world.chain.ledger.read_receipt(transaction.tx_id) == (entry.height, entry.index, entry.receipt)
        assert snapshot.read_entry_at((entry.height, entry.index)) == entry
    assert snapshot.read_entry(TxId(bytes(32))) is None
    snapshot.close()


def test_entries_are_the_same_in_both_directions_and_hold_the_automatic_ones(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    end = (snapshot.head.height + 1, 0)
    forward = list(snapshot.iterate_entries(start=(0, 0), stop=end, is_reversed=False))
    backward = list(snapshot.iterate_entries(start=(0, 0), stop=end, is_reversed=True))
    assert forward == backward[::-1]
    assert len(forward) == world.chain.ledger.header.log_size
    assert any(entry.index == 0 and entry.raw == b"" for entry in forward)
    snapshot.close()


def test_subject_leads_to_the_entries_that_name_it(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    end = (snapshot.head.height + 1, 0)
    entries = list(snapshot.iterate_subject(world.members[1], start=(0, 0), stop=end, is_reversed=False))
    assert entries[0].receipt.tx_id == world.members[1]
    assert [(entry.height, entry.index) for entry in entries] == sorted(
        (entry.height, entry.index) for entry in entries
    )
    newest = next(snapshot.iterate_subject(world.members[1], start=(0, 0), stop=end, is_reversed=True))
    assert newest == entries[-1]
    snapshot.close()


def test_scan_goes_on_from_a_key_in_either_direction(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    rows = list(snapshot.scan(MEMBER, arity=1))
    assert {record.parts[0] for record, _ in rows} == set(world.members)
    middle = rows[3][0].key
    assert list(snapshot.scan(MEMBER, arity=1, start=middle)) == rows[4:]
    assert list(snapshot.scan(MEMBER, arity=1, start=middle, is_reversed=True)) == rows[2::-1]
    assert list(snapshot.scan(MEMBER, arity=1, start=rows[-1][0].key)) == []
    assert list(snapshot.scan(MEMBER, arity=1, start=rows[0][0].key, is_reversed=True)) == []
    snapshot.close()


def test_scan_of_a_prefix_holds_its_numbers_in_order_and_nothing_of_others(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    steps = [record.parts for record, _ in snapshot.scan(SHARE_STEP, "demo", 0, arity=3)]
    assert steps == [("demo", 0, 0), ("demo", 0, 1)]
    assert list(snapshot.scan(SHARE_STEP, "demo", 1, arity=3)) == []
    assert list(snapshot.scan(SHARE_STEP, "dem", arity=3)) == []
    snapshot.close()


def test_key_of_a_foreign_scan_leads_nowhere(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    foreign = POOL.key("demo", 0)
    assert list(snapshot.scan(MEMBER, arity=1, start=b"\xff" * 40)) == []
    assert len(list(snapshot.scan(MEMBER, arity=1, start=foreign))) in {0, MEMBERS}
    snapshot.close()


def test_sums_are_those_of_the_members_leaves(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    everybody = snapshot.read_pool_sums(("demo", 0), 0)
    assert everybody.count == everybody.weight == MEMBERS - 2
    assert everybody.weight_x == DEPOSIT_FEN * (MEMBERS - 2)
    assert snapshot.read_pool_sums(("demo", 0), DEPOSIT_FEN + 1) == NO_SUMS
    assert snapshot.read_pool_sums(("demo", 9), 0) == NO_SUMS
    snapshot.close()


def test_state_serves_the_pure_functions_and_writes_nowhere(world: World) -> None:
    snapshot = world.reader.open_snapshot()
    state = snapshot.state
    pool = state.require(POOL, "demo", 0)
    assert pool == snapshot.read(POOL, "demo", 0)
    state.delete(POOL, "demo", 0)
    assert snapshot.state.require(POOL, "demo", 0) == pool
    with pytest.raises(InvariantViolation):
        state.require(POOL, "demo", 9)
    snapshot.close()


def damage(world: World, key: bytes, value: bytes | None) -> None:
    world.chain.store.write([(key, value)])


def test_missing_header_body_or_receipt_is_a_damaged_store(own_world: World) -> None:
    transaction = own_world.transactions[0]
    receipt = own_world.chain.ledger.read_receipt(transaction.tx_id)
    assert receipt is not None
    at = layout.place(receipt[0], receipt[1])
    damage(own_world, layout.TRANSACTION + at, None)
    snapshot = own_world.reader.open_snapshot()
    with pytest.raises(StoreError, match="is missing"):
        snapshot.read_entry(transaction.tx_id)
    snapshot.close()
    damage(own_world, layout.RECEIPT + at, None)
    damage(own_world, layout.header_key(3), None)
    snapshot = own_world.reader.open_snapshot()
    with pytest.raises(StoreError, match="receipt"):
        snapshot.read_entry(transaction.tx_id)
    with pytest.raises(StoreError, match="header 3"):
        snapshot.read_block(3)
    snapshot.close()


def test_record_that_cannot_be_read_is_a_damaged_store(own_world: World) -> None:
    for value in (b"", b"\xc1", b"\x90", b"\x93\x01\x02\x03"):
        damage(own_world, layout.STATE + MEMBER.key(own_world.members[0]), value)
        snapshot = own_world.reader.open_snapshot()
        with pytest.raises(StoreError, match="cannot be read"):
            snapshot.read(MEMBER, own_world.members[0])
        with pytest.raises(StoreError, match="cannot be read"):
            list(snapshot.scan(MEMBER, arity=1))
        snapshot.close()
