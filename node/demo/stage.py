"""The stage: brings actors and chain together, tick by tick.

One tick collects what became final, looks at the chain, lets every actor act, signs and sends. A tick never
waits for a transaction: what is not final yet is collected by a later one."""

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from chain.contract.terms import hash_terms
from chain.crypto import SigningKey
from chain.errors import ConfigError
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_HOSPITAL, ROLE_PLATFORM, Genesis
from chain.transaction import Transaction, build_transaction
from chain.types import ChainId
from node.demo.bank import Bank
from node.demo.cashier import Cashier
from node.demo.critics import Critics
from node.demo.institutions import Assessor, Auditor, Hospital, Institution, Platform
from node.demo.lawmaking import Lawmaking
from node.demo.members import Members
from node.demo.mishaps import Mishaps
from node.demo.orders import Order, Outcome
from node.demo.population import draw_population
from node.demo.registry import Registry
from node.demo.world import DAY_MS, World

AUDITORS_LOOK_DAYS = 3
NONCE_BYTES = 16
MEMBERS_EVERY_TICKS = 8
"""How often the members are listed, unless a charge makes it due."""


def draw_random_nonce() -> bytes:
    """Return a nonce that nobody foresees."""
    return secrets.token_bytes(NONCE_BYTES)


class Backend(Protocol):
    """Where the chain is: real nodes by REST, or a ledger in this process."""

    async def look(self, world: World, *, with_members: bool) -> None:
        """Write what the chain shows now into the world."""

    async def send(self, parcels: list["Parcel"]) -> None:
        """Hand transactions over; returns before they are final."""

    async def find_jurors(self, case: bytes, keys: Mapping[bytes, SigningKey]) -> tuple[tuple[bytes, ...], bool]:
        """Return which of these members (with their keys) are known to judge a case, and whether all have asked."""

    async def collect(self) -> list[Outcome]:
        """Return the outcomes that became final since the last call, each once."""


class Parcel(Struct, frozen=True):
    """One transaction with what belongs to it."""

    transaction: Transaction
    blob: bytes | None


class Cast(Struct, frozen=True):
    """All actors of the demo."""

    members: Members
    bank: Bank
    platform: Platform
    auditors: tuple[Auditor, ...]
    assessors: tuple[Assessor, ...]
    hospital: Hospital
    registry: Registry
    cashier: Cashier
    mishaps: Mishaps
    critics: Critics
    lawmaking: Lawmaking

    @property
    def institutions(self) -> tuple[Institution, ...]:
        """Return all institutions but the bank."""
        return (self.platform, *self.auditors, *self.assessors, self.hospital)

    def act(self, world: World) -> list[Order]:
        """Return what everybody does now; the bank last, so that today's transfers are booked today."""
        orders = self.members.act(world)
        if not self.members.is_retired:
            for side in (self.mishaps, self.critics, self.lawmaking, self.cashier):
                orders += side.act(world)
        for actor in self.institutions:
            orders += actor.act(world)
        return orders + self.bank.act(world)

    def list_asked_roles(self, world: World) -> tuple[str, ...]:
        """Return whose tasks somebody wants to see: auditors look every few days, jurors while a case is open."""
        roles = ("auditor",) if world.demo_day % AUDITORS_LOOK_DAYS == 0 else ()
        return (*roles, "juror") if self.critics.is_appeal_open else roles

    def count_abandoned(self) -> dict[str, int]:
        """Return how many errands were given up, by code."""
        counts = dict(self.registry.dropped)
        for errands in (
            self.members.errands,
            self.mishaps.errands,
            self.critics.errands,
            self.lawmaking.errands,
            self.bank.errands,
            *(actor.errands for actor in self.institutions),
        ):
            for code in errands.abandoned.values():
                counts[code] = counts.get(code, 0) + 1
        return counts


def build_cast(
    genesis: Genesis, keys: Mapping[str, SigningKey], *, seed: int, members: int, days: int
) -> tuple[Cast, World]:
    """Build the actors and what they see before their first look; `keys` by organisation name.

    Raises `ConfigError` where genesis names an organisation whose key is not given.
    """
    plan = genesis.plans[0]
    offset = plan.terms.pool.utc_offset_minutes
    start_day = (genesis.time_ms + offset * 60_000) // DAY_MS
    registry = Registry()
    people = draw_population(seed=seed, count=members, days=days, benefits=plan.terms.pinned.benefits)
    names = {
        role: [item.name for item in genesis.organisations if item.role == role]
        for role in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR, ROLE_ASSESSOR, ROLE_HOSPITAL)
    }
    missing = [item.name for item in genesis.organisations if item.name not in keys]
    if missing or not names[ROLE_HOSPITAL]:
        raise ConfigError(field="keys", reason=f"no signing key of {', '.join(missing) or 'a hospital'}")
    platform, custodian, hospital = (names[role][0] for role in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_HOSPITAL))
    auditors = names[ROLE_AUDITOR]
    members_of_plan = Members(people, seed=seed, rules_hash=hash_terms(plan.terms), registry=registry)
    bank = Bank(keys[custodian], seed=seed, account=plan.account, closed_day=start_day - 1, registry=registry)
    auditor = auditors[0]
    cast = Cast(
        members=members_of_plan,
        bank=bank,
        platform=Platform(platform, keys[platform], registry),
        auditors=tuple(
            Auditor(name, keys[name], registry, order=order, auditors=len(auditors), seed=seed, account=plan.account)
            for order, name in enumerate(auditors)
        ),
        assessors=tuple(Assessor(name, keys[name], registry) for name in names[ROLE_ASSESSOR]),
        hospital=Hospital(hospital, keys[hospital], registry),
        registry=registry,
        cashier=Cashier(bank, members_of_plan, registry, name=custodian, seed=seed, platform=platform, auditor=auditor),
        mishaps=Mishaps(members_of_plan, registry, seed=seed, platform=platform, auditor=auditor),
        critics=Critics(members_of_plan, registry, seed=seed),
        lawmaking=Lawmaking(members_of_plan, registry, plan.terms, platform=platform, auditor=auditor),
    )
    return cast, World(plan_name=plan.plan, utc_offset_minutes=offset, start_day=start_day)


class Stage:
    """One performance: the actors, the chain between them, and what is on its way."""

    def __init__(
        self,
        backend: Backend,
        cast: Cast,
        world: World,
        *,
        chain_id: ChainId,
        validity_ms: int,
        draw_nonce: Callable[[], bytes] = draw_random_nonce,
    ) -> None:
        """Prepare; `validity_ms` is how long, in block time, a transaction may take to be included.

        From `draw_nonce` follow the ids of transactions, and from those all lots.
        """
        self._draw_nonce = draw_nonce
        self.cast = cast
        self.world = world
        self.sent = 0
        self.codes: dict[str, int] = {}
        """How many transactions ended with each code."""
        self._backend = backend
        self._chain_id = chain_id
        self._validity_ms = validity_ms
        self._orders: dict[bytes, Order] = {}
        self._ticks = 0
        self._listed_period = -1
        self._asked_on = -1
        self._juries_known: set[bytes] = set()

    @property
    def in_flight(self) -> int:
        """Return how many transactions are not final yet."""
        return len(self._orders)

    async def tick(self) -> None:
        """Collect, look, act, send."""
        for outcome in await self._backend.collect():
            order = self._orders.pop(outcome.tx_id, None)
            if order is not None:
                self.codes[outcome.code] = self.codes.get(outcome.code, 0) + 1
                order.on_outcome(outcome)
        is_charged = self.world.plan.period != self._listed_period
        with_members = is_charged or self._ticks % MEMBERS_EVERY_TICKS == 0
        is_new_day = self.world.today != self._asked_on
        self.world.asked_roles = self.cast.list_asked_roles(self.world) if is_new_day else ()
        self._asked_on = self.world.today
        await self._backend.look(self.world, with_members=with_members)
        if with_members:
            self._listed_period = self.world.plan.period
        self._ticks += 1
        await self._find_jurors()
        parcels = [self.sign(order) for order in self.cast.act(self.world)]
        self.sent += len(parcels)
        await self._backend.send(parcels)

    async def _find_jurors(self) -> None:
        """Let each member look whether it was drawn for a jury that is asked to vote."""
        for task in self.world.tasks:
            if task.kind == "ballot_commit" and task.subject not in self._juries_known:
                voters = self.cast.members.list_voters(self.world)
                found, is_known = await self._backend.find_jurors(task.subject, voters)
                self.world.juries[task.subject] = found
                if found and is_known:
                    self._juries_known.add(task.subject)

    def sign(self, order: Order) -> Parcel:
        """Sign an order; its outcome is awaited from now on."""
        transaction = build_transaction(
            chain_id=self._chain_id,
            nonce=self._draw_nonce(),
            valid_until_ms=self.world.time_ms + self._validity_ms,
            call=order.call,
            key=order.key,
        )
        self._orders[transaction.tx_id] = order
        return Parcel(transaction=transaction, blob=order.blob)
