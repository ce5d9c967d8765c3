"""What a verdict does to a claim: back on its path with the amount of the table, never past what the books say."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.appeal_tables import SUBJECT_REFUSED, SUBJECT_REJECTED, SUBJECT_ROW
from chain.contract.claim_calls import ClaimConfirm, ClaimDecide
from chain.contract.claim_tables import CLAIM, CLAIM_CASE, CLAIM_EXPIRED
from chain.contract.persons import bar_person
from chain.contract.plan_calls import BatchSign, Pause
from chain.contract.tables import MEMBER_CLAIMED_OUT, VERSION
from tests.chain.contract.acts import do, list_ready_aid, member_key, refuse
from tests.chain.contract.appeal_world import ANN, JURORS, MILD, SEVERE, AppealWorld
from tests.chain.contract.test_claim_path import MILD_FEN, SEVERE_FEN
from tests.chain.contract.world import PLAN_NAME, name_hash

KEY = member_key(ANN)


@pytest.fixture
def world() -> AppealWorld:
    return AppealWorld()


def pay_out(world: AppealWorld, claim_id: bytes) -> int:
    """Let an approved claim be noticed, confirmed, charged and paid; return the aid in fen."""
    world.advance_to_day_of_month(7)
    assert world.get_status(claim_id) == "noticed"
    period = world.claim(claim_id).period
    world.advance(4)
    do(world, world.period(period).confirmer or "", ClaimConfirm(items=(claim_id,)))
    world.advance_to(world.period(period).charge_day)
    root = world.period(period).batch_root
    for signer in ("platform", world.period(period).cosigner or ""):
        do(world, signer, BatchSign(plan=PLAN_NAME, pool=0, period=period, batch_root=root))
    (instruction,) = list_ready_aid(world)
    amount = world.instruction(instruction).amount
    assert world.acknowledge(instruction).number == 0
    assert world.get_status(claim_id) == "paid"
    world.commit_block_checks()
    return amount


# --- a rejected claim ---


def test_a_rejected_claim_whose_appeal_is_right_is_paid_by_the_pinned_table(world: AppealWorld) -> None:
    claim_id = world.reject()
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=JURORS)
    claim = world.claim(claim_id)
    assert (world.get_status(claim_id), claim.row, claim.amount, claim.decided_by, claim.reason) == (
        "approved",
        SEVERE,
        SEVERE_FEN,
        None,
        0,
    )
    assert claim.established_day == claim.diagnosed_day
    assert pay_out(world, claim_id) == SEVERE_FEN
    assert world.member(world.ann).status == MEMBER_CLAIMED_OUT


def test_no_verdict_pays_more_than_the_ceiling(world: AppealWorld) -> None:
    claim_id = world.reject()
    version = world.state.require(VERSION, PLAN_NAME, 0)
    ceiling = tuple(replace(band, severe_fen=70_000) for band in version.terms.pool.benefit_ceiling)
    terms = replace(version.terms, pool=replace(version.terms.pool, benefit_ceiling=ceiling))
    world.state.put(VERSION, replace(version, terms=terms), PLAN_NAME, 0)
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=JURORS)
    assert world.claim(claim_id).amount == 70_000


def test_a_dismissed_appeal_leaves_the_claim_rejected_and_the_member_free_to_file(world: AppealWorld) -> None:
    claim_id = world.reject()
    before = world.claim(claim_id)
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=0)
    after = world.claim(claim_id)
    assert (after.status, after.reason, after.amount, after.due_day) == (before.status, before.reason, 0, 0)
    assert world.member(world.ann).claim is None
    world.file("m3", world.ann, day=world.today, cause=1, row=MILD)


def test_without_a_certificate_nothing_is_approved(world: AppealWorld) -> None:
    claim_id = world.reject(certified=False)
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=JURORS)
    claim = world.claim(claim_id)
    assert (claim.status, claim.reason) == (CLAIM_EXPIRED, get_entry("certificate_missing").number)
    assert world.member(world.ann).claim is None


def test_the_certificate_may_come_while_the_case_is_open(world: AppealWorld) -> None:
    claim_id = world.reject(certified=False)
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    world.certify(claim_id)
    world.draw()
    world.vote(case_id, *([True] * JURORS))
    assert world.get_status(claim_id) == "approved"


def test_a_diagnosis_that_another_claim_has_decided_is_not_paid_twice(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    other = world.file("m9", world.members[9], day=world.today - 1, row=MILD)
    claim = world.claim(claim_id)
    case = world.state.require(CLAIM_CASE, world.ann, claim.cause, claim.diagnosed_day)
    world.state.put(CLAIM_CASE, replace(case, claim=other), world.ann, claim.cause, claim.diagnosed_day)
    world.draw()
    world.vote(case_id, *([True] * JURORS))
    assert world.get_status(claim_id) == "rejected"
    assert world.claim(claim_id).reason == get_entry("case_decided").number
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "claim_state"


def test_a_jury_gives_no_cover_where_the_question_was_another_one(world: AppealWorld) -> None:
    """The member has no cover on the established day: a refusal, and that may be appealed by itself."""
    claim_id = world.reject()
    claim = world.claim(claim_id)
    firms = tuple(replace(firm, established_day=claim.diagnosed_day - 20) for firm in claim.firms)
    world.state.put(CLAIM, replace(claim, firms=firms), claim_id)
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=JURORS)
    assert world.get_status(claim_id) == "refused"
    assert world.claim(claim_id).reason == get_entry("not_covered").number
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=JURORS)
    assert (world.get_status(claim_id), world.claim(claim_id).amount) == ("approved", SEVERE_FEN)


def test_a_claim_that_a_jury_approved_takes_no_further_appeal(world: AppealWorld) -> None:
    claim_id = world.reject()
    world.try_case(claim_id, SUBJECT_REJECTED, upheld=JURORS)
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REJECTED)) == "claim_state"
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_ROW)) == "row_not_lower"


def test_an_appeal_that_is_right_helps_nobody_who_was_barred_meanwhile(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    world.draw()
    bar_person(world.state, world.ann, world.member(world.ann))
    world.vote(case_id, *([True] * JURORS))
    assert (world.stage(case_id), world.get_status(claim_id)) == ("upheld", "rejected")


# --- a refused claim ---


def test_a_refusal_at_filing_that_was_wrong_is_drawn_as_any_claim_and_not_refused_again(world: AppealWorld) -> None:
    claim_id = world.refuse_at_filing()
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=JURORS)
    assert world.get_status(claim_id) == "eligible"
    assert world.member(world.ann).claim == claim_id
    world.draw()
    assert world.get_status(claim_id) == "assigned"
    world.report(claim_id)
    do(world, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=SEVERE, clauses=()))
    assert (world.get_status(claim_id), world.claim(claim_id).amount) == ("approved", SEVERE_FEN)
    assert pay_out(world, claim_id) == SEVERE_FEN


def test_another_day_than_the_one_that_was_overruled_may_be_refused(world: AppealWorld) -> None:
    claim_id = world.refuse_at_filing()
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=JURORS)
    world.draw()
    world.report(claim_id)
    claim = world.claim(claim_id)
    firms = tuple(replace(firm, established_day=claim.diagnosed_day - 3) for firm in claim.firms)
    world.state.put(CLAIM, replace(claim, firms=firms), claim_id)
    do(world, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=SEVERE, clauses=()))
    assert world.get_status(claim_id) == "refused"
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=JURORS)
    assert world.get_status(claim_id) == "approved"
    assert world.claim(claim_id).established_day == claim.diagnosed_day - 3


def test_a_dismissed_appeal_leaves_a_refusal_and_the_right_to_file_another_diagnosis(world: AppealWorld) -> None:
    claim_id = world.refuse_at_filing()
    world.try_case(claim_id, SUBJECT_REFUSED, upheld=0)
    assert world.get_status(claim_id) == "refused"
    assert refuse(world, KEY, world.build_appeal(claim_id, SUBJECT_REFUSED)) == "appealed_before"
    world.file("m3", world.ann, day=world.today - 1)


# --- a lower row ---


@pytest.mark.parametrize(
    ("upheld", "row", "amount"), [(JURORS, SEVERE, SEVERE_FEN), (0, MILD, MILD_FEN)], ids=["upheld", "dismissed"]
)
def test_a_lower_row_becomes_the_one_asked_for_or_stays(world: AppealWorld, upheld: int, row: int, amount: int) -> None:
    claim_id = world.approve_lower()
    world.try_case(claim_id, SUBJECT_ROW, upheld=upheld)
    claim = world.claim(claim_id)
    assert (world.get_status(claim_id), claim.row, claim.amount) == ("approved", row, amount)
    assert world.member(world.ann).claim == claim_id
    assert pay_out(world, claim_id) == amount


def test_a_claim_whose_case_ends_before_the_notice_is_listed_once(world: AppealWorld) -> None:
    world.advance_to_day_of_month(8)
    claim_id = world.approve_lower()
    world.try_case(claim_id, SUBJECT_ROW, upheld=JURORS)
    world.advance_to_day_of_month(21)
    period = world.claim(claim_id).period
    assert world.period(period).claims == (claim_id,)


def test_a_noticed_claim_is_listed_again_after_its_appeal(world: AppealWorld) -> None:
    claim_id = world.approve_lower()
    world.advance_to_day_of_month(7)
    first = world.claim(claim_id).period
    world.try_case(claim_id, SUBJECT_ROW, upheld=JURORS)
    world.advance_to_day_of_month(21)
    claim = world.claim(claim_id)
    assert (world.get_status(claim_id), claim.period) == ("noticed", first + 1)
    assert world.period(first + 1).claims == (claim_id,)


# --- whoever stays silent ---

_SUBJECTS: tuple[tuple[int, Callable[[AppealWorld], bytes]], ...] = (
    (SUBJECT_REJECTED, AppealWorld.reject),
    (SUBJECT_REFUSED, AppealWorld.refuse_at_filing),
    (SUBJECT_ROW, AppealWorld.approve_lower),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    subject=st.sampled_from(_SUBJECTS),
    seals=st.tuples(st.integers(0, JURORS), st.integers(0, JURORS)),
    opens=st.tuples(st.integers(0, JURORS), st.integers(0, JURORS)),
    panel=st.lists(st.booleans(), max_size=2),
    pause_after=st.integers(0, 30),
)
def test_a_case_ends_whoever_stays_silent(
    subject: tuple[int, Callable[[AppealWorld], bytes]],
    seals: tuple[int, int],
    opens: tuple[int, int],
    panel: list[bool],
    pause_after: int,
) -> None:
    world = AppealWorld()
    number, build = subject
    claim_id = build(world)
    case_id = world.appeal(claim_id, number)
    for day in range(70):
        stage = world.stage(case_id)
        if stage in ("upheld", "dismissed"):
            break
        round_number = world.case(case_id).round
        jurors = world.jury(case_id) if stage in ("commit", "reveal") else []
        if stage == "commit":
            for member in jurors[: seals[round_number - 1]]:
                world.seal(member, case_id, is_upheld=True)
        elif stage == "reveal":
            for member in jurors[: opens[round_number - 1]]:
                world.open(member, case_id, is_upheld=True)
        elif stage == "panel":
            for seat, is_upheld in zip(world.case(case_id).panel, panel, strict=False):
                world.rule(seat.organisation, case_id, is_upheld=is_upheld)
        if day == pause_after:
            world.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
        world.draw()
    assert world.stage(case_id) in ("upheld", "dismissed")
    assert world.get_status(claim_id) != "appealed"
    record = world.case(case_id)
    assert (record.due_day, record.due_kind) == (0, 0)
    open_claim = world.member(world.ann).claim
    assert open_claim == (claim_id if world.get_status(claim_id) not in ("rejected", "refused", "expired") else None)
    world.commit_block_checks()
