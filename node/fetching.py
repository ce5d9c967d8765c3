"""Ask peers for what is missing: bodies, blobs, contents and committed blocks (consensus E8, design 5).

A request goes to one peer at a time and moves on to the next when nothing comes: first to those that are said to hold
it, then to all others. What arrives is taken only if it was asked for, but for blobs, which have a share for each peer.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from chain.certificate import hash_certificate
from chain.codec import encode
from chain.crypto import sha256
from chain.errors import InvalidBlock, InvariantViolation
from chain.transaction import Transaction
from chain.types import Hash
from consensus.events import BlockContent
from node.candidates import Candidates
from node.catching_up import CatchingUp
from node.peers import PeerTable
from node.ports import Clock, Network
from node.runtime import Runtime
from node.serving import Allowance, Serving
from node.wire import (
    BLOBS,
    BLOBS_COUNT_MAX,
    BLOBS_WANTED,
    BLOCKS,
    BLOCKS_WANTED,
    BODIES_WANTED,
    CONTENT,
    CONTENT_WANTED,
    IDS_MAX,
    ContentWanted,
    Wanted,
    blobs_codec,
    content_codec,
)

GOSSIP_GRACE_MS = 60
"""How long bodies are waited for before they are asked for."""
BODIES_GAP_MS = 1_000
"""A longer time without missing bodies begins a new wait."""
REPEAT_MS = 150
"""The same thing is not asked for again sooner; the peer asked changes each time."""
SUBJECTS_MAX = 4_096
"""Things whose asking is remembered; the oldest is forgotten and could be asked for again at once."""
CONTENTS_WANTED_MAX = 16
"""Contents that are taken when they come; the oldest is forgotten."""
BLOBS_WANTED_MAX = 4_096
"""Blobs that are taken beyond their sender's share; the oldest is forgotten."""
BLOB_TAKEN_COST_BYTES = 2_048
"""Counted for each blob that comes in beside its bytes: hashing and looking it up costs as much."""

KeepBlobs = Callable[[Sequence[bytes], int, Callable[[bytes], bool]], None]
"""(blobs, peer, whether one was asked for): hold what finds room."""


class Fetching:
    """Requests of one node, and the way of all frames of this module's kinds."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        candidates: Candidates,
        network: Network,
        clock: Clock,
        serving: Serving,
        catching_up: CatchingUp,
        peers: PeerTable,
        keep_blobs: KeepBlobs,
    ) -> None:
        self._runtime = runtime
        self._candidates = candidates
        self._network = network
        self._clock = clock
        self._serving = serving
        self._catching_up = catching_up
        self._peers = peers
        self._keep_blobs = keep_blobs
        self._asked: OrderedDict[tuple[int, bytes], tuple[int, int]] = OrderedDict()
        """(when, which turn) by kind and subject."""
        self._bodies_since_ms = self._bodies_missed_ms = -BODIES_GAP_MS
        self._inflow = Allowance()
        self.dropped = 0
        """Frames of blobs beyond what a peer may send."""
        self._wanted_blobs: OrderedDict[bytes, None] = OrderedDict()
        self._wanted_contents: OrderedDict[bytes, None] = OrderedDict()

    # --- asking ---

    def _request(self, kind: int, subject: bytes, holders: tuple[int, ...], payload: bytes) -> None:
        """Send a request to the next peer that is connected, unless an answer may still come."""
        numbers = self._peers.numbers
        order = tuple(dict.fromkeys((*(holder for holder in holders if holder in numbers), *numbers)))
        now = self._clock.now_ms()
        asked_ms, turn = self._asked.get((kind, subject), (now - REPEAT_MS, -1))
        if now - asked_ms < REPEAT_MS:
            return
        for _ in order:
            turn += 1
            if self._network.send(order[turn % len(order)], kind, payload):
                break
        self._asked[(kind, subject)] = (now, turn)
        self._asked.move_to_end((kind, subject))
        if len(self._asked) > SUBJECTS_MAX:
            self._asked.popitem(last=False)

    def want_bodies(self, tx_ids: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        """Ask for bodies that gossip has not brought; consensus frames overtake it, so most are on their way."""
        now = self._clock.now_ms()
        if now - self._bodies_missed_ms > BODIES_GAP_MS:
            self._bodies_since_ms = now
        self._bodies_missed_ms = now
        if now - self._bodies_since_ms < GOSSIP_GRACE_MS:
            return
        # One request at a time, whatever is missing: what has arrived meanwhile changes the list but not the need.
        self._request(BODIES_WANTED, b"", holders, encode(Wanted(ids=tx_ids[:IDS_MAX])))

    def want_blobs(self, hashes: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        """Ask for blobs, as many as one answer holds; the first names the request."""
        if not hashes:
            return
        asked = hashes[:BLOBS_COUNT_MAX]
        for blob_hash in asked:
            _remember(self._wanted_blobs, blob_hash, BLOBS_WANTED_MAX)
        self._request(BLOBS_WANTED, asked[0], holders, encode(Wanted(ids=asked)))

    def want_content(self, block_hash: bytes, holders: tuple[int, ...]) -> None:
        """Ask for a block's content by its hash."""
        _remember(self._wanted_contents, block_hash, CONTENTS_WANTED_MAX)
        self._request(CONTENT_WANTED, block_hash, holders, encode(ContentWanted(block_hash=block_hash)))

    def catch_up(self, height: int, peer: int) -> None:
        """Fetch committed blocks from peers that claim more."""
        self._catching_up.claim(height, peer)

    # --- frames ---

    def on_frame(self, peer: int, kind: int, payload: bytes) -> None:
        """Handle one frame of a kind of this module; raises `GongjiError` on bad bytes."""
        match kind:
            case _ if kind == BODIES_WANTED:
                self._serving.serve_bodies(peer, payload)
            case _ if kind == BLOBS_WANTED:
                self._serving.serve_blobs(peer, payload)
            case _ if kind == BLOBS:
                self._take_blobs(peer, payload)
            case _ if kind == BLOCKS_WANTED:
                self._serving.serve_blocks(peer, payload)
            case _ if kind == BLOCKS:
                self._catching_up.take(peer, payload)
            case _ if kind == CONTENT_WANTED:
                self._serving.serve_content(peer, payload)
            case _ if kind == CONTENT:
                self._take_content(payload)
            case _:
                raise InvariantViolation(f"frame kind {kind} is not handled here")

    def _take_blobs(self, peer: int, payload: bytes) -> None:
        now = self._clock.now_ms()
        if not self._inflow.has_any(peer, now_ms=now):
            self.dropped += 1
            return
        blobs = blobs_codec.decode(payload).blobs
        self._inflow.spend(peer, len(payload) + BLOB_TAKEN_COST_BYTES * len(blobs), now_ms=now)
        self._keep_blobs(blobs, peer, self._was_blob_wanted)
        self._runtime.on_parts_arrived()

    def _was_blob_wanted(self, blob_hash: bytes) -> bool:
        if blob_hash not in self._wanted_blobs:
            return False
        del self._wanted_blobs[blob_hash]
        return True

    def _take_content(self, payload: bytes) -> None:
        if not self._wanted_contents:
            return
        wire = content_codec.decode(payload)
        block_hash = Hash(sha256(encode(wire.header)))
        if block_hash not in self._wanted_contents:
            return
        if hash_certificate(wire.parent_certificate) != wire.header.parent_certificate_hash:
            raise InvalidBlock("the served certificate is not the block's", height=wire.header.height)
        del self._wanted_contents[block_hash]
        self._candidates.add_content(
            BlockContent(
                block_hash=block_hash,
                header=wire.header,
                parent_certificate=wire.parent_certificate,
                items=wire.items,
            )
        )
        self._runtime.on_parts_arrived()

    def add_body(self, transaction: Transaction) -> None:
        """Take a body if it was asked for."""
        if self._candidates.add_body(transaction):
            self._runtime.on_parts_arrived()

    def on_committed(self) -> None:
        """Forget requests of the height that was committed."""
        for key in [key for key in self._asked if key[0] != BLOBS_WANTED]:
            del self._asked[key]
        self._bodies_missed_ms = self._clock.now_ms() - 2 * BODIES_GAP_MS
        self._wanted_contents.clear()


def _remember(wanted: OrderedDict[bytes, None], key: bytes, count_max: int) -> None:
    wanted[key] = None
    wanted.move_to_end(key)
    if len(wanted) > count_max:
        wanted.popitem(last=False)
