"""A transaction that breaks an invariant: outcome `fault` on every node, rolled back, and the chain goes on.

The contract has no such call, so the processes of this test get one: a mistake is put into their `member_apply` for
applications with weight 99, which then makes money out of nothing.
"""

import os
from pathlib import Path

import msgspec
import pytest

from chain.crypto import SigningKey
from node.demo.answers import read_int, read_list, read_money, read_object
from tests.e2e.network import NODES, PLAN, Network, build_application_call, name_bytes

pytestmark = pytest.mark.e2e

MISTAKE = """
from msgspec.structs import replace

from chain.contract import member_rules
from chain.contract.tables import POOL

_apply = member_rules.apply_member_apply


def apply_with_mistake(state, context, call):
    items = _apply(state, context, call)
    if call.weight == 99:
        pool = state.require(POOL, call.plan, call.pool)
        state.put(POOL, replace(pool, cash=pool.cash + 1), call.plan, call.pool)
    return items


member_rules.apply_member_apply = apply_with_mistake
"""


def test_a_broken_invariant_is_a_fault_on_every_node_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mistake").mkdir()
    (tmp_path / "mistake" / "sitecustomize.py").write_text(MISTAKE)
    path = os.pathsep.join(filter(None, [str(tmp_path / "mistake"), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    with Network(tmp_path / "net") as network:
        network.start()
        network.put_blob()
        with network.open_client(0) as client:
            call = msgspec.structs.replace(build_application_call(99), weight=99)
            key = SigningKey(name_bytes("key", 99))
            faulty = client.submit(client.build(call, key, valid_for_ms=60_000), wait_s=20)
            # The failed application uses nothing, so its blob was let go of.
            network.put_blob()
            after = client.submit(network.build_application(), wait_s=20)
        assert (faulty.status, faulty.outcome, faulty.code) == ("committed", "failed", "fault")
        assert faulty.events == ()
        assert after.is_success, "the chain goes on"
        network.check_equal()
        for index in range(NODES):
            with network.open_client(index) as client:
                seen = client.get_status(faulty.id, wait_s=10)
                plan = client.get(f"/v1/plans/{PLAN}")
            assert (seen.code, seen.height, seen.index) == ("fault", faulty.height, faulty.index)
            assert read_int(plan, "members_applied") == 1, "what the faulty call did is rolled back"
            assert read_money(read_object(read_list(plan, "pools")[0]), "cash") == 0
