import os
from pathlib import Path

import pytest

from chain.block import Block, Header
from chain.certificate import VoteBody, genesis_certificate
from chain.errors import StoreError
from chain.types import ChainId, Hash, PublicKey
from consensus.messages import Commit, NewView, NewViewBody, OwnMessage, Prepare, Prepared
from node import journal as journal_module
from node.journal import Journal, JournalContents, open_journal
from node.journal_format import JournalRecord, KeptBlock, KeptNewView, KeptOwn, KeptPrepared

CHAIN = ChainId(b"\x01" * 32)
KEY = PublicKey(b"\x02" * 32)
ONE_SEGMENT = "journal-00000001.log"


def make_vote(kind: type[Prepare] | type[Commit], *, height: int, view: int = 0) -> OwnMessage:
    body = VoteBody(version=1, height=height, view=view, block_hash=bytes([height]) * 32)
    return kind(body=body, signer=0, signature=bytes([view]) * 64)


def make_block(height: int, *, transactions: tuple[bytes, ...] = (b"one", b"two")) -> Block:
    zero = bytes(32)
    header = Header(
        version=1, height=height, parent_hash=zero, timestamp_ms=height, proposer=zero,
        parent_certificate_hash=zero, transactions_root=zero, log_size=0, log_root=zero, state_root=zero,
        next_validators_hash=zero, reveal=zero,
    )  # fmt: skip
    return Block(header=header, parent_certificate=genesis_certificate(Hash(zero)), transactions=transactions)


def make_groups(heights: range) -> list[list[JournalRecord]]:
    """Return for each height what a validator journals: PREPARE with its block, then COMMIT with its P."""
    groups: list[list[JournalRecord]] = []
    for height in heights:
        prepared = Prepared(height=height, view=0, block_hash=bytes([height]) * 32, votes=((0, bytes(64)),))
        groups.append([KeptBlock(make_block(height)), KeptOwn(make_vote(Prepare, height=height))])
        groups.append([KeptPrepared(prepared), KeptOwn(make_vote(Commit, height=height))])
    return groups


def open_at(directory: Path, *, head_height: int = 0, segment_bytes: int = 1 << 20) -> tuple[Journal, JournalContents]:
    return open_journal(directory, chain_id=CHAIN, key=KEY, head_height=head_height, segment_bytes=segment_bytes)


def write_journal(directory: Path, heights: range) -> None:
    journal, _ = open_at(directory)
    for group in make_groups(heights):
        journal.append(group)
    journal.close()


def get_own(groups: list[list[JournalRecord]]) -> tuple[OwnMessage, ...]:
    return tuple(record.message for group in groups for record in group if isinstance(record, KeptOwn))


def test_new_journal_is_empty_and_intact(tmp_path: Path) -> None:
    journal, contents = open_at(tmp_path / "journal")
    assert (contents.own, contents.blocks, journal.damage, journal.torn_bytes) == ((), (), None, 0)


def test_everything_appended_is_read_back_in_order(tmp_path: Path) -> None:
    body = NewViewBody(version=1, height=3, view=2, view_change_hashes=())
    new_view = NewView(body=body, signer=1, signature=bytes(64), view_changes=())
    groups = make_groups(range(1, 4))
    journal, _ = open_at(tmp_path)
    for group in groups:
        journal.append(group)
    journal.append([KeptNewView(new_view), KeptOwn(new_view)])
    journal.close()
    journal, contents = open_at(tmp_path)
    assert journal.damage is None
    assert contents.own == (*get_own(groups), new_view)
    assert contents.own_groups == (1, 2, 3, 4, 5, 6, 7)
    assert contents.blocks == tuple(make_block(height) for height in (1, 2, 3))
    assert [item.height for item in contents.prepared] == [1, 2, 3]
    assert contents.new_views == (new_view,)


def test_what_belongs_to_committed_heights_is_left_out_but_for_own_messages(tmp_path: Path) -> None:
    write_journal(tmp_path, range(1, 4))
    _, contents = open_at(tmp_path, head_height=2)
    assert [block.header.height for block in contents.blocks] == [3]
    assert [item.height for item in contents.prepared] == [3]
    assert len(contents.own) == 6


def test_block_carried_into_another_view_is_written_once(tmp_path: Path) -> None:
    journal, _ = open_at(tmp_path)
    block = make_block(1, transactions=(bytes(10_000),))
    journal.append([KeptBlock(block), KeptOwn(make_vote(Prepare, height=1))])
    before = journal.bytes_count
    journal.append([KeptBlock(block), KeptOwn(make_vote(Prepare, height=1, view=1))])
    journal.append([KeptBlock(block)])
    assert journal.bytes_count < before + 1_000
    journal.close()
    journal, contents = open_at(tmp_path)
    assert contents.blocks == (block,)
    before = journal.bytes_count
    journal.append([KeptBlock(block)])
    assert journal.bytes_count == before


def test_s12_tail_torn_at_every_byte_is_cut_and_what_was_synced_before_it_stays(tmp_path: Path) -> None:
    groups = make_groups(range(1, 3))
    path = tmp_path / ONE_SEGMENT
    journal, _ = open_at(tmp_path)
    for group in groups[:-1]:
        journal.append(group)
    start = path.stat().st_size
    journal.append(groups[-1])
    journal.close()
    whole = path.read_bytes()
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        journal, contents = open_at(tmp_path)
        assert journal.damage is None, end
        assert contents.own == get_own(groups[:-1]), end
        assert len(contents.prepared) in (1, 2)
        if end == start + 1:
            assert journal.torn_bytes == 1
        if end % 16:
            journal.close()
            continue
        # What was cut does not come back: the next append is read after it.
        journal.append([KeptOwn(make_vote(Commit, height=7))])
        journal.close()
        journal, contents = open_at(tmp_path)
        assert contents.own[-1] == make_vote(Commit, height=7)
        journal.close()


def test_torn_group_after_a_cut_group_is_still_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / ONE_SEGMENT
    records: list[JournalRecord] = [KeptOwn(make_vote(Prepare, height=height)) for height in (1, 2, 3)]
    journal, _ = open_at(tmp_path)
    journal.append([KeptOwn(make_vote(Prepare, height=9))])
    journal.append(records)
    journal.close()
    path.write_bytes(path.read_bytes()[:-100])
    journal, contents = open_at(tmp_path)
    assert len(contents.own) == 3
    start = path.stat().st_size
    journal.append(records)
    journal.close()
    content = bytearray(path.read_bytes())
    content[start + 40] ^= 1
    path.write_bytes(content)
    journal, contents = open_at(tmp_path)
    assert journal.damage is None
    assert journal.torn_bytes == len(content) - start


def test_tail_whose_pages_reached_the_disk_out_of_order_is_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / ONE_SEGMENT
    journal, _ = open_at(tmp_path)
    journal.append([KeptOwn(make_vote(Prepare, height=1))])
    start = path.stat().st_size
    journal.append([KeptOwn(make_vote(Commit, height=height)) for height in (1, 2, 3)])
    journal.close()
    content = bytearray(path.read_bytes())
    content[start : start + 60] = bytes(60)
    path.write_bytes(content)
    journal, contents = open_at(tmp_path)
    assert journal.damage is None
    assert len(contents.own) == 1


def test_s11_damage_before_a_later_group_is_no_torn_tail_and_leaves_the_file_alone(tmp_path: Path) -> None:
    write_journal(tmp_path, range(1, 4))
    path = tmp_path / ONE_SEGMENT
    whole = path.read_bytes()
    header, last_group = 80, whole.rindex(b"\xa7JR\x01", 0, whole.rindex(b"\xa7JR\x01"))
    for offset in range(header, last_group, 31):
        content = bytearray(whole)
        content[offset] ^= 0x10
        path.write_bytes(content)
        journal, _ = open_at(tmp_path)
        assert journal.damage is not None, offset
        assert path.read_bytes() == content
        journal.close()
        for extra in tmp_path.glob("journal-*.log"):
            if extra != path:
                extra.unlink()


def test_s11_rest_of_a_later_group_shows_damage_even_where_its_beginning_is_lost_too(tmp_path: Path) -> None:
    path = tmp_path / ONE_SEGMENT
    journal, _ = open_at(tmp_path)
    ends = []
    for height in (1, 2, 3):
        journal.append([KeptOwn(make_vote(Prepare, height=height)), KeptOwn(make_vote(Commit, height=height))])
        ends.append(path.stat().st_size)
    journal.close()
    content = bytearray(path.read_bytes())
    lost = slice(ends[0], (ends[1] + ends[2]) // 2)
    content[lost] = bytes(lost.stop - lost.start)
    path.write_bytes(content)
    journal, _ = open_at(tmp_path)
    assert journal.damage is not None
    journal.close()


@pytest.mark.parametrize("offset", [0, 20, 60])
def test_segment_that_does_not_begin_as_this_journal_is_damage(tmp_path: Path, offset: int) -> None:
    write_journal(tmp_path, range(1, 2))
    path = tmp_path / ONE_SEGMENT
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    journal, contents = open_at(tmp_path)
    assert journal.damage is not None
    assert contents.own == ()


def test_damaged_journal_can_be_written_on_in_a_new_segment(tmp_path: Path) -> None:
    write_journal(tmp_path, range(1, 4))
    path = tmp_path / ONE_SEGMENT
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    journal, _ = open_at(tmp_path)
    journal.append([KeptOwn(make_vote(Commit, height=9))])
    journal.drop_through(8)
    journal.close()
    journal, contents = open_at(tmp_path)
    assert journal.damage is None
    assert contents.own == (make_vote(Commit, height=9),)


def test_segments_are_dropped_only_when_all_their_heights_are_committed(tmp_path: Path) -> None:
    journal, _ = open_at(tmp_path, segment_bytes=400)
    for height in range(1, 30):
        for group in make_groups(range(height, height + 1)):
            journal.append(group)
        journal.drop_through(height - 1)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) <= 3
    journal.close()
    _, contents = open_at(tmp_path, head_height=28, segment_bytes=400)
    assert [block.header.height for block in contents.blocks] == [29]
    assert contents.own[-2:] == get_own(make_groups(range(29, 30)))


def test_damage_in_a_closed_segment_is_never_a_torn_tail(tmp_path: Path) -> None:
    journal, _ = open_at(tmp_path, segment_bytes=100)
    for group in make_groups(range(1, 3)):
        journal.append(group)
    journal.drop_through(0)
    journal.append([KeptOwn(make_vote(Commit, height=3))])
    journal.close()
    path = tmp_path / ONE_SEGMENT
    path.write_bytes(path.read_bytes()[:-1])
    journal, _ = open_at(tmp_path)
    assert journal.damage is not None


def test_draft_of_a_segment_left_by_a_crash_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "journal-00000001.new").write_bytes(b"gong")
    write_journal(tmp_path, range(1, 2))
    journal, contents = open_at(tmp_path)
    assert journal.damage is None
    assert len(contents.own) == 2


def test_s8_s10_failed_sync_is_never_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = open_at(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreError):
            journal.append([KeptOwn(make_vote(Prepare, height=1))])
    with pytest.raises(StoreError):
        journal.append([KeptOwn(make_vote(Prepare, height=1))])
    with pytest.raises(StoreError):
        journal.drop_through(1)


def test_s2_records_are_synced_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    write, sync = os.write, os.fdatasync

    def record_write(descriptor: int, data: bytes) -> int:
        calls.append("write")
        return write(descriptor, data)

    def record_sync(descriptor: int) -> None:
        calls.append("sync")
        sync(descriptor)

    journal, _ = open_at(tmp_path)
    monkeypatch.setattr(os, "write", record_write)
    monkeypatch.setattr(os, "fdatasync", record_sync)
    journal.append(make_groups(range(1, 2))[0])
    assert calls == ["write", "sync"]


def test_full_journal_stops_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "JOURNAL_BYTES_MAX", 2_000)
    journal, _ = open_at(tmp_path)
    with pytest.raises(StoreError):
        for height in range(1, 100):
            journal.append([KeptOwn(make_vote(Prepare, height=height))])
    assert journal.bytes_count <= 2_000
