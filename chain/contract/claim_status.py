"""What all acts on a claim share: reading it, its seats, its deadlines and its status (contract 2, Claim).

The path of a claim, and who ends each state when its party is silent ("no state may depend on the platform
alone"; `test_claim_endings.py` lets everybody fall silent in every state):

    state                    waits for                     deadline           on silence
    ELIGIBLE                 f + 1 proposers' reveals      first 0:00         the chain itself
    ASSIGNED, not accepted   each drawn firm               2 days             the firm is replaced by lot
    ASSIGNED, no commit      each drawn firm               20 days            replaced; a commitment made stays
    ASSIGNED, no reveal      each drawn firm               3 days             replaced; a report revealed stays
      declined, or removed   f + 1 proposers' reveals      first 0:00         replaced at once
      after 3 replacements   the second auditor            the same           EXPIRED (assessors_silent)
    INVESTIGATED             P, A1, A2, one after another  15, 10, 10 days    the concurring reports decide
      no certificate then    hospital or both firms        the same           EXPIRED (certificate_missing)
    APPROVED                 nobody                        next notice day    listed automatically
    NOTICED                  the period's auditor          the charge         the next period's auditor, ...
      objection open         any auditor without a part    2 days             dismissed
      unconfirmed            all auditors in turn          8 notices          EXPIRED (unconfirmed)
    RECHECK                  one firm, then another        10 days each, 30   the reports that there are decide
    CONFIRMED .. PAID        settlement, batch, bank       (period, custody)
    PAID, lot                f + 1 proposers' reveals      first 0:00         the chain itself
    PAID, chosen             firm and auditor              30 days            another firm and auditor, ...
      after 3 firms          the auditor alone             30 days            UNAUDITED, in public; stays PAID
    REFUSED, REJECTED        the member's appeal           30 days            final
    APPEALED                 jury, then auditor and firm   (appeal.py)        the jury's rules end it
    SHARES_REFUND            settlement, batch, bank       (period, custody)
    WITHDRAWN, EXPIRED       nobody                        -                  the next claim may keep the firms
    CLEAN, CLAWBACK          nobody                        -                  (CLAWBACK: recovered money, cash_other.py)

Who may go where (who acts in brackets; 0: by itself):

    ELIGIBLE      -> ASSIGNED (draw)         | EXPIRED (0)            | WITHDRAWN (M)
    ASSIGNED      -> INVESTIGATED (X)        | EXPIRED (0)            | WITHDRAWN (M)
    INVESTIGATED  -> APPROVED | REJECTED | REFUSED | SHARES_REFUND (P, A, 0) | EXPIRED (0) | WITHDRAWN (M)
    APPROVED      -> NOTICED | REJECTED (0: bill consumed, voided)    | APPEALED (M: row) | WITHDRAWN (M)
    NOTICED       -> CONFIRMED (A)           | RECHECK (A)            | REJECTED | EXPIRED (0)
                                                                      | APPEALED | WITHDRAWN (M)
    RECHECK       -> APPROVED | REJECTED | REFUSED | SHARES_REFUND (X, 0)    | WITHDRAWN (M)
    REFUSED, REJECTED -> APPEALED (M)        APPEALED -> as before | ELIGIBLE | APPROVED (J)
    CONFIRMED, SHARES_REFUND -> SETTLED (0)  SETTLED -> INSTRUCTED (P, A)
    INSTRUCTED    -> PAID | PAY_FAILED (B)   PAY_FAILED -> INSTRUCTED | EXPIRED (B+A: unclaimed)
    PAID          -> CLEAN | CLAWBACK (X+A)  | PAY_FAILED (B: the payment came back)

A claim that EXPIRED or was WITHDRAWN may be filed again; the claim window is still measured by the first filing.
Deadlines of n days that start on day s end at 0:00 of day s + n; days in which the plan is stopped do not
count (due.py moves them, contract 3.1).
"""

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract import due, organisations
from chain.contract.claim_events import ClaimStatusChanged
from chain.contract.claim_open import note_ended
from chain.contract.claim_review_tables import CLAIM_CARD, CLAIMANT, NO_CLAIMANT
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_ELIGIBLE,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_STATUS_NAMES,
    ClaimRecord,
    DrawnFirm,
)
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.persons import free_person, is_gone
from chain.contract.tables import MEMBER, PLAN, SIGNER, SignerRecord
from chain.contract.terms import has_clauses
from chain.errors import Refusal
from chain.state import Overlay

# Kinds of deadlines of claims (tables.DueRecord; 50 to 79 are theirs)
DUE_NONE = 0
DUE_ACCEPT, DUE_COMMIT, DUE_REVEAL, DUE_DECISION = range(50, 54)
DUE_OBJECTION, DUE_RECHECK_REPORT, DUE_RECHECK_END, DUE_REAUDIT, DUE_SEATS = range(54, 59)

ACCEPT_DAYS = 2
COMMIT_DAYS = 20
REVEAL_DAYS = 3
DECISION_DAYS = (15, 10, 10)
"""Days of the platform, the first auditor and the second."""

APPEAL_DAYS = 30
"""Days in which a refusal or rejection may be appealed."""

FINDING_NOT_FULFILLED, FINDING_FULFILLED = range(2)
SEATS_FIRST = 2
"""Firms drawn at first."""
SEATS_THIRD = 3
"""Firms once the first two differ."""
OPEN_BEFORE_CONFIRMATION = (
    CLAIM_ELIGIBLE,
    CLAIM_ASSIGNED,
    CLAIM_INVESTIGATED,
    CLAIM_APPROVED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
)
"""A claim that may still be taken back."""


def require_claim(state: Overlay, claim_id: bytes) -> ClaimRecord:
    """Return a claim; raise `Refusal` claim_unknown where there is none."""
    claim = state.get(CLAIM, claim_id)
    if claim is None:
        raise Refusal("claim_unknown", claim=claim_id.hex())
    return claim


def require_status(claim: ClaimRecord, *allowed: int) -> None:
    """Raise `Refusal` claim_state unless the claim has one of these statuses."""
    if claim.status not in allowed:
        raise Refusal("claim_state", status=CLAIM_STATUS_NAMES[claim.status])


def require_signer(state: Overlay, context: Context) -> SignerRecord:
    """Return the organisation that signed; raise `Refusal` wrong_role where the key is nobody's."""
    signer = state.get(SIGNER, context.signer)
    if signer is None:
        raise Refusal("wrong_role", signer=context.signer.hex())
    return signer


def get_active(claim: ClaimRecord) -> tuple[DrawnFirm, ...]:
    """Return the firms that hold a seat, in the order in which they were drawn."""
    return tuple(firm for firm in claim.firms if not firm.is_replaced)


def validate_clauses(state: Overlay, claim: ClaimRecord, clauses: tuple[str, ...]) -> None:
    """Raise `Refusal` clause_unknown unless all clauses stand in the rules that the member pinned (contract 2)."""
    pinned = organisations.get_terms(state, claim.plan, claim.version).pinned
    if not has_clauses(pinned, clauses):
        raise Refusal("clause_unknown", clauses=" ".join(clauses))


def is_involved(claim: ClaimRecord, organisation: str) -> bool:
    """Tell whether an organisation decided a claim or holds a seat on it: then it does not confirm it."""
    return organisation == claim.decided_by or any(firm.organisation == organisation for firm in get_active(claim))


def is_concurring(report: DrawnFirm, other: DrawnFirm) -> bool:
    """Tell whether two reports say the same: finding, established day and row (contract 5, report_reveal)."""
    return (report.finding, report.established_day, report.row) == (
        other.finding,
        other.established_day,
        other.row,
    )


def get_majority(claim: ClaimRecord) -> DrawnFirm | None:
    """Return the first of the concurring reports that more than half of the seats hold, or None."""
    reports = [firm for firm in get_active(claim) if firm.is_revealed]
    for report in reports:
        if 2 * sum(is_concurring(report, other) for other in reports) > claim.seats:
            return report
    return None


def get_today(state: Overlay, context: Context, claim: ClaimRecord) -> int:
    """Return the plan day on which the claim's plan stands now."""
    return organisations.get_today(context, state.require(PLAN, claim.plan))


def save(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Write a claim."""
    state.put(CLAIM, claim, claim_id)


def change_status(context: Context, claim_id: bytes, claim: ClaimRecord, status: int, reason: int = 0) -> ClaimRecord:
    """Return the claim with another status and without a deadline, and say so in the receipt."""
    context.emit(ClaimStatusChanged(claim=claim_id, status=status, reason=reason))
    return replace(claim, status=status, reason=reason, due_day=0, due_kind=DUE_NONE)


def close(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord, status: int, reason: int = 0) -> None:
    """End a claim: write its last status, take its card down, and let the member file another."""
    save(state, claim_id, change_status(context, claim_id, claim, status, reason))
    if claim.status in OPEN_BEFORE_CONFIRMATION:
        drop_card(state, claim_id)
        if is_appealable(status, reason):
            open_appeal_window(state, context, claim_id)
    release_member(state, claim_id, claim)


def is_appealable(status: int, reason: int) -> bool:
    """Tell whether a jury could change a decision: a refusal, or a rejection on what the case is.

    Not one for a bill that another claim used, a diagnosis that was decided before, or a membership that was voided.
    """
    if status == CLAIM_REJECTED:
        return reason in (SUCCESS, get_entry("no_majority").number)
    return status == CLAIM_REFUSED


def open_appeal_window(state: Overlay, context: Context, claim_id: bytes) -> None:
    """Give the member the days in which a refused or rejected claim may be appealed (appeal.py)."""
    claim = state.require(CLAIM, claim_id)
    today = get_today(state, context, claim)
    save(state, claim_id, set_due(state, claim_id, claim, kind=due.DUE_APPEAL, today=today, days=APPEAL_DAYS))


def drop_card(state: Overlay, claim_id: bytes) -> None:
    """Take the card of a claim down: it is public during the notice only (contract 6)."""
    if state.get(CLAIM_CARD, claim_id) is not None:
        state.delete(CLAIM_CARD, claim_id)


def keep_firms(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Let the member's next claim keep the firms of one that ends undecided: nobody gets a second lot by waiting."""
    record = state.get(CLAIMANT, claim.member) or NO_CLAIMANT
    state.put(CLAIMANT, replace(record, kept=claim_id, is_draw_pending=False), claim.member)


def release_member(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Forget the claim as the member's open one; the person of an ended membership may apply again."""
    member = state.require(MEMBER, claim.member)
    if member.claim == claim_id:
        state.put(MEMBER, replace(member, claim=None), claim.member)
        note_ended(state, claim_id, claim)
        if is_gone(member):
            free_person(state, claim.member, member)


def set_due(state: Overlay, claim_id: bytes, claim: ClaimRecord, *, kind: int, today: int, days: int) -> ClaimRecord:
    """Return the claim with a deadline `days` after today; its entry is noted with the plan's deadlines."""
    day = today + days
    offset = state.require(PLAN, claim.plan).utc_offset_minutes
    due.add_due(state, claim.plan, day, kind, compute_day_start_ms(day, offset), claim_id)
    return replace(claim, due_day=day, due_kind=kind)
