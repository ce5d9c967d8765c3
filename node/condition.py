"""How this node is: why there is no block now, whether it is ready, and what waits (api.md, Operations)."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from chain.clock import to_wall_ms
from chain.errors import StoreError
from chain.ledger import Ledger
from chain.mempool import Mempool
from chain.round_record import get_protocol_version
from chain.types import TxId
from consensus.describe import Description, describe
from consensus.messages import TAGS, Commit, Kind, Prepare, ViewChange
from consensus.state import State
from explorer.reader import (
    ConsensusCondition,
    EvidenceFound,
    ReadyCondition,
    SignedBody,
    TimerCondition,
    TransactionStatus,
    ValidatorCondition,
)
from node.evidence import EvidenceStore
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
        get_checkpoint: Callable[[], bytes | None],
        evidence: EvidenceStore,
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
        self._get_checkpoint = get_checkpoint
        self._evidence = evidence

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
            reason=self._describe_version() or _build_reason(shown),
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
        age_ms = self._clock.wall_ms() - to_wall_ms(self._ledger.genesis.clock, self._ledger.header.timestamp_ms)
        limit_ms = self._ledger.parameters.idle_interval_ms + FRESH_MARGIN_MS
        state = self._runtime.state
        connected = 0 if state is None else _count_connected(state)
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
            self._get_version_condition(),
        )

    def _describe_version(self) -> str | None:
        """Return why this node takes no part where it does not know the version of the next height, else None."""
        protocol = self._ledger.protocol
        version = get_protocol_version(protocol, self._ledger.height + 1)
        known = self._runtime.config.versions
        if version in known:
            return None
        return (
            f"Height {self._ledger.height + 1} has protocol version {version}, which this software does not know "
            f"(it knows {known[0]} to {known[-1]}): install a newer one. It serves the blocks that it has."
        )

    def _get_version_condition(self) -> ReadyCondition:
        """Return whether this software knows the version of the next height; the detail warns of a later one."""
        stopped = self._describe_version()
        version, from_height = self._ledger.protocol.versions[-1]
        detail = stopped or f"version {version} runs from height {from_height} on"
        if stopped is None and version not in self._runtime.config.versions:
            detail += ", and this software does not know it: install a newer one before"
        return ReadyCondition(name="protocol_version", is_met=stopped is None, detail=detail)

    def get_checkpoint(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed, None before the first."""
        return self._get_checkpoint()

    def list_evidence(self) -> tuple[EvidenceFound, ...]:
        """Return the proofs of faults that this node holds, by height."""
        store = self._evidence
        return tuple(
            EvidenceFound(
                key=record.key,
                organisation=record.organisation,
                height=record.height,
                view=record.view,
                kind=TAGS[Kind(record.step)],
                found_ms=record.found_ms,
                first=SignedBody(
                    body=record.first_body,
                    signed=store.get_signed(record, record.first_body),
                    signature=record.first_signature,
                ),
                second=SignedBody(
                    body=record.second_body,
                    signed=store.get_signed(record, record.second_body),
                    signature=record.second_signature,
                ),
            )
            for record in store.list_all()
        )

    def render_metrics(self) -> tuple[bytes, str]:
        """Return the metrics and their media type."""
        self._refresh_metrics()
        return self._metrics.render()

    def report_damage(self, error: StoreError) -> None:
        """Stop the node: a reader met a damaged store (design 4)."""
        self._runtime.halt(f"a reader met a damaged store: {error}")


def _count_connected(state: State) -> int:
    """Return how many members are connected, this node included where it is one."""
    return (state.own_index is not None) + sum(peer.is_connected for peer in state.peers)


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
