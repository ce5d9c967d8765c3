"""What settlement and custody report back to a claim: granted, instructed, paid or failed (contract 2).

The amounts are theirs; here only the claim's record follows. A claim may be granted in parts (carried rests),
each with an instruction of its own; it is PAID when nothing granted is unpaid and no rest is carried. This
module calls neither settlement nor custody nor the window.

    CONFIRMED --granted--> SETTLED --batch signed--> INSTRUCTED --acknowledged--> PAID (CONFIRMED again
                                                       |    ^                     while a rest is carried)
                                                failed v    | retried
                                                     PAY_FAILED

    PAID --lot of the re-audit--> PAID for good, or CLEAN | CLAWBACK (claim_reaudit.py)

A refund of shares walks the same path from SHARES_REFUND; it is no aid and ends no cover (that has ended
already).
"""

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_events import ClaimPaid, ClaimSettled
from chain.contract.claim_roster import ask_draw
from chain.contract.claim_status import change_status, close, release_member, save
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_CLAWBACK,
    CLAIM_CONFIRMED,
    CLAIM_EXPIRED,
    CLAIM_INSTRUCTED,
    CLAIM_PAID,
    CLAIM_PAY_FAILED,
    CLAIM_SETTLED,
    CLAIM_SHARES_REFUND,
    CLAIM_STATUS_NAMES,
    ClaimRecord,
)
from chain.contract.context import Context
from chain.contract.persons import drop_benefit
from chain.contract.tables import MEMBER
from chain.errors import InvariantViolation, Refusal
from chain.state import Overlay


def on_shares_refund(state: Overlay, claim_id: bytes, amount: int) -> None:
    """Note the shares (fen) that come back; with nothing to refund the claim ends, still SHARES_REFUND."""
    claim = state.require(CLAIM, claim_id)
    save(state, claim_id, replace(claim, amount=amount))
    if amount == 0:
        release_member(state, claim_id, claim)


def on_settled(state: Overlay, context: Context, claim_id: bytes, granted: int, rest_carried: int) -> bool:
    """Note what a settlement granted (fen, maybe 0) and what it carries over.

    Returns True where the main benefit is thereby fully paid: a rest was ended after earlier parts had been
    paid. The caller then ends the membership (claimed out).
    """
    claim = state.require(CLAIM, claim_id)
    context.emit(ClaimSettled(claim=claim_id, granted=granted, rest=rest_carried))
    claim = replace(claim, granted=claim.granted + granted, rest=rest_carried)
    # What was granted before may still wait for the bank or for another account, and then says so.
    if granted or not (rest_carried or claim.paid < claim.granted):
        claim = _move(context, claim_id, claim, CLAIM_SETTLED)
    return _finish(state, context, claim_id, claim)


def on_instructed(state: Overlay, context: Context, claim_id: bytes) -> None:
    """Note that the order to pay went to the bank, for the first time or again."""
    claim = state.require(CLAIM, claim_id)
    save(state, claim_id, _move(context, claim_id, claim, CLAIM_INSTRUCTED))


def on_paid(state: Overlay, context: Context, claim_id: bytes, amount: int) -> bool:
    """Note a payment (fen) that the bank acknowledged, also on the member where it is aid.

    Returns True where the main benefit is thereby fully paid; the caller then ends the membership (claimed
    out).
    """
    claim = state.require(CLAIM, claim_id)
    if claim.paid + amount > claim.granted:
        raise InvariantViolation(f"claim {claim_id.hex()}: paid more than was granted")
    context.emit(ClaimPaid(claim=claim_id, amount=amount))
    if not claim.is_shares_refund:
        member = state.require(MEMBER, claim.member)
        state.put(MEMBER, replace(member, aid_received=member.aid_received + amount), claim.member)
    return _finish(state, context, claim_id, replace(claim, paid=claim.paid + amount))


def on_pay_failed(state: Overlay, context: Context, claim_id: bytes) -> None:
    """Note that the bank could not pay; the money stays where it is until a retry."""
    claim = state.require(CLAIM, claim_id)
    save(state, claim_id, _move(context, claim_id, claim, CLAIM_PAY_FAILED))


def on_payment_returned(state: Overlay, context: Context, claim_id: bytes, amount: int) -> None:
    """Note that an acknowledged payment (fen) came back; the right to it stands, and so does what followed from it.

    Raises `Refusal` claim_state where the claim is to be paid back anyway: then the money is its recovery.
    """
    claim = state.require(CLAIM, claim_id)
    if claim.status == CLAIM_CLAWBACK:
        raise Refusal("claim_state", status=CLAIM_STATUS_NAMES[claim.status])
    if claim.paid < amount:
        raise InvariantViolation(f"claim {claim_id.hex()}: more came back than was paid")
    if not claim.is_shares_refund:
        member = state.require(MEMBER, claim.member)
        state.put(MEMBER, replace(member, aid_received=member.aid_received - amount), claim.member)
    save(state, claim_id, replace(_move(context, claim_id, claim, CLAIM_PAY_FAILED), paid=claim.paid - amount))


def on_unclaimed(state: Overlay, context: Context, claim_id: bytes, amount: int) -> bool:
    """Note that nobody could be paid (fen) for too long: the pool has the money again, and the claim ends.

    Returns True where the main benefit is thereby paid as far as it will be, as `on_paid` does.
    """
    claim = state.require(CLAIM, claim_id)
    claim = replace(claim, granted=claim.granted - amount)
    if claim.paid or claim.granted or claim.rest:
        return _finish(state, context, claim_id, claim)
    drop_benefit(state, state.require(MEMBER, claim.member), claim_id)
    close(state, context, claim_id, claim, CLAIM_EXPIRED, get_entry("aid_unclaimed").number)
    return False


def is_main_benefit(claim: ClaimRecord) -> bool:
    """Tell whether the claim's row is a severe one, whose payment ends the membership."""
    return claim.row % 2 == 0


def _finish(state: Overlay, context: Context, claim_id: bytes, claim: ClaimRecord) -> bool:
    """Write the claim; end it where nothing more is to come. Returns whether the main benefit is now paid."""
    if claim.paid < claim.granted:
        save(state, claim_id, claim)
        return False
    if claim.rest:
        waiting = CLAIM_SHARES_REFUND if claim.is_shares_refund else CLAIM_CONFIRMED
        save(state, claim_id, _move(context, claim_id, claim, waiting))
        return False
    if claim.paid:
        # The lot of the re-audit is drawn by what nobody knows yet (claim_reaudit.py).
        ask_draw(state, context, claim_id, _move(context, claim_id, claim, CLAIM_PAID))
    else:
        save(state, claim_id, claim)
        drop_benefit(state, state.require(MEMBER, claim.member), claim_id)
    release_member(state, claim_id, claim)
    return claim.paid > 0 and not claim.is_shares_refund and is_main_benefit(claim)


def _move(context: Context, claim_id: bytes, claim: ClaimRecord, status: int) -> ClaimRecord:
    return claim if claim.status == status else change_status(context, claim_id, claim, status)
