"""The beacon takes exactly one reveal from each proposer, and draws from it favour nobody."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contract import beacon
from chain.contract.claim_tables import BEACON, BeaconRecord
from chain.errors import InvalidBlock, InvariantViolation
from chain.types import Hash, Height
from tests.chain.contract.claim_world import ClaimWorld, name_hash


def get_record(world: ClaimWorld) -> BeaconRecord:
    return world.state.require(BEACON)


def get_next(world: ClaimWorld, index: int) -> bytes:
    return world._links[index][1]


def test_a_reveal_is_valid_only_if_it_hashes_to_that_validators_last_link() -> None:
    world = ClaimWorld()
    assert beacon.is_reveal_valid(world.state, 0, get_next(world, 0))
    assert not beacon.is_reveal_valid(world.state, 0, get_next(world, 1))
    assert not beacon.is_reveal_valid(world.state, 0, get_record(world).links[0])
    assert not beacon.is_reveal_valid(world.state, 4, get_next(world, 0))
    assert not beacon.is_reveal_valid(world.state, -1, get_next(world, 3))


def test_a_wrong_reveal_makes_the_block_invalid_and_changes_nothing() -> None:
    world = ClaimWorld()
    before = get_record(world)
    with pytest.raises(InvalidBlock):
        beacon.apply_reveal(world.state, 0, bytes(32), Height(101))
    assert get_record(world) == before


def test_each_reveal_is_mixed_into_the_value_and_becomes_the_next_link() -> None:
    world = ClaimWorld()
    before, link = get_record(world), get_next(world, 2)
    world.reveal(2)
    after = get_record(world)
    assert after.value == hashlib.sha256(beacon.STEP_TAG + before.value + link).digest()
    assert after.links == (before.links[0], before.links[1], link, before.links[3])
    assert after.reveal_heights == (0, 0, 101, 0)


def test_a_reveal_cannot_be_used_twice() -> None:
    world = ClaimWorld()
    link = get_next(world, 1)
    world.reveal(1)
    assert not beacon.is_reveal_valid(world.state, 1, link)


def test_a_draw_waits_until_f_plus_one_different_proposers_have_revealed_since() -> None:
    world = ClaimWorld()
    since = world.height
    world.reveal(0, 0, 0)
    assert beacon.get_draw_value(get_record(world), since=since, proposers_min=2) is None
    world.reveal(3)
    assert beacon.get_draw_value(get_record(world), since=since, proposers_min=2) is not None
    assert beacon.get_draw_value(get_record(world), since=since + 3, proposers_min=2) is None


def test_the_length_of_a_leaders_run_does_not_change_what_is_drawn() -> None:
    world = ClaimWorld()
    since = world.height
    world.reveal(0, 1)
    value = beacon.get_draw_value(get_record(world), since=since, proposers_min=2)
    world.reveal(1, 1, 1)
    assert beacon.get_draw_value(get_record(world), since=since, proposers_min=2) == value
    world.reveal(2)
    assert beacon.get_draw_value(get_record(world), since=since, proposers_min=2) not in (None, value)


def test_a_run_that_began_before_the_request_never_decides_it() -> None:
    """With one proposer enough (f = 0), the newest value decides: the run's first block was known before."""
    world = ClaimWorld()
    world.reveal(0)
    since = world.height
    world.reveal(0)
    record = get_record(world)
    assert beacon.get_draw_value(record, since=since, proposers_min=1) == record.value
    assert record.value != record.turn_value


def test_a_draw_is_the_same_for_everybody_and_differs_by_value_purpose_and_subject() -> None:
    bound = 2**60
    first = beacon.draw(name_hash("v"), purpose="p", subject=b"s", bound=bound)
    assert first == beacon.draw(name_hash("v"), purpose="p", subject=b"s", bound=bound)
    others = [
        beacon.draw(name_hash("w"), purpose="p", subject=b"s", bound=bound),
        beacon.draw(name_hash("v"), purpose="q", subject=b"s", bound=bound),
        beacon.draw(name_hash("v"), purpose="p", subject=b"t", bound=bound),
    ]
    assert len({first, *others}) == 4


def test_draw_equals_its_written_rule_on_a_golden_value() -> None:
    value, subject = bytes(range(32)), b"claim"
    seed = hashlib.sha256(b"gongji/draw/v1\nassessors-0-2\0" + value + hashlib.sha256(subject).digest()).digest()
    word = int.from_bytes(hashlib.sha256(seed + bytes(4)).digest()[:8], "big")
    assert beacon.draw(Hash(value), purpose="assessors-0-2", subject=subject, bound=6) == word % 6
    assert word == 10_417_453_933_995_861_125


def test_draw_rejects_words_of_the_incomplete_last_multiple() -> None:
    """With a bound just above half of all words nearly every second word is rejected, and none is wrapped."""
    bound = 2**63 + 1
    rejected = 0
    for number in range(200):
        value, subject = name_hash("value", number), b"s"
        seed = hashlib.sha256(beacon.DRAW_TAG + b"p\0" + value + hashlib.sha256(subject).digest()).digest()
        words = [
            int.from_bytes(hashlib.sha256(seed + attempt.to_bytes(4, "big")).digest()[:8], "big")
            for attempt in range(64)
        ]
        rejected += words[0] >= bound
        expected = next(word for word in words if word < bound)
        assert beacon.draw(value, purpose="p", subject=subject, bound=bound) == expected
    assert 70 < rejected < 130


@pytest.mark.parametrize("bound", [3, 6, 7])
def test_every_number_is_drawn_equally_often(bound: int) -> None:
    """Chi-square over 12,000 draws; the limit is exceeded by a fair draw once in about 10^5 tries."""
    draws = 12_000
    counts = Counter(
        beacon.draw(name_hash("fair", number), purpose="p", subject=b"s", bound=bound) for number in range(draws)
    )
    expected = draws / bound
    chi_square = sum((counts[number] - expected) ** 2 / expected for number in range(bound))
    assert chi_square < 35


@given(st.binary(min_size=32, max_size=32), st.integers(min_value=1, max_value=2**64))
def test_a_draw_lies_within_its_bound(value: bytes, bound: int) -> None:
    assert 0 <= beacon.draw(Hash(value), purpose="p", subject=b"", bound=bound) < bound


@pytest.mark.parametrize("bound", [0, -1, 2**64 + 1])
def test_a_draw_from_nothing_is_our_own_fault(bound: int) -> None:
    with pytest.raises(InvariantViolation):
        beacon.draw(name_hash("v"), purpose="p", subject=b"", bound=bound)
