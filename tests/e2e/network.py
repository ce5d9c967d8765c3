"""Real networks for end-to-end tests: four processes with TLS and LevelDB, a load, and what must hold of all nodes."""

import hashlib
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from chain.clock import ClockPoint
from chain.contract.member_calls import MemberApply
from chain.contract.terms import hash_terms
from chain.crypto import SigningKey, sha256
from chain.genesis import Parameters
from chain.transaction import Transaction, build_transaction
from node.client import Client
from node.client_errors import ClientError
from node.demo.answers import read_int, read_list, read_object, read_text
from node.demo.figures import load_plan
from node.devnet import open_processes
from node.devnet_files import P2P_PORT_OFFSET, create_devnet, extend_devnet
from node.processes import NodeProcess

NODES = 4
SPARES = 1
"""Nodes that may be added to a network; the steps between base ports leave room for more."""
START_MS = 1_766_970_000_000
"""2025-12-29T01:00:00Z: the 29th in China, so that no notice window queues anything."""
WINDOW_MS = 86_400_000
PLAN, ACCOUNT = "e2e", "e2e-account"
PROFILE = b"an encrypted profile " * 20
_first_ports = itertools.count(21_000 + os.getpid() % 40 * 200, 20)


def find_base_port() -> int:
    """Return a port such that it and what the nodes need beside it are free."""
    for base in itertools.islice(_first_ports, 300):
        wanted = [base + offset + index for index in range(NODES + SPARES) for offset in (0, P2P_PORT_OFFSET)]
        if all(is_port_free(port) for port in wanted):
            return base
    raise RuntimeError("no free ports")


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(what: str, is_met: Callable[[], bool], *, timeout_s: float, every_s: float = 0.1) -> float:
    """Wait until a condition holds; return how long it took, fail with its name where it does not."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        if is_met():
            return time.monotonic() - began
        time.sleep(every_s)
    raise AssertionError(f"not within {timeout_s} s: {what}")


class Network:
    """Four nodes on loopback."""

    def __init__(
        self, folder: Path, *, parameters: Parameters | None = None, clock: tuple[ClockPoint, ...] = ()
    ) -> None:
        wall_ms = time.time_ns() // 1_000_000
        self.base_port = find_base_port()
        self.devnet = create_devnet(
            folder,
            nodes=NODES,
            base_port=self.base_port,
            plans=((PLAN, ACCOUNT, load_plan("plan-demo")),),
            time_ms=START_MS,
            # Block time runs as fast as wall time, only from another day on.
            clock=clock or ((wall_ms, START_MS), (wall_ms + 1_000, START_MS + 1_000)),
            parameters=parameters or Parameters(idle_interval_ms=250, tenure=10),
            reveal_length=20_480,
        )
        self.processes = open_processes(self.devnet)
        self._numbers = itertools.count()
        self.valid_until_ms = START_MS + 3_000_000

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.processes.stop()

    def start(self) -> None:
        """Start all nodes and wait until the first block."""
        self.processes.start()
        self.processes.wait_alive()
        wait_for("a first block", lambda: self.get_height(0) >= 1, timeout_s=30)

    @property
    def nodes(self) -> tuple[NodeProcess, ...]:
        return self.processes.nodes

    def open_client(self, *indexes: int) -> Client:
        """Return a client of these nodes, of all where none is given."""
        urls = self.processes.urls
        return Client([urls[index] for index in indexes] if indexes else urls)

    def add_node(self, organisation: str) -> int:
        """Make and start one more node, which genesis does not name; return its index."""
        index = len(self.devnet.nodes)
        self.devnet = extend_devnet(
            self.devnet,
            organisation=organisation,
            api_port=self.base_port + index,
            p2p_port=self.base_port + P2P_PORT_OFFSET + index,
            reveal_length=20_480,
        )
        self.processes.add(self.devnet.get_config_path(index), self.devnet.get_api_url(index))
        self.start_node(index)
        return index

    # --- looking ---

    def get_height(self, index: int) -> int:
        """Return a node's height, -1 where it does not answer."""
        with self.open_client(index) as client:
            try:
                client.get("/v1/consensus")
            except ClientError:
                return -1
            return client.session.ledger_height

    def get_consensus(self, index: int) -> dict[str, object]:
        with self.open_client(index) as client:
            return client.get("/v1/consensus")

    def get_leader(self, index: int) -> int:
        """Return the index of the node that leads now, as a node says."""
        names = [node.organisation for node in self.devnet.nodes]
        return names.index(read_text(self.get_consensus(index), "leader"))

    def get_voters(self, index: int, height: int) -> set[int]:
        """Return whose signatures the agreed certificate of a block holds."""
        with self.open_client(index) as client:
            block = client.get(f"/v1/blocks/{height}", {"min_height": height + 1})
        certificate = read_object(block.get("certificate"))
        return {read_int(read_object(vote), "validator") for vote in read_list(certificate, "votes")}

    def check_equal(self, *indexes: int) -> int:
        """Check that all nodes hold the same chain at one height; return it."""
        chosen = indexes or tuple(range(NODES))
        height = max(self.get_height(index) for index in chosen)
        words = set()
        for index in chosen:
            wait_for(
                f"node {index} at height {height}",
                lambda index=index: self.get_height(index) >= height,  # type: ignore[misc]
                timeout_s=60,
            )
            with self.open_client(index) as client:
                block = client.get(f"/v1/blocks/{height}")
            header = read_object(block.get("header"))
            words.add((read_text(block, "hash"), read_text(header, "state_root"), read_text(header, "log_root")))
        assert len(words) == 1, f"the nodes differ at height {height}"
        return height

    def list_ids(self, index: int) -> list[str]:
        """Return the ids of all committed transactions."""
        with self.open_client(index) as client:
            return [read_text(row, "tx_id") for row in client.list("/v1/transactions")]

    def check_ledger(self, acknowledged: set[str], *indexes: int) -> None:
        """Check on every node that nothing acknowledged was lost and nothing ran twice."""
        for index in indexes or range(NODES):
            wait_for(
                f"every acknowledged transaction on node {index}",
                lambda index=index: acknowledged <= set(self.list_ids(index)),  # type: ignore[misc]
                timeout_s=30,
                every_s=0.5,
            )
            ids = self.list_ids(index)
            assert len(ids) == len(set(ids)), "a transaction ran twice"
            with self.open_client(index) as client:
                plan = client.get(f"/v1/plans/{PLAN}")
            assert read_int(plan, "members_applied") == len(ids)

    # --- acting ---

    def put_blob(self) -> None:
        """Give every node the profile that all applications of the tests share."""
        for index in range(NODES):
            with self.open_client(index) as client:
                client.put_blob(PROFILE)

    def build_application(self, *, valid_until_ms: int | None = None, number: int | None = None) -> Transaction:
        """Return an application of a new person, signed by a key of its own."""
        person = next(self._numbers) if number is None else number
        return build_transaction(
            chain_id=self.devnet.chain_id,
            nonce=os.urandom(16),
            valid_until_ms=self.get_valid_until_ms() if valid_until_ms is None else valid_until_ms,
            call=build_application_call(person),
            key=SigningKey(name_bytes("key", person)),
        )

    def get_valid_until_ms(self) -> int:
        """Return a validity that lasts for the whole test."""
        return self.valid_until_ms

    def stop_node(self, index: int) -> None:
        """End a node in order."""
        self.nodes[index].send(signal.SIGTERM)
        assert self.nodes[index].wait(20) == 0, self.nodes[index].read_log_tail()

    def start_node(self, index: int) -> None:
        """Start a node again and wait until it answers."""
        node = self.nodes[index]
        node.start()
        wait_for(f"node {index} answers", lambda: self.get_height(index) >= 0, timeout_s=40)


def name_bytes(*parts: str | int) -> bytes:
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()


def build_application_call(person: int) -> MemberApply:
    return MemberApply(
        plan=PLAN,
        pool=0,
        weight=1,
        rules_hash=hash_terms(load_plan("plan-demo")),
        field_commitments_root=name_bytes("fields", person),
        blob_hash=sha256(PROFILE),
        consent_hash=name_bytes("consent", person),
        recovery_hash=name_bytes("recovery", person),
        guardian=None,
    )


class Load:
    """Applications sent by a thread to all nodes in turn; remembers what was acknowledged."""

    def __init__(self, network: Network, *, rate: int) -> None:
        self.network = network
        self.rate = rate
        self.acknowledged: set[str] = set()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        clients = [self.network.open_client(index) for index in range(NODES)]
        turns = itertools.cycle(range(NODES))
        count = max(1, self.rate // 20)
        while not self._is_stopping.wait(count / self.rate):
            client = clients[next(turns)]
            transactions = [self.network.build_application() for _ in range(count)]
            # One attempt at one node: what it does not acknowledge is not counted as acknowledged.
            try:
                results = client.submit_many(transactions)
            except ClientError:
                continue
            for result in results:
                if result.status in {"received", "pending", "committed"}:
                    self.acknowledged.add(str(result.tx_id))
        for client in clients:
            client.close()


@contextmanager
def run_load(network: Network, *, rate: int) -> Iterator[Load]:
    """Run a load while the block of the `with` runs."""
    load = Load(network, rate=rate)
    load.start()
    try:
        yield load
    finally:
        load.stop()
