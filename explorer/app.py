"""The web application of a node: routes, limits, problems and pages put together.

    EdgeMiddleware      ledger and security headers, request id, host names, HEAD, the node's own failures
    LimitsMiddleware    token buckets, body size and deadline
    FastAPI             routes; everything refused becomes a problem

Outside of it lies only the HTTP server, which bounds connections and headers (`node/http_server.py`).
"""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from chain.errors import GongjiError
from explorer.answering import Answering
from explorer.edge import EdgeMiddleware
from explorer.limits import LimitsMiddleware
from explorer.openapi import build_openapi
from explorer.pages import build_pages_router
from explorer.problems import ProblemError, ProblemWriter, convert_http_error, convert_validation_error
from explorer.reader import ChainReader, NodeStatus
from explorer.routes_chain import build_chain_router, build_transactions_router
from explorer.routes_governance import build_governance_router
from explorer.routes_health import build_health_router
from explorer.routes_plan import build_money_router, build_plan_router
from explorer.routes_rules import build_rules_router
from explorer.routes_work import build_work_router
from explorer.settings import API_VERSION, ExplorerSettings


def build_app(
    reader: ChainReader,
    status: NodeStatus,
    *,
    settings: ExplorerSettings,
    submit_routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the application; `submit_routers` are empty on a node that takes no transactions."""
    answering = Answering(reader, status, settings)
    problems = ProblemWriter(lambda: reader.get_head().height)
    # No generated pages and no redirects: both would load or believe things from outside (pitfalls A6, A13).
    app = FastAPI(
        title="Gongji",
        version=API_VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )

    async def answer_refusal(request: Request, error: Exception) -> Response:
        match error:
            case RequestValidationError():
                refusal: GongjiError = convert_validation_error(error)
            case HTTPException():
                refusal = convert_http_error(error, request.scope)
            case GongjiError():
                refusal = error
            case _:
                refusal = ProblemError("internal")
        return problems.build(request.scope, refusal)

    for kind in (RequestValidationError, HTTPException, GongjiError):
        app.add_exception_handler(kind, answer_refusal)
    for router in submit_routers:
        app.include_router(router)
    for router in (
        build_transactions_router(answering),
        build_chain_router(answering),
        build_plan_router(answering),
        build_rules_router(answering),
        build_money_router(answering),
        build_work_router(answering),
        build_governance_router(answering),
        build_health_router(answering),
    ):
        app.include_router(router)
    document = build_openapi(app)
    app.include_router(build_pages_router(answering, document))
    app.add_middleware(
        LimitsMiddleware,
        limits=settings.limits,
        problems=problems,
        get_monotonic_ns=settings.get_monotonic_ns,
    )
    app.add_middleware(
        EdgeMiddleware,
        get_head=reader.get_head,
        problems=problems,
        hosts=settings.hosts,
        report_damage=status.report_damage,
        get_monotonic_ns=settings.get_monotonic_ns,
        observe=settings.observe,
    )
    return app
