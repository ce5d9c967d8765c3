"""What waits for whom, and what the contract does on silence: the deadlines of the state, read as tasks (api.md).

A deadline is an entry of the state's due buckets; it is a task as long as the thing that it was set for still stands as
it did. Beside the deadlines stand what has none by itself: signatures of a batch, confirmations before a charge,
instructions that the bank has not answered, statements. Kinds without an entry below are shown with their number, so
that nothing that is due is ever hidden.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from chain.codec import Codec
from chain.contract.calls import Call
from chain.contract.claim_status import DUE_ACCEPT, DUE_COMMIT, DUE_DECISION, DUE_REVEAL, get_active
from chain.contract.claim_tables import CLAIM, CLAIM_NOTICED, ClaimRecord
from chain.contract.context import compute_day
from chain.contract.custody_tables import ACCOUNT
from chain.contract.due import (
    DUE_ADMISSION,
    DUE_AGE_OUT,
    DUE_APPLICATION,
    DUE_CLAIM_OVER,
    DUE_HALF,
    DUE_RESOLUTION,
    DUE_RETURN,
    DUE_VERSION,
    DUE_WAITING_END,
)
from chain.contract.governance_tables import CONSORTIUM, PROPOSAL, PROPOSAL_OPEN
from chain.contract.halves import HALF, NO_ROLE
from chain.contract.payout import SILENCE_DAYS
from chain.contract.settlement_tables import PERIOD, PERIOD_COMPUTED, PERIOD_NOTICE
from chain.contract.statement import STATEMENT_OVERDUE_DAYS
from chain.contract.tables import DUE, MEMBER, MEMBER_APPLIED, ORGANISATION, PLAN, POOL, ROSTER, DueRecord
from chain.genesis import ROLE_AUDITOR, ROLE_NAMES
from explorer.answers_work import TaskAnswer
from explorer.pagination import Rows
from explorer.privacy import is_withheld
from explorer.reader import ChainSnapshot, Record
from explorer.represent import format_day, represent_fields
from explorer.tasks_custody import CustodyTask, list_custody_tasks, read_resolution_task
from explorer.tasks_member import MEMBER_KINDS, read_member_task
from explorer.tasks_person import PERSON_KINDS, list_overdue_draws, read_person_task
from explorer.tasks_review import REVIEW_KINDS, read_review_task

ACK_DAYS: Final = 7
"""Silence of the bank on an instruction is public after so many days."""
PERIODS_SEEN: Final = 100
"""Newest periods of a pool that are looked at for missing signatures."""
_STANDING = b"\x00"
_DEADLINE = b"\x01"
_call_codec: Codec[Call] = Codec(Call, 65_536, "call")

Row = tuple[bytes, TaskAnswer]


class _Due(Struct, frozen=True):
    """One entry of a due bucket."""

    kind: int
    subject: bytes
    set_for: int
    """Day that the deadline was set for."""
    day: int
    """Day of its bucket: when it comes up."""


_Reader = Callable[[ChainSnapshot, str, _Due], TaskAnswer | None]


def read_tasks(snapshot: ChainSnapshot, plan: str) -> Rows[TaskAnswer]:
    """Return the rows of a plan's tasks: the standing ones first, then the deadlines by day."""

    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[Row]:
        del began
        parts = (_iterate_standing, _iterate_deadlines)
        for part in reversed(parts) if is_backward else parts:
            for position, task in part(snapshot, plan, start, is_backward):
                if start is None or (position < start if is_backward else position > start):
                    yield position, task

    return read_rows


# --- what stands open without a deadline of its own ---


def _iterate_standing(snapshot: ChainSnapshot, plan: str, start: bytes | None, is_backward: bool) -> Iterator[Row]:
    if start is not None and not is_backward and start >= _DEADLINE:
        return
    rows = [(_STANDING + number.to_bytes(4, "big"), task) for number, task in enumerate(_list_standing(snapshot, plan))]
    yield from reversed(rows) if is_backward else rows


def _list_standing(snapshot: ChainSnapshot, plan: str) -> Iterator[TaskAnswer]:
    record = snapshot.read(PLAN, plan)
    if record is None:
        return
    today = compute_day(snapshot.head.timestamp_ms, record.utc_offset_minutes)
    for number in range(record.pools):
        yield from _list_custody(snapshot, plan, number, today)
        yield from _list_periods(snapshot, plan, number, today)
        for key, day, task in list_overdue_draws(snapshot, plan, number):
            yield _build(task.kind, day, today, subject=key, roles=task.roles, silence=task.silence)
    yield from _list_votes(snapshot, today)


def _list_votes(snapshot: ChainSnapshot, today: int) -> Iterator[TaskAnswer]:
    """Yield the votes that are missing: they concern the house, and so are listed with every plan."""
    consortium = snapshot.read(CONSORTIUM)
    for live in consortium.live if consortium is not None else ():
        record = snapshot.read(PROPOSAL, live.proposal)
        if record is None or record.status != PROPOSAL_OPEN:
            continue
        voted = [vote.organisation for vote in record.votes]
        missing: dict[str, str] = {}
        for name in record.voters:
            organisation = snapshot.read(ORGANISATION, name)
            if organisation is not None and not organisation.left_day and name not in voted:
                missing[name] = ROLE_NAMES[organisation.role]
        yield _build(
            "proposal_vote",
            record.expire_day,
            today,
            subject=live.proposal,
            roles=tuple(dict.fromkeys(missing.values())),
            organisations=list(missing),
            silence="it expires where too few have said yes",
        )


def _list_custody(snapshot: ChainSnapshot, plan: str, number: int, today: int) -> Iterator[TaskAnswer]:
    pool = snapshot.read(POOL, plan, number)
    account = None if pool is None else snapshot.read(ACCOUNT, pool.account)
    if pool is None or account is None:
        return
    due = account.closed_day + STATEMENT_OVERDUE_DAYS + 1
    yield _build(
        "statement_post", due, today, subject=pool.account.encode(), roles=("custodian",), silence="the plan is frozen"
    )
    for task in list_custody_tasks(snapshot, plan, number, today):
        yield _build_custody(task, today)
    for _, day, instruction in snapshot.scan_ready((plan, number)):
        # The oldest stands for all: the list itself is /v1/instructions.
        silence = "its lateness is public"
        yield _build(
            "instruction_ack", day + ACK_DAYS, today, subject=instruction, roles=("custodian",), silence=silence
        )
        break


def _list_periods(snapshot: ChainSnapshot, plan: str, number: int, today: int) -> Iterator[TaskAnswer]:
    for seen, (record, period) in enumerate(snapshot.scan(PERIOD, plan, number, arity=3, is_reversed=True)):
        if seen == PERIODS_SEEN:
            return
        if period.status == PERIOD_COMPUTED:
            due = period.computed_day + SILENCE_DAYS
            asked = [name for name in ("platform", period.cosigner or "") if name and name not in period.signed_by]
            if today >= due and period.confirmer is not None:
                asked.append(period.confirmer)
            yield _build(
                "batch_sign",
                due,
                today,
                subject=record.key,
                roles=("platform", "auditor"),
                organisations=asked,
                silence="the other auditor may sign instead",
            )
        elif period.status == PERIOD_NOTICE:
            for claim in period.claims:
                listed = snapshot.read(CLAIM, claim)
                if listed is not None and listed.status == CLAIM_NOTICED:
                    yield _build(
                        "claim_confirm",
                        period.charge_day,
                        today,
                        subject=claim,
                        roles=("auditor",),
                        organisations=[period.confirmer] if period.confirmer else [],
                        silence="it waits for the next period and its auditor",
                        claim=claim,
                    )


# --- deadlines ---


def _iterate_deadlines(snapshot: ChainSnapshot, plan: str, start: bytes | None, is_backward: bool) -> Iterator[Row]:
    if start is not None and is_backward and start < _DEADLINE:
        return
    scan_start: bytes | None = None
    if start is not None and start >= _DEADLINE:
        # The bucket of the position is read again; what lies before it is passed over by the caller.
        key = start[1:-2]
        scan_start = key + b"\x00" if is_backward else key[:-1]
    for record, bucket in snapshot.scan(DUE, plan, arity=4, start=scan_start, is_reversed=is_backward):
        rows = list(_read_bucket(snapshot, plan, record, bucket))
        yield from reversed(rows) if is_backward else rows


def _read_bucket(snapshot: ChainSnapshot, plan: str, record: Record, bucket: DueRecord) -> Iterator[Row]:
    _, day, kind, _ = record.parts
    for number, (_, subject, set_for, _) in enumerate(bucket.entries):
        due = _Due(kind=int(kind), subject=subject, set_for=set_for, day=int(day))
        read = _KINDS.get(due.kind, _read_unknown)
        task = read(snapshot, plan, due)
        if task is not None:
            yield _DEADLINE + record.key + number.to_bytes(2, "big"), task


def _read_unknown(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    return _build(f"deadline_{due.kind}", due.day, due.day - 1, subject=due.subject, roles=(), silence="see the rules")


def _read_nothing(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    """Stand for what the contract does by itself."""
    del snapshot, plan, due
    return None


def _read_application(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    member = snapshot.read(MEMBER, due.subject)
    if member is None or member.status != MEMBER_APPLIED or member.is_admitted:
        return None
    roles = []
    if member.person_index is None:
        roles.append("custodian")
    if member.auditor_index is None:
        roles.append("auditor")
    if not roles:
        return None
    silence = "the application expires and the money goes back"
    return _build("verify_application", due.day, due.day - 1, subject=due.subject, roles=tuple(roles), silence=silence)


def _read_admission(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    member = snapshot.read(MEMBER, due.subject)
    if member is None or member.status != MEMBER_APPLIED:
        return None
    silence = "the application expires and the money goes back"
    return _build("member_admit", due.day, due.day - 1, subject=due.subject, roles=("platform",), silence=silence)


def _read_half(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    half = snapshot.read(HALF, plan, due.subject)
    if half is None or half.due_day != due.set_for:
        return None
    missing = [party for party in half.parties if party.signed_by is None]
    roles = tuple("member" if party.role == NO_ROLE else ROLE_NAMES[party.role] for party in missing)
    task = _build("sign_" + half.name, due.day, due.day - 1, subject=due.subject, roles=roles, silence="it expires")
    if is_withheld(half.name):
        return task
    call = {"name": half.name, **represent_fields(_call_codec.decode(half.call), subject=half.name)}
    return replace(task, call=call)


def _read_claim(snapshot: ChainSnapshot, due: _Due) -> ClaimRecord | None:
    claim = snapshot.read(CLAIM, due.subject)
    return claim if claim is not None and (claim.due_kind, claim.due_day) == (due.kind, due.set_for) else None


def _read_seat(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    claim = _read_claim(snapshot, due)
    if claim is None:
        return None
    waiting = []
    for firm in get_active(claim):
        done = {DUE_ACCEPT: firm.is_accepted, DUE_COMMIT: firm.commit_hash is not None, DUE_REVEAL: firm.is_revealed}
        if not done[due.kind]:
            waiting.append(firm.organisation)
    names = {DUE_ACCEPT: "assessor_accept", DUE_COMMIT: "report_commit", DUE_REVEAL: "report_reveal"}
    return _build(
        names[due.kind],
        due.day,
        due.day - 1,
        subject=due.subject,
        roles=("assessor",),
        organisations=waiting,
        silence="the firm is replaced by lot",
        claim=due.subject,
    )


def _read_decision(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    claim = _read_claim(snapshot, due)
    if claim is None:
        return None
    auditors = snapshot.read(ROSTER, ROLE_AUDITOR)
    names = () if auditors is None else auditors.names
    asked = [] if claim.escalation == 0 else list(names[claim.escalation - 1 : claim.escalation])
    return _build(
        "claim_decide",
        due.day,
        due.day - 1,
        subject=due.subject,
        roles=("platform",) if claim.escalation == 0 else ("auditor",),
        organisations=asked,
        silence="the case goes up, last to the concurring reports",
        claim=due.subject,
    )


def _read_person(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    if due.kind in MEMBER_KINDS:
        task = read_member_task(snapshot, kind=due.kind, subject=due.subject, set_for=due.set_for)
    elif due.kind in REVIEW_KINDS:
        task = read_review_task(snapshot, kind=due.kind, subject=due.subject, set_for=due.set_for)
    else:
        task = read_person_task(snapshot, plan, kind=due.kind, subject=due.subject, set_for=due.set_for)
    if task is None:
        return None
    return _build(
        task.kind,
        due.day if task.due_day is None else task.due_day,
        due.day - 1,
        subject=due.subject,
        roles=task.roles,
        organisations=list(task.organisations),
        silence=task.silence,
    )


def _read_resolution(snapshot: ChainSnapshot, plan: str, due: _Due) -> TaskAnswer | None:
    task = read_resolution_task(snapshot, due.subject, due.day)
    return None if task is None else _build_custody(task, due.day - 1)


def _build_custody(task: CustodyTask, today: int) -> TaskAnswer:
    return _build(
        task.kind,
        task.due_day,
        today,
        subject=task.subject,
        roles=task.roles,
        organisations=list(task.organisations),
        silence=task.silence,
    )


_KINDS: Final[dict[int, _Reader]] = {
    **dict.fromkeys((*PERSON_KINDS, *MEMBER_KINDS, *REVIEW_KINDS), _read_person),
    # Who matches money without a name in time sees it under /v1/deposits: its deadline names no one.
    **dict.fromkeys((DUE_AGE_OUT, DUE_WAITING_END, DUE_RETURN, DUE_VERSION, DUE_CLAIM_OVER), _read_nothing),
    DUE_APPLICATION: _read_application,
    DUE_ADMISSION: _read_admission,
    DUE_HALF: _read_half,
    DUE_RESOLUTION: _read_resolution,
    DUE_ACCEPT: _read_seat,
    DUE_COMMIT: _read_seat,
    DUE_REVEAL: _read_seat,
    DUE_DECISION: _read_decision,
}


def _build(
    kind: str,
    due: int,
    today: int,
    *,
    subject: bytes,
    roles: tuple[str, ...],
    silence: str,
    organisations: list[str] | None = None,
    claim: bytes | None = None,
) -> TaskAnswer:
    return TaskAnswer(
        kind=kind,
        roles=list(dict.fromkeys(roles)),
        organisations=organisations or [],
        due=format_day(due),
        is_overdue=today >= due,
        on_silence=silence,
        subject=subject.hex(),
        claim=UNSET if claim is None else claim.hex(),
    )
