"""The re-audit of paid claims that the lot chooses (contract 2, CLEAN / CLAWBACK; contract 5, reaudit_report).

Each claim draws its lot after its payment, when nobody can still change it: 2 in 100, 4 where its only certificate is
a visit by the firms themselves. A chosen one is looked at by a firm that was never on it, drawn by lot, together with
an auditor that neither confirmed nor decided it (where none is left, one that did not confirm it).

    PAID --lot--> firm + auditor --both sign the same finding--> CLEAN | CLAWBACK
                       |  30 days, declined, removed
                       v
                  another firm + the next auditor (at most three times, or until no firm is left)
                       |
                       v
                  the auditor alone --30 days--> UNAUDITED: public, the claim stays PAID

The finding moves no money: what comes back is booked by the bank and an auditor (contract 3.5, clawback money;
cash_other.py).
"""

from msgspec.structs import replace

from chain.contract import beacon, claim_roster
from chain.contract.claim_calls import ReauditReport
from chain.contract.claim_review_events import ReauditAsked, ReauditEnded, ReauditLot
from chain.contract.claim_review_tables import (
    REAUDIT,
    REAUDIT_CLAWBACK,
    REAUDIT_CLEAN,
    REAUDIT_OPEN,
    REAUDIT_UNAUDITED,
    ReauditRecord,
)
from chain.contract.claim_status import (
    DUE_REAUDIT,
    change_status,
    get_active,
    get_today,
    require_claim,
    require_status,
    save,
)
from chain.contract.claim_tables import CLAIM_CLAWBACK, CLAIM_CLEAN, CLAIM_PAID, SOURCE_VISIT, ClaimRecord
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import add_due
from chain.contract.halves import Party, cosign
from chain.contract.organisations import get_auditors, require_role
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import PLAN, ROSTER
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR
from chain.state import Overlay
from chain.types import Hash

LOTS = 100
LOTS_CHOSEN = 2
"""Of 100 paid claims so many are audited again; twice as many of those that only the firms' own visit certifies."""
REAUDIT_DAYS = 30
"""Days of one attempt."""
REAUDIT_FIRMS_MAX = 3
"""Firms drawn for one re-audit; then the auditor is asked alone."""
_DRAWN = ReauditRecord(
    outcome=REAUDIT_OPEN,
    firms=(),
    auditor=None,
    is_firm_asked=True,
    attempt=0,
    due_day=0,
    signed_by=(),
    report_root=None,
    found_day=0,
)


def on_draw(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, value: Hash) -> None:
    """Draw the lot of a paid claim, and the firm of one that was chosen."""
    record = state.get(REAUDIT, claim_id)
    if record is None:
        chosen = LOTS_CHOSEN * (2 if claim.certificate is not None and claim.certificate[0] == SOURCE_VISIT else 1)
        is_chosen = beacon.draw(value, purpose="reaudit-lot", subject=claim_id, bound=LOTS) < chosen
        context.emit(ReauditLot(claim=claim_id, is_chosen=is_chosen, value=value))
        if not is_chosen:
            return
        record = _DRAWN
    elif record.outcome != REAUDIT_OPEN or record.due_day:
        # It ended, or is under way: its payment came back meanwhile, and was made again.
        return
    asked = replace(claim, firms=claim.firms + tuple(claim_roster.build_seat(name, 0) for name in record.firms))
    firm = claim_roster.draw_firm(state, claim_id, asked, value, f"reaudit-firm-{record.attempt}")
    if firm is not None:
        record = replace(record, firms=(*record.firms, firm))
    _ask(state, context, claim_id, claim, replace(record, is_firm_asked=firm is not None))


def apply_reaudit_report(state: Overlay, context: Context, call: ReauditReport) -> tuple[int, ...]:
    """Sign the finding on a claim that is audited again; the second of the two signatures makes it hold.

    Refused: claim_unknown, claim_state (not PAID, not chosen, or nobody is asked yet), wrong_role for anybody but the
    two who are asked, already, not_drawn where the other signature is of a firm that has lost the task since.
    """
    claim = require_claim(state, call.claim)
    require_status(claim, CLAIM_PAID)
    record = state.get(REAUDIT, call.claim)
    asked = () if record is None else claim_roster.list_asked(record)
    if record is None or not asked:
        raise Refusal("claim_state", reason="nobody is asked to audit it again")
    signed_by = _sign(state, context, call, claim.plan, asked)
    if signed_by is None:
        return ()
    outcome = REAUDIT_CLEAN if call.is_clean else REAUDIT_CLAWBACK
    today = get_today(state, context, claim)
    record = replace(record, signed_by=signed_by, report_root=call.report_root, found_day=today)
    _end(state, context, call.claim, record, outcome)
    for organisation in signed_by:
        claim_roster.note_duty(state, organisation, reported=1)
    status = CLAIM_CLEAN if call.is_clean else CLAIM_CLAWBACK
    save(state, call.claim, change_status(context, call.claim, claim, status))
    return ()


def on_due(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, day: int) -> None:
    """Go on to another firm, to the auditor alone, or to the public end, because the two did not sign in time."""
    record = state.require(REAUDIT, claim_id)
    if record.outcome != REAUDIT_OPEN or record.due_day != day:
        return
    if record.is_firm_asked:
        _pass_on(state, context, claim_id, claim, record)
    else:
        _end(state, context, claim_id, record, REAUDIT_UNAUDITED)


def decline(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, organisation: str) -> None:
    """Ask others in the place of an organisation that gave the re-audit back or left the consortium."""
    record = require_asked(state, claim_id, organisation)
    others = len(list_auditors(state, claim)) - 1
    if record.is_firm_asked:
        _pass_on(state, context, claim_id, claim, record)
    elif record.attempt >= REAUDIT_FIRMS_MAX + others:
        _end(state, context, claim_id, record, REAUDIT_UNAUDITED)
    else:
        _ask(state, context, claim_id, claim, replace(record, attempt=record.attempt + 1))


def require_asked(state: Overlay, claim_id: bytes, organisation: str) -> ReauditRecord:
    """Return the open re-audit that an organisation is asked for; raise `Refusal` not_drawn."""
    record = state.get(REAUDIT, claim_id)
    if record is not None and organisation in claim_roster.list_asked(record):
        return record
    raise Refusal("not_drawn", organisation=organisation)


def list_auditors(state: Overlay, claim: ClaimRecord) -> tuple[str, ...]:
    """Return the auditors that may audit a claim again, in the order of the roster.

    Those that had no part in it; where every auditor had one, those that did not confirm it.
    """
    confirmer = None
    if not claim.is_shares_refund:
        confirmer = state.require(PERIOD, claim.plan, claim.pool, claim.period).confirmer
    others = tuple(name for name in get_auditors(state) if name != confirmer)
    seated = [firm.organisation for firm in get_active(claim)]
    return tuple(name for name in others if name != claim.decided_by and name not in seated) or others


def _sign(
    state: Overlay, context: Context, call: ReauditReport, plan: str, asked: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Add the signature of the context; return who signed once all who are asked have, else None."""
    if len(asked) == 1:
        # No half: an earlier one of the same call waits for a firm that is asked no more.
        if require_role(state, context.signer, ROLE_AUDITOR).organisation not in asked:
            raise Refusal("wrong_role", asked=asked[0])
        return asked
    parties = [
        Party(role=role, excluded=tuple(other for other in state.require(ROSTER, role).names if other != name))
        for role, name in zip((ROLE_ASSESSOR, ROLE_AUDITOR), asked, strict=True)
    ]
    signed_by = cosign(state, context, plan=plan, call=call, parties=parties)
    if signed_by is not None and signed_by != asked:
        raise Refusal("not_drawn", signed_by=" ".join(signed_by))
    return signed_by


def _ask(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, record: ReauditRecord) -> None:
    """Give the task to the newest firm and the auditor whose turn it is, or to that auditor alone."""
    auditors = list_auditors(state, claim)
    auditor = auditors[record.attempt % len(auditors)]
    day = get_today(state, context, claim) + REAUDIT_DAYS
    offset = state.require(PLAN, claim.plan).utc_offset_minutes
    add_due(state, claim.plan, day, DUE_REAUDIT, compute_day_start_ms(day, offset), claim_id)
    state.put(REAUDIT, replace(record, auditor=auditor, due_day=day), claim_id)
    firm = record.firms[-1] if record.is_firm_asked else None
    for organisation in (firm, auditor):
        if organisation is not None:
            claim_roster.note_seat(state, claim_id, claim.plan, organisation)
    context.emit(ReauditAsked(claim=claim_id, firm=firm, auditor=auditor, due_day=day))


def _pass_on(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, record: ReauditRecord) -> None:
    record = replace(record, attempt=record.attempt + 1, due_day=0)
    if len(record.firms) >= REAUDIT_FIRMS_MAX:
        _ask(state, context, claim_id, claim, replace(record, is_firm_asked=False))
        return
    state.put(REAUDIT, record, claim_id)
    claim_roster.ask_draw(state, context, claim_id, claim)


def _end(state: Overlay, context: Context, claim_id: bytes, record: ReauditRecord, outcome: int) -> None:
    state.put(REAUDIT, replace(record, outcome=outcome, due_day=0), claim_id)
    context.emit(ReauditEnded(claim=claim_id, state=outcome, signed_by=record.signed_by))
