"""Routes for operators: alive, ready, why there is no block, metrics (api.md, Operations)."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from explorer.answering import CACHE_MOVING, JSON_MEDIA_TYPE, Answer, Answering
from explorer.answers_chain import (
    ConditionAnswer,
    ConsensusAnswer,
    EvidenceAnswer,
    EvidencePage,
    LivenessAnswer,
    ReadinessAnswer,
    SignedBodyAnswer,
    TimerAnswer,
    ValidatorConditionAnswer,
)
from explorer.parameters import NoQuery, ReadQuery
from explorer.problems import ProblemError
from explorer.reader import ChainSnapshot, ConsensusCondition, EvidenceFound, SignedBody
from explorer.represent import format_time

NO_STORE = {"cache-control": "no-store"}
NOTE_MEDIA_TYPE = "text/plain; charset=utf-8"
"""Of a C2SP signed note."""


def build_health_router(answering: Answering) -> APIRouter:
    """Return the routes for operators."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", operation_id="getLiveness", summary="The process answers")
    async def get_liveness(query: Annotated[NoQuery, Query()]) -> Response:
        del query
        body = msgspec.json.encode(LivenessAnswer(status="alive"))
        return Response(body, media_type=JSON_MEDIA_TYPE, headers=NO_STORE)

    @router.get("/readyz", operation_id="getReadiness", summary="The node serves, or which condition fails")
    async def get_readiness(query: Annotated[NoQuery, Query()]) -> Response:
        del query
        conditions = [
            ConditionAnswer(name=condition.name, is_met=condition.is_met, detail=condition.detail)
            for condition in answering.status.get_readiness()
        ]
        failing = [condition.name for condition in conditions if not condition.is_met]
        if failing:
            raise ProblemError(
                "not_ready",
                retry_after_s=5,
                values={"failing": ", ".join(failing)},
                conditions=msgspec.to_builtins(conditions),
            )
        body = msgspec.json.encode(ReadinessAnswer(status="ready", conditions=conditions))
        return Response(body, media_type=JSON_MEDIA_TYPE, headers=NO_STORE)

    @router.get("/v1/consensus", operation_id="getConsensus", summary="Why there is no block now")
    async def get_consensus(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            del snapshot
            return Answer(body=_build_consensus(answering.status.get_consensus()))

        return await answering.read(request, query, read)

    @router.get("/v1/evidence", operation_id="listEvidence", summary="Proofs of faults: a validator signed twice")
    async def list_evidence(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            del snapshot
            return Answer(body=EvidencePage(items=[_build_evidence(item) for item in answering.status.list_evidence()]))

        return await answering.read(request, query, read)

    @router.get("/log/checkpoint", operation_id="getCheckpoint", summary="Newest cosigned checkpoint of the log")
    async def get_checkpoint(query: Annotated[NoQuery, Query()]) -> Response:
        del query
        note = answering.status.get_checkpoint()
        if note is None:
            raise ProblemError("not_found", values={"checkpoint": "none has been signed by more than f validators yet"})
        return Response(note, media_type=NOTE_MEDIA_TYPE, headers={"cache-control": CACHE_MOVING})

    @router.get("/metrics", operation_id="getMetrics", summary="Metrics in the text format of Prometheus")
    async def get_metrics(query: Annotated[NoQuery, Query()]) -> Response:
        del query
        body, media_type = answering.status.render_metrics()
        return Response(body, headers={"content-type": media_type, "cache-control": CACHE_MOVING})

    return router


def _build_evidence(found: EvidenceFound) -> EvidenceAnswer:
    return EvidenceAnswer(
        validator=found.key.hex(),
        organisation=found.organisation,
        height=found.height,
        view=found.view,
        kind=found.kind,
        found_at=format_time(found.found_ms),
        first=_build_signed(found.first),
        second=_build_signed(found.second),
    )


def _build_signed(message: SignedBody) -> SignedBodyAnswer:
    return SignedBodyAnswer(body=message.body.hex(), signed=message.signed.hex(), signature=message.signature.hex())


def _build_consensus(condition: ConsensusCondition) -> ConsensusAnswer:
    return ConsensusAnswer(
        height=condition.height,
        view=condition.view,
        mode=condition.mode,
        phase=condition.phase,
        reason=condition.reason,
        leader=condition.leader,
        quorum=condition.quorum,
        missing=list(condition.missing),
        pending=condition.pending,
        validators=[
            ValidatorConditionAnswer(
                index=validator.index,
                organisation=validator.organisation,
                is_connected=validator.is_connected,
                height=validator.height,
                view=validator.view,
                has_prepared=validator.has_prepared,
                has_committed=validator.has_committed,
                has_view_change=validator.has_view_change,
            )
            for validator in condition.validators
        ],
        timers=[TimerAnswer(name=timer.name, remaining_ms=timer.remaining_ms) for timer in condition.timers],
    )
