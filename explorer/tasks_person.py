"""Tasks about persons: hearings, erasures, a pending index epoch, checks for ghosts (see tasks.py)."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from chain.contract.due import (
    DUE_ERASURE,
    DUE_GHOST_AUDIT,
    DUE_INDEX_EPOCH,
    DUE_VOID_APPEAL,
    DUE_VOID_DECISION,
    DUE_VOID_HEARING,
)
from chain.contract.ghost_audit import parse_draw
from chain.contract.person_tables import (
    ERASURE,
    GHOST_AUDIT,
    GHOST_DRAW,
    INDEX_EPOCH,
    VOID,
    VOID_DECIDED,
    VOID_FIRST_AUDITOR,
    VOID_HEARING,
    VOID_SECOND_AUDITOR,
    VoidRecord,
)
from chain.contract.tables import ROSTER
from chain.errors import DecodeError
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_NAMES, ROLE_PLATFORM
from explorer.reader import ChainSnapshot


class PersonTask(Struct, frozen=True):
    """What waits for whom about a person."""

    kind: str
    """Call that is waited for."""
    roles: tuple[str, ...]
    silence: str
    organisations: tuple[str, ...] = ()
    due_day: int | None = None
    """Where the task ends later than its entry comes up."""


_Reader = Callable[[ChainSnapshot, str, bytes, int], PersonTask | None]


def read_person_task(
    snapshot: ChainSnapshot, plan: str, *, kind: int, subject: bytes, set_for: int
) -> PersonTask | None:
    """Return the task of a deadline of these kinds, or None where what it was set for has moved on."""
    return PERSON_KINDS[kind](snapshot, plan, subject, set_for)


def list_overdue_draws(snapshot: ChainSnapshot, plan: str, pool: int) -> Iterator[tuple[bytes, int, PersonTask]]:
    """Yield (key, day since which it is overdue, task) of the newest draw of a pool where nobody has reported."""
    audit = snapshot.read(GHOST_AUDIT, plan, pool)
    if audit is None or audit.draws == 0:
        return
    draw = snapshot.read(GHOST_DRAW, plan, pool, audit.draws - 1)
    if draw is not None and draw.is_overdue:
        task = PersonTask("ghost_audit_report", ("auditor",), "its lateness is public; any auditor may report")
        yield GHOST_DRAW.key(plan, pool, audit.draws - 1), draw.due_day, task


def _read_void(snapshot: ChainSnapshot, member: bytes, set_for: int) -> VoidRecord | None:
    record = snapshot.read(VOID, member)
    return record if record is not None and record.due_day == set_for else None


def _read_hearing(snapshot: ChainSnapshot, plan: str, member: bytes, set_for: int) -> PersonTask | None:
    record = _read_void(snapshot, member, set_for)
    if record is None or record.stage != VOID_HEARING:
        return None
    return PersonTask("void_answer", ("member",), "the first auditor decides on what is there")


def _read_decision(snapshot: ChainSnapshot, plan: str, member: bytes, set_for: int) -> PersonTask | None:
    record = _read_void(snapshot, member, set_for)
    if record is None or record.stage not in (VOID_FIRST_AUDITOR, VOID_SECOND_AUDITOR):
        return None
    place = record.stage - VOID_FIRST_AUDITOR
    silence = "the hearing is dismissed, for the member" if place else "the second auditor is asked"
    return PersonTask("void_decide", ("auditor",), silence, _get_names(snapshot, ROLE_AUDITOR)[place : place + 1])


def _read_appeal(snapshot: ChainSnapshot, plan: str, member: bytes, set_for: int) -> PersonTask | None:
    record = _read_void(snapshot, member, set_for)
    if record is None or record.stage != VOID_DECIDED:
        return None
    return PersonTask("appeal_file", ("member",), "the void is final")


def _read_erasure(snapshot: ChainSnapshot, plan: str, member: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(ERASURE, member)
    if record is None or record.due_day != set_for:
        return None
    missing = {
        name: ROLE_NAMES[role]
        for role in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR)
        for name in _get_names(snapshot, role)
        if name not in record.receipts
    }
    silence = "its lateness is public, again every 30 days"
    return PersonTask("erasure_receipt", tuple(dict.fromkeys(missing.values())), silence, tuple(missing))


def _read_epoch(snapshot: ChainSnapshot, plan: str, subject: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(INDEX_EPOCH, plan)
    if record is None or record.pending is None or int.from_bytes(subject, "big") != record.pending.epoch:
        return None
    silence = "the epoch is dropped and the old keys go on"
    return PersonTask("index_reissue", ("custodian", "auditor"), silence, due_day=record.pending.due_day)


def _read_draw(snapshot: ChainSnapshot, plan: str, subject: bytes, set_for: int) -> PersonTask | None:
    try:
        pool, number = parse_draw(subject)
    except DecodeError:
        return None
    draw = snapshot.read(GHOST_DRAW, plan, pool, number)
    if draw is None or draw.reported_by is not None:
        return None
    return PersonTask("ghost_audit_report", ("auditor",), "any auditor may report", (draw.auditor,))


def _get_names(snapshot: ChainSnapshot, role: int) -> tuple[str, ...]:
    roster = snapshot.read(ROSTER, role)
    return () if roster is None else roster.names


PERSON_KINDS: Final[dict[int, _Reader]] = {
    DUE_VOID_HEARING: _read_hearing,
    DUE_VOID_DECISION: _read_decision,
    DUE_VOID_APPEAL: _read_appeal,
    DUE_ERASURE: _read_erasure,
    DUE_INDEX_EPOCH: _read_epoch,
    DUE_GHOST_AUDIT: _read_draw,
}
