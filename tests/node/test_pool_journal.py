import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chain.crypto import sha256
from chain.errors import Refusal, StoreError
from chain.types import ChainId
from node.pool_journal import SEGMENTS_MAX, PoolJournal, PoolRecord, PoolRecordKind

CHAIN = ChainId(b"\x01" * 32)


def make(number: int, *, size: int = 100, kind: PoolRecordKind = PoolRecordKind.TRANSACTION) -> PoolRecord:
    payload = number.to_bytes(8, "big") * (size // 8)
    return PoolRecord(kind=kind, key=sha256(payload), payload=payload)


@asynccontextmanager
async def running(
    directory: Path, *, segment_bytes: int = 1 << 20, bytes_max: int = 1 << 26
) -> AsyncIterator[PoolJournal]:
    journal = PoolJournal(directory, CHAIN, segment_bytes=segment_bytes, bytes_max=bytes_max, group_gap_ms=1)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(journal.run())
            yield journal
            task.cancel()
    finally:
        journal.close()


def reopen(directory: Path) -> tuple[PoolRecord, ...]:
    journal = PoolJournal(directory, CHAIN)
    journal.close()
    return journal.replay()


def count_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


async def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    records = [make(1), make(2, kind=PoolRecordKind.BLOB), make(3)]
    async with running(tmp_path) as journal:
        await journal.append(records[:2])
        await journal.append(records[2:])
    assert reopen(tmp_path) == tuple(records)
    assert reopen(tmp_path) == tuple(records)


async def test_many_who_wait_share_few_syncs(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        await asyncio.gather(*(journal.append([make(number)]) for number in range(500)))
        assert journal.syncs <= 10
    assert len(reopen(tmp_path)) == 500


async def test_s2_append_returns_only_after_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    sync = os.fdatasync

    def record_sync(descriptor: int) -> None:
        sync(descriptor)
        events.append("synced")

    async with running(tmp_path) as journal:
        monkeypatch.setattr(os, "fdatasync", record_sync)
        await journal.append([make(1)])
        events.append("answered")
    assert events == ["synced", "answered"]


async def test_loop_goes_on_while_a_sync_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    released = asyncio.Event()
    turned = asyncio.Event()

    def slow_sync(descriptor: int) -> None:
        loop.call_soon_threadsafe(turned.set)
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)

    async with running(tmp_path) as journal:
        monkeypatch.setattr(os, "fdatasync", slow_sync)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(journal.append([make(1)]))
            await turned.wait()
            assert not waiting.done()
            released.set()


async def test_record_that_is_here_is_not_written_again_and_waits_for_the_first(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        await asyncio.gather(*(journal.append([make(1)]) for _ in range(20)))
        size = journal.bytes_count
        await journal.append([make(1)])
        assert journal.bytes_count == size
        assert journal.syncs <= 2
    assert len(reopen(tmp_path)) == 1


async def test_cancelled_waiter_takes_nothing_back(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await journal.append([make(1)])
        await journal.append([make(2)])
        assert make(1).key in journal
    assert len(reopen(tmp_path)) == 2


async def test_cancelled_waiter_does_not_disturb_the_others_of_its_group(tmp_path: Path) -> None:
    async with running(tmp_path) as journal, asyncio.TaskGroup() as group:
        waiters = [group.create_task(journal.append([make(number)])) for number in range(3)]
        await asyncio.sleep(0)
        waiters[1].cancel()
        await waiters[0]
        await waiters[2]
    assert len(reopen(tmp_path)) == 3


async def test_forgotten_records_free_their_segments(tmp_path: Path) -> None:
    async with running(tmp_path, segment_bytes=4_000) as journal:
        for start in range(0, 2_000, 50):
            records = [make(number) for number in range(start, start + 50)]
            await journal.append(records)
            journal.forget(record.key for record in records)
        await journal.append([make(5_000)])
        await journal.append([make(5_001)])
        assert len(journal) == 2
        assert count_bytes(tmp_path) < 40_000
    assert {make(5_000), make(5_001)} <= set(reopen(tmp_path))


async def test_stragglers_are_copied_forward_so_that_space_follows_what_is_alive(tmp_path: Path) -> None:
    kept: list[PoolRecord] = []
    async with running(tmp_path, segment_bytes=2_000) as journal:
        for start in range(0, 1_600, 16):
            records = [make(number) for number in range(start, start + 16)]
            await journal.append(records)
            kept.append(records[0])
            journal.forget(record.key for record in records[1:])
        assert len(journal) == len(kept) == 100
        assert len(list(tmp_path.iterdir())) <= SEGMENTS_MAX + 2
    found = reopen(tmp_path)
    assert {record.key for record in kept} <= {record.key for record in found}
    by_key = {record.key: record for record in found}
    assert all(by_key[record.key] == record for record in kept)


async def test_forgetting_while_it_waits_keeps_the_sum_of_the_living(tmp_path: Path) -> None:
    async with running(tmp_path, bytes_max=1_000) as journal:
        for _ in range(20):
            async with asyncio.TaskGroup() as group:
                group.create_task(journal.append([make(1, size=400)]))
                await asyncio.sleep(0)
                journal.forget([make(1, size=400).key])
                group.create_task(journal.append([make(1, size=400)]))
            journal.forget([make(1, size=400).key])
        await journal.append([make(2, size=400), make(3, size=400)])
        with pytest.raises(Refusal):
            await journal.append([make(4, size=400)])


async def test_p23_journal_that_is_full_refuses_and_promises_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, bytes_max=1_000) as journal:
        await journal.append([make(1, size=800)])
        with pytest.raises(Refusal) as refusal:
            await journal.append([make(2, size=800)])
        assert refusal.value.code == "pool_full"
        assert make(2, size=800).key not in journal
        journal.forget([make(1, size=800).key])
        await journal.append([make(2, size=800)])


async def test_s12_tail_torn_at_every_byte_keeps_everything_before_it(tmp_path: Path) -> None:
    records = [make(number, size=8) for number in (1, 2, 3)]
    async with running(tmp_path) as journal:
        await journal.append(records)
    path = tmp_path / "pool-00000001.log"
    whole = path.read_bytes()
    record_bytes = (len(whole) - 48) // 3
    for end in range(48 + 2 * record_bytes, len(whole)):
        path.write_bytes(whole[:end])
        for extra in tmp_path.glob("pool-*.log"):
            if extra != path:
                extra.unlink()
        assert reopen(tmp_path) == tuple(records[:2]), end


async def test_s5_damaged_record_loses_itself_alone(tmp_path: Path) -> None:
    records = [make(number, size=8) for number in range(6)]
    async with running(tmp_path) as journal:
        await journal.append(records)
    path = tmp_path / "pool-00000001.log"
    whole = path.read_bytes()
    record_bytes = (len(whole) - 48) // 6
    for offset in range(48 + 2 * record_bytes, 48 + 3 * record_bytes):
        content = bytearray(whole)
        content[offset] ^= 0x40
        path.write_bytes(content)
        journal = PoolJournal(tmp_path, CHAIN)
        journal.close()
        assert journal.replay() == (*records[:2], *records[3:]), offset
        assert journal.damaged == 1


async def test_journal_of_another_chain_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        await journal.append([make(1)])
    with pytest.raises(StoreError, match="another chain"):
        PoolJournal(tmp_path, ChainId(bytes(32)))


async def test_s10_failed_sync_reaches_every_waiter_and_ends_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    journal = PoolJournal(tmp_path, CHAIN)
    monkeypatch.setattr(os, "fdatasync", fail)

    async def run_until_it_fails() -> None:
        with pytest.raises(ExceptionGroup) as stopped:
            async with asyncio.TaskGroup() as group:
                group.create_task(journal.run())
        assert stopped.group_contains(StoreError)

    waiters = (journal.append([make(number)]) for number in range(3))
    answers = await asyncio.gather(run_until_it_fails(), *waiters, return_exceptions=True)
    assert answers[0] is None
    assert all(isinstance(answer, StoreError) for answer in answers[1:])
    with pytest.raises(StoreError):
        await journal.append([make(9)])
    journal.close()


async def test_waiters_are_told_when_the_node_stops(tmp_path: Path) -> None:
    journal = PoolJournal(tmp_path, CHAIN)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_expect_closed(journal))
        await asyncio.sleep(0)
        journal.close()
        await waiting


async def _expect_closed(journal: PoolJournal) -> None:
    with pytest.raises(StoreError, match="closed"):
        await journal.append([make(1)])
