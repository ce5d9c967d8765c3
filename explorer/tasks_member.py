"""Tasks about members' keys and accounts, and about appeals (see tasks.py)."""

from collections.abc import Callable
from typing import Final

from chain.contract.appeal_tables import APPEAL, VOTE_NONE, AppealRecord
from chain.contract.claim_tables import CLAIM
from chain.contract.due import (
    DUE_ACCOUNT_CHANGE,
    DUE_APPEAL,
    DUE_APPEAL_PANEL,
    DUE_APPEAL_WAIT,
    DUE_BALLOT_COMMIT,
    DUE_BALLOT_REVEAL,
    DUE_HAND_OVER,
    DUE_MAJORITY,
    DUE_REKEY,
    DUE_RETRY,
)
from chain.contract.member_key_tables import ACCOUNT_CHANGE, HAND_OVER, REKEY
from explorer.reader import ChainSnapshot
from explorer.tasks_person import PersonTask

_Reader = Callable[[ChainSnapshot, bytes, int], PersonTask | None]


def read_member_task(snapshot: ChainSnapshot, *, kind: int, subject: bytes, set_for: int) -> PersonTask | None:
    """Return the task of a deadline of these kinds, or None where nobody is asked, or it has moved on."""
    return MEMBER_KINDS[kind](snapshot, subject, set_for)


def _read_rekey(snapshot: ChainSnapshot, member: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(REKEY, member)
    if record is None or record.due_day != set_for:
        return None
    return PersonTask("member_rekey_veto", ("member",), "the new key replaces the old one")


def _read_hand_over(snapshot: ChainSnapshot, member: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(HAND_OVER, member)
    if record is None or record.due_day != set_for or record.has_key:
        return None
    silence = "the guardian's signatures cease, and a rekey gives the membership a key"
    return PersonTask("guardian_hand_over", ("member",), silence)


def _read_account(snapshot: ChainSnapshot, member: bytes, set_for: int) -> PersonTask | None:
    record = snapshot.read(ACCOUNT_CHANGE, member)
    if record is None or record.due_day != set_for:
        return None
    return PersonTask("account_verify", ("custodian",), "the wish expires and the old account stays")


def _read_window(snapshot: ChainSnapshot, claim_id: bytes, set_for: int) -> PersonTask | None:
    claim = snapshot.read(CLAIM, claim_id)
    if claim is None or (claim.due_kind, claim.due_day) != (DUE_APPEAL, set_for):
        return None
    return PersonTask("appeal_file", ("member",), "the decision is final")


def _read_appeal(snapshot: ChainSnapshot, case: bytes, kind: int, set_for: int) -> AppealRecord | None:
    record = snapshot.read(APPEAL, case)
    return record if record is not None and (record.due_kind, record.due_day) == (kind, set_for) else None


def _read_commit(snapshot: ChainSnapshot, case: bytes, set_for: int) -> PersonTask | None:
    if _read_appeal(snapshot, case, DUE_BALLOT_COMMIT, set_for) is None:
        return None
    return PersonTask("ballot_commit", ("juror",), "without half of the jury another one is drawn, then the panel")


def _read_reveal(snapshot: ChainSnapshot, case: bytes, set_for: int) -> PersonTask | None:
    if _read_appeal(snapshot, case, DUE_BALLOT_REVEAL, set_for) is None:
        return None
    return PersonTask("ballot_reveal", ("juror",), "a vote that is not opened does not count")


def _read_panel(snapshot: ChainSnapshot, case: bytes, set_for: int) -> PersonTask | None:
    record = _read_appeal(snapshot, case, DUE_APPEAL_PANEL, set_for)
    if record is None:
        return None
    missing = tuple(seat.organisation for seat in record.panel if seat.vote == VOTE_NONE)
    silence = "the votes that were given decide; without any the decision stands"
    return PersonTask("appeal_rule", ("auditor", "assessor"), silence, missing)


def _read_nothing(snapshot: ChainSnapshot, subject: bytes, set_for: int) -> PersonTask | None:
    """Stand for what the contract does by itself."""
    del snapshot, subject, set_for
    return None


MEMBER_KINDS: Final[dict[int, _Reader]] = {
    DUE_REKEY: _read_rekey,
    DUE_HAND_OVER: _read_hand_over,
    DUE_MAJORITY: _read_nothing,
    DUE_RETRY: _read_nothing,
    DUE_ACCOUNT_CHANGE: _read_account,
    DUE_APPEAL: _read_window,
    DUE_APPEAL_WAIT: _read_nothing,
    DUE_BALLOT_COMMIT: _read_commit,
    DUE_BALLOT_REVEAL: _read_reveal,
    DUE_APPEAL_PANEL: _read_panel,
}
