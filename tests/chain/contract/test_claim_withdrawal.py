"""claim_withdraw and claim_payee: until when, by whom, and that withdrawing gives nobody a second lot."""

from functools import partial

import pytest

from chain.contract.calendar import compute_day_of_date
from chain.contract.claim_calls import ClaimPayee, ClaimWithdraw
from chain.contract.claim_events import ClaimStatusChanged
from chain.contract.claim_review_events import ClaimPayeeChanged, FirmKept
from chain.contract.claim_review_tables import CLAIMANT
from chain.contract.claim_status import DUE_ACCEPT
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_CONFIRMED,
    CLAIM_ELIGIBLE,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_REJECTED,
    CLAIM_SETTLED,
    CLAIM_SHARES_REFUND,
    CLAIM_WITHDRAWN,
)
from chain.contract.tables import MEMBER_LEFT, PERSON, ROSTER, PersonRecord, RosterRecord
from tests.chain.contract.claim_world import PLAN_NAME, ClaimWorld, name_hash

FIRMS = {"firm-a", "firm-b", "firm-c", "firm-d"}


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def withdraw(world: ClaimWorld, claim_id: bytes, name: str = "ann", signer: str | None = None) -> None:
    world.act(signer or name, ClaimWithdraw(member=name_hash("member", name), claim=claim_id))


def say_payee(
    world: ClaimWorld, claim_id: bytes, payee_kind: int, name: str = "ann", signer: str | None = None
) -> None:
    world.act(signer or name, ClaimPayee(member=name_hash("member", name), claim=claim_id, payee_kind=payee_kind))


# --- withdrawing ---


def test_a_claim_is_withdrawn_by_its_member_and_the_member_is_free_to_file_another(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    withdraw(world, claim_id)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.due_day) == (CLAIM_WITHDRAWN, 0)
    assert world.get_member(claim.member).claim is None
    assert world.events[-1] == ClaimStatusChanged(claim=claim_id, status=CLAIM_WITHDRAWN, reason=0)
    world.advance(40)
    assert world.get_claim(claim_id) == claim


@pytest.mark.parametrize("status", [CLAIM_ELIGIBLE, CLAIM_ASSIGNED, CLAIM_INVESTIGATED, CLAIM_APPROVED, CLAIM_NOTICED])
def test_a_claim_may_be_withdrawn_until_it_is_confirmed(world: ClaimWorld, status: int) -> None:
    claim_id = world.approve()
    world.change_claim(claim_id, status=status)
    withdraw(world, claim_id)
    assert world.get_claim(claim_id).status == CLAIM_WITHDRAWN


@pytest.mark.parametrize("status", [CLAIM_CONFIRMED, CLAIM_SETTLED, CLAIM_PAID, CLAIM_REJECTED, CLAIM_SHARES_REFUND])
def test_from_the_confirmation_on_and_after_its_end_a_claim_is_not_withdrawn(world: ClaimWorld, status: int) -> None:
    claim_id = world.approve()
    world.change_claim(claim_id, status=status)
    assert world.refused(partial(withdraw, world, claim_id)) == "claim_state"


def test_only_who_speaks_for_the_member_withdraws(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    assert world.refused(partial(withdraw, world, claim_id, signer="ben")) == "not_owner"
    assert world.refused(partial(withdraw, world, claim_id, "ben")) == "not_owner"
    assert world.refused(partial(withdraw, world, claim_id, "nobody")) == "member_unknown"
    assert world.refused(partial(withdraw, world, name_hash("none"))) == "claim_unknown"
    living = ClaimWithdraw(member=name_hash("member", "ann"), claim=claim_id, heir=name_hash("key", "heir"))
    assert world.refused(partial(world.act, "ann", living)) == "heir_invalid"


def test_a_withdrawn_claim_is_on_no_notice(world: ClaimWorld) -> None:
    claim_id = world.approve()
    withdraw(world, claim_id)
    assert world.open_notice(0) == ()
    assert world.get_claim(claim_id).status == CLAIM_WITHDRAWN


def test_withdrawing_frees_the_person_of_a_membership_that_has_ended(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    member_id = world.get_claim(claim_id).member
    world.change_member(member_id, status=MEMBER_LEFT)
    world.state.put(PERSON, PersonRecord(member=member_id, is_barred=False), PLAN_NAME, name_hash("person", "ann"))
    withdraw(world, claim_id)
    assert world.state.get(PERSON, PLAN_NAME, name_hash("person", "ann")) is None


def test_three_claims_are_withdrawn_in_a_calendar_year_and_no_more(world: ClaimWorld) -> None:
    """The firms' work is paid by all: without a limit a member could keep them busy for ever."""
    world.advance_to(compute_day_of_date(year=2025, month=2, day_of_month=1))
    for _ in range(3):
        claim_id, _, _ = world.assign()
        withdraw(world, claim_id)
    claim_id, _, _ = world.assign()
    assert world.refused(partial(withdraw, world, claim_id)) == "withdrawals_used"
    world.change_claim(claim_id, due_day=0)
    world.today = compute_day_of_date(year=2026, month=1, day_of_month=1)
    withdraw(world, claim_id)
    assert world.state.require(CLAIMANT, world.get_claim(claim_id).member).withdrawals == 1


# --- filing again ---


def test_the_next_claim_keeps_the_drawn_firms_without_a_new_lot(world: ClaimWorld) -> None:
    first, *firms = world.assign()
    world.seal(first, *firms)
    withdraw(world, first)
    second = world.file("ann")
    claim = world.get_claim(second)
    assert claim.status == CLAIM_ASSIGNED
    assert world.list_firms(second) == firms
    assert (claim.due_kind, claim.due_day) == (DUE_ACCEPT, world.today + 2)
    assert [firm.is_accepted for firm in claim.firms] == [False, False]
    assert [firm.commit_hash for firm in claim.firms] == [None, None]
    kept = [event for event in world.events if isinstance(event, FirmKept)]
    assert kept == [FirmKept(claim=second, organisation=name, before=first) for name in firms]
    world.seal(second, *firms)
    for firm in firms:
        world.open_report(second, firm)
    assert world.get_claim(second).status == CLAIM_INVESTIGATED


@pytest.mark.parametrize("changes", [{"cause": 1}, {"diagnosed_day": 20_100}, {"asked_row": 1}])
def test_another_day_cause_or_row_gives_no_other_firms(world: ClaimWorld, changes: dict[str, int]) -> None:
    first, *firms = world.assign()
    withdraw(world, first)
    assert world.list_firms(world.file("ann", **changes)) == firms


def test_firms_that_lost_their_seat_stay_replaced_and_replacements_count_on(world: ClaimWorld) -> None:
    first, one, _ = world.assign()
    world.accept(first, one)
    world.advance(3)
    before = world.get_claim(first)
    assert before.redraws == 1
    withdraw(world, first)
    second = world.get_claim(world.file("ann"))
    assert [(firm.organisation, firm.is_replaced) for firm in second.firms] == [
        (firm.organisation, firm.is_replaced) for firm in before.firms
    ]
    assert (second.redraws, second.seats) == (1, 2)


def test_a_claim_withdrawn_before_its_draw_is_drawn_all_the_same_and_no_other_is_filed_until_then(
    world: ClaimWorld,
) -> None:
    """Before 0:00 everybody can compute who will be drawn: a member could withdraw until he likes it."""
    first = world.file("ann")
    world.reveal(0, 1)
    withdraw(world, first)
    assert world.refused(lambda: world.file("ann")) == "draw_pending"
    world.advance(1)
    claim = world.get_claim(first)
    assert (claim.status, claim.due_day) == (CLAIM_WITHDRAWN, 0)
    drawn = world.list_firms(first)
    assert len(drawn) == 2
    assert world.list_firms(world.file("ann")) == drawn
    world.advance(30)
    assert world.get_claim(first) == claim


def test_a_claim_withdrawn_while_a_seat_is_vacant_keeps_the_firm_that_the_draw_gives(world: ClaimWorld) -> None:
    first, one, _ = world.assign()
    world.accept(first, one)
    world.advance(2)
    assert world.list_firms(first) == [one]
    withdraw(world, first)
    assert world.refused(lambda: world.file("ann")) == "draw_pending"
    world.advance(1)
    firms = world.list_firms(first)
    assert (len(firms), firms[0]) == (2, one)
    assert world.list_firms(world.file("ann")) == firms


def test_where_a_withdrawn_claim_cannot_be_drawn_the_next_one_starts_anew(world: ClaimWorld) -> None:
    first = world.file("ann")
    world.state.put(ROSTER, RosterRecord(names=("firm-a",)), 3)
    world.change_claim(first, firms=(world.build_seat("audit-two"),), seats=3)
    withdraw(world, first)
    world.reveal(0, 1)
    world.advance(1)
    assert world.get_claim(first).status == CLAIM_WITHDRAWN
    assert world.get_claim(world.file("ann")).firms == ()


def test_a_kept_firm_that_left_the_roster_is_drawn_again(world: ClaimWorld) -> None:
    first, one, two = world.assign()
    withdraw(world, first)
    world.state.put(ROSTER, RosterRecord(names=tuple(sorted(FIRMS - {two}))), 3)
    second = world.file("ann")
    assert world.list_firms(second) == [one]
    assert world.get_claim(second).status == CLAIM_ASSIGNED
    world.advance(2)
    firms = world.list_firms(second)
    assert len(firms) == 2
    assert two not in firms


def test_a_refused_filing_leaves_the_kept_firms_for_the_next(world: ClaimWorld) -> None:
    first, *firms = world.assign()
    withdraw(world, first)
    assert world.get_claim(world.file("ann", diagnosed_day=19_000)).firms == ()
    assert world.list_firms(world.file("ann")) == firms


def test_whose_certificate_did_not_come_keeps_his_firms_too(world: ClaimWorld) -> None:
    """Else a member could let a claim expire whose row he does not like, and hope for other firms."""
    claim_id, *firms = world.assign()
    world.seal(claim_id, *firms, row=1)
    for firm in firms:
        world.open_report(claim_id, firm, row=1)
    world.advance(36)
    assert world.get_claim(claim_id).status == CLAIM_EXPIRED
    assert world.list_firms(world.file("ann", diagnosed_day=world.today)) == firms


def test_two_withdrawals_keep_the_firms_of_the_first(world: ClaimWorld) -> None:
    first, *firms = world.assign()
    withdraw(world, first)
    second = world.file("ann")
    withdraw(world, second)
    assert world.list_firms(world.file("ann")) == firms


# --- the payee ---


def test_the_payee_is_changed_before_the_settlement_and_the_event_does_not_say_who(world: ClaimWorld) -> None:
    world.add_member("kid", guardian=name_hash("member", "ann"), key=name_hash("key", "kid"))
    claim_id = world.file("kid", signer="ann")
    say_payee(world, claim_id, 1, "kid", signer="ann")
    assert world.get_claim(claim_id).payee_kind == 1
    assert world.events[-1] == ClaimPayeeChanged(claim=claim_id)
    say_payee(world, claim_id, 0, "kid", signer="ann")
    assert world.get_claim(claim_id).payee_kind == 0


def test_a_payee_that_the_member_does_not_have_or_has_already_is_refused(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    for payee_kind in (1, 2):
        assert world.refused(partial(say_payee, world, claim_id, payee_kind)) == "value_out_of_range"
    assert world.refused(partial(say_payee, world, claim_id, 0)) == "already"
    assert world.refused(partial(say_payee, world, claim_id, 0, "ben")) == "not_owner"
    assert world.refused(partial(say_payee, world, name_hash("none"), 0)) == "claim_unknown"


@pytest.mark.parametrize("status", [CLAIM_SETTLED, CLAIM_PAID, CLAIM_REJECTED, CLAIM_WITHDRAWN])
def test_from_the_settlement_on_the_payee_stands(world: ClaimWorld, status: int) -> None:
    world.add_member("kid", guardian=name_hash("member", "ann"), key=name_hash("key", "kid"))
    claim_id = world.file("kid", signer="ann")
    world.change_claim(claim_id, status=status)
    assert world.refused(partial(say_payee, world, claim_id, 1, "kid", signer="ann")) == "claim_state"
    world.change_claim(claim_id, status=CLAIM_CONFIRMED, granted=1)
    assert world.refused(partial(say_payee, world, claim_id, 1, "kid", signer="ann")) == "claim_state"
