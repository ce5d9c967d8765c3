"""The bills behind a claim: keyed tags, so that no bill is used twice (contract 5, claim_file).

A tag is made by the bank and an auditor together from the number of a bill (contract 6: the construction of the blind
index with a tag of its own), so that a bill has one tag and nobody can guess it back. The chain cannot see bills: that
a claim's tags are those of its bills, and that none was left out, is what the certificate says. Whoever certifies gets
the bills and both proofs of each tag, and signs the root over the claim's tags (ADR 0019).
"""

from msgspec.structs import replace

from chain.contract.claim_events import ClaimFlagged
from chain.contract.claim_status import save
from chain.contract.claim_tables import (
    BILL_TAG,
    CLAIM,
    CLAIM_EXPIRED,
    CLAIM_REFUSED,
    CLAIM_WITHDRAWN,
    BillTagRecord,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.history import merkle_root
from chain.state import Overlay
from chain.types import ZERO_HASH, Hash

_NEVER_PAID = (CLAIM_WITHDRAWN, CLAIM_EXPIRED, CLAIM_REFUSED)


def compute_bill_root(bill_tags: tuple[bytes, ...]) -> Hash:
    """Return the RFC 6962 root over a claim's tags in the order of its filing, zero for a claim without bills."""
    return merkle_root(bill_tags) if bill_tags else ZERO_HASH


def note_bills(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> bool:
    """Note a new claim's bills; flag it and the other claim where a bill was used before, and return whether.

    A bill of an earlier claim of the same member that ended unpaid goes over to the new one.
    """
    is_flagged = False
    for tag in claim.bill_tags:
        used = state.get(BILL_TAG, claim.plan, tag)
        other = None if used is None else state.require(CLAIM, used.claim)
        if used is None or other is None or (other.member == claim.member and other.status in _NEVER_PAID):
            state.put(BILL_TAG, BillTagRecord(claim=claim_id, is_consumed=False), claim.plan, tag)
            continue
        is_flagged = True
        context.emit(ClaimFlagged(claim=claim_id, tag=tag))
        if not other.is_flagged:
            context.emit(ClaimFlagged(claim=used.claim, tag=tag))
            save(state, used.claim, replace(other, is_flagged=True))
    return is_flagged


def is_bill_consumed(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> bool:
    """Tell whether another confirmed claim has used up one of this claim's bills."""
    bills = [state.require(BILL_TAG, claim.plan, tag) for tag in claim.bill_tags]
    return any(bill.is_consumed and bill.claim != claim_id for bill in bills)


def consume_bills(state: Overlay, claim_id: bytes, claim: ClaimRecord) -> None:
    """Let a confirmed claim use up its bills."""
    for tag in claim.bill_tags:
        state.put(BILL_TAG, BillTagRecord(claim=claim_id, is_consumed=True), claim.plan, tag)
