"""A chain in this process: the real ledger over LevelDB, without network and consensus.

Blocks are executed and committed directly under a made-up certificate; everything of `chain` runs as on a
node."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TypeVar

import msgspec

from chain import layout
from chain.catalogue import get_entry_by_number
from chain.certificate import Certificate
from chain.clock import ClockPoint, to_block_ms
from chain.contract.appeal_tables import JUROR
from chain.contract.claim_tables import CLAIM, CLAIM_STATUS_NAMES
from chain.contract.custody_tables import (
    INSTRUCTION,
    INSTRUCTION_KIND_NAMES,
    INSTRUCTION_READY,
    INSTRUCTION_STATE_NAMES,
)
from chain.contract.events import DepositCredited, MemberApplied, MemberReinstated
from chain.contract.money_events import CashBooked, DepositMatched, DepositReversed
from chain.contract.settlement_tables import PERIOD, SETTLEMENT, SettlementRecord
from chain.contract.shares import get_balance, is_suspended
from chain.contract.tables import (
    MEMBER,
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    PLAN,
    PLAN_STATUS_NAMES,
    POOL,
    VERSION,
    MemberRecord,
    PoolRecord,
)
from chain.contract.terms import PlanTerms
from chain.crypto import SigningKey, sha256
from chain.errors import InvariantViolation
from chain.execution import Draft, Executed, execute_block
from chain.genesis import Genesis, GenesisPlan, Organisation, Parameters, compute_chain_id, validate_genesis
from chain.ledger import Ledger
from chain.receipt import Receipt, receipt_codec
from chain.state import Table
from chain.store import Store
from chain.transaction import Transaction, count_items, decode_transaction, get_call_name
from chain.types import ZERO_HASH
from chain.validators import Validator
from explorer.tasks import read_tasks
from node.demo.bank import ORDINAL_1970
from node.demo.orders import Outcome
from node.demo.recompute import CapFigures, ItemFigures, SettlementFigures
from node.demo.report import (
    STORY_CALLS,
    CreditFigures,
    MemberFigures,
    PayoutFigures,
    PoolFigures,
    Report,
    RootFigures,
)
from node.demo.stage import Parcel
from node.demo.world import (
    BatchView,
    ClaimView,
    FirmView,
    InstructionView,
    MemberView,
    PlanView,
    TaskView,
    World,
)
from node.reader import StoreReader

V = TypeVar("V", bound=msgspec.Struct)

LINKS = 20_000
"""Reveals that each validator has: more blocks than any test makes."""
OPEN_STATUSES = frozenset({"eligible", "assigned", "investigated", "approved", "noticed", "recheck", "rejected"})
ORGANISATIONS = (
    ("platform", 0),
    ("custodian", 1),
    ("auditor-1", 2),
    ("auditor-2", 2),
    ("assessor-1", 3),
    ("assessor-2", 3),
    ("assessor-3", 3),
    ("assessor-4", 3),
    ("hospital", 4),
)


def derive_seed(*parts: str | int) -> bytes:
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()


def build_keys() -> dict[str, SigningKey]:
    """Return the signing keys of all organisations by name."""
    return {name: SigningKey(derive_seed("organisation", name)) for name, _ in ORGANISATIONS}


def build_links(index: int) -> list[bytes]:
    """Return a validator's reveals in the order of use."""
    links = [derive_seed("reveal", index)]
    for _ in range(LINKS):
        links.append(sha256(links[-1]))
    links.reverse()
    return links


def build_genesis(
    terms: PlanTerms,
    *,
    time_ms: int,
    clock: tuple[ClockPoint, ...] = (),
    parameters: Parameters | None = None,
) -> Genesis:
    """Build a genesis with four validators whose network part is made up."""
    keys = build_keys()
    organisations = tuple(
        Organisation(
            name=name,
            role=role,
            group=f"group-{name}",
            key=keys[name].public_key,
            recovery_key=ZERO_HASH if role > 2 else SigningKey(derive_seed("recovery", name)).public_key,
        )
        for name, role in ORGANISATIONS
    )
    validators = tuple(
        Validator(
            organisation=name,
            key=SigningKey(derive_seed("validator", name)).public_key,
            checkpoint_key=SigningKey(derive_seed("checkpoint", name)).public_key,
            tls_pin=derive_seed("tls", name),
            tls_certificate=b"",
            address=f"127.0.0.1:{9000 + index}",
            reveal_anchor=build_links(index)[0],
        )
        for index, (name, _) in enumerate(ORGANISATIONS[:4])
    )
    genesis = Genesis(
        format=1,
        name="local",
        domain="example.org",
        time_ms=time_ms,
        parameters=parameters or Parameters(),
        organisations=organisations,
        validators=validators,
        plans=(GenesisPlan(plan="demo", account="demo-account", opening_fen=0, terms=terms),),
        clock=clock,
    )
    validate_genesis(genesis)
    return genesis


class LocalChain:
    """One ledger that grows by calls."""

    def __init__(self, genesis: Genesis, path: Path) -> None:
        self.genesis = genesis
        self.chain_id = compute_chain_id(genesis)
        self.store = Store(path, self.chain_id)
        self.ledger = Ledger(self.store, genesis)
        self._links = [iter(build_links(index)[1:]) for index in range(len(genesis.validators))]

    def execute(self, transactions: Sequence[Transaction], timestamp_ms: int) -> Executed:
        """Execute a block without committing it; may be called once for each block that is committed."""
        turn = (self.ledger.height + 1) // self.genesis.parameters.tenure % len(self._links)
        return execute_block(
            self.ledger,
            Draft(
                timestamp_ms=timestamp_ms,
                proposer=self.genesis.validators[turn].key,
                reveal=next(self._links[turn]),
                parent_certificate=self.ledger.certificate,
                transactions=tuple(transactions),
            ),
        )

    def commit(self, executed: Executed) -> None:
        certificate = Certificate(height=executed.header.height, view=0, block_hash=executed.block_hash, votes=())
        self.ledger.commit(executed, certificate)

    def add_block(self, transactions: Sequence[Transaction], timestamp_ms: int) -> Executed:
        executed = self.execute(transactions, timestamp_ms)
        self.commit(executed)
        return executed

    def close(self) -> None:
        self.store.close()

    def scan(self, table: Table[V], *parts: bytes | str | int, arity: int) -> Iterator[tuple[bytes, V]]:
        """Yield (last 32 bytes of the key, record) of a table."""
        prefix = layout.STATE + table.prefix(*parts, arity=arity)
        for key, value in self.store.iterate(start=prefix, stop=layout.prefix_end(prefix)):
            yield key[-32:], table.codec.decode(value)

    def require(self, table: Table[V], *parts: bytes | str | int) -> V:
        value = self.ledger.read(table.key(*parts), table.codec)
        if value is None:
            raise InvariantViolation(f"no {table.name} {parts!r}")
        return value


class LocalBackend:
    """The demo's backend on a `LocalChain`: each look makes one block, a quarter of a wall second after the
    last."""

    def __init__(self, chain: LocalChain, *, wall_ms: int, step_ms: int = 250) -> None:
        self.chain = chain
        self.wall_ms = wall_ms
        self.step_ms = step_ms
        self._waiting: list[Transaction] = []
        self._outcomes: list[Outcome] = []

    async def look(self, world: World, *, with_members: bool) -> None:
        world.height = self.chain.ledger.height
        world.time_ms = self.chain.ledger.header.timestamp_ms
        plan = self.chain.require(PLAN, world.plan_name)
        pool = self.chain.require(POOL, world.plan_name, 0)
        world.plan = PlanView(
            status=PLAN_STATUS_NAMES[plan.status],
            period=pool.settlements,
            share_index=pool.share_index,
            is_window=pool.is_window,
            version=pool.version,
            rules_hash=self.chain.require(VERSION, world.plan_name, pool.version).terms_hash,
            fee_payable=pool.fee_payable,
        )
        if world.asked_roles:
            world.tasks = tuple(self._view_tasks(world))
        world.claims = tuple(self._view_claims())
        world.instructions = tuple(
            InstructionView(
                instruction=key,
                kind=INSTRUCTION_KIND_NAMES[record.kind],
                amount=record.amount,
                created_day=record.created_day,
                claim=record.claim,
                attempt=record.attempt,
            )
            for key, record in self.chain.scan(INSTRUCTION, arity=1)
            if record.state == INSTRUCTION_READY
        )
        periods = [self.chain.require(PERIOD, world.plan_name, 0, k) for k in range(pool.settlements)]
        world.batches = tuple(
            BatchView(period=k, root=period.batch_root)
            for k, period in enumerate(periods)
            if period.batch_root != ZERO_HASH
        )
        if with_members:
            world.members = {
                key: self._view_member(key, record, pool) for key, record in self.chain.scan(MEMBER, arity=1)
            }
            world.members_height = world.height

    def _view_claims(self) -> Iterator[ClaimView]:
        for key, record in self.chain.scan(CLAIM, arity=1):
            status = CLAIM_STATUS_NAMES[record.status]
            if status in OPEN_STATUSES:
                firms = tuple(
                    FirmView(
                        organisation=firm.organisation,
                        is_accepted=firm.is_accepted,
                        is_committed=firm.commit_hash is not None,
                        is_revealed=firm.is_revealed,
                    )
                    for firm in record.firms
                )
                yield ClaimView(
                    claim=key,
                    status=status,
                    filed_day=record.filed_day,
                    firms=firms,
                    has_certificate=record.certificate is not None,
                )

    def _view_tasks(self, world: World) -> Iterator[TaskView]:
        """Yield the tasks as the explorer lists them."""
        with closing(StoreReader(self.chain.store, self.chain.genesis).open_snapshot()) as snapshot:
            for _, task in read_tasks(snapshot, world.plan_name)(None, False, 0):
                if set(task.roles) & set(world.asked_roles):
                    subject = bytes.fromhex(task.subject)
                    yield TaskView(kind=task.kind, subject=subject, organisations=tuple(task.organisations))

    async def find_jurors(self, case: bytes, keys: Mapping[bytes, SigningKey]) -> tuple[tuple[bytes, ...], bool]:
        read = self.chain.ledger.read
        found = sorted(member for member in keys if read(JUROR.key(member, case), JUROR.codec) is not None)
        return tuple(found), True

    def _view_member(self, key: bytes, record: MemberRecord, pool: PoolRecord) -> MemberView:
        status = MEMBER_STATUS_NAMES[record.status]
        if record.status == MEMBER_SHARING:
            status = "covered"
            if is_suspended(record, pool.share_index):
                status = "suspended"
        return MemberView(
            member=key,
            status=status,
            weight=record.weight,
            balance=get_balance(record, pool.share_index),
        )

    async def send(self, parcels: list[Parcel]) -> None:
        self.put([parcel.transaction for parcel in parcels])
        self.make_block()

    def put(self, transactions: Sequence[Transaction]) -> None:
        """Let transactions wait for the next block."""
        self._waiting.extend(transactions)

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def make_block(self) -> None:
        """Make one block of what waits, within the limits of a block."""
        self.wall_ms += self.step_ms
        parent = self.chain.ledger.header.timestamp_ms
        timestamp = max(parent + 1, to_block_ms(self.chain.genesis.clock, self.wall_ms))
        limits = self.chain.genesis.parameters
        taken: list[Transaction] = []
        items = 0
        while self._waiting and items + count_items(self._waiting[0].body.call) <= limits.block_items_max:
            items += count_items(self._waiting[0].body.call)
            taken.append(self._waiting.pop(0))
        executed = self.chain.add_block(taken, timestamp)
        self._outcomes.extend(build_outcome(receipt) for receipt in executed.outcomes if receipt.tx_id != ZERO_HASH)

    async def collect(self) -> list[Outcome]:
        outcomes, self._outcomes = self._outcomes, []
        return outcomes


def build_outcome(receipt: Receipt) -> Outcome:
    codes = [event.deposit_code for event in receipt.events if isinstance(event, MemberApplied)]
    return Outcome(
        code=get_entry_by_number(receipt.outcome).code,
        tx_id=receipt.tx_id,
        items=tuple(get_entry_by_number(number).code for number in receipt.items),
        deposit_code=codes[0] if codes else 0,
    )


def build_report(chain: LocalChain, *, plan: str = "demo") -> Report:
    """Read from the ledger what the demo's report reads from nodes."""
    pool = chain.require(POOL, plan, 0)
    terms = chain.genesis.plans[0].terms.pool
    records = [chain.require(SETTLEMENT, plan, 0, k) for k in range(pool.settlements)]
    claims: dict[str, int] = {}
    for _, claim in chain.scan(CLAIM, arity=1):
        status = CLAIM_STATUS_NAMES[claim.status]
        claims[status] = claims.get(status, 0) + 1
    header = chain.ledger.header
    roots = RootFigures(
        node="local",
        block_hash=chain.ledger.head_hash.hex(),
        state_root=header.state_root.hex(),
        log_root=header.log_root.hex(),
    )
    return Report(
        height=header.height,
        plan_status=PLAN_STATUS_NAMES[chain.require(PLAN, plan).status],
        caps=CapFigures(
            per_case=terms.cap_per_case_fen,
            per_period=terms.cap_per_period_fen,
            per_year=terms.cap_per_year_fen,
        ),
        pool=PoolFigures(
            cash=pool.cash,
            member_money=pool.tree_money,
            plain=pool.plain,
            carry=pool.carry,
            aid_payable=pool.aid_payable,
            fee_held=pool.fee_held,
            fee_payable=pool.fee_payable,
            outgoing=pool.outgoing,
            unmatched=pool.unmatched,
            collected=pool.collected,
            spent=pool.spent,
            settlements=pool.settlements,
        ),
        members=tuple(
            MemberFigures(
                status=MEMBER_STATUS_NAMES[member.status],
                weight=member.weight,
                balance=get_balance(member, pool.share_index),
            )
            for _, member in chain.scan(MEMBER, arity=1)
        ),
        payouts=tuple(
            PayoutFigures(
                kind=INSTRUCTION_KIND_NAMES[record.kind],
                state=INSTRUCTION_STATE_NAMES[record.state],
                amount=record.amount,
                is_claim=record.claim is not None,
            )
            for _, record in chain.scan(INSTRUCTION, arity=1)
        ),
        claims=claims,
        settlements=tuple(build_settlement(k, record) for k, record in enumerate(records)),
        credits=add_credits(chain),
        calls=count_calls(chain),
        roots=(roots,),
    )


def build_settlement(number: int, record: SettlementRecord) -> SettlementFigures:
    return SettlementFigures(
        number=number,
        day=date.fromordinal(record.day + ORDINAL_1970).isoformat(),
        members=record.members,
        units=record.units,
        units_full=record.units_full,
        units_part=record.units_part,
        part_paid=record.part_paid,
        per=record.per,
        per_max=record.per_max,
        index_before=record.index_before,
        year_index=record.year_index,
        cost=record.cost,
        collected=record.collected,
        carry_before=record.carry_before,
        carry_after=record.carry_after,
        cases=record.cases,
        items=tuple(
            ItemFigures(
                kind="aid" if item.kind == 0 else "share_refund",
                asked=item.amount,
                fee_bp=item.fee_bp,
                granted=item.granted,
                fee=item.fee,
                rest_carried=item.rest_carried,
                rest_ended=item.rest_ended,
                is_carried=item.is_carried,
            )
            for item in record.items
        ),
        tree_root=record.tree_root,
        proofs=record.proofs,
    )


def add_credits(chain: LocalChain) -> CreditFigures:
    """Add up what the receipts of the whole chain say about credits."""
    credited = taken = arrears = reinstated = matched = recalled = from_members = interest = 0
    for _, data in chain.store.iterate(start=layout.RECEIPT, stop=layout.prefix_end(layout.RECEIPT)):
        for event in receipt_codec.decode(data).events:
            if isinstance(event, DepositCredited):
                credited += event.amount
                taken += event.taken
            elif isinstance(event, MemberReinstated):
                arrears += event.arrears
                reinstated += 1
            elif isinstance(event, DepositMatched):
                matched += event.taken
            elif isinstance(event, DepositReversed):
                recalled += event.taken
                from_members += event.taken if event.member is not None else 0
            elif isinstance(event, CashBooked):
                interest += event.taken
    return CreditFigures(
        credited=credited,
        taken=taken,
        arrears=arrears,
        reinstated=reinstated,
        matched=matched,
        recalled=recalled,
        recalled_from_members=from_members,
        interest=interest,
    )


def count_calls(chain: LocalChain) -> dict[str, int]:
    """Return how many transactions of each rare call succeeded."""
    counts = dict.fromkeys(STORY_CALLS, 0)
    start, stop = layout.TRANSACTION, layout.prefix_end(layout.TRANSACTION)
    for key, raw in chain.store.iterate(start=start, stop=stop):
        if not raw:
            continue
        name = get_call_name(decode_transaction(raw).body.call)
        receipt = chain.store.get(layout.RECEIPT + key[len(layout.TRANSACTION) :])
        if name in counts and receipt is not None and receipt_codec.decode(receipt).outcome == 0:
            counts[name] += 1
    return counts
