"""Deadlines of claims act once, on their own state, and every claim ends whoever is silent."""

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.contract import claim_due, due
from chain.contract.claim_status import DUE_ACCEPT, DUE_COMMIT, DUE_DECISION
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_REJECTED,
    CLAIM_STATUS_NAMES,
)
from chain.errors import InvariantViolation, Refusal
from tests.chain.contract.claim_world import PLAN_NAME, ClaimWorld, name_hash

ENDED = (CLAIM_APPROVED, CLAIM_REJECTED, CLAIM_EXPIRED)
DAYS_MAX = 7 * (2 + 20 + 3 + 2) + 35 + 10
"""Six replacements and one more, each after the longest silence, then the escalation."""


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    return world


def run(world: ClaimWorld, kind: int, claim_id: bytes, day: int) -> None:
    claim_due.on_due(world.state, world.build_context(), PLAN_NAME, kind, claim_id, day)


def test_a_deadline_of_an_earlier_state_does_nothing(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    stale_day = world.get_claim(claim_id).due_day
    world.accept(claim_id, first)
    world.accept(claim_id, second)
    before = world.get_claim(claim_id)
    run(world, DUE_ACCEPT, claim_id, stale_day)
    run(world, DUE_COMMIT, claim_id, before.due_day - 1)
    assert world.get_claim(claim_id) == before


def test_a_deadline_acts_once(world: ClaimWorld) -> None:
    claim_id = world.investigate()
    day = world.get_claim(claim_id).due_day
    world.advance_to(day)
    before = world.get_claim(claim_id)
    assert before.escalation == 1
    run(world, DUE_DECISION, claim_id, day)
    assert world.get_claim(claim_id) == before


def test_a_deadline_runs_at_the_start_of_its_day_and_not_before(world: ClaimWorld) -> None:
    claim_id, _, _ = world.assign()
    world.advance(1)
    assert len(world.list_firms(claim_id)) == 2
    world.advance(1)
    assert world.list_firms(claim_id) == []


def test_an_unknown_kind_or_a_foreign_plan_is_our_own_fault(world: ClaimWorld) -> None:
    claim_id, _, _ = world.assign()
    day = world.get_claim(claim_id).due_day
    world.change_claim(claim_id, due_kind=99)
    with pytest.raises(InvariantViolation):
        run(world, 99, claim_id, day)
    with pytest.raises(InvariantViolation):
        claim_due.on_due(world.state, world.build_context(), "other", DUE_ACCEPT, claim_id, day)


def test_every_deadline_lies_in_the_kinds_that_belong_to_claims() -> None:
    assert due.CLAIM_KIND_MIN <= DUE_ACCEPT < DUE_DECISION <= due.KIND_MAX


def _try(act: Callable[..., None], *arguments: object) -> None:
    try:
        act(*arguments)
    except Refusal:
        return


@pytest.mark.parametrize("silent", list(itertools.product([False, True], repeat=4)))
def test_every_claim_ends_by_a_written_rule_whoever_is_silent(silent: tuple[bool, ...]) -> None:
    """Firms, clinic, platform and auditors each diligent or silent for ever: the claim ends in its days."""
    are_firms_silent, is_clinic_silent, is_platform_silent, are_auditors_silent = silent
    world = ClaimWorld()
    world.add_member("ann")
    claim_id = world.file("ann")
    world.reveal(0, 1)
    for _ in range(DAYS_MAX):
        world.advance(1)
        if not are_firms_silent:
            for act in (world.accept, world.commit, world.open_report):
                for firm in world.list_firms(claim_id):
                    _try(act, claim_id, firm)
        if not is_clinic_silent:
            _try(world.certify, claim_id)
        if not is_platform_silent:
            _try(world.decide, claim_id)
        if not are_auditors_silent:
            _try(world.decide, claim_id, "audit-one")
    claim = world.get_claim(claim_id)
    expected = CLAIM_EXPIRED if are_firms_silent or is_clinic_silent else CLAIM_APPROVED
    assert CLAIM_STATUS_NAMES[claim.status] == CLAIM_STATUS_NAMES[expected]


@settings(max_examples=60)
@given(st.data())
def test_random_parties_never_hold_a_claim_open_nor_get_it_past_the_reports(data: st.DataObject) -> None:
    """Any party may act or not, reports may say anything: the claim ends, and only a majority approves."""
    world = ClaimWorld()
    world.add_member("ann")
    claim_id = world.file("ann")
    world.reveal(0, 1)
    findings = data.draw(st.lists(st.integers(0, 1), min_size=5, max_size=5))
    rows = data.draw(st.lists(st.integers(0, 1), min_size=5, max_size=5))
    names = ("firm-a", "firm-b", "firm-c", "firm-d", "audit-two")
    reports: dict[str, dict[str, object]] = {
        name: {"finding": finding, "row": row} for name, finding, row in zip(names, findings, rows, strict=True)
    }
    diligence = data.draw(st.integers(0, 100))
    for _ in range(DAYS_MAX):
        world.advance(1)
        claim = world.get_claim(claim_id)
        if claim.status in ENDED:
            break
        for firm in world.list_firms(claim_id) if claim.status == CLAIM_ASSIGNED else ():
            if data.draw(st.integers(0, 99)) < diligence:
                _try(world.accept, claim_id, firm)
                _try(partial(world.commit, claim_id, firm, **reports[firm]))
                _try(partial(world.open_report, claim_id, firm, **reports[firm]))
        if claim.status == CLAIM_INVESTIGATED and data.draw(st.booleans()):
            _try(world.certify, claim_id)
            signer = data.draw(st.sampled_from(["platform", "audit-one", "audit-two"]))
            is_approved, row = data.draw(st.booleans()), data.draw(st.integers(0, 1))
            _try(partial(world.decide, claim_id, signer, is_approved=is_approved, row=row))
    claim = world.get_claim(claim_id)
    assert claim.status in ENDED
    assert (world.get_member(name_hash("member", "ann")).claim is None) == (claim.status != CLAIM_APPROVED)
    if claim.status == CLAIM_APPROVED:
        seats = [firm for firm in claim.firms if not firm.is_replaced]
        agreeing = [firm for firm in seats if firm.finding == 1 and firm.row == claim.row]
        assert 2 * len(agreeing) > claim.seats
