"""Answers about the way of a claim between its notice and its re-audit, from their records."""

from chain.contract.claim_review_tables import (
    CLAIM_CARD,
    CLAIM_REVIEW,
    NO_REVIEW,
    REAUDIT,
    REAUDIT_OUTCOME_NAMES,
    ClaimCardRecord,
    ReauditRecord,
)
from explorer.answers_review import CardAnswer, ClaimReviewAnswer, ReauditAnswer
from explorer.reader import ChainSnapshot
from explorer.represent import SEX_NAMES, format_set_day, get_name


def read_review(snapshot: ChainSnapshot, claim_id: bytes) -> ClaimReviewAnswer:
    """Return what the state holds around a claim; who objected, and whose claim it is, is not public."""
    review = snapshot.read(CLAIM_REVIEW, claim_id) or NO_REVIEW
    card = snapshot.read(CLAIM_CARD, claim_id)
    reaudit = snapshot.read(REAUDIT, claim_id)
    return ClaimReviewAnswer(
        card=None if card is None else build_card(card),
        objections_open=len(review.pending),
        rechecks=review.rechecks,
        recheck_end=format_set_day(review.end_day),
        notices_unconfirmed=review.notices,
        reaudit=None if reaudit is None else build_reaudit(reaudit),
    )


def build_card(card: ClaimCardRecord) -> CardAnswer:
    """Return the card of a notice."""
    return CardAnswer(
        age_from_years=card.age_from_years,
        age_to_years=card.age_to_years,
        sex=get_name(SEX_NAMES, card.sex),
        province=card.province,
        disease_group=card.disease_group,
        people_min=card.people_min,
    )


def build_reaudit(record: ReauditRecord) -> ReauditAnswer:
    """Return where a re-audit stands, or how it ended."""
    return ReauditAnswer(
        state=get_name(REAUDIT_OUTCOME_NAMES, record.outcome),
        firms=list(record.firms),
        auditor=record.auditor,
        due=format_set_day(record.due_day),
        signed_by=list(record.signed_by),
        report_root=None if record.report_root is None else record.report_root.hex(),
    )
