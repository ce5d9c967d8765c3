"""Events of what is rare with money: matching, recalls, reconciliation, releases (contract 2 *Custody*, 3.5)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _CustodyEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of this file."""


class DepositMatched(_CustodyEvent, frozen=True, tag="deposit_matched"):
    """Platform and bank found whose an unmatched deposit is; what he may not take is returned."""

    member: bytes
    account: str
    booking_day: Number
    ref_token: bytes
    taken: Number
    x: Number
    """Index up to which the member's money reaches now; 0 where it has no leaf."""


class DepositReversed(_CustodyEvent, frozen=True, tag="deposit_reversed"):
    """A deposit was recalled, or struck out of the bank's books."""

    member: bytes | None
    """Who had been credited."""
    account: str
    deposit_day: Number
    deposit_ref: bytes
    booking_day: Number
    ref_token: bytes
    amount: Number
    taken: Number
    """What was still there."""
    owed: Number
    """What was not: the bank makes it good."""


class CashBooked(_CustodyEvent, frozen=True, tag="cash_booked"):
    """Money came in that is no deposit; what exceeds its purpose is unmatched and goes back."""

    account: str
    kind: Number
    """See money_tables.CASH_KIND_NAMES."""
    claim: bytes | None
    instruction: bytes | None
    booking_day: Number
    ref_token: bytes
    amount: Number
    taken: Number


class ShortageChanged(_CustodyEvent, frozen=True, tag="shortage_changed"):
    """The account is short of another amount than before; 0: of nothing."""

    account: str
    owed: Number


class AidUnclaimed(_CustodyEvent, frozen=True, tag="aid_unclaimed"):
    """Aid that nobody could be paid went back to the pool."""

    instruction: bytes
    amount: Number
    fee: Number


class PaymentReturned(_CustodyEvent, frozen=True, tag="payment_returned"):
    """A payment that had been acknowledged is none any more: its instruction counts as failed."""

    instruction: bytes
    kind: Number
    amount: Number


class InstructionReleased(_CustodyEvent, frozen=True, tag="instruction_released"):
    """Bank and auditor let one payment be made although the plan is FROZEN."""

    instruction: bytes
    organisation: str


class ResolutionSigned(_CustodyEvent, frozen=True, tag="resolution_signed"):
    """Bank and an auditor explained a mismatch; it takes effect on `due_day` unless another auditor objects."""

    account: str
    span: Number
    organisation: str
    due_day: Number


class ResolutionObjected(_CustodyEvent, frozen=True, tag="resolution_objected"):
    """Another auditor does not accept the explanation."""

    account: str
    span: Number
    organisation: str
    reason_hash: bytes


class ResolutionLapsed(_CustodyEvent, frozen=True, tag="resolution_lapsed"):
    """An explanation could not be booked, because the state had moved on: another is needed."""

    account: str
    span: Number
    code: Number
    """Catalogue number of what stood against it."""


class StatementResolved(_CustodyEvent, frozen=True, tag="statement_resolved"):
    """A mismatch is explained and booked."""

    account: str
    span: Number
    closing: Number
    is_matched: bool
    """Whether bank and chain agree again on all statements."""


class StatementDisputed(_CustodyEvent, frozen=True, tag="statement_disputed"):
    """The letters of two auditors contradict a statement: it is a mismatch from now on."""

    account: str
    span: Number


class BalanceConfirmed(_CustodyEvent, frozen=True, tag="balance_confirmed"):
    """An auditor told the balance that it obtained from the bank by itself."""

    account: str
    organisation: str
    day: Number
    closing: Number
    expected_closing: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    """What the posted statement says."""
    letter_hash: bytes
    is_equal: bool


class CustodyVoteDue(_CustodyEvent, frozen=True, tag="custody_vote_due"):
    """Custody has been broken for 30 days: governance must vote custody_move or wind-down."""

    plan: str
    day: Number
    end_day: Number
    """Without a vote the plan winds down from this day on."""


CustodyEvent = (
    DepositMatched
    | DepositReversed
    | CashBooked
    | ShortageChanged
    | AidUnclaimed
    | PaymentReturned
    | InstructionReleased
    | ResolutionSigned
    | ResolutionObjected
    | ResolutionLapsed
    | StatementResolved
    | StatementDisputed
    | BalanceConfirmed
    | CustodyVoteDue
)
"""Every event of this file."""
