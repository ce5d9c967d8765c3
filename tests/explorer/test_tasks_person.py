"""Tasks about persons: who is asked, until when, and what silence does (api.md, tasks)."""

import httpx

from chain.contract.context import DAY_MS
from chain.contract.member_calls import (
    ErasureReceipt,
    ErasureReceiptItem,
    ErasureRequest,
    GhostAuditReport,
    IndexEpochOpen,
    VoidDecide,
    VoidOpen,
)
from chain.contract.person_tables import GHOST_DRAW
from chain.crypto import sha256
from tests.explorer.routes import read_tasks
from tests.explorer.world import World

POINT = sha256(b"point")


async def test_a_hearing_asks_the_member_then_one_auditor_after_the_other(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    member = world.members[3]
    call = VoidOpen(member=member, finding_root=POINT)
    world.add(*(world.sign(call, world.keys[name]) for name in ("platform", "assessor-1")))
    (task,) = await read_tasks(client, "void_answer")
    assert (task["roles"], task["subject"], task["is_overdue"]) == (["member"], member.hex(), False)
    for name in ("auditor-1", "auditor-2"):
        while [row["organisations"] for row in await read_tasks(client, "void_decide")] != [[name]]:
            world.add(world.post_statement(), step_ms=DAY_MS)
        assert not await read_tasks(client, "void_answer")
    (task,) = await read_tasks(client, "void_decide")
    assert task["on_silence"] == "the hearing is dismissed, for the member"
    world.add(world.sign(VoidDecide(member=member, is_void=True), world.keys["auditor-2"]))
    assert not await read_tasks(client, "void_decide")
    (task,) = await read_tasks(client, "appeal_file")
    assert task["on_silence"] == "the void is final"


async def test_a_pending_epoch_asks_bank_and_auditors_until_its_last_day(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    call = IndexEpochOpen(plan="demo", epoch=1, bank_point=POINT, auditor_point=POINT)
    world.add(*(world.sign(call, world.keys[name]) for name in ("custodian", "auditor-1")))
    (task,) = await read_tasks(client, "index_reissue")
    assert task["roles"] == ["custodian", "auditor"]
    due = task["due"]
    world.add(world.post_statement(), step_ms=DAY_MS)
    (task,) = await read_tasks(client, "index_reissue")
    assert task["due"] == due


async def test_a_drawn_sample_asks_its_auditor_and_once_overdue_any(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    (task,) = await read_tasks(client, "ghost_audit_report")
    assert (task["organisations"], task["is_overdue"]) == (["auditor-1"], False)
    for _ in range(45):
        world.add(world.post_statement(), step_ms=DAY_MS)
    tasks = await read_tasks(client, "ghost_audit_report")
    assert [(row["organisations"], row["is_overdue"]) for row in tasks] == [([], True)]
    size = len(world.chain.require(GHOST_DRAW, "demo", 0, 0).sample)
    report = GhostAuditReport(plan="demo", pool=0, draw=0, sample_size=size, found=size, report_root=POINT)
    world.add(world.sign(report, world.keys["auditor-2"]))
    assert not await read_tasks(client, "ghost_audit_report")


async def test_an_erasure_asks_those_who_have_not_confirmed(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    member = world.members[-1]
    for _ in range(60):
        world.add(world.post_statement(), step_ms=DAY_MS)
    world.add(world.sign(ErasureRequest(member=member, scope=0), world.keys["auditor-1"]))
    (task,) = await read_tasks(client, "erasure_receipt")
    assert task["organisations"] == ["platform", "custodian", "auditor-1", "auditor-2"]
    item = ErasureReceiptItem(member=member, scope=0)
    for name in ("custodian", "auditor-1", "platform"):
        world.add(world.sign(ErasureReceipt(items=(item,)), world.keys[name]))
    (task,) = await read_tasks(client, "erasure_receipt")
    assert (task["organisations"], task["roles"]) == (["auditor-2"], ["auditor"])
