"""The genesis clock: linear between points, slope 1 outside, the same on every node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.clock import get_scale, to_block_ms, to_wall_ms, validate_clock
from chain.errors import ConfigError

POINTS = ((1_000_000, 1_000_000), (1_020_000, 1_020_000), (1_090_000, 1_020_000 + 100 * 86_400_000))


def test_without_points_block_time_is_wall_time() -> None:
    assert to_block_ms((), 5) == 5
    assert to_wall_ms((), 5) == 5


def test_outside_of_the_points_the_slope_is_one() -> None:
    assert to_block_ms(POINTS, 999_990) == 999_990
    assert to_block_ms(POINTS, 1_090_007) == POINTS[2][1] + 7
    assert get_scale(POINTS, 1_090_007) == (1, 1)


def test_between_points_time_is_linear() -> None:
    assert to_block_ms(POINTS, 1_055_000) == 1_020_000 + 50 * 86_400_000
    assert get_scale(POINTS, 1_055_000) == (100 * 86_400_000, 70_000)


@given(st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_time_never_runs_backwards_and_the_inverse_is_within_one_step(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert to_block_ms(POINTS, low) <= to_block_ms(POINTS, high)
    assert low - 1 <= to_wall_ms(POINTS, to_block_ms(POINTS, low)) <= low


@pytest.mark.parametrize("points", [((2, 1), (1, 2)), ((1, 2), (2, 2)), ((1, 1), (1, 2))])
def test_points_that_do_not_ascend_are_refused(points: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ConfigError, match="clock"):
        validate_clock(points)
