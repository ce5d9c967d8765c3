"""A liar: a node that runs the honest core without a guard and spoils what it says, in ways chosen by the
seed.

It signs with its own key only. What it can do to others is what the protocol must bear from up to f of
them.
"""

import enum
from collections import deque

from msgspec.structs import replace

from chain.block import hash_header
from chain.certificate import Certificate, VoteBody, hash_certificate
from chain.crypto import sha256
from chain.types import INT_MAX, ZERO_HASH, Hash, View
from chain.validators import ValidatorSet
from consensus import rules
from consensus.effects import KeepBlock, LeaveQuarantine, PersistRecord, SignRequest
from consensus.events import BlockContent
from consensus.messages import (
    UNSIGNED,
    Commit,
    Held,
    Message,
    NewView,
    NewViewBody,
    OwnMessage,
    Prepare,
    Prepared,
    Proposal,
    Status,
    ViewChange,
    ViewChangeBody,
    attach_signature,
    get_signed_bytes,
    hash_prepared,
    hash_view_change,
)
from tests.simulator import ledger
from tests.simulator.ledger import CHAIN_ID
from tests.simulator.node import Node
from tests.simulator.world import World

HEARD_MAX = 300
NOTHING_HELD = Held(has_new_view=False, has_proposal=False, view_changes=b"", prepares=b"", commits=b"")


class Lie(enum.Enum):
    """Ways to lie."""

    EQUIVOCATE = "two proposals for two halves"
    YES_MAN = "votes for everything it hears of"
    HIDE = "VIEW-CHANGE without the P it is bound to"
    HUGE_VIEW = "views and wishes out of all bounds (C18, C19)"
    BAD_NEW_VIEW = "NEW-VIEW over a wrong V, or another block than the selected one (P6)"
    MUTE_LEADER = "leads and proposes nothing (P17)"
    DEAF_EAR = "silent to some (C6)"
    STATUS = "heads, bitmaps and echoes that are not so (C30)"
    REPLAY = "sends old messages again, of anybody, to anybody"
    TAMPER = "relays with changed contents (C17, P8)"
    BAD_BLOCK = "proposes blocks whose execution fails (C20, C21)"


class Liar(Node):
    """One validator that lies."""

    is_honest = False

    def __init__(self, world: World, index: int, validators: ValidatorSet, lies: tuple[Lie, ...]) -> None:
        super().__init__(world, index, validators)
        self.lies = lies
        self.heard: deque[Message] = deque(maxlen=HEARD_MAX)
        self.agreed: deque[VoteBody] = deque(maxlen=HEARD_MAX)
        self.shunned = world.rng.randrange(len(validators))
        world.after(100, self._tick)

    @property
    def seat(self) -> int:
        """The index that it signs under: its own; outside the set, one that is another's or nobody's."""
        own = None if self.state is None else self.state.own_index
        return self.index if own is None else own

    @property
    def version(self) -> int:
        return 1 if self.state is None else self.state.head.version

    def sign(self, message: OwnMessage) -> OwnMessage:
        return attach_signature(message, ledger.sign(self.key, get_signed_bytes(message, CHAIN_ID)))

    def on_quarantine(self, reason: str) -> None:
        pass

    def _persist(self, records: tuple[PersistRecord, ...]) -> list[OwnMessage]:
        signed = []
        for record in records:
            match record:
                case SignRequest():
                    signed.append(self.sign(record.message))
                case KeepBlock():
                    self.disk.journal.append(record)
                case LeaveQuarantine():
                    pass
                case _:
                    self.disk.journal.append(record)
        return signed

    def receive(self, peer: int, message: Message) -> None:
        self.heard.append(message)
        if Lie.YES_MAN in self.lies and isinstance(message, Proposal | Prepare | Commit):
            self._agree(message.body)
        super().receive(peer, message)

    def send(self, to: int | None, message: Message) -> None:
        if to is None:
            for target in range(len(self.world.nodes)):
                if target != self.index:
                    self.send(target, message)
            return
        spoiled = self._spoil(to, message)
        if spoiled is not None:
            self.world.send(self.index, to, spoiled)

    # --- spoiling what the honest core says ---

    def _spoil(self, to: int, message: Message) -> Message | None:
        rng = self.world.rng
        if Lie.DEAF_EAR in self.lies and to == self.shunned:
            return None
        if isinstance(message, Proposal) and message.signer == self.seat:
            if Lie.MUTE_LEADER in self.lies:
                return None
            if Lie.BAD_BLOCK in self.lies:
                return self._break(message)
            if Lie.EQUIVOCATE in self.lies and to % 2 and message.body.height == self.head.height + 1:
                return self._fork(message)
        if isinstance(message, ViewChange) and message.signer == self.seat and Lie.HIDE in self.lies:
            body = replace(message.body, prepared_hash=ZERO_HASH)
            return self.sign(replace(message, body=body, prepared=None))
        if isinstance(message, Status) and Lie.STATUS in self.lies:
            return self._misstate(message)
        if isinstance(message, Status) and Lie.HUGE_VIEW in self.lies:
            return replace(message, wants=INT_MAX, view=rng.choice((message.view, INT_MAX)))
        return message

    def _fork(self, message: Proposal) -> Proposal:
        """Another block for the same place, valid in itself."""
        header = message.header
        items = message.items[1:] if len(message.items) > 1 else message.items
        content = ledger.build_content(
            self.head,
            message.parent_certificate,
            proposer=self.key,
            timestamp_ms=header.timestamp_ms + 1,
            items=items,
        )
        self.contents[content.block_hash] = content
        signed = self.sign(self._propose(content, message.body.view))
        self._agree(signed.body if isinstance(signed.body, VoteBody) else message.body)
        if not isinstance(signed, Proposal):
            raise TypeError("a signed proposal is a proposal")
        return signed

    def _break(self, message: Proposal) -> Proposal:
        """A block with a state root that nobody can reproduce."""
        header = replace(message.header, state_root=sha256(b"wrong"))
        content = BlockContent(
            block_hash=hash_header(header),
            header=header,
            parent_certificate=message.parent_certificate,
            items=message.items,
        )
        signed = self.sign(self._propose(content, message.body.view))
        if not isinstance(signed, Proposal):
            raise TypeError("a signed proposal is a proposal")
        return signed

    def _propose(self, content: BlockContent, view: int) -> Proposal:
        height = content.header.height
        return Proposal(
            body=VoteBody(version=self.version, height=height, view=view, block_hash=content.block_hash),
            signer=self.seat,
            signature=UNSIGNED,
            header=content.header,
            parent_certificate=content.parent_certificate,
            items=content.items,
        )

    def _misstate(self, message: Status) -> Status:
        rng = self.world.rng
        certificate = message.certificate
        height = rng.choice((0, certificate.height, certificate.height + 1, certificate.height + 1000))
        fake = replace(certificate, height=height, view=rng.choice((certificate.view, certificate.view + 5)))
        return replace(
            message,
            certificate=rng.choice((certificate, fake)),
            view=max(message.view + rng.randint(-2, 3), 0),
            is_normal=rng.random() < 0.5,
            wants=message.view + rng.randint(0, 50),
            held=rng.choice((message.held, NOTHING_HELD)),
            echo=rng.choice((message.echo, bytes(16))),
        )

    def _agree(self, body: VoteBody) -> None:
        """Vote for a block in every phase, whatever it is."""
        if body in self.agreed:
            return  # or two of this kind would answer each other for ever
        self.agreed.append(body)
        for vote in (
            Prepare(body=body, signer=self.seat, signature=UNSIGNED),
            Commit(body=body, signer=self.seat, signature=UNSIGNED),
        ):
            target = self.world.rng.randrange(len(self.world.nodes))
            self.world.send(self.index, self.world.rng.choice((None, target)), self.sign(vote))

    # --- lies of its own accord ---

    def _tick(self) -> None:
        self.world.after(self.world.rng.randint(20, 400), self._tick)
        if self.state is None:
            return
        lie = self.world.rng.choice(self.lies)
        match lie:
            case Lie.HUGE_VIEW:
                view = self.world.rng.choice((self.state.view + 1, self.state.view + 7, INT_MAX))
                self._shout(self._build_view_change(view, None))
            case Lie.HIDE:
                self._shout(self._build_view_change(self.state.view + 1, None))
            case Lie.BAD_NEW_VIEW:
                self._lead_astray()
            case Lie.REPLAY:
                if self.heard:
                    self._shout(self.world.rng.choice(tuple(self.heard)))
            case Lie.TAMPER:
                if self.heard:
                    self._shout(self._tamper(self.world.rng.choice(tuple(self.heard))))
            case _:
                pass

    def _shout(self, message: Message) -> None:
        for target in range(len(self.world.nodes)):
            if target != self.index and self.world.chance(700):
                self.world.send(self.index, target, message)

    def _build_view_change(self, view: int, prepared: Prepared | None) -> OwnMessage:
        if self.state is None:
            raise AssertionError("a dead node says nothing")
        certificate = self.state.head_certificate
        body = ViewChangeBody(
            version=self.version,
            height=self.state.height,
            view=view,
            certificate_hash=hash_certificate(certificate),
            prepared_hash=hash_prepared(prepared),
        )
        return self.sign(
            ViewChange(body=body, signer=self.seat, signature=UNSIGNED, certificate=certificate, prepared=prepared)
        )

    def _lead_astray(self) -> None:
        """Sign a NEW-VIEW over a spoiled V, for a view that is mine to lead, and propose a block of my
        own."""
        state, rng = self.state, self.world.rng
        if state is None or state.certified is not None:
            return
        heard = [item for item in self.heard if isinstance(item, ViewChange)]
        views = [item.body.view for item in heard if item.body.height == state.height] or [state.view + 1]
        view = View(rng.choice(views))
        if rules.get_leader(state, view) != self.seat:
            return
        chosen: dict[int, ViewChange] = {}
        for item in heard:
            if rng.random() < 0.8 and (item.body.view == view or rng.random() < 0.2):
                chosen[item.signer] = item
        own = self._build_view_change(view, None)
        if isinstance(own, ViewChange):
            chosen[self.seat] = own
        if rng.random() < 0.3:
            stripped = [replace(item, prepared=None) for item in chosen.values()]
            chosen = {item.signer: item for item in stripped}
        listed = tuple(chosen[signer] for signer in sorted(chosen))[: state.quorum + rng.randint(-1, 1)]
        body = NewViewBody(
            version=self.version,
            height=state.height,
            view=view,
            view_change_hashes=tuple(hash_view_change(item) for item in listed),
        )
        new_view = NewView(body=body, signer=self.seat, signature=UNSIGNED, view_changes=listed)
        self._shout(self.sign(new_view))
        content = self.build_content(((sha256(b"%d" % rng.getrandbits(64)), bytes(64)),))
        self.contents[content.block_hash] = content
        self._shout(self.sign(self._propose(content, view)))
        self._agree(VoteBody(version=self.version, height=state.height, view=view, block_hash=content.block_hash))

    def _tamper(self, message: Message) -> Message:
        """Change what a message carries, or its body, without the signer's consent."""
        rng = self.world.rng
        match message:
            case Proposal():
                items = (*message.items[1:], (sha256(b"x"), bytes(64)))
                return rng.choice((replace(message, items=items), replace(message, signer=self.seat)))
            case ViewChange():
                fake = Certificate(height=1, view=0, block_hash=Hash(bytes(32)), votes=())
                return rng.choice((replace(message, prepared=None), replace(message, certificate=fake)))
            case NewView():
                return replace(message, view_changes=message.view_changes[:-1])
            case Prepare() | Commit():
                return replace(message, body=replace(message.body, view=message.body.view + 1))
            case _:
                return message
