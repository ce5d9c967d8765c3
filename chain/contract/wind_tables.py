"""Tables of a plan's end, and of the claims that it waits for (contract 3.5 *wind-down*; wind_down.py)."""

from typing import Final

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record
from chain.contract.organisations import is_winding_down
from chain.contract.shares import PoolBook
from chain.contract.tables import MemberRecord
from chain.state import Overlay, Table

# Causes of the end of a plan
CAUSE_TOO_SMALL, CAUSE_UNFUNDABLE, CAUSE_CUSTODY, CAUSE_SIGNATURES, CAUSE_VOTE = range(5)
END_CAUSE_NAMES: Final = ("too_small", "unfundable", "custody", "signatures", "vote")
# Phases of a pool that is closed
PHASE_SETTING_ASIDE, PHASE_PAYING, PHASE_SWEEPING = range(3)


class WindDownRecord(Record, frozen=True):
    """["wind_down", plan]: how the end of a plan began."""

    day: DayField
    stopped_days: Number
    """Stopped days of the plan until then: the days of run-off are counted without them."""
    by: Name
    """"contract", "vote", or "signatures" of platform, auditor and bank."""
    cause: Number
    """See END_CAUSE_NAMES."""
    reason_hash: Bytes32 | None
    """Hash of the published reason, where signatures or a vote ended it."""


class ClosedPoolRecord(Record, frozen=True):
    """["closed_pool", plan, pool]: a pool that pays everybody out; absent before."""

    day: DayField
    phase: Code
    position: Number
    """Number of the next claim to look at; 0 between two rounds."""
    aside: FenField
    """Kept for open claims, in all."""
    units: Number
    """W[I, oo) when paying began."""
    carry: FenField
    """R when paying began."""
    bonus: FenField
    """q: what an active member gets for each unit beyond the balance."""
    batches: Number
    """Batches made after the last settlement, for claims that were set money aside for."""
    residue: FenField
    """Instructed so far to whom the pool terms name."""


class OpenClaimsRecord(Record, frozen=True):
    """["open_claims", plan]: how many claims are open or may still be appealed."""

    count: Number
    first: Number
    """No open claim has a lower number."""


class OpenClaimRecord(Record, frozen=True):
    """["open_claim", plan, claim number]: a claim that is open or may still be appealed."""

    claim: Bytes32
    aside: FenField
    """What the closed pool keeps for it, in `aid_payable`."""
    is_over: bool
    """It has ended and can no longer be appealed; only money that is kept for it is still to be released."""


WIND_DOWN = Table("wind_down", WindDownRecord)
CLOSED_POOL = Table("closed_pool", ClosedPoolRecord)
OPEN_CLAIMS = Table("open_claims", OpenClaimsRecord)
OPEN_CLAIM = Table("open_claim", OpenClaimRecord)


def is_pool_closed(state: Overlay, plan: str, pool: int) -> bool:
    """Tell whether a pool pays everybody out: it charges, credits and takes claims no more."""
    return state.get(CLOSED_POOL, plan, pool) is not None


def compute_bonus(state: Overlay, book: PoolBook, member: MemberRecord) -> int:
    """Return what an exit gets beyond the balance in fen: q for each unit of an active leaf once a pool pays out."""
    if not member.is_leaf or member.x < book.pool.share_index or not is_winding_down(book.plan_record):
        return 0
    closed = state.get(CLOSED_POOL, book.plan, book.number)
    return 0 if closed is None or closed.phase == PHASE_SETTING_ASIDE else closed.bonus * member.weight
