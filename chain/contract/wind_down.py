"""The end of a plan, to the last fen (contract 3.5 *wind-down*; ADR 0016).

    ACTIVE --too small, unfundable, custody lost, P + A + B, or vote--> WIND_DOWN: nobody enters, settlements go on for
           diagnoses up to that day --180 days and no claim open, at the latest 540--> each pool is closed:
    SETTING_ASIDE  (only at 540 days) what waits for a settlement, and each open claim, gets min(u, R), oldest first
    PAYING         q = R // W: every leaf goes, lowest first, some in each block: balance, and q for each active unit
    SWEEPING       what is left of R goes to `residue_to`, fees to the platform; money set aside to who wins, or back
                   to R; when the bank has answered for everything and cash is 0 in every pool: ENDED

A claim that wins after the close is paid from what was set aside for it, in a batch of its own (set_aside.py). Days
are counted without those in which the plan was stopped; nothing is paid out while it is. An ended plan still returns
what arrives by mistake, and passes on what is left of it.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chain.contract.claim_open import get_open_claims
from chain.contract.context import Context
from chain.contract.custody_tables import INSTRUCTION_FEE, INSTRUCTION_RESIDUE
from chain.contract.drain import is_drained
from chain.contract.events import PlanStatusChanged
from chain.contract.fault import run_guarded
from chain.contract.halves import Party, cosign
from chain.contract.organisations import get_today, is_winding_down, require_plan
from chain.contract.payout import Payment, create_instruction
from chain.contract.plan_calls import WindDown
from chain.contract.plan_events import PayingOutBegun, PoolClosed, PoolPaidOut, WindDownBegun
from chain.contract.pool_move import get_moves
from chain.contract.set_aside import find_next, has_items, look_after, pay_item, set_aside
from chain.contract.shares import PoolBook, open_book, save_book
from chain.contract.tables import (
    ACT_LEAVE,
    MEMBER,
    PLAN,
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_WIND_DOWN,
    POOL,
    SIGNER,
    PlanRecord,
)
from chain.contract.wind_tables import (
    CAUSE_SIGNATURES,
    CLOSED_POOL,
    PHASE_PAYING,
    PHASE_SETTING_ASIDE,
    PHASE_SWEEPING,
    WIND_DOWN,
    ClosedPoolRecord,
    WindDownRecord,
)
from chain.contract.window import finish_exit
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay
from chain.trie import X_BYTES

RUN_OFF_DAYS: Final = 180
"""Claims on diagnoses before the end may still be filed and decided in this time."""
END_DAYS: Final = 540
"""A pool is closed by then, open claims or not."""
BY_CONTRACT: Final = "contract"
STEPS_FACTOR: Final = 10
"""Numbers of claims that may be passed over in a block for each act of its budget."""

_ClaimAct = Callable[[Overlay, Context, str, int, int], None]
"""Act on (state, context, plan, pool, claim number)."""


# --- the beginning ---


def apply_wind_down(state: Overlay, context: Context, call: WindDown) -> tuple[int, ...]:
    """Begin the end of a plan once platform, auditor and bank have signed.

    Refused: wrong_role; plan_unknown; already once it has begun.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR):
        raise Refusal("wrong_role")
    if is_winding_down(require_plan(state, call.plan)):
        raise Refusal("already", plan=call.plan)
    parties = (Party(role=ROLE_PLATFORM), Party(role=ROLE_AUDITOR), Party(role=ROLE_CUSTODIAN))
    signed_by = cosign(state, context, plan=call.plan, call=call, parties=parties)
    if signed_by is not None:
        begin_wind_down(
            state,
            context,
            call.plan,
            cause=CAUSE_SIGNATURES,
            by=signed_by[0],
            reason_hash=call.reason_hash,
        )
    return ()


def begin_wind_down(
    state: Overlay, context: Context, plan: str, *, cause: int, by: str, reason_hash: bytes | None = None
) -> None:
    """Begin the end of a plan, also while it is stopped: then it goes on as WIND_DOWN when the stop ends.

    Nothing happens where it has begun already. `by` is an organisation, "vote" or BY_CONTRACT. Raises plan_unknown.
    """
    record = require_plan(state, plan)
    if is_winding_down(record):
        return
    today = get_today(context, record)
    begun = WindDownRecord(day=today, stopped_days=record.stopped_days, by=by, cause=cause, reason_hash=reason_hash)
    state.put(WIND_DOWN, begun, plan)
    context.emit(WindDownBegun(plan=plan, by=by, end_cause=cause, day=today))
    if record.status != PLAN_ACTIVE:
        state.put(PLAN, replace(record, wind_day=today), plan)
        return
    state.put(PLAN, replace(record, status=PLAN_WIND_DOWN, since_day=today, wind_day=today), plan)
    context.emit(PlanStatusChanged(plan=plan, status=PLAN_WIND_DOWN, day=today))


# --- step by step ---


class _Place(Struct, frozen=True):
    """One pool of one plan on one day, in one block."""

    plan: str
    number: int
    day: int
    stage: int
    """Stage of the schedule, for the event of a fault."""


def run_wind_down(
    state: Overlay, context: Context, plan: str, *, day: int, stage: int, budget: int, is_new_day: bool
) -> int:
    """Go on with the end of a plan by up to `budget` acts; return how many were used.

    Pools are closed and swept at the 0:00 of a day (`is_new_day`), everybody is paid out in every block.
    """
    record = state.require(PLAN, plan)
    if record.status not in (PLAN_WIND_DOWN, PLAN_ENDED):
        return 0
    used = 0
    for number in range(record.pools):
        place = _Place(plan=plan, number=number, day=day, stage=stage)
        used += _run_pool(state, context, place, budget=budget - used, is_new_day=is_new_day)
    record = state.require(PLAN, plan)
    if record.status == PLAN_WIND_DOWN and _is_empty(state, plan, record):
        state.put(PLAN, replace(record, status=PLAN_ENDED, since_day=day), plan)
        context.emit(PlanStatusChanged(plan=plan, status=PLAN_ENDED, day=day))
    return used


def _is_empty(state: Overlay, plan: str, record: PlanRecord) -> bool:
    """Tell whether every fen has gone where it belongs, and the bank has said so."""
    for number in range(record.pools):
        closed = state.get(CLOSED_POOL, plan, number)
        if closed is None or closed.phase != PHASE_SWEEPING or closed.aside > 0:
            return False
        if state.require(POOL, plan, number).cash > 0:
            return False
    return get_moves(state, plan) == 0


def _run_pool(state: Overlay, context: Context, place: _Place, *, budget: int, is_new_day: bool) -> int:
    """Go on with one pool from the phase in which it is."""
    closed = state.get(CLOSED_POOL, place.plan, place.number)
    if closed is None:
        if not is_new_day or not _is_closing(state, place):
            return 0
        closed = _close(state, context, place)
    used = 0
    if closed.phase == PHASE_SETTING_ASIDE:
        used += _set_aside(state, context, place, budget=budget)
        closed = state.require(CLOSED_POOL, place.plan, place.number)
    if closed.phase == PHASE_PAYING:
        used += _pay_out(state, context, place, budget=budget - used)
        closed = state.require(CLOSED_POOL, place.plan, place.number)
    if closed.phase == PHASE_SWEEPING and (is_new_day or closed.position > 0):
        used += _look_after(state, context, place, budget=budget - used)
        # Behind the last claim and the last item only: what one of them releases may be due to another.
        is_over = state.require(CLOSED_POOL, place.plan, place.number).position == 0
        if is_over and not has_items(open_book(state, context, place.plan, place.number)):
            _sweep(state, context, place)
    return used


def _guard(state: Overlay, context: Context, place: _Place, act: Callable[[], None]) -> bool:
    return run_guarded(state, context, plan=place.plan, day=place.day, stage=place.stage, act=act)


# --- closing ---


def get_end_days(state: Overlay, plan: str) -> tuple[int, int]:
    """Return (first day of the closing, day by which it is forced) of a plan that winds down, as things stand."""
    begun = state.require(WIND_DOWN, plan)
    day = begun.day + state.require(PLAN, plan).stopped_days - begun.stopped_days
    return day + RUN_OFF_DAYS, day + END_DAYS


def _is_closing(state: Overlay, place: _Place) -> bool:
    """Tell whether a pool is to be closed: the days are over, no window is open, and nobody's claim is, or too long."""
    first_day, forced_day = get_end_days(state, place.plan)
    pool = state.require(POOL, place.plan, place.number)
    if place.day < first_day or not is_drained(pool):
        return False
    has_open = get_open_claims(state, place.plan).count > 0 or pool.items[0] < pool.items[1]
    return not has_open or place.day >= forced_day


def _close(state: Overlay, context: Context, place: _Place) -> ClosedPoolRecord:
    closed = ClosedPoolRecord(
        day=place.day,
        phase=PHASE_SETTING_ASIDE,
        position=0,
        aside=0,
        units=0,
        carry=0,
        bonus=0,
        batches=0,
        residue=0,
    )
    state.put(CLOSED_POOL, closed, place.plan, place.number)
    context.emit(PoolClosed(plan=place.plan, pool=place.number, day=place.day))
    return closed


# --- setting aside ---


def _set_aside(state: Overlay, context: Context, place: _Place, *, budget: int) -> int:
    """Serve what waited for a settlement, then the open claims; behind the last one, fix what everybody gets."""
    used = _pay_items(state, context, place, budget=budget)
    if has_items(open_book(state, context, place.plan, place.number)):
        return used
    walked, is_over = _walk_claims(state, context, place, budget=budget - used, act=set_aside)
    if is_over:
        _begin_paying(state, context, place)
    return used + walked


def _pay_items(state: Overlay, context: Context, place: _Place, *, budget: int) -> int:
    used = 0
    while used < budget and has_items(open_book(state, context, place.plan, place.number)):
        if not _guard(state, context, place, lambda: pay_item(state, context, place.plan, place.number)):
            return budget
        used += 1
    return used


def _walk_claims(state: Overlay, context: Context, place: _Place, *, budget: int, act: _ClaimAct) -> tuple[int, bool]:
    """Run an act on the open claims from the pool's position on; return (acts used, whether the last was passed).

    Behind the last one the position is 0 again.
    """
    steps = budget * STEPS_FACTOR
    used = 0
    while used < budget and steps > 0:
        before = state.require(CLOSED_POOL, place.plan, place.number)
        position, found = find_next(state, place.plan, before, steps_max=steps)
        steps -= max(1, position - before.position)
        if found is not None:
            claim_number = found

            def run_one(number: int = claim_number) -> None:
                act(state, context, place.plan, place.number, number)

            if not _guard(state, context, place, run_one):
                return budget, False
            used += 1
        after = state.require(CLOSED_POOL, place.plan, place.number)
        if position != after.position:
            state.put(CLOSED_POOL, replace(after, position=position), place.plan, place.number)
        if position == 0:
            return used, True
    return budget, False


def _begin_paying(state: Overlay, context: Context, place: _Place) -> None:
    """Fix q for good: who leaves from now on, in whatever way, gets it for each unit of an active leaf."""
    pool = state.require(POOL, place.plan, place.number)
    units = state.tree((place.plan, place.number)).range_sums(pool.share_index).weight
    closed = state.require(CLOSED_POOL, place.plan, place.number)
    bonus = pool.carry // units if units else 0
    paying = replace(closed, phase=PHASE_PAYING, units=units, carry=pool.carry, bonus=bonus)
    state.put(CLOSED_POOL, paying, place.plan, place.number)
    context.emit(PayingOutBegun(plan=place.plan, pool=place.number, units=units, carry=pool.carry, share=bonus))


# --- paying out ---


def _pay_out(state: Overlay, context: Context, place: _Place, *, budget: int) -> int:
    """Let up to `budget` leaves go, those of the lowest index first."""
    # Flushed before the guards: the undo list does not reach behind it.
    tree = state.tree((place.plan, place.number))
    left = tree.range_sums(0).count
    keys = [tree.select(rank) for rank in range(max(0, min(budget, left)))]
    used = 0
    for key in keys:

        def pay(member_id: bytes = key[X_BYTES:]) -> None:
            _pay_member(state, context, place, member_id)

        if not _guard(state, context, place, pay):
            return budget
        used += 1
    if used == left:
        closed = state.require(CLOSED_POOL, place.plan, place.number)
        state.put(CLOSED_POOL, replace(closed, phase=PHASE_SWEEPING, position=0), place.plan, place.number)
        context.emit(PoolPaidOut(plan=place.plan, pool=place.number, day=place.day))
    return used


def _pay_member(state: Overlay, context: Context, place: _Place, member_id: bytes) -> None:
    book = open_book(state, context, place.plan, place.number)
    finish_exit(state, context, book, member_id, state.require(MEMBER, member_id), ACT_LEAVE)
    save_book(state, book)


# --- sweeping ---


def _look_after(state: Overlay, context: Context, place: _Place, *, budget: int) -> int:
    """See what became of the claims that were open at the close, then pay what is due from the carry."""
    used = 0
    if get_open_claims(state, place.plan).count > 0:
        used, is_over = _walk_claims(state, context, place, budget=budget, act=look_after)
        if not is_over:
            return used
    return used + _pay_items(state, context, place, budget=budget - used)


def _sweep(state: Overlay, context: Context, place: _Place) -> None:
    """Order what is left of the carry to whom the pool terms name, and the fees to the platform."""
    pool = state.require(POOL, place.plan, place.number)
    if pool.carry == 0 and pool.fee_payable == 0:
        return

    def act() -> None:
        book = open_book(state, context, place.plan, place.number)
        carry, fees = book.pool.carry, book.pool.fee_payable
        for kind, amount in ((INSTRUCTION_RESIDUE, carry), (INSTRUCTION_FEE, fees)):
            if amount:
                create_instruction(state, context, book, Payment(kind=kind, amount=amount))
        book.pool = replace(
            book.pool,
            carry=0,
            spent=book.pool.spent + carry,
            fee_payable=0,
            outgoing=book.pool.outgoing + carry + fees,
        )
        save_book(state, book)
        closed = state.require(CLOSED_POOL, place.plan, place.number)
        state.put(CLOSED_POOL, replace(closed, residue=closed.residue + carry), place.plan, place.number)

    _guard(state, context, place, act)


def on_residue_failed(state: Overlay, book: PoolBook, amount: int) -> None:
    """Put a residue that the bank could not pay back into the carry: it is ordered again. `outgoing` is not moved."""
    book.pool = replace(book.pool, carry=book.pool.carry + amount, spent=book.pool.spent - amount)
    closed = state.require(CLOSED_POOL, book.plan, book.number)
    state.put(CLOSED_POOL, replace(closed, residue=closed.residue - amount), book.plan, book.number)
