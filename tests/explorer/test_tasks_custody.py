"""What waits for bank and auditors about an account."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.balance_confirm import CONFIRM_DAYS
from chain.contract.call_base import CallPart
from chain.contract.context import DAY_MS
from chain.contract.freeze import END_DAYS
from chain.contract.money_calls import BalanceConfirm, StatementPost, StatementResolve
from chain.crypto import sha256
from explorer.represent import format_day
from explorer.tasks import read_tasks
from tests.explorer.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "db")
    world.add(step_ms=DAY_MS)
    yield world
    world.close()


def list_tasks(world: World) -> dict[str, dict[str, object]]:
    """Return the tasks by kind and organisations."""
    snapshot = world.reader.open_snapshot()
    rows = list(read_tasks(snapshot, "demo")(None, False, 0))
    snapshot.close()
    return {
        " ".join([task.kind, *task.organisations]): {"due": task.due, "roles": task.roles, "late": task.is_overdue}
        for _, task in rows
    }


def send(world: World, name: str, call: CallPart) -> None:
    world.add(world.sign(call, world.keys[name]))  # type: ignore[arg-type]


def build_statement(world: World, closing: int) -> StatementPost:
    day = world.today - 1
    return StatementPost(
        account="demo-account",
        from_day=day,
        to_day=day,
        opening=0,
        closing=closing,
        in_count=0,
        in_sum=0,
        out_count=0,
        out_sum=0,
        file_hash=sha256(b"file"),
    )


def test_each_auditor_is_asked_for_its_own_letter(world: World) -> None:
    start = world.today - 1
    world.add(step_ms=DAY_MS)
    send(world, "custodian", replace(build_statement(world, 0), from_day=start))
    letter = BalanceConfirm(account="demo-account", day=start + 1, closing=0, letter_hash=sha256(b"letter"))
    send(world, "auditor-2", letter)
    assert list_tasks(world)["balance_confirm auditor-1"]["late"] is False
    world.add(step_ms=(start + CONFIRM_DAYS - world.today) * DAY_MS)
    tasks = list_tasks(world)
    assert [tasks[f"balance_confirm {name}"]["late"] for name in ("auditor-1", "auditor-2")] == [True, False]


def test_a_mismatch_asks_bank_and_auditor_and_then_the_other_auditor(world: World) -> None:
    statement = build_statement(world, 5)
    send(world, "custodian", statement)
    tasks = list_tasks(world)
    assert tasks["statement_resolve"]["roles"] == ["custodian", "auditor"]
    assert "cash_other" not in tasks
    call = StatementResolve(
        account="demo-account",
        span=0,
        opening=0,
        closing=0,
        in_count=0,
        in_sum=0,
        out_count=0,
        out_sum=0,
        file_hash=statement.file_hash,
        lines=(),
        reason_hash=sha256(b"reason"),
    )
    send(world, "custodian", call)
    tasks = list_tasks(world)
    assert tasks["sign_statement_resolve"]["roles"] == ["auditor"]
    send(world, "auditor-1", call)
    tasks = list_tasks(world)
    assert "statement_resolve" not in tasks
    assert tasks["statement_object auditor-2"]["late"] is False
    world.add(step_ms=3 * DAY_MS)
    assert not {"statement_resolve", "statement_object auditor-2"} & set(list_tasks(world))


def test_a_frozen_plan_says_until_when_it_can_be_mended(world: World) -> None:
    send(world, "custodian", build_statement(world, 5))
    world.add(step_ms=DAY_MS)
    frozen = world.today
    world.add(step_ms=10 * DAY_MS)
    assert list_tasks(world)["statement_resolve"]["due"] == format_day(frozen + END_DAYS)
