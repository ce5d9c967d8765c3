"""Card and re-audit of a claim as the public sees them."""

from chain.contract.claim_review_tables import REAUDIT_OPEN, REAUDIT_UNAUDITED, ClaimCardRecord, ReauditRecord
from chain.types import ZERO_HASH
from explorer.views_review import build_card, build_reaudit


def build_record(outcome: int, *, due_day: int, report_root: bytes | None) -> ReauditRecord:
    return ReauditRecord(
        outcome=outcome,
        firms=("firm-a", "firm-b"),
        auditor="audit-two",
        is_firm_asked=True,
        attempt=1,
        due_day=due_day,
        signed_by=(),
        report_root=report_root,
        found_day=0,
    )


def test_a_card_says_words_and_not_who_wrote_it() -> None:
    card = ClaimCardRecord(
        age_from_years=30,
        age_to_years=34,
        sex=2,
        province=33,
        disease_group=4,
        people_min=12,
        written_by="platform",
    )
    answer = build_card(card)
    assert (answer.age_from_years, answer.age_to_years, answer.sex, answer.province) == (30, 34, "female", 33)
    assert (answer.disease_group, answer.people_min) == (4, 12)


def test_an_open_re_audit_names_who_is_asked_and_until_when() -> None:
    answer = build_reaudit(build_record(REAUDIT_OPEN, due_day=20_000, report_root=None))
    assert (answer.state, answer.firms, answer.auditor) == ("open", ["firm-a", "firm-b"], "audit-two")
    assert (answer.due, answer.report_root) == ("2024-10-04", None)


def test_a_re_audit_that_nobody_made_is_public_as_such() -> None:
    answer = build_reaudit(build_record(REAUDIT_UNAUDITED, due_day=0, report_root=ZERO_HASH))
    assert (answer.state, answer.due, answer.report_root) == ("unaudited", None, "00" * 32)
