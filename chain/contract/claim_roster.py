"""The seats of a claim and who may be drawn for them: independent firms of the roster, never asked before (contract 2).

A seat is an entry of `ClaimRecord.firms` that is not replaced. Each organisation has a lane of the claims on which it
was given a seat (claim_lane.py), so that its seats can be found again on the day it leaves the consortium, and a
record of how it served.
"""

from itertools import combinations

from msgspec.structs import replace

from chain.contract import beacon, claim_lane
from chain.contract.claim_events import FirmDrawn
from chain.contract.claim_review_tables import FIRM_DUTY, NO_DUTY, REAUDIT, REAUDIT_OPEN, FirmDutyRecord, ReauditRecord
from chain.contract.claim_status import DUE_NONE, DUE_SEATS, get_active, save
from chain.contract.claim_tables import CLAIM, CLAIM_ASSIGNED, CLAIM_PAID, CLAIM_RECHECK, ClaimRecord, DrawnFirm
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.organisations import get_today
from chain.contract.tables import ORGANISATION, PLAN, PLANS, ROSTER
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR
from chain.state import Overlay
from chain.types import Hash

_CLEANED_MAX = 2
"""Places at the head of a firm's lane that are looked at with each new seat: the lane never grows beyond its oldest
open seat by more than it must."""


def list_choices(state: Overlay, claim: ClaimRecord, count: int) -> list[tuple[str, ...]]:
    """Return all sets of `count` firms that may be drawn: never on this claim, all of different groups."""
    names = state.require(ROSTER, ROLE_ASSESSOR).names
    groups = {name: _get_group(state, name) for name in names}
    used = [firm.organisation for firm in claim.firms]
    taken = [_get_group(state, firm.organisation) for firm in get_active(claim)]
    fresh = [name for name in names if name not in used and groups[name] not in taken]
    return [
        choice for choice in combinations(fresh, count) if len(dict.fromkeys(groups[name] for name in choice)) == count
    ]


def draw_firm(state: Overlay, claim_id: bytes, claim: ClaimRecord, value: Hash, purpose: str) -> str | None:
    """Draw one more independent firm that was never on the claim; None where none is left."""
    choices = list_choices(state, claim, 1)
    if not choices:
        return None
    return choices[beacon.draw(value, purpose=purpose, subject=claim_id, bound=len(choices))][0]


def seat(
    state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, names: tuple[str, ...], value: Hash, day: int
) -> ClaimRecord:
    """Return the claim with drawn organisations in its vacant seats."""
    for name in names:
        context.emit(FirmDrawn(claim=claim_id, organisation=name, value=value))
        note_seat(state, claim_id, claim.plan, name)
    return replace(claim, firms=claim.firms + tuple(build_seat(name, day) for name in names))


def build_seat(organisation: str, day: int) -> DrawnFirm:
    """Return a seat as the draw gives it."""
    return DrawnFirm(
        organisation=organisation,
        drawn_day=day,
        is_replaced=False,
        is_accepted=False,
        commit_hash=None,
        is_revealed=False,
        finding=0,
        established_day=0,
        row=0,
        clauses=(),
        report_root=None,
    )


def require_drawn(claim: ClaimRecord, organisation: str) -> DrawnFirm:
    """Return the signer's seat; raise `Refusal` not_drawn where it has none (any more)."""
    for firm in get_active(claim):
        if firm.organisation == organisation:
            return firm
    raise Refusal("not_drawn", organisation=organisation)


def put_firm(claim: ClaimRecord, firm: DrawnFirm) -> ClaimRecord:
    """Return the claim with the newer entry of one firm."""
    firms = tuple(firm if item.organisation == firm.organisation else item for item in claim.firms)
    return replace(claim, firms=firms)


def vacate(claim: ClaimRecord, *organisations: str) -> ClaimRecord:
    """Return the claim without these organisations in its seats; they are never drawn for it again."""
    firms = tuple(
        replace(firm, is_replaced=True) if firm.organisation in organisations else firm for firm in claim.firms
    )
    return replace(claim, firms=firms)


def is_seated(claim: ClaimRecord) -> bool:
    """Tell whether every seat is filled."""
    return len(get_active(claim)) == claim.seats


def is_in_roster(state: Overlay, organisation: str) -> bool:
    """Tell whether an organisation still serves the consortium as assessor or auditor."""
    return any(organisation in state.require(ROSTER, role).names for role in (ROLE_ASSESSOR, ROLE_AUDITOR))


def ask_draw(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Write a claim and put it into the lane of draws; no deadline of its own runs until it was drawn.

    An earlier place in the lane thereby loses its ground: the draw uses what nobody knew when it was asked for last.
    """
    save(state, claim_id, replace(claim, draw_height=context.height, due_day=0, due_kind=DUE_NONE))
    claim_lane.push(state, claim.plan, claim_lane.LANE_DRAW, claim_id, context.height)


# --- how organisations serve ---


def note_seat(state: Overlay, claim_id: bytes, plan: str, organisation: str) -> None:
    """Note that an organisation was given a seat, or a re-audit."""
    for _ in range(_CLEANED_MAX):
        first = claim_lane.get_first(state, plan, organisation)
        if first is None or holds_seat(state, first.claim, organisation):
            break
        claim_lane.pop(state, plan, organisation)
    claim_lane.push(state, plan, organisation, claim_id)
    note_duty(state, organisation, drawn=1)


def note_duty(
    state: Overlay,
    organisation: str,
    *,
    drawn: int = 0,
    reported: int = 0,
    silent: int = 0,
    declined: int = 0,
    conflicts: int = 0,
) -> None:
    """Add to the public record of how an organisation served."""
    duty = state.get(FIRM_DUTY, organisation) or NO_DUTY
    record = FirmDutyRecord(
        drawn=duty.drawn + drawn,
        reported=duty.reported + reported,
        silent=duty.silent + silent,
        declined=duty.declined + declined,
        conflicts=duty.conflicts + conflicts,
    )
    state.put(FIRM_DUTY, record, organisation)


def holds_seat(state: Overlay, claim_id: bytes, organisation: str) -> bool:
    """Tell whether an organisation still owes a report on a claim."""
    claim = state.require(CLAIM, claim_id)
    if claim.status in (CLAIM_ASSIGNED, CLAIM_RECHECK):
        return any(firm.organisation == organisation and not firm.is_revealed for firm in get_active(claim))
    if claim.status != CLAIM_PAID:
        return False
    record = state.get(REAUDIT, claim_id)
    return record is not None and organisation in list_asked(record)


def list_asked(record: ReauditRecord) -> tuple[str, ...]:
    """Return who is asked for a re-audit now: firm and auditor, the auditor alone, or nobody while a firm is drawn."""
    if record.outcome != REAUDIT_OPEN or record.auditor is None or not record.due_day:
        return ()
    return (record.firms[-1], record.auditor) if record.is_firm_asked else (record.auditor,)


def on_organisation_removed(state: Overlay, context: Context, organisation: str) -> None:
    """Let the seats of an organisation that left the roster be vacated, from the next 0:00 on.

    Reports that it opened stay: they were given while it served. What it had not opened is drawn again.
    """
    for plan in state.require(PLANS).names:
        record = state.require(PLAN, plan)
        day = get_today(context, record) + 1
        due_ms = compute_day_start_ms(day, record.utc_offset_minutes)
        add_due(state, plan, day, DUE_SEATS, due_ms, organisation.encode("ascii"))


def _get_group(state: Overlay, organisation: str) -> str:
    record = state.get(ORGANISATION, organisation)
    return organisation if record is None else record.group
