"""Tasks about claims after their decision: objections, rechecks, re-audits (see tasks.py)."""

from collections.abc import Callable
from typing import Final

from chain.contract.claim_review_tables import CLAIM_REVIEW, OBJECTION, OBJECTION_OPEN, REAUDIT, REAUDIT_OPEN
from chain.contract.claim_roster import list_asked
from chain.contract.claim_status import (
    DUE_OBJECTION,
    DUE_REAUDIT,
    DUE_RECHECK_END,
    DUE_RECHECK_REPORT,
    DUE_SEATS,
    get_active,
)
from chain.contract.claim_tables import CLAIM, CLAIM_RECHECK
from explorer.reader import ChainSnapshot
from explorer.tasks_person import PersonTask

_Reader = Callable[[ChainSnapshot, bytes, int], PersonTask | None]


def read_review_task(snapshot: ChainSnapshot, *, kind: int, subject: bytes, set_for: int) -> PersonTask | None:
    """Return the task of a deadline of these kinds, or None where nobody is asked, or it has moved on."""
    return REVIEW_KINDS[kind](snapshot, subject, set_for)


def _read_objection(snapshot: ChainSnapshot, objection: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(OBJECTION, objection)
    if record is None or record.status != OBJECTION_OPEN or record.due_day != set_for:
        return None
    return PersonTask("objection_rule", ("auditor",), "it is dismissed")


def _read_recheck(snapshot: ChainSnapshot, claim_id: bytes, set_for: int) -> PersonTask | None:
    claim, review = snapshot.read(CLAIM, claim_id), snapshot.read(CLAIM_REVIEW, claim_id)
    if claim is None or review is None or claim.status != CLAIM_RECHECK or review.report_day != set_for:
        return None
    waiting = tuple(firm.organisation for firm in get_active(claim) if not firm.is_revealed)
    return PersonTask("report_reveal", ("assessor",), "another firm is drawn", waiting)


def _read_reaudit(snapshot: ChainSnapshot, claim_id: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(REAUDIT, claim_id)
    if record is None or record.outcome != REAUDIT_OPEN or record.due_day != set_for:
        return None
    asked = list_asked(record)
    roles = ("assessor", "auditor") if len(asked) > 1 else ("auditor",)
    return PersonTask(
        "reaudit_report", roles, "another firm is asked, last the auditor alone; then it is public", asked
    )


def _read_nothing(snapshot: ChainSnapshot, subject: bytes, set_for: int) -> PersonTask | None:
    """Stand for what the contract does by itself."""
    del snapshot, subject, set_for
    return None


REVIEW_KINDS: Final[dict[int, _Reader]] = {
    DUE_OBJECTION: _read_objection,
    DUE_RECHECK_REPORT: _read_recheck,
    DUE_RECHECK_END: _read_nothing,
    DUE_REAUDIT: _read_reaudit,
    DUE_SEATS: _read_nothing,
}
