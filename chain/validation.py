"""When a block is valid: consensus section 4, the part that needs the ledger.

The leader rule and the view relations are the core's; what is here is checked for every block, fresh, carried or
synced, by one function, so that no path skips a check (pitfalls L1).
"""

from collections.abc import Callable

from msgspec import Struct

from chain.blob_table import get_blob_use
from chain.block import Header
from chain.certificate import Certificate, hash_certificate
from chain.clock import ClockPoint, to_wall_ms
from chain.errors import InvalidBlock
from chain.execution import Draft, Executed, Parent, execute_block
from chain.genesis import Parameters
from chain.round_record import PROTOCOL, get_protocol_version
from chain.transaction import TRANSACTION_VERSION, Transaction, count_items
from chain.types import TxId


class Freshness(Struct, frozen=True):
    """What only a fresh proposal must satisfy; carried and synced blocks are exempt, or a long stop halts the
    chain for ever (pitfalls P19)."""

    wall_ms: int
    """Wall clock now."""
    has_blob: Callable[[bytes], bool]


class HeldUntil(InvalidBlock):
    """A proposal from the future: to be looked at again at `wall_ms`, not refused."""

    def __init__(self, wall_ms: int) -> None:
        super().__init__("the timestamp lies in the future", wall_ms=wall_ms)
        self.wall_ms = wall_ms


class BlobMissing(InvalidBlock):
    """A detached blob of a fresh proposal is not here yet."""

    def __init__(self, blob_hash: bytes) -> None:
        super().__init__("a detached blob is missing", blob_hash=blob_hash.hex())
        self.blob_hash = blob_hash


def get_blob_hash(transaction: Transaction) -> bytes | None:
    """Return the hash of the detached blob that a transaction names, if any."""
    use = get_blob_use(transaction)
    return None if use is None else use[0]


def validate_block(
    parent: Parent,
    *,
    header: Header,
    parent_certificate: Certificate,
    transactions: tuple[Transaction, ...],
    parameters: Parameters,
    clock: tuple[ClockPoint, ...],
    has_run: Callable[[Transaction], bool],
    freshness: Freshness | None,
) -> Executed:
    """Validate and execute a candidate on the head; raise `InvalidBlock`, `HeldUntil` or `BlobMissing`.

    The embedded certificate's signatures must have been verified by the caller.
    """
    _validate_links(parent, header, parent_certificate)
    _validate_time(parent, header, transactions, parameters=parameters, clock=clock, freshness=freshness)
    _validate_transactions(parent, header, transactions, parameters=parameters, has_run=has_run, freshness=freshness)
    executed = execute_block(
        parent,
        Draft(
            timestamp_ms=header.timestamp_ms,
            proposer=header.proposer,
            reveal=header.reveal,
            parent_certificate=parent_certificate,
            transactions=transactions,
        ),
    )
    if executed.header != header:
        different = [
            name for name in Header.__struct_fields__ if getattr(executed.header, name) != getattr(header, name)
        ]
        raise InvalidBlock("recomputed fields differ", fields=" ".join(different), height=header.height)
    return executed


def _validate_links(parent: Parent, header: Header, certificate: Certificate) -> None:
    if header.height != parent.header.height + 1:
        raise InvalidBlock("the height does not follow the head", height=header.height)
    protocol = parent.read(PROTOCOL.key(), PROTOCOL.codec)
    if protocol is None or header.version != get_protocol_version(protocol, header.height):
        raise InvalidBlock("the protocol version is not the scheduled one", version=header.version)
    if header.parent_hash != parent.head_hash:
        raise InvalidBlock("the parent is not the head", parent=header.parent_hash.hex())
    if certificate.height != parent.header.height or certificate.block_hash != parent.head_hash:
        raise InvalidBlock("the embedded certificate is not for the head", height=certificate.height)
    if hash_certificate(certificate) != header.parent_certificate_hash:
        raise InvalidBlock("the embedded certificate is not the one in the header", height=header.height)


def _validate_time(
    parent: Parent,
    header: Header,
    transactions: tuple[Transaction, ...],
    *,
    parameters: Parameters,
    clock: tuple[ClockPoint, ...],
    freshness: Freshness | None,
) -> None:
    before, now = parent.header.timestamp_ms, header.timestamp_ms
    if not before < now <= before + parameters.advance_max_ms:
        raise InvalidBlock("the timestamp must rise, by at most advance_max", timestamp_ms=now, parent_ms=before)
    is_catching_up = now == before + parameters.advance_max_ms
    wall_ms = to_wall_ms(clock, now)
    if not transactions and not is_catching_up and wall_ms < to_wall_ms(clock, before) + parameters.idle_interval_ms:
        raise InvalidBlock("an empty block before the idle interval is over", timestamp_ms=now)
    if freshness is None:
        return
    if wall_ms > freshness.wall_ms + parameters.future_max_ms:
        raise HeldUntil(wall_ms - parameters.future_max_ms)
    if wall_ms < freshness.wall_ms - parameters.past_max_ms and not is_catching_up:
        raise InvalidBlock("the timestamp is too old for a fresh proposal", timestamp_ms=now)


def _validate_transactions(
    parent: Parent,
    header: Header,
    transactions: tuple[Transaction, ...],
    *,
    parameters: Parameters,
    has_run: Callable[[Transaction], bool],
    freshness: Freshness | None,
) -> None:
    now = header.timestamp_ms
    if len(transactions) > parameters.block_transactions_max:
        raise InvalidBlock("too many transactions", count=len(transactions))
    if sum(count_items(transaction.body.call) for transaction in transactions) > parameters.block_items_max:
        raise InvalidBlock("too many items")
    if sum(len(transaction.raw) for transaction in transactions) > parameters.block_bytes_max:
        raise InvalidBlock("too many bytes")
    seen: set[TxId] = set()
    for transaction in transactions:
        if transaction.body.version != TRANSACTION_VERSION:
            raise InvalidBlock("a transaction has another format", tx_id=transaction.tx_id.hex())
        if not is_includable(transaction, now_ms=now, parameters=parameters):
            raise InvalidBlock("a transaction is outside its validity", tx_id=transaction.tx_id.hex())
        if transaction.body.chain_id != parent.chain_id:
            raise InvalidBlock("a transaction is for another chain", tx_id=transaction.tx_id.hex())
        if transaction.tx_id in seen or has_run(transaction):
            raise InvalidBlock("a transaction runs twice", tx_id=transaction.tx_id.hex())
        if not transaction.is_signature_valid():
            raise InvalidBlock("a transaction's signature is wrong", tx_id=transaction.tx_id.hex())
        seen.add(transaction.tx_id)
        blob_hash = get_blob_hash(transaction)
        if freshness is not None and blob_hash is not None and not freshness.has_blob(blob_hash):
            raise BlobMissing(blob_hash)


def is_includable(transaction: Transaction, *, now_ms: int, parameters: Parameters) -> bool:
    """Tell whether block time lies in the transaction's validity: never by contract state (consensus 4)."""
    return now_ms <= transaction.body.valid_until_ms <= now_ms + parameters.validity_window_ms
