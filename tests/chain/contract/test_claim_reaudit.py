"""The re-audit of paid claims: an honest lot, two signatures of others than before, and a public end in any case."""

from collections import Counter
from functools import partial

import pytest
from msgspec.structs import replace

from chain.contract import beacon, claim_draw, claim_payment, halves
from chain.contract.claim_calls import AssessorDecline, ReauditReport
from chain.contract.claim_reaudit import LOTS, LOTS_CHOSEN, list_auditors
from chain.contract.claim_review_events import ReauditAsked, ReauditEnded, ReauditLot
from chain.contract.claim_review_tables import (
    FIRM_DUTY,
    REAUDIT,
    REAUDIT_CLAWBACK,
    REAUDIT_CLEAN,
    REAUDIT_OPEN,
    REAUDIT_UNAUDITED,
    ReauditRecord,
)
from chain.contract.claim_roster import on_organisation_removed
from chain.contract.claim_tables import (
    BEACON,
    CLAIM_CLAWBACK,
    CLAIM_CLEAN,
    CLAIM_LANE,
    CLAIM_PAID,
    CLAIM_SETTLED,
    SOURCE_VISIT,
)
from chain.contract.tables import PLANS, ROSTER, PlansRecord, RosterRecord
from chain.types import Hash
from tests.chain.contract.claim_world import ORGANISATIONS, PLAN_NAME, ClaimWorld, name_hash

ONE, TWO = "audit-one", "audit-two"
FIRMS = ("firm-a", "firm-b", "firm-c", "firm-d")


@pytest.fixture
def world() -> ClaimWorld:
    return build_world()


def build_world(organisations: tuple[tuple[str, int, str], ...] = ORGANISATIONS) -> ClaimWorld:
    world = ClaimWorld(organisations)
    world.add_member("ann")
    return world


def pay(world: ClaimWorld, **changes: object) -> bytes:
    """Bring a claim to PAID, confirmed by the first auditor."""
    claim_id = world.approve(**changes)
    world.open_notice(0)
    world.put_period(0, 1, (claim_id,), ONE)
    world.advance(3)
    assert world.confirm(ONE, claim_id) == (0,)
    settle(world, claim_id)
    return claim_id


def settle(world: ClaimWorld, claim_id: bytes) -> None:
    context = world.build_context()
    claim_payment.on_settled(world.state, context, claim_id, 300_000, 0)
    claim_payment.on_instructed(world.state, context, claim_id)
    claim_payment.on_paid(world.state, context, claim_id, 300_000)


def choose(world: ClaimWorld, claim_id: bytes, *, is_chosen: bool = True) -> None:
    """Let a lot fall that chooses a paid claim, or does not, and the draw run."""
    world.reveal(0, 1)
    values = (name_hash("value", number) for number in range(10_000))
    value = next(value for value in values if _is_chosen(value, claim_id) == is_chosen)
    record = world.state.require(BEACON)
    world.state.put(BEACON, replace(record, turn_value=value, turn_height=world.height))
    claim_draw.run_draws(world.state, world.build_context(), PLAN_NAME, world.today)


def _is_chosen(value: Hash, claim_id: bytes) -> bool:
    return beacon.draw(value, purpose="reaudit-lot", subject=claim_id, bound=LOTS) < LOTS_CHOSEN


def get_record(world: ClaimWorld, claim_id: bytes) -> ReauditRecord:
    return world.state.require(REAUDIT, claim_id)


def report(world: ClaimWorld, claim_id: bytes, signer: str, *, is_clean: bool = True, root: str = "report") -> None:
    world.act(signer, ReauditReport(claim=claim_id, is_clean=is_clean, report_root=name_hash(root)))


# --- the lot ---


def test_a_paid_claim_waits_for_reveals_after_its_payment(world: ClaimWorld) -> None:
    claim_id = pay(world)
    assert world.get_claim(claim_id).draw_height == world.height
    claim_draw.run_draws(world.state, world.build_context(), PLAN_NAME, world.today)
    assert not [event for event in world.events if isinstance(event, ReauditLot)]
    world.advance(2)
    assert len([event for event in world.events if isinstance(event, ReauditLot)]) == 1


def test_a_claim_that_the_lot_spares_stays_paid_and_anybody_can_draw_again(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id, is_chosen=False)
    event = next(event for event in world.events if isinstance(event, ReauditLot))
    assert not event.is_chosen
    lot = beacon.draw(Hash(event.value), purpose="reaudit-lot", subject=claim_id, bound=100)
    assert lot >= 2
    assert world.state.get(REAUDIT, claim_id) is None
    assert world.get_claim(claim_id).status == CLAIM_PAID
    world.advance(40)
    assert world.get_claim(claim_id).status == CLAIM_PAID


@pytest.mark.parametrize(("source", "share"), [(0, 0.02), (SOURCE_VISIT, 0.04)])
def test_two_of_a_hundred_are_chosen_and_twice_as_many_where_the_firms_certified_themselves(
    world: ClaimWorld, source: int, share: float
) -> None:
    """Over 4,000 beacon values: four standard deviations."""
    claim_id = pay(world)
    world.change_claim(claim_id, certificate=(source, name_hash("record")))
    world.reveal(0, 1)
    counts: Counter[bool] = Counter()
    for number in range(4_000):
        mark = world.state.savepoint()
        events = len(world.events)
        record = world.state.require(BEACON)
        world.state.put(BEACON, replace(record, turn_value=name_hash("value", number)))
        claim_draw.run_draws(world.state, world.build_context(), PLAN_NAME, world.today)
        counts[world.state.get(REAUDIT, claim_id) is not None] += 1
        world.state.rollback(mark)
        del world.events[events:]
    assert abs(counts[True] - 4_000 * share) < 4 * (4_000 * share) ** 0.5


def test_only_paid_claims_draw_lots(world: ClaimWorld) -> None:
    claim_id = pay(world)
    world.change_claim(claim_id, status=CLAIM_SETTLED)
    world.reveal(0, 1)
    world.advance(1)
    assert not [event for event in world.events if isinstance(event, ReauditLot)]
    lane = world.state.require(CLAIM_LANE, PLAN_NAME, 0)
    assert lane.head == lane.tail


# --- who is asked ---


def test_a_firm_that_was_never_on_it_and_an_auditor_that_did_not_confirm_are_asked(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    record = get_record(world, claim_id)
    assert record.firms[0] in set(FIRMS) - set(world.list_firms(claim_id))
    assert (record.auditor, record.outcome, record.due_day) == (TWO, REAUDIT_OPEN, world.today + 30)
    asked = ReauditAsked(claim=claim_id, firm=record.firms[0], auditor=TWO, due_day=record.due_day)
    assert asked in world.events


def test_neither_decider_nor_confirmer_audits_while_another_auditor_is_left() -> None:
    world = build_world((*ORGANISATIONS, ("audit-three", 2, "g-audit-three")))
    claim_id = pay(world)
    assert list_auditors(world.state, world.get_claim(claim_id)) == (TWO, "audit-three")
    world.change_claim(claim_id, decided_by=TWO)
    assert list_auditors(world.state, world.get_claim(claim_id)) == ("audit-three",)
    world.change_claim(claim_id, firms=(world.build_seat("audit-three"),))
    assert list_auditors(world.state, world.get_claim(claim_id)) == (TWO, "audit-three")


# --- the finding ---


@pytest.mark.parametrize(
    ("is_clean", "status", "outcome"),
    [(True, CLAIM_CLEAN, REAUDIT_CLEAN), (False, CLAIM_CLAWBACK, REAUDIT_CLAWBACK)],
)
def test_the_finding_needs_both_signatures_and_moves_no_money(
    world: ClaimWorld, is_clean: bool, status: int, outcome: int
) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    firm = get_record(world, claim_id).firms[0]
    report(world, claim_id, firm, is_clean=is_clean)
    assert world.get_claim(claim_id).status == CLAIM_PAID
    report(world, claim_id, TWO, is_clean=is_clean)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.paid, claim.granted) == (status, 300_000, 300_000)
    record = get_record(world, claim_id)
    assert (record.outcome, record.signed_by, record.found_day) == (outcome, (firm, TWO), world.today)
    assert ReauditEnded(claim=claim_id, state=outcome, signed_by=(firm, TWO)) in world.events
    assert world.state.require(FIRM_DUTY, firm).reported == 1
    assert world.refused(partial(report, world, claim_id, TWO)) == "claim_state"


def test_who_is_not_asked_signs_nothing(world: ClaimWorld) -> None:
    claim_id = pay(world)
    assert world.refused(partial(report, world, claim_id, TWO)) == "claim_state"
    assert world.refused(partial(report, world, name_hash("none"), TWO)) == "claim_unknown"
    choose(world, claim_id)
    firm = get_record(world, claim_id).firms[0]
    for signer in ("platform", "bank", ONE, "ann", *(name for name in FIRMS if name != firm)):
        assert world.refused(partial(report, world, claim_id, signer)) == "wrong_role"
    report(world, claim_id, firm)
    assert world.refused(partial(report, world, claim_id, firm)) == "already"


def test_two_different_findings_are_none(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    report(world, claim_id, get_record(world, claim_id).firms[0], is_clean=False)
    report(world, claim_id, TWO, is_clean=True)
    assert world.get_claim(claim_id).status == CLAIM_PAID
    assert get_record(world, claim_id).outcome == REAUDIT_OPEN


def test_a_payment_that_comes_back_and_is_made_again_asks_nobody_else(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    before = get_record(world, claim_id)
    claim_payment.on_payment_returned(world.state, world.build_context(), claim_id, 300_000)
    claim_payment.on_instructed(world.state, world.build_context(), claim_id)
    claim_payment.on_paid(world.state, world.build_context(), claim_id, 300_000)
    world.advance(3)
    assert get_record(world, claim_id) == before
    assert before.auditor is not None
    report(world, claim_id, before.firms[-1])
    report(world, claim_id, before.auditor)
    assert world.get_claim(claim_id).status == CLAIM_CLEAN


# --- silence ---


def test_a_silent_pair_gives_way_to_another_firm_then_to_the_auditor_alone_then_to_a_public_end(
    world: ClaimWorld,
) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    firms = set(FIRMS) - set(world.list_firms(claim_id))
    world.advance(31)
    record = get_record(world, claim_id)
    assert (set(record.firms), record.is_firm_asked, record.attempt) == (firms, True, 1)
    world.advance(31)
    record = get_record(world, claim_id)
    assert (record.is_firm_asked, record.auditor) == (False, TWO)
    world.advance(30)
    assert get_record(world, claim_id).outcome == REAUDIT_UNAUDITED
    assert world.get_claim(claim_id).status == CLAIM_PAID
    assert ReauditEnded(claim=claim_id, state=REAUDIT_UNAUDITED, signed_by=()) in world.events


def test_the_auditor_alone_may_sign_in_the_end(world: ClaimWorld) -> None:
    claim_id = pay(world)
    world.state.put(ROSTER, RosterRecord(names=tuple(world.list_firms(claim_id))), 3)
    choose(world, claim_id)
    assert not get_record(world, claim_id).is_firm_asked
    assert world.refused(partial(report, world, claim_id, ONE)) == "wrong_role"
    report(world, claim_id, TWO)
    assert world.get_claim(claim_id).status == CLAIM_CLEAN


def test_a_half_of_a_firm_that_is_asked_no_more_does_not_stop_the_auditor_alone(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    world.advance(31 + 29)
    firm = get_record(world, claim_id).firms[-1]
    report(world, claim_id, firm)
    world.advance(2)
    assert not get_record(world, claim_id).is_firm_asked
    report(world, claim_id, TWO)
    assert get_record(world, claim_id).signed_by == (TWO,)


def test_after_three_silent_firms_the_auditor_is_asked_alone() -> None:
    world = build_world((*ORGANISATIONS, *((f"firm-{name}", 3, f"g-{name}") for name in "efgh")))
    claim_id = pay(world)
    choose(world, claim_id)
    world.advance(3 * 31 + 1)
    record = get_record(world, claim_id)
    assert (len(record.firms), record.is_firm_asked, record.attempt) == (3, False, 3)


def test_the_signature_of_a_firm_that_lost_the_task_counts_no_more(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    first = get_record(world, claim_id).firms[0]
    world.advance(29)
    report(world, claim_id, first)
    world.advance(2)
    second = get_record(world, claim_id).firms[-1]
    assert second != first
    assert world.refused(partial(report, world, claim_id, TWO)) == "not_drawn"
    report(world, claim_id, second, root="another")
    report(world, claim_id, TWO, root="another")
    assert get_record(world, claim_id).signed_by == (second, TWO)


def test_a_firm_with_a_conflict_gives_the_re_audit_back(world: ClaimWorld) -> None:
    claim_id = pay(world)
    assert world.refused(partial(world.act, TWO, AssessorDecline(claim=claim_id, is_conflict=True))) == "not_drawn"
    choose(world, claim_id)
    first = get_record(world, claim_id).firms[0]
    assert world.refused(partial(world.act, ONE, AssessorDecline(claim=claim_id, is_conflict=True))) == "not_drawn"
    world.act(first, AssessorDecline(claim=claim_id, is_conflict=True))
    assert world.refused(partial(report, world, claim_id, first)) == "claim_state"
    world.advance(2)
    record = get_record(world, claim_id)
    assert record.firms[-1] != first
    assert record.due_day
    duty = world.state.require(FIRM_DUTY, first)
    assert (duty.conflicts, duty.declined, duty.silent) == (1, 0, 0)


def test_an_auditor_that_gives_the_re_audit_back_alone_ends_it_in_public(world: ClaimWorld) -> None:
    claim_id = pay(world)
    world.state.put(ROSTER, RosterRecord(names=tuple(world.list_firms(claim_id))), 3)
    choose(world, claim_id)
    for _ in range(5):
        if get_record(world, claim_id).outcome != REAUDIT_OPEN:
            break
        world.act(TWO, AssessorDecline(claim=claim_id, is_conflict=False))
    assert get_record(world, claim_id).outcome == REAUDIT_UNAUDITED


def test_a_half_signed_finding_expires_and_nothing_has_happened(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    call = ReauditReport(claim=claim_id, is_clean=False, report_root=name_hash("report"))
    world.act(get_record(world, claim_id).firms[0], call)
    half = halves.hash_call(call)
    due_day = world.state.require(halves.HALF, PLAN_NAME, half).due_day
    halves.on_half_due(world.state, world.build_context(), PLAN_NAME, half, due_day)
    assert world.state.get(halves.HALF, PLAN_NAME, half) is None
    assert world.get_claim(claim_id).status == CLAIM_PAID


# --- who leaves the consortium meanwhile ---


def leave(world: ClaimWorld, name: str, role: int) -> None:
    names = tuple(item for item in world.state.require(ROSTER, role).names if item != name)
    world.state.put(ROSTER, RosterRecord(names=names), role)
    world.state.put(PLANS, PlansRecord(names=(PLAN_NAME,)))
    on_organisation_removed(world.state, world.build_context(), name)


@pytest.mark.parametrize("role", [2, 3])
def test_who_is_asked_and_leaves_is_replaced_the_next_day(role: int) -> None:
    world = build_world((*ORGANISATIONS, ("audit-three", 2, "g-audit-three")))
    claim_id = pay(world)
    choose(world, claim_id)
    before = get_record(world, claim_id)
    leave(world, before.firms[0] if role == 3 else TWO, role)
    world.advance(3)
    after = get_record(world, claim_id)
    assert after.firms[-1] != before.firms[-1]
    assert (after.auditor, after.attempt) == ("audit-three", 1)
    assert after.due_day


def test_who_leaves_while_nobody_is_asked_disturbs_nothing(world: ClaimWorld) -> None:
    """Between two firms the auditor of before has nothing to give back."""
    world.state.put(ROSTER, RosterRecord(names=(ONE, TWO, "audit-three")), 2)
    claim_id = pay(world)
    choose(world, claim_id)
    world.act(get_record(world, claim_id).firms[0], AssessorDecline(claim=claim_id, is_conflict=True))
    before = get_record(world, claim_id)
    assert (before.auditor, before.due_day) == (TWO, 0)
    record = world.state.require(BEACON)
    world.state.put(BEACON, replace(record, reveal_heights=(0,) * len(record.reveal_heights)))
    leave(world, TWO, 2)
    world.change_claim(claim_id, draw_height=world.height + 100)
    world.advance(1)
    assert get_record(world, claim_id) == before


def test_a_firm_that_leaves_after_its_turn_disturbs_the_auditor_alone_as_little(world: ClaimWorld) -> None:
    claim_id = pay(world)
    choose(world, claim_id)
    world.advance(62)
    before = get_record(world, claim_id)
    assert not before.is_firm_asked
    leave(world, before.firms[-1], 3)
    world.advance(1)
    assert get_record(world, claim_id) == before
