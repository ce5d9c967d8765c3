"""A random adversary with full control: it orders every message and every timer, and its liar uses all it
has heard.

Stronger than the swarm where forks hide: it withholds, reorders across views and heights, lets timers run
out when it hurts, and composes NEW-VIEWs, proposals and certificates out of every honest signature ever
sent. It must never fork the core; with one rule removed it must be able to.
"""

import random
from collections.abc import Callable

from msgspec.structs import replace

from chain.certificate import Certificate, VoteSignature
from chain.crypto import sha256
from chain.types import Hash, View
from consensus import rules
from consensus.events import BlockContent, TimerId
from consensus.messages import Commit, NewView, Prepare, Prepared, Proposal, Status, ViewChange
from consensus.state import State
from consensus.timing import get_timer
from tests.simulator import ledger
from tests.simulator.cluster import Cluster
from tests.simulator.node import Node

VALIDATORS = 4
MAIL_MAX = 400
HEAL_ROUNDS = 60
"""Of about half a second."""


class Explorer:
    """One schedule of `actions` random moves against three honest nodes."""

    def __init__(self, seed: int, honest: type[Node] = Node) -> None:
        self.rng = random.Random(seed)
        self.liar = self.rng.randrange(VALIDATORS)
        self.honest = tuple(index for index in range(VALIDATORS) if index != self.liar)
        self.cluster = Cluster(VALIDATORS, liars=(self.liar,), honest=honest)
        self.cluster.world.rng = random.Random(seed)
        self.votes: dict[tuple[type, int, int, bytes], dict[int, VoteSignature]] = {}
        self.view_changes: list[ViewChange] = []
        self.blocks: dict[bytes, BlockContent] = {}
        self.words = 0
        self.deaf = -1
        self.mute = -1
        self.moves: tuple[tuple[int, Callable[[], None]], ...] = (
            (50, self.deliver),
            (6, self.deliver_all_of_a_kind),
            (3, self.lose),
            (3, self.wish),
            (5, self.tell),
            (2, self.deafen),
            (4, self.isolate_who_decides),
            (12, self.support),
            (4, self.submit),
            (1, self.restart),
            (2, self.vote),
            (4, self.change),
            (6, self.lead),
            (5, self.propose),
        )
        self.weights = [weight for weight, _ in self.moves]

    def run(self, actions: int) -> int:
        """Make the moves; return the highest decided height. A fork is an AssertionError of the audit."""
        self.submit()
        for _ in range(actions):
            self._listen()
            self.rng.choices(self.moves, self.weights)[0][1]()
            self.cluster.settle()
            self.cluster.world.mail = self.cluster.world.mail[-MAIL_MAX:]
        return max(node.head.height for node in self.cluster.honest)

    def heal(self, rounds: int) -> bool:
        """Deliver everything from now on, the liar silent; tell whether the honest decide two more heights."""
        self.deaf = self.mute = -1
        world, nodes = self.cluster.world, self.cluster.honest
        goal = max(node.head.height for node in nodes) + 2
        for _ in range(rounds):
            if min(node.head.height for node in nodes) >= goal:
                return True
            self.submit()
            world.run_until(world.now_ms + 300)
            for index in self.honest:
                self.cluster[index].feed_status()
                timer = get_timer(self.cluster.state(index), TimerId.VIEW)
                if timer.is_armed and timer.due_ms <= world.now_ms:
                    self.cluster.expire(index, TimerId.VIEW)
            for _ in range(3):
                waiting, world.mail = world.mail, []
                for mail in waiting:
                    self.cluster[mail.target].receive(mail.source, mail.message)
                self.cluster.settle()
        return False

    # --- the network and the clocks ---

    def deliver(self) -> None:
        """Deliver some messages in any order; now and then one comes again later."""
        for _ in range(self.rng.choice((1, 3, 10, 30))):
            mail = self.cluster.world.mail
            open_mail = [item for item in mail if item.target != self.deaf and item.source != self.mute]
            if not open_mail:
                return
            item = self.rng.choice(open_mail)
            if self.rng.random() < 0.95:
                mail.remove(item)
            self.cluster[item.target].receive(item.source, item.message)
            self.cluster.settle()

    def deliver_all_of_a_kind(self) -> None:
        kind = self.rng.choice((Proposal, Prepare, Commit, ViewChange, NewView, Status))
        target = self.rng.choice(self.honest)
        if target == self.deaf:
            return
        for item in [mail for mail in self.cluster.world.mail if mail.target == target]:
            if isinstance(item.message, kind):
                self.cluster.world.mail.remove(item)
                self.cluster[target].receive(item.source, item.message)
                self.cluster.settle()

    def lose(self) -> None:
        kind = self.rng.choice((Proposal, Prepare, Commit, ViewChange, NewView, Status))
        self.cluster.drop(kind, to=[self.rng.choice(self.honest)])

    def wish(self) -> None:
        """Let view timers run out, at one node or at all that hear each other."""
        if self.rng.random() < 0.4:
            self.cluster.expire(self.rng.choice(self.honest), TimerId.VIEW)
            return
        hearing = [index for index in self.honest if index not in {self.deaf, self.mute}]
        top = max(self.cluster.state(index).view for index in hearing)
        wants = top + self.rng.choice((0, 1, 1, 1, 2, 3))
        for index in hearing:
            for peer in (self.liar, *hearing):
                if peer != index:
                    status = self.cluster.build_status(index, peer, wants=wants)
                    self.cluster[index].receive(peer, status)
        self.cluster.drop(Status)

    def tell(self) -> None:
        self.cluster.world.run_until(self.cluster.world.now_ms + 250)
        self.cluster[self.rng.choice(self.honest)].feed_status()

    def isolate_who_decides(self) -> None:
        """Give one node every COMMIT there is for it, then cut it off: nobody else knows what it
        decided."""
        target = self.rng.choice(self.honest)
        before = self.cluster[target].head.height
        state = self.cluster.state(target)
        if state.proposal is not None:
            body = state.proposal.content.block_hash
            vote = self.cluster.vote(Commit, self.liar, self.liar, state.height, state.view, body)
            self.cluster.inject([target], self.liar, vote)
        for item in [mail for mail in self.cluster.world.mail if mail.target == target]:
            if isinstance(item.message, Commit):
                self.cluster.world.mail.remove(item)
                self.cluster[target].receive(item.source, item.message)
                self.cluster.settle()
        if self.cluster[target].head.height > before:
            self.deaf = self.mute = target
            self.cluster.drop((Commit, Status))

    def deafen(self) -> None:
        self.deaf = self.rng.choice((-1, -1, *self.honest))
        self.mute = self.rng.choice((-1, -1, self.deaf, *self.honest))

    def submit(self) -> None:
        self.words += 1
        to = self.rng.sample(self.honest, self.rng.randint(1, 3))
        self.cluster.submit(b"word %d" % self.words, to=to)

    def restart(self) -> None:
        index = self.rng.choice(self.honest)
        node = self.cluster[index]
        node.crash()
        node.boot()
        for other in (*self.honest, self.liar):
            if other != index:
                status = self.cluster.build_status(index, other, wants=0)
                node.receive(other, replace(status, echo=self.cluster.state(index).nonce))

    # --- the liar ---

    def support(self) -> None:
        """Vote for what a node has before it, in both phases."""
        target = self.rng.choice(self.honest)
        state = self.cluster.state(target)
        if state.proposal is None:
            return
        block = state.proposal.content.block_hash
        targets = [index for index in self.honest if index not in {self.deaf, self.mute}]
        for kind in (Prepare, Commit):
            if self.rng.random() < 0.8:
                message = self.cluster.vote(kind, self.liar, self.liar, state.height, state.view, block)
                self.cluster.inject(targets, self.liar, message)

    def vote(self) -> None:
        """Vote in any view for any block of a height that somebody is deciding."""
        state = self.cluster.state(self.rng.choice(self.honest))
        known = [block for block in self.blocks.values() if block.header.height == state.height]
        if not known:
            return
        block = self.rng.choice(known).block_hash
        kind = self.rng.choice((Prepare, Commit))
        message = self.cluster.vote(kind, self.liar, self.liar, state.height, self._pick_view(state), block)
        self.cluster.inject(self._pick_targets(), self.liar, message)

    def change(self) -> None:
        """VIEW-CHANGE with nothing, or with any P that can be put together."""
        state = self.cluster.state(self.rng.choice(self.honest))
        view = self._pick_view(state)
        message = self._build_view_change(state, view)
        self.cluster.inject(self._pick_targets(), self.liar, message)
        self.view_changes.append(message)

    def lead(self) -> None:
        """NEW-VIEW over any Q of the VIEW-CHANGEs ever sent, mine made to measure."""
        state = self.cluster.state(self.rng.choice(self.honest))
        views = {item.body.view for item in self.view_changes if item.body.view >= state.view}
        mine = [view for view in sorted(views) if self._leads(state, view)]
        if not mine:
            return
        view = self.rng.choice(mine)
        chosen: dict[int, ViewChange] = {}
        for item in self.rng.sample(self.view_changes, len(self.view_changes)):
            if item.body.view == view and item.signer != self.liar:
                is_here = item.body.height == state.height
                if is_here or self.rng.random() < 0.3:
                    chosen.setdefault(item.signer, item)
        if self.rng.random() < 0.9:
            chosen[self.liar] = self._build_view_change(state, view)
        signers = sorted(self.rng.sample(sorted(chosen), min(len(chosen), state.quorum)))
        listed = [chosen[signer] for signer in signers]
        message = self.cluster.new_view(self.liar, self.liar, listed, state.height, view)
        self.cluster.inject(self._pick_targets(), self.liar, message)

    def propose(self) -> None:
        """Propose a known or a new block in a view of mine, the same to all or other ones to others."""
        state = self.cluster.state(self.rng.choice(self.honest))
        views = [view for view in range(state.view, state.view + 5) if self._leads(state, view)]
        if not views:
            return
        one = self._pick_block(state)
        is_one = self.rng.random() < 0.6
        for index in self.honest:
            block = one if is_one else self._pick_block(state)
            if block is None or self.rng.random() < 0.2:
                continue
            for holder in self.honest:
                if self.cluster[holder].head.height + 1 == block.header.height:
                    self.cluster[holder].contents[block.block_hash] = block
            message = self.cluster.proposal(self.liar, self.liar, block, views[0])
            self.cluster.inject([index], self.liar, message)

    def _leads(self, state: State, view: int) -> bool:
        return rules.get_leader(state, View(view)) == self.liar

    def _pick_block(self, state: State) -> BlockContent | None:
        known = [block for block in self.blocks.values() if block.header.height == state.height]
        if known and self.rng.random() < 0.5:
            return self.rng.choice(known)
        if all(node.head.height + 1 != state.height for node in self.cluster.honest):
            return None
        block = self._build_block(state)
        self.blocks[block.block_hash] = block
        return block

    def _build_view_change(self, state: State, view: int) -> ViewChange:
        prepared = self._pick_prepared(state, view) if self.rng.random() < 0.4 else None
        return self.cluster.view_change(self.liar, self.liar, state, view, prepared)

    def _build_block(self, state: State) -> BlockContent:
        """A fresh block on the head of a node, with the best certificate that can be put together for
        it."""
        self.words += 1
        node = next(item for item in self.cluster.honest if item.head.height + 1 == state.height)
        certificate = self.rng.choice([state.head_certificate, *self._list_certificates(state)])
        return ledger.build_content(
            node.head,
            certificate,
            proposer=ledger.compute_key(self.liar),
            timestamp_ms=max(node.wall_ms, node.head.content.header.timestamp_ms + 1),
            items=((sha256(b"lie %d" % self.words), bytes(64)),),
        )

    def _list_certificates(self, state: State) -> list[Certificate]:
        """Every C(h-1) for the head of a node that honest COMMITs and mine can make."""
        height, block = state.height - 1, state.head.certificate.block_hash
        found = []
        for (kind, at, view, voted), votes in self.votes.items():
            if kind is Commit and at == height and voted == block and len(votes) >= state.quorum - 1:
                signed = self._complete(Commit, height, view, block, votes)
                found.append(Certificate(height=height, view=view, block_hash=block, votes=signed))
        return found

    def _pick_prepared(self, state: State, below: int) -> Prepared | None:
        found = []
        for (kind, height, view, block), votes in self.votes.items():
            if kind is Prepare and height == state.height and view < below and len(votes) >= state.quorum - 1:
                signed = self._complete(Prepare, height, view, block, votes)
                found.append(Prepared(height=height, view=view, block_hash=block, votes=signed))
        return self.rng.choice(found) if found else None

    def _complete(
        self, kind: type[Prepare] | type[Commit], height: int, view: int, block: bytes, votes: dict[int, VoteSignature]
    ) -> tuple[VoteSignature, ...]:
        own = self.cluster.vote(kind, self.liar, self.liar, height, view, Hash(block))
        return tuple(sorted((*votes.values(), (self.liar, own.signature))))

    def _pick_view(self, state: State) -> int:
        return max(state.view + self.rng.choice((-1, 0, 0, 0, 1)), 0)

    def _pick_targets(self) -> list[int]:
        return self.rng.sample(self.honest, self.rng.randint(1, 3))

    def _listen(self) -> None:
        """Learn every honest signature that is on its way to anybody."""
        for mail in self.cluster.world.mail:
            message = mail.message
            match message:
                case Prepare() | Commit():
                    body = message.body
                    key = (type(message), body.height, body.view, body.block_hash)
                    self.votes.setdefault(key, {})[message.signer] = (message.signer, message.signature)
                case ViewChange():
                    if message not in self.view_changes[-60:]:
                        self.view_changes.append(message)
                case Proposal():
                    self.blocks[message.body.block_hash] = BlockContent(
                        block_hash=Hash(message.body.block_hash),
                        header=message.header,
                        parent_certificate=message.parent_certificate,
                        items=message.items,
                    )
                case _:
                    pass
