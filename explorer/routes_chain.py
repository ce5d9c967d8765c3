"""Routes of the chain: meta, blocks, transactions, validators."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from chain.block import Header, hash_header
from chain.certificate import PROTOCOL_VERSION
from chain.checkpoint import build_origin
from chain.clock import get_scale, to_block_ms
from chain.contract.tables import PLANS
from chain.genesis import compute_chain_id
from chain.layout import PLACE_BYTES, parse_place, place
from chain.transaction import TRANSACTION_BYTES_MAX, get_call_name
from chain.types import TxId
from explorer.answering import Answer, Answering
from explorer.answers_chain import BlockPage, ClockAnswer, LimitsAnswer, MetaAnswer, TransactionPage
from explorer.pagination import read_window
from explorer.parameters import Decimal, HexId, PageQuery, ReadQuery, TransactionsQuery, WaitQuery
from explorer.privacy import is_withheld, names_claim
from explorer.problems import FieldError, ProblemError
from explorer.reader import BlockRecord, ChainSnapshot, Entry
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
    decode_stored,
    get_organisations,
    require,
    require_block,
)
