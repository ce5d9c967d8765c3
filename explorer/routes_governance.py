"""Routes of the consortium's government: proposals with every vote, organisations."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from chain.contract.governance_tables import (
    CONSORTIUM,
    PROPOSAL,
    PROPOSAL_NUMBER,
    PROPOSAL_STATUS_NAMES,
    ProposalNumberRecord,
)
from chain.contract.tables import ORGANISATION, OrganisationRecord
from chain.genesis import ROLE_NAMES
from explorer.answering import Answer, Answering
from explorer.answers_governance import OrganisationPage, ProposalPage
from explorer.pagination import read_window
from explorer.parameters import HexId, OrganisationsQuery, ProposalsQuery, ReadQuery
from explorer.reader import ChainSnapshot, Record
from explorer.routes_plan import scan_table
from explorer.views_chain import require, require_asked
from explorer.views_governance import build_organisation, build_proposal


def build_governance_router(answering: Answering) -> APIRouter:
    """Return the routes of the government."""
    router = APIRouter(prefix="/v1", tags=["governance"])

    @router.get("/proposals", operation_id="listProposals", summary="Proposals with every vote, newest first")
    async def list_proposals(request: Request, query: Annotated[ProposalsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_proposals, answering, query))

    @router.get("/proposals/{proposal}", operation_id="getProposal", summary="One proposal")
    async def get_proposal(
        request: Request, proposal: Annotated[HexId, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            proposal_id = bytes.fromhex(proposal)
            record = require_asked(snapshot, PROPOSAL, {"proposal": proposal_id})
            return Answer(body=build_proposal(snapshot, proposal_id, record))

        return await answering.read(request, query, read)

    @router.get("/organisations", operation_id="listOrganisations", summary="Institutions by name, past ones too")
    async def list_organisations(request: Request, query: Annotated[OrganisationsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_organisations, answering, query))

    return router


def _read_proposals(answering: Answering, query: ProposalsQuery, snapshot: ChainSnapshot) -> Answer:
    def is_accepted(row: tuple[Record, ProposalNumberRecord]) -> bool:
        if query.status is None:
            return True
        record = require(snapshot, PROPOSAL, row[1].proposal)
        return PROPOSAL_STATUS_NAMES[record.status] == query.status

    window = read_window(
        answering.cursors,
        query.build_list_query("listProposals"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, PROPOSAL_NUMBER, arity=1, is_descending=True),
        is_accepted=is_accepted,
        total=require(snapshot, CONSORTIUM).proposals if query.status is None else None,
    )
    items = [
        build_proposal(snapshot, row.proposal, require(snapshot, PROPOSAL, row.proposal)) for _, row in window.rows
    ]
    return Answer(body=ProposalPage(items=items, page=window.page), page=window.page)


def _read_organisations(answering: Answering, query: OrganisationsQuery, snapshot: ChainSnapshot) -> Answer:
    def is_accepted(row: tuple[Record, OrganisationRecord]) -> bool:
        return query.role is None or ROLE_NAMES[row[1].role] == query.role

    window = read_window(
        answering.cursors,
        query.build_list_query("listOrganisations"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, ORGANISATION, arity=1),
        is_accepted=is_accepted,
    )
    items = [build_organisation(str(record.parts[0]), organisation) for record, organisation in window.rows]
    return Answer(body=OrganisationPage(items=items, page=window.page), page=window.page)
