"""Candidates: bodies by id and signature, bounded results."""

import pytest

from chain.block import Header
from chain.certificate import genesis_certificate
from chain.contract.calls import MemberLeave
from chain.history import merkle_root
from chain.transaction import Transaction, build_transaction
from chain.types import Hash, TxId
from consensus.events import BlockContent
from node.candidates import CONTENTS_MAX, BodiesMissing, Candidates, RootMismatch
from tests.chain.fixtures import make_key

H = bytes(32)


def make_transaction(number: int) -> Transaction:
    return build_transaction(
        chain_id=H,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=1,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )


def make_content(*transactions: Transaction, number: int = 1) -> BlockContent:
    header = Header(
        version=1,
        height=number,
        parent_hash=H,
        timestamp_ms=1,
        proposer=H,
        parent_certificate_hash=H,
        transactions_root=merkle_root([transaction.raw for transaction in transactions]),
        log_size=0,
        log_root=H,
        state_root=H,
        next_validators_hash=H,
        reveal=H,
    )
    return BlockContent(
        block_hash=Hash(number.to_bytes(32, "big")),
        header=header,
        parent_certificate=genesis_certificate(Hash(H)),
        items=tuple((transaction.tx_id, transaction.signature) for transaction in transactions),
    )


def no_pool(tx_id: TxId) -> Transaction | None:
    return None


def test_what_is_missing_is_named_and_what_is_there_is_assembled_in_order() -> None:
    first, second = make_transaction(1), make_transaction(2)
    candidates = Candidates(no_pool)
    candidates.add_body(second)
    with pytest.raises(BodiesMissing) as caught:
        candidates.assemble(make_content(first, second))
    assert caught.value.tx_ids == (first.tx_id,)
    candidates.add_body(first)
    assert candidates.assemble(make_content(first, second)) == (first, second)


def test_the_listed_signature_counts_and_not_the_one_in_the_pool() -> None:
    transaction = make_transaction(1)
    variant = Transaction(body=transaction.body, body_bytes=transaction.body_bytes, signature=bytes(64))
    candidates = Candidates({transaction.tx_id: transaction}.get)
    assembled = candidates.assemble(make_content(variant))
    assert assembled[0].signature == bytes(64)
    assert not assembled[0].is_signature_valid()


def test_a_list_that_a_relayer_changed_is_told_from_an_invalid_block() -> None:
    first, second = make_transaction(1), make_transaction(2)
    candidates = Candidates({first.tx_id: first, second.tx_id: second}.get)
    content = make_content(first, second)
    swapped = BlockContent(
        block_hash=content.block_hash,
        header=content.header,
        parent_certificate=content.parent_certificate,
        items=tuple(reversed(content.items)),
    )
    with pytest.raises(RootMismatch):
        candidates.assemble(swapped)


def test_contents_are_bounded_and_the_oldest_goes() -> None:
    candidates = Candidates(no_pool)
    for number in range(1, CONTENTS_MAX + 3):
        candidates.add_content(make_content(number=number))
    assert candidates.get_content(Hash((1).to_bytes(32, "big"))) is None
    assert candidates.get_content(Hash((CONTENTS_MAX + 2).to_bytes(32, "big"))) is not None
