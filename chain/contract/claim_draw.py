"""Drawing assessor firms by lot, and their taking the claim or giving it back (contract 2, ASSIGNED).

Two firms of different ownership groups are drawn, every such pair equally likely. A firm that stays silent
past a deadline, declines, or leaves the consortium is replaced by another, drawn from those that were never on this
claim; a third firm joins where two reports differ. After three replacements, or where no independent firm is left, the
second auditor takes the seat (and may then not confirm the claim). Where nobody is left, or after six replacements,
the claim ends EXPIRED and may be filed again. A firm drawn after another's report was revealed works alone but
not blind: that report is public by then.

The same lane gives a claim its recheck firm (claim_recheck) and a paid one its lot (claim_reaudit). A claim that was
withdrawn while it waited is drawn all the same: the next claim of the member keeps those firms (claim_withdrawal).

Anybody can draw again: the candidates are the firms of the roster in its order, the sets of candidates
are listed in lexicographic order, and the beacon value is in the receipt.
"""

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract import beacon, claim_lane, claim_reaudit, claim_recheck
from chain.contract.claim_calls import AssessorAccept, AssessorDecline
from chain.contract.claim_events import FirmAccepted, FirmReplaced
from chain.contract.claim_review_events import FirmDeclined, FirmRemoved
from chain.contract.claim_review_tables import CLAIMANT, NO_CLAIMANT
from chain.contract.claim_roster import (
    ask_draw,
    holds_seat,
    is_in_roster,
    is_seated,
    list_choices,
    note_duty,
    put_firm,
    require_drawn,
    seat,
    vacate,
)
from chain.contract.claim_status import (
    ACCEPT_DAYS,
    COMMIT_DAYS,
    DUE_ACCEPT,
    DUE_COMMIT,
    DUE_SEATS,
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
    CLAIM_PAID,
    CLAIM_RECHECK,
    CLAIM_WITHDRAWN,
    ClaimRecord,
    ClaimTicketRecord,
    DrawnFirm,
)
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.organisations import get_auditors
from chain.contract.tables import PLAN
from chain.errors import Refusal
from chain.state import Overlay
from chain.types import Hash

REDRAWS_MAX = 3
"""Replacements by firms alone; after them the second auditor takes the next vacant seat."""
REDRAWS_END = 6
"""Replacements in all; one more and the claim ends."""
DRAWS_PER_DAY_MAX = 4_000
"""Draws of one plan at one 0:00, and in one block however many days begin in it; the rest waits for the next 0:00, so
that a flood of claims makes no block too slow."""
SEATS_VACATED_MAX = 200
"""Seats of a removed organisation that are vacated at one 0:00; the rest waits for the next."""


def run_draws(state: Overlay, context: Context, plan: str, day: int, drawn_before: int = 0) -> int:
    """Draw for every claim that waits and for which f + 1 different proposers have revealed since it asked.

    Runs at 0:00 of a day. The lane is in the order of asking, so the first claim that is too young ends the
    run. `drawn_before` is how many left the lane for earlier days of the same block; returns how many did now.
    """
    proposers_min = context.faults_max + 1
    draws_max = max(0, DRAWS_PER_DAY_MAX - drawn_before)
    pairs: list[tuple[str, ...]] = []
    for count in range(draws_max):
        ticket = claim_lane.get_first(state, plan, claim_lane.LANE_DRAW)
        if ticket is None:
            return count
        claim = state.require(CLAIM, ticket.claim)
        if not _is_waiting(claim, ticket):
            claim_lane.pop(state, plan, claim_lane.LANE_DRAW)
            continue
        value = beacon.get_draw_value(state.require(BEACON), since=claim.draw_height, proposers_min=proposers_min)
        if value is None:
            return count
        claim_lane.pop(state, plan, claim_lane.LANE_DRAW)
        if claim.status == CLAIM_PAID:
            claim_reaudit.on_draw(state, context, ticket.claim, claim, value)
        elif claim.status == CLAIM_RECHECK:
            claim_recheck.on_draw(state, context, ticket.claim, claim, value, day)
        else:
            if not pairs and not claim.firms:
                pairs = list_choices(state, claim, claim.seats)
            _fill_seats(state, context, ticket.claim, claim, value, day, pairs)
    return draws_max


def replace_silent(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> None:
    """Take the seat from each firm that missed the claim's deadline, and ask for a draw."""
    silent = [firm.organisation for firm in get_active(claim) if _is_silent(firm, claim.due_kind)]
    for organisation in silent:
        context.emit(FirmReplaced(claim=claim_id, organisation=organisation, due_kind=claim.due_kind))
        note_duty(state, organisation, silent=1)
    claim = replace(vacate(claim, *silent), redraws=claim.redraws + 1)
    ask_draw(state, context, claim_id, claim)


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


def apply_assessor_decline(state: Overlay, context: Context, call: AssessorDecline) -> tuple[int, ...]:
    """Give a seat back, or a re-audit: it is vacant at once and drawn again, which counts as a replacement.

    A conflict of interest is no fault of the firm; declining without one is counted in its public record. Refused:
    claim_unknown, wrong_role, claim_state, not_drawn; already where the signer has opened its report.
    """
    claim = require_claim(state, call.claim)
    signer = require_signer(state, context)
    require_status(claim, CLAIM_ASSIGNED, CLAIM_RECHECK, CLAIM_PAID)
    if claim.status == CLAIM_PAID:
        claim_reaudit.require_asked(state, call.claim, signer.organisation)
    elif require_drawn(claim, signer.organisation).is_revealed:
        raise Refusal("already", claim=call.claim.hex())
    context.emit(FirmDeclined(claim=call.claim, organisation=signer.organisation, is_conflict=call.is_conflict))
    note_duty(state, signer.organisation, declined=not call.is_conflict, conflicts=call.is_conflict)
    if claim.status == CLAIM_PAID:
        claim_reaudit.decline(state, context, call.claim, claim, signer.organisation)
    else:
        _vacate_seat(state, context, call.claim, claim, signer.organisation)
    return ()


def on_seats_due(state: Overlay, context: Context, plan: str, organisation: str, day: int) -> None:
    """Vacate what an organisation that left the roster still holds, some at a time."""
    if is_in_roster(state, organisation):
        return
    for _ in range(SEATS_VACATED_MAX):
        ticket = claim_lane.get_first(state, plan, organisation)
        if ticket is None:
            return
        claim_lane.pop(state, plan, organisation)
        if not holds_seat(state, ticket.claim, organisation):
            continue
        claim = state.require(CLAIM, ticket.claim)
        context.emit(FirmRemoved(claim=ticket.claim, organisation=organisation))
        if claim.status == CLAIM_PAID:
            claim_reaudit.decline(state, context, ticket.claim, claim, organisation)
        else:
            _vacate_seat(state, context, ticket.claim, claim, organisation)
    offset = state.require(PLAN, plan).utc_offset_minutes
    due_ms = compute_day_start_ms(day + 1, offset)
    add_due(state, plan, day + 1, DUE_SEATS, due_ms, organisation.encode("ascii"))


def _vacate_seat(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, organisation: str) -> None:
    claim = vacate(claim, organisation)
    if claim.status == CLAIM_RECHECK:
        claim_recheck.on_vacated(state, claim_id)
    else:
        claim = replace(claim, redraws=claim.redraws + 1)
    ask_draw(state, context, claim_id, claim)


def _is_waiting(claim: ClaimRecord, ticket: ClaimTicketRecord) -> bool:
    """Tell whether a place in the lane still stands: the newest of its claim, which has something to be drawn."""
    if claim.draw_height != ticket.asked:
        return False
    if claim.status == CLAIM_PAID:
        return True
    is_open = claim.status in (CLAIM_ELIGIBLE, CLAIM_ASSIGNED, CLAIM_RECHECK, CLAIM_WITHDRAWN)
    return is_open and not is_seated(claim)


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
        if claim.status == CLAIM_WITHDRAWN:
            _end_pending_draw(state, claim, kept=None)
        else:
            close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("assessors_silent").number)
        return
    purpose = f"assessors-{claim.redraws}-{claim.seats}"
    drawn += choices[beacon.draw(value, purpose=purpose, subject=claim_id, bound=len(choices))]
    claim = seat(state, context, claim_id, claim, drawn, value, day)
    if claim.status == CLAIM_WITHDRAWN:
        save(state, claim_id, claim)
        _end_pending_draw(state, claim, kept=claim_id)
        return
    if claim.status == CLAIM_ELIGIBLE:
        claim = change_status(context, claim_id, claim, CLAIM_ASSIGNED)
    save(state, claim_id, set_due(state, claim_id, claim, kind=DUE_ACCEPT, today=day, days=ACCEPT_DAYS))


def _end_pending_draw(state: Overlay, claim: ClaimRecord, kept: bytes | None) -> None:
    record = state.get(CLAIMANT, claim.member) or NO_CLAIMANT
    state.put(CLAIMANT, replace(record, kept=kept, is_draw_pending=False), claim.member)


def _is_silent(firm: DrawnFirm, due_kind: int) -> bool:
    if due_kind == DUE_ACCEPT:
        return not firm.is_accepted
    if due_kind == DUE_COMMIT:
        return firm.commit_hash is None
    return not firm.is_revealed
