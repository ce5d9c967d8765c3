"""Block time and wall time: the genesis clock of development chains (design 6).

Pure arithmetic; whoever needs the present passes it in.
"""

from collections.abc import Sequence
from itertools import pairwise

from chain.errors import ConfigError

ClockPoint = tuple[int, int]
"""[wall_ms, block_ms]."""


def validate_clock(points: Sequence[ClockPoint]) -> None:
    """Raise `ConfigError` unless the points ascend in both coordinates."""
    for before, after in pairwise(points):
        if after[0] <= before[0] or after[1] <= before[1]:
            raise ConfigError(field="clock", reason="points must ascend in wall time and in block time")


def _interpolate(points: Sequence[ClockPoint], t: int, *, source: int) -> int:
    target = 1 - source
    if not points:
        return t
    if t <= points[0][source]:
        return points[0][target] + (t - points[0][source])
    for before, after in pairwise(points):
        if t <= after[source]:
            rise = after[target] - before[target]
            run = after[source] - before[source]
            return before[target] + (t - before[source]) * rise // run
    return points[-1][target] + (t - points[-1][source])


def to_block_ms(points: Sequence[ClockPoint], wall_ms: int) -> int:
    """Return the block time at a wall time: linear between points, slope 1 outside, identity without points."""
    return _interpolate(points, wall_ms, source=0)


def to_wall_ms(points: Sequence[ClockPoint], block_ms: int) -> int:
    """Return wall(ts), the inverse."""
    return _interpolate(points, block_ms, source=1)


def get_scale(points: Sequence[ClockPoint], wall_ms: int) -> tuple[int, int]:
    """Return the present slope as (block ms, wall ms)."""
    for before, after in pairwise(points):
        if before[0] <= wall_ms < after[0]:
            return (after[1] - before[1], after[0] - before[0])
    return (1, 1)
