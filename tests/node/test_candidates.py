"""Candidates: bodies by id and signature, bounded results."""

import pytest

from chain.block import Header
from chain.certificate import genesis_certificate
from chain.contract.member_calls import MemberLeave
from chain.history import merkle_root
from chain.transaction import Transaction, build_transaction
from chain.types import Hash, TxId
from consensus.events import BlockContent
from node.candidates import BLOCKS_MAX, LOOSE_BYTES_MAX, BodiesMissing, Candidates, RootMismatch
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
    candidates = Candidates({second.tx_id: second}.get)
    with pytest.raises(BodiesMissing) as caught:
        candidates.assemble(make_content(first, second))
    assert caught.value.tx_ids == (first.tx_id,)
    assert candidates.add_body(first)
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


def get_hash(number: int) -> Hash:
    return Hash(number.to_bytes(32, "big"))


def alter(content: BlockContent) -> BlockContent:
    """Return what a lying relayer makes of a content: the same signed header, another list."""
    return BlockContent(
        block_hash=content.block_hash,
        header=content.header,
        parent_certificate=content.parent_certificate,
        items=((bytes(32), bytes(64)), *content.items),
    )


def test_contents_are_bounded_and_the_oldest_goes() -> None:
    candidates = Candidates(no_pool)
    for number in range(1, BLOCKS_MAX + 3):
        candidates.add_content(make_content(number=number))
    assert candidates.get_content(get_hash(1)) is None
    assert candidates.get_content(get_hash(BLOCKS_MAX + 2)) is not None


def test_the_block_that_this_node_is_bound_to_never_goes_before_the_height_is_committed() -> None:
    transaction = make_transaction(1)
    candidates = Candidates(no_pool)
    candidates.keep_block(make_content(transaction), (transaction,))
    candidates.bind(get_hash(1))
    for number in range(2, 2 * BLOCKS_MAX):
        candidates.add_content(make_content(number=number))
    assert candidates.get_whole(get_hash(1)) == make_content(transaction)
    assert candidates.get_body(transaction.tx_id) is transaction
    candidates.clear()
    assert candidates.get_body(transaction.tx_id) is None


def test_bodies_go_with_the_oldest_whole_block_but_those_that_another_names() -> None:
    only, shared = make_transaction(1), make_transaction(2)
    candidates = Candidates(no_pool)
    candidates.keep_block(make_content(only, shared, number=1), (only, shared))
    for number in range(2, BLOCKS_MAX + 2):
        candidates.keep_block(make_content(shared, number=number), (shared,))
    assert candidates.get_body(only.tx_id) is None
    assert candidates.get_body(shared.tx_id) is shared


def test_p23_body_that_was_never_asked_for_is_not_kept() -> None:
    asked, unasked = make_transaction(1), make_transaction(2)
    candidates = Candidates(no_pool)
    assert not candidates.add_body(unasked)
    with pytest.raises(BodiesMissing):
        candidates.assemble(make_content(asked))
    assert not candidates.add_body(unasked)
    assert candidates.get_body(unasked.tx_id) is None
    assert candidates.add_body(asked)
    assert not candidates.add_body(asked), "a second time it is nothing new"


def test_p23_bodies_that_were_asked_for_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = [make_transaction(number) for number in range(6)]
    size = len(transactions[0].raw)
    monkeypatch.setattr("node.candidates.LOOSE_BYTES_MAX", 3 * size)
    assert LOOSE_BYTES_MAX >= 2 * 4_194_304, "two blocks of the largest genesis allows"
    candidates = Candidates(no_pool)
    with pytest.raises(BodiesMissing):
        candidates.assemble(make_content(*transactions))
    for transaction in transactions:
        candidates.add_body(transaction)
    kept = [transaction for transaction in transactions if candidates.get_body(transaction.tx_id) is not None]
    assert kept == transactions[3:]


def test_only_the_newest_two_blocks_have_their_bodies_taken_in() -> None:
    first, second, third = (make_transaction(number) for number in range(3))
    candidates = Candidates(no_pool)
    for number, transaction in enumerate((first, second, third), start=1):
        with pytest.raises(BodiesMissing):
            candidates.assemble(make_content(transaction, number=number))
    assert not candidates.add_body(first)
    assert candidates.add_body(second)
    assert candidates.add_body(third)


def test_false_copy_of_a_list_never_replaces_the_true_one() -> None:
    transaction = make_transaction(1)
    true = make_content(transaction)
    candidates = Candidates({transaction.tx_id: transaction}.get)
    candidates.add_content(alter(true))
    assert candidates.get_content(true.block_hash) == alter(true)
    assert candidates.assemble(true) == (transaction,)
    candidates.add_content(alter(true))
    assert candidates.get_content(true.block_hash) == true
    candidates.drop_content(true.block_hash)
    assert candidates.get_content(true.block_hash) == true
    with pytest.raises(RootMismatch):
        candidates.assemble(alter(true))


def test_list_that_is_not_whole_is_not_handed_on_and_can_be_dropped() -> None:
    content = make_content(make_transaction(1))
    candidates = Candidates(no_pool)
    candidates.add_content(content)
    assert candidates.get_whole(content.block_hash) is None
    candidates.drop_content(content.block_hash)
    assert candidates.get_content(content.block_hash) is None
