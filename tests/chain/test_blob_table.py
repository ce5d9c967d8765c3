"""Blobs beside the chain: named, shared, erased with their member, and gone from the files (ADR 0007, 0013)."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain import layout
from chain.blob_table import get_blob_use, list_erased, list_uses
from chain.contract.calls import Call
from chain.contract.erasure import RETENTION_DAYS
from chain.contract.member_calls import ErasureRequest, MemberAmend, MemberApply, MemberLeave
from chain.contract.person_tables import ERASURE
from chain.crypto import sha256
from chain.errors import StoreError
from chain.execution import Draft, Executed, execute_block
from chain.ledger import Ledger
from chain.store import Store
from chain.transaction import Transaction, build_transaction
from tests.chain.fixtures import make_key, make_link
from tests.chain.test_ledger import CHAIN, GENESIS, H, build_join, certify

DAY_MS = 86_400_000
FIRST, SECOND = b"the first profile of somebody", b"the second profile, amended"


class Chain:
    """A ledger on disk that grows by calls, with as much time between blocks as is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path, CHAIN)
        self.ledger = Ledger(self.store, GENESIS)
        self.nonce = 0

    def sign(self, call: Call, name: str = "ann") -> Transaction:
        self.nonce += 1
        return build_transaction(
            chain_id=CHAIN, nonce=self.nonce.to_bytes(16, "big"),
            valid_until_ms=self.ledger.header.timestamp_ms + 3_000_000, call=call, key=make_key(name),
        )  # fmt: skip

    def execute(self, *transactions: Transaction, days: int = 0) -> Executed:
        draft = Draft(
            timestamp_ms=self.ledger.header.timestamp_ms + 250 + days * DAY_MS,
            proposer=GENESIS.validators[0].key,
            reveal=make_link("platform", self.ledger.height + 1),
            parent_certificate=self.ledger.certificate,
            transactions=transactions,
        )
        return execute_block(self.ledger, draft)

    def commit(self, *transactions: Transaction, blobs: tuple[bytes, ...] = (), days: int = 0) -> Executed:
        executed = self.execute(*transactions, days=days)
        self.ledger.commit(executed, certify(executed), blobs=blobs)
        return executed

    def join(self, blob: bytes, name: str = "ann") -> bytes:
        call = build_join(0).body.call
        assert isinstance(call, MemberApply)
        joined = self.sign(replace(call, blob_hash=sha256(blob)), name)
        assert self.commit(joined, blobs=(blob,)).outcomes[0].outcome == 0
        return joined.tx_id

    def leave(self, member: bytes, name: str = "ann") -> None:
        executed = self.commit(self.sign(MemberLeave(member=member), name))
        assert executed.outcomes[-1].outcome == 0

    def erase(self, member: bytes, name: str = "ann") -> Executed:
        executed = self.commit(self.sign(ErasureRequest(member=member, scope=0), name))
        assert executed.outcomes[-1].outcome == 0, executed.outcomes
        return executed

    def has(self, blob: bytes) -> bool:
        return self.ledger.has_blob(sha256(blob))

    def holds_bytes(self, blob: bytes) -> bool:
        return any(blob in file.read_bytes() for file in self.path.iterdir() if file.is_file())


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path / "db")


def amend(chain: Chain, member: bytes, blob: bytes, name: str = "ann") -> None:
    call = MemberAmend(member=member, field_commitments_root=H, blob_hash=sha256(blob), is_health_changed=False)
    assert chain.commit(chain.sign(call, name), blobs=(blob,)).outcomes[-1].outcome == 0


def test_an_erasure_deletes_every_blob_that_the_member_ever_named_and_no_proof_changes(chain: Chain) -> None:
    member = chain.join(FIRST)
    amend(chain, member, SECOND)
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    before = chain.ledger.header
    assert chain.has(FIRST)
    assert chain.has(SECOND)
    executed = chain.erase(member)
    assert list_erased(executed) == [member]
    assert not chain.has(FIRST)
    assert not chain.has(SECOND)
    again = chain.ledger.read_header_record(before.height)
    assert again is not None
    assert again.header == before
    assert chain.ledger.read_block(1) is not None
    reopened = chain.ledger
    chain.store.close()
    reopened = Ledger(Store(chain.path, CHAIN), GENESIS)
    assert reopened.head_hash == executed.block_hash
    assert not reopened.has_blob(sha256(FIRST))


def test_the_roots_of_a_block_are_the_same_with_and_without_the_blobs(tmp_path: Path) -> None:
    with_blob, without = Chain(tmp_path / "a"), Chain(tmp_path / "b")
    call = build_join(0).body.call
    assert isinstance(call, MemberApply)
    joined = with_blob.sign(replace(call, blob_hash=sha256(FIRST)))
    first = with_blob.commit(joined, blobs=(FIRST,))
    second = without.commit(joined)
    without.nonce = with_blob.nonce
    assert first.block_hash == second.block_hash
    assert (with_blob.has(FIRST), without.has(FIRST)) == (True, False)
    # The node that never had it erases as well, and agrees on every block that follows.
    for chain in (with_blob, without):
        chain.leave(joined.tx_id)
        chain.commit(days=RETENTION_DAYS)
        chain.erase(joined.tx_id)
    assert with_blob.ledger.head_hash == without.ledger.head_hash


def test_a_blob_that_another_member_names_too_is_not_deleted_by_the_erasure_of_one(chain: Chain) -> None:
    """Otherwise a friend's application could destroy the declaration that a hearing needs."""
    member = chain.join(FIRST)
    friend = chain.join(FIRST, "friend")
    chain.leave(friend, "friend")
    chain.commit(days=RETENTION_DAYS)
    chain.erase(friend, "friend")
    assert chain.has(FIRST)
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    chain.erase(member)
    assert not chain.has(FIRST)


def test_a_blob_that_comes_after_the_erasure_is_not_kept(chain: Chain) -> None:
    call = build_join(0).body.call
    assert isinstance(call, MemberApply)
    joined = chain.sign(replace(call, blob_hash=sha256(FIRST)))
    chain.commit(joined)
    assert chain.ledger.blobs.is_named(sha256(FIRST))
    chain.ledger.put_blobs([FIRST, b"never named"])
    assert chain.has(FIRST)
    assert not chain.has(b"never named")
    chain.leave(joined.tx_id)
    chain.commit(days=RETENTION_DAYS)
    chain.erase(joined.tx_id)
    assert not chain.ledger.blobs.is_named(sha256(FIRST))
    chain.ledger.put_blobs([FIRST])
    assert not chain.has(FIRST)


def test_a_refused_call_names_nothing(chain: Chain) -> None:
    member = chain.join(FIRST)
    call = MemberAmend(member=member, field_commitments_root=H, blob_hash=sha256(SECOND), is_health_changed=False)
    refused = chain.sign(call, "stranger")
    executed = chain.commit(refused)
    assert executed.outcomes[-1].outcome != 0
    assert get_blob_use(refused) == (sha256(SECOND), member)
    assert list_uses(executed) == []
    assert not chain.ledger.blobs.is_named(sha256(SECOND))


def test_a_failed_write_erases_nothing(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    member = chain.join(FIRST)
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    executed = chain.execute(chain.sign(ErasureRequest(member=member, scope=0)))

    def fail(writes: object) -> None:
        raise StoreError("disk")

    monkeypatch.setattr(chain.store, "write", fail)
    with pytest.raises(StoreError):
        chain.ledger.commit(executed, certify(executed))
    assert chain.has(FIRST)
    assert chain.ledger.blobs.scrub(10) == 0


def test_scrubbing_takes_the_bytes_out_of_the_files_of_the_database(chain: Chain) -> None:
    member = chain.join(FIRST)
    kept = chain.join(SECOND, "ben")
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    chain.erase(member)
    assert chain.holds_bytes(FIRST), "deleting alone leaves them until LevelDB compacts"
    assert chain.ledger.blobs.scrub(10) == 1
    assert not chain.holds_bytes(FIRST)
    assert chain.holds_bytes(SECOND)
    assert chain.ledger.blobs.scrub(10) == 0
    assert chain.ledger.read(ERASURE.key(kept), ERASURE.codec) is None


def test_a_blob_that_is_erased_and_named_anew_is_held_for_the_new_member(chain: Chain) -> None:
    member, other = chain.join(FIRST), chain.join(SECOND, "ben")
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    chain.erase(member)
    amend(chain, other, FIRST, "ben")
    assert chain.has(FIRST)
    assert chain.store.get(layout.BLOB_USE + sha256(FIRST) + member) is None


def test_members_who_name_one_blob_and_are_erased_in_one_block_leave_nothing_of_it(chain: Chain) -> None:
    names = {"ann": chain.join(FIRST), "ben": chain.join(FIRST, "ben")}
    for name, member in names.items():
        chain.leave(member, name)
    chain.commit(days=RETENTION_DAYS)
    executed = chain.commit(
        *(chain.sign(ErasureRequest(member=member, scope=0), name) for name, member in names.items())
    )
    assert list_erased(executed) == list(names.values())
    assert not chain.ledger.blobs.is_named(sha256(FIRST))
    assert not chain.has(FIRST)


def test_a_blob_that_somebody_names_in_the_block_of_an_erasure_stays(chain: Chain) -> None:
    member, other = chain.join(FIRST), chain.join(SECOND, "ben")
    chain.leave(member)
    chain.commit(days=RETENTION_DAYS)
    named = MemberAmend(member=other, field_commitments_root=H, blob_hash=sha256(FIRST), is_health_changed=False)
    executed = chain.commit(chain.sign(named, "ben"), chain.sign(ErasureRequest(member=member, scope=0)))
    assert [receipt.outcome for receipt in executed.outcomes] == [0, 0]
    assert chain.ledger.blobs.is_named(sha256(FIRST))
    assert chain.has(FIRST)
