"""Meshes on loopback for tests: nodes that record what they are told, and a peer that speaks by hand."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from p2p.config import MeshConfig, MeshLimits, PeerEntry
from p2p.events import ConnectionRefused, Event, FrameReceived, PeerDown, PeerUp
from p2p.frames import HEADER, KIND_HELLO, FrameKind, Lane, encode_frame
from p2p.handshake import Hello, decode_hello, encode_hello
from p2p.mesh import Mesh
from p2p.tls import SERVER_NAME, build_client_context
from tests.p2p.certificates import Identity, make_identity

CHAIN_ID = bytes(range(32))
VOTE = 16
BLOCK = 17
KINDS = (
    FrameKind(VOTE, "vote", 1_000, Lane.VOTES),
    FrameKind(BLOCK, "block", 2_000_000, Lane.BULK),
)
LIMITS = MeshLimits(reconnect_ms_min=5, reconnect_ms_max=20, shutdown_ms=300)
PATIENCE_S = 10.0


@dataclass
class Node:
    """One mesh with what it was told. Frames are released at once unless `is_holding`."""

    identity: Identity
    config: MeshConfig
    kinds: tuple[FrameKind, ...] = KINDS
    events: list[Event] = field(default_factory=list)
    is_holding: bool = False
    mesh: Mesh = field(init=False)

    def __post_init__(self) -> None:
        self.mesh = Mesh(self.config, self.kinds, [], self.on_event)

    @property
    def entry(self) -> PeerEntry:
        # Before it listens, nobody answers on port 1.
        return PeerEntry(self.config.index, self.identity.pin, "127.0.0.1", self.mesh.port or 1)

    @property
    def boot_id(self) -> bytes:
        return self.config.boot_id

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, FrameReceived) and not self.is_holding:
            self.mesh.release(event)

    def get_frames(self, kind: int | None = None) -> list[FrameReceived]:
        return [e for e in self.events if isinstance(e, FrameReceived) and kind in {None, e.kind}]

    def get_ups(self) -> list[PeerUp]:
        return [e for e in self.events if isinstance(e, PeerUp)]

    def get_downs(self) -> list[PeerDown]:
        return [e for e in self.events if isinstance(e, PeerDown)]

    def get_refusals(self) -> list[ConnectionRefused]:
        return [e for e in self.events if isinstance(e, ConnectionRefused)]

    def is_up(self, index: int) -> bool:
        return any(peer.index == index and peer.is_up for peer in self.mesh.get_statistics().peers)


def make_node(
    folder: Path,
    index: int,
    limits: MeshLimits = LIMITS,
    identity: Identity | None = None,
    kinds: tuple[FrameKind, ...] = KINDS,
    chain_id: bytes = CHAIN_ID,
    versions: tuple[int, int] = (1, 1),
) -> Node:
    identity = identity or make_identity(folder, f"node{index}")
    config = MeshConfig(
        chain_id=chain_id,
        index=index,
        boot_id=os.urandom(16),
        software=f"gongji/test-{index}",
        listen_host="127.0.0.1",
        listen_port=0,
        certificate_path=identity.certificate_path,
        private_key_path=identity.private_key_path,
        wire_version_min=versions[0],
        wire_version_max=versions[1],
        limits=limits,
    )
    return Node(identity, config, kinds)


def make_pair(folder: Path, limits: MeshLimits = LIMITS) -> tuple[Node, Node]:
    """Return two nodes with indexes 0 and 1, the first of which dials the second."""
    low, high = sorted((make_identity(folder, "a"), make_identity(folder, "b")), key=lambda i: i.pin)
    return make_node(folder, 0, limits, low), make_node(folder, 1, limits, high)


def make_identity_where(folder: Path, is_wanted: Callable[[bytes], bool]) -> Identity:
    """Return a stranger whose pin lies where the direction of dialling needs it."""
    while not is_wanted((identity := make_identity(folder, "stranger")).pin):
        pass
    return identity


def copy_node(node: Node, folder: Path, **changes: object) -> Node:
    """Return a fresh process of the same validator, on the same port."""
    config = replace(node.config, boot_id=os.urandom(16), listen_port=node.mesh.port)
    return Node(node.identity, replace(config, **changes), node.kinds)  # type: ignore[arg-type]


@asynccontextmanager
async def running(*nodes: Node, is_connected: bool = True) -> AsyncIterator[asyncio.TaskGroup]:
    """Run the nodes; where `is_connected`, each knows all the others from the start."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        try:
            for node in nodes:
                await node.mesh.start(tasks)
            if is_connected:
                connect(*nodes)
            yield tasks
        finally:
            for node in nodes:
                await node.mesh.close()


def connect(*nodes: Node) -> None:
    for node in nodes:
        node.mesh.set_peers([other.entry for other in nodes])


async def eventually(condition: Callable[[], bool], what: str = "") -> None:
    """Wait until the condition holds; fail after PATIENCE_S."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"never came true: {what or condition}")
        await asyncio.sleep(0.002)


async def all_up(*nodes: Node) -> None:
    await eventually(lambda: all(a.is_up(b.config.index) for a in nodes for b in nodes if a is not b), "all are up")


class HandPeer:
    """One connection to a mesh, by asyncio's own TLS: it may break every rule."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> "HandPeer":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, kind: int, payload: bytes) -> None:
        self.writer.write(encode_frame(kind, payload))
        await self.writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        length, kind = HEADER.unpack(await self.reader.readexactly(HEADER.size))
        return kind, await self.reader.readexactly(length - 1)

    async def greet(self, hello: Hello) -> Hello:
        await self.send(KIND_HELLO, encode_hello(hello))
        kind, payload = await self.receive()
        assert kind == KIND_HELLO, payload
        return decode_hello(payload)

    async def wait_closed(self) -> bytes:
        """Return what still came until the other side ended the connection."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.reader.read()
        except (ConnectionError, ssl.SSLError):
            return b""


async def dial_by_hand(port: int, identity: Identity | None) -> HandPeer:
    if identity is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        paths = (identity.certificate_path, identity.private_key_path)
        context = build_client_context(certificate_path=paths[0], private_key_path=paths[1])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=SERVER_NAME, ssl_handshake_timeout=PATIENCE_S
    )
    return HandPeer(reader, writer)
