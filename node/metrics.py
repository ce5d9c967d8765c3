"""Prometheus metrics of a node: names, units and where they are counted.

Hot paths count in plain integers; what is per transaction is added once per block. Nothing in the ledger
depends on a metric.
"""

from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MetricsView = Callable[[], tuple[bytes, str]]
"""Return the metrics and their media type, for /metrics."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FINALITY_SECONDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
_COUNTS = (0, 1, 10, 50, 100, 250, 500, 1_000, 1_500, 2_000, 4_000)


class BlockFigures(NamedTuple):
    """What one committed block adds."""

    height: int
    transactions: int
    failed: int
    """Transactions whose outcome is not success."""
    bytes_count: int
    view: int
    execute_seconds: float
    write_seconds: float


class NodeMetrics:
    """Hold one node's metrics in a registry of its own."""

    def __init__(self, *, version: str, chain_id: str, validator: str) -> None:
        """Make the metrics; the arguments become labels of `gongji_info`."""
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        info = Gauge("gongji_info", "What runs here; always 1", ["version", "chain_id", "validator"], registry=registry)
        info.labels(version, chain_id, validator).set(1)

        self.height = Gauge("gongji_height", "Height of the last committed block", registry=registry)
        self.view = Gauge("gongji_view", "Consensus view", registry=registry)
        self.head_age_seconds = Gauge(
            "gongji_head_age_seconds", "Wall time since the last committed block", registry=registry
        )
        self.is_voting = Gauge("gongji_voting", "1 while this validator votes", registry=registry)
        self.peers_connected = Gauge("gongji_peers_connected", "Connected validators", registry=registry)
        self.blocks = Counter("gongji_blocks", "Blocks committed since the start", registry=registry)
        self.transactions = Counter(
            "gongji_transactions", "Transactions committed since the start", ["outcome"], registry=registry
        )
        self._succeeded = self.transactions.labels("success")
        self._failed = self.transactions.labels("failed")
        self.view_changes = Counter("gongji_view_changes", "Times that the view rose", registry=registry)
        self.block_transactions = Histogram(
            "gongji_block_transactions", "Transactions in a block", buckets=_COUNTS, registry=registry
        )
        self.block_bytes = Counter("gongji_block_bytes", "Bytes of transactions committed", registry=registry)
        self.finality_seconds = Histogram(
            "gongji_finality_seconds",
            "From acceptance by this node to the durable commit",
            buckets=_FINALITY_SECONDS,
            registry=registry,
        )
        self.stage_seconds = Counter(
            "gongji_stage_seconds", "Time of the event loop by stage", ["stage"], registry=registry
        )

        self.pool_transactions = Gauge("gongji_pool_transactions", "Transactions in the pool", registry=registry)
        self.pool_bytes = Gauge("gongji_pool_bytes", "Their bytes", registry=registry)
        self.refused = Counter(
            "gongji_refused", "Transactions refused, by code and by who handed them in", ["code", "source"],
            registry=registry,
        )  # fmt: skip
        self.journal_bytes = Gauge(
            "gongji_journal_bytes", "Size of a journal: votes or pool", ["journal"], registry=registry
        )
        self.sync_seconds = Histogram(
            "gongji_sync_seconds", "Time of one durable write", ["file"], buckets=_SECONDS, registry=registry
        )
        self.faults = Counter("gongji_faults", "What the core noted, by code", ["code"], registry=registry)
        self.frames_dropped = Counter(
            "gongji_frames_dropped",
            "Frames of peers that were not used, by cause",
            ["cause"],
            registry=registry,
        )
        self.requests = Counter(
            "gongji_http_requests", "REST requests", ["method", "path", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "gongji_http_request_seconds",
            "Time of a REST request",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.loop_lag_seconds = Gauge(
            "gongji_loop_lag_seconds", "How late the event loop ran a timer last", registry=registry
        )
        self.clock_drift_seconds = Gauge(
            "gongji_clock_drift_seconds", "Largest difference to a peer's wall clock", registry=registry
        )

    def count_block(self, figures: BlockFigures) -> None:
        """Count one committed block."""
        self.height.set(figures.height)
        self.view.set(figures.view)
        self.blocks.inc()
        self._succeeded.inc(figures.transactions - figures.failed)
        self._failed.inc(figures.failed)
        self.block_transactions.observe(figures.transactions)
        self.block_bytes.inc(figures.bytes_count)
        self.add_stage("execute", figures.execute_seconds)
        self.add_stage("write", figures.write_seconds)

    def observe_sync(self, file: str, seconds: float) -> None:
        """Count one durable write; files are ledger, journal, guard and pool."""
        self.sync_seconds.labels(file).observe(seconds)

    def add_stage(self, stage: str, seconds: float) -> None:
        """Add time to a stage of the work; stages are a fixed set of words."""
        self.stage_seconds.labels(stage).inc(seconds)

    def count_refusal(self, code: str, *, is_client: bool) -> None:
        """Count a transaction that was refused."""
        self.refused.labels(code, "client" if is_client else "peer").inc()

    def observe_request(self, method: str, path: str, status: int, microseconds: int) -> None:
        """Count one REST request; `path` is the route's template, so its values are few."""
        self.requests.labels(method, path, str(status)).inc()
        self.request_seconds.labels(path).observe(microseconds / 1_000_000)

    def render(self) -> tuple[bytes, str]:
        """Return the text for /metrics and its media type."""
        return generate_latest(self._registry), MEDIA_TYPE
