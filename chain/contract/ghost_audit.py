"""The check for ghosts: do the members that are counted exist as persons? (contract 5 *ghost_audit_report*, 7)

The count is proven, the existence of the counted is not: a platform, bank and auditor together could admit invented
people. So the contract draws, at the first settlement of each calendar quarter, 300 of the members that it has just
counted, and an auditor looks for the persons. Nobody chooses the sample: the members are fixed since the notice, and
the beacon of the settlement decides.

    ranks    place i of n: the draw(beacon, "ghost-audit", [plan, pool, draw, i], N - i)-th of the ranks not yet drawn,
             those being 0..N-1 in which each drawn one is replaced by the last (Fisher and Yates)
    leaf     rank_offset + rank in the sum tree on which the settlement's proofs hang
    silence  45 days, then it is called overdue and any auditor may answer; the plan goes on

What follows is the bound that is published: with n drawn of N and g of them not found, the largest number G of ghosts
among the N for which so few in the sample still have a chance of 5 % (hypergeometric, exact). For g = 0 and N far
greater than n it is just below 3/n: 300 people show that at most 1 % are ghosts. A whole pool as the sample leaves no
doubt: G = g.
"""

from math import comb
from typing import Final

from msgspec.structs import replace

from chain.codec import Codec, encode
from chain.contract.beacon import draw
from chain.contract.calendar import compute_date
from chain.contract.claim_tables import BEACON
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_GHOST_AUDIT, add_due
from chain.contract.member_calls import GhostAuditReport
from chain.contract.organisations import get_auditors, require_plan, require_role
from chain.contract.person_events import GhostAuditOverdue, GhostsDrawn, GhostsReported
from chain.contract.person_tables import GHOST_AUDIT, GHOST_DRAW, GhostAuditRecord, GhostDrawRecord
from chain.contract.shares import PoolBook
from chain.contract.tables import POOL
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay, PoolTree
from chain.trie import X_BYTES
from chain.types import Hash

SAMPLE_SIZE: Final = 300
REPORT_DAYS: Final = 45
CHANCE: Final = 20
"""One in so many: a confidence of 95 %."""
MILLION: Final = 1_000_000
_PURPOSE: Final = "ghost-audit"
_due_codec: Codec[tuple[int, int]] = Codec(tuple[int, int], 64, "ghost draw")


# --- drawing ---


def run_ghost_draw(state: Overlay, context: Context, book: PoolBook, tree: PoolTree) -> None:
    """Draw a sample where this settlement is the first of a calendar quarter.

    `book` holds the pool before the charge and `tree` every leaf change up to it. A pool that counts nobody is passed
    over until it does.
    """
    known = state.get(GHOST_AUDIT, book.plan, book.number) or GhostAuditRecord(draws=0, quarter=0)
    quarter = compute_quarter(book.today)
    index = book.pool.share_index
    members = tree.range_sums(index).count
    if quarter == known.quarter or members == 0:
        return
    state.put(GHOST_AUDIT, GhostAuditRecord(draws=known.draws + 1, quarter=quarter), book.plan, book.number)
    value = Hash(state.require(BEACON).turn_value)
    offset = tree.range_sums(0).count - members
    size = min(SAMPLE_SIZE, members)
    subject = (book.plan, book.number, known.draws)
    ranks = draw_ranks(value, subject=subject, members=members, size=size)
    auditors = get_auditors(state)
    due_day = book.today + REPORT_DAYS
    record = GhostDrawRecord(
        day=book.today,
        period=book.pool.settlements,
        height=context.height,
        value=value,
        rank_offset=offset,
        members=members,
        sample=tuple(tree.select(offset + rank)[X_BYTES:] for rank in ranks),
        auditor=auditors[known.draws % len(auditors)],
        due_day=due_day,
        is_overdue=False,
        reported_by=None,
        found=0,
        bound_ppm=0,
        report_root=None,
    )
    state.put(GHOST_DRAW, record, *subject)
    due_ms = compute_day_start_ms(due_day, book.plan_record.utc_offset_minutes)
    add_due(state, book.plan, due_day, DUE_GHOST_AUDIT, due_ms, encode((book.number, known.draws)))
    context.emit(
        GhostsDrawn(
            plan=book.plan,
            pool=book.number,
            draw=known.draws,
            members=members,
            sample_size=size,
            value=value,
            organisation=record.auditor,
            due_day=due_day,
        )
    )


def compute_quarter(day: int) -> int:
    """Return the calendar quarter of a plan day: 4 * year + 0..3."""
    year, month, _ = compute_date(day)
    return 4 * year + (month - 1) // 3


def draw_ranks(value: Hash, *, subject: tuple[str, int, int], members: int, size: int) -> tuple[int, ...]:
    """Draw `size` different ranks below `members`, each set equally likely; all of them where `size` is `members`."""
    moved: dict[int, int] = {}
    ranks: list[int] = []
    for place in range(size):
        last = members - 1 - place
        chosen = draw(value, purpose=_PURPOSE, subject=encode((*subject, place)), bound=last + 1)
        ranks.append(moved.get(chosen, chosen))
        moved[chosen] = moved.get(last, last)
    return tuple(ranks)


# --- reporting ---


def apply_ghost_audit_report(state: Overlay, context: Context, call: GhostAuditReport) -> tuple[int, ...]:
    """Report how many of a drawn sample exist as persons; what follows from it is computed here.

    Refused: wrong_role for anybody but an auditor; plan_unknown, pool_unknown, draw_unknown; already for the same
    report; conflict for another one; not_your_turn for an auditor that was not asked, before the deadline;
    sample_mismatch where another number was drawn; value_out_of_range where more were found than drawn.
    """
    auditor = require_role(state, context.signer, ROLE_AUDITOR).organisation
    require_plan(state, call.plan)
    if state.get(POOL, call.plan, call.pool) is None:
        raise Refusal("pool_unknown", plan=call.plan, pool=call.pool)
    record = state.get(GHOST_DRAW, call.plan, call.pool, call.draw)
    if record is None:
        raise Refusal("draw_unknown", draw=call.draw)
    if record.reported_by is not None:
        is_same = record.found == call.found and record.report_root == call.report_root
        raise Refusal("already" if is_same else "conflict", reported_by=record.reported_by)
    if auditor != record.auditor and not record.is_overdue:
        raise Refusal("not_your_turn", asked=record.auditor)
    if call.sample_size != len(record.sample):
        raise Refusal("sample_mismatch", drawn=len(record.sample), sample_size=call.sample_size)
    if call.found > call.sample_size:
        raise Refusal("value_out_of_range", found=call.found)
    bound = compute_ghost_bound(members=record.members, sample_size=call.sample_size, found=call.found)
    record = replace(
        record, reported_by=auditor, found=call.found, bound_ppm=bound, report_root=call.report_root, is_overdue=False
    )
    state.put(GHOST_DRAW, record, call.plan, call.pool, call.draw)
    context.emit(
        GhostsReported(
            plan=call.plan,
            pool=call.pool,
            draw=call.draw,
            organisation=auditor,
            sample_size=call.sample_size,
            found=call.found,
            bound_ppm=bound,
            report_root=call.report_root,
        )
    )
    return ()


def on_ghost_audit_due(state: Overlay, context: Context, plan: str, due_id: bytes) -> None:
    """Call a missing report overdue: from now on any auditor may give it."""
    pool, number = parse_draw(due_id)
    record = state.require(GHOST_DRAW, plan, pool, number)
    if record.reported_by is None:
        state.put(GHOST_DRAW, replace(record, is_overdue=True), plan, pool, number)
        context.emit(GhostAuditOverdue(plan=plan, pool=pool, draw=number, organisation=record.auditor))


def parse_draw(due_id: bytes) -> tuple[int, int]:
    """Return (pool, number of the draw) of a deadline; raise `DecodeError` for other bytes."""
    return _due_codec.decode(due_id)


# --- the bound ---


def compute_ghost_bound(*, members: int, sample_size: int, found: int) -> int:
    """Return the share of ghosts that a sample excludes with 95 % confidence, in parts per million, rounded up.

    With N members, n drawn and g = n - found ghosts among them: the largest G for which a sample with at most g
    ghosts has a chance of at least 5 %, sum over i <= g of C(G, i) * C(N - G, n - i) * 20 >= C(N, n). The chance
    falls as G rises, so G is found by halving.
    """
    if not 0 <= found <= sample_size <= members or sample_size < 1:
        raise InvariantViolation(f"a sample of {sample_size} of {members} with {found} found")
    ghosts = sample_size - found
    low, high = ghosts, members - found
    total = comb(members, sample_size)
    while low < high:
        middle = (low + high + 1) // 2
        if _count_samples(middle, members - middle, size=sample_size, ghosts_max=ghosts) * CHANCE >= total:
            low = middle
        else:
            high = middle - 1
    return -(-low * MILLION // members)


def _count_samples(ghosts: int, persons: int, *, size: int, ghosts_max: int) -> int:
    """Return how many samples of `size` hold at most `ghosts_max` of the ghosts: a sum of products of binomials.

    Each term follows from the one before by an exact division, which is some thirty times faster than to compute it.
    """
    first = max(0, size - persons)
    if first > min(ghosts, ghosts_max):
        return 0
    term = comb(ghosts, first) * comb(persons, size - first)
    count = 0
    for i in range(first, ghosts_max + 1):
        count += term
        term = term * (ghosts - i) * (size - i) // ((i + 1) * (persons - size + i + 1))
    return count
