"""Routes of the chain: meta, blocks, transactions, validators."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from chain.block import hash_header
from chain.checkpoint import build_origin
from chain.clock import get_scale, to_block_ms
from chain.contract.tables import PLANS
from chain.genesis import compute_chain_id
from chain.layout import parse_place, place
from chain.round_record import PROTOCOL, get_protocol_version
from chain.transaction import TRANSACTION_BYTES_MAX
from chain.types import TxId
from explorer.answering import Answer, Answering
from explorer.answers_chain import BlockPage, ClockAnswer, LimitsAnswer, MetaAnswer, TransactionPage
from explorer.pagination import read_window
from explorer.parameters import Decimal, HexId, PageQuery, ReadQuery, TransactionsQuery, WaitQuery
from explorer.privacy import is_withheld, names_claim
from explorer.problems import FieldError, ProblemError
from explorer.reader import BlockRecord, ChainSnapshot, Entry, TransactionStatus
from explorer.represent import format_time
from explorer.settings import API_VERSION, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from explorer.views_chain import (
    build_block,
    build_block_summary,
    build_outcome,
    build_pending,
    build_receipt,
    build_transaction,
    build_transaction_summary,
    build_validators,
    get_organisations,
    read_call_name,
    require,
    require_block,
)

_HEIGHT_BYTES = 8


def build_chain_router(answering: Answering) -> APIRouter:
    """Return the routes of the chain itself."""
    router = APIRouter(prefix="/v1", tags=["chain"])
    genesis = answering.reader.genesis

    @router.get("/meta", operation_id="getMeta", summary="What this chain and this node are")
    async def get_meta(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        return await answering.read(request, query, partial(_read_meta, answering))

    @router.get("/blocks", operation_id="listBlocks", summary="Blocks, newest first")
    async def list_blocks(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_blocks, answering, query))

    @router.get("/blocks/{height}", operation_id="getBlock", summary="One block")
    async def get_block(
        request: Request, height: Annotated[Decimal, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            record = snapshot.read_block(height)
            if record is None:
                raise ProblemError("not_found", values={"height": height, "head": snapshot.head.height})
            body = build_block(snapshot, record, genesis.validators)
            return Answer(body=body, is_final=body.certificate.is_agreed)

        return await answering.read(request, query, read)

    @router.get("/validators", operation_id="getValidators", summary="Who votes on the next height")
    async def get_validators(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        return await answering.read(request, query, lambda snapshot: Answer(body=build_validators(snapshot)))

    return router


def build_transactions_router(answering: Answering) -> APIRouter:
    """Return the routes that read transactions; submitting is the node's (`node/submit_api.py`)."""
    router = APIRouter(prefix="/v1/transactions", tags=["transactions"])
    genesis = answering.reader.genesis

    @router.get("", operation_id="listTransactions", summary="Committed transactions, newest first")
    async def list_transactions(request: Request, query: Annotated[TransactionsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_transactions, answering, query))

    @router.get("/{tx_id}", operation_id="getTransaction", summary="A transaction and what became of it")
    async def get_transaction(
        request: Request, tx_id: Annotated[HexId, Path()], query: Annotated[WaitQuery, Query()]
    ) -> Response:
        key = TxId(bytes.fromhex(tx_id))
        if query.wait:
            wait_ms = min(query.wait * 1_000, answering.settings.limits.wait_ms_max)
            await answering.status.wait_transaction(key, wait_ms)
        # The pool is asked first: a transaction that is committed meanwhile is then found in the snapshot.
        pending = answering.status.get_transaction(key)
        return await answering.read(request, query, partial(_read_transaction, key, pending))

    @router.get("/{tx_id}/receipt", operation_id="getReceipt", summary="The self-contained proof of a result")
    async def get_receipt(
        request: Request, tx_id: Annotated[HexId, Path()], query: Annotated[ReadQuery, Query()]
    ) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            entry = snapshot.read_entry(TxId(bytes.fromhex(tx_id)))
            if entry is None:
                raise ProblemError("not_found", tx_id=tx_id, values={"receipt": "only a committed transaction has one"})
            body = build_receipt(snapshot, entry, genesis.validators)
            return Answer(body=body, is_final=body.is_agreed)

        return await answering.read(request, query, read)

    return router


def _read_meta(answering: Answering, snapshot: ChainSnapshot) -> Answer:
    genesis = answering.reader.genesis
    limits = answering.settings.limits
    wall_ms = answering.settings.get_wall_ms()
    block_ms, scale_wall_ms = get_scale(genesis.clock, wall_ms)
    chain_id = compute_chain_id(genesis)
    return Answer(
        body=MetaAnswer(
            chain_id=chain_id.hex(),
            genesis_hash=hash_header(require_block(snapshot, 0).header).hex(),
            chain_name=genesis.name,
            log_origin=build_origin(domain=genesis.domain, chain_id=chain_id),
            protocol_version=get_protocol_version(require(snapshot, PROTOCOL), snapshot.head.height + 1),
            software_version=answering.settings.software_version,
            api_version=API_VERSION,
            height=snapshot.head.height,
            clock=ClockAnswer(
                is_accelerated=bool(genesis.clock),
                block_ms=block_ms,
                wall_ms=scale_wall_ms,
                time=format_time(to_block_ms(genesis.clock, wall_ms)),
            ),
            limits=LimitsAnswer(
                transaction_bytes_max=TRANSACTION_BYTES_MAX,
                body_bytes_max=limits.body_bytes_max,
                batch_bytes_max=limits.batch_bytes_max,
                batch_items_max=limits.batch_items_max,
                blob_bytes_max=limits.blob_bytes_max,
                validity_window_ms=genesis.parameters.validity_window_ms,
                page_limit_default=PAGE_LIMIT_DEFAULT,
                page_limit_max=PAGE_LIMIT_MAX,
                wait_ms_max=limits.wait_ms_max,
                requests_per_s=limits.requests_per_s,
                requests_burst=limits.requests_burst,
            ),
            plans=list(require(snapshot, PLANS).names),
        )
    )


def _read_blocks(answering: Answering, query: PageQuery, snapshot: ChainSnapshot) -> Answer:
    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[tuple[bytes, BlockRecord]]:
        at = began + 1 if start is None else int.from_bytes(start, "big")
        heights = range(at + 1, began + 1) if is_backward else range(at - 1, -1, -1)
        for height in heights:
            yield height.to_bytes(_HEIGHT_BYTES, "big"), require_block(snapshot, height)

    window = read_window(
        answering.cursors,
        query.build_list_query("listBlocks"),
        height=snapshot.head.height,
        read_rows=read_rows,
        is_historic=True,
        total=snapshot.head.height + 1,
    )
    organisations = get_organisations(snapshot)
    items = [build_block_summary(record, organisations) for record in window.rows]
    return Answer(body=BlockPage(items=items, page=window.page), page=window.page)


def _read_transactions(answering: Answering, query: TransactionsQuery, snapshot: ChainSnapshot) -> Answer:
    subject = _get_subject(query)

    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[tuple[bytes, Entry]]:
        first = (0, 0) if query.height is None else (query.height, 0)
        last = (began + 1, 0) if query.height is None else (min(query.height, began) + 1, 0)
        if start is not None:
            height, index = parse_place(start)
            if is_backward:
                first = max(first, (height, index + 1))
            else:
                last = min(last, (height, index))
        if first >= last:
            return
        entries = (
            snapshot.iterate_entries(start=first, stop=last, is_reversed=not is_backward)
            if subject is None
            else snapshot.iterate_subject(subject, start=first, stop=last, is_reversed=not is_backward)
        )
        for entry in entries:
            yield place(entry.height, entry.index), entry

    window = read_window(
        answering.cursors,
        query.build_list_query("listTransactions"),
        height=snapshot.head.height,
        read_rows=read_rows,
        is_accepted=partial(_is_listed, query),
        is_historic=True,
    )
    times: dict[int, int] = {}
    for entry in window.rows:
        if entry.height not in times:
            times[entry.height] = require_block(snapshot, entry.height).header.timestamp_ms
    items = [build_transaction_summary(entry, times[entry.height]) for entry in window.rows]
    return Answer(body=TransactionPage(items=items, page=window.page), page=window.page)


def _get_subject(query: TransactionsQuery) -> bytes | None:
    named = [
        (name, value)
        for name, value in (
            ("member", query.member),
            ("claim", query.claim),
            ("instruction", query.instruction),
        )
        if value is not None
    ]
    if len(named) > 1:
        # Asked for together, they would answer whether the member and the claim belong together (contract 6).
        errors = tuple(FieldError(pointer=f"#/query/{name}", detail="one subject at a time") for name, _ in named)
        raise ProblemError("parameter_invalid", errors=errors)
    return bytes.fromhex(named[0][1]) if named else None


def _is_listed(query: TransactionsQuery, entry: Entry) -> bool:
    if entry.index == 0:
        return False
    if query.outcome is not None and build_outcome(entry.receipt.outcome).outcome != query.outcome:
        return False
    if query.call is None and query.member is None:
        return True
    call = read_call_name(entry.raw)
    if query.call is not None and call != query.call:
        return False
    if query.member is None:
        return True
    # A member's list that held a receipt about claims would tell whose claims they are (contract 6).
    return not is_withheld(call) and not names_claim(entry.receipt.events)


def _read_transaction(tx_id: TxId, pending: TransactionStatus | None, snapshot: ChainSnapshot) -> Answer:
    entry = snapshot.read_entry(tx_id)
    if entry is not None:
        time_ms = require_block(snapshot, entry.height).header.timestamp_ms
        return Answer(body=build_transaction(entry, time_ms), is_final=True)
    if pending is None:
        raise ProblemError("not_found", tx_id=tx_id.hex(), values={"transaction": "this node has not seen it"})
    return Answer(body=build_pending(tx_id, pending))
