"""Bugs that other systems had and that belong to no single module here; docs/pitfalls.md lists all rows."""

import ast
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.contract.money_calls import DepositCredit
from chain.crypto import sha256
from chain.errors import StoreError
from chain.ledger import Ledger
from chain.store import Store
from chain.types import ChainId, Hash, Height, View
from chain.validators import Validator, compute_leader, hash_validators
from consensus import rules
from consensus.core import step
from consensus.events import Event, Received, TimerExpired, TimerId
from consensus.messages import Commit, NewView, Prepare, Proposal, ViewChange
from consensus.timing import compute_view_timeout
from explorer.app import build_app
from tests import recorded_chain
from tests.conftest import REPOSITORY
from tests.consensus.test_rules import build_state, with_wishes
from tests.explorer.conftest import SETTINGS, connect
from tests.explorer.world import Condition, World
from tests.simulator.cluster import Cluster
from tests.simulator.swarm import run_seed

PRODUCT = ("chain", "consensus", "p2p", "explorer", "node")


def list_modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def list_calls(tree: ast.AST) -> list[str]:
    """Return the name of everything that is called, with what it is called on."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@cache
def list_product_calls() -> tuple[str, ...]:
    return tuple(name for _, tree in list_modules(*PRODUCT) for name in list_calls(tree))


# --- what must never be written ---------------------------------------------------------------------------------------


def test_c32_no_code_waits_for_a_lock_while_it_holds_another() -> None:
    locks = {"asyncio.Lock", "asyncio.Condition", "threading.Lock", "threading.RLock", "threading.Condition"}
    found = [name for name in list_product_calls() if name in locks]
    # One event loop and one writer need no lock; a single one could not deadlock either.
    assert len(found) <= 1, found


def test_s6_a_damaged_database_is_never_repaired() -> None:
    calls = list_product_calls()
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


# --- validators -------------------------------------------------------------------------------------------------------


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
        changed = replace(base[place], **{name: other})
        sets.append((*base[:place], changed, *base[place + 1 :]))
    # A byte that moves from one field into its neighbour is another set too.
    shifted = replace(base[0], organisation="org-0n", address="ode.test:8500")
    sets.append((shifted, *base[1:]))
    assert len({hash_validators(item) for item in sets}) == len(sets)


# --- consensus --------------------------------------------------------------------------------------------------------

LIAR = 3
BLOCK = Hash(sha256(b"block"))


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10])
def test_p1_no_height_is_decided_twice_and_none_is_stuck_after_chaos(n: int) -> None:
    assert run_seed(seed=1_000 + n, n=n).failure is None


def test_p10_a_forged_message_of_any_kind_leaves_the_state_as_it_was() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    before = cluster.state(0)
    forged = []
    for height, view in itertools.product((1, 2), (0, 1, 7)):
        forged.append(replace(cluster.vote(Prepare, LIAR, LIAR, height, view, BLOCK), signature=bytes(64)))
        forged.append(replace(cluster.vote(Commit, LIAR, LIAR, height, view, BLOCK), signature=bytes(64)))
    for message in forged:
        cluster[0].receive(LIAR, message)
    cluster.settle()
    after = cluster.state(0)
    names = (
        "prepares",
        "commits",
        "view_changes",
        "proposal",
        "new_view",
        "view",
        "is_normal",
        "wants",
        "asked",
        "head",
    )
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]


@given(st.lists(st.integers(0, 200), min_size=4, max_size=4))
def test_p12_views_that_diverged_meet_at_the_second_largest_wish(views: list[int]) -> None:
    wanted = rules.compute_wanted_view(with_wishes(STATE, views[0], (views[1], views[2], views[3])))
    assert wanted == sorted(views)[-2]


@given(st.integers(0, 2**53 - 1), st.lists(st.integers(0, 50), min_size=2, max_size=2), st.integers(0, 50))
def test_p13_one_liar_moves_nobody_beyond_the_wish_of_an_honest_node(huge: int, honest: list[int], own: int) -> None:
    wanted = rules.compute_wanted_view(with_wishes(STATE, own, (huge, honest[0], honest[1])))
    assert wanted <= max(own, *honest)


@given(st.integers(0, 2**53 - 1))
def test_p14_no_view_timer_is_longer_than_the_cap(view: int) -> None:
    timeout_ms = compute_view_timeout(replace(STATE, view=View(view)))
    assert STATE.head.pace.view_base_ms <= timeout_ms <= STATE.head.pace.view_cap_ms


def test_p21_the_core_is_a_function_so_no_two_events_ever_meet_inside_it() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    state = cluster.state(0)
    vote = cluster.vote(Commit, LIAR, LIAR, 1, 0, BLOCK)
    events: list[Event] = [
        Received(LIAR, vote, now_ms=1_000_000, wall_ms=1_000_000),
        TimerExpired(TimerId.VIEW, 0, now_ms=1_000_000, wall_ms=1_000_000),
    ]
    for order in itertools.permutations(events):
        ends = []
        for _ in range(2):
            reached, told = state, []
            for event in order:
                reached, effects = step(reached, event)
                told.append(effects)
            ends.append((reached, told))
        assert ends[0] == ends[1]
    assert cluster.state(0) == state


STATE = build_state()


# --- one chain --------------------------------------------------------------------------------------------------------


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
    other = replace(call.items[0], amount=call.items[0].amount + 1)
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


def test_l10_a_recorded_chain_leads_to_the_same_roots(tmp_path: Path) -> None:
    recording = recorded_chain.load()
    heights = list(recorded_chain.replay(recording, tmp_path / "db"))
    assert heights == list(range(1, len(recording.blocks) + 1))


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


# --- queries ----------------------------------------------------------------------------------------------------------


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
