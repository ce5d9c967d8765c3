"""The recheck after an admitted objection: one or two more firms, the majority of all reports, and always an end."""

from functools import partial

import pytest
from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.claim_calls import AssessorDecline
from chain.contract.claim_events import ClaimDecided, FirmReplaced, ReportRevealed
from chain.contract.claim_recheck import RECHECK_DAYS
from chain.contract.claim_review_events import FirmDeclined, RecheckEnded, RecheckOpened
from chain.contract.claim_review_tables import CLAIM_REVIEW, FIRM_DUTY
from chain.contract.claim_status import DUE_RECHECK_REPORT, get_active
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_EXPIRED,
    CLAIM_NOTICED,
    CLAIM_RECHECK,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
    CLAIM_WITHDRAWN,
)
from chain.contract.settlement_tables import PERIOD_COMPUTED
from tests.chain.contract.claim_world import ORGANISATIONS, START_DAY, ClaimWorld, name_hash
from tests.chain.contract.test_claim_objection import ONE, TWO, notice, object_to, rule
from tests.chain.contract.test_claim_withdrawal import withdraw

FALSE_CLAIM: dict[str, object] = {"finding": 0, "clauses": ("4.2",)}


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    for name in ("ann", "ben", "cid"):
        world.add_member(name)
    return world


def recheck(world: ClaimWorld) -> tuple[bytes, str]:
    """Bring a claim to RECHECK with its firm drawn; return both."""
    claim_id = notice(world)
    rule(world, object_to(world, claim_id), TWO, is_admitted=True)
    assert RecheckOpened(claim=claim_id, rechecks=1, end_day=world.today + RECHECK_DAYS) in world.events
    world.reveal(0, 1)
    world.advance(1)
    return claim_id, get_newest(world, claim_id)


def get_newest(world: ClaimWorld, claim_id: bytes) -> str:
    return world.list_firms(claim_id)[-1]


def advance_to_the_end(world: ClaimWorld, claim_id: bytes) -> None:
    world.advance_to(world.state.require(CLAIM_REVIEW, claim_id).end_day)


# --- the seat ---


def test_a_firm_that_was_never_on_the_claim_is_drawn_and_reports_without_a_commitment(world: ClaimWorld) -> None:
    claim_id, firm = recheck(world)
    claim = world.get_claim(claim_id)
    assert claim.status == CLAIM_RECHECK
    assert (len(get_active(claim)), claim.seats) == (3, 3)
    assert firm not in [item.organisation for item in claim.firms[:-1]]
    assert world.state.require(CLAIM_REVIEW, claim_id).report_day == world.today + 10
    assert world.refused(partial(world.accept, claim_id, firm)) == "claim_state"
    assert world.refused(partial(world.open_report, claim_id, "platform")) == "not_drawn"
    assert world.refused(partial(world.open_report, claim_id, claim.firms[0].organisation)) == "already"
    assert world.refused(partial(world.open_report, claim_id, firm, clauses=("99.1",))) == "clause_unknown"
    assert world.refused(partial(world.open_report, claim_id, firm, row=99)) == "row_unknown"
    world.open_report(claim_id, firm)
    told = ReportRevealed(
        claim=claim_id, organisation=firm, finding=1, established_day=claim.diagnosed_day, row=claim.asked_row
    )
    assert told in world.events
    assert world.get_claim(claim_id).status == CLAIM_APPROVED


def test_a_claim_in_recheck_is_neither_noticed_nor_confirmed(world: ClaimWorld) -> None:
    claim_id, _ = recheck(world)
    world.put_period(0, PERIOD_COMPUTED, (claim_id,))
    assert world.open_notice(1) == ()
    assert world.confirm(TWO, claim_id) == (get_entry("claim_state").number,)


# --- what it decides ---


def test_a_concurring_report_ends_the_recheck_and_the_next_notice_lists_the_claim(world: ClaimWorld) -> None:
    claim_id, firm = recheck(world)
    amount = world.get_claim(claim_id).amount
    world.open_report(claim_id, firm)
    assert [event for event in world.events if isinstance(event, RecheckEnded)] == [
        RecheckEnded(claim=claim_id, reports=1, is_approved=True)
    ]
    world.put_period(0, PERIOD_COMPUTED, (claim_id,))
    assert world.open_notice(1) == (claim_id,)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.period, claim.amount) == (CLAIM_NOTICED, 1, amount)
    world.advance(3)
    assert world.confirm(TWO, claim_id) == (SUCCESS,)


def test_two_firms_that_say_otherwise_outweigh_two_that_colluded(world: ClaimWorld) -> None:
    """One against two would change nothing, so a second one is drawn; without a majority nothing is paid."""
    claim_id, third = recheck(world)
    world.open_report(claim_id, third, **FALSE_CLAIM)
    assert world.get_claim(claim_id).status == CLAIM_RECHECK
    world.advance(2)
    fourth = get_newest(world, claim_id)
    assert fourth != third
    world.open_report(claim_id, fourth, **FALSE_CLAIM)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.reason) == (CLAIM_REJECTED, get_entry("no_majority").number)
    assert world.get_member(claim.member).claim is None


def test_one_firm_that_says_otherwise_is_outvoted_when_the_next_confirms_the_first(world: ClaimWorld) -> None:
    claim_id, third = recheck(world)
    world.open_report(claim_id, third, **FALSE_CLAIM)
    world.advance(2)
    world.open_report(claim_id, get_newest(world, claim_id))
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.row, claim.amount, claim.seats) == (CLAIM_APPROVED, 0, 300_000, 4)


def split(world: ClaimWorld, *rows: int) -> bytes:
    """Bring a claim to NOTICED whose three firms reported these rows, two of them alike."""
    claim_id, *firms = world.assign()
    for firm, row in zip(firms, rows[:2], strict=True):
        world.seal(claim_id, firm, row=row)
    for firm, row in zip(firms, rows[:2], strict=True):
        world.open_report(claim_id, firm, row=row)
    world.advance(2)
    third = get_newest(world, claim_id)
    world.seal(claim_id, third, row=rows[2])
    world.open_report(claim_id, third, row=rows[2])
    world.certify(claim_id)
    world.decide(claim_id, row=max(rows, key=rows.count))
    world.open_notice(0)
    return claim_id


def build_large_world() -> ClaimWorld:
    world = ClaimWorld((*ORGANISATIONS, ("firm-e", 3, "g-e"), ("firm-f", 3, "g-f")))
    for name in ("ann", "ben"):
        world.add_member(name)
    return world


def test_a_new_majority_changes_row_and_amount() -> None:
    world = build_large_world()
    claim_id = split(world, 0, 1, 0)
    assert world.get_claim(claim_id).amount == 300_000
    rule(world, object_to(world, claim_id), TWO, is_admitted=True)
    for _ in range(2):
        world.advance(2)
        world.open_report(claim_id, get_newest(world, claim_id), row=1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.row, claim.amount) == (CLAIM_APPROVED, 1, 50_000)


def test_a_majority_of_not_fulfilled_rejects_with_its_clauses() -> None:
    world = build_large_world()
    claim_id, first, second = world.assign()
    for firm, changes in ((first, {}), (second, FALSE_CLAIM)):
        world.seal(claim_id, firm, **changes)
    for firm, changes in ((first, {}), (second, FALSE_CLAIM)):
        world.open_report(claim_id, firm, **changes)
    world.advance(2)
    third = get_newest(world, claim_id)
    world.seal(claim_id, third)
    world.open_report(claim_id, third)
    world.certify(claim_id)
    world.decide(claim_id)
    world.open_notice(0)
    rule(world, object_to(world, claim_id), is_admitted=True)
    for _ in range(2):
        world.advance(2)
        day = world.get_claim(claim_id).diagnosed_day
        world.open_report(claim_id, get_newest(world, claim_id), established_day=day, **FALSE_CLAIM)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.reason, claim.clauses) == (CLAIM_REJECTED, 0, ("4.2",))


def test_a_new_established_day_runs_the_eligibility_again() -> None:
    world = build_large_world()
    world.change_pool(share_index=700, settlements=1)
    claim_id = split(world, 0, 1, 0)
    rule(world, object_to(world, claim_id), is_admitted=True)
    first, second, third = world.get_claim(claim_id).firms
    waiting_day = START_DAY + 5
    firms = (first, replace(second, established_day=waiting_day, row=0), third)
    world.change_claim(claim_id, firms=firms)
    for _ in range(2):
        world.advance(2)
        world.open_report(claim_id, get_newest(world, claim_id), established_day=waiting_day)
    assert world.get_claim(claim_id).status == CLAIM_SHARES_REFUND


# --- silence, declining, nobody left ---


def test_a_silent_firm_is_replaced_after_ten_days(world: ClaimWorld) -> None:
    claim_id, silent = recheck(world)
    world.advance(10)
    assert FirmReplaced(claim=claim_id, organisation=silent, due_kind=DUE_RECHECK_REPORT) in world.events
    assert world.state.require(FIRM_DUTY, silent).silent == 1
    assert world.refused(partial(world.open_report, claim_id, silent)) == "not_drawn"
    world.advance(1)
    other = get_newest(world, claim_id)
    assert other != silent
    world.open_report(claim_id, other)
    assert world.get_claim(claim_id).status == CLAIM_APPROVED


def test_a_firm_that_declines_is_replaced_at_once(world: ClaimWorld) -> None:
    claim_id, firm = recheck(world)
    world.act(firm, AssessorDecline(claim=claim_id, is_conflict=True))
    assert FirmDeclined(claim=claim_id, organisation=firm, is_conflict=True) in world.events
    assert firm not in world.list_firms(claim_id)
    world.advance(2)
    claim = world.get_claim(claim_id)
    assert (claim.status, len(get_active(claim)), claim.redraws) == (CLAIM_RECHECK, 3, 0)
    assert get_newest(world, claim_id) != firm


def test_where_everybody_is_silent_the_claim_is_as_approved_as_before(world: ClaimWorld) -> None:
    claim_id, _ = recheck(world)
    before = world.get_claim(claim_id)
    advance_to_the_end(world, claim_id)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.amount, claim.row, claim.seats) == (CLAIM_APPROVED, before.amount, before.row, 2)
    assert world.state.require(CLAIM_REVIEW, claim_id).admitted is None
    assert claim.decided_by == before.decided_by
    assert sum(isinstance(event, ClaimDecided) for event in world.events) == 1


def test_a_recheck_ends_after_thirty_days_with_the_reports_that_there_are(world: ClaimWorld) -> None:
    claim_id, third = recheck(world)
    world.open_report(claim_id, third, **FALSE_CLAIM)
    advance_to_the_end(world, claim_id)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.seats) == (CLAIM_APPROVED, 3)


def test_a_second_recheck_stands_on_all_reports_before_it(world: ClaimWorld) -> None:
    claim_id, firm = recheck(world)
    world.open_report(claim_id, firm)
    world.put_period(0, PERIOD_COMPUTED, (claim_id,))
    world.open_notice(1)
    rule(world, object_to(world, claim_id, evidence="again"), is_admitted=True)
    review = world.state.require(CLAIM_REVIEW, claim_id)
    assert (review.rechecks, review.reports_before) == (2, 3)
    advance_to_the_end(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_APPROVED


def take_all_firms(world: ClaimWorld, claim_id: bytes) -> None:
    """Let every firm have been on the claim: the two without a seat lost theirs."""
    claim = world.get_claim(claim_id)
    on_it = [firm.organisation for firm in claim.firms]
    others = [name for name in ("firm-a", "firm-b", "firm-c", "firm-d") if name not in on_it]
    gone = tuple(world.build_seat(name, is_replaced=True) for name in others)
    world.change_claim(claim_id, firms=(*gone, *claim.firms))


def test_without_a_firm_an_auditor_takes_the_seat_and_the_other_one_confirms(world: ClaimWorld) -> None:
    claim_id = notice(world)
    take_all_firms(world, claim_id)
    rule(world, object_to(world, claim_id), is_admitted=True)
    world.reveal(0, 1)
    world.advance(1)
    auditor = get_newest(world, claim_id)
    assert auditor in (ONE, TWO)
    world.open_report(claim_id, auditor)
    for period in (1, 2):
        world.put_period(period - 1, PERIOD_COMPUTED, (claim_id,))
        world.open_notice(period)
        world.advance(3)
        outcome = world.confirm(TWO if period == 1 else ONE, claim_id)
        expected = "decider_confirms" if auditor == (TWO if period == 1 else ONE) else "success"
        assert outcome == (get_entry(expected).number,)
        if expected == "success":
            return
    raise AssertionError("no auditor was left to confirm")


def test_no_auditor_takes_the_seat_where_then_nobody_could_confirm(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    world.advance(15)
    world.decide(claim_id, ONE)
    world.open_notice(0)
    take_all_firms(world, claim_id)
    rule(world, object_to(world, claim_id), TWO, is_admitted=True)
    world.reveal(0, 1)
    world.advance(1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.decided_by) == (CLAIM_APPROVED, ONE)
    assert world.list_firms(claim_id) == [firm.organisation for firm in claim.firms[2:]]


def test_a_claim_in_recheck_may_be_withdrawn_and_keeps_its_firms(world: ClaimWorld) -> None:
    claim_id, _ = recheck(world)
    firms = world.list_firms(claim_id)
    withdraw(world, claim_id)
    advance_to_the_end(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_WITHDRAWN
    assert world.list_firms(world.file("ann", diagnosed_day=world.today)) == firms


def test_a_claim_withdrawn_before_its_recheck_is_drawn_keeps_the_firms_that_it_has(world: ClaimWorld) -> None:
    claim_id = notice(world)
    firms = world.list_firms(claim_id)
    rule(world, object_to(world, claim_id), is_admitted=True)
    withdraw(world, claim_id)
    again = world.file("ann", diagnosed_day=world.today)
    assert (world.list_firms(again), world.get_claim(again).seats) == (firms, 2)
    world.advance(1)
    assert world.list_firms(claim_id) == firms


def test_a_claim_that_nobody_confirms_in_eight_notices_expires_and_keeps_its_firms(world: ClaimWorld) -> None:
    claim_id = notice(world)
    firms = world.list_firms(claim_id)
    for period in range(8):
        assert world.get_claim(claim_id).status == CLAIM_NOTICED
        world.put_period(period, PERIOD_COMPUTED, (claim_id,))
        world.open_notice(period + 1)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.reason) == (CLAIM_EXPIRED, get_entry("unconfirmed").number)
    assert world.get_member(name_hash("member", "ann")).claim is None
    assert world.list_firms(world.file("ann", diagnosed_day=world.today)) == firms
