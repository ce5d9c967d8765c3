"""One plan, lived twice: each act is done to the contract and to the model, and both must answer and stand alike."""

import copy
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.codec import Codec
from chain.contract.beacon import apply_reveal
from chain.contract.calls import Call
from chain.contract.claim_open import note_filed
from chain.contract.claim_tables import BEACON, CLAIM, CLAIM_CLAWBACK, CLAIM_CONFIRMED, ClaimRecord
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.events import AutomaticFault
from chain.contract.invariants import check_block, check_pool
from chain.contract.money_calls import StatementLine, StatementPost
from chain.contract.rules import Outcome
from chain.contract.settlement_items import add_item
from chain.contract.settlement_tables import ITEM_AID, ItemRecord
from chain.contract.tables import MEMBER, PLAN, POOL
from chain.contract.terms import PlanTerms
from chain.genesis import ROLE_NAMES
from chain.round_record import VALIDATORS
from chain.state import Overlay
from chain.trie import SUM
from chain.trie_tree import Tree
from chain.types import ZERO_HASH, Height
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.governance_world import block_hash
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, OFFSET, PLAN_NAME, ROLES, MemoryBase, World, name_hash
from tests.chain.trie_twin import DictStore
from tests.model import governance, oracle, validators
from tests.model.book import Book, Claim, Custody, Version
from tests.model.claim_money import add_item as add_item_to_book
from tests.model.compare import compare, comparing
from tests.model.days import begin_day
from tests.model.reveals import PREIMAGES, make_anchor
from tests.model.rules import run_call
from tests.model.statements import sum_up
from tests.model.versions import build_pool
from tests.model.wind import end_if_empty

V = TypeVar("V", bound=Struct)
NOON_MS = 43_200_000
DRAIN_MAX = 10_000
"""Acts of one block: so many that none waits for the next, as ten days in one block have many."""
SPAN_DAYS = 10
"""Longest statement; in blocks of so many days none is missed."""


class RememberingBase(MemoryBase):
    """Committed state that decodes a record once, as long as it does not change."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[bytes, tuple[bytes, Struct]] = {}

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        data = self.values.get(key)
        if data is None:
            return None
        known = self._known.get(key)
        if known is None or known[0] is not data:
            known = self._known[key] = (data, codec.decode(data))
        # A key belongs to one table, so to one type.
        return known[1]  # type: ignore[return-value]


class ModelWorld(ClaimPath):
    """The contract's side, with as many pools as there are, and whoever votes to propose its blocks."""

    proposer: tuple[bytes, bytes] = (b"", b"")
    """(validator key, reveal) of the last block."""

    def next_block(self, *, ms: int = 1_000) -> None:
        """Let each block have the next proposer that has a link left."""
        voters = self.state.require(VALIDATORS).next_set
        links, first = self.state.require(BEACON).links, self.height % len(voters)
        order = [*range(first, len(links)), *range(first)]
        index = next(index for index in order if links[index] in PREIMAGES)
        self.proposer = (voters[index].key, PREIMAGES[links[index]])
        apply_reveal(self.state, index, self.proposer[1], Height(self.height))
        World.next_block(self, ms=ms)

    def context(self, signer: str | bytes, tx_id: bytes = ZERO_HASH) -> Context:
        context = super().context(signer, tx_id)
        context.parent_hash = block_hash(self.height - 1)
        return context

    def commit_block_checks(self) -> None:
        pools = range(self.plan.pools)
        check_block(self.state, [(PLAN_NAME, number) for number in pools])
        for number in pools:
            check_pool(self.state.require(POOL, PLAN_NAME, number))

    def fork(self) -> "ModelWorld":
        """Return another world that goes on from the last block; the open one must have been committed."""
        other = copy.copy(self)
        other.base = RememberingBase()
        other.base.values = dict(self.base.values)
        for pool, (tree, store) in self.base._trees.items():
            copied = DictStore()
            copied.records = dict(store.records)
            other.base._trees[pool] = (Tree(SUM, tree.tag, copied), copied)
        other.events, other.block_events = [], []
        other.state = Overlay(other.base)
        return other


class Story:
    """What happens to one plan, on both sides."""

    def __init__(self, terms: PlanTerms, *, start_day: int) -> None:
        self.terms = terms
        self.causes: dict[tuple[str, int], tuple[StatementLine, ...]] = {}
        """What is behind a wrong statement, by (account, number)."""
        self.done: Counter[str] = Counter()
        """How often each call succeeded."""
        self.world = ModelWorld(terms, start_day=start_day, drain_max=DRAIN_MAX)
        self.world.posts_statements = False
        day = self.world.today
        self.book = Book(
            day=day, organisations={name_hash("key", name): (name, ROLE_NAMES[role]) for name, role in ROLES.items()}
        )
        self.book.versions.append(Version(terms, 0, 0, status="active"))
        self.book.pools.append(build_pool(self.book, 0, ACCOUNT_NAME))
        genesis = self.world.genesis
        recovery = {one.name: one.recovery_key for one in genesis.organisations if any(one.recovery_key)}
        keys = {key for one in genesis.validators for key in (one.key, one.checkpoint_key)}
        governance.found(self.book, recovery, keys)
        anchors = [make_anchor(number) for number in range(len(genesis.validators))]
        validators.found(self.book.house, genesis.validators, anchors)
        oracle.bind(self.world, self.book)

    def fork(self) -> "Story":
        """Return a story that goes on by itself from the end of the last block."""
        other = copy.copy(self)
        other.done = Counter()
        other.causes = dict(self.causes)
        other.world = self.world.fork()
        other.book = copy.deepcopy(self.book)
        oracle.bind(other.world, other.book)
        return other

    # --- calls ---

    def call(self, signer: str | bytes, call: Call) -> Outcome:
        """Do a call to both; return the contract's answer, which the model must have expected."""
        key = signer if isinstance(signer, bytes) else self.book.house.offices[signer].key
        outcome = self.world.call(key, call)
        self.book.now_ms = self.world.timestamp_ms
        self.book.docket.height = self.world.height
        with comparing():
            self._answer(key, call, outcome)
        return outcome

    def _answer(self, key: bytes, call: Call, outcome: Outcome) -> None:
        """Let the model answer a call, as the contract did."""
        whole, items = run_call(self.book, key, bytes(self.world.last_tx), call)
        code = get_entry_by_number(outcome.number).code
        name = type(call).__name__
        if whole:
            assert code in whole, (name, code, whole)
            return
        if not items:
            assert code == "success", (name, code, whole)
            self.done[name] += 1
            return
        found = [get_entry_by_number(number).code for number in outcome.items]
        assert len(found) == len(items), (name, code, items)
        for shown, expected in zip(found, items, strict=True):
            assert (shown in expected) if expected else (shown == "success"), (name, found, items)
        self.done[name] += found.count("success")

    def sign(self, call: Call, signers: Sequence[str | bytes]) -> Outcome:
        """Let several send one call; return the last answer."""
        outcomes = [self.call(signer, call) for signer in signers]
        return outcomes[-1]

    # --- time ---

    def next_block(self, days: int = 0) -> None:
        """Begin a block, in as many days; what falls due on each of them runs at its start."""
        world, height = self.world, self.world.height
        if days == 0:
            world.next_block()
            end_if_empty(self.book)
        else:
            world.next_block(ms=compute_day_start_ms(world.today + days, OFFSET) + NOON_MS - world.timestamp_ms)
        with comparing():
            assert not [event for event in world.block_events if isinstance(event, AutomaticFault)], "a fault of ours"
        world.events.clear()
        validators.note_reveal(self.book.house, *world.proposer, height)
        self.book.docket.height = world.height
        governance.run_house(self.book, world.today, block_hash(height))
        for _ in range(days):
            self.book.now_ms = compute_day_start_ms(self.book.day + 1, OFFSET)
            # The model takes over what a lot gave, if it could.
            with comparing():
                begin_day(self.book)
        governance.run_orders(self.book)

    def pass_days(self, days: int, *, posts: bool = True) -> None:
        """Let days pass, with statements in time where the bank posts them."""
        while days > 0:
            step = min(days, SPAN_DAYS)
            self.next_block(step)
            if posts:
                self.post_statements()
            days -= step

    def post_statements(self) -> None:
        """Let the bank post what is missing, as the books have it."""
        for pool in self.book.pools:
            custody = pool.custody
            while custody.closed_day < self.book.day - 1:
                to_day = min(custody.closed_day + SPAN_DAYS, self.book.day - 1)
                self.call("bank", self.build_statement(custody, to_day))

    def build_statement(self, custody: Custody, to_day: int) -> StatementPost:
        """Build the next statement as the books have it."""
        from_day = custody.closed_day + 1
        moved = sum_up([custody.booked.get(day, (0, 0, 0, 0)) for day in range(from_day, to_day + 1)])
        opening = custody.statements[-1].closing if custody.statements else custody.opening
        return StatementPost(
            account=custody.name,
            from_day=from_day,
            to_day=to_day,
            opening=opening,
            closing=max(0, opening + moved[1] - moved[3]),
            in_count=moved[0],
            in_sum=moved[1],
            out_count=moved[2],
            out_sum=moved[3],
            file_hash=name_hash("statement", custody.name, from_day),
        )

    # --- claims, as far as they concern money ---

    def put_claim(self, member_id: bytes, amount: int, *, row: int, payee_kind: int = 0) -> bytes:
        """Put a confirmed claim on the list of the next charge of its member's pool."""
        state, record = self.world.state, self.world.member(member_id)
        plan = state.require(PLAN, PLAN_NAME)
        number = plan.claims_filed + 1
        name = name_hash("claim", number)
        state.put(PLAN, replace(plan, claims_filed=number), PLAN_NAME)
        claim = build_record(
            ClaimRecord,
            number=number,
            plan=PLAN_NAME,
            pool=record.pool,
            member=member_id,
            status=CLAIM_CONFIRMED,
            row=row,
            amount=amount,
            payee_kind=payee_kind,
        )
        state.put(CLAIM, claim, name)
        state.put(MEMBER, replace(record, claim=name), member_id)
        note_filed(state, name, claim)
        fee_bp = self.book.pool_terms(self.book.pools[record.pool]).fee_bp
        item = ItemRecord(kind=ITEM_AID, member=member_id, claim=name, amount=amount, fee_bp=fee_bp, carried=0)
        add_item(state, item, PLAN_NAME, record.pool)
        state.release()
        self.book.members[member_id].claim = name
        self.book.claims[name] = Claim(
            member=member_id,
            number=number,
            pool=record.pool,
            status="confirmed",
            row=row,
            amount=amount,
            payee_kind=payee_kind,
        )
        add_item_to_book(self.book, name, amount, fee_bp)
        return name

    def find_fraud(self, claim_id: bytes) -> None:
        """Let a re-audit have found that a paid claim is to be paid back."""
        claim = self.world.state.require(CLAIM, claim_id)
        self.world.state.put(CLAIM, replace(claim, status=CLAIM_CLAWBACK), claim_id)
        self.world.state.release()
        self.book.claims[claim_id].status = "clawback"

    # --- both alike ---

    def list_effects(self) -> list[str]:
        """Return what was decided by vote and took effect."""
        proposals = self.book.house.proposals.values()
        return [type(one.payload).__name__ for one in proposals if one.status == "effective"]

    def agree(self) -> None:
        """Raise `Disagreement` where the two sides differ."""
        for number in range(self.world.plan.pools):
            check_pool(self.world.state.require(POOL, PLAN_NAME, number))
        compare(self.world, self.book)
