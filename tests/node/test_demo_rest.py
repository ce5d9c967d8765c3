"""The demo's way over REST: the real web application over a ledger in this process, without network and consensus."""

import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from chain.crypto import sha256
from chain.errors import GongjiError, StoreError
from chain.genesis import Parameters
from chain.transaction import Transaction, decode_transaction
from chain.types import TxId
from explorer.app import build_app
from explorer.reader import ConsensusCondition, EvidenceFound, ReadyCondition, TransactionStatus
from explorer.settings import ExplorerSettings, HttpLimits
from node.admission import validate_admission
from node.demo import rest_backend
from node.demo.checks import run_checks
from node.demo.figures import load_plan
from node.demo.orders import Order, Outcome
from node.demo.rest_backend import RestBackend
from node.demo.rest_report import load_report
from node.demo.stage import Parcel, Stage, build_cast
from node.prepare_api import build_prepare_router
from node.reader import StoreReader
from node.submit_api import HeldBlob, SubmitResult, build_submit_router
from tests.node.local_chain import LocalBackend, LocalChain, build_genesis, build_keys, build_report

DAY_MS = 86_400_000
START_MS = 1_766_970_000_000
URL = "http://127.0.0.1"


class LocalNode:
    """One node's condition and its intake, over a local chain: what REST asks of a node."""

    def __init__(self, chain: LocalChain, *, wall_ms: int) -> None:
        self.chain = chain
        self.backend = LocalBackend(chain, wall_ms=wall_ms)
        self.pending: dict[bytes, Transaction] = {}
        self.blobs: dict[bytes, bytes] = {}
        """Held for transactions to come: the ledger keeps only what a block names."""

    def build_app(self) -> httpx.ASGITransport:
        limits = HttpLimits()
        reader = StoreReader(self.chain.store, self.chain.genesis)
        app = build_app(
            reader,
            self,
            settings=ExplorerSettings(software_version="0", cursor_key=bytes(32), limits=limits),
            submit_routers=(build_submit_router(self, limits), build_prepare_router(reader)),
        )
        return httpx.ASGITransport(app=app)

    def make_block(self) -> None:
        self.backend.make_block()
        for tx_id in list(self.pending):
            if self.chain.ledger.has_transaction(TxId(tx_id)):
                del self.pending[tx_id]

    # --- what the explorer asks ---

    def get_transaction(self, tx_id: TxId) -> TransactionStatus | None:
        transaction = self.pending.get(tx_id)
        if transaction is None:
            return None
        return TransactionStatus(status="pending", valid_until_ms=transaction.body.valid_until_ms)

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        del tx_id, timeout_ms

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        del height, timeout_ms

    def get_consensus(self) -> ConsensusCondition:
        raise AssertionError("the demo does not ask for consensus")

    def get_readiness(self) -> tuple[ReadyCondition, ...]:
        return ()

    def get_checkpoint(self) -> bytes | None:
        return None

    def list_evidence(self) -> tuple[EvidenceFound, ...]:
        return ()

    def render_metrics(self) -> tuple[bytes, str]:
        return b"", "text/plain"

    def report_damage(self, error: StoreError) -> None:
        raise error

    # --- what submitting asks ---

    async def submit(self, raw: bytes, wait_ms: int) -> SubmitResult:
        return (await self.submit_batch([raw], wait_ms))[0]

    async def submit_batch(self, raws: Sequence[bytes], wait_ms: int) -> list[SubmitResult]:
        del wait_ms
        return [self._take(raw) for raw in raws]

    def _take(self, raw: bytes) -> SubmitResult:
        transaction = decode_transaction(raw)
        head_ms = self.chain.ledger.header.timestamp_ms
        try:
            validate_admission(
                transaction,
                chain_id=self.chain.chain_id,
                parameters=self.chain.genesis.parameters,
                block_ms=head_ms,
                head_ms=head_ms,
                has_blob=lambda blob_hash: blob_hash in self.blobs or self.chain.ledger.has_blob(blob_hash),
            )
        except GongjiError as refusal:
            return SubmitResult(tx_id=transaction.tx_id, status="refused", refusal=refusal)
        self.pending[transaction.tx_id] = transaction
        self.backend.put([transaction])
        return SubmitResult(tx_id=transaction.tx_id, status="pending", valid_until_ms=transaction.body.valid_until_ms)

    async def put_blob(self, blob_hash: bytes, data: bytes) -> HeldBlob:
        assert sha256(data) == blob_hash
        self.blobs[blob_hash] = data
        return HeldBlob(held_until_ms=time.time_ns() // 1_000_000, is_replayed=False)


def open_node(path: Path, *, days: int) -> LocalNode:
    fast = START_MS + 5_000
    genesis = build_genesis(
        load_plan("plan-demo"),
        time_ms=START_MS,
        clock=((START_MS, START_MS), (fast, fast), (fast + days * 700, fast + days * DAY_MS)),
        parameters=Parameters(idle_interval_ms=250, tenure=10, validity_window_ms=14 * DAY_MS),
    )
    return LocalNode(LocalChain(genesis, path), wall_ms=START_MS)


async def test_actors_play_over_rest_and_the_report_from_rest_is_the_ledger_s(tmp_path: Path) -> None:
    days = 52
    node = open_node(tmp_path / "db", days=days)
    transport = node.build_app()
    cast, world = build_cast(node.chain.genesis, build_keys(), seed=2, members=90, days=days)
    backend = RestBackend([URL], plan=world.plan_name, transport=transport)
    stage = Stage(backend, cast, world, chain_id=node.chain.chain_id, validity_ms=10 * DAY_MS)
    while world.demo_day < days or stage.in_flight:
        await stage.tick()
        node.make_block()
    await stage.tick()
    report = await load_report(backend.reader, [URL], plan=world.plan_name, transport=transport)
    await backend.close()
    checks = run_checks(report, cast.bank.books, sent_in=cast.registry.paid_in, codes=stage.codes, days=days)
    assert [check.detail for check in checks if not check.is_met] == []
    expected = build_report(node.chain)
    assert (report.pool, report.settlements, report.claims) == (
        expected.pool,
        expected.settlements,
        expected.claims,
    )
    assert (report.credits, report.caps) == (expected.credits, expected.caps)
    assert sorted(item.amount for item in report.payouts) == sorted(item.amount for item in expected.payouts)
    assert report.pool.settlements == 3
    assert len(report.claims) > 0
    node.chain.close()


@pytest.mark.slow
async def test_members_find_out_over_rest_that_they_are_jurors_and_nobody_is_told_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who judges whom is not public, so each member tries: the answers must name the jury of the ledger, whole."""
    days = 60
    node = open_node(tmp_path / "db", days=days)
    transport = node.build_app()
    cast, world = build_cast(node.chain.genesis, build_keys(), seed=6, members=300, days=days)
    stage = Stage(node.backend, cast, world, chain_id=node.chain.chain_id, validity_ms=10 * DAY_MS)
    while not world.juries and world.demo_day < days:
        await stage.tick()
    ((case, jury),) = world.juries.items()
    backend = RestBackend([URL], plan=world.plan_name, transport=transport)
    keys = cast.members.list_voters(world)
    monkeypatch.setattr(rest_backend, "SEARCH_PER_CALL", 200)
    found, is_known = await backend.find_jurors(case, keys)
    assert set(found) <= set(jury)
    assert not is_known, "not all at once: a tick must stay short"
    assert await backend.find_jurors(case, keys) == (jury, True)
    assert len(jury) == 11
    world.asked_roles = ("auditor", "juror")
    await backend.look(world, with_members=False)
    asked = {(task.kind, task.subject) for task in world.tasks}
    assert ("ballot_commit", case) in asked
    assert all(set(task.organisations) <= set(build_keys()) for task in world.tasks)
    await backend.close()
    node.chain.close()


async def collect(backend: RestBackend) -> list[tuple[str, bytes]]:
    return [(outcome.code, outcome.tx_id) for outcome in await backend.collect()]


@pytest.fixture
def node(tmp_path: Path) -> LocalNode:
    return open_node(tmp_path / "db", days=10)


def build_parcels(node: LocalNode, count: int, *, validity_ms: int) -> list[Parcel]:
    cast, world = build_cast(node.chain.genesis, build_keys(), seed=4, members=count * 3, days=10)
    world.time_ms = node.chain.ledger.header.timestamp_ms
    stage = Stage(node.backend, cast, world, chain_id=node.chain.chain_id, validity_ms=validity_ms)
    orders: list[Order] = cast.members.act(world)[:count]
    return [stage.sign(order) for order in orders]


async def test_each_outcome_is_told_once_and_with_its_deposit_code(node: LocalNode) -> None:
    backend = RestBackend([URL], plan="demo", transport=node.build_app())
    parcels = build_parcels(node, 3, validity_ms=DAY_MS)
    await backend.send(parcels)
    assert await backend.collect() == []
    node.make_block()
    outcomes: list[Outcome] = await backend.collect()
    assert {outcome.tx_id for outcome in outcomes} == {parcel.transaction.tx_id for parcel in parcels}
    assert sorted(outcome.deposit_code for outcome in outcomes) == [1, 2, 3]
    assert await backend.collect() == []
    await backend.close()


async def test_what_a_node_refuses_for_good_is_an_outcome_at_once(node: LocalNode) -> None:
    backend = RestBackend([URL], plan="demo", transport=node.build_app())
    parcels = build_parcels(node, 1, validity_ms=-5_000)
    await backend.send(parcels)
    assert await collect(backend) == [("expired", parcels[0].transaction.tx_id)]
    await backend.close()


async def test_what_was_never_included_is_found_expired(node: LocalNode) -> None:
    backend = RestBackend([URL], plan="demo", transport=node.build_app())
    parcels = build_parcels(node, 1, validity_ms=1_000)
    await backend.send(parcels)
    node.backend.drop()
    node.pending.clear()
    for _ in range(30):
        node.make_block()
    await backend.reader.get("/v1/meta")
    assert await collect(backend) == [("expired", parcels[0].transaction.tx_id)]
    await backend.close()


async def test_a_node_that_fails_loses_no_outcome(node: LocalNode) -> None:
    """The network breaks while outcomes are read: the next collect tells them all."""
    inner = node.build_app()
    broken = True

    class Breaking(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if broken and request.url.path.startswith("/v1/transactions/"):
                raise httpx.ReadError("gone")
            return await inner.handle_async_request(request)

    backend = RestBackend([URL], plan="demo", transport=Breaking())
    parcels = build_parcels(node, 2, validity_ms=DAY_MS)
    await backend.send(parcels)
    node.make_block()
    with pytest.raises(GongjiError):
        await backend.collect()
    broken = False
    assert len(await backend.collect()) == 2
    await backend.close()
