"""What a transaction must satisfy to enter a node's pool: the same checks for clients and for peers."""

from collections.abc import Callable

from chain.errors import Refusal
from chain.genesis import Parameters
from chain.transaction import TRANSACTION_VERSION, Transaction
from chain.types import ChainId
from chain.validation import get_blob_hash


def validate_admission(
    transaction: Transaction,
    *,
    chain_id: ChainId,
    parameters: Parameters,
    block_ms: int,
    head_ms: int,
    has_blob: Callable[[bytes], bool] | None,
) -> None:
    """Raise `Refusal` with what is wrong and what to do; the signature is checked last, as it costs most.

    `block_ms` is block time by this node's clock, `head_ms` that of the last block; `has_blob` is None for peers'
    transactions, whose blobs may arrive after them.
    """
    body = transaction.body
    if body.version != TRANSACTION_VERSION:
        raise Refusal("version_unknown", version=body.version, supported=TRANSACTION_VERSION)
    if body.chain_id != chain_id:
        raise Refusal("wrong_chain", chain_id=body.chain_id.hex(), expected=chain_id.hex())
    if body.valid_until_ms <= head_ms:
        raise Refusal("expired", valid_until_ms=body.valid_until_ms, ledger_time_ms=head_ms)
    latest = max(block_ms, head_ms) + parameters.validity_window_ms
    if body.valid_until_ms > latest:
        raise Refusal("validity_too_distant", valid_until_ms=body.valid_until_ms, latest_ms=latest)
    blob_hash = get_blob_hash(transaction)
    if has_blob is not None and blob_hash is not None and not has_blob(blob_hash):
        raise Refusal("blob_missing", blob_hash=blob_hash.hex(), upload=f"PUT /v1/blobs/{blob_hash.hex()}")
    if not transaction.is_signature_valid():
        raise Refusal("bad_signature", signer=body.signer.hex())
