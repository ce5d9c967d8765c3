"""Civil dates in integers, against the standard library."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contract.calendar import (
    compute_date,
    compute_day_of_date,
    compute_new_year_day,
    compute_year,
    get_next_notice,
)
from chain.contract.context import compute_day, compute_day_start_ms
from tests.chain.contract.world import build_terms

EPOCH = datetime.date(1970, 1, 1)


@given(st.integers(0, 1_000_000))
def test_every_plan_day_has_the_date_of_the_gregorian_calendar(day: int) -> None:
    date = EPOCH + datetime.timedelta(days=day)
    assert compute_date(day) == (date.year, date.month, date.day)
    assert compute_day_of_date(year=date.year, month=date.month, day_of_month=date.day) == day
    assert compute_year(day) == date.year


def test_the_new_year_is_the_first_day_of_its_year() -> None:
    day = compute_new_year_day(2027)
    assert compute_date(day) == (2027, 1, 1)
    assert compute_date(day - 1) == (2026, 12, 31)


@given(st.integers(18_000, 60_000))
def test_the_next_notice_is_the_first_notice_day_after_a_day(day: int) -> None:
    terms = build_terms().pool
    notice, charge = get_next_notice(day, terms)
    assert notice > day
    assert all(compute_date(between)[2] not in (7, 21) for between in range(day + 1, notice))
    assert compute_date(notice)[2] in (7, 21)
    assert charge - notice == 7


@pytest.mark.parametrize(
    ("timestamp_ms", "offset", "day"),
    [(0, 0, 0), (86_399_999, 0, 0), (86_400_000, 0, 1), (57_599_999, 480, 0), (57_600_000, 480, 1), (0, -720, -1)],
)
def test_a_plan_day_begins_at_midnight_of_its_fixed_offset(timestamp_ms: int, offset: int, day: int) -> None:
    assert compute_day(timestamp_ms, offset) == day
    assert compute_day_start_ms(day, offset) <= timestamp_ms < compute_day_start_ms(day + 1, offset)
