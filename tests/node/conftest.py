"""What tests of whole nodes share: the files of a network, made once and copied for each test."""

import pytest

from node.devnet_files import Devnet
from tests.node.in_process import create_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Devnet:
    """Return the files of four validators that never ran."""
    return create_template(tmp_path_factory.mktemp("network") / "template")
