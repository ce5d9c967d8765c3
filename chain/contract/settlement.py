"""Notice and settlement of a period (contract 2 *Period*, 3.4); the arithmetic itself is in
settlement_math.py.

    OPEN --notice day--> NOTICE --charge day--> COMPUTED --batch signed--> INSTRUCTED --bank answered all--> CLOSED
                                                    +--(nothing to pay)--------------------------------------^

A settlement reads two range sums and writes the pool, one step of the index, its record with the proofs, and
what it pays: no member. It stands in the first block of its day, after every leaf change of before was put
into the tree.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.calendar import compute_year, get_next_notice
from chain.contract.claim_notice import open_notice
from chain.contract.claim_payment import on_settled
from chain.contract.claim_tables import CLAIM
from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION_AID
from chain.contract.events import NoticeOpened, PeriodClosed, PeriodSettled
from chain.contract.failed_payments import find_payee
from chain.contract.ghost_audit import run_ghost_draw
from chain.contract.organisations import get_confirmer, get_cosigner
from chain.contract.payout import Payment, compute_batch_root, create_instruction
from chain.contract.settlement_items import add_book_item, take_items
from chain.contract.settlement_math import Caps, Charge, CostItem, Grant, compute_charge
from chain.contract.settlement_tables import (
    PERIOD,
    PERIOD_CLOSED,
    PERIOD_COMPUTED,
    PERIOD_NOTICE,
    PERIOD_OPEN,
    SETTLEMENT,
    SHARE_STEP,
    ItemRecord,
    PeriodRecord,
    SettledItem,
    SettlementRecord,
    ShareStepRecord,
)
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.tables import ACT_CLAIMED_OUT
from chain.contract.terms import PoolTerms
from chain.contract.wind_down import BY_CONTRACT, begin_wind_down
from chain.contract.wind_tables import CAUSE_TOO_SMALL, CAUSE_UNFUNDABLE
from chain.contract.window import exit_member
from chain.state import Overlay, PoolTree
from chain.trie import sum_key
from chain.types import ZERO_HASH

UNPAID_CARRY: Final = 0


def build_period(terms: PoolTerms, *, after_day: int) -> PeriodRecord:
    """Return the open period whose notice day is the first after `after_day`."""
    notice_day, charge_day = get_next_notice(after_day, terms)
    return PeriodRecord(
        status=PERIOD_OPEN,
        notice_day=notice_day,
        charge_day=charge_day,
        scheduled_day=charge_day,
        units_at_notice=0,
        members_at_notice=0,
        claims=(),
        confirmer=None,
        cosigner=None,
        batch_root=ZERO_HASH,
        instructions=(),
        signed_by=(),
        computed_day=0,
        stopped_days=0,
        unacknowledged=0,
    )


def is_notice_due(period: PeriodRecord, day: int) -> bool:
    """Tell whether a period's notice is to open."""
    return period.status == PERIOD_OPEN and day >= period.notice_day


def is_settlement_due(period: PeriodRecord, day: int) -> bool:
    """Tell whether a period is to be charged."""
    return period.status == PERIOD_NOTICE and day >= period.charge_day


# --- notice ---


def run_notice(state: Overlay, context: Context, *, plan: str, number: int) -> None:
    """Fix count and claim list of the current period; the tree must hold every leaf change already."""
    book = open_book(state, context, plan, number)
    pool = book.pool
    period_number = pool.settlements
    period = state.require(PERIOD, plan, number, period_number)
    sums = state.tree((plan, number)).range_sums(pool.share_index)
    book.pool = replace(pool, is_window=True)
    save_book(state, book)
    # A notice that opened late keeps its full days in public (contract 3.1: never merged or skipped).
    charge_day = max(period.charge_day, book.today + book.terms.pool.notice_full_days_min + 1)
    opened = replace(
        period,
        status=PERIOD_NOTICE,
        notice_day=book.today,
        charge_day=charge_day,
        units_at_notice=sums.weight,
        members_at_notice=sums.count,
        confirmer=get_confirmer(state, period_number),
        cosigner=get_cosigner(state, period_number),
    )
    state.put(PERIOD, opened, plan, number, period_number)
    claims = open_notice(state, context, plan, number, period_number, book.today)
    state.put(PERIOD, replace(opened, claims=claims), plan, number, period_number)
    context.emit(
        NoticeOpened(
            plan=plan,
            pool=number,
            period=period_number,
            day=book.today,
            charge_day=charge_day,
            units=sums.weight,
            members=sums.count,
            claims=len(claims),
        )
    )
    if _is_too_small(state, book, period_number, members=sums.count):
        begin_wind_down(state, context, plan, cause=CAUSE_TOO_SMALL, by=BY_CONTRACT)


def _is_too_small(state: Overlay, book: PoolBook, period_number: int, *, members: int) -> bool:
    """Tell whether this and the previous notice, both after the launch, counted fewer than `members_min`."""
    terms = book.terms.pool
    launched = book.pool.start_day + terms.launch_days
    if members >= terms.members_min or book.today < launched or period_number == 0:
        return False
    before = state.require(PERIOD, book.plan, book.number, period_number - 1)
    return before.members_at_notice < terms.members_min and before.notice_day >= launched


# --- settlement ---


def run_settlement(state: Overlay, context: Context, *, plan: str, number: int) -> None:
    """Charge the current period; the tree must hold every leaf change already."""
    book = open_book(state, context, plan, number)
    tree = state.tree((plan, number))
    period_number = book.pool.settlements
    period = state.require(PERIOD, plan, number, period_number)
    year = compute_year(book.today)
    if year != book.pool.year:
        book.pool = replace(book.pool, year=year, year_index=book.pool.share_index)
    before = book.pool
    run_ghost_draw(state, context, book, tree)
    terms = book.terms.pool
    items = take_items(state, book)
    charge = compute_charge(
        sums_from=tree.range_sums,
        items=[CostItem(amount=item.amount, fee_bp=item.fee_bp, is_carried=item.carried > 0) for item in items],
        carry=before.carry,
        index=before.share_index,
        year_index=before.year_index,
        caps=Caps(
            per_case=terms.cap_per_case_fen,
            per_period=terms.cap_per_period_fen,
            per_year=terms.cap_per_year_fen,
        ),
    )
    settled = [_settle_item(state, book, item, grant) for item, grant in zip(items, charge.grants, strict=True)]
    instructions = _pay(state, context, book, items, settled)
    index = before.share_index + charge.per
    aid = sum(grant.amount for grant in charge.grants)
    fees = sum(grant.fee for grant in charge.grants)
    book.pool = replace(
        book.pool,
        share_index=index,
        settlements=period_number + 1,
        carry=charge.carry,
        tree_money=book.pool.tree_money - charge.collected,
        aid_payable=book.pool.aid_payable + aid,
        fee_held=book.pool.fee_held + fees,
        collected=book.pool.collected + charge.collected,
        spent=book.pool.spent + aid + fees,
    )
    save_book(state, book)
    step = ShareStepRecord(share_index=index, day=book.today, per=charge.per)
    state.put(SHARE_STEP, step, plan, number, period_number)
    record = _build_record(
        context,
        book,
        period,
        charge,
        tree=tree,
        settled=tuple(settled),
        before_index=before.share_index,
        carry_before=before.carry,
    )
    state.put(SETTLEMENT, record, plan, number, period_number)
    _compute_period(state, context, book, period, instructions, charge)
    following = build_period(terms, after_day=period.scheduled_day)
    state.put(PERIOD, following, plan, number, period_number + 1)
    for item, result in zip(items, settled, strict=True):
        # A main benefit can end here without a payment: earlier parts were paid and the rest is ended.
        if on_settled(state, context, item.claim, result.granted, result.rest_carried):
            exit_member(state, context, item.member, ACT_CLAIMED_OUT)
    if charge.is_unfundable:
        begin_wind_down(state, context, plan, cause=CAUSE_UNFUNDABLE, by=BY_CONTRACT)


def _settle_item(state: Overlay, book: PoolBook, item: ItemRecord, grant: Grant) -> SettledItem:
    """Note what an item got; put its rest on the next list where the terms carry it."""
    terms = book.terms.pool
    rest = item.amount - grant.amount
    is_rest_carried = rest > 0 and terms.unpaid == UNPAID_CARRY and item.carried < terms.carry_periods_max
    if is_rest_carried:
        add_book_item(state, book, replace(item, amount=rest, carried=item.carried + 1))
    return SettledItem(
        claim=item.claim,
        kind=item.kind,
        amount=item.amount,
        fee_bp=item.fee_bp,
        granted=grant.amount,
        fee=grant.fee,
        rest_carried=rest if is_rest_carried else 0,
        rest_ended=0 if is_rest_carried else rest,
        is_carried=item.carried > 0,
    )


def _pay(
    state: Overlay, context: Context, book: PoolBook, items: list[ItemRecord], settled: list[SettledItem]
) -> tuple[bytes, ...]:
    """Make the instructions of the batch; an item that got nothing has none."""
    instructions = []
    for item, result in zip(items, settled, strict=True):
        if result.granted == 0:
            continue
        _, payee = find_payee(state, state.require(CLAIM, item.claim))
        payment = Payment(
            kind=INSTRUCTION_AID,
            amount=result.granted,
            fee=result.fee,
            member=item.member,
            claim=item.claim,
            account_token=payee.account_token,
        )
        instructions.append(create_instruction(state, context, book, payment))
    return tuple(instructions)


def _build_record(
    context: Context,
    book: PoolBook,
    period: PeriodRecord,
    charge: Charge,
    *,
    tree: PoolTree,
    settled: tuple[SettledItem, ...],
    before_index: int,
    carry_before: int,
) -> SettlementRecord:
    proven = [before_index, before_index + charge.per]
    if charge.per > 0:
        proven.append(before_index + charge.per - 1)
    return SettlementRecord(
        day=book.today,
        height=context.height,
        tree_root=tree.root_bytes,
        units_at_notice=period.units_at_notice,
        members_at_notice=period.members_at_notice,
        index_before=before_index,
        per=charge.per,
        per_max=charge.per_max,
        units=charge.at_index.weight,
        units_full=charge.at_charge.weight,
        units_part=charge.at_index.weight - charge.at_charge.weight,
        part_paid=charge.part_paid,
        members=charge.at_index.count,
        cost=charge.cost,
        collected=charge.collected,
        carry_before=carry_before,
        carry_after=charge.carry,
        year_index=book.pool.year_index,
        cases=charge.cases,
        items=settled,
        is_unfundable=charge.is_unfundable,
        proofs=tuple(tree.prove(sum_key(x=x, pseudonym=ZERO_HASH)) for x in proven),
        version=book.pool.version,
    )


def _compute_period(
    state: Overlay,
    context: Context,
    book: PoolBook,
    period: PeriodRecord,
    instructions: tuple[bytes, ...],
    charge: Charge,
) -> None:
    """Put the batch into the period; one without instructions is closed at once."""
    number = book.pool.settlements - 1
    root = compute_batch_root(state, instructions)
    computed = replace(
        period,
        status=PERIOD_COMPUTED if instructions else PERIOD_CLOSED,
        batch_root=root,
        instructions=instructions,
        computed_day=book.today,
        stopped_days=book.plan_record.stopped_days,
        unacknowledged=len(instructions),
    )
    state.put(PERIOD, computed, book.plan, book.number, number)
    context.emit(
        PeriodSettled(
            plan=book.plan,
            pool=book.number,
            period=number,
            day=book.today,
            per=charge.per,
            units=charge.at_index.weight,
            members=charge.at_index.count,
            cost=charge.cost,
            collected=charge.collected,
            carry=charge.carry,
            batch_root=root,
        )
    )
    if not instructions:
        context.emit(PeriodClosed(plan=book.plan, pool=book.number, period=number))
