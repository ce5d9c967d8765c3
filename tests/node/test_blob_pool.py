"""Blob pool: shares, time, and what a small blob costs."""

import pytest

from chain.crypto import sha256
from chain.errors import Refusal
from node.blob_pool import BLOB_COST_BYTES, BYTES_MAX, HOLD_MS, WANTED_BYTES_MAX, BlobPool


def make_blob(number: int, size: int = 16_384) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def fill(pool: BlobPool, *, ingress: int, first: int = 0) -> int:
    """Fill a share; return how many went in."""
    for number in range(first, first + 10_000):
        try:
            pool.add(make_blob(number), ingress=ingress, now_ms=0)
        except Refusal:
            return number - first
    raise AssertionError("the share has no end")


def test_full_share_of_one_validator_is_refused_and_takes_no_room_from_another() -> None:
    pool = BlobPool(ingress_count=4)
    count = fill(pool, ingress=1)
    assert count == BYTES_MAX // 4 // (16_384 + BLOB_COST_BYTES)
    with pytest.raises(Refusal) as caught:
        pool.add(make_blob(99_999), ingress=1, now_ms=0)
    assert caught.value.code == "pool_full"
    assert pool.add(make_blob(99_999), ingress=2, now_ms=0) == (HOLD_MS, False)


def test_a11_blobs_of_one_byte_are_counted_with_what_they_cost() -> None:
    pool = BlobPool(ingress_count=4_096)
    taken = 0
    with pytest.raises(Refusal):
        for number in range(1_000):
            pool.add(number.to_bytes(2, "big"), ingress=0, now_ms=0)
            taken += 1
    assert taken == BYTES_MAX // 4_096 // (2 + BLOB_COST_BYTES)


def test_blob_that_this_node_asked_for_is_taken_beyond_the_share_up_to_a_bound() -> None:
    pool = BlobPool(ingress_count=4)
    fill(pool, ingress=1)
    wanted = 0
    with pytest.raises(Refusal):
        for number in range(50_000, 60_000):
            pool.add(make_blob(number), ingress=1, now_ms=0, is_wanted=True)
            wanted += 1
    assert wanted == WANTED_BYTES_MAX // (16_384 + BLOB_COST_BYTES)
    pool.remove(sha256(make_blob(50_000)))
    assert pool.add(make_blob(70_000), ingress=1, now_ms=0, is_wanted=True) == (HOLD_MS, False)


def test_removed_blob_gives_its_room_back() -> None:
    pool = BlobPool(ingress_count=4)
    fill(pool, ingress=0)
    pool.remove(sha256(make_blob(3)))
    assert sha256(make_blob(3)) not in pool
    assert pool.add(make_blob(99_999), ingress=0, now_ms=0) == (HOLD_MS, False)


def test_what_is_due_is_told_and_what_was_renewed_is_not() -> None:
    pool = BlobPool(ingress_count=4)
    first, second, third = (make_blob(number) for number in range(3))
    for blob in (first, second, third):
        pool.add(blob, ingress=0, now_ms=0)
    assert pool.renew(sha256(first), now_ms=10)
    assert pool.find_due(HOLD_MS - 1) == []
    assert pool.find_due(HOLD_MS) == [sha256(second), sha256(third)]
    assert not pool.renew(sha256(b"never here"), now_ms=10)


def test_same_blob_again_is_held_for_the_whole_time_again() -> None:
    pool = BlobPool(ingress_count=4)
    pool.add(make_blob(1), ingress=0, now_ms=0)
    assert pool.add(make_blob(1), ingress=0, now_ms=1_000) == (HOLD_MS, True)
    assert pool.find_due(HOLD_MS) == []
    assert pool.find_due(HOLD_MS + 1_000) == [sha256(make_blob(1))]


def test_nobody_keeps_the_share_of_another_full_by_sending_its_blobs_again() -> None:
    pool = BlobPool(ingress_count=4)
    count = fill(pool, ingress=0)
    for number in range(count):
        pool.add(make_blob(number), ingress=1, now_ms=HOLD_MS - 1)
    assert fill(pool, ingress=0, first=20_000) == count, "they count for who sent them last"
    # A third with a full share of its own renews nothing.
    fill(pool, ingress=2, first=40_000)
    assert pool.add(make_blob(20_000), ingress=2, now_ms=HOLD_MS - 1) == (1, True)
