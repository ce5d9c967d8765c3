"""Wire the parts of a node together: who calls whom."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from chain.block import Block
from chain.certificate import SUPPORTED_VERSIONS
from chain.codec import encode
from chain.genesis import Genesis
from chain.mempool import Mempool, PoolLimits
from chain.transaction import Transaction
from chain.types import Hash
from chain.validators import Validator, find_index
from consensus.config import Config
from consensus.events import BlockContent, Restored, Start
from consensus.messages import Activity
from node.blob_pool import BlobPool
from node.block_work import BlockWorker, build_content_of_block
from node.candidacy import Candidacy
from node.candidates import Candidates
from node.catching_up import CatchingUp
from node.clock import SystemClock
from node.condition import NodeCondition
from node.config import NodeConfig, parse_address
from node.cosigner import Cosigner
from node.evidence import EvidenceStore
from node.fetching import Fetching
from node.follower import Follower, list_organisation_keys
from node.gossip import Gossip
from node.head import build_head
from node.identities import load_validator_card
from node.intake import Intake
from node.logs import get_logger
from node.metrics import NodeMetrics
from node.peers import PeerTable
from node.ports import Clock, PeerNetwork
from node.reception import Reception
from node.runtime import Runtime
from node.serving import Serving
from node.signer import Signer
from node.storage import Storage
from node.waiting import Waiters
from node.wire import BLOBS, Blobs, build_frame_kinds
from p2p import Event as MeshEvent
from p2p import EventHandler, Mesh, MeshConfig, PeerEntry
from p2p.handshake import INDEX_MAX

SOFTWARE = f"gongji/{version('gongji')}"


BuildNetwork = Callable[[MeshConfig, Sequence[PeerEntry], EventHandler], PeerNetwork]
"""Make the network layer: of sockets, or simulated."""


def build_mesh(mesh_config: MeshConfig, peers: Sequence[PeerEntry], on_event: EventHandler) -> PeerNetwork:
    """Return the network layer over TLS."""
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
        versions: tuple[int, ...] = SUPPORTED_VERSIONS,
    ) -> None:
        self._boot_id = boot_id
        self._nonce = nonce
        self._versions = versions
        self._log = get_logger("node")
        self._clock = clock or SystemClock()
        self.storage = storage = Storage(config, genesis)
        self.organisation = storage.own.organisation
        self.ledger = storage.ledger
        self.peers = PeerTable(storage.ledger, own=storage.own, extra=load_extra_peers(config))
        self.pool_journal = storage.pool_journal
        self.metrics = NodeMetrics(version=SOFTWARE, chain_id=self.ledger.chain_id.hex(), validator=self.organisation)
        self.mempool = self._build_mempool(config, genesis)
        self.candidates = Candidates(self.mempool.get)
        self.blobs = BlobPool(ingress_count=0)
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
        self.mesh = build_network(self._build_mesh_config(config), self.peers.get_entries(), self._on_mesh_event)
        self.evidence = EvidenceStore(storage.directory / "evidence", self.ledger.chain_id)
        self.follower = Follower(
            ledger=self.ledger,
            mempool=self.mempool,
            blobs=self.blobs,
            journal=self.pool_journal,
            waiters=self.waiters,
            metrics=self.metrics,
            worker=self._worker,
            clock=self._clock,
            peers=self.peers,
            evidence=self.evidence,
            on_peers_changed=self._on_peers_changed,
        )
        self.runtime = self._build_runtime(genesis, stop)
        self._connect()
        self._connect_network()
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
            get_checkpoint=self._cosigner.get_note,
            evidence=self.evidence,
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
            observe_sync=self.metrics.observe_sync,
        )
        self.pool_journal.observe_sync = partial(self.metrics.observe_sync, "pool")
        self.metrics.journal_bytes.labels("votes").set_function(lambda: self.storage.journal.bytes_count)
        return Runtime(
            config=Config(
                chain_id=self.ledger.chain_id,
                genesis_hash=self.ledger.genesis_hash,
                key=key.public_key,
                tenure=parameters.tenure,
                versions=self._versions,
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
            peers=self.peers,
        )

    def _connect(self) -> None:
        """Make what stands around the runtime, and tell each of the others."""
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
            peers=self.peers,
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
            peers=self.peers,
            own_key=self.storage.key.public_key,
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
            mark=self.storage.checkpoint_mark,
            peers=self.peers,
            may_sign=self._may_sign_checkpoints,
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
        self.intake.on_peers_changed()

    def _connect_network(self) -> None:
        """Make what takes in the network's events, and what acts by itself."""
        self._reception = Reception(
            runtime=self.runtime,
            follower=self.follower,
            gossip=self.gossip,
            cosigner=self._cosigner,
            fetching=self._fetching,
            metrics=self.metrics,
            peers=self.peers,
            clock=self._clock,
            release=self.mesh.release,
        )
        self.candidacy = Candidacy(
            ledger=self.ledger,
            key=self.storage.key,
            intake=self.intake,
            clock=self._clock,
            get_block_ms=self._worker.get_block_ms,
        )

    def _may_sign_checkpoints(self) -> bool:
        """Tell whether nothing that the key signed can have been forgotten."""
        state = self.runtime.state
        is_voting = state is not None and state.activity is Activity.VOTING
        return is_voting and self.storage.checkpoint_mark.problem is None

    def _on_peers_changed(self) -> None:
        self.intake.on_peers_changed()
        # The network may be telling of a frame just now: it follows once that is done.
        asyncio.get_running_loop().call_soon(self._update_network)

    def _update_network(self) -> None:
        if not self.runtime.is_stopped:
            self.mesh.set_peers(self.peers.get_entries())
            self.peers.release()

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
            self.ledger.parameters,
            ingress_count=0,
            home=self.peers.home,
            organisation_keys=list_organisation_keys(self.ledger),
        )

    def _build_mesh_config(self, config: NodeConfig) -> MeshConfig:
        host, port = parse_address(config.listen.p2p, field="listen.p2p")
        index = find_index(self.ledger.validators, self.storage.own.key)
        return MeshConfig(
            chain_id=self.ledger.chain_id,
            index=INDEX_MAX if index is None else index,
            boot_id=self._boot_id,
            software=SOFTWARE,
            listen_host=host,
            listen_port=port,
            certificate_path=Path(config.keys.tls_certificate),
            private_key_path=Path(config.keys.tls_private_key),
        )

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

    def _on_mesh_event(self, event: MeshEvent) -> None:
        self._reception.on_event(event)


def load_extra_peers(config: NodeConfig) -> tuple[Validator, ...]:
    """Return the validators whose cards the configuration names."""
    return tuple(load_validator_card(Path(path)) for path in config.peers)
