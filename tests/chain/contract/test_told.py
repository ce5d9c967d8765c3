"""The table of told.py names every call and only events that there are."""

from itertools import chain
from typing import get_args

from chain.contract.calls import Call
from chain.contract.events import Event
from tests.chain.contract.told import TOLD, UNTOLD


def test_every_call_is_in_the_table_of_what_is_told() -> None:
    assert sorted([*TOLD, *UNTOLD]) == sorted(call.__name__ for call in get_args(Call))


def test_table_of_what_is_told_names_events() -> None:
    assert set(chain.from_iterable(TOLD.values())) <= {event.__name__ for event in get_args(Event)}
