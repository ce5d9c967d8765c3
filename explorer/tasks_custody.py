"""Tasks about custody: mismatches, shortages, letters of auditors, objections (see tasks.py)."""

from collections.abc import Iterator

from msgspec import Struct

from chain.contract.balance_confirm import compute_confirm_due
from chain.contract.freeze import END_DAYS
from chain.contract.money_tables import (
    CONFIRMATION,
    CUSTODY_STOP,
    RECONCILIATION,
    RESOLUTION,
    RESOLUTION_PENDING,
)
from chain.contract.resolution import parse_resolution
from chain.contract.tables import POOL, ROSTER
from chain.genesis import ROLE_AUDITOR
from explorer.reader import ChainSnapshot


class CustodyTask(Struct, frozen=True):
    """What waits for whom about an account."""

    kind: str
    """Call that is waited for."""
    due_day: int
    subject: bytes
    roles: tuple[str, ...]
    silence: str
    organisations: tuple[str, ...] = ()


def list_custody_tasks(snapshot: ChainSnapshot, plan: str, number: int, today: int) -> Iterator[CustodyTask]:
    """Yield what stands open on the account of a pool."""
    pool = snapshot.read(POOL, plan, number)
    if pool is None:
        return
    name = pool.account
    open_items = snapshot.read(RECONCILIATION, name)
    stop = snapshot.read(CUSTODY_STOP, plan)
    end_day = (today if stop is None else stop.since_day) + END_DAYS
    if open_items is not None and open_items.statement is not None:
        resolution = snapshot.read(RESOLUTION, name, open_items.statement)
        if resolution is None or resolution.status != RESOLUTION_PENDING:
            roles, silence = ("custodian", "auditor"), "frozen; without a vote the plan winds down"
            yield CustodyTask("statement_resolve", end_day, name.encode(), roles, silence)
    if open_items is not None and open_items.owed:
        roles, silence = ("custodian", "platform"), "frozen once the day is closed; without a vote the plan winds down"
        yield CustodyTask("cash_other", end_day, name.encode(), roles, silence)
    for auditor in _get_auditors(snapshot):
        due_day = compute_confirm_due(snapshot.read(CONFIRMATION, name, auditor), pool.start_day)
        yield CustodyTask("balance_confirm", due_day, name.encode(), ("auditor",), "its lateness is public", (auditor,))


def read_resolution_task(snapshot: ChainSnapshot, subject: bytes, due_day: int) -> CustodyTask | None:
    """Return the task of those who may still object to an explanation, or None where it has moved on."""
    account, span, attempt = parse_resolution(subject)
    record = snapshot.read(RESOLUTION, account, span)
    if record is None or record.status != RESOLUTION_PENDING or record.attempt != attempt:
        return None
    others = tuple(name for name in _get_auditors(snapshot) if name != record.auditor)
    silence = "the explanation is booked"
    return CustodyTask("statement_object", due_day, account.encode(), ("auditor",), silence, others)


def _get_auditors(snapshot: ChainSnapshot) -> tuple[str, ...]:
    roster = snapshot.read(ROSTER, ROLE_AUDITOR)
    return () if roster is None else roster.names
