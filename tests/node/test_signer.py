import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.block import Block
from chain.certificate import VoteBody, genesis_certificate
from chain.crypto import SigningKey, sha256, verify
from chain.errors import StoreError
from chain.types import ChainId, Hash, Height
from consensus.effects import (
    KeepBlock,
    KeepNewView,
    KeepPrepared,
    LeaveQuarantine,
    PersistRecord,
    SignRequest,
)
from consensus.events import BlockContent
from consensus.guard_rules import GuardRefusal
from consensus.messages import (
    UNSIGNED,
    Commit,
    NewView,
    NewViewBody,
    OwnMessage,
    Prepare,
    Prepared,
    ViewChange,
    ViewChangeBody,
    get_signed_bytes,
    hash_prepared,
)
from node.guard import create_guard, open_guard
from node.journal import JournalContents, open_journal
from node.signer import Restart, Signer, compute_restart
from tests.node.test_journal import make_block

KEY = SigningKey(sha256(b"validator"))
CHAIN = ChainId(b"\x01" * 32)
NO_BLOCK = bytes(32)


class Validator:
    """One validator's files, opened and crashed at will."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.guard_path = directory / "guard"
        self.journal_path = directory / "journal"
        self.signer: Signer | None = None

    def start(self, *, head_height: int = 0, key: SigningKey = KEY, chain: ChainId = CHAIN) -> Restart:
        self.stop()
        guard = open_guard(self.guard_path)
        journal, self.contents = open_journal(
            self.journal_path, chain_id=chain, key=key.public_key, head_height=head_height
        )
        restart = compute_restart(
            key=key.public_key,
            chain_id=chain,
            head_height=head_height,
            guard=guard,
            journal=journal,
            contents=self.contents,
        )
        self.signer = Signer(key, chain_id=chain, guard=guard, journal=journal, load_block=load_block)
        return restart

    def stop(self) -> None:
        if self.signer is not None:
            self.signer.close()
            self.signer = None

    def persist(self, *records: PersistRecord) -> list[OwnMessage]:
        assert self.signer is not None
        return self.signer.persist(records)

    def sign(self, *messages: OwnMessage) -> list[OwnMessage]:
        return self.persist(*(SignRequest(message) for message in messages))

    def crash_between_journal_and_guard(self, *records: PersistRecord) -> None:
        before = self.guard_path.read_bytes()
        self.persist(*records)
        self.stop()
        self.guard_path.write_bytes(before)


def load_block(content: BlockContent) -> Block:
    return make_block(content.header.height)


def make_prepare(height: int, view: int = 0, block_hash: bytes = NO_BLOCK) -> Prepare:
    body = VoteBody(version=1, height=height, view=view, block_hash=block_hash)
    return Prepare(body=body, signer=0, signature=UNSIGNED)


def make_commit(height: int, view: int = 0, block_hash: bytes = NO_BLOCK) -> Commit:
    body = VoteBody(version=1, height=height, view=view, block_hash=block_hash)
    return Commit(body=body, signer=0, signature=UNSIGNED)


def make_view_change(height: int, view: int, prepared: Prepared | None = None) -> ViewChange:
    body = ViewChangeBody(
        version=1,
        height=height,
        view=view,
        certificate_hash=bytes(32),
        prepared_hash=hash_prepared(prepared),
    )
    certificate = genesis_certificate(Hash(bytes(32)))
    return ViewChange(body=body, signer=0, signature=UNSIGNED, certificate=certificate, prepared=prepared)


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    created = Validator(tmp_path / "validator")
    created.directory.mkdir()
    create_guard(created.guard_path, key=KEY.public_key)
    assert created.start() == Restart(quarantine=None, mark=None)
    return created


def without_signatures(messages: Sequence[OwnMessage]) -> list[OwnMessage]:
    return [replace(message, signature=UNSIGNED) for message in messages]


def test_signed_message_verifies_and_is_in_journal_and_guard(validator: Validator) -> None:
    (signed,) = validator.sign(make_prepare(1))
    content = get_signed_bytes(signed, CHAIN)
    assert verify(public_key=KEY.public_key, message=content, signature=signed.signature)
    assert validator.start() == Restart(quarantine=None, mark=(1, 0, 3))
    assert validator.contents.own == (signed,)


def test_all_kinds_of_records_are_journaled_in_one_group(validator: Validator) -> None:
    block = make_block(1)
    content = BlockContent(
        block_hash=Hash(bytes(32)), header=block.header, parent_certificate=block.parent_certificate, items=()
    )
    prepared = Prepared(height=1, view=0, block_hash=NO_BLOCK, votes=())
    body = NewViewBody(version=1, height=1, view=1, view_change_hashes=())
    new_view = NewView(body=body, signer=1, signature=UNSIGNED, view_changes=())
    signed = validator.persist(
        KeepBlock(content),
        SignRequest(make_prepare(1)),
        KeepPrepared(prepared),
        SignRequest(make_commit(1)),
        KeepNewView(new_view),
    )
    assert without_signatures(signed) == [make_prepare(1), make_commit(1)]
    validator.start()
    contents: JournalContents = validator.contents
    assert (contents.blocks, contents.prepared, contents.new_views) == ((block,), (prepared,), (new_view,))
    assert contents.own_groups == (1, 1)


def test_s2_journal_is_synced_before_the_guard_and_the_guard_before_the_message_is_given_out(
    validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fdatasync

    def record_sync(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fdatasync", record_sync)
    validator.sign(make_prepare(1), make_commit(1))
    assert synced == ["journal-00000001.log", "guard"]


def test_s8_failed_sync_of_the_journal_leaves_the_guard_as_it_was(
    validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = validator.guard_path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreError):
            validator.sign(make_prepare(1))
    assert validator.guard_path.read_bytes() == before
    with pytest.raises(StoreError):
        validator.sign(make_prepare(1))


def test_p2_identical_message_is_answered_with_the_stored_signature_and_not_written_again(
    validator: Validator,
) -> None:
    first = validator.sign(make_prepare(1))
    size = (validator.journal_path / "journal-00000001.log").stat().st_size
    assert validator.sign(make_prepare(1)) == first
    assert validator.start().quarantine is None
    assert validator.sign(make_prepare(1)) == first
    assert (validator.journal_path / "journal-00000001.log").stat().st_size == size


@pytest.mark.parametrize(
    ("message", "is_allowed"),
    [
        (make_prepare(5, view=3, block_hash=b"\x01" * 32), False),  # the mark's position, another digest
        (make_prepare(4, view=4), False),  # one height below
        (make_prepare(5, view=2), False),  # one view below
        (make_prepare(6, view=2), False),  # one view below at the next height
        (make_view_change(5, 3), False),  # one step below
        (make_commit(5, view=3), True),  # one step above
        (make_prepare(5, view=4), True),  # one view above
        (make_prepare(6, view=3), True),  # one height above
    ],
)
def test_c15_boundaries_of_the_mark_hold_before_and_after_a_restart(
    validator: Validator, message: OwnMessage, is_allowed: bool
) -> None:
    validator.sign(make_prepare(5, view=3))
    validator.start()
    if is_allowed:
        assert without_signatures(validator.sign(message)) == [message]
        return
    before = validator.guard_path.read_bytes()
    with pytest.raises(GuardRefusal):
        validator.sign(message)
    assert validator.guard_path.read_bytes() == before


def test_refused_message_leaves_nothing_of_its_batch_in_journal_or_guard(validator: Validator) -> None:
    validator.sign(make_prepare(5))
    with pytest.raises(GuardRefusal):
        validator.sign(make_prepare(6), make_prepare(5, block_hash=b"\x01" * 32))
    assert validator.start(head_height=4) == Restart(quarantine=None, mark=(5, 0, 3))
    assert len(validator.contents.own) == 1


def test_commit_without_prepare_and_view_change_that_hides_it_are_refused(validator: Validator) -> None:
    with pytest.raises(GuardRefusal):
        validator.sign(make_commit(1))
    validator.sign(make_prepare(1), make_commit(1))
    validator.start()
    with pytest.raises(GuardRefusal):
        validator.sign(make_view_change(1, 1))
    prepared = Prepared(height=1, view=0, block_hash=NO_BLOCK, votes=())
    assert len(validator.sign(make_view_change(1, 1, prepared))) == 1


def test_crash_between_journal_and_guard_counts_what_is_in_the_journal_as_signed(
    validator: Validator,
) -> None:
    validator.sign(make_prepare(1))
    validator.crash_between_journal_and_guard(SignRequest(make_commit(1)))
    assert validator.start() == Restart(quarantine=None, mark=(1, 0, 4))
    with pytest.raises(GuardRefusal):
        validator.sign(make_prepare(1, block_hash=b"\x01" * 32))
    validator.start()
    assert validator.sign(make_commit(1)) == [validator.contents.own[-1]]


def test_s12_journal_torn_at_every_byte_resumes_or_stands_in_quarantine(validator: Validator) -> None:
    """The last group was synced before the guard said so: without its record the guard is ahead."""
    validator.sign(make_prepare(1))
    validator.sign(make_commit(1))
    validator.stop()
    path = validator.journal_path / "journal-00000001.log"
    whole, guard = path.read_bytes(), validator.guard_path.read_bytes()
    start = whole.rindex(b"\xa7JR\x01")
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        validator.guard_path.write_bytes(guard)
        restart = validator.start()
        assert restart.quarantine is not None and "ahead of the journal" in restart.quarantine, end
        validator.stop()
    path.write_bytes(whole)
    assert validator.start() == Restart(quarantine=None, mark=(1, 0, 4))


def test_torn_tail_beyond_the_mark_resumes(validator: Validator) -> None:
    validator.sign(make_prepare(1))
    validator.crash_between_journal_and_guard(SignRequest(make_commit(1)))
    path = validator.journal_path / "journal-00000001.log"
    path.write_bytes(path.read_bytes()[:-5])
    assert validator.start() == Restart(quarantine=None, mark=(1, 0, 3))
    assert len(validator.sign(make_commit(1))) == 1


def test_damaged_journal_stands_in_quarantine(validator: Validator) -> None:
    for height in (1, 2, 3):
        validator.sign(make_prepare(height))
    validator.stop()
    path = validator.journal_path / "journal-00000001.log"
    content = bytearray(path.read_bytes())
    content[150] ^= 1
    path.write_bytes(content)
    restart = validator.start()
    assert restart.quarantine is not None and "broken" in restart.quarantine


def test_lost_journal_stands_in_quarantine_until_the_mark_is_committed(validator: Validator) -> None:
    validator.sign(make_prepare(5))
    validator.stop()
    shutil.rmtree(validator.journal_path)
    restart = validator.start(head_height=4)
    assert restart.quarantine is not None and "ahead of the journal" in restart.quarantine
    assert restart.mark == (5, 0, 3)
    assert validator.start(head_height=5).quarantine is None


def test_p3_c38_old_guard_file_put_back_is_noticed(validator: Validator) -> None:
    validator.sign(make_prepare(1))
    old = validator.guard_path.read_bytes()
    validator.sign(make_commit(1))
    validator.sign(make_prepare(2))
    validator.stop()
    validator.guard_path.write_bytes(old)
    restart = validator.start()
    assert restart.quarantine is not None and "behind the journal by 2 writes" in restart.quarantine
    assert restart.mark == (1, 0, 3)


def test_damaged_newest_slot_is_made_good_by_the_journal(validator: Validator) -> None:
    for height in (1, 2, 3):
        validator.sign(make_prepare(height))
    validator.stop()
    whole = validator.guard_path.read_bytes()
    newest = max((0, 1), key=lambda slot: int.from_bytes(whole[slot * 4_096 + 8 :][:8], "big"))
    content = bytearray(whole)
    content[newest * 4_096 + 40] ^= 1
    validator.guard_path.write_bytes(content)
    assert validator.start(head_height=2) == Restart(quarantine=None, mark=(3, 0, 3))
    with pytest.raises(GuardRefusal):
        validator.sign(make_prepare(3, block_hash=b"\x01" * 32))


def test_c37_missing_guard_of_another_key_or_chain_stands_in_quarantine(validator: Validator) -> None:
    validator.sign(make_prepare(1))
    restart = validator.start(key=SigningKey(bytes(32)))
    assert restart.quarantine is not None and "another key" in restart.quarantine
    restart = validator.start(chain=ChainId(b"\x05" * 32))
    assert restart.quarantine is not None and "another chain" in restart.quarantine
    validator.stop()
    validator.guard_path.unlink()
    assert validator.start().quarantine == "the guard is missing"


def test_end_of_a_quarantine_makes_a_guard_that_refuses_lower_heights(validator: Validator) -> None:
    validator.sign(make_prepare(5))
    validator.stop()
    validator.guard_path.unlink()
    assert validator.start().quarantine is not None
    validator.persist(LeaveQuarantine(Height(9)))
    with pytest.raises(GuardRefusal):
        validator.sign(make_prepare(8))
    validator.start(head_height=8)
    assert len(validator.sign(make_prepare(9))) == 1


def test_committed_heights_leave_the_journal(validator: Validator) -> None:
    assert validator.signer is not None
    validator.sign(make_prepare(1))
    validator.signer.drop_below(1)
    validator.sign(make_prepare(2))
    assert validator.start(head_height=1) == Restart(quarantine=None, mark=(2, 0, 3))
