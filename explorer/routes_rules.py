"""Routes of rule versions, and of the contract's source that this node runs."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from chain.contract.tables import PLAN, VERSION
from chain.round_record import PROTOCOL, get_protocol_version
from explorer.answering import Answer, Answering
from explorer.answers_rules import ContractAnswer, RulesPage, SourceFileAnswer
from explorer.pagination import ListQuery, read_window
from explorer.parameters import PageQuery, PlanName, ReadQuery
from explorer.problems import ProblemError
from explorer.reader import ChainSnapshot
from explorer.routes_plan import scan_table
from explorer.views_chain import require, require_asked
from explorer.views_rules import RulesReader


def build_rules_router(answering: Answering) -> APIRouter:
    """Return the routes of rules and contract."""
    router = APIRouter(prefix="/v1", tags=["plans"])

    @router.get("/plans/{plan}/rules", operation_id="listRules", summary="Every version of a plan's rules, by number")
    async def list_rules(
        request: Request, plan: Annotated[PlanName, Path()], query: Annotated[PageQuery, Query()]
    ) -> Response:
        return await answering.read_list(request, query, partial(_read_rules, answering, plan, query))

    @router.get("/contract", operation_id="getContract", summary="The contract's source that this node runs")
    async def get_contract(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            source = answering.settings.contract
            if source is None:
                raise ProblemError("not_found", values={"contract": "source"})
            body = ContractAnswer(
                protocol_version=get_protocol_version(require(snapshot, PROTOCOL), snapshot.head.height + 1),
                software_version=answering.settings.software_version,
                source_hash=source.source_hash,
                files=[SourceFileAnswer(path=path, sha256=digest) for path, digest in source.files],
            )
            return Answer(body=body)

        return await answering.read(request, query, read)

    return router


def _read_rules(answering: Answering, plan: str, query: PageQuery, snapshot: ChainSnapshot) -> Answer:
    record = require_asked(snapshot, PLAN, {"plan": plan})
    asked = query.build_list_query("listRules")
    window = read_window(
        answering.cursors,
        ListQuery(name=asked.name, filters=(*asked.filters, ("plan", plan)), limit=asked.limit, cursor=asked.cursor),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, VERSION, plan, arity=2),
        total=record.versions,
    )
    reader = RulesReader(snapshot, plan, record)
    items = [reader.build(int(row.parts[1]), version) for row, version in window.rows]
    return Answer(body=RulesPage(items=items, page=window.page), page=window.page)
