"""Execution of one block: begin-block events, transactions, roots (design 2, consensus 4).

Pure over a ledger's committed state: the result holds everything that a commit writes, and dropping it leaves no
trace. A block is executed once, before it is voted on, and the result is kept until it is committed.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct

from chain.block import Header, hash_header
from chain.certificate import GENESIS_VERSION, Certificate, hash_certificate
from chain.codec import Codec, encode
from chain.contract.beacon import apply_reveal
from chain.contract.context import Context
from chain.contract.genesis_state import build_genesis_state
from chain.contract.invariants import are_records_readable, check_block, encode_record
from chain.contract.rules import execute_call
from chain.contract.schedule import run_automatic_events
from chain.crypto import sha256
from chain.errors import InvalidBlock, InvariantViolation, StoreError
from chain.genesis import Genesis, Parameters
from chain.history import LogFrontier, compute_leaf_hash, merkle_root
from chain.receipt import Receipt, build_log_entry
from chain.round_record import (
    PARAMETERS,
    PROTOCOL,
    ROUND,
    VALIDATORS,
    ProtocolRecord,
    RoundRecord,
    ValidatorsRecord,
    get_protocol_version,
)
from chain.state import Overlay, PoolKey
from chain.transaction import Transaction
from chain.trie import map_operation
from chain.trie_tree import Pending, Tree
from chain.types import ZERO_HASH, ChainId, Hash, Height, Millis, PublicKey, TxId, View
from chain.validators import compute_faults_max, hash_validators, update_skips

V = TypeVar("V", bound=msgspec.Struct)


class GenesisBase(Protocol):
    """An empty ledger: the ground of block 0."""

    state_tree: Tree

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        """Return a committed record."""

    def open_pool_tree(self, pool: PoolKey) -> Pending:
        """Return fresh changes on the pool's sum tree."""


class Parent(GenesisBase, Protocol):
    """The committed state on which a block runs (the ledger)."""

    chain_id: ChainId
    header: Header
    head_hash: Hash
    frontier: LogFrontier


class Draft(Struct, frozen=True):
    """What a proposer chooses; everything else in a header is computed."""

    timestamp_ms: int
    proposer: bytes
    reveal: bytes
    parent_certificate: Certificate
    transactions: tuple[Transaction, ...]


class Executed(Struct, frozen=True):
    """One executed block: its header, and all that its commit writes."""

    header: Header
    block_hash: Hash
    parent_certificate: Certificate
    transactions: tuple[Transaction, ...]
    receipts: tuple[tuple[int, bytes, tuple[bytes, ...]], ...]
    """(index, canonical receipt, subjects for the explorer's index)."""
    outcomes: tuple[Receipt, ...]
    """Receipts in order, automatic events (index 0) first where there are any."""
    records: tuple[tuple[bytes, msgspec.Struct | None], ...]
    """Changed records by map key."""
    values: tuple[tuple[bytes, bytes | None], ...]
    """Their canonical bytes, the roots of the sum trees included."""
    state_pending: Pending
    pool_pendings: tuple[tuple[PoolKey, Pending], ...]
    frontier: LogFrontier
    tiles: tuple[tuple[bytes, bytes], ...]
    """Tiles of the history tree to write."""


class ExecutionFailed(InvalidBlock):
    """An exception while a transaction ran: the candidate is invalid and the transaction is evicted (consensus 4)."""

    def __init__(self, tx_id: bytes, error: Exception) -> None:
        super().__init__(f"a transaction failed to execute: {error!r}", tx_id=tx_id.hex())
        self.tx_id = TxId(tx_id)


OURS = (StoreError, MemoryError, RecursionError)
"""Failures of this machine alone and no transaction's fault: the node stops, nothing is evicted (pitfalls S5)."""


def execute_block(parent: Parent, draft: Draft) -> Executed:
    """Execute a block on the head; raise `InvalidBlock` where its reveal or a transaction cannot run.

    A record that nobody could read back must fault the transaction that made it. As there is none in a block without
    a mistake of ours, records are first read back once, as they are at the end of the block: a pool's changes with
    every transaction. Only where one cannot be, the block runs again, and each transaction is checked by itself.
    Every node takes the same way, as it follows from the block and the state alone.
    """
    overlay = Overlay(parent)
    overlay.is_read_back_at_end = True
    try:
        return _execute(parent, draft, overlay)
    except OURS:
        raise
    except Exception:
        if are_records_readable(overlay):
            raise
    return _execute(parent, draft, Overlay(parent))


def _execute(parent: Parent, draft: Draft, overlay: Overlay) -> Executed:
    height = Height(parent.header.height + 1)
    parameters = overlay.require(PARAMETERS)
    sets = overlay.require(VALIDATORS)
    _update_round(overlay, height=height, certificate=draft.parent_certificate, sets=sets, parameters=parameters)
    proposer_index = _find_proposer(sets, draft.proposer)
    apply_reveal(overlay, proposer_index, draft.reveal, height)
    context = Context(
        height=height,
        timestamp_ms=Millis(draft.timestamp_ms),
        parameters=parameters,
        tx_id=TxId(ZERO_HASH),
        signer=PublicKey(ZERO_HASH),
        faults_max=compute_faults_max(len(sets.next_set)),
        parent_hash=parent.head_hash,
        events=[],
    )
    version = get_protocol_version(overlay.require(PROTOCOL), height)
    receipts = _run(overlay, context, draft.transactions)
    # Whatever this block has made of the set holds from the next one on; the set of this height is what it was.
    record = ValidatorsRecord(next_set=overlay.require(VALIDATORS).next_set, this_set=sets.next_set)
    if record != sets:
        overlay.put(VALIDATORS, record)
    return _seal(
        parent,
        overlay,
        draft,
        receipts,
        version=version,
        next_validators_hash=hash_validators(record.next_set),
    )


def _find_proposer(sets: ValidatorsRecord, proposer: bytes) -> int:
    for index, validator in enumerate(sets.next_set):
        if validator.key == proposer:
            return index
    raise InvalidBlock("the proposer is no validator", proposer=proposer.hex())


def _update_round(
    overlay: Overlay,
    *,
    height: Height,
    certificate: Certificate,
    sets: ValidatorsRecord,
    parameters: Parameters,
) -> None:
    before = overlay.require(ROUND)
    skips = before.skips
    if height > 1:
        signers = tuple(PublicKey(sets.this_set[index].key) for index, _ in certificate.votes)
        skips = update_skips(
            height=height,
            skips=before.skips,
            skips_before=before.skips_before,
            view=View(certificate.view),
            view_before=View(before.parent_view),
            validators_before=sets.this_set,
            signers=signers,
            tenure=parameters.tenure,
            skip_tenures=parameters.skip_tenures,
        )
    overlay.put(ROUND, RoundRecord(skips=skips, skips_before=before.skips, parent_view=certificate.view))


def _run(overlay: Overlay, context: Context, transactions: Sequence[Transaction]) -> list[tuple[int, Receipt]]:
    receipts: list[tuple[int, Receipt]] = []
    run_automatic_events(overlay, context)
    overlay.release()
    if context.events:
        receipts.append((0, Receipt(tx_id=ZERO_HASH, outcome=0, items=(), events=tuple(context.events))))
    for index, transaction in enumerate(transactions, start=1):
        context.tx_id = transaction.tx_id
        context.signer = PublicKey(transaction.body.signer)
        context.events = []
        try:
            outcome = execute_call(overlay, context, transaction.body.call)
        except OURS:
            raise
        except Exception as error:
            # Whatever it was, a candidate must not stop a validator: C20, C21 of the pitfalls.
            raise ExecutionFailed(transaction.tx_id, error) from error
        overlay.release()
        receipts.append(
            (
                index,
                Receipt(
                    tx_id=transaction.tx_id,
                    outcome=outcome.number,
                    items=outcome.items,
                    events=tuple(context.events),
                ),
            )
        )
    check_block(overlay, overlay.get_touched_pools())
    return receipts


def build_genesis_block(base: "GenesisBase", genesis: Genesis, chain_id: ChainId) -> Executed:
    """Build block 0: a header only, over the state that genesis describes (consensus 1)."""
    overlay = Overlay(base)
    overlay.put(PARAMETERS, genesis.parameters)
    overlay.put(PROTOCOL, ProtocolRecord(versions=((GENESIS_VERSION, 0),)))
    overlay.put(VALIDATORS, ValidatorsRecord(next_set=genesis.validators, this_set=genesis.validators))
    overlay.put(ROUND, RoundRecord(skips=(), skips_before=(), parent_view=0))
    build_genesis_state(overlay, genesis)
    values, records, pendings = _collect(overlay)
    state = base.state_tree.begin()
    state.update([map_operation(key, value) for key, value in values])
    empty_root = sha256(b"")
    header = Header(
        version=GENESIS_VERSION,
        height=0,
        parent_hash=chain_id,
        timestamp_ms=genesis.time_ms,
        proposer=ZERO_HASH,
        parent_certificate_hash=ZERO_HASH,
        transactions_root=empty_root,
        log_size=0,
        log_root=empty_root,
        state_root=state.root_bytes,
        next_validators_hash=hash_validators(genesis.validators),
        reveal=ZERO_HASH,
    )
    return Executed(
        header=header,
        block_hash=hash_header(header),
        parent_certificate=Certificate(height=0, view=0, block_hash=ZERO_HASH, votes=()),
        transactions=(),
        receipts=(),
        outcomes=(),
        records=records,
        values=values,
        state_pending=state,
        pool_pendings=pendings,
        frontier=LogFrontier(),
        tiles=(),
    )


def _collect(
    overlay: Overlay,
) -> tuple[
    tuple[tuple[bytes, bytes | None], ...],
    tuple[tuple[bytes, msgspec.Struct | None], ...],
    tuple[tuple[PoolKey, Pending], ...],
]:
    """Return (canonical values by key, records, sum trees) of everything that changed."""
    pendings: list[tuple[PoolKey, Pending]] = []
    values: list[tuple[bytes, bytes | None]] = []
    for pool in overlay.get_touched_pools():
        tree = overlay.tree(pool)
        if not isinstance(tree, Pending):
            raise InvariantViolation("the pool's tree cannot be committed")
        pendings.append((pool, tree))
        values.append((encode(("members", *pool)), tree.root_bytes))
    records: list[tuple[bytes, msgspec.Struct | None]] = []
    for key, codec, record in overlay.list_changes():
        records.append((key, record))
        if record is None:
            values.append((key, None))
        elif overlay.is_read_back_at_end:
            values.append((key, encode_record(key, codec, record)))
        else:
            values.append((key, encode(record)))
    return tuple(values), tuple(records), tuple(pendings)


def _seal(
    parent: Parent,
    overlay: Overlay,
    draft: Draft,
    receipts: list[tuple[int, Receipt]],
    *,
    version: int,
    next_validators_hash: Hash,
) -> Executed:
    """Compute the roots and the header."""
    height = parent.header.height + 1
    values, records, pendings = _collect(overlay)
    state = parent.state_tree.begin()
    state.update([map_operation(key, value) for key, value in values])
    stored: list[tuple[int, bytes, tuple[bytes, ...]]] = []
    leaves: list[bytes] = []
    for index, receipt in receipts:
        stored.append((index, encode(receipt), get_subjects(receipt)))
        leaves.append(compute_leaf_hash(encode(build_log_entry(receipt, height=height, index=index))))
    frontier, tiles = parent.frontier.append(leaves)
    header = Header(
        version=version,
        height=height,
        parent_hash=parent.head_hash,
        timestamp_ms=draft.timestamp_ms,
        proposer=draft.proposer,
        parent_certificate_hash=hash_certificate(draft.parent_certificate),
        transactions_root=merkle_root([transaction.raw for transaction in draft.transactions]),
        log_size=frontier.size,
        log_root=frontier.root,
        state_root=state.root_bytes,
        next_validators_hash=next_validators_hash,
        reveal=draft.reveal,
    )
    return Executed(
        header=header,
        block_hash=hash_header(header),
        parent_certificate=draft.parent_certificate,
        transactions=draft.transactions,
        receipts=tuple(stored),
        outcomes=tuple(receipt for _, receipt in receipts),
        records=records,
        values=values,
        state_pending=state,
        pool_pendings=pendings,
        frontier=frontier,
        tiles=tuple(tiles),
    )


_SUBJECT_FIELDS = ("member", "claim", "instruction")


def get_subjects(receipt: Receipt) -> tuple[bytes, ...]:
    """Return the ids (32 bytes) that a receipt's events are about, each once, in order."""
    found: dict[bytes, None] = {}
    for event in receipt.events:
        for name in _SUBJECT_FIELDS:
            subject = getattr(event, name, None)
            if isinstance(subject, bytes):
                found[subject] = None
    return tuple(found)
