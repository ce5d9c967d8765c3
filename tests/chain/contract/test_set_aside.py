"""Claims that are still open when a pool is closed by force: money is kept for them (contract 3.5 *wind-down*)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_calls import ClaimDecide
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_ELIGIBLE,
    CLAIM_EXPIRED,
    CLAIM_PAID,
    CLAIM_REJECTED,
    CLAIM_SHARES_REFUND,
)
from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_RESIDUE, InstructionRecord
from chain.contract.member_calls import VoidDecide
from chain.contract.person_tables import VOID, VOID_UPHELD, VoidRecord
from chain.contract.plan_calls import BatchSign
from chain.contract.plan_events import ClaimAsideReleased, ClaimSetAside
from chain.contract.settlement_items import add_item
from chain.contract.settlement_tables import ITEM_SHARE_REFUND, PERIOD, PERIOD_CLOSED, PERIOD_COMPUTED, ItemRecord
from chain.contract.tables import PLAN_ENDED, PLAN_WIND_DOWN
from chain.contract.void import APPEAL_DAYS, HEARING_DAYS
from chain.contract.wind_down import END_DAYS, RUN_OFF_DAYS, begin_wind_down
from chain.contract.wind_tables import (
    CAUSE_VOTE,
    CLOSED_POOL,
    OPEN_CLAIM,
    PHASE_SWEEPING,
    ClosedPoolRecord,
    is_pool_closed,
)
from tests.chain.contract.rules_world import RulesWorld
from tests.chain.contract.test_claim_path import MILD_FEN, ClaimPath
from tests.chain.contract.test_void import open_void
from tests.chain.contract.test_wind_down import add_interest
from tests.chain.contract.world import PLAN_NAME


class SilentPath(RulesWorld, ClaimPath):
    """A plan in which no assessor is drawn until the proposers reveal: its claims stay open for as long as needed."""

    is_revealing = False

    def next_block(self, *, ms: int = 1_000) -> None:
        if self.is_revealing:
            ClaimPath.next_block(self, ms=ms)
        else:
            RulesWorld.next_block(self, ms=ms)

    @property
    def closed(self) -> ClosedPoolRecord:
        return self.state.require(CLOSED_POOL, PLAN_NAME, 0)

    def begin(self) -> int:
        begin_wind_down(self.state, self.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")
        return self.today

    def close_by_force(self) -> None:
        """Let the days pass after which open claims are waited for no longer."""
        self.advance_to(self.plan.wind_day + END_DAYS)
        while not is_pool_closed(self.state, PLAN_NAME, 0):
            self.advance(1)

    def get_aside(self, claim: bytes) -> int:
        record = self.state.get(OPEN_CLAIM, PLAN_NAME, self.claim(claim).number)
        return 0 if record is None else record.aside

    def decide(self, claim: bytes, *, is_approved: bool = True) -> None:
        """Let the proposers reveal, the firms report, and the platform decide."""
        self.is_revealing = True
        self.draw()
        self.report(claim)
        call = ClaimDecide(claim=claim, is_approved=is_approved, row=1, clauses=("4.1",))
        self.succeed("platform", call)

    def sign_all(self) -> None:
        """Sign every batch that waits for it, numbered behind the last settlement or before."""
        for number in range(self.pool.settlements + 1 + self.closed.batches):
            period = self.state.get(PERIOD, PLAN_NAME, 0, number)
            if period is not None and period.status == PERIOD_COMPUTED and period.cosigner is not None:
                call = BatchSign(plan=PLAN_NAME, pool=0, period=number, batch_root=period.batch_root)
                for signer in ("platform", period.cosigner):
                    self.succeed(signer, call)

    def finish(self) -> list[InstructionRecord]:
        paid: list[InstructionRecord] = []
        for _ in range(90):
            self.sign_all()
            paid += self.answer_all()
            if self.plan.status == PLAN_ENDED:
                return paid
            self.advance(1)
        raise AssertionError(f"the plan has not ended: {self.pool}")


@pytest.fixture
def path() -> SilentPath:
    return SilentPath()


def open_claims(path: SilentPath, count: int) -> list[bytes]:
    """Let so many members file a claim for a mild accident on the day on which the plan begins to end."""
    members = [path.join(f"m{number}", 10_000) for number in range(max(count, 2))]
    path.advance(20)
    day = path.begin()
    return [path.file(f"m{number}", members[number], day=day, row=1, cause=1) for number in range(count)]


def test_open_claim_keeps_the_pool_open_until_five_hundred_and_forty_days(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    path.advance_to(path.plan.wind_day + RUN_OFF_DAYS + 30)
    assert not is_pool_closed(path.state, PLAN_NAME, 0)
    path.close_by_force()
    assert path.claim(claim).status == CLAIM_ELIGIBLE
    assert path.today <= path.plan.wind_day + END_DAYS + 8


def test_claims_are_set_money_aside_for_oldest_first_as_far_as_the_carry_reaches(path: SilentPath) -> None:
    claims = open_claims(path, 3)
    add_interest(path, 2 * MILD_FEN - 1)
    path.close_by_force()
    assert [path.get_aside(claim) for claim in claims] == [MILD_FEN, MILD_FEN - 1, 0]
    assert (path.closed.aside, path.pool.carry, path.pool.aid_payable) == (2 * MILD_FEN - 1, 0, 2 * MILD_FEN - 1)
    assert (path.closed.bonus, path.closed.phase) == (0, PHASE_SWEEPING)
    aside = [event for event in path.events if isinstance(event, ClaimSetAside)]
    assert [(event.claim, event.amount) for event in aside] == [
        (claims[0], MILD_FEN),
        (claims[1], MILD_FEN - 1),
    ]
    path.commit_block_checks()


def test_what_no_claim_needs_is_shared_among_the_members(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN + 5)
    path.close_by_force()
    assert (path.get_aside(claim), path.closed.carry, path.closed.bonus) == (MILD_FEN, 5, 2)


def test_claim_that_wins_after_the_close_is_paid_in_a_batch_that_two_sign(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN + 1)
    path.close_by_force()
    path.answer_all()
    path.advance(2)
    assert path.plan.status == PLAN_WIND_DOWN
    path.decide(claim)
    assert path.claim(claim).status == CLAIM_APPROVED
    path.advance(1)
    number = path.pool.settlements + 1
    period = path.state.require(PERIOD, PLAN_NAME, 0, number)
    assert (period.status, period.claims) == (PERIOD_COMPUTED, (claim,))
    assert not [record for _, record in path.list_instructions() if record.kind == INSTRUCTION_AID]
    path.sign_all()
    ((_, order),) = [item for item in path.list_instructions() if item[1].kind == INSTRUCTION_AID]
    assert (order.amount, order.fee, order.period) == (MILD_FEN, 0, number)
    path.finish()
    assert path.claim(claim).status == CLAIM_PAID
    assert path.state.require(PERIOD, PLAN_NAME, 0, number).status == PERIOD_CLOSED
    assert (path.pool.cash, path.closed.aside) == (0, 0)
    assert path.pool.spent == MILD_FEN + 1


def test_claim_that_wins_after_its_member_was_voided_is_rejected_and_its_money_released(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN)
    path.close_by_force()
    path.decide(claim)
    # As where the appeal of a row, which a void does not end, is lost only afterwards.
    record = VoidRecord(
        stage=VOID_UPHELD, finding_root=claim, platform="platform", firm="firm-a", opened_day=path.today,
        answer_hash=None, decided_by="audit-one", due_day=0, closed_day=path.today,
    )  # fmt: skip
    path.state.put(VOID, record, path.claim(claim).member)
    path.advance(1)
    assert (path.claim(claim).status, path.claim(claim).reason) == (CLAIM_REJECTED, get_entry("member_voided").number)
    assert ClaimAsideReleased(claim=claim, amount=MILD_FEN) in path.events
    assert not list_aid(path)


@pytest.mark.parametrize("is_void", [True, False])
def test_claim_that_has_won_is_not_paid_before_the_hearing_about_its_member_is_over(
    path: SilentPath, *, is_void: bool
) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN)
    path.close_by_force()
    path.answer_all()
    open_void(path, path.claim(claim).member)
    path.decide(claim)
    path.advance(HEARING_DAYS)
    path.answer_all()
    path.advance(2)
    assert (path.claim(claim).status, path.get_aside(claim)) == (CLAIM_APPROVED, MILD_FEN)
    # Nothing else is left, and yet the plan does not end.
    assert (path.plan.status, path.pool.cash, path.pool.aid_payable) == (PLAN_WIND_DOWN, MILD_FEN, MILD_FEN)
    path.succeed("audit-one", VoidDecide(member=path.claim(claim).member, is_void=is_void))
    if is_void:
        path.advance(APPEAL_DAYS)
        assert path.claim(claim).reason == get_entry("member_voided").number
    paid = path.finish()
    assert path.claim(claim).status == (CLAIM_REJECTED if is_void else CLAIM_PAID)
    kind = INSTRUCTION_RESIDUE if is_void else INSTRUCTION_AID
    assert [(order.kind, order.amount) for order in paid] == [(kind, MILD_FEN)]
    assert (path.pool.cash, path.closed.aside) == (0, 0)


def test_silence_about_a_hearing_does_not_keep_a_closed_pool_from_its_end(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN)
    path.close_by_force()
    open_void(path, path.claim(claim).member)
    path.decide(claim)
    path.finish()
    assert path.claim(claim).status == CLAIM_PAID


def test_money_of_a_claim_that_is_rejected_goes_to_the_residue_once_no_appeal_can_come(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN)
    path.close_by_force()
    path.is_revealing = True
    path.draw()
    record = path.claim(claim)
    assert record.status == CLAIM_ASSIGNED
    # All firms and the auditors stay silent for ever: the claim ends by the rule that no state waits for one party.
    while path.claim(claim).status != CLAIM_EXPIRED:
        path.answer_all()
        path.advance(5)
        assert path.today < record.filed_day + END_DAYS + 400
    paid = path.finish()
    assert ClaimAsideReleased(claim=claim, amount=MILD_FEN) in path.events
    assert sum(order.amount for order in paid if order.kind == INSTRUCTION_RESIDUE) == MILD_FEN
    assert (path.plan.status, path.pool.cash, path.pool.unclaimed) == (PLAN_ENDED, 0, MILD_FEN)


def test_item_that_waits_for_a_settlement_is_paid_from_the_carry_at_once(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, 900)
    member = path.claim(claim).member
    path.advance_to(path.plan.wind_day + END_DAYS - 1)
    while path.pool.is_window:
        path.advance(1)
    other = path.add_claim(member, 400)
    short = path.add_claim(member, 700)
    path.close_by_force()
    assert [(order.amount, order.fee) for order in list_aid(path)] == [(400, 0), (500, 0)]
    assert path.pool.items[0] == path.pool.items[1]
    assert [path.claim(item).granted for item in (other, short)] == [400, 500]
    assert path.get_aside(claim) == 0
    path.finish()
    assert path.pool.cash == 0


def list_aid(path: SilentPath) -> list[InstructionRecord]:
    """Return the aid that waits for its batch or for the bank."""
    found = {}
    for event in path.events:
        instruction = getattr(event, "instruction", None)
        if isinstance(instruction, bytes):
            found[instruction] = path.instruction(instruction)
    return [record for record in found.values() if record.kind == INSTRUCTION_AID]


def test_claim_found_to_lie_inside_the_waiting_gets_its_shares_back_from_what_was_set_aside(path: SilentPath) -> None:
    (claim,) = open_claims(path, 1)
    add_interest(path, MILD_FEN)
    path.close_by_force()
    record = path.claim(claim)
    path.state.put(CLAIM, replace(record, status=CLAIM_SHARES_REFUND, is_shares_refund=True, amount=300), claim)
    item = ItemRecord(kind=ITEM_SHARE_REFUND, member=record.member, claim=claim, amount=300, fee_bp=0, carried=0)
    add_item(path.state, item, PLAN_NAME, 0)
    path.advance(2)
    assert ClaimAsideReleased(claim=claim, amount=MILD_FEN) in path.events
    assert [order.amount for order in list_aid(path)] == [300]
    paid = path.finish()
    assert sum(order.amount for order in paid if order.kind == INSTRUCTION_RESIDUE) == MILD_FEN - 300
    assert (path.claim(claim).status, path.pool.cash) == (CLAIM_PAID, 0)


def test_claims_are_looked_through_in_bounded_steps() -> None:
    path = SilentPath(drain_max=2)
    claims = open_claims(path, 7)
    add_interest(path, 7 * MILD_FEN)
    path.advance_to(path.plan.wind_day + END_DAYS)
    while not is_pool_closed(path.state, PLAN_NAME, 0):
        path.advance(1)
    while path.closed.phase == 0:
        aside = path.closed.aside
        path.next_block()
        assert path.closed.aside - aside <= 2 * MILD_FEN
    assert [path.get_aside(claim) for claim in claims] == [MILD_FEN] * 7
    assert (path.closed.carry, path.pool.aid_payable) == (0, 7 * MILD_FEN)


def test_shares_that_are_beyond_the_budget_of_a_day_are_not_swept_away() -> None:
    path = SilentPath(drain_max=3)
    claims = open_claims(path, 2)
    add_interest(path, 2 * MILD_FEN)
    path.close_by_force()
    while path.closed.phase != PHASE_SWEEPING:
        path.next_block()
    for claim in claims:
        record = path.claim(claim)
        path.state.put(CLAIM, replace(record, status=CLAIM_SHARES_REFUND, is_shares_refund=True, amount=300), claim)
        item = ItemRecord(kind=ITEM_SHARE_REFUND, member=record.member, claim=claim, amount=300, fee_bp=0, carried=0)
        add_item(path.state, item, PLAN_NAME, 0)
    # Two acts release what was set aside, one pays an item: the other one is paid on the next day.
    path.advance(1)
    assert [order.amount for order in list_aid(path)] == [300]
    path.advance(1)
    assert [order.amount for order in list_aid(path)] == [300, 300]
    paid = path.finish()
    assert sum(order.amount for order in paid if order.kind == INSTRUCTION_RESIDUE) == 2 * (MILD_FEN - 300)
    assert [path.claim(claim).status for claim in claims] == [CLAIM_PAID, CLAIM_PAID]
