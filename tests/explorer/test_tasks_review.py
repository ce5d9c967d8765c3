"""Tasks about noticed claims: who rules on an objection, which firm looks again, until when."""

import httpx

from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimDecide,
    ObjectionFile,
    ObjectionRule,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import CLAIM, CLAIM_ASSIGNED, CLAIM_NOTICED, CLAIM_RECHECK, ClaimRecord
from chain.contract.context import DAY_MS
from chain.crypto import sha256
from tests.explorer.routes import read_tasks
from tests.explorer.world import World

DAYS_MAX = 40


def wait_for(world: World, claim_id: bytes, status: int) -> ClaimRecord:
    """Let days pass until a claim has a status."""
    for _ in range(DAYS_MAX):
        claim = world.chain.require(CLAIM, claim_id)
        if claim.status == status:
            return claim
        pass_days(world, 1)
    raise AssertionError(f"status {world.chain.require(CLAIM, claim_id).status} after {DAYS_MAX} days")


def pass_days(world: World, count: int) -> None:
    for _ in range(count):
        world.add(world.post_statement(), step_ms=DAY_MS)


def draw(world: World) -> None:
    """Let two other leaders reveal, so that what waits for a lot is drawn at the next 0:00."""
    for _ in range(2 * world.chain.genesis.parameters.tenure):
        world.add(step_ms=1)
    pass_days(world, 1)


def build_report(world: World, claim_id: bytes, firm: str) -> ReportReveal:
    claim = world.chain.require(CLAIM, claim_id)
    return ReportReveal(
        claim=claim_id,
        finding=1,
        established_day=claim.diagnosed_day,
        row=claim.asked_row,
        clauses=("4.1",),
        report_root=sha256(firm.encode()),
        salt=sha256(b"salt" + firm.encode()),
    )


def bring_to_notice(world: World) -> bytes:
    """Let a claim be filed, investigated, approved and noticed."""
    filed = world.file_claim(2)
    world.add(filed)
    claim_id = bytes(filed.tx_id)
    draw(world)
    claim = wait_for(world, claim_id, CLAIM_ASSIGNED)
    reports = {firm.organisation: build_report(world, claim_id, firm.organisation) for firm in get_active(claim)}
    world.add(*(world.sign(AssessorAccept(claim=claim_id), world.keys[firm]) for firm in reports))
    seals = {firm: ReportCommit(claim=claim_id, hash=hash_report(firm, report)) for firm, report in reports.items()}
    world.add(*(world.sign(seal, world.keys[firm]) for firm, seal in seals.items()))
    world.add(*(world.sign(report, world.keys[firm]) for firm, report in reports.items()))
    certificate = CertificateAttach(claim=claim_id, source=0, document_hash=sha256(b"record"))
    decision = ClaimDecide(claim=claim_id, is_approved=True, row=claim.asked_row, clauses=())
    world.add(world.sign(certificate, world.keys["hospital"]), world.sign(decision, world.keys["platform"]))
    wait_for(world, claim_id, CLAIM_NOTICED)
    return claim_id


async def test_an_objection_asks_an_auditor_and_once_admitted_a_firm(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    # Who objects is covered, behind the waiting period.
    pass_days(world, 60)
    claim_id = bring_to_notice(world)
    call = ObjectionFile(member=world.members[3], claim=claim_id, evidence_hash=sha256(b"seen"))
    objection = world.sign(call, world.member_key(3))
    world.add(objection)
    (task,) = await read_tasks(client, "objection_rule")
    assert (task["roles"], task["subject"], task["is_overdue"]) == (["auditor"], objection.tx_id.hex(), False)
    assert task["on_silence"] == "it is dismissed"
    assert not await read_tasks(client, "report_reveal")
    world.add(world.sign(ObjectionRule(objection=objection.tx_id, is_admitted=True), world.keys["auditor-1"]))
    assert not await read_tasks(client, "objection_rule")
    draw(world)
    claim = wait_for(world, claim_id, CLAIM_RECHECK)
    firm = get_active(claim)[-1].organisation
    (task,) = await read_tasks(client, "report_reveal")
    assert (task["roles"], task["organisations"]) == (["assessor"], [firm])
    assert task["on_silence"] == "another firm is drawn"
    world.add(world.sign(build_report(world, claim_id, firm), world.keys[firm]))
    assert not await read_tasks(client, "report_reveal")
