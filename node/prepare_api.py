"""For integrators without MessagePack: JSON in, the exact bytes to sign out, and a trial run of the rules (api.md).

    POST /v1/transactions:prepare    {"signer", "call"} -> the bytes to sign, the id, and what to put around a signature
    POST /v1/transactions:simulate   {"signed_tx"}      -> what it would do on the newest block; nothing is kept

A trial takes the signature of the signer, like the real thing: an outcome says whose claim it is, or who judges it, and
without one everybody could ask in the name of everybody. Its events are those that the receipt would show.

The node builds bytes and signs nothing. Who signs what a node has prepared trusts that node with the content, unless
he decodes the bytes himself; `call` of the answer is read back from these very bytes.
"""

import os
from base64 import b64encode
from contextlib import closing
from typing import TypeVar

import msgspec
from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chain.codec import encode
from chain.contract.context import Context
from chain.contract.rules import execute_call
from chain.crypto import sha256, signing_bytes
from chain.errors import GongjiError
from chain.genesis import compute_chain_id
from chain.receipt import Receipt
from chain.round_record import PARAMETERS, VALIDATORS
from chain.transaction import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_VERSION,
    Body,
    Transaction,
    decode_body,
    decode_transaction,
    get_call_name,
    join_transaction,
)
from chain.types import ZERO_HASH, ChainId, Height, Millis, PublicKey
from chain.validators import compute_faults_max
from explorer.answering import JSON_MEDIA_TYPE
from explorer.answers_submit import PreparedAnswer, SimulatedAnswer
from explorer.parse_call import parse_call
from explorer.privacy import is_withheld, publish_events
from explorer.problems import FieldError, ProblemError, get_header
from explorer.reader import ChainReader
from explorer.represent import format_time, get_code, represent_fields
from node.submit_api import decode_json, refuse_parameters

VALID_FOR_MS_DEFAULT = 600_000
NONCE_BYTES = 16
_SIGNATURE_BYTES = 64
_NO_STORE = {"cache-control": "no-store"}
_BODY = {
    "required": True,
    "content": {
        JSON_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["signer", "call"],
                "additionalProperties": False,
                "properties": {
                    "signer": {"type": "string", "description": "Public key, 64 hex digits."},
                    "call": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string", "description": "Name of the call."}},
                        "description": "The call with its fields, in the form in which the API shows calls.",
                    },
                    "valid_for_ms": {"type": "integer", "minimum": 1, "description": "From the newest block's time."},
                    "nonce": {"type": "string", "description": "32 hex digits; without it the node draws one."},
                },
            },
            "example": {"signer": "ab" * 32, "call": {"name": "member_leave", "member": "cd" * 32}},
        }
    },
}


_SIGNED_BODY = {
    "required": True,
    "content": {
        JSON_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["signed_tx"],
                "additionalProperties": False,
                "properties": {
                    "signed_tx": {
                        "type": "string",
                        "contentEncoding": "base64",
                        "description": "The signed bytes; their validity may be over already.",
                    }
                },
            },
            "example": {"signed_tx": "kpYBxCA="},
        }
    },
}


class _Request(Struct, forbid_unknown_fields=True):
    signer: str
    call: object
    valid_for_ms: int | None = None
    nonce: str | None = None


class _Trial(Struct, forbid_unknown_fields=True):
    signed_tx: bytes


T = TypeVar("T")
_decoder = msgspec.json.Decoder(_Request)
_trial_decoder = msgspec.json.Decoder(_Trial)


def build_prepare_router(reader: ChainReader) -> APIRouter:
    """Return the routes that prepare and try out transactions."""
    router = APIRouter(prefix="/v1", tags=["submit"])
    chain_id = compute_chain_id(reader.genesis)

    @router.post(
        "/transactions:prepare",
        operation_id="prepareTransaction",
        summary="The exact bytes to sign for a call given as JSON",
        openapi_extra={"requestBody": _BODY},
    )
    async def prepare(request: Request) -> Response:
        body = _build_body(reader, chain_id, _decode(request, await request.body(), _decoder))
        return Response(
            msgspec.json.encode(build_prepared(chain_id, body)), headers=_NO_STORE, media_type=JSON_MEDIA_TYPE
        )

    @router.post(
        "/transactions:simulate",
        operation_id="simulateTransaction",
        summary="What a call would do on the newest block",
        openapi_extra={"requestBody": _SIGNED_BODY},
    )
    async def simulate(request: Request) -> Response:
        transaction = _read_signed(chain_id, _decode(request, await request.body(), _trial_decoder).signed_tx)
        answer = await run_in_threadpool(simulate_transaction, reader, transaction)
        return Response(msgspec.json.encode(answer), headers=_NO_STORE, media_type=JSON_MEDIA_TYPE)

    return router


def _decode(request: Request, data: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    refuse_parameters(request)
    if get_header(request.scope, b"content-type").partition(";")[0].strip().lower() != JSON_MEDIA_TYPE:
        raise ProblemError("media_type", values={"supported": JSON_MEDIA_TYPE})
    return decode_json(decoder, data)


def _read_signed(chain_id: ChainId, raw: bytes) -> Transaction:
    try:
        transaction = decode_transaction(raw)
    except GongjiError as error:
        raise ProblemError("malformed", errors=(FieldError(pointer="#/body/signed_tx", detail=error.detail),)) from None
    if transaction.body.chain_id != chain_id:
        raise ProblemError(
            "wrong_chain", errors=(FieldError(pointer="#/body/signed_tx", detail="is for another chain"),)
        )
    if not transaction.is_signature_valid():
        unsigned = FieldError(pointer="#/body/signed_tx", detail="must have the signature of its signer")
        raise ProblemError("bad_signature", errors=(unsigned,))
    return transaction


def _read_hex(text: str, *, count: int, pointer: str) -> bytes:
    try:
        data = bytes.fromhex(text) if text == text.lower() and " " not in text else b""
    except ValueError:
        data = b""
    if len(data) != count:
        error = FieldError(pointer=pointer, detail=f"must have {2 * count} lower-case hex digits")
        raise ProblemError("malformed", errors=(error,))
    return data


def _build_body(reader: ChainReader, chain_id: ChainId, given: _Request) -> Body:
    signer = _read_hex(given.signer, count=32, pointer="#/body/signer")
    nonce = os.urandom(NONCE_BYTES)
    if given.nonce is not None:
        nonce = _read_hex(given.nonce, count=NONCE_BYTES, pointer="#/body/nonce")
    valid_for_ms = VALID_FOR_MS_DEFAULT if given.valid_for_ms is None else given.valid_for_ms
    window_ms = reader.genesis.parameters.validity_window_ms
    if not 1 <= valid_for_ms <= window_ms:
        error = FieldError(pointer="#/body/valid_for_ms", detail=f"must be from 1 to {window_ms}")
        raise ProblemError("malformed", errors=(error,))
    return Body(
        version=TRANSACTION_VERSION,
        chain_id=chain_id,
        nonce=nonce,
        valid_until_ms=reader.get_head().timestamp_ms + valid_for_ms,
        signer=signer,
        call=parse_call(given.call),
    )


def build_prepared(chain_id: ChainId, body: Body) -> PreparedAnswer:
    """Return the bytes to sign and what stands before the signature in the transaction's bytes."""
    body_bytes = encode(body)
    joined = join_transaction(body_bytes=body_bytes, signature=bytes(_SIGNATURE_BYTES))
    if len(joined) > TRANSACTION_BYTES_MAX:
        raise ProblemError("too_large", values={"bytes": len(joined), "bytes_max": TRANSACTION_BYTES_MAX})
    read_back = decode_body(body_bytes)
    name = get_call_name(read_back.call)
    return PreparedAnswer(
        tx_id=sha256(body_bytes).hex(),
        signing_bytes=_base64(signing_bytes(kind="transaction", chain_id=chain_id, body=body_bytes)),
        signed_tx_prefix=_base64(joined[:-_SIGNATURE_BYTES]),
        valid_until=format_time(read_back.valid_until_ms),
        signer=read_back.signer.hex(),
        call={"name": name, **represent_fields(read_back.call, subject=name)},
    )


def simulate_transaction(reader: ChainReader, transaction: Transaction) -> SimulatedAnswer:
    """Run a call on a throw-away copy of the newest state, at that block's time; its validity does not matter."""
    body = transaction.body
    with closing(reader.open_snapshot()) as snapshot:
        state, head = snapshot.state, snapshot.head
        context = Context(
            height=Height(head.height + 1),
            timestamp_ms=Millis(head.timestamp_ms),
            parameters=state.require(PARAMETERS),
            tx_id=transaction.tx_id,
            signer=PublicKey(body.signer),
            faults_max=compute_faults_max(len(state.require(VALIDATORS).next_set)),
            parent_hash=ZERO_HASH,
            events=[],
        )
        outcome = execute_call(state, context, body.call)
        receipt = Receipt(
            tx_id=context.tx_id, outcome=outcome.number, items=outcome.items, events=tuple(context.events)
        )
    shown = [] if is_withheld(get_call_name(body.call)) else publish_events(receipt.events)[0]
    events = [
        {"event": str(event.__struct_config__.tag), **represent_fields(event, subject=str(event.__struct_config__.tag))}
        for event in shown
    ]
    return SimulatedAnswer(
        outcome="success" if outcome.number == 0 else "failed",
        code=get_code(outcome.number),
        items=[get_code(number) for number in outcome.items],
        events=events,
        on_height=head.height,
    )


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
