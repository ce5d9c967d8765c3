"""Civil dates from plan days, in integers alone, and the notice and charge days of a pool (contract 3.1).

A plan day is the number of days since 1970-01-01 at the plan's fixed UTC offset; no time-zone database is
involved. The conversion is that of the proleptic Gregorian calendar, counted in eras of 400 years that begin
on 1 March.
"""

from typing import Final

from chain.contract.terms import PoolTerms
from chain.errors import InvariantViolation

_ERA_DAYS: Final = 146_097
"""Days in 400 years."""
_EPOCH_SHIFT: Final = 719_468
"""Days from 0000-03-01 to 1970-01-01."""


def compute_date(day: int) -> tuple[int, int, int]:
    """Return (year, month 1..12, day of month 1..31) of a plan day."""
    shifted = day + _EPOCH_SHIFT
    era, day_of_era = divmod(shifted, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // (_ERA_DAYS - 1)) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return era * 400 + year_of_era + (month <= 2), month, day_of_month


def compute_day_of_date(*, year: int, month: int, day_of_month: int) -> int:
    """Return the plan day of a civil date."""
    shifted_year = year - (month <= 2)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day_of_month - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _ERA_DAYS + day_of_era - _EPOCH_SHIFT


def compute_year(day: int) -> int:
    """Return the civil year of a plan day."""
    return compute_date(day)[0]


def compute_new_year_day(year: int) -> int:
    """Return the plan day of 1 January."""
    return compute_day_of_date(year=year, month=1, day_of_month=1)


def get_next_notice(after_day: int, terms: PoolTerms) -> tuple[int, int]:
    """Return (notice day, charge day) of the first period whose notice day lies after `after_day`."""
    year, month, _ = compute_date(after_day)
    for _ in range(2):
        for notice, charge in zip(terms.notice_days_of_month, terms.charge_days_of_month, strict=True):
            notice_day = compute_day_of_date(year=year, month=month, day_of_month=notice)
            if notice_day > after_day:
                return notice_day, compute_day_of_date(year=year, month=month, day_of_month=charge)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    raise InvariantViolation("terms without notice days")
