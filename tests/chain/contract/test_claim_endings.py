"""Every claim ends within a bound, whoever is silent for ever from any moment on, and whoever objects to it.

Notices, charges and payments run as a plan's calendar has them; every other party acts, or does not.
"""

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.catalogue import SUCCESS, get_entry
from chain.contract import claim_payment, claim_reaudit
from chain.contract.claim_calls import AssessorDecline, ClaimWithdraw, ObjectionFile, ObjectionRule, ReauditReport
from chain.contract.claim_draw import REDRAWS_END
from chain.contract.claim_notice import NOTICES_UNCONFIRMED_MAX
from chain.contract.claim_reaudit import REAUDIT_DAYS, REAUDIT_FIRMS_MAX
from chain.contract.claim_recheck import RECHECK_DAYS, RECHECKS_MAX
from chain.contract.claim_review_tables import CLAIM_REVIEW, REAUDIT, REAUDIT_OPEN
from chain.contract.claim_status import ACCEPT_DAYS, COMMIT_DAYS, DECISION_DAYS, REVEAL_DAYS
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_CLAWBACK,
    CLAIM_CLEAN,
    CLAIM_CONFIRMED,
    CLAIM_EXPIRED,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_RECHECK,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
    CLAIM_WITHDRAWN,
    ClaimRecord,
)
from chain.contract.settlement_tables import PERIOD_COMPUTED, PERIOD_NOTICE
from chain.errors import Refusal
from tests.chain.contract.claim_world import ClaimWorld, name_hash

ONE, TWO = "audit-one", "audit-two"
PARTIES = ("platform", ONE, TWO, "firms", "clinic")
PERIOD_DAYS, CHARGE_AFTER_DAYS = 14, 7
DRAW_DAYS = 2
SEAT_DAYS = DRAW_DAYS + ACCEPT_DAYS + COMMIT_DAYS + REVEAL_DAYS
DAYS_MAX = (
    (REDRAWS_END + 2) * SEAT_DAYS
    + sum(DECISION_DAYS)
    + (NOTICES_UNCONFIRMED_MAX + RECHECKS_MAX + 1) * PERIOD_DAYS
    + RECHECKS_MAX * (RECHECK_DAYS + PERIOD_DAYS)
    + (REAUDIT_FIRMS_MAX + 2) * (REAUDIT_DAYS + DRAW_DAYS)
)
"""A third seat after every replacement, all turns of deciding, all notices, both rechecks, the whole re-audit."""
ENDED = (CLAIM_REJECTED, CLAIM_REFUSED, CLAIM_EXPIRED, CLAIM_WITHDRAWN, CLAIM_CLEAN, CLAIM_CLAWBACK)

Willing = Callable[[str], bool]


class Calendar:
    """A claim world whose periods pass, with every party asked once a day."""

    def __init__(self, *, objectors: int = 0) -> None:
        self.world = ClaimWorld()
        self.world.add_member("ann")
        self.objectors = [f"objector-{number}" for number in range(objectors)]
        for name in self.objectors:
            self.world.add_member(name)
        self.start = self.world.today
        self.claim_id = self.world.file("ann")
        self.world.reveal(0, 1)
        self.period = 0
        self.reports: dict[str, dict[str, object]] = {}

    @property
    def claim(self) -> ClaimRecord:
        return self.world.get_claim(self.claim_id)

    @property
    def is_ended(self) -> bool:
        if self.claim.status != CLAIM_PAID:
            return self.claim.status in ENDED
        record = self.world.state.get(REAUDIT, self.claim_id)
        lots = [event for event in self.world.events if type(event).__name__ == "ReauditLot"]
        return bool(lots) and (record is None or record.outcome != REAUDIT_OPEN)

    def pass_day(self) -> None:
        """Let a day begin: the notice opens on the first of 14, the charge is on the eighth."""
        world = self.world
        world.advance(1)
        day = (world.today - self.start) % PERIOD_DAYS
        if day == 1:
            claims = world.open_notice(self.period)
            world.put_period(self.period, PERIOD_NOTICE, claims, (ONE, TWO)[self.period % 2])
        elif day == 1 + CHARGE_AFTER_DAYS:
            self._charge()

    def _charge(self) -> None:
        world = self.world
        world.put_period(self.period, PERIOD_COMPUTED, (self.claim_id,), (ONE, TWO)[self.period % 2])
        self.period += 1
        claim = self.claim
        if claim.status == CLAIM_CONFIRMED:
            context = world.build_context()
            claim_payment.on_settled(world.state, context, self.claim_id, claim.amount, 0)
            claim_payment.on_instructed(world.state, context, self.claim_id)
            claim_payment.on_paid(world.state, context, self.claim_id, claim.amount)

    def act(self, is_willing: Willing) -> None:
        """Let everybody who is willing do what he is asked for."""
        world, claim_id, claim = self.world, self.claim_id, self.claim
        seats = world.list_firms(claim_id)
        if is_willing("clinic"):
            _try(world.certify, claim_id)
        for name in seats if claim.status in (CLAIM_ASSIGNED, CLAIM_RECHECK) else ():
            if is_willing("firms" if name.startswith("firm") else name):
                report = self.reports.get(name, {})
                _try(world.accept, claim_id, name)
                _try(partial(world.commit, claim_id, name, **report))
                _try(partial(world.open_report, claim_id, name, **report))
        if claim.status == CLAIM_INVESTIGATED:
            for name in ("platform", ONE, TWO):
                if is_willing(name):
                    for is_approved in (True, False):
                        _try(partial(world.decide, claim_id, name, is_approved=is_approved, clauses=("4.2",)))
        if claim.status == CLAIM_NOTICED:
            for name in (ONE, TWO):
                if is_willing(name):
                    world.confirm(name, claim_id)
        record = world.state.get(REAUDIT, claim_id)
        if claim.status == CLAIM_PAID and record is not None:
            call = ReauditReport(claim=claim_id, is_clean=True, report_root=name_hash("again"))
            for name in (*record.firms[-1:], record.auditor or ONE):
                if is_willing("firms" if name.startswith("firm") else name):
                    _try(world.act, name, call)

    def object(self) -> None:
        """Let every objector object again, as often as he may."""
        for name in self.objectors:
            evidence = name_hash(name, self.world.today)
            call = ObjectionFile(member=name_hash("member", name), claim=self.claim_id, evidence_hash=evidence)
            _try(self.world.act, name, call)

    def rule(self, is_willing: Willing, *, is_admitted: bool) -> None:
        """Let the willing auditors rule on what is pending."""
        review = self.world.state.get(CLAIM_REVIEW, self.claim_id)
        for objection in review.pending if review is not None else ():
            for name in (ONE, TWO):
                if is_willing(name):
                    _try(self.world.act, name, ObjectionRule(objection=objection, is_admitted=is_admitted))


def _is_not_in(muted: tuple[str, ...], name: str) -> bool:
    return name not in muted


def _try(act: Callable[..., object], *arguments: object) -> bool:
    try:
        act(*arguments)
    except Refusal:
        return False
    return True


@pytest.fixture
def always_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_reaudit, "LOTS_CHOSEN", claim_reaudit.LOTS)


@pytest.mark.parametrize("silent", PARTIES)
def test_whoever_is_silent_from_the_first_day_a_true_claim_ends_by_the_written_rule(
    silent: str, always_chosen: None
) -> None:
    calendar = Calendar()
    for _ in range(DAYS_MAX):
        calendar.pass_day()
        calendar.act(lambda name: name != silent)
        if calendar.is_ended:
            break
    assert calendar.is_ended
    reason = {"firms": "assessors_silent", "clinic": "certificate_missing"}.get(silent, "success")
    assert calendar.claim.reason == get_entry(reason).number
    # One organisation alone costs time; only without any report, or any certificate, is there nothing to pay by.
    assert calendar.claim.status == (CLAIM_EXPIRED if silent in ("firms", "clinic") else calendar.claim.status)
    assert (calendar.claim.paid == 300_000) == (silent not in ("firms", "clinic"))


@pytest.mark.parametrize("silent", list(itertools.combinations(PARTIES, 2)))
@pytest.mark.parametrize("since", [CLAIM_ASSIGNED, CLAIM_INVESTIGATED, CLAIM_APPROVED, CLAIM_NOTICED, CLAIM_PAID])
def test_two_silent_parties_end_every_claim_too_from_whatever_state_on(
    silent: tuple[str, str], since: int, always_chosen: None
) -> None:
    calendar = Calendar()
    muted: tuple[str, ...] = ()
    for _ in range(DAYS_MAX):
        calendar.pass_day()
        muted = silent if calendar.claim.status == since else muted
        calendar.act(partial(_is_not_in, muted))
        if calendar.is_ended:
            break
    assert calendar.is_ended
    assert calendar.world.get_member(name_hash("member", "ann")).claim is None


@pytest.mark.parametrize("is_admitted", [None, True, False])
def test_a_crowd_that_objects_whenever_it_may_delays_a_true_claim_within_a_bound(is_admitted: bool | None) -> None:
    """Attack of contract 7; the auditors are silent, admit everything, or dismiss everything."""
    calendar = Calendar(objectors=24)
    for _ in range(DAYS_MAX):
        calendar.pass_day()
        calendar.act(lambda name: True)
        calendar.object()
        if is_admitted is not None:
            calendar.rule(lambda name: True, is_admitted=is_admitted)
        if calendar.claim.status == CLAIM_PAID:
            break
    assert calendar.claim.status == CLAIM_PAID
    delay = RECHECKS_MAX * (RECHECK_DAYS + PERIOD_DAYS) if is_admitted else PERIOD_DAYS
    assert calendar.world.today - calendar.start <= 2 * PERIOD_DAYS + delay
    review = calendar.world.state.require(CLAIM_REVIEW, calendar.claim_id)
    assert review.rechecks == (RECHECKS_MAX if is_admitted else 0)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_parties_that_decline_object_withdraw_and_fall_silent_never_hold_a_claim_open(
    data: st.DataObject,
) -> None:
    calendar = Calendar(objectors=6)
    diligence = {name: data.draw(st.integers(0, 100), label=name) for name in PARTIES}
    findings = data.draw(st.lists(st.integers(0, 1), min_size=6, max_size=6), label="findings")
    for name, finding in zip(("firm-a", "firm-b", "firm-c", "firm-d", ONE, TWO), findings, strict=True):
        calendar.reports[name] = {"finding": finding, "clauses": ("4.2",)}
    seed = data.draw(st.randoms(use_true_random=False), label="days")

    def is_willing(name: str) -> bool:
        return seed.randrange(100) < diligence[name]

    for _ in range(DAYS_MAX):
        calendar.pass_day()
        calendar.act(is_willing)
        if seed.random() < 0.3:
            calendar.object()
            calendar.rule(is_willing, is_admitted=seed.random() < 0.7)
        seats = calendar.world.list_firms(calendar.claim_id)
        if seats and seed.random() < 0.05:
            call = AssessorDecline(claim=calendar.claim_id, is_conflict=seed.random() < 0.5)
            _try(calendar.world.act, seed.choice(seats), call)
        if seed.random() < 0.002:
            withdraw = ClaimWithdraw(member=name_hash("member", "ann"), claim=calendar.claim_id)
            _try(calendar.world.act, "ann", withdraw)
        if calendar.is_ended:
            break
    assert calendar.is_ended
    assert calendar.world.get_member(name_hash("member", "ann")).claim is None
    if calendar.claim.paid:
        reports = [firm for firm in calendar.claim.firms if firm.is_revealed and not firm.is_replaced]
        agreeing = [firm for firm in reports if firm.finding == 1 and firm.row == calendar.claim.row]
        assert 2 * len(agreeing) > len(reports)


def test_a_period_has_an_auditor_for_every_claim_that_one_organisation_alone_cannot_hold_up() -> None:
    """Two auditors: the first decided, or holds a seat; the second confirms in its own period."""
    calendar = Calendar()
    for _ in range(3 * PERIOD_DAYS + 35):
        calendar.pass_day()
        calendar.act(lambda name: name != "platform")
        if calendar.claim.status == CLAIM_CONFIRMED:
            break
    assert calendar.claim.decided_by == ONE
    assert calendar.claim.status == CLAIM_CONFIRMED
    outcome = calendar.world.confirm(TWO, calendar.claim_id)
    assert outcome != (SUCCESS,)
