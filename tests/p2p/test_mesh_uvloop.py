"""The same meshes under the event loop that a node runs on."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from tests.p2p import test_mesh, test_strangers

Scenario = Callable[[Path], Coroutine[object, object, None]]

SCENARIOS: list[Scenario] = [
    scenario
    for module in (test_mesh, test_strangers)
    for name, scenario in vars(module).items()
    if name.startswith("test_") and list(inspect.signature(scenario).parameters) == ["tmp_path"]
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__[5:])
def test_under_uvloop(scenario: Scenario, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario(tmp_path))
