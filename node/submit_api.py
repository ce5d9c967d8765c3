"""The submit API: signed transactions, batches and detached blobs come in here (api.md, Submitting).

Nothing is decided here: a `Submitter` (the node) admits, journals and gossips. This module reads the exact
bytes, and tells what became of them. Bodies are raw bytes, msgpack or JSON, bounded before they are parsed;
forms are never parsed (pitfalls A4, A5).

    POST /v1/transactions         octet-stream: the signed bytes      json: {"signed_tx": base64}
    POST /v1/transactions:batch   octet-stream: msgpack array of bin  json: {"signed_txs": [base64, ...]}
    PUT  /v1/blobs/{sha256}       octet-stream: the blob
"""

import re
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Path, Request
from msgspec import UNSET, Meta, Struct
from starlette.responses import Response

from chain.crypto import sha256 as compute_sha256
from chain.errors import GongjiError
from chain.types import TxId
from explorer.answering import JSON_MEDIA_TYPE
from explorer.answers_submit import BatchAnswer, BatchItemAnswer, BlobAnswer
from explorer.parameters import HexId
from explorer.problems import ERRORS_MAX, ERRORS_TEXT_MAX, FieldError, ProblemError, build_pointer, get_header
from explorer.reader import Entry, TransactionStatus
from explorer.represent import format_time
from explorer.settings import HttpLimits
from explorer.views_chain import build_outcome, build_pending, build_transaction

T = TypeVar("T")
OCTETS = "application/octet-stream"
BATCH_ITEMS_DECODED_MAX = 100_000
"""Items that are decoded at all; the limit of the API is lower and answered with its number."""
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,9})\"?(?=$|[,;\s])", re.ASCII | re.IGNORECASE)


class SubmitResult(Struct, frozen=True):
    """What became of the bytes of one transaction."""

    tx_id: TxId | None
    """None only where the bytes could not be read."""
    status: str
    """refused (never entered the pool), received, pending, committed, rejected or expired."""
    valid_until_ms: int = 0
    is_replayed: bool = False
    """The node knew these bytes before."""
    refusal: GongjiError | None = None
    """Why it was refused."""
    code: str | None = None
    """Catalogue code of a rejection."""
    retry_after_s: int | None = None
    """Of a refusal that passes: a full pool or a quota."""
    entry: Entry | None = None
    """Of a committed one: its place in the log."""
    block_ms: int = 0
    """Of a committed one: time of its block."""


class HeldBlob(Struct, frozen=True):
    """A detached blob that waits for its transaction."""

    held_until_ms: int
    """Wall time."""
    is_replayed: bool
    """It was here before."""


class Submitter(Protocol):
    """What takes transactions in: the node."""

    async def submit(self, raw: bytes, wait_ms: int) -> SubmitResult:
        """Admit one transaction; durable and on its way before this returns, final if that happens in
        `wait_ms`.

        Where too many callers wait already, it returns without waiting.
        """

    async def submit_batch(self, raws: Sequence[bytes], wait_ms: int) -> list[SubmitResult]:
        """Admit many independent transactions with one journal sync; one result for each, in order.

        With `wait_ms` it returns when all of them are final, at the latest after that time.
        """

    async def put_blob(self, blob_hash: bytes, data: bytes) -> HeldBlob:
        """Hold a blob whose hash was checked; raise `Refusal` (quota_exceeded, pool_full) where there is no
        room."""


class _JsonTransaction(Struct, forbid_unknown_fields=True):
    signed_tx: bytes


class _JsonBatch(Struct, forbid_unknown_fields=True):
    signed_txs: Annotated[list[bytes], Meta(max_length=BATCH_ITEMS_DECODED_MAX)]


_json_transaction = msgspec.json.Decoder(_JsonTransaction)
_json_batch = msgspec.json.Decoder(_JsonBatch)
_octets_batch: "msgspec.msgpack.Decoder[list[bytes]]" = msgspec.msgpack.Decoder(
    Annotated[list[bytes], Meta(max_length=BATCH_ITEMS_DECODED_MAX)]
)
_SINGLE_BODY = {
    "required": True,
    "content": {
        OCTETS: {
            "schema": {
                "type": "string",
                "contentMediaType": OCTETS,
                "description": "The exact signed bytes, at most 64 KiB.",
            }
        },
        JSON_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["signed_tx"],
                "additionalProperties": False,
                "properties": {"signed_tx": {"type": "string", "contentEncoding": "base64"}},
                "description": "The same bytes in Base64.",
            },
            "example": {"signed_tx": "kpYBxCA="},
        },
    },
}
_BATCH_BODY = {
    "required": True,
    "content": {
        OCTETS: {
            "schema": {
                "type": "string",
                "contentMediaType": OCTETS,
                "description": "A msgpack array of the signed bytes (bin), at most 1,000: the cheapest way.",
            }
        },
        JSON_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["signed_txs"],
                "additionalProperties": False,
                "properties": {
                    "signed_txs": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}
                },
                "description": "The same in Base64.",
            },
            "example": {"signed_txs": ["kpYBxCA="]},
        },
    },
}
_BLOB_BODY = {
    "required": True,
    "content": {
        OCTETS: {
            "schema": {
                "type": "string",
                "contentMediaType": OCTETS,
                "description": "The blob, at most 16 KiB; the path names its SHA-256.",
            }
        }
    },
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=10` (RFC 7240): wait up to so many seconds for the result.",
    "schema": {"type": "string"},
}


def build_submit_router(submitter: Submitter, limits: HttpLimits) -> APIRouter:
    """Return the routes that take transactions in."""
    router = APIRouter(prefix="/v1", tags=["submit"])

    @router.post(
        "/transactions",
        operation_id="submitTransaction",
        summary="Hand in one signed transaction",
        openapi_extra={"requestBody": _SINGLE_BODY, "parameters": [_PREFER]},
    )
    async def submit(request: Request) -> Response:
        refuse_parameters(request)
        body = await request.body()
        raw = body if _get_media_type(request) == OCTETS else decode_json(_json_transaction, body).signed_tx
        wait_ms = parse_wait_ms(get_header(request.scope, b"prefer"), limits.wait_ms_max)
        result = await submitter.submit(raw, wait_ms or 0)
        return _build_single(result, is_wait_applied=wait_ms is not None)

    @router.post(
        "/transactions:batch",
        operation_id="submitBatch",
        summary="Hand in up to 1,000 signed transactions",
        openapi_extra={"requestBody": _BATCH_BODY, "parameters": [_PREFER]},
    )
    async def submit_batch(request: Request) -> Response:
        refuse_parameters(request)
        body = await request.body()
        raws = _decode_octets(body) if _get_media_type(request) == OCTETS else decode_json(_json_batch, body).signed_txs
        if len(raws) > limits.batch_items_max:
            raise ProblemError("too_large", values={"items": len(raws), "items_max": limits.batch_items_max})
        wait_ms = parse_wait_ms(get_header(request.scope, b"prefer"), limits.wait_ms_max)
        results = await submitter.submit_batch(raws, wait_ms or 0)
        headers = {"cache-control": "no-store"}
        if wait_ms is not None:
            headers["preference-applied"] = "wait"
        return Response(msgspec.json.encode(build_batch(results)), headers=headers, media_type=JSON_MEDIA_TYPE)

    @router.put(
        "/blobs/{sha256}",
        operation_id="putBlob",
        summary="Hand in a detached blob before its transaction",
        openapi_extra={"requestBody": _BLOB_BODY},
    )
    async def put_blob(request: Request, sha256: Annotated[HexId, Path()]) -> Response:
        refuse_parameters(request)
        data = await request.body()
        if _get_media_type(request) != OCTETS:
            raise _refuse_media_type(OCTETS)
        return await _put_blob(submitter, sha256, data)

    return router


async def _put_blob(submitter: Submitter, name: str, data: bytes) -> Response:
    found = compute_sha256(data)
    if found.hex() != name:
        raise ProblemError("blob_mismatch", values={"expected": name, "found": found.hex()})
    held = await submitter.put_blob(found, data)
    body = BlobAnswer(hash=name, bytes=len(data), held_until=format_time(held.held_until_ms))
    headers = {"idempotent-replayed": "true"} if held.is_replayed else {}
    status = 200 if held.is_replayed else 201
    return Response(msgspec.json.encode(body), status, headers=headers, media_type=JSON_MEDIA_TYPE)


def parse_wait_ms(prefer: str, wait_ms_max: int) -> int | None:
    """Return the wait that a Prefer header (RFC 7240) asks for, bounded; None where it asks for none.

    A preference is a wish: one that cannot be read is passed over, as the RFC wants it, and never an error.
    """
    found = _WAIT.search(prefer[:200])
    return None if found is None else min(int(found[1]) * 1_000, wait_ms_max)


def build_batch(results: Sequence[SubmitResult]) -> BatchAnswer:
    """Return the answer to a batch."""
    refused = sum(result.refusal is not None for result in results)
    return BatchAnswer(
        items=[_build_item(index, result) for index, result in enumerate(results)],
        accepted=len(results) - refused,
        refused=refused,
    )


def _build_item(index: int, result: SubmitResult) -> BatchItemAnswer:
    tx_id = None if result.tx_id is None else result.tx_id.hex()
    refusal = result.refusal
    if refusal is not None:
        return BatchItemAnswer(
            index=index,
            tx_id=tx_id,
            status="refused",
            code=refusal.code,
            detail=refusal.detail,
            retryable=refusal.entry.retryable,
        )
    if result.entry is None:
        return BatchItemAnswer(
            index=index,
            tx_id=tx_id,
            status=result.status,
            valid_until=format_time(result.valid_until_ms),
            is_replayed=result.is_replayed,
            code=UNSET if result.code is None else result.code,
        )
    outcome = build_outcome(result.entry.receipt.outcome)
    return BatchItemAnswer(
        index=index,
        tx_id=tx_id,
        status=result.status,
        valid_until=format_time(result.valid_until_ms),
        is_replayed=result.is_replayed,
        code=outcome.code,
        outcome=outcome.outcome,
        height=result.entry.height,
    )


def _build_single(result: SubmitResult, *, is_wait_applied: bool) -> Response:
    if result.refusal is not None:
        raise ProblemError(
            result.refusal.code,
            tx_id=None if result.tx_id is None else result.tx_id.hex(),
            retry_after_s=result.retry_after_s,
            values=result.refusal.values,
        )
    if result.tx_id is None:
        raise ProblemError("internal")
    headers = {"location": f"/v1/transactions/{result.tx_id.hex()}", "cache-control": "no-store"}
    if result.is_replayed:
        headers["idempotent-replayed"] = "true"
    if is_wait_applied:
        headers["preference-applied"] = "wait"
    if result.entry is not None:
        # Whoever hands in the bytes of a withheld call knows what is in them, so nothing is withheld from this answer.
        answer = build_transaction(result.entry, result.block_ms, is_public=False)
        status = 200 if result.is_replayed else 201
    else:
        pending = TransactionStatus(status=result.status, valid_until_ms=result.valid_until_ms, code=result.code)
        answer = build_pending(result.tx_id, pending)
        status = 202 if result.status in {"received", "pending"} else 200
    return Response(msgspec.json.encode(answer), status, headers=headers, media_type=JSON_MEDIA_TYPE)


def _decode_octets(body: bytes) -> list[bytes]:
    try:
        return _octets_batch.decode(body)
    except msgspec.DecodeError as error:
        raise _refuse_body(str(error)) from None


def decode_json(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Return the JSON body of a request; raise `ProblemError` malformed with what is wrong in it."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse_body(str(error)) from None


def _refuse_body(reason: str) -> ProblemError:
    return ProblemError("malformed", errors=(FieldError(pointer="#/body", detail=reason[:ERRORS_TEXT_MAX]),))


def refuse_parameters(request: Request) -> None:
    """Raise `ProblemError` where a request that takes no parameters has any."""
    # By hand: a model of no parameters costs a tenth of a whole request here, where it counts.
    if request.scope["query_string"]:
        named = [name for name, _ in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)]
        errors = tuple(
            FieldError(pointer=build_pointer("query", name), detail="there is no such parameter")
            for name in named[:ERRORS_MAX]
        )
        raise ProblemError("parameter_unknown", errors=errors)


def _get_media_type(request: Request) -> str:
    media_type = get_header(request.scope, b"content-type").partition(";")[0].strip().lower()
    if media_type not in {OCTETS, JSON_MEDIA_TYPE}:
        raise _refuse_media_type(f"{OCTETS} or {JSON_MEDIA_TYPE}")
    return media_type


def _refuse_media_type(supported: str) -> ProblemError:
    return ProblemError("media_type", values={"supported": supported})
