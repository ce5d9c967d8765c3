"""The demo's people and institutions on a ledger in this process: every check of the verdict, without a network."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from chain.contract.appeal_tables import APPEAL, APPEAL_DISMISSED, DECIDER_JURY
from chain.contract.claim_review_tables import (
    CLAIM_REVIEW,
    OBJECTION,
    OBJECTION_STATUS_NAMES,
    REAUDIT,
    REAUDIT_OUTCOME_NAMES,
)
from chain.contract.claim_tables import CLAIM, CLAIM_CLEAN, CLAIM_PAID
from chain.contract.custody_tables import (
    DEPOSIT,
    INSTRUCTION,
    INSTRUCTION_AID,
    INSTRUCTION_FEE,
    INSTRUCTION_SETTLED,
)
from chain.contract.member_key_tables import HOLDER_ESTATE
from chain.contract.money_tables import CONFIRMATION, RECALL
from chain.contract.tables import MEMBER, MEMBER_DIED, MemberRecord
from chain.contract.version_tables import VERSION_ACTIVE, VERSION_CLOSED, VERSION_STATE
from chain.genesis import Parameters
from node import profile
from node.demo.checks import run_checks
from node.demo.figures import load_plan
from node.demo.population import derive_key
from node.demo.report import Report
from node.demo.stage import Cast, Stage, build_cast
from node.demo.world import World
from tests.node.local_chain import LocalBackend, LocalChain, build_genesis, build_keys, build_report

DAY_MS = 86_400_000
START_MS = 1_766_970_000_000
JOINING_MS = 20_000


class SeededRandomness:
    """Stands for the system's randomness: from it follow ciphertexts and ids, and from those all lots of the year."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def token_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


async def play(
    path: Path,
    *,
    days: int,
    members: int,
    seed: int = 1,
    encore_days: int = 0,
    inspect: Callable[[LocalChain, Cast], None] | None = None,
) -> tuple[Stage, Report]:
    fast = START_MS + JOINING_MS
    clock = ((START_MS, START_MS), (fast, fast), (fast + days * 700, fast + days * DAY_MS))
    genesis = build_genesis(
        load_plan("plan-demo"),
        time_ms=START_MS,
        clock=clock,
        parameters=Parameters(idle_interval_ms=250, tenure=10, validity_window_ms=14 * DAY_MS),
    )
    chain = LocalChain(genesis, path)
    cast, world = build_cast(genesis, build_keys(), seed=seed, members=members, days=days)
    backend = LocalBackend(chain, wall_ms=START_MS)
    randomness = SeededRandomness(seed)
    stage = Stage(
        backend,
        cast,
        world,
        chain_id=chain.chain_id,
        validity_ms=10 * DAY_MS,
        draw_nonce=partial(randomness.token_bytes, 16),
    )
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(profile, "secrets", randomness)
    try:
        await perform(stage, backend, days=days, encore_days=encore_days)
    finally:
        monkeypatch.undo()
    report = build_report(chain)
    if inspect is not None:
        inspect(chain, cast)
    chain.close()
    return stage, report


async def perform(stage: Stage, backend: LocalBackend, *, days: int, encore_days: int) -> None:
    world = stage.world
    while world.demo_day < days:
        await stage.tick()
    for _ in range(8):
        await stage.tick()
    backend.step_ms = DAY_MS // 4
    while world.demo_day < days + encore_days:
        await stage.tick()


def get_failing(stage: Stage, report: Report, days: int) -> list[str]:
    cast = stage.cast
    checks = run_checks(report, cast.bank.books, sent_in=cast.registry.paid_in, codes=stage.codes, days=days)
    return [f"{check.name}: {check.detail}" for check in checks if not check.is_met]


async def test_a_hundred_and_forty_days_end_with_every_check_met(tmp_path: Path) -> None:
    stage, report = await play(tmp_path / "db", days=140, members=300)
    assert get_failing(stage, report, 140) == []
    assert report.pool.settlements == 9
    assert set(stage.codes) == {"success"}, "an actor asked for something that the contract refuses"


async def test_the_bank_goes_on_posting_so_that_the_plan_never_freezes(tmp_path: Path) -> None:
    """Without a statement for twelve days the plan freezes (contract 5): the encore is three weeks of real time."""
    stage, report = await play(tmp_path / "db", days=20, members=60, encore_days=21)
    assert report.plan_status == "active"
    assert stage.cast.bank.books.closed_day >= stage.world.today - 2


def get_chosen(chain: LocalChain, cast: Cast, part: str) -> tuple[int, MemberRecord]:
    """Return (number, record) of the member to whom something happened."""
    membership = cast.members.choose(part, World(plan_name="demo", utc_offset_minutes=480, start_day=0))
    assert membership is not None, part
    assert membership.member is not None
    return membership.person.number, chain.require(MEMBER, membership.member)


def check_keys_and_accounts(chain: LocalChain, cast: Cast) -> None:
    """A lost key, one that others vouched for, a grown child's, the account of an heir, and one that was closed."""
    for part in ("recovery", "rekey", "hand-over"):
        number, member = get_chosen(chain, cast, part)
        assert member.key == derive_key(1, "second key", number).public_key, part
        assert member.guardian is None
    _, dead = get_chosen(chain, cast, "death")
    assert (dead.status, dead.cash, dead.holder_kind) == (MEMBER_DIED, 0, HOLDER_ESTATE)
    retried = [record for _, record in chain.scan(INSTRUCTION, arity=1) if record.attempt]
    assert [(record.kind, record.state) for record in retried] == [(INSTRUCTION_AID, INSTRUCTION_SETTLED)]
    assert retried[0].claim is not None
    assert chain.require(CLAIM, retried[0].claim).status in {CLAIM_PAID, CLAIM_CLEAN}
    assert cast.registry.closed_accounts == [retried[0].claim]


def check_doubts(chain: LocalChain, cast: Cast) -> None:
    """Two objections, a recheck, a jury that voted, and second looks at paid claims."""
    objections = sorted(OBJECTION_STATUS_NAMES[record.status] for _, record in chain.scan(OBJECTION, arity=1))
    assert objections == ["admitted", "dismissed"]
    assert [review.rechecks for _, review in chain.scan(CLAIM_REVIEW, arity=1) if review.rechecks] == [1]
    ((_, appeal),) = chain.scan(APPEAL, arity=1)
    assert (appeal.status, appeal.decider, appeal.round) == (APPEAL_DISMISSED, DECIDER_JURY, 1)
    assert appeal.jurors // 2 < appeal.revealed == appeal.committed < appeal.jurors, "somebody stays away"
    assert 0 < appeal.upheld < appeal.revealed
    looks = {REAUDIT_OUTCOME_NAMES[record.outcome] for _, record in chain.scan(REAUDIT, arity=1)}
    assert "clean" in looks
    assert looks <= {"clean", "open"}
    assert cast.registry.agreements.waiting == 0


def check_money_and_rules(chain: LocalChain, cast: Cast) -> None:
    """What strangers sent, what the bank paid, what the platform earned, and who signed which rules."""
    _, owner = get_chosen(chain, cast, "match")
    deposits = [record for _, record in chain.scan(DEPOSIT, arity=3) if record.deposit_code == 0 and record.member]
    assert [chain.require(MEMBER, record.member).deposit_code for record in deposits if record.member] == [
        owner.deposit_code
    ]
    assert all(record.taken == record.amount for record in deposits)
    ((_, recall),) = chain.scan(RECALL, arity=3)
    assert recall.taken == recall.amount, "it named nobody and was still there: nobody is short"
    assert [record.is_equal for _, record in chain.scan(CONFIRMATION, arity=2)] == [True, True]
    fees = [record for _, record in chain.scan(INSTRUCTION, arity=1) if record.kind == INSTRUCTION_FEE]
    assert {record.state for record in fees} == {INSTRUCTION_SETTLED}
    assert len(fees) == 4
    first, second = (chain.require(VERSION_STATE, "demo", number) for number in (0, 1))
    assert (first.status, second.status) == (VERSION_CLOSED, VERSION_ACTIVE)
    assert first.superseded_by is None, "another wording moves nobody by itself"
    by_version = Counter(record.version for _, record in chain.scan(MEMBER, arity=1))
    assert by_version[0] > by_version[1] > 50


@pytest.mark.slow
async def test_a_whole_year_shows_everything_that_the_demo_promises(tmp_path: Path) -> None:
    def inspect(chain: LocalChain, cast: Cast) -> None:
        check_keys_and_accounts(chain, cast)
        check_doubts(chain, cast)
        check_money_and_rules(chain, cast)

    stage, report = await play(tmp_path / "db", days=367, members=1_200, inspect=inspect)
    assert get_failing(stage, report, 367) == []
    assert report.pool.settlements == 24
    assert report.claims["paid"] > 30
    statuses = {member.status for member in report.members}
    assert {"left", "claimed_out", "refused", "aged_out"} <= statuses
    assert stage.cast.count_abandoned() == {}
    assert set(stage.codes) == {"success"}, "an actor asked for something that the contract refuses"
    # No case needs the panel: the jury votes.
    assert {call for call, count in report.calls.items() if count == 0} == {"appeal_rule"}
    receipts = report.credits
    assert min(receipts.matched, receipts.recalled, receipts.interest) > 0
    assert receipts.recalled_from_members == 0


async def test_the_same_seed_gives_the_same_chain_of_charges(tmp_path: Path) -> None:
    _, first = await play(tmp_path / "first", days=60, members=150, seed=3)
    _, second = await play(tmp_path / "second", days=60, members=150, seed=3)
    assert [record.per for record in first.settlements] == [record.per for record in second.settlements]
    assert first.pool == second.pool
    assert first.roots == second.roots, "with the same randomness not a byte may differ"


def flip_last_bit(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


async def test_a_forged_balance_or_record_is_found_by_the_checks(tmp_path: Path) -> None:
    """The checks must be able to fail: each is fed one wrong figure."""
    stage, report = await play(tmp_path / "db", days=75, members=300)
    assert get_failing(stage, report, 75) == []
    charged = next(place for place, record in enumerate(report.settlements) if record.per > 0)
    record = report.settlements[charged]
    forged = [
        replace(report, pool=replace(report.pool, carry=report.pool.carry + 1)),
        replace(report, pool=replace(report.pool, cash=report.pool.cash - 1)),
        replace(report, members=(replace(report.members[0], balance=10**9), *report.members[1:])),
        replace(report, credits=replace(report.credits, taken=report.credits.taken - 1)),
        replace(report, credits=replace(report.credits, matched=report.credits.matched + 1)),
        replace(report, credits=replace(report.credits, interest=report.credits.interest + 1)),
        replace(report, payouts=report.payouts[:-1]),
        replace(report, plan_status="frozen"),
        replace(report, roots=(*report.roots, replace(report.roots[0], node="other", state_root="00"))),
        replace(report, roots=()),
        *(
            replace(
                report,
                settlements=(
                    *report.settlements[:charged],
                    wrong,
                    *report.settlements[charged + 1 :],
                ),
            )
            for wrong in (
                replace(record, per=record.per + 1),
                replace(record, units=record.units - 1),
                replace(record, carry_after=record.carry_after + 1),
                replace(record, cost=record.cost - 1),
                replace(record, cases=record.cases + 1),
                replace(record, items=record.items[:-1]),
                replace(record, members=record.members + 1),
                replace(record, proofs=record.proofs[:-1]),
                replace(record, proofs=(flip_last_bit(record.proofs[0]), *record.proofs[1:])),
                replace(record, tree_root=report.settlements[charged - 1].tree_root),
            )
        ),
    ]
    for place, wrong_report in enumerate(forged):
        assert get_failing(stage, wrong_report, 75), f"forgery {place} was not found"
