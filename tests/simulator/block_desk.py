"""What a simulated node does with blocks: check, build, write, fetch, catch up, and serve them to others.

The base of `node.Node`, which adds life and death, the guard and the carrying out of effects.
"""

from abc import ABC, abstractmethod
from collections import deque

from msgspec import Struct

from chain.certificate import Certificate, vote_message
from chain.codec import encode
from chain.crypto import sha256
from chain.types import Hash, Height, View
from chain.validators import ValidatorSet, compute_quorum, find_index
from consensus.core import compute_parent_certificate
from consensus.effects import (
    BuildBlock,
    CatchUp,
    CheckBlock,
    CommitBlock,
    Fault,
    FetchBlock,
    KeepBlock,
    KeepNewView,
    KeepPrepared,
)
from consensus.events import (
    BlockContent,
    BlockFetched,
    Built,
    Checked,
    Committed,
    Event,
    NothingToBuild,
    Verdict,
)
from consensus.guard_rules import (
    GuardState,
    build_guard,
)
from consensus.messages import Item, OwnMessage
from consensus.state import State
from tests.simulator import ledger
from tests.simulator.ledger import CHAIN_ID, StoredBlock
from tests.simulator.world import World

ITEMS_PER_BLOCK = 3
CANDIDATES_MAX = 2
JournalRecord = OwnMessage | KeepBlock | KeepPrepared | KeepNewView


class Crashed(Exception):
    """The node died here."""


class StoppedError(AssertionError):
    """An honest node stops itself: it must never have a reason to."""


class Disk:
    """What survives a crash."""

    def __init__(self, genesis: StoredBlock, guard: GuardState | None) -> None:
        self.chain: list[StoredBlock] = [genesis]
        self.journal: list[JournalRecord] = []
        self.guard = guard


class Pending(Struct):
    """A certified block that is to be written."""

    order: CommitBlock
    is_scheduled: bool = False


class BlockDesk(ABC):
    """A disk, a ledger and a core; how events and crashes reach it is for the node to say."""

    is_honest = True

    def __init__(self, world: World, index: int, validators: ValidatorSet) -> None:
        self.world = world
        self.index = index
        self.key = ledger.compute_key(index)
        genesis = ledger.build_genesis(validators)
        self.config = ledger.build_config(self.key, genesis.content.block_hash)
        self.pace = ledger.PACE
        self.disk = Disk(genesis, build_guard(key=self.key, chain_id=CHAIN_ID))
        self.skew_ms = world.rng.randint(-world.faults.skew_ms_max, world.faults.skew_ms_max)
        self.boots = 0
        self.state: State | None = None
        self.faults: list[Fault] = []
        self.pool: dict[bytes, Item] = {}
        self._reset()

    def _reset(self) -> None:
        self.events: deque[Event] = deque()
        self.is_running = False
        self.contents: dict[Hash, BlockContent] = {}
        self.executed: list[Hash] = []
        self.pending: Pending | None = None
        self.checking: CheckBlock | None = None
        self.is_syncing = False

    @property
    def is_alive(self) -> bool:
        return self.state is not None

    @property
    def head(self) -> StoredBlock:
        return self.disk.chain[-1]

    @property
    def wall_ms(self) -> int:
        return self.world.wall_ms(self.skew_ms)

    # --- names: a node has the same one for ever, a validator an index in each set

    def find_index(self, name: int) -> int:
        """Return how my core calls a node now: its index, or n and more for one that is no member."""
        if self.state is None:
            return name
        index = find_index(self.state.validators, ledger.compute_key(name))
        return self.state.n + name if index is None else index

    def find_name(self, index: int) -> int:
        """Return which node my core means."""
        if self.state is None or index >= self.state.n:
            return index - (0 if self.state is None else self.state.n)
        key = self.state.validators[index].key
        return next(node.index for node in self.world.nodes if ledger.compute_key(node.index) == key)

    @abstractmethod
    def feed(self, event: Event) -> None:
        """Give an event to the core and carry out what follows."""

    @abstractmethod
    def die(self) -> None:
        """Crash, to come back later."""

    def crash_point(self) -> None:
        """Die here by the chance of the world."""
        if self.world.chance(self.world.faults.crash_on_persist):
            raise Crashed

    # --- blocks

    def _note_executed(self, block_hash: Hash) -> None:
        self.executed = [*self.executed[-CANDIDATES_MAX + 1 :], block_hash]

    def _check(self, order: CheckBlock) -> None:
        boots = self.boots
        self.checking = order  # a new one supersedes
        is_known = order.block_hash in self.executed and not order.is_fresh
        delay = 0 if is_known else self.world.rng.randint(1, self.world.faults.apply_ms_max)

        def answer() -> None:
            if self.boots != boots or self.state is None or self.checking is not order:
                return
            wait_ms = order.content.header.timestamp_ms - self.wall_ms - ledger.D_FUTURE_MS
            if order.is_fresh and wait_ms > 0:
                self.world.after(wait_ms, answer)
                return
            self._answer_check(order, *self.judge(order))

        self.world.after(delay, answer)

    def judge(self, order: CheckBlock) -> tuple[Verdict, str]:
        """Validate a block as consensus 4 says."""
        content = order.content
        if self.world.chance(self.world.faults.unavailable):
            return Verdict.UNAVAILABLE, "bodies are missing"
        if sha256(encode(content.items)) != content.header.transactions_root:
            return Verdict.UNAVAILABLE, "the items are not those of the root"
        fault = ledger.find_fault(self.head, content)
        if fault is not None:
            return Verdict.INVALID, fault
        if order.is_fresh and content.header.timestamp_ms < self.wall_ms - ledger.D_PAST_MS:
            return Verdict.INVALID, "too old"
        self.contents[content.block_hash] = content
        self._note_executed(content.block_hash)
        return Verdict.VALID, ""

    def _answer_check(self, order: CheckBlock, verdict: Verdict, reason: str) -> None:
        self.feed(
            Checked(
                height=order.height,
                view=order.view,
                block_hash=order.block_hash,
                is_fresh=order.is_fresh,
                verdict=verdict,
                reason=reason,
                now_ms=self.world.now_ms,
                wall_ms=self.wall_ms,
            )
        )

    def _build(self, order: BuildBlock) -> None:
        boots = self.boots

        def answer() -> None:
            if self.boots != boots or self.state is None or self.state.height != order.height:
                return
            items = tuple(list(self.pool.values())[:ITEMS_PER_BLOCK])
            now, wall = self.world.now_ms, self.wall_ms
            if not items and not order.allow_empty:
                self.feed(NothingToBuild(height=order.height, view=order.view, now_ms=now, wall_ms=wall))
                return
            content = self.build_content(items)
            self.contents[content.block_hash] = content
            self._note_executed(content.block_hash)
            self.feed(Built(height=order.height, view=order.view, content=content, now_ms=now, wall_ms=wall))

        self.world.after(self.world.rng.randint(5, 40), answer)

    def build_content(self, items: tuple[Item, ...], state_root: Hash | None = None) -> BlockContent:
        """Build and execute a block on the head."""
        if self.state is None:
            raise AssertionError("a dead node builds nothing")
        earliest = self.head.content.header.timestamp_ms + (1 if items else ledger.IDLE_MS)
        return ledger.build_content(
            self.head,
            compute_parent_certificate(self.state),
            proposer=self.key,
            timestamp_ms=max(self.wall_ms, earliest),
            items=items,
            state_root=state_root,
        )

    def _try_commit(self) -> None:
        """Write the certified block as soon as its content is here."""
        pending, boots = self.pending, self.boots
        if pending is None or pending.is_scheduled:
            return
        content = self.contents.get(pending.order.block_hash)
        if content is None:
            content = self._ask_content(pending.order.block_hash)
        if content is None:
            self.world.after(60, lambda: self._try_commit() if self.boots == boots else None)
            return
        pending.is_scheduled = True
        self.contents[content.block_hash] = content
        chosen = content

        def write() -> None:
            if self.boots == boots and self.state is not None and self.pending is pending:
                self._commit(chosen, pending.order.certificate)

        self.world.after(self.world.rng.randint(1, self.world.faults.apply_ms_max), write)

    def _commit(self, content: BlockContent, certificate: Certificate) -> None:
        """Write the batch and report it; the crash is before, or after and before the report."""
        if certificate.height != self.head.height + 1:
            return
        fault = ledger.find_fault(self.head, content)
        if fault is not None:
            raise AssertionError(f"a certified block cannot be reproduced: {fault}")
        try:
            self.crash_point()
            self.world.audit_committed(self.index, certificate.height, Hash(certificate.block_hash))
            self.disk.chain.append(ledger.apply_block(self.head, content, certificate))
            self.crash_point()
        except Crashed:
            self.die()
            return
        self.pending = None
        self.contents, self.executed, self.checking = {}, [], None
        self.disk.journal = [item for item in self.disk.journal if get_height(item) > certificate.height]
        for item in content.items:
            self.pool.pop(item[0], None)
        self.feed(
            Committed(
                head=ledger.build_head_info(self.head, self.pace),
                has_transactions=bool(self.pool),
                now_ms=self.world.now_ms,
                wall_ms=self.wall_ms,
            )
        )

    # --- asking others

    def get_content(self, block_hash: Hash) -> BlockContent | None:
        """Serve a block by its hash: a candidate, a journaled or a committed one."""
        if block_hash in self.contents:
            return self.contents[block_hash]
        for stored in self.disk.chain[-10:]:
            if stored.content.block_hash == block_hash:
                return stored.content
        return None

    def _ask_content(self, block_hash: Hash) -> BlockContent | None:
        for node in self.world.nodes:
            if isinstance(node, BlockDesk) and node.is_honest and self.world.is_reachable(self.index, node.index):
                content = node.get_content(block_hash)
                if content is not None:
                    return content
        return None

    def _fetch(self, order: FetchBlock) -> None:
        boots = self.boots

        def look() -> None:
            if self.boots != boots or self.state is None or self.state.height != order.height:
                return
            content = self.contents.get(order.block_hash) or self._ask_content(order.block_hash)
            if content is None:
                self.world.after(60, look)
                return
            self.contents[content.block_hash] = content
            self.feed(BlockFetched(content, self.world.now_ms, self.wall_ms))

        self.world.after(self.world.rng.randint(1, 30), look)

    def _catch_up(self, order: CatchUp) -> None:
        if self.is_syncing:
            return
        boots, peer = self.boots, self.world.nodes[self.find_name(order.peer)]

        def pull() -> None:
            if self.boots != boots or self.state is None:
                return
            self.is_syncing = False
            height = self.head.height + 1
            if not isinstance(peer, BlockDesk) or not peer.is_honest or len(peer.disk.chain) <= height:
                return
            if not self.world.is_reachable(self.index, peer.index):
                return
            stored = peer.disk.chain[height]
            self._require_certificate(stored.certificate)
            self._commit(stored.content, stored.certificate)
            self.is_syncing = True
            self.world.after(self.world.rng.randint(2, 20), pull)

        self.is_syncing = True
        self.world.after(self.world.rng.randint(2, 40), pull)

    def _require_certificate(self, certificate: Certificate) -> None:
        validators = self.head.validators
        signed = vote_message(
            kind="commit",
            chain_id=CHAIN_ID,
            height=Height(certificate.height),
            view=View(certificate.view),
            block_hash=Hash(certificate.block_hash),
            version=self.head.get_version(certificate.height),
        )
        good = {
            index
            for index, signature in certificate.votes
            if ledger.verify(public_key=validators[index].key, message=signed, signature=signature)
        }
        if len(good) < compute_quorum(len(validators)):
            raise AssertionError("an honest node serves a certificate that does not hold")


def get_height(record: JournalRecord) -> int:
    """Return the height to which a journal record belongs."""
    match record:
        case KeepBlock():
            return record.content.header.height
        case KeepPrepared():
            return record.prepared.height
        case KeepNewView():
            return record.new_view.body.height
        case _:
            return record.body.height
