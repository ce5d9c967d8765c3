"""The ledger over a real LevelDB: one batch for each block, all or nothing, roots checked at start."""

import shutil
from pathlib import Path

import msgspec
import pytest

from chain import layout
from chain.block import hash_header
from chain.certificate import Certificate
from chain.codec import encode
from chain.contract.custody_tables import DEPOSIT, DepositRecord
from chain.contract.member_calls import MemberApply, MemberLeave
from chain.contract.tables import MEMBER, PERSON, SIGNER, PersonRecord
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.errors import StoreError
from chain.execution import Draft, Executed, execute_block
from chain.genesis import compute_chain_id
from chain.history import compute_leaf_hash, inclusion_proof, verify_inclusion
from chain.ledger import Ledger, TileStore
from chain.receipt import build_log_entry
from chain.store import Store, Writes
from chain.transaction import Transaction, build_transaction
from chain.trie import map_key
from chain.trie_proof import verify_map_proof
from tests.chain.fixtures import GENESIS_MS, make_genesis, make_key, make_link

GENESIS = make_genesis()
CHAIN = compute_chain_id(GENESIS)
H = bytes(range(32))


def build_join(number: int) -> Transaction:
    return build_transaction(
        chain_id=CHAIN,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=GENESIS_MS + 1_800_000,
        call=MemberApply(
            plan="demo",
            pool=0,
            weight=1,
            rules_hash=hash_terms(GENESIS.plans[0].terms),
            field_commitments_root=H,
            blob_hash=H,
            consent_hash=H,
            recovery_hash=H,
            guardian=None,
        ),
        key=make_key(f"member {number}"),
    )


def execute(ledger: Ledger, *transactions: Transaction) -> Executed:
    height = ledger.height + 1
    draft = Draft(
        timestamp_ms=ledger.header.timestamp_ms + 250,
        proposer=GENESIS.validators[0].key,
        reveal=make_link("platform", height),
        parent_certificate=ledger.certificate,
        transactions=transactions,
    )
    return execute_block(ledger, draft)


def certify(executed: Executed) -> Certificate:
    return Certificate(height=executed.header.height, view=0, block_hash=executed.block_hash, votes=())


def grow(ledger: Ledger, blocks: int, *, first: int = 0) -> None:
    for number in range(first, first + blocks):
        executed = execute(ledger, *(build_join(number * 10 + i) for i in range(3)))
        ledger.commit(executed, certify(executed))


def test_genesis_is_block_zero_and_the_same_for_everybody(tmp_path: Path) -> None:
    first = Ledger(Store(tmp_path / "a", CHAIN), GENESIS)
    second = Ledger(Store(tmp_path / "b", CHAIN), GENESIS)
    assert first.head_hash == second.head_hash == first.genesis_hash
    assert first.header.parent_hash == CHAIN
    assert first.header.log_root == sha256(b"")
    assert first.height == 0


def test_a_committed_block_is_there_after_a_restart_and_an_executed_one_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 3)
    head = ledger.head_hash
    execute(ledger, build_join(999))
    store.close()
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    assert (ledger.height, ledger.head_hash) == (3, head)
    assert not ledger.has_transaction(build_join(999).tx_id)
    assert ledger.has_transaction(build_join(0).tx_id)


def test_executing_twice_gives_the_same_block_and_leaves_no_trace(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    grow(ledger, 2)
    other = execute(ledger, build_join(500))
    first = execute(ledger, build_join(501), build_join(502))
    second = execute(ledger, build_join(501), build_join(502))
    assert first.header == second.header
    assert first.header != other.header
    ledger.commit(second, certify(second))
    assert ledger.head_hash == hash_header(first.header)


def test_a_block_read_back_is_the_block_that_was_committed(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    grow(ledger, 2)
    block = ledger.read_block(2)
    assert block is not None
    assert hash_header(block.header) == ledger.head_hash
    assert block.transactions == tuple(build_join(10 + i).raw for i in range(3))
    assert ledger.read_block(3) is None
    assert ledger.read_certificate(1) == block.parent_certificate


def test_a_receipt_is_proven_by_the_log_root_of_any_later_header(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    grow(ledger, 4)
    found = ledger.read_receipt(build_join(11).tx_id)
    assert found is not None
    height, index, receipt = found
    assert (height, index, receipt.outcome) == (2, 2, 0)
    leaf = compute_leaf_hash(encode(build_log_entry(receipt, height=height, index=index)))
    position, size = 4, ledger.header.log_size
    path = inclusion_proof(TileStore(ledger.store), index=position, size=size)
    verify_inclusion(root=ledger.header.log_root, size=size, index=position, leaf_hash=leaf, path=path)


def test_a_member_record_is_proven_by_the_state_root(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    grow(ledger, 2)
    member = build_join(0).tx_id
    record = ledger.read(MEMBER.key(member), MEMBER.codec)
    assert record is not None
    proof = ledger.state_tree.prove(map_key(MEMBER.key(member)))
    verify_map_proof(ledger.header.state_root, MEMBER.key(member), encode(record), proof)
    absent = ledger.state_tree.prove(map_key(MEMBER.key(H)))
    verify_map_proof(ledger.header.state_root, MEMBER.key(H), None, absent)


def test_s1_a_crash_at_any_byte_of_the_commit_leaves_the_block_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "db"
    store = Store(path, CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 2)
    before = {file.name: file.stat().st_size for file in path.glob("*.log")}
    heads = {2: ledger.head_hash}
    grow(ledger, 1, first=2)
    heads[3] = ledger.head_hash
    store.close()
    (log,) = path.glob("*.log")
    start, end = before[log.name], log.stat().st_size
    assert end > start + 1_000
    seen = set()
    cuts = [start, *range(start + 1, end, max(1, (end - start) // 25)), end - 1, end]
    for cut in cuts:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        with (copy / log.name).open("r+b") as file:
            file.truncate(cut)
        try:
            reopened = Store(copy, CHAIN)
        except StoreError:
            # A torn record under paranoid checks: the node stops and re-syncs; it never reads half a block.
            seen.add("stopped")
            continue
        found = Ledger(reopened, GENESIS)
        assert found.head_hash == heads[found.height]
        assert found.has_transaction(build_join(20).tx_id) == (found.height == 3)
        seen.add(f"height {found.height}")
        reopened.close()
    assert {"height 2", "height 3"} <= seen


class FailingStore(Store):
    """A disk that fails at the next write."""

    is_failing = False

    def write(self, writes: Writes) -> None:
        if self.is_failing:
            raise StoreError("writing failed: disk")
        super().write(writes)


def test_s10_a_failed_write_changes_nothing_in_memory_either(tmp_path: Path) -> None:
    store = FailingStore(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 1)
    executed = execute(ledger, build_join(700))
    head = ledger.head_hash
    store.is_failing = True
    with pytest.raises(StoreError):
        ledger.commit(executed, certify(executed))
    assert (ledger.height, ledger.head_hash) == (1, head)


@pytest.mark.parametrize("table", ["header", "tile"])
def test_a_store_that_contradicts_its_roots_stops_the_start(tmp_path: Path, table: str) -> None:
    store = Store(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 2)
    if table == "header":
        record = ledger.read_header_record(2)
        assert record is not None
        header = msgspec.structs.replace(record.header, state_root=H)
        store.write([(layout.header_key(2), encode(msgspec.structs.replace(record, header=header)))])
    else:
        key, tile = next(store.iterate(start=layout.HISTORY_TILE, stop=layout.prefix_end(layout.HISTORY_TILE)))
        store.write([(key, bytes([tile[0] ^ 1]) + tile[1:])])
    store.close()
    with pytest.raises(StoreError, match="contradict"):
        Ledger(Store(tmp_path / "db", CHAIN), GENESIS)


def test_r3_a_refused_call_is_in_the_block_with_its_outcome_and_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    grow(ledger, 1)
    stranger = build_transaction(
        chain_id=CHAIN,
        nonce=bytes(16),
        valid_until_ms=GENESIS_MS + 1_800_000,
        call=MemberLeave(member=build_join(0).tx_id),
        key=make_key("stranger"),
    )
    member = ledger.read(MEMBER.key(build_join(0).tx_id), MEMBER.codec)
    executed = execute(ledger, stranger)
    ledger.commit(executed, certify(executed))
    found = ledger.read_receipt(stranger.tx_id)
    assert found is not None
    assert found[2].outcome == 3
    assert found[2].events == ()
    assert ledger.read(MEMBER.key(build_join(0).tx_id), MEMBER.codec) == member


def list_run(ledger: Ledger, numbers: range) -> list[bool]:
    return [ledger.has_run(build_join(number)) for number in numbers]


def test_whether_a_transaction_ran_is_known_after_each_block_and_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 1)
    assert list_run(ledger, range(4)) == [True, True, True, False]
    grow(ledger, 2, first=1)
    assert list_run(ledger, range(20, 24)) == [True, True, True, False]
    store.close()
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    assert list_run(ledger, range(4)) == [True, True, True, False]
    assert list_run(ledger, range(20, 24)) == [True, True, True, False]


@pytest.mark.parametrize("limit", ["RESTORED_IDS_MAX", "RESTORED_BLOCKS_MAX"])
def test_what_is_not_read_back_after_a_restart_is_looked_for_in_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    store = Store(tmp_path / "db", CHAIN)
    grow(Ledger(store, GENESIS), 4)
    store.close()
    monkeypatch.setattr(f"chain.ledger.{limit}", 1)
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    assert [ledger.has_run(build_join(number)) for number in (0, 10, 20, 30, 40)] == [True, True, True, True, False]
    grow(ledger, 1, first=4)
    assert [ledger.has_run(build_join(number)) for number in (0, 30, 40, 43)] == [True, True, True, False]


def test_a_key_that_becomes_a_signer_is_one_in_the_next_block(tmp_path: Path) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    key = SIGNER.key(make_key("stranger").public_key)
    known = ledger.read(SIGNER.key(make_key("custodian").public_key), SIGNER.codec)
    assert known is not None
    assert ledger.read(key, SIGNER.codec) is None
    executed = execute(ledger, build_join(0))
    changed = msgspec.structs.replace(
        executed, records=(*executed.records, (key, known)), values=((key, encode(known)), *executed.values)
    )
    ledger.commit(changed, certify(executed))
    assert ledger.read(key, SIGNER.codec) == known


def test_a_deposit_is_found_after_its_block_and_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    record = DepositRecord(member=None, amount=5, taken=0, value_day=1, payer_token=H, returned=0, deposit_code=0)
    keys = [DEPOSIT.key("account", 20_000, sha256(bytes([number]))) for number in range(4)]
    for key in keys[:2]:
        assert ledger.read(key, DEPOSIT.codec) is None
        executed = execute(ledger, build_join(ledger.height))
        values = ((key, encode(record)), *executed.values)
        ledger.commit(
            msgspec.structs.replace(executed, records=(*executed.records, (key, record)), values=values),
            certify(executed),
        )
    assert [ledger.read(key, DEPOSIT.codec) for key in keys] == [record, record, None, None]
    for most in (100, 1):
        store.close()
        monkeypatch.setattr("chain.absent_records.GROUP_READ_MAX", most)
        store = Store(tmp_path / "db", CHAIN)
        ledger = Ledger(store, GENESIS)
        assert [ledger.read(key, DEPOSIT.codec) for key in keys] == [record, record, None, None]


def test_pages_of_the_state_tree_that_waited_are_there_again_after_a_stop(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    ledger = Ledger(store, GENESIS)
    grow(ledger, 12)
    assert ledger.state_tree.lazy.pages, "every page is on disk: the test would prove nothing"
    waiting, proof = dict(ledger.state_tree.lazy.pages), ledger.state_tree.prove(map_key(MEMBER.key(H)))
    store.close()
    reopened = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    assert reopened.state_tree.lazy.pages == waiting
    assert reopened.state_tree.prove(map_key(MEMBER.key(H))) == proof
    grow(reopened, 3, first=12)
    assert reopened.header.state_root == reopened.state_tree.root_bytes


def test_who_is_not_there_is_told_from_memory_and_who_comes_or_goes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), GENESIS)
    record = PersonRecord(member=H, is_barred=False)
    keys = [PERSON.key("care", sha256(bytes([number]))) for number in range(3)]
    gets = ledger.store.get
    asked: list[bytes] = []

    def count_get(key: bytes, /) -> bytes | None:
        asked.append(key)
        return gets(key)

    for value in (record, None):
        assert ledger.read(keys[0], PERSON.codec) == (None if value is record else record)
        executed = execute(ledger, build_join(ledger.height))
        values = ((keys[0], None if value is None else encode(value)), *executed.values)
        ledger.commit(
            msgspec.structs.replace(executed, records=(*executed.records, (keys[0], value)), values=values),
            certify(executed),
        )
        with monkeypatch.context() as counting:
            counting.setattr(ledger.store, "get", count_get)
            assert [ledger.read(key, PERSON.codec) for key in keys] == [value, None, None]
        assert asked == [], "two are told from memory, and the one that was written is cached"
