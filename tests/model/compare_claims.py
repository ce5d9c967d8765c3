"""What the contract and the model must agree on about claims as cases."""

from chain.catalogue import get_entry
from chain.contract.appeal_tables import APPEAL, APPEAL_DECIDER_NAMES, APPEAL_STATUS_NAMES, AppealRecord
from chain.contract.claim_review_tables import (
    CLAIM_CARD,
    CLAIM_REVIEW,
    CLAIMANT,
    FIRM_DUTY,
    NO_REVIEW,
    OBJECTION,
    OBJECTION_STATUS_NAMES,
    REAUDIT,
    REAUDIT_OUTCOME_NAMES,
)
from chain.contract.claim_tables import BILL_TAG, CLAIM, CLAIM_CASE, ClaimRecord
from tests.chain.contract.world import PLAN_NAME, World
from tests.model import reaudit
from tests.model.book import Book, Claim
from tests.model.cases import Appeal


def compare_cases(world: World, book: Book) -> None:
    """Raise AssertionError at the first difference."""
    for claim_id, claim in book.claims.items():
        if claim.case.filed_day:
            compare_claim(world.state.require(CLAIM, claim_id), claim)
            compare_review(world, claim_id, claim)
        compare_reaudit(world, claim_id, claim)
    for tag, (user, is_used) in book.docket.bills.items():
        bill = world.state.require(BILL_TAG, PLAN_NAME, tag)
        assert (bill.claim, bill.is_consumed) == (user, is_used)
    for (member, cause, day), (newest, filed_day) in book.docket.diagnoses.items():
        diagnosis = world.state.require(CLAIM_CASE, member, cause, day)
        assert (diagnosis.claim, diagnosis.filed_day) == (newest, filed_day)
    for name, objection in book.docket.objections.items():
        shown = world.state.require(OBJECTION, name)
        assert (shown.claim, OBJECTION_STATUS_NAMES[shown.status]) == (objection.claim, objection.status)
    for name, appeal in book.docket.appeals.items():
        compare_appeal(world.state.require(APPEAL, name), appeal)
    compare_people(world, book)


def compare_claim(record: ClaimRecord, claim: Claim) -> None:
    """Compare what the record of a claim says beside its money."""
    case = claim.case
    found = (record.number, record.member, record.pool, record.cause, record.diagnosed_day, record.asked_row)
    assert found == (claim.number, claim.member, claim.pool, case.cause, case.diagnosed_day, case.asked_row)
    assert (record.reason, record.row) == (get_entry(case.reason).number, claim.row), claim
    assert (record.filed_day, record.version, record.established_day) == (
        case.filed_day,
        case.version,
        case.established_day,
    )
    assert [(seat.organisation, seat.is_replaced, seat.is_accepted, seat.commit_hash) for seat in record.firms] == [
        (seat.name, seat.is_replaced, seat.is_accepted, seat.seal) for seat in case.seats
    ]
    for shown, seat in zip(record.firms, case.seats, strict=True):
        report = (shown.finding, shown.established_day, shown.row) if shown.is_revealed else None
        assert report == seat.report
    assert (record.seats, record.redraws, record.certificate) == (case.wanted, case.replaced, case.certificate)
    assert dict(record.visit_attested) == case.attested
    assert (record.decided_by, record.escalation, record.is_flagged) == (case.decided_by, case.asked, case.is_flagged)
    assert record.is_shares_refund == claim.is_shares_refund
    if claim.status == "noticed":
        assert (record.period, record.due_day) == (case.period, case.first_day)
    else:
        assert (record.due_day > 0) == (case.timer is not None), (claim.status, record.due_kind)


def compare_review(world: World, claim_id: bytes, claim: Claim) -> None:
    """Compare what stands between notice and confirmation."""
    case = claim.case
    review = world.state.get(CLAIM_REVIEW, claim_id) or NO_REVIEW
    assert (review.notices, review.objected_notices) == (case.notices, len(case.objected))
    assert (list(review.pending), review.rechecks) == (case.pending, case.rechecks)
    card = world.state.get(CLAIM_CARD, claim_id)
    words = None
    if card is not None:
        words = (card.age_from_years, card.age_to_years, card.sex, card.province, card.disease_group, card.people_min)
    assert words == case.card


def compare_reaudit(world: World, claim_id: bytes, claim: Claim) -> None:
    """Compare a second look."""
    record, look = world.state.get(REAUDIT, claim_id), claim.case.reaudit
    assert (record is None) == (look is None)
    if record is not None and look is not None:
        assert (REAUDIT_OUTCOME_NAMES[record.outcome], list(record.firms)) == (look.outcome, look.firms)
        assert (record.auditor, record.is_firm_asked, record.attempt) == (
            look.auditor,
            look.is_firm_asked,
            look.attempt,
        )
        if look.outcome == "open" and reaudit.list_asked(claim):
            assert record.due_day > 0


def compare_appeal(record: AppealRecord, appeal: Appeal) -> None:
    """Compare an appeal."""
    assert (APPEAL_STATUS_NAMES[record.status], record.round) == (appeal.status, len(appeal.juries))
    if appeal.status in ("commit", "reveal"):
        assert record.jurors == len(appeal.jury)
        votes = [appeal.votes[juror] for juror in appeal.jury if juror in appeal.votes]
        sealed = sum(juror in appeal.seals for juror in appeal.jury)
        assert (record.committed, record.revealed, record.upheld) == (sealed, len(votes), sum(votes))
    if appeal.status in ("upheld", "dismissed"):
        assert APPEAL_DECIDER_NAMES[record.decider] == appeal.decider
    panel = {seat.organisation: None if seat.vote > 1 else bool(seat.vote) for seat in record.panel}
    assert panel == appeal.panel


def compare_people(world: World, book: Book) -> None:
    """Compare what earlier claims mean for the next, and how firms served."""
    for member, claimant in book.docket.claimants.items():
        record = world.state.get(CLAIMANT, member)
        found: tuple[bytes | None, bool, bool] = (None, False, False)
        if record is not None:
            found = (record.kept, record.is_draw_pending, record.is_refunded)
        assert found == (claimant.kept, claimant.is_draw_pending, claimant.is_refunded)
    for name, duty in book.docket.duties.items():
        served = world.state.require(FIRM_DUTY, name)
        for what in ("drawn", "reported", "silent", "declined", "conflicts"):
            assert getattr(served, what) == duty.get(what, 0), (name, what)
