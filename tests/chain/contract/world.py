"""A small consortium in memory for the tests of the money half: real genesis, tables, trees and schedule.

Blocks are committed through the canonical bytes, so a field that leaves its range fails here as it would on disk.
"""

import hashlib
from typing import TypeVar

import msgspec

from chain.codec import Codec, encode
from chain.contract.calls import Call
from chain.contract.claim_tables import CLAIM, CLAIM_CONFIRMED, ClaimRecord
from chain.contract.context import Context, compute_day, compute_day_start_ms
from chain.contract.custody_tables import ACCOUNT, BOOKING_DAY, INSTRUCTION, BookingDayRecord, InstructionRecord
from chain.contract.events import Event
from chain.contract.genesis_state import build_genesis_state
from chain.contract.invariants import check_block, check_pool
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
)
from chain.contract.money_calls import (
    DepositCredit,
    DepositCreditItem,
    InstructionAck,
    InstructionAckItem,
    StatementPost,
)
from chain.contract.plan_calls import BatchSign
from chain.contract.rules import Outcome, execute_call
from chain.contract.schedule import run_automatic_events
from chain.contract.settlement_items import add_item
from chain.contract.settlement_tables import (
    ITEM_AID,
    PERIOD,
    SETTLEMENT,
    ItemRecord,
    PeriodRecord,
    SettlementRecord,
)
from chain.contract.shares import get_balance
from chain.contract.tables import MEMBER, PLAN, POOL, MemberRecord, PlanRecord, PoolRecord
from chain.contract.terms import PlanTerms, hash_terms, load_terms
from chain.genesis import Genesis, GenesisPlan, Organisation, Parameters, validate_genesis
from chain.round_record import PARAMETERS, PROTOCOL, ROUND, VALIDATORS, ProtocolRecord, RoundRecord, ValidatorsRecord
from chain.state import Overlay, PoolKey, PoolTree
from chain.trie import SUM
from chain.trie_tree import Pending, Tree
from chain.types import ZERO_HASH, Hash, Height, Millis, PublicKey, TxId
from chain.validators import Validator
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.told import check_told
from tests.chain.trie_twin import DictStore

V = TypeVar("V", bound=msgspec.Struct)

PLAN_NAME = "care"
ACCOUNT_NAME = "care-main"
OFFSET = 480
START_DAY = 20_482
"""2026-01-29."""
TERMS = """
name = "care"
currency = "CNY"
utc_offset_minutes = 480
waiting_days = 90
claim_window_days = 180
notice_days_of_month = [7, 21]
charge_days_of_month = [14, 28]
notice_full_days_min = 3
fee_bp = 800
cap_per_case_fen = 400
cap_per_year_fen = 18_800
waiting_members_share = true
age_min_days = 30
age_limit_years = 60
deposit_min_fen = 1_000
deposit_max_fen = 20_000
grace_periods = 2
unpaid = "carry"
carry_periods_max = 2
members_min = 1
launch_days = 365
jury_size = 11
residue_to = "charity"
[[benefit]]
age_from_years = 0
age_to_years = 59
severe_fen = 300_000
mild_fen = 50_000
"""
ROLES = {
    "platform": 0,
    "bank": 1,
    "audit-one": 2,
    "audit-two": 2,
    "firm-a": 3,
    "firm-b": 3,
    "firm-c": 3,
    "firm-d": 3,
    "clinic": 4,
}


def name_hash(*parts: str | int) -> Hash:
    """Return a 32-byte value named by its parts."""
    return Hash(hashlib.sha256("/".join(str(part) for part in parts).encode()).digest())


def build_terms(**changes: str) -> PlanTerms:
    """Return the terms with some lines of the TOML replaced (value as written) or, for an empty value, left out."""
    lines = []
    for line in TERMS.strip().splitlines():
        name = line.split(" =")[0]
        if name not in changes:
            lines.append(line)
        elif changes[name]:
            lines.append(f"{name} = {changes.pop(name)}")
        else:
            del changes[name]
    return load_terms("\n".join([f"{name} = {value}" for name, value in changes.items()] + lines))


def build_genesis(terms: PlanTerms, *, start_day: int = START_DAY, drain_max: int = 200) -> Genesis:
    """Return a genesis of one plan with four validators."""
    names = ("platform", "bank", "audit-one", "audit-two")
    genesis = Genesis(
        format=1,
        name="test",
        domain="test.example",
        time_ms=compute_day_start_ms(start_day, OFFSET) + 36_000_000,
        parameters=Parameters(drain_max=drain_max),
        organisations=tuple(
            Organisation(
                name=name,
                role=role,
                group=f"g-{name}",
                key=name_hash("key", name),
                recovery_key=name_hash("recovery", name) if role < 3 else ZERO_HASH,
            )
            for name, role in ROLES.items()
        ),
        validators=tuple(
            Validator(
                organisation=name,
                key=name_hash("validator", name),
                checkpoint_key=name_hash("checkpoint", name),
                tls_pin=name_hash("pin", name),
                tls_certificate=b"",
                address=f"127.0.0.1:{7000 + index}",
                reveal_anchor=name_hash("anchor", name),
            )
            for index, name in enumerate(names)
        ),
        plans=(GenesisPlan(plan=PLAN_NAME, account=ACCOUNT_NAME, opening_fen=0, terms=terms),),
    )
    validate_genesis(genesis)
    return genesis


class MemoryBase:
    """Committed state in memory: canonical bytes, decoded at each read, and real sum trees."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._trees: dict[PoolKey, tuple[Tree, DictStore]] = {}

    def read(self, key: bytes, codec: Codec[V]) -> V | None:
        data = self.values.get(key)
        return None if data is None else codec.decode(data)

    def open_pool_tree(self, pool: PoolKey) -> PoolTree:
        if pool not in self._trees:
            store = DictStore()
            self._trees[pool] = (Tree(SUM, b"p" + encode(pool), store), store)
        return self._trees[pool][0].begin()

    def commit_tree(self, pool: PoolKey, pending: PoolTree) -> None:
        assert isinstance(pending, Pending)
        tree, store = self._trees[pool]
        store.commit(tree, pending)

    def commit(self, overlay: Overlay) -> None:
        for pool in overlay.get_touched_pools():
            self.commit_tree(pool, overlay.tree(pool))
        for key, record in overlay.get_changes():
            if record is None:
                self.values.pop(key, None)
            else:
                self.values[key] = encode(record)


class World:
    """One plan with its institutions, block by block."""

    def __init__(
        self,
        terms: PlanTerms | None = None,
        *,
        start_day: int = START_DAY,
        drain_max: int = 200,
        statements: bool = True,
    ) -> None:
        self.terms = terms or build_terms()
        self.posts_statements = statements
        self._transactions = 0
        self._references = 0
        self._claims = 0
        self.restart(build_genesis(self.terms, start_day=start_day, drain_max=drain_max))

    def restart(self, genesis: Genesis) -> None:
        """Start from another genesis."""
        self.genesis = genesis
        self.base = MemoryBase()
        self.state = Overlay(self.base)
        # What execution keeps beside the contract's own records.
        self.state.put(PARAMETERS, genesis.parameters)
        self.state.put(PROTOCOL, ProtocolRecord(versions=((1, 0),)))
        sets = ValidatorsRecord(next_set=genesis.validators, this_set=genesis.validators)
        self.state.put(VALIDATORS, sets)
        self.state.put(ROUND, RoundRecord(skips=(), skips_before=(), parent_view=0))
        build_genesis_state(self.state, genesis)
        self.base.commit(self.state)
        self.height = 0
        self.timestamp_ms = genesis.time_ms
        self.events: list[Event] = []
        self.block_events: list[Event] = []
        self._open_block()

    # --- blocks and days ---

    def reopen(self) -> None:
        """Open a block without its automatic events."""
        self.height += 1
        self.state = Overlay(self.base)

    def _open_block(self) -> None:
        self.reopen()
        context = self.context("automatic")
        run_automatic_events(self.state, context)
        self.state.release()
        self.block_events = context.events
        self.events.extend(context.events)

    def commit_block_checks(self) -> None:
        """Check what a node checks at the end of a block; the block stays open."""
        check_block(self.state, [(PLAN_NAME, 0)])
        check_pool(self.pool)

    def commit_block(self) -> None:
        self.commit_block_checks()
        self.base.commit(self.state)

    def next_block(self, *, ms: int = 1_000) -> None:
        self.commit_block()
        self.timestamp_ms += ms
        self._open_block()

    @property
    def today(self) -> int:
        return compute_day(self.timestamp_ms, OFFSET)

    def advance_to(self, day: int) -> None:
        """Go to noon of a day, one block a day; the bank posts each day's statement."""
        while self.today < day:
            target = compute_day_start_ms(self.today + 1, OFFSET) + 43_200_000
            self.next_block(ms=target - self.timestamp_ms)
            if self.posts_statements:
                self.post_statements()

    def advance(self, days: int) -> None:
        self.advance_to(self.today + days)

    def post_statements(self) -> None:
        """Post what is missing up to yesterday, equal to the chain's books."""
        self.post_for(ACCOUNT_NAME)

    def post_for(self, name: str, *, bank: str | bytes = "bank") -> None:
        """Post what is missing of one account, at most ten days at a time."""
        first_day = self.state.require(ACCOUNT, name).closed_day + 1
        for from_day in range(first_day, self.today, 10):
            call = self.build_statement(from_day, min(from_day + 9, self.today - 1), account=name)
            outcome = self.call(bank, call)
            assert outcome.number == 0, outcome

    def build_statement(self, from_day: int, to_day: int, *, account: str = ACCOUNT_NAME) -> StatementPost:
        opening = self.state.require(ACCOUNT, account).closing
        nothing = BookingDayRecord(in_count=0, in_sum=0, out_count=0, out_sum=0)
        days = [self.state.get(BOOKING_DAY, account, day) or nothing for day in range(from_day, to_day + 1)]
        in_sum, out_sum = sum(day.in_sum for day in days), sum(day.out_sum for day in days)
        return StatementPost(
            account=account,
            from_day=from_day,
            to_day=to_day,
            opening=opening,
            closing=opening + in_sum - out_sum,
            in_count=sum(day.in_count for day in days),
            in_sum=in_sum,
            out_count=sum(day.out_count for day in days),
            out_sum=out_sum,
            file_hash=name_hash("statement", account, from_day),
        )

    # --- calls ---

    def context(self, signer: str | bytes, tx_id: bytes = ZERO_HASH) -> Context:
        return Context(
            height=Height(self.height),
            timestamp_ms=Millis(self.timestamp_ms),
            parameters=self.genesis.parameters,
            tx_id=TxId(tx_id),
            signer=PublicKey(signer if isinstance(signer, bytes) else name_hash("key", signer)),
            faults_max=1,
            parent_hash=ZERO_HASH,
            events=[],
        )

    def call(self, signer: str | bytes, call: Call) -> Outcome:
        """Execute a call in the current block, signed by an organisation's or a member's key."""
        self._transactions += 1
        context = self.context(signer, name_hash("tx", self._transactions))
        outcome = execute_call(self.state, context, call)
        self.state.release()
        self.last_tx = context.tx_id
        self.last_events = context.events
        self.events.extend(context.events)
        check_told(self.state, call, outcome, context.events)
        return outcome

    # --- reading ---

    @property
    def pool(self) -> PoolRecord:
        return self.state.require(POOL, PLAN_NAME, 0)

    @property
    def plan(self) -> PlanRecord:
        return self.state.require(PLAN, PLAN_NAME)

    def member(self, member: bytes) -> MemberRecord:
        return self.state.require(MEMBER, member)

    def balance(self, member: bytes) -> int:
        return get_balance(self.member(member), self.pool.share_index)

    def period(self, number: int) -> PeriodRecord:
        return self.state.require(PERIOD, PLAN_NAME, 0, number)

    def instruction(self, instruction: bytes) -> InstructionRecord:
        return self.state.require(INSTRUCTION, instruction)

    def ready_instructions(self) -> list[bytes]:
        """Return the instructions that wait for the bank, in the order of their making."""
        found: dict[bytes, None] = {}
        for event in self.events:
            instruction = getattr(event, "instruction", None)
            if isinstance(instruction, bytes):
                found[instruction] = None
        return [item for item in found if self.instruction(item).state == 1]

    # --- usual acts ---

    def apply(self, name: str, *, weight: int = 1, guardian: bytes | None = None, key: str | None = None) -> bytes:
        outcome = self.call(
            name_hash("member", key or name),
            MemberApply(
                plan=PLAN_NAME,
                pool=0,
                weight=weight,
                rules_hash=hash_terms(self.terms),
                field_commitments_root=name_hash("fields", name),
                blob_hash=name_hash("blob", name),
                consent_hash=name_hash("consent", name),
                recovery_hash=name_hash("recovery", name),
                guardian=guardian,
            ),
        )
        assert outcome.number == 0, outcome
        return self.last_tx

    def verify(self, name: str, member: bytes, *, last_cover_year: int = 2060) -> None:
        item = AccountVerifyItem(
            member=member,
            person_index=name_hash("person", name),
            account_token=name_hash("token", name),
            holder_kind=0,
            key_challenge_hash=name_hash("challenge", name),
            last_cover_year=last_cover_year,
        )
        assert self.call("bank", AccountVerify(items=(item,))).number == 0
        index = IndexIssueItem(member=member, person_index=name_hash("person", name), epoch=0)
        assert self.call("audit-one", IndexIssue(items=(index,))).number == 0

    def admit(self, name: str, *, weight: int = 1, last_cover_year: int = 2060) -> bytes:
        """Apply, verify and admit."""
        member = self.apply(name, weight=weight)
        self.verify(name, member, last_cover_year=last_cover_year)
        assert self.call("platform", MemberAdmit(items=(member,))).number == 0
        return member

    def join(self, name: str, amount: int, *, weight: int = 1, last_cover_year: int = 2060) -> bytes:
        """Admit somebody and credit a deposit."""
        member = self.admit(name, weight=weight, last_cover_year=last_cover_year)
        outcome = self.credit(member, amount)
        assert outcome.items == (0,), outcome
        return member

    def credit_item(
        self, member: bytes | None, amount: int, *, value_day: int | None = None, ref: bytes | None = None
    ) -> DepositCreditItem:
        self._references += 1
        return DepositCreditItem(
            ref_token=ref or name_hash("ref", self._references),
            amount=amount,
            booking_day=self.today,
            value_day=self.today if value_day is None else value_day,
            payer_token=name_hash("payer"),
            deposit_code=None if member is None else self.member(member).deposit_code,
        )

    def credit(self, member: bytes | None, amount: int, *, value_day: int | None = None) -> Outcome:
        item = self.credit_item(member, amount, value_day=value_day)
        return self.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,)))

    def acknowledge(self, instruction: bytes, *, is_settled: bool = True) -> Outcome:
        item = InstructionAckItem(
            instruction=instruction,
            is_settled=is_settled,
            amount=self.instruction(instruction).amount,
            booking_day=self.today,
            ref_token=name_hash("ack", instruction.hex()),
            reason=0 if is_settled else 7,
        )
        return self.call("bank", InstructionAck(account=ACCOUNT_NAME, items=(item,)))

    def sign_batch(self, number: int, signers: tuple[str, ...] = ("platform", "audit-two")) -> None:
        for signer in signers:
            root = self.period(number).batch_root
            outcome = self.call(signer, BatchSign(plan=PLAN_NAME, pool=0, period=number, batch_root=root))
            assert outcome.number == 0, outcome

    def add_claim(self, member: bytes, amount: int, *, fee_bp: int = 800, row: int = 1) -> bytes:
        """Put a confirmed claim on the list of the next settlement; row 0 is the main benefit, 1 a mild one."""
        self._claims += 1
        claim = name_hash("claim", self._claims)
        record = build_record(
            ClaimRecord,
            number=self._claims,
            plan=PLAN_NAME,
            pool=0,
            member=member,
            status=CLAIM_CONFIRMED,
            row=row,
            amount=amount,
        )
        self.state.put(CLAIM, record, claim)
        item = ItemRecord(kind=ITEM_AID, member=member, claim=claim, amount=amount, fee_bp=fee_bp, carried=0)
        add_item(self.state, item, PLAN_NAME, 0)
        return claim

    def settlement(self, number: int) -> SettlementRecord:
        return self.state.require(SETTLEMENT, PLAN_NAME, 0, number)
