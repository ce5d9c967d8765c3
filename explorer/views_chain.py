"""Answers about blocks, transactions and validators, from one snapshot (`answers_chain.py` holds their
form)."""

from base64 import b64encode
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct

from chain.block import Header, hash_header
from chain.certificate import Certificate
from chain.codec import encode
from chain.contract.events import Event
from chain.contract.governance_tables import CANDIDATE, CONSORTIUM, REJOIN, VALIDATOR_SET
from chain.contract.tables import ORGANISATION
from chain.errors import DecodeError, StoreError
from chain.genesis import ROLE_NAMES
from chain.receipt import build_log_entry
from chain.round_record import ROUND, VALIDATORS
from chain.state import Table
from chain.transaction import Transaction, decode_transaction, get_call_name
from chain.types import TxId
from chain.validators import ValidatorSet, compute_faults_max, compute_quorum, hash_validators
from explorer.answers_chain import (
    BlockAnswer,
    BlockSummary,
    CandidateAnswer,
    CertificateAnswer,
    HeaderAnswer,
    LogAnswer,
    OutcomeAnswer,
    ReceiptAnswer,
    TransactionAnswer,
    TransactionSummary,
    ValidatorAnswer,
    ValidatorsAnswer,
    VoteAnswer,
)
from explorer.privacy import is_withheld, publish_events
from explorer.problems import ProblemError
from explorer.reader import BlockRecord, ChainSnapshot, Entry, TransactionStatus
from explorer.represent import JsonObject, format_time, get_code, represent_fields

V = TypeVar("V", bound=Struct)


def require(snapshot: ChainSnapshot, table: Table[V], *parts: bytes | str | int) -> V:
    """Return a record that every state has; its absence means that the store is damaged."""
    value = snapshot.read(table, *parts)
    if value is None:
        raise StoreError(f"the state has no {table.name} {parts!r}")
    return value


def require_asked(snapshot: ChainSnapshot, table: Table[V], asked: Mapping[str, bytes | str | int]) -> V:
    """Return the record that a caller asked for, by the parts of its key; raise `ProblemError` not_found with them."""
    value = snapshot.read(table, *asked.values())
    if value is None:
        values = {name: part.hex() if isinstance(part, bytes) else part for name, part in asked.items()}
        raise ProblemError("not_found", values=values)
    return value


def require_block(snapshot: ChainSnapshot, height: int) -> BlockRecord:
    """Return a block that the chain has."""
    record = snapshot.read_block(height)
    if record is None:
        raise StoreError(f"block {height} is missing")
    return record


# --- blocks -------------------------------------------------------------------------------------------------


def find_validators(snapshot: ChainSnapshot, genesis_set: ValidatorSet, height: int) -> ValidatorSet | None:
    """Return set(height), to whose hash the header before commits; None for block 0, on which nobody votes.

    The state archives every set but that of genesis, so that old certificates stay provable.
    """
    if height == 0:
        return None
    wanted = require_block(snapshot, height - 1).header.next_validators_hash
    if hash_validators(genesis_set) == wanted:
        return genesis_set
    archived = snapshot.read(VALIDATOR_SET, wanted)
    return None if archived is None else archived.validators


def get_certificate(snapshot: ChainSnapshot, height: int) -> tuple[Certificate, bool]:
    """Return C(height) and whether it is the agreed one, which the next block embeds (consensus 1)."""
    after = snapshot.read_block(height + 1)
    if after is None:
        return snapshot.read_head_certificate(), False
    return after.parent_certificate, True


def build_block_summary(record: BlockRecord, organisations: dict[bytes, str]) -> BlockSummary:
    """Return one line of the list of blocks; `organisations` names present validators by key."""
    header = record.header
    return BlockSummary(
        height=header.height,
        hash=hash_header(header).hex(),
        time=format_time(header.timestamp_ms),
        proposer=header.proposer.hex(),
        proposer_organisation=organisations.get(header.proposer),
        transactions=record.transactions,
        log_size=header.log_size,
        state_root=header.state_root.hex(),
    )


def get_organisations(snapshot: ChainSnapshot) -> dict[bytes, str]:
    """Return the names of the present validators' organisations by validator key."""
    return {validator.key: validator.organisation for validator in require(snapshot, VALIDATORS).next_set}


def build_block(snapshot: ChainSnapshot, record: BlockRecord, genesis_set: ValidatorSet) -> BlockAnswer:
    """Return one block; immutable as soon as the next block embeds its certificate."""
    header = record.header
    certificate, is_agreed = get_certificate(snapshot, header.height)
    validators = find_validators(snapshot, genesis_set, header.height) or ()
    names = [validator.organisation for validator in validators]
    owners = {validator.key: validator.organisation for validator in validators}
    automatic = snapshot.read_entry_at((header.height, 0))
    shown, withheld = publish_events(automatic.receipt.events) if automatic else ([], 0)
    return BlockAnswer(
        hash=hash_header(header).hex(),
        header=_build_header(header),
        proposer_organisation=owners.get(header.proposer),
        certificate=CertificateAnswer(
            height=certificate.height,
            view=certificate.view,
            block_hash=certificate.block_hash.hex(),
            is_agreed=is_agreed,
            votes=[
                VoteAnswer(
                    validator=index,
                    organisation=names[index] if index < len(names) else None,
                    signature=signature.hex(),
                )
                for index, signature in certificate.votes
            ],
        ),
        transactions=[tx_id.hex() for _, tx_id in snapshot.list_ids(header.height)],
        events=[build_event(event) for event in shown],
        withheld_events=withheld,
    )


def _build_header(header: Header) -> HeaderAnswer:
    return HeaderAnswer(
        version=header.version,
        height=header.height,
        parent_hash=header.parent_hash.hex(),
        time=format_time(header.timestamp_ms),
        proposer=header.proposer.hex(),
        parent_certificate_hash=header.parent_certificate_hash.hex(),
        transactions_root=header.transactions_root.hex(),
        log_size=header.log_size,
        log_root=header.log_root.hex(),
        state_root=header.state_root.hex(),
        next_validators_hash=header.next_validators_hash.hex(),
        reveal=header.reveal.hex(),
    )


def build_event(event: Event) -> JsonObject:
    """Return an event as JSON: its name, then its fields."""
    name = str(event.__struct_config__.tag)
    return {"event": name, **represent_fields(event, subject=name)}


# --- transactions -------------------------------------------------------------------------------------------


def build_outcome(number: int) -> OutcomeAnswer:
    """Return the outcome of a transaction or of an item; `already` counts as success."""
    code = get_code(number)
    return OutcomeAnswer(outcome="success" if code in {"success", "already"} else "failed", code=code)


def decode_stored(raw: bytes) -> Transaction:
    """Return a transaction that the chain holds; one that cannot be read means that the store is damaged."""
    try:
        return decode_transaction(raw)
    except DecodeError as error:
        raise StoreError(f"a stored transaction cannot be read: {error}") from error


class _BodyHead(Struct, array_like=True):
    """A body of which only the call's bytes are looked at."""

    version: int
    chain_id: bytes
    nonce: bytes
    valid_until_ms: int
    signer: bytes
    call: msgspec.Raw


class _Head(Struct, array_like=True):
    body: _BodyHead
    signature: bytes


_head_decoder = msgspec.msgpack.Decoder(_Head)
_ARRAY_16 = 0xDC


def read_call_name(raw: bytes) -> str:
    """Return the name of a stored transaction's call without decoding the rest: lists need no more.

    A call is an array (of at most 15 or of at most 65,535 elements) that begins with its name, a text of at most 31
    bytes; stored bytes are canonical, so no other form exists.
    """
    try:
        call = bytes(_head_decoder.decode(raw).body.call)
        start = 3 if call[0] == _ARRAY_16 else 1
        return call[start + 1 : start + 1 + (call[start] & 0x1F)].decode("ascii")
    except (msgspec.DecodeError, IndexError, UnicodeDecodeError) as error:
        raise StoreError(f"a stored transaction cannot be read: {error}") from error


def build_transaction_summary(entry: Entry, timestamp_ms: int) -> TransactionSummary:
    """Return one line of the list of transactions."""
    outcome = build_outcome(entry.receipt.outcome)
    return TransactionSummary(
        tx_id=entry.receipt.tx_id.hex(),
        height=entry.height,
        index=entry.index,
        time=format_time(timestamp_ms),
        call=read_call_name(entry.raw),
        outcome=outcome.outcome,
        code=outcome.code,
    )


def build_transaction(entry: Entry, timestamp_ms: int, *, is_public: bool = True) -> TransactionAnswer:
    """Return a committed transaction; the public does not see what links a claim to a member (contract 6).

    `is_public` False: the answer goes to somebody who has just handed in the signed bytes. Where the call is withheld
    nobody else has them, so that all is shown; those of a public call everybody can read here and hand in again.
    """
    transaction = decode_stored(entry.raw)
    call = transaction.body.call
    name = get_call_name(call)
    receipt = entry.receipt
    outcome = build_outcome(receipt.outcome)
    log = build_log_entry(receipt, height=entry.height, index=entry.index)
    answer = TransactionAnswer(
        tx_id=transaction.tx_id.hex(),
        status="committed",
        outcome=outcome.outcome,
        code=outcome.code,
        height=entry.height,
        index=entry.index,
        time=format_time(timestamp_ms),
        call=name,
        log=LogAnswer(
            height=entry.height,
            index=entry.index,
            outcome_number=receipt.outcome,
            events_hash=log.events_hash.hex(),
        ),
    )
    is_own = not is_public and is_withheld(name)
    if is_withheld(name) and not is_own:
        withheld = ["body", "signer", "signed_tx", "items", "events", "valid_until"]
        return msgspec.structs.replace(answer, withheld=withheld)
    shown, hidden = (list(receipt.events), 0) if is_own else publish_events(receipt.events)
    return msgspec.structs.replace(
        answer,
        valid_until=format_time(transaction.body.valid_until_ms),
        body=represent_fields(call, subject=name),
        signer=transaction.body.signer.hex(),
        signed_tx=b64encode(entry.raw).decode("ascii"),
        items=[build_outcome(number) for number in receipt.items],
        events=[build_event(event) for event in shown],
        withheld=["events"] if hidden else UNSET,
    )


def build_pending(tx_id: TxId, status: TransactionStatus) -> TransactionAnswer:
    """Return a transaction that is not in the log, as this node knows it."""
    return TransactionAnswer(
        tx_id=tx_id.hex(),
        status=status.status,
        valid_until=format_time(status.valid_until_ms),
        code=status.code,
    )


def build_receipt(snapshot: ChainSnapshot, entry: Entry, genesis_set: ValidatorSet) -> ReceiptAnswer:
    """Return the self-contained proof of a transaction under the header of its own block (api.md,
    Receipts)."""
    record = require_block(snapshot, entry.height)
    before = require_block(snapshot, entry.height - 1).header.log_size
    size = record.header.log_size
    # Automatic events are entry 0 of a block only where there are any (design 2).
    first_index = 1 if size - before == record.transactions else 0
    log_index = before + entry.index - first_index
    certificate, is_agreed = get_certificate(snapshot, entry.height)
    validators = find_validators(snapshot, genesis_set, entry.height)
    log = build_log_entry(entry.receipt, height=entry.height, index=entry.index)
    answer = ReceiptAnswer(
        tx_id=entry.receipt.tx_id.hex(),
        log_entry=encode(log).hex(),
        log_index=log_index,
        log_path=[digest.hex() for digest in snapshot.prove_inclusion(log_index, size)],
        header=encode(record.header).hex(),
        certificate=encode(certificate).hex(),
        is_agreed=is_agreed,
        validators=None if validators is None else encode(validators).hex(),
    )
    is_body_withheld = is_withheld(read_call_name(entry.raw))
    is_receipt_withheld = is_body_withheld or publish_events(entry.receipt.events)[1] > 0
    withheld = [
        name for name, is_hidden in (("receipt", is_receipt_withheld), ("signed_tx", is_body_withheld)) if is_hidden
    ]
    return msgspec.structs.replace(
        answer,
        receipt=UNSET if is_receipt_withheld else encode(entry.receipt).hex(),
        signed_tx=UNSET if is_body_withheld else b64encode(entry.raw).decode("ascii"),
        withheld=withheld or UNSET,
    )


# --- validators ---------------------------------------------------------------------------------------------


def build_validators(snapshot: ChainSnapshot) -> ValidatorsAnswer:
    """Return set(head + 1), and who may join it."""
    validators = require(snapshot, VALIDATORS).next_set
    skipped = {skip.key for skip in require(snapshot, ROUND).skips}
    return ValidatorsAnswer(
        height=snapshot.head.height + 1,
        quorum=compute_quorum(len(validators)),
        faults_max=compute_faults_max(len(validators)),
        set_hash=hash_validators(validators).hex(),
        items=[
            ValidatorAnswer(
                index=index,
                organisation=validator.organisation,
                role=_get_role(snapshot, validator.organisation),
                key=validator.key.hex(),
                checkpoint_key=validator.checkpoint_key.hex(),
                address=validator.address,
                is_skipped=validator.key in skipped,
                rejoined_height=_get_rejoin_height(snapshot, validator.key),
            )
            for index, validator in enumerate(validators)
        ],
        candidates=_list_candidates(snapshot),
    )


def _get_role(snapshot: ChainSnapshot, name: str) -> str:
    organisation = snapshot.read(ORGANISATION, name)
    if organisation is None:
        raise StoreError(f"the state has no organisation {name}")
    return ROLE_NAMES[organisation.role]


def _get_rejoin_height(snapshot: ChainSnapshot, key: bytes) -> int | None:
    record = snapshot.read(REJOIN, key)
    return None if record is None else record.recorded_height


def _list_candidates(snapshot: ChainSnapshot) -> list[CandidateAnswer]:
    consortium = snapshot.read(CONSORTIUM)
    found = []
    for key in () if consortium is None else consortium.candidates:
        candidate = snapshot.read(CANDIDATE, key)
        if candidate is not None:
            validator = candidate.validator
            found.append(
                CandidateAnswer(
                    organisation=validator.organisation,
                    key=key.hex(),
                    address=validator.address,
                    is_ready=candidate.is_ready,
                )
            )
    return found
