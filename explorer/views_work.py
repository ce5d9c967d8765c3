"""Answers about daily work: deposits, statements, what the bank is to pay, calendar, reminders (`answers_work.py`)."""

from collections.abc import Iterator
from datetime import date

from msgspec import UNSET

from chain.contract.calendar import get_next_notice
from chain.contract.context import compute_day
from chain.contract.custody_tables import (
    ACCOUNT,
    INSTRUCTION,
    INSTRUCTION_KIND_NAMES,
    STATEMENT_STATE_NAMES,
    DepositRecord,
    InstructionRecord,
    StatementRecord,
)
from chain.contract.payout import SILENCE_DAYS
from chain.contract.settlement_tables import PERIOD, PERIOD_COMPUTED, PERIOD_NOTICE, PERIOD_OPEN, PeriodRecord
from chain.contract.shares import get_balance
from chain.contract.statement import STATEMENT_OVERDUE_DAYS
from chain.contract.tables import MEMBER, POOL, VERSION, PlanRecord
from chain.contract.terms import PoolTerms
from chain.trie import sum_key
from explorer.answers_work import (
    CalendarAnswer,
    CalendarEntry,
    DepositAnswer,
    ReadyAnswer,
    ReminderAnswer,
    StatementAnswer,
)
from explorer.pagination import Rows
from explorer.privacy import is_payee_withheld
from explorer.reader import ChainSnapshot, Record
from explorer.represent import build_money, format_day, get_name
from explorer.tasks import ACK_DAYS
from explorer.views_chain import require

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def parse_day(text: str) -> int:
    """Return the plan day of a date YYYY-MM-DD."""
    return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL


# --- deposits and statements --------------------------------------------------------------------------------


def get_deposit_state(deposit: DepositRecord) -> str:
    """Return what became of a deposit in one word."""
    if deposit.returned == deposit.amount:
        return "returned"
    if deposit.taken == deposit.amount:
        return "credited"
    return "partly_unmatched" if deposit.taken else "unmatched"


def build_deposit(record: Record, deposit: DepositRecord) -> DepositAnswer:
    """Return one deposit."""
    account, booking_day, ref_token = record.parts
    return DepositAnswer(
        account=str(account),
        booking_day=format_day(int(booking_day)),
        ref_token=ref_token.hex() if isinstance(ref_token, bytes) else "",
        value_day=format_day(deposit.value_day),
        amount=build_money(deposit.amount),
        credited=build_money(deposit.taken),
        unmatched=build_money(deposit.amount - deposit.taken - deposit.returned),
        returned=build_money(deposit.returned),
        state=get_deposit_state(deposit),
        deposit_code=deposit.deposit_code or None,
        member=None if deposit.member is None else deposit.member.hex(),
    )


def build_statement(record: Record, statement: StatementRecord) -> StatementAnswer:
    """Return one statement."""
    account, number = record.parts
    return StatementAnswer(
        account=str(account),
        statement=int(number),
        from_day=format_day(statement.from_day),
        to_day=format_day(statement.to_day),
        opening=build_money(statement.opening),
        closing=build_money(statement.closing),
        in_count=statement.in_count,
        in_sum=build_money(statement.in_sum),
        out_count=statement.out_count,
        out_sum=build_money(statement.out_sum),
        file_hash=statement.file_hash.hex(),
        is_matched=statement.is_matched,
        state=get_name(STATEMENT_STATE_NAMES, statement.state),
        expected_closing=build_money(statement.expected_closing),
    )


# --- instructions -------------------------------------------------------------------------------------------


def read_ready(snapshot: ChainSnapshot, plan: str, pool: int) -> Rows[tuple[bytes, InstructionRecord]]:
    """Return the rows of what the bank has not answered, oldest first."""

    def read_rows(
        start: bytes | None, is_backward: bool, began: int
    ) -> Iterator[tuple[bytes, tuple[bytes, InstructionRecord]]]:
        del began
        for position, _, instruction in snapshot.scan_ready((plan, pool), start=start, is_reversed=is_backward):
            yield position, (instruction, require(snapshot, INSTRUCTION, instruction))

    return read_rows


def build_ready(
    instruction: bytes, record: InstructionRecord, *, today: int, is_held: bool, is_scoped: bool
) -> ReadyAnswer:
    """Return one order to the bank; `is_scoped` adds what links a claim to a member (contract 6)."""
    is_withheld = is_payee_withheld(record)
    due = record.created_day + ACK_DAYS
    deposit = record.deposit
    return ReadyAnswer(
        instruction=instruction.hex(),
        kind=get_name(INSTRUCTION_KIND_NAMES, record.kind),
        amount=build_money(record.amount),
        fee=build_money(record.fee),
        created=format_day(record.created_day),
        due=format_day(due),
        is_overdue=today >= due,
        is_held=is_held,
        attempt=record.attempt,
        period=record.period,
        return_of=None if deposit is None else f"{deposit[0]}/{format_day(deposit[1])}/{deposit[2].hex()}",
        account_token=_hex(record.account_token) if is_scoped else UNSET,
        member=_hex(record.member) if is_scoped or not is_withheld else UNSET,
        claim=_hex(record.claim) if is_withheld else UNSET,
    )


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


# --- calendar -----------------------------------------------------------------------------------------------


def build_calendar(snapshot: ChainSnapshot, plan: str, record: PlanRecord, *, periods: int) -> CalendarAnswer:
    """Return the days ahead: open periods as recorded, later ones by the terms, deadlines of batch and statement."""
    today = compute_day(snapshot.head.timestamp_ms, record.utc_offset_minutes)
    entries: list[tuple[int, CalendarEntry]] = []

    def add(day: int, kind: str, pool: int, period: int | None, *, is_fixed: bool = True) -> None:
        entry = CalendarEntry(day=format_day(day), kind=kind, pool=pool, period=period, is_fixed=is_fixed)
        entries.append((day, entry))

    for number in range(record.pools):
        pool = require(snapshot, POOL, plan, number)
        terms = require(snapshot, VERSION, plan, pool.version).terms.pool
        account = require(snapshot, ACCOUNT, pool.account)
        add(account.closed_day + STATEMENT_OVERDUE_DAYS + 1, "statement_overdue", number, None)
        scheduled = today
        for k in range(max(0, pool.settlements - 1), pool.settlements + 1):
            period = snapshot.read(PERIOD, plan, number, k)
            if period is not None:
                for day, kind in _list_period_days(period, terms):
                    add(day, kind, number, k, is_fixed=period.status != PERIOD_OPEN)
                scheduled = period.scheduled_day
        for k in range(pool.settlements + 1, pool.settlements + periods):
            notice, charge = get_next_notice(scheduled, terms)
            add(notice, "notice", number, k, is_fixed=False)
            add(notice + terms.notice_full_days_min, "confirm_from", number, k, is_fixed=False)
            add(charge, "charge", number, k, is_fixed=False)
            scheduled = charge
    entries.sort(key=lambda pair: pair[0])
    return CalendarAnswer(plan=plan, today=format_day(today), entries=[entry for _, entry in entries])


def _list_period_days(period: PeriodRecord, terms: PoolTerms) -> list[tuple[int, str]]:
    if period.status == PERIOD_COMPUTED:
        return [(period.computed_day + SILENCE_DAYS, "batch_silence")]
    if period.status not in (PERIOD_OPEN, PERIOD_NOTICE):
        return []
    return [
        (period.notice_day, "notice"),
        (period.notice_day + terms.notice_full_days_min, "confirm_from"),
        (period.charge_day, "charge"),
    ]


# --- reminders ----------------------------------------------------------------------------------------------


def read_reminders(snapshot: ChainSnapshot, plan: str, pool: int, *, below: int) -> Rows[ReminderAnswer]:
    """Return the rows of the paying members whose leaf holds less than `below` fen a unit, poorest first.

    The tree is ordered by (X, pseudonym), so the rows are a range of ranks: nothing else is read.
    """
    record = require(snapshot, POOL, plan, pool)
    index = record.share_index
    total = snapshot.read_pool_sums((plan, pool), 0).count
    first = total - snapshot.read_pool_sums((plan, pool), index).count
    last = total - snapshot.read_pool_sums((plan, pool), min(index + below, 2**31)).count

    def find_rank(key: bytes) -> int:
        """Return how many leaves of the range lie before a key."""
        low, high = first, last
        while low < high:
            middle = (low + high) // 2
            x, pseudonym = snapshot.read_leaf_at((plan, pool), middle)
            if sum_key(x=x, pseudonym=pseudonym) < key:
                low = middle + 1
            else:
                high = middle
        return low

    def read_rows(start: bytes | None, is_backward: bool, began: int) -> Iterator[tuple[bytes, ReminderAnswer]]:
        del began
        rank = (last if is_backward else first) if start is None else find_rank(start)
        ranks = range(rank - 1, first - 1, -1) if is_backward else range(rank, last)
        for place in ranks:
            x, pseudonym = snapshot.read_leaf_at((plan, pool), place)
            key = sum_key(x=x, pseudonym=pseudonym)
            if key == start:
                continue
            member = require(snapshot, MEMBER, pseudonym)
            yield (
                key,
                ReminderAnswer(
                    member=pseudonym.hex(),
                    weight=member.weight,
                    left=build_money(x - index),
                    balance=build_money(get_balance(member, index)),
                    deposit_code=member.deposit_code,
                ),
            )

    return read_rows
