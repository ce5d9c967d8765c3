"""Drawing assessor firms by lot, and their taking the claim (contract 2, ASSIGNED).

Two firms of different ownership groups are drawn, every such pair equally likely. A firm that stays silent
past a deadline is replaced by another, drawn from those that were never on this claim; a third firm joins
where two reports differ. After three replacements, or where no independent firm is left, the second auditor
takes the seat (and may then not confirm the claim). Where nobody is left, or after six replacements, the
claim ends EXPIRED and may be filed again. A firm drawn after another's report was revealed works alone but
not blind: that report is public by then.

Anybody can draw again: the candidates are the firms of the roster in genesis order, the sets of candidates
are listed in lexicographic order, and the beacon value is in the receipt.
"""

from itertools import combinations

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract import beacon, claim_lane
from chain.contract.claim_calls import AssessorAccept
from chain.contract.claim_events import FirmAccepted, FirmDrawn, FirmReplaced
from chain.contract.claim_status import (
    ACCEPT_DAYS,
    COMMIT_DAYS,
    DUE_ACCEPT,
    DUE_COMMIT,
    DUE_NONE,
    change_status,
    close,
    get_active,
    get_today,
    require_claim,
    require_signer,
    require_status,
    save,
    set_due,
)
from chain.contract.claim_tables import (
    BEACON,
    CLAIM,
    CLAIM_ASSIGNED,
    CLAIM_ELIGIBLE,
    CLAIM_EXPIRED,
    ClaimRecord,
    DrawnFirm,
)
from chain.contract.context import Context
from chain.contract.organisations import get_auditors
from chain.contract.tables import ORGANISATION, ROSTER
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR
from chain.state import Overlay
from chain.types import Hash

REDRAWS_MAX = 3
"""Replacements by firms alone; after them the second auditor takes the next vacant seat."""
REDRAWS_END = 6
"""Replacements in all; one more and the claim ends."""
DRAWS_PER_DAY_MAX = 4_000
"""Draws of one plan at one 0:00, and in one block however many days begin in it; the rest waits for the next 0:00, so
that a flood of claims makes no block too slow."""


def run_draws(state: Overlay, context: Context, plan: str, day: int, drawn_before: int = 0) -> int:
    """Draw for every claim that waits and for which f + 1 different proposers have revealed since it asked.

    Runs at 0:00 of a day. The lane is in the order of asking, so the first claim that is too young ends the
    run. `drawn_before` is how many left the lane for earlier days of the same block; returns how many did now.
    """
    proposers_min = context.faults_max + 1
    draws_max = max(0, DRAWS_PER_DAY_MAX - drawn_before)
    pairs: list[tuple[str, ...]] = []
    for count in range(draws_max):
        claim_id = claim_lane.get_first(state, plan, claim_lane.LANE_DRAW)
        if claim_id is None:
            return count
        claim = state.require(CLAIM, claim_id)
        value = beacon.get_draw_value(state.require(BEACON), since=claim.draw_height, proposers_min=proposers_min)
        if value is None:
            return count
        claim_lane.pop(state, plan, claim_lane.LANE_DRAW)
        if not pairs and not claim.firms:
            pairs = list_choices(state, claim, claim.seats)
        _fill_seats(state, context, claim_id, claim, value, day, pairs)
    return draws_max


def ask_draw(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Put a claim with a vacant seat into the lane of draws; no deadline runs until the seat is filled."""
    claim = replace(claim, draw_height=context.height, due_day=0, due_kind=DUE_NONE)
    save(state, claim_id, claim)
    claim_lane.push(state, claim.plan, claim_lane.LANE_DRAW, claim_id)


def replace_silent(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Take the seat from each firm that missed the claim's deadline, and ask for a draw."""
    firms = tuple(
        replace(firm, is_replaced=True) if not firm.is_replaced and _is_silent(firm, claim.due_kind) else firm
        for firm in claim.firms
    )
    for before, after in zip(claim.firms, firms, strict=True):
        if after.is_replaced and not before.is_replaced:
            event = FirmReplaced(claim=claim_id, organisation=after.organisation, due_kind=claim.due_kind)
            context.emit(event)
    ask_draw(state, context, claim_id, replace(claim, firms=firms, redraws=claim.redraws + 1))


def apply_assessor_accept(state: Overlay, context: Context, call: AssessorAccept) -> tuple[int, ...]:
    """Take a claim that the signer was drawn for; the 20 days begin when every seat has accepted.

    Refused: claim_unknown, wrong_role (no organisation), claim_state, not_drawn (also a firm that was
    replaced), already.
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    require_status(claim, CLAIM_ASSIGNED)
    firm = require_drawn(claim, signer.organisation)
    if firm.is_accepted:
        raise Refusal("already", claim=call.claim.hex())
    claim = put_firm(claim, replace(firm, is_accepted=True))
    context.emit(FirmAccepted(claim=call.claim, organisation=firm.organisation))
    if is_seated(claim) and all(item.is_accepted for item in get_active(claim)):
        today = get_today(state, context, claim)
        claim = set_due(state, call.claim, claim, kind=DUE_COMMIT, today=today, days=COMMIT_DAYS)
    save(state, call.claim, claim)
    return ()


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


def is_seated(claim: ClaimRecord) -> bool:
    """Tell whether every seat is filled."""
    return len(get_active(claim)) == claim.seats


def list_choices(state: Overlay, claim: ClaimRecord, count: int) -> list[tuple[str, ...]]:
    """Return all sets of `count` firms that may be drawn: never on this claim, all of different groups."""
    names = state.require(ROSTER, ROLE_ASSESSOR).names
    groups = {name: state.require(ORGANISATION, name).group for name in names}
    used = [firm.organisation for firm in claim.firms]
    taken = [state.require(ORGANISATION, firm.organisation).group for firm in get_active(claim)]
    fresh = [name for name in names if name not in used and groups[name] not in taken]
    return [
        choice for choice in combinations(fresh, count) if len(dict.fromkeys(groups[name] for name in choice)) == count
    ]


def _fill_seats(
    state: Overlay,
    context: Context,
    claim_id: bytes,
    claim: ClaimRecord,
    value: Hash,
    day: int,
    pairs: list[tuple[str, ...]],
) -> None:
    """Draw the vacant seats of a claim; `pairs` are the choices of every claim without firms, listed once for all."""
    vacant = claim.seats - len(get_active(claim))
    auditor = get_auditors(state)[1]
    is_auditor_free = all(firm.organisation != auditor for firm in claim.firms)
    drawn: tuple[str, ...] = ()
    choices: list[tuple[str, ...]] = []
    if claim.redraws <= REDRAWS_MAX or not is_auditor_free:
        choices = list_choices(state, claim, vacant) if claim.firms else pairs
    if not choices and is_auditor_free:
        drawn = (auditor,)
        choices = list_choices(state, claim, vacant - 1)
    if not choices or claim.redraws > REDRAWS_END:
        # The set of no firms is a choice too, so this means seats that nobody can fill.
        close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("assessors_silent").number)
        return
    purpose = f"assessors-{claim.redraws}-{claim.seats}"
    drawn += choices[beacon.draw(value, purpose=purpose, subject=claim_id, bound=len(choices))]
    for name in drawn:
        context.emit(FirmDrawn(claim=claim_id, organisation=name, value=value))
    claim = replace(claim, firms=claim.firms + tuple(_build_seat(name, day) for name in drawn))
    if claim.status == CLAIM_ELIGIBLE:
        claim = change_status(context, claim_id, claim, CLAIM_ASSIGNED)
    save(state, claim_id, set_due(state, claim_id, claim, kind=DUE_ACCEPT, today=day, days=ACCEPT_DAYS))


def _build_seat(organisation: str, day: int) -> DrawnFirm:
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


def _is_silent(firm: DrawnFirm, due_kind: int) -> bool:
    if due_kind == DUE_ACCEPT:
        return not firm.is_accepted
    if due_kind == DUE_COMMIT:
        return firm.commit_hash is None
    return not firm.is_revealed
