"""Bugs that other systems had and that belong to no single module here; docs/pitfalls.md lists all rows."""

import ast
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contract.calls import DepositCredit
from chain.errors import StoreError
from chain.ledger import Ledger
from chain.store import Store
from chain.types import ChainId, Height, View
from chain.validators import Validator, compute_leader, hash_validators
from consensus.messages import Commit, NewView, Prepare, Proposal, ViewChange
from explorer.app import build_app
from tests.conftest import REPOSITORY
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import Condition, World

PRODUCT = ("chain", "consensus", "p2p", "explorer", "node")


def list_modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def list_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the name of everything that is called, with what it is called on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


# --- what must never be written -----------------------------------------------------------------------------------------


def test_c32_no_code_waits_for_a_lock_while_it_holds_another() -> None:
    locks = {"asyncio.Lock", "asyncio.Condition", "threading.Lock", "threading.RLock", "threading.Condition"}
    found = [(path.name, name) for path, tree in list_modules(*PRODUCT) for name in list_calls(tree) if name in locks]
    # One event loop and one writer need no lock; a single one could not deadlock either.
    assert len(found) <= 1, found


def test_s6_a_damaged_database_is_never_repaired() -> None:
    calls = [name for _, tree in list_modules(*PRODUCT) for name in list_calls(tree)]
    assert "plyvel.DB" in calls
    assert not [name for name in calls if "repair" in name.lower()]


def test_p28_no_function_of_consensus_calls_itself() -> None:
    for path, tree in list_modules("consensus"):
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                assert function.name not in list_calls(function), f"{path.name}: {function.name}"


@pytest.mark.parametrize("kind", [ViewChange, NewView, Proposal, Prepare, Commit])
def test_p7_no_field_of_a_signed_body_is_repeated_in_its_envelope(kind: type[msgspec.Struct]) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    body = fields.pop("body")
    assert isinstance(body, type)
    assert issubclass(body, msgspec.Struct)
    assert not set(fields) & {field.name for field in msgspec.structs.fields(body)}
    assert not set(fields) & {"height", "view", "h", "v", "digest", "hash"}


# --- validators ---------------------------------------------------------------------------------------------------------


def build_validator(number: int) -> Validator:
    return Validator(
        organisation=f"org-{number}",
        key=bytes([number]) * 32,
        checkpoint_key=bytes([number + 64]) * 32,
        tls_pin=bytes([number + 128]) * 32,
        tls_certificate=b"certificate",
        address="node.test:8500",
        reveal_anchor=bytes([number + 192]) * 32,
    )


@given(st.integers(1, 13), st.integers(0, 2**53 - 20), st.integers(1, 10**9))
def test_c19_no_view_however_large_keeps_one_validator_the_leader(n: int, view: int, height: int) -> None:
    validators = tuple(build_validator(number) for number in range(n))
    leaders = [
        compute_leader(height=Height(height), view=View(view + step), validators=validators, skips=(), tenure=100)
        for step in range(n)
    ]
    assert sorted(leaders) == list(range(n))


def test_l15_every_change_of_a_validator_set_changes_its_hash() -> None:
    base = tuple(build_validator(number) for number in range(4))
    sets = [base, base[:3], (*base[1:], base[0])]
    for place, name in itertools.product(range(4), Validator.__struct_fields__):
        value = getattr(base[place], name)
        other = value + "x" if isinstance(value, str) else value[:-1] + bytes([value[-1] ^ 1])
        changed = msgspec.structs.replace(base[place], **{name: other})
        sets.append((*base[:place], changed, *base[place + 1 :]))
    # A byte that moves from one field into its neighbour is another set too.
    shifted = msgspec.structs.replace(base[0], organisation="org-0n", address="ode.test:8500")
    sets.append((shifted, *base[1:]))
    assert len({hash_validators(item) for item in sets}) == len(sets)


# --- one chain ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("pitfalls") / "db")
    world.play()
    yield world
    world.close()


def test_p32_the_set_that_a_header_commits_to_is_the_one_in_the_state(world: World) -> None:
    ledger = world.chain.ledger
    assert hash_validators(ledger.validators_record.next_set) == ledger.header.next_validators_hash
    assert ledger.validators == ledger.validators_record.next_set


def test_c22_transactions_that_contradict_each_other_are_outcomes_and_not_an_invalid_block(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    first = world.deposit([1])
    call = first.body.call
    assert isinstance(call, DepositCredit)
    other = msgspec.structs.replace(call.items[0], amount=call.items[0].amount + 1)
    second = world.sign(DepositCredit(account=call.account, items=(other,)), world.keys["custodian"])
    executed = world.chain.add_block((second, first), world.time_ms + 1_000)
    world.close()
    outcomes = [receipt.outcome for receipt in executed.outcomes if receipt.tx_id in (first.tx_id, second.tx_id)]
    assert outcomes == [0, 10]


SCRIPT = """
import sys
from pathlib import Path
from tests.explorer.world import World
world = World(Path(sys.argv[1]) / "db")
world.play()
header = world.chain.ledger.header
print(header.height, header.state_root.hex(), header.log_root.hex())
world.close()
"""


@pytest.mark.slow
def test_p25_l8_the_order_of_hashes_in_python_changes_no_root(tmp_path: Path) -> None:
    answers = []
    for seed in ("1", "2", "31337"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        answers.append(result.stdout)
    assert answers[0].count(" ") == 2
    assert answers[1:] == answers[:1] * 2


def test_c34_making_a_chain_that_exists_changes_nothing_and_another_genesis_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    world.add(world.apply(0))
    genesis, head, chain_id = world.chain.genesis, world.chain.ledger.head_hash, world.chain.chain_id
    world.close()
    for _ in range(2):
        store = Store(tmp_path / "db", chain_id)
        ledger = Ledger(store, genesis)
        assert (ledger.height, ledger.head_hash) == (1, head)
        store.close()
    with pytest.raises(StoreError):
        Store(tmp_path / "db", ChainId(bytes(32)))


DAMAGE = ("CURRENT", "MANIFEST-*")
"""What LevelDB finds its tables by; a torn log loses the last batches, which the header's roots show."""


@pytest.mark.parametrize("pattern", DAMAGE)
@pytest.mark.parametrize("share", [0, 1, 2])
def test_s7_a_torn_current_or_manifest_is_refused_or_nothing_is_missing(
    tmp_path: Path, pattern: str, share: int
) -> None:
    world = World(tmp_path / "db")
    for number in range(3):
        world.add(world.apply(number))
    genesis, head, chain_id = world.chain.genesis, world.chain.ledger.head_hash, world.chain.chain_id
    world.close()
    # Closing and opening makes LevelDB write a new manifest that names the tables.
    Store(tmp_path / "db", chain_id).close()
    for path in sorted((tmp_path / "db").glob(pattern)):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * share // 3])
    try:
        store = Store(tmp_path / "db", chain_id)
    except StoreError:
        return
    try:
        ledger = Ledger(store, genesis)
        assert (ledger.height, ledger.head_hash) == (3, head)
    except StoreError:
        pass
    finally:
        store.close()


# --- queries ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(build_app(world.reader, Condition(), settings=SETTINGS)) as client:
        yield client


async def list_all(client: httpx.AsyncClient, path: str, **filters: str) -> list[dict[str, object]]:
    """Walk a list to its end by its cursors, five rows a page."""
    items: list[dict[str, object]] = []
    parameters = {**filters, "limit": "5"}
    while True:
        answer = await client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        following = answer.json()["page"]["next"]
        if following is None:
            return items
        parameters["cursor"] = following


async def test_a15_every_combination_of_filters_agrees_with_a_plain_filter(client: httpx.AsyncClient) -> None:
    everything = await list_all(client, "/v1/transactions")
    calls = [None, *sorted({str(item["call"]) for item in everything})]
    heights = [None, *sorted({str(item["height"]) for item in everything}, key=int)[:4]]
    outcomes = [None, "success", "failed"]
    assert len(calls) > 5
    for call, height, outcome in itertools.product(calls, heights, outcomes):
        given_filters = {"call": call, "height": height, "outcome": outcome}
        filters = {name: value for name, value in given_filters.items() if value is not None}
        found = await list_all(client, "/v1/transactions", **filters)
        expected = [item for item in everything if all(str(item[name]) == value for name, value in filters.items())]
        assert json.dumps(found) == json.dumps(expected), filters
