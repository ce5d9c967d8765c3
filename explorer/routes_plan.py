"""Routes of plans: rules, members, claims, settlements, payouts."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from msgspec import Struct
from starlette.responses import Response

from chain.contract.claim_tables import CLAIM, CLAIM_STATUS_NAMES, ClaimRecord
from chain.contract.custody_tables import (
    INSTRUCTION,
    INSTRUCTION_KIND_NAMES,
    INSTRUCTION_STATE_NAMES,
    InstructionRecord,
)
from chain.contract.settlement_tables import SETTLEMENT, SettlementRecord
from chain.contract.tables import MEMBER, PLAN, POOL, VERSION, MemberRecord, PlanRecord
from chain.state import KeyPart, Table
from explorer.answering import Answer, Answering
from explorer.answers_plan import (
    ClaimPage,
    MemberPage,
    PayoutPage,
    PlanPage,
    SettlementAnswer,
    SettlementPage,
)
from explorer.pagination import Rows, read_window
from explorer.parameters import (
    ClaimsQuery,
    HexId,
    MembersQuery,
    PageQuery,
    PayoutsQuery,
    PlanName,
    ReadQuery,
    SettlementsQuery,
)
from explorer.privacy import is_payee_withheld
from explorer.problems import FieldError, ProblemError
from explorer.reader import ChainSnapshot, Record
from explorer.views_chain import require, require_asked
from explorer.views_claim import build_claim, build_claim_summary, build_payout, build_settlement
from explorer.views_plan import (
    PoolReader,
    build_member,
    build_member_summary,
    build_plan,
    build_plan_summary,
)
from explorer.views_review import read_review

V = TypeVar("V", bound=Struct)


def build_plan_router(answering: Answering) -> APIRouter:
    """Return the routes of plans, members and claims."""
    router = APIRouter(prefix="/v1", tags=["plans"])

    @router.get("/plans", operation_id="listPlans", summary="Plans by name")
    async def list_plans(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_plans, answering, query))

    @router.get("/plans/{plan}", operation_id="getPlan", summary="One plan with its rules and pools")
    async def get_plan(
        request: Request, plan: Annotated[PlanName, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            return Answer(body=build_plan(snapshot, plan, require_asked(snapshot, PLAN, {"plan": plan})))

        return await answering.read(request, query, read)

    @router.get("/members", operation_id="listMembers", summary="Members by pseudonym")
    async def list_members(request: Request, query: Annotated[MembersQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_members, answering, query))

    @router.get("/members/{member}", operation_id="getMember", summary="One member, by pseudonym")
    async def get_member(
        request: Request, member: Annotated[HexId, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            member_id = bytes.fromhex(member)
            record = require_asked(snapshot, MEMBER, {"member": member_id})
            return Answer(body=build_member(PoolReader(snapshot), member_id, record))

        return await answering.read(request, query, read)

    @router.get("/claims", operation_id="listClaims", summary="Claims by id")
    async def list_claims(request: Request, query: Annotated[ClaimsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_claims, answering, query))

    @router.get("/claims/{claim}", operation_id="getClaim", summary="One claim, never whose it is")
    async def get_claim(
        request: Request, claim: Annotated[HexId, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            claim_id = bytes.fromhex(claim)
            record = require_asked(snapshot, CLAIM, {"claim": claim_id})
            return Answer(body=build_claim(claim_id, record, read_review(snapshot, claim_id)))

        return await answering.read(request, query, read)

    return router


def build_money_router(answering: Answering) -> APIRouter:
    """Return the routes of settlements and payouts."""
    router = APIRouter(prefix="/v1", tags=["money"])

    @router.get("/settlements", operation_id="listSettlements", summary="Settlements, newest first within a pool")
    async def list_settlements(request: Request, query: Annotated[SettlementsQuery, Query()]) -> Response:
        if query.pool is not None and query.plan is None:
            error = FieldError(pointer="#/query/pool", detail="a pool's number needs its plan")
            raise ProblemError("parameter_invalid", errors=(error,))
        return await answering.read_list(request, query, partial(_read_settlements, answering, query))

    @router.get("/payouts", operation_id="listPayouts", summary="Instructions to the bank")
    async def list_payouts(request: Request, query: Annotated[PayoutsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_payouts, answering, query))

    return router


def scan_table(
    snapshot: ChainSnapshot, table: Table[V], *parts: KeyPart, arity: int, is_descending: bool = False
) -> Rows[tuple[Record, V]]:
    """Return the rows of a list over one table: by key, or against it where `is_descending`."""

    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[tuple[bytes, tuple[Record, V]]]:
        # State records have one version only, so the height at which the listing began changes nothing.
        del began
        is_reversed = is_backward != is_descending
        for record, value in snapshot.scan(table, *parts, arity=arity, start=start, is_reversed=is_reversed):
            yield record.key, (record, value)

    return read_rows


def _read_plans(answering: Answering, query: PageQuery, snapshot: ChainSnapshot) -> Answer:
    window = read_window(
        answering.cursors,
        query.build_list_query("listPlans"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, PLAN, arity=1),
    )
    items = []
    for record, plan in window.rows:
        name = str(record.parts[0])
        # A disclosed version may never come into force.
        version = require(snapshot, POOL, name, 0).version
        items.append(build_plan_summary(name, plan, require(snapshot, VERSION, name, version).terms))
    return Answer(body=PlanPage(items=items, page=window.page), page=window.page)


def _get_total(
    snapshot: ChainSnapshot, *, plan: str | None, is_filtered: bool, count: Callable[[PlanRecord], int]
) -> int | None:
    """Return the length of a plan's list where its record counts it; None where it would take a scan."""
    if plan is None or is_filtered:
        return None
    record = snapshot.read(PLAN, plan)
    return 0 if record is None else count(record)


def _read_members(answering: Answering, query: MembersQuery, snapshot: ChainSnapshot) -> Answer:
    pools = PoolReader(snapshot)

    def is_accepted(row: tuple[Record, MemberRecord]) -> bool:
        member = row[1]
        if query.plan is not None and member.plan != query.plan:
            return False
        return query.status is None or pools.compute_condition(member).status == query.status

    window = read_window(
        answering.cursors,
        query.build_list_query("listMembers"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, MEMBER, arity=1),
        is_accepted=is_accepted,
        total=_get_total(
            snapshot,
            plan=query.plan,
            is_filtered=query.status is not None,
            count=lambda plan: plan.members_applied,
        ),
    )
    items = [build_member_summary(pools, _get_id(record), member) for record, member in window.rows]
    return Answer(body=MemberPage(items=items, page=window.page), page=window.page)


def _get_id(record: Record) -> bytes:
    part = record.parts[0]
    return part if isinstance(part, bytes) else b""


def _read_claims(answering: Answering, query: ClaimsQuery, snapshot: ChainSnapshot) -> Answer:
    def is_accepted(row: tuple[Record, ClaimRecord]) -> bool:
        claim = row[1]
        if query.plan is not None and claim.plan != query.plan:
            return False
        return query.status is None or CLAIM_STATUS_NAMES[claim.status] == query.status

    window = read_window(
        answering.cursors,
        query.build_list_query("listClaims"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, CLAIM, arity=1),
        is_accepted=is_accepted,
        total=_get_total(
            snapshot,
            plan=query.plan,
            is_filtered=query.status is not None,
            count=lambda plan: plan.claims_filed,
        ),
    )
    items = [build_claim_summary(_get_id(record), claim) for record, claim in window.rows]
    return Answer(body=ClaimPage(items=items, page=window.page), page=window.page)


def _read_settlements(answering: Answering, query: SettlementsQuery, snapshot: ChainSnapshot) -> Answer:
    parts: tuple[KeyPart, ...] = ()
    if query.plan is not None:
        parts = (query.plan,) if query.pool is None else (query.plan, query.pool)
    window = read_window(
        answering.cursors,
        query.build_list_query("listSettlements"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, SETTLEMENT, *parts, arity=3, is_descending=True),
    )
    items = [_build_settlement_row(record, value, query.proofs) for record, value in window.rows]
    return Answer(body=SettlementPage(items=items, page=window.page), page=window.page)


def _build_settlement_row(record: Record, value: SettlementRecord, has_proofs: bool) -> SettlementAnswer:
    plan, pool, number = record.parts
    return build_settlement(plan=str(plan), pool=int(pool), number=int(number), record=value, has_proofs=has_proofs)


def _read_payouts(answering: Answering, query: PayoutsQuery, snapshot: ChainSnapshot) -> Answer:
    member = None if query.member is None else bytes.fromhex(query.member)
    claim = None if query.claim is None else bytes.fromhex(query.claim)
    if member is not None and claim is not None:
        # Asked for together, they would answer whether they belong together (contract 6).
        errors = (
            FieldError(pointer="#/query/member", detail="not together with claim"),
            FieldError(pointer="#/query/claim", detail="not together with member"),
        )
        raise ProblemError("parameter_invalid", errors=errors)

    def is_accepted(row: tuple[Record, InstructionRecord]) -> bool:
        payout = row[1]
        return (
            (query.plan is None or payout.plan == query.plan)
            and (query.kind is None or INSTRUCTION_KIND_NAMES[payout.kind] == query.kind)
            and (query.state is None or INSTRUCTION_STATE_NAMES[payout.state] == query.state)
            and (claim is None or payout.claim == claim)
            and (member is None or (payout.member == member and not is_payee_withheld(payout)))
        )

    window = read_window(
        answering.cursors,
        query.build_list_query("listPayouts"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, INSTRUCTION, arity=1),
        is_accepted=is_accepted,
    )
    items = [build_payout(_get_id(record), payout) for record, payout in window.rows]
    return Answer(body=PayoutPage(items=items, page=window.page), page=window.page)
