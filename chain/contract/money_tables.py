"""Tables of what is rare with money: recalls, other movements, reconciliation, releases (contract 2 *Custody*, 3.5)."""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record
from chain.contract.money_calls import StatementLine
from chain.state import Table

# Kinds of cash_other
CASH_INTEREST, CASH_RECOVERY, CASH_REPAYMENT, CASH_RETURNED = range(4)
CASH_KIND_NAMES = ("interest", "recovery", "repayment", "returned_payment")
# Status of a resolution
RESOLUTION_PENDING, RESOLUTION_EFFECTIVE, RESOLUTION_OBJECTED, RESOLUTION_LAPSED = range(4)
RESOLUTION_STATUS_NAMES = ("pending", "effective", "objected", "lapsed")


class RecallRecord(Record, frozen=True):
    """["recall", account, booking day, ref token]: a deposit that the payer's bank took back, or that never was."""

    deposit_day: DayField
    """Booking day of the deposit."""
    deposit_ref: Bytes32
    amount: FenField
    """What the bank booked out."""
    taken: FenField
    """What was still there; the rest is the bank's own risk."""


class ReversedRecord(Record, frozen=True):
    """["reversed", account, booking day, ref token]: how much of a deposit was recalled so far."""

    amount: FenField
    taken_from_member: FenField


class OtherCashRecord(Record, frozen=True):
    """["other_cash", account, booking day, ref token]: an incoming movement that is no deposit."""

    kind: Code
    """See CASH_INTEREST and its like."""
    claim: Bytes32 | None
    instruction: Bytes32 | None
    amount: FenField
    taken: FenField
    """What served its purpose; the rest is unmatched and goes back."""
    payer_token: Bytes32 | None


class ClaimMoneyRecord(Record, frozen=True):
    """["claim_money", claim]: what a claim was paid in all, and what of it came back."""

    paid: FenField
    fee: FenField
    """Platform fees that became payable with it."""
    recovered: FenField
    """Aid that was paid back; never more than was paid."""


class ReconciliationRecord(Record, frozen=True):
    """["reconciliation", account]: what is open between bank and chain; absent where nothing is."""

    statement: Number | None
    """The oldest statement that neither matched nor was resolved."""
    explained: FenField
    """Closing of the last statement before it."""
    owed: FenField
    """What the account is short of: foreign debits, and of recalls what was no longer there; repaid by cash_other."""
    owed_day: DayField
    """First booking day of the shortage."""


class ResolutionRecord(Record, frozen=True):
    """["resolution", account, statement]: the last explanation of a mismatch, and what became of it."""

    status: Code
    """See RESOLUTION_PENDING and its like."""
    attempt: Number
    custodian: Name
    auditor: Name
    """Who signed it with the bank; only another auditor may object."""
    due_day: DayField
    """It takes effect at 0:00 of this day."""
    figures: tuple[FenField, FenField, Number, FenField, Number, FenField]
    """Opening, closing, incoming count and sum, outgoing count and sum."""
    file_hash: Bytes32
    lines: tuple[StatementLine, ...]
    reason_hash: Bytes32
    objected_by: Name | None
    objection_hash: Bytes32 | None


class ConfirmationRecord(Record, frozen=True):
    """["confirmation", account, auditor]: the last balance that an auditor obtained from the bank by itself."""

    day: DayField
    closing: FenField
    letter_hash: Bytes32
    is_equal: bool
    """Whether the posted statement says the same."""


class ReleaseRecord(Record, frozen=True):
    """["release", instruction]: a payment that the bank may make although the plan is FROZEN."""

    day: DayField
    auditor: Name


class CustodyStopRecord(Record, frozen=True):
    """["custody_stop", plan]: since when custody is broken; absent where it is not."""

    since_day: DayField
    is_vote_due: bool
    """Frozen for 30 days: governance must vote custody_move or wind-down."""
    is_waived: bool
    """Nobody voted: the plan winds down and is not frozen for this any more."""


RECALL = Table("recall", RecallRecord)
REVERSED = Table("reversed", ReversedRecord)
OTHER_CASH = Table("other_cash", OtherCashRecord)
CLAIM_MONEY = Table("claim_money", ClaimMoneyRecord)
RECONCILIATION = Table("reconciliation", ReconciliationRecord)
RESOLUTION = Table("resolution", ResolutionRecord)
CONFIRMATION = Table("confirmation", ConfirmationRecord)
RELEASE = Table("release", ReleaseRecord)
CUSTODY_STOP = Table("custody_stop", CustodyStopRecord)
