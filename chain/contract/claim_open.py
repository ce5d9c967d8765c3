"""Claims for which the end of a plan waits: open ones, and ended ones that may still be appealed (contract 3.5).

They are numbered as the claims of the plan are, so that they can be looked through from the oldest on; an entry goes
when its claim is over for good. In a closed pool an entry also says what money is kept for the claim.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.appeal_tables import APPELLANT, NO_APPELLANT
from chain.contract.claim_tables import CLAIM, CLAIM_REFUSED, CLAIM_REJECTED, ClaimRecord
from chain.contract.context import compute_day_start_ms
from chain.contract.due import DUE_CLAIM_OVER, add_due
from chain.contract.tables import MEMBER, PLAN
from chain.contract.wind_tables import OPEN_CLAIM, OPEN_CLAIMS, OpenClaimRecord, OpenClaimsRecord
from chain.state import Overlay

WAIT_DAYS: Final = 40
"""An ended claim is waited for so long: the 30 days of an appeal, and some for its taking up."""
_STEP_MAX: Final = 16
_NONE: Final = OpenClaimsRecord(count=0, first=1)


def get_open_claims(state: Overlay, plan: str) -> OpenClaimsRecord:
    """Return how many claims of a plan are open or may still be appealed, and where they begin."""
    return state.get(OPEN_CLAIMS, plan) or _NONE


def note_filed(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Note a claim that was filed."""
    record = get_open_claims(state, claim.plan)
    state.put(OPEN_CLAIM, OpenClaimRecord(claim=claim_id, aside=0, is_over=False), claim.plan, claim.number)
    state.put(OPEN_CLAIMS, OpenClaimsRecord(count=record.count + 1, first=record.first), claim.plan)


def note_ended(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Wait no longer for a claim that has ended, or, where it can be appealed, only for as long as it may take.

    Its record must say already how it ended.
    """
    if state.require(CLAIM, claim_id).status not in (CLAIM_REFUSED, CLAIM_REJECTED):
        _let_go(state, claim.plan, claim.number)
        return
    plan = state.require(PLAN, claim.plan)
    day = plan.day + WAIT_DAYS
    add_due(state, claim.plan, day, DUE_CLAIM_OVER, compute_day_start_ms(day, plan.utc_offset_minutes), claim_id)


def on_claim_over_due(state: Overlay, claim_id: bytes) -> None:
    """Wait no longer for a claim that nobody has appealed; one that was is waited for anew.

    So is one whose member has an appeal that waits for its turn: it may be this claim's.
    """
    claim = state.require(CLAIM, claim_id)
    if claim.status not in (CLAIM_REFUSED, CLAIM_REJECTED) or state.require(MEMBER, claim.member).claim == claim_id:
        return
    if (state.get(APPELLANT, claim.member) or NO_APPELLANT).waiting:
        note_ended(state, claim_id, claim)
    else:
        _let_go(state, claim.plan, claim.number)


def _let_go(state: Overlay, plan: str, number: int) -> None:
    """Forget a claim; where a closed pool keeps money for it, that is released first (set_aside.py)."""
    record = state.get(OPEN_CLAIM, plan, number)
    if record is None:
        return
    if record.aside == 0:
        drop(state, plan, number)
    else:
        state.put(OPEN_CLAIM, replace(record, is_over=True), plan, number)


def drop(state: Overlay, plan: str, number: int) -> None:
    """Forget a claim, and move the beginning of the open ones up to the next one, some steps at a time."""
    state.delete(OPEN_CLAIM, plan, number)
    record = get_open_claims(state, plan)
    first = record.first
    filed = state.require(PLAN, plan).claims_filed
    for _ in range(_STEP_MAX):
        if first > filed or state.get(OPEN_CLAIM, plan, first) is not None:
            break
        first += 1
    state.put(OPEN_CLAIMS, OpenClaimsRecord(count=record.count - 1, first=first), plan)
