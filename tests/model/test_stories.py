"""Stories that random ones tell too seldom: each was once a fault, or a place where the two sides differed."""

import pytest
from msgspec.structs import replace

from chain.contract import wind_down
from chain.contract.claim_calls import ClaimFile
from chain.contract.member_calls import (
    IndexEpochOpen,
    IndexReissue,
    IndexReissueItem,
    MemberAmend,
    MemberLeave,
    VoidDecide,
    VoidOpen,
)
from chain.contract.money_calls import CashOther, CashOtherItem
from chain.contract.plan_calls import WindDown
from tests.chain.contract.world import PLAN_NAME, START_DAY, build_terms, name_hash
from tests.model import machine_claims, persons, starts_claims, starts_end, walk_claims, wind
from tests.model.hearings import APPEAL_DAYS, DECISION_DAYS, HEARING_DAYS
from tests.model.starts import TERMS, Teller, settle
from tests.model.story import Story


def tell(terms_number: int, people: int) -> tuple[Teller, list[bytes]]:
    """Begin a story of some people; return it and their memberships."""
    teller = Teller(Story(build_terms(**TERMS[terms_number]), start_day=START_DAY))
    joined = [teller.join(5 * number + 1) for number in range(people)]
    return teller, [member_id for member_id in joined if member_id is not None]


def test_a_final_void_of_the_old_membership_ends_the_open_claim_of_the_new_one() -> None:
    teller, (old, *_) = tell(0, 3)
    story, book = teller.story, teller.book
    story.call(teller.get_key(old), MemberLeave(member=old))
    new = teller.apply_somebody(3)
    assert new is not None
    who = replace(teller.build_verification(new, 1), person_index=book.members[old].bank_index)
    teller.admit_applicant(new, who, 1)
    for signer in ("platform", "firm-a"):
        story.call(signer, VoidOpen(member=old, finding_root=name_hash("finding")))
    story.pass_days(HEARING_DAYS)
    story.call("audit-one", VoidDecide(member=old, is_void=True))
    call = ClaimFile(
        member=new, cause=1, diagnosed_day=book.day, evidence_root=name_hash("evidence"), bill_tags=(), asked_row=1,
        payee_kind=0,
    )  # fmt: skip
    story.call(teller.get_key(new), call)
    ((claim_id, claim),) = book.claims.items()
    story.agree()
    assert (book.members[new].status, book.members[new].claim, claim.status) == ("sharing", claim_id, "eligible")
    story.pass_days(APPEAL_DAYS)
    story.agree()
    assert (book.members[old].status, book.members[new].claim) == ("voided", None)
    assert (claim.status, claim.case.reason) == ("rejected", "member_voided")


def test_a_void_takes_over_the_entry_of_a_person_whom_a_benefit_has_barred_before() -> None:
    teller, (paid, *_) = tell(0, 3)
    story, book = teller.story, teller.book
    story.call(teller.get_key(paid), MemberLeave(member=paid))
    heard = teller.apply_somebody(3)
    assert heard is not None
    who = replace(teller.build_verification(heard, 1), person_index=book.members[paid].bank_index)
    teller.admit_applicant(heard, who, 1)
    for signer in ("platform", "firm-a"):
        story.call(signer, VoidOpen(member=heard, finding_root=name_hash("finding")))
    story.put_claim(paid, 100, row=0)
    settle(teller, is_paying=True)
    story.agree()
    person = persons.get(book, heard)
    assert person is not None
    assert (person.member, person.is_barred) == (paid, True)
    story.call("audit-two", VoidDecide(member=heard, is_void=True))
    story.pass_days(APPEAL_DAYS)
    story.agree()
    assert (person.member, book.members[heard].status) == (heard, "voided")


def test_a_membership_that_goes_on_sharing_where_its_entry_met_a_barred_one_is_ended_by_a_hearing() -> None:
    teller, (sharing, paid, *_) = tell(0, 3)
    story, book = teller.story, teller.book
    story.put_claim(paid, 100, row=0)
    settle(teller, is_paying=True)
    call = IndexEpochOpen(plan=PLAN_NAME, epoch=1, bank_point=name_hash("bank"), auditor_point=name_hash("auditor"))
    story.sign(call, ("bank", "audit-one"))
    for member_id in (sharing, paid):
        item = IndexReissueItem(member=member_id, person_index=name_hash("the same"))
        for signer in ("bank", "audit-one"):
            story.call(signer, IndexReissue(epoch=1, items=(item,)))
    story.agree()
    person = persons.get(book, sharing)
    assert person is not None
    assert (person.member, person.is_barred, book.members[sharing].status) == (paid, True, "sharing")
    for signer in ("platform", "firm-a"):
        story.call(signer, VoidOpen(member=sharing, finding_root=name_hash("finding")))
    story.pass_days(HEARING_DAYS)
    story.call("audit-one", VoidDecide(member=sharing, is_void=True))
    story.pass_days(APPEAL_DAYS)
    story.agree()
    assert (person.member, book.members[sharing].status) == (sharing, "voided")


def test_in_a_wind_down_who_begins_the_waiting_again_is_refunded_at_the_first_date() -> None:
    teller = Teller(Story(build_terms(waiting_members_share="false", waiting_days="20"), start_day=START_DAY))
    story, book = teller.story, teller.book
    member_id = teller.join(1)
    assert member_id is not None
    first_day = book.members[member_id].waiting_end
    story.sign(WindDown(plan=PLAN_NAME, reason_hash=name_hash("end")), ("platform", "audit-one", "bank"))
    story.pass_days(10)
    blob = name_hash("healthier")
    call = MemberAmend(member=member_id, field_commitments_root=blob, blob_hash=blob, is_health_changed=True)
    story.call(teller.get_key(member_id), call)
    story.pass_days(first_day - book.day - 1)
    story.agree()
    assert book.members[member_id].status == "waiting"
    story.pass_days(1)
    story.agree()
    assert book.members[member_id].status == "left"


def test_a_closed_pool_pays_a_claim_that_has_won_only_after_the_hearing_about_its_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walk_claims, "is_silent", lambda name, who: False)
    monkeypatch.setattr(walk_claims, "find_truth", tell_as_stated)
    for side in (wind_down, wind):
        monkeypatch.setattr(side, "RUN_OFF_DAYS", 5)
        monkeypatch.setattr(side, "END_DAYS", 5)
    teller, _ = tell(0, 0)
    story, book = teller.story, teller.book
    starts_claims.cover(teller)
    item = CashOtherItem(
        kind=0, claim=None, instruction=None, amount=999_999, booking_day=book.day, ref_token=name_hash("interest"),
        payer_token=name_hash("payer"),
    )  # fmt: skip
    story.call("bank", CashOther(account=book.pools[0].custody.name, items=(item,)))
    starts_end.end_plan(teller, days=4)
    machine_claims.file_rightly(story, 0)
    ((claim_id, claim),) = book.claims.items()
    while book.pools[0].closed is None:
        story.pass_days(1)
    for signer in ("platform", "firm-a"):
        story.call(signer, VoidOpen(member=claim.member, finding_root=name_hash("finding")))
    opened = book.day
    while claim.status != "approved" and book.day < opened + HEARING_DAYS:
        walk_claims.walk_alone(story, claim_id, 1)
    story.pass_days(3)
    story.agree()
    assert (claim.status, claim.aside) == ("approved", claim.amount)
    # Nobody decides: it is dismissed.
    story.pass_days(HEARING_DAYS + 2 * DECISION_DAYS)
    story.agree()
    assert (claim.status, claim.granted, claim.aside) == ("settled", claim.amount, 0)


def tell_as_stated(story: Story, claim_id: bytes) -> tuple[int, int, int]:
    """Return (finding, day, row) of a claim as the claimant says."""
    case = story.book.claims[claim_id].case
    return 1, case.diagnosed_day, case.asked_row
