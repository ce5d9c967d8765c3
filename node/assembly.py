"""Wire the parts of a node together: who calls whom."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import assert_never

from chain.block import Block
from chain.codec import encode
from chain.contract.tables import BEACON
from chain.crypto import sha256
from chain.errors import ConfigError, GongjiError, InvariantViolation
from chain.execution import Executed
from chain.genesis import Genesis, compute_chain_id
from chain.ledger import Ledger
from chain.mempool import Mempool, PoolLimits, Waiting
from chain.store import Store
from chain.types import Hash, PublicKey
from chain.validation import get_blob_hash
from consensus.config import Config
from consensus.effects import EnterQuarantine, Evidence, Fault, Note, Stop
from consensus.events import BlockContent, Received, RequestOverdue, Restored, Start
from consensus.events import PeerDown as CorePeerDown
from consensus.events import PeerUp as CorePeerUp
from consensus.messages import Activity, Kind, decode_message
from consensus.rules import get_leader
from explorer.app import build_app
from explorer.settings import ExplorerSettings, HttpLimits
from node.blob_pool import BlobPool
from node.block_work import BlockWorker, build_content_of_block
from node.candidates import Candidates
from node.clock import SystemClock
from node.condition import NodeCondition
from node.config import NodeConfig, parse_address
from node.cosigner import Cosigner
from node.fetching import Fetching
from node.gossip import Gossip
from node.guard import open_guard
from node.http_server import ConnectionLimits, RestServer, build_server
from node.intake import Intake
from node.journal import open_journal
from node.keys import KeyKind, load_key, load_secret
from node.logs import LogThrottle, get_logger
from node.metrics import BlockFigures, NodeMetrics
from node.pool_journal import PoolJournal
from node.reader import StoreReader
from node.request_watch import RequestWatch
from node.reveal import load_reveal
from node.runtime import Runtime
from node.signer import Signer, compute_restart
from node.submit_api import build_submit_router
from node.waiting import Waiters
from node.wire import BLOBS, CHECKPOINT, CONSENSUS_FIRST, TRANSACTIONS, Blobs, build_frame_kinds
from p2p import ConnectionRefused, FrameReceived, Mesh, MeshConfig, PeerDown, PeerEntry, PeerUp
from p2p import Event as MeshEvent

SOFTWARE = f"gongji/{version('gongji')}"
REFUSED_LOG_MS = 10_000
MISSING_BLOBS_MAX = 10_000
"""Blobs of synced blocks still to be fetched; beyond it they are left to a later sync."""


class Node:
    """Every part of one running node, and the wiring between them."""

    def __init__(
        self,
        config: NodeConfig,
        genesis: Genesis,
        *,
        boot_id: bytes,
        nonce: bytes,
        stop: Callable[[str], None],
    ) -> None:
        self._boot_id = boot_id
        self._nonce = nonce
        self._log = get_logger("node")
        self._throttle = LogThrottle(REFUSED_LOG_MS)
        self._clock = SystemClock()
        data = Path(config.data_dir)
        data.mkdir(parents=True, exist_ok=True)
        self._data_dir = data
        key = load_key(Path(config.keys.validator), kind=KeyKind.VALIDATOR)
        checkpoint_key = load_key(Path(config.keys.checkpoint), kind=KeyKind.CHECKPOINT)
        self.own_index = find_own_index(genesis, key.public_key)
        own = genesis.validators[self.own_index]
        self.organisation = own.organisation
        if own.checkpoint_key != checkpoint_key.public_key:
            raise ConfigError(
                field="keys.checkpoint", reason="is not the checkpoint key of this validator in genesis"
            )
        self._reveal = load_reveal(Path(config.keys.reveal))
        self.metrics = NodeMetrics(
            version=SOFTWARE, chain_id=compute_chain_id(genesis).hex(), validator=own.organisation
        )
        self._store = Store(data / "ledger", compute_chain_id(genesis))
        self.ledger = Ledger(self._store, genesis)
        self.mempool = self._build_mempool(config, genesis)
        self.candidates = Candidates(self.mempool.get)
        self.blobs = BlobPool(ingress_count=len(genesis.validators))
        self.waiters = Waiters()
        self.pool_journal = PoolJournal(
            data / "pool", self.ledger.chain_id, bytes_max=config.pool.journal_bytes_max
        )
        self._missing_blobs: dict[bytes, None] = {}
        self._worker = BlockWorker(
            ledger=self.ledger,
            mempool=self.mempool,
            candidates=self.candidates,
            get_wall_ms=self._clock.wall_ms,
            validator_key=key.public_key,
            reveal_next=self._find_reveal,
            get_last_link=self._get_last_link,
            has_blob=lambda blob_hash: self.intake.has_blob(blob_hash),
            on_evicted=lambda transaction: self.intake.on_evicted(transaction),
        )
        self._guard = open_guard(Path(config.guard))
        journal, self._journal_contents = open_journal(
            data / "journal",
            chain_id=self.ledger.chain_id,
            key=PublicKey(key.public_key),
            head_height=self.ledger.height,
        )
        self._restart = compute_restart(
            key=PublicKey(key.public_key),
            chain_id=self.ledger.chain_id,
            head_height=self.ledger.height,
            guard=self._guard,
            journal=journal,
            contents=self._journal_contents,
        )
        self.signer = Signer(
            key,
            chain_id=self.ledger.chain_id,
            guard=self._guard,
            journal=journal,
            load_block=self._load_block,
        )
        self.mesh = self._build_mesh(config, genesis)
        parameters = genesis.parameters
        self.runtime = Runtime(
            config=Config(
                chain_id=self.ledger.chain_id,
                genesis_hash=self.ledger.genesis_hash,
                key=PublicKey(key.public_key),
                tenure=parameters.tenure,
                idle_interval_ms=parameters.idle_interval_ms,
                view_base_ms=parameters.view_timeout_base_ms,
                view_cap_ms=parameters.view_timeout_cap_ms,
            ),
            ledger=self.ledger,
            mempool=self.mempool,
            candidates=self.candidates,
            worker=self._worker,
            signer=self.signer,
            network=self.mesh,
            observer=self,
            clock=self._clock,
            stop=stop,
        )
        self._fetching = Fetching(
            runtime=self.runtime,
            ledger=self.ledger,
            candidates=self.candidates,
            worker=self._worker,
            network=self.mesh,
            keep_blobs=self._keep_blobs,
        )
        self.runtime.fetcher = self._fetching
        self.intake = Intake(
            ledger=self.ledger,
            mempool=self.mempool,
            blobs=self.blobs,
            journal=self.pool_journal,
            waiters=self.waiters,
            metrics=self.metrics,
            runtime=self.runtime,
            clock=self._clock,
            get_block_ms=self._worker.get_block_ms,
            home=self.own_index,
            broadcast_blob=lambda blob: self.mesh.broadcast(BLOBS, encode(Blobs(blobs=(blob,)))),
        )
        self.gossip = Gossip(
            broadcast=self.mesh.broadcast,
            admit=self.intake.admit_from_peer,
            add_body=self._fetching.add_body,
            is_known=self.intake.is_known,
            release=self.mesh.release,
        )
        self.intake.gossip = self.gossip
        self._watch = RequestWatch(request_timeout_ms=parameters.request_timeout_ms)
        self._cosigner = Cosigner(
            ledger=self.ledger,
            key=checkpoint_key,
            own_index=self.own_index,
            broadcast=self.mesh.broadcast,
            now_ms=self._clock.now_ms,
            wall_ms=self._clock.wall_ms,
        )
        self.server = self._build_server(config, genesis)

    # --- building ---

    def _build_mempool(self, config: NodeConfig, genesis: Genesis) -> Mempool:
        pool = config.pool
        limits = PoolLimits(
            transactions_max=pool.transactions_max,
            bytes_max=pool.bytes_max,
            signer_transactions_max=pool.signer_transactions_max,
            organisation_transactions_max=pool.organisation_transactions_max,
        )
        return Mempool(
            limits,
            genesis.parameters,
            ingress_count=len(genesis.validators),
            home=self.own_index,
            organisation_keys=[organisation.key for organisation in genesis.organisations],
        )

    def _build_mesh(self, config: NodeConfig, genesis: Genesis) -> Mesh:
        host, port = parse_address(config.listen.p2p, field="listen.p2p")
        peers = []
        for index, validator in enumerate(genesis.validators):
            peer_host, peer_port = parse_address(validator.address, field=f"validators[{index}].address")
            peers.append(PeerEntry(index=index, pin=validator.tls_pin, host=peer_host, port=peer_port))
        mesh_config = MeshConfig(
            chain_id=self.ledger.chain_id,
            index=self.own_index,
            boot_id=self._boot_id,
            software=SOFTWARE,
            listen_host=host,
            listen_port=port,
            certificate_path=Path(config.keys.tls_certificate),
            private_key_path=Path(config.keys.tls_private_key),
        )
        return Mesh(mesh_config, build_frame_kinds(), peers, self._on_mesh_event)

    def _build_server(self, config: NodeConfig, genesis: Genesis) -> RestServer:
        limits = HttpLimits(
            requests_per_s=config.api.requests_per_s, requests_burst=config.api.requests_burst
        )
        settings = ExplorerSettings(
            software_version=version("gongji"),
            cursor_key=load_secret(Path(config.keys.cursor_secret)),
            hosts=config.api.hosts,
            limits=limits,
            observe=self.metrics.observe_request,
        )
        condition = NodeCondition(
            runtime=self.runtime,
            ledger=self.ledger,
            mempool=self.mempool,
            intake=self.intake,
            waiters=self.waiters,
            metrics=self.metrics,
            clock=self._clock,
            data_dir=self._data_dir,
            free_bytes_min=config.disk.free_bytes_min,
            refresh_metrics=self.refresh_metrics,
        )
        app = build_app(
            StoreReader(self._store, genesis),
            condition,
            settings=settings,
            submit_router=build_submit_router(self.intake, limits),
        )
        return build_server(app, ConnectionLimits())

    # --- life ---

    def begin(self) -> int:
        """Take up where the last run ended; return how many transactions the pool journal gave back."""
        now, wall = self.runtime.times()
        blocks = [build_content_of_block(block) for block in self._journal_contents.blocks]
        for content, transactions in blocks:
            self.candidates.add_content(content)
            self.candidates.keep_bodies(transactions)
        restored = self.intake.restore()
        self.runtime.begin(
            Start(
                head=self.runtime.build_head(),
                restored=Restored(
                    own=self._journal_contents.own,
                    blocks=tuple(content for content, _ in blocks),
                    prepared=self._journal_contents.prepared,
                    new_views=self._journal_contents.new_views,
                    mark=self._restart.mark,
                ),
                boot_id=self._boot_id,
                nonce=self._nonce,
                quarantine=self._restart.quarantine,
                has_transactions=len(self.mempool) > 0,
                now_ms=now,
                wall_ms=wall,
            )
        )
        if self._restart.quarantine is not None:
            self._log.warning("quarantine", reason=self._restart.quarantine)
        return restored

    def close(self) -> None:
        """Close files, in the order in which nothing is lost."""
        self.runtime.close()
        self.signer.close()
        self.pool_journal.close()
        self._store.close()

    # --- what the block worker asks ---

    def _find_reveal(self, link: bytes) -> bytes:
        return self._reveal.find_preimage(Hash(link))

    def _get_last_link(self) -> bytes:
        beacon = self.ledger.read(BEACON.key(), BEACON.codec)
        if beacon is None:
            raise InvariantViolation("the state has no beacon")
        return beacon.links[self.own_index]

    def _load_block(self, content: BlockContent) -> Block:
        executed = self.candidates.get_executed(content.block_hash)
        transactions = executed.transactions if executed else self.candidates.assemble(content)
        self.mempool.pin(content.block_hash, transactions)
        return Block(
            header=content.header,
            parent_certificate=content.parent_certificate,
            transactions=tuple(transaction.raw for transaction in transactions),
        )

    # --- network ---

    def _on_mesh_event(self, event: MeshEvent) -> None:
        match event:
            case FrameReceived():
                self._on_frame(event)
            case PeerUp(index=index):
                now, wall = self.runtime.times()
                self._log.info("peer_up", peer=index, software=event.software)
                self.runtime.feed(CorePeerUp(index, now, wall))
            case PeerDown(index=index):
                now, wall = self.runtime.times()
                self._log.info("peer_down", peer=index, cause=event.cause)
                self.runtime.feed(CorePeerDown(index, now, wall))
            case ConnectionRefused():
                suppressed = self._throttle.admit(f"refused {event.reason}", self._clock.now_ms())
                if suppressed is not None:
                    self._log.warning(
                        "connection_refused",
                        address=event.address,
                        reason=event.text,
                        by_peer=event.is_by_peer,
                        suppressed=suppressed,
                    )
            case _:
                assert_never(event)

    def _on_frame(self, frame: FrameReceived) -> None:
        if frame.kind == TRANSACTIONS:
            self.gossip.on_batch(frame)
            return
        try:
            if frame.kind < CONSENSUS_FIRST + len(Kind):
                message = decode_message(Kind(frame.kind - CONSENSUS_FIRST), frame.payload)
                now, wall = self.runtime.times()
                self.runtime.feed(Received(frame.index, message, now, wall))
            elif frame.kind == CHECKPOINT:
                self._cosigner.on_share(frame.index, frame.payload)
            else:
                self._fetching.on_frame(frame.index, frame.kind, frame.payload)
        except GongjiError as error:
            self.metrics.frames_dropped.labels(error.code).inc()
        finally:
            self.mesh.release(frame)

    # --- blobs ---

    def _keep_blobs(self, blobs: tuple[bytes, ...]) -> None:
        found = []
        for blob in blobs:
            blob_hash = bytes(sha256(blob))
            if blob_hash in self._missing_blobs:
                del self._missing_blobs[blob_hash]
                found.append(blob)
            else:
                self.blobs.add(blob, ingress=self.own_index, wall_ms=self._clock.wall_ms())
        if found:
            self.ledger.put_blobs(found)

    def collect_blobs(self, executed: Executed) -> list[bytes]:
        """Return the held blobs that the block's transactions name; note what is missing."""
        blobs = []
        for transaction in executed.transactions:
            blob_hash = get_blob_hash(transaction)
            if blob_hash is None:
                continue
            blob = self.blobs.get(blob_hash)
            if blob is not None:
                blobs.append(blob)
            elif not self.ledger.has_blob(blob_hash) and len(self._missing_blobs) < MISSING_BLOBS_MAX:
                self._missing_blobs[blob_hash] = None
        return blobs

    # --- what the runtime reports ---

    def on_committed(self, executed: Executed, *, expired: list[Waiting], write_seconds: float) -> None:
        """Wake who waits, forget what is done, sign a checkpoint, watch the leader."""
        header = executed.header
        ids = [transaction.tx_id for transaction in executed.transactions]
        done: list[bytes] = list(ids)
        for transaction in executed.transactions:
            blob_hash = get_blob_hash(transaction)
            if blob_hash is not None:
                self.blobs.remove(blob_hash)
                done.append(blob_hash)
        self.pool_journal.forget(done)
        self.waiters.on_settled(ids)
        self.waiters.on_height(header.height)
        self.intake.on_expired(expired)
        self._fetching.on_committed()
        peers = tuple(index for index in range(len(self.ledger.validators)) if index != self.own_index)
        for blob_hash in list(self._missing_blobs)[:8]:
            self._fetching.want_blob(blob_hash, peers)
        self._cosigner.on_committed(header)
        self._watch_leader(executed)
        self._count(executed, write_seconds)

    def _watch_leader(self, executed: Executed) -> None:
        state = self.runtime.state
        if state is None:
            return
        now, wall = self.runtime.times()
        leader = get_leader(state, state.view)
        self._watch.on_leader(leader, now_ms=now)
        parameters = self.ledger.genesis.parameters
        has_room = len(executed.transactions) * 2 < parameters.block_transactions_max
        if not has_room or len(self.mempool) == 0:
            return
        waiting = self.mempool.get_oldest_includable(block_ms=executed.header.timestamp_ms, count_max=64)
        is_leaders = executed.header.proposer == self.ledger.validators[leader].key
        overdue = self._watch.find_overdue(
            waiting, proposer=leader if is_leaders else -1, has_room=has_room, now_ms=now
        )
        if overdue:
            for entry in waiting:
                self.gossip.offer(entry.transaction)
            self.runtime.feed(RequestOverdue(leader=leader, tx_ids=overdue, now_ms=now, wall_ms=wall))

    def _count(self, executed: Executed, write_seconds: float) -> None:
        execute_seconds, self._worker.execute_seconds = self._worker.execute_seconds, 0.0
        state = self.runtime.state
        self.metrics.count_block(
            BlockFigures(
                height=executed.header.height,
                transactions=len(executed.transactions),
                failed=sum(receipt.outcome != 0 for receipt in executed.outcomes),
                bytes_count=sum(len(transaction.raw) for transaction in executed.transactions),
                view=0 if state is None else state.view,
                execute_seconds=execute_seconds,
                write_seconds=write_seconds,
            )
        )

    def on_fault(self, fault: Fault) -> None:
        """Log and count what the core noticed."""
        match fault:
            case Note(code=code, peer=peer, detail=detail):
                self.metrics.faults.labels(code).inc()
                self._log.debug("note", code=code, peer=peer, detail=detail)
            case Evidence(signer=signer):
                self.metrics.faults.labels("evidence").inc()
                self._log.error(
                    "evidence", validator=signer, first=repr(fault.first), second=repr(fault.second)
                )
            case EnterQuarantine(reason=reason):
                self.metrics.faults.labels("quarantine").inc()
                self._log.error("quarantine", reason=reason)
            case Stop(reason=reason):
                self._log.error("stop", reason=reason)
            case _:
                assert_never(fault)

    def on_failure(self, error: Exception) -> None:
        """Log where a step failed."""
        self._log.error("step_failed", error=repr(error), exc_info=error)

    def refresh_metrics(self) -> None:
        """Set the gauges before they are read."""
        statistics = self.mempool.get_statistics()
        self.metrics.pool_transactions.set(statistics.transactions)
        self.metrics.pool_bytes.set(statistics.bytes_count)
        self.metrics.journal_bytes.labels("pool").set(self.pool_journal.bytes_count)
        self.metrics.height.set(self.ledger.height)
        state = self.runtime.state
        if state is not None:
            self.metrics.view.set(state.view)
            self.metrics.peers_connected.set(sum(peer.is_connected for peer in state.peers))
            self.metrics.is_voting.set(1 if state.activity is Activity.VOTING else 0)
        age_ms = self._clock.wall_ms() - self.runtime.build_head().wall_ms
        self.metrics.head_age_seconds.set(age_ms / 1000)

    def get_checkpoint(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed."""
        return self._cosigner.get_note()


def find_own_index(genesis: Genesis, key: bytes) -> int:
    """Return the index of this validator; raise `ConfigError` if genesis does not name it."""
    for index, validator in enumerate(genesis.validators):
        if validator.key == key:
            return index
    raise ConfigError(field="keys.validator", reason="is not the key of a validator in genesis")
