"""Wire the parts of a node together: who calls whom."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import assert_never

from chain.block import Block
from chain.codec import encode
from chain.errors import GongjiError, InvariantViolation, StoreError
from chain.genesis import Genesis
from chain.mempool import Mempool, PoolLimits
from chain.transaction import Transaction
from chain.types import Hash
from consensus.config import Config
from consensus.events import BlockContent, Received, Restored, Start
from consensus.events import PeerDown as CorePeerDown
from consensus.events import PeerUp as CorePeerUp
from consensus.messages import Complaint, Kind, decode_message
from explorer.app import build_app
from explorer.settings import ExplorerSettings, HttpLimits
from node.blob_pool import BlobPool
from node.block_work import BlockWorker, build_content_of_block
from node.candidates import Candidates
from node.catching_up import CatchingUp
from node.clock import SystemClock
from node.condition import NodeCondition
from node.config import NodeConfig, parse_address
from node.cosigner import Cosigner
from node.fetching import Fetching
from node.follower import Follower
from node.gossip import Gossip
from node.head import build_head
from node.http_server import ConnectionLimits, RestServer, build_server
from node.intake import Intake
from node.keys import load_secret
from node.logs import LogThrottle, get_logger
from node.metrics import NodeMetrics
from node.ports import Clock, PeerNetwork
from node.reader import StoreReader
from node.runtime import Runtime
from node.serving import Serving
from node.signer import Signer
from node.storage import Storage
from node.submit_api import build_submit_router
from node.waiting import Waiters
from node.wire import BLOBS, CHECKPOINT, CONSENSUS_FIRST, TRANSACTIONS, Blobs, build_frame_kinds
from p2p import ConnectionRefused, EventHandler, FrameReceived, Mesh, MeshConfig, PeerDown, PeerEntry, PeerUp
from p2p import Event as MeshEvent

SOFTWARE = f"gongji/{version('gongji')}"
REFUSED_LOG_MS = 10_000


BuildNetwork = Callable[[NodeConfig, Genesis, MeshConfig, EventHandler], PeerNetwork]
"""Make the network layer: of sockets, or simulated."""


def build_mesh(config: NodeConfig, genesis: Genesis, mesh_config: MeshConfig, on_event: EventHandler) -> PeerNetwork:
    """Return the network layer over TLS."""
    peers = []
    for index, validator in enumerate(genesis.validators):
        host, port = parse_address(validator.address, field=f"validators[{index}].address")
        peers.append(PeerEntry(index=index, pin=validator.tls_pin, host=host, port=port))
    return Mesh(mesh_config, build_frame_kinds(), peers, on_event)


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
        build_network: BuildNetwork = build_mesh,
        clock: Clock | None = None,
    ) -> None:
        self._boot_id = boot_id
        self._nonce = nonce
        self._log = get_logger("node")
        self._throttle = LogThrottle(REFUSED_LOG_MS)
        self._clock = clock or SystemClock()
        self.storage = storage = Storage(config, genesis)
        self.own_index = storage.own_index
        self.organisation = genesis.validators[self.own_index].organisation
        self.ledger = storage.ledger
        self.pool_journal = storage.pool_journal
        self.metrics = NodeMetrics(version=SOFTWARE, chain_id=self.ledger.chain_id.hex(), validator=self.organisation)
        self.mempool = self._build_mempool(config, genesis)
        self.candidates = Candidates(self.mempool.get)
        self.blobs = BlobPool(ingress_count=len(genesis.validators))
        self.waiters = Waiters()
        self._worker = BlockWorker(
            ledger=self.ledger,
            mempool=self.mempool,
            candidates=self.candidates,
            get_wall_ms=self._clock.wall_ms,
            validator_key=storage.key.public_key,
            reveal_next=storage.find_reveal,
            get_last_link=storage.get_last_link,
            has_blob=self._has_blob,
            on_evicted=self._on_evicted,
        )
        self.mesh = build_network(config, genesis, self._build_mesh_config(config), self._on_mesh_event)
        self.follower = Follower(
            ledger=self.ledger,
            mempool=self.mempool,
            blobs=self.blobs,
            journal=self.pool_journal,
            waiters=self.waiters,
            metrics=self.metrics,
            worker=self._worker,
            clock=self._clock,
            own_index=self.own_index,
        )
        self.runtime = self._build_runtime(genesis, stop)
        self._connect()
        self.condition = NodeCondition(
            runtime=self.runtime,
            ledger=self.ledger,
            mempool=self.mempool,
            intake=self.intake,
            waiters=self.waiters,
            metrics=self.metrics,
            clock=self._clock,
            data_dir=storage.directory,
            free_bytes_min=config.disk.free_bytes_min,
            refresh_metrics=self.follower.refresh_metrics,
        )

    # --- building ---

    def _build_runtime(self, genesis: Genesis, stop: Callable[[str], None]) -> Runtime:
        parameters = genesis.parameters
        key = self.storage.key
        signer = Signer(
            key,
            chain_id=self.ledger.chain_id,
            guard=self.storage.guard,
            journal=self.storage.journal,
            load_block=self._load_block,
        )
        return Runtime(
            config=Config(
                chain_id=self.ledger.chain_id,
                genesis_hash=self.ledger.genesis_hash,
                key=key.public_key,
                tenure=parameters.tenure,
                idle_interval_ms=parameters.idle_interval_ms,
                view_base_ms=parameters.view_timeout_base_ms,
                view_cap_ms=parameters.view_timeout_cap_ms,
            ),
            ledger=self.ledger,
            mempool=self.mempool,
            candidates=self.candidates,
            worker=self._worker,
            signer=signer,
            network=self.mesh,
            observer=self.follower,
            clock=self._clock,
            stop=stop,
        )

    def _connect(self) -> None:
        """Make what stands around the runtime, and tell each of the others."""
        peers_count = len(self.ledger.genesis.validators)
        self.catching_up = CatchingUp(
            runtime=self.runtime,
            ledger=self.ledger,
            candidates=self.candidates,
            worker=self._worker,
            network=self.mesh,
            clock=self._clock,
            on_failure=self.follower.on_failure,
        )
        fetching = self._fetching = Fetching(
            runtime=self.runtime,
            candidates=self.candidates,
            network=self.mesh,
            clock=self._clock,
            serving=Serving(
                ledger=self.ledger,
                candidates=self.candidates,
                network=self.mesh,
                clock=self._clock,
                find_blob=self.follower.find_blob,
            ),
            catching_up=self.catching_up,
            own_index=self.own_index,
            peers_count=peers_count,
            keep_blobs=self.follower.keep_blobs,
        )
        self.runtime.fetcher = fetching
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
            peers_count=peers_count,
            broadcast_blob=self._broadcast_blob,
            want_blobs=fetching.want_blobs,
        )
        self.gossip = Gossip(
            broadcast=self.mesh.broadcast,
            send=self.mesh.send,
            admit=self.intake.admit_from_peer,
            add_body=fetching.add_body,
            is_known=self.intake.is_known,
            release=self.mesh.release,
            clock=self._clock,
        )
        self.intake.gossip = self.gossip
        self._cosigner = Cosigner(
            ledger=self.ledger,
            key=self.storage.checkpoint_key,
            own_index=self.own_index,
            broadcast=self.mesh.broadcast,
            now_ms=self._clock.now_ms,
            wall_ms=self._clock.wall_ms,
        )
        self.follower.connect(
            runtime=self.runtime,
            fetching=fetching,
            intake=self.intake,
            gossip=self.gossip,
            cosigner=self._cosigner,
        )

    def _broadcast_blob(self, blob: bytes) -> int:
        return self.mesh.broadcast(BLOBS, encode(Blobs(blobs=(blob,))))

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

    def _build_mesh_config(self, config: NodeConfig) -> MeshConfig:
        host, port = parse_address(config.listen.p2p, field="listen.p2p")
        return MeshConfig(
            chain_id=self.ledger.chain_id,
            index=self.own_index,
            boot_id=self._boot_id,
            software=SOFTWARE,
            listen_host=host,
            listen_port=port,
            certificate_path=Path(config.keys.tls_certificate),
            private_key_path=Path(config.keys.tls_private_key),
        )

    def build_server(self, config: NodeConfig, genesis: Genesis) -> RestServer:
        """Return the REST server of this node, not yet serving."""
        limits = HttpLimits(requests_per_s=config.api.requests_per_s, requests_burst=config.api.requests_burst)
        settings = ExplorerSettings(
            software_version=version("gongji"),
            cursor_key=load_secret(Path(config.keys.cursor_secret)),
            hosts=config.api.hosts,
            limits=limits,
            observe=self.metrics.observe_request,
        )
        app = build_app(
            StoreReader(self.storage.store, genesis),
            self.condition,
            settings=settings,
            submit_router=build_submit_router(self.intake, limits),
        )
        return build_server(app, ConnectionLimits())

    # --- life ---

    def begin(self) -> int:
        """Take up where the last run ended; return how many transactions the pool journal gave back."""
        now, wall = self.runtime.times()
        blocks = [build_content_of_block(block) for block in self.storage.contents.blocks]
        bound = max(self.storage.contents.prepared, key=lambda item: (item.height, item.view), default=None)
        if bound is not None:
            self.candidates.bind(Hash(bound.block_hash))
        for content, transactions in blocks:
            self.candidates.keep_block(content, transactions)
        restored = self.intake.restore()
        self.runtime.begin(
            Start(
                head=build_head(self.ledger),
                restored=Restored(
                    own=self.storage.contents.own,
                    blocks=tuple(content for content, _ in blocks),
                    prepared=self.storage.contents.prepared,
                    new_views=self.storage.contents.new_views,
                    mark=self.storage.restart.mark,
                ),
                boot_id=self._boot_id,
                nonce=self._nonce,
                quarantine=self.storage.restart.quarantine,
                has_transactions=len(self.mempool) > 0,
                now_ms=now,
                wall_ms=wall,
            )
        )
        if self.storage.restart.quarantine is not None:
            self._log.warning("quarantine", reason=self.storage.restart.quarantine)
        return restored

    def close(self) -> None:
        """Close files, in the order in which nothing is lost."""
        self.runtime.close()
        self.storage.close()

    # --- what the block worker asks ---

    def _has_blob(self, blob_hash: bytes) -> bool:
        return self.intake.has_blob(blob_hash)

    def _on_evicted(self, transaction: Transaction) -> None:
        self.intake.on_evicted(transaction)

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
                self.follower.on_peer_up(index)
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
                if isinstance(message, Complaint):
                    self.follower.on_complaint(frame.index, message)
            elif frame.kind == CHECKPOINT:
                self._cosigner.on_share(frame.index, frame.payload)
            else:
                self._fetching.on_frame(frame.index, frame.kind, frame.payload)
        except GongjiError as error:
            self.metrics.frames_dropped.labels(error.code).inc()
        except (StoreError, InvariantViolation) as error:
            self.follower.on_failure(error)
            self.runtime.halt(f"{type(error).__name__}: {error}")
        finally:
            # The runtime has worked it off by now: events are handled within `feed`, so its queue stays empty.
            self.mesh.release(frame)

    # --- what people ask ---

    def get_checkpoint(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed."""
        return self._cosigner.get_note()
