"""Calls on money: deposits, the bank's word, instructions, statements (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import (
    ITEMS_MAX,
    AmountFen,
    BalanceFen,
    Bytes32,
    CallPart,
    DayNumber,
    Name,
    Number,
    OptionalBytes32,
    PoolNumber,
)
from chain.types import INT_MAX


class DepositCreditItem(CallPart, frozen=True):
    """One booked incoming transfer: a bank fact, never refused for a business reason."""

    ref_token: Bytes32
    """Keyed token of the bank's reference; unique with account and booking day."""
    amount: AmountFen
    booking_day: DayNumber
    value_day: DayNumber
    payer_token: Bytes32
    deposit_code: Annotated[int, Meta(ge=1, le=INT_MAX)] | None
    """Code from the remittance text that names the member, or null."""


class DepositCredit(CallPart, frozen=True, tag="deposit_credit"):
    """Bank: credit deposits booked on one custody account."""

    account: Name
    items: Annotated[tuple[DepositCreditItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class InstructionAckItem(CallPart, frozen=True):
    """What became of one instruction."""

    instruction: Bytes32
    is_settled: bool
    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32
    reason: Annotated[int, Meta(ge=0, le=999)]
    """0 when settled, else the bank's reason number."""


class InstructionAck(CallPart, frozen=True, tag="instruction_ack"):
    """Bank: acknowledge aid, refund, return and fee instructions alike."""

    account: Name
    items: Annotated[tuple[InstructionAckItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class StatementPost(CallPart, frozen=True, tag="statement_post"):
    """Bank: the statement of one day or of a span of holidays."""

    account: Name
    from_day: DayNumber
    to_day: DayNumber
    opening: BalanceFen
    closing: BalanceFen
    in_count: Number
    in_sum: BalanceFen
    out_count: Number
    out_sum: BalanceFen
    file_hash: Bytes32


# --- unmatched, recalled and other money ---------------------------------------------------------------------------


class DepositMatchItem(CallPart, frozen=True):
    """One unmatched deposit and the member whose it is."""

    booking_day: DayNumber
    ref_token: Bytes32
    member: Bytes32


class DepositMatch(CallPart, frozen=True, tag="deposit_match"):
    """Platform and bank: credit unmatched deposits to members."""

    account: Name
    items: Annotated[tuple[DepositMatchItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class DepositReverse(CallPart, frozen=True, tag="deposit_reverse"):
    """Bank and auditor: a credited deposit was recalled by the payer's bank."""

    account: Name
    deposit_day: DayNumber
    """Booking day of the deposit."""
    deposit_ref: Bytes32
    """Its keyed reference."""
    amount: AmountFen
    booking_day: DayNumber
    """Day on which the recall was booked out."""
    ref_token: Bytes32
    """Keyed reference of the recall."""


class CashOtherItem(CallPart, frozen=True):
    """One booked incoming movement that is no deposit."""

    kind: Annotated[int, Meta(ge=0, le=3)]
    """0 interest, 1 recovery of paid aid, 2 repayment of what the account is short of, 3 a payment that came back."""
    claim: OptionalBytes32
    """The claim whose aid was recovered, else null."""
    instruction: OptionalBytes32
    """The settled instruction whose payment came back, else null."""
    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32
    """Keyed token of the bank's reference; unique with account and booking day among all that came in."""
    payer_token: OptionalBytes32
    """Who paid: what exceeds what is owed goes back there. Null for a recovery, where it would tell whose claim it is
    (contract 6); the bank knows him by its reference."""


class CashOther(CallPart, frozen=True, tag="cash_other"):
    """Bank, for recoveries with an auditor: interest, recovered aid, repayments, payments that came back."""

    account: Name
    items: Annotated[tuple[CashOtherItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class InstructionUnclaimed(CallPart, frozen=True, tag="instruction_unclaimed"):
    """Bank and auditor: aid that nobody could be paid for 1,095 days goes back to the pool."""

    account: Name
    items: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class SingleRelease(CallPart, frozen=True, tag="single_release"):
    """Bank and auditor: pay one existing instruction while the plan is FROZEN."""

    instruction: Bytes32


class FeeWithdraw(CallPart, frozen=True, tag="fee_withdraw"):
    """Platform and auditor: pay the platform its earned fee."""

    plan: Name
    pool: PoolNumber
    amount: AmountFen
    account_token: Bytes32
    """Account of the platform, by the bank's token of it."""


# --- statements ----------------------------------------------------------------------------------------------------


class LateDeposit(CallPart, frozen=True, tag="late_deposit"):
    """A deposit of a closed day that the bank told too late."""

    deposit: DepositCreditItem


class LateCash(CallPart, frozen=True, tag="late_cash"):
    """Another incoming movement of a closed day that the bank told too late."""

    cash: CashOtherItem


class LatePayment(CallPart, frozen=True, tag="late_payment"):
    """An instruction that was carried out on a closed day and acknowledged too late."""

    answer: InstructionAckItem


class LateRecall(CallPart, frozen=True, tag="late_recall"):
    """A recall that was booked out on a closed day and told too late."""

    deposit_day: DayNumber
    deposit_ref: Bytes32
    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32


class ForeignDebit(CallPart, frozen=True, tag="foreign_debit"):
    """A debit that is none of the plan's, such as a bank charge: it must be repaid to the account."""

    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32


class StruckDeposit(CallPart, frozen=True, tag="struck_deposit"):
    """An incoming movement that the bank told and that its books do not have."""

    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32


class StruckPayment(CallPart, frozen=True, tag="struck_payment"):
    """A payment that the bank acknowledged and that its books do not have."""

    instruction: Bytes32
    amount: AmountFen
    booking_day: DayNumber


StatementLine = LateDeposit | LateCash | LatePayment | LateRecall | ForeignDebit | StruckDeposit | StruckPayment
"""One line that explains a difference between a statement and the chain's books."""


class StatementResolve(CallPart, frozen=True, tag="statement_resolve"):
    """Bank and auditor: explain a mismatch line by line; effective unless another auditor objects in 2 days.

    The figures are those of the statement as it is right: the posted ones, or a correction of them.
    """

    account: Name
    span: Number
    """Number of the statement: the oldest that is not explained."""
    opening: BalanceFen
    closing: BalanceFen
    in_count: Number
    in_sum: BalanceFen
    out_count: Number
    out_sum: BalanceFen
    file_hash: Bytes32
    lines: Annotated[tuple[StatementLine, ...], Meta(max_length=ITEMS_MAX)]
    """What the chain's books lack or have too much; empty where the statement alone was wrong."""
    reason_hash: Bytes32


class StatementObject(CallPart, frozen=True, tag="statement_object"):
    """The other auditor: object to a resolution within 2 days."""

    account: Name
    span: Number
    reason_hash: Bytes32


class BalanceConfirm(CallPart, frozen=True, tag="balance_confirm"):
    """Auditor: the closing balance that it obtained from the bank by itself."""

    account: Name
    day: DayNumber
    closing: BalanceFen
    letter_hash: Bytes32
