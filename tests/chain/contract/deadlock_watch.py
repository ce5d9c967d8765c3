"""How long each state may last, from the written deadlines, and a watch that finds what lasts longer.

Days in which the plan is stopped do not count, as with the deadlines themselves (contract 3.1). A state that waits for
one organisation alone, without a deadline after which the chain or somebody else goes on, is not in the table: it is
named in `WAITS_FOR`, with what is public about it meanwhile.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from chain.contract import claim_objection, claim_reaudit, claim_recheck, ghost_audit, jury, void
from chain.contract.account import CHANGE_DAYS
from chain.contract.appeal_panel import PANEL_DAYS
from chain.contract.appeal_tables import APPEAL, APPEAL_COMMIT, APPEAL_DRAW, APPEAL_PANEL, APPEAL_REVEAL, AppealRecord
from chain.contract.claim_draw import REDRAWS_END
from chain.contract.claim_notice import NOTICES_UNCONFIRMED_MAX
from chain.contract.claim_review_tables import (
    OBJECTION,
    OBJECTION_OPEN,
    REAUDIT,
    REAUDIT_OPEN,
    ObjectionRecord,
    ReauditRecord,
)
from chain.contract.claim_status import ACCEPT_DAYS, COMMIT_DAYS, DECISION_DAYS, REVEAL_DAYS
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPEALED,
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_CONFIRMED,
    CLAIM_ELIGIBLE,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
    CLAIM_SETTLED,
    CLAIM_SHARES_REFUND,
    CLAIM_STATUS_NAMES,
    ClaimRecord,
)
from chain.contract.custody_tables import DEPOSIT, DepositRecord
from chain.contract.deposit import RETURN_DAYS, get_unmatched
from chain.contract.governance_tables import PROPOSAL, PROPOSAL_ACCEPTED, PROPOSAL_OPEN, ProposalRecord
from chain.contract.halves import HALF, HALF_DAYS, HalfRecord
from chain.contract.index_epoch import REISSUE_DAYS
from chain.contract.member_key_tables import (
    ACCOUNT_CHANGE,
    HAND_OVER,
    REKEY,
    AccountChangeRecord,
    HandOverRecord,
    RekeyRecord,
)
from chain.contract.membership import APPLICATION_DAYS
from chain.contract.money_tables import RESOLUTION, RESOLUTION_PENDING, ResolutionRecord
from chain.contract.payout import SILENCE_DAYS
from chain.contract.person_tables import GHOST_DRAW, INDEX_EPOCH, VOID, GhostDrawRecord, IndexEpochRecord, VoidRecord
from chain.contract.rekey import VETO_DAYS
from chain.contract.resolution import OBJECTION_DAYS
from chain.contract.rules_version import DISCLOSURE_DAYS
from chain.contract.settlement_tables import PERIOD, PERIOD_COMPUTED, PERIOD_NOTICE, PeriodRecord
from chain.contract.tables import (
    MEMBER,
    MEMBER_APPLIED,
    MEMBER_LEAVING,
    MEMBER_QUEUED,
    MEMBER_STATUS_NAMES,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    MemberRecord,
)
from chain.contract.version_tables import VERSION_DISCLOSED, VERSION_STATE, VersionStateRecord
from chain.state import Table

R = TypeVar("R", bound=msgspec.Struct)

PERIOD_DAYS = 17
"""Longest time from one notice day to the next: the 21st to the 7th."""
WINDOW_DAYS = 8
"""From a notice to its charge, and a day for the drain."""
CARRIED_DAYS = 2 * WINDOW_DAYS + 3 * PERIOD_DAYS
"""A settlement, and two more for a rest that is carried (`carry_periods_max` of the tests' terms)."""
DRAW_DAYS = 2
LAZY_DAYS = 10
"""Who signs on most days signs within so many."""
SEAT_DAYS = DRAW_DAYS + ACCEPT_DAYS + COMMIT_DAYS + REVEAL_DAYS
JURY_DAYS = DRAW_DAYS + jury.COMMIT_DAYS + jury.REVEAL_DAYS
APPEAL_DAYS = jury.ROUNDS_MAX * JURY_DAYS + DRAW_DAYS + PANEL_DAYS
ROUND_DAYS = 45
"""Longest time in one stage of a proposal: voting or delay, at most 30 each; it may be reopened within its days."""

CLAIM_DAYS = {
    CLAIM_ELIGIBLE: (REDRAWS_END + 1) * DRAW_DAYS,
    CLAIM_ASSIGNED: (REDRAWS_END + 2) * SEAT_DAYS,
    CLAIM_INVESTIGATED: sum(DECISION_DAYS),
    CLAIM_APPROVED: PERIOD_DAYS + WINDOW_DAYS,
    CLAIM_NOTICED: NOTICES_UNCONFIRMED_MAX * PERIOD_DAYS + WINDOW_DAYS,
    CLAIM_RECHECK: claim_recheck.RECHECK_DAYS,
    CLAIM_CONFIRMED: CARRIED_DAYS,
    CLAIM_SHARES_REFUND: CARRIED_DAYS,
    CLAIM_SETTLED: SILENCE_DAYS + LAZY_DAYS,
    CLAIM_APPEALED: APPEAL_DAYS,
}
"""By claim_status.py; SETTLED: who may sign the batch is somebody else after three days, a lazy one gets ten more."""
APPEAL_STAGE_DAYS = {
    APPEAL_DRAW: DRAW_DAYS,
    APPEAL_COMMIT: jury.COMMIT_DAYS,
    APPEAL_REVEAL: jury.REVEAL_DAYS,
    APPEAL_PANEL: PANEL_DAYS,
}
MEMBER_DAYS = {
    MEMBER_APPLIED: 2 * APPLICATION_DAYS,
    MEMBER_VERIFIED: 2 * APPLICATION_DAYS,
    MEMBER_WAITING: 365,
    MEMBER_QUEUED: WINDOW_DAYS,
    MEMBER_LEAVING: WINDOW_DAYS,
}
"""Applicants: their days begin anew once where a wrong report of a death is put right, or a deposit is recalled."""
VOID_DAYS = max(void.HEARING_DAYS, void.DECISION_DAYS, void.APPEAL_DAYS, APPEAL_DAYS)
REAUDIT_DAYS = (claim_reaudit.REAUDIT_FIRMS_MAX + 2) * (claim_reaudit.REAUDIT_DAYS + DRAW_DAYS)

WAITS_FOR = {
    "instruction ready": "the bank; overdue in public after 7 days, a plan without statements ends after 72",
    "instruction failed": "a new account of the payee; bank and auditor take it back after 1,095 days",
    "erasure": "every organisation's receipt; overdue in public each 30 days, who has left the house is not waited for",
    "ghost audit overdue": "any auditor, in public",
    "estate": "the heirs' account; bank and auditor take it back after 1,095 days once the plan pays out",
}
"""States that no deadline ends, and why that stops nothing else."""

Stage = tuple[str, int]
"""(what it waits for, running days that it may)."""


def _of_claim(record: ClaimRecord) -> Stage | None:
    days = CLAIM_DAYS.get(record.status)
    if record.status == CLAIM_SHARES_REFUND and record.amount == 0:
        # Nothing was paid, so nothing comes back: it has ended, or the exit waits for the window (`leaving`).
        return None
    return None if days is None else (f"{CLAIM_STATUS_NAMES[record.status]} {len(record.firms)}", days)


def _of_appeal(record: AppealRecord) -> Stage | None:
    days = APPEAL_STAGE_DAYS.get(record.status)
    return None if days is None else (f"stage {record.status} round {record.round}", days)


def _of_member(record: MemberRecord) -> Stage | None:
    days = MEMBER_DAYS.get(record.status)
    return None if days is None else (f"{MEMBER_STATUS_NAMES[record.status]} {record.since_day}", days)


def _of_void(record: VoidRecord) -> Stage | None:
    return None if record.closed_day else (f"stage {record.stage} {record.opened_day}", VOID_DAYS)


def _of_period(record: PeriodRecord) -> Stage | None:
    if record.status == PERIOD_NOTICE:
        return "notice", WINDOW_DAYS
    return ("computed", SILENCE_DAYS + LAZY_DAYS) if record.status == PERIOD_COMPUTED else None


def _of_reaudit(record: ReauditRecord) -> Stage | None:
    return ("open", REAUDIT_DAYS) if record.outcome == REAUDIT_OPEN else None


def _of_objection(record: ObjectionRecord) -> Stage | None:
    return ("open", claim_objection.RULING_DAYS) if record.status == OBJECTION_OPEN else None


def _of_half(record: HalfRecord) -> Stage | None:
    return f"{record.name} {record.opened_day}", HALF_DAYS


def _of_rekey(record: RekeyRecord) -> Stage | None:
    return f"{record.due_day}", VETO_DAYS


def _of_account_change(record: AccountChangeRecord) -> Stage | None:
    return f"{record.due_day}", CHANGE_DAYS


def _of_hand_over(record: HandOverRecord) -> Stage | None:
    return ("asked", 90) if record.due_day else None


def _of_epoch(record: IndexEpochRecord) -> Stage | None:
    return None if record.pending is None else (f"epoch {record.pending.epoch}", REISSUE_DAYS)


def _of_ghost_draw(record: GhostDrawRecord) -> Stage | None:
    is_waiting = record.reported_by is None and not record.is_overdue
    return ("asked", ghost_audit.REPORT_DAYS) if is_waiting else None


def _of_version(record: VersionStateRecord) -> Stage | None:
    return (f"{record.disclosed_day}", DISCLOSURE_DAYS) if record.status == VERSION_DISCLOSED else None


def _of_proposal(record: ProposalRecord) -> Stage | None:
    return (f"{record.status}", ROUND_DAYS) if record.status in (PROPOSAL_OPEN, PROPOSAL_ACCEPTED) else None


def _of_resolution(record: ResolutionRecord) -> Stage | None:
    return (f"{record.attempt}", OBJECTION_DAYS) if record.status == RESOLUTION_PENDING else None


# A return that fails is unmatched again for its days, which the watch cannot tell from before.
def _of_deposit(record: DepositRecord) -> Stage | None:
    return (f"{record.returned}", 3 * RETURN_DAYS) if get_unmatched(record) else None


_Look = Callable[[bytes], Stage | None]


def _watch(table: Table[R], stage: Callable[[R], Stage | None]) -> tuple[str, _Look]:
    return table.name, lambda data: stage(table.codec.decode(data))


_WATCHED: dict[str, _Look] = dict(
    (
        _watch(CLAIM, _of_claim),
        _watch(APPEAL, _of_appeal),
        _watch(MEMBER, _of_member),
        _watch(VOID, _of_void),
        _watch(PERIOD, _of_period),
        _watch(REAUDIT, _of_reaudit),
        _watch(OBJECTION, _of_objection),
        _watch(HALF, _of_half),
        _watch(REKEY, _of_rekey),
        _watch(ACCOUNT_CHANGE, _of_account_change),
        _watch(HAND_OVER, _of_hand_over),
        _watch(INDEX_EPOCH, _of_epoch),
        _watch(GHOST_DRAW, _of_ghost_draw),
        _watch(VERSION_STATE, _of_version),
        _watch(PROPOSAL, _of_proposal),
        _watch(RESOLUTION, _of_resolution),
        _watch(DEPOSIT, _of_deposit),
    )
)
"""By table: what its record waits for, if anything, and for how long it may."""


class Watch:
    """Looks at every record of the state now and then, and remembers since when each has been where it is."""

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[str, int]] = {}
        self._looks: dict[bytes, tuple[str, _Look] | None] = {}
        self._last_day = 0
        self.longest: dict[str, int] = {}

    def look(self, values: dict[bytes, bytes], *, today: int, running_day: int) -> None:
        """Require that nothing lasts longer than its bound; `running_day` is today without the stopped days.

        What was there at the last look may have changed on any day since, so that much is added to the bound.
        """
        slack = today - self._last_day + 1 if self._last_day else 0
        self._last_day = today
        for key, data in values.items():
            known = self._looks.get(key, ())
            if known == ():
                name = msgspec.msgpack.decode(key)[0]
                look = _WATCHED.get(name)
                known = self._looks[key] = None if look is None else (name, look)
            if known:
                self._look_at(key, known[0], known[1](data), running_day=running_day, slack=slack)

    def _look_at(self, key: bytes, name: str, stage: Stage | None, *, running_day: int, slack: int) -> None:
        if stage is None:
            self._since.pop(key, None)
            return
        label, days = stage
        before = self._since.get(key)
        if before is None or before[0] != label:
            self._since[key] = (label, running_day)
            return
        lasted = running_day - before[1]
        self.longest[name] = max(self.longest.get(name, 0), lasted)
        assert lasted <= days + slack, f"{name} {msgspec.msgpack.decode(key)[1:]} is {label} for {lasted} days"
