"""Deadlines: buckets of what ends on one day, and the rule by which stopped days do not count (contract 3.1).

A bucket holds the entries of one kind that were set for one plan day, in chunks of 64 (state-tree 9.1: few
keys). They run kind by kind, ascending; within a chunk by due time, then by id. Chunks fill in the order of
setting, which is the order of due times for a deadline of a fixed number of days; entries of one block that
fall into different chunks keep the order of their chunks.

When an entry comes up, the days in which the plan was stopped since it was set are added, and it is moved to
the later day if that lies ahead. A date, unlike a deadline, does not move.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from chain.contract.tables import DUE, DUE_INDEX, PLAN, DueIndexRecord, DueRecord
from chain.state import Overlay

CHUNK_ENTRIES: Final = 64
STALE_FACTOR: Final = 10
"""Entries that may come up in a block for each act of its budget."""

DUE_APPLICATION: Final = 1
"""30 days after member_apply: whoever does not share by then gets the money back."""
DUE_ADMISSION: Final = 2
"""15 days after both indexes: a silent platform lets the application expire."""
DUE_HALF: Final = 3
"""7 days after the first signature of a call that needs several (halves.py)."""
DUE_REKEY: Final = 4
"""14 days after a request to replace a member's key, in which the old key may stop it (rekey.py)."""
DUE_HAND_OVER: Final = 5
"""90 days after a child came of age: the guardian's signatures cease (guardian.py)."""
DUE_MAJORITY: Final = 6
"""1 January after the year in which a child turns 18 (guardian.py)."""
DUE_RETRY: Final = 7
"""0:00 after a member's account became effective: failed payments are instructed again (account_retry.py)."""
DUE_ACCOUNT_CHANGE: Final = 8
"""30 days after a member asked for another account: a bank that has not verified it lets the wish expire."""
DUE_VOID_HEARING: Final = 10
"""15 days after a hearing was opened: the first auditor is asked (void.py)."""
DUE_VOID_DECISION: Final = 11
"""10 days for each auditor; the silence of both dismisses."""
DUE_VOID_APPEAL: Final = 12
"""30 days after a void was decided: without an appeal it is final."""
DUE_ERASURE: Final = 13
"""30 days after an erasure was asked for, and again while receipts are missing (erasure.py)."""
DUE_INDEX_EPOCH: Final = 14
"""0:00 of each day on which a new index epoch is pending (index_epoch.py)."""
DUE_GHOST_AUDIT: Final = 15
"""45 days after a sample was drawn (ghost_audit.py)."""
DUE_AGE_OUT: Final = 20
"""1 January after the last cover year."""
DUE_WAITING_END: Final = 21
"""End of the waiting period in a pool where waiting members do not share."""
DUE_RETURN: Final = 30
"""5 days after money remained unmatched."""
DUE_RESOLUTION: Final = 31
"""2 days after bank and auditor explained a mismatch: it takes effect, also while the plan is frozen for it."""
DUE_VERSION: Final = 40
"""30 days after a version of the rules was disclosed: it becomes active (rules_version.py)."""
DUE_CLAIM_OVER: Final = 41
"""40 days after a claim ended: the end of a plan waits for it no longer (claim_open.py)."""
DUE_APPEAL: Final = 80
"""30 days after a claim was rejected or refused: no appeal any more (claim_status.py)."""
DUE_APPEAL_WAIT: Final = 81
"""0:00 at which an appeal looks again whether the member's other claim has ended (appeal.py)."""
DUE_BALLOT_COMMIT: Final = 82
"""7 days after a jury was drawn (jury.py)."""
DUE_BALLOT_REVEAL: Final = 83
"""3 days after the ballots were sealed (jury.py)."""
DUE_APPEAL_PANEL: Final = 84
"""10 days after auditor and firm were asked in place of a jury (appeal_panel.py)."""
CLAIM_KIND_MIN: Final = 50
KIND_MAX: Final = 99
_DATES: Final = (DUE_MAJORITY, DUE_AGE_OUT, DUE_WAITING_END, DUE_RESOLUTION)
"""Kinds that are dates: stopped days do not move them."""


def add_due(state: Overlay, plan: str, day: int, kind: int, due_ms: int, due_id: bytes) -> None:
    """Set a deadline for a plan day; one that lies in the past comes up on the next day that has not begun."""
    record = state.require(PLAN, plan)
    entry = (due_ms, due_id, day, record.stopped_days)
    _add_entry(state, plan, max(day, record.day + 1), kind, entry)


def _add_entry(state: Overlay, plan: str, day: int, kind: int, entry: tuple[int, bytes, int, int]) -> None:
    index = state.get(DUE_INDEX, plan, day)
    counts = index.counts if index is not None else ()
    count = 0
    for known, entries in counts:
        if known == kind:
            count = entries
    chunk, offset = divmod(count, CHUNK_ENTRIES)
    record = state.get(DUE, plan, day, kind, chunk) if offset else None
    entries_before = record.entries if record is not None else ()
    state.put(DUE, DueRecord(entries=(*entries_before, entry)), plan, day, kind, chunk)
    others = [pair for pair in counts if pair[0] != kind]
    state.put(DUE_INDEX, DueIndexRecord(counts=tuple(sorted([*others, (kind, count + 1)]))), plan, day)


def run_due(
    state: Overlay,
    plan: str,
    *,
    day: int,
    kinds: tuple[tuple[int, int], ...],
    position: int,
    budget: int,
    run_one: Callable[[int, bytes, int], None],
) -> tuple[int, int, bool]:
    """Run the entries of a day whose kind lies in one of the ranges; return (position, budget used, whether done).

    `position` is how many entries of the first kind left over ran in earlier blocks. `run_one` gets the kind, the id
    and the day that the deadline was set for. An entry that changed nothing, because what it was set for had happened
    in time, costs a read: ten of them use as much of the budget as one act.
    """
    used = seen = 0
    while True:
        index = state.get(DUE_INDEX, plan, day)
        current = next((pair for pair in index.counts if _is_within(pair[0], kinds)), None) if index else None
        if index is None or current is None:
            return 0, max(used, seen // STALE_FACTOR), True
        kind, count = current
        while position < count:
            if used >= budget or seen >= budget * STALE_FACTOR:
                return position, max(used, seen // STALE_FACTOR), False
            chunk, offset = divmod(position, CHUNK_ENTRIES)
            for entry in sorted(state.require(DUE, plan, day, kind, chunk).entries)[offset:]:
                if used >= budget or seen >= budget * STALE_FACTOR:
                    break
                mark = state.savepoint()
                _run_entry(state, plan, day=day, kind=kind, entry=entry, run_one=run_one)
                used += state.savepoint() > mark
                seen += 1
                position += 1
            if position == count or position % CHUNK_ENTRIES == 0:
                state.delete(DUE, plan, day, kind, chunk)
        position = 0
        _drop_kind(state, plan, day=day, kind=kind)


def _is_within(kind: int, kinds: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= kind <= high for low, high in kinds)


def _drop_kind(state: Overlay, plan: str, *, day: int, kind: int) -> None:
    index = state.require(DUE_INDEX, plan, day)
    left = tuple(pair for pair in index.counts if pair[0] != kind)
    if left:
        state.put(DUE_INDEX, replace(index, counts=left), plan, day)
    else:
        state.delete(DUE_INDEX, plan, day)


def _run_entry(
    state: Overlay,
    plan: str,
    *,
    day: int,
    kind: int,
    entry: tuple[int, bytes, int, int],
    run_one: Callable[[int, bytes, int], None],
) -> None:
    _, due_id, set_for, stopped_before = entry
    if kind not in _DATES:
        stopped = state.require(PLAN, plan).stopped_days - stopped_before
        if set_for + stopped > day:
            _add_entry(state, plan, set_for + stopped, kind, entry)
            return
    run_one(kind, due_id, set_for)


def move_due(state: Overlay, plan: str, *, day: int, kind: int, due_id: bytes, set_for: int) -> None:
    """Put an entry whose run was rolled back on the following day, when the plan that it paused may go on."""
    stopped = state.require(PLAN, plan).stopped_days
    entry = (0, due_id, set_for, stopped - (day + 1 - set_for))
    _add_entry(state, plan, day + 1, kind, entry)
