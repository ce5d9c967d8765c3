"""What the explorer needs of a node: one snapshot of the chain for each answer, and the node's present
condition.

Only protocols and the records that cross them live here. The chain is read through `ChainSnapshot`, so that
all numbers of one answer belong to one height; what is not in the chain (pool, consensus, health) comes
through `NodeStatus`. The implementation over LevelDB is the node's (design 1: the explorer knows neither the
store nor consensus).
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from msgspec import Struct

from chain.block import Header
from chain.certificate import Certificate
from chain.errors import StoreError
from chain.genesis import Genesis
from chain.receipt import Receipt
from chain.state import KeyPart, Overlay, PoolKey, Table
from chain.trie import Sums
from chain.types import TxId

V = TypeVar("V", bound=Struct)

Place = tuple[int, int]
"""(height, index) of an entry; index 0 holds the automatic events of a block, transactions start at 1."""


class Head(Struct, frozen=True):
    """Which state answers."""

    height: int
    """Height of the last durable block."""
    state_root: bytes
    """Root of the state after it, 32 bytes."""
    timestamp_ms: int
    """Its block time."""


class BlockRecord(Struct, frozen=True):
    """One block without its transactions."""

    header: Header
    parent_certificate: Certificate
    """C(height - 1), embedded and therefore agreed."""
    transactions: int
    """How many transactions it has."""


class Entry(Struct, frozen=True):
    """One entry of the log with what stands behind it."""

    height: int
    index: int
    """0: automatic events."""
    raw: bytes
    """Full transaction bytes; empty for automatic events."""
    receipt: Receipt


class Record(Struct, frozen=True):
    """One record of a state table, as a scan meets it."""

    key: bytes
    """Its whole map key: the place at which a later scan goes on."""
    parts: tuple[KeyPart, ...]
    """Its key fields without the table's name."""


class ChainSnapshot(Protocol):
    """The chain as it was at one height. Reads may block briefly and may run in a worker thread."""

    @property
    def head(self) -> Head:
        """Return which state this is."""

    @property
    def state(self) -> Overlay:
        """Return the state as the contract's pure functions read it; what is written to it leads nowhere."""

    def read(self, table: Table[V], *parts: KeyPart) -> V | None:
        """Return one record of the state."""

    def scan(
        self,
        table: Table[V],
        *parts: KeyPart,
        arity: int,
        start: bytes | None = None,
        is_reversed: bool = False,
    ) -> Iterator[tuple[Record, V]]:
        """Yield the records whose key fields (`arity` of them) begin with `parts`, by key.

        `start` is the key of a record: the scan begins with the next one behind it (before it, if reversed).
        """

    def read_block(self, height: int) -> BlockRecord | None:
        """Return a block, None above the head."""

    def read_head_certificate(self) -> Certificate:
        """Return this node's own C(head): evidence, not yet agreed (consensus 1)."""

    def read_entry(self, tx_id: TxId) -> Entry | None:
        """Return the committed transaction with this id."""

    def read_entry_at(self, place: Place) -> Entry | None:
        """Return the entry at a place."""

    def list_ids(self, height: int) -> list[tuple[int, bytes]]:
        """Return (index, tx_id) of a block's transactions in order."""

    def iterate_entries(self, *, start: Place, stop: Place, is_reversed: bool) -> Iterator[Entry]:
        """Yield the entries with start <= place < stop, descending if reversed."""

    def iterate_subject(self, subject: bytes, *, start: Place, stop: Place, is_reversed: bool) -> Iterator[Entry]:
        """Yield the entries whose events name a member, claim or instruction (32 bytes), likewise."""

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the path of leaf `index` of the log in the tree of `size` leaves (RFC 6962 2.1.1)."""

    def read_pool_sums(self, pool: PoolKey, x_from: int) -> Sums:
        """Return the sums of the pool's sharing members with X >= x_from, zero where the pool has no tree
        yet."""

    def read_leaf_at(self, pool: PoolKey, rank: int) -> tuple[int, bytes]:
        """Return (X, pseudonym) of the leaf with this rank from 0, in the order of (X, pseudonym)."""

    def scan_ready(
        self, pool: PoolKey, *, start: bytes | None = None, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield (position, day it was made, instruction id) of what the bank has not answered, oldest first.

        `start` is a position: the scan begins behind it (before it, if reversed).
        """

    def close(self) -> None:
        """Release it; nothing may be read afterwards."""


class ChainReader(Protocol):
    """Where snapshots come from."""

    @property
    def genesis(self) -> Genesis:
        """Return the shared start of the chain."""

    def get_head(self) -> Head:
        """Return the present head; cheap enough for every answer."""

    def open_snapshot(self) -> ChainSnapshot:
        """Return the chain as it is now; the caller closes it."""


class TransactionStatus(Struct, frozen=True):
    """What this node knows of a transaction that is not in the log."""

    status: str
    """received, pending, rejected or expired (api.md, Status)."""
    valid_until_ms: int
    """Last block time at which it may be included."""
    code: str | None = None
    """Catalogue code of a rejection."""


class ReadyCondition(Struct, frozen=True):
    """One condition of readiness."""

    name: str
    """block_fresh, peers_quorum, disk_space, voting, protocol_version or another of the node's."""
    is_met: bool
    detail: str
    """The values compared, for people."""


class ValidatorCondition(Struct, frozen=True):
    """One validator as this node sees it at the present height."""

    index: int
    organisation: str
    is_connected: bool
    """True for itself."""
    height: int | None
    """Last block that it showed, null if it never did."""
    view: int | None
    """View that it showed."""
    has_prepared: bool
    """Whether its PREPARE for (height, view) is here."""
    has_committed: bool
    """Whether its COMMIT for (height, view) is here."""
    has_view_change: bool
    """Whether its VIEW-CHANGE for (height, view) is here."""


class TimerCondition(Struct, frozen=True):
    """One running timer."""

    name: str
    """view, request, idle, status, ..."""
    remaining_ms: int
    """Wall time until it expires."""


class ConsensusCondition(Struct, frozen=True):
    """Why there is no block now (api.md, Operations)."""

    height: int
    """Height that is voted on."""
    view: int
    mode: str
    """starting, normal, changing, quarantine or syncing."""
    phase: str
    """idle, propose, prepare, commit or view_change."""
    reason: str
    """One English sentence that names what is waited for."""
    leader: str | None
    """Organisation that leads (height, view)."""
    quorum: int
    """Votes that are needed."""
    missing: tuple[str, ...]
    """Organisations whose vote of this phase is not here."""
    pending: int
    """Transactions waiting in this node's pool."""
    validators: tuple[ValidatorCondition, ...]
    timers: tuple[TimerCondition, ...]


class SignedBody(Struct, frozen=True):
    """One signed message of a proof, without what was carried with it."""

    body: bytes
    """Canonical bytes of the signed body."""
    signed: bytes
    """Exactly what the signature covers: tag line, chain id, body."""
    signature: bytes


class EvidenceFound(Struct, frozen=True):
    """Two messages of one position that one validator key signed: the proof that it, or who has its key, lied."""

    key: bytes
    """Validator key, 32 bytes."""
    organisation: str
    """Who ran it at that height."""
    height: int
    view: int
    kind: str
    """view-change, new-view, proposal, prepare or commit: both are of this kind."""
    found_ms: int
    """Wall time at which this node saw it."""
    first: SignedBody
    second: SignedBody


class NodeStatus(Protocol):
    """The node's present condition; every call is quick and runs on the event loop."""

    def get_transaction(self, tx_id: TxId) -> TransactionStatus | None:
        """Return what is known of a transaction outside the log, None if it was never seen."""

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        """Return once the transaction's status is terminal, or after the time, or at once where waiting is
        full."""

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        """Return once the head has reached the height, or after the time, or at once where waiting is
        full."""

    def get_consensus(self) -> ConsensusCondition:
        """Return why there is no block now."""

    def get_readiness(self) -> tuple[ReadyCondition, ...]:
        """Return the conditions of readiness, met and unmet."""

    def get_checkpoint(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed (C2SP), None before the first."""

    def list_evidence(self) -> tuple[EvidenceFound, ...]:
        """Return the proofs of faults that this node holds, by height."""

    def render_metrics(self) -> tuple[bytes, str]:
        """Return the metrics and their media type."""

    def report_damage(self, error: StoreError) -> None:
        """Take note that a reader met a damaged store: the node stops (design 4)."""
