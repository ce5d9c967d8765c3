"""Odds and sizes at which a plan of a dozen people has juries, second looks and an end at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chain.contract import claim_reaudit, jury, wind_down
from tests.model import wind

RUN_OFF_DAYS = 60
END_DAYS = 100


@contextmanager
def small_numbers() -> Iterator[None]:
    """Let every second paid claim be audited again, two paying members give a juror, three a jury; end plans early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claim_reaudit, "LOTS_CHOSEN", claim_reaudit.LOTS // 2)
        patch.setattr(jury, "MEMBERS_PER_JUROR", 2)
        patch.setattr(jury, "JURY_MIN", 3)
        for side in (wind_down, wind):
            patch.setattr(side, "RUN_OFF_DAYS", RUN_OFF_DAYS)
            patch.setattr(side, "END_DAYS", END_DAYS)
        yield
