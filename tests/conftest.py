"""What every test shares: the hypothesis profiles and the published pages."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent

# "default" always draws the same examples, so a red run is a change of the code and never luck. New examples
# are hunted by "deep", on purpose and with a seed that it prints: HYPOTHESIS_PROFILE=deep make test.
settings.register_profile("default", derandomize=True, deadline=None, database=None)
settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=200, print_blob=True)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=5_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of the published pages: GONGJI_SHARED, else `shared` beside the repository.

    Without it the test is skipped on a developer's machine, and fails where CI=true, which a skip would hide.
    """
    folder = Path(os.environ.get("GONGJI_SHARED") or REPOSITORY.parent / "shared")
    if folder.is_dir():
        return folder
    reason = f"no published pages at {folder}: set GONGJI_SHARED to their folder"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
