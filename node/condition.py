"""How this node is: why there is no block now, whether it is ready, and what waits (api.md, Operations)."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from chain.clock import to_wall_ms
from chain.errors import StoreError
from chain.ledger import Ledger
from chain.mempool import Mempool
from chain.types import TxId
from consensus.describe import Description, describe
from consensus.messages import Commit, Prepare, ViewChange
from explorer.reader import (
    ConsensusCondition,
    ReadyCondition,
    TimerCondition,
    TransactionStatus,
    ValidatorCondition,
)
from node.intake import Intake
from node.metrics import NodeMetrics
from node.ports import Clock
from node.runtime import Runtime
from node.waiting import Waiters

FRESH_MARGIN_MS = 10_000
"""A node is fresh while its last block is not older than the idle interval and this."""

_REASONS = {
    "idle": "There is nothing to include and the idle interval is not over.",
    "waiting_for_proposal": "The leader has not proposed yet.",
    "checking": "The proposal is being checked.",
    "preparing": "PREPARE votes are missing.",
    "committing": "COMMIT votes are missing.",
    "writing": "The certified block is being written.",
    "changing": "The view is changing; VIEW-CHANGE messages are missing.",
    "starting": "This node waits until enough validators have answered it.",
    "quarantined": "This node may have lost votes and signs nothing until the chain is three heights further.",
}


class NodeCondition:
    """The `NodeStatus` of one node."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        ledger: Ledger,
        mempool: Mempool,
        intake: Intake,
        waiters: Waiters,
        metrics: NodeMetrics,
        clock: Clock,
        data_dir: Path,
        free_bytes_min: int,
        refresh_metrics: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._mempool = mempool
        self._intake = intake
        self._waiters = waiters
        self._metrics = metrics
        self._clock = clock
        self._data_dir = data_dir
        self._free_bytes_min = free_bytes_min
        self._refresh_metrics = refresh_metrics

    def get_transaction(self, tx_id: TxId) -> TransactionStatus | None:
        """Return what is known of a transaction outside the log, None if it was never seen."""
        return self._intake.get_status(tx_id)

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        """Return once the transaction's status is terminal, or after the time."""
        known = self._intake.get_status(tx_id)
        is_over = self._ledger.has_transaction(tx_id) or (known is not None and known.status != "pending")
        if not is_over:
            await self._waiters.wait_transaction(tx_id, timeout_ms)

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        """Return once the head has reached the height, or after the time."""
        if self._ledger.height < height:
            await self._waiters.wait_height(height, timeout_ms)

    def get_consensus(self) -> ConsensusCondition:
        """Return why there is no block now."""
        state = self._runtime.state
        if state is None:
            return self._build_starting()
        now = self._clock.now_ms()
        shown = describe(state, now_ms=now)
        held_prepares = _list_signers(state.prepares, state.view)
        held_commits = _list_signers(state.commits, state.view)
        held_changes = _list_signers(state.view_changes, state.view)
        return ConsensusCondition(
            height=shown.height,
            view=shown.view,
            mode=_get_mode(shown),
            phase=_PHASES.get(shown.phase, shown.phase),
            reason=_build_reason(shown),
            leader=shown.leader_organisation,
            quorum=shown.quorum,
            missing=shown.missing_organisations,
            pending=len(self._mempool),
            validators=tuple(
                ValidatorCondition(
                    index=peer.index,
                    organisation=peer.organisation,
                    is_connected=peer.is_connected or peer.is_self,
                    height=self._ledger.height if peer.is_self else peer.head,
                    view=peer.view,
                    has_prepared=peer.index in held_prepares,
                    has_committed=peer.index in held_commits,
                    has_view_change=peer.index in held_changes,
                )
                for peer in shown.peers
            ),
            timers=tuple(TimerCondition(name=timer.name, remaining_ms=timer.remaining_ms) for timer in shown.timers),
        )

    def _build_starting(self) -> ConsensusCondition:
        return ConsensusCondition(
            height=self._ledger.height + 1,
            view=0,
            mode="starting",
            phase="idle",
            reason="The node is starting.",
            leader=None,
            quorum=0,
            missing=(),
            pending=len(self._mempool),
            validators=(),
            timers=(),
        )

    def get_readiness(self) -> tuple[ReadyCondition, ...]:
        """Return the conditions of readiness, met and unmet."""
        genesis = self._ledger.genesis
        age_ms = self._clock.wall_ms() - to_wall_ms(genesis.clock, self._ledger.header.timestamp_ms)
        limit_ms = genesis.parameters.idle_interval_ms + FRESH_MARGIN_MS
        state = self._runtime.state
        connected = 0 if state is None else 1 + sum(peer.is_connected for peer in state.peers)
        quorum = 1 if state is None else state.quorum
        free = shutil.disk_usage(self._data_dir).free
        voting = "starting" if state is None else describe(state, now_ms=self._clock.now_ms()).activity
        return (
            ReadyCondition(
                name="block_fresh",
                is_met=age_ms <= limit_ms,
                detail=f"the last block is {age_ms} ms old, at most {limit_ms} ms are expected",
            ),
            ReadyCondition(
                name="peers_quorum",
                is_met=connected >= quorum,
                detail=f"{connected} validators are connected, itself included; {quorum} are a quorum",
            ),
            ReadyCondition(
                name="disk_space",
                is_met=free >= self._free_bytes_min,
                detail=f"{free} bytes are free, {self._free_bytes_min} are the threshold",
            ),
            ReadyCondition(name="voting", is_met=voting == "voting", detail=f"this node is {voting}"),
        )

    def render_metrics(self) -> tuple[bytes, str]:
        """Return the metrics and their media type."""
        self._refresh_metrics()
        return self._metrics.render()

    def report_damage(self, error: StoreError) -> None:
        """Stop the node: a reader met a damaged store (design 4)."""
        self._runtime.halt(f"a reader met a damaged store: {error}")


_PHASES = {
    "waiting_for_proposal": "propose",
    "checking": "propose",
    "preparing": "prepare",
    "committing": "commit",
    "writing": "commit",
    "changing": "view_change",
    "starting": "idle",
    "quarantined": "idle",
}


def _list_signers(slots: Sequence[ViewChange | Prepare | Commit | None], view: int) -> frozenset[int]:
    """Return whose message of this very view is here."""
    return frozenset(message.signer for message in slots if message is not None and message.body.view == view)


def _get_mode(shown: Description) -> str:
    if shown.activity == "starting":
        return "starting"
    if shown.activity == "quarantined":
        return "quarantine"
    if shown.activity == "following":
        return "syncing"
    return shown.mode


def _build_reason(shown: Description) -> str:
    reason = shown.quarantine or _REASONS.get(shown.phase, shown.phase)
    if shown.missing_organisations:
        return f"{reason} Missing: {', '.join(shown.missing_organisations)}."
    return reason
