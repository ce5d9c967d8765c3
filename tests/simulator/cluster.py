"""A cluster under full control: messages wait in a mailbox, timers run out by hand, liars are the test
itself.

For directed schedules: the test says which message reaches whom, so a fork or a halt takes exactly the
steps that it needs, and one can read them.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from chain.certificate import VoteBody, hash_certificate
from chain.crypto import sha256
from chain.types import Hash
from consensus.events import BlockContent, TimerExpired, TimerId
from consensus.messages import (
    UNSIGNED,
    Commit,
    Item,
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
from consensus.state import State
from consensus.status import build_held, build_status
from consensus.timing import get_timer
from tests.simulator import ledger
from tests.simulator.ledger import CHAIN_ID
from tests.simulator.node import Node
from tests.simulator.world import CALM, World

STEPS_MAX = 10_000


class Mail(Struct, frozen=True):
    """A message on its way."""

    source: int
    target: int
    message: Message


class Mailbox(World):
    """A world whose network waits for the test, and whose timers never run out by themselves."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed, CALM)
        self.mail: list[Mail] = []

    def send(self, source: int, to: int | None, message: Message) -> None:
        targets = range(len(self.nodes)) if to is None else (to,)
        self.mail.extend(
            Mail(source, target, message) for target in targets if target != source and self.is_linked(source, target)
        )

    def start_timer(self, duration_ms: int, expire: Callable[[], None]) -> None:
        pass


class Puppet(Node):
    """A liar that does nothing but what the test signs in its name."""

    is_honest = False

    def boot(self) -> None:
        pass


class Cluster:
    """Honest nodes, and liars played by the test."""

    def __init__(self, n: int = 4, liars: Sequence[int] = (), honest: type[Node] = Node, spare: int = 0) -> None:
        self.world = Mailbox()
        self.n = n
        validators = ledger.build_validators(n)
        self.nodes: list[Node] = []
        for index in range(n + spare):
            kind = Puppet if index in liars else honest
            node = kind(self.world, index, validators)
            node.config = replace(node.config, tenure=1_000_000)
            node.pace = replace(node.pace, idle_interval_ms=1_000_000_000)
            self.nodes.append(node)
        self.world.nodes = list(self.nodes)
        self.honest = [node for node in self.nodes if node.is_honest]
        for node in self.honest:
            node.boot()
        self.settle()
        self.deliver(Status)
        for node in self.honest:
            for liar in liars:
                status = replace(self.build_status(node.index, liar, wants=0), echo=self.state(node.index).nonce)
                node.receive(liar, status)
        self.settle()

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def state(self, index: int) -> State:
        state = self.nodes[index].state
        if state is None:
            raise AssertionError(f"node {index} is dead")
        return state

    def settle(self) -> None:
        """Let checks, builds and writes finish."""
        self.world.run_until(self.world.now_ms + 200)

    def deliver(
        self,
        kind: type[Message] | tuple[type[Message], ...] | None = None,
        *,
        to: Sequence[int] | None = None,
        source: Sequence[int] | None = None,
        view: int | None = None,
    ) -> None:
        """Deliver what matches, and what that brings about, until nothing matches; the rest goes on
        waiting."""
        for _ in range(STEPS_MAX):
            for place, mail in enumerate(self.world.mail):
                if self._matches(mail, kind, to, source, view):
                    del self.world.mail[place]
                    self.nodes[mail.target].receive(mail.source, mail.message)
                    self.settle()
                    break
            else:
                return
        raise AssertionError("the nodes talk for ever")

    def drop(
        self,
        kind: type[Message] | tuple[type[Message], ...] | None = None,
        *,
        to: Sequence[int] | None = None,
    ) -> None:
        """Lose what matches."""
        kept = [mail for mail in self.world.mail if not self._matches(mail, kind, to, None, None)]
        self.world.mail = kept

    def _matches(
        self,
        mail: Mail,
        kind: type[Message] | tuple[type[Message], ...] | None,
        to: Sequence[int] | None,
        source: Sequence[int] | None,
        view: int | None,
    ) -> bool:
        if kind is not None and not isinstance(mail.message, kind):
            return False
        if to is not None and mail.target not in to:
            return False
        if source is not None and mail.source not in source:
            return False
        if view is None:
            return True
        return not isinstance(mail.message, Status) and get_view(mail.message) == view

    def index_at(self, observer: int, name: int) -> int:
        """Return the index of a node in the set that the observer is in; out of range for a guest."""
        return self.nodes[observer].find_index(name)

    def submit(self, *words: bytes, to: Sequence[int] | None = None) -> tuple[Item, ...]:
        """Put transactions into pools."""
        items = tuple((sha256(word), bytes(64)) for word in words)
        for node in self.honest:
            if to is None or node.index in to:
                for item in items:
                    node.add_transaction(item)
        self.settle()
        return items

    def expire(self, index: int, timer: TimerId = TimerId.VIEW) -> None:
        """Let a timer of one node run out, if it runs."""
        node = self.nodes[index]
        token = get_timer(self.state(index), timer).token
        node.feed(TimerExpired(timer, token, self.world.now_ms, node.wall_ms))

    def move_to(self, view: int, nodes: Sequence[int]) -> None:
        """Bring nodes into changing(view) by the wishes of the liars and of each other (E6)."""
        before = list(self.world.mail)
        for index in nodes:
            state = self.state(index)
            for other in range(state.n):
                if other != state.own_index:
                    self.nodes[index].receive(other, self.build_status(index, other, wants=view))
        self.settle()
        self.world.mail = [
            mail
            for mail in self.world.mail
            if mail in before or isinstance(mail.message, ViewChange | NewView | Proposal)
        ]
        self.drop(Status)

    def build_status(self, to: int, peer: int, *, wants: int) -> Status:
        """Return a STATUS of `peer` at the head of the receiver that only wants a view."""
        state = self.state(to)
        template = build_status(state, build_held(state), state.peers[peer], self.world.wall_ms(0))
        return replace(
            template,
            certificate=state.head_certificate,
            view=state.view,
            wants=wants,
            echo=state.nonce,
            nonce=state.peers[peer].nonce,
            shown=None,
        )

    # --- what a liar signs ---

    def sign(self, name: int, message: OwnMessage) -> OwnMessage:
        return attach_signature(message, ledger.sign(ledger.compute_key(name), get_signed_bytes(message, CHAIN_ID)))

    def inject(self, to: Sequence[int], name: int, message: Message) -> None:
        """Hand a message of a liar to some nodes."""
        for target in to:
            self.nodes[target].receive(name, message)
            self.settle()

    def vote(
        self, kind: type[Prepare] | type[Commit], name: int, signer: int, height: int, view: int, block: Hash
    ) -> OwnMessage:
        body = VoteBody(version=1, height=height, view=view, block_hash=block)
        return self.sign(name, kind(body=body, signer=signer, signature=UNSIGNED))

    def view_change(self, name: int, signer: int, at: State, view: int, prepared: Prepared | None = None) -> ViewChange:
        certificate = at.head_certificate
        message = self.sign(
            name,
            ViewChange(
                body=ViewChangeBody(
                    version=1,
                    height=at.height,
                    view=view,
                    certificate_hash=hash_certificate(certificate),
                    prepared_hash=hash_prepared(prepared),
                ),
                signer=signer,
                signature=UNSIGNED,
                certificate=certificate,
                prepared=prepared,
            ),
        )
        if not isinstance(message, ViewChange):
            raise TypeError("signing keeps the kind")
        return message

    def new_view(self, name: int, signer: int, view_changes: Sequence[ViewChange], height: int, view: int) -> NewView:
        listed = tuple(sorted(view_changes, key=lambda item: item.signer))
        body = NewViewBody(
            version=1,
            height=height,
            view=view,
            view_change_hashes=tuple(hash_view_change(item) for item in listed),
        )
        message = self.sign(name, NewView(body=body, signer=signer, signature=UNSIGNED, view_changes=listed))
        if not isinstance(message, NewView):
            raise TypeError("signing keeps the kind")
        return message

    def proposal(self, name: int, signer: int, content: BlockContent, view: int) -> OwnMessage:
        height = content.header.height
        return self.sign(
            name,
            Proposal(
                body=VoteBody(version=1, height=height, view=view, block_hash=content.block_hash),
                signer=signer,
                signature=UNSIGNED,
                header=content.header,
                parent_certificate=content.parent_certificate,
                items=content.items,
            ),
        )

    def block(self, at: int, proposer: int, word: bytes) -> BlockContent:
        """Return a fresh block on the head of a node, as that proposer would build it."""
        node = self.nodes[at]
        return ledger.build_content(
            node.head,
            self.state(at).head_certificate,
            proposer=ledger.compute_key(proposer),
            timestamp_ms=max(node.wall_ms, node.head.content.header.timestamp_ms + 1),
            items=((sha256(word), bytes(64)),),
        )

    def sent_view_change(self, source: int, view: int) -> ViewChange:
        """Return the VIEW-CHANGE that an honest node sent, out of the mailbox."""
        for mail in self.world.mail:
            message = mail.message
            if isinstance(message, ViewChange) and mail.source == source and message.body.view == view:
                return message
        raise AssertionError(f"node {source} sent no VIEW-CHANGE for view {view}")


def get_view(message: Message) -> int:
    """Return the view that a signed message is about, or that a complaint names."""
    match message:
        case Status():
            return message.view
        case _:
            return message.view if not hasattr(message, "body") else message.body.view
