"""Whole nodes in one process and one event loop: everything real but the wires between them.

`Wires` is the outside world: it carries frames from node to node, in order and one turn of the loop later, and can
cut, lose and change them. Nodes are `node.assembly.Node` with their files, database, journals and guard in a folder.
"""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chain.certificate import SUPPORTED_VERSIONS
from chain.clock import ClockPoint
from chain.contract.calls import Call
from chain.contract.member_calls import MemberApply, MemberLeave
from chain.contract.terms import hash_terms
from chain.crypto import SigningKey, sha256
from chain.genesis import Genesis, Parameters
from chain.transaction import Transaction, build_transaction
from node.assembly import Node
from node.config import NodeConfig, load_config
from node.devnet_files import Devnet, create_devnet, load_devnet
from node.genesis_files import load_genesis
from p2p import EventHandler, FrameReceived, MeshConfig, PeerDown, PeerEntry, PeerUp, load_pin
from tests.chain.fixtures import make_terms

PARAMETERS = Parameters(
    idle_interval_ms=60_000,
    block_gap_ms=5,
    view_timeout_base_ms=400,
    view_timeout_cap_ms=1_600,
    request_timeout_ms=300,
)
H = bytes(range(32))

Passing = Callable[[int, int, int, bytes], bytes | None]
"""(sender, receiver, kind, payload): the payload to deliver, None to lose the frame."""


class Wires:
    """Carry frames between the nodes of one process, who know each other by their pins.

    A node's name here is its place in the network's folder; what the nodes call each other is their own affair.
    """

    def __init__(self) -> None:
        self.ends: dict[int, WireEnd] = {}
        self.cut: set[frozenset[int]] = set()
        self.up: set[frozenset[int]] = set()
        self.passing: Passing | None = None

    def is_open(self, one: int, other: int) -> bool:
        """Tell whether two nodes are there and connected."""
        return frozenset((one, other)) in self.up

    def _may_connect(self, one: int, other: int) -> bool:
        """Tell whether both are there, know each other, and nothing was cut."""
        if one not in self.ends or other not in self.ends or frozenset((one, other)) in self.cut:
            return False
        here, there = self.ends[one], self.ends[other]
        return there.pin in here.numbers and here.pin in there.numbers

    def update(self) -> None:
        """Connect who may connect, and separate who may not."""
        names = sorted(self.ends)
        for one in names:
            for other in names:
                pair = frozenset((one, other))
                if one < other and pair not in self.up and self._may_connect(one, other):
                    self.up.add(pair)
                    for here, there in ((one, other), (other, one)):
                        end = self.ends[there]
                        self.ends[here].tell_up(end)
        for pair in sorted(self.up, key=sorted):
            one, other = sorted(pair)
            if not self._may_connect(one, other):
                self.up.discard(pair)
                for here, there in ((one, other), (other, one)):
                    if here in self.ends:
                        self.ends[here].tell_down(there)

    def plug(self, end: "WireEnd") -> None:
        """Connect a node with all that are there."""
        self.ends[end.index] = end
        self.update()

    def unplug(self, index: int) -> None:
        """Take a node away; the others lose their connection to it."""
        del self.ends[index]
        self.update()

    def separate(self, one: int, other: int) -> None:
        """Cut one connection."""
        self.cut.add(frozenset((one, other)))
        self.update()

    def join(self, one: int, other: int) -> None:
        """Mend one connection."""
        self.cut.discard(frozenset((one, other)))
        self.update()

    def carry(self, sender: int, receiver: int, kind: int, payload: bytes) -> bool:
        """Deliver a frame in the next turn of the loop."""
        if not self.is_open(sender, receiver):
            return False
        changed = payload if self.passing is None else self.passing(sender, receiver, kind, payload)
        if changed is not None:
            asyncio.get_running_loop().call_soon(self._deliver, sender, receiver, kind, changed)
        return True

    def _deliver(self, sender: int, receiver: int, kind: int, payload: bytes) -> None:
        if self.is_open(sender, receiver):
            self.ends[receiver].deliver(self.ends[sender], kind, payload)


class WireEnd:
    """The network layer of one node."""

    def __init__(
        self, wires: Wires, index: int, config: MeshConfig, peers: Sequence[PeerEntry], on_event: EventHandler
    ) -> None:
        self.wires = wires
        self.index = index
        self.boot_id = config.boot_id
        self.pin = load_pin(config.certificate_path)
        self.on_event = on_event
        self.numbers: dict[bytes, int] = {}
        """What this node calls the others, by pin."""
        self.told: dict[int, int] = {}
        """What it called those to whom it is connected, by their name here."""
        self.unreleased = 0
        """Frames that the node has not given back."""
        self.sent: list[tuple[int, int, bytes]] = []
        """(receiver, kind, payload) of what was sent to one peer."""
        self._keep(peers)

    def _keep(self, peers: Sequence[PeerEntry]) -> None:
        self.numbers = {entry.pin: entry.index for entry in peers if entry.pin != self.pin}

    def set_peers(self, peers: Sequence[PeerEntry]) -> None:
        self._keep(peers)
        self.wires.update()

    def _find_name(self, number: int) -> int | None:
        pins = [pin for pin, known in self.numbers.items() if known == number]
        return next((end.index for end in self.wires.ends.values() if end.pin in pins), None)

    def tell_up(self, other: "WireEnd") -> None:
        self.told[other.index] = self.numbers[other.pin]
        self.on_event(PeerUp(self.told[other.index], other.boot_id, 1, "test"))

    def tell_down(self, name: int) -> None:
        self.on_event(PeerDown(self.told.pop(name), "gone"))

    def send(self, index: int, kind: int, payload: bytes) -> bool:
        self.sent.append((index, kind, payload))
        name = self._find_name(index)
        return name is not None and self.wires.carry(self.index, name, kind, payload)

    def broadcast(self, kind: int, payload: bytes) -> int:
        others = [index for index in sorted(self.wires.ends) if index != self.index]
        return sum(self.wires.carry(self.index, index, kind, payload) for index in others)

    def deliver(self, sender: "WireEnd", kind: int, payload: bytes) -> None:
        self.unreleased += 1
        self.on_event(FrameReceived(self.numbers[sender.pin], kind, payload))

    def release(self, event: FrameReceived) -> None:
        self.unreleased -= 1

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.wires.plug(self)

    async def close(self) -> None:
        if self.index in self.wires.ends:
            self.wires.unplug(self.index)


class Member:
    """One node that runs, and what became of it."""

    def __init__(self, node: Node, end: WireEnd, journal_task: "asyncio.Task[None]") -> None:
        self.node = node
        self.end = end
        self.journal_task = journal_task
        self.halted: list[str] = []


class Cluster:
    """The nodes of one network and its wires."""

    def __init__(self, devnet: Devnet) -> None:
        self.devnet = devnet
        self.genesis: Genesis = load_genesis(devnet.genesis_path)
        self.wires = Wires()
        self.members: dict[int, Member] = {}
        self._nonce = 0

    def get_config(self, index: int) -> NodeConfig:
        """Return the configuration of a node."""
        return load_config(self.devnet.get_config_path(index))

    async def start(self, *indexes: int, versions: tuple[int, ...] = SUPPORTED_VERSIONS) -> None:
        """Start nodes from what is on their disks."""
        for index in indexes:
            halted: list[str] = []
            ends: list[WireEnd] = []

            def build(
                mesh_config: MeshConfig,
                peers: Sequence[PeerEntry],
                on_event: EventHandler,
                index: int = index,
                ends: list[WireEnd] = ends,
            ) -> WireEnd:
                ends.append(WireEnd(self.wires, index, mesh_config, peers, on_event))
                return ends[0]

            node = Node(
                self.get_config(index),
                self.genesis,
                boot_id=secrets.token_bytes(16),
                nonce=secrets.token_bytes(16),
                stop=halted.append,
                build_network=build,
                versions=versions,
            )
            member = Member(node, ends[0], asyncio.create_task(node.pool_journal.run()))
            member.halted = halted
            self.members[index] = member
            self.wires.plug(ends[0])
            node.begin()

    async def stop(self, index: int) -> None:
        """End a node as a crash would, but for its open files: nothing is said to anybody."""
        member = self.members.pop(index)
        member.node.runtime.close()
        await member.end.close()
        member.journal_task.cancel()
        with suppress(asyncio.CancelledError):
            await member.journal_task
        member.node.close()

    async def close(self) -> None:
        """End all nodes."""
        for index in list(self.members):
            await self.stop(index)

    def __getitem__(self, index: int) -> Node:
        return self.members[index].node

    def get_heights(self) -> list[int]:
        """Return the heads of all that run."""
        return [member.node.ledger.height for member in self.members.values()]

    def build_until(self, call: Call, key: SigningKey, *, valid_until_ms: int) -> Transaction:
        """Sign a call that is valid until this block time."""
        self._nonce += 1
        return build_transaction(
            chain_id=self.devnet.chain_id,
            nonce=self._nonce.to_bytes(16, "big"),
            valid_until_ms=valid_until_ms,
            call=call,
            key=key,
        )

    def build(self, call: Call, key: SigningKey | None = None, *, seconds: int = 600) -> Transaction:
        """Sign a call that is valid for some time from now."""
        self._nonce += 1
        return build_transaction(
            chain_id=self.devnet.chain_id,
            nonce=self._nonce.to_bytes(16, "big"),
            valid_until_ms=time.time_ns() // 1_000_000 + seconds * 1_000,
            call=call,
            key=key or SigningKey(sha256(b"member %d" % self._nonce)),
        )

    def build_leave(self, *, seconds: int = 600) -> Transaction:
        """Return a transaction that names no blob; the ledger refuses it, in a block."""
        return self.build(MemberLeave(member=H), seconds=seconds)

    def build_join(self, blob: bytes) -> Transaction:
        """Return a transaction that names a blob."""
        call = MemberApply(
            plan="demo",
            pool=0,
            weight=1,
            rules_hash=hash_terms(self.genesis.plans[0].terms),
            field_commitments_root=H,
            blob_hash=sha256(blob),
            consent_hash=H,
            recovery_hash=H,
            guardian=None,
        )
        return self.build(call)

    def is_committed(self, transaction: Transaction, indexes: Sequence[int] = ()) -> bool:
        """Tell whether a transaction is on the chain of these nodes, or of all."""
        nodes = [self[index] for index in indexes or sorted(self.members)]
        return all(node.ledger.has_transaction(transaction.tx_id) for node in nodes)


async def until(is_met: Callable[[], bool], *, seconds: float = 8.0) -> None:
    """Wait for a condition; fail where it is not met in time."""
    end = time.monotonic() + seconds
    while not is_met():
        assert time.monotonic() < end, "not met in time"
        await asyncio.sleep(0.005)


def create_template(
    directory: Path, *, parameters: Parameters = PARAMETERS, nodes: int = 4, clock: tuple[ClockPoint, ...] = ()
) -> Devnet:
    """Create the files of a network; copies of it start from nothing."""
    return create_devnet(
        directory,
        nodes=nodes,
        base_port=28_450,
        plans=(("demo", "pool-0", make_terms()),),
        time_ms=time.time_ns() // 1_000_000 - 3_600_000,
        parameters=parameters,
        clock=clock,
        reveal_length=1_024,
    )


@asynccontextmanager
async def run_cluster(template: Devnet, directory: Path, *indexes: int) -> AsyncIterator[Cluster]:
    """Run nodes (all where none is named) of a fresh copy; none may have halted at the end.

    Where all run, the first block, an empty one as genesis is old, is committed before; the next empty one is far.
    """
    shutil.copytree(template.directory, directory)
    cluster = Cluster(load_devnet(directory))
    try:
        await cluster.start(*(indexes or range(len(template.nodes))))
        if not indexes:
            await until(lambda: set(cluster.get_heights()) == {1})
        yield cluster
        halted = {index: member.halted for index, member in cluster.members.items() if member.halted}
        assert not halted, f"halted: {halted}"
    finally:
        await cluster.close()
