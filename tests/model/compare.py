"""What the contract and the model must agree on after each act, to the fen and to the word."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import msgspec

from chain.contract.claim_tables import CLAIM, CLAIM_STATUS_NAMES
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    INSTRUCTION,
    INSTRUCTION_KIND_NAMES,
    INSTRUCTION_STATE_NAMES,
)
from chain.contract.governance_tables import ACCOUNT_MOVED
from chain.contract.halves import HALF, hash_call
from chain.contract.member_key_tables import ACCOUNT_CHANGE, DEATH, HAND_OVER, REKEY
from chain.contract.money_tables import RECONCILIATION, RELEASE, RESOLUTION, RESOLUTION_STATUS_NAMES
from chain.contract.person_tables import ERASURE, GHOST_DRAW, INDEX_EPOCH, VOID, VOID_STAGE_NAMES
from chain.contract.settlement_tables import PERIOD, PERIOD_STATUS_NAMES
from chain.contract.shares import compute_shares_paid, get_arrears, get_balance, is_covered, is_lapsed
from chain.contract.tables import (
    MEMBER,
    MEMBER_STATUS_NAMES,
    PERSON,
    PLAN_STATUS_NAMES,
    POOL,
    MemberRecord,
    PoolRecord,
)
from chain.contract.version_tables import MOVE, VERSION_MEMBERS, VERSION_STATE, VERSION_STATUS_NAMES
from tests.chain.contract.world import PLAN_NAME, World
from tests.model import deposits
from tests.model.book import Book, Member, Pool
from tests.model.compare_claims import compare_cases as compare_claims_as_cases
from tests.model.compare_house import compare_house
from tests.model.epochs import count_left
from tests.model.members import count_children
from tests.model.statements import find_oldest_open

COVER_DAYS = (-40, -21, -9, -3, -2, -1, 0, 1, 4, 10)
"""Days from today for which cover is compared."""


RECENT = 3
"""Periods of which also closed ones are compared."""


class Disagreement(AssertionError):
    """Contract and model differ, unlike an assertion of the harness, which says nothing about either."""


@contextmanager
def comparing() -> Iterator[None]:
    """Let an assertion that fails inside be a `Disagreement`."""
    try:
        yield
    except AssertionError as error:
        raise Disagreement(*error.args) from error


@comparing()
def compare(world: World, book: Book) -> None:
    """Raise `Disagreement` at the first difference."""
    assert (PLAN_STATUS_NAMES[world.plan.status], world.plan.wind_day) == (book.status, book.wind_day)
    assert (world.plan.pools, world.plan.versions) == (len(book.pools), len(book.versions))
    for pool in book.pools:
        compare_pool(world, book, pool)
    for member_id, member in book.members.items():
        compare_member(world, book, member_id, member)
        compare_cases(world, book, member_id)
    compare_instructions(world, book)
    compare_claims(world, book)
    compare_claims_as_cases(world, book)
    compare_house(world, book)
    compare_persons(world, book)
    compare_versions(world, book)
    compare_halves(world, book)
    compare_samples(world, book)


def compare_pool(world: World, book: Book, pool: Pool) -> None:
    record = world.state.require(POOL, PLAN_NAME, pool.number)
    names = ["version", "settlements", "is_window", "carry", "aid_payable", "fee_held", "fee_payable", "outgoing"]
    names += ["unmatched", "cash", "interest", "recovered", "unclaimed", "instructions"]
    found = {name: getattr(record, name) for name in names}
    expected = {name: getattr(pool, name) for name in names}
    assert found == expected, {name: (found[name], expected[name]) for name in names if found[name] != expected[name]}
    assert record.tree_money + record.plain == sum(member.balance for member in book.members_of(pool))
    assert book.total(pool) == pool.cash
    waiting = [tail - head for head, tail in (record.queue_exits, record.queue_entries)]
    assert sum(waiting) == len(pool.queue)
    for number, period in [*enumerate(pool.periods), *pool.batches.items()]:
        if period.status == "closed" and number < pool.settlements - RECENT:
            continue
        shown = world.state.require(PERIOD, PLAN_NAME, pool.number, number)
        assert PERIOD_STATUS_NAMES[shown.status] == period.status, number
        assert (shown.notice_day, shown.charge_day) == (period.notice_day, period.charge_day)
        assert list(shown.instructions) == period.instructions
        assert list(shown.signed_by) == period.signed
        assert shown.members_at_notice == period.members_at_notice
        period.root = shown.batch_root
    compare_account(world, book, record, pool)


def compare_account(world: World, book: Book, record: PoolRecord, pool: Pool) -> None:
    custody = pool.custody
    account = world.state.require(ACCOUNT, record.account)
    oldest = find_oldest_open(custody)
    assert (record.account, account.closed_day) == (custody.name, custody.closed_day)
    assert (account.statements, account.is_matched) == (len(custody.statements), oldest is None)
    for former, after in pairwise((*pool.former, custody)):
        kept = world.state.require(ACCOUNT, former.name)
        assert (kept.closed_day, kept.statements) == (former.closed_day, len(former.statements))
        assert world.state.require(ACCOUNT_MOVED, former.name).account == after.name
    if pool.former:
        days = range(custody.closed_day + 1, book.day + 1)
        moved = {day: world.state.get(BOOKING_DAY, custody.name, day) for day in days}
        booked = {day: msgspec.structs.astuple(one) for day, one in moved.items() if one is not None}
        assert booked == {day: one for day, one in custody.booked.items() if day > custody.closed_day}
    shown = world.state.get(RECONCILIATION, custody.name)
    assert (None if shown is None else shown.statement) == oldest
    assert (0 if shown is None else shown.owed) == custody.owed
    if oldest is not None and (custody.name, oldest) in book.explanations:
        resolution = world.state.require(RESOLUTION, custody.name, oldest)
        assert RESOLUTION_STATUS_NAMES[resolution.status] == book.explanations[custody.name, oldest].name


def compare_member(world: World, book: Book, member_id: bytes, member: Member) -> None:
    record = world.state.require(MEMBER, member_id)
    pool = world.state.require(POOL, PLAN_NAME, record.pool)
    index = pool.share_index
    status = MEMBER_STATUS_NAMES[record.status]
    found = (status, record.pool, record.version)
    assert found == (member.status, member.pool, member.version), (member_id.hex(), found, member)
    owned = (record.key, record.weight, get_balance(record, index), record.cash, record.is_leaf, record.aid_received)
    expected = (member.key, member.weight, member.balance, member.cash, member.is_leaf, member.aid)
    assert owned == expected, (status, owned, expected)
    assert (record.account_token, record.holder_kind) == (member.account, member.holder)
    assert (record.guardian, record.children) == (member.guardian, count_children(book, member_id))
    assert (record.claim, record.is_admitted) == (member.claim, member.is_admitted)
    assert get_arrears(record, index) == member.arrears
    assert (record.entry_day, record.last_cover_year) == (member.entry_day, member.last_year), status
    if member.is_leaf:
        assert (record.cover_from, record.accident_from) == (member.cover_from, member.accident_from), status
    assert compute_shares_paid(record, index) == member.paid, status
    if member.is_leaf and member.arrears:
        grace = book.pool_terms(book.pool_of(member)).grace_periods
        assert is_lapsed(world.state, record, pool, grace) == deposits.is_lapsed(book, member)
    if member.entry_day:
        for day in range(book.day + COVER_DAYS[0], book.day + COVER_DAYS[-1], 5):
            compare_cover(world, book, pool, record, member, day)
        compare_cover(world, book, pool, record, member, book.day)


def compare_cover(world: World, book: Book, pool: PoolRecord, record: MemberRecord, member: Member, day: int) -> None:
    if day > book.day and member.status != "moving":
        return
    assert is_covered(world.state, record, pool, day, False) == (day in member.covered), (day, "illness")
    assert is_covered(world.state, record, pool, day, True) == (day in member.covered_accident), (day, "accident")


def compare_cases(world: World, book: Book, member_id: bytes) -> None:
    """Compare what only few members have at a time."""
    state, member = world.state, book.members[member_id]
    wish = state.get(ACCOUNT_CHANGE, member_id)
    found = None if wish is None else (wish.account_commitment, wish.due_day)
    assert found == book.wishes.get(member_id)
    rekey = state.get(REKEY, member_id)
    assert (None if rekey is None else rekey.new_key) == book.rekeys.get(member_id, (None, None))[0]
    hand_over = state.get(HAND_OVER, member_id)
    assert (None if hand_over is None else hand_over.majority_year) == member.majority_year
    if hand_over is not None:
        asked = (hand_over.due_day > 0, hand_over.has_key)
        assert asked == (member.hand_over_asked, member.has_own_key)
    assert (state.get(DEATH, member_id) is not None) == (member_id in book.deaths)
    hearing = state.get(VOID, member_id)
    assert (hearing is not None) == (member_id in book.hearings)
    if hearing is not None:
        assert VOID_STAGE_NAMES[hearing.stage] == book.hearings[member_id].name
    erasure = state.get(ERASURE, member_id)
    assert (erasure is not None) == (member_id in book.erasures)
    if erasure is not None:
        stage = book.erasures[member_id]
        assert (erasure.erased_day > 0, list(erasure.receipts)) == (stage.name == "erased", stage.receipts)
    move = state.get(MOVE, member_id)
    assert (move is not None) == (member.move is not None)


def compare_instructions(world: World, book: Book) -> None:
    for instruction, expected in book.instructions.items():
        record = world.state.require(INSTRUCTION, instruction)
        found = (INSTRUCTION_KIND_NAMES[record.kind], INSTRUCTION_STATE_NAMES[record.state], record.amount, record.fee)
        assert found == (expected.kind, expected.state, expected.amount, expected.fee), (found, expected)
        assert (record.member, record.claim) == (expected.member, expected.claim)
        assert (record.account_token, record.attempt) == (expected.account, expected.attempt), expected
        assert (record.deposit, record.to_account) == (expected.deposit, expected.to_account)
        is_released = world.state.get(RELEASE, instruction) is not None
        assert is_released == (instruction in book.released)


def compare_claims(world: World, book: Book) -> None:
    """Compare what claims are granted and paid."""
    for claim_id, claim in book.claims.items():
        record = world.state.require(CLAIM, claim_id)
        assert CLAIM_STATUS_NAMES[record.status] == claim.status, claim
        found = (record.amount, record.granted, record.paid, record.rest, record.payee_kind)
        assert found == (claim.amount, claim.granted, claim.paid, claim.rest, claim.payee_kind), (found, claim)


def compare_persons(world: World, book: Book) -> None:
    record = world.state.get(INDEX_EPOCH, PLAN_NAME)
    if record is not None:
        pending = None if record.pending is None else (record.pending.epoch, record.pending.due_day)
        assert (record.epoch, record.newest, pending) == (book.epoch, book.epoch_newest, book.epoch_pending)
        assert record.persons == len(book.persons)
        assert (0 if record.pending is None else record.pending.left) == count_left(book)
    for index, person in book.persons.items():
        shown = world.state.require(PERSON, PLAN_NAME, index)
        assert (shown.member, shown.is_barred) == (person.member, person.is_barred)


def compare_versions(world: World, book: Book) -> None:
    for number, version in enumerate(book.versions):
        record = world.state.require(VERSION_STATE, PLAN_NAME, number)
        assert VERSION_STATUS_NAMES[record.status] == version.status, number
        assert (record.superseded_by, record.superseded_day) == (version.superseded_by, version.superseded_day)
        shown = world.state.get(VERSION_MEMBERS, PLAN_NAME, number)
        pinned = sum(1 for member in book.members.values() if not member.is_gone and member.version == number)
        assert (0 if shown is None else shown.pinned) == pinned, number


def compare_halves(world: World, book: Book) -> None:
    for call, half in book.halves.items():
        record = world.state.require(HALF, PLAN_NAME, hash_call(call))
        signed = sorted(party.signed_by for party in record.parties if party.signed_by is not None)
        assert signed == sorted(name for name, _ in half.signed.values()), (record.name, signed, half)


@comparing()
def compare_all_halves(world: World, book: Book) -> None:
    """Compare which calls wait for signatures at the end of a block: none that the model knows nothing of."""
    prefix = HALF.prefix(PLAN_NAME, arity=2)
    kept = {key[-32:] for key in world.base.values if key.startswith(prefix)}
    assert kept == {bytes(hash_call(call)) for call in book.halves}


def compare_samples(world: World, book: Book) -> None:
    for (pool, number), sample in book.samples.items():
        record = world.state.require(GHOST_DRAW, PLAN_NAME, pool, number)
        assert set(record.sample) == sample.what
        assert (record.auditor, record.is_overdue) == (sample.by, sample.name == "overdue")
        assert (record.reported_by is not None, record.bound_ppm) == (sample.name == "reported", sample.bound_ppm)
