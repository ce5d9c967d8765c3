"""The card of a claim in notice: what the public is told about the patient, and no longer than it must be (contract 6).

The platform alone knows how many members share an age band, a sex, a province and a disease group, so it writes the
card, and generalises what fewer than ten people share. Nothing waits for a card: a claim without one is noticed too,
and the missing card shows. It stands in the state from before the notice until the claim is confirmed or ends; the
call that wrote it is served by no public API afterwards, but every node operator keeps its bytes (ADR 0020).
"""

from msgspec.structs import replace

from chain.contract.claim_calls import ClaimCard
from chain.contract.claim_review_events import ClaimCardWritten
from chain.contract.claim_review_tables import CLAIM_CARD, ClaimCardRecord
from chain.contract.claim_status import require_claim, require_status
from chain.contract.claim_tables import CLAIM_APPROVED, CLAIM_INVESTIGATED, CLAIM_NOTICED, CLAIM_RECHECK
from chain.contract.context import Context
from chain.contract.organisations import require_role
from chain.errors import Refusal
from chain.genesis import ROLE_PLATFORM
from chain.state import Overlay

BAND_YEARS = 5
"""An age band is so wide, or a multiple of it."""
PEOPLE_MIN = 10
"""Fewer people than these are no cell: something must be said less exactly."""


def apply_claim_card(state: Overlay, context: Context, call: ClaimCard) -> tuple[int, ...]:
    """Write the card of a claim, or correct it as long as the notice has not opened.

    Refused: wrong_role; claim_unknown; claim_state before the reports and after the confirmation; value_out_of_range
    for a band that is not of whole five years; card_too_narrow where fewer than ten people share it; already for the
    same card, conflict for another one once it is public.
    """
    signer = require_role(state, context.signer, ROLE_PLATFORM)
    claim = require_claim(state, call.claim)
    require_status(claim, CLAIM_INVESTIGATED, CLAIM_APPROVED, CLAIM_NOTICED, CLAIM_RECHECK)
    width = call.age_to_years + 1 - call.age_from_years
    if width < BAND_YEARS or call.age_from_years % BAND_YEARS or width % BAND_YEARS:
        raise Refusal("value_out_of_range", field="age_from_years", width=width)
    if call.people_min < PEOPLE_MIN:
        raise Refusal("card_too_narrow", people=call.people_min)
    card = ClaimCardRecord(
        age_from_years=call.age_from_years,
        age_to_years=call.age_to_years,
        sex=call.sex,
        province=call.province,
        disease_group=call.disease_group,
        people_min=call.people_min,
        written_by=signer.organisation,
    )
    before = state.get(CLAIM_CARD, call.claim)
    if before is not None and replace(before, written_by=signer.organisation) == card:
        raise Refusal("already", claim=call.claim.hex())
    if before is not None and claim.status not in (CLAIM_INVESTIGATED, CLAIM_APPROVED):
        raise Refusal("conflict", claim=call.claim.hex())
    state.put(CLAIM_CARD, card, call.claim)
    context.emit(ClaimCardWritten(claim=call.claim))
    return ()
