"""The contract against its reference model: 2,000 stories of up to 50 steps (see the package's docstring)."""

import typing

import pytest

from chain.contract.calls import Call
from chain.contract.governance_calls import Payload
from tests.model.__main__ import run
from tests.model.machine import MACHINES
from tests.model.starts import TERMS

RUNS = 2_000
STEPS = 50
SEED = 20_270_129

RARE = {"ClaimPayee", "ErasureReceipt", "InstructionUnclaimed", "StatementObject"}
"""Calls for which the stories of one machine may be too few."""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MACHINES))
def test_contract_and_model_agree_after_every_step_of_every_story(number: int) -> None:
    done = run(number, runs=-(-RUNS // MACHINES), steps=STEPS, seed_number=SEED)
    if number < len(TERMS):
        # In a story about everything each call is among what may happen, and succeeds now and then.
        kinds = {kind.__name__ for kind in (*typing.get_args(Call), *typing.get_args(Payload))}
        assert kinds - set(done) <= RARE
