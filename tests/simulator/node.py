"""A simulated node: the core with an imitation of the runtime around it, on a disk that survives crashes.

It carries out the effects in their order and can die at every point around a journal write; what was not
synced by then is gone. What it signs goes through the real guard rules.
"""

from chain.crypto import sha256
from chain.types import Signature
from chain.validators import ValidatorSet
from consensus.core import begin, step
from consensus.effects import (
    CancelTimer,
    Effects,
    EnterQuarantine,
    FetchBlock,
    KeepBlock,
    KeepNewView,
    KeepPrepared,
    LeaveQuarantine,
    PersistRecord,
    SetTimer,
    SignRequest,
    Stop,
)
from consensus.events import (
    Event,
    PeerDown,
    PeerUp,
    PoolChanged,
    Received,
    Restored,
    Signed,
    Start,
    TimerExpired,
    TimerId,
)
from consensus.guard_rules import (
    GuardState,
    build_floor,
    check_sign,
    get_mark,
    record_signed,
)
from consensus.messages import Item, Message, OwnMessage, attach_signature, get_signed_bytes
from consensus.start import Quarantine, Resume, compute_start
from consensus.timing import get_timer
from tests.simulator import ledger
from tests.simulator.block_desk import BlockDesk, Crashed, JournalRecord, Pending, StoppedError
from tests.simulator.ledger import CHAIN_ID


class Node(BlockDesk):
    """One validator, honest."""

    # --- life and death

    def decide(self, own: tuple[OwnMessage, ...]) -> Resume | Quarantine:
        """Compare guard and journal; a test of a missing check replaces this."""
        return compute_start(
            key=self.key,
            chain_id=CHAIN_ID,
            head_height=self.head.height,
            guard=self.disk.guard,
            own=own,
            is_journal_broken=False,
        )

    def boot(self) -> None:
        """Start from the disk."""
        self.boots += 1
        self._reset()
        own = tuple(record for record in self.disk.journal if isinstance(record, OwnMessage))
        decision = self.decide(own)
        reason = decision.reason if isinstance(decision, Quarantine) else None
        if not isinstance(decision, Quarantine):
            self.disk.guard = decision.guard
        restored = Restored(
            own=own,
            blocks=tuple(item.content for item in self.disk.journal if isinstance(item, KeepBlock)),
            prepared=tuple(item.prepared for item in self.disk.journal if isinstance(item, KeepPrepared)),
            new_views=tuple(item.new_view for item in self.disk.journal if isinstance(item, KeepNewView)),
            mark=None if self.disk.guard is None else get_mark(self.disk.guard),
        )
        for item in self.disk.journal:
            if isinstance(item, KeepBlock):
                self.contents[item.content.block_hash] = item.content
        start = Start(
            head=ledger.build_head_info(self.head, self.pace),
            restored=restored,
            boot_id=sha256(b"boot %d %d" % (self.index, self.boots))[:16],
            nonce=sha256(b"nonce %d %d" % (self.index, self.boots))[:16],
            quarantine=reason,
            has_transactions=bool(self.pool),
            now_ms=self.world.now_ms,
            wall_ms=self.wall_ms,
        )
        self.state, effects = begin(self.config, start)
        self.world.announce(self.index)
        self._guarded(effects)
        self._drain()

    def crash(self) -> None:
        """Lose everything that is not on the disk."""
        if self.state is None:
            return
        self.state = None
        self._reset()
        self.world.announce(self.index)

    # --- what the world does to it

    def receive(self, peer: int, message: Message) -> None:
        """Take a message from a node, by its name."""
        self.feed(Received(self.find_index(peer), message, self.world.now_ms, self.wall_ms))

    def on_link(self, peer: int, *, is_up: bool) -> None:
        now, wall = self.world.now_ms, self.wall_ms
        index = self.find_index(peer)
        self.feed(PeerUp(index, now, wall) if is_up else PeerDown(index, now, wall))

    def _tell_links(self, before: ValidatorSet) -> None:
        """After a change of the set: say again who is connected, by the names of now."""
        if self.state is None or self.state.validators == before:
            return
        for node in self.world.nodes:
            if self.world.is_linked(self.index, node.index):
                self.events.append(PeerUp(self.find_index(node.index), self.world.now_ms, self.wall_ms))

    def add_transaction(self, item: Item) -> None:
        if any(item in stored.content.items for stored in self.disk.chain[-50:]):
            return
        self.pool[item[0]] = item
        self.feed(PoolChanged(has_transactions=True, now_ms=self.world.now_ms, wall_ms=self.wall_ms))

    def feed_status(self) -> None:
        """Let the STATUS timer run out."""
        if self.state is not None:
            token = get_timer(self.state, TimerId.STATUS).token
            self.feed(TimerExpired(TimerId.STATUS, token, self.world.now_ms, self.wall_ms))

    def feed(self, event: Event) -> None:
        """Give an event to the core and carry out what follows."""
        if self.state is None:
            return
        self.events.append(event)
        if not self.is_running:
            self._drain()

    def _drain(self) -> None:
        self.is_running = True
        while self.events and self.state is not None:
            event = self.events.popleft()
            before = self.state.validators
            self.state, effects = step(self.state, event)
            self._guarded(effects)
            self._tell_links(before)
        self.is_running = False

    def _guarded(self, effects: Effects) -> None:
        try:
            self._execute(effects)
        except Crashed:
            self.die()

    def die(self) -> None:
        """Crash, to come back later."""
        self.crash()
        self.world.after(self.world.rng.randint(50, 3_000), self._reboot)

    def _reboot(self) -> None:
        if self.state is None:
            self.boot()

    # --- effects, from top to bottom

    def _execute(self, effects: Effects) -> None:
        signed = self._persist(effects.persist)
        for send in effects.send:
            self.send(None if send.to is None else self.find_name(send.to), send.message)
        if effects.commit is not None:
            self.pending = Pending(effects.commit)
            self._try_commit()
        for check in effects.check:
            self._check(check)
        if effects.build is not None:
            self._build(effects.build)
        for timer in effects.timers:
            self._set_timer(timer)
        for item in effects.sync:
            if isinstance(item, FetchBlock):
                self._fetch(item)
            else:
                self._catch_up(item)
        self.faults.extend(effects.faults)
        for fault in effects.faults:
            if isinstance(fault, Stop):
                raise StoppedError(f"node {self.index} stops: {fault.reason}")
            if isinstance(fault, EnterQuarantine):
                self.on_quarantine(fault.reason)
        now, wall = self.world.now_ms, self.wall_ms
        self.events.extendleft(Signed(message, now, wall) for message in reversed(signed))

    def send(self, to: int | None, message: Message) -> None:
        self.world.send(self.index, to, message)

    def on_quarantine(self, reason: str) -> None:
        raise AssertionError(f"node {self.index} stands in quarantine: {reason}")

    def check_sign(self, guard: GuardState, message: OwnMessage) -> Signature | None:
        """Ask the guard; a test of a missing guard replaces this."""
        return check_sign(guard, message)

    def _persist(self, records: tuple[PersistRecord, ...]) -> list[OwnMessage]:
        """Guard and sign in memory, append and sync the journal, write the guard; die anywhere between."""
        if not records:
            return []
        guard = self.disk.guard
        signed: list[OwnMessage] = []
        journal: list[JournalRecord] = []
        for record in records:
            if isinstance(record, SignRequest):
                if guard is None:
                    raise TypeError("asked to sign without a guard")
                message, guard = self._sign(guard, record.message)
                signed.append(message)
                journal.append(message)
            elif isinstance(record, LeaveQuarantine):
                guard = build_floor(key=self.key, chain_id=CHAIN_ID, height=record.height)
            else:
                journal.append(record)
        self.crash_point()
        if self.world.chance(self.world.faults.crash_on_persist):
            self.disk.journal.extend(journal[: self.world.rng.randrange(len(journal) + 1)])  # a torn tail
            raise Crashed
        self.disk.journal.extend(journal)
        for message in signed:
            self.world.audit_signed(self.index, message)
        self.crash_point()
        self.disk.guard = guard
        self.crash_point()
        return signed

    def _sign(self, guard: GuardState, message: OwnMessage) -> tuple[OwnMessage, GuardState]:
        stored = self.check_sign(guard, message)
        if stored is not None:
            return attach_signature(message, stored), guard
        message = attach_signature(message, ledger.sign(self.key, get_signed_bytes(message, CHAIN_ID)))
        return message, record_signed(guard, message)

    def _set_timer(self, timer: SetTimer | CancelTimer) -> None:
        if isinstance(timer, CancelTimer):
            return  # an expiry under way is stale by its token, which the core has to notice
        boots, name, token = self.boots, timer.timer, timer.token

        def expire() -> None:
            if self.boots == boots:
                self.feed(TimerExpired(name, token, self.world.now_ms, self.wall_ms))

        self.world.start_timer(timer.duration_ms, expire)
