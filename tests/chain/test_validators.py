"""Quorum, leader and skip table (consensus 0 and 3)."""

import pytest

from chain.types import Height, PublicKey, View
from chain.validators import Skip, compute_faults_max, compute_leader, compute_quorum, update_skips
from tests.chain.fixtures import make_genesis

SET = make_genesis().validators
KEYS = tuple(PublicKey(validator.key) for validator in SET)


@pytest.mark.parametrize("n", range(1, 65))
def test_c1_two_quorums_share_an_honest_validator_and_the_honest_can_form_one(n: int) -> None:
    f, q = compute_faults_max(n), compute_quorum(n)
    assert 3 * f < n
    assert 2 * q - n > f
    assert q <= n - f


def test_c1_two_f_plus_one_would_not_do_for_five_validators() -> None:
    assert compute_quorum(5) == 4
    assert 2 * compute_faults_max(5) + 1 == 3


def test_the_leader_changes_with_the_view_and_with_the_tenure() -> None:
    leaders = [
        compute_leader(height=Height(h), view=View(v), validators=SET, skips=(), tenure=10)
        for h, v in ((1, 0), (9, 0), (10, 0), (1, 1), (10, 3))
    ]
    assert leaders == [0, 0, 1, 1, 0]


def test_a_skipped_validator_never_leads() -> None:
    skips = (Skip(key=SET[1].key, since=5),)
    leaders = {
        compute_leader(height=Height(10), view=View(v), validators=SET, skips=skips, tenure=10) for v in range(9)
    }
    assert leaders == {0, 2, 3}


def update(
    height: int, *, view: int, view_before: int, skips: tuple[Skip, ...] = (), signers: tuple[PublicKey, ...] = KEYS
) -> tuple[Skip, ...]:
    return update_skips(
        height=Height(height),
        skips=skips,
        skips_before=skips,
        view=View(view),
        view_before=View(view_before),
        validators_before=SET,
        signers=signers,
        tenure=10,
        skip_tenures=2,
    )


def test_whose_turn_ended_in_a_view_change_is_entered() -> None:
    assert update(5, view=1, view_before=0) == (Skip(key=SET[0].key, since=5),)


def test_only_the_newest_f_entries_stay() -> None:
    assert update(5, view=3, view_before=0) == (Skip(key=SET[2].key, since=5),)


def test_an_entry_ends_after_its_tenures_and_not_without_a_signature() -> None:
    skips = (Skip(key=SET[2].key, since=5),)
    assert update(24, view=1, view_before=1, skips=skips) == skips
    assert update(25, view=1, view_before=1, skips=skips) == ()
    without = tuple(key for key in KEYS if key != SET[2].key)
    assert update(25, view=1, view_before=1, skips=skips, signers=without) == skips


def test_p16_a_dead_leader_costs_one_view_change_and_not_one_for_each_of_its_turns() -> None:
    skips = update(5, view=1, view_before=0)
    for height in range(6, 25):
        leader = compute_leader(height=Height(height), view=View(1), validators=SET, skips=skips, tenure=10)
        assert leader != 0
