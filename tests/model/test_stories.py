"""Stories that random ones tell too seldom: each was once a fault, or a place where the two sides differed."""

from msgspec.structs import replace

from chain.contract.claim_calls import ClaimFile
from chain.contract.member_calls import MemberAmend, MemberLeave, VoidDecide, VoidOpen
from chain.contract.plan_calls import WindDown
from tests.chain.contract.world import PLAN_NAME, START_DAY, build_terms, name_hash
from tests.model.hearings import APPEAL_DAYS, HEARING_DAYS
from tests.model.starts import TERMS, Teller
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
