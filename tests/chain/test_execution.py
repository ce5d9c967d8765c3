"""Records are read back once for a block, and a record that nobody could read still faults its own transaction."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.catalogue import FAULT, SUCCESS
from chain.contract.calls import Call
from chain.contract.context import Context
from chain.contract.rules import apply_call
from chain.contract.tables import MEMBER, PLAN
from chain.execution import Executed, ExecutionFailed
from chain.ledger import Ledger
from chain.state import Overlay
from chain.store import Store
from chain.transaction import Transaction
from tests.chain.test_ledger import CHAIN, GENESIS, build_join, certify, execute

PLAN_NAME = "demo"
Apply = Callable[[Overlay, Context, Call], tuple[int, ...]]


def open_ledger(path: Path) -> Ledger:
    return Ledger(Store(path / "db", CHAIN), GENESIS)


def break_rules(monkeypatch: pytest.MonkeyPatch, guilty: Transaction, act: Callable[[Overlay], None]) -> list[bytes]:
    """Give the contract a mistake: after this transaction it does what no rule allows. Return what was applied."""
    applied: list[bytes] = []

    def apply_wrongly(state: Overlay, context: Context, call: Call) -> tuple[int, ...]:
        applied.append(bytes(context.tx_id))
        items = apply_call(state, context, call)
        if context.tx_id == guilty.tx_id:
            act(state)
        return items

    monkeypatch.setattr("chain.contract.rules.apply_call", apply_wrongly)
    return applied


def set_weight(weight: int, tx_id: bytes) -> Callable[[Overlay], None]:
    """Write a member's record with a weight that its field does not hold."""
    return lambda state: state.put(MEMBER, replace(state.require(MEMBER, tx_id), weight=weight), tx_id)


def list_outcomes(executed: Executed) -> list[int]:
    return [receipt.outcome for receipt in executed.outcomes]


@pytest.mark.parametrize("weight", [0, 101, -1, 2**64])
def test_a_record_beyond_its_field_faults_its_own_transaction_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: int
) -> None:
    ledger = open_ledger(tmp_path)
    joins = [build_join(number) for number in range(3)]
    applied = break_rules(monkeypatch, joins[1], set_weight(weight, joins[1].tx_id))
    executed = execute(ledger, *joins)
    assert list_outcomes(executed) == [SUCCESS, FAULT, SUCCESS]
    assert applied == [bytes(join.tx_id) for join in joins] * 2, "the block ran again, each transaction checked"
    ledger.commit(executed, certify(executed))
    assert ledger.read(MEMBER.key(joins[1].tx_id), MEMBER.codec) is None
    assert ledger.read(MEMBER.key(joins[2].tx_id), MEMBER.codec) is not None


def test_a_record_on_which_a_later_transaction_fails_faults_the_one_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path)
    joins = [build_join(number) for number in range(2)]

    def spoil(state: Overlay) -> None:
        # The next application counts on from here, and its number does not even fit a key.
        state.put(PLAN, replace(state.require(PLAN, PLAN_NAME), members_applied=2**64), PLAN_NAME)

    break_rules(monkeypatch, joins[0], spoil)
    executed = execute(ledger, *joins)
    assert list_outcomes(executed) == [FAULT, SUCCESS]


def test_a_block_without_such_a_record_runs_once_also_where_a_transaction_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path)
    joins = [build_join(number) for number in range(3)]

    def fail(_: Overlay) -> None:
        raise ZeroDivisionError

    applied = break_rules(monkeypatch, joins[2], fail)
    execute(ledger, *joins[:2])
    assert len(applied) == 2
    with pytest.raises(ExecutionFailed):
        execute(ledger, *joins)
    assert len(applied) == 5
