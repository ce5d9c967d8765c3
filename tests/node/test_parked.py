"""Parked transactions: bounded for each peer, taken when their blob comes."""

from chain.contract.member_calls import MemberLeave
from chain.transaction import Transaction, build_transaction
from node.parked import TRANSACTIONS_MAX, Parked
from tests.chain.fixtures import make_key

H = bytes(32)
A, B = b"a" * 32, b"b" * 32


def make_transaction(number: int, valid_until_ms: int = 100) -> Transaction:
    return build_transaction(
        chain_id=H,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=valid_until_ms,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )


def test_what_waited_for_a_blob_is_taken_in_the_order_of_its_coming() -> None:
    parked = Parked(ingress_count=4)
    first, other, second = (make_transaction(number) for number in range(3))
    assert parked.add(first, ingress=1, blob_hash=A)
    assert parked.add(other, ingress=1, blob_hash=B)
    assert parked.add(second, ingress=2, blob_hash=A)
    assert first.tx_id in parked
    assert [(item.transaction, item.ingress) for item in parked.take(A)] == [(first, 1), (second, 2)]
    assert parked.take(A) == []
    assert first.tx_id not in parked
    assert len(parked) == 1


def test_p24_full_share_of_one_peer_takes_no_room_from_another() -> None:
    parked = Parked(ingress_count=4)
    for number in range(TRANSACTIONS_MAX):
        assert parked.add(make_transaction(number), ingress=1, blob_hash=A)
    late = make_transaction(TRANSACTIONS_MAX)
    assert not parked.add(late, ingress=1, blob_hash=A)
    assert parked.add(late, ingress=2, blob_hash=A)
    parked.take(A)
    assert parked.add(make_transaction(0), ingress=1, blob_hash=A)


def test_same_transaction_again_is_counted_once() -> None:
    parked = Parked(ingress_count=4)
    for _ in range(TRANSACTIONS_MAX + 5):
        assert parked.add(make_transaction(1), ingress=1, blob_hash=A)
    assert len(parked) == 1


def test_expired_ones_go_and_nothing_of_them_stays() -> None:
    parked = Parked(ingress_count=4)
    early, late = make_transaction(1, valid_until_ms=50), make_transaction(2, valid_until_ms=51)
    parked.add(early, ingress=1, blob_hash=A)
    parked.add(late, ingress=1, blob_hash=B)
    parked.expire(50)
    assert early.tx_id not in parked
    assert late.tx_id in parked
    assert parked.find_blobs(9) == (B,)


def test_blobs_are_asked_for_in_turn_so_that_none_is_passed_over() -> None:
    parked = Parked(ingress_count=4)
    hashes = [bytes([number]) * 32 for number in range(5)]
    for number, blob_hash in enumerate(hashes):
        parked.add(make_transaction(number), ingress=1, blob_hash=blob_hash)
    asked = [*parked.find_blobs(2), *parked.find_blobs(2), *parked.find_blobs(2)]
    assert set(asked) == set(hashes)
