"""The demo's people and institutions on a ledger in this process: every check of the verdict, without a network."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.genesis import Parameters
from node.demo.checks import run_checks
from node.demo.figures import load_plan
from node.demo.report import Report
from node.demo.stage import Stage, build_cast
from tests.node.local_chain import LocalBackend, LocalChain, build_genesis, build_keys, build_report

DAY_MS = 86_400_000
START_MS = 1_766_970_000_000
JOINING_MS = 20_000


async def play(path: Path, *, days: int, members: int, seed: int = 1, encore_days: int = 0) -> tuple[Stage, Report]:
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
    stage = Stage(backend, cast, world, chain_id=chain.chain_id, validity_ms=10 * DAY_MS)
    while world.demo_day < days:
        await stage.tick()
    for _ in range(8):
        await stage.tick()
    backend.step_ms = DAY_MS // 4
    while world.demo_day < days + encore_days:
        await stage.tick()
    report = build_report(chain)
    chain.close()
    return stage, report


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


@pytest.mark.slow
async def test_a_whole_year_shows_everything_that_the_demo_promises(tmp_path: Path) -> None:
    stage, report = await play(tmp_path / "db", days=367, members=1_200)
    assert get_failing(stage, report, 367) == []
    assert report.pool.settlements == 24
    assert report.claims["paid"] > 30
    statuses = {member.status for member in report.members}
    assert {"left", "claimed_out", "refused", "aged_out"} <= statuses
    assert stage.cast.count_abandoned() == {}


async def test_the_same_seed_gives_the_same_chain_of_charges(tmp_path: Path) -> None:
    _, first = await play(tmp_path / "first", days=60, members=150, seed=3)
    _, second = await play(tmp_path / "second", days=60, members=150, seed=3)
    assert [record.per for record in first.settlements] == [record.per for record in second.settlements]
    assert first.pool == second.pool


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
